# SPDX-License-Identifier: BSD-3-Clause
"""Writing arrays into things that take values for slices."""
from __future__ import annotations

import contextlib
import hashlib
from typing import Any, Sequence

import numpy as np

from . import _lib
from ._array import Array
from ._creation import asarray
from ._dtypes import from_storage, of_code
from ._lib import ffi, lib
from ._ops import keep, kept, let_go

# Results up to so many bytes are computed together, in one run.
TOGETHER = 256 << 20


@ffi.def_extern(error=lib.NCG_EKERNEL)
def ncgpy_chunk(chunk: Any, payload: Any, err: Any) -> int:
    try:
        kept(payload).put(chunk)
        return lib.NCG_OK
    except BaseException as exc:
        return _lib.fail(err, exc)


class Target:
    """Something that takes the chunks of an array."""

    def __init__(self, array: Array, target: Any, lock: Any, region: Any):
        self.array, self.target = array, target
        self.lock = _held(lock)
        self.region = region

    def put(self, chunk: Any) -> None:
        """Write one chunk that the engine gives."""
        shape = tuple(chunk.count[0:chunk.rank])
        dtype = of_code(chunk.dtype)
        nbytes = int(np.prod(shape, dtype="i8")) * dtype.itemsize
        if not nbytes:
            return
        values = np.frombuffer(ffi.buffer(chunk.data, nbytes), dtype)
        values = from_storage(values.reshape(shape), self.array.dtype)
        start = chunk.start[0:self.array.ndim]
        self.write(tuple(slice(s, s + n) for s, n in
                         zip(start, values.shape)), values)

    def write(self, key: tuple[slice, ...], values: np.ndarray) -> None:
        """Write values to a part of the target."""
        with self.lock:
            self.target[_inside(self.region, key)] = values

    def run(self) -> None:
        """Compute the array chunk by chunk and write each."""
        _lib.count_run()
        err = ffi.new("ncg_error *")
        payload = keep(self)
        try:
            from ._compute import noted
            from ._dtypes import object_pool
            with object_pool(), noted([self.array]):
                _lib.check(lib.ncg_array_each_chunk(
                    self.array._ptr, lib.ncgpy_chunk, payload, err), err)
        finally:
            let_go(payload)


class Acquired:
    """A lock that has nothing but acquire and release, for ``with``."""

    def __init__(self, lock: Any):
        self.lock = lock

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *exc: Any) -> None:
        self.lock.release()


def _held(lock: Any) -> Any:
    """Something for ``with`` of what a user calls a lock."""
    if not lock:
        return contextlib.nullcontext()
    return lock if hasattr(lock, "__enter__") else Acquired(lock)


def _new_lock(is_here: bool) -> Any:
    """A lock; one that can be pickled where others may run the tasks."""
    if not is_here:
        with contextlib.suppress(ImportError):
            from dask.utils import SerializableLock
            return SerializableLock()
    import threading
    return threading.Lock()


class WriteChunk:
    """Writes a chunk into a target; gives the chunk, or nothing of interest."""

    def __init__(self, target: Any, lock: Any, region: Any, gives_chunk: bool):
        self.target, self.lock, self.region = target, lock, region
        self.gives_chunk = gives_chunk

    def __call__(self, blocks: list, where: Any) -> Any:
        place = where.inputs[0]
        key = tuple(slice(s, s + n) for s, n in zip(place.start, place.shape))
        with self.lock:
            self.target[_inside(self.region, key)] = blocks[0]
        return blocks[0] if self.gives_chunk else \
            np.zeros((1,) * blocks[0].ndim, "?")


def _later(row: "Target", gives_chunk: bool) -> Array:
    """An array whose chunks, when they are computed, are written."""
    from ._python import Reach, layer
    from ._reduce import _bounds
    a = row.array
    if not a.size:
        return a
    call = WriteChunk(row.target, row.lock, row.region, gives_chunk)
    sizes = a.chunks if gives_chunk else tuple((1,) * len(c) for c in a.chunks)
    reach = [Reach(d, *_bounds(c)) for d, c in enumerate(a.chunks)]
    # Two targets of equal values are two targets; the layer keeps them alive.
    name = repr((a.token, id(row.target), row.region, gives_chunk)).encode()
    return layer(call, [a], sizes, [reach], a.dtype if gives_chunk else "?",
                 token=hashlib.blake2b(name, digest_size=16).digest())


def _inside(region: Any, key: tuple[slice, ...]) -> tuple:
    """Positions of the target for positions inside a region of it."""
    if region is None:
        return key
    region = region if isinstance(region, tuple) else (region,)
    out, rest = [], iter(key)
    for r in region:
        if isinstance(r, (int, np.integer)):
            out.append(r)
            continue
        k = next(rest)
        if not isinstance(r, slice):
            out.append(np.asarray(r)[k])
            continue
        first, step = r.start or 0, r.step or 1
        out.append(slice(first + k.start * step,
                         first + (k.stop - 1) * step + 1, r.step))
    return tuple(out) + tuple(rest)


def store(sources: Any, targets: Any, lock: Any = True, regions: Any = None,
          compute: bool = True, return_stored: bool = False,
          load_stored: Any = None, flush: bool = False,
          **kwargs: Any) -> Any:
    """Compute arrays and write them.

    Parameters
    ----------
    sources : Array or sequence of Array
    targets : array_like or sequence of array_like
        Take values by ``target[slices] = values``.
    lock : bool or lock
        Held while values are written; True: one for all.
    regions : tuple of slice, or sequence of them, optional
        Where in the targets.
    compute : bool
        Whether to do it now; otherwise arrays are returned whose chunks are
        written when they are computed, each by a task of its own.
    return_stored : bool
        Whether arrays that read the targets are returned.
    """
    is_one = isinstance(sources, Array)
    sources = [sources] if isinstance(sources, Array) else list(sources)
    if not all(isinstance(s, Array) for s in sources):
        if any(not hasattr(s, "chunks") for s in sources):
            raise ValueError("All sources must be chunked arrays")
        sources = [asarray(s) for s in sources]
    targets = list(targets) if isinstance(targets, (list, tuple)) \
        else [targets]
    if len(sources) != len(targets):
        raise ValueError(f"Different number of sources [{len(sources)}] and "
                         f"targets [{len(targets)}]")
    if regions is None or isinstance(regions, tuple):
        regions = [regions] * len(sources)
    if len(regions) != len(sources):
        raise ValueError(f"Different number of sources [{len(sources)}] and "
                         f"regions [{len(regions)}]")
    if lock is True:
        lock = _new_lock(compute)
    rows = [Target(s, t, lock, r)
            for s, t, r in zip(sources, targets, regions)]
    if not compute:
        made = tuple(_later(r, return_stored) for r in rows)
    elif not return_stored:
        _write(rows)
        return None
    else:
        _write(rows)
        from ._creation import from_array
        made = tuple(from_array(t, s.chunks) if r is None else
                     from_array(t[r], s.chunks)
                     for s, t, r in zip(sources, targets, regions))
    return made[0] if is_one else made


def _write(rows: Sequence[Target]) -> None:
    rows = [r for r in rows if r.array.size]
    if sum(r.array.nbytes for r in rows) <= TOGETHER:
        from ._compute import run
        made = run([r.array for r in rows])
        for row, values in zip(rows, made):
            row.write(tuple(slice(0, n) for n in values.shape), values)
        return
    for row in rows:
        row.run()
