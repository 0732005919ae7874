# SPDX-License-Identifier: BSD-3-Clause
"""Scans by functions of Python, filling, windows, groups, shuffling."""
from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from ._array import Array
from ._creation import asarray
from ._dtypes import is_native, native_code
from ._shape import axis_of


class Scanned:
    """Applies a cumulative function to a block with all that lies before."""

    def __init__(self, func: Callable, axis: int, kwargs: dict[str, Any]):
        self.func, self.axis, self.kwargs = func, axis, kwargs

    def __call__(self, blocks: list, where: Any) -> Any:
        return self.func(blocks[0], axis=self.axis, **self.kwargs)


class Carried:
    """The scan of a chunk and what the chunks before it carry over."""

    def __init__(self, func: Callable, binop: Callable, axis: int,
                 kwargs: dict[str, Any]):
        self.func, self.binop, self.axis = func, binop, axis
        self.kwargs = kwargs

    def __call__(self, blocks: list, where: Any) -> Any:
        made = self.func(blocks[0], axis=self.axis, **self.kwargs)
        number = where.output.index[self.axis]
        carried = None
        for i in range(number):
            last = np.take(blocks[1], [i], axis=self.axis)
            carried = last if carried is None else self.binop(carried, last)
        return made if carried is None else self.binop(carried, made)


def scan(func: Callable, binop: Callable, ident: Any, arr: Array,
         axis: Any = None, dtype: Any = None, method: Any = None,
         preop: Any = None, **kwargs: Any) -> Array:
    """Accumulate along an axis by a function of Python.

    Parameters
    ----------
    func : callable
        The cumulative function, such as ``numpy.cumsum``.
    binop : callable
        Merges what is carried over with a chunk's result.
    ident : scalar
        What ``binop`` leaves alone.
    arr : Array
    axis : int
    preop : callable, optional
        The value that a chunk carries over; the last of its scan otherwise.
    """
    from ._python import Reach, layer
    from ._reduce import Reduced, _bounds
    arr = asarray(arr)
    if axis is None:
        arr, axis = arr.ravel(), 0
    axis = axis_of(axis, arr.ndim)
    if dtype is None:
        dtype = np.asarray(func(np.ones((1,) * arr.ndim, arr.dtype),
                                axis=axis)).dtype
    if not arr.size:
        return arr.astype(dtype)
    low, high = _bounds(arr.chunks[axis])
    count = len(low)
    rows = [Reach(d) for d in range(arr.ndim)]
    if count == 1:
        return layer(Scanned(func, axis, kwargs), [arr], arr.chunks, [rows],
                     dtype)
    ends = tuple((1,) * count if d == axis else c
                 for d, c in enumerate(arr.chunks))
    reach = [Reach(d, low, high) if d == axis else Reach(d)
             for d in range(arr.ndim)]
    if preop is not None:
        call: Any = Reduced(preop, (axis,), True, {})
    else:
        call = Last(func, axis, kwargs)
    carried = layer(call, [arr], ends, [reach], dtype)
    whole = [Reach(-1) if d == axis else Reach(d) for d in range(arr.ndim)]
    return layer(Carried(func, binop, axis, kwargs), [arr, carried],
                 arr.chunks, [rows, whole], dtype)


class Last:
    """The last position of a scan."""

    def __init__(self, func: Callable, axis: int, kwargs: dict[str, Any]):
        self.func, self.axis, self.kwargs = func, axis, kwargs

    def __call__(self, blocks: list, where: Any) -> Any:
        made = self.func(blocks[0], axis=self.axis, **self.kwargs)
        return np.take(made, [-1], axis=self.axis)


def push(array: Any, n: Any, axis: int, method: Any = None) -> Array:
    """Fill missing values by the last one before them, at most n in a row."""
    array = asarray(array)
    axis = axis_of(axis, array.ndim)
    if n is not None and n <= 0:
        return array
    if is_native(array.dtype) and array.dtype.kind == "f" and array.size:
        return array._new("scan", ("ffill", axis, True, int(n or 0),
                                   native_code(array.dtype)))
    if array.dtype.kind in "biu":
        return array
    from ._reduce import _whole_axis
    return _whole_axis(_push, array, axis, array.dtype, n=n)


def _push(values: np.ndarray, axis: int, n: Any) -> np.ndarray:
    moved = np.moveaxis(values, axis, -1)
    missing = moved != moved if values.dtype == object else np.isnat(moved) \
        if values.dtype.kind in "mM" else np.isnan(moved)
    places = np.where(missing, 0, np.arange(moved.shape[-1]))
    np.maximum.accumulate(places, axis=-1, out=places)
    if n is not None:
        far = np.arange(moved.shape[-1]) - places > n
        places = np.where(far, np.arange(moved.shape[-1]), places)
    return np.moveaxis(np.take_along_axis(moved, places, -1), -1, axis)


def ffill(array: Any, axis: int, limit: Any = None) -> Array:
    """Fill missing values by the last one before them."""
    return push(array, limit, axis)


def bfill(array: Any, axis: int, limit: Any = None) -> Array:
    """Fill missing values by the first one after them."""
    array = asarray(array)
    return np.flip(push(np.flip(array, axis), limit, axis), axis)


def rolling(array: Any, op: str, axis: int, window: int,
            min_count: int | None = None, ddof: int = 0,
            center: bool = False) -> Array:
    """Reduce the window that ends at each position, or lies around it.

    Parameters
    ----------
    op : {"mean", "sum", "min", "max", "std", "var", "count"}
    min_count : int, optional
        Fewer valid values give NaN; by default the window's length.
    """
    array = asarray(array)
    axis = axis_of(axis, array.ndim)
    if not is_native(array.dtype):
        raise TypeError(f"rolling: dtype {array.dtype} has no numbers")
    if not array.size:
        return array
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype("f8")
    array = array.astype(dtype)
    return array._new("rolling", (op, axis, int(window), int(min_count or 0),
                                  ddof, center, native_code(dtype)), dtype)


GROUP_OPS = {"sum", "mean", "min", "max", "std", "var", "count", "any", "all",
             "first", "last", "prod", "argmin", "argmax"}


def groupby_reduce(array: Any, labels: Any, axis: int, op: str = "mean",
                   ngroups: int | None = None, skipna: bool = True,
                   min_count: int | None = None, ddof: int = 0) -> Array:
    """Reduce each group of positions of an axis.

    Parameters
    ----------
    array : Array
    labels : sequence of int
        The group of each position, 0, 1, ...; -1 for none.
    axis : int
        Then has as many positions as there are groups.
    op : str
        sum, mean, min, max, std, var, count, any, all, first, last, prod.
    min_count : int, optional
        Groups of fewer values are NaN, and integers become floats where there
        are such groups; 1 for what has no value of nothing.
    """
    array = asarray(array)
    axis = axis_of(axis, array.ndim)
    labels = np.asarray(labels, dtype="i4")
    if op not in GROUP_OPS:
        raise ValueError(f"no reduction of groups {op!r}; there are "
                         f"{', '.join(sorted(GROUP_OPS))}")
    if labels.shape != (array.shape[axis],):
        raise ValueError(f"{labels.size} labels for an axis of "
                         f"{array.shape[axis]} positions")
    if not is_native(array.dtype) or not array.size:
        raise TypeError(f"groups of dtype {array.dtype} or of no values are "
                        "not reduced natively")
    count = int(labels.max()) + 1 if ngroups is None else int(ngroups)
    floor = min_count if min_count is not None else \
        (0 if op in ("sum", "prod", "count", "any", "all") else 1)
    from ._reduce import _result_dtype
    result = np.dtype("i8") if op in ("count", "argmin", "argmax") else \
        array.dtype if op in ("first", "last") else \
        _result_dtype(op, array, None)
    if result.kind in "biu" and op in ("sum", "prod", "min", "max", "first",
                                       "last") and \
            _fewest(array, axis, labels, count) < floor:
        array, result = array.astype("f8"), np.dtype("f8")
    return array._new("groupby", (op, axis, labels, count, skipna, floor, ddof,
                                  native_code(result)), result)


def _fewest(array: Array, axis: int, labels: np.ndarray, count: int) -> int:
    """How many values the smallest group has."""
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    return int(sizes.min(initial=array.shape[axis]))


def shuffle(x: Array, indexer: Sequence[Sequence[int]], axis: int,
            chunks: Any = None) -> Array:
    """Bring positions of an axis together, as dask.array.shuffle does."""
    x = asarray(x)
    axis = axis_of(axis, x.ndim)
    if not isinstance(indexer, (list, tuple)) or \
            not all(isinstance(i, (list, tuple, np.ndarray)) for i in indexer):
        raise ValueError("indexer must be a list of lists of positions")
    groups = [list(map(int, i)) for i in indexer if len(i)]
    order = np.concatenate([np.asarray(g, "i8") for g in groups])
    made = x[(slice(None),) * axis + (order,)]
    limit = max(x.chunks[axis])
    sizes: list[int] = []
    for g in groups:
        if sizes and sizes[-1] + len(g) <= limit * 1.25:
            sizes[-1] += len(g)
        else:
            sizes.append(len(g))
    return made.rechunk({axis: tuple(sizes)})
