# SPDX-License-Identifier: BSD-3-Clause
"""Functions of chunks and of what lies around them."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ._array import Array
from ._blocks import infer_dtype, is_arraylike
from ._creation import asarray
from ._python import Call, Reach, layer
from ._reduce import _bounds
from ._shape import axis_of, concatenate, pad


def coerce_depth(ndim: int, depth: Any) -> dict[int, Any]:
    """Return how far chunks reach over, for each axis."""
    if depth is None:
        depth = 0
    if isinstance(depth, (int, np.integer)):
        depth = (depth,) * ndim
    if isinstance(depth, (tuple, list)):
        depth = dict(enumerate(depth))
    out: dict[int, Any] = {d: 0 for d in range(ndim)}
    for d, n in depth.items():
        out[axis_of(d, ndim)] = n
    return out


def coerce_boundary(ndim: int, boundary: Any) -> dict[int, Any]:
    """Return what lies beyond the ends, for each axis."""
    if boundary is None or isinstance(boundary, (str, int, float, np.number)):
        boundary = (boundary,) * ndim
    if isinstance(boundary, (tuple, list)):
        boundary = dict(enumerate(boundary))
    out: dict[int, Any] = {d: None for d in range(ndim)}
    for d, n in boundary.items():
        out[axis_of(d, ndim)] = n
    return out


def _sides(depth: Any) -> tuple[int, int]:
    return (int(depth[0]), int(depth[1])) if isinstance(depth, tuple) \
        else (int(depth), int(depth))


def _extended(a: Array, axis: int, sides: tuple[int, int], kind: Any) -> Array:
    """The array with what lies beyond the ends of an axis."""
    before, after = sides
    if not (before or after):
        return a
    if kind == "none" or kind is None:
        return a
    width = [(0, 0)] * a.ndim
    width[axis] = (before, after)
    if kind == "nearest":
        return pad(a, width, mode="edge")
    if kind == "periodic":
        front = (slice(None),) * axis
        size = a.shape[axis]
        parts = [a[front + (slice(size - before, size),)], a,
                 a[front + (slice(0, after),)]]
        return concatenate(parts, axis=axis)
    if kind == "reflect":
        return pad(a, width, mode="symmetric")
    return pad(a, width, mode="constant", constant_values=kind)


class Overlapped:
    """Calls a function with enlarged blocks and cuts the result."""

    def __init__(self, func: Callable, args: list, kwargs: dict[str, Any],
                 trims: list | None):
        self.func, self.args, self.kwargs = func, args, kwargs
        self.trims = trims

    def __call__(self, blocks: list, where: Call) -> Any:
        rest = iter(blocks)
        args = [next(rest) if a is None else a[0] for a in self.args]
        made = np.asarray(self.func(*args, **self.kwargs))
        if self.trims is None:
            return made
        cut = []
        for d, row in enumerate(self.trims):
            front = row[0][where.output.index[d]]
            back = row[1][where.output.index[d]]
            cut.append(slice(front, made.shape[d] - back))
        return made[tuple(cut)]


def _fitting(a: Array, depth: dict[int, Any]) -> Array:
    """The array in chunks that are no shorter than what neighbours need."""
    chunks = {}
    for d, n in depth.items():
        need = max(_sides(n))
        sizes = a.chunks[d]
        if need > sum(sizes):
            raise ValueError(f"The overlapping depth {need} is larger than "
                             f"your array {sum(sizes)}.")
        if need > min(sizes):
            made: list[int] = []
            for s in sizes:
                if made and (made[-1] < need or s < need):
                    made[-1] += s
                else:
                    made.append(s)
            chunks[d] = tuple(made)
    return a.rechunk(chunks) if chunks else a


def map_overlap(func: Callable, *args: Any, depth: Any = None,
                boundary: Any = None, trim: bool = True,
                align_arrays: bool = True, allow_rechunk: bool = True,
                dtype: Any = None, meta: Any = None, chunks: Any = None,
                drop_axis: Any = None, new_axis: Any = None,
                name: Any = None, token: Any = None, **kwargs: Any) -> Array:
    """Apply a function to chunks enlarged by what lies around them.

    Parameters
    ----------
    func : callable
        Gets a block of each array and keeps its shape.
    *args
        Arrays of one shape, and other arguments.
    depth : int, tuple or dict
        How many positions on both sides; for each axis, and by a tuple of two
        for each side.
    boundary : optional
        What lies beyond the ends: "none" or None (nothing), "reflect",
        "periodic", "nearest" or a value; for each axis.
    trim : bool
        Whether what was added is cut off the result.
    chunks : tuple, optional
        Of the result, where ``trim`` is False.

    Returns
    -------
    Array
    """
    if isinstance(func, Array):
        func, args = args[0], (func, *args[1:])
    if getattr(func, "__name__", "") == "_push" and set(kwargs) == {
            "n", "axis"} and getattr(func, "__module__", "").startswith(
                "xarray."):
        from ._scan import push
        return push(args[0], kwargs["n"], kwargs["axis"])
    arrays = [asarray(a) for a in args if is_arraylike(a)]
    if not arrays:
        raise ValueError("map_overlap needs an array")
    depths = depth if isinstance(depth, list) else [depth] * len(arrays)
    bounds = boundary if isinstance(boundary, list) else \
        [boundary] * len(arrays)
    if len(depths) != len(arrays) or len(bounds) != len(arrays):
        raise ValueError("one depth and one boundary for each array, please")
    depths = [coerce_depth(a.ndim, d) for a, d in zip(arrays, depths)]
    bounds = [coerce_boundary(a.ndim, b) for a, b in zip(arrays, bounds)]
    for n, b in zip(depths, bounds):
        for d, size in n.items():
            if isinstance(size, tuple) and size[0] != size[1] and \
                    b[d] not in (None, "none"):
                raise NotImplementedError("Asymmetric overlap is currently "
                                          "only implemented for boundary "
                                          "'none'.")
    if dtype is None and meta is not None:
        dtype = getattr(meta, "dtype", None)
    if dtype is None:
        samples = [asarray(a) if is_arraylike(a) else a for a in args]
        dtype = infer_dtype(func, samples, kwargs, "map_overlap")
    arrays = [_fitting(a, n) for a, n in zip(arrays, depths)]
    if align_arrays and len(arrays) > 1:
        from ._blockwise import unify_chunks
        rank = max(a.ndim for a in arrays)
        arrays = unify_chunks(*(v for a in arrays for v in (
            a, tuple(range(rank - a.ndim, rank)))))[1]
    lead = max(range(len(arrays)), key=lambda i: arrays[i].ndim)
    rank = arrays[lead].ndim
    inputs, reaches, trims = [], [], None
    for i, (a, n, b) in enumerate(zip(arrays, depths, bounds)):
        reach, cut = [], []
        made = a
        for d in range(a.ndim):
            row, front, back = _axis_reach(a, d, _sides(n[d]), b[d], rank)
            made = _extended(made, d, _sides(n[d]), b[d])
            reach.append(row)
            cut.append((front, back))
        inputs.append(made)
        reaches.append(reach)
        if i == lead:
            trims = cut
    keep = [None if is_arraylike(a) else (a,) for a in args]
    if trim and drop_axis is None and new_axis is None:
        sizes = arrays[lead].chunks
        call = Overlapped(func, keep, kwargs, trims)
    else:
        sizes = _untrimmed(reaches[lead], arrays[lead], chunks, drop_axis,
                           new_axis)
        call = Overlapped(func, keep, kwargs, None)
    return layer(call, inputs, sizes, reaches, dtype)


def _axis_reach(a: Array, axis: int, sides: tuple[int, int], kind: Any,
                rank: int) -> tuple[Reach, list[int], list[int]]:
    """What chunks need along an axis, and what is cut off in front, behind."""
    low, high = _bounds(a.chunks[axis])
    before, after = sides
    size = a.shape[axis]
    place = rank - a.ndim + axis
    if kind in (None, "none"):
        first = [max(x - before, 0) for x in low]
        last = [min(x + after, size) for x in high]
        front = [x - f for x, f in zip(low, first)]
        back = [b - x for x, b in zip(high, last)]
    else:
        first = list(low)
        last = [x + before + after for x in high]
        front, back = [before] * len(low), [after] * len(low)
    return Reach(place, tuple(first), tuple(last)), front, back


def _untrimmed(reach: list[Reach], a: Array, chunks: Any, drop: Any,
               new: Any) -> tuple:
    sizes = [tuple(h - low for low, h in zip(r.low or (), r.high or ()))
             for r in reach]
    if drop is not None or new is not None:
        from ._shape import axes_of
        if drop is not None:
            gone = axes_of(drop, a.ndim)
            sizes = [s for d, s in enumerate(sizes) if d not in gone]
        if new is not None:
            for d in ([new] if isinstance(new, int) else sorted(new)):
                sizes.insert(d, (1,))
    if chunks is not None:
        sizes = [tuple(c) if isinstance(c, (tuple, list)) else (c,) * len(s)
                 for c, s in zip(chunks, sizes)]
    return tuple(sizes)
