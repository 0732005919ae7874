/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs that keep their outputs as sets of chunks on workers, and runs that read
 * such sets. */
#include "engine/cluster/scheduler_kept_set.h"

#include <string.h>

#include "base/mem.h"
#include "engine/source_remote.h"
#include "graph/fuse.h"

/* ---- a run that keeps ---------------------------------------------------- */

/* A chunk that a worker was told to keep; in the order of the machine's PUTs,
 * which is the order in which it is told that they are done. */
typedef struct nci_keeping {
    int64_t task;
    uint32_t attempt, worker;
    nci_token space;
    int64_t chunk, bytes;
    bool is_kept;
    struct nci_keeping *next;
} keeping;

typedef struct needing {
    nci_scheduler *scheduler;
    kept_set *set;
    bool is_starved;
} needing;

static void need(void *ctx, nci_token space)
{
    needing *n = ctx;
    if (!nci_kept_need(n->scheduler, n->set, space))
        n->is_starved = true;
}

static ncg_status starved(ncg_error *err)
{
    return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
}

static ncg_status keep_needs(nci_plan_run *r, kept_set *set, ncg_error *err)
{
    needing n = {r->scheduler, set, false};
    nci_source_table_each_remote(r->hosted.sources, need, &n);
    return n.is_starved ? starved(err) : NCG_OK;
}

/* The client may let go of what the set is made of before the plan is open: so
 * the message names it. */
static kept_set *promise(nci_plan_run *r, const nci_plan_message *m,
                         nci_token space, int output)
{
    nci_scheduler *s = r->scheduler;
    kept_set *set = nci_calloc(1, sizeof *set);
    needing n = {s, set, false};
    if (!set)
        return NULL;
    *set = (kept_set){.space = space,
                      .serial = ++s->serials & INT32_MAX,
                      .body = nci_buf_retain(r->body),
                      .output = output,
                      .maker = r,
                      .next = s->sets};
    s->sets = set;
    if (r->client)
        nci_kept_hold(s, r->client, space);
    for (int i = 0; i < m->nneeds; i++)
        need(&n, m->needs[i]);
    return n.is_starved ? NULL : set;
}

ncg_status nci_kept_promise(nci_plan_run *r, ncg_error *err)
{
    nci_unpack in = {.data = nci_buf_data(r->body),
                     .size = nci_buf_size(r->body)};
    nci_plan_message m = {0};
    nci_token space;
    NCI_TRY(nci_plan_message_unpack(&in, &m, err));
    ncg_status st = NCG_OK;
    r->keeps_all = m.nkeeps > 0;
    for (int i = 0; !st && i < m.nkeeps; i++) {
        bool keeps = nci_plan_keep(&m, i, &space);
        kept_set *set = keeps ? nci_kept_find(r->scheduler, space) : NULL;
        r->keeps_all = r->keeps_all && keeps;
        if (set && !set->is_complete && !set->maker)
            set->maker = r; /* it was promised by a scheduler before */
        else if (keeps && !set && !promise(r, &m, space, i))
            st = starved(err);
    }
    nci_plan_message_fini(&m);
    return st;
}

static ncg_status open_set(nci_plan_run *r, nci_token space, int output,
                           ncg_error *err)
{
    const nci_layer *layer =
        &r->hosted.plan->layers[r->hosted.plan->outputs[output]];
    kept_set *set = nci_kept_find(r->scheduler, space);
    if (!set) /* nobody reads any more what was to be made again */
        set = promise(r, &r->message, space, output);
    if (!set)
        return starved(err);
    if (!set->maker)
        set->maker = r;
    if (set->is_open)
        return NCG_OK;
    if (layer->ntasks > UINT32_MAX || layer->store.list.items)
        return nci_fail(err, NCG_ENET, "output %d cannot be kept", output);
    set->nchunks = layer->ntasks;
    set->is_open = true;
    NCI_TRY(keep_needs(r, set, err));
    nci_names_opened(r->scheduler, space);
    return NCG_OK;
}

ncg_status nci_kept_begin(nci_plan_run *r, ncg_error *err)
{
    nci_token space;
    r->last_keeping = &r->keepings;
    r->lost_keeping = -1;
    for (int i = 0; i < r->hosted.plan->noutputs; i++)
        if (nci_plan_keep(&r->message, i, &space))
            NCI_TRY(open_set(r, space, i, err));
    return NCG_OK;
}

static void say(nci_plan_run *r, nci_event_kind kind, int64_t task,
                uint32_t attempt)
{
    nci_event event = {.kind = kind,
                       .worker = NCI_NO_WORKER,
                       .task = task,
                       .attempt = attempt};
    nci_sched_handle(r->sched, &event, &r->actions, NULL);
}

static void forget_keeping(nci_plan_run *r)
{
    keeping *k = r->keepings;
    r->keepings = k->next;
    if (!k->next)
        r->last_keeping = &r->keepings;
    nci_free(k);
}

void nci_kept_drop_there(nci_scheduler *s, uint32_t worker, nci_token space,
                         int64_t chunk)
{
    nci_service drop = {.kind = NCI_SERVICE_DROP, .space = space, .key = chunk};
    nci_scheduler_tell(s, worker, &drop);
}

/* Gives back the one that is lost and all behind it, which come again. */
static void give_back(nci_plan_run *r, const keeping *lost)
{
    keeping **at = &r->keepings;
    while (*at != lost)
        at = &(*at)->next;
    keeping *rest = *at;
    *at = NULL;
    r->last_keeping = at;
    r->lost_keeping = rest->task;
    while (rest) {
        keeping *next = rest->next;
        nci_kept_drop_there(r->scheduler, rest->worker, rest->space,
                            rest->chunk);
        say(r, NCI_EVENT_PUT_LOST, rest->task, rest->attempt);
        nci_free(rest);
        rest = next;
    }
}

static bool begin_keeping(nci_plan_run *r, const nci_action *action,
                          const nci_layer *layer, nci_token space)
{
    keeping *k = nci_calloc(1, sizeof *k);
    int64_t chunk = action->task - layer->base;
    if (!k)
        return false;
    if (layer->store.list.items)
        chunk = layer->store.list.items[chunk];
    *k = (keeping){.task = action->task,
                   .attempt = action->attempt,
                   .worker = action->from,
                   .space = space,
                   .chunk = chunk};
    *r->last_keeping = k;
    r->last_keeping = &k->next;
    nci_service keep = {.kind = NCI_SERVICE_KEEP,
                        .id = action->task,
                        .key = chunk,
                        .attempt = action->attempt,
                        .bytes = r->id,
                        .space = space};
    nci_scheduler_tell(r->scheduler, action->from, &keep);
    return true;
}

static void fail_put(nci_plan_run *r, const nci_action *put)
{
    nci_event failed = {.kind = NCI_EVENT_TASK_FAILED,
                        .worker = NCI_NO_WORKER,
                        .task = put->task,
                        .attempt = put->attempt,
                        .status = NCG_ENOMEM};
    nci_sched_handle(r->sched, &failed, &r->actions, NULL);
}

bool nci_kept_put(nci_plan_run *r, const nci_action *action)
{
    const nci_layer *layer = nci_plan_layer(r->hosted.plan, action->task);
    const nci_action put = *action; /* its list may move */
    nci_token space;
    if (!nci_plan_keep(&r->message, layer->store.output, &space))
        return false;
    bool is_due = r->lost_keeping < 0 || r->lost_keeping == put.task;
    if (!is_due) {
        say(r, NCI_EVENT_PUT_LOST, put.task, put.attempt);
        return true;
    }
    r->lost_keeping = -1;
    if (!begin_keeping(r, &put, layer, space))
        fail_put(r, &put);
    return true;
}

/* What is kept at the front is told to both machines. */
static void settle(nci_plan_run *r)
{
    nci_scheduler *s = r->scheduler;
    while (r->keepings && r->keepings->is_kept) {
        keeping k = *r->keepings;
        kept_set *set = nci_kept_find(s, k.space);
        nci_value_event there = {
            .kind = NCI_VALUE_KEPT, .worker = k.worker, .bytes = k.bytes};
        nci_event done = {.kind = NCI_EVENT_PUT_DONE,
                          .worker = NCI_NO_WORKER,
                          .task = k.task,
                          .attempt = k.attempt};
        forget_keeping(r);
        there.id = set ? nci_kept_id(set, k.chunk) : 0;
        if (set && !nci_scheduler_value(s, &there, NULL))
            set->nthere++;
        else
            nci_kept_drop_there(s, k.worker, k.space, k.chunk);
        s->has_arrived = true;
        nci_run_note_put(r, k.task);
        nci_sched_handle(r->sched, &done, &r->actions, NULL);
    }
}

static nci_plan_run *run_that_keeps(nci_scheduler *s, nci_token space)
{
    nci_token one;
    for (nci_plan_run *r = s->runs; r; r = r->next)
        for (int i = 0; r->state == NCI_RUN_RUNNING && i < r->message.nkeeps;
             i++)
            if (nci_plan_keep(&r->message, i, &one) &&
                nci_token_equal(one, space))
                return r;
    return NULL;
}

/* A chunk that nobody waits for any more, unless it has its place. */
static void drop_stray(nci_scheduler *s, const nci_roll *roll,
                       const nci_service *told)
{
    const kept_set *set = nci_kept_find(s, told->space);
    if (!set || nci_values_where(s->values, nci_kept_id(set, told->key),
                                 NULL) != roll->number)
        nci_kept_drop_there(s, roll->number, told->space, told->key);
}

void nci_kept_answer(nci_scheduler *s, const nci_roll *roll,
                     const nci_service *told)
{
    nci_plan_run *r = run_that_keeps(s, told->space);
    keeping *k = r ? r->keepings : NULL;
    while (k && (k->task != told->id || k->attempt != told->attempt ||
                 k->worker != roll->number || k->is_kept))
        k = k->next;
    if (!k) {
        drop_stray(s, roll, told);
        return;
    }
    k->is_kept = !told->error.status;
    k->bytes = told->bytes;
    if (!k->is_kept)
        give_back(r, k);
    settle(r);
    nci_run_apply(r);
}

void nci_kept_worker_left(nci_plan_run *r, uint32_t worker)
{
    const keeping *k = r->state == NCI_RUN_RUNNING ? r->keepings : NULL;
    while (k && k->worker != worker)
        k = k->next;
    if (!k)
        return;
    give_back(r, k);
    nci_run_apply(r);
}

/* Has the chunks made that are not there. */
void nci_kept_repair(nci_scheduler *s, kept_set *set)
{
    ncg_error err;
    if (!set->is_complete || set->is_repairing || nci_kept_is_early(s) ||
        set->nthere == set->nchunks || set->broken.status)
        return;
    set->is_repairing = true;
    if (nci_run_repair(s, set->serial, &err))
        set->broken = err;
}

/* A run that was to make all, or some again. What makes it again may fail at
 * once, and the set be gone by then. */
static void end_set(nci_plan_run *r, kept_set *set)
{
    nci_scheduler *s = r->scheduler;
    const nci_token space = set->space;
    set->maker = NULL;
    set->was_made = set->is_complete || !r->has_error;
    set->is_complete = true;
    set->is_repairing = false;
    s->has_arrived = true;
    if (r->has_error)
        set->broken = r->error; /* told to those that hold it */
    nci_kept_repair(s, set);
    set = nci_kept_find(s, space);
    if (set)
        nci_kept_review(s, set);
}

static kept_set *set_of(const nci_plan_run *r)
{
    kept_set *set = r->scheduler->sets;
    while (set && set->maker != r)
        set = set->next;
    return set;
}

void nci_kept_end(nci_plan_run *r, bool goes_on)
{
    kept_set *set = NULL;
    while (r->keepings)
        forget_keeping(r);
    if (goes_on)
        return;
    if (r->repairs) /* it may not have got as far as its plan */
        set = nci_kept_of_id(r->scheduler, (int64_t)r->repairs << 32);
    if (set)
        end_set(r, set);
    while ((set = set_of(r)))
        end_set(r, set);
}

bool nci_kept_is_wanted(const nci_plan_run *r)
{
    bool is_read = r->keeps_all;
    for (const kept_set *set = r->scheduler->sets; set; set = set->next)
        is_read = is_read && (set->maker != r || set->names);
    return is_read && set_of(r);
}

/* ---- a run that makes sets again ----------------------------------------- */

bool nci_kept_remakes(const nci_plan_run *r)
{
    return r->begun && !r->repairs && set_of(r);
}

static bool is_settled(const kept_set *set, const nci_plan_run *reader)
{
    if (!set || set->broken.status)
        return true; /* it says so */
    if (!set->is_complete) /* one that makes a set again waits for all of it */
        return !reader->repairs && set->maker &&
               set->maker->state != NCI_RUN_QUEUED;
    return !set->is_repairing && set->nthere >= set->nchunks;
}

/* Sets are made of earlier ones, so one of those that wait can always begin. */
bool nci_kept_may_begin(const nci_plan_run *r)
{
    const nci_scheduler *s = r->scheduler;
    for (const kept_set *set = s->sets; set; set = set->next)
        for (size_t i = 0;
             (set->maker == r || set->serial == r->repairs) && i < set->nneeds;
             i++)
            if (!is_settled(nci_kept_find(s, set->needs[i]), r))
                return false;
    return true;
}

/* ---- a run that reads sets ----------------------------------------------- */

uint32_t nci_kept_home(void *ctx, int64_t task)
{
    const nci_plan_run *r = ctx;
    const nci_layer *layer = nci_plan_layer(r->hosted.plan, task);
    const nci_fused *f = &layer->fused;
    int64_t at[NCG_MAX_RANK] = {0};
    nci_token space;
    if (layer->kind != NCI_LAYER_FUSED || !f->noperands ||
        f->operands[0].kind != NCI_OPERAND_SOURCE)
        return NCI_NO_WORKER;
    const nci_access *access = &f->operands[0];
    const nci_source *source =
        nci_source_table_get(r->hosted.sources, access->source);
    if (!nci_source_is_remote(source, &space))
        return NCI_NO_WORKER;
    const kept_set *set = nci_kept_find(r->scheduler, space);
    nci_box box = nci_grid_box(&layer->grid, task - layer->base);
    for (int a = 0; a < access->rank; a++) {
        int d = access->from[a];
        at[a] = d < 0 ? access->picks[a].start
                      : nci_pick_at(&access->picks[a], box.start[d]);
    }
    return set ? nci_values_where(
                     r->scheduler->values,
                     nci_kept_id(set, nci_source_remote_chunk(source, at)),
                     NULL)
               : NCI_NO_WORKER;
}

typedef struct looking {
    const nci_scheduler *scheduler;
    bool found;
} looking;

static void look(void *ctx, nci_token space)
{
    looking *l = ctx;
    const kept_set *set = nci_kept_find(l->scheduler, space);
    l->found = l->found || (set && set->is_complete && !set->broken.status &&
                            (set->is_repairing || set->nthere < set->nchunks));
}

/* Of a set that arrives much is not there: only the task's own chunks count. */
bool nci_kept_is_waited_for(nci_plan_run *r, int64_t task)
{
    if (r->state != NCI_RUN_RUNNING || task >= r->ntasks)
        return false;
    looking l = {r->scheduler, false};
    if (r->hosted.sources)
        nci_source_table_each_remote(r->hosted.sources, look, &l);
    return l.found || !nci_kept_is_there(r, task);
}
