# SPDX-License-Identifier: BSD-3-Clause
"""What workers called, as one page that needs nothing else."""
from __future__ import annotations

import html
import zlib
from typing import Any

from ._repr import size_text

_ROW, _WIDTH = 16, 1000  # pixels


def _prefix(key: str) -> str:
    return key.split("-")[0]


def _colour(name: str) -> str:
    return f"hsl({zlib.crc32(name.encode()) % 360}, 55%, 60%)"


def _drawing(rows: list[dict[str, Any]], start: float, end: float) -> str:
    lanes = {lane: i for i, lane in enumerate(sorted(
        {(row["worker"], row["thread"]) for row in rows}))}
    scale = _WIDTH / max(end - start, 1e-9)
    parts = []
    for row in rows:
        span = row["startstops"][0]
        x = (span["start"] - start) * scale
        width = max((span["stop"] - span["start"]) * scale, 0.5)
        y = lanes[row["worker"], row["thread"]] * _ROW
        colour = "black" if row["status"] == "error" \
            else _colour(_prefix(row["key"]))
        title = html.escape(f"{row['key']} on {row['worker']}, "
                            f"{span['stop'] - span['start']:.6f} s")
        parts.append(f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" '
                     f'height="{_ROW - 2}" fill="{colour}">'
                     f"<title>{title}</title></rect>")
    height = max(len(lanes), 1) * _ROW
    return (f'<svg width="100%" viewBox="0 0 {_WIDTH} {height}" '
            f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>')


def _table(heads: list[str], lines: list[list[Any]]) -> str:
    top = "".join(f"<th>{html.escape(h)}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(v))}</td>"
                                    for v in line) + "</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _sums(rows: list[dict[str, Any]]) -> list[list[Any]]:
    sums: dict[str, list[Any]] = {}
    for row in rows:
        span = row["startstops"][0]
        entry = sums.setdefault(_prefix(row["key"]), [0, 0.0, 0, 0])
        entry[0] += 1
        entry[1] += span["stop"] - span["start"]
        entry[2] += row["nbytes"]
        entry[3] += row["status"] == "error"
    return [[name, n, f"{seconds:.3f}", size_text(nbytes), failed]
            for name, (n, seconds, nbytes, failed) in
            sorted(sums.items(), key=lambda item: -item[1][1])]


def page(rows: list[dict[str, Any]], start: float, end: float,
         info: dict[str, Any]) -> str:
    """Return the page."""
    calls = [row for row in rows if row["kind"] == "call"]
    tasks = [row for row in rows if row["kind"] == "task"]
    runs = [row for row in rows if row["kind"] == "computation"]
    workers = [[name, w.get("host", ""), w.get("nthreads", ""),
                size_text(w.get("memory_limit") or 0)]
               for name, w in info["workers"].items()]
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>ncgraph report</title>
<style>body {{ font-family: sans-serif; margin: 2em }}
td, th {{ text-align: left; padding-right: 1em }}</style></head><body>
<h1>ncgraph report</h1>
<p>{len(calls)} calls of functions, {len(tasks)} tasks of kernels and
{len(runs)} computations in {end - start:.3f} s on {len(workers)} workers.</p>
<h2>Calls of functions</h2>
{_table(["Name", "Calls", "Seconds", "Results", "Failed"], _sums(calls))}
<h2>Tasks of kernels</h2>
{_table(["Name", "Tasks", "Seconds", "Results", "Failed"], _sums(tasks))}
<h2>Computations</h2>
{_table(["Name", "Computations", "Seconds", "Results", "Failed"], _sums(runs))}
<h2>Task stream</h2>
<p>A line for each thread of a worker and one for computations on all of them;
what failed is black.</p>
{_drawing(rows, start, end)}
<h2>Workers</h2>
{_table(["Name", "Host", "Threads", "Memory"], workers)}
</body></html>
"""
