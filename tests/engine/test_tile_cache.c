/* SPDX-License-Identifier: BSD-3-Clause */
/* Kept tiles: what is kept comes back as it was, a full cache reads again, the
 * bytes taken stay within what was allowed. */
#include "fake_io.h"

#include "engine/tile_cache.h"

enum { NT = 40, NX = 65536, ALL = NT * NX * 4 };

typedef struct fixture {
    nci_source_table *table;
    uint32_t id;
    nci_file *file;
    nci_layer layers[2];
    nci_plan plan;
    nci_scratch scratch;
} fixture;

static ncg_error err;

/* One variable of NT chunks, read by `nreaders` layers. */
static fixture *make(int nreaders)
{
    fixture *f = calloc(1, sizeof *f);
    nci_source_spec *spec = nci_calloc(1, sizeof *spec);
    f->file = fake_file("fake.nc", NCG_DTYPE_F32, 2, (int64_t[]){NT, NX},
                        (int64_t[]){1, NX});
    nci_storage *storage = &f->file->header->vars[0].storage;
    storage->layout = NCI_LAYOUT_CHUNKED;
    storage->nfilters = 1;
    for (int64_t i = 0; i < (int64_t)NT * NX; i++)
        ((float *)(void *)f->file->values)[i] = (float)i;
    spec->name = nci_strdup("v");
    spec->rank = 2;
    spec->shape[0] = NT;
    spec->shape[1] = NX;
    spec->dtype = NCG_DTYPE_F32;
    spec->join_axis = -1;
    spec->nsegments = 1;
    spec->segments = nci_calloc(1, sizeof *spec->segments);
    spec->segments[0] = (nci_segment){.count = NT};
    CHECK_OK(nci_source_table_create(&f->table, &err));
    CHECK_OK(nci_source_table_add(f->table, spec, &f->file, &f->id, &err));
    for (int i = 0; i < nreaders; i++) {
        nci_layer *layer = &f->layers[i];
        layer->kind = NCI_LAYER_FUSED;
        layer->ntasks = 3;
        layer->fused.noperands = 1;
        layer->fused.operands[0].kind = NCI_OPERAND_SOURCE;
        layer->fused.operands[0].source = f->id;
    }
    f->plan.layers = f->layers;
    f->plan.nlayers = nreaders;
    return f;
}

static void fini(fixture *f)
{
    nci_file_release(&f->file);
    nci_source_table_free(&f->table);
    free(f->scratch.data);
    free(f);
}

static ncg_status check_values(void *ctx, const nci_tile *tile,
                               const nci_decode *decode, const nci_box *wanted,
                               ncg_error *e)
{
    float *room = ctx;
    (void)decode;
    (void)e;
    if (!tile->data) /* never written */
        return NCG_OK;
    nci_tile_copy(tile, wanted, room);
    for (int64_t i = 0; i < NX; i += 997)
        assert_true(room[i] == (float)(wanted->start[0] * NX + i));
    return NCG_OK;
}

static int read_all(fixture *f)
{
    nci_box box = {2, {0, 0}, {NT, NX}};
    int before = f->file->reads;
    float *room = malloc((size_t)NX * sizeof *room);
    CHECK_OK(nci_source_each_tile(nci_source_table_get(f->table, f->id), &box,
                                  &f->scratch, check_values, room, &err));
    free(room);
    return f->file->reads - before;
}

static void test_what_is_wanted(void **state)
{
    (void)state;
    fixture *f = make(1);
    assert_int_equal(nci_tile_cache_want(&f->plan, f->table), 0);
    fini(f);
    f = make(2);
    int64_t want = nci_tile_cache_want(&f->plan, f->table);
    assert_true(want >= ALL && want < ALL + NT * 512);
    assert_int_equal(nci_tile_cache_room(want, 64 << 20, 64 << 20), 0);
    assert_int_equal(nci_tile_cache_room(0, 64 << 20, 0), 0);
    int64_t room = nci_tile_cache_room(want, 16 << 20, 8 << 20);
    assert_true(room > 4 << 20 && room <= 8 << 20);
    assert_true(nci_tile_cache_room(want, INT64_MAX, 0) < 2 * want);
    f->file->header->vars[0].storage.nfilters = 0; /* the page cache has it */
    assert_int_equal(nci_tile_cache_want(&f->plan, f->table), 0);
    fini(f);
}

static void test_second_pass_reads_memory(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        fixture *f = make(2);
        nci_tile_cache *cache;
        int64_t room = nci_tile_cache_room(
            nci_tile_cache_want(&f->plan, f->table), 1 << 30, 0);
        f->file->is_shuffled = form & 1;
        f->file->is_swapped = form & 2;
        f->file->absent = form == 3 ? 7 : 0;
        nci_tile_cache_create(&f->plan, f->table, room, &cache);
        assert_non_null(cache);
        assert_int_equal(read_all(f), NT);
        int again = read_all(f); /* 0, unless memory is slow here */
        assert_true(form == 3 ? again <= NT : again < NT);
        assert_int_equal(read_all(f), again);
        assert_true(nci_tile_cache_bytes(cache) <= room);
        nci_tile_cache_free(&cache);
        assert_int_equal(read_all(f), NT); /* detached */
        fini(f);
    }
}

static void test_a_full_cache_keeps_the_first(void **state)
{
    (void)state;
    fixture *f = make(2);
    nci_tile_cache *cache;
    nci_tile_cache_create(&f->plan, f->table, 5 << 20, &cache);
    assert_non_null(cache);
    assert_int_equal(read_all(f), NT);
    int again = read_all(f);
    assert_true(again >= NT - 20 && again < NT && read_all(f) == again);
    assert_true(nci_tile_cache_bytes(cache) <= 5 << 20);
    nci_tile_cache_free(&cache);
    fini(f);
}

static void test_memory_goes_with_the_last_reader(void **state)
{
    (void)state;
    fixture *f = make(2);
    nci_tile_cache *cache;
    nci_tile_cache_create(&f->plan, f->table, 5 << 20, &cache);
    read_all(f);
    for (int i = 0; i < 5; i++)
        nci_tile_cache_task_done(cache, &f->layers[i % 2]);
    assert_true(read_all(f) < NT);
    nci_tile_cache_task_done(cache, &f->layers[1]);
    assert_int_equal(read_all(f), NT);
    nci_tile_cache_task_done(NULL, &f->layers[1]);
    nci_tile_cache_free(&cache);
    nci_tile_cache_create(&f->plan, f->table, 1 << 20, &cache);
    assert_null(cache);
    fini(f);
}

static void test_no_memory_is_no_error(void **state)
{
    (void)state;
    fixture *f = make(2);
    nci_tile_cache *cache;
    for (int64_t n = 1; n <= 4; n++) {
        nci_mem_fail_at(n);
        nci_tile_cache_create(&f->plan, f->table, 8 << 20, &cache);
        nci_mem_fail_at(0);
        assert_null(cache);
        assert_int_equal(read_all(f), NT);
    }
    fini(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wanted),
        cmocka_unit_test(test_second_pass_reads_memory),
        cmocka_unit_test(test_a_full_cache_keeps_the_first),
        cmocka_unit_test(test_memory_goes_with_the_last_reader),
        cmocka_unit_test(test_no_memory_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
