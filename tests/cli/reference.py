# SPDX-License-Identifier: BSD-3-Clause
"""Reductions by NumPy in double precision: what ncgraph's answers are compared
with. Arrays are float64 with NaN for missing values."""
import cftime
import numpy as np

RADIUS = 6371000.0
OPS = ("mean sum min max range std var count any all first last argmin "
       "argmax").split()
BY = "month season year yearmonth yearseason dayofyear date hour".split()


def moved(x, axes):
    """The reduced axes last, as one."""
    keep = [a for a in range(x.ndim) if a not in axes]
    shape = [x.shape[a] for a in keep]
    return x.transpose(keep + list(axes)).reshape(shape + [-1])


def first_index(flags):
    return np.argmax(flags, axis=-1)


def pick(x, index):
    return np.take_along_axis(x, index[..., None], axis=-1)[..., 0]


def weighted(op, x, valid, w):
    w = np.where(valid, w, 0.)
    z = np.where(valid, x, 0.)
    total = w.sum(-1)
    if op == "sum":
        return (w * z).sum(-1)
    mean = (w * z).sum(-1) / total
    if op == "mean":
        return mean
    var = (w * np.where(valid, x - mean[..., None], 0.) ** 2).sum(-1) / total
    return var if op == "var" else np.sqrt(var)


def plain(op, x, valid, ddof):
    n = valid.sum(-1)
    z = np.where(valid, x, 0.)
    low, high = np.where(valid, x, np.inf), np.where(valid, x, -np.inf)
    if op in ("mean", "sum"):
        return z.sum(-1) / n if op == "mean" else z.sum(-1)
    if op in ("std", "var"):
        mean = z.sum(-1) / n
        var = (np.where(valid, x - mean[..., None], 0.) ** 2).sum(-1) / (
            n - ddof)
        var = np.where(n - ddof > 0, var, np.nan)
        return var if op == "var" else np.sqrt(var)
    if op == "range":
        return high.max(-1) - low.min(-1)
    if op in ("first", "last"):
        flip = valid if op == "first" else valid[..., ::-1]
        index = first_index(flip)
        return pick(x, index if op == "first" else x.shape[-1] - 1 - index)
    return {"min": lambda: low.min(-1), "max": lambda: high.max(-1),
            "argmin": lambda: first_index(low == low.min(-1)[..., None]) * 1.,
            "argmax": lambda: first_index(high == high.max(-1)[..., None]) * 1.,
            "any": lambda: (z != 0).any(-1) * 1.,
            "all": lambda: ((x != 0) | ~valid).all(-1) * 1.}[op]()


def reduce(op, x, axes, weights=None, skipna=True, min_count=1, ddof=0,
           q=0.5, method="linear"):
    """`weights` has the shape of x; several quantiles become the first axis."""
    x = moved(x, axes)
    valid = ~np.isnan(x)
    n = valid.sum(-1)
    if op == "count":
        return np.where(n < (min_count if min_count > 1 else 0), np.nan, n)
    with np.errstate(all="ignore"):
        if op in ("median", "quantile"):
            out = np.nanquantile(x, q, axis=-1, method=method)
        elif op == "prod":
            out = np.where(valid, x, 1.).prod(-1)
        elif weights is None:
            out = plain(op, x, valid, ddof)
        else:
            out = weighted(op, x, valid, moved(weights, axes))
    out = np.where(n < min_count, np.nan, out)
    if not skipna:
        out = np.where(n < x.shape[-1], np.nan, out)
    return out


def keys(by, times, units, calendar):
    dates = cftime.num2date(times, units, calendar,
                            only_use_cftime_datetimes=True)
    one = {"month": lambda d: d.month, "season": lambda d: d.month % 12 // 3,
           "year": lambda d: d.year, "yearmonth": lambda d: (d.year, d.month),
           "yearseason": lambda d: (d.year + (d.month == 12),
                                    d.month % 12 // 3),
           "dayofyear": lambda d: d.dayofyr, "hour": lambda d: d.hour,
           "date": lambda d: (d.year, d.month, d.day)}[by]
    return [one(d) for d in dates]


def groups(labels):
    """Positions of each group, groups in rising order."""
    return [[i for i, k in enumerate(labels) if k == key]
            for key in sorted(set(labels))]


def reduce_by(op, x, axes, time_axis, labels, weights=None, **how):
    """The grouped axis stays where it was; it is the first of `axes`.
    Positions (argmin, argmax) count along the whole of the reduced axes."""
    parts = []
    rest = int(np.prod([x.shape[a] for a in axes if a != time_axis]))
    for where in groups(labels):
        part = np.take(x, where, axis=time_axis)
        w = None if weights is None else np.take(weights, where, axis=time_axis)
        out = reduce(op, part, axes, weights=w, **how)
        if op in ("argmin", "argmax"):
            at = np.nan_to_num(out).astype(int)
            whole = np.array(where)[at // rest] * rest + at % rest
            out = np.where(np.isnan(out), np.nan, whole)
        parts.append(out)
    kept_before = sum(1 for a in range(time_axis) if a not in axes)
    return np.stack(parts, axis=kept_before)


def edges(x):
    d = np.diff(x)
    d = np.concatenate([d[:1], d, d[-1:]])
    return x - d[:-1] / 2, x + d[1:] / 2


def area(lat, lon):
    """Areas of cells that meet half-way between the points, m2."""
    low, high = (np.radians(np.clip(e, -90, 90)) for e in edges(lat))
    band = np.abs(np.sin(high) - np.sin(low))
    west, east = (np.radians(e) for e in edges(lon))
    return RADIUS ** 2 * band[:, None] * np.abs(east - west)[None, :]
