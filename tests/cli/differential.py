# SPDX-License-Identifier: BSD-3-Clause
"""Every verb, every by=, every weights= against NumPy in double precision, on
generated files of many kinds and on real ones, and against CDO where it is.

One run of the command reduces all variables of a case, each stored and
marked missing in another way."""
import glob
import os
import shutil
import subprocess
import warnings

import clitest
from clitest import netCDF4, np, read

clitest.need_netcdf()
import reference

warnings.filterwarnings("ignore")
LAT, LON, LEV = np.linspace(-80, 80, 9), np.arange(8) * 45., [850., 500.]


def times(d, t, bounds, units, calendar):
    d.createDimension("time", None)
    d.createDimension("nv", 2)
    v = d.createVariable("time", "f8", ("time",))
    v.units, v.calendar, v.standard_name = units, calendar, "time"
    v.bounds = "time_bnds"
    v[:] = t
    d.createVariable("time_bnds", "f8", ("time", "nv"))[:] = bounds


def coordinates(d):
    for name, values, units in (("lat", LAT, "degrees_north"),
                                ("lon", LON, "degrees_east"),
                                ("lev", LEV, "hPa")):
        d.createDimension(name, len(values))
        v = d.createVariable(name, "f8", (name,))
        v.units = units
        v[:] = values
    d["lev"].positive = "down"


class Case:
    """A data set in three files, and the same data in memory."""

    def __init__(self, folder, fmt="NETCDF4", units="days since 1999-11-03",
                 calendar="standard", step=7., nt=150, seed=0, chunks=(7, 4, 5),
                 missing=0.15):
        rng = np.random.default_rng(seed)
        self.fmt, self.units, self.calendar = fmt, units, calendar
        self.chunks, self.missing, self.rng = chunks, missing, rng
        self.t = np.cumsum(rng.choice([step, step * 2], nt)) - 0.25 * step
        self.bounds = np.stack([self.t - step / 2,
                                self.t + step * rng.uniform(.5, 1, nt)], 1)
        shape = (nt, len(LAT), len(LON))
        self.dims = {"f": ("time", "lat", "lon"), "p": ("time", "lat", "lon"),
                     "i": ("time", "lat", "lon"), "b": ("time", "lat", "lon"),
                     "d": ("time", "lev", "lat", "lon"), "s": ("lat", "lon")}
        self.data = {
            "f": self.holes(rng.normal(280, 9, shape).astype("f4")),
            "p": self.holes(np.round(rng.normal(270, 5, shape), 1)),
            "i": self.holes(rng.integers(-9, 10, shape) * 1.),
            "b": rng.integers(0, 2, shape) * 1.,
            "d": self.holes(rng.normal(0, 1e-3, (nt, 2) + shape[1:])),
            "s": rng.uniform(0, 1, shape[1:]),
        }
        self.cuts = [0, nt // 3, nt // 2, nt]
        self.paths = [os.path.join(folder, "part_%d.nc" % k) for k in range(3)]
        for k, path in enumerate(self.paths):
            self.write(path, k, slice(self.cuts[k], self.cuts[k + 1]))

    def holes(self, x):
        x = x.astype("f8")
        x[self.rng.random(x.shape) < self.missing] = np.nan
        x[:, ..., 2, 3] = np.nan          # a point that is always missing
        return x

    def variable(self, d, name, dtype, **how):
        dims = self.dims[name]
        if self.fmt == "NETCDF4":
            how.update(zlib=True, shuffle=True, complevel=1)
            if len(dims) == 3:
                how["chunksizes"] = self.chunks
        return d.createVariable(name, dtype, dims, **how)

    def write(self, path, k, part):
        with netCDF4.Dataset(path, "w", format=self.fmt) as d:
            times(d, self.t[part], self.bounds[part], self.units, self.calendar)
            coordinates(d)
            cut = {n: x[part] if n != "s" else x for n, x in self.data.items()}
            v = self.variable(d, "f", "f4")        # NetCDF's default fill
            v[:] = np.ma.masked_invalid(cut["f"])
            v = self.variable(d, "d", "f8", fill_value=False)
            v[:] = cut["d"]                        # NaN
            v = self.variable(d, "i", "i4", fill_value=False)
            v.missing_value = np.int32(-999)
            v.set_auto_mask(False)
            v[:] = np.nan_to_num(cut["i"], nan=-999).astype("i4")
            v = self.variable(d, "b", "i1", fill_value=False)
            v[:] = cut["b"].astype("i1")
            v = self.variable(d, "p", "i2", fill_value=np.int16(-32768))
            v.scale_factor, v.add_offset = 0.1 / (k + 1), 250. + 10 * k
            v[:] = np.ma.masked_invalid(cut["p"])
            v = self.variable(d, "s", "f8", fill_value=False)
            v[:] = cut["s"]

    def expanded(self, weights, name):
        """Weights in the shape of a variable."""
        dims, shape = self.dims[name], self.data[name].shape
        w = {"area": lambda: (reference.area(LAT, LON), ("lat", "lon")),
             "coslat": lambda: (np.cos(np.radians(LAT)), ("lat",)),
             "days": lambda: (np.diff(self.bounds, axis=1)[:, 0], ("time",)),
             "s": lambda: (self.data["s"], ("lat", "lon"))}[weights]()
        index = tuple(slice(None) if d in w[1] else None for d in dims)
        return np.broadcast_to(w[0][index], shape)


TOLERANCE = {"f4": 3e-7, "f8": 1e-11}
ROLES = {"all": ("time", "lev", "lat", "lon"), "space": ("lat", "lon")}


def close(got, want, dtype, scale):
    """Equal shapes but for dimensions of size 1, equal missing points."""
    got, want = np.squeeze(got), np.squeeze(want)
    if got.shape != want.shape:
        return "shape %s, not %s" % (got.shape, want.shape)
    if not np.array_equal(np.isnan(got), np.isnan(want)):
        return "%d missing, not %d" % (np.isnan(got).sum(),
                                       np.isnan(want).sum())
    limit = TOLERANCE.get(dtype.str[1:], 0) * np.maximum(np.abs(want), scale)
    wrong = ~np.isnan(want) & ~(np.abs(got - want) <= limit)
    if wrong.any():
        return "%s, not %s (%d of %d)" % (got[wrong].flat[0],
                                          want[wrong].flat[0], wrong.sum(),
                                          wrong.size)
    return None


class Differential(clitest.TestCase):
    def compare(self, case, op, dims, names, by=None, weights=None, **how):
        words = [op, *dims] + ["%s=%s" % (k, v) for k, v in (
            ("by", by), ("weights", weights), *how.items()) if v is not None]
        self.ok(*case.paths, "-V", ",".join(names), ":", *words, "-O", "-q",
                "-o", "out.nc")
        axes_of = [d for word in dims for d in ROLES.get(word, (word,))]
        with netCDF4.Dataset(self.path("out.nc")) as d:
            types = {n: d[n].dtype for n in names}
        if "skipna" in how:
            how["skipna"] = how["skipna"] == "yes"
        if "q" in how:
            how["q"] = [float(q) for q in how["q"].split(",")]
            if len(how["q"]) == 1:
                how["q"] = how["q"][0]
        for name in names:
            own = case.dims[name]
            axes = [own.index(d) for d in own if d in axes_of]
            if not axes:
                continue
            x = case.data[name]
            w = None if weights is None else case.expanded(weights, name)
            if by and "time" in own:
                labels = reference.keys(by, case.t, case.units, case.calendar)
                want = reference.reduce_by(op, x, axes, own.index("time"),
                                           labels, weights=w, **how)
            else:
                want = reference.reduce(op, x, axes, weights=w, **how)
            scale = np.nanmax(np.abs(x)) if op in (
                "std", "var", "range", "mean") else 0
            if op == "var":
                scale = scale ** 2
            if op == "sum":
                scale = np.nansum(np.abs(x if w is None else x * w))
            if types[name] == np.dtype("f4") or name == "p":
                scale = max(scale, 0) * 1.
            with self.subTest(words=" ".join(words), variable=name):
                wrong = close(read(self.path("out.nc"), name), want,
                              types[name], scale)
                self.assertIsNone(wrong)

    def test_every_operation(self):
        case = Case(self.dir)
        for op in reference.OPS:
            for dims in (["time"], ["lon"], ["lat", "lon"], ["time", "lev"],
                         ["all"]):
                names = list("fpibds")
                self.compare(case, op, dims, names)
            if op != "count":
                self.compare(case, op, ["time"], list("fpid"), skipna="no")
                self.compare(case, op, ["space"], list("fpid"), skipna="no")
            self.compare(case, op, ["time"], list("fpid"), min_count=128)
        for op in ("std", "var"):
            self.compare(case, op, ["time"], list("fpid"), ddof=1)

    def test_every_group(self):
        case = Case(self.dir, units="hours since 1999-11-03 06:00", step=31.)
        for op in reference.OPS:
            for by in reference.BY:
                self.compare(case, op, ["time"], list("fpid"), by=by)
        self.compare(case, "mean", ["time", "lat"], list("fd"), by="season")
        self.compare(case, "std", ["time"], list("fd"), by="year", ddof=1)
        self.compare(case, "mean", ["time"], list("fd"), by="month",
                     skipna="no")
        self.compare(case, "max", ["time"], list("fd"), by="year",
                     min_count=30)

    def test_quantiles(self):
        case = Case(self.dir)
        for dims in (["time"], ["lon"], ["lat", "lon"], ["time", "lev"],
                     ["time", "lon"], ["all"]):
            self.compare(case, "median", dims, list("fpibds"))
            self.compare(case, "quantile", dims, list("fpid"), q="0.1,0.5,1")
        self.compare(case, "median", ["time"], list("fpid"), skipna="no")
        for method in ("linear lower higher nearest midpoint hazen weibull "
                       "median_unbiased normal_unbiased inverted_cdf "
                       "averaged_inverted_cdf closest_observation "
                       "interpolated_inverted_cdf").split():
            self.compare(case, "quantile", ["time"], list("fpid"), q="0.37",
                         method=method)
        for by in ("month", "season", "year", "dayofyear"):
            self.compare(case, "median", ["time"], list("fpid"), by=by)
            self.compare(case, "quantile", ["time", "lat"], list("fd"), by=by,
                         q="0.9")

    def test_quantile_coordinate(self):
        case = Case(self.dir)
        self.ok(*case.paths, "-V", "f", ":", "quantile", "time", "q=0.1,0.9",
                "-o", "out.nc")
        with netCDF4.Dataset(self.path("out.nc")) as d:
            self.assertEqual(d["f"].dimensions,
                             ("quantile", "time", "lat", "lon"))
            np.testing.assert_array_equal(d["quantile"][:], [0.1, 0.9])
        self.ok(*case.paths, "-V", "f", ":", "quantile", "time", "q=0.9",
                "-O", "-o", "out.nc")
        with netCDF4.Dataset(self.path("out.nc")) as d:
            self.assertEqual(d["f"].dimensions, ("time", "lat", "lon"))
            self.assertIn("quantile", d["f"].coordinates)
            self.assertEqual(float(d["quantile"][...]), 0.9)
        self.ok(*case.paths, "-V", "f", ":", "median", "time", "-O", "-o",
                "out.nc")
        with netCDF4.Dataset(self.path("out.nc")) as d:
            self.assertIn("time: median", d["f"].cell_methods)
            self.assertNotIn("quantile", d.variables)

    def test_products(self):
        case = Case(self.dir)
        for dims in (["lon"], ["lat", "lon"]):
            self.compare(case, "prod", dims, list("bds"))
        self.compare(case, "prod", ["lon"], list("ibds"))
        self.compare(case, "prod", ["lon"], list("id"), skipna="no")
        self.compare(case, "prod", ["time"], list("bd"), by="yearmonth")

    def test_by_file(self):
        case = Case(self.dir)
        self.ok(*case.paths, ":", "mean", "time", "by=file", "-o", "out.nc")
        got = read(self.path("out.nc"), "d")
        for k in range(3):
            part = case.data["d"][case.cuts[k]:case.cuts[k + 1]]
            np.testing.assert_allclose(got[k], np.nanmean(part, axis=0),
                                       rtol=1e-11, atol=1e-15)

    def test_every_weight(self):
        case = Case(self.dir)
        for op in ("mean", "sum", "std", "var"):
            for weights in ("area", "coslat", "s"):
                self.compare(case, op, ["lat", "lon"], list("fpid"),
                             weights=weights)
                self.compare(case, op, ["time", "space"], list("fd"),
                             weights=weights)
            self.compare(case, op, ["time"], list("fpid"), weights="days")
            self.compare(case, op, ["time"], list("fpid"), weights="days",
                         by="year")

    def test_anomaly(self):
        case = Case(self.dir)
        for by in (None, "month", "year", "dayofyear"):
            words = ["anom"] + (["by=" + by] if by else [])
            self.ok(*case.paths, ":", *words, "-O", "-o", "out.nc")
            labels = reference.keys(by, case.t, case.units, case.calendar) \
                if by else [0] * len(case.t)
            for name in "fpid":
                x = case.data[name]
                want = np.empty_like(x)
                for where in reference.groups(labels):
                    want[where] = x[where] - np.nanmean(x[where], axis=0)
                with self.subTest(by=by, variable=name):
                    got = read(self.path("out.nc"), name)
                    np.testing.assert_allclose(
                        got, want, rtol=0,
                        atol=1e-6 * np.nanmax(np.abs(x)))

    def test_calendars_and_formats(self):
        for i, (calendar, fmt) in enumerate((
                ("noleap", "NETCDF3_CLASSIC"),
                ("360_day", "NETCDF3_64BIT_OFFSET"),
                ("proleptic_gregorian", "NETCDF3_64BIT_DATA"),
                ("all_leap", "NETCDF4_CLASSIC"), ("julian", "NETCDF4"))):
            case = Case(self.dir, fmt=fmt, calendar=calendar, seed=i,
                        units="days since 1987-12-30", step=11.)
            for op, by in (("mean", "month"), ("sum", "season"),
                           ("max", "yearmonth"), ("std", "year"),
                           ("count", "dayofyear"), ("last", None)):
                self.compare(case, op, ["time"], list("fpid"), by=by)

    def test_no_missing_values(self):
        case = Case(self.dir, missing=0)
        for op in ("mean", "std", "argmin", "all"):
            self.compare(case, op, ["time"], list("fpib"))
            self.compare(case, op, ["lon"], list("fpib"))


class Cdo(clitest.TestCase):
    """CDO's names give CDO's numbers."""

    def test_operators(self):
        if not shutil.which("cdo"):
            self.not_run("CDO is not installed")
        folder = self.path("data")
        os.mkdir(folder)
        for i in range(3):
            clitest.write_grid(os.path.join(folder, "%d.nc" % i), nt=200,
                               start=200 * i, step=1, nlat=18, nlon=36)
        files = sorted(glob.glob(folder + "/*.nc"))
        for name in ("timmean timavg timsum timmin timmax timrange timstd "
                     "timstd1 timvar1 yearmean monmax ymonmean ymonstd "
                     "yseasmean seasmean seasstd1 daymean zonmean zonmin mermax fldmean fldmin "
                     "fldsum selyear,2000 seldate,2000-03-05,2000-04-06 "
                     "seltimestep,3/9 sellonlatbox,10,100,-40,40 fldpctl,95 "
                     "zonpctl,30").split():
            out = self.path("cdo.nc")
            subprocess.run(["cdo", "-s", "-O", "-b", "F64", name, "-cat",
                            *files, out], check=True,
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            self.ok(*files, ":", name, "-O", "-q", "-o", "out.nc")
            with self.subTest(operator=name):
                rtol = 1e-4 if name.startswith("fldmean") else 2e-6
                np.testing.assert_allclose(
                    np.squeeze(read(self.path("out.nc"), "tas")),
                    np.squeeze(read(out, "tas")), rtol=rtol)


def real_files():
    for variable, patterns in (
            ("NCG_SHARED_DATA", ["ncarg/*.nc", "xclim/*.nc", "iristest/*.nc",
                                 "h5/*.nc", "*.cdf", "xrdata/*.nc"]),
            ("NCG_REAL_DATA", ["**/*.nc", "**/*.cdf"]),
            ("NCG_FIXTURES", ["storage/*.nc", "classic/*.nc"])):
        root = os.environ.get(variable)
        for pattern in patterns if root else ():
            yield from sorted(glob.glob(os.path.join(root, pattern),
                                        recursive=True))


def reducible(path):
    """Numeric variables with a time axis that NumPy can reduce at once."""
    with netCDF4.Dataset(path) as d:
        for name, v in d.variables.items():
            if (v.ndim > 1 and v.dimensions[0] in d.variables and
                    getattr(v.dtype, "kind", "") in ("i", "f") and
                    "since" in getattr(d[v.dimensions[0]], "units", "") and
                    name not in d.dimensions and v.size < 5e6 and
                    "bounds" not in name and "bnds" not in name):
                yield name, v.dimensions[0]


class Real(clitest.TestCase):
    def test_single_files(self):
        seen = 0
        for path in real_files():
            try:
                pairs = list(reducible(path))[:3]
                data = [read(path, name) for name, _ in pairs]
            except (OSError, RuntimeError, ValueError):
                continue              # not for NetCDF-C, or not for Python
            for (name, dim), x in zip(pairs, data):
                r = clitest.run(path, "-V", name, ":", "mean", dim, "-O", "-q",
                                "-o", "out.nc", cwd=self.dir)
                with self.subTest(path=path, variable=name):
                    # A refusal names its reason; anything else is a failure.
                    self.assertIn(r.code, (0, 2, 4, 5), r.err)
                    if r.code:
                        print("refused:", r.err.strip())
                        continue
                    seen += 1
                    n = (~np.isnan(x)).sum(0)
                    want = np.where(n, np.nansum(x, 0) / np.maximum(n, 1),
                                    np.nan)
                    got = read(self.path("out.nc"), name)
                    scale = np.nanmax(np.abs(x)) if n.any() else 0
                    np.testing.assert_allclose(
                        np.squeeze(got), np.squeeze(want), rtol=2e-6,
                        atol=2e-7 * scale)
        print(seen, "variables of real files compared")

    def cmip6_files(self):
        root = os.environ.get("NCG_SHARED_DATA", "")
        files = sorted(glob.glob(os.path.join(root, "esmval/ta_Amon_EC*.nc")))
        if not files:
            self.not_run("no CMIP6 files here")
        return files

    def test_seasons_of_each_year(self):
        files = self.cmip6_files()
        if not shutil.which("cdo"):
            self.not_run("CDO is not installed")
        subprocess.run(["cdo", "-s", "-b", "F64", "seasmean", "-cat", *files,
                        self.path("cdo.nc")], check=True,
                       stderr=subprocess.DEVNULL)
        self.ok(*files, ":", "seasmean", "-q", "-o", "out.nc")
        np.testing.assert_allclose(read(self.path("out.nc"), "ta"),
                                   read(self.path("cdo.nc"), "ta"), rtol=2e-6)

    def test_many_files(self):
        files = self.cmip6_files()
        self.ok(*files, ":", "mean", "time", "by=month", "-q", "-o", "out.nc")
        x = np.concatenate([read(f, "ta") for f in files])
        want = np.stack([np.nanmean(x[m::12], axis=0) for m in range(12)])
        np.testing.assert_allclose(read(self.path("out.nc"), "ta"), want,
                                   rtol=1e-6)


if __name__ == "__main__":
    clitest.main()
