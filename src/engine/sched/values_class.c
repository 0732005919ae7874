/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that need resources, or one worker. Those that need the same wait in
 * one list, so that one for which there is nothing left holds up no others.
 * What a call takes is given back when its RUN is answered, also where nobody
 * wants it any more.
 */
#include "base/mem.h"
#include "engine/sched/values_internal.h"

/* NULL: none are there, and none can be. */
static nci_value_class **classes_of(nci_values *s, bool is_bound,
                                    nci_value_member *home)
{
    if (!is_bound)
        return &s->classes;
    return home ? &home->classes : NULL;
}

ncg_status nci_value_class_of(nci_values *s, const nci_value_event *e,
                              nci_value_class **out, ncg_error *err)
{
    static const nci_resources none;
    const nci_resources *needs = e->resources ? e->resources : &none;
    bool is_bound = e->worker != NCI_NO_WORKER;
    nci_value_member *home =
        is_bound ? nci_value_member_of(s, e->worker) : NULL;
    nci_value_class **list = classes_of(s, is_bound, home);
    nci_value_class *c = list ? *list : NULL;
    *out = NULL;
    if (!is_bound && !needs->count)
        return NCG_OK;
    while (c && !nci_resources_equal(&c->needs, needs))
        c = c->next;
    if (!c) {
        c = nci_alloc(sizeof *c);
        if (!c)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        *c = (nci_value_class){
            .needs = *needs, .is_bound = is_bound, .home = home};
        if (list) {
            c->next = *list;
            *list = c;
        }
    }
    c->users++;
    *out = c;
    return NCG_OK;
}

void nci_value_class_release(nci_values *s, nci_value_class *c)
{
    if (!c || --c->users)
        return;
    nci_value_class **at = classes_of(s, c->is_bound, c->home);
    while (at && *at != c)
        at = &(*at)->next;
    if (at)
        *at = c->next;
    nci_free(c);
}

void nci_value_class_part(nci_value_member *m)
{
    while (m->classes) {
        nci_value_class *c = m->classes;
        m->classes = c->next;
        c->home = NULL;
        c->next = NULL;
    }
}

bool nci_value_take(nci_value_member *m, const nci_value *v)
{
    if (!v->class)
        return true;
    nci_value_use *use = nci_alloc(sizeof *use);
    if (!use)
        return false;
    *use = (nci_value_use){v->id, v->attempt + 1, v->class, m->uses};
    v->class->users++;
    m->uses = use;
    nci_resources_add(&m->left, &v->class->needs, -1);
    return true;
}

static void end_use(nci_values *s, nci_value_member *m, nci_value_use **at)
{
    nci_value_use *use = *at;
    *at = use->next;
    nci_resources_add(&m->left, &use->class->needs, 1);
    nci_value_class_release(s, use->class);
    nci_free(use);
}

void nci_value_give_back(nci_values *s, nci_value_member *m, int64_t id,
                         uint32_t attempt)
{
    nci_value_use **at = &m->uses;
    while (*at && ((*at)->id != id || (*at)->attempt != attempt))
        at = &(*at)->next;
    if (*at)
        end_use(s, m, at);
}

void nci_value_give_all_back(nci_values *s, nci_value_member *m)
{
    while (m->uses)
        end_use(s, m, &m->uses);
}
