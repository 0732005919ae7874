# SPDX-License-Identifier: BSD-3-Clause
"""Less memory than the peak of a plan: chunks go to --spill-dir and back."""
import json
import os
import resource
import signal

import clitest
from clitest import netCDF4, np

clitest.need_netcdf()

STEPS, SIDE = 24, 600
LIMITS = ("25M", "30M")  # between the largest task and the peak


def write_months(path):
    with netCDF4.Dataset(path, "w") as d:
        for name, size in (("time", STEPS), ("lat", SIDE), ("lon", SIDE)):
            d.createDimension(name, size)
        t = d.createVariable("time", "f8", ("time",))
        t.units = "days since 2000-01-01"
        t[:] = np.arange(STEPS) * 30.5 + 5
        v = d.createVariable("tas", "f4", ("time", "lat", "lon"),
                             chunksizes=(1, SIDE, SIDE))
        v[:] = np.random.default_rng(1).random((STEPS, SIDE, SIDE),
                                               dtype="f4")


class Spill(clitest.TestCase):
    WORDS = ("-q", "x.nc", ":", "anom", "by=month")

    def setUp(self):
        super().setUp()
        write_months(self.path("x.nc"))
        os.mkdir(self.path("spill"))

    def test_same_file(self):
        env = {"SOURCE_DATE_EPOCH": "0"}
        self.ok(*self.words("o.nc"), env=env)
        with open(self.path("o.nc"), "rb") as f:
            expected = f.read()
        for limit in LIMITS:
            for threads in (1, 3):
                os.unlink(self.path("o.nc"))
                self.ok(*self.words("o.nc"), "--mem", limit,
                        "-j", threads, "--spill-dir", "spill", "--stats",
                        "s.json", env=env)
                with open(self.path("s.json")) as f:
                    stats = json.load(f)
                self.assertGreater(stats["bytes_spilled"], 0)
                self.assertLessEqual(stats["peak_memory"],
                                     int(limit[:-1]) << 20)
                with open(self.path("o.nc"), "rb") as f:
                    self.assertEqual(f.read(), expected, limit)
                self.assertEqual(os.listdir(self.path("spill")), [])

    def words(self, out):
        return (*self.WORDS, "-o", out, "--no-history")

    def refused(self, where, why, **how):
        before = sorted(os.listdir(self.dir))
        self.fails(6, *self.words("o.nc"), "--mem", LIMITS[0], "--spill-dir",
                   where, says=(where, why, "bytes", "--spill-dir", "--mem"),
                   **how)
        self.assertEqual(sorted(os.listdir(self.dir)), before)
        self.assertEqual(os.listdir(self.path("spill")), [])

    def test_no_such_directory(self):
        self.refused("no-such", "No such file or directory")
        self.refused("x.nc", "Not a directory")

    def test_not_writable(self):
        os.chmod(self.path("spill"), 0o500)
        if os.access(self.path("spill"), os.W_OK):
            self.not_run("the superuser writes to every directory")
        self.refused("spill", "Permission denied")

    def test_full(self):
        def few_bytes():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        self.refused("spill", "File too large", preexec_fn=few_bytes)

    def test_output_stays(self):
        """An output that was there is as it was."""
        with open(self.path("o.nc"), "w") as f:
            f.write("old")
        r = clitest.run(*self.words("o.nc"), "-O", "--mem", LIMITS[0],
                        "--spill-dir", "no-such", cwd=self.dir)
        self.assertEqual(r.code, 6, r.err)
        with open(self.path("o.nc")) as f:
            self.assertEqual(f.read(), "old")


if __name__ == "__main__":
    clitest.main()
