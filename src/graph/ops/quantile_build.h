/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_OPS_QUANTILE_BUILD_H
#define NCI_GRAPH_OPS_QUANTILE_BUILD_H
/* What the two ways to build quantiles share. */
#include "graph/ops/quantile.h"

typedef struct nci_quantiles {
    bool over[NCG_MAX_RANK], keep[NCG_MAX_RANK];
    const double *q;
    int nq;
    bool scalar;
    nci_quantile_method method;
    bool skipna;
    int label_axis;
    const int32_t *labels; /* NULL: no groups */
    int32_t nlabels;
    bool is_double; /* the result, also of single values */
} nci_quantiles;

/* nci_quantile_dtype: of the result. */
static inline ncg_dtype nci_quantile_dtype(const nci_node *input,
                                           const nci_quantiles *s)
{
    return input->dtype == NCG_DTYPE_F32 && !s->is_double ? NCG_DTYPE_F32
                                                          : NCG_DTYPE_F64;
}

/* nci_quantile_params makes the bytes of quantile.h; *out belongs to the
 * caller. */
ncg_status nci_quantile_params(const nci_node *input, const nci_quantiles *s,
                               int level, int bits, uint8_t **out,
                               size_t *nbytes, ncg_error *err);
/* nci_quantile_cell: bytes of the values of one cell. */
int64_t nci_quantile_cell(const nci_node *input, const nci_quantiles *s);
/* nci_quantile_grid gives the chunks of the result; axis_of[o]: the input's
 * axis that axis o follows, or -1. */
ncg_status nci_quantile_grid(const nci_node *input, const nci_quantiles *s,
                             const nci_grid *tiles, nci_grid *out, int *axis_of,
                             ncg_error *err);

/* nci_quantile_count builds the counting form (quantile_long.c), where
 * nci_quantile_can_count. */
bool nci_quantile_can_count(const nci_node *input, const nci_quantiles *s);
ncg_status nci_quantile_count(nci_node *input, const nci_quantiles *s,
                              nci_node **out, ncg_error *err);

#endif
