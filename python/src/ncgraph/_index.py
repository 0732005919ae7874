# SPDX-License-Identifier: BSD-3-Clause
"""Selecting: basic and fancy indices, vindex, masks, assignment."""
from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ._array import Array
from ._creation import asarray, from_array
from ._lib import OMIT
from ._shape import _ALL, empty_of, expand_dims, reshape, transpose


def _expanded(key: Any, ndim: int) -> list[Any]:
    """Return one index for each axis, and None for new ones."""
    key = list(key) if isinstance(key, tuple) else [key]
    used = sum(1 for k in key if k is not None and k is not Ellipsis)
    used += sum(_rank(k) - 1 for k in key if _is_mask(k))
    dots = [i for i, k in enumerate(key) if k is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if used > ndim:
        raise IndexError(f"too many indices for array: array is {ndim}-"
                         f"dimensional, but {used} were indexed")
    fill = [slice(None)] * (ndim - used)
    if dots:
        key[dots[0]:dots[0] + 1] = fill
    else:
        key += fill
    return key


def _is_mask(k: Any) -> bool:
    return getattr(k, "dtype", None) == np.dtype(bool) and _rank(k) > 0


def _rank(k: Any) -> int:
    return getattr(k, "ndim", 0)


def _position(k: Any, size: int, axis: int) -> int:
    at = operator.index(k)
    if not -size <= at < size:
        raise IndexError(f"index {at} is out of bounds for axis {axis} with "
                         f"size {size}")
    return at % size if size else 0


def _positions(k: Any, size: int, axis: int) -> np.ndarray:
    values = np.asarray(k)
    if values.dtype == bool:
        if values.shape != (size,):
            raise IndexError(f"boolean index did not match indexed array along "
                             f"axis {axis}; size of axis is {size} but size of "
                             f"boolean index is {values.size}")
        return np.flatnonzero(values)
    if values.size == 0:
        values = values.astype("i8")
    if values.dtype.kind not in "iu":
        raise IndexError("arrays used as indices must be of integer (or "
                         "boolean) type")
    values = values.astype("i8")
    if values.size and not (-size <= values.min() and values.max() < size):
        bad = values[(values < -size) | (values >= size)][0]
        raise IndexError(f"index {bad} is out of bounds for axis {axis} with "
                         f"size {size}")
    return np.where(values < 0, values + size, values)


def _is_scalar(k: Any) -> bool:
    return not isinstance(k, (slice, list, tuple)) and _rank(k) == 0 and \
        hasattr(k, "__index__") and not isinstance(k, (bool, np.bool_))


def getitem(a: Array, key: Any) -> Array:
    """What ``array[key]`` gives."""
    if isinstance(key, str) or (isinstance(key, list) and key and
                                isinstance(key[0], str)):
        return _field(a, key)
    if isinstance(key, Array) and key.dtype == bool and key.ndim == a.ndim:
        return _masked(a, np.asarray(key))
    if isinstance(key, tuple) and len(key) == 1:
        key = key[0]
    if isinstance(key, Array) and key.dtype.kind in "iu" and a.ndim == 1:
        return _taken(a, key)
    keys = []
    for k in _expanded(key, a.ndim):
        if isinstance(k, Array) or hasattr(k, "__dask_graph__"):
            k = np.asarray(k)
        if isinstance(k, (list, tuple)):
            k = np.asarray(k)
        if isinstance(k, float) or (isinstance(k, np.ndarray) and k.size and
                                    k.dtype.kind not in "iub"):
            raise IndexError("only integers, slices (`:`), ellipsis (`...`), "
                             "numpy.newaxis (`None`) and integer or boolean "
                             "arrays are valid indices")
        keys.append(k)
    if any(_rank(k) > 1 for k in keys):
        return _with_wide(a, keys)
    lists = [k for k in keys if _rank(k) == 1]
    if len(lists) > 1:
        raise NotImplementedError(
            "Don't yet support nd fancy indexing: index one axis after the "
            "other, or use vindex for points")
    return outer(a, tuple(keys))


class Taken:
    """Values of an axis at positions."""

    def __call__(self, blocks: list, where: Any) -> np.ndarray:
        return blocks[0][blocks[1]]


def _taken(a: Array, places: Array) -> Array:
    """Values at positions that are not known yet."""
    from ._python import Reach, layer
    return layer(Taken(), [a, places], places.chunks,
                 [[Reach(-1)], [Reach(d) for d in range(places.ndim)]],
                 a.dtype)


def outer(a: Array, keys: tuple) -> Array:
    """Select along each axis independently of the others."""
    rows, shape, axis, is_whole = [], [], 0, True
    for k in keys:
        if k is None:
            rows.append(("new",))
            shape.append(1)
            is_whole = False
            continue
        size = a.shape[axis]
        if isinstance(k, slice):
            row, count = _slice_row(k, size)
        elif _is_scalar(k) or (isinstance(k, np.ndarray) and k.ndim == 0):
            row, count = ("at", _position(k, size, axis)), None
        else:
            places = _positions(k, size, axis)
            row, count = ("list", places), places.size
        is_whole = is_whole and row is _ALL
        rows.append(row)
        if count is not None:
            shape.append(count)
        axis += 1
    if is_whole:
        return a
    if 0 in shape or not a.size:
        return empty_of(shape, a.dtype)
    made = a._new("index", (tuple(rows),))
    wanted = _index_chunks(a, rows)
    return made if made.chunks == wanted else made.rechunk(wanted)


def _index_chunks(a: Array, rows: list) -> tuple[tuple[int, ...], ...]:
    """Chunks of a selection: what it leaves of the chunks there were."""
    out: list[tuple[int, ...]] = []
    axis = 0
    for row in rows:
        if row[0] == "new":
            out.append((1,))
            continue
        sizes = a.chunks[axis]
        axis += 1
        if row is _ALL:
            out.append(sizes)
        elif row[0] != "at":
            places = row[1] if row[0] == "list" else _places(
                row, sum(sizes))
            out.append(_runs(places, sizes))
    return tuple(out)


def _places(row: tuple, size: int) -> np.ndarray:
    stop = None if row[2] == OMIT else row[2]
    return np.arange(size)[slice(row[1], stop, row[3])]


def _runs(places: np.ndarray, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """How many positions come of each chunk, in their order."""
    from ._chunks import blockdims, edges
    if len(sizes) == 1 or places.size < 2:
        return (places.size,)
    owner = np.searchsorted(edges(sizes)[1:], places, "right")
    steps = np.diff(owner)
    if (steps < 0).any() and (steps > 0).any():
        return blockdims((places.size,), (max(sizes),))[0]
    borders = np.flatnonzero(steps) + 1
    return tuple(np.diff([0, *borders.tolist(), places.size]).tolist())


def _slice_row(k: slice, size: int) -> tuple[tuple, int]:
    start, stop, step = k.indices(size)
    count = len(range(start, stop, step))
    if count == size and step == 1:
        return _ALL, count
    if step < 0 and stop < 0:
        stop = OMIT
    return ("slice", start, stop, step), count


def _field(a: Array, key: Any) -> Array:
    from ._python import elementwise
    names = a.dtype.names or ()
    if not names:
        raise IndexError("only integers, slices (`:`), ellipsis (`...`), "
                         "numpy.newaxis (`None`) and integer or boolean "
                         "arrays are valid indices: there are no fields")
    for name in [key] if isinstance(key, str) else key:
        if name not in names:
            raise ValueError(f"no field of name {name}")
    return elementwise(operator.itemgetter(key), [a], np.empty(0, a.dtype)[key]
                       .dtype)


def _masked(a: Array, mask: np.ndarray) -> Array:
    """Values where a mask holds, which is computed: their number is needed."""
    if mask.shape != a.shape:
        raise IndexError(f"boolean index did not match indexed array: shapes "
                         f"{mask.shape} and {a.shape}")
    if a.ndim == 0:
        return reshape(a, (1,)) if mask else empty_of((0,), a.dtype)
    flat = reshape(a, (-1,))
    return outer(flat, (np.flatnonzero(mask),))


def _is_mesh(keys: list) -> bool:
    """Whether indices are what numpy.ix_ makes: one for each axis."""
    return len(keys) > 1 and all(
        k.ndim == len(keys) and k.size == k.shape[i] and k.dtype.kind in "iu"
        for i, k in enumerate(map(np.asarray, keys)))


def _with_wide(a: Array, keys: list) -> Array:
    """One index of several axes; masks of several axes."""
    wide = [i for i, k in enumerate(keys) if _rank(k) > 1]
    if _is_mesh([keys[i] for i in wide]) and \
            wide == list(range(wide[0], wide[-1] + 1)) and \
            not any(_rank(k) == 1 for k in keys):
        return outer(a, tuple(np.ravel(k) if i in wide else k
                              for i, k in enumerate(keys)))
    if len(wide) > 1 or any(_rank(k) == 1 for k in keys):
        raise NotImplementedError("several indices of which one has more than "
                                  "one axis: use vindex")
    at = wide[0]
    k = np.asarray(keys[at])
    if k.dtype == bool:
        axis = sum(1 for v in keys[:at] if v is not None)
        if k.shape != a.shape[axis:axis + k.ndim]:
            raise IndexError("boolean index did not match indexed array")
        order = a.shape[:axis] + (-1,) + a.shape[axis + k.ndim:]
        merged = reshape(a, order)
        rest = keys[:at] + [np.flatnonzero(k)] + keys[at + 1:]
        return getitem(merged, tuple(rest))
    made = getitem(a, tuple(keys[:at] + [k.ravel()] + keys[at + 1:]))
    place = sum(1 for v in keys[:at] if v is None or not _is_scalar(v))
    return reshape(made, made.shape[:place] + k.shape + made.shape[place + 1:])


class VIndex:
    """``array.vindex[...]``: indices of several axes that name points."""

    def __init__(self, array: Array):
        self._array = array

    def __getitem__(self, key: Any) -> Array:
        a = self._array
        keys = _expanded(key, a.ndim)
        if any(k is None for k in keys):
            raise IndexError("vindex does not support indexing with None "
                             f"(np.newaxis), got {key}")
        return points(a, keys)


def points(a: Array, keys: list) -> Array:
    """Points along the axes that have arrays; these come first."""
    if a.ndim == 1 and isinstance(keys[0], Array) and \
            keys[0].dtype.kind in "iu":
        return _taken(a, keys[0])
    keys = [np.flatnonzero(k) if isinstance(k, (list, np.ndarray, Array)) and
            np.asarray(k).dtype == bool else k for k in keys]
    fancy = [d for d, k in enumerate(keys) if not isinstance(k, slice)]
    a = outer(a, tuple(k if isinstance(k, slice) else slice(None)
                       for k in keys))
    if not fancy:
        return a
    places = [_positions(keys[d], a.shape[d], d) for d in fancy]
    try:
        places = np.broadcast_arrays(*places)
    except ValueError:
        raise IndexError(
            "shape mismatch: indexing arrays could not be broadcast together "
            f"with shapes {' '.join(str(p.shape) for p in places)}") from None
    shape = places[0].shape
    rest = [d for d in range(a.ndim) if d not in fancy]
    flat = [p.ravel() for p in places]
    if not flat[0].size:
        return empty_of(shape + tuple(a.shape[d] for d in rest), a.dtype)
    small, inside = [], []
    for p in flat:
        values, numbers = np.unique(p, return_inverse=True)
        small.append(values)
        inside.append(numbers.ravel())
    picked = outer(a, tuple(small[fancy.index(d)] if d in fancy
                            else slice(None) for d in range(a.ndim)))
    picked = transpose(picked, tuple(fancy + rest))
    sizes = tuple(s.size for s in small)
    merged = reshape(picked, (-1,) + picked.shape[len(fancy):])
    numbers = np.ravel_multi_index(tuple(inside), sizes)
    made = outer(merged, (numbers,) + (slice(None),) * len(rest))
    return reshape(made, shape + made.shape[1:])


# ---- assignment ------------------------------------------------------------------------

class Assign:
    """Puts values into the part of a block that a key names."""

    def __init__(self, keys: tuple):
        self.keys = keys

    def __call__(self, blocks: list, where: Any) -> np.ndarray:
        block, value = blocks
        place, out = where.output, np.array(block)
        target, source = [], []
        axes = [d for d, k in enumerate(self.keys) if not np.isscalar(k)]
        for d, k in enumerate(self.keys):
            start, count = place.start[d], place.shape[d]
            where_k = np.atleast_1d(np.asarray(k))
            inside = (where_k >= start) & (where_k < start + count)
            target.append(where_k[inside] - start)
            if d in axes:
                source.append(np.flatnonzero(inside))
        if any(not t.size for t in target):
            return out
        offset = value.ndim - len(axes)
        picks = [np.zeros(1, int) if value.shape[offset + i] == 1 else s
                 for i, s in enumerate(source) if offset + i >= 0]
        part = value[np.ix_(*picks)] if picks else value
        shape = tuple(target[d].size for d in axes)
        full = np.broadcast_to(part, shape).reshape(
            tuple(t.size for t in target))
        out[np.ix_(*target)] = full
        return out


def setitem(a: Array, key: Any, value: Any) -> Array:
    """Return the array that ``array[key] = value`` makes of an array."""
    from ._elementwise import where
    from ._python import Reach, layer
    if isinstance(key, Array) and key.dtype == bool or \
            (isinstance(key, np.ndarray) and key.dtype == bool
             and key.ndim == a.ndim):
        if key.shape != a.shape:
            raise IndexError("boolean index did not match indexed array: its "
                             f"shape is {key.shape}, not {a.shape}")
        if np.ndim(value) and not (np.shape(value) == a.shape == (1,)):
            return _assign_masked(a, np.asarray(key), np.asarray(value))
        if not isinstance(value, Array):
            value = np.asarray(value).astype(a.dtype)
        return where(key, value, a).astype(a.dtype)
    keys = []
    for axis, k in enumerate(_expanded(key, a.ndim)):
        if k is None:
            raise IndexError("None (np.newaxis) in the key of an assignment")
        size = a.shape[axis]
        if isinstance(k, slice):
            keys.append(np.arange(*k.indices(size)))
        elif _is_scalar(k):
            keys.append(_position(k, size, axis))
        else:
            keys.append(_positions(np.asarray(k), size, axis))
    lists = [k for k in _expanded(key, a.ndim)
             if not isinstance(k, slice) and not _is_scalar(k)]
    if len(lists) > 1:
        raise NotImplementedError("assignment with several lists of positions")
    value = value if isinstance(value, Array) else from_array(np.asarray(value))
    value = value.astype(a.dtype)
    shape = tuple(k.size for k in keys if not np.isscalar(k))
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = value[0]
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"could not broadcast input array from shape "
                         f"{value.shape} into shape {shape}")
    if 0 in shape or not a.size:
        return a
    reaches = [[Reach(d) for d in range(a.ndim)], [Reach(-1)] * value.ndim]
    return layer(Assign(tuple(keys)), [a, value], a.chunks, reaches, a.dtype)


def _assign_masked(a: Array, mask: np.ndarray, value: np.ndarray) -> Array:
    flat = reshape(a, (-1,))
    return reshape(setitem(flat, np.flatnonzero(mask), value), a.shape)


# ---- functions ---------------------------------------------------------------------------

def take(a: Any, indices: Any, axis: Any = None, out: Any = None,
         mode: str = "raise") -> Array:
    """Take positions along an axis, as :func:`numpy.take`."""
    a = asarray(a)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    a = reshape(a, (1,)) if not a.ndim else a
    from ._shape import axis_of
    axis = axis_of(axis, a.ndim)
    k = np.asarray(indices)
    if mode == "wrap":
        k = k % a.shape[axis]
    elif mode == "clip":
        k = k.clip(0, a.shape[axis] - 1)
    flat = getitem(a, (slice(None),) * axis + (k.ravel(),))
    made = reshape(flat, flat.shape[:axis] + k.shape + flat.shape[axis + 1:])
    if out is None:
        return made
    from ._elementwise import put_out
    return put_out(made, (out,))


def compress(condition: Any, a: Any, axis: Any = None, **kwargs: Any) -> Array:
    """Take positions where a condition holds, as :func:`numpy.compress`."""
    places = np.flatnonzero(np.asarray(condition))
    return take(a, places, axis)


def nonzero(a: Any) -> tuple[Array, ...]:
    """Positions of values that are not zero; the array is computed."""
    return tuple(from_array(p) for p in np.nonzero(np.asarray(a)))


def take_along_axis(arr: Any, indices: Any, axis: Any) -> Array:
    """Take values along an axis by an array of positions."""
    from ._python import Elementwise, Reach, layer
    a, k = asarray(arr), asarray(indices)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    from ._shape import axis_of
    axis = axis_of(axis, a.ndim)
    if not k.size:
        return empty_of(k.shape, a.dtype)
    chunks = tuple(a.chunks[d] if d != axis and a.shape[d] == k.shape[d]
                   else k.chunks[d] for d in range(a.ndim))
    reach = [Reach(-1 if d == axis or a.shape[d] != k.shape[d] else d)
             for d in range(a.ndim)]
    rows = [Reach(d) for d in range(a.ndim)]
    return layer(Elementwise(np.take_along_axis, {"axis": axis}), [a, k],
                 chunks, [reach, rows], a.dtype)


__all__ = ["VIndex", "compress", "expand_dims", "getitem", "nonzero", "outer",
           "points", "setitem", "take", "take_along_axis"]
