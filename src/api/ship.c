/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/ship.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/source_codec.h"
#include "engine/source_remote.h"

/* ---- writing
 * -------------------------------------------------------------------- */

/* The other process may stand elsewhere in the file system. */
static void pack_file(nci_pack *pack, const nci_file *file)
{
    const nci_header *header = file ? nci_file_header(file) : NULL;
    char *whole = header ? realpath(header->path, NULL) : NULL;
    nci_pack_text(pack, whole ? whole : header ? header->path : "");
    nci_pack_i64(pack, header ? header->size : 0);
    nci_pack_i64(pack, header ? header->mtime_ns : 0);
    free(whole);
}

static ncg_status encode(void *arg, const nci_node *node, nci_pack *pack,
                         ncg_error *err)
{
    const nci_ship *ship = arg;
    const nci_source *source =
        nci_source_table_get(ship->sources, node->source);
    bool is_of_files = source->files && source->spec->nsegments;
    nci_pack_i64(pack, is_of_files);
    if (!is_of_files)
        return nci_source_encode(source, pack, err);
    nci_source_spec spec = *source->spec;
    size_t n = spec.nsegments;
    spec.segments = nci_alloc(n * sizeof *spec.segments);
    if (!spec.segments)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(spec.segments, source->spec->segments, n * sizeof *spec.segments);
    nci_pack_i64(pack, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        pack_file(pack, source->files[i]);
        spec.segments[i].file = (int)i;
    }
    nci_pack_source(pack, &spec);
    nci_free(spec.segments);
    return NCG_OK;
}

static ncg_status gather(void *arg, const nci_node *node, nci_pack *pack,
                         ncg_error *err)
{
    nci_gathering *g = arg;
    nci_token space;
    const nci_source *source =
        nci_source_table_get(g->ship.sources, node->source);
    if (nci_source_is_remote(source, &space)) {
        if (!nci_grow(&g->sets, &g->capacity, g->nsets + 1, sizeof *g->sets))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        g->sets[g->nsets++] = space;
    }
    return encode(&g->ship, node, pack, err);
}

nci_codec_hooks nci_gathering_hooks(nci_gathering *g)
{
    return (nci_codec_hooks){g, gather, NULL};
}

/* ---- reading
 * -------------------------------------------------------------------- */

static ncg_status open_file(nci_ship *ship, nci_unpack *in, nci_file **out,
                            ncg_error *err)
{
    const char *path = nci_unpack_text(in);
    int64_t size = nci_unpack_i64(in, 0, INT64_MAX);
    int64_t mtime = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    NCI_TRY(nci_unpack_status(in, err));
    if (!*path)
        return NCG_OK; /* every value is missing there */
    NCI_TRY(nci_file_open(ship->io, path, out, err));
    const nci_header *header = nci_file_header(*out);
    if (header->size != size || header->mtime_ns != mtime)
        return nci_fail(err, NCG_EMISMATCH,
                        "%s is not the file it was when the graph was made: "
                        "open the data set again",
                        path);
    return NCG_OK;
}

/* A segment must lie inside the variable that it names. */
static bool fits(const nci_source_spec *spec, const nci_segment *segment,
                 const nci_file *file)
{
    const nci_header *header = file ? nci_file_header(file) : NULL;
    int64_t shape[NCG_MAX_RANK];
    if (segment->var < 0)
        return true;
    if (!header || (size_t)segment->var >= header->nvars)
        return false;
    const nci_var *var = &header->vars[segment->var];
    int skipped = spec->rank - var->rank; /* joined along a scalar */
    if (var->dtype == NCG_DTYPE_NONE || skipped < 0 ||
        skipped > (spec->join_axis == 0))
        return false;
    nci_var_shape(header, var, shape);
    for (int d = skipped; d < spec->rank; d++) {
        bool is_joined = d == spec->join_axis;
        int64_t need = is_joined ? segment->count : spec->shape[d];
        int64_t from = is_joined ? segment->file_start : 0;
        if (from > shape[d - skipped] || need > shape[d - skipped] - from)
            return false;
    }
    return true;
}

static ncg_status bind(nci_ship *ship, nci_unpack *in, nci_file **files,
                       size_t nfiles, nci_node **out, ncg_error *err)
{
    nci_source_spec *spec = NULL;
    uint32_t id = 0;
    for (size_t i = 0; i < nfiles; i++)
        NCI_TRY(open_file(ship, in, &files[i], err));
    NCI_TRY(nci_unpack_source(in, (int)nfiles, &spec, err));
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < spec->nsegments; i++)
        if (!fits(spec, &spec->segments[i], files[spec->segments[i].file]))
            st = nci_fail(err, NCG_ECORRUPT,
                          "the graph names a variable that its file does not "
                          "have");
    if (st) {
        nci_source_spec_free(&spec);
        return st;
    }
    pthread_mutex_lock(ship->lock);
    st = nci_source_table_add(ship->sources, spec, files, &id, err);
    pthread_mutex_unlock(ship->lock);
    if (st) {
        nci_source_spec_free(&spec);
        return st;
    }
    return nci_node_source(id, spec, out, err);
}

static ncg_status decode(void *arg, nci_unpack *in, nci_node **out,
                         ncg_error *err)
{
    if (!nci_unpack_i64(in, 0, 1)) {
        NCI_TRY(nci_unpack_status(in, err));
        return nci_source_decode(((const nci_ship *)arg)->sources, in, out, err);
    }
    size_t n = (size_t)nci_unpack_i64(in, 1, INT32_MAX);
    if (n > in->size - in->at)
        in->failed = true;
    NCI_TRY(nci_unpack_status(in, err));
    nci_file **files = nci_calloc(n, sizeof *files);
    if (!files)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = bind(arg, in, files, n, out, err);
    for (size_t i = 0; i < n; i++)
        nci_file_release(&files[i]);
    nci_free(files);
    return st;
}

nci_codec_hooks nci_ship_hooks(nci_ship *ship)
{
    return (nci_codec_hooks){ship, encode, decode};
}
