/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From nodes to layers. Each array that has to exist as chunks gets its layers
 * once: a table from token to layer makes common subexpressions common work.
 * Tasks that no output needs are never pulled from the plan, so nothing has to
 * be culled beyond layers that nobody asked for.
 */
#include "graph/lower.h"

#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "graph/block.h"
#include "graph/pass_share.h"
#include "graph/pass_slice.h"
#include "graph/relation.h"
#include "graph/tree.h"

nci_layer *nci_lower_add_layer(nci_lowering *lw, nci_layer_kind kind,
                               const nci_node *node, const char *what,
                               ncg_error *err)
{
    nci_plan *plan = lw->plan;
    size_t capacity = (size_t)plan->capacity;
    if (!nci_grow(&plan->layers, &capacity, (size_t)plan->nlayers + 1,
                  sizeof *plan->layers)) {
        nci_fail(err, NCG_ENOMEM, "out of memory");
        return NULL;
    }
    plan->capacity = (int)capacity;
    nci_layer *layer = &plan->layers[plan->nlayers++];
    *layer = (nci_layer){.kind = kind, .dtype = node->dtype};
    nci_text name = {0};
    nci_text_add(&name, "%s %s", what, node->name ? node->name : "array");
    char *text = nci_text_take(&name);
    layer->name = text ? nci_intern(text) : "layer";
    nci_free(text);
    nci_hash hash;
    nci_hash_init(&hash, "ncgraph.layer/1");
    nci_hash_i64(&hash, kind);
    nci_hash_text(&hash, what);
    nci_hash_token(&hash, node->token);
    layer->token = nci_hash_done(&hash);
    layer->fused.label_axis = layer->combine.label_axis = -1;
    layer->fused.weight = -1;
    return layer;
}

nci_layer_input *nci_lower_add_input(nci_layer *layer, int from_layer,
                                     ncg_error *err)
{
    size_t n = (size_t)layer->ninputs + 1;
    nci_layer_input *inputs =
        nci_realloc(layer->inputs, n * sizeof *layer->inputs);
    if (!inputs) {
        nci_fail(err, NCG_ENOMEM, "out of memory");
        return NULL;
    }
    layer->inputs = inputs;
    nci_layer_input *input = &inputs[layer->ninputs++];
    *input = (nci_layer_input){.layer = from_layer};
    for (int a = 0; a < NCG_MAX_RANK; a++)
        input->from[a] = -1;
    return input;
}

/* ---- memo of arrays -------------------------------------------------------
 */

bool nci_lower_find(const nci_lowering *lw, nci_token token, int *out)
{
    for (size_t i = 0; i < lw->narrays; i++)
        if (nci_token_equal(lw->arrays[i].token, token)) {
            *out = lw->arrays[i].layer;
            return true;
        }
    return false;
}

ncg_status nci_lower_remember(nci_lowering *lw, nci_token token, int layer,
                              ncg_error *err)
{
    if (!nci_grow(&lw->arrays, &lw->arrays_capacity, lw->narrays + 1,
                  sizeof *lw->arrays))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    lw->arrays[lw->narrays].token = token;
    lw->arrays[lw->narrays++].layer = layer;
    return NCG_OK;
}

/* ---- the grid of a program's domain ----------------------------------------
 */

/* A caller's array can be cut anywhere: chunks that nobody chose do not bind
 * the layer. */
static bool is_cut_as_usual(const nci_node *node)
{
    int64_t plain[NCG_MAX_RANK];
    nci_plain_pieces(node->rank, node->shape,
                     (int64_t)ncg_dtype_size(node->dtype), plain);
    for (int d = 0; d < node->rank; d++) {
        const nci_axis *axis = &node->grid.axis[d];
        int64_t n = (node->shape[d] + plain[d] - 1) / plain[d];
        if (axis->nchunks != n || (n > 1 && axis->edge[1] != plain[d]))
            return false;
    }
    return true;
}

static const nci_grid *grid_of_operand(const nci_lowering *lw,
                                       const nci_program *program, int i)
{
    const nci_access *access = &program->fused.operands[i];
    if (access->kind == NCI_OPERAND_SOURCE)
        return &program->nodes[i]->grid;
    if (access->kind == NCI_OPERAND_LAYER)
        return &lw->plan->layers[lw->operand_layer[i]].array;
    const nci_node *node = program->nodes[i];
    if (nci_node_is_in_memory(node) && !is_cut_as_usual(node))
        return &node->grid;
    return NULL;
}

/* Domain axes that no chunked operand spans are cut into pieces of `plain`. */
static ncg_status domain_axis(const nci_lowering *lw,
                              const nci_program *program, int d, int64_t plain,
                              nci_axis *out, ncg_error *err)
{
    for (int i = 0; i < program->fused.noperands; i++) {
        const nci_access *access = &program->fused.operands[i];
        const nci_grid *grid = grid_of_operand(lw, program, i);
        for (int a = 0; grid && a < access->rank; a++)
            if (access->from[a] == d)
                return nci_block_axis(&access->picks[a], &grid->axis[a], out,
                                      err);
    }
    return nci_axis_regular(program->fused.shape[d], plain, out, err);
}

/* Of what is read chunk by chunk; of arrays in memory where that is all. A fold
 * reads packed values as they are stored, what it makes of them does not lie
 * in memory. */
static int64_t item_bytes(const nci_program *program)
{
    size_t most = 1, most_plain = 1;
    bool is_plain = true;
    for (int i = 0; i < program->fused.noperands; i++) {
        const nci_access *access = &program->fused.operands[i];
        size_t size = ncg_dtype_size(access->dtype);
        if (access->kind == NCI_OPERAND_SOURCE && program->fused.folds)
            size = (size_t)program->nodes[i]->stored;
        bool is_const = access->kind == NCI_OPERAND_CONST;
        if (!is_const && size > most)
            most = size;
        if (is_const && size > most_plain)
            most_plain = size;
        is_plain = is_plain && is_const;
    }
    return (int64_t)(is_plain ? most_plain : most);
}

static bool is_same_way(const nci_access *a, const nci_access *b)
{
    for (int d = 0; d < a->rank; d++)
        if (a->from[d] != b->from[d])
            return false;
    return true;
}

static nci_block_hints hints_of(const nci_lowering *lw, const nci_fused *fused)
{
    nci_block_hints hints = {0};
    for (int i = 0; i < fused->noperands; i++) {
        const nci_access *access = &fused->operands[i];
        if (access->kind == NCI_OPERAND_SOURCE)
            return (nci_block_hints){0};
        if (access->kind != NCI_OPERAND_LAYER || access->rank != fused->rank)
            continue;
        hints.is_chunks = true;
        for (int k = 0; k < i; k++)
            if (lw->operand_layer[k] == lw->operand_layer[i] &&
                !is_same_way(&fused->operands[k], access))
                hints.is_turned = true;
    }
    return hints;
}

static ncg_status fused_grid(const nci_lowering *lw, const nci_program *program,
                             int64_t cell_bytes, nci_grid *out, ncg_error *err)
{
    nci_grid fine = {.rank = program->fused.rank};
    ncg_status st = NCG_OK;
    const nci_fused *fused = &program->fused;
    int64_t plain[NCG_MAX_RANK];
    nci_plain_pieces(fine.rank, fused->shape, item_bytes(program), plain);
    for (int d = 0; !st && d < fine.rank; d++)
        st = domain_axis(lw, program, d, plain[d], &fine.axis[d], err);
    nci_fold_axes fold = {fused->over, cell_bytes, fused->label_axis,
                          fused->labels};
    nci_block_hints hints = hints_of(lw, fused);
    if (!st)
        st = nci_block_grid(&fine, item_bytes(program),
                            fused->folds ? &fold : NULL, &hints, out, err);
    nci_grid_fini(&fine);
    return st;
}

/* ---- FUSED -----------------------------------------------------------------
 */

/* Layers for the operands that need one, before the layer itself exists. */
static ncg_status lower_operands(nci_lowering *lw, const nci_program *program,
                                 int *layers, ncg_error *err)
{
    for (int i = 0; i < program->fused.noperands; i++) {
        layers[i] = -1;
        if (program->fused.operands[i].kind == NCI_OPERAND_LAYER)
            NCI_TRY(nci_lower_array(lw, program->nodes[i], &layers[i], err));
    }
    return NCG_OK;
}

static ncg_status relate_operand(const nci_lowering *lw, nci_layer *layer,
                                 const nci_access *access, int from_layer,
                                 ncg_error *err)
{
    nci_layer_input *input = nci_lower_add_input(layer, from_layer, err);
    if (!input)
        return NCG_ENOMEM;
    const nci_layer *from = &lw->plan->layers[from_layer];
    /* The tasks of a final COMBINE have one chunk along the axes that its
     * array has lost: those stay unrelated, the others follow in order. */
    int axes[NCG_MAX_RANK];
    int n = nci_layer_array_axes(from, axes);
    for (int a = 0; a < n; a++) {
        int d = access->from[a];
        if (d < 0)
            continue;
        input->from[axes[a]] = d;
        NCI_TRY(nci_relation_from_pick(&layer->grid.axis[d], &access->picks[a],
                                       &from->array.axis[a],
                                       &input->relation[axes[a]], err));
    }
    return NCG_OK;
}

int nci_layer_array_axes(const nci_layer *layer, int *axes)
{
    int n = 0;
    bool combines = layer->kind == NCI_LAYER_COMBINE;
    for (int d = 0; d < layer->grid.rank; d++)
        if (!combines || !layer->combine.over[d] || layer->combine.keep[d] ||
            d == layer->combine.label_axis)
            axes[n++] = d;
    return n;
}

/* nci_lower_fused adds the layer of a program; takes the program on success. */
ncg_status nci_lower_fused(nci_lowering *lw, nci_program *program,
                           const nci_node *node, int64_t cell_bytes, int *out,
                           ncg_error *err)
{
    int layers[NCI_MAX_OPERANDS];
    NCI_TRY(lower_operands(lw, program, layers, err));
    memcpy(lw->operand_layer, layers, sizeof layers);
    nci_grid grid;
    NCI_TRY(fused_grid(lw, program, cell_bytes, &grid, err));
    nci_layer *layer = nci_lower_add_layer(
        lw, NCI_LAYER_FUSED, node, program->fused.folds ? "fold" : "read", err);
    if (!layer) {
        nci_grid_fini(&grid);
        return NCG_ENOMEM;
    }
    layer->grid = grid;
    layer->fused = program->fused;
    *out = lw->plan->nlayers - 1;
    program->fused = (nci_fused){0};
    for (int i = 0; i < layer->fused.noperands; i++) {
        nci_access *access = &layer->fused.operands[i];
        if (access->kind != NCI_OPERAND_LAYER)
            continue;
        access->input = layer->ninputs;
        NCI_TRY(relate_operand(lw, layer, access, layers[i], err));
    }
    if (layer->fused.folds)
        return NCG_OK;
    return nci_grid_copy(&layer->grid, &layer->array, err);
}

static ncg_status lower_stored(nci_lowering *lw, nci_node *node, int *out,
                               ncg_error *err)
{
    nci_program program;
    NCI_TRY(nci_fuse(node, NULL, &program, err));
    nci_fused *fused = &program.fused;
    fused->out = node->dtype;
    fused->has_missing = node->has_missing;
    memcpy(fused->missing, node->missing, sizeof fused->missing);
    ncg_status st = nci_lower_fused(lw, &program, node, 0, out, err);
    nci_program_fini(&program);
    return st;
}

static ncg_status lower_new(nci_lowering *lw, nci_node *node, int *out,
                            ncg_error *err)
{
    switch (node->kind) {
    case NCI_NODE_REDUCE:
        return nci_lower_reduce(lw, node, out, err);
    case NCI_NODE_BLOCK:
        return nci_lower_block(lw, node, out, err);
    default:
        return lower_stored(lw, node, out, err);
    }
}

ncg_status nci_lower_array(nci_lowering *lw, nci_node *node, int *out,
                           ncg_error *err)
{
    int layer = -1;
    if (!nci_lower_find(lw, node->token, &layer)) {
        NCI_TRY(lower_new(lw, node, &layer, err));
        NCI_TRY(nci_lower_remember(lw, node->token, layer, err));
    }
    *out = layer;
    return NCG_OK;
}

/* ---- outputs ----------------------------------------------------------------
 */

static ncg_status relate_store(const nci_lowering *lw, nci_layer *layer,
                               int from_layer, ncg_error *err)
{
    nci_access whole = {.rank = layer->grid.rank};
    for (int a = 0; a < whole.rank; a++) {
        whole.from[a] = a;
        whole.picks[a].step = 1;
    }
    return relate_operand(lw, layer, &whole, from_layer, err);
}

static ncg_status lower_output(nci_lowering *lw, const nci_output *output,
                               int number, ncg_error *err)
{
    nci_node *node = NULL;
    int from = 0;
    NCI_TRY(nci_pass_slice(output->node, &node, err));
    ncg_status st = nci_lower_array(lw, node, &from, err);
    nci_layer *layer = NULL;
    if (!st &&
        !(layer = nci_lower_add_layer(lw, NCI_LAYER_STORE, node, "store", err)))
        st = NCG_ENOMEM;
    if (!st) {
        lw->plan->outputs[number] = lw->plan->nlayers - 1;
        nci_store *store = &layer->store;
        store->output = number;
        store->from = node->dtype;
        store->to = output->dtype;
        store->has_missing = node->has_missing;
        memcpy(store->missing, node->missing, sizeof store->missing);
        store->has_fill = output->has_fill;
        memcpy(store->fill, output->fill, sizeof store->fill);
        layer->dtype = output->dtype;
        st = nci_grid_copy(output->grid, &layer->grid, err);
    }
    if (!st)
        st = relate_store(lw, layer, from, err);
    if (!st && output->list)
        st = nci_lower_list(layer, output, err);
    nci_node_release(&node);
    return st;
}

static ncg_status lower_task_output(nci_lowering *lw, const nci_output *output,
                                    int number, ncg_error *err)
{
    int from = 0;
    nci_node name = {.token = nci_tasks_token(output->tasks), .name = "tasks"};
    NCI_TRY(nci_lower_tasks(lw, output->tasks, &from, err));
    nci_layer *layer =
        nci_lower_add_layer(lw, NCI_LAYER_STORE, &name, "keep", err);
    if (!layer || !nci_lower_add_input(layer, from, err))
        return NCG_ENOMEM;
    lw->plan->outputs[number] = lw->plan->nlayers - 1;
    layer->store.output = number;
    return nci_lower_list(layer, output, err);
}

static ncg_status add_users(nci_plan *plan, ncg_error *err)
{
    for (int u = 0; u < plan->nlayers; u++)
        for (int i = 0; i < plan->layers[u].ninputs; i++) {
            nci_layer *from = &plan->layers[plan->layers[u].inputs[i].layer];
            if (from->nusers && from->users[from->nusers - 1] == u)
                continue;
            size_t n = (size_t)from->nusers + 1;
            int *users = nci_realloc(from->users, n * sizeof *users);
            if (!users)
                return nci_fail(err, NCG_ENOMEM, "out of memory");
            from->users = users;
            from->users[from->nusers++] = u;
        }
    return NCG_OK;
}

static ncg_status number_tasks(nci_plan *plan, ncg_error *err)
{
    plan->bases = nci_alloc(((size_t)plan->nlayers + 1) * sizeof(int64_t));
    if (!plan->bases)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < plan->nlayers; i++) {
        nci_layer *layer = &plan->layers[i];
        layer->base = plan->ntasks;
        layer->ntasks = layer->kind == NCI_LAYER_TASKS
                            ? nci_tasks_count(layer->tasks.tasks)
                            : nci_grid_nchunks(&layer->grid);
        plan->bases[i] = plan->ntasks;
        plan->ntasks += layer->ntasks;
    }
    return NCG_OK;
}

ncg_status nci_lower(const nci_output *outputs, int noutputs, nci_plan **out,
                     ncg_error *err)
{
    return nci_lower_with(outputs, noutputs, NULL, NULL, out, err);
}

ncg_status nci_lower_with(const nci_output *outputs, int noutputs,
                          nci_replace_fn replace, void *ctx, nci_plan **out,
                          ncg_error *err)
{
    nci_lowering lw = {.plan = nci_calloc(1, sizeof *lw.plan),
                       .replace = replace,
                       .replace_ctx = ctx};
    ncg_status st = NCG_OK;
    if (lw.plan)
        lw.plan->outputs = nci_calloc((size_t)noutputs + 1, sizeof(int));
    if (!lw.plan || !lw.plan->outputs)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; !st && i < noutputs; i++, lw.plan->noutputs++)
        st = outputs[i].tasks ? lower_task_output(&lw, &outputs[i], i, err)
                              : lower_output(&lw, &outputs[i], i, err);
    if (!st)
        st = nci_pass_share(lw.plan, err);
    if (!st)
        st = add_users(lw.plan, err);
    if (!st)
        st = number_tasks(lw.plan, err);
    nci_free(lw.arrays);
    if (st) {
        nci_plan_free(&lw.plan);
        return st;
    }
    *out = lw.plan;
    return NCG_OK;
}
