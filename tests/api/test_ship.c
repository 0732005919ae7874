/* SPDX-License-Identifier: BSD-3-Clause */
/* Lazy arrays through bytes into another context, computed there. */
#include <sys/mman.h>

#include "api/files.h"
#include "api/handles.h"
#include "api/ship.h"
#include "base/mem.h"
#include "graph/codec_output.h"

static ncg_array *expression(ncg_context *ctx)
{
    ncg_dataset *ds = open_all(ctx), *mean = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *out = NULL;
    ncg_error err;
    how.dims = "time";
    how.by = "month";
    CHECK_OK(ncg_dataset_reduce(ds, &how, &mean, &err));
    CHECK_OK(ncg_dataset_array(mean, "tas", &out, &err));
    ncg_dataset_release(&mean);
    ncg_dataset_release(&ds);
    return out;
}

static ncg_array *send(ncg_array *x, ncg_context *to)
{
    nci_ship a = nci_ship_of(x->ctx), b = nci_ship_of(to);
    nci_codec_hooks here = nci_ship_hooks(&a), there = nci_ship_hooks(&b);
    char *bytes = NULL;
    size_t nbytes = 0, n = 0;
    nci_node **nodes = NULL;
    ncg_array *out = NULL;
    ncg_error err;
    CHECK_OK(nci_encode_nodes(&x->node, 1, &here, &bytes, &nbytes, &err));
    CHECK_OK(nci_decode_nodes(bytes, nbytes, &there, &nodes, &n, &err));
    assert_int_equal(n, 1);
    assert_true(nci_token_equal(nodes[0]->token, x->node->token));
    CHECK_OK(nci_array_wrap(to, nodes[0], &out, &err));
    nci_free(nodes);
    nci_free(bytes);
    return out;
}

/* Computes a copy in the other context and compares all bytes. */
static void check_copy(const char *what, ncg_array *x, ncg_context *to)
{
    ncg_array *y = send(x, to);
    size_t size = ncg_dtype_size(ncg_array_dtype(x));
    size_t nbytes = (size_t)ncg_array_size(x) * size;
    void *p = malloc(nbytes + 1), *q = malloc(nbytes + 1);
    ncg_error err;
    assert_int_equal(ncg_array_size(x), ncg_array_size(y));
    CHECK_OK(ncg_array_compute(x, p, nbytes, &err));
    CHECK_OK(ncg_array_compute(y, q, nbytes, &err));
    if (memcmp(p, q, nbytes))
        fail_msg("%s: the copy has other values", what);
    free(p);
    free(q);
    ncg_array_release(&y);
}

static void sent_arrays_are_computed(void **state)
{
    (void)state;
    ncg_context *a = new_context(2), *b = new_context(1);
    ncg_array *x = expression(a), *y = send(x, b);
    size_t nbytes = (size_t)ncg_array_size(x) * sizeof(float);
    void *p = malloc(nbytes), *q = malloc(nbytes);
    ncg_error err;
    CHECK_OK(ncg_array_compute(x, p, nbytes, &err));
    ncg_array_release(&x);
    ncg_context_destroy(&a);
    CHECK_OK(ncg_array_compute(y, q, nbytes, &err));
    assert_memory_equal(p, q, nbytes);
    free(p);
    free(q);
    ncg_array_release(&y);
    ncg_context_destroy(&b);
}

/* ---- every kind of node ---------------------------------------------------- */

enum { ROWS = 12, COLUMNS = 10 };
static const int64_t shape[] = {ROWS, COLUMNS}, chunks[] = {5, 4};

static ncg_status triple(const ncg_kernel_call *call, ncg_error *err)
{
    const double *in = call->inputs[0].data;
    double *out = call->output->data;
    size_t n = 1, factor = *(const uint8_t *)call->params;
    (void)err;
    for (int d = 0; d < call->output->rank; d++)
        n *= (size_t)call->output->count[d];
    for (size_t i = 0; i < n; i++)
        out[i] = (double)factor * in[i];
    return NCG_OK;
}

static ncg_array *in_memory(ncg_context *ctx)
{
    static double values[ROWS * COLUMNS];
    ncg_array *x = NULL;
    ncg_error err;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = i % 11 == 5 ? NAN : sin(i) * 100;
    CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_F64, 2, shape, chunks, values,
                                   NULL, NULL, NULL, &x, &err));
    return x;
}

static ncg_array *with_missing(ncg_context *ctx)
{
    static const int16_t values[] = {3, -7, 9, -7, 0, 5}, missing = -7;
    ncg_array *x = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_I16, 1, (int64_t[]){6},
                                   (int64_t[]){4}, values, &missing, NULL, NULL,
                                   &x, &err));
    return x;
}

static ncg_array *persisted(ncg_context *ctx, ncg_array *x)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *mean = NULL;
    ncg_collection kept;
    ncg_error err;
    CHECK_OK(ncg_array_reduce(x, (int[]){0}, 1, &how, &mean, &err));
    ncg_collection lazy = ncg_array_collection(mean);
    CHECK_OK(ncg_persist(ctx, &lazy, 1, &kept, &err));
    ncg_array_release(&mean);
    return kept.self;
}

static void sources_without_files_are_sent(void **state)
{
    (void)state;
    ncg_context *a = new_context(2), *b = new_context(1);
    static const float value = 2.5F;
    ncg_array *x[9] = {in_memory(a), with_missing(a)};
    ncg_error err;
    CHECK_OK(ncg_array_full(a, NCG_DTYPE_F32, 2, shape, chunks, &value, &x[2],
                            &err));
    CHECK_OK(ncg_array_arange(a, NCG_DTYPE_I32, -5, 400, 3, 40, &x[3], &err));
    CHECK_OK(ncg_array_linspace(a, NCG_DTYPE_F64, 0, 1, 77, true, 10, &x[4],
                                &err));
    CHECK_OK(ncg_array_random(a, NCG_RANDOM_UNIFORM, 7, NCG_DTYPE_F32, 2, shape,
                              chunks, &x[5], &err));
    CHECK_OK(ncg_array_random(a, NCG_RANDOM_NORMAL, UINT64_MAX, NCG_DTYPE_F64,
                              2, shape, chunks, &x[6], &err));
    CHECK_OK(ncg_array_random_integers(a, -9, INT64_MAX, 3, NCG_DTYPE_I64, 2,
                                       shape, chunks, &x[7], &err));
    x[8] = persisted(a, x[0]);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        char what[32];
        snprintf(what, sizeof what, "source %zu", i);
        check_copy(what, x[i], b);
        ncg_array_release(&x[i]);
    }
    ncg_context_destroy(&a);
    ncg_context_destroy(&b);
}

/* Sent twice, values are there once, and gone with the last array. */
static void values_sent_again_are_found(void **state)
{
    (void)state;
    ncg_context *a = new_context(1), *b = new_context(1);
    ncg_array *x = in_memory(a), *y = send(x, b), *z = send(x, b);
    assert_int_equal(y->node->source, z->node->source);
    assert_int_equal(nci_source_table_held(b->sources),
                     ROWS * COLUMNS * sizeof(double));
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_array_release(&z);
    assert_int_equal(nci_source_table_held(b->sources), 0);
    ncg_context_destroy(&a);
    ncg_context_destroy(&b);
}

typedef ncg_status (*operation)(ncg_array *x, ncg_array **out, ncg_error *err);

static ncg_status op_select(ncg_array *x, ncg_array **out, ncg_error *err)
{
    static const int64_t list[] = {7, 0, 0, 3};
    const ncg_index index[] = {
        {.kind = NCG_INDEX_LIST, .list = list, .count = 4},
        {.kind = NCG_INDEX_SLICE, .start = NCG_OMIT, .stop = NCG_OMIT,
         .step = -2}};
    return ncg_array_index(x, index, 2, out, err);
}

static ncg_status op_map(ncg_array *x, ncg_array **out, ncg_error *err)
{
    ncg_array *t = NULL, *pair[] = {x, NULL};
    ncg_status st = ncg_array_map("isnan", &x, 1, &t, err);
    if (!st)
        st = ncg_array_cast(t, NCG_DTYPE_I16, &pair[1], err);
    if (!st)
        st = ncg_array_map("subtract", pair, 2, out, err);
    ncg_array_release(&t);
    ncg_array_release(&pair[1]);
    return st;
}

static ncg_status op_group(ncg_array *x, ncg_array **out, ncg_error *err)
{
    static const int32_t labels[ROWS] = {0, 1, 2, 0, 1, 2, -1, 2, 1, 0, 0, 0};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    how.op = NCG_OP_STD;
    how.ddof = 1;
    return ncg_array_groupby(x, NULL, 0, labels, 3, &how, out, err);
}

static ncg_status op_weighted(ncg_array *x, ncg_array **out, ncg_error *err)
{
    ncg_array *row = NULL;
    ncg_status st = ncg_array_slice(x, 0, 1, 2, 1, &row, err);
    if (!st)
        st = ncg_array_weighted(x, row, (int[]){0}, 1, NULL, out, err);
    ncg_array_release(&row);
    return st;
}

static ncg_status op_rechunk(ncg_array *x, ncg_array **out, ncg_error *err)
{
    return ncg_array_rechunk(x, (int64_t[]){-1, 3}, out, err);
}

static ncg_status op_join(ncg_array *x, ncg_array **out, ncg_error *err)
{
    ncg_array *pair[] = {x, x};
    return ncg_array_concatenate(pair, 2, 1, out, err);
}

static ncg_status op_pad(ncg_array *x, ncg_array **out, ncg_error *err)
{
    return ncg_array_pad(x, (int64_t[]){1, 2}, (int64_t[]){3, 0}, "reflect",
                         NULL, out, err);
}

static ncg_status op_reshape(ncg_array *x, ncg_array **out, ncg_error *err)
{
    return ncg_array_reshape(x, 3, (int64_t[]){3, 4, -1}, out, err);
}

static ncg_status op_scan(ncg_array *x, ncg_array **out, ncg_error *err)
{
    return ncg_array_scan(x, NCG_SCAN_FFILL, 1, true, 2, out, err);
}

static ncg_status op_sort(ncg_array *x, ncg_array **out, ncg_error *err)
{
    return ncg_array_sort(x, 0, out, err);
}

static ncg_status op_quantile(ncg_array *x, ncg_array **out, ncg_error *err)
{
    return ncg_array_quantile(x, (double[]){0.1, 0.75}, 2, (int[]){1}, 1, NULL,
                              out, err);
}

static ncg_status op_rolling(ncg_array *x, ncg_array **out, ncg_error *err)
{
    ncg_window_options how = NCG_WINDOW_OPTIONS_INIT;
    how.min_count = 1;
    return ncg_array_rolling(x, 0, 4, &how, out, err);
}

static ncg_status op_coarsen(ncg_array *x, ncg_array **out, ncg_error *err)
{
    return ncg_array_coarsen(x, (int64_t[]){4, 5}, NULL, out, err);
}

static ncg_status op_product(ncg_array *x, ncg_array **out, ncg_error *err)
{
    return ncg_array_tensordot(x, x, (int[]){0}, (int[]){0}, 1, out, err);
}

static ncg_status op_kernel(ncg_array *x, ncg_array **out, ncg_error *err)
{
    ncg_block_options how = NCG_BLOCK_OPTIONS_INIT;
    static const uint8_t factor = 3;
    how.params = &factor;
    how.nparams = 1;
    return ncg_array_map_blocks("org.example.triple/1", &x, 1, &how, out, err);
}

static const struct {
    const char *name;
    operation op;
} operations[] = {
    {"select", op_select},   {"map", op_map},
    {"group", op_group},     {"weighted", op_weighted},
    {"rechunk", op_rechunk}, {"concatenate", op_join},
    {"pad", op_pad},         {"reshape", op_reshape},
    {"scan", op_scan},       {"sort", op_sort},
    {"quantile", op_quantile}, {"rolling", op_rolling},
    {"coarsen", op_coarsen}, {"tensordot", op_product},
    {"kernel", op_kernel},
};

static void every_operation_is_sent(void **state)
{
    (void)state;
    const char *kernel = "org.example.triple/1";
    ncg_context *a = new_context(2), *b = new_context(1);
    ncg_array *x = in_memory(a), *y = NULL;
    ncg_error err;
    CHECK_OK(ncg_kernel_register(a, kernel, triple, NULL, &err));
    CHECK_OK(ncg_kernel_register(b, kernel, triple, NULL, &err));
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        CHECK_OK(operations[i].op(x, &y, &err));
        check_copy(operations[i].name, y, b);
        ncg_array_release(&y);
    }
    ncg_array_release(&x);
    ncg_context_destroy(&a);
    ncg_context_destroy(&b);
}

/* ---- what is refused ---------------------------------------------------------- */

static ncg_status fill(void *payload, const int64_t *start,
                       const int64_t *count, void *out, ncg_error *err)
{
    (void)payload, (void)start, (void)err;
    memset(out, 0, (size_t)(count[0] * count[1]) * sizeof(double));
    return NCG_OK;
}

static void check_refused(ncg_array *x, const char *part)
{
    nci_ship from = nci_ship_of(x->ctx);
    nci_codec_hooks here = nci_ship_hooks(&from);
    char *bytes = NULL;
    size_t nbytes = 0;
    ncg_error err;
    CHECK_STATUS(NCG_EUNSUPPORTED,
                 nci_encode_nodes(&x->node, 1, &here, &bytes, &nbytes, &err));
    CHECK_MESSAGE(part);
    assert_null(bytes);
}

static void unmap(void *data, void *payload)
{
    munmap(data, *(size_t *)payload);
}

static void functions_and_much_memory_stay_here(void **state)
{
    (void)state;
    static size_t size = ((size_t)2 << 30) + 4096;
    ncg_context *a = new_context(1);
    ncg_array *x = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_from_callback(a, "org.example.field/1", NCG_DTYPE_F64, 2,
                                     shape, chunks, NULL, fill, NULL, NULL, &x,
                                     &err));
    check_refused(x, "org.example.field/1 is made by a function");
    ncg_array_release(&x);
    void *memory = mmap(NULL, size, PROT_READ,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED); /* only its addresses are used */
    CHECK_OK(ncg_array_from_memory(a, NCG_DTYPE_U8, 1, (int64_t[]){(int64_t)size},
                                   NULL, memory, NULL, unmap, &size, &x, &err));
    check_refused(x, "2.1 GB in the memory of this program; no more than 2 GB");
    ncg_array_release(&x);
    ncg_context_destroy(&a);
}

/* Any byte may be wrong, and any may be missing: never a crash. */
static void damaged_values_are_told(void **state)
{
    (void)state;
    ncg_context *a = new_context(1), *b = new_context(1);
    ncg_array *x[3] = {in_memory(a), NULL, NULL};
    ncg_error err;
    nci_node *roots[3], **nodes = NULL;
    CHECK_OK(ncg_array_random(a, NCG_RANDOM_NORMAL, 7, NCG_DTYPE_F32, 2, shape,
                              chunks, &x[1], &err));
    x[2] = persisted(a, x[0]);
    for (int i = 0; i < 3; i++)
        roots[i] = x[i]->node;
    nci_ship from = nci_ship_of(a), to = nci_ship_of(b);
    nci_codec_hooks here = nci_ship_hooks(&from), there = nci_ship_hooks(&to);
    char *bytes = NULL;
    size_t nbytes = 0, n = 0;
    CHECK_OK(nci_encode_nodes(roots, 3, &here, &bytes, &nbytes, &err));
    for (size_t i = 0; i < 2 * nbytes; i++) {
        size_t size = i < nbytes ? nbytes : i - nbytes;
        if (i < nbytes)
            bytes[i] = (char)(bytes[i] + 1);
        if (!nci_decode_nodes(bytes, size, &there, &nodes, &n, &err)) {
            assert_true(i < nbytes);
            for (size_t k = 0; k < n; k++)
                nci_node_release(&nodes[k]);
            nci_free(nodes);
        }
        if (i < nbytes)
            bytes[i] = (char)(bytes[i] - 1);
    }
    assert_int_equal(nci_source_table_held(b->sources), 0);
    nci_free(bytes);
    for (int i = 0; i < 3; i++)
        ncg_array_release(&x[i]);
    ncg_context_destroy(&a);
    ncg_context_destroy(&b);
}

static void changed_files_are_told(void **state)
{
    (void)state;
    ncg_context *a = new_context(1), *b = new_context(1);
    ncg_array *x = expression(a);
    nci_ship from = nci_ship_of(a), to = nci_ship_of(b);
    nci_codec_hooks here = nci_ship_hooks(&from), there = nci_ship_hooks(&to);
    char *bytes = NULL;
    size_t nbytes = 0, n = 0;
    nci_node **nodes = NULL;
    ncg_error err;
    CHECK_OK(nci_encode_nodes(&x->node, 1, &here, &bytes, &nbytes, &err));
    /* Any byte may be wrong: never a crash. */
    for (size_t i = 0; i < nbytes; i += 3) {
        char was = bytes[i];
        bytes[i] = (char)(was + 1);
        if (!nci_decode_nodes(bytes, nbytes, &there, &nodes, &n, &err)) {
            for (size_t k = 0; k < n; k++)
                nci_node_release(&nodes[k]);
            nci_free(nodes);
        }
        bytes[i] = was;
    }
    write_file(0);
    CHECK_STATUS(NCG_EMISMATCH,
                 nci_decode_nodes(bytes, nbytes, &there, &nodes, &n, &err));
    CHECK_MESSAGE("is not the file it was");
    nci_free(bytes);
    ncg_array_release(&x);
    ncg_context_destroy(&b);
    ncg_context_destroy(&a);
}

/* The plan of two outputs, one of them some chunks of the array only. */
static void sent_plans_are_the_same(void **state)
{
    (void)state;
    ncg_context *a = new_context(2), *b = new_context(1);
    ncg_array *x = expression(a);
    nci_ship from = nci_ship_of(a), to = nci_ship_of(b);
    nci_codec_hooks here = nci_ship_hooks(&from), there = nci_ship_hooks(&to);
    const nci_node *node = x->node;
    int64_t chunk[NCG_MAX_RANK], some[] = {0, 1};
    nci_grid grid;
    char *bytes = NULL;
    size_t nbytes = 0;
    nci_plan *plan = NULL, *copy = NULL;
    ncg_error err;
    for (int d = 0; d < node->rank; d++)
        chunk[d] = d < node->rank - 1 ? node->shape[d] : 1;
    CHECK_OK(nci_grid_regular(node->rank, node->shape, chunk, &grid, &err));
    nci_output outputs[2] = {
        {.node = x->node, .dtype = NCG_DTYPE_F64, .grid = &grid},
        {.node = x->node, .dtype = node->dtype, .grid = &grid, .list = some,
         .nlist = 2}};
    CHECK_OK(nci_lower(outputs, 2, &plan, &err));
    CHECK_OK(nci_encode_outputs(outputs, 2, NULL, NULL, &here, &bytes, &nbytes, &err));
    CHECK_OK(nci_decode_plan(bytes, nbytes, &there, &copy, &err));
    assert_int_equal(plan->ntasks, copy->ntasks);
    assert_true(nci_token_equal(nci_plan_hash(plan), nci_plan_hash(copy)));
    nci_plan_free(&copy);
    for (size_t i = 0; i < nbytes; i++) {
        char was = bytes[i];
        bytes[i] = (char)(was ^ 0x41);
        if (!nci_decode_plan(bytes, nbytes, &there, &copy, &err))
            nci_plan_free(&copy);
        CHECK_STATUS(NCG_ECORRUPT,
                     nci_decode_plan(bytes, i, &there, &copy, &err));
        bytes[i] = was;
    }
    nci_free(bytes);
    nci_plan_free(&plan);
    nci_grid_fini(&grid);
    ncg_array_release(&x);
    ncg_context_destroy(&b);
    ncg_context_destroy(&a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(sent_arrays_are_computed),
        NCG_TEST(sources_without_files_are_sent),
        NCG_TEST(values_sent_again_are_found),
        NCG_TEST(every_operation_is_sent),
        NCG_TEST(functions_and_much_memory_stay_here),
        NCG_TEST(damaged_values_are_told),
        NCG_TEST(sent_plans_are_the_same),
        NCG_TEST(changed_files_are_told)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
