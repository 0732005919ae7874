/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/header.h"

#include "base/tile.h"
#include "test.h"

static void header_keeps_what_is_put(void **state)
{
    (void)state;
    nci_header *h = nci_header_create("x.nc");
    nci_header_add_dim(h, "time", 12, true);
    nci_header_add_dim(h, "lat", 5, false);
    int dims[] = {0, 1};
    nci_var *var = nci_header_add_var(h, "t", NCG_DTYPE_F32, 2, dims);
    assert_true(nci_attrs_put_text(&var->attrs, "units", "K"));
    double range[] = {1, 2};
    assert_true(nci_attrs_put(&var->attrs, "r", NCG_DTYPE_F64, 2, range));
    assert_true(nci_attrs_put_text(&var->attrs, "units", "degC"));
    assert_int_equal(var->attrs.count, 2);
    assert_string_equal(nci_attrs_text(&var->attrs, "units"), "degC");
    assert_null(nci_attrs_text(&var->attrs, "r"));
    nci_attrs_remove(&var->attrs, "units");
    assert_null(nci_attrs_find(&var->attrs, "units"));
    int64_t shape[2];
    nci_var_shape(h, var, shape);
    assert_int_equal(shape[0] * 100 + shape[1], 1205);
    assert_int_equal(nci_header_find_var(h, "t"), 0);
    assert_int_equal(nci_header_find_dim(h, "lon"), -1);
    nci_header_free(&h);
    assert_null(h);
}

static void tile_copy_undoes_shuffle_and_order(void **state)
{
    (void)state;
    /* a 2 x 3 tile of big-endian uint16 at (4, 0), shuffled */
    uint8_t data[12];
    for (int i = 0; i < 6; i++) {
        data[i] = 1;              /* high bytes */
        data[6 + i] = (uint8_t)i; /* low bytes */
    }
    nci_tile tile = {.box = {2, {4, 0}, {2, 3}},
                     .data = data,
                     .elem_size = 2,
                     .is_shuffled = true,
                     .is_swapped = true};
    nci_box box = {2, {5, 1}, {2, 2}};
    uint16_t out[4] = {9, 9, 9, 9};
    nci_tile_copy(&tile, &box, out);
    assert_int_equal(out[0], 256 + 4);
    assert_int_equal(out[1], 256 + 5);
    assert_int_equal(out[2], 9);
}

static void decode_marks_missing_before_scaling(void **state)
{
    (void)state;
    nci_decode d = {.raw = NCG_DTYPE_I16,
                    .out = NCG_DTYPE_F64,
                    .nmissing = 1,
                    .missing = {-99},
                    .has_max = true,
                    .max = 100,
                    .has_scale = true,
                    .scale = -0.5,
                    .offset = 10};
    int16_t v = -99;
    assert_true(isnan(nci_decode_value(&d, &v)));
    v = 101;
    assert_true(isnan(nci_decode_value(&d, &v)));
    v = 100;
    assert_true(nci_decode_value(&d, &v) == -40);
    nci_decode w = {.raw = NCG_DTYPE_I64,
                    .nmissing = 1,
                    .missing = {9007199254740992.0},
                    .missing_i64 = {9007199254740993}};
    int64_t big = 9007199254740992;
    assert_true(nci_decode_value(&w, &big) == 9007199254740992.0);
    big++;
    assert_true(isnan(nci_decode_value(&w, &big)));
}

NCG_TESTS(NCG_TEST(header_keeps_what_is_put),
          NCG_TEST(tile_copy_undoes_shuffle_and_order),
          NCG_TEST(decode_marks_missing_before_scaling))
