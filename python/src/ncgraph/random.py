# SPDX-License-Identifier: BSD-3-Clause
"""Random arrays: values depend on seed and position, never on chunks."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import _chunks
from ._array import Array
from ._creation import _in_chunks, _shape
from ._dtypes import canonical


class Generator:
    """Gives random arrays; each call uses a seed of its own."""

    def __init__(self, seed: Any = None):
        self._seeds = np.random.default_rng(seed)

    def _seed(self) -> int:
        return int(self._seeds.integers(0, 1 << 63))

    def _made(self, kind: str, size: Any, chunks: Any, dtype: Any) -> Array:
        dtype = canonical(dtype)
        shape = () if size is None else _shape(size)
        sizes = _chunks.normalize_chunks(chunks, shape, dtype=dtype)
        return _in_chunks("random", (kind, self._seed(), dtype, shape), sizes,
                          dtype)

    def random(self, size: Any = None, dtype: Any = "f8",
               chunks: Any = "auto", **kwargs: Any) -> Array:
        """Numbers from 0 up to below 1."""
        return self._made("uniform", size, chunks, dtype)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None,
                chunks: Any = "auto", **kwargs: Any) -> Array:
        """Numbers from low up to below high."""
        return self.random(size, chunks=chunks) * (high - low) + low

    def standard_normal(self, size: Any = None, dtype: Any = "f8",
                        chunks: Any = "auto", **kwargs: Any) -> Array:
        """Normal numbers of mean 0 and standard deviation 1."""
        return self._made("normal", size, chunks, dtype)

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = None,
               chunks: Any = "auto", **kwargs: Any) -> Array:
        """Normal numbers."""
        return self.standard_normal(size, chunks=chunks) * scale + loc

    def integers(self, low: int, high: Any = None, size: Any = None,
                 dtype: Any = "i8", chunks: Any = "auto", **kwargs: Any
                 ) -> Array:
        """Integers from low up to below high."""
        if high is None:
            low, high = 0, low
        dtype = canonical(dtype)
        shape = () if size is None else _shape(size)
        sizes = _chunks.normalize_chunks(chunks, shape, dtype=dtype)
        return _in_chunks("integers", (int(low), int(high), self._seed(),
                                       dtype, shape), sizes, dtype)

    randint = integers
    random_sample = random


def default_rng(seed: Any = None) -> Generator:
    """Return a generator; equal seeds give equal arrays."""
    return Generator(seed)


RandomState = Generator
_default = Generator()


def seed(value: Any = None) -> None:
    """Begin the module's own generator anew."""
    global _default
    _default = Generator(value)


def random(size: Any = None, chunks: Any = "auto", **kwargs: Any) -> Array:
    """Numbers from 0 up to below 1."""
    return _default.random(size, chunks=chunks, **kwargs)


def normal(loc: float = 0.0, scale: float = 1.0, size: Any = None,
           chunks: Any = "auto", **kwargs: Any) -> Array:
    """Normal numbers."""
    return _default.normal(loc, scale, size, chunks)


def uniform(low: float = 0.0, high: float = 1.0, size: Any = None,
            chunks: Any = "auto", **kwargs: Any) -> Array:
    """Numbers from low up to below high."""
    return _default.uniform(low, high, size, chunks)


def standard_normal(size: Any = None, chunks: Any = "auto", **kwargs: Any
                    ) -> Array:
    """Normal numbers of mean 0 and standard deviation 1."""
    return _default.standard_normal(size, chunks=chunks)


def randint(low: int, high: Any = None, size: Any = None,
            chunks: Any = "auto", **kwargs: Any) -> Array:
    """Integers from low up to below high."""
    return _default.integers(low, high, size, chunks=chunks, **kwargs)
