# SPDX-License-Identifier: BSD-3-Clause
"""Products of arrays: matmul, dot, tensordot, einsum and kin."""
from __future__ import annotations

from typing import Any

import numpy as np

from ._array import Array
from ._creation import asarray
from ._dtypes import is_native, native_code
from ._elementwise import readable
from ._shape import axis_of, moveaxis, reshape


def _codes(a: Array, b: Array, out: np.dtype) -> tuple:
    code = native_code(out)
    return (code, code)


def _result(a: Array, b: Array) -> np.dtype:
    return np.result_type(a.dtype, b.dtype)


def matmul(a: Any, b: Any) -> Array:
    """Product of matrices, as :func:`numpy.matmul`."""
    a, b = asarray(a), asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("`matmul` does not support scalars.")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not match")
    out = _result(a, b)
    if is_native(out) and out.kind in "fiu" and a.size and b.size:
        a, b = readable(a, out), readable(b, out)
        return Array._make("matmul", (a, b), (_codes(a, b, out),
                                              native_code(out)), out)
    return _whole(np.matmul, [a, b])


def _whole(function: Any, arrays: list[Array], **kwargs: Any) -> Array:
    """A function of whole arrays as one task."""
    from ._python import Elementwise, Reach, layer
    samples = [np.ones(a.shape if a.size < 1000 else
                       tuple(min(s, 2) for s in a.shape), a.dtype)
               for a in arrays]
    shapes = [np.broadcast_to(np.ones((), a.dtype), a.shape) for a in arrays]
    try:
        made = function(*samples, **kwargs) if all(
            s.shape == a.shape for s, a in zip(samples, arrays)) \
            else function(*shapes, **kwargs)
    except MemoryError:
        raise
    chunks = tuple((s,) for s in made.shape)
    return layer(Elementwise(function, kwargs), arrays, chunks,
                 [[Reach(-1)] * a.ndim for a in arrays], made.dtype)


def tensordot(lhs: Any, rhs: Any, axes: Any = 2) -> Array:
    """Sum of products over pairs of axes, as :func:`numpy.tensordot`."""
    a, b = asarray(lhs), asarray(rhs)
    if isinstance(axes, (int, np.integer)):
        left = tuple(range(a.ndim - axes, a.ndim))
        right = tuple(range(axes))
    else:
        left, right = ((x,) if isinstance(x, (int, np.integer)) else tuple(x)
                       for x in axes)
    left = tuple(axis_of(d, a.ndim) for d in left)
    right = tuple(axis_of(d, b.ndim) for d in right)
    if len(left) != len(right) or any(
            a.shape[i] != b.shape[k] for i, k in zip(left, right)):
        raise ValueError("shape-mismatch for sum")
    out = _result(a, b)
    if is_native(out) and out.kind in "fiu" and a.size and b.size:
        a, b = readable(a, out), readable(b, out)
        return Array._make("tensordot", (a, b), (
            left, right, _codes(a, b, out), native_code(out)), out)
    return _whole(np.tensordot, [a, b], axes=(left, right))


def dot(a: Any, b: Any, out: Any = None) -> Array:
    """As :func:`numpy.dot`."""
    a, b = asarray(a), asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        return _into(_fits(a * b, out), out)
    return _into(_fits(tensordot(a, b, axes=(
        (a.ndim - 1,), (b.ndim - 2 if b.ndim > 1 else 0,))), out), out)


def _fits(made: Array, out: Any) -> Array:
    """A product whose out= is just what NumPy's dot takes."""
    if out is not None and (
            out.shape != made.shape or out.dtype != made.dtype or
            isinstance(out, np.ndarray) and not out.flags.c_contiguous):
        raise ValueError("output array is not acceptable (must have the right "
                         "datatype, number of dimensions, and be a C-Array)")
    return made


def _into(made: Array, out: Any) -> Any:
    from ._elementwise import put_out
    return made if out is None else put_out(made, (out,))


def vdot(a: Any, b: Any) -> Array:
    """As :func:`numpy.vdot`."""
    return dot(reshape(asarray(a), (-1,)).conj(), reshape(asarray(b), (-1,)))


def outer(a: Any, b: Any, out: Any = None) -> Array:
    """As :func:`numpy.outer`."""
    a, b = reshape(asarray(a), (-1, 1)), reshape(asarray(b), (1, -1))
    return _into(a * b, out)


def vecdot(a: Any, b: Any, axis: int = -1) -> Array:
    """As :func:`numpy.vecdot`."""
    a, b = asarray(a), asarray(b)
    return (moveaxis(a, axis, -1).conj() * moveaxis(b, axis, -1)).sum(axis=-1)


def einsum(*operands: Any, dtype: Any = None, optimize: Any = False,
           split_every: Any = None, **kwargs: Any) -> Array:
    """Sums of products by Einstein's notation, as :func:`numpy.einsum`.

    Products are made element by element and summed natively: right for every
    subscript, and memory is that of the largest product's chunk.
    """
    if kwargs.keys() - {"casting", "order"}:
        raise TypeError("einsum() got unexpected keyword arguments: "
                        f"{sorted(kwargs.keys() - {'casting', 'order'})}")
    subscripts, arrays = _parse(operands)
    inputs, output = subscripts
    letters = list(output) + sorted(set("".join(inputs)) - set(output))
    made = None
    if dtype is not None:
        arrays = [a.astype(dtype) for a in arrays]
    for names, a in zip(inputs, arrays):
        a, names = _diagonals(a, names)
        order = sorted(range(len(names)), key=lambda i: letters.index(names[i]))
        a = a.transpose([*order]) if a.ndim else a
        shape = [1] * len(letters)
        for i in order:
            shape[letters.index(names[i])] = a.shape[order.index(i)]
        a = reshape(a, tuple(shape))
        made = a if made is None else made * a
    axes = tuple(range(len(output), len(letters)))
    out = np.result_type(*(a.dtype for a in arrays))
    return (made.sum(axis=axes, dtype=out) if axes else made).astype(out)


def _parse(operands: tuple) -> tuple[tuple[list[str], str], list[Array]]:
    if not isinstance(operands[0], str):
        raise NotImplementedError("einsum with lists of numbers: use letters")
    text = operands[0].replace(" ", "")
    arrays = [asarray(a) for a in operands[1:]]
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(arrays):
        raise ValueError("as many operands as subscripts are needed")
    for n, a in zip(inputs, arrays):
        named = len(n.replace("...", ""))
        if named > a.ndim or ("..." not in n and named < a.ndim):
            raise ValueError(f"einstein sum subscripts {n!r} do not name the "
                             f"{a.ndim} axes of an operand")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in text]
    wide = max(a.ndim - len(n.replace("...", ""))
               for n, a in zip(inputs, arrays))
    dots = "".join(free[:wide]) if "..." in left else ""
    inputs = [n.replace("...", dots[len(dots) - (
        a.ndim - len(n.replace("...", ""))):] if "..." in n else "")
        for n, a in zip(inputs, arrays)]
    if not arrow:
        every = "".join(inputs)
        output = dots + "".join(sorted(c for c in set(every) - set(dots)
                                       if every.count(c) == 1))
    return (inputs, output.replace("...", dots)), arrays


def _diagonals(a: Array, names: str) -> tuple[Array, str]:
    """Take the diagonal of axes that have one name."""
    for letter in sorted(set(names)):
        while names.count(letter) > 1:
            i = names.index(letter)
            k = names.index(letter, i + 1)
            if a.shape[i] != a.shape[k]:
                raise ValueError(f"dimensions for collapsing index {letter!r} "
                                 f"don't match ({a.shape[i]} != {a.shape[k]})")
            places = np.arange(a.shape[i])
            keys: list[Any] = [slice(None)] * a.ndim
            keys[i] = keys[k] = places
            a = a.vindex[tuple(keys)]
            names = letter + "".join(c for j, c in enumerate(names)
                                     if j not in (i, k))
    return a, names


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1,
          axis: Any = None) -> Array:
    """Cross product of vectors, as :func:`numpy.cross`."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(asarray(a), axisa, -1), moveaxis(asarray(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        return _whole(np.cross, [a, b], axisc=axisc)
    from ._shape import stack
    parts = [a[..., i] * b[..., k] - a[..., k] * b[..., i]
             for i, k in ((1, 2), (2, 0), (0, 1))]
    return moveaxis(stack(parts, axis=-1), -1, axisc)
