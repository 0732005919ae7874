/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where held chunks are is guarded by the table's lock; while a run is under
 * way nothing moves, so its threads look without it. A source is retained by
 * its handle while its chunks are written, since its last array may be let go
 * at any time.
 */
#include "engine/source_spill.h"

#include "base/mem.h"
#include "engine/source_internal.h"

int64_t nci_source_largest(const nci_source_spec *spec)
{
    int64_t bytes = (int64_t)ncg_dtype_size(spec->dtype);
    for (int d = 0; d < spec->rank; d++) {
        const nci_axis *axis = &spec->grid.axis[d];
        int64_t longest = 0;
        for (int64_t i = 0; i < axis->nchunks; i++)
            if (axis->edge[i + 1] - axis->edge[i] > longest)
                longest = axis->edge[i + 1] - axis->edge[i];
        bytes *= longest;
    }
    return bytes;
}

/* ---- reading --------------------------------------------------------------- */

ncg_status nci_source_load(const nci_source *source, int64_t chunk, void *out,
                           ncg_error *err)
{
    return nci_spill_file_read_to(source->table->spill, source->extents[chunk],
                                  out, err);
}

ncg_status nci_source_borrow(const nci_source *source, int64_t chunk,
                             nci_buf **out, ncg_error *err)
{
    nci_source_table *table = source->table;
    pthread_mutex_lock(&table->lock);
    nci_buf *held = source->chunks[chunk];
    const nci_extent *extent = held ? NULL : source->extents[chunk];
    if (held)
        nci_buf_retain(held);
    pthread_mutex_unlock(&table->lock);
    if (!held)
        return nci_spill_file_read(table->spill, extent, out, err);
    *out = held;
    return NCG_OK;
}

/* ---- moving ------------------------------------------------------------------- */

static void move(nci_source *source, int64_t chunk, nci_extent *extent)
{
    nci_source_table *table = source->table;
    pthread_mutex_lock(&table->lock);
    nci_buf *held = source->chunks[chunk];
    int64_t nbytes = (int64_t)nci_buf_size(held);
    source->chunks[chunk] = NULL;
    source->extents[chunk] = extent;
    source->held -= nbytes;
    source->on_disk += nbytes;
    table->held -= nbytes;
    table->on_disk += nbytes;
    pthread_mutex_unlock(&table->lock);
    nci_buf_release(&held);
}

static ncg_status spill_source(nci_source *source, int64_t want,
                               int64_t *freed, ncg_error *err)
{
    size_t n = (size_t)source->nchunks;
    if (!source->extents)
        source->extents = nci_calloc(n + 1, sizeof *source->extents);
    if (!source->extents)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < source->nchunks && *freed < want; i++) {
        nci_extent *extent = NULL;
        const nci_buf *held = source->chunks[i];
        if (!held)
            continue;
        int64_t nbytes = (int64_t)nci_buf_size(held);
        NCI_TRY(nci_spill_file_write(source->table->spill, held, &extent, err));
        source->scratch = source->tile_bytes =
            nci_source_largest(source->spec);
        move(source, i, extent);
        *freed += nbytes;
    }
    return NCG_OK;
}

/* ---- choosing ----------------------------------------------------------------- */

/* The source with place *at or a later one that has chunks to give, retained
 * by its handle; NULL: there is none. */
static nci_source *next_held(nci_source_table *table, size_t *at,
                             nci_buf **handle)
{
    nci_source *found = NULL;
    pthread_mutex_lock(&table->lock);
    for (; !found && *at < table->count; ++*at) {
        nci_source *source = table->places[*at].source;
        if (source && source->is_found && !source->is_whole && source->held &&
            nci_buf_retain_live(source->handle))
            found = source;
    }
    if (found)
        *handle = found->handle;
    pthread_mutex_unlock(&table->lock);
    return found;
}

static ncg_status spill_sources(nci_source_table *table, int64_t want,
                                const nci_spill_reader *reader, bool also_read,
                                int64_t *freed, ncg_error *err)
{
    nci_buf *handle = NULL;
    nci_source *source;
    size_t at = 0;
    ncg_status st = NCG_OK;
    while (!st && *freed < want && (source = next_held(table, &at, &handle))) {
        if (also_read || !reader->reads_source(reader->ctx, source->id))
            st = spill_source(source, want, freed, err);
        nci_buf_release(&handle);
    }
    return st;
}

ncg_status nci_source_table_spill(nci_source_table *table,
                                  const nci_spill_place *place, int64_t want,
                                  const nci_spill_reader *reader,
                                  bool also_read, int64_t *freed,
                                  ncg_error *err)
{
    *freed = 0;
    if (!table->spill)
        NCI_TRY(nci_spill_file_create(place, &table->spill, err));
    NCI_TRY(spill_sources(table, want, reader, also_read, freed, err));
    return nci_held_tasks_spill(table, want, reader, also_read, freed, err);
}
