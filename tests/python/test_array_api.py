# SPDX-License-Identifier: BSD-3-Clause
"""ncgraph.array_api against array-api-strict, over random inputs.

Every function of the standard that the namespace has is called with the
standard's arguments; the results have the same dtypes, shapes and values.
"""
import functools
import types

import numpy as np
import pytest

import ncgraph as ncg
from ncgraph import array_api

strict = pytest.importorskip("array_api_strict")
pytestmark = pytest.mark.filterwarnings("ignore")

SEEDS = (1, 2, 3)
FLOATS, INTS = ("float32", "float64"), ("int8", "uint8", "int32", "int64",
                                        "uint64")


class Inputs:
    """Random arrays by name, for one of the two namespaces."""

    def __init__(self, xp, seed):
        rng = np.random.default_rng(seed)
        self.xp, self.seed = xp, seed
        self.float = FLOATS[seed % 2]
        self.int = INTS[seed % len(INTS)]
        n, m = rng.integers(2, 9, size=2)
        self._shape = (int(n), int(m))

        def number(scale=3.0):
            v = rng.normal(scale=scale, size=self._shape)
            return v.astype(self.float)

        def integer(low=0, high=7):
            return rng.integers(low, high, size=self._shape).astype(self.int)
        self._values = {
            "x": number(), "y": number(), "p": np.abs(number()) + 0.25,
            "u": rng.uniform(-0.9, 0.9, self._shape).astype(self.float),
            "odd": np.where(rng.random(self._shape) < 0.3, np.asarray(
                rng.choice([np.nan, np.inf, -np.inf, -0.0], self._shape)),
                number()).astype(self.float),
            "i": integer(), "j": integer(1), "s": integer(0, 5),
            "b": rng.random(self._shape) < 0.5,
            "c": rng.random(self._shape) < 0.5,
            "z": (number() + 1j * number()).astype(
                "complex64" if self.float == "float32" else "complex128"),
            "line": np.sort(rng.normal(size=7)).astype(self.float),
            "row": number()[:1], "at": rng.integers(0, n, 6),
            "sq": rng.normal(size=(int(n), int(n))).astype(self.float),
        }

    def __getattr__(self, name):
        values = self.__dict__["_values"][name]
        if self.xp is strict:
            return strict.asarray(values)
        return ncg.from_array(values, chunks=tuple(
            max(1, (s + 1) // 2) for s in values.shape))


def _each(names, *args):
    return {n: [functools.partial(
        lambda xp, a, n, args: getattr(xp, n)(*(getattr(a, v) for v in args)),
        n=n, args=args)] for n in names.split()}


# name of the function: calls of it
CASES = {
    **_each("acosh sqrt log log10 log1p log2 reciprocal", "p"),
    **_each("acos asin atanh", "u"),
    **_each("abs asinh atan ceil cos cosh exp expm1 floor isfinite isinf isnan "
            "negative positive round sign signbit sin sinh square tan tanh "
            "trunc", "odd"),
    **_each("add atan2 copysign divide equal greater greater_equal hypot less "
            "less_equal logaddexp maximum minimum multiply nextafter not_equal "
            "subtract", "x", "y"),
    **_each("bitwise_and bitwise_or bitwise_xor", "i", "j"),
    **_each("bitwise_left_shift bitwise_right_shift", "i", "s"),
    **_each("bitwise_invert", "i"),
    **_each("logical_and logical_or logical_xor", "b", "c"),
    **_each("logical_not", "b"), **_each("conj imag real", "z"),
    **_each("tril triu", "x"), **_each("nonzero", "b"),
    **_each("zeros_like ones_like", "x"), **_each("unique_values", "i"),
    **_each("result_type", "x", "y"),
}


def case(name):
    """Add a call of a function of the standard."""
    def add(function):
        CASES.setdefault(name, []).append(function)
        return function
    return add


for _op in "abs negative sign square positive".split():
    case(_op)(lambda xp, a, n=_op: getattr(xp, n)(a.i))
for _op in ("add subtract multiply maximum minimum equal less floor_divide "
            "remainder").split():
    case(_op)(lambda xp, a, n=_op: getattr(xp, n)(a.i, a.j))
for _op in "add multiply divide abs exp sqrt negative".split():
    case(_op)(lambda xp, a, n=_op: getattr(xp, n)(*(
        (a.z, a.z) if n in ("add", "multiply", "divide") else (a.z,))))
for _op in "sum prod mean max min std var".split():
    for _k in ({}, {"axis": 0}, {"axis": -1, "keepdims": True},
               {"axis": (0, 1)}):
        case(_op)(lambda xp, a, n=_op, k=_k: getattr(xp, n)(a.x, **k))
for _op in "sum prod max min".split():
    case(_op)(lambda xp, a, n=_op: getattr(xp, n)(a.i, axis=1))
for _op in "sum prod cumulative_sum cumulative_prod".split():
    case(_op)(lambda xp, a, n=_op: getattr(xp, n)(a.s, axis=0,
                                                  dtype=xp.float64))
for _op in "std var".split():
    case(_op)(lambda xp, a, n=_op: getattr(xp, n)(a.x, axis=0, correction=1))
for _op in "any all".split():
    for _k in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}):
        case(_op)(lambda xp, a, n=_op, k=_k: getattr(xp, n)(a.b, **k))
        case(_op)(lambda xp, a, n=_op, k=_k: getattr(xp, n)(a.i, **k))
for _op in "argmax argmin".split():
    for _k in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}):
        case(_op)(lambda xp, a, n=_op, k=_k: getattr(xp, n)(a.x, **k))
for _k in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}):
    case("count_nonzero")(lambda xp, a, k=_k: xp.count_nonzero(a.i, **k))
for _op in "cumulative_sum cumulative_prod".split():
    for _k in ({"axis": 0}, {"axis": 1, "include_initial": True}):
        case(_op)(lambda xp, a, n=_op, k=_k: getattr(xp, n)(a.x, **k))
        case(_op)(lambda xp, a, n=_op, k=_k: getattr(xp, n)(a.s, **k))
for _op in "sort argsort".split():
    for _k in ({}, {"axis": 0}, {"axis": 1, "descending": True}):
        case(_op)(lambda xp, a, n=_op, k=_k: getattr(xp, n)(a.x, **k))

MORE = {
    "arange": [lambda xp, a: xp.arange(3, 11, 2),
               lambda xp, a: xp.arange(0.0, 2.0, 0.25),
               lambda xp, a: xp.arange(a.seed, dtype=xp.float32)],
    "asarray": [lambda xp, a: xp.asarray([[1, 2], [3, 4]]),
                lambda xp, a: xp.asarray(a.x),
                lambda xp, a: xp.asarray([1.5, 2], dtype=xp.float32)],
    "astype": [lambda xp, a: xp.astype(a.i, xp.float32),
               lambda xp, a: xp.astype(a.x, xp.int64),
               lambda xp, a: xp.astype(a.b, xp.int8, copy=False)],
    "broadcast_arrays": [lambda xp, a: xp.broadcast_arrays(a.x, a.row)],
    "broadcast_shapes": [lambda xp, a: xp.broadcast_shapes((1, 3), (5, 1))],
    "broadcast_to": [lambda xp, a: xp.broadcast_to(a.row, (3,) + a._shape)],
    "can_cast": [lambda xp, a: xp.can_cast(xp.int8, xp.int64),
                 lambda xp, a: xp.can_cast(xp.float64, xp.int32)],
    "clip": [lambda xp, a: xp.clip(a.x, -1.0, 1.0),
             lambda xp, a: xp.clip(a.x, min=0.5),
             lambda xp, a: xp.clip(a.x, max=a.y),
             lambda xp, a: xp.clip(a.i, 1, 4)],
    "concat": [lambda xp, a: xp.concat([a.x, a.y], axis=1),
               lambda xp, a: xp.concat([a.x, a.row, a.y]),
               lambda xp, a: xp.concat([a.x, a.y], axis=None)],
    "diff": [lambda xp, a: xp.diff(a.x), lambda xp, a: xp.diff(a.i, axis=0),
             lambda xp, a: xp.diff(a.x, n=2, axis=0),
             lambda xp, a: xp.diff(a.x, axis=0, prepend=a.row,
                                   append=a.row)],
    "empty": [lambda xp, a: xp.empty((2, 3)).shape,
              lambda xp, a: xp.empty((0, 3), dtype=xp.int8)],
    "empty_like": [lambda xp, a: xp.empty_like(a.x).shape],
    "expand_dims": [lambda xp, a: xp.expand_dims(a.x, axis=0),
                    lambda xp, a: xp.expand_dims(a.x, axis=-1)],
    "eye": [lambda xp, a: xp.eye(4),  # the second argument is dask's chunks
            lambda xp, a: xp.eye(4, k=-1, dtype=xp.int16)],
    "finfo": [lambda xp, a: xp.finfo(xp.float32).eps],
    "flip": [lambda xp, a: xp.flip(a.x), lambda xp, a: xp.flip(a.x, axis=1)],
    "floor_divide": [lambda xp, a: xp.floor_divide(a.x, a.p)],
    "full": [lambda xp, a: xp.full((2, 3), 1.5), lambda xp, a: xp.full(4, 7),
             lambda xp, a: xp.full((2,), True),
             lambda xp, a: xp.full((2,), 3, dtype=xp.float32)],
    "full_like": [lambda xp, a: xp.full_like(a.i, 3)],
    "iinfo": [lambda xp, a: xp.iinfo(xp.int16).max],
    "isdtype": [lambda xp, a: xp.isdtype(a.i.dtype, "integral"),
                lambda xp, a: xp.isdtype(a.x.dtype, ("bool", "integral"))],
    "isin": [lambda xp, a: xp.isin(a.i, a.at.astype(a.i.dtype))
             if xp is not strict else xp.isin(a.i, xp.astype(
                 a.at, a.i.dtype)),
             lambda xp, a: xp.isin(a.i, a.j)],
    "linspace": [lambda xp, a: xp.linspace(0.0, 2.0, 7),
                 lambda xp, a: xp.linspace(1, 2, 5, endpoint=False),
                 lambda xp, a: xp.linspace(0, 9, 4, dtype=xp.float32)],
    "matmul": [lambda xp, a: xp.matmul(a.x, xp.permute_dims(a.y, (1, 0))),
               lambda xp, a: xp.matmul(a.sq, a.x)],
    "matrix_transpose": [lambda xp, a: xp.matrix_transpose(a.x)],
    "meshgrid": [lambda xp, a: xp.meshgrid(a.line, a.line),
                 lambda xp, a: xp.meshgrid(a.line, a.line, indexing="ij")],
    "moveaxis": [lambda xp, a: xp.moveaxis(a.x, 0, 1)],
    "ones": [lambda xp, a: xp.ones((2, 3)),
             lambda xp, a: xp.ones(3, dtype=xp.int8)],
    "permute_dims": [lambda xp, a: xp.permute_dims(a.x, (1, 0))],
    "pow": [lambda xp, a: xp.pow(a.p, a.y), lambda xp, a: xp.pow(a.x, 2)],
    "remainder": [lambda xp, a: xp.remainder(a.x, a.p)],
    "repeat": [lambda xp, a: xp.repeat(a.x, 3, axis=0),
               lambda xp, a: xp.repeat(a.x, 2)],
    "reshape": [lambda xp, a: xp.reshape(a.x, (-1,)),
                lambda xp, a: xp.reshape(a.x, (1, a._shape[1], a._shape[0]))],
    "roll": [lambda xp, a: xp.roll(a.x, 2), lambda xp, a: xp.roll(
        a.x, (1, -2), axis=(0, 1)), lambda xp, a: xp.roll(a.x, -1, axis=1)],
    "searchsorted": [lambda xp, a: xp.searchsorted(a.line, xp.reshape(
        a.x, (-1,))), lambda xp, a: xp.searchsorted(
            a.line, xp.reshape(a.x, (-1,)), side="right")],
    "squeeze": [lambda xp, a: xp.squeeze(a.row, axis=0)],
    "stack": [lambda xp, a: xp.stack([a.x, a.y]),
              lambda xp, a: xp.stack([a.x, a.y], axis=-1)],
    "take": [lambda xp, a: xp.take(a.x, a.at, axis=0)],
    "take_along_axis": [lambda xp, a: xp.take_along_axis(
        a.x, xp.argsort(a.x, axis=1), axis=1)],
    "tensordot": [lambda xp, a: xp.tensordot(a.x, a.y, axes=2),
                  lambda xp, a: xp.tensordot(a.sq, a.x, axes=1),
                  lambda xp, a: xp.tensordot(a.x, a.y, axes=((1,), (1,)))],
    "tile": [lambda xp, a: xp.tile(a.x, (2, 1)),
             lambda xp, a: xp.tile(a.x, (2, 1, 3))],
    "unique_all": [lambda xp, a: xp.unique_all(a.i)],
    "unique_counts": [lambda xp, a: xp.unique_counts(a.i)],
    "unique_inverse": [lambda xp, a: xp.unique_inverse(a.i)],
    "unstack": [lambda xp, a: xp.unstack(a.x),
                lambda xp, a: xp.unstack(a.x, axis=1)],
    "vecdot": [lambda xp, a: xp.vecdot(a.x, a.y),
               lambda xp, a: xp.vecdot(a.x, a.y, axis=-2),
               lambda xp, a: xp.vecdot(a.z, a.z)],
    "where": [lambda xp, a: xp.where(a.b, a.x, a.y),
              lambda xp, a: xp.where(a.b, a.x, a.row)],
    "zeros": [lambda xp, a: xp.zeros((2, 3)),
              lambda xp, a: xp.zeros(4, dtype=xp.uint8)],
}
for _name, _calls in MORE.items():
    CASES.setdefault(_name, []).extend(_calls)

# Functions of the standard that the namespace does not have, or not so.
ABSENT = {"from_dlpack": "lazy arrays have no memory to share"}


def same(made, wanted):
    """Whether two results are equal; tuples part by part."""
    if isinstance(wanted, (tuple, list)):
        assert len(made) == len(wanted)
        for m, w in zip(made, wanted):
            same(m, w)
        return
    if not hasattr(wanted, "dtype"):
        if isinstance(wanted, (bool, int, float)):
            assert made == wanted
        else:
            assert np.dtype(made) == np.dtype(str(wanted).rpartition(".")[2])
        return
    values, expected = np.asarray(made), np.asarray(wanted)
    assert made.shape == wanted.shape
    assert values.dtype == made.dtype == expected.dtype
    if expected.dtype.kind in "fc":
        rtol = 2e-5 if expected.dtype.itemsize // (
            2 if expected.dtype.kind == "c" else 1) == 4 else 1e-11
        np.testing.assert_allclose(values, expected, rtol=rtol, atol=rtol)
    else:
        np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("name", sorted(CASES))
def test_function(name):
    for call in CASES[name]:
        for seed in SEEDS:
            same(call(array_api, Inputs(array_api, seed)),
                 call(strict, Inputs(strict, seed)))


def test_every_function_is_tried():
    standard = {n for n in dir(strict) if not n.startswith("_")
                and isinstance(getattr(strict, n), types.FunctionType)
                and "array_api_strict_flags" not in n}
    assert len(standard) > 130
    assert {n for n in standard if not hasattr(array_api, n)} == set(ABSENT)
    assert standard - set(ABSENT) == set(CASES)


def test_constants_and_dtypes():
    for name in ("e", "pi", "inf", "newaxis"):
        assert getattr(array_api, name) == getattr(strict, name)
    assert np.isnan(array_api.nan)
    for name in (*FLOATS, *INTS, "bool", "int16", "uint16", "uint32",
                 "complex64", "complex128"):
        assert np.dtype(getattr(array_api, name)).name == name
