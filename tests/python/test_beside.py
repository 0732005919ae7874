# SPDX-License-Identifier: BSD-3-Clause
"""The engine's HDF5 and NetCDF beside those that other wheels bring."""
import itertools
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("netCDF4")
pytest.importorskip("h5py")

USE = {
    "ncgraph": """
import ncgraph as ncg
from ncgraph._files import Opened
o = Opened((path,))
a = ncg.Array._make("variable", (), (o, "v"))
assert float(a.sum().compute()) == 4950.0
""",
    "netCDF4": """
import netCDF4
with netCDF4.Dataset(path) as d:
    assert d["v"][:].sum() == 4950.0
with netCDF4.Dataset(path + ".two", "w") as d:
    d.createDimension("x", 3)
    d.createVariable("w", "f4", "x", zlib=True)[:] = 1
""",
    "h5py": """
import h5py
with h5py.File(path) as d:
    assert d["v"][()].sum() == 4950.0
""",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    netcdf = pytest.importorskip("netCDF4")
    name = str(tmp_path_factory.mktemp("beside") / "v.nc")
    with netcdf.Dataset(name, "w") as d:
        d.createDimension("x", 100)
        d.createVariable("v", "f8", "x", zlib=True,
                         chunksizes=(30,))[:] = np.arange(100.0)
    return name


@pytest.mark.parametrize("order", list(itertools.permutations(USE)),
                         ids="-".join)
def test_order_of_import(path, order):
    imports = "\n".join(f"import {name}" for name in order)
    code = f"{imports}\npath = {path!r}\n" + "".join(
        USE[name] for name in order + order)
    done = subprocess.run([sys.executable, "-c", code], text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
