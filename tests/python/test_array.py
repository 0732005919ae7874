# SPDX-License-Identifier: BSD-3-Clause
"""Arrays against NumPy: what they are, operators, functions, indices."""
import operator
import pickle
import subprocess
import sys

import numpy as np
import pytest

import ncgraph as ncg

DTYPES = ["i1", "u2", "i4", "i8", "f4", "f8", "?"]
ODD = ["f2", "c8", "c16", "M8[ns]", "m8[s]", "U5", "S3"]


def values_of(rng, dtype, shape=(7, 11)):
    dtype = np.dtype(dtype)
    numbers = rng.integers(0, 100, shape)
    if dtype.kind == "U" or dtype.kind == "S":
        return numbers.astype(dtype)
    if dtype.kind in "fc":
        return (numbers / 8 - 5).astype(dtype)
    return (numbers > 50) if dtype.kind == "b" else numbers.astype(dtype)


def lazy(values, chunks=(3, 4)):
    return ncg.from_array(values, chunks=chunks)


def check(made, wanted):
    assert isinstance(made, ncg.Array)
    wanted = np.asarray(wanted)
    assert made.shape == wanted.shape
    assert made.dtype == wanted.dtype
    got = np.asarray(made)
    assert got.dtype == wanted.dtype
    if wanted.dtype.kind in "fc":
        eps = np.finfo(wanted.dtype).eps * 64
        np.testing.assert_allclose(got, wanted, rtol=eps, atol=eps)
    else:
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", DTYPES + ODD)
def test_roundtrip(rng, dtype):
    v = values_of(rng, dtype)
    x = lazy(v)
    assert x.chunks == ((3, 3, 1), (4, 4, 3))
    check(x, v)
    check(x.rechunk((5, -1)), v)
    check(pickle.loads(pickle.dumps(x)), v)
    check(x[2:, ::2], v[2:, ::2])
    check(x.T, v.T)
    check(x.reshape(77), v.reshape(77))
    check(ncg.concatenate([x, x], axis=1), np.concatenate([v, v], axis=1))


@pytest.mark.parametrize("op", ["add", "sub", "mul", "truediv", "floordiv",
                                "mod", "pow", "lt", "ge", "eq", "ne"])
@pytest.mark.parametrize("left", ["i2", "u4", "f4", "f8"])
@pytest.mark.parametrize("right", ["i4", "u1", "f4"])
def test_binary(rng, op, left, right):
    fn = getattr(operator, op)
    a = values_of(rng, left)
    b = values_of(rng, right)[:1] % 3 + 1
    b = b.astype(right)
    with np.errstate(all="ignore"):
        check(fn(lazy(a), lazy(b, (1, 5))), fn(a, b))
        check(fn(lazy(a), b), fn(a, b))


def test_numbers_are_weak(rng):
    v = values_of(rng, "f4")
    x = lazy(v)
    check(x + 1, v + 1)
    check(2.5 * x, 2.5 * v)
    check(x + np.float64(1), v + np.float64(1))
    check(x ** 2, v ** 2)
    check(1 - x, 1 - v)
    check(np.arange(11.0) + x, np.arange(11.0) + v)
    check(x * 1j, v * 1j)
    i = values_of(rng, "i2")
    check(lazy(i) + 3, i + 3)
    check(lazy(i) / 2, i / 2)
    check(lazy(i) + True, i + True)


@pytest.mark.parametrize("name", ["sqrt", "exp", "sin", "isnan", "floor",
                                  "absolute", "negative", "sign", "log1p",
                                  "square", "rint", "cbrt", "isfinite",
                                  "positive", "reciprocal"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_unary(rng, name, dtype):
    v = np.abs(values_of(rng, dtype)) + 1
    v = v.astype(dtype)
    fn = getattr(np, name)
    check(fn(lazy(v)), fn(v))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sum", "mean", "min", "max", "prod", "std",
                                  "var", "any", "all", "argmin", "argmax"])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_reductions(rng, dtype, name, axis):
    v = values_of(rng, dtype, (5, 6))
    if name == "prod":
        v = (v % 3).astype(dtype)
    made = getattr(lazy(v), name)(axis=axis)
    wanted = getattr(v, name)(axis=axis)
    assert made.dtype == wanted.dtype
    np.testing.assert_allclose(made.compute(), wanted, rtol=1e-5)
    kept = getattr(lazy(v), name)(axis=axis, keepdims=True)
    assert kept.shape == getattr(v, name)(axis=axis, keepdims=True).shape


@pytest.mark.parametrize("name", ["nansum", "nanmean", "nanmin", "nanmax",
                                  "nanstd", "nanvar", "nanprod", "nanmedian",
                                  "median", "mean", "max", "sum"])
def test_nan(rng, name):
    v = values_of(rng, "f8")
    v[v > 4] = np.nan
    fn = getattr(np, name)
    np.testing.assert_allclose(fn(lazy(v), axis=0), fn(v, axis=0), rtol=1e-12)


def test_nothing_but_nan():
    v = np.array([[np.nan, 1], [np.nan, np.inf], [np.nan, -np.inf]])
    x = lazy(v, 2)
    with np.errstate(all="ignore"):
        check(np.nansum(x, axis=0), np.nansum(v, axis=0))
        check(np.nanprod(x, axis=0), np.nanprod(v, axis=0))
    assert np.isnan(np.nanmean(x, axis=0)[0].compute())


def test_two_axes_and_options(rng):
    v = values_of(rng, "f4", (4, 5, 6))
    x = lazy(v, 2)
    check(x.sum(axis=(0, 2)), v.sum(axis=(0, 2)))
    check(x.std(axis=(0, 1), ddof=1), v.std(axis=(0, 1), ddof=1))
    check(x.sum(axis=1, dtype="f8"), v.sum(axis=1, dtype="f8"))
    check(np.quantile(x, [0.1, 0.5], axis=(0, 2)),
          np.quantile(v, [0.1, 0.5], axis=(0, 2)))
    check(x.cumsum(axis=1), v.cumsum(axis=1))
    check(np.sort(x, axis=0), np.sort(v, axis=0))
    check(np.average(x, axis=0, weights=np.arange(4.0)),
          np.average(v, axis=0, weights=np.arange(4.0)))


KEYS = [np.s_[2], np.s_[-1, 3], np.s_[1:5], np.s_[::-1, ::3], np.s_[..., 2],
        np.s_[None, 3:, None], np.s_[[0, 2, 2]], np.s_[:, [5, 1]],
        np.s_[2, [1, -1]], np.s_[np.array([True, False] * 3 + [True])],
        np.s_[3:3], np.s_[[]], np.s_[np.array([[0, 1], [2, 3]])]]


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("dtype", ["f4", "c8", "M8[D]"])
def test_index(rng, key, dtype):
    v = values_of(rng, dtype)
    check(lazy(v)[key], v[key])


def test_points_masks_assignment(rng):
    v = values_of(rng, "f8")
    x = lazy(v)
    check(x.vindex[[0, 3, 6], [1, 1, 10]], v[[0, 3, 6], [1, 1, 10]])
    check(x[x > 0], v[v > 0])
    check(x.blocks[0, 1:], v[:3, 4:])
    y, w = lazy(v), v.copy()
    y[y < 0] = 7
    w[w < 0] = 7
    y[1:5, ::2] = np.arange(6)
    w[1:5, ::2] = np.arange(6)
    y[2] = -1
    w[2] = -1
    y[:, [0, 5]] = np.arange(14).reshape(7, 2)
    w[:, [0, 5]] = np.arange(14).reshape(7, 2)
    check(y, w)
    with pytest.raises(IndexError):
        x[7]
    with pytest.raises(IndexError):
        x[0, 0, 0]
    with pytest.raises(NotImplementedError):
        x[[0, 1], [0, 1]]


def test_shapes(rng):
    v = values_of(rng, "i4", (4, 6))
    x = lazy(v, 2)
    check(np.moveaxis(x[None], 0, 2), np.moveaxis(v[None], 0, 2))
    check(x.reshape(2, 2, 3, 2), v.reshape(2, 2, 3, 2))
    check(x.reshape(8, 3), v.reshape(8, 3))
    check(np.pad(x, 1), np.pad(v, 1))
    check(np.pad(x, ((0, 2), (1, 0)), mode="edge"),
          np.pad(v, ((0, 2), (1, 0)), mode="edge"))
    check(np.pad(x, 2, mode="linear_ramp"), np.pad(v, 2, mode="linear_ramp"))
    check(np.roll(x, 3, axis=1), np.roll(v, 3, axis=1))
    check(np.flip(x, 0), np.flip(v, 0))
    check(np.diff(x, axis=0), np.diff(v, axis=0))
    check(np.stack([x, x], axis=1), np.stack([v, v], axis=1))
    check(np.broadcast_to(x[:, :1], (3, 4, 5)),
          np.broadcast_to(v[:, :1], (3, 4, 5)))
    check(x.repeat(2, axis=0), v.repeat(2, axis=0))
    check(np.tile(x, (2, 1)), np.tile(v, (2, 1)))
    check(np.where(x > 50, x, 0.5), np.where(v > 50, v, 0.5))
    check(np.clip(x, 20, 60), np.clip(v, 20, 60))
    check(x @ x.T, v @ v.T)
    check(np.tensordot(x, x, axes=([0], [0])),
          np.tensordot(v, v, axes=([0], [0])))
    check(np.einsum("ij,kj->ik", x, x), np.einsum("ij,kj->ik", v, v))
    check(np.gradient(x.astype("f8"), axis=1), np.gradient(v * 1.0, axis=1))
    check(np.isin(x, [1, 2, 3]), np.isin(v, [1, 2, 3]))
    check(np.tril(x), np.tril(v))


def test_odd_dtypes(rng):
    t = values_of(rng, "M8[D]")
    x = lazy(t)
    check(x - x[0], t - t[0])
    check(x.max(axis=0), t.max(axis=0))
    check(x > x[0], t > t[0])
    t[0, 0] = "NaT"
    check(np.isnat(lazy(t)), np.isnat(t))
    c = values_of(rng, "c16")
    check(lazy(c).sum(axis=0), c.sum(axis=0))
    check(lazy(c).real, c.real)
    check(abs(lazy(c)), abs(c))
    o = np.array([["a", None], [3, (1, 2)]], object)
    check(ncg.from_array(o, chunks=1)[::-1], o[::-1])
    check(ncg.from_array(o, chunks=1) == "a", o == "a")


def test_made_of_numbers():
    check(ncg.arange(3, 40, 4, chunks=3), np.arange(3, 40, 4))
    check(ncg.arange(0.0, 1.0, 0.1), np.arange(0.0, 1.0, 0.1))
    check(ncg.linspace(0, 1, 11, chunks=4), np.linspace(0, 1, 11))
    check(ncg.full((3, 4), 2.5, chunks=2), np.full((3, 4), 2.5))
    check(ncg.zeros((3, 4), dtype="M8[s]"), np.zeros((3, 4), "M8[s]"))
    one = ncg.random.default_rng(3).normal(size=(50, 40), chunks=7)
    two = ncg.random.default_rng(3).normal(size=(50, 40), chunks=20)
    np.testing.assert_array_equal(one, two)
    assert abs(float(one.mean())) < 0.1


def test_empty():
    v = np.empty((0, 5), "f4")
    x = ncg.from_array(v)
    check(x + 1, v + 1)
    check(x.sum(axis=0), v.sum(axis=0))
    check(x.T, v.T)
    check(np.concatenate([x, np.ones((2, 5), "f4")]),
          np.ones((2, 5), "f4"))
    with pytest.raises(ValueError):
        x.max()


def test_errors():
    x = ncg.ones((4, 5), chunks=2)
    with pytest.raises(ValueError):
        x + ncg.ones((3,))
    with pytest.raises(ValueError):
        x.reshape(3, 3)
    with pytest.raises(np.exceptions.AxisError):
        x.sum(axis=2)
    with pytest.raises(ValueError):
        x.rechunk((3, 3, 3))
    with pytest.raises(ValueError):
        x.rechunk(((1, 1), (5,)))
    with pytest.raises(TypeError):
        ncg.from_array(np.array(["a"])).sum().compute()
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)


def test_settings_that_cannot_be_leave_things_as_they_are():
    for name in ("memory_limit", "array.chunk-size"):
        before = ncg.config.get(name)
        with pytest.raises(ValueError, match="lots"):
            ncg.config.set({name: "lots", "progress": False})
        assert ncg.config.get(name) == before
        assert ncg.config.get("progress") == "auto"


def test_remedies_are_pythons():
    x = ncg.ones((2000, 2000), chunks=2000)
    with ncg.config.set(memory_limit="1 MiB"), \
            pytest.raises(MemoryError, match="config.set.memory_limit="):
        np.sort(x + 1, axis=1).compute()
    assert np.sort(x[:2], axis=1).compute().shape == (2, 2000)


def test_fallback_warns():
    x = ncg.from_array(np.arange(5.0), chunks=2)
    with pytest.warns(ncg.FallbackWarning):
        made = np.convolve(x, [1.0, 2.0])
    np.testing.assert_allclose(made, np.convolve(np.arange(5.0), [1, 2]))


def test_persist_and_compute_many(rng):
    v = values_of(rng, "f8")
    x = lazy(v)
    kept = (x + 1).persist()
    check(kept, v + 1)
    check(kept * 2, (v + 1) * 2)
    first = kept.compute()
    first[:] = 0
    check(kept, v + 1)
    a, (b, c), d = ncg.compute(x, [x.sum(), 3], {"k": x.T})
    np.testing.assert_array_equal(a, v)
    assert np.isclose(b, v.sum()) and c == 3
    np.testing.assert_array_equal(d["k"], v.T)


def test_sources_are_read_by_chunk():
    class Slow:
        shape, dtype, ndim = (10, 6), np.dtype("i4"), 2
        reads = []

        def __getitem__(self, key):
            self.reads.append(key)
            return np.arange(60, dtype="i4").reshape(10, 6)[key]

    source = Slow()
    x = ncg.from_array(source, chunks=(4, 6))
    assert not source.reads
    check(x[5] * 2, np.arange(30, 36, dtype="i4") * 2)
    assert len(source.reads) == 1


def test_errors_of_functions_come_through():
    class Own(Exception):
        pass

    def fails(block):
        raise Own("in a task")

    x = ncg.ones((4,), chunks=2).map_blocks(fails, dtype="f8")
    with pytest.raises(Own, match="in a task"):
        x.compute()


def test_import_is_light():
    code = ("import sys, ncgraph\n"
            "print([m for m in ('xarray', 'dask', 'cloudpickle', 'pandas',\n"
            "                      'hashlib', 'asyncio', 'ncgraph.client')\n"
            "       if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], check=True, text=True,
                          capture_output=True)
    assert done.stdout.strip() == "[]"


def test_fork(rng):
    v = values_of(rng, "f8")
    x = lazy(v) + 1
    x.compute()
    code = """
import os, sys
import numpy as np
import ncgraph as ncg
x = ncg.from_array(np.arange(12.0), chunks=5) + 1
x.compute()
child = os.fork()
if not child:
    os._exit(0 if float(x.sum()) == 78 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_made_of_positions(rng):
    v = values_of(rng, "f8", (6, 8))
    x = lazy(v, 4)
    check(ncg.eye(5, chunks=2, k=1), np.eye(5, k=1))
    check(ncg.tri(4, 5, chunks=2), np.tri(4, 5))
    check(np.diag(x), np.diag(v))
    check(np.diag(x[0], k=-1), np.diag(v[0], k=-1))
    check(ncg.indices((3, 4), chunks=2), np.indices((3, 4)))
    check(np.argwhere(x > 0), np.argwhere(v > 0))
    check(np.ediff1d(x, to_end=3.0), np.ediff1d(v, to_end=3.0))
    check(ncg.coarsen(np.sum, x, {0: 2, 1: 4}),
          v.reshape(3, 2, 2, 4).sum(axis=(1, 3)))
    with pytest.raises(ValueError):
        ncg.coarsen(np.sum, x, {0: 4})


def test_nan_sums_of_nothing(rng):
    v = rng.normal(size=(6, 4))
    v[:, 1] = np.nan
    x = ncg.from_array(v, chunks=(2, 3))
    for name in ("nansum", "nanprod"):
        fn = getattr(np, name)
        for axis in (None, 0, 1, ()):
            np.testing.assert_allclose(fn(x, axis=axis), fn(v, axis=axis))
    whole = np.where(np.isnan(v), v, 3.7)
    np.testing.assert_array_equal(
        np.nansum(ncg.from_array(whole, chunks=2), axis=0, dtype="i8"),
        np.nansum(whole, axis=0, dtype="i8"))


def test_weighted_quantiles(rng):
    v = rng.normal(size=(7, 5, 6))
    x = ncg.from_array(v, chunks=(3, 5, 2))
    w = rng.uniform(0.5, 2, size=5)
    made = np.quantile(x, [0.2, 0.7], axis=1, weights=w, method="inverted_cdf")
    assert made.shape == (2, 7, 6) and made.chunks[2] == (2, 2, 2)
    np.testing.assert_allclose(made, np.quantile(
        v, [0.2, 0.7], axis=1, weights=w, method="inverted_cdf"))
    full = rng.uniform(0.5, 2, size=v.shape)
    np.testing.assert_allclose(
        np.nanquantile(x, 0.4, axis=(0, 2), weights=full, keepdims=True,
                       method="inverted_cdf"),
        np.quantile(v, 0.4, axis=(0, 2), weights=full, keepdims=True,
                    method="inverted_cdf"))
    for q in (0.5, np.float32(0.5), [0.5], np.asarray([0.5], "f4")):
        assert np.quantile(x.astype("f4"), q, axis=0).dtype == \
            np.quantile(v.astype("f4"), q, axis=0).dtype


def test_trace_and_view(rng):
    v = rng.integers(0, 1 << 20, size=(4, 6)).astype("i8")
    x = ncg.from_array(v, chunks=(2, 3))
    assert np.trace(x, 1).compute() == np.trace(v, 1) == x.trace(1)
    for dtype in ("f8", "i4", "i2"):
        np.testing.assert_array_equal(x.view(dtype), v.view(dtype))
    small = ncg.from_array(v.view("i2"), chunks=(2, 8))
    np.testing.assert_array_equal(small.view("i8"), v)
    with pytest.raises(ValueError, match="whole values"):
        ncg.from_array(v.view("i2"), chunks=(2, 6)).view("i8")
    with pytest.raises(ValueError, match="order"):
        x.view("i4", order="asdf")


def test_masked_assignment_of_wrong_length():
    x = ncg.ones(4, chunks=2)
    for values in ([2, 3], [1, 2, 3, 4]):
        with pytest.raises(ValueError):
            x[np.array([True, True, True, False])] = values
    with pytest.raises(IndexError):
        x[np.array([[True], [False]])] = 1
