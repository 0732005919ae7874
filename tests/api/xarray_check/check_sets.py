#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Operations on random data sets against xarray.

A case that fails prints its number; NCG_CASE=number runs it alone.
"""
import importlib.util
import os
import sys
import tempfile
import traceback

for module in ("numpy", "xarray", "netCDF4"):
    if importlib.util.find_spec(module) is None:
        print(f"skipped: this Python has no {module}; "
              "scripts/install-deps --tests makes one that has")
        sys.exit(77)

import netCDF4  # noqa: E402
import numpy as np  # noqa: E402
import xarray as xr  # noqa: E402

import sets  # noqa: E402
from sets import ncg  # noqa: E402

DIMS = ["time", "lat", "lon", "lev"]
KINDS = ["i2", "i4", "f4", "f8"]
OPS = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply,
       "divide": np.divide, "minimum": np.minimum, "maximum": np.maximum,
       "less": np.less, "not_equal": np.not_equal}
CHECKS = []


def check(cases):
    def register(function):
        CHECKS.append((function, cases))
        return function
    return register


def index(rng, most=6, low=1):
    """Distinct values of a small range, so that two indices meet."""
    n = int(rng.integers(low, most + 1))
    values = np.sort(rng.permutation(most + 2)[:n]).astype("f8") * 10
    order = rng.integers(0, 3)
    return values[::-1] if order == 1 else \
        rng.permutation(values) if order == 2 else values


def field(rng, shape, dtype=None):
    dtype = np.dtype(dtype or rng.choice(KINDS))
    values = np.asarray(rng.integers(1, 40, shape)).astype(dtype)
    if dtype.kind == "f" and rng.random() < 0.5:
        values = np.where(rng.random(shape) < 0.2, dtype.type(np.nan), values)
    return values


def dataset(rng, coords, names="abc", least=1):
    """Variables over random dimensions of those in `coords`."""
    out = xr.Dataset(coords={d: v for d, v in coords.items()
                             if v.dtype == np.float64})
    bare = {d: v.size for d, v in coords.items() if d not in out.coords}
    sizes = {**{d: out.sizes[d] for d in out.dims}, **bare}
    for i, name in enumerate(names):
        if i >= least and rng.random() < 0.3:
            continue
        dims = [str(d) for d in rng.permutation(list(sizes))]
        dims = dims[:int(rng.integers(0, len(dims) + 1))]
        out[name] = (dims, field(rng, [sizes[d] for d in dims]))
    if rng.random() < 0.4 and "lat" in out.dims:
        out["area"] = ("lat", field(rng, [sizes["lat"]], "f8"))
    return out


def coords(rng, n=3):
    return {d: index(rng) for d in DIMS[:n]}


def both(rng, one):
    """A second set of coordinates, equal to the first or not."""
    two = {d: v if rng.random() < 0.4 else index(rng) for d, v in one.items()}
    return {d: v for d, v in two.items() if rng.random() < 0.85}


def expect(build, want):
    """Values, or a refusal where xarray refuses."""
    try:
        wanted = want()
    except Exception:  # noqa: BLE001
        wanted = None
    empty = wanted is not None and any(
        0 in v.shape for v in wanted.variables.values())
    if wanted is None or empty or (hasattr(wanted, "data_vars") and
                                   not wanted.data_vars):
        try:
            build()
        except ncg.Error as error:
            assert error.status in ("EINVAL", "EMISMATCH"), str(error)
            return None
        assert wanted is not None, "xarray refuses"
        return None
    return wanted


def each(function, ds):
    """Dataset.map, which drops coordinates of what it has no data for."""
    return ds.assign({n: function(v) for n, v in ds.data_vars.items()})


def sorted_union(ds, dims):
    """An outer join falls where all indices fall; xarray's rises."""
    for d in dims:
        if d in ds.indexes:
            ds = ds.sortby(d)
    return ds


def compare_sorted(got, want, dims, rtol=0.0):
    ours = got.to_xarray()
    assert set(ours.variables) == set(want.variables), \
        f"{sorted(ours.variables)} and {sorted(want.variables)}"
    ours, want = sorted_union(ours, dims), sorted_union(want, dims)
    for name in want.variables:
        assert ours[name].dims == want[name].dims, name
        assert ours[name].dtype == want[name].dtype, \
            f"{name}: {ours[name].dtype}, not {want[name].dtype}"
        np.testing.assert_allclose(ours[name].values, want[name].values,
                                   rtol=rtol, err_msg=name)


@check(150)
def binary(rng, context):
    c = coords(rng)
    a, b = dataset(rng, c), dataset(rng, both(rng, c))
    op = str(rng.choice(list(OPS)))
    join = str(rng.choice(["exact", "inner", "outer", "left", "right"]))

    def want():
        x, y = xr.align(a, b, join=join)
        shared = [n for n in x.data_vars if n in y.data_vars]
        out = xr.Dataset({n: OPS[op](x[n], y[n]) for n in shared})
        if not shared:
            return out
        return out.assign_coords({k: v for d in (x, y) for k, v in
                                  d.coords.items() if k not in out.coords})

    def build():
        return sets.binary(op, sets.make(context, a, rng),
                           sets.make(context, b, rng), join=join)

    wanted = expect(build, want)
    if wanted is not None:
        if op in ("less", "not_equal"):
            wanted = each(lambda v: v.astype(bool), wanted)
        compare_sorted(build(), wanted, list(c), rtol=1e-6)


@check(60)
def align(rng, context):
    c = coords(rng)
    parts = [dataset(rng, c)]
    parts += [dataset(rng, both(rng, c)) for _ in range(rng.integers(1, 3))]
    join = str(rng.choice(["exact", "inner", "outer", "left", "right"]))

    def build():
        return sets.align([sets.make(context, p, rng) for p in parts],
                          join=join)

    try:
        want = xr.align(*parts, join=join)
    except Exception:  # noqa: BLE001
        want = None
    if want is None or any(0 in v.shape for w in want
                           for v in w.variables.values()):
        try:
            build()
        except ncg.Error as error:
            assert error.status == "EMISMATCH", str(error)
            return
        assert want is not None, "xarray refuses"
        return
    for got, wanted in zip(build(), want):
        compare_sorted(got, wanted, list(c))


@check(80)
def merge(rng, context):
    c = coords(rng)
    a, b = dataset(rng, c, "ab"), dataset(rng, both(rng, c), "cd")
    if rng.random() < 0.5:
        b = b.drop_vars("area", errors="ignore")
    if rng.random() < 0.3 and a.sizes == {**a.sizes, **b.sizes}:
        b["a"] = a["a"].copy()
    join = str(rng.choice(["exact", "inner", "outer", "left"]))
    compat = str(rng.choice(["equals", "no_conflicts", "override"]))

    def build():
        return sets.merge([sets.make(context, x, rng) for x in (a, b)],
                          join=join, compat=compat)

    wanted = expect(build, lambda: xr.merge([a, b], join=join, compat=compat))
    if wanted is not None:
        compare_sorted(build(), wanted, list(c))


@check(80)
def concat(rng, context):
    c = coords(rng)
    first = dataset(rng, c, "ab", least=2)
    if "time" not in first["a"].dims:
        first["a"] = first["a"].expand_dims("time").copy() \
            if first.sizes["time"] == 1 else \
            first["a"].expand_dims(time=c["time"]).copy()
    parts = [first]
    for k in range(int(rng.integers(1, 3))):
        part = first.copy(deep=True)
        n = int(rng.integers(1, first.sizes["time"] + 1))
        part = part.isel(time=slice(0, n))
        part["time"] = part["time"] + 1000 * (k + 1)
        if rng.random() < 0.5:
            part["a"] = part["a"] + 1
        parts.append(part)
    wanted = xr.concat(parts, "time", data_vars="minimal", coords="minimal",
                       compat="equals", join="exact")
    got = sets.concat([sets.make(context, p, rng) for p in parts], "time")
    sets.same(got, wanted)


@check(40)
def stack(rng, context):
    c = coords(rng, 2)
    parts = [dataset(rng, c, "ab", least=2).drop_vars("area", errors="ignore")]
    for _ in range(int(rng.integers(1, 4))):
        parts.append(parts[0] + 1)
        parts[-1]["b"] = parts[-1]["b"].astype(parts[0]["b"].dtype)
    wanted = xr.concat(parts, "member", data_vars="all")
    got = sets.concat([sets.make(context, p, rng) for p in parts], "member")
    sets.same(got, wanted)


@check(40)
def rename(rng, context):
    ds = dataset(rng, coords(rng))
    names = {n: f"{n}_2" for n in ds.variables if rng.random() < 0.5}
    if {"a", "b"} <= set(ds.variables) and rng.random() < 0.5:
        names.update(a="b", b="a")
    made = sets.make(context, ds, rng)
    sets.same(made.rename(names), ds.rename(names))
    back = made.rename(names).rename({v: k for k, v in names.items()})
    sets.same(back, ds)


@check(40)
def drop(rng, context):
    ds = dataset(rng, coords(rng))
    names = [n for n in ds.variables if rng.random() < 0.3]
    sets.same(sets.make(context, ds, rng).drop(names), ds.drop_vars(names))


@check(30)
def attributes(rng, context):
    """Set, replaced, removed, and in the file."""
    ds = dataset(rng, coords(rng))
    made, want = sets.make(context, ds, rng), {}
    for step in range(int(rng.integers(1, 8))):
        var = [None, "a", "time"][rng.integers(0, 3)]
        name = f"n{rng.integers(0, 3)}"
        kind = rng.integers(0, 4)
        mine = want.setdefault(var, {})
        if kind == 0:
            made = made.remove_attr(var, name)
            mine.pop(name, None)
        elif kind == 1:
            mine[name] = f"text {step}"
            made = made.text(var, name, mine[name])
        else:
            dtype = str(rng.choice(["i2", "i4", "i8", "u1", "f4", "f8"]))
            mine[name] = rng.integers(0, 99, rng.integers(1, 4)).astype(dtype)
            made = made.set_attr(var, name, mine[name])
    for var, attrs in want.items():
        same_attrs(made.attrs(var), attrs)
    for name in ds.variables:
        np.testing.assert_array_equal(
            made.doubles(name), ds[name].values.reshape(-1).astype("f8"))
    grows = str(rng.choice(list(ds.sizes)))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.nc")
        made.unlimited(grows).save(path)
        with netCDF4.Dataset(path) as file:
            assert file.dimensions[grows].isunlimited()
            assert not any(d.isunlimited() for n, d in file.dimensions.items()
                           if n != grows)
            for var, attrs in want.items():
                there = file[var] if var else file
                same_attrs({n: there.getncattr(n) for n in there.ncattrs()
                            if n in attrs}, attrs)


def same_attrs(got, want):
    assert set(got) == set(want), f"{sorted(got)}, not {sorted(want)}"
    for name, value in want.items():
        if isinstance(value, str):
            assert got[name] == value, name
        else:
            assert np.atleast_1d(got[name]).dtype == value.dtype, name
            np.testing.assert_array_equal(np.atleast_1d(got[name]), value)


@check(80)
def select(rng, context):
    values = np.sort(rng.permutation(12)[:int(rng.integers(1, 8))]) * 10.0
    if rng.random() < 0.3:
        values = values[::-1]
    ds = dataset(rng, {"lev": values, "time": index(rng)})
    ds["v"] = ("lev", field(rng, [values.size]))
    wanted = list(rng.choice(values, int(rng.integers(1, 4))))
    method = [None, "nearest", "pad", "backfill"][int(rng.integers(0, 4))]
    if method:
        wanted = [w + float(rng.choice([-4, -1, 0, 1, 4])) for w in wanted]
    tolerance = 2.0 if method and rng.random() < 0.4 else None
    made = sets.make(context, ds, rng)

    def build():
        return made.sel("lev", wanted, method,
                        -1.0 if tolerance is None else tolerance)

    falls = values.size > 1 and values[0] > values[-1]
    rising = ds.sortby("lev") if falls else ds
    want = expect(build, lambda: rising.sel(lev=wanted, method=method,
                                            tolerance=tolerance))
    if want is not None:
        sets.same(build(), want)


@check(40)
def scalars(rng, context):
    ds = dataset(rng, coords(rng))
    made = sets.make(context, ds, rng)
    op = str(rng.choice(["add", "subtract", "multiply", "divide"]))
    number = float(rng.choice([2.0, 0.5, 3.0]))
    python = int(number) if number == int(number) else number
    reverse = bool(rng.random() < 0.3)
    want = each(lambda v: OPS[op](python, v) if reverse
                else OPS[op](v, python), ds)
    sets.same(sets.scalar(op, made, number, reverse), want, rtol=1e-6,
              dtypes=False)
    sets.same(sets.map_("negative", made), each(np.negative, ds))


@check(15)
def saved(rng, context):
    """What is written is what xarray reads."""
    c = coords(rng)
    a = dataset(rng, c)
    got = sets.make(context, a, rng).text("a", "units", "K")
    got = got.text(None, "title", "a test")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.nc")
        got.save(path)
        with xr.open_dataset(path) as ds:
            assert ds.attrs["title"] == "a test"
            assert ds["a"].attrs["units"] == "K"
            for name in a.variables:
                np.testing.assert_array_equal(ds[name].values, a[name].values)
            assert set(ds.variables) == set(a.variables)
        again = sets.open_(context, path)
        assert set(again.names()) == set(a.variables)


def series(rng, first, n, packed, turned):
    """n steps from a day on, and how xarray is told to write them. `turned`:
    a variable that has its time last, which classic files cannot have."""
    ds = xr.Dataset(
        {"tas": (("time", "lat"), field(rng, (n, 3), "f8") * 0.5),
         "n": (("lat", "time"), field(rng, (3, n), "i4")) if turned else
              (("time", "lat"), field(rng, (n, 3), "i4"))},
        {"time": first + np.arange(n, dtype="f8"), "lat": [10., 20., 30.]})
    ds["time"].attrs["units"] = "days since 2001-01-01"
    ds["tas"].attrs["units"] = "K"
    how = {"chunksizes": (4, 2)}
    if packed:
        how.update(dtype="i2", scale_factor=0.25, add_offset=10.,
                   _FillValue=np.int16(-999))
    return ds, {"tas": how}


def read(path):
    with xr.open_dataset(path, decode_times=False) as ds:
        return ds.load()


def write(ds, path, encoding, file):
    encoding = {k: dict(v) for k, v in encoding.items()}
    if file == "NETCDF3_64BIT":
        encoding["tas"].pop("chunksizes")
    ds.to_netcdf(path, format=file, engine="netcdf4", encoding=encoding,
                 unlimited_dims=["time"])


@check(24)
def append(rng, context):
    """A file that NetCDF-C wrote grows, packed as it is."""
    packed = bool(rng.random() < 0.5)
    file = str(rng.choice(["NETCDF4", "NETCDF3_64BIT", "NETCDF4_CLASSIC"]))
    turned = file == "NETCDF4"
    old, how = series(rng, 0, int(rng.integers(1, 9)), packed, turned)
    new, _ = series(rng, old.sizes["time"], int(rng.integers(1, 9)), packed,
                    turned)
    made = sets.make(context, new, rng)
    if rng.random() < 0.5:  # counted from another date
        later = new.assign_coords(time=new.time - 2)
        later["time"].attrs["units"] = "days since 2001-01-03"
        made = sets.make(context, later, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "grows.nc")
        write(old, path, how, file)
        made.save(path, append="time", in_place=bool(rng.random() < 0.3),
                  history="grown")
        assert os.listdir(folder) == ["grows.nc"]
        got = read(path)
        want = xr.concat([old, new], "time")
        for name in want.variables:
            np.testing.assert_array_equal(got[name].values, want[name].values,
                                          err_msg=name)
        assert got.attrs["history"] == "grown"
        before = open(path, "rb").read()
        try:
            made.save(path, append="time")
            assert False, "appended twice"
        except ncg.Error as error:
            assert error.status == "EMISMATCH" and "time" in error.message
        assert open(path, "rb").read() == before


@check(12)
def region(rng, context):
    packed = bool(rng.random() < 0.5)
    old, how = series(rng, 0, 9, packed, True)
    start = int(rng.integers(0, 6))
    new, _ = series(rng, start, int(rng.integers(1, 4)), packed, True)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "grows.nc")
        write(old, path, how, "NETCDF4")
        sets.make(context, new, rng).save(path, region=[f"time={start}"])
        got, want = read(path), old.copy(deep=True)
        where = slice(start, start + new.sizes["time"])
        want["tas"][where] = new["tas"].values
        want["n"][:, where] = new["n"].values
        for name in want.variables:
            np.testing.assert_array_equal(got[name].values, want[name].values,
                                          err_msg=name)
        made = sets.make(context, new, rng)
        for how, status in [({"region": [f"time={start + 1}"]}, "EMISMATCH"),
                            ({"region": ["time=70"]}, "EMISMATCH"),
                            ({"region": ["tim=0"]}, "EINVAL"),
                            ({"region": ["time"]}, "EINVAL"),
                            ({"append": "lat"}, "EMISMATCH")]:
            try:
                made.save(path, **how)
                assert False, how
            except ncg.Error as error:
                assert error.status == status, error


def main(contexts_of=None):
    """contexts_of(): the contexts that each case gets; else one of two."""
    only = os.environ.get("NCG_CASE")
    chosen = sys.argv[1:]
    contexts = [ncg.Context(threads) for threads in (1, 2)]
    several = contexts_of and contexts_of()
    failed = total = 0
    for function, cases in CHECKS:
        if chosen and function.__name__ not in chosen:
            continue
        for case in range(cases):
            if only and case != int(only):
                continue
            total += 1
            rng = np.random.default_rng([case, len(function.__name__)])
            try:
                function(rng, several or contexts[case % 2])
            except Exception:  # noqa: BLE001
                failed += 1
                if failed <= 5:
                    print(f"FAILED: NCG_CASE={case} {function.__name__}")
                    traceback.print_exc(limit=-3, file=sys.stdout)
    print(f"{total} cases, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
