# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the package.

``threads``, ``memory_limit`` and ``spill_directory`` are those of the engine in
this process. ``persist_early`` is for clients that are made afterwards: to
persist does not wait then, and what is computed of the arrays begins with the
chunks that are there. ``collection`` says whether arrays are dask collections,
to dask and xarray; the others tune what is chosen where nothing is said.
"""
from __future__ import annotations

from typing import Any

from . import _chunks

_values: dict[str, Any] = {
    "threads": 0,
    "memory_limit": 0,
    "spill_directory": None,
    "persist_early": False,
    "collection": True,
    "array.chunk-size": "128 MiB",
    "progress": "auto",
    "warn_fallback": True,
}
_ENGINE = ("threads", "memory_limit", "spill_directory", "persist_early")


def get(name: str) -> Any:
    """Return a setting."""
    try:
        return _values[name]
    except KeyError:
        raise KeyError(f"no setting {name!r}; there are "
                       f"{', '.join(_values)}") from None


class set:  # noqa: A001 - the name is dask's
    """Change settings, for good or, in a ``with`` statement, for a while.

    Parameters
    ----------
    values : dict, optional
        Names, for those with dots, and values.
    **named
        Names and values.

    Examples
    --------
    >>> with ncgraph.config.set(memory_limit="2 GiB"):
    ...     x.compute()
    """

    def __init__(self, values: dict[str, Any] | None = None, **named: Any):
        wanted = {**(values or {}), **named}
        for name in wanted:
            get(name)
        self._before = {name: _values[name] for name in wanted}
        _apply(wanted)

    def __enter__(self) -> "set":
        return self

    def __exit__(self, *_: Any) -> None:
        _apply(self._before)


def _apply(wanted: dict[str, Any]) -> None:
    engine = {name: wanted[name] for name in _ENGINE if name in wanted}
    for name in ("memory_limit", "array.chunk-size"):
        if name in wanted:  # before anything is changed
            nbytes = _chunks.parse_bytes(wanted[name] or 0)
            if name in engine:
                engine[name] = nbytes
    _values.update(wanted)
    if engine:
        from . import _lib
        _lib.configure(**engine)
