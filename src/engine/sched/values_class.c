/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that need resources. Those that need the same wait in one list, so that
 * one for which there is nothing left holds up no others. What a call takes is
 * given back when its RUN is answered, also where nobody wants it any more.
 */
#include "base/mem.h"
#include "engine/sched/values_internal.h"

ncg_status nci_value_class_of(nci_values *s, const nci_resources *needs,
                              nci_value_class **out, ncg_error *err)
{
    *out = NULL;
    if (!needs || !needs->count)
        return NCG_OK;
    nci_value_class *c = s->classes;
    while (c && !nci_resources_equal(&c->needs, needs))
        c = c->next;
    if (!c) {
        c = nci_calloc(1, sizeof *c);
        if (!c)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        c->needs = *needs;
        c->next = s->classes;
        s->classes = c;
    }
    c->users++;
    *out = c;
    return NCG_OK;
}

void nci_value_class_release(nci_values *s, nci_value_class *c)
{
    if (!c || --c->users)
        return;
    nci_value_class **at = &s->classes;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    nci_free(c);
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
