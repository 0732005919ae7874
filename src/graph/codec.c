/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of expressions as bytes: each node once, inputs before their users. */
#include "graph/codec.h"

#include <string.h>

#include "base/mem.h"
#include "graph/codec_node.h"

static const char magic[] = "ncgraph.nodes/1";

ncg_status nci_encode_nodes(nci_node *const *roots, size_t n,
                            const nci_codec_hooks *hooks, char **bytes,
                            size_t *nbytes, ncg_error *err)
{
    nci_collection all = {0};
    nci_pack pack = {{0}};
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < n; i++)
        st = nci_collect(&all, roots[i], err);
    nci_pack_text(&pack, magic);
    nci_pack_i64(&pack, (int64_t)all.count);
    for (size_t i = 0; !st && i < all.count; i++)
        st = nci_encode_node(all.nodes[i], &all, hooks, &pack, err);
    nci_pack_i64(&pack, (int64_t)n);
    for (size_t i = 0; !st && i < n; i++)
        nci_pack_i64(&pack, nci_collect_find(&all, roots[i]->token));
    nci_collect_fini(&all);
    size_t length = pack.text.length;
    char *taken = st ? NULL : nci_text_take(&pack.text);
    nci_text_fini(&pack.text);
    if (st)
        return st;
    if (!taken)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *bytes = taken;
    *nbytes = length;
    return NCG_OK;
}

static ncg_status decode_all(nci_unpack *in, const nci_codec_hooks *hooks,
                             nci_node **made, int64_t n, int64_t *nmade,
                             ncg_error *err)
{
    for (; *nmade < n; ++*nmade)
        NCI_TRY(nci_decode_node(in, made, *nmade, hooks, &made[*nmade], err));
    return NCG_OK;
}

static ncg_status take_roots(nci_unpack *in, nci_node *const *made, int64_t n,
                             nci_node ***roots, size_t *nroots, ncg_error *err)
{
    int64_t count = nci_unpack_i64(in, 0, NCI_NODES_MANY);
    NCI_TRY(nci_unpack_status(in, err));
    if ((size_t)count > in->size - in->at)
        return nci_unpack_damaged(in, err);
    nci_node **list = nci_calloc((size_t)count + 1, sizeof *list);
    if (!list)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++) {
        int64_t at = nci_unpack_i64(in, 0, n - 1);
        list[i] = in->failed ? NULL : made[at];
    }
    if (in->at != in->size)
        in->failed = true;
    ncg_status st = nci_unpack_status(in, err);
    if (st) {
        nci_free(list);
        return st;
    }
    for (int64_t i = 0; i < count; i++)
        nci_node_retain(list[i]);
    *roots = list;
    *nroots = (size_t)count;
    return NCG_OK;
}

ncg_status nci_decode_nodes(const char *bytes, size_t nbytes,
                            const nci_codec_hooks *hooks, nci_node ***roots,
                            size_t *n, ncg_error *err)
{
    nci_unpack in = {.data = bytes, .size = nbytes};
    const char *word = nci_unpack_text(&in);
    if (in.starved)
        return nci_unpack_status(&in, err);
    if (!word || strcmp(word, magic))
        return nci_fail(err, NCG_ECORRUPT,
                        "these bytes are no graph of this version");
    int64_t count = nci_unpack_i64(&in, 0, NCI_NODES_MANY), nmade = 0;
    NCI_TRY(nci_unpack_status(&in, err));
    if ((size_t)count > in.size)
        return nci_unpack_damaged(&in, err);
    nci_node **made = nci_calloc((size_t)count + 1, sizeof *made);
    if (!made)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = decode_all(&in, hooks, made, count, &nmade, err);
    if (!st)
        st = take_roots(&in, made, nmade, roots, n, err);
    for (int64_t i = 0; i < nmade; i++)
        nci_node_release(&made[i]);
    nci_free(made);
    return st;
}
