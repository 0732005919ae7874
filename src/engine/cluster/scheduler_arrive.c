/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs that read sets of chunks while another run makes these. A task whose
 * chunks are not there waits in its machine (sched/arrive.c); ten times a second
 * machines are told that some have come.
 *
 * The run that makes a set was begun before any that reads it, so on every
 * worker it has its share of the memory first, and waits for no reader. Should
 * it have to begin again, because something that it reads itself was lost, it
 * does so before all others (scheduler_queue.c), and those that read its sets
 * begin again behind it.
 */
#include "base/mem.h"
#include "engine/cluster/scheduler_kept_set.h"
#include "engine/source_remote.h"
#include "graph/fuse.h"

bool nci_kept_is_arriving(const kept_set *set)
{
    return set && !set->is_complete && !set->broken.status;
}

/* ---- one task ------------------------------------------------------------ */

typedef struct asking {
    const nci_scheduler *scheduler;
    const kept_set *set;
    bool found;
} asking;

static bool has(void *ctx, int64_t chunk)
{
    const asking *a = ctx;
    return nci_values_where(a->scheduler->values, nci_kept_id(a->set, chunk),
                            NULL) != NCI_NO_WORKER;
}

/* The first and last position that an operand reads along one of its axes. Many
 * tasks are asked about at a time: only lists are gone through. */
static void span(const nci_access *access, int axis, const nci_box *box,
                 int64_t *low, int64_t *high)
{
    const nci_pick *pick = &access->picks[axis];
    int d = access->from[axis];
    *low = *high = d < 0 ? pick->start : nci_pick_at(pick, box->start[d]);
    if (d < 0)
        return;
    int64_t by = pick->index || box->count[d] < 2 ? 1 : box->count[d] - 1;
    for (int64_t i = by; i < box->count[d]; i += by) {
        int64_t at = nci_pick_at(pick, box->start[d] + i);
        *low = at < *low ? at : *low;
        *high = at > *high ? at : *high;
    }
}

static void look(void *ctx, nci_token space)
{
    asking *a = ctx;
    a->found =
        a->found || nci_kept_is_arriving(nci_kept_find(a->scheduler, space));
}

static bool reads_arriving(const nci_plan_run *r)
{
    asking a = {.scheduler = r->scheduler};
    if (r->hosted.sources)
        nci_source_table_each_remote(r->hosted.sources, look, &a);
    return a.found;
}

/* A source that is made of others may read any of them. */
static bool operand_is_there(const nci_plan_run *r, const nci_access *access,
                             const nci_box *box)
{
    const nci_source *source =
        nci_source_table_get(r->hosted.sources, access->source);
    int64_t low[NCG_MAX_RANK] = {0}, high[NCG_MAX_RANK] = {0};
    nci_token space;
    if (!nci_source_is_remote(source, &space))
        return !reads_arriving(r);
    asking a = {r->scheduler, nci_kept_find(r->scheduler, space), false};
    if (!nci_kept_is_arriving(a.set))
        return true;
    for (int axis = 0; axis < access->rank; axis++)
        span(access, axis, box, &low[axis], &high[axis]);
    return nci_source_remote_all(source, low, high, has, &a);
}

bool nci_kept_is_there(void *ctx, int64_t task)
{
    const nci_plan_run *r = ctx;
    const nci_layer *layer = nci_plan_layer(r->hosted.plan, task);
    const nci_fused *f = &layer->fused;
    if (!r->put || layer->kind != NCI_LAYER_FUSED)
        return true;
    nci_box box = nci_grid_box(&layer->grid, task - layer->base);
    if (nci_box_is_empty(&box))
        return true;
    for (int i = 0; i < f->noperands; i++)
        if (f->operands[i].kind == NCI_OPERAND_SOURCE &&
            !operand_is_there(r, &f->operands[i], &box))
            return false;
    return true;
}

/* ---- runs ---------------------------------------------------------------- */

void nci_kept_arrivals(nci_scheduler *s)
{
    nci_plan_run *r = s->has_arrived ? nci_scheduler_run_after(s, 0) : NULL;
    s->has_arrived = false;
    while (r) {
        nci_event arrived = {.kind = NCI_EVENT_ARRIVED};
        uint32_t id = r->id;
        if (r->put)
            nci_run_event(r, &arrived);
        r = nci_scheduler_run_after(s, id);
    }
}

/* Of a run: does it read a set of which that is true? */
typedef struct search {
    const nci_plan_run *run, *maker;
    bool found;
    nci_token space; /* the set */
} search;

static bool reads(const nci_plan_run *r, void (*see)(void *, nci_token),
                  const nci_plan_run *maker, nci_token *space)
{
    search f = {.run = r, .maker = maker};
    if (r->hosted.sources)
        nci_source_table_each_remote(r->hosted.sources, see, &f);
    if (space)
        *space = f.space;
    return f.found;
}

static void see_maker(void *ctx, nci_token space)
{
    search *f = ctx;
    const kept_set *set = nci_kept_find(f->run->scheduler, space);
    f->found |= nci_kept_is_arriving(set) && set->maker == f->maker;
}

static void see_later(void *ctx, nci_token space)
{
    search *f = ctx;
    const kept_set *set = nci_kept_find(f->run->scheduler, space);
    bool is_later = nci_kept_is_arriving(set) && set->maker &&
                    set->maker != f->run &&
                    (set->maker->state == NCI_RUN_QUEUED ||
                     set->maker->turn > f->run->turn);
    if (is_later) {
        f->found = true;
        f->space = space;
    }
}

bool nci_kept_is_ahead(nci_plan_run *r)
{
    return reads(r, see_later, NULL, &r->awaits);
}

bool nci_kept_awaits(const nci_plan_run *r)
{
    const kept_set *set = nci_kept_find(r->scheduler, r->awaits);
    return nci_kept_is_arriving(set) && set->maker &&
           set->maker->state == NCI_RUN_QUEUED;
}

/* All are found before any is ended: then the maker may begin, and be gone. */
void nci_kept_hold_up(const nci_plan_run *maker)
{
    nci_scheduler *s = maker->scheduler;
    for (nci_plan_run *r = s->runs; r; r = r->next)
        if (r != maker && r->put && r->state == NCI_RUN_RUNNING &&
            !r->has_error && reads(r, see_maker, maker, NULL))
            r->is_held = true;
    for (nci_plan_run *r = nci_scheduler_run_after(s, 0); r;) {
        nci_event cancel = {.kind = NCI_EVENT_CANCEL};
        uint32_t id = r->id;
        if (r->is_held && r->state == NCI_RUN_RUNNING) {
            r->is_held = false;
            r->is_waiting = true;
            nci_run_event(r, &cancel);
        }
        r = nci_scheduler_run_after(s, id);
    }
}
