/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "api/link.h"
#include "api/submit.h"
#include "api/turn.h"
#include "base/mem.h"
#include "engine/launch/machine.h"
#include "io/write/writer.h"

const char *ncg_version(void)
{
    return NCG_VERSION_STRING;
}

void ncg_free(void *text)
{
    nci_free(text);
}

/* ---- create, destroy
 * ---------------------------------------------------------- */

static ncg_status start_engine(ncg_context *ctx, ncg_error *err)
{
    nci_io_options io = {ctx->options.no_checksum, ctx->options.force_library};
    nci_executor_options executor = {ctx->options.threads,
                                     ctx->options.memory_limit,
                                     ctx->options.spill_directory,
                                     ctx->wire.compression};
    NCI_TRY(nci_io_create(&io, &ctx->io, err));
    NCI_TRY(nci_source_table_create(&ctx->sources, err));
    ctx->options.spill_directory = NULL; /* the executor has a copy */
    NCI_TRY(nci_executor_create(&executor, &ctx->executor, err));
    ctx->crew = nci_executor_crew(ctx->executor);
    return nci_context_common_kernels(ctx, err);
}

static ncg_status check_wire(const ncg_wire_options *wire, ncg_error *err)
{
    if (wire->struct_size < sizeof *wire)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    if ((unsigned)wire->compression > NCG_WIRE_ZSTD ||
        (unsigned)wire->checksum > NCG_CHECKSUM_OFF)
        return nci_fail(err, NCG_EINVAL,
                        "unknown compression or checksum of the wire");
    return NCG_OK;
}

/* The caller's may be gone soon. */
static ncg_status copy_wire(ncg_context *ctx, ncg_error *err)
{
    const ncg_wire_options *from = ctx->options.wire;
    ncg_wire_options *to = &ctx->wire;
    ctx->options.wire = NULL;
    if (!from)
        return NCG_OK;
    *to = *from;
    to->tls = from->tls || from->tls_ca_file || from->tls_cert || from->tls_key;
    to->tls_ca_file = from->tls_ca_file ? nci_strdup(from->tls_ca_file) : NULL;
    to->tls_cert = from->tls_cert ? nci_strdup(from->tls_cert) : NULL;
    to->tls_key = from->tls_key ? nci_strdup(from->tls_key) : NULL;
    bool has_all = !to->tls_ca_file == !from->tls_ca_file &&
                   !to->tls_cert == !from->tls_cert &&
                   !to->tls_key == !from->tls_key;
    return has_all ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

static void free_wire(ncg_context *ctx)
{
    nci_free((char *)ctx->wire.tls_ca_file);
    nci_free((char *)ctx->wire.tls_cert);
    nci_free((char *)ctx->wire.tls_key);
}

ncg_status ncg_context_create(const ncg_context_options *options,
                              ncg_context **out, ncg_error *err)
{
    static const ncg_context_options defaults = NCG_CONTEXT_OPTIONS_INIT;
    if (!out)
        return nci_fail(err, NCG_EINVAL, "no place for the context");
    if (options && options->struct_size < sizeof *options)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    if (options && (options->threads < 0 || options->memory_limit < 0))
        return nci_fail(err, NCG_EINVAL, "negative threads or memory limit");
    if (options && options->wire)
        NCI_TRY(check_wire(options->wire, err));
    ncg_context *ctx = nci_calloc(1, sizeof *ctx);
    if (!ctx)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_handle_init(&ctx->handle, NCI_HANDLE_CONTEXT);
    atomic_init(&ctx->refs, 1);
    ctx->options = options ? *options : defaults;
    if (!ctx->options.threads)
        ctx->options.threads = nci_machine_threads();
    if (!ctx->options.memory_limit)
        ctx->options.memory_limit = nci_machine_memory() / 10 * 6;
    pthread_mutex_init(&ctx->run, NULL);
    pthread_mutex_init(&ctx->lock, NULL);
    ncg_status st = copy_wire(ctx, err);
    if (!st)
        st = start_engine(ctx, err);
    if (st) {
        ncg_context_destroy(&ctx);
        return st;
    }
    *out = ctx;
    return NCG_OK;
}

ncg_context *nci_context_retain(ncg_context *ctx)
{
    atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    return ctx;
}

void nci_context_release(ncg_context **slot)
{
    ncg_context *ctx = *slot;
    *slot = NULL;
    if (!ctx ||
        atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
        return;
    nci_queue_free(&ctx->queue);
    nci_source_table_free(&ctx->sources);
    nci_io_destroy(&ctx->io);
    free_wire(ctx);
    pthread_mutex_destroy(&ctx->run);
    pthread_mutex_destroy(&ctx->lock);
    nci_handle_free(&ctx->handle);
}

void ncg_context_destroy(ncg_context **slot)
{
    if (!slot || !*slot)
        return;
    nci_handle_assert(&(*slot)->handle, NCI_HANDLE_CONTEXT, __func__);
    NCI_ASSERT(!nci_turn_is_inside(*slot));
    nci_queue_stop(*slot);
    pthread_mutex_lock(&(*slot)->run);
    nci_link_drop(*slot);
    nci_executor_destroy(&(*slot)->executor);
    pthread_mutex_unlock(&(*slot)->run);
    nci_context_release(slot);
}

void ncg_context_cancel(ncg_context *ctx)
{
    if (ctx)
        atomic_store(&ctx->cancel, true);
}

void ncg_remove_unfinished(void)
{
    nci_writer_remove_temporaries();
}

/* ---- notes, statistics
 * --------------------------------------------------------- */

void nci_context_note_text(const char *note, void *payload)
{
    ncg_context *ctx = payload;
    if (!ctx->options.note)
        return;
    pthread_mutex_lock(&ctx->lock);
    ctx->options.note(note, ctx->options.note_payload);
    pthread_mutex_unlock(&ctx->lock);
}

void nci_context_note(void *ctx, const char *format, ...)
{
    char text[500];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    nci_context_note_text(text, ctx);
}

void ncg_context_stats(const ncg_context *ctx, ncg_stats *out)
{
    nci_io_stats io;
    if (!ctx || !out)
        return;
    nci_handle_assert(&ctx->handle, NCI_HANDLE_CONTEXT, __func__);
    nci_io_get_stats(ctx->io, &io);
    pthread_mutex_lock((pthread_mutex_t *)&ctx->lock);
    ncg_stats now = ctx->stats;
    pthread_mutex_unlock((pthread_mutex_t *)&ctx->lock);
    now.headers_direct = io.headers_direct;
    now.headers_library = io.headers_library;
    now.headers_by_workers = io.headers_adopted;
    now.chunks_direct = io.chunks_direct;
    now.chunks_library = io.chunks_library;
    now.bytes_disk = io.bytes_disk;
    now.bytes_decoded = io.bytes_decoded;
    now.memory_held = nci_source_table_held(ctx->sources);
    now.held_on_disk = nci_source_table_on_disk(ctx->sources);
    now.memory_managed = now.memory_held;
    if (ctx->executor)
        now.memory_managed += nci_executor_managed(ctx->executor);
    now.struct_size = out->struct_size;
    memcpy(out, &now,
           now.struct_size < sizeof now ? now.struct_size : sizeof now);
}
