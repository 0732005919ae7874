/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_ATTRIBUTE_H
#define NCI_IO_HDF5_ATTRIBUTE_H
/* The attributes of one object, in its header or in a fractal heap. */
#include "io/hdf5/heap.h"
#include "io/hdf5/message.h"

typedef struct nci_h5_attribute {
    const char *name; /* terminated, inside the object's or the heap's block */
    uint32_t order;   /* of creation where it is tracked, else of storage */
    nci_h5_type type;
    nci_h5_space space;
    nci_h5_cursor values;
} nci_h5_attribute;

/* All attributes of an object that must outlive them, in the order in which
 * NetCDF-C shows them. */
typedef struct nci_h5_attributes {
    nci_h5_attribute *items;
    size_t count, capacity;
    nci_h5_fractal heap;
} nci_h5_attributes;

ncg_status nci_h5_attributes_read(nci_h5 *h5, const nci_h5_object *object,
                                  const char *name, nci_h5_attributes *out,
                                  ncg_error *err);
void nci_h5_attributes_fini(nci_h5_attributes *attributes);
const nci_h5_attribute *nci_h5_attributes_find(const nci_h5_attributes *list,
                                               const char *name);

/* nci_h5_attribute_put adds an attribute to `out` as NetCDF-C shows it: text
 * of one value as CHAR, other text as STRING, numbers in host order. What has
 * no dtype is kept by name; references are left out. */
ncg_status nci_h5_attribute_put(nci_h5 *h5, const nci_h5_attribute *attribute,
                                const char *owner, nci_attrs *out,
                                ncg_error *err);
/* nci_h5_attribute_ints reads up to `most` integers; returns how many, or -1
 * when it holds none. */
int nci_h5_attribute_ints(const nci_h5_attribute *attribute, int most,
                          int64_t *out);
/* nci_h5_attribute_starts tells whether a fixed-length text begins so. */
bool nci_h5_attribute_starts(const nci_h5_attribute *attribute,
                             const char *text);

#endif
