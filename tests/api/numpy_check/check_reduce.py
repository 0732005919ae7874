#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reductions, groups and weights against NumPy."""
import warnings

import numpy as np

from cases import (Case, FLOATS, INTEGERS, Input, axes, check, input_, main,
                   shape, values)
from rows import collect, rows_of

warnings.simplefilter("ignore")
EXACT = ["min", "max", "range", "count", "any", "all", "first", "last",
         "argmin", "argmax"]


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


def reduce_row(op, row, holes, skipna, min_count, ddof):
    """One result of a list of values; None: missing."""
    positions = np.arange(row.size)
    valid = int((~holes).sum())
    if valid < (min_count if op != "count" or min_count > 1 else 0):
        return None
    if op == "count":
        return valid
    if skipna:
        row, positions = row[~holes], positions[~holes]
    elif holes.any():
        return None
    if row.size == 0 and op not in ("sum", "prod", "any", "all"):
        return None
    wide = row.astype("f8") if row.dtype.kind == "f" else row
    if op in ("std", "var"):
        return None if row.size - ddof <= 0 else getattr(np, op)(
            wide, ddof=ddof)
    if op == "range":
        return float(wide.max()) - float(wide.min())
    if op in ("first", "last"):
        return row[0 if op == "first" else -1]
    if op in ("argmin", "argmax"):
        return int(positions[getattr(np, op)(row)])
    if op in ("sum", "prod") and row.dtype.kind != "f":
        kind = "u8" if row.dtype.kind == "u" else "i8"
        return getattr(np, op)(row.astype(kind))
    return getattr(np, op)(wide)


def tolerance(op, dtype):
    if op in EXACT:
        return 0.0
    return 1e-6 if dtype == np.float32 else 1e-12


@check(cases=500)
def reduce(rng):
    op = str(rng.choice(["mean", "sum", "prod", "min", "max", "range", "std",
                         "var", "count", "any", "all", "first", "last",
                         "argmin", "argmax"]))
    one = input_(rng, span=5 if op == "prod" else 50,
                 shape_=shape(rng, low=1, most=6 if op == "prod" else 9))
    over = axes(rng, one.values.ndim)
    how = {"skipna": bool(rng.random() < 0.7),
           "min_count": int(rng.integers(0, 4)),
           "ddof": int(rng.integers(0, 2)) if op in ("std", "var") else 0}
    keep = bool(rng.random() < 0.3)
    dtype = result_dtype(op, one.values.dtype)
    table, holes, kept, full = rows_of(one, over)
    rows = [reduce_row(op, r, h, how["skipna"], how["min_count"], how["ddof"])
            for r, h in zip(table, holes)]
    want = collect(rows, dtype, full if keep else kept)
    return Case(f"{op} {one.values.dtype} {one.values.shape} over {over} "
                f"{how} missing {one.missing}",
                lambda c: one.on(c).reduce(op, over, keepdims=keep, **how),
                want, tolerance(op, dtype), 1e-6)


@check(cases=200)
def groupby(rng):
    op = str(rng.choice(["mean", "sum", "min", "max", "std", "count", "first",
                         "last", "any"]))
    one = input_(rng, shape_=shape(rng, low=1))
    axis = int(rng.integers(0, one.values.ndim))
    n, ngroups = one.values.shape[axis], int(rng.integers(1, 6))
    labels = rng.integers(-1, ngroups, n)
    if rng.random() < 0.5:
        labels = np.sort(labels)
    dtype = result_dtype(op, one.values.dtype)
    data = np.moveaxis(one.values, axis, -1)
    masks = np.moveaxis(one.mask(), axis, -1)
    outer = data.shape[:-1]
    least = int(rng.integers(0, 3))
    rows = [reduce_row(op, r[labels == g], h[labels == g], True, least, 0)
            for r, h in zip(data.reshape(-1, n), masks.reshape(-1, n))
            for g in range(ngroups)]
    want = collect(rows, dtype, outer + (ngroups,))
    want = np.ma.masked_array(np.moveaxis(want, -1, axis)) \
        if np.ma.isMaskedArray(want) else np.moveaxis(want, -1, axis)
    return Case(f"{op} {one.values.dtype} {one.values.shape} axis {axis} "
                f"{labels}",
                lambda c: one.on(c).groupby(op, axis, list(labels), ngroups,
                                            min_count=least),
                want, tolerance(op, dtype), 1e-5)


@check(cases=150)
def weighted(rng):
    op = str(rng.choice(["mean", "sum", "std", "var"]))
    one = input_(rng, dtypes=FLOATS + INTEGERS, shape_=shape(rng, low=1))
    over = axes(rng, one.values.ndim)
    tail = one.values.shape[int(rng.integers(0, one.values.ndim)):]
    weight_shape = tuple(1 if rng.random() < 0.2 else n for n in tail)
    weights = Input(rng.random(weight_shape) + 0.1)
    wide = np.broadcast_to(weights.values, one.values.shape)
    table, holes, kept, _full = rows_of(one, over)
    by_weight, _, _, _ = rows_of(Input(wide), over)
    rows = []
    for row, hole, w in zip(table, holes, by_weight):
        row, w = row[~hole].astype("f8"), w[~hole]
        if row.size == 0:
            rows.append(None)
            continue
        mean = (row * w).sum() / w.sum()
        var = ((row - mean) ** 2 * w).sum() / w.sum()
        rows.append({"mean": mean, "sum": (row * w).sum(), "var": var,
                     "std": var ** 0.5}[op])
    dtype = np.dtype("f4" if one.values.dtype == np.float32 else "f8")
    return Case(f"{op} {one.values.dtype} {one.values.shape} over {over} "
                f"weights {weight_shape}",
                lambda c: one.on(c).reduce(op, over, weights.on(c)),
                collect(rows, dtype, kept), 2e-6 if dtype.itemsize == 4 else
                1e-11, 1e-5)


@check(cases=20)
def sums_of_wide_integers(rng):
    """Sums of 64-bit integers are exact."""
    data = values(rng, "i8", shape(rng, rank=2)) * 2**50 + 1
    one = Input(data, None)
    return Case("", lambda c: one.on(c).reduce("sum", [1]),
                np.ma.masked_array(data.sum(1)))


if __name__ == "__main__":
    main()
