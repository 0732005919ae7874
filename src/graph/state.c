/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/state.h"

static int values_of(const nci_fold *fold)
{
    switch (fold->op) {
    case NCG_OP_COUNT:
        return 0;
    case NCG_OP_MEAN:
    case NCG_OP_SUM:
        return fold->is_weighted ? 2 : 1;
    case NCG_OP_STD:
    case NCG_OP_VAR:
        return fold->is_weighted ? 3 : 2;
    case NCG_OP_RANGE:
        return 2;
    default:
        return 1;
    }
}

static size_t place(size_t *end, size_t nbytes)
{
    size_t at = *end;
    *end += (nbytes + 63) & ~(size_t)63;
    return at;
}

nci_state_layout nci_state_layout_of(const nci_fold *fold, int64_t ncells)
{
    nci_state_layout layout = {.nvalues = values_of(fold)};
    size_t n = (size_t)ncells;
    layout.has_index = fold->op == NCG_OP_ARGMIN || fold->op == NCG_OP_ARGMAX ||
                       fold->op == NCG_OP_FIRST || fold->op == NCG_OP_LAST;
    for (int i = 0; i < layout.nvalues; i++)
        layout.value[i] = place(&layout.nbytes, 8 * n);
    if (layout.has_index)
        layout.index = place(&layout.nbytes, 8 * n);
    layout.count = place(&layout.nbytes, (fold->wide_counts ? 8 : 4) * n);
    return layout;
}
