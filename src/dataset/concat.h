/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_CONCAT_H
#define NCI_DATASET_CONCAT_H
/* concat.c: which variables are joined, and their layout. concat_values.c: the
 * values of one. */
#include "dataset/combine.h"

typedef struct nci_joint {
    const char *name; /* of the dimension */
    nci_model **models;
    size_t n;
    const nci_combining *how;
    int *dims;        /* of each model, -1: it lacks it */
    int64_t *extents; /* positions that each model gives */
    bool is_new;
    nci_model *out;
    int dim; /* of `out` */
} nci_joint;

/* One variable of all models. */
typedef struct nci_member {
    const char *name;
    int *vars;        /* of each model, -1: not there */
    size_t reference; /* the model whose layout the result has */
    int axis;         /* of the result, to join along */
    int rank;
} nci_member;

/* nci_concat_part: the variable in model k, NULL: it has none. */
const nci_variable *nci_concat_part(const nci_joint *j, const nci_member *m,
                                    size_t k);
/* nci_concat_axis: the axis of part k that result axis d is, -1: the one to
 * join along. */
int nci_concat_axis(const nci_joint *j, const nci_member *m, size_t k,
                    const nci_variable *result, int d);
/* nci_concat_fail: EMISMATCH, in part k. */
ncg_status nci_concat_fail(const nci_member *m, size_t k, const char *what,
                           ncg_error *err);
/* nci_concat_values makes the array of `result`; in_order: no axis of a part
 * has to be moved. */
ncg_status nci_concat_values(const nci_joint *j, const nci_member *m,
                             const nci_variable *result, bool in_order,
                             nci_node **out, ncg_error *err);

#endif
