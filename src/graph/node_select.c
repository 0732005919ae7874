/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes that select positions of their input. */
#include <string.h>

#include "base/mem.h"
#include "graph/node_internal.h"

static int64_t pick_at(const nci_pick *pick, int64_t i)
{
    return pick->index ? pick->index[i] : pick->start + i * pick->step;
}

static ncg_status check_pick(const nci_pick *pick, int axis, int64_t size,
                             ncg_error *err)
{
    if (pick->count < 0)
        return nci_fail(err, NCG_EINVAL, "%lld positions of axis %d",
                        (long long)pick->count, axis);
    if (pick->count == 0)
        return NCG_OK;
    int64_t first = pick_at(pick, 0), last = pick_at(pick, pick->count - 1);
    bool outside = first < 0 || first >= size || last < 0 || last >= size;
    for (int64_t i = 0; pick->index && i < pick->count && !outside; i++)
        outside = pick->index[i] < 0 || pick->index[i] >= size;
    if (outside)
        return nci_fail(err, NCG_EINVAL,
                        "position outside axis %d of size %lld", axis,
                        (long long)size);
    return NCG_OK;
}

static ncg_status copy_pick(const nci_pick *from, nci_pick *to, ncg_error *err)
{
    *to = *from;
    to->index = NULL;
    if (!from->index)
        return NCG_OK;
    size_t nbytes = (size_t)from->count * sizeof *from->index;
    int64_t *index = nci_alloc(nbytes);
    if (!index)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(index, from->index, nbytes);
    to->index = index;
    return NCG_OK;
}

/* Few values of a constant are selected at once. */
enum { FEW_BYTES = 1 << 16 };

static bool is_few(const nci_node *input, const nci_pick *picks)
{
    int64_t n = (int64_t)ncg_dtype_size(input->dtype);
    for (int d = 0; d < input->rank && n <= FEW_BYTES; d++)
        n *= picks[d].count;
    return n <= FEW_BYTES;
}

static ncg_status select_const(const nci_node *input, const nci_pick *picks,
                               nci_node **out, ncg_error *err)
{
    size_t size = ncg_dtype_size(input->dtype);
    int64_t n = 1, shape[NCG_MAX_RANK], at[NCG_MAX_RANK] = {0};
    for (int d = 0; d < input->rank; d++)
        n *= shape[d] = picks[d].count;
    nci_buf *buf = NULL;
    NCI_TRY(nci_buf_create((size_t)n * size, &buf, err));
    char *to = nci_buf_data(buf);
    const char *from = nci_buf_data(input->data);
    for (int64_t i = 0; i < n; i++) {
        int64_t offset = 0;
        for (int d = 0; d < input->rank; d++)
            offset = offset * input->shape[d] + pick_at(&picks[d], at[d]);
        memcpy(to + (size_t)i * size, from + (size_t)offset * size, size);
        for (int d = input->rank - 1; d >= 0 && ++at[d] == shape[d]; d--)
            at[d] = 0;
    }
    ncg_status st =
        nci_node_const(input->dtype, input->rank, shape, buf,
                       input->has_missing ? input->missing : NULL, out, err);
    nci_buf_release(&buf);
    return st;
}

static ncg_status select_nothing(const nci_node *input, const nci_pick *picks,
                                 nci_node **out, ncg_error *err)
{
    nci_node like = *input;
    for (int d = 0; d < input->rank; d++)
        like.shape[d] = picks[d].count;
    return nci_node_everywhere(&like, NULL, out, err);
}

static void hash_picks(const nci_node *node, nci_hash *hash)
{
    for (int d = 0; d < node->rank; d++) {
        const nci_pick *pick = &node->picks[d];
        nci_hash_i64(hash, pick->index ? -1 : pick->start);
        nci_hash_i64(hash, pick->index ? 0 : pick->step);
        if (pick->index)
            nci_hash_bytes(hash, pick->index,
                           (size_t)pick->count * sizeof *pick->index);
    }
}

ncg_status nci_node_select(nci_node *input, const nci_pick *picks,
                           nci_node **out, ncg_error *err)
{
    for (int d = 0; d < input->rank; d++)
        NCI_TRY(check_pick(&picks[d], d, input->shape[d], err));
    bool is_empty = false;
    for (int d = 0; d < input->rank; d++)
        is_empty = is_empty || !picks[d].count;
    if (is_empty)
        return select_nothing(input, picks, out, err);
    if (input->kind == NCI_NODE_CONST && is_few(input, picks))
        return select_const(input, picks, out, err);
    nci_node *node =
        nci_node_alloc(NCI_NODE_SELECT, input->dtype, input->rank, 1, err);
    if (!node)
        return NCG_ENOMEM;
    ncg_status st = NCG_OK;
    node->ninputs = 1;
    node->inputs[0].node = nci_node_retain(input);
    node->name = input->name;
    nci_node_set_missing(node, input);
    node->picks = nci_calloc((size_t)input->rank + 1, sizeof *node->picks);
    if (!node->picks)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int d = 0; !st && d < input->rank; d++) {
        node->shape[d] = picks[d].count;
        node->inputs[0].axis[d] = d;
        st = copy_pick(&picks[d], &node->picks[d], err);
    }
    if (!st)
        st = nci_node_deepen(node, err);
    if (st) {
        nci_node_release(&node);
        return st;
    }
    nci_hash hash;
    nci_node_hash_common(node, &hash);
    hash_picks(node, &hash);
    node->token = nci_hash_done(&hash);
    *out = node;
    return NCG_OK;
}
