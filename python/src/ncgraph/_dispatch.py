# SPDX-License-Identifier: BSD-3-Clause
"""Calls of a client on their way to the workers: what waits goes in one run,
and many quick calls as one task."""
from __future__ import annotations

import threading
import time
from typing import Any

from . import _calls, _lib
from ._portable import TOKEN
from .futures import CallFuture, end

# Calls of a group, how many make groups worth while, and what the first run of
# a function may take for it to be quick: no call of that run took longer.
_GROUP, _MANY, _QUICK_SECONDS = 32, 64, 0.5


class Dispatcher:
    """Runs the calls of a client: all that wait go to the workers in one run.

    Calls that are asked for while others run begin when those have ended.
    """

    def __init__(self, context: _lib.Context):
        self._groups = Groups(context)
        self._wake = threading.Condition()
        self._waiting: list[CallFuture] = []
        self._is_open = True
        self._thread: threading.Thread | None = None

    def add(self, *futures: CallFuture) -> None:
        """Take calls; their inputs were taken before."""
        with self._wake:
            if not self._is_open:
                raise RuntimeError("the client is closed")
            self._waiting.extend(futures)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True,
                                                name="ncgraph.calls")
                self._thread.start()
            self._wake.notify()

    def close(self) -> None:
        """Cancel what waits."""
        with self._wake:
            self._is_open = False
            left, self._waiting = self._waiting, []
            self._wake.notify()
        for future in left:
            future.cancel()

    def _work(self) -> None:
        while True:
            with self._wake:
                while self._is_open and not self._waiting:
                    self._wake.wait()
                if not self._is_open:
                    return
                batch, self._waiting = self._waiting, []
            self._run([f for f in batch if not f.done()])

    def _run(self, batch: list[CallFuture]) -> None:
        numbers: dict[int, int] = {}
        rows: list[tuple[tuple, list[int]]] = []
        ready: list[CallFuture] = []
        for future in batch:
            inputs = future._call.inputs
            if any(i.cancelled() for i in inputs):
                future.cancel()
                continue
            # Inputs of this run come by number, behind those that are known.
            if any(id(i) in numbers for i in inputs):
                known, deps = [], []
                for i in inputs:
                    if id(i) not in numbers:
                        numbers[id(i)] = len(rows)
                        rows.append((_constant(i._data), []))
                    deps.append(numbers[id(i)])
            else:
                known, deps = [i._data for i in inputs], []
            numbers[id(future)] = len(rows)
            rows.append((future._call.row(future.key, known), deps))
            ready.append(future)
        if ready:
            self._groups.run(rows, {numbers[id(f)]: f for f in ready})


class Groups:
    """Runs of calls, in which many that are quick go as one task.

    Functions are quick once a run of them was; a group that takes long leaves
    the rest of its calls to another run, and they are not quick any more.
    """

    def __init__(self, context: _lib.Context):
        self._context = context
        self._quick: dict[bytes, bool] = {}

    def run(self, rows: list[tuple[tuple, list[int]]],
            wanted: dict[int, CallFuture]) -> None:
        """Run calls and end the futures of those that are wanted, by number."""
        used = {d for _, deps in rows for d in deps}
        together = [i for i, (row, deps) in enumerate(rows)
                    if not deps and i not in used and
                    self._quick.get(row[0][:TOKEN])]
        if len(together) < _MANY:
            together = []
        aside = set(together)
        numbers: dict[int, int] = {}
        calls: list[tuple[bytes, list[int]]] = []
        for i, (row, deps) in enumerate(rows):
            if i not in aside:
                numbers[i] = len(calls)
                calls.append((_calls.pack(row), [numbers[d] for d in deps]))
        alone = [i for i in numbers if i in wanted]
        groups = [together[i:i + _GROUP]
                  for i in range(0, len(together), _GROUP)]
        asked = [numbers[i] for i in alone]
        for group in groups:
            asked.append(len(calls))
            calls.append((_calls.pack_group([rows[i][0] for i in group]), []))
        begin = time.monotonic()
        try:
            made = _calls.run(self._context, calls, asked)
        except BaseException as exc:
            end([(future, None, exc) for future in wanted.values()])
            return
        self._learn([rows[i][0] for i in numbers], time.monotonic() - begin)
        end([(wanted[i], data, None) for i, data in zip(alone, made)])
        left: list[int] = []
        for group, data in zip(groups, made[len(alone):]):
            left += self._share_out(group, data, wanted)
        if left:
            for i in left:
                self._quick[rows[i][0][0][:TOKEN]] = False
            self.run([rows[i] for i in left],
                     {n: wanted[i] for n, i in enumerate(left)})

    def _learn(self, rows: list[tuple], seconds: float) -> None:
        if seconds > _QUICK_SECONDS:
            return
        if len(self._quick) > 1000:
            self._quick.clear()
        for row in rows:
            self._quick.setdefault(row[0][:TOKEN], True)

    @staticmethod
    def _share_out(group: list[int], data: bytes,
                   wanted: dict[int, CallFuture]) -> list[int]:
        """End the futures of a group; give those it did not come to."""
        try:
            values = _calls.loads(data)
        except BaseException:
            values = [data] * len(group)  # the exception is that of each
        end([(wanted[i], value, None) for i, value in zip(group, values)])
        return group[len(values):]


def _constant(data: bytes) -> tuple:
    """A call that gives a value that is known."""
    with _calls.collecting():
        arguments = _calls.pack_arguments((_Known(),), {})
    return _calls.head_of(_same), "known", arguments, 0, [data]


class _Known:
    """Pickled: the first input of a call."""

    def __reduce__(self) -> Any:
        return _calls._input, (0,)


def _same(value: Any) -> Any:
    return value
