# SPDX-License-Identifier: BSD-3-Clause
"""Histograms of one and of several axes; counts of small integers."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from . import _shape
from ._array import Array
from ._creation import asarray, from_array
from ._reduce import _bounds
from ._registry import implements


@implements("bincount")
def bincount(x: Any, weights: Any = None, minlength: int = 0,
             split_every: Any = None) -> Array:
    """Counts of small integers; values are computed: their maximum is needed."""
    weights = None if weights is None else np.asarray(weights)
    return from_array(np.bincount(np.asarray(x), weights, minlength))


@implements("histogram")
def histogram(a: Any, bins: Any = None, range: Any = None,
              density: Any = None, weights: Any = None, normed: Any = None
              ) -> tuple[Array, Any]:
    """Counts in bins, as :func:`numpy.histogram`.

    Parameters
    ----------
    a : array_like
    bins : int or array_like
        Number of bins, which needs ``range``, or their edges.
    range : pair, optional
        Where the first bin begins and the last one ends. Lazy values among
        these are computed.
    density : bool
        Whether the integral over the range is 1.
    weights : array_like, optional

    Returns
    -------
    Array
        The counts, or the sums of weights.
    array
        The edges: `bins` itself where edges were given.
    """
    if normed is not None:
        raise ValueError("normed is deprecated in NumPy: use density")
    edges = _edges(bins, range, density)
    a = _shape.ravel(asarray(a))
    arrays = [a]
    if weights is not None:
        arrays.append(_shape.ravel(asarray(weights)).rechunk(a.chunks))
    counts = _parts(Histogram(edges), arrays, (edges.size - 1,))
    if density:
        counts = counts / np.diff(edges) / counts.sum()
    return counts, bins if isinstance(bins, Array) and bins.ndim else edges


def _edges(bins: Any, limits: Any, density: Any) -> np.ndarray:
    """The edges of bins, checked."""
    if isinstance(limits, Array) or np.ndim(limits) > 1 or limits is not None \
            and (not np.iterable(limits) or len(limits) != 2):
        raise ValueError(f"range must be None or two values, got {limits!r}")
    if bins is None or (np.ndim(bins) == 0 and limits is None):
        raise ValueError("histogram needs either the edges of bins, or a "
                         "number of bins and a range")
    if np.ndim(bins) > 1:
        raise ValueError("bins must be a number or the edges along one axis")
    if isinstance(bins, Array) and not bins.ndim and density:
        raise NotImplementedError("`bins` cannot be a scalar Dask object, nor "
                                  "one of ncgraph's, where density is asked")
    bins = np.asarray(bins)
    if limits is not None:
        limits = tuple(np.asarray(v)[()] for v in limits)
    return np.histogram_bin_edges(np.empty(0), bins if bins.ndim
                                  else int(bins), limits)


def _parts(call: Any, arrays: list[Array], shape: tuple[int, ...]) -> Array:
    """The sum over chunks along the first axis of what a function gives."""
    from ._python import Reach, layer
    chunks = arrays[0].chunks[0]
    low, high = _bounds(chunks)
    reaches = [[Reach(0, low, high)] + [Reach(-1)] * (a.ndim - 1)
               for a in arrays]
    made = layer(call, arrays, ((1,) * len(chunks), *((n,) for n in shape)),
                 reaches, call.dtype(arrays))
    return made.sum(axis=0)


class Histogram:
    """Counts of a block, or sums of its weights."""

    def __init__(self, edges: np.ndarray):
        self.edges = edges

    def dtype(self, arrays: Sequence[Array]) -> np.dtype:
        """Of counts, or that of the weights."""
        return arrays[1].dtype if len(arrays) > 1 else np.dtype("i8")

    def __call__(self, blocks: list, where: Any) -> np.ndarray:
        weights = blocks[1] if len(blocks) > 1 else None
        return np.histogram(blocks[0], self.edges, weights=weights)[0][None]


@implements("histogram2d")
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None,
                normed: Any = None, weights: Any = None,
                density: Any = None) -> tuple[Array, Any, Any]:
    """Counts in bins of two axes, as :func:`numpy.histogram2d`."""
    counts, edges = histogramdd((x, y), bins, range, normed, weights, density)
    return counts, edges[0], edges[1]


@implements("histogramdd")
def histogramdd(sample: Any, bins: Any, range: Any = None, normed: Any = None,
                weights: Any = None, density: Any = None
                ) -> tuple[Array, list[np.ndarray]]:
    """Counts in bins of several axes, as :func:`numpy.histogramdd`.

    Parameters
    ----------
    sample : array_like or sequence of array_like
        An array of points and axes in chunks of points, or an array for each
        axis.
    bins : int or sequence
        A number for all axes; for each axis a number or edges.
    range : sequence of pairs, optional
        Needed where bins are numbers.
    """
    if normed is not None and density is not None:
        raise TypeError("Cannot specify both 'normed' and 'density'")
    density = normed if density is None else density
    arrays = _points(sample)
    naxes = len(arrays) if len(arrays) > 1 or arrays[0].ndim == 1 \
        else arrays[0].shape[1]
    edges = _all_edges(bins, range, naxes)
    has_weights = weights is not None
    if has_weights:
        arrays.append(_weights(asarray(weights), arrays))
    counts = _parts(HistogramDD(edges, has_weights), arrays,
                    tuple(e.size - 1 for e in edges))
    if density:
        counts = counts / counts.sum()
        for d, e in enumerate(edges):
            shape = [1] * len(edges)
            shape[d] = -1
            counts = counts / np.diff(e).reshape(shape)
    return counts, edges


def _points(sample: Any) -> list[Array]:
    if isinstance(sample, (tuple, list)):
        arrays = [asarray(a) for a in sample]
        if any(a.chunks != arrays[0].chunks for a in arrays):
            raise ValueError("All coordinate arrays must be chunked "
                             "identically.")
        return arrays
    a = asarray(sample)
    if a.ndim != 2:
        raise ValueError("Single array input to histogramdd should be columnar"
                         ": points along the first of two axes")
    if len(a.chunks[1]) > 1:
        raise ValueError("Input array can only be chunked along the 0th axis")
    return [a]


def _weights(weights: Array, arrays: list[Array]) -> Array:
    if weights.chunks[0] != arrays[0].chunks[0]:
        raise ValueError(
            "Input arrays and weights must have the same shape and chunk "
            "structure." if arrays[0].ndim == 1 else
            "Input array and weights must have the same shape and chunk "
            "structure along the first dimension.")
    return weights


def _all_edges(bins: Any, limits: Any, naxes: int) -> list[np.ndarray]:
    if not np.iterable(bins):
        bins = (bins,) * naxes
    if len(bins) != naxes:
        raise ValueError("The dimension of bins must be equal to the "
                         "dimension of the sample.")
    if limits is None:
        limits = (None,) * naxes
    elif len(limits) != naxes:
        raise ValueError("range argument requires one entry, a min max pair, "
                         "per dimension.")
    elif any(np.shape(pair) != (2,) for pair in limits):
        raise ValueError("range argument should be a sequence of pairs")
    return [_edges(b, pair, None) for b, pair in zip(bins, limits)]


class HistogramDD:
    """Counts of the points of blocks, or sums of their weights."""

    def __init__(self, edges: list[np.ndarray], weighted: bool):
        self.edges, self.weighted = edges, weighted

    def dtype(self, arrays: Sequence[Array]) -> np.dtype:
        """Sums are of floats, also where they count."""
        return np.dtype("f8")

    def __call__(self, blocks: list, where: Any) -> np.ndarray:
        weights = blocks[-1] if self.weighted else None
        points = blocks[:-1] if self.weighted else blocks
        sample = points[0] if points[0].ndim == 2 else np.stack(points, -1)
        made = np.histogramdd(sample, self.edges, weights=weights)[0]
        return made[None]
