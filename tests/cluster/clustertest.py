# SPDX-License-Identifier: BSD-3-Clause
"""Clusters for tests: processes of the real command on this machine."""
import os
import shutil
import signal
import subprocess
import time

import clitest
from clitest import netCDF4, np, write_grid

clitest.need_netcdf()

# mpirun refuses to be run by root unless it is told twice.
if os.geteuid() == 0:
    os.environ["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
    os.environ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
# Where /sys is not there, the hwloc of mpirun says so in every process.
os.environ["HWLOC_HIDE_ERRORS"] = "2"
# A test that itself runs under a launcher starts from nothing.
for name in list(os.environ):
    if name.startswith(("PMIX_", "PMI_", "OMPI_COMM", "SLURM_STEP")):
        del os.environ[name]


def need_mpirun():
    if not shutil.which("mpirun"):
        clitest.skip("there is no mpirun")


def launched():
    """The environment of what a launcher starts: what MPI and PMIx leave
    behind at the end is theirs, no leak of ours."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return dict(os.environ, ASAN_OPTIONS=options + ":detect_leaks=0")


def mpirun(n, *words, cwd=None, timeout=120):
    """The command on n ranks; its exit code, output, messages."""
    p = subprocess.run(
        ["mpirun", "-n", str(n), "--oversubscribe", *map(str, words)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=cwd, env=launched(), timeout=timeout)
    return clitest.Result(p.returncode, p.stdout.decode(errors="replace"),
                          p.stderr.decode(errors="replace"))


def children(pid):
    """The processes that a process started."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(word) for word in f.read().split()]
    except FileNotFoundError:
        return []


class TestCase(clitest.TestCase):
    def setUp(self):
        super().setUp()
        self.processes = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for p in self.processes:
            for child in children(p.pid):
                try:
                    os.kill(child, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            p.kill()
            p.wait()

    def inputs(self, files=4, nt=60, nlat=48, nlon=96, chunks=(6, 48, 96)):
        for i in range(files):
            write_grid(self.path("in_%d.nc" % i), nt=nt, nlat=nlat, nlon=nlon,
                       start=nt * i, step=1, chunks=chunks)

    def filled_inputs(self, files=3, nt=24, nlat=20, nlon=30, chunks=2):
        """Two variables that state no fill; some values equal the default."""
        for i in range(files):
            rng = np.random.default_rng(i)
            with netCDF4.Dataset(self.path("in_%d.nc" % i), "w") as d:
                for name, size in (("time", None), ("lat", nlat),
                                   ("lon", nlon)):
                    d.createDimension(name, size)
                t = d.createVariable("time", "f8", ("time",))
                t.units = "days since 2000-01-01"
                t[:] = np.arange(nt) + nt * i
                lat = d.createVariable("lat", "f8", ("lat",))
                lat.units = "degrees_north"
                lat[:] = np.linspace(-80, 80, nlat)
                for name, dtype in (("u", "f4"), ("p", "i2")):
                    v = d.createVariable(name, dtype, ("time", "lat", "lon"),
                                         zlib=True,
                                         chunksizes=(chunks, nlat, nlon))
                    x = rng.integers(1, 9999, (nt, nlat, nlon)).astype(dtype)
                    x[rng.random(x.shape) < .1] = \
                        netCDF4.default_fillvals[dtype]
                    v[:] = x

    def start(self, *words, env=None, inside=()):
        """`inside`: put before the command (network.Host.inside)."""
        with open(self.path("log"), "ab") as log:
            p = subprocess.Popen([*inside, clitest.NCGRAPH, *map(str, words)],
                                 cwd=self.dir, stdin=subprocess.DEVNULL,
                                 env=env,
                                 stdout=subprocess.DEVNULL, stderr=log)
        self.processes.append(p)
        return p

    def log(self):
        with open(self.path("log"), errors="replace") as f:
            return f.read()

    def wait_until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), end, self.log())
            time.sleep(0.02)

    def cluster(self, *words, **how):
        p = self.start("cluster", "--scheduler-file", "s.json", "-v", "-j", 1,
                       *words, **how)
        self.wait_until(lambda: os.path.exists(self.path("s.json")))
        return p

    def worker(self, name, *words, **how):
        p = self.start("worker", "--scheduler-file", "s.json", "-j", 1,
                       "--name", name, *words, **how)
        self.wait_until(lambda: "worker %s joined" % name in self.log())
        return p

    def stop(self, cluster):
        self.ok("cluster", "stop", "--scheduler-file", "s.json")
        self.assertEqual(cluster.wait(timeout=60), 0, self.log())

    def same(self, a, b):
        with open(self.path(a), "rb") as f, open(self.path(b), "rb") as g:
            self.assertEqual(f.read() == g.read(), True,
                             "%s and %s differ" % (a, b))
