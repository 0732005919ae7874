# SPDX-License-Identifier: BSD-3-Clause
import shim

globals().update(shim.xarray_tests("xarray.tests.test_dask"))
