# SPDX-License-Identifier: BSD-3-Clause
"""Layers whose tasks are Python functions.

A layer holds a function of blocks, how its chunks lie and which positions of
each input a chunk needs. The engine calls it for each chunk, from its threads,
under Python's lock.
"""
from __future__ import annotations

import hashlib
import math
import time
import weakref
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from . import _chunks, _lib, _portable
from ._array import Array
from ._dtypes import canonical, from_storage, of_code, storage, to_storage
from ._lib import Handle, array_handle, ffi, lib
from ._ops import BUILDERS, builder, chunk_rows, pointers
from ._recipes import dumps

KERNEL = b"org.ncgraph.python/1"
_NOTHING = (b"\0", np.dtype("u1"), (), None)  # a value that nobody looks at


class Reach(NamedTuple):
    """Which positions of an input's axis a chunk needs.

    ``axis`` is the result's axis that it follows, -1: all positions. Where
    ``low`` and ``high`` are given they are the first position, and the one
    behind the last, for each chunk along that axis.
    """

    axis: int
    low: tuple[int, ...] | None = None
    high: tuple[int, ...] | None = None


class Block(NamedTuple):
    """Where a chunk lies."""

    index: tuple[int, ...]
    start: tuple[int, ...]
    shape: tuple[int, ...]


class Call(NamedTuple):
    """What a function may know beside its blocks."""

    output: Block
    inputs: list[Block]


_functions: "weakref.WeakValueDictionary[bytes, Function]" = \
    weakref.WeakValueDictionary()


class Function:
    """A function of blocks, the dtypes of its inputs and of its result.

    Equal functions have equal tokens, so equal work is found to be equal.
    """

    def __init__(self, call: Callable, inputs: Sequence[Any], dtype: Any,
                 token: bytes | None = None):
        self.call = call
        self.inputs = tuple(canonical(d) for d in inputs)
        self.dtype = canonical(dtype)
        self.token = token or self._hash()
        self.data: bytes | None = None
        # The first of equal functions is the one that is called.
        self.first = _functions.setdefault(self.token, self)
        if self.first is self:
            self.first = None

    def _hash(self) -> bytes:
        try:
            data = dumps((self.call, self.inputs, self.dtype))
        except Exception:
            data = np.random.default_rng().bytes(16)
        return hashlib.blake2b(data, digest_size=16).digest()

    @property
    def label(self) -> str:
        """What people call the function."""
        call = self.call
        while True:
            inner = next((getattr(call, n) for n in ("call", "func", "function")
                          if callable(getattr(call, n, None))), None)
            if inner is None:
                break
            call = inner
        name = getattr(call, "__name__", type(call).__name__)
        return name.strip("<>").lower()

    def portable(self) -> bytes:
        """The function as bytes that workers understand."""
        if self.data is None:
            self.data = _portable.pack(self.token, self)
        return self.data

    def __reduce__(self) -> Any:
        return Function, (Portable(self.call), self.inputs, self.dtype,
                          self.token)


class Portable:
    """A function that is pickled by value where it has no name elsewhere."""

    def __init__(self, call: Callable):
        self.call = call.call if isinstance(call, Portable) else call

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)

    def __reduce__(self) -> Any:
        return _loaded, (dumps(self.call),)


def _loaded(data: bytes) -> "Portable":
    import pickle
    return Portable(pickle.loads(data))


# ---- the kernel -----------------------------------------------------------------------

def _block_of(chunk: Any, width: int, index: tuple[int, ...] = ()) -> Block:
    rank = chunk.rank - (1 if width else 0)
    return Block(index[:rank], tuple(chunk.start[0:rank]),
                 tuple(chunk.count[0:rank]))


def _values_of(chunk: Any) -> np.ndarray:
    shape = tuple(chunk.count[0:chunk.rank])
    dtype = of_code(chunk.dtype)
    nbytes = int(np.prod(shape, dtype="i8")) * dtype.itemsize
    if not nbytes:
        return np.empty(shape, dtype)
    buffer = ffi.buffer(chunk.data, nbytes)
    return np.frombuffer(buffer, dtype).reshape(shape)


@ffi.def_extern(error=lib.NCG_EKERNEL)
def ncgpy_kernel(call: Any, err: Any) -> int:
    try:
        params = bytes(ffi.buffer(call.params, call.nparams))
        function = _functions.get(params[:_portable.TOKEN]) or \
            _portable.unpack(params)
        start = time.time()
        with _lib.inner_engine():
            _run(function, call)
        _note(function, start, call.output)
        return lib.NCG_OK
    except BaseException as exc:
        return _lib.fail(err, exc)


def _note(function: Function, start: float, out: Any) -> None:
    """On workers: remember the call for who asks what they did."""
    if _portable.is_worker:
        from ._services import note
        size = math.prod(tuple(out.count[0:out.rank]))
        note(f"{function.label}-{function.token.hex()}", start, time.time(),
             size * function.dtype.itemsize)


def _run(function: Function, call: Any) -> None:
    blocks, places = [], []
    for i, dtype in enumerate(function.inputs):
        chunk = call.inputs[i]
        values = _values_of(chunk)
        values.flags.writeable = False
        blocks.append(from_storage(values, dtype))
        places.append(_block_of(chunk, storage(dtype).width))
    out = call.output
    index = tuple(call.index[0:out.rank])
    place = _block_of(out, storage(function.dtype).width, index)
    result = np.asarray(function.call(blocks, Call(place, places)))
    result = fitting(result, place.shape)
    if result.dtype != function.dtype:
        result = result.astype(function.dtype)
    stored = to_storage(result)
    target = _values_of(out)
    if target.size:
        target[...] = stored


def fitting(block: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A function's block, which has this shape, or is one value for all of
    it."""
    if block.shape == shape:
        return block
    if block.ndim:
        raise ValueError(
            f"a function gave a block of shape {block.shape} where {shape} was "
            "expected; tell the chunks of the result by chunks=, drop_axis= or "
            "new_axis=")
    return np.broadcast_to(block, shape)


def register(context: Any = None) -> None:
    """Make the kernel known in an engine; None: in all that this process
    starts from now on."""
    if context is not None and "python" in context.kernels:
        return
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_kernel_register(
        ffi.NULL if context is None else context.ptr, KERNEL,
        lib.ncgpy_kernel, ffi.NULL, err), err)
    if context is not None:
        context.kernels.add("python")


@builder("python")
def _build(inputs: list, function: Function, chunks: tuple,
           reaches: tuple) -> Handle:
    context = _lib.context()
    register(context)
    if not inputs:  # the engine asks for one; this one costs nothing
        inputs, reaches = [BUILDERS["full"]([], *_NOTHING)], ((),)
    rows, alive = chunk_rows(chunks)
    table = ffi.new("ncg_reach *[]", max(len(inputs), 1))
    for i, reach in enumerate(reaches):
        table[i] = _reach_rows(reach, alive)
    options = ffi.new("ncg_block_options *", lib.ncgpy_block_options())
    data = function.portable() if context.is_linked else function.token
    params = ffi.from_buffer(data)
    options.params, options.nparams = params, len(data)
    options.dtype = storage(function.dtype).code
    return array_handle(
        lib.ncg_array_blockwise, KERNEL, len(chunks), rows, pointers(inputs),
        ffi.cast("ncg_reach **", table), len(inputs), options)


class Reading:
    """Gives the chunks of a source that is read by slices."""

    def __init__(self, source: Any):
        self.source = source

    def __call__(self, blocks: list, where: Call) -> Any:
        place = where.output
        return self.source.read(tuple(
            slice(s, s + n) for s, n in zip(place.start, place.shape)))


def remote_source(source: Any, shape: tuple, dtype: np.dtype,
                  step: tuple) -> Handle | None:
    """A source as a layer that workers can run; None: it stays here."""
    function = Function(Reading(source), (), dtype)
    try:
        function.portable()
    except TypeError:
        return None
    width = storage(dtype).width
    chunks = _chunks.blockdims(shape, step) + (((width,),) if width else ())
    return _build([], function, chunks, ())


def _reach_rows(reach: Sequence[Reach], alive: list) -> Any:
    rows = ffi.new("ncg_reach[]", max(len(reach), 1))
    alive.append(rows)
    for row, entry in zip(rows, reach):
        row.axis = entry.axis
        if entry.low is not None:
            low = ffi.new("int64_t[]", list(entry.low))
            high = ffi.new("int64_t[]", list(entry.high))
            alive += [low, high]
            row.low, row.high = low, high
    return rows


def layer(call: Callable, inputs: Sequence[Array], chunks: _chunks.Chunks,
          reaches: Sequence[Sequence[Reach]], dtype: Any,
          token: bytes | None = None) -> Array:
    """Make an array whose chunks a function gives.

    Parameters
    ----------
    call : callable
        ``call(blocks, where)`` gives one chunk.
    inputs : sequence of Array
    chunks : tuple of tuple of int
        Of the result.
    reaches : sequence of sequence of Reach
        For each input, for each of its axes.
    dtype : dtype
        Of the result.
    token : bytes, optional
        16 bytes that say which function it is, where its value does not.
    """
    dtype = canonical(dtype)
    if any(0 in c and len(c) == 1 for c in chunks):
        return _empty(chunks, dtype)
    if not inputs:  # the engine has layers of at least one
        from ._creation import full
        inputs, reaches, call = [full((), 0, "i1")], [[]], Alone(call)
    width = storage(dtype).width
    whole = tuple(chunks) + (((width,),) if width else ())
    rows = []
    for array, reach in zip(inputs, reaches):
        rows.append(tuple(reach) + ((Reach(-1),) if array._width else ()))
    function = Function(call, [a.dtype for a in inputs], dtype, token)
    return Array._make("python", inputs, (function, whole, tuple(rows)), dtype)


class Alone:
    """A function that needs no blocks."""

    def __init__(self, call: Callable):
        self.call = call

    def __call__(self, blocks: list[np.ndarray], where: Call) -> Any:
        return self.call([], Call(where.output, []))


def _empty(chunks: _chunks.Chunks, dtype: np.dtype) -> Array:
    from ._creation import from_array
    return from_array(np.empty(tuple(sum(c) for c in chunks), dtype))


# ---- element by element ----------------------------------------------------------------

def aligned(arrays: Sequence[Array]) -> tuple[_chunks.Chunks, list[list[Reach]]]:
    """Chunks of arrays that broadcast, and which positions each chunk needs."""
    rank = max((a.ndim for a in arrays), default=0)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    chunks = []
    for d in range(rank):
        dims = [a.chunks[d - rank + a.ndim] for a in arrays
                if d - rank + a.ndim >= 0
                and a.shape[d - rank + a.ndim] == shape[d]]
        chunks.append(_chunks.common(dims) if dims else (shape[d],))
    reaches = []
    for a in arrays:
        offset = rank - a.ndim
        reaches.append([Reach(offset + j if a.shape[j] == shape[offset + j]
                              else -1) for j in range(a.ndim)])
    return tuple(chunks), reaches


class Elementwise:
    """A function of arrays that works element by element."""

    def __init__(self, function: Callable, kwargs: dict[str, Any]):
        self.function, self.kwargs = function, kwargs

    def __call__(self, blocks: list[np.ndarray], where: Call) -> Any:
        return self.function(*blocks, **self.kwargs)


def elementwise(function: Callable, arrays: Sequence[Array], dtype: Any, /,
                **kwargs: Any) -> Array:
    """Apply a function of Python element by element; ``dtype`` is that of the
    result, the function gets all keywords."""
    chunks, reaches = aligned(arrays)
    return layer(Elementwise(function, kwargs), arrays, chunks, reaches, dtype)
