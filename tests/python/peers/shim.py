# SPDX-License-Identifier: BSD-3-Clause
"""xarray's and dask's own tests, run on ncgraph's arrays.

Test modules are taken from the installed packages and executed with
``dask.array`` meaning ``ncgraph.array_api``; nothing of them is copied. A test
in which no array of ncgraph was made says nothing about it and is not counted.
"""
import contextlib
import importlib
import importlib.util
import sys
import types
import unittest.mock

import numpy as np

import ncgraph as ncg
from ncgraph import _array, array_api

made = 0  # arrays of ncgraph so far
_init = _array.Node.__init__


def _counted(self, *args, **kwargs):
    global made
    made += 1
    _init(self, *args, **kwargs)


_array.Node.__init__ = _counted


def assert_eq(a, b, check_dtype=True, check_shape=True, equal_nan=True,
              **kwargs):
    """What dask.array.utils.assert_eq asks of values, shapes and dtypes."""
    lazy = [v for v in (a, b) if isinstance(v, ncg.Array)]
    got = [np.asarray(v) for v in (a, b)]
    for v, g in zip((a, b), got):
        if isinstance(v, ncg.Array):
            assert v.shape == g.shape and v.dtype == g.dtype
            assert sum(v.chunks[0]) == v.shape[0] if v.ndim else True
    if check_shape:
        assert got[0].shape == got[1].shape
    if check_dtype and lazy:
        assert got[0].dtype == got[1].dtype, (got[0].dtype, got[1].dtype)
    if any(g.dtype == object for g in got):
        for x, y in zip(got[0].ravel(), got[1].ravel()):
            assert x == y or (x != x and y != y)
    elif got[0].dtype.kind in "fc" or got[1].dtype.kind in "fc":
        np.testing.assert_allclose(got[0], got[1], rtol=1e-5, atol=1e-7,
                                   equal_nan=equal_nan)
    else:
        np.testing.assert_array_equal(got[0], got[1])
    return True


def same_keys(a, b):
    """Whether two arrays are the same work."""
    return a.token == b.token


def _dask_array():
    """A module that tests take for dask.array."""
    shim = types.ModuleType("dask.array")
    shim.__path__ = []
    for name in dir(array_api):
        if not name.startswith("_"):
            setattr(shim, name, getattr(array_api, name))
    for name in dir(ncg):
        if not name.startswith("_") and not hasattr(shim, name):
            setattr(shim, name, getattr(ncg, name))
    shim.random = ncg.random
    shim._array_expr_enabled = lambda: False
    shim.utils = types.ModuleType("dask.array.utils")
    shim.utils.assert_eq = assert_eq
    shim.utils.same_keys = same_keys
    return shim


# Modules of dask.array's whose public names are ours where we have them.
PARTS = ("core", "creation", "gufunc", "overlap", "rechunk", "reductions",
         "reshape", "routines", "slicing", "ufunc", "utils", "chunk",
         "numpy_compat")


def _part(shim, name):
    """A module of dask.array's with our functions of the same names."""
    import numpy
    real = importlib.import_module(f"dask.array.{name}")
    part = getattr(shim, name) if name == "utils" else \
        types.ModuleType(real.__name__)
    is_ours = name not in ("chunk", "numpy_compat")
    for key, value in vars(real).items():
        if key.startswith("__") or (name == "utils" and hasattr(part, key)):
            continue
        ours = getattr(shim, key, None) if is_ours else None
        keeps = ours is None or key.startswith("_") or \
            isinstance(value, types.ModuleType) or value is numpy
        setattr(part, key, value if keeps else ours)
    return part


@contextlib.contextmanager
def substituted():
    """While this lasts, importing dask.array gives ours."""
    import dask
    import dask.array
    shim = _dask_array()
    modules = {"dask.array": shim}
    for name in PARTS:
        modules[f"dask.array.{name}"] = _part(shim, name)
        if not hasattr(shim, name):
            setattr(shim, name, modules[f"dask.array.{name}"])
    before = {name: sys.modules[name] for name in modules}
    sys.modules.update(modules)
    dask.array = shim
    try:
        yield shim
    finally:
        sys.modules.update(before)
        dask.array = before["dask.array"]


def dask_tests(name):
    """The tests of a module of dask's, on our arrays."""
    import dask.array  # noqa: F401 - the real one first
    spec = importlib.util.find_spec(name)
    module = types.ModuleType("peer_" + name.replace(".", "_"))
    module.__file__ = spec.origin
    module.__package__ = name.rpartition(".")[0]
    with open(spec.origin, encoding="utf-8") as file:
        source = file.read()
    sys.modules[module.__name__] = module
    with substituted():
        exec(compile(source, spec.origin, "exec"), module.__dict__)
    return tests_of(module)


def get_tests(name, attribute="get"):
    """The tests of a module of dask's schedulers, with ours as ``get``."""
    module = importlib.import_module(name)
    setattr(module, attribute, ncg.get)
    return tests_of(module)


def xarray_tests(name):
    """The tests of a module of xarray's, with ours in dask's place."""
    import xarray
    import xarray.tests
    xarray.set_options(chunk_manager="ncgraph")
    xarray.tests.dask_array_api = array_api
    xarray.tests.dask_array_type = ncg.Array
    _count_runs()
    module = importlib.import_module(name)
    module.mock = _Mock()
    return tests_of(module)


class _Mock:
    """unittest.mock; where dask's functions are mocked, ours are."""

    NAMES = {"dask.array.compute": "ncgraph._compute.compute",
             "dask.compute": "ncgraph._compute.compute",
             "dask.persist": "ncgraph._compute.persist"}

    def __getattr__(self, name):
        return getattr(unittest.mock, name)

    def patch(self, target, *args, **kwargs):
        return unittest.mock.patch(self.NAMES.get(target, target), *args,
                                   **kwargs)


def _count_runs():
    """Tell xarray's counting scheduler, if it is set, of each of our runs."""
    import dask
    from xarray.tests import CountingScheduler
    from ncgraph import _compute
    engine = _compute.run

    def run(arrays, progress=None):
        counting = dask.config.get("scheduler", None)
        if arrays and isinstance(counting, CountingScheduler):
            counting({"run": None}, "run")
        return engine(arrays, progress)
    _compute.run = run


def tests_of(module):
    """Functions, classes and fixtures that pytest should see."""
    return {k: v for k, v in vars(module).items()
            if k.startswith(("test", "Test")) or
            type(v).__name__ == "FixtureFunctionDefinition" or
            hasattr(v, "_pytestfixturefunction")}
