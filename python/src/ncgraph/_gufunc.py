# SPDX-License-Identifier: BSD-3-Clause
"""Generalised ufuncs: functions of blocks whose core axes are whole."""
from __future__ import annotations

import re
from typing import Any, Callable

import numpy as np

from . import _chunks
from ._array import Array
from ._creation import asarray
from ._dtypes import canonical
from ._python import Call, Reach, layer
from ._reduce import _bounds


_DIMS = r"\((?:[\w?]+(?:,[\w?]+)*,?)?\)"
_SIGNATURE = re.compile(rf"^{_DIMS}(?:,{_DIMS})*->{_DIMS}(?:,{_DIMS})*$|"
                        rf"^->{_DIMS}(?:,{_DIMS})*$|^{_DIMS}(?:,{_DIMS})*->$")


def parse_signature(signature: str) -> tuple[list[tuple], Any]:
    """Return names of core axes of inputs and outputs.

    Outputs are one tuple where the signature has one of them, else a list.
    """
    text = re.sub(r"\s+", "", signature)
    if not _SIGNATURE.match(text):
        raise ValueError(f"Not a valid gufunc signature: {signature}")
    left, right = text.split("->")

    def parse(part: str) -> list[tuple]:
        return [tuple(n for n in dims[1:-1].split(",") if n)
                for dims in re.findall(_DIMS, part)]
    outputs = parse(right)
    single = len(outputs) == 1 and not right.endswith(",")
    return parse(left), (outputs[0] if single else outputs)


class Gufunc:
    """Calls a function with blocks whose core axes are last."""

    def __init__(self, func: Callable, kwargs: dict[str, Any], nout: int,
                 loops: int):
        self.func, self.kwargs = func, kwargs
        self.nout, self.loops = nout, loops

    def __call__(self, blocks: list, where: Call) -> Any:
        made = self.func(*blocks, **self.kwargs)
        if self.nout == 1:
            return made[0] if isinstance(made, tuple) and len(made) == 1 \
                else made
        cell = np.empty((1,) * self.loops, dtype=object)
        cell[(0,) * self.loops] = tuple(made)
        return cell


class Picked:
    """One of the results that a chunk's call gave."""

    def __init__(self, number: int):
        self.number = number

    def __call__(self, blocks: list, where: Call) -> Any:
        return blocks[0].ravel()[0][self.number]


def apply_gufunc(func: Callable, signature: str, *args: Any, axes: Any = None,
                 axis: Any = None, keepdims: bool = False,
                 output_dtypes: Any = None, output_sizes: Any = None,
                 vectorize: Any = None, allow_rechunk: bool = False,
                 meta: Any = None, **kwargs: Any) -> Any:
    """Apply a generalised ufunc, or a function like one.

    Parameters
    ----------
    func : callable
        Gets blocks whose core axes are last and whole.
    signature : str
        Such as ``"(i),(i)->()"``.
    *args : array_like
    axes, axis, keepdims
        As those of NumPy's gufuncs.
    output_dtypes : dtype or sequence of dtype, optional
    output_sizes : dict, optional
        Sizes of core axes that only the outputs have.
    vectorize : bool
        Whether the function is for one position of the loop axes only.
    allow_rechunk : bool
        Whether core axes may have several chunks.

    Returns
    -------
    Array or tuple of Array
    """
    if not isinstance(signature, str):
        raise TypeError("`signature` has to be of type string")
    core_in, core_out = parse_signature(signature)
    single = isinstance(core_out, tuple)
    outs = [core_out] if single else core_out
    sizes = dict(output_sizes or {})
    if meta is not None and output_dtypes is not None:
        raise ValueError("Only one of `meta` and `output_dtypes` should be "
                         "given")
    if meta is not None:
        metas = meta if isinstance(meta, (tuple, list)) else (meta,)
        output_dtypes = [m.dtype for m in metas]
    if len(args) != len(core_in):
        raise ValueError("According to `signature`, `func` requires "
                         f"{len(core_in)} arguments, but {len(args)} given")
    arrays = [asarray(a) for a in args]
    arrays, out_axes = _core_last(arrays, core_in, outs, axes, axis, keepdims)
    loops, core_sizes = _gufunc_sizes(arrays, core_in, sizes, allow_rechunk)
    dtypes = _gufunc_dtypes(func, arrays, kwargs, output_dtypes,
                            re.sub(r"\s+", "", signature) if vectorize
                            else None, len(outs), single)
    if vectorize:
        func = np.vectorize(func, signature=re.sub(r"\s+", "", signature),
                            otypes="".join(d.char for d in dtypes)
                            if all(d.kind not in "mMUSV" for d in dtypes)
                            else None)
    reaches = []
    for a, core in zip(arrays, core_in):
        wide = a.ndim - len(core)
        row = [Reach(-1 if a.shape[j] == 1 else len(loops) - wide + j)
               for j in range(wide)]
        reaches.append(row + [Reach(-1)] * len(core))
    core_sizes.update(sizes)
    for core in outs:
        for n in core:
            if n not in core_sizes:
                raise ValueError(f"size of core dimension {n!r} is not known: "
                                 "give it in output_sizes")
    call = Gufunc(func, kwargs, len(outs), len(loops))
    made = _gufunc_layers(call, arrays, loops, reaches, outs, core_sizes,
                          dtypes)
    made = [_core_back(m, core, ax, keepdims)
            for m, core, ax in zip(made, outs, out_axes)]
    return made[0] if single else tuple(made)


def _gufunc_layers(call: Gufunc, arrays: list, loops: list, reaches: list,
                   outs: list, core_sizes: dict, dtypes: list) -> list[Array]:
    def chunks_of(core: tuple) -> _chunks.Chunks:
        return (*loops, *((core_sizes[n],) for n in core))
    if len(outs) == 1:
        return [layer(call, arrays, chunks_of(outs[0]), reaches, dtypes[0])]
    cells = tuple((1,) * len(c) for c in loops)
    reaches = [[r if r.axis < 0 or r.low is not None else
                Reach(r.axis, *_bounds(loops[r.axis])) for r in row]
               for row in reaches]
    both = layer(call, arrays, cells, reaches, object)
    cell = [[Reach(d, *_bounds(cells[d])) for d in range(len(loops))]]
    return [layer(Picked(i), [both], chunks_of(core), cell, dtype)
            for i, (core, dtype) in enumerate(zip(outs, dtypes))]


def _gufunc_sizes(arrays: list, core_in: list, sizes: dict,
                  allow_rechunk: bool) -> tuple[list, dict]:
    wide = [a.ndim - len(c) for a, c in zip(arrays, core_in)]
    if any(w < 0 for w in wide):
        raise ValueError("an argument has fewer axes than its core axes")
    rank = max(wide, default=0)
    loops = []
    for d in range(rank):
        dims = [a.chunks[d - rank + w] for a, w in zip(arrays, wide)
                if d - rank + w >= 0]
        found = {sum(c) for c in dims if sum(c) != 1}
        if len(found) > 1:
            raise ValueError("Dimension of loop axes with different lengths in "
                             f"arrays: {sorted(found)}")
        differ = {c for c in dims if sum(c) != 1}
        if len(differ) > 1 and not allow_rechunk:
            raise ValueError(
                f"Dimension of loop axis {d} with different chunksize present:"
                f" {sorted(differ)}; rechunk, or set `allow_rechunk=True`")
        loops.append(_chunks.common(dims))
    core_sizes = dict(sizes)
    seen: dict[str, int] = {}
    for a, core in zip(arrays, core_in):
        for n, size, c in zip(core, a.shape[a.ndim - len(core):],
                              a.chunks[a.ndim - len(core):]):
            if seen.setdefault(n, size) != size:
                raise ValueError(f"Dimension {n!r} with different lengths in "
                                 "arrays")
            if len(c) > 1 and not allow_rechunk:
                raise ValueError(
                    f"Core dimension {n!r} consists of multiple chunks. To fix,"
                    " rechunk into a single chunk along this dimension or set "
                    "`allow_rechunk=True`, but beware that this may increase "
                    "memory usage.")
    core_sizes.update(seen)
    return loops, core_sizes


def _gufunc_dtypes(func: Callable, arrays: list, kwargs: dict, given: Any,
                   signature: Any, nout: int, single: bool) -> list[np.dtype]:
    if given is not None:
        rows = list(given) if isinstance(given, (list, tuple)) else [given]
        if len(rows) != nout:
            raise ValueError(f"output_dtypes: {len(rows)} given, the signature "
                             f"has {nout} outputs")
        return [canonical(d) for d in rows]
    samples = [np.ones((1,) * a.ndim, a.dtype) for a in arrays]
    if signature is not None:
        func = np.vectorize(func, signature=signature)
    try:
        with np.errstate(all="ignore"):
            made = func(*samples, **kwargs)
    except Exception as exc:
        raise ValueError(
            "`dtype` inference failed in `apply_gufunc`. Please specify the "
            "dtype explicitly by output_dtypes. The function raised: "
            f"{type(exc).__name__}: {exc}") from exc
    rows = [made] if single else list(made)
    return [canonical(np.asarray(m).dtype) for m in rows]


def _core_last(arrays: list, core_in: list, outs: list, axes: Any, axis: Any,
               keepdims: bool) -> tuple[list, list]:
    """Move core axes to the end; tell where those of the outputs belong."""
    if axes is not None and axis is not None:
        raise ValueError("Only one of `axis` or `axes` keyword arguments "
                         "should be given")
    if keepdims and (any(outs) or len({len(c) for c in core_in}) > 1):
        raise ValueError("`keepdims=True` needs inputs of equally many core "
                         "axes and outputs without them")
    if axis is not None:
        if len({n for c in (*core_in, *outs) for n in c}) > 1:
            raise ValueError("`axis` can be used only, if one core dimension "
                             "is present")
        axes = [(axis,) if c else () for c in (*core_in, *outs)]
    if axes is not None and not isinstance(axes, list):
        raise ValueError("`axes` has to be of type list")
    if axes is None:
        axes = [tuple(range(-len(c), 0)) for c in core_in]
        axes += [tuple(range(-len(c), 0)) for c in outs]
    else:
        axes = [(a,) if isinstance(a, (int, np.integer)) else tuple(a)
                for a in axes]
        if len(axes) == len(core_in):
            axes += [axes[0] if keepdims and not c else
                     tuple(range(-len(c), 0)) for c in outs]
        if len(axes) != len(core_in) + len(outs):
            raise ValueError("`axes` needs an entry for each input, and for "
                             "each output where one of them has core axes")
        for core, ax in zip((*core_in, *outs), axes):
            if len(core) != len(ax) and not (keepdims and not core):
                raise ValueError("`axes` must have one entry for each core "
                                 "axis")
    if keepdims:
        axes = axes[:len(core_in)] + [axes[0] for _ in outs]
    moved = []
    for a, core, ax in zip(arrays, core_in, axes):
        if len(core) != len(ax):
            raise ValueError("`axes` must have one entry for each core axis")
        if ax != tuple(range(-len(core), 0)):
            a = np.moveaxis(a, ax, tuple(range(-len(core), 0)))
        moved.append(a)
    return moved, axes[len(core_in):]


def _core_back(made: Array, core: tuple, ax: tuple, keepdims: bool) -> Array:
    if keepdims:
        for _ in ax:
            made = made[..., None]
        core = ax
    if core and ax != tuple(range(-len(core), 0)):
        made = np.moveaxis(made, tuple(range(-len(core), 0)), ax)
    return made


class gufunc:  # noqa: N801 - dask's name
    """A function that is applied by :func:`apply_gufunc`.

    Parameters
    ----------
    pyfunc : callable
    signature : str
        Such as ``"(i),(i)->()"``.
    **settings
        Others of :func:`apply_gufunc`: ``vectorize``, ``axes``, ``axis``,
        ``keepdims``, ``output_sizes``, ``output_dtypes``, ``allow_rechunk``.
    """

    def __init__(self, pyfunc: Callable, *, signature: str | None = None,
                 **settings: Any):
        if signature is None:
            raise TypeError("gufunc needs a signature")
        self.pyfunc, self.signature = pyfunc, signature
        self.settings = settings
        self.__doc__ = pyfunc.__doc__
        self.__name__ = getattr(pyfunc, "__name__", "gufunc")

    def __call__(self, *args: Any, allow_rechunk: bool = False,
                 **kwargs: Any) -> Any:
        settings = {"allow_rechunk": allow_rechunk, **self.settings}
        return apply_gufunc(self.pyfunc, self.signature, *args,
                            **{**settings, **kwargs})


def as_gufunc(signature: str | None = None, **settings: Any) -> Callable:
    """Decorate a function so that it is applied by :func:`apply_gufunc`."""
    def wrap(func: Callable) -> gufunc:
        return gufunc(func, signature=signature, **settings)
    return wrap
