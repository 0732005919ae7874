/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that runs out while graphs are made and looked into, keys, lists of
 * tasks, results, and while collections are computed, kept and submitted. */
#include "api/files.h"
#include "api/oom.h"

typedef struct bed {
    ncg_context *ctx;
    ncg_dataset *all, *ds; /* as stored; its means over longitude */
    ncg_array *x, *y; /* means over time and over longitude */
    ncg_graph *graph; /* of both */
    ncg_array *bad;   /* its kernel refuses */
} bed;

/* A step that failed leaves what it was to make as it was. */
#define MADE(st, out) assert_true(!(st) == ((out) != NULL))

/* ---- graphs and keys ------------------------------------------------------ */

static ncg_status make_keys(bed *b, ncg_keys **out, ncg_error *err)
{
    ncg_key key;
    ncg_keys *keys[3] = {NULL, NULL, NULL};
    ncg_status st = ncg_keys_all(b->x, &keys[0], err);
    MADE(st, keys[0]);
    if (!st)
        st = ncg_keys_all(b->y, &keys[1], err);
    if (!st)
        st = ncg_keys_at(keys[1], 0, &key, err);
    if (!st) {
        st = ncg_keys_list(&key, 1, &keys[2], err);
        MADE(st, keys[2]);
    }
    if (!st) {
        st = ncg_keys_join(keys, 3, out, err);
        MADE(st, *out);
    }
    for (int i = 0; i < 3; i++)
        ncg_keys_release(&keys[i]);
    return st;
}

static ncg_status step_keys(void *arg, ncg_error *err)
{
    ncg_keys *keys = NULL;
    ncg_status st = make_keys(arg, &keys, err);
    ncg_keys_release(&keys);
    return st;
}

static ncg_status make_graph(bed *b, ncg_graph **out, ncg_error *err)
{
    ncg_array *arrays[] = {b->x, b->y};
    ncg_graph *graph = NULL, *merged = NULL;
    ncg_keys *keys = NULL;
    ncg_status st = ncg_graph_of(arrays, 2, &graph, err);
    MADE(st, graph);
    if (!st) {
        ncg_graph *both[] = {graph, b->graph};
        st = ncg_graph_merge(both, 2, &merged, err);
        MADE(st, merged);
    }
    if (!st)
        st = make_keys(b, &keys, err);
    if (!st) {
        st = ncg_graph_optimize(merged, keys, out, err);
        MADE(st, *out);
    }
    ncg_keys_release(&keys);
    ncg_graph_release(&merged);
    ncg_graph_release(&graph);
    return st;
}

static ncg_status ignore_key(const ncg_key *key, void *payload)
{
    (void)key, (void)payload;
    return NCG_OK;
}

/* Every key of every layer with what it needs. */
static ncg_status walk(ncg_graph *graph, ncg_error *err)
{
    size_t n = 0;
    ncg_status st = ncg_graph_nlayers(graph, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        ncg_layer_info info = NCG_LAYER_INFO_INIT;
        st = ncg_graph_layer(graph, i, &info, err);
        for (int64_t k = 0; !st && k < info.ntasks; k++) {
            ncg_key key;
            st = ncg_graph_key(graph, i, k, &key, err);
            if (!st)
                st = ncg_graph_deps(graph, &key, ignore_key, NULL, err);
        }
    }
    return st;
}

static ncg_status step_graph(void *arg, ncg_error *err)
{
    bed *b = arg;
    char token[33], *json = NULL, *dot = NULL;
    ncg_graph *graph = NULL;
    ncg_array *array = NULL;
    ncg_status st = make_graph(b, &graph, err);
    ncg_array_token(b->x, token);
    if (!st)
        st = walk(graph, err);
    if (!st) {
        st = ncg_graph_array(graph, token, &array, err);
        MADE(st, array);
    }
    if (!st) {
        st = ncg_graph_json(graph, true, &json, err);
        MADE(st, json);
    }
    if (!st) {
        st = ncg_graph_dot(graph, &dot, err);
        MADE(st, dot);
    }
    if (!st)
        st = ncg_dot_write(dot, in_workdir("one.dot"), err);
    if (!st)
        st = ncg_dot_write(dot, in_workdir("one.svg"), err);
    if (st == NCG_ENOTFOUND) /* no Graphviz */
        st = NCG_OK;
    ncg_free(dot);
    ncg_free(json);
    ncg_array_release(&array);
    ncg_graph_release(&graph);
    return st;
}

/* ---- results ---------------------------------------------------------------- */

static ncg_status look(bed *b, const ncg_results *results, ncg_error *err)
{
    char token[33];
    ncg_array *array = NULL;
    ncg_keys *keys = NULL;
    ncg_key key;
    ncg_chunk chunk;
    ncg_value value;
    ncg_array_token(b->x, token);
    ncg_status st = ncg_results_array(results, token, &array, err);
    MADE(st, array);
    if (!st)
        st = ncg_keys_all(b->y, &keys, err);
    for (int64_t i = 0; !st && i < ncg_keys_count(keys); i++) {
        st = ncg_keys_at(keys, i, &key, err);
        if (!st)
            st = ncg_results_chunk(results, &key, &chunk, err);
        if (!st)
            st = ncg_results_value(results, &key, &value, err);
    }
    ncg_keys_release(&keys);
    ncg_array_release(&array);
    return st;
}

static ncg_status run_with(bed *b, ncg_get_fn get, ncg_error *err)
{
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_status st = make_keys(b, &keys, err);
    if (!st) {
        st = get(b->ctx, b->graph, keys, &results, err);
        MADE(st, results);
    }
    if (!st)
        st = look(b, results, err);
    ncg_results_release(&results);
    ncg_keys_release(&keys);
    return st;
}

static ncg_status step_threads(void *arg, ncg_error *err)
{
    return run_with(arg, ncg_get_threads, err);
}

static ncg_status step_serial(void *arg, ncg_error *err)
{
    return run_with(arg, ncg_get_serial, err);
}

/* ---- explicit tasks ----------------------------------------------------------- */

static ncg_status count_inputs(const ncg_task_call *call, ncg_error *err)
{
    (void)err;
    *call->output = (ncg_value){.nbytes = 0};
    return call->ninputs < 100 ? NCG_OK : NCG_EBUG;
}

/* Tasks with names, without, and one that takes a chunk of an array. */
static ncg_status list_tasks(bed *b, ncg_tasks *tasks, ncg_error *err)
{
    static const int64_t first[] = {0, 0, 1, 3}, deps[] = {0, 0, 1};
    char text[NCG_KEY_TEXT_SIZE];
    const char *inputs[] = {"one", text};
    ncg_keys *keys = NULL;
    ncg_key key;
    int64_t number = -1;
    ncg_status st =
        ncg_tasks_add(tasks, "one", count_inputs, NULL, NULL, 0, NULL, err);
    if (!st)
        st = ncg_keys_all(b->x, &keys, err);
    if (!st)
        st = ncg_keys_at(keys, 0, &key, err);
    if (!st)
        st = ncg_tasks_add(tasks, "two", count_inputs, NULL,
                           (ncg_key_text(&key, text, sizeof text), inputs), 2,
                           NULL, err);
    if (!st)
        st = ncg_tasks_add_many(tasks, 3, count_inputs, NULL, first, deps,
                                &number, err);
    ncg_keys_release(&keys);
    return st;
}

static ncg_status step_tasks(void *arg, ncg_error *err)
{
    bed *b = arg;
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_status st = ncg_tasks_create(&tasks, err);
    MADE(st, tasks);
    if (!st)
        st = list_tasks(b, tasks, err);
    if (!st) {
        st = ncg_graph_of_tasks(tasks, b->graph, &graph, err);
        MADE(st, graph);
    }
    if (!st)
        st = walk(graph, err);
    if (!st)
        st = ncg_keys_tasks(tasks, &keys, err);
    if (!st) {
        st = ncg_get_threads(b->ctx, graph, keys, &results, err);
        MADE(st, results);
    }
    ncg_results_release(&results);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    return st;
}

/* A context in which the function is not yet known, named tasks with bytes, the
 * keys of both by name. The second task waits for the first. */
static ncg_status list_named(ncg_context *ctx, ncg_tasks *tasks,
                             ncg_error *err)
{
    static const char name[] = "org.example.count/1";
    const char *inputs[] = {"one"};
    int64_t number = -1;
    ncg_status st = ncg_task_register(ctx, name, count_inputs, NULL, err);
    ncg_tasks_sizes(tasks, 1 << 10);
    if (!st)
        st = ncg_tasks_add_named(tasks, "one", name, "bytes", 5, NULL, 0, NULL,
                                 err);
    if (!st)
        st = ncg_tasks_add_named(tasks, NULL, name, NULL, 0, inputs, 1, &number,
                                 err);
    assert_true(st || number == 1);
    return st;
}

static ncg_status step_named(void *arg, ncg_error *err)
{
    char text[NCG_KEY_TEXT_SIZE];
    ncg_key key, again;
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    (void)arg;
    options.threads = 1;
    ncg_status st = ncg_context_create(&options, &ctx, err);
    if (!st)
        st = ncg_tasks_create(&tasks, err);
    if (!st)
        st = list_named(ctx, tasks, err);
    if (!st) {
        st = ncg_graph_of_tasks(tasks, NULL, &graph, err);
        MADE(st, graph);
    }
    if (!st)
        st = ncg_tasks_key(tasks, "one", 0, &key, err);
    if (!st)
        st = ncg_key_parse((ncg_key_text(&key, text, sizeof text), text),
                           &again, err);
    if (!st)
        st = ncg_keys_tasks(tasks, &keys, err);
    if (!st) {
        st = ncg_get_threads(ctx, graph, keys, &results, err);
        MADE(st, results);
    }
    ncg_results_release(&results);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    ncg_context_destroy(&ctx);
    return st;
}

/* ---- collections ----------------------------------------------------------------- */

enum { BOTH = 2 };

static void collect(bed *b, ncg_collection out[BOTH])
{
    out[0] = ncg_array_collection(b->x);
    out[1] = ncg_dataset_collection(b->ds);
}

static void drop(const ncg_collection *c, void **results)
{
    for (int i = 0; i < BOTH; i++)
        if (results[i])
            c[i].type->release_result(results[i]);
}

static ncg_status step_compute(void *arg, ncg_error *err)
{
    ncg_collection c[BOTH];
    void *results[BOTH] = {NULL, NULL};
    collect(arg, c);
    ncg_status st = ncg_compute(((bed *)arg)->ctx, c, BOTH, NULL, results, err);
    MADE(st, results[0]);
    MADE(st, results[1]);
    drop(c, results);
    return st;
}

static ncg_status step_persist(void *arg, ncg_error *err)
{
    ncg_collection c[BOTH], kept[BOTH] = {{0}, {0}};
    collect(arg, c);
    ncg_status st = ncg_persist(((bed *)arg)->ctx, c, BOTH, kept, err);
    MADE(st, kept[0].self);
    MADE(st, kept[1].self);
    for (int i = 0; i < BOTH; i++)
        ncg_collection_release(&kept[i]);
    return st;
}

static ncg_status step_look(void *arg, ncg_error *err)
{
    char token[33] = "";
    ncg_collection c[BOTH];
    ncg_graph *graph = NULL;
    collect(arg, c);
    ncg_status st = ncg_optimize(c, BOTH, &graph, err);
    MADE(st, graph);
    if (!st)
        st = ncg_tokenize(c, BOTH, token, err);
    if (!st)
        st = ncg_visualize(c, BOTH, in_workdir("both.dot"), true, err);
    if (!st)
        st = ncg_graph_draw(graph, in_workdir("both.json"), err);
    ncg_graph_release(&graph);
    return st;
}

/* ---- submitted runs ---------------------------------------------------------------- */

static ncg_status step_submit(void *arg, ncg_error *err)
{
    bed *b = arg;
    ncg_collection c[BOTH];
    void *results[BOTH] = {NULL, NULL};
    ncg_run *run = NULL;
    collect(b, c);
    ncg_status st = ncg_submit(b->ctx, c, BOTH, NULL, &run, err);
    MADE(st, run);
    if (st)
        return st;
    ncg_run_wait(run, -1);
    st = ncg_run_results(run, results, err);
    MADE(st, results[0]);
    drop(c, results);
    ncg_run_release(&run);
    return st;
}

/* The task fails in any case; where memory is left it can be run again. */
static ncg_status step_failed(void *arg, ncg_error *err)
{
    bed *b = arg;
    ncg_collection c = ncg_array_collection(b->bad);
    void *result = NULL;
    ncg_run *run = NULL;
    ncg_status st = ncg_submit(b->ctx, &c, 1, NULL, &run, err);
    if (st)
        return st;
    ncg_run_wait(run, -1);
    st = ncg_run_results(run, &result, err);
    assert_null(result);
    if (st == NCG_EKERNEL)
        st = ncg_run_error_key(run) && ncg_run_error_path(run)
                 ? ncg_run_recompute_failed(run, err)
                 : NCG_ENOMEM;
    ncg_run_release(&run);
    return st == NCG_EKERNEL ? NCG_OK : st;
}

/* ---- the tests ----------------------------------------------------------------------- */

static ncg_status refuse(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_EKERNEL;
}

static ncg_array *mean_of(ncg_array *x, int axis)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *out = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_reduce(x, &axis, 1, &how, &out, &err));
    return out;
}

static int set_up(void **state)
{
    static const char kernel[] = "org.example.refuse/1";
    static bed b;
    ncg_error err;
    ncg_array *tas = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    if (make_files(state))
        return -1;
    how.dims = "lon";
    b.ctx = new_context(1);
    b.all = open_all(b.ctx);
    CHECK_OK(ncg_dataset_reduce(b.all, &how, &b.ds, &err));
    CHECK_OK(ncg_dataset_array(b.all, "tas", &tas, &err));
    b.x = mean_of(tas, 0);
    b.y = mean_of(tas, 2);
    CHECK_OK(ncg_graph_of((ncg_array *[]){b.x, b.y}, 2, &b.graph, &err));
    CHECK_OK(ncg_kernel_register(b.ctx, kernel, refuse, NULL, &err));
    CHECK_OK(ncg_array_map_blocks(kernel, &b.x, 1, NULL, &b.bad, &err));
    ncg_array_release(&tas);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bed *b = *state;
    ncg_graph_release(&b->graph);
    ncg_array_release(&b->bad);
    ncg_array_release(&b->x);
    ncg_array_release(&b->y);
    ncg_dataset_release(&b->ds);
    ncg_dataset_release(&b->all);
    ncg_context_destroy(&b->ctx);
    return remove_files(state);
}

static void oom_of_graphs(void **state)
{
    fail_each_allocation("keys", step_keys, *state);
    fail_each_allocation("graph", step_graph, *state);
}

static void oom_of_results(void **state)
{
    fail_each_allocation("threads", step_threads, *state);
    fail_each_allocation("serial", step_serial, *state);
    fail_each_allocation("tasks", step_tasks, *state);
    fail_each_allocation("named tasks", step_named, *state);
}

static void oom_of_collections(void **state)
{
    fail_each_allocation("compute", step_compute, *state);
    fail_each_allocation("persist", step_persist, *state);
    fail_each_allocation("optimize, tokenize, visualize", step_look, *state);
}

static void oom_of_runs(void **state)
{
    fail_each_allocation("submit", step_submit, *state);
    fail_each_allocation("a run that fails", step_failed, *state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(oom_of_graphs), NCG_TEST(oom_of_results),
        NCG_TEST(oom_of_collections), NCG_TEST(oom_of_runs)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
