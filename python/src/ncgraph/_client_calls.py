# SPDX-License-Identifier: BSD-3-Clause
"""What a client asks of workers: submit, map, gather and their kin."""
from __future__ import annotations

import hashlib
import uuid
import weakref
from typing import Any, Callable, Iterable, Sequence

from . import _calls
from ._portable import name_of
from .futures import Call, CallFuture, Future, ThreadFuture, futures_in

_FIRST, _NEXT = 64, 1000  # calls of a map that are sent together


class Calls:
    """Methods of :class:`ncgraph.Client` that give futures."""

    _context: Any
    _dispatcher: Any
    _known: "weakref.WeakValueDictionary[str, Future]"

    # ---- calls --------------------------------------------------------------------

    def submit(self, func: Callable, *args: Any, key: str | None = None,
               retries: int | None = None, pure: bool = True,
               priority: Any = None, **kwargs: Any) -> Future:
        """Call a function on a worker.

        Parameters
        ----------
        func : callable
        *args, **kwargs
            Its arguments; futures among them, also in lists and dicts, stand
            for their values.
        key : str, optional
            A name of the call; calls of one name are done once.
        retries : int, optional
            A call that fails is tried so many times more.
        pure : bool
            Whether equal arguments give equal values: such calls are done
            once.
        priority
            Accepted for distributed's sake.

        Returns
        -------
        Future
        """
        made: dict[str, CallFuture] = {}
        future = self._future(made, func, args, kwargs, key, retries, pure)
        self._send(made)
        return future

    def _future(self, made: dict[str, CallFuture], func: Callable,
                args: Any, kwargs: dict[str, Any], key: str | None,
                retries: int | None, pure: bool) -> Future:
        """Give the future of a call; a new one is put into ``made``."""
        head = _calls.head_of(func)
        with _calls.collecting() as found:
            data = _calls.pack_arguments(args, kwargs)
        if key is None:
            key = self._key(func, head, data, found.inputs, pure)
        known = made.get(key) or self._known.get(key)
        if known is not None and known.status not in ("cancelled", "error"):
            return known
        made[key] = CallFuture(self, key, Call(head, data, found.inputs,
                                               retries or 0))
        return made[key]

    def _send(self, made: dict[str, CallFuture]) -> None:
        if made:
            self._dispatcher.add(*made.values())
            self._known.update(made)
            made.clear()

    @staticmethod
    def _key(func: Callable, head: bytes, data: bytes,
             inputs: Sequence[Future], pure: bool) -> str:
        if not pure:
            return f"{_short(func)}-{uuid.uuid4().hex}"
        mark = hashlib.blake2b(head + data, digest_size=16)
        for future in inputs:
            mark.update(future.key.encode())
        return f"{_short(func)}-{mark.hexdigest()}"

    def map(self, func: Callable, *iterables: Iterable, key: Any = None,
            retries: int | None = None, pure: bool = True,
            batch_size: int | None = None, **kwargs: Any) -> list[Future]:
        """Call a function for each of several arguments.

        Parameters
        ----------
        func : callable
        *iterables : iterable
            As for the built-in ``map``.
        key : str or list of str, optional
            A beginning of the calls' names, or their names.
        retries, pure
            As for :meth:`submit`.
        batch_size
            Accepted for distributed's sake.
        **kwargs
            Of each call.

        Returns
        -------
        list of Future
        """
        rows = list(zip(*iterables))
        if isinstance(key, (list, tuple)):
            names = list(key)
        else:
            start = key or _short(func)
            mark = uuid.uuid4().hex
            names = [None if pure and key is None else f"{start}-{mark}-{i}"
                     for i in range(len(rows))]
        futures: list[Future] = []
        made: dict[str, CallFuture] = {}
        many = _FIRST
        for row, name in zip(rows, names):
            futures.append(self._future(made, func, row, kwargs, name,
                                        retries, pure))
            if len(made) >= many:
                self._send(made)
                many = _NEXT
        self._send(made)
        return futures

    # ---- values ---------------------------------------------------------------------

    def gather(self, futures: Any, errors: str = "raise", **kwargs: Any
               ) -> Any:
        """Bring values here.

        Parameters
        ----------
        futures : future, or futures in lists, tuples, sets and dicts
        errors : {"raise", "skip"}
            What of futures that failed: "skip" leaves them out of lists.
        """
        if errors not in ("raise", "skip"):
            raise ValueError("errors= is 'raise' or 'skip'")
        found = list(dict.fromkeys(futures_in(futures)))
        values: dict[Future, Any] = {}
        for future in found:
            try:
                values[future] = future.result()
            except Exception:
                if errors == "raise":
                    raise
        return _replaced(futures, values)

    def scatter(self, data: Any, workers: Any = None, broadcast: Any = False,
                hash: bool = True, **kwargs: Any) -> Any:  # noqa: A002
        """Put values onto workers, for calls to use.

        Parameters
        ----------
        data : list, tuple, set, dict, or one value
            A future is given for each value of a list, and so on.
        workers, broadcast, hash
            Accepted for distributed's sake: values go with the calls.
        """
        if isinstance(data, dict):
            return {k: self._scatter(v, str(k)) for k, v in data.items()}
        if isinstance(data, (list, tuple, set, frozenset)):
            return type(data)([self._scatter(v) for v in data])
        return self._scatter(data)

    def _scatter(self, value: Any, key: str | None = None) -> Future:
        return self.submit(_same, value, key=key)

    # ---- collections ------------------------------------------------------------------

    def compute(self, collections: Any, sync: bool = False, **kwargs: Any
                ) -> Any:
        """Compute collections while the program goes on.

        Parameters
        ----------
        collections : Array, xarray object, or list of them
        sync : bool
            Wait, and give values in place of futures.

        Returns
        -------
        Future, or list of Future
        """
        is_many = isinstance(collections, (list, tuple, set, frozenset))
        made = [self._computed(c) for c in
                (collections if is_many else [collections])]
        if sync:
            return self.gather(made if is_many else made[0])
        return made if is_many else made[0]

    def _computed(self, value: Any) -> Future:
        from ._collections import compute_all
        client: Any = self

        def work() -> Any:
            with client._as_current():
                return compute_all([value])[0]
        return ThreadFuture(self, f"finalize-{uuid.uuid4().hex}", work)

    def get(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """Compute keys of any graph of dask's on the workers."""
        from ._get import get
        return get(dsk, keys, client=self)

    # ---- the lives of futures -----------------------------------------------------------

    def cancel(self, futures: Any, **kwargs: Any) -> None:
        """End what makes futures, and what waits for them."""
        for future in futures_in([futures]):
            future.cancel()

    def retry(self, futures: Any, **kwargs: Any) -> None:
        """Do again what failed."""
        for future in futures_in([futures]):
            future.retry()

    def recreate_error_locally(self, future: Any) -> None:
        """Call what failed in this process, for a debugger."""
        for one in futures_in([future]):
            if one.exception() is None:
                continue
            if not isinstance(one, CallFuture):
                raise one.exception()
            inputs = [f._data for f in one._call.inputs]
            _calls.call_row(one._call.row(one.key, inputs))


def _same(value: Any) -> Any:
    return value


def _short(func: Callable) -> str:
    return name_of(func).rpartition(".")[2].strip("<>")[:40] or "call"


def _replaced(value: Any, values: dict[Future, Any]) -> Any:
    """The same lists and dicts with values in place of futures."""
    if isinstance(value, Future):
        return values[value]
    if isinstance(value, dict):
        return {k: _replaced(v, values) for k, v in value.items()
                if not isinstance(v, Future) or v in values}
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(_replaced(v, values) for v in value
                           if not isinstance(v, Future) or v in values)
    return value
