#!/usr/bin/env python3
"""Arrays: ncgraph beside plain OpenMP loops, NumPy and dask.array on threads in one run (target N3).

    arrays.py [--mib 1024] [--gb 1.5] [--mem 512] [--threads N] [--rounds 3] [--only memory,chunked] [--small]
              [--dir WORKDIR] [--json OUT]

memory   mean, std, a*b+c then sum, transpose and rechunk of arrays of --mib in memory (in_memory.c). Best of three in a
         process; the arrays are made before. Peaks hold the arrays.
chunked  rechunk, (x + x.T).sum(), anomaly then std, quadratic means on --gb of chunks in a file (collections.c), which
         all read by plain reads from the page cache, in the same chunks. ncgraph runs under --mem MiB. The limit is plain
         loops over the same chunks, built for this machine (collections_limit.c).

Every program runs in a process of its own, round-robin; the table has the median of the rounds, without the time to start
Python. Values that differ by more than 1e-5 from ncgraph's (dask adds float32 in float32) are marked WRONG. Needs numpy, dask.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time

from common import ROOT, run, write_json

WIDTH, REPEATS, MONTHS = 256, 3, 12
MEMORY = ("mean", "std", "a*b+c sum", "transpose", "rechunk")
CHUNKED = ("rechunk", "(x + x.T).sum()", "anomaly, std", "quadratic means")
TOLERANCE = 1e-5


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def corners(block, number):
    flat = block.reshape(-1)
    return (number + 1) * (float(flat[0]) + 2 * float(flat[-1]))


# ---- peers: each in a process of its own -------------------------------------------------------------------------------


def numbers(n, seed):
    """The numbers of in_memory.c."""
    import numpy as np
    out = np.empty(n)
    for begin in range(0, n, 1 << 20):
        x = np.arange(begin + seed, min(n, begin + (1 << 20)) + seed, dtype="u8") * np.uint64(6364136223846793005)
        out[begin:begin + (1 << 20)] = (x >> np.uint64(40)) / float(1 << 24) - 0.5
    return out


def probe(array):
    flat = array.reshape(-1)
    return sum(float(flat[k * 2654435761 % flat.size]) * (k + 1) for k in range(1000))


def numpy_memory(name, a, b, c):
    import numpy as np
    if name == "rechunk":
        blocks = [np.ascontiguousarray(a[:, j:j + WIDTH]) for j in range(0, a.shape[1], WIDTH)]
        return lambda: sum(corners(x, i) for i, x in enumerate(blocks))
    if name == "transpose":
        out = np.ascontiguousarray(a.T)
        return lambda: probe(out)
    value = {"mean": lambda: a.mean(), "std": lambda: a.std(), "a*b+c sum": lambda: (a * b + c).sum()}[name]()
    return lambda: float(value)


def dask_memory(name, a, b, c):
    if name == "rechunk":
        new = a.rechunk((-1, WIDTH)).persist()
        return lambda: sum(corners(new.blocks[0, i].compute(), i) for i in range(new.numblocks[1]))
    if name == "transpose":
        out = a.T.compute()
        if not out.flags.c_contiguous:
            import numpy as np
            out = np.ascontiguousarray(out)
        return lambda: probe(out)
    value = {"mean": lambda: a.mean(), "std": lambda: a.std(), "a*b+c sum": lambda: (a * b + c).sum()}[name]().compute()
    return lambda: float(value)


def peer_memory(peer, name, mib, threads):
    side = int(((mib << 20) / 8) ** 0.5)
    used = 3 if name == "a*b+c sum" else 1
    arrays = [numbers(side * side, i + 1).reshape(side, side) for i in range(used)]
    if peer == "dask":
        import dask
        import dask.array as da
        dask.config.set(scheduler="threads", num_workers=threads)
        chunks = (WIDTH, side) if name == "rechunk" else "auto"
        arrays = [da.from_array(x, chunks=chunks, name=False) for x in arrays]
    arrays += [None] * (3 - used)
    took = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        value = (dask_memory if peer == "dask" else numpy_memory)(name, *arrays)
        took.append(time.perf_counter() - begin)
        peak, found = peak_mb(), value()
        del value
    return {"seconds": min(took), "value": found, "peak_MB": peak}


def open_store(path, shape, chunks):
    """A dask array on the chunks of a file: one plain read a chunk."""
    import dask.array as da
    import numpy as np
    counts = [n // c for n, c in zip(shape, chunks)]
    size = int(np.prod(chunks))

    def read(block_info=None):
        number = int(np.ravel_multi_index(block_info[None]["chunk-location"], counts))
        return np.fromfile(path, "f4", size, offset=4 * size * number).reshape(chunks)

    return da.map_blocks(read, chunks=[(c,) * n for c, n in zip(chunks, counts)], dtype="f4",
                         meta=np.empty((0,) * len(shape), "f4"))


def peer_chunked(name, shape, chunks, threads, paths):
    import dask
    import dask.array as da
    import numpy as np
    dask.config.set(scheduler="threads", num_workers=threads)
    begin = time.perf_counter()
    x = open_store(paths[0], shape, chunks)
    if name == "rechunk":
        def first(block, block_info=None):
            return np.array([[corners(block, block_info[0]["chunk-location"][1])]])
        new = x.rechunk((-1, chunks[0]))
        value = new.map_blocks(first, dtype="f8", chunks=((1,), (1,) * new.numblocks[1])).sum().compute()
    elif name == "(x + x.T).sum()":
        value = (x + x.T).sum(dtype="f8").compute()
    elif name == "anomaly, std":
        years = x.reshape(shape[0] // MONTHS, MONTHS, *shape[1:])
        value = (years - years.mean(axis=0, keepdims=True)).std(axis=(0, 1)).compute().mean(dtype="f8")
    else:
        y = open_store(paths[1], shape, chunks)
        means = dask.compute(*(da.mean(p, axis=0) for p in (x * x, x * y, y * y)))
        value = sum(m.mean(dtype="f8") for m in means) / 3
    return {"seconds": time.perf_counter() - begin, "value": float(value)}


def peer(args):
    kind, who, name, threads, *rest = args
    if kind == "memory":
        found = peer_memory(who, name, int(rest[0]), int(threads))
    else:
        found = peer_chunked(name, parse(rest[0]), parse(rest[1]), int(threads), rest[2:])
    print(json.dumps(found))


# ---- the driver --------------------------------------------------------------------------------------------------------


def parse(sizes):
    return tuple(int(s) for s in sizes.split("x"))


def program(a, name):
    return os.path.join(a.programs, name)


def memory_commands(name, a):
    ours = [program(a, "in_memory"), str(a.mib), str(a.threads), "f8"]
    peers = [sys.executable, os.path.abspath(__file__), "--peer", "memory"]
    return {"ncgraph": [*ours, "ncgraph", name], "loop": [*ours, "loop", name],
            **{p: [*peers, p, name, str(a.threads), str(a.mib)] for p in ("numpy", "dask")}}


def write_store(path, shape, seed):
    """Chunks in the order in which they lie do not matter to the values: any numbers do."""
    import numpy as np
    rng = np.random.default_rng(seed)
    left = int(np.prod(shape))
    with open(path, "wb") as f:
        while left:
            n = min(left, 1 << 22)
            f.write((rng.standard_normal(n, dtype="f4") * 10 + 20).tobytes())
            left -= n


def chunked_shapes(name, gb):
    """Shape and chunks of about 15 MB, fewer where the data is small."""
    if name in ("anomaly, std", "quadratic means"):
        arrays = 2 if name == "quadratic means" else 1
        side = max(int((gb * 1e9 / arrays / 4 / 480) ** 0.5) // 8 * 8, 8)
        return (480, side, side), (24, side // 2, side // 2)
    pieces = 100 if name == "rechunk" else 10
    side = max(int((gb * 1e9 / 4) ** 0.5) // 100 * 100, 100)
    return (side, side), (side // pieces, side if name == "rechunk" else side // pieces)


def chunked_commands(name, a, directory):
    shape, chunks = chunked_shapes(name, a.gb)
    paths = [os.path.join(directory, f) for f in ("x", "y")[:2 if name == "quadratic means" else 1]]
    for i, path in enumerate(paths):
        write_store(path, shape, i)
    sizes = ["x".join(map(str, s)) for s in (shape, chunks)]
    limit = [program(a, "collections_limit"), name, *sizes, str(a.threads), *paths]
    print(f"  {name}: float32 {sizes[0]} in chunks of {sizes[1]}{', two arrays' if len(paths) == 2 else ''}")
    return {"ncgraph": [program(a, "collections"), name, *sizes, str(a.mem), str(a.threads), *paths],
            **({} if name == "rechunk" else {"limit": limit}),
            "dask": [sys.executable, os.path.abspath(__file__), "--peer", "chunked", "dask", name, str(a.threads), *sizes,
                     *paths]}


def last_json(text):
    return json.loads([line for line in text.decode().splitlines() if line.startswith("{")][-1])


def measure(commands, rounds):
    rows = {}
    for _ in range(rounds):
        for who, command in commands.items():
            try:
                done = run(command)
                found = last_json(done["out"])
            except (RuntimeError, OSError) as e:
                rows[who] = str(e)
            if not isinstance(rows.get(who), str):
                rows.setdefault(who, []).append({"peak_MB": done["peak_MB"], **found})
    return {who: r if isinstance(r, str) else
            {"seconds": statistics.median(x["seconds"] for x in r), "peak_MB": max(x["peak_MB"] for x in r),
             "value": r[-1]["value"], **{k: max(x[k] for x in r) for k in ("managed_MB", "spilled_MB") if k in r[0]}}
            for who, r in rows.items()}


def show(name, rows):
    ours = rows.get("ncgraph")
    for who, r in rows.items():
        if isinstance(r, str):
            print(f"  {name:16s} {who:8s} fails: {r[:90]}")
            continue
        text = f"  {name:16s} {who:8s} {r['seconds']:8.3f} s  peak {r['peak_MB']:6.0f} MB"
        if isinstance(ours, dict) and r is not ours:
            r["wrong"] = abs(r["value"] - ours["value"]) > TOLERANCE * abs(ours["value"]) + 1e-9
            text += (f"  ncgraph takes {ours['seconds'] / r['seconds']:6.2f} x the time, "
                     f"{ours['peak_MB'] / r['peak_MB']:5.2f} x the memory  {'WRONG' if r['wrong'] else 'equal'}")
            if r["wrong"]:
                text += f" {ours['value']!r} {r['value']!r}"
        print(text)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--mib", type=int, default=1024)
    p.add_argument("--gb", type=float, default=1.5)
    p.add_argument("--mem", type=int, default=512)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default="memory,chunked")
    p.add_argument("--small", action="store_true", help="sizes that take seconds: does it all run?")
    p.add_argument("--dir", help="where the chunked data is written for a while")
    p.add_argument("--json")
    p.add_argument("--programs", default=os.path.join(ROOT, "build/release/bench"))
    a = p.parse_args()
    if a.small:
        a.mib, a.gb, a.rounds = 32, 0.05, 1
    sys.stdout.reconfigure(line_buffering=True)
    result = {"mib": a.mib, "gb": a.gb, "mem_MiB": a.mem, "threads": a.threads, "rounds": a.rounds}
    if "memory" in a.only.split(","):
        print(f"float64 arrays of {a.mib} MiB in memory, {a.threads} threads")
        for name in MEMORY:
            rows = result.setdefault("memory", {})[name] = measure(memory_commands(name, a), a.rounds)
            show(name, rows)
    if "chunked" in a.only.split(","):
        print(f"{a.gb:g} GB in chunks, {a.threads} threads, ncgraph under {a.mem} MiB")
        for name in CHUNKED:
            with tempfile.TemporaryDirectory(dir=a.dir) as directory:
                rows = result.setdefault("chunked", {})[name] = measure(chunked_commands(name, a, directory), a.rounds)
            show(name, rows)
    write_json(a.json, result)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2:])
    else:
        main()
