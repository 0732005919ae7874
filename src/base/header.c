/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/header.h"

#include <string.h>

#include "base/mem.h"

static void attr_fini(nci_attr *attr)
{
    nci_free(attr->name);
    nci_free(attr->values);
}

void nci_attrs_fini(nci_attrs *attrs)
{
    for (size_t i = 0; i < attrs->count; i++)
        attr_fini(&attrs->items[i]);
    nci_free(attrs->items);
    *attrs = (nci_attrs){0};
}

static nci_attr *find(const nci_attrs *attrs, const char *name)
{
    for (size_t i = 0; i < attrs->count; i++)
        if (!strcmp(attrs->items[i].name, name))
            return &attrs->items[i];
    return NULL;
}

const nci_attr *nci_attrs_find(const nci_attrs *attrs, const char *name)
{
    return find(attrs, name);
}

const char *nci_attrs_text(const nci_attrs *attrs, const char *name)
{
    const nci_attr *attr = find(attrs, name);
    if (!attr || !attr->values)
        return NULL;
    if (attr->dtype == NCG_DTYPE_CHAR)
        return attr->values;
    if (attr->dtype == NCG_DTYPE_STRING && attr->count >= 1)
        return *(const char *const *)attr->values;
    return NULL;
}

static bool attr_init(nci_attr *attr, const char *name, ncg_dtype dtype,
                      int64_t count, const void *values)
{
    size_t nbytes = (size_t)count * ncg_dtype_size(dtype);
    *attr = (nci_attr){.dtype = dtype, .count = count};
    attr->name = nci_strdup(name);
    attr->values = nci_calloc(nbytes + 1, 1);
    if (!attr->name || !attr->values) {
        attr_fini(attr);
        return false;
    }
    if (nbytes)
        memcpy(attr->values, values, nbytes);
    return true;
}

bool nci_attrs_put(nci_attrs *attrs, const char *name, ncg_dtype dtype,
                   int64_t count, const void *values)
{
    nci_attr fresh;
    nci_attr *old = find(attrs, name);
    if (!attr_init(&fresh, name, dtype, count, values))
        return false;
    if (old) {
        attr_fini(old);
        *old = fresh;
        return true;
    }
    if (!nci_grow(&attrs->items, &attrs->capacity, attrs->count + 1,
                  sizeof *attrs->items)) {
        attr_fini(&fresh);
        return false;
    }
    attrs->items[attrs->count++] = fresh;
    return true;
}

bool nci_attrs_put_text(nci_attrs *attrs, const char *name, const char *text)
{
    return nci_attrs_put(attrs, name, NCG_DTYPE_CHAR, (int64_t)strlen(text),
                         text);
}

void nci_attrs_remove(nci_attrs *attrs, const char *name)
{
    nci_attr *attr = find(attrs, name);
    if (!attr)
        return;
    size_t at = (size_t)(attr - attrs->items);
    attr_fini(attr);
    memmove(attr, attr + 1, (attrs->count - at - 1) * sizeof *attr);
    attrs->count--;
}

bool nci_attrs_copy(const nci_attrs *from, nci_attrs *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const nci_attr *attr = &from->items[i];
        if (!nci_attrs_put(to, attr->name, attr->dtype, attr->count,
                           attr->values))
            return false;
        to->items[to->count - 1].is_unsupported = attr->is_unsupported;
    }
    return true;
}

nci_header *nci_header_create(const char *path)
{
    nci_header *header = nci_calloc(1, sizeof *header);
    if (header && !(header->path = nci_strdup(path)))
        nci_header_free(&header);
    return header;
}

void nci_header_free(nci_header **slot)
{
    nci_header *header = *slot;
    *slot = NULL;
    if (!header)
        return;
    for (size_t i = 0; i < header->ndims; i++)
        nci_free(header->dims[i].name);
    for (size_t i = 0; i < header->nvars; i++) {
        nci_free(header->vars[i].name);
        nci_attrs_fini(&header->vars[i].attrs);
    }
    nci_attrs_fini(&header->attrs);
    nci_free(header->dims);
    nci_free(header->vars);
    nci_free(header->path);
    nci_free(header);
}

nci_dim *nci_header_add_dim(nci_header *header, const char *name, int64_t size,
                            bool is_unlimited)
{
    char *copy = nci_strdup(name);
    if (!copy || !nci_grow(&header->dims, &header->dims_capacity,
                           header->ndims + 1, sizeof *header->dims)) {
        nci_free(copy);
        return NULL;
    }
    nci_dim *dim = &header->dims[header->ndims++];
    *dim = (nci_dim){copy, size, is_unlimited};
    return dim;
}

nci_var *nci_header_add_var(nci_header *header, const char *name,
                            ncg_dtype dtype, int rank, const int *dims)
{
    char *copy = nci_strdup(name);
    if (!copy || !nci_grow(&header->vars, &header->vars_capacity,
                           header->nvars + 1, sizeof *header->vars)) {
        nci_free(copy);
        return NULL;
    }
    nci_var *var = &header->vars[header->nvars++];
    *var = (nci_var){.name = copy, .dtype = dtype, .rank = rank};
    for (int d = 0; d < rank; d++) {
        var->dims[d] = dims ? dims[d] : -1;
        var->storage.chunk[d] = 1;
    }
    var->storage.address = NCI_NO_ADDRESS;
    return var;
}

int nci_header_find_dim(const nci_header *header, const char *name)
{
    for (size_t i = 0; i < header->ndims; i++)
        if (!strcmp(header->dims[i].name, name))
            return (int)i;
    return -1;
}

int nci_header_find_var(const nci_header *header, const char *name)
{
    for (size_t i = 0; i < header->nvars; i++)
        if (!strcmp(header->vars[i].name, name))
            return (int)i;
    return -1;
}

void nci_var_shape(const nci_header *header, const nci_var *var, int64_t *shape)
{
    for (int d = 0; d < var->rank; d++)
        shape[d] = header->dims[var->dims[d]].size;
}
