/* SPDX-License-Identifier: BSD-3-Clause */
/* Explicit tasks: values, dependencies, chunks of arrays, errors. */
#include <stdatomic.h>

#include "api/files.h"

/* ---- functions
 * -------------------------------------------------------------------- */

static void free_value(void *data, void *payload)
{
    (void)payload;
    free(data);
}

static ncg_status leave(double x, ncg_value *out)
{
    double *p = malloc(sizeof *p);
    *p = x;
    *out = (ncg_value){p, sizeof *p, free_value, NULL};
    return NCG_OK;
}

static ncg_status number(const ncg_task_call *call, ncg_error *err)
{
    (void)err;
    return leave(*(double *)call->payload, call->output);
}

/* 10 * (10 * a + b) + c ... : the order of inputs shows. */
static ncg_status digits(const ncg_task_call *call, ncg_error *err)
{
    double x = 0;
    (void)err;
    for (size_t i = 0; i < call->ninputs; i++)
        x = 10 * x + *(double *)call->inputs[i].data;
    return leave(x, call->output);
}

static ncg_status add(const ncg_task_call *call, ncg_error *err)
{
    double x = 0;
    (void)err;
    for (size_t i = 0; i < call->ninputs; i++)
        x += *(double *)call->inputs[i].data;
    return leave(x, call->output);
}

static ncg_status refuse(const ncg_task_call *call, ncg_error *err)
{
    (void)call;
    snprintf(err->message, sizeof err->message, "not today");
    return NCG_EKERNEL;
}

/* The sum of the values of chunks, and of where they lie. */
static ncg_status sum_chunks(const ncg_task_call *call, ncg_error *err)
{
    double sum = 0;
    (void)err;
    for (size_t i = 0; i < call->ninputs; i++) {
        const ncg_chunk *chunk = call->chunks ? call->chunks[i] : NULL;
        if (!chunk) {
            sum += *(double *)call->inputs[i].data;
            continue;
        }
        const float *data = call->inputs[i].data;
        size_t n = call->inputs[i].nbytes / sizeof *data;
        for (size_t k = 0; k < n; k++)
            sum += isnan(data[k]) ? 0 : data[k];
    }
    return leave(sum, call->output);
}

/* ---- helpers
 * ------------------------------------------------------------------------ */

static double value_of(const ncg_results *results, const ncg_tasks *tasks,
                       const char *name)
{
    ncg_key key;
    ncg_value value;
    ncg_error err;
    CHECK_OK(ncg_tasks_key(tasks, name, 0, &key, &err));
    CHECK_OK(ncg_results_value(results, &key, &value, &err));
    assert_int_equal(value.nbytes, sizeof(double));
    return *(double *)value.data;
}

static ncg_results *run(ncg_context *ctx, ncg_graph *graph,
                        const ncg_tasks *tasks, const char *name)
{
    ncg_key key;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_error err;
    if (name) {
        CHECK_OK(ncg_tasks_key(tasks, name, 0, &key, &err));
        CHECK_OK(ncg_keys_list(&key, 1, &keys, &err));
    } else {
        CHECK_OK(ncg_keys_tasks(tasks, &keys, &err));
    }
    CHECK_OK(ncg_get_threads(ctx, graph, keys, &results, &err));
    ncg_keys_release(&keys);
    return results;
}

static double one = 1, two = 2, three = 3;

/* ---- tests
 * ---------------------------------------------------------------------------
 */

/* Inputs are named before they are listed, one of them twice. */
static void tasks_get_inputs_in_order(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    const char *deps[] = {"three", "one", "two", "one"};
    ncg_error err;
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    CHECK_OK(ncg_tasks_add(tasks, "all", digits, NULL, deps, 4, NULL, &err));
    CHECK_OK(ncg_tasks_add(tasks, "one", number, &one, NULL, 0, NULL, &err));
    CHECK_OK(ncg_tasks_add(tasks, "two", number, &two, NULL, 0, NULL, &err));
    CHECK_OK(
        ncg_tasks_add(tasks, "three", number, &three, NULL, 0, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    ncg_results *results = run(ctx, graph, tasks, "all");
    assert_true(value_of(results, tasks, "all") == 3121);
    ncg_results_release(&results);
    results = run(ctx, graph, tasks, NULL);
    assert_true(value_of(results, tasks, "all") == 3121);
    assert_true(value_of(results, tasks, "two") == 2);
    ncg_results_release(&results);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    ncg_context_destroy(&ctx);
}

static void tasks_take_chunks_of_arrays(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_dataset *ds = open_all(ctx);
    ncg_array *x = NULL;
    ncg_tasks *tasks = NULL;
    ncg_graph *arrays = NULL, *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_error err;
    CHECK_OK(ncg_dataset_array(ds, "tas", &x, &err));
    CHECK_OK(ncg_graph_of(&x, 1, &arrays, &err));
    CHECK_OK(ncg_keys_all(x, &keys, &err));
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    int64_t n = ncg_keys_count(keys);
    char names[64][16];
    const char *parts[64];
    assert_true(n < 64);
    for (int64_t i = 0; i < n; i++) {
        ncg_key key;
        char text[NCG_KEY_TEXT_SIZE];
        const char *deps[] = {text};
        CHECK_OK(ncg_keys_at(keys, i, &key, &err));
        ncg_key_text(&key, text, sizeof text);
        snprintf(names[i], sizeof names[i], "part-%d", (int)i);
        parts[i] = names[i];
        CHECK_OK(ncg_tasks_add(tasks, names[i], sum_chunks, NULL, deps, 1, NULL,
                               &err));
    }
    CHECK_OK(
        ncg_tasks_add(tasks, "sum", add, NULL, parts, (size_t)n, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(tasks, arrays, &graph, &err));
    ncg_results *results = run(ctx, graph, tasks, "sum");
    double want = 0;
    for (int t = 0; t < NT * NFILES; t++)
        for (int y = 0; y < NY; y++)
            for (int k = 0; k < NX; k++)
                want += field(t, y, k) == FILL ? 0 : field(t, y, k);
    CHECK_NEAR(value_of(results, tasks, "sum"), want, 1e-12);
    ncg_results_release(&results);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_graph_release(&arrays);
    ncg_tasks_free(&tasks);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

/* A tree of n leaves without names, listed at once. */
static void many_tasks_are_listed_at_once(void **state)
{
    (void)state;
    enum { LEAVES = 4096, N = 2 * LEAVES - 1 };
    ncg_context *ctx = new_context(2);
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    static double values[LEAVES];
    static void *payloads[LEAVES];
    static int64_t first[LEAVES], deps[2 * LEAVES];
    int64_t start = -1;
    ncg_error err;
    for (int i = 0; i < LEAVES; i++) {
        values[i] = i;
        payloads[i] = &values[i];
    }
    for (int i = 0; i < LEAVES - 1; i++) {
        first[i] = 2 * i;
        deps[2 * i] = 2 * i;
        deps[2 * i + 1] = 2 * i + 1;
    }
    first[LEAVES - 1] = 2 * (LEAVES - 1);
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    ncg_tasks_sizes(tasks, sizeof(double));
    CHECK_OK(ncg_tasks_add_many(tasks, LEAVES, number, payloads, NULL, NULL,
                                &start, &err));
    assert_int_equal(start, 0);
    CHECK_OK(ncg_tasks_add_many(tasks, LEAVES - 1, add, NULL, first, deps,
                                &start, &err));
    assert_int_equal(start, LEAVES);
    CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    ncg_key key;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_value value;
    CHECK_OK(ncg_tasks_key(tasks, NULL, N - 1, &key, &err));
    CHECK_OK(ncg_keys_list(&key, 1, &keys, &err));
    ncg_get_fn gets[] = {ncg_get_threads, ncg_get_serial};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(gets[i](ctx, graph, keys, &results, &err));
        CHECK_OK(ncg_results_value(results, &key, &value, &err));
        assert_true(*(double *)value.data == (double)LEAVES * (LEAVES - 1) / 2);
        ncg_results_release(&results);
    }
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    ncg_context_destroy(&ctx);
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    const char *a[] = {"a"}, *b[] = {"b"}, *c[] = {"c"}, *none[] = {"nope"};
    ncg_error err;
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_OK(ncg_tasks_add(tasks, "a", add, NULL, b, 1, NULL, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_tasks_add(tasks, "a", add, NULL, b, 1, NULL, &err));
    CHECK_MESSAGE("two tasks are named \"a\"");
    CHECK_OK(ncg_tasks_add(tasks, "b", add, NULL, c, 1, NULL, &err));
    CHECK_OK(ncg_tasks_add(tasks, "c", add, NULL, a, 1, NULL, &err));
    CHECK_OK(ncg_tasks_add(tasks, "d", add, NULL, a, 1, NULL, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_MESSAGE("in a circle");
    CHECK_MESSAGE("\"a\" needs \"b\"");
    CHECK_STATUS(NCG_EINVAL, ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    ncg_tasks_free(&tasks);

    CHECK_OK(ncg_tasks_create(&tasks, &err));
    CHECK_OK(ncg_tasks_add(tasks, "a", add, NULL, none, 1, NULL, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_MESSAGE("\"a\" needs \"nope\"");
    ncg_tasks_free(&tasks);

    CHECK_OK(ncg_tasks_create(&tasks, &err));
    int64_t first[] = {0, 1}, deps[] = {7};
    CHECK_OK(ncg_tasks_add_many(tasks, 1, add, NULL, first, deps, NULL, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_MESSAGE("task 0 needs task 7");
    ncg_tasks_free(&tasks);
    int64_t falling[] = {2, 1};
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_tasks_add_many(tasks, 1, add, NULL, falling,
                                                deps, NULL, &err));
    ncg_tasks_free(&tasks);
}

static void failing_tasks_name_themselves(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    const char *deps[] = {"bad"};
    ncg_error err;
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    CHECK_OK(ncg_tasks_add(tasks, "bad", refuse, NULL, NULL, 0, NULL, &err));
    CHECK_OK(ncg_tasks_add(tasks, "next", add, NULL, deps, 1, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_tasks_add(tasks, "x", add, NULL, NULL, 0, NULL, &err));
    CHECK_OK(ncg_keys_tasks(tasks, &keys, &err));
    CHECK_STATUS(NCG_EKERNEL,
                 ncg_get_threads(ctx, graph, keys, &results, &err));
    CHECK_MESSAGE("task \"bad\" failed: not today");
    CHECK_STATUS(NCG_EKERNEL, ncg_get_serial(ctx, graph, keys, &results, &err));
    CHECK_MESSAGE("task \"bad\" failed: not today");
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);

    /* A value beyond what was stated. */
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    ncg_tasks_sizes(tasks, 4);
    CHECK_OK(ncg_tasks_add(tasks, "big", number, &one, NULL, 0, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_OK(ncg_keys_tasks(tasks, &keys, &err));
    CHECK_STATUS(NCG_EKERNEL,
                 ncg_get_threads(ctx, graph, keys, &results, &err));
    CHECK_MESSAGE("8 bytes");
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    ncg_context_destroy(&ctx);
}

/* Random graphs against a plain recursion, on both schedulers. */
static void random_graphs_are_right(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    srand(7);
    for (int round = 0; round < 30; round++) {
        enum { N = 200 };
        ncg_tasks *tasks = NULL;
        ncg_graph *graph = NULL;
        ncg_keys *keys = NULL;
        ncg_results *results = NULL;
        ncg_key wanted[5];
        double want[N], own[N];
        ncg_error err;
        CHECK_OK(ncg_tasks_create(&tasks, &err));
        for (int i = 0; i < N; i++) {
            char name[16], dep[6][16];
            const char *deps[6];
            size_t n = i ? (size_t)rand() % 6 : 0;
            own[i] = rand() % 100;
            want[i] = n ? 0 : own[i];
            for (size_t k = 0; k < n; k++) {
                int from = rand() % i;
                snprintf(dep[k], sizeof dep[k], "t%d", from);
                deps[k] = dep[k];
                want[i] += want[from];
            }
            if (want[i] > 1e12)
                want[i] = 1e300; /* not compared */
            snprintf(name, sizeof name, "t%d", i);
            CHECK_OK(ncg_tasks_add(tasks, name, n ? add : number, &own[i], deps,
                                   n, NULL, &err));
        }
        CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
        for (int k = 0; k < 5; k++)
            CHECK_OK(ncg_tasks_key(tasks, NULL, rand() % N, &wanted[k], &err));
        CHECK_OK(ncg_keys_list(wanted, 5, &keys, &err));
        ncg_get_fn gets[] = {ncg_get_threads, ncg_get_serial};
        for (int g = 0; g < 2; g++) {
            CHECK_OK(gets[g](ctx, graph, keys, &results, &err));
            for (int k = 0; k < 5; k++) {
                ncg_value value;
                CHECK_OK(ncg_results_value(results, &wanted[k], &value, &err));
                double x = want[wanted[k].index[0]];
                assert_true(x > 1e12 || *(double *)value.data == x);
            }
            ncg_results_release(&results);
        }
        ncg_keys_release(&keys);
        ncg_graph_release(&graph);
        ncg_tasks_free(&tasks);
    }
    ncg_context_destroy(&ctx);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {NCG_TEST(tasks_get_inputs_in_order),
                                       NCG_TEST(tasks_take_chunks_of_arrays),
                                       NCG_TEST(many_tasks_are_listed_at_once),
                                       NCG_TEST(bad_lists_are_refused),
                                       NCG_TEST(failing_tasks_name_themselves),
                                       NCG_TEST(random_graphs_are_right)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
