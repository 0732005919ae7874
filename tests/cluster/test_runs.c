/* SPDX-License-Identifier: BSD-3-Clause */
/* Several computations on one cluster at the same time. One of them has a task
 * that goes on until a file is there, so nothing here depends on how fast
 * anything is. */
#include <pthread.h>

#include "processes.h"

#define UNTIL "org.example.until/1"
#define LATE "org.example.late/1"
#define SLOW "org.example.slow/1"
#define FAILS "org.example.fails/1"

enum { ROWS = 32, COLUMNS = 32768, CLIENTS = 6 };
enum { CHUNKS = 16, LENGTH = 1000 }; /* of an array whose last chunk is late */

static processes cluster;

/* ---- helpers ------------------------------------------------------------- */

/* Ends when the file of that name is there. */
static ncg_status until(const ncg_task_call *call, ncg_error *err)
{
    char path[128] = {0};
    double end = processes_now() + 120;
    (void)err;
    memcpy(path, call->params,
           call->nparams < sizeof path ? call->nparams : sizeof path - 1);
    while (access(path, F_OK) && processes_now() < end)
        processes_pause();
    *call->output = (ncg_value){NULL, 0, NULL, NULL};
    return NCG_OK;
}

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

static double mean_in(ncg_context *ctx, uint64_t seed)
{
    const int64_t shape[] = {ROWS, COLUMNS}, chunks[] = {1, COLUMNS};
    ncg_error err;
    ncg_array *x = NULL, *mean = NULL;
    double value = 0;
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    o.op = NCG_OP_MEAN;
    CHECK_OK(ncg_array_random(ctx, NCG_RANDOM_NORMAL, seed, NCG_DTYPE_F64, 2,
                              shape, chunks, &x, &err));
    CHECK_OK(ncg_array_reduce(x, NULL, 0, &o, &mean, &err));
    CHECK_OK(ncg_array_compute(mean, &value, sizeof value, &err));
    ncg_array_release(&mean);
    ncg_array_release(&x);
    return value;
}

static double mean_here(uint64_t seed)
{
    ncg_error err;
    ncg_context *local = NULL;
    CHECK_OK(ncg_context_create(NULL, &local, &err));
    double value = mean_in(local, seed);
    ncg_context_destroy(&local);
    return value;
}

static void assert_same(double a, double b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

static void touch(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

/* A client whose computation goes on until it is told to end. */
typedef struct lasting {
    pthread_t thread;
    ncg_context *ctx;
    char path[128];
    ncg_status status;
    ncg_error error;
} lasting;

static ncg_status compute_until(lasting *l, ncg_error *err)
{
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_status st = ncg_tasks_create(&tasks, err);
    if (!st)
        st = ncg_tasks_add_named(tasks, "until", UNTIL, l->path,
                                 strlen(l->path), NULL, 0, NULL, err);
    if (!st)
        st = ncg_graph_of_tasks(tasks, NULL, &graph, err);
    if (!st)
        st = ncg_keys_tasks(tasks, &keys, err);
    if (!st)
        st = ncg_get_threads(l->ctx, graph, keys, &results, err);
    ncg_results_release(&results);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    return st;
}

static void *lasting_main(void *arg)
{
    lasting *l = arg;
    l->status = compute_until(l, &l->error);
    return NULL;
}

static void lasting_begin(lasting *l, const char *name)
{
    *l = (lasting){.ctx = processes_connect(&cluster)};
    snprintf(l->path, sizeof l->path, "%s/%s", cluster.dir, name);
    assert_int_equal(pthread_create(&l->thread, NULL, lasting_main, l), 0);
}

static void lasting_end(lasting *l)
{
    touch(l->path);
    pthread_join(l->thread, NULL);
    if (l->status)
        fail_msg("%s", l->error.message);
    ncg_context_destroy(&l->ctx);
}

/* ---- tests --------------------------------------------------------------- */

static void a_short_one_does_not_wait_for_a_long_one(void **state)
{
    lasting l;
    (void)state;
    lasting_begin(&l, "short");
    processes_await(&cluster, "\"state\": \"running\"", 1);
    ncg_context *ctx = processes_connect(&cluster);
    for (uint64_t seed = 1; seed <= 3; seed++)
        assert_same(mean_in(ctx, seed), mean_here(seed));
    assert_int_equal(processes_count(&cluster, "\"state\": \"running\""), 1);
    ncg_context_destroy(&ctx);
    lasting_end(&l);
}

typedef struct client {
    pthread_t thread;
    uint64_t seed;
    double value;
} client;

static void *client_main(void *arg)
{
    client *c = arg;
    ncg_context *ctx = processes_connect(&cluster);
    c->value = mean_in(ctx, c->seed);
    ncg_context_destroy(&ctx);
    return NULL;
}

/* More than are under way at a time. */
static void many_clients_at_once(void **state)
{
    client clients[CLIENTS];
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (client){.seed = 10 + (uint64_t)i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client_main,
                                        &clients[i]),
                         0);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
    for (int i = 0; i < CLIENTS; i++)
        assert_same(clients[i].value, mean_here(clients[i].seed));
}

/* One that was canceled while others go on takes nothing with it. */
static void a_client_that_ends_takes_only_its_own(void **state)
{
    lasting one, two;
    (void)state;
    lasting_begin(&one, "canceled");
    processes_await(&cluster, "\"state\": \"running\"", 1);
    lasting_begin(&two, "two");
    processes_await(&cluster, "\"state\": \"running\"", 2);
    ncg_context_cancel(two.ctx);
    pthread_join(two.thread, NULL);
    assert_int_equal(two.status, NCG_ECANCELED);
    ncg_context_destroy(&two.ctx);
    touch(two.path); /* the task looks at nothing else */
    processes_await(&cluster, "\"state\": \"running\"", 1);
    ncg_context *ctx = processes_connect(&cluster);
    assert_same(mean_in(ctx, 20), mean_here(20));
    ncg_context_destroy(&ctx);
    lasting_end(&one);
}

/* A worker that dies is missed by all computations. */
static void a_worker_dies_under_two(void **state)
{
    lasting l;
    (void)state;
    processes_worker(&cluster, "dies");
    pid_t nanny = cluster.pids[cluster.n - 1];
    lasting_begin(&l, "dies");
    processes_await(&cluster, "\"state\": \"running\"", 1);
    ncg_context *ctx = processes_connect(&cluster);
    assert_same(mean_in(ctx, 30), mean_here(30));
    kill(processes_child(nanny), SIGKILL);
    assert_same(mean_in(ctx, 31), mean_here(31));
    ncg_context_destroy(&ctx);
    lasting_end(&l);
}

/* A worker leaves once no computation needs it any more. */
static void a_worker_leaves_under_two(void **state)
{
    lasting l;
    ncg_error err;
    (void)state;
    processes_worker(&cluster, "leaves");
    lasting_begin(&l, "leaves");
    processes_await(&cluster, "\"state\": \"running\"", 1);
    ncg_context *ctx = processes_connect(&cluster);
    assert_same(mean_in(ctx, 40), mean_here(40));
    CHECK_OK(ncg_cluster_retire(cluster.file, "leaves", &err));
    assert_same(mean_in(ctx, 41), mean_here(41));
    ncg_context_destroy(&ctx);
    lasting_end(&l);
    processes_await(&cluster, "\"name\": \"leaves\"", 0);
}

/* ---- computing on what is still arriving --------------------------------- */

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
    ncg_error err;
    ncg_context *ctx = processes_connect(&cluster);
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/chain", cluster.dir);
    touch(path);
    processes_worker(&cluster, "has links");
    pid_t nanny = cluster.pids[cluster.n - 1];
    chain[0] = arriving(ctx, path);
    for (int i = 1; i < LINKS; i++) {
        ncg_array *y = NULL;
        ncg_collection all, kept = {NULL, NULL};
        CHECK_OK(ncg_array_map("negative", &chain[i - 1], 1, &y, &err));
        all = ncg_array_collection(y);
        CHECK_OK(ncg_persist(ctx, &all, 1, &kept, &err));
        ncg_array_release(&y);
        chain[i] = kept.self;
    }
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

/* An error is told to those that compute on it. */
static void what_never_arrives_says_why(void **state)
{
    ncg_context *ctx = connect_early();
    ncg_error err;
    ncg_array *x = NULL, *y = NULL, *sum = NULL;
    double value;
    ncg_reduce_options r = NCG_REDUCE_OPTIONS_INIT;
    ncg_collection all, kept = {NULL, NULL};
    (void)state;
    CHECK_OK(ncg_array_arange(ctx, NCG_DTYPE_F64, 0, LENGTH, 1, LENGTH, &x,
                              &err));
    CHECK_OK(ncg_array_map_blocks(FAILS, &x, 1, NULL, &y, &err));
    all = ncg_array_collection(y);
    CHECK_OK(ncg_persist(ctx, &all, 1, &kept, &err));
    CHECK_OK(ncg_array_reduce(kept.self, NULL, 0, &r, &sum, &err));
    assert_int_not_equal(ncg_array_compute(sum, &value, sizeof value, &err),
                         NCG_OK);
    assert_non_null(strstr(err.message, "it cannot be done"));
    ncg_array_release(&sum);
    ncg_collection_release(&kept);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_context_destroy(&ctx);
    processes_await(&cluster, "\"persisted\": []", 1);
}

/* ---- a scheduler that dies ------------------------------------------------ */

/* Its computations end with an error that says what to do; the next one goes on
 * with the workers. */
static void a_scheduler_dies_under_two(void **state)
{
    lasting one, two;
    (void)state;
    lasting_begin(&one, "lost");
    lasting_begin(&two, "lost too");
    processes_await(&cluster, "\"state\": \"running\"", 2);
    kill(-cluster.pids[0], SIGKILL);
    while (waitpid(cluster.pids[0], NULL, 0) < 0 && errno == EINTR)
        ;
    pthread_join(one.thread, NULL);
    pthread_join(two.thread, NULL);
    touch(one.path);
    touch(two.path);
    assert_int_equal(one.status, NCG_ENET);
    assert_int_equal(two.status, NCG_ENET);
    assert_non_null(strstr(one.error.message, "compute again once the"));
    ncg_context_destroy(&one.ctx);
    ncg_context_destroy(&two.ctx);
    processes_start(&cluster, "cluster", NULL);
    cluster.pids[0] = cluster.pids[--cluster.n];
    processes_await(&cluster, "\"name\": \"a\"", 1);
    processes_await(&cluster, "\"name\": \"b\"", 1);
    ncg_context *ctx = processes_connect(&cluster);
    assert_same(mean_in(ctx, 50), mean_here(50));
    ncg_context_destroy(&ctx);
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
    if (ncg_task_register(NULL, UNTIL, until, NULL, &err) ||
        ncg_kernel_register(NULL, LATE, late, NULL, &err) ||
        ncg_kernel_register(NULL, SLOW, slow, NULL, &err) ||
        ncg_kernel_register(NULL, FAILS, fails, NULL, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (processes_serve(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        NCG_TEST(a_short_one_does_not_wait_for_a_long_one),
        NCG_TEST(many_clients_at_once),
        NCG_TEST(a_client_that_ends_takes_only_its_own),
        NCG_TEST(a_worker_dies_under_two),
        NCG_TEST(a_worker_leaves_under_two),
        NCG_TEST(what_has_arrived_is_computed_on),
        NCG_TEST(a_worker_dies_while_chunks_arrive),
        NCG_TEST(published_early_it_outlives_its_client),
        NCG_TEST(what_is_made_of_what_is_lost),
        NCG_TEST(who_makes_a_set_begins_again),
        NCG_TEST(what_never_arrives_says_why),
        NCG_TEST(a_scheduler_dies_under_two)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, begin, end);
}
