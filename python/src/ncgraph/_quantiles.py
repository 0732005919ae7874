# SPDX-License-Identifier: BSD-3-Clause
"""Exact quantiles and medians."""
from __future__ import annotations

from typing import Any

import numpy as np

from ._array import Array
from ._creation import asarray, from_array
from ._dtypes import is_native, native_code
from ._elementwise import without_rechunk
from ._shape import axes_of, empty_of, reshape


def _quantiles(a: Any, q: Any, axis: Any, method: str, keepdims: Any,
               skipna: bool, weights: Any = None) -> Array:
    a = asarray(a)
    keep = keepdims is True
    axes = axes_of(axis, a.ndim)
    # A number of Python is weak, as in NumPy: it takes the values' dtype.
    weak = q if isinstance(q, (int, float)) else \
        np.full(1, 0.5, _exact(np.asarray(q).dtype))
    q = np.asarray(q)
    q = q.astype(_exact(q.dtype))
    if q.size and not (0 <= q.min() and q.max() <= 1):
        raise ValueError("Quantiles must be in the range [0, 1]")
    name = "nanquantile" if skipna else "quantile"
    sample = getattr(np, name)(np.ones(1, a.dtype), weak, method=method)
    if not q.size:
        return empty_of(q.shape + tuple(
            1 if d in axes else n for d, n in enumerate(a.shape)
            if keep or d not in axes), sample.dtype)
    if weights is not None or not is_native(a.dtype) or not a.size or \
            not is_native(sample.dtype) or not axes:
        return _in_python(name, a, q, axes, method, keep, weights,
                          sample.dtype)
    # Integers as which the engine gives floats have a missing value.
    dtype = sample.dtype if sample.dtype.kind == "f" else np.dtype("f8")
    made = _of_engine(a, (tuple(q.ravel().tolist()), axes, method, skipna,
                          keep, native_code(dtype)), dtype)
    made = made.astype(sample.dtype)
    rest = tuple((1,) if d in axes else c for d, c in enumerate(a.chunks)
                 if keep or d not in axes)
    if a._node.op in ("rechunk", "transpose") and made.chunks[1:] != rest:
        made = made.rechunk(made.chunks[:1] + rest)
    return reshape(made, q.shape + made.shape[1:]) if q.ndim != 1 else made


def _of_engine(a: Array, params: tuple, dtype: np.dtype) -> Array:
    """The engine's quantiles: of values before they were moved to have whole
    axes, which it does not need."""
    q, axes, method, skipna, keep, code = params
    wide = without_rechunk(a)
    if wide._node.op != "transpose" or wide._width:
        wide = wide.astype(dtype) if a.dtype.kind == "f" else wide
        return wide._new("quantile", params, dtype)
    order = wide._node.params[0]
    made = _of_engine(Array._of(wide._node.inputs[0]), (
        q, tuple(order[d] for d in axes), method, skipna, True, code), dtype)
    made = made._new("transpose", ((0, *(d + 1 for d in order)),))
    return made if keep else reshape(made, made.shape[:1] + tuple(
        n for d, n in enumerate(a.shape) if d not in axes))


def _exact(dtype: np.dtype) -> np.dtype:
    return dtype if dtype.kind == "f" else np.dtype("f8")


class Quantile:
    """NumPy's quantiles of a block, with weights."""

    def __init__(self, name: str, q: np.ndarray, axes: tuple[int, ...],
                 method: str, keep: bool):
        self.name, self.q, self.axes = name, q, axes
        self.method, self.keep = method, keep

    def __call__(self, blocks: list, where: Any) -> Any:
        axis = self.axes[0] if len(self.axes) == 1 else self.axes
        weights = np.broadcast_to(blocks[1], blocks[0].shape) \
            if len(blocks) > 1 else None
        return getattr(np, self.name)(
            blocks[0], self.q, axis=axis, method=self.method,
            keepdims=self.keep, weights=weights)


def _in_python(name: str, a: Array, q: np.ndarray, axes: tuple, method: str,
               keep: bool, weights: Any, dtype: Any) -> Array:
    from ._python import Reach, layer
    call = Quantile(name, q, axes, method, keep)
    if not a.size:
        return from_array(np.asarray(
            call([np.empty(a.shape, a.dtype)], None), dtype))
    inputs = [a] if weights is None else [a, _spread(a, axes, weights)]
    chunks, reach = [(n,) for n in q.shape], []
    for d, sizes in enumerate(a.chunks):
        if d in axes:
            reach.append(Reach(-1))
        else:
            reach.append(Reach(len(chunks)))
        if d not in axes or keep:
            chunks.append((1,) if d in axes else sizes)
    rows = [reach] + [[r if w.shape[d] > 1 else Reach(-1)
                       for d, r in enumerate(reach)] for w in inputs[1:]]
    return layer(call, inputs, tuple(chunks), rows, dtype)


def _spread(a: Array, axes: tuple[int, ...], weights: Any) -> Array:
    """Weights with as many axes as the values; of size 1 where all are equal."""
    w = asarray(weights)
    if w.shape == a.shape:
        return w if w.chunks == a.chunks else w.rechunk(a.chunks)
    if w.shape != tuple(a.shape[d] for d in axes):
        raise TypeError("Shape of weights must be the shape of the axes of "
                        f"the array: {w.shape} is not that of axes {axes} of "
                        f"{a.shape}")
    shape = [1] * a.ndim
    for d in axes:
        shape[d] = a.shape[d]
    return reshape(w, tuple(shape))


def _out(result: Array, out: Any) -> Array:
    if out is None:
        return result
    from ._elementwise import put_out
    return put_out(result, (out,))


def quantile(a: Any, q: Any, axis: Any = None, out: Any = None,
             overwrite_input: bool = False, method: str = "linear",
             keepdims: Any = False, weights: Any = None) -> Array:
    """Exact quantiles, as :func:`numpy.quantile`."""
    return _out(_quantiles(a, q, axis, method, keepdims, False, weights), out)


def nanquantile(a: Any, q: Any, axis: Any = None, out: Any = None,
                overwrite_input: bool = False, method: str = "linear",
                keepdims: Any = False, weights: Any = None) -> Array:
    """Exact quantiles without NaN, as :func:`numpy.nanquantile`."""
    return _out(_quantiles(a, q, axis, method, keepdims, True, weights), out)


def _percent(q: Any) -> Any:
    return q / 100 if isinstance(q, (int, float)) else np.asarray(q) / 100


def percentile(a: Any, q: Any, axis: Any = None, out: Any = None,
               overwrite_input: bool = False, method: str = "linear",
               keepdims: Any = False, **kwargs: Any) -> Array:
    """Exact percentiles, as :func:`numpy.percentile`."""
    return quantile(a, _percent(q), axis, out, method=method,
                    keepdims=keepdims, **kwargs)


def nanpercentile(a: Any, q: Any, axis: Any = None, out: Any = None,
                  overwrite_input: bool = False, method: str = "linear",
                  keepdims: Any = False, **kwargs: Any) -> Array:
    """Exact percentiles without NaN, as :func:`numpy.nanpercentile`."""
    return nanquantile(a, _percent(q), axis, out, method=method,
                       keepdims=keepdims, **kwargs)


def _median(a: Any, axis: Any, keepdims: Any, skipna: bool) -> Array:
    a = asarray(a)
    function = np.nanmedian if skipna else np.median
    if not a.size:
        return from_array(function(np.empty(a.shape, a.dtype), axis=axis,
                                   keepdims=keepdims is True))
    if a.dtype.kind in "cm":  # the mean of two, which is no quantile
        from ._reduce import callable_reduction
        return callable_reduction(function, a, axes_of(axis, a.ndim),
                                  keepdims is True, a.dtype, {})
    if a.dtype.kind == "b":
        a = a.astype("f8")
    return _quantiles(a, 0.5, axis, "linear", keepdims, skipna)


def median(a: Any, axis: Any = None, out: Any = None,
           overwrite_input: bool = False, keepdims: Any = False) -> Array:
    """Exact median, as :func:`numpy.median`."""
    return _out(_median(a, axis, keepdims, False), out)


def nanmedian(a: Any, axis: Any = None, out: Any = None,
              overwrite_input: bool = False, keepdims: Any = False) -> Array:
    """Exact median without NaN, as :func:`numpy.nanmedian`."""
    return _out(_median(a, axis, keepdims, True), out)
