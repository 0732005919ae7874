# SPDX-License-Identifier: BSD-3-Clause
"""blockwise: functions of blocks whose axes have names."""
from __future__ import annotations

import itertools
from typing import Any, Callable, Sequence

import numpy as np

from . import _chunks
from ._array import Array
from ._blocks import Arguments, _samples, infer_dtype
from ._creation import asarray
from ._python import Call, Reach, layer
from ._reduce import _bounds


class Blockwise:
    """Calls a function with blocks; contracted axes as lists or joined."""

    def __init__(self, func: Callable, places: Arguments, lists: list,
                 kwargs: dict[str, Any]):
        self.func, self.places = func, places
        self.lists, self.kwargs = lists, kwargs

    def __call__(self, blocks: list, where: Call) -> Any:
        blocks = [_nested(b, cuts) for b, cuts in zip(blocks, self.lists)] + \
            blocks[len(self.lists):]
        args, kwargs = self.places.fill(blocks)
        return self.func(*args, **kwargs)


def _nested(block: np.ndarray, cuts: list) -> Any:
    """Cut a block into nested lists along contracted axes."""
    if not cuts:
        return block
    (axis, borders), rest = cuts[0], cuts[1:]
    parts = np.split(block, borders, axis=axis)
    return [_nested(p, rest) for p in parts]


def blockwise(func: Callable, out_ind: Any, *args: Any, name: Any = None,
              token: Any = None, dtype: Any = None, adjust_chunks: Any = None,
              new_axes: Any = None, align_arrays: bool = True,
              concatenate: Any = None, meta: Any = None,
              **kwargs: Any) -> Array:
    """Apply a function to blocks whose axes are named by indices.

    Parameters
    ----------
    func : callable
    out_ind : sequence
        Names of the result's axes, such as ``"ij"``.
    *args
        Pairs of an array and the names of its axes; other values with None.
    new_axes : dict, optional
        Sizes, or sizes of chunks, of axes that only the result has.
    adjust_chunks : dict, optional
        For names of axes: the size of a chunk of the result, all sizes, or a
        function of an input's size.
    align_arrays : bool
        Whether arrays whose chunks differ are given common ones.
    concatenate : bool
        Whether blocks along axes that the result lacks are joined; a function
        gets lists of them otherwise.

    Returns
    -------
    Array
    """
    out_ind = tuple(out_ind)
    new_axes = dict(new_axes or {})
    values = list(args[0::2])
    names = [None if i is None else tuple(i) for i in args[1::2]]
    values = [asarray(v) if n is not None else v
              for v, n in zip(values, names)]
    known = set().union(*(n for n in names if n is not None)) | set(new_axes)
    if set(out_ind) - known:
        raise ValueError(f"blockwise: index {sorted(set(out_ind) - known)} of "
                         "the result is in no input and not in new_axes")
    arrays = [(v, n) for v, n in zip(values, names) if n is not None]
    if align_arrays:
        grid, made = unify_chunks(*itertools.chain.from_iterable(arrays))
    else:
        made = [v for v, _ in arrays]
        grid = {}
        for v, n in arrays:
            for c, i in zip(v.chunks, n):
                if i not in grid or len(c) > len(grid[i]):
                    grid[i] = c
    rest = iter(made)
    values = [next(rest) if n is not None else v
              for v, n in zip(values, names)]
    chunks = _blockwise_chunks(out_ind, grid, new_axes, adjust_chunks)
    if dtype is None and meta is not None:
        dtype = getattr(meta, "dtype", None)
    places = Arguments(values, kwargs)
    reaches, lists = [], []
    for a, n in ((v, n) for v, n in zip(values, names) if n is not None):
        row, cuts = [], []
        for j, i in enumerate(n):
            if i not in out_ind:
                row.append(Reach(-1))
                if not concatenate:
                    cuts.append((j, _chunks.edges(a.chunks[j])[1:-1]))
            elif len(a.chunks[j]) == 1 and len(chunks[out_ind.index(i)]) > 1:
                row.append(Reach(-1))
            else:
                row.append(Reach(out_ind.index(i), *_bounds(a.chunks[j])))
        reaches.append(row)
        lists.append(cuts)
    reaches += [[Reach(-1)] * a.ndim
                for a in places.arrays[len(reaches):]]
    if dtype is None:
        samples = [[np.ones((1,) * v.ndim, v.dtype)] if n is not None
                   and not concatenate and set(n) - set(out_ind) else v
                   for v, n in zip(values, names)]
        dtype = infer_dtype(func, samples, _samples(kwargs), "blockwise")
    call = Blockwise(func, places.without_arrays(), lists, kwargs)
    return layer(call, places.arrays, chunks, reaches, dtype)


def _blockwise_chunks(out_ind: tuple, grid: dict, new_axes: dict,
                      adjust: Any) -> _chunks.Chunks:
    chunks = []
    for i in out_ind:
        if i in new_axes:
            size = new_axes[i]
            sizes = tuple(size) if isinstance(size, (tuple, list)) \
                else (int(size),)
        else:
            sizes = grid[i]
        change = (adjust or {}).get(i)
        if callable(change):
            sizes = tuple(int(change(s)) for s in sizes)
        elif isinstance(change, (tuple, list)):
            if len(change) != len(sizes):
                raise ValueError(f"Dimension {i} has {len(sizes)} blocks, "
                                 "adjust_chunks specified with "
                                 f"{len(change)} blocks")
            sizes = tuple(int(s) for s in change)
        elif change is not None:
            sizes = (int(change),) * len(sizes)
        chunks.append(sizes)
    return tuple(chunks)


def unify_chunks(*args: Any, **kwargs: Any) -> tuple[dict, list[Array]]:
    """Give arrays common chunks along axes of one name.

    Parameters
    ----------
    *args
        Pairs of an array and the names of its axes.

    Returns
    -------
    dict
        Chunks of each name.
    list of Array
    """
    arrays = [v if n is None else asarray(v)
              for v, n in zip(args[0::2], args[1::2])]
    names = [None if n is None else tuple(n) for n in args[1::2]]
    dims: dict[Any, list] = {}
    for a, n in zip(arrays, names):
        if n is None:
            continue
        if len(n) != a.ndim:
            raise ValueError(f"array of {a.ndim} axes with {len(n)} names")
        for c, i in zip(a.chunks, n):
            dims.setdefault(i, []).append(c)
    grid = {}
    for i, found in dims.items():
        sizes = {sum(c) for c in found if sum(c) != 1}
        if len(sizes) > 1:
            raise ValueError(f"Dimension {i} has different sizes: "
                             f"{sorted(sizes)}")
        grid[i] = _chunks.common(found)
    out = []
    for a, n in zip(arrays, names):
        if n is not None:
            wanted = tuple(grid[i] if s != 1 or sum(grid[i]) == 1 else (1,)
                           for i, s in zip(n, a.shape))
            a = a if wanted == a.chunks else a.rechunk(wanted)
        out.append(a)
    return grid, out
