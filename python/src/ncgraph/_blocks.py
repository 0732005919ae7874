# SPDX-License-Identifier: BSD-3-Clause
"""Functions of Python on chunks: map_blocks, blockwise, gufuncs, reductions."""
from __future__ import annotations

import itertools
import re
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


# ---- blockwise ------------------------------------------------------------------------

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


# ---- generalised ufuncs -------------------------------------------------------------------

_DIMS = r"\((?:[\w?]+(?:,[\w?]+)*,?)?\)"
_SIGNATURE = re.compile(rf"^{_DIMS}(?:,{_DIMS})*->{_DIMS}(?:,{_DIMS})*$|"
                        rf"^->{_DIMS}(?:,{_DIMS})*$|^{_DIMS}(?:,{_DIMS})*->$")


def parse_signature(signature: str) -> tuple[list[tuple], Any]:
    """Return names of core axes of inputs and outputs.

    Outputs are one tuple where the signature has one of them, else a list.
    """
    text = re.sub(r"\s+", "", signature)
    if not _SIGNATURE.match(text):
        raise ValueError(f"Not a valid gufunc signature: {signature}")
    left, right = text.split("->")

    def parse(part: str) -> list[tuple]:
        return [tuple(n for n in dims[1:-1].split(",") if n)
                for dims in re.findall(_DIMS, part)]
    outputs = parse(right)
    single = len(outputs) == 1 and not right.endswith(",")
    return parse(left), (outputs[0] if single else outputs)


class Gufunc:
    """Calls a function with blocks whose core axes are last."""

    def __init__(self, func: Callable, kwargs: dict[str, Any], nout: int,
                 loops: int):
        self.func, self.kwargs = func, kwargs
        self.nout, self.loops = nout, loops

    def __call__(self, blocks: list, where: Call) -> Any:
        made = self.func(*blocks, **self.kwargs)
        if self.nout == 1:
            return made[0] if isinstance(made, tuple) and len(made) == 1 \
                else made
        cell = np.empty((1,) * self.loops, dtype=object)
        cell[(0,) * self.loops] = tuple(made)
        return cell


class Picked:
    """One of the results that a chunk's call gave."""

    def __init__(self, number: int):
        self.number = number

    def __call__(self, blocks: list, where: Call) -> Any:
        return blocks[0].ravel()[0][self.number]


def apply_gufunc(func: Callable, signature: str, *args: Any, axes: Any = None,
                 axis: Any = None, keepdims: bool = False,
                 output_dtypes: Any = None, output_sizes: Any = None,
                 vectorize: Any = None, allow_rechunk: bool = False,
                 meta: Any = None, **kwargs: Any) -> Any:
    """Apply a generalised ufunc, or a function like one.

    Parameters
    ----------
    func : callable
        Gets blocks whose core axes are last and whole.
    signature : str
        Such as ``"(i),(i)->()"``.
    *args : array_like
    axes, axis, keepdims
        As those of NumPy's gufuncs.
    output_dtypes : dtype or sequence of dtype, optional
    output_sizes : dict, optional
        Sizes of core axes that only the outputs have.
    vectorize : bool
        Whether the function is for one position of the loop axes only.
    allow_rechunk : bool
        Whether core axes may have several chunks.

    Returns
    -------
    Array or tuple of Array
    """
    core_in, core_out = parse_signature(signature)
    single = isinstance(core_out, tuple)
    outs = [core_out] if single else core_out
    sizes = dict(output_sizes or {})
    if meta is not None and output_dtypes is None:
        metas = meta if isinstance(meta, (tuple, list)) else (meta,)
        output_dtypes = [m.dtype for m in metas]
    if len(args) != len(core_in):
        raise ValueError("According to `signature`, `func` requires "
                         f"{len(core_in)} arguments, but {len(args)} given")
    arrays = [asarray(a) for a in args]
    arrays, out_axes = _core_last(arrays, core_in, outs, axes, axis, keepdims)
    loops, core_sizes = _gufunc_sizes(arrays, core_in, sizes, allow_rechunk)
    dtypes = _gufunc_dtypes(func, arrays, kwargs, output_dtypes, vectorize,
                            len(outs), single)
    if vectorize:
        func = np.vectorize(func, signature=signature, otypes="".join(
            d.char for d in dtypes) if all(d.kind not in "mMUSV"
                                           for d in dtypes) else None)
    reaches = []
    for a, core in zip(arrays, core_in):
        wide = a.ndim - len(core)
        row = [Reach(-1 if a.shape[j] == 1 else len(loops) - wide + j)
               for j in range(wide)]
        reaches.append(row + [Reach(-1)] * len(core))
    for core in outs:
        for n in core:
            if n not in core_sizes:
                raise ValueError(f"size of core dimension {n!r} is not known: "
                                 "give it in output_sizes")
    call = Gufunc(func, kwargs, len(outs), len(loops))
    made = _gufunc_layers(call, arrays, loops, reaches, outs, core_sizes,
                          dtypes)
    made = [_core_back(m, core, ax, keepdims)
            for m, core, ax in zip(made, outs, out_axes)]
    return made[0] if single else tuple(made)


def _gufunc_layers(call: Gufunc, arrays: list, loops: list, reaches: list,
                   outs: list, core_sizes: dict, dtypes: list) -> list[Array]:
    def chunks_of(core: tuple) -> _chunks.Chunks:
        return (*loops, *((core_sizes[n],) for n in core))
    if len(outs) == 1:
        return [layer(call, arrays, chunks_of(outs[0]), reaches, dtypes[0])]
    cells = tuple((1,) * len(c) for c in loops)
    reaches = [[r if r.axis < 0 or r.low is not None else
                Reach(r.axis, *_bounds(loops[r.axis])) for r in row]
               for row in reaches]
    both = layer(call, arrays, cells, reaches, object)
    cell = [[Reach(d, *_bounds(cells[d])) for d in range(len(loops))]]
    return [layer(Picked(i), [both], chunks_of(core), cell, dtype)
            for i, (core, dtype) in enumerate(zip(outs, dtypes))]


def _gufunc_sizes(arrays: list, core_in: list, sizes: dict,
                  allow_rechunk: bool) -> tuple[list, dict]:
    wide = [a.ndim - len(c) for a, c in zip(arrays, core_in)]
    if any(w < 0 for w in wide):
        raise ValueError("an argument has fewer axes than its core axes")
    rank = max(wide, default=0)
    loops = []
    for d in range(rank):
        dims = [a.chunks[d - rank + w] for a, w in zip(arrays, wide)
                if d - rank + w >= 0]
        found = {sum(c) for c in dims if sum(c) != 1}
        if len(found) > 1:
            raise ValueError("Dimension of loop axes with different lengths in "
                             f"arrays: {sorted(found)}")
        loops.append(_chunks.common(dims))
    core_sizes = dict(sizes)
    seen: dict[str, int] = {}
    for a, core in zip(arrays, core_in):
        for n, size, c in zip(core, a.shape[a.ndim - len(core):],
                              a.chunks[a.ndim - len(core):]):
            if seen.setdefault(n, size) != size:
                raise ValueError(f"Dimension {n!r} with different lengths in "
                                 "arrays")
            if len(c) > 1 and not allow_rechunk:
                raise ValueError(
                    f"Core dimension {n!r} consists of multiple chunks. To fix,"
                    " rechunk into a single chunk along this dimension or set "
                    "`allow_rechunk=True`, but beware that this may increase "
                    "memory usage.")
    core_sizes.update(seen)
    return loops, core_sizes


def _gufunc_dtypes(func: Callable, arrays: list, kwargs: dict, given: Any,
                   vectorize: Any, nout: int, single: bool) -> list[np.dtype]:
    if given is not None:
        rows = list(given) if isinstance(given, (list, tuple)) else [given]
        if len(rows) != nout:
            raise ValueError(f"output_dtypes: {len(rows)} given, the signature "
                             f"has {nout} outputs")
        return [canonical(d) for d in rows]
    samples = [np.ones((1,) * a.ndim, a.dtype) for a in arrays]
    if vectorize:
        samples = [s.ravel()[0] for s in samples]
    try:
        made = func(*samples, **kwargs)
    except Exception as exc:
        raise ValueError("`dtype` inference failed in `apply_gufunc`: give "
                         f"output_dtypes. The function raised: {exc}") from exc
    rows = [made] if single else list(made)
    return [canonical(np.asarray(m).dtype) for m in rows]


def _core_last(arrays: list, core_in: list, outs: list, axes: Any, axis: Any,
               keepdims: bool) -> tuple[list, list]:
    """Move core axes to the end; tell where those of the outputs belong."""
    if axes is not None and axis is not None:
        raise ValueError("Only one of `axis` or `axes` keyword arguments "
                         "should be given")
    if axis is not None:
        axes = [(axis,) if c else () for c in core_in]
    if axes is None:
        axes = [tuple(range(-len(c), 0)) for c in core_in]
        axes += [tuple(range(-len(c), 0)) for c in outs]
    else:
        axes = [(a,) if isinstance(a, (int, np.integer)) else tuple(a)
                for a in axes]
        if len(axes) == len(core_in):
            axes += [axes[0] if keepdims and not c else
                     tuple(range(-len(c), 0)) for c in outs]
    if keepdims:
        axes = axes[:len(core_in)] + [axes[0] for _ in outs]
    moved = []
    for a, core, ax in zip(arrays, core_in, axes):
        if len(core) != len(ax):
            raise ValueError("`axes` must have one entry for each core axis")
        if ax != tuple(range(-len(core), 0)):
            a = np.moveaxis(a, ax, tuple(range(-len(core), 0)))
        moved.append(a)
    return moved, axes[len(core_in):]


def _core_back(made: Array, core: tuple, ax: tuple, keepdims: bool) -> Array:
    if keepdims:
        for _ in ax:
            made = made[..., None]
        core = ax
    if core and ax != tuple(range(-len(core), 0)):
        made = np.moveaxis(made, tuple(range(-len(core), 0)), ax)
    return made


def as_gufunc(signature: str, **settings: Any) -> Callable:
    """Decorate a function so that it is applied by :func:`apply_gufunc`."""
    def wrap(func: Callable) -> Callable:
        def applied(*args: Any, **kwargs: Any) -> Any:
            return apply_gufunc(func, signature, *args, **{**settings,
                                                           **kwargs})
        return applied
    return wrap


# ---- reductions by functions of Python --------------------------------------------------------

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
        cell[(0,) * cell.ndim] = made
        return cell

    def _joined(self, cells: np.ndarray) -> Any:
        if not self.joined:
            kept = tuple(slice(None) if d in self.axes else 0
                         for d in range(cells.ndim))
            made = cells[kept]
            return made.tolist() if made.ndim else made.item()
        return _concatenated(cells, self.axes)


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
    row, chunks, place = [], [], 0
    for d in range(x.ndim):
        if d in axes:
            row.append(Reach(-1))
            if keepdims:
                chunks.append((output_size,))
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


class Weighted:
    """A chunk's partial result with weights."""

    def __init__(self, func: Callable, axes: tuple):
        self.func, self.axes = func, axes

    def __call__(self, blocks: list, where: Call) -> Any:
        cell = np.empty((1,) * len(where.output.shape), dtype=object)
        cell[(0,) * cell.ndim] = self.func(blocks[0], blocks[1],
                                           axis=self.axes, keepdims=True)
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
