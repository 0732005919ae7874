# SPDX-License-Identifier: BSD-3-Clause
"""Operations by name: each builds the engine's array from those of its inputs.

An array keeps the name, its inputs and parameters: its recipe, from which the
same array is built again in another process. Parameters are plain values, NumPy
arrays and functions; axes are counted from 0.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from . import _lib
from ._dtypes import native_code, storage, to_storage
from ._lib import Handle, array_handle, ffi, lib

Builder = Callable[..., Handle]
BUILDERS: dict[str, Builder] = {}


def builder(name: str) -> Callable[[Builder], Builder]:
    """Register the builder of an operation."""
    def register(fn: Builder) -> Builder:
        BUILDERS[name] = fn
        return fn
    return register


def ints(values: Any, kind: str = "int64_t[]") -> Any:
    """Return a C array of integers, NULL for none."""
    values = list(values)
    return ffi.new(kind, values) if values else ffi.NULL


def pointers(inputs: list[Handle]) -> Any:
    """Return a C array of array handles."""
    return ffi.new("ncg_array *[]", [h.ptr for h in inputs])


# ---- sources ----------------------------------------------------------------------

_kept: dict[int, Any] = {}


# They may be called when the interpreter ends and modules are empty already:
# what they need they hold themselves.

@ffi.def_extern()
def ncgpy_release_data(data: Any, payload: Any, cast: Any = ffi.cast,
                       pop: Any = _kept.pop) -> None:
    pop(int(cast("intptr_t", payload)), None)


@ffi.def_extern()
def ncgpy_release(payload: Any, cast: Any = ffi.cast,
                  pop: Any = _kept.pop) -> None:
    pop(int(cast("intptr_t", payload)), None)


_next_kept = iter(range(1, 1 << 62))


def keep(value: Any) -> Any:
    """Keep a Python object alive until the engine releases the pointer."""
    number = next(_next_kept)
    _kept[number] = value
    return ffi.cast("void *", number)


def kept(pointer: Any) -> Any:
    """Return the object of a pointer that ``keep`` made."""
    return _kept[int(ffi.cast("intptr_t", pointer))]


def let_go(pointer: Any) -> None:
    """End what ``keep`` began, where the engine does not do it."""
    _kept.pop(int(ffi.cast("intptr_t", pointer)), None)


@builder("memory")
def _memory(inputs: list, values: np.ndarray, step: Any) -> Handle:
    form = storage(values.dtype)
    stored = to_storage(values, _pool_of(values))
    chunks = None if step is None else list(step)
    if chunks is not None and form.width:
        chunks.append(form.width)
    data = ffi.cast("void *", stored.ctypes.data)
    return array_handle(
        lib.ncg_array_from_memory, _lib.context().ptr, form.code, stored.ndim,
        ints(stored.shape), ints(chunks or ()) if chunks else ffi.NULL, data,
        ffi.NULL, lib.ncgpy_release_data, keep((stored, values)))


def _pool_of(values: np.ndarray) -> Any:
    if values.dtype != object:
        return None
    from ._dtypes import Pool
    pool = Pool()
    _source_pools[id(values)] = (pool, values)
    return pool


# Objects of arrays in memory stay in the table as long as this process.
_source_pools: dict[int, Any] = {}


@builder("fill")
def _fill(inputs: list, source: Any, shape: tuple, dtype: np.dtype,
          step: tuple) -> Handle:
    if _lib.is_linked() and 0 not in shape:
        from ._python import remote_source
        made = remote_source(source, shape, dtype, step)
        if made is not None:
            return made
    form = storage(dtype)
    shape, step = list(shape), list(step)
    if form.width:
        shape.append(form.width)
        step.append(form.width)
    name = source.name.encode() if source.name else None
    return array_handle(
        lib.ncg_array_from_callback, _lib.context().ptr,
        ffi.new("char[]", name) if name else ffi.NULL, form.code, len(shape),
        ints(shape), ints(step), ffi.NULL, lib.ncgpy_fill, lib.ncgpy_release,
        keep((source, dtype, form)))


@ffi.def_extern(error=lib.NCG_EKERNEL)
def ncgpy_fill(payload: Any, start: Any, count: Any, out: Any, err: Any) -> int:
    try:
        source, dtype, form = kept(payload)
        rank = source.ndim
        begin = ffi.unpack(start, rank) if rank else []
        size = tuple(ffi.unpack(count, rank)) if rank else ()
        key = tuple(slice(b, b + n) for b, n in zip(begin, size))
        with _lib.inner_engine():
            values = np.asarray(source.read(key))
        if values.shape != size:
            raise ValueError(f"a source gave values of shape {values.shape} "
                             f"where {size} were asked for")
        stored = to_storage(values.astype(dtype, copy=False))
        if stored.size:
            ffi.memmove(out, ffi.from_buffer(np.ascontiguousarray(stored)),
                        stored.nbytes)
        return lib.NCG_OK
    except BaseException as exc:
        return _lib.fail(err, exc)


@builder("full")
def _full(inputs: list, value: bytes, dtype: np.dtype, shape: tuple,
          step: Any) -> Handle:
    return array_handle(
        lib.ncg_array_full, _lib.context().ptr, native_code(dtype), len(shape),
        ints(shape), ints(step) if step else ffi.NULL,
        ffi.from_buffer(value))


@builder("arange")
def _arange(inputs: list, start: float, stop: float, step: float,
            dtype: np.dtype, chunk: int) -> Handle:
    return array_handle(lib.ncg_array_arange, _lib.context().ptr,
                        native_code(dtype), start, stop, step, chunk)


@builder("linspace")
def _linspace(inputs: list, start: float, stop: float, num: int,
              endpoint: bool, dtype: np.dtype, chunk: int) -> Handle:
    return array_handle(lib.ncg_array_linspace, _lib.context().ptr,
                        native_code(dtype), start, stop, num, endpoint, chunk)


@builder("random")
def _random(inputs: list, kind: str, seed: int, dtype: np.dtype, shape: tuple,
            step: tuple) -> Handle:
    kinds = {"uniform": lib.NCG_RANDOM_UNIFORM, "normal": lib.NCG_RANDOM_NORMAL}
    return array_handle(lib.ncg_array_random, _lib.context().ptr, kinds[kind],
                        seed, native_code(dtype), len(shape), ints(shape),
                        ints(step))


@builder("integers")
def _integers(inputs: list, low: int, high: int, seed: int, dtype: np.dtype,
              shape: tuple, step: tuple) -> Handle:
    return array_handle(lib.ncg_array_random_integers, _lib.context().ptr, low,
                        high, seed, native_code(dtype), len(shape),
                        ints(shape), ints(step))


# ---- element by element --------------------------------------------------------------

def cast(handle: Handle, code: int) -> Handle:
    """Return an array in another of the engine's dtypes."""
    if lib.ncg_array_dtype(handle.ptr) == code:
        return handle
    return array_handle(lib.ncg_array_cast, handle.ptr, code)


@builder("map")
def _map(inputs: list, name: str, codes: tuple, out: int) -> Handle:
    inputs = [h if c is None else cast(h, c) for h, c in zip(inputs, codes)]
    made = array_handle(lib.ncg_array_map, name.encode(), pointers(inputs),
                        len(inputs))
    return cast(made, out)


@builder("cast")
def _cast(inputs: list, code: int) -> Handle:
    return cast(inputs[0], code)


@builder("same")
def _same(inputs: list) -> Handle:
    return Handle(lib.ncg_array_retain(inputs[0].ptr), lib.ncgpy_release_array)


# ---- selecting, shape -----------------------------------------------------------------

@builder("index")
def _index(inputs: list, keys: tuple) -> Handle:
    rows = ffi.new("ncg_index[]", max(len(keys), 1))
    alive = []
    kinds = {"slice": lib.NCG_INDEX_SLICE, "at": lib.NCG_INDEX_AT,
             "list": lib.NCG_INDEX_LIST, "new": lib.NCG_INDEX_NEWAXIS}
    for row, key in zip(rows, keys):
        row.kind = kinds[key[0]]
        if key[0] == "slice":
            row.start, row.stop, row.step = key[1:]
        elif key[0] == "at":
            row.start = key[1]
        elif key[0] == "list":
            values = np.ascontiguousarray(key[1], dtype="i8")
            alive.append(values)
            row.list = ffi.cast("int64_t *", values.ctypes.data)
            row.count = values.size
    return array_handle(lib.ncg_array_index, inputs[0].ptr, rows, len(keys),
                        what=IndexError)


@builder("transpose")
def _transpose(inputs: list, order: tuple) -> Handle:
    return array_handle(lib.ncg_array_transpose, inputs[0].ptr,
                        ints(order, "int[]"))


@builder("reshape")
def _reshape(inputs: list, shape: tuple) -> Handle:
    return array_handle(lib.ncg_array_reshape, inputs[0].ptr, len(shape),
                        ints(shape))


@builder("broadcast_to")
def _broadcast_to(inputs: list, shape: tuple) -> Handle:
    return array_handle(lib.ncg_array_broadcast_to, inputs[0].ptr, len(shape),
                        ints(shape))


@builder("concatenate")
def _concatenate(inputs: list, axis: int) -> Handle:
    return array_handle(lib.ncg_array_concatenate, pointers(inputs),
                        len(inputs), axis)


@builder("stack")
def _stack(inputs: list, axis: int) -> Handle:
    return array_handle(lib.ncg_array_stack, pointers(inputs), len(inputs),
                        axis)


@builder("pad")
def _pad(inputs: list, before: tuple, after: tuple, mode: str,
         value: bytes | None) -> Handle:
    return array_handle(
        lib.ncg_array_pad, inputs[0].ptr, ints(before), ints(after),
        mode.encode(), ffi.NULL if value is None else ffi.from_buffer(value))


@builder("roll")
def _roll(inputs: list, shift: int, axis: int) -> Handle:
    return array_handle(lib.ncg_array_roll, inputs[0].ptr, shift, axis)


@builder("flip")
def _flip(inputs: list, axis: int) -> Handle:
    return array_handle(lib.ncg_array_flip, inputs[0].ptr, axis)


@builder("diff")
def _diff(inputs: list, n: int, axis: int) -> Handle:
    return array_handle(lib.ncg_array_diff, inputs[0].ptr, n, axis)


def chunk_rows(chunks: tuple) -> tuple[Any, list]:
    """Return sizes of chunks as the engine takes them, and what they hold."""
    rows = ffi.new("ncg_chunks[]", max(len(chunks), 1))
    alive = []
    for row, sizes in zip(rows, chunks):
        values = ffi.new("int64_t[]", list(sizes))
        alive.append(values)
        row.count, row.sizes = len(sizes), values
    return rows, alive


@builder("rechunk")
def _rechunk(inputs: list, chunks: tuple) -> Handle:
    rows, _alive = chunk_rows(chunks)
    return array_handle(lib.ncg_array_rechunk_to, inputs[0].ptr, rows)


# ---- reducing ---------------------------------------------------------------------------

REDUCTIONS = {
    "mean": lib.NCG_OP_MEAN, "sum": lib.NCG_OP_SUM, "min": lib.NCG_OP_MIN,
    "max": lib.NCG_OP_MAX, "std": lib.NCG_OP_STD, "var": lib.NCG_OP_VAR,
    "count": lib.NCG_OP_COUNT, "any": lib.NCG_OP_ANY, "all": lib.NCG_OP_ALL,
    "first": lib.NCG_OP_FIRST, "last": lib.NCG_OP_LAST,
    "argmin": lib.NCG_OP_ARGMIN, "argmax": lib.NCG_OP_ARGMAX,
    "prod": lib.NCG_OP_PROD, "range": lib.NCG_OP_RANGE,
}


def _how(op: str, skipna: bool, min_count: int, ddof: int,
         keepdims: bool) -> Any:
    how = ffi.new("ncg_reduce_options *", lib.ncgpy_reduce_options())
    how.op = REDUCTIONS[op]
    how.skipna = skipna
    how.min_count = min_count
    how.ddof = ddof
    how.keepdims = keepdims
    return how


@builder("reduce")
def _reduce(inputs: list, op: str, axes: tuple, skipna: bool, min_count: int,
            ddof: int, keepdims: bool, out: int) -> Handle:
    how = _how(op, skipna, min_count, ddof, keepdims)
    made = array_handle(lib.ncg_array_reduce, inputs[0].ptr,
                        ints(axes, "int[]"), len(axes), how)
    return cast(made, out)


@builder("weighted")
def _weighted(inputs: list, op: str, axes: tuple, skipna: bool,
              keepdims: bool, out: int) -> Handle:
    how = _how(op, skipna, 0 if op == "sum" else 1, 0, keepdims)
    made = array_handle(lib.ncg_array_weighted, inputs[0].ptr, inputs[1].ptr,
                        ints(axes, "int[]"), len(axes), how)
    return cast(made, out)


@builder("groupby")
def _groupby(inputs: list, op: str, axis: int, labels: np.ndarray,
             ngroups: int, skipna: bool, min_count: int, ddof: int,
             out: int) -> Handle:
    how = _how(op, skipna, min_count, ddof, False)
    values = np.ascontiguousarray(labels, dtype="i4")
    made = array_handle(
        lib.ncg_array_groupby, inputs[0].ptr, ffi.NULL, axis,
        ffi.cast("int32_t *", values.ctypes.data), ngroups, how)
    return cast(made, out)


@builder("quantile")
def _quantile(inputs: list, q: tuple, axes: tuple, method: str, skipna: bool,
              keepdims: bool, out: int) -> Handle:
    how = ffi.new("ncg_quantile_options *", lib.ncgpy_quantile_options())
    name = ffi.new("char[]", method.encode())
    how.method, how.skipna, how.keepdims = name, skipna, keepdims
    made = array_handle(lib.ncg_array_quantile, inputs[0].ptr,
                        ffi.new("double[]", list(q)), len(q),
                        ints(axes, "int[]"), len(axes), how)
    return cast(made, out)


@builder("median")
def _median(inputs: list, axes: tuple, skipna: bool, keepdims: bool,
            out: int) -> Handle:
    how = ffi.new("ncg_quantile_options *", lib.ncgpy_quantile_options())
    how.skipna, how.keepdims = skipna, keepdims
    made = array_handle(lib.ncg_array_median, inputs[0].ptr,
                        ints(axes, "int[]"), len(axes), how)
    return cast(made, out)


# ---- along an axis, products ------------------------------------------------------------

SCANS = {"sum": lib.NCG_SCAN_SUM, "prod": lib.NCG_SCAN_PROD,
         "min": lib.NCG_SCAN_MIN, "max": lib.NCG_SCAN_MAX,
         "ffill": lib.NCG_SCAN_FFILL, "bfill": lib.NCG_SCAN_BFILL}


@builder("scan")
def _scan(inputs: list, scan: str, axis: int, skipna: bool, limit: int,
          out: int) -> Handle:
    made = array_handle(lib.ncg_array_scan, inputs[0].ptr, SCANS[scan], axis,
                        skipna, limit)
    return cast(made, out)


@builder("sort")
def _sort(inputs: list, axis: int) -> Handle:
    return array_handle(lib.ncg_array_sort, inputs[0].ptr, axis)


def _window_options(op: str, min_count: int, ddof: int, center: bool) -> Any:
    how = ffi.new("ncg_window_options *", lib.ncgpy_window_options())
    how.op, how.min_count, how.ddof = REDUCTIONS[op], min_count, ddof
    how.center = center
    return how


@builder("rolling")
def _rolling(inputs: list, op: str, axis: int, window: int, min_count: int,
             ddof: int, center: bool, out: int) -> Handle:
    how = _window_options(op, min_count, ddof, center)
    made = array_handle(lib.ncg_array_rolling, inputs[0].ptr, axis, window,
                        how)
    return cast(made, out)


@builder("matmul")
def _matmul(inputs: list, codes: tuple, out: int) -> Handle:
    a, b = (cast(h, c) for h, c in zip(inputs, codes))
    return cast(array_handle(lib.ncg_array_matmul, a.ptr, b.ptr), out)


@builder("tensordot")
def _tensordot(inputs: list, axes_a: tuple, axes_b: tuple, codes: tuple,
               out: int) -> Handle:
    a, b = (cast(h, c) for h, c in zip(inputs, codes))
    made = array_handle(lib.ncg_array_tensordot, a.ptr, b.ptr,
                        ints(axes_a, "int[]"), ints(axes_b, "int[]"),
                        len(axes_a))
    return cast(made, out)


# ---- variables of files -------------------------------------------------------------------

@builder("variable")
def _variable(inputs: list, opened: Any, name: str) -> Handle:
    return opened.array(name)
