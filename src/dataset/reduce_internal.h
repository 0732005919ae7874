/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_REDUCE_INTERNAL_H
#define NCI_DATASET_REDUCE_INTERNAL_H
/* reduce_begin.c: what a reduction is asked to do. reduce.c: doing it. */
#include "dataset/ops.h"

/* nci_reducing_check refuses options that have no meaning together. */
ncg_status nci_reducing_check(const ncg_reduce_options *options,
                              ncg_error *err);
/* nci_reducing_init finds dimensions and groups of what is described by `in`,
 * `options`, `quantile` and `note`, and begins the result; nci_reducing_fini
 * also after its failure. */
ncg_status nci_reducing_init(nci_reducing *r, ncg_error *err);
void nci_reducing_fini(nci_reducing *r);
/* nci_reducing_verb: the operation, for messages. */
const char *nci_reducing_verb(const nci_reducing *r);
/* nci_reducing_is_weights: weights of this operation or of one to come, which
 * are never reduced themselves. */
bool nci_reducing_is_weights(const nci_reducing *r, const nci_variable *var);
/* nci_reducing_refuses: an enum, of whose values the operation makes no
 * sense; nci_reducing_fail_enum says so of one or several. */
bool nci_reducing_refuses(const nci_reducing *r, const nci_variable *var);
ncg_status nci_reducing_fail_enum(const nci_reducing *r, const char *names,
                                  ncg_error *err);

#endif
