# SPDX-License-Identifier: BSD-3-Clause
"""dask's collection protocol: graphs, made when somebody looks into them.

A graph has one layer, which turns itself into tasks: one for each chunk of each
operation, a call of the engine's kernel on NumPy blocks that can be pickled.
"""
from __future__ import annotations

import itertools
from typing import Any, Iterator

import numpy as np

from . import _lib, config
from ._array import Array, Node, order_of
from ._chunks import Chunks, edges


def graph(array: Array) -> Any:
    """What ``__dask_graph__`` gives; None where arrays are no collections."""
    if not config.get("collection"):
        return None
    try:
        from ._dask_layer import make
    except ImportError:
        return None
    return make(array)


def _nested(name: str, counts: tuple[int, ...], index: tuple = ()) -> Any:
    if len(index) == len(counts):
        return (name, *index)
    return [_nested(name, counts, (*index, i))
            for i in range(counts[len(index)])]


def keys(array: Array) -> Any:
    """What ``__dask_keys__`` gives: nested as the chunks lie."""
    made = _nested(array.name, array.numblocks)
    return made if array.ndim else [made]


def optimize(dsk: Any, wanted: Any, **kwargs: Any) -> Any:
    """Leave out what is not needed; tasks are as coarse as they should be."""
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph
    if not isinstance(dsk, HighLevelGraph):
        dsk = HighLevelGraph.from_collections(str(id(dsk)), dsk)
    return dsk.cull(set(flatten([wanted])))


def finalize(results: Any) -> Any:
    """Assemble chunks, nested as their keys were; the result is the caller's."""
    made = _assembled(results)
    if not made.ndim:
        return made[()]
    # Who changed a graph's own chunk would change what is computed of it.
    return made.copy() if np.may_share_memory(made, _first(results)) else made


def _first(results: Any) -> Any:
    while isinstance(results, (list, tuple)):
        results = results[0]
    return results


def _depth(value: Any) -> int:
    return 1 + _depth(value[0]) if isinstance(value, (list, tuple)) else 0


def _assembled(results: Any) -> Any:
    if not isinstance(results, (list, tuple)):
        return np.asarray(results)
    depth = _depth(results)
    if np.ndim(_first(results)) == 0:
        return np.asarray(_first(results))

    def join(value: Any, axis: int) -> np.ndarray:
        if axis == depth:
            return np.asarray(value)
        parts = [join(v, axis + 1) for v in value]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)
    return join(results, 0)


def rebuild(dsk: Any, name: str, chunks: Chunks, dtype: np.dtype,
            rename: Any = None) -> Array:
    """Make an array of chunks that somebody computed, or is computing."""
    new = (rename or {}).get(name, name)
    return foreign(dict(dsk), new, chunks, dtype)


def foreign(dsk: Any, name: str, chunks: Chunks, dtype: Any) -> Array:
    """Make an array of the tasks of somebody's graph."""
    from ._creation import _in_chunks
    if any(c != c for sizes in chunks for c in sizes):
        raise ValueError("chunks of unknown size: every size must be known "
                         "here; for an array of dask's, call "
                         "compute_chunk_sizes() on it first")
    source = Foreign(dsk, name, chunks, np.dtype(dtype))
    return _in_chunks("fill", (source, source.shape, source.dtype), chunks,
                      source.dtype)


def from_dask_array(x: Any) -> Array:
    """Make an array of one of dask's, with its graph and its chunks."""
    return foreign(x.__dask_graph__(), x.name, x.chunks, x.dtype)


def from_delayed(value: Any, shape: tuple[int, ...], dtype: Any = None,
                 meta: Any = None, name: Any = None) -> Array:
    """Make an array of one chunk of a ``dask.delayed`` object."""
    from dask.delayed import delayed
    value = delayed(value) if not hasattr(value, "__dask_graph__") else value
    if dtype is None:
        dtype = meta.dtype
    label = name or f"from-value-{value.key}"
    dsk = dict(value.__dask_graph__())
    dsk[(label,) + (0,) * len(shape)] = value.key
    return foreign(dsk, label, tuple((n,) for n in shape), dtype)


def to_dask_array(array: Array) -> Any:
    """Return the array as dask's: same chunks, our tasks."""
    import dask.array as da
    made = graph(array)
    if made is None:
        from ._dask_layer import make
        made = make(array)
    return da.Array(made, array.name, array.chunks, dtype=array.dtype,
                    meta=np.empty((0,) * array.ndim, array.dtype))


def to_delayed(array: Array, optimize_graph: bool = True) -> np.ndarray:
    """Return an array of ``dask.delayed`` objects, one for each chunk."""
    from dask.delayed import Delayed
    from ._dask_layer import make
    dsk = make(array)
    if optimize_graph:
        from dask.highlevelgraph import HighLevelGraph
        tasks = dict(dsk)
        layer = f"delayed-{array.name}"
        dsk = HighLevelGraph.from_collections(layer, tasks)
    else:
        layer = array.name
    out = np.empty(array.numblocks, dtype=object)
    for index in all_indices(array.chunks):
        out[index] = Delayed((array.name, *index), dsk, layer=layer)
    return out


class Foreign:
    """A source whose chunks are tasks of a graph of dask's."""

    def __init__(self, dsk: Any, key_name: str, chunks: Chunks,
                 dtype: np.dtype):
        self.dsk, self.key_name = dsk, key_name
        self.chunks, self.dtype = chunks, dtype
        self.shape = tuple(sum(c) for c in chunks)
        self.ndim = len(chunks)
        self.name = f"dask/{key_name}"
        self._last: tuple | None = None

    def __reduce__(self) -> Any:
        return Foreign, (self.dsk, self.key_name, self.chunks, self.dtype)

    def read(self, key: tuple[slice, ...]) -> np.ndarray:
        """Compute the chunks that a box touches."""
        parts = [_touched(c, k.start, k.stop)
                 for c, k in zip(self.chunks, key)]
        out = np.empty(tuple(k.stop - k.start for k in key), self.dtype)
        for index in itertools.product(*parts):
            block = np.asarray(self._chunk(index))
            put, take = [], []
            for i, c, k in zip(index, self.chunks, key):
                start = edges(c)[i]
                low, high = max(start, k.start), min(start + c[i], k.stop)
                put.append(slice(low - k.start, high - k.start))
                take.append(slice(low - start, high - start))
            out[tuple(put)] = block[tuple(take)]
        return out

    def _chunk(self, index: tuple[int, ...]) -> Any:
        # A run may read a chunk in parts; the next run computes it again.
        last, mark = self._last, (_lib.runs(), index)
        if last is not None and last[0] == mark:
            return last[1]
        key = (self.key_name, *index)
        value = _value(self.dsk, key)
        self._last = (mark, value)
        return value


def _value(dsk: Any, key: Any) -> Any:
    found = dsk.get(key) if hasattr(dsk, "get") else dsk[key]
    if type(found).__name__ == "Future" and hasattr(found, "result"):
        return found.result()
    if isinstance(found, np.ndarray):
        return found
    from dask.highlevelgraph import HighLevelGraph
    from dask.local import get_sync
    if isinstance(dsk, HighLevelGraph):
        dsk = dsk.cull({key})
    return get_sync(dict(dsk), key)


def _touched(sizes: tuple[int, ...], start: int, stop: int) -> range:
    borders = edges(sizes)
    first = int(np.searchsorted(borders, start, "right")) - 1
    last = int(np.searchsorted(borders, stop, "left"))
    return range(max(first, 0), max(last, first + 1))


# ---- tasks ---------------------------------------------------------------------------

class Blocks:
    """A source of the blocks that a task got; zeros elsewhere, unused."""

    name = None
    lock = None

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype,
                 blocks: list[tuple[tuple[int, ...], np.ndarray]]):
        self.shape, self.dtype, self.blocks = shape, dtype, blocks
        self.ndim = len(shape)

    def read(self, key: tuple[slice, ...]) -> np.ndarray:
        """The values of a box."""
        shape = tuple(k.stop - k.start for k in key)
        out = np.zeros(shape, self.dtype)
        for start, block in self.blocks:
            put, take = [], []
            for s, n, k in zip(start, block.shape, key):
                low, high = max(s, k.start), min(s + n, k.stop)
                put.append(slice(low - k.start, high - k.start))
                take.append(slice(low - s, high - s))
            if all(p.start < p.stop for p in put):
                out[tuple(put)] = block[tuple(take)]
        return out


class Operation:
    """An operation with all that a task needs to know of its arrays."""

    def __init__(self, node: Node):
        self.op, self.params, self.dtype = node.op, node.params, node.dtype
        self.chunks = node.chunks
        self.borders = [edges(c) for c in node.chunks]
        self.inputs = [(i.shape, i.chunks, i.dtype) for i in node.inputs]
        self.name = node.kind

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def place(self, index: tuple[int, ...]) -> tuple[slice, ...]:
        """Where a chunk lies."""
        return tuple(slice(b[i], b[i + 1])
                     for b, i in zip(self.borders, index))

    def __call__(self, index: tuple[int, ...], places: tuple,
                 *blocks: Any) -> np.ndarray:
        """Compute one chunk from blocks of the inputs."""
        box = self.place(index)
        rest = iter(blocks)
        inputs = [[(start, np.asarray(next(rest))) for start in starts]
                  for starts in places]
        with _lib.inner_engine():
            if self.op == "python":
                return self._python(index, box, inputs)
            return self._native(box, inputs)

    def _native(self, box: tuple[slice, ...], inputs: list) -> np.ndarray:
        from ._creation import from_array
        if self.op in ("map", "cast", "same") and \
                all(len(i) == 1 for i in inputs):
            arrays = [from_array(_cut(i[0], shape, box), chunks=-1)
                      for i, (shape, _, _) in zip(inputs, self.inputs)]
            return np.asarray(Array._make(self.op, arrays, self.params,
                                          self.dtype).compute())
        arrays = []
        for (shape, chunks, dtype), rows in zip(self.inputs, inputs):
            source = Blocks(shape, dtype, rows)
            from ._creation import _in_chunks
            arrays.append(_in_chunks("fill", (source, shape, dtype), chunks,
                                     dtype))
        made = Array._make(self.op, arrays, self.params, self.dtype)
        return np.asarray(made[box].compute())

    def _python(self, index: tuple[int, ...], box: tuple[slice, ...],
                inputs: list) -> np.ndarray:
        from ._python import Block, Call, fitting
        function, _, reaches = self.params
        blocks, where = [], []
        for (shape, _, dtype), rows, reach in zip(self.inputs, inputs,
                                                  reaches):
            key = []
            for size, row in zip(shape, reach):
                if row.axis < 0:
                    key.append(slice(0, size))
                elif row.low is not None:
                    key.append(slice(row.low[index[row.axis]],
                                     row.high[index[row.axis]]))
                else:
                    key.append(box[row.axis])
            box_in = tuple(key)
            if len(rows) == 1 and rows[0][0] == tuple(
                    k.start for k in key) and rows[0][1].shape == tuple(
                    k.stop - k.start for k in key):
                block = rows[0][1]
            else:
                block = Blocks(shape, dtype, rows).read(box_in)
            blocks.append(block)
            where.append(Block((), tuple(k.start for k in key), block.shape))
        out = Block(index, tuple(k.start for k in box),
                    tuple(k.stop - k.start for k in box))
        made = np.asarray(function.call(blocks, Call(out, where)))
        return fitting(made, out.shape).astype(self.dtype, copy=False)


def _cut(row: tuple[tuple[int, ...], np.ndarray], shape: tuple[int, ...],
         box: tuple[slice, ...]) -> np.ndarray:
    """The part of a block that belongs to a box, as in broadcasting."""
    start, block = row
    offset = len(box) - len(shape)
    return block[tuple(
        slice(None) if n == 1 else slice(box[offset + j].start - s,
                                         box[offset + j].stop - s)
        for j, (n, s) in enumerate(zip(shape, start)))]


def chunk_starts(chunks: Chunks) -> list[list[int]]:
    """Where chunks begin along each axis."""
    return [edges(c)[:-1] for c in chunks]


def all_indices(chunks: Chunks) -> Iterator[tuple[int, ...]]:
    """The index of every chunk."""
    return itertools.product(*(range(len(c)) for c in chunks))


__all__ = ["order_of"]
