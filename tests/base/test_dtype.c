/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of every dtype through double and int64; NetCDF's default fills. */
#include "base/dtype.h"

#include <netcdf.h>

#include "base/mem.h"
#include "test.h"

static void dtype_default_fill_is_netcdfs(void **state)
{
    (void)state;
    assert_true(nci_dtype_default_fill(NCG_DTYPE_I8) == NC_FILL_BYTE);
    assert_true(nci_dtype_default_fill(NCG_DTYPE_U8) == NC_FILL_UBYTE);
    assert_true(nci_dtype_default_fill(NCG_DTYPE_I16) == NC_FILL_SHORT);
    assert_true(nci_dtype_default_fill(NCG_DTYPE_U16) == NC_FILL_USHORT);
    assert_true(nci_dtype_default_fill(NCG_DTYPE_I32) == NC_FILL_INT);
    assert_true(nci_dtype_default_fill(NCG_DTYPE_U32) == NC_FILL_UINT);
    assert_true(nci_dtype_default_fill(NCG_DTYPE_I64) == (double)NC_FILL_INT64);
    assert_true(nci_dtype_default_fill(NCG_DTYPE_U64) ==
                (double)NC_FILL_UINT64);
    assert_true((float)nci_dtype_default_fill(NCG_DTYPE_F32) == NC_FILL_FLOAT);
    assert_true(nci_dtype_default_fill(NCG_DTYPE_F64) == NC_FILL_DOUBLE);
}

static void dtype_put_clamps_and_rounds(void **state)
{
    (void)state;
    struct {
        ncg_dtype dtype;
        double in, out;
    } cases[] = {
        {NCG_DTYPE_I8, 127.6, 127},
        {NCG_DTYPE_I8, -129, -128},
        {NCG_DTYPE_U8, -3, 0},
        {NCG_DTYPE_U8, 300, 255},
        {NCG_DTYPE_I16, 2.5, 2},
        {NCG_DTYPE_I16, 3.5, 4},
        {NCG_DTYPE_U16, 65535.4, 65535},
        {NCG_DTYPE_I32, 1e10, 2147483647},
        {NCG_DTYPE_U32, 5e9, 4294967295},
        {NCG_DTYPE_I64, 12345678901, 12345678901},
        {NCG_DTYPE_U64, -1, 0},
        {NCG_DTYPE_F32, 0.5, 0.5},
        {NCG_DTYPE_F64, 1e300, 1e300},
        {NCG_DTYPE_BOOL, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char value[8] = {0};
        nci_dtype_put(cases[i].dtype, value, cases[i].in);
        assert_true(nci_dtype_get(cases[i].dtype, value) == cases[i].out);
    }
}

static void dtype_i64_keeps_every_bit(void **state)
{
    (void)state;
    int64_t cases[] = {INT64_MAX, INT64_MIN, 9007199254740993, -1, 0};
    for (size_t i = 0; i < 5; i++) {
        char value[8];
        nci_dtype_put_i64(NCG_DTYPE_I64, value, cases[i]);
        assert_int_equal(nci_dtype_get_i64(NCG_DTYPE_I64, value), cases[i]);
    }
    uint64_t big = UINT64_MAX;
    assert_int_equal(nci_dtype_get_i64(NCG_DTYPE_U64, &big), -1);
}

static void dtype_names_round_trip(void **state)
{
    (void)state;
    for (int d = NCG_DTYPE_I8; d <= NCG_DTYPE_STRING; d++)
        assert_int_equal(ncg_dtype_parse(ncg_dtype_name((ncg_dtype)d)), d);
    assert_int_equal(ncg_dtype_parse("f16"), NCG_DTYPE_NONE);
}

static void mem_fails_when_told(void **state)
{
    (void)state;
    nci_mem_fail_at(2);
    void *a = nci_alloc(8), *b = nci_alloc(8), *c = nci_alloc(8);
    nci_mem_fail_at(0);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    nci_free(a);
    nci_free(c);
    size_t out;
    assert_false(nci_mul_size(SIZE_MAX, 2, &out));
    int64_t big;
    assert_false(nci_mul_i64(INT64_MAX, 2, &big));
}

NCG_TESTS(NCG_TEST(dtype_default_fill_is_netcdfs),
          NCG_TEST(dtype_put_clamps_and_rounds),
          NCG_TEST(dtype_i64_keeps_every_bit), NCG_TEST(dtype_names_round_trip),
          NCG_TEST(mem_fails_when_told))
