# SPDX-License-Identifier: BSD-3-Clause
import shim

ALWAYS = True
globals().update(shim.tests_of(__import__(
    "xarray.tests.test_parallelcompat", fromlist=["x"])))
