/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is being fetched, by its bytes and by the number of the question on the
 * wire; how many bytes may come at once; how fetches end. The receiving thread
 * only.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/net/fetch_internal.h"

/* ---- the tables --------------------------------------------------------- */

static bool same_part(const nci_part *a, const nci_part *b)
{
    size_t n = sizeof(int64_t) * (size_t)a->box.rank;
    if (a->itemsize != b->itemsize)
        return false;
    return !a->itemsize ||
           (a->box.rank == b->box.rank && !memcmp(a->shape, b->shape, n) &&
            !memcmp(a->box.start, b->box.start, n) &&
            !memcmp(a->box.count, b->box.count, n));
}

static bool same_bytes(const nci_fetch_item *f, const nci_fetch_spec *spec)
{
    return f->what.key.chunk == spec->key.chunk &&
           nci_token_equal(f->what.key.space, spec->key.space) &&
           f->nbytes == spec->nbytes && same_part(&f->what.part, &spec->part);
}

static size_t bucket_of(const nci_chunk_key *key)
{
    uint64_t h = key->space.low ^ (uint64_t)key->chunk * 0x9e3779b97f4a7c15u;
    return (size_t)(h >> 32 ^ h) % NCI_FETCH_BUCKETS;
}

nci_fetch_item *nci_fetch_find(nci_fetches *all, const nci_fetch_spec *spec)
{
    nci_fetch_item *f = all->by_key[bucket_of(&spec->key)];
    while (f && (f->dropped || !same_bytes(f, spec)))
        f = f->next_key;
    return f;
}

nci_fetch_item *nci_fetch_find_number(nci_fetches *all, uint32_t number)
{
    nci_fetch_item *f = all->by_number[number % NCI_FETCH_BUCKETS];
    while (f && f->number != number)
        f = f->next_number;
    return f;
}

void nci_fetch_link(nci_fetches *all, nci_fetch_source *from, nci_fetch_item *f)
{
    nci_fetch_item **key = &all->by_key[bucket_of(&f->what.key)];
    nci_fetch_item **number;
    do
        f->number = ++all->last_number;
    while (!f->number || nci_fetch_find_number(all, f->number));
    number = &all->by_number[f->number % NCI_FETCH_BUCKETS];
    f->next_key = *key;
    *key = f;
    f->next_number = *number;
    *number = f;
    f->peer = from;
    f->below = from->first;
    if (f->below)
        f->below->above = f;
    from->first = f;
}

static void unlink_fetch(nci_fetches *all, nci_fetch_item *f)
{
    nci_fetch_item **link = &all->by_key[bucket_of(&f->what.key)];
    while (*link != f)
        link = &(*link)->next_key;
    *link = f->next_key;
    link = &all->by_number[f->number % NCI_FETCH_BUCKETS];
    while (*link != f)
        link = &(*link)->next_number;
    *link = f->next_number;
    if (f->above)
        f->above->below = f->below;
    else
        f->peer->first = f->below;
    if (f->below)
        f->below->above = f->above;
    if (f->peer->current == f)
        f->peer->current = NULL;
}

/* ---- credit -------------------------------------------------------------- */

static void use_credit(nci_fetches *all, int64_t nbytes)
{
    all->used += nbytes;
    atomic_store_explicit(&all->net->counters.credit_used, all->used,
                          memory_order_relaxed);
}

static bool has_credit(const nci_fetches *all, int64_t nbytes)
{
    return !all->used || all->used + nbytes <= all->net->options.credit;
}

static void wait_for_credit(nci_fetches *all, nci_fetch_source *from)
{
    if (from->is_short)
        return;
    from->is_short = true;
    from->next_short = NULL;
    *all->last_short = from;
    all->last_short = &from->next_short;
}

static void leave_queue(nci_fetches *all, nci_fetch_source *from)
{
    nci_fetch_source **link = &all->shorts;
    if (!from->is_short)
        return;
    while (*link != from)
        link = &(*link)->next_short;
    *link = from->next_short;
    if (!*link)
        all->last_short = link;
    from->is_short = false;
}

/* Those that wait are looked at again, on the next turn of the loop: credit
 * comes back while a connection reads. Who still has none queues again. */
static void resume_all(void *ctx)
{
    nci_fetches *all = ctx;
    int n = 0;
    for (nci_fetch_source *from = all->shorts; from; from = from->next_short)
        n++;
    while (n-- && all->shorts) {
        nci_fetch_source *from = all->shorts;
        nci_conn *conn = nci_conn_retain(from->conn);
        leave_queue(all, from);
        nci_conn_resume(conn);
        nci_conn_release(&conn);
    }
}

void nci_fetch_give_credit(nci_fetches *all, int64_t nbytes)
{
    use_credit(all, -nbytes);
    if (all->shorts)
        nci_loop_post(&all->net->receive.loop, resume_all, all, NULL);
}

bool nci_fetch_take_credit(nci_fetches *all, nci_fetch_source *from,
                           int64_t nbytes)
{
    if (!has_credit(all, nbytes)) {
        wait_for_credit(all, from);
        return false;
    }
    use_credit(all, nbytes);
    return true;
}

/* ---- ends ---------------------------------------------------------------- */

static void tell_waiters(nci_fetch_item *f, nci_buf *chunk,
                         const ncg_error *err)
{
    while (f->waiters) {
        nci_fetch_waiter *w = f->waiters;
        f->waiters = w->next;
        w->done(w->ctx, chunk, err);
        nci_free(w);
    }
}

void nci_fetch_end(nci_fetches *all, nci_fetch_item *f, const ncg_error *err)
{
    unlink_fetch(all, f);
    if (f->chunk)
        nci_fetch_give_credit(all, f->nbytes);
    tell_waiters(f, err ? NULL : f->chunk, err);
    nci_buf_release(&f->chunk);
    nci_free(f);
}

size_t nci_fetch_bucket(const char *addresses)
{
    uint32_t h = 2166136261u;
    for (const char *p = addresses; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    return h % NCI_FETCH_SOURCES;
}

void nci_fetch_hide(nci_fetches *all, nci_fetch_source *from)
{
    nci_fetch_source **link = &all->sources[nci_fetch_bucket(from->addresses)];
    while (*link && *link != from)
        link = &(*link)->next;
    if (*link)
        *link = from->next;
}

void nci_fetch_free_source(nci_fetches *all, nci_fetch_source *from)
{
    nci_fetch_hide(all, from);
    leave_queue(all, from);
    nci_conn_release(&from->conn);
    nci_free(from->addresses);
    nci_free(from->packed);
    nci_free(from);
}
