/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A walk with a stack of its own: expressions may be thousands of operations
 * deep, and shared parts are looked at once.
 */
#include "graph/collect.h"

#include "base/mem.h"

static size_t find_slot(const nci_collection *all, nci_token token)
{
    size_t i = (size_t)token.low & (all->nslots - 1);
    while (all->slots[i] &&
           !nci_token_equal(all->nodes[all->slots[i] - 1]->token, token))
        i = (i + 1) & (all->nslots - 1);
    return i;
}

static bool widen(nci_collection *all)
{
    size_t n = all->nslots ? 2 * all->nslots : 64;
    uint32_t *slots = nci_calloc(n, sizeof *slots);
    if (!slots)
        return false;
    nci_free(all->slots);
    all->slots = slots;
    all->nslots = n;
    for (size_t k = 0; k < all->count; k++)
        slots[find_slot(all, all->nodes[k]->token)] = (uint32_t)k + 1;
    return true;
}

int64_t nci_collect_find(const nci_collection *all, nci_token token)
{
    return all->nslots ? (int64_t)all->slots[find_slot(all, token)] - 1 : -1;
}

static bool add(nci_collection *all, nci_node *node)
{
    if (nci_collect_find(all, node->token) >= 0)
        return true;
    if (2 * (all->count + 1) > all->nslots && !widen(all))
        return false;
    if (!nci_grow(&all->nodes, &all->capacity, all->count + 1,
                  sizeof *all->nodes))
        return false;
    size_t slot = find_slot(all, node->token);
    all->nodes[all->count++] = node;
    all->slots[slot] = (uint32_t)all->count;
    return true;
}

typedef struct visit {
    nci_node *node;
    int next; /* input to look at */
} visit;

typedef struct stack {
    visit *items;
    size_t depth, capacity;
} stack;

static bool push(stack *s, nci_node *node)
{
    if (!nci_grow(&s->items, &s->capacity, s->depth + 1, sizeof *s->items))
        return false;
    s->items[s->depth++] = (visit){node, 0};
    return true;
}

ncg_status nci_collect(nci_collection *all, nci_node *root, ncg_error *err)
{
    stack s = {0};
    bool good = push(&s, root);
    while (good && s.depth) {
        visit *top = &s.items[s.depth - 1];
        if (top->next < top->node->ninputs) {
            nci_node *input = top->node->inputs[top->next++].node;
            if (nci_collect_find(all, input->token) < 0)
                good = push(&s, input);
            continue;
        }
        good = add(all, top->node);
        s.depth--;
    }
    nci_free(s.items);
    return good ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

void nci_collect_fini(nci_collection *all)
{
    nci_free(all->nodes);
    nci_free(all->slots);
    *all = (nci_collection){0};
}
