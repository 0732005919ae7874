/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorting against qsort of each line, in random chunks. */
#include "ops_check.h"

static int compare(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

static tensor reference(const tensor *t, int axis)
{
    tensor out = t_make(t->dtype, t->rank, t->shape);
    out.has_missing = t->has_missing;
    memcpy(out.missing, t->missing, 8);
    int64_t stride = 1, n = t->shape[axis];
    for (int d = axis + 1; d < t->rank; d++)
        stride *= t->shape[d];
    double *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < t->n; i++) {
        if (i / stride % n)
            continue;
        for (int64_t k = 0; k < n; k++)
            x[k] = t_is_missing(t, i + k * stride) ? NAN
                                                   : t_get(t, i + k * stride);
        qsort(x, (size_t)n, sizeof *x, compare);
        for (int64_t k = 0; k < n; k++) {
            void *to = t_at(&out, i + k * stride);
            if (isnan(x[k]) && !nci_dtype_is_float(t->dtype))
                memcpy(to, t->missing, ncg_dtype_size(t->dtype));
            else if (t->dtype == NCG_DTYPE_F32)
                memcpy(to, &(float){(float)x[k]}, 4);
            else if (t->dtype == NCG_DTYPE_F64)
                memcpy(to, &x[k], 8);
            else
                nci_dtype_put(t->dtype, to, x[k]);
        }
    }
    free(x);
    return out;
}

static void check_sort(const tensor *t, int axis, int64_t limit)
{
    ncg_error err;
    nci_node *node = t_node(t), *made = NULL;
    CHECK_OK(nci_ops_sort_within(node, axis, limit, &made, &err));
    tensor wanted = reference(t, axis);
    t_check(made, &wanted);
    nci_node_release(&node);
}

static void random_lines(void **state)
{
    (void)state;
    for (int round = 0; round < 80; round++) {
        tensor t = t_any(1, 4, 7);
        check_sort(&t, (int)below(t.rank), below(2) ? 1 << 20 : 0);
        t_free(&t);
    }
}

static void long_lines(void **state)
{
    static const ncg_dtype dtypes[] = {NCG_DTYPE_F32, NCG_DTYPE_F64,
                                       NCG_DTYPE_I16, NCG_DTYPE_I64,
                                       NCG_DTYPE_U64, NCG_DTYPE_U32};
    (void)state;
    for (int i = 0; i < 12; i++) {
        int64_t shape[2] = {i % 2 ? 21 : 700, i % 2 ? 700 : 21};
        tensor t = t_random(dtypes[i / 2], 2, shape);
        check_sort(&t, i % 2, 0);
        t_free(&t);
    }
}

static void bad_calls(void **state)
{
    int64_t shape[2] = {4, 5};
    ncg_error err;
    nci_node *out = NULL;
    (void)state;
    tensor t = t_random(NCG_DTYPE_F64, 2, shape);
    nci_node *node = t_const(&t);
    CHECK_STATUS(nci_ops_sort(node, 2, &out, &err), NCG_EINVAL);
    assert_null(out);
    CHECK_ALLOCATIONS(out, nci_ops_sort(node, 0, &out, &err));
    nci_node_release(&node);
    t_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_lines),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(bad_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
