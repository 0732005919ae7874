# SPDX-License-Identifier: BSD-3-Clause
"""Failures of functions that other processes called."""
from __future__ import annotations

import builtins
import re


def failure(message: str, mark: str) -> BaseException:
    """Return the exception that a worker told of in an error's text.

    Parameters
    ----------
    message : str
        The engine's; behind ``mark`` come type and text of the exception.
    """
    told = message[message.find(mark) + len(mark):].strip()
    found = re.match(r"(\w+): ?(.*)", told, re.S)
    cls = getattr(builtins, found[1], None) if found else None
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        from ._lib import NcgraphError
        made: BaseException = NcgraphError(told or message)
    else:
        made = _made(cls, found[2])
    made.add_note("on a worker: " + message.replace(mark + " ", ""))
    return made


def _made(cls: type[Exception], text: str) -> Exception:
    try:
        return cls(text)
    except TypeError:  # it wants more than a text
        return RuntimeError(f"{cls.__name__}: {text}")
