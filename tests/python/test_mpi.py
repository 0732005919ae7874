# SPDX-License-Identifier: BSD-3-Clause
"""Programs under mpirun, and clusters that stand."""
import importlib.util
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

import ncgraph as ncg

WAIT = 120  # seconds: a loaded machine is slow

pytestmark = pytest.mark.skipif(not shutil.which("mpirun"),
                                reason="there is no mpirun")


def environment():
    """What a launcher may be started from; also where it runs as root."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("PMIX_", "PMI_", "OMPI_COMM", "SLURM_STEP"))}
    env["HWLOC_HIDE_ERRORS"] = "2"
    if os.geteuid() == 0:
        env["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        env["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    return env


def mpirun(n, *words):
    return subprocess.run(
        ["mpirun", "-n", str(n), "--oversubscribe", sys.executable, *words],
        env=environment(), capture_output=True, text=True, timeout=WAIT,
        stdin=subprocess.DEVNULL)


SCRIPT = """
import os
import sys
import numpy as np
import ncgraph
client = ncgraph.mpi.initialize(threads=1, memory_limit="100 MiB")
assert ncgraph.Client()._context is client._context
where = ncgraph.ones(40, chunks=1).map_blocks(
    lambda b: np.full(b.shape, os.getpid()), dtype="i8").compute()
assert os.getpid() not in where
x = ncgraph.arange(1000, chunks=10).astype("f8")
y = x.map_blocks(lambda b: b * 2, dtype="f8")
print("sum", y.sum().compute())
if len(sys.argv) > 1:
    sys.exit(int(sys.argv[1]))
"""


def test_a_script_on_four_ranks(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = mpirun(4, str(script))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["sum", "999000.0"]


def test_xarray_on_four_ranks():
    pytest.importorskip("xarray")
    done = mpirun(4, os.path.join(os.path.dirname(__file__),
                                  "operations_on_cluster.py"), "4")
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[0] == "operations" and int(words[1]) >= 15
    assert words[2:] == ["workers", "4"]


def test_exit_codes_and_failures_reach_the_launcher(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    assert mpirun(2, str(script), "7").returncode == 7
    script.write_text("import ncgraph\nncgraph.mpi.initialize()\n1 / 0\n")
    done = mpirun(2, str(script))
    assert done.returncode != 0
    assert done.stderr.count("ZeroDivisionError") == 1


def test_a_script_without_a_launcher(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import ncgraph\nncgraph.mpi.initialize()\n"
                      "print(ncgraph.arange(10, chunks=3).sum().compute())\n")
    done = subprocess.run([sys.executable, str(script)], env=environment(),
                          capture_output=True, text=True, timeout=WAIT)
    assert done.stdout.strip() == "45", done.stderr


READER = """
import sys
import ncgraph
with ncgraph.Client(scheduler_file=sys.argv[1], timeout=60) as client:
    print(*client.list_datasets())
    print(client.get_dataset("numbers").sum().compute())
    if "means" in client.list_datasets():
        print(float(client.get_dataset("means").tas.sum()))
"""


def publish_and_read(client, path):
    """What one client keeps, the program of another one reads."""
    names, total = ["numbers"], None
    if importlib.util.find_spec("xarray"):
        from operations_on_cluster import check, sample
        assert check(8) >= 10
        ds = sample(np.random.default_rng(3))
        lazy = ds.chunk({"time": 40}, chunked_array_type="ncgraph")
        client.publish_dataset(means=lazy.mean("time").persist())
        names, total = ["means", "numbers"], float(ds.mean("time").tas.sum())
    client.close()
    done = subprocess.run([sys.executable, "-c", READER, str(path)],
                          env=environment(), capture_output=True, text=True,
                          timeout=WAIT)
    assert done.returncode == 0, done.stderr
    listed, numbers, *means = done.stdout.splitlines()
    assert listed.split() == names and float(numbers) == 10100
    if total is not None:
        assert float(means[0]) == pytest.approx(total, rel=1e-4)


def test_a_client_of_a_standing_cluster(tmp_path):
    path = tmp_path / "scheduler.json"
    log = tmp_path / "log"
    with open(log, "wb") as out:
        cluster = subprocess.Popen(
            ["mpirun", "-n", "4", "--oversubscribe", sys.executable, "-m",
             "ncgraph", "cluster", "-j", "1", "--mem", "100 MiB",
             "--scheduler-file", str(path)], env=environment(), stdout=out,
            stderr=out, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + WAIT
        while not path.exists():
            assert time.monotonic() < end, log.read_text()
            assert cluster.poll() is None, log.read_text()
            time.sleep(0.05)
        client = ncg.Client(scheduler_file=path, timeout=WAIT)
        client.wait_for_workers(4, WAIT)
        assert list(client.nthreads().values()) == [1] * 4
        x = ncg.arange(100, chunks=7).map_blocks(lambda b: b + 1)
        assert x.sum().compute() == 5050
        client.publish_dataset(numbers=(x * 2).persist())
        publish_and_read(client, path)
        ncg.Client(scheduler_file=path, timeout=WAIT).shutdown()
        assert cluster.wait(timeout=WAIT) == 0, log.read_text()
    finally:
        cluster.terminate()
        cluster.wait(timeout=WAIT)
    assert not path.exists()
