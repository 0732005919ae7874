/* SPDX-License-Identifier: BSD-3-Clause */
/* Scheduler and workers of a cluster under the simulator: random plans, limits,
 * joins, deaths, silences, leaves, slow and full disks. A seed that fails is
 * printed; `test_engine_cluster SEED` runs it alone, with NCG_SIM_SHOW=1 it
 * shows what everybody was at. */
#include "cluster_sim.h"
#include "engine/sched/cluster_internal.h"
#include "graph/random_nodes.h"

static csim_options options_of(uint64_t seed)
{
    static const double rooms[] = {0, 0.01, 0.1, 1};
    uint64_t s = seed * 7919 + 1;
    csim_options o = {.seed = seed,
                      .workers = (int)rnd_range(&s, 1, 6),
                      .threads = (int)rnd_range(&s, 1, 4),
                      .room = rooms[rnd(&s) % 4],
                      .looks_ahead = rnd(&s) % 2,
                      .can_checkpoint = rnd(&s) % 2,
                      .is_slow_disk = rnd(&s) % 4 == 0,
                      .is_checked = true};
    if (rnd(&s) % 2)
        o.joins = (int)rnd_range(&s, 0, 4);
    if (rnd(&s) % 2)
        o.kills = (int)rnd_range(&s, 0, 4);
    if (rnd(&s) % 2)
        o.stops = (int)rnd_range(&s, 0, 4);
    if (rnd(&s) % 2)
        o.drains = (int)rnd_range(&s, 0, 3);
    if (rnd(&s) % 4 == 0)
        o.ends = (int)rnd_range(&s, 0, 3);
    if (rnd(&s) % 8 == 0)
        o.late_start = 3;
    o.has_homes = rnd(&s) % 3 == 0;
    o.has_arrivals = rnd(&s) % 3 == 0;
    return o;
}

static bool run_seed(uint64_t seed, csim_options *o, csim_result *r)
{
    uint64_t s = seed;
    nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
    while (plan->ntasks > 2000) {
        nci_plan_free(&plan);
        plan = rnd_plan(&s, 1);
    }
    o->is_checked = o->is_checked && plan->ntasks < 500;
    csim_run(plan, o, r);
    nci_plan_free(&plan);
    return !r->is_broken;
}

static void run_seeds(uint64_t first, uint64_t last)
{
    for (uint64_t seed = first; seed <= last; seed++) {
        csim_options o = options_of(seed);
        csim_result r;
        if (!run_seed(seed, &o, &r))
            fail_msg("%s", r.message);
        assert_int_equal(r.status, NCG_OK);
    }
}

static void cluster_finishes_every_plan(void **state)
{
    (void)state;
    run_seeds(1, 500);
}

static void cluster_ends_after_cancel(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        csim_options o = options_of(seed);
        csim_result r;
        o.cancel_at = 1 + (int64_t)(seed * 7 % 50);
        if (!run_seed(seed, &o, &r))
            fail_msg("%s", r.message);
        assert_true(r.status == NCG_ECANCELED || r.status == NCG_OK);
    }
}

/* Work that needs room on a full disk waits until there is some. */
static void cluster_waits_for_full_disks(void **state)
{
    int64_t full = 0, late = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        csim_options o = options_of(seed);
        csim_result r;
        o.room = 0;
        o.disk = 200;
        o.disk_until = 100;
        if (!run_seed(seed, &o, &r))
            fail_msg("%s", r.message);
        assert_int_equal(r.status, NCG_OK);
        full += r.refusals;
        late += r.seconds > 100;
    }
    assert_true(full > 0 && late > 0);
}

/* A task whose workers die fails after the third; one death fails nothing. */
static void cluster_blames_a_task_that_kills(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        csim_options o = {.seed = seed,
                          .workers = 6,
                          .threads = 1,
                          .room = 1,
                          .poison = seed % 2 ? 1 : 1000,
                          .is_checked = true};
        csim_result r;
        if (!run_seed(seed, &o, &r))
            fail_msg("%s", r.message);
        assert_int_equal(r.status, seed % 2 ? NCG_OK : NCG_ENET);
    }
}

/* Work without workers waits, and ends once there are some. */
static void cluster_waits_for_workers(void **state)
{
    csim_options o = {.seed = 3, .workers = 2, .threads = 2, .room = 1,
                      .late_start = 40};
    csim_result r;
    (void)state;
    if (!run_seed(3, &o, &r))
        fail_msg("%s", r.message);
    assert_int_equal(r.status, NCG_OK);
}

/* Each of the faults breaks a promise, and some seed shows it. */
static void simulator_catches_faults(void **state)
{
    static const unsigned faults[] = {
        NCI_FAULT_NO_RELEASE, NCI_FAULT_NO_PINS, NCI_FAULT_NO_LINEAGE,
        NCI_FAULT_NO_BOOKING, NCI_FAULT_LOST_LEASE, NCI_FAULT_NO_EPOCH,
        NCI_FAULT_NO_ARRIVAL};
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        uint64_t seed = 1;
        csim_result r = {0};
        for (; seed <= 400 && !r.is_broken; seed++) {
            csim_options o = options_of(seed);
            o.faults = faults[i];
            run_seed(seed, &o, &r);
        }
        if (!r.is_broken)
            fail_msg("fault %u is not noticed", faults[i]);
        print_message("fault %u: %s\n", faults[i], r.message);
    }
}

/* A seed, or a range of them, on the command line: each that fails is told. */
static int run_range(uint64_t first, uint64_t last)
{
    int bad = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        csim_options o = options_of(seed);
        csim_result r;
        bool is_ok = run_seed(seed, &o, &r) && !r.status;
        bad += !is_ok;
        if (is_ok && first != last)
            continue;
        printf("seed %llu: %s status %d, %.1f s, %lld events, %lld tasks, "
               "recomputed %lld, stolen %lld, spilled %lld, moved %lld; %s\n",
               (unsigned long long)seed, is_ok ? "ok" : "BROKEN",
               (int)r.status, r.seconds, (long long)r.events,
               (long long)r.tasks, (long long)r.stats.recomputed,
               (long long)r.stats.stolen, (long long)r.stats.spilled,
               (long long)r.stats.moved, r.message);
    }
    return bad > 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(cluster_finishes_every_plan),
        NCG_TEST(cluster_ends_after_cancel),
        NCG_TEST(cluster_waits_for_full_disks),
        NCG_TEST(cluster_blames_a_task_that_kills),
        NCG_TEST(cluster_waits_for_workers),
        NCG_TEST(simulator_catches_faults)};
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    if (first)
        return run_range(first, argc > 2 ? strtoull(argv[2], NULL, 10) : first);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
