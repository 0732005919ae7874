/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of loops: right against nci_decode_value and plain loops, and
 * equal to each other bit by bit, for all lengths around the vector sizes. */
#include "base/dtype.h"
#include "engine/kernel/copy_turn.h"
#include "engine/kernel/isa.h"
#include "isa_tables.h"
#include "test.h"

enum { MOST = 600 };

/* Numbers of very different size, gaps, zeros of both signs. */
static void fill_doubles(double *x, int64_t n, bool gaps)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t r = random32() % 16;
        x[i] = ldexp((double)random32() - 2e9, (int)(random32() % 40) - 20);
        if (r == 0)
            x[i] = gaps ? NAN : 1;
        else if (r == 1)
            x[i] = random32() % 2 ? 0.0 : -0.0;
    }
}

static const ncg_dtype dtypes[] = {
    NCG_DTYPE_I8,  NCG_DTYPE_U8,  NCG_DTYPE_I16, NCG_DTYPE_U16, NCG_DTYPE_I32,
    NCG_DTYPE_U32, NCG_DTYPE_I64, NCG_DTYPE_U64, NCG_DTYPE_F32, NCG_DTYPE_F64};
enum { NDTYPES = sizeof dtypes / sizeof *dtypes };

static void random_decode(ncg_dtype raw, const uint8_t *values, int64_t n,
                          nci_decode *out)
{
    size_t size = ncg_dtype_size(raw);
    *out = (nci_decode){.raw = raw, .out = NCG_DTYPE_F64, .scale = 1};
    out->nmissing = (int)(random32() % 5);
    for (int m = 0; m < out->nmissing; m++) {
        const uint8_t *value = values + (random32() % (uint64_t)n) * size;
        out->missing[m] = nci_dtype_get(raw, value);
        out->missing_i64[m] =
            nci_dtype_is_integer(raw) ? nci_dtype_get_i64(raw, value) : 0;
    }
    if (out->nmissing && !nci_dtype_is_wide(raw) && random32() % 3 == 0)
        out->missing[0] = random32() % 2 ? 1e300 : 0.1;
    const uint8_t *low = values + (random32() % (uint64_t)n) * size;
    const uint8_t *high = values + (random32() % (uint64_t)n) * size;
    out->has_min = random32() % 3 == 0;
    out->has_max = random32() % 3 == 0;
    out->min = nci_dtype_get(raw, low) + (random32() % 2 ? 0.25 : 0);
    out->max = nci_dtype_get(raw, high) - (random32() % 2 ? 0.25 : 0);
    if (random32() % 8 == 0)
        out->max = 1e200;
    if (random32() % 8 == 0)
        out->min = 1e200;
    if (nci_dtype_is_wide(raw)) {
        out->min_i64 = nci_dtype_get_i64(raw, low);
        out->max_i64 = nci_dtype_get_i64(raw, high);
    }
    out->has_scale = random32() % 2;
    out->scale = out->has_scale ? 0.01 : 1;
    out->offset = out->has_scale ? 273.15 : 0;
}

static void decode_agrees_with_the_rule(void **state)
{
    static uint8_t raw[MOST * 8 + 1];
    static double out[MOST];
    (void)state;
    for (int round = 0; round < 7000; round++) {
        ncg_dtype dtype = dtypes[random32() % NDTYPES];
        size_t size = ncg_dtype_size(dtype);
        int64_t n = 1 + random32() % MOST;
        uint8_t *values = raw + random32() % 2; /* not aligned */
        bool small = random32() % 2;
        for (int64_t i = 0; i < n; i++)
            if (dtype == NCG_DTYPE_F32 || dtype == NCG_DTYPE_F64 || small)
                nci_dtype_put(dtype, values + (size_t)i * size,
                              (double)(random32() % 40) / 4);
            else
                for (size_t b = 0; b < size; b++)
                    values[(size_t)i * size + b] = (uint8_t)random32();
        if (nci_dtype_is_float(dtype)) {
            nci_dtype_put(dtype, values, NAN);
            nci_dtype_put(dtype, values + (size_t)(n - 1) * size, INFINITY);
        }
        nci_decode decode;
        nci_mask mask;
        random_decode(dtype, values, n, &decode);
        nci_mask_of(&decode, &mask);
        for (int t = 0; t < ntables; t++) {
            bool any = false;
            bool got = tables[t]->decode[mask.raw](values, n, &mask, out);
            for (int64_t i = 0; i < n; i++) {
                double want =
                    nci_decode_value(&decode, values + (size_t)i * size);
                any = any || isnan(want);
                if (isnan(want) ? !isnan(out[i])
                                : memcmp(&want, &out[i], 8) != 0)
                    fail_msg("%s %s: %.17g, not %.17g", tables[t]->name,
                             ncg_dtype_name(dtype), out[i], want);
            }
            if (any != got)
                fail_msg("%s %s: missing %d, not %d", tables[t]->name,
                         ncg_dtype_name(dtype), got, any);
        }
    }
}

static void bytes_come_back(void **state)
{
    static uint8_t in[MOST * 8], out[MOST * 8], shuffled[MOST * 8];
    (void)state;
    for (int t = 0; t < ntables; t++)
        for (int64_t n = 1; n < 200; n++)
            for (int log = 1; log < 4; log++) {
                int64_t size = 1 << log;
                const uint8_t *planes[8];
                for (int64_t i = 0; i < n * size; i++)
                    in[i] = (uint8_t)random32();
                for (int64_t i = 0; i < n; i++)
                    for (int64_t b = 0; b < size; b++)
                        shuffled[b * n + i] = in[i * size + b];
                for (int64_t b = 0; b < size; b++)
                    planes[b] = shuffled + b * n;
                tables[t]->unshuffle[log](planes, n, out);
                assert_memory_equal(in, out, (size_t)(n * size));
                tables[t]->swap[log](in, n, out);
                for (int64_t i = 0; i < n * size; i++)
                    assert_int_equal(out[i],
                                     in[i / size * size + size - 1 - i % size]);
            }
}

enum { ROWS = 30 };

/* Every loop over doubles of one table; what it makes goes to `out`. */
static int64_t run_all(const nci_isa *isa, const double *x, const double *full,
                       const double *w, int64_t n, double out[][MOST])
{
    int64_t k = 0;
    for (int64_t row = 0; row < ROWS; row++)
        memcpy(out[row], full, (size_t)n * 8);
    isa->add(x, full, n, out[k++]);
    isa->sub(x, full, n, out[k++]);
    isa->mul(x, full, n, out[k++]);
    isa->div(x, full, n, out[k++]);
    isa->replace_nan(x, n, 7, out[k++]);
    isa->column_add(out[k++], full, n);
    isa->column_min(out[k++], x, n);
    isa->column_max(out[k++], x, n);
    isa->round_f32(out[k++], n);
    isa->column_first(out[k++], x, n);
    int any = isa->column_squares(w, out[k], out[k + 1], x, n);
    k += 2;
    any |= isa->column_squares_weighted(full, out[k], out[k + 1], x, w, n) << 1;
    k += 2;
    any |= isa->column_add_weighted(out[k], out[k + 1], w, x, n) << 2;
    k += 2;
    any |= isa->join(w, x, n, out[k], out[k + 1]) << 3;
    k += 2;
    int32_t count[MOST];
    for (int64_t i = 0; i < n; i++)
        count[i] = (int32_t)(1 + i % 7);
    isa->column_deviations(count, w, out[k], out[k + 1], n);
    k += 2;
    int32_t other[MOST];
    for (int64_t i = 0; i < n; i++) {
        count[i] = (int32_t)(i % 3);
        other[i] = (int32_t)(i % 4);
    }
    isa->merge_min(count, out[k++], other, w, n);
    isa->merge_max(count, out[k++], other, w, n);
    isa->merge_squares(count, out[k], out[k + 1], other, w, full, n);
    k += 2;
    isa->finish_value(other, w, 2, n, out[k++]);
    isa->finish_mean(other, w, 1, n, out[k++]);
    isa->finish_variance(other, full, 3, 2, false, n, out[k++]);
    isa->finish_variance(other, full, 2, 1, true, n, out[k++]);
    double *last = out[k++];
    memset(last, 0, MOST * 8);
    last[0] = isa->row_sum(full, n);
    last[1] = isa->row_min(x, n);
    last[2] = isa->row_max(x, n);
    isa->row_squares(x, n, full[0], last + 3);
    last[200] = (double)isa->row_squares_weighted(x, w, n, full[0], last + 201);
    last[204] = (double)isa->row_sum_weighted(w, x, n, last + 205);
    last[7] = (double)isa->count_nan(x, n);
    last[8] = isa->any_nan(x, n);
    last[9] = any;
    isa->tally32((int32_t *)(void *)(last + 10), x, n < 200 ? n : 200);
    isa->tally64((int64_t *)(void *)(last + 120), x, n < 200 ? n : 200);
    return k;
}

static void tables_give_the_same_bits(void **state)
{
    static double x[MOST], full[MOST], w[MOST], out[2][ROWS][MOST];
    (void)state;
    for (int64_t n = 1; n < MOST; n += 1 + n / 40) {
        fill_doubles(x, n, true);
        fill_doubles(full, n, false);
        fill_doubles(w, n, false);
        for (int t = 0; t < ntables; t++) {
            int64_t rows = run_all(tables[t], x, full, w, n, out[t]);
            for (int64_t r = 0; t && r < rows; r++)
                for (int64_t i = 0; i < (r == rows - 1 ? MOST : n); i++)
                    if (memcmp(&out[0][r][i], &out[t][r][i], 8) &&
                        !(isnan(out[0][r][i]) && isnan(out[t][r][i])))
                        fail_msg("loop %d, element %d of %d", (int)r, (int)i,
                                 (int)n);
        }
    }
}

/* Folds strips into rows of `out`, all at once or one by one. */
static void run_strips(const nci_strip_loops *loops, const nci_strips_in *in,
                       int64_t n, int each, double out[][MOST])
{
    for (int64_t i = 0; i < n; i++) {
        out[0][i] = out[4][i] = out[5][i] = 0;
        out[1][i] = INFINITY;
        out[2][i] = -INFINITY;
        out[3][i] = i % 5 && n % 2 ? 3 : NAN;
    }
    for (int k = 0; k < in->count; k += each) {
        nci_strips_in some = *in;
        some.count = each;
        memcpy(some.x, in->x + k, (size_t)each * sizeof *some.x);
        loops->add(out[0], &some, n);
        loops->min(out[1], &some, n);
        loops->max(out[2], &some, n);
        loops->squares(out[3], out[4], out[5], &some, n);
    }
}

static void strips_are_folded_in_their_order(void **state)
{
    static double x[NCI_MAX_STRIPS][MOST], out[3][6][MOST];
    static float narrow[NCI_MAX_STRIPS][MOST];
    static int16_t packed[NCI_MAX_STRIPS][MOST];
    (void)state;
    for (int64_t round = 0; round < 300; round++) {
        int64_t n = 1 + round % 100;
        int kind = (int)(round % NCI_STRIP_KINDS);
        nci_strips_in in = {.count = 1 + (int)(random32() % NCI_MAX_STRIPS),
                            .scale = 0.01,
                            .offset = 250};
        for (int k = 0; k < NCI_MAX_STRIPS; k++) {
            fill_doubles(x[k], n, true);
            for (int64_t i = 0; i < n; i++) {
                narrow[k][i] = isnan(x[k][i]) ? INFINITY : (float)x[k][i];
                packed[k][i] = (int16_t)random32();
            }
            in.x[k] = kind == NCI_STRIP_F64   ? (const void *)x[k]
                      : kind == NCI_STRIP_F32 ? (const void *)narrow[k]
                                              : (const void *)packed[k];
        }
        run_strips(&nci_isa_base.strips[kind], &in, n, 1, out[0]);
        for (int t = 0; t < ntables; t++) {
            run_strips(&tables[t]->strips[kind], &in, n, in.count, out[1 + t]);
            for (int row = 0; row < 6; row++)
                for (int64_t i = 0; i < n; i++)
                    if (memcmp(&out[0][row][i], &out[1 + t][row][i], 8) &&
                        !(isnan(out[0][row][i]) && isnan(out[1 + t][row][i])))
                        fail_msg("kind %d, loop %d, element %d of %d", kind,
                                 row, (int)i, (int)n);
        }
    }
}

enum { PLANE = MOST + 5 }; /* bytes from plane to plane */

/* Writes value i of a strip as the file would hold it; returns the value. */
static double put_raw(nci_raw_kind kind, const nci_strips_in *in, int64_t i,
                      double x, uint8_t *raw)
{
    float narrow = isnan(x) && i % 2 ? in->missing_f32 : (float)x;
    bool is_swapped =
        kind == NCI_RAW_F32_SWAPPED || kind == NCI_RAW_F32_SWAPPED_NAN;
    int16_t packed = isnan(x) ? in->missing_i16 : (int16_t)(uint16_t)random32();
    uint32_t word;
    memcpy(&word, &narrow, sizeof word);
    if (kind == NCI_RAW_I16_PLANES)
        word = (uint16_t)packed;
    for (int b = 0; b < 4; b++) {
        uint8_t byte = (uint8_t)(word >> 8 * b);
        if (is_swapped)
            raw[4 * i + 3 - b] = byte;
        else if (kind == NCI_RAW_F32 || kind == NCI_RAW_F32_NAN)
            raw[4 * i + b] = byte;
        else
            raw[b * PLANE + i] = byte;
    }
    if (kind == NCI_RAW_I16_PLANES)
        return packed == in->missing_i16 ? NAN
                                         : packed * in->scale + in->offset;
    return narrow == in->missing_f32 ? NAN : (double)narrow;
}

/* The sum of one row, unless something is missing in it. */
static void compare_row_sum(const nci_raw_loops *loops, nci_raw_kind kind,
                            const nci_strips_in *in, const double *x, int64_t n)
{
    double got, want = nci_isa_base.row_sum(x, n);
    bool any = nci_isa_base.any_nan(x, n);
    assert_int_equal(loops->row_sum(in, n, &got), any);
    if (!any && kind == NCI_RAW_I16_PLANES)
        assert_true(fabs(got - want) <= 1e-12 * 600 * (double)n);
    else if (!any)
        assert_memory_equal(&got, &want, sizeof got);
}

static void run_raw(const nci_raw_loops *loops, const nci_strips_in *in,
                    int64_t n, double out[][MOST], bool found[4])
{
    nci_strips_in none = {0};
    run_strips(&nci_isa_base.strips[NCI_STRIP_F64], &none, n, 1, out);
    found[0] = loops->add(out[0], in, n);
    found[1] = loops->min(out[1], in, n);
    found[2] = loops->max(out[2], in, n);
    found[3] = loops->squares(out[3], out[4], out[5], in, n);
}

/* Loops over raw values give the bits of strips of doubles, and tell whether
 * something is missing. */
static void raw_values_are_folded_as_doubles(void **state)
{
    static double x[NCI_MAX_STRIPS][MOST], out[2][6][MOST];
    static uint8_t raw[NCI_MAX_STRIPS][4 * PLANE];
    (void)state;
    for (int64_t round = 0; round < 700; round++) {
        int64_t n = 1 + round % 100;
        nci_raw_kind kind = (nci_raw_kind)(round % NCI_RAW_KINDS);
        bool has_gaps = round / NCI_RAW_KINDS % 2, any = false;
        nci_strips_in in = {.count = 1 + (int)(random32() % NCI_MAX_STRIPS),
                            .scale = 0.01,
                            .offset = 250,
                            .plane = PLANE,
                            .missing_f32 = kind < NCI_RAW_F32_NAN ? 1e20f : NAN,
                            .missing_i16 = -32767},
                      doubles = in;
        for (int k = 0; k < in.count; k++) {
            fill_doubles(x[k], n, has_gaps);
            for (int64_t i = 0; i < n; i++) {
                x[k][i] = put_raw(kind, &in, i, x[k][i], raw[k]);
                any = any || isnan(x[k][i]);
            }
            in.x[k] = raw[k];
            doubles.x[k] = x[k];
        }
        run_strips(&nci_isa_base.strips[NCI_STRIP_F64], &doubles, n, in.count,
                   out[0]);
        for (int t = 0; t < ntables; t++) {
            bool found[4];
            run_raw(&tables[t]->raw[kind], &in, n, out[1], found);
            for (int loop = 0; loop < 4; loop++)
                assert_int_equal(found[loop], any);
            compare_row_sum(&tables[t]->raw[kind], kind, &in, x[0], n);
            for (int row = 0; row < 6; row++)
                for (int64_t i = 0; i < n; i++)
                    if (memcmp(&out[0][row][i], &out[1][row][i], 8) &&
                        !(isnan(out[0][row][i]) && isnan(out[1][row][i])))
                        fail_msg("kind %d, table %d, loop %d, element %d of %d",
                                 (int)kind, t, row, (int)i, (int)n);
        }
    }
}

static void rows_agree_with_plain_sums(void **state)
{
    static double x[MOST];
    static float raw[MOST];
    (void)state;
    for (int64_t n = 1; n < MOST; n++) {
        long double sum = 0, size = 0, sum_f32 = 0, size_f32 = 0;
        double low = INFINITY;
        int64_t gaps = 0;
        fill_doubles(x, n, false);
        for (int64_t i = 0; i < n; i++) {
            sum += x[i];
            size += fabs(x[i]);
            low = x[i] < low ? x[i] : low;
            gaps += isnan(x[i]);
            raw[i] = (float)x[i];
            sum_f32 += raw[i];
            size_f32 += fabsf(raw[i]);
        }
        for (int t = 0; t < ntables; t++) {
            double got = tables[t]->row_sum(x, n);
            assert_true(fabsl(got - sum) <= 1e-14L * size);
            nci_strips_in in = {.x = {raw}, .count = 1, .missing_f32 = NAN};
            assert_false(tables[t]->raw[NCI_RAW_F32_NAN].row_sum(&in, n, &got));
            assert_true(fabsl(got - sum_f32) <= 1e-14L * size_f32);
            assert_true(tables[t]->row_min(x, n) == low);
            assert_int_equal(tables[t]->count_nan(x, n), gaps);
        }
    }
}

static void weighted_rows_agree_with_plain_sums(void **state)
{
    static double x[MOST], w[MOST];
    (void)state;
    for (int64_t n = 1; n < MOST; n++) {
        long double want[4] = {0}, size = 0;
        int64_t gaps = 0;
        double k = 0.25, sums[2], squares[3];
        fill_doubles(x, n, n % 2);
        fill_doubles(w, n, n % 3 == 0);
        for (int64_t i = 0; i < n; i++) {
            long double d = (long double)x[i] - k;
            if (isnan(x[i]) || isnan(w[i])) {
                gaps++;
                continue;
            }
            want[0] += (long double)w[i] * x[i];
            want[1] += w[i];
            want[2] += w[i] * d;
            want[3] += w[i] * d * d;
            size += fabs(w[i]) * (1 + fabs(x[i]) + (double)(d * d));
        }
        for (int t = 0; t < ntables; t++) {
            const nci_isa *isa = tables[t];
            assert_int_equal(isa->row_sum_weighted(x, w, n, sums), gaps);
            assert_int_equal(isa->row_squares_weighted(x, w, n, k, squares),
                             gaps);
            assert_true(fabsl(sums[0] - want[0]) <= 1e-13L * size);
            assert_true(fabsl(sums[1] - want[1]) <= 1e-13L * size);
            assert_true(fabsl(squares[0] - want[2]) <= 1e-13L * size);
            assert_true(fabsl(squares[1] - want[3]) <= 1e-13L * size);
            assert_true(squares[2] == sums[1]);
        }
    }
}

/* Elements number themselves; what lies between the rows of the result stays.
 */
static void turn_one(const nci_isa *isa, size_t size, int64_t ny, int64_t nx)
{
    nci_plane p = {ny,
                   nx,
                   1,
                   ny + (int64_t)(random32() % 9),
                   nx + (int64_t)(random32() % 9),
                   1};
    size_t nfrom = (size_t)(nx * p.from_x), nto = (size_t)(ny * p.to_y);
    uint8_t *from = malloc(nfrom * size + 1), *to = malloc(nto * size + 1);
    const nci_turn_loops *loops = nci_turn_loops_of(isa);
    uint8_t gap[8];
    memset(gap, 0xee, sizeof gap);
    assert_non_null(from);
    assert_non_null(to);
    memset(to, 0xee, nto * size + 1);
    for (size_t i = 0; i < nfrom; i++)
        memcpy(from + 1 + i * size, &(uint64_t){i * 0x0101010101010101u}, size);
    (size == 4 ? loops->turn32 : loops->turn64)(&p, from + 1, to + 1);
    for (int64_t y = 0; y < ny; y++)
        for (int64_t x = 0; x < p.to_y; x++) {
            const uint8_t *want = gap;
            if (x < nx)
                want = from + 1 + (size_t)(y + x * p.from_x) * size;
            assert_memory_equal(to + 1 + (size_t)(y * p.to_y + x) * size, want,
                                size);
        }
    free(from);
    free(to);
}

static void planes_are_turned(void **state)
{
    (void)state;
    for (int t = 0; t < ntables; t++)
        for (int i = 0; i < 200; i++)
            turn_one(tables[t], i % 2 ? 4 : 8, 1 + random32() % 80,
                     1 + random32() % 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(decode_agrees_with_the_rule),
        NCG_TEST(bytes_come_back),
        NCG_TEST(tables_give_the_same_bits),
        NCG_TEST(strips_are_folded_in_their_order),
        NCG_TEST(raw_values_are_folded_as_doubles),
        NCG_TEST(rows_agree_with_plain_sums),
        NCG_TEST(weighted_rows_agree_with_plain_sums),
        NCG_TEST(planes_are_turned)};
    return cmocka_run_group_tests(tests, find_tables, NULL);
}
