# SPDX-License-Identifier: BSD-3-Clause
"""What people do with xarray, to be done on NumPy, dask and ncgraph.

docs/compatibility.md has a table of these: which of them run on kernels of the
engine alone. test_xarray_operations.py compares it with what layers are made.
"""
import numpy as np
import xarray as xr


def sample(rng):
    times = xr.date_range("2000-01-01", periods=200)
    tas = rng.normal(size=(200, 6, 8)).astype("f4")
    tas[3, 2] = np.nan
    tas[50:60, 0, 0] = np.nan
    return xr.Dataset(
        {"tas": (("time", "lat", "lon"), tas, {"units": "K"}),
         "n": (("time", "lat", "lon"),
               rng.integers(0, 100, (200, 6, 8)).astype("i4"))},
        coords={"time": times, "lat": np.linspace(-75, 75, 6),
                "lon": np.arange(8.0)})


# name (a row of docs/compatibility.md has it), what is done
OPERATIONS = [
    ("mean", lambda x: x.mean("time")),
    ("mean all", lambda x: x.mean()),
    ("sum", lambda x: x.sum("lat")),
    ("std", lambda x: x.std("time")),
    ("var ddof", lambda x: x.var("time", ddof=1)),
    ("min", lambda x: x.min("time")),
    ("max", lambda x: x.max(["lat", "lon"])),
    ("prod", lambda x: x.isel(time=slice(3)).prod("time")),
    ("count", lambda x: x.count("time")),
    ("any", lambda x: (x > 2).any("time")),
    ("all", lambda x: (x < 2).all("time")),
    ("median", lambda x: x.chunk(time=-1).median("time")),
    ("quantile", lambda x: x.chunk(time=-1).quantile(0.3, "time")),
    ("argmax", lambda x: x.fillna(0).argmax("time")),
    ("idxmax", lambda x: x.idxmax("time")),
    ("skipna", lambda x: x.mean("time", skipna=False)),
    ("min_count", lambda x: x.sum("time", min_count=198)),
    ("cumsum", lambda x: x.cumsum("time")),
    ("cumprod", lambda x: x.cumprod("lat")),
    ("arithmetic", lambda x: (x - 273.15) * 2 / 3 + x ** 2),
    ("broadcast", lambda x: x * x.lat),
    ("unary", lambda x: np.sqrt(abs(x)) + np.exp(-x)),
    ("compare", lambda x: (x > 0) & (x < 1) | ~(x == x)),
    ("where", lambda x: x.where(x > 0)),
    ("where other", lambda x: x.where(x > 0, -1)),
    ("where drop", lambda x: x.where(x.lat > 0, drop=True)),
    ("fillna", lambda x: x.fillna(0)),
    ("isnull", lambda x: x.isnull()),
    ("notnull", lambda x: x.notnull()),
    ("clip", lambda x: x.clip(-1, 1)),
    ("round", lambda x: x.round()),
    ("astype", lambda x: x.astype("f8")),
    ("isel", lambda x: x.isel(time=5, lat=slice(1, 4))),
    ("isel list", lambda x: x.isel(lon=[3, 1, 1])),
    ("isel two lists", lambda x: x.isel(lon=[3, 1], lat=[0, 5])),
    ("points", lambda x: x.isel(lat=xr.DataArray([1, 2], dims="p"),
                                lon=xr.DataArray([0, 3], dims="p"))),
    ("sel", lambda x: x.sel(time="2000-03", lat=slice(-30, 30))),
    ("sel nearest", lambda x: x.sel(lat=10, method="nearest")),
    ("head", lambda x: x.head(time=3)),
    ("thin", lambda x: x.thin(time=7)),
    ("reindex", lambda x: x.reindex(lon=[1.0, 20.0])),
    ("shift", lambda x: x.shift(time=3)),
    ("roll", lambda x: x.roll(lon=2, roll_coords=True)),
    ("diff", lambda x: x.diff("time")),
    ("pad", lambda x: x.pad(lat=1)),
    ("transpose", lambda x: x.transpose("lon", "lat", "time")),
    ("stack", lambda x: x.stack(z=("lat", "lon"))),
    ("unstack", lambda x: x.stack(z=("lat", "lon")).unstack("z")),
    ("expand_dims", lambda x: x.expand_dims("new")),
    ("squeeze", lambda x: x.isel(lat=[0]).squeeze()),
    ("sortby", lambda x: x.sortby("lat", ascending=False)),
    ("concat", lambda x: xr.concat([x, x], "time")),
    ("concat new", lambda x: xr.concat([x, x], "new")),
    ("align", lambda x: x + x.isel(time=slice(10, 20))),
    ("chunk", lambda x: x.chunk(time=30, lat=3)),
    ("chunk auto", lambda x: x.chunk("auto")),
    ("groupby mean", lambda x: x.groupby("time.month").mean()),
    ("groupby std", lambda x: x.groupby("time.month").std()),
    ("groupby sum", lambda x: x.groupby("time.dayofyear").sum()),
    ("groupby count", lambda x: x.groupby("time.season").count()),
    ("groupby max", lambda x: x.groupby("time.month").max()),
    ("groupby first", lambda x: x.groupby("time.month").first()),
    ("groupby all dims", lambda x: x.groupby("time.month").mean(...)),
    ("groupby bins", lambda x: x.groupby_bins("lat", [-90, 0, 90]).mean()),
    ("anomaly", lambda x: x.groupby("time.month") -
     x.groupby("time.month").mean()),
    ("groupby map", lambda x: x.groupby("time.month").map(
        lambda g: g - g.mean("time"))),
    ("resample", lambda x: x.resample(time="MS").mean()),
    ("resample max", lambda x: x.resample(time="10D").max()),
    ("rolling mean", lambda x: x.rolling(time=5).mean()),
    ("rolling max", lambda x: x.rolling(time=5, center=True).max()),
    ("rolling sum", lambda x: x.rolling(time=4, min_periods=2).sum()),
    ("rolling std", lambda x: x.rolling(time=6).std()),
    ("coarsen", lambda x: x.coarsen(lat=2, lon=2).mean()),
    ("coarsen trim", lambda x: x.coarsen(time=7, boundary="trim").max()),
    ("weighted", lambda x: x.weighted(np.cos(np.deg2rad(x.lat))).mean(
        ("lat", "lon"))),
    ("weighted std", lambda x: x.weighted(abs(x.lat)).std(("lat", "time"))),
    ("weighted sum", lambda x: x.weighted(x.lat ** 2).sum("lat")),
    ("dot", lambda x: xr.dot(x.fillna(0), x.fillna(0), dim="time")),
    ("corr", lambda x: xr.corr(x, x * 2 + 1, dim="time")),
    ("cov", lambda x: xr.cov(x, x, dim="time")),
    ("ffill", lambda x: x.ffill("time")),
    ("bfill", lambda x: x.bfill("time", limit=2)),
    ("interpolate_na", lambda x: x.chunk(time=-1).interpolate_na("time")),
    ("differentiate", lambda x: x.differentiate("lat")),
    ("integrate", lambda x: x.fillna(0).integrate("lat")),
    ("polyfit", lambda x: x.polyfit("time", 1).polyfit_coefficients),
    ("apply_ufunc", lambda x: xr.apply_ufunc(
        np.square, x, dask="parallelized", output_dtypes=["f4"])),
    ("apply_ufunc core", lambda x: xr.apply_ufunc(
        lambda a: a.max(-1), x.chunk(time=-1), input_core_dims=[["time"]],
        dask="parallelized", output_dtypes=["f4"])),
    ("map_blocks", lambda x: x.map_blocks(lambda y: y * 2, template=x)),
    ("rank-free sort", lambda x: x.sortby("time", ascending=False)),
]
