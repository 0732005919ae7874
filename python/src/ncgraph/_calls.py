# SPDX-License-Identifier: BSD-3-Clause
"""Calls of Python functions on workers: both ends of what travels.

A call's argument is the function (``_portable``) and a pickle of its arguments,
in which futures are numbers of inputs. Its value is a pickle.
"""
from __future__ import annotations

import hashlib
import pickle
import threading
import time
import traceback
import uuid
from typing import Any, Callable, Sequence

from . import _lib, _portable
from ._lib import ffi, lib
from ._ops import keep
from ._recipes import dumps

CALL = b"org.ncgraph.python.call/1"

_GROUP_SECONDS = 0.02  # what calls of a group may take before others get some
_GROUP_BYTES = 1 << 20  # and what their values may

_local = threading.local()
_tokens: dict[int, tuple[Any, bytes]] = {}  # of functions sent before


# ---- what the client sends -----------------------------------------------------------

class collecting:
    """With this, futures that are pickled become numbers of inputs."""

    def __enter__(self) -> "collecting":
        self.inputs: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._before = getattr(_local, "collecting", None)
        _local.collecting = self
        return self

    def __exit__(self, *_: Any) -> None:
        _local.collecting = self._before

    def number_of(self, future: Any) -> int:
        """The number of a future among the inputs."""
        number = self._numbers.get(id(future))
        if number is None:
            number = self._numbers[id(future)] = len(self.inputs)
            self.inputs.append(future)
        return number


def reduce_future(future: Any) -> Any:
    """What ``Future.__reduce__`` gives."""
    place = getattr(_local, "collecting", None)
    if place is None:
        raise TypeError("a future can be an argument of a call, and is "
                        "otherwise known to its client only: gather it, or "
                        "publish what it stands for")
    return _input, (place.number_of(future),)


def head_of(func: Callable) -> bytes:
    """A function as bytes; the same function is pickled once."""
    known = _tokens.get(id(func))
    if known is not None and known[0] is func:
        return known[1]
    data = _portable.pack(b"", func)
    made = hashlib.blake2b(data, digest_size=_portable.TOKEN).digest() + data
    if len(_tokens) > 100:
        _tokens.clear()
    _tokens[id(func)] = (func, made)
    return made


def pack_arguments(args: tuple, kwargs: dict[str, Any]) -> bytes:
    """The arguments of a call as bytes."""
    try:
        return dumps((args, kwargs))
    except Exception as exc:
        raise TypeError(f"arguments of a call cannot be sent to the cluster's "
                        f"workers: {exc}") from exc


def pack(row: tuple) -> bytes:
    """A call as bytes: (head, key, arguments, retries, values); values are
    those of inputs that are known already."""
    return pickle.dumps(row, protocol=5)


def pack_group(rows: Sequence[tuple]) -> bytes:
    """Several calls without further inputs as one; their values are a list,
    a shorter one where they take long or much room."""
    return pack((head_of(call_each), "group", pickle.dumps(((rows,), {}), 5),
                 0, ()))


# ---- what the worker does --------------------------------------------------------------

class RemoteTraceback(Exception):
    """Where a function failed on a worker; the cause of its exception."""

    def __init__(self, text: str):
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


class Failed:
    """A value's place where the function that was to make it failed."""

    def __init__(self, exc: BaseException):
        text = "".join(traceback.format_exception(exc))
        self.text = f"\n\nOn worker {_portable.here()}:\n{text}"
        try:
            self.data = dumps(exc)
            pickle.loads(self.data)
        except Exception:
            self.data = dumps(RuntimeError(f"{type(exc).__name__}: {exc}"))

    def exception(self) -> BaseException:
        """The exception, with the worker's traceback as its cause."""
        made = pickle.loads(self.data)
        made.__cause__ = RemoteTraceback(self.text)
        return made


def loads(data: bytes) -> Any:
    """Give the value of a call, or raise its exception."""
    value = pickle.loads(data)
    if isinstance(value, Failed):
        raise value.exception()
    return value


def _input(number: int) -> Any:
    """The value of a future among a call's inputs."""
    values = _local.values
    if number not in values:
        values[number] = loads(_local.inputs[number])
    return values[number]


def call_row(row: tuple, inputs: Sequence[Any] = ()) -> Any:
    """Call what a client packed; inputs are pickled values."""
    head, _, data, retries, values = row
    before = getattr(_local, "inputs", ()), getattr(_local, "values", None)
    _local.inputs, _local.values = [*values, *inputs], {}
    try:
        func = _portable.unpack(head)
        args, kwargs = pickle.loads(data)
    finally:
        _local.inputs, _local.values = before
    for _ in range(retries):
        try:
            return func(*args, **kwargs)
        except Exception:
            continue
    return func(*args, **kwargs)


def called(row: tuple, inputs: Sequence[Any] = ()) -> bytes:
    """The value of a call, or its failure, as bytes; the process remembers
    when it was."""
    from ._services import note
    start, status = time.time(), "OK"
    try:
        made = _packed(call_row(row, inputs))
    except BaseException as exc:
        made, status = dumps(Failed(exc)), "error"
    if row[1] not in ("group", "run"):
        note(row[1], start, time.time(), len(made), status)
    return made


def _packed(value: Any) -> bytes:
    try:
        return dumps(value)
    except Exception as exc:
        raise TypeError(f"the function's value, a {type(value).__name__}, "
                        f"cannot be sent to the client: {exc}") from exc


def call_each(rows: Sequence[tuple]) -> list[bytes]:
    """Call one after the other, as long as that is quick."""
    end, room = time.monotonic() + _GROUP_SECONDS, _GROUP_BYTES
    made: list[bytes] = []
    for row in rows:
        made.append(called(row))
        room -= len(made[-1])
        if room < 0 or time.monotonic() > end:
            break
    return made


@ffi.def_extern(error=lib.NCG_EKERNEL)
def ncgpy_call(call: Any, err: Any) -> int:
    try:
        argument = ffi.buffer(call.params, call.nparams)[:]
        inputs = [ffi.buffer(call.inputs[i].data, call.inputs[i].nbytes)[:]
                  for i in range(call.ninputs)]
        with _lib.inner_engine():
            value = ffi.from_buffer(called(pickle.loads(argument), inputs))
        out = call.output
        out.data, out.nbytes = ffi.cast("void *", value), len(value)
        out.release, out.payload = lib.ncgpy_release_data, keep(value)
        return lib.NCG_OK
    except BaseException as exc:
        return _lib.fail(err, exc)


def register(context: Any = None) -> None:
    """Make calls known in an engine; None: in all that this process starts
    from now on."""
    if context is not None and "calls" in context.kernels:
        return
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_task_register(
        ffi.NULL if context is None else context.ptr, CALL, lib.ncgpy_call,
        ffi.NULL, err), err)
    if context is not None:
        context.kernels.add("calls")


# ---- one run -------------------------------------------------------------------------------

def run(context: _lib.Context, calls: Sequence[tuple[bytes, Sequence[int]]],
        wanted: Sequence[int]) -> list[bytes]:
    """Run calls on a cluster; each names its inputs among those before it.

    Returns
    -------
    list of bytes
        The pickled values of those that are wanted.
    """
    register(context)
    tasks, graph = ffi.new("ncg_tasks **"), ffi.new("ncg_graph **")
    names, results = ffi.new("ncg_keys **"), ffi.new("ncg_results **")
    err = ffi.new("ncg_error *")
    try:
        _lib.check(lib.ncg_tasks_create(tasks, err), err)
        mark = uuid.uuid4().hex
        for i, (argument, deps) in enumerate(calls):
            inputs = [ffi.new("char[]", f"{mark}-{d}".encode()) for d in deps]
            _lib.check(lib.ncg_tasks_add_named(
                tasks[0], f"{mark}-{i}".encode(), CALL,
                ffi.from_buffer(argument), len(argument),
                ffi.new("char *[]", inputs) if inputs else ffi.NULL,
                len(inputs), ffi.NULL, err), err)
        _lib.check(lib.ncg_graph_of_tasks(tasks[0], ffi.NULL, graph, err), err)
        keys = ffi.new("ncg_key[]", len(wanted))
        for row, i in zip(range(len(wanted)), wanted):
            _lib.check(lib.ncg_tasks_key(
                tasks[0], f"{mark}-{i}".encode(), -1, keys + row, err), err)
        _lib.check(lib.ncg_keys_list(keys, len(wanted), names, err), err)
        _lib.check(lib.ncg_get_threads(context.ptr, graph[0], names[0],
                                       results, err), err)
        return [_value(results[0], keys + i) for i in range(len(wanted))]
    finally:
        lib.ncg_results_release(results)
        lib.ncg_keys_release(names)
        lib.ncg_graph_release(graph)
        lib.ncg_tasks_free(tasks)


def _value(results: Any, key: Any) -> bytes:
    value, err = ffi.new("ncg_value *"), ffi.new("ncg_error *")
    _lib.check(lib.ncg_results_value(results, key, value, err), err)
    return ffi.buffer(value.data, value.nbytes)[:]
