# SPDX-License-Identifier: BSD-3-Clause
"""The layer that dask sees: tasks, made when they are asked for."""
from __future__ import annotations

import itertools
from typing import Any, Iterator

import numpy as np
from dask._task_spec import Alias, GraphNode, Task, TaskRef
from dask.base import clone_key
from dask.highlevelgraph import HighLevelGraph, Layer, MaterializedLayer

from . import _dask_quantiles, _lib
from ._array import Array, Node, order_of
from ._chunks import edges
from ._dask import Foreign, Operation, all_indices, chunk_starts
from ._dask_reduce import PARTIAL, Finish, Merge, Part, WeightedPart
from ._lib import Handle, ffi, lib

# What dask would look into for keys and tasks.
_AMBIGUOUS = (tuple, list, set, frozenset, dict, str, bytes, int, float)
EVERY = 4  # partial results that one task merges


def make(array: Array) -> HighLevelGraph:
    """Return the array's graph; nothing is looked at yet."""
    name = array.name
    return HighLevelGraph({name: NcgLayer(array)}, {name: set()})


class NcgLayer(Layer):
    """Every task of an array, made together when the first one is needed."""

    def __init__(self, array: Array, annotations: Any = None,
                 collection_annotations: Any = None):
        super().__init__(annotations=annotations,
                         collection_annotations=collection_annotations)
        self.array = array
        self._tasks: dict | None = None

    @property
    def mapping(self) -> dict:
        """Keys and tasks."""
        if self._tasks is None:
            self._tasks = tasks_of(self.array)
        return self._tasks

    def __reduce__(self) -> Any:
        return NcgLayer, (self.array, self.annotations,
                          self.collection_annotations)

    def is_materialized(self) -> bool:
        """Whether the tasks were made."""
        return self._tasks is not None

    def get_output_keys(self) -> Any:
        """The keys that others may use."""
        return self.mapping.keys()

    def __getitem__(self, key: Any) -> Any:
        return self.mapping[key]

    def __iter__(self) -> Iterator:
        return iter(self.mapping)

    def __len__(self) -> int:
        return len(self.mapping)

    def __contains__(self, key: Any) -> bool:
        return key in self.mapping

    def clone(self, keys: set, seed: Any, bind_to: Any = None) -> tuple:
        """Rename tasks, as ``dask.graph_manipulation`` asks of a layer.

        Tasks that refer to none of the renamed ones wait for ``bind_to``.
        """
        new = {key: clone_key(key, seed) for key in self.mapping
               if key in keys}
        made, is_bound = {}, False
        for key, value in self.mapping.items():
            if key not in new:
                made[key] = value
                continue
            deps = getattr(value, "dependencies", frozenset())
            renamed = {d: clone_key(d, seed) for d in deps if d in keys}
            # Those that need nothing, too: dask looks at a task's own key.
            if isinstance(value, GraphNode):
                value = value.substitute(renamed, key=new[key])
            if bind_to is not None and not renamed:
                value = Task(new[key], _after, value, TaskRef(bind_to))
                is_bound = True
            made[new[key]] = value
        return MaterializedLayer(made), is_bound


def _after(value: Any, blocker: Any) -> Any:
    """A value that waited for something else."""
    return value


# ---- tasks -----------------------------------------------------------------------

def tasks_of(array: Array) -> dict:
    """Make the tasks of an array and of all it is made of."""
    out: dict = {}
    nodes = order_of([array._node])
    deps = Dependencies(array)
    for node in nodes:
        _add(out, node, deps)
    return out


def _add(out: dict, node: Node, deps: "Dependencies") -> None:
    if node.op == "memory":
        _add_parts(out, node, node.params[0])
        return
    if node.op == "handle" or 0 in node.shape:
        _add_values(out, node)
        return
    if node.op == "fill" and isinstance(node.params[0], Foreign):
        _add_foreign(out, node)
        return
    if node.op == "reduce" and node.params[0] in PARTIAL and \
            _many(node):
        _add_reduction(out, node)
        return
    if node.op == "weighted" and _many(node):
        _add_weighted(out, node)
        return
    if node.op == "quantile" and _many(node):
        _dask_quantiles.add(out, node)
        return
    if node.op == "same" and node.name == node.inputs[0].name:
        return  # the same keys
    call = Operation(node)
    starts = [chunk_starts(i.chunks) for i in node.inputs]
    names = [i.name for i in node.inputs]
    own = node.name
    for index in all_indices(node.chunks):
        key = (own, *index)
        places, refs = [], []
        for number, found in enumerate(deps.of(node, index)):
            places.append(tuple(
                tuple(s[i] for s, i in zip(starts[number], at))
                for at in found))
            refs += [TaskRef((names[number], *at)) for at in found]
        out[key] = Task(key, call, index, tuple(places), *refs)


def _add_values(out: dict, node: Node) -> None:
    """Chunks that this process holds go with the graph."""
    _add_parts(out, node, np.asarray(Array._of(node).compute()))


def _add_parts(out: dict, node: Node, values: np.ndarray) -> None:
    name, call = node.name, Operation(node)
    for index in all_indices(node.chunks):
        key = (name, *index)
        # The array itself: who looks into the graph shall find values.
        out[key] = np.asarray(values[call.place(index)])


def _add_foreign(out: dict, node: Node) -> None:
    source = node.params[0]
    from dask._task_spec import DataNode, convert_legacy_graph
    from dask.utils import ensure_dict
    given = ensure_dict(source.dsk)
    for key, task in convert_legacy_graph(given).items():
        # Values stay values, unless they could be taken for keys or tasks.
        is_plain = isinstance(task, DataNode) and key in given and \
            not isinstance(given[key], _AMBIGUOUS)
        out[key] = given[key] if is_plain else task
    if node.chunks != source.chunks:
        values = Operation(node)
        for index in all_indices(node.chunks):
            key = (node.name, *index)
            out[key] = Task(key, values, index, ())
        return
    if node.name != source.key_name:
        for index in all_indices(node.chunks):
            key = (node.name, *index)
            out[key] = Alias(key, (source.key_name, *index))


# ---- reductions: a tree ------------------------------------------------------------

def _many(node: Node) -> bool:
    chunks = node.inputs[0].chunks
    return int(np.prod([len(chunks[d]) for d in node.params[1]])) > EVERY


def _add_reduction(out: dict, node: Node) -> None:
    op, axes, skipna, floor, ddof, keepdims, _ = node.params
    source = node.inputs[0]
    part = Part(op, axes, skipna)
    name = f"{node.name}-part"
    for index in all_indices(source.chunks):
        key = (name, *index)
        out[key] = Task(key, part, TaskRef((source.name, *index)))
    _add_tree(out, node, Finish(op, axes, floor, ddof, keepdims, skipna,
                                node.dtype))


def _add_weighted(out: dict, node: Node) -> None:
    op, axes, skipna, keepdims, _ = node.params
    source, weights = node.inputs
    part, borders = WeightedPart(op, axes, skipna, weights.shape), \
        [edges(c) for c in source.chunks]
    rows = [_Axis(sizes, -1 if n == 1 else d, b[:-1], b[1:])
            for d, (sizes, n, b) in enumerate(zip(weights.chunks,
                                                  weights.shape, borders))]
    starts = chunk_starts(weights.chunks)
    for index in all_indices(source.chunks):
        key = (f"{node.name}-part", *index)
        found = list(itertools.product(*(row.of(index) for row in rows)))
        out[key] = Task(
            key, part, tuple(b[i] for b, i in zip(borders, index)),
            tuple(tuple(s[i] for s, i in zip(starts, at)) for at in found),
            TaskRef((source.name, *index)),
            *(TaskRef((weights.name, *at)) for at in found))
    _add_tree(out, node, Finish(op, axes, 0, 0, keepdims, skipna, node.dtype))


def _add_tree(out: dict, node: Node, finish: Finish) -> None:
    """Tasks that merge the partial results of all chunks of the input."""
    axes, keepdims = finish.axes, finish.keepdims
    counts = tuple(len(c) for c in node.inputs[0].chunks)
    name, merge, level = f"{node.name}-part", Merge(finish.op), 0
    while any(counts[d] > 1 for d in axes):
        level += 1
        upper = f"{node.name}-merge{level}"
        steps = _steps(counts, axes)
        sizes = tuple(-(-n // s) for n, s in zip(counts, steps))
        for index in itertools.product(*(range(n) for n in sizes)):
            ranges = [range(i * s, min((i + 1) * s, n))
                      for i, s, n in zip(index, steps, counts)]
            key = (upper, *index)
            out[key] = Task(key, merge, *(TaskRef((name, *at))
                                          for at in itertools.product(*ranges)))
        name, counts = upper, sizes
    for index in itertools.product(*(range(n) for n in counts)):
        at = index if keepdims else tuple(i for d, i in enumerate(index)
                                          if d not in axes)
        key = (node.name, *at)
        out[key] = Task(key, finish, TaskRef((name, *index)))


def _steps(counts: tuple[int, ...], axes: tuple[int, ...]) -> list[int]:
    steps, room = [1] * len(counts), EVERY
    for d in axes:
        if counts[d] > 1 and room > 1:
            steps[d] = min(counts[d], room)
            room //= steps[d]
    return steps


# ---- which chunks a chunk needs ---------------------------------------------------------

class Dependencies:
    """Asks the engine which chunks of its inputs a chunk needs."""

    def __init__(self, array: Array):
        self._keep = ffi.new("ncg_array *[]", [array._ptr])
        out, err = ffi.new("ncg_graph **"), ffi.new("ncg_error *")
        _lib.check(lib.ncg_graph_of(self._keep, 1, out, err), err)
        self._graph = Handle(out[0], lib.ncgpy_release_graph)
        self._err = err
        self._found: list[tuple[str, tuple[int, ...]]] = []
        self._self = ffi.new_handle(self)
        self._node: Node | None = None
        self._axes: list = []

    def of(self, node: Node, index: tuple[int, ...]
           ) -> list[list[tuple[int, ...]]]:
        """For each input the indices of the chunks, in order."""
        if node.op in ("map", "cast", "same", "python"):
            if self._node is not node:
                self._node, self._axes = node, _axes_of(node)
            return [list(itertools.product(*(axis.of(index) for axis in rows)))
                    for rows in self._axes]
        if not node.inputs:
            return []
        wide = (0,) if Array._of(node)._width else ()
        tokens: dict[str, list[int]] = {}
        for number, i in enumerate(node.inputs):
            tokens.setdefault(i.token, []).append(number)
        found: list[set] = [set() for _ in node.inputs]
        if node.token in tokens:
            for number in tokens[node.token]:
                found[number].add(index)
            return [sorted(f) for f in found]
        stack, seen = [(node.token, index + wide)], set()
        while stack:
            for token, at in self._direct(*stack.pop()):
                if token in tokens:
                    for number in tokens[token]:
                        rank = len(node.inputs[number].shape)
                        found[number].add(at[:rank])
                elif (token, at) not in seen:
                    seen.add((token, at))
                    stack.append((token, at))
        return [sorted(f) for f in found]

    def _direct(self, token: str, index: tuple[int, ...]) -> list:
        key = ffi.new("ncg_key *")
        key.layer = token.encode()
        key.rank = len(index)
        key.index[0:len(index)] = index
        self._found = []
        _lib.check(lib.ncg_graph_deps(self._graph.ptr, key, lib.ncgpy_key,
                                      self._self, self._err), self._err)
        return self._found


@ffi.def_extern(error=lib.NCG_EBUG)
def ncgpy_key(key: Any, payload: Any) -> int:
    index = tuple(key.index[0:key.rank])
    ffi.from_handle(payload)._found.append(
        (ffi.string(key.layer).decode(), index))
    return lib.NCG_OK


class _Axis:
    """Which chunks of an input's axis a chunk of the result needs."""

    def __init__(self, sizes: tuple[int, ...], place: int,
                 low: Any = None, high: Any = None):
        self.place, self.low, self.high = place, low, high
        self.borders = np.asarray(edges(sizes))
        self.count = len(sizes)

    def of(self, index: tuple[int, ...]) -> Any:
        """Numbers of the chunks."""
        if self.place < 0:
            return range(self.count)
        at = index[self.place]
        if self.low is None:
            return (at,)
        first = int(np.searchsorted(self.borders, self.low[at], "right")) - 1
        last = int(np.searchsorted(self.borders, self.high[at], "left"))
        return range(max(first, 0), max(last, first + 1))


def _axes_of(node: Node) -> list[list[_Axis]]:
    """How the chunks of a result follow those of each input."""
    out = []
    borders = [edges(c) for c in node.chunks]
    for number, source in enumerate(node.inputs):
        rows = []
        offset = len(node.shape) - len(source.shape)
        for j, sizes in enumerate(source.chunks):
            place, low, high = offset + j, None, None
            if node.op == "python":
                reach = node.params[2][number][j]
                place, low, high = reach.axis, reach.low, reach.high
            elif source.shape[j] == 1:
                place = -1
            if place >= 0 and low is None and sizes != node.chunks[place]:
                low, high = borders[place][:-1], borders[place][1:]
            rows.append(_Axis(sizes, place, low, high))
        out.append(rows)
    return out
