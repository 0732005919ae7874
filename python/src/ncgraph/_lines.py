# SPDX-License-Identifier: BSD-3-Clause
"""Functions along axes: gradients, windows, lines, grids."""
from __future__ import annotations

import functools
import operator
from typing import Any, Callable

import numpy as np

from . import _shape
from ._array import Array
from ._creation import asarray
from ._dtypes import is_native
from ._registry import implements


@implements("gradient")
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1,
             **kwargs: Any) -> Any:
    """Derivatives by differences, as :func:`numpy.gradient`."""
    a = asarray(f)
    axes = _shape.axes_of(axis, a.ndim)
    if not varargs:
        varargs = (1,)
    if len(varargs) == 1:
        varargs = varargs * len(axes)
    if len(varargs) != len(axes):
        raise TypeError("Spacing must either be a single scalar, or a scalar / "
                        "1d-array per axis")
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    out = []
    for d, step in zip(axes, varargs):
        if a.shape[d] < edge_order + 1:
            raise ValueError(
                "Shape of array too small to calculate a numerical gradient, "
                "at least (edge_order + 1) elements are required.")
        is_known = is_native(a.dtype) and a.dtype.kind in "fiu"
        along = _native_gradient if is_known else _python_gradient
        out.append(along(a, step, d, edge_order))
    return out if np.iterable(axis) or (axis is None and len(out) > 1) \
        else out[0]


def _python_gradient(a: Array, step: Any, axis: int, edge_order: int) -> Array:
    """Dates, complex numbers, half and long floats, by NumPy."""
    from ._python import Elementwise, Reach, layer
    dtype = np.gradient(np.ones(4, a.dtype)).dtype
    chunks = tuple((a.shape[axis],) if e == axis else c
                   for e, c in enumerate(a.chunks))
    reach = [Reach(-1 if e == axis else e) for e in range(a.ndim)]
    step = np.asarray(step)
    call = Gradient(step if step.ndim else step[()], axis, edge_order)
    return layer(Elementwise(call, {}), [a], chunks, [reach], dtype)


class Gradient:
    """numpy.gradient along one axis."""

    def __init__(self, step: Any, axis: int, edge_order: int):
        self.step, self.axis, self.edge_order = step, axis, edge_order

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.gradient(block, self.step, axis=self.axis,
                           edge_order=self.edge_order)


def _spacing(step: Any, size: int) -> Any:
    """Distances between positions; a scalar where all are the same."""
    if np.ndim(step) == 0:
        return step
    where = np.asarray(step)
    if where.ndim != 1:
        raise ValueError("distances must be either scalars or 1d")
    if len(where) != size:
        raise ValueError("when 1d, distances must match the length of the "
                         "corresponding dimension")
    if where.dtype.kind in "iu":
        where = where.astype("f8")
    steps = np.diff(where)
    return steps[0] if (steps == steps[0]).all() else steps


def _native_gradient(a: Array, step: Any, axis: int, edge_order: int) -> Array:
    """numpy.gradient along one axis, by differences of moved arrays."""
    from ._index import take
    dtype = a.dtype if a.dtype.kind == "f" else np.dtype("f8")
    f, size = a.astype(dtype), a.shape[axis]
    steps = _spacing(step, size)
    column = tuple(-1 if d == axis else 1 for d in range(a.ndim))
    if np.ndim(steps) == 0 and edge_order == 1:
        at = np.arange(size)
        high, low = np.minimum(at + 1, size - 1), np.maximum(at - 1, 0)
        span = np.reshape((high - low) * steps, column)
        if not isinstance(steps, np.generic):
            span = span.astype(dtype)  # Python's numbers take the dtype
        made = (take(f, high, axis) - take(f, low, axis)) / span
        return made.astype(dtype)
    steps = np.broadcast_to(steps, (size - 1,)).astype("f8")
    parts = _edge(f, axis, steps, edge_order, False), \
        *_inside(f, axis, steps, column), \
        _edge(f, axis, steps, edge_order, True)
    made = _shape.concatenate([p.astype(dtype) for p in parts], axis)
    return made.rechunk(a.chunks)


def _part(f: Array, axis: int, start: int, stop: int) -> Array:
    return f[(slice(None),) * axis + (slice(start, stop),)]


def _inside(f: Array, axis: int, steps: np.ndarray, column: tuple
            ) -> list[Array]:
    """Everything but the edges: central differences of uneven distances."""
    size = f.shape[axis]
    if size < 3:
        return []
    left, right = steps[:-1], steps[1:]
    weights = (-right / (left * (left + right)),
               (right - left) / (left * right),
               left / (right * (left + right)))
    terms = [_part(f, axis, k, size - 2 + k) * np.reshape(w, column)
             for k, w in enumerate(weights) if w.any()]
    return [functools.reduce(operator.add, terms)]


def _edge(f: Array, axis: int, steps: np.ndarray, edge_order: int,
          is_end: bool) -> Array:
    """The first or the last position: differences to one side."""
    size, sign = f.shape[axis], -1 if is_end else 1
    near, far = (steps[-1], steps[-2:][0]) if is_end else \
        (steps[0], steps[:2][-1])
    at = [_part(f, axis, p, p + 1)
          for p in ((size - 1, size - 2, size - 3) if is_end else (0, 1, 2))]
    if edge_order == 1:
        low, high = at[:2][::sign]
        return (high - low) / np.full(1, near)
    weights = (-(2 * near + far) / (near * (near + far)),
               (near + far) / (near * far), -near / (far * (near + far)))
    return functools.reduce(operator.add, (
        part * np.full(1, sign * w) for part, w in zip(at, weights)))


@implements("lib.stride_tricks.sliding_window_view")
def sliding_window_view(x: Any, window_shape: Any, axis: Any = None,
                        automatic_rechunk: bool = True, **kwargs: Any) -> Array:
    """Windows along axes, as NumPy's function."""
    from ._windows import windows
    a = asarray(x)
    sizes = tuple(window_shape) if np.iterable(window_shape) \
        else (window_shape,)
    axes = _shape.axes_of(axis, a.ndim) if axis is not None and \
        not np.iterable(axis) else (tuple(range(a.ndim)) if axis is None else
                                    tuple(_shape.axis_of(d, a.ndim)
                                          for d in axis))
    if any(s < 0 for s in sizes):
        raise ValueError("`window_shape` cannot contain negative values")
    if len(sizes) != len(axes):
        raise ValueError("Must provide matching length window_shape and axis; "
                         f"got {len(sizes)} window_shape elements and "
                         f"{len(axes)} axes elements.")
    for size, d in zip(sizes, axes):
        if size > a.shape[d]:
            raise ValueError("window shape cannot be larger than input array "
                             "shape")
        a = windows(a, d, size)
    return a


@implements("apply_along_axis")
def apply_along_axis(func1d: Callable, axis: int, arr: Any, *args: Any,
                     dtype: Any = None, shape: Any = None, **kwargs: Any
                     ) -> Array:
    """Apply a function to each line along an axis."""
    from ._python import Elementwise, Reach, layer
    a = asarray(arr)
    axis = _shape.axis_of(axis, a.ndim)
    if dtype is None or shape is None:
        sample = np.asarray(func1d(np.ones(a.shape[axis], a.dtype), *args,
                                   **kwargs))
        dtype, shape = sample.dtype, sample.shape
    chunks = a.chunks[:axis] + tuple((s,) for s in shape) + a.chunks[axis + 1:]
    shift = len(shape) - 1
    reach = [Reach(d if d < axis else -1 if d == axis else d + shift)
             for d in range(a.ndim)]
    call = AlongAxis(func1d, axis, args, kwargs)
    return layer(Elementwise(call, {}), [a], chunks, [reach], dtype)


class AlongAxis:
    """numpy.apply_along_axis with a fixed function."""

    def __init__(self, function: Callable, axis: int, args: tuple,
                 kwargs: dict[str, Any]):
        self.function, self.axis = function, axis
        self.args, self.kwargs = args, kwargs

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.apply_along_axis(self.function, self.axis, block, *self.args,
                                   **self.kwargs)


@implements("apply_over_axes")
def apply_over_axes(func: Callable, a: Any, axes: Any) -> Array:
    """Apply a function over several axes, one after the other."""
    a = asarray(a)
    for d in _shape.axes_of(axes, a.ndim):
        made = func(a, d)
        a = made if made.ndim == a.ndim else _shape.expand_dims(made, d)
    return a


@implements("meshgrid")
def meshgrid(*xi: Any, sparse: bool = False, indexing: str = "xy",
             **kwargs: Any) -> list[Array]:
    """Grids of coordinates, as :func:`numpy.meshgrid`."""
    arrays = [_shape.ravel(asarray(x)) for x in xi]
    n = len(arrays)
    grids = [a[tuple(slice(None) if i == k else None for k in range(n))]
             for i, a in enumerate(arrays)]
    if indexing == "xy" and n > 1:
        grids = [_shape.swapaxes(g, 0, 1) for g in grids]
    return grids if sparse else list(_shape.broadcast_arrays(*grids))
