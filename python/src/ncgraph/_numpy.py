# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's functions on arrays (NEP 18).

What is not here is computed by NumPy itself on the arrays' values, with a
warning: nothing becomes slow silently.
"""
from __future__ import annotations

import warnings
from typing import Any, Callable

import numpy as np

from . import _creation, _elementwise, _index, _products, _reduce, _shape, config
from ._array import Array
from ._creation import asarray, from_array
from ._dtypes import canonical, is_native, native_code, storage

FUNCTIONS: dict[Any, Callable] = {}


class FallbackWarning(FutureWarning):
    """NumPy computed what ncgraph has no lazy form of."""


def array_function(self: Array, func: Any, types: Any, args: Any,
                   kwargs: Any) -> Any:
    """What ``Array.__array_function__`` does."""
    if not all(issubclass(t, (Array, np.ndarray)) or
               t.__module__.startswith("dask.array") for t in types):
        return NotImplemented
    ours = FUNCTIONS.get(func)
    if ours is not None:
        return ours(*args, **kwargs)
    if config.get("warn_fallback"):
        warnings.warn(
            f"numpy.{getattr(func, '__name__', func)} has no lazy form in "
            "ncgraph: the arrays are computed", FallbackWarning, stacklevel=3)
    from ._compute import compute
    args, kwargs = compute(args, kwargs)
    return func(*args, **kwargs)


def implements(*names: str) -> Callable:
    """Register a function for NumPy's functions of these names."""
    def register(fn: Callable) -> Callable:
        for name in names:
            found = np
            for part in name.split("."):
                found = getattr(found, part, None)
            if found is not None:
                FUNCTIONS[found] = fn
        return fn
    return register


for _module, _names in (
    (_reduce, "prod mean std var nansum nanprod nanmean nanmin nanmax nanstd "
              "nanvar argmin argmax nanargmin nanargmax quantile nanquantile "
              "percentile nanpercentile median nanmedian average cumsum "
              "cumprod nancumsum nancumprod sort argsort count_nonzero ptp"),
    (_shape, "transpose moveaxis rollaxis swapaxes reshape ravel expand_dims "
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
implements("permute_dims")(_shape.transpose)
implements("concat")(_shape.concatenate)
implements("round", "around")(_elementwise.round_)
implements("astype")(lambda x, dtype, **k: _elementwise.astype(x, dtype))
implements("cumulative_sum")(lambda x, axis=None, dtype=None, **k:
                             _reduce.cumsum(x, axis, dtype))
implements("cumulative_prod")(lambda x, axis=None, dtype=None, **k:
                              _reduce.cumprod(x, axis, dtype))
atleast_1d = implements("atleast_1d")(_shape.atleast(1))
atleast_2d = implements("atleast_2d")(_shape.atleast(2))
atleast_3d = implements("atleast_3d")(_shape.atleast(3))


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
    return np.can_cast(getattr(a, "dtype", a), to, casting)


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


for _name in ("i0", "sinc", "nan_to_num", "real_if_close", "fix", "isposinf",
              "isneginf", "unwrap_"):
    if hasattr(np, _name):
        _lazy_function(_name)


@implements("nan_to_num")
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0,
               posinf: Any = None, neginf: Any = None) -> Array:
    """Replace NaN and infinities, as :func:`numpy.nan_to_num`."""
    a = asarray(x)
    if a.dtype.kind != "f" or not is_native(a.dtype):
        return a if a.dtype.kind in "biu" else _lazy(np.nan_to_num, [a])
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
    """Look at the values' bytes as another dtype of the same size."""
    dtype = canonical(a.dtype if dtype is None else dtype)
    if dtype == a.dtype:
        return a
    if dtype.itemsize != a.dtype.itemsize:
        raise NotImplementedError("a view of another size: use astype")
    if storage(dtype)[:] == storage(a.dtype)[:]:
        return a._new("same", (), dtype)
    from ._python import elementwise
    return elementwise(View(dtype), [a], dtype)


class View:
    """ndarray.view as a function that can be pickled."""

    def __init__(self, dtype: np.dtype):
        self.dtype = dtype

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(block).view(self.dtype)


# ---- joining and splitting ---------------------------------------------------------

@implements("vstack", "row_stack")
def vstack(tup: Any, **kwargs: Any) -> Array:
    """Join along the first axis."""
    made = [atleast_2d(a) for a in tup]
    return _shape.concatenate(made, axis=0)


@implements("hstack")
def hstack(tup: Any, **kwargs: Any) -> Array:
    """Join along the second axis."""
    made = [atleast_1d(a) for a in tup]
    return _shape.concatenate(made, axis=0 if made[0].ndim == 1 else 1)


@implements("dstack")
def dstack(tup: Any, **kwargs: Any) -> Array:
    """Join along the third axis."""
    return _shape.concatenate([atleast_3d(a) for a in tup], axis=2)


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
    if len(axes) != 2 or axes[0] % a.ndim == axes[1] % a.ndim:
        raise ValueError("axes must be two different ones")
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


@implements("split", "array_split")
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
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
    kept = np.delete(np.arange(a.shape[axis]), obj)
    return _index.take(a, kept, axis)


@implements("insert")
def insert(arr: Any, obj: Any, values: Any, axis: Any) -> Array:
    """Put values before a position of an axis, as :func:`numpy.insert`."""
    a = asarray(arr)
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


# ---- what counts or compares -----------------------------------------------------------

@implements("digitize")
def digitize(x: Any, bins: Any, right: bool = False) -> Array:
    """Numbers of the bins of values."""
    return _lazy(np.digitize, [asarray(x)], bins=np.asarray(bins), right=right)


@implements("isin")
def isin(element: Any, test_elements: Any, assume_unique: bool = False,
         invert: bool = False, **kwargs: Any) -> Array:
    """Where values are among others."""
    tests = np.asarray(test_elements)
    return _lazy(np.isin, [asarray(element)], test_elements=tests,
                 assume_unique=assume_unique, invert=invert)


@implements("searchsorted")
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None
                 ) -> Array:
    """Where values would be put into a sorted array, which is computed."""
    from ._python import elementwise
    call = Searchsorted(np.asarray(a), side)
    return elementwise(call, [asarray(v)], "i8")


class Searchsorted:
    """numpy.searchsorted of a fixed array."""

    def __init__(self, a: np.ndarray, side: str):
        self.a, self.side = a, side

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.a, block, self.side)


@implements("tril")
def tril(m: Any, k: int = 0) -> Array:
    """The lower triangle, zeros above it."""
    a = asarray(m)
    return _elementwise.where(_triangle(a, k), a, np.zeros((), a.dtype))


@implements("triu")
def triu(m: Any, k: int = 0) -> Array:
    """The upper triangle, zeros below it."""
    a = asarray(m)
    return _elementwise.where(_triangle(a, k - 1), np.zeros((), a.dtype), a)


def _triangle(a: Array, k: int) -> Array:
    rows = _creation.arange(a.shape[-2], chunks=(a.chunks[-2],))
    cols = _creation.arange(a.shape[-1], chunks=(a.chunks[-1],))
    return rows[:, None] + k >= cols


@implements("trace")
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1,
          dtype: Any = None) -> Array:
    """Sum of a diagonal."""
    return diagonal(a, offset, axis1, axis2).sum(-1, dtype=dtype)


@implements("diagonal")
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """A diagonal, along the last axis."""
    a = asarray(a)
    if a.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    i, k = _shape.axis_of(axis1, a.ndim), _shape.axis_of(axis2, a.ndim)
    if i == k:
        raise ValueError("axis1 and axis2 cannot be the same")
    n = max(min(a.shape[i] + min(offset, 0), a.shape[k] - max(offset, 0)), 0)
    at = np.arange(n)
    keys: list[Any] = [slice(None)] * a.ndim
    keys[i], keys[k] = at - min(offset, 0), at + max(offset, 0)
    return _shape.moveaxis(a.vindex[tuple(keys)], 0, -1)


@implements("gradient")
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1,
             **kwargs: Any) -> Any:
    """Derivatives by differences, as :func:`numpy.gradient`."""
    from ._python import Elementwise, Reach, layer
    a = asarray(f)
    axes = _shape.axes_of(axis, a.ndim)
    if not varargs:
        varargs = (1,)
    if len(varargs) == 1:
        varargs = varargs * len(axes)
    if len(varargs) != len(axes):
        raise TypeError("Spacing must either be a single scalar, or a scalar / "
                        "1d-array per axis")
    out = []
    dtype = np.gradient(np.ones(4, a.dtype)).dtype
    for d, step in zip(axes, varargs):
        if a.shape[d] < edge_order + 1:
            raise ValueError("Shape of array too small to calculate a "
                             "numerical gradient")
        step = np.asarray(step)
        chunks = tuple((a.shape[d],) if e == d else c
                       for e, c in enumerate(a.chunks))
        reach = [Reach(-1 if e == d else e) for e in range(a.ndim)]
        call = Gradient(step if step.ndim else step[()], d, edge_order)
        out.append(layer(Elementwise(call, {}), [a], chunks, [reach], dtype))
    return out if np.iterable(axis) or (axis is None and len(out) > 1) \
        else out[0]


class Gradient:
    """numpy.gradient along one axis."""

    def __init__(self, step: Any, axis: int, edge_order: int):
        self.step, self.axis, self.edge_order = step, axis, edge_order

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.gradient(block, self.step, axis=self.axis,
                           edge_order=self.edge_order)


@implements("bincount")
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Array:
    """Counts of small integers; values are computed: their maximum is needed."""
    weights = None if weights is None else np.asarray(weights)
    return from_array(np.bincount(np.asarray(x), weights, minlength))


@implements("unique")
def unique(ar: Any, **kwargs: Any) -> Any:
    """Different values; they are computed: their number is needed."""
    made = np.unique(np.asarray(ar), **kwargs)
    return tuple(from_array(v) for v in made) if isinstance(made, tuple) \
        else from_array(made)


@implements("histogram")
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None,
              weights: Any = None) -> tuple[Array, Any]:
    """Counts in bins, as :func:`numpy.histogram`; bins must not need data."""
    if not np.iterable(bins) and range is None:
        raise ValueError("give the range of the histogram, or its edges")
    edges = np.histogram_bin_edges(np.empty(0), np.asarray(bins)
                                   if np.iterable(bins) else bins, range)
    a = _shape.ravel(asarray(a))
    arrays = [a]
    if weights is not None:
        arrays.append(_shape.ravel(asarray(weights)))
    counts = _histogram_parts(arrays, edges).sum(axis=0)
    if density:
        widths = np.diff(edges)
        counts = counts / widths / counts.sum()
    return counts, edges


def _histogram_parts(arrays: list[Array], edges: np.ndarray) -> Array:
    from ._python import Reach, aligned, layer
    chunks, _ = aligned(arrays)
    low, high = _reduce._bounds(chunks[0])
    dtype = np.dtype("i8") if len(arrays) == 1 else arrays[1].dtype
    return layer(Histogram(edges), arrays,
                 ((1,) * len(chunks[0]), (edges.size - 1,)),
                 [[Reach(0, low, high)]] * len(arrays), dtype)


class Histogram:
    """Counts of a block, or sums of its weights."""

    def __init__(self, edges: np.ndarray):
        self.edges = edges

    def __call__(self, blocks: list, where: Any) -> np.ndarray:
        weights = blocks[1] if len(blocks) > 1 else None
        return np.histogram(blocks[0], self.edges, weights=weights)[0][None]


# ---- others of dask's names ------------------------------------------------------------------

def choose(a: Any, choices: Any) -> Array:
    """Choose among arrays, as :func:`numpy.choose`."""
    from ._python import elementwise
    arrays = [asarray(a)] + [asarray(c) for c in choices]
    dtype = np.result_type(*(c.dtype for c in arrays[1:]))
    return elementwise(Choose(), arrays, dtype)


class Choose:
    """numpy.choose with the choices as arguments."""

    def __call__(self, which: np.ndarray, *choices: np.ndarray) -> np.ndarray:
        return np.choose(which, choices)


implements("choose")(choose)


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


def topk(a: Any, k: int, axis: int = -1, split_every: Any = None) -> Array:
    """The k largest values along an axis, descending; smallest where k < 0."""
    made = _reduce.sort(a, axis)
    axis = _shape.axis_of(axis, made.ndim)
    front = (slice(None),) * axis
    if k < 0:
        return made[front + (slice(None, -k),)]
    return _shape.flip(made[front + (slice(-k, None),)], axis)


def argtopk(a: Any, k: int, axis: int = -1, split_every: Any = None) -> Array:
    """Positions of the k largest values along an axis."""
    made = _reduce.argsort(a, axis)
    axis = _shape.axis_of(axis, made.ndim)
    front = (slice(None),) * axis
    if k < 0:
        return made[front + (slice(None, -k),)]
    return _shape.flip(made[front + (slice(-k, None),)], axis)


@implements("lib.stride_tricks.sliding_window_view")
def sliding_window_view(x: Any, window_shape: Any, axis: Any = None,
                        automatic_rechunk: bool = True, **kwargs: Any) -> Array:
    """Windows along axes, as NumPy's function."""
    from ._windows import windows
    a = asarray(x)
    sizes = tuple(window_shape) if np.iterable(window_shape) \
        else (window_shape,)
    axes = _shape.axes_of(axis, a.ndim) if axis is not None and \
        not np.iterable(axis) else (tuple(range(a.ndim)) if axis is None else
                                    tuple(_shape.axis_of(d, a.ndim)
                                          for d in axis))
    if any(s < 0 for s in sizes):
        raise ValueError("`window_shape` cannot contain negative values")
    if len(sizes) != len(axes):
        raise ValueError("Must provide matching length window_shape and axis; "
                         f"got {len(sizes)} window_shape elements and "
                         f"{len(axes)} axes elements.")
    for size, d in zip(sizes, axes):
        if size > a.shape[d]:
            raise ValueError("window shape cannot be larger than input array "
                             "shape")
        a = windows(a, d, size)
    return a


@implements("apply_along_axis")
def apply_along_axis(func1d: Callable, axis: int, arr: Any, *args: Any,
                     dtype: Any = None, shape: Any = None, **kwargs: Any
                     ) -> Array:
    """Apply a function to each line along an axis."""
    from ._python import Elementwise, Reach, layer
    a = asarray(arr)
    axis = _shape.axis_of(axis, a.ndim)
    if dtype is None or shape is None:
        sample = np.asarray(func1d(np.ones(a.shape[axis], a.dtype), *args,
                                   **kwargs))
        dtype, shape = sample.dtype, sample.shape
    chunks = a.chunks[:axis] + tuple((s,) for s in shape) + a.chunks[axis + 1:]
    shift = len(shape) - 1
    reach = [Reach(d if d < axis else -1 if d == axis else d + shift)
             for d in range(a.ndim)]
    call = AlongAxis(func1d, axis, args, kwargs)
    return layer(Elementwise(call, {}), [a], chunks, [reach], dtype)


class AlongAxis:
    """numpy.apply_along_axis with a fixed function."""

    def __init__(self, function: Callable, axis: int, args: tuple,
                 kwargs: dict[str, Any]):
        self.function, self.axis = function, axis
        self.args, self.kwargs = args, kwargs

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return np.apply_along_axis(self.function, self.axis, block, *self.args,
                                   **self.kwargs)


@implements("apply_over_axes")
def apply_over_axes(func: Callable, a: Any, axes: Any) -> Array:
    """Apply a function over several axes, one after the other."""
    a = asarray(a)
    for d in _shape.axes_of(axes, a.ndim):
        made = func(a, d)
        a = made if made.ndim == a.ndim else _shape.expand_dims(made, d)
    return a


@implements("cov")
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False,
        ddof: Any = None) -> Array:
    """Covariances, as :func:`numpy.cov`."""
    x = atleast_2d(asarray(m))
    if not rowvar and np.ndim(m) > 1:
        x = x.T
    if y is not None:
        other = atleast_2d(asarray(y))
        x = _shape.concatenate([x, other if rowvar or np.ndim(y) < 2
                                else other.T], axis=0)
    x = x.astype(np.result_type(x.dtype, "f8"))
    ddof = (0 if bias else 1) if ddof is None else ddof
    x = x - x.mean(axis=1, keepdims=True)
    return (_products.matmul(x, x.T.conj()) / (x.shape[1] - ddof)).squeeze()


@implements("corrcoef")
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Array:
    """Correlations, as :func:`numpy.corrcoef`."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    d = np.sqrt(diagonal(c))
    return c / d[:, None] / d[None, :]


@implements("meshgrid")
def meshgrid(*xi: Any, sparse: bool = False, indexing: str = "xy",
             **kwargs: Any) -> list[Array]:
    """Grids of coordinates, as :func:`numpy.meshgrid`."""
    arrays = [_shape.ravel(asarray(x)) for x in xi]
    n = len(arrays)
    grids = [a[tuple(slice(None) if i == k else None for k in range(n))]
             for i, a in enumerate(arrays)]
    if indexing == "xy" and n > 1:
        grids = [_shape.swapaxes(g, 0, 1) for g in grids]
    return grids if sparse else list(_shape.broadcast_arrays(*grids))


__all__ = ["FUNCTIONS", "FallbackWarning", "native_code"]
