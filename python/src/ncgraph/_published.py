# SPDX-License-Identifier: BSD-3-Clause
"""Named data sets that outlive the client that published them.

The cluster keeps arrays, and a note of ours beside them: a pickle of what was
published, in which arrays that were persisted are numbers. Their chunks stay on
the workers; what is lazy goes as its recipe.
"""
from __future__ import annotations

import io
import pickle
from typing import Any

from . import _lib
from ._array import Array, Held, order_of
from ._lib import Handle, ffi, lib
from ._recipes import dumps

_MAGIC = b"org.ncgraph.python.published/1\0"


class _Pickler(pickle.Pickler):
    """Gives arrays with persisted chunks numbers and keeps them aside."""

    def __init__(self, file: Any):
        super().__init__(file, protocol=5)
        self.arrays: list[Array] = []

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Array) or not _is_kept(value):
            return None
        self.arrays.append(value)
        return len(self.arrays) - 1, value.dtype

    def reducer_override(self, value: Any) -> Any:
        """Functions of the program itself go by cloudpickle."""
        import types
        if isinstance(value, types.FunctionType) and \
                value.__module__ == "__main__":
            return pickle.loads, (dumps(value),)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, handles: list[Handle]):
        super().__init__(io.BytesIO(data))
        self._handles = handles

    def persistent_load(self, pid: Any) -> Array:
        number, dtype = pid
        return Array._wrap(self._handles[number], dtype)


def _is_kept(array: Array) -> bool:
    return any(isinstance(p, Held) for node in order_of([array._node])
               for p in node.params)


class Published:
    """Methods of :class:`ncgraph.Client` for named data sets."""

    _as_current: Any
    _linked: Any

    def publish_dataset(self, *args: Any, name: str | None = None,
                        override: bool = False, **kwargs: Any) -> None:
        """Give data sets names by which other clients find them.

        Parameters
        ----------
        *args
            One data set, with ``name=``.
        override : bool
            Whether a name may be there already; otherwise KeyError.
        **kwargs
            Names and data sets: arrays, xarray objects, anything that can be
            pickled. Chunks of arrays that were persisted stay on the workers.
        """
        if (name is None) != (not args) or len(args) > 1:
            raise ValueError("publish one data set with name=, or several by "
                             "keywords")
        if args:
            kwargs = {**kwargs, name: args[0]}
        context = self._linked()
        for key, value in kwargs.items():
            with self._as_current():
                self._publish(context, str(key), value, override)

    def _publish(self, context: Any, name: str, value: Any,
                 override: bool) -> None:
        file = io.BytesIO()
        pickler = _Pickler(file)
        pickler.dump(value)
        note = _MAGIC + file.getvalue()
        kept = ffi.from_buffer(note)
        handles = [a._handle() for a in pickler.arrays]
        rows = ffi.new("ncg_array *[]", [h.ptr for h in handles]) \
            if handles else ffi.NULL
        err = ffi.new("ncg_error *")
        status = lib.ncg_publish(context.ptr, name.encode(), rows,
                                 len(handles),
                                 {"data": kept, "size": len(note)}, override,
                                 err)
        del kept
        if status == lib.NCG_EEXISTS:
            raise KeyError(f"Dataset {name} already exists")
        _lib.check(status, err)

    def get_dataset(self, name: str, default: Any = KeyError, **kwargs: Any
                    ) -> Any:
        """Give the data set of a name; arrays that a program of C published
        are a tuple."""
        found = ffi.new("ncg_published *")
        err = ffi.new("ncg_error *")
        context = self._linked()
        with self._as_current():
            status = lib.ncg_published_get(context.ptr, str(name).encode(),
                                           found, err)
            if status == lib.NCG_ENOTFOUND:
                if default is KeyError:
                    raise KeyError(f"Dataset '{name}' not found")
                return default
            _lib.check(status, err)
            try:
                note = ffi.buffer(found.note, found.note_size)[:] \
                    if found.note_size else b""
                handles = [Handle(lib.ncg_array_retain(found.arrays[i]),
                                  lib.ncgpy_release_array)
                           for i in range(found.narrays)]
            finally:
                lib.ncg_published_free(found)
            if not note.startswith(_MAGIC):
                return tuple(Array._wrap(h) for h in handles)
            return _Unpickler(note[len(_MAGIC):], handles).load()

    def list_datasets(self, **kwargs: Any) -> tuple[str, ...]:
        """Tell the names of published data sets."""
        names, n = ffi.new("char ***"), ffi.new("size_t *")
        err = ffi.new("ncg_error *")
        _lib.check(lib.ncg_published_names(self._linked().ptr, names, n, err),
                   err)
        try:
            return tuple(sorted(ffi.string(names[0][i]).decode()
                                for i in range(n[0])))
        finally:
            lib.ncg_published_names_free(names[0])

    def unpublish_dataset(self, name: str, **kwargs: Any) -> None:
        """Forget a published data set."""
        err = ffi.new("ncg_error *")
        status = lib.ncg_unpublish(self._linked().ptr, str(name).encode(), err)
        if status == lib.NCG_ENOTFOUND:
            raise KeyError(f"Dataset {name} does not exist")
        _lib.check(status, err)
