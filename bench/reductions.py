#!/usr/bin/env python3
"""Reductions with ncgraph, the machine's limit, CDO, NCO and xarray + dask, side by side in one run (targets R1, R2, R3, M1).

    reductions.py DATA/LAYOUT... [--ops timmean,...] [--peers ncgraph,limit,written,cdo,nco,hidefix,xarray] [--rounds 3] [--json OUT]

Each DATA/LAYOUT is a directory that make_data.py wrote. Programs go round-robin, so that drift hits all alike; the table has
the median wall time of whole processes, CPU time and peak memory, and the time over the limit's. The limit (limit.c) reads,
decodes and adds the same bytes and does nothing else; `written` is the limit that then makes an output like the operation's
own (limit_output.h): what it needs to know that output beforehand is taken off its time. Every answer is reduced to one number: one that differs from xarray's by more than
1e-5 relative is marked WRONG. Needs numpy, netCDF4, xarray, dask, and cdo, nco and the
Python package hidefix (a concurrent HDF5 reader: reads and adds) where they are to be compared.
"""
import argparse
import glob
import json
import os
import sys
import tempfile

import netCDF4
import numpy as np

from common import default_command, missing_program, round_robin, write_json

VAR = "t2m"
LIMITS = ("limit", "written")
OPS = {  # operation: ncgraph, CDO, NCO, xarray
    "timmean": ("mean time", ["timmean"], ["-y", "avg"], "v.mean('time')"),
    "timstd": ("std time ddof=1", ["timstd1"], None, "v.std('time', ddof=1)"),
    "timmax": ("max time", ["timmax"], ["-y", "max"], "v.max('time')"),
    "fldmean": ("mean lat lon weights=area", ["fldmean"], None,
                "v.weighted(np.cos(np.deg2rad(ds.lat))).mean(('lat', 'lon'))"),
    "zonmean": ("mean lon", ["zonmean"], None, "v.mean('lon')"),
    "ymonmean": ("mean time by=month", ["ymonmean"], None, "v.groupby('time.month').mean()"),
    "monmean": ("mean time by=yearmonth", ["monmean"], None, "v.resample(time='MS').mean()"),
    "anomstd": ("anom by=month : std time", None, None,
                "(lambda g: (g - g.mean()).std('time'))(v.groupby('time.month'))"),
}
XARRAY = """
import glob, sys, warnings
warnings.filterwarnings('ignore')
import numpy as np, xarray as xr
ds = xr.open_mfdataset(sorted(glob.glob(sys.argv[1] + '/*.nc')), engine='netcdf4', chunks={{}}, combine='by_coords',
                       data_vars='minimal', coords='minimal', compat='override')
v = ds['{var}']
({expr}).compute().rename('{var}').to_netcdf(sys.argv[2])
"""


HIDEFIX = """
import glob, sys
import netCDF4, numpy as np
from hidefix import Index
total, n = 0, 0
for path in sorted(glob.glob(sys.argv[1] + '/*.nc')):
    values = Index(path).dataset('{var}')[:, :, :]
    total, n = total + values.sum(axis=0, dtype='f8'), n + len(values)
with netCDF4.Dataset(sys.argv[2], 'w') as d:
    d.createDimension('y', total.shape[0])
    d.createDimension('x', total.shape[1])
    d.createVariable('{var}', 'f8', ('y', 'x'))[:] = total / n
"""


def command(peer, op, data, files, tmp, a):
    steps, cdo, nco, expr = OPS[op]
    out = os.path.join(tmp, peer + ".nc")
    if peer == "ncgraph":
        return [a.ncgraph, "-V", VAR, *files, ":", *steps.split(), "-o", out, "-O", "-q"]
    if peer == "limit":
        return [a.limit, VAR, *files]
    if peer == "written":  # ncgraph has run before
        return [a.limit, "-l", os.path.join(tmp, "ncgraph.nc"), "-o", out, VAR, *files]
    if peer == "cdo" and cdo:
        return ["cdo", "-s", "-O", *cdo, f"-select,name={VAR}", *files, out]
    if peer == "nco" and nco:
        return ["ncra", "-O", *nco, "-v", VAR, *files, out]
    if peer == "hidefix" and op == "timmean":
        return [sys.executable, "-c", HIDEFIX.format(var=VAR), data, out]
    if peer == "xarray":
        return [sys.executable, "-c", XARRAY.format(var=VAR, expr=expr), data, out]
    return None


def answer(path):
    with netCDF4.Dataset(path) as d:
        name = VAR if VAR in d.variables else next(n for n in d.variables if n.startswith(VAR))
        return float(np.ma.mean(d[name][:].astype("f8")))


def take_off(peer, row):
    if peer in LIMITS:
        row["wall_s"] -= json.loads(row["out"])["prepare_s"]


def measure(op, data, files, tmp, a):
    commands = {p: command(p, op, data, files, tmp, a) for p in a.peers.split(",")}
    commands = {p: c for p, c in commands.items() if c and not missing_program(c)}
    rows = round_robin(commands, a.rounds, files, take_off)
    for p, r in rows.items():
        if isinstance(r, str):
            continue
        if p not in LIMITS:
            r["value"] = answer(os.path.join(tmp, p + ".nc"))
        del r["out"]
    return rows


def show(op, rows):
    ok = {p: r for p, r in rows.items() if not isinstance(r, str)}
    limits = [ok[name]["wall_s"] for name in LIMITS if name in ok]
    reference = ok.get("xarray", ok.get("cdo", {})).get("value")
    for p, r in rows.items():
        if isinstance(r, str):
            print(f"  {op:9s} {p:8s} fails: {r[:90]}")
            continue
        wrong = reference is not None and "value" in r and abs(r["value"] - reference) > 1e-5 * abs(reference)
        r["wrong"] = wrong
        over = " ".join(f"{r['wall_s'] / limit:7.2f}" for limit in limits)
        over += " x limit, written" if limits else ""
        print(f"  {op:9s} {p:8s} wall {r['wall_s']:7.3f} s  cpu {r['cpu_s']:7.2f} s  peak {r['peak_MB']:6.0f} MB {over}"
              f"{'   WRONG ' + repr(r['value']) if wrong else ''}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", nargs="+")
    p.add_argument("--ops", default=",".join(OPS))
    p.add_argument("--peers", default="ncgraph,limit,written,cdo,nco,hidefix,xarray")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--json")
    p.add_argument("--ncgraph", default=default_command("ncgraph"))
    p.add_argument("--limit", default=default_command("limit"))
    a = p.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    result = {}
    with tempfile.TemporaryDirectory() as tmp:
        for data in a.data:
            layout = os.path.basename(os.path.normpath(data))
            files = sorted(glob.glob(os.path.join(data, "*.nc")))
            print(f"{layout}: {len(files)} files")
            for op in a.ops.split(","):
                rows = measure(op, data, files, tmp, a)
                show(op, rows)
                result.setdefault(layout, {})[op] = rows
                write_json(a.json, result)


if __name__ == "__main__":
    main()
