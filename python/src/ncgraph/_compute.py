# SPDX-License-Identifier: BSD-3-Clause
"""Running: several arrays in one run, with progress, and interrupted by Ctrl-C."""
from __future__ import annotations

import contextlib
from typing import Any, Sequence

import numpy as np

from . import _lib, config
from ._array import Array, order_of
from ._dtypes import from_storage, object_pool
from ._lib import Handle, ffi, lib
from ._ops import keep, kept, let_go


def compute(*values: Any, scheduler: Any = None, progress: Any = None,
            traverse: bool = True, optimize_graph: bool = True,
            **kwargs: Any) -> tuple:
    """Compute several arrays, and what is made of arrays, in one run.

    Parameters
    ----------
    *values
        Arrays, lists, tuples and dicts that hold arrays; everything else is
        given back as it is.
    scheduler : optional
        One of dask's, by name or as a function: it runs the arrays' graphs.
        "ncgraph" or None: the engine.
    progress : bool, optional
        Whether to show a progress bar; by default in a terminal or a notebook
        when the run takes more than a second.

    Returns
    -------
    tuple
        NumPy arrays (scalars for arrays without axes).
    """
    if scheduler not in (None, "ncgraph") and not _is_own(scheduler):
        import dask
        return dask.compute(*values, scheduler=scheduler, traverse=traverse,
                            optimize_graph=optimize_graph, **kwargs)
    arrays: dict[int, Array] = {}
    for value in values:
        _collect(value, arrays, traverse)
    done = dict(zip(arrays, run(list(arrays.values()), progress)))
    return tuple(_replace(value, done, traverse) for value in values)


def _is_own(scheduler: Any) -> bool:
    from ._get import get
    return scheduler is get


def _collect(value: Any, arrays: dict[int, Array], traverse: bool) -> None:
    if isinstance(value, Array):
        arrays[id(value)] = value
    elif traverse and isinstance(value, (list, tuple, set)):
        for item in value:
            _collect(item, arrays, traverse)
    elif traverse and isinstance(value, dict):
        for item in value.values():
            _collect(item, arrays, traverse)


def _replace(value: Any, done: dict[int, Any], traverse: bool) -> Any:
    if isinstance(value, Array):
        result = done[id(value)]
        return result if result.ndim else result[()]
    if traverse and type(value) in (list, tuple, set):
        return type(value)(_replace(v, done, traverse) for v in value)
    if traverse and type(value) is dict:
        return {k: _replace(v, done, traverse) for k, v in value.items()}
    return value


# ---- one run --------------------------------------------------------------------

@ffi.def_extern()
def ncgpy_progress(progress: Any, payload: Any) -> None:
    try:
        kept(payload).update(progress.tasks_done, progress.tasks_total,
                             progress.bytes_done, progress.bytes_total,
                             progress.seconds)
    except Exception:
        pass


@ffi.def_extern()
def ncgpy_note(note: Any, payload: Any) -> None:
    import warnings
    warnings.warn(ffi.string(note).decode(errors="replace"), stacklevel=2)


def run(arrays: Sequence[Array], progress: Any = None) -> list[np.ndarray]:
    """Compute arrays in one run and give their values."""
    if not arrays:
        return []
    _lib.count_run()
    ready = [_at_hand(a) for a in arrays]
    wanted = [a for a, r in zip(arrays, ready) if r is None]
    with object_pool():
        made = iter(_run(wanted, progress) if wanted else [])
        return [r if r is not None else next(made) for r in ready]


def _at_hand(array: Array) -> np.ndarray | None:
    """Values that need no computation."""
    if array._node.op == "memory":
        return array._node.params[0].copy()
    if not array.size:
        return np.empty(array.shape, array.dtype)
    return None


def _run(arrays: list[Array], progress: Any) -> list[np.ndarray]:
    if _lib.is_inner() or (len(arrays) == 1 and _is_small(arrays[0])):
        return [_compute_into(a) for a in arrays]
    if _lib.is_linked() and _holds_objects(arrays):
        _warn_objects()
        with _lib.inner_engine():
            return [_compute_into(a) for a in arrays]
    from ._progress import bar
    handles = [a._handle() for a in arrays]
    rows = ffi.new("ncg_collection[]", len(handles))
    for i, handle in enumerate(handles):
        rows[i] = lib.ncg_array_collection(handle.ptr)
    options = ffi.new("ncg_submit_options *", lib.ncgpy_submit_options())
    shown = bar(config.get("progress") if progress is None else progress)
    payload = None
    if shown is not None:
        payload = keep(shown)
        options.progress = lib.ncgpy_progress
        options.progress_payload = payload
    try:
        with noted(arrays):
            finished = _wait(rows, len(handles), options, shown)
    finally:
        if shown is not None:
            let_go(payload)
            shown.close()
    return [_values(ffi.cast("ncg_array *", r), a)
            for r, a in zip(finished, arrays)]


def noted(arrays: list[Array]) -> Any:
    """Remember what is computed on a cluster."""
    if not _lib.is_linked():
        return contextlib.nullcontext()
    from . import _task_stream
    return _task_stream.noted(arrays)


def _is_small(array: Array) -> bool:
    return array.nbytes <= 1 << 16 and \
        array._node.op in ("index", "map", "cast") and \
        all(i.op == "memory" and i.params[0].nbytes <= 1 << 16
            for i in array._node.inputs)


def _holds_objects(arrays: Sequence[Array]) -> bool:
    return any(node.dtype == object
               for node in order_of([a._node for a in arrays]))


def _warn_objects() -> None:
    import warnings
    warnings.warn("arrays of Python objects are computed in this process, not "
                  "on the cluster", stacklevel=5)


def _compute_into(array: Array) -> np.ndarray:
    handle = array._handle()
    values = _buffer(array)
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_array_compute(
        handle.ptr, ffi.cast("void *", values.ctypes.data), values.nbytes,
        err), err)
    return from_storage(values, array.dtype)


def _buffer(array: Array) -> np.ndarray:
    from ._dtypes import storage
    form = storage(array.dtype)
    shape = array.shape + ((form.width,) if form.width else ())
    return np.empty(shape, form.dtype)


def _wait(rows: Any, n: int, options: Any, shown: Any = None) -> Any:
    """Submit a run and wait for it; Ctrl-C cancels it."""
    out = ffi.new("ncg_run **")
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_submit(_lib.context().ptr, rows, n, options, out, err),
               err)
    run_handle = Handle(out[0], lib.ncgpy_release_run)
    try:
        while lib.ncg_run_wait(out[0], 0.1) < lib.NCG_RUN_DONE:
            _lib.look_for_stop()
            if shown is not None:
                shown.draw()
    except BaseException:
        lib.ncg_run_cancel(out[0])
        lib.ncg_run_wait(out[0], -1)
        raise
    results = ffi.new("void *[]", n)
    _lib.check(lib.ncg_run_results(run_handle.ptr, results, err), err)
    return results


class _Owner:
    """Memory of the engine that a NumPy array reads."""

    __slots__ = ("handle", "__array_interface__")

    def __init__(self, handle: Handle, values: Any, shape: tuple, text: str):
        self.handle = handle
        self.__array_interface__ = {
            "data": (int(ffi.cast("intptr_t", values)), False),
            "shape": shape, "typestr": text, "version": 3}


def _values(made: Any, array: Array) -> np.ndarray:
    """The values of an array in memory, read where they lie."""
    from ._dtypes import storage
    handle = Handle(made, lib.ncgpy_release_array)
    form = storage(array.dtype)
    shape = array.shape + ((form.width,) if form.width else ())
    data = lib.ncg_array_data(made)
    if data == ffi.NULL:
        values = np.empty(shape, form.dtype)
    else:
        values = np.asarray(_Owner(handle, data, shape, form.dtype.str))
    return from_storage(values, array.dtype)


# ---- persisting -----------------------------------------------------------------------

def persist(*arrays: Array, **kwargs: Any) -> tuple[Array, ...]:
    """Compute arrays in one run, keep their chunks, give arrays on them.

    Parameters
    ----------
    *arrays : Array
        What to keep. The chunks count against the memory limit until the
        returned arrays are let go.

    Returns
    -------
    tuple of Array
    """
    scheduler = kwargs.pop("scheduler", None)
    if scheduler not in (None, "ncgraph") and not _is_own(scheduler):
        import dask
        return dask.persist(*arrays, scheduler=scheduler, **kwargs)
    wanted = [a for a in arrays if isinstance(a, Array) and a.size]
    if not wanted:
        return arrays
    if _lib.is_linked() and _holds_objects(wanted):
        raise _lib.UnsupportedError("arrays of Python objects cannot be kept "
                                    "on a cluster")
    _lib.count_run()
    with object_pool() as pool:
        made = iter(_persist(wanted))
    out = []
    for array in arrays:
        if not (isinstance(array, Array) and array.size):
            out.append(array)
            continue
        kept_array = Array._wrap(next(made), array.dtype)
        kept_array._node.extra = pool
        out.append(kept_array)
    return tuple(out)


def _persist(arrays: list[Array]) -> list[Handle]:
    n = len(arrays)
    handles = [a._handle() for a in arrays]
    rows = ffi.new("ncg_collection[]", n)
    for i, handle in enumerate(handles):
        rows[i] = lib.ncg_array_collection(handle.ptr)
    out = ffi.new("ncg_collection[]", n)
    err = ffi.new("ncg_error *")
    with noted(arrays):
        _lib.check(lib.ncg_persist(_lib.context().ptr, rows, n, out, err), err)
    return [Handle(ffi.cast("ncg_array *", out[i].self),
                   lib.ncgpy_release_array) for i in range(n)]
