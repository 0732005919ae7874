# SPDX-License-Identifier: BSD-3-Clause
"""Functions of values that are not ufuncs: parts, replacing, closeness, bits."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from . import _creation, _elementwise
from ._array import Array
from ._creation import asarray, from_array
from ._dtypes import canonical, is_native, storage
from ._registry import implements


@implements("iscomplexobj")
def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is one of complex numbers."""
    return x.dtype.kind == "c"


@implements("isrealobj")
def isrealobj(x: Any) -> bool:
    """Whether the dtype is not one of complex numbers."""
    return x.dtype.kind != "c"


def _part(name: str) -> Callable:
    def function(val: Any) -> Array:
        a = asarray(val)
        if a.dtype.kind not in "cO":
            return a if name == "real" else _creation.zeros_like(a)
        dtype = getattr(np.ones(1, a.dtype), name).dtype
        from ._python import elementwise
        return elementwise(getattr(np, name), [a], dtype)
    function.__name__ = name
    return implements(name)(function)


real, imag = _part("real"), _part("imag")


@implements("angle")
def angle(z: Any, deg: bool = False) -> Array:
    """Angles of complex numbers."""
    z = asarray(z)
    return _lazy(np.angle, [z], deg=deg)


@implements("isreal")
def isreal(x: Any) -> Array:
    """Where imaginary parts are zero."""
    return imag(x) == 0


@implements("iscomplex")
def iscomplex(x: Any) -> Array:
    """Where imaginary parts are not zero."""
    return imag(x) != 0


def _lazy(function: Callable, arrays: list[Array], **kwargs: Any) -> Array:
    """A function of elements that only Python has."""
    from ._python import elementwise
    sample = function(*(np.ones((1,) * a.ndim, a.dtype) for a in arrays),
                      **kwargs)
    return elementwise(function, arrays, np.asarray(sample).dtype, **kwargs)


def _lazy_function(name: str, ninputs: int = 1) -> None:
    function = getattr(np, name)

    def wrapped(*args: Any, **kwargs: Any) -> Array:
        arrays = [asarray(a) for a in args[:ninputs]]
        return _lazy(function, arrays, **kwargs)
    wrapped.__name__ = name
    implements(name)(wrapped)


for _name in ("i0", "sinc", "real_if_close", "fix", "isposinf",
              "isneginf"):
    if hasattr(np, _name):
        _lazy_function(_name)


@implements("nan_to_num")
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0,
               posinf: Any = None, neginf: Any = None) -> Array:
    """Replace NaN and infinities, as :func:`numpy.nan_to_num`."""
    a = asarray(x)
    if a.dtype.kind != "f" or not is_native(a.dtype):
        return a if a.dtype.kind in "biu" else _lazy(
            np.nan_to_num, [a], nan=nan, posinf=posinf, neginf=neginf)
    info = np.finfo(a.dtype)
    high = info.max if posinf is None else posinf
    low = info.min if neginf is None else neginf
    a = _elementwise.where(np.isnan(a), a.dtype.type(nan), a)
    a = _elementwise.where(a == np.inf, a.dtype.type(high), a)
    return _elementwise.where(a == -np.inf, a.dtype.type(low), a)


@implements("isclose")
def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08,
            equal_nan: bool = False) -> Array:
    """Where values are nearly equal, as :func:`numpy.isclose`."""
    a, b = (_elementwise.operand(v) for v in (a, b))
    a, b = (v if isinstance(v, Array) else from_array(np.asarray(v))
            for v in (a, b))
    return _lazy(np.isclose, [a, b], rtol=rtol, atol=atol, equal_nan=equal_nan)


@implements("allclose")
def allclose(a: Any, b: Any, **kwargs: Any) -> Array:
    """Whether all values are nearly equal."""
    return isclose(a, b, **kwargs).all()


@implements("array_equal")
def array_equal(a: Any, b: Any, equal_nan: bool = False) -> Any:
    """Whether shapes and all values are equal."""
    a, b = asarray(a), asarray(b)
    if a.shape != b.shape:
        return False
    same = a == b
    if equal_nan:
        same = same | ((a != a) & (b != b))
    return bool(same.all().compute())


def view(a: Array, dtype: Any) -> Array:
    """Look at the values' bytes as another dtype."""
    dtype = canonical(a.dtype if dtype is None else dtype)
    if dtype == a.dtype:
        return a
    if dtype.itemsize != a.dtype.itemsize:
        return _view_of_size(a, dtype)
    if storage(dtype)[:] == storage(a.dtype)[:]:
        return a._new("same", (), dtype)
    from ._python import elementwise
    return elementwise(View(dtype), [a], dtype)


def _view_of_size(a: Array, dtype: np.dtype) -> Array:
    """The last axis becomes longer or shorter, chunk by chunk."""
    from ._python import Elementwise, Reach, layer
    if not a.ndim:
        raise ValueError("the last axis of a view of another size must exist")
    sizes = []
    for c in a.chunks[-1]:
        if c * a.dtype.itemsize % dtype.itemsize:
            raise ValueError(
                f"chunks of {c} values of {a.dtype} do not hold whole values "
                f"of {dtype}: rechunk the last axis first")
        sizes.append(c * a.dtype.itemsize // dtype.itemsize)
    from ._reduce import _bounds
    reach = [Reach(d) for d in range(a.ndim - 1)] + \
        [Reach(a.ndim - 1, *_bounds(a.chunks[-1]))]
    return layer(Elementwise(View(dtype), {}), [a],
                 a.chunks[:-1] + (tuple(sizes),), [reach], dtype)


class View:
    """ndarray.view as a function that can be pickled."""

    def __init__(self, dtype: np.dtype):
        self.dtype = dtype

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(block).view(self.dtype)
