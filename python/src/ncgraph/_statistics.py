# SPDX-License-Identifier: BSD-3-Clause
"""Moments, covariances, correlations."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import _creation, _products, _reduce, _shape
from ._array import Array
from ._creation import asarray
from ._joining import atleast_2d
from ._registry import implements
from ._searching import diagonal


def moment(a: Array, order: int, axis: Any = None, dtype: Any = None,
           keepdims: bool = False, ddof: int = 0) -> Array:
    """Central moment over axes."""
    if not isinstance(order, (int, np.integer)) or order < 0:
        raise ValueError("Order must be an integer >= 0")
    a = a.astype("f8" if dtype is None else dtype)
    if order == 0:
        return _reduce.mean(_creation.ones_like(a), axis, keepdims=keepdims)
    if order == 1:
        return _reduce.mean(a - a, axis, keepdims=keepdims)
    centred = a - _reduce.mean(a, axis, keepdims=True)
    count = np.prod([a.shape[d] for d in _shape.axes_of(axis, a.ndim)])
    return _reduce.sum_(centred ** order, axis, keepdims=keepdims) / (
        count - ddof)


@implements("cov")
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False,
        ddof: Any = None, fweights: Any = None, aweights: Any = None,
        *, dtype: Any = None) -> Array:
    """Covariances, as :func:`numpy.cov`; weights are computed first."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    x = atleast_2d(asarray(m))
    if not rowvar and np.ndim(m) > 1:
        x = x.T
    if y is not None:
        other = atleast_2d(asarray(y))
        x = _shape.concatenate([x, other if rowvar or np.ndim(y) < 2
                                else other.T], axis=0)
    x = x.astype(np.result_type(x.dtype, "f8") if dtype is None else dtype)
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = _cov_weights(x.shape[1], fweights, aweights)
    if weights is None:
        centred = x - x.mean(axis=1, keepdims=True)
        other, total = centred, x.shape[1] - ddof
    else:
        mean = (x * weights).sum(axis=1, keepdims=True) / weights.sum()
        centred = x - mean
        other, total = centred * weights, weights.sum()
        total -= ddof * (1 if aweights is None else (
            weights * np.asarray(aweights)).sum() / total)
    if total <= 0:
        import warnings
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning,
                      stacklevel=2)
        total = 0
    made = _products.matmul(centred, other.T.conj())
    return (made / np.float64(total)).squeeze()


def _cov_weights(n: int, fweights: Any, aweights: Any) -> np.ndarray | None:
    """Weights of observations, computed and checked as NumPy does."""
    weights = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        w = np.asarray(given, dtype=float)
        if w.ndim > 1:
            raise RuntimeError(f"cannot handle multidimensional {name}")
        if w.shape[0] != n:
            raise RuntimeError(f"incompatible numbers of samples and {name}")
        if (w < 0).any():
            raise ValueError(f"{name} cannot be negative")
        if name == "fweights" and (w != np.around(w)).any():
            raise TypeError("fweights must be integer")
        weights = w if weights is None else weights * w
    return weights


@implements("corrcoef")
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *,
             dtype: Any = None) -> Array:
    """Correlations, as :func:`numpy.corrcoef`."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    d = np.sqrt(diagonal(c))
    return c / d[:, None] / d[None, :]
