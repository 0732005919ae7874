/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources without files: memory, held chunks, functions, generators. */
#include "base/dtype.h"
#include "base/mem.h"
#include "engine/source_remote.h"
#include "test.h"

/* What the tiles of a walk hold, gathered over a box. */
typedef struct gathered {
    nci_box box;
    double values[4096];
    int tiles;
    int64_t most; /* bytes of the largest tile that was in scratch */
} gathered;

static ncg_status gather(void *ctx, const nci_tile *tile,
                         const nci_decode *decode, const nci_box *wanted,
                         ncg_error *err)
{
    gathered *g = ctx;
    uint8_t raw[4096 * 8];
    int64_t n = nci_box_size(wanted), at[NCG_MAX_RANK] = {0};
    (void)err;
    assert_non_null(decode);
    nci_tile_copy(tile, wanted, raw);
    for (int64_t i = 0; i < n; i++) {
        int64_t to = 0;
        for (int d = 0; d < wanted->rank; d++)
            to = to * g->box.count[d] + wanted->start[d] + at[d] -
                 g->box.start[d];
        assert_true(isnan(g->values[to]) && g->values[to] != 1);
        g->values[to] = nci_decode_value(decode, raw + i * tile->elem_size);
        for (int d = wanted->rank - 1; d >= 0; d--) {
            if (++at[d] < wanted->count[d])
                break;
            at[d] = 0;
        }
    }
    if (tile->elem_size * nci_tile_size(tile) > g->most)
        g->most = tile->elem_size * nci_tile_size(tile);
    g->tiles++;
    return NCG_OK;
}

static nci_source_table *new_table(void)
{
    ncg_error err;
    nci_source_table *table;
    CHECK_OK(nci_source_table_create(&table, &err));
    return table;
}

static nci_grid new_grid(int rank, const int64_t *shape, const int64_t *chunk)
{
    ncg_error err;
    nci_grid grid;
    CHECK_OK(nci_grid_regular(rank, shape, chunk, &grid, &err));
    return grid;
}

static void read_box(nci_source_table *table, const nci_node *node,
                     const nci_box *box, gathered *g)
{
    ncg_error err;
    nci_scratch *scratch;
    CHECK_OK(nci_scratch_create(&scratch, &err));
    *g = (gathered){.box = *box};
    for (int i = 0; i < 4096; i++)
        g->values[i] = NAN;
    CHECK_OK(nci_source_each_tile(nci_source_table_get(table, node->source),
                                  box, scratch, gather, g, &err));
    nci_scratch_destroy(&scratch);
}

static int releases;

static void count_release(void *memory, void *payload)
{
    (void)memory, (void)payload;
    releases++;
}

/* ---- memory ------------------------------------------------------------------ */

static void memory_is_read_where_it_lies(void **state)
{
    ncg_error err;
    int32_t values[60];
    int64_t shape[2] = {6, 10}, chunk[2] = {4, 3};
    int32_t missing = 33;
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(2, shape, chunk);
    nci_source_form form = {"x", NCG_DTYPE_I32, &grid, &missing};
    nci_buf *data;
    nci_node *node;
    gathered g;
    (void)state;
    for (int i = 0; i < 60; i++)
        values[i] = i;
    releases = 0;
    CHECK_OK(nci_buf_wrap(values, sizeof values, count_release, NULL, &data,
                          &err));
    CHECK_OK(nci_source_from_buffer(table, &form, data, &node, &err));
    nci_buf_release(&data);
    nci_box box = {2, {2, 1}, {3, 8}};
    read_box(table, node, &box, &g);
    assert_int_equal(g.tiles, 1);
    assert_int_equal(
        nci_source_scratch(nci_source_table_get(table, node->source)), 0);
    for (int i = 0; i < 24; i++)
        CHECK_NEAR(g.values[i],
                   (2 + i / 8) * 10 + 1 + i % 8 == 33
                       ? NAN
                       : (2 + i / 8) * 10 + 1 + i % 8,
                   0);
    assert_ptr_equal(nci_buf_data(node->data), values);
    assert_int_equal(releases, 0);
    uint32_t id = node->source;
    nci_node_release(&node);
    assert_int_equal(releases, 1);
    assert_null(nci_source_table_get(table, id));
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

/* A chunk that is a view of an array may still lie in a queue of the network
 * when its plan and the plan's sources are gone. */
static void views_outlive_the_table(void **state)
{
    ncg_error err;
    double values[4] = {1, 2, 3, 4};
    int64_t shape[1] = {4};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(1, shape, shape);
    nci_source_form form = {"x", NCG_DTYPE_F64, &grid, NULL};
    nci_buf *data, *chunk;
    nci_node *node, *other;
    (void)state;
    releases = 0;
    CHECK_OK(
        nci_buf_wrap(values, sizeof values, count_release, NULL, &data, &err));
    CHECK_OK(nci_source_from_buffer(table, &form, data, &node, &err));
    CHECK_OK(
        nci_source_from_sent(table, &form, node->token, data, &other, &err));
    nci_buf_release(&data);
    CHECK_OK(
        nci_buf_view(node->data, values + 1, 2 * sizeof *values, &chunk, &err));
    nci_node_release(&node);
    nci_node_release(&other);
    assert_int_equal(nci_source_table_held(table), 0);
    nci_source_table_free(&table);
    assert_int_equal(releases, 0);
    assert_true(((const double *)nci_buf_data(chunk))[0] == 2);
    nci_buf_release(&chunk);
    assert_int_equal(releases, 1);
    nci_grid_fini(&grid);
}

static void equal_memory_is_equal_work(void **state)
{
    ncg_error err;
    double a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 4}, c[4] = {1, 2, 3, 5};
    double *all[3] = {a, b, c};
    int64_t shape[1] = {4};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(1, shape, shape);
    nci_source_form form = {"x", NCG_DTYPE_F64, &grid, NULL};
    nci_node *nodes[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        nci_buf *data;
        CHECK_OK(nci_buf_wrap(all[i], sizeof a, NULL, NULL, &data, &err));
        CHECK_OK(nci_source_from_buffer(table, &form, data, &nodes[i], &err));
        nci_buf_release(&data);
    }
    assert_true(nci_token_equal(nodes[0]->token, nodes[1]->token));
    assert_false(nci_token_equal(nodes[0]->token, nodes[2]->token));
    for (int i = 0; i < 3; i++)
        nci_node_release(&nodes[i]);
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

static void wrong_memory_is_refused(void **state)
{
    ncg_error err;
    double values[4] = {0};
    int64_t shape[1] = {5};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(1, shape, shape);
    nci_source_form form = {"x", NCG_DTYPE_F64, &grid, NULL};
    nci_buf *data;
    nci_node *node = NULL;
    (void)state;
    CHECK_OK(nci_buf_wrap(values, sizeof values, NULL, NULL, &data, &err));
    CHECK_STATUS(NCG_EINVAL,
                 nci_source_from_buffer(table, &form, data, &node, &err));
    CHECK_MESSAGE("32 bytes given for 40");
    form.missing = values;
    CHECK_STATUS(NCG_EINVAL,
                 nci_source_from_buffer(table, &form, data, &node, &err));
    CHECK_MESSAGE("NaN");
    form.missing = NULL;
    form.dtype = NCG_DTYPE_STRING;
    CHECK_STATUS(NCG_EINVAL,
                 nci_source_from_buffer(table, &form, data, &node, &err));
    nci_buf_release(&data);
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

/* ---- held chunks --------------------------------------------------------------- */

static void held_chunks_are_found_and_counted(void **state)
{
    ncg_error err;
    int64_t shape[2] = {5, 4}, chunk[2] = {2, 3};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(2, shape, chunk);
    nci_source_form form = {"x", NCG_DTYPE_F64, &grid, NULL};
    nci_token token = nci_token_of("abc", 3), other = nci_token_of("abd", 3);
    nci_buf *chunks[6];
    nci_node *node, *again;
    gathered g;
    (void)state;
    for (int64_t c = 0; c < 6; c++) {
        nci_box box = nci_grid_box(&grid, c);
        CHECK_OK(nci_buf_create((size_t)nci_box_size(&box) * 8, &chunks[c],
                                &err));
        double *x = nci_buf_data(chunks[c]);
        for (int64_t i = 0; i < nci_box_size(&box); i++)
            x[i] = (double)((box.start[0] + i / box.count[1]) * 4 +
                            box.start[1] + i % box.count[1]);
    }
    CHECK_OK(nci_source_from_chunks(table, &form, token, chunks, &node, &err));
    for (int c = 0; c < 6; c++)
        nci_buf_release(&chunks[c]);
    nci_box box = {2, {1, 1}, {4, 3}};
    read_box(table, node, &box, &g);
    assert_int_equal(g.tiles, 6);
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(g.values[i], (1 + i / 3) * 4 + 1 + i % 3, 0);
    assert_int_equal(nci_source_table_held(table), 160);
    CHECK_OK(nci_source_table_find(table, other, &again, &err));
    assert_null(again);
    CHECK_OK(nci_source_table_find(table, token, &again, &err));
    assert_non_null(again);
    assert_int_equal(again->source, node->source);
    nci_node_release(&node);
    assert_int_equal(nci_source_table_held(table), 160);
    nci_node_release(&again);
    assert_int_equal(nci_source_table_held(table), 0);
    CHECK_OK(nci_source_table_find(table, token, &again, &err));
    assert_null(again);
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

/* A held chunk is given as it lies, but not as somebody's own. */
static void held_chunks_are_not_copied(void **state)
{
    ncg_error err;
    int64_t shape[1] = {6}, chunk[1] = {3};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(1, shape, chunk);
    nci_source_form form = {"x", NCG_DTYPE_F64, &grid, NULL};
    nci_buf *chunks[2], *got;
    nci_node *node;
    (void)state;
    for (int c = 0; c < 2; c++) {
        CHECK_OK(nci_buf_create(24, &chunks[c], &err));
        memset(nci_buf_data(chunks[c]), 0, 24);
    }
    CHECK_OK(nci_source_from_chunks(table, &form, nci_token_of("abc", 3),
                                    chunks, &node, &err));
    const nci_source *source = nci_source_table_get(table, node->source);
    nci_box second = {1, {3}, {3}}, part = {1, {3}, {2}}, both = {1, {0}, {6}};
    CHECK_OK(nci_source_chunk(source, &second, &got, &err));
    assert_ptr_equal(nci_buf_data(got), nci_buf_data(chunks[1]));
    assert_true(nci_buf_is_view(got));
    assert_false(nci_buf_is_view(chunks[1]));
    nci_node_release(&node);
    for (int c = 0; c < 2; c++)
        nci_buf_release(&chunks[c]);
    assert_true(*(double *)nci_buf_data(got) == 0); /* it keeps the memory */
    nci_buf_release(&got);
    CHECK_OK(nci_buf_create(24, &chunks[0], &err));
    chunks[1] = nci_buf_retain(chunks[0]);
    CHECK_OK(nci_source_from_chunks(table, &form, nci_token_of("abd", 3),
                                    chunks, &node, &err));
    source = nci_source_table_get(table, node->source);
    CHECK_OK(nci_source_chunk(source, &part, &got, &err));
    assert_null(got);
    CHECK_OK(nci_source_chunk(source, &both, &got, &err));
    assert_null(got);
    for (int c = 0; c < 2; c++)
        nci_buf_release(&chunks[c]);
    nci_node_release(&node);
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

static void places_are_used_again(void **state)
{
    ncg_error err;
    int64_t shape[1] = {3};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(1, shape, shape);
    nci_source_form form = {NULL, NCG_DTYPE_F64, &grid, NULL};
    nci_generator ones = {.kind = NCI_GENERATE_FULL};
    (void)state;
    for (int i = 0; i < 100; i++) {
        nci_node *a, *b;
        CHECK_OK(nci_source_from_generator(table, &form, &ones, &a, &err));
        CHECK_OK(nci_source_from_generator(table, &form, &ones, &b, &err));
        assert_in_range(a->source, 0, 1);
        assert_in_range(b->source, 0, 1);
        nci_node_release(i % 2 ? &a : &b);
        nci_node_release(i % 2 ? &b : &a);
    }
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

/* ---- functions ------------------------------------------------------------------- */

static ncg_status fill_sum(void *payload, const int64_t *start,
                           const int64_t *count, void *out, ncg_error *err)
{
    float *x = out;
    int *calls = payload;
    if (++*calls == 100)
        return nci_fail(err, NCG_EIO, "the instrument is off");
    if (*calls == 200)
        return NCG_EKERNEL;
    for (int64_t i = 0; i < count[0]; i++)
        for (int64_t j = 0; j < count[1]; j++)
            *x++ = (float)((start[0] + i) * 100 + start[1] + j);
    return NCG_OK;
}

static void note_release(void *payload)
{
    (void)payload;
    releases++;
}

static ncg_status ignore(void *ctx, const nci_tile *tile,
                         const nci_decode *decode, const nci_box *wanted,
                         ncg_error *err)
{
    (void)ctx, (void)tile, (void)decode, (void)wanted, (void)err;
    return NCG_OK;
}

static void functions_fill_boxes_of_chunks(void **state)
{
    ncg_error err;
    int calls = 0;
    int64_t shape[2] = {5, 7}, chunk[2] = {2, 3};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(2, shape, chunk);
    nci_source_form form = {"field", NCG_DTYPE_F32, &grid, NULL};
    nci_source_callback how = {.name = "org.example.field/1",
                               .fill = fill_sum,
                               .release = note_release,
                               .payload = &calls};
    nci_node *node, *same, *anonymous;
    nci_scratch *scratch;
    gathered g;
    (void)state;
    releases = 0;
    CHECK_OK(nci_source_from_callback(table, &form, &how, &node, &err));
    CHECK_OK(nci_source_from_callback(table, &form, &how, &same, &err));
    how.name = NULL;
    CHECK_OK(nci_source_from_callback(table, &form, &how, &anonymous, &err));
    assert_true(nci_token_equal(node->token, same->token));
    assert_false(nci_token_equal(node->token, anonymous->token));
    nci_box box = {2, {1, 2}, {4, 5}};
    read_box(table, node, &box, &g);
    assert_int_equal(g.tiles, 9);
    const nci_source *source = nci_source_table_get(table, node->source);
    assert_true(g.most <= nci_source_scratch(source));
    assert_int_equal(nci_source_scratch(source), 2 * 3 * 4);
    for (int i = 0; i < 20; i++)
        CHECK_NEAR(g.values[i], (1 + i / 5) * 100 + 2 + i % 5, 0);
    nci_box inside = {2, {2, 4}, {2, 2}};
    nci_buf *made;
    CHECK_OK(nci_source_chunk(source, &inside, &made, &err));
    assert_int_equal(nci_buf_size(made), 16);
    for (int i = 0; i < 4; i++)
        CHECK_NEAR(((float *)nci_buf_data(made))[i],
                   (2 + i / 2) * 100 + 4 + i % 2, 0);
    nci_buf_release(&made);
    CHECK_OK(nci_source_chunk(source, &box, &made, &err));
    assert_null(made); /* of several chunks */
    CHECK_OK(nci_scratch_create(&scratch, &err));
    calls = 99;
    CHECK_STATUS(NCG_EIO, nci_source_chunk(source, &inside, &made, &err));
    assert_null(made);
    calls = 99;
    CHECK_STATUS(NCG_EIO, nci_source_each_tile(source, &box, scratch, ignore,
                                               NULL, &err));
    CHECK_MESSAGE("the instrument is off");
    calls = 199;
    CHECK_STATUS(NCG_EKERNEL, nci_source_each_tile(source, &box, scratch,
                                                   ignore, NULL, &err));
    CHECK_MESSAGE("field");
    nci_scratch_destroy(&scratch);
    nci_node_release(&node);
    nci_node_release(&same);
    nci_node_release(&anonymous);
    assert_int_equal(releases, 3);
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

/* ---- generators ------------------------------------------------------------------ */

static void philox_gives_the_known_answers(void **state)
{
    uint64_t words[2];
    (void)state;
    nci_philox(0, 0, 1, words);
    assert_true(words[0] == UINT64_C(0xe169c58d6627e8d5));
    assert_true(words[1] == UINT64_C(0x9b00dbd8bc57ac4c));
}

/* The array in chunks, read in boxes, has the values of the plain call. */
static void check_generated(ncg_dtype dtype, const nci_generator *how)
{
    ncg_error err;
    int64_t shape[3] = {7, 5, 11}, chunk[3] = {3, 5, 4};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(3, shape, chunk);
    nci_source_form form = {"x", dtype, &grid, NULL};
    uint8_t plain[385 * 8];
    size_t size = ncg_dtype_size(dtype);
    nci_node *node;
    gathered g;
    nci_generator own = *how;
    own.size = 385;
    nci_generate(&own, dtype, 0, 385, plain);
    CHECK_OK(nci_source_from_generator(table, &form, how, &node, &err));
    for (int round = 0; round < 20; round++) {
        nci_box box = {3,
                       {round % 7, round % 3, round % 5},
                       {7 - round % 7, 5 - round % 3, 1 + round % 7}};
        read_box(table, node, &box, &g);
        for (int64_t i = 0; i < nci_box_size(&box); i++) {
            int64_t x = box.start[2] + i % box.count[2];
            int64_t y = box.start[1] + i / box.count[2] % box.count[1];
            int64_t z = box.start[0] + i / box.count[2] / box.count[1];
            CHECK_NEAR(g.values[i],
                       nci_dtype_get(dtype, plain + size * (size_t)((z * 5 + y) * 11 + x)),
                       0);
        }
    }
    nci_node_release(&node);
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

static void values_do_not_depend_on_chunks(void **state)
{
    (void)state;
    const nci_generator all[] = {
        {.kind = NCI_GENERATE_FULL, .value = {1, 2, 3, 4, 5, 6, 7, 0x40}},
        {.kind = NCI_GENERATE_RANGE, .start = -3.5, .delta = 0.1,
         .last = -3.4, .low = -7, .step = 3},
        {.kind = NCI_GENERATE_LINSPACE, .start = 1, .delta = 0.01, .last = 9},
        {.kind = NCI_GENERATE_UNIFORM, .seed = 42},
        {.kind = NCI_GENERATE_NORMAL, .seed = UINT64_C(1) << 60},
        {.kind = NCI_GENERATE_INTEGERS, .low = -5, .span = 11, .seed = 3}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        check_generated(NCG_DTYPE_F64, &all[i]);
        check_generated(NCG_DTYPE_F32, &all[i]);
        if (i != 3 && i != 4)
            check_generated(NCG_DTYPE_I32, &all[i]);
    }
}

static void random_numbers_have_their_moments(void **state)
{
    enum { N = 200000 };
    double *x = malloc(N * sizeof *x), mean = 0, square = 0, fourth = 0;
    nci_generator how = {.kind = NCI_GENERATE_NORMAL, .seed = 7};
    int counts[10] = {0};
    (void)state;
    nci_generate(&how, NCG_DTYPE_F64, 12345, N, x);
    for (int i = 0; i < N; i++) {
        mean += x[i] / N;
        square += x[i] * x[i] / N;
        fourth += x[i] * x[i] * x[i] * x[i] / N;
    }
    assert_true(fabs(mean) < 0.01);
    assert_true(fabs(square - 1) < 0.02);
    assert_true(fabs(fourth - 3) < 0.15);
    how.kind = NCI_GENERATE_UNIFORM;
    nci_generate(&how, NCG_DTYPE_F64, 0, N, x);
    for (int i = 0; i < N; i++) {
        assert_true(x[i] >= 0 && x[i] < 1);
        counts[(int)(x[i] * 10)]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 19000, 21000);
    how = (nci_generator){
        .kind = NCI_GENERATE_INTEGERS, .low = -1, .span = 3, .seed = 1};
    nci_generate(&how, NCG_DTYPE_F64, 0, N, x);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < N; i++)
        counts[(int)x[i] + 1]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 65000, 68500);
    free(x);
}


static void large_arrays_come_in_small_pieces(void **state)
{
    ncg_error err;
    int64_t shape[2] = {64, 1 << 20}, chunk[2] = {64, 1 << 20};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(2, shape, chunk);
    nci_source_form form = {"x", NCG_DTYPE_F64, &grid, NULL};
    nci_generator how = {.kind = NCI_GENERATE_RANGE, .delta = 1, .last = 1};
    nci_node *node;
    gathered g;
    (void)state;
    CHECK_OK(nci_source_from_generator(table, &form, &how, &node, &err));
    const nci_source *source = nci_source_table_get(table, node->source);
    assert_int_equal(nci_source_scratch(source), 256 << 10);
    nci_box box = {2, {3, 1000000}, {2, 2000}};
    read_box(table, node, &box, &g);
    for (int i = 0; i < 4000; i++)
        CHECK_NEAR(g.values[i],
                   (3.0 + i / 2000) * (1 << 20) + 1000000 + i % 2000, 0);
    nci_node_release(&node);
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

/* ---- chunks elsewhere ------------------------------------------------------- */

typedef struct elsewhere {
    int64_t here;  /* this chunk is at hand, as a whole */
    int64_t bytes; /* that came */
    int count;
    bool is_damaged;
} elsewhere;

/* Values of a 6 x 10 array in chunks of 4 x 3: 10 * row + column. */
static ncg_status get_part(void *ctx, const nci_fetch_request *what,
                           nci_buf **out, ncg_error *why)
{
    ncg_error err;
    elsewhere *e = ctx;
    nci_box box = what->part.box;
    int64_t row = what->key.chunk / 4 * 4, column = what->key.chunk % 4 * 3;
    assert_int_equal(what->part.itemsize, 8);
    assert_int_equal(what->part.shape[0], row ? 2 : 4);
    assert_int_equal(what->part.shape[1], column == 9 ? 1 : 3);
    if (what->key.chunk == e->here)
        box = (nci_box){2, {0, 0}, {what->part.shape[0], what->part.shape[1]}};
    int64_t n = nci_box_size(&box);
    (void)why;
    CHECK_OK(nci_buf_create((size_t)n * 8 - e->is_damaged, out, &err));
    double *values = nci_buf_data(*out);
    for (int64_t i = 0; i < n - e->is_damaged; i++)
        values[i] =
            (double)(10 * (row + box.start[0] + i / box.count[1]) + column +
                     box.start[1] + i % box.count[1]);
    e->bytes += (int64_t)nci_buf_size(*out);
    e->count++;
    return NCG_OK;
}

static ncg_status see_tile(void *ctx, const nci_tile *tile,
                           const nci_decode *decode, const nci_box *wanted,
                           ncg_error *err)
{
    (void)ctx, (void)tile, (void)decode, (void)wanted, (void)err;
    return NCG_OK;
}

static void only_the_box_comes_from_elsewhere(void **state)
{
    ncg_error err;
    int64_t shape[2] = {6, 10}, chunk[2] = {4, 3};
    nci_source_table *table = new_table();
    nci_grid grid = new_grid(2, shape, chunk);
    nci_source_form form = {"x", NCG_DTYPE_F64, &grid, NULL};
    const nci_token name = {1, 2};
    elsewhere e = {.here = -1};
    const nci_source_holder holder = {.ctx = &e, .get = get_part};
    const nci_box box = {2, {3, 1}, {2, 7}}, all = {2, {0, 0}, {6, 10}};
    const nci_box edge = {2, {4, 9}, {2, 1}};
    gathered g;
    nci_node *node;
    nci_buf *whole = NULL;
    (void)state;
    nci_source_table_set_holder(table, &holder);
    CHECK_OK(nci_source_from_remote(table, &form, name, name, &node, &err));
    const nci_source *source = nci_source_table_get(table, node->source);
    for (e.here = -1; e.here < 2; e.here += 2) {
        e.bytes = e.count = 0;
        read_box(table, node, &box, &g);
        assert_int_equal(e.count, 6);
        /* 14 values; of the chunk that is here all 12 instead of 3 */
        assert_int_equal(e.bytes, e.here < 0 ? 14 * 8 : (14 - 3 + 12) * 8);
        for (int i = 0; i < 14; i++)
            CHECK_NEAR(g.values[i], 10 * (3 + i / 7) + 1 + i % 7, 0);
    }
    e = (elsewhere){.here = -1};
    read_box(table, node, &all, &g);
    assert_int_equal(e.bytes, 60 * 8);
    CHECK_OK(nci_source_chunk(source, &edge, &whole, &err));
    assert_non_null(whole);
    CHECK_NEAR(((double *)nci_buf_data(whole))[1], 59, 0);
    nci_buf_release(&whole);
    e.is_damaged = true;
    CHECK_STATUS(NCG_ENET, nci_source_each_tile(source, &box, NULL, see_tile,
                                                NULL, &err));
    nci_source_table_set_holder(table, NULL);
    nci_node_release(&node);
    nci_grid_fini(&grid);
    nci_source_table_free(&table);
}

static void no_memory_leaves_nothing(void **state)
{
    ncg_error err;
    int64_t shape[2] = {6, 10}, chunk[2] = {4, 3};
    double values[60] = {0};
    nci_grid grid = new_grid(2, shape, chunk);
    nci_source_form form = {"x", NCG_DTYPE_F64, &grid, NULL};
    nci_generator how = {.kind = NCI_GENERATE_UNIFORM};
    nci_source_callback call = {.fill = fill_sum, .release = note_release};
    (void)state;
    for (int n = 1; n < 100; n++) {
        nci_source_table *table = new_table();
        nci_node *nodes[3] = {NULL};
        nci_buf *data;
        CHECK_OK(nci_buf_wrap(values, sizeof values, count_release, NULL,
                              &data, &err));
        releases = 0;
        nci_mem_fail_at(n);
        ncg_status st =
            nci_source_from_buffer(table, &form, data, &nodes[0], &err);
        nci_buf_release(&data);
        if (!st)
            st = nci_source_from_generator(table, &form, &how, &nodes[1],
                                           &err);
        bool began = !st;
        if (!st)
            st = nci_source_from_callback(table, &form, &call, &nodes[2], &err);
        nci_mem_fail_at(0);
        assert_true(st == NCG_OK || st == NCG_ENOMEM);
        for (int i = 0; i < 3; i++)
            nci_node_release(&nodes[i]);
        assert_int_equal(releases, 1 + began);
        nci_source_table_free(&table);
        if (!st && n > 20)
            break;
    }
    nci_grid_fini(&grid);
}

NCG_TESTS(NCG_TEST(memory_is_read_where_it_lies),
          NCG_TEST(views_outlive_the_table),
          NCG_TEST(equal_memory_is_equal_work),
          NCG_TEST(wrong_memory_is_refused),
          NCG_TEST(held_chunks_are_found_and_counted),
          NCG_TEST(held_chunks_are_not_copied),
          NCG_TEST(places_are_used_again),
          NCG_TEST(functions_fill_boxes_of_chunks),
          NCG_TEST(philox_gives_the_known_answers),
          NCG_TEST(values_do_not_depend_on_chunks),
          NCG_TEST(random_numbers_have_their_moments),
          NCG_TEST(large_arrays_come_in_small_pieces),
          NCG_TEST(only_the_box_comes_from_elsewhere),
          NCG_TEST(no_memory_leaves_nothing))
