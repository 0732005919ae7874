/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the cluster looks like, for people and for machines that watch it. A
 * moment's copy under the lock; it is written down elsewhere (http/report.h).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/cluster/scheduler_internal.h"

static nci_report_work work_of(const nci_plan_run *r)
{
    nci_sched_stats now = {0};
    nci_report_work w = {
        .chunks_read = r->reads.chunks_direct + r->reads.chunks_library,
        .bytes_read = r->reads.bytes_disk,
        .bytes_decoded = r->reads.bytes_decoded};
    if (!r->sched || r->state == NCI_RUN_OPENING)
        return w; /* being made on another thread */
    nci_sched_get_stats(r->sched, &now);
    w.tasks = r->hosted.plan->ntasks;
    w.done = now.finished;
    w.running = now.running;
    w.waiting = w.tasks - w.done - w.running;
    w.waiting = w.waiting > 0 ? w.waiting : 0;
    w.memory = now.managed;
    w.fetched = now.fetched;
    w.moved = now.moved;
    w.spilled = now.spilled;
    w.recomputed = now.recomputed;
    w.stolen = now.stolen;
    return w;
}

void nci_scheduler_account(nci_scheduler *s, const nci_plan_run *r)
{
    nci_report_work w = work_of(r);
    nci_report_work *past = &s->past;
    past->tasks += w.tasks;
    past->done += w.done;
    past->fetched += w.fetched;
    past->moved += w.moved;
    past->spilled += w.spilled;
    past->recomputed += w.recomputed;
    past->stolen += w.stolen;
    past->chunks_read += w.chunks_read;
    past->bytes_read += w.bytes_read;
    past->bytes_decoded += w.bytes_decoded;
    if (r->is_canceled)
        s->canceled++;
    else if (r->has_error)
        s->failed++;
    else
        s->finished++;
}

static void add_worker(const nci_scheduler *s, const nci_roll *roll,
                       nci_report *out)
{
    nci_report_worker *w = &out->workers[out->nworkers++];
    *w = (nci_report_worker){.pid = roll->who.pid,
                             .threads = roll->who.threads,
                             .limit = roll->who.limit,
                             .is_leaving = roll->is_leaving,
                             .is_silent = roll->is_silent};
    snprintf(w->name, sizeof w->name, "%s", roll->who.name);
    snprintf(w->host, sizeof w->host, "%s", roll->who.host);
    snprintf(w->resources, sizeof w->resources, "%s", roll->who.resources);
    for (const nci_plan_run *r = s->runs; r; r = r->next) {
        nci_member_stats m = {0};
        if (r->state != NCI_RUN_RUNNING ||
            !nci_sched_member_stats(r->sched, roll->number, &m))
            continue;
        w->memory += m.managed;
        w->running += m.running;
        w->sent += m.sent;
        w->queued += m.queued;
    }
}

static void add_run(const nci_plan_run *r, nci_report *out)
{
    static const char *const states[] = {"queued", "opening", "running",
                                         "over"};
    nci_report_run *to = &out->runs[out->nruns++];
    const char *waits = nci_run_waits_for(r);
    *to = (nci_report_run){
        .number = r->id, .state = states[r->state], .work = work_of(r)};
    snprintf(to->waits_for, sizeof to->waits_for, "%s", waits ? waits : "");
}

static void add_values(const nci_scheduler *s, nci_report *out)
{
    nci_values_stats v;
    nci_values_get_stats(s->values, &v);
    out->values = (nci_report_values){.waiting = v.waiting,
                                      .queued = v.ready,
                                      .running = v.running,
                                      .failed = v.failed,
                                      .values = v.there,
                                      .chunks = v.kept,
                                      .bytes = v.bytes};
}

static bool fill_locked(const nci_scheduler *s, nci_report *out)
{
    size_t nruns = 0;
    for (const nci_plan_run *r = s->runs; r; r = r->next)
        nruns++;
    if (!nci_grow(&out->workers, &out->workers_capacity, s->nrolls + 1,
                  sizeof *out->workers) ||
        !nci_grow(&out->runs, &out->runs_capacity, nruns + 1,
                  sizeof *out->runs))
        return false;
    for (size_t i = 0; i < s->nrolls; i++)
        add_worker(s, &s->rolls[i], out);
    for (const nci_plan_run *r = s->runs; r; r = r->next)
        add_run(r, out);
    out->finished = s->finished;
    out->failed = s->failed;
    out->canceled = s->canceled;
    out->past = s->past;
    add_values(s, out);
    return true;
}

bool nci_scheduler_report(nci_scheduler *s, nci_report *out)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *out = (nci_report){.epoch = s->options.epoch};
    for (size_t i = 0; i < NCI_CLUSTER_ID_SIZE; i++)
        snprintf(out->cluster + 2 * i, 3, "%02x", s->keys.cluster[i]);
    out->uptime = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec -
                  1e-9 * (double)s->began;
    nci_net_get_stats(s->net, &out->net);
    pthread_mutex_lock(&s->lock);
    bool good = fill_locked(s, out);
    pthread_mutex_unlock(&s->lock);
    if (!good)
        nci_report_fini(out);
    return good;
}
