# SPDX-License-Identifier: BSD-3-Clause
"""Functions on their way to workers, as bytes.

The bytes of a layer begin with the token of its function. In the process that
made it the token is enough; workers of a cluster get the function behind it:
the versions it was pickled with, and the pickle.
"""
from __future__ import annotations

import collections
import os
import pickle
import socket
import sys
import threading
from typing import Any

TOKEN = 16
_KEPT = 256  # functions that a worker keeps unpickled

_loaded: "collections.OrderedDict[bytes, Any]" = collections.OrderedDict()
_lock = threading.Lock()
worker_name = ""
is_worker = False  # whether this process may call functions for others


def versions() -> tuple[str, str]:
    """Return what must be equal where a function is made and called."""
    from . import __version__
    return "%d.%d" % sys.version_info[:2], __version__


def here() -> str:
    """Name this process in a message."""
    return worker_name or f"{socket.gethostname()}:{os.getpid()}"


def name_of(call: Any) -> str:
    """Name a function in a message."""
    while hasattr(call, "call") or hasattr(call, "func"):
        call = getattr(call, "func", None) or call.call
    return getattr(call, "__qualname__", None) or repr(call)


def pack(token: bytes, value: Any) -> bytes:
    """Return a token and, behind it, a value for other processes.

    Raises
    ------
    TypeError
        Where the value cannot be pickled; the message names it.
    """
    from ._recipes import dumps
    try:
        data = dumps(value)
    except Exception as exc:
        raise TypeError(
            f"{name_of(value)!r} cannot be sent to the cluster's workers: "
            f"{exc}; define what it uses inside of it, or compute without the "
            "client") from exc
    return token + pickle.dumps((versions(), data), protocol=4)


def unpack(params: bytes) -> Any:
    """Give the value of bytes that ``pack`` made, from memory if it is known."""
    token = params[:TOKEN]
    with _lock:
        if token in _loaded:
            _loaded.move_to_end(token)
            return _loaded[token]
    if len(params) == TOKEN:
        raise RuntimeError(f"worker {here()} does not know the function that "
                           "it is to call")
    value = _load(params)
    with _lock:
        _loaded[token] = value
        while len(_loaded) > _KEPT:
            _loaded.popitem(last=False)
    return value


def _load(params: bytes) -> Any:
    theirs, data = pickle.loads(params[TOKEN:])
    if theirs != versions():
        raise RuntimeError(
            "worker %s has Python %s and ncgraph %s, the client Python %s and "
            "ncgraph %s: functions cannot go from one to the other; start "
            "both in the same environment" % (here(), *versions(), *theirs))
    try:
        return pickle.loads(data)
    except ImportError as exc:
        raise ImportError(
            f"worker {here()} cannot load a function of the client: {exc}; "
            "install the module where the workers run, or call "
            "cloudpickle.register_pickle_by_value(module) in the client",
            name=exc.name) from exc
