/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers of classic NetCDF files, all numbers big-endian:
 *
 *   magic    "CDF" and a byte: 1, 2 (64-bit offsets), 5 (64-bit counts too)
 *   numrecs  count; all ones: "streaming", it follows from the file's size
 *   dims     tag 10 count { name, length }           length 0: the record one
 *   attrs    tag 12 count { name, type, count, values padded to 4 }
 *   vars     tag 11 count { name, rank, dimids, attrs, type, vsize, begin }
 *
 * An absent list is tag 0, count 0. Names are a count and bytes padded to 4.
 * Counts are 4 bytes, in CDF-5 8; `begin` is 4 bytes in CDF-1, else 8. vsize
 * is not trusted (it overflows for large variables) but computed. Every count
 * is checked against the bytes that are left before anything is allocated.
 */
#include "io/classic_header.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "io/file.h"

enum { TAG_DIMS = 10, TAG_VARS = 11, TAG_ATTRS = 12, WINDOW = 8192 };

/* A place in the header, read through a small window. */
typedef struct cursor {
    nci_bytes *bytes;
    uint64_t at;
    int version; /* 1, 2, 5 */
    uint64_t window_at;
    size_t window_bytes;
    uint8_t window[WINDOW];
    ncg_error *err;
} cursor;

static ncg_status fail_at(cursor *c, const char *what)
{
    return nci_fail(c->err, NCG_ECORRUPT,
                    "truncated or damaged header: %s at byte "
                    "%" PRIu64,
                    what, c->at);
}

static uint64_t bytes_left(const cursor *c)
{
    return nci_bytes_size(c->bytes) - c->at;
}

static ncg_status take(cursor *c, size_t nbytes, void *out)
{
    if (nbytes > bytes_left(c))
        return nci_fail(c->err, NCG_ECORRUPT,
                        "truncated: the file ends inside its header at byte "
                        "%" PRIu64,
                        nci_bytes_size(c->bytes));
    if (nbytes > WINDOW) {
        NCI_TRY(nci_bytes_read(c->bytes, c->at, nbytes, out, c->err));
    } else {
        if (c->at < c->window_at ||
            c->at + nbytes > c->window_at + c->window_bytes) {
            size_t n = bytes_left(c) < WINDOW ? bytes_left(c) : WINDOW;
            NCI_TRY(nci_bytes_read(c->bytes, c->at, n, c->window, c->err));
            c->window_at = c->at;
            c->window_bytes = n;
        }
        memcpy(out, c->window + (c->at - c->window_at), nbytes);
    }
    c->at += nbytes;
    return NCG_OK;
}

static ncg_status take_u32(cursor *c, uint32_t *out)
{
    uint8_t b[4];
    NCI_TRY(take(c, 4, b));
    *out = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           b[3];
    return NCG_OK;
}

static ncg_status take_u64(cursor *c, uint64_t *out)
{
    uint32_t high, low;
    NCI_TRY(take_u32(c, &high));
    NCI_TRY(take_u32(c, &low));
    *out = (uint64_t)high << 32 | low;
    return NCG_OK;
}

/* A count or an offset: `wide` tells whether it has 8 bytes. */
static ncg_status take_number(cursor *c, bool wide, int64_t *out)
{
    uint64_t number;
    uint32_t narrow;
    if (wide) {
        NCI_TRY(take_u64(c, &number));
    } else {
        NCI_TRY(take_u32(c, &narrow));
        number = narrow;
    }
    if (number > (wide ? (uint64_t)INT64_MAX : UINT32_MAX))
        return fail_at(c, "number out of range");
    *out = (int64_t)number;
    return NCG_OK;
}

static ncg_status take_count(cursor *c, int64_t *out)
{
    return take_number(c, c->version == 5, out);
}

/* Reads the tag and length of a list whose items take at least `least` bytes.
 */
static ncg_status take_list(cursor *c, uint32_t tag, uint64_t least,
                            int64_t *count)
{
    uint32_t found;
    NCI_TRY(take_u32(c, &found));
    NCI_TRY(take_count(c, count));
    if (found != tag && (found != 0 || *count != 0))
        return fail_at(c, "unexpected list");
    if ((uint64_t)*count > bytes_left(c) / least + 1)
        return nci_fail(c->err, NCG_ECORRUPT,
                        "truncated or damaged header: a list of %" PRId64
                        " items at byte %" PRIu64 " is longer than the file",
                        *count, c->at);
    return NCG_OK;
}

static ncg_status skip_padding(cursor *c, int64_t nbytes)
{
    uint8_t ignored[4];
    size_t rest = (size_t)(-(uint64_t)nbytes & 3);
    return rest ? take(c, rest, ignored) : NCG_OK;
}

/* How many bytes the character takes that begins at `s`, which ends in NUL;
 * 0: no name has it there. Control characters, '/' and bytes that are no UTF-8
 * are what damage makes of names: no NetCDF file can be written with them. */
static size_t name_character(const uint8_t *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f && s[0] != '/';
    size_t n = s[0] >= 0xc2 && s[0] < 0xe0   ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static ncg_status check_name(cursor *c, const char *name, size_t length)
{
    const uint8_t *s = (const uint8_t *)name;
    for (size_t i = 0, n; i < length; i += n) {
        n = name_character(s + i);
        if (!n)
            return nci_fail(c->err, NCG_ECORRUPT,
                            "damaged header: a name that ends at byte %" PRIu64
                            " holds the byte 0x%02x, which no name may have",
                            c->at, s[i]);
    }
    return NCG_OK;
}

static ncg_status take_name(cursor *c, char **out)
{
    int64_t length = 0;
    NCI_TRY(take_count(c, &length));
    if ((uint64_t)length > bytes_left(c) || length > 65536)
        return fail_at(c, "length of a name out of range");
    char *name = nci_alloc((size_t)length + 1);
    if (!name)
        return nci_fail(c->err, NCG_ENOMEM, "out of memory");
    name[length] = '\0';
    ncg_status st = take(c, (size_t)length, name);
    if (!st)
        st = check_name(c, name, (size_t)length);
    if (!st)
        st = skip_padding(c, length);
    if (!st && length == 0)
        st = fail_at(c, "empty name");
    if (st) {
        nci_free(name);
        return st;
    }
    *out = name;
    return NCG_OK;
}

static ncg_status take_type(cursor *c, ncg_dtype *out)
{
    static const ncg_dtype dtypes[] = {
        NCG_DTYPE_NONE, NCG_DTYPE_I8,  NCG_DTYPE_CHAR, NCG_DTYPE_I16,
        NCG_DTYPE_I32,  NCG_DTYPE_F32, NCG_DTYPE_F64,  NCG_DTYPE_U8,
        NCG_DTYPE_U16,  NCG_DTYPE_U32, NCG_DTYPE_I64,  NCG_DTYPE_U64};
    uint32_t type;
    NCI_TRY(take_u32(c, &type));
    if (type < 1 || type > (c->version == 5 ? 11 : 6))
        return fail_at(c, "unknown type");
    *out = dtypes[type];
    return NCG_OK;
}

static void swap_values(uint8_t *values, int64_t count, size_t size)
{
    if (!nci_is_little_endian())
        return;
    for (int64_t i = 0; i < count; i++, values += size)
        for (size_t b = 0; b < size / 2; b++) {
            uint8_t keep = values[b];
            values[b] = values[size - 1 - b];
            values[size - 1 - b] = keep;
        }
}

static ncg_status take_values(cursor *c, nci_attrs *attrs, const char *name,
                              ncg_dtype dtype, int64_t count)
{
    size_t size = ncg_dtype_size(dtype);
    if ((uint64_t)count > bytes_left(c) / size)
        return fail_at(c, "attribute longer than the file");
    uint8_t *values = nci_alloc((size_t)count * size);
    if (!values)
        return nci_fail(c->err, NCG_ENOMEM, "out of memory");
    ncg_status st = take(c, (size_t)count * size, values);
    if (!st)
        st = skip_padding(c, count * (int64_t)size);
    if (!st) {
        swap_values(values, count, size);
        if (!nci_attrs_put(attrs, name, dtype, count, values))
            st = nci_fail(c->err, NCG_ENOMEM, "out of memory");
    }
    nci_free(values);
    return st;
}

static ncg_status take_attrs(cursor *c, nci_attrs *attrs)
{
    int64_t count;
    NCI_TRY(take_list(c, TAG_ATTRS, 16, &count));
    for (int64_t i = 0; i < count; i++) {
        char *name = NULL;
        ncg_dtype dtype = NCG_DTYPE_NONE;
        int64_t length;
        NCI_TRY(take_name(c, &name));
        ncg_status st = take_type(c, &dtype);
        if (!st)
            st = take_count(c, &length);
        if (!st)
            st = take_values(c, attrs, name, dtype, length);
        nci_free(name);
        NCI_TRY(st);
    }
    return NCG_OK;
}

static ncg_status take_dims(cursor *c, nci_header *header)
{
    int64_t count, length;
    bool has_record = false;
    NCI_TRY(take_list(c, TAG_DIMS, 12, &count));
    for (int64_t i = 0; i < count; i++) {
        char *name = NULL;
        NCI_TRY(take_name(c, &name));
        ncg_status st = take_count(c, &length);
        if (!st && length == 0 && has_record)
            st = fail_at(c, "second record dimension");
        if (!st && !nci_header_add_dim(header, name, length, length == 0))
            st = nci_fail(c->err, NCG_ENOMEM, "out of memory");
        nci_free(name);
        NCI_TRY(st);
        has_record = has_record || length == 0;
    }
    return NCG_OK;
}

/* Reads rank and dimension ids of the variable that comes next. */
static ncg_status take_var_dims(cursor *c, const nci_header *header,
                                const char *name, int *rank, int *dims)
{
    int64_t count = 0, id = 0;
    NCI_TRY(take_count(c, &count));
    if ((uint64_t)count > bytes_left(c) / 4)
        return fail_at(c, "rank out of range");
    if (count > NCG_MAX_RANK)
        return nci_fail(c->err, NCG_EUNSUPPORTED,
                        "%s: %" PRId64 " dimensions, at most %d are possible",
                        name, count, NCG_MAX_RANK);
    for (int d = 0; d < count; d++) {
        NCI_TRY(take_count(c, &id));
        if (id >= (int64_t)header->ndims)
            return fail_at(c, "dimension out of range");
        if (d > 0 && header->dims[id].is_unlimited)
            return fail_at(c, "record dimension that is not the first");
        dims[d] = (int)id;
    }
    *rank = (int)count;
    return NCG_OK;
}

static bool is_record(const nci_header *header, const nci_var *var)
{
    return var->rank > 0 && header->dims[var->dims[0]].is_unlimited;
}

/* Bytes of the variable; of one record where it is a record variable. */
static bool stored_bytes(const nci_header *header, const nci_var *var,
                         int64_t *out)
{
    int64_t n = var->storage.elem_size;
    for (int d = is_record(header, var) ? 1 : 0; d < var->rank; d++)
        if (!nci_mul_i64(n, header->dims[var->dims[d]].size, &n))
            return false;
    *out = n;
    return n < INT64_MAX - 4;
}

static ncg_status take_var(cursor *c, nci_header *header, const char *name)
{
    int rank = 0, dims[NCG_MAX_RANK];
    int64_t vsize, begin, nbytes;
    ncg_dtype dtype = NCG_DTYPE_NONE;
    nci_attrs attrs = {0};
    NCI_TRY(take_var_dims(c, header, name, &rank, dims));
    ncg_status st = take_attrs(c, &attrs);
    if (!st)
        st = take_type(c, &dtype);
    if (!st && c->version == 5)
        st = take(c, 8, &vsize);
    else if (!st)
        st = take(c, 4, &vsize);
    if (!st)
        st = take_number(c, c->version != 1, &begin);
    nci_var *var = NULL;
    if (!st) {
        var = nci_header_add_var(header, name, dtype, rank, dims);
        if (!var)
            st = nci_fail(c->err, NCG_ENOMEM, "out of memory");
    }
    if (st) {
        nci_attrs_fini(&attrs);
        return st;
    }
    var->attrs = attrs;
    var->storage.address = (uint64_t)begin;
    var->storage.elem_size = (uint32_t)ncg_dtype_size(dtype);
    var->storage.is_big_endian = var->storage.elem_size > 1;
    if (!stored_bytes(header, var, &nbytes))
        return nci_fail(c->err, NCG_ECORRUPT, "%s: size overflows", name);
    var->storage.nbytes = (uint64_t)nbytes;
    var->storage.layout =
        is_record(header, var) ? NCI_LAYOUT_RECORD : NCI_LAYOUT_CONTIGUOUS;
    return NCG_OK;
}

static ncg_status take_vars(cursor *c, nci_header *header)
{
    int64_t count;
    NCI_TRY(take_list(c, TAG_VARS, 28, &count));
    for (int64_t i = 0; i < count; i++) {
        char *name = NULL;
        NCI_TRY(take_name(c, &name));
        ncg_status st = take_var(c, header, name);
        nci_free(name);
        NCI_TRY(st);
    }
    return NCG_OK;
}

/* ---- records ----------------------------------------------------------- */

/* The distance between records: what all record variables take, each padded to
 * 4 bytes; a single one is not padded. */
static ncg_status record_size(nci_header *header, uint64_t *size,
                              uint64_t *begin, ncg_error *err)
{
    uint64_t sum = 0, only = 0, n = 0;
    *begin = UINT64_MAX;
    for (size_t i = 0; i < header->nvars; i++) {
        const nci_storage *storage = &header->vars[i].storage;
        if (storage->layout != NCI_LAYOUT_RECORD)
            continue;
        n++;
        only = storage->nbytes;
        if (__builtin_add_overflow(sum, (only + 3) & ~(uint64_t)3, &sum) ||
            sum > INT64_MAX)
            return nci_fail(err, NCG_ECORRUPT, "size of a record overflows");
        if (storage->address < *begin)
            *begin = storage->address;
    }
    *size = n == 1 ? only : sum;
    return NCG_OK;
}

/* `numrecs` < 0: as many records as the file has room for. */
static ncg_status settle_records(nci_header *header, int64_t numrecs,
                                 ncg_error *err)
{
    uint64_t size = 0, begin = 0;
    NCI_TRY(record_size(header, &size, &begin, err));
    if (numrecs < 0) {
        uint64_t end = (uint64_t)header->size;
        numrecs = size && begin < end ? (int64_t)((end - begin) / size) : 0;
    }
    for (size_t i = 0; i < header->ndims; i++)
        if (header->dims[i].is_unlimited)
            header->dims[i].size = numrecs;
    for (size_t i = 0; i < header->nvars; i++) {
        nci_var *var = &header->vars[i];
        int64_t shape[NCG_MAX_RANK], all;
        if (var->storage.layout == NCI_LAYOUT_RECORD) {
            var->storage.record_size = size;
            if (!nci_mul_i64((int64_t)size, numrecs, &all))
                return nci_fail(err, NCG_ECORRUPT, "%s: size overflows",
                                var->name);
        }
        nci_var_shape(header, var, shape);
        memcpy(var->storage.file_shape, shape,
               (size_t)var->rank * sizeof *shape);
        nci_tile_chunk(var->rank, shape, var->storage.elem_size, false,
                       var->storage.chunk);
    }
    return NCG_OK;
}

static ncg_status take_magic(cursor *c, nci_header *header, int64_t *numrecs)
{
    uint8_t magic[4];
    static const nci_format formats[] = {
        [1] = NCI_FORMAT_CDF1, [2] = NCI_FORMAT_CDF2, [5] = NCI_FORMAT_CDF5};
    if (nci_bytes_size(c->bytes) < 4)
        return nci_fail(c->err, NCG_EUNSUPPORTED, "not a NetCDF or HDF5 file");
    NCI_TRY(take(c, 4, magic));
    if (memcmp(magic, "CDF", 3) ||
        (magic[3] != 1 && magic[3] != 2 && magic[3] != 5))
        return nci_fail(c->err, NCG_EUNSUPPORTED, "not a NetCDF or HDF5 file");
    c->version = magic[3];
    header->format = formats[c->version];
    uint64_t wide = 0;
    uint32_t narrow = 0;
    NCI_TRY(c->version == 5 ? take_u64(c, &wide) : take_u32(c, &narrow));
    if (wide == UINT64_MAX || narrow == UINT32_MAX) {
        *numrecs = -1;
        return NCG_OK;
    }
    if (wide > INT64_MAX)
        return fail_at(c, "number of records out of range");
    *numrecs = c->version == 5 ? (int64_t)wide : narrow;
    return NCG_OK;
}

ncg_status nci_classic_inspect(nci_bytes *bytes, nci_header *header,
                               ncg_error *err)
{
    cursor *c = nci_calloc(1, sizeof *c);
    int64_t numrecs = 0;
    if (!c)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    c->bytes = bytes;
    c->err = err;
    ncg_status st = take_magic(c, header, &numrecs);
    if (!st)
        st = take_dims(c, header);
    if (!st)
        st = take_attrs(c, &header->attrs);
    if (!st)
        st = take_vars(c, header);
    if (!st)
        st = settle_records(header, numrecs, err);
    nci_free(c);
    return st;
}
