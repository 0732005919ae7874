# SPDX-License-Identifier: BSD-3-Clause
"""What a client asks of processes, and data sets that outlive clients."""
import os
import time

import numpy as np
import pytest

import ncgraph as ncg
from conftest import WAIT


def double(x):
    return 2 * x


def fail(text):
    raise KeyError(text)


# ---- functions on processes ----------------------------------------------------------

def test_run(client, cluster):
    pids = {name: w["pid"] for name, w in cluster.workers.items()}
    assert client.run(os.getpid) == pids
    assert client.run(os.getpid, workers=["0"]) == {"0": pids["0"]}
    assert client.run(os.getpid, workers="1") == {"1": pids["1"]}
    assert client.run(os.getpid, workers=[]) == {}
    assert client.run(lambda dask_worker: dask_worker) == {"0": "0", "1": "1"}
    assert client.run(double, x=4) == {"0": 8, "1": 8}
    with pytest.raises(KeyError) as caught:
        client.run(fail, "x")
    assert "On worker" in str(caught.value.__cause__)
    answers = client.run(fail, "x", on_error="return")
    assert all(isinstance(a, KeyError) for a in answers.values())
    assert client.run(fail, "x", on_error="ignore") == {}
    with pytest.raises(ValueError, match="on_error"):
        client.run(fail, "x", on_error="what")


def test_run_on_scheduler(client):
    pid = client.run_on_scheduler(os.getpid)
    assert pid not in client.run(os.getpid).values() and pid != os.getpid()
    assert client.run_on_scheduler(double, np.arange(3)).tolist() == [0, 2, 4]
    with pytest.raises(KeyError):
        client.run_on_scheduler(fail, "x")


def test_a_closed_client_says_so(cluster):
    with ncg.Client(cluster, timeout=WAIT) as gone:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        gone.run(os.getpid)


def test_failures_in_chunks_come_with_their_traceback(client):
    def broken_function(block):
        raise LookupError("chunk of no use")
    x = ncg.ones((4, 4), chunks=2).map_blocks(broken_function, dtype="f8")
    with pytest.raises(LookupError, match="chunk of no use") as caught:
        x.sum().compute()
    assert "in broken_function" in str(caught.value.__cause__)


def test_who_has(client):
    future = client.submit(double, 5)
    assert future.result(WAIT) == 10
    (worker,), = client.who_has(future).values()
    assert worker in client.nthreads()
    assert client.who_has([future, future]) == {future.key: (worker,)}
    assert future.key in client.who_has()
    with pytest.raises(KeyError):
        client.submit(fail, "x", key="failed").result(WAIT)
    failed = client.submit(fail, "x", key="failed")
    assert client.who_has(failed) == {"failed": ()}


# ---- published data sets --------------------------------------------------------------

def test_published_data_sets_outlive_their_client(cluster):
    with ncg.Client(cluster, timeout=WAIT) as first:
        x = ncg.arange(100, chunks=30)
        first.publish_dataset(x, name="numbers")
        first.publish_dataset(kept=(x * 2).persist())
        with pytest.raises(KeyError, match="already exists"):
            first.publish_dataset(numbers=x)
        first.publish_dataset(numbers=x + 1, override=True)
        with pytest.raises(ValueError):
            first.publish_dataset(x)
        with pytest.raises(TypeError, match="future"):
            first.publish_dataset(future=first.submit(double, 1))
    with ncg.Client(cluster, timeout=WAIT) as second:
        assert second.list_datasets() == ("kept", "numbers")
        assert second.get_dataset("numbers").sum().compute() == 5050
        kept = second.get_dataset("kept")
        assert kept.chunks == ((30, 30, 30, 10),) and kept._node.op == "handle"
        assert (kept + 1).max().compute() == 199
        assert second.get_dataset("kept").sum().compute() == 9900
        for name in ("kept", "numbers"):
            second.unpublish_dataset(name)
        assert second.list_datasets() == ()
        assert second.get_dataset("kept", default=None) is None
        with pytest.raises(KeyError):
            second.get_dataset("kept")
        with pytest.raises(KeyError):
            second.unpublish_dataset("kept")


def test_xarray_is_published(cluster):
    xr = pytest.importorskip("xarray")
    with ncg.Client(cluster, timeout=WAIT) as first:
        x = ncg.arange(100, chunks=30)
        ds = xr.Dataset({"v": ("t", x), "w": ("t", (x + 0.5).persist())})
        first.publish_dataset(ds=ds)
    with ncg.Client(cluster, timeout=WAIT) as second:
        got = second.get_dataset("ds")
        assert isinstance(got.v.data, ncg.Array)
        assert int(got.v.sum()) == 4950 and float(got.w.max()) == 99.5
        second.unpublish_dataset("ds")


def test_xarray_on_a_cluster(client):
    pytest.importorskip("xarray")
    from operations_on_cluster import check
    assert check(3) >= 30


# ---- reports ------------------------------------------------------------------------------

def test_reports(client, tmp_path):
    with client.get_task_stream() as stream:
        client.gather(client.map(double, range(5), pure=False))
        client.submit(fail, "z", pure=False).exception(WAIT)
        ncg.ones(6, chunks=2).map_blocks(double, dtype="f8").sum().compute()
    rows = [r for r in stream.data if r["key"].startswith("double-")]
    assert len(rows) == 5 + 3
    assert [r["status"] for r in stream.data].count("error") == 1
    for row in rows:
        span = row["startstops"][0]
        assert span["stop"] >= span["start"] and row["worker"] in "01"
    path = tmp_path / "report.html"
    with client.performance_report(str(path)):
        client.submit(double, 1, pure=False).result(WAIT)
    text = path.read_text()
    assert "<svg" in text and "double" in text and "1 calls" in text
    assert "0 computations" in text
    path = tmp_path / "stream.html"
    with client.get_task_stream(plot="save", filename=str(path)):
        pass
    assert "0 calls" in path.read_text()


def test_computations_are_in_the_stream(client, tmp_path):
    path = tmp_path / "report.html"
    x = ncg.ones((40, 50), chunks=10)
    with ncg.performance_report(filename=str(path)) as report:
        assert x.sum().compute() == 2000
        kept = (x + 1).persist()
        assert kept.max().compute() == 2
    runs = [row for row in report.data if row["kind"] == "computation"]
    assert [row["nbytes"] for row in runs] == [8, 16000, 8]
    assert {row["worker"] for row in runs} == {"all"}
    assert {row["status"] for row in runs} == {"OK"}
    text = path.read_text()
    assert "3 computations" in text


def test_tasks_of_kernels_are_in_the_stream(client, tmp_path):
    path = tmp_path / "report.html"
    x = ncg.ones((40, 50), chunks=10)
    with ncg.performance_report(filename=str(path)) as report:
        begin = time.time()
        (x.rechunk((40, 25)).cumsum(axis=0) + 1).map_blocks(double).sum() \
            .compute()
        end = time.time()
    tasks = [row for row in report.data if row["kind"] == "task"]
    assert {row["worker"] for row in tasks} <= {"0", "1"}
    assert len({row["key"] for row in tasks}) == len(tasks) > 3
    assert {row["key"].split("-")[0] for row in tasks} >= {"ncg.scan/1", "sum"}
    for row in tasks:
        span = row["startstops"][0]
        assert begin - 1 < span["start"] <= span["stop"] < end + 1
    calls = [row for row in report.data if row["kind"] == "call"]
    assert {row["key"].split("-")[0] for row in calls} == {"double"}
    assert f"{len(tasks)} tasks of kernels" in path.read_text()


def test_what_is_stored_in_pieces_is_in_the_stream(client, monkeypatch):
    monkeypatch.setattr("ncgraph._store.TOGETHER", 0)
    target = np.zeros((40, 50))
    with client.get_task_stream() as stream:
        ncg.store(ncg.ones((40, 50), chunks=10), target)
    assert target.all()
    runs = [row for row in stream if row["kind"] == "computation"]
    assert [(row["nbytes"], row["status"]) for row in runs] == [(16000, "OK")]


def test_computations_of_other_clients_are_not_in_the_stream(cluster):
    for _ in range(3):  # Python gives their addresses again
        with ncg.Client(cluster, timeout=WAIT) as made:
            assert ncg.ones(6, chunks=2).sum().compute() == 6
            found = made.get_task_stream()
            assert [r["kind"] for r in found].count("computation") == 1
        del made, found
    from ncgraph import _lib
    serials = [_lib.Context(threads=1).serial for _ in range(4)]
    assert serials == sorted(set(serials))


def test_workers_whose_clocks_are_ahead(client, monkeypatch, tmp_path):
    end = time.time() + 3600
    monkeypatch.setattr(
        "ncgraph._services.run_on_workers", lambda *_: {
            "0": ([("double-1", end - 1, end, 1, 8, "OK")], [])})
    path = tmp_path / "stream.html"
    with client.get_task_stream(plot="save", filename=str(path)) as stream:
        pass
    assert [row["key"] for row in stream] == ["double-1"]
    assert "1 calls" in path.read_text()
    assert not client.get_task_stream(stop=time.time())


def test_a_task_stream_is_drawn_at_once(client, tmp_path):
    client.submit(double, 1, pure=False).result(WAIT)
    path = tmp_path / "stream.html"
    client.get_task_stream(plot="save", filename=str(path))
    assert "double" in path.read_text()


def test_the_task_stream_of_the_past(client):
    before = time.time()
    client.gather(client.map(double, range(3), pure=False))
    assert len(client.get_task_stream(start=before)) >= 3
    assert len(client.get_task_stream(start=before, count=2)) == 2
    assert len(client.get_task_stream(start="10 min")) >= 3
    assert not client.get_task_stream(stop=before - 3600)
    for row in client.get_task_stream(before, time.time()):
        assert row["startstops"][0]["stop"] >= before
    with pytest.raises(ValueError, match="500 ms"):
        client.get_task_stream(start="soon")


def test_the_line_for_jupyter():
    from ncgraph._jupyter import tunnel
    line, url = tunnel("node7", 8888, "abc", "http://127.0.0.1:8787/page")
    assert line.startswith("ssh -N -L 8888:localhost:8888 "
                           "-L 8787:localhost:8787 ")
    assert line.endswith("node7")
    assert url == "http://localhost:8888/lab?token=abc"


def test_jupyter_that_is_not_installed(client, monkeypatch):
    there = client.run_on_scheduler(_has_jupyterlab)
    if there:
        pytest.skip("jupyterlab is installed")
    with pytest.raises(ModuleNotFoundError, match="jupyterlab"):
        client.jupyter()


def _has_jupyterlab():
    import importlib.util
    return importlib.util.find_spec("jupyterlab") is not None


# ---- the lives of workers -----------------------------------------------------------------

def test_restart():
    with ncg.LocalCluster(n_workers=1, threads_per_worker=1, timeout=WAIT,
                          memory_limit="100 MiB") as cluster:
        with ncg.Client(cluster, timeout=WAIT) as client:
            before = client.submit(os.getpid).result(WAIT)
            assert client.restart(timeout=WAIT) is client
            after = client.submit(os.getpid, pure=False).result(WAIT)
            assert after != before
