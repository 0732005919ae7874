/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients of a standing cluster, which they find by its scheduler file. */
#include <stdio.h>
#include <string.h>

#include "api/link.h"
#include "engine/launch/scheduler_file.h"
#include "engine/net/tls.h"

ncg_status nci_link_follow_tls(ncg_context *ctx, const char *print,
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
    ncg_status st =
        nci_link_follow_tls(ctx, file.tls, file.secret, file.cluster, err);
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

/* ---- one question */

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
                           const ncg_context_options *options, const char *word,
                           const char *argument, char **text, ncg_error *err)
{
    if (!word || !argument || !text)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (options && options->struct_size < sizeof *options)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    return ask(scheduler_file, options, word, argument, text, err);
}
