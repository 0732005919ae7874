# SPDX-License-Identifier: BSD-3-Clause
"""Random cases, run with 1, 2 and 4 threads and under the least memory limit
that they can have, and compared with a referee.

A check is a function of a random generator that returns a Case. `main` runs
the checks of a program, a number of cases each; a case that fails prints the
seed, with which NCG_SEED=... NCG_CASE=check runs it alone.
"""
import os
import sys
import time
import traceback
import zlib

import numpy as np

import ncg

INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
FLOATS = ["f4", "f8"]
ALL = INTEGERS + FLOATS + ["bool"]
CHECKS = []


class Input:
    """Values, how they are cut into chunks, and the value that marks missing
    integers."""

    def __init__(self, values, chunks=None, missing=None):
        self.values = values
        self.chunks = chunks
        self.missing = missing

    def on(self, context):
        return context.array(self.values, self.chunks, self.missing)

    def mask(self):
        if self.values.dtype.kind == "f":
            return np.isnan(self.values)
        if self.missing is None:
            return np.zeros(self.values.shape, bool)
        return self.values == self.missing

    def real(self):
        """As the library computes with it: integers with a missing value are
        floating-point numbers with NaN."""
        if self.missing is None or self.values.dtype.kind == "f":
            return self.values
        wide = self.values.astype(real_dtype(self.values.dtype))
        wide[self.mask()] = np.nan
        return wide


class Case:
    """build(context) makes the array; want: the values, a masked array where
    integers are missing, or the name of a status."""

    def __init__(self, text, build, want, rtol=0.0, atol=0.0):
        self.text = text
        self.build = build
        self.want = want
        self.rtol = rtol
        self.atol = atol


def real_dtype(dtype):
    """f4 for what has below 32 bits and for f4, else f8."""
    dtype = np.dtype(dtype)
    small = dtype.itemsize < 4 or dtype == np.float32
    return np.dtype("f4" if small else "f8")


def check(cases=40):
    def register(function):
        CHECKS.append((function, cases))
        return function
    return register


# ---- random inputs -----------------------------------------------------------

def shape(rng, rank=None, most=9, low=0, high=4):
    rank = int(rng.integers(low, high + 1)) if rank is None else rank
    return tuple(int(n) for n in rng.integers(1, most + 1, rank))


def chunks(rng, shape_):
    if rng.random() < 0.2:
        return None
    return tuple(int(rng.integers(1, n + 1)) for n in shape_)


def values(rng, dtype, shape_, nan=0.2, span=50):
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return rng.random(shape_) < 0.5
    if dtype.kind == "f":
        out = np.asarray(rng.normal(0, span / 4, shape_)).astype(dtype)
        holes = rng.random(shape_) < nan * (rng.random() < 0.6)
        return np.where(holes, dtype.type(np.nan), out)
    low = -span if dtype.kind == "i" else 0
    return np.asarray(rng.integers(low, span, shape_)).astype(dtype)


def input_(rng, dtype=None, shape_=None, missing=True, dtypes=ALL, **how):
    dtype = np.dtype(dtype or rng.choice(dtypes))
    shape_ = shape(rng) if shape_ is None else shape_
    data = values(rng, dtype, shape_, **how)
    marker = None
    if missing and dtype.kind in "iu" and rng.random() < 0.4:
        marker = dtype.type(7)
    return Input(data, chunks(rng, shape_), marker)


def axes(rng, rank, least=0):
    """Distinct axes in any order, some counted from the end."""
    n = int(rng.integers(least, rank + 1))
    picked = rng.permutation(rank)[:n]
    return [int(a) - (rank if rng.random() < 0.3 else 0) for a in picked]


# ---- running -------------------------------------------------------------------

def contexts():
    return [ncg.Context(threads) for threads in (1, 2, 4)]


def differ(got, missing, case):
    """What is wrong with the result, or None."""
    want = case.want
    mask = np.ma.getmaskarray(want) if np.ma.isMaskedArray(want) else None
    want = np.asarray(want)
    if got.shape != want.shape:
        return f"shape {got.shape}, not {want.shape}"
    if got.dtype != want.dtype:
        return f"dtype {got.dtype}, not {want.dtype}"
    holes = np.zeros(got.shape, bool)
    if got.dtype == np.bool_:  # missing truth values are another byte
        got = got.view("u1")
        want = want.astype("u1")
        missing = None if missing is None else missing.view("u1")
    if mask is not None:
        if mask.any() and missing is None:
            return "nothing is missing"
        holes = got == missing if missing is not None else holes
        if (holes != mask).any():
            return f"missing\n{holes}\nnot\n{mask}"
    if got.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            good = (got == want) | (np.isnan(got) & np.isnan(want)) | (
                np.abs(got - want) <= case.atol + case.rtol * np.abs(want))
    else:
        good = got == want
    if (good | holes).all():
        return None
    return f"values\n{got}\nnot\n{want}"


def run_case(case, all_contexts, least):
    """What is wrong, or None. `least`: a context with a limit of one byte."""
    results, missing = [], None
    for context in all_contexts:
        try:
            array = case.build(context)
            results.append(array.compute())
            missing = array.missing()
        except ncg.Error as error:
            if isinstance(case.want, str) and case.want == error.status:
                return None
            return f"{error}"
    if isinstance(case.want, str):
        return f"no {case.want}"
    for context, result in zip(all_contexts, results):
        if result.tobytes() != results[0].tobytes():
            return f"other bits with {context.threads} threads"
    tight = ncg.within_least(lambda c: case.build(c).compute(), least)
    if tight.tobytes() != results[0].tobytes():
        return "other bits under a memory limit"
    return differ(results[0], missing, case)


def main():
    """Runs all checks; ends with status 1 if a case fails."""
    only = os.environ.get("NCG_CASE")
    seed0 = os.environ.get("NCG_SEED")
    share = float(os.environ.get("NCG_SHARE", "1"))
    all_contexts, least, failed, total = contexts(), ncg.Context(2, 1), 0, 0
    for function, cases in CHECKS:
        name = function.__name__
        if only and only != name:
            continue
        start, base = time.monotonic(), zlib.crc32(name.encode())
        wrong = 0
        count = max(3, int(cases * share))
        for seed in [int(seed0)] if seed0 else range(base, base + count):
            case = None
            try:
                with np.errstate(all="ignore"):
                    case = function(np.random.default_rng(seed))
                    bad = run_case(case, all_contexts, least)
            except Exception:  # noqa: BLE001
                bad = traceback.format_exc()
            total += 1
            if bad:
                wrong += 1
                if wrong <= 3:
                    print(f"NCG_CASE={name} NCG_SEED={seed}: "
                          f"{case.text if case else ''}: {bad}")
        failed += wrong
        print(f"{name}: {count} cases, {wrong} wrong, "
              f"{time.monotonic() - start:.1f} s", flush=True)
    print(f"{total} cases, {failed} wrong")
    sys.exit(failed > 0)
