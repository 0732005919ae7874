/* SPDX-License-Identifier: BSD-3-Clause */
/* Packed integers folded as they are stored: exact sums in every table of
 * loops, unpacked to what the values would have given; only where all files of
 * a group are packed alike. */
#include "base/mem.h"
#include "engine/kernel/packed.h"
#include "isa_tables.h"
#include "test.h"

enum { CELLS = 100, PLANE = CELLS + 3 };

/* Large values are frequent: their squares in pairs fill 32 bits. */
static int16_t random_packed(int16_t missing)
{
    switch (random32() % 8) {
    case 0:
        return missing;
    case 1:
        return INT16_MIN;
    case 2:
        return INT16_MAX;
    default:
        return (int16_t)(uint16_t)random32();
    }
}

/* As strips are folded: tables without loops for packed values have others. */
static bool add_squares(const nci_isa *isa, double *s, double *q,
                        const nci_strips_in *in, int64_t n)
{
    double k[CELLS] = {0};
    if (isa->packed_squares)
        return isa->packed_squares(s, q, in, n);
    return isa->raw[NCI_RAW_I16_PLANES].squares(k, s, q, in, n);
}

static bool add_values(const nci_isa *isa, double *s, const nci_strips_in *in,
                       int64_t n)
{
    if (isa->packed_add)
        return isa->packed_add(s, in, n);
    return isa->raw[NCI_RAW_I16_PLANES].add(s, in, n);
}

static void sums_of_packed_values_are_exact(void **state)
{
    static uint8_t raw[NCI_MAX_STRIPS][2 * PLANE];
    (void)state;
    for (int round = 0; round < 600; round++) {
        int64_t n = 1 + round % CELLS, sum[CELLS] = {0}, square[CELLS] = {0};
        bool is_big = round % 2, any = false;
        nci_strips_in in = {.count = 1 + (int)(random32() % NCI_MAX_STRIPS),
                            .scale = 1,
                            .plane = is_big ? -PLANE : PLANE,
                            .missing_i16 = round % 3 ? -32767 : -32768};
        for (int k = 0; k < in.count; k++) {
            uint8_t *low = raw[k] + (is_big ? PLANE : 0);
            in.x[k] = low;
            for (int64_t i = 0; i < n; i++) {
                int16_t p = round % 5 ? random_packed(in.missing_i16) : 12;
                low[i] = (uint8_t)p;
                low[i + in.plane] = (uint8_t)((uint16_t)p >> 8);
                any |= p == in.missing_i16;
                sum[i] += p == in.missing_i16 ? 0 : p;
                square[i] += p == in.missing_i16 ? 0 : (int64_t)p * p;
            }
        }
        for (int t = 0; t < ntables; t++) {
            double s[CELLS], q[CELLS], only[CELLS];
            for (int64_t i = 0; i < n; i++)
                s[i] = q[i] = only[i] = 1000;
            assert_int_equal(add_squares(tables[t], s, q, &in, n), any);
            assert_int_equal(add_values(tables[t], only, &in, n), any);
            for (int64_t i = 0; i < n; i++) {
                assert_true(s[i] == 1000 + (double)sum[i]);
                assert_true(q[i] == 1000 + (double)square[i]);
                assert_true(only[i] == s[i]);
            }
        }
    }
}

/* One cell that saw the values, n of them; returns its state's deviations. */
static double deviations(const nci_isa *isa, const int16_t *p, int64_t n,
                         const nci_packing *packing, bool is_wide, double *mean)
{
    ncg_error err;
    nci_fold fold = {.op = NCG_OP_VAR,
                     .wide_counts = is_wide,
                     .skipna = true,
                     .min_count = 1,
                     .population = n,
                     .out = NCG_DTYPE_F64};
    nci_acc acc;
    void *memory = nci_alloc_aligned(nci_state_layout_of(&fold, 1).nbytes);
    assert_non_null(memory);
    nci_isa_force(isa);
    CHECK_OK(nci_acc_init(&acc, &fold, packing, 1, memory, &err));
    nci_isa_force(NULL);
    for (int64_t i = 0; i < n; i++) {
        acc.value[0][0] += p[i];
        acc.value[1][0] += (double)((int64_t)p[i] * p[i]);
    }
    nci_acc_finish(&acc, &n, 1);
    double rest = acc.value[1][0];
    *mean = acc.value[0][0];
    nci_acc_fini(&acc);
    nci_free(memory);
    return rest;
}

static void cells_are_unpacked_once(void **state)
{
    enum { MOST = 40000 };
    static int16_t p[MOST];
    const int64_t counts[] = {1, 2, 7, 1000, 1024, 1025, MOST};
    const nci_packing packings[] = {{0.01, 250}, {-3.5, 0}, {1, 0}};
    (void)state;
    for (int64_t i = 0; i < MOST; i++)
        p[i] = random_packed(0);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int64_t n = counts[c];
        long double sum = 0, rest = 0;
        for (int64_t i = 0; i < n; i++)
            sum += p[i];
        for (int64_t i = 0; i < n; i++)
            rest += (p[i] - sum / n) * (p[i] - sum / n);
        for (size_t k = 0; k < sizeof packings / sizeof *packings; k++) {
            const nci_packing *pack = &packings[k];
            long double want = rest * pack->scale * pack->scale;
            long double middle = sum / n * pack->scale + pack->offset;
            double mean, first = deviations(tables[0], p, n, pack, true, &mean);
            assert_true(fabsl(first - want) <= 1e-14L * want);
            assert_true(fabsl(mean - middle) <= 1e-14L * (fabsl(middle) + 1));
            for (int t = 0; t < 2 * ntables; t++) {
                double other_mean, other = deviations(tables[t / 2], p, n, pack,
                                                      t % 2, &other_mean);
                assert_memory_equal(&other, &first, sizeof first);
                assert_memory_equal(&other_mean, &mean, sizeof mean);
            }
        }
    }
}

/* Values that are all the same do not deviate, whatever their scale. */
static void equal_values_do_not_deviate(void **state)
{
    int16_t p[500];
    const nci_packing packing = {0.1, 273.15};
    (void)state;
    for (int i = 0; i < 500; i++)
        p[i] = -31234;
    for (int n = 1; n <= 500; n++) {
        double mean;
        assert_true(
            deviations(tables[ntables - 1], p, n, &packing, false, &mean) == 0);
        assert_true(mean == -31234 * 0.1 + 273.15);
    }
}

static nci_fused fold_of(ncg_op op)
{
    nci_fused f = {.folds = true, .noperands = 1};
    f.operands[0].kind = NCI_OPERAND_SOURCE;
    f.fold.op = op;
    return f;
}

static void files_have_to_be_packed_alike(void **state)
{
    enum { N = 3 };
    nci_segment segments[N];
    nci_source_spec spec = {.segments = segments, .nsegments = N};
    nci_fused f = fold_of(NCG_OP_STD);
    nci_packing found;
    (void)state;
    for (int i = 0; i < N; i++)
        segments[i] = (nci_segment){.start = 10 * i,
                                    .count = 10,
                                    .decode = {.raw = NCG_DTYPE_I16,
                                               .has_scale = true,
                                               .scale = i == 2 ? 0.5 : 0.25,
                                               .offset = 8}};
    assert_false(nci_packing_of(&spec, &f, 0, 30, 30, &found));
    assert_true(nci_packing_of(&spec, &f, 0, 20, 20, &found));
    assert_true(found.scale == 0.25 && found.offset == 8);
    assert_true(nci_packing_of(&spec, &f, 20, 10, 10, &found));
    assert_true(found.scale == 0.5);
    segments[2].var = -1; /* not in that file */
    assert_true(nci_packing_of(&spec, &f, 0, 30, 30, &found));
    assert_false(nci_packing_of(&spec, &f, 20, 10, 10, &found));
    assert_false(nci_packing_of(&spec, &f, 0, 30, (1 << 20) + 1, &found));
    nci_fused sums = fold_of(NCG_OP_MEAN);
    assert_true(nci_packing_of(&spec, &sums, 0, 30, (1 << 20) + 1, &found));
    segments[1].decode.raw = NCG_DTYPE_I32;
    assert_false(nci_packing_of(&spec, &f, 0, 30, 30, &found));
}

static void only_sums_are_taken_of_packed_values(void **state)
{
    nci_segment segment = {.count = 5, .decode = {.raw = NCG_DTYPE_U8}};
    nci_source_spec spec = {
        .segments = &segment, .nsegments = 1, .join_axis = -1};
    const ncg_op sums[] = {NCG_OP_SUM, NCG_OP_MEAN, NCG_OP_STD, NCG_OP_VAR};
    const ncg_op others[] = {NCG_OP_MIN, NCG_OP_MAX, NCG_OP_PROD, NCG_OP_ANY};
    nci_packing found;
    (void)state;
    for (int i = 0; i < 4; i++) {
        nci_fused f = fold_of(sums[i]), g = fold_of(others[i]);
        assert_true(nci_packing_of(&spec, &f, 0, 5, 5, &found));
        assert_true(found.scale == 1 && found.offset == 0);
        assert_false(nci_packing_of(&spec, &g, 0, 5, 5, &found));
        f.fold.is_weighted = true;
        assert_false(nci_packing_of(&spec, &f, 0, 5, 5, &found));
        f = fold_of(sums[i]);
        f.nsteps = 1;
        assert_false(nci_packing_of(&spec, &f, 0, 5, 5, &found));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_packed_values_are_exact),
        cmocka_unit_test(cells_are_unpacked_once),
        cmocka_unit_test(equal_values_do_not_deviate),
        cmocka_unit_test(files_have_to_be_packed_alike),
        cmocka_unit_test(only_sums_are_taken_of_packed_values),
    };
    return cmocka_run_group_tests(tests, find_tables, NULL);
}
