/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records, and what lets go of them. Chains of records are worked off by a
 * list, never by recursion, because a program may make a chain of any length.
 */
#include "base/mem.h"
#include "engine/sched/values_internal.h"

nci_value *nci_value_of(const nci_values *s, int64_t id)
{
    return id < 0 ? NULL : nci_task_map_get(&s->records, id);
}

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

/* ---- going -----------------------------------------------------------------
 */

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
    s->bound -= v->class && v->class->is_bound;
    nci_value_class_release(s, v->class);
    nci_free(v->inputs);
    nci_free(v);
}

static void drop_value(nci_values *s, nci_value *v)
{
    nci_value_member *m = v->at;
    nci_value_end_move(v);
    nci_values_say(s, (nci_value_action){.kind = NCI_VALUE_DROP,
                                         .worker = m->number,
                                         .id = v->id});
    nci_value_put(v, NULL);
    v->state = NCI_VALUE_IDLE;
    nci_value_try_clear(s, m);
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
    nci_values_say(
        s, (nci_value_action){.kind = NCI_VALUE_FORGOTTEN, .id = v->id});
    if (v->state == NCI_VALUE_THERE)
        nci_value_put(v, NULL); /* a fault keeps it on the worker */
    free_record(s, v);
}

void nci_values_review(nci_values *s)
{
    while (s->unseen) {
        nci_value *v = s->unseen;
        s->unseen = v->unseen;
        v->is_listed = false;
        review_one(s, v);
    }
}

/* ---- coming ----------------------------------------------------------------
 */

static ncg_status make_record(nci_values *s, const nci_value_event *e,
                              nci_value **out, ncg_error *err)
{
    if (e->id < 0 || nci_value_of(s, e->id))
        return nci_fail(err, NCG_EINVAL, "value %lld is there already",
                        (long long)e->id);
    for (size_t i = 0; i < e->ninputs; i++)
        if (!nci_value_of(s, e->inputs[i]))
            return nci_fail(err, NCG_EINVAL, "value %lld is not known",
                            (long long)e->inputs[i]);
    nci_value *v = nci_calloc(1, sizeof *v);
    nci_value_edge *inputs = nci_calloc(e->ninputs + 1, sizeof *inputs);
    nci_value_class *class = NULL;
    if (!v || !inputs || !nci_task_map_reserve(&s->records) ||
        nci_value_class_of(s, e, &class, err)) {
        nci_free(v);
        nci_free(inputs);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *v = (nci_value){.id = e->id,
                     .bytes = e->bytes,
                     .class = class,
                     .retries = e->retries,
                     .is_held = true,
                     .inputs = inputs,
                     .ninputs = e->ninputs};
    nci_task_map_put(&s->records, v->id, v);
    s->bound += class && class->is_bound;
    for (size_t i = 0; i < v->ninputs; i++) {
        nci_value_edge *edge = &inputs[i];
        nci_value *input = nci_value_of(s, e->inputs[i]);
        *edge = (nci_value_edge){v, input, input->users, &input->users};
        if (edge->next)
            edge->next->before = &edge->next;
        input->users = edge;
    }
    *out = v;
    return NCG_OK;
}

ncg_status nci_value_call(nci_values *s, const nci_value_event *e,
                          ncg_error *err)
{
    nci_value *v = NULL;
    NCI_TRY(make_record(s, e, &v, err));
    nci_value_open(s, v);
    return NCG_OK;
}

/* The same chunk twice: one goes. */
ncg_status nci_value_keep(nci_values *s, const nci_value_event *e,
                          ncg_error *err)
{
    nci_value_member *m = nci_value_member_of(s, e->worker);
    nci_value *v = nci_value_of(s, e->id);
    nci_value_event made = *e;
    if (!m)
        return NCG_OK; /* it is gone again */
    if (v) {
        nci_value_drop_stray(s, m, v, e->id);
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
        nci_value_try_clear(s, m);
    }
    return NCG_OK;
}
