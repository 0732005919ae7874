#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Selection by position against NumPy, and its errors."""
import numpy as np

from cases import Case, check, input_, main, shape
from ncg import OMIT, map_


def as_want(one, data):
    """Integers with a missing value keep it where they are only moved."""
    if one.missing is None:
        return data
    return np.ma.masked_array(data, np.asarray(data) == one.missing)


def random_slice(rng, n):
    step = int(rng.choice([1, 1, 2, 3, -1, -2, n + 2]))
    ends = [None if rng.random() < 0.4 else int(rng.integers(-n - 2, n + 3))
            for _ in "ab"]
    return slice(ends[0], ends[1], step)


def random_index(rng, n):
    kind = rng.integers(0, 5)
    if kind == 0:
        return int(rng.integers(-n, n))
    if kind == 1:
        return [int(i) for i in rng.integers(-n, n, rng.integers(1, 2 * n))]
    if kind == 2:
        return rng.random(n) < 0.6
    return random_slice(rng, n)


def take(data, what):
    """Each index on its own axis."""
    axis = 0
    for item in what:
        if item is None:
            data = np.expand_dims(data, axis)
            axis += 1
        elif isinstance(item, int):
            data = np.take(data, item, axis)
        else:
            where = [slice(None)] * axis + [item]
            data = data[tuple(where)]
            axis += 1
    return data


@check(cases=250)
def index(rng):
    one = input_(rng, shape_=shape(rng, low=1))
    n = int(rng.integers(1, one.values.ndim + 1))
    what = [random_index(rng, s) for s in one.values.shape[:n]]
    while rng.random() < 0.3:
        what.insert(int(rng.integers(0, len(what) + 1)), None)
    want = as_want(one, take(one.values, what))
    return Case(f"{one.values.shape} {what}",
                lambda c: one.on(c).index(*what), want)


@check(cases=100)
def slices(rng):
    """Any axis, counted from either end; of nothing, too."""
    one = input_(rng, shape_=shape(rng, low=1))
    axis = int(rng.integers(-one.values.ndim, one.values.ndim))
    what = random_slice(rng, one.values.shape[axis])
    ends = [OMIT if e is None else e for e in (what.start, what.stop)]
    where = [slice(None)] * one.values.ndim
    where[axis] = what
    return Case(f"{one.values.shape} {axis} {what}",
                lambda c: one.on(c).slice(axis, *ends, what.step),
                as_want(one, one.values[tuple(where)]))


@check(cases=100)
def twice(rng):
    """A selection of a selection of a computed array."""
    one = input_(rng, dtypes=["i4", "f4", "f8"], missing=False,
                 shape_=shape(rng, low=1))
    first = [random_slice(rng, n) for n in one.values.shape]
    middle = one.values[tuple(first)] * 2
    second = [random_index(rng, max(1, n)) for n in middle.shape]
    if middle.size == 0:
        second = [slice(None)] * middle.ndim
    want = take(middle, second)

    def build(c):
        x = one.on(c).index(*first)
        return map_("add", x, x).index(*second)

    return Case(f"{one.values.shape} {first} {second}", build, want)


@check(cases=40)
def outside(rng):
    one = input_(rng, shape_=shape(rng, rank=2))
    n = one.values.shape[0]
    what = [[n], [-n - 1], [[0, n]], [np.ones(n + 1, bool)], [0, 0, 0],
            [slice(0, n, 0)]][int(rng.integers(0, 6))]
    return Case(f"{what}", lambda c: one.on(c).index(*what), "EINVAL")


if __name__ == "__main__":
    main()
