# SPDX-License-Identifier: BSD-3-Clause
"""Operators and methods of arrays; the work is done by the functions."""
from __future__ import annotations

from typing import Any

import numpy as np


def _fn(module: str, name: str) -> Any:
    import importlib
    return getattr(importlib.import_module("." + module, __package__), name)


class Methods(np.lib.mixins.NDArrayOperatorsMixin):
    """What ``ncgraph.Array`` offers beside its data."""

    __slots__ = ()

    # ---- NumPy's protocols ---------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any,
                        **kwargs: Any) -> Any:
        from ._elementwise import array_ufunc
        return array_ufunc(self, ufunc, method, *inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any,
                           kwargs: Any) -> Any:
        from ._numpy import array_function
        return array_function(self, func, types, args, kwargs)

    # ---- selecting -----------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        from ._index import getitem
        return getitem(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        from ._elementwise import become
        from ._index import setitem
        become(self, setitem(self, key, value))

    @property
    def vindex(self) -> Any:
        """``x.vindex[[0, 2], [1, 1]]``: points, not a product of axes."""
        from ._index import VIndex
        return VIndex(self)

    @property
    def blocks(self) -> Any:
        """``x.blocks[0, 1:]``: arrays of whole chunks."""
        from ._blocks import Blocks
        return Blocks(self)

    partitions = blocks

    def take(self, indices: Any, axis: Any = None, **kwargs: Any) -> Any:
        """Take positions along an axis."""
        return _fn("_index", "take")(self, indices, axis, **kwargs)

    def nonzero(self) -> Any:
        """Positions of values that are not zero."""
        return _fn("_index", "nonzero")(self)

    def choose(self, choices: Any) -> Any:
        """Choose among arrays by the values of this one."""
        return _fn("_searching", "choose")(self, choices)

    def compress(self, condition: Any, axis: Any = None) -> Any:
        """Take positions where a condition holds."""
        return _fn("_index", "compress")(condition, self, axis)

    # ---- shape ---------------------------------------------------------------------

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """The array with its axes reversed."""
        return self.transpose()

    @property
    def mT(self) -> Any:  # noqa: N802 - the standard's name
        """The array with its last two axes exchanged."""
        return self.swapaxes(-1, -2)

    def transpose(self, *axes: Any) -> Any:
        """Permute axes."""
        if len(axes) == 1 and (axes[0] is None or np.iterable(axes[0])):
            axes = axes[0]
        return _fn("_shape", "transpose")(
            self, None if axes is None or axes == () and self.ndim else axes)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Exchange two axes."""
        return _fn("_shape", "swapaxes")(self, axis1, axis2)

    def reshape(self, *shape: Any, merge_chunks: bool = True,
                limit: Any = None, order: Any = "C", **kwargs: Any) -> Any:
        """Give another shape to the values."""
        if len(shape) == 1 and np.iterable(shape[0]):
            shape = tuple(shape[0])
        return _fn("_shape", "reshape")(self, shape, order=order)

    def ravel(self, order: Any = "C") -> Any:
        """Give all values along one axis."""
        return _fn("_shape", "ravel")(self, order)

    flatten = ravel

    def squeeze(self, axis: Any = None) -> Any:
        """Remove axes of size 1."""
        return _fn("_shape", "squeeze")(self, axis)

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """Repeat elements."""
        return _fn("_shape", "repeat")(self, repeats, axis)

    def rechunk(self, chunks: Any = "auto", threshold: Any = None,
                block_size_limit: Any = None, balance: bool = False,
                method: Any = None) -> Any:
        """Give the same values in other chunks; see :func:`ncgraph.rechunk`."""
        return _fn("_shape", "rechunk")(self, chunks, threshold,
                                        block_size_limit, balance, method)

    # ---- values ---------------------------------------------------------------------

    def astype(self, dtype: Any, **kwargs: Any) -> Any:
        """Convert values to a dtype."""
        return _fn("_elementwise", "astype")(self, dtype, **kwargs)

    def copy(self) -> Any:
        """Return an array of the same values; assigning to one of the two does
        not change the other."""
        return self._of(self._node)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        return self._new("same")

    def view(self, dtype: Any = None, order: Any = "C") -> Any:
        """Look at the values' bytes as another dtype; one of another size
        changes the last axis."""
        if order not in ("C", None):
            raise ValueError(f"order {order!r} is not known; 'C' is")
        from ._values import view
        return view(self, dtype)

    @property
    def real(self) -> Any:
        """Real parts."""
        return _fn("_values", "real")(self)

    @property
    def imag(self) -> Any:
        """Imaginary parts."""
        return _fn("_values", "imag")(self)

    def conj(self) -> Any:
        """Complex conjugates."""
        return np.conjugate(self) if self.dtype.kind in "cO" else self

    conjugate = conj

    def round(self, decimals: int = 0, out: Any = None) -> Any:
        """Round to decimals."""
        return _fn("_elementwise", "round_")(self, decimals, out)

    def clip(self, min: Any = None, max: Any = None, **kwargs: Any) -> Any:
        """Limit values to an interval."""
        return _fn("_elementwise", "clip")(self, min, max, **kwargs)

    def dot(self, other: Any) -> Any:
        """Product as :func:`numpy.dot`."""
        return _fn("_products", "dot")(self, other)

    def __matmul__(self, other: Any) -> Any:
        return np.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return np.matmul(other, self)

    # ---- reductions -------------------------------------------------------------------

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: Any = False,
            split_every: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """Sum over axes."""
        return _fn("_reduce", "sum_")(self, axis, dtype, out, keepdims,
                                     **kwargs)

    def prod(self, axis: Any = None, dtype: Any = None, keepdims: Any = False,
             split_every: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """Product over axes."""
        return _fn("_reduce", "prod")(self, axis, dtype, out, keepdims,
                                     **kwargs)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: Any = False,
             split_every: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """Mean over axes."""
        return _fn("_reduce", "mean")(self, axis, dtype, out, keepdims,
                                     **kwargs)

    def std(self, axis: Any = None, dtype: Any = None, keepdims: Any = False,
            ddof: int = 0, split_every: Any = None, out: Any = None,
            **kwargs: Any) -> Any:
        """Standard deviation over axes."""
        return _fn("_reduce", "std")(self, axis, dtype, out, ddof, keepdims,
                                     **kwargs)

    def var(self, axis: Any = None, dtype: Any = None, keepdims: Any = False,
            ddof: int = 0, split_every: Any = None, out: Any = None,
            **kwargs: Any) -> Any:
        """Variance over axes."""
        return _fn("_reduce", "var")(self, axis, dtype, out, ddof, keepdims,
                                     **kwargs)

    def min(self, axis: Any = None, keepdims: Any = False,
            split_every: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """Minimum over axes."""
        return _fn("_reduce", "min_")(self, axis, out, keepdims, **kwargs)

    def max(self, axis: Any = None, keepdims: Any = False,
            split_every: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """Maximum over axes."""
        return _fn("_reduce", "max_")(self, axis, out, keepdims, **kwargs)

    def any(self, axis: Any = None, keepdims: Any = False,
            split_every: Any = None, out: Any = None) -> Any:
        """Whether any value is true."""
        return _fn("_reduce", "any_")(self, axis, out, keepdims)

    def all(self, axis: Any = None, keepdims: Any = False,
            split_every: Any = None, out: Any = None) -> Any:
        """Whether all values are true."""
        return _fn("_reduce", "all_")(self, axis, out, keepdims)

    def argmin(self, axis: Any = None, keepdims: Any = False,
               split_every: Any = None, out: Any = None) -> Any:
        """Position of the minimum."""
        return _fn("_reduce", "argmin")(self, axis, out, keepdims)

    def argmax(self, axis: Any = None, keepdims: Any = False,
               split_every: Any = None, out: Any = None) -> Any:
        """Position of the maximum."""
        return _fn("_reduce", "argmax")(self, axis, out, keepdims)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1,
              dtype: Any = None) -> Any:
        """Sum of a diagonal."""
        return _fn("_searching", "trace")(self, offset, axis1, axis2, dtype)

    def moment(self, order: int, axis: Any = None, dtype: Any = None,
               keepdims: bool = False, ddof: int = 0, split_every: Any = None,
               out: Any = None) -> Any:
        """Central moment over axes."""
        return _fn("_statistics", "moment")(self, order, axis, dtype, keepdims,
                                       ddof)

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None,
               *, method: Any = "sequential") -> Any:
        """Cumulative sum along an axis."""
        return _fn("_reduce", "cumsum")(self, axis, dtype, out)

    def cumprod(self, axis: Any = None, dtype: Any = None, out: Any = None,
                *, method: Any = "sequential") -> Any:
        """Cumulative product along an axis."""
        return _fn("_reduce", "cumprod")(self, axis, dtype, out)

    def topk(self, k: int, axis: int = -1, split_every: Any = None) -> Any:
        """The k largest values along an axis, or smallest where k < 0."""
        return _fn("_searching", "topk")(self, k, axis)

    def argtopk(self, k: int, axis: int = -1, split_every: Any = None) -> Any:
        """Positions of the k largest values along an axis."""
        return _fn("_searching", "argtopk")(self, k, axis)

    # ---- functions of Python -------------------------------------------------------------

    def map_blocks(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Apply a function to each chunk; see :func:`ncgraph.map_blocks`."""
        return _fn("_blocks", "map_blocks")(func, self, *args, **kwargs)

    def store(self, target: Any, **kwargs: Any) -> Any:
        """Write the values into something; see :func:`ncgraph.store`."""
        return _fn("_store", "store")(self, target, **kwargs)

    def map_overlap(self, func: Any, depth: Any = None, boundary: Any = None,
                    trim: bool = True, **kwargs: Any) -> Any:
        """Apply a function to chunks that overlap; see
        :func:`ncgraph.map_overlap`."""
        return _fn("_overlap", "map_overlap")(func, self, depth=depth,
                                              boundary=boundary, trim=trim,
                                              **kwargs)

    # ---- dask's protocol ------------------------------------------------------------------

    def __dask_graph__(self) -> Any:
        return _fn("_dask", "graph")(self)

    def __dask_keys__(self) -> Any:
        return _fn("_dask", "keys")(self)

    def __dask_layers__(self) -> Any:
        return (self.name,)

    def __dask_tokenize__(self) -> Any:
        return ("ncgraph.Array", self.token, str(self.dtype), self.chunks)

    @staticmethod
    def __dask_optimize__(dsk: Any, keys: Any, **kwargs: Any) -> Any:
        return _fn("_dask", "optimize")(dsk, keys, **kwargs)

    @staticmethod
    def __dask_scheduler__(dsk: Any, keys: Any, **kwargs: Any) -> Any:
        return _fn("_get", "get")(dsk, keys, **kwargs)

    def __dask_postcompute__(self) -> Any:
        return _fn("_dask", "finalize"), ()

    def __dask_postpersist__(self) -> Any:
        return _fn("_dask", "rebuild"), (self.name, self.chunks, self.dtype)

    def to_dask_array(self) -> Any:
        """Return the array as dask's, with the same chunks."""
        return _fn("_dask", "to_dask_array")(self)

    def to_delayed(self, optimize_graph: bool = True) -> Any:
        """Return an array of ``dask.delayed`` objects, one for each chunk."""
        return _fn("_dask", "to_delayed")(self, optimize_graph)

    def compute_chunk_sizes(self) -> Any:
        """Return the array: sizes of chunks are always known."""
        return self

    @property
    def dask(self) -> Any:
        """The graph, as dask's HighLevelGraph."""
        return self.__dask_graph__()

    @property
    def key(self) -> Any:
        """Key of the only chunk of an array of no axes."""
        return (self.name,)

    def visualize(self, filename: Any = "ncgraph.svg", **kwargs: Any) -> Any:
        """Draw the graph; see :func:`ncgraph.visualize`."""
        return _fn("_explain", "visualize")(self, filename=filename, **kwargs)

    def explain(self, optimized: bool = True) -> str:
        """Describe the layers of the expression; see :func:`ncgraph.explain`."""
        return _fn("_explain", "explain")(self, optimized=optimized)

    # ---- text --------------------------------------------------------------------------

    def __repr__(self) -> str:
        return _fn("_repr", "text")(self)

    def _repr_html_(self) -> str:
        return _fn("_repr", "html")(self)

    def _repr_inline_(self, max_width: int) -> str:
        return _fn("_repr", "inline")(self, max_width)
