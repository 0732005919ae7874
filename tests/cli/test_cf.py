# SPDX-License-Identifier: BSD-3-Clause
"""What files mean after a reduction, by the CF conventions, and that the
programs which people use read them: ncdump, CDO, NCO, xarray."""
import shutil
import subprocess

import clitest
from clitest import netCDF4, np, read

clitest.need_netcdf()

FORMATS = ("nc4", "nc4c", "nc3", "nc64", "nc5")
MONTHS, NY, NX = 36, 5, 6


def write_model(path):
    """Three years of months on a rotated grid, as a climate model has it."""
    rng = np.random.default_rng(4)
    with netCDF4.Dataset(path, "w") as d:
        for name, size in (("time", None), ("rlat", NY), ("rlon", NX),
                           ("bnds", 2), ("nv", 4)):
            d.createDimension(name, size)
        d.Conventions, d.title = "CF-1.8", "a model"
        d.history = "2001-01-01 made"
        edges = np.arange(MONTHS + 1) * 30.
        t = d.createVariable("time", "f8", ("time",))
        t.units, t.calendar = "days since 1990-01-01", "360_day"
        t.standard_name, t.bounds = "time", "time_bnds"
        t[:] = edges[:-1] + 15
        d.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = \
            np.stack([edges[:-1], edges[1:]], 1)
        for name, what, n in (("rlat", "grid_latitude", NY),
                              ("rlon", "grid_longitude", NX)):
            v = d.createVariable(name, "f8", (name,))
            v.standard_name, v.units = what, "degrees"
            v[:] = np.arange(n) * .5
        for name, units in (("lat", "degrees_north"), ("lon", "degrees_east")):
            v = d.createVariable(name, "f8", ("rlat", "rlon"))
            v.units, v.bounds = units, name + "_vertices"
            v[:] = rng.uniform(40, 50, (NY, NX))
            d.createVariable(name + "_vertices", "f8",
                             ("rlat", "rlon", "nv"))[:] = 45
        m = d.createVariable("rotated_pole", "S1", ())
        m.grid_mapping_name = "rotated_latitude_longitude"
        m.grid_north_pole_latitude = 37.5
        h = d.createVariable("height", "f8", ())
        h.standard_name, h.units, h.positive = "height", "m", "up"
        h[...] = 2
        lead = d.createVariable("lead", "f8", ("time",))
        lead.standard_name, lead.units = "forecast_period", "days"
        lead[:] = edges[:-1]
        area = d.createVariable("areacella", "f8", ("rlat", "rlon"))
        area.standard_name, area.units = "cell_area", "m2"
        area[:] = rng.uniform(1, 2, (NY, NX))
        for name, units, kind in (("tas", "K", "f4"), ("pr", "mm", "i2")):
            v = d.createVariable(name, kind, ("time", "rlat", "rlon"),
                                 fill_value=-1, zlib=True,
                                 chunksizes=(7, NY, NX))
            v.units, v.grid_mapping = units, "rotated_pole"
            v.coordinates = "lat lon height lead"
            v.cell_measures, v.cell_methods = "area: areacella", "time: mean"
            x = rng.integers(200, 300, (MONTHS, NY, NX)).astype("f8")
            if kind == "i2":
                v.scale_factor = 0.1
                x *= .1
            v[:] = np.ma.array(x, mask=rng.random(x.shape) < .2)
    return path


class TestCase(clitest.TestCase):
    def setUp(self):
        super().setUp()
        write_model(self.path("in.nc"))

    def attrs(self, name, var=None):
        with netCDF4.Dataset(self.path(name)) as d:
            v = d[var] if var else d
            return {k: v.getncattr(k) for k in v.ncattrs()}

    def has(self, name):
        with netCDF4.Dataset(self.path(name)) as d:
            return set(d.variables)


class Meaning(TestCase):
    def reduced(self, *words):
        self.ok("in.nc", ":", *words, "-O", "-q", "-o", "out.nc")
        return self.attrs("out.nc", "tas")

    def test_mean_over_time(self):
        tas = self.reduced("mean", "time")
        self.assertEqual(tas["cell_methods"], "time: mean time: mean")
        self.assertEqual(tas["coordinates"], "lat lon height")
        self.assertEqual(tas["grid_mapping"], "rotated_pole")
        self.assertEqual(tas["cell_measures"], "area: areacella")
        self.assertEqual(tas["units"], "K")
        self.assertNotIn("scale_factor", self.attrs("out.nc", "pr"))
        self.assertEqual(self.attrs("out.nc", "time")["bounds"], "time_bnds")
        self.assertEqual(read(self.path("out.nc"), "time_bnds").tolist(),
                         [[0, MONTHS * 30]])
        self.assertEqual(read(self.path("out.nc"), "time"), MONTHS * 15)
        self.assertGreaterEqual(self.has("out.nc"), {
            "rotated_pole", "lat_vertices", "lon_vertices", "areacella",
            "height", "rlat", "rlon", "lat", "lon"})
        for name in ("lat", "lat_vertices", "areacella", "height"):
            np.testing.assert_array_equal(read(self.path("out.nc"), name),
                                          read(self.path("in.nc"), name))

    def test_climatology(self):
        tas = self.reduced("mean", "time", "by=month")
        self.assertTrue(tas["cell_methods"].endswith(
            "time: mean within years time: mean over years"), tas)
        time = self.attrs("out.nc", "time")
        self.assertNotIn("bounds", time)
        bounds = read(self.path("out.nc"), time["climatology"])
        np.testing.assert_array_equal(bounds, [
            [30 * m, 30 * (m + 1) + 720] for m in range(12)])
        self.assertNotIn("time_bnds", self.has("out.nc") -
                         {time["climatology"]})

    def test_years_are_cells(self):
        tas = self.reduced("max", "time", "by=year")
        self.assertTrue(tas["cell_methods"].endswith("time: maximum"), tas)
        time = self.attrs("out.nc", "time")
        self.assertNotIn("climatology", time)
        np.testing.assert_array_equal(
            read(self.path("out.nc"), time["bounds"]),
            [[360 * y, 360 * (y + 1)] for y in range(3)])

    def test_space(self):
        tas = self.reduced("mean", "space", "weights=area")
        self.assertTrue(tas["cell_methods"].startswith("time: mean area: mean"))
        self.assertIn("weighted", tas["cell_methods"])
        self.assertNotIn("lat lon", tas.get("coordinates", ""))
        self.assertIn("height", tas["coordinates"])
        self.assertIn("lead", self.has("out.nc"))
        self.assertFalse({"lat", "lon", "lat_vertices", "areacella"} &
                         self.has("out.nc"))
        self.assertNotIn("cell_measures", tas)
        x, w = read(self.path("in.nc"), "tas"), \
            read(self.path("in.nc"), "areacella")
        ok = ~np.isnan(x)
        want = np.nansum(x * w, axis=(1, 2)) / (ok * w).sum((1, 2))
        np.testing.assert_allclose(read(self.path("out.nc"), "tas"), want,
                                   rtol=1e-6)

    def test_units(self):
        for op, units in (("var", "K2"), ("std", "K"), ("count", "1"),
                          ("argmax", None), ("range", "K"), ("sum", "K"),
                          ("any", None)):
            tas = self.reduced(op, "time")
            if units:
                self.assertEqual(tas["units"], units, op)
            else:
                self.assertNotIn(tas.get("units"), ("K", "K2"), op)

    def test_global_attributes(self):
        self.reduced("mean", "time")
        out = self.attrs("out.nc")
        self.assertEqual((out["title"], out["Conventions"]),
                         ("a model", "CF-1.8"))
        first, rest = out["history"].split("\n", 1)
        self.assertRegex(first, r"^\d{4}-\d\d-\d\dT[\d:]+Z ncgraph \S+: "
                         "ncgraph in.nc : mean time")
        self.assertEqual(rest, "2001-01-01 made")

    def test_missing_in_every_form(self):
        """_FillValue, missing_value (several), NaN, valid_range, valid_min,
        packed ones, unsigned bytes: left out of the mean."""
        with netCDF4.Dataset(self.path("in.nc"), "w") as d:
            d.createDimension("x", 4)
            d.set_auto_mask(False)

            def put(name, kind, values, fill=False, **attrs):
                v = d.createVariable(name, kind, ("x",), fill_value=fill)
                v.set_auto_maskandscale(False)
                v.setncatts(attrs)
                v[:] = np.array(values).astype(kind)
            put("fill", "f4", [1, 3, -9, 5], -9)
            put("several", "f4", [1, -7, 3, -8],
                missing_value=np.array([-7, -8], "f4"))
            put("nan", "f8", [1, np.nan, 3, np.nan])
            put("both", "f8", [1, -9, 3, np.nan], -9.)
            put("range", "f4", [1, 99, 3, -99],
                valid_range=np.array([0, 10], "f4"))
            put("wide", "f4", [-1.8, 99, -1.8, 99], valid_min=-1.8,
                valid_max=10.)
            put("packed", "i2", [10, -1, 30, 400], -1, scale_factor=.1,
                valid_max=np.int16(300))
            put("unsigned", "i1", [1, -1, 3, -1], np.int8(-1),
                _Unsigned="true")
        self.ok("in.nc", ":", "mean", "x", "-O", "-q", "-o", "out.nc")
        want = {"fill": 3, "wide": np.float32(-1.8)}
        for name in ("fill", "several", "nan", "both", "range", "wide",
                     "packed", "unsigned"):
            np.testing.assert_allclose(read(self.path("out.nc"), name),
                                       want.get(name, 2), rtol=1e-7,
                                       err_msg=name)


class Readers(TestCase):
    """Each format, after a mean, a climatology and a mean over the area."""

    STEPS = (["mean", "time"], ["mean", "time", "by=month"],
             ["std", "space"])

    def outputs(self):
        for k, step in enumerate(self.STEPS):
            for form in FORMATS:
                name = "%s_%d.nc" % (form, k)
                self.ok("in.nc", ":", *step, "-f", form, "-q", "-o", name)
                yield name, read(self.path(name), "tas")

    def run_program(self, *words):
        if not shutil.which(words[0]):
            self.not_run(words[0] + " is not installed")
        p = subprocess.run(words, cwd=self.dir, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        self.assertEqual(p.returncode, 0, "%s: %s" % (words, p.stderr))
        return p.stdout.decode()

    def same(self, name, want):
        np.testing.assert_array_equal(np.squeeze(read(self.path(name), "tas")),
                                      np.squeeze(want), name)

    def test_ncdump(self):
        for name, _ in self.outputs():
            text = self.run_program("ncdump", "-h", name)
            self.assertIn("tas:cell_methods", text)
            self.assertIn("rotated_pole:grid_mapping_name", text)

    def test_cdo(self):
        for name, want in self.outputs():
            self.run_program("cdo", "-s", "-O", "-b", "F64", "selname,tas",
                             name, "c.nc")
            self.same("c.nc", want)

    def test_nco(self):
        for name, want in self.outputs():
            self.run_program("ncks", "-O", "-v", "tas", name, "n.nc")
            self.same("n.nc", want)

    def test_xarray(self):
        try:
            import xarray
        except ImportError:
            self.not_run("this Python has no xarray")
        for name, want in self.outputs():
            with xarray.open_dataset(self.path(name)) as d:
                np.testing.assert_array_equal(d["tas"].values, want, name)
                self.assertEqual(d["height"].values, 2)


if __name__ == "__main__":
    clitest.main()
