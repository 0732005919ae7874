/* SPDX-License-Identifier: BSD-3-Clause */
/* The scheduler under the simulator: random plans, thread counts, limits,
 * failures, cancellation, stale events; promises checked at each event. */
#include "base/mem.h"
#include "engine/sched/choose.h"
#include "engine/sched/order.h"
#include "graph/random_nodes.h"
#include "simulator.h"

/* ---- order -----------------------------------------------------------------
 */

typedef struct order_ctx {
    const int64_t *position;
    int64_t mine;
} order_ctx;

static void comes_before(void *ctx, int input, int64_t task)
{
    const order_ctx *o = ctx;
    (void)input;
    assert_in_range(o->position[task], 0, o->mine - 1);
}

static void mark_needed(void *ctx, int input, int64_t task)
{
    (void)input;
    ((uint8_t *)ctx)[task] = 1;
}

/* The order by plain recursion. */
typedef struct reference {
    const nci_plan *plan;
    uint8_t *seen;
    int64_t *list;
    int64_t count;
} reference;

static void visit_first(void *ctx, int input, int64_t task)
{
    reference *r = ctx;
    (void)input;
    if (r->seen[task])
        return;
    nci_plan_deps(r->plan, task, visit_first, r);
    r->seen[task] = 1;
    r->list[r->count++] = task;
}

static void order_is_that_of_the_recursion(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 100; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        size_t n = (size_t)plan->ntasks + 1;
        reference r = {plan, calloc(n, 1), malloc(n * sizeof *r.list), 0};
        nci_order order;
        ncg_error err;
        int64_t task = -1;
        for (int i = 0; i < plan->noutputs; i++) {
            const nci_layer *layer = &plan->layers[plan->outputs[i]];
            for (int64_t c = 0; c < layer->ntasks; c++)
                visit_first(&r, 0, layer->base + c);
        }
        CHECK_OK(nci_order_init(&order, plan, NULL, &err));
        for (int64_t i = 0; i < r.count; i++) {
            CHECK_OK(nci_order_next(&order, &task, &err));
            assert_int_equal(task, r.list[i]);
        }
        CHECK_OK(nci_order_next(&order, &task, &err));
        assert_int_equal(task, -1);
        nci_order_fini(&order);
        nci_plan_free(&plan);
        free(r.seen);
        free(r.list);
    }
}

/* Each needed task once, inputs first, an output's chunks in row-major order.
 */
static void check_order(const nci_plan *plan)
{
    size_t n = (size_t)plan->ntasks + 1;
    int64_t *position = malloc(n * sizeof *position);
    uint8_t *needed = calloc(n, 1);
    int64_t task, at = 0, wanted = 0, stores = 0;
    uint64_t *bits = NULL;
    nci_order order;
    ncg_error err;
    for (int64_t t = 0; t < plan->ntasks; t++)
        position[t] = -1;
    for (int64_t t = plan->ntasks - 1; t >= 0; t--) {
        if (nci_plan_layer(plan, t)->kind == NCI_LAYER_STORE)
            needed[t] = 1;
        if (needed[t])
            nci_plan_deps(plan, t, mark_needed, needed);
        wanted += needed[t];
    }
    CHECK_OK(nci_order_init(&order, plan, NULL, &err));
    CHECK_OK(nci_order_next(&order, &task, &err));
    int64_t last = -1;
    int output = 0;
    for (; task >= 0; at++) {
        order_ctx o = {position, at};
        assert_int_equal(position[task], -1);
        position[task] = at;
        nci_plan_deps(plan, task, comes_before, &o);
        const nci_layer *layer = nci_plan_layer(plan, task);
        if (layer->kind == NCI_LAYER_STORE) {
            if (layer->store.output != output)
                last = -1;
            output = layer->store.output;
            assert_int_equal(task - layer->base, last + 1);
            last = task - layer->base;
            stores++;
        }
        CHECK_OK(nci_order_next(&order, &task, &err));
    }
    assert_int_equal(at, wanted);
    nci_order_fini(&order);
    CHECK_OK(nci_order_needed(plan, &bits, &err));
    for (int64_t t = 0; t < plan->ntasks; t++)
        assert_int_equal(!bits || (bits[t >> 6] >> (t & 63) & 1), needed[t]);
    nci_free(bits);
    free(position);
    free(needed);
}

/* The lists made beforehand: each needed task once, inputs first. */
static void lists_are_complete(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        uint64_t s = seed, *bits = NULL;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        size_t n = (size_t)plan->ntasks + 1;
        int64_t *position = malloc(n * sizeof *position), count = 0;
        int64_t *list = malloc(n * sizeof *list), wanted = 0;
        ncg_error err;
        for (int64_t t = 0; t < plan->ntasks; t++)
            position[t] = -1;
        CHECK_OK(nci_order_closing(plan, list, &count, &err));
        CHECK_OK(nci_order_needed(plan, &bits, &err));
        for (int64_t i = 0; i < count; i++) {
            order_ctx o = {position, i};
            assert_int_equal(position[list[i]], -1);
            position[list[i]] = i;
            nci_plan_deps(plan, list[i], comes_before, &o);
        }
        for (int64_t t = 0; t < plan->ntasks; t++)
            wanted += !bits || (bits[t >> 6] >> (t & 63) & 1);
        assert_int_equal(count, wanted);
        nci_free(bits);
        nci_plan_free(&plan);
        free(position);
        free(list);
    }
}

static void order_is_depth_first(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        check_order(plan);
        nci_plan_free(&plan);
    }
}

/* ---- runs ------------------------------------------------------------------
 */

static int64_t count_needed_tasks(const nci_plan *plan)
{
    nci_order order;
    ncg_error err;
    int64_t task, n = -1;
    CHECK_OK(nci_order_init(&order, plan, NULL, &err));
    do {
        CHECK_OK(nci_order_next(&order, &task, &err));
        n++;
    } while (task >= 0);
    nci_order_fini(&order);
    return n;
}

static sim_options options_of(uint64_t seed)
{
    static const int threads[] = {1, 2, 3, 4, 8, 64};
    static const double rooms[] = {0, 0.001, 0.01, 0.1, 1, 10};
    uint64_t s = seed * 7919;
    return (sim_options){.seed = seed,
                         .threads = threads[rnd(&s) % 6],
                         .room = rooms[rnd(&s) % 6],
                         .stale_every = rnd(&s) % 2 ? 3 : 0,
                         .is_checked = true};
}

static void sched_finishes_every_plan(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t s = seed;
        sim_options o = options_of(seed);
        sim_result r;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        o.is_checked = plan->ntasks < 600;
        sim_run(plan, &o, &r);
        assert_int_equal(r.status, NCG_OK);
        assert_int_equal(r.ran, count_needed_tasks(plan));
        nci_plan_free(&plan);
    }
}

/* Short tasks are assigned ahead of the cores, and everything still holds. */
static void sched_assigns_short_tasks_ahead(void **state)
{
    (void)state;
    int nahead = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t s = seed;
        sim_options o = options_of(seed);
        sim_result r;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        o.is_short = true;
        o.is_checked = plan->ntasks < 600;
        o.fail_at = seed % 5 == 0 ? 20 : 0;
        sim_run(plan, &o, &r);
        if (!o.fail_at) {
            assert_int_equal(r.status, NCG_OK);
            assert_int_equal(r.ran, count_needed_tasks(plan));
        }
        nahead += r.assigned > o.threads;
        nci_plan_free(&plan);
    }
    assert_in_range(nahead, 20, 200);
}

/* On one thread the run is the replay: the peak is exact. */
static void sched_one_thread_reaches_the_peak(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t s = seed;
        sim_options o = {.seed = seed, .threads = 1};
        sim_result r;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 3));
        sim_run(plan, &o, &r);
        assert_int_equal(r.status, NCG_OK);
        assert_int_equal(r.managed_peak, r.peak);
        nci_plan_free(&plan);
    }
}

static void sched_ends_after_a_failure(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t s = seed;
        sim_options o = options_of(seed);
        sim_result r;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        int64_t n = count_needed_tasks(plan);
        o.is_checked = plan->ntasks < 600;
        o.fail_at = rnd_range(&s, 1, n);
        sim_run(plan, &o, &r);
        assert_int_equal(r.status, NCG_ECORRUPT);
        nci_plan_free(&plan);
    }
}

static void sched_ends_after_cancel(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t s = seed;
        sim_options o = options_of(seed);
        sim_result r;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        int64_t n = count_needed_tasks(plan);
        o.is_checked = plan->ntasks < 600;
        o.cancel_at = rnd_range(&s, 1, n);
        sim_run(plan, &o, &r);
        assert_int_equal(r.status, NCG_ECANCELED);
        nci_plan_free(&plan);
    }
}

/* ---- a plan of a regular shape
 * ----------------------------------------------- */

/* Sum over time of `nchunks` chunks of one number. */
static nci_plan *sum_plan(int64_t nchunks)
{
    nci_source_spec spec = {.rank = 1, .dtype = NCG_DTYPE_F32};
    nci_reduce reduce = {
        .op = NCG_OP_SUM, .label_axis = -1, .skipna = true, .min_count = 1};
    nci_node *x = NULL, *sum = NULL;
    nci_plan *plan = NULL;
    nci_grid grid;
    ncg_error err;
    spec.shape[0] = nchunks;
    spec.grid.rank = 1;
    CHECK_OK(nci_axis_regular(nchunks, 1, &spec.grid.axis[0], &err));
    CHECK_OK(nci_node_source(0, &spec, &x, &err));
    reduce.over[0] = true;
    CHECK_OK(nci_node_reduce(x, &reduce, NULL, &sum, &err));
    CHECK_OK(nci_grid_regular(0, NULL, NULL, &grid, &err));
    nci_output output = {.node = sum, .dtype = sum->dtype, .grid = &grid};
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    nci_node_release(&x);
    nci_node_release(&sum);
    nci_grid_fini(&spec.grid);
    nci_grid_fini(&grid);
    return plan;
}

/* With room enough no core is idle while there is work. */
static void sched_keeps_cores_busy(void **state)
{
    (void)state;
    sim_options o = {.seed = 5, .threads = 8, .room = 10};
    sim_result r;
    nci_plan *plan = sum_plan(20000);
    sim_run(plan, &o, &r);
    assert_int_equal(r.status, NCG_OK);
    assert_true(r.busy / r.time > 0.95 * 8 || plan->ntasks < 200);
    nci_plan_free(&plan);
}

/* No allocation that fails leaves the run hanging or memory lost. */
static void sched_survives_lack_of_memory(void **state)
{
    (void)state;
    nci_plan *plan = sum_plan(200);
    uint64_t seed = 1;
    nci_sched_costs costs = {&seed, sim_scratch, sim_threads};
    bool was_ok = false;
    for (int64_t n = 1; !was_ok; n++) {
        nci_sched *sched = NULL;
        nci_actions actions = {0};
        nci_event event = {.kind = NCI_EVENT_WORKER_JOINED,
                           .threads = 2,
                           .limit = INT64_MAX / 2};
        ncg_error err;
        nci_sched_choice choice = {0};
        nci_mem_fail_at(n);
        ncg_status st = nci_sched_choose(plan, &costs, &choice, &err);
        if (!st)
            st = nci_sched_create(plan, &costs, &choice, &sched, &err);
        if (!st)
            st = nci_sched_handle(sched, &event, &actions, &err);
        nci_action queue[64];
        size_t nqueue = 0;
        bool is_over = st != NCG_OK;
        while (!is_over) {
            for (size_t i = 0; i < actions.count; i++) {
                nci_action *a = &actions.items[i];
                if (a->kind == NCI_ACTION_RUN || a->kind == NCI_ACTION_PUT)
                    queue[nqueue++] = *a;
                is_over = is_over || a->kind == NCI_ACTION_DONE ||
                          a->kind == NCI_ACTION_FAILED;
                if (a->kind == NCI_ACTION_FAILED)
                    st = a->status;
            }
            actions.count = 0;
            if (is_over)
                break;
            assert_true(nqueue > 0);
            nci_action *a = &queue[--nqueue];
            event = (nci_event){.kind = a->kind == NCI_ACTION_PUT
                                            ? NCI_EVENT_PUT_DONE
                                            : NCI_EVENT_TASK_DONE,
                                .task = a->task,
                                .attempt = a->attempt};
            CHECK_OK(nci_sched_handle(sched, &event, &actions, &err));
        }
        was_ok = st == NCG_OK;
        if (!was_ok)
            assert_int_equal(st, NCG_ENOMEM);
        nci_mem_fail_at(0);
        nci_sched_free(&sched);
        nci_sched_choice_fini(&choice);
        nci_free(actions.items);
    }
    nci_plan_free(&plan);
}

NCG_TESTS(NCG_TEST(order_is_depth_first), NCG_TEST(lists_are_complete),
          NCG_TEST(order_is_that_of_the_recursion),
          NCG_TEST(sched_finishes_every_plan),
          NCG_TEST(sched_assigns_short_tasks_ahead),
          NCG_TEST(sched_one_thread_reaches_the_peak),
          NCG_TEST(sched_ends_after_a_failure),
          NCG_TEST(sched_ends_after_cancel), NCG_TEST(sched_keeps_cores_busy),
          NCG_TEST(sched_survives_lack_of_memory))
