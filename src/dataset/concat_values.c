/* SPDX-License-Identifier: BSD-3-Clause */
/* The values of one variable of all data sets, put behind one another: those in
 * memory at once, times counted from the first data set's date; else by a node.
 */
#include "dataset/concat.h"

#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/ops/ops.h"

const nci_variable *nci_concat_part(const nci_joint *j, const nci_member *m,
                                    size_t k)
{
    return m->vars[k] < 0 ? NULL : &j->models[k]->vars[m->vars[k]];
}

ncg_status nci_concat_fail(const nci_member *m, size_t k, const char *what,
                           ncg_error *err)
{
    return nci_fail(err, NCG_EMISMATCH, "data sets %zu and %zu: %s: %s",
                    m->reference + 1, k + 1, m->name, what);
}

int nci_concat_axis(const nci_joint *j, const nci_member *m, size_t k,
                    const nci_variable *result, int d)
{
    const char *name = j->out->dims[result->dims[d]].name;
    int dim = nci_model_find_dim(j->models[k], name);
    return dim < 0 ? -1 : nci_variable_axis(nci_concat_part(j, m, k), dim);
}

/* ---- values in memory ---------------------------------------------------- */

/* Whether the values of part k count from another date than the reference's;
 * they are counted anew. */
static ncg_status rebase(const nci_joint *j, const nci_member *m, size_t k,
                         double *values, int64_t n, bool *is_needed,
                         ncg_error *err)
{
    nci_time_units to, from;
    bool a = false, b = false;
    *is_needed = false;
    NCI_TRY(nci_model_date_units(j->models[m->reference], m->vars[m->reference],
                                 &a, &to, err));
    NCI_TRY(nci_model_date_units(j->models[k], m->vars[k], &b, &from, err));
    if (!a || !b)
        return NCG_OK;
    if (to.calendar != from.calendar)
        return nci_concat_fail(m, k, "calendars differ", err);
    if (to.unit_us == from.unit_us && to.epoch_day == from.epoch_day &&
        to.epoch_us == from.epoch_us)
        return NCG_OK;
    *is_needed = true;
    for (int64_t i = 0; i < n; i++)
        if (nci_time_is_number(values[i]))
            values[i] = nci_time_from_absolute(
                &to, nci_time_absolute_us(&from, values[i]));
    return NCG_OK;
}

static bool is_plain(const nci_joint *j, const nci_member *m)
{
    const nci_node *first = nci_concat_part(j, m, m->reference)->array;
    for (size_t k = 0; k < j->n; k++) {
        const nci_node *node = nci_concat_part(j, m, k)->array;
        if (node->dtype != first->dtype ||
            node->has_missing != first->has_missing ||
            (node->has_missing && memcmp(node->missing, first->missing, 8)))
            return false;
    }
    return true;
}

static ncg_status const_dtype(const nci_joint *j, const nci_member *m,
                              bool *plain, ncg_dtype *dtype, ncg_error *err)
{
    bool has_missing = false;
    *plain = is_plain(j, m);
    *dtype = nci_concat_part(j, m, m->reference)->array->dtype;
    bool is_number = nci_dtype_is_numeric(*dtype);
    for (size_t k = 0; k < j->n; k++) {
        const nci_node *node = nci_concat_part(j, m, k)->array;
        bool is_needed;
        if (nci_dtype_is_numeric(node->dtype) != is_number ||
            (!is_number && node->dtype != *dtype))
            return nci_concat_fail(m, k, "dtypes differ: text and numbers",
                                   err);
        if (!is_number)
            continue;
        NCI_TRY(rebase(j, m, k, NULL, 0, &is_needed, err));
        *plain = *plain && !is_needed;
        has_missing = has_missing || node->has_missing;
        *dtype =
            is_needed ? NCG_DTYPE_F64 : nci_dtype_promote(*dtype, node->dtype);
    }
    if (!*plain && has_missing)
        *dtype = nci_dtype_real(*dtype);
    return NCG_OK;
}

/* The bytes of one part in `dtype`: its own, or converted (then *owned). */
static ncg_status part_bytes(const nci_joint *j, const nci_member *m, size_t k,
                             bool plain, ncg_dtype dtype, const char **bytes,
                             char **owned, ncg_error *err)
{
    const nci_variable *var = nci_concat_part(j, m, k);
    double *values = NULL;
    int64_t n;
    bool is_needed;
    *owned = NULL;
    *bytes = nci_buf_data(var->array->data);
    if (plain)
        return NCG_OK;
    NCI_TRY(nci_variable_values(var, &values, &n, err));
    size_t size = ncg_dtype_size(dtype);
    ncg_status st = rebase(j, m, k, values, n, &is_needed, err);
    *owned = st ? NULL : nci_alloc((size_t)(n + 1) * size);
    if (!st && !*owned)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; !st && i < n; i++)
        nci_dtype_put(dtype, *owned + (size_t)i * size, values[i]);
    nci_free(values);
    *bytes = *owned;
    return st;
}

static ncg_status join_consts(const nci_joint *j, const nci_member *m,
                              const int64_t *shape, nci_node **out,
                              ncg_error *err)
{
    const nci_node *first = nci_concat_part(j, m, m->reference)->array;
    int64_t outer = 1, inner = 1, start = 0;
    bool plain;
    ncg_dtype dtype;
    nci_buf *buf = NULL;
    NCI_TRY(const_dtype(j, m, &plain, &dtype, err));
    for (int d = 0; d < m->rank; d++) {
        outer *= d < m->axis ? shape[d] : 1;
        inner *= d > m->axis ? shape[d] : 1;
    }
    size_t size = ncg_dtype_size(dtype), row = (size_t)inner * size;
    NCI_TRY(nci_buf_create((size_t)(outer * shape[m->axis]) * row, &buf, err));
    char *data = nci_buf_data(buf);
    ncg_status st = NCG_OK;
    for (size_t k = 0; !st && k < j->n; start += j->extents[k++]) {
        const char *from;
        char *owned = NULL;
        size_t run = (size_t)j->extents[k] * row;
        st = part_bytes(j, m, k, plain, dtype, &from, &owned, err);
        for (int64_t o = 0; !st && o < outer; o++)
            memcpy(data + (size_t)(o * shape[m->axis] + start) * row,
                   from + (size_t)o * run, run);
        nci_free(owned);
    }
    if (!st)
        st = nci_node_const(dtype, m->rank, shape, buf,
                            plain && first->has_missing ? first->missing : NULL,
                            out, err);
    nci_buf_release(&buf);
    return st;
}

/* ---- values that are computed -------------------------------------------- */

static ncg_status lay_part(const nci_joint *j, const nci_member *m, size_t k,
                           const nci_variable *result, const int64_t *shape,
                           nci_node **out, ncg_error *err)
{
    const nci_variable *var = nci_concat_part(j, m, k);
    int64_t own[NCG_MAX_RANK];
    int axis[NCG_MAX_RANK];
    for (int d = 0; d < m->rank; d++) {
        own[d] = d == m->axis ? j->extents[k] : shape[d];
        axis[d] = nci_concat_axis(j, m, k, result, d);
    }
    return nci_ops_view(var->array, m->rank, own, axis, out, err);
}

static ncg_status join_graphs(const nci_joint *j, const nci_member *m,
                              const nci_variable *result, const int64_t *shape,
                              nci_node **out, ncg_error *err)
{
    nci_node **parts = nci_calloc(j->n + 1, sizeof *parts);
    ncg_status st = parts ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; !st && k < j->n; k++) {
        bool is_needed = false;
        if (nci_dtype_is_numeric(nci_concat_part(j, m, k)->array->dtype))
            st = rebase(j, m, k, NULL, 0, &is_needed, err);
        else
            st = nci_concat_fail(
                m, k, "text that is not in memory: drop it first", err);
        if (!st && is_needed)
            st = nci_concat_fail(m, k,
                                 "reference dates differ, and its values "
                                 "are not in memory",
                                 err);
        if (!st)
            st = lay_part(j, m, k, result, shape, &parts[k], err);
    }
    if (!st)
        st = nci_ops_concat(parts, (int)j->n, m->axis, out, err);
    for (size_t k = 0; parts && k < j->n; k++)
        nci_node_release(&parts[k]);
    nci_free(parts);
    return st;
}

/* ---- either */

static bool all_in_memory(const nci_joint *j, const nci_member *m)
{
    for (size_t k = 0; k < j->n; k++)
        if (nci_concat_part(j, m, k)->array->kind != NCI_NODE_CONST)
            return false;
    return true;
}

ncg_status nci_concat_values(const nci_joint *j, const nci_member *m,
                             const nci_variable *result, bool in_order,
                             nci_node **out, ncg_error *err)
{
    int64_t shape[NCG_MAX_RANK] = {0};
    for (int d = 0; d < m->rank; d++)
        shape[d] = j->out->dims[result->dims[d]].size;
    return in_order && all_in_memory(j, m)
               ? join_consts(j, m, shape, out, err)
               : join_graphs(j, m, result, shape, out, err);
}
