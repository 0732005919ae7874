# SPDX-License-Identifier: BSD-3-Clause
"""Data sets of libncgraph.so through ctypes, and xarray's as their referees."""
import ctypes as C
import os
import sys
import weakref

import numpy as np
import xarray as xr

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..",
                                "numpy_check"))
import ncg  # noqa: E402

JOINS = ["exact", "inner", "outer", "left", "right", "override"]
COMPATS = ["equals", "no_conflicts", "override"]
METHODS = [None, "nearest", "pad", "backfill"]
CHAR = 12  # NCG_DTYPE_CHAR
lib = ncg.lib
lib.ncg_dataset_dim_name.restype = C.c_char_p
lib.ncg_dataset_var_name.restype = C.c_char_p
lib.ncg_dataset_attr_text.restype = C.c_char_p
lib.ncg_dataset_dim_size.restype = C.c_int64
lib.ncg_dataset_nvars.restype = C.c_size_t
for getter in ("ndims", "nvars"):
    getattr(lib, "ncg_dataset_" + getter).argtypes = [C.c_void_p]
for getter in ("dim_name", "dim_size", "var_name", "var_rank"):
    getattr(lib, "ncg_dataset_" + getter).argtypes = [C.c_void_p, C.c_size_t]
lib.ncg_dataset_var_dim.argtypes = [C.c_void_p, C.c_size_t, C.c_int]
lib.ncg_dataset_attr_text.argtypes = [C.c_void_p, C.c_int, C.c_char_p]
lib.ncg_dataset_attr_name.restype = C.c_char_p
lib.ncg_dataset_attr_name.argtypes = [C.c_void_p, C.c_int, C.c_size_t]
lib.ncg_dataset_nattrs.restype = C.c_size_t
lib.ncg_dataset_nattrs.argtypes = [C.c_void_p, C.c_int]
lib.ncg_dataset_attr.restype = C.c_void_p
lib.ncg_dataset_attr.argtypes = [C.c_void_p, C.c_int, C.c_char_p,
                                 C.c_void_p, C.c_void_p]
lib.ncg_dataset_find.argtypes = [C.c_void_p, C.c_char_p]


class CombineOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("join", C.c_int),
                ("compat", C.c_int)]


class SaveOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("overwrite", C.c_bool),
                ("format", C.c_char_p), ("deflate", C.c_int),
                ("dtype", C.c_char_p), ("history", C.c_char_p),
                ("append", C.c_char_p), ("region", C.POINTER(C.c_char_p)),
                ("nregion", C.c_size_t), ("in_place", C.c_bool)]


def words(names):
    return (C.c_char_p * max(1, len(names)))(*[n.encode() for n in names])


def options(join="exact", compat="equals"):
    return C.byref(ncg.sized(CombineOptions, join=JOINS.index(join),
                             compat=COMPATS.index(compat)))


def stats(op, dims, by=None, weights=None, skipna=True, min_count=1, ddof=0):
    how = ncg.reduce_options(op, skipna, min_count, ddof)
    how.dims, how.by = dims.encode(), by and by.encode()
    how.weights = weights and weights.encode()
    return how


def release(pointer):
    lib.ncg_dataset_release(C.byref(C.c_void_p(pointer)))


class Set:
    def __init__(self, context, handle):
        self.context = context
        self.handle = handle
        weakref.finalize(self, release, handle)

    def apply(self, function, *args):
        out = C.c_void_p()
        ncg.call("ncg_dataset_" + function, C.c_void_p(self.handle), *args,
                 C.byref(out))
        return Set(self.context, out.value)

    def assign(self, name, array, dims):
        return self.apply("assign", name.encode(), C.c_void_p(array.handle),
                          words(dims))

    def text(self, var, name, value):
        return self.apply("set_text", var and var.encode(), name.encode(),
                          value.encode())

    def drop(self, names):
        return self.apply("drop", words(names), C.c_size_t(len(names)))

    def rename(self, names):
        return self.apply("rename", words(list(names)),
                          words(list(names.values())), C.c_size_t(len(names)))

    def unlimited(self, dim):
        return self.apply("set_unlimited", dim.encode(), C.c_bool(True))

    def sel(self, dim, values, method=None, tolerance=-1.0):
        return self.apply("sel_values", dim.encode(),
                          (C.c_double * max(1, len(values)))(*values),
                          C.c_size_t(len(values)), METHODS.index(method),
                          C.c_double(tolerance))

    def set_attr(self, var, name, value):
        """Numbers; set_text sets texts."""
        value = np.ascontiguousarray(value)
        return self.apply("set_attr", var and var.encode(), name.encode(),
                          ncg.DTYPES[ncg.dtype_name(value.dtype)],
                          C.c_size_t(value.size),
                          C.c_void_p(value.ctypes.data))

    def remove_attr(self, var, name):
        return self.apply("remove_attr", var and var.encode(), name.encode())

    def attrs(self, var):
        """Names and values; texts as str."""
        v = lib.ncg_dataset_find(self.handle, var.encode()) if var else -1
        out = {}
        for i in range(lib.ncg_dataset_nattrs(self.handle, v)):
            name = lib.ncg_dataset_attr_name(self.handle, v, i)
            dtype, count = C.c_int(), C.c_size_t()
            data = lib.ncg_dataset_attr(self.handle, v, name, C.byref(dtype),
                                        C.byref(count))
            if dtype.value == CHAR:
                value = C.string_at(data, count.value).decode()
            else:
                dtype = np.dtype(ncg.NAMES[dtype.value])
                value = np.frombuffer(C.string_at(
                    data, count.value * dtype.itemsize), dtype)
            out[name.decode()] = value
        return out

    def doubles(self, name):
        """ncg_dataset_values: NaN where missing."""
        out, count = C.POINTER(C.c_double)(), C.c_size_t()
        ncg.call("ncg_dataset_values", C.c_void_p(self.handle), name.encode(),
                 C.byref(out), C.byref(count))
        values = np.array(out[:count.value])
        lib.ncg_free(out)
        return values

    def isel(self, what):
        return self.apply("isel", words(what), C.c_size_t(len(what)))

    def select(self, what):
        return self.apply("sel", words(what), C.c_size_t(len(what)))

    def reduce(self, op, dims, by=None, weights=None, skipna=True,
               min_count=1, ddof=0):
        return self.apply("reduce", C.byref(stats(
            op, dims, by, weights, skipna, min_count, ddof)))

    def quantile(self, q, method, dims):
        return self.apply("quantile", (C.c_double * len(q))(*q),
                          C.c_size_t(len(q)), method.encode(),
                          C.byref(stats("mean", dims)))

    def anomaly(self, by):
        return self.apply("anomaly", by and by.encode())

    def array(self, name):
        out = C.c_void_p()
        ncg.call("ncg_dataset_array", C.c_void_p(self.handle), name.encode(),
                 C.byref(out))
        return ncg.Array(self.context, out.value)

    def save(self, path, **how):
        texts = {k: v.encode() if isinstance(v, str) else v
                 for k, v in how.items()}
        region = texts.pop("region", [])
        sized = ncg.sized(SaveOptions, deflate=-1, **texts)
        sized.region, sized.nregion = words(region), len(region)
        ncg.call("ncg_dataset_save", C.c_void_p(self.handle), path.encode(),
                 C.byref(sized))

    def names(self):
        return [lib.ncg_dataset_var_name(self.handle, v).decode()
                for v in range(lib.ncg_dataset_nvars(self.handle))]

    def attr(self, var, name):
        v = lib.ncg_dataset_find(self.handle, var.encode()) if var else -1
        text = lib.ncg_dataset_attr_text(self.handle, v, name.encode())
        return text and text.decode()

    def dims(self, name):
        v = lib.ncg_dataset_find(self.handle, name.encode())
        return [lib.ncg_dataset_dim_name(
            self.handle, lib.ncg_dataset_var_dim(self.handle, v, a)).decode()
            for a in range(lib.ncg_dataset_var_rank(self.handle, v))]

    def values(self, name):
        """As xarray has them: integers with a missing value become floats."""
        array = self.array(name)
        data, missing = array.compute(), array.missing()
        if data.dtype == np.bool_ and missing is not None:
            data, missing = data.view("u1"), missing.view("u1")
        if data.dtype.kind in "iu" and missing is not None:
            holes = data == missing
            data = data.astype("f8")
            data[holes] = np.nan
        return data

    def to_xarray(self):
        found = {n: (self.dims(n), self.values(n)) for n in self.names()}
        out = xr.Dataset(found)
        return out.set_coords([n for n in found if found[n][0] == [n]])


def make(context, ds, chunked=None):
    """The same data set in the library; `chunked`: a generator, which cuts
    the variables into chunks, so that they are no constants."""
    out = C.c_void_p()
    ncg.call("ncg_dataset_create", C.c_void_p(context.handle), C.byref(out))
    made = Set(context, out.value)
    for name in ds.variables:
        var = ds[name].variable
        chunks = None
        if chunked is not None and var.ndim and name not in ds.dims:
            chunks = [int(chunked.integers(1, n + 1)) for n in var.shape]
        made = made.assign(name, context.array(var.values, chunks),
                           list(var.dims))
        for attr, value in var.attrs.items():
            made = made.text(name, attr, value)
    return made


def several(function, sets, *args):
    handles = (C.c_void_p * max(1, len(sets)))(*[s.handle for s in sets])
    out = C.c_void_p()
    ncg.call("ncg_dataset_" + function, handles, C.c_size_t(len(sets)), *args,
             C.byref(out))
    return Set(sets[0].context, out.value)


def merge(sets, **how):
    return several("merge", sets, options(**how))


def concat(sets, dim, **how):
    return several("concat", sets, dim.encode(), options(**how))


def align(sets, **how):
    handles = (C.c_void_p * len(sets))(*[s.handle for s in sets])
    out = (C.c_void_p * len(sets))()
    ncg.call("ncg_dataset_align", handles, C.c_size_t(len(sets)),
             options(**how), out)
    return [Set(s.context, h) for s, h in zip(sets, out)]


def binary(op, a, b, **how):
    out = C.c_void_p()
    ncg.call("ncg_dataset_binary", op.encode(), C.c_void_p(a.handle),
             C.c_void_p(b.handle), options(**how), C.byref(out))
    return Set(a.context, out.value)


def scalar(op, a, number, reverse=False):
    out = C.c_void_p()
    ncg.call("ncg_dataset_binary_scalar", op.encode(), C.c_void_p(a.handle),
             C.c_double(number), C.c_bool(reverse), C.byref(out))
    return Set(a.context, out.value)


def map_(op, a):
    out = C.c_void_p()
    ncg.call("ncg_dataset_map", op.encode(), C.c_void_p(a.handle),
             C.byref(out))
    return Set(a.context, out.value)


def open_(context, *paths):
    out = C.c_void_p()
    ncg.call("ncg_dataset_open", C.c_void_p(context.handle), words(paths),
             C.c_size_t(len(paths)), None, C.byref(out))
    return Set(context, out.value)


def same(got, want, rtol=0.0, dtypes=True):
    """Nothing, or AssertionError: names, dims, dtypes, values."""
    assert set(got.names()) == set(map(str, want.variables)), \
        f"variables {got.names()}, not {list(want.variables)}"
    for name in want.variables:
        ours, theirs = got.values(name), want[name].values
        assert got.dims(name) == list(want[name].dims), \
            f"{name} over {got.dims(name)}, not {want[name].dims}"
        if dtypes:
            assert ours.dtype == theirs.dtype, \
                f"{name} is {ours.dtype}, not {theirs.dtype}"
        np.testing.assert_allclose(ours, theirs, rtol=rtol, err_msg=name)
