# SPDX-License-Identifier: BSD-3-Clause
"""Calls on workers: futures and what a client does with them."""
import os
import signal
import threading
import time

import numpy as np
import pytest

import ncgraph as ncg
from conftest import WAIT
from ncgraph import futures as kinds


def double(x):
    return 2 * x


def wait_for_file(path):
    end = time.monotonic() + WAIT
    while not os.path.exists(path):
        assert time.monotonic() < end
        time.sleep(0.01)
    return path


# ---- calls -----------------------------------------------------------------------

def test_submit(client):
    future = client.submit(double, 21)
    assert future.result(WAIT) == 42
    assert future.done() and future.status == "finished"
    assert future.exception() is None and future.traceback() is None
    assert future.key.startswith("double-")
    assert "finished" in repr(future) and "double-" in future._repr_html_()
    assert client.submit(os.getpid).result(WAIT) != os.getpid()


def test_equal_calls_are_done_once(client):
    a, b = client.submit(double, 3), client.submit(double, 3)
    assert a.key == b.key and a is b
    c = client.submit(double, 3, pure=False)
    assert c.key != a.key
    assert client.submit(double, 4, key="mine").key == "mine"


def test_futures_are_arguments(client):
    a = client.submit(double, 1)
    b = client.submit(double, a)
    nested = client.submit(lambda rows, named: (sum(rows), named["x"]),
                           [a, b, a], {"x": b})
    assert nested.result(WAIT) == (8, 4)
    big = client.submit(np.arange, 100_000)
    assert client.submit(np.sum, big).result(WAIT) == 4999950000


def test_map_and_gather(client):
    made = client.map(double, range(100))
    assert client.gather(made) == list(range(0, 200, 2))
    assert client.gather({"a": made[1], "b": (made[2], 7)}) == \
        {"a": 2, "b": (4, 7)}
    both = client.map(lambda x, y, z=0: x + y + z, made[:3], [1, 1, 1], z=10)
    assert client.gather(both) == [11, 13, 15]
    assert client.map(double, []) == []
    assert [f.key for f in client.map(double, [1, 2], key=["p", "q"])] == \
        ["p", "q"]


def quick(client, func):
    """Have the client know that a function is quick; give its mark."""
    from ncgraph import _calls
    mark = _calls.head_of(func)[:16]
    client._dispatcher._groups._quick[mark] = True
    return mark


def test_quick_calls_go_together(client, tmp_path):
    def once(n):
        with open(tmp_path / str(n), "x"):  # a second call would fail
            pass
        if n == 50:
            raise KeyError("fifty")
        return n

    quick(client, once)
    made = client.map(once, range(500))
    for n, future in enumerate(made):
        if n == 50:
            with pytest.raises(KeyError, match="fifty") as info:
                future.result(WAIT)
            assert "in once" in str(info.value.__cause__)
        else:
            assert future.result(WAIT) == n


@pytest.mark.parametrize("seconds, size", [(0.03, 1), (0, 300_000)])
def test_calls_that_are_not_quick_go_alone(client, tmp_path, seconds, size):
    def slow(n):
        with open(tmp_path / str(n), "x"):
            pass
        time.sleep(seconds)
        return bytes([n]) * size

    mark = quick(client, slow)
    values = client.gather(client.map(slow, range(100)))
    assert values == [bytes([n]) * size for n in range(100)]
    assert client._dispatcher._groups._quick[mark] is False


def test_scatter(client):
    values = np.arange(1000.0)
    future = client.scatter(values)
    assert client.submit(np.sum, future).result(WAIT) == 499500
    np.testing.assert_array_equal(future.result(WAIT), values)
    rows = client.scatter([1, 2])
    assert client.gather(rows) == [1, 2]
    assert client.gather(client.scatter({"x": 3})) == {"x": 3}


# ---- what fails --------------------------------------------------------------------

class OwnError(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)
        self.b = b


def fail(kind):
    if kind == "own":
        raise OwnError(1, 2)
    raise KeyError(kind)


def test_exceptions_and_remote_tracebacks(client):
    future = client.submit(fail, "x")
    with pytest.raises(KeyError, match="x") as caught:
        future.result(WAIT)
    assert 'raise KeyError(kind)' in str(caught.value.__cause__)
    assert future.status == "error"
    assert isinstance(future.exception(), KeyError)
    assert "in fail" in future.traceback()
    own = client.submit(fail, "own").exception(WAIT)
    assert type(own).__name__ == "OwnError" and own.b == 2


def test_failures_pass_on(client):
    bad = client.submit(fail, "deep")
    with pytest.raises(KeyError, match="deep"):
        client.submit(double, client.submit(double, bad)).result(WAIT)
    good = client.submit(double, 1)
    with pytest.raises(KeyError):
        client.gather([good, bad])
    assert client.gather([good, bad, good], errors="skip") == [2, 2]
    with pytest.raises(ValueError):
        client.gather([], errors="hide")


def test_unpicklable_calls(client):
    lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot be sent"):
        client.submit(double, lock)
    with pytest.raises(TypeError, match="cannot be sent"):
        client.submit(lambda: lock)
    with pytest.raises(TypeError, match="value, a lock, cannot be sent"):
        client.submit(threading.Lock).result(WAIT)


def attempts(path, n):
    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) < n:
        raise OSError("not yet")
    return os.path.getsize(path)


def test_retries_and_retry(client, tmp_path):
    path = str(tmp_path / "a")
    assert client.submit(attempts, path, 3, retries=5).result(WAIT) == 3
    path = str(tmp_path / "b")
    future = client.submit(attempts, path, 2)
    assert isinstance(future.exception(WAIT), OSError)
    client.retry(future)
    assert future.result(WAIT) == 2


def test_recreate_error_locally(client):
    future = client.submit(fail, client.submit(str, "here"))
    assert isinstance(future.exception(WAIT), KeyError)
    with pytest.raises(KeyError, match="here") as caught:
        client.recreate_error_locally(future)
    assert caught.value.__cause__ is None  # it was raised in this process


def linger(path, started=None):
    if started:
        open(started, "w").close()
    end = time.monotonic() + WAIT
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.01)
    return path


def test_cancel(client, tmp_path):
    gate = str(tmp_path / "gate")
    running = client.map(linger, [gate, gate], pure=False)
    waiting = client.submit(double, client.submit(double, 5, key="later"))
    client.cancel(running + [waiting])
    for future in (*running, waiting):
        with pytest.raises(ncg.CancelledError):
            future.result(WAIT)
        assert future.cancelled()
    open(gate, "w").close()
    assert client.submit(double, 7).result(WAIT) == 14


# ---- waiting -------------------------------------------------------------------------

def test_as_completed(client, tmp_path):
    gate = str(tmp_path / "gate")
    fast = client.submit(double, 8)
    assert fast.result(WAIT) == 16
    slow = client.submit(linger, gate)
    order = ncg.as_completed([slow, fast])
    assert next(order) is fast
    assert order.count() == 1 and not order.has_ready()
    open(gate, "w").close()
    order.add(client.submit(double, 9))
    assert {f.result(WAIT) for f in order} == {gate, 18}
    assert order.is_empty()
    made = client.map(double, range(5))
    assert sorted(v for _, v in ncg.as_completed(made, with_results=True)) == \
        [0, 2, 4, 6, 8]
    assert sum(map(len, ncg.as_completed(made).batches())) == 5


def test_wait(client, tmp_path):
    gate = str(tmp_path / "gate")
    fast = client.submit(double, 1)
    assert fast.result(WAIT) == 2
    slow = client.submit(linger, gate)
    done, left = ncg.wait([slow, fast], return_when="FIRST_COMPLETED")
    assert done == {fast} and left == {slow}
    with pytest.raises(TimeoutError):
        ncg.wait(slow, timeout=0.05)
    with pytest.raises(TimeoutError):
        slow.result(timeout=0.05)
    open(gate, "w").close()
    assert ncg.wait([slow, fast], timeout=WAIT).not_done == set()


def test_progress_and_callbacks(client, capsys):
    made = client.map(double, range(4))
    ncg.progress(made)
    assert "100% 4/4" in capsys.readouterr().err
    seen = threading.Event()
    made[0].add_done_callback(lambda f: seen.set())
    assert seen.wait(WAIT)


def test_await(client):
    import asyncio

    async def both():
        return await client.submit(double, 4) + await client.submit(double, 5)
    assert asyncio.run(both()) == 18


def test_interrupt_leaves_the_client_usable(client, tmp_path):
    gate, started = str(tmp_path / "gate"), str(tmp_path / "started")
    future = client.submit(linger, gate, started)

    def interrupt():
        wait_for_file(started)
        os.kill(os.getpid(), signal.SIGINT)
    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        future.result(WAIT)
    thread.join()
    open(gate, "w").close()
    assert future.result(WAIT) == gate


# ---- collections ------------------------------------------------------------------------

def test_compute_gives_futures(client):
    x = ncg.arange(100, chunks=20)
    future = client.compute(x.sum())
    assert isinstance(future, kinds.Future)
    assert future.result(WAIT) == 4950
    several = client.compute([x.max(), x.min()])
    assert client.gather(several) == [99, 0]
    assert client.compute(x.sum(), sync=True) == 4950
    assert client.compute([x.sum()], sync=True) == [4950]


def test_a_computation_can_be_cancelled(client, tmp_path):
    started = str(tmp_path / "started")

    def slow(block):
        import time as clock
        open(started, "w").close()
        clock.sleep(0.1)
        return block
    future = client.compute(
        ncg.ones(3000, chunks=1).map_blocks(slow, dtype="f8").sum())
    wait_for_file(started)
    future.cancel()
    with pytest.raises(ncg.CancelledError):
        future.result(WAIT)
    assert future.status == "cancelled"
    assert ncg.ones(4, chunks=2).sum().compute() == 4


def test_graphs_of_dask(client):
    dask = pytest.importorskip("dask")
    from operator import add
    dsk = {"a": 1, "b": (add, "a", 2), "c": (sum, ["a", "b"]),
           "pid": (os.getpid,)}
    a, (c, pid) = ncg.get(dsk, ["a", ["c", "pid"]])
    assert (a, c) == (1, 4) and pid != os.getpid()
    total = dask.delayed(sum)([dask.delayed(double)(i) for i in range(5)])
    assert client.compute(total).result(WAIT) == 20
    seen = []
    from dask.callbacks import Callback
    with Callback(posttask=lambda key, *rest: seen.append(key)):
        client.get(dsk, "c")
    assert set(seen) == {"a", "b", "c"}
    with pytest.raises(ZeroDivisionError):
        client.get({"x": (divmod, 1, 0)}, "x")


def test_a_worker_that_dies_loses_nothing():
    with ncg.LocalCluster(n_workers=2, threads_per_worker=1, timeout=WAIT,
                          memory_limit="100 MiB") as cluster:
        with ncg.Client(cluster, timeout=WAIT) as client:
            made = client.map(double, range(20))
            ncg.wait(made, timeout=WAIT)
            os.kill(cluster.workers["0"]["pid"], signal.SIGKILL)
            assert client.gather(made) == list(range(0, 40, 2))
