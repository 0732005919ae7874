# SPDX-License-Identifier: BSD-3-Clause
"""The same bits for any number of threads and any memory limit: output files
are compared byte for byte."""
import clitest
from clitest import netCDF4, np, write_grid

clitest.need_netcdf()

STEPS = (
    ["mean", "time"], ["std", "time", "ddof=1"], ["sum", "lat", "lon"],
    ["mean", "space", "weights=area"], ["mean", "time", "by=month"],
    ["var", "time", "by=season"], ["max", "time", "by=yearmonth"],
    ["argmax", "time"], ["mean", "all"],
    ["anom", "by=month", ":", "std", "time"],
    ["sel", "lat=-40..40", ":", "mean", "lon", ":", "mean", "time"],
)


class EqualBytes(clitest.TestCase):
    def setUp(self):
        super().setUp()
        for i in range(5):
            write_grid(self.path("in_%d.nc" % i), nt=37, nlat=17, nlon=36,
                       start=37 * i, step=1, chunks=(5, 7, 11), seed=3)

    def check(self, step, how):
        self.ok("in_*.nc", ":", *step, "--no-history", "-O", "-o", "b.nc", "-q",
                *how)
        self.assertTrue(clitest.same_bytes(self.path("a.nc"),
                                           self.path("b.nc")),
                        "%s differs with %s" % (" ".join(step), how))

    def test_threads_and_memory(self):
        for step in STEPS:
            self.ok("in_*.nc", ":", *step, "--no-history", "-O", "-o", "a.nc",
                    "-q", "-j", "1", "--mem", "1G")
            for how in (["-j", "2"], ["-j", "4"], ["-j", "4", "--mem", "8M"],
                        ["-j", "1", "--mem", "4M"], ["-j", "3"]):
                with self.subTest(step=step, how=how):
                    self.check(step, how)

    def test_many_variables(self):
        """Tasks of different variables race; the file must not tell."""
        with netCDF4.Dataset(self.path("many.nc"), "w") as d:
            d.createDimension("time", 40)
            d.createDimension("x", 500)
            rng = np.random.default_rng(5)
            for k in range(8):
                v = d.createVariable("v%d" % k, "f4", ("time", "x"), zlib=True,
                                     chunksizes=(5, 100))
                v[:] = rng.normal(0, 1 + k, (40, 500))
        out = []
        for k in range(12):
            self.ok("many.nc", ":", "mean", "time", "--no-history", "-O", "-q",
                    "-o", "a.nc", "-j", 1 + k % 4)
            with open(self.path("a.nc"), "rb") as f:
                out.append(f.read())
        self.assertEqual(len(set(out)), 1)


if __name__ == "__main__":
    clitest.main()
