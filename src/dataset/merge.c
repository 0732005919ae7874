/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Merging: the variables of several aligned data sets in one. Variables of one
 * name must be equal, or fill each other's gaps, or the first one is taken, as
 * is asked. Attributes are those of the first.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/combine.h"
#include "dataset/units.h"

/* ---- taking over --------------------------------------------------------- */

ncg_status nci_model_take_dim(nci_model *into, const nci_model *from, int dim,
                              int *out, ncg_error *err)
{
    const nci_dimension *d = &from->dims[dim];
    int at = nci_model_find_dim(into, d->name);
    if (at >= 0 && into->dims[at].size != d->size)
        return nci_fail(err, NCG_EMISMATCH,
                        "dimension %s has %lld and %lld positions", d->name,
                        (long long)into->dims[at].size, (long long)d->size);
    if (at < 0) {
        nci_dimension *fresh =
            nci_model_add_dim(into, d->name, d->size, d->is_unlimited);
        if (!fresh)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        fresh->role = d->role;
        at = (int)into->ndims - 1;
    }
    into->dims[at].is_unlimited =
        into->dims[at].is_unlimited || d->is_unlimited;
    *out = at;
    return NCG_OK;
}

ncg_status nci_model_take(nci_model *into, const nci_model *from, int v,
                          ncg_error *err)
{
    const nci_variable *var = &from->vars[v];
    int dims[NCG_MAX_RANK] = {0};
    for (int a = 0; a < var->rank; a++)
        NCI_TRY(nci_model_take_dim(into, from, var->dims[a], &dims[a], err));
    nci_variable *fresh = nci_model_add_like(into, var, err);
    if (!fresh)
        return NCG_ENOMEM;
    fresh->rank = var->rank;
    memcpy(fresh->dims, dims, sizeof dims);
    fresh->missing_rule = var->missing_rule;
    fresh->array = var->array ? nci_node_retain(var->array) : NULL;
    return NCG_OK;
}

/* ---- equal or not -------------------------------------------------------- */

static bool same_dims(const nci_model *a, const nci_variable *x,
                      const nci_model *b, const nci_variable *y)
{
    bool same = x->rank == y->rank;
    for (int d = 0; same && d < x->rank; d++)
        same = !strcmp(a->dims[x->dims[d]].name, b->dims[y->dims[d]].name) &&
               a->dims[x->dims[d]].size == b->dims[y->dims[d]].size;
    return same;
}

static bool same_attr(const nci_attr *a, const nci_attr *b)
{
    return a && b && a->dtype == b->dtype && a->count == b->count &&
           a->values && b->values &&
           !memcmp(a->values, b->values,
                   (size_t)a->count * ncg_dtype_size(a->dtype));
}

/* Variables without values are what their attributes say. */
static bool same_attrs(const nci_attrs *a, const nci_attrs *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = same_attr(&a->items[i], nci_attrs_find(b, a->items[i].name));
    return same;
}

static bool same_meaning(const nci_variable *x, const nci_variable *y)
{
    const char *a = nci_attrs_text(&x->attrs, "units");
    const char *b = nci_attrs_text(&y->attrs, "units");
    return !a || !b || nci_units_equal(a, b);
}

static ncg_status same_numbers(const nci_variable *x, const nci_variable *y,
                               bool *out, ncg_error *err)
{
    double *a = NULL, *b = NULL;
    int64_t n = 0, m = 0;
    NCI_TRY(nci_variable_values(x, &a, &n, err));
    ncg_status st = nci_variable_values(y, &b, &m, err);
    *out = !st && n == m;
    for (int64_t i = 0; *out && i < n; i++)
        *out = a[i] == b[i] || (isnan(a[i]) && isnan(b[i]));
    nci_free(a);
    nci_free(b);
    return st;
}

static bool same_bytes(const nci_node *a, const nci_node *b)
{
    size_t n = nci_buf_size(a->data);
    return a->dtype == b->dtype && n == nci_buf_size(b->data) &&
           !memcmp(nci_buf_data(a->data), nci_buf_data(b->data), n);
}

static ncg_status same_values(const nci_combining *how, const nci_variable *x,
                              const nci_variable *y, bool *out, ncg_error *err)
{
    nci_node *a = x->array, *b = y->array;
    bool in_memory = a->kind == NCI_NODE_CONST && b->kind == NCI_NODE_CONST;
    *out =
        nci_token_equal(a->token, b->token) || (in_memory && same_bytes(a, b));
    if (*out ||
        nci_dtype_is_numeric(a->dtype) != nci_dtype_is_numeric(b->dtype))
        return NCG_OK;
    if (!nci_dtype_is_numeric(a->dtype))
        return NCG_OK;
    if (in_memory &&
        (!nci_dtype_is_wide(a->dtype) || !nci_dtype_is_wide(b->dtype)))
        return same_numbers(x, y, out, err);
    return how->equal ? how->equal(how->ctx, a, b, out, err) : NCG_OK;
}

ncg_status nci_variables_equal(const nci_combining *how, const nci_model *a,
                               int va, const nci_model *b, int vb, bool *out,
                               ncg_error *err)
{
    const nci_variable *x = &a->vars[va], *y = &b->vars[vb];
    *out = false;
    if (!same_dims(a, x, b, y) || !x->array != !y->array)
        return NCG_OK;
    if (!x->array) {
        *out = same_attrs(&x->attrs, &y->attrs);
        return NCG_OK;
    }
    if (!same_meaning(x, y))
        return NCG_OK;
    return same_values(how, x, y, out, err);
}

/* ---- conflicts ----------------------------------------------------------- */

/* Missing values of the first are those of the second. */
static ncg_status fill_gaps(nci_variable *into, const nci_variable *from,
                            nci_node **out, ncg_error *err)
{
    nci_operand one = {.node = into->array}, two = {.node = from->array};
    nci_node *gap = NULL;
    int rank = into->rank;
    const int64_t *shape = into->array->shape;
    for (int d = 0; d < rank; d++)
        one.axis[d] = two.axis[d] = d;
    NCI_TRY(nci_node_map(NCI_MAP_ISNAN, NCG_DTYPE_NONE, rank, shape, &one, 1,
                         &gap, err));
    nci_operand operands[3] = {one, two, one};
    operands[0].node = gap;
    ncg_status st = nci_node_map(NCI_MAP_WHERE, NCG_DTYPE_NONE, rank, shape,
                                 operands, 3, out, err);
    nci_node_release(&gap);
    return st;
}

static bool can_fill(const nci_combining *how, const nci_model *a,
                     const nci_variable *x, const nci_model *b,
                     const nci_variable *y)
{
    return how->compat == NCG_COMPAT_NO_CONFLICTS && how->equal &&
           x->kind == NCI_KIND_DATA && nci_variable_is_numeric(x) &&
           nci_variable_is_numeric(y) && same_dims(a, x, b, y) &&
           same_meaning(x, y);
}

/* Fills both from each other: what was a conflict still differs. */
static ncg_status merge_gaps(const nci_combining *how, nci_variable *x,
                             const nci_variable *y, bool *is_fine,
                             ncg_error *err)
{
    nci_node *left = NULL, *right = NULL;
    nci_variable other = *y;
    ncg_status st = fill_gaps(x, y, &left, err);
    if (!st)
        st = fill_gaps(&other, x, &right, err);
    if (!st)
        st = how->equal(how->ctx, left, right, is_fine, err);
    if (!st && *is_fine) {
        nci_node_release(&x->array);
        x->array = nci_node_retain(left);
    }
    nci_node_release(&left);
    nci_node_release(&right);
    return st;
}

static ncg_status fail_conflict(const nci_model *a, const nci_variable *x,
                                const nci_model *b, const nci_variable *y,
                                size_t number, ncg_error *err)
{
    const char *what = !same_dims(a, x, b, y) ? "dimensions"
                       : !same_meaning(x, y)  ? "units"
                       : x->array             ? "values"
                                              : "attributes";
    return nci_fail(err, NCG_EMISMATCH,
                    "data set %zu: %s has other %s than in a data set before "
                    "it; rename or drop one of them, or ask for compat "
                    "override to keep the first",
                    number, x->name, what);
}

static ncg_status meet(const nci_combining *how, nci_model *into, int at,
                       const nci_model *from, int v, size_t number,
                       ncg_error *err)
{
    bool is_fine = false;
    nci_variable *x = &into->vars[at];
    const nci_variable *y = &from->vars[v];
    if (how->compat == NCG_COMPAT_OVERRIDE)
        return NCG_OK;
    NCI_TRY(nci_variables_equal(how, into, at, from, v, &is_fine, err));
    if (!is_fine && can_fill(how, into, x, from, y))
        NCI_TRY(merge_gaps(how, x, y, &is_fine, err));
    return is_fine ? NCG_OK : fail_conflict(into, x, from, y, number, err);
}

static ncg_status merge_one(const nci_combining *how, nci_model *into,
                            const nci_model *from, size_t number,
                            ncg_error *err)
{
    for (size_t d = 0; d < from->ndims; d++) {
        int at;
        NCI_TRY(nci_model_take_dim(into, from, (int)d, &at, err));
    }
    for (size_t v = 0; v < from->nvars; v++) {
        int at = nci_model_find_var(into, from->vars[v].name);
        if (at < 0)
            NCI_TRY(nci_model_take(into, from, (int)v, err));
        else
            NCI_TRY(meet(how, into, at, from, (int)v, number, err));
    }
    return NCG_OK;
}

ncg_status nci_models_merge(const nci_model *const *models, size_t n,
                            const nci_combining *how, nci_model **out,
                            ncg_error *err)
{
    nci_model **aligned = nci_calloc(n + 1, sizeof *aligned);
    nci_model *fresh = NULL;
    if (!aligned)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = nci_models_align(models, n, how, NULL, aligned, err);
    if (!st)
        st = nci_model_copy(aligned[0], &fresh, err);
    for (size_t k = 1; !st && k < n; k++)
        st = merge_one(how, fresh, aligned[k], k + 1, err);
    if (!st)
        st = nci_model_find_kinds(fresh, err);
    nci_models_release(aligned, n);
    nci_free(aligned);
    if (st) {
        nci_model_release(&fresh);
        return st;
    }
    nci_model_find_roles(fresh);
    *out = fresh;
    return NCG_OK;
}
