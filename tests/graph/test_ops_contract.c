/* SPDX-License-Identifier: BSD-3-Clause */
/* matmul and tensordot against plain loops, in random chunks. Floats are whole
 * numbers here, so that sums are exact in any order. */
#include "ops_check.h"

#include "engine/kernel/isa.h"

enum { ROUNDS = 80 };

static const ncg_dtype dtypes[] = {NCG_DTYPE_F64, NCG_DTYPE_F32, NCG_DTYPE_F64,
                                   NCG_DTYPE_I8,  NCG_DTYPE_I16, NCG_DTYPE_U16,
                                   NCG_DTYPE_I32, NCG_DTYPE_U32, NCG_DTYPE_I64,
                                   NCG_DTYPE_U64, NCG_DTYPE_BOOL};

static ncg_dtype any_dtype(void)
{
    return dtypes[below(sizeof dtypes / sizeof *dtypes)];
}

static tensor whole_numbers(ncg_dtype dtype, int rank, const int64_t *shape)
{
    tensor t = t_random(dtype, rank, shape);
    for (int64_t i = 0; nci_dtype_is_float(dtype) && i < t.n; i++)
        nci_dtype_put(dtype, t_at(&t, i), trunc(t_get(&t, i)));
    return t;
}

/* ---- the reference: a sum over all positions of a and b that agree
 * ------------- */

typedef struct labelled {
    const tensor *t;
    int label[NCG_MAX_RANK]; /* of each axis */
} labelled;

static ncg_dtype part_dtype(const tensor *t)
{
    return t->has_missing ? nci_dtype_real(t->dtype) : t->dtype;
}

static int64_t number_of(const labelled *x, const int64_t *at)
{
    int64_t n = 0;
    for (int a = 0; a < x->t->rank; a++)
        n = n * x->t->shape[a] + (x->t->shape[a] == 1 ? 0 : at[x->label[a]]);
    return n;
}

static void put_sum(tensor *out, int64_t i, double f, uint64_t u)
{
    size_t size = ncg_dtype_size(out->dtype);
    if (nci_dtype_is_float(out->dtype))
        nci_dtype_put(out->dtype, t_at(out, i), f);
    else if (out->dtype == NCG_DTYPE_BOOL)
        *(uint8_t *)t_at(out, i) = u != 0;
    else
        memcpy(t_at(out, i), &u, size); /* little endian: the low bytes */
}

/* labels 0..rank-1 are axes of the result, others are summed over. */
static tensor einsum(const labelled *a, const labelled *b, int rank,
                     int nlabels)
{
    int64_t size[2 * NCG_MAX_RANK], at[2 * NCG_MAX_RANK], sums = 1;
    for (int l = 0; l < nlabels; l++)
        size[l] = 1;
    const labelled *both[2] = {a, b};
    for (int s = 0; s < 2; s++)
        for (int k = 0; k < both[s]->t->rank; k++)
            if (both[s]->t->shape[k] != 1)
                size[both[s]->label[k]] = both[s]->t->shape[k];
    ncg_dtype dtype = nci_dtype_promote(part_dtype(a->t), part_dtype(b->t));
    tensor out = t_make(dtype, rank, size);
    for (int l = rank; l < nlabels; l++)
        sums *= size[l];
    for (int64_t i = 0; i < out.n; i++) {
        double f = 0;
        uint64_t u = 0;
        t_index(&out, i, at);
        for (int64_t k = 0; k < sums; k++) {
            int64_t rest = k;
            for (int l = nlabels - 1; l >= rank; l--) {
                at[l] = rest % size[l];
                rest /= size[l];
            }
            int64_t ia = number_of(a, at), ib = number_of(b, at);
            double x = t_is_missing(a->t, ia) ? NAN : t_get(a->t, ia);
            double y = t_is_missing(b->t, ib) ? NAN : t_get(b->t, ib);
            f += x * y;
            u += (uint64_t)nci_dtype_get_i64(a->t->dtype, t_at(a->t, ia)) *
                 (uint64_t)nci_dtype_get_i64(b->t->dtype, t_at(b->t, ib));
        }
        put_sum(&out, i, f, u);
    }
    return out;
}

/* ---- tensordot
 * ------------------------------------------------------------------ */

static void check_tensordot(void)
{
    ncg_error err;
    int64_t sa[NCG_MAX_RANK], sb[NCG_MAX_RANK];
    int ra = (int)below(4), rb = (int)below(4), axes_a[4], axes_b[4];
    int n = (int)below((ra < rb ? ra : rb) + 1), rank = 0;
    labelled a = {0}, b = {0};
    for (int d = 0; d < ra; d++)
        sa[d] = 1 + below(7);
    for (int d = 0; d < rb; d++)
        sb[d] = 1 + below(7);
    int first_a = (int)below(ra - n + 1), first_b = (int)below(rb - n + 1);
    for (int i = 0; i < n; i++) { /* pairs in opposite orders */
        axes_a[i] = first_a + i;
        axes_b[i] = first_b + n - 1 - i;
        sb[axes_b[i]] = sa[axes_a[i]];
    }
    int free_axes = ra + rb - 2 * n;
    for (int d = 0; d < ra; d++)
        a.label[d] =
            d >= first_a && d < first_a + n ? free_axes + d - first_a : rank++;
    for (int d = 0; d < rb; d++)
        b.label[d] = d >= first_b && d < first_b + n
                         ? free_axes + n - 1 - (d - first_b)
                         : rank++;
    tensor ta = whole_numbers(any_dtype(), ra, sa);
    tensor tb = whole_numbers(any_dtype(), rb, sb);
    a.t = &ta;
    b.t = &tb;
    nci_node *na = t_node(&ta), *nb = t_node(&tb), *out = NULL;
    CHECK_OK(nci_ops_tensordot(na, nb, axes_a, axes_b, n, &out, &err));
    tensor wanted = einsum(&a, &b, rank, rank + n);
    t_check(out, &wanted);
    nci_node_release(&na);
    nci_node_release(&nb);
    t_free(&ta);
    t_free(&tb);
}

static void tensordot_sums_pairs(void **state)
{
    (void)state;
    for (int r = 0; r < 3 * ROUNDS; r++)
        check_tensordot();
}

/* ---- matmul
 * ---------------------------------------------------------------------- */

static void check_matmul(void)
{
    ncg_error err;
    int ra = 1 + (int)below(4), rb = 1 + (int)below(4), rank = 0;
    int64_t sa[NCG_MAX_RANK], sb[NCG_MAX_RANK], k = 1 + below(9);
    int batch = (ra > rb ? ra : rb) - 2;
    labelled a = {0}, b = {0};
    batch = batch < 0 ? 0 : batch;
    for (int d = 0; d < batch; d++) {
        int64_t n = 1 + below(4);
        int da = d - (batch - (ra - 2)), db = d - (batch - (rb - 2));
        if (da >= 0)
            sa[da] = below(4) ? n : 1;
        if (db >= 0)
            sb[db] = below(4) ? n : 1;
        if (da >= 0)
            a.label[da] = d;
        if (db >= 0)
            b.label[db] = d;
    }
    rank = batch;
    if (ra > 1) {
        a.label[ra - 2] = rank++;
        sa[ra - 2] = 1 + below(9);
    }
    if (rb > 1) {
        b.label[rb - 1] = rank++;
        sb[rb - 1] = 1 + below(9);
    }
    a.label[ra - 1] = b.label[rb > 1 ? rb - 2 : 0] = rank;
    sa[ra - 1] = sb[rb > 1 ? rb - 2 : 0] = k;
    tensor ta = whole_numbers(any_dtype(), ra, sa);
    tensor tb = whole_numbers(any_dtype(), rb, sb);
    a.t = &ta;
    b.t = &tb;
    nci_node *na = t_node(&ta), *nb = t_node(&tb), *out = NULL;
    CHECK_OK(nci_ops_matmul(na, nb, &out, &err));
    tensor wanted = einsum(&a, &b, rank, rank + 1);
    t_check(out, &wanted);
    nci_node_release(&na);
    nci_node_release(&nb);
    t_free(&ta);
    t_free(&tb);
}

static void matmul_is_numpys(void **state)
{
    (void)state;
    for (int r = 0; r < 3 * ROUNDS; r++)
        check_matmul();
}

/* Many tiles, several parts, both sets of instructions. */
static void check_large(ncg_dtype dtype, const nci_isa *isa, int64_t ni,
                        int64_t nj, int64_t nk)
{
    ncg_error err;
    int64_t sa[] = {ni, nk}, sb[] = {nk, nj};
    tensor ta = whole_numbers(dtype, 2, sa), tb = whole_numbers(dtype, 2, sb);
    nci_node *na = t_const(&ta), *nb = t_const(&tb), *out = NULL;
    labelled a = {&ta, {0, 2}}, b = {&tb, {2, 1}};
    CHECK_OK(nci_ops_matmul(na, nb, &out, &err));
    tensor wanted = einsum(&a, &b, 2, 3);
    nci_isa_force(isa);
    t_check(out, &wanted);
    nci_isa_force(NULL);
    nci_node_release(&na);
    nci_node_release(&nb);
    t_free(&ta);
    t_free(&tb);
}

static void large_products_are_right(void **state)
{
    (void)state;
    check_large(NCG_DTYPE_F64, NULL, 210, 20, 4200);
    check_large(NCG_DTYPE_F64, &nci_isa_base, 210, 20, 4200);
    check_large(NCG_DTYPE_F32, NULL, 11, 1100, 300);
    check_large(NCG_DTYPE_I32, NULL, 210, 400, 20);
}

/* More parts than are added at a time. */
static void many_parts_are_added(void **state)
{
    (void)state;
    ncg_error err;
    int64_t sa[] = {3, 30000}, sb[] = {30000, 2};
    tensor ta = whole_numbers(NCG_DTYPE_F32, 2, sa);
    tensor tb = whole_numbers(NCG_DTYPE_U8, 2, sb);
    nci_node *na = t_const(&ta), *nb = t_const(&tb), *out = NULL;
    labelled a = {&ta, {0, 2}}, b = {&tb, {2, 1}};
    CHECK_OK(nci_ops_matmul(na, nb, &out, &err));
    tensor wanted = einsum(&a, &b, 2, 3);
    t_check(out, &wanted);
    nci_node_release(&na);
    nci_node_release(&nb);
    t_free(&ta);
    t_free(&tb);
}

static void empty_sums_are_zero(void **state)
{
    (void)state;
    ncg_error err;
    tensor ta = t_make(NCG_DTYPE_F32, 2, (int64_t[]){3, 0});
    tensor tb = t_make(NCG_DTYPE_F32, 2, (int64_t[]){0, 2});
    nci_node *na = t_const(&ta), *nb = t_const(&tb), *out = NULL;
    CHECK_OK(nci_ops_matmul(na, nb, &out, &err));
    tensor wanted = t_make(NCG_DTYPE_F32, 2, (int64_t[]){3, 2});
    t_check(out, &wanted);
    nci_node_release(&na);
    nci_node_release(&nb);
    t_free(&ta);
    t_free(&tb);
}

static void bad_products_are_refused(void **state)
{
    (void)state;
    ncg_error err;
    tensor ta = t_random(NCG_DTYPE_F32, 2, (int64_t[]){3, 4});
    tensor tb = t_random(NCG_DTYPE_F32, 2, (int64_t[]){3, 4});
    tensor t0 = t_random(NCG_DTYPE_F32, 0, NULL);
    nci_node *a = t_const(&ta), *b = t_const(&tb), *s = t_const(&t0);
    nci_node *out = NULL;
    CHECK_STATUS(NCG_EINVAL, nci_ops_matmul(a, b, &out, &err));
    CHECK_MESSAGE("(3, 4)");
    CHECK_STATUS(NCG_EINVAL, nci_ops_matmul(a, s, &out, &err));
    CHECK_STATUS(NCG_EINVAL, nci_ops_tensordot(a, b, (int[]){1}, (int[]){0}, 1,
                                               &out, &err));
    CHECK_STATUS(NCG_EINVAL, nci_ops_tensordot(a, b, (int[]){0, 0},
                                               (int[]){0, 1}, 2, &out, &err));
    CHECK_STATUS(NCG_EINVAL, nci_ops_tensordot(a, b, (int[]){2}, (int[]){0}, 1,
                                               &out, &err));
    assert_null(out);
    nci_node_release(&a);
    nci_node_release(&b);
    nci_node_release(&s);
    t_free(&ta);
    t_free(&tb);
    t_free(&t0);
}

static void failed_allocations_leave_nothing(void **state)
{
    (void)state;
    ncg_error err;
    tensor ta = t_random(NCG_DTYPE_I16, 3, (int64_t[]){2, 3, 9000});
    tensor tb = t_random(NCG_DTYPE_F32, 3, (int64_t[]){1, 9000, 2});
    nci_node *a = t_const(&ta), *b = t_const(&tb), *out = NULL;
    CHECK_ALLOCATIONS(out, nci_ops_matmul(a, b, &out, &err));
    CHECK_ALLOCATIONS(
        out, nci_ops_tensordot(a, b, (int[]){2}, (int[]){1}, 1, &out, &err));
    nci_node_release(&a);
    nci_node_release(&b);
    t_free(&ta);
    t_free(&tb);
}

NCG_TESTS(NCG_TEST(tensordot_sums_pairs), NCG_TEST(matmul_is_numpys),
          NCG_TEST(large_products_are_right), NCG_TEST(many_parts_are_added),
          NCG_TEST(empty_sums_are_zero), NCG_TEST(bad_products_are_refused),
          NCG_TEST(failed_allocations_leave_nothing))
