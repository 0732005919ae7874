#!/usr/bin/env python3
"""One chunk of 512 MB on two threads against one (target R10).

    large_chunk.py WORKDIR [--rounds 3] [--json OUT]

What cannot be parallel is starting a process, making the file and, of one deflated chunk, inflating. That is measured by
a selection from the same file that makes an output of the same shape (`serial`, on two threads: of a deflated chunk it
inflates all to take a part), and the last column is the speed-up of the rest. Needs numpy, netCDF4.
"""
import argparse
import os
import sys

import netCDF4
import numpy as np

from common import default_command, round_robin, write_json

SHAPE = (32, 2048, 2048)  # float32: 512 MiB
OPS = {  # operation: a selection whose output is as large
    "mean time": "isel time=0",
    "std time": "isel time=0",
    "mean y x": "isel time=0:32 y=0 x=0",
    "count time": "isel time=0:2",  # int64
}


def write(path, **storage):
    if os.path.exists(path):
        return
    with netCDF4.Dataset(path, "w") as d:
        for name, size in zip(("time", "y", "x"), SHAPE):
            d.createDimension(name, size)
        v = d.createVariable("v", "f4", ("time", "y", "x"), **storage)
        row = np.random.default_rng(5).normal(280, 10, SHAPE[2]).astype("f4")
        v[:] = np.broadcast_to(row, SHAPE) + np.arange(SHAPE[0], dtype="f4")[:, None, None]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("workdir")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--json")
    p.add_argument("--ncgraph", default=default_command("ncgraph"))
    a = p.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    os.makedirs(a.workdir, exist_ok=True)
    files = {"contiguous": dict(contiguous=True), "one deflated chunk": dict(zlib=True, complevel=1, chunksizes=SHAPE)}
    out, result = os.path.join(a.workdir, "out.nc"), {}
    for name, storage in files.items():
        path = os.path.join(a.workdir, name.replace(" ", "_") + ".nc")
        write(path, **storage)
        for op, part in OPS.items():
            last = ["-o", out, "-O", "-q", "-z", "none"]
            commands = {f"-j {j}": [a.ncgraph, path, ":", *op.split(), *last, "-j", str(j)] for j in (1, 2)}
            commands["serial"] = [a.ncgraph, path, ":", *part.split(), *last, "-j", "2"]
            rows = round_robin(commands, a.rounds, [path])
            if any(isinstance(r, str) for r in rows.values()):
                print(f"  {name:20s} {op:10s} fails: {rows}")
                continue
            one, two, serial = (rows[k]["wall_s"] for k in ("-j 1", "-j 2", "serial"))
            print(f"  {name:20s} {op:10s} -j 1 {one:6.3f} s   -j 2 {two:6.3f} s   {one / two:.2f} x   "
                  f"serial {serial:6.3f} s   the rest {(one - serial) / (two - serial):.2f} x")
            result[f"{name}, {op}"] = {"one_s": one, "two_s": two, "serial_s": serial}
    write_json(a.json, result)


if __name__ == "__main__":
    main()
