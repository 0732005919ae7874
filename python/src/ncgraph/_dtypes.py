# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's dtypes in the engine.

The engine computes with integers, floats and truth values. Every other dtype is
kept there as numbers that hold its bits, with one more last axis where it needs
several (complex numbers, texts); only functions of Python compute with those.
Python objects are kept as numbers, too: keys of a table of this process.
"""
from __future__ import annotations

import threading
from typing import Any, Iterable, NamedTuple

import numpy as np

from ._native import lib

_NATIVE = {
    "i1": lib.NCG_DTYPE_I8, "u1": lib.NCG_DTYPE_U8, "i2": lib.NCG_DTYPE_I16,
    "u2": lib.NCG_DTYPE_U16, "i4": lib.NCG_DTYPE_I32, "u4": lib.NCG_DTYPE_U32,
    "i8": lib.NCG_DTYPE_I64, "u8": lib.NCG_DTYPE_U64, "f4": lib.NCG_DTYPE_F32,
    "f8": lib.NCG_DTYPE_F64, "b1": lib.NCG_DTYPE_BOOL,
}
_BY_CODE = {code: np.dtype(name) for name, code in _NATIVE.items()}
_CODES = {np.dtype(name): code for name, code in _NATIVE.items()}


class Storage(NamedTuple):
    """How values of a dtype are kept: engine's dtype, as NumPy's, last axis."""

    code: int
    dtype: np.dtype
    width: int


def native_code(dtype: np.dtype) -> int | None:
    """Return the engine's dtype for one it computes with, else None."""
    return _CODES.get(dtype)


def of_code(code: int) -> np.dtype:
    """Return NumPy's dtype of an engine's dtype."""
    return _BY_CODE[code]


def is_native(dtype: np.dtype) -> bool:
    """Whether the engine computes with values of this dtype."""
    return dtype in _CODES


_BITS = {1: "u1", 2: "u2", 4: "u4", 8: "i8"}


def storage(dtype: np.dtype) -> Storage:
    """Return how values of a dtype are kept."""
    code = _CODES.get(dtype)
    if code is not None:
        return Storage(code, dtype, 0)
    kind, size = dtype.kind, dtype.itemsize
    if kind in "mMO":
        part, width = "i8", 0
    elif kind == "f":
        part, width = ("u2", 0) if size == 2 else ("u8", size // 8)
    elif kind == "c":
        part, width = {8: ("f4", 2), 16: ("f8", 2)}.get(size, ("u8", size // 8))
    elif kind == "U":
        part, width = "u4", max(size // 4, 1)
    elif kind in "SV":
        part, width = "u1", max(size, 1)
    else:
        raise TypeError(f"arrays of dtype {dtype} are not supported")
    return Storage(_NATIVE[part], np.dtype(part), width)


def canonical(dtype: Any) -> np.dtype:
    """Return a dtype in the machine's byte order and of at least one byte."""
    dtype = np.dtype(dtype)
    if not dtype.isnative:
        dtype = dtype.newbyteorder("=")
    if dtype.itemsize == 0:
        dtype = np.dtype((dtype.kind, 1))
    return dtype


# ---- Python objects -----------------------------------------------------------------

_table: dict[int, list] = {}
_table_lock = threading.Lock()


class Pool:
    """Objects that stay in the table as long as the pool lives."""

    def __init__(self) -> None:
        self._keys: list[int] = []

    def add(self, values: Iterable[Any]) -> list[int]:
        """Put objects into the table and return their keys."""
        keys = []
        with _table_lock:
            for value in values:
                key = id(value)
                entry = _table.setdefault(key, [value, 0])
                entry[1] += 1
                keys.append(key)
            self._keys += keys
        return keys

    def __del__(self) -> None:
        with _table_lock:
            for key in self._keys:
                entry = _table.get(key)
                if entry is not None:
                    entry[1] -= 1
                    if not entry[1]:
                        del _table[key]


# What tasks of a run make stays until the run's results were taken.
_run_pool: list[Pool] = []


class object_pool:
    """With this, objects that tasks make live as long as the pool it gives."""

    def __enter__(self) -> Pool:
        pool = Pool()
        _run_pool.append(pool)
        return pool

    def __exit__(self, *_: Any) -> None:
        _run_pool.pop()


def _objects_in(values: np.ndarray, pool: Pool | None) -> np.ndarray:
    if pool is None:
        pool = _run_pool[-1]
    keys = np.array(pool.add(values.ravel().tolist()), dtype="i8")
    return keys.reshape(values.shape)


def _objects_out(keys: np.ndarray) -> np.ndarray:
    out = np.empty(keys.size, dtype=object)
    for i, key in enumerate(keys.ravel().tolist()):
        entry = _table.get(key)
        out[i] = entry[0] if entry is not None else None
    return out.reshape(keys.shape)


def to_storage(values: np.ndarray, pool: Pool | None = None) -> np.ndarray:
    """Return values in the form in which the engine keeps them."""
    form = storage(values.dtype)
    if values.dtype == object:
        return _objects_in(values, pool)
    values = np.asarray(values, order="C")
    if not form.width:
        return values if values.dtype == form.dtype else values.view(form.dtype)
    packed = values.reshape(values.shape + (1,)).view(form.dtype)
    return packed.reshape(values.shape + (form.width,))


def from_storage(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return kept values as what they stand for."""
    if values.dtype == dtype:
        return values
    if dtype == object:
        return _objects_out(values)
    if not storage(dtype).width:
        return values.view(dtype)
    if not values.flags.c_contiguous:
        values = np.ascontiguousarray(values)
    return values.view(dtype).reshape(values.shape[:-1])
