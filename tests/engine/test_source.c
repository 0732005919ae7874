/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources: which tiles a box touches, in which order, at which positions. */
#include "fake_io.h"

typedef struct seen {
    int count;
    nci_box tile[64], wanted[64];
    bool is_absent[64];
    int stop_after;
} seen;

static ncg_status note(void *ctx, const nci_tile *tile,
                       const nci_decode *decode, const nci_box *wanted,
                       ncg_error *err)
{
    seen *s = ctx;
    s->tile[s->count] = tile->box;
    s->wanted[s->count] = *wanted;
    s->is_absent[s->count++] = !decode && !tile->data;
    return s->count == s->stop_after ? nci_fail(err, NCG_ECANCELED, "canceled")
                                     : NCG_OK;
}

static bool wants_even(void *ctx, const nci_box *box)
{
    (void)ctx;
    return box->start[0] % 2 == 0;
}

/* Three files of 5, 4 and 3 times 6 along the first axis, chunks of 2 x 4; the
 * second one lacks the variable, the third one starts at its position 1. */
static nci_source_table *make_table(uint32_t *id, nci_file **last)
{
    ncg_error err;
    int64_t shape[2] = {5, 6}, chunk[2] = {2, 4};
    nci_file *files[3];
    nci_source_table *table;
    nci_source_spec *spec = nci_calloc(1, sizeof *spec);
    spec->name = nci_strdup("tas");
    spec->rank = 2;
    spec->shape[0] = 12;
    spec->shape[1] = 6;
    spec->dtype = NCG_DTYPE_F32;
    spec->nsegments = 3;
    spec->segments = nci_calloc(3, sizeof *spec->segments);
    nci_segment *s = spec->segments;
    s[0] = (nci_segment){.file = 0, .start = 0, .count = 5};
    s[1] = (nci_segment){.file = 1, .var = -1, .start = 5, .count = 4};
    s[2] = (nci_segment){.file = 2, .start = 9, .count = 3, .file_start = 1};
    for (int i = 0; i < 3; i++) {
        files[i] = fake_file("fake.nc", NCG_DTYPE_F32, 2, shape, chunk);
        *last = files[i];
    }
    CHECK_OK(nci_source_table_create(&table, &err));
    CHECK_OK(nci_source_table_add(table, spec, files, id, &err));
    for (int i = 0; i < 3; i++)
        nci_file_release(&files[i]);
    return table;
}

static void tiles_come_in_index_order(void **state)
{
    ncg_error err;
    uint32_t id;
    nci_file *last;
    nci_scratch scratch = {0};
    seen s = {0};
    (void)state;
    nci_source_table *table = make_table(&id, &last);
    const nci_source *source = nci_source_table_get(table, id);
    nci_box box = {2, {3, 1}, {8, 5}};
    assert_non_null(source);
    CHECK_OK(nci_source_each_tile(source, &box, &scratch, note, &s, &err));
    /* rows 3..4 of file 0 in four chunks, the gap, rows 1..2 of file 2 */
    const int64_t want[9][4] = {/* tile start, wanted start */
                                {2, 0, 3, 1}, {2, 4, 3, 4},   {4, 0, 4, 1},
                                {4, 4, 4, 4}, {5, 1, 5, 1},   {8, 0, 9, 1},
                                {8, 4, 9, 4}, {10, 0, 10, 1}, {10, 4, 10, 4}};
    assert_int_equal(s.count, 9);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(s.tile[i].start[0], want[i][0]);
        assert_int_equal(s.tile[i].start[1], want[i][1]);
        assert_int_equal(s.wanted[i].start[0], want[i][2]);
        assert_int_equal(s.wanted[i].start[1], want[i][3]);
        assert_int_equal(s.is_absent[i], i == 4);
    }
    assert_int_equal(s.wanted[4].count[0], 4);
    assert_int_equal(s.wanted[5].count[0], 1);
    nci_source_table_free(&table);
    fake_scratch_fini(&scratch);
}

static void unwanted_tiles_are_not_read(void **state)
{
    ncg_error err;
    uint32_t id;
    nci_file *last;
    nci_scratch scratch = {0};
    seen s = {0};
    (void)state;
    nci_source_table *table = make_table(&id, &last);
    nci_box box = {2, {9, 0}, {3, 6}};
    CHECK_OK(nci_source_each_tile_if(nci_source_table_get(table, id), &box,
                                     &scratch, wants_even, note, &s, &err));
    assert_int_equal(s.count, 2);
    assert_int_equal(last->reads, 2);
    nci_source_table_free(&table);
    fake_scratch_fini(&scratch);
}

static void a_failing_visit_ends_the_walk(void **state)
{
    ncg_error err;
    uint32_t id;
    nci_file *last;
    nci_scratch scratch = {0};
    seen s = {.stop_after = 2};
    (void)state;
    nci_source_table *table = make_table(&id, &last);
    nci_box box = {2, {0, 0}, {12, 6}};
    CHECK_STATUS(NCG_ECANCELED,
                 nci_source_each_tile(nci_source_table_get(table, id), &box,
                                      &scratch, note, &s, &err));
    assert_int_equal(s.count, 2);
    nci_source_table_free(&table);
    fake_scratch_fini(&scratch);
}

static void a_wrong_segment_is_refused(void **state)
{
    ncg_error err;
    uint32_t id;
    int64_t shape[1] = {3};
    (void)state;
    nci_source_table *table;
    nci_source_spec *spec = nci_calloc(1, sizeof *spec);
    spec->name = nci_strdup("tas");
    spec->rank = 2;
    spec->nsegments = 1;
    spec->segments = nci_calloc(1, sizeof *spec->segments);
    nci_file *file = fake_file("fake.nc", NCG_DTYPE_F32, 1, shape, shape);
    CHECK_OK(nci_source_table_create(&table, &err));
    CHECK_STATUS(NCG_EBUG, nci_source_table_add(table, spec, &file, &id, &err));
    CHECK_MESSAGE("tas");
    assert_null(nci_source_table_get(table, 0));
    nci_source_table_free(&table);
    nci_source_spec_free(&spec);
    nci_file_release(&file);
}

NCG_TESTS(NCG_TEST(tiles_come_in_index_order),
          NCG_TEST(unwanted_tiles_are_not_read),
          NCG_TEST(a_failing_visit_ends_the_walk),
          NCG_TEST(a_wrong_segment_is_refused))
