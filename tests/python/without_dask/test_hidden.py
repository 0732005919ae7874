# SPDX-License-Identifier: BSD-3-Clause
"""The tests that run with this one run without dask."""
import importlib.util
import subprocess
import sys

import pytest


def test_dask_is_not_there():
    for name in ("dask", "dask.array", "distributed"):
        with pytest.raises(ModuleNotFoundError):
            __import__(name)
    assert importlib.util.find_spec("dask") is None
    code = "import ncgraph, xarray, importlib.util as u; " \
        "assert u.find_spec('dask') is None"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_arrays_are_no_collections():
    import numpy as np
    import ncgraph as ncg
    x = ncg.from_array(np.arange(6.0), chunks=2)
    assert x.__dask_graph__() is None
    assert x.sum().compute() == 15.0
