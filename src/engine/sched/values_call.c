/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls from waiting to their end, and what is made again when a worker takes
 * values with it.
 */
#include "engine/sched/values_internal.h"

/* ---- queues -------------------------------------------------------------- */

static void queue(nci_values *s, nci_value *v)
{
    nci_value_class *c = v->class;
    bool is_able = !c || !c->is_bound ||
                   (c->home && !c->home->is_draining &&
                    nci_resources_have(&c->home->all, &c->needs));
    if (!is_able) {
        nci_value_fail(s, v, NCG_ENOTFOUND, v->id);
        return;
    }
    v->state = NCI_VALUE_QUEUED;
    v->place = s->places++;
    nci_value_link(c ? &c->queue : &s->queue, v);
}

bool nci_value_fits(const nci_value_member *m, const nci_value *v)
{
    return m->is_free &&
           (!v->class || nci_resources_have(&m->left, &v->class->needs));
}

nci_value *nci_value_due(const nci_value_member *m)
{
    nci_value *first = NULL;
    for (const nci_value_class *c = m->classes; c; c = c->next) {
        nci_value *v = c->queue.first;
        if (v && nci_value_fits(m, v) && (!first || v->place < first->place))
            first = v;
    }
    return first;
}

/* The worker that can do it and holds most of the inputs, else the one that has
 * waited longest. NULL: none. */
static nci_value_member *place(const nci_values *s, const nci_value *v)
{
    nci_value_member *best = s->free;
    int64_t most = 0;
    while (best && !nci_value_fits(best, v))
        best = best->next;
    for (size_t i = 0; i < v->ninputs; i++) {
        const nci_value *input = v->inputs[i].input;
        if (nci_value_fits(input->at, v) && input->bytes > most) {
            best = input->at;
            most = input->bytes;
        }
    }
    return best;
}

/* False: memory is out. */
static bool start(nci_values *s, nci_value *v, nci_value_member *m)
{
    if (!nci_value_take(m, v))
        return false;
    nci_value_unlink(v);
    v->state = NCI_VALUE_RUNNING;
    v->at = m;
    nci_value_link(&m->running, v);
    m->busy++;
    /* To the end of those that wait for work. */
    m->is_silent = true;
    nci_value_set_free(s, m);
    m->is_silent = false;
    nci_value_set_free(s, m);
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_RUN,
                                         .worker = m->number,
                                         .id = v->id,
                                         .attempt = ++v->attempt});
    return true;
}

static void feed(nci_values *s, const nci_value_list *queue)
{
    bool goes_on = true;
    while (goes_on && s->free && queue->first) {
        nci_value_member *m = place(s, queue->first);
        goes_on = m && start(s, queue->first, m);
    }
}

void nci_values_feed(nci_values *s)
{
    for (nci_value_member *m = s->bound ? s->free : NULL, *next; m; m = next) {
        nci_value *due = nci_value_due(m);
        next = m->next;
        while (due && start(s, due, m))
            due = nci_value_due(m);
    }
    for (nci_value_class *c = s->classes; c; c = c->next)
        feed(s, &c->queue);
    feed(s, &s->queue);
}

/* ---- beginning ----------------------------------------------------------- */

static size_t count_missing(const nci_value *v)
{
    size_t n = 0;
    for (size_t i = 0; i < v->ninputs; i++)
        n += v->inputs[i].input->state != NCI_VALUE_THERE;
    return n;
}

static const nci_value *broken_input(const nci_value *v)
{
    for (size_t i = 0; i < v->ninputs; i++)
        if (v->inputs[i].input->state == NCI_VALUE_BROKEN)
            return v->inputs[i].input;
    return NULL;
}

/* Waits or is queued; what it needs and nobody makes goes onto the list. */
static void settle(nci_values *s, nci_value *v, nci_value **list)
{
    const nci_value *broken = broken_input(v);
    v->state = NCI_VALUE_WAITING;
    v->missing = count_missing(v);
    if (broken) {
        nci_value_fail(s, v, broken->status, broken->cause);
        return;
    }
    if (!v->missing) {
        queue(s, v);
        return;
    }
    for (size_t i = 0; i < v->ninputs; i++) {
        nci_value *input = v->inputs[i].input;
        if (input->state == NCI_VALUE_IDLE && !input->is_kept) {
            input->state = NCI_VALUE_OPENING;
            input->next = *list;
            *list = input;
        }
    }
}

static void settle_all(nci_values *s, nci_value *first, bool is_new)
{
    nci_value *list = first;
    first->next = NULL;
    while (list) {
        nci_value *v = list;
        list = v->next;
        v->next = NULL;
        for (size_t i = 0; (v != first || is_new) && i < v->ninputs; i++)
            v->inputs[i].input->open_users++;
        settle(s, v, &list);
    }
}

void nci_value_open(nci_values *s, nci_value *v)
{
    settle_all(s, v, true);
}

void nci_value_requeue(nci_values *s, nci_value *v)
{
    nci_value_unlink(v);
    v->at = NULL;
    v->attempt++;
    settle_all(s, v, false);
}

/* ---- ends ---------------------------------------------------------------- */

static void close_inputs(nci_values *s, nci_value *v)
{
    for (size_t i = 0; i < v->ninputs; i++) {
        v->inputs[i].input->open_users--;
        nci_value_review(s, v->inputs[i].input);
    }
}

void nci_value_done(nci_values *s, nci_value *v, nci_value_member *m,
                    int64_t bytes)
{
    nci_value_unlink(v);
    v->at = NULL;
    v->bytes = bytes;
    v->misses = 0;
    nci_value_put(v, m);
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_READY,
                                         .worker = m->number,
                                         .id = v->id,
                                         .bytes = bytes});
    for (nci_value_edge *e = v->users, *next; e; e = next) {
        next = e->next;
        if (e->user->state == NCI_VALUE_WAITING && --e->user->missing == 0)
            queue(s, e->user);
    }
    close_inputs(s, v);
    nci_value_review(s, v);
}

static void fail_one(nci_values *s, nci_value *v, ncg_status status,
                     int64_t cause)
{
    if (v->state == NCI_VALUE_RUNNING)
        nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_STOP,
                                             .worker = v->at->number,
                                             .id = v->id,
                                             .attempt = v->attempt});
    bool was_open = nci_value_is_open(v);
    nci_value_unlink(v);
    v->at = NULL;
    v->attempt++;
    v->state = NCI_VALUE_BROKEN;
    v->status = status;
    v->cause = cause;
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_ERRED,
                                         .id = v->id,
                                         .cause = cause,
                                         .status = status});
    if (was_open)
        close_inputs(s, v);
    nci_value_review(s, v);
}

/* Those that need it fail for the same reason. The list of what is still to
 * fail runs through `next`: whoever is on it is in no other list. */
void nci_value_fail(nci_values *s, nci_value *first, ncg_status status,
                    int64_t cause)
{
    nci_value *list = first;
    nci_value_unlink(first);
    first->next = NULL;
    while (list) {
        nci_value *v = list;
        list = v->next;
        v->next = NULL;
        fail_one(s, v, status, cause);
        for (nci_value_edge *e = v->users; e; e = e->next) {
            nci_value *user = e->user;
            bool is_due = user->state == NCI_VALUE_WAITING ||
                          user->state == NCI_VALUE_QUEUED;
            if (!is_due || user->cause == -1 - cause)
                continue;
            nci_value_unlink(user);
            user->state = NCI_VALUE_WAITING;
            user->cause = -1 - cause; /* it is on the list */
            user->next = list;
            list = user;
        }
    }
}

void nci_value_lose(nci_values *s, nci_value *v)
{
    bool is_kept = v->is_kept;
    v->state = NCI_VALUE_IDLE;
    for (nci_value_edge *e = v->users; e; e = e->next) {
        nci_value *user = e->user;
        if (user->state == NCI_VALUE_QUEUED) {
            nci_value_unlink(user);
            user->state = NCI_VALUE_WAITING;
            user->missing++;
        } else if (user->state == NCI_VALUE_WAITING) {
            user->missing++;
        }
    }
    if (is_kept) {
        nci_values_say(s,
                       (nci_value_action){.kind = NCI_VALUE_LOST, .id = v->id});
        nci_value_fail(s, v, NCG_ENOTFOUND, v->id);
        v->is_held = false;
        nci_value_review(s, v);
    } else if (nci_value_is_wanted(v) && !(s->faults & NCI_VALUES_NO_REVIVE)) {
        nci_value_open(s, v);
    } else {
        nci_value_review(s, v);
    }
}
