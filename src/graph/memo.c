/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/memo.h"

#include "base/mem.h"

static struct nci_memo_entry *place(const nci_memo *memo, nci_token token)
{
    size_t mask = memo->capacity - 1, i = (size_t)token.low & mask;
    while (memo->entries[i].node &&
           !nci_token_equal(memo->entries[i].token, token))
        i = (i + 1) & mask;
    return &memo->entries[i];
}

nci_node *nci_memo_find(const nci_memo *memo, nci_token token)
{
    return memo->capacity ? place(memo, token)->node : NULL;
}

static ncg_status grow(nci_memo *memo, ncg_error *err)
{
    nci_memo old = *memo;
    memo->capacity = old.capacity ? 2 * old.capacity : 64;
    memo->entries = nci_calloc(memo->capacity, sizeof *memo->entries);
    if (!memo->entries) {
        *memo = old;
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].node)
            *place(memo, old.entries[i].token) = old.entries[i];
    nci_free(old.entries);
    return NCG_OK;
}

ncg_status nci_memo_keep(nci_memo *memo, nci_token token, nci_node *node,
                         ncg_error *err)
{
    if (2 * (memo->count + 1) > memo->capacity)
        NCI_TRY(grow(memo, err));
    struct nci_memo_entry *entry = place(memo, token);
    if (entry->node)
        return NCG_OK;
    *entry = (struct nci_memo_entry){token, nci_node_retain(node)};
    memo->count++;
    return NCG_OK;
}

void nci_memo_fini(nci_memo *memo)
{
    for (size_t i = 0; i < memo->capacity; i++)
        nci_node_release(&memo->entries[i].node);
    nci_free(memo->entries);
    *memo = (nci_memo){0};
}
