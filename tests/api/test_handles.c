/* SPDX-License-Identifier: BSD-3-Clause */
/* Where assertions are on, a handle that was released is told as what it is:
 * by EINVAL where a function can fail, else the program stops. */
#include <sys/wait.h>

#include "api/files.h"

typedef struct bed {
    ncg_context *ctx;
    ncg_array *x;
    /* released: */
    ncg_array *array;
    ncg_graph *graph;
    ncg_keys *keys;
    ncg_results *results;
    ncg_tasks *tasks;
    ncg_run *run;
    ncg_key key;
} bed;

/* A copy of the pointer stays behind. */
#define RELEASE(kind, release, handle)                                         \
    do {                                                                       \
        kind *release_copy_ = (handle);                                        \
        release(&release_copy_);                                               \
        assert_null(release_copy_);                                            \
    } while (0)

static int set_up(void **state)
{
    static bed b;
    static const double values[3] = {1, 2, 3};
    ncg_error err;
    b.ctx = new_context(1);
    CHECK_OK(ncg_array_from_memory(b.ctx, NCG_DTYPE_F64, 1, (int64_t[]){3},
                                   (int64_t[]){2}, values, NULL, NULL, NULL,
                                   &b.x, &err));
    ncg_collection c = ncg_array_collection(b.x);
    CHECK_OK(ncg_graph_of(&b.x, 1, &b.graph, &err));
    CHECK_OK(ncg_keys_all(b.x, &b.keys, &err));
    CHECK_OK(ncg_keys_at(b.keys, 0, &b.key, &err));
    CHECK_OK(ncg_get_serial(b.ctx, b.graph, b.keys, &b.results, &err));
    CHECK_OK(ncg_results_array(b.results, b.key.layer, &b.array, &err));
    CHECK_OK(ncg_tasks_create(&b.tasks, &err));
    CHECK_OK(ncg_submit(b.ctx, &c, 1, NULL, &b.run, &err));
    assert_int_equal(ncg_run_wait(b.run, -1), NCG_RUN_DONE);
    ncg_context_destroy(&b.ctx); /* the thread lets its own references go */
    RELEASE(ncg_array, ncg_array_release, b.array);
    RELEASE(ncg_graph, ncg_graph_release, b.graph);
    RELEASE(ncg_keys, ncg_keys_release, b.keys);
    RELEASE(ncg_results, ncg_results_release, b.results);
    RELEASE(ncg_tasks, ncg_tasks_free, b.tasks);
    RELEASE(ncg_run, ncg_run_release, b.run);
    b.ctx = new_context(1);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bed *b = *state;
    ncg_array_release(&b->x);
    ncg_context_destroy(&b->ctx);
    return 0;
}

#define GONE(what, expr)                                                       \
    do {                                                                       \
        CHECK_STATUS(NCG_EINVAL, expr);                                        \
        CHECK_MESSAGE("the " what " was released before");                     \
    } while (0)

static ncg_status nothing(const ncg_task_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

static ncg_status ignore_key(const ncg_key *key, void *payload)
{
    (void)key, (void)payload;
    return NCG_OK;
}

static void released_graphs_and_keys_are_told(void **state)
{
    bed *b = *state;
    ncg_error err;
    ncg_graph *graph = NULL, *live = NULL;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_array *array = NULL;
    ncg_key key;
    size_t n;
    char *text = NULL;
    CHECK_OK(ncg_graph_of(&b->x, 1, &live, &err));
    GONE("array", ncg_graph_of(&b->array, 1, &graph, &err));
    GONE("graph", ncg_graph_merge(&b->graph, 1, &graph, &err));
    GONE("graph", ncg_graph_optimize(b->graph, NULL, &graph, &err));
    GONE("graph", ncg_graph_array(b->graph, b->key.layer, &array, &err));
    GONE("graph", ncg_graph_nlayers(b->graph, &n, &err));
    GONE("graph",
         ncg_graph_deps(b->graph, &b->key, ignore_key, NULL, &err));
    GONE("graph", ncg_graph_json(b->graph, false, &text, &err));
    GONE("graph", ncg_graph_dot(b->graph, &text, &err));
    GONE("set of keys", ncg_graph_optimize(live, b->keys, &graph, &err));
    GONE("set of keys", ncg_keys_join(&b->keys, 1, &keys, &err));
    GONE("set of keys", ncg_keys_at(b->keys, 0, &key, &err));
    GONE("array", ncg_keys_all(b->array, &keys, &err));
    GONE("set of keys",
         ncg_get_serial(b->ctx, live, b->keys, &results, &err));
    GONE("graph",
         ncg_get_threads(b->ctx, b->graph, b->keys, &results, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_graph_nlayers((ncg_graph *)(void *)b->x, &n,
                                               &err));
    CHECK_MESSAGE("not a handle of a graph");
    ncg_graph_release(&live);
}

static void released_results_tasks_and_runs_are_told(void **state)
{
    bed *b = *state;
    ncg_error err;
    ncg_value value;
    ncg_chunk chunk;
    ncg_array *array = NULL;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_tasks *live = NULL;
    ncg_key key;
    void *result = NULL;
    CHECK_OK(ncg_tasks_create(&live, &err));
    GONE("set of results",
         ncg_results_value(b->results, &b->key, &value, &err));
    GONE("set of results",
         ncg_results_chunk(b->results, &b->key, &chunk, &err));
    GONE("set of results",
         ncg_results_array(b->results, b->key.layer, &array, &err));
    GONE("list of tasks", ncg_tasks_add(b->tasks, "a", nothing, NULL, NULL, 0,
                                        NULL, &err));
    GONE("list of tasks", ncg_tasks_add_many(b->tasks, 1, nothing, NULL, NULL,
                                             NULL, NULL, &err));
    GONE("list of tasks", ncg_tasks_key(b->tasks, NULL, 0, &key, &err));
    GONE("list of tasks", ncg_graph_of_tasks(b->tasks, NULL, &graph, &err));
    GONE("list of tasks", ncg_keys_tasks(b->tasks, &keys, &err));
    GONE("graph", ncg_graph_of_tasks(live, b->graph, &graph, &err));
    GONE("run", ncg_run_results(b->run, &result, &err));
    GONE("run", ncg_run_recompute_failed(b->run, &err));
    ncg_tasks_free(&live);
}

/* ---- functions that cannot fail ------------------------------------------ */

static void use_keys(bed *b)
{
    ncg_keys_count(b->keys);
}

static void use_keys_again(bed *b)
{
    ncg_keys_retain(b->keys);
}

static void use_graph(bed *b)
{
    ncg_graph_retain(b->graph);
}

static void use_results(bed *b)
{
    ncg_results_retain(b->results);
}

static void use_tasks(bed *b)
{
    ncg_tasks_sizes(b->tasks, 8);
}

static void use_run(bed *b)
{
    ncg_run_poll(b->run);
}

static void cancel_run(bed *b)
{
    ncg_run_cancel(b->run);
}

static void use_data(bed *b)
{
    ncg_array_data(b->array);
}

static void release_twice(bed *b)
{
    ncg_graph *copy = b->graph;
    ncg_graph_release(&copy);
}

static void other_uses_stop_the_program(void **state)
{
    static void (*const uses[])(bed *) = {
        use_keys, use_keys_again, use_graph, use_results,  use_tasks,
        use_run,  cancel_run,     use_data,  release_twice};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        int how = 0;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            fclose(stderr);
            uses[i](*state);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &how, 0), child);
        if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGABRT)
            fail_msg("use %zu went on", i);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(released_graphs_and_keys_are_told),
        NCG_TEST(released_results_tasks_and_runs_are_told),
        NCG_TEST(other_uses_stop_the_program)};
#ifdef NDEBUG
    printf("skipped: assertions are off\n");
    return 77;
#endif
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
