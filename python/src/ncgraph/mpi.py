# SPDX-License-Identifier: BSD-3-Clause
"""Programs under ``mpirun -n 4 python script.py`` or ``srun``.

>>> import ncgraph
>>> ncgraph.mpi.initialize()        # first of all
>>> x.mean(axis=0).compute()        # on all ranks
"""
from __future__ import annotations

import atexit
import sys
from typing import Any

from . import _chunks, _lib, _serve

_client: Any = None


def initialize(threads: int = 0, memory_limit: Any = 0,
               local_directory: Any = None, exclusive: bool = False,
               exit: bool = True) -> Any:  # noqa: A002 - as dask_mpi's
    """Begin a program on several ranks: the script on one, workers on all.

    Call it before anything that starts threads, opens files or prints: each
    rank starts the script again and watches it. On the first rank the call
    returns, and what is computed from then on is computed on all ranks. On the
    others it serves until the script has ended. Where no launcher started the
    script it computes in its own process.

    Parameters
    ----------
    threads : int
        Of each worker; 0: the cores that its rank may use.
    memory_limit : int or str
        Of each worker; 0: 60 % of the machine's memory, shared out.
    local_directory : str, optional
        Where workers spill.
    exclusive : bool
        No worker on the first rank, beside the script.
    exit : bool
        Whether the other ranks end here; otherwise the call returns None
        there.

    Returns
    -------
    Client
    """
    global _client
    if _client is not None:
        return _client
    context = _serve.launch(
        threads=threads, memory_limit=_chunks.parse_bytes(memory_limit or 0),
        spill_directory=local_directory, exclusive=exclusive)
    if context is None:
        if exit:
            sys.exit(0)
        return None
    from .client import Client
    _client = Client._of(context, "mpirun")
    atexit.register(_client.close)
    return _client


def client() -> Any:
    """Return the client that ``initialize`` made, or None."""
    return _client if _client is not None and _client.status != "closed" \
        else None


__all__ = ["initialize"]
