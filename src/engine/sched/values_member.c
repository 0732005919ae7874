/* SPDX-License-Identifier: BSD-3-Clause */
/* Members: who has a thread, what moves from one to another, who leaves. */
#include "base/mem.h"
#include "engine/sched/values_internal.h"

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

nci_value_member *nci_value_member_of(const nci_values *s, uint32_t number)
{
    return nci_task_map_get(&s->members, number);
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

ncg_status nci_value_join(nci_values *s, const nci_value_event *e,
                          ncg_error *err)
{
    nci_value_member *m = nci_calloc(1, sizeof *m);
    if (nci_value_member_of(s, e->worker)) {
        nci_free(m);
        return nci_fail(err, NCG_EINVAL, "worker %u joins twice", e->worker);
    }
    if (!m || !nci_task_map_reserve(&s->members)) {
        nci_free(m);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *m = (nci_value_member){.number = e->worker, .threads = e->threads};
    if (e->resources)
        m->all = m->left = *e->resources;
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
    if (!to || v->to || v->misses > NCI_VALUE_MISSES)
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

void nci_value_end_move(nci_value *v)
{
    if (!v->to)
        return;
    v->to = NULL;
    v->at->moving--;
    v->attempt++;
}

void nci_value_try_clear(nci_values *s, nci_value_member *m)
{
    if (!m->is_draining || m->is_clear || m->busy || m->moving)
        return;
    m->is_clear = true;
    nci_values_say(
        s, (nci_value_action){.kind = NCI_VALUE_CLEAR, .worker = m->number});
}

/* Those who wait for a worker that will not do it. */
static void fail_bound(nci_values *s, nci_value_member *m)
{
    for (nci_value_class *c = m->classes; c; c = c->next)
        while (c->queue.first)
            nci_value_fail(s, c->queue.first, NCG_ENOTFOUND,
                           c->queue.first->id);
}

void nci_value_drain(nci_values *s, nci_value_member *m)
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
    nci_value_try_clear(s, m);
}

/* Where a newer order for it is on its way to m, a DROP would come after what
 * that brings. */
void nci_value_drop_stray(nci_values *s, const nci_value_member *m,
                          const nci_value *v, int64_t id)
{
    if (v && (v->at == m || v->to == m))
        return;
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_DROP,
                                         .worker = m->number,
                                         .id = id});
}

void nci_value_moved(nci_values *s, nci_value_member *m, nci_value *v,
                     const nci_value_event *e)
{
    bool is_due = v && v->to == m && v->attempt == e->attempt;
    bool came = e->kind == NCI_VALUE_TAKEN;
    if (!is_due) {
        nci_value_drop_stray(s, m, v, e->id);
        return;
    }
    nci_value_member *from = v->at;
    nci_value_end_move(v);
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
        nci_value_drop_stray(s, m, v, v->id);
        nci_value_move(s, v);
    }
    nci_value_try_clear(s, from);
}

/* ---- leaving ------------------------------------------------------------- */

static void forget_moves_to(nci_values *s, const nci_value_member *gone)
{
    for (nci_value_member *m = s->all; m; m = m->after) {
        for (nci_value *v = m->there.first; m->moving && v; v = v->next)
            if (v->to == gone) {
                nci_value_end_move(v);
                nci_value_move(s, v);
            }
        nci_value_try_clear(s, m);
    }
}

void nci_value_leave(nci_values *s, nci_value_member *m)
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
    nci_value_class_part(m);
    while (m->there.first) {
        nci_value *v = m->there.first;
        nci_value_end_move(v);
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
        if (++v->strikes >= NCI_VALUE_STRIKES)
            nci_value_fail(s, v, NCG_ENET, v->id);
        else
            nci_value_requeue(s, v);
    }
    forget_moves_to(s, m);
    nci_value_give_all_back(s, m);
    nci_free(m);
}
