# SPDX-License-Identifier: BSD-3-Clause
"""Failures of functions that other processes called."""
from __future__ import annotations

import builtins
import pickle
import re


def failure(message: str, mark: str) -> BaseException:
    """Return the exception that a worker told of in an error's text.

    Parameters
    ----------
    message : str
        The engine's; behind ``mark`` come type and text of the exception.
    """
    plain = message.replace(mark + " ", "")
    known = _asked(mark)
    if known is not None:
        known.add_note("on a worker: " + plain)
        return known
    told = message[message.find(mark) + len(mark):].strip()
    found = re.match(r"(\w+): ?(.*)", told, re.S)
    cls = getattr(builtins, found[1], None) if found else None
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        from ._lib import NcgraphError
        made: BaseException = NcgraphError(told or message)
    else:
        made = _made(cls, found[2])
    made.add_note("on a worker: " + plain)
    return made


def _asked(mark: str) -> BaseException | None:
    """The exception itself, its worker's traceback as cause; None where no
    worker knows it any more."""
    from . import _calls, _lib, _services
    context = _lib.main_context()
    if context is None or not context.is_linked:
        return None
    try:
        answers = _services.run_on_workers(context, _services.failure_of,
                                           (mark,))
    except _lib.NcgraphError:
        return None
    for answer in answers.values():
        if isinstance(answer, tuple):
            data, text = answer
            made = pickle.loads(data)
            made.__cause__ = _calls.RemoteTraceback(text)
            return made
    return None


def _made(cls: type[Exception], text: str) -> Exception:
    try:
        return cls(text)
    except TypeError:  # it wants more than a text
        return RuntimeError(f"{cls.__name__}: {text}")
