/* SPDX-License-Identifier: BSD-3-Clause */
/* Several computations on one cluster at the same time. One of them has a task
 * that goes on until a file is there, so nothing here depends on how fast
 * anything is. */
#include <pthread.h>

#include "processes.h"

#define UNTIL "org.example.until/1"

enum { ROWS = 32, COLUMNS = 32768, CLIENTS = 6 };

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
    client early = {.seed = 51}; /* it finds the file of the dead one */
    assert_int_equal(
        pthread_create(&early.thread, NULL, client_main, &early), 0);
    processes_start(&cluster, "cluster", NULL);
    cluster.pids[0] = cluster.pids[--cluster.n];
    processes_await(&cluster, "\"name\": \"a\"", 1);
    processes_await(&cluster, "\"name\": \"b\"", 1);
    ncg_context *ctx = processes_connect(&cluster);
    assert_same(mean_in(ctx, 50), mean_here(50));
    pthread_join(early.thread, NULL);
    assert_same(early.value, mean_here(51));
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
    if (ncg_task_register(NULL, UNTIL, until, NULL, &err)) {
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
        NCG_TEST(a_scheduler_dies_under_two)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, begin, end);
}
