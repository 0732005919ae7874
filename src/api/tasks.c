/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of explicit tasks, as programs make them. */
#include "api/graph.h"
#include "base/mem.h"
#include "base/text.h"
#include "graph/collect.h"

ncg_status ncg_tasks_create(ncg_tasks **out, ncg_error *err)
{
    if (!out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    ncg_tasks *tasks = nci_calloc(1, sizeof *tasks);
    if (!tasks)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_handle_init(&tasks->handle, NCI_HANDLE_TASKS);
    ncg_status st = nci_tasks_create(&tasks->list, err);
    if (st)
        nci_free(tasks);
    else
        *out = tasks;
    return st;
}

void ncg_tasks_free(ncg_tasks **slot)
{
    ncg_tasks *tasks = slot ? *slot : NULL;
    if (!tasks)
        return;
    nci_handle_assert(&tasks->handle, NCI_HANDLE_TASKS, __func__);
    *slot = NULL;
    nci_tasks_release(&tasks->list);
    nci_free(tasks->deps);
    nci_handle_free(&tasks->handle);
}

void ncg_tasks_sizes(ncg_tasks *tasks, int64_t nbytes)
{
    if (!tasks)
        return;
    nci_handle_assert(&tasks->handle, NCI_HANDLE_TASKS, __func__);
    tasks->nbytes = nbytes > 0 ? nbytes : 0;
}

/* The rest of `spec` is there. */
static ncg_status add(ncg_tasks *tasks, nci_task_spec *spec,
                      const char *const *deps, int64_t *number, ncg_error *err)
{
    NCI_TRY(nci_handle_check(&tasks->handle, NCI_HANDLE_TASKS, err));
    if (!nci_grow(&tasks->deps, &tasks->deps_capacity, spec->ndeps + 1,
                  sizeof *tasks->deps))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < spec->ndeps; i++) {
        if (!deps[i])
            return nci_fail(err, NCG_EINVAL, "input %zu is NULL", i);
        NCI_TRY(nci_tasks_mention(tasks->list, deps[i], &tasks->deps[i], err));
    }
    spec->deps = tasks->deps;
    spec->kind.nbytes = tasks->nbytes;
    return nci_tasks_add(tasks->list, spec, number, err);
}

ncg_status ncg_tasks_add(ncg_tasks *tasks, const char *key, ncg_task_fn fn,
                         void *payload, const char *const *deps, size_t ndeps,
                         int64_t *number, ncg_error *err)
{
    if (!tasks || !fn || (ndeps && !deps))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    nci_task_spec spec = {
        .name = key, .kind = {.fn = fn}, .payload = payload, .ndeps = ndeps};
    return add(tasks, &spec, deps, number, err);
}

ncg_status ncg_tasks_add_named(ncg_tasks *tasks, const char *key,
                               const char *function, const void *params,
                               size_t nparams, const char *const *deps,
                               size_t ndeps, int64_t *number, ncg_error *err)
{
    if (!tasks || !function || (ndeps && !deps) || (nparams && !params))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    nci_task_spec spec = {.name = key,
                          .kind = {.name = nci_intern(function)},
                          .params = params,
                          .nparams = nparams,
                          .ndeps = ndeps};
    if (!spec.kind.name)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return add(tasks, &spec, deps, number, err);
}

ncg_status ncg_tasks_add_many(ncg_tasks *tasks, int64_t n, ncg_task_fn fn,
                              void *const *payloads, const int64_t *first,
                              const int64_t *deps, int64_t *number,
                              ncg_error *err)
{
    if (!tasks || !fn || n < 0 || (first && !deps && first[n] > first[0]))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL or negative");
    NCI_TRY(nci_handle_check(&tasks->handle, NCI_HANDLE_TASKS, err));
    nci_task_kind kind = {.fn = fn, .nbytes = tasks->nbytes};
    return nci_tasks_add_many(tasks->list, n, &kind, payloads, first, deps,
                              number, err);
}

static nci_node *find_array(void *ctx, nci_token token)
{
    const nci_collection *all = ctx;
    int64_t place = nci_collect_find(all, token);
    return place < 0 ? NULL : all->nodes[place];
}

static ncg_status seal(nci_tasks *list, const ncg_graph *arrays, ncg_error *err)
{
    nci_collection all = {0};
    ncg_status st = NCG_OK;
    for (size_t i = 0; arrays && !st && i < arrays->nroots; i++)
        st = nci_collect(&all, arrays->roots[i].node, err);
    if (!st)
        st = nci_tasks_seal(list, find_array, &all, err);
    nci_collect_fini(&all);
    return st;
}

ncg_status ncg_graph_of_tasks(ncg_tasks *tasks, ncg_graph *arrays,
                              ncg_graph **out, ncg_error *err)
{
    ncg_graph *graph = NULL;
    if (!tasks || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&tasks->handle, NCI_HANDLE_TASKS, err));
    if (arrays)
        NCI_TRY(nci_handle_check(&arrays->handle, NCI_HANDLE_GRAPH, err));
    NCI_TRY(seal(tasks->list, arrays, err));
    NCI_TRY(ncg_graph_merge(&arrays, arrays ? 1 : 0, &graph, err));
    graph->is_optimized = false;
    ncg_status st = nci_graph_add_tasks(graph, tasks->list, err);
    if (st)
        ncg_graph_release(&graph);
    else
        *out = graph;
    return st;
}

ncg_status ncg_tasks_key(const ncg_tasks *tasks, const char *name,
                         int64_t number, ncg_key *out, ncg_error *err)
{
    if (!tasks || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&tasks->handle, NCI_HANDLE_TASKS, err));
    int64_t n = nci_tasks_count(tasks->list);
    if (name)
        number = nci_tasks_find(tasks->list, name);
    if (name && number < 0)
        return nci_fail(err, NCG_EINVAL, "no task is named \"%.100s\"", name);
    if (number < 0 || number >= n)
        return nci_fail(err, NCG_EINVAL, "no task %lld of %lld",
                        (long long)number, (long long)n);
    ncg_key key = {.rank = 1};
    nci_token_text(nci_tasks_token(tasks->list), key.layer);
    key.index[0] = number;
    *out = key;
    return NCG_OK;
}
