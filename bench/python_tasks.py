#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a task that does nothing costs on two workers of Python (target T6).

python_tasks.py [-n TASKS] [--distributed]: maps a function that returns its
argument over TASKS numbers and gathers, best of three; --distributed does the
same with dask.distributed beside it.
"""
import argparse
import time


def nothing(value):
    """Return the argument."""
    return value


def measure(client, n: int) -> float:
    """Seconds for n tasks, from the first call to the last value."""
    client.gather(client.map(nothing, range(100), pure=False))
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        futures = client.map(nothing, range(n), pure=False)
        values = client.gather(futures)
        best = min(best, time.perf_counter() - start)
        assert values == list(range(n))
        del futures
    return best


def show(name: str, seconds: float, n: int) -> None:
    """Print one line."""
    print(f"{name:12} {n} tasks in {seconds:.3f} s, "
          f"{seconds / n * 1e6:.1f} us a task", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=20_000)
    parser.add_argument("--distributed", action="store_true")
    args = parser.parse_args()
    import ncgraph
    with ncgraph.LocalCluster(n_workers=2, threads_per_worker=1) as cluster:
        with ncgraph.Client(cluster) as client:
            show("ncgraph", measure(client, args.n), args.n)
    if args.distributed:
        import distributed
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1,
                                      dashboard_address=None) as cluster:
            with distributed.Client(cluster) as client:
                show("distributed", measure(client, args.n), args.n)


if __name__ == "__main__":
    main()
