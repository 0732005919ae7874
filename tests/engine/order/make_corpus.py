#!/usr/bin/env python3
"""Makes the graphs against which the order of tasks is compared.

    python3 tests/engine/order/make_corpus.py > tests/engine/order/corpus.txt

Needs dask, NumPy and xarray. Graphs are made by dask from what people compute,
culled but not fused, run once on small arrays in order to learn the size of
each value, and written with the order that dask.order gives them:

    graph NAME NTASKS
    BYTES RANK DEPENDENCY...        one line a task, numbers of earlier lines
"""
import random
import sys

import dask
import dask.array as da
import numpy as np
from dask._task_spec import convert_legacy_graph
from dask.order import order


def field(nt=24, ny=16, nx=16, ct=2, cy=8, cx=8, seed=1):
    return da.random.default_rng(seed).random((nt, ny, nx), chunks=(ct, cy, cx))


def square(n=40, c=8, seed=1):
    return da.random.default_rng(seed).random((n, n), chunks=(c, c))


def groupby(x, k):
    return da.stack([x[i::k].mean(axis=0) for i in range(k)])


def anomaly(x, k=6):
    mean = groupby(x, k)
    parts = [x[i::k] - mean[i] for i in range(k)]
    return da.concatenate(parts)


def stencil(x, steps):
    for _ in range(steps):
        x = da.map_overlap(lambda b: b, x, depth=1, boundary="none",
                           dtype=x.dtype)
    return x


def quadratic():
    u, v = square(seed=1), square(seed=2)
    return [(u * v).mean(), (u * u).mean(), (v * v).mean()]


def regression(n=200, c=20):
    x = da.random.default_rng(3).random((n, 4), chunks=(c, 4))
    y = da.random.default_rng(4).random(n, chunks=c)
    return da.linalg.solve(x.T @ x, x.T @ y)


def pyramid(levels, seed):
    """Explicit graph: sums of pairs, each level of the same width."""
    width = 16
    graph = {("p", 0, i): (np.full, 64, 1.0) for i in range(width)}
    for level in range(1, levels):
        for i in range(width):
            graph["p", level, i] = (np.add, ("p", level - 1, i),
                                    ("p", level - 1, (i + level) % width))
    return graph, [("p", levels - 1, i) for i in range(width)]


def random_dag(n, width, seed):
    rnd = random.Random(seed)
    graph = {}
    for i in range(n):
        if i < width or rnd.random() < 0.15:
            graph["r", i] = (np.full, rnd.choice([8, 64, 512]), 1.0)
            continue
        deps = rnd.sample(range(max(0, i - 4 * width), i),
                          min(i, rnd.randint(1, 3)))
        graph["r", i] = (grow, rnd.choice([8, 64, 512]),
                         *[("r", j) for j in deps])
    used = {d for v in graph.values() for d in v[1:] if isinstance(d, tuple)}
    return graph, [k for k in graph if k not in used]


def grow(n, *parts):
    return np.full(n, sum(float(p[0]) for p in parts))


def arrays():
    x, s = field(), square()
    yield "mean-time", [x.mean(axis=0)]
    yield "std-time", [x.std(axis=0)]
    yield "mean-space", [x.mean(axis=(1, 2))]
    yield "mean-all", [x.mean()]
    yield "mean-and-std", [x.mean(axis=0), x.std(axis=0)]
    yield "min-max-mean", [x.min(axis=0), x.max(axis=0), x.mean(axis=0)]
    yield "groups", [groupby(x, 6)]
    yield "anomaly", [anomaly(x)]
    yield "anomaly-std", [anomaly(x).std(axis=0)]
    yield "anomaly-whole", [(x - x.mean(axis=0)).std(axis=0)]
    yield "normalised", [(x - x.mean(axis=0)) / x.std(axis=0)]
    yield "transpose-sum", [(s + s.T).sum()]
    yield "transpose-sum-rows", [(s + s.T).sum(axis=0)]
    yield "quadratic", quadratic()
    yield "quadratic-axis", [(x * x).mean(axis=0), (x * x * x).mean(axis=0)]
    yield "matmul", [s @ s]
    yield "gram", [s.T @ s]
    yield "tensordot", [da.tensordot(x, x, axes=((0,), (0,)))[:4, :4]]
    yield "rechunk-time-space", [x.rechunk((24, 4, 4))]
    yield "rechunk-then-median", [
        da.map_blocks(np.median, x.rechunk((24, 4, 4)), axis=0, drop_axis=0,
                      dtype=float)]
    yield "rechunk-back", [x.rechunk((24, 4, 4)).rechunk((2, 8, 8))]
    yield "cumsum", [da.cumsum(x, axis=0)]
    yield "cumsum-all", [da.cumsum(x, axis=0).mean(axis=(1, 2))]
    yield "diff", [da.diff(x, axis=0)]
    yield "diff-square", [(da.diff(x, axis=0) ** 2).mean(axis=0)]
    yield "overlap", [stencil(s, 1)]
    yield "overlap-3", [stencil(s, 3)]
    yield "overlap-mean", [stencil(s, 2).mean()]
    yield "concatenate", [da.concatenate([x, x[::-1]]).sum(axis=0)]
    yield "where", [da.where(x > x.mean(axis=0), x, 0).sum(axis=0)]
    yield "covariance", [((x - x.mean(axis=0)) *
                          (x[::-1] - x.mean(axis=0))).mean(axis=0)]
    yield "histogram-like", [da.stack([(x > t).sum(axis=0)
                                       for t in (0.2, 0.5, 0.8)])]
    yield "regression", [regression()]
    yield "svd", [da.linalg.svd(da.random.default_rng(5).random(
        (160, 6), chunks=(16, 6)))[1]]
    yield "qr", list(da.linalg.qr(da.random.default_rng(6).random(
        (160, 6), chunks=(16, 6))))
    yield "two-fields", [(field(seed=1) * field(seed=2)).mean(axis=0),
                         field(seed=1).mean(axis=0)]
    yield "many-outputs", [x[:, i:i + 8].mean(axis=0) for i in (0, 8)] + [
        x.sum(axis=0)]
    yield "slices", [x[i:i + 6].mean(axis=0) for i in range(0, 24, 6)]
    yield "weighted", [(x * da.arange(16, chunks=8)[None, :, None]).sum(
        axis=(1, 2))]
    yield "rolling", [sum(x[i:20 + i] for i in range(4)) / 4]


def listed():
    yield "pyramid", *pyramid(6, 1)
    for seed in range(8):
        yield f"random-{seed}", *random_dag(60 + 30 * seed, 4 + seed, seed)


def sizes_of(graph, keys):
    """Bytes of each value, by running the graph."""
    sizes = {}

    class Watch(dask.callbacks.Callback):
        def _posttask(self, key, result, dsk, state, worker):
            n = getattr(result, "nbytes", None)
            if n is None and isinstance(result, (list, tuple)):
                n = sum(getattr(r, "nbytes", 8) for r in result)
            sizes[key] = int(n) if n is not None else 8

    with Watch():
        dask.get(graph, keys)
    return sizes


def write(name, graph, keys, out):
    graph = dict(graph)
    flat = []
    stack = list(keys)
    while stack:
        key = stack.pop()
        if isinstance(key, list):
            stack.extend(key)
        else:
            flat.append(key)
    graph, _ = dask.optimization.cull(graph, flat)
    sizes = sizes_of(graph, flat)
    graph = convert_legacy_graph(graph)
    deps = {k: set(v.dependencies) for k, v in graph.items()}
    rank = order(graph)
    numbers, waiting = {}, sorted(deps, key=str)
    while waiting:  # inputs before their users
        later = []
        for key in waiting:
            if all(d in numbers for d in deps[key]):
                numbers[key] = len(numbers)
            else:
                later.append(key)
        waiting = later
    print(f"graph {name} {len(numbers)}", file=out)
    for key in numbers:
        line = [sizes.get(key, 8), rank[key]]
        line += sorted(numbers[d] for d in deps[key])
        print(*line, file=out)


def main():
    np.seterr(all="ignore")
    for name, outputs in arrays():
        graph, keys = {}, []
        for array in outputs:
            graph.update(array.__dask_graph__())
            keys.append(array.__dask_keys__())
        write(name, graph, keys, sys.stdout)
    for name, graph, keys in listed():
        write(name, graph, keys, sys.stdout)


if __name__ == "__main__":
    main()
