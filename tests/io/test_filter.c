/* SPDX-License-Identifier: BSD-3-Clause */
/* The decode pipeline on chunks in memory: what it leaves undone, and damage.
 */
#include "test.h"

#include <blosc.h>
#include <libdeflate.h>
#include <zstd.h>

#include "io/filter.h"

enum { COUNT = 1000, SIZE = 4, BYTES = COUNT * SIZE, ROOM = 3 * BYTES };

typedef struct bench {
    nci_storage storage;
    nci_scratch *scratch;
    uint8_t plain[BYTES], shuffled[BYTES], stored[ROOM];
    size_t n;
    nci_decoded out;
} bench;

static void begin(bench *b, int nfilters, const uint32_t *ids)
{
    ncg_error err;
    memset(b, 0, sizeof *b);
    CHECK_OK(nci_scratch_create(&b->scratch, &err));
    b->storage.elem_size = SIZE;
    b->storage.nfilters = nfilters;
    for (int i = 0; i < nfilters; i++) {
        b->storage.filters[i].id = ids[i];
        if (ids[i] == NCI_FILTER_SHUFFLE) {
            b->storage.filters[i].nparams = 1;
            b->storage.filters[i].params[0] = SIZE;
        }
    }
    for (int i = 0; i < BYTES; i++)
        b->plain[i] = (uint8_t)(i * i / 97);
    for (int i = 0; i < BYTES; i++)
        b->shuffled[i % SIZE * COUNT + i / SIZE] = b->plain[i];
}

static void put_deflate(bench *b, const void *in, size_t n)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    b->n = libdeflate_zlib_compress(c, in, n, b->stored, ROOM);
    libdeflate_free_compressor(c);
}

static void put_checksum(bench *b)
{
    uint32_t sum = nci_fletcher32(b->stored, b->n);
    for (int i = 0; i < 4; i++)
        b->stored[b->n++] = (uint8_t)(sum >> (8 * i));
}

static ncg_status decode(bench *b, uint32_t mask, ncg_error *err)
{
    return nci_filter_decode(&b->storage, mask, BYTES, true, b->scratch,
                             b->stored, b->n, &b->out, err);
}

static void end(bench *b)
{
    nci_scratch_destroy(&b->scratch);
}

static void last_shuffle_is_left(void **state)
{
    (void)state;
    ncg_error err;
    bench b;
    begin(&b, 2, (uint32_t[]){NCI_FILTER_SHUFFLE, NCI_FILTER_DEFLATE});
    put_deflate(&b, b.shuffled, BYTES);
    CHECK_OK(decode(&b, 0, &err));
    assert_true(b.out.is_shuffled);
    assert_memory_equal(b.out.data, b.shuffled, BYTES);
    assert_int_equal((uintptr_t)b.out.data % 64, 0);
    /* The mask says that it was skipped. */
    put_deflate(&b, b.plain, BYTES);
    CHECK_OK(decode(&b, 1, &err));
    assert_false(b.out.is_shuffled);
    assert_memory_equal(b.out.data, b.plain, BYTES);
    memcpy(b.stored, b.plain, BYTES);
    b.n = BYTES;
    CHECK_OK(decode(&b, 3, &err));
    assert_ptr_equal(b.out.data, b.stored);
    end(&b);
}

static void shuffle_before_others_is_undone(void **state)
{
    (void)state;
    ncg_error err;
    bench b;
    begin(&b, 2, (uint32_t[]){NCI_FILTER_DEFLATE, NCI_FILTER_SHUFFLE});
    put_deflate(&b, b.plain, BYTES);
    uint8_t stream[ROOM];
    memcpy(stream, b.stored, b.n);
    size_t words = b.n / SIZE;
    for (size_t i = 0; i < words * SIZE; i++)
        b.stored[i % SIZE * words + i / SIZE] = stream[i];
    CHECK_OK(decode(&b, 0, &err));
    assert_false(b.out.is_shuffled);
    assert_memory_equal(b.out.data, b.plain, BYTES);
    end(&b);
}

static void two_compressors(void **state)
{
    (void)state;
    ncg_error err;
    bench b;
    begin(&b, 2, (uint32_t[]){NCI_FILTER_DEFLATE, NCI_FILTER_ZSTD});
    put_deflate(&b, b.plain, BYTES);
    uint8_t stream[ROOM];
    memcpy(stream, b.stored, b.n);
    b.n = ZSTD_compress(b.stored, ROOM, stream, b.n, 1);
    CHECK_OK(decode(&b, 0, &err));
    assert_memory_equal(b.out.data, b.plain, BYTES);
    end(&b);
}

static void checksums_are_verified(void **state)
{
    (void)state;
    ncg_error err;
    bench b;
    begin(&b, 2, (uint32_t[]){NCI_FILTER_DEFLATE, NCI_FILTER_FLETCHER32});
    put_deflate(&b, b.plain, BYTES);
    put_checksum(&b);
    CHECK_OK(decode(&b, 0, &err));
    assert_memory_equal(b.out.data, b.plain, BYTES);
    b.stored[b.n - 1] ^= 1;
    CHECK_STATUS(NCG_ECORRUPT, decode(&b, 0, &err));
    CHECK_MESSAGE("checksum");
    CHECK_OK(nci_filter_decode(&b.storage, 0, BYTES, false, b.scratch, b.stored,
                               b.n, &b.out, &err));
    b.n = 3;
    CHECK_STATUS(NCG_ECORRUPT, decode(&b, 0, &err));
    end(&b);
}

static void known_checksum(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5};
    /* words 0x0102 0x0304 0x0500: low = 0x0906, high = 0x0e0e */
    assert_int_equal(nci_fletcher32(bytes, 5), 0x0e0e0906);
    assert_int_equal(nci_fletcher32(bytes, 0), 0);
}

static void damage_is_found(void **state)
{
    (void)state;
    const uint32_t ids[] = {NCI_FILTER_DEFLATE, NCI_FILTER_ZSTD,
                            NCI_FILTER_BLOSC};
    ncg_error err;
    for (int k = 0; k < 3; k++) {
        bench b;
        begin(&b, 1, &ids[k]);
        if (k == 0)
            put_deflate(&b, b.plain, BYTES);
        else if (k == 1)
            b.n = ZSTD_compress(b.stored, ROOM, b.plain, BYTES, 1);
        else
            b.n = (size_t)blosc_compress_ctx(5, 1, SIZE, BYTES, b.plain,
                                             b.stored, ROOM, "lz4", 0, 1);
        CHECK_OK(decode(&b, 0, &err));
        assert_memory_equal(b.out.data, b.plain, BYTES);
        size_t whole = b.n;
        for (b.n = 0; b.n < whole; b.n++)
            CHECK_STATUS(NCG_ECORRUPT, decode(&b, 0, &err));
        CHECK_MESSAGE(nci_filter_name(ids[k]));
        for (size_t i = 0; i < whole; i++) {
            b.stored[i] ^= 0x55;
            decode(&b, 0, &err);
            b.stored[i] ^= 0x55;
        }
        end(&b);
    }
}

static void sizes_are_checked(void **state)
{
    (void)state;
    ncg_error err;
    bench b;
    begin(&b, 1, (uint32_t[]){NCI_FILTER_DEFLATE});
    put_deflate(&b, b.plain, BYTES - 1);
    CHECK_STATUS(NCG_ECORRUPT, decode(&b, 0, &err));
    CHECK_MESSAGE("less");
    uint8_t more[BYTES + 1] = {0};
    put_deflate(&b, more, BYTES + 1);
    CHECK_STATUS(NCG_ECORRUPT, decode(&b, 0, &err));
    CHECK_MESSAGE("more");
    b.storage.nfilters = 0;
    b.n = BYTES - 4;
    CHECK_STATUS(NCG_ECORRUPT, decode(&b, 0, &err));
    CHECK_MESSAGE("3996 bytes instead of 4000");
    b.storage.nfilters = 1;
    b.storage.filters[0].id = NCI_FILTER_BLOSC;
    b.n = (size_t)blosc_compress_ctx(5, 1, SIZE, BYTES + 1, more, b.stored,
                                     ROOM, "lz4", 0, 1);
    CHECK_STATUS(NCG_ECORRUPT, decode(&b, 0, &err));
    CHECK_MESSAGE("4001");
    end(&b);
}

static void unknown_filters_are_named(void **state)
{
    (void)state;
    ncg_error err;
    bench b;
    begin(&b, 1, (uint32_t[]){32013});
    b.n = BYTES;
    CHECK_STATUS(NCG_EUNSUPPORTED, decode(&b, 0, &err));
    CHECK_MESSAGE("zfp (32013) filter not built in");
    b.storage.filters[0].id = 60000;
    CHECK_STATUS(NCG_EUNSUPPORTED, decode(&b, 0, &err));
    CHECK_MESSAGE("unknown (60000)");
    b.storage.filters[0].id = 32022; /* quantising: nothing to undo */
    CHECK_OK(decode(&b, 0, &err));
    CHECK_OK(decode(&b, 1, &err));
    end(&b);
}

static void no_allocation_in_steady_state(void **state)
{
    (void)state;
    ncg_error err;
    bench b;
    begin(&b, 2, (uint32_t[]){NCI_FILTER_SHUFFLE, NCI_FILTER_DEFLATE});
    put_deflate(&b, b.shuffled, BYTES);
    CHECK_OK(decode(&b, 0, &err));
    const uint8_t *first = b.out.data;
    for (int i = 0; i < 100; i++) {
        CHECK_OK(decode(&b, 0, &err));
        assert_ptr_equal(b.out.data, first);
    }
    end(&b);
}

NCG_TESTS(NCG_TEST(last_shuffle_is_left),
          NCG_TEST(shuffle_before_others_is_undone), NCG_TEST(two_compressors),
          NCG_TEST(checksums_are_verified), NCG_TEST(known_checksum),
          NCG_TEST(damage_is_found), NCG_TEST(sizes_are_checked),
          NCG_TEST(unknown_filters_are_named),
          NCG_TEST(no_allocation_in_steady_state))
