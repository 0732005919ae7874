# SPDX-License-Identifier: BSD-3-Clause
"""--join: files of one variable that lie on different grids, against xarray."""
import clitest
from clitest import netCDF4, np

clitest.need_netcdf()
try:
    import xarray
except ImportError:
    xarray = None

LAT = np.arange(-10, 11, 1.0)
LON = np.arange(0, 40, 2.0)


class Grids(clitest.TestCase):
    def write(self, name, start, n, lat=LAT, lon=LON, since="2000-01-01",
              height=None, fmt="NETCDF4", seed=0):
        rng = np.random.default_rng(seed + start)
        x = rng.normal(280, 9, (n, len(lat), len(lon))).astype("f4")
        with netCDF4.Dataset(self.path(name), "w", format=fmt) as d:
            for dim, size in (("time", None), ("lat", len(lat)),
                              ("lon", len(lon)), ("bnds", 2)):
                d.createDimension(dim, size)
            t = d.createVariable("time", "f8", ("time",))
            t.units, t.bounds = "days since " + since, "time_bnds"
            days = start + np.arange(n) - (
                np.datetime64(since) - np.datetime64("2000-01-01")).astype(int)
            t[:] = days
            b = d.createVariable("time_bnds", "f8", ("time", "bnds"))
            b[:] = np.stack([days - .5, days + .5], 1)
            for dim, values, units in (("lat", lat, "degrees_north"),
                                       ("lon", lon, "degrees_east")):
                v = d.createVariable(dim, "f8", (dim,))
                v.units = units
                v[:] = values
            v = d.createVariable("tas", "f4", ("time", "lat", "lon"),
                                 fill_value=1e20)
            v.units = "K"
            v[:] = np.where(x < 270, np.float32(1e20), x)
            d.createVariable("area", "f4", ("lat", "lon"))[:] = \
                lat[:, None] * 100 + lon
            if height is not None:
                v.coordinates = "height"
                d.createVariable("height", "f8", ())[...] = height

    def four(self, **how):
        """Three grids, the first one twice; given out of order."""
        self.write("a.nc", 0, 5, **how)
        self.write("b.nc", 5, 5, LAT[3:15], LON[8:], **how)
        self.write("c.nc", 10, 6, since="2000-01-05", **how)
        self.write("d.nc", 16, 3, LAT[5:], LON[:17], **how)
        return ["c.nc", "a.nc", "d.nc", "b.nc"]

    def test_against_xarray(self):
        if xarray is None:
            self.not_run("this Python has no xarray")
        for fmt in ("NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_DATA"):
            files = self.four(fmt=fmt)
            r = self.ok(*files, "--join", "inner", "-O", "-o", "all.nc")
            self.assertIn("lat cut to the 10 positions", r.err)
            self.assertIn("lon cut to the 9 positions", r.err)
            with xarray.open_mfdataset(
                    [self.path(f) for f in sorted(files)], combine="nested",
                    concat_dim="time", join="inner", data_vars="minimal",
                    compat="override", coords="minimal") as want, \
                    xarray.open_dataset(self.path("all.nc")) as got:
                for name in ("tas", "time", "lat", "lon", "area", "time_bnds"):
                    np.testing.assert_array_equal(got[name].values,
                                                  want[name].values, name)
                self.assertEqual(got["tas"].dims, ("time", "lat", "lon"))

    def test_random_grids(self):
        if xarray is None:
            self.not_run("this Python has no xarray")
        rng = np.random.default_rng(11)
        for case in range(8):
            start, files = 0, []
            for k in range(int(rng.integers(2, 6))):
                n = int(rng.integers(1, 5))
                lat = LAT[np.sort(rng.permutation(21)[:17])]
                self.write("r%d.nc" % k, start, n, lat,
                           LON[int(rng.integers(0, 5)):], seed=case)
                files.append("r%d.nc" % k)
                start += n
            with xarray.open_mfdataset(
                    [self.path(f) for f in files], combine="nested",
                    concat_dim="time", join="inner", data_vars="minimal",
                    compat="override", coords="minimal") as all_files:
                want = all_files["tas"].mean(("time", "lon"),
                                             dtype="f8").load()
            self.ok(*files[::-1], "--join", "inner", "--dtype", "f8", ":",
                    "mean", "time", "lon", "-O", "-o", "m.nc")
            with xarray.open_dataset(self.path("m.nc")) as got:
                np.testing.assert_array_equal(got["lat"], want["lat"])
                np.testing.assert_allclose(got["tas"].values.squeeze(),
                                           want.values, rtol=1e-12)

    def test_equal_bytes(self):
        files = self.four()
        env = {"SOURCE_DATE_EPOCH": "0"}
        kept = set()
        for extra in (["-j", 1], ["-j", 4], ["-j", 2, "--mem", "80M"]):
            self.ok(*files, "--join", "inner", "--no-history", *extra, ":",
                    "anom", "by=month", ":", "std", "time", "-O", "-o", "s.nc",
                    env=env)
            with open(self.path("s.nc"), "rb") as f:
                kept.add(f.read())
        self.assertEqual(len(kept), 1)

    def test_by_file_and_one_grid(self):
        files = self.four()
        self.ok(*files, "--join", "inner", ":", "count", "time", "by=file",
                ":", "max", "space", "-o", "n.nc")
        with netCDF4.Dataset(self.path("n.nc")) as d:
            self.assertTrue((np.diff(d["time"][:]) > 0).all())
            self.assertEqual(list(d["tas"][:].ravel()), [5, 5, 6, 3])
        # Nothing to cut: what exact gives.
        for how in ("exact", "inner"):
            self.ok("c.nc", "a.nc", "--join", how, "--no-history", "-o",
                    how + ".nc")
        with open(self.path("exact.nc"), "rb") as a, \
                open(self.path("inner.nc"), "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_rounding_is_one_grid(self):
        self.write("a.nc", 0, 5)
        self.write("b.nc", 5, 5, LAT[2:])
        self.write("c.nc", 10, 5, LAT * (1 + 1e-9))
        r = self.ok("a.nc", "b.nc", "c.nc", "--join", "inner", "-o", "o.nc")
        self.assertIn("lat cut to the 19 positions", r.err)
        with netCDF4.Dataset(self.path("o.nc")) as d:
            np.testing.assert_array_equal(d["lat"][:], LAT[2:])
            self.assertEqual(d["tas"].shape, (15, 19, 20))

    def test_scalars_that_differ_are_left_out(self):
        self.write("a.nc", 0, 5, height=2)
        self.write("b.nc", 5, 5, LAT[2:], height=10)
        r = self.ok("a.nc", "b.nc", "--join", "inner", "-o", "o.nc")
        self.assertIn("height differs between files; left out", r.err)
        with netCDF4.Dataset(self.path("o.nc")) as d:
            self.assertNotIn("height", d.variables)
            self.assertNotIn("coordinates", d["tas"].ncattrs())
        self.write("b.nc", 5, 5, LAT[2:], height=2)
        self.ok("a.nc", "b.nc", "--join", "inner", "-O", "-o", "o.nc")
        with netCDF4.Dataset(self.path("o.nc")) as d:
            self.assertEqual(float(d["height"][...]), 2)

    def test_what_does_not_fit(self):
        self.four()
        self.fails(5, "a.nc", "b.nc", "-o", "o.nc",
                   says=["a.nc, b.nc", "lat has 21 and 12", "join=inner"])
        self.write("e.nc", 16, 3, LAT + 0.5)
        self.fails(5, "a.nc", "e.nc", "--join", "inner", "-o", "o.nc",
                   says=["a.nc, e.nc: ", "share no value of lat: -10 to 10"])
        self.write("f.nc", 3, 4, LAT[2:])
        self.fails(5, "a.nc", "f.nc", "--join", "inner", "-o", "o.nc",
                   says=["a.nc, f.nc", "overlap along time"])
        self.fails(5, "a.nc", "f.nc", "--join", "inner", "--overlap", "first",
                   "-o", "o.nc", says="overlap along time")
        self.assertNotIn("o.nc", self.listing())


if __name__ == "__main__":
    clitest.main()
