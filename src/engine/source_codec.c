/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes of a source: its kind, its form (name, dtype, missing value,
 * chunks), its token, then what the kind needs. Nothing is believed: a size
 * that does not follow from the form is damage.
 */
#include "engine/source_codec.h"

#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/source_internal.h"

enum { SENT_WHOLE, SENT_CHUNKS, SENT_GENERATOR, SENT_REMOTE, SENT_KINDS };

/* ---- form ---------------------------------------------------------------- */

static void pack_form(nci_pack *pack, const nci_source_spec *spec)
{
    nci_pack_text(pack, spec->name);
    nci_pack_i64(pack, spec->dtype);
    nci_pack_bytes(pack, spec->missing,
                   spec->has_missing ? sizeof spec->missing : 0);
    nci_pack_grid(pack, &spec->grid);
    nci_pack_bytes(pack, &spec->token, sizeof spec->token);
}

typedef struct sent_form {
    nci_source_form it;
    nci_grid grid;
    nci_token token;
} sent_form;

static ncg_status unpack_form(nci_unpack *in, sent_form *out, ncg_error *err)
{
    size_t nmissing = 0;
    out->it.name = nci_unpack_text(in);
    out->it.dtype =
        (ncg_dtype)nci_unpack_i64(in, NCG_DTYPE_NONE, NCG_DTYPE_STRING);
    const void *missing = nci_unpack_bytes(in, &nmissing);
    if (!nci_dtype_is_numeric(out->it.dtype) || (nmissing && nmissing != 8) ||
        (nmissing && !nci_dtype_is_integer(out->it.dtype)))
        in->failed = true;
    NCI_TRY(nci_unpack_grid(in, &out->grid, err));
    nci_unpack_exactly(in, &out->token, sizeof out->token);
    out->it.grid = &out->grid;
    out->it.missing = nmissing ? missing : NULL;
    return NCG_OK;
}

static int64_t chunk_bytes(const sent_form *form, int64_t chunk)
{
    nci_box box = nci_grid_box(&form->grid, chunk);
    return nci_box_size(&box) * (int64_t)ncg_dtype_size(form->it.dtype);
}

static int64_t all_bytes(const sent_form *form)
{
    int64_t nbytes = (int64_t)ncg_dtype_size(form->it.dtype);
    for (int d = 0; d < form->grid.rank; d++)
        nbytes *= nci_axis_size(&form->grid.axis[d]); /* nci_unpack_grid */
    return nbytes;
}

/* ---- values -------------------------------------------------------------- */

static ncg_status encode_values(const nci_source *source, nci_pack *pack,
                                ncg_error *err)
{
    const nci_source_spec *spec = source->spec;
    nci_box all = nci_box_whole(spec->rank, spec->shape);
    size_t nbytes = (size_t)nci_box_size(&all) * ncg_dtype_size(spec->dtype);
    NCI_TRY(nci_pack_room(pack, nbytes, spec->name, err));
    nci_pack_i64(pack, source->is_whole ? SENT_WHOLE : SENT_CHUNKS);
    pack_form(pack, spec);
    for (int64_t i = 0; i < source->nchunks; i++) {
        nci_buf *chunk = NULL; /* it may be on disk */
        NCI_TRY(nci_source_borrow(source, i, &chunk, err));
        nci_pack_bytes(pack, nci_buf_data(chunk), nci_buf_size(chunk));
        nci_buf_release(&chunk);
    }
    return NCG_OK;
}

static ncg_status unpack_buf(nci_unpack *in, int64_t want, nci_buf **out,
                             ncg_error *err)
{
    size_t nbytes = 0;
    const void *bytes = nci_unpack_bytes(in, &nbytes);
    if (nbytes != (size_t)want)
        in->failed = true;
    NCI_TRY(nci_unpack_status(in, err));
    NCI_TRY(nci_buf_create(nbytes, out, err));
    if (nbytes)
        memcpy(nci_buf_data(*out), bytes, nbytes);
    return NCG_OK;
}

static ncg_status decode_whole(nci_source_table *table, nci_unpack *in,
                               const sent_form *form, nci_node **out,
                               ncg_error *err)
{
    nci_buf *data = NULL;
    NCI_TRY(unpack_buf(in, all_bytes(form), &data, err));
    ncg_status st = nci_source_from_sent(table, &form->it, form->token, data,
                                         out, err);
    nci_buf_release(&data);
    return st;
}

static ncg_status decode_chunks(nci_source_table *table, nci_unpack *in,
                                const sent_form *form, nci_node **out,
                                ncg_error *err)
{
    int64_t n = nci_grid_nchunks(&form->grid), made = 0;
    if ((uint64_t)n > in->size - in->at) { /* each takes a byte at least */
        in->failed = true;
        return nci_unpack_status(in, err);
    }
    nci_buf **chunks = nci_calloc((size_t)n + 1, sizeof *chunks);
    if (!chunks)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = NCG_OK;
    for (; !st && made < n; made++)
        st = unpack_buf(in, chunk_bytes(form, made), &chunks[made], err);
    if (!st)
        st = nci_source_from_chunks(table, &form->it, form->token, chunks, out,
                                    err);
    for (int64_t i = 0; i < made; i++)
        nci_buf_release(&chunks[i]);
    nci_free(chunks);
    return st;
}

/* ---- generators ----------------------------------------------------------- */

static void encode_generator(const nci_source *source, nci_pack *pack)
{
    const nci_generator *g = &source->generator;
    nci_pack_i64(pack, SENT_GENERATOR);
    pack_form(pack, source->spec);
    nci_pack_i64(pack, g->kind);
    nci_pack_bytes(pack, g->value, sizeof g->value);
    nci_pack_f64(pack, g->start);
    nci_pack_f64(pack, g->delta);
    nci_pack_f64(pack, g->last);
    nci_pack_i64(pack, g->low);
    nci_pack_i64(pack, g->step);
    nci_pack_i64(pack, (int64_t)g->span);
    nci_pack_i64(pack, (int64_t)g->seed);
}

/* The token follows from the values, so a wrong one is damage. */
static ncg_status decode_generator(nci_source_table *table, nci_unpack *in,
                                   const sent_form *form, nci_node **out,
                                   ncg_error *err)
{
    nci_generator g = {0};
    g.kind = (nci_generator_kind)nci_unpack_i64(in, NCI_GENERATE_FULL,
                                                NCI_GENERATE_INTEGERS);
    nci_unpack_exactly(in, g.value, sizeof g.value);
    g.start = nci_unpack_f64(in);
    g.delta = nci_unpack_f64(in);
    g.last = nci_unpack_f64(in);
    g.low = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    g.step = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    g.span = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    g.seed = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    bool is_real = g.kind == NCI_GENERATE_UNIFORM ||
                   g.kind == NCI_GENERATE_NORMAL;
    if (is_real && !nci_dtype_is_float(form->it.dtype))
        in->failed = true;
    NCI_TRY(nci_unpack_status(in, err));
    nci_node *node = NULL;
    NCI_TRY(nci_source_from_generator(table, &form->it, &g, &node, err));
    if (!nci_token_equal(node->token, form->token)) {
        nci_node_release(&node);
        in->failed = true;
        return nci_unpack_status(in, err);
    }
    *out = node;
    return NCG_OK;
}

/* ---- a source ------------------------------------------------------------- */

ncg_status nci_source_encode(const nci_source *source, nci_pack *pack,
                             ncg_error *err)
{
    const char *name = source->spec->name;
    if (source->fill)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "array %s is made by a function of this program and "
                        "cannot be sent: register a kernel and use that, or "
                        "compute it and save it to a file",
                        name);
    if (source->is_remote) {
        nci_pack_i64(pack, SENT_REMOTE);
        pack_form(pack, source->spec);
        nci_pack_bytes(pack, &source->space, sizeof source->space);
        return NCG_OK;
    }
    if (source->nchunks) /* also of arrays in memory, which have one */
        return encode_values(source, pack, err);
    encode_generator(source, pack);
    return NCG_OK;
}

/* The same was sent before, or is here anyhow. */
static ncg_status find_same(nci_source_table *table, const sent_form *form,
                            nci_node **out, ncg_error *err)
{
    NCI_TRY(nci_source_table_find(table, form->token, out, err));
    const nci_node *node = *out;
    bool is_same = node && node->dtype == form->it.dtype &&
                   node->rank == form->grid.rank;
    for (int d = 0; is_same && d < node->rank; d++)
        is_same = node->shape[d] == nci_axis_size(&form->grid.axis[d]);
    if (!is_same)
        nci_node_release(out);
    return NCG_OK;
}

static ncg_status decode_values(nci_source_table *table, nci_unpack *in,
                                bool is_whole, const sent_form *form,
                                nci_node **out, ncg_error *err)
{
    nci_node *found = NULL;
    int64_t n = is_whole ? 1 : nci_grid_nchunks(&form->grid);
    size_t nbytes = 0;
    NCI_TRY(find_same(table, form, &found, err));
    if (!found)
        return is_whole ? decode_whole(table, in, form, out, err)
                        : decode_chunks(table, in, form, out, err);
    for (int64_t i = 0; i < n && !in->failed; i++)
        nci_unpack_bytes(in, &nbytes);
    ncg_status st = nci_unpack_status(in, err);
    if (st)
        nci_node_release(&found);
    else
        *out = found;
    return st;
}

static ncg_status decode_remote(nci_source_table *table, nci_unpack *in,
                                const sent_form *form, nci_node **out,
                                ncg_error *err)
{
    nci_token space;
    nci_unpack_exactly(in, &space, sizeof space);
    NCI_TRY(nci_unpack_status(in, err));
    NCI_TRY(find_same(table, form, out, err));
    return *out ? NCG_OK
                : nci_source_from_remote(table, &form->it, form->token, space,
                                         out, err);
}

ncg_status nci_source_decode(nci_source_table *table, nci_unpack *in,
                             nci_node **out, ncg_error *err)
{
    sent_form form = {{0}, {0}, {0}};
    int kind = (int)nci_unpack_i64(in, 0, SENT_KINDS - 1);
    NCI_TRY(unpack_form(in, &form, err));
    ncg_status st = nci_unpack_status(in, err);
    if (!st && kind == SENT_REMOTE)
        st = decode_remote(table, in, &form, out, err);
    else if (!st)
        st = kind == SENT_GENERATOR
                 ? decode_generator(table, in, &form, out, err)
                 : decode_values(table, in, kind == SENT_WHOLE, &form, out,
                                 err);
    nci_grid_fini(&form.grid);
    return st;
}
