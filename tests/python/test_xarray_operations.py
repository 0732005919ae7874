# SPDX-License-Identifier: BSD-3-Clause
"""xarray on NumPy, dask and ncgraph: equal numbers; what stays native."""
import pathlib

import numpy as np
import pytest

import ncgraph as ncg
from ncgraph._array import order_of
from ncgraph._explain import kind_of

xr = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
from xarray_operations import OPERATIONS  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
over_operations = pytest.mark.parametrize(
    "name, operation", OPERATIONS, ids=[o[0] for o in OPERATIONS])

KINDS = ("native", "mixed", "Python")
ALWAYS_NATIVE = ("reductions", "element-wise", "indexing", "group-by",
                 "rolling", "rechunk")


def stated():
    """The table of docs/compatibility.md: kind of each operation, by group."""
    page = pathlib.Path(__file__).parents[2] / "docs" / "compatibility.md"
    found = {}
    lines = page.read_text(encoding="utf-8").splitlines()
    begin = lines.index("| operations | native | mixed | Python |") + 2
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        group, *cells = (c.strip() for c in line.strip("|").split("|"))
        for kind, cell in zip(KINDS, cells, strict=True):
            for name in filter(None, (n.strip() for n in cell.split(","))):
                assert name not in found, f"{name} is there twice"
                found[name] = (group, kind)
    return found


def test_table_is_complete():
    found = stated()
    assert set(found) == {name for name, _ in OPERATIONS}
    assert len(found) > 80
    groups = {group for group, _ in found.values()}
    assert groups.issuperset(ALWAYS_NATIVE)
    for name, (group, kind) in found.items():
        assert kind == "native" or group not in ALWAYS_NATIVE, name


@over_operations
def test_ncgraph(opened, name, operation):
    ds, lazy = opened
    if name == "map_blocks":
        pytest.importorskip("dask")  # xarray makes its graph of dask's parts
    wanted = operation(ds.tas)
    made = operation(lazy.tas)
    assert isinstance(made.variable._data, ncg.Array), "not lazy any more"
    assert kind_of(made.data) == stated()[name][1]
    xr.testing.assert_allclose(made.compute(), wanted, rtol=1e-4, atol=1e-5)
    assert made.dtype == wanted.dtype


@over_operations
def test_dask(files, name, operation):
    pytest.importorskip("dask")
    ds, _ = files
    theirs = operation(ds.tas.chunk(time=40, chunked_array_type="dask"))
    with xr.set_options(use_flox=False):
        wanted = operation(ds.tas)
    xr.testing.assert_allclose(theirs.compute(scheduler="sync"), wanted,
                               rtol=1e-4, atol=1e-5)


@over_operations
def test_one_task_for_each_chunk(files, name, operation):
    """In dask's graph no task makes several chunks of what it names."""
    dask = pytest.importorskip("dask")
    ds, _ = files
    made = operation(ds.tas.chunk(time=40, chunked_array_type="ncgraph")).data
    graph = dict(made.__dask_graph__())
    for node in order_of([made._node]):
        count = int(np.prod([len(c) for c in node.chunks]))
        if node.name == made.name or node.op == "reduce":
            keys = [k for k in graph if k[0] == node.name]
            assert len(keys) == count, node.kind
    wanted = operation(ds.tas)
    got, = dask.compute(made, scheduler="sync")
    xr.testing.assert_allclose(wanted.copy(data=got), wanted, rtol=1e-4,
                               atol=1e-5)
