/* SPDX-License-Identifier: BSD-3-Clause */
/* Results that stay in the engine: found again, counted, let go. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "api/handles.h"
#include "api/protocol.h"
#include "base/mem.h"
#include "engine/source.h"
#include "test.h"

enum { NY = 1000, NX = 777, N = NY * NX };

static int calls; /* boxes that were filled; one thread in these tests */

static ncg_status fill(void *payload, const int64_t *start,
                       const int64_t *count, void *out, ncg_error *err)
{
    double *x = out;
    (void)payload, (void)err;
    calls++;
    for (int64_t i = 0; i < count[0]; i++)
        for (int64_t j = 0; j < count[1]; j++)
            *x++ = (double)((start[0] + i) * 3 + (start[1] + j) * 7 % 11);
    return NCG_OK;
}

static ncg_context *new_context(int64_t limit)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx;
    ncg_error err;
    options.threads = 1;
    options.memory_limit = limit;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    return ctx;
}

static ncg_array *field(ncg_context *ctx)
{
    int64_t shape[2] = {NY, NX}, chunks[2] = {300, 100};
    ncg_array *x;
    ncg_error err;
    CHECK_OK(ncg_array_from_callback(ctx, "test.field/1", NCG_DTYPE_F64, 2,
                                     shape, chunks, NULL, fill, NULL, NULL, &x,
                                     &err));
    return x;
}

static ncg_array *reduce(ncg_array *array, ncg_op op, int axis)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *out;
    ncg_error err;
    how.op = op;
    CHECK_OK(ncg_array_reduce(array, &axis, 1, &how, &out, &err));
    return out;
}

static ncg_array *square(ncg_array *x)
{
    ncg_array *out;
    ncg_array *both[2] = {x, x};
    ncg_error err;
    CHECK_OK(ncg_array_map("multiply", both, 2, &out, &err));
    return out;
}

static double *values(ncg_array *array)
{
    ncg_error err;
    size_t nbytes = (size_t)ncg_array_size(array) * 8;
    double *out = malloc(nbytes);
    CHECK_OK(ncg_array_compute(array, out, nbytes, &err));
    return out;
}

static void check_same(ncg_array *array, const double *expected)
{
    double *own = values(array);
    assert_memory_equal(own, expected, (size_t)ncg_array_size(array) * 8);
    free(own);
}

static void persisted_results_are_used_again(void **state)
{
    ncg_context *ctx = new_context(0);
    ncg_array *x = field(ctx), *x2 = square(x), *sum = reduce(x2, NCG_OP_SUM, 0);
    ncg_array *part;
    nci_node *kept[2] = {NULL}, *wanted[2] = {x2->node, sum->node};
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_error err;
    (void)state;
    double *expected = values(x2), *sums = values(sum);
    calls = 0;
    CHECK_OK(nci_context_persist(ctx, wanted, 2, NULL, kept, &err));
    int once = calls;
    assert_true(once > 0);
    for (int i = 0; i < 2; i++)
        assert_true(nci_token_equal(kept[i]->token, wanted[i]->token));
    ncg_context_stats(ctx, &stats);
    assert_int_equal(stats.memory_held, (N + NX) * 8);
    assert_int_equal(stats.memory_managed, (N + NX) * 8);
    /* Expressions made before and after find them. */
    check_same(x2, expected);
    check_same(sum, sums);
    CHECK_OK(ncg_array_slice(x2, 0, 10, 20, 3, &part, &err));
    double *some = values(part);
    for (int i = 0; i < 4 * NX; i++)
        CHECK_NEAR(some[i], expected[(10 + i / NX * 3) * NX + i % NX], 0);
    free(some);
    ncg_array *again = square(x), *top = reduce(again, NCG_OP_MAX, 1);
    free(values(top));
    assert_int_equal(calls, once);
    ncg_array_release(&top);
    ncg_array_release(&again);
    ncg_array_release(&part);
    /* Twice the same is held once. */
    nci_node *more[2] = {NULL};
    CHECK_OK(nci_context_persist(ctx, wanted, 2, NULL, more, &err));
    assert_int_equal(calls, once);
    assert_int_equal(nci_source_table_held(ctx->sources), (N + NX) * 8);
    for (int i = 0; i < 2; i++) {
        nci_node_release(&more[i]);
        nci_node_release(&kept[i]);
    }
    assert_int_equal(nci_source_table_held(ctx->sources), 0);
    check_same(x2, expected);
    assert_true(calls > once);
    free(expected);
    free(sums);
    ncg_array_release(&sum);
    ncg_array_release(&x2);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static void equal_arrays_are_computed_once(void **state)
{
    ncg_context *ctx = new_context(0);
    ncg_array *x = field(ctx), *a = square(x), *b = square(x);
    nci_node *wanted[3] = {a->node, b->node, a->node}, *kept[3];
    ncg_error err;
    (void)state;
    CHECK_OK(nci_context_persist(ctx, wanted, 3, NULL, kept, &err));
    assert_int_equal(nci_source_table_held(ctx->sources), N * 8);
    for (int i = 0; i < 3; i++) {
        assert_non_null(kept[i]);
        nci_node_release(&kept[i]);
    }
    ncg_array_release(&a);
    ncg_array_release(&b);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* A limit of a little more than one array: the second one does not fit beside
 * it, and does when the first one is gone, to disk or for good. */
static void held_bytes_count_against_the_limit(void **state)
{
    ncg_context *ctx = new_context(INT64_C(12) << 20);
    ncg_array *x = field(ctx), *x2 = square(x), *x4 = square(x2);
    nci_node *first = NULL, *second = NULL, *want = x2->node;
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_error err;
    (void)state;
    CHECK_OK(nci_context_persist(ctx, &want, 1, NULL, &first, &err));
    want = x4->node;
    CHECK_OK(nci_context_persist(ctx, &want, 1, NULL, &second, &err));
    ncg_context_stats(ctx, &stats);
    assert_true(stats.peak_memory <= INT64_C(12) << 20);
    assert_true(stats.held_on_disk > 0);
    assert_int_equal(stats.bytes_spilled, stats.held_on_disk);
    assert_int_equal(stats.memory_held + stats.held_on_disk,
                     2 * ncg_array_size(x2) * (int64_t)sizeof(double));
    nci_node_release(&second);
    nci_node_release(&first);
    ncg_context_stats(ctx, &stats);
    assert_int_equal(stats.held_on_disk, 0);
    assert_int_equal(stats.memory_held, 0);
    CHECK_OK(nci_context_persist(ctx, &want, 1, NULL, &second, &err));
    nci_node_release(&second);
    ncg_array_release(&x4);
    ncg_array_release(&x2);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* ---- a run that waits for another thread's --------------------------------
 */

typedef struct waiting {
    ncg_context *ctx;
    pthread_t thread;
    bool is_started; /* by the first box of what is persisted */
    _Atomic bool is_coming;
    int64_t held; /* when its own first box was filled; -1: was not yet */
    ncg_status status;
} waiting;

static ncg_status note_held(void *payload, const int64_t *start,
                            const int64_t *count, void *out, ncg_error *err)
{
    waiting *w = payload;
    ncg_stats stats = {.struct_size = sizeof stats};
    (void)start, (void)err;
    ncg_context_stats(w->ctx, &stats);
    if (w->held < 0)
        w->held = stats.memory_held;
    memset(out, 0, (size_t)count[0] * sizeof(double));
    return NCG_OK;
}

static void *compute_beside(void *payload)
{
    waiting *w = payload;
    const int64_t shape[1] = {8};
    ncg_array *x = NULL;
    double values[8];
    ncg_error err;
    w->status = ncg_array_from_callback(w->ctx, "test.beside/1", NCG_DTYPE_F64,
                                        1, shape, shape, NULL, note_held, NULL,
                                        w, &x, &err);
    atomic_store(&w->is_coming, true);
    if (!w->status)
        w->status = ncg_array_compute(x, values, sizeof values, &err);
    ncg_array_release(&x);
    return NULL;
}

static ncg_status fill_and_start(void *payload, const int64_t *start,
                                 const int64_t *count, void *out,
                                 ncg_error *err)
{
    waiting *w = payload;
    if (!w->is_started) {
        w->is_started = true;
        if (pthread_create(&w->thread, NULL, compute_beside, w))
            return nci_fail(err, NCG_ENOMEM, "no thread");
        while (!atomic_load(&w->is_coming))
            usleep(1000);
        usleep(20000); /* likely it waits for its turn by now */
    }
    return fill(NULL, start, count, out, err);
}

/* It begins when the chunks of the first one are held, not before. */
static void a_run_that_waited_knows_what_is_held(void **state)
{
    waiting w = {.ctx = new_context(0), .held = -1};
    int64_t shape[2] = {NY, NX}, chunks[2] = {300, 100};
    ncg_array *x = NULL;
    nci_node *want, *kept = NULL;
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_array_from_callback(w.ctx, "test.first/1", NCG_DTYPE_F64, 2,
                                     shape, chunks, NULL, fill_and_start, NULL,
                                     &w, &x, &err));
    want = x->node;
    CHECK_OK(nci_context_persist(w.ctx, &want, 1, NULL, &kept, &err));
    assert_int_equal(pthread_join(w.thread, NULL), 0);
    assert_int_equal(w.status, NCG_OK);
    assert_int_equal(w.held, N * 8);
    nci_node_release(&kept);
    ncg_array_release(&x);
    ncg_context_destroy(&w.ctx);
}

/* What is in memory already is not kept a second time. */
static void memory_is_not_kept_twice(void **state)
{
    ncg_context *ctx = new_context(0);
    double *data = calloc(N, sizeof *data);
    int64_t shape[2] = {NY, NX}, none[1] = {0};
    ncg_array *x, *empty;
    nci_node *kept[2], *want[2];
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_F64, 2, shape, NULL, data,
                                   NULL, NULL, NULL, &x, &err));
    CHECK_OK(ncg_array_full(ctx, NCG_DTYPE_F64, 1, none, NULL, data, &empty,
                            &err));
    want[0] = x->node;
    want[1] = empty->node;
    CHECK_OK(nci_context_persist(ctx, want, 2, NULL, kept, &err));
    assert_ptr_equal(kept[0], x->node);
    assert_ptr_equal(kept[1], empty->node);
    assert_int_equal(nci_source_table_held(ctx->sources), 0);
    nci_node_release(&kept[0]);
    nci_node_release(&kept[1]);
    ncg_array_release(&empty);
    ncg_array_release(&x);
    free(data);
    ncg_context_destroy(&ctx);
}

static void no_memory_leaves_nothing(void **state)
{
    ncg_context *ctx = new_context(0);
    ncg_array *x = field(ctx), *x2 = square(x), *s = reduce(x2, NCG_OP_STD, 1);
    nci_node *want[2] = {x2->node, s->node}, *kept[2] = {NULL};
    ncg_error err;
    ncg_status st = NCG_ENOMEM;
    (void)state;
    for (int n = 1; st == NCG_ENOMEM && n < 5000; n += 1 + n / 20) {
        nci_mem_fail_at(n);
        st = nci_context_persist(ctx, want, 2, NULL, kept, &err);
        nci_mem_fail_at(0);
        if (st) {
            assert_int_equal(st, NCG_ENOMEM);
            assert_null(kept[0]);
            assert_int_equal(nci_source_table_held(ctx->sources), 0);
        }
    }
    assert_int_equal(st, NCG_OK);
    nci_node_release(&kept[0]);
    nci_node_release(&kept[1]);
    ncg_array_release(&s);
    ncg_array_release(&x2);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

NCG_TESTS(NCG_TEST(persisted_results_are_used_again),
          NCG_TEST(equal_arrays_are_computed_once),
          NCG_TEST(held_bytes_count_against_the_limit),
          NCG_TEST(a_run_that_waited_knows_what_is_held),
          NCG_TEST(memory_is_not_kept_twice),
          NCG_TEST(no_memory_leaves_nothing))
