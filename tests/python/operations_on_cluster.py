# SPDX-License-Identifier: BSD-3-Clause
"""xarray's operations on a cluster, compared with NumPy: imported by tests, and
a script for mpirun. Some of the operations, so that it stays short."""
import sys
import warnings

import numpy as np
import xarray as xr
from xarray_operations import OPERATIONS, sample

import ncgraph


def check(step):
    """Do each so-many-th on the cluster that is the default one; tell how many
    there were."""
    warnings.simplefilter("ignore")
    ds = sample(np.random.default_rng(3))
    lazy = ds.chunk({"time": 40}, chunked_array_type="ncgraph")
    kept = lazy.persist()
    chosen = [o for o in OPERATIONS if o[0] != "map_blocks"][::step]
    for name, operation in chosen:
        wanted = operation(ds.tas)
        for source in (lazy, kept):
            made = operation(source.tas)
            assert isinstance(made.data, ncgraph.Array), name
            xr.testing.assert_allclose(made.compute(), wanted, rtol=1e-4,
                                       atol=1e-5)
    return len(chosen)


if __name__ == "__main__":
    client = ncgraph.mpi.initialize(threads=1, memory_limit="200 MiB")
    # What there is to do may be done before the last has joined.
    client.wait_for_workers(int(sys.argv[1]))
    count = check(6)
    workers = client.scheduler_info()["workers"]
    assert set(workers) == set(client.run(int))
    x = ncgraph.arange(10, chunks=3)
    client.publish_dataset(x=x.persist())
    assert client.get_dataset("x").sum().compute() == 45
    print("operations", count, "workers", len(workers))
