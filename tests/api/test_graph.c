/* SPDX-License-Identifier: BSD-3-Clause */
/* Graphs: walking layers and keys, JSON, drawings. */
#include <jansson.h>

#include "api/files.h"

static ncg_array *tas(ncg_context *ctx)
{
    ncg_dataset *ds = open_all(ctx);
    ncg_array *array = NULL;
    ncg_error err;
    CHECK_OK(ncg_dataset_array(ds, "tas", &array, &err));
    ncg_dataset_release(&ds);
    return array;
}

/* (tas - mean over time)[3:20:2] */
static ncg_array *expression(ncg_context *ctx)
{
    ncg_array *x = tas(ctx), *mean = NULL, *diff = NULL, *out = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    int axis = 0;
    ncg_error err;
    how.op = NCG_OP_MEAN;
    CHECK_OK(ncg_array_reduce(x, &axis, 1, &how, &mean, &err));
    ncg_array *both[] = {x, mean};
    CHECK_OK(ncg_array_map("subtract", both, 2, &diff, &err));
    CHECK_OK(ncg_array_slice(diff, 0, 3, 20, 2, &out, &err));
    ncg_array_release(&diff);
    ncg_array_release(&mean);
    ncg_array_release(&x);
    return out;
}

static ncg_graph *graph_of(ncg_array *x)
{
    ncg_graph *graph = NULL;
    ncg_error err;
    CHECK_OK(ncg_graph_of(&x, 1, &graph, &err));
    return graph;
}

static void keys_are_texts(void **state)
{
    (void)state;
    ncg_key key = {.rank = 3, .index = {4, 0, 123456789012}}, back;
    char text[NCG_KEY_TEXT_SIZE];
    ncg_error err;
    strcpy(key.layer, "0123456789abcdef0123456789abcdef");
    assert_string_equal(
        ncg_key_text(&key, text, sizeof text),
        "('0123456789abcdef0123456789abcdef', 4, 0, 123456789012)");
    CHECK_OK(ncg_key_parse(text, &back, &err));
    assert_memory_equal(&back, &key, sizeof key);
    key.rank = 0;
    assert_string_equal(ncg_key_text(&key, text, sizeof text),
                        "('0123456789abcdef0123456789abcdef',)");
    CHECK_OK(ncg_key_parse(text, &back, &err));
    assert_int_equal(back.rank, 0);
    char small[8];
    assert_int_equal(strlen(ncg_key_text(&key, small, sizeof small)), 7);
    const char *bad[] = {
        "",
        "(",
        "('0123')",
        "('0123456789abcdef0123456789abcdeg', 1)",
        "('0123456789abcdef0123456789abcdef', -1)",
        "('0123456789abcdef0123456789abcdef', 1",
        "('0123456789abcdef0123456789abcdef', 99999999999999999999)",
        "('0123456789abcdef0123456789abcdef', 1) x",
        "('0123456789abcdef0123456789abcdef', 1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,"
        "6,7)"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STATUS(NCG_EINVAL, ncg_key_parse(bad[i], &back, &err));
}

typedef struct needed {
    ncg_graph *graph;
    size_t user;
    int64_t count;
} needed;

/* Each key that is needed belongs to an input of the layer. */
static ncg_status check_need(const ncg_key *key, void *payload)
{
    needed *n = payload;
    ncg_layer_info info = NCG_LAYER_INFO_INIT, input = NCG_LAYER_INFO_INIT;
    ncg_error err;
    bool found = false;
    CHECK_OK(ncg_graph_layer(n->graph, n->user, &info, &err));
    for (size_t i = 0; i < info.ninputs; i++) {
        CHECK_OK(ncg_graph_layer(n->graph, info.inputs[i], &input, &err));
        if (strcmp(input.token, key->layer))
            continue;
        found = true;
        assert_int_equal(key->rank, input.rank);
        for (int d = 0; d < key->rank; d++)
            assert_in_range(key->index[d], 0, input.nchunks[d] - 1);
    }
    assert_true(found);
    n->count++;
    return NCG_OK;
}

static int64_t walk(ncg_graph *graph)
{
    size_t n = 0;
    int64_t needs = 0;
    ncg_error err;
    CHECK_OK(ncg_graph_nlayers(graph, &n, &err));
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        ncg_layer_info info = NCG_LAYER_INFO_INIT;
        int64_t tasks = 1;
        CHECK_OK(ncg_graph_layer(graph, i, &info, &err));
        assert_int_equal(strlen(info.token), 32);
        for (int d = 0; d < info.rank; d++) {
            tasks *= info.nchunks[d];
            assert_int_equal(info.edges[d][info.nchunks[d]], info.shape[d]);
        }
        assert_int_equal(tasks, info.ntasks);
        for (size_t k = 0; k < info.ninputs; k++)
            assert_true(info.inputs[k] < i);
        for (int64_t t = 0; t < info.ntasks; t++) {
            ncg_key key;
            needed need = {graph, i, 0};
            CHECK_OK(ncg_graph_key(graph, i, t, &key, &err));
            CHECK_OK(ncg_graph_deps(graph, &key, check_need, &need, &err));
            assert_true((need.count > 0) == (info.ninputs > 0));
            needs += need.count;
        }
        ncg_key none;
        CHECK_STATUS(NCG_EINVAL,
                     ncg_graph_key(graph, i, info.ntasks, &none, &err));
    }
    return needs;
}

static void graphs_are_walked(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = expression(ctx);
    ncg_graph *built = graph_of(x), *optimized = NULL;
    ncg_layer_info info = NCG_LAYER_INFO_INIT;
    size_t n = 0, fewer = 0;
    ncg_error err;
    CHECK_OK(ncg_graph_optimize(built, NULL, &optimized, &err));
    CHECK_OK(ncg_graph_nlayers(built, &n, &err));
    CHECK_OK(ncg_graph_layer(built, 0, &info, &err));
    assert_string_equal(info.kind, "source");
    assert_int_equal(info.dtype, NCG_DTYPE_F32);
    CHECK_OK(ncg_graph_layer(built, n - 1, &info, &err));
    char token[33];
    ncg_array_token(x, token);
    assert_string_equal(info.token, token);
    assert_string_equal(info.kind, "select");
    assert_true(walk(built) > 0);
    assert_true(walk(optimized) > 0);
    CHECK_OK(ncg_graph_nlayers(optimized, &fewer, &err));
    /* The keys of the root are those of the optimised graph as well. */
    ncg_keys *keys = NULL;
    ncg_key key;
    needed need = {optimized, fewer - 1, 0};
    CHECK_OK(ncg_keys_all(x, &keys, &err));
    CHECK_OK(ncg_keys_at(keys, 0, &key, &err));
    CHECK_OK(ncg_graph_deps(optimized, &key, check_need, &need, &err));
    assert_true(need.count > 0);
    CHECK_STATUS(NCG_EINVAL, ncg_graph_layer(built, n, &info, &err));
    ncg_keys_release(&keys);
    ncg_graph_release(&optimized);
    ncg_graph_release(&built);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* Slices: which chunks a chunk comes from is exact. */
static void needs_of_slices_are_exact(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = tas(ctx), *last = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_slice(x, 0, -1, -2, -1, &last, &err));
    ncg_graph *graph = graph_of(last);
    ncg_keys *keys = NULL;
    ncg_key key;
    CHECK_OK(ncg_keys_all(last, &keys, &err));
    CHECK_OK(ncg_keys_at(keys, 0, &key, &err));
    needed need = {graph, 1, 0};
    CHECK_OK(ncg_graph_deps(graph, &key, check_need, &need, &err));
    assert_int_equal(need.count, 1);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_array_release(&last);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static void check_json(ncg_graph *graph, bool tasks)
{
    char *text = NULL;
    json_error_t where;
    size_t n = 0;
    ncg_error err;
    CHECK_OK(ncg_graph_json(graph, tasks, &text, &err));
    json_t *root = json_loads(text, 0, &where);
    if (!root)
        fail_msg("line %d: %s", where.line, where.text);
    json_t *layers = json_object_get(root, "layers");
    CHECK_OK(ncg_graph_nlayers(graph, &n, &err));
    assert_int_equal(json_array_size(layers), n);
    for (size_t i = 0; i < n; i++) {
        ncg_layer_info info = NCG_LAYER_INFO_INIT;
        json_t *layer = json_array_get(layers, i);
        CHECK_OK(ncg_graph_layer(graph, i, &info, &err));
        assert_string_equal(json_string_value(json_object_get(layer, "token")),
                            info.token);
        assert_int_equal(json_integer_value(json_object_get(layer, "tasks")),
                         info.ntasks);
        json_t *keys = json_object_get(layer, "keys");
        assert_int_equal(tasks ? json_array_size(keys) : 0,
                         tasks ? (size_t)info.ntasks : 0);
        assert_true(tasks || !keys);
    }
    json_decref(root);
    ncg_free(text);
}

static ncg_status nothing(const ncg_task_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

static void graphs_are_json(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = expression(ctx);
    ncg_graph *built = graph_of(x), *optimized = NULL, *tasks = NULL;
    ncg_tasks *list = NULL;
    ncg_keys *keys = NULL;
    ncg_key key;
    char text[NCG_KEY_TEXT_SIZE];
    const char *deps[] = {"odd \"name\"\\\n", text};
    ncg_error err;
    CHECK_OK(ncg_graph_optimize(built, NULL, &optimized, &err));
    check_json(built, false);
    check_json(built, true);
    check_json(optimized, true);
    CHECK_OK(ncg_keys_all(x, &keys, &err));
    CHECK_OK(ncg_keys_at(keys, 0, &key, &err));
    ncg_key_text(&key, text, sizeof text);
    CHECK_OK(ncg_tasks_create(&list, &err));
    CHECK_OK(ncg_tasks_add(list, deps[0], nothing, NULL, NULL, 0, NULL, &err));
    CHECK_OK(ncg_tasks_add(list, "b", nothing, NULL, deps, 2, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(list, built, &tasks, &err));
    check_json(tasks, true);
    ncg_graph_release(&optimized);
    CHECK_OK(ncg_graph_optimize(tasks, NULL, &optimized, &err));
    check_json(optimized, true);
    ncg_keys_release(&keys);
    ncg_tasks_free(&list);
    ncg_graph_release(&tasks);
    ncg_graph_release(&optimized);
    ncg_graph_release(&built);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static bool begins(const char *path, const char *text)
{
    char head[200] = "";
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(head, 1, sizeof head - 1, f) : 0;
    if (f)
        fclose(f);
    return n && strstr(head, text);
}

static void collections_are_drawn(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = expression(ctx);
    ncg_collection c = ncg_array_collection(x);
    const char *path = in_workdir("graph.dot");
    ncg_error err;
    CHECK_OK(ncg_visualize(&c, 1, path, false, &err));
    assert_true(begins(path, "digraph"));
    path = in_workdir("graph.json");
    CHECK_OK(ncg_visualize(&c, 1, path, true, &err));
    assert_true(begins(path, "{\"optimized\": true"));
    path = in_workdir("graph.svg");
    ncg_status st = ncg_visualize(&c, 1, path, true, &err);
    if (st == NCG_ENOTFOUND)
        print_message("no Graphviz: svg not tried\n");
    else
        assert_true(st == NCG_OK && begins(path, "<?xml"));
    CHECK_STATUS(NCG_EINVAL, ncg_visualize(&c, 1, "graph.bmp", true, &err));
    CHECK_MESSAGE(".svg");
    CHECK_STATUS(NCG_EOUTPUT,
                 ncg_visualize(&c, 1, "/nowhere/graph.dot", true, &err));
    CHECK_STATUS(NCG_EOUTPUT,
                 ncg_visualize(&c, 1, "/nowhere/graph.svg", true, &err));
    CHECK_MESSAGE("/nowhere/graph.svg: cannot write");
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(keys_are_texts), NCG_TEST(graphs_are_walked),
        NCG_TEST(needs_of_slices_are_exact), NCG_TEST(graphs_are_json),
        NCG_TEST(collections_are_drawn)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
