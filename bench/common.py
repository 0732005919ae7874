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
             "open_files": "build/release/bench/open_files", "held": "build/release/bench/held",
             "persisted": "build/release/bench/persisted"}[name]
    path = os.path.join(ROOT, built)
    return path if os.path.exists(path) else (shutil.which(name) or name)


def run(command):
    """Runs a command: wall seconds, CPU seconds, peak resident MB, standard output.

    A process begins with the peak of the one that started it, so a small process of its own does the measuring.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.NamedTemporaryFile() as result:
        runner = [sys.executable, "-I", "-S", os.path.abspath(__file__), result.name, *command]
        subprocess.run(runner, stdout=out, stderr=err, check=True)
        found = json.load(open(result.name))
        out.seek(0)
        err.seek(0)
        if found.pop("status"):
            lines = err.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError(lines[-1] if lines else "failed without a word")
        return {**found, "out": out.read()}


def measure(result, command):
    """What the small process does."""
    begin = time.perf_counter()
    try:
        pid = os.posix_spawnp(command[0], command, os.environ)
    except OSError as e:
        sys.exit(f"{command[0]}: {e.strerror}")
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    with open(result, "w") as f:
        json.dump({"status": status, "wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime,
                   "peak_MB": usage.ru_maxrss / 1024}, f)


def round_robin(commands, rounds, warm=(), adjust=lambda name, row: None):
    """Runs {name: command} in turn, `rounds` times; medians by name, or the text of the failure.

    `adjust` may change the figures of one run.
    """
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
                row = run(command)
                adjust(name, row)
                rows.setdefault(name, []).append(row)
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


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2:])
