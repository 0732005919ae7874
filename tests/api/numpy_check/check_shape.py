#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Shape, joining, padding, shifting and chunks against NumPy."""
import numpy as np

import ncg
from cases import Case, check, chunks, input_, main, shape, values
from check_index import as_want


@check(cases=60)
def transpose(rng):
    one = input_(rng)
    rank = one.values.ndim
    order = None if rng.random() < 0.2 else [int(a) for a in
                                             rng.permutation(rank)]
    return Case(f"{one.values.shape} {order}",
                lambda c: one.on(c).transpose(order),
                as_want(one, np.transpose(one.values, order)))


@check(cases=60)
def broadcast_to(rng):
    whole = shape(rng)
    tail = whole[int(rng.integers(0, len(whole) + 1)):]
    one = input_(rng, shape_=tuple(1 if rng.random() < 0.3 else n
                                   for n in tail))
    return Case(f"{one.values.shape} to {whole}",
                lambda c: one.on(c).broadcast_to(whole),
                as_want(one, np.broadcast_to(one.values, whole)))


def merged(rng, sizes):
    """The sizes after some neighbours were merged or split."""
    out = []
    for n in sizes:
        if out and rng.random() < 0.4:
            out[-1] *= n
        elif n % 2 == 0 and rng.random() < 0.4:
            out += [2, n // 2]
        elif n % 3 == 0 and rng.random() < 0.4:
            out += [n // 3, 3]
        else:
            out.append(n)
        if rng.random() < 0.1:
            out.append(1)
    return out


@check(cases=150)
def reshape(rng):
    one = input_(rng)
    to = merged(rng, one.values.shape)
    asked = list(to)
    if to and rng.random() < 0.3:
        asked[int(rng.integers(0, len(to)))] = -1
    return Case(f"{one.values.shape} to {asked}",
                lambda c: one.on(c).reshape(asked),
                as_want(one, one.values.reshape(to)))


def pieces(rng, axis, same):
    whole = list(shape(rng, low=1))
    axis = axis % len(whole)
    out = []
    for _ in range(int(rng.integers(1, 5))):
        if not same:
            whole[axis] = int(rng.integers(1, 7))
        out.append(input_(rng, shape_=tuple(whole), missing=False))
    return out, axis


def joined_missing(rng, axis):
    """Parts of one dtype, of which some mark missing values by the same
    number; as masked arrays for the referee."""
    parts, axis = pieces(rng, axis, False)
    dtype = np.dtype(rng.choice(["i2", "i4", "u1"]))
    for part in parts:
        part.values = values(rng, dtype, part.values.shape, span=9)
        part.missing = dtype.type(7)
    return parts, axis


@check(cases=80)
def concatenate(rng):
    parts, axis = pieces(rng, int(rng.integers(0, 4)), False)
    return Case(f"{[p.values.shape for p in parts]} along {axis}",
                lambda c: ncg.concatenate([p.on(c) for p in parts], axis),
                np.concatenate([p.values for p in parts], axis))


@check(cases=40)
def concatenate_missing(rng):
    parts, axis = joined_missing(rng, int(rng.integers(0, 4)))
    want = np.concatenate([p.values for p in parts], axis)
    return Case(f"{[p.values.shape for p in parts]} along {axis}",
                lambda c: ncg.concatenate([p.on(c) for p in parts], axis),
                np.ma.masked_array(want, want == 7))


@check(cases=60)
def stack(rng):
    parts, axis = pieces(rng, int(rng.integers(0, 4)), True)
    axis -= len(parts[0].values.shape) + 1 if rng.random() < 0.4 else 0
    return Case(f"{[p.values.shape for p in parts]} along {axis}",
                lambda c: ncg.stack([p.on(c) for p in parts], axis),
                np.stack([p.values for p in parts], axis))


@check(cases=120)
def pad(rng):
    one = input_(rng)
    mode = str(rng.choice(["constant", "edge", "reflect", "symmetric",
                           "wrap"]))
    width = []
    for n in one.values.shape:
        most = n - 1 if mode == "reflect" else n
        width.append([int(w) for w in rng.integers(0, most + 1, 2)])
    value = one.values.dtype.type(3)
    how = {"constant_values": value} if mode == "constant" else {}
    want = np.pad(one.values, width, mode, **how) if width else one.values
    return Case(f"{one.values.dtype} {one.values.shape} {mode} {width}",
                lambda c: one.on(c).pad(width, mode, value),
                as_want(one, want))


@check(cases=50)
def roll(rng):
    one = input_(rng, shape_=shape(rng, low=1))
    axis = int(rng.integers(-one.values.ndim, one.values.ndim))
    shift = int(rng.integers(-20, 20))
    return Case(f"{one.values.shape} {shift} {axis}",
                lambda c: one.on(c).roll(shift, axis),
                as_want(one, np.roll(one.values, shift, axis)))


@check(cases=12)
def long_axes(rng):
    """More positions than are listed: parts are joined."""
    n = 2**20 + int(rng.integers(1, 9))
    one = input_(rng, dtypes=["i1", "i2"], shape_=(n,), missing=False)
    one.chunks = (int(rng.integers(n // 5, n)),)
    mode = str(rng.choice(["roll", "edge", "reflect", "symmetric", "wrap"]))
    if mode == "roll":
        shift = int(rng.integers(-n, n))
        return Case(f"roll {n} by {shift}", lambda c: one.on(c).roll(shift, 0),
                    np.roll(one.values, shift))
    width = [[int(w) for w in rng.integers(0, 9, 2)]]
    return Case(f"pad {n} {mode} {width}", lambda c: one.on(c).pad(width, mode),
                np.pad(one.values, width, mode))


@check(cases=40)
def flip(rng):
    one = input_(rng, shape_=shape(rng, low=1))
    axis = int(rng.integers(-one.values.ndim, one.values.ndim))
    return Case(f"{one.values.shape} {axis}",
                lambda c: one.on(c).flip(axis),
                as_want(one, np.flip(one.values, axis)))


@check(cases=60)
def diff(rng):
    one = input_(rng, shape_=shape(rng, low=1))
    axis = int(rng.integers(-one.values.ndim, one.values.ndim))
    n = int(rng.integers(0, 5))
    want = np.diff(one.real(), n, axis)
    if n == 0:
        want = as_want(one, one.values)
    return Case(f"{one.values.dtype} {one.values.shape} {n} {axis}",
                lambda c: one.on(c).diff(n, axis), want)


@check(cases=100)
def rechunk(rng):
    one = input_(rng)
    to = [int(rng.choice([0, -1, rng.integers(1, n + 1)]))
          for n in one.values.shape]
    second = chunks(rng, one.values.shape) or to

    def build(c):
        array = one.on(c).rechunk(to)
        for n, wanted, sizes in zip(array.shape, to, array.chunks()):
            assert sum(sizes) == n, (sizes, n)
            assert wanted == 0 or sizes[0] == (n if wanted < 0 else
                                               min(wanted, n)), (to, sizes)
        return array.rechunk(second)

    return Case(f"{one.values.shape} {one.chunks} to {to}, {second}", build,
                as_want(one, one.values))


@check(cases=40)
def rechunk_to(rng):
    one = input_(rng)
    to = []
    for n in one.values.shape:
        sizes = []
        while sum(sizes) < n:
            sizes.append(int(rng.integers(1, n - sum(sizes) + 1)))
        to.append(sizes)

    def build(c):
        array = one.on(c).rechunk_to(to)
        assert [list(s) for s in array.chunks()] == to
        return array

    return Case(f"{one.values.shape} to {to}", build,
                as_want(one, one.values))


@check(cases=40)
def chain(rng):
    """x + x.T and what hangs together with it."""
    n = int(rng.integers(1, 12))
    one = input_(rng, dtypes=["f8", "f4", "i4"], shape_=(n, n), missing=False)
    want = one.values + one.values.T

    def build(c):
        x = one.on(c)
        both = ncg.map_("add", x, x.transpose())
        return both.rechunk([-1, 2]).reshape([n * n]).roll(3, 0)

    return Case(f"{n}", build, np.roll(want.reshape(-1), 3))


if __name__ == "__main__":
    main()
