/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values that stay: events, members, records and what lets go of them. Chains
 * of records are worked off by a list, never by recursion, because a program
 * may make a chain of any length.
 */
#include "engine/sched/values.h"

#include <string.h>

#include "base/mem.h"
#include "engine/sched/values_internal.h"

enum { MOST_STRIKES = 3, MOST_MISSES = 20 };

void nci_values_say(nci_values *s, nci_value_action action)
{
    nci_value_actions *a = s->actions;
    if (nci_grow(&a->items, &a->capacity, a->count + 1, sizeof *a->items))
        a->items[a->count++] = action;
    else
        s->is_starved = true;
}

/* ---- lists --------------------------------------------------------------- */

void nci_value_link(nci_value_list *list, nci_value *v)
{
    v->list = list;
    v->next = NULL;
    v->prev = list->last;
    if (list->last)
        list->last->next = v;
    else
        list->first = v;
    list->last = v;
    list->count++;
}

void nci_value_unlink(nci_value *v)
{
    nci_value_list *list = v->list;
    if (!list)
        return;
    if (v->prev)
        v->prev->next = v->next;
    else
        list->first = v->next;
    if (v->next)
        v->next->prev = v->prev;
    else
        list->last = v->prev;
    list->count--;
    v->list = NULL;
    v->next = v->prev = NULL;
}

/* ---- members ------------------------------------------------------------- */

static bool has_thread(const nci_value_member *m)
{
    return !m->is_silent && !m->is_draining && m->busy < m->threads;
}

/* Those that have waited longest stand first. */
void nci_value_set_free(nci_values *s, nci_value_member *m)
{
    bool is_free = has_thread(m);
    if (is_free == m->is_free)
        return;
    m->is_free = is_free;
    if (is_free) {
        m->next = NULL;
        m->prev = s->last_free;
        if (m->prev)
            m->prev->next = m;
        else
            s->free = m;
        s->last_free = m;
        return;
    }
    if (m->prev)
        m->prev->next = m->next;
    else
        s->free = m->next;
    if (m->next)
        m->next->prev = m->prev;
    else
        s->last_free = m->prev;
}

static nci_value_member *member_of(const nci_values *s, uint32_t number)
{
    return nci_task_map_get(&s->members, number);
}

static nci_value *record_of(const nci_values *s, int64_t id)
{
    return id < 0 ? NULL : nci_task_map_get(&s->records, id);
}

void nci_value_put(nci_value *v, nci_value_member *m)
{
    if (v->at && v->state == NCI_VALUE_THERE)
        v->at->bytes -= v->bytes;
    nci_value_unlink(v);
    v->at = m;
    if (!m)
        return;
    v->state = NCI_VALUE_THERE;
    m->bytes += v->bytes;
    nci_value_link(&m->there, v);
}

static ncg_status join(nci_values *s, const nci_value_event *e, ncg_error *err)
{
    nci_value_member *m = nci_calloc(1, sizeof *m);
    if (member_of(s, e->worker)) {
        nci_free(m);
        return nci_fail(err, NCG_EINVAL, "worker %u joins twice", e->worker);
    }
    if (!m || !nci_task_map_reserve(&s->members)) {
        nci_free(m);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *m = (nci_value_member){.number = e->worker, .threads = e->threads};
    nci_task_map_put(&s->members, e->worker, m);
    m->after = s->all;
    if (s->all)
        s->all->ahead = m;
    s->all = m;
    nci_value_set_free(s, m);
    return NCG_OK;
}

/* ---- moving -------------------------------------------------------------- */

static nci_value_member *next_taker(nci_values *s)
{
    nci_value_member *m = s->turn ? s->turn : s->all, *first = m;
    while (m && (m->is_draining || m->is_silent)) {
        m = m->after ? m->after : s->all;
        if (m == first)
            return NULL;
    }
    if (m)
        s->turn = m->after;
    return m;
}

void nci_value_move(nci_values *s, nci_value *v)
{
    nci_value_member *to = next_taker(s);
    if (!to || v->to || v->misses > MOST_MISSES)
        return;
    v->to = to;
    v->at->moving++;
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_TAKE,
                                         .worker = to->number,
                                         .from = v->at->number,
                                         .id = v->id,
                                         .bytes = v->bytes,
                                         .attempt = ++v->attempt});
}

static void end_move(nci_value *v)
{
    if (!v->to)
        return;
    v->to = NULL;
    v->at->moving--;
    v->attempt++;
}

static void look_whether_clear(nci_values *s, nci_value_member *m)
{
    if (!m->is_draining || m->is_clear || m->busy || m->moving)
        return;
    m->is_clear = true;
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_CLEAR,
                                         .worker = m->number});
}

/* Those who wait for a worker that will not do it. */
static void fail_bound(nci_values *s, nci_value_member *m)
{
    while (m->queue.first)
        nci_value_fail(s, m->queue.first, NCG_ENOTFOUND, m->queue.first->id);
}

static void drain(nci_values *s, nci_value_member *m)
{
    if (m->is_draining)
        return;
    m->is_draining = true;
    nci_value_set_free(s, m);
    fail_bound(s, m);
    for (nci_value *v = m->there.first, *next; v; v = next) {
        next = v->next;
        nci_value_move(s, v);
    }
    look_whether_clear(s, m);
}

static void take_answer(nci_values *s, nci_value_member *m, nci_value *v,
                        const nci_value_event *e)
{
    bool is_due = v && v->to == m && v->attempt == e->attempt;
    bool came = e->kind == NCI_VALUE_TAKEN;
    if (!is_due) {
        if (came && (!v || v->at != m))
            nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_DROP,
                                                 .worker = m->number,
                                                 .id = e->id});
        return;
    }
    nci_value_member *from = v->at;
    end_move(v);
    v->misses += !came;
    if (came) {
        nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_DROP,
                                             .worker = from->number,
                                             .id = v->id});
        nci_value_put(v, m);
        if (!v->is_kept)
            nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_READY,
                                                 .worker = m->number,
                                                 .id = v->id,
                                                 .bytes = v->bytes});
        if (m->is_draining)
            nci_value_move(s, v);
    } else {
        nci_value_move(s, v);
    }
    look_whether_clear(s, from);
}

/* ---- leaving ------------------------------------------------------------- */

static void forget_moves_to(nci_values *s, const nci_value_member *gone)
{
    for (nci_value_member *m = s->all; m; m = m->after) {
        for (nci_value *v = m->there.first; m->moving && v; v = v->next)
            if (v->to == gone) {
                end_move(v);
                nci_value_move(s, v);
            }
        look_whether_clear(s, m);
    }
}

static void leave(nci_values *s, nci_value_member *m)
{
    if (s->turn == m)
        s->turn = m->after;
    m->is_silent = true;
    nci_value_set_free(s, m);
    if (m->ahead)
        m->ahead->after = m->after;
    else
        s->all = m->after;
    if (m->after)
        m->after->ahead = m->ahead;
    nci_task_map_remove(&s->members, m->number);
    fail_bound(s, m);
    while (m->there.first) {
        nci_value *v = m->there.first;
        end_move(v);
        nci_value_put(v, NULL);
        nci_value_lose(s, v);
    }
    while (m->running.first) {
        nci_value *v = m->running.first;
        nci_value_unlink(v);
        v->at = NULL;
        v->state = NCI_VALUE_WAITING;
        if (s->faults & NCI_VALUES_NO_RERUN)
            continue;
        if (++v->strikes >= MOST_STRIKES)
            nci_value_fail(s, v, NCG_ENET, v->id);
        else
            nci_value_requeue(s, v);
    }
    forget_moves_to(s, m);
    nci_free(m);
}

/* ---- records ------------------------------------------------------------- */

void nci_value_review(nci_values *s, nci_value *v)
{
    if (v->is_listed)
        return;
    v->is_listed = true;
    v->unseen = s->unseen;
    s->unseen = v;
}

static void free_record(nci_values *s, nci_value *v)
{
    for (size_t i = 0; i < v->ninputs; i++) {
        nci_value_edge *e = &v->inputs[i];
        *e->before = e->next;
        if (e->next)
            e->next->before = e->before;
        nci_value_review(s, e->input);
    }
    nci_task_map_remove(&s->records, v->id);
    s->bound -= v->target != NCI_NO_WORKER;
    nci_free(v->inputs);
    nci_free(v);
}

static void drop_value(nci_values *s, nci_value *v)
{
    nci_value_member *m = v->at;
    end_move(v);
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_DROP,
                                         .worker = m->number,
                                         .id = v->id});
    nci_value_put(v, NULL);
    v->state = NCI_VALUE_IDLE;
    look_whether_clear(s, m);
}

/* Nobody waits for the call any more: its inputs are not needed for it. */
static void give_up(nci_values *s, nci_value *v)
{
    if (v->state == NCI_VALUE_RUNNING)
        nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_STOP,
                                             .worker = v->at->number,
                                             .id = v->id,
                                             .attempt = v->attempt});
    nci_value_unlink(v);
    v->at = NULL;
    v->attempt++;
    v->state = NCI_VALUE_IDLE;
    for (size_t i = 0; i < v->ninputs; i++) {
        v->inputs[i].input->open_users--;
        nci_value_review(s, v->inputs[i].input);
    }
}

static void review_one(nci_values *s, nci_value *v)
{
    if (nci_value_is_wanted(v))
        return;
    if (v->state == NCI_VALUE_THERE && !(s->faults & NCI_VALUES_NO_DROP))
        drop_value(s, v);
    if (nci_value_is_open(v))
        give_up(s, v);
    if (v->users)
        return;
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_FORGOTTEN,
                                         .id = v->id});
    if (v->state == NCI_VALUE_THERE)
        nci_value_put(v, NULL); /* a fault keeps it on the worker */
    free_record(s, v);
}

static void review_all(nci_values *s)
{
    while (s->unseen) {
        nci_value *v = s->unseen;
        s->unseen = v->unseen;
        v->is_listed = false;
        review_one(s, v);
    }
}

static ncg_status make_record(nci_values *s, const nci_value_event *e,
                              nci_value **out, ncg_error *err)
{
    if (e->id < 0 || record_of(s, e->id))
        return nci_fail(err, NCG_EINVAL, "value %lld is there already",
                        (long long)e->id);
    for (size_t i = 0; i < e->ninputs; i++)
        if (!record_of(s, e->inputs[i]))
            return nci_fail(err, NCG_EINVAL, "value %lld is not known",
                            (long long)e->inputs[i]);
    nci_value *v = nci_calloc(1, sizeof *v);
    nci_value_edge *inputs = nci_calloc(e->ninputs + 1, sizeof *inputs);
    if (!v || !inputs || !nci_task_map_reserve(&s->records)) {
        nci_free(v);
        nci_free(inputs);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *v = (nci_value){.id = e->id,
                     .bytes = e->bytes,
                     .target = e->worker,
                     .retries = e->retries,
                     .is_held = true,
                     .inputs = inputs,
                     .ninputs = e->ninputs};
    nci_task_map_put(&s->records, v->id, v);
    s->bound += v->target != NCI_NO_WORKER;
    for (size_t i = 0; i < v->ninputs; i++) {
        nci_value_edge *edge = &inputs[i];
        nci_value *input = record_of(s, e->inputs[i]);
        *edge = (nci_value_edge){v, input, input->users, &input->users};
        if (edge->next)
            edge->next->before = &edge->next;
        input->users = edge;
    }
    *out = v;
    return NCG_OK;
}

static ncg_status call(nci_values *s, const nci_value_event *e, ncg_error *err)
{
    nci_value *v = NULL;
    NCI_TRY(make_record(s, e, &v, err));
    nci_value_open(s, v);
    return NCG_OK;
}

/* The same chunk twice: one goes. */
static ncg_status keep(nci_values *s, const nci_value_event *e, ncg_error *err)
{
    nci_value_member *m = member_of(s, e->worker);
    nci_value *v = record_of(s, e->id);
    nci_value_event made = *e;
    if (!m)
        return NCG_OK; /* it is gone again */
    if (v) {
        if (v->at != m)
            nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_DROP,
                                                 .worker = m->number,
                                                 .id = e->id});
        return NCG_OK;
    }
    made.ninputs = 0;
    made.worker = NCI_NO_WORKER;
    NCI_TRY(make_record(s, &made, &v, err));
    v->is_kept = true;
    nci_value_put(v, m);
    if (m->is_draining) {
        m->is_clear = false;
        nci_value_move(s, v);
        look_whether_clear(s, m);
    }
    return NCG_OK;
}

/* ---- answers ------------------------------------------------------------- */

static void answer(nci_values *s, nci_value_member *m, nci_value *v,
                   const nci_value_event *e)
{
    bool is_due = v && v->state == NCI_VALUE_RUNNING &&
                  v->at == m && v->attempt == e->attempt;
    m->busy -= m->busy > 0;
    nci_value_set_free(s, m);
    if (!is_due && e->kind == NCI_VALUE_DONE && (!v || v->at != m))
        nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_DROP,
                                             .worker = m->number,
                                             .id = e->id});
    if (is_due && e->kind == NCI_VALUE_DONE) {
        nci_value_done(s, v, m, e->bytes);
        if (m->is_draining)
            nci_value_move(s, v);
    } else if (is_due && e->kind == NCI_VALUE_MISSED &&
               ++v->misses <= MOST_MISSES) {
        nci_value_requeue(s, v);
    } else if (is_due && e->kind == NCI_VALUE_FAILED && v->retries > 0) {
        v->retries--;
        nci_value_requeue(s, v);
    } else if (is_due) {
        nci_value_fail(s, v, e->status ? e->status : NCG_ENET, v->id);
    }
    look_whether_clear(s, m);
}

static void of_worker(nci_values *s, const nci_value_event *e)
{
    nci_value_member *m = member_of(s, e->worker);
    nci_value *v = record_of(s, e->id);
    if (!m)
        return;
    switch (e->kind) {
    case NCI_VALUE_LEFT:
        leave(s, m);
        break;
    case NCI_VALUE_SILENT:
    case NCI_VALUE_BACK:
        m->is_silent = e->kind == NCI_VALUE_SILENT;
        nci_value_set_free(s, m);
        break;
    case NCI_VALUE_DRAIN:
        drain(s, m);
        break;
    case NCI_VALUE_TAKEN:
    case NCI_VALUE_NOT_TAKEN:
        take_answer(s, m, v, e);
        break;
    default:
        answer(s, m, v, e);
        break;
    }
}

static ncg_status of_value(nci_values *s, const nci_value_event *e,
                           ncg_error *err)
{
    nci_value *v = record_of(s, e->id);
    switch (e->kind) {
    case NCI_VALUE_CALL:
        return call(s, e, err);
    case NCI_VALUE_KEPT:
        return keep(s, e, err);
    case NCI_VALUE_RELEASE:
        if (v) {
            v->is_held = false;
            nci_value_review(s, v);
        }
        return NCG_OK;
    default: /* CANCEL */
        if (v && nci_value_is_open(v))
            nci_value_fail(s, v, NCG_ECANCELED, v->id);
        return NCG_OK;
    }
}

ncg_status nci_values_handle(nci_values *s, const nci_value_event *e,
                             nci_value_actions *actions, ncg_error *err)
{
    ncg_status st = NCG_OK;
    s->actions = actions;
    s->is_starved = false;
    switch (e->kind) {
    case NCI_VALUE_JOINED:
        st = join(s, e, err);
        break;
    case NCI_VALUE_CALL:
    case NCI_VALUE_KEPT:
    case NCI_VALUE_RELEASE:
    case NCI_VALUE_CANCEL:
        st = of_value(s, e, err);
        break;
    default:
        of_worker(s, e);
        break;
    }
    review_all(s);
    nci_values_feed(s);
    if (!st && s->is_starved)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    return st;
}

/* ---- life ---------------------------------------------------------------- */

ncg_status nci_values_create(nci_values **out, ncg_error *err)
{
    *out = nci_calloc(1, sizeof **out);
    return *out ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

void nci_values_free(nci_values **slot)
{
    nci_values *s = *slot;
    *slot = NULL;
    if (!s)
        return;
    for (size_t i = 0; i < s->records.capacity; i++) {
        nci_value *v = s->records.slots[i].value;
        if (v)
            nci_free(v->inputs);
        nci_free(v);
    }
    for (size_t i = 0; i < s->members.capacity; i++)
        nci_free(s->members.slots[i].value);
    nci_task_map_fini(&s->records);
    nci_task_map_fini(&s->members);
    nci_free(s);
}

uint32_t nci_values_where(const nci_values *s, int64_t id, int64_t *bytes)
{
    const nci_value *v = record_of(s, id);
    if (!v || v->state != NCI_VALUE_THERE)
        return NCI_NO_WORKER;
    if (bytes)
        *bytes = v->bytes;
    return v->at->number;
}

void nci_values_break(nci_values *s, unsigned faults)
{
    s->faults = faults;
}
