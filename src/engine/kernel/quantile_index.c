/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/kernel/quantile_index.h"

#include <math.h>

#include "base/error.h"

/* The continuous methods of Hyndman and Fan, counted from 0. */
static double between(double n, double q, double alpha, double beta)
{
    return n * q + (alpha + q * (1 - alpha - beta)) - 1;
}

/* The discrete ones: the value behind x unless `stays`. */
static double after(double x, bool stays)
{
    double low = floor(x);
    return stays ? low : low + 1;
}

/* A whole number where the method does not interpolate. */
static double place_of(nci_quantile_method method, double n, double q,
                       double *gamma)
{
    double x = (n - 1) * q, low;
    switch (method) {
    case NCI_QUANTILE_INVERTED_CDF:
        x = n * q - 1;
        return after(x, x == floor(x));
    case NCI_QUANTILE_CLOSEST_OBSERVATION:
        x = n * q - 1.5;
        return after(x, x == floor(x) && fmod(fabs(x), 2) == 1);
    case NCI_QUANTILE_AVERAGED_INVERTED_CDF:
        x = n * q - 1;
        *gamma = x == floor(x) ? 0.5 : 1;
        return x;
    case NCI_QUANTILE_INTERPOLATED_INVERTED_CDF:
        x = between(n, q, 0, 1);
        break;
    case NCI_QUANTILE_HAZEN:
        x = between(n, q, 0.5, 0.5);
        break;
    case NCI_QUANTILE_WEIBULL:
        x = between(n, q, 0, 0);
        break;
    case NCI_QUANTILE_MEDIAN_UNBIASED:
        x = between(n, q, 1 / 3.0, 1 / 3.0);
        break;
    case NCI_QUANTILE_NORMAL_UNBIASED:
        x = between(n, q, 3 / 8.0, 3 / 8.0);
        break;
    case NCI_QUANTILE_LOWER:
        return floor(x);
    case NCI_QUANTILE_HIGHER:
        return ceil(x);
    case NCI_QUANTILE_NEAREST:
        return rint(x);
    case NCI_QUANTILE_MIDPOINT:
        low = floor(x);
        *gamma = low == x ? 0 : 0.5;
        return low;
    case NCI_QUANTILE_LINEAR:
    default:
        break;
    }
    *gamma = x - floor(x);
    return x;
}

int64_t nci_quantile_index(nci_quantile_method method, int64_t n, double q,
                           double *gamma)
{
    *gamma = 0;
    double x = place_of(method, (double)n, q, gamma);
    if (x >= 0 && x < (double)(n - 1))
        return (int64_t)x;
    *gamma = 0;
    return x < 0 ? 0 : n - 1;
}

double nci_quantile_between(double low, double high, double step, double gamma)
{
    if (gamma == 0 || low == high)
        return low;
    return gamma < 0.5 ? low + step * gamma : high - step * (1 - gamma);
}

ncg_status nci_quantile_read(const ncg_kernel_call *call,
                             nci_quantile_call *out, ncg_error *err)
{
    const int64_t *param = call->params;
    size_t least = NCI_QUANTILE_NPARAMS * sizeof *param;
    if (call->nparams < least)
        return nci_fail(err, NCG_EBUG, "%zu bytes of parameters",
                        call->nparams);
    int64_t nq = param[NCI_QUANTILE_NQ];
    int64_t nlabelled = param[NCI_QUANTILE_NLABELLED];
    size_t room = call->nparams - least;
    if (nq < 1 || (uint64_t)nq > room / sizeof *out->q || nlabelled < 0 ||
        (uint64_t)nlabelled > room / sizeof *out->labels ||
        room != (size_t)nq * sizeof *out->q +
                    (size_t)nlabelled * sizeof *out->labels)
        return nci_fail(err, NCG_EBUG, "%zu bytes of parameters for %lld "
                        "quantiles", call->nparams, (long long)nq);
    out->param = param;
    out->nq = nq;
    out->q = (const double *)(param + NCI_QUANTILE_NPARAMS);
    out->labels = nlabelled ? (const int32_t *)(out->q + nq) : NULL;
    return NCG_OK;
}
