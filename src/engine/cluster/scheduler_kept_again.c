/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of chunks from before this process: workers remember what published data
 * read, and tell it to a scheduler that was started again, then which chunks
 * they have. When all had the time for that, what is missing is made again, and
 * what had not begun begins.
 */
#include "engine/cluster/scheduler_kept_set.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"

enum { MOST_BODIES = 16 << 20 /* bytes of a memo */ };
static const int64_t early_ns = INT64_C(3000000000);

/* ---- what workers remember ----------------------------------------------- */

/* The message of a set, without which what is lost cannot be made again. */
enum { NO_BODY, OWN_BODY, LAST_BODY /* that of the set before */ };

/* Each set after those that it is made of. */
typedef struct packing {
    nci_scheduler *scheduler;
    nci_pack *pack; /* NULL: they are only counted */
    int64_t count;
    size_t bodies; /* bytes */
    const nci_buf *last;
} packing;

static void pack_token(nci_pack *pack, nci_token token)
{
    nci_pack_i64(pack, (int64_t)token.low);
    nci_pack_i64(pack, (int64_t)token.high);
}

static void pack_body(packing *p, nci_buf *body)
{
    size_t nbody = nci_buf_size(body);
    bool is_last = body && body == p->last;
    bool is_own = body && !is_last && p->bodies + nbody <= MOST_BODIES;
    nci_pack_i64(p->pack, is_last ? LAST_BODY : is_own ? OWN_BODY : NO_BODY);
    if (!is_own)
        return;
    nci_pack_bytes(p->pack, nci_buf_data(body), nbody);
    p->bodies += nbody;
    p->last = body;
}

static void pack_set(packing *p, const kept_set *set)
{
    pack_token(p->pack, set->space);
    nci_pack_i64(p->pack, set->is_open ? set->nchunks : -1);
    nci_pack_i64(p->pack, set->output);
    pack_body(p, set->body);
    nci_pack_i64(p->pack, (int64_t)set->nneeds);
    for (size_t i = 0; i < set->nneeds; i++)
        pack_token(p->pack, set->needs[i]);
}

static void pack_below(packing *p, nci_token space)
{
    kept_set *set = nci_kept_find(p->scheduler, space);
    if (!set || set->packed == p->scheduler->packs)
        return;
    set->packed = p->scheduler->packs;
    for (size_t i = 0; i < set->nneeds; i++)
        pack_below(p, set->needs[i]);
    p->count++;
    if (p->pack)
        pack_set(p, set);
}

static void pack_all(packing *p, const nci_token *spaces, int64_t nspaces)
{
    p->scheduler->packs++;
    for (int64_t i = 0; i < nspaces; i++)
        pack_below(p, spaces[i]);
}

void nci_kept_pack(nci_scheduler *s, const nci_token *spaces, int64_t nspaces,
                   nci_pack *pack)
{
    packing counting = {.scheduler = s};
    packing writing = {.scheduler = s, .pack = pack};
    pack_all(&counting, spaces, nspaces);
    nci_pack_i64(pack, counting.count);
    pack_all(&writing, spaces, nspaces);
}

bool nci_kept_are_made_of(nci_scheduler *s, const nci_token *spaces,
                          int64_t nspaces, nci_token space)
{
    packing counting = {.scheduler = s};
    const kept_set *set = nci_kept_find(s, space);
    pack_all(&counting, spaces, nspaces);
    return set && set->packed == s->packs;
}

/* ---- what they tell ------------------------------------------------------ */

static nci_token unpack_token(nci_unpack *in)
{
    nci_token token;
    token.low = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    token.high = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    return token;
}

static kept_set *restore(nci_scheduler *s, const kept_set *only, nci_buf *body)
{
    kept_set *set = nci_calloc(1, sizeof *set);
    if (!set)
        return NULL;
    *set = *only;
    set->body = nci_buf_retain(body);
    set->serial = ++s->serials & INT32_MAX;
    set->next = s->sets;
    s->sets = set;
    return set;
}

/* *last: the message that came last; *has: it is that of this set. */
static void unpack_body(nci_unpack *in, nci_buf **last, bool *has)
{
    size_t nbody = 0;
    int64_t which = nci_unpack_i64(in, NO_BODY, LAST_BODY);
    const void *body = which == OWN_BODY ? nci_unpack_bytes(in, &nbody) : NULL;
    *has = which != NO_BODY;
    if (!body)
        return;
    nci_buf_release(last);
    if (!nci_buf_create(nbody, last, NULL))
        memcpy(nci_buf_data(*last), body, nbody);
}

static ncg_status damaged(ncg_error *err)
{
    return nci_fail(err, NCG_ENET, "a memo is damaged");
}

static ncg_status unpack_set(nci_scheduler *s, nci_unpack *in, nci_buf **last,
                             ncg_error *err)
{
    kept_set only = {.space = unpack_token(in)}, *set = NULL;
    int64_t nchunks = nci_unpack_i64(in, -1, UINT32_MAX);
    bool has_body = false, is_starved = false;
    only.output = (int)nci_unpack_i64(in, 0, INT32_MAX);
    unpack_body(in, last, &has_body);
    int64_t nneeds = nci_unpack_i64(in, 0, INT32_MAX);
    only.is_open = only.is_complete = only.was_made = nchunks >= 0;
    only.nchunks = nchunks < 0 ? 0 : nchunks;
    if (!in->failed && !nci_kept_find(s, only.space)) {
        set = restore(s, &only, has_body ? *last : NULL);
        is_starved = !set;
    }
    for (int64_t i = 0; i < nneeds && !in->failed; i++) {
        nci_token need = unpack_token(in);
        if (set && !in->failed)
            is_starved = !nci_kept_need(s, set, need) || is_starved;
    }
    if (is_starved)
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    return in->failed ? damaged(err) : NCG_OK;
}

ncg_status nci_kept_unpack(nci_scheduler *s, nci_unpack *in, ncg_error *err)
{
    int64_t n = nci_unpack_i64(in, 0, INT32_MAX);
    nci_buf *last = NULL;
    ncg_status st = in->failed ? damaged(err) : NCG_OK;
    for (int64_t i = 0; !st && i < n; i++)
        st = unpack_set(s, in, &last, err);
    nci_buf_release(&last);
    return st;
}

void nci_kept_have(nci_scheduler *s, const nci_roll *roll,
                   const nci_service *told)
{
    kept_set *set = nci_kept_find(s, told->space);
    bool is_known = set && told->key >= 0 && told->key < set->nchunks;
    nci_value_event there = {.kind = NCI_VALUE_KEPT,
                             .worker = roll->number,
                             .id = is_known ? nci_kept_id(set, told->key) : 0,
                             .bytes = told->bytes};
    if (is_known &&
        nci_values_where(s->values, there.id, NULL) == NCI_NO_WORKER &&
        !nci_scheduler_value(s, &there, NULL))
        set->nthere++;
    else
        nci_kept_drop_there(s, roll->number, told->space, told->key);
}

/* ---- going on ------------------------------------------------------------ */

bool nci_kept_is_early(const nci_scheduler *s)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return s->restored && ns < s->restored + early_ns;
}

/* The set with the next higher number; NULL: none. Sets come and go meanwhile.
 */
static kept_set *set_after(const nci_scheduler *s, uint32_t serial)
{
    kept_set *found = NULL;
    for (kept_set *set = s->sets; set; set = set->next)
        if (set->serial > serial && (!found || set->serial < found->serial))
            found = set;
    return found;
}

/* Its computation had not begun when the scheduler before was lost. A message
 * that makes other sets, or none, is no computation of it. */
static void make_whole(nci_scheduler *s, kept_set *set)
{
    int64_t id = nci_kept_id(set, 0);
    ncg_error err;
    nci_fail(&err, NCG_ENET, "its computation was lost with the scheduler");
    if (set->body)
        nci_run_make(s, set->body, &err);
    set = nci_kept_of_id(s, id);
    if (!set || set->maker || set->is_complete)
        return;
    set->broken = err;
    set->is_complete = s->has_arrived = true;
}

/* Who had something has come, or will not. */
void nci_kept_tick(nci_scheduler *s)
{
    uint32_t serial = 0;
    kept_set *set;
    if (!s->restored || nci_kept_is_early(s))
        return;
    s->restored = 0;
    while ((set = set_after(s, serial))) {
        serial = set->serial;
        if (set->is_complete)
            nci_kept_repair(s, set);
        else if (!set->maker)
            make_whole(s, set);
        set = nci_kept_of_id(s, (int64_t)serial << 32);
        if (set)
            nci_kept_review(s, set);
    }
    nci_run_next(s);
}
