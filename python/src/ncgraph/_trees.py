# SPDX-License-Identifier: BSD-3-Clause
"""Reductions by functions of Python, as trees of partial results."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ._array import Array
from ._creation import asarray
from ._python import Call, Reach, layer
from ._reduce import _bounds
from ._shape import axes_of


class Partial:
    """One step of a tree: what a chunk, or several partial results, give."""

    def __init__(self, func: Callable, axes: tuple, kwargs: dict[str, Any],
                 grid: tuple | None, joined: bool, is_last: bool):
        self.func, self.axes, self.kwargs = func, axes, kwargs
        self.grid, self.joined, self.is_last = grid, joined, is_last

    def __call__(self, blocks: list, where: Call) -> Any:
        value = blocks[0] if self.grid is None else self._joined(blocks[0])
        made = self.func(value, axis=self.axes, **self.kwargs)
        if self.is_last:
            return made
        cell = np.empty((1,) * len(where.output.shape), dtype=object)
        cell[(0,) * cell.ndim] = _owned(made, value)
        return cell

    def _joined(self, cells: np.ndarray) -> Any:
        if not self.joined:
            kept = tuple(slice(None) if d in self.axes else 0
                         for d in range(cells.ndim))
            made = cells[kept]
            return made.tolist() if made.ndim else made.item()
        return _concatenated(cells, self.axes)


def _owned(made: Any, block: Any) -> Any:
    """A partial result without views of a block, whose memory goes back to the
    engine when the task ends."""
    if isinstance(made, np.ndarray):
        return made.copy() if isinstance(block, np.ndarray) and \
            np.may_share_memory(made, block) else made
    if isinstance(made, dict):
        return {k: _owned(v, block) for k, v in made.items()}
    if type(made) in (list, tuple):
        return type(made)(_owned(v, block) for v in made)
    return made


def _concatenated(cells: np.ndarray, axes: tuple) -> Any:
    for d in sorted(axes, reverse=True):
        if cells.shape[d] == 1:
            continue
        joined = np.empty(cells.shape[:d] + (1,) + cells.shape[d + 1:], object)
        for index in np.ndindex(joined.shape):
            row = [cells[index[:d] + (i,) + index[d + 1:]]
                   for i in range(cells.shape[d])]
            joined[index] = np.concatenate(row, axis=d)
        cells = joined
    return cells.ravel()[0]


def reduction(x: Any, chunk: Callable, aggregate: Callable, axis: Any = None,
              keepdims: bool = False, dtype: Any = None,
              split_every: Any = None, combine: Any = None, name: Any = None,
              out: Any = None, concatenate: bool = True, output_size: int = 1,
              meta: Any = None, weights: Any = None) -> Array:
    """Reduce by functions of Python, as a tree.

    Parameters
    ----------
    x : Array
    chunk : callable
        ``chunk(block, axis=..., keepdims=True)`` gives a chunk's partial
        result: an array, or a dict or tuple of arrays.
    aggregate : callable
        ``aggregate(partial, axis=..., keepdims=keepdims)`` gives the result.
    combine : callable, optional
        Merges partial results; by default ``aggregate`` does it.
    split_every : int or dict, optional
        How many partial results are merged at once along an axis; 4.
    concatenate : bool
        Whether partial results are joined before they are merged; the
        functions get lists otherwise.

    Returns
    -------
    Array
    """
    x = asarray(x)
    axes = axes_of(axis, x.ndim)
    every = split_every if isinstance(split_every, dict) else \
        {d: int(split_every or 4) for d in axes}
    if dtype is None and meta is not None:
        dtype = getattr(meta, "dtype", None)
    if dtype is None:
        sample = np.ones((1,) * x.ndim, x.dtype)
        part = chunk(sample, axis=axes, keepdims=True)
        dtype = np.asarray(aggregate(part if concatenate else [part],
                                     axis=axes, keepdims=keepdims)).dtype
    if weights is not None:
        first = Weighted(chunk, axes)
        inputs = [x, asarray(weights)]
        from ._shape import broadcast_to
        inputs[1] = broadcast_to(inputs[1], x.shape).rechunk(x.chunks)
    else:
        first = Partial(chunk, axes, {"keepdims": True}, None, False, False)
        inputs = [x]
    cells = tuple((1,) * len(c) for c in x.chunks)
    whole = [Reach(d, *_bounds(x.chunks[d])) for d in range(x.ndim)]
    made = layer(first, inputs, cells, [whole] * len(inputs), object)
    merge = combine or aggregate
    while any(made.shape[d] > max(every.get(d, 4), 2) for d in axes):
        made = _merged(made, merge, axes, every, concatenate)
    kept = _kept(x, chunk, aggregate, axes) if keepdims and concatenate and \
        weights is None else ()
    row, chunks, place = [], [], 0
    for d in range(x.ndim):
        if d in axes:
            row.append(Reach(-1))
            if keepdims:
                chunks.append((x.shape[d] if d in kept else output_size,))
                place += 1
        else:
            row.append(Reach(place, *_bounds(made.chunks[d])))
            chunks.append(x.chunks[d])
            place += 1
    last = Partial(aggregate, axes, {"keepdims": keepdims}, (), concatenate,
                   True)
    result = layer(last, [made], tuple(chunks), [row], dtype)
    if out is not None:
        from ._elementwise import put_out
        return put_out(result, (out,))
    return result


def _kept(x: Array, chunk: Callable, aggregate: Callable,
          axes: tuple) -> tuple[int, ...]:
    """Axes that functions give as long as they get them: tried on small
    arrays."""
    def sizes(n: int) -> tuple[int, ...]:
        sample = np.ones((n,) * x.ndim, x.dtype)
        part = chunk(sample, axis=axes, keepdims=True)
        return np.shape(aggregate(part, axis=axes, keepdims=True))
    try:
        two, three = sizes(2), sizes(3)
    except Exception:
        return ()
    if len(two) != x.ndim or len(three) != x.ndim:
        return ()
    return tuple(d for d in axes if two[d] == 2 and three[d] == 3)


class Weighted:
    """A chunk's partial result with weights."""

    def __init__(self, func: Callable, axes: tuple):
        self.func, self.axes = func, axes

    def __call__(self, blocks: list, where: Call) -> Any:
        cell = np.empty((1,) * len(where.output.shape), dtype=object)
        made = self.func(blocks[0], blocks[1], axis=self.axes, keepdims=True)
        cell[(0,) * cell.ndim] = _owned(_owned(made, blocks[0]), blocks[1])
        return cell


def _merged(made: Array, merge: Callable, axes: tuple, every: dict,
            concatenate: bool) -> Array:
    chunks, row = [], []
    for d, size in enumerate(made.shape):
        step = max(every.get(d, 4), 2) if d in axes else 1
        count = -(-size // step)
        chunks.append((1,) * count)
        row.append(Reach(d, tuple(range(0, size, step)),
                         tuple(min(i + step, size)
                               for i in range(0, size, step))))
    call = Partial(merge, axes, {"keepdims": True}, (), concatenate, False)
    return layer(call, [made], tuple(chunks), [row], object)
