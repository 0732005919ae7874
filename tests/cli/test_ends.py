# SPDX-License-Identifier: BSD-3-Clause
"""Values at the ends: of a dtype, beside a fill value, of a circle of latitude,
and of what only one of several files can give."""
import json

import clitest
from clitest import netCDF4, np

clitest.need_netcdf()
DAYS = {"units": "days since 2000-01-01"}


class Ends(clitest.TestCase):
    def write(self, name, **variables):
        """name=(dtype, dims, values, attributes)"""
        with netCDF4.Dataset(self.path(name), "w") as d:
            for key, (dtype, dims, values, attrs) in variables.items():
                for dim, n in zip(dims, np.shape(values)):
                    if dim not in d.dimensions:
                        d.createDimension(dim, n)
                fill = attrs.pop("fill", None)
                v = d.createVariable(key, dtype, dims, fill_value=fill)
                v.set_auto_maskandscale(False)
                v.setncatts(attrs)
                v[...] = values

    def stored(self, name, *variables):
        with netCDF4.Dataset(self.path(name)) as d:
            return [d[v][:] for v in variables]

    def write_ends(self):
        self.write("ends.nc", time=("f8", ("time",), [0, 1, 40], dict(DAYS)),
                   u=("u1", ("time",), [255, 254, 7], {}),
                   i=("i1", ("time",), [-127, -128, 7], {}),
                   s=("u2", ("time",), [65534, 3, 7], {}))

    def test_picked_values_have_room_for_missing_ones(self):
        self.write_ends()
        for verb, want in (("max", [255, -127, 65534]), ("min", [254, -128, 3]),
                           ("first", [255, -127, 65534])):
            self.ok("ends.nc", ":", verb, "time", "by=month", "min_count=2",
                    "-O", "-o", "o.nc")
            for x, value in zip(self.stored("o.nc", "u", "i", "s"), want):
                self.assertEqual(x.tolist(), [value, None])
        # Where none can be missing they keep their dtype.
        self.ok("ends.nc", ":", "max", "time", "-O", "-o", "o.nc")
        u, i = self.stored("o.nc", "u", "i")
        self.assertEqual((u.dtype, i.dtype), ("u1", "i1"))

    def test_the_dtype_of_the_input_may_be_too_small(self):
        self.write("in.nc", time=("f8", ("time",), [0, 1, 2], dict(DAYS)),
                   u=("u1", ("time",), [200, 201, 255], {}),
                   s=("i2", ("time",), [32000, -32000, -32000], {}),
                   b=("u1", ("time",), [255, 255, 255], {"fill": 0}))
        self.ok("in.nc", ":", "anom", "--dtype", "in", "-o", "o.nc")
        u, s, b = self.stored("o.nc", "u", "s", "b")
        self.assertEqual(u.tolist(), [-19, -18, 36])
        self.assertEqual(s.tolist(), [None, -21333, -21333])
        self.assertEqual(b.tolist(), [0, 0, 0])
        self.ok("in.nc", ":", "mean", "time", "--dtype", "in", "-O", "-o",
                "o.nc")
        b, s = self.stored("o.nc", "b", "s")
        self.assertEqual(b.tolist(), [255])
        self.assertEqual((s.dtype, s.tolist()), ("i2", [-10667]))

    def test_half_a_step_beyond_the_range(self):
        self.write("h.nc", x=("i4", ("x",), [0, 1, 2, 3], {}),
                   s=("i2", ("y", "x"),
                      [[32767, 32767, -32768, -32768],
                       [32766, 32767, -32767, -32768]], {"fill": 99}))
        self.ok("h.nc", ":", "mean", "y", "--dtype", "in", "-o", "o.nc")
        s, = self.stored("o.nc", "s")
        self.assertEqual(s.tolist(), [32766, 32767, -32768, -32768])

    def test_results_do_not_meet_the_fill_value(self):
        self.write("f.nc", v=("f4", ("x",), [5000, 4999], {"fill": 9999.}))
        self.ok("f.nc", ":", "sum", "x", "-o", "o.nc")
        self.assertEqual(float(self.stored("o.nc", "v")[0]), 9999)
        self.ok("f.nc", ":", "max", "x", "-o", "m.nc")
        with netCDF4.Dataset(self.path("m.nc")) as d:
            self.assertEqual(d["v"]._FillValue, 9999)

    def test_both_ends_of_a_circle_stay(self):
        lon = {"units": "degrees_east", "standard_name": "longitude"}
        self.write("c.nc", lon=("f4", ("lon",), [-180, -90, 0, 90, 180], lon),
                   v=("f4", ("lon",), [1, 2, 3, 4, 5], {}))
        for words, want in ((["sel", "lon=-180..180"], [1, 2, 3, 4, 5]),
                            (["sel", "lon=-90..90"], [2, 3, 4]),
                            (["sel", "lon=90..200"], [4, 1, 5])):
            r = self.ok("c.nc", ":", *words, "-o", "-", "--json")
            self.assertEqual(json.loads(r.out)["v"], want)

    def test_data_without_the_joined_dimension(self):
        for name, t, v in (("a.nc", 0., [0, 10]), ("b.nc", 1., [0, 11]),
                           ("same.nc", 2., [0, 10])):
            self.write(name, time=("f8", ("time",), [t], dict(DAYS)),
                       v=("f4", ("x",), v, {}),
                       w=("f4", ("time", "x"), [[1, 2]], {}))
        r = self.ok("a.nc", "b.nc", "-o", "-", "--json")
        self.assertEqual(json.loads(r.out)["v"], [0, 10])
        self.assertIn("v differs at position 1: 10 and 11; it has no dimension "
                      "time: the first file's values are used", r.err)
        self.fails(5, "a.nc", "b.nc", "--strict", "-o", "o.nc", says="v differs")
        self.assertNotIn("differs",
                         self.ok("a.nc", "same.nc", "-o", "-", "--json").err)

    def test_the_fill_value_of_one_file_is_data_in_another(self):
        for name, t, fill, x in (("a.nc", 0., -9999., [1, -9999]),
                                 ("b.nc", 1., 1e20, [-9999, 1e20])):
            self.write(name, time=("f8", ("time",), [t], dict(DAYS)),
                       x=("f4", ("time", "x"), [x], {"fill": fill}))
        self.ok("a.nc", "b.nc", "-o", "o.nc")
        x, = self.stored("o.nc", "x")
        self.assertEqual(x.tolist(), [[1, None], [-9999, None]])

    def test_what_is_not_wanted_need_not_be_readable(self):
        for name, t in (("a.nc", 0.), ("b.nc", 1.)):
            with netCDF4.Dataset(self.path(name), "w") as d:
                d.createDimension("time", 1)
                d.createDimension("x", 5000)
                time = d.createVariable("time", "f8", ("time",))
                time.units, time[:] = DAYS["units"], t
                d.createVariable("v", "f4", ("time",))[:] = t
                mask = d.createVariable("mask", "i4", ("x",), zlib=True)
                mask[:] = np.arange(5000) * 7919 % 5003
        with open(self.path("b.nc"), "r+b") as f:
            data = f.read()
            at = data.index(b"\x78\x5e", 512) if b"\x78\x5e" in data[512:] \
                else data.index(b"\x78\x9c", 512)
            f.seek(at + 2)
            f.write(b"\xff" * 64)
        self.fails(3, "b.nc", "-o", "o.nc", says="mask")
        r = self.ok("a.nc", "b.nc", ":", "sel", "var=v", "-o", "-", "--json")
        self.assertEqual(json.loads(r.out)["v"], [0, 1])


if __name__ == "__main__":
    clitest.main()
