/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/costs.h"

#include <stdatomic.h>

int64_t nci_costs_encode(const nci_layer *layer)
{
    int64_t bytes = (int64_t)ncg_dtype_size(layer->store.to);
    for (int d = 0; d < layer->grid.rank; d++)
        if (layer->grid.axis[d].nchunks > 0)
            bytes *= layer->grid.axis[d].edge[1];
    return 2 * bytes + bytes / 64 + 4096;
}

int64_t nci_costs_scratch(void *arg, int64_t task, int threads)
{
    const nci_costs *costs = arg;
    const nci_layer *layer = nci_plan_layer(costs->plan, task);
    int64_t bytes =
        nci_kernel_scratch(costs->plan, costs->sources, costs->kernels, task,
                           threads);
    if (costs->encodes && layer->kind == NCI_LAYER_STORE)
        bytes += nci_costs_encode(layer);
    return bytes;
}

int64_t nci_costs_most_scratch(void *arg, int number)
{
    const nci_costs *costs = arg;
    const nci_layer *layer = &costs->plan->layers[number];
    int64_t bytes = nci_kernel_most_scratch(costs->plan, costs->sources,
                                            costs->kernels, layer);
    if (costs->encodes && layer->kind == NCI_LAYER_STORE)
        bytes += nci_costs_encode(layer);
    return bytes;
}

int nci_costs_threads(void *arg, int64_t task, int available)
{
    const nci_costs *costs = arg;
    return nci_kernel_threads(costs->plan, costs->sources, task, available);
}

ncg_status nci_costs_run(void *ctx, const nci_task_env *env, int64_t task,
                         const nci_dep *deps, int64_t ndeps, nci_buf **out,
                         ncg_error *err)
{
    const nci_costs *costs = ctx;
    ncg_status st = nci_kernel_run(env, task, deps, ndeps, out, err);
    for (int i = 0; st && i < costs->retries; i++) {
        if (st == NCG_ECANCELED || atomic_load(env->cancelled))
            break;
        nci_error_clear(err);
        st = nci_kernel_run(env, task, deps, ndeps, out, err);
    }
    return st;
}
