# SPDX-License-Identifier: BSD-3-Clause
"""Operations element by element: NumPy's ufuncs, where, astype, clip."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ._array import Array
from ._creation import from_array, full
from ._dtypes import canonical, is_native, native_code
from ._lib import ffi, lib

NATIVE = {ffi.string(lib.ncg_map_op_name(i)).decode()
          for i in range(lib.ncg_map_op_count())} - {"cast", "view"}
# Where the engine keeps to another rule than NumPy, or knows less.
_NOT_TRUTH = {"reciprocal", "square", "sign", "rint", "floor", "ceil", "trunc"}


def operand(value: Any) -> Any:
    """Return an operand as an array, or a number of Python as it is."""
    if isinstance(value, (Array, bool, int, float, complex)) and \
            not isinstance(value, np.generic):
        return value
    if isinstance(value, np.generic) or isinstance(value, np.ndarray):
        return _of_numpy(np.asarray(value))
    if hasattr(value, "__dask_graph__") and hasattr(value, "chunks"):
        return from_array(value)
    return _of_numpy(np.asarray(value))


def _of_numpy(value: np.ndarray) -> Array:
    dtype = canonical(value.dtype)
    if value.ndim == 0 and is_native(dtype):
        return full((), value, dtype)
    return from_array(value.astype(dtype, copy=False))


def _kinds(operands: Sequence[Any]) -> list[Any]:
    """What the operands are to NumPy's rules: dtypes, or types of numbers."""
    return [o.dtype if isinstance(o, Array) else
            (np.dtype(bool) if type(o) is bool else type(o)) for o in operands]


def as_array(value: Any, dtype: np.dtype) -> Array:
    """Return a number as an array of no axes; arrays as they are."""
    if isinstance(value, Array):
        return value
    if not is_native(dtype):
        return from_array(np.asarray(value, dtype=dtype))
    return full((), np.asarray(value, dtype=dtype), dtype)


def readable(a: Array, dtype: np.dtype) -> Array:
    """Return an array that the engine computes with, in this dtype if need be.

    Of half and long floats it holds the bits: as an operand they would be taken
    for integers.
    """
    return a if is_native(a.dtype) else a.astype(dtype)


def _python(ufunc: np.ufunc, operands: list[Any], out: np.dtype, /,
            **kwargs: Any) -> Array:
    from ._python import elementwise
    arrays = [o for o in operands if isinstance(o, Array)]
    if len(arrays) == len(operands):
        return elementwise(ufunc, arrays, out, **kwargs)
    numbers = tuple(None if isinstance(o, Array) else (o,) for o in operands)
    return elementwise(WithNumbers(ufunc, numbers), arrays, out, **kwargs)


class WithNumbers:
    """A function some of whose arguments are fixed."""

    def __init__(self, function: Any, numbers: tuple):
        self.function, self.numbers = function, numbers

    def __call__(self, *blocks: Any, **kwargs: Any) -> Any:
        rest = iter(blocks)
        args = [next(rest) if n is None else n[0] for n in self.numbers]
        return self.function(*args, **kwargs)


class Output:
    """One output of a function that has several."""

    def __init__(self, function: Any, number: int):
        self.function, self.number = function, number

    def __call__(self, *blocks: Any, **kwargs: Any) -> Any:
        return self.function(*blocks, **kwargs)[self.number]


def apply(ufunc: np.ufunc, inputs: Sequence[Any], dtype: Any = None,
          is_masked: bool = False, **kwargs: Any) -> Any:
    """Apply a ufunc to arrays and numbers; masked, not all results are used.

    Dtypes are those that NumPy's own rules give. What the engine has no kernel
    for runs in Python, chunk by chunk.
    """
    if ufunc.signature is not None:
        from ._gufunc import apply_gufunc
        return apply_gufunc(ufunc, ufunc.signature, *inputs, **kwargs)
    operands = [operand(v) for v in inputs]
    if not any(isinstance(o, Array) for o in operands):
        operands[0] = _of_numpy(np.asarray(operands[0]))
    kinds = _kinds(operands)
    np.broadcast_shapes(*(o.shape for o in operands if isinstance(o, Array)))
    rule = {} if dtype is None else {
        "signature": (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout}
    if any(k == np.dtype(object) or k is complex for k in kinds) or \
            any(isinstance(k, np.dtype) and k.kind in "USV" for k in kinds):
        return _untyped(ufunc, operands, kwargs, dtype)
    resolved = ufunc.resolve_dtypes((*kinds, *((None,) * ufunc.nout)), **rule)
    if ufunc.nout > 1:
        return tuple(_python(Output(ufunc, i), operands, out,
                             **_with(kwargs, dtype))
                     for i, out in enumerate(resolved[ufunc.nin:]))
    wanted, out = resolved[:ufunc.nin], resolved[-1]
    if ufunc is np.power and out.kind in "iu" and not is_masked and \
            not _are_powers(inputs[1], operands):
        made = None  # NumPy's function looks at the values
    else:
        made = _native(ufunc, operands, wanted, out, kwargs)
    if made is not None:
        return made
    return _python(ufunc, operands, out, **_with(kwargs, dtype))


def _are_powers(powers: Any, operands: list[Any]) -> bool:
    """Whether it is known that no power of integers is negative, which NumPy
    refuses; powers that are seen to be are refused now."""
    if isinstance(powers, Array) or hasattr(powers, "__dask_graph__"):
        return operands[1].dtype.kind in "bu"
    shape = np.broadcast_shapes(*(o.shape for o in operands
                                  if isinstance(o, Array)))
    if 0 not in shape and np.any(np.asarray(powers) < 0):
        raise ValueError("Integers to negative integer powers are not allowed.")
    return True


def _with(kwargs: dict[str, Any], dtype: Any) -> dict[str, Any]:
    return kwargs if dtype is None else {**kwargs, "dtype": dtype}


def _untyped(ufunc: np.ufunc, operands: list[Any], kwargs: dict[str, Any],
             dtype: Any) -> Any:
    """Where NumPy's rules need values: the dtype of a sample's result."""
    samples = [np.ones((1,) * o.ndim, o.dtype) if isinstance(o, Array) else o
               for o in operands]
    sample = ufunc(*samples, **_with(kwargs, dtype))
    if ufunc.nout > 1:
        return tuple(_python(Output(ufunc, i), operands, s.dtype,
                             **_with(kwargs, dtype)) for i, s in enumerate(sample))
    return _python(ufunc, operands, np.asarray(sample).dtype,
                   **_with(kwargs, dtype))


# The engine's operations on bits are for integers only.
_OF_TRUTH = {"invert": "logical_not", "bitwise_and": "logical_and",
             "bitwise_or": "logical_or", "bitwise_xor": "logical_xor"}


def _native(ufunc: np.ufunc, operands: list[Any], wanted: Sequence[np.dtype],
            out: np.dtype, kwargs: dict[str, Any]) -> Array | None:
    name = ufunc.__name__
    if name in ("positive", "conjugate") and is_native(out):
        return operands[0].astype(out)
    if name not in NATIVE or kwargs or not is_native(out) or \
            not all(is_native(d) for d in wanted):
        return None
    if name in _NOT_TRUTH and wanted[0].kind in "biu":
        if name == "rint" or name == "reciprocal" or wanted[0].kind == "b":
            return None
    try:
        arrays = [readable(as_array(o, d), d) for o, d in zip(operands, wanted)]
    except OverflowError:
        if out.kind != "b":
            raise
        return None  # a number may be compared that the dtype does not hold
    if wanted[0].kind == "b":
        name = _OF_TRUTH.get(name, name)
    codes = tuple(None if a.dtype == d else native_code(d)
                  for a, d in zip(arrays, wanted))
    return mapped(name, arrays, codes, out)


def mapped(name: str, arrays: list[Array], codes: tuple,
           out: np.dtype) -> Array:
    """Make an element-wise operation of the engine.

    Of windows it becomes windows of the operation, so that a reduction over
    them is still seen to be one over windows.
    """
    from ._windows import common, windows
    found = common(arrays)
    if found is not None:
        inner = [Array._of(a._node.inputs[0]) if a.ndim else a for a in arrays]
        return windows(mapped(name, inner, codes, out), *found)
    made = Array._make("map", [without_rechunk(a) for a in arrays],
                       (name, codes, native_code(out)), out)
    return in_chunks(made, arrays)


def without_rechunk(a: Array) -> Array:
    """The same values in whatever chunks: what reads them is fused with it."""
    node = a._node
    while node.op == "rechunk":
        node = node.inputs[0]
    return a if node is a._node else Array._of(node)


def in_chunks(made: Array, arrays: list[Array]) -> Array:
    """The result in the chunks that those of the inputs make together."""
    if not made.size:
        return made
    wide = [a for a in arrays if a.ndim]
    if not wide:
        return made
    first = wide[0].chunks
    if all(a.chunks == first for a in wide):
        wanted = first
    else:
        from ._python import aligned
        wanted = aligned(wide)[0]
    return made if made.chunks == wanted else made.rechunk(wanted)


# ---- NEP 13 ---------------------------------------------------------------------------

_REDUCE = {"add": "sum", "multiply": "prod", "minimum": "min",
           "maximum": "max", "logical_and": "all", "logical_or": "any"}
_ACCUMULATE = {"add": "cumsum", "multiply": "cumprod"}


def is_known(value: Any) -> bool:
    """Whether a value may take part in operations with arrays."""
    if isinstance(value, (Array, np.ndarray, np.generic, bool, int, float,
                          complex, str, bytes, list, tuple)):
        return True
    if type(value).__module__.startswith("dask.array"):
        return True
    ours = getattr(type(value), "__array_ufunc__", None)
    return ours is None


def array_ufunc(self: Array, ufunc: np.ufunc, method: str, *inputs: Any,
                **kwargs: Any) -> Any:
    """What ``Array.__array_ufunc__`` does."""
    out = kwargs.pop("out", ())
    for value in inputs + tuple(out):
        if not is_known(value):
            return NotImplemented
    if method == "__call__":
        made = _call(ufunc, inputs, kwargs, out)
    elif method == "outer":
        made = _outer(ufunc, inputs, kwargs)
    elif method == "reduce" and ufunc.__name__ in _REDUCE:
        kwargs.setdefault("axis", 0)
        made = getattr(inputs[0], _REDUCE[ufunc.__name__])(**kwargs)
    elif method == "accumulate" and ufunc.__name__ in _ACCUMULATE:
        kwargs.setdefault("axis", 0)
        made = getattr(inputs[0], _ACCUMULATE[ufunc.__name__])(**kwargs)
    else:
        return NotImplemented
    return made if not out else put_out(made, out)


def _call(ufunc: np.ufunc, inputs: tuple, kwargs: dict[str, Any],
          out: tuple) -> Any:
    if ufunc is np.matmul:
        from ._products import matmul
        return matmul(*inputs)
    mask = kwargs.pop("where", True)
    dtype = kwargs.pop("dtype", None)
    made = apply(ufunc, inputs, dtype, mask is not True, **kwargs)
    if mask is True:
        return made
    other = out[0] if out else np.zeros((), made.dtype)
    return where(mask, made, other)


def _outer(ufunc: np.ufunc, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    a, b = (operand(np.asarray(v) if np.isscalar(v) else v) for v in inputs)
    from ._shape import expand_dims
    wide = expand_dims(a, tuple(range(a.ndim, a.ndim + b.ndim)))
    return apply(ufunc, (wide, b), **kwargs)


def put_out(made: Any, out: tuple) -> Any:
    """Let an array that was given as ``out`` become the result."""
    results = made if isinstance(made, tuple) else (made,)
    for target, value in zip(out, results):
        if target is None:
            continue
        if not isinstance(target, Array):
            np.copyto(target, value.compute())
            continue
        if target.shape != value.shape:
            raise ValueError(f"out has shape {target.shape}, the result "
                             f"{value.shape}")
        become(target, value.astype(target.dtype))
    return out if len(out) > 1 else out[0]


def become(target: Array, value: Array) -> None:
    """Make an array that users hold another one."""
    target._node = value._node


# ---- functions ------------------------------------------------------------------------

def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Choose element by element, as :func:`numpy.where`."""
    if (x is None) != (y is None):
        raise ValueError("either both or neither of x and y should be given")
    if x is None:
        from ._index import nonzero
        return nonzero(condition)
    if isinstance(condition, (bool, np.bool_)):
        condition = np.asarray(condition)
    values = [operand(condition), operand(x), operand(y)]
    if not any(isinstance(v, Array) for v in values):
        values[0] = _of_numpy(np.asarray(condition))
    dtype = np.result_type(*(v.dtype if isinstance(v, Array) else v
                             for v in values[1:]))
    values[1:] = [as_array(v, dtype) for v in values[1:]]
    values[0] = as_array(values[0], np.dtype(bool)).astype(bool)
    np.broadcast_shapes(*(v.shape for v in values))
    if is_native(dtype):
        values[1:] = [readable(v, dtype) for v in values[1:]]
        code = native_code(dtype)
        codes = (None,) + tuple(None if v.dtype == dtype else code
                                for v in values[1:])
        return mapped("where", values, codes, dtype)
    from ._python import elementwise
    return elementwise(np.where, values, dtype)


class Cast:
    """astype as a function that can be pickled."""

    def __init__(self, dtype: np.dtype, casting: str):
        self.dtype, self.casting = dtype, casting

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return block.astype(self.dtype, casting=self.casting)


def astype(a: Any, dtype: Any, order: Any = "K", casting: str = "unsafe",
           subok: bool = True, copy: bool = True, **kwargs: Any) -> Array:
    """Convert values, as ``numpy.ndarray.astype`` does."""
    if kwargs.keys() - {"device"}:
        raise TypeError("astype does not take the following keyword arguments: "
                        f"{sorted(kwargs)}")
    a = a if isinstance(a, Array) else from_array(a)
    dtype = canonical(dtype)
    if dtype.kind in "SU" and np.dtype(dtype).itemsize <= 4:
        dtype = np.empty(1, a.dtype).astype(dtype.kind).dtype
    if a.dtype == dtype:
        return a
    if not np.can_cast(a.dtype, dtype, casting=casting):
        raise TypeError(f"Cannot cast array from {a.dtype!r} to {dtype!r} "
                        f"according to the rule '{casting}'")
    if is_native(a.dtype) and is_native(dtype):
        if dtype.kind == "b":
            return apply(np.not_equal, (a, np.zeros((), a.dtype)))
        if not (a.dtype.kind == "f" and dtype.kind in "iu"):
            return a._new("cast", (native_code(dtype),), dtype)
    if a.dtype.kind in "mM" and dtype == np.dtype("i8"):
        return a._new("same", (), dtype)
    if a.dtype == np.dtype("i8") and dtype.kind in "mM" and \
            np.datetime_data(dtype)[0] != "generic":
        return a._new("same", (), dtype)
    from ._python import elementwise
    return elementwise(Cast(dtype, casting), [a], dtype)


def clip(a: Any, min: Any = None, max: Any = None, out: Any = None,
         a_min: Any = None, a_max: Any = None, **kwargs: Any) -> Array:
    """Limit values to an interval, as :func:`numpy.clip`."""
    if kwargs:
        raise TypeError("clip() got unexpected keyword arguments: "
                        f"{sorted(kwargs)}")
    low = a_min if min is None else min
    high = a_max if max is None else max
    made = operand(a)
    if made.dtype.kind in "iu":  # numbers of Python that are out of range
        limits = np.iinfo(made.dtype)
        low = None if type(low) is int and low <= limits.min else low
        high = None if type(high) is int and high >= limits.max else high
    if low is not None:
        made = apply(np.maximum, (made, low))
    if high is not None:
        made = apply(np.minimum, (made, high))
    return made if out is None else put_out(made, (out,))


def round_(a: Any, decimals: int = 0, out: Any = None) -> Array:
    """Round to decimals, as :func:`numpy.round`."""
    a = operand(a)
    if out is not None:
        return put_out(round_(a, decimals), (out,))
    if decimals == 0 and a.dtype.kind == "f":
        return apply(np.rint, (a,))
    if decimals >= 0 and a.dtype.kind in "biu":
        return a.astype(np.round(np.ones(1, a.dtype), decimals).dtype)
    from ._python import elementwise
    return elementwise(np.round, [a], np.round(np.ones(1, a.dtype)).dtype,
                       decimals=decimals)
