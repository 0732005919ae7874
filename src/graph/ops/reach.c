/* SPDX-License-Identifier: BSD-3-Clause */
/* Which boxes of its inputs a BLOCK node needs, for the usual cases. */
#include "base/mem.h"
#include "graph/ops/ops.h"

void nci_reach_fini(nci_reach *reach)
{
    nci_free(reach->low);
    nci_free(reach->high);
    *reach = (nci_reach){.from = -1};
}

static int64_t clip(int64_t position, int64_t size)
{
    return position < 0 ? 0 : position > size ? size : position;
}

ncg_status nci_reach_follow(int from, const nci_axis *ours, int64_t mul,
                            int64_t div, int64_t before, int64_t after,
                            int64_t size, nci_reach *out, ncg_error *err)
{
    size_t n = (size_t)ours->nchunks + 1;
    nci_reach reach = {from, nci_alloc(n * sizeof(int64_t)),
                       nci_alloc(n * sizeof(int64_t))};
    if (!reach.low || !reach.high) {
        nci_reach_fini(&reach);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    for (int64_t i = 0; i < ours->nchunks; i++) {
        int64_t end = (ours->edge[i + 1] * mul + div - 1) / div;
        reach.low[i] = clip(ours->edge[i] * mul / div - before, size);
        reach.high[i] = clip(end + after, size);
        if (reach.high[i] < reach.low[i])
            reach.high[i] = reach.low[i];
    }
    *out = reach;
    return NCG_OK;
}

static int64_t positions_along(const nci_axis *like, int64_t wanted)
{
    int64_t n = like->nchunks > 0 ? like->nchunks : 1;
    int64_t chunk = (nci_axis_size(like) + n - 1) / n;
    chunk = chunk < 1 ? 1 : chunk;
    return wanted <= chunk ? wanted : wanted / chunk * chunk;
}

/* Axes that are not whole are cut from the first one on, so that chunks stay
 * long along the last axis, where values lie side by side. */
ncg_status nci_ops_uniform_grid(int rank, const int64_t *shape, size_t item,
                                const bool *whole, const nci_grid *like,
                                int64_t target, nci_grid *out, ncg_error *err)
{
    int64_t chunk[NCG_MAX_RANK], bytes = (int64_t)item;
    for (int d = 0; d < rank; d++) {
        chunk[d] = shape[d] > 0 ? shape[d] : 1;
        if (whole[d] && chunk[d] > 0 && bytes < INT64_MAX / chunk[d])
            bytes *= chunk[d];
    }
    for (int d = rank - 1; d >= 0; d--) {
        if (whole[d])
            continue;
        int64_t most = bytes < target ? target / bytes : 1;
        if (chunk[d] > most)
            chunk[d] = like ? positions_along(&like->axis[d], most) : most;
        chunk[d] = chunk[d] < 1 ? 1 : chunk[d];
        bytes = bytes < INT64_MAX / chunk[d] ? bytes * chunk[d] : bytes;
    }
    return nci_grid_regular(rank, shape, chunk, out, err);
}
