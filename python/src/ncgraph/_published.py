# SPDX-License-Identifier: BSD-3-Clause
"""Named data sets that outlive the client that published them.

They are kept, pickled, in the scheduler's process: recipes of what is lazy,
values of what was persisted.
"""
from __future__ import annotations

import pickle
import threading
from typing import Any

from ._recipes import dumps

_lock = threading.Lock()
_published: dict[str, bytes] = {}  # in the scheduler's process


# ---- on the scheduler -----------------------------------------------------------------

def put(rows: dict[str, bytes], override: bool) -> None:
    """Publish."""
    with _lock:
        for name in rows:
            if name in _published and not override:
                raise KeyError(f"Dataset {name} already exists")
        _published.update(rows)


def find(name: str) -> bytes | None:
    """Give what was published under a name."""
    with _lock:
        return _published.get(name)


def drop(name: str) -> None:
    """End what ``put`` began."""
    with _lock:
        if _published.pop(name, None) is None:
            raise KeyError(f"Dataset {name} does not exist")


def names() -> tuple[str, ...]:
    """Tell the names."""
    with _lock:
        return tuple(sorted(_published))


# ---- at the client ----------------------------------------------------------------------

class Published:
    """Methods of :class:`ncgraph.Client` for named data sets."""

    run_on_scheduler: Any

    def publish_dataset(self, *args: Any, name: str | None = None,
                        override: bool = False, **kwargs: Any) -> None:
        """Give data sets names by which other clients find them.

        Parameters
        ----------
        *args
            One data set, with ``name=``.
        override : bool
            Whether a name may be there already; otherwise KeyError.
        **kwargs
            Names and data sets: arrays, xarray objects, anything that can be
            pickled.
        """
        if (name is None) != (not args) or len(args) > 1:
            raise ValueError("publish one data set with name=, or several by "
                             "keywords")
        if args:
            kwargs = {**kwargs, name: args[0]}
        rows = {str(k): dumps(v) for k, v in kwargs.items()}
        self.run_on_scheduler(put, rows, override)

    def get_dataset(self, name: str, default: Any = KeyError, **kwargs: Any
                    ) -> Any:
        """Give the data set of a name."""
        data = self.run_on_scheduler(find, name)
        if data is not None:
            return pickle.loads(data)
        if default is KeyError:
            raise KeyError(f"Dataset '{name}' not found")
        return default

    def list_datasets(self, **kwargs: Any) -> tuple[str, ...]:
        """Tell the names of published data sets."""
        return self.run_on_scheduler(names)

    def unpublish_dataset(self, name: str, **kwargs: Any) -> None:
        """Forget a published data set."""
        self.run_on_scheduler(drop, name)
