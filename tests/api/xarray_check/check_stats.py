#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Selections and statistics of random data sets against xarray and NumPy, with
equal bits for any number of threads and under the least memory limit.

A case that fails prints its number; NCG_CASE=number runs it alone.
"""
import os
import sys
import warnings

import check_sets  # noqa: F401  (says why where modules are missing)
import numpy as np
import xarray as xr

import sets
from check_sets import field
from sets import ncg

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "cli"))
import reference  # noqa: E402

warnings.simplefilter("ignore")
CHECKS = []
UNITS = "days since 2001-01-01"
NAMES = ["time", "lat", "lon"]


def check(cases):
    def register(function):
        CHECKS.append((function, cases))
        return function
    return register


def dataset(rng, most=40):
    """Two variables, of which one lacks a dimension."""
    sizes = [int(rng.integers(2, n + 1)) for n in (most, 4, 5)]
    step = float(rng.choice([1, 9, 31, 80]))
    out = xr.Dataset(coords={
        "time": 3. + step * np.arange(sizes[0]),
        "lat": np.linspace(-60, 60, sizes[1]),
        "lon": np.linspace(0, 300, sizes[2])})
    out["time"].attrs.update(units=UNITS, standard_name="time")
    out["lat"].attrs.update(units="degrees_north", standard_name="latitude")
    out["lon"].attrs.update(units="degrees_east", standard_name="longitude")
    out["a"] = (NAMES, field(rng, sizes))
    out["b"] = (["time", "lat"], field(rng, sizes[:2]))
    return out


def everywhere(build, contexts, values):
    """What values(build(context)) gives, which has the same bits everywhere:
    the last context has a limit of one byte."""
    got = [values(build(c)) for c in contexts[:-1]]
    got.append(ncg.within_least(lambda c: values(build(c)), contexts[-1]))
    for other in got[1:]:
        assert list(other) == list(got[0])
        for name in got[0]:
            assert other[name].tobytes() == got[0][name].tobytes(), \
                f"other bits in {name}"
    return got[0]


def data(made):
    """The values of the data variables, NaN where missing."""
    return {n: np.asarray(made.values(n)) for n in made.names()
            if n in ("a", "b")}


def near(got, want, scale=100.0, text=""):
    want = np.asarray(want, "f8")
    got = np.asarray(got, "f8").reshape(want.shape)
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6 * scale,
                               err_msg=text)


def real(var):
    return np.asarray(var.values, "f8")


@check(60)
def isel(rng, contexts):
    ds = dataset(rng)
    text, where = [], {}
    for dim in rng.permutation(NAMES)[:rng.integers(1, 4)]:
        n = ds.sizes[dim]
        kind = rng.integers(0, 3)
        if kind == 0:
            start, stop = sorted(rng.integers(0, n + 1, 2))
            stop += start == stop
            step = int(rng.integers(1, 4))
            text.append(f"{dim}={start}:{stop}:{step}")
            where[dim] = slice(start, stop, step)
            if start >= n:
                where[dim] = slice(0, 0)
        elif kind == 1:
            where[dim] = [int(i) for i in rng.integers(-n, n, 2)]
            text.append(f"{dim}={where[dim][0]},{where[dim][1]}")
        else:
            where[dim] = [int(rng.integers(-n, n))]
            text.append(f"{dim}={where[dim][0]}")

    def build(c):
        return sets.make(c, ds, np.random.default_rng(1)).isel(text)

    want = ds.isel(where)
    if 0 in want.sizes.values():
        try:
            build(contexts[0])
            raise AssertionError(f"{text} selects nothing")
        except ncg.Error as error:
            assert error.status == "EINVAL", str(error)
            return
    got = everywhere(build, contexts, data)
    for name in "ab":
        near(got[name], want[name].values, text=str(text))


@check(60)
def sel(rng, contexts):
    ds = dataset(rng)
    low, high = sorted(rng.uniform(-70, 70, 2))
    lon = float(rng.choice(ds["lon"].values)) + float(rng.uniform(-9, 9))
    words = [f"lat={low:.6f}..{high:.6f}", f"lon={lon:.6f}", "nearest"]
    years = np.array(reference.keys("year", ds.time.values, UNITS, "standard"))
    first = int(rng.integers(years[0], years[-1] + 1))
    words.insert(int(rng.integers(0, 3)), f"time={first}..{first}")
    inside = (ds.lat >= float(f"{low:.6f}")) & (ds.lat <= float(f"{high:.6f}"))
    want = ds.isel(lat=np.flatnonzero(inside),
                   time=np.flatnonzero(years == first))
    want = want.isel(lon=[int(np.argmin(np.abs(ds.lon.values - lon)))])

    def build(c):
        return sets.make(c, ds, np.random.default_rng(1)).select(words)

    if 0 in want.sizes.values():
        try:
            build(contexts[0])
            raise AssertionError(f"{words} selects nothing")
        except ncg.Error as error:
            assert error.status == "EINVAL", str(error)
            return
    got = everywhere(build, contexts, data)
    for name in "ab":
        near(got[name], want[name].values, text=str(words))


def over(rng, dims):
    picked = [d for d in dims if rng.random() < 0.6]
    return picked or [dims[0]]


@check(150)
def reduce(rng, contexts):
    ds = dataset(rng)
    op = str(rng.choice(reference.OPS + ["prod"]))
    if op == "prod":
        ds = ds.isel(time=slice(0, 5)) // 8 + 1
        ds["time"].attrs.update(units=UNITS, standard_name="time")
    dims = over(rng, NAMES[:2])
    how = {"skipna": bool(rng.random() < 0.7),
           "min_count": int(rng.integers(1, 4)),
           "ddof": int(rng.integers(0, 2)) if op in ("std", "var") else 0}
    by = str(rng.choice(reference.BY)) if "time" in dims and op not in (
        "argmin", "argmax") and rng.random() < 0.5 else None
    labels = by and reference.keys(by, ds.time.values, UNITS, "standard")

    def build(c):
        return sets.make(c, ds, np.random.default_rng(1)).reduce(
            op, " ".join(dims), by=by, **how)

    got = everywhere(build, contexts, data)
    for name in "ab":
        x = real(ds[name])
        axes = [ds[name].dims.index(d) for d in dims]
        want = reference.reduce_by(op, x, axes, 0, labels, **how) if by else \
            reference.reduce(op, x, axes, **how)
        scale = np.nanmax(np.abs(want), initial=1) if op in (
            "prod", "sum", "var") else 100
        near(got[name], want, scale, f"{op} of {name} over {dims} {by} {how}")


@check(60)
def weighted(rng, contexts):
    ds = dataset(rng)
    ds["w"] = ("lat", rng.uniform(0.1, 2, ds.sizes["lat"]))
    op = str(rng.choice(["mean", "sum", "std", "var"]))
    dims = ["lat"] + ["time"] * int(rng.integers(0, 2))

    def build(c):
        return sets.make(c, ds, np.random.default_rng(1)).reduce(
            op, " ".join(dims), weights="w")

    got = everywhere(build, contexts, data)
    for name in "ab":
        x = real(ds[name])
        axes = [ds[name].dims.index(d) for d in dims]
        w = np.broadcast_to(real(ds["w"]).reshape(
            [-1 if d == "lat" else 1 for d in ds[name].dims]), x.shape)
        near(got[name], reference.reduce(op, x, axes, weights=w), 2000,
             f"{op} of {name} over {dims}")


@check(60)
def quantile(rng, contexts):
    ds = dataset(rng)
    q = [float(x) for x in np.round(rng.random(rng.integers(1, 3)), 3)]
    method = str(rng.choice(["linear", "hazen", "lower", "inverted_cdf",
                             "median_unbiased"]))
    dims = over(rng, NAMES[:2])

    def build(c):
        return sets.make(c, ds, np.random.default_rng(1)).quantile(
            q, method, " ".join(dims))

    got = everywhere(build, contexts, data)
    for name in "ab":
        axes = [ds[name].dims.index(d) for d in dims]
        want = reference.reduce("quantile", real(ds[name]), axes, q=q,
                                method=method)
        near(got[name], want, text=f"{q} {method} of {name} over {dims}")


@check(40)
def anomaly(rng, contexts):
    ds = dataset(rng)
    by = [None, "month", "season", "year"][rng.integers(0, 4)]
    labels = by and reference.keys(by, ds.time.values, UNITS, "standard")

    def build(c):
        return sets.make(c, ds, np.random.default_rng(1)).anomaly(by)

    got = everywhere(build, contexts, data)
    for name in "ab":
        x = real(ds[name])
        parts = reference.groups(labels) if by else [list(range(x.shape[0]))]
        want = np.empty_like(x)
        for where in parts:
            mean = reference.reduce("mean", x[where], [0])
            want[where] = x[where] - mean
        near(got[name], want, text=f"{name} by {by}")


@check(40)
def arithmetic(rng, contexts):
    """What each operation of one input makes of every variable."""
    ds = dataset(rng)
    ops = [n for n, inputs in ncg.MAP_OPS.items() if inputs == 1 and n in (
        "negative", "absolute", "sqrt", "square", "floor", "isnan", "exp2")]
    op = str(rng.choice(sorted(ops)))
    number = float(rng.choice([2., 0.5]))

    def build(c):
        made = sets.make(c, ds, np.random.default_rng(1))
        return sets.map_(op, sets.scalar("multiply", made, number))

    got = everywhere(build, contexts, data)
    for name in "ab":
        want = getattr(np, op)(real(ds[name]) * number)
        near(got[name], want, np.nanmax(np.abs(want), initial=1), op)


if __name__ == "__main__":
    check_sets.CHECKS = CHECKS
    check_sets.main(lambda: [ncg.Context(1), ncg.Context(2),
                             ncg.Context(2, 1)])
