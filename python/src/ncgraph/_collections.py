# SPDX-License-Identifier: BSD-3-Clause
"""Computing what holds arrays: arrays, xarray objects, dask's collections."""
from __future__ import annotations

from typing import Any, Callable, Sequence

from ._array import Array


def _is_dask_only(value: Any) -> bool:
    """Whether a collection has a graph and nothing of ours in it."""
    return not hasattr(value, "variable") and \
        not hasattr(value, "variables") and \
        hasattr(value, "__dask_graph__") and \
        value.__dask_graph__() is not None


def _each(values: Sequence[Any], ours: Callable[..., tuple],
          method: str, dasks: str) -> list[Any]:
    """Do arrays in one run, and the rest one after the other."""
    arrays = [v for v in values if isinstance(v, (Array, list, tuple, dict))]
    done = iter(ours(*arrays) if arrays else ())
    out = []
    for value in values:
        if isinstance(value, (Array, list, tuple, dict)):
            out.append(next(done))
        elif _is_dask_only(value):
            import dask

            from ._get import get
            out.append(getattr(dask, dasks)(value, scheduler=get)[0])
        elif hasattr(value, method):
            out.append(getattr(value, method)())
        else:
            out.append(value)
    return out


def compute_all(values: Sequence[Any]) -> list[Any]:
    """Compute collections and give their values."""
    from ._compute import compute
    return _each(values, compute, "compute", "compute")


def persist_all(values: Sequence[Any]) -> list[Any]:
    """Compute collections, keep them, give collections on what is kept."""
    from ._compute import persist
    return _each(values, persist, "persist", "persist")
