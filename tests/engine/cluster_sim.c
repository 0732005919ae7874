/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One list of what happens, by time. What happens at a worker that is stopped
 * happens when it goes on; what happens at one that is dead does not.
 * Who is there, and what may go wrong, is planned from the seed at the start.
 */
#include "cluster_sim_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/sched/cluster_internal.h"
#include "simulator.h"

/* ---- the list ------------------------------------------------------------ */

static bool is_before(const happening *a, const happening *b)
{
    return a->time != b->time ? a->time < b->time : a->number < b->number;
}

void csim_later(csim *s, int64_t time, happening h)
{
    h.time = time;
    h.number = s->numbers++;
    if (!nci_grow(&s->list, &s->capacity, s->count + 1, sizeof *s->list))
        abort();
    size_t i = s->count++;
    while (i > 0 && is_before(&h, &s->list[(i - 1) / 2])) {
        s->list[i] = s->list[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->list[i] = h;
}

static happening next(csim *s)
{
    happening top = s->list[0], last = s->list[--s->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->count)
            break;
        if (child + 1 < s->count &&
            is_before(&s->list[child + 1], &s->list[child]))
            child++;
        if (is_before(&last, &s->list[child]))
            break;
        s->list[i] = s->list[child];
        i = child;
    }
    s->list[i] = last;
    return top;
}

/* ---- a run --------------------------------------------------------------- */

static void set_values(csim *s)
{
    nci_order order;
    ncg_error err;
    int64_t task = 0, n = 0;
    if (nci_order_init(&order, s->plan, &s->choice.way, &err))
        abort();
    while (!nci_order_next(&order, &task, &err) && task >= 0) {
        s->values[task] = csim_value_of(s, task, NULL);
        if (nci_plan_layer(s->plan, task)->kind == NCI_LAYER_STORE)
            s->puts[n++] = task;
    }
    nci_order_fini(&order);
}

static int64_t limit_of(csim *s)
{
    int64_t all = 0;
    for (int64_t t = 0; t < s->plan->ntasks; t++)
        all += nci_plan_bytes(s->plan, t);
    double part = (double)(csim_roll(s) % 100) / 100.0;
    return s->floor + (int64_t)(s->o->room * part * (double)all);
}

/* Something happens to a worker that is there by then. */
static void plan_one(csim *s, what kind, int count)
{
    int total = s->o->workers + s->o->joins;
    for (int i = 0; i < count; i++)
        csim_later(
            s,
            csim_between(s, 0, 4 * SECOND) + (int64_t)s->o->late_start * SECOND,
            (happening){.kind = kind,
                        .worker = (int)(csim_roll(s) % (uint64_t)total)});
}

static void plan_workers(csim *s)
{
    const csim_options *o = s->o;
    for (int i = 0; i < o->workers + o->joins; i++) {
        sworker *w = &s->workers[s->nworkers++];
        int64_t start = (int64_t)o->late_start * SECOND;
        w->number = (uint32_t)i + 1;
        w->threads = (int)csim_between(s, 1, o->threads);
        w->limit = limit_of(s);
        start += i < o->workers ? (int64_t)(csim_roll(s) % 1000)
                                : csim_between(s, 0, 4 * SECOND);
        if (i > 0 && i <= o->ends)
            w->end = start + csim_between(s, SECOND, 100 * SECOND);
        csim_later(s, start, (happening){.kind = JOIN, .worker = i});
    }
    plan_one(s, KILL, o->kills);
    plan_one(s, STOP, o->stops);
    plan_one(s, DRAIN, o->drains);
    csim_later(s, SECOND, (happening){.kind = TICK});
    if (o->has_arrivals)
        csim_later(s, 0, (happening){.kind = ARRIVE});
}

/* One that has not come yet, or is dead, is a home too. */
static uint32_t home_of(void *ctx, int64_t task)
{
    const csim *s = ctx;
    uint64_t chance = csim_mix((uint64_t)task + 7, s->o->seed) >> 20;
    int most = s->o->workers + s->o->joins;
    return chance % 4 ? 1 + (uint32_t)(chance % (uint64_t)most) : NCI_NO_WORKER;
}

static void open_sched(csim *s)
{
    nci_cluster_options options = NCI_CLUSTER_OPTIONS_INIT;
    ncg_error err;
    s->costs = (nci_sched_costs){(void *)&s->o->seed, sim_scratch, sim_threads};
    if (nci_sched_choose(s->plan, &s->costs, &s->choice, &err) ||
        nci_sched_floor(s->plan, &s->costs, &s->floor, &err) ||
        nci_sched_create(s->plan, &s->costs, &s->choice, &s->sched, &err))
        abort();
    options.floor = s->floor;
    options.can_checkpoint = s->o->can_checkpoint;
    options.looks_ahead = s->o->looks_ahead;
    options.strikes = s->o->poison ? 3 : 1000000;
    options.grace = 2 * SECOND;
    options.home = s->o->has_homes ? home_of : NULL;
    options.is_there = s->o->has_arrivals ? csim_is_there : NULL;
    options.home_ctx = s;
    if (nci_sched_open_cluster(s->sched, &options, &err))
        abort();
    s->sched->cluster->faults = s->o->faults;
}

/* After the end nobody keeps anything. */
static void check_empty(csim *s)
{
    for (int i = 0; i < s->nworkers; i++) {
        sworker *w = &s->workers[i];
        if (!w->is_alive || !w->is_known)
            continue;
        if (w->memory.count || w->disk.count || w->bytes)
            csim_broken(s, "a worker keeps chunks after the end", i);
    }
    nci_sched_get_stats(s->sched, &s->result->stats);
    if (s->result->status || s->is_broken)
        return;
    int64_t nputs = 0;
    for (int i = 0; i < s->plan->noutputs; i++)
        nputs += s->plan->layers[s->plan->outputs[i]].ntasks;
    if (s->next_put != nputs)
        csim_broken(s, "not everything has been put", nputs);
    /* Tasks that were given to others too may still be unanswered, and so may
     * those that turned out not to be needed again. */
    for (size_t i = 0; i < s->sched->records.map.capacity; i++) {
        const nci_record *r = s->sched->records.map.slots[i].value;
        if (r && r->state != NCI_TASK_GONE && !r->at.is_again)
            csim_broken(s, "the scheduler keeps books of what is gone",
                        r->task);
    }
}

static void fini(csim *s)
{
    for (int i = 0; i < s->nworkers; i++) {
        nci_worker_free(&s->workers[i].machine);
        nci_task_map_fini(&s->workers[i].memory);
        nci_task_map_fini(&s->workers[i].disk);
    }
    nci_sched_free(&s->sched);
    nci_sched_choice_fini(&s->choice);
    nci_task_map_fini(&s->saved);
    nci_free(s->actions.items);
    nci_free(s->inner.items);
    nci_free(s->list);
    nci_free(s->requests);
    nci_free(s->writer);
    free(s->workers);
    free(s->values);
    free(s->puts);
}

static void run(csim *s)
{
    const nci_event cancel = {.kind = NCI_EVENT_CANCEL};
    int64_t progress = 0, since = 0;
    while (s->count && !s->is_broken) {
        happening h = next(s);
        s->now = h.time;
        csim_happen(s, &h);
        if (s->o->cancel_at && s->result->events >= s->o->cancel_at && !s->over)
            csim_tell(s, &cancel);
        if (s->result->tasks + s->result->puts != progress) {
            progress = s->result->tasks + s->result->puts;
            since = s->now;
        }
        if (!s->over && s->now > since + 900 * SECOND)
            csim_broken(s, "the run stands still", s->result->tasks);
    }
    if (!s->is_broken)
        check_empty(s);
    if (s->is_broken)
        csim_show(s);
}

void csim_run(const nci_plan *plan, const csim_options *options,
              csim_result *result)
{
    size_t ntasks = (size_t)plan->ntasks + 1;
    size_t most = 2 * (size_t)(options->workers + options->joins) + 4096;
    csim s = {.plan = plan,
              .result = result,
              .lost_put = -1,
              .random = options->seed * 2654435761u + 17};
    csim_options own = *options;
    s.o = &own;
    *result = (csim_result){0};
    s.workers = calloc(most, sizeof *s.workers);
    s.values = calloc(ntasks, sizeof *s.values);
    s.puts = calloc(ntasks, sizeof *s.puts);
    open_sched(&s);
    set_values(&s);
    plan_workers(&s);
    run(&s);
    result->is_broken = s.is_broken;
    result->seconds = (double)s.now / 1e9;
    fini(&s);
}
