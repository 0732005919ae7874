# SPDX-License-Identifier: BSD-3-Clause
"""Which of our functions stand for which of NumPy's (NEP 18)."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

FUNCTIONS: dict[Any, Callable] = {}


def implements(*names: str) -> Callable:
    """Register a function for NumPy's functions of these names."""
    def register(fn: Callable) -> Callable:
        for name in names:
            found = np
            for part in name.split("."):
                found = getattr(found, part, None)
            if found is not None:
                FUNCTIONS[found] = fn
        return fn
    return register
