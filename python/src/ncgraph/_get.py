# SPDX-License-Identifier: BSD-3-Clause
"""ncgraph.get: a scheduler for any graph of dask's.

Tasks run on the engine's threads, each under Python's lock as long as it does
not let go of it. The engine orders them; values are dropped after the last task
that needs them.
"""
from __future__ import annotations

import threading
from typing import Any, Mapping

from . import _lib
from ._lib import ffi, lib
from ._ops import keep, kept, let_go


def get(dsk: Any, keys: Any, client: Any = None, **kwargs: Any) -> Any:
    """Compute keys of a graph.

    Use it as dask's scheduler: ``dask.compute(x, scheduler=ncgraph.get)`` or
    ``dask.config.set(scheduler=ncgraph.get)``.

    Parameters
    ----------
    dsk : Mapping
        A graph: dict, HighLevelGraph, or an expression that has one.
    keys : key or nested list of keys
    client : Client, optional
        Whose workers do it; by default the one whose cluster is used, if any.
    **kwargs
        Accepted for dask's sake.

    Returns
    -------
    object
        The value of a key; nested tuples for nested lists.
    """
    from dask._task_spec import convert_legacy_graph
    from dask.core import flatten
    if hasattr(dsk, "__dask_graph__"):
        dsk = dsk.__dask_graph__()
    tasks = convert_legacy_graph(dict(dsk))
    wanted = set(flatten([keys]) if isinstance(keys, list) else [keys])
    for key in wanted:
        if key not in tasks:
            raise KeyError(key)
    run = _Run(_needed(tasks, wanted), wanted, _callbacks(), dsk)
    if client is None and _lib.is_linked():
        from .client import current
        client = current()
    run.compute(client)
    return _nested(keys, run.values)


def _callbacks() -> list[tuple]:
    from dask.callbacks import Callback
    return [cb if isinstance(cb, tuple) else cb._callback
            for cb in Callback.active]


def _nested(keys: Any, values: Mapping) -> Any:
    if isinstance(keys, list):
        return tuple(_nested(k, values) for k in keys)
    return values[keys]


def _needed(tasks: Mapping, wanted: set) -> dict:
    """The tasks that keys need, inputs first; circles are errors."""
    out: dict = {}
    path: set = set()
    for root in wanted:
        stack = [(root, False)]
        while stack:
            key, is_done = stack.pop()
            if is_done:
                path.discard(key)
                out[key] = tasks[key]
                continue
            if key in out:
                continue
            if key in path:
                raise RuntimeError(f"Cycle detected in Dask: {key!r}")
            path.add(key)
            stack.append((key, True))
            for dep in tasks[key].dependencies:
                if dep not in tasks:
                    raise KeyError(dep)
                if dep in path and dep not in out:
                    raise RuntimeError(f"Cycle detected in Dask: {dep!r}")
                if dep not in out:
                    stack.append((dep, False))
    return out


class _Run:
    """One run: what is done, what is left, who still needs what."""

    def __init__(self, tasks: dict, wanted: set, callbacks: list[tuple],
                 dsk: Any):
        self.tasks, self.wanted = tasks, wanted
        self.order = list(tasks)
        self.values: dict = {}
        self.lock = threading.Lock()
        self.uses: dict = dict.fromkeys(tasks, 0)
        for task in tasks.values():
            for dep in task.dependencies:
                self.uses[dep] += 1
        self.callbacks, self.dsk = callbacks, dsk
        self.state = {"finished": set(), "running": set(), "ready": [],
                      "waiting": dict.fromkeys(tasks, ()), "cache": self.values}
        self.failure: BaseException | None = None

    # ---- callbacks -----------------------------------------------------------------

    def _tell(self, place: int, *args: Any) -> None:
        for callback in self.callbacks:
            if callback[place]:
                callback[place](*args)

    def compute(self, client: Any = None) -> None:
        """Run everything, on a client's workers or in this process."""
        self._tell(0, self.dsk)
        self._tell(1, self.dsk, self.state)
        failed = True
        try:
            if client is not None:
                self._compute_on(client)
            else:
                self._compute()
            failed = False
        finally:
            self._tell(4, self.dsk, self.state, failed)

    def _compute_on(self, client: Any) -> None:
        from ._get_cluster import get_on

        def ended(key: Any, value: Any) -> None:
            self.state["waiting"].pop(key, None)
            self._tell(2, key, self.dsk, self.state)
            self.state["finished"].add(key)
            self._tell(3, key, value, self.dsk, self.state,
                       threading.get_ident())
        self.values.update(get_on(client, self.tasks, self.wanted,
                                  ended if self.callbacks else None))

    def _compute(self) -> None:
        if _lib.is_inner() or len(self.order) == 1:
            for number in range(len(self.order)):
                self.run(number)
            return
        context = _lib.context()
        result: list = []

        def work() -> None:
            try:
                result.append(_run_tasks(context, self))
            except BaseException as exc:
                result.append(exc)
        thread = threading.Thread(target=work, name="ncgraph.get")
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.1)
        except BaseException:
            self.failure = KeyboardInterrupt()
            lib.ncg_context_cancel(context.ptr)
            thread.join()
            raise
        if isinstance(result[0], BaseException):
            raise result[0]

    # ---- one task ----------------------------------------------------------------------

    def run(self, number: int) -> None:
        """Run a task of which all inputs are there."""
        key = self.order[number]
        task = self.tasks[key]
        with self.lock:
            if self.failure is not None:
                raise self.failure
            inputs = {dep: self.values[dep] for dep in task.dependencies}
            self.state["running"].add(key)
            self.state["waiting"].pop(key, None)
            self._tell(2, key, self.dsk, self.state)
        try:
            value = task(inputs)
        except BaseException as exc:
            with self.lock:
                self.failure = self.failure or exc
            raise
        with self.lock:
            self.values[key] = value
            self.state["running"].discard(key)
            self.state["finished"].add(key)
            for dep in task.dependencies:
                self.uses[dep] -= 1
                if not self.uses[dep] and dep not in self.wanted:
                    self.values.pop(dep, None)
            if not self.uses[key] and key not in self.wanted:
                self.values.pop(key, None)
            self._tell(3, key, value, self.dsk, self.state,
                       threading.get_ident())


# ---- the engine's side -------------------------------------------------------------

# Payloads of tasks are numbers: of the run, times STRIDE, plus that of the task.
STRIDE = 1 << 32


@ffi.def_extern(error=lib.NCG_EKERNEL)
def ncgpy_task(call: Any, err: Any) -> int:
    try:
        number = int(ffi.cast("intptr_t", call.payload))
        run = kept(ffi.cast("void *", number // STRIDE))
        with _lib.inner_engine():
            run.run(number % STRIDE - 1)
        return lib.NCG_OK
    except BaseException as exc:
        return _lib.fail(err, exc)


def _run_tasks(context: Any, run: _Run) -> None:
    """List the tasks for the engine and run them on its threads."""
    numbers = {key: i for i, key in enumerate(run.order)}
    first, deps = [0], []
    for key in run.order:
        deps += [numbers[d] for d in run.tasks[key].dependencies]
        first.append(len(deps))
    payload = keep(run)
    base = int(ffi.cast("intptr_t", payload)) * STRIDE
    n = len(run.order)
    payloads = ffi.new("intptr_t[]", [base + i + 1 for i in range(n)])
    tasks, graph = ffi.new("ncg_tasks **"), ffi.new("ncg_graph **")
    wanted, results = ffi.new("ncg_keys **"), ffi.new("ncg_results **")
    err, number = ffi.new("ncg_error *"), ffi.new("int64_t *")
    try:
        _lib.check(lib.ncg_tasks_create(tasks, err), err)
        _lib.check(lib.ncg_tasks_add_many(
            tasks[0], n, lib.ncgpy_task, ffi.cast("void *const *", payloads),
            ffi.new("int64_t[]", first), ffi.new("int64_t[]", deps or [0]),
            number, err), err)
        _lib.check(lib.ncg_graph_of_tasks(tasks[0], ffi.NULL, graph, err), err)
        _lib.check(lib.ncg_keys_tasks(tasks[0], wanted, err), err)
        _lib.check(lib.ncg_get_threads(context.ptr, graph[0], wanted[0],
                                       results, err), err)
    finally:
        lib.ncg_results_release(results)
        lib.ncg_keys_release(wanted)
        lib.ncg_graph_release(graph)
        lib.ncg_tasks_free(tasks)
        let_go(payload)
