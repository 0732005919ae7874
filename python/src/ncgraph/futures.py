# SPDX-License-Identifier: BSD-3-Clause
"""Futures: values that a cluster makes while the program goes on."""
from __future__ import annotations

import collections
import concurrent.futures
import os
import threading
import time
import traceback
from typing import Any, Callable, Iterable, Iterator, NamedTuple

from . import _calls, _lib
from ._lib import CancelledError

_TICK = 0.2  # seconds after which waiting looks for Ctrl-C

# Told when futures end; one for all: many end at once, and whoever waits may
# wait for those of several clients.
_ended = threading.Condition()


def _forked() -> None:
    global _ended
    _ended = threading.Condition()  # another thread may have held the old one


os.register_at_fork(after_in_child=_forked)


class Future:
    """A value that is being made; ``distributed.Future``'s methods.

    Attributes
    ----------
    key : str
        Its name.
    status : str
        "pending", "finished", "error" or "cancelled".
    """

    def __init__(self, client: Any, key: str):
        self.client, self.key = client, key

    # ---- what kinds of futures differ in ------------------------------------------

    def _poll(self) -> str:
        raise NotImplementedError

    def _wait(self, seconds: float) -> bool:
        raise NotImplementedError

    def _take(self) -> Any:
        """Give the value of one that is finished, or raise its error."""
        raise NotImplementedError

    def cancel(self, **kwargs: Any) -> None:
        """End the work; what waits for it ends, too."""
        raise NotImplementedError

    def retry(self) -> None:
        """Do it again."""
        raise NotImplementedError

    # ---- what they share -------------------------------------------------------------

    @property
    def status(self) -> str:
        """How far it is."""
        return self._poll()

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._poll() != "pending"

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._poll() == "cancelled"

    def _until(self, timeout: Any) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        while not self._wait(_TICK if end is None else
                             max(min(_TICK, end - time.monotonic()), 0)):
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"{self.key} did not end within "
                                   f"{timeout:g} s")

    def result(self, timeout: Any = None) -> Any:
        """Wait for the value and bring it here.

        Raises
        ------
        Exception
            That of the function, with the worker's traceback as its cause.
        CancelledError, TimeoutError
        """
        self._until(timeout)
        if self._poll() == "cancelled":
            raise CancelledError(self.key)
        return self._take()

    def exception(self, timeout: Any = None, **kwargs: Any
                  ) -> BaseException | None:
        """Wait and give the exception, None if there was none."""
        self._until(timeout)
        if self._poll() == "cancelled":
            raise CancelledError(self.key)
        if self._poll() == "finished":
            return None
        try:
            self._take()
        except BaseException as exc:
            return exc
        return None

    def traceback(self, timeout: Any = None, **kwargs: Any) -> Any:
        """Wait and give the exception's traceback as text, None if none."""
        exc = self.exception(timeout)
        return None if exc is None else \
            "".join(traceback.format_exception(exc))

    def add_done_callback(self, fn: Callable[["Future"], Any]) -> None:
        """Call ``fn(future)`` in a thread when it has ended."""
        def wait_and_call() -> None:
            while not self._wait(_TICK):
                pass
            fn(self)
        threading.Thread(target=wait_and_call, daemon=True).start()

    def __await__(self) -> Iterator[Any]:
        import asyncio
        return asyncio.to_thread(self.result).__await__()

    def __reduce__(self) -> Any:
        return _calls.reduce_future(self)

    def __repr__(self) -> str:
        return f"<Future: {self.status}, key: {self.key}>"

    def _repr_html_(self) -> str:
        import html
        return (f"<b>Future: {html.escape(self.key)}</b> "
                f"<span>status: {self.status}</span>")


class CallFuture(Future):
    """The value of a call on a worker."""

    def __init__(self, client: Any, key: str, call: "Call"):
        super().__init__(client, key)
        self._call = call
        self._reset()

    def _reset(self) -> None:
        self._is_cancelled = self._is_set = False
        self._data: bytes | None = None
        self._error: BaseException | None = None

    def retry(self) -> None:
        """Ask for the call again."""
        self._reset()
        self.client._dispatcher.add(self)

    def _set(self, data: bytes | None, error: BaseException | None) -> None:
        """End; whoever calls this tells those who wait."""
        self._data, self._error = data, error
        self._is_set = True

    def _poll(self) -> str:
        if self._is_cancelled:
            return "cancelled"
        if not self._is_set:
            return "pending"
        if self._error is None and self._data is not None and \
                _FAILED in self._data[:_LOOK]:
            try:
                _calls.loads(self._data)
            except BaseException as exc:
                self._error = exc
        return "finished" if self._error is None else "error"

    def _wait(self, seconds: float) -> bool:
        if self._is_set:
            return True
        with _ended:
            return _ended.wait_for(lambda: self._is_set, seconds)

    def _take(self) -> Any:
        if self._poll() == "error":
            raise self._error
        return _calls.loads(self._data)

    def cancel(self, **kwargs: Any) -> None:
        """Give up the value; a call that runs already goes on unseen."""
        if not self._is_set:
            self._is_cancelled = self._is_set = True
            with _ended:
                _ended.notify_all()


_FAILED = b"ncgraph._calls"  # names the class in a pickle's first bytes
_LOOK = 64


class Call:
    """What a future is asked for with."""

    def __init__(self, head: bytes, data: bytes, inputs: list[Any],
                 retries: int):
        self.head, self.data = head, data
        self.inputs, self.retries = inputs, retries

    def row(self, key: str, values: list[bytes]) -> tuple:
        """What is sent, with the values of its inputs."""
        return self.head, key, self.data, self.retries, values


def end(made: list[tuple[CallFuture, bytes | None, Any]]) -> None:
    """End calls with their values or errors, and tell who waits."""
    with _ended:
        for future, data, error in made:
            future._set(data, error)
        _ended.notify_all()


class ThreadFuture(Future):
    """Collections that are computed while the program goes on."""

    def __init__(self, client: Any, key: str, work: Callable[[], Any]):
        super().__init__(client, key)
        self._work = work
        self.retry()

    def retry(self) -> None:
        """Compute again."""
        self._stop = threading.Event()
        self._future: concurrent.futures.Future = concurrent.futures.Future()
        threading.Thread(target=self._run, name=self.key, daemon=True,
                         args=(self._future, self._stop)).start()

    def _run(self, future: concurrent.futures.Future,
             stop: threading.Event) -> None:
        try:
            with _lib.stopped_by(stop):
                future.set_result(self._work())
        except BaseException as exc:
            future.set_exception(exc)
        with _ended:
            _ended.notify_all()

    def _poll(self) -> str:
        if not self._future.done():
            return "pending"
        exc = self._future.exception()
        if isinstance(exc, CancelledError) and self._stop.is_set():
            return "cancelled"
        return "finished" if exc is None else "error"

    def _wait(self, seconds: float) -> bool:
        return bool(concurrent.futures.wait([self._future], seconds).done)

    def _take(self) -> Any:
        return self._future.result()

    def cancel(self, **kwargs: Any) -> None:
        """End the computation."""
        self._stop.set()


# ---- several futures -------------------------------------------------------------------

def futures_in(value: Any) -> list[Future]:
    """Find the futures in lists, tuples, sets and dicts."""
    if isinstance(value, Future):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, set, frozenset, Iterator)):
        return []
    return [f for item in value for f in futures_in(item)]


def wait_any(futures: list[Future], seconds: float) -> list[Future]:
    """Wait until some have ended and give those; none within the time: []."""
    end = time.monotonic() + seconds
    while True:
        with _ended:
            done = [f for f in futures if f.done()]
            left = end - time.monotonic()
            if done or not futures or left <= 0:
                return done
            _ended.wait(left)


class DoneAndNotDone(NamedTuple):
    """What :func:`wait` gives."""

    done: set
    not_done: set


def wait(fs: Any, timeout: Any = None,
         return_when: str = "ALL_COMPLETED") -> DoneAndNotDone:
    """Wait until futures have ended.

    Parameters
    ----------
    fs : futures, in lists or dicts
    timeout : float, optional
        Seconds, then TimeoutError.
    return_when : {"ALL_COMPLETED", "FIRST_COMPLETED"}
    """
    left = list(dict.fromkeys(futures_in(fs)))
    end = None if timeout is None else time.monotonic() + timeout
    done: list[Future] = []
    while left:
        found = wait_any(left, _TICK)
        done += found
        known = set(found)
        left = [f for f in left if f not in known]
        for f in found:
            if f.status == "cancelled":
                raise CancelledError(f.key)
        if found and return_when == "FIRST_COMPLETED":
            break
        if left and end is not None and time.monotonic() >= end:
            raise TimeoutError(f"{len(left)} futures did not end within "
                               f"{timeout:g} s")
    return DoneAndNotDone(set(done), set(left))


class as_completed:
    """Futures in the order in which they end.

    Parameters
    ----------
    futures : iterable of Future
    with_results : bool
        Give pairs of future and value.
    raise_errors : bool
        Whether the value of one that failed raises; otherwise it is the
        exception.
    """

    def __init__(self, futures: Iterable[Future] | None = None,
                 with_results: bool = False, raise_errors: bool = True,
                 timeout: Any = None, **kwargs: Any):
        self._left: list[Future] = []
        self._ready: collections.deque[Future] = collections.deque()
        self._with_results, self._raise = with_results, raise_errors
        self._end = None if timeout is None else time.monotonic() + timeout
        self.update(futures or ())

    def add(self, future: Future) -> None:
        """Take one more."""
        self._left.append(future)

    def update(self, futures: Iterable[Future]) -> None:
        """Take more."""
        self._left.extend(futures)

    def count(self) -> int:
        """How many have not been given yet."""
        return len(self._left) + len(self._ready)

    def is_empty(self) -> bool:
        """Whether all have been given."""
        return not self.count()

    def has_ready(self) -> bool:
        """Whether the next one is there already."""
        self._look(0)
        return bool(self._ready)

    def _look(self, seconds: float) -> None:
        found = wait_any(self._left, seconds)
        if found:
            known = set(map(id, found))
            self._left = [f for f in self._left if id(f) not in known]
            self._ready.extend(found)

    def __iter__(self) -> "as_completed":
        return self

    def __next__(self) -> Any:
        while not self._ready:
            if not self._left:
                raise StopIteration
            if self._end is not None and time.monotonic() >= self._end:
                raise TimeoutError(f"{len(self._left)} futures have not ended")
            self._look(_TICK)
        return self._given(self._ready.popleft())

    def _given(self, future: Future) -> Any:
        if not self._with_results:
            return future
        if self._raise:
            return future, future.result()
        try:
            return future, future.result()
        except Exception as exc:
            return future, exc

    def next_batch(self, block: bool = True) -> list[Any]:
        """All that have ended, at least one if ``block``."""
        if block and not self._ready and self._left:
            return [next(self), *self.next_batch(block=False)]
        self._look(0)
        out = [self._given(f) for f in self._ready]
        self._ready.clear()
        return out

    def batches(self) -> Iterator[list[Any]]:
        """Lists of those that have ended meanwhile."""
        while not self.is_empty():
            yield self.next_batch()

    def clear(self) -> None:
        """Forget all."""
        self._left.clear()
        self._ready.clear()


def progress(*futures: Any, notebook: Any = None, **kwargs: Any) -> None:
    """Show a bar of futures until all have ended."""
    from ._progress import make
    left = list(dict.fromkeys(futures_in(list(futures))))
    total, start, shown = len(left), time.monotonic(), make(0.0)
    try:
        while True:
            left = [f for f in left if not f.done()]
            shown.update(total - len(left), total, 0, 0,
                         time.monotonic() - start)
            shown.draw()
            if not left:
                return
            wait_any(left, _TICK)
    finally:
        shown.close()
