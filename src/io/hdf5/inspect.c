/* SPDX-License-Identifier: BSD-3-Clause */
/* The header of an HDF5 file, put together from its own structures. */
#include "io/hdf5/netcdf4.h"

/* Moves what was read into the caller's header, which keeps path, size and
 * time. */
static void hand_over(nci_header *from, nci_header *to)
{
    nci_header empty = {.path = from->path};
    to->format = NCI_FORMAT_HDF5;
    to->dims = from->dims;
    to->ndims = from->ndims;
    to->dims_capacity = from->dims_capacity;
    to->vars = from->vars;
    to->nvars = from->nvars;
    to->vars_capacity = from->vars_capacity;
    to->attrs = from->attrs;
    *from = empty;
}

ncg_status nci_hdf5_inspect(nci_bytes *bytes, nci_header *header,
                            ncg_error *err)
{
    nci_h5 h5;
    NCI_TRY(nci_h5_open(bytes, &h5, err));
    nci_header *fresh = nci_header_create(header->path);
    nci_n4_tree tree = {.h5 = &h5, .header = fresh};
    ncg_status st;
    if (!fresh)
        st = nci_fail(err, NCG_ENOMEM, "out of memory for a file's header");
    else
        st = nci_n4_walk(&tree, err);
    if (!st)
        st = nci_n4_resolve(&tree, err);
    if (!st)
        hand_over(fresh, header);
    nci_n4_tree_fini(&tree);
    nci_header_free(&fresh);
    nci_h5_close(&h5);
    return st;
}
