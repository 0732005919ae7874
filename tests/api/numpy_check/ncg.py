# SPDX-License-Identifier: BSD-3-Clause
"""libncgraph.so through ctypes, as far as the property tests need it.

NCG_LIBRARY names the library. Every call that fails raises Error with the
status and the message. Handles are released with their objects.
"""
import ctypes as C
import os
import re
import weakref

import numpy as np

MAX_RANK = 16
OMIT = -2**63

DTYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "i8": 7,
          "u8": 8, "f4": 9, "f8": 10, "bool": 11}
NAMES = {number: name for name, number in DTYPES.items()}

OPS = ["mean", "sum", "min", "max", "range", "std", "var", "count", "any",
       "all", "first", "last", "argmin", "argmax", "prod"]
SCANS = ["sum", "prod", "min", "max", "ffill", "bfill"]


class Error(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class CError(C.Structure):
    _fields_ = [("status", C.c_int), ("sys", C.c_int), ("rank", C.c_int),
                ("message", C.c_char * 500)]


class ContextOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("threads", C.c_int),
                ("memory_limit", C.c_int64), ("progress", C.c_void_p),
                ("progress_payload", C.c_void_p), ("note", C.c_void_p),
                ("note_payload", C.c_void_p), ("no_checksum", C.c_bool),
                ("force_library", C.c_bool), ("room", C.c_char * 256)]


class Stats(C.Structure):
    _fields_ = [("struct_size", C.c_size_t)] + [
        (name, C.c_int64) for name in (
            "headers_direct", "headers_library", "chunks_direct",
            "chunks_library", "bytes_disk", "bytes_decoded", "files", "tasks",
            "peak_memory", "bytes_written")]


class ReduceOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("op", C.c_int),
                ("dims", C.c_char_p), ("by", C.c_char_p),
                ("weights", C.c_char_p), ("skipna", C.c_bool),
                ("min_count", C.c_int64), ("ddof", C.c_int),
                ("keepdims", C.c_bool), ("stamp", C.c_int),
                ("room", C.c_char * 64)]


class QuantileOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("method", C.c_char_p),
                ("skipna", C.c_bool), ("keepdims", C.c_bool)]


class WindowOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("op", C.c_int),
                ("min_count", C.c_int64), ("ddof", C.c_int),
                ("center", C.c_bool), ("skipna", C.c_bool),
                ("boundary", C.c_char_p)]


class Index(C.Structure):
    _fields_ = [("kind", C.c_int), ("start", C.c_int64), ("stop", C.c_int64),
                ("step", C.c_int64), ("list", C.POINTER(C.c_int64)),
                ("mask", C.POINTER(C.c_bool)), ("count", C.c_size_t)]


class Chunks(C.Structure):
    _fields_ = [("count", C.c_size_t), ("sizes", C.POINTER(C.c_int64))]


class Chunk(C.Structure):
    _fields_ = [("dtype", C.c_int), ("rank", C.c_int),
                ("start", C.c_int64 * MAX_RANK),
                ("count", C.c_int64 * MAX_RANK),
                ("shape", C.c_int64 * MAX_RANK), ("data", C.c_void_p),
                ("has_missing", C.c_bool), ("missing", C.c_uint8 * 8)]

    def array(self):
        """The values, without a copy."""
        shape = tuple(self.count[:self.rank])
        dtype = np.dtype(NAMES[self.dtype])
        if 0 in shape:
            return np.empty(shape, dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        memory = (C.c_uint8 * size).from_address(self.data)
        return np.frombuffer(memory, dtype).reshape(shape)


class KernelCall(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("inputs", C.POINTER(Chunk)),
                ("ninputs", C.c_size_t), ("output", C.POINTER(Chunk)),
                ("params", C.c_void_p), ("nparams", C.c_size_t),
                ("index", C.POINTER(C.c_int64)), ("threads", C.c_int),
                ("payload", C.c_void_p)]


class BlockOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("params", C.c_char_p),
                ("nparams", C.c_size_t), ("dtype", C.c_int),
                ("missing", C.c_void_p), ("name", C.c_char_p)]


class Reach(C.Structure):
    _fields_ = [("axis", C.c_int), ("mul", C.c_int64), ("div", C.c_int64),
                ("before", C.c_int64), ("after", C.c_int64),
                ("low", C.POINTER(C.c_int64)), ("high", C.POINTER(C.c_int64))]


class ReductionOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("chunk", C.c_char_p),
                ("combine", C.c_char_p), ("finish", C.c_char_p),
                ("state", C.c_int), ("length", C.c_int64), ("dtype", C.c_int),
                ("params", C.c_char_p), ("nparams", C.c_size_t),
                ("keepdims", C.c_bool)]


KERNEL = C.CFUNCTYPE(C.c_int, C.POINTER(KernelCall), C.POINTER(CError))
FILL = C.CFUNCTYPE(C.c_int, C.c_void_p, C.POINTER(C.c_int64),
                   C.POINTER(C.c_int64), C.c_void_p, C.POINTER(CError))
RELEASE = C.CFUNCTYPE(None, C.c_void_p, C.c_void_p)
CHUNK_FN = C.CFUNCTYPE(C.c_int, C.POINTER(Chunk), C.c_void_p,
                       C.POINTER(CError))

lib = C.CDLL(os.environ["NCG_LIBRARY"])
lib.ncg_status_name.restype = C.c_char_p
lib.ncg_map_op_name.restype = C.c_char_p
lib.ncg_map_op_name.argtypes = [C.c_size_t]
lib.ncg_map_op_inputs.argtypes = [C.c_size_t]
lib.ncg_map_op_count.restype = C.c_size_t
lib.ncg_array_shape.restype = C.POINTER(C.c_int64)
lib.ncg_array_size.restype = C.c_int64
lib.ncg_array_missing.restype = C.c_bool
for getter in ("dtype", "rank", "shape", "size"):
    getattr(lib, "ncg_array_" + getter).argtypes = [C.c_void_p]
lib.ncg_array_missing.argtypes = [C.c_void_p, C.c_void_p]
lib.ncg_free.argtypes = [C.c_void_p]


def call(function, *args):
    err = CError()
    status = getattr(lib, function)(*args, C.byref(err))
    if status:
        raise Error(lib.ncg_status_name(status).decode(),
                    err.message.decode(errors="replace"))


def int64s(values):
    return (C.c_int64 * max(1, len(values)))(*values)


def ints(values):
    return (C.c_int * max(1, len(values)))(*values)


def handles(arrays):
    return (C.c_void_p * max(1, len(arrays)))(*[a.handle for a in arrays])


def sized(cls, **fields):
    options = cls(**fields)
    options.struct_size = C.sizeof(cls)
    return options


def chunk_lists(chunks):
    kept = [int64s(sizes) for sizes in chunks]
    out = (Chunks * max(1, len(chunks)))()
    for i, sizes in enumerate(chunks):
        out[i] = Chunks(len(sizes), C.cast(kept[i], C.POINTER(C.c_int64)))
    return out, kept


def release_context(pointer):
    lib.ncg_context_destroy(C.byref(C.c_void_p(pointer)))


def release_array(pointer):
    lib.ncg_array_release(C.byref(C.c_void_p(pointer)))


class Context:
    def __init__(self, threads=0, memory=0):
        out = C.c_void_p()
        options = sized(ContextOptions, threads=threads, memory_limit=memory)
        call("ncg_context_create", C.byref(options), C.byref(out))
        self.handle = out.value
        self.threads = threads
        self.kernels = []
        weakref.finalize(self, release_context, self.handle)

    def peak(self):
        """Bytes that the engine managed at once, at most."""
        stats = sized(Stats)
        lib.ncg_context_stats(C.c_void_p(self.handle), C.byref(stats))
        return stats.peak_memory

    def array(self, values, chunks=None, missing=None):
        """A copy of a NumPy array; `chunks`: one size an axis, or None."""
        values = np.ascontiguousarray(values).reshape(np.shape(values))
        out = C.c_void_p()
        if missing is not None:
            missing = np.array(missing, values.dtype)
        call("ncg_array_from_memory", C.c_void_p(self.handle),
             DTYPES[dtype_name(values.dtype)], values.ndim,
             int64s(values.shape), int64s(chunks) if chunks else None,
             C.c_void_p(values.ctypes.data),
             C.c_void_p(missing.ctypes.data) if missing is not None else None,
             None, None, C.byref(out))
        return Array(self, out.value)

    def register(self, name, function):
        """function(inputs, output, call): chunks, whose array() are values."""
        def kernel(call_, err):
            try:
                it = call_.contents
                function([it.inputs[i] for i in range(it.ninputs)],
                         it.output.contents, it)
                return 0
            except Exception as error:  # noqa: BLE001
                err.contents.message = repr(error).encode()[:499]
                return 13

        pointer = KERNEL(kernel)
        self.kernels.append(pointer)
        call("ncg_kernel_register", C.c_void_p(self.handle), name.encode(),
             pointer, None)


def within_least(work, context):
    """work(context) within the least memory that the library says it needs,
    with chunks on disk where they do not fit; `context` has a limit of one
    byte. How arrays are made may follow the limit, so what they need is asked
    again."""
    limit = 1
    for _ in range(8):
        try:
            result = work(context)
        except Error as error:
            need = re.search(r"at least .* \((\d+) bytes\), the limit",
                             error.message)
            if error.status != "EBUDGET" or not need or int(need[1]) <= limit:
                raise
            limit = int(need[1])
            context = Context(2, limit)
            continue
        if limit > 1 and context.peak() > limit:
            raise AssertionError(f"{context.peak()} bytes were in use, the "
                                 f"limit was {limit}")
        return result
    raise AssertionError(f"no end of the memory that it needs: {limit}")


def dtype_name(dtype):
    dtype = np.dtype(dtype)
    return "bool" if dtype == np.bool_ else dtype.str[1:]


class Array:
    def __init__(self, context, handle):
        self.context = context
        self.handle = handle
        weakref.finalize(self, release_array, handle)

    dtype = property(lambda self: np.dtype(
        NAMES[lib.ncg_array_dtype(self.handle)]))
    shape = property(lambda self: tuple(lib.ncg_array_shape(self.handle)[
        :lib.ncg_array_rank(self.handle)]))

    def missing(self):
        value = np.zeros(1, self.dtype)
        has = lib.ncg_array_missing(self.handle, value.ctypes.data)
        return value if has else None

    def chunks(self):
        lists = []
        for axis in range(len(self.shape)):
            sizes, n = C.POINTER(C.c_int64)(), C.c_size_t()
            call("ncg_array_chunks", C.c_void_p(self.handle), axis,
                 C.byref(sizes), C.byref(n))
            lists.append(tuple(sizes[:n.value]))
            lib.ncg_free(sizes)
        return tuple(lists)

    def compute(self):
        out = np.empty(self.shape, self.dtype)
        call("ncg_array_compute", C.c_void_p(self.handle),
             C.c_void_p(out.ctypes.data), C.c_size_t(out.nbytes))
        return out

    def each_chunk(self, function):
        def receive(chunk, _payload, err):
            try:
                function(chunk.contents)
                return 0
            except Exception as error:  # noqa: BLE001
                err.contents.message = repr(error).encode()[:499]
                return 13

        call("ncg_array_each_chunk", C.c_void_p(self.handle),
             CHUNK_FN(receive), None)

    def apply(self, function, *args):
        """One of the functions that make an array of this one."""
        out = C.c_void_p()
        call("ncg_array_" + function, C.c_void_p(self.handle), *args,
             C.byref(out))
        return Array(self.context, out.value)

    def cast(self, dtype):
        return self.apply("cast", DTYPES[dtype_name(dtype)])

    def clip(self, low, high):
        return self.apply("clip", C.c_void_p(low and low.handle),
                          C.c_void_p(high and high.handle))

    def slice(self, axis, start, stop, step):
        return self.apply("slice", axis, C.c_int64(start), C.c_int64(stop),
                          C.c_int64(step))

    def index(self, *what):
        """Slices, ints, lists of ints, boolean arrays, None."""
        out, kept = (Index * max(1, len(what)))(), []
        for i, item in enumerate(what):
            out[i] = index_of(item, kept)
        return self.apply("index", out, C.c_size_t(len(what)))

    def transpose(self, order=None):
        return self.apply("transpose", ints(order) if order is not None
                          else None)

    def reshape(self, shape):
        return self.apply("reshape", len(shape), int64s(shape))

    def broadcast_to(self, shape):
        return self.apply("broadcast_to", len(shape), int64s(shape))

    def pad(self, width, mode, value=None):
        if value is not None:
            value = np.array(value, self.dtype)
        return self.apply("pad", int64s([w[0] for w in width]),
                          int64s([w[1] for w in width]), mode.encode(),
                          C.c_void_p(value.ctypes.data)
                          if value is not None else None)

    def roll(self, shift, axis):
        return self.apply("roll", C.c_int64(shift), axis)

    def flip(self, axis):
        return self.apply("flip", axis)

    def diff(self, n, axis):
        return self.apply("diff", n, axis)

    def rechunk(self, chunk):
        return self.apply("rechunk", int64s(chunk))

    def rechunk_to(self, chunks):
        lists, _kept = chunk_lists(chunks)
        return self.apply("rechunk_to", lists)

    def reduce(self, op, axes=(), weights=None, **options):
        how = reduce_options(op, **options)
        if weights is not None:
            return self.apply("weighted", C.c_void_p(weights.handle),
                              ints(axes), C.c_size_t(len(axes)),
                              C.byref(how))
        return self.apply("reduce", ints(axes), C.c_size_t(len(axes)),
                          C.byref(how))

    def groupby(self, op, axis, labels, ngroups, weights=None, **options):
        how = reduce_options(op, **options)
        return self.apply("groupby",
                          C.c_void_p(weights and weights.handle), axis,
                          (C.c_int32 * len(labels))(*labels), ngroups,
                          C.byref(how))

    def quantile(self, q, axes=(), method=None, skipna=True, keepdims=False):
        how = sized(QuantileOptions, method=method and method.encode(),
                    skipna=skipna, keepdims=keepdims)
        return self.apply("quantile", (C.c_double * len(q))(*q),
                          C.c_size_t(len(q)), ints(axes),
                          C.c_size_t(len(axes)), C.byref(how))

    def median(self, axes=(), skipna=True, keepdims=False):
        how = sized(QuantileOptions, skipna=skipna, keepdims=keepdims)
        return self.apply("median", ints(axes), C.c_size_t(len(axes)),
                          C.byref(how))

    def quantile_by(self, axis, labels, ngroups, q, method=None, skipna=True):
        how = sized(QuantileOptions, method=method and method.encode(),
                    skipna=skipna)
        return self.apply("quantile_by", axis,
                          (C.c_int32 * len(labels))(*labels), ngroups,
                          (C.c_double * len(q))(*q), C.c_size_t(len(q)),
                          C.byref(how))

    def scan(self, scan, axis, skipna=True, limit=0):
        return self.apply("scan", SCANS.index(scan), axis, C.c_bool(skipna),
                          C.c_int64(limit))

    def sort(self, axis):
        return self.apply("sort", axis)

    def rolling(self, op, axis, window, min_count=0, center=False, ddof=0):
        how = sized(WindowOptions, op=OPS.index(op), min_count=min_count,
                    center=center, ddof=ddof, skipna=True)
        return self.apply("rolling", axis, C.c_int64(window), C.byref(how))

    def coarsen(self, op, factor, boundary="exact", skipna=True, ddof=0):
        how = sized(WindowOptions, op=OPS.index(op), ddof=ddof, skipna=skipna,
                    boundary=boundary.encode())
        return self.apply("coarsen", int64s(factor), C.byref(how))

    def matmul(self, other):
        return self.apply("matmul", C.c_void_p(other.handle))

    def tensordot(self, other, axes):
        return self.apply("tensordot", C.c_void_p(other.handle),
                          ints(axes[0]), ints(axes[1]),
                          C.c_size_t(len(axes[0])))

    def map_overlap(self, kernel, depth, boundary, dtype=None, params=None):
        how = block_options(dtype, params)
        out = C.c_void_p()
        call("ncg_array_map_overlap", kernel.encode(),
             C.c_void_p(self.handle), int64s(depth), boundary.encode(),
             C.byref(how), C.byref(out))
        return Array(self.context, out.value)

    def reduction(self, axes, chunk, combine, finish=None, state="f8",
                  length=1, dtype=None, keepdims=False):
        how = sized(ReductionOptions, chunk=chunk.encode(),
                    combine=combine.encode(),
                    finish=finish and finish.encode(), state=DTYPES[state],
                    length=length, dtype=DTYPES[dtype] if dtype else 0,
                    keepdims=keepdims)
        return self.apply("reduction", ints(axes), C.c_size_t(len(axes)),
                          C.byref(how))


def index_of(item, kept):
    if item is None:
        return Index(kind=4)
    if isinstance(item, slice):
        return Index(kind=0, start=OMIT if item.start is None else item.start,
                     stop=OMIT if item.stop is None else item.stop,
                     step=OMIT if item.step is None else item.step)
    if isinstance(item, (int, np.integer)):
        return Index(kind=1, start=int(item))
    item = np.asarray(item)
    kept.append(np.ascontiguousarray(
        item, bool if item.dtype == bool else np.int64))
    pointer = kept[-1].ctypes.data
    if item.dtype == bool:
        return Index(kind=3, mask=C.cast(pointer, C.POINTER(C.c_bool)),
                     count=item.size)
    return Index(kind=2, list=C.cast(pointer, C.POINTER(C.c_int64)),
                 count=item.size)


def reduce_options(op, skipna=True, min_count=1, ddof=0, keepdims=False):
    return sized(ReduceOptions, op=OPS.index(op), skipna=skipna,
                 min_count=min_count, ddof=ddof, keepdims=keepdims)


def block_options(dtype, params=None):
    return sized(BlockOptions, dtype=DTYPES[dtype] if dtype else 0,
                 params=params, nparams=len(params) if params else 0)


def apply_all(function, arrays, *args):
    """The functions that take a list of arrays."""
    out = C.c_void_p()
    call("ncg_array_" + function, handles(arrays), C.c_size_t(len(arrays)),
         *args, C.byref(out))
    return Array(arrays[0].context, out.value)


def concatenate(arrays, axis):
    return apply_all("concatenate", arrays, axis)


def stack(arrays, axis):
    return apply_all("stack", arrays, axis)


def map_(op, *arrays):
    out = C.c_void_p()
    call("ncg_array_map", op.encode(), handles(arrays),
         C.c_size_t(len(arrays)), C.byref(out))
    return Array(arrays[0].context, out.value)


def map_blocks(kernel, arrays, dtype=None, params=None):
    how = block_options(dtype, params)
    out = C.c_void_p()
    call("ncg_array_map_blocks", kernel.encode(), handles(arrays),
         C.c_size_t(len(arrays)), C.byref(how), C.byref(out))
    return Array(arrays[0].context, out.value)


def blockwise(kernel, chunks, arrays, reach=None, dtype=None):
    """reach: one list for each input, of Reach, or None."""
    how = block_options(dtype)
    out = C.c_void_p()
    lists, _kept = chunk_lists(chunks)
    pointers = None
    if reach is not None:
        tables = [(Reach * max(1, len(r)))(*r) if r is not None else None
                  for r in reach]
        pointers = (C.c_void_p * len(reach))(
            *[C.addressof(t) if t is not None else None for t in tables])
    call("ncg_array_blockwise", kernel.encode(), len(chunks), lists,
         handles(arrays), pointers, C.c_size_t(len(arrays)), C.byref(how),
         C.byref(out))
    return Array(arrays[0].context, out.value)


MAP_OPS = {lib.ncg_map_op_name(i).decode(): lib.ncg_map_op_inputs(i)
           for i in range(lib.ncg_map_op_count())}


# ---- sources -----------------------------------------------------------------

def source(function, context, *args):
    out = C.c_void_p()
    call("ncg_array_" + function, C.c_void_p(context.handle), *args,
         C.byref(out))
    return Array(context, out.value)


def shaped(shape, chunks):
    return len(shape), int64s(shape), int64s(chunks) if chunks else None


def full(context, shape, value, chunks=None):
    value = np.asarray(value)
    return source("full", context, DTYPES[dtype_name(value.dtype)],
                  *shaped(shape, chunks), C.c_void_p(value.ctypes.data))


def arange(context, dtype, start, stop, step, chunk=0):
    return source("arange", context, DTYPES[dtype_name(dtype)],
                  C.c_double(start), C.c_double(stop), C.c_double(step),
                  C.c_int64(chunk))


def linspace(context, dtype, start, stop, count, endpoint, chunk=0):
    return source("linspace", context, DTYPES[dtype_name(dtype)],
                  C.c_double(start), C.c_double(stop), C.c_int64(count),
                  C.c_bool(endpoint), C.c_int64(chunk))


def random(context, kind, seed, dtype, shape, chunks=None):
    return source("random", context, ["uniform", "normal"].index(kind),
                  C.c_uint64(seed), DTYPES[dtype_name(dtype)],
                  *shaped(shape, chunks))


def random_integers(context, low, high, seed, dtype, shape, chunks=None):
    return source("random_integers", context, C.c_int64(low), C.c_int64(high),
                  C.c_uint64(seed), DTYPES[dtype_name(dtype)],
                  *shaped(shape, chunks))


def pointer_to(value, dtype):
    """One value in memory; None stays None."""
    return None if value is None else np.array([value], dtype)


def from_callback(context, function, dtype, shape, chunks, missing=None):
    """function(start, count, out) fills out."""
    def fill(_payload, start, count, out, err):
        try:
            counts = [count[d] for d in range(len(shape))]
            size = int(np.prod(counts, dtype=np.int64)) * dtype.itemsize
            memory = (C.c_uint8 * size).from_address(out)
            function([start[d] for d in range(len(shape))], counts,
                     np.frombuffer(memory, dtype).reshape(counts))
            return 0
        except Exception as error:  # noqa: BLE001
            err.contents.message = repr(error).encode()[:499]
            return 13

    pointer, marker = FILL(fill), pointer_to(missing, dtype)
    context.kernels.append(pointer)
    return source("from_callback", context, None, DTYPES[dtype_name(dtype)],
                  *shaped(shape, chunks),
                  C.c_void_p(marker.ctypes.data) if marker is not None
                  else None, pointer, None, None)


def borrow(context, values, chunks, missing, released):
    """An array of the values where they lie; `released` gets an entry when the
    library has let go of them."""
    values = np.ascontiguousarray(values)

    def release(_data, _payload):
        released.append(values.shape)

    pointer, marker = RELEASE(release), pointer_to(missing, values.dtype)
    context.kernels.append(pointer)
    return source("from_memory", context, DTYPES[dtype_name(values.dtype)],
                  *shaped(values.shape, chunks),
                  C.c_void_p(values.ctypes.data),
                  C.c_void_p(marker.ctypes.data) if marker is not None
                  else None, pointer, None)
