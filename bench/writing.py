#!/usr/bin/env python3
"""Writing compressed files: time beside libdeflate, size beside nccopy (target R8).

    writing.py WORKDIR [--data 'DATA/*.nc'] [--levels 1,4] [--rounds 3] [--json OUT]

Two things are written: the fields of `write_chunks` (write_chunks.c, which also tells what libdeflate alone takes at that
level), and, with --data, the monthly means of these files by the whole command. nccopy copies each to the same chunks at the
same level. Needs nccopy (Debian: netcdf-bin).
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys

from common import HERE, default_command, write_json

WRITER = os.path.join(os.path.dirname(HERE), "build/release/bench/write_chunks")


def size_beside_nccopy(path, level):
    copy = path + ".nccopy"
    subprocess.run(["nccopy", "-s", f"-d{level}", path, copy], check=True)
    ours, theirs = os.path.getsize(path), os.path.getsize(copy)
    os.remove(copy)
    return {"size_MB": ours / 1e6, "nccopy_MB": theirs / 1e6, "ratio": ours / theirs}


def write_fields(a, level, path):
    runs = [json.loads(subprocess.run([a.writer, path, str(level)], check=True, stdout=subprocess.PIPE).stdout)
            for _ in range(a.rounds)]
    times = {k: statistics.median(r[k] for r in runs) for k in ("libdeflate_s", "writer_s", "writer_synced_s")}
    ratio = statistics.median(r["writer_synced_s"] / r["libdeflate_s"] for r in runs)
    print(f"  fields         level {level}  libdeflate {times['libdeflate_s']:.2f} s   written and synchronised "
          f"{times['writer_synced_s']:.2f} s   {ratio:.2f} x")
    return {**times, "time_ratio": ratio}


def write_means(a, level, path):
    command = [a.ncgraph, "-q", "-O", *sorted(glob.glob(a.data)), ":", "mean", "time", "by=yearmonth", "-z", str(level),
               "-o", path]
    subprocess.run(command, check=True)
    return {}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("workdir")
    p.add_argument("--data")
    p.add_argument("--levels", default="1,4")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--json")
    p.add_argument("--ncgraph", default=default_command("ncgraph"))
    p.add_argument("--writer", default=WRITER)
    a = p.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    os.makedirs(a.workdir, exist_ok=True)
    path, result = os.path.join(a.workdir, "writing.nc"), {}
    kinds = {"fields": write_fields}
    if a.data:
        kinds["monthly means"] = write_means
    for level in (int(x) for x in a.levels.split(",")):
        for name, write in kinds.items():
            row = {**write(a, level, path), **size_beside_nccopy(path, level)}
            print(f"  {name:14s} level {level}  {row['size_MB']:.1f} MB, nccopy {row['nccopy_MB']:.1f} MB   "
                  f"{row['ratio']:.3f} x")
            result[f"{name}, level {level}"] = row
    os.remove(path)
    write_json(a.json, result)


if __name__ == "__main__":
    main()
