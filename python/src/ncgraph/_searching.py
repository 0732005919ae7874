# SPDX-License-Identifier: BSD-3-Clause
"""Finding and choosing among values; triangles and diagonals."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import _creation, _elementwise, _reduce, _shape
from ._array import Array
from ._creation import asarray, from_array
from ._registry import implements
from ._values import _lazy


@implements("digitize")
def digitize(x: Any, bins: Any, right: bool = False) -> Array:
    """Numbers of the bins of values."""
    return _lazy(np.digitize, [asarray(x)], bins=np.asarray(bins), right=right)


@implements("isin")
def isin(element: Any, test_elements: Any, assume_unique: bool = False,
         invert: bool = False, **kwargs: Any) -> Array:
    """Where values are among others."""
    tests = np.asarray(test_elements)
    return _lazy(np.isin, [asarray(element)], test_elements=tests,
                 assume_unique=assume_unique, invert=invert)


@implements("searchsorted")
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None
                 ) -> Array:
    """Where values would be put into a sorted array, which is computed."""
    from ._python import elementwise
    values = np.asarray(a)
    if sorter is not None:
        values = values[np.asarray(sorter)]
    call = Searchsorted(values, side)
    return elementwise(call, [asarray(v)], "i8")


class Searchsorted:
    """numpy.searchsorted of a fixed array."""

    def __init__(self, a: np.ndarray, side: str):
        self.a, self.side = a, side

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.a, block, self.side)


@implements("tril")
def tril(m: Any, k: int = 0) -> Array:
    """The lower triangle, zeros above it."""
    a = asarray(m)
    return _elementwise.where(_triangle(a, k), a, np.zeros((), a.dtype))


@implements("triu")
def triu(m: Any, k: int = 0) -> Array:
    """The upper triangle, zeros below it."""
    a = asarray(m)
    return _elementwise.where(_triangle(a, k - 1), np.zeros((), a.dtype), a)


def _triangle(a: Array, k: int) -> Array:
    if a.ndim < 2:  # NumPy makes rows of it
        n = a.shape[-1]
        return asarray(np.tri(n, n, k, dtype=bool))
    rows = _creation.arange(a.shape[-2], chunks=(a.chunks[-2],))
    cols = _creation.arange(a.shape[-1], chunks=(a.chunks[-1],))
    return rows[:, None] + k >= cols


@implements("diagonal")
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """A diagonal, along the last axis."""
    a = asarray(a)
    if a.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    i, k = _shape.axis_of(axis1, a.ndim), _shape.axis_of(axis2, a.ndim)
    if i == k:
        raise ValueError("axis1 and axis2 cannot be the same")
    n = max(min(a.shape[i] + min(offset, 0), a.shape[k] - max(offset, 0)), 0)
    at = np.arange(n)
    keys: list[Any] = [slice(None)] * a.ndim
    keys[i], keys[k] = at - min(offset, 0), at + max(offset, 0)
    return _shape.moveaxis(a.vindex[tuple(keys)], 0, -1)


@implements("trace")
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1,
          dtype: Any = None, out: Any = None) -> Array:
    """Sum of a diagonal, as :func:`numpy.trace`."""
    from ._reduce import sum_
    return sum_(diagonal(a, offset, axis1, axis2), -1, dtype, out)


@implements("unique")
def unique(ar: Any, **kwargs: Any) -> Any:
    """Different values; they are computed: their number is needed."""
    made = np.unique(np.asarray(ar), **kwargs)
    return tuple(from_array(v) for v in made) if isinstance(made, tuple) \
        else from_array(made)


def choose(a: Any, choices: Any) -> Array:
    """Choose among arrays, as :func:`numpy.choose`."""
    from ._python import elementwise
    arrays = [asarray(a)] + [asarray(c) for c in choices]
    dtype = np.result_type(*(c.dtype for c in arrays[1:]))
    return elementwise(Choose(), arrays, dtype)


class Choose:
    """numpy.choose with the choices as arguments."""

    def __call__(self, which: np.ndarray, *choices: np.ndarray) -> np.ndarray:
        return np.choose(which, choices)


implements("choose")(choose)


def topk(a: Any, k: int, axis: int = -1, split_every: Any = None) -> Array:
    """The k largest values along an axis, descending; smallest where k < 0."""
    made = _reduce.sort(a, axis)
    axis = _shape.axis_of(axis, made.ndim)
    front = (slice(None),) * axis
    if k < 0:
        return made[front + (slice(None, -k),)]
    return _shape.flip(made[front + (slice(-k, None),)], axis)


def argtopk(a: Any, k: int, axis: int = -1, split_every: Any = None) -> Array:
    """Positions of the k largest values along an axis."""
    made = _reduce.argsort(a, axis)
    axis = _shape.axis_of(axis, made.ndim)
    front = (slice(None),) * axis
    if k < 0:
        return made[front + (slice(None, -k),)]
    return _shape.flip(made[front + (slice(-k, None),)], axis)


# ---- choosing by conditions ----------------------------------------------------------

@implements("select")
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    """Choose by the first condition that holds, as :func:`numpy.select`."""
    conditions, choices = list(condlist), list(choicelist)
    if len(conditions) != len(choices):
        raise ValueError("list of cases must be same length as list of "
                         "conditions")
    if not conditions:
        raise ValueError("select with an empty condition list is not possible")
    if any(getattr(c, "dtype", np.dtype(bool)).kind != "b"
           for c in conditions):
        raise TypeError("conditions must be boolean arrays")
    dtype = np.result_type(*(getattr(c, "dtype", c) for c in choices), default)
    made: Any = np.asarray(default, dtype)
    for condition, choice in zip(reversed(conditions), reversed(choices)):
        made = _elementwise.where(condition, choice, made)
    return made.astype(dtype)


@implements("piecewise")
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any
              ) -> Array:
    """Apply functions where conditions hold, as :func:`numpy.piecewise`."""
    from ._python import elementwise
    a = asarray(x)
    conditions = [asarray(c) for c in condlist]
    return elementwise(Piecewise(list(funclist), args, kw), [a, *conditions],
                       a.dtype)


class Piecewise:
    """numpy.piecewise with the conditions as arguments."""

    def __init__(self, functions: list, args: tuple, kwargs: dict[str, Any]):
        self.functions, self.args, self.kwargs = functions, args, kwargs

    def __call__(self, block: np.ndarray, *conditions: np.ndarray
                 ) -> np.ndarray:
        return np.piecewise(block, list(conditions), self.functions,
                            *self.args, **self.kwargs)


@implements("extract")
def extract(condition: Any, arr: Any) -> Array:
    """Values where a condition holds; the condition is computed."""
    from ._index import take
    places = np.flatnonzero(np.asarray(condition))
    return take(_shape.ravel(asarray(arr)), places)


# ---- positions and numbers of positions ---------------------------------------------

@implements("unravel_index")
def unravel_index(indices: Any, shape: Any, order: str = "C"
                  ) -> tuple[Array, ...]:
    """Positions along axes of positions in the flat array."""
    from ._python import elementwise
    shape = tuple(np.atleast_1d(shape).tolist()) if np.ndim(shape) == 0 \
        else tuple(shape)
    k = asarray(indices)
    return tuple(elementwise(Unravelled(shape, order, d), [k], "i8")
                 for d in range(len(shape)))


class Unravelled:
    """One axis of numpy.unravel_index."""

    def __init__(self, shape: tuple[int, ...], order: str, axis: int):
        self.shape, self.order, self.axis = shape, order, axis

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.unravel_index(block, self.shape, self.order)[self.axis]


@implements("ravel_multi_index")
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise",
                      order: str = "C") -> Array:
    """Positions in the flat array of positions along axes."""
    from ._python import elementwise
    if np.ndim(dims) == 0:
        dims = (int(dims),)
    if isinstance(multi_index, (Array, np.ndarray)):
        multi_index = [multi_index[d] for d in range(multi_index.shape[0])]
    parts = _shape.broadcast_arrays(*(asarray(m) for m in multi_index))
    if any(p.dtype.kind not in "iu" for p in parts):
        raise TypeError("only int indices permitted")
    return elementwise(Ravelled(tuple(dims), mode, order), parts, "i8")


class Ravelled:
    """numpy.ravel_multi_index with the positions as arguments."""

    def __init__(self, dims: tuple[int, ...], mode: Any, order: str):
        self.dims, self.mode, self.order = dims, mode, order

    def __call__(self, *blocks: np.ndarray) -> np.ndarray:
        return np.ravel_multi_index(blocks, self.dims, self.mode, self.order)


# ---- sets: their values are computed, for their number is needed -----------------------

@implements("union1d")
def union1d(ar1: Any, ar2: Any) -> Array:
    """Values of either array, sorted; they are computed."""
    return from_array(np.union1d(np.asarray(ar1), np.asarray(ar2)))
