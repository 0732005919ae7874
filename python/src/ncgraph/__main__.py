# SPDX-License-Identifier: BSD-3-Clause
"""python -m ncgraph cluster|worker: clusters whose workers know Python."""
from __future__ import annotations

import argparse
import sys

from . import _chunks, _serve, version


def _bytes(text: str) -> int:
    return _chunks.parse_bytes(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ncgraph", description="Clusters whose workers call "
        "Python functions. Under mpirun, each further rank is a worker.")
    parser.add_argument("--version", action="version", version=version())
    verbs = parser.add_subparsers(dest="verb", required=True)
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--scheduler-file", required=True, metavar="FILE")
    both.add_argument("-j", "--threads", type=int, default=0)
    both.add_argument("--mem", type=_bytes, default=0, metavar="SIZE",
                      help="memory limit of each worker, as '4 GiB'")
    both.add_argument("--spill-dir", metavar="DIR")
    both.add_argument("--interface", metavar="HOST", help="to listen on")
    both.add_argument("--end-with-input", action="store_true",
                      help="end when standard input does")
    cluster = verbs.add_parser("cluster", parents=[both],
                               help="a scheduler and a worker")
    cluster.add_argument("--port", type=int, default=0)
    cluster.add_argument("--exclusive", action="store_true",
                         help="no worker beside the scheduler")
    worker = verbs.add_parser("worker", parents=[both], help="one worker more")
    worker.add_argument("--name")
    worker.add_argument("--lifetime", type=float, default=0, metavar="SECONDS")
    worker.add_argument("--death-timeout", type=float, default=0,
                        metavar="SECONDS")
    worker.add_argument("--checkpoint-dir", metavar="DIR")
    return parser


def main() -> int:
    """Run the command line and return the exit code."""
    args = _parser().parse_args()
    context = {"threads": args.threads, "memory_limit": args.mem,
               "spill_directory": args.spill_dir}
    if args.end_with_input:
        _serve.end_with_input()
    try:
        if args.verb == "cluster":
            _serve.serve_cluster(args.scheduler_file, args.interface,
                                 args.port, exclusive=args.exclusive,
                                 **context)
        else:
            _serve.serve_worker(args.scheduler_file, args.name,
                                args.interface, args.lifetime,
                                args.death_timeout, args.checkpoint_dir,
                                **context)
    except (OSError, RuntimeError, ValueError) as exc:
        print(f"ncgraph: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
