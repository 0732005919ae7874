# SPDX-License-Identifier: BSD-3-Clause
"""dask's tests of collections, with our arrays and our scheduler."""
import dask
import pytest

import ncgraph
import shim

ALWAYS = True
globals().update(shim.dask_tests("dask.tests.test_base"))


# Tests of what happens where no scheduler was set.
UNSET = {"test_get_scheduler", "test_compute_array_bag",
         "test_persist_array_bag"}


@pytest.fixture(autouse=True)
def our_scheduler(request):
    """What a test does not say otherwise runs on ncgraph."""
    if request.node.name in UNSET:
        yield
        return
    with dask.config.set(scheduler=ncgraph.get):
        yield
