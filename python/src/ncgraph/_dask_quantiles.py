# SPDX-License-Identifier: BSD-3-Clause
"""Tasks of quantiles over many chunks.

Each of the engine's tiles needs values of all chunks along the reduced axes: a
task for a tile would depend on all of them. Here tasks assemble columns of many
tiles, whole along those axes; a tile is a part of one column's quantiles.
"""
from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from dask._task_spec import Task, TaskRef

from . import _lib
from ._array import Array, Node
from ._chunks import Chunks, edges
from ._dask import Blocks, _touched, all_indices, chunk_starts

LARGE = 256 << 20  # bytes of a column
SMALL = 1 << 20  # it is not worth while to split less
PARTS = 4  # as many columns as that at least, of arrays that are not small


class Column:
    """Quantiles of a part of an array that is whole along the reduced axes."""

    def __init__(self, node: Node):
        source = node.inputs[0]
        self.params, self.dtype = node.params, node.dtype
        self.shape, self.source_dtype = source.shape, source.dtype

    def __call__(self, box: tuple[slice, ...], starts: tuple,
                 *blocks: Any) -> np.ndarray:
        """Assemble the part from chunks that start there."""
        from ._creation import from_array
        rows = [(at, np.asarray(b)) for at, b in zip(starts, blocks)]
        values = Blocks(self.shape, self.source_dtype, rows).read(box)
        with _lib.inner_engine():
            return np.asarray(Array._make(
                "quantile", [from_array(values, chunks=-1)], self.params,
                self.dtype).compute())


def _part(values: np.ndarray, key: tuple[slice, ...]) -> np.ndarray:
    return values[key]


def add(out: dict, node: Node) -> None:
    """Add the tasks of a node of quantiles."""
    source, call, name = node.inputs[0], Column(node), f"{node.name}-columns"
    columns, starts = _columns(node), chunk_starts(source.chunks)
    borders = [edges(c) for c in columns]
    for index in all_indices(columns):
        box = tuple(slice(b[i], b[i + 1]) for b, i in zip(borders, index))
        found = list(itertools.product(*(
            _touched(sizes, k.start, k.stop)
            for sizes, k in zip(source.chunks, box))))
        key = (name, *index)
        out[key] = Task(
            key, call, box,
            tuple(tuple(s[i] for s, i in zip(starts, at)) for at in found),
            *(TaskRef((source.name, *at)) for at in found))
    _add_tiles(out, node, name, borders)


def _add_tiles(out: dict, node: Node, name: str, borders: list) -> None:
    axes = [_axis_of_result(node, d) for d in range(len(borders))]
    tiles = [edges(c) for c in node.chunks]
    for index in all_indices(node.chunks):
        box = [slice(b[i], b[i + 1]) for b, i in zip(tiles, index)]
        column = []
        for d, axis in enumerate(axes):
            if d in node.params[1]:
                column.append(0)
                continue
            i = int(np.searchsorted(borders[d], box[axis].start, "right")) - 1
            first = borders[d][i]
            box[axis] = slice(box[axis].start - first, box[axis].stop - first)
            column.append(i)
        key = (node.name, *index)
        out[key] = Task(key, _part, TaskRef((name, *column)), tuple(box))


def _axis_of_result(node: Node, d: int) -> int:
    """Where an axis of the values is in the result; the first is that of q."""
    axes, keep = node.params[1], node.params[4]
    return 1 + d - (0 if keep else sum(a < d for a in axes))


def _columns(node: Node) -> Chunks:
    """Chunks whose borders are some of the tiles', whole in the reduced axes."""
    source, axes = node.inputs[0], node.params[1]
    made = [(n,) for n in source.shape]
    nbytes = int(np.prod(source.shape, dtype="i8")) * source.dtype.itemsize
    limit = min(LARGE, max(nbytes // PARTS, SMALL))
    for d, size in enumerate(source.shape):
        if d not in axes and nbytes > limit:
            each = nbytes // size
            made[d] = _joined(node.chunks[_axis_of_result(node, d)],
                              limit // each)
            nbytes = each * max(made[d])
    return tuple(made)


def _joined(sizes: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Neighbours added up, as long as they are not more than that."""
    out = [sizes[0]]
    for size in sizes[1:]:
        if out[-1] + size <= most:
            out[-1] += size
        else:
            out.append(size)
    return tuple(out)
