# SPDX-License-Identifier: BSD-3-Clause
"""Windows: sliding_window_view, and reductions over it by the rolling kernel."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ._array import Array
from ._dtypes import is_native, native_code
from ._ops import builder, array_handle, ffi, lib, pointers

ROLLING = {"sum", "mean", "min", "max", "std", "var", "count"}


@builder("windows")
def _build(inputs: list, axis: int, size: int) -> Any:
    handle = inputs[0]
    rank = lib.ncg_array_rank(handle.ptr)
    count = lib.ncg_array_shape(handle.ptr)[axis] - size + 1
    parts = []
    for i in range(size):
        row = ffi.new("ncg_index[]", rank)
        for d in range(rank):
            row[d].kind = lib.NCG_INDEX_SLICE
            row[d].start = row[d].stop = row[d].step = lib.ncgpy_omit()
        row[axis].start, row[axis].stop = i, i + count
        parts.append(array_handle(lib.ncg_array_index, handle.ptr, row, rank))
    return array_handle(lib.ncg_array_stack, pointers(parts), size, rank)


def windows(a: Array, axis: int, size: int) -> Array:
    """Return all windows along an axis, as one more last axis."""
    if a._width or not a.size:
        from ._shape import empty_of, stack
        front = (slice(None),) * axis
        count = a.shape[axis] - size + 1
        if not a.size:
            shape = list(a.shape) + [size]
            shape[axis] = count
            return empty_of(shape, a.dtype)
        return stack([a[front + (slice(i, i + count),)] for i in range(size)],
                     axis=a.ndim)
    return a._new("windows", (axis, size))


def common(arrays: Sequence[Array]) -> tuple[int, int] | None:
    """The axis and size of arrays that are all windows, or numbers."""
    wide = [a for a in arrays if a.ndim]
    if not wide or any(a._node.op != "windows" for a in wide):
        return None
    found = {(a._node.params, a.shape) for a in wide}
    return wide[0]._node.params if len(found) == 1 else None


def reduced(a: Array, op: str, axes: tuple[int, ...], skipna: bool, floor: int,
            ddof: int, keepdims: bool, dtype: np.dtype) -> Array | None:
    """A reduction over windows by the rolling kernel, if it is one."""
    if a._node.op != "windows" or axes != (a.ndim - 1,) or \
            op not in ROLLING or not is_native(a.dtype):
        return None
    if a.dtype.kind != "f" and op != "sum" and op != "mean":
        return None
    axis, size = a._node.params
    inner = Array._of(a._node.inputs[0])
    work = dtype if dtype.kind == "f" else np.dtype("f8")
    if op == "sum" and dtype.kind in "iu" and a.dtype.itemsize > 4:
        return None
    inner = inner.astype(work)
    least = (max(floor, 1) if skipna else size)
    made = inner._new("rolling", (op, axis, size, least, ddof, False,
                                  native_code(work)), work)
    made = made[(slice(None),) * axis + (slice(size - 1, None),)]
    if op in ("sum", "count") and skipna and not floor:
        from ._elementwise import where
        made = where(np.isnan(made), np.zeros((), work), made)
    made = made.astype(dtype)
    return made[..., None] if keepdims else made
