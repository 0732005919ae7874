# SPDX-License-Identifier: BSD-3-Clause
"""Arrays as bytes: recipes of an array and of all it is made of."""
from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from ._array import Array, Held, Node, order_of


def dumps(value: Any) -> bytes:
    """Pickle; what pickle cannot name elsewhere goes by cloudpickle."""
    try:
        made = pickle.dumps(value, protocol=5)
        if b"__main__" not in made:
            return made
    except Exception:
        pass
    import cloudpickle
    return cloudpickle.dumps(value)


def pack(array: Array) -> Any:
    """What ``Array.__reduce__`` gives."""
    rows: list[tuple] = []
    numbers: dict[int, int] = {}
    for node in order_of([array._node]):
        numbers[id(node)] = len(rows)
        inputs = tuple(numbers[id(i)] for i in node.inputs)
        if any(isinstance(p, Held) for p in node.params):
            values = np.asarray(Array._of(node).compute())
            step = tuple(max(c[0], 1) for c in node.chunks)
            rows.append(("memory", (), (values, step), node.dtype))
        else:
            rows.append((node.op, inputs, node.params, node.dtype))
    return unpack, (rows,)


def unpack(rows: list[tuple]) -> Array:
    """Build the array of the last row."""
    made: list[Node] = []
    for op, inputs, params, dtype in rows:
        made.append(Node(op, tuple(made[i] for i in inputs), params, dtype))
    return Array._of(made[-1])
