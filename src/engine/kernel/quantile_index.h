/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_QUANTILE_INDEX_H
#define NCI_ENGINE_KERNEL_QUANTILE_INDEX_H
/* Where a quantile lies among sorted values, by NumPy's thirteen methods. */
#include "graph/ops/quantile.h"

/* nci_quantile_index: of n > 0 sorted values the quantile q is value[i] +
 * *gamma * (value[i + 1] - value[i]), i being what is returned; *gamma is 0
 * where i is the last one. */
int64_t nci_quantile_index(nci_quantile_method method, int64_t n, double q,
                           double *gamma);
/* nci_quantile_between gives that value; `step` is the difference. */
double nci_quantile_between(double low, double high, double step,
                            double gamma);

/* What a kernel's parameters say. */
typedef struct nci_quantile_call {
    const int64_t *param;
    const double *q;
    const int32_t *labels;
    int64_t nq;
} nci_quantile_call;

/* nci_quantile_read checks and splits the parameters. */
ncg_status nci_quantile_read(const ncg_kernel_call *call,
                             nci_quantile_call *out, ncg_error *err);

#endif
