"""What the benchmark programs share: running a command and measuring it, tables, where things are."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def default_command(name):
    """The release build's program, else the one on PATH."""
    built = {"ncgraph": "build/release/src/cli/ncgraph", "limit": "build/release/bench/limit",
             "open_files": "build/release/bench/open_files"}[name]
    path = os.path.join(ROOT, built)
    return path if os.path.exists(path) else (shutil.which(name) or name)


def run(command, **kw):
    """Runs a command: wall seconds, CPU seconds, peak resident MB, standard output."""
    with tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, **kw)
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = status
        err.seek(0)
        if status:
            lines = err.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError(lines[-1] if lines else f"status {status}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_MB": usage.ru_maxrss / 1024, "out": out}


def round_robin(commands, rounds, warm=()):
    """Runs {name: command} in turn, `rounds` times; medians by name, or the text of the failure."""
    rows = {}
    for _ in range(rounds):
        for path in warm:
            with open(path, "rb") as f:
                while f.read(1 << 24):
                    pass
        for name, command in commands.items():
            if isinstance(rows.get(name), str):
                continue
            try:
                rows.setdefault(name, []).append(run(command))
            except (RuntimeError, OSError) as e:
                rows[name] = str(e)
    return {name: r if isinstance(r, str) else
            {**{k: statistics.median(x[k] for x in r) for k in ("wall_s", "cpu_s", "peak_MB")}, "out": r[-1]["out"]}
            for name, r in rows.items()}


def write_json(path, result):
    if path:
        with open(path, "w") as f:
            json.dump(result, f, indent=1, default=str)


def missing_program(command):
    return shutil.which(command[0]) is None


def fail(text):
    sys.exit(text)
