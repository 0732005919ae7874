#!/usr/bin/env python3
"""Print the JSON of reductions.py as Markdown: report.py reductions.json

A table a layout with every program; then ncgraph over the limit that writes, with the time over the bare limit and
ncgraph's time in brackets, all layouts side by side.
"""
import json
import sys

PEERS = ["ncgraph", "limit", "written", "cdo", "nco", "hidefix", "xarray"]


def cell(row, ncgraph):
    if row is None:
        return "-"
    if isinstance(row, str):
        return "cannot read"
    text = f"{row['wall_s']:.2f} s"
    if row is not ncgraph and isinstance(ncgraph, dict):
        text += f" ({row['wall_s'] / ncgraph['wall_s']:.1f} x)"
    return text + (" WRONG" if row.get("wrong") else "")


def over(rows, limit):
    a, b = rows.get("ncgraph"), rows.get(limit)
    return f"{a['wall_s'] / b['wall_s']:.2f}" if isinstance(a, dict) and isinstance(b, dict) else "-"


def show_all(result):
    ops = list(dict.fromkeys(op for rows in result.values() for op in rows))
    print("\n| operation | " + " | ".join(result) + " |\n| --- |" + " --- |" * len(result))
    for op in ops:
        cells = []
        for layout in result.values():
            rows = layout.get(op, {})
            cells.append(f"{over(rows, 'written')} ({over(rows, 'limit')}, {cell(rows.get('ncgraph'), rows.get('ncgraph'))})")
        print(f"| {op} | " + " | ".join(cells) + " |")


def main():
    with open(sys.argv[1]) as f:
        result = json.load(f)
    for layout, ops in result.items():
        peers = [p for p in PEERS if any(p in rows for rows in ops.values())]
        print(f"\n**{layout}**\n")
        print("| operation | " + " | ".join(peers) + " | ncgraph / limit | / written |")
        print("| --- |" + " --- |" * (len(peers) + 2))
        for op, rows in ops.items():
            cells = [cell(rows.get(p), rows.get("ncgraph")) for p in peers]
            print(f"| {op} | " + " | ".join(cells) + f" | {over(rows, 'limit')} | {over(rows, 'written')} |")
    show_all(result)


if __name__ == "__main__":
    main()
