/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_GROUP_H
#define NCI_IO_HDF5_GROUP_H
/* The links of a group, in all forms of storage. */
#include "io/hdf5/object.h"

typedef struct nci_h5_link {
    char *name;
    uint64_t address; /* of the object header */
    int64_t order;    /* of creation, where the group tracks it */
} nci_h5_link;

typedef struct nci_h5_links {
    nci_h5_link *items;
    size_t count, capacity;
} nci_h5_links;

/* nci_h5_object_is_group tells a group from data sets and named types. */
bool nci_h5_object_is_group(const nci_h5_object *object);
/* nci_h5_links_read lists the hard links of a group, in order of creation
 * where the group tracks it, else by name: as NetCDF-C visits them. Soft,
 * external and user-defined links are left out. */
ncg_status nci_h5_links_read(nci_h5 *h5, const nci_h5_object *group,
                             const char *name, nci_h5_links *out,
                             ncg_error *err);
void nci_h5_links_fini(nci_h5_links *links);

#endif
