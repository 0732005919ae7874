# SPDX-License-Identifier: BSD-3-Clause
"""The C library: errors as exceptions, handles, and the process's engine.

Everything that leaves Python goes through this module. Handles remember the
process in which they were made: after ``os.fork`` the child makes an engine of
its own, and arrays build their handles anew from their recipes.
"""
from __future__ import annotations

import atexit
import itertools
import os
import threading
from typing import Any

from ._native import ffi, lib

OMIT = lib.ncgpy_omit()
MAX_RANK = lib.ncgpy_max_rank()


class NcgraphError(RuntimeError):
    """What the engine could not do; the base of the classes below."""


class MismatchError(NcgraphError, ValueError):
    """Inputs that do not fit together."""


class UnsupportedError(NcgraphError, NotImplementedError):
    """A file or an operation of a kind that ncgraph does not know."""


class MemoryLimitError(NcgraphError, MemoryError):
    """A computation that cannot run within the memory limit."""


class CancelledError(NcgraphError):
    """A computation that was cancelled."""


_CLASSES = {
    lib.NCG_EINVAL: ValueError, lib.NCG_ENOTFOUND: FileNotFoundError,
    lib.NCG_EIO: OSError, lib.NCG_ECORRUPT: OSError,
    lib.NCG_EUNSUPPORTED: UnsupportedError,
    lib.NCG_EMISMATCH: MismatchError, lib.NCG_EEXISTS: FileExistsError,
    lib.NCG_EOUTPUT: OSError, lib.NCG_ENOMEM: MemoryError,
    lib.NCG_EBUDGET: MemoryLimitError, lib.NCG_ENET: ConnectionError,
    lib.NCG_EAUTH: PermissionError, lib.NCG_ECANCELED: CancelledError,
}

# ---- failures of Python functions, on their way through the engine -----------

_failures: dict[str, BaseException] = {}
_numbers = itertools.count(1)
_mine = os.urandom(4).hex()  # no other process's marks are taken for ours


def fail(err: Any, exc: BaseException) -> int:
    """Describe an exception in a C error; ``check`` raises it again."""
    mark = f"[python {_mine}-{next(_numbers)}]"
    while len(_failures) > 100:
        _failures.pop(next(iter(_failures)), None)
    _failures[mark] = exc
    text = f"{mark} {type(exc).__name__}: {exc}".replace("\n", " ")
    lib.ncgpy_set_error(err, text.encode()[:400])
    return lib.NCG_EKERNEL


# Remedies that the library names as the command's options.
_REMEDIES = {"(--mem)": "(ncgraph.config.set(memory_limit=...))",
             "(--spill-dir)": "(ncgraph.config.set(spill_directory=...))",
             "(--overlap first or last": "(overlap='first' or 'last'",
             "write doubles with --dtype f8":
                 "convert to doubles by .astype('f8') first"}


def _in_python(message: str) -> str:
    for theirs, ours in _REMEDIES.items():
        message = message.replace(theirs, ours)
    return message


def check(status: int, err: Any, what: type[Exception] | None = None) -> None:
    """Raise the exception that a status stands for.

    Parameters
    ----------
    status : int
        What the C function returned.
    err : cdata
        Its ``ncg_error``.
    what : exception class, optional
        Raised for invalid arguments in place of ValueError.
    """
    if status == lib.NCG_OK:
        return
    message = ffi.string(err.message).decode(errors="replace")
    start = message.find("[python ")
    if start >= 0:
        mark = message[start:message.find("]", start) + 1]
        exc = _failures.pop(mark, None)
        if exc is None:
            from ._remote import failure
            exc = failure(message, mark)
        raise exc
    if status == lib.NCG_ENOTFOUND and "org.ncgraph.python" in message:
        raise UnsupportedError(
            "a worker was not started from Python, so it cannot call functions "
            "of Python: start workers by 'python -m ncgraph worker' "
            f"({message})")
    cls = _CLASSES.get(status, NcgraphError)
    if what is not None and status == lib.NCG_EINVAL:
        cls = what
    raise cls(_in_python(message))


def failure_known(mark: str) -> BaseException | None:
    """An exception that ``fail`` described in this process."""
    return _failures.get(mark)


class stopped_by:
    """With this, what this thread computes ends when an event is set."""

    def __init__(self, event: threading.Event):
        self._event = event

    def __enter__(self) -> None:
        _local.stop = self._event

    def __exit__(self, *_: Any) -> None:
        _local.stop = None


def look_for_stop() -> None:
    """Raise CancelledError where this thread's work is not wanted any more."""
    event = getattr(_local, "stop", None)
    if event is not None and event.is_set():
        raise CancelledError("the computation was cancelled")


# ---- handles -------------------------------------------------------------------

_generation = 0


class Handle:
    """A counted C handle, released with the object; never in a forked child."""

    __slots__ = ("ptr", "_release", "_made")

    def __init__(self, ptr: Any, release: Any):
        self.ptr = ptr
        self._release = release
        self._made = _generation

    @property
    def is_stale(self) -> bool:
        """Whether the handle was made by the process that forked this one."""
        return self._made != _generation

    def __del__(self) -> None:
        if self._made == _generation and self.ptr is not None:
            self._release(self.ptr)


def array_handle(fn: Any, *args: Any, what: type[Exception] | None = None
                 ) -> Handle:
    """Call a function whose last outputs are ``ncg_array **`` and an error."""
    out = ffi.new("ncg_array **")
    err = ffi.new("ncg_error *")
    status = fn(*args, out, err)
    if status:
        check(status, err, what)
    return Handle(out[0], lib.ncgpy_release_array)


def text(pointer: Any) -> str:
    """Take a text that the library allocated."""
    try:
        return ffi.string(pointer).decode(errors="replace")
    finally:
        lib.ncg_free(pointer)


# ---- the engine ------------------------------------------------------------------

def context_options(threads: int = 0, memory_limit: int = 0,
                    spill_directory: str | None = None,
                    persist_early: bool = False) -> tuple[Any, Any]:
    """Return options of an engine, and what they point to."""
    options = ffi.new("ncg_context_options *", lib.ncgpy_context_options())
    options.threads = threads
    options.memory_limit = memory_limit
    options.persist_early = persist_early
    kept = None
    if spill_directory is not None:
        kept = ffi.new("char[]", os.fsencode(spill_directory))
        options.spill_directory = kept
    return options, kept


_serials = itertools.count()


class Context:
    """An engine in this process: threads, open files, memory limit.

    ``make(options, out, err)`` starts it where it is to be linked to a cluster.
    """

    def __init__(self, threads: int = 0, memory_limit: int = 0,
                 spill_directory: str | None = None,
                 persist_early: bool = False, make: Any = None):
        options, kept = context_options(threads, memory_limit, spill_directory,
                                        persist_early)
        out = ffi.new("ncg_context **")
        err = ffi.new("ncg_error *")
        check((make or lib.ncg_context_create)(options, out, err), err)
        del kept
        self.handle = Handle(out[0], lib.ncgpy_destroy_context)
        self.kernels: set[str] = set()
        self.is_linked = make is not None
        self.serial = next(_serials)  # unlike id(), never given twice

    @classmethod
    def of(cls, ptr: Any) -> "Context":
        """Take a context that a launch gave."""
        def given(options: Any, out: Any, err: Any) -> int:
            out[0] = ptr
            return lib.NCG_OK
        return cls(make=given)

    @property
    def ptr(self) -> Any:
        """The C context."""
        return self.handle.ptr

    def close(self) -> None:
        """Stop the engine's threads."""
        handle, self.handle = self.handle, None
        del handle


_lock = threading.Lock()
_context: Context | None = None  # what arrays are computed with
_own: Context | None = None  # this process's, while a cluster is used
_options: dict[str, Any] = {}
_local = threading.local()


def context() -> Context:
    """Return the engine that arrays of this thread are built in."""
    if is_inner():
        return _spare()
    global _context
    if _context is None:
        with _lock:
            if _context is None:
                _context = Context(**_options)
    return _context


def main_context() -> Context | None:
    """Return the process's engine if it runs already."""
    return _context


def configure(**options: Any) -> None:
    """Set the options with which the process's engine is started.

    An engine that runs is stopped; arrays build their handles anew in the
    next one.
    """
    global _context, _own, _generation_of_context
    with _lock:
        _options.update(options)
        if _context is not None and _context.is_linked:
            _own = None  # for when the cluster is left
            return
        old, _context = _context, None
        _generation_of_context += 1
    del old


def use(linked: Context) -> None:
    """Compute on a cluster from now on."""
    global _context, _own, _generation_of_context
    with _lock:
        if _context is None or not _context.is_linked:
            _own = _context
        _context = linked
        _generation_of_context += 1


def leave(linked: Context, other: Context | None) -> None:
    """Compute on another cluster from now on; None: in this process."""
    global _context, _own, _generation_of_context
    with _lock:
        if _context is not linked:
            return
        _context = other
        if other is None:
            _context, _own = _own, None
        _generation_of_context += 1


def engine_options() -> dict[str, Any]:
    """Return the options with which engines of this process are started."""
    return dict(_options)


def is_linked() -> bool:
    """Whether what this thread builds is computed on a cluster."""
    return not is_inner() and _context is not None and _context.is_linked


_generation_of_context = 0


def stamp() -> tuple[int, int]:
    """Tell handles of this engine from those of earlier ones."""
    return _generation, _generation_of_context


_runs = 0


def count_run() -> None:
    """Note that a run begins."""
    global _runs
    _runs += 1


def runs() -> int:
    """Return how many runs began in this process."""
    return _runs


class inner_engine:
    """With this, the thread builds and runs in an engine of its own.

    Functions that run inside a task of the process's engine may compute: the
    process's engine would wait for itself.
    """

    def __enter__(self) -> None:
        _local.depth = getattr(_local, "depth", 0) + 1

    def __exit__(self, *_: Any) -> None:
        _local.depth -= 1
        if not _local.depth:
            _local.handles = None


def _spare() -> Context:
    """The engine of a thread that is inside a task."""
    spare = getattr(_local, "spare", None)
    if spare is None:
        spare = _local.spare = Context(threads=1)
    return spare


def is_inner() -> bool:
    """Whether this thread is inside ``inner_engine``."""
    return getattr(_local, "depth", 0) > 0


def _after_fork() -> None:
    global _generation, _context, _own, _lock
    _generation += 1
    _context = _own = None
    _lock = threading.Lock()
    _local.__dict__.clear()


def _at_exit() -> None:
    global _context, _own
    _context = _own = None


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
