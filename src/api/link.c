/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/link.h"

#include <stdatomic.h>
#include <string.h>

#include "api/ship.h"
#include "base/mem.h"
#include "engine/cluster/client_kept.h"
#include "graph/codec_output.h"

/* ---- plans of others ----------------------------------------------------- */

/* Each plan has its own table of sources, so that they go with it. */
static ncg_status open_plan(void *arg, const char *bytes, size_t nbytes,
                            nci_hosted *out, ncg_error *err)
{
    ncg_context *ctx = arg;
    nci_hosted hosted = {0};
    NCI_TRY(nci_source_table_create(&hosted.sources, err));
    nci_ship ship = {ctx->io, hosted.sources, &ctx->lock};
    nci_codec_hooks hooks = nci_ship_hooks(&ship);
    ncg_status st = nci_decode_plan(bytes, nbytes, &hooks, &hosted.plan, err);
    if (st)
        nci_source_table_free(&hosted.sources);
    else
        *out = hosted;
    return st;
}

static void close_plan(void *arg, nci_hosted *hosted)
{
    (void)arg;
    nci_plan_free(&hosted->plan);
    nci_source_table_free(&hosted->sources);
}

typedef struct selection {
    int output;
    const int64_t *chunks;
    int64_t nchunks;
    const nci_codec_hooks *hooks;
    char **bytes;
    size_t *nbytes;
    nci_token *hash;
} selection;

static ncg_status select_from(void *arg, nci_output *outputs, int noutputs,
                              ncg_error *err)
{
    const selection *s = arg;
    nci_plan *plan = NULL;
    if (s->output < 0 || s->output >= noutputs)
        return nci_fail(err, NCG_EBUG, "output %d is unknown", s->output);
    nci_output one = outputs[s->output];
    one.list = s->chunks;
    one.nlist = s->nchunks;
    NCI_TRY(nci_lower(&one, 1, &plan, err));
    *s->hash = nci_plan_hash(plan);
    nci_plan_free(&plan);
    return nci_encode_outputs(&one, 1, NULL, NULL, s->hooks, s->bytes,
                              s->nbytes, err);
}

static ncg_status select_chunks(void *arg, const char *bytes, size_t nbytes,
                                int output, const int64_t *chunks,
                                int64_t nchunks, char **out, size_t *nout,
                                nci_token *hash, ncg_error *err)
{
    ncg_context *ctx = arg;
    nci_source_table *sources = NULL;
    NCI_TRY(nci_source_table_create(&sources, err));
    nci_ship ship = {ctx->io, sources, &ctx->lock};
    nci_codec_hooks hooks = nci_ship_hooks(&ship);
    selection s = {output, chunks, nchunks, &hooks, out, nout, hash};
    ncg_status st =
        nci_decode_outputs(bytes, nbytes, &hooks, select_from, &s, err);
    nci_source_table_free(&sources);
    return st;
}

static void get_reads(void *arg, nci_io_stats *out)
{
    const ncg_context *ctx = arg;
    nci_io_get_stats(ctx->io, out);
}

static void count_reads(void *arg, const nci_io_stats *more)
{
    const ncg_context *ctx = arg;
    nci_io_count(ctx->io, more);
}

nci_plan_host nci_link_host(ncg_context *ctx)
{
    return (nci_plan_host){.ctx = ctx,
                           .open = open_plan,
                           .close = close_plan,
                           .select = select_chunks,
                           .reads = get_reads,
                           .kernels = nci_executor_kernels(ctx->executor)};
}

/* ---- life ---------------------------------------------------------------- */

static void note(void *ctx, const char *sentence)
{
    nci_context_note_text(sentence, ctx);
}

static bool is_canceled(void *arg)
{
    ncg_context *ctx = arg;
    pthread_mutex_lock(&ctx->lock);
    bool ends = ctx->ends && atomic_load(ctx->ends);
    pthread_mutex_unlock(&ctx->lock);
    return ends || atomic_load(&ctx->cancel);
}

static ncg_status make_link(ncg_context *ctx, ncg_error *err)
{
    ctx->link = nci_calloc(1, sizeof *ctx->link);
    if (!ctx->link)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ctx->link->host = nci_link_host(ctx);
    return NCG_OK;
}

static ncg_status connect_client(ncg_context *ctx, const char *addresses,
                                 const uint8_t *secret, const uint8_t *cluster,
                                 double timeout, const nci_look *look,
                                 ncg_error *err)
{
    nci_client_options how = {.addresses = addresses,
                              .secret = secret,
                              .cluster = cluster,
                              .timeout = timeout,
                              .wire = ctx->wire,
                              .memory = ctx->options.memory_limit,
                              .note = note,
                              .note_ctx = ctx,
                              .is_canceled = is_canceled,
                              .cancel_ctx = ctx,
                              .look = look ? look->look : NULL,
                              .look_ctx = look ? look->ctx : NULL};
    NCI_TRY(nci_client_connect(&how, &ctx->link->client, err));
    const nci_source_holder holder = nci_client_holder(ctx->link->client);
    nci_source_table_set_holder(ctx->sources, &holder);
    return NCG_OK;
}

ncg_status nci_link_join(ncg_context *ctx, const char *addresses,
                         const uint8_t *secret, const uint8_t *cluster,
                         double timeout, const nci_look *look, ncg_error *err)
{
    NCI_TRY(make_link(ctx, err));
    ncg_status st =
        connect_client(ctx, addresses, secret, cluster, timeout, look, err);
    if (st)
        nci_link_drop(ctx);
    return st;
}

ncg_status nci_link_found(ncg_context *ctx, const nci_handover *who,
                          const char *interface, ncg_error *err)
{
    nci_scheduler_options how = {.secret = who->secret,
                                 .cluster = who->cluster,
                                 .epoch = who->epoch,
                                 .interface = interface,
                                 .wire = ctx->wire,
                                 .note = NULL};
    NCI_TRY(make_link(ctx, err));
    nci_link *link = ctx->link;
    ncg_status st =
        nci_scheduler_create(&how, &link->host, &link->scheduler, err);
    if (!st)
        st = connect_client(ctx, nci_scheduler_addresses(link->scheduler),
                            who->secret, who->cluster, 10, NULL, err);
    if (st)
        nci_link_drop(ctx);
    return st;
}

void nci_link_drop(ncg_context *ctx)
{
    nci_link *link = ctx->link;
    ctx->link = NULL;
    if (!link)
        return;
    nci_source_table_set_holder(ctx->sources, NULL);
    nci_client_close(&link->client);
    nci_scheduler_destroy(&link->scheduler);
    nci_free(link);
}

ncg_status nci_link_client(ncg_context *ctx, nci_client **out, ncg_error *err)
{
    NCI_TRY(nci_handle_check(&ctx->handle, NCI_HANDLE_CONTEXT, err));
    if (!ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context is destroyed");
    if (!ctx->link)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "this context is not linked to a cluster: use "
                        "ncg_context_connect or ncg_launch");
    *out = ctx->link->client;
    return NCG_OK;
}

/* ---- runs ---------------------------------------------------------------- */

ncg_status nci_link_pack(ncg_context *ctx, const nci_output *outputs,
                         int noutputs, nci_replace_fn replace,
                         nci_shipment *out, ncg_error *err)
{
    ncg_error why;
    nci_gathering g = {.ship = nci_ship_of(ctx)};
    nci_codec_hooks hooks = nci_gathering_hooks(&g);
    nci_error_clear(&why);
    ncg_status st = nci_encode_outputs(outputs, noutputs, replace, ctx, &hooks,
                                       &out->bytes, &out->nbytes, &why);
    if (st) {
        nci_free(g.sets);
    } else {
        out->needs = g.sets;
        out->nneeds = g.nsets;
    }
    if (st == NCG_EUNSUPPORTED) {
        nci_context_note(ctx, "computed in this process, not on the cluster: "
                              "%s",
                         why.message);
        return NCG_OK;
    }
    if (st && err)
        *err = why;
    return st;
}

void nci_shipment_fini(nci_shipment *shipment)
{
    nci_free(shipment->bytes);
    nci_free(shipment->needs);
    *shipment = (nci_shipment){0};
}

/* How workers encode what they store; NULL where they cannot. */
static ncg_status forms_of(const nci_plan *plan, const nci_sink *sink,
                           nci_encoding **out, ncg_error *err)
{
    if (!sink->form || !plan->noutputs)
        return NCG_OK;
    nci_encoding *forms =
        nci_calloc((size_t)plan->noutputs, sizeof *forms);
    if (!forms)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = NCG_OK;
    for (int i = 0; !st && i < plan->noutputs; i++)
        st = sink->form(sink->ctx, i, &forms[i], err);
    if (st)
        nci_free(forms);
    else
        *out = forms;
    return st;
}

/* All that is computed stays there, and the program does not want to wait. */
static bool is_early(const ncg_context *ctx, const nci_plan *plan,
                     const nci_sink *sink)
{
    const nci_token none = {0};
    bool keeps_all = ctx->options.persist_early && sink->sets;
    for (int i = 0; i < plan->noutputs; i++)
        keeps_all = keeps_all && !nci_token_equal(sink->sets[i], none);
    return keeps_all;
}

ncg_status nci_link_run(ncg_context *ctx, const nci_plan *plan,
                        const nci_shipment *shipment, const nci_sink *sink,
                        const _Atomic bool *cancel, nci_report_fn report,
                        void *report_ctx, nci_run_stats *stats, ncg_error *err)
{
    nci_encoding *forms = NULL;
    NCI_TRY(forms_of(plan, sink, &forms, err));
    nci_client_job job = {.bytes = shipment->bytes,
                          .nbytes = shipment->nbytes,
                          .plan = plan,
                          .forms = forms,
                          .keeps = sink->sets,
                          .needs = shipment->needs,
                          .nneeds = shipment->nneeds,
                          .sources = ctx->sources,
                          .reads = count_reads,
                          .reads_ctx = ctx};
    ncg_status st =
        is_early(ctx, plan, sink)
            ? nci_client_begin(ctx->link->client, &job, sink->retries, err)
            : nci_client_run(ctx->link->client, &job, sink, cancel, report,
                             report_ctx, stats, err);
    if (sink->sets)
        *sink->stays = true;
    nci_free(forms);
    return st;
}
