#!/usr/bin/env python3
"""Opening many small files, and large chunk tables (targets R6, R9).

    many_files.py DATA_MANY [--rounds 5] [--chunks 32000] [--json OUT]

DATA_MANY is what make_many.py wrote. `open_files` (open_files.c, the public API alone) tells the time of opening and of
loading chunk tables inside one process; the whole commands stand beside CDO and NCO. The second part writes a file whose
one variable has --chunks storage chunks and times its chunk table against the library's query of a few of them.
Needs numpy, netCDF4, h5py.
"""
import argparse
import glob
import json
import os
import sys
import tempfile
import time

import h5py
import netCDF4
import numpy as np

from common import default_command, missing_program, round_robin, write_json


def many(a, tmp):
    files = sorted(glob.glob(os.path.join(a.data, "*.nc")))
    listing = os.path.join(tmp, "list.txt")
    with open(listing, "w") as f:
        f.write("\n".join(files))
    out = os.path.join(tmp, "out.nc")
    commands = {"open_files": [a.open_files, "@" + listing],
                "ncgraph": [a.ncgraph, "-V", "tas", "@" + listing, ":", "mean", "time", "-o", out, "-O", "-q"],
                "cdo": ["cdo", "-s", "-O", "timmean", "-select,name=tas", *files, out],
                "nco": ["ncra", "-O", "-v", "tas", *files, out]}
    rows = round_robin({k: c for k, c in commands.items() if not missing_program(c)}, a.rounds, files)
    print(f"{len(files)} files of 8 variables")
    for name, r in rows.items():
        if isinstance(r, str):
            print(f"  {name:10s} fails: {r[:90]}")
        elif name == "open_files":
            found = json.loads(r["out"])
            r["ms_a_file"] = 1e3 * found["open_s"] / len(files)
            print(f"  opening alone: {r['ms_a_file']:.3f} ms a file")
        else:
            print(f"  {name:10s} open and average one variable: {r['wall_s']:.3f} s, {r['cpu_s']:.2f} s CPU")
    return rows


def write_chunks(path, n):
    with netCDF4.Dataset(path, "w") as d:
        d.createDimension("time", n)
        d.createDimension("x", 32)
        t = d.createVariable("time", "f8", ("time",))
        t.units = "days since 2000-01-01"
        t[:] = np.arange(n)
        v = d.createVariable("v", "f4", ("time", "x"), zlib=True, complevel=1, chunksizes=(1, 32))
        v[:] = np.random.default_rng(1).random((n, 32), dtype="f4")


def library_query(path, asked):
    with h5py.File(path) as f:
        begin = time.perf_counter()
        for i in range(asked):
            f["v"].id.get_chunk_info(i)
        return time.perf_counter() - begin


def chunks(a, tmp):
    path = os.path.join(tmp, "chunks.nc")
    write_chunks(path, a.chunks)
    r = round_robin({"open_files": [a.open_files, path]}, a.rounds)["open_files"]
    if isinstance(r, str):
        print(f"  fails: {r}")
        return r
    found = json.loads(r["out"])
    asked = min(200, a.chunks)
    library = library_query(path, asked) / asked * a.chunks
    print(f"one variable of {a.chunks} chunks: table in {1e3 * found['plan_s']:.1f} ms; "
          f"the library, {asked} chunks asked and scaled: {library:.2f} s")
    return {"table_ms": 1e3 * found["plan_s"], "library_s": library}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--chunks", type=int, default=32000)
    p.add_argument("--json")
    p.add_argument("--ncgraph", default=default_command("ncgraph"))
    p.add_argument("--open-files", default=default_command("open_files"))
    a = p.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    with tempfile.TemporaryDirectory() as tmp:
        write_json(a.json, {"many": many(a, tmp), "chunks": chunks(a, tmp)})


if __name__ == "__main__":
    main()
