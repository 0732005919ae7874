#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tasks and hops cost between processes: messages.c beside dask.distributed, in one run.

messages.py PROGRAM [--peer PEER.py] [--tasks N] [--rounds N] [--scrape] [--json FILE]: PROGRAM is the built
messages.c; PEER.py prints a JSON object with noop_us_per_task, tree_us_per_task and hop_us of two workers. With
--scrape every round is done with and without a process that asks for /metrics every second (target D1).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys


def run(words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ, **more))
    if done.returncode:
        sys.exit(f"{words[0]} failed")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--peer")
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scrape", action="store_true")
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    words = [args.program, str(args.tasks)]
    result = {"ncgraph": run([*words, str(args.rounds)])}
    if args.peer:
        result["distributed"] = run([sys.executable, args.peer])
    if args.scrape:
        pairs = [(run([*words, "1"]), run([*words, "1"], SCRAPE="1")) for _ in range(args.rounds)]
        result["scraped_over_not"] = statistics.median(b["noop_us_per_task"] / a["noop_us_per_task"] for a, b in pairs)
    for name in ("noop_us_per_task", "tree_us_per_task", "hop_us"):
        mine, peer = result["ncgraph"][name], result.get("distributed", {}).get(name)
        print(f"{name:18} {mine:10.2f}" + (f" {peer:10.2f}  {peer / mine:.0f} x" if peer else ""))
    print(f"{'round_trip_us':18} {result['ncgraph']['round_trip_us']:10.2f}  hop over it: {result['ncgraph']['ratio']}")
    if args.scrape:
        print(f"scraped every second over not: {result['scraped_over_not']:.3f}")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
