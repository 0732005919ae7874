# SPDX-License-Identifier: BSD-3-Clause
"""Driving the real command from tests.

The environment names it: NCGRAPH (the binary), NCG_EXAMPLES (folder of the
example programs), NCG_SHARED_DATA, NCG_REAL_DATA (folders of real files). A
test script ends with clitest.main(); without what it needs it exits with 77.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

NCGRAPH = os.environ.get("NCGRAPH", "ncgraph")
try:
    import netCDF4
    import numpy as np
except ImportError:
    netCDF4 = np = None


def skip(reason):
    print("skipped: " + reason)
    sys.exit(77)


def need_netcdf():
    if netCDF4 is None:
        skip("this Python has no netCDF4 and numpy")


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def lines(self):
        return self.err.splitlines()


def run(*words, env=None, cwd=None, timeout=300, preexec_fn=None, program=None):
    """Run the command; never through a shell."""
    full = dict(os.environ)
    for name in ("NCGRAPH_THREADS", "NCGRAPH_MEM", "SOURCE_DATE_EPOCH"):
        full.pop(name, None)
    full.update(env or {})
    p = subprocess.run([program or NCGRAPH, *map(str, words)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, env=full, cwd=cwd,
                       timeout=timeout, preexec_fn=preexec_fn)
    return Result(p.returncode, p.stdout.decode(errors="replace"),
                  p.stderr.decode(errors="replace"))


class TestCase(unittest.TestCase):
    """A folder of its own for each test, and checks that say what happened."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ncgraph-test-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def not_run(self, reason):
        """Skip one case; scripts/test collects these lines."""
        print("\nnot run: " + reason, flush=True)
        self.skipTest(reason)

    def path(self, name):
        return os.path.join(self.dir, name)

    def ok(self, *words, **how):
        r = run(*words, cwd=how.pop("cwd", self.dir), **how)
        self.assertEqual(r.code, 0, "%s: %s" % (" ".join(map(str, words)),
                                                r.err))
        return r

    def fails(self, code, *words, says=(), **how):
        """One clear line on standard error, the right code, no output."""
        r = run(*words, cwd=how.pop("cwd", self.dir), **how)
        told = "%s: exit %d: %s" % (" ".join(map(str, words)), r.code, r.err)
        self.assertEqual(r.code, code, told)
        errors = [line for line in r.lines()
                  if not line.startswith("ncgraph: note:")]
        self.assertEqual(len(errors), 1, told)
        self.assertTrue(errors[0].startswith("ncgraph: "), told)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, errors[0])
        return r

    def listing(self):
        return sorted(os.listdir(self.dir))

    def leaves(self, *names):
        """The folder holds these files and nothing else."""
        self.assertEqual(self.listing(), sorted(names))


def write_grid(path, nt=12, nlat=4, nlon=6, start=0, seed=1, fmt="NETCDF4",
               units="days since 2000-01-01", calendar="standard", step=30.5,
               chunks=None, missing=0.1, dtype="f4", zlib=True, fletcher32=False,
               shuffle=True, name="tas", var_units="K", **filters):
    """A small file: tas(time, lat, lon) with some values missing."""
    rng = np.random.default_rng(seed + start)
    with netCDF4.Dataset(path, "w", format=fmt) as d:
        d.createDimension("time", None)
        d.createDimension("lat", nlat)
        d.createDimension("lon", nlon)
        t = d.createVariable("time", "f8", ("time",))
        t.units, t.calendar, t.axis = units, calendar, "T"
        t.standard_name, t.bounds = "time", "time_bnds"
        d.createDimension("nv", 2)
        bounds = d.createVariable("time_bnds", "f8", ("time", "nv"))
        lat = d.createVariable("lat", "f8", ("lat",))
        lat.units, lat.standard_name = "degrees_north", "latitude"
        lon = d.createVariable("lon", "f8", ("lon",))
        lon.units, lon.standard_name = "degrees_east", "longitude"
        storage = {}
        if fmt.startswith("NETCDF4"):
            storage = dict(zlib=zlib, complevel=1, shuffle=shuffle,
                           fletcher32=fletcher32, chunksizes=chunks)
            storage.update(filters)
        fill = netCDF4.default_fillvals[dtype]
        v = d.createVariable(name, dtype, ("time", "lat", "lon"),
                             fill_value=fill, **storage)
        v.units, v.cell_methods = var_units, "area: mean"
        lat[:] = np.linspace(-75, 75, nlat) if nlat > 1 else [0.]
        lon[:] = np.arange(nlon) * 360. / nlon
        t[:] = (np.arange(nt) + start) * step
        bounds[:] = np.stack([t[:] - step / 2, t[:] + step / 2], axis=1)
        data = 280 + 10 * rng.standard_normal((nt, nlat, nlon))
        masked = rng.random(data.shape) < missing
        data = np.ma.array(data.astype(dtype), mask=masked)
        v[:] = data
    return path


def read(path, name):
    """A variable as float64 with NaN for missing values."""
    with netCDF4.Dataset(path) as d:
        value = np.ma.asarray(d[name][:])
        if value.dtype.kind in "iub":
            value = value.astype("f8")
        return np.ma.filled(value.astype("f8"), np.nan)


def same_bytes(a, b):
    with open(a, "rb") as f, open(b, "rb") as g:
        return f.read() == g.read()


def main():
    unittest.main(verbosity=2)
