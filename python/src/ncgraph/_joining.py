# SPDX-License-Identifier: BSD-3-Clause
"""Joining, splitting, turning; leaving out and putting in."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import _index, _shape
from ._array import Array
from ._creation import asarray
from ._registry import implements


atleast_1d = implements("atleast_1d")(_shape.atleast(1))
atleast_2d = implements("atleast_2d")(_shape.atleast(2))
atleast_3d = implements("atleast_3d")(_shape.atleast(3))


@implements("vstack", "row_stack")
def vstack(tup: Any, **kwargs: Any) -> Array:
    """Join along the first axis."""
    made = [atleast_2d(a) for a in tup]
    return _shape.concatenate(made, axis=0, **kwargs)


@implements("hstack")
def hstack(tup: Any, **kwargs: Any) -> Array:
    """Join along the second axis."""
    made = [atleast_1d(a) for a in tup]
    return _shape.concatenate(made, axis=0 if made[0].ndim == 1 else 1,
                              **kwargs)


@implements("dstack")
def dstack(tup: Any, **kwargs: Any) -> Array:
    """Join along the third axis."""
    return _shape.concatenate([atleast_3d(a) for a in tup], axis=2, **kwargs)


@implements("flipud")
def flipud(m: Any) -> Array:
    """Reverse the first axis."""
    return _shape.flip(m, 0)


@implements("fliplr")
def fliplr(m: Any) -> Array:
    """Reverse the second axis."""
    return _shape.flip(m, 1)


@implements("rot90")
def rot90(m: Any, k: int = 1, axes: tuple = (0, 1)) -> Array:
    """Turn by right angles, as :func:`numpy.rot90`."""
    a = asarray(m)
    if len(axes) != 2 or a.ndim < 2 or \
            any(not -a.ndim <= d < a.ndim for d in axes) or \
            axes[0] % a.ndim == axes[1] % a.ndim:
        raise ValueError(f"axes {axes} are not two different ones of {a.ndim}")
    k %= 4
    if k == 0:
        return a
    if k == 2:
        return _shape.flip(_shape.flip(a, axes[0]), axes[1])
    turned = _shape.flip(a, axes[1]) if k == 1 else a
    turned = _shape.swapaxes(turned, *axes)
    return turned if k == 1 else _shape.flip(turned, axes[1])


@implements("append")
def append(arr: Any, values: Any, axis: Any = None) -> Array:
    """Join values to the end, as :func:`numpy.append`."""
    return _shape.concatenate([asarray(arr), asarray(values)], axis=axis)


@implements("split")
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Cut into equal parts or at positions, as :func:`numpy.split`."""
    n = indices_or_sections
    if np.ndim(n) == 0 and asarray(ary).shape[axis] % n:
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, n, axis)


@implements("array_split")
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0
                ) -> list[Array]:
    """Cut into parts along an axis, as :func:`numpy.array_split`."""
    a = asarray(ary)
    size = a.shape[axis]
    parts = np.array_split(np.arange(size), indices_or_sections)
    front = (slice(None),) * (axis % a.ndim)
    return [a[front + (slice(p[0], p[-1] + 1) if p.size else slice(0, 0),)]
            for p in parts]


@implements("delete")
def delete(arr: Any, obj: Any, axis: Any = None) -> Array:
    """Leave out positions along an axis, as :func:`numpy.delete`."""
    a = asarray(arr)
    if axis is None:
        a, axis = _shape.ravel(a), 0
    axis = _shape.axis_of(axis, a.ndim)
    kept = np.delete(np.arange(a.shape[axis]), obj)
    return _index.take(a, kept, axis)


@implements("insert")
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Array:
    """Put values before a position of an axis, as :func:`numpy.insert`."""
    a = asarray(arr)
    if axis is None:
        a, axis = _shape.ravel(a), 0
    axis = _shape.axis_of(axis, a.ndim)
    at = np.atleast_1d(np.arange(a.shape[axis])[obj]
                       if isinstance(obj, slice) else obj)
    values = asarray(values).astype(a.dtype)
    if values.ndim == 0:
        values = _shape.reshape(values, (1,) * a.ndim)
    elif np.ndim(obj) == 0 and values.ndim:
        values = _shape.moveaxis(
            _shape.expand_dims(values, 0), 0, axis) \
            if values.ndim < a.ndim else values
    shape = list(a.shape)
    shape[axis] = max(at.size, values.shape[axis]
                      if values.ndim == a.ndim else 1)
    values = _shape.broadcast_to(values, shape)
    places = np.insert(np.arange(a.shape[axis]), obj,
                       a.shape[axis] + np.arange(shape[axis]))
    return _index.take(_shape.concatenate([a, values], axis), places, axis)
