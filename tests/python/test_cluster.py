# SPDX-License-Identifier: BSD-3-Clause
"""Clusters on this machine: LocalCluster, Client, functions on workers."""
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ncgraph as ncg
from conftest import WAIT


def pids(n=16):
    """The processes that compute n chunks."""
    made = ncg.ones(n, chunks=1).map_blocks(
        lambda b: np.full(b.shape, os.getpid()), dtype="i8")
    return set(made.compute().tolist())


def test_arrays_are_computed_on_workers(client, rng):
    v = rng.normal(size=(60, 50))
    x = ncg.from_array(v, chunks=(7, 13))
    np.testing.assert_allclose(((x - x.mean(axis=0)) ** 2).sum(axis=1),
                               ((v - v.mean(axis=0)) ** 2).sum(axis=1))
    workers = {w["pid"] for w in client.scheduler_info()["workers"].values()}
    assert len(workers) == 2
    assert pids() <= workers
    assert os.getpid() not in workers


def test_functions_of_this_file_travel(client, rng):
    v = rng.normal(size=(20, 30))
    x = ncg.from_array(v, chunks=(10, 10))
    scale = 3.0
    np.testing.assert_array_equal(
        x.map_blocks(lambda b: b * scale, dtype="f8").compute(), v * 3)
    y = ncg.apply_gufunc(lambda b: b.mean(axis=-1), "(i)->()",
                         x.rechunk((10, 30)), output_dtypes="f8")
    np.testing.assert_allclose(y.compute(), v.mean(axis=1))
    z = ncg.from_function(lambda i, j: i * 10 + j, shape=(6, 5), chunks=2,
                          dtype="i8")
    np.testing.assert_array_equal(
        z.compute(), np.fromfunction(lambda i, j: i * 10 + j, (6, 5)))


def test_sources_of_python_travel(client):
    class Counting:
        shape, dtype = (40,), np.dtype("i8")

        def __getitem__(self, key):
            return np.arange(40)[key] + 0 * os.getpid()

    x = ncg.from_array(Counting(), chunks=8)
    np.testing.assert_array_equal((x + 1).compute(), np.arange(40) + 1)


def test_xarray_is_computed_on_workers(client, rng):
    xr = pytest.importorskip("xarray")
    v = rng.normal(size=(24, 10))
    ds = xr.Dataset({"t": (("time", "x"), v)})
    lazy = ds.chunk({"time": 5}, chunked_array_type="ncgraph")
    month = ("time", np.arange(24) % 12)
    ds, lazy = (d.assign_coords(month=month) for d in (ds, lazy))
    xr.testing.assert_allclose(lazy.groupby("month").mean().compute(),
                               ds.groupby("month").mean())
    xr.testing.assert_allclose(client.persist(lazy).mean("time").compute(),
                               ds.mean("time"))


def test_persisted_arrays_outlive_the_client(cluster):
    with ncg.Client(cluster, timeout=WAIT):
        x = ncg.arange(100, chunks=30).persist()
        assert x.chunks == ((30, 30, 30, 10),)
        assert x.sum().compute() == 4950
    assert x.chunks == ((30, 30, 30, 10),)
    assert (x + 1).sum().compute() == 5050


def test_persisting_need_not_wait(cluster, tmp_path):
    gate = tmp_path / "gate"

    def behind_the_gate(block):
        end = time.monotonic() + WAIT
        while not gate.exists():
            assert time.monotonic() < end, "nobody opened the gate"
            time.sleep(0.01)
        return block * 2

    with ncg.config.set(persist_early=True):
        client = ncg.Client(cluster, timeout=WAIT)
    with client:
        x = ncg.arange(40, chunks=5).map_blocks(behind_the_gate, dtype="i8")
        kept = client.persist(x)  # would wait for the gate
        gate.touch()
        assert kept.sum().compute() == 1560
        np.testing.assert_array_equal(kept, np.arange(0, 80, 2))
        client.publish_dataset(early=kept, override=True)
        client.unpublish_dataset("early")


def test_arrays_of_this_process_go_along(cluster):
    x = ncg.arange(50, chunks=20).persist()
    with ncg.Client(cluster, timeout=WAIT):
        assert (x * 2).sum().compute() == 2450
    assert x.sum().compute() == 1225


def test_exceptions_come_back(client):
    def broken(block):
        raise ZeroDivisionError("no such quotient")
    x = ncg.ones(10, chunks=5).map_blocks(broken, dtype="f8")
    with pytest.raises(ZeroDivisionError, match="no such quotient") as caught:
        x.compute()
    assert any("worker" in note for note in caught.value.__notes__)
    assert ncg.ones(10, chunks=5).sum().compute() == 10


def test_a_function_that_cannot_be_pickled_is_named(client):
    lock = threading.Lock()

    def locked(block):
        with lock:
            return block
    with pytest.raises(TypeError, match="locked.*cannot be sent"):
        ncg.ones(10, chunks=5).map_blocks(locked, dtype="f8").compute()


def test_a_module_that_workers_lack_is_named(client, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def f(block):\n    return block\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here
    with pytest.raises(ImportError, match="worker .*only_here"):
        ncg.ones(10, chunks=5).map_blocks(only_here.f, dtype="f8").compute()


def test_other_versions_are_refused(client, monkeypatch):
    from ncgraph import _portable
    monkeypatch.setattr(_portable, "versions", lambda: ("3.2", "0.0"))
    x = ncg.ones(10, chunks=5).map_blocks(np.negative, dtype="f8")
    with pytest.raises(RuntimeError, match="Python 3.2"):
        (x + 1).compute()


def test_interrupt_cancels_and_leaves_the_session_usable(client, tmp_path):
    started = str(tmp_path / "started")

    def slow(block):
        import time as clock
        open(started, "w").close()
        clock.sleep(0.2)
        return block

    def interrupt():
        end = time.monotonic() + WAIT
        while not os.path.exists(started) and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        ncg.ones(2000, chunks=1).map_blocks(slow, dtype="f8").compute()
    thread.join()
    assert ncg.arange(10, chunks=5).sum().compute() == 45


def test_clients_and_clusters_as_text(cluster, client):
    for shown in (cluster, client):
        assert "workers=2" in repr(shown) and "threads=2" in repr(shown)
        html = shown._repr_html_()
        assert "<table>" in html and "600.00 MiB" in html
    other = ncg.Client(cluster, timeout=WAIT, set_as_default=False)
    other.close()
    assert "closed" in repr(other) and "closed" in other._repr_html_()


def test_wrong_names_are_refused(cluster, tmp_path):
    with pytest.raises(ValueError, match="scheduler_file="):
        ncg.Client("tcp://127.0.0.1:1")
    with pytest.raises(FileNotFoundError):
        ncg.Client(scheduler_file=str(tmp_path / "no.json"), timeout=0.2)
    with pytest.raises(ValueError):
        ncg.LocalCluster(n_workers=-1)


def test_forked_children_compute_alone(client):
    assert ncg.arange(10, chunks=5).sum().compute() == 45
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, b"%d" % ncg.arange(10, chunks=5).sum().compute())
        finally:
            os._exit(0)
    os.close(write)
    assert os.read(read, 100) == b"45"
    os.waitpid(child, 0)
    assert ncg.arange(10, chunks=5).sum().compute() == 45


def test_spawned_children_compute_alone(client):
    import multiprocessing
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.map(abs, [-3]) == [3]
    x = ncg.arange(10, chunks=5) + 1
    code = "import pickle,sys; print(pickle.load(sys.stdin.buffer)" \
        ".sum().compute())"
    done = subprocess.run([sys.executable, "-c", code], timeout=WAIT,
                          input=pickle.dumps(x), capture_output=True)
    assert done.stdout.strip() == b"55", done.stderr


SCRIPT = """
import os, sys, time
import ncgraph as ncg
cluster = ncg.LocalCluster(n_workers=1, threads_per_worker=1,
                           memory_limit="100 MiB")
print(cluster._directory, *(p.pid for p in cluster._processes), flush=True)
if sys.argv[1] == "wait":
    time.sleep(600)
"""


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(what):
    end = time.monotonic() + WAIT
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("how", ["end", "interrupt", "kill"])
def test_nothing_is_left_behind(how):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "end" if how == "end" else "wait"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    directory, *started = process.stdout.readline().split()
    assert len(started) == 2
    if how == "interrupt":
        process.send_signal(signal.SIGINT)
    elif how == "kill":
        process.kill()
    process.communicate(timeout=WAIT)
    wait_until(lambda: not any(is_alive(int(pid)) for pid in started))
    if how != "kill":
        assert not os.path.exists(directory)
    else:
        shutil.rmtree(directory)  # nobody was left who could


def test_a_cluster_grows():
    with ncg.LocalCluster(n_workers=0, threads_per_worker=1,
                          memory_limit="100 MiB", timeout=WAIT) as small:
        assert small.workers == {}
        small.scale(1)
        small.wait_for_workers(1, WAIT)
        assert list(small.workers) == ["0"]
        with ncg.Client(small, timeout=WAIT) as client:
            assert ncg.ones(5, chunks=2).sum().compute() == 5
            assert list(client.retire_workers()) == ["0"]
        wait_until(lambda: not small.workers)


def test_a_cluster_closes_while_a_call_runs(tmp_path):
    """A function that never returns does not hold up whoever closes."""
    started, ended = tmp_path / "started", tmp_path / "ended"

    def stuck():
        import time as clock
        started.touch()
        clock.sleep(3600)
        ended.touch()
    cluster = ncg.LocalCluster(n_workers=1, threads_per_worker=1, timeout=WAIT)
    with ncg.Client(cluster, timeout=WAIT) as client:
        future = client.submit(stuck)
        wait_until(started.exists)
        closing = threading.Thread(target=cluster.close, args=(3600,))
        closing.start()
        closing.join(WAIT)
        assert not closing.is_alive() and not ended.exists()
        assert all(p.returncode is not None for p in cluster._processes)
        assert not future.done() or future.status == "error"


@pytest.mark.skipif("NCG_COMMAND" not in os.environ,
                    reason="the ncgraph command is not there")
def test_workers_without_python_are_named(tmp_path):
    path = tmp_path / "scheduler.json"
    cluster = subprocess.Popen(
        [os.environ["NCG_COMMAND"], "cluster", "--scheduler-file", str(path),
         "--interface", "127.0.0.1", "-j", "1", "--mem", "200M"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: path.exists() or cluster.poll() is not None)
        client = ncg.Client(scheduler_file=path, timeout=WAIT)
        client.wait_for_workers(1, WAIT)
        x = ncg.ones(10, chunks=5)
        for call in (lambda: x.map_blocks(np.negative).sum().compute(),
                     lambda: client.submit(os.getpid).result(WAIT),
                     lambda: client.run(os.getpid),
                     lambda: client.run_on_scheduler(os.getpid)):
            with pytest.raises(RuntimeError, match="started from Python"):
                call()
        assert x.sum().compute() == 10  # and the cluster goes on
        client.shutdown()
        assert cluster.wait(WAIT) == 0
    finally:
        cluster.kill()
        cluster.wait()


def test_a_cluster_closes_while_workers_start(monkeypatch):
    """Those that have not joined yet hear of it, too: none is killed."""
    cluster = ncg.LocalCluster(n_workers=1, threads_per_worker=1, timeout=WAIT)
    cluster.scale(3)
    monkeypatch.setattr(cluster, "_kill", lambda: pytest.fail("killed"))
    cluster.close(timeout=2 * WAIT)
    for process in cluster._processes:
        assert process.returncode in (0, -signal.SIGTERM)
        with pytest.raises(ProcessLookupError):  # nor is one left behind
            os.killpg(process.pid, 0)
