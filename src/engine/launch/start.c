/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/launch/start.h"

#include <signal.h>
#include <string.h>

#include "engine/launch/job.h"
#include "engine/launch/machine.h"

/* Starts the first process and learns where it listens. */
static ncg_status start_first(nci_child *first, nci_handover *who,
                              ncg_error *err)
{
    first->how = *who;
    NCI_TRY(nci_child_start(first, err));
    return nci_child_address(first, who->addresses, err);
}

static ncg_status start_worker(nci_child *child, const nci_handover *who,
                               int restarts, ncg_error *err)
{
    *child = (nci_child){.how = *who, .restarts = restarts};
    child->how.role = NCI_CHILD_WORKER;
    return nci_child_start(child, err);
}

/* Who this rank is, as its children learn it. */
static void describe(const nci_peers *me, nci_handover *who)
{
    who->rank = me->rank;
    who->ranks = me->size;
    who->shares = me->local_size > 0 ? me->local_size : 1;
    who->is_local = me->local_size == me->size;
}

/* All ranks come to this point, also where the first one failed: without an
 * address the others end. */
static ncg_status meet(nci_job_peers *job, nci_handover *who,
                       const nci_start_options *o, ncg_error *err)
{
    const char *note = NULL;
    nci_handover shared = *who;
    NCI_TRY(nci_job_share(job, &shared, sizeof shared, err));
    who->epoch = shared.epoch;
    memcpy(who->cluster, shared.cluster, sizeof who->cluster);
    memcpy(who->secret, shared.secret, sizeof who->secret);
    memcpy(who->addresses, shared.addresses, sizeof who->addresses);
    who->threads = nci_job_cores(job, &note);
    if (note && o->note && !who->rank)
        o->note(o->note_ctx, note);
    return NCG_OK;
}

static ncg_status start_all(nci_job_peers *job, const nci_start_options *o,
                            nci_child *children, int *n, ncg_error *err)
{
    nci_handover who;
    ncg_error first;
    ncg_status bad = NCG_OK;
    NCI_TRY(nci_handover_init(&who, err));
    describe(nci_job_who(job), &who);
    if (!who.rank) {
        who.role = o->first;
        bad = start_first(&children[0], &who, &first);
        *n = children[0].pid > 0;
        if (bad)
            who.addresses[0] = '\0';
    }
    NCI_TRY(meet(job, &who, o, err));
    if (bad) {
        if (err)
            *err = first;
        return bad;
    }
    if (!who.addresses[0] || (!who.rank && o->is_exclusive))
        return NCG_OK;
    NCI_TRY(start_worker(&children[*n], &who, o->restarts, err));
    (*n)++;
    return NCG_OK;
}

/* The user talks to the first rank. What ends the others is the launcher, once
 * that one has said what is wrong: they go without a word. */
static void go_quietly(void)
{
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

ncg_status nci_start_rank(const nci_ranks *ranks, const nci_start_options *o,
                          bool *is_first, int *code, ncg_error *err)
{
    nci_job_peers *job = NULL;
    nci_child children[NCI_NANNY_CHILDREN] = {{.pid = 0}};
    int n = 0;
    *code = 0;
    if (ranks->rank)
        go_quietly();
    NCI_TRY(nci_job_join(ranks, &job, err));
    *is_first = nci_job_who(job)->rank == 0;
    ncg_status st = start_all(job, o, children, &n, err);
    nci_job_leave(&job);
    if (n)
        *code = nci_nanny_watch(children, n);
    if (!*is_first)
        *code = 0; /* the launcher is not to end the job for a worker */
    return *code ? NCG_OK : st; /* who ended so has said why */
}

ncg_status nci_start_alone(const nci_start_options *o, int *code,
                           ncg_error *err)
{
    nci_handover who;
    nci_child children[NCI_NANNY_CHILDREN] = {{.pid = 0}};
    int n = 1;
    NCI_TRY(nci_handover_init(&who, err));
    if (o->like) {
        memcpy(who.secret, o->like->secret, sizeof who.secret);
        memcpy(who.cluster, o->like->cluster, sizeof who.cluster);
        who.epoch = o->like->epoch;
    }
    who.role = o->first;
    ncg_status st = start_first(&children[0], &who, err);
    if (!children[0].pid)
        return st;
    who.threads = nci_machine_threads();
    if (!st && !o->is_exclusive)
        st = start_worker(&children[n++], &who, o->restarts, err);
    *code = nci_nanny_watch(children, n);
    return *code ? NCG_OK : st; /* who ended so has said why */
}

/* A signal that comes while the worker starts must not end its nanny alone:
 * it waits until somebody passes it on. */
ncg_status nci_start_worker(const nci_handover *who, int restarts, int *code,
                            ncg_error *err)
{
    nci_child child;
    sigset_t signals, before;
    nci_nanny_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    ncg_status st = start_worker(&child, who, restarts, err);
    if (!st)
        *code = nci_nanny_watch(&child, 1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return st;
}
