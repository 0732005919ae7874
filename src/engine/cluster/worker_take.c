/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How what stays comes here: left by a task of a run, or taken from another
 * worker; and how the sources of a run read it wherever it is: the scheduler is
 * asked, then the worker that has it.
 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/cluster/worker_internal.h"
#include "engine/executor_internal.h"

/* ---- taking -------------------------------------------------------------- */

typedef struct taking {
    nci_hand *hand;
    nci_conn_id conn; /* who asked: another connection does not want it */
    nci_service told;
    nci_chunk_key key;
} taking;

static void tell_taken(nci_hand *hand, const taking *t, int64_t bytes,
                       const ncg_error *why)
{
    nci_service told = t->told;
    told.data = NULL;
    told.ndata = 0;
    told.where[0] = '\0';
    told.error = *why;
    told.bytes = bytes;
    nci_service_send(hand->net, t->conn, NCI_WIRE_TELL, &told, NULL);
}

static void taken(void *ctx, nci_buf *chunk, const ncg_error *why)
{
    taking *t = ctx;
    nci_hand *hand = t->hand;
    ncg_error err = {0};
    if (!chunk)
        err = *why;
    pthread_mutex_lock(&hand->lock);
    hand->takings--;
    if (chunk && t->conn == hand->conn)
        err.status = nci_hand_retain_locked(hand, &t->key, chunk, &err);
    pthread_cond_broadcast(&hand->changed);
    tell_taken(hand, t, (int64_t)nci_buf_size(chunk), &err);
    pthread_mutex_unlock(&hand->lock);
    nci_free(t);
}

/* Keeps `here`, or else what is to be fetched; the answer follows. */
static void take(taking *only, nci_buf *here, const nci_fetch_spec *spec)
{
    nci_hand *hand = only->hand;
    nci_buf *empty = NULL;
    ncg_error err;
    ncg_status st = NCG_OK;
    nci_error_clear(&err);
    if (!here && !spec->nbytes) { /* nothing to fetch */
        st = nci_buf_create(0, &empty, &err);
        here = empty;
    }
    if (here) {
        st = nci_hand_retain_locked(hand, &only->key, here, &err);
        err.status = st;
        tell_taken(hand, only, (int64_t)nci_buf_size(here), &err);
        nci_buf_release(&empty);
        return;
    }
    taking *t = st ? NULL : nci_alloc(sizeof *t);
    if (!t)
        st = nci_fail(&err, NCG_ENOMEM, "out of memory");
    else
        *t = *only;
    if (!st)
        st = nci_fetch(hand->net, spec, taken, t, NULL, &err);
    if (!st) {
        hand->takings++;
        return;
    }
    nci_free(t);
    err.status = st;
    tell_taken(hand, only, 0, &err);
}

void nci_hand_take_locked(nci_hand *hand, const nci_service *ask)
{
    nci_fetch_spec spec = {.addresses = ask->where,
                           .role = NCI_PEER_WORKER,
                           .key = {ask->space, ask->key},
                           .nbytes = ask->bytes};
    taking only = {hand, hand->conn, *ask, {ask->space, ask->key}};
    only.told.kind = NCI_SERVICE_TAKEN;
    take(&only, NULL, &spec);
}

/* What has left memory is fetched from this process itself. */
void nci_hand_keep_output_locked(nci_hand *hand, const nci_service *ask)
{
    nci_hand_run *r = ask->bytes <= UINT32_MAX
                          ? nci_hand_find_locked(hand, (uint32_t)ask->bytes)
                          : NULL;
    taking only = {hand, hand->conn, *ask, {ask->space, ask->key}};
    ncg_error err;
    only.told.kind = NCI_SERVICE_KEPT;
    if (!r) {
        nci_fail(&err, NCG_ENOTFOUND, "the computation is over");
        tell_taken(hand, &only, 0, &err);
        return;
    }
    nci_fetch_spec spec = {.addresses = hand->addresses,
                           .role = NCI_PEER_WORKER,
                           .key = {r->space, ask->id},
                           .nbytes = NCI_FETCH_ANY};
    take(&only, nci_task_map_get(&r->store, ask->id), &spec);
}

/* ---- reading ------------------------------------------------------------- */

/* So long a chunk may be on its way from one worker to another: */
static const double most_seconds = 60;

typedef struct nci_locating {
    int64_t id;
    bool is_over;
    ncg_error error;
    char where[NCI_NET_ADDRESSES];
    struct nci_locating *next;
} locating;

void nci_hand_located_locked(nci_hand *hand, const nci_service *told)
{
    locating *l = hand->locating;
    while (l && l->id != told->id)
        l = l->next;
    if (!l)
        return;
    l->is_over = true;
    l->error = told->error;
    memcpy(l->where, told->where, sizeof l->where);
    pthread_cond_broadcast(&hand->changed);
}

static bool is_over(const nci_hand_run *r)
{
    const nci_hand *hand = r->hand;
    return hand->is_ending || hand->is_closed || atomic_load(&r->stopping);
}

static void wait_a_moment(nci_hand *hand)
{
    struct timespec until;
    nci_deadline(&until, 50);
    pthread_cond_timedwait(&hand->changed, &hand->lock, &until);
}

static ncg_status canceled(ncg_error *err)
{
    return nci_fail(err, NCG_ECANCELED, "canceled");
}

static ncg_status locate_locked(nci_hand_run *r, nci_chunk_key key,
                                char where[NCI_NET_ADDRESSES], ncg_error *err)
{
    nci_hand *hand = r->hand;
    locating l = {.id = ++hand->located, .next = hand->locating};
    nci_service ask = {.kind = NCI_SERVICE_LOCATE,
                       .id = l.id,
                       .space = key.space,
                       .key = key.chunk};
    NCI_TRY(nci_service_send(hand->net, hand->conn, NCI_WIRE_TELL, &ask, err));
    hand->locating = &l;
    while (!l.is_over && !is_over(r))
        wait_a_moment(hand);
    locating **at = &hand->locating;
    while (*at != &l)
        at = &(*at)->next;
    *at = l.next;
    if (!l.is_over)
        return canceled(err);
    if (l.error.status && err)
        *err = l.error;
    memcpy(where, l.where, NCI_NET_ADDRESSES);
    return l.error.status;
}

typedef struct coming {
    nci_hand *hand;
    nci_buf *chunk;
    ncg_error error;
    bool is_over;
} coming;

static void came(void *ctx, nci_buf *chunk, const ncg_error *why)
{
    coming *c = ctx;
    nci_hand *hand = c->hand;
    pthread_mutex_lock(&hand->lock);
    c->chunk = nci_buf_retain(chunk);
    if (!chunk)
        c->error = *why;
    c->is_over = true;
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
}

static ncg_status fetch_locked(nci_hand_run *r, const nci_fetch_spec *spec,
                               nci_buf **out, ncg_error *err)
{
    nci_hand *hand = r->hand;
    coming c = {.hand = hand};
    uint64_t number = 0;
    bool has_aborted = false;
    NCI_TRY(nci_fetch(hand->net, spec, came, &c, &number, err));
    while (!c.is_over) {
        bool ends = is_over(r) && !has_aborted;
        if (!ends) {
            wait_a_moment(hand);
            continue;
        }
        has_aborted = true;
        pthread_mutex_unlock(&hand->lock);
        nci_fetch_abort(hand->net, number);
        pthread_mutex_lock(&hand->lock);
    }
    *out = c.chunk;
    if (!c.chunk && err)
        *err = c.error;
    return c.chunk ? NCG_OK : c.error.status;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A chunk may move, or its worker die, while it is asked for: then it is asked
 * for anew, until the scheduler knows that it is lost. */
static ncg_status get_elsewhere(nci_hand_run *r, const nci_fetch_request *what,
                                nci_buf **out, ncg_error *err)
{
    nci_hand *hand = r->hand;
    char where[NCI_NET_ADDRESSES];
    nci_fetch_spec spec = {.addresses = where,
                           .role = NCI_PEER_WORKER,
                           .key = what->key,
                           .part = nci_part_of(&what->part),
                           .nbytes = nci_part_bytes(&what->part)};
    double until = seconds() + most_seconds;
    pthread_mutex_lock(&hand->lock);
    ncg_status st = NCG_ENET;
    for (bool goes_on = true; goes_on;) {
        st = locate_locked(r, what->key, where, err);
        bool is_known = !st;
        if (!st)
            st = fetch_locked(r, &spec, out, err);
        goes_on = st && is_known && st != NCG_ENOMEM && !is_over(r) &&
                  seconds() < until;
        if (goes_on)
            wait_a_moment(hand);
    }
    if (st && is_over(r))
        st = canceled(err);
    pthread_mutex_unlock(&hand->lock);
    return st;
}

static ncg_status get(void *ctx, const nci_fetch_request *what, nci_buf **out,
                      ncg_error *err)
{
    nci_hand_run *r = ctx;
    if (!nci_part_bytes(&what->part))
        return nci_buf_create(0, out, err);
    NCI_TRY(nci_hand_kept(r->hand, &what->key, out, err));
    return *out ? NCG_OK : get_elsewhere(r, what, out, err);
}

nci_source_holder nci_hand_holder(nci_hand_run *run)
{
    return (nci_source_holder){.ctx = run, .get = get};
}
