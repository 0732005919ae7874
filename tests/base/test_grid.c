/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/grid.h"

#include "test.h"

static void grid_chunks_tile_the_array(void **state)
{
    (void)state;
    ncg_error err;
    nci_grid grid;
    int64_t shape[3] = {10, 1, 7}, chunk[3] = {4, 1, 3}, seen = 0;
    CHECK_OK(nci_grid_regular(3, shape, chunk, &grid, &err));
    assert_int_equal(nci_grid_nchunks(&grid), 3 * 1 * 3);
    for (int64_t c = 0; c < nci_grid_nchunks(&grid); c++) {
        nci_box box = nci_grid_box(&grid, c);
        int64_t index[NCG_MAX_RANK];
        nci_grid_index(&grid, c, index);
        assert_int_equal(nci_grid_number(&grid, index), c);
        for (int d = 0; d < 3; d++) {
            assert_int_equal(nci_axis_find(&grid.axis[d], box.start[d]),
                             index[d]);
            assert_int_equal(
                nci_axis_find(&grid.axis[d], box.start[d] + box.count[d] - 1),
                index[d]);
        }
        seen += nci_box_size(&box);
    }
    assert_int_equal(seen, 70);
    nci_grid_fini(&grid);
}

static void grid_of_rank_zero_has_one_chunk(void **state)
{
    (void)state;
    ncg_error err;
    nci_grid grid;
    CHECK_OK(nci_grid_regular(0, NULL, NULL, &grid, &err));
    assert_int_equal(nci_grid_nchunks(&grid), 1);
    nci_box box = nci_grid_box(&grid, 0);
    assert_int_equal(nci_box_size(&box), 1);
}

static void grid_refuses_nonsense(void **state)
{
    (void)state;
    ncg_error err;
    nci_axis axis;
    CHECK_STATUS(NCG_EINVAL, nci_axis_regular(5, 0, &axis, &err));
    CHECK_STATUS(NCG_EINVAL, nci_axis_regular(-1, 2, &axis, &err));
}

static void axis_merge_keeps_outer_edges(void **state)
{
    (void)state;
    ncg_error err;
    int64_t edge[] = {0, 31, 59, 90, 120, 151};
    nci_axis axis, merged;
    CHECK_OK(nci_axis_from_edges(edge, 5, &axis, &err));
    CHECK_OK(nci_axis_merge(&axis, 2, &merged, &err));
    int64_t want[] = {0, 59, 120, 151};
    assert_int_equal(merged.nchunks, 3);
    assert_memory_equal(merged.edge, want, sizeof want);
    assert_false(nci_axis_equal(&axis, &merged));
    nci_axis_fini(&axis);
    nci_axis_fini(&merged);
}

static void box_clip_is_the_intersection(void **state)
{
    (void)state;
    nci_box a = {2, {0, 5}, {4, 5}}, b = {2, {2, 0}, {10, 6}}, c;
    assert_true(nci_box_clip(&a, &b, &c));
    assert_int_equal(c.start[0], 2);
    assert_int_equal(c.count[0], 2);
    assert_int_equal(c.start[1], 5);
    assert_int_equal(c.count[1], 1);
    b.start[1] = 10;
    assert_false(nci_box_clip(&a, &b, &c));
}

NCG_TESTS(NCG_TEST(grid_chunks_tile_the_array),
          NCG_TEST(grid_of_rank_zero_has_one_chunk),
          NCG_TEST(grid_refuses_nonsense),
          NCG_TEST(axis_merge_keeps_outer_edges),
          NCG_TEST(box_clip_is_the_intersection))
