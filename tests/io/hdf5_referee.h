/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_IO_HDF5_REFEREE_H
#define NCG_TESTS_IO_HDF5_REFEREE_H
/*
 * Our HDF5 reader against NetCDF-C (headers) and libhdf5 (where the bytes of
 * each variable are). NetCDF-C calls invented dimensions phony_dim_N, we dim_N,
 * and it leaves out variables of some types, which we keep by name.
 */
#include <hdf5.h>
#include <netcdf.h>

#include "base/dtype.h"
#include "io/driver.h"
#include "test.h"

static ncg_error err;
static const char *checking; /* path of the file */

/* For variables: says which file, variable and figure differ. */
#define SAME(a, b)                                                             \
    do {                                                                       \
        long long same_a_ = (long long)(a), same_b_ = (long long)(b);          \
        if (same_a_ != same_b_)                                                \
            fail_msg("%s: %s: %s is %lld, not %lld", checking, var->name, #a,  \
                     same_a_, same_b_);                                        \
    } while (0)

static const char *plain_name(const char *name, char *out, size_t size)
{
    const char *phony = strstr(name, "phony_dim_");
    if (!phony)
        return name;
    snprintf(out, size, "%.*s%s", (int)(phony - name), name, phony + 6);
    return out;
}

static void same_dims(const char *path, const nci_header *own,
                      const nci_header *ref)
{
    char name[600];
    /* Ours may have more at the end, for variables that NetCDF-C hides. */
    if (own->ndims < ref->ndims)
        fail_msg("%s: %zu dimensions, not %zu", path, own->ndims, ref->ndims);
    for (size_t i = 0; i < ref->ndims; i++) {
        const char *want = plain_name(ref->dims[i].name, name, sizeof name);
        int found = nci_header_find_dim(own, want);
        if (found < 0)
            fail_msg("%s: no dimension %s", path, want);
        if (own->ndims == ref->ndims && (size_t)found != i)
            fail_msg("%s: dimension %s is number %d, not %zu", path, want,
                     found, i);
        const nci_dim *dim = &own->dims[found];
        if (dim->size != ref->dims[i].size ||
            dim->is_unlimited != ref->dims[i].is_unlimited)
            fail_msg("%s: dimension %s: %lld %d, not %lld %d", path, want,
                     (long long)dim->size, dim->is_unlimited,
                     (long long)ref->dims[i].size, ref->dims[i].is_unlimited);
    }
}

static void same_attrs(const char *path, const char *owner,
                       const nci_attrs *own, const nci_attrs *ref)
{
    size_t k = 0;
    for (size_t i = 0; i < ref->count; i++, k++) {
        const nci_attr *b = &ref->items[i];
        while (k < own->count && own->items[k].is_unsupported &&
               strcmp(own->items[k].name, b->name))
            k++;
        if (k == own->count || strcmp(own->items[k].name, b->name))
            fail_msg("%s: %s: attribute %zu is %s, not %s", path, owner, i,
                     k == own->count ? "not there" : own->items[k].name,
                     b->name);
        const nci_attr *a = &own->items[k];
        if (a->is_unsupported != b->is_unsupported)
            fail_msg("%s: %s: attribute %s: unsupported %d, not %d", path,
                     owner, a->name, a->is_unsupported, b->is_unsupported);
        if (a->is_unsupported)
            continue;
        size_t nbytes = (size_t)a->count * ncg_dtype_size(a->dtype);
        if (a->dtype != b->dtype || a->count != b->count ||
            memcmp(a->values, b->values, nbytes))
            fail_msg("%s: %s: attribute %s differs: %s %lld, %s %lld", path,
                     owner, a->name, ncg_dtype_name(a->dtype),
                     (long long)a->count, ncg_dtype_name(b->dtype),
                     (long long)b->count);
    }
    for (; k < own->count; k++)
        if (!own->items[k].is_unsupported)
            fail_msg("%s: %s: attribute %s is one too many", path, owner,
                     own->items[k].name);
}

static void same_var(const char *path, const nci_header *own, const nci_var *a,
                     const nci_header *ref, const nci_var *b)
{
    char name[600];
    if (a->klass == NCI_VAR_OTHER) /* NetCDF-C takes some of them for strings */
        return;
    if (a->dtype != b->dtype || a->klass != b->klass || a->rank != b->rank)
        fail_msg("%s: %s: dtype %d class %d rank %d, not %d %d %d", path,
                 a->name, a->dtype, a->klass, a->rank, b->dtype, b->klass,
                 b->rank);
    for (int d = 0; d < a->rank; d++) {
        const char *want =
            plain_name(ref->dims[b->dims[d]].name, name, sizeof name);
        if (strcmp(own->dims[a->dims[d]].name, want))
            fail_msg("%s: %s: dimension %d is %s, not %s", path, a->name, d,
                     own->dims[a->dims[d]].name, want);
    }
    same_attrs(path, a->name, &a->attrs, &b->attrs);
}

static void same_headers(const char *path, const nci_header *own,
                         const nci_header *ref)
{
    size_t k = 0;
    same_dims(path, own, ref);
    for (size_t i = 0; i < ref->nvars; i++, k++) {
        while (k < own->nvars && strcmp(own->vars[k].name, ref->vars[i].name)) {
            if (own->vars[k].klass == NCI_VAR_PLAIN)
                fail_msg("%s: variable %s, not %s", path, own->vars[k].name,
                         ref->vars[i].name);
            k++;
        }
        if (k == own->nvars)
            fail_msg("%s: variable %s is missing", path, ref->vars[i].name);
        same_var(path, own, &own->vars[k], ref, &ref->vars[i]);
    }
    for (; k < own->nvars; k++)
        if (own->vars[k].klass == NCI_VAR_PLAIN)
            fail_msg("%s: variable %s is one too many", path,
                     own->vars[k].name);
    same_attrs(path, "global", &own->attrs, &ref->attrs);
}

/* ---- storage, by libhdf5 ----------------------------------------------- */

static hid_t open_set(hid_t file, const char *name)
{
    char other[800];
    const char *last = strrchr(name, '/');
    int group = last ? (int)(last - name + 1) : 0;
    snprintf(other, sizeof other, "%.*s_nc4_non_coord_%s", group, name,
             name + group);
    hid_t set;
    H5E_BEGIN_TRY
    {
        set = H5Dopen2(file, other, H5P_DEFAULT);
        if (set < 0)
            set = H5Dopen2(file, name, H5P_DEFAULT);
    }
    H5E_END_TRY;
    return set;
}

static void same_filters(const nci_var *var, hid_t plist)
{
    int count = H5Pget_nfilters(plist);
    SAME(var->storage.nfilters, count);
    for (int i = 0; i < count; i++) {
        const nci_filter *filter = &var->storage.filters[i];
        unsigned flags, config, params[NCI_MAX_FILTER_PARAMS];
        size_t nparams = NCI_MAX_FILTER_PARAMS;
        char name[8];
        H5Z_filter_t id = H5Pget_filter2(plist, (unsigned)i, &flags, &nparams,
                                         params, sizeof name, name, &config);
        SAME(filter->id, id);
        SAME(filter->is_optional, flags & 1);
        SAME(filter->nparams, nparams);
        for (size_t p = 0; p < nparams; p++)
            SAME(filter->params[p], params[p]);
    }
}

static void same_fill(const nci_var *var, hid_t plist, hid_t type)
{
    H5D_fill_value_t kind;
    uint8_t value[16] = {0};
    H5Pfill_value_defined(plist, &kind);
    if (var->storage.layout == NCI_LAYOUT_LIBRARY)
        return;
    hid_t native = H5Tget_native_type(type, H5T_DIR_DEFAULT);
    if (kind == H5D_FILL_VALUE_USER_DEFINED) {
        assert_true(H5Pget_fill_value(plist, native, value) >= 0);
        SAME(var->storage.has_fill, true);
    }
    SAME(memcmp(value, var->storage.fill, var->storage.elem_size), 0);
    H5Tclose(native);
}

/* One chunk by its place: libhdf5's own bytes of it and ours. */
static void same_bytes(nci_bytes *bytes, const nci_var *var, hid_t set,
                       const nci_chunk_table *table, int64_t number)
{
    const nci_chunk *chunk = &table->chunks[number];
    hsize_t offset[H5S_MAX_RANK], size = 0;
    uint32_t mask;
    int64_t rest = number;
    for (int d = var->rank - 1; d >= 0; d--) {
        offset[d] = (hsize_t)(rest % table->count[d] * var->storage.chunk[d]);
        rest /= table->count[d];
    }
    H5Dget_chunk_storage_size(set, offset, &size);
    if (chunk->address == NCI_NO_ADDRESS) {
        SAME(size, 0);
        return;
    }
    SAME(chunk->nbytes, size);
    uint8_t *own = malloc(size + 1), *theirs = malloc(size + 1);
    assert_true(H5Dread_chunk(set, H5P_DEFAULT, offset, &mask, theirs) >= 0);
    CHECK_OK(nci_bytes_read(bytes, chunk->address, size, own, &err));
    SAME(memcmp(own, theirs, size), 0);
    SAME(chunk->mask, mask);
    free(own);
    free(theirs);
}

/* One chunk of libhdf5's list. */
static void same_entry(const nci_var *var, hid_t set, hid_t space,
                       uint64_t base, const nci_chunk_table *table, hsize_t i)
{
    hsize_t offset[H5S_MAX_RANK], size;
    unsigned mask;
    haddr_t address;
    int64_t at = 0;
    assert_true(
        H5Dget_chunk_info(set, space, i, offset, &mask, &address, &size) >= 0);
    for (int d = 0; d < var->rank; d++)
        at = at * table->count[d] + (int64_t)offset[d] / var->storage.chunk[d];
    const nci_chunk *chunk = &table->chunks[at];
    /* libhdf5 1.10 counts from the base address. */
    if (chunk->address != address)
        SAME(chunk->address, address + base);
    SAME(chunk->nbytes, size);
    SAME(chunk->mask, mask);
}

/* Each chunk of the library is in the table, and no other is. libhdf5 1.10
 * lists those of an extensible array at wrong places unless the first axis is
 * the unlimited one, so these are asked for by place. */
static void same_chunks(nci_bytes *bytes, const nci_var *var, hid_t set,
                        uint64_t base, const nci_chunk_table *table)
{
    hsize_t count = 0, written = 0;
    hid_t space = H5Dget_space(set);
    assert_true(H5Dget_num_chunks(set, space, &count) >= 0);
    for (int64_t i = 0; i < table->nchunks; i++)
        written += table->chunks[i].address != NCI_NO_ADDRESS;
    SAME(written, count);
    if (var->storage.index == NCI_INDEX_EXTENSIBLE_ARRAY) {
        int64_t step = table->nchunks > 20000 ? 1 + table->nchunks / 20000 : 1;
        for (int64_t i = 0; i < table->nchunks; i += step)
            same_bytes(bytes, var, set, table, i);
        for (int64_t i = 0; i < table->nchunks; i++)
            if (table->chunks[i].address != NCI_NO_ADDRESS)
                same_bytes(bytes, var, set, table, i);
    } else {
        hsize_t step = count > 2500 ? count / 500 : 1;
        for (hsize_t i = 0; i < count; i += step)
            same_entry(var, set, space, base, table, i);
    }
    H5Sclose(space);
}

static void same_layout(nci_bytes *bytes, const nci_var *var, hid_t set,
                        hid_t plist, uint64_t base)
{
    const nci_storage *storage = &var->storage;
    nci_chunk_table table;
    hsize_t chunk[H5S_MAX_RANK];
    switch (H5Pget_layout(plist)) {
    case H5D_CHUNKED:
        SAME(storage->layout, NCI_LAYOUT_CHUNKED);
        SAME(H5Pget_chunk(plist, H5S_MAX_RANK, chunk), var->rank);
        for (int d = 0; d < var->rank; d++)
            SAME(storage->chunk[d], chunk[d]);
        CHECK_OK(nci_hdf5_chunk_table(bytes, var, &table, &err));
        same_chunks(bytes, var, set, base, &table);
        nci_chunk_table_fini(&table);
        break;
    case H5D_CONTIGUOUS:
        SAME(storage->layout, NCI_LAYOUT_CONTIGUOUS);
        SAME(storage->address, H5Dget_offset(set));
        break;
    default:
        SAME(storage->layout, NCI_LAYOUT_COMPACT);
    }
}

static void same_storage(nci_bytes *bytes, const nci_var *var, hid_t file,
                         uint64_t base)
{
    hsize_t dims[H5S_MAX_RANK];
    hid_t set = open_set(file, var->name);
    if (set < 0)
        fail_msg("%s: libhdf5 does not find it", var->name);
    hid_t plist = H5Dget_create_plist(set), type = H5Dget_type(set);
    hid_t space = H5Dget_space(set);
    if (H5Sget_simple_extent_type(space) != H5S_NULL) {
        SAME(H5Sget_simple_extent_dims(space, dims, NULL), var->rank);
        for (int d = 0; d < var->rank; d++)
            SAME(var->storage.file_shape[d], dims[d]);
    }
    if (var->storage.layout != NCI_LAYOUT_LIBRARY) {
        H5T_order_t order = H5Tget_order(type);
        SAME(var->storage.elem_size, H5Tget_size(type));
        if (var->storage.elem_size > 1)
            SAME(var->storage.is_big_endian, order == H5T_ORDER_BE);
        same_filters(var, plist);
        same_fill(var, plist, type);
        same_layout(bytes, var, set, plist, base);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Pclose(plist);
    H5Dclose(set);
}

static void same_as_hdf5(const char *path, nci_bytes *bytes,
                         const nci_header *header)
{
    hsize_t base = 0;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        fail_msg("%s: libhdf5 does not open it", path);
    hid_t plist = H5Fget_create_plist(file);
    H5Pget_userblock(plist, &base);
    for (size_t i = 0; i < header->nvars; i++)
        same_storage(bytes, &header->vars[i], file, base);
    H5Pclose(plist);
    H5Fclose(file);
}

/* ---- one file ---------------------------------------------------------- */

static inline bool is_hdf5(const char *path)
{
    bool found = false;
    H5E_BEGIN_TRY
    {
        found = H5Fis_hdf5(path) > 0;
    }
    H5E_END_TRY;
    return found;
}

enum { REFEREE_HEADER = 1, REFEREE_STORAGE = 2, REFEREE_BOTH = 3 };

/* check_file compares one file; `what` leaves out the referee that differs on
 * purpose. */
static inline void check_file(const char *path, int what)
{
    nci_io *io = NULL, *library = NULL;
    nci_io_options by_library = {.force_library = true};
    nci_bytes *bytes = NULL;
    nci_file *ref = NULL;
    nci_header *own = nci_header_create(path);
    checking = path;
    CHECK_OK(nci_io_create(NULL, &io, &err));
    CHECK_OK(nci_io_create(&by_library, &library, &err));
    CHECK_OK(nci_bytes_open(io, path, &bytes, &err));
    CHECK_OK(nci_hdf5_inspect(bytes, own, &err));
    assert_int_equal(own->format, NCI_FORMAT_HDF5);
    if (what & REFEREE_HEADER) {
        if (nci_file_open(library, path, &ref, &err))
            print_message("%s: NetCDF-C does not open it: %s\n", path,
                          err.message);
        else
            same_headers(path, own, nci_file_header(ref));
        nci_file_release(&ref);
    }
    if (what & REFEREE_STORAGE)
        same_as_hdf5(path, bytes, own);
    nci_bytes_close(&bytes);
    nci_header_free(&own);
    nci_io_destroy(&library);
    nci_io_destroy(&io);
}

#endif
