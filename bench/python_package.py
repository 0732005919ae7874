#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The Python package beside its peers, in one run: importing it, building expressions, handing graphs to dask, and
xarray scripts on the files of make_data.py.

    python_package.py [DATA/LAYOUT] [--ops timmean,...] [--rounds 3] [--peers ncgraph,mfdataset,command,dask]
                      [--peer-python PYTHON] [--json OUT]

Every row is the median of ROUNDS fresh processes, taken in turn: the whole script, and what it takes after its imports.
`ncgraph` opens by ncgraph.open_dataset, `mfdataset` by xr.open_mfdataset with engine="ncgraph", `command` is the ncgraph
command, `dask` is xarray with dask's threads; `dask-array` (the package with a query optimiser), `distributed` and `frisky`
(two worker processes each) run by PYTHON, which has these packages. Each answer is reduced to one number; one that differs
from dask's by more than 1e-5 is marked WRONG.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from common import default_command, write_json

VAR = "t2m"
SMALL = {
    "import numpy": "import numpy",
    "import ncgraph": "import numpy, ncgraph",
    "100,000 chunks: expression": """
x = ncg.ones((100_000, 12), chunks=(1, 12))
begin = time.perf_counter()
y = (x - x.mean(axis=0)).std(axis=0)
print(time.perf_counter() - begin)""",
    "100,000 chunks: expression, dask.array": """
x = da.ones((100_000, 12), chunks=(1, 12))
begin = time.perf_counter()
y = (x - x.mean(axis=0)).std(axis=0)
print(time.perf_counter() - begin)""",
    "100,000 chunks: graph for dask": """
x = ncg.ones((100_000, 12), chunks=(1, 12))
begin = time.perf_counter()
graph = dict(((x + 1) * 2).__dask_graph__())
print(time.perf_counter() - begin)""",
    "100,000 chunks: graph for dask, dask.array": """
x = da.ones((100_000, 12), chunks=(1, 12))
begin = time.perf_counter()
graph = dict(((x + 1) * 2).__dask_graph__())
print(time.perf_counter() - begin)""",
}
OPS = {  # operation: the command's, xarray's
    "timmean": ("mean time", "v.mean('time')"),
    "timstd": ("std time ddof=1", "v.std('time', ddof=1)"),
    "timmax": ("max time", "v.max('time')"),
    "fldmean": ("mean lat lon weights=area", "v.weighted(np.cos(np.deg2rad(ds.lat))).mean(('lat', 'lon'))"),
    "zonmean": ("mean lon", "v.mean('lon')"),
    "ymonmean": ("mean time by=month", "v.groupby('time.month').mean()"),
    "monmean": ("mean time by=yearmonth", "v.resample(time='MS').mean()"),
    "p90": ("quantile time q=0.9", "v.chunk(time=-1, lat=91, lon=180).quantile(0.9, 'time')"),
    "anomstd": ("anom by=month : std time", "(lambda g: (g - g.mean()).std('time'))(v.groupby('time.month'))"),
}
SCRIPT = """
import glob, sys, time, warnings
warnings.filterwarnings('ignore')
import numpy as np, xarray as xr
{imports}
def main():
    {start}
    begin = time.perf_counter()
    files = sorted(glob.glob(sys.argv[1] + '/*.nc'))
    ds = {open}
    v = ds['{var}']
    made = ({expr}).compute()
    print(time.perf_counter() - begin)
    print(float(made.mean()))
    {end}
if __name__ == '__main__':
    main()
"""
BY_DASK = ("xr.open_mfdataset(files, engine='netcdf4', chunks={}, combine='by_coords', data_vars='minimal', coords='minimal', "
           "compat='override')")
OPENERS = {  # imports, how the files are opened, what comes before and after
    "ncgraph": ("import ncgraph", "ncgraph.open_dataset(files)", "pass", "pass"),
    "mfdataset": ("import ncgraph", "xr.open_mfdataset(files, engine='ncgraph', chunked_array_type='ncgraph', chunks={})",
                  "pass", "pass"),
    "dask": ("import dask.array, netCDF4", BY_DASK, "pass", "pass"),
    "dask-array": ("from dask_array.xarray import register", BY_DASK, "register()", "pass"),
    "distributed": ("from distributed import Client, LocalCluster", BY_DASK,
                    "client = Client(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=':0', silence_logs=50))",
                    "client.close()"),
    "frisky": ("import frisky; from dask_array.xarray import register", BY_DASK,
               "register(); cluster = frisky.LocalCluster(n_workers=2, threads_per_worker=1, processes=True); "
               "client = cluster.get_client()", "client.close()"),
}
OWN = "ncgraph", "mfdataset"


def python(code, *args, interpreter=sys.executable):
    """Run a program: the whole process's seconds, and the lines that it printed.

    It is a file: worker processes of some peers import it again. Another interpreter does not see our package.
    """
    env = {k: v for k, v in os.environ.items() if interpreter == sys.executable or k != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script.py")
        with open(path, "w") as f:
            f.write(code)
        begin = time.perf_counter()
        done = subprocess.run([interpreter, path, *args], capture_output=True, text=True, env=env)
        seconds = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return seconds, done.stdout.split()


def command(data, operation):
    """Run the ncgraph command: seconds, and the mean of what it wrote."""
    import netCDF4
    import numpy as np
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.nc")
        words = [default_command("ncgraph"), "-V", VAR, *sorted(glob.glob(data + "/*.nc")), ":", *operation.split(),
                 "-o", out, "-O", "-q"]
        begin = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        seconds = time.perf_counter() - begin
        with netCDF4.Dataset(out) as made:
            return seconds, float(np.ma.filled(made[VAR][:], np.nan).astype("f8").mean())


def small(rounds):
    """What does not read files; medians of seconds by name. Imports are so short that they are taken nine times as often."""
    heads = "import time\nimport ncgraph as ncg\n", "import time\nimport dask.array as da\n"
    found = {name: [] for name in SMALL}
    for _ in range(rounds):
        for name, code in SMALL.items():
            if name == "import numpy":
                for _ in range(9):
                    found[name].append(python(code)[0])
                    found["import ncgraph"].append(python(SMALL["import ncgraph"])[0])
            elif name != "import ncgraph":
                found[name].append(float(python(heads[name.endswith("dask.array")] + code)[1][0]))
    return {name: statistics.median(rows) for name, rows in found.items()}


def script(data, op, peer, interpreter):
    """One run: seconds of the whole script, seconds after its imports, the answer."""
    by_command, expr = OPS[op]
    if peer == "command":
        seconds, answer = command(data, by_command)
        return seconds, seconds, answer
    imports, opened, start, end = OPENERS[peer]
    code = SCRIPT.format(imports=imports, open=opened, start=start, end=end, var=VAR, expr=expr)
    whole, lines = python(code, data, interpreter=sys.executable if peer in OWN else interpreter)
    return whole, *map(float, lines)


def scripts(data, ops, peers, rounds, interpreter):
    """xarray's scripts on files; medians of the seconds and the answer by operation and peer, or why there is none."""
    found = {}
    for op in ops:
        rows = {peer: [] for peer in peers}
        for _ in range(rounds):
            for peer in peers:
                try:
                    if not isinstance(rows[peer], str):
                        rows[peer].append(script(data, op, peer, interpreter))
                except RuntimeError as e:
                    rows[peer] = str(e)
        found[op] = {peer: r if isinstance(r, str) else (*(statistics.median(x[i] for x in r) for i in range(2)), r[-1][2])
                     for peer, r in rows.items()}
    return found


def show(made):
    """Print the tables."""
    for name, seconds in made["small"].items():
        print(f"{name:45} {seconds * 1e3:10.1f} ms")
    if made["small"]:
        first, second = (made["small"][f"import {n}"] for n in ("numpy", "ncgraph"))
        print(f"{'import ncgraph adds':45} {(second - first) * 1e3:10.1f} ms")
    for op, row in made["scripts"].items():
        done = {peer: r for peer, r in row.items() if not isinstance(r, str)}
        wanted = done.get("dask", next(iter(done.values()), (0, 0, 0)))[2]
        print(f"{op:10} {'':12} {'whole':>10} {'after imports':>15}")
        for peer, r in row.items():
            if isinstance(r, str):
                print(f"{'':10} {peer:12} failed: {r}")
                continue
            whole, seconds, answer = r
            wrong = "" if abs(answer - wanted) <= 1e-5 * max(abs(wanted), 1e-3) else "  WRONG"
            print(f"{'':10} {peer:12} {whole:8.3f} s {seconds:13.3f} s  {answer:.9g}{wrong}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--ops", default=",".join(OPS))
    parser.add_argument("--peers", default="ncgraph,mfdataset,command,dask")
    parser.add_argument("--peer-python", default=sys.executable, help="the interpreter that the peers run by")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-small", action="store_true", help="scripts only")
    parser.add_argument("--json")
    args = parser.parse_args()
    made = {"small": {} if args.no_small else small(args.rounds), "scripts": {}}
    if args.data:
        made["scripts"] = scripts(args.data, args.ops.split(","), args.peers.split(","), args.rounds,
                                  args.peer_python)
    show(made)
    write_json(args.json, made)


if __name__ == "__main__":
    main()
