# SPDX-License-Identifier: BSD-3-Clause
"""Functions of Python on chunks."""
import numpy as np
import pytest

import ncgraph as ncg


def lazy(values, chunks):
    return ncg.from_array(values, chunks=chunks)


def test_map_blocks(rng):
    v = rng.normal(size=(6, 9))
    x = lazy(v, (2, 4))
    np.testing.assert_array_equal(x.map_blocks(np.sign), np.sign(v))
    np.testing.assert_array_equal(
        ncg.map_blocks(lambda a, b, c: a + b * c, x, lazy(v[0], 4), 2),
        v + v[0] * 2)
    sums = x.map_blocks(lambda b: b.sum(keepdims=True), chunks=(1, 1))
    assert sums.shape == (3, 3)
    np.testing.assert_allclose(sums.sum(), v.sum())
    dropped = x.map_blocks(lambda b: b.sum(axis=1), drop_axis=1)
    np.testing.assert_allclose(dropped, v.sum(axis=1))
    added = x.map_blocks(lambda b: b[None], new_axis=0)
    np.testing.assert_array_equal(added, v[None])


def test_blocks_of_another_shape_are_refused():
    x = ncg.ones((4, 6), chunks=(2, 3))
    with pytest.raises(ValueError, match=r"shape \(1, 3\) where \(2, 3\)"):
        x.map_blocks(lambda b: b[:1]).compute()
    one = x.map_blocks(lambda b: 5.0, dtype="f8")  # one value for all of it
    np.testing.assert_array_equal(one, np.full((4, 6), 5.0))


def test_block_info():
    def where(block, block_id=None, block_info=None):
        assert block_info[0]["chunk-location"] == block_id
        start = block_info[None]["array-location"]
        return np.full(block.shape, start[0][0] * 10 + start[1][0])

    x = ncg.zeros((4, 6), chunks=(2, 3), dtype="i8")
    made = x.map_blocks(where, dtype="i8").compute()
    assert made[0, 0] == 0 and made[3, 5] == 23


def test_blockwise(rng):
    a, b = rng.normal(size=(6, 8)), rng.normal(size=(8, 5))
    made = ncg.blockwise(np.dot, "ik", lazy(a, 3), "ij", lazy(b, (4, 5)), "jk",
                         concatenate=True, dtype="f8")
    np.testing.assert_allclose(made, a @ b)
    lists = ncg.blockwise(lambda xs: sum(x.sum(axis=1) for x in xs), "i",
                          lazy(a, 3), "ij", dtype="f8")
    np.testing.assert_allclose(lists, a.sum(axis=1))
    wide = ncg.blockwise(lambda x: np.repeat(x, 2, axis=1), "ij", lazy(a, 4),
                         "ij", adjust_chunks={"j": lambda n: 2 * n},
                         dtype="f8")
    np.testing.assert_array_equal(wide, np.repeat(a, 2, axis=1))


def test_gufunc(rng):
    v = rng.normal(size=(4, 5, 6))
    x = lazy(v, (2, 3, 6))
    made = ncg.apply_gufunc(lambda a: a.mean(axis=-1), "(i)->()", x)
    np.testing.assert_allclose(made, v.mean(axis=-1))
    mean, std = ncg.apply_gufunc(
        lambda a: (a.mean(axis=-1), a.std(axis=-1)), "(i)->(),()", x,
        output_dtypes=["f8", "f8"])
    np.testing.assert_allclose(mean, v.mean(axis=-1))
    np.testing.assert_allclose(std, v.std(axis=-1))
    first = ncg.apply_gufunc(lambda a: a.sum(axis=-1), "(i)->()", x, axis=0,
                             allow_rechunk=True, output_dtypes="f8")
    np.testing.assert_allclose(first, v.sum(axis=0))
    outer = ncg.apply_gufunc(np.multiply.outer, "(),(i)->(i)", 2.0,
                             lazy(v[0, 0], 6), vectorize=True,
                             output_dtypes="f8")
    np.testing.assert_allclose(outer, 2 * v[0, 0])
    with pytest.raises(ValueError, match="multiple chunks"):
        ncg.apply_gufunc(np.sum, "(i)->()", lazy(v, 2), output_dtypes="f8")


def test_reduction(rng):
    v = rng.normal(size=(20, 6))
    x = lazy(v, (3, 2))

    def chunk(block, axis, keepdims):
        return {"n": np.full_like(block.sum(axis=axis, keepdims=keepdims),
                                  block.shape[0]),
                "s": block.sum(axis=axis, keepdims=keepdims)}

    def merge(parts, axis, keepdims):
        parts = parts if isinstance(parts, list) else [parts]
        return {k: sum(p[k] for p in parts) for k in "ns"}

    def last(parts, axis, keepdims):
        both = merge(parts, axis, keepdims)
        return (both["s"] / both["n"]).squeeze(axis=axis)

    made = ncg.reduction(x, chunk, last, axis=0, combine=merge, dtype="f8",
                         concatenate=False)
    np.testing.assert_allclose(made, v.mean(axis=0))
    plain = ncg.reduction(x, np.max, np.max, axis=(0, 1), dtype="f8")
    assert float(plain) == v.max()


@pytest.mark.parametrize("boundary", ["none", "reflect", "periodic", "nearest",
                                      5.0])
def test_overlap(rng, boundary):
    da = pytest.importorskip("dask.array")
    v = rng.normal(size=(12, 10))

    def smooth(block):
        out = block.copy()
        out[1:-1] = block[:-2] + block[1:-1] + block[2:]
        return out

    made = lazy(v, (4, 5)).map_overlap(smooth, depth=(2, 1),
                                       boundary=boundary, dtype="f8")
    wanted = da.from_array(v, chunks=(4, 5)).map_overlap(
        smooth, depth=(2, 1), boundary=boundary, dtype="f8")
    np.testing.assert_array_equal(made, wanted.compute(scheduler="sync"))


def test_overlap_on_one_side(rng):
    v = rng.normal(size=20)

    def push(block):
        return np.maximum.accumulate(block)

    made = lazy(v, 6).map_overlap(push, depth={0: (6, 0)}, dtype="f8")
    assert made.shape == (20,)
    np.testing.assert_array_equal(made[:6], np.maximum.accumulate(v[:6]))


def test_computing_inside_a_task():
    inner = ncg.arange(10, chunks=3)

    def nested(block):
        return block + int(inner.sum())

    made = ncg.zeros((4,), chunks=2, dtype="i8").map_blocks(nested, dtype="i8")
    np.testing.assert_array_equal(made, [45] * 4)


def test_reduction_by_functions_that_give_their_block():
    """Partial results that are views of blocks outlive the blocks."""
    v = np.arange(24 * 24.0 * 24).reshape(24, 24, 24)
    x = lazy(v, (3, 5, 24))
    for axis in ((0,), (0, 2), (0, 1, 2)):
        made = ncg.reduction(x, lambda b, axis, keepdims: b,
                             lambda b, axis, keepdims: b, axis=axis,
                             keepdims=True, dtype="f8")
        np.testing.assert_array_equal(made, v)
        parts = ncg.reduction(
            x, lambda b, axis, keepdims: {"s": b[:1]},
            lambda p, axis, keepdims: np.concatenate(
                [q["s"].ravel() for q in _flat(p)]).sum(keepdims=True)
            .reshape((1,) * 3), axis=(0, 1, 2), keepdims=True, dtype="f8",
            concatenate=False, split_every=100)
        np.testing.assert_array_equal(parts, v[::3].sum(keepdims=True))


def _flat(parts):
    return [q for p in parts for q in _flat(p)] if isinstance(parts, list) \
        else [parts]


def test_store_later_writes_chunk_by_chunk():
    v = np.arange(20.0).reshape(4, 5)
    x = lazy(v, (2, 3))
    first, second = np.zeros((4, 5)), np.zeros((4, 5))
    made = ncg.store([x, x], [first, second], compute=False)
    assert [m.npartitions for m in made] == [4, 4] and not first.any()
    ncg.compute(*made)
    np.testing.assert_array_equal(first, v)
    np.testing.assert_array_equal(second, v)
    wide = np.zeros((8, 9))
    one = x.store(wide, regions=(slice(None, None, 2), [0, 2, 4, 6, 8]),
                  compute=False, return_stored=True)
    np.testing.assert_array_equal(one.compute(), v)
    np.testing.assert_array_equal(wide[::2, ::2], v)


def test_names_say_what_is_called():
    x = lazy(np.arange(6.0), 2)
    assert x.map_blocks(np.sqrt).name.startswith("sqrt-")
    assert x.map_blocks(_flat, dtype="f8").name.startswith("_flat-")
