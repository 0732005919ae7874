# SPDX-License-Identifier: BSD-3-Clause
"""xarray's weighted reductions for our arrays.

xarray makes two products of them, of the values and of where they are valid:
both would read the data. The engine's kernel finds sums of values and of
weights in one pass; whatever that cannot do is left to xarray.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ._array import Array
from ._dtypes import is_native, native_code

_OPS = ("mean", "sum", "var", "std")
_SMALL = 1 << 20  # weights that are one chunk


def install() -> None:
    """Put the hooks into xarray, once."""
    try:
        from xarray.computation.weighted import Weighted
    except ImportError:
        return  # another release of xarray, which goes its own way
    if not all(hasattr(Weighted, f"_weighted_{op}") for op in _OPS) or \
            hasattr(Weighted._weighted_mean, "_knows_ncgraph"):
        return
    for op in _OPS:
        name = f"_weighted_{op}"
        setattr(Weighted, name, _hook(getattr(Weighted, name), op))


def _hook(original: Callable, op: str) -> Callable:
    def method(self: Any, da: Any, dim: Any = None, skipna: Any = None) -> Any:
        made = _native(da, self.weights, op, dim, skipna)
        return original(self, da, dim, skipna) if made is None else made
    method._knows_ncgraph = True  # type: ignore[attr-defined]
    method.__doc__ = original.__doc__
    return method


def _native(da: Any, weights: Any, op: str, dim: Any, skipna: Any) -> Any:
    """The reduction by the engine's kernel; None: xarray does it."""
    data = da.variable._data
    if not isinstance(data, Array) or data.dtype.kind != "f" or \
            not is_native(data.dtype) or not data.size:
        return None
    dims = _reduced(da, dim)
    if not dims or not _fit(da, weights, op):
        return None
    result = np.result_type(data.dtype, weights.dtype)
    if result.kind != "f" or not is_native(result):
        return None
    axes = tuple(da.dims.index(d) for d in dims)
    made = reduce(data, _spread(da, weights), op, axes,
                  skipna is None or bool(skipna), result)
    return da.mean(dims).copy(data=made)  # its coordinates are those of all


def _reduced(da: Any, dim: Any) -> tuple:
    """The dimensions of the array over which is reduced; () if some are not
    the array's."""
    if dim is None or dim is ...:
        return da.dims
    if isinstance(dim, str) or not hasattr(dim, "__iter__"):
        dim = (dim,)
    return tuple(dict.fromkeys(dim)) if set(dim) <= set(da.dims) else ()


def _fit(da: Any, weights: Any, op: str) -> bool:
    """Whether weights lie in memory, need no alignment and bring nothing."""
    values = weights.variable._data
    if not isinstance(values, np.ndarray) or not values.size or \
            values.dtype.kind not in "fiu":
        return False
    if op in ("var", "std") and not values.min() >= 0:
        return False  # xarray gives variances that are negative, too
    if any(da.sizes.get(d) != n for d, n in weights.sizes.items()):
        return False
    return all(name in da.coords and coord.variable.equals(
        da.coords[name].variable) for name, coord in weights.coords.items())


def _spread(da: Any, weights: Any) -> np.ndarray:
    """Weights with the array's axes, 1 long where they have none."""
    values = weights.transpose(*(d for d in da.dims if d in weights.dims))
    return np.ascontiguousarray(values.values).astype("f8").reshape(
        [weights.sizes.get(d, 1) for d in da.dims])


def reduce(a: Array, weights: np.ndarray, op: str, axes: tuple[int, ...],
           skipna: bool, dtype: np.dtype) -> Array:
    """Weighted mean, sum, var or std; NaN where weights add up to 0.

    Parameters
    ----------
    weights : numpy.ndarray
        Of as many axes as the array, whose lengths may be 1.
    skipna : bool
        Leave NaN out; otherwise they make a result NaN.
    dtype : dtype
        Of the result; sums run in double.
    """
    from ._creation import from_array
    from ._elementwise import without_rechunk
    wide = without_rechunk(a).astype("f8")
    chunks: Any = -1 if weights.size <= _SMALL else tuple(
        (1,) if n == 1 else c for n, c in zip(weights.shape, wide.chunks))
    params = op, axes, skipna, False, native_code(dtype)
    made = Array._make("weighted", (wide, from_array(weights, chunks)), params,
                       dtype)
    wanted = tuple(c for d, c in enumerate(a.chunks) if d not in axes)
    return made if made.chunks == wanted else made.rechunk(wanted)
