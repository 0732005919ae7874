/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Variables of files as sources: which segments (files) and storage chunks a
 * box touches, in index order.
 */
#include "base/mem.h"
#include "engine/source_internal.h"
#include "engine/tile_cache.h"

/* More than any machine has; leaves room for sums. */
static const int64_t MOST_SCRATCH = INT64_MAX / 16;

/* A file of one step may lack the join axis, which is then the first. */
static bool is_rank_fit(const nci_source_spec *spec, const nci_segment *segment,
                        const nci_var *var)
{
    return var->rank == spec->rank ||
           (var->rank == spec->rank - 1 && spec->join_axis == 0 &&
            segment->count == 1 && segment->file_start == 0);
}

static ncg_status check_segment(const nci_source_spec *spec, size_t i,
                                nci_file *file, ncg_error *err)
{
    const nci_segment *segment = &spec->segments[i];
    if (segment->var < 0)
        return NCG_OK;
    const nci_header *header = file ? nci_file_header(file) : NULL;
    if (!header || (size_t)segment->var >= header->nvars ||
        !is_rank_fit(spec, segment, &header->vars[segment->var]))
        return nci_fail(err, NCG_EBUG, "%s: segment %zu does not fit its file",
                        spec->name, i);
    return NCG_OK;
}

/* Files of segments in the order of the segments. */
static ncg_status bind_files(nci_source *source, const nci_source_spec *spec,
                             nci_file *const *files, ncg_error *err)
{
    for (size_t i = 0; i < spec->nsegments; i++) {
        const nci_segment *segment = &spec->segments[i];
        nci_file *file = segment->file >= 0 ? files[segment->file] : NULL;
        NCI_TRY(check_segment(spec, i, file, err));
        if (!file)
            continue;
        source->files[i] = nci_file_retain(file);
        if (segment->var < 0)
            continue;
        const nci_var *var = &nci_file_header(file)->vars[segment->var];
        int64_t need = nci_scratch_need(var), nbytes = nci_tile_bytes(var);
        need = need < MOST_SCRATCH ? need : MOST_SCRATCH;
        source->scratch = need > source->scratch ? need : source->scratch;
        if (nbytes > source->tile_bytes)
            source->tile_bytes = nbytes;
    }
    return NCG_OK;
}

/* ---- tiles ----------------------------------------------------------------
 */

typedef struct walk {
    const nci_source *source;
    const nci_segment *segment;
    nci_file *file;
    const nci_var *var;
    nci_box box;   /* wanted part, in positions of the array */
    int64_t shift; /* array position = file position + shift, join axis */
    nci_scratch *scratch;
    nci_tile_want_fn wants;
    nci_tile_fn visit;
    void *ctx;
} walk;

nci_box nci_source_file_box(const nci_var *var, const nci_box *box)
{
    nci_box out = {.rank = var->rank};
    int lead = box->rank - var->rank;
    for (int d = 0; d < out.rank; d++) {
        out.start[d] = box->start[d + lead];
        out.count[d] = box->count[d + lead];
    }
    return out;
}

/* The box of a tile, given in the file's positions and axes, in the array's. */
static void to_array(const walk *w, nci_box *box)
{
    int axis = w->source->spec->join_axis;
    if (box->rank < w->box.rank) {
        memmove(box->start + 1, box->start,
                (size_t)box->rank * sizeof box->start[0]);
        memmove(box->count + 1, box->count,
                (size_t)box->rank * sizeof box->count[0]);
        box->rank++;
        box->start[0] = 0;
        box->count[0] = 1;
    }
    if (axis >= 0)
        box->start[axis] += w->shift;
}

/* The box of storage chunk `index`, in positions of the array. */
static nci_box chunk_box(const walk *w, const int64_t *index)
{
    nci_box box = {.rank = w->var->rank};
    for (int d = 0; d < box.rank; d++) {
        int64_t chunk = w->var->storage.chunk[d];
        box.start[d] = index[d] * chunk;
        box.count[d] = chunk;
    }
    to_array(w, &box);
    return box;
}

static ncg_status visit_chunk(const walk *w, const int64_t *index,
                              ncg_error *err)
{
    nci_box box = chunk_box(w, index), wanted;
    nci_tile tile;
    if (!nci_box_clip(&box, &w->box, &wanted) ||
        (w->wants && !w->wants(w->ctx, &wanted)))
        return NCG_OK;
    size_t segment = (size_t)(w->segment - w->source->spec->segments);
    NCI_TRY(nci_kept_read(w->source->kept, segment, w->file, w->segment->var,
                          index, w->scratch, &tile, err));
    to_array(w, &tile.box);
    if (!nci_box_clip(&tile.box, &w->box, &wanted))
        return NCG_OK;
    /* An edge chunk's padding and other files' positions are not ours. */
    return w->visit(w->ctx, &tile, &w->segment->decode, &wanted, err);
}

/* ---- parts --------------------------------------------------------------
 * Data without storage chunks is read several chunks at a time: whole runs of
 * the box along the fastest axes first, so that a box of many steps of a few
 * rows comes as some steps of these rows. */

/* Chunks [first, end) along each axis. */
typedef struct chunk_range {
    int64_t first[NCG_MAX_RANK], end[NCG_MAX_RANK];
} chunk_range;

static nci_box range_box(const walk *w, const chunk_range *r)
{
    nci_box box = {.rank = w->var->rank};
    for (int d = 0; d < box.rank; d++) {
        int64_t chunk = w->var->storage.chunk[d];
        box.start[d] = r->first[d] * chunk;
        box.count[d] = (r->end[d] - r->first[d]) * chunk;
    }
    return box;
}

static ncg_status visit_part(const walk *w, const chunk_range *r,
                             ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK];
    nci_tile tile;
    nci_box whole, box = range_box(w, r), part, wanted;
    nci_var_shape(nci_file_header(w->file), w->var, shape);
    whole = nci_box_whole(box.rank, shape);
    if (!nci_box_clip(&box, &whole, &part))
        return NCG_OK;
    NCI_TRY(nci_file_read_part(w->file, w->segment->var, &part, w->scratch,
                               &tile, err));
    to_array(w, &tile.box);
    if (!nci_box_clip(&tile.box, &w->box, &wanted))
        return NCG_OK;
    return w->visit(w->ctx, &tile, &w->segment->decode, &wanted, err);
}

static bool wants_range(const walk *w, const chunk_range *r)
{
    nci_box box = range_box(w, r), wanted;
    to_array(w, &box);
    return nci_box_clip(&box, &w->box, &wanted) &&
           (!w->wants || w->wants(w->ctx, &wanted));
}

/* Leaves out what is not wanted along `axis`, the slowest of the part. */
static ncg_status visit_wanted(const walk *w, const chunk_range *r, int axis,
                               ncg_error *err)
{
    chunk_range part = *r;
    while (part.first[axis] < r->end[axis]) {
        chunk_range next = part;
        bool is_wanted;
        next.end[axis] = next.first[axis] + 1;
        is_wanted = wants_range(w, &next);
        part.end[axis] = next.end[axis];
        while (is_wanted && part.end[axis] < r->end[axis]) {
            next.first[axis] = part.end[axis];
            next.end[axis] = part.end[axis] + 1;
            if (!wants_range(w, &next))
                break;
            part.end[axis]++;
        }
        if (is_wanted)
            NCI_TRY(visit_part(w, &part, err));
        part.first[axis] = part.end[axis];
    }
    return NCG_OK;
}

/* Chunks of a part along each axis; returns the slowest with more than one. */
static int size_part(const walk *w, const chunk_range *all, int64_t *size)
{
    int rank = w->var->rank, axis = 0;
    int64_t room = NCI_PART_BYTES / w->var->storage.elem_size;
    for (int d = 0; d < rank; d++)
        room /= w->var->storage.chunk[d];
    for (int d = rank - 1; d >= 0; d--) {
        int64_t n = all->end[d] - all->first[d];
        size[d] = n < room ? n : room > 1 ? room : 1;
        axis = size[d] > 1 ? d : axis;
        room = size[d] < n ? 1 : room / size[d];
    }
    return axis;
}

static ncg_status visit_parts(const walk *w, const chunk_range *all,
                              ncg_error *err)
{
    int64_t size[NCG_MAX_RANK];
    int rank = w->var->rank, axis = size_part(w, all, size);
    chunk_range r = *all;
    for (;;) {
        for (int d = 0; d < rank; d++) {
            int64_t end = r.first[d] + size[d];
            r.end[d] = end < all->end[d] ? end : all->end[d];
        }
        NCI_TRY(visit_wanted(w, &r, axis, err));
        int d = rank - 1;
        while (d >= 0 && (r.first[d] += size[d]) >= all->end[d]) {
            r.first[d] = all->first[d];
            d--;
        }
        if (d < 0)
            return NCG_OK;
    }
}

/* ---- segments ----------------------------------------------------------- */

static ncg_status visit_chunks(const walk *w, ncg_error *err)
{
    int rank = w->var->rank;
    int64_t at[NCG_MAX_RANK];
    chunk_range all;
    nci_box box = w->box;
    if (w->source->spec->join_axis >= 0)
        box.start[w->source->spec->join_axis] -= w->shift;
    box = nci_source_file_box(w->var, &box);
    for (int d = 0; d < rank; d++) {
        int64_t chunk = w->var->storage.chunk[d];
        all.first[d] = at[d] = box.start[d] / chunk;
        all.end[d] = (box.start[d] + box.count[d] - 1) / chunk + 1;
    }
    if (nci_has_parts(w->var))
        return visit_parts(w, &all, err);
    for (;;) {
        NCI_TRY(visit_chunk(w, at, err));
        int d = rank - 1;
        while (d >= 0 && ++at[d] == all.end[d]) {
            at[d] = all.first[d];
            d--;
        }
        if (d < 0)
            return NCG_OK;
    }
}

/* A variable that the file lacks: one tile, all missing. */
static ncg_status visit_absent(const walk *w, ncg_error *err)
{
    nci_tile tile = {.box = w->box,
                     .elem_size =
                         (uint32_t)ncg_dtype_size(w->source->spec->dtype)};
    if (w->wants && !w->wants(w->ctx, &w->box))
        return NCG_OK;
    return w->visit(w->ctx, &tile, NULL, &w->box, err);
}

static ncg_status visit_segment(walk *w, size_t i, ncg_error *err)
{
    const nci_source *source = w->source;
    w->segment = &source->spec->segments[i];
    w->file = source->files[i];
    w->shift = w->segment->start - w->segment->file_start;
    if (w->segment->var < 0 || !w->file)
        return visit_absent(w, err);
    w->var = &nci_file_header(w->file)->vars[w->segment->var];
    return visit_chunks(w, err);
}

static ncg_status walk_files(const nci_source *source, const nci_box *box,
                             nci_scratch *scratch, nci_tile_want_fn wants,
                             nci_tile_fn visit, void *ctx, ncg_error *err)
{
    const nci_source_spec *spec = source->spec;
    int axis = spec->join_axis;
    walk w = {.source = source,
              .scratch = scratch,
              .wants = wants,
              .visit = visit,
              .ctx = ctx,
              .box = *box};
    if (axis < 0)
        return visit_segment(&w, 0, err);
    int64_t end = box->start[axis] + box->count[axis];
    for (size_t i = nci_source_spec_find(spec, box->start[axis]);
         i < spec->nsegments && spec->segments[i].start < end; i++) {
        const nci_segment *s = &spec->segments[i];
        nci_box part = *box, inside;
        part.start[axis] = s->start;
        part.count[axis] = s->count;
        if (!nci_box_clip(&part, box, &inside))
            continue;
        w.box = inside;
        NCI_TRY(visit_segment(&w, i, err));
    }
    return NCG_OK;
}

static const nci_source_kind files_kind = {"files", walk_files, NULL};

/* ---- adding ---------------------------------------------------------------- */

ncg_status nci_source_table_add(nci_source_table *table,
                                nci_source_spec *spec_take,
                                nci_file *const *files, uint32_t *id,
                                ncg_error *err)
{
    nci_source *source = nci_calloc(1, sizeof *source);
    if (!source)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    source->kind = &files_kind;
    source->spec = spec_take;
    source->files = nci_calloc(spec_take->nsegments + 1, sizeof *source->files);
    ncg_status st = source->files ? bind_files(source, spec_take, files, err)
                                  : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = nci_source_table_put(table, source, id, err);
    if (st) {
        for (size_t i = 0; source->files && i < spec_take->nsegments; i++)
            nci_file_release(&source->files[i]);
        source->spec = NULL; /* the caller keeps it */
        nci_source_free(&source);
    }
    return st;
}
