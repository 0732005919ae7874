/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs that are submitted: waited for, polled, canceled, looked into. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "api/files.h"
#include "api/job.h"

/* ---- tasks to wait for
 * ---------------------------------------------------------- */

static atomic_int started, permitted, failures_left, calls;

static void reset(void)
{
    atomic_store(&started, 0);
    atomic_store(&permitted, 0);
    atomic_store(&failures_left, 0);
    atomic_store(&calls, 0);
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* Waits until the test permits it. */
static ncg_status gate(const ncg_task_call *call, ncg_error *err)
{
    (void)call, (void)err;
    atomic_fetch_add(&started, 1);
    while (!atomic_load(&permitted))
        nap();
    return NCG_OK;
}

static ncg_status step(const ncg_task_call *call, ncg_error *err)
{
    (void)call, (void)err;
    atomic_fetch_add(&calls, 1);
    return NCG_OK;
}

static ncg_status flaky(const ncg_task_call *call, ncg_error *err)
{
    (void)call;
    atomic_fetch_add(&calls, 1);
    if (atomic_fetch_sub(&failures_left, 1) <= 0)
        return NCG_OK;
    snprintf(err->message, sizeof err->message, "the disk hums");
    return NCG_EIO;
}

/* "last" needs "first". */
static ncg_collection new_job(ncg_task_fn first, ncg_task_fn last)
{
    const char *deps[] = {"first"};
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_error err;
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    CHECK_OK(ncg_tasks_add(tasks, "first", first, NULL, NULL, 0, NULL, &err));
    CHECK_OK(ncg_tasks_add(tasks, "last", last, NULL, deps, 1, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_OK(ncg_keys_tasks(tasks, &keys, &err));
    ncg_collection c = job_make(graph, keys);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    return c;
}

static ncg_run *submit(ncg_context *ctx, ncg_collection c,
                       const ncg_submit_options *options)
{
    ncg_run *run = NULL;
    ncg_error err;
    CHECK_OK(ncg_submit(ctx, &c, 1, options, &run, &err));
    c.type->release(c.self); /* the run has its own */
    return run;
}

static void wait_for_start(void)
{
    while (!atomic_load(&started))
        nap();
}

/* ---- tests
 * ------------------------------------------------------------------------- */

static void runs_wait_in_a_queue(void **state)
{
    (void)state;
    reset();
    ncg_context *ctx = new_context(2);
    ncg_run *a = submit(ctx, new_job(gate, step), NULL);
    ncg_run *b = submit(ctx, new_job(step, step), NULL);
    void *result = NULL;
    ncg_error err;
    wait_for_start();
    assert_int_equal(ncg_run_poll(a), NCG_RUN_RUNNING);
    assert_int_equal(ncg_run_poll(b), NCG_RUN_QUEUED);
    assert_int_equal(ncg_run_wait(a, 0.01), NCG_RUN_RUNNING);
    CHECK_STATUS(NCG_EINVAL, ncg_run_results(a, &result, &err));
    CHECK_MESSAGE("not ended");
    atomic_store(&permitted, 1);
    assert_int_equal(ncg_run_wait(b, -1), NCG_RUN_DONE);
    assert_int_equal(ncg_run_poll(a), NCG_RUN_DONE);
    assert_int_equal(atomic_load(&calls), 3);
    CHECK_OK(ncg_run_results(a, &result, &err));
    drop_results(result);
    CHECK_STATUS(NCG_EINVAL, ncg_run_results(a, &result, &err));
    assert_null(ncg_run_error_key(a));
    CHECK_STATUS(NCG_EINVAL, ncg_run_recompute_failed(a, &err));
    ncg_run_release(&a);
    ncg_run_release(&b); /* results that nobody took are dropped */
    ncg_context_destroy(&ctx);
}

static void runs_are_canceled(void **state)
{
    (void)state;
    reset();
    ncg_context *ctx = new_context(2);
    ncg_run *a = submit(ctx, new_job(gate, step), NULL);
    ncg_run *b = submit(ctx, new_job(step, step), NULL);
    void *result = NULL;
    ncg_error err;
    wait_for_start();
    ncg_run_cancel(b);
    assert_int_equal(ncg_run_poll(b), NCG_RUN_CANCELED);
    ncg_run_cancel(a);
    ncg_run_cancel(a);
    nanosleep(&(struct timespec){0, 150000000}, NULL);
    atomic_store(&permitted, 1);
    assert_int_equal(ncg_run_wait(a, -1), NCG_RUN_CANCELED);
    assert_int_equal(atomic_load(&calls), 0);
    CHECK_STATUS(NCG_ECANCELED, ncg_run_results(a, &result, &err));
    CHECK_STATUS(NCG_ECANCELED, ncg_run_results(b, &result, &err));
    ncg_run_release(&a);
    ncg_run_release(&b);
    /* The context goes on. */
    a = submit(ctx, new_job(step, step), NULL);
    assert_int_equal(ncg_run_wait(a, -1), NCG_RUN_DONE);
    ncg_run_release(&a);
    ncg_context_destroy(&ctx);
}

static void context_cancels_a_submitted_run(void **state)
{
    (void)state;
    reset();
    ncg_context *ctx = new_context(1);
    ncg_run *a = submit(ctx, new_job(gate, step), NULL);
    wait_for_start();
    ncg_context_cancel(ctx);
    nanosleep(&(struct timespec){0, 400000000}, NULL);
    atomic_store(&permitted, 1);
    assert_int_equal(ncg_run_wait(a, -1), NCG_RUN_CANCELED);
    ncg_run_release(&a);
    ncg_context_destroy(&ctx);
}

static void failures_tell_key_and_path(void **state)
{
    (void)state;
    reset();
    ncg_context *ctx = new_context(2);
    atomic_store(&failures_left, 1000);
    ncg_run *a = submit(ctx, new_job(flaky, step), NULL);
    void *result = NULL;
    ncg_key key;
    ncg_error err;
    assert_int_equal(ncg_run_wait(a, -1), NCG_RUN_FAILED);
    CHECK_STATUS(NCG_EIO, ncg_run_results(a, &result, &err));
    CHECK_MESSAGE("task \"first\" failed: the disk hums");
    CHECK_MESSAGE(ncg_run_error_key(a));
    CHECK_MESSAGE(ncg_run_error_path(a));
    CHECK_OK(ncg_key_parse(ncg_run_error_key(a), &key, &err));
    assert_int_equal(key.index[0], 0);
    assert_non_null(strstr(ncg_run_error_path(a), " <- explicit tasks"));
    int before = atomic_load(&calls);
    CHECK_STATUS(NCG_EIO, ncg_run_recompute_failed(a, &err));
    CHECK_MESSAGE("hums");
    assert_int_equal(atomic_load(&calls), before + 1);
    atomic_store(&failures_left, 0);
    CHECK_OK(ncg_run_recompute_failed(a, &err));
    ncg_run_release(&a);
    ncg_context_destroy(&ctx);
}

static void failing_tasks_are_retried(void **state)
{
    (void)state;
    reset();
    ncg_context *ctx = new_context(2);
    ncg_submit_options options = NCG_SUBMIT_OPTIONS_INIT;
    options.retries = 3;
    atomic_store(&failures_left, 3);
    ncg_run *a = submit(ctx, new_job(flaky, step), &options);
    assert_int_equal(ncg_run_wait(a, -1), NCG_RUN_DONE);
    assert_int_equal(atomic_load(&calls), 5);
    ncg_run_release(&a);
    atomic_store(&failures_left, 4);
    a = submit(ctx, new_job(flaky, step), &options);
    assert_int_equal(ncg_run_wait(a, -1), NCG_RUN_FAILED);
    ncg_run_release(&a);
    ncg_context_destroy(&ctx);
}

typedef struct heard {
    int64_t keys, progress;
    ncg_run *_Atomic run; /* to be looked at from within */
} heard;

static void hear_key(const ncg_key *key, void *payload)
{
    heard *h = payload;
    (void)key;
    h->keys++;
    ncg_run *run = atomic_load(&h->run);
    if (run)
        assert_int_equal(ncg_run_poll(run), NCG_RUN_RUNNING);
}

static void hear_progress(const ncg_progress *progress, void *payload)
{
    heard *h = payload;
    h->progress = progress->tasks_done;
}

static void callbacks_tell_keys_and_progress(void **state)
{
    (void)state;
    reset();
    ncg_context *ctx = new_context(2);
    heard h = {0};
    ncg_submit_options options = NCG_SUBMIT_OPTIONS_INIT;
    options.key_done = hear_key;
    options.key_done_payload = &h;
    options.progress = hear_progress;
    options.progress_payload = &h;
    ncg_run *a = submit(ctx, new_job(gate, step), &options);
    atomic_store(&h.run, a);
    atomic_store(&permitted, 1);
    assert_int_equal(ncg_run_wait(a, -1), NCG_RUN_DONE);
    assert_int_equal(h.keys, 2);
    assert_true(h.progress >= 2);
    ncg_run_release(&a);
    ncg_context_destroy(&ctx);
}

/* Arrays tell each chunk. */
static void arrays_are_submitted(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_dataset *ds = open_all(ctx);
    ncg_array *x = NULL;
    ncg_keys *keys = NULL;
    heard h = {0};
    ncg_submit_options options = NCG_SUBMIT_OPTIONS_INIT;
    ncg_run *run = NULL;
    void *result = NULL;
    ncg_error err;
    CHECK_OK(ncg_dataset_array(ds, "tas", &x, &err));
    CHECK_OK(ncg_keys_all(x, &keys, &err));
    options.key_done = hear_key;
    options.key_done_payload = &h;
    ncg_collection c = ncg_array_collection(x);
    CHECK_OK(ncg_submit(ctx, &c, 1, &options, &run, &err));
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    assert_int_equal(ncg_run_wait(run, -1), NCG_RUN_DONE);
    assert_int_equal(h.keys, ncg_keys_count(keys));
    CHECK_OK(ncg_run_results(run, &result, &err));
    assert_true(((const float *)ncg_array_data(result))[1] == field(0, 0, 1) ||
                field(0, 0, 1) == FILL);
    c.type->release_result(result);
    ncg_keys_release(&keys);
    ncg_run_release(&run);
    ncg_context_destroy(&ctx);
}

static void destroying_a_context_ends_its_runs(void **state)
{
    (void)state;
    reset();
    ncg_context *ctx = new_context(2);
    ncg_run *a = submit(ctx, new_job(step, step), NULL);
    ncg_run *b = submit(ctx, new_job(step, step), NULL);
    ncg_run *c = submit(ctx, new_job(step, step), NULL);
    ncg_run_release(&b); /* goes on without a handle */
    ncg_context_destroy(&ctx);
    assert_true(ncg_run_wait(a, 0) >= NCG_RUN_DONE);
    assert_true(ncg_run_poll(c) >= NCG_RUN_DONE);
    ncg_run_release(&a);
    ncg_run_release(&c);
}

/* Many threads submit, wait and cancel at once. */
static void *hammer(void *arg)
{
    ncg_context *ctx = arg;
    for (int i = 0; i < 20; i++) {
        ncg_run *run = submit(ctx, new_job(step, step), NULL);
        if (i % 3 == 0)
            ncg_run_cancel(run);
        ncg_run_state end = ncg_run_wait(run, -1);
        assert_true(end == NCG_RUN_DONE || end == NCG_RUN_CANCELED);
        ncg_run_release(&run);
    }
    return NULL;
}

static void any_thread_may_submit(void **state)
{
    (void)state;
    reset();
    ncg_context *ctx = new_context(2);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, ctx), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ncg_context_destroy(&ctx);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(runs_wait_in_a_queue),
        NCG_TEST(runs_are_canceled),
        NCG_TEST(context_cancels_a_submitted_run),
        NCG_TEST(failures_tell_key_and_path),
        NCG_TEST(failing_tasks_are_retried),
        NCG_TEST(callbacks_tell_keys_and_progress),
        NCG_TEST(arrays_are_submitted),
        NCG_TEST(destroying_a_context_ends_its_runs),
        NCG_TEST(any_thread_may_submit)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
