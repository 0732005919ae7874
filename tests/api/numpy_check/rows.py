# SPDX-License-Identifier: BSD-3-Clause
"""Reductions as lists of rows: one row of values for each result; what dtype
results have."""
import numpy as np


def result_dtype(op, dtype):
    if op in ("count", "argmin", "argmax"):
        return np.dtype("i8")
    if op in ("any", "all"):
        return np.dtype(bool)
    if op in ("mean", "std", "var", "range"):
        return np.dtype("f4" if dtype == np.float32 else "f8")
    if op in ("sum", "prod") and dtype.kind != "f":
        return np.dtype("u8" if dtype.kind == "u" else "i8")
    return dtype


def picked_dtype(op, one, fewest, min_count):
    """Values that are picked need room for what is missing."""
    dtype = one.values.dtype
    if (op in ("min", "max", "first", "last") and dtype.kind in "iu"
            and dtype.itemsize <= 4 and one.missing is None
            and fewest < max(min_count, 1)):
        return np.dtype(f"i{2 * dtype.itemsize}")
    return result_dtype(op, dtype)


def collect(rows, dtype, shape_):
    """Results as an array, missing ones as the dtype says."""
    holes = np.array([r is None for r in rows], bool).reshape(shape_)
    if dtype.kind == "f":
        flat = [np.nan if r is None else r for r in rows]
        return np.array(flat, "f8").reshape(shape_).astype(dtype)
    flat = [0 if r is None else r for r in rows]
    return np.ma.masked_array(np.array(flat, dtype).reshape(shape_), holes)


def rows_of(one, over):
    """The array as a table: a row for each result."""
    rank = one.values.ndim
    over = sorted(a % rank for a in over) if over else list(range(rank))
    kept = [a for a in range(rank) if a not in over]
    order = kept + over
    kept_shape = tuple(one.values.shape[a] for a in kept)
    n = int(np.prod(kept_shape, dtype=int))
    table = np.transpose(one.values, order).reshape(n, -1)
    holes = np.transpose(one.mask(), order).reshape(n, -1)
    full = tuple(1 if a in over else one.values.shape[a] for a in range(rank))
    return table, holes, kept_shape, full
