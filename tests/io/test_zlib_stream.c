/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams with stored planes: any inflater reads them, noise costs a few bytes
 * a block, and what can be shortened is. */
#include "io/write/zlib_stream.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { PLANE = 200000, PLANES = 4, ALL = PLANE * PLANES };

typedef struct fixture {
    uint8_t *data, *packed, *back;
    nci_packer packer;
    struct libdeflate_decompressor *decompressor;
} fixture;

static fixture make(int level)
{
    fixture f = {malloc(ALL),
                 malloc(nci_zlib_bound(ALL)),
                 malloc(ALL),
                 {0},
                 libdeflate_alloc_decompressor()};
    assert_true(nci_packer_fit(&f.packer, level));
    return f;
}

static void fini(fixture *f)
{
    free(f->data);
    free(f->packed);
    free(f->back);
    nci_packer_fini(&f->packer);
    libdeflate_free_decompressor(f->decompressor);
}

static void fill_noise(uint8_t *out, size_t n)
{
    uint32_t seed = 7;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (uint8_t)(seed >> 24);
    }
}

/* Packs, unpacks, compares; returns the size of the stream. */
static size_t round_trip(fixture *f, size_t plane, size_t count)
{
    nci_planes planes = {f->data, plane, count};
    size_t n = plane * count;
    size_t size =
        nci_zlib_pack(&f->packer, &planes, f->packed, nci_zlib_bound(n));
    assert_true(size > 0 && size <= nci_zlib_bound(n));
    assert_int_equal(libdeflate_zlib_decompress(f->decompressor, f->packed,
                                                size, f->back, n, NULL),
                     LIBDEFLATE_SUCCESS);
    assert_memory_equal(f->data, f->back, n);
    return size;
}

static void test_leading_noise_is_stored(void **state)
{
    (void)state;
    for (int level = 1; level <= 9; level += 4) {
        fixture f = make(level);
        fill_noise(f.data, 2 * PLANE);
        memset(f.data + 2 * PLANE, 3, 2 * PLANE);
        size_t size = round_trip(&f, PLANE, PLANES);
        assert_true(size < 2 * PLANE + PLANE / 100);
        assert_memory_equal(f.packed + 7, f.data, 60000); /* as it is */
        fini(&f);
    }
}

static void test_nothing_but_noise(void **state)
{
    (void)state;
    fixture f = make(1);
    fill_noise(f.data, ALL);
    size_t size = round_trip(&f, PLANE, PLANES);
    assert_true(size > ALL && size < ALL + ALL / 1000);
    assert_int_equal(nci_zlib_pack(&f.packer,
                                   &(nci_planes){f.data, PLANE, PLANES},
                                   f.packed, PLANE),
                     0);
    fini(&f);
}

/* Noise that comes again, and noise with a constant part, are no noise. */
static void test_what_deflate_shortens_is_deflated(void **state)
{
    (void)state;
    fixture f = make(1);
    fill_noise(f.data, ALL);
    for (size_t i = 1; i < PLANE / 1000; i++)
        memcpy(f.data + 1000 * i, f.data, 1000);
    assert_true(round_trip(&f, PLANE, PLANES) < 3 * PLANE + PLANE / 5);
    fill_noise(f.data, ALL);
    memset(f.data + 30000, 0, PLANE / 8);
    assert_true(round_trip(&f, PLANE, PLANES) < ALL - PLANE / 10);
    fini(&f);
}

/* Each place of a row takes one of a few values, so three neighbours come again
 * within the window and four hardly do. */
static void test_short_repeats_are_found(void **state)
{
    (void)state;
    for (int level = 1; level <= 5; level += 4) {
        fixture f = make(level);
        uint32_t seed = 1;
        fill_noise(f.data, ALL);
        for (size_t i = 0; i < PLANE; i++) {
            seed = seed * 1664525u + 1013904223u;
            f.data[PLANE + i] = (uint8_t)(i % 400 * 7 + (seed >> 24) % 9);
        }
        memset(f.data + 2 * PLANE, 3, 2 * PLANE);
        size_t size = round_trip(&f, PLANE, PLANES);
        assert_true((double)size < 1.92 * PLANE); /* 1.94 with repeats of four */
        fini(&f);
    }
}

static void test_small_and_unshuffled(void **state)
{
    (void)state;
    fixture f = make(1);
    fill_noise(f.data, ALL);
    round_trip(&f, 1, 1);
    round_trip(&f, 100, 8);
    round_trip(&f, PLANE, 1);
    round_trip(&f, 65536, 2); /* one byte more than a stored block holds */
    fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leading_noise_is_stored),
        cmocka_unit_test(test_nothing_but_noise),
        cmocka_unit_test(test_what_deflate_shortens_is_deflated),
        cmocka_unit_test(test_short_repeats_are_found),
        cmocka_unit_test(test_small_and_unshuffled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
