/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_DATASETS_H
#define NCI_API_DATASETS_H
/* What the public functions of data sets share. */
#include "api/handles.h"
#include "dataset/combine.h"

/* nci_dataset_check: the handle is there and was not released. */
ncg_status nci_dataset_check(const ncg_dataset *ds, ncg_error *err);
/* nci_dataset_done makes the handle of a result where `st` is success; takes
 * the model and the notes. */
ncg_status nci_dataset_done(nci_noting *noting, ncg_status st,
                            nci_model *model_take, ncg_dataset **out,
                            ncg_error *err);

#endif
