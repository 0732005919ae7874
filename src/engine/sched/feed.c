/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeding: a member with free cores is sent the lowest tasks of its queue. A
 * queue that runs short is filled from the loose tasks, from the walk, and last
 * from other members. What is sent is what the cores take and a little more, so
 * that they do not wait for messages: a tenth more, and of short tasks as many
 * as take some milliseconds.
 */
#include "engine/sched/cluster_internal.h"

enum { QUEUE_NS = 4000000, MOST_A_THREAD = 128, BACKLOG_PER_THREAD = 4 };
enum { MOST_SOON = 1024 };

static int capacity(const nci_sched *s, const nci_member *m)
{
    int64_t extra = (m->threads + 9) / 10, most = m->threads * MOST_A_THREAD;
    int64_t ahead = QUEUE_NS + 4 * s->cluster->options.latency;
    if (m->spent && m->threads * ahead / m->spent > extra)
        extra = m->threads * ahead / m->spent;
    if (extra > most)
        extra = most;
    return m->threads + (int)extra;
}

/* More cores for one task only when there is nothing else for them: at the end
 * of the walk. */
static int choose_threads(nci_sched *s, const nci_member *m,
                          const nci_record *r)
{
    int64_t starters = (int64_t)m->queue.count + s->cluster->unsent / 2;
    int idle = m->threads - m->cores;
    if (idle <= 1 || nci_sched_may_pull(s) || s->cluster->loose.count ||
        starters >= idle)
        return 1;
    int share = idle / (int)starters;
    int k = s->costs.threads(s->costs.ctx, r->task, share);
    return k < 1 ? 1 : k > share ? share : k;
}

/* Enough to take from others instead of going on with the walk. Of short tasks
 * it must be so many that no cohort is divided for what is done in a moment. */
static bool has_backlog(const nci_sched *s, const nci_member *m)
{
    const nci_cluster *c = s->cluster;
    int64_t most = BACKLOG_PER_THREAD * (int64_t)c->threads + 64;
    int64_t soon = m->spent ? QUEUE_NS / m->spent : 0;
    most += soon < MOST_SOON ? soon : MOST_SOON;
    return c->unsent + (int64_t)c->loose.count >= most;
}

/* Something that comes before the lowest task of its queue, or anything. */
static bool refill(nci_sched *s, nci_member *m, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    for (;;) {
        nci_place_ready(s);
        if (c->loose.count &&
            (!m->queue.count ||
             c->loose.items[0]->order < m->queue.items[0]->order) &&
            nci_place_take(s, m))
            return true;
        if (m->queue.count)
            return true;
        if (has_backlog(s, m) || !nci_cluster_pull(s, actions))
            return nci_steal(s, m, actions);
    }
}

static void set_blocked(nci_sched *s, nci_member *m, bool is_blocked)
{
    s->cluster->nblocked += is_blocked - m->is_blocked;
    m->is_blocked = is_blocked;
}

static void feed_one(nci_sched *s, nci_member *m, nci_actions *actions)
{
    int most = capacity(s, m);
    set_blocked(s, m, false);
    nci_member_set_hungry(s, m, false);
    while (m->cores < most && !s->failure) {
        if (!refill(s, m, actions)) {
            nci_member_set_hungry(s, m, true);
            return;
        }
        nci_record *r = m->queue.items[0];
        int threads = choose_threads(s, m, r);
        nci_place_unqueue(s, r);
        if ((threads > 1 && nci_admit(s, m, r, threads, actions)) ||
            nci_admit(s, m, r, 1, actions))
            continue;
        nci_place_push(s, m, r);
        set_blocked(s, m, true);
        return;
    }
}

static void feed(nci_sched *s, nci_member *m, nci_actions *actions)
{
    s->cluster->fed = m;
    feed_one(s, m, actions);
    s->cluster->fed = NULL;
}

/* What is loose may be what everything waits for. */
static bool wake_blocked(nci_sched *s)
{
    nci_cluster *c = s->cluster;
    bool any = false;
    if (!c->loose.count || c->hungry || !c->nblocked)
        return false;
    for (size_t i = 0; i < c->nactive; i++) {
        nci_member *m = c->active[i];
        if (!m->is_blocked || m->is_dirty ||
            (m->queue.count &&
             m->queue.items[0]->order < c->loose.items[0]->order))
            continue;
        nci_member_touch(s, m);
        any = true;
    }
    return any;
}

void nci_feed_all(nci_sched *s, nci_actions *actions)
{
    nci_cluster *c = s->cluster;
    while (!s->failure) {
        nci_place_ready(s);
        nci_member *m = nci_member_next_dirty(s);
        if (m) {
            feed(s, m, actions);
            continue;
        }
        m = c->hungry;
        if (m && (c->loose.count || c->unsent || nci_sched_may_pull(s))) {
            int64_t sent = c->sent, unsent = c->unsent;
            feed(s, m, actions);
            if (c->sent != sent || c->unsent != unsent || c->dirty)
                continue;
        } else if (wake_blocked(s)) {
            continue;
        }
        return;
    }
}
