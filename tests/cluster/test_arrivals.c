/* SPDX-License-Identifier: BSD-3-Clause */
/* Computing on chunks of a cluster that are still arriving, or lost. Some of
 * them come when a file is there, so nothing here depends on how fast anything
 * is. */
#include <pthread.h>

#include "processes.h"

#define LATE "org.example.late/1"
#define SLOW "org.example.slow/1"
#define FAILS "org.example.fails/1"
#define HERE "org.example.here/1"

enum { CHUNKS = 16, LENGTH = 1000 }; /* of an array whose last chunk is late */

static processes cluster;

/* ---- helpers ------------------------------------------------------------- */

/* The numbers that it gets; those of the last chunk when there is a file. */
static ncg_status late(const ncg_kernel_call *call, ncg_error *err)
{
    const char *path = call->params;
    double end = processes_now() + 120;
    (void)err;
    while (call->index[0] == CHUNKS - 1 && access(path, F_OK) &&
           processes_now() < end)
        processes_pause();
    memcpy(call->output->data, call->inputs[0].data, LENGTH * sizeof(double));
    return NCG_OK;
}

/* The same of all chunks. */
static ncg_status slow(const ncg_kernel_call *call, ncg_error *err)
{
    const char *path = call->params;
    double end = processes_now() + 120;
    (void)err;
    while (access(path, F_OK) && processes_now() < end)
        processes_pause();
    memcpy(call->output->data, call->inputs[0].data, LENGTH * sizeof(double));
    return NCG_OK;
}

static ncg_status fails(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call;
    snprintf(err->message, sizeof err->message, "it cannot be done");
    return NCG_EKERNEL;
}

static void touch(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static ncg_context *connect_early(void)
{
    ncg_error err;
    ncg_context *ctx = NULL;
    ncg_context_options c = NCG_CONTEXT_OPTIONS_INIT;
    c.threads = 1;
    c.persist_early = true;
    CHECK_OK(ncg_context_connect(cluster.file, 60, &c, &ctx, &err));
    return ctx;
}

/* 0, 1, ..., the last thousand of them once the file is there. */
static ncg_array *arriving(ncg_context *ctx, const char *path)
{
    ncg_error err;
    ncg_array *x = NULL, *y = NULL;
    ncg_block_options o = NCG_BLOCK_OPTIONS_INIT;
    ncg_collection all, kept = {NULL, NULL};
    o.params = path;
    o.nparams = strlen(path) + 1;
    CHECK_OK(ncg_array_arange(ctx, NCG_DTYPE_F64, 0, CHUNKS * LENGTH, 1,
                              LENGTH, &x, &err));
    CHECK_OK(ncg_array_map_blocks(LATE, &x, 1, &o, &y, &err));
    all = ncg_array_collection(y);
    CHECK_OK(ncg_persist(ctx, &all, 1, &kept, &err));
    ncg_array_release(&x);
    ncg_array_release(&y);
    return kept.self;
}

static ncg_array *negated(ncg_context *ctx, ncg_array *x)
{
    ncg_error err;
    ncg_array *y = NULL;
    ncg_collection all, kept = {NULL, NULL};
    CHECK_OK(ncg_array_map("negative", &x, 1, &y, &err));
    all = ncg_array_collection(y);
    CHECK_OK(ncg_persist(ctx, &all, 1, &kept, &err));
    ncg_array_release(&y);
    return kept.self;
}

static double sum_of(ncg_array *x, int64_t start, int64_t stop)
{
    ncg_error err;
    ncg_array *part = NULL, *sum = NULL;
    double value = 0;
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    o.op = NCG_OP_SUM;
    CHECK_OK(ncg_array_slice(x, 0, start, stop, 1, &part, &err));
    CHECK_OK(ncg_array_reduce(part, NULL, 0, &o, &sum, &err));
    CHECK_OK(ncg_array_compute(sum, &value, sizeof value, &err));
    ncg_array_release(&part);
    ncg_array_release(&sum);
    return value;
}

typedef struct summing {
    ncg_array *array;
    double value;
} summing;

static void *sum_all(void *arg)
{
    summing *s = arg;
    s->value = sum_of(s->array, 0, CHUNKS * LENGTH);
    return NULL;
}

/* ---- tests --------------------------------------------------------------- */

/* What is there is computed on; what reads the rest as well waits for it. */
static void what_has_arrived_is_computed_on(void **state)
{
    const double n = CHUNKS * LENGTH, early = n - LENGTH;
    ncg_context *ctx = connect_early();
    summing all = {NULL, 0};
    pthread_t thread;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/arrives", cluster.dir);
    all.array = arriving(ctx, path);
    assert_true(sum_of(all.array, 0, CHUNKS * LENGTH - LENGTH) ==
                early * (early - 1) / 2);
    assert_int_equal(processes_count(&cluster, "\"state\": \"running\""), 1);
    assert_int_equal(pthread_create(&thread, NULL, sum_all, &all), 0);
    processes_await(&cluster, "\"state\": \"running\"", 2);
    touch(path);
    pthread_join(thread, NULL);
    assert_true(all.value == n * (n - 1) / 2);
    ncg_array_release(&all.array);
    ncg_context_destroy(&ctx);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* One worker dies while chunks arrive; those that it had are made again. */
static void a_worker_dies_while_chunks_arrive(void **state)
{
    const double n = CHUNKS * LENGTH, early = n - LENGTH;
    char path[128];
    (void)state;
    processes_worker(&cluster, "dies too");
    pid_t nanny = cluster.pids[cluster.n - 1];
    ncg_context *ctx = connect_early();
    summing all = {NULL, 0};
    pthread_t thread;
    snprintf(path, sizeof path, "%s/arrives after all", cluster.dir);
    all.array = arriving(ctx, path);
    assert_true(sum_of(all.array, 0, CHUNKS * LENGTH - LENGTH) ==
                early * (early - 1) / 2);
    assert_int_equal(pthread_create(&thread, NULL, sum_all, &all), 0);
    processes_await(&cluster, "\"state\": \"running\"", 2);
    kill(processes_child(nanny), SIGKILL);
    processes_await(&cluster, "\"name\": \"dies too\"", 0);
    touch(path);
    pthread_join(thread, NULL);
    assert_true(all.value == n * (n - 1) / 2);
    ncg_array_release(&all.array);
    ncg_context_destroy(&ctx);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* What is published early goes on when its client ends. */
static void published_early_it_outlives_its_client(void **state)
{
    const double n = CHUNKS * LENGTH;
    ncg_context *ctx = connect_early(), *other = processes_connect(&cluster);
    ncg_published got = {0};
    ncg_error err;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/published", cluster.dir);
    ncg_array *x = arriving(ctx, path);
    processes_await(&cluster, "\"state\": \"running\"", 1);
    CHECK_OK(ncg_publish(ctx, "early", &x, 1, (ncg_bytes){NULL, 0}, false,
                         &err));
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
    CHECK_OK(ncg_published_get(other, "early", &got, &err));
    processes_await(&cluster, "\"clients\": 1, \"names\": 1", 1);
    touch(path);
    assert_true(sum_of(got.arrays[0], 0, CHUNKS * LENGTH) == n * (n - 1) / 2);
    CHECK_OK(ncg_unpublish(other, "early", &err));
    ncg_published_free(&got);
    ncg_context_destroy(&other);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* Sets that are made of each other, each of which loses chunks. */
static void what_is_made_of_what_is_lost(void **state)
{
    enum { LINKS = 4 };
    const double n = CHUNKS * LENGTH;
    ncg_array *chain[LINKS] = {NULL};
    ncg_context *ctx = processes_connect(&cluster);
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/chain", cluster.dir);
    touch(path);
    processes_worker(&cluster, "has links");
    pid_t nanny = cluster.pids[cluster.n - 1];
    chain[0] = arriving(ctx, path);
    for (int i = 1; i < LINKS; i++)
        chain[i] = negated(ctx, chain[i - 1]);
    kill(processes_child(nanny), SIGKILL);
    assert_true(sum_of(chain[LINKS - 1], 0, CHUNKS * LENGTH) ==
                -n * (n - 1) / 2);
    assert_true(sum_of(chain[0], 0, CHUNKS * LENGTH) == n * (n - 1) / 2);
    for (int i = 0; i < LINKS; i++)
        ncg_array_release(&chain[i]);
    ncg_context_destroy(&ctx);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* The run that makes a set loses what it reads while another waits for the set:
 * it begins again, the other behind it. */
static void who_makes_a_set_begins_again(void **state)
{
    const double n = CHUNKS * LENGTH;
    char path[128];
    ncg_error err;
    ncg_array *base = NULL, *lower, *x = NULL, *y = NULL;
    ncg_block_options o = NCG_BLOCK_OPTIONS_INIT;
    ncg_collection all, kept = {NULL, NULL}, made = {NULL, NULL};
    summing sum = {NULL, 0};
    pthread_t thread;
    (void)state;
    snprintf(path, sizeof path, "%s/begins again", cluster.dir);
    o.params = path;
    o.nparams = strlen(path) + 1;
    processes_worker(&cluster, "dies below");
    pid_t nanny = cluster.pids[cluster.n - 1];
    ncg_context *early = connect_early();
    CHECK_OK(ncg_array_arange(early, NCG_DTYPE_F64, 0, n, 1, LENGTH, &x, &err));
    CHECK_OK(ncg_array_map("negative", &x, 1, &base, &err));
    all = ncg_array_collection(base);
    CHECK_OK(ncg_persist(early, &all, 1, &kept, &err));
    lower = kept.self;
    CHECK_OK(ncg_array_map_blocks(SLOW, &lower, 1, &o, &y,
                                  &err));
    all = ncg_array_collection(y);
    CHECK_OK(ncg_persist(early, &all, 1, &made, &err));
    sum.array = made.self;
    assert_int_equal(pthread_create(&thread, NULL, sum_all, &sum), 0);
    processes_await(&cluster, "\"chunks\": 16, \"there\": 16", 1);
    processes_await(&cluster, "\"state\": \"running\"", 2);
    kill(processes_child(nanny), SIGKILL);
    processes_await(&cluster, "\"name\": \"dies below\"", 0);
    touch(path);
    pthread_join(thread, NULL);
    assert_true(sum.value == -n * (n - 1) / 2);
    ncg_collection_release(&kept);
    ncg_collection_release(&made);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_array_release(&base);
    ncg_context_destroy(&early);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* n numbers through a kernel that fails, persisted early. */
static ncg_array *failing(ncg_context *ctx, const char *kernel, double n)
{
    ncg_error err;
    ncg_array *x = NULL, *y = NULL;
    ncg_collection all, kept = {NULL, NULL};
    CHECK_OK(ncg_array_arange(ctx, NCG_DTYPE_F64, 0, n, 1, LENGTH, &x, &err));
    CHECK_OK(ncg_array_map_blocks(kernel, &x, 1, NULL, &y, &err));
    all = ncg_array_collection(y);
    CHECK_OK(ncg_persist(ctx, &all, 1, &kept, &err));
    ncg_array_release(&x);
    ncg_array_release(&y);
    return kept.self;
}

static void sum_says(ncg_array *array, const char *why)
{
    ncg_error err;
    ncg_array *sum = NULL;
    double value;
    ncg_reduce_options r = NCG_REDUCE_OPTIONS_INIT;
    r.op = NCG_OP_SUM;
    CHECK_OK(ncg_array_reduce(array, NULL, 0, &r, &sum, &err));
    assert_int_not_equal(ncg_array_compute(sum, &value, sizeof value, &err),
                         NCG_OK);
    assert_non_null(strstr(err.message, why));
    ncg_array_release(&sum);
}

/* An error is told to those that compute on it. */
static void what_never_arrives_says_why(void **state)
{
    ncg_context *ctx = connect_early();
    (void)state;
    ncg_array *kept = failing(ctx, FAILS, LENGTH);
    sum_says(kept, "it cannot be done");
    ncg_array_release(&kept);
    ncg_context_destroy(&ctx);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* ---- before it begins --------------------------------------------------- */

/* As many numbers from another one on, all of them once the file is there. */
static ncg_array *held_up(ncg_context *ctx, double from, const char *path)
{
    ncg_error err;
    ncg_array *x = NULL, *y = NULL;
    ncg_block_options o = NCG_BLOCK_OPTIONS_INIT;
    ncg_collection all, kept = {NULL, NULL};
    o.params = path;
    o.nparams = strlen(path) + 1;
    CHECK_OK(ncg_array_arange(ctx, NCG_DTYPE_F64, from, from + CHUNKS * LENGTH,
                              1, LENGTH, &x, &err));
    CHECK_OK(ncg_array_map_blocks(SLOW, &x, 1, &o, &y, &err));
    all = ncg_array_collection(y);
    CHECK_OK(ncg_persist(ctx, &all, 1, &kept, &err));
    ncg_array_release(&x);
    ncg_array_release(&y);
    return kept.self;
}

/* One client has at most three computations under way: the fourth has not begun
 * when it is published, when its client ends, and when another one reads it. */
static void published_before_it_begins(void **state)
{
    enum { BEFORE = 3 };
    const double n = CHUNKS * LENGTH;
    ncg_context *ctx = connect_early(), *other = processes_connect(&cluster);
    ncg_array *first[BEFORE];
    ncg_published got = {0};
    summing sum = {NULL, 0};
    pthread_t thread;
    ncg_error err;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/begins", cluster.dir);
    for (int i = 0; i < BEFORE; i++)
        first[i] = held_up(ctx, 1 + i, path);
    processes_await(&cluster, "\"state\": \"running\"", BEFORE);
    ncg_array *x = arriving(ctx, path);
    CHECK_OK(ncg_publish(ctx, "later", &x, 1, (ncg_bytes){NULL, 0}, false,
                         &err));
    assert_int_equal(processes_count(&cluster, "\"state\": \"queued\""), 1);
    CHECK_OK(ncg_published_get(other, "later", &got, &err));
    sum.array = got.arrays[0];
    assert_int_equal(pthread_create(&thread, NULL, sum_all, &sum), 0);
    processes_await(&cluster, "\"state\": \"queued\"", 2);
    for (int i = 0; i < BEFORE; i++)
        ncg_array_release(&first[i]);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
    processes_await(&cluster, "\"state\": \"running\"", 2);
    touch(path);
    pthread_join(thread, NULL);
    assert_true(sum.value == n * (n - 1) / 2);
    CHECK_OK(ncg_unpublish(other, "later", &err));
    ncg_published_free(&got);
    ncg_context_destroy(&other);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* The same when the scheduler dies before it has begun; the next one begins it.
 * What had begun for nobody but the client ends. */
static void published_before_it_begins_it_outlives_the_scheduler(void **state)
{
    enum { BEFORE = 3 };
    const double n = CHUNKS * LENGTH;
    ncg_context *ctx = connect_early();
    ncg_array *first[BEFORE];
    ncg_published got = {0};
    ncg_error err;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/outlives", cluster.dir);
    for (int i = 0; i < BEFORE; i++)
        first[i] = held_up(ctx, 1 + i, path);
    processes_await(&cluster, "\"state\": \"running\"", BEFORE);
    ncg_array *x = arriving(ctx, path), *y = negated(ctx, x);
    CHECK_OK(ncg_publish(ctx, "outlives", &y, 1, (ncg_bytes){NULL, 0}, false,
                         &err));
    assert_int_equal(processes_count(&cluster, "\"state\": \"queued\""), 2);
    processes_lose_scheduler(&cluster);
    for (int i = 0; i < BEFORE; i++)
        ncg_array_release(&first[i]);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_context_destroy(&ctx);
    touch(path);
    processes_schedule_again(&cluster);
    ctx = processes_connect(&cluster);
    processes_await(&cluster, "\"name\": \"a\"", 1);
    processes_await(&cluster, "\"name\": \"b\"", 1);
    processes_await(&cluster, "\"names\": 1", 2);
    CHECK_OK(ncg_published_get(ctx, "outlives", &got, &err));
    assert_true(sum_of(got.arrays[0], 0, CHUNKS * LENGTH) ==
                -n * (n - 1) / 2);
    CHECK_OK(ncg_unpublish(ctx, "outlives", &err));
    ncg_published_free(&got);
    ncg_context_destroy(&ctx);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* What a run reads stays though its client lets go of it, and ends, before the
 * run has begun. */
static void what_it_reads_is_let_go_before_it_begins(void **state)
{
    enum { BEFORE = 3 };
    const double n = CHUNKS * LENGTH;
    ncg_context *ctx = connect_early(), *other = processes_connect(&cluster);
    ncg_array *first[BEFORE], *x, *y;
    ncg_published got = {0};
    ncg_error err;
    char path[128], now[128];
    (void)state;
    snprintf(path, sizeof path, "%s/is let go", cluster.dir);
    snprintf(now, sizeof now, "%s/is there", cluster.dir);
    touch(now);
    x = arriving(ctx, now);
    assert_true(sum_of(x, 0, CHUNKS * LENGTH) == n * (n - 1) / 2);
    for (int i = 0; i < BEFORE; i++)
        first[i] = held_up(ctx, 1 + i, path);
    processes_await(&cluster, "\"state\": \"running\"", BEFORE);
    y = negated(ctx, x);
    ncg_array_release(&x);
    CHECK_OK(ncg_publish(ctx, "made of it", &y, 1, (ncg_bytes){NULL, 0}, false,
                         &err)); /* answered behind what was let go */
    assert_int_equal(processes_count(&cluster, "\"state\": \"queued\""), 1);
    assert_int_equal(
        processes_count(&cluster, "\"there\": 16, \"clients\": 0"), 1);
    for (int i = 0; i < BEFORE; i++)
        ncg_array_release(&first[i]);
    ncg_array_release(&y);
    ncg_context_destroy(&ctx);
    touch(path);
    CHECK_OK(ncg_published_get(other, "made of it", &got, &err));
    assert_true(sum_of(got.arrays[0], 0, CHUNKS * LENGTH) ==
                -n * (n - 1) / 2);
    CHECK_OK(ncg_unpublish(other, "made of it", &err));
    ncg_published_free(&got);
    ncg_context_destroy(&other);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* ---- in the client's own process ---------------------------------------- */

static ncg_status zeros(void *payload, const int64_t *start,
                        const int64_t *count, void *out, ncg_error *err)
{
    (void)payload;
    (void)start;
    (void)err;
    memset(out, 0, (size_t)count[0] * sizeof(double));
    return NCG_OK;
}

/* What a function of this process gives is added, so it is computed here. */
static ncg_array *sum_for_here(ncg_context *ctx, ncg_array *x)
{
    ncg_error err;
    const int64_t shape = CHUNKS * LENGTH, chunk = LENGTH;
    ncg_array *pair[2] = {x, NULL}, *both = NULL, *sum = NULL;
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    o.op = NCG_OP_SUM;
    CHECK_OK(ncg_array_from_callback(ctx, NULL, NCG_DTYPE_F64, 1, &shape,
                                     &chunk, NULL, zeros, NULL, NULL, &pair[1],
                                     &err));
    CHECK_OK(ncg_array_map("add", pair, 2, &both, &err));
    CHECK_OK(ncg_array_reduce(both, NULL, 0, &o, &sum, &err));
    ncg_array_release(&pair[1]);
    ncg_array_release(&both);
    return sum;
}

static ncg_status sum_here(ncg_context *ctx, ncg_array *x, double *value,
                           ncg_error *out)
{
    ncg_array *sum = sum_for_here(ctx, x);
    ncg_status st = ncg_array_compute(sum, value, sizeof *value, out);
    ncg_array_release(&sum);
    return st;
}

typedef struct summing_here {
    ncg_context *ctx;
    ncg_array *array;
    double value;
    ncg_status status;
    ncg_error error;
} summing_here;

static void *sum_here_main(void *arg)
{
    summing_here *s = arg;
    s->status = sum_here(s->ctx, s->array, &s->value, &s->error);
    return NULL;
}

static void read_here_while_it_arrives(void **state)
{
    const double n = CHUNKS * LENGTH;
    summing_here canceled = {.ctx = connect_early()}, all = canceled;
    pthread_t thread;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/here", cluster.dir);
    canceled.array = all.array = arriving(all.ctx, path);
    assert_int_equal(
        pthread_create(&thread, NULL, sum_here_main, &canceled), 0);
    processes_await(&cluster, "\"there\": 15", 1);
    ncg_context_cancel(all.ctx);
    pthread_join(thread, NULL);
    assert_int_equal(canceled.status, NCG_ECANCELED);
    assert_int_equal(pthread_create(&thread, NULL, sum_here_main, &all), 0);
    touch(path);
    pthread_join(thread, NULL);
    if (all.status)
        fail_msg("%s", all.error.message);
    assert_true(all.value == n * (n - 1) / 2);
    ncg_array_release(&all.array);
    ncg_context_destroy(&all.ctx);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* A run that was submitted hears its own cancel, and the end of its context. */
static void a_run_that_waits_is_canceled(void **state)
{
    ncg_context *ctx = connect_early();
    ncg_run *run = NULL, *last = NULL;
    ncg_error err;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/canceled", cluster.dir);
    ncg_array *x = arriving(ctx, path), *sum = sum_for_here(ctx, x);
    ncg_collection both = ncg_array_collection(sum);
    CHECK_OK(ncg_submit(ctx, &both, 1, NULL, &run, &err));
    processes_await(&cluster, "\"there\": 15", 1);
    assert_int_equal(ncg_run_wait(run, 0.2), NCG_RUN_RUNNING);
    ncg_run_cancel(run);
    assert_int_equal(ncg_run_wait(run, 60), NCG_RUN_CANCELED);
    CHECK_OK(ncg_submit(ctx, &both, 1, NULL, &last, &err));
    assert_int_equal(ncg_run_wait(last, 0.2), NCG_RUN_RUNNING);
    ncg_array_release(&sum);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
    assert_int_equal(ncg_run_poll(last), NCG_RUN_CANCELED);
    ncg_run_release(&run);
    ncg_run_release(&last);
    touch(path);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* A kernel that only the client knows: nobody can open the plan. */
static void what_cannot_be_opened_says_why(void **state)
{
    ncg_context *ctx = connect_early();
    ncg_error err;
    double value;
    (void)state;
    CHECK_OK(ncg_kernel_register(ctx, HERE, fails, NULL, &err));
    ncg_array *kept = failing(ctx, HERE, CHUNKS * LENGTH);
    sum_says(kept, HERE);
    assert_int_not_equal(sum_here(ctx, kept, &value, &err), NCG_OK);
    assert_non_null(strstr(err.message, HERE));
    ncg_array_release(&kept);
    ncg_context_destroy(&ctx);
    processes_await(&cluster, "\"persisted\": []", 1);
}

static int begin(void **state)
{
    (void)state;
    processes_begin(&cluster);
    processes_worker(&cluster, "a");
    processes_worker(&cluster, "b");
    return 0;
}

static int end(void **state)
{
    (void)state;
    processes_stop(&cluster);
    return 0;
}

int main(int argc, char **argv)
{
    int code = 0;
    ncg_error err;
    if (ncg_kernel_register(NULL, LATE, late, NULL, &err) ||
        ncg_kernel_register(NULL, SLOW, slow, NULL, &err) ||
        ncg_kernel_register(NULL, FAILS, fails, NULL, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (processes_serve(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        NCG_TEST(what_has_arrived_is_computed_on),
        NCG_TEST(a_worker_dies_while_chunks_arrive),
        NCG_TEST(published_early_it_outlives_its_client),
        NCG_TEST(what_is_made_of_what_is_lost),
        NCG_TEST(who_makes_a_set_begins_again),
        NCG_TEST(what_never_arrives_says_why),
        NCG_TEST(published_before_it_begins),
        NCG_TEST(published_before_it_begins_it_outlives_the_scheduler),
        NCG_TEST(what_it_reads_is_let_go_before_it_begins),
        NCG_TEST(read_here_while_it_arrives),
        NCG_TEST(a_run_that_waits_is_canceled),
        NCG_TEST(what_cannot_be_opened_says_why)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, begin, end);
}
