# SPDX-License-Identifier: BSD-3-Clause
"""What a client offers to people: functions run on processes, reports."""
from __future__ import annotations

import os
import time
from typing import Any, Callable

from . import _services
from ._task_stream import TaskStream, moment
from .futures import futures_in


def _with_name(func: Callable) -> bool:
    """Whether a function asks for the worker's name, as distributed's do."""
    import inspect
    try:
        return "dask_worker" in inspect.signature(func).parameters
    except (TypeError, ValueError):
        return False


class _Named:
    """Calls a function with the worker's name."""

    def __init__(self, func: Callable):
        self.func = func

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.func(*args, dask_worker=_services.process_name(),
                         **kwargs)


class Services:
    """Methods of :class:`ncgraph.Client` for looking and steering."""

    _context: Any

    def run(self, function: Callable, *args: Any, workers: Any = None,
            wait: bool = True, on_error: str = "raise", **kwargs: Any
            ) -> dict[str, Any]:
        """Call a function on all workers at once, beside their work.

        Parameters
        ----------
        function : callable
            ``dask_worker``, if it has such a parameter, is the worker's name.
        workers : str or list of str, optional
            Only on these.
        wait : bool
            Accepted for distributed's sake: it always waits.
        on_error : {"raise", "return", "ignore"}
            What of a worker on which it fails.

        Returns
        -------
        dict
            What it returned, for each worker's name.
        """
        if on_error not in ("raise", "return", "ignore"):
            raise ValueError("on_error= is 'raise', 'return' or 'ignore'")
        names = [workers] if isinstance(workers, str) else workers
        func = _Named(function) if _with_name(function) else function
        answers = _services.run_on_workers(self._linked(), func, args, kwargs,
                                           names)
        failed = {w: a for w, a in answers.items()
                  if isinstance(a, Exception)}
        if failed and on_error == "raise":
            raise next(iter(failed.values()))
        if on_error == "ignore":
            return {w: a for w, a in answers.items() if w not in failed}
        return answers

    def run_on_scheduler(self, function: Callable, *args: Any,
                         wait: bool = True, **kwargs: Any) -> Any:
        """Call a function in the scheduler's process, beside its work.

        The scheduler must have been started from Python.
        """
        return _services.run_on_scheduler(self._linked(), function, args,
                                          kwargs)

    def _linked(self) -> Any:
        if self._context is None:
            raise RuntimeError("the client is closed")
        return self._context

    def who_has(self, futures: Any = None, **kwargs: Any
                ) -> dict[str, tuple[str, ...]]:
        """Tell which workers made the values of futures.

        Values of calls come to the client as soon as they are there, so that
        they outlive their workers.

        Returns
        -------
        dict
            For each key names of workers; ``("client",)`` where none of
            those that are there made it. Empty where there is no value.
        """
        known: Any = self
        rows = list(known._known.values()) if futures is None \
            else futures_in([futures])
        there = list(dict.fromkeys(f.key for f in rows
                                   if f.status == "finished"))
        made: dict[str, tuple[str, ...]] = {key: () for key in there}
        answers = _services.run_on_workers(
            self._linked(), _services.called_of, (there,)) if there else {}
        for worker, keys in sorted(answers.items()):
            if not isinstance(keys, Exception):
                for key in keys:
                    made[key] += (worker,)
        return {f.key: (made[f.key] or ("client",)) if f.key in made else ()
                for f in rows}

    # ---- what workers did ---------------------------------------------------------

    def get_task_stream(self, start: Any = None, stop: Any = None,
                        count: int | None = None, plot: Any = False,
                        filename: Any = None) -> TaskStream:
        """Collect what workers did.

        Parameters
        ----------
        start, stop : float or str, optional
            A time as ``time.time()`` gives it, or how long ago, as "60s" or
            "500 ms". In a ``with`` statement they are its beginning and end;
            otherwise all that is remembered is given.
        count : int, optional
            Only so many, the last ones.
        plot : bool or {"save"}
            "save": write the drawing to a file, at once and, in a ``with``
            statement, at its end.
        filename : str, optional
            "task-stream.html" by default.

        Returns
        -------
        TaskStream
            A sequence, and what ``with`` takes.
        """
        name = filename or "task-stream.html" if plot else None
        made = TaskStream(self, name, moment(start), moment(stop), count)
        if name:
            len(made)  # asks the workers, and writes
        return made

    def performance_report(self, filename: str = "ncgraph-report.html"
                           ) -> TaskStream:
        """Write a report of what workers do within a ``with`` statement."""
        return TaskStream(self, filename)

    # ---- steering --------------------------------------------------------------------

    def restart(self, timeout: float = 60, **kwargs: Any) -> Any:
        """Start every worker again; futures of this client are cancelled."""
        known: Any = self
        for future in list(known._known.values()):
            future.cancel()
        before = {w["pid"] for w in known.scheduler_info()["workers"].values()}
        self.run(_end_process, on_error="ignore")
        end = time.monotonic() + timeout
        while True:
            workers = known.scheduler_info()["workers"].values()
            pids = {w["pid"] for w in workers}
            if len(pids) >= len(before) and not pids & before:
                return self
            if time.monotonic() > end:
                raise TimeoutError(f"the workers were not there again within "
                                   f"{timeout:g} s")
            time.sleep(0.05)

    def jupyter(self, port: int = 0, directory: Any = None) -> str:
        """Start JupyterLab beside the scheduler and tell how to reach it.

        Returns
        -------
        str
            The page's address, once the printed ``ssh`` line has been run.
        """
        from ._jupyter import start, tunnel
        known: Any = self
        host, there, token = self.run_on_scheduler(start, port, directory)
        line, url = tunnel(host, there, token, known._http())
        print(line)
        print(url)
        return url


def _end_process() -> None:
    """End a worker as a crash does: its nanny starts another one."""
    import signal
    os.kill(os.getpid(), signal.SIGKILL)
