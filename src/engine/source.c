/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk over tiles, whatever the kind of source. A source is immutable once
 * added; pointers to it stay good while the table grows. */
#include "engine/source_internal.h"

int64_t nci_source_scratch(const nci_source *source)
{
    return source->scratch;
}

ncg_status nci_source_each_tile_if(const nci_source *source, const nci_box *box,
                                   nci_scratch *scratch, nci_tile_want_fn wants,
                                   nci_tile_fn visit, void *ctx, ncg_error *err)
{
    if (nci_box_is_empty(box))
        return NCG_OK;
    return source->kind->each_tile(source, box, scratch, wants, visit, ctx,
                                   err);
}

ncg_status nci_source_chunk(const nci_source *source, const nci_box *box,
                            nci_buf **out, ncg_error *err)
{
    const nci_grid *grid = &source->spec->grid;
    int64_t index[NCG_MAX_RANK];
    *out = NULL;
    if (!source->kind->make_chunk || nci_box_is_empty(box))
        return NCG_OK;
    for (int d = 0; d < grid->rank; d++) {
        const nci_axis *axis = &grid->axis[d];
        index[d] = nci_axis_find(axis, box->start[d]);
        if (box->start[d] + box->count[d] > axis->edge[index[d] + 1])
            return NCG_OK;
    }
    return source->kind->make_chunk(source, nci_grid_number(grid, index), box,
                                    out, err);
}

ncg_status nci_source_each_tile(const nci_source *source, const nci_box *box,
                                nci_scratch *scratch, nci_tile_fn visit,
                                void *ctx, ncg_error *err)
{
    return nci_source_each_tile_if(source, box, scratch, NULL, visit, ctx, err);
}

ncg_status nci_source_each_chunk(const nci_source *source, const nci_box *box,
                                 nci_tile_want_fn wants, void *want_ctx,
                                 nci_source_chunk_fn visit, void *arg,
                                 ncg_error *err)
{
    const nci_grid *grid = &source->spec->grid;
    int64_t first[NCG_MAX_RANK], last[NCG_MAX_RANK], at[NCG_MAX_RANK];
    for (int d = 0; d < grid->rank; d++) {
        first[d] = at[d] = nci_axis_find(&grid->axis[d], box->start[d]);
        last[d] = nci_axis_find(&grid->axis[d],
                                box->start[d] + box->count[d] - 1);
    }
    for (;;) {
        int64_t chunk = nci_grid_number(grid, at);
        nci_box own = nci_grid_box(grid, chunk), wanted;
        if (nci_box_clip(&own, box, &wanted) &&
            (!wants || wants(want_ctx, &wanted)))
            NCI_TRY(visit(arg, source, chunk, &wanted, err));
        int d = grid->rank - 1;
        while (d >= 0 && ++at[d] > last[d]) {
            at[d] = first[d];
            d--;
        }
        if (d < 0)
            return NCG_OK;
    }
}
