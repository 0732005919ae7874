/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Medians and quantiles of a model: a reduction (reduce.c) whose arrays are
 * made otherwise. The quantiles become a coordinate `quantile`: a leading
 * dimension where there are several, else a scalar one.
 */
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"
#include "graph/ops/ops.h"

#define COORDINATE "quantile"

static const double half = 0.5;

const char *nci_quantile_method_name(const nci_quantile_spec *spec)
{
    return spec->q ? NULL : "median";
}

static ncg_status add_coordinate(nci_reducing *r, ncg_error *err)
{
    nci_quantile_spec *spec = r->quantile;
    int64_t n = (int64_t)spec->nq;
    if (nci_model_find_var(r->in, COORDINATE) >= 0 ||
        nci_model_find_dim(r->in, COORDINATE) >= 0)
        return nci_fail(err, NCG_EINVAL,
                        "there is a " COORDINATE " already: select one first "
                        "or rename it");
    if (spec->has_axis) {
        if (!nci_model_add_dim(r->out, COORDINATE, n, false))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        spec->dim = (int)r->out->ndims - 1;
    }
    nci_variable *var = nci_model_add_var(r->out, COORDINATE);
    if (!var || !nci_attrs_put_text(&var->attrs, "units", "1") ||
        !nci_attrs_put_text(&var->attrs, "long_name", "quantile"))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    var->kind = NCI_KIND_COORD;
    var->stored = NCG_DTYPE_F64;
    var->rank = spec->has_axis;
    var->dims[0] = spec->dim;
    return nci_array_f64(NCG_DTYPE_F64, var->rank, &n, spec->q, &var->array,
                         err);
}

ncg_status nci_quantile_begin(nci_reducing *r, ncg_error *err)
{
    const nci_quantile_spec *spec = r->quantile;
    nci_quantile_method method;
    NCI_TRY(nci_quantile_method_parse(spec->method, &method, err));
    if (!spec->q)
        return NCG_OK;
    if (!spec->nq)
        return nci_fail(err, NCG_EINVAL,
                        "quantile: which ones? q=0.5 is the median");
    for (size_t i = 0; i < spec->nq; i++)
        if (!(spec->q[i] >= 0 && spec->q[i] <= 1))
            return nci_fail(err, NCG_EINVAL,
                            "quantile: q=%g is not between 0 and 1%s",
                            spec->q[i],
                            spec->q[i] > 1 && spec->q[i] <= 100
                                ? ": percents are divided by 100"
                                : "");
    return add_coordinate(r, err);
}

static ncg_status name_coordinate(nci_variable *to, ncg_error *err)
{
    nci_text text = {0};
    const char *old = nci_attrs_text(&to->attrs, "coordinates");
    nci_text_add(&text, "%s%s" COORDINATE, old ? old : "", old ? " " : "");
    char *names = nci_text_take(&text);
    bool ok = names && nci_attrs_put_like(&to->attrs, "coordinates", names);
    nci_free(names);
    return ok ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

static ncg_status put_axis_first(nci_variable *to, int dim, int64_t size,
                                 ncg_error *err)
{
    if (to->rank == NCG_MAX_RANK)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "no room for a dimension of quantiles beside %d others",
                        to->rank);
    size_t n = (size_t)to->rank++;
    memmove(to->dims + 1, to->dims, n * sizeof *to->dims);
    memmove(to->storage.chunk + 1, to->storage.chunk,
            n * sizeof *to->storage.chunk);
    to->dims[0] = dim;
    to->storage.chunk[0] = size;
    return NCG_OK;
}

ncg_status nci_quantile_var(const nci_reducing *r, const nci_variable *from,
                            const nci_reduce *axes, nci_variable *to,
                            ncg_error *err)
{
    const nci_quantile_spec *spec = r->quantile;
    const double *q = spec->q ? spec->q : &half;
    int nq = spec->q ? (int)spec->nq : 1;
    nci_quantile_method method;
    NCI_TRY(nci_quantile_method_parse(spec->method, &method, err));
    if (spec->has_axis)
        NCI_TRY(put_axis_first(to, spec->dim, nq, err));
    else if (spec->q)
        NCI_TRY(name_coordinate(to, err));
    if (axes->label_axis < 0)
        return nci_ops_quantile_within(from->array, axes->over, axes->keep, q,
                                       nq, !spec->has_axis, method,
                                       axes->skipna, spec->limit, &to->array,
                                       err);
    return nci_ops_quantile_groups(
        from->array, axes->over, axes->keep, axes->label_axis, axes->labels,
        axes->nlabels, q, nq, !spec->has_axis, method, axes->skipna,
        spec->limit, &to->array, err);
}
