/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fuzzers' entries over their seeds with changes drawn from a fixed
 * sequence, so that they run with every compiler and every time alike. The
 * real fuzzers are in fuzz/.
 */
#define LLVMFuzzerTestOneInput header_entry
#include "../../fuzz/fuzz_hdf5_header.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput chunk_index_entry
#include "../../fuzz/fuzz_chunk_index.c"
#undef LLVMFuzzerTestOneInput

#include <time.h>

#include "../../fuzz/hdf5_seeds.h"
#include "test.h"

enum { SECONDS = 4, ROUNDS = 60000, MOST = 1 << 20 };

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407U;
    return (random_state >> 33) % below;
}

static size_t read_seed(int number, uint8_t *out)
{
    char path[] = "/tmp/ncg_seed_XXXXXX";
    close(mkstemp(path));
    seed_write(number, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(out, 1, MOST, file);
    fclose(file);
    unlink(path);
    return size;
}

/* Numbers that break parsers. */
static void put_number(uint8_t *at, size_t room)
{
    static const uint64_t numbers[] = {0,
                                       1,
                                       2,
                                       7,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x7fff,
                                       0xffff,
                                       0x10000,
                                       0x7fffffff,
                                       0xffffffff,
                                       0x100000000,
                                       INT64_MAX,
                                       (uint64_t)INT64_MAX + 1,
                                       UINT64_MAX - 7,
                                       UINT64_MAX};
    uint64_t number = numbers[draw(sizeof numbers / sizeof *numbers)];
    size_t width = (size_t)1 << draw(4);
    for (size_t i = 0; i < width && i < room; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

/* Changes where something is written: the rest of a file is mostly zeros. */
static size_t pick(const uint8_t *data, size_t size)
{
    size_t at = draw(size);
    for (int i = 0; i < 16 && !data[at]; i++)
        at = draw(size);
    return at;
}

static size_t mutate(uint8_t *data, size_t size)
{
    for (uint64_t n = 1 + draw(4); n > 0; n--) {
        size_t at = pick(data, size), from = pick(data, size);
        size_t length = 1 + draw(40);
        switch (draw(5)) {
        case 0:
            data[at] ^= (uint8_t)(1 << draw(8));
            break;
        case 1:
            put_number(data + at, size - at);
            break;
        case 2:
            data[at] = (uint8_t)draw(256);
            break;
        case 3: /* one place of the file in another */
            if (at + length <= size && from + length <= size)
                memmove(data + at, data + from, length);
            break;
        default:
            if (!draw(8))
                size = 1 + draw(size);
        }
    }
    return size;
}

static void fuzz(int (*entry)(const uint8_t *, size_t))
{
    time_t end = time(NULL) + SECONDS;
    int rounds = 0;
    for (int seed = 0; seed < HDF5_SEEDS; seed++) {
        static uint8_t original[MOST];
        size_t size = read_seed(seed, original);
        random_state = 2026 + (uint64_t)seed;
        entry(original, size);
        time_t stop = time(NULL) + (end - time(NULL)) / (HDF5_SEEDS - seed);
        for (int i = 0; i < ROUNDS && time(NULL) <= stop; i++, rounds++) {
            uint8_t *copy = malloc(size);
            memcpy(copy, original, size);
            size_t less = mutate(copy, size);
            /* A block of the exact size, for the address sanitizer. */
            uint8_t *exact = realloc(copy, less);
            entry(exact, less);
            free(exact);
        }
    }
    print_message("%d inputs\n", rounds);
}

static void headers_of_any_bytes(void **state)
{
    (void)state;
    fuzz(header_entry);
}

static void chunk_indexes_of_any_bytes(void **state)
{
    (void)state;
    fuzz(chunk_index_entry);
}

NCG_TESTS(NCG_TEST(headers_of_any_bytes), NCG_TEST(chunk_indexes_of_any_bytes))
