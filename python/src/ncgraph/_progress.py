# SPDX-License-Identifier: BSD-3-Clause
"""Progress bars in terminals and notebooks.

The engine tells how far it is from a thread of its own; the thread that waits
draws, so that what it writes lands where its cell or terminal is.
"""
from __future__ import annotations

import sys
from typing import Any


def bar(wanted: Any) -> "Bar | None":
    """Return a bar if one is wanted; "auto": where somebody looks at it."""
    if wanted == "auto":
        return make(1.0) if _has_viewer() else None
    return make(0.0) if wanted else None


def make(after: float) -> "Bar":
    """Return a bar that shows after so many seconds."""
    return NotebookBar(after) if _is_notebook() else Bar(after)


def _shell() -> Any:
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def _is_notebook() -> bool:
    return type(_shell()).__name__ == "ZMQInteractiveShell"


def _has_viewer() -> bool:
    if _shell() is not None:
        return True
    try:
        return sys.stderr.isatty() and hasattr(sys, "ps1")
    except Exception:
        return False


class Bar:
    """A line that is written over."""

    def __init__(self, after: float):
        self._after = after
        self._is_shown = False
        self._state: tuple[int, int, float] | None = None
        self._drawn: tuple[int, int, float] | None = None

    def update(self, done: int, total: int, nbytes: int, all_bytes: int,
               seconds: float) -> None:
        """Take how far the work is; from any thread."""
        self._state = done, total, seconds

    def draw(self) -> None:
        """Show how far the work is, if that has changed."""
        state = self._state
        if state is None or state == self._drawn or state[2] < self._after:
            return
        self._drawn = state
        self._show(*state)
        self._is_shown = True

    def _text(self, share: float, done: int, total: int, seconds: float
              ) -> str:
        left = seconds / share - seconds if 0.01 < share < 1 else None
        rest = "" if left is None else f", {left:.0f} s left"
        return f"{share:4.0%} {done}/{total} tasks, {seconds:.1f} s{rest}"

    def _show(self, done: int, total: int, seconds: float) -> None:
        share = done / total if total else 1.0
        filled = int(share * 40)
        print(f"\r[{'#' * filled}{' ' * (40 - filled)}] "
              f"{self._text(share, done, total, seconds)}   ", end="",
              file=sys.stderr, flush=True)

    def close(self) -> None:
        """Show the last state and end the line."""
        self.draw()
        if self._is_shown:
            self._end()

    def _end(self) -> None:
        print(file=sys.stderr, flush=True)


class NotebookBar(Bar):
    """A bar under a notebook's cell."""

    _handle: Any = None

    def _show(self, done: int, total: int, seconds: float) -> None:
        from IPython.display import HTML, display
        share = done / total if total else 1.0
        shown = HTML(f'<progress max="{max(total, 1)}" value="{done}">'
                     f"</progress> {self._text(share, done, total, seconds)}")
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def _end(self) -> None:
        """The bar stays as it is."""
