# SPDX-License-Identifier: BSD-3-Clause
"""xarray: chunk manager and backend.

Both are found by their entry points, beside dask's. dask's own manager is told
that our arrays are not its own, although they are dask collections; its arrays
go to it as before.
"""
from __future__ import annotations

import functools
import os
import sys
from typing import Any, Callable, Iterable, Sequence

import numpy as np
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing
from xarray.namedarray.parallelcompat import ChunkManagerEntrypoint

from . import _chunks, _groupby, _weighted, config
from ._array import Array


def _let_dask_decline() -> None:
    """Make dask's manager leave our arrays to ours."""
    try:
        from xarray.namedarray import daskmanager
    except ImportError:
        return
    manager = daskmanager.DaskManager
    asked = manager.is_chunked_array
    if getattr(asked, "_knows_ncgraph", False):
        return

    def is_chunked_array(self: Any, data: Any) -> bool:
        return not isinstance(data, Array) and asked(self, data)

    make = manager.from_array

    def from_array(self: Any, data: Any, chunks: Any, **kwargs: Any) -> Any:
        # ``x.chunk(...)`` without a manager asks dask's: ours stays ours.
        if isinstance(data, Array):
            return data.rechunk(chunks) if data.size else data
        return make(self, data, chunks, **kwargs)

    def dask_class(self: Any) -> Any:
        # Not before somebody asks: importing dask.array takes half a second.
        from dask.array import Array as DaskArray
        return DaskArray

    is_chunked_array._knows_ncgraph = True  # type: ignore[attr-defined]
    manager.is_chunked_array = is_chunked_array
    manager.from_array = from_array
    manager.__init__ = lambda self: None
    manager.array_cls = property(dask_class)


def _be_collections() -> None:
    """Without dask, too, xarray shall treat our arrays as lazy ones.

    It asks whether an array is a collection of dask's before it takes the ways
    that keep arrays lazy, and knows of none where dask is not installed; where
    it is, asking would import it.
    """
    from xarray.namedarray import utils
    asked = utils.is_dask_collection
    if getattr(asked, "_knows_ncgraph", False):
        return

    def is_dask_collection(x: Any) -> bool:
        return isinstance(x, Array) or (
            hasattr(x, "__dask_graph__") and asked(x))

    is_dask_collection._knows_ncgraph = True  # type: ignore[attr-defined]
    utils.is_dask_collection = is_dask_collection


def _leave_dask_alone() -> None:
    """Let xarray not import dask.array only to ask what its class is.

    It does with every variable that it makes. While nobody has imported
    dask.array there are no arrays of that class.
    """
    from xarray.namedarray import pycompat
    known = getattr(pycompat, "_cached_duck_array_modules", None)
    if known is None or "dask" in known:
        return

    class Dask(pycompat.DuckArrayModule):
        """What xarray wants to know of dask, found when it is asked."""

        def __init__(self) -> None:
            pass

        @functools.cached_property
        def _found(self) -> Any:
            return pycompat.DuckArrayModule("dask")

        @property
        def type(self) -> tuple:
            """dask's class of arrays, if there can be any."""
            return self._found.type if "dask.array" in sys.modules else ()

        module = property(lambda self: self._found.module)
        version = property(lambda self: self._found.version)
        available = property(lambda self: self._found.available)

    known["dask"] = Dask()


def _push_natively() -> None:
    """ffill and bfill of our arrays are the engine's, whatever the limit is
    and however long chunks are."""
    try:
        from xarray.compat import dask_array_ops
        original = dask_array_ops.push
    except (ImportError, AttributeError):
        return  # another release of xarray, which goes its own way
    if getattr(original, "_knows_ncgraph", False):
        return

    def push(array: Any, n: Any, axis: int, method: str = "blelloch") -> Any:
        if not isinstance(array, Array):
            return original(array, n, axis, method)
        from ._scan import push as ours
        return ours(array, n, axis)

    push._knows_ncgraph = True  # type: ignore[attr-defined]
    dask_array_ops.push = push


_let_dask_decline()
_be_collections()
_leave_dask_alone()
_push_natively()
_groupby.install()
_weighted.install()


class NcgManager(ChunkManagerEntrypoint):
    """Chunked arrays of xarray that are ncgraph's."""

    array_cls = Array
    available = True

    def __init__(self) -> None:
        self.array_cls = Array
        _let_dask_decline()

    def is_chunked_array(self, data: Any) -> bool:
        """Whether an array is ours."""
        return isinstance(data, Array)

    def chunks(self, data: Array) -> _chunks.Chunks:
        """Sizes of an array's chunks."""
        return data.chunks

    def normalize_chunks(self, chunks: Any, shape: Any = None,
                         limit: Any = None, dtype: Any = None,
                         previous_chunks: Any = None) -> _chunks.Chunks:
        """Chunks as sizes for each axis."""
        return _chunks.normalize_chunks(chunks, shape, limit, dtype,
                                        previous_chunks)

    def from_array(self, data: Any, chunks: Any, **kwargs: Any) -> Array:
        """Make a lazy array of values or of xarray's lazy ones."""
        from ._creation import from_array
        if isinstance(chunks, tuple) and "auto" in chunks and 0 in data.shape:
            chunks = data.shape
        return from_array(data, chunks, **kwargs)

    def rechunk(self, data: Array, chunks: Any, **kwargs: Any) -> Array:
        """Give the same values in other chunks."""
        if 0 in data.shape:
            return data
        return super().rechunk(data, chunks, **kwargs)

    def compute(self, *data: Any, **kwargs: Any) -> tuple:
        """Compute arrays in one run."""
        from ._compute import compute
        made = compute(*data, **kwargs)
        return tuple(np.asarray(m) if isinstance(d, Array) else m
                     for m, d in zip(made, data))

    def persist(self, *data: Any, **kwargs: Any) -> tuple:
        """Compute arrays in one run and keep their chunks."""
        from ._compute import persist
        return persist(*data, **kwargs)

    @property
    def array_api(self) -> Any:
        """The namespace of array functions."""
        from . import array_api
        return array_api

    def reduction(self, arr: Array, func: Callable, combine_func: Any = None,
                  aggregate_func: Any = None, axis: Any = None,
                  dtype: Any = None, keepdims: bool = False) -> Array:
        """Reduce by functions of Python, as a tree."""
        from ._trees import reduction
        return reduction(arr, func, aggregate_func or func,
                         combine=combine_func, axis=axis, dtype=dtype,
                         keepdims=keepdims)

    def scan(self, func: Callable, binop: Callable, ident: float, arr: Array,
             axis: Any = None, dtype: Any = None, **kwargs: Any) -> Array:
        """Accumulate along an axis by a function of Python."""
        from ._scan import push, scan
        if getattr(func, "__name__", "") == "_dtype_push":
            return push(arr, None, axis)  # ffill: the engine has it
        return scan(func, binop, ident, arr, axis, dtype, **kwargs)

    def apply_gufunc(self, func: Callable, signature: str, *args: Any,
                     axes: Any = None, keepdims: bool = False,
                     output_dtypes: Any = None, vectorize: Any = None,
                     **kwargs: Any) -> Any:
        """Apply a generalised ufunc."""
        from ._gufunc import apply_gufunc
        inner = getattr(func, "func", func)  # of a functools.partial
        if getattr(inner, "__qualname__", "") == \
                "Variable.quantile.<locals>._wrapper":
            return func(*args)  # NumPy's functions: ours are native
        return apply_gufunc(func, signature, *args, axes=axes,
                            keepdims=keepdims, output_dtypes=output_dtypes,
                            vectorize=vectorize, **kwargs)

    def map_blocks(self, func: Callable, *args: Any, dtype: Any = None,
                   chunks: Any = None, drop_axis: Any = None,
                   new_axis: Any = None, **kwargs: Any) -> Array:
        """Apply a function to each chunk."""
        from ._blocks import map_blocks
        return map_blocks(func, *args, dtype=dtype, chunks=chunks,
                          drop_axis=drop_axis, new_axis=new_axis, **kwargs)

    def blockwise(self, func: Callable, out_ind: Iterable, *args: Any,
                  adjust_chunks: Any = None, new_axes: Any = None,
                  align_arrays: bool = True, **kwargs: Any) -> Array:
        """Apply a function to blocks whose axes are named."""
        from ._blockwise import blockwise
        return blockwise(func, out_ind, *args, adjust_chunks=adjust_chunks,
                         new_axes=new_axes, align_arrays=align_arrays,
                         **kwargs)

    def unify_chunks(self, *args: Any, **kwargs: Any) -> tuple:
        """Give arrays common chunks."""
        from ._blockwise import unify_chunks
        return unify_chunks(*args, **kwargs)

    def store(self, sources: Any, targets: Any, **kwargs: Any) -> Any:
        """Write arrays into things that take values."""
        from ._store import store
        return store(sources, targets, **kwargs)

    def shuffle(self, x: Array, indexer: Sequence[Sequence[int]], axis: int,
                chunks: Any = None) -> Array:
        """Bring positions of an axis together, group by group."""
        from ._scan import shuffle
        return shuffle(x, indexer, axis, chunks)

    def get_auto_chunk_size(self) -> int:
        """Bytes of a chunk where nothing is said."""
        return _chunks.parse_bytes(config.get("array.chunk-size"))


# ---- files ------------------------------------------------------------------------

class NcgBackendArray(BackendArray):
    """A variable of files, until somebody asks for chunks of it."""

    def __init__(self, array: Array):
        self._ncgraph_array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple) -> np.ndarray:
        from ._index import outer
        return np.asarray(outer(self._ncgraph_array, key).compute())


_EXTENSIONS = {".nc", ".nc3", ".nc4", ".cdf", ".h5", ".hdf5"}


class NcgBackend(BackendEntrypoint):
    """``engine="ncgraph"``: NetCDF files, read by ncgraph without a lock."""

    description = "Open NetCDF and HDF5 files with ncgraph in Xarray"
    url = "https://ncgraph.readthedocs.io"

    def open_dataset(self, filename_or_obj: Any, *,
                     drop_variables: Any = None, mask_and_scale: Any = True,
                     decode_times: Any = True, concat_characters: Any = True,
                     decode_coords: Any = True, use_cftime: Any = None,
                     decode_timedelta: Any = None,
                     variables: Any = None) -> Any:
        """Open a file; ``variables`` limits what is looked at."""
        from ._files import Opened, expand
        if mask_and_scale is False or mask_and_scale is None:
            raise ValueError("engine='ncgraph' decodes while it reads: for raw "
                             "values use engine='netcdf4' or 'h5netcdf'")
        names = None if variables is None else ",".join(variables)
        opened = Opened(expand(filename_or_obj), names)
        return dataset_of(opened, drop_variables, is_lazy=True,
                          decode_times=decode_times,
                          concat_characters=concat_characters,
                          decode_coords=decode_coords, use_cftime=use_cftime,
                          decode_timedelta=decode_timedelta)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Never guesses: files go to xarray's usual engines if not asked."""
        return False


def dataset_of(opened: Any, drop_variables: Any = None, is_lazy: bool = True,
               **decoding: Any) -> Any:
    """Make xarray's data set of files.

    Parameters
    ----------
    opened : Opened
    is_lazy : bool
        Whether variables are left for xarray to chunk; they are arrays of
        ncgraph otherwise. Coordinates of dimensions are read now.
    """
    import xarray as xr
    dropped = {drop_variables} if isinstance(drop_variables, str) \
        else set(drop_variables or ())
    found = [v for v in opened.variables() if v.name not in dropped]
    arrays = {v.name: v.array() for v in found}
    values = _read_now(found, arrays)
    variables: dict[str, Any] = {}
    for var in found:
        array = arrays[var.name]
        if array is None:
            continue
        data: Any = values.get(var.name, array)
        if is_lazy and data is array:
            data = indexing.LazilyIndexedArray(NcgBackendArray(array))
        encoding = {"source": opened.paths[0]}
        if not isinstance(data, np.ndarray):
            encoding["preferred_chunks"] = dict(zip(var.dims, array.chunks))
            encoding["original_shape"] = array.shape
        variables[var.name] = xr.Variable(var.dims, data, var.attrs, encoding)
    variables.update(_texts(opened, [n for n, a in arrays.items()
                                     if a is None]))
    decoding = {k: v for k, v in decoding.items() if v is not None}
    made, attrs, coords = xr.conventions.decode_cf_variables(
        variables, opened.attrs(), mask_and_scale=False, **decoding)
    ds = xr.Dataset(made, attrs=attrs)
    ds = ds.set_coords(set(coords) & set(made))
    ds.encoding["source"] = opened.paths[0]
    if len(opened.paths) == 1:
        ds.set_close(lambda: None)
    return ds


def _read_now(found: list, arrays: dict[str, Any]) -> dict[str, np.ndarray]:
    """Values of coordinates and other small variables, in one run."""
    from ._compute import run
    names = [v.name for v in found if (a := arrays[v.name]) is not None and (
        v.dims == (v.name,) or a.ndim == 0 or
        (not v.is_data and a.nbytes <= 1 << 20))]
    return dict(zip(names, map(np.asarray, run([arrays[n] for n in names]))))


def _texts(opened: Any, names: list[str]) -> dict[str, Any]:
    """Variables of texts, from the first file, by another engine of xarray."""
    if not names or not os.path.exists(opened.paths[0]):
        return {}
    import xarray as xr
    for engine in ("netcdf4", "h5netcdf", "scipy"):
        try:
            with xr.open_dataset(opened.paths[0], engine=engine,
                                 decode_times=False) as raw:
                return {n: raw.variables[n].load() for n in names
                        if n in raw.variables}
        except Exception:
            continue
    return {}
