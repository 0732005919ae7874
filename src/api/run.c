/* SPDX-License-Identifier: BSD-3-Clause */
/* The one way from arrays to values: lower, run, count, report progress. */
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "api/graph.h"
#include "api/link.h"
#include "api/turn.h"
#include "base/mem.h"
#include "engine/fills.h"
#include "engine/serial.h"
#include "graph/plan.h"

typedef struct run_progress {
    ncg_context *ctx;
    ncg_progress now;
    nci_run_control *control; /* NULL: nobody submitted this run */
    ncg_progress_fn tell;     /* NULL: nobody listens */
    void *payload;
    int64_t bytes_before;
    struct timespec start;
} run_progress;

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) +
           1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

/* Of a submitted run the context's cancel is its own, too. */
static bool is_canceled(ncg_context *ctx, nci_run_control *control)
{
    if (!control)
        return atomic_load(&ctx->cancel);
    if (atomic_load(&ctx->cancel))
        atomic_store(&control->cancel, true);
    return atomic_load(&control->cancel);
}

static void report(void *payload, int64_t tasks_done, int64_t managed)
{
    run_progress *p = payload;
    nci_io_stats io;
    is_canceled(p->ctx, p->control);
    if (!p->tell)
        return;
    nci_io_get_stats(p->ctx->io, &io);
    p->now.tasks_done = tasks_done;
    p->now.bytes_done = io.bytes_decoded - p->bytes_before;
    p->now.seconds = seconds_since(&p->start);
    p->now.memory = managed;
    p->tell(&p->now, p->payload);
}

static void start_progress(run_progress *p, ncg_context *ctx,
                           nci_run_control *control, const nci_plan *plan)
{
    nci_io_stats io;
    ncg_plan_info info = {.struct_size = sizeof info};
    clock_gettime(CLOCK_MONOTONIC, &p->start);
    p->ctx = ctx;
    p->control = control;
    p->tell = ctx->options.progress;
    p->payload = ctx->options.progress_payload;
    if (control && control->progress) {
        p->tell = control->progress;
        p->payload = control->progress_payload;
    }
    if (!p->tell)
        return;
    nci_io_get_stats(ctx->io, &io);
    p->bytes_before = io.bytes_decoded;
    p->now.tasks_total = plan->ntasks;
    if (nci_measure_reads(ctx, plan, &info, NULL) == NCG_OK)
        p->now.bytes_total = info.bytes_decoded;
}

static void count_run(ncg_context *ctx, const nci_run_stats *run)
{
    pthread_mutex_lock(&ctx->lock);
    ctx->stats.tasks += run->tasks;
    ctx->stats.seconds += run->seconds;
    ctx->stats.bytes_kept += run->kept;
    ctx->stats.bytes_spilled += run->spilled;
    ctx->stats.bytes_fetched += run->fetched;
    ctx->stats.bytes_moved += run->moved;
    ctx->stats.tasks_recomputed += run->recomputed;
    ctx->stats.default_fills += run->default_fills;
    if (run->peak > ctx->stats.peak_memory)
        ctx->stats.peak_memory = run->peak;
    pthread_mutex_unlock(&ctx->lock);
}

/* "1,234,567" */
static void group_digits(int64_t n, char text[40])
{
    char plain[24];
    int length = snprintf(plain, sizeof plain, "%lld", (long long)n), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = plain[i];
    }
    text[at] = '\0';
}

/* Each variable once: who listens may not want to go on, and cancels. */
static void tell_fills(ncg_context *ctx, const nci_plan *plan)
{
    for (int i = 0; i < plan->nlayers; i++) {
        const char *name;
        char count[40];
        int64_t n = nci_fills_untold(&plan->layers[i], ctx->sources, &name);
        group_digits(n, count);
        if (n)
            nci_context_note(ctx,
                             "%s: %s value%s NetCDF's default fill and %s "
                             "taken as missing; --no-default-fill keeps %s",
                             name, count, n == 1 ? " equals" : "s equal",
                             n == 1 ? "was" : "were", n == 1 ? "it" : "them");
    }
}

static ncg_status run_plan(ncg_context *ctx, const nci_plan *plan,
                           const nci_shipment *shipment, const nci_sink *sink,
                           nci_run_control *control, bool is_serial,
                           ncg_error *err)
{
    run_progress progress = {0};
    nci_run_stats run = {.failed = -1};
    start_progress(&progress, ctx, control, plan);
    const _Atomic bool *cancel = control ? &control->cancel : &ctx->cancel;
    nci_report_fn tell = control || progress.tell ? report : NULL;
    ncg_status st =
        shipment->bytes
            ? nci_link_run(ctx, plan, shipment, sink, cancel, tell, &progress,
                           &run, err)
            : (is_serial ? nci_serial_run : nci_executor_run)(
                  ctx->executor, plan, ctx->sources, sink, cancel, tell,
                  &progress, &run, err);
    count_run(ctx, &run);
    if (!st && run.default_fills)
        tell_fills(ctx, plan);
    if (!st && is_canceled(ctx, control))
        st = nci_fail(err, NCG_ECANCELED, "canceled");
    if (!st && progress.tell)
        report(&progress, run.tasks, 0);
    if (st && st != NCG_ECANCELED && run.failed >= 0 && sink->is_plain)
        nci_failed_tell(plan, run.failed, err);
    if (control)
        control->failed = st ? run.failed : -1;
    return st;
}

static void set_ends(ncg_context *ctx, const _Atomic bool *ends)
{
    pthread_mutex_lock(&ctx->lock);
    ctx->ends = ends;
    pthread_mutex_unlock(&ctx->lock);
}

ncg_status nci_context_run_plan(ncg_context *ctx, const nci_plan *plan,
                                const nci_shipment *shipment,
                                const nci_sink *sink, nci_run_control *control,
                                bool is_serial, ncg_error *err)
{
    nci_turn turn;
    NCI_TRY(nci_turn_begin(ctx, &turn, err));
    set_ends(ctx, control ? &control->cancel : NULL);
    ncg_status st =
        ctx->executor ? run_plan(ctx, plan, shipment, sink, control,
                                 is_serial, err)
                      : nci_fail(err, NCG_EINVAL, "the context was destroyed");
    if (!st && sink->settle)
        st = sink->settle(sink->ctx, err);
    set_ends(ctx, NULL);
    if (st == NCG_ECANCELED)
        atomic_store(&ctx->cancel, false); /* it was for this run */
    nci_turn_end(&turn);
    return st;
}

ncg_status nci_context_run(ncg_context *ctx, const nci_output *outputs,
                           int noutputs, const nci_sink *sink, ncg_error *err)
{
    nci_plan *plan = NULL;
    nci_shipment shipment = {0};
    NCI_TRY(nci_context_lower(ctx, outputs, noutputs, &plan, &shipment, err));
    ncg_status st = nci_context_run_plan(ctx, plan, &shipment, sink,
                                         nci_control_get(), false, err);
    nci_shipment_fini(&shipment);
    nci_plan_free(&plan);
    return st;
}
