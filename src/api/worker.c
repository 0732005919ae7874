/* SPDX-License-Identifier: BSD-3-Clause */
/* The processes that work: started by a nanny, under mpirun, or later by the
 * scheduler file. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/link.h"
#include "api/process.h"
#include "engine/launch/machine.h"
#include "engine/launch/scheduler_file.h"
#include "engine/launch/walltime.h"
#include "engine/sched/resources.h"

/* Ranks of a machine share its memory. */
static ncg_context_options worker_context(const ncg_context_options *from,
                                          const nci_handover *who)
{
    static const ncg_context_options defaults = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context_options o = from ? *from : defaults;
    if (!o.threads)
        o.threads = who->threads;
    if (!o.memory_limit && who->shares > 1)
        o.memory_limit = nci_machine_memory() / 10 * 6 / who->shares;
    o.progress = NULL;
    return o;
}

ncg_status nci_process_work(const nci_handover *who,
                            const ncg_context_options *context,
                            const nci_work_options *options, ncg_error *err)
{
    ncg_context_options o = worker_context(context, who);
    nci_work_options how = *options;
    ncg_context *ctx = NULL;
    how.addresses = who->addresses;
    how.secret = who->secret;
    how.cluster = who->cluster;
    how.leave = &nci_process_leave;
    how.note = nci_process_note;
    how.note_ctx = &o;
    nci_process_listen();
    NCI_TRY(ncg_context_create(&o, &ctx, err));
    nci_plan_host host = nci_link_host(ctx);
    ncg_status st = NCG_OK;
    if (who->is_filed)
        st = nci_link_follow_tls(ctx, who->tls, who->secret, who->cluster, err);
    how.wire = ctx->wire;
    if (!st)
        st = nci_cluster_work(ctx->executor, &host, &how, err);
    ncg_context_destroy(&ctx);
    return st;
}

/* When this process must have ended: by the option, else by the batch system;
 * on the monotonic clock, ns, so that a worker that starts again has the same
 * end. 0: open. */
static int64_t end_of(const ncg_worker_options *o)
{
    struct timespec now;
    double seconds = o->lifetime;
    if (seconds <= 0 && !nci_walltime_left(getenv, &seconds))
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec +
           (int64_t)(seconds * 1e9);
}

static double seconds_until(int64_t end)
{
    struct timespec now;
    if (!end)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double left = 1e-9 * (double)(end - now.tv_nsec) - (double)now.tv_sec;
    return left > 0.001 ? left : 0.001;
}

static ncg_status start_one(const ncg_worker_options *o, double timeout,
                            ncg_error *err)
{
    nci_handover who;
    nci_scheduler_file file;
    int code = 0;
    NCI_TRY(nci_scheduler_file_wait(o->scheduler_file, timeout, &file, err));
    NCI_TRY(nci_handover_init(&who, err));
    memcpy(who.secret, file.secret, sizeof who.secret);
    memcpy(who.cluster, file.cluster, sizeof who.cluster);
    memcpy(who.addresses, file.addresses, sizeof who.addresses);
    memcpy(who.tls, file.tls, sizeof who.tls);
    who.is_filed = true;
    who.epoch = file.epoch;
    who.end = end_of(o);
    NCI_TRY(
        nci_start_worker(&who, nci_process_restarts(o->restarts), &code, err));
    if (code)
        exit(code);
    return NCG_OK;
}

ncg_status ncg_worker_serve(const ncg_worker_options *o, ncg_error *err)
{
    nci_handover who;
    if (!o || o->struct_size < sizeof *o)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    if (!o->scheduler_file)
        return nci_fail(err, NCG_EINVAL, "a worker needs a scheduler file");
    if (o->lifetime < 0 || o->death_timeout < 0)
        return nci_fail(err, NCG_EINVAL, "a negative time");
    nci_resources resources;
    NCI_TRY(nci_resources_read(o->resources, &resources, err));
    double timeout =
        o->death_timeout > 0 ? o->death_timeout : NCI_DEATH_TIMEOUT;
    NCI_TRY(nci_handover_take(&who, err));
    if (who.role != NCI_CHILD_WORKER)
        return start_one(o, timeout, err);
    nci_work_options how = {.name = o->name,
                            .scheduler_file = o->scheduler_file,
                            .interface = o->interface,
                            .checkpoint_directory = o->checkpoint_directory,
                            .resources = o->resources,
                            .death_timeout = timeout,
                            .lifetime = seconds_until(who.end)};
    return nci_process_work(&who, o->context, &how, err);
}
