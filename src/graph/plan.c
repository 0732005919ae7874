/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking a plan. The inputs of a task are a product of one list an axis; so
 * are its dependents. Nothing is stored a task.
 */
#include "graph/plan.h"

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/plan_internal.h"
#include "graph/relation.h"

static void free_inputs(nci_layer *layer)
{
    for (int i = 0; i < layer->ninputs; i++)
        for (int a = 0; a < NCG_MAX_RANK; a++)
            nci_relation_fini(&layer->inputs[i].relation[a]);
    nci_free(layer->inputs);
}

static void rows_fini(nci_rows *rows)
{
    nci_free(rows->first);
    nci_free(rows->labels);
    *rows = (nci_rows){0};
}

static void fused_fini(nci_fused *fused)
{
    for (int i = 0; i < fused->noperands; i++) {
        nci_access *access = &fused->operands[i];
        nci_buf_release(&access->data);
        for (int a = 0; a < access->rank; a++)
            nci_free((void *)access->picks[a].index);
    }
    nci_free(fused->labels);
    rows_fini(&fused->rows);
    for (int i = 0; i < fused->nmore; i++)
        fused_fini(&fused->more[i]);
    nci_free(fused->more);
}

size_t nci_fused_state(const nci_fused *fused, int n, int64_t ncells)
{
    enum { LINE = 64 };
    size_t nbytes = 0;
    for (int i = 0; i < n; i++) {
        const nci_fold *fold = &nci_fused_part(fused, i)->fold;
        nbytes += (nci_state_layout_of(fold, ncells).nbytes + LINE - 1) / LINE *
                  LINE;
    }
    return nbytes;
}

static void combine_fini(nci_combine *combine)
{
    rows_fini(&combine->in_rows);
    rows_fini(&combine->out_rows);
    nci_free(combine->population);
}

static void block_fini(nci_block_work *block)
{
    for (int i = 0; i < block->nargs; i++)
        for (int a = 0; a < NCG_MAX_RANK; a++) {
            nci_free(block->args[i].reach[a].low);
            nci_free(block->args[i].reach[a].high);
        }
    nci_free(block->args);
    nci_buf_release(&block->params);
}

void nci_layer_fini(nci_layer *layer)
{
    free_inputs(layer);
    nci_grid_fini(&layer->grid);
    nci_grid_fini(&layer->array);
    nci_free(layer->users);
    fused_fini(&layer->fused);
    combine_fini(&layer->combine);
    block_fini(&layer->block);
    nci_free(layer->store.list.items);
    nci_grid_fini(&layer->store.list.whole);
    nci_tasks_release(&layer->tasks.tasks);
}

bool nci_block_box(const nci_block_arg *arg, const int64_t *index,
                   nci_box *out)
{
    out->rank = arg->rank;
    for (int a = 0; a < arg->rank; a++) {
        const nci_reach *reach = &arg->reach[a];
        int64_t low = 0, high = arg->shape[a];
        if (reach->from >= 0) {
            low = reach->low[index[reach->from]];
            high = reach->high[index[reach->from]];
        }
        out->start[a] = low;
        out->count[a] = high - low;
    }
    return !nci_box_is_empty(out);
}

void nci_plan_free(nci_plan **slot)
{
    nci_plan *plan = *slot;
    *slot = NULL;
    if (!plan)
        return;
    for (int i = 0; i < plan->nlayers; i++)
        nci_layer_fini(&plan->layers[i]);
    nci_free(plan->layers);
    nci_free(plan->outputs);
    nci_free(plan->bases);
    nci_free(plan);
}

int64_t nci_product_size(const nci_product *p)
{
    int64_t n = 1;
    for (int d = 0; d < p->rank; d++)
        n *= p->count[d];
    return n;
}

void nci_product_visit(const nci_product *p, const nci_grid *grid, int64_t base,
                       int input, nci_dep_fn visit, void *ctx)
{
    int64_t at[NCG_MAX_RANK] = {0}, n = nci_product_size(p);
    for (int64_t i = 0; i < n; i++) {
        int64_t chunk = 0;
        for (int d = 0; d < p->rank; d++)
            chunk = chunk * grid->axis[d].nchunks +
                    (p->items[d] ? p->items[d][at[d]] : at[d]);
        visit(ctx, input, base + chunk);
        for (int d = p->rank - 1; d >= 0 && ++at[d] == p->count[d]; d--)
            at[d] = 0;
    }
}

void nci_product_deps(const nci_plan *plan, const int64_t *index,
                      const nci_layer_input *input, nci_product *p)
{
    const nci_layer *from = &plan->layers[input->layer];
    p->rank = from->grid.rank;
    for (int a = 0; a < p->rank; a++) {
        const nci_relation *r = &input->relation[a];
        int d = input->from[a];
        if (d < 0) {
            p->items[a] = NULL;
            p->count[a] = from->grid.axis[a].nchunks;
        } else {
            int64_t begin = r->first[index[d]];
            p->items[a] = r->items + begin;
            p->count[a] = r->first[index[d] + 1] - begin;
        }
    }
}

void nci_product_users(const nci_grid *users, const nci_layer_input *input,
                       const int64_t *index, int rank, nci_product *p)
{
    p->rank = users->rank;
    for (int d = 0; d < p->rank; d++) {
        p->items[d] = NULL;
        p->count[d] = users->axis[d].nchunks;
    }
    for (int a = 0; a < rank; a++) {
        const nci_relation *r = &input->relation[a];
        int d = input->from[a];
        if (d < 0)
            continue;
        int64_t begin = r->rfirst[index[a]];
        p->items[d] = r->ritems + begin;
        p->count[d] = r->rfirst[index[a] + 1] - begin;
    }
}

void nci_plan_deps(const nci_plan *plan, int64_t task, nci_dep_fn visit,
                   void *ctx)
{
    const nci_layer *layer = nci_plan_layer(plan, task);
    int64_t index[NCG_MAX_RANK];
    if (nci_is_listed(layer)) {
        nci_listed_deps(plan, layer, task - layer->base, visit, ctx);
        return;
    }
    nci_grid_index(&layer->grid, task - layer->base, index);
    for (int i = 0; i < layer->ninputs; i++) {
        const nci_layer *from = &plan->layers[layer->inputs[i].layer];
        nci_product p;
        nci_product_deps(plan, index, &layer->inputs[i], &p);
        nci_product_visit(&p, &from->grid, from->base, i, visit, ctx);
    }
}

/* What is done with the tasks that need one: visited, or only counted. */
typedef struct user_walk {
    nci_dep_fn visit; /* NULL: count */
    void *ctx;
    int64_t count;
} user_walk;

static void count_one(void *ctx, int input, int64_t task)
{
    (void)input, (void)task;
    ((user_walk *)ctx)->count++;
}

int64_t nci_plan_ndeps(const nci_plan *plan, int64_t task)
{
    const nci_layer *layer = nci_plan_layer(plan, task);
    int64_t index[NCG_MAX_RANK], n = 0;
    if (nci_is_listed(layer)) {
        user_walk walk = {0};
        nci_listed_deps(plan, layer, task - layer->base, count_one, &walk);
        return walk.count;
    }
    nci_grid_index(&layer->grid, task - layer->base, index);
    for (int i = 0; i < layer->ninputs; i++) {
        nci_product p;
        nci_product_deps(plan, index, &layer->inputs[i], &p);
        n += nci_product_size(&p);
    }
    return n;
}

static void walk_input(const nci_layer *layer, int64_t chunk,
                       const int64_t *index, const nci_layer *user, int input,
                       user_walk *walk)
{
    if (nci_is_listed(user)) {
        nci_listed_users(layer, chunk, user, input,
                         walk->visit ? walk->visit : count_one,
                         walk->visit ? walk->ctx : walk);
        return;
    }
    nci_product p;
    nci_product_users(&user->grid, &user->inputs[input], index,
                      layer->grid.rank, &p);
    if (walk->visit)
        nci_product_visit(&p, &user->grid, user->base, input, walk->visit,
                          walk->ctx);
    else
        walk->count += nci_product_size(&p);
}

static void each_user(const nci_plan *plan, int64_t task, user_walk *walk)
{
    const nci_layer *layer = nci_plan_layer(plan, task);
    int self = (int)(layer - plan->layers);
    int64_t index[NCG_MAX_RANK];
    nci_grid_index(&layer->grid, task - layer->base, index);
    for (int u = 0; u < layer->nusers; u++) {
        const nci_layer *user = &plan->layers[layer->users[u]];
        for (int i = 0; i < user->ninputs; i++)
            if (user->inputs[i].layer == self)
                walk_input(layer, task - layer->base, index, user, i, walk);
    }
}

void nci_plan_dependents(const nci_plan *plan, int64_t task, nci_dep_fn visit,
                         void *ctx)
{
    user_walk walk = {visit, ctx, 0};
    each_user(plan, task, &walk);
}

int64_t nci_plan_ndependents(const nci_plan *plan, int64_t task)
{
    user_walk walk = {0};
    each_user(plan, task, &walk);
    return walk.count;
}

static int64_t rows_of(const nci_rows *rows, int64_t chunk)
{
    return rows->first ? rows->first[chunk + 1] - rows->first[chunk] : 1;
}

static bool is_over(const nci_layer *layer, int d)
{
    return layer->kind == NCI_LAYER_FUSED ? layer->fused.over[d]
                                          : layer->combine.over[d];
}

int64_t nci_plan_cells(const nci_layer *layer, int64_t chunk)
{
    bool is_fused = layer->kind == NCI_LAYER_FUSED;
    const nci_rows *rows =
        is_fused ? &layer->fused.rows : &layer->combine.out_rows;
    int axis = is_fused ? layer->fused.label_axis : layer->combine.label_axis;
    int64_t index[NCG_MAX_RANK], cells = 1;
    nci_box box = nci_grid_box(&layer->grid, chunk);
    nci_grid_index(&layer->grid, chunk, index);
    for (int d = 0; d < layer->grid.rank; d++)
        if (!is_over(layer, d))
            cells *= box.count[d];
    return axis < 0 ? cells : cells * rows_of(rows, index[axis]);
}

/* Positions of a chunk, without making its box. */
static int64_t chunk_size(const nci_grid *grid, int64_t chunk)
{
    int64_t n = 1;
    for (int d = grid->rank - 1; d >= 0; d--) {
        const nci_axis *axis = &grid->axis[d];
        const int64_t *edge = axis->edge + chunk % axis->nchunks;
        n *= edge[1] - edge[0];
        chunk /= axis->nchunks;
    }
    return n;
}

int64_t nci_plan_bytes(const nci_plan *plan, int64_t task)
{
    const nci_layer *layer = nci_plan_layer(plan, task);
    int64_t chunk = task - layer->base;
    if (nci_is_listed(layer))
        return nci_listed_bytes(plan, layer, chunk);
    bool is_state =
        layer->kind == NCI_LAYER_FUSED
            ? layer->fused.folds
            : layer->kind == NCI_LAYER_COMBINE && !layer->combine.is_final;
    if (is_state && layer->kind == NCI_LAYER_FUSED && layer->fused.nmore)
        return (int64_t)nci_fused_state(&layer->fused, layer->fused.nmore + 1,
                                        nci_plan_cells(layer, chunk));
    if (is_state) {
        const nci_fold *fold = layer->kind == NCI_LAYER_FUSED
                                   ? &layer->fused.fold
                                   : &layer->combine.fold;
        return (int64_t)nci_state_layout_of(fold, nci_plan_cells(layer, chunk))
            .nbytes;
    }
    const nci_grid *grid =
        layer->kind == NCI_LAYER_STORE ? &layer->grid : &layer->array;
    ncg_dtype dtype =
        layer->kind == NCI_LAYER_STORE ? layer->store.to : layer->dtype;
    return chunk_size(grid, chunk) * (int64_t)ncg_dtype_size(dtype);
}
