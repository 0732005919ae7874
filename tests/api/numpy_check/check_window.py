#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sorting and windows against NumPy and xarray."""
import warnings

import numpy as np
import xarray as xr

from cases import (ALL, Case, FLOATS, INTEGERS, check, input_, main, shape)
from rows import result_dtype

warnings.simplefilter("ignore")


@check(cases=80)
def sort(rng):
    one = input_(rng, dtypes=ALL, shape_=shape(rng, low=1), missing=False)
    axis = int(rng.integers(-one.values.ndim, one.values.ndim))
    return Case(f"{one.values.dtype} {one.values.shape} {axis}",
                lambda c: one.on(c).sort(axis), np.sort(one.values, axis))


@check(cases=40)
def sort_missing(rng):
    one = input_(rng, dtypes=INTEGERS, shape_=shape(rng, low=1))
    one.missing = one.values.dtype.type(7)
    axis = int(rng.integers(0, one.values.ndim))
    holes = np.sort(one.mask(), axis)
    top = np.iinfo(one.values.dtype).max
    data = np.sort(np.where(one.mask(), top, one.values), axis)
    return Case(f"{one.values.dtype} {one.values.shape} {axis}",
                lambda c: one.on(c).sort(axis),
                np.ma.masked_array(data, holes))


def named(data):
    return xr.DataArray(data, dims=[f"d{i}" for i in range(data.ndim)])


def float_dtype(one):
    return np.dtype("f4" if one.values.dtype == np.float32 else "f8")


@check(cases=200)
def rolling(rng):
    op = str(rng.choice(["mean", "sum", "min", "max", "std", "var", "count"]))
    one = input_(rng, dtypes=FLOATS + INTEGERS,
                 shape_=shape(rng, low=1, high=3))
    axis = int(rng.integers(0, one.values.ndim))
    n = one.values.shape[axis]
    window = int(rng.integers(1, n + 1))
    least = int(rng.integers(1, window + 1))
    center = bool(rng.random() < 0.4)
    rolled = named(one.real().astype("f8")).rolling(
        {f"d{axis}": window}, center=center, min_periods=least)
    ddof = int(rng.integers(0, 2)) if op in ("std", "var") else 0
    how = {"ddof": ddof} if ddof else {}
    want = getattr(rolled, op)(**how).values
    if op == "count":
        return Case(f"count {one.values.shape} {axis} {window} {least} "
                    f"{center}",
                    lambda c: one.on(c).rolling(op, axis, window, least,
                                                center).cast("f8"), want)
    return Case(f"{op} {one.values.dtype} {one.values.shape} {axis} {window} "
                f"{least} {center}",
                lambda c: one.on(c).rolling(op, axis, window, least, center,
                                            ddof),
                want.astype(float_dtype(one)),
                1e-5 if one.values.dtype == np.float32 else 1e-10, 1e-5)


@check(cases=200)
def coarsen(rng):
    op = str(rng.choice(["mean", "sum", "min", "max", "std", "var", "count"]))
    one = input_(rng, dtypes=FLOATS + INTEGERS,
                 shape_=shape(rng, low=1, high=3))
    skipna = bool(rng.random() < 0.7)
    boundary = str(rng.choice(["trim", "pad", "exact"]))
    factor = [int(rng.integers(1, n + 1)) for n in one.values.shape]
    sizes = {f"d{i}": f for i, f in enumerate(factor)}
    text = f"{op} {one.values.dtype} {one.values.shape} {factor} {boundary}" \
           f" {skipna}"

    def build(c):
        return one.on(c).coarsen(op, factor, boundary, skipna)

    try:
        blocks = named(one.real().astype("f8")).coarsen(sizes,
                                                        boundary=boundary)
        valid = blocks.count().values
        whole = named(np.ones(one.values.shape)).coarsen(
            sizes, boundary=boundary).count().values
        want = getattr(blocks, op)().values
    except ValueError:
        return Case(text, build, "EINVAL")
    dtype = result_dtype(op, one.values.dtype)
    rtol = 1e-5 if dtype == np.float32 else 1e-10
    if op == "count":
        return Case(text, build, want.astype(dtype))
    # xarray leaves NaN out always; its sum of nothing is 0.
    want = np.where(valid < (1 if skipna else whole), np.nan, want)
    holes = np.isnan(want)
    if dtype.kind == "f":
        return Case(text, build, want.astype(dtype), rtol, 1e-5)
    return Case(text, build, np.ma.masked_array(
        np.where(holes, 0, want).astype(dtype), holes))


if __name__ == "__main__":
    main()
