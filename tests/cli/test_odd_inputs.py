# SPDX-License-Identifier: BSD-3-Clause
"""Files as people really have them, where rules meet: one step a file with
the time as a scalar coordinate, values of every missing rule, wide integers."""
import clitest
from clitest import netCDF4, np, read

clitest.need_netcdf()


class OneStepFiles(clitest.TestCase):
    """Each file holds one field and its time as a scalar coordinate."""

    def write(self, name, day, values, units="days since 2000-01-01",
              lead=None, fmt="NETCDF4", packed=None):
        with netCDF4.Dataset(self.path(name), "w", format=fmt) as d:
            for dim, size in (("lat", 5), ("lon", 6), ("bnds", 2)):
                d.createDimension(dim, size)
            v = d.createVariable("lat", "f8", ("lat",))
            v.units = "degrees_north"
            v[:] = np.linspace(-60, 60, 5)
            t = d.createVariable("time", "f8", ())
            t.units, t.standard_name, t.bounds = units, "time", "time_bnds"
            t[...] = day
            d.createVariable("time_bnds", "f8", ("bnds",))[:] = \
                [day - .5, day + .5]
            names = "time"
            if lead is not None:
                v = d.createVariable("lead", "f8", ())
                v.standard_name, v.units = "forecast_period", "hours"
                v[...] = lead
                names += " lead"
            how = {"zlib": True, "chunksizes": (3, 4)} if fmt == "NETCDF4" \
                else {}
            x = d.createVariable("tas", "f4" if packed is None else "i2",
                                 ("lat", "lon"), **how)
            if packed is not None:
                x.scale_factor = packed
            x.coordinates, x.units = names, "K"
            x[:] = values
            d.createVariable("orog", "f4", ("lat", "lon"))[:] = 7

    def fields(self, n, **how):
        rng = np.random.default_rng(3)
        x = rng.integers(-99, 99, (n, 5, 6)).astype("f4")
        for k in range(n):
            self.write("s%d.nc" % k, 10 * k, x[k], **how)
        return x, ["s%d.nc" % k for k in reversed(range(n))]

    def test_joined(self):
        for fmt in ("NETCDF4", "NETCDF3_CLASSIC"):
            x, files = self.fields(4, fmt=fmt)
            self.ok(*files, "-O", "-o", "all.nc")
            with netCDF4.Dataset(self.path("all.nc")) as d:
                self.assertEqual(d["tas"].dimensions, ("time", "lat", "lon"))
                self.assertEqual(d["orog"].dimensions, ("lat", "lon"))
                self.assertNotIn("coordinates", d["tas"].ncattrs())
                self.assertEqual(list(d["time"][:]), [0, 10, 20, 30])
                self.assertEqual(list(d["time_bnds"][3]), [29.5, 30.5])
                self.assertTrue(np.array_equal(d["tas"][:], x))
            self.ok(*files, ":", "isel", "time=1:3", ":", "mean", "time",
                    "lon", "-O", "-o", "m.nc")
            np.testing.assert_allclose(np.squeeze(read(self.path("m.nc"),
                                                       "tas")),
                                       x[1:3].mean((0, 2)), rtol=1e-6)

    def test_units_packing_and_other_scalars(self):
        x = np.round(np.linspace(0, 20, 30).reshape(5, 6), 1)
        self.write("a.nc", 0, x, packed=.1, lead=6)
        self.write("b.nc", 24, x * 2, "hours since 2000-01-01", packed=.2,
                   lead=30)
        r = self.ok("b.nc", "a.nc", ":", "std", "time", "-o", "m.nc")
        self.assertIn("lead differs between files: it lies along time", r.err)
        np.testing.assert_allclose(np.squeeze(read(self.path("m.nc"), "tas")),
                                   x / 2, atol=1e-6)
        self.ok("b.nc", "a.nc", "-o", "all.nc")
        with netCDF4.Dataset(self.path("all.nc")) as d:
            self.assertEqual(list(d["time"][:]), [0, 24])
            self.assertEqual(d["time"].units, "hours since 2000-01-01")
            self.assertEqual(list(d["lead"][:]), [6, 30])
            self.assertEqual(d["tas"].coordinates, "lead")

    def test_equal_for_any_threads(self):
        _, files = self.fields(7)
        seen = set()
        for k, words in enumerate((["-j", 1], ["-j", 2], ["-j", 4],
                                   ["-j", 2, "--mem", "2M"])):
            out = "o%d.nc" % k
            self.ok(*files, ":", "var", "time", "--no-history", "-o", out,
                    *words)
            with open(self.path(out), "rb") as f:
                seen.add(f.read())
        self.assertEqual(len(seen), 1)

    def test_one_file_twice(self):
        self.fields(1)
        self.fails(5, "s0.nc", "s0.nc", ":", "mean", "lat", "-o", "m.nc",
                   says=["s0.nc", "no coordinate differs"])


class Messages(clitest.TestCase):
    """What cannot be done is said with file, variable and what to do."""

    def write(self, name, units, size=3):
        with netCDF4.Dataset(self.path(name), "w") as d:
            d.createDimension("time", None)
            if units:
                t = d.createVariable("time", "f8", ("time",))
                t.units = units
                t[:] = np.arange(size)
            d.createVariable("tas", "f4", ("time",))[:] = np.arange(size)

    def test_no_dates(self):
        self.write("a.nc", "Month")
        self.write("b.nc", None)
        self.fails(2, "a.nc", ":", "mean", "time", "by=year", "-o", "o.nc",
                   says=["a.nc", "units of time", '"Month"', "days since"])
        self.fails(2, "b.nc", ":", "mean", "time", "by=year", "-o", "o.nc",
                   says=["b.nc", "time, which has no coordinate"])

    def test_only_text(self):
        with netCDF4.Dataset(self.path("t.nc"), "w") as d:
            d.createDimension("time", 3)
            d.createVariable("name", "S1", ("time",))[:] = b"a"
        self.fails(2, "t.nc", ":", "mean", "time", "-o", "o.nc",
                   says=["no data variable of numbers lies along", "time"])

    def test_no_steps(self):
        self.write("a.nc", "days since 2000-01-01", 0)
        self.fails(2, "a.nc", ":", "mean", "time", "-o", "o.nc",
                   says=["a.nc", "time has no positions"])

    def test_colon_without_blank(self):
        self.write("a.nc", "days since 2000-01-01")
        self.fails(2, "a.nc", ":mean", "time", "-o", "o.nc",
                   says=["':mean'", "blank after"])


class Doubles(clitest.TestCase):
    """Floats are computed in double; --dtype f8 writes what was computed."""

    def write(self, values):
        with netCDF4.Dataset(self.path("x.nc"), "w") as d:
            d.createDimension("time", None)
            d.createDimension("x", 2)
            t = d.createVariable("time", "f8", ("time",))
            t.units = "days since 2000-01-01"
            t[:] = np.arange(len(values))
            v = d.createVariable("v", "f4", ("time", "x"), fill_value=-1)
            v[:] = values
        return np.asarray(values, "f4").astype("f8")

    def result(self, *words):
        self.ok("x.nc", ":", *words, "-O", "-q", "-o", "o.nc")
        with netCDF4.Dataset(self.path("o.nc")) as d:
            return np.squeeze(d["v"][:]), d["v"].dtype

    def test_too_large_for_floats(self):
        x = self.write([[1e25, 1], [3e25, 2], [-3e25, 9]])
        self.fails(8, "x.nc", ":", "var", "time", "-o", "o.nc",
                   says=["v", "variance", "--dtype f8"])
        self.leaves("x.nc")
        got, dtype = self.result("var", "time", "--dtype", "f8")
        self.assertEqual(dtype, np.dtype("f8"))
        np.testing.assert_allclose(got, x.var(0), rtol=1e-14)
        x = self.write([[3e38, 1], [3e38, 2], [3e38, np.inf]])
        self.fails(8, "x.nc", ":", "sum", "time", "-o", "o.nc", "-O",
                   says=["v", "sum", "--dtype f8"])
        got, _ = self.result("sum", "time", "--dtype", "f8")
        self.assertTrue(np.array_equal(got, x.sum(0)))
        got, _ = self.result("isel", "x=1", ":", "sum", "time")
        self.assertEqual(got, np.inf)

    def test_doubles_are_not_rounded(self):
        x = self.write(np.random.default_rng(1).normal(280, 9, (60, 2)))
        for words, want in (
                (["mean", "time"], x.mean(0)), (["std", "time"], x.std(0)),
                (["sum", "time"], x.sum(0)), (["mean", "x"], x.mean(1)),
                (["mean", "x", ":", "mean", "time"], x.mean()),
                (["anom", ":", "var", "time"], x.var(0)),
                (["isel", "time=3:9", ":", "mean", "time"], x[3:9].mean(0)),
                (["anom"], x - x.mean(0)), (["isel", "time=7"], x[7])):
            got, dtype = self.result(*words, "--dtype", "f8")
            self.assertEqual(dtype, np.dtype("f8"))
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
            got, dtype = self.result(*words)
            self.assertEqual(dtype, np.dtype("f4"))


class Types(clitest.TestCase):
    """Values that are names or text pass through; nobody averages them."""

    def setUp(self):
        super().setUp()
        with netCDF4.Dataset(self.path("t.nc"), "w") as d:
            d.createDimension("time", None)
            d.createDimension("n", 3)
            t = d.createVariable("time", "f8", ("time",))
            t.units = "days since 2000-01-01"
            t[:] = np.arange(4)
            kind = d.createEnumType(np.int8, "cloud_t", {
                "clear": 0, "few": 1, "overcast": 8, "unknown": 127})
            v = d.createVariable("cloud", kind, ("time",), fill_value=127)
            v[:] = [1, 8, 127, 0]
            v = d.createVariable("letters", "S1", ("time", "n"))
            v[:] = np.array([list("abc")] * 4, "S1")
            d.createVariable("names", str, ("time",))[:] = \
                np.array(list("wxyz"), object)
            pair = d.createCompoundType(np.dtype([("a", "f4")]), "pair_t")
            d.createVariable("pairs", pair, ("time",))
            ragged = d.createVLType(np.int32, "ragged_t")
            d.createVariable("ragged", ragged, ("time",))
            d.createVariable("tas", "f4", ("time",))[:] = np.arange(4)

    def names_in(self, name):
        with netCDF4.Dataset(self.path(name)) as d:
            return set(d.variables)

    def test_reduced_around(self):
        for step in (["mean", "time"], ["sum", "time"], ["std", "time"],
                     ["any", "time"], ["range", "time"]):
            r = self.ok("t.nc", ":", *step, "-O", "-o", "o.nc")
            self.assertEqual(self.names_in("o.nc") - {"time_bnds"},
                             {"time", "tas"})
            self.assertIn("no %s of an enum: cloud" % step[0], r.err)
            self.assertIn("no numbers to reduce: letters, names", r.err)
            self.assertIn("pairs: left out: values of a compound", r.err)
            self.assertIn("ragged: left out: values of a vlen", r.err)

    def test_plan_lists_what_is_left_out(self):
        r = self.ok("t.nc", ":", "isel", "time=0:3", ":", "mean", "time",
                    "--explain", "-q")
        for note in ("note       t.nc: pairs: left out: values of a compound",
                     "note       left out, as there is no mean of an enum: "
                     "cloud\n", "no numbers to reduce: letters, names\n"):
            self.assertEqual(r.out.count(note), 1, r.out)

    def test_enum_is_compared_and_counted(self):
        for op, want in (("min", 0), ("max", 8), ("count", 3), ("first", 1),
                         ("last", 0), ("argmax", 1)):
            for how in ([], ["--force-library"]):
                self.ok("t.nc", ":", op, "time", "-O", "-o", "o.nc", *how)
                self.assertEqual(read(self.path("o.nc"), "cloud"), want)

    def test_passed_through(self):
        self.ok("t.nc", ":", "isel", "time=1:3", "-o", "o.nc")
        with netCDF4.Dataset(self.path("o.nc")) as d:
            self.assertEqual(d["letters"][:].tobytes(), b"abcabc")
            self.assertEqual(list(d["names"][:]), ["x", "y"])
            self.assertEqual(d["cloud"][0], 8)
            self.assertTrue(d["cloud"][:].mask[1])
        r = self.ok("t.nc", ":", "anom", "-O", "-o", "o.nc")
        self.assertIn("as it is, being an enum: cloud", r.err)
        self.assertEqual(read(self.path("o.nc"), "cloud")[1], 8)

    def test_refused_by_name(self):
        def refused(words, *says):
            self.fails(4, "t.nc", *words, "-o", "o.nc", says=["t.nc", *says])
            self.leaves("t.nc")
        mean = [":", "mean", "time"]
        refused(["-V", "cloud", *mean], "cloud", "enum", "max")
        refused([":", "sel", "var=cloud", *mean], "cloud", "enum")
        refused(["-V", "cloud,tas", ":", "anom"], "cloud", "enum")
        refused(["-V", "tas,letters", *mean], "letters", "text")
        refused(["-V", "names", *mean], "names", "text")
        refused(["-V", "pairs", *mean], "pairs", "compound")
        refused(["-V", "ragged", *mean], "ragged", "vlen")


if __name__ == "__main__":
    clitest.main()
