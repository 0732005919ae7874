/* SPDX-License-Identifier: BSD-3-Clause */
/* The pair for each kind of node. */
#include "graph/codec_node.h"

#include <stdatomic.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"

/* ---- what several kinds have --------------------------------------------- */

static void pack_missing(nci_pack *pack, bool has, const uint8_t *missing)
{
    nci_pack_i64(pack, has);
    if (has)
        nci_pack_bytes(pack, missing, 8);
}

static bool unpack_missing(nci_unpack *in, uint8_t *missing)
{
    bool has = nci_unpack_i64(in, 0, 1);
    memset(missing, 0, 8);
    if (has)
        nci_unpack_exactly(in, missing, 8);
    return has;
}

static ncg_dtype unpack_dtype(nci_unpack *in)
{
    return (ncg_dtype)nci_unpack_i64(in, NCG_DTYPE_NONE, NCG_DTYPE_STRING);
}

static int unpack_shape(nci_unpack *in, int64_t *shape)
{
    int rank = (int)nci_unpack_i64(in, 0, NCG_MAX_RANK);
    for (int d = 0; d < rank; d++)
        shape[d] = nci_unpack_i64(in, 0, INT64_MAX);
    return in->failed ? 0 : rank;
}

static void pack_axes(nci_pack *pack, const int *axes, int n)
{
    for (int d = 0; d < n; d++)
        nci_pack_i64(pack, axes[d]);
}

/* ---- CONST --------------------------------------------------------------- */

static size_t const_count(const nci_node *node)
{
    size_t n = 1;
    for (int d = 0; d < node->rank; d++)
        n *= (size_t)node->shape[d];
    return n;
}

static ncg_status encode_const(const nci_node *node, nci_pack *pack,
                               ncg_error *err)
{
    size_t n = const_count(node);
    NCI_TRY(
        nci_pack_room(pack, n * ncg_dtype_size(node->dtype), node->name, err));
    nci_pack_i64(pack, node->dtype);
    nci_pack_i64(pack, node->rank);
    for (int d = 0; d < node->rank; d++)
        nci_pack_i64(pack, node->shape[d]);
    pack_missing(pack, node->has_missing, node->missing);
    const char **texts = nci_buf_data(node->data);
    if (node->dtype != NCG_DTYPE_STRING)
        nci_pack_bytes(pack, texts, n * ncg_dtype_size(node->dtype));
    for (size_t i = 0; node->dtype == NCG_DTYPE_STRING && i < n; i++)
        nci_pack_text(pack, texts[i]);
    return NCG_OK;
}

static ncg_status unpack_values(nci_unpack *in, ncg_dtype dtype, size_t n,
                                nci_buf **out, ncg_error *err)
{
    size_t nbytes = 0, need = 0;
    if (dtype == NCG_DTYPE_STRING) {
        if (n > in->size) /* each text takes a byte at least */
            return nci_unpack_damaged(in, err);
        NCI_TRY(nci_buf_create(n * sizeof(char *), out, err));
        const char **texts = nci_buf_data(*out);
        for (size_t i = 0; i < n; i++)
            texts[i] = nci_unpack_text(in);
        return NCG_OK;
    }
    const void *bytes = nci_unpack_bytes(in, &nbytes);
    if (!nci_mul_size(n, ncg_dtype_size(dtype), &need) || need != nbytes ||
        in->failed)
        return nci_unpack_damaged(in, err);
    NCI_TRY(nci_buf_create(nbytes, out, err));
    memcpy(nci_buf_data(*out), bytes, nbytes);
    return NCG_OK;
}

static ncg_status decode_const(nci_unpack *in, nci_node **out, ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK] = {0};
    uint8_t missing[8];
    size_t n = 1;
    nci_buf *data = NULL;
    ncg_dtype dtype = unpack_dtype(in);
    int rank = unpack_shape(in, shape);
    bool has = unpack_missing(in, missing);
    for (int d = 0; d < rank; d++)
        if (!nci_mul_size(n, (size_t)shape[d], &n))
            return nci_unpack_damaged(in, err);
    if (dtype == NCG_DTYPE_NONE)
        return nci_unpack_damaged(in, err);
    ncg_status st = unpack_values(in, dtype, n, &data, err);
    if (!st)
        st = nci_unpack_status(in, err);
    if (!st)
        st = nci_node_const(dtype, rank, shape, data, has ? missing : NULL, out,
                            err);
    nci_buf_release(&data);
    return st;
}

/* ---- SELECT -------------------------------------------------------------- */

static void encode_select(const nci_node *node, nci_pack *pack)
{
    for (int d = 0; d < node->rank; d++) {
        const nci_pick *pick = &node->picks[d];
        nci_pack_i64(pack, pick->index != NULL);
        if (pick->index) {
            nci_pack_i64s(pack, pick->index, pick->count);
            continue;
        }
        nci_pack_i64(pack, pick->count);
        nci_pack_i64(pack, pick->start);
        nci_pack_i64(pack, pick->step);
    }
}

static nci_pick unpack_pick(nci_unpack *in)
{
    nci_pick pick = {.step = 1};
    if (nci_unpack_i64(in, 0, 1)) {
        pick.index = nci_unpack_i64s(in, &pick.count);
        return pick;
    }
    int64_t reach = 0, end = 0;
    pick.count = nci_unpack_i64(in, 0, INT64_MAX);
    pick.start = nci_unpack_i64(in, 0, INT64_MAX);
    pick.step = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    if (__builtin_mul_overflow(pick.count, pick.step, &reach) ||
        __builtin_add_overflow(pick.start, reach, &end))
        in->failed = true;
    return pick;
}

static ncg_status decode_select(nci_unpack *in, nci_node *const *inputs,
                                nci_node **out, ncg_error *err)
{
    nci_pick picks[NCG_MAX_RANK] = {{0}};
    int rank = inputs[0]->rank;
    for (int d = 0; d < rank; d++)
        picks[d] = unpack_pick(in);
    ncg_status st = nci_unpack_status(in, err);
    if (!st)
        st = nci_node_select(inputs[0], picks, out, err);
    for (int d = 0; d < rank; d++)
        nci_free((void *)picks[d].index);
    return st;
}

/* ---- MAP
 * ------------------------------------------------------------------------------
 */

static void encode_map(const nci_node *node, nci_pack *pack)
{
    nci_pack_text(pack, nci_map_op_name(node->map));
    nci_pack_i64(pack, node->dtype);
    nci_pack_i64(pack, node->rank);
    for (int d = 0; d < node->rank; d++)
        nci_pack_i64(pack, node->shape[d]);
    for (int i = 0; i < node->ninputs; i++)
        pack_axes(pack, node->inputs[i].axis, node->rank);
}

static ncg_status decode_map(nci_unpack *in, nci_node *const *inputs,
                             int ninputs, nci_node **out, ncg_error *err)
{
    nci_operand operands[NCI_MAP_INPUTS] = {{0}};
    int64_t shape[NCG_MAX_RANK] = {0};
    nci_map_op op = NCI_MAP_VIEW;
    const char *name = nci_unpack_text(in);
    ncg_dtype dtype = unpack_dtype(in);
    int rank = unpack_shape(in, shape);
    if (!name || !nci_map_op_parse(name, &op) || ninputs > NCI_MAP_INPUTS ||
        (op == NCI_MAP_CAST && !nci_dtype_is_numeric(dtype)))
        return nci_unpack_damaged(in, err);
    for (int i = 0; i < ninputs; i++) {
        operands[i].node = inputs[i];
        for (int d = 0; d < rank; d++)
            operands[i].axis[d] =
                (int)nci_unpack_i64(in, -1, inputs[i]->rank - 1);
    }
    NCI_TRY(nci_unpack_status(in, err));
    return nci_node_map(op, dtype, rank, shape, operands, ninputs, out, err);
}

/* ---- REDUCE
 * ------------------------------------------------------------------------------
 */

static void encode_reduce(const nci_node *node, nci_pack *pack)
{
    const nci_reduce *r = &node->reduce;
    int rank = node->inputs[0].node->rank;
    nci_pack_i64(pack, r->op);
    for (int d = 0; d < rank; d++)
        nci_pack_i64(pack, r->over[d] | r->keep[d] << 1);
    nci_pack_i64(pack, r->skipna);
    nci_pack_i64(pack, r->min_count);
    nci_pack_i64(pack, r->ddof);
    nci_pack_i64(pack, r->label_axis);
    if (r->label_axis >= 0) {
        nci_pack_i64(pack, r->nlabels);
        int64_t n = node->inputs[0].node->shape[r->label_axis];
        for (int64_t i = 0; i < n; i++)
            nci_pack_i64(pack, r->labels[i]);
    }
    if (node->ninputs > 1)
        pack_axes(pack, node->inputs[1].axis, rank);
}

static int32_t *unpack_labels(nci_unpack *in, int64_t n, int32_t *nlabels)
{
    *nlabels = (int32_t)nci_unpack_i64(in, 1, INT32_MAX / 2);
    if (in->failed || (uint64_t)n > in->size - in->at) {
        in->failed = true; /* each label takes a byte at least */
        return NULL;
    }
    int32_t *labels = nci_alloc(((size_t)n + 1) * sizeof *labels);
    if (!labels) {
        in->failed = in->starved = true;
        return NULL;
    }
    for (int64_t i = 0; i < n; i++)
        labels[i] = (int32_t)nci_unpack_i64(in, -1, *nlabels - 1);
    return labels;
}

static ncg_status decode_reduce(nci_unpack *in, nci_node *const *inputs,
                                int ninputs, nci_node **out, ncg_error *err)
{
    nci_reduce r = {0};
    nci_operand weights = {.node = ninputs > 1 ? inputs[1] : NULL};
    int rank = inputs[0]->rank;
    r.op = (ncg_op)nci_unpack_i64(in, 0, NCG_OP_COUNT_ - 1);
    for (int d = 0; d < rank; d++) {
        int64_t flags = nci_unpack_i64(in, 0, 3);
        r.over[d] = flags & 1;
        r.keep[d] = flags >> 1;
    }
    r.skipna = nci_unpack_i64(in, 0, 1);
    r.min_count = nci_unpack_i64(in, 0, INT64_MAX);
    r.ddof = (int)nci_unpack_i64(in, 0, INT32_MAX);
    r.label_axis = (int)nci_unpack_i64(in, -1, rank - 1);
    if (!in->failed && r.label_axis >= 0)
        r.labels =
            unpack_labels(in, inputs[0]->shape[r.label_axis], &r.nlabels);
    for (int d = 0; weights.node && d < rank; d++)
        weights.axis[d] = (int)nci_unpack_i64(in, -1, weights.node->rank - 1);
    ncg_status st = nci_unpack_status(in, err);
    if (!st)
        st = nci_node_reduce(inputs[0], &r, weights.node ? &weights : NULL, out,
                             err);
    nci_free((void *)r.labels);
    return st;
}

/* ---- BLOCK
 * ---------------------------------------------------------------------------------
 */

static void encode_block(const nci_node *node, nci_pack *pack)
{
    const nci_block *block = &node->block;
    nci_pack_text(pack, block->kernel);
    nci_pack_bytes(pack, nci_buf_data(block->params),
                   nci_buf_size(block->params));
    nci_pack_i64(pack, node->dtype);
    pack_missing(pack, node->has_missing, node->missing);
    nci_pack_grid(pack, &node->grid);
    for (int i = 0; i < node->ninputs; i++)
        for (int a = 0; a < node->inputs[i].node->rank; a++) {
            const nci_reach *reach = &block->reach[i * NCG_MAX_RANK + a];
            nci_pack_i64(pack, reach->from);
            if (reach->from < 0)
                continue;
            int64_t n = node->grid.axis[reach->from].nchunks;
            nci_pack_i64s(pack, reach->low, n);
            nci_pack_i64s(pack, reach->high, n);
        }
}

static void unpack_reach(nci_unpack *in, const nci_grid *grid, nci_reach *out)
{
    int64_t n = 0, m = 0;
    out->from = (int)nci_unpack_i64(in, -1, grid->rank - 1);
    if (in->failed || out->from < 0)
        return;
    out->low = nci_unpack_i64s(in, &n);
    out->high = nci_unpack_i64s(in, &m);
    if (n != grid->axis[out->from].nchunks || m != n)
        in->failed = true;
}

static ncg_status build_block(nci_unpack *in, nci_block_spec *spec,
                              nci_reach *reach, nci_node **out, ncg_error *err)
{
    for (int i = 0; i < spec->ninputs; i++)
        for (int a = 0; a < spec->inputs[i]->rank && !in->failed; a++)
            unpack_reach(in, spec->grid, &reach[i * NCG_MAX_RANK + a]);
    NCI_TRY(nci_unpack_status(in, err));
    return nci_node_block(spec, out, err);
}

static ncg_status decode_block(nci_unpack *in, nci_node *const *inputs,
                               int ninputs, nci_node **out, ncg_error *err)
{
    nci_grid grid = {0};
    nci_block_spec spec = {.inputs = inputs, .ninputs = ninputs};
    spec.kernel = nci_unpack_text(in);
    spec.params = nci_unpack_bytes(in, &spec.nparams);
    spec.dtype = unpack_dtype(in);
    spec.has_missing = unpack_missing(in, spec.missing);
    if (in->failed || !ncg_dtype_size(spec.dtype))
        return nci_unpack_damaged(in, err);
    NCI_TRY(nci_unpack_grid(in, &grid, err));
    size_t n = (size_t)ninputs * NCG_MAX_RANK;
    nci_reach *reach = nci_calloc(n + 1, sizeof *reach);
    spec.grid = &grid;
    spec.reach = reach;
    for (size_t i = 0; reach && i < n; i++)
        reach[i].from = -1;
    ncg_status st = reach ? build_block(in, &spec, reach, out, err)
                          : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; reach && i < n; i++) {
        nci_free(reach[i].low);
        nci_free(reach[i].high);
    }
    nci_free(reach);
    nci_grid_fini(&grid);
    return st;
}

/* ---- a node
 * ---------------------------------------------------------------------------------
 */

ncg_status nci_encode_node(const nci_node *node, const nci_collection *all,
                           const nci_codec_hooks *hooks, nci_pack *pack,
                           ncg_error *err)
{
    nci_pack_i64(pack, node->kind);
    nci_pack_text(pack, node->name);
    nci_pack_i64(pack, node->ninputs);
    for (int i = 0; i < node->ninputs; i++)
        nci_pack_i64(pack, nci_collect_find(all, node->inputs[i].node->token));
    switch (node->kind) {
    case NCI_NODE_SOURCE:
        return hooks->encode(hooks->ctx, node, pack, err);
    case NCI_NODE_CONST:
        return encode_const(node, pack, err);
    case NCI_NODE_SELECT:
        encode_select(node, pack);
        return NCG_OK;
    case NCI_NODE_MAP:
        encode_map(node, pack);
        return NCG_OK;
    case NCI_NODE_REDUCE:
        encode_reduce(node, pack);
        return NCG_OK;
    case NCI_NODE_BLOCK:
        encode_block(node, pack);
        return NCG_OK;
    }
    return nci_fail(err, NCG_EBUG, "a node of kind %d", (int)node->kind);
}

/* How many inputs a kind takes, as far as it is fixed. */
static bool fits_kind(nci_node_kind kind, int ninputs)
{
    switch (kind) {
    case NCI_NODE_SOURCE:
    case NCI_NODE_CONST:
        return ninputs == 0;
    case NCI_NODE_SELECT:
        return ninputs == 1;
    case NCI_NODE_REDUCE:
        return ninputs == 1 || ninputs == 2;
    default:
        return true;
    }
}

static ncg_status build(nci_unpack *in, nci_node_kind kind,
                        nci_node *const *inputs, int ninputs,
                        const nci_codec_hooks *hooks, nci_node **out,
                        ncg_error *err)
{
    if (!fits_kind(kind, ninputs))
        return nci_unpack_damaged(in, err);
    switch (kind) {
    case NCI_NODE_SOURCE:
        return hooks->decode(hooks->ctx, in, out, err);
    case NCI_NODE_CONST:
        return decode_const(in, out, err);
    case NCI_NODE_SELECT:
        return decode_select(in, inputs, out, err);
    case NCI_NODE_MAP:
        return decode_map(in, inputs, ninputs, out, err);
    case NCI_NODE_REDUCE:
        return decode_reduce(in, inputs, ninputs, out, err);
    case NCI_NODE_BLOCK:
        return decode_block(in, inputs, ninputs, out, err);
    }
    return nci_unpack_damaged(in, err);
}

/* A node that was just made may still be named; one found elsewhere not. */
static bool is_own(nci_node *node)
{
    return atomic_load(&node->refs) == 1;
}

ncg_status nci_decode_node(nci_unpack *in, nci_node *const *made, int64_t nmade,
                           const nci_codec_hooks *hooks, nci_node **out,
                           ncg_error *err)
{
    nci_node_kind kind = (nci_node_kind)nci_unpack_i64(in, 0, NCI_NODE_BLOCK);
    const char *name = nci_unpack_text(in);
    int ninputs = (int)nci_unpack_i64(in, 0, NCI_NODES_MANY);
    NCI_TRY(nci_unpack_status(in, err));
    if ((size_t)ninputs > in->size - in->at)
        return nci_unpack_damaged(in, err);
    nci_node **inputs = nci_alloc(((size_t)ninputs + 1) * sizeof *inputs);
    if (!inputs)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < ninputs; i++) {
        int64_t at = nci_unpack_i64(in, 0, nmade - 1);
        inputs[i] = in->failed ? NULL : made[at];
    }
    ncg_status st = nci_unpack_status(in, err);
    if (!st)
        st = build(in, kind, inputs, ninputs, hooks, out, err);
    if (!st && name && *name && is_own(*out))
        (*out)->name = name;
    nci_free(inputs);
    return st;
}
