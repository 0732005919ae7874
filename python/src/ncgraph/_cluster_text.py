# SPDX-License-Identifier: BSD-3-Clause
"""Clusters and clients as text and as HTML."""
from __future__ import annotations

import html
from typing import Any

from ._repr import size_text


def limit_of(worker: dict[str, Any]) -> int:
    """The memory limit of a worker, in bytes."""
    return worker.get("limit", worker.get("memory", 0))


def _totals(workers: list[dict[str, Any]]) -> tuple[int, int, str]:
    threads = sum(w.get("threads", 0) for w in workers)
    memory = size_text(sum(limit_of(w) for w in workers))
    return len(workers), threads, memory


def _workers_of(source: Any) -> list[dict[str, Any]] | None:
    """The workers; None where nobody answers."""
    if source.status == "closed":
        return None
    try:
        return source._workers()
    except Exception:
        return None


def _text(kind: str, where: str, source: Any) -> str:
    workers = _workers_of(source)
    if workers is None:
        return f"<{kind}: {where} {source.status}>"
    n, threads, memory = _totals(workers)
    return (f"<{kind}: {where} workers={n} threads={threads}, "
            f"memory={memory}>")


def cluster_text(cluster: Any) -> str:
    """One line: a cluster and what it has."""
    where = "" if cluster.status == "closed" else \
        repr(cluster.scheduler_address)
    return _text("LocalCluster", where, cluster)


def client_text(client: Any) -> str:
    """One line: a client and its cluster."""
    return _text("Client", repr(client.where), client)


def _table(title: str, rows: list[tuple[str, str]], workers: Any) -> str:
    body = "".join(f"<tr><th style='text-align:left'>{html.escape(a)}</th>"
                   f"<td>{html.escape(b)}</td></tr>" for a, b in rows)
    each = ""
    if workers:
        lines = "".join(
            f"<tr><td>{html.escape(str(w.get('name')))}</td>"
            f"<td>{html.escape(str(w.get('host', '')))}</td>"
            f"<td>{w.get('threads', 0)}</td>"
            f"<td>{size_text(w.get('limit', 0))}</td></tr>"
            for w in workers)
        each = ("<details><summary>Workers</summary><table><thead><tr>"
                "<th>Name</th><th>Host</th><th>Threads</th><th>Memory</th>"
                f"</tr></thead><tbody>{lines}</tbody></table></details>")
    return (f"<div><h4>{html.escape(title)}</h4><table><tbody>{body}"
            f"</tbody></table>{each}</div>")


def _html(title: str, where: str, source: Any) -> str:
    workers = _workers_of(source)
    if workers is None:
        return _table(title, [("Status", source.status)], None)
    n, threads, memory = _totals(workers)
    rows = [("Scheduler", where), ("Status", source.status),
            ("Workers", str(n)), ("Threads", str(threads)),
            ("Memory", memory)]
    return _table(title, rows, workers)


def cluster_html(cluster: Any) -> str:
    """A table of a cluster for notebooks."""
    where = "" if cluster.status == "closed" else cluster.scheduler_address
    return _html("LocalCluster", where, cluster)


def client_html(client: Any) -> str:
    """A table of a client and its cluster for notebooks."""
    return _html("Client", client.where, client)
