/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a plan needs at least: a replay in order on one thread. Outputs live
 * from the task that makes them until the last task that needs them has run;
 * what a STORE task leaves is put at once.
 */
#include "base/mem.h"
#include "engine/sched/choose.h"
#include "engine/sched/sched_internal.h"

typedef struct replay {
    nci_order order;
    uint64_t *needed;
    nci_records live;
    int64_t now, peak;
} replay;

static void use(void *ctx, int input, int64_t task)
{
    replay *r = ctx;
    nci_record *record = nci_records_find(&r->live, task);
    (void)input;
    if (--record->left > 0)
        return;
    r->now -= record->bytes;
    nci_records_remove(&r->live, record);
}

static ncg_status step(replay *r, const nci_plan *plan,
                       const nci_sched_costs *costs, int64_t task,
                       ncg_error *err)
{
    int64_t bytes = nci_plan_bytes(plan, task);
    int64_t need = bytes + costs->scratch(costs->ctx, task, 1);
    if (r->now + need > r->peak)
        r->peak = r->now + need;
    nci_plan_deps(plan, task, use, r);
    int64_t left = nci_needed_dependents(plan, r->needed, task);
    if (nci_plan_layer(plan, task)->kind == NCI_LAYER_STORE || !left)
        return NCG_OK;
    nci_record *record = nci_records_add(&r->live, task);
    if (!record)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    record->bytes = bytes;
    record->left = left;
    r->now += bytes;
    return NCG_OK;
}

ncg_status nci_sched_peak(const nci_plan *plan, const nci_sched_costs *costs,
                          const nci_order_way *way, int64_t *out,
                          ncg_error *err)
{
    replay r = {0};
    int64_t task = -1;
    NCI_TRY(nci_order_needed(plan, &r.needed, err));
    ncg_status st = nci_order_init(&r.order, plan, way, err);
    if (st)
        goto done;
    while (!(st = nci_order_next(&r.order, &task, err)) && task >= 0) {
        st = step(&r, plan, costs, task, err);
        if (st)
            break;
    }
    if (!st)
        *out = r.peak;
done:
    nci_order_fini(&r.order);
    nci_records_fini(&r.live);
    nci_free(r.needed);
    return st;
}
