/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work for a member that has none, from the one among a few that has most:
 * first what has not been sent, a whole cohort where there is more than one,
 * else half of what there is; then, if waiting there takes twice as long as
 * running it here, what has been sent and not been started. A look at a few
 * members keeps the cost of an event from growing with their number.
 */
#include "engine/sched/cluster_internal.h"

enum { LOOKS = 16 };

static nci_member *find_richest(nci_sched *s, const nci_member *thief)
{
    nci_cluster *c = s->cluster;
    nci_member *best = NULL;
    for (size_t i = 0; i < LOOKS && i < c->nactive; i++) {
        nci_member *m = c->active[c->cursor++ % c->nactive];
        if (m != thief && m->queue.count &&
            (!best || m->load / m->threads > best->load / best->threads))
            best = m;
    }
    return best;
}

typedef struct size_ctx {
    const nci_sched *sched;
    int64_t bytes;
} size_ctx;

static void add_size(void *ctx, int input, int64_t task)
{
    size_ctx *z = ctx;
    const nci_record *r = nci_records_find(&z->sched->records, task);
    (void)input;
    z->bytes += r ? r->bytes : 0;
}

static int64_t missing_bytes(const nci_sched *s, const nci_record *r)
{
    size_ctx z = {s, 0};
    if (r->layer->ninputs)
        nci_plan_deps(s->plan, r->task, add_size, &z);
    return z.bytes;
}

static bool is_better(const nci_sched *s, const nci_record *r,
                      const nci_member *thief, const nci_member *m, int times)
{
    int64_t here = nci_place_cost(s, r, thief, missing_bytes(s, r));
    if (here == INT64_MAX || nci_lease_find(r, thief))
        return false;
    int64_t there = m->load / m->threads;
    return there > times * (here + nci_place_estimate(s, r));
}

/* ---- what has not been sent -------------------------------------------------------- */

static size_t count_cohort(const nci_member *m, const nci_record *sample)
{
    size_t n = 0;
    for (size_t i = 0; i < m->queue.count; i++)
        n += nci_place_is_cohort(m->queue.items[i], sample);
    return n;
}

static void move(nci_sched *s, nci_record *r, nci_member *thief)
{
    nci_place_unqueue(s, r);
    nci_place_push(s, thief, r);
    s->cluster->stolen++;
}

static void move_roots(nci_sched *s, nci_member *m, nci_record *sample,
                       nci_member *thief)
{
    size_t n = count_cohort(m, sample), left = n;
    if (n == m->queue.count)
        left = (n + 1) / 2;
    else
        nci_place_reserve(s, sample, thief);
    for (size_t i = m->queue.count; i-- > 0 && left > 0;) {
        nci_record *r = m->queue.items[i];
        if (!nci_place_is_cohort(r, sample))
            continue;
        move(s, r, thief);
        left--;
        if (i > m->queue.count)
            i = m->queue.count;
    }
}

/* A task of a member's queue that may go. */
static nci_record *find_movable(const nci_sched *s, const nci_member *m,
                                const nci_member *thief)
{
    for (size_t i = m->queue.count; i-- > 0;) {
        nci_record *r = m->queue.items[i];
        if (r->at.is_root ? !nci_lease_find(r, thief)
                          : is_better(s, r, thief, m, 1))
            return r;
        if (m->queue.count - i >= LOOKS)
            break;
    }
    return NULL;
}

/* ---- what has been sent --------------------------------------------------------------- */

static void ask_for_sent(nci_sched *s, nci_member *thief, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    nci_member *best = NULL;
    for (size_t i = 0; i < LOOKS && i < c->nactive; i++) {
        nci_member *m = c->active[c->cursor++ % c->nactive];
        if (m != thief && m->cores > m->threads &&
            (!best || m->load / m->threads > best->load / best->threads))
            best = m;
    }
    if (!best)
        return;
    /* The youngest: it is the last to be started. */
    nci_lease *last = NULL;
    for (nci_lease *l = best->leases; l; l = l->after) {
        if (l->is_asked && !l->is_void)
            return; /* one at a time */
        if (!l->is_ahead && !l->is_void)
            last = l;
    }
    if (!last || !is_better(s, last->record, thief, best, 2))
        return;
    last->record->at.is_stray = true;
    c->stolen++;
    nci_lease_ask(s, last, actions);
}

bool nci_steal(nci_sched *s, nci_member *m, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    nci_member *rich = c->unsent ? find_richest(s, m) : NULL;
    nci_record *r = rich ? find_movable(s, rich, m) : NULL;
    if (r && r->at.is_root)
        move_roots(s, rich, r, m);
    else if (r)
        move(s, r, m);
    else if (!m->cores && c->nactive > 1)
        ask_for_sent(s, m, actions);
    return r != NULL;
}
