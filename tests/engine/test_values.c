/* SPDX-License-Identifier: BSD-3-Clause */
/* Values that stay on workers: promises in a simulated cluster, chains of any
 * length, bad events. */
#include "test.h"

#include "base/mem.h"
#include "values_sim.h"

static void seeds_keep_the_promises(void **state)
{
    values_sim *sim = values_sim_create();
    (void)state;
    assert_non_null(sim);
    for (uint64_t seed = 1; seed <= 500; seed++) {
        const char *what = values_sim_play(sim, seed, 0);
        if (what)
            fail_msg("seed %llu: %s", (unsigned long long)seed, what);
    }
    nci_free(sim);
}

static void faults_are_noticed(void **state)
{
    static const unsigned faults[] = {NCI_VALUES_NO_DROP, NCI_VALUES_NO_REVIVE,
                                      NCI_VALUES_NO_RERUN};
    values_sim *sim = values_sim_create();
    (void)state;
    assert_non_null(sim);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *what = NULL;
        for (uint64_t seed = 1; !what && seed <= 500; seed++)
            what = values_sim_play(sim, seed, faults[i]);
        if (!what)
            fail_msg("fault %u is not noticed", faults[i]);
        print_message("fault %u: %s\n", faults[i], what);
    }
    nci_free(sim);
}

static size_t count(const nci_value_actions *a, nci_value_action_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++)
        n += a->items[i].kind == kind;
    return n;
}

/* A chain of any length fails and goes without recursion. */
static void long_chains(void **state)
{
    enum { LENGTH = 200000 };
    nci_values *s = NULL;
    nci_value_actions a = {0};
    ncg_error err;
    (void)state;
    CHECK_OK(nci_values_create(&s, &err));
    for (int64_t id = 0; id < LENGTH; id++) {
        int64_t input = id - 1;
        nci_value_event e = {.kind = NCI_VALUE_CALL,
                             .id = id,
                             .worker = NCI_NO_WORKER,
                             .inputs = &input,
                             .ninputs = id > 0};
        CHECK_OK(nci_values_handle(s, &e, &a, &err));
        e = (nci_value_event){.kind = NCI_VALUE_RELEASE, .id = id - 1};
        CHECK_OK(nci_values_handle(s, &e, &a, &err));
    }
    assert_int_equal(a.count, 0);
    nci_value_event cancel = {.kind = NCI_VALUE_CANCEL, .id = 0};
    CHECK_OK(nci_values_handle(s, &cancel, &a, &err));
    assert_int_equal(count(&a, NCI_VALUE_ERRED), LENGTH);
    a.count = 0;
    nci_value_event last = {.kind = NCI_VALUE_RELEASE, .id = LENGTH - 1};
    CHECK_OK(nci_values_handle(s, &last, &a, &err));
    assert_int_equal(count(&a, NCI_VALUE_FORGOTTEN), LENGTH);
    nci_values_free(&s);
    nci_free(a.items);
}

static void bad_events(void **state)
{
    nci_values *s = NULL;
    nci_value_actions a = {0};
    ncg_error err;
    int64_t unknown = 7;
    nci_value_event e = {.kind = NCI_VALUE_CALL,
                         .id = 1,
                         .worker = NCI_NO_WORKER,
                         .inputs = &unknown,
                         .ninputs = 1};
    (void)state;
    CHECK_OK(nci_values_create(&s, &err));
    CHECK_STATUS(NCG_EINVAL, nci_values_handle(s, &e, &a, &err));
    e.ninputs = 0;
    CHECK_OK(nci_values_handle(s, &e, &a, &err));
    CHECK_STATUS(NCG_EINVAL, nci_values_handle(s, &e, &a, &err));
    e = (nci_value_event){.kind = NCI_VALUE_DONE, .worker = 9, .id = 1};
    CHECK_OK(nci_values_handle(s, &e, &a, &err));
    /* Bound to a worker that is not there. */
    e = (nci_value_event){.kind = NCI_VALUE_CALL, .id = 2, .worker = 3};
    a.count = 0;
    CHECK_OK(nci_values_handle(s, &e, &a, &err));
    assert_int_equal(count(&a, NCI_VALUE_ERRED), 1);
    nci_values_free(&s);
    nci_free(a.items);
}

NCG_TESTS(NCG_TEST(seeds_keep_the_promises), NCG_TEST(faults_are_noticed),
          NCG_TEST(long_chains), NCG_TEST(bad_events))
