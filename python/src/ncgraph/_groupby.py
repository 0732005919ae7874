# SPDX-License-Identifier: BSD-3-Clause
"""xarray's groupby and map_blocks for our arrays.

xarray hands groups to flox, which knows dask's arrays only, or takes them one
by one. Here a group-by of our arrays goes to the engine's kernel, which reduces
all groups in one pass; whatever that cannot do is left to xarray.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ._array import Array
from ._dtypes import is_native

_DIRECT = {"sum", "mean", "min", "max", "std", "var", "count", "prod", "any",
           "all", "first", "last"}
# What a group-by of xarray has that is not public and not in each release.
_NEEDED = ("groupers", "encoded", "_by_chunked", "_parse_dim", "_group_dim",
           "_combine")
_SPLIT = {"sum", "min", "max", "count", "any", "all", "prod"}


def install() -> None:
    """Put the hooks into xarray, once."""
    from xarray.core import _aggregations, groupby, parallel
    if getattr(groupby, "_knows_ncgraph", False):
        return
    groupby._knows_ncgraph = True
    for module in (_aggregations, groupby):
        module.contains_only_chunked_or_numpy = _without_ours(
            module.contains_only_chunked_or_numpy)
    for base in (groupby.DataArrayGroupByBase, groupby.DatasetGroupByBase):
        base.reduce = _reduce_of(base.reduce)
    import xarray
    made = _mapped(parallel.map_blocks)
    parallel.map_blocks = made
    xarray.map_blocks = made


def _variables(obj: Any) -> dict[Any, Any]:
    if hasattr(obj, "data_vars"):
        return {n: v.variable for n, v in obj.data_vars.items()}
    return {obj.name: obj.variable}


def _has_ours(obj: Any) -> bool:
    return any(isinstance(v._data, Array) for v in _variables(obj).values())


def _without_ours(asked: Callable) -> Callable:
    def contains_only_chunked_or_numpy(obj: Any) -> bool:
        return not _has_ours(obj) and asked(obj)
    return contains_only_chunked_or_numpy


def _reduce_of(original: Callable) -> Callable:
    def reduce(self: Any, func: Callable, dim: Any = None, *, axis: Any = None,
               keep_attrs: Any = None, keepdims: bool = False,
               shortcut: bool = True, **kwargs: Any) -> Any:
        def plain() -> Any:
            # xarray warns of keepdims= wherever it is passed.
            rest = {**kwargs, "keepdims": True} if keepdims else kwargs
            return original(self, func, dim, axis=axis, keep_attrs=keep_attrs,
                            shortcut=shortcut, **rest)
        if axis is not None or keepdims or not _has_ours(self._obj):
            return plain()
        made = _native(self, func, dim, keep_attrs, kwargs)
        return plain() if made is None else made
    reduce.__doc__ = original.__doc__
    return reduce


def _native(groups: Any, func: Callable, dim: Any, keep_attrs: Any,
            kwargs: dict[str, Any]) -> Any:
    """The reduction by the engine's kernel; None: xarray does it."""
    op = getattr(func, "__name__", "")
    known = {"skipna", "min_count", "ddof", "numeric_only"}
    if op not in _DIRECT or not set(kwargs) <= known:
        return None
    if not all(hasattr(groups, name) for name in _NEEDED):
        return None  # another release of xarray
    if len(groups.groupers) != 1 or groups._by_chunked:
        return None
    encoded = groups.encoded
    codes = np.asarray(encoded.codes.data)
    place = groups._group_dim
    if codes.ndim != 1 or len(encoded.full_index) != \
            encoded.unique_coord.size or place not in groups._obj.dims:
        return None
    dims = groups._parse_dim(dim)
    dims = tuple(d for d in dims if d in groups._obj.dims)
    if place not in dims:
        return None
    others = tuple(d for d in dims if d != place)
    if others and (op not in _SPLIT | {"mean"} or
                   kwargs.get("min_count") is not None):
        return None
    values = {}
    for name, var in _variables(groups._obj).items():
        if not isinstance(var._data, Array) or place not in var.dims:
            return None
        if not is_native(var.dtype) or not var.size:
            return None
        values[name] = var
    labels = codes.astype("i4")
    if labels.shape != (groups._obj.sizes[place],):
        return None
    template = _template(groups, func, dims, keep_attrs, kwargs)
    return _filled(template, values, labels, len(encoded.full_index), op,
                   place, others, groups.groupers[0].name, kwargs)


def _template(groups: Any, func: Callable, dims: tuple, keep_attrs: Any,
              kwargs: dict[str, Any]) -> Any:
    """What xarray makes of one group's result for each group."""
    from xarray.core.options import _get_keep_attrs
    if keep_attrs is None:
        keep_attrs = _get_keep_attrs(default=True)
    first = groups._obj.isel({groups._group_dim: groups.encoded
                              .group_indices[0]})
    kwargs = {k: v for k, v in kwargs.items() if k != "numeric_only"}
    one = first.reduce(func, dims, keep_attrs=keep_attrs, **kwargs)
    made = groups._combine([one] * groups.encoded.unique_coord.size)
    if "__resample_dim__" in made.dims:
        # As Resample.map does.
        if groups._dim in made.coords:
            made = made.drop_vars([groups._dim])
        made = made.rename({"__resample_dim__": groups._dim})
    return made


def _filled(template: Any, values: dict, labels: np.ndarray, count: int,
            op: str, place: Any, others: tuple, name: Any,
            kwargs: dict[str, Any]) -> Any:
    made = {}
    shapes = _variables(template)
    for key, var in values.items():
        wanted = shapes[key]
        data = _grouped(var, labels, count, op, place, others, kwargs)
        dims = tuple(name if d == place else d for d in var.dims
                     if d not in others)
        if set(dims) != set(wanted.dims):
            # A resampled dimension keeps its name.
            dims = tuple(place if d == name else d for d in dims)
        if set(dims) != set(wanted.dims):
            return None
        data = np.transpose(data, [dims.index(d) for d in wanted.dims])
        if data.shape != wanted.shape:
            return None
        made[key] = data.astype(wanted.dtype)
    if hasattr(template, "data_vars"):
        return template.assign({k: shapes[k].copy(data=d)
                                for k, d in made.items()})
    return template.copy(data=made[template.name])


def _grouped(var: Any, labels: np.ndarray, count: int, op: str, place: Any,
             others: tuple, kwargs: dict[str, Any]) -> Array:
    from ._reduce import reduce
    from ._scan import groupby_reduce
    data = var._data
    skipna = kwargs.get("skipna")
    skipna = data.dtype.kind == "f" if skipna is None else bool(skipna)
    # As xarray: it is for values among which some may be missing.
    floor = kwargs.get("min_count") if skipna else None
    if others:
        axes = tuple(var.dims.index(d) for d in others)
        if op == "mean":
            counts = reduce("count", data, axes) if skipna else reduce(
                "sum", np.ones_like(data, dtype="i8"), axes)
            sums = reduce("sum", data.astype("f8"), axes, skipna=skipna)
            axis = [d for d in var.dims if d not in others].index(place)
            total = groupby_reduce(sums, labels, axis, "sum", count, False)
            number = groupby_reduce(counts, labels, axis, "sum", count)
            result = data.dtype if data.dtype.kind == "f" else np.dtype("f8")
            return (total / number).astype(result)
        data = reduce(op, data, axes, skipna=skipna)
        op = "sum" if op == "count" else op
        axis = [d for d in var.dims if d not in others].index(place)
    else:
        axis = var.dims.index(place)
    return groupby_reduce(data, labels, axis, op, count, skipna, floor,
                          int(kwargs.get("ddof", 0)))


# ---- map_blocks ------------------------------------------------------------------------

def _mapped(original: Callable) -> Callable:
    def map_blocks(func: Callable, obj: Any, args: Any = (), kwargs: Any = None,
                   template: Any = None) -> Any:
        if not _any_ours(obj):
            return original(func, obj, args, kwargs, template)
        made = original(func, obj, args, kwargs, _in_blocks(template, obj))
        from ._creation import from_array

        def ours(ds: Any) -> Any:
            variables = dict(ds._variables)
            for name, var in variables.items():
                if type(var._data).__module__.startswith("dask.array"):
                    variables[name] = var.copy(data=from_array(var._data))
            return ds._replace(variables=variables)
        return _each(made, ours)
    map_blocks.__doc__ = original.__doc__
    return map_blocks


def _in_blocks(template: Any, obj: Any) -> Any:
    """The template in one block for each of the object's, as xarray wants.

    What was joined or padded may be in larger chunks. An axis as long as the
    object's has the object's chunks; one of as many positions as the object
    has chunks has one in each.
    """
    if not hasattr(template, "chunksizes") or not _any_ours(template):
        return template

    wanted = {}
    for dim, sizes in obj.chunksizes.items():
        if template.sizes.get(dim) == obj.sizes[dim]:
            wanted[dim] = sizes
        elif template.sizes.get(dim) == len(sizes):
            wanted[dim] = (1,) * len(sizes)

    def cut(ds: Any) -> Any:
        variables = dict(ds._variables)
        for name, var in variables.items():
            if isinstance(var._data, Array):
                variables[name] = var.chunk({d: wanted[d] for d in var.dims
                                             if d in wanted})
        return ds._replace(variables=variables)
    return _each(template, cut)


def _each(obj: Any, change: Callable) -> Any:
    """Apply a function to a data set, or to that of a data array."""
    if hasattr(obj, "data_vars"):
        return change(obj)
    return obj._from_temp_dataset(change(obj._to_temp_dataset()))


def _any_ours(obj: Any) -> bool:
    try:
        return _has_ours(obj)
    except AttributeError:
        return False
