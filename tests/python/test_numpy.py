# SPDX-License-Identifier: BSD-3-Clause
"""Functions with the names of NumPy's: the same numbers, lazily."""
import warnings

import numpy as np
import pytest

import ncgraph as ncg
from ncgraph import array_api as xp
from ncgraph._explain import is_native


@pytest.fixture(autouse=True)
def _no_fallback():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ncg.FallbackWarning)
        yield


def lazy(values, chunks):
    return ncg.from_array(values, chunks=chunks)


# ---- histograms ------------------------------------------------------------------

@pytest.mark.parametrize("density", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_histograms(rng, density, weighted):
    x, y, w = rng.random((3, 90))
    given = {"density": density}
    if weighted:
        given["weights"] = w
    lazily = {k: lazy(v, 20) if k == "weights" else v for k, v in given.items()}
    edges = [0, .2, .7, 1]
    np.testing.assert_allclose(
        np.histogram(lazy(x, 20), edges, **lazily)[0],
        np.histogram(x, edges, **given)[0])
    made, first, second = np.histogram2d(
        lazy(x, 20), lazy(y, 20), bins=(3, edges), range=((0, 1), (0, 1)),
        **lazily)
    wanted = np.histogram2d(x, y, bins=(3, edges), range=((0, 1), (0, 1)),
                            **given)
    np.testing.assert_allclose(made, wanted[0])
    np.testing.assert_allclose(first, wanted[1])
    np.testing.assert_allclose(second, wanted[2])
    points = np.stack([x, y], axis=1)
    np.testing.assert_allclose(
        np.histogramdd(lazy(points, (20, 2)), [edges, edges], **lazily)[0],
        np.histogramdd(points, [edges, edges], **given)[0])


def test_histogram_of_wrong_bins():
    x = lazy(np.arange(9.), 4)
    for bins, limits in ((None, None), (5, None), (5, (1, 2, 3)), (5, 1),
                         ([[1, 2]], None)):
        with pytest.raises(ValueError, match="bins|range"):
            ncg.histogram(x, bins, limits)
    with pytest.raises(ValueError, match="density"):
        ncg.histogram(x, [1, 2], normed=True)
    with pytest.raises(ValueError, match="dimension of the sample"):
        ncg.histogramdd((x, x), [3, 3, 3], range=((0, 1),) * 3)


# ---- covariances -------------------------------------------------------------------

def test_covariances_with_weights(rng):
    v = rng.normal(size=(4, 30))
    often, heavy = rng.integers(1, 4, 30), rng.random(30)
    x = lazy(v, (2, 7))
    for given in ({}, {"fweights": often}, {"aweights": heavy}, {"bias": True},
                  {"fweights": often, "aweights": heavy, "ddof": 2}):
        np.testing.assert_allclose(np.cov(x, **given), np.cov(v, **given))
    with pytest.raises(RuntimeError, match="incompatible"):
        np.cov(x, fweights=often[:3])


# ---- choosing ----------------------------------------------------------------------

def test_choosing_by_conditions(rng):
    v = rng.integers(10, size=(15, 16))
    x = lazy(v, (4, 5))
    np.testing.assert_array_equal(
        np.select([x < 3, x > 6], [x, x * 10], default=-1),
        np.select([v < 3, v > 6], [v, v * 10], default=-1))
    np.testing.assert_array_equal(
        np.piecewise(x, [x < 3, x > 6], [lambda e, k: e * k, 7, -1], 2),
        np.piecewise(v, [v < 3, v > 6], [lambda e, k: e * k, 7, -1], 2))
    np.testing.assert_array_equal(np.extract(x > 4, x), np.extract(v > 4, v))
    np.testing.assert_array_equal(np.union1d(x[0], x[1]),
                                  np.union1d(v[0], v[1]))


@pytest.mark.parametrize("order", ["C", "F"])
def test_positions_of_the_flat_array(rng, order):
    flat = rng.integers(15 * 16, size=(4, 6))
    made = np.unravel_index(lazy(flat, (2, 4)), (15, 16), order)
    wanted = np.unravel_index(flat, (15, 16), order)
    for got, want in zip(made, wanted):
        np.testing.assert_array_equal(got, want)
    again = np.ravel_multi_index(made, (15, 16), order=order)
    np.testing.assert_array_equal(again, flat)
    with pytest.raises(TypeError, match="int"):
        np.ravel_multi_index([lazy(np.ones(3), 2)], (4,))


def test_search_with_a_sorter(rng):
    v = rng.random(20)
    order = np.argsort(v)
    np.testing.assert_array_equal(
        np.searchsorted(v, lazy(v[:7], 3), sorter=order),
        np.searchsorted(v, v[:7], sorter=order))


# ---- generalised ufuncs ----------------------------------------------------------------

def test_gufunc_without_inputs():
    made = xp.apply_gufunc(lambda: np.array([1, 2, 3]), "->(i)",
                           output_dtypes=int, output_sizes={"i": 3})
    np.testing.assert_array_equal(made, [1, 2, 3])
    np.testing.assert_array_equal(
        ncg.map_blocks(lambda: np.ones((2, 3)), chunks=(2, 3), dtype="f8"),
        np.ones((2, 3)))


def test_gufunc_along_another_axis(rng):
    v = rng.normal(size=(3, 6, 4))
    x = lazy(v, 2)
    made = xp.apply_gufunc(lambda b: np.cumsum(b, axis=-1), "(i)->(i)", x,
                           axis=1, allow_rechunk=True)
    np.testing.assert_allclose(made, np.cumsum(v, axis=1))
    shorter = xp.apply_gufunc(lambda b: np.diff(b, axis=-1), "(i)->(i)", x,
                              axis=1, output_sizes={"i": 5},
                              allow_rechunk=True)
    np.testing.assert_allclose(shorter, np.diff(v, axis=1))


def test_gufunc_object(rng):
    v = rng.normal(size=(5, 8))
    mean = xp.gufunc(lambda b: b.mean(axis=-1), signature="(i)->()",
                     output_dtypes=float)
    np.testing.assert_allclose(mean(lazy(v, (2, 8))), v.mean(axis=-1))
    with pytest.raises(ValueError, match="multiple chunks"):
        mean(lazy(v, (2, 3)))
    with pytest.raises(ValueError, match="different chunksize"):
        xp.apply_gufunc(np.add, "(),()->()", lazy(v[0], 3), lazy(v[0], 4))
    with pytest.raises(ValueError, match="axes"):
        xp.apply_gufunc(np.mean, "(i)->()", lazy(v, 8), axes=[0, 0])


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u1"])
@pytest.mark.parametrize("size", [2, 3, 50])
def test_gradient(rng, dtype, size):
    v = (rng.random((size, 6)) * 99).astype(dtype)
    if dtype[0] == "f":
        v[1, 0] = np.nan  # its neighbours do without it
    x = ncg.from_array(v, chunks=(4, 4))
    for step in (1, 2.5, np.float64(0.3), np.arange(size) * 2,
                 np.sort(rng.random(size)), -0.5 * np.arange(size)):
        for order in (1, 2):
            if size <= order:
                continue
            wanted = np.gradient(v, step, axis=0, edge_order=order)
            made = np.gradient(x, step, axis=0, edge_order=order)
            assert made.dtype == wanted.dtype and is_native(made)
            np.testing.assert_allclose(
                made, wanted, rtol=1e-5 if dtype == "f4" else 1e-10,
                atol=1e-3 if dtype == "f4" else 1e-9)
    both = np.gradient(x, 2.0, 3.0)
    for made, wanted in zip(both, np.gradient(v, 2.0, 3.0)):
        np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-5)


def test_gradients_that_cannot_be():
    x = ncg.ones((5, 2), chunks=2)
    with pytest.raises(ValueError, match="too small"):
        np.gradient(x, axis=1, edge_order=2)
    with pytest.raises(ValueError, match="greater than 2"):
        np.gradient(x, axis=0, edge_order=3)
    with pytest.raises(ValueError, match="must match the length"):
        np.gradient(x, np.arange(4), axis=0)
    with pytest.raises(TypeError):
        np.gradient(x, 1, 2, 3)
    z = np.arange(6) * 1j
    np.testing.assert_allclose(np.gradient(ncg.from_array(z, chunks=2)),
                               np.gradient(z))


def test_gradient_of_half_floats(rng):
    v = (rng.random((6, 4)) * 99).astype("f2")
    for step in (2.5, np.float64(0.3), np.sort(rng.random(6))):
        for order in (1, 2):
            wanted = np.gradient(v, step, axis=0, edge_order=order)
            made = np.gradient(lazy(v, (2, 4)), step, axis=0, edge_order=order)
            assert made.dtype == wanted.dtype
            np.testing.assert_allclose(made, wanted, rtol=5e-3, atol=0.1)


def test_no_gradient_is_plus_nothing():
    made = np.gradient(ncg.ones(4, chunks=2), np.array([0, 1, 3, 7]))
    assert not np.signbit(made).any()


# ---- half and long floats beside others ------------------------------------------

@pytest.mark.parametrize("odd", ["f2", "g"])
@pytest.mark.parametrize("other", ["i4", "f4", "f8", "?"])
def test_floats_that_the_engine_does_not_know(rng, odd, other):
    a = (rng.integers(-50, 50, (6, 6)) / 8).astype(odd)
    b = rng.integers(0, 9, (6, 6)).astype(other)
    x, y = lazy(a, (2, 3)), lazy(b, (3, 4))
    for f in (np.add, np.multiply, np.maximum, np.arctan2, np.less, np.dot,
              np.matmul, np.tensordot, lambda p, q: np.where(q > 3, p, q),
              lambda p, q: np.add(p, p, dtype="f8"),
              lambda p, q: np.einsum("ij,ij->i", p, q)):
        wanted, made = np.asarray(f(a, b)), f(x, y)
        assert made.dtype == wanted.dtype
        np.testing.assert_allclose(np.asarray(made), wanted, rtol=5e-3)


# ---- what reductions take besides ------------------------------------------------

@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
@pytest.mark.parametrize("dtype", ["i4", "f8"])
def test_reductions_of_some_values(rng, dtype, axis):
    v = rng.integers(1, 3, (7, 5)).astype(dtype)
    mask = rng.random((7, 5)) > 0.5
    x, which = lazy(v, (3, 2)), lazy(mask, (2, 5))
    for name in ("sum", "prod", "any", "all", "nansum", "nanprod"):
        f = getattr(np, name)
        np.testing.assert_array_equal(f(x, axis=axis, where=which),
                                      f(v, axis=axis, where=mask))
        np.testing.assert_array_equal(f(x, axis=axis, where=mask[0]),
                                      f(v, axis=axis, where=mask[0]))
    for name in ("sum", "prod", "min", "max", "nanmin", "nanmax"):
        for more in ({}, {"where": mask}):
            f = getattr(np, name)
            np.testing.assert_array_equal(f(x, axis=axis, initial=3, **more),
                                          f(v, axis=axis, initial=3, **more))
    np.testing.assert_array_equal(
        np.add.reduce(x, axis=axis, where=which, initial=2),
        np.add.reduce(v, axis=axis, where=mask, initial=2))
    np.testing.assert_array_equal(x.max(axis=axis, initial=99),
                                  v.max(axis=axis, initial=99))
    np.testing.assert_array_equal(np.ptp(x, axis=axis, keepdims=True),
                                  np.ptp(v, axis=axis, keepdims=True))


def test_reductions_refuse_what_they_do_not_know():
    x = ncg.ones((4, 3), chunks=2)
    for name in ("mean", "std", "var", "nanmean"):
        with pytest.raises(ncg.UnsupportedError, match="where"):
            getattr(np, name)(x, where=np.ones(3, bool))
    with pytest.raises(ValueError, match="initial"):
        np.min(x, where=np.ones(3, bool))
    with pytest.raises(TypeError, match="axes"):
        ncg.sum(x, axes=0)
    assert np.min(ncg.ones((0, 3)), axis=1).shape == (0,)
    assert np.min(ncg.ones((0, 3)), axis=0, initial=5).compute()[0] == 5


# ---- order=, out= and mode= ------------------------------------------------------

@pytest.mark.parametrize("dtype", ["f8", "c8"])
def test_values_in_the_order_of_columns(rng, dtype):
    v = rng.normal(size=(4, 3, 2)).astype(dtype)
    x = lazy(v, (3, 2, 2))
    for made, wanted in (
            (np.ravel(x, order="F"), v.ravel("F")),
            (x.flatten("F"), v.flatten("F")),
            (np.reshape(x, (6, -1), "F"), v.reshape((6, -1), order="F")),
            (x.reshape((2, 12), order="F"), v.reshape((2, 12), order="F")),
            (x.ravel("A"), v.ravel("A"))):
        np.testing.assert_array_equal(made, wanted)


def test_results_are_put_where_they_are_wanted(rng):
    v = rng.normal(size=(4, 6))
    x = lazy(v, (3, 2))
    for f in (lambda a, o: np.clip(a, 0, 1, out=o),
              lambda a, o: np.clip(a, 0, 1, o),
              lambda a, o: a.clip(0, 1, out=o),
              lambda a, o: np.round(a, 1, out=o),
              lambda a, o: a.round(1, o),
              lambda a, o: np.median(a, axis=0, out=o),
              lambda a, o: np.dot(a, a.T, out=o),
              lambda a, o: np.concatenate([a, a], out=o),
              lambda a, o: np.take(a, [0, 1], axis=0, out=o),
              lambda a, o: np.ptp(a, axis=0, out=o)):
        wanted = f(v, None)
        for target in (np.zeros(wanted.shape),
                       ncg.zeros(wanted.shape, chunks=2)):
            f(x, target)
            np.testing.assert_allclose(target, wanted)


def test_positions_outside(rng):
    v = rng.normal(size=(4, 6))
    for mode in ("wrap", "clip"):
        np.testing.assert_array_equal(
            np.take(lazy(v, (3, 2)), [0, 7, -1], axis=1, mode=mode),
            np.take(v, [0, 7, -1], axis=1, mode=mode))
    made = np.vstack([lazy(v, (3, 2)), v], dtype="f4")
    assert made.dtype == "f4" and np.hstack([made], dtype="f8").dtype == "f8"


def equal(f, *args, **kwargs):
    """Compare a function with NumPy's; its arrays are lazy."""
    wanted = f(*args, **kwargs)
    made = f(*[lazy(a, 2) if isinstance(a, np.ndarray) else a for a in args],
             **kwargs)
    assert isinstance(made, ncg.Array)
    assert made.shape == wanted.shape and made.dtype == wanted.dtype
    np.testing.assert_allclose(np.asarray(made), wanted)


def test_axes_of_cross(rng):
    a, b = rng.random((3, 4, 5)), rng.random((4, 3, 5))
    equal(np.cross, a, b, axisa=0, axisb=1)
    equal(np.cross, a, b, axisa=0, axisb=1, axisc=0)
    equal(np.cross, a, a, axis=0)


def test_scalars_and_vectors_where_more_axes_are_usual():
    one = np.array(3.0)
    equal(np.repeat, one, 2)
    equal(np.repeat, one, 2, 0)
    equal(np.argsort, one)
    equal(np.take, one, [0, 0], 0)
    equal(np.cumulative_sum, one, axis=0)
    equal(np.tril, np.arange(4.0))
    equal(np.triu, np.arange(4.0), 1)


def test_limits_outside_the_dtype():
    equal(np.clip, np.arange(5, dtype="u1"), -2, 300)
    equal(np.clip, np.arange(5, dtype="u8"), -2, 3)
    equal(np.clip, np.arange(-5, 5, dtype="i1"), -1000, None)


def test_open_meshes(rng):
    v = rng.random((3, 4, 5))
    for key in (np.ix_([0, 2], [1, 3, 1], [4]), np.ix_([0, 2], [1, 3])):
        np.testing.assert_array_equal(lazy(v, 2)[key], v[key])


@pytest.mark.parametrize("f", [np.dot, np.outer, np.quantile, np.nanmedian])
def test_out_by_position(rng, f):
    v = rng.random((3, 3))
    args = {np.dot: (v, v), np.outer: (v[0], v[1]), np.quantile: (v, 0.3, 1),
            np.nanmedian: (v, 1)}[f]
    wanted = f(*args)
    for target in (np.zeros(wanted.shape), ncg.zeros(wanted.shape)):
        assert f(*[lazy(a, 2) if isinstance(a, np.ndarray) else a
                   for a in args], target) is target
        np.testing.assert_allclose(target, wanted)


@pytest.mark.parametrize("f", [np.concatenate, np.stack])
def test_joining_into(rng, f):
    v = rng.random((3, 4))
    wanted = f([v, v])
    target = np.zeros(wanted.shape, "f4")
    assert f([lazy(v, 2)] * 2, out=target) is target
    np.testing.assert_allclose(target, wanted, rtol=1e-6)
    with pytest.raises(TypeError, match="Cannot cast"):
        f([lazy(v, 2)] * 2, dtype="i4")
    assert f([lazy(v, 2)] * 2, dtype="i4", casting="unsafe").dtype == "i4"


# ---- quantiles of what was moved ------------------------------------------------------

@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_quantiles_look_through_rechunk_and_transpose(rng, order):
    v = rng.normal(size=(7, 4, 5))
    v[rng.random(v.shape) < 0.2] = np.nan
    x = lazy(v, (2, 3, 2)).rechunk((7, 2, 5)).transpose(order).rechunk(3)
    v = v.transpose(order)
    for axis in (0, -1, (0, 2), (2, 1)):
        for keep in (False, True):
            for q in (0.3, np.array([0.1, 0.9])):
                wanted = np.nanquantile(v, q, axis=axis, keepdims=keep)
                made = np.nanquantile(x, q, axis=axis, keepdims=keep)
                np.testing.assert_allclose(made, wanted)
                axes = np.atleast_1d(axis) % 3
                assert made.chunks[np.ndim(q):] == tuple(
                    (1,) if d in axes else c for d, c in enumerate(x.chunks)
                    if keep or d not in axes)
    text = ncg._explain.explain(np.median(x, axis=0), optimized=False)
    lines = text.splitlines()
    place = [i for i, s in enumerate(lines) if "ncg.quantile" in s]
    assert len(place) == 1 and "(7, 4, 5)" in lines[place[0] + 1]
    assert lines[place[0] + 1].split()[0] == "source"


# ---- what NumPy refuses ---------------------------------------------------------------

REFUSED = {
    "parts that are not equal": lambda a: np.split(a, 3),
    "negative powers of integers": lambda a: a ** -1,
    "a negative power that is NumPy's": lambda a: a ** np.int64(-1),
    "a negative power without axes": lambda a: a ** np.array(-1),
    "negative powers in a list": lambda a: a ** [1, -1],
    "negative powers of one number": lambda a: np.power(
        a, np.full((4, 2), -3)),
    "a place of another shape for a join": lambda a: np.concatenate(
        [a, a], out=np.zeros((2, 8, 2), int)),
    "a place of another shape for a stack": lambda a: np.stack(
        [a, a], out=np.zeros((2, 2, 4, 2), int)),
    "a place of another shape for a product": lambda a: np.dot(
        a, a.T, out=np.zeros((2, 4, 4), int)),
    "a place of another dtype for a product": lambda a: np.dot(
        a, a.T, out=np.zeros((4, 4), "f4")),
    "a place in another order for a product": lambda a: np.dot(
        a, a.T, out=np.zeros((4, 4), int, order="F")),
    "a join that casts": lambda a: np.concatenate(
        [a, a.astype("f8")], casting="no"),
    "a stack that casts": lambda a: np.stack(
        [a, a.astype("i2")], casting="equiv"),
    "a stack of what": lambda a: np.stack([a, a], what=1),
    "a diagonal that is too short": lambda a: np.einsum("ii", a),
    "a diagonal that is too long": lambda a: np.einsum("ii", a.T),
    "an axis of nothing": lambda a: np.flip(a[:0], 9),
    "an axis of nothing to roll": lambda a: np.roll(a[:0], 1, 9),
    "a field of numbers": lambda a: a["x"],
    "too many letters": lambda a: np.einsum("ijk->i", a),
    "a position outside": lambda a: np.insert(a, 99, 0),
}


def test_negative_powers_that_nobody_has_seen():
    values = np.arange(1, 9).reshape(4, 2)
    a = ncg.from_array(values, chunks=(2, 1))
    with pytest.raises(ValueError, match="negative integer powers"):
        (a ** (a - 3)).compute()
    made = a ** (a - 1)
    assert made.dtype == values.dtype
    np.testing.assert_array_equal(made, values ** (values - 1))
    unsigned = a ** a.astype("u2")
    np.testing.assert_array_equal(unsigned, values ** values)
    assert "python" not in str(ncg.explain(unsigned))


@pytest.mark.parametrize("what", REFUSED)
def test_what_numpy_refuses(what):
    v = np.arange(8).reshape(4, 2)
    with pytest.raises(Exception) as wanted:
        REFUSED[what](v)
    with pytest.raises(wanted.type):
        REFUSED[what](lazy(v, 3))


def test_what_numpy_does_not_refuse():
    """Beside what test_what_numpy_refuses has."""
    v = np.arange(8).reshape(4, 2)
    equal(lambda a: a[:0] ** -1, v)
    out = np.full((4, 2), 7)
    assert np.power(lazy(v, 3), -1, where=np.zeros((4, 2), bool),
                    out=out) is out and (out == 7).all()
    equal(lambda a: (a + 1.0) ** np.int64(-1), v)
    equal(lambda a: a ** np.array([0, 3]), v)
    equal(lambda a: np.concatenate([a, a], casting="no"), v)
    out = np.zeros((8, 2))
    assert np.concatenate([lazy(v, 3)] * 2, out=out) is out
    np.testing.assert_array_equal(out, np.concatenate([v, v]))
    out = np.zeros((4, 4), int)
    assert np.dot(lazy(v, 3), lazy(v.T, 2), out=out) is out
    np.testing.assert_array_equal(out, v @ v.T)


def test_quantiles_without_probabilities(rng):
    v = rng.random((4, 5)).astype("f4")
    for axis in (None, 0, (1, 0)):
        for keep in (False, True):
            equal(np.quantile, v, [], axis=axis, keepdims=keep)
            equal(np.nanquantile, v, [], axis=axis, keepdims=keep)


def test_dtypes_of_functions_of_python(rng):
    """dtype= of what the engine has no kernel for."""
    v = rng.random((3, 4)).astype("f4")
    equal(np.logaddexp, v, v, dtype="f8")
    equal(np.add, v, v, dtype="c16")
    equal(np.cbrt, v, dtype="f8")


def test_insert_into_the_flat_array():
    equal(np.insert, np.arange(6).reshape(2, 3), 2, 9)


@pytest.mark.filterwarnings("ignore:Mean of empty", "ignore:invalid value",
                            "ignore:All-NaN")
@pytest.mark.parametrize("f", [np.median, np.nanmedian])
def test_medians_of_nothing_and_of_complex_numbers(rng, f):
    for axis in (None, 0, 1):
        for keep in (False, True):
            equal(f, np.ones((4, 0)), axis=axis, keepdims=keep)
            equal(f, rng.random((3, 4)) + 1j, axis=axis, keepdims=keep)


def test_quantiles_that_are_integers_stay_integers_to_what_follows():
    numbers = np.array([50, 32, 7], "u2")
    made = np.quantile(ncg.from_array(numbers, chunks=2), [0.1, 0.9],
                       method="nearest")
    assert made.dtype == numbers.dtype
    np.testing.assert_array_equal(-made, -np.array([7, 50], "u2"))


def test_medians_of_differences_of_time():
    values = np.array([[3, 10, 5, 8], [1, 2, 4, 9]], "m8[s]")
    a = ncg.from_array(values, chunks=(1, 2))
    for axis in (0, 1, None):
        np.testing.assert_array_equal(np.median(a, axis=axis),
                                      np.median(values, axis=axis))
    values[0, 0] = "NaT"
    a = ncg.from_array(values, chunks=(1, 2))
    np.testing.assert_array_equal(np.nanmedian(a, axis=1),
                                  np.nanmedian(values, axis=1))


@pytest.mark.parametrize("name", ["any", "all", "min", "max"])
def test_reduced_truth_values_are_truth_values_to_what_follows(name):
    values = np.array([[True, False], [False, False], [True, True]])
    a = ncg.from_array(values, chunks=(2, 1))
    follow = (lambda v: v << 1, lambda v: v.astype("i8") % 0, np.invert,
              lambda v: v ^ True, lambda v: v.astype("u1") << 3)
    for axis in (None, 0, (0, 1)):
        made, wanted = (getattr(x, name)(axis=axis) for x in (a, values))
        for f in follow:
            with np.errstate(divide="ignore"):
                want = f(wanted)
            assert f(made).dtype == want.dtype
            np.testing.assert_array_equal(f(made), want)


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "i8"])
def test_groups_without_values_are_nan(dtype):
    values = np.array([[1, 0], [0, 1], [1, 1]], dtype)
    a = ncg.from_array(values, chunks=(2, 1))
    for op in ("min", "max", "first", "last"):
        made = ncg.groupby_reduce(a, [0, 2, 2], 0, op)
        assert made.dtype == "f8"
        assert np.isnan(np.asarray(made)[1]).all()
        full = ncg.groupby_reduce(a, [0, 1, 1], 0, op)
        assert full.dtype == dtype
        np.testing.assert_array_equal(np.asarray(made)[[0, 2]], full)
    made = ncg.groupby_reduce(a, [0, 2, 2], 0, "sum")
    np.testing.assert_array_equal(np.asarray(made)[1], [0, 0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("chunks", [1, 2, 3, -1])
def test_spreads_of_infinities(dtype, chunks):
    inf, nan = np.inf, np.nan
    values = np.array([[inf, 1, inf, -inf, nan, nan, 2],
                       [inf, 2, 1, inf, inf, nan, 2],
                       [inf, 3, 2, 1, inf, nan, 2]], dtype)
    for shape in (values, values.T.copy(), np.stack([values] * 20)):
        a = ncg.from_array(shape, chunks=chunks)
        for name in ("std", "var", "nanstd", "nanvar"):
            for axis in (0, 1, None):
                for ddof in (0, 1):
                    np.testing.assert_allclose(
                        getattr(np, name)(a, axis=axis, ddof=ddof),
                        getattr(np, name)(shape, axis=axis, ddof=ddof),
                        rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_windows_and_groups_of_infinities():
    inf = np.inf
    values = np.array([inf, inf, inf, 1, 2, 3, inf, 4, -inf, -inf, -inf, 5.])
    a = ncg.from_array(values, chunks=4)
    windows = np.lib.stride_tricks.sliding_window_view
    for name in ("std", "var", "mean", "sum", "min", "max"):
        np.testing.assert_allclose(
            getattr(windows(a, 3), name)(axis=-1),
            getattr(windows(values, 3), name)(axis=-1), err_msg=name)
    labels = np.arange(12) // 3
    wanted = values.reshape(4, 3).std(axis=1)
    np.testing.assert_allclose(
        ncg.groupby_reduce(a, labels, 0, "std"), wanted)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["f2", "f4", "c8"])
@pytest.mark.parametrize("name", ["nansum", "nanprod"])
def test_nan_that_parts_give_is_not_left_out(name, dtype):
    values = np.array([np.inf, -np.inf, np.nan, 0, np.inf, 2], dtype)
    for chunks in (1, 2, 3):
        made = getattr(np, name)(ncg.from_array(values, chunks=chunks))
        np.testing.assert_array_equal(made, getattr(np, name)(values))


def test_what_is_asked_for_is_not_left_aside():
    half = np.array([np.nan, np.inf, -np.inf, 1], "f2")
    a = ncg.from_array(half, chunks=2)
    np.testing.assert_array_equal(
        np.nan_to_num(a, nan=5, posinf=6, neginf=7), [5, 6, 7, 1])
    rows = np.array([(1, 2), (0, 3), (2, 1)], [("x", "i4"), ("y", "i4")])
    np.testing.assert_array_equal(
        np.sort(ncg.from_array(rows, chunks=2), order="y"),
        np.sort(rows, order="y"))
    with pytest.raises(TypeError, match="where"):
        np.clip(a, 0, 1, where=half > 0)


@pytest.mark.parametrize("f", [
    lambda a: a + 300, lambda a: a * -1, lambda a: a ** 256,
    lambda a: np.maximum(a, 256), lambda a: np.block((a, a)),
    lambda a: np.block([]), lambda a: np.block([[a], a])])
def test_refused_when_it_is_written(f):
    a = ncg.ones(3, dtype="u1", chunks=2)
    with pytest.raises(Exception) as wanted:
        f(np.ones(3, "u1"))
    with pytest.raises(wanted.type):
        f(a)
    assert bool((a < 300).all()) and not bool((a == -1).any())
