/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks of a worker that come and go: fetched from peers, asked for by them,
 * written to the local disk and read back, or to where all workers can read
 * them (worker_checkpoint.c).
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/worker_internal.h"

/* Ends a piece of work outside the pool, unlocks. The run was held for it. */
static void finish_quietly(nci_hand_run *r)
{
    nci_hand *hand = r->hand;
    nci_hand_apply_locked(r, NULL);
    nci_hand_leave_soon(r, false);
    pthread_mutex_lock(&hand->lock);
    nci_hand_run_release_locked(&r);
    pthread_mutex_unlock(&hand->lock);
}

/* The same; the machine learns of it. */
static void finish(nci_hand_run *r, const nci_worker_event *event)
{
    nci_hand_event_locked(r, event);
    finish_quietly(r);
}

/* ---- fetching ------------------------------------------------------------ */

typedef struct nci_hand_fetch {
    nci_hand_run *run;
    int64_t task;
    uint32_t attempt;
    uint64_t id;
    struct nci_hand_fetch *next;
} fetch;

static void unlist(nci_hand_run *r, const fetch *f)
{
    fetch **at = &r->fetches;
    while (*at && *at != f)
        at = &(*at)->next;
    if (*at)
        *at = f->next;
}

static void fetched(void *ctx, nci_buf *chunk, const ncg_error *why)
{
    fetch *f = ctx;
    nci_hand_run *r = f->run;
    nci_worker_event event = {.kind = NCI_WORKER_ARRIVED,
                              .task = f->task,
                              .attempt = f->attempt,
                              .status = chunk ? NCG_OK : why->status};
    nci_buf *mine = nci_buf_retain(chunk);
    pthread_mutex_lock(&r->hand->lock);
    unlist(r, f);
    nci_free(f);
    if (mine && !nci_hand_keep_locked(r, event.task, &mine))
        event.status = NCG_ENOMEM;
    nci_hand_trash_locked(r, mine);
    finish(r, &event);
}

static const char *addresses_of(const nci_hand *hand, uint32_t number)
{
    for (size_t i = 0; i < hand->roster.count; i++)
        if (hand->roster.entries[i].number == number)
            return hand->roster.entries[i].addresses;
    return NULL;
}

/* What a function leaves is as long as it is, whatever was planned. */
static int64_t size_of(const nci_hand_run *r, const nci_worker_action *action)
{
    const nci_layer *layer = nci_plan_layer(r->hosted.plan, action->task);
    return layer->kind == NCI_LAYER_TASKS ? NCI_FETCH_ANY : action->bytes;
}

static ncg_status begin_fetch(nci_hand_run *r, const nci_worker_action *action,
                              ncg_error *err)
{
    nci_fetch_spec spec = {.addresses = addresses_of(r->hand, action->from),
                           .role = NCI_PEER_WORKER,
                           .key = {r->space, action->task},
                           .nbytes = size_of(r, action)};
    if (!spec.addresses)
        return nci_fail(err, NCG_ENET, "worker %u is not known here",
                        action->from);
    fetch *f = nci_alloc(sizeof *f);
    if (!f)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *f = (fetch){r, action->task, action->attempt, 0, r->fetches};
    ncg_status st = nci_fetch(r->hand->net, &spec, fetched, f, &f->id, err);
    if (st) {
        nci_free(f);
        return st;
    }
    r->fetches = f;
    r->refs++;
    return NCG_OK;
}

void nci_hand_abort_locked(nci_hand_run *r, const nci_worker_action *action)
{
    for (const fetch *f = r->fetches; f; f = f->next)
        if (f->task == action->task && f->attempt == action->attempt)
            nci_fetch_abort(r->hand->net, f->id);
}

void nci_hand_fetch_locked(nci_hand_run *r, const nci_worker_action *action)
{
    ncg_error err;
    nci_worker_event event = {.kind = NCI_WORKER_ARRIVED,
                              .task = action->task,
                              .attempt = action->attempt};
    if (action->from == NCI_CHECKPOINT) {
        nci_hand_disk_locked(r, action);
        return;
    }
    event.status = begin_fetch(r, action, &err);
    if (event.status)
        nci_hand_event_locked(r, &event);
}

/* ---- answering ----------------------------------------------------------- */

static bool take_question(nci_hand_run *r, uint64_t request)
{
    for (size_t i = 0; i < r->nquestions; i++)
        if (r->questions[i] == request) {
            r->questions[i] = r->questions[--r->nquestions];
            return true;
        }
    return false;
}

/* An answer on its way out: its chunk is counted until it has been sent. */
typedef struct outgoing {
    nci_hand_run *run;
    int64_t task;
    uint64_t request;
} outgoing;

static void sent(void *ctx)
{
    outgoing o = *(outgoing *)ctx;
    nci_worker_event event = {
        .kind = NCI_WORKER_SERVED, .task = o.task, .request = o.request};
    nci_free(ctx);
    pthread_mutex_lock(&o.run->hand->lock);
    finish(o.run, &event);
}

static ncg_status serve_chunk(nci_hand_run *r, const nci_worker_action *action,
                              nci_buf *chunk, ncg_error *err)
{
    outgoing *o = nci_alloc(sizeof *o);
    if (!o)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *o = (outgoing){r, action->task, action->request};
    r->refs++;
    nci_serve_buf(r->hand->net, action->request, chunk, sent, o);
    return NCG_OK;
}

void nci_hand_answer_locked(nci_hand_run *r, const nci_worker_action *action)
{
    ncg_error err;
    nci_worker_event event = {.kind = NCI_WORKER_SERVED,
                              .task = action->task,
                              .request = action->request};
    nci_buf *chunk = nci_task_map_get(&r->store, action->task);
    ncg_status st = NCG_OK;
    bool serves = action->kind == NCI_WORKER_SERVE;
    if (!take_question(r, action->request))
        return; /* the peer is gone */
    if (serves && !chunk && action->on_disk) {
        nci_hand_disk_locked(r, action);
        return;
    }
    if (serves && chunk &&
        nci_serve_small(r->hand->net, action->request, chunk)) {
        nci_hand_event_locked(r, &event);
        return;
    }
    if (!serves || !chunk)
        st = nci_fail(&err, NCG_ENOTFOUND, "the chunk is not here");
    else
        st = serve_chunk(r, action, chunk, &err);
    if (!st)
        return; /* SERVED follows */
    nci_serve_fail(r->hand->net, action->request, &err);
    if (serves)
        nci_hand_event_locked(r, &event);
}

static nci_hand_run *run_of_space(nci_hand *hand, nci_token space)
{
    for (nci_hand_run *r = hand->runs; r; r = r->next)
        if (nci_token_equal(r->space, space))
            return r;
    return NULL;
}

static bool remember(nci_hand_run *r, uint64_t request)
{
    if (!nci_grow(&r->questions, &r->questions_capacity, r->nquestions + 1,
                  sizeof *r->questions))
        return false;
    r->questions[r->nquestions++] = request;
    return true;
}

void nci_hand_wanted(void *ctx, uint64_t request, const nci_chunk_key *key)
{
    nci_hand *hand = ctx;
    ncg_error err;
    pthread_mutex_lock(&hand->lock);
    if (nci_hand_serve_kept_locked(hand, request, key)) {
        pthread_mutex_unlock(&hand->lock);
        return;
    }
    nci_hand_run *r = run_of_space(hand, key->space);
    bool is_known = r && key->chunk >= 0 && key->chunk < r->hosted.plan->ntasks;
    if (!is_known || !remember(r, request)) {
        pthread_mutex_unlock(&hand->lock);
        nci_fail(&err, NCG_ENOTFOUND, "this worker has no such chunk");
        nci_serve_fail(hand->net, request, &err);
        return;
    }
    r->refs++;
    nci_worker_event event = {.kind = NCI_WORKER_WANTED,
                              .task = key->chunk,
                              .request = request};
    finish(r, &event);
}

void nci_hand_gone(void *ctx, uint64_t request)
{
    nci_hand *hand = ctx;
    nci_worker_event event = {.kind = NCI_WORKER_GONE, .request = request};
    pthread_mutex_lock(&hand->lock);
    for (nci_hand_run *r = hand->runs; r; r = r->next)
        if (take_question(r, request)) {
            r->refs++;
            finish(r, &event);
            return;
        }
    pthread_mutex_unlock(&hand->lock);
}

/* ---- disks --------------------------------------------------------------- */

typedef struct disk_work {
    nci_hand_run *run;
    nci_worker_action action;
    nci_buf *chunk;   /* to be written, or what was read */
    nci_extent *copy; /* to be read (borrowed), or what was written */
    char *path;       /* of a checkpoint */
} disk_work;

/* What has left memory is read for it first. */
static ncg_status save(disk_work *d, ncg_error *err)
{
    if (!d->chunk)
        NCI_TRY(nci_spill_file_read(d->run->spill, d->copy, &d->chunk, err));
    return nci_checkpoint_write(d->path, d->chunk, err);
}

static ncg_status work_off(disk_work *d, ncg_error *err)
{
    nci_hand_run *r = d->run;
    switch (d->action.kind) {
    case NCI_WORKER_WRITE:
        return nci_spill_file_write(r->spill, d->chunk, &d->copy, err);
    case NCI_WORKER_READ_BACK:
    case NCI_WORKER_SERVE:
        return nci_spill_file_read(r->spill, d->copy, &d->chunk, err);
    case NCI_WORKER_CHECKPOINT:
        return save(d, err);
    default: /* FETCH from there */
        return nci_checkpoint_read(d->path, size_of(r, &d->action), &d->chunk,
                                   err);
    }
}

/* What was read goes into the store, what was written into the list of copies.
 */
static ncg_status settle_locked(disk_work *d)
{
    nci_hand_run *r = d->run;
    if (d->action.kind == NCI_WORKER_WRITE) {
        if (!nci_task_map_reserve(&r->disk)) {
            nci_spill_file_drop(r->spill, &d->copy);
            return NCG_ENOMEM;
        }
        nci_hand_drop_copy_locked(r, d->action.task);
        nci_task_map_put(&r->disk, d->action.task, d->copy);
    } else if (d->action.kind != NCI_WORKER_CHECKPOINT &&
               d->action.kind != NCI_WORKER_SERVE &&
               !nci_hand_keep_locked(r, d->action.task, &d->chunk)) {
        return NCG_ENOMEM;
    }
    return NCG_OK;
}

static nci_worker_event_kind answer_to(nci_worker_action_kind kind)
{
    switch (kind) {
    case NCI_WORKER_READ_BACK:
        return NCI_WORKER_READ;
    case NCI_WORKER_FETCH:
        return NCI_WORKER_ARRIVED;
    case NCI_WORKER_SERVE:
        return NCI_WORKER_SERVED;
    case NCI_WORKER_CHECKPOINT:
        return NCI_WORKER_SAVED;
    default:
        return NCI_WORKER_WRITTEN;
    }
}

/* A disk that is full is waited for (sched/room.c), and that is said once; any
 * other error of it ends the run, with its own words. */
static void tell_of_disk_locked(nci_hand_run *r, nci_worker_event *event,
                                ncg_error *err)
{
    nci_hand *hand = r->hand;
    bool is_write = event->kind == NCI_WORKER_WRITTEN;
    bool is_full = is_write && (err->sys == ENOSPC || err->sys == EDQUOT ||
                                err->sys == EFBIG);
    if (event->status && hand->options->note && !(is_full && hand->has_told))
        hand->options->note(hand->options->note_ctx, err->message);
    if (is_write)
        hand->has_told = event->status && is_full;
    if (!event->status || !is_write || is_full)
        return;
    err->status = event->status;
    nci_hand_failure(hand, r->id, event->task, err);
    event->status = NCG_EIO;
}

static void disk_errand(void *ctx)
{
    disk_work *d = ctx;
    nci_hand_run *r = d->run;
    ncg_error err;
    nci_worker_event event = {.kind = answer_to(d->action.kind),
                              .task = d->action.task,
                              .attempt = d->action.attempt};
    event.request = d->action.request;
    nci_error_clear(&err);
    event.status = work_off(d, &err);
    pthread_mutex_lock(&r->hand->lock);
    tell_of_disk_locked(r, &event, &err);
    r->hand->errands--;
    if (!event.status)
        event.status = settle_locked(d);
    bool serves = d->action.kind == NCI_WORKER_SERVE;
    if (serves && !event.status)
        event.status = serve_chunk(r, &d->action, d->chunk, &err);
    if (serves && event.status)
        nci_serve_fail(r->hand->net, d->action.request, &err);
    nci_hand_trash_locked(r, d->chunk);
    nci_free(d->path);
    nci_free(d);
    if (!serves || event.status)
        finish(r, &event);
    else
        finish_quietly(r); /* SERVED follows */
}

/* The file for spilled chunks is made with the first of them. */
static ncg_status need_spill(nci_hand_run *r, ncg_error *err)
{
    if (r->spill)
        return NCG_OK;
    return nci_spill_file_create(&r->hand->executor->spill, &r->spill, err);
}

/* What a piece of work is about. */
static ncg_status find_work_locked(disk_work *d, ncg_error *err)
{
    nci_hand_run *r = d->run;
    const nci_worker_action *a = &d->action;
    bool saves = a->kind == NCI_WORKER_CHECKPOINT;
    if (saves || a->kind == NCI_WORKER_WRITE)
        d->chunk = nci_buf_retain(nci_task_map_get(&r->store, a->task));
    if (a->kind == NCI_WORKER_READ_BACK || a->kind == NCI_WORKER_SERVE ||
        (saves && !d->chunk))
        d->copy = nci_task_map_get(&r->disk, a->task);
    if (saves || a->kind == NCI_WORKER_FETCH)
        return nci_checkpoint_path_locked(r, a->task, &d->path, err);
    return NCG_OK;
}

void nci_hand_disk_locked(nci_hand_run *r, const nci_worker_action *action)
{
    ncg_error err;
    ncg_status st = NCG_OK;
    disk_work *d = nci_calloc(1, sizeof *d);
    if (d) {
        *d = (disk_work){.run = r, .action = *action};
        st = find_work_locked(d, &err);
    } else {
        st = nci_fail(&err, NCG_ENOMEM, "out of memory");
    }
    if (!st && action->kind == NCI_WORKER_WRITE)
        st = need_spill(r, &err);
    if (!st)
        st = nci_errands_add(r->hand->disk, disk_errand, d, &err);
    if (!st) {
        r->refs++;
        r->hand->errands++;
        return;
    }
    if (d) {
        nci_hand_trash_locked(r, d->chunk);
        nci_free(d->path);
    }
    nci_free(d);
    nci_worker_event event = {.kind = answer_to(action->kind),
                              .task = action->task,
                              .attempt = action->attempt,
                              .request = action->request,
                              .status = st};
    tell_of_disk_locked(r, &event, &err);
    if (action->kind == NCI_WORKER_SERVE)
        nci_serve_fail(r->hand->net, action->request, &err);
    nci_hand_event_locked(r, &event);
}

void nci_hand_drop_copy_locked(nci_hand_run *r, int64_t task)
{
    nci_extent *copy = nci_task_map_remove(&r->disk, task);
    if (copy)
        nci_spill_file_drop(r->spill, &copy);
}
