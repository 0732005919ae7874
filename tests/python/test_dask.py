# SPDX-License-Identifier: BSD-3-Clause
"""dask's protocol, and ncgraph.get as its scheduler."""
import pickle
import time

import numpy as np
import pytest

import ncgraph as ncg

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")


def lazy(rng, shape=(30, 40), chunks=(7, 13)):
    v = rng.normal(size=shape).astype("f4")
    v[v > 2] = np.nan
    return v, ncg.from_array(v, chunks=chunks)


CASES = {
    "map": lambda x: (x - 1) * x,
    "broadcast": lambda x: x - x[:1],
    "mean": lambda x: np.nanmean(x, axis=0),
    "std": lambda x: np.nanstd(x, axis=1),
    "sum": lambda x: np.nansum(x),
    "max": lambda x: np.max(x, axis=0, keepdims=True),
    "nanmin": lambda x: np.nanmin(x, axis=(0, 1)),
    "any": lambda x: (x > 1).any(axis=1),
    "argmax": lambda x: np.nanargmax(x, axis=0),
    "index": lambda x: x[::3, [5, 1, 39]],
    "transpose": lambda x: x.T,
    "rechunk": lambda x: x.rechunk((30, 5)),
    "reshape": lambda x: x.reshape(-1),
    "concatenate": lambda x: np.concatenate([x, x[3:]]),
    "stack": lambda x: np.stack([x, x], axis=1),
    "pad": lambda x: np.pad(x, 2, mode="edge"),
    "cumsum": lambda x: np.nancumsum(x, axis=0),
    "sort": lambda x: np.sort(x, axis=1),
    "matmul": lambda x: np.nan_to_num(x) @ np.nan_to_num(x).T,
    "quantile": lambda x: np.nanquantile(x, 0.3, axis=0),
    "quantiles": lambda x: np.nanquantile(x, [0.3, 0.9], axis=0,
                                          keepdims=True),
    "median of all": lambda x: np.median(x),
    "map_blocks": lambda x: x.map_blocks(np.isnan, dtype="?"),
    "overlap": lambda x: x.map_overlap(lambda b: b * 2, depth=1, dtype="f4"),
    "complex": lambda x: (x * 1j).sum(axis=0),
    "dates": lambda x: np.nan_to_num(x).astype("i8").astype("M8[s]").max(),
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(
        x, 3, axis=0).mean(axis=-1),
    "groups": lambda x: ncg.groupby_reduce(x, np.arange(30) % 4, 0),
    "arange": lambda x: ncg.arange(50, chunks=20) + 1,
}


@pytest.mark.parametrize("name", CASES)
def test_graph_gives_what_the_engine_gives(rng, name):
    _, x = lazy(rng)
    y = CASES[name](x)
    wanted = y.compute()
    graph = dict(y.__dask_graph__())
    mine = [k for k in graph if k[0] == y.name]
    assert len(mine) == y.npartitions
    pickle.loads(pickle.dumps(y.__dask_graph__()))
    for scheduler in ("sync", "threads"):
        got, = dask.compute(y, scheduler=scheduler)
        np.testing.assert_allclose(
            np.asarray(got).astype("f8" if wanted.dtype.kind == "M"
                                   else wanted.dtype),
            np.asarray(wanted).astype("f8" if wanted.dtype.kind == "M"
                                      else wanted.dtype),
            rtol=2e-5, atol=1e-5)


def test_collection(rng):
    v, x = lazy(rng)
    assert dask.is_dask_collection(x)
    assert dask.base.tokenize(x + 1) == dask.base.tokenize(x + 1)
    assert dask.base.tokenize(x + 1) != dask.base.tokenize(x + 2)
    kept, = dask.persist(x + 1, scheduler="sync")
    assert isinstance(kept, ncg.Array)
    np.testing.assert_array_equal(kept, v + 1)
    made, = dask.optimize(x * 2)
    np.testing.assert_array_equal(made, v * 2)
    both = dask.compute(x, da.ones(3, chunks=2), scheduler=ncg.get)
    np.testing.assert_array_equal(both[0], v)
    with ncg.config.set(collection=False):
        assert not dask.is_dask_collection(x)


def test_asking_is_cheap():
    x = ncg.ones((100_000, 10), chunks=(1, 10)) + 1
    begin = time.perf_counter()
    for _ in range(100):
        dask.is_dask_collection(x)
    assert not any(layer.is_materialized()
                   for layer in x.__dask_graph__().layers.values())
    del begin


def test_processes(rng):
    v, x = lazy(rng)
    got, = dask.compute(np.nanmean(x, axis=0), scheduler="processes",
                        num_workers=2)
    np.testing.assert_allclose(got, np.nanmean(v, axis=0), rtol=1e-5)


def test_distributed(rng):
    distributed = pytest.importorskip("distributed")
    v, x = lazy(rng)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2,
                                  processes=False, dashboard_address=None) \
            as cluster, distributed.Client(cluster) as client:
        future = client.compute(np.nanmax(x, axis=0))
        np.testing.assert_array_equal(future.result(), np.nanmax(v, axis=0))
        kept = client.persist(x + 1)
        np.testing.assert_array_equal(kept.compute(), v + 1)
        np.testing.assert_allclose(client.compute(kept * 2).result(),
                                   (v + 1) * 2)
        client.publish_dataset(mine=kept)
        again = client.get_dataset("mine")
        np.testing.assert_array_equal(client.compute(again).result(), v + 1)


def test_to_and_from_dask(rng):
    v, x = lazy(rng)
    d = da.from_array(v, chunks=(10, 20))
    mixed = d + x
    assert isinstance(mixed, (ncg.Array, da.Array))
    np.testing.assert_array_equal(np.asarray(mixed), v + v)
    np.testing.assert_array_equal(x.to_dask_array().compute(), v)
    made = ncg.from_array(d.mean(axis=0))
    np.testing.assert_allclose(made, v.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dask.compute(made * 2, scheduler="sync")[0],
                               v.mean(axis=0) * 2, rtol=1e-5, atol=1e-6)


def test_clone_and_bind(rng):
    from dask.graph_manipulation import bind, clone
    v, x = lazy(rng)
    y = (x.rechunk((10, 20)) * 2).sum(axis=0)
    again = clone(y)
    assert not set(again.__dask_graph__()) & set(y.__dask_graph__())
    np.testing.assert_array_equal(again, y.compute())
    whole = clone(ncg.arange(10, chunks=5)).to_dask_array() + 1
    np.testing.assert_array_equal(whole.compute(), np.arange(10) + 1)
    order = []
    blocker = dask.delayed(order.append)("blocker")
    after = x.map_blocks(lambda b: order.append("block") or b, dtype="f4")
    got, = dask.compute(bind(after, blocker), scheduler="sync")
    np.testing.assert_array_equal(got, v)
    assert order.index("blocker") == 0 and "block" in order


def test_delayed_runs_in_every_run():
    calls = []
    one = dask.delayed(lambda: calls.append(0) or np.arange(3))()
    x = ncg.from_delayed(one, (3,), dtype="i8")
    for times in (1, 2):
        np.testing.assert_array_equal((x + 1).compute(), [1, 2, 3])
        assert len(calls) == times
    target = np.zeros(3)
    kept = (x + 1).persist()
    assert len(calls) == 3
    ncg.store(x + 2, target)
    assert len(calls) == 4
    np.testing.assert_array_equal(kept, [1, 2, 3])
    np.testing.assert_array_equal(target, [2, 3, 4])


def test_values_in_a_graph_stay_values():
    mark = object()
    x = ncg.from_delayed(dask.delayed(lambda m: np.ones(2))(mark), (2,),
                         dtype="f8")
    graph = {"other": mark, ("a", 0): np.ones(2)}
    from ncgraph._dask import foreign
    tasks = dict(foreign(graph, "a", ((2,),), "f8").__dask_graph__())
    assert tasks["other"] is mark and isinstance(tasks["a", 0], np.ndarray)
    np.testing.assert_array_equal(dask.compute(x, scheduler="sync")[0], 1)


# ---- ncgraph.get: dask's own conformance tests -------------------------------------

from dask.utils_test import GetFunctionTestMixin, add, inc  # noqa: E402


class TestGet(GetFunctionTestMixin):
    get = staticmethod(ncg.get)


def test_get_nested_and_order():
    dsk = {"x": 1, "y": (inc, "x"), "z": (add, "x", "y")}
    assert ncg.get(dsk, ["x", ["y", "z"]]) == (1, (2, 3))
    with pytest.raises(KeyError):
        ncg.get(dsk, "q")


def test_get_deep():
    dsk = {("a", 0): 0}
    dsk.update({("a", i): (inc, ("a", i - 1)) for i in range(1, 30_001)})
    assert ncg.get(dsk, ("a", 30_000)) == 30_000


def test_get_raises_the_original():
    class Own(Exception):
        pass

    def bad():
        raise Own("x")

    with pytest.raises(Own):
        ncg.get({"a": (bad,), "b": (inc, "a")}, "b")


def test_get_callbacks():
    from dask.callbacks import Callback
    seen = []
    with Callback(start=lambda d: seen.append("start"),
                  pretask=lambda k, d, s: seen.append(k),
                  finish=lambda d, s, e: seen.append(e)):
        ncg.get({"x": 1, "y": (inc, "x")}, "y")
    assert seen[0] == "start" and seen[-1] is False and "y" in seen


def test_get_runs_dask_arrays(rng):
    v = rng.normal(size=(50, 60))
    d = da.from_array(v, chunks=10)
    with dask.config.set(scheduler=ncg.get):
        np.testing.assert_allclose((d @ d.T).sum().compute(), (v @ v.T).sum())


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("axis", [0, (0, 2), 1])
def test_quantiles_of_many_chunks(rng, monkeypatch, axis, keep):
    """Not each of the engine's tiles is a task that depends on every chunk."""
    monkeypatch.setattr("ncgraph._dask_quantiles.SMALL", 1)
    monkeypatch.setattr("ncgraph._dask_quantiles.PARTS", 2)
    v = rng.normal(size=(200, 36, 30)).astype("f4")
    v[v > 2] = np.nan
    x = ncg.from_array(v, chunks=(1, 36, 30) if axis != 1 else (100, 4, 7))
    for source in (x, x.rechunk(30), x.rechunk(18).transpose(0, 2, 1)
                   .rechunk((200, 9, 9)).transpose(0, 2, 1)):
        made = np.nanquantile(source, [0.2, 0.7], axis=axis, keepdims=keep)
        graph = dict(made.__dask_graph__())
        needed = [len(getattr(t, "dependencies", ())) for t in graph.values()]
        assert sum(n > x.npartitions // 10 for n in needed) <= 4
        got = dask.compute(made, scheduler="sync")[0]
        np.testing.assert_allclose(
            got, np.nanquantile(v, [0.2, 0.7], axis=axis, keepdims=keep),
            rtol=1e-5)
        np.testing.assert_array_equal(got, made.compute())


@pytest.mark.parametrize("chunks", [2, 10])
def test_results_are_the_callers(chunks):
    values = np.arange(10)
    x = ncg.asarray(values, chunks=chunks)
    for scheduler in ("threads", ncg.get):
        made, = dask.compute(x, scheduler=scheduler)
        made[0] = 42
        assert values[0] == 0 and x[0].compute() == 0


def test_chunks_of_unknown_size_are_refused():
    import dask.array as da
    x = da.ones(6, chunks=2)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        ncg.from_array(x[x > 0])
    with pytest.raises(ValueError, match="unknown size"):
        ncg.from_delayed(dask.delayed(np.ones)(3), (np.nan,), float)
