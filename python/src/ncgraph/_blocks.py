# SPDX-License-Identifier: BSD-3-Clause
"""Functions of Python on chunks: map_blocks, and whole chunks of arrays."""
from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from . import _chunks
from ._array import Array
from ._creation import asarray
from ._dtypes import canonical
from ._python import Call, Reach, layer
from ._reduce import _bounds
from ._shape import axes_of


def is_arraylike(value: Any) -> bool:
    """Whether an argument is split into chunks with the others."""
    return isinstance(value, Array) or (
        hasattr(value, "__dask_graph__") and hasattr(value, "chunks"))


def infer_dtype(func: Callable, args: Sequence[Any], kwargs: dict[str, Any],
                name: str) -> np.dtype:
    """Learn a function's dtype by calling it with small arrays."""
    tries = []
    for size in (0, 1):
        try:
            samples = [np.ones((size,) * a.ndim, a.dtype)
                       if isinstance(a, Array) else a for a in args]
            with np.errstate(all="ignore"):
                made = func(*samples, **kwargs)
            return np.asarray(made).dtype
        except Exception as exc:
            tries.append(exc)
    raise ValueError(
        f"`dtype` inference failed in `{name}`: the function does not work on "
        f"arrays of size 1; give the dtype explicitly. It raised: "
        f"{type(tries[-1]).__name__}: {tries[-1]}") from tries[-1]


class Arguments:
    """Where blocks stand among a function's arguments."""

    def __init__(self, args: Sequence[Any], kwargs: dict[str, Any]):
        self.arrays: list[Array] = []
        self.args = [self._place(a) for a in args]
        self.kwargs = {k: self._place(v) if isinstance(v, Array) else (v,)
                       for k, v in kwargs.items()}

    def _place(self, value: Any) -> Any:
        if not is_arraylike(value):
            return (value,)
        self.arrays.append(asarray(value))
        return len(self.arrays) - 1

    def fill(self, blocks: Sequence[Any]) -> tuple[list, dict[str, Any]]:
        """Return the arguments of one call."""
        def value(entry: Any) -> Any:
            return blocks[entry] if isinstance(entry, int) else entry[0]
        return ([value(a) for a in self.args],
                {k: value(v) for k, v in self.kwargs.items()})

    def without_arrays(self) -> "Arguments":
        """The same places, without the arrays: what a task needs."""
        made = object.__new__(Arguments)
        made.arrays, made.args, made.kwargs = [], self.args, self.kwargs
        return made


# ---- map_blocks -----------------------------------------------------------------

class MapBlocks:
    """Calls a function with the blocks of one chunk."""

    def __init__(self, func: Callable, places: Arguments, ndim: int,
                 want: tuple[str, ...], chunks: list, out_chunks: Any,
                 dtype: np.dtype):
        self.func, self.places, self.ndim = func, places, ndim
        self.want, self.chunks, self.dtype = want, chunks, dtype
        self.out_chunks = out_chunks

    def __call__(self, blocks: list, where: Call) -> Any:
        args, kwargs = self.places.fill(blocks)
        if "block_id" in self.want:
            kwargs["block_id"] = where.output.index
        if "block_info" in self.want:
            kwargs["block_info"] = self._info(where)
        made = self.func(*args, **kwargs)
        if np.ndim(made) != self.ndim and np.ndim(made):
            raise ValueError(
                f"Dimension mismatch: expected output of a block to have "
                f"{self.ndim} axes, got {np.ndim(made)}")
        return made

    def _info(self, where: Call) -> dict[Any, Any]:
        info: dict[Any, Any] = {}
        for place, entry in enumerate(self.places.args):
            if not isinstance(entry, int):
                continue
            chunks, block = self.chunks[entry], where.inputs[entry]
            shape = tuple(sum(c) for c in chunks)
            index = tuple(_chunks.edges(c).index(s) if s in _chunks.edges(c)
                          else 0 for c, s in zip(chunks, block.start))
            info[place] = {
                "shape": shape, "num-chunks": tuple(len(c) for c in chunks),
                "array-location": [(s, s + n) for s, n in
                                   zip(block.start, block.shape)],
                "chunk-location": index}
        out = where.output
        info[None] = {
            "shape": tuple(sum(c) for c in self.out_chunks),
            "num-chunks": tuple(len(c) for c in self.out_chunks),
            "array-location": [(s, s + n) for s, n in
                               zip(out.start, out.shape)],
            "chunk-location": out.index, "chunk-shape": out.shape,
            "dtype": self.dtype}
        return info


def _wanted(func: Callable) -> tuple[str, ...]:
    """Which of the names block_id and block_info a function takes."""
    import inspect
    while isinstance(func, _partial()):
        func = func.func
    try:
        names = inspect.signature(func).parameters
    except (TypeError, ValueError):
        return ()
    return tuple(n for n in ("block_id", "block_info") if n in names)


def _partial() -> type:
    from functools import partial
    return partial


def map_blocks(func: Callable, *args: Any, name: Any = None, token: Any = None,
               dtype: Any = None, chunks: Any = None, drop_axis: Any = None,
               new_axis: Any = None, enforce_ndim: bool = False,
               meta: Any = None, **kwargs: Any) -> Array:
    """Apply a function to corresponding chunks of arrays.

    Parameters
    ----------
    func : callable
        Gets one block of each array; what else it may take: ``block_id``,
        ``block_info``.
    *args
        Arrays, whose last axes are aligned, and other arguments.
    dtype : dtype, optional
        Of the result; learned from a call with small arrays otherwise.
    chunks : tuple, optional
        Chunks of the result: for each axis a size or all sizes.
    drop_axis, new_axis : int or sequence of int, optional
        Axes that the function removes and adds; a function that removes an
        axis gets all of it.
    meta : array, optional
        An array of the result's dtype.
    **kwargs
        For the function.

    Returns
    -------
    Array
    """
    if not callable(func):
        raise TypeError("First argument must be callable function, not "
                        f"{type(func).__name__}\nUsage:   map_blocks(function, "
                        "x)")
    given = Arguments(args, kwargs)
    want = _wanted(func)
    if dtype is None and meta is not None:
        dtype = getattr(meta, "dtype", None)
    if dtype is None:
        sample = {n: (0,) * 8 if n == "block_id" else None for n in want}
        dtype = infer_dtype(func, [asarray(a) if is_arraylike(a) else a
                                   for a in args],
                            {**sample, **_samples(kwargs)}, "map_blocks")
    dtype = canonical(dtype)
    split = given.arrays[:sum(isinstance(a, int) for a in given.args)]
    ndim = max((a.ndim for a in split), default=0)
    labels = list(range(ndim))
    if drop_axis is not None:
        for d in axes_of(drop_axis, ndim):
            labels.remove(d)
    if new_axis is not None:
        axes = [new_axis] if isinstance(new_axis, (int, np.integer)) \
            else sorted(new_axis)
        for d in axes:
            labels.insert(d, -1)
    elif chunks is not None and not split:
        labels = [-1] * len(chunks)
    elif isinstance(chunks, (tuple, list)) and len(chunks) > len(labels):
        labels = [-1] * (len(chunks) - len(labels)) + labels
    grid = _block_grid(split, ndim)
    sizes = _out_chunks(labels, grid, chunks)
    reaches = []
    for a in given.arrays:
        if not any(a is s for s in split):
            reaches.append([Reach(-1)] * a.ndim)
            continue
        row = []
        for j in range(a.ndim):
            label = ndim - a.ndim + j
            if label not in labels or len(a.chunks[j]) == 1:
                row.append(Reach(-1))
            else:
                row.append(Reach(labels.index(label), *_bounds(a.chunks[j])))
        reaches.append(row)
    call = MapBlocks(func, given.without_arrays(), len(labels), want,
                     [a.chunks for a in given.arrays], sizes, dtype)
    return layer(call, given.arrays, sizes, reaches, dtype)


def _samples(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {k: np.ones((1,) * v.ndim, v.dtype) if isinstance(v, Array) else v
            for k, v in kwargs.items()}


def _block_grid(arrays: Sequence[Array], ndim: int) -> list[tuple[int, ...]]:
    """Chunks of each axis: those of the array that has most of them."""
    grid: list[tuple[int, ...]] = []
    for d in range(ndim):
        dims = [a.chunks[d - ndim + a.ndim] for a in arrays
                if d - ndim + a.ndim >= 0]
        counts = {len(c) for c in dims if len(c) > 1}
        if len(counts) > 1:
            raise ValueError("Arrays chunk sizes are unknown or do not fit: "
                             f"axis {d} has {sorted(counts)} chunks; rechunk "
                             "one of the arrays")
        grid.append(max(dims, key=lambda c: (len(c), sum(c))))
    return grid


def _out_chunks(labels: list[int], grid: list[tuple[int, ...]],
                chunks: Any) -> _chunks.Chunks:
    if chunks is None:
        return tuple(grid[d] if d >= 0 else (1,) for d in labels)
    if not isinstance(chunks, (tuple, list)):
        chunks = (chunks,) * len(labels)
    if len(chunks) != len(labels):
        raise ValueError(
            f"Provided chunks have {len(chunks)} dims; expected "
            f"{len(labels)} dims")
    out = []
    for d, c in zip(labels, chunks):
        count = len(grid[d]) if d >= 0 else 1
        if isinstance(c, (tuple, list)):
            if d >= 0 and len(c) != count:
                raise ValueError(f"Dimension {d} has {count} blocks, chunks "
                                 f"specified with {len(c)} blocks")
            out.append(tuple(int(s) for s in c))
        else:
            out.append((int(c),) * count)
    return tuple(out)


# ---- whole chunks ------------------------------------------------------------------------------

class Blocks:
    """``array.blocks[...]``: arrays of whole chunks."""

    def __init__(self, array: Array):
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return self._array.numblocks

    @property
    def size(self) -> int:
        """Number of chunks."""
        return self._array.npartitions

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    def __getitem__(self, key: Any) -> Array:
        from ._index import _expanded
        array = self._array
        key = key if isinstance(key, tuple) else (key,)
        if any(k is None for k in key):
            raise ValueError("newaxis is not supported by .blocks")
        if sum(isinstance(k, (list, np.ndarray)) for k in key) > 1:
            raise ValueError("Can only slice with a single list")
        index = []
        for k, sizes in zip(_expanded(key, array.ndim), array.chunks):
            borders = _chunks.edges(sizes)
            numbers = np.arange(len(sizes))[k]
            parts = [np.arange(borders[i], borders[i + 1])
                     for i in np.atleast_1d(numbers)]
            index.append(np.concatenate(parts) if parts
                         else np.empty(0, "i8"))
        for d, places in enumerate(index):
            front = (slice(None),) * d
            step = np.diff(places)
            if places.size and (step == 1).all():
                array = array[front + (slice(places[0], places[-1] + 1),)]
            else:
                array = array[front + (places,)]
        return array

    def ravel(self) -> list[Array]:
        """Return every chunk as an array of its own."""
        return [self[index] for index in np.ndindex(self.shape)]


# ---- functions of positions ---------------------------------------------------------------------

def from_function(func: Callable, chunks: Any = "auto", shape: Any = None,
                  dtype: Any = None, **kwargs: Any) -> Array:
    """Make an array of a function of positions, as :func:`numpy.fromfunction`."""
    dtype = canonical(dtype or float)
    sizes = _chunks.normalize_chunks(chunks, shape, dtype=dtype)
    return layer(Positions(func, dtype, kwargs), [], sizes, [], dtype)


class Positions:
    """Calls a function with the positions of a chunk."""

    def __init__(self, func: Callable, dtype: np.dtype,
                 kwargs: dict[str, Any]):
        self.func, self.dtype, self.kwargs = func, dtype, kwargs

    def __call__(self, blocks: list, where: Call) -> Any:
        place = where.output
        grids = np.meshgrid(*(np.arange(s, s + n, dtype=self.dtype)
                              for s, n in zip(place.start, place.shape)),
                            indexing="ij")
        return self.func(*grids, **self.kwargs)
