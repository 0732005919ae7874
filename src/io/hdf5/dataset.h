/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_DATASET_H
#define NCI_IO_HDF5_DATASET_H
/* A data set: its type and shape, and where its values are. */
#include "io/hdf5/message.h"

typedef struct nci_h5_dataset {
    nci_h5_type type;
    nci_h5_space space;
    nci_var_class klass;
    ncg_dtype dtype;
    nci_storage storage; /* complete, file_shape included */
} nci_h5_dataset;

/* nci_h5_dataset_space reads only the shape. */
ncg_status nci_h5_dataset_space(nci_h5 *h5, const nci_h5_object *object,
                                const char *name, nci_h5_space *out,
                                ncg_error *err);
/* nci_h5_dataset_read reads everything but attributes. What only the library
 * can read gets NCI_LAYOUT_LIBRARY. */
ncg_status nci_h5_dataset_read(nci_h5 *h5, const nci_h5_object *object,
                               const char *name, nci_h5_dataset *out,
                               ncg_error *err);

#endif
