# SPDX-License-Identifier: BSD-3-Clause
"""Reductions in dask's graphs: partial results, merged as a tree.

Partial results are computed by the engine: counts and sums in double or 64-bit
integers, spreads as count, mean and squared deviations (Chan).
"""
from __future__ import annotations

from typing import Any

import numpy as np

from . import _lib

PARTIAL = {"sum", "prod", "min", "max", "mean", "std", "var", "any", "all",
           "count"}


def _wide(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return values.astype("f8", copy=False)
    return values.astype("u8" if values.dtype.kind == "u" else "i8",
                         copy=False)


class Part:
    """The partial result of one block."""

    def __init__(self, op: str, axes: tuple[int, ...], skipna: bool):
        self.op, self.axes, self.skipna = op, axes, skipna

    def __call__(self, block: Any) -> dict[str, np.ndarray]:
        from ._compute import run
        from ._creation import from_array
        from ._reduce import reduce
        block = np.asarray(block)
        if self.op not in ("min", "max", "any", "all"):
            block = _wide(block)

        def asked(op: str, **kwargs: Any) -> Any:
            return reduce(op, array, self.axes, keepdims=True,
                          skipna=self.skipna, **kwargs)
        with _lib.inner_engine():
            array = from_array(block, chunks=-1)
            wanted = {"n": asked("count")}
            if self.op in ("mean", "sum"):
                wanted["v"] = asked("sum")
            elif self.op in ("std", "var"):
                wanted["mean"], wanted["var"] = asked("mean"), asked("var")
            elif self.op != "count":
                wanted["v"] = asked(self.op)
            made = dict(zip(wanted, run(list(wanted.values()))))
        if not self.skipna:
            size = np.prod([block.shape[d] for d in self.axes], dtype="i8")
            made["n"] = np.full(made["n"].shape, size, "i8")
        if "var" in made:
            made["m2"] = made.pop("var") * made["n"]
            empty = made["n"] == 0
            made["m2"] = np.where(empty, 0.0, made["m2"])
            made["mean"] = np.where(empty, 0.0, made["mean"])
        made["skipna"] = np.asarray(self.skipna)
        return made


class WeightedPart:
    """The partial result of one block and its weights.

    Weights have as many axes as the block's array, whose lengths may be 1.
    """

    def __init__(self, op: str, axes: tuple[int, ...], skipna: bool,
                 shape: tuple[int, ...]):
        self.op, self.axes, self.skipna = op, axes, skipna
        self.shape = shape

    def __call__(self, start: tuple[int, ...], places: tuple, block: Any,
                 *weights: Any) -> dict[str, np.ndarray]:
        from ._dask import Blocks
        x = np.asarray(block, "f8")
        rows = [(place, np.asarray(w)) for place, w in zip(places, weights)]
        box = tuple(slice(0, 1) if n == 1 else slice(s, s + size)
                    for n, s, size in zip(self.shape, start, x.shape))
        w = np.broadcast_to(Blocks(self.shape, np.dtype("f8"), rows).read(box),
                            x.shape)
        if self.skipna:
            valid = ~np.isnan(x)
            x, w = np.where(valid, x, 0), np.where(valid, w, 0)

        def total(values: np.ndarray) -> np.ndarray:
            return values.sum(axis=self.axes, keepdims=True)
        made = {"n": total(w), "skipna": np.asarray(self.skipna)}
        if self.op in ("std", "var"):
            n = np.where(made["n"] == 0, 1, made["n"])
            made["mean"] = total(x * w) / n
            made["m2"] = total((x - made["mean"]) ** 2 * w)
        else:
            made["v"] = total(x * w)
        return made


class Merge:
    """One partial result of several."""

    def __init__(self, op: str):
        self.op = op

    def __call__(self, *parts: dict) -> dict[str, np.ndarray]:
        made = dict(parts[0])
        for part in parts[1:]:
            made = self._two(made, part)
        return made

    def _two(self, a: dict, b: dict) -> dict[str, np.ndarray]:
        out = {"n": a["n"] + b["n"], "skipna": a["skipna"]}
        if self.op in ("std", "var"):
            n = np.where(out["n"] == 0, 1, out["n"])
            delta = b["mean"] - a["mean"]
            out["mean"] = a["mean"] + delta * b["n"] / n
            out["m2"] = a["m2"] + b["m2"] + delta ** 2 * a["n"] * b["n"] / n
        elif self.op != "count":
            out["v"] = self._merged(a["v"], b["v"], bool(a["skipna"]))
        return out

    def _merged(self, a: np.ndarray, b: np.ndarray, skipna: bool) -> Any:
        if self.op in ("sum", "mean"):
            return a + b
        if self.op == "prod":
            return a * b
        if self.op == "any":
            return a | b
        if self.op == "all":
            return a & b
        plain = {"min": np.minimum, "max": np.maximum}
        without = {"min": np.fmin, "max": np.fmax}
        return (without if skipna else plain)[self.op](a, b)


class Finish:
    """The result of a partial one."""

    def __init__(self, op: str, axes: tuple[int, ...], floor: int, ddof: int,
                 keepdims: bool, skipna: bool, dtype: np.dtype):
        self.op, self.axes, self.floor, self.ddof = op, axes, floor, ddof
        self.keepdims, self.skipna, self.dtype = keepdims, skipna, dtype

    def __call__(self, part: dict) -> np.ndarray:
        n = part["n"]
        with np.errstate(all="ignore"):
            if self.op == "count":
                made = n
            elif self.op == "mean":
                made = part["v"] / n
            elif self.op in ("std", "var"):
                made = np.where(n > self.ddof, part["m2"] / (n - self.ddof),
                                np.nan)
                made = np.sqrt(made) if self.op == "std" else made
            else:
                made = part["v"]
            if self.dtype.kind == "f" and self.floor and self.skipna:
                made = np.where(n < self.floor, np.nan, made)
        made = np.asarray(made).astype(self.dtype)
        return made if self.keepdims else np.squeeze(made, axis=self.axes)
