# SPDX-License-Identifier: BSD-3-Clause
"""Matrices and grids made of positions."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from . import _chunks
from ._array import Array
from ._blocks import from_function
from ._creation import arange, asarray
from ._elementwise import where
from ._registry import implements
from ._searching import diagonal
from ._shape import broadcast_to, concatenate, expand_dims, pad, stack


def eye(N: int, chunks: Any = "auto", M: Any = None, k: int = 0,
        dtype: Any = float) -> Array:
    """Ones on a diagonal, as :func:`numpy.eye`."""
    rows, cols = int(N), int(N if M is None else M)
    sizes = _chunks.normalize_chunks(chunks, (rows, cols), dtype=dtype)
    i = arange(rows, chunks=(sizes[0],))[:, None]
    j = arange(cols, chunks=(sizes[1],))
    return (i + int(k) == j).astype(dtype)


def tri(N: int, M: Any = None, k: int = 0, dtype: Any = float,
        chunks: Any = "auto", *, like: Any = None) -> Array:
    """Ones at and below a diagonal, as :func:`numpy.tri`."""
    rows, cols = int(N), int(N if M is None else M)
    sizes = _chunks.normalize_chunks(chunks, (rows, cols), dtype=dtype)
    i = arange(rows, chunks=(sizes[0],))[:, None]
    j = arange(cols, chunks=(sizes[1],))
    return (i + int(k) >= j).astype(dtype)


@implements("diag")
def diag(v: Any, k: int = 0) -> Array:
    """A diagonal, or a matrix with one, as :func:`numpy.diag`."""
    if not isinstance(v, (Array, np.ndarray)):
        raise TypeError(f"v must be an array or numpy array, got {type(v)}")
    v = asarray(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Array must be 1d or 2d only")
    made = where(eye(v.size, chunks=(v.chunks[0], v.chunks[0]), dtype=bool),
                 v, np.zeros((), v.dtype))
    return pad(made, ((max(-k, 0), max(k, 0)), (max(k, 0), max(-k, 0)))) \
        if k else made


def indices(dimensions: Any, dtype: Any = int, chunks: Any = "auto") -> Array:
    """The position along each axis, as :func:`numpy.indices`."""
    shape = tuple(dimensions)
    sizes = _chunks.normalize_chunks(chunks, shape, dtype=dtype)
    grids = []
    for d, n in enumerate(shape):
        line = arange(n, chunks=(sizes[d],), dtype=dtype)
        others = tuple(e for e in range(len(shape)) if e != d)
        grids.append(broadcast_to(expand_dims(line, others), shape, sizes))
    if not grids:
        return asarray(np.empty((0,), dtype))
    return stack(grids)


def fromfunction(func: Callable, chunks: Any = "auto", shape: Any = None,
                 dtype: Any = None, **kwargs: Any) -> Array:
    """A function of positions, as :func:`numpy.fromfunction`."""
    return from_function(func, chunks, shape, dtype, **kwargs)


class PerformanceWarning(Warning):
    """An operation that makes very many or very large chunks."""


def coarsen(reduction: Callable, x: Any, axes: dict[int, int],
            trim_excess: bool = False, **kwargs: Any) -> Array:
    """Reduce blocks of neighbours, as :func:`dask.array.coarsen`.

    Parameters
    ----------
    reduction : callable
        Such as ``numpy.sum``.
    axes : dict
        How many neighbours, for each axis.
    trim_excess : bool
        Whether what is over at the ends is left out.
    """
    x = asarray(x)
    if not trim_excess and any(x.shape[d] % n for d, n in axes.items()):
        raise ValueError(f"Coarsening factors {axes} do not align with array "
                         f"shape {x.shape}.")
    x = x[tuple(slice(0, n - n % axes.get(d, 1))
                for d, n in enumerate(x.shape))]
    shape: list[int] = []
    for d, n in enumerate(x.shape):
        shape += [n // axes.get(d, 1), axes.get(d, 1)]
    odd = tuple(range(1, 2 * x.ndim, 2))
    return reduction(x.reshape(tuple(shape)), axis=odd, **kwargs)


@implements("flatnonzero")
def flatnonzero(a: Any) -> Array:
    """Positions of values that are not zero; the array is computed."""
    return asarray(np.flatnonzero(np.asarray(a)))


@implements("argwhere")
def argwhere(a: Any) -> Array:
    """Indices of values that are not zero; the array is computed."""
    return asarray(np.argwhere(np.asarray(a)))


@implements("ediff1d")
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """Differences of neighbours of all values, as :func:`numpy.ediff1d`."""
    flat = asarray(ary).reshape(-1)
    parts = [flat[1:] - flat[:-1]]
    if to_begin is not None:
        parts.insert(0, asarray(np.asarray(to_begin).ravel()))
    if to_end is not None:
        parts.append(asarray(np.asarray(to_end).ravel()))
    return concatenate(parts).astype(flat.dtype)


__all__ = ["PerformanceWarning", "argwhere", "coarsen", "ediff1d",
           "flatnonzero", "concatenate", "diag", "eye", "fromfunction", "indices", "tri"]
