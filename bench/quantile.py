#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An exact quantile over time under a memory limit, beside a plain pass over
the same data, CDO's timpctl (a histogram between two more files) and xarray.
Prints JSON: seconds (median of the runs) and peak resident bytes of each.

    bench/quantile.py --ncgraph build/src/cli/ncgraph 'data/*.nc' VARIABLE
"""
import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

XARRAY = """
import sys, xarray as xr
files, name, q, out = sys.argv[4:], sys.argv[1], float(sys.argv[2]), sys.argv[3]
ds = xr.open_mfdataset(files, combine='by_coords', data_vars='minimal')
ds[[name]].chunk({'time': -1}).quantile(q, 'time').to_netcdf(out)
"""


def run(words):
    """Seconds and peak resident bytes of one process."""
    start = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    message = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("%s failed: %s" % (" ".join(words[:6]), message[-400:]))
    return time.monotonic() - start, usage.ru_maxrss * 1024


def measure(words, runs):
    results = [run(words) for _ in range(runs)]
    return {"seconds": statistics.median(r[0] for r in results),
            "peak_bytes": max(r[1] for r in results)}


def cdo(files, name, q, folder, runs):
    """CDO needs the least and greatest value first; they count too."""
    low, high, out = (os.path.join(folder, n) for n in
                      ("low.nc", "high.nc", "cdo.nc"))
    chain = ["-selname," + name, "-cat", "[", *files, "]"]
    parts = [measure(["cdo", "-s", "-O", "timmin", *chain, low], runs),
             measure(["cdo", "-s", "-O", "timmax", *chain, high], runs),
             measure(["cdo", "-s", "-O", "timpctl,%g" % (100 * q), *chain, low,
                      high, out], runs)]
    return {"seconds": sum(p["seconds"] for p in parts),
            "seconds_without_range": parts[2]["seconds"],
            "peak_bytes": max(p["peak_bytes"] for p in parts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files")
    parser.add_argument("variable")
    parser.add_argument("--ncgraph", default="ncgraph")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--limit", nargs="*", default=None,
                        help="program that only reads and decodes the files")
    parser.add_argument("--mem", default="512M")
    parser.add_argument("-q", type=float, default=0.9)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[])
    a = parser.parse_args()
    files = sorted(glob.glob(a.files))
    if not files:
        sys.exit("no files: " + a.files)
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.nc")
        base = [a.ncgraph, *files, "-V", a.variable, "-q", "-O", "-o", out]
        result = {
            "ncgraph": measure(base + ["--mem", a.mem, ":", "quantile", "time",
                                       "q=%g" % a.q], a.runs),
            "ncgraph_unlimited": measure(base + [":", "quantile", "time",
                                                 "q=%g" % a.q], a.runs),
            "ncgraph_max": measure(base + [":", "max", "time"], a.runs)}
        if a.limit:
            result["limit"] = measure(a.limit + files, a.runs)
        if shutil.which("cdo") and "cdo" not in a.without:
            result["cdo"] = cdo(files, a.variable, a.q, folder, 1)
        if "xarray" not in a.without:
            result["xarray"] = measure([a.python, "-c", XARRAY, a.variable,
                                        "%g" % a.q, out, *files], 1)
    print(json.dumps({"q": a.q, "mem": a.mem, "files": len(files),
                      "results": result}, indent=1))


if __name__ == "__main__":
    main()
