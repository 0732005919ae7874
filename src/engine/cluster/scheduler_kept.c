/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of chunks that stay on workers. A chunk is a value of the machine of
 * values, under the set's serial and its own number. */
#include "engine/cluster/scheduler_kept.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/source_remote.h"
#include "graph/fuse.h"

typedef struct nci_kept_set {
    nci_token space;
    uint32_t serial;
    int64_t nchunks, nthere;
    bool is_complete;  /* it was made once */
    bool is_repairing; /* a run is queued that makes what is lost */
    ncg_error broken;  /* that could not make it */
    nci_buf *body;     /* the message that made it, and which output it was */
    int output;
    nci_conn_id *clients; /* that read it */
    size_t nclients, capacity;
    int names; /* published data, and sets made of it, that read it */
    nci_token *needs; /* sets that it was made of */
    size_t nneeds, needs_capacity;
    struct nci_kept_set *next;
} kept_set;

/* ---- finding ------------------------------------------------------------- */

kept_set *nci_kept_find(const nci_scheduler *s, nci_token space)
{
    kept_set *set = s->sets;
    while (set && !nci_token_equal(set->space, space))
        set = set->next;
    return set;
}

static kept_set *set_of_id(const nci_scheduler *s, int64_t id)
{
    kept_set *set = s->sets;
    while (set && set->serial != (uint32_t)(id >> 32))
        set = set->next;
    return set;
}

static int64_t id_of(const kept_set *set, int64_t chunk)
{
    return (int64_t)set->serial << 32 | chunk;
}

bool nci_kept_key(const nci_scheduler *s, int64_t id, nci_token *space,
                  int64_t *chunk)
{
    const kept_set *set = set_of_id(s, id);
    if (!set)
        return false;
    *space = set->space;
    *chunk = id & UINT32_MAX;
    return true;
}

/* ---- life of a set ------------------------------------------------------- */

static void set_free(kept_set *set)
{
    nci_buf_release(&set->body);
    nci_free(set->needs);
    nci_free(set->clients);
    nci_free(set);
}

static void drop_set(nci_scheduler *s, kept_set *set)
{
    nci_value_event release = {.kind = NCI_VALUE_RELEASE};
    for (int64_t i = 0; i < set->nchunks; i++) {
        release.id = id_of(set, i);
        if (nci_values_where(s->values, release.id, NULL) != NCI_NO_WORKER)
            nci_scheduler_value(s, &release, NULL);
    }
    kept_set **at = &s->sets;
    while (*at != set)
        at = &(*at)->next;
    *at = set->next;
    for (size_t i = 0; i < set->nneeds; i++)
        nci_kept_name(s, set->needs[i], -1, NULL);
    set_free(set);
}

/* A set that is being made stays until its run has ended. */
static void review(nci_scheduler *s, kept_set *set)
{
    if (!set->nclients && !set->names && set->is_complete)
        drop_set(s, set);
}

void nci_kept_hold(nci_scheduler *s, nci_conn_id client, nci_token space)
{
    kept_set *set = nci_kept_find(s, space);
    for (size_t i = 0; set && i < set->nclients; i++)
        if (set->clients[i] == client)
            return;
    if (set && nci_grow(&set->clients, &set->capacity, set->nclients + 1,
                        sizeof *set->clients))
        set->clients[set->nclients++] = client;
}

void nci_kept_let_go(nci_scheduler *s, nci_conn_id client, nci_token space)
{
    kept_set *set = nci_kept_find(s, space);
    if (!set)
        return;
    for (size_t i = 0; i < set->nclients; i++)
        if (set->clients[i] == client)
            set->clients[i--] = set->clients[--set->nclients];
    review(s, set);
}

void nci_kept_forget(nci_scheduler *s, nci_conn_id client)
{
    for (kept_set *set = s->sets, *next; set; set = next) {
        next = set->next;
        nci_kept_let_go(s, client, set->space);
    }
}

ncg_status nci_kept_name(nci_scheduler *s, nci_token space, int change,
                         ncg_error *err)
{
    kept_set *set = nci_kept_find(s, space);
    if (!set)
        return nci_fail(err, NCG_ENOTFOUND,
                        "what is to be published is not held any more");
    set->names += change;
    review(s, set);
    return NCG_OK;
}

void nci_kept_free(nci_scheduler *s)
{
    while (s->sets) {
        kept_set *next = s->sets->next;
        set_free(s->sets);
        s->sets = next;
    }
}

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
    kept_set *set;
    bool is_starved;
} needing;

static void need(void *ctx, nci_token space)
{
    needing *n = ctx;
    kept_set *set = n->set;
    n->is_starved |= !nci_grow(&set->needs, &set->needs_capacity,
                               set->nneeds + 1, sizeof *set->needs);
    if (!n->is_starved)
        set->needs[set->nneeds++] = space;
}

/* What it was made of stays, so that it can be made again. */
static ncg_status keep_needs(nci_plan_run *r, kept_set *set, ncg_error *err)
{
    needing n = {set, false};
    size_t found = 0;
    nci_source_table_each_remote(r->hosted.sources, need, &n);
    for (size_t i = 0; i < set->nneeds; i++) {
        nci_token space = set->needs[i];
        if (!nci_kept_name(r->scheduler, space, 1, NULL))
            set->needs[found++] = space;
    }
    set->nneeds = found;
    return n.is_starved ? nci_fail(err, NCG_ENOMEM,
                                   "the scheduler is out of memory")
                        : NCG_OK;
}

static ncg_status make_set(nci_plan_run *r, nci_token space, int output,
                           ncg_error *err)
{
    nci_scheduler *s = r->scheduler;
    const nci_layer *layer = &r->hosted.plan->layers[
        r->hosted.plan->outputs[output]];
    if (nci_kept_find(s, space))
        return NCG_OK; /* it is made again */
    if (layer->ntasks > UINT32_MAX || layer->store.list.items)
        return nci_fail(err, NCG_ENET, "output %d cannot be kept", output);
    kept_set *set = nci_calloc(1, sizeof *set);
    if (!set)
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    *set = (kept_set){.space = space,
                      .serial = ++s->serials & INT32_MAX,
                      .nchunks = layer->ntasks,
                      .body = nci_buf_retain(r->body),
                      .output = output,
                      .next = s->sets};
    s->sets = set;
    if (r->client)
        nci_kept_hold(s, r->client, space);
    return keep_needs(r, set, err);
}

ncg_status nci_kept_begin(nci_plan_run *r, ncg_error *err)
{
    nci_token space;
    r->last_keeping = &r->keepings;
    r->lost_keeping = -1;
    for (int i = 0; i < r->hosted.plan->noutputs; i++)
        if (nci_plan_keep(&r->message, i, &space))
            NCI_TRY(make_set(r, space, i, err));
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

static void tell_worker(nci_scheduler *s, uint32_t worker,
                        const nci_service *service)
{
    const nci_roll *roll = nci_scheduler_roll(s, worker);
    if (roll)
        nci_service_send(s->net, roll->conn, NCI_WIRE_ASK, service, NULL);
}

static void drop_there(nci_scheduler *s, uint32_t worker, nci_token space,
                       int64_t chunk)
{
    nci_service drop = {
        .kind = NCI_SERVICE_DROP, .space = space, .key = chunk};
    tell_worker(s, worker, &drop);
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
        drop_there(r->scheduler, rest->worker, rest->space, rest->chunk);
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
    tell_worker(r->scheduler, action->from, &keep);
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
        there.id = set ? id_of(set, k.chunk) : 0;
        if (set && !nci_scheduler_value(s, &there, NULL))
            set->nthere++;
        else
            drop_there(s, k.worker, k.space, k.chunk);
        nci_run_note_put(r, k.task);
        nci_sched_handle(r->sched, &done, &r->actions, NULL);
    }
}

static nci_plan_run *run_that_keeps(nci_scheduler *s, nci_token space)
{
    nci_plan_run *r = s->runs;
    nci_token one;
    if (!r || r->state != NCI_RUN_RUNNING)
        return NULL;
    for (int i = 0; i < r->message.nkeeps; i++)
        if (nci_plan_keep(&r->message, i, &one) && nci_token_equal(one, space))
            return r;
    return NULL;
}

/* A chunk that nobody waits for any more, unless it has its place. */
static void drop_stray(nci_scheduler *s, const nci_roll *roll,
                       const nci_service *told)
{
    const kept_set *set = nci_kept_find(s, told->space);
    if (!set || nci_values_where(s->values, id_of(set, told->key), NULL) !=
                    roll->number)
        drop_there(s, roll->number, told->space, told->key);
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
static void repair(nci_scheduler *s, kept_set *set)
{
    ncg_error err;
    if (!set->is_complete || set->is_repairing || nci_kept_is_early(s) ||
        set->nthere == set->nchunks || set->broken.status)
        return;
    set->is_repairing = true;
    if (nci_run_repair(s, set->serial, &err))
        set->broken = err;
}

/* A run that was to make all, or some again. */
static void end_set(nci_plan_run *r, kept_set *set)
{
    bool was_complete = set->is_complete;
    set->is_complete = true;
    set->is_repairing = false;
    if (was_complete && r->has_error)
        set->broken = r->error;
    if (!was_complete && (r->has_error || !r->client)) {
        set->nclients = 0; /* nobody has got it */
        review(r->scheduler, set);
        return;
    }
    repair(r->scheduler, set);
    review(r->scheduler, set);
}

void nci_kept_end(nci_plan_run *r, bool goes_on)
{
    nci_token space;
    while (r->keepings)
        forget_keeping(r);
    if (goes_on)
        return;
    for (int i = 0; i < r->message.nkeeps; i++) {
        kept_set *set = nci_plan_keep(&r->message, i, &space)
                            ? nci_kept_find(r->scheduler, space)
                            : NULL;
        if (set)
            end_set(r, set);
    }
    kept_set *set = r->repairs ? set_of_id(r->scheduler,
                                           (int64_t)r->repairs << 32)
                               : NULL;
    if (set && !r->message.nkeeps) /* it did not get as far as its plan */
        end_set(r, set);
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
                     id_of(set, nci_source_remote_chunk(source, at)), NULL)
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
    l->found = l->found || (set && !set->broken.status &&
                            (set->is_repairing || set->nthere < set->nchunks));
}

bool nci_kept_is_waited_for(nci_plan_run *r)
{
    looking l = {r->scheduler, false};
    if (r->hosted.sources)
        nci_source_table_each_remote(r->hosted.sources, look, &l);
    return l.found;
}

/* ---- asking -------------------------------------------------------------- */

ncg_status nci_kept_locate(const nci_scheduler *s, nci_token space,
                           int64_t chunk, const nci_roll **out, int64_t *bytes,
                           ncg_error *err)
{
    const kept_set *set = nci_kept_find(s, space);
    if (!set || chunk < 0 || chunk >= set->nchunks)
        return nci_fail(err, NCG_ENOTFOUND,
                        "the cluster does not hold this array any more: "
                        "compute it again");
    if (set->broken.status) {
        *err = set->broken;
        nci_error_wrap(err, "chunk %lld was lost with its worker and could "
                            "not be made again",
                       (long long)chunk);
        return err->status;
    }
    uint32_t number = nci_values_where(s->values, id_of(set, chunk), bytes);
    *out = nci_scheduler_roll((nci_scheduler *)s, number);
    return *out ? NCG_OK
                : nci_fail(err, NCG_ENET,
                           "chunk %lld was lost with its worker",
                           (long long)chunk);
}

void nci_kept_lost(nci_scheduler *s, int64_t id)
{
    kept_set *set = set_of_id(s, id);
    if (!set)
        return;
    set->nthere--;
    repair(s, set);
}

ncg_status nci_kept_missing(const nci_plan_run *r, int64_t **list, int64_t *n,
                            nci_buf **body, int *output, nci_token *space,
                            ncg_error *err)
{
    const nci_scheduler *s = r->scheduler;
    const kept_set *set = set_of_id(s, (int64_t)r->repairs << 32);
    *n = 0;
    if (!set)
        return nci_fail(err, NCG_ECANCELED, "nobody reads it any more");
    *list = nci_alloc(((size_t)set->nchunks + 1) * sizeof **list);
    if (!*list)
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    for (int64_t i = 0; i < set->nchunks; i++)
        if (nci_values_where(s->values, id_of(set, i), NULL) == NCI_NO_WORKER)
            (*list)[(*n)++] = i;
    if (!set->body)
        return nci_fail(err, NCG_ENET,
                        "what it was made of is not known any more");
    *body = nci_buf_retain(set->body);
    *output = set->output;
    *space = set->space;
    return NCG_OK;
}

void nci_kept_describe(const nci_scheduler *s, nci_text *text)
{
    const char *comma = "";
    nci_text_add(text, "[");
    for (const kept_set *set = s->sets; set; set = set->next) {
        nci_text_add(text,
                     "%s\n  {\"chunks\": %lld, \"there\": %lld, "
                     "\"clients\": %zu, \"names\": %d}",
                     comma, (long long)set->nchunks, (long long)set->nthere,
                     set->nclients, set->names);
        comma = ",";
    }
    nci_text_add(text, "]");
}

/* ---- a scheduler that was started again ---------------------------------- */

enum { MOST_BODY = 16 << 20 /* bytes */ };
static const int64_t early_ns = INT64_C(3000000000);

void nci_kept_pack(const nci_scheduler *s, nci_token space, nci_pack *pack)
{
    const kept_set *set = nci_kept_find(s, space);
    size_t nbody = set ? nci_buf_size(set->body) : 0;
    nci_pack_i64(pack, (int64_t)space.low);
    nci_pack_i64(pack, (int64_t)space.high);
    nci_pack_i64(pack, set ? set->nchunks : 0);
    nci_pack_i64(pack, set ? set->output : 0);
    nci_pack_bytes(pack, set ? nci_buf_data(set->body) : NULL,
                   nbody <= MOST_BODY ? nbody : 0);
}

static ncg_status restore(nci_scheduler *s, kept_set *only, const void *body,
                          size_t nbody, ncg_error *err)
{
    kept_set *set = nci_calloc(1, sizeof *set);
    if (!set)
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    *set = *only;
    /* Without it, what is lost cannot be made again. */
    if (nbody && !nci_buf_create(nbody, &set->body, NULL))
        memcpy(nci_buf_data(set->body), body, nbody);
    set->serial = ++s->serials & INT32_MAX;
    set->next = s->sets;
    s->sets = set;
    return NCG_OK;
}

bool nci_kept_unpack(nci_scheduler *s, nci_unpack *in, ncg_error *err)
{
    kept_set set = {.is_complete = true};
    size_t nbody = 0;
    set.space.low = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    set.space.high = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    set.nchunks = nci_unpack_i64(in, 0, UINT32_MAX);
    set.output = (int)nci_unpack_i64(in, 0, INT32_MAX);
    const void *body = nci_unpack_bytes(in, &nbody);
    if (in->failed)
        return false;
    return !nci_kept_find(s, set.space)
               ? restore(s, &set, body, nbody, err) == NCG_OK
               : true;
}

void nci_kept_have(nci_scheduler *s, const nci_roll *roll,
                   const nci_service *told)
{
    kept_set *set = nci_kept_find(s, told->space);
    bool is_known = set && told->key >= 0 && told->key < set->nchunks;
    nci_value_event there = {.kind = NCI_VALUE_KEPT,
                             .worker = roll->number,
                             .id = is_known ? id_of(set, told->key) : 0,
                             .bytes = told->bytes};
    if (is_known &&
        nci_values_where(s->values, there.id, NULL) == NCI_NO_WORKER &&
        !nci_scheduler_value(s, &there, NULL))
        set->nthere++;
    else
        drop_there(s, roll->number, told->space, told->key);
}

bool nci_kept_is_early(const nci_scheduler *s)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return s->restored && ns < s->restored + early_ns;
}

/* Who had something has come, or will not. */
void nci_kept_tick(nci_scheduler *s)
{
    if (!s->restored || nci_kept_is_early(s))
        return;
    s->restored = 0;
    for (kept_set *set = s->sets; set; set = set->next)
        repair(s, set);
    nci_run_next(s);
}
