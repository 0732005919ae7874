# SPDX-License-Identifier: BSD-3-Clause
"""Times that are grouped or selected: several times in one file, hours as
fractions of days, missing stamps, groups."""
import clitest
from clitest import netCDF4, np, read

clitest.need_netcdf()


def add_time(group, name, values, units="days since 2000-01-01", **how):
    group.createDimension(name, len(values))
    t = group.createVariable(name, "f8", (name,), **how)
    t.units = units
    t[:] = values


def add(group, name, dims, values):
    group.createVariable(name, "f8", dims)[:] = values


class SeveralTimes(clitest.TestCase):
    def write(self, path):
        with netCDF4.Dataset(self.path(path), "w") as d:
            add_time(d, "t1", [0, 31])
            add_time(d, "t2", [0, 31, 60, 366])
            add(d, "v", ("t1",), [1, 2])
            add(d, "w", ("t2",), [10, 20, 60, 30])

    def test_by_groups_along_the_time_that_is_named(self):
        self.write("a.nc")
        self.fails(2, "a.nc", ":", "mean", "time", "by=month", "-o", "o.nc",
                   says=("a.nc", "t1", "t2", "-V"))
        self.fails(2, "a.nc", ":", "mean", "t1", "t2", "by=month", "-o",
                   "o.nc", says=("t1", "t2"))
        self.leaves("a.nc")
        self.ok("a.nc", ":", "mean", "t2", "by=month", "-o", "o.nc")
        np.testing.assert_array_equal(read(self.path("o.nc"), "w"),
                                      [20, 20, 60])
        np.testing.assert_array_equal(read(self.path("o.nc"), "v"), [1, 2])
        self.ok("a.nc", "-V", "w", ":", "sum", "time", "by=month", "-o",
                "o.nc", "-O")
        np.testing.assert_array_equal(read(self.path("o.nc"), "w"),
                                      [40, 20, 60])

    def test_anomalies_along_each_time(self):
        self.write("a.nc")
        self.ok("a.nc", ":", "anom", "-o", "o.nc")
        np.testing.assert_array_equal(read(self.path("o.nc"), "v"), [-.5, .5])
        np.testing.assert_array_equal(read(self.path("o.nc"), "w"),
                                      [-20, -10, 30, 0])
        self.ok("a.nc", ":", "anom", "by=month", "-o", "o.nc", "-O")
        np.testing.assert_array_equal(read(self.path("o.nc"), "v"), [0, 0])
        np.testing.assert_array_equal(read(self.path("o.nc"), "w"),
                                      [-10, 0, 0, 10])

    def test_a_time_without_dates_beside_one_that_has_them(self):
        with netCDF4.Dataset(self.path("f.nc"), "w") as d:
            add_time(d, "time", [0, 1, 40])
            d.createDimension("step", 2)
            add(d, "step", ("step",), [0, 6])
            d["step"].axis, d["step"].units = "T", "hours"
            add(d, "v", ("time", "step"), [[1, 2], [3, 6], [5, 5]])
        self.ok("f.nc", ":", "anom", "by=month", "-o", "o.nc")
        np.testing.assert_array_equal(read(self.path("o.nc"), "v"),
                                      [[-1, -2], [1, 2], [0, 0]])

    def test_a_variable_along_two_times(self):
        with netCDF4.Dataset(self.path("a.nc"), "w") as d:
            add_time(d, "t1", [0, 31])
            add_time(d, "t2", [0, 31])
            add(d, "v", ("t1", "t2"), [[1, 2], [3, 4]])
        self.fails(2, "a.nc", ":", "anom", "-o", "o.nc",
                   says=("a.nc", "v", "t1", "t2"))


class Stamps(clitest.TestCase):
    def test_hours_as_fractions_of_days(self):
        """Hours since a distant date are off by microseconds."""
        hours = np.arange(96)
        with netCDF4.Dataset(self.path("a.nc"), "w") as d:
            add_time(d, "time", hours / 24 + 155000, "days since 1601-01-01")
            add(d, "v", ("time",), hours % 24)
        self.ok("a.nc", ":", "mean", "time", "by=hour", "-o", "o.nc")
        np.testing.assert_array_equal(read(self.path("o.nc"), "v"),
                                      np.arange(24))
        self.ok("a.nc", ":", "count", "time", "by=date", "-o", "o.nc", "-O")
        np.testing.assert_array_equal(read(self.path("o.nc"), "v"), [24] * 4)

    def test_missing_stamps(self):
        for i, (name, values) in enumerate((("a.nc", [0., -1., 400.]),
                                            ("b.nc", [0., np.nan, 400.]))):
            with netCDF4.Dataset(self.path(name), "w") as d:
                add_time(d, "time", values, fill_value=-1. if not i else None)
                add(d, "v", ("time",), [1, 2, 3])
            for verb in (["mean", "time"], ["anom"]):
                self.fails(3, name, ":", *verb, "by=year", "-o", "p.nc",
                           says=(name, "time", "position 1", "isel"))
            self.ok(name, ":", "isel", "time=0,2", ":", "mean", "time",
                    "by=year", "-o", "o.nc", "-O")
            np.testing.assert_array_equal(read(self.path("o.nc"), "v"), [1, 3])
            self.ok(name, ":", "sel", "time=..2010", "-o", "o.nc", "-O")
            np.testing.assert_array_equal(read(self.path("o.nc"), "v"), [1, 3])
            self.fails(2, name, ":", "sel", "time=1850", "-o", "p.nc",
                       says="from 2000-01-01 to 2001-02-04")


class Files(clitest.TestCase):
    def write(self, name, step, scalar=False, **attrs):
        with netCDF4.Dataset(self.path(name), "w") as d:
            d.createDimension("x", 2)
            if scalar:
                t = d.createVariable("time", "f8")
                t.units = "days since 2000-01-01"
                t.setncatts(attrs)
                t[...] = step
                add(d, "v", ("x",), [step, step + 1])
                add(d, "u", ("x",), [0, 2 * step])
            else:
                add_time(d, "time", [step, step + 1])
                add(d, "v", ("time", "x"), [[step, 1], [step + 2, 3]])

    def test_by_file_follows_time(self):
        """However the files were named on the command line."""
        for name, step in (("a.nc", 10), ("b.nc", 4), ("c.nc", 7)):
            self.write(name, step)
        self.ok("a.nc", "b.nc", "c.nc", ":", "mean", "time", "by=file", "-o",
                "o.nc")
        np.testing.assert_array_equal(read(self.path("o.nc"), "time"),
                                      [4.5, 7.5, 10.5])
        np.testing.assert_array_equal(read(self.path("o.nc"), "v")[:, 0],
                                      [5, 8, 11])

    def test_scalar_time_that_nothing_names(self):
        for name, step in (("a.nc", 5), ("b.nc", 3)):
            self.write(name, step, scalar=True)
        for which in ([], ["-V", "v"]):
            self.ok("a.nc", "b.nc", *which, "-o", "o.nc", "-O")
            np.testing.assert_array_equal(read(self.path("o.nc"), "time"),
                                          [3, 5])
            np.testing.assert_array_equal(read(self.path("o.nc"), "v"),
                                          [[3, 4], [5, 6]])
        self.ok("a.nc", ":", "mean", "x", "-o", "p.nc")
        self.assertEqual(float(read(self.path("p.nc"), "time")), 5)
        self.assertEqual(float(read(self.path("p.nc"), "v")), 5.5)


class Years(clitest.TestCase):
    def test_years_bc(self):
        """The year before 1 is -1 in the standard and the Julian calendar and
        0 in the others, in units as on the command line."""
        for calendar, first, middle in (
                ("standard", -2, "-0001..0001"), ("julian", -2, "-0001..0001"),
                ("proleptic_gregorian", -1, "0000..0001"),
                ("noleap", -1, "0000..0001")):
            with netCDF4.Dataset(self.path("a.nc"), "w") as d:
                add_time(d, "time", np.arange(4) * 366 + 20,
                         "days since %04d-01-01" % first)
                d["time"].calendar = calendar
                add(d, "v", ("time",), [0, 1, 2, 3])
            self.ok("a.nc", ":", "sel", "time=%04d" % first, "-o", "o.nc", "-O")
            self.assertEqual(list(np.ravel(read(self.path("o.nc"), "v"))), [0])
            self.ok("a.nc", ":", "sel", "time=" + middle, "-o", "o.nc", "-O")
            np.testing.assert_array_equal(read(self.path("o.nc"), "v"), [1, 2])
            self.fails(2, "a.nc", ":", "sel", "time=1850", "-o", "p.nc",
                       says="from %04d-01-21 to 0002-01-" % first)


class Groups(clitest.TestCase):
    def test_climatology_inside_a_group(self):
        with netCDF4.Dataset(self.path("a.nc"), "w") as d:
            g = d.createGroup("a")
            add_time(g, "time", [0, 31, 366])
            add(g, "v", ("time",), [1, 2, 5])
        self.ok("a.nc", ":", "mean", "time", "by=month", "-o", "o.nc")
        with netCDF4.Dataset(self.path("o.nc")) as d:
            g = d["a"]
            np.testing.assert_array_equal(g["v"][:], [3, 2])
            self.assertEqual(g["time"].climatology, "climatology_bnds")
            np.testing.assert_array_equal(g["climatology_bnds"][:],
                                          [[0, 397], [31, 60]])
        self.ok("a.nc", ":", "mean", "time", "-o", "o.nc", "-O")
        with netCDF4.Dataset(self.path("o.nc")) as d:
            g = d["a"]
            np.testing.assert_array_equal(g[g["time"].bounds][:], [[0, 366]])


class Weights(clitest.TestCase):
    def setUp(self):
        super().setUp()
        self.v = np.array([[1., 3, 8], [2, 2, 5], [6, 4, 2]])
        self.w = np.array([1., 2, 3])
        with netCDF4.Dataset(self.path("a.nc"), "w") as d:
            add_time(d, "t", [0, 20, 40])
            d.createDimension("x", 3)
            add(d, "v", ("t", "x"), self.v)
            add(d, "w", ("t",), self.w)
            add(d, "wx", ("t", "x"), self.v + 1)

    def check(self, want, *words, variables=(["-V", "v"], [])):
        for which in variables:
            self.ok("a.nc", *which, *words, "-o", "o.nc", "-O")
            np.testing.assert_allclose(np.ravel(read(self.path("o.nc"), "v")),
                                       np.ravel(want), rtol=1e-14)

    def test_steps_before_leave_the_weights_alone(self):
        v, w = self.v, self.w
        self.check(np.average(v - v.mean(0), axis=0, weights=w),
                   ":", "anom", ":", "mean", "t", "weights=w")
        self.check(np.average(v.std(1), weights=w),
                   ":", "std", "x", ":", "mean", "t", "weights=w")
        self.check(np.average(v[1:].max(1), weights=w[1:]),
                   ":", "isel", "t=1:", ":", "max", "x", ":", "mean", "t",
                   "weights=w")
        self.check(np.average((v - v.mean(0)), weights=v + 1),
                   ":", "anom", ":", "mean", "t", "x", "weights=wx",
                   variables=[["-V", "v"]])

    def test_weights_that_lost_a_dimension(self):
        for which in (["-V", "v"], []):
            self.fails(2, "a.nc", *which, ":", "std", "x", ":", "mean", "t",
                       "weights=wx", "-o", "o.nc", says=("weights=wx", "step"))
        self.leaves("a.nc")


if __name__ == "__main__":
    clitest.main()
