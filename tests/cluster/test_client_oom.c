/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that runs out in a client of a cluster, at the first allocation, then
 * at the second, and so on: the call fails or it works, nothing hangs, and the
 * cluster stands. Threads that carry messages allocate, too; where memory is
 * missing there the connection is lost instead (ENET).
 */
#include "api/oom.h"
#include "processes.h"

static processes cluster;
static ncg_context *linked;

static ncg_status or_lost(ncg_status st)
{
    return st == NCG_ENET ? NCG_ENOMEM : st;
}

static ncg_status step_status(void *bed, ncg_error *err)
{
    char *text = NULL;
    (void)bed;
    ncg_status st = ncg_cluster_status(cluster.file, &text, err);
    assert_true(!st == (text != NULL));
    ncg_free(text);
    return or_lost(st);
}

static ncg_status step_connect(void *bed, ncg_error *err)
{
    ncg_context *ctx = NULL;
    ncg_context_options c = NCG_CONTEXT_OPTIONS_INIT;
    (void)bed;
    c.threads = 1;
    ncg_status st = ncg_context_connect(cluster.file, 60, &c, &ctx, err);
    assert_true(!st == (ctx != NULL));
    ncg_context_destroy(&ctx);
    return or_lost(st);
}

/* Started alone: a context of its own. */
static ncg_status step_launch(void *bed, ncg_error *err)
{
    ncg_context *ctx = NULL;
    ncg_context_options c = NCG_CONTEXT_OPTIONS_INIT;
    ncg_launch_options o = NCG_LAUNCH_OPTIONS_INIT;
    (void)bed;
    c.threads = 1;
    o.context = &c;
    ncg_status st = ncg_launch(&o, &ctx, err);
    assert_true(!st == (ctx != NULL));
    ncg_context_destroy(&ctx);
    return st;
}

/* A client whose connection is lost makes another. */
static ncg_status or_linked_anew(ncg_status st)
{
    nci_mem_fail_at(0);
    if (st != NCG_ENET)
        return st;
    ncg_context_destroy(&linked);
    linked = processes_connect(&cluster);
    return NCG_ENOMEM;
}

static ncg_status step_compute(void *bed, ncg_error *err)
{
    const int64_t shape[] = {64, 64}, chunks[] = {16, 64};
    ncg_array *x = NULL, *mean = NULL;
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    double value = -1;
    (void)bed;
    ncg_status st = ncg_array_random(linked, NCG_RANDOM_UNIFORM, 1,
                                     NCG_DTYPE_F64, 2, shape, chunks, &x, err);
    if (!st)
        st = ncg_array_reduce(x, NULL, 0, &o, &mean, err);
    if (!st)
        st = ncg_array_compute(mean, &value, sizeof value, err);
    assert_true(!st == (value >= 0));
    ncg_array_release(&x);
    ncg_array_release(&mean);
    return or_linked_anew(st);
}

static ncg_status step_publish(void *bed, ncg_error *err)
{
    const int64_t shape[] = {8};
    ncg_bytes note = {"note", 4};
    ncg_array *x = NULL;
    ncg_published got = {0};
    char **names = NULL;
    size_t n = 0;
    (void)bed;
    ncg_status st = ncg_array_random(linked, NCG_RANDOM_UNIFORM, 1,
                                     NCG_DTYPE_F64, 1, shape, shape, &x, err);
    if (!st)
        st = ncg_publish(linked, "x", &x, 1, note, true, err);
    if (!st)
        st = ncg_published_names(linked, &names, &n, err);
    if (!st)
        st = ncg_published_get(linked, "x", &got, err);
    if (!st)
        st = ncg_unpublish(linked, "x", err);
    ncg_published_names_free(names);
    ncg_published_free(&got);
    ncg_array_release(&x);
    return or_linked_anew(st);
}

static void asking_for_the_status(void **state)
{
    fail_each_allocation("status", step_status, *state);
}

static void connecting(void **state)
{
    fail_each_allocation("connect", step_connect, *state);
}

static void computing(void **state)
{
    fail_each_allocation("compute", step_compute, *state);
}

static void publishing(void **state)
{
    fail_each_allocation("publish", step_publish, *state);
}

static void launching_alone(void **state)
{
    fail_each_allocation("launch", step_launch, *state);
}

static int begin(void **state)
{
    (void)state;
    processes_begin(&cluster);
    processes_worker(&cluster, "a");
    linked = processes_connect(&cluster);
    return 0;
}

static int end(void **state)
{
    (void)state;
    ncg_context_destroy(&linked);
    processes_stop(&cluster);
    return 0;
}

int main(int argc, char **argv)
{
    int code = 0;
    if (processes_serve(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        NCG_TEST(asking_for_the_status), NCG_TEST(connecting),
        NCG_TEST(computing), NCG_TEST(publishing), NCG_TEST(launching_alone)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, begin, end);
}
