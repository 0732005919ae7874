# SPDX-License-Identifier: BSD-3-Clause
"""Functions along axes: gradients, windows, lines, grids."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from . import _shape
from ._array import Array
from ._creation import asarray
from ._registry import implements


@implements("gradient")
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1,
             **kwargs: Any) -> Any:
    """Derivatives by differences, as :func:`numpy.gradient`."""
    from ._python import Elementwise, Reach, layer
    a = asarray(f)
    axes = _shape.axes_of(axis, a.ndim)
    if not varargs:
        varargs = (1,)
    if len(varargs) == 1:
        varargs = varargs * len(axes)
    if len(varargs) != len(axes):
        raise TypeError("Spacing must either be a single scalar, or a scalar / "
                        "1d-array per axis")
    out = []
    dtype = np.gradient(np.ones(4, a.dtype)).dtype
    for d, step in zip(axes, varargs):
        if a.shape[d] < edge_order + 1:
            raise ValueError("Shape of array too small to calculate a "
                             "numerical gradient")
        step = np.asarray(step)
        chunks = tuple((a.shape[d],) if e == d else c
                       for e, c in enumerate(a.chunks))
        reach = [Reach(-1 if e == d else e) for e in range(a.ndim)]
        call = Gradient(step if step.ndim else step[()], d, edge_order)
        out.append(layer(Elementwise(call, {}), [a], chunks, [reach], dtype))
    return out if np.iterable(axis) or (axis is None and len(out) > 1) \
        else out[0]


class Gradient:
    """numpy.gradient along one axis."""

    def __init__(self, step: Any, axis: int, edge_order: int):
        self.step, self.axis, self.edge_order = step, axis, edge_order

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.gradient(block, self.step, axis=self.axis,
                           edge_order=self.edge_order)


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
