/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays published on a cluster: expressions as bytes under a name, with a note
 * of the program's own. Those that are persisted there are read from where they
 * lie, by any client.
 */
#include <string.h>

#include "api/arrays.h"
#include "api/link.h"
#include "api/ship.h"
#include "base/mem.h"
#include "engine/cluster/client_kept.h"
#include "graph/pass_replace.h"

static ncg_status client_of(ncg_context *ctx, const char *name,
                            nci_client **out, ncg_error *err)
{
    if (!ctx || !name)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    return nci_link_client(ctx, out, err);
}

/* ---- giving -------------------------------------------------------------- */

static ncg_status write_nodes(ncg_context *ctx, nci_node *const *nodes,
                              size_t n, ncg_bytes note, nci_pack *out,
                              ncg_error *err)
{
    char *bytes = NULL;
    size_t nbytes = 0;
    nci_gathering g = {.ship = nci_ship_of(ctx)};
    const nci_codec_hooks hooks = nci_gathering_hooks(&g);
    ncg_status st = nci_encode_nodes(nodes, n, &hooks, &bytes, &nbytes, err);
    if (!st) {
        /* low, high */
        nci_pack_i64s(out, (const int64_t *)g.sets, (int64_t)g.nsets * 2);
        nci_pack_bytes(out, note.data, note.size);
        nci_pack_bytes(out, bytes, nbytes);
        if (out->text.failed)
            st = nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    nci_free(bytes);
    nci_free(g.sets);
    return st;
}

static ncg_status publish(ncg_context *ctx, nci_client *client,
                          const char *name, nci_node *const *nodes, size_t n,
                          ncg_bytes note, bool replaces, ncg_error *err)
{
    nci_pack pack = {0};
    ncg_status st = write_nodes(ctx, nodes, n, note, &pack, err);
    ncg_bytes data = {pack.text.data, pack.text.length};
    if (!st)
        st = nci_client_publish(client, name, data, replaces, err);
    nci_text_fini(&pack.text);
    return st;
}

/* What is persisted takes the place of what it was computed from. */
static ncg_status find_nodes(ncg_context *ctx, ncg_array *const *arrays,
                             size_t n, nci_node **nodes, ncg_error *err)
{
    for (size_t i = 0; i < n; i++) {
        NCI_TRY(nci_array_check(arrays[i], err));
        if (arrays[i]->ctx != ctx)
            return nci_fail(err, NCG_EINVAL, "array %zu is of another context",
                            i);
        NCI_TRY(nci_pass_replace(arrays[i]->node, nci_context_find_held, ctx,
                                 &nodes[i], err));
    }
    return NCG_OK;
}

ncg_status ncg_publish(ncg_context *ctx, const char *name,
                       ncg_array *const *arrays, size_t n, ncg_bytes note,
                       bool replace, ncg_error *err)
{
    nci_client *client = NULL;
    NCI_TRY(client_of(ctx, name, &client, err));
    if ((n && !arrays) || (note.size && !note.data))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    nci_node **nodes = nci_calloc(n + 1, sizeof *nodes);
    if (!nodes)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = find_nodes(ctx, arrays, n, nodes, err);
    if (!st)
        st = publish(ctx, client, name, nodes, n, note, replace, err);
    for (size_t i = 0; i < n; i++)
        nci_node_release(&nodes[i]);
    nci_free(nodes);
    return st;
}

/* ---- getting ------------------------------------------------------------- */

void ncg_published_free(ncg_published *p)
{
    for (size_t i = 0; p && p->arrays && i < p->narrays; i++)
        ncg_array_release(&p->arrays[i]);
    if (!p)
        return;
    nci_free(p->arrays);
    nci_free(p->note);
    *p = (ncg_published){0};
}

static ncg_status take_note(nci_unpack *in, ncg_published *out, ncg_error *err)
{
    const void *note = nci_unpack_bytes(in, &out->note_size);
    NCI_TRY(nci_unpack_status(in, err));
    out->note = nci_alloc(out->note_size + 1);
    if (!out->note)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (out->note_size)
        memcpy(out->note, note, out->note_size);
    return NCG_OK;
}

static ncg_status take_arrays(ncg_context *ctx, nci_unpack *in,
                              ncg_published *out, ncg_error *err)
{
    nci_ship ship = nci_ship_of(ctx);
    nci_codec_hooks hooks = nci_ship_hooks(&ship);
    nci_node **nodes = NULL;
    size_t n = 0, nbytes = 0;
    const char *bytes = nci_unpack_bytes(in, &nbytes);
    NCI_TRY(nci_unpack_status(in, err));
    NCI_TRY(nci_decode_nodes(bytes, nbytes, &hooks, &nodes, &n, err));
    out->arrays = nci_calloc(n + 1, sizeof *out->arrays);
    ncg_status st = out->arrays ? NCG_OK
                                : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!st)
            st = nci_array_wrap(ctx, nodes[i], &out->arrays[i], err);
        if (st)
            nci_node_release(&nodes[i]);
        out->narrays += !st;
    }
    nci_free(nodes);
    return st;
}

static ncg_status read_published(ncg_context *ctx, nci_client *client,
                                 const char *data, size_t ndata,
                                 ncg_published *out, ncg_error *err)
{
    int64_t n = 0;
    nci_unpack in = {.data = data, .size = ndata};
    int64_t *numbers = nci_unpack_i64s(&in, &n);
    ncg_status st = nci_unpack_status(&in, err);
    if (!st)
        st = take_note(&in, out, err);
    if (!st)
        st = take_arrays(ctx, &in, out, err);
    for (int64_t i = 0; numbers && i + 1 < n; i += 2)
        nci_client_unhold(client,
                          (nci_token){.low = (uint64_t)numbers[i],
                                      .high = (uint64_t)numbers[i + 1]});
    nci_free(numbers);
    return st;
}

ncg_status ncg_published_get(ncg_context *ctx, const char *name,
                             ncg_published *out, ncg_error *err)
{
    nci_client *client = NULL;
    void *data = NULL;
    size_t ndata = 0;
    NCI_TRY(client_of(ctx, name, &client, err));
    if (!out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    ncg_published made = {0};
    NCI_TRY(nci_client_published(client, name, &data, &ndata, err));
    ncg_status st = read_published(ctx, client, data, ndata, &made, err);
    nci_free(data);
    if (st)
        ncg_published_free(&made);
    else
        *out = made;
    return st;
}

ncg_status ncg_unpublish(ncg_context *ctx, const char *name, ncg_error *err)
{
    nci_client *client = NULL;
    NCI_TRY(client_of(ctx, name, &client, err));
    return nci_client_unpublish(client, name, err);
}

/* ---- names --------------------------------------------------------------- */

void ncg_published_names_free(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        nci_free(names[i]);
    nci_free(names);
}

static ncg_status split(const char *text, size_t nbytes, char ***out, size_t *n,
                        ncg_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < nbytes; i++)
        count += !text[i];
    char **names = nci_calloc(count + 1, sizeof *names);
    bool has_room = names != NULL;
    const char *at = text;
    for (size_t i = 0; has_room && i < count; i++) {
        names[i] = nci_strdup(at);
        has_room = names[i] != NULL;
        at += strlen(at) + 1;
    }
    if (!has_room) {
        ncg_published_names_free(names);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *out = names;
    *n = count;
    return NCG_OK;
}

ncg_status ncg_published_names(ncg_context *ctx, char ***out, size_t *n,
                               ncg_error *err)
{
    nci_client *client = NULL;
    char *text = NULL;
    size_t nbytes = 0;
    NCI_TRY(client_of(ctx, "", &client, err));
    if (!out || !n)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_client_names(client, &text, &nbytes, err));
    ncg_status st = split(text, nbytes, out, n, err);
    nci_free(text);
    return st;
}
