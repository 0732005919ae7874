# SPDX-License-Identifier: BSD-3-Clause
"""Tests of dask's that look at its inside, by the reason: they are counted
apart, and docs/compatibility.md gives both shares."""

REASONS = {
    "chunks that are not NumPy's arrays (scipy.sparse, masked, matrix)": """
        test_scipy_sparse_indexing test_scipy_sparse_asarray_like
        test_scipy_sparse_concatenate test_dask_array_setitem_singleton_sparse
        test_dask_array_holds_scipy_sparse_containers test_array_picklable
        test_setitem_masked test_setitem_hardmask
        test_setitem_extended_API_2d_mask test_from_array_no_asarray
        test_repr_meta""",
    "attributes that begin with an underscore, and the class's constructor": """
        test_raise_informative_errors_no_chunks test_no_chunks_yes_chunks
        test_no_chunks_slicing_2d test_no_chunks_2d
        test_map_blocks_unique_name_enforce_dim test_index_array_with_array_2d
        test_index_array_with_array_1d test_raise_on_no_chunks
        test_chunks_is_immutable
        test_chunk_assignment_invalidates_cached_properties""",
    "how dask writes a graph's tasks and names them": """
        test_blockwise_fusion test_map_blocks_large_inputs_delayed
        test_blockwise_large_inputs_delayed test_to_delayed_optimize_graph
        test_from_array_inline test_asarray_h5py test_dask_layers
        test_map_blocks_custom_name test_from_array_name
        test_constructor_plugin""",
}
NAMES = {name for text in REASONS.values() for name in text.split()}
