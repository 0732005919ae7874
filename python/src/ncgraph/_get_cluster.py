# SPDX-License-Identifier: BSD-3-Clause
"""ncgraph.get on a cluster: each task of a graph is a call."""
from __future__ import annotations

from typing import Any, Mapping

from .futures import Future, as_completed


def run_node(node: Any, values: dict) -> Any:
    """Run a task of dask's with the values that it needs."""
    return node(values)


def get_on(client: Any, tasks: Mapping, wanted: set, tell: Any) -> dict:
    """Compute tasks on a client's workers and give the wanted values.

    Parameters
    ----------
    tasks : dict
        Nodes of dask's, inputs before their users.
    tell : callable
        Called with each key that has ended, and its value if it is wanted.
    """
    futures: dict[Any, Future] = {}
    keys: dict[Future, Any] = {}
    for key, node in tasks.items():
        inputs = {dep: futures[dep] for dep in node.dependencies}
        made = client.submit(run_node, node, inputs, pure=False)
        futures[key], keys[made] = made, key
    values: dict = {}
    try:
        watched = list(keys) if tell else [futures[key] for key in wanted]
        for future in as_completed(watched):
            key = keys[future]
            if key in wanted:
                values[key] = future.result()
            elif future.status == "error":
                future.result()
            if tell:
                tell(key, values.get(key))
    except BaseException:
        client.cancel(watched)
        raise
    return values
