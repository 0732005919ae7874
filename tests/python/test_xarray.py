# SPDX-License-Identifier: BSD-3-Clause
"""xarray on NumPy, dask and ncgraph: equal numbers; what stays native."""
import numpy as np
import pytest

import ncgraph as ncg
from ncgraph._explain import is_native

xr = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
pytestmark = pytest.mark.filterwarnings("ignore")


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


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    ds = sample(np.random.default_rng(3))
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for i in range(4):
        paths.append(str(folder / f"part{i}.nc"))
        ds.isel(time=slice(50 * i, 50 * i + 50)).to_netcdf(
            paths[-1], encoding={"tas": {"chunksizes": (10, 6, 8),
                                         "zlib": True}})
    return ds, paths


# name, what is done, whether every layer is the engine's
OPERATIONS = [
    ("mean", lambda x: x.mean("time"), True),
    ("mean all", lambda x: x.mean(), True),
    ("sum", lambda x: x.sum("lat"), True),
    ("std", lambda x: x.std("time"), True),
    ("var ddof", lambda x: x.var("time", ddof=1), True),
    ("min", lambda x: x.min("time"), True),
    ("max", lambda x: x.max(["lat", "lon"]), True),
    ("prod", lambda x: x.isel(time=slice(3)).prod("time"), True),
    ("count", lambda x: x.count("time"), True),
    ("any", lambda x: (x > 2).any("time"), True),
    ("all", lambda x: (x < 2).all("time"), True),
    ("median", lambda x: x.median("time"), True),
    ("quantile", lambda x: x.chunk(time=-1).quantile(0.3, "time"), None),
    ("argmax", lambda x: x.fillna(0).argmax("time"), True),
    ("idxmax", lambda x: x.idxmax("time"), None),
    ("skipna", lambda x: x.mean("time", skipna=False), True),
    ("min_count", lambda x: x.sum("time", min_count=198), True),
    ("cumsum", lambda x: x.cumsum("time"), True),
    ("cumprod", lambda x: x.cumprod("lat"), True),
    ("arithmetic", lambda x: (x - 273.15) * 2 / 3 + x ** 2, True),
    ("broadcast", lambda x: x * x.lat, True),
    ("unary", lambda x: np.sqrt(abs(x)) + np.exp(-x), True),
    ("compare", lambda x: (x > 0) & (x < 1) | ~(x == x), True),
    ("where", lambda x: x.where(x > 0), True),
    ("where other", lambda x: x.where(x > 0, -1), True),
    ("where drop", lambda x: x.where(x.lat > 0, drop=True), True),
    ("fillna", lambda x: x.fillna(0), True),
    ("isnull", lambda x: x.isnull(), True),
    ("notnull", lambda x: x.notnull(), True),
    ("clip", lambda x: x.clip(-1, 1), True),
    ("round", lambda x: x.round(), True),
    ("astype", lambda x: x.astype("f8"), True),
    ("isel", lambda x: x.isel(time=5, lat=slice(1, 4)), True),
    ("isel list", lambda x: x.isel(lon=[3, 1, 1]), True),
    ("isel two lists", lambda x: x.isel(lon=[3, 1], lat=[0, 5]), True),
    ("points", lambda x: x.isel(lat=xr.DataArray([1, 2], dims="p"),
                                lon=xr.DataArray([0, 3], dims="p")), True),
    ("sel", lambda x: x.sel(time="2000-03", lat=slice(-30, 30)), True),
    ("sel nearest", lambda x: x.sel(lat=10, method="nearest"), True),
    ("head", lambda x: x.head(time=3), True),
    ("thin", lambda x: x.thin(time=7), True),
    ("reindex", lambda x: x.reindex(lon=[1.0, 20.0]), True),
    ("shift", lambda x: x.shift(time=3), True),
    ("roll", lambda x: x.roll(lon=2, roll_coords=True), True),
    ("diff", lambda x: x.diff("time"), True),
    ("pad", lambda x: x.pad(lat=1), True),
    ("transpose", lambda x: x.transpose("lon", "lat", "time"), True),
    ("stack", lambda x: x.stack(z=("lat", "lon")), True),
    ("unstack", lambda x: x.stack(z=("lat", "lon")).unstack("z"), None),
    ("expand_dims", lambda x: x.expand_dims("new"), True),
    ("squeeze", lambda x: x.isel(lat=[0]).squeeze(), True),
    ("sortby", lambda x: x.sortby("lat", ascending=False), True),
    ("concat", lambda x: xr.concat([x, x], "time"), True),
    ("concat new", lambda x: xr.concat([x, x], "new"), True),
    ("align", lambda x: x + x.isel(time=slice(10, 20)), True),
    ("chunk", lambda x: x.chunk(time=30, lat=3), True),
    ("chunk auto", lambda x: x.chunk("auto"), True),
    ("groupby mean", lambda x: x.groupby("time.month").mean(), True),
    ("groupby std", lambda x: x.groupby("time.month").std(), True),
    ("groupby sum", lambda x: x.groupby("time.dayofyear").sum(), True),
    ("groupby count", lambda x: x.groupby("time.season").count(), True),
    ("groupby max", lambda x: x.groupby("time.month").max(), True),
    ("groupby first", lambda x: x.groupby("time.month").first(), True),
    ("groupby all dims", lambda x: x.groupby("time.month").mean(...), True),
    ("groupby bins", lambda x: x.groupby_bins("lat", [-90, 0, 90]).mean(),
     True),
    ("anomaly", lambda x: x.groupby("time.month") -
     x.groupby("time.month").mean(), True),
    ("groupby map", lambda x: x.groupby("time.month").map(
        lambda g: g - g.mean("time")), True),
    ("resample", lambda x: x.resample(time="MS").mean(), True),
    ("resample max", lambda x: x.resample(time="10D").max(), True),
    ("rolling mean", lambda x: x.rolling(time=5).mean(), True),
    ("rolling max", lambda x: x.rolling(time=5, center=True).max(), True),
    ("rolling sum", lambda x: x.rolling(time=4, min_periods=2).sum(), True),
    ("rolling std", lambda x: x.rolling(time=6).std(), True),
    ("coarsen", lambda x: x.coarsen(lat=2, lon=2).mean(), True),
    ("coarsen trim", lambda x: x.coarsen(time=7, boundary="trim").max(), True),
    ("weighted", lambda x: x.weighted(np.cos(np.deg2rad(x.lat))).mean(
        ("lat", "lon")), True),
    ("weighted sum", lambda x: x.weighted(x.lat ** 2).sum("lat"), True),
    ("dot", lambda x: xr.dot(x.fillna(0), x.fillna(0), dim="time"), True),
    ("corr", lambda x: xr.corr(x, x * 2 + 1, dim="time"), True),
    ("cov", lambda x: xr.cov(x, x, dim="time"), True),
    ("ffill", lambda x: x.ffill("time"), True),
    ("bfill", lambda x: x.bfill("time", limit=2), True),
    ("interpolate_na", lambda x: x.chunk(time=-1).interpolate_na("time"),
     None),
    ("differentiate", lambda x: x.differentiate("lat"), None),
    ("integrate", lambda x: x.fillna(0).integrate("lat"), True),
    ("polyfit", lambda x: x.polyfit("time", 1).polyfit_coefficients, False),
    ("apply_ufunc", lambda x: xr.apply_ufunc(
        np.square, x, dask="parallelized", output_dtypes=["f4"]), False),
    ("apply_ufunc core", lambda x: xr.apply_ufunc(
        lambda a: a.max(-1), x.chunk(time=-1), input_core_dims=[["time"]],
        dask="parallelized", output_dtypes=["f4"]), False),
    ("map_blocks", lambda x: x.map_blocks(lambda y: y * 2, template=x), False),
    ("rank-free sort", lambda x: x.sortby("time", ascending=False), True),
]


@pytest.fixture(scope="module", params=["open_dataset", "open_mfdataset",
                                        "chunk"])
def opened(request, files):
    ds, paths = files
    if request.param == "open_dataset":
        return ds, ncg.open_dataset(paths)
    if request.param == "chunk":
        return ds, ds.chunk({"time": 40}, chunked_array_type="ncgraph")
    return ds, xr.open_mfdataset(paths, engine="ncgraph", chunks={},
                                 chunked_array_type="ncgraph")


@pytest.mark.parametrize("name, operation, native", OPERATIONS,
                         ids=[o[0] for o in OPERATIONS])
def test_operation(opened, name, operation, native):
    ds, lazy = opened
    wanted = operation(ds.tas)
    made = operation(lazy.tas)
    assert isinstance(made.variable._data, ncg.Array), "not lazy any more"
    if native is not None:
        assert is_native(made.data) == native
    xr.testing.assert_allclose(made.compute(), wanted, rtol=1e-4, atol=1e-5)
    assert made.dtype == wanted.dtype


def test_integers(opened):
    ds, lazy = opened
    for fn in (lambda x: x.mean("time"), lambda x: x.groupby(
            "time.month").sum(), lambda x: x // 7, lambda x: x.std()):
        xr.testing.assert_allclose(fn(lazy.n).compute(), fn(ds.n))
        assert fn(lazy.n).dtype == fn(ds.n).dtype


def test_dask_beside_us(files):
    ds, paths = files
    pytest.importorskip("dask")
    theirs = xr.open_mfdataset(paths, engine="netcdf4",
                               chunked_array_type="dask", chunks={})
    ours = ncg.open_dataset(paths)
    assert type(theirs.tas.data).__module__.startswith("dask.array")
    assert type(theirs.tas.chunk(time=20).data).__module__.startswith("dask.")
    assert isinstance(ours.tas.chunk(time=20).data, ncg.Array)
    xr.testing.assert_allclose(ours.mean().compute(), theirs.mean().compute())
    import dask
    both = dask.compute(ours.tas.mean("time"), theirs.tas.mean("time"),
                        scheduler="threads")
    xr.testing.assert_allclose(*both)


def test_written(files, tmp_path):
    ds, paths = files
    lazy = ncg.open_dataset(paths)
    lazy.mean("time").to_netcdf(tmp_path / "mean.nc")
    with xr.open_dataset(tmp_path / "mean.nc") as again:
        xr.testing.assert_allclose(again, ds.mean("time"))
    pytest.importorskip("dask")
    later = lazy.max("time").to_netcdf(tmp_path / "later.nc", compute=False)
    later.compute()
    with xr.open_dataset(tmp_path / "later.nc") as again:
        xr.testing.assert_allclose(again, ds.max("time"))


def test_store_in_pieces(files, monkeypatch):
    from ncgraph import _store
    monkeypatch.setattr(_store, "TOGETHER", 0)
    ds, paths = files
    lazy = ncg.open_dataset(paths)
    out = np.zeros((220, 6, 8), "f4")
    ncg.store([lazy.tas.data], [out], regions=[(slice(10, 210),)])
    np.testing.assert_array_equal(out[10:210], ds.tas)


def test_one_file_lazily(files):
    ds, paths = files
    with xr.open_dataset(paths[0], engine="ncgraph") as one:
        assert not one.tas.variable._in_memory
        xr.testing.assert_allclose(one.tas.isel(time=[3, 1], lat=2).load(),
                                   ds.tas.isel(time=[3, 1], lat=2))
        assert one.tas.attrs == {"units": "K"}
        chunked = one.chunk(chunked_array_type="ncgraph")
        assert is_native(chunked.tas.data)


def test_packed_and_missing(tmp_path, rng):
    v = rng.integers(0, 1000, (20, 5)).astype("f4")
    v[3] = np.nan
    ds = xr.Dataset({"a": (("x", "y"), v / 10), "b": (("x", "y"), v)})
    ds.to_netcdf(tmp_path / "p.nc", encoding={
        "a": {"dtype": "i2", "scale_factor": 0.1, "_FillValue": -1},
        "b": {"dtype": "i4", "_FillValue": -1}})
    wanted = xr.open_dataset(tmp_path / "p.nc", engine="netcdf4")
    made = xr.open_dataset(tmp_path / "p.nc", engine="ncgraph")
    xr.testing.assert_allclose(made, wanted)
    for name in wanted.data_vars:
        assert made[name].dtype == wanted[name].dtype


def test_persist_and_pickle(files):
    import pickle
    ds, paths = files
    lazy = ncg.open_dataset(paths)
    kept = (lazy - lazy.mean("time")).persist()
    assert isinstance(kept.tas.data, ncg.Array)
    xr.testing.assert_allclose(kept.compute(), ds - ds.mean("time"),
                               atol=1e-5)
    again = pickle.loads(pickle.dumps(lazy.mean("time")))
    xr.testing.assert_allclose(again.compute(), ds.mean("time"))


def test_missing_file():
    with pytest.raises(FileNotFoundError):
        ncg.open_dataset("/nowhere/*.nc")
    with pytest.raises(FileNotFoundError):
        xr.open_dataset("/nowhere/a.nc", engine="ncgraph")
