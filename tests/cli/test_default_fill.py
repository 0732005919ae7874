# SPDX-License-Identifier: BSD-3-Clause
"""NetCDF's default fill: missing where a file states no other value, said once
a variable with the count, which is that of NumPy for every storage form and
operation, any -j and any --mem."""
import json
import shlex

import clitest
from clitest import np, netCDF4

SHAPE = (24, 40, 60)
FORMS = {
    "chunked": dict(chunksizes=(1, 40, 60)),
    "tiled": dict(chunksizes=(7, 13, 17), zlib=True, shuffle=True),
    "deflate": dict(chunksizes=(4, 40, 60), zlib=True, shuffle=True),
    "swapped": dict(chunksizes=(4, 40, 60), zlib=True, endian="big"),
    "contiguous": dict(contiguous=True),
}
STEPS = ["mean time", "sum time lat lon", "std time", "max time", "min time",
         "range time", "count time", "mean lon", "mean lat lon weights=area",
         "mean time by=month", "std lon", "first time", "last lat",
         "argmax time", "median time", "quantile time q=0.1,0.9", "var all ddof=1", "anom time by=season",
         "anom time : std time", "sel lat=-90..90 : mean time"]


def default_of(dtype):
    return netCDF4.default_fillvals[np.dtype(dtype).str[1:]]


def write(path, dtype="f4", fmt="NETCDF4", share=0.05, attrs=None, names="v",
          written=None, seed=3, **storage):
    """Variables without _FillValue, `share` of whose values are the default;
    returns how many are."""
    rng = np.random.default_rng(seed)
    count = 0
    with netCDF4.Dataset(path, "w", format=fmt) as d:
        d.set_auto_maskandscale(False)
        for name, n in zip(("time", "lat", "lon"), SHAPE):
            unlimited = name == "time" and not storage.get("contiguous")
            d.createDimension(name, None if unlimited else n)
        t = d.createVariable("time", "f8", ("time",))
        t.units, t.axis = "days since 2000-01-01", "T"
        t[:] = np.arange(SHAPE[0]) * 15.
        for name, n in (("lat", SHAPE[1]), ("lon", SHAPE[2])):
            c = d.createVariable(name, "f8", (name,))
            c.units = "degrees_north" if name == "lat" else "degrees_east"
            c[:] = (np.arange(n) + 0.5) * 180 / n - (90 if name == "lat" else 0)
        for name in names.split():
            v = d.createVariable(name, dtype, ("time", "lat", "lon"), **storage)
            v.setncatts(attrs or {})
            d.set_auto_maskandscale(False)
            data = rng.integers(1, 100, SHAPE).astype(dtype)
            bad = rng.random(SHAPE) < share
            data[bad] = default_of(dtype)
            if written is None:
                v[:] = data
                count += int(bad.sum())
            else:  # storage chunks that no one writes are all default
                v[:written] = data[:written]
                count += int(bad[:written].sum() + bad[written:].size)
    return count


def words_of(step):
    return [":"] + shlex.split(step)


class DefaultFill(clitest.TestCase):
    def count(self, path, *steps, options=()):
        """What --stats says, and the notes."""
        stats = self.path("stats.json")
        r = self.ok(path, *steps, "-o", self.path("out.nc"), "-O", "--stats",
                    stats, *options)
        with open(stats) as f:
            counted = json.load(f)["default_fills"]
        return counted, [line for line in r.lines() if "default fill" in line]

    def says(self, path, expected, *steps, options=(), name="v"):
        counted, notes = self.count(path, *steps, options=options)
        told = "%s %s %s" % (path, steps, options)
        self.assertEqual(counted, expected, told)
        self.assertEqual(len(notes), 1 if expected else 0, told)
        if expected:
            self.assertEqual(
                notes[0], "ncgraph: note: %s: %s values equal NetCDF's default "
                "fill and were taken as missing; --no-default-fill keeps them"
                % (name, format(expected, ",")), told)

    def test_every_storage_form(self):
        dtypes = ("f4", "f8", "i2", "i4", "i8", "u2")
        for i, (form, storage) in enumerate(FORMS.items()):
            for dtype in {"f4", "i4", dtypes[i + 1]}:
                path = self.path("%s_%s.nc" % (form, dtype))
                expected = write(path, dtype, **storage)
                self.says(path, expected, ":", "mean", "time")
                if dtype != "f4":
                    self.says(path, expected)  # as it is, to another file

    def test_classic_formats(self):
        for fmt, dtypes in (("NETCDF3_CLASSIC", ("f4", "f8", "i2", "i4")),
                            ("NETCDF3_64BIT_OFFSET", ("f4", "i2")),
                            ("NETCDF3_64BIT_DATA", ("f4", "u2", "i8"))):
            for dtype in dtypes:
                path = self.path("%s_%s.nc" % (fmt, dtype))
                expected = write(path, dtype, fmt=fmt)
                self.says(path, expected, ":", "std", "time")

    def test_every_operation(self):
        for form, dtype in (("deflate", "f4"), ("tiled", "i2")):
            path = self.path("%s_%s.nc" % (form, dtype))
            expected = write(path, dtype, **FORMS[form])
            for step in STEPS if dtype == "f4" else STEPS[::3]:
                self.says(path, expected, *words_of(step))

    def test_only_what_is_read_counts(self):
        path = self.path("a.nc")
        write(path, **FORMS["deflate"])
        with netCDF4.Dataset(path) as d:
            d.set_auto_mask(False)
            values = d["v"][:]
        expected = int((values[3:9, :, ::2] == np.float32(default_of("f4")))
                       .sum())
        self.says(path, expected, ":", "isel", "time=3:9", "lon=::2", ":",
                  "mean", "time")

    def test_packed(self):
        path = self.path("a.nc")
        packing = {"scale_factor": np.float32(0.01), "add_offset":
                   np.float32(10)}
        for form in ("deflate", "contiguous"):
            expected = write(path, "i2", attrs=packing, **FORMS[form])
            for step in STEPS[:12:2]:
                self.says(path, expected, *words_of(step))

    def test_chunks_never_written(self):
        path = self.path("a.nc")
        expected = write(path, written=10, **FORMS["chunked"])
        with netCDF4.Dataset(path, "a") as d:
            # makes the record dimension as long as it is in the other tests
            d["time"][SHAPE[0] - 1] = 400.
        for step in ("mean time", "std time", "mean lon", "count time"):
            self.says(path, expected, *words_of(step))

    def test_threads_and_memory_do_not_matter(self):
        path = self.path("a.nc")
        expected = write(path, "f4", **FORMS["tiled"])
        for step in ("mean time", "anom time : std time", "median time"):
            for options in (["-j", "1"], ["-j", "4"],
                            ["-j", "2", "--mem", "6M"]):
                self.says(path, expected, *words_of(step), options=options)

    def test_one_note_a_variable(self):
        path = self.path("a.nc")
        with_both = write(path, names="v w", **FORMS["deflate"])
        counted, notes = self.count(path, ":", "mean", "time")
        self.assertEqual(counted, with_both)
        self.assertEqual(sorted(n.split(":")[2].strip() for n in notes),
                         ["v", "w"])

    def test_many_files_are_one_variable(self):
        expected = 0
        for i in range(3):
            path = self.path("a%d.nc" % i)
            expected += write(path, seed=i, **FORMS["deflate"])
            with netCDF4.Dataset(path, "a") as d:
                d["time"][:] = d["time"][:] + 1000 * i
        self.says(self.path("a*.nc"), expected, ":", "mean", "time")

    def test_nothing_to_say(self):
        """Stated, out of the valid range, asked to keep, of one byte, none."""
        path = self.path("a.nc")
        steps = (":", "mean", "time")
        fill = np.float32(default_of("f4"))
        for how in (dict(fill_value=fill), dict(attrs={"missing_value": fill}),
                    dict(attrs={"valid_max": np.float32(1000)}),
                    dict(share=0)):
            write(path, **how)
            self.says(path, 0, *steps)
        write(path)
        self.says(path, 0, *steps, options=["--no-default-fill"])
        write(path, "i1")
        self.says(path, 0, *steps)

    def test_printed_results(self):
        path = self.path("a.nc")
        expected = write(path)
        r = self.ok(path, ":", "mean", "all", "-o", "-")
        self.assertIn(format(expected, ","), r.err)
        self.assertNotIn("default", r.out)

    def test_one_value(self):
        path = self.path("a.nc")
        write(path, share=0)
        with netCDF4.Dataset(path, "a") as d:
            d.set_auto_mask(False)
            d["v"][1, 2, 3] = default_of("f4")
        counted, notes = self.count(path, ":", "mean", "time")
        self.assertEqual(counted, 1)
        self.assertIn("v: 1 value equals NetCDF's default fill and was taken "
                      "as missing; --no-default-fill keeps it", notes[0])

    def test_quiet_and_strict(self):
        path = self.path("a.nc")
        write(path)
        r = self.ok(path, ":", "mean", "time", "-o", self.path("q.nc"), "-q")
        self.assertEqual(r.err, "")
        self.fails(5, path, ":", "mean", "lon", "-o", self.path("s.nc"),
                   "--strict", says=["default fill", "--strict"])
        self.leaves("a.nc", "q.nc")


if __name__ == "__main__":
    clitest.need_netcdf()
    clitest.main()
