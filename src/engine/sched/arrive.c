/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks that read what is still being made by another run. Such a task counts
 * one input more that is missing until all that it reads is there; the walk
 * goes on behind it, so that what has come is worked on in whatever order it
 * comes. What holds others up here depends on the other run alone, which
 * depends on nothing of this one.
 */
#include "engine/sched/cluster_internal.h"

static bool is_there(const nci_sched *s, const nci_record *r)
{
    const nci_cluster_options *o = &s->cluster->options;
    return !o->is_there || o->is_there(o->home_ctx, r->task);
}

bool nci_arrive_park(nci_sched *s, nci_record *r)
{
    if (is_there(s, r))
        return false;
    r->at.is_parked = true;
    r->at.parked = s->cluster->parked;
    s->cluster->parked = r;
    return true;
}

static void go_on(nci_sched *s, nci_record *r, nci_actions *actions)
{
    bool looks_ahead = s->cluster->options.looks_ahead;
    r->at.is_parked = false;
    r->waiting--;
    if (looks_ahead)
        r->at.unplaced--;
    if (!r->waiting) {
        s->nwaiting--;
        nci_cluster_unfinish(s, r);
    } else if (looks_ahead && !r->at.unplaced) {
        nci_ahead_try(s, r, actions);
    }
}

void nci_arrive_look(nci_sched *s, nci_actions *actions)
{
    nci_record **at = &s->cluster->parked;
    if (s->cluster->faults & NCI_FAULT_NO_ARRIVAL)
        return;
    while (*at && !s->failure) {
        nci_record *r = *at;
        if (!is_there(s, r)) {
            at = &r->at.parked;
            continue;
        }
        *at = r->at.parked;
        go_on(s, r, actions);
    }
}
