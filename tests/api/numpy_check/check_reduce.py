#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reductions, groups and weights against NumPy."""
import warnings

import numpy as np

from cases import (Case, FLOATS, INTEGERS, Input, axes, check, input_, main,
                   shape, values)
from rows import collect, picked_dtype, rows_of

warnings.simplefilter("ignore")
EXACT = ["min", "max", "range", "count", "any", "all", "first", "last",
         "argmin", "argmax"]


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


def weighted_row(op, row, hole, weights, skipna):
    if hole.any() and not skipna:
        return None
    row, weights = row[~hole].astype("f8"), weights[~hole]
    if row.size == 0:
        return None
    mean = (row * weights).sum() / weights.sum()
    var = ((row - mean) ** 2 * weights).sum() / weights.sum()
    return {"mean": mean, "sum": (row * weights).sum(), "var": var,
            "std": var ** 0.5}[op]


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
    table, holes, kept, full = rows_of(one, over)
    dtype = picked_dtype(op, one, table.shape[1], how["min_count"])
    rows = [reduce_row(op, r, h, how["skipna"], how["min_count"], how["ddof"])
            for r, h in zip(table, holes)]
    want = collect(rows, dtype, full if keep else kept)
    return Case(f"{op} {one.values.dtype} {one.values.shape} over {over} "
                f"{how} missing {one.missing}",
                lambda c: one.on(c).reduce(op, over, keepdims=keep, **how),
                want, tolerance(op, dtype), 1e-6)


@check(cases=300)
def groupby(rng):
    op = str(rng.choice(["mean", "sum", "prod", "min", "max", "range", "std",
                         "var", "count", "any", "all", "first", "last"]))
    one = input_(rng, span=5 if op == "prod" else 50,
                 shape_=shape(rng, low=1, most=6 if op == "prod" else 9))
    axis = int(rng.integers(0, one.values.ndim))
    n, ngroups = one.values.shape[axis], int(rng.integers(1, 6))
    labels = rng.integers(-1, ngroups, n)
    if rng.random() < 0.5:
        labels = np.sort(labels)
    data = np.moveaxis(one.values, axis, -1)
    masks = np.moveaxis(one.mask(), axis, -1)
    outer = data.shape[:-1]
    least, skipna = int(rng.integers(0, 3)), bool(rng.random() < 0.7)
    ddof = int(rng.integers(0, 2)) if op in ("std", "var") else 0
    fewest = min((labels == g).sum() for g in range(ngroups))
    dtype = picked_dtype(op, one, fewest, least)
    rows = [reduce_row(op, r[labels == g], h[labels == g], skipna, least, ddof)
            for r, h in zip(data.reshape(-1, n), masks.reshape(-1, n))
            for g in range(ngroups)]
    want = collect(rows, dtype, outer + (ngroups,))
    want = np.ma.masked_array(np.moveaxis(want, -1, axis)) \
        if np.ma.isMaskedArray(want) else np.moveaxis(want, -1, axis)
    return Case(f"{op} {one.values.dtype} {one.values.shape} axis {axis} "
                f"{labels}",
                lambda c: one.on(c).groupby(op, axis, list(labels), ngroups,
                                            min_count=least, skipna=skipna,
                                            ddof=ddof),
                want, tolerance(op, dtype), 1e-5)


@check(cases=80)
def groupby_weighted(rng):
    op = str(rng.choice(["mean", "sum", "std", "var"]))
    one = input_(rng, dtypes=FLOATS + INTEGERS, shape_=shape(rng, low=1))
    axis = int(rng.integers(0, one.values.ndim))
    n, ngroups = one.values.shape[axis], int(rng.integers(1, 4))
    labels = rng.integers(-1, ngroups, n)
    weights = Input(rng.random(one.values.shape) + 0.1, one.chunks)
    data, masks, heavy = (np.moveaxis(x, axis, -1).reshape(-1, n) for x in (
        one.values, one.mask(), weights.values))
    rows = [weighted_row(op, r[labels == g], h[labels == g], w[labels == g],
                         True)
            for r, h, w in zip(data, masks, heavy) for g in range(ngroups)]
    dtype = np.dtype("f4" if one.values.dtype == np.float32 else "f8")
    outer = one.values.shape[:axis] + one.values.shape[axis + 1:]
    want = np.moveaxis(collect(rows, dtype, outer + (ngroups,)), -1, axis)
    return Case(f"{op} {one.values.dtype} {one.values.shape} axis {axis}",
                lambda c: one.on(c).groupby(op, axis, list(labels), ngroups,
                                            weights.on(c)),
                want, 2e-6 if dtype.itemsize == 4 else 1e-11, 1e-5)


@check(cases=150)
def weighted(rng):
    op = str(rng.choice(["mean", "sum", "std", "var"]))
    one = input_(rng, dtypes=FLOATS + INTEGERS, shape_=shape(rng, low=1))
    over = axes(rng, one.values.ndim)
    tail = one.values.shape[int(rng.integers(0, one.values.ndim)):]
    weight_shape = tuple(1 if rng.random() < 0.2 else n for n in tail)
    weights = Input(rng.random(weight_shape) + 0.1)
    wide = np.broadcast_to(weights.values, one.values.shape)
    table, holes, kept, full = rows_of(one, over)
    by_weight, _, _, _ = rows_of(Input(wide), over)
    skipna, keep = bool(rng.random() < 0.7), bool(rng.random() < 0.3)
    rows = [weighted_row(op, row, hole, w, skipna)
            for row, hole, w in zip(table, holes, by_weight)]
    dtype = np.dtype("f4" if one.values.dtype == np.float32 else "f8")
    return Case(f"{op} {one.values.dtype} {one.values.shape} over {over} "
                f"weights {weight_shape} {skipna}",
                lambda c: one.on(c).reduce(op, over, weights.on(c),
                                           skipna=skipna, keepdims=keep),
                collect(rows, dtype, full if keep else kept),
                2e-6 if dtype.itemsize == 4 else 1e-11, 1e-5)


@check(cases=20)
def sums_of_wide_integers(rng):
    """Sums of 64-bit integers are exact."""
    data = values(rng, "i8", shape(rng, rank=2)) * 2**50 + 1
    one = Input(data, None)
    return Case("", lambda c: one.on(c).reduce("sum", [1]),
                np.ma.masked_array(data.sum(1)))


if __name__ == "__main__":
    main()
