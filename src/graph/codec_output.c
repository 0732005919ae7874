/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/codec_output.h"

#include "base/mem.h"

/* ---- writing ------------------------------------------------------------- */

static void pack_output(nci_pack *pack, const nci_output *output)
{
    nci_pack_i64(pack, output->dtype);
    nci_pack_i64(pack, output->has_fill);
    nci_pack_bytes(pack, output->fill, sizeof output->fill);
    nci_pack_grid(pack, output->grid);
    nci_pack_i64(pack, output->list ? output->nlist : -1);
    if (output->list)
        nci_pack_i64s(pack, output->list, output->nlist);
}

static ncg_status pack_roots(nci_pack *pack, const nci_output *outputs, int n,
                             const nci_codec_hooks *hooks, ncg_error *err)
{
    char *bytes = NULL;
    size_t nbytes = 0;
    nci_node **roots = nci_alloc(((size_t)n + 1) * sizeof *roots);
    if (!roots)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        roots[i] = outputs[i].node;
    ncg_status st =
        nci_encode_nodes(roots, (size_t)n, hooks, &bytes, &nbytes, err);
    if (!st)
        nci_pack_bytes(pack, bytes, nbytes);
    nci_free(bytes);
    nci_free(roots);
    return st;
}

ncg_status nci_encode_outputs(const nci_output *outputs, int n,
                              const nci_codec_hooks *hooks, char **bytes,
                              size_t *nbytes, ncg_error *err)
{
    nci_pack pack = {0};
    nci_pack_i64(&pack, n);
    for (int i = 0; i < n; i++) {
        if (outputs[i].tasks || !outputs[i].node) {
            nci_text_fini(&pack.text);
            return nci_fail(err, NCG_EUNSUPPORTED,
                            "tasks that are functions of a program cannot be "
                            "sent to another process");
        }
        pack_output(&pack, &outputs[i]);
    }
    ncg_status st = pack_roots(&pack, outputs, n, hooks, err);
    if (!st && pack.text.failed)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (st) {
        nci_text_fini(&pack.text);
        return st;
    }
    *nbytes = pack.text.length;
    *bytes = nci_text_take(&pack.text);
    return NCG_OK;
}

/* ---- reading ------------------------------------------------------------- */

typedef struct reading {
    nci_unpack in;
    nci_output *outputs;
    nci_grid *grids;
    int64_t **lists;
    int count, ngrids; /* outputs; grids made */
    nci_node **roots;
    size_t nroots;
} reading;

static ncg_status unpack_list(reading *r, int i, ncg_error *err)
{
    const nci_grid *grid = &r->grids[i];
    int64_t wanted = nci_unpack_i64(&r->in, -1, INT64_MAX), n = 0, total = 1;
    if (wanted < 0)
        return nci_unpack_status(&r->in, err);
    r->lists[i] = nci_unpack_i64s(&r->in, &n);
    for (int d = 0; d < grid->rank; d++)
        total *= grid->axis[d].nchunks;
    if (n != wanted)
        r->in.failed = true;
    for (int64_t k = 0; r->lists[i] && k < n; k++)
        if (r->lists[i][k] < 0 || r->lists[i][k] >= total ||
            (k && r->lists[i][k] <= r->lists[i][k - 1]))
            r->in.failed = true;
    r->outputs[i].list = r->lists[i];
    r->outputs[i].nlist = n;
    return nci_unpack_status(&r->in, err);
}

static ncg_status unpack_output(reading *r, int i, ncg_error *err)
{
    nci_output *output = &r->outputs[i];
    output->dtype = (ncg_dtype)nci_unpack_i64(&r->in, NCG_DTYPE_I8,
                                              NCG_DTYPE_BOOL);
    output->has_fill = nci_unpack_i64(&r->in, 0, 1);
    nci_unpack_exactly(&r->in, output->fill, sizeof output->fill);
    NCI_TRY(nci_unpack_grid(&r->in, &r->grids[i], err));
    r->ngrids = i + 1;
    output->grid = &r->grids[i];
    return unpack_list(r, i, err);
}

/* An output's chunks are chunks of its array. */
static bool fits(const nci_output *output, const nci_node *node)
{
    if (output->grid->rank != node->rank)
        return false;
    for (int d = 0; d < node->rank; d++)
        if (nci_axis_size(&output->grid->axis[d]) != node->shape[d])
            return false;
    return true;
}

static ncg_status unpack_roots(reading *r, const nci_codec_hooks *hooks,
                               ncg_error *err)
{
    size_t nbytes = 0;
    const char *bytes = nci_unpack_bytes(&r->in, &nbytes);
    NCI_TRY(nci_unpack_status(&r->in, err));
    NCI_TRY(nci_decode_nodes(bytes, nbytes, hooks, &r->roots, &r->nroots, err));
    bool is_good = r->nroots == (size_t)r->count && r->in.at == r->in.size;
    for (int i = 0; is_good && i < r->count; i++) {
        r->outputs[i].node = r->roots[i];
        is_good = fits(&r->outputs[i], r->roots[i]);
    }
    if (is_good)
        return NCG_OK;
    return nci_fail(err, NCG_ECORRUPT, "the bytes are no plan");
}

static ncg_status read_all(reading *r, const nci_codec_hooks *hooks,
                           nci_plan **out, ncg_error *err)
{
    int64_t n = nci_unpack_i64(&r->in, 0, INT32_MAX);
    if ((uint64_t)n > r->in.size - r->in.at)
        r->in.failed = true; /* an output takes more than a byte */
    NCI_TRY(nci_unpack_status(&r->in, err));
    size_t room = (size_t)n + 1;
    r->outputs = nci_calloc(room, sizeof *r->outputs);
    r->grids = nci_calloc(room, sizeof *r->grids);
    r->lists = nci_calloc(room, sizeof *r->lists);
    if (!r->outputs || !r->grids || !r->lists)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    r->count = (int)n;
    for (int i = 0; i < r->count; i++)
        NCI_TRY(unpack_output(r, i, err));
    NCI_TRY(unpack_roots(r, hooks, err));
    return nci_lower(r->outputs, r->count, out, err);
}

ncg_status nci_decode_plan(const char *bytes, size_t nbytes,
                           const nci_codec_hooks *hooks, nci_plan **out,
                           ncg_error *err)
{
    reading r = {.in = {.data = bytes, .size = nbytes}};
    ncg_status st = read_all(&r, hooks, out, err);
    for (size_t i = 0; i < r.nroots; i++)
        nci_node_release(&r.roots[i]);
    nci_free(r.roots);
    for (int i = 0; i < r.ngrids; i++)
        nci_grid_fini(&r.grids[i]);
    for (int i = 0; r.lists && i < r.count; i++)
        nci_free(r.lists[i]);
    nci_free(r.lists);
    nci_free(r.grids);
    nci_free(r.outputs);
    return st;
}

/* ---- comparing ----------------------------------------------------------- */

nci_token nci_plan_hash(const nci_plan *plan)
{
    nci_hash hash;
    nci_hash_init(&hash, "plan");
    nci_hash_i64(&hash, plan->ntasks);
    for (int l = 0; l < plan->nlayers; l++) {
        const nci_layer *layer = &plan->layers[l];
        nci_hash_i64(&hash, layer->kind);
        nci_hash_token(&hash, layer->token);
        nci_hash_i64(&hash, layer->base);
        nci_hash_i64(&hash, layer->ntasks);
        for (int i = 0; i < layer->ninputs; i++)
            nci_hash_i64(&hash, layer->inputs[i].layer);
        for (int d = 0; d < layer->grid.rank; d++) {
            const nci_axis *axis = &layer->grid.axis[d];
            nci_hash_bytes(&hash, axis->edge,
                           (size_t)(axis->nchunks + 1) * sizeof *axis->edge);
        }
    }
    return nci_hash_done(&hash);
}
