/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the messages of a data set to a variable's storage.
 *
 * Only whole numbers of 1, 2, 4 or 8 bytes, IEEE floats of 4 or 8 and single
 * characters are read directly; strings and numbers of odd widths, virtual and
 * external data go through the library, variable by variable.
 */
#include "io/hdf5/dataset.h"

#include "io/file.h"
#include "io/hdf5/index.h"

static ncg_status body_of(nci_h5 *h5, const nci_h5_object *object,
                          nci_h5_message_type type, const char *name,
                          nci_h5_body *out, ncg_error *err)
{
    const nci_h5_message *m = nci_h5_object_find(object, type);
    if (!m)
        return nci_h5_corrupt(h5, object->address, name,
                              "a message of its header is missing", err);
    return nci_h5_body_open(h5, type, m->is_shared,
                            nci_h5_cursor_of(m->body, m->size), name, out, err);
}

ncg_status nci_h5_dataset_space(nci_h5 *h5, const nci_h5_object *object,
                                const char *name, nci_h5_space *out,
                                ncg_error *err)
{
    nci_h5_body body;
    NCI_TRY(body_of(h5, object, NCI_H5_DATASPACE, name, &body, err));
    ncg_status st = nci_h5_space_read(h5, body.cursor, name, out, err);
    nci_h5_body_fini(&body);
    return st;
}

static ncg_status read_type(nci_h5 *h5, const nci_h5_object *object,
                            const char *name, nci_h5_type *out, ncg_error *err)
{
    nci_h5_body body;
    NCI_TRY(body_of(h5, object, NCI_H5_DATATYPE, name, &body, err));
    ncg_status st = nci_h5_type_read(h5, body.cursor, name, out, err);
    nci_h5_body_fini(&body);
    const nci_h5_message *m = nci_h5_object_find(object, NCI_H5_DATATYPE);
    out->is_committed = m->is_shared;
    return st;
}

static ncg_status read_filters(nci_h5 *h5, const nci_h5_object *object,
                               const char *name, nci_storage *out, bool *fits,
                               ncg_error *err)
{
    *fits = true;
    if (!nci_h5_object_find(object, NCI_H5_FILTERS))
        return NCG_OK;
    nci_h5_body body;
    NCI_TRY(body_of(h5, object, NCI_H5_FILTERS, name, &body, err));
    ncg_status st = nci_h5_filters_read(body.cursor, name, out, fits, err);
    nci_h5_body_fini(&body);
    return st;
}

/* The new message wins over the old one where both are there. */
static ncg_status read_fill(nci_h5 *h5, const nci_h5_object *object,
                            const nci_h5_type *type, const char *name,
                            nci_storage *out, ncg_error *err)
{
    bool is_old = !nci_h5_object_find(object, NCI_H5_FILL);
    nci_h5_message_type which = is_old ? NCI_H5_FILL_OLD : NCI_H5_FILL;
    if (!nci_h5_object_find(object, which))
        return NCG_OK;
    nci_h5_body body;
    NCI_TRY(body_of(h5, object, which, name, &body, err));
    ncg_status st = nci_h5_fill_read(body.cursor, is_old, type, name, out, err);
    nci_h5_body_fini(&body);
    return st;
}

static ncg_status set_run(const nci_h5 *h5, const nci_h5_dataset *set,
                          const nci_h5_layout *layout, const char *name,
                          nci_storage *out, ncg_error *err)
{
    uint64_t need;
    if (__builtin_mul_overflow(set->space.count, set->type.size, &need))
        return nci_fail(err, NCG_ECORRUPT, "%s: its size is absurd", name);
    out->layout = layout->klass == NCI_H5_COMPACT ? NCI_LAYOUT_COMPACT
                                                  : NCI_LAYOUT_CONTIGUOUS;
    out->nbytes = layout->has_nbytes ? layout->nbytes : need;
    if (!need || layout->address == NCI_NO_ADDRESS)
        return NCG_OK;
    uint64_t room = h5->file_size - h5->base;
    if (out->nbytes < need)
        return nci_h5_corrupt(h5, layout->address, name,
                              "fewer bytes are stored than its shape needs",
                              err);
    if (layout->address > room || out->nbytes > room - layout->address)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: its values reach beyond the end of the file: "
                        "truncated or damaged",
                        name);
    out->address = h5->base + layout->address;
    return NCG_OK;
}

static ncg_status set_chunks(const nci_h5 *h5, uint64_t object,
                             const nci_h5_dataset *set,
                             const nci_h5_layout *layout, const char *name,
                             nci_storage *out, ncg_error *err)
{
    nci_h5_origin origin = {h5->offset_size, h5->length_size, h5->base, object};
    uint64_t nbytes = set->type.size;
    if (layout->rank != set->space.rank)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: its chunks have rank %d, not %d", name,
                        layout->rank, set->space.rank);
    for (int d = 0; d < layout->rank; d++) {
        out->chunk[d] = (int64_t)layout->chunk[d];
        nbytes *= layout->chunk[d]; /* their product is below 2^32 */
    }
    if (nbytes > UINT32_MAX)
        return nci_fail(err, NCG_ECORRUPT, "%s: chunks of %llu bytes", name,
                        (unsigned long long)nbytes);
    out->layout = NCI_LAYOUT_CHUNKED;
    out->index = layout->index;
    out->edge_unfiltered = layout->edge_unfiltered;
    out->index_chunk_bytes =
        layout->single_filtered ? layout->single_nbytes : nbytes;
    out->index_filter_mask = layout->single_mask;
    if (layout->address != NCI_NO_ADDRESS)
        out->address = h5->base + layout->address;
    nci_h5_origin_pack(&origin, out->index_params);
    return NCG_OK;
}

static void set_class(nci_h5_dataset *set)
{
    static const nci_var_class classes[NCI_H5_CLASS_COUNT] = {
        [NCI_H5_FIXED] = NCI_VAR_PLAIN,
        [NCI_H5_FLOAT] = NCI_VAR_PLAIN,
        [NCI_H5_TIME] = NCI_VAR_OTHER,
        [NCI_H5_STRING] = NCI_VAR_PLAIN,
        [NCI_H5_BITFIELD] = NCI_VAR_OTHER,
        [NCI_H5_OPAQUE] = NCI_VAR_OPAQUE,
        [NCI_H5_COMPOUND] = NCI_VAR_COMPOUND,
        [NCI_H5_REFERENCE] = NCI_VAR_OTHER,
        [NCI_H5_ENUM] = NCI_VAR_ENUM,
        [NCI_H5_VLEN] = NCI_VAR_VLEN,
        [NCI_H5_ARRAY] = NCI_VAR_OTHER};
    set->klass = classes[set->type.klass];
    if (set->type.is_text)
        set->klass = NCI_VAR_PLAIN;
    set->dtype = set->type.dtype;
    if (set->klass == NCI_VAR_PLAIN && set->dtype == NCG_DTYPE_NONE)
        set->klass = NCI_VAR_OTHER;
    if (set->space.is_null) {
        set->klass = NCI_VAR_OTHER;
        set->dtype = NCG_DTYPE_NONE;
    }
}

static ncg_status set_storage(nci_h5 *h5, const nci_h5_object *object,
                              const char *name, nci_h5_dataset *set,
                              ncg_error *err)
{
    nci_storage *out = &set->storage;
    nci_h5_layout layout;
    bool fits;
    const nci_h5_message *m = nci_h5_object_find(object, NCI_H5_LAYOUT);
    out->elem_size = set->type.size;
    out->is_big_endian = set->type.is_big_endian;
    for (int d = 0; d < set->space.rank; d++)
        out->file_shape[d] = (int64_t)set->space.dims[d];
    nci_tile_chunk(set->space.rank, out->file_shape, set->type.size, false,
                   out->chunk);
    NCI_TRY(nci_h5_layout_read(h5, m, name, &layout, err));
    NCI_TRY(read_filters(h5, object, name, out, &fits, err));
    NCI_TRY(read_fill(h5, object, &set->type, name, out, err));
    if (layout.klass == NCI_H5_CHUNKED)
        NCI_TRY(set_chunks(h5, object->address, set, &layout, name, out, err));
    else if (layout.klass != NCI_H5_VIRTUAL)
        NCI_TRY(set_run(h5, set, &layout, name, out, err));
    if (layout.klass == NCI_H5_VIRTUAL || !fits || !set->type.is_plain ||
        set->dtype == NCG_DTYPE_NONE ||
        nci_h5_object_find(object, NCI_H5_EXTERNAL))
        out->layout = NCI_LAYOUT_LIBRARY;
    return NCG_OK;
}

ncg_status nci_h5_dataset_read(nci_h5 *h5, const nci_h5_object *object,
                               const char *name, nci_h5_dataset *out,
                               ncg_error *err)
{
    nci_h5_dataset set = {.storage.address = NCI_NO_ADDRESS};
    NCI_TRY(nci_h5_dataset_space(h5, object, name, &set.space, err));
    NCI_TRY(read_type(h5, object, name, &set.type, err));
    if (set.space.rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: %d dimensions; at most %d are known", name,
                        set.space.rank, NCG_MAX_RANK);
    set_class(&set);
    NCI_TRY(set_storage(h5, object, name, &set, err));
    *out = set;
    return NCG_OK;
}
