/* SPDX-License-Identifier: BSD-3-Clause */
/* Spilling under the simulator: random plans and limits down to the largest
 * single task, slow and full disks. */
#include "base/mem.h"
#include "graph/random_nodes.h"
#include "simulator.h"
#include "test.h"

static void plans_finish_below_their_peak(void **state)
{
    int below = 0;
    int64_t spilled = 0, loaded = 0;
    (void)state;
    for (uint64_t seed = 1; seed < 600; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        sim_options options = {.seed = seed,
                               .threads = 1 + (int)(seed * 7 % 9),
                               .room = (double)(seed % 5) / 6,
                               .stale_every = seed % 3 ? 5 : 0,
                               .is_checked = seed % 4 == 0,
                               .spills = true};
        sim_result result;
        sim_run(plan, &options, &result);
        assert_int_equal(result.status, NCG_OK);
        assert_true(result.managed_peak <= result.limit);
        below += result.limit < result.peak;
        spilled += result.spilled;
        loaded += result.loaded;
        nci_plan_free(&plan);
    }
    printf("%d plans below their peak, %lld bytes spilled, %lld read back\n",
           below, (long long)spilled, (long long)loaded);
    assert_true(below > 30);
    assert_true(spilled > 0 && loaded > 0);
}

static void no_more_is_spilled_than_must_be(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 100; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 3));
        sim_options options = {
            .seed = seed, .threads = 1, .room = 1, .spills = true};
        sim_result result;
        sim_run(plan, &options, &result);
        assert_int_equal(result.status, NCG_OK);
        assert_int_equal(result.spilled, 0);
        nci_plan_free(&plan);
    }
}

static void a_full_disk_ends_the_run(void **state)
{
    int full = 0;
    (void)state;
    for (uint64_t seed = 1; seed < 300; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        sim_options options = {.seed = seed,
                               .threads = 1 + (int)(seed % 5),
                               .is_checked = seed % 4 == 0,
                               .spills = true,
                               .disk = 1 + (int64_t)(seed % 7) * 1000};
        sim_result result;
        sim_run(plan, &options, &result);
        assert_true(result.status == NCG_OK || result.status == NCG_EOUTPUT);
        full += result.status == NCG_EOUTPUT;
        nci_plan_free(&plan);
    }
    assert_true(full > 10);
}

static void failures_and_cancel_end_the_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 300; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        sim_options options = {.seed = seed,
                               .threads = 1 + (int)(seed % 5),
                               .is_checked = seed % 4 == 0,
                               .spills = true};
        sim_result result;
        if (seed % 2)
            options.fail_at = 1 + (int64_t)(seed % 40);
        else
            options.cancel_at = 1 + (int64_t)(seed % 40);
        sim_run(plan, &options, &result);
        nci_plan_free(&plan);
    }
}

NCG_TESTS(NCG_TEST(plans_finish_below_their_peak),
          NCG_TEST(no_more_is_spilled_than_must_be),
          NCG_TEST(a_full_disk_ends_the_run),
          NCG_TEST(failures_and_cancel_end_the_run))
