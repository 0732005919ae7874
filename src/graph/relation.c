/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A relation is two compressed lists, one for each direction. They are made
 * once a layer and axis, so their size follows the chunks along one axis, not
 * the tasks.
 */
#include "graph/relation.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void nci_relation_fini(nci_relation *relation)
{
    nci_free(relation->first);
    nci_free(relation->items);
    nci_free(relation->rfirst);
    nci_free(relation->ritems);
    *relation = (nci_relation){0};
}

/* The other direction by counting sort: lists stay ascending. */
static ncg_status invert(nci_relation *r, ncg_error *err)
{
    int64_t n = r->first[r->nout];
    r->rfirst = nci_calloc((size_t)r->nin + 2, sizeof *r->rfirst);
    r->ritems = nci_calloc((size_t)n + 1, sizeof *r->ritems);
    if (!r->rfirst || !r->ritems)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    int64_t *next = r->rfirst + 1; /* shifted: becomes the starts at the end */
    for (int64_t i = 0; i < n; i++)
        next[r->items[i] + 1]++;
    for (int64_t j = 0; j < r->nin; j++)
        next[j + 1] += next[j];
    for (int64_t i = 0; i < r->nout; i++)
        for (int64_t k = r->first[i]; k < r->first[i + 1]; k++)
            r->ritems[next[r->items[k]]++] = i;
    return NCG_OK;
}

ncg_status nci_relation_from_lists(int64_t nout, int64_t nin, int64_t *first,
                                   int64_t *items, nci_relation *out,
                                   ncg_error *err)
{
    nci_relation r = {nout, nin, first, items, NULL, NULL};
    ncg_status st = invert(&r, err);
    if (st) {
        nci_free(r.rfirst);
        nci_free(r.ritems);
        return st;
    }
    *out = r;
    return NCG_OK;
}

typedef struct list_maker {
    int64_t *first, *items;
    size_t nitems, capacity;
} list_maker;

static ncg_status maker_init(list_maker *maker, int64_t nout, ncg_error *err)
{
    *maker = (list_maker){0};
    maker->first = nci_calloc((size_t)nout + 1, sizeof *maker->first);
    if (!maker->first)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return NCG_OK;
}

static bool maker_add(list_maker *maker, int64_t item)
{
    if (!nci_grow(&maker->items, &maker->capacity, maker->nitems + 1,
                  sizeof *maker->items))
        return false;
    maker->items[maker->nitems++] = item;
    return true;
}

static ncg_status maker_done(list_maker *maker, ncg_status st, int64_t nout,
                             int64_t nin, nci_relation *out, ncg_error *err)
{
    if (!st && !maker->items && !maker_add(maker, 0))
        st = NCG_ENOMEM;
    if (st == NCG_ENOMEM)
        nci_fail(err, st, "out of memory");
    if (!st)
        st = nci_relation_from_lists(nout, nin, maker->first, maker->items, out,
                                     err);
    if (st) {
        nci_free(maker->first);
        nci_free(maker->items);
    }
    return st;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts the items from `start` on and drops repeats. */
static void maker_tidy(list_maker *maker, size_t start)
{
    size_t n = start;
    if (maker->nitems - start < 2)
        return;
    qsort(maker->items + start, maker->nitems - start, sizeof *maker->items,
          compare);
    for (size_t i = start; i < maker->nitems; i++)
        if (n == start || maker->items[i] != maker->items[n - 1])
            maker->items[n++] = maker->items[i];
    maker->nitems = n;
}

static bool add_chunk_of(list_maker *maker, const nci_axis *input,
                         int64_t position, size_t start)
{
    int64_t chunk = nci_axis_find(input, position);
    if (maker->nitems > start && maker->items[maker->nitems - 1] == chunk)
        return true;
    return maker_add(maker, chunk);
}

/* The chunks of positions [low, high] of an affine pick with step +-1: no
 * need to look at each position. */
static bool add_range(list_maker *maker, const nci_axis *input, int64_t low,
                      int64_t high)
{
    int64_t last = nci_axis_find(input, high);
    for (int64_t c = nci_axis_find(input, low); c <= last; c++)
        if (!maker_add(maker, c))
            return false;
    return true;
}

static bool add_picked(list_maker *maker, const nci_pick *pick, int64_t begin,
                       int64_t end, const nci_axis *input)
{
    size_t start = maker->nitems;
    if (!pick->index && (pick->step == 1 || pick->step == -1)) {
        int64_t a = pick->start + begin * pick->step;
        int64_t b = pick->start + (end - 1) * pick->step;
        return add_range(maker, input, a < b ? a : b, a < b ? b : a);
    }
    for (int64_t i = begin; i < end; i++) {
        int64_t position =
            pick->index ? pick->index[i] : pick->start + i * pick->step;
        if (!add_chunk_of(maker, input, position, start))
            return false;
    }
    maker_tidy(maker, start);
    return true;
}

ncg_status nci_relation_from_pick(const nci_axis *ours, const nci_pick *pick,
                                  const nci_axis *input, nci_relation *out,
                                  ncg_error *err)
{
    list_maker maker;
    NCI_TRY(maker_init(&maker, ours->nchunks, err));
    ncg_status st = NCG_OK;
    for (int64_t i = 0; !st && i < ours->nchunks; i++) {
        if (!add_picked(&maker, pick, ours->edge[i], ours->edge[i + 1], input))
            st = NCG_ENOMEM;
        maker.first[i + 1] = (int64_t)maker.nitems;
    }
    return maker_done(&maker, st, ours->nchunks, input->nchunks, out, err);
}

ncg_status nci_relation_runs(int64_t nin, int64_t arity, nci_relation *out,
                             ncg_error *err)
{
    int64_t nout = (nin + arity - 1) / arity;
    list_maker maker;
    NCI_TRY(maker_init(&maker, nout, err));
    ncg_status st = NCG_OK;
    for (int64_t i = 0; !st && i < nout; i++) {
        for (int64_t j = i * arity; j < (i + 1) * arity && j < nin; j++)
            if (!maker_add(&maker, j))
                st = NCG_ENOMEM;
        maker.first[i + 1] = (int64_t)maker.nitems;
    }
    return maker_done(&maker, st, nout, nin, out, err);
}

ncg_status nci_relation_from_reach(const nci_reach *reach, int64_t nchunks,
                                   const nci_axis *input, nci_relation *out,
                                   ncg_error *err)
{
    int64_t total = 0;
    int64_t *first = nci_calloc((size_t)nchunks + 1, sizeof *first);
    if (!first)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < nchunks; i++) {
        if (reach->low[i] < reach->high[i])
            total += nci_axis_find(input, reach->high[i] - 1) -
                     nci_axis_find(input, reach->low[i]) + 1;
        first[i + 1] = total;
    }
    int64_t *items = nci_alloc(((size_t)total + 1) * sizeof *items);
    ncg_status st = items ? NCG_OK
                          : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; !st && i < nchunks; i++) {
        if (first[i] == first[i + 1])
            continue;
        int64_t chunk = nci_axis_find(input, reach->low[i]);
        for (int64_t k = first[i]; k < first[i + 1]; k++)
            items[k] = chunk++;
    }
    if (!st)
        st = nci_relation_from_lists(nchunks, input->nchunks, first, items, out,
                                     err);
    if (st) {
        nci_free(first);
        nci_free(items);
    }
    return st;
}
