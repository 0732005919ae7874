/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes of a cluster. Each function first asks whether this process was
 * started by a nanny (then it plays the part that it was started for), else it
 * becomes a nanny itself, or goes on alone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/link.h"
#include "engine/cluster/worker.h"
#include "engine/http/http.h"
#include "engine/launch/machine.h"
#include "engine/launch/scheduler_file.h"
#include "engine/launch/start.h"
#include "engine/net/tls.h"
#include "engine/launch/walltime.h"

enum { RESTARTS = 10, DEATH_TIMEOUT = 60 };

/* Where everything begins and ends with one command: */
static const double mpi_death_timeout = 3;

static int restarts_of(int wanted)
{
    return wanted < 0 ? 0 : wanted ? wanted : RESTARTS;
}

static void note_of(void *ctx, const char *sentence)
{
    const ncg_context_options *o = ctx;
    if (o && o->note)
        o->note(sentence, o->note_payload);
}

/* ---- a worker ------------------------------------------------------------ */

static volatile sig_atomic_t leave;

static void on_leave(int number)
{
    leave = number == SIGINT ? 2 : leave + 1;
}

static void listen_to_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGUSR1, SIGUSR2, SIGHUP,
                                  SIGINT};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_leave;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    sigset_t waited; /* while the nanny had us start */
    nci_nanny_signals(&waited);
    pthread_sigmask(SIG_UNBLOCK, &waited, NULL);
}

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

/* What the scheduler file says of TLS: the cluster has it or not, and whose
 * certificates they are. */
static ncg_status follow_tls(ncg_context *ctx, const char *print,
                             const uint8_t *secret, const uint8_t *cluster,
                             ncg_error *err)
{
    nci_keys keys;
    nci_tls *tls = NULL;
    if (!*print && ctx->wire.tls)
        return nci_fail(err, NCG_EAUTH,
                        "the cluster does not use TLS: start it with --tls, or "
                        "leave it out here");
    if (!*print)
        return NCG_OK;
    ctx->wire.tls = true;
    NCI_TRY(nci_keys_derive(secret, cluster, &keys, err));
    ncg_status st = nci_tls_create(&ctx->wire, &keys, &tls, err);
    if (!st && strcmp(nci_tls_print(tls), print))
        st = nci_fail(err, NCG_EAUTH,
                      "the cluster's certificates are of another authority: "
                      "give its files (--tls-ca-file, --tls-cert, --tls-key)");
    nci_tls_free(&tls);
    nci_keys_wipe(&keys);
    return st;
}

static ncg_status work(const nci_handover *who,
                       const ncg_context_options *context,
                       const nci_work_options *options, ncg_error *err)
{
    ncg_context_options o = worker_context(context, who);
    nci_work_options how = *options;
    ncg_context *ctx = NULL;
    how.addresses = who->addresses;
    how.secret = who->secret;
    how.cluster = who->cluster;
    how.leave = &leave;
    how.note = note_of;
    how.note_ctx = &o;
    listen_to_signals();
    NCI_TRY(ncg_context_create(&o, &ctx, err));
    nci_plan_host host = nci_link_host(ctx);
    ncg_status st = NCG_OK;
    if (who->is_filed)
        st = follow_tls(ctx, who->tls, who->secret, who->cluster, err);
    how.wire = ctx->wire;
    if (!st)
        st = nci_cluster_work(ctx->executor, &host, &how, err);
    ncg_context_destroy(&ctx);
    return st;
}

/* ---- programs under mpirun ----------------------------------------------- */

static ncg_status check_launch(const ncg_launch_options *o, ncg_error *err)
{
    if (o->struct_size < sizeof *o ||
        (o->context && o->context->struct_size < sizeof *o->context))
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    return NCG_OK;
}

/* The process that goes on with the program: its scheduler is in it. */
static ncg_status found(const ncg_launch_options *o, const nci_handover *who,
                        ncg_context **out, ncg_error *err)
{
    ncg_context *ctx = NULL;
    NCI_TRY(ncg_context_create(o->context, &ctx, err));
    ncg_status st =
        nci_link_found(ctx, who, who->is_local ? "127.0.0.1" : NULL, err);
    if (!st)
        st = nci_handover_answer(
            nci_scheduler_addresses(ctx->link->scheduler), err);
    if (st)
        ncg_context_destroy(&ctx);
    else
        *out = ctx;
    return st;
}

/* A nanny's whole life; on rank 0 it is also that of the process. */
static ncg_status watch(const nci_ranks *ranks, const ncg_launch_options *o,
                        nci_child_kind first, ncg_error *err)
{
    nci_start_options how = {.first = first,
                             .is_exclusive = o->exclusive,
                             .restarts = restarts_of(o->restarts),
                             .note = note_of,
                             .note_ctx = (void *)(uintptr_t)o->context};
    bool is_first = false;
    int code = 0;
    NCI_TRY(nci_start_rank(ranks, &how, &is_first, &code, err));
    if (is_first)
        exit(code);
    return nci_fail(err, NCG_WORKER_DONE, "%s",
                    ncg_status_text(NCG_WORKER_DONE));
}

static const ncg_launch_options launch_defaults = NCG_LAUNCH_OPTIONS_INIT;

ncg_status ncg_launch(const ncg_launch_options *options, ncg_context **out,
                      ncg_error *err)
{
    nci_handover who;
    nci_ranks ranks;
    const ncg_launch_options *o = options ? options : &launch_defaults;
    if (!out)
        return nci_fail(err, NCG_EINVAL, "no place for the context");
    NCI_TRY(check_launch(o, err));
    NCI_TRY(nci_handover_take(&who, err));
    if (who.role == NCI_CHILD_WORKER) {
        nci_work_options how = {.death_timeout = mpi_death_timeout,
                                .is_bound = true,
                                .interface = who.is_local ? "127.0.0.1" : NULL};
        NCI_TRY(work(&who, o->context, &how, err));
        return nci_fail(err, NCG_WORKER_DONE, "%s",
                        ncg_status_text(NCG_WORKER_DONE));
    }
    if (who.role == NCI_CHILD_CLIENT)
        return found(o, &who, out, err);
    nci_ranks_detect(getenv, &ranks);
    if (ranks.size == 1)
        return ncg_context_create(o->context, out, err);
    return watch(&ranks, o, NCI_CHILD_CLIENT, err);
}

/* ---- standing clusters --------------------------------------------------- */

typedef struct found_file {
    const char *path;
    const uint8_t *cluster;
} found_file;

/* The file may be that of a scheduler that is dead, until the next one of this
 * cluster has begun. */
static void look_again(void *ctx, char addresses[NCI_NET_ADDRESSES])
{
    const found_file *found = ctx;
    nci_scheduler_file now;
    if (!nci_scheduler_file_read(found->path, &now, NULL) &&
        !memcmp(now.cluster, found->cluster, sizeof now.cluster))
        snprintf(addresses, NCI_NET_ADDRESSES, "%s", now.addresses);
}

ncg_status ncg_context_connect(const char *scheduler_file, double timeout,
                               const ncg_context_options *options,
                               ncg_context **out, ncg_error *err)
{
    nci_scheduler_file file;
    ncg_context *ctx = NULL;
    if (!scheduler_file || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    timeout = timeout > 0 ? timeout : 10;
    NCI_TRY(nci_scheduler_file_wait(scheduler_file, timeout, &file, err));
    found_file found = {scheduler_file, file.cluster};
    NCI_TRY(ncg_context_create(options, &ctx, err));
    ncg_status st = follow_tls(ctx, file.tls, file.secret, file.cluster, err);
    if (!st)
        st = nci_link_join(ctx, file.addresses, file.secret, file.cluster,
                           timeout, &(nci_look){look_again, &found}, err);
    if (st) {
        nci_error_wrap(err, "%s", scheduler_file);
        ncg_context_destroy(&ctx);
        return st;
    }
    *out = ctx;
    return NCG_OK;
}

/* A context that asks one question. */
static ncg_status ask(const char *scheduler_file,
                      const ncg_context_options *options, const char *word,
                      const char *argument, char **answer, ncg_error *err)
{
    static const ncg_context_options defaults = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_context_options one = options ? *options : defaults;
    one.threads = 1;
    NCI_TRY(ncg_context_connect(scheduler_file, 1, &one, &ctx, err));
    ncg_status st =
        nci_client_call(ctx->link->client, word, argument, answer, err);
    ncg_context_destroy(&ctx);
    return st;
}

ncg_status ncg_cluster_stop(const char *scheduler_file, ncg_error *err)
{
    return ask(scheduler_file, NULL, "stop", "", NULL, err);
}

ncg_status ncg_cluster_status(const char *scheduler_file, char **text,
                              ncg_error *err)
{
    if (!text)
        return nci_fail(err, NCG_EINVAL, "no place for the text");
    return ask(scheduler_file, NULL, "status", "", text, err);
}

ncg_status ncg_cluster_retire(const char *scheduler_file, const char *worker,
                              ncg_error *err)
{
    if (!worker)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    return ask(scheduler_file, NULL, "retire", worker, NULL, err);
}

ncg_status ncg_cluster_ask(const char *scheduler_file,
                           const ncg_context_options *options,
                           const char *word, const char *argument, char **text,
                           ncg_error *err)
{
    if (!word || !argument || !text)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (options && options->struct_size < sizeof *options)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    return ask(scheduler_file, options, word, argument, text, err);
}

static ncg_status publish(const char *path, const nci_handover *who,
                          const nci_scheduler *scheduler,
                          const nci_http *http, nci_scheduler_file *file,
                          ncg_error *err)
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
                       nci_scheduler *scheduler, nci_http **out,
                       ncg_error *err)
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
    note_of((void *)(uintptr_t)context, sentence);
    return NCG_OK;
}

/* Until somebody says stop, or a signal does. */
static void stand(nci_scheduler *scheduler)
{
    const struct timespec pause = {0, 100000000};
    while (!leave && !nci_scheduler_is_stopped(scheduler))
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
    listen_to_signals();
    NCI_TRY(ncg_context_create(context, &ctx, err));
    nci_plan_host host = nci_link_host(ctx);
    nci_scheduler_options how = {.secret = who->secret,
                                 .cluster = who->cluster,
                                 .epoch = who->epoch,
                                 .interface = o->interface,
                                 .port = o->port,
                                 .wire = ctx->wire,
                                 .note = note_of,
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
                             .restarts = restarts_of(o->restarts)};
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
    const ncg_launch_options *l = o->launch ? o->launch : &launch_defaults;
    NCI_TRY(check_launch(l, err));
    NCI_TRY(nci_handover_take(&who, err));
    if (who.role == NCI_CHILD_SCHEDULER)
        return schedule(o, &who, l->context, err);
    if (who.role == NCI_CHILD_WORKER) {
        nci_work_options how = {.death_timeout = DEATH_TIMEOUT,
                                .interface = o->interface};
        return work(&who, l->context, &how, err);
    }
    nci_ranks_detect(getenv, &ranks);
    if (ranks.size == 1)
        return stand_alone(l, o->scheduler_file, err);
    ncg_status st = watch(&ranks, l, NCI_CHILD_SCHEDULER, err);
    return st == NCG_WORKER_DONE ? NCG_OK : st;
}

/* ---- workers that come later --------------------------------------------- */

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
    NCI_TRY(nci_start_worker(&who, restarts_of(o->restarts), &code, err));
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
    double timeout = o->death_timeout > 0 ? o->death_timeout : DEATH_TIMEOUT;
    NCI_TRY(nci_handover_take(&who, err));
    if (who.role != NCI_CHILD_WORKER)
        return start_one(o, timeout, err);
    nci_work_options how = {.name = o->name,
                            .scheduler_file = o->scheduler_file,
                            .interface = o->interface,
                            .checkpoint_directory = o->checkpoint_directory,
                            .death_timeout = timeout,
                            .lifetime = seconds_until(who.end)};
    return work(&who, o->context, &how, err);
}
