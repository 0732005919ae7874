/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole boxes as plain arrays, for coordinates and small variables: the tiles
 * that the box touches, one after the other. One scratch is kept for this.
 */
#include "base/mem.h"
#include "io/file.h"

static ncg_status take_scratch(nci_io *io, nci_scratch **out, ncg_error *err)
{
    *out = atomic_exchange(&io->spare, NULL);
    return *out ? NCG_OK : nci_scratch_create(out, err);
}

static void return_scratch(nci_io *io, nci_scratch *scratch)
{
    scratch = atomic_exchange(&io->spare, scratch);
    nci_scratch_destroy(&scratch);
}

/* Advances `at` over the chunks that `box` touches; false after the last. */
static bool next_chunk(const nci_var *var, const nci_box *box, int64_t *at)
{
    for (int d = var->rank - 1; d >= 0; d--) {
        int64_t chunk = var->storage.chunk[d];
        if (++at[d] <= (box->start[d] + box->count[d] - 1) / chunk)
            return true;
        at[d] = box->start[d] / chunk;
    }
    return false;
}

static ncg_status check_box(const nci_file *file, int var, const nci_box *box,
                            ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK];
    const nci_var *v = &file->header->vars[var];
    nci_var_shape(file->header, v, shape);
    for (int d = 0; d < v->rank; d++)
        if (box->rank != v->rank || box->start[d] < 0 || box->count[d] < 0 ||
            box->start[d] > shape[d] - box->count[d])
            return nci_fail(err, NCG_EBUG, "%s: %s: box out of range",
                            file->header->path, v->name);
    return NCG_OK;
}

ncg_status nci_file_read_box(nci_file *file, int var, const nci_box *box,
                             void *out, ncg_error *err)
{
    const nci_var *v = &file->header->vars[var];
    int64_t at[NCG_MAX_RANK];
    nci_scratch *scratch = NULL;
    nci_tile tile;
    ncg_status st;
    NCI_TRY(check_box(file, var, box, err));
    if (nci_box_is_empty(box))
        return NCG_OK;
    if (v->dtype == NCG_DTYPE_STRING)
        return nci_netcdf_read_strings(file, var, box, out, err);
    NCI_TRY(take_scratch(file->io, &scratch, err));
    for (int d = 0; d < v->rank; d++)
        at[d] = box->start[d] / v->storage.chunk[d];
    do {
        st = nci_file_read_tile(file, var, at, scratch, &tile, err);
        if (!st)
            nci_tile_copy(&tile, box, out);
    } while (!st && next_chunk(v, box, at));
    return_scratch(file->io, scratch);
    return st;
}
