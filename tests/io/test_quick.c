/* SPDX-License-Identifier: BSD-3-Clause */
/* The quick encoder: zlib and libdeflate read back what went in, whatever it
 * is; no more room is used than was said; codes are whole and short enough. */
#include "io/write/quick.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "io/write/huffman.h"
#include "test.h"

enum { GUARD = 64, MOST = 3 << 20 };

static nci_quick *quick;
static uint8_t *data, *packed, *back;
static uint32_t seed;

static int set_up(void **state)
{
    (void)state;
    quick = nci_quick_create();
    data = malloc(MOST);
    packed = malloc(nci_quick_bound(MOST, 1) + GUARD);
    back = malloc(MOST);
    seed = 1;
    return quick && data && packed && back ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    nci_quick_free(&quick);
    free(data);
    free(packed);
    free(back);
    return 0;
}

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)below * seed >> 32);
}

static void inflate_by_zlib(size_t size, size_t n)
{
    z_stream z = {.next_in = packed,
                  .avail_in = (uInt)size,
                  .next_out = back,
                  .avail_out = (uInt)n};
    memset(back, 0x55, n);
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, n);
    assert_int_equal(z.total_in, size);
    inflateEnd(&z);
    assert_memory_equal(back, data, n);
}

static void inflate_by_libdeflate(size_t size, size_t n)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    memset(back, 0x55, n);
    assert_int_equal(
        libdeflate_deflate_decompress(d, packed, size, back, n, NULL),
        LIBDEFLATE_SUCCESS);
    libdeflate_free_decompressor(d);
    assert_memory_equal(back, data, n);
}

static size_t round_trip(size_t n, size_t count)
{
    size_t bound = nci_quick_bound(n, count);
    memset(packed, 0xaa, bound + GUARD);
    size_t size = nci_quick_deflate(quick, data, n, count, packed);
    assert_true(size > 0 && size <= bound);
    for (size_t i = 0; i < GUARD; i++)
        assert_int_equal(packed[bound + i], 0xaa);
    inflate_by_zlib(size, n * count);
    inflate_by_libdeflate(size, n * count);
    return size;
}

static void test_small(void **state)
{
    (void)state;
    for (size_t n = 1; n < 40; n++)
        for (size_t count = 1; count < 4; count++)
            for (uint32_t letters = 1; letters <= 256; letters *= 16) {
                for (size_t i = 0; i < n * count; i++)
                    data[i] = (uint8_t)draw(letters);
                round_trip(n, count);
            }
}

/* Pieces of many kinds behind one another: runs, copies from any distance,
 * letters of any number, and noise. */
static void fill_mixed(size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t run = 1 + draw(draw(2) ? 40 : 9000);
        uint32_t kind = draw(4), letters = 1 + draw(256);
        size_t away = 1 + draw(draw(2) ? 40000 : 300);
        uint8_t byte = (uint8_t)draw(256);
        for (size_t i = 0; i < run && at < n; i++, at++) {
            if (kind == 0)
                data[at] = byte;
            else if (kind == 1 && at >= away)
                data[at] = data[at - away];
            else
                data[at] = (uint8_t)draw(letters);
        }
    }
}

static void test_mixed(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        size_t count = 1 + draw(8), n = 1 + draw(200000);
        fill_mixed(n * count);
        round_trip(n, count);
    }
}

/* The farthest match, and one place farther. */
static void test_distances(void **state)
{
    (void)state;
    for (size_t away = 32760; away < 32776; away++) {
        memset(data, 0, 80000);
        for (size_t i = 0; i < 64; i++)
            data[i] = data[i + away] = (uint8_t)(1 + i);
        round_trip(80000, 1);
    }
    for (size_t length = 3; length < 300; length++) {
        for (size_t i = 0; i < 1000; i++)
            data[i] = (uint8_t)draw(256);
        memcpy(data + 500, data + 100, length);
        round_trip(1000, 1);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    enum { N = 600000 };
    memset(data, 7, MOST);
    assert_true(round_trip(N, 4) < 4000);
    for (size_t i = 0; i < N; i++)
        data[i] = (uint8_t)draw(256);
    size_t size = round_trip(N, 1);
    assert_true(size > N && size < N + N / 500);
    uLongf room = nci_quick_bound(MOST, 1);
    for (size_t i = 0; i < N; i++) /* what smooth fields look like */
        data[i] = (uint8_t)(i % 700 / 90 + (draw(50) == 0));
    size = round_trip(N, 1);
    assert_int_equal(compress2(packed, &room, data, N, 1), Z_OK);
    assert_true((double)size < 1.03 * (double)room);
    /* the same again: nothing is left from what went before */
    assert_int_equal(size, round_trip(N, 1));
}

static void check_code(const uint32_t *count, int n, int longest)
{
    nci_code code;
    int64_t sum = 0;
    nci_code_make(&code, count, n, longest);
    for (int s = 0; s < n; s++) {
        assert_true(code.length[s] <= longest);
        assert_true(code.length[s] > 0 || !count[s]);
        if (code.length[s])
            sum += INT64_C(1) << (longest - code.length[s]);
    }
    assert_int_equal(sum, INT64_C(1) << longest);
    for (int a = 0; a < n; a++) /* no code begins another */
        for (int b = 0; b < n; b++) {
            if (a == b || !code.length[a] || code.length[b] < code.length[a])
                continue;
            unsigned mask = (1u << code.length[a]) - 1;
            assert_int_not_equal(code.bits[b] & mask, code.bits[a]);
        }
}

static void test_codes(void **state)
{
    (void)state;
    uint32_t count[NCI_CODE_SYMBOLS] = {0};
    for (int n = 2; n <= 286; n++) {
        for (int s = 0; s < n; s++)
            count[s] = draw(3) ? draw(1u << (1 + draw(20))) : 0;
        check_code(count, n, 15);
    }
    memset(count, 0, sizeof count);
    check_code(count, 30, 15);
    count[29] = 9;
    check_code(count, 30, 15);
    /* Fibonacci's numbers make the deepest trees. */
    count[0] = count[1] = 1;
    for (int s = 2; s < 40; s++)
        count[s] = count[s - 1] + count[s - 2];
    check_code(count, 40, 15);
    check_code(count, 19, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_small, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mixed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_distances, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
