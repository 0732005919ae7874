# SPDX-License-Identifier: BSD-3-Clause
"""Functions on arrays by the names of NumPy, dask.array and the array API."""
from __future__ import annotations

import numpy as _np
from numpy import (bool_, complex64, complex128, e, euler_gamma, finfo,
                   float32, float64, iinfo, inf, int8, int16, int32, int64,
                   isdtype, nan, newaxis, pi, uint8, uint16, uint32, uint64)

from . import random
from ._array import Array
from ._blocks import map_blocks
from ._blockwise import blockwise, unify_chunks
from ._chunks import normalize_chunks
from ._creation import (arange, asanyarray, asarray, empty, empty_like,
                        from_array, full, full_like, linspace, ones, ones_like,
                        zeros, zeros_like)
from ._dask import from_delayed
from ._elementwise import apply as _apply
from ._elementwise import astype, clip
from ._gufunc import apply_gufunc, as_gufunc, gufunc
from ._histogram import histogram, histogram2d, histogramdd
from ._lines import sliding_window_view
from ._matrices import (PerformanceWarning, argwhere, coarsen, diag, ediff1d,
                        eye, flatnonzero, fromfunction, indices, tri)
from ._numpy import FUNCTIONS as _FUNCTIONS
from ._numpy import result_type
from ._overlap import map_overlap
from ._products import matmul, tensordot, vecdot
from ._scan import push
from ._searching import argtopk, topk
from ._shape import rechunk
from ._store import store
from ._trees import reduction

bool = bool_  # noqa: A001 - the standard's name


def _ufunc(ufunc):
    is_question = all(t.endswith("->?") for t in ufunc.types)

    def function(*args, **kwargs):
        # What a question's answer shall become, as dask has it.
        dtype = kwargs.pop("dtype", None) if is_question else None
        made = ufunc(*args, **kwargs) if any(
            isinstance(a, Array) for a in args) else _apply(ufunc, args,
                                                            **kwargs)
        return made if dtype is None else made.astype(dtype)
    function.__name__ = ufunc.__name__
    function.__doc__ = f"As :data:`numpy.{ufunc.__name__}`."
    return function


for _name in dir(_np):
    _found = getattr(_np, _name)
    if _name.startswith("_") or _name in globals():
        continue
    if isinstance(_found, _np.ufunc):
        globals()[_name] = _ufunc(_found)
    elif callable(_found) and _found in _FUNCTIONS:
        globals()[_name] = _FUNCTIONS[_found]


def isnull(a):
    """Where values are missing."""
    from ._python import elementwise
    import pandas
    return elementwise(pandas.isnull, [asarray(a)], "?")


def notnull(a):
    """Where values are not missing."""
    return ~isnull(a)


def masked_invalid(a):
    """Mask values that are no numbers; masks are kept as NaN."""
    return asarray(a)


def getmaskarray(a):
    """Where values are masked."""
    return isnull(a)


def reshape_blockwise(x, shape, chunks=None):
    """Reshape; the order of values is that of numpy.reshape."""
    made = asarray(x).reshape(shape)
    return made if chunks is None else made.rechunk(chunks)


def unique_values(x):
    """Different values; they are computed: their number is needed."""
    return asarray(_np.unique(_np.asarray(x)))


def unique_all(x):
    """Different values, where each is first, where it is, how often."""
    return _computed(_np.unique_all, x)


def unique_counts(x):
    """Different values, and how often each is there."""
    return _computed(_np.unique_counts, x)


def unique_inverse(x):
    """Different values, and where in them each value is."""
    return _computed(_np.unique_inverse, x)


def _computed(function, x):
    made = function(_np.asarray(x))
    return type(made)(*(asarray(part) for part in made))


def matrix_transpose(x):
    """Exchange the last two axes."""
    return asarray(x).mT


def unstack(x, /, *, axis=0):
    """Slices along an axis."""
    x = asarray(x)
    front = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*front, i)] for i in range(x.shape[axis]))


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """Sort along an axis."""
    made = _np.sort(asarray(x), axis=axis)
    return flip(made, axis=axis) if descending else made


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """Positions that sort along an axis; those of equal values in order."""
    x = asarray(x)
    if not descending:
        return _np.argsort(x, axis=axis)
    made = flip(_np.argsort(flip(x, axis=axis), axis=axis), axis=axis)
    return x.shape[axis] - 1 - made


broadcast_shapes = _np.broadcast_shapes


class linalg:  # noqa: N801 - a namespace
    """Linear algebra; of whole matrices, in one task."""

    @staticmethod
    def lstsq(a, b):
        """Least squares, as :func:`numpy.linalg.lstsq`."""
        made = _np.linalg.lstsq(_np.asarray(a), _np.asarray(b), rcond=None)
        return tuple(asarray(_np.asarray(m)) for m in made)

    @staticmethod
    def norm(x, ord=None, axis=None, keepdims=False):
        """Euclidean norm of vectors."""
        if ord not in (None, 2, "fro"):
            raise NotImplementedError(f"norm of order {ord!r}")
        x = asarray(x)
        return _np.sqrt((abs(x) ** 2).sum(axis=axis, keepdims=keepdims))

    matmul = staticmethod(matmul)
    tensordot = staticmethod(tensordot)
    vecdot = staticmethod(vecdot)


__array_api_version__ = "2024.12"
