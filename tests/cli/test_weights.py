# SPDX-License-Identifier: BSD-3-Clause
"""weights=area and weights=days where the points alone do not tell the cells:
after a selection or a reduction, with gaps, across the seam of the longitudes,
with bounds in units of their own. What is wanted is worked out by NumPy."""
import datetime

import clitest
from clitest import netCDF4, np

clitest.need_netcdf()
RADIUS = 6371000.0
MONTHS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def days_since(year, month, day):
    return (datetime.date(year, month, day) - datetime.date(2001, 1, 1)).days


def strip(low, high):
    """Square metres of a strip around the earth for each radian."""
    edges = np.clip(np.radians([low, high]), -np.pi / 2, np.pi / 2)
    return RADIUS ** 2 * (np.sin(edges[1]) - np.sin(edges[0]))


class Weights(clitest.TestCase):
    def write(self, name, dims, values, bounds=None, units=None, attrs=None):
        """v over coordinates {name: values}; bounds {name: pairs}."""
        plain = {"lat": "degrees_north", "lon": "degrees_east",
                 "time": "days since 2001-01-01"}
        with netCDF4.Dataset(self.path(name), "w") as d:
            for dim, x in dims.items():
                d.createDimension(dim, len(x))
                c = d.createVariable(dim, "f8", (dim,))
                c.units = (units or {}).get(dim, plain[dim])
                c[:] = x
            if bounds:
                d.createDimension("nv", 2)
            for dim, pairs in (bounds or {}).items():
                kind = (attrs or {}).get(dim, "bounds")
                d[dim].setncattr(kind, dim + "_edges")
                b = d.createVariable(dim + "_edges", "f8", (dim, "nv"))
                b[:] = pairs
                if (units or {}).get(dim + "_edges"):
                    b.units = units[dim + "_edges"]
            d.createVariable("v", "f8", tuple(dims))[:] = values
        return name

    def result(self, source, *steps, name="v"):
        words = [w for step in steps for w in [":"] + step.split()]
        self.ok(source, *words, "-q", "-O", "-o", "o.nc")
        return np.squeeze(clitest.read(self.path("o.nc"), name))

    def near(self, source, steps, want, name="v"):
        got = self.result(source, *steps, name=name)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12,
                                   err_msg=" : ".join(steps))

    def test_days_after_grouping(self):
        """A group is as long as its steps together, not as its stamps."""
        days = "mean time weights=days"
        mid = [days_since(2001, m + 1, 15) for m in range(12)]
        v = np.zeros(12)
        v[11] = 120
        year = self.write("year.nc", {"time": mid}, v)
        self.near(year, ["mean time by=yearseason", days], 120 * 31 / 365)
        self.near(year, ["mean time by=yearseason",
                         "sum time weights=days"], 120 * 31)
        self.near(year, ["mean time by=season", days], 40 * 90 / 365)
        self.near(year, ["mean time by=month", days], 120 * 31 / 365)
        self.near(year, ["last time by=yearseason", days],
                  120 * 31 / (28 + 31 * 3 + 30))
        v = np.arange(365) + .5
        daily = self.write("daily.nc", {"time": np.arange(365)}, v)
        self.near(daily, ["mean time by=yearmonth", days], 182.5)

    def test_days_of_a_file_of_a_climatology(self):
        """CF 7.4: from the begin in the first year to the end in the last."""
        begin = [days_since(2001, m + 1, 1) for m in range(12)]
        end = [days_since(2004, m + 2, 1) if m < 11 else days_since(2005, 1, 1)
               for m in range(12)]
        v = np.zeros(12)
        v[1] = 100
        pairs = np.stack([begin, end], axis=1)
        name = self.write("clim.nc", {"time": np.array(begin) + 14}, v,
                          {"time": pairs}, attrs={"time": "climatology"})
        self.near(name, ["mean time weights=days"],
                  100 * (3 * 28 + 29) / (3 * 365 + 366))

    def test_days_with_gaps_and_falling(self):
        """Three years of months and parts of them, picked or from a file."""
        mid = np.array([days_since(2001 + k // 12, k % 12 + 1, 15)
                        for k in range(36)])
        length = np.tile(MONTHS, 3)
        v = np.where(np.arange(36) % 12 == 6, 1., 0.)
        all36 = self.write("all.nc", {"time": mid}, v)
        days = ["mean time weights=days"]
        summer = [k for k in range(36) if k % 12 in (5, 6, 7)]
        no_may = [k for k in range(12) if k != 4]
        for picked in (summer, no_may, list(range(35, -1, -1)), [6],
                       list(range(0, 36, 6))):
            want = (v * length)[picked].sum() / length[picked].sum()
            words = ",".join(map(str, picked)) + ","[len(picked) > 1:]
            words = words.rstrip(",")
            self.near(all36, ["isel time=" + words] + days, want)
            self.near(all36, ["isel time=" + words, "sum time weights=days"],
                      (v * length)[picked].sum())
            if 1 < len(picked) and picked != list(range(0, 36, 6)):
                part = self.write("part.nc", {"time": mid[picked]}, v[picked])
                self.near(part, days, want)
        steps = np.array([0, 1, 2, 3, 30, 31, 32])
        gap = self.write("gap.nc", {"time": steps}, np.arange(7))
        self.near(gap, days, 3)
        years = self.write("years.nc", {"time": [181, 181 + 365, 181 + 1461]},
                           [0, 0, 1])
        self.near(years, days, 1 / 3)

    def test_a_step_without_a_time(self):
        self.write("m.nc", {"time": [0, 31, np.nan, 91]}, [1, 2, 3, 4])
        self.fails(2, "m.nc", ":", "mean", "time", "weights=days", "-o",
                   "o.nc", says=("m.nc", "step 2", "no time"))

    def test_days_that_are_not_known(self):
        one = self.write("one.nc", {"time": [3.]}, [5.])
        self.near(one, ["mean time weights=days"], 5)
        self.fails(2, one, ":", "sum", "time", "weights=days", "-o", "x.nc",
                   says=["time", "weights=VARIABLE"])
        same = self.write("same.nc", {"time": [3., 9.]}, [5., 6.],
                          {"time": [[0, 6], [9, 9]]})
        self.fails(2, same, ":", "mean", "time", "weights=days", "-o", "x.nc",
                   says=["same.nc", "step 1 of time", "weights=VARIABLE"])
        self.assertNotIn("x.nc", self.listing())

    def test_bounds_in_units_of_their_own(self):
        name = self.write(
            "hours.nc", {"time": [60, 84]}, [1., 3.],
            {"time": [[2, 3], [3, 6]]},
            units={"time": "hours since 2001-01-01",
                   "time_edges": "days since 2001-01-01"})
        self.near(name, ["mean time"], 96, name="time")
        self.near(name, ["mean time"], [48, 144], name="time_edges")
        with netCDF4.Dataset(self.path("o.nc")) as d:
            self.assertEqual(d["time_edges"].units, "hours since 2001-01-01")
        self.near(name, ["mean time weights=days"], 2.5)
        bad = self.write("bad.nc", {"lat": [0, 1]}, [1., 3.],
                         {"lat": [[0, .01], [.01, .02]]},
                         units={"lat_edges": "radian"})
        self.fails(5, bad, ":", "mean", "lat", "-o", "x.nc",
                   says=["bad.nc", "lat_edges", "radian"])

    def test_area_across_the_seam(self):
        lat, quarter = [-30, 30], np.array([0, 90, 180, 270])
        edges = np.stack([quarter - 45., quarter + 45.], axis=1) % 360
        v = np.zeros((2, 4))
        v[:, 0] = 10
        name = self.write("seam.nc", {"lat": lat, "lon": quarter}, v,
                          {"lon": edges})
        self.near(name, ["mean space weights=area"], 2.5)
        self.near(name, ["sel lon=-90..0"], [[-135, -45], [-45, 45]],
                  name="lon_edges")
        self.near(name, ["sel lon=-90..0", "mean lon"], [-135, 45],
                  name="lon_edges")
        self.near(name, ["sel lon=-90..0", "mean lon"], -45, name="lon")
        lon = np.arange(36) * 10.
        v = np.zeros((2, 36))
        v[:, 0] = 100
        tens = self.write("tens.nc", {"lat": lat, "lon": lon}, v)
        mean = "mean space weights=area"
        self.near(tens, ["isel lon=34,35,0,1", mean], 25)
        self.near(tens, ["sel lon=-10,0,10", mean], 100 / 3)
        self.near(tens, ["sel lon=-10,0,10"], [-10, 0, 10], name="lon")
        jump = self.write("jump.nc", {"lat": lat, "lon": [340, 350, 0, 10]},
                          v[:, [34, 35, 0, 1]])
        self.near(jump, [mean], 25)

    def test_sums_of_areas(self):
        """Square metres of what was selected; v is 1 everywhere."""
        lat, lon = np.arange(-80, 81, 20), np.arange(4) * 90
        name = self.write("l.nc", {"lat": lat, "lon": lon}, np.ones((9, 4)))
        turn, total = 2 * np.pi, "sum space weights=area"
        self.near(name, [total], turn * strip(-90, 90))
        self.near(name, ["sel lat=60..60", total], turn * strip(50, 70))
        self.near(name, ["sel lat=60..80", "sel lon=90..90", total],
                  turn / 4 * strip(50, 90))
        self.near(name, ["sel lat=0,20,80", total],
                  turn * (strip(-10, 30) + strip(70, 90)))
        along = "sum lat weights=area"
        self.near(name, ["sel lon=90", along], turn / 4 * strip(-90, 90))
        self.near(name, ["mean lon", along], turn * strip(-90, 90))
        self.near(name, ["isel lon=1,3", "mean lon", "isel lat=::-2", along],
                  turn / 2 * (2 * strip(70, 90) + 2 * strip(30, 50)
                              + strip(-10, 10)))
        lat, lon = [60], [0, 90, 180, 270]
        row = self.write("row.nc", {"lat": lat, "lon": lon}, [[1, 2, 3, 6]])
        self.near(row, ["mean space weights=area"], 3)
        self.fails(2, row, ":", "sum", "space", "weights=area", "-o", "x.nc",
                   says=["v: ", "lat", "weights=VARIABLE"])
        zonal = self.write("zonal.nc", {"lat": [-45, 45]}, [1., 3.])
        self.near(zonal, ["mean lat weights=area"], 2)
        self.fails(2, zonal, ":", "sum", "lat", "weights=area", "-o", "x.nc",
                   says=["longitude", "weights=VARIABLE"])


if __name__ == "__main__":
    clitest.main()
