/* SPDX-License-Identifier: BSD-3-Clause */
/* Missing values and packing from attributes, form by form. */
#include "dataset/decode.h"

#include "base/dtype.h"
#include "test.h"

static ncg_error err;

static nci_var make_var(ncg_dtype dtype)
{
    return (nci_var){.name = (char *)"v", .dtype = dtype};
}

static void put(nci_var *var, const char *name, ncg_dtype dtype, double x)
{
    uint8_t value[8] = {0};
    nci_dtype_put(dtype, value, x);
    assert_true(nci_attrs_put(&var->attrs, name, dtype, 1, value));
}

static nci_decode decode(nci_var *var, nci_strings *notes)
{
    nci_decode out;
    CHECK_OK(nci_decode_make(var, "f.nc", false, &out, notes, &err));
    nci_attrs_fini(&var->attrs);
    return out;
}

static double at(const nci_decode *d, double raw)
{
    uint8_t value[8] = {0};
    nci_dtype_put(d->raw, value, raw);
    return nci_decode_value(d, value);
}

static void fill_and_missing(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_F32);
    double list[] = {-999, 1e20};
    put(&v, "_FillValue", NCG_DTYPE_F32, -1);
    nci_attrs_put(&v.attrs, "missing_value", NCG_DTYPE_F64, 2, list);
    nci_decode d = decode(&v, NULL);
    assert_int_equal(d.out, NCG_DTYPE_F32);
    assert_int_equal(d.nmissing, 3);
    assert_false(d.has_default_fill);
    assert_true(isnan(at(&d, -1)) && isnan(at(&d, -999)));
    assert_true(isnan(at(&d, 1e20))); /* as float, like the attribute */
    assert_true(isnan(at(&d, NAN)));
    CHECK_NEAR(at(&d, -0.5), -0.5, 0);
    CHECK_NEAR(at(&d, 9.9692099683868690e36), (float)9.96920996838687e36, 0);
}

static void default_fill(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_F32);
    nci_decode d = decode(&v, NULL);
    assert_true(d.has_default_fill);
    assert_true(isnan(at(&d, 9.9692099683868690e36)));
    v = make_var(NCG_DTYPE_I16);
    d = decode(&v, NULL);
    assert_true(isnan(at(&d, -32767)));
    v = make_var(NCG_DTYPE_I8);
    d = decode(&v, NULL);
    assert_false(d.has_default_fill);
    CHECK_NEAR(at(&d, -127), -127, 0);
    v = make_var(NCG_DTYPE_I64);
    d = decode(&v, NULL);
    int64_t fill = INT64_C(-9223372036854775806), other = fill + 1;
    assert_true(nci_decode_is_missing(&d, &fill));
    assert_false(nci_decode_is_missing(&d, &other));
    v = make_var(NCG_DTYPE_U64);
    d = decode(&v, NULL);
    uint64_t top = UINT64_C(18446744073709551614), below = top - 1;
    assert_true(nci_decode_is_missing(&d, &top));
    assert_false(nci_decode_is_missing(&d, &below));
    v = make_var(NCG_DTYPE_F64);
    CHECK_OK(nci_decode_make(&v, "f.nc", true, &d, NULL, &err));
    assert_int_equal(d.nmissing, 0);
}

static void default_fill_beside_missing_value(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_I32);
    put(&v, "missing_value", NCG_DTYPE_I32, -1);
    nci_decode d = decode(&v, NULL);
    assert_true(d.has_default_fill);
    assert_true(isnan(at(&d, -2147483647)) && isnan(at(&d, -1)));
}

/* Then it is stated: the default has no part in it. */
static void default_fill_as_missing_value(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_I32);
    put(&v, "missing_value", NCG_DTYPE_I32, -2147483647);
    nci_decode d = decode(&v, NULL);
    assert_false(d.has_default_fill);
    assert_int_equal(d.nmissing, 1);
    assert_true(isnan(at(&d, -2147483647)));
}

static void ignored_with_a_note(void **state)
{
    (void)state;
    nci_strings notes = {0};
    nci_var v = make_var(NCG_DTYPE_I16);
    put(&v, "_FillValue", NCG_DTYPE_F32, NAN);
    nci_attrs_put_text(&v.attrs, "missing_value", "-999");
    put(&v, "valid_min", NCG_DTYPE_F32, NAN);
    nci_decode d = decode(&v, &notes);
    assert_int_equal(notes.count, 3);
    assert_non_null(strstr(notes.items[0], "f.nc: v: _FillValue is NaN"));
    assert_non_null(strstr(notes.items[1], "missing_value is not a number"));
    assert_true(d.has_default_fill);
    assert_false(d.has_min);
    nci_strings_fini(&notes);
    v = make_var(NCG_DTYPE_U8);
    put(&v, "missing_value", NCG_DTYPE_F32, -999);
    d = decode(&v, &notes);
    assert_int_equal(d.nmissing, 0);
    assert_int_equal(notes.count, 1);
    nci_strings_fini(&notes);
}

static void valid_range_is_cast_first(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_F32);
    double range[] = {-1.8, 40.1};
    nci_attrs_put(&v.attrs, "valid_range", NCG_DTYPE_F64, 2, range);
    nci_decode d = decode(&v, NULL);
    assert_false(isnan(at(&d, (float)-1.8)));
    assert_false(isnan(at(&d, (float)40.1)));
    assert_true(isnan(at(&d, -1.81)) && isnan(at(&d, 40.2)));
    v = make_var(NCG_DTYPE_I16);
    put(&v, "valid_min", NCG_DTYPE_F64, 0.5);
    put(&v, "valid_max", NCG_DTYPE_F64, 1e9);
    d = decode(&v, NULL);
    assert_true(isnan(at(&d, 0)) && !isnan(at(&d, 1)));
    assert_false(d.has_max);
}

static void fill_implies_no_range(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_I16);
    put(&v, "_FillValue", NCG_DTYPE_I16, 0);
    nci_decode d = decode(&v, NULL);
    assert_true(isnan(at(&d, 0)));
    assert_false(isnan(at(&d, -5)) || isnan(at(&d, 5)));
}

static void unsigned_bytes(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_I8);
    put(&v, "_FillValue", NCG_DTYPE_I8, -1);
    nci_attrs_put_text(&v.attrs, "_Unsigned", "true");
    nci_decode d = decode(&v, NULL);
    int8_t raw[] = {-1, -2, 3};
    assert_int_equal(d.raw, NCG_DTYPE_U8);
    assert_true(nci_decode_is_missing(&d, &raw[0]));
    CHECK_NEAR(nci_decode_value(&d, &raw[1]), 254, 0);
    CHECK_NEAR(nci_decode_value(&d, &raw[2]), 3, 0);
    v = make_var(NCG_DTYPE_I16);
    nci_attrs_put_text(&v.attrs, "_Unsigned", "true");
    d = decode(&v, NULL);
    int16_t fill = -32767;
    assert_true(nci_decode_is_missing(&d, &fill));
}

static void packing(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_I16);
    put(&v, "scale_factor", NCG_DTYPE_F64, 0.01);
    put(&v, "add_offset", NCG_DTYPE_F64, 273.15);
    put(&v, "_FillValue", NCG_DTYPE_I16, -32768);
    nci_decode d = decode(&v, NULL);
    assert_int_equal(d.out, NCG_DTYPE_F64);
    CHECK_NEAR(at(&d, 100), 100 * 0.01 + 273.15, 0);
    assert_true(isnan(at(&d, -32768)));
    v = make_var(NCG_DTYPE_I16);
    put(&v, "scale_factor", NCG_DTYPE_F32, 0.01);
    d = decode(&v, NULL);
    assert_int_equal(d.out, NCG_DTYPE_F32);
    v = make_var(
        NCG_DTYPE_I16); /* steps of 0.01 beside 1e6: float hides them */
    put(&v, "scale_factor", NCG_DTYPE_F32, 0.01);
    put(&v, "add_offset", NCG_DTYPE_F32, 1e6);
    d = decode(&v, NULL);
    assert_int_equal(d.out, NCG_DTYPE_F64);
    v = make_var(NCG_DTYPE_I32);
    put(&v, "scale_factor", NCG_DTYPE_F32, 0.5);
    d = decode(&v, NULL);
    assert_int_equal(d.out, NCG_DTYPE_F64);
    v = make_var(NCG_DTYPE_I16);
    put(&v, "scale_factor", NCG_DTYPE_F32, 1);
    put(&v, "add_offset", NCG_DTYPE_F32, 0);
    d = decode(&v, NULL);
    assert_false(d.has_scale);
    assert_int_equal(d.out, NCG_DTYPE_I16);
}

static void too_many_missing(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_F32);
    float list[NCI_MAX_MISSING + 1];
    nci_decode d;
    for (int i = 0; i <= NCI_MAX_MISSING; i++)
        list[i] = (float)i;
    nci_attrs_put(&v.attrs, "missing_value", NCG_DTYPE_F32, NCI_MAX_MISSING + 1,
                  list);
    CHECK_STATUS(NCG_EUNSUPPORTED,
                 nci_decode_make(&v, "f.nc", false, &d, NULL, &err));
    CHECK_MESSAGE("f.nc: v: more than");
    nci_attrs_fini(&v.attrs);
}

/* Whatever the rule says is missing is found missing by the sentinel. */
static void sentinel_means_missing(void **state)
{
    (void)state;
    static const ncg_dtype dtypes[] = {
        NCG_DTYPE_I8,  NCG_DTYPE_U8,  NCG_DTYPE_I16, NCG_DTYPE_U16,
        NCG_DTYPE_I32, NCG_DTYPE_U32, NCG_DTYPE_I64, NCG_DTYPE_U64};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        for (int form = 0; form < 4; form++) {
            nci_var v = make_var(dtypes[i]);
            nci_decode d;
            uint8_t value[8];
            if (form == 1)
                put(&v, "_FillValue", dtypes[i], 7);
            if (form == 2)
                put(&v, "valid_min", dtypes[i], 5);
            if (form == 3)
                put(&v, "valid_max", dtypes[i], 5);
            CHECK_OK(nci_decode_make(&v, "f.nc", form != 1, &d, NULL, &err));
            nci_attrs_fini(&v.attrs);
            assert_int_equal(nci_decode_sentinel(&d, value), form > 0);
            if (form)
                assert_true(nci_decode_is_missing(&d, value));
        }
    }
}

static void attributes_are_used_up(void **state)
{
    (void)state;
    nci_var v = make_var(NCG_DTYPE_I16);
    put(&v, "scale_factor", NCG_DTYPE_F32, 2);
    put(&v, "_FillValue", NCG_DTYPE_I16, 2);
    nci_attrs_put_text(&v.attrs, "units", "K");
    nci_decode_strip(&v.attrs);
    assert_int_equal(v.attrs.count, 1);
    nci_attrs_fini(&v.attrs);
}

NCG_TESTS(NCG_TEST(fill_and_missing), NCG_TEST(default_fill),
          NCG_TEST(default_fill_beside_missing_value),
          NCG_TEST(default_fill_as_missing_value),
          NCG_TEST(ignored_with_a_note), NCG_TEST(valid_range_is_cast_first),
          NCG_TEST(fill_implies_no_range), NCG_TEST(unsigned_bytes),
          NCG_TEST(packing), NCG_TEST(too_many_missing),
          NCG_TEST(sentinel_means_missing), NCG_TEST(attributes_are_used_up))
