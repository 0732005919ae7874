/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/codec_output.h"

#include "base/mem.h"
#include "graph/codec_tasks.h"

/* ---- writing ------------------------------------------------------------- */

typedef struct writing {
    const nci_output *outputs;
    int count;
    const nci_codec_hooks *hooks;
    nci_replace_fn replace;
    void *replace_ctx;
    nci_tasks **lists; /* borrowed; each once */
    int nlists;
    nci_node **roots; /* arrays of the lists, then of the outputs */
    size_t nroots;
    nci_pack pack;
} writing;

static int find_list(const writing *w, const nci_tasks *tasks)
{
    for (int i = 0; i < w->nlists; i++)
        if (w->lists[i] == tasks)
            return i;
    return -1;
}

/* The lists of tasks that outputs have, and how many arrays there will be. */
static ncg_status find_lists(writing *w, ncg_error *err)
{
    size_t narrays = 0;
    w->lists = nci_alloc(((size_t)w->count + 1) * sizeof *w->lists);
    if (!w->lists)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < w->count; i++) {
        nci_tasks *tasks = w->outputs[i].tasks;
        int n = 1;
        if (tasks && find_list(w, tasks) < 0) {
            w->lists[w->nlists++] = tasks;
            nci_tasks_arrays(tasks, &n);
        }
        narrays += (size_t)n;
    }
    w->roots = nci_alloc((narrays + 1) * sizeof *w->roots);
    return w->roots ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

/* What takes the place of an array is sent instead: the other side knows
 * neither, and their tokens are equal. */
static ncg_status add_arrays(writing *w, const nci_tasks *tasks,
                             ncg_error *err)
{
    int n = 0;
    nci_node *const *arrays = nci_tasks_arrays(tasks, &n);
    for (int i = 0; i < n; i++) {
        nci_node *node = NULL;
        if (w->replace)
            NCI_TRY(nci_pass_replace(arrays[i], w->replace, w->replace_ctx,
                                     &node, err));
        else
            node = nci_node_retain(arrays[i]);
        w->roots[w->nroots++] = node;
    }
    return NCG_OK;
}

static void pack_output(writing *w, const nci_output *output)
{
    nci_pack *pack = &w->pack;
    nci_pack_i64(pack, output->tasks ? find_list(w, output->tasks) : -1);
    nci_pack_i64(pack, output->list ? output->nlist : -1);
    if (output->list)
        nci_pack_i64s(pack, output->list, output->nlist);
    if (output->tasks)
        return;
    nci_pack_i64(pack, output->dtype);
    nci_pack_i64(pack, output->has_fill);
    nci_pack_bytes(pack, output->fill, sizeof output->fill);
    nci_pack_grid(pack, output->grid);
}

static ncg_status pack_roots(writing *w, ncg_error *err)
{
    char *bytes = NULL;
    size_t nbytes = 0;
    ncg_status st = nci_encode_nodes(w->roots, w->nroots, w->hooks, &bytes,
                                     &nbytes, err);
    if (!st)
        nci_pack_bytes(&w->pack, bytes, nbytes);
    nci_free(bytes);
    return st;
}

static ncg_status write_all(writing *w, ncg_error *err)
{
    NCI_TRY(find_lists(w, err));
    nci_pack_i64(&w->pack, w->count);
    nci_pack_i64(&w->pack, w->nlists);
    for (int i = 0; i < w->nlists; i++) {
        NCI_TRY(nci_pack_tasks(&w->pack, w->lists[i], err));
        NCI_TRY(add_arrays(w, w->lists[i], err));
    }
    for (int i = 0; i < w->count; i++) {
        pack_output(w, &w->outputs[i]);
        if (!w->outputs[i].tasks)
            w->roots[w->nroots++] = nci_node_retain(w->outputs[i].node);
    }
    NCI_TRY(pack_roots(w, err));
    return w->pack.text.failed ? nci_fail(err, NCG_ENOMEM, "out of memory")
                               : NCG_OK;
}

ncg_status nci_encode_outputs(const nci_output *outputs, int n,
                              nci_replace_fn replace, void *ctx,
                              const nci_codec_hooks *hooks, char **bytes,
                              size_t *nbytes, ncg_error *err)
{
    writing w = {.outputs = outputs,
                 .count = n,
                 .hooks = hooks,
                 .replace = replace,
                 .replace_ctx = ctx};
    ncg_status st = write_all(&w, err);
    if (!st) {
        *nbytes = w.pack.text.length;
        *bytes = nci_text_take(&w.pack.text);
    }
    nci_text_fini(&w.pack.text);
    for (size_t i = 0; i < w.nroots; i++)
        nci_node_release(&w.roots[i]);
    nci_free(w.roots);
    nci_free(w.lists);
    return st;
}

/* ---- reading ------------------------------------------------------------- */

typedef struct reading {
    nci_unpack in;
    nci_output *outputs;
    nci_grid *grids;
    int64_t **lists;
    int count, ngrids; /* outputs; grids made */
    nci_tasks **tasks;
    int *narrays; /* of each list of tasks */
    int ntasks;
    nci_node **roots;
    size_t nroots;
} reading;

/* Numbers that ascend, of chunks or tasks. */
static ncg_status unpack_list(reading *r, int i, ncg_error *err)
{
    int64_t wanted = nci_unpack_i64(&r->in, -1, INT64_MAX), n = 0;
    if (wanted < 0)
        return nci_unpack_status(&r->in, err);
    r->lists[i] = nci_unpack_i64s(&r->in, &n);
    if (n != wanted)
        r->in.failed = true;
    for (int64_t k = 0; r->lists[i] && k < n; k++)
        if (r->lists[i][k] < 0 || (k && r->lists[i][k] <= r->lists[i][k - 1]))
            r->in.failed = true;
    r->outputs[i].list = r->lists[i];
    r->outputs[i].nlist = n;
    return nci_unpack_status(&r->in, err);
}

/* The last one is below `end`. */
static ncg_status check_list(reading *r, const nci_output *output, int64_t end,
                             ncg_error *err)
{
    if (output->nlist && output->list[output->nlist - 1] >= end)
        r->in.failed = true;
    return nci_unpack_status(&r->in, err);
}

static ncg_status unpack_output(reading *r, int i, ncg_error *err)
{
    nci_output *output = &r->outputs[i];
    int of = (int)nci_unpack_i64(&r->in, -1, r->ntasks - 1);
    NCI_TRY(unpack_list(r, i, err));
    if (of >= 0) {
        output->tasks = r->tasks[of];
        if (!output->list)
            r->in.failed = true;
        return check_list(r, output, nci_tasks_count(output->tasks), err);
    }
    output->dtype = (ncg_dtype)nci_unpack_i64(&r->in, NCG_DTYPE_I8,
                                              NCG_DTYPE_BOOL);
    output->has_fill = nci_unpack_i64(&r->in, 0, 1);
    nci_unpack_exactly(&r->in, output->fill, sizeof output->fill);
    NCI_TRY(nci_unpack_grid(&r->in, &r->grids[i], err));
    r->ngrids = i + 1;
    output->grid = &r->grids[i];
    return check_list(r, output, nci_grid_nchunks(output->grid), err);
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

static ncg_status not_a_plan(ncg_error *err)
{
    return nci_fail(err, NCG_ECORRUPT, "the bytes are no plan");
}

static ncg_status bind_roots(reading *r, ncg_error *err)
{
    size_t at = 0;
    for (int i = 0; i < r->ntasks; i++) {
        if ((size_t)r->narrays[i] > r->nroots - at)
            return not_a_plan(err);
        NCI_TRY(nci_tasks_bind(r->tasks[i], r->roots + at, r->narrays[i], err));
        at += (size_t)r->narrays[i];
    }
    for (int i = 0; i < r->count; i++) {
        if (r->outputs[i].tasks)
            continue;
        if (at == r->nroots || !fits(&r->outputs[i], r->roots[at]))
            return not_a_plan(err);
        r->outputs[i].node = r->roots[at++];
    }
    return at == r->nroots ? NCG_OK : not_a_plan(err);
}

static ncg_status unpack_roots(reading *r, const nci_codec_hooks *hooks,
                               ncg_error *err)
{
    size_t nbytes = 0;
    const char *bytes = nci_unpack_bytes(&r->in, &nbytes);
    NCI_TRY(nci_unpack_status(&r->in, err));
    NCI_TRY(nci_decode_nodes(bytes, nbytes, hooks, &r->roots, &r->nroots, err));
    return r->in.at == r->in.size ? bind_roots(r, err) : not_a_plan(err);
}

/* How many follow, each of more than a byte. */
static ncg_status unpack_count(reading *r, int *out, ncg_error *err)
{
    int64_t n = nci_unpack_i64(&r->in, 0, INT32_MAX);
    if ((uint64_t)n > r->in.size - r->in.at)
        r->in.failed = true;
    *out = (int)n;
    return nci_unpack_status(&r->in, err);
}

static ncg_status unpack_lists(reading *r, ncg_error *err)
{
    int n = 0;
    NCI_TRY(unpack_count(r, &n, err));
    r->tasks = nci_calloc((size_t)n + 1, sizeof *r->tasks);
    r->narrays = nci_calloc((size_t)n + 1, sizeof *r->narrays);
    if (!r->tasks || !r->narrays)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (; r->ntasks < n; r->ntasks++)
        NCI_TRY(nci_unpack_tasks(&r->in, &r->tasks[r->ntasks],
                                 &r->narrays[r->ntasks], err));
    return NCG_OK;
}

static ncg_status read_all(reading *r, const nci_codec_hooks *hooks,
                           nci_outputs_fn visit, void *ctx, ncg_error *err)
{
    int n = 0;
    NCI_TRY(unpack_count(r, &n, err));
    size_t room = (size_t)n + 1;
    r->outputs = nci_calloc(room, sizeof *r->outputs);
    r->grids = nci_calloc(room, sizeof *r->grids);
    r->lists = nci_calloc(room, sizeof *r->lists);
    if (!r->outputs || !r->grids || !r->lists)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    r->count = n;
    NCI_TRY(unpack_lists(r, err));
    for (int i = 0; i < r->count; i++)
        NCI_TRY(unpack_output(r, i, err));
    NCI_TRY(unpack_roots(r, hooks, err));
    return visit(ctx, r->outputs, r->count, err);
}

ncg_status nci_decode_outputs(const char *bytes, size_t nbytes,
                              const nci_codec_hooks *hooks,
                              nci_outputs_fn visit, void *ctx, ncg_error *err)
{
    reading r = {.in = {.data = bytes, .size = nbytes}};
    ncg_status st = read_all(&r, hooks, visit, ctx, err);
    for (size_t i = 0; i < r.nroots; i++)
        nci_node_release(&r.roots[i]);
    nci_free(r.roots);
    for (int i = 0; i < r.ntasks; i++)
        nci_tasks_release(&r.tasks[i]);
    nci_free(r.tasks);
    nci_free(r.narrays);
    for (int i = 0; i < r.ngrids; i++)
        nci_grid_fini(&r.grids[i]);
    for (int i = 0; r.lists && i < r.count; i++)
        nci_free(r.lists[i]);
    nci_free(r.lists);
    nci_free(r.grids);
    nci_free(r.outputs);
    return st;
}

static ncg_status lower(void *ctx, nci_output *outputs, int noutputs,
                        ncg_error *err)
{
    nci_plan **out = ctx;
    return nci_lower(outputs, noutputs, out, err);
}

ncg_status nci_decode_plan(const char *bytes, size_t nbytes,
                           const nci_codec_hooks *hooks, nci_plan **out,
                           ncg_error *err)
{
    return nci_decode_outputs(bytes, nbytes, hooks, lower, out, err);
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
