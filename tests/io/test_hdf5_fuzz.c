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
#include "mutate.h"
#include "test.h"

enum { SECONDS = 4, ROUNDS = 60000, MOST = 1 << 20 };

static void fuzz(int (*entry)(const uint8_t *, size_t))
{
    time_t end = time(NULL) + SECONDS;
    int rounds = 0;
    for (int seed = 0; seed < HDF5_SEEDS; seed++) {
        static uint8_t original[MOST];
        size_t size = seed_bytes(seed_write, seed, original, MOST);
        assert_true(size > 0);
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
