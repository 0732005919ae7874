# SPDX-License-Identifier: BSD-3-Clause
"""Progress bars in terminals and notebooks."""
from __future__ import annotations

import sys
from typing import Any


def bar(wanted: Any) -> "Bar | None":
    """Return a bar if one is wanted; "auto": where somebody looks at it."""
    if wanted == "auto":
        return Bar(1.0) if _has_viewer() else None
    return Bar(0.0) if wanted else None


def _has_viewer() -> bool:
    shell = sys.modules.get("IPython")
    if shell is not None and shell.get_ipython() is not None:
        return True
    try:
        return sys.stderr.isatty() and hasattr(sys, "ps1")
    except Exception:
        return False


class Bar:
    """A line that is written over; shown after so many seconds."""

    def __init__(self, after: float):
        self._after = after
        self._is_shown = False

    def update(self, done: int, total: int, nbytes: int, all_bytes: int,
               seconds: float) -> None:
        """Draw the bar; the engine calls it about ten times a second."""
        if seconds < self._after:
            return
        self._is_shown = True
        share = done / total if total else 0.0
        filled = int(share * 40)
        left = seconds / share - seconds if share > 0.01 else None
        rest = "" if left is None else f", {left:.0f} s left"
        print(f"\r[{'#' * filled}{' ' * (40 - filled)}] {share:4.0%} "
              f"{done}/{total} tasks, {seconds:.1f} s{rest}   ", end="",
              file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        if self._is_shown:
            print(file=sys.stderr, flush=True)
