/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes that another process or a disk may have damaged: what plans are made
 * of, and chunks that were spilled. The fuzzers' entries over their seeds with
 * changes drawn from a fixed sequence; the real fuzzers are in fuzz/.
 */
#define LLVMFuzzerTestOneInput plan_entry
#include "../../fuzz/fuzz_plan.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput spill_entry
#include "../../fuzz/fuzz_spill.c"
#undef LLVMFuzzerTestOneInput

#include "../../fuzz/plan_seeds.h"
#include "mutate.h"
#include "test.h"

enum { PLAN_ROUNDS = 4000, SPILL_ROUNDS = 400 };

static void plans_of_any_bytes(void **state)
{
    (void)state;
    ncg_context *ctx = NULL;
    ncg_error err;
    CHECK_OK(ncg_context_create(NULL, &ctx, &err));
    for (int i = 0; i < PLAN_SEEDS; i++) {
        char *bytes = NULL;
        size_t nbytes = 0;
        CHECK_OK(seed_plan(ctx, i, &bytes, &nbytes, &err));
        random_state = 7 + (uint64_t)i;
        mutate_and_run(plan_entry, (const uint8_t *)bytes, nbytes,
                       PLAN_ROUNDS);
        nci_free(bytes);
    }
    ncg_context_destroy(&ctx);
}

static void spilled_chunks_of_any_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < SPILL_SEEDS; i++) {
        char *bytes = NULL;
        size_t nbytes = 0;
        assert_true(seed_spill(i, &bytes, &nbytes));
        random_state = 70 + (uint64_t)i;
        mutate_and_run(spill_entry, (const uint8_t *)bytes, nbytes,
                       SPILL_ROUNDS);
        nci_free(bytes);
    }
}

/* The seeds are what is written, so that the fuzzers start from there. */
static void seeds_are_read_back(void **state)
{
    (void)state;
    ncg_context *ctx = NULL;
    ncg_error err;
    CHECK_OK(ncg_context_create(NULL, &ctx, &err));
    for (int i = 0; i < PLAN_SEEDS; i++) {
        nci_ship ship = nci_ship_of(ctx);
        nci_codec_hooks hooks = nci_ship_hooks(&ship);
        nci_plan *plan = NULL;
        char *bytes = NULL;
        size_t nbytes = 0;
        CHECK_OK(seed_plan(ctx, i, &bytes, &nbytes, &err));
        CHECK_OK(nci_decode_plan(bytes, nbytes, &hooks, &plan, &err));
        assert_true(plan->ntasks > 0);
        nci_plan_free(&plan);
        nci_free(bytes);
    }
    ncg_context_destroy(&ctx);
}

NCG_TESTS(NCG_TEST(seeds_are_read_back), NCG_TEST(plans_of_any_bytes),
          NCG_TEST(spilled_chunks_of_any_bytes))
