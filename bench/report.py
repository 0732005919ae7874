#!/usr/bin/env python3
"""Print the JSON of reductions.py as Markdown tables: report.py reductions.json."""
import json
import sys

PEERS = ["ncgraph", "limit", "cdo", "nco", "hidefix", "xarray"]


def cell(row, ncgraph):
    if row is None:
        return "-"
    if isinstance(row, str):
        return "cannot read"
    text = f"{row['wall_s']:.2f} s"
    if row is not ncgraph and isinstance(ncgraph, dict):
        text += f" ({row['wall_s'] / ncgraph['wall_s']:.1f} x)"
    return text + (" WRONG" if row.get("wrong") else "")


def over_limit(rows):
    a, b = rows.get("ncgraph"), rows.get("limit")
    return f"{a['wall_s'] / b['wall_s']:.2f}" if isinstance(a, dict) and isinstance(b, dict) else "-"


def main():
    with open(sys.argv[1]) as f:
        result = json.load(f)
    for layout, ops in result.items():
        peers = [p for p in PEERS if any(p in rows for rows in ops.values())]
        print(f"\n**{layout}**\n")
        print("| operation | " + " | ".join(peers) + " | ncgraph / limit |")
        print("| --- |" + " --- |" * (len(peers) + 1))
        for op, rows in ops.items():
            cells = [cell(rows.get(p), rows.get("ncgraph")) for p in peers]
            print(f"| {op} | " + " | ".join(cells) + f" | {over_limit(rows)} |")


if __name__ == "__main__":
    main()
