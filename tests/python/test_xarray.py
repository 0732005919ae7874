# SPDX-License-Identifier: BSD-3-Clause
"""xarray on NumPy, dask and ncgraph: equal numbers; what stays native."""
import subprocess
import sys

import numpy as np
import pytest

import ncgraph as ncg
from ncgraph._explain import is_native, kind_of

xr = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_integers(opened):
    ds, lazy = opened
    for fn in (lambda x: x.mean("time"), lambda x: x.groupby(
            "time.month").sum(), lambda x: x // 7, lambda x: x.std()):
        xr.testing.assert_allclose(fn(lazy.n).compute(), fn(ds.n))
        assert fn(lazy.n).dtype == fn(ds.n).dtype


def test_packed_values_read_with_others_have_their_bits(rng, tmp_path):
    pack = {"dtype": "i2", "scale_factor": np.float32(.013),
            "add_offset": np.float32(3.7), "_FillValue": -999}
    xr.Dataset({"x": (("a", "b"), rng.normal(size=(9, 64)).astype("f4")),
                "y": (("a", "b"), rng.normal(size=(9, 64)).astype("f4"))}
               ).to_netcdf(tmp_path / "packed.nc", encoding={"y": pack})
    lazy = ncg.open_dataset(tmp_path / "packed.nc")
    x, y = lazy.x.data, lazy.y.data
    assert y.dtype == "f4"
    both = [(x * y).sum(axis=0), (y.astype("f8") * y).sum(axis=0)]
    for together, alone in zip(ncg.compute(*both), both):
        np.testing.assert_array_equal(together, alone.compute())


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


def test_dask_is_not_imported(files):
    _, paths = files
    code = """
import sys
import ncgraph as ncg
ds = ncg.open_dataset(sys.argv[1:])
(ds.tas - ds.tas.groupby("time.month").mean()).std("time").compute()
ds.tas.rolling(time=3).mean().isel(time=5).compute()
print([m for m in ("dask", "scipy", "netCDF4") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, *paths],
                          check=True, text=True, capture_output=True)
    assert done.stdout.strip() == "[]"


def test_others_groups_give_no_warnings(files):
    import warnings
    ds, _ = files
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.tas.groupby("time.month").mean()
        xr.DataArray(np.arange(4), dims="x").groupby(
            xr.DataArray([0, 0, 1, 1], dims="x", name="g")).sum()


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


def test_map_blocks_with_a_joined_template(files):
    pytest.importorskip("dask")
    ds, paths = files
    lazy = ncg.open_dataset(paths).tas.chunk(time=100, lat=3, lon=8)
    template = xr.concat([lazy.isel(time=[3]), lazy.isel(time=[103])], "time")
    made = xr.map_blocks(lambda b: b.isel(time=[3]), lazy, template=template)
    assert isinstance(made.data, ncg.Array)
    xr.testing.assert_allclose(made.compute(), ds.tas.isel(time=[3, 103]))


def test_missing_file():
    with pytest.raises(FileNotFoundError):
        ncg.open_dataset("/nowhere/*.nc")
    with pytest.raises(FileNotFoundError):
        xr.open_dataset("/nowhere/a.nc", engine="ncgraph")


# ---- weights ----------------------------------------------------------------------

WEIGHTS = [("lat",), ("lon", "lat"), ("time", "lat", "lon")]


@pytest.mark.parametrize("dims", WEIGHTS, ids=["lat", "two", "all"])
@pytest.mark.parametrize("op", ["mean", "sum", "var", "std"])
def test_weighted(op, dims):
    rng = np.random.default_rng(len(dims))
    values = rng.normal(280, 9, (9, 4, 5))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 1, 2] = np.nan
    x = xr.DataArray(values, dims=("time", "lat", "lon"), name="x",
                     attrs={"units": "K"}, coords={
                         "lat": [1, 2, 3, 4], "h": 2,
                         "area": (("lat", "lon"), np.ones((4, 5)))})
    w = xr.DataArray(rng.random([x.sizes[d] for d in dims]), dims=dims)
    w[{"lat": 0}] = 0
    lazy = x.chunk({"time": 2, "lat": 3}, chunked_array_type="ncgraph")
    for dim in (None, "lat", ["lat", "lon"], ["time", "lat"], ["lon"]):
        for skipna in (None, False):
            wanted = getattr(x.weighted(w), op)(dim, skipna=skipna,
                                                keep_attrs=True)
            made = getattr(lazy.weighted(w), op)(dim, skipna=skipna,
                                                 keep_attrs=True)
            assert kind_of(made.data) == "native"
            xr.testing.assert_allclose(made.compute(), wanted, atol=1e-6)
            assert made.attrs == wanted.attrs and made.name == "x"
            assert made.dtype == wanted.dtype
            assert set(made.coords) == set(wanted.coords)


def test_weights_that_are_left_to_xarray():
    x = xr.DataArray(np.arange(12.0).reshape(3, 4), dims=("a", "b"),
                     coords={"a": [0, 1, 2]})
    lazy = x.chunk(a=2, chunked_array_type="ncgraph")
    part = xr.DataArray([1.0, 2.0], dims="a", coords={"a": [1, 2]})
    more = xr.DataArray([1.0, 2.0], dims="c")
    rows = [part, more, xr.DataArray([True, False, True], dims="a"),
            xr.DataArray([3.0, -1.0, 1.0], dims="a")]
    for weights in rows:
        for op in ("mean", "var"):
            xr.testing.assert_allclose(
                getattr(lazy.weighted(weights), op)("a").compute(),
                getattr(x.weighted(weights), op)("a"))
    with pytest.raises(ValueError, match="not found"):
        lazy.weighted(rows[2]).mean("no")


def test_weights_of_poles_are_a_little_negative():
    lat = xr.DataArray(np.linspace(-90, 90, 5, dtype="f4"), dims="lat")
    weights = np.cos(np.deg2rad(lat))
    assert weights[0] < 0
    x = xr.DataArray(np.arange(20.0).reshape(4, 5), dims=("time", "lat"))
    made = x.chunk(time=2, chunked_array_type="ncgraph").weighted(weights)
    assert made.mean("lat").data._node.op == "weighted"
    for op in ("mean", "sum", "std"):
        xr.testing.assert_allclose(getattr(made, op)("lat").compute(),
                                   getattr(x.weighted(weights), op)("lat"))


def test_weighted_graph_for_dask():
    dask = pytest.importorskip("dask")
    values = np.random.default_rng(1).normal(size=(12, 6))
    values[3] = np.nan
    x = xr.DataArray(values, dims=("a", "b"))
    lazy = x.chunk(a=2, b=2, chunked_array_type="ncgraph")
    w = xr.DataArray(np.linspace(0.1, 2, 12), dims="a")
    for op in ("mean", "sum", "var", "std"):
        made = getattr(lazy.weighted(w), op)(["a", "b"])
        got, = dask.compute(made.data, scheduler="sync")
        np.testing.assert_allclose(
            got, getattr(x.weighted(w), op)(["a", "b"]).values)
        largest = max(len(getattr(t, "dependencies", ()))
                      for t in dict(made.data.__dask_graph__()).values())
        assert largest <= 4


# ---- filling ----------------------------------------------------------------------

@pytest.mark.parametrize("chunk", [1, 2, 7])
@pytest.mark.parametrize("limit", [None, 0, 1, 3])
def test_filling_across_chunks(chunk, limit):
    values = np.random.default_rng(chunk).normal(size=(12, 5))
    values[values < 0.3] = np.nan
    x = xr.DataArray(values, dims=("time", "lat"))
    lazy = x.chunk(time=chunk, chunked_array_type="ncgraph")
    for fill in ("ffill", "bfill"):
        made = getattr(lazy, fill)("time", limit=limit)
        assert is_native(made.data)
        wanted = x if limit == 0 else getattr(x, fill)("time", limit=limit)
        xr.testing.assert_equal(made.compute(), wanted)


def test_questions_take_a_dtype():
    from ncgraph import array_api as xp
    x = ncg.from_array(np.array([1.0, np.nan, 2.0]), chunks=2)
    made = xp.isnan(x, dtype=int)
    assert made.dtype == int and made.compute().tolist() == [0, 1, 0]


@pytest.mark.parametrize("skipna", [None, False, True])
@pytest.mark.parametrize("name", ["n", "tas"])
def test_groups_with_fewer_values_than_are_asked_for(opened, name, skipna):
    ds, lazy = opened
    for op in ("sum", "prod"):
        wanted, made = (getattr((x[name] % 3).isel(time=slice(40), lat=slice(2))
                                .groupby("time.month"), op)(
            "time", skipna=skipna, min_count=15) for x in (ds, lazy))
        xr.testing.assert_allclose(made.compute(), wanted)
        assert made.dtype == wanted.dtype
