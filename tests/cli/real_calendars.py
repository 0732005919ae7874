# SPDX-License-Identifier: BSD-3-Clause
"""Each verb, with each by= and drawn weights=, skipna=, min_count= and ddof=,
on real files whose years have 360 or 365 days, against NumPy."""
import os
import random

import clitest
from clitest import netCDF4, np, read

clitest.need_netcdf()
import reference
from differential import close

# File, variable: (time, lat, lon).
FILES = (
    ("NCG_REAL_DATA", "iris/A1B_north_america.nc", "air_temperature"),
    ("NCG_SHARED_DATA", "xclim/pr_day_CanESM2_rcp85_r1i1p1_na10kgrid_"
     "qm-moving-50bins-detrend_2095.nc", "pr"),
    ("NCG_SHARED_DATA", "xclim/tasmax_day_HadGEM2-CC_rcp85_r1i1p1_na10kgrid_"
     "qm-moving-50bins-detrend_2095.nc", "tasmax"),
)
BY = [None] + reference.BY


def there():
    for variable, name, field in FILES:
        path = os.path.join(os.environ.get(variable) or "/nowhere", name)
        if os.path.exists(path):
            yield path, field


class RealFile:
    """The values of a variable and what its axes say."""

    def __init__(self, path, name):
        self.path, self.name = path, name
        self.x = read(path, name)
        with netCDF4.Dataset(path) as d:
            self.dims = d[name].dimensions
            t, lat, lon = (d[n] for n in self.dims)
            self.t = np.ma.filled(t[:])
            self.lat, self.lon = (np.ma.filled(v[:]).astype("f8")
                                  for v in (lat, lon))
            self.units, self.calendar = t.units, t.calendar
            self.dtype = d[name].dtype
            self.bounds = {n: np.ma.filled(d[d[n].bounds][:], np.nan)
                           for n in self.dims if "bounds" in d[n].ncattrs()
                           and d[n].bounds in d.variables}

    def area(self):
        lat, lon = self.dims[1:]
        if lat not in self.bounds or lon not in self.bounds:
            return reference.area(self.lat, self.lon)
        band = np.abs(np.diff(np.sin(np.radians(self.bounds[lat])), axis=1))
        width = np.abs(np.diff(np.radians(self.bounds[lon]), axis=1))
        return reference.RADIUS ** 2 * band * width[:, 0]

    def days(self):
        """Lengths of the steps by their bounds."""
        a_day = {"days": 1, "hours": 24}[self.units.split()[0]]
        return np.diff(self.bounds[self.dims[0]], axis=1)[:, 0] / a_day

    def weights(self, word, own):
        w = {"area": self.area, "own": lambda: own, "days": self.days,
             "coslat": lambda: np.cos(np.radians(self.lat))[:, None]}[word]()
        if word == "days":
            w = w[:, None, None]
        return np.broadcast_to(w.astype("f8"), self.x.shape)


class RealCalendars(clitest.TestCase):
    def write_weights(self, file):
        """A variable of weights in a file of its own, on the same grid."""
        own = np.random.default_rng(2).uniform(0, 3, file.x.shape[1:])
        with netCDF4.Dataset(self.path("weights.nc"), "w") as d, \
                netCDF4.Dataset(file.path) as real:
            for n in file.dims[1:]:
                d.createDimension(n, len(real[n]))
                v = d.createVariable(n, real[n].dtype, (n,))
                v.setncatts({k: real[n].getncattr(k) for k in
                             real[n].ncattrs() if k != "bounds"})
                v[:] = real[n][:]
            d.createVariable("own", "f8", file.dims[1:])[:] = own
        return own

    def draw(self, pick, file, op, by):
        """Words of one step, and the same for the reference."""
        t, lat, lon = file.dims
        axes = pick.choice([(0,), (0, 1), (0, 1, 2)] if by else
                           [(0,), (1,), (2,), (1, 2), (0, 2), (0, 1, 2)])
        words, how = [op, *(file.dims[a] for a in axes)], {}
        if by:
            words.append("by=" + by)
        if op in ("mean", "sum", "std", "var") and pick.random() < .7:
            fits = ["days"] * (0 in axes and t in file.bounds)
            fits += ["area", "own"] * (1 in axes and 2 in axes)
            fits += ["coslat"] * (1 in axes)
            if fits:
                how["weights"] = pick.choice(fits)
                words.append("weights=" + how["weights"])
        if op in ("std", "var") and "weights" not in how:
            how["ddof"] = pick.randint(0, 2)
            words.append("ddof=%d" % how["ddof"])
        if op != "count" and pick.random() < .4:
            how["skipna"] = False
            words.append("skipna=no")
        if pick.random() < .4:
            how["min_count"] = pick.choice([1, 5, 40, 100])
            words.append("min_count=%d" % how["min_count"])
        return axes, words, how

    def check(self, file, own, op, by):
        pick = random.Random("%s %s %s" % (file.name, op, by))
        axes, words, how = self.draw(pick, file, op, by)
        if "weights" in how:
            how["weights"] = file.weights(how["weights"], own)
        scale = 0
        if op in ("mean", "std", "range", "var", "sum"):
            scale = np.nanmax(np.abs(file.x)) ** (2 if op == "var" else 1)
        if op == "sum":
            w = how.get("weights", 1)
            scale = np.nansum(np.abs(file.x) * w)
        if by:
            labels = reference.keys(by, file.t, file.units, file.calendar)
            want = reference.reduce_by(op, file.x, axes, 0, labels, **how)
        else:
            want = reference.reduce(op, file.x, axes, **how)
        inputs = [file.path] + ["weights.nc"] * ("weights=own" in words)
        self.ok(*inputs, "-V", file.name + ",own" * pick.randint(
            0, len(inputs) - 1), ":",
                *words, "-O", "-q", "-o", "out.nc")
        with netCDF4.Dataset(self.path("out.nc")) as d:
            dtype = d[file.name].dtype
        self.assertIsNone(close(read(self.path("out.nc"), file.name), want,
                                dtype, scale), " ".join(words))

    def files(self):
        found = [RealFile(*f) for f in there()]
        if not found:
            self.not_run("no real files with such calendars")
        return found

    def test_every_verb_and_group(self):
        files = self.files()
        for k, file in enumerate(files):
            own = self.write_weights(file)
            for i, op in enumerate(reference.OPS):
                for j, by in enumerate(BY):
                    if (i + j) % len(files) == k:
                        with self.subTest(file=file.name, op=op, by=by):
                            self.check(file, own, op, by)

    def test_anomalies(self):
        for file in self.files():
            for by in BY:
                labels = [0] * len(file.t) if not by else reference.keys(
                    by, file.t, file.units, file.calendar)
                want = np.empty_like(file.x)
                for where in reference.groups(labels):
                    n = np.maximum((~np.isnan(file.x[where])).sum(0), 1)
                    want[where] = file.x[where] - \
                        np.nansum(file.x[where], axis=0) / n
                self.ok(file.path, "-V", file.name, ":", "anom",
                        *(["by=" + by] if by else []), "--dtype", "f8", "-O",
                        "-q", "-o", "out.nc")
                with self.subTest(file=file.name, by=by):
                    self.assertIsNone(close(
                        read(self.path("out.nc"), file.name), want,
                        np.dtype("f8"), np.nanmax(np.abs(file.x))))


if __name__ == "__main__":
    clitest.main()
