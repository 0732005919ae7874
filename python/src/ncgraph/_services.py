# SPDX-License-Identifier: BSD-3-Clause
"""Functions of Python that workers and the scheduler call at once for a client,
beside their work; and what each process remembers for such questions.

The argument of a call is what ``_calls`` packs, its value a pickle.
"""
from __future__ import annotations

import collections
import json
import pickle
import threading
from typing import Any, Callable, Sequence

from . import _calls, _lib
from ._lib import ffi, lib

RUN = b"org.ncgraph.python.run/1"

_local = threading.local()

# What this process called: (key, start, stop, thread, bytes, status).
_log: "collections.deque[tuple]" = collections.deque(maxlen=100_000)


# ---- in the process that is asked -------------------------------------------------------

def note(key: str, start: float, stop: float, nbytes: int,
         status: str = "OK") -> None:
    """Remember that something was called."""
    _log.append((key, start, stop, threading.get_ident(), nbytes, status))


def notes_since(start: float) -> list[tuple]:
    """What was called in this process and ended after a time."""
    return [row for row in list(_log) if row[2] >= start]


def tasks_since(start: float) -> list[tuple]:
    """Tasks of the engine's own kernels that ended in this process after a
    time; functions of Python are among the calls."""
    from ._python import KERNEL
    room = lib.ncg_task_log(start, ffi.NULL, 0)
    rows = ffi.new("ncg_task_note[]", room + 1)
    count = min(lib.ncg_task_log(start, rows, room), room)
    made = []
    for row in ffi.unpack(rows, count):
        kernel = _string(row.kernel)
        if kernel == KERNEL.decode() or _string(row.kind) == "tasks":
            continue
        key = f"{kernel}-{_string(row.token)}-{row.number}"
        made.append((key, row.start, row.stop, row.thread, row.nbytes,
                     "error" if row.status else "OK"))
    return made


def done_since(start: float) -> tuple[list[tuple], list[tuple]]:
    """Calls and tasks that ended in this process after a time."""
    return notes_since(start), tasks_since(start)


def called_of(keys: Sequence[str]) -> list[str]:
    """Which of these calls this process has done."""
    done = {row[0] for row in list(_log) if row[5] == "OK"}
    return [key for key in keys if key in done]


def failure_of(mark: str) -> tuple[bytes, str] | None:
    """An exception of this process by its mark: a pickle, its traceback."""
    exc = _lib.failure_known(mark)
    if exc is None:
        return None
    made = _calls.Failed(exc)
    return made.data, made.text


def process_name() -> str:
    """Name of the process that is asked, within a call."""
    return getattr(_local, "process", "")


def status() -> dict[str, Any]:
    """The cluster's status, within a call of the scheduler."""
    return json.loads(getattr(_local, "status", None) or "{}")


def _string(text: Any) -> str:
    return "" if text == ffi.NULL else \
        ffi.string(text).decode(errors="replace")


@ffi.def_extern(error=lib.NCG_EKERNEL)
def ncgpy_function(call: Any, payload: Any, err: Any) -> int:
    try:
        row = pickle.loads(ffi.buffer(call.argument.data,
                                      call.argument.size)[:])
        _local.process, _local.status = _string(call.process), \
            _string(call.status)
        with _lib.inner_engine():
            value = _calls.called(row)
        return lib.ncg_function_give(call, ffi.from_buffer(value), len(value),
                                     err)
    except BaseException as exc:
        return _lib.fail(err, exc)


def register() -> None:
    """Make such calls known in this process, before it joins a cluster, and
    begin to remember its tasks."""
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_task_log_start(_log.maxlen, err), err)
    _lib.check(lib.ncg_function_register(RUN, lib.ncgpy_function, ffi.NULL,
                                         err), err)


# ---- in the client -------------------------------------------------------------------------

def _argument(func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    data = _calls.pack((_calls.head_of(func), "run",
                        _calls.pack_arguments(args, kwargs), 0, ()))
    kept = ffi.from_buffer(data)
    return {"data": kept, "size": len(data)}, kept


def run_on_scheduler(context: _lib.Context, func: Callable, args: tuple = (),
                     kwargs: dict[str, Any] | None = None) -> Any:
    """Call a function in the scheduler's process."""
    argument, kept = _argument(func, args, kwargs or {})
    data, size = ffi.new("void **"), ffi.new("size_t *")
    err = ffi.new("ncg_error *")
    status_ = lib.ncg_run_on_scheduler(context.ptr, RUN, argument, data, size,
                                       err)
    del kept
    if status_ == lib.NCG_ENOTFOUND:
        raise RuntimeError("the scheduler was not started from Python, so it "
                           "cannot call functions of Python: start it by "
                           "'python -m ncgraph cluster'")
    _lib.check(status_, err)
    try:
        return _calls.loads(ffi.buffer(data[0], size[0])[:])
    finally:
        lib.ncg_free(data[0])


def run_on_workers(context: _lib.Context, func: Callable, args: tuple = (),
                   kwargs: dict[str, Any] | None = None,
                   workers: Sequence[str] | None = None) -> dict[str, Any]:
    """Call a function on workers; exceptions are values of the answer."""
    argument, kept = _argument(func, args, kwargs or {})
    names = [ffi.new("char[]", w.encode()) for w in workers or ()]
    rows = ffi.new("char *[]", names) if names else ffi.NULL
    out, n = ffi.new("ncg_worker_answer **"), ffi.new("size_t *")
    err = ffi.new("ncg_error *")
    if workers is not None and not names:
        return {}
    _lib.check(lib.ncg_run_on_workers(context.ptr, RUN, argument, rows,
                                      len(names), out, n, err), err)
    del kept
    try:
        return dict(_answer(out[0][i]) for i in range(n[0]))
    finally:
        lib.ncg_worker_answers_free(out, n[0])


def _answer(row: Any) -> tuple[str, Any]:
    name = _string(row.worker)
    try:
        if row.status == lib.NCG_OK:
            return name, _calls.loads(ffi.buffer(row.data, row.size)[:])
        err = ffi.new("ncg_error *")
        lib.ncgpy_set_error(err, _string(row.message).encode())
        _lib.check(row.status, err)
    except Exception as exc:
        return name, exc
    return name, None
