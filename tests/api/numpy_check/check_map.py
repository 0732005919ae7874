#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Element-wise operations, casts, where, clip against NumPy."""
import numpy as np

import ncg
from cases import ALL, Case, INTEGERS, check, input_, main, real_dtype, shape

# Results that come from a mathematical library may differ in the last bits.
LIBRARY = {"power", "arctan2", "hypot", "cbrt", "exp", "exp2", "expm1", "log",
           "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos",
           "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
           "radians", "degrees"}
# Integers stay integers where NumPy makes them floating-point numbers, and the
# other way round for reciprocal; truth values stay truth values.
KEEPS = {"rint"}
KEEPS_BOOL = {"square", "sign"}


def numpy_result(op, parts):
    """What NumPy gives; f4 where it has 16-bit numbers. None: it refuses."""
    if op == "where":
        parts = [parts[0] != 0, *parts[1:]]
    function = getattr(np, op)
    if op == "reciprocal":
        dtype = "f8" if parts[0].dtype.kind != "f" else parts[0].dtype
        return np.reciprocal(parts[0].astype(dtype))
    if op in KEEPS and parts[0].dtype.kind != "f":
        return parts[0]
    if op in KEEPS_BOOL and parts[0].dtype == np.bool_:
        return parts[0]
    try:
        out = function(*parts)
        if out.dtype == np.float16:
            out = function(*[p.astype("f4") for p in parts])
    except (TypeError, ValueError):
        return None
    return np.asarray(out)


def broadcastable(rng, shape_):
    """A shape that broadcasts with `shape_`."""
    tail = shape_[int(rng.integers(0, len(shape_) + 1)):]
    return tuple(1 if rng.random() < 0.2 else n for n in tail)


@check(cases=800)
def elementwise(rng):
    op = str(rng.choice(sorted(ncg.MAP_OPS)))
    whole = shape(rng)
    span = 12 if op in ("power", "left_shift", "right_shift", "exp2", "exp",
                        "expm1") else 50
    inputs = [input_(rng, shape_=whole if i == 0 else
                     broadcastable(rng, whole), span=span)
              for i in range(ncg.MAP_OPS[op])]
    if op == "power" and inputs[1].values.dtype.kind == "i":
        # NumPy refuses negative exponents of integers.
        inputs[-1].values = np.abs(inputs[-1].values.astype("f8"))
        inputs[-1].missing = None
    parts = [i.real() for i in inputs]
    want = numpy_result(op, parts)
    text = f"{op} {[str(i.values.dtype) for i in inputs]} {whole}" \
           f" missing {[i.missing for i in inputs]}"
    if op == "where" and inputs[0].values.dtype.kind == "f":
        want = np.where(np.isnan(parts[0]), True, parts[0] != 0)
        want = np.where(want, parts[1], parts[2])
    if want is None:
        want = "EINVAL"
    rtol = 0.0
    if op in LIBRARY and not isinstance(want, str):
        rtol = 2e-6 if want.dtype == np.float32 else 1e-14
    return Case(text, lambda c: ncg.map_(op, *[i.on(c) for i in inputs]), want,
                rtol, atol=1e-30 if rtol else 0)


@check(cases=500)
def small(rng):
    """Integers of one and two bytes and truth values meet in dtypes of their
    own, or do not meet."""
    dtypes = ["bool", "i1", "u1", "i2", "u2"]
    op = str(rng.choice(sorted(o for o, n in ncg.MAP_OPS.items() if n < 3)))
    inputs = [input_(rng, dtypes=dtypes, shape_=(3,), missing=False, span=5)
              for _ in range(ncg.MAP_OPS[op])]
    for one in inputs[1:] if op in ("power", "left_shift", "right_shift") \
            else []:
        one.values = np.abs(one.values)
    want = numpy_result(op, [i.values for i in inputs])
    return Case(f"{op} {[str(i.values.dtype) for i in inputs]}",
                lambda c: ncg.map_(op, *[i.on(c) for i in inputs]),
                "EINVAL" if want is None else want,
                2e-6 if op in LIBRARY else 0.0)


@check(cases=150)
def bits(rng):
    """Operations on bits, of truth values as well as of integers."""
    op = str(rng.choice(["bitwise_and", "bitwise_or", "bitwise_xor", "invert",
                         "left_shift", "right_shift"]))
    dtypes = INTEGERS + 4 * ["bool"]
    one = input_(rng, dtypes=dtypes, missing=False, span=7)
    two = input_(rng, dtypes=dtypes, missing=False, span=7,
                 shape_=one.values.shape)
    if op.endswith("shift"):
        two.values = np.abs(two.values.astype("i8")).astype(two.values.dtype)
    inputs = [one, two][:ncg.MAP_OPS[op]]
    want = numpy_result(op, [i.values for i in inputs])
    return Case(f"{op} {[str(i.values.dtype) for i in inputs]}",
                lambda c: ncg.map_(op, *[i.on(c) for i in inputs]),
                "EINVAL" if want is None else want)


@check(cases=150)
def fused(rng):
    """Several operations in one pass."""
    one = input_(rng, dtypes=ALL[:-1], span=10)
    two = input_(rng, shape_=one.values.shape, dtypes=ALL[:-1], span=10)
    a, b = one.real(), two.real()
    want = np.where(a < b, np.abs(a - b) * a, np.maximum(a + b, a))

    def build(c):
        x, y = one.on(c), two.on(c)
        less = ncg.map_("less", x, y)
        left = ncg.map_("multiply", ncg.map_(
            "absolute", ncg.map_("subtract", x, y)), x)
        right = ncg.map_("maximum", ncg.map_("add", x, y), x)
        return ncg.map_("where", less, left, right)

    return Case(f"{one.values.dtype} {two.values.dtype}", build, want)


@check(cases=150)
def cast(rng):
    one = input_(rng, missing=False, nan=0)
    to = np.dtype(rng.choice(ALL))
    values = one.values
    if values.dtype.kind == "f" and to.kind == "u":
        values = one.values = np.abs(values)
    want = np.asarray(values).astype(to)
    if values.dtype.kind == "f" and to.kind in "iu":
        want = np.ma.masked_array(want, np.zeros(want.shape, bool))
    return Case(f"{values.dtype} to {to}", lambda c: one.on(c).cast(to), want)


@check(cases=60)
def cast_missing(rng):
    """Missing values stay missing where the dtype can say so."""
    one = input_(rng, dtypes=INTEGERS + ["f4", "f8"], span=40)
    to = np.dtype(rng.choice(["i2", "i4", "i8", "f4", "f8"]))
    holes = one.mask()
    if to.kind == "f":
        want = np.where(holes, to.type(np.nan), one.values.astype(to))
    else:
        filled = np.where(holes, 0, one.values).astype(to)
        want = np.ma.masked_array(filled, holes)
    return Case(f"{one.values.dtype} to {to}", lambda c: one.on(c).cast(to),
                want)


@check(cases=60)
def clip(rng):
    one = input_(rng, dtypes=ALL[:-1])
    ends = [input_(rng, one.values.dtype, (), missing=False, nan=0)
            if rng.random() < 0.7 else None for _ in "ab"]
    want = one.real()
    if ends[0]:
        want = np.maximum(want, ends[0].values)
    if ends[1]:
        want = np.minimum(want, ends[1].values)
    if not any(ends):
        want = one.values if one.missing is None else \
            np.ma.masked_array(one.values, one.mask())
    return Case(f"{one.values.dtype}",
                lambda c: one.on(c).clip(*[e and e.on(c) for e in ends]), want)


@check(cases=30)
def wide_integers(rng):
    """64-bit integers are exact, and wrap around."""
    op = str(rng.choice(["add", "subtract", "multiply", "bitwise_and",
                         "bitwise_or", "bitwise_xor", "less", "maximum"]))
    dtype = np.dtype(rng.choice(["i8", "u8"]))
    info = np.iinfo(dtype)
    pair = [input_(rng, dtype, (5,), missing=False) for _ in "ab"]
    for one in pair:
        one.values = rng.integers(info.min, info.max, 5, dtype=dtype,
                                  endpoint=True)
    want = getattr(np, op)(pair[0].values, pair[1].values)
    return Case(f"{op} {dtype}",
                lambda c: ncg.map_(op, *[i.on(c) for i in pair]), want)


assert real_dtype("u2") == np.float32
if __name__ == "__main__":
    main()
