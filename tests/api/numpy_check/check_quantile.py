#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Quantiles and medians against NumPy."""
import numpy as np

from cases import Case, FLOATS, INTEGERS, axes, check, input_, main, shape
from rows import collect, rows_of

METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation",
           "interpolated_inverted_cdf", "hazen", "weibull", "linear",
           "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint",
           "nearest"]


def quantile_row(row, holes, q, method, skipna):
    if holes.any() and not skipna:
        return None
    row = row[~holes]
    if row.size == 0:
        return None
    return np.quantile(row.astype("f8"), q, method=method)


@check(cases=200)
def quantile(rng):
    one = input_(rng, dtypes=FLOATS + INTEGERS, shape_=shape(rng, low=1))
    over = axes(rng, one.values.ndim)
    q = [float(x) for x in rng.random(rng.integers(1, 4))]
    q[0] = float(rng.choice([0.0, 0.5, 1.0, q[0]]))
    method = str(rng.choice(METHODS))
    skipna, keep = bool(rng.random() < 0.7), bool(rng.random() < 0.3)
    table, holes, kept, full = rows_of(one, over)
    rows = [quantile_row(r, h, x, method, skipna) for x in q
            for r, h in zip(table, holes)]
    dtype = np.dtype("f4" if one.values.dtype == np.float32 else "f8")
    want = collect(rows, dtype, (len(q),) + (full if keep else kept))
    return Case(f"{one.values.dtype} {one.values.shape} over {over} {q} "
                f"{method} {skipna}",
                lambda c: one.on(c).quantile(q, over, method, skipna, keep),
                want, 1e-6 if dtype.itemsize == 4 else 1e-12, 1e-6)


@check(cases=60)
def median(rng):
    one = input_(rng, dtypes=FLOATS + INTEGERS, shape_=shape(rng, low=1))
    over = axes(rng, one.values.ndim)
    table, holes, kept, _full = rows_of(one, over)
    rows = [quantile_row(r, h, 0.5, "linear", True)
            for r, h in zip(table, holes)]
    dtype = np.dtype("f4" if one.values.dtype == np.float32 else "f8")
    return Case(f"{one.values.dtype} {one.values.shape} over {over}",
                lambda c: one.on(c).median(over), collect(rows, dtype, kept),
                1e-6, 1e-6)


@check(cases=60)
def quantile_by(rng):
    one = input_(rng, dtypes=FLOATS + INTEGERS, shape_=shape(rng, low=1))
    axis = int(rng.integers(0, one.values.ndim))
    n, ngroups = one.values.shape[axis], int(rng.integers(1, 4))
    labels = rng.integers(-1, ngroups, n)
    q = [float(x) for x in rng.random(rng.integers(1, 3))]
    data = np.moveaxis(one.values, axis, -1)
    masks = np.moveaxis(one.mask(), axis, -1)
    rows = [quantile_row(r[labels == g], h[labels == g], x, "linear", True)
            for x in q
            for r, h in zip(data.reshape(-1, n), masks.reshape(-1, n))
            for g in range(ngroups)]
    dtype = np.dtype("f4" if one.values.dtype == np.float32 else "f8")
    want = collect(rows, dtype, (len(q),) + data.shape[:-1] + (ngroups,))
    want = np.moveaxis(want, -1, axis + 1)
    return Case(f"{one.values.dtype} {one.values.shape} axis {axis} {labels}",
                lambda c: one.on(c).quantile_by(axis, list(labels), ngroups,
                                                q), want, 1e-6, 1e-6)


if __name__ == "__main__":
    main()
