#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of the program: by chunk, with halo, by reach, as a tree; chunks to a
callback."""
import ctypes

import numpy as np

import ncg
from cases import Case, check, input_, main, shape


def scale(inputs, output, _call):
    out = output.array()
    out[...] = inputs[0].array() * 2
    for other in inputs[1:]:
        out += other.array()


def three_point(inputs, output, _call):
    """Sum of each position and its neighbours along axis 0."""
    data, out = inputs[0].array(), output.array()
    before = output.start[0] - inputs[0].start[0]
    if inputs[0].shape[0] != output.shape[0]:  # padded
        before = 1
    for i in range(out.shape[0]):
        at = i + before
        low, high = max(0, at - 1), min(data.shape[0], at + 2)
        out[i] = data[low:high].sum(0)


def corners(inputs, output, call):
    """Sum of each position and all within `depth` of it, which are the
    parameters; the input is padded."""
    depth = np.frombuffer(ctypes.string_at(call.params, call.nparams), "i8")
    data, out = inputs[0].array(), output.array()
    out[...] = 0
    for shift in np.ndindex(*(2 * depth + 1)):
        out += data[tuple(slice(s, s + n) for s, n in zip(shift, out.shape))]


def where_am_i(_inputs, output, _call):
    out = output.array()
    place = np.indices(out.shape) + np.array(
        output.start[:output.rank]).reshape((-1,) + (1,) * output.rank)
    out[...] = sum(p * 10 ** i for i, p in enumerate(place))


def mean_chunk(inputs, output, _call):
    data, out = inputs[0].array(), output.array()
    over = tuple(a for a in range(data.ndim) if out.shape[a] != data.shape[a]
                 or data.shape[a] == 1)
    out[..., 0] = data.sum(over, keepdims=True)
    out[..., 1] = data.size / out[..., 0].size


def mean_combine(inputs, output, _call):
    data, out = inputs[0].array(), output.array()
    over = tuple(a for a in range(data.ndim - 1)
                 if out.shape[a] != data.shape[a])
    out[...] = data.sum(over, keepdims=True)


def mean_finish(inputs, output, _call):
    data, out = inputs[0].array(), output.array()
    out[...] = (data[..., 0] / data[..., 1]).reshape(out.shape)


def pairs(inputs, output, _call):
    data, out = inputs[0].array(), output.array()
    out[...] = data.reshape(out.shape[0], 2, *data.shape[1:]).sum(1)


def refuse(_inputs, _output, _call):
    raise ValueError("this kernel refuses")


KERNELS = [scale, three_point, corners, where_am_i, mean_chunk, mean_combine,
           mean_finish, pairs, refuse]


def name(kernel):
    return f"org.example.{kernel.__name__}/1"


def ready(context):
    """The context, which knows the kernels."""
    if not context.kernels:
        for kernel in KERNELS:
            context.register(name(kernel), kernel)
    return context


@check(cases=40)
def map_blocks(rng):
    one = input_(rng, dtypes=["f8"], nan=0)
    tail = one.values.shape[int(rng.integers(0, one.values.ndim + 1)):]
    two = input_(rng, dtypes=["f8"], nan=0,
                 shape_=tuple(1 if rng.random() < 0.2 else n for n in tail))
    return Case(f"{one.values.shape} {two.values.shape}",
                lambda c: ncg.map_blocks(name(scale),
                                         [one.on(ready(c)), two.on(c)]),
                one.values * 2 + two.values, 1e-15, 1e-13)


@check(cases=40)
def places(rng):
    one = input_(rng, dtypes=["i4"], missing=False, shape_=shape(rng, low=1))
    want = sum(p * 10 ** i for i, p in enumerate(np.indices(
        one.values.shape)))
    return Case(f"{one.values.shape} {one.chunks}",
                lambda c: ncg.map_blocks(name(where_am_i),
                                         [one.on(ready(c))], "i8"),
                want.astype("i8"))


@check(cases=60)
def map_overlap(rng):
    one = input_(rng, dtypes=["f8"], nan=0, shape_=shape(rng, low=1, most=7))
    boundary = str(rng.choice(["none", "reflect", "periodic", "nearest"]))
    depth = [1] + [0] * (one.values.ndim - 1)
    mode = {"reflect": "symmetric", "periodic": "wrap", "nearest": "edge",
            "none": "constant"}[boundary]
    wide = np.pad(one.values, [(d, d) for d in depth], mode)
    want = wide[:-2] + wide[1:-1] + wide[2:]
    return Case(f"{one.values.shape} {one.chunks} {boundary}",
                lambda c: one.on(ready(c)).map_overlap(name(three_point),
                                                       depth, boundary),
                want, 1e-14, 1e-12)


@check(cases=60)
def halos(rng):
    """Halos of several axes, which meet in the corners."""
    one = input_(rng, dtypes=["f8"], nan=0, shape_=shape(rng, low=1, most=6,
                                                         high=3))
    boundary = str(rng.choice(["reflect", "periodic", "nearest"]))
    depth = [int(rng.integers(0, min(2, n) + 1)) for n in one.values.shape]
    mode = {"reflect": "symmetric", "periodic": "wrap",
            "nearest": "edge"}[boundary]
    wide = np.pad(one.values, [(d, d) for d in depth], mode)
    want = np.zeros(one.values.shape)
    for shift in np.ndindex(*(2 * d + 1 for d in depth)):
        want += wide[tuple(slice(s, s + n)
                           for s, n in zip(shift, want.shape))]
    return Case(f"{one.values.shape} {one.chunks} {depth} {boundary}",
                lambda c: one.on(ready(c)).map_overlap(
                    name(corners), depth, boundary,
                    params=np.array(depth, "i8").tobytes()),
                want, 1e-14, 1e-12)


@check(cases=40)
def blockwise(rng):
    n = int(rng.integers(1, 12))
    one = input_(rng, dtypes=["f8"], nan=0, shape_=(2 * n, 3))
    sizes = []
    while sum(sizes) < n:
        sizes.append(int(rng.integers(1, n - sum(sizes) + 1)))
    reach = [[ncg.Reach(axis=0, mul=2), ncg.Reach(axis=1)]]
    want = one.values.reshape(n, 2, 3).sum(1)

    def build(c):
        array = ncg.blockwise(name(pairs), [sizes, [3]], [one.on(ready(c))],
                              reach)
        assert array.chunks() == (tuple(sizes), (3,))
        return array

    return Case(f"{n} {sizes} {one.chunks}", build, want)


@check(cases=60)
def reduction(rng):
    one = input_(rng, dtypes=["f8"], nan=0, shape_=shape(rng, low=1))
    rank = one.values.ndim
    over = [int(a) for a in rng.permutation(rank)[:rng.integers(1, rank + 1)]]
    # The kernels tell reduced axes by their sizes: others have one position
    # a chunk nowhere but where the axis has one.
    one.chunks = tuple(1 if a in over else n
                       for a, n in enumerate(one.values.shape))
    keep = bool(rng.random() < 0.5)
    want = one.values.mean(tuple(over), keepdims=keep)
    return Case(f"{one.values.shape} {over}",
                lambda c: one.on(ready(c)).reduction(
                    over, name(mean_chunk), name(mean_combine),
                    name(mean_finish), length=2, keepdims=keep),
                np.asarray(want), 1e-13, 1e-13)


@check(cases=20)
def failing_kernel(rng):
    one = input_(rng, dtypes=["f8"])
    return Case("", lambda c: ncg.map_blocks(name(refuse),
                                             [one.on(ready(c))]), "EKERNEL")


@check(cases=10)
def unknown_kernel(rng):
    one = input_(rng, dtypes=["f8"])
    return Case("", lambda c: ncg.map_blocks("org.example.none/1",
                                             [one.on(c)]), "ENOTFOUND")


@check(cases=40)
def each_chunk(rng):
    """What the callback gets, put together again."""
    one = input_(rng, dtypes=["f8", "i4"], missing=False)

    def build(c):
        array = one.on(c)
        array = ncg.map_("add", array, array)
        whole = np.zeros(array.shape, array.dtype)

        def put(chunk):
            where = tuple(slice(s, s + n) for s, n in zip(
                chunk.start[:chunk.rank], chunk.count[:chunk.rank]))
            whole[where] = chunk.array()

        array.each_chunk(put)
        return c.array(whole)

    return Case(f"{one.values.shape} {one.chunks}", build,
                one.values + one.values)


if __name__ == "__main__":
    main()
