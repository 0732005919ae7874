# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the package's tests."""
import glob
import os

import numpy as np
import pytest

WAIT = 60  # seconds: a loaded machine is slow


@pytest.fixture(scope="session", autouse=True)
def no_reports():
    """Under a sanitizer: of no process, nor of one that was started again."""
    prefix = os.environ.get("NCG_SANITIZER_REPORTS")
    if not prefix:
        yield
        return
    for old in glob.glob(prefix + ".*"):
        os.unlink(old)
    yield
    texts = []
    for path in glob.glob(prefix + ".*"):
        with open(path, errors="replace") as file:
            texts.append(file.read())
    assert not texts, "\n".join(texts)


@pytest.fixture
def rng():
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240229)


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two workers for the tests of a file."""
    import ncgraph
    with ncgraph.LocalCluster(n_workers=2, threads_per_worker=1,
                              memory_limit="300 MiB", timeout=WAIT) as made:
        yield made


@pytest.fixture
def client(cluster):
    """A client of that cluster for one test."""
    import ncgraph
    with ncgraph.Client(cluster, timeout=WAIT) as made:
        yield made


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A data set in memory, and the files in which it lies."""
    from xarray_operations import sample
    ds = sample(np.random.default_rng(3))
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for i in range(4):
        paths.append(str(folder / f"part{i}.nc"))
        ds.isel(time=slice(50 * i, 50 * i + 50)).to_netcdf(
            paths[-1], encoding={"tas": {"chunksizes": (10, 6, 8),
                                         "zlib": True}})
    return ds, paths


@pytest.fixture(scope="session", params=["open_dataset", "open_mfdataset",
                                         "chunk"])
def opened(request, files):
    """A data set in memory, and the same on ncgraph, made in three ways."""
    import ncgraph
    import xarray
    ds, paths = files
    if request.param == "open_dataset":
        return ds, ncgraph.open_dataset(paths)
    if request.param == "chunk":
        return ds, ds.chunk({"time": 40}, chunked_array_type="ncgraph")
    return ds, xarray.open_mfdataset(paths, engine="ncgraph", chunks={},
                                     chunked_array_type="ncgraph")
