# SPDX-License-Identifier: BSD-3-Clause
"""Files: opened by the engine, given to xarray."""
from __future__ import annotations

import functools
import glob
import os
from typing import Any, Iterable

import numpy as np

from . import _lib
from ._array import Array
from ._dtypes import is_native, of_code
from ._lib import Handle, array_handle, ffi, lib


class Opened:
    """Files that are one data set; opened again where it is pickled to."""

    def __init__(self, paths: tuple[str, ...], variables: str | None = None,
                 overlap: str = "error", join: str = "exact",
                 missing_fill: bool = False):
        self.paths = paths
        self.options = {"variables": variables, "overlap": overlap,
                        "join": join, "missing_fill": missing_fill}
        self._handles: dict[Any, Handle] = {}
        self.handle()

    def __reduce__(self) -> Any:
        o = self.options
        return _opened, (self.paths, o["variables"], o["overlap"], o["join"],
                         o["missing_fill"])

    def handle(self) -> Handle:
        """The engine's data set."""
        where = int(ffi.cast("intptr_t", _lib.context().ptr)), _lib.stamp()
        if where not in self._handles:
            self._handles[where] = self._open()
        return self._handles[where]

    def _open(self) -> Handle:
        options = ffi.new("ncg_open_options *", lib.ncgpy_open_options())
        alive = [ffi.new("char[]", os.fsencode(p)) for p in self.paths]
        if self.options["variables"]:
            alive.append(ffi.new("char[]", self.options["variables"].encode()))
            options.variables = alive[-1]
        overlaps = {"error": lib.NCG_OVERLAP_ERROR,
                    "first": lib.NCG_OVERLAP_FIRST,
                    "last": lib.NCG_OVERLAP_LAST}
        joins = {"exact": lib.NCG_JOIN_EXACT, "inner": lib.NCG_JOIN_INNER}
        options.overlap = overlaps[self.options["overlap"]]
        options.join = joins[self.options["join"]]
        options.missing_fill = self.options["missing_fill"]
        # As xarray: what a file does not call missing is a value.
        options.no_default_fill = True
        rows = ffi.new("char *[]", alive[:len(self.paths)])
        out = ffi.new("ncg_dataset **")
        err = ffi.new("ncg_error *")
        _lib.check(lib.ncg_dataset_open(
            _lib.context().ptr, ffi.cast("const char *const *", rows),
            len(self.paths), options, out, err), err)
        return Handle(out[0], lib.ncgpy_release_dataset)

    def array(self, name: str) -> Handle:
        """The engine's array of a variable."""
        return array_handle(lib.ncg_dataset_array, self.handle().ptr,
                            name.encode())

    # ---- what is in it -----------------------------------------------------------

    def variables(self) -> list["FileVariable"]:
        """Everything that has values."""
        ds = self.handle().ptr
        out = []
        for v in range(lib.ncg_dataset_nvars(ds)):
            name = ffi.string(lib.ncg_dataset_var_name(ds, v)).decode()
            out.append(FileVariable(self, v, name))
        return out

    def dims(self) -> dict[str, int]:
        """Sizes of the dimensions."""
        ds = self.handle().ptr
        return {ffi.string(lib.ncg_dataset_dim_name(ds, d)).decode():
                lib.ncg_dataset_dim_size(ds, d)
                for d in range(lib.ncg_dataset_ndims(ds))}

    def attrs(self, var: int = -1) -> dict[str, Any]:
        """Attributes of a variable, or of the data set."""
        ds = self.handle().ptr
        out = {}
        for a in range(lib.ncg_dataset_nattrs(ds, var)):
            name = lib.ncg_dataset_attr_name(ds, var, a)
            value = _attr(ds, var, name)
            if value is not None:
                out[ffi.string(name).decode()] = value
        return out


@functools.lru_cache(maxsize=64)
def _opened(*args: Any) -> Opened:
    """Files that another process sent; opened once for many tasks."""
    return Opened(*args)


def _attr(ds: Any, var: int, name: Any) -> Any:
    dtype = ffi.new("ncg_dtype *")
    count = ffi.new("size_t *")
    values = lib.ncg_dataset_attr(ds, var, name, dtype, count)
    if values == ffi.NULL:
        return None
    if dtype[0] == lib.NCG_DTYPE_CHAR:
        raw = ffi.buffer(values, count[0])[:]
        return raw.rstrip(b"\0").decode(errors="replace")
    if dtype[0] == lib.NCG_DTYPE_STRING:
        rows = ffi.cast("const char **", values)
        texts = [ffi.string(rows[i]).decode(errors="replace")
                 for i in range(count[0])]
        return texts[0] if len(texts) == 1 else texts
    kind = of_code(dtype[0])
    made = np.frombuffer(ffi.buffer(values, count[0] * kind.itemsize),
                         kind).copy()
    return made[0] if made.size == 1 else made


class FileVariable:
    """A variable of files: dimensions, attributes, array."""

    def __init__(self, opened: Opened, number: int, name: str):
        self.opened, self.number, self.name = opened, number, name
        ds = opened.handle().ptr
        rank = max(lib.ncg_dataset_var_rank(ds, number), 0)
        names = list(opened.dims())
        self.dims = tuple(names[lib.ncg_dataset_var_dim(ds, number, a)]
                          for a in range(rank))
        self.is_data = bool(lib.ncg_dataset_var_is_data(ds, number))

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes, without those that decoding used up."""
        return self.opened.attrs(self.number)

    def array(self) -> Array | None:
        """The decoded values, lazily; None where they are no numbers."""
        try:
            handle = self.opened.array(self.name)
        except (ValueError, _lib.UnsupportedError):
            return None
        code = lib.ncg_array_dtype(handle.ptr)
        if code in (lib.NCG_DTYPE_CHAR, lib.NCG_DTYPE_STRING,
                    lib.NCG_DTYPE_NONE):
            return None
        made = Array._make("variable", (), (self.opened, self.name))
        if made.dtype.kind in "iu" and \
                lib.ncg_array_missing(made._ptr, ffi.NULL):
            # As xarray: missing integers are NaN.
            return made.astype("f4" if made.dtype.itemsize <= 2 else "f8")
        return made


def expand(paths: Any) -> tuple[str, ...]:
    """Return paths of files, for one, several, or a pattern."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    out: list[str] = []
    for path in paths:
        path = os.path.expanduser(os.fspath(path))
        found = sorted(glob.glob(path)) if glob.has_magic(path) and \
            not os.path.exists(path) else [path]
        if not found:
            raise FileNotFoundError(f"no file matches {path}")
        out += found
    for path in out:
        if not os.path.exists(path):
            raise FileNotFoundError(f"No such file or directory: {path!r}")
    return tuple(os.path.abspath(p) for p in out)


def open_dataset(paths: str | os.PathLike | Iterable, *,
                 chunks: Any = None, variables: Iterable[str] | None = None,
                 overlap: str = "error", join: str = "exact",
                 missing_fill: bool = False, drop_variables: Any = None,
                 **decoding: Any) -> Any:
    """Open files as one lazy xarray data set.

    The engine reads all headers in parallel, joins the files along the
    dimension that differs, sorted by decoded time, and gives each variable as
    one native source: operations fuse with reading.

    Parameters
    ----------
    paths : str, path, or sequence of them
        Files or patterns.
    chunks : dict, optional
        Sizes of chunks for dimensions; by default those that fit the files.
    variables : sequence of str, optional
        Only these, and what describes them.
    overlap : {"error", "first", "last"}
        What happens where two files hold the same step.
    join : {"exact", "inner"}
        How the other dimensions' coordinates meet.
    missing_fill : bool
        Whether a variable that a file lacks is missing there.
    drop_variables : str or sequence of str, optional
    **decoding
        ``decode_times``, ``decode_timedelta``, ``use_cftime``,
        ``decode_coords`` as :func:`xarray.open_dataset` takes them.

    Returns
    -------
    xarray.Dataset
    """
    from .xarray import dataset_of
    names = None if variables is None else ",".join(variables)
    opened = Opened(expand(paths), names, overlap, join, missing_fill)
    ds = dataset_of(opened, drop_variables, is_lazy=False, **decoding)
    return ds if chunks is None else ds.chunk(
        chunks, chunked_array_type="ncgraph")


__all__ = ["FileVariable", "Opened", "expand", "is_native", "open_dataset"]
