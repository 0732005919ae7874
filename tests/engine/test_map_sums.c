/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums of what an operation makes, without storing it: the bits of those of
 * stored values, for all tables and lengths around the vector sizes. */
#include "engine/kernel/isa_map.h"
#include "isa_tables.h"
#include "test.h"

enum { MOST = 300 };

static const nci_map_op ops[] = {NCI_MAP_ADD, NCI_MAP_SUB, NCI_MAP_MUL};

typedef union numbers {
    double f64[MOST];
    float f32[MOST];
} numbers;

static void fill(nci_class c, int64_t n, bool gaps, numbers *out)
{
    for (int64_t i = 0; i < n; i++) {
        double x = ((double)random32() - 2e9) / (1 + random32() % 1000);
        x = gaps && random32() % 16 == 0 ? NAN : x;
        if (c == NCI_CLASS_F32)
            out->f32[i] = (float)x;
        else
            out->f64[i] = x;
    }
}

static void compare_row(const nci_isa_map *map, nci_class c, nci_map_op op,
                        const numbers *a, const numbers *b, const numbers *made,
                        int64_t n)
{
    double got = map->row_of[c][op](a, b, n), want = map->row_sum[c](made, n);
    if (isnan(want))
        assert_true(isnan(got));
    else
        assert_memory_equal(&got, &want, sizeof got);
}

static void compare_columns(const nci_isa_map *map, nci_class c, nci_map_op op,
                            const numbers *a, const numbers *b,
                            const numbers *made, int64_t n)
{
    double got[MOST], want[MOST];
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
        double x = c == NCI_CLASS_F32 ? (double)made->f32[i] : made->f64[i];
        got[i] = want[i] = (double)i / 7;
        want[i] += isnan(x) ? 0 : x;
        any = any || isnan(x);
    }
    assert_int_equal(map->column_of[c][op](got, a, b, n), any);
    assert_memory_equal(got, want, (size_t)n * sizeof *got);
}

/* Every third cell has no value yet: its k is NaN. */
static void compare_squares(const nci_isa_map *map, nci_class c, nci_map_op op,
                            const numbers *a, const numbers *b,
                            const numbers *made, int64_t n)
{
    double k[MOST], s[2][MOST] = {{0}}, q[2][MOST] = {{0}};
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
        double x = c == NCI_CLASS_F32 ? (double)made->f32[i] : made->f64[i];
        k[i] = n % 5 == 0 && i % 3 == 0 ? NAN : (double)i;
        double d = x - k[i];
        any = any || isnan(d);
        s[1][i] += isnan(d) ? 0 : d;
        q[1][i] += isnan(d) ? 0 : d * d;
    }
    assert_int_equal(map->squares_of[c][op](k, s[0], q[0], a, b, n), any);
    assert_memory_equal(s[0], s[1], (size_t)n * sizeof k[0]);
    assert_memory_equal(q[0], q[1], (size_t)n * sizeof k[0]);
}

static void sums_are_those_of_stored_values(void **state)
{
    numbers a, b, made;
    (void)state;
    for (int t = 0; t < ntables; t++)
        for (int64_t n = 1; n < MOST; n++)
            for (int k = 0; k < 6; k++) {
                const nci_isa_map *map = nci_isa_map_of(tables[t]);
                nci_class c = k % 2 ? NCI_CLASS_F32 : NCI_CLASS_F64;
                nci_map_op op = ops[k / 2];
                fill(c, n, n % 3 == 0, &a);
                fill(c, n, n % 3 == 0, &b);
                map->row[c][op](&a, &b, NULL, n, &made);
                compare_row(map, c, op, &a, &b, &made, n);
                compare_columns(map, c, op, &a, &b, &made, n);
                compare_squares(map, c, op, &a, &b, &made, n);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(sums_are_those_of_stored_values)};
    return cmocka_run_group_tests(tests, find_tables, NULL);
}
