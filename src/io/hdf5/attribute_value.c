/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of attributes in host order. Text of fixed length is one CHAR
 * attribute when the attribute is a single value and STRING otherwise; text of
 * variable length lies in the global heap: length (4), address, index (4).
 */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/hdf5/attribute.h"

static ncg_status no_memory(const char *owner, const char *name, ncg_error *err)
{
    return nci_fail(err, NCG_ENOMEM, "%s: out of memory for attribute %s",
                    owner, name);
}

static ncg_status put(nci_attrs *out, const nci_h5_attribute *attribute,
                      ncg_dtype dtype, uint64_t count, const void *values,
                      const char *owner, ncg_error *err)
{
    if (!nci_attrs_put(out, attribute->name, dtype, (int64_t)count, values))
        return no_memory(owner, attribute->name, err);
    return NCG_OK;
}

static void to_host(const nci_h5_type *type, uint64_t count,
                    const uint8_t *from, uint8_t *to)
{
    size_t size = type->size;
    for (uint64_t i = 0; i < count; i++, from += size, to += size)
        for (size_t b = 0; b < size; b++)
            to[b] = from[type->is_big_endian ? size - 1 - b : b];
}

static ncg_status put_numbers(const nci_h5_attribute *attribute,
                              const char *owner, nci_attrs *out, ncg_error *err)
{
    uint64_t count = attribute->space.count;
    if (!attribute->type.is_big_endian)
        return put(out, attribute, attribute->type.dtype, count,
                   attribute->values.at, owner, err);
    uint8_t *values = nci_alloc(nci_h5_left(&attribute->values));
    if (!values)
        return no_memory(owner, attribute->name, err);
    to_host(&attribute->type, count, attribute->values.at, values);
    ncg_status st =
        put(out, attribute, attribute->type.dtype, count, values, owner, err);
    nci_free(values);
    return st;
}

static const char *intern(const uint8_t *text, size_t size)
{
    char *copy =
        nci_strndup((const char *)text, strnlen((const char *)text, size));
    const char *kept = copy ? nci_intern(copy) : NULL;
    nci_free(copy);
    return kept;
}

/* One value of variable length; a null reference is the empty text. */
static ncg_status read_text(nci_h5 *h5, nci_h5_cursor *at, const char *owner,
                            const char *name, const char **out, ncg_error *err)
{
    uint64_t length = nci_h5_uint(at, 4), address = nci_h5_address(at, h5);
    uint32_t index = (uint32_t)nci_h5_uint(at, 4);
    nci_h5_cursor text = nci_h5_cursor_of("", 0);
    if (at->failed)
        return nci_fail(err, NCG_ECORRUPT, "%s: attribute %s is cut short",
                        owner, name);
    if (length && index)
        NCI_TRY(nci_h5_global_get(h5, address, index, owner, &text, err));
    size_t size = nci_h5_left(&text);
    *out = intern(text.at, length < size ? (size_t)length : size);
    return *out ? NCG_OK : no_memory(owner, name, err);
}

static ncg_status put_strings(nci_h5 *h5, const nci_h5_attribute *attribute,
                              const char *owner, nci_attrs *out, ncg_error *err)
{
    uint64_t count = attribute->space.count;
    const char **values = nci_calloc((size_t)count, sizeof *values);
    if (!values)
        return no_memory(owner, attribute->name, err);
    ncg_status st = NCG_OK;
    nci_h5_cursor at = attribute->values;
    size_t size = attribute->type.size;
    for (uint64_t i = 0; i < count && !st; i++) {
        if (attribute->type.klass == NCI_H5_VLEN) {
            st = read_text(h5, &at, owner, attribute->name, &values[i], err);
            continue;
        }
        values[i] = intern(nci_h5_skip(&at, size), size);
        if (!values[i])
            st = no_memory(owner, attribute->name, err);
    }
    if (!st)
        st = put(out, attribute, NCG_DTYPE_STRING, count, values, owner, err);
    nci_free(values);
    return st;
}

static ncg_status put_by_name(const nci_h5_attribute *attribute,
                              const char *owner, nci_attrs *out, ncg_error *err)
{
    NCI_TRY(put(out, attribute, NCG_DTYPE_NONE, 0, NULL, owner, err));
    for (size_t i = 0; i < out->count; i++)
        if (!strcmp(out->items[i].name, attribute->name))
            out->items[i].is_unsupported = true;
    return NCG_OK;
}

ncg_status nci_h5_attribute_put(nci_h5 *h5, const nci_h5_attribute *attribute,
                                const char *owner, nci_attrs *out,
                                ncg_error *err)
{
    const nci_h5_type *type = &attribute->type;
    bool is_text = type->klass == NCI_H5_STRING;
    bool is_number = type->klass == NCI_H5_FIXED || type->klass == NCI_H5_FLOAT;
    if (is_text && attribute->space.is_null)
        return put(out, attribute, NCG_DTYPE_CHAR, 0, NULL, owner, err);
    if (is_text && !attribute->space.rank)
        return put(out, attribute, NCG_DTYPE_CHAR, type->size,
                   attribute->values.at, owner, err);
    if (is_text || type->is_text)
        return put_strings(h5, attribute, owner, out, err);
    if (is_number && type->is_plain)
        return put_numbers(attribute, owner, out, err);
    if (type->klass == NCI_H5_REFERENCE)
        return NCG_OK;
    return put_by_name(attribute, owner, out, err);
}

int nci_h5_attribute_ints(const nci_h5_attribute *attribute, int most,
                          int64_t *out)
{
    const nci_h5_type *type = &attribute->type;
    if (type->klass != NCI_H5_FIXED || !type->is_plain)
        return -1;
    nci_h5_cursor at = attribute->values;
    int count = attribute->space.count < (uint64_t)most
                    ? (int)attribute->space.count
                    : most;
    for (int i = 0; i < count; i++) {
        uint8_t value[8] = {0};
        const uint8_t *from = nci_h5_skip(&at, type->size);
        to_host(type, 1, from, value);
        out[i] = nci_dtype_get_i64(type->dtype, value);
    }
    return count;
}

bool nci_h5_attribute_starts(const nci_h5_attribute *attribute,
                             const char *text)
{
    return attribute->type.klass == NCI_H5_STRING &&
           nci_h5_left(&attribute->values) >= strlen(text) &&
           !memcmp(attribute->values.at, text, strlen(text));
}
