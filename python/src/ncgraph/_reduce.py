# SPDX-License-Identifier: BSD-3-Clause
"""Reductions, with NumPy's names, defaults and dtypes."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ._array import Array
from ._creation import asarray, from_array
from ._dtypes import is_native, native_code
from ._lib import UnsupportedError
from ._shape import axes_of, axis_of, ravel, reshape


def _plain(name: str) -> Callable:
    return getattr(np, name)


def _result_dtype(op: str, a: Array, dtype: Any) -> np.dtype:
    """What NumPy's function gives for values of the array's dtype."""
    sample = np.ones((1,), a.dtype)
    if dtype is not None:
        return getattr(np, op)(sample, dtype=dtype).dtype
    return np.asarray(getattr(np, op)(sample)).dtype


def _out(result: Array, out: Any) -> Array:
    if out is None:
        return result
    from ._elementwise import put_out
    return put_out(result, (out,))


def reduce(op: str, a: Any, axis: Any = None, dtype: Any = None,
           keepdims: Any = False, skipna: bool = False, ddof: int = 0,
           min_count: int = 0, out: Any = None) -> Array:
    """Reduce over axes.

    Parameters
    ----------
    op : str
        sum, prod, min, max, mean, std, var, any, all, count.
    a : array_like
    axis : int or tuple of int, optional
        All axes by default.
    dtype : dtype, optional
        In which is computed, as in NumPy.
    keepdims : bool
        Keep the axes with size 1.
    skipna : bool
        Leave NaN out, as NumPy's nan functions.
    ddof : int
        std, var: the divisor is N - ddof.
    min_count : int
        Fewer values give NaN.
    """
    a = asarray(a)
    keepdims = bool(keepdims) and keepdims is not np._NoValue
    axes = axes_of(axis, a.ndim)
    skipna = skipna and a.dtype.kind in "fcmMO"
    if not is_native(a.dtype) or not a.size or \
            (dtype is not None and not is_native(np.dtype(dtype))):
        return _out(_python(op, a, axes, dtype, keepdims, skipna, ddof), out)
    result = _result_dtype("sum" if op == "count" else op, a, dtype) \
        if op != "count" else np.dtype("i8")
    if not is_native(result):
        return _out(_python(op, a, axes, dtype, keepdims, skipna, ddof), out)
    if skipna and op in ("sum", "prod") and result.kind in "iu":
        a, skipna = _without_nan(op, a), False  # before it becomes an integer
    if op in ("mean", "std", "var", "sum", "prod") and a.dtype != result and \
            (dtype is not None or (a.dtype.kind == "b")):
        a = a.astype(result)
    if not axes:
        return _out(_of_nothing(op, a, result, skipna, ddof), out)
    if not skipna and op in ("any", "all") and a.dtype.kind == "f":
        a = a.astype(bool)
    floor = min_count if skipna and op in ("sum", "prod", "min", "max", "mean",
                                           "std", "var") else 0
    if op in ("min", "max", "mean", "std", "var"):
        floor = max(floor, 1)
    from ._windows import reduced
    made = reduced(a, op, axes, skipna, floor, ddof, keepdims, result)
    if made is None:
        made = _of_engine(a, (op, axes, skipna, floor, ddof, keepdims,
                              native_code(result)), result)
    return _out(made, out)


def _of_engine(a: Array, params: tuple, result: np.dtype) -> Array:
    """The engine's reduction: of the values before they were rechunked."""
    from ._elementwise import without_rechunk
    made = without_rechunk(a)._new("reduce", params, result)
    axes, keepdims = params[1], params[5]
    wanted = tuple((1,) if d in axes else c for d, c in enumerate(a.chunks)
                   if keepdims or d not in axes)
    return made if made.chunks == wanted else made.rechunk(wanted)


def _of_nothing(op: str, a: Array, result: np.dtype, skipna: bool,
                ddof: int) -> Array:
    """A reduction over no axes."""
    from ._elementwise import apply
    if op in ("std", "var"):
        return _python(op, a, (), None, False, skipna, ddof)
    if op in ("any", "all"):
        return a.astype(bool)
    if op == "count":
        return apply(np.logical_not, (apply(np.isnan, (a,)),)).astype(result)
    if skipna and op in ("sum", "prod"):
        a = _without_nan(op, a)
    return a.astype(result)


def _without_nan(op: str, a: Array) -> Array:
    """What changes nothing in place of NaN."""
    from ._elementwise import apply, where
    nothing = np.asarray(op == "prod", a.dtype)
    return where(apply(np.isnan, (a,)), nothing, a)


# ---- in Python ----------------------------------------------------------------------

_TREES = {"sum", "prod", "min", "max", "any", "all"}


class Reduced:
    """NumPy's reduction of a block over axes."""

    def __init__(self, function: Any, axes: tuple[int, ...], keepdims: bool,
                 kwargs: dict[str, Any]):
        self.function, self.axes = function, axes
        self.keepdims, self.kwargs = keepdims, kwargs

    def __call__(self, blocks: list, where: Any) -> Any:
        axis = self.axes if len(self.axes) != 1 else self.axes[0]
        return self.function(blocks[0], axis=axis, keepdims=self.keepdims,
                             **self.kwargs)


def _python(op: str, a: Array, axes: tuple[int, ...], dtype: Any,
            keepdims: bool, skipna: bool, ddof: int) -> Array:
    if op == "count":
        from ._elementwise import apply
        return reduce("sum", apply(np.logical_not, (apply(np.isnan, (a,)),)),
                      axes, keepdims=keepdims)
    name = f"nan{op}" if skipna and op not in ("any", "all") else op
    kwargs: dict[str, Any] = {} if dtype is None else {"dtype": dtype}
    if op in ("std", "var"):
        kwargs["ddof"] = ddof
    function = getattr(np, name)
    if not a.size:
        return from_array(function(np.empty(a.shape, a.dtype), axis=axes,
                                   keepdims=keepdims, **kwargs))
    result = a.dtype if a.dtype == object and dtype is None and \
        op not in ("any", "all") else \
        np.asarray(function(_sample(a), axis=axes, **kwargs)).dtype
    # Sums of parts are NaN where these have infinities: none is left out.
    merge = getattr(np, op) if op in ("sum", "prod") else function
    return callable_reduction(function, a, axes, keepdims, result, kwargs,
                              merge if op in _TREES else None)


def _sample(a: Array) -> np.ndarray:
    return np.ones((1,) * a.ndim, a.dtype) if a.dtype.kind != "V" \
        else np.zeros((1,) * a.ndim, a.dtype)


def callable_reduction(function: Callable, a: Array, axes: tuple[int, ...],
                       keepdims: bool, dtype: Any, kwargs: dict[str, Any],
                       merge: Callable | None = None) -> Array:
    """Reduce by a function of NumPy's shape; chunk by chunk where another one
    merges what it gives."""
    from ._python import Reach, layer
    if merge is not None and any(len(a.chunks[d]) > 1 for d in axes):
        chunks = tuple((1,) * len(c) if d in axes else c
                       for d, c in enumerate(a.chunks))
        reach = [[Reach(d, *_bounds(a.chunks[d])) for d in range(a.ndim)]]
        a = layer(Reduced(function, axes, True, kwargs), [a], chunks, reach,
                  dtype)
        function = merge
    chunks, reach, place = [], [], 0
    for d, c in enumerate(a.chunks):
        if d in axes:
            reach.append(Reach(-1))
            if keepdims:
                chunks.append((1,))
                place += 1
        else:
            chunks.append(c)
            reach.append(Reach(place))
            place += 1
    return layer(Reduced(function, axes, keepdims, kwargs), [a], tuple(chunks),
                 [reach], dtype)


def _bounds(sizes: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    from ._chunks import edges
    borders = edges(sizes)
    return tuple(borders[:-1]), tuple(borders[1:])


# ---- functions with NumPy's names ---------------------------------------------------------

_NOTHING = {"sum": 0, "prod": 1, "any": False, "all": True}
_JOIN = {"sum": (np.add, np.add), "prod": (np.multiply, np.multiply),
         "min": (np.minimum, np.fmin), "max": (np.maximum, np.fmax)}


def _masked(op: str, a: Array, mask: Any, initial: Any) -> Array:
    """What changes nothing where a mask is false."""
    if op in _NOTHING:
        initial = _NOTHING[op]
    elif initial is None:
        raise ValueError(f"reduction operation {op!r} does not have an "
                         "identity, so to use a where mask one has to specify "
                         "'initial'")
    from ._elementwise import where
    return where(mask, a, np.asarray(initial).astype(a.dtype))


def _check(op: str, more: dict[str, Any]) -> None:
    """Refuse what would change the result."""
    given = {k for k, v in more.items() if v is not np._NoValue and
             not (k == "where" and v is True)}
    if "where" in given:
        raise UnsupportedError(f"{op} does not take where=: put NaN there by "
                               f"ncgraph.where and use nan{op}")
    if given:
        raise TypeError(f"{op}() got unexpected keyword arguments: "
                        f"{sorted(given)}")


def _reduced(op: str, a: Any, axis: Any, dtype: Any, keepdims: Any,
             skipna: bool, out: Any, more: dict[str, Any]) -> Array:
    """Reduce, with what NumPy's functions take besides: initial=, where=."""
    more = {k: v for k, v in more.items() if v is not np._NoValue}
    initial = more.pop("initial", None) if op in _JOIN else None
    mask = True if op == "mean" else more.pop("where", True)
    _check(op, more)
    a = asarray(a)
    if mask is not True:
        a = _masked(op, a, mask, initial)
    begin = {} if initial is None else {"initial": initial}
    if not a.size and op in ("min", "max"):
        return _out(from_array(getattr(np, op)(
            np.empty(a.shape, a.dtype), axis=axes_of(axis, a.ndim),
            keepdims=keepdims is True, **begin)), out)
    made = reduce(op, a, axis, dtype, keepdims, skipna)
    if begin:
        made = _JOIN[op][skipna](made, np.asarray(initial).astype(made.dtype))
    return _out(made, out)


def _function(op: str, skipna: bool) -> Callable:
    def function(a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
                 keepdims: Any = False, split_every: Any = None,
                 **kwargs: Any) -> Array:
        return _reduced(op, a, axis, dtype, keepdims, skipna, out, kwargs)
    function.__name__ = f"nan{op}" if skipna else op
    function.__doc__ = f"As :func:`numpy.{function.__name__}`."
    return function


def _plain_function(op: str, skipna: bool) -> Callable:
    def function(a: Any, axis: Any = None, out: Any = None,
                 keepdims: Any = False, split_every: Any = None,
                 **kwargs: Any) -> Array:
        return _reduced(op, a, axis, None, keepdims, skipna, out, kwargs)
    function.__name__ = f"nan{op}" if skipna else op
    function.__doc__ = f"As :func:`numpy.{function.__name__}`."
    return function


def _spread_function(op: str, skipna: bool) -> Callable:
    def function(a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
                 ddof: int = 0, keepdims: Any = False, split_every: Any = None,
                 correction: Any = None, **kwargs: Any) -> Array:
        ddof = ddof if correction is None else correction
        kwargs.pop("mean", None)  # it is found anyway
        _check(op, kwargs)
        if int(ddof) != ddof:
            return _python(op, asarray(a), axes_of(axis, np.ndim(a)), dtype,
                           bool(keepdims), skipna, ddof)
        return reduce(op, a, axis, dtype, keepdims, skipna, int(ddof), out=out)
    function.__name__ = f"nan{op}" if skipna else op
    function.__doc__ = f"As :func:`numpy.{function.__name__}`."
    return function


sum_, prod, mean = (_function(op, False) for op in ("sum", "prod", "mean"))
nansum, nanprod, nanmean = (_function(op, True)
                            for op in ("sum", "prod", "mean"))
min_, max_, any_, all_ = (_plain_function(op, False)
                          for op in ("min", "max", "any", "all"))
nanmin, nanmax = (_plain_function(op, True) for op in ("min", "max"))
std, var = (_spread_function(op, False) for op in ("std", "var"))
nanstd, nanvar = (_spread_function(op, True) for op in ("std", "var"))


def count(a: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """Number of values that are not NaN."""
    return reduce("count", a, axis, None, keepdims, True)


def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """Number of values that are not zero."""
    return reduce("sum", asarray(a).astype(bool), axis, None, keepdims)


def ptp(a: Any, axis: Any = None, out: Any = None,
        keepdims: Any = False) -> Array:
    """Maximum minus minimum."""
    return _out(max_(a, axis, keepdims=keepdims) -
                min_(a, axis, keepdims=keepdims), out)


def _arg_function(op: str, skipna: bool) -> Callable:
    def function(a: Any, axis: Any = None, out: Any = None,
                 keepdims: Any = False, split_every: Any = None,
                 **kwargs: Any) -> Array:
        a = asarray(a)
        keep = keepdims is True
        if not a.size:
            return from_array(getattr(np, op)(np.empty(a.shape, a.dtype),
                                              axis=axis, keepdims=keep))
        ndim = a.ndim
        if axis is None:
            a, axes = (ravel(a), (0,)) if ndim else (reshape(a, (1,)), (0,))
        else:
            axes = (axis_of(axis, ndim),)
        if is_native(a.dtype) and (skipna or a.dtype.kind != "f"):
            made = a._new("reduce", (op, axes, skipna, 1, 0, keep,
                                     native_code(np.dtype("i8"))), "i8")
        else:
            name = f"nan{op}" if skipna and a.dtype.kind in "fc" else op
            made = callable_reduction(getattr(np, name), a, axes, keep, "i8",
                                      {})
        if keep and axis is None:
            made = reshape(made, (1,) * ndim)
        return _out(made, out)
    function.__name__ = f"nan{op}" if skipna else op
    function.__doc__ = f"As :func:`numpy.{function.__name__}`."
    return function


argmin, argmax = _arg_function("argmin", False), _arg_function("argmax", False)
nanargmin = _arg_function("argmin", True)
nanargmax = _arg_function("argmax", True)


# ---- weighted ------------------------------------------------------------------------------

def average(a: Any, axis: Any = None, weights: Any = None,
            returned: bool = False, keepdims: bool = False) -> Any:
    """Weighted mean, as :func:`numpy.average`."""
    a = asarray(a)
    if weights is None:
        made = mean(a, axis, keepdims=keepdims)
        total: Any = np.asarray(a.size / max(made.size, 1), made.dtype)
    else:
        w = asarray(weights)
        if a.shape != w.shape:
            if axis is None:
                raise TypeError("Axis must be specified when shapes of a and "
                                "weights differ.")
            if w.ndim != 1 or w.shape[0] != a.shape[axis]:
                raise ValueError("Length of weights not compatible with "
                                 "specified axis.")
            shape = [1] * a.ndim
            shape[axis_of(axis, a.ndim)] = -1
            w = reshape(w, tuple(shape))
        dtype = np.result_type(a.dtype, w.dtype, "f8" if a.dtype.kind in "iub"
                               else a.dtype)
        total = sum_(w * np.ones((1,) * a.ndim, "i1"), axis, dtype=dtype,
                     keepdims=keepdims) if w.shape == a.shape else \
            sum_(w + np.zeros((1,), w.dtype) * 0, None, dtype=dtype)
        made = sum_(a * w, axis, dtype=dtype, keepdims=keepdims) / total
    if returned:
        from ._shape import broadcast_to
        return made, broadcast_to(asarray(total), made.shape)
    return made


# ---- along an axis -------------------------------------------------------------------------

def _scan(scan: str, function: str, a: Any, axis: Any, dtype: Any, out: Any,
          skipna: bool) -> Array:
    a = asarray(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_of(axis, a.ndim)
    result = getattr(np, function)(np.ones(1, a.dtype), dtype=dtype).dtype
    if not a.size:
        return _out(from_array(np.empty(a.shape, result)), out)
    if is_native(result) and is_native(a.dtype):
        a = a.astype(result)
        skipna = skipna and result.kind == "f"
        made = a._new("scan", (scan, axis, skipna, 0, native_code(result)),
                      result)
        return _out(made, out)
    from ._python import Elementwise, Reach, layer
    kwargs = {"axis": axis} if dtype is None else {"axis": axis,
                                                   "dtype": dtype}
    chunks = tuple((a.shape[d],) if d == axis else c
                   for d, c in enumerate(a.chunks))
    reach = [Reach(-1 if d == axis else d) for d in range(a.ndim)]
    return _out(layer(Elementwise(getattr(np, function), kwargs), [a], chunks,
                      [reach], result), out)


def _scan_function(scan: str, function: str, skipna: bool) -> Callable:
    def cumulate(a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
                 method: Any = "sequential", **kwargs: Any) -> Array:
        return _scan(scan, function, a, axis, dtype, out, skipna)
    cumulate.__name__ = function
    cumulate.__doc__ = f"As :func:`numpy.{function}`."
    return cumulate


cumsum = _scan_function("sum", "cumsum", False)
cumprod = _scan_function("prod", "cumprod", False)
nancumsum = _scan_function("sum", "nancumsum", True)
nancumprod = _scan_function("prod", "nancumprod", True)


def _cumulative(function: Callable, first: int) -> Callable:
    def cumulative(x: Any, /, *, axis: Any = None, dtype: Any = None,
                   out: Any = None, include_initial: bool = False) -> Array:
        x = asarray(x)
        x = x if x.ndim else reshape(x, (1,))
        if axis is None:
            if x.ndim != 1:
                raise ValueError("For arrays which have more than one dimension "
                                 "``axis`` argument is required.")
            axis = 0
        made = function(x, axis, dtype, out)
        if not include_initial:
            return made
        from ._shape import concatenate
        shape = list(made.shape)
        shape[axis_of(axis, x.ndim)] = 1
        return concatenate([from_array(np.full(shape, first, made.dtype)),
                            made], axis=axis)
    cumulative.__name__ = f"cumulative_{'prod' if first else 'sum'}"
    cumulative.__doc__ = f"As :func:`numpy.{cumulative.__name__}`."
    return cumulative


cumulative_sum = _cumulative(cumsum, 0)
cumulative_prod = _cumulative(cumprod, 1)


def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None,
         stable: Any = None) -> Array:
    """Sort along an axis, NaN last, as :func:`numpy.sort`."""
    a = asarray(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_of(axis, a.ndim)
    if not a.size:
        return a
    if is_native(a.dtype):
        return a._new("sort", (axis,))
    more = {} if order is None else {"order": order}
    return _whole_axis(np.sort, a, axis, a.dtype, **more)


def argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None,
            stable: Any = None) -> Array:
    """Positions that sort an array, as :func:`numpy.argsort`."""
    a = asarray(a)
    if a.ndim == 0 and axis in (0, -1, None):
        return from_array(np.zeros(1, "i8"))  # as NumPy
    if axis is None:
        a, axis = ravel(a), 0
    return _whole_axis(np.argsort, a, axis_of(axis, a.ndim), np.dtype("i8"),
                       kind=kind or "stable")


def _whole_axis(function: Callable, a: Array, axis: int, dtype: Any,
                **kwargs: Any) -> Array:
    """A function that needs whole axes and keeps the shape."""
    from ._python import Elementwise, Reach, layer
    if not a.size:
        return from_array(np.empty(a.shape, dtype))
    chunks = tuple((a.shape[d],) if d == axis else c
                   for d, c in enumerate(a.chunks))
    reach = [Reach(-1 if d == axis else d) for d in range(a.ndim)]
    return layer(Elementwise(function, {"axis": axis, **kwargs}), [a], chunks,
                 [reach], dtype)
