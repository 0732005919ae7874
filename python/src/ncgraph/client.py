# SPDX-License-Identifier: BSD-3-Clause
"""ncgraph.Client: computing on a cluster, as ``distributed.Client`` does."""
from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import weakref
from typing import Any, Iterator

from . import _lib, _services
from ._client_calls import Calls
from ._client_services import Services
from ._cluster_text import client_html, client_text, limit_of
from ._dispatch import Dispatcher
from ._lib import ffi, lib
from ._published import Published
from .futures import Future
from .local_cluster import LocalCluster, status_of

_clients: list["Client"] = []
_lock = threading.Lock()


def address_of(scheduler_file: str) -> str:
    """Where the scheduler of a file listens."""
    try:
        with open(scheduler_file, encoding="utf-8") as file:
            addresses = json.load(file).get("addresses") or [""]
    except (OSError, ValueError):
        return ""
    return f"tcp://{addresses[0]}"


def current() -> "Client":
    """Return the client that is used where none is named."""
    with _lock:
        if _clients:
            return _clients[-1]
    raise ValueError("there is no client: make one with ncgraph.Client()")


class Client(Calls, Services, Published):
    """A connection to a cluster; what is computed then is computed there.

    Arrays, and xarray objects that hold them, are computed on the cluster from
    the moment a client is made until it is closed. Functions of Python run on
    workers that were started from Python: by :class:`LocalCluster`,
    ``python -m ncgraph worker`` or :func:`ncgraph.mpi.initialize`.

    Parameters
    ----------
    address : LocalCluster or str, optional
        A cluster, or a scheduler file. Without one, and without
        ``scheduler_file``: the cluster that ``ncgraph.mpi.initialize`` began,
        else a :class:`LocalCluster` of this client's own.
    scheduler_file : str, optional
        The file that the scheduler of a standing cluster wrote.
    timeout : float, optional
        Seconds to wait for the scheduler.
    set_as_default : bool
        Whether arrays are computed on the cluster where nothing is said.
    **kwargs
        For :class:`LocalCluster`.

    Examples
    --------
    >>> client = ncgraph.Client(scheduler_file="scheduler.json")
    >>> ds.tas.mean("time").compute()
    """

    def __init__(self, address: Any = None, scheduler_file: Any = None,
                 timeout: float = 10, set_as_default: bool = True,
                 **kwargs: Any):
        self.cluster: LocalCluster | None = None
        self._owns_cluster = False
        if scheduler_file is None:
            scheduler_file = self._find(address, kwargs)
        self._begin(scheduler_file, None)
        if scheduler_file is not None:
            self._connect(os.fspath(scheduler_file), timeout)
        self._dispatcher = Dispatcher(self._context)
        if set_as_default:
            self._set_as_default()

    def _find(self, address: Any, kwargs: dict[str, Any]) -> str | None:
        """The scheduler file of what the caller named."""
        from . import mpi
        if address is None and mpi.client() is not None and not kwargs:
            self._context = mpi.client()._context
            return None
        if address is None:
            self.cluster, self._owns_cluster = LocalCluster(**kwargs), True
        elif isinstance(address, LocalCluster):
            self.cluster = address
        elif os.path.exists(address) or str(address).endswith(".json"):
            return os.fspath(address)
        else:
            raise ValueError(
                f"{address!r} does not tell the cluster's secret: give the "
                "file that its scheduler wrote, scheduler_file=")
        return self.cluster.scheduler_file

    def _begin(self, scheduler_file: Any, context: Any) -> None:
        self.scheduler_file = None if scheduler_file is None \
            else os.fspath(scheduler_file)
        self.status = "running"
        self._context = getattr(self, "_context", context)
        self._is_default = False
        self._known: weakref.WeakValueDictionary[str, Future] = \
            weakref.WeakValueDictionary()

    def _connect(self, path: str, timeout: float) -> None:
        def make(options: Any, out: Any, err: Any) -> int:
            return lib.ncg_context_connect(os.fsencode(path), timeout, options,
                                           out, err)
        limit = _lib.engine_options()
        try:
            self._context = _lib.Context(make=make, **limit)
        except BaseException:
            self.status = "closed"
            if self._owns_cluster:
                self.cluster.close()
            raise

    @classmethod
    def _of(cls, context: _lib.Context, where: str) -> "Client":
        """The client of a context that is linked already."""
        self = cls.__new__(cls)
        self.cluster, self._owns_cluster = None, False
        self._begin(None, context)
        self._where = where
        self._dispatcher = Dispatcher(context)
        self._set_as_default()
        return self

    def _set_as_default(self) -> None:
        self._is_default = True
        _lib.use(self._context)
        with _lock:
            _clients.append(self)

    @property
    def where(self) -> str:
        """Where the scheduler listens, or how the cluster was started."""
        if self.scheduler_file is None:
            return getattr(self, "_where", "mpirun")
        return address_of(self.scheduler_file) or self.scheduler_file

    # ---- the cluster --------------------------------------------------------------------

    def _status(self) -> dict[str, Any]:
        if self.cluster is None and self.scheduler_file is None:
            # mpirun's: it has no file to ask by.
            return self.run_on_scheduler(_services.status)
        return status_of(self.scheduler_file)

    def _workers(self) -> list[dict[str, Any]]:
        return self._status().get("workers", [])

    def scheduler_info(self, **kwargs: Any) -> dict[str, Any]:
        """Tell the cluster's address, its workers and computations.

        Returns
        -------
        dict
            ``workers`` has an entry for each worker, by name.
        """
        status = self._status()
        workers = {w["name"]: {
            "type": "Worker", "name": w["name"], "host": w.get("host"),
            "nthreads": w.get("threads"), "memory_limit": limit_of(w),
            "pid": w.get("pid"),
            "status": "closing" if w.get("leaving") else "running"}
            for w in status.get("workers", [])}
        return {"type": "Scheduler", "address": self.where,
                "workers": workers,
                "computations": status.get("computations", [])}

    def _http(self) -> str:
        """The address of the scheduler's page, "" where it has none."""
        try:
            with open(self.scheduler_file or "", encoding="utf-8") as file:
                return json.load(file).get("http") or ""
        except (OSError, ValueError):
            return ""

    def nthreads(self) -> dict[str, int]:
        """Return the threads of each worker."""
        return {name: w["nthreads"]
                for name, w in self.scheduler_info()["workers"].items()}

    ncores = nthreads

    def wait_for_workers(self, n_workers: int, timeout: float = 60) -> None:
        """Wait until so many workers have joined."""
        end = time.monotonic() + timeout
        while len(self._workers()) < n_workers:
            if time.monotonic() > end:
                raise TimeoutError(f"fewer than {n_workers} workers joined "
                                   f"within {timeout:g} s")
            time.sleep(0.05)

    def retire_workers(self, workers: Any = None, **kwargs: Any
                       ) -> dict[str, dict[str, Any]]:
        """Let workers leave; what only they hold goes to others first.

        Parameters
        ----------
        workers : list of str, optional
            Names; all workers if not given.
        """
        known = self.scheduler_info()["workers"]
        names = list(known) if workers is None else list(workers)
        for name in names:
            err = ffi.new("ncg_error *")
            _lib.check(lib.ncg_cluster_retire(
                os.fsencode(self.scheduler_file), name.encode(), err), err)
        return {name: known[name] for name in names if name in known}

    @contextlib.contextmanager
    def _as_current(self) -> Iterator[None]:
        """Compute on this client's cluster, whichever is the default one."""
        if self.status == "closed":
            raise RuntimeError("the client is closed")
        is_other = _lib.main_context() is not self._context
        before = _lib.main_context()
        if is_other:
            _lib.use(self._context)
        try:
            yield
        finally:
            if is_other:
                _lib.leave(self._context,
                           before if before and before.is_linked else None)

    # ---- collections ----------------------------------------------------------------

    def persist(self, collections: Any, **kwargs: Any) -> Any:
        """Compute collections and keep them; give collections on what is kept.

        Parameters
        ----------
        collections : Array, xarray object, or list of them
        """
        from ._collections import persist_all
        is_many = isinstance(collections, (list, tuple))
        with self._as_current():
            made = persist_all(collections if is_many else [collections])
        return type(collections)(made) if is_many else made[0]

    # ---- the end ----------------------------------------------------------------------

    def close(self, timeout: Any = None) -> None:
        """Leave the cluster; what is computed later is computed here."""
        if self.status == "closed":
            return
        self.status = "closed"
        with _lock:
            if self in _clients:
                _clients.remove(self)
            last = _clients[-1] if _clients else None
        if self._is_default:
            _lib.leave(self._context, last and last._context)
        self._dispatcher.close()
        self._context = None
        if self._owns_cluster:
            self.cluster.close()

    def shutdown(self) -> None:
        """End the cluster, scheduler and workers, and this client."""
        path, cluster = self.scheduler_file, self.cluster
        self.close()
        if cluster is not None:
            cluster.close()
        elif path is not None:
            err = ffi.new("ncg_error *")
            _lib.check(lib.ncg_cluster_stop(os.fsencode(path), err), err)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return client_text(self)

    def _repr_html_(self) -> str:
        return client_html(self)
