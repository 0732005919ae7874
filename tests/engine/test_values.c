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

/* ---- resources ------------------------------------------------------------ */

static void resources_are_read(void **state)
{
    static const char *const wrong[] = {
        "GPU", "GPU=", "=1", "GPU=0", "GPU=-1", "GPU=x", "GPU=1x", "GPU=nan",
        "GPU=1 GPU=2", "GPU=1e30", "aNameThatIsMuchTooLongForIt=1",
        "a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1"};
    ncg_error err;
    nci_resources r, other;
    char *bytes = NULL;
    (void)state;
    CHECK_OK(nci_resources_read(NULL, &r, &err));
    assert_int_equal(r.count, 0);
    CHECK_OK(nci_resources_read(" GPU=2,TAPE=0.5 ", &r, &err));
    assert_int_equal(r.count, 2);
    CHECK_OK(nci_resources_read("TAPE=0.5 GPU=2", &other, &err));
    assert_true(nci_resources_equal(&r, &other));
    CHECK_OK(nci_resources_read("TAPE=0.1", &other, &err));
    for (int i = 0; i < 5; i++) {
        assert_true(nci_resources_have(&r, &other));
        nci_resources_add(&r, &other, -1);
    }
    assert_false(nci_resources_have(&r, &other));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_STATUS(NCG_EINVAL, nci_resources_read(wrong[i], &r, &err));
    bytes = calloc(1, 1000);
    assert_non_null(bytes);
    memset(bytes, ' ', 999);
    CHECK_STATUS(NCG_EINVAL, nci_resources_read(bytes, &r, &err));
    free(bytes);
}

typedef struct laboratory {
    nci_values *values;
    nci_value_actions actions;
} laboratory;

static void tell(laboratory *l, nci_value_event e)
{
    ncg_error err;
    l->actions.count = 0;
    CHECK_OK(nci_values_handle(l->values, &e, &l->actions, &err));
    if (!nci_values_check(l->values, &err))
        fail_msg("%s", err.message);
}

static void join(laboratory *l, uint32_t worker, const char *has)
{
    ncg_error err;
    nci_resources r;
    CHECK_OK(nci_resources_read(has, &r, &err));
    tell(l, (nci_value_event){.kind = NCI_VALUE_JOINED,
                              .worker = worker,
                              .threads = 4,
                              .resources = &r});
}

static void call(laboratory *l, int64_t id, uint32_t worker, const char *needs)
{
    ncg_error err;
    nci_resources r;
    CHECK_OK(nci_resources_read(needs, &r, &err));
    tell(l, (nci_value_event){.kind = NCI_VALUE_CALL,
                              .id = id,
                              .worker = worker,
                              .resources = &r});
}

/* The call that was begun by the last event, and where; -1: none. */
static int64_t begun(const laboratory *l, uint32_t *worker)
{
    for (size_t i = 0; i < l->actions.count; i++)
        if (l->actions.items[i].kind == NCI_VALUE_RUN) {
            *worker = l->actions.items[i].worker;
            return l->actions.items[i].id;
        }
    return -1;
}

static void ended(laboratory *l, int64_t id, uint32_t worker)
{
    tell(l, (nci_value_event){.kind = NCI_VALUE_DONE,
                              .worker = worker,
                              .id = id,
                              .attempt = 1});
}

/* Two at a time on the worker that has two; others go past them. */
static void calls_wait_for_resources(void **state)
{
    laboratory l = {0};
    ncg_error err;
    uint32_t at = 0;
    (void)state;
    CHECK_OK(nci_values_create(&l.values, &err));
    join(&l, 1, NULL);
    join(&l, 2, "GPU=2 TAPE=1");
    for (int64_t id = 0; id < 2; id++) {
        call(&l, id, NCI_NO_WORKER, "GPU=1");
        assert_true(begun(&l, &at) == id && at == 2);
    }
    call(&l, 2, NCI_NO_WORKER, "GPU=1");
    assert_int_equal(begun(&l, &at), -1);
    call(&l, 3, 2, "GPU=0.5");
    assert_int_equal(begun(&l, &at), -1);
    call(&l, 4, NCI_NO_WORKER, "TAPE=1");
    assert_true(begun(&l, &at) == 4 && at == 2);
    call(&l, 5, NCI_NO_WORKER, NULL);
    assert_int_equal(begun(&l, &at), 5);
    call(&l, 6, 1, "GPU=1"); /* that one has none */
    assert_int_equal(count(&l.actions, NCI_VALUE_ERRED), 1);
    /* Taken until it is answered, also where nobody wants it any more. */
    tell(&l, (nci_value_event){.kind = NCI_VALUE_RELEASE, .id = 0});
    assert_int_equal(count(&l.actions, NCI_VALUE_FORGOTTEN), 1);
    assert_int_equal(begun(&l, &at), -1);
    ended(&l, 0, 2);
    assert_int_equal(begun(&l, &at), 3); /* bound ones first */
    ended(&l, 1, 2);
    assert_true(begun(&l, &at) == 2 && at == 2);
    call(&l, 7, NCI_NO_WORKER, "GPU=3");
    assert_int_equal(begun(&l, &at), -1);
    join(&l, 3, "GPU=3");
    assert_true(begun(&l, &at) == 7 && at == 3);
    tell(&l, (nci_value_event){.kind = NCI_VALUE_LEFT, .worker = 3});
    assert_int_equal(begun(&l, &at), -1);
    nci_values_free(&l.values);
    nci_free(l.actions.items);
}

/* Of the calls for one worker those that need what is left do not wait for
 * those that need more; what all need goes by age. */
static void bound_calls_go_past_each_other(void **state)
{
    laboratory l = {0};
    ncg_error err;
    uint32_t at = 0;
    (void)state;
    CHECK_OK(nci_values_create(&l.values, &err));
    join(&l, 1, "GPU=1 TAPE=1");
    call(&l, 0, 1, "GPU=1");
    assert_int_equal(begun(&l, &at), 0);
    call(&l, 9, 1, "GPU=1");
    assert_int_equal(begun(&l, &at), -1);
    call(&l, 2, 1, "TAPE=1");
    assert_int_equal(begun(&l, &at), 2);
    call(&l, 3, 1, NULL);
    assert_int_equal(begun(&l, &at), 3);
    call(&l, 4, 1, "GPU=1 TAPE=1");
    assert_int_equal(begun(&l, &at), -1);
    call(&l, 5, 1, "GPU=1");
    ended(&l, 2, 1);
    assert_int_equal(begun(&l, &at), -1);
    ended(&l, 0, 1);
    assert_int_equal(begun(&l, &at), 9); /* it came first */
    ended(&l, 9, 1);
    assert_int_equal(begun(&l, &at), 4);
    /* What waits for the worker fails with it, also where it ran there. */
    tell(&l, (nci_value_event){.kind = NCI_VALUE_LEFT, .worker = 1});
    assert_int_equal(count(&l.actions, NCI_VALUE_ERRED), 6);
    assert_int_equal(begun(&l, &at), -1);
    nci_values_free(&l.values);
    nci_free(l.actions.items);
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
          NCG_TEST(long_chains), NCG_TEST(resources_are_read),
          NCG_TEST(calls_wait_for_resources),
          NCG_TEST(bound_calls_go_past_each_other), NCG_TEST(bad_events))
