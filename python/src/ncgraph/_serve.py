# SPDX-License-Identifier: BSD-3-Clause
"""Processes of a cluster whose workers call Python functions.

A process that is started becomes a nanny, which starts its own command line
again and watches it; ``docs/cluster.md`` tells why.
"""
from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from . import _calls, _lib, _portable, _python, _services
from ._lib import ffi, lib

CHILD = "NCGRAPH_CHILD"  # set where a nanny started this process


class Options:
    """C options, and what they point to."""

    def __init__(self, made: Any):
        self.ptr = made
        self._alive: list[Any] = []

    def set(self, name: str, value: Any) -> None:
        """Set a member; None leaves it as it is."""
        if value is None:
            return
        if isinstance(value, (str, os.PathLike)):
            value = ffi.new("char[]", os.fsencode(value))
            self._alive.append(value)
        elif isinstance(value, Options):
            self._alive.append(value)
            value = value.ptr
        setattr(self.ptr, name, value)


def _context(threads: int, memory_limit: int, spill_directory: Any) -> Options:
    made, kept = _lib.context_options(threads, memory_limit, spill_directory)
    how = Options(made)
    how._alive.append(kept)
    return how


def launch_options(threads: int = 0, memory_limit: int = 0,
                   spill_directory: Any = None, exclusive: bool = False
                   ) -> Options:
    """Options of a start under mpirun."""
    how = Options(ffi.new("ncg_launch_options *", lib.ncgpy_launch_options()))
    how.set("context", _context(threads, memory_limit, spill_directory))
    how.set("exclusive", exclusive)
    return how


def serve_cluster(scheduler_file: str, interface: str | None = None,
                  port: int = 0, **launch: Any) -> None:
    """Stand as a cluster until somebody stops it."""
    _prepare()
    how = Options(ffi.new("ncg_cluster_options *",
                          lib.ncgpy_cluster_options()))
    how.set("scheduler_file", scheduler_file)
    how.set("interface", interface)
    how.set("port", port)
    how.set("launch", launch_options(**launch))
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_cluster_serve(how.ptr, err), err)


def serve_worker(scheduler_file: str, name: str | None = None,
                 interface: str | None = None, lifetime: float = 0,
                 death_timeout: float = 0, checkpoint_directory: Any = None,
                 **context: Any) -> None:
    """Join a cluster and serve until it ends."""
    _prepare(name)
    how = Options(ffi.new("ncg_worker_options *", lib.ncgpy_worker_options()))
    how.set("scheduler_file", scheduler_file)
    how.set("name", name)
    how.set("interface", interface)
    how.set("lifetime", lifetime)
    how.set("death_timeout", death_timeout)
    how.set("checkpoint_directory", checkpoint_directory)
    how.set("context", _context(**context))
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_worker_serve(how.ptr, err), err)


def _prepare(name: str | None = None) -> None:
    """What must be known before the first engine of the process starts."""
    _portable.worker_name, _portable.is_worker = name or "", True
    _python.register()
    _calls.register()
    _services.register()


def end_with_input() -> None:
    """End this nanny when whoever holds the other end of its input is gone.

    A cluster of one program must not outlive it, whatever ends the program.
    """
    if CHILD in os.environ:
        return  # the nanny above sees to it

    def watch() -> None:
        # The nanny takes signals in its own thread, one by one.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=watch, name="parent", daemon=True).start()


def launch(**options: Any) -> _lib.Context | None:
    """Begin a program under mpirun; None: this process was a worker."""
    _prepare()
    how = launch_options(**options)
    err = ffi.new("ncg_error *")
    out = ffi.new("ncg_context **")
    sys.stdout.flush()
    sys.stderr.flush()
    status = lib.ncg_launch(how.ptr, out, err)
    if status == lib.NCG_WORKER_DONE:
        return None
    _lib.check(status, err)
    return _lib.Context.of(out[0])
