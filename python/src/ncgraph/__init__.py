# SPDX-License-Identifier: BSD-3-Clause
"""ncgraph: lazy, chunked computing on NetCDF data sets larger than memory.

Works alone, under xarray (``chunked_array_type="ncgraph"``, ``engine="ncgraph"``)
and beside dask. Importing it imports NumPy and the library only.

>>> import ncgraph as ncg
>>> x = ncg.from_array(values, chunks=(100, 200))
>>> (x - x.mean(axis=0)).std(axis=0).compute()
"""
from __future__ import annotations

from typing import Any

from . import config
from ._array import Array
from ._lib import (CancelledError, MemoryLimitError, MismatchError,
                   NcgraphError, UnsupportedError)

__version__ = "0.1.0"

_HOMES = {
    "_creation": "from_array asarray asanyarray full zeros ones empty "
                 "zeros_like ones_like empty_like full_like arange linspace",
    "_compute": "compute persist",
    "_chunks": "normalize_chunks",
    "_get": "get",
    "_dask": "from_delayed",
    "_blocks": "map_blocks from_function",
    "_blockwise": "blockwise unify_chunks",
    "_gufunc": "apply_gufunc as_gufunc gufunc",
    "_trees": "reduction",
    "_overlap": "map_overlap",
    "_shape": "rechunk transpose moveaxis reshape expand_dims squeeze "
              "broadcast_to broadcast_arrays concatenate stack block pad flip "
              "roll diff ravel repeat tile swapaxes rollaxis",
    "_elementwise": "where clip",
    "_reduce": "mean prod std var nansum nanprod nanmean nanmin nanmax nanstd "
               "nanvar argmin argmax nanargmin nanargmax average cumsum "
               "cumprod nancumsum nancumprod sort argsort count",
    "_quantiles": "quantile nanquantile percentile nanpercentile median "
                  "nanmedian",
    "_matrices": "eye tri diag indices fromfunction coarsen argwhere "
                 "flatnonzero ediff1d PerformanceWarning",
    "_products": "matmul tensordot dot einsum",
    "_numpy": "FallbackWarning",
    "_searching": "topk argtopk",
    "_lines": "sliding_window_view",
    "_histogram": "histogram histogram2d histogramdd",
    "_explain": "explain visualize",
    "_files": "open_dataset",
    "_scan": "groupby_reduce rolling ffill bfill push scan",
    "_store": "store",
    "client": "Client",
    "futures": "Future as_completed wait progress",
    "local_cluster": "LocalCluster",
    "_task_stream": "get_task_stream performance_report",
    "mpi": "",
    "random": "",
    "array_api": "",
    "xarray": "",
}
_FROM = {name: home for home, names in _HOMES.items()
         for name in names.split()}
_RENAMED = {"sum": ("_reduce", "sum_"), "min": ("_reduce", "min_"),
            "max": ("_reduce", "max_"), "any": ("_reduce", "any_"),
            "all": ("_reduce", "all_"), "round": ("_elementwise", "round_")}


def __getattr__(name: str) -> Any:
    import importlib
    if name in _RENAMED:
        home, inner = _RENAMED[name]
        return getattr(importlib.import_module(f".{home}", __name__), inner)
    if name in _FROM:
        module = importlib.import_module(f".{_FROM[name]}", __name__)
        value = getattr(module, name)
        globals()[name] = value
        return value
    if name in _HOMES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'ncgraph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_FROM, *_RENAMED])


def version() -> str:
    """Return the version of the library that runs."""
    from ._lib import ffi, lib
    return ffi.string(lib.ncg_version()).decode()


__all__ = ["Array", "CancelledError", "MemoryLimitError", "MismatchError",
           "NcgraphError", "UnsupportedError", "config", "version"]
