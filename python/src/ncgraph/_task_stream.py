# SPDX-License-Identifier: BSD-3-Clause
"""What workers did, and when: functions of Python and tasks of the engine one by
one, and whole computations.
"""
from __future__ import annotations

import collections
import contextlib
import math
import re
import time
from collections.abc import Sequence
from typing import Any, Iterator

from . import _lib, _services

# What this process had computed on clusters: (serial number of the context,
# name, start, stop, bytes, status).
_computed: "collections.deque[tuple]" = collections.deque(maxlen=10_000)

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60,
          "h": 3600, "hr": 3600, "d": 86400}


@contextlib.contextmanager
def noted(arrays: Sequence[Any]) -> Iterator[None]:
    """Remember a computation of arrays on a cluster."""
    context, begin, status = _lib.context(), time.time(), "error"
    try:
        yield
        status = "OK"
    finally:
        _computed.append((context.serial, arrays[0].name, begin,
                          time.time(), sum(a.nbytes for a in arrays), status))


def moment(value: Any) -> float | None:
    """A time of the past: a number as it is, a text as how long ago."""
    if value is None or isinstance(value, (int, float)):
        return value
    found = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]+)\s*", str(value))
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"a time is a number, or how long ago it was as "
                         f"'60s' or '500 ms', not {value!r}")
    return time.time() - float(found[1]) * _UNITS[found[2]]


def done(client: Any, start: float, stop: float) -> list[dict[str, Any]]:
    """Rows of functions of Python that workers called, and of tasks of the
    engine that they ran."""
    answers = _services.run_on_workers(client._linked(),
                                       _services.done_since, (start,))
    return [_row(key, worker, thread, status, nbytes, begin, end, kind)
            for worker, both in answers.items()
            if not isinstance(both, Exception)
            for kind, found in zip(("call", "task"), both)
            for key, begin, end, thread, nbytes, status in found
            if end <= stop]


def computations(client: Any, start: float, stop: float
                 ) -> list[dict[str, Any]]:
    """Rows of computations that this client had done by all workers."""
    mine = client._linked().serial
    return [_row(name, "all", 0, status, nbytes, begin, end, "computation")
            for context, name, begin, end, nbytes, status in list(_computed)
            if context == mine and start <= end <= stop]


def _row(key: str, worker: str, thread: int, status: str, nbytes: int,
         begin: float, end: float, kind: str) -> dict[str, Any]:
    return {"key": key, "worker": worker, "thread": thread, "status": status,
            "nbytes": nbytes, "kind": kind,
            "startstops": [{"action": "compute", "start": begin,
                            "stop": end}]}


class TaskStream(Sequence):
    """What workers did, in the order in which it ended.

    In a ``with`` statement: between its beginning and its end. Each entry is
    a dict of ``key``, ``worker``, ``thread``, ``status``, ``nbytes``,
    ``startstops`` and ``kind``. A function of Python is a "call", what a kernel
    of the engine did a "task", for whichever client; what was computed for
    this client is, as a whole, a "computation" by the worker "all".

    Attributes
    ----------
    data : list of dict
        The entries.
    """

    def __init__(self, client: Any, filename: str | None,
                 start: float | None = None, stop: float | None = None,
                 count: int | None = None):
        self._client, self._filename = client, filename
        self._start, self._stop, self._count = start, stop, count
        self._data: list[dict[str, Any]] | None = None

    @property
    def data(self) -> list[dict[str, Any]]:
        """The entries; workers are asked for them once."""
        if self._data is None:
            self._ask(self._stop or math.inf)
        return self._data or []

    def _ask(self, stop: float) -> None:
        start = self._start or 0.0
        rows = done(self._client, start, stop) + \
            computations(self._client, start, stop)
        rows.sort(key=lambda row: row["startstops"][0]["stop"])
        if self._count is not None:
            rows = rows[max(len(rows) - self._count, 0):]
        self._data = rows
        if self._filename:
            self._write(rows)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        from ._report import page
        begins = [row["startstops"][0]["start"] for row in rows]
        start = self._start or min(begins, default=time.time())
        ends = [row["startstops"][0]["stop"] for row in rows]
        stop = max(self._stop or time.time(), *ends, start)
        with open(self._filename, "w", encoding="utf-8") as file:
            file.write(page(rows, start, stop,
                            self._client.scheduler_info()))

    def __getitem__(self, index: Any) -> Any:
        return self.data[index]

    def __len__(self) -> int:
        return len(self.data)

    def __enter__(self) -> "TaskStream":
        self._data = []
        self._start, self._stop = time.time(), None
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop = time.time()
        # The workers' clocks may be ahead of this one: all that they did so
        # far was done within the statement.
        self._ask(math.inf)


def get_task_stream(client: Any = None, plot: Any = False,
                    filename: Any = "task-stream.html") -> TaskStream:
    """Collect what workers do within a ``with`` statement."""
    from .client import current
    return (client or current()).get_task_stream(plot=plot, filename=filename)


def performance_report(filename: str = "ncgraph-report.html", **kwargs: Any
                       ) -> TaskStream:
    """Write a report of what workers do within a ``with`` statement."""
    from .client import current
    return current().performance_report(filename)
