/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking layers whose tasks are listed one by one: explicit tasks, and stores
 * of some chunks of an array or of some tasks.
 */
#include "base/dtype.h"
#include "graph/plan_internal.h"

/* ---- explicit tasks --------------------------------------------------------
 */

static void task_deps(const nci_plan *plan, const nci_layer *layer,
                      int64_t task, nci_dep_fn visit, void *ctx)
{
    int64_t count = 0, nforeign = 0;
    const nci_tasks *tasks = layer->tasks.tasks;
    const int32_t *deps = nci_tasks_deps(tasks, task, &count);
    const nci_foreign *foreign = nci_tasks_foreign(tasks, &nforeign);
    for (int64_t i = 0; i < count; i++) {
        if (deps[i] >= 0) {
            visit(ctx, layer->tasks.self, layer->base + deps[i]);
            continue;
        }
        const nci_foreign *key = &foreign[~deps[i]];
        const nci_layer *from = &plan->layers[layer->inputs[key->array].layer];
        visit(ctx, key->array, from->base + key->chunk);
    }
}

static void visit_tasks(const nci_layer *layer, int input, const int32_t *tasks,
                        int64_t count, nci_dep_fn visit, void *ctx)
{
    for (int64_t i = 0; i < count; i++)
        visit(ctx, input, layer->base + tasks[i]);
}

/* The first foreign key at (array, chunk) or behind it. */
static int64_t find_foreign(const nci_foreign *foreign, int64_t n, int array,
                            int64_t chunk)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        const nci_foreign *key = &foreign[middle];
        if (key->array < array || (key->array == array && key->chunk < chunk))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void task_users(const nci_layer *user, int input, int64_t chunk,
                       nci_dep_fn visit, void *ctx)
{
    const nci_tasks *tasks = user->tasks.tasks;
    int64_t count = 0, n = 0;
    if (input == user->tasks.self) {
        const int32_t *users = nci_tasks_users(tasks, chunk, &count);
        visit_tasks(user, input, users, count, visit, ctx);
        return;
    }
    const nci_foreign *foreign = nci_tasks_foreign(tasks, &n);
    for (int64_t i = find_foreign(foreign, n, input, chunk);
         i < n && foreign[i].array == input && foreign[i].chunk == chunk; i++) {
        const int32_t *users = nci_tasks_foreign_users(tasks, i, &count);
        visit_tasks(user, input, users, count, visit, ctx);
    }
}

/* ---- stores of a list -------------------------------------------------------
 */

static void store_deps(const nci_plan *plan, const nci_layer *layer,
                       int64_t chunk, nci_dep_fn visit, void *ctx)
{
    const nci_store_list *list = &layer->store.list;
    const nci_layer *from = &plan->layers[layer->inputs[0].layer];
    const int64_t *edge = layer->grid.axis[0].edge;
    for (int64_t i = edge[chunk]; i < edge[chunk + 1]; i++) {
        int64_t index[NCG_MAX_RANK];
        nci_product p;
        if (list->of_tasks) {
            visit(ctx, 0, from->base + list->items[i]);
            continue;
        }
        nci_grid_index(&list->whole, list->items[i], index);
        nci_product_deps(plan, index, &layer->inputs[0], &p);
        nci_product_visit(&p, &from->grid, from->base, 0, visit, ctx);
    }
}

/* Visits the task that stores `item`, if one does. */
static void visit_item(const nci_layer *user, int64_t item, nci_dep_fn visit,
                       void *ctx)
{
    const nci_store_list *list = &user->store.list;
    int64_t low = 0, high = list->count;
    if (item < high && list->items[item] == item)
        low = high = item; /* as it is where all are listed */
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (list->items[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    int64_t every = list->of_tasks ? NCI_STORE_TASKS : 1;
    if (low < list->count && list->items[low] == item)
        visit(ctx, 0, user->base + low / every);
}

typedef struct item_walk {
    const nci_layer *user;
    nci_dep_fn visit;
    void *ctx;
} item_walk;

static void visit_chunk(void *ctx, int input, int64_t item)
{
    const item_walk *w = ctx;
    (void)input;
    visit_item(w->user, item, w->visit, w->ctx);
}

static void store_users(const nci_layer *layer, int64_t chunk,
                        const nci_layer *user, nci_dep_fn visit, void *ctx)
{
    int64_t index[NCG_MAX_RANK];
    nci_product p;
    item_walk walk = {user, visit, ctx};
    if (user->store.list.of_tasks) {
        visit_item(user, chunk, visit, ctx);
        return;
    }
    const nci_grid *whole = &user->store.list.whole;
    nci_grid_index(&layer->grid, chunk, index);
    nci_product_users(whole, &user->inputs[0], index, layer->grid.rank, &p);
    nci_product_visit(&p, whole, 0, 0, visit_chunk, &walk);
}

/* ---- both
 * -------------------------------------------------------------------- */

void nci_listed_deps(const nci_plan *plan, const nci_layer *layer,
                     int64_t chunk, nci_dep_fn visit, void *ctx)
{
    if (layer->kind == NCI_LAYER_TASKS)
        task_deps(plan, layer, chunk, visit, ctx);
    else
        store_deps(plan, layer, chunk, visit, ctx);
}

void nci_listed_users(const nci_layer *layer, int64_t chunk,
                      const nci_layer *user, int input, nci_dep_fn visit,
                      void *ctx)
{
    if (user->kind == NCI_LAYER_TASKS)
        task_users(user, input, chunk, visit, ctx);
    else
        store_users(layer, chunk, user, visit, ctx);
}

nci_box nci_store_box(const nci_layer *layer, int64_t chunk)
{
    const nci_store_list *list = &layer->store.list;
    if (!list->items || list->of_tasks)
        return nci_grid_box(&layer->grid, chunk);
    return nci_grid_box(&list->whole,
                        list->items[layer->grid.axis[0].edge[chunk]]);
}

int64_t nci_listed_bytes(const nci_plan *plan, const nci_layer *layer,
                         int64_t chunk)
{
    int64_t bytes = 0;
    if (layer->kind == NCI_LAYER_TASKS)
        return nci_tasks_kind(layer->tasks.tasks, chunk)->nbytes +
               nci_tasks_most_away(layer->tasks.tasks);
    if (!layer->store.list.of_tasks) {
        nci_box box = nci_store_box(layer, chunk);
        return nci_box_size(&box) * (int64_t)ncg_dtype_size(layer->store.to);
    }
    const nci_tasks *tasks = plan->layers[layer->inputs[0].layer].tasks.tasks;
    const int64_t *edge = layer->grid.axis[0].edge;
    for (int64_t i = edge[chunk]; i < edge[chunk + 1]; i++)
        bytes += nci_tasks_kind(tasks, layer->store.list.items[i])->nbytes +
                 nci_tasks_most_away(tasks);
    return bytes;
}
