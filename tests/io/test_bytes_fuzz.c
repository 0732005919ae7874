/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classic files and stored chunks of any bytes: the fuzzers' entries over
 * their seeds with changes drawn from a fixed sequence; the real fuzzers are in
 * fuzz/, those of HDF5 files run in test_hdf5_fuzz.c.
 */
#define LLVMFuzzerTestOneInput classic_entry
#include "../../fuzz/fuzz_classic.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput filter_entry
#include "../../fuzz/fuzz_filter.c"
#undef LLVMFuzzerTestOneInput

#include "../../fuzz/io_seeds.h"
#include "mutate.h"
#include "test.h"

enum { CLASSIC_ROUNDS = 20000, FILTER_ROUNDS = 20000, MOST = 1 << 16 };

static void classic_files_of_any_bytes(void **state)
{
    static uint8_t seed[MOST];
    (void)state;
    for (int i = 0; i < CLASSIC_SEEDS; i++) {
        size_t size = seed_bytes(seed_classic, i, seed, MOST);
        assert_true(size > 0);
        random_state = 40 + (uint64_t)i;
        mutate_and_run(classic_entry, seed, size, CLASSIC_ROUNDS);
    }
}

static void stored_chunks_of_any_bytes(void **state)
{
    uint8_t seed[SEED_HEAD + SEED_ROOM];
    (void)state;
    for (int i = 0; i < FILTER_SEEDS; i++) {
        size_t size = seed_filter(i, seed);
        assert_true(size > 0);
        random_state = 400 + (uint64_t)i;
        mutate_and_run(filter_entry, seed, size, FILTER_ROUNDS);
    }
}

/* The seeds are chunks that can be decoded, so that the changes start there. */
static void seeds_are_decoded(void **state)
{
    (void)state;
    for (int i = 0; i < FILTER_SEEDS; i++) {
        uint8_t seed[SEED_HEAD + SEED_ROOM];
        nci_storage storage = {.elem_size = 4};
        nci_scratch *scratch = NULL;
        nci_decoded out;
        ncg_error err;
        size_t size = seed_filter(i, seed);
        put_filters(&storage, seed);
        CHECK_OK(nci_scratch_create(&scratch, &err));
        CHECK_OK(nci_filter_decode(&storage, 0, SEED_CHUNK, true, scratch,
                                   seed + SEED_HEAD, size - SEED_HEAD, &out,
                                   &err));
        nci_scratch_destroy(&scratch);
    }
}

NCG_TESTS(NCG_TEST(seeds_are_decoded), NCG_TEST(classic_files_of_any_bytes),
          NCG_TEST(stored_chunks_of_any_bytes))
