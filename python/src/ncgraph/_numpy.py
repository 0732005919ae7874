# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's functions on arrays (NEP 18).

What is not here is computed by NumPy itself on the arrays' values, with a
warning: nothing becomes slow silently.
"""
from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from . import (_creation, _elementwise, _histogram, _index, _joining,
               _lines, _products, _quantiles, _reduce, _searching, _shape,
               _statistics, _values, config)
from ._array import Array
from ._creation import asarray
from ._registry import FUNCTIONS, implements


class FallbackWarning(FutureWarning):
    """NumPy computed what ncgraph has no lazy form of."""


# These look at out= themselves: NumPy stretches no result of theirs into it.
_EXACT_OUT = {np.concatenate, np.stack, np.dot}


def array_function(self: Array, func: Any, types: Any, args: Any,
                   kwargs: Any) -> Any:
    """What ``Array.__array_function__`` does."""
    if not all(issubclass(t, (Array, np.ndarray)) or
               t.__module__.startswith("dask.array") for t in types):
        return NotImplemented
    ours = FUNCTIONS.get(func)
    if func in _EXACT_OUT:
        return ours(*args, **kwargs)
    if ours is not None:
        out = kwargs.pop("out", None)
        made = ours(*args, **kwargs)
        return made if out is None else _elementwise.put_out(
            made, out if isinstance(out, tuple) else (out,))
    if config.get("warn_fallback"):
        warnings.warn(
            f"numpy.{getattr(func, '__name__', func)} has no lazy form in "
            "ncgraph: the arrays are computed", FallbackWarning, stacklevel=3)
    from ._compute import compute
    args, kwargs = compute(args, kwargs)
    return func(*args, **kwargs)


for _module, _names in (
    (_reduce, "prod mean std var nansum nanprod nanmean nanmin nanmax nanstd "
              "nanvar argmin argmax nanargmin nanargmax average cumsum "
              "cumprod nancumsum nancumprod sort argsort count_nonzero ptp"),
    (_quantiles, "quantile nanquantile percentile nanpercentile median "
                 "nanmedian"),
    (_shape, "transpose moveaxis rollaxis swapaxes ravel expand_dims "
             "squeeze broadcast_to broadcast_arrays concatenate stack block "
             "pad flip roll diff repeat tile"),
    (_index, "take compress nonzero take_along_axis"),
    (_products, "tensordot dot vdot outer einsum cross"),
    (_elementwise, "where clip"),
    (_creation, "zeros_like ones_like empty_like full_like"),
):
    for _name in _names.split():
        implements(_name)(getattr(_module, _name))
implements("sum")(_reduce.sum_)
implements("min", "amin")(_reduce.min_)
implements("max", "amax")(_reduce.max_)
implements("any")(_reduce.any_)
implements("all")(_reduce.all_)
implements("reshape")(lambda a, shape, order="C", **k: _shape.reshape(
    a, shape, order=order))
implements("permute_dims")(_shape.transpose)
implements("concat")(_shape.concatenate)
implements("round", "around")(_elementwise.round_)
implements("astype")(lambda x, dtype, **k: _elementwise.astype(x, dtype))
implements("cumulative_sum")(_reduce.cumulative_sum)
implements("cumulative_prod")(_reduce.cumulative_prod)


@implements("asarray", "asanyarray", "ascontiguousarray")
def _asarray(a: Any, dtype: Any = None, **kwargs: Any) -> Array:
    return asarray(a, dtype)


@implements("array")
def _array(a: Any, dtype: Any = None, **kwargs: Any) -> Array:
    return asarray(a, dtype)


@implements("copy")
def copy(a: Any, **kwargs: Any) -> Array:
    """Return an array of the same values."""
    return asarray(a).copy()


@implements("shape")
def _shape_of(a: Any) -> tuple[int, ...]:
    return a.shape


@implements("ndim")
def _ndim_of(a: Any) -> int:
    return a.ndim


@implements("size")
def _size_of(a: Any, axis: Any = None) -> int:
    return a.size if axis is None else a.shape[axis]


@implements("result_type")
def result_type(*args: Any) -> np.dtype:
    """The dtype that values of several meet in."""
    return np.result_type(*(a.dtype if isinstance(a, Array) else a
                            for a in args))


@implements("can_cast")
def _can_cast(a: Any, to: Any, casting: str = "safe") -> bool:
    return np.can_cast(a.dtype if isinstance(a, Array) else a, to, casting)


__all__ = ["FUNCTIONS", "FallbackWarning", "_histogram", "_joining",
           "_lines",
           "_searching", "_statistics", "_values"]
