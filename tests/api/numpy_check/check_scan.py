#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Cumulative operations and filling against NumPy."""
import numpy as np

from cases import Case, FLOATS, INTEGERS, check, input_, main, shape

NUMBERS = FLOATS + INTEGERS


def scan_row(op, row, holes, skipna, dtype):
    """A cumulative operation; None: missing."""
    out, state = [], None
    for value, hole in zip(row, holes):
        if hole and not skipna:
            out += [None] * (len(row) - len(out))
            return out
        if not hole:
            if state is None:
                state = dtype.type(value)
            elif op == "sum":
                state = state + dtype.type(value)
            elif op == "prod":
                state = state * dtype.type(value)
            else:
                state = min(state, value) if op == "min" else max(state, value)
        if state is None and op in ("sum", "prod"):
            out.append(dtype.type(op == "prod"))
        else:
            out.append(state)
    return out


def scan_dtype(op, one):
    dtype = one.values.dtype
    if one.missing is not None and op in ("sum", "prod"):
        return np.dtype(np.result_type(one.real().dtype))
    if op in ("sum", "prod") and dtype.kind != "f":
        return np.dtype("u8" if dtype.kind == "u" else "i8")
    return dtype


@check(cases=200)
def scan(rng):
    op = str(rng.choice(["sum", "prod", "min", "max"]))
    one = input_(rng, dtypes=NUMBERS, shape_=shape(rng, low=1),
                 span=3 if op == "prod" else 50)
    axis = int(rng.integers(-one.values.ndim, one.values.ndim))
    skipna = bool(rng.random() < 0.6)
    dtype = scan_dtype(op, one)
    wide = np.dtype("f8") if dtype.kind == "f" else dtype
    n = one.values.shape[axis]
    data = np.moveaxis(one.values, axis, -1)
    masks = np.moveaxis(one.mask(), axis, -1)
    rows = [scan_row(op, r, h, skipna, wide)
            for r, h in zip(data.reshape(-1, n), masks.reshape(-1, n))]
    holes = np.array([v is None for row in rows for v in row], bool)
    blank = np.nan if wide.kind == "f" else 0
    flat = [blank if v is None else v for row in rows for v in row]
    want = np.array(flat, wide).astype(dtype).reshape(data.shape)
    if one.missing is not None and dtype.kind != "f":
        want = np.ma.masked_array(want, holes.reshape(data.shape))
    rtol = 0 if dtype.kind != "f" else 1e-5 if dtype.itemsize == 4 else 1e-12
    return Case(f"{op} {one.values.dtype} {one.values.shape} {axis} {skipna}",
                lambda c: one.on(c).scan(op, axis, skipna),
                np.moveaxis(want, -1, axis), rtol, rtol * 50)


def fill_row(row, holes, limit):
    out, last, run = row.copy(), None, 0
    left = holes.copy()
    for i, hole in enumerate(holes):
        if not hole:
            last, run = row[i], 0
        elif last is not None:
            run += 1
            if not limit or run <= limit:
                out[i], left[i] = last, False
    return out, left


@check(cases=120)
def fill(rng):
    op = str(rng.choice(["ffill", "bfill"]))
    one = input_(rng, dtypes=NUMBERS, shape_=shape(rng, low=1), nan=0.6)
    axis = int(rng.integers(-one.values.ndim, one.values.ndim))
    limit = int(rng.choice([0, 0, 1, 2]))
    way = -1 if op == "bfill" else 1
    n = one.values.shape[axis]
    data = np.moveaxis(one.values, axis, -1)
    masks = np.moveaxis(one.mask(), axis, -1)
    both = [fill_row(r[::way], h[::way], limit)
            for r, h in zip(data.reshape(-1, n), masks.reshape(-1, n))]
    want = np.array([b[0][::way] for b in both]).reshape(data.shape)
    left = np.array([b[1][::way] for b in both]).reshape(data.shape)
    want = np.moveaxis(want, -1, axis)
    if one.missing is not None:
        want = np.ma.masked_array(want, np.moveaxis(left, -1, axis))
    return Case(f"{op} {one.values.dtype} {one.values.shape} {axis} {limit}",
                lambda c: one.on(c).scan(op, axis, True, limit), want)


if __name__ == "__main__":
    main()
