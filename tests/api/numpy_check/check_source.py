#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Arrays without files: constants, ranges, random numbers, a function's values,
memory of the caller that is not copied.

Random numbers have referees of their own: Philox4x32-10 as its paper tells it,
and the inverse of the normal distribution by bisection of math.erfc."""
import math

import numpy as np

import ncg
from cases import ALL, Case, FLOATS, INTEGERS, check, chunks, input_, main, \
    shape, values

NUMBERS = INTEGERS + FLOATS


def used(array):
    """Each source also as one input of a fused pass and of a kernel."""
    return ncg.concatenate([array, ncg.map_("maximum", array, array)], 0)


def twice(want):
    return np.concatenate([want, want], 0)


@check(cases=80)
def full(rng):
    dtype = np.dtype(rng.choice(ALL))
    value = values(rng, dtype, (), nan=0.3)
    to = shape(rng, low=1)
    cut = chunks(rng, to)
    return Case(f"{dtype} {to} {cut} {value}",
                lambda c: used(ncg.full(c, to, value, cut)),
                twice(np.full(to, value, dtype)))


@check(cases=120)
def arange(rng):
    dtype = np.dtype(rng.choice(NUMBERS))
    n = int(rng.integers(1, 50))
    if dtype.kind == "f":
        start, step = float(rng.normal(0, 9)), float(rng.choice(
            [1, 0.1, -0.3, 2.5]))
    else:
        start, step = int(rng.integers(0, 20)), int(rng.integers(1, 4))
        if dtype.kind == "i" and rng.random() < 0.5:
            step = -step
        n = min(n, 25)
    stop = start + (n - 0.5) * step
    if dtype.kind != "f":
        stop = start + n * step
    want = np.arange(start, stop, step, dtype)
    return Case(f"{dtype} {start} {stop} {step}",
                lambda c: used(ncg.arange(c, dtype, start, stop, step,
                                          int(rng.integers(0, n + 1)))),
                twice(want))


@check(cases=20)
def arange_refuses(rng):
    start, step = [(0.5, 1.0), (0.0, 0.5), (0.0, 0.0)][rng.integers(0, 3)]
    return Case(f"{start} {step}",
                lambda c: ncg.arange(c, "i4", start, 10.0, step), "EINVAL")


@check(cases=120)
def linspace(rng):
    dtype = np.dtype(rng.choice(["f4", "f8", "i4", "i8"]))
    n = int(rng.integers(1, 40))
    start, stop = (float(x) for x in rng.normal(0, 100, 2))
    end = bool(rng.random() < 0.6)
    want = np.linspace(start, stop, n, end, dtype=dtype)
    return Case(f"{dtype} {start} {stop} {n} {end}",
                lambda c: used(ncg.linspace(c, dtype, start, stop, n, end,
                                            int(rng.integers(0, n + 1)))),
                twice(want))


def philox(seed, n):
    """n words of 64 bits: block i has the counter (i, 0, 0), the key `seed`."""
    words = []
    for block in range((n + 1) // 2):
        x = [block & 0xffffffff, block >> 32, 0, 0]
        key = [seed & 0xffffffff, seed >> 32]
        for _ in range(10):
            a, b = x[0] * 0xD2511F53, x[2] * 0xCD9E8D57
            x = [(b >> 32) ^ x[1] ^ key[0], b & 0xffffffff,
                 (a >> 32) ^ x[3] ^ key[1], a & 0xffffffff]
            key = [(key[0] + 0x9E3779B9) & 0xffffffff,
                   (key[1] + 0xBB67AE85) & 0xffffffff]
        words += [x[0] | x[1] << 32, x[2] | x[3] << 32]
    return words[:n]


def normal(word):
    p = ((word >> 11) + 0.5) * 2.0**-53
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        if 0.5 * math.erfc(-middle / math.sqrt(2)) < p:
            low = middle
        else:
            high = middle
    return low


@check(cases=60)
def random(rng):
    kind = ["uniform", "normal"][rng.integers(0, 2)]
    dtype = np.dtype(rng.choice(FLOATS))
    to, seed = shape(rng, low=1, high=3), int(rng.integers(0, 2**63))
    words = philox(seed, math.prod(to))
    if kind == "normal":
        want = [normal(w) for w in words]
    elif dtype == np.float32:
        want = [(w >> 40) * 2.0**-24 for w in words]
    else:
        want = [(w >> 11) * 2.0**-53 for w in words]
    cut = chunks(rng, to)
    exact = kind == "uniform"
    return Case(f"{kind} {seed} {dtype} {to} {cut}",
                lambda c: used(ncg.random(c, kind, seed, dtype, to, cut)),
                twice(np.array(want).astype(dtype).reshape(to)),
                0 if exact else 2e-7 if dtype == np.float32 else 1e-13,
                0 if exact else 1e-14)


@check(cases=60)
def random_integers(rng):
    dtype = np.dtype(rng.choice(["i2", "i4", "i8", "f8"]))
    to, seed = shape(rng, low=1, high=3), int(rng.integers(0, 2**63))
    low = int(rng.integers(-100, 100))
    high = low + int(rng.choice([1, 2, 10, 1000]))
    want = [low + (w * (high - low) >> 64) for w in philox(
        seed, math.prod(to))]
    cut = chunks(rng, to)
    return Case(f"{low} {high} {seed} {dtype} {to} {cut}",
                lambda c: used(ncg.random_integers(c, low, high, seed, dtype,
                                                   to, cut)),
                twice(np.array(want).astype(dtype).reshape(to)))


@check(cases=80)
def from_callback(rng):
    one = input_(rng, shape_=shape(rng, low=1), dtypes=NUMBERS)

    def fill(start, count, out):
        out[...] = one.values[tuple(slice(s, s + n)
                                    for s, n in zip(start, count))]

    def build(c):
        made = ncg.from_callback(c, fill, one.values.dtype, one.values.shape,
                                 one.chunks, one.missing)
        return ncg.map_("add", made, made)

    return Case(f"{one.values.dtype} {one.values.shape} {one.chunks}", build,
                one.real() + one.real())


@check(cases=20)
def failing_callback(rng):
    to = shape(rng, low=1)

    def fill(_start, _count, _out):
        raise ValueError("no values today")

    return Case(f"{to}", lambda c: ncg.from_callback(
        c, fill, np.dtype("f4"), to, None), "EKERNEL")


@check(cases=80)
def from_memory(rng):
    """Released once, when nothing reads it any more."""
    one = input_(rng, shape_=shape(rng, low=1))

    def build(c):
        released = []
        held = ncg.borrow(c, one.values, one.chunks, one.missing, released)
        turned = held.flip(0)
        del held
        result = turned.compute()
        missing = turned.missing() if one.missing is not None else None
        del turned
        assert len(released) == 1, f"released {len(released)} times"
        return c.array(result, one.chunks,
                       None if missing is None else missing[0])

    want = one.values[::-1]
    if one.missing is not None:
        want = np.ma.masked_array(want, want == one.missing)
    return Case(f"{one.values.dtype} {one.values.shape} {one.chunks}", build,
                want)


if __name__ == "__main__":
    main()
