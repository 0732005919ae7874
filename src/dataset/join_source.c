/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A variable that stays in the files: its pieces, each with its own decoding,
 * the joined grid of storage chunks, and the token that names all of it.
 *
 *     chunks of file A  |--0--|--1--|-2-|            one edge list along the
 *     chunks of file B                  |--0--|-1-|  join axis, trimmed to what
 *     joined            |--0--|--1--|-2-|--3--|-4-|  is used of each file
 */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/source.h"
#include "dataset/join_internal.h"

/* ---- pieces ------------------------------------------------------------- */

/* The rule of the file that describes the variable; what was ignored there is
 * told, for the other files it is the same. */
static ncg_status first_decode(nci_join_group *group, const nci_join_var *var,
                               nci_decode *out, ncg_error *err)
{
    nci_strings notes = {0};
    ncg_status st =
        nci_join_decode(group, var, (size_t)var->member, out, &notes, err);
    for (size_t i = 0; !st && i < notes.count; i++)
        nci_join_note(group->work, "%s", notes.items[i]);
    nci_strings_fini(&notes);
    return st;
}

/* Sets index and decoding of each piece; equal attributes share a rule. */
static ncg_status fill_pieces(nci_join_group *group, const nci_join_var *var,
                              nci_join_pieces *out, ncg_error *err)
{
    nci_decode first;
    bool is_numeric = nci_decode_is_numeric(var->desc);
    memset(&first, 0, sizeof first);
    if (is_numeric)
        NCI_TRY(first_decode(group, var, &first, err));
    for (size_t i = 0; i < out->count; i++) {
        nci_segment *at = &out->segments[i];
        size_t member = (size_t)at->file;
        at->var = var->var_of[nci_join_member(group, member)->klass];
        at->decode = first;
        if (!is_numeric || at->var < 0 ||
            nci_join_same_attrs(group, var, member))
            continue;
        if (i && out->segments[i - 1].file == at->file)
            at->decode = out->segments[i - 1].decode;
        else
            NCI_TRY(
                nci_join_decode(group, var, member, &at->decode, NULL, err));
    }
    return NCG_OK;
}

static bool has_rule(const nci_decode *decode)
{
    return decode->nmissing || decode->has_min || decode->has_max;
}

static bool is_missing_in_all(const nci_join_pieces *pieces, const void *value)
{
    const nci_decode *last = NULL;
    for (size_t i = 0; i < pieces->count; i++) {
        const nci_decode *at = &pieces->segments[i].decode;
        if (pieces->segments[i].var < 0 ||
            (last && !memcmp(at, last, sizeof *at)))
            continue;
        if (!nci_decode_is_missing(at, value))
            return false;
        last = at;
    }
    return true;
}

/* Integers need one value that means missing in every piece; where there is
 * none, values become floats, wide enough, and missing ones NaN. */
static void find_missing(nci_join_pieces *pieces)
{
    bool is_needed = false;
    for (size_t i = 0; i < pieces->count; i++) {
        const nci_segment *at = &pieces->segments[i];
        is_needed = is_needed || at->var < 0 || has_rule(&at->decode);
    }
    if (!is_needed || nci_dtype_is_float(pieces->dtype))
        return;
    const nci_decode *last = NULL;
    for (size_t i = 0; i < pieces->count && !pieces->has_missing; i++) {
        const nci_decode *at = &pieces->segments[i].decode;
        if (last && !memcmp(at, last, sizeof *at))
            continue;
        last = at;
        pieces->has_missing = nci_decode_sentinel(at, pieces->missing) &&
                              is_missing_in_all(pieces, pieces->missing);
    }
    if (!pieces->has_missing)
        pieces->dtype =
            ncg_dtype_size(pieces->dtype) <= 2 ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
}

ncg_status nci_join_pieces_make(nci_join_group *group, const nci_join_var *var,
                                nci_join_pieces *out, ncg_error *err)
{
    bool is_joined = var->axis >= 0 || var->is_promoted;
    *out = (nci_join_pieces){.axis = is_joined ? var->axis : -1};
    out->count = is_joined ? group->nsegments : 1;
    out->segments = nci_calloc(out->count, sizeof *out->segments);
    if (!out->segments)
        return nci_fail(err, NCG_ENOMEM, "%s: %zu pieces", var->name,
                        out->count);
    if (is_joined && out->count) {
        memcpy(out->segments, group->segments,
               out->count * sizeof *out->segments);
    } else if (!is_joined) {
        const nci_header *header =
            nci_join_member(group, (size_t)var->member)->header;
        const nci_var *desc = var->desc;
        out->segments[0].file = var->member;
        out->segments[0].count =
            desc->rank ? header->dims[desc->dims[0]].size : 1;
    }
    ncg_status st = fill_pieces(group, var, out, err);
    if (st) {
        nci_free(out->segments);
        out->segments = NULL;
        return st;
    }
    out->dtype = var->desc->dtype;
    if (!nci_decode_is_numeric(var->desc))
        return NCG_OK;
    out->dtype = out->count ? out->segments[0].decode.out : out->dtype;
    for (size_t i = 1; i < out->count; i++)
        out->dtype = nci_decode_widen(out->dtype, out->segments[i].decode.out);
    find_missing(out);
    return NCG_OK;
}

/* ---- grid --------------------------------------------------------------- */

static int64_t chunk_of(const nci_join_group *group, const nci_join_var *var,
                        size_t member)
{
    const nci_var *in = nci_join_header_var(group, var, member);
    int64_t chunk = (in ? in : var->desc)->storage.chunk[var->axis];
    return chunk > 0 ? chunk : 1;
}

/* Edges of a piece's chunks, multiples of the file's chunk inside it and its
 * end; stored where `edge` is not NULL. Returns how many. */
static int64_t piece_edges(const nci_segment *at, int64_t chunk, int64_t *edge)
{
    int64_t first = at->file_start / chunk + 1; /* chunk boundaries inside */
    int64_t last = (at->file_start + at->count - 1) / chunk;
    int64_t n = last >= first ? last - first + 1 : 0;
    for (int64_t i = 0; edge && i < n; i++)
        edge[i] = at->start + (first + i) * chunk - at->file_start;
    if (edge)
        edge[n] = at->start + at->count;
    return n + 1;
}

static ncg_status joined_axis(const nci_join_group *group,
                              const nci_join_var *var,
                              const nci_join_pieces *pieces, nci_axis *out,
                              ncg_error *err)
{
    int64_t n = 0;
    for (size_t i = 0; i < pieces->count; i++)
        n += piece_edges(&pieces->segments[i],
                         chunk_of(group, var, (size_t)pieces->segments[i].file),
                         NULL);
    int64_t *edge = nci_calloc((size_t)n + 1, sizeof *edge);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "%s: %lld chunks", var->name,
                        (long long)n);
    int64_t at = 1;
    for (size_t i = 0; i < pieces->count; i++)
        at += piece_edges(
            &pieces->segments[i],
            chunk_of(group, var, (size_t)pieces->segments[i].file), edge + at);
    ncg_status st = nci_axis_from_edges(edge, n, out, err);
    nci_free(edge);
    return st;
}

static ncg_status make_grid(const nci_join_group *group,
                            const nci_join_var *var,
                            const nci_join_pieces *pieces,
                            nci_source_spec *spec, ncg_error *err)
{
    spec->grid.rank = spec->rank;
    for (int d = 0; d < spec->rank; d++) {
        nci_axis *axis = &spec->grid.axis[d];
        int64_t chunk = var->desc->storage.chunk[d];
        if (d == pieces->axis)
            NCI_TRY(joined_axis(group, var, pieces, axis, err));
        else
            NCI_TRY(nci_axis_regular(spec->shape[d], chunk > 0 ? chunk : 1,
                                     axis, err));
    }
    return NCG_OK;
}

/* ---- token -------------------------------------------------------------- */

static nci_token token_of_decode(const nci_decode *decode)
{
    nci_hash hash;
    double numbers[] = {decode->scale, decode->offset, decode->min,
                        decode->max};
    int64_t integers[] = {(int64_t)decode->raw, (int64_t)decode->out,
                          decode->has_min,      decode->has_max,
                          decode->min_i64,      decode->max_i64,
                          decode->has_scale,    decode->nmissing};
    size_t n = (size_t)decode->nmissing;
    nci_hash_init(&hash, "decode");
    nci_hash_bytes(&hash, numbers, sizeof numbers);
    nci_hash_bytes(&hash, integers, sizeof integers);
    nci_hash_bytes(&hash, decode->missing, n * sizeof decode->missing[0]);
    nci_hash_bytes(&hash, decode->missing_i64,
                   n * sizeof decode->missing_i64[0]);
    return nci_hash_done(&hash);
}

static nci_token token_of(const nci_join_group *group,
                          const nci_source_spec *spec)
{
    nci_hash hash;
    nci_token rule = {0, 0};
    nci_hash_init(&hash, "ncgraph.source/1");
    nci_hash_text(&hash, spec->name);
    nci_hash_i64(&hash, (int64_t)spec->dtype);
    nci_hash_i64(&hash, spec->join_axis);
    nci_hash_bytes(&hash, spec->shape,
                   (size_t)spec->rank * sizeof spec->shape[0]);
    nci_hash_bytes(&hash, spec->missing, sizeof spec->missing);
    for (size_t i = 0; i < spec->nsegments; i++) {
        const nci_segment *at = &spec->segments[i];
        int64_t place[] = {at->var, at->start, at->count, at->file_start};
        if (!i || memcmp(&at->decode, &spec->segments[i - 1].decode,
                         sizeof at->decode))
            rule = token_of_decode(&at->decode);
        nci_hash_token(&hash, group->work->files[at->file].identity);
        nci_hash_bytes(&hash, place, sizeof place);
        nci_hash_token(&hash, rule);
    }
    return nci_hash_done(&hash);
}

/* ---- source ------------------------------------------------------------- */

static ncg_status make_spec(nci_join_group *group, const nci_join_var *var,
                            nci_join_pieces *pieces, nci_source_spec **out,
                            ncg_error *err)
{
    const nci_header *header =
        nci_join_member(group, (size_t)var->member)->header;
    nci_source_spec *spec = nci_calloc(1, sizeof *spec);
    if (!spec || !(spec->name = nci_strdup(var->name))) {
        nci_source_spec_free(&spec);
        return nci_fail(err, NCG_ENOMEM, "%s", var->name);
    }
    spec->rank = var->desc->rank;
    nci_var_shape(header, var->desc, spec->shape);
    if (pieces->axis >= 0)
        spec->shape[pieces->axis] = group->total;
    spec->join_axis = pieces->axis;
    spec->dtype = pieces->dtype;
    spec->has_missing = pieces->has_missing;
    memcpy(spec->missing, pieces->missing, sizeof spec->missing);
    ncg_status st = make_grid(group, var, pieces, spec, err);
    if (st) {
        nci_source_spec_free(&spec);
        return st;
    }
    for (size_t i = 0; i < pieces->count; i++)
        pieces->segments[i].file = group->files[pieces->segments[i].file];
    spec->segments = pieces->segments;
    spec->nsegments = pieces->count;
    pieces->segments = NULL;
    spec->token = token_of(group, spec);
    *out = spec;
    return NCG_OK;
}

/* Registers the spec, which may be gone after that: the node takes what it
 * needs from a view with a grid of its own. */
static ncg_status register_spec(nci_join_group *group, nci_source_spec **spec,
                                nci_variable *out, ncg_error *err)
{
    const nci_join_input *input = group->work->input;
    nci_source_spec view = **spec;
    int64_t stored = nci_node_stored(*spec);
    uint32_t id;
    memset(&view.grid, 0, sizeof view.grid);
    NCI_TRY(nci_grid_copy(&(*spec)->grid, &view.grid, err));
    ncg_status st = input->source(input->ctx, *spec, &id, err);
    if (!st) {
        *spec = NULL;
        view.name = out->name;
        view.segments = NULL;
        view.nsegments = 0;
        st = nci_node_source(id, &view, &out->array, err);
    }
    if (!st) {
        out->array->name = nci_intern(out->name);
        out->array->stored = stored;
    }
    nci_grid_fini(&view.grid);
    return st;
}

ncg_status nci_join_source(nci_join_group *group, int v, nci_variable *out,
                           ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    nci_join_pieces pieces;
    nci_source_spec *spec = NULL;
    NCI_TRY(nci_join_pieces_make(group, var, &pieces, err));
    if (pieces.count)
        out->missing_rule = nci_decode_describe(&pieces.segments[0].decode);
    /* The fill value of one file may be data in another. */
    if (out->storage.has_fill && nci_dtype_is_float(var->desc->dtype) &&
        !is_missing_in_all(&pieces, out->storage.fill))
        out->storage.has_fill = false;
    ncg_status st = make_spec(group, var, &pieces, &spec, err);
    if (!st)
        st = register_spec(group, &spec, out, err);
    nci_source_spec_free(&spec);
    nci_free(pieces.segments);
    return st;
}
