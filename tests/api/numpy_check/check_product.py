#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""matmul and tensordot against NumPy."""
import numpy as np

from cases import Case, FLOATS, INTEGERS, check, input_, main


def pair(rng, shapes):
    dtypes = FLOATS + INTEGERS
    return [input_(rng, shape_=s, dtypes=dtypes, missing=False, nan=0, span=6)
            for s in shapes]


def tolerance(want):
    if want.dtype.kind != "f":
        return 0, 0
    return (1e-5, 1e-3) if want.dtype.itemsize == 4 else (1e-12, 1e-10)


@check(cases=120)
def matmul(rng):
    n, k, m = (int(x) for x in rng.integers(1, 12, 3))
    a, b = [n, k], [k, m]
    if rng.random() < 0.2:
        a = [k]
    if rng.random() < 0.2:
        b = [k]
    ahead = [int(x) for x in rng.integers(1, 4, rng.integers(0, 3))]
    if len(a) > 1:
        a = [1 if rng.random() < 0.3 else x for x in ahead] + a
    if len(b) > 1 and rng.random() < 0.6:
        b = ahead + b
    one, two = pair(rng, [tuple(a), tuple(b)])
    want = np.asarray(np.matmul(one.values, two.values))
    return Case(f"{one.values.dtype} {a} {two.values.dtype} {b}",
                lambda c: one.on(c).matmul(two.on(c)), want, *tolerance(want))


@check(cases=80)
def tensordot(rng):
    rank_a, rank_b = (int(x) for x in rng.integers(1, 4, 2))
    n = int(rng.integers(0, min(rank_a, rank_b) + 1))
    of_a = [int(x) for x in rng.permutation(rank_a)[:n]]
    of_b = [int(x) for x in rng.permutation(rank_b)[:n]]
    a = [int(x) for x in rng.integers(1, 7, rank_a)]
    b = [int(x) for x in rng.integers(1, 7, rank_b)]
    for x, y in zip(of_a, of_b):
        b[y] = a[x]
    one, two = pair(rng, [tuple(a), tuple(b)])
    want = np.asarray(np.tensordot(one.values, two.values, (of_a, of_b)))
    return Case(f"{one.values.dtype} {a} {two.values.dtype} {b} {of_a} {of_b}",
                lambda c: one.on(c).tensordot(two.on(c), (of_a, of_b)), want,
                *tolerance(want))


@check(cases=20)
def do_not_fit(rng):
    one, two = pair(rng, [(2, 3), (4, 2)])
    return Case("", lambda c: one.on(c).matmul(two.on(c)), "EINVAL")


if __name__ == "__main__":
    main()
