# SPDX-License-Identifier: BSD-3-Clause
"""Shape and order of axes; joining, padding, chunks."""
from __future__ import annotations

import math
import operator
from typing import Any, Sequence

import numpy as np

from . import _chunks
from ._array import Array
from ._creation import asarray, from_array
from ._dtypes import canonical, is_native, to_storage


def axis_of(axis: Any, ndim: int) -> int:
    """Return an axis counted from 0."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return axes counted from 0; all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (int, np.integer)):
        return (axis_of(axis, ndim),)
    axes = tuple(axis_of(a, ndim) for a in axis)
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes


def empty_of(shape: Sequence[int], dtype: Any) -> Array:
    """Make an array without values."""
    return from_array(np.empty(tuple(shape), dtype))


def transpose(a: Any, axes: Any = None) -> Array:
    """Permute axes, as :func:`numpy.transpose`."""
    a = asarray(a)
    if axes is None:
        order = tuple(reversed(range(a.ndim)))
    else:
        if len(axes) != a.ndim:
            raise ValueError("axes don't match array")
        order = axes_of(tuple(axes), a.ndim)
    if order == tuple(range(a.ndim)):
        return a
    if not a.size:
        return empty_of([a.shape[d] for d in order], a.dtype)
    return a._new("transpose", (order + ((a.ndim,) if a._width else ()),))


def moveaxis(a: Any, source: Any, destination: Any) -> Array:
    """Move axes to other places, as :func:`numpy.moveaxis`."""
    a = asarray(a)
    source = axes_of(source, a.ndim)
    destination = axes_of(destination, a.ndim)
    if len(source) != len(destination):
        raise ValueError("`source` and `destination` arguments must have the "
                         "same number of elements")
    order = [d for d in range(a.ndim) if d not in source]
    for dst, src in sorted(zip(destination, source)):
        order.insert(dst, src)
    return transpose(a, order)


def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """Move an axis before another one, as :func:`numpy.rollaxis`."""
    a = asarray(a)
    axis = axis_of(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    if not 0 <= start <= a.ndim:
        raise ValueError(f"start {start} is out of range")
    start -= axis < start
    order = [d for d in range(a.ndim) if d != axis]
    order.insert(start, axis)
    return transpose(a, order)


def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """Exchange two axes."""
    a = asarray(a)
    order = list(range(a.ndim))
    i, k = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    order[i], order[k] = order[k], order[i]
    return transpose(a, order)


def reshape(a: Any, shape: Any, merge_chunks: bool = True,
            limit: Any = None, order: Any = "C", **kwargs: Any) -> Array:
    """Give another shape to the values, as :func:`numpy.reshape`."""
    a = asarray(a)
    shape = [operator.index(s) for s in
             (shape if isinstance(shape, (tuple, list)) else (shape,))]
    if order == "F":
        return transpose(reshape(transpose(a), shape[::-1]))
    if shape.count(-1) > 1:
        raise ValueError("can only specify one unknown dimension")
    known = math.prod(s for s in shape if s != -1)
    if -1 in shape:
        missing = a.size // known if known else 0
        shape[shape.index(-1)] = missing
    if math.prod(shape) != a.size:
        raise ValueError(f"cannot reshape array of size {a.size} into shape "
                         f"{tuple(shape)}: total size of new array must be "
                         "unchanged")
    if tuple(shape) == a.shape:
        return a
    if not a.size:
        return empty_of(shape, a.dtype)
    wide = (a._width,) if a._width else ()
    if _is_merging(a.shape, shape):
        return a._new("reshape", (tuple(shape) + wide,))
    flat = a._new("reshape", ((a.size,) + wide,))
    return flat._new("reshape", (tuple(shape) + wide,))


def _is_merging(old: Sequence[int], new: Sequence[int]) -> bool:
    """Whether runs of axes are merged or split, none of them both."""
    i = k = 0
    while i < len(old) or k < len(new):
        a = old[i] if i < len(old) else 1
        b = new[k] if k < len(new) else 1
        left, right = i + 1, k + 1
        while a != b:
            if a < b and left < len(old):
                a *= old[left]
                left += 1
            elif right < len(new):
                b *= new[right]
                right += 1
            else:
                return False
        if left - i > 1 and right - k > 1:
            return False
        i, k = left, right
    return True


def ravel(a: Any, order: Any = "C") -> Array:
    """Give all values along one axis."""
    a = asarray(a)
    return reshape(a, (-1,), order=order) if a.ndim != 1 else a


def expand_dims(a: Any, axis: Any) -> Array:
    """Add axes of size 1."""
    a = asarray(a)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = a.ndim + len(axes)
    places = axes_of(tuple(axes), ndim)
    if not a.size:
        rest = iter(a.shape)
        return empty_of([1 if d in places else next(rest)
                         for d in range(ndim)], a.dtype)
    rows = tuple(("new",) if d in places else _ALL for d in range(ndim))
    return a._new("index", (rows,)) if places else a


_ALL = ("slice", -(1 << 63), -(1 << 63), -(1 << 63))


def squeeze(a: Any, axis: Any = None) -> Array:
    """Remove axes of size 1."""
    a = asarray(a)
    axes = tuple(d for d, s in enumerate(a.shape) if s == 1) \
        if axis is None else axes_of(axis, a.ndim)
    if any(a.shape[d] != 1 for d in axes):
        raise ValueError("cannot select an axis to squeeze out which has size "
                         "not equal to one")
    return a[tuple(0 if d in axes else slice(None) for d in range(a.ndim))] \
        if axes else a


def atleast(ndim: int) -> Any:
    """Make numpy.atleast_1d and its kin."""
    def function(*arrays: Any) -> Any:
        made = tuple(_atleast(asarray(a), ndim) for a in arrays)
        return made[0] if len(made) == 1 else made
    return function


def _atleast(a: Array, ndim: int) -> Array:
    if a.ndim >= ndim:
        return a
    if ndim == 3:
        return {0: lambda: reshape(a, (1, 1, 1)),
                1: lambda: expand_dims(a, (0, 2)),
                2: lambda: expand_dims(a, 2)}[a.ndim]()
    return expand_dims(a, tuple(range(ndim - a.ndim)))


def broadcast_to(a: Any, shape: Any, chunks: Any = None, meta: Any = None,
                 subok: bool = False) -> Array:
    """Stretch to a shape, as :func:`numpy.broadcast_to`."""
    a = asarray(a)
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(
        operator.index(s) for s in shape)
    if shape == a.shape:
        return a if chunks is None else a.rechunk(chunks)
    try:
        fits = np.broadcast_shapes(a.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"cannot broadcast shape {a.shape} to shape {shape}")
    if 0 in shape:
        return empty_of(shape, a.dtype)
    if a._width:
        a = expand_dims(a, tuple(range(len(shape) - a.ndim)))
        made = a._new("broadcast_to", (shape + (a._width,),))
    else:
        made = a._new("broadcast_to", (shape,))
    return made if chunks is None else made.rechunk(chunks)


def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Array, ...]:
    """Stretch arrays to their common shape."""
    arrays = [asarray(a) for a in args]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(broadcast_to(a, shape) for a in arrays)


# ---- joining ---------------------------------------------------------------------------

def _promoted(arrays: Sequence[Any], dtype: Any) -> list[Array]:
    made = [asarray(a) for a in arrays]
    if not made:
        raise ValueError("need at least one array to concatenate")
    dtype = canonical(np.result_type(*(a.dtype for a in made))
                      if dtype is None else dtype)
    return [a.astype(dtype) for a in made]


def _join_into(join: Any, seq: Sequence[Any], axis: Any, out: Any,
               dtype: Any, casting: str) -> Array:
    """Join with what NumPy's functions take besides: out= and casting=."""
    arrays = [asarray(a) for a in seq]
    if out is not None:
        if dtype is not None:
            raise TypeError("only one of out= and dtype= can be given")
        dtype = out.dtype
    if arrays and (dtype is not None or casting != "same_kind"):
        wanted = np.result_type(*(a.dtype for a in arrays)) \
            if dtype is None else np.dtype(dtype)
        for a in arrays:
            if not np.can_cast(a.dtype, wanted, casting):
                raise TypeError(f"Cannot cast array data from {a.dtype!r} to "
                                f"{wanted!r} according to the rule "
                                f"{casting!r}")
    made = join(arrays, axis, dtype)
    if out is None:
        return made
    if out.shape != made.shape:
        raise ValueError("Output array is the wrong shape: it has "
                         f"{out.shape}, the result {made.shape}")
    from ._elementwise import put_out
    return put_out(made, (out,))


def concatenate(seq: Sequence[Any], axis: Any = 0, out: Any = None,
                dtype: Any = None, casting: Any = "same_kind",
                allow_unknown_chunksizes: bool = False) -> Array:
    """Join arrays along an axis, as :func:`numpy.concatenate`."""
    return _join_into(_concatenated, seq, axis, out, dtype, casting)


def _concatenated(seq: Sequence[Any], axis: Any, dtype: Any) -> Array:
    arrays = _promoted(list(seq), dtype)
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    ndim = arrays[0].ndim
    if any(a.ndim != ndim for a in arrays):
        raise ValueError("all the input arrays must have same number of "
                         "dimensions")
    axis = axis_of(axis, ndim)
    rest = {a.shape[:axis] + a.shape[axis + 1:] for a in arrays}
    if len(rest) > 1:
        raise ValueError(
            "all the input array dimensions except for the concatenation axis "
            f"must match exactly: {[a.shape for a in arrays]}")
    filled = [a for a in arrays if a.size]
    if not filled:
        size = sum(a.shape[axis] for a in arrays)
        shape = list(arrays[0].shape)
        shape[axis] = size
        return empty_of(shape, arrays[0].dtype)
    if len(filled) == 1:
        return filled[0]
    return Array._make("concatenate", filled, (axis,), filled[0].dtype)


def stack(seq: Sequence[Any], axis: int = 0, out: Any = None,
          dtype: Any = None, casting: Any = "same_kind",
          allow_unknown_chunksizes: bool = False) -> Array:
    """Join arrays along a new axis, as :func:`numpy.stack`."""
    return _join_into(_stacked, seq, axis, out, dtype, casting)


def _stacked(seq: Sequence[Any], axis: int, dtype: Any) -> Array:
    arrays = _promoted(list(seq), dtype)
    if len({a.shape for a in arrays}) > 1:
        raise ValueError("all input arrays must have the same shape: "
                         f"{[a.shape for a in arrays]}")
    axis = axis_of(axis, arrays[0].ndim + 1)
    if not arrays[0].size:
        shape = list(arrays[0].shape)
        shape.insert(axis, len(arrays))
        return empty_of(shape, arrays[0].dtype)
    return Array._make("stack", arrays, (axis,), arrays[0].dtype)


def block(arrays: Any, allow_unknown_chunksizes: bool = False) -> Array:
    """Assemble an array of nested lists, as :func:`numpy.block`."""
    levels = _levels(arrays)
    most = max(leaf.ndim for leaf in _leaves(arrays))
    rank = max(levels, most)

    def build(value: Any, level: int) -> Array:
        if not isinstance(value, list):
            return _atleast_front(asarray(value), rank)
        return concatenate([build(v, level + 1) for v in value],
                           axis=rank - levels + level)
    return build(arrays, 0)


def _levels(value: Any) -> int:
    """How deep lists are nested, which is the same everywhere."""
    if isinstance(value, tuple):
        raise TypeError("arrays is a tuple. Only lists can be used to arrange "
                        "blocks, and np.block does not allow implicit "
                        "conversion from tuple to ndarray.")
    if not isinstance(value, list):
        return 0
    found = {_levels(v) for v in value}
    if not found:
        raise ValueError("List at arrays cannot be empty")
    if len(found) > 1:
        raise ValueError("List depths are mismatched: some lists are nested "
                         "more deeply than others")
    return 1 + found.pop()


def _leaves(value: Any) -> list[Array]:
    if isinstance(value, list):
        return [leaf for v in value for leaf in _leaves(v)]
    return [asarray(value)]


def _atleast_front(a: Array, ndim: int) -> Array:
    return expand_dims(a, tuple(range(ndim - a.ndim))) if a.ndim < ndim else a


_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(array: Any, pad_width: Any, mode: Any = "constant",
        **kwargs: Any) -> Array:
    """Add positions around an array, as :func:`numpy.pad`."""
    a = asarray(array)
    if isinstance(pad_width, dict):
        width = [(0, 0)] * a.ndim
        for d, w in pad_width.items():
            width[axis_of(d, a.ndim)] = w if np.ndim(w) else (w, w)
        pad_width = width
    pairs = np.broadcast_to(np.asarray(pad_width), (a.ndim, 2)).tolist() \
        if a.ndim else []
    values = kwargs.pop("constant_values", 0)
    if not any(map(any, pairs)):
        return a
    fits = mode in _MODES and not kwargs and a.size and _pad_fits(a, pairs, mode)
    if mode == "constant" and np.ndim(values) and np.unique(values).size > 1:
        return _pad_values(a, pairs, values)
    if not fits:
        return _pad_python(a, pairs, mode, values, kwargs)
    value = None
    if mode == "constant":
        scalar = np.asarray(values).ravel()[0]
        cell = np.asarray(scalar).astype(a.dtype).reshape(())
        if a._width and np.any(to_storage(cell)):
            return _pad_values(a, pairs, values)
        if not a._width:
            value = to_storage(cell).tobytes()
    if a._width:
        pairs = pairs + [[0, 0]]
    return a._new("pad", (tuple(p[0] for p in pairs),
                          tuple(p[1] for p in pairs), mode, value))


def _pad_fits(a: Array, pairs: list, mode: str) -> bool:
    if mode in ("constant", "edge"):
        return a.dtype != object
    room = {"reflect": -1}.get(mode, 0)
    return all(max(p) <= s + room for p, s in zip(pairs, a.shape))


def _pad_values(a: Array, pairs: list, values: Any) -> Array:
    """A constant of its own on each side."""
    from ._creation import full
    sides = np.broadcast_to(np.asarray(values), (a.ndim, 2))
    for d, (before, after) in enumerate(pairs):
        parts = []
        for count, value in ((before, sides[d][0]), (after, sides[d][1])):
            shape = a.shape[:d] + (count,) + a.shape[d + 1:]
            parts.append(full(shape, np.asarray(value).astype(a.dtype), a.dtype,
                              chunks=-1))
        a = concatenate([parts[0], a, parts[1]], axis=d)
    return a


def _pad_python(a: Array, pairs: list, mode: Any, values: Any,
                kwargs: dict[str, Any]) -> Array:
    """NumPy's own function, on the whole array as one chunk."""
    from ._python import Elementwise, Reach, layer
    if mode == "constant":
        kwargs = {**kwargs, "constant_values": values}
    chunks = tuple((s + b + e,) for s, (b, e) in zip(a.shape, pairs))
    call = Elementwise(np.pad, {"pad_width": pairs, "mode": mode, **kwargs})
    if not a.size:
        return from_array(np.pad(np.empty(a.shape, a.dtype), pairs, mode,
                                 **kwargs))
    return layer(call, [a], chunks, [[Reach(-1)] * a.ndim], a.dtype)


# ---- order along axes --------------------------------------------------------------------

def flip(m: Any, axis: Any = None) -> Array:
    """Reverse axes, as :func:`numpy.flip`."""
    a = asarray(m)
    axes = axes_of(axis, a.ndim)
    if not a.size:
        return a
    for d in axes:
        a = a._new("flip", (d,))
    return a


def roll(array: Any, shift: Any, axis: Any = None) -> Array:
    """Shift along axes, as :func:`numpy.roll`."""
    a = asarray(array)
    if axis is None:
        return reshape(roll(ravel(a), shift, 0), a.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = shift if isinstance(shift, (tuple, list)) else (shift,)
    if len(axes) != len(shifts) and 1 not in (len(axes), len(shifts)):
        raise ValueError("Must have the same number of shifts as axes.")
    for s, d in np.broadcast(shifts, axes):
        place = axis_of(int(d), a.ndim)
        if a.size:
            a = a._new("roll", (int(s), place))
    return a


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None,
         append: Any = None) -> Array:
    """Differences of neighbours, as :func:`numpy.diff`."""
    a = asarray(a)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if n == 0:
        return a
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = axis_of(axis, a.ndim)
    ends = []
    for value in (prepend, append):
        if value is not None:
            value = asarray(value)
            if value.ndim == 0:
                shape = list(a.shape)
                shape[axis] = 1
                value = broadcast_to(value, shape)
        ends.append(value)
    parts = [v for v in (ends[0], a, ends[1]) if v is not None]
    a = concatenate(parts, axis) if len(parts) > 1 else a
    for _ in range(n):
        upper = a[(slice(None),) * axis + (slice(1, None),)]
        lower = a[(slice(None),) * axis + (slice(None, -1),)]
        a = upper != lower if a.dtype == bool else upper - lower
    return a


def rechunk(x: Any, chunks: Any = "auto", threshold: Any = None,
            block_size_limit: Any = None, balance: bool = False,
            method: Any = None) -> Array:
    """Give the same values in other chunks.

    Parameters
    ----------
    chunks : int, tuple, dict, str
        As :func:`ncgraph.normalize_chunks` takes it; axes that a dict does not
        name stay as they are.
    block_size_limit : int, optional
        Bytes of a chunk, for "auto".
    balance : bool
        Make chunks of an axis nearly equal.
    """
    a = asarray(x)
    if isinstance(chunks, dict):
        given = {axis_of(d, a.ndim): c for d, c in chunks.items()}
        chunks = tuple(a.chunks[d] if given.get(d) is None else given[d]
                       for d in range(a.ndim))
    elif isinstance(chunks, (tuple, list)):
        if len(chunks) != a.ndim and not (a.ndim == 1 and chunks and not
                                          isinstance(chunks[0], str)):
            raise ValueError("Provided chunks are not consistent with shape")
        chunks = tuple(a.chunks[d] if c is None else c
                       for d, c in enumerate(chunks)) \
            if len(chunks) == a.ndim else (tuple(chunks),)
    if not a.size:
        return a
    sizes = _chunks.normalize_chunks(
        chunks, a.shape, limit=block_size_limit, dtype=a.dtype,
        previous_chunks=a.chunks)
    if balance:
        sizes = tuple(_balanced(c) for c in sizes)
    if sizes == a.chunks:
        return a
    wide = ((a._width,),) if a._width else ()
    return a._new("rechunk", (tuple(tuple(s for s in c if s) for c in sizes)
                              + wide,))


def _balanced(sizes: tuple[int, ...]) -> tuple[int, ...]:
    total, n = sum(sizes), len(sizes)
    return _chunks.blockdims((total,), (-(-total // n) or 1,))[0]


def repeat(a: Any, repeats: Any, axis: Any = None) -> Array:
    """Repeat elements, as :func:`numpy.repeat`."""
    a = _atleast(asarray(a), 1)
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_of(axis, a.ndim)
    places = np.repeat(np.arange(a.shape[axis]), repeats)
    return a[(slice(None),) * axis + (places,)]


def tile(A: Any, reps: Any) -> Array:
    """Repeat a whole array, as :func:`numpy.tile`."""
    a = asarray(A)
    reps = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    if any(r < 0 for r in reps):
        raise ValueError("Negative `reps` are not allowed.")
    a = _atleast_front(a, len(reps))
    reps = (1,) * (a.ndim - len(reps)) + reps
    for d, times in enumerate(reps):
        if times == 0:
            a = a[(slice(None),) * d + (slice(0, 0),)]
        elif times > 1:
            a = concatenate([a] * times, axis=d)
    return a
