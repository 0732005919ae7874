# SPDX-License-Identifier: BSD-3-Clause
"""Arrays as text and as HTML."""
from __future__ import annotations

import math
from typing import Any


def _chunk_text(array: Any) -> str:
    return "(" + ", ".join(map(str, array.chunksize)) + \
        ("," if array.ndim == 1 else "") + ")"


def size_text(nbytes: float) -> str:
    """Return bytes as people write them."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(nbytes) < 1000 or unit == "PiB":
            return f"{nbytes:.0f} B" if unit == "B" else f"{nbytes:.2f} {unit}"
        nbytes /= 1024
    return ""


def text(array: Any) -> str:
    """One line: what the array is."""
    return (f"ncgraph.Array<{array._node.kind}, shape={array.shape}, dtype={array.dtype}, "
            f"chunksize={_chunk_text(array)}>")


def inline(array: Any, max_width: int) -> str:
    """What xarray shows of a variable's values."""
    line = f"ncgraph.Array<chunksize={_chunk_text(array)}>"
    return line if len(line) <= max_width else "ncgraph.Array<...>"


def _grid(array: Any) -> str:
    """A drawing of the last two axes' chunks, to scale as far as it can be."""
    if not array.ndim or not array.size:
        return ""
    rows = array.chunks[-2] if array.ndim > 1 else (1,)
    cols = array.chunks[-1]
    height = sum(rows) if array.ndim > 1 else max(sum(cols) // 8, 1)
    scale = 120 / max(height, sum(cols))
    w = max(sum(cols) * scale, 12)
    h = max(height * scale, 12)

    def lines(sizes: tuple[int, ...], length: float) -> list[float]:
        step = max(len(sizes) // 30, 1)
        total, at, out = sum(sizes), 0, [0.0]
        for i, s in enumerate(sizes):
            at += s
            if (i + 1) % step == 0 or i + 1 == len(sizes):
                out.append(length * at / total)
        return out

    marks = "".join(f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{h:.1f}"/>'
                    for x in lines(cols, w))
    marks += "".join(f'<line x1="0" y1="{y:.1f}" x2="{w:.1f}" y2="{y:.1f}"/>'
                     for y in lines(rows if array.ndim > 1 else (1,), h))
    return (f'<svg width="{w + 2:.0f}" height="{h + 2:.0f}" '
            f'style="stroke:currentColor;stroke-width:1" '
            f'role="img" aria-label="chunks of the last axes">'
            f'<rect width="{w:.1f}" height="{h:.1f}" fill="#8aa9c1" '
            f'fill-opacity="0.5"/>{marks}</svg>')


def html(array: Any) -> str:
    """A table and a drawing for notebooks."""
    chunk = math.prod(array.chunksize) * array.itemsize
    count = array.npartitions
    rows = [("Bytes", size_text(array.nbytes), size_text(chunk)),
            ("Shape", str(array.shape), _chunk_text(array)),
            ("Count", f"{count} chunk{'s' if count != 1 else ''}", ""),
            ("Type", str(array.dtype), "ncgraph.Array")]
    body = "".join(f"<tr><th>{a}</th><td>{b}</td><td>{c}</td></tr>"
                   for a, b, c in rows)
    return ("<table><tr><td><table><thead><tr><td></td><th>Array</th>"
            f"<th>Chunk</th></tr></thead><tbody>{body}</tbody></table></td>"
            f"<td>{_grid(array)}</td></tr></table>")
