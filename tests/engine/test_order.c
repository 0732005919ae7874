/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of tasks against dask.order, on graphs that dask made
 * (order/make_corpus.py): both orders are replayed here by the same rules, one
 * task after the other, a value is let go after its last user, results at
 * once. NCG_ORDER_TABLE=1 prints every graph.
 */
#include "base/mem.h"
#include "engine/sched/choose.h"
#include "test.h"

typedef struct graph {
    char name[64];
    int64_t n, ndeps;
    int64_t *bytes, *theirs; /* theirs[i]: task that dask runs i-th */
    int64_t *first, *deps, *users;
} graph;

static ncg_status no_work(const ncg_task_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

static int64_t no_scratch(void *ctx, int64_t task, int threads)
{
    (void)ctx, (void)task, (void)threads;
    return 0;
}

static int one_thread(void *ctx, int64_t task, int available)
{
    (void)ctx, (void)task, (void)available;
    return 1;
}

static bool read_graph(FILE *file, graph *g)
{
    char line[16384];
    *g = (graph){0};
    if (!fgets(line, sizeof line, file))
        return false;
    long long n = 0;
    assert_int_equal(sscanf(line, "graph %63s %lld", g->name, &n), 2);
    g->n = n;
    size_t count = (size_t)n + 1;
    g->bytes = calloc(count, sizeof *g->bytes);
    g->theirs = calloc(count, sizeof *g->theirs);
    g->first = calloc(count, sizeof *g->first);
    g->users = calloc(count, sizeof *g->users);
    g->deps = calloc(count * 256, sizeof *g->deps);
    for (int64_t t = 0; t < n; t++) {
        char *at = line;
        assert_non_null(fgets(line, sizeof line, file));
        /* small arrays stand for large ones: the order of plans that need
         * little memory is not looked for */
        g->bytes[t] = strtoll(at, &at, 10) << 20;
        g->theirs[strtoll(at, &at, 10)] = t;
        for (;;) {
            char *end = at;
            int64_t dep = strtoll(at, &end, 10);
            if (end == at)
                break;
            assert_in_range(dep, 0, t - 1);
            g->deps[g->ndeps++] = dep;
            g->users[dep]++;
            at = end;
        }
        g->first[t + 1] = g->ndeps;
        assert_in_range(g->ndeps, 0, n * 256);
    }
    return true;
}

static void free_graph(graph *g)
{
    free(g->bytes);
    free(g->theirs);
    free(g->first);
    free(g->users);
    free(g->deps);
}

/* The most bytes that are held when tasks run as listed. */
static int64_t replay(const graph *g, const int64_t *list)
{
    int64_t now = 0, peak = 0;
    int64_t *left = malloc(((size_t)g->n + 1) * sizeof *left);
    uint8_t *done = calloc((size_t)g->n + 1, 1);
    memcpy(left, g->users, (size_t)g->n * sizeof *left);
    for (int64_t i = 0; i < g->n; i++) {
        int64_t t = list[i];
        assert_false(done[t]);
        done[t] = 1;
        now += g->bytes[t];
        peak = now > peak ? now : peak;
        for (int64_t k = g->first[t]; k < g->first[t + 1]; k++) {
            assert_true(done[g->deps[k]]);
            if (--left[g->deps[k]] == 0)
                now -= g->bytes[g->deps[k]];
        }
        if (!left[t])
            now -= g->bytes[t];
    }
    assert_int_equal(now, 0);
    free(left);
    free(done);
    return peak;
}

static nci_tasks *make_tasks(const graph *g)
{
    nci_tasks *tasks = NULL;
    ncg_error err;
    CHECK_OK(nci_tasks_create(&tasks, &err));
    for (int64_t t = 0; t < g->n; t++) {
        nci_task_kind kind = {"order", no_work, g->bytes[t]};
        int64_t first[2] = {0, g->first[t + 1] - g->first[t]};
        CHECK_OK(nci_tasks_add_many(tasks, 1, &kind, NULL, first,
                                    g->deps + g->first[t], NULL, &err));
    }
    CHECK_OK(nci_tasks_seal(tasks, NULL, NULL, &err));
    return tasks;
}

/* Each result is an output of its own. */
static nci_plan *make_plan(const graph *g, nci_tasks *tasks)
{
    size_t n = (size_t)g->n + 1;
    nci_output *outputs = calloc(n, sizeof *outputs);
    int64_t *list = malloc(n * sizeof *list);
    nci_plan *plan = NULL;
    ncg_error err;
    int noutputs = 0;
    for (int64_t t = 0; t < g->n; t++) {
        list[t] = t;
        if (g->users[t])
            continue;
        outputs[noutputs++] =
            (nci_output){.tasks = tasks, .list = &list[t], .nlist = 1};
    }
    CHECK_OK(nci_lower(outputs, noutputs, &plan, &err));
    free(outputs);
    free(list);
    return plan;
}

static int64_t our_peak(const graph *g, const char **name)
{
    nci_tasks *tasks = make_tasks(g);
    nci_plan *plan = make_plan(g, tasks);
    nci_sched_costs costs = {NULL, no_scratch, one_thread};
    nci_sched_choice choice = {0};
    nci_order order;
    ncg_error err;
    int64_t *list = malloc(((size_t)g->n + 1) * sizeof *list), task, n = 0;
    CHECK_OK(nci_sched_choose(plan, &costs, &choice, &err));
    CHECK_OK(nci_order_init(&order, plan, &choice.way, &err));
    for (;;) {
        CHECK_OK(nci_order_next(&order, &task, &err));
        if (task < 0)
            break;
        const nci_layer *layer = nci_plan_layer(plan, task);
        if (layer->kind == NCI_LAYER_TASKS)
            list[n++] = task - layer->base;
    }
    assert_int_equal(n, g->n);
    int64_t peak = replay(g, list);
    *name = choice.name;
    nci_order_fini(&order);
    nci_sched_choice_fini(&choice);
    nci_plan_free(&plan);
    nci_tasks_release(&tasks);
    free(list);
    return peak;
}

static void order_is_as_good_as_dasks(void **state)
{
    (void)state;
    FILE *file = fopen(NCG_ORDER_CORPUS, "r");
    int graphs = 0, worse = 0;
    double logs = 0, worst = 0;
    graph g;
    assert_non_null(file);
    for (; read_graph(file, &g); graphs++) {
        const char *name = NULL;
        int64_t theirs = replay(&g, g.theirs);
        int64_t ours = our_peak(&g, &name);
        double ratio = (double)ours / (double)theirs;
        worse += ours > theirs;
        worst = ratio > worst ? ratio : worst;
        logs += log(ratio);
        if (getenv("NCG_ORDER_TABLE"))
            printf("%-22s %6lld tasks  dask %8lld  ours %8lld MiB  %.2f  %s\n",
                   g.name, (long long)g.n, (long long)(theirs >> 20), (long long)(ours >> 20),
                   ratio, name);
        free_graph(&g);
    }
    fclose(file);
    printf("%d graphs: worse on %d, at worst %.3f, geometric mean %.3f\n",
           graphs, worse, worst, exp(logs / graphs));
    assert_true(graphs >= 40);
    assert_true(worse * 20 <= graphs);
    assert_true(worst <= 1.1);
    assert_true(logs < 0);
}

/* Tiles of a square, each pair of mirrored ones needed by two tasks that leave
 * little, and a task that takes all that these leave. */
static graph mirrored_tiles(int64_t side)
{
    int64_t tiles = side * side;
    graph g = {.n = 2 * tiles + 1};
    size_t count = (size_t)g.n + 1;
    g.bytes = calloc(count, sizeof *g.bytes);
    g.first = calloc(count, sizeof *g.first);
    g.users = calloc(count, sizeof *g.users);
    g.deps = calloc(3 * (size_t)tiles, sizeof *g.deps);
    for (int64_t t = 0; t < g.n; t++) {
        int64_t at = t - tiles, mirror = at % side * side + at / side;
        g.bytes[t] = t < tiles ? 16 << 20 : 1 << 10;
        for (int64_t k = 0; t == 2 * tiles && k < tiles; k++)
            g.deps[g.ndeps++] = tiles + k;
        if (t >= tiles && t < 2 * tiles)
            g.deps[g.ndeps++] = at;
        if (t >= tiles && t < 2 * tiles && at != mirror)
            g.deps[g.ndeps++] = mirror;
        g.first[t + 1] = g.ndeps;
    }
    for (int64_t k = 0; k < g.ndeps; k++)
        g.users[g.deps[k]]++;
    return g;
}

/* Two tiles and what is left of the others, whatever the side. */
static void mirrored_tiles_meet(void **state)
{
    (void)state;
    for (int64_t side = 1; side <= 48; side += 47) {
        const char *name = NULL;
        graph g = mirrored_tiles(side);
        int64_t most = (2 * INT64_C(16) << 20) + (side * side + 1) * 1024;
        assert_in_range(our_peak(&g, &name), 0, most);
        free_graph(&g);
    }
}

NCG_TESTS(NCG_TEST(order_is_as_good_as_dasks), NCG_TEST(mirrored_tiles_meet))
