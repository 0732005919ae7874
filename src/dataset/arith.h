/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_ARITH_H
#define NCI_DATASET_ARITH_H
/* arith.c: arithmetic by name. arith_attrs.c: which attributes stay.
 * arith_cover.c: where one position stands for all of the other data set. */
#include "dataset/combine.h"

/* nci_arith_keeps_units: the result has the units of the inputs, where these
 * are equal. */
bool nci_arith_keeps_units(nci_map_op op);
bool nci_arith_same_units(const nci_attrs *a, const nci_attrs *b);
/* nci_arith_keep_attrs leaves those of the first input that stay true of a
 * result; `other` NULL: an operation of one input. */
ncg_status nci_arith_keep_attrs(nci_map_op op, nci_variable *var,
                                const nci_attrs *other, ncg_error *err);
/* nci_model_without_covering copies a model without the dimensions along which
 * its one position stands for all of the other. */
ncg_status nci_model_without_covering(const nci_model *from,
                                      const nci_model *other, nci_model **out,
                                      ncg_error *err);

#endif
