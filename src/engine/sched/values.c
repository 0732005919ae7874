/* SPDX-License-Identifier: BSD-3-Clause */
/* Values that stay: events and life. */
#include "engine/sched/values.h"

#include "base/mem.h"
#include "engine/sched/values_internal.h"

void nci_values_say(nci_values *s, nci_value_action action)
{
    nci_value_actions *a = s->actions;
    if (nci_grow(&a->items, &a->capacity, a->count + 1, sizeof *a->items))
        a->items[a->count++] = action;
    else
        s->is_starved = true;
}

/* ---- answers ------------------------------------------------------------- */

static void answer(nci_values *s, nci_value_member *m, nci_value *v,
                   const nci_value_event *e)
{
    bool is_due = v && v->state == NCI_VALUE_RUNNING && v->at == m &&
                  v->attempt == e->attempt;
    bool is_done = e->kind == NCI_VALUE_DONE;
    m->busy -= m->busy > 0;
    nci_value_give_back(s, m, e->id, e->attempt);
    nci_value_set_free(s, m);
    if (is_due && is_done) {
        nci_value_done(s, v, m, e->bytes);
        if (m->is_draining)
            nci_value_move(s, v);
    } else if (is_due && e->kind == NCI_VALUE_MISSED &&
               ++v->misses <= NCI_VALUE_MISSES) {
        nci_value_requeue(s, v);
    } else if (is_due && e->kind == NCI_VALUE_FAILED && v->retries > 0) {
        v->retries--;
        nci_value_requeue(s, v);
    } else if (is_due) {
        nci_value_fail(s, v, e->status ? e->status : NCG_ENET, v->id);
    }
    if (is_done ? !is_due : e->attempt > 1)
        nci_value_drop_stray(s, m, v, e->id);
    nci_value_try_clear(s, m);
}

static void of_worker(nci_values *s, const nci_value_event *e)
{
    nci_value_member *m = nci_value_member_of(s, e->worker);
    nci_value *v = nci_value_of(s, e->id);
    if (!m)
        return;
    switch (e->kind) {
    case NCI_VALUE_LEFT:
        nci_value_leave(s, m);
        break;
    case NCI_VALUE_SILENT:
    case NCI_VALUE_BACK:
        m->is_silent = e->kind == NCI_VALUE_SILENT;
        nci_value_set_free(s, m);
        break;
    case NCI_VALUE_DRAIN:
        nci_value_drain(s, m);
        break;
    case NCI_VALUE_TAKEN:
    case NCI_VALUE_NOT_TAKEN:
        nci_value_moved(s, m, v, e);
        break;
    default:
        answer(s, m, v, e);
        break;
    }
}

static ncg_status of_value(nci_values *s, const nci_value_event *e,
                           ncg_error *err)
{
    nci_value *v = nci_value_of(s, e->id);
    switch (e->kind) {
    case NCI_VALUE_CALL:
        return nci_value_call(s, e, err);
    case NCI_VALUE_KEPT:
        return nci_value_keep(s, e, err);
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
        st = nci_value_join(s, e, err);
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
    nci_values_review(s);
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
        if (!v)
            continue;
        nci_value_class_release(s, v->class);
        nci_free(v->inputs);
        nci_free(v);
    }
    for (size_t i = 0; i < s->members.capacity; i++) {
        nci_value_member *m = s->members.slots[i].value;
        if (m)
            nci_value_give_all_back(s, m);
        nci_free(m);
    }
    nci_task_map_fini(&s->records);
    nci_task_map_fini(&s->members);
    nci_free(s);
}

uint32_t nci_values_where(const nci_values *s, int64_t id, int64_t *bytes)
{
    const nci_value *v = nci_value_of(s, id);
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
