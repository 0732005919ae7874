#!/usr/bin/env python3
"""Memory: a large data set under a small limit, and the plan against what was used (target M1).

    memory.py WORKDIR [--gigabytes 20] [--mem 256M] [--json OUT]

Writes one file of that size (sparse: chunks that were never written take no disk, a few are), then reduces it in several
ways under --mem. Peak resident memory stands beside the plan's own prediction. Needs numpy and netCDF4.
"""
import argparse
import os
import re
import sys

import netCDF4
import numpy as np

from common import default_command, run, write_json

OPS = ["mean time", "std time", "mean lat lon weights=area", "max lon", "mean time by=month", "anom by=month : std time"]


def write(path, gigabytes):
    ny, nx = 361, 720
    n = int(gigabytes * 1e9 / (4 * ny * nx))
    with netCDF4.Dataset(path, "w") as d:
        for name, size in (("time", n), ("lat", ny), ("lon", nx)):
            d.createDimension(name, size)
        t = d.createVariable("time", "f8", ("time",))
        t.units, t.calendar = "days since 1900-01-01", "noleap"
        t[:] = np.arange(n)
        for name, unit, values in (("lat", "degrees_north", np.linspace(-90, 90, ny)),
                                   ("lon", "degrees_east", np.arange(nx) / 2)):
            v = d.createVariable(name, "f8", (name,))
            v.units = unit
            v[:] = values
        v = d.createVariable("t2m", "f4", ("time", "lat", "lon"), zlib=True, complevel=1, chunksizes=(1, ny, nx),
                             fill_value=np.float32(1e20))
        rng = np.random.default_rng(3)
        for i in range(0, n, max(n // 400, 1)):
            v[i] = rng.normal(280, 10, (ny, nx)).astype("f4")


def planned(command):
    found = re.search(r"memory\s+([0-9.]+) (\w+) at most", run(command + ["--explain"])["out"].decode())
    unit = {"B": 1e-6, "kB": 1e-3, "MB": 1, "GB": 1e3}
    return float(found[1]) * unit[found[2]] if found else float("nan")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("workdir")
    p.add_argument("--gigabytes", type=float, default=20)
    p.add_argument("--mem", default="256M")
    p.add_argument("--json")
    p.add_argument("--ncgraph", default=default_command("ncgraph"))
    a = p.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    os.makedirs(a.workdir, exist_ok=True)
    path, out = (os.path.join(a.workdir, n) for n in ("large.nc", "out.nc"))
    write(path, a.gigabytes)
    print(f"{a.gigabytes:g} GB decoded, {os.path.getsize(path) / 1e9:.2f} GB on disk, --mem {a.mem}")
    result = {}
    for op in OPS:
        command = [a.ncgraph, "-V", "t2m", path, ":", *op.split(), "-o", out, "-O", "-q", "--mem", a.mem]
        try:
            plan, r = planned(command), run(command)
        except RuntimeError as e:
            print(f"  {op:26s} fails: {e}")
            result[op] = str(e)
            continue
        print(f"  {op:26s} wall {r['wall_s']:6.2f} s  plan {plan:6.0f} MB  resident {r['peak_MB']:6.0f} MB")
        result[op] = {"wall_s": r["wall_s"], "plan_MB": plan, "peak_MB": r["peak_MB"]}
    os.unlink(path)
    write_json(a.json, result)


if __name__ == "__main__":
    main()
