# SPDX-License-Identifier: BSD-3-Clause
"""Chunks: what users may write for them, and how those of several arrays meet."""
from __future__ import annotations

import math
import re
from itertools import accumulate
from numbers import Integral, Number
from typing import Any, Sequence

import numpy as np

Chunks = tuple[tuple[int, ...], ...]

_UNITS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12,
          "p": 10**15}


def parse_bytes(value: Any) -> int:
    """Return the bytes that a number or a text such as ``"128 MiB"`` means."""
    if not isinstance(value, str):
        return int(value)
    found = re.fullmatch(r"\s*([\d.eE+]*)\s*([kmgtp]?)(i?)(b?)\s*",
                         value.lower())
    if not found:
        raise ValueError(f"could not interpret {value!r} as a byte unit")
    number, unit, binary, _ = found.groups()
    factor = _UNITS[unit]
    if binary:
        factor = 1024 ** round(math.log(factor, 1000)) if unit else 1
    return int(float(number or 1) * factor)


def blockdims(sizes: Sequence[int], step: Sequence[int]) -> Chunks:
    """Split each axis into equal chunks, the last one smaller."""
    out = []
    for size, chunk in zip(sizes, step):
        chunk = max(int(chunk), 1)
        whole, rest = divmod(size, chunk)
        out.append((chunk,) * whole + ((rest,) if rest else ())
                   or (0,))
    return tuple(out)


def _limit_bytes(limit: Any) -> int:
    from . import config
    return parse_bytes(config.get("array.chunk-size") if limit is None
                       else limit)


def _auto(chunks: list, shape: tuple[int, ...], limit: Any, dtype: Any,
          previous: Any) -> list:
    """Choose sizes for the axes that are "auto", as dask does."""
    if dtype is None:
        raise TypeError("dtype must be known for auto-chunking")
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise NotImplementedError(
            "Can not use auto rechunking with object dtype. "
            "We are unable to estimate the size in bytes of object data")
    axes = [d for d, c in enumerate(chunks) if c == "auto"]
    fixed = math.prod(max(c) if isinstance(c, tuple) and c else 1
                      for d, c in enumerate(chunks) if d not in axes)
    room = max(_limit_bytes(limit) // max(dtype.itemsize * fixed, 1), 1)
    if previous is not None:
        grow = _grow(axes, shape, room, previous)
    else:
        grow = {}
        left = sorted(axes, key=lambda d: shape[d])
        while left:
            side = room ** (1 / len(left))
            d = left.pop(0)
            grow[d] = min(shape[d], max(int(side), 1))
            room = max(room // max(grow[d], 1), 1)
    for d in axes:
        chunks[d] = blockdims((shape[d],), (grow[d] or 1,))[0]
    return chunks


def _grow(axes: list[int], shape: tuple[int, ...], room: int,
          previous: Any) -> dict[int, int]:
    """Sizes that are multiples of the chunks there were."""
    base = {}
    for d in axes:
        before = previous[d]
        first = before if isinstance(before, Integral) else \
            (max(before) if len(before) else 1)
        base[d] = max(min(int(first), shape[d]), 1)
    size = math.prod(base.values())
    if size >= room:
        for d in sorted(axes, key=lambda d: -base[d]):
            if size <= room:
                break
            smaller = max(int(base[d] * room / size), 1)
            size = size // base[d] * smaller
            base[d] = smaller
        return base
    for d in axes:
        times = max(room // max(size, 1), 1)
        bigger = min(base[d] * times, shape[d])
        if bigger < shape[d]:
            bigger = bigger // base[d] * base[d]
        size = size // base[d] * bigger
        base[d] = max(bigger, 1)
    return base


def normalize_chunks(chunks: Any, shape: Any = None, limit: Any = None,
                     dtype: Any = None, previous_chunks: Any = None) -> Chunks:
    """Return chunks as a tuple of sizes for each axis.

    Parameters
    ----------
    chunks : int, tuple, dict, str
        A size for all axes, one for each, all sizes of each; -1 or None: the
        whole axis; "auto": chosen, so that chunks take ``limit`` bytes; a text
        such as "100 MiB" is "auto" with that limit.
    shape : tuple of int
        The array's shape.
    limit : int or str, optional
        Bytes of a chunk.
    dtype : dtype, optional
        Needed for "auto".
    previous_chunks : tuple, optional
        Chunks that the sizes of "auto" should be multiples of.

    Returns
    -------
    tuple of tuple of int
    """
    if chunks is None:
        raise ValueError("chunks must not be None: give sizes or 'auto'")
    if isinstance(chunks, np.ndarray):
        chunks = chunks.tolist()
    if isinstance(chunks, (str, Number)) and shape is not None:
        chunks = (chunks,) * len(shape)
    if isinstance(chunks, dict):
        if shape is None:
            raise ValueError("chunks as a dict need a shape")
        chunks = tuple(chunks.get(d, chunks.get(d - len(shape)))
                       for d in range(len(shape)))
    if isinstance(chunks, (str, Number)):
        raise ValueError("a shape is needed for one chunk size")
    chunks = list(chunks)
    if shape is not None:
        shape = tuple(int(s) if s == s else s for s in shape)
        if len(shape) == 1 and len(chunks) > 1 and \
                all(isinstance(c, Integral) for c in chunks):
            chunks = [tuple(chunks)]
        if not shape:
            return ()
        if not chunks and 0 in shape:
            chunks = [(0,)] * len(shape)
        if len(chunks) != len(shape):
            raise ValueError(
                "Chunks and shape must be of the same length/dimension. "
                f"Got chunks={tuple(chunks)}, shape={shape}")
    else:
        shape = tuple(int(sum(c)) if isinstance(c, (tuple, list)) else 0
                      for c in chunks)
    for d, size in enumerate(shape):
        chunks[d], limit = _one(chunks[d], size, limit)
    if any(isinstance(c, str) for c in chunks):
        chunks = _auto(chunks, shape, limit, dtype, previous_chunks)
    out = []
    for d, (c, size) in enumerate(zip(chunks, shape)):
        if sum(c) != size:
            raise ValueError(f"Chunks do not add up to shape. Got chunks="
                             f"{tuple(chunks)}, shape={shape}")
        if any(s < 0 for s in c):
            raise ValueError(f"chunks of negative size along axis {d}: {c}")
        out.append(tuple(int(s) for s in c))
    return tuple(out)


def _one(chunk: Any, size: int, limit: Any) -> tuple[Any, Any]:
    """One axis's entry as sizes, or "auto" with the limit that it names."""
    if chunk is None or (isinstance(chunk, Integral) and chunk == -1):
        return (size,), limit
    if isinstance(chunk, str):
        if chunk != "auto":
            limit = parse_bytes(chunk)
        return "auto", limit
    if isinstance(chunk, (Integral, np.integer, float)):
        if chunk < 0 or (chunk == 0 and size > 0) or int(chunk) != chunk:
            raise ValueError(f"chunks of size {chunk} are not possible")
        return blockdims((size,), (chunk or 1,))[0], limit
    return tuple(int(s) for s in chunk) or (0,), limit


def edges(sizes: Sequence[int]) -> list[int]:
    """Return where chunks begin, and where the last one ends."""
    return list(accumulate(sizes, initial=0))


def common(dims: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the chunks of an axis whose borders are those of all given."""
    longer = {c for c in dims if sum(c) != 1 or len(c) > 1}
    if not longer:
        return dims[0]
    if len(longer) == 1:
        return next(iter(longer))
    if len({sum(c) for c in longer}) > 1:
        raise ValueError(f"Chunks do not add up to same value: {longer}")
    whole = [c for c in longer if len(c) > 1]
    if not whole:
        return next(iter(longer))
    if len(whole) == 1:
        return whole[0]
    borders = sorted(set().union(*(edges(c) for c in whole)))
    return tuple(b - a for a, b in zip(borders, borders[1:])) or (0,)


def is_regular(sizes: tuple[int, ...]) -> bool:
    """Whether all chunks but a smaller last one have one size."""
    return len(sizes) < 2 or (all(s == sizes[0] for s in sizes[:-1])
                              and 0 < sizes[-1] <= sizes[0])


def step_of(sizes: tuple[int, ...]) -> int:
    """Return the size of regular chunks."""
    return max(sizes[0], 1) if sizes else 1
