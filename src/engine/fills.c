/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters of default fills, by layer while a run goes on, then by source. */
#include "engine/fills.h"

#include "base/mem.h"

ncg_status nci_fills_create(const nci_plan *plan, _Atomic int64_t **out,
                            ncg_error *err)
{
    _Atomic int64_t *counts =
        nci_calloc((size_t)plan->nlayers + 1, sizeof *counts);
    if (!counts)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *out = counts;
    return NCG_OK;
}

static nci_source *source_of(const nci_layer *layer,
                             const nci_source_table *sources)
{
    const nci_access *access = &layer->fused.operands[0];
    if (layer->kind != NCI_LAYER_FUSED || !layer->fused.noperands ||
        access->kind != NCI_OPERAND_SOURCE)
        return NULL;
    return (nci_source *)nci_source_table_get(sources, access->source);
}

/* Files that were opened twice are two sources with one token. */
static bool is_same(const nci_source *a, const nci_source *b)
{
    return a == b || (b && nci_token_equal(a->spec->token, b->spec->token));
}

/* The most that a layer met of the source of layer i; 0 where an earlier layer
 * has answered for it. */
static int64_t most_of(const nci_plan *plan, const nci_source_table *sources,
                       const _Atomic int64_t *counts, int i)
{
    int64_t most = 0;
    const nci_source *source = source_of(&plan->layers[i], sources);
    for (int k = 0; source && k < plan->nlayers; k++) {
        int64_t n = atomic_load(&counts[k]);
        if (!n || !is_same(source, source_of(&plan->layers[k], sources)))
            continue;
        if (k < i)
            return 0;
        most = n > most ? n : most;
    }
    return most;
}

int64_t nci_fills_end(const nci_plan *plan, const nci_source_table *sources,
                      const _Atomic int64_t *counts)
{
    int64_t sum = 0;
    for (int i = 0; i < plan->nlayers; i++) {
        int64_t n =
            atomic_load(&counts[i]) ? most_of(plan, sources, counts, i) : 0;
        if (!n)
            continue;
        nci_source *source = source_of(&plan->layers[i], sources);
        atomic_store(&source->default_fills, n);
        sum += n;
    }
    return sum;
}

/* ---- of other processes -------------------------------------------------- */

static bool make_told(nci_fills_told *told, const nci_plan *plan)
{
    if (told->of_layer)
        return true;
    told->of_layer =
        nci_calloc((size_t)plan->nlayers + 1, sizeof *told->of_layer);
    told->seen =
        nci_calloc((size_t)plan->ntasks / 64 + 1, sizeof *told->seen);
    if (!told->of_layer || !told->seen) {
        nci_fills_told_fini(told);
        return false;
    }
    told->nlayers = plan->nlayers;
    return true;
}

void nci_fills_tell(nci_fills_told *told, const nci_plan *plan, int64_t task,
                    int64_t n)
{
    uint64_t bit = UINT64_C(1) << (task & 63);
    if (!make_told(told, plan) || told->seen[task >> 6] & bit)
        return;
    int64_t *sum = &told->of_layer[nci_plan_layer(plan, task) - plan->layers];
    told->seen[task >> 6] |= bit;
    if (n <= INT64_MAX - *sum)
        *sum += n;
}

void nci_fills_told_fini(nci_fills_told *told)
{
    nci_free(told->of_layer);
    nci_free(told->seen);
    *told = (nci_fills_told){0};
}

int64_t nci_fills_given(const nci_plan *plan, const nci_source_table *sources,
                        const int64_t *given, int64_t n)
{
    _Atomic int64_t *counts = NULL;
    if (!n || !sources || nci_fills_create(plan, &counts, NULL))
        return 0;
    for (int64_t i = 0; i < n && i < plan->nlayers; i++)
        atomic_store(&counts[i], given[i] > 0 ? given[i] : 0);
    int64_t sum = nci_fills_end(plan, sources, counts);
    nci_free((void *)counts);
    return sum;
}

int64_t nci_fills_untold(const nci_layer *layer,
                         const nci_source_table *sources, const char **name)
{
    nci_source *source = source_of(layer, sources);
    int64_t n = source ? atomic_load(&source->default_fills) : 0;
    if (!n || atomic_exchange(&source->has_told_fills, true))
        return 0;
    *name = source->spec->name;
    return n;
}
