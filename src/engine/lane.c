/* SPDX-License-Identifier: BSD-3-Clause */
/* One task on one thread: inputs, kernel, encoding, scratch. */
#include "engine/lane.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "engine/kernel/team.h"
#include "engine/task_log.h"

typedef struct gather_ctx {
    const nci_task_map *store;
    nci_lane *lane;
} gather_ctx;

static void gather_dep(void *ctx, int input, int64_t task)
{
    gather_ctx *g = ctx;
    nci_lane *lane = g->lane;
    if (lane->failed || !nci_grow(&lane->deps, &lane->deps_capacity,
                                  lane->ndeps + 1, sizeof *lane->deps)) {
        lane->failed = true;
        return;
    }
    lane->deps[lane->ndeps++] =
        (nci_dep){input, task, nci_task_map_get(g->store, task)};
}

void nci_lane_gather(nci_lane *lane, const nci_plan *plan,
                     const nci_task_map *store, int64_t task)
{
    lane->ndeps = 0;
    nci_lane_gather_more(lane, plan, store, task);
}

bool nci_lane_gather_more(nci_lane *lane, const nci_plan *plan,
                          const nci_task_map *store, int64_t task)
{
    gather_ctx g = {store, lane};
    lane->failed = false;
    nci_plan_deps(plan, task, gather_dep, &g);
    return !lane->failed;
}

static ncg_status encode(const nci_lane_run *r, const nci_layer *layer,
                         int64_t task, nci_buf **chunk, ncg_error *err)
{
    int64_t index[NCG_MAX_RANK] = {0};
    nci_box box = nci_grid_box(&layer->grid, task - layer->base);
    nci_buf *encoded = NULL;
    nci_grid_index(&layer->grid, task - layer->base, index);
    ncg_status st = r->encode(r->encode_ctx, layer->store.output, index,
                              box.count, *chunk, &encoded, err);
    if (!st)
        *chunk = encoded; /* the sink has taken the old one */
    return st;
}

/* A scratch keeps its size between tasks. Where the scratches of all threads
 * would take a good part of the limit, also those that have no task now, each
 * ends with its task. */
static void trim_scratch(const nci_lane_run *r, nci_lane *lane, int64_t task)
{
    const int64_t few = INT64_C(32) << 20;
    int64_t quarter = r->limit / 4;
    int64_t kept = r->work->scratch(r->work->ctx, task, 1);
    if (kept > (quarter > few ? quarter : few) / r->executor->threads)
        nci_scratch_destroy(&lane->scratch);
}

ncg_status nci_lane_execute(const nci_lane_run *r, nci_lane *lane, int64_t task,
                            int threads, nci_buf **out, ncg_error *err)
{
    const nci_lane_inputs inputs = {lane->deps, lane->ndeps};
    if (lane->failed)
        return nci_fail(err, NCG_ENOMEM, "out of memory (inputs of a task)");
    return nci_lane_run_task(r, lane, &inputs, task, threads, out, err);
}

ncg_status nci_lane_run_task(const nci_lane_run *r, nci_lane *lane,
                             const nci_lane_inputs *inputs, int64_t task,
                             int threads, nci_buf **out, ncg_error *err)
{
    const nci_layer *layer = nci_plan_layer(r->plan, task);
    if (!lane->scratch)
        NCI_TRY(nci_scratch_create(&lane->scratch, err));
    nci_task_env env = {.plan = r->plan,
                        .sources = r->sources,
                        .kernels = r->executor->kernels,
                        .scratch = lane->scratch,
                        .threads = threads,
                        .cancelled = r->stopping,
                        .fills = r->fills ? &r->fills[layer - r->plan->layers]
                                          : &lane->fills};
    atomic_store_explicit(&lane->fills, 0, memory_order_relaxed);
    double start = nci_task_log_now();
    ncg_status st = r->work->run(r->work->ctx, &env, task, inputs->deps,
                                 (int64_t)inputs->count, out, err);
    nci_team_end(threads);
    if (layer->kind != NCI_LAYER_TASKS)
        trim_scratch(r, lane, task);
    if (!st && layer->kind == NCI_LAYER_STORE && r->encode)
        st = encode(r, layer, task, out, err);
    if (start > 0)
        nci_task_log_note(r->plan, task, start, st ? 0 : nci_buf_size(*out),
                          st);
    return st;
}
