# SPDX-License-Identifier: BSD-3-Clause
"""ncgraph.Array: a lazy, chunked array."""
from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np

from . import _lib
from ._dtypes import canonical, of_code, storage
from ._lib import Handle, ffi, lib
from ._methods import Methods
from ._ops import BUILDERS


class Array(Methods):
    """A lazy array in chunks, computed by ncgraph's engine.

    Arrays come from :func:`ncgraph.from_array`, :func:`ncgraph.open_dataset`,
    creation functions such as :func:`ncgraph.arange`, and operations on other
    arrays. They take part in NumPy's functions and operators; nothing is
    computed before :meth:`compute`, :meth:`persist` or ``numpy.asarray``.

    Attributes
    ----------
    shape, dtype, ndim, size, nbytes
        As those of ``numpy.ndarray``.
    chunks : tuple of tuple of int
        Sizes of the chunks along each axis.
    """

    __slots__ = ("_node", "__weakref__")
    __array_priority__ = 20

    _node: "Node"

    # ---- building -----------------------------------------------------------------

    @classmethod
    def _make(cls, op: str, inputs: Sequence["Array"], params: tuple = (),
              dtype: Any = None) -> "Array":
        """Make an array from a recipe; wrong arguments raise here."""
        return cls._of(Node(op, tuple(i._node for i in inputs), params, dtype))

    @classmethod
    def _of(cls, node: "Node") -> "Array":
        self = object.__new__(cls)
        self._node = node
        return self

    @classmethod
    def _wrap(cls, handle: Handle, dtype: Any = None) -> "Array":
        """Make an array of a handle of this process that has no recipe."""
        return cls._make("handle", (), (Held(handle),), dtype)

    def _handle(self) -> Handle:
        """Return the engine's array, built anew where the engine is another."""
        return self._node.handle()

    def _new(self, op: str, params: tuple = (), dtype: Any = None) -> "Array":
        """Apply an operation of one input; the dtype stays if not given."""
        return Array._make(op, (self,), params,
                           self.dtype if dtype is None else dtype)

    @property
    def _ptr(self) -> Any:
        return self._handle().ptr

    @property
    def _width(self) -> int:
        """Size of the last axis that only the engine sees; 0: there is none."""
        return storage(self.dtype).width

    def __reduce__(self) -> Any:
        from ._recipes import pack
        return pack(self)

    # ---- what it is -------------------------------------------------------------------

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the values."""
        return self._node.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self._node.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one value."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return self.size * self.itemsize

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Sizes of the chunks along each axis."""
        return self._node.chunks

    @property
    def chunksize(self) -> tuple[int, ...]:
        """Size of the largest chunk along each axis."""
        return tuple(max(c) for c in self.chunks)

    @property
    def numblocks(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return tuple(len(c) for c in self.chunks)

    @property
    def npartitions(self) -> int:
        """Number of chunks."""
        return math.prod(self.numblocks)

    @property
    def token(self) -> str:
        """Name of what is computed: equal for equal work."""
        return self._node.token

    @property
    def name(self) -> str:
        """Name of the array's keys in graphs."""
        return self._node.name

    @property
    def _meta(self) -> np.ndarray:
        return np.empty((0,) * self.ndim, dtype=self.dtype)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __hash__(self) -> int:
        return id(self)

    # ---- values ---------------------------------------------------------------------------

    def compute(self, **kwargs: Any) -> Any:
        """Compute the values.

        Parameters
        ----------
        **kwargs
            ``progress=True`` shows a bar; ``scheduler`` names one of dask's,
            which then runs the array's graph.

        Returns
        -------
        numpy.ndarray
        """
        from ._compute import compute
        return compute(self, **kwargs)[0]

    def persist(self, **kwargs: Any) -> "Array":
        """Compute the chunks, keep them in the engine, give the array on them."""
        from ._compute import persist
        return persist(self, **kwargs)[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None
                  ) -> np.ndarray:
        if copy is False:
            raise ValueError("the values of a lazy array are computed: "
                             "copy=False is not possible")
        values = np.asarray(self.compute(),
                            object if self.dtype == object else None)
        return values if dtype is None else values.astype(dtype, copy=False)

    def item(self, *args: Any) -> Any:
        """Compute a value and give it as Python's."""
        return np.asarray(self.compute()).item(*args)

    def tolist(self) -> Any:
        """Compute the values as lists."""
        return np.asarray(self.compute()).tolist()

    def _scalar(self, convert: Any) -> Any:
        if self.size > 1:
            raise TypeError("Only length-1 arrays can be converted "
                            "to Python scalars")
        if self.dtype.kind == "c" and convert is not complex:
            raise TypeError(f"{convert.__name__}() argument must be a real "
                            "number, not 'complex'")
        return convert(self.compute())

    def __bool__(self) -> bool:
        if self.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is "
                "ambiguous. Use a.any() or a.all().")
        return bool(self.compute())

    def __int__(self) -> int:
        return self._scalar(int)

    def __float__(self) -> float:
        return self._scalar(float)

    def __complex__(self) -> complex:
        return self._scalar(complex)

    def __index__(self) -> int:
        return self._scalar(lambda value: value.__index__())

    def __iter__(self) -> Any:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        for i in range(len(self)):
            yield self[i]

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any().compute())


class Node:
    """A recipe: an operation, its inputs and parameters, and what it gives.

    Nodes never change; assigning to a part of an array gives it another node.
    """

    __slots__ = ("op", "inputs", "params", "dtype", "shape", "extra", "built",
                 "stamp", "_chunks", "_token", "__weakref__")

    def __init__(self, op: str, inputs: tuple["Node", ...], params: tuple,
                 dtype: Any = None):
        self.op, self.inputs, self.params = op, inputs, params
        self.built = self.stamp = None
        self.extra = self._chunks = self._token = None
        handle = BUILDERS[op]([i.handle() for i in inputs], *params)
        self.dtype = (of_code(lib.ncg_array_dtype(handle.ptr))
                      if dtype is None else canonical(dtype))
        if _lib.is_inner():
            _inner_handles()[id(self)] = (self, handle)
        else:
            self.built, self.stamp = handle, _lib.stamp()
        rank = lib.ncg_array_rank(handle.ptr)
        shape = tuple(ffi.unpack(lib.ncg_array_shape(handle.ptr), rank)) \
            if rank else ()
        self.shape = shape[:-1] if storage(self.dtype).width else shape

    def handle(self) -> Handle:
        """Return the engine's array, built anew where the engine is another."""
        if _lib.is_inner():
            return _build_inner(self)
        if self.built is None or self.stamp != _lib.stamp():
            _rebuild(self)
        return self.built

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Sizes of the chunks along each axis."""
        if self._chunks is None:
            self._chunks = tuple(_sizes(self.handle(), d) if n else (0,)
                                 for d, n in enumerate(self.shape))
        return self._chunks

    @property
    def token(self) -> str:
        """Name of what is computed: equal for equal work."""
        if self._token is None:
            out = ffi.new("char[33]")
            lib.ncg_array_token(self.handle().ptr, out)
            self._token = ffi.string(out).decode()
        return self._token

    @property
    def kind(self) -> str:
        """The operation, for people; the name of a function of Python."""
        if self.op == "python":
            return self.params[0].label
        return self.params[0] if self.op in ("map", "reduce", "scan") \
            else self.op

    @property
    def name(self) -> str:
        """Name of the keys in graphs."""
        source = self.params[0] if self.op == "fill" else None
        if getattr(source, "key_name", None) and source.chunks == self.chunks:
            return source.key_name  # somebody else's tasks
        if self.op == "same" and self.inputs[0].dtype == self.dtype and \
                self.inputs[0].chunks == self.chunks:
            return self.inputs[0].name
        if self.op in ("memory", "same", "rechunk", "handle"):
            import hashlib  # it loads OpenSSL's library
            # One token may stand for several dtypes and chunks.
            text = repr((self.dtype.str, self.chunks)).encode()
            mark = hashlib.blake2b(text, digest_size=4).hexdigest()
            return f"{self.kind}-{self.token}{mark}"
        return f"{self.kind}-{self.token}"


class Held:
    """A handle as a parameter: something that has no recipe."""

    def __init__(self, handle: Handle):
        self.handle = handle
        self.context = _lib.context()  # it lives as long as what it holds


def _held(inputs: list, held: Held) -> Handle:
    if held.handle.is_stale:
        raise RuntimeError("an array that was persisted belongs to the process "
                           "that did it: persist it again after the fork")
    if held.context is not _lib.context():
        return _moved(held)
    return Handle(lib.ncg_array_retain(held.handle.ptr),
                  lib.ncgpy_release_array)


def _moved(held: Held) -> Handle:
    """The same values and chunks in another engine."""
    ptr = held.handle.ptr
    rank = lib.ncg_array_rank(ptr)
    shape = tuple(ffi.unpack(lib.ncg_array_shape(ptr), rank)) if rank else ()
    values = np.empty(shape, of_code(lib.ncg_array_dtype(ptr)))
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_array_compute(
        ptr, ffi.cast("void *", values.ctypes.data), values.nbytes, err), err)
    copy = BUILDERS["memory"]([], values, None)
    chunks = tuple(_sizes(held.handle, d) for d in range(rank))
    return BUILDERS["rechunk"]([copy], chunks) if values.size else copy


def _sizes(handle: Handle, axis: int) -> tuple[int, ...]:
    out = ffi.new("int64_t **")
    count = ffi.new("size_t *")
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_array_chunks(handle.ptr, axis, out, count, err), err)
    try:
        return tuple(ffi.unpack(out[0], count[0]))
    finally:
        lib.ncg_free(out[0])


BUILDERS["handle"] = _held


# ---- building again ------------------------------------------------------------------------

def order_of(roots: Sequence[Node], known: Any = ()) -> list[Node]:
    """Return nodes and all they are made of, inputs first."""
    out: list[Node] = []
    seen = set(known)
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            out.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(i, False) for i in node.inputs]
    return out


def _rebuild(root: Node) -> None:
    stamp = _lib.stamp()
    for node in order_of([root]):
        if node.built is None or node.stamp != stamp:
            handles = [i.built for i in node.inputs]
            node.built = BUILDERS[node.op](handles, *node.params)
            node.stamp = stamp


def _inner_handles() -> dict[int, Any]:
    """Handles of the engine in which functions inside tasks compute."""
    handles = getattr(_lib._local, "handles", None)
    if handles is None:
        handles = _lib._local.handles = {}
    return handles


def _build_inner(root: Node) -> Handle:
    handles = _inner_handles()
    for node in order_of([root], handles):
        made = BUILDERS[node.op]([handles[id(i)][1] for i in node.inputs],
                                 *node.params)
        handles[id(node)] = (node, made)
    return handles[id(root)][1]
