/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions that a computation calls and that themselves compute, wait or
 * cancel in the same context: none of them may hang. */
#include <sched.h>
#include <stdatomic.h>

#include "api/files.h"

enum { SIZE = 6, CHUNK = 2 };

static ncg_context *ctx;

static ncg_array *numbers(void)
{
    static const double values[SIZE] = {1, 2, 3, 4, 5, 6};
    ncg_array *x = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_F64, 1, (int64_t[]){SIZE},
                                   (int64_t[]){CHUNK}, values, NULL, NULL, NULL,
                                   &x, &err));
    return x;
}

static ncg_status compute_numbers(ncg_error *err)
{
    double values[SIZE];
    ncg_array *x = numbers();
    ncg_status st = ncg_array_compute(x, values, sizeof values, err);
    ncg_array_release(&x);
    return st;
}

static ncg_status fill_computes(void *payload, const int64_t *start,
                                const int64_t *count, void *out, ncg_error *err)
{
    (void)payload, (void)start, (void)count, (void)out;
    return compute_numbers(err);
}

static ncg_status kernel_computes(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call;
    return compute_numbers(err);
}

static ncg_status task_computes(const ncg_task_call *call, ncg_error *err)
{
    (void)call;
    return compute_numbers(err);
}

static ncg_status chunk_computes(const ncg_chunk *chunk, void *payload,
                                 ncg_error *err)
{
    (void)chunk, (void)payload;
    return compute_numbers(err);
}

static ncg_array *filled(ncg_fill_fn fill)
{
    ncg_array *x = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_from_callback(ctx, NULL, NCG_DTYPE_F64, 1,
                                     (int64_t[]){SIZE}, (int64_t[]){CHUNK},
                                     NULL, fill, NULL, NULL, &x, &err));
    return x;
}

#define REFUSED(call)                                                          \
    do {                                                                       \
        CHECK_STATUS(NCG_EINVAL, call);                                        \
        CHECK_MESSAGE("cannot compute in the same context");                   \
    } while (0)

static int set_up(void **state)
{
    (void)state;
    ctx = new_context(2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ncg_context_destroy(&ctx);
    return 0;
}

/* ---- computing inside
 * -------------------------------------------------------- */

static void sources_and_kernels_do_not_compute(void **state)
{
    double values[SIZE];
    ncg_array *x = filled(fill_computes), *y = numbers(), *z = NULL;
    ncg_error err;
    (void)state;
    REFUSED(ncg_array_compute(x, values, sizeof values, &err));
    CHECK_OK(ncg_kernel_register(ctx, "org.example.inner/1", kernel_computes,
                                 NULL, &err));
    CHECK_OK(
        ncg_array_map_blocks("org.example.inner/1", &y, 1, NULL, &z, &err));
    REFUSED(ncg_array_compute(z, values, sizeof values, &err));
    REFUSED(ncg_array_each_chunk(y, chunk_computes, NULL, &err));
    CHECK_OK(ncg_array_compute(y, values, sizeof values, &err));
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_array_release(&z);
}

static void tasks_do_not_compute(void **state)
{
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    CHECK_OK(
        ncg_tasks_add(tasks, "a", task_computes, NULL, NULL, 0, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_OK(ncg_keys_tasks(tasks, &keys, &err));
    REFUSED(ncg_get_threads(ctx, graph, keys, &results, &err));
    REFUSED(ncg_get_serial(ctx, graph, keys, &results, &err));
    assert_null(results);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
}

/* In another context they may, and come back to find their own taken. */
static ncg_status fill_elsewhere(void *payload, const int64_t *start,
                                 const int64_t *count, void *out,
                                 ncg_error *err)
{
    ncg_context *here = ctx;
    ctx = payload;
    ncg_status st = compute_numbers(err);
    ctx = here;
    for (int64_t i = 0; i < *count; i++)
        ((double *)out)[i] = (double)(*start + i);
    return st;
}

static void other_contexts_compute(void **state)
{
    double values[SIZE];
    ncg_context *other = new_context(1);
    ncg_array *x = NULL;
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_array_from_callback(ctx, NULL, NCG_DTYPE_F64, 1,
                                     (int64_t[]){SIZE}, (int64_t[]){SIZE}, NULL,
                                     fill_elsewhere, NULL, other, &x, &err));
    CHECK_OK(ncg_array_compute(x, values, sizeof values, &err));
    CHECK_NEAR(values[SIZE - 1], SIZE - 1, 0);
    ncg_array_release(&x);
    ncg_context_destroy(&other);
}

/* ---- waiting and cancelling inside
 * --------------------------------------------- */

static _Atomic(ncg_run *) submitted;

/* May be called before ncg_submit is back. */
static void wait_for_run(const ncg_key *key, void *payload)
{
    ncg_run *run;
    (void)key;
    while (!(run = atomic_load(&submitted)))
        sched_yield();
    *(ncg_run_state *)payload = ncg_run_wait(run, -1);
}

static void waiting_for_oneself_ends(void **state)
{
    ncg_submit_options options = NCG_SUBMIT_OPTIONS_INIT;
    ncg_run_state seen = NCG_RUN_QUEUED;
    ncg_array *x = numbers();
    ncg_collection c = ncg_array_collection(x);
    ncg_run *run = NULL;
    ncg_error err;
    (void)state;
    options.key_done = wait_for_run;
    options.key_done_payload = &seen;
    CHECK_OK(ncg_submit(ctx, &c, 1, &options, &run, &err));
    atomic_store(&submitted, run);
    assert_int_equal(ncg_run_wait(run, -1), NCG_RUN_DONE);
    assert_int_equal(seen, NCG_RUN_RUNNING);
    ncg_run_release(&run);
    ncg_array_release(&x);
}

static ncg_status fill_cancels(void *payload, const int64_t *start,
                               const int64_t *count, void *out, ncg_error *err)
{
    (void)payload, (void)start, (void)err;
    memset(out, 0, (size_t)*count * sizeof(double));
    ncg_context_cancel(ctx);
    return NCG_OK;
}

/* However short it is; and the one after it is not meant. */
static void cancel_meets_the_running_computation(void **state)
{
    double values[SIZE];
    ncg_array *x = filled(fill_cancels), *y = numbers();
    ncg_error err;
    (void)state;
    CHECK_STATUS(NCG_ECANCELED,
                 ncg_array_compute(x, values, sizeof values, &err));
    CHECK_OK(ncg_array_compute(y, values, sizeof values, &err));
    ncg_context_cancel(ctx);
    CHECK_STATUS(NCG_ECANCELED,
                 ncg_array_compute(y, values, sizeof values, &err));
    CHECK_OK(ncg_array_compute(y, values, sizeof values, &err));
    ncg_array_release(&x);
    ncg_array_release(&y);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(sources_and_kernels_do_not_compute),
        NCG_TEST(tasks_do_not_compute), NCG_TEST(other_contexts_compute),
        NCG_TEST(waiting_for_oneself_ends),
        NCG_TEST(cancel_meets_the_running_computation)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
