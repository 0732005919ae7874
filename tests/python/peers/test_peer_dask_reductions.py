# SPDX-License-Identifier: BSD-3-Clause
import shim

globals().update(shim.dask_tests("dask.array.tests.test_reductions"))
