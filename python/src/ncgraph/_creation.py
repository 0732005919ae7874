# SPDX-License-Identifier: BSD-3-Clause
"""Arrays from values, numbers and functions."""
from __future__ import annotations

import operator
from typing import Any

import numpy as np

from . import _chunks
from ._array import Array
from ._dtypes import canonical, is_native
from ._lib import MAX_RANK


class Source:
    """Something with shape and dtype that gives values for slices."""

    def __init__(self, array: Any, dtype: np.dtype, name: str | None,
                 lock: Any, asarray: bool):
        self.array, self.dtype, self.name = array, dtype, name
        self.ndim = len(array.shape)
        self.lock = lock
        self.asarray = asarray

    def read(self, key: tuple[slice, ...]) -> np.ndarray:
        """Return the values at slices."""
        if self.lock:
            with self.lock:
                return np.asarray(self.array[key])
        return np.asarray(self.array[key])


def from_array(x: Any, chunks: Any = "auto", name: Any = None,
               lock: Any = False, asarray: Any = None, fancy: bool = True,
               getitem: Any = None, meta: Any = None,
               inline_array: bool = False) -> Array:
    """Make an array of something that has values.

    Parameters
    ----------
    x : array_like
        A NumPy array, which is read where it lies and must not be changed; a
        dask array; an object with ``shape``, ``dtype`` and slicing, such as a
        variable of netCDF4, h5py or zarr.
    chunks : int, tuple, str
        As :func:`ncgraph.normalize_chunks` takes it.
    name : str, optional
        Says which values these are: sources of one name are taken for equal.
    lock : bool or lock
        Held while values are read; True: one for this array.
    asarray, fancy, getitem, meta, inline_array
        Accepted for dask's sake.

    Returns
    -------
    Array
    """
    if isinstance(x, Array):
        return x if chunks == "auto" else x.rechunk(chunks)
    native = native_of(x)
    if native is not None:
        return native if chunks == "auto" else native.rechunk(chunks)
    if hasattr(x, "__dask_graph__") and hasattr(x, "chunks") and \
            x.__dask_graph__() is not None:
        from ._dask import from_dask_array
        made = from_dask_array(x)
        return made if chunks == "auto" else made.rechunk(chunks)
    is_lazy = not isinstance(x, (np.ndarray, np.generic)) and \
        hasattr(x, "shape") and hasattr(x, "dtype") and \
        hasattr(x, "__getitem__") and type(x).__module__ != "pandas"
    if not is_lazy:
        x = np.asarray(x)
    dtype = canonical(x.dtype)
    if len(x.shape) > MAX_RANK:
        raise ValueError(f"arrays have at most {MAX_RANK} axes")
    sizes = _chunks.normalize_chunks(
        chunks if dtype != object or chunks != "auto" else -1, x.shape,
        dtype=dtype, previous_chunks=None)
    if is_lazy:
        if lock is True:
            import threading
            lock = threading.Lock()
        source = Source(x, dtype, name if isinstance(name, str) else None,
                        lock, bool(asarray))
        return _in_chunks("fill", (source, tuple(x.shape), dtype), sizes, dtype)
    values = np.asarray(x, order="C")
    if values.dtype != dtype:
        values = values.astype(dtype)
    return _in_chunks("memory", (values,), sizes, dtype)


_WRAPPERS = {"ImplicitToExplicitIndexingAdapter", "CopyOnWriteArray",
             "MemoryCachedArray", "LazilyIndexedArray"}


def native_of(x: Any) -> Array | None:
    """Look through lazy wrappers of xarray for an array of ours."""
    found = getattr(x, "_ncgraph_array", None)
    if isinstance(x, Array) or found is not None:
        return x if found is None else found
    if type(x).__name__ not in _WRAPPERS:
        return None
    below = native_of(x.array)
    key = getattr(x, "key", None)
    return below if below is None or key is None else _outer(below, key.tuple)


def _outer(array: Array, key: tuple) -> Array:
    from ._index import outer
    return outer(array, key)


def asarray(x: Any, dtype: Any = None, **kwargs: Any) -> Array:
    """Return an array, made by :func:`from_array` where it is something else."""
    made = x if isinstance(x, Array) else from_array(x, **{
        k: v for k, v in kwargs.items() if k in ("chunks", "name", "lock")})
    return made if dtype is None else made.astype(dtype)


asanyarray = asarray


def _step(sizes: _chunks.Chunks) -> tuple[int, ...]:
    return tuple(_chunks.step_of(c) for c in sizes)


def _in_chunks(op: str, params: tuple, sizes: _chunks.Chunks,
               dtype: Any) -> Array:
    """Make a source in chunks; irregular ones need a step of their own."""
    made = Array._make(op, (), (*params, _step(sizes)), dtype)
    if all(_chunks.is_regular(c) for c in sizes) or not made.size:
        return made
    return made.rechunk(sizes)


# ---- one value, numbers -----------------------------------------------------------------

def _shape(shape: Any) -> tuple[int, ...]:
    try:
        return (operator.index(shape),)
    except TypeError:
        return tuple(operator.index(s) for s in shape)


def full(shape: Any, fill_value: Any, dtype: Any = None, chunks: Any = "auto",
         **kwargs: Any) -> Array:
    """Make an array of one value.

    Parameters
    ----------
    shape : int or tuple of int
    fill_value : scalar
    dtype : dtype, optional
        By default that of the value.
    chunks : int, tuple, str
        As :func:`ncgraph.normalize_chunks` takes it.
    """
    if np.ndim(fill_value) != 0:
        raise ValueError("fill_value must be scalar. Received "
                         f"{type(fill_value).__name__} instead.")
    shape = _shape(shape)
    if isinstance(fill_value, Array):
        fill_value = fill_value.compute()
    dtype = canonical(np.asarray(fill_value).dtype if dtype is None else dtype)
    value = np.asarray(fill_value).astype(dtype)
    if is_native(dtype):
        sizes = _chunks.normalize_chunks(chunks, shape, dtype=dtype)
        return _in_chunks("full", (value.tobytes(), dtype, shape), sizes, dtype)
    sizes = _chunks.normalize_chunks(
        -1 if dtype == object and chunks == "auto" else chunks, shape,
        dtype=dtype)
    from ._shape import broadcast_to
    if 0 in shape:
        return from_array(np.empty(shape, dtype), sizes)
    return broadcast_to(from_array(value), shape).rechunk(sizes)


def _named(value: Any) -> Any:
    def function(shape: Any, dtype: Any = float, chunks: Any = "auto",
                 **kwargs: Any) -> Array:
        return full(shape, np.zeros((), dtype)[()] if value == 0
                    else np.ones((), dtype)[()], dtype, chunks)
    return function


zeros = _named(0)
zeros.__name__, zeros.__doc__ = "zeros", "Make an array of zeros."
ones = _named(1)
ones.__name__, ones.__doc__ = "ones", "Make an array of ones."
empty = zeros


def _like(value: Any) -> Any:
    def function(a: Any, dtype: Any = None, order: Any = "C",
                 chunks: Any = None, name: Any = None, shape: Any = None,
                 **kwargs: Any) -> Array:
        a = asarray(a)
        dtype = a.dtype if dtype is None else dtype
        if chunks is None:
            chunks = a.chunks if shape is None or shape == a.shape else "auto"
        return (ones if value else zeros)(
            a.shape if shape is None else shape, dtype, chunks)
    return function


zeros_like = _like(0)
zeros_like.__name__ = "zeros_like"
zeros_like.__doc__ = "Make an array of zeros of another's shape and chunks."
ones_like = _like(1)
ones_like.__name__ = "ones_like"
ones_like.__doc__ = "Make an array of ones of another's shape and chunks."
empty_like = zeros_like


def full_like(a: Any, fill_value: Any, order: Any = "C", dtype: Any = None,
              chunks: Any = None, name: Any = None, shape: Any = None,
              **kwargs: Any) -> Array:
    """Make an array of one value, of another's shape and chunks."""
    a = asarray(a)
    if chunks is None:
        chunks = a.chunks if shape is None or shape == a.shape else "auto"
    return full(a.shape if shape is None else shape, fill_value,
                a.dtype if dtype is None else dtype, chunks)


def arange(start: Any = 0, stop: Any = None, step: Any = 1, *,
           chunks: Any = "auto", dtype: Any = None, like: Any = None,
           **kwargs: Any) -> Array:
    """Make evenly spaced numbers, as :func:`numpy.arange` does."""
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ZeroDivisionError("division by zero")
    if dtype is None:
        dtype = np.arange(type(start)(0), type(stop)(0), type(step)(1)).dtype
    dtype = canonical(dtype)
    num = int(max(np.ceil((stop - start) / step), 0))
    sizes = _chunks.normalize_chunks(chunks, (num,), dtype=dtype)
    exact = is_native(dtype) and dtype.kind in "iuf" and \
        all(abs(v) < 2 ** 53 for v in (start, stop, step)) and \
        (dtype.kind == "f" or all(float(v).is_integer()
                                  for v in (start, step)))
    if not num or not exact:
        return from_array(np.arange(start, stop, step, dtype), sizes)
    made = Array._make("arange", (), (float(start), float(stop), float(step),
                                      dtype, _chunks.step_of(sizes[0])), dtype)
    return made if _chunks.is_regular(sizes[0]) else made.rechunk(sizes)


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True,
             retstep: bool = False, chunks: Any = "auto", dtype: Any = None,
             **kwargs: Any) -> Any:
    """Make ``num`` numbers from start to stop, as :func:`numpy.linspace`."""
    num = int(num)
    dtype = canonical(dtype or np.linspace(start, stop, 1).dtype)
    sizes = _chunks.normalize_chunks(chunks, (num,), dtype=dtype)
    if not num or not is_native(dtype):
        made = from_array(np.linspace(start, stop, num, endpoint, dtype=dtype),
                          sizes)
    else:
        made = Array._make("linspace", (), (
            float(start), float(stop), num, endpoint, dtype,
            _chunks.step_of(sizes[0])), dtype)
        if not _chunks.is_regular(sizes[0]):
            made = made.rechunk(sizes)
    if retstep:
        return made, (stop - start) / ((num - 1) if endpoint else num)
    return made
