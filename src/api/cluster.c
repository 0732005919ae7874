/* SPDX-License-Identifier: BSD-3-Clause */
/* A standing cluster: the process that schedules, and its nanny. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/link.h"
#include "api/process.h"
#include "engine/http/http.h"
#include "engine/launch/scheduler_file.h"

static ncg_status publish(const char *path, const nci_handover *who,
                          const nci_scheduler *scheduler, const nci_http *http,
                          nci_scheduler_file *file, ncg_error *err)
{
    *file = (nci_scheduler_file){.epoch = who->epoch, .pid = getpid()};
    memcpy(file->cluster, who->cluster, sizeof file->cluster);
    memcpy(file->secret, who->secret, sizeof file->secret);
    snprintf(file->addresses, sizeof file->addresses, "%s",
             nci_scheduler_addresses(scheduler));
    snprintf(file->tls, sizeof file->tls, "%s", nci_scheduler_tls(scheduler));
    if (http)
        snprintf(file->http, sizeof file->http, "%s",
                 nci_http_url_with_token(http));
    if (gethostname(file->host, sizeof file->host - 1))
        strcpy(file->host, "?");
    return path ? nci_scheduler_file_write(path, file, err) : NCG_OK;
}

static bool fill_report(void *scheduler, nci_report *out)
{
    return nci_scheduler_report(scheduler, out);
}

/* A cluster that was not told where to show its state goes on without. */
static ncg_status show(const ncg_cluster_options *o, const nci_handover *who,
                       const ncg_context_options *context,
                       nci_scheduler *scheduler, nci_http **out, ncg_error *err)
{
    const nci_http_source source = {scheduler, fill_report};
    char sentence[600];
    nci_keys keys;
    ncg_error why;
    if (o->no_http)
        return NCG_OK;
    NCI_TRY(nci_keys_derive(who->secret, who->cluster, &keys, err));
    ncg_status st =
        nci_http_create(o->http, o->interface, &keys, &source, out, &why);
    nci_keys_wipe(&keys);
    if (st && o->http) {
        if (err)
            *err = why;
        return st;
    }
    if (st)
        snprintf(sentence, sizeof sentence, "no status over HTTP: %s",
                 why.message);
    else
        snprintf(sentence, sizeof sentence, "status at %s (%s has its token)",
                 nci_http_url(*out),
                 o->scheduler_file ? o->scheduler_file : "nobody");
    nci_process_note((void *)(uintptr_t)context, sentence);
    return NCG_OK;
}

/* Until somebody says stop, or a signal does. */
static void stand(nci_scheduler *scheduler)
{
    const struct timespec pause = {0, 100000000};
    while (!nci_process_leave && !nci_scheduler_is_stopped(scheduler))
        nanosleep(&pause, NULL);
}

static ncg_status schedule(const ncg_cluster_options *o,
                           const nci_handover *who,
                           const ncg_context_options *context, ncg_error *err)
{
    ncg_context *ctx = NULL;
    nci_scheduler *scheduler = NULL;
    nci_http *http = NULL;
    nci_scheduler_file file;
    nci_process_listen();
    NCI_TRY(ncg_context_create(context, &ctx, err));
    nci_plan_host host = nci_link_host(ctx);
    nci_scheduler_options how = {.secret = who->secret,
                                 .cluster = who->cluster,
                                 .epoch = who->epoch,
                                 .interface = o->interface,
                                 .port = o->port,
                                 .wire = ctx->wire,
                                 .note = nci_process_note,
                                 .note_ctx = (void *)(uintptr_t)context};
    ncg_status st = nci_scheduler_create(&how, &host, &scheduler, err);
    if (!st)
        st = show(o, who, context, scheduler, &http, err);
    if (!st)
        st = publish(o->scheduler_file, who, scheduler, http, &file, err);
    if (!st)
        st = nci_handover_answer(nci_scheduler_addresses(scheduler), err);
    if (!st) {
        stand(scheduler);
        if (o->scheduler_file)
            nci_scheduler_file_remove(o->scheduler_file, &file);
    }
    nci_http_destroy(&http);
    nci_scheduler_destroy(&scheduler);
    ncg_context_destroy(&ctx);
    return st;
}

/* ---- after one that was killed */

/* One that nobody has waited for yet has ended all the same. */
static bool is_running(int64_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    if (kill((pid_t)pid, 0))
        return errno != ESRCH;
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    const char *line = fgets(text, sizeof text, f);
    fclose(f);
    const char *name = line ? strrchr(line, ')') : NULL;
    return !name || !strchr("ZX", name[1] ? name[2] : ' ');
}

/* One that was killed a moment ago takes a while to end. */
static bool goes_on_running(int64_t pid)
{
    enum { MOST_MS = 2000, STEP_MS = 20 };
    const struct timespec pause = {0, STEP_MS * 1000000};
    for (int ms = 0; is_running(pid); ms += STEP_MS) {
        if (ms >= MOST_MS)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* Whether the scheduler of a file on another host is still there. */
static bool answers(const char *path)
{
    char *text = NULL;
    ncg_error err;
    bool does = !ncg_cluster_status(path, &text, &err);
    ncg_free(text);
    return does;
}

/* A scheduler file that was left behind: whoever wrote it was killed. Its
 * workers look for a scheduler that knows the same secret. */
static bool was_killed(const char *path, nci_handover *out)
{
    nci_scheduler_file file;
    char host[sizeof file.host] = "";
    if (!path || nci_scheduler_file_read(path, &file, NULL) ||
        gethostname(host, sizeof host - 1))
        return false;
    bool is_here = !strcmp(host, file.host);
    if (is_here ? goes_on_running(file.pid) : answers(path))
        return false;
    memcpy(out->secret, file.secret, sizeof out->secret);
    memcpy(out->cluster, file.cluster, sizeof out->cluster);
    out->epoch = file.epoch + 1;
    return true;
}

static ncg_status stand_alone(const ncg_launch_options *o, const char *path,
                              ncg_error *err)
{
    nci_handover before;
    nci_start_options how = {.first = NCI_CHILD_SCHEDULER,
                             .is_exclusive = o->exclusive,
                             .like = was_killed(path, &before) ? &before : NULL,
                             .restarts = nci_process_restarts(o->restarts)};
    int code = 0;
    NCI_TRY(nci_start_alone(&how, &code, err));
    if (code)
        exit(code);
    return NCG_OK;
}

ncg_status ncg_cluster_serve(const ncg_cluster_options *o, ncg_error *err)
{
    nci_handover who;
    nci_ranks ranks;
    if (!o || o->struct_size < sizeof *o)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    const ncg_launch_options *l = o->launch ? o->launch : &nci_launch_defaults;
    NCI_TRY(nci_process_check(l, err));
    NCI_TRY(nci_handover_take(&who, err));
    if (who.role == NCI_CHILD_SCHEDULER)
        return schedule(o, &who, l->context, err);
    if (who.role == NCI_CHILD_WORKER) {
        nci_work_options how = {.death_timeout = NCI_DEATH_TIMEOUT,
                                .interface = o->interface};
        return nci_process_work(&who, l->context, &how, err);
    }
    nci_ranks_detect(getenv, &ranks);
    if (ranks.size == 1)
        return stand_alone(l, o->scheduler_file, err);
    ncg_status st = nci_process_watch(&ranks, l, NCI_CHILD_SCHEDULER, err);
    return st == NCG_WORKER_DONE ? NCG_OK : st;
}
