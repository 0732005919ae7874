# SPDX-License-Identifier: BSD-3-Clause
"""A cluster of processes on this machine."""
from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from . import _chunks, _lib
from ._cluster_text import cluster_html, cluster_text
from ._lib import ffi, lib


def status_of(scheduler_file: str) -> dict[str, Any]:
    """Ask a cluster for its workers and computations."""
    import json
    out, err = ffi.new("char **"), ffi.new("ncg_error *")
    _lib.check(lib.ncg_cluster_status(os.fsencode(scheduler_file), out, err),
               err)
    return json.loads(_lib.text(out[0]))


class LocalCluster:
    """A scheduler and workers as processes of this machine.

    Parameters
    ----------
    n_workers : int, optional
        Number of workers; by default one for each four cores.
    threads_per_worker : int, optional
        By default the cores are shared out.
    memory_limit : int or str, optional
        Of each worker, as "4 GiB"; by default 60 % of the machine's memory is
        shared out.
    local_directory : str, optional
        Where workers spill; by default the system's.
    timeout : float
        Seconds to wait for the workers.
    **kwargs
        Accepted for the sake of ``distributed.LocalCluster``.

    Examples
    --------
    >>> with ncgraph.LocalCluster(n_workers=2) as cluster:
    ...     with ncgraph.Client(cluster):
    ...         x.mean(axis=0).compute()
    """

    def __init__(self, n_workers: int | None = None,
                 threads_per_worker: int | None = None,
                 memory_limit: Any = None, local_directory: Any = None,
                 timeout: float = 60, **kwargs: Any):
        cores = len(os.sched_getaffinity(0))
        if n_workers is None:
            n_workers = max(cores // (threads_per_worker or 4), 1)
        if n_workers < 0:
            raise ValueError("n_workers must not be negative")
        self._threads = threads_per_worker or max(cores // max(n_workers, 1),
                                                  1)
        self._limit = _limit(memory_limit, n_workers)
        self._spill = local_directory
        self._timeout = timeout
        self._directory = tempfile.mkdtemp(prefix="ncgraph-")
        self.scheduler_file = os.path.join(self._directory, "scheduler.json")
        self._processes: list[subprocess.Popen] = []
        self._owner = os.getpid()
        self._started = 0
        self.status = "running"
        atexit.register(self.close)
        try:
            self._start_scheduler()
            self.scale(n_workers)
            self.wait_for_workers(n_workers, timeout)
        except BaseException:
            self.close()
            raise

    # ---- processes ----------------------------------------------------------------

    def _start(self, *words: str) -> subprocess.Popen:
        # What can be imported here can be imported there.
        path = os.pathsep.join(p or os.getcwd() for p in sys.path)
        environment = {**os.environ, "PYTHONPATH": path}
        for name in list(environment):
            if name.startswith(("OMPI_", "PMIX_", "PMI_", "SLURM_STEP")):
                del environment[name]
        with open(self._log, "ab") as log:
            # Ctrl-C is for the program, not for its workers.
            process = subprocess.Popen(
                [sys.executable, "-m", "ncgraph", *words, "--scheduler-file",
                 self.scheduler_file, "--end-with-input", "--interface",
                 "127.0.0.1"], stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=environment, start_new_session=True)
        self._processes.append(process)
        return process

    @property
    def _log(self) -> str:
        return os.path.join(self._directory, "log")

    def logs(self) -> str:
        """What scheduler and workers have written so far."""
        with contextlib.suppress(OSError):
            with open(self._log, errors="replace") as file:
                return file.read()
        return ""

    def _start_scheduler(self) -> None:
        process = self._start("cluster", "--exclusive", "-j", "1")
        end = time.monotonic() + self._timeout
        while not os.path.exists(self.scheduler_file):
            self._look_after(process, end, "the scheduler")
            time.sleep(0.01)

    def _look_after(self, process: subprocess.Popen | None, end: float,
                    who: str) -> None:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{who} did not start: {self.logs().strip()}")
        if time.monotonic() > end:
            raise TimeoutError(f"{who} did not start within "
                               f"{self._timeout:g} s: {self.logs().strip()}")

    # ---- workers --------------------------------------------------------------------

    def scale(self, n: int) -> None:
        """Start or retire workers until there are ``n``."""
        have = [w["name"] for w in self._workers()] if self._started else []
        for _ in range(n - len(have)):
            name = f"{self._started}"
            words = ["worker", "--name", name, "-j", str(self._threads),
                     "--mem", str(self._limit)]
            if self._spill:
                words += ["--spill-dir", os.fspath(self._spill)]
            self._start(*words)
            self._started += 1
        for name in have[n:]:
            self._retire(name)

    def _retire(self, name: str) -> None:
        err = ffi.new("ncg_error *")
        _lib.check(lib.ncg_cluster_retire(os.fsencode(self.scheduler_file),
                                          name.encode(), err), err)

    def wait_for_workers(self, n_workers: int, timeout: float = 60) -> None:
        """Wait until so many workers have joined."""
        end = time.monotonic() + timeout
        while len(self._workers()) < n_workers:
            for process in self._processes:
                self._look_after(process, end, "a worker")
            time.sleep(0.02)

    def _workers(self) -> list[dict[str, Any]]:
        return status_of(self.scheduler_file).get("workers", [])

    @property
    def workers(self) -> dict[str, dict[str, Any]]:
        """What the scheduler knows of its workers, by name."""
        return {w["name"]: w for w in self._workers()}

    @property
    def scheduler_address(self) -> str:
        """Where the scheduler listens."""
        from .client import address_of
        return address_of(self.scheduler_file)

    @property
    def scheduler_info(self) -> dict[str, Any]:
        """Workers and computations, as the scheduler tells them."""
        return status_of(self.scheduler_file)

    def get_client(self) -> Any:
        """Return a client of this cluster."""
        from .client import Client
        return Client(self)

    # ---- the end ----------------------------------------------------------------------

    def close(self, timeout: float = 10) -> None:
        """End scheduler and workers and remove what they left.

        What still runs is given a second; who has nothing to do may take
        ``timeout`` seconds to end.
        """
        if self.status == "closed" or os.getpid() != self._owner:
            return
        self.status = "closed"
        atexit.unregister(self.close)
        if self._is_busy():
            timeout = min(timeout, 1)
        if os.path.exists(self.scheduler_file):
            err = ffi.new("ncg_error *")
            lib.ncg_cluster_stop(os.fsencode(self.scheduler_file), err)
        # Who has not joined yet does not hear the scheduler's word: the end of
        # its input tells each of them.
        for process in self._processes:
            process.stdin.close()
        if not self._ended(timeout):
            self._kill()
            self._ended(timeout)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _is_busy(self) -> bool:
        """Whether something runs: a function of Python cannot be stopped."""
        try:
            status = status_of(self.scheduler_file)
        except (OSError, RuntimeError, ValueError):
            return False
        return any(c.get("state") == "running"
                   for c in status.get("computations", ()))

    def _ended(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(end - time.monotonic(), 0.01))
        return all(p.returncode is not None for p in self._processes)

    def _kill(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                # A nanny and what it watches are a session of their own.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def __enter__(self) -> "LocalCluster":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return cluster_text(self)

    def _repr_html_(self) -> str:
        return cluster_html(self)


def _limit(wanted: Any, n_workers: int) -> int:
    if wanted in (None, "auto", 0):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        with contextlib.suppress(OSError, ValueError):
            with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
                total = min(total, int(file.read()))
        return int(total * 0.6) // max(n_workers, 1)
    return _chunks.parse_bytes(wanted)
