/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No pool and no scheduler: a walk of the plan, a store of what tasks left,
 * and for each the number of uses still to come. Kernels give the same bits
 * for any number of threads, so results are those of other runs.
 */
#include "engine/serial.h"

#include <stdatomic.h>
#include <time.h>

#include "base/mem.h"
#include "base/text.h"
#include "engine/costs.h"
#include "engine/executor_internal.h"
#include "engine/fills.h"
#include "engine/sched/order.h"
#include "engine/sched/task_map.h"

typedef struct held {
    nci_buf *buf;
    int64_t left; /* uses still to come */
} held;

typedef struct serial {
    nci_executor *executor;
    const nci_plan *plan;
    const nci_source_table *sources;
    const nci_sink *sink; /* NULL: what is stored is dropped */
    const _Atomic bool *cancel;
    nci_order order;
    uint64_t *needed;
    nci_task_map store; /* task -> held */
    nci_scratch *scratch;
    nci_dep *deps;
    size_t ndeps, deps_capacity;
    bool failed; /* memory ran out while deps were gathered */
    int64_t task, done, managed, peak;
    _Atomic int64_t *fills; /* NULL: not counted */
} serial;

static void gather(void *ctx, int input, int64_t task)
{
    serial *s = ctx;
    if (s->failed ||
        !nci_grow(&s->deps, &s->deps_capacity, s->ndeps + 1, sizeof *s->deps)) {
        s->failed = true;
        return;
    }
    const held *h = nci_task_map_get(&s->store, task);
    s->deps[s->ndeps++] = (nci_dep){input, task, h ? h->buf : NULL};
}

static void use(void *ctx, int input, int64_t task)
{
    serial *s = ctx;
    held *h = nci_task_map_get(&s->store, task);
    (void)input;
    if (!h || --h->left > 0)
        return;
    nci_task_map_remove(&s->store, task);
    s->managed -= nci_plan_bytes(s->plan, task);
    nci_buf_release(&h->buf);
    nci_free(h);
}

static ncg_status keep(serial *s, int64_t task, nci_buf **buf, ncg_error *err)
{
    int64_t left = nci_needed_dependents(s->plan, s->needed, task);
    if (!left)
        return NCG_OK;
    held *h = nci_alloc(sizeof *h);
    if (!h || !nci_task_map_reserve(&s->store)) {
        nci_free(h);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *h = (held){*buf, left};
    *buf = NULL;
    nci_task_map_put(&s->store, task, h);
    s->managed += nci_plan_bytes(s->plan, task);
    s->peak = s->managed > s->peak ? s->managed : s->peak;
    return NCG_OK;
}

static ncg_status store_chunk(const serial *s, const nci_layer *layer,
                              int64_t chunk, nci_buf **buf, ncg_error *err)
{
    const nci_sink *sink = s->sink;
    int64_t index[NCG_MAX_RANK] = {0};
    nci_box box = nci_grid_box(&layer->grid, chunk);
    nci_buf *encoded = NULL;
    if (!sink)
        return NCG_OK;
    nci_grid_index(&layer->grid, chunk, index);
    if (sink->encode) {
        NCI_TRY(sink->encode(sink->ctx, layer->store.output, index, box.count,
                             *buf, &encoded, err));
        *buf = encoded;
    }
    return sink->put(sink->ctx, layer->store.output, index, *buf, err);
}

static ncg_status run_one(serial *s, int64_t task, ncg_error *err)
{
    const nci_layer *layer = nci_plan_layer(s->plan, task);
    nci_buf *out = NULL;
    nci_task_env env = {.plan = s->plan,
                        .sources = s->sources,
                        .kernels = nci_executor_kernels(s->executor),
                        .scratch = s->scratch,
                        .threads = 1,
                        .cancelled = s->cancel,
                        .fills = s->fills ? &s->fills[layer - s->plan->layers]
                                          : NULL};
    s->ndeps = 0;
    s->task = task;
    if (s->cancel && atomic_load(s->cancel))
        return nci_fail(err, NCG_ECANCELED, "canceled");
    nci_plan_deps(s->plan, task, gather, s);
    if (s->failed)
        return nci_fail(err, NCG_ENOMEM, "out of memory (inputs of a task)");
    NCI_TRY(nci_kernel_run(&env, task, s->deps, (int64_t)s->ndeps, &out, err));
    ncg_status st = layer->kind == NCI_LAYER_STORE
                        ? store_chunk(s, layer, task - layer->base, &out, err)
                        : keep(s, task, &out, err);
    nci_buf_release(&out);
    nci_plan_deps(s->plan, task, use, s);
    s->done++;
    return st;
}

static void fini(serial *s)
{
    for (size_t i = 0; i < s->store.capacity; i++) {
        held *h = s->store.slots[i].value;
        if (h)
            nci_buf_release(&h->buf);
        nci_free(h);
    }
    nci_task_map_fini(&s->store);
    nci_order_fini(&s->order);
    nci_scratch_destroy(&s->scratch);
    nci_free(s->needed);
    nci_free((void *)s->fills);
    nci_free(s->deps);
}

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static ncg_status run_all(serial *s, void (*progress)(void *, int64_t, int64_t),
                          void *progress_ctx, ncg_error *err)
{
    int64_t task = -1;
    double told = clock_seconds();
    NCI_TRY(nci_order_needed(s->plan, &s->needed, err));
    NCI_TRY(nci_order_init(&s->order, s->plan, NULL, err));
    NCI_TRY(nci_scratch_create(&s->scratch, err));
    for (;;) {
        NCI_TRY(nci_order_next(&s->order, &task, err));
        if (task < 0)
            return NCG_OK;
        NCI_TRY(run_one(s, task, err));
        if (progress && clock_seconds() - told > 0.1) {
            progress(progress_ctx, s->done, s->managed);
            told = clock_seconds();
        }
    }
}

ncg_status
nci_serial_run(nci_executor *x, const nci_plan *plan,
               const nci_source_table *sources, const nci_sink *sink,
               const _Atomic bool *cancel,
               void (*progress)(void *ctx, int64_t tasks_done, int64_t managed),
               void *progress_ctx, nci_run_stats *stats, ncg_error *err)
{
    NCI_TRY(nci_executor_check(x, err));
    double start = clock_seconds();
    serial s = {.executor = x,
                .plan = plan,
                .sources = sources,
                .sink = sink,
                .cancel = cancel};
    ncg_status st = nci_fills_create(plan, &s.fills, err);
    if (!st)
        st = run_all(&s, progress, progress_ctx, err);
    if (stats && s.fills)
        *stats = (nci_run_stats){.tasks = s.done,
                                 .peak = s.peak,
                                 .default_fills =
                                     st ? 0
                                        : nci_fills_end(plan, sources, s.fills),
                                 .seconds = clock_seconds() - start,
                                 .failed = st ? s.task : -1};
    fini(&s);
    return st;
}

/* A walk of one task and those below it, as if it were the only output. */
static ncg_status open_below(serial *s, int64_t task, ncg_error *err)
{
    nci_order *order = &s->order;
    NCI_TRY(nci_order_init(order, s->plan, NULL, err));
    for (int i = 0; i < s->plan->noutputs; i++)
        order->chunk[i] = INT64_MAX; /* none of the outputs */
    if (!nci_grow(&order->stack, &order->capacity, 1, sizeof *order->stack))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    order->stack[order->depth++] = task;
    return NCG_OK;
}

/* The first walk tells which tasks there are, the second one runs them. */
static ncg_status run_below(serial *s, int64_t task, ncg_error *err)
{
    int64_t next = 0;
    NCI_TRY(nci_scratch_create(&s->scratch, err));
    NCI_TRY(open_below(s, task, err));
    while (next >= 0)
        NCI_TRY(nci_order_next(&s->order, &next, err));
    s->needed = s->order.seen;
    s->order.seen = NULL;
    nci_order_fini(&s->order);
    NCI_TRY(open_below(s, task, err));
    for (;;) {
        NCI_TRY(nci_order_next(&s->order, &next, err));
        if (next < 0)
            return NCG_OK;
        NCI_TRY(run_one(s, next, err));
    }
}

ncg_status nci_serial_task(nci_executor *x, const nci_plan *plan,
                           const nci_source_table *sources, int64_t task,
                           ncg_error *err)
{
    NCI_TRY(nci_executor_check(x, err));
    serial s = {.executor = x, .plan = plan, .sources = sources};
    ncg_status st = run_below(&s, task, err);
    fini(&s);
    return st;
}
