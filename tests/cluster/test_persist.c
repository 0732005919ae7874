/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays that stay on the workers of a cluster: computed on, published, read by
 * other clients, moved, lost and made again. */
#include "processes.h"

static processes cluster;
static ncg_context *ctx;

enum { ROWS = 48, COLUMNS = 32768 }; /* a chunk is a row: 256 KiB */

/* ---- helpers ------------------------------------------------------------- */

static ncg_array *numbers_of(ncg_context *c, uint64_t seed, int64_t rows)
{
    const int64_t shape[] = {rows, COLUMNS}, chunks[] = {1, COLUMNS};
    ncg_error err;
    ncg_array *x = NULL, *y = NULL;
    CHECK_OK(ncg_array_random(c, NCG_RANDOM_NORMAL, seed, NCG_DTYPE_F64, 2,
                              shape, chunks, &x, &err));
    CHECK_OK(ncg_array_map("exp", &x, 1, &y, &err));
    ncg_array_release(&x);
    return y;
}

static ncg_array *persisted(ncg_context *c, ncg_array *x)
{
    ncg_error err;
    ncg_collection all = ncg_array_collection(x), kept = {NULL, NULL};
    CHECK_OK(ncg_persist(c, &all, 1, &kept, &err));
    return kept.self;
}

static double mean_of(ncg_array *x)
{
    ncg_error err;
    ncg_array *mean = NULL;
    double value = 0;
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    o.op = NCG_OP_MEAN;
    CHECK_OK(ncg_array_reduce(x, NULL, 0, &o, &mean, &err));
    CHECK_OK(ncg_array_compute(mean, &value, sizeof value, &err));
    ncg_array_release(&mean);
    return value;
}

/* The mean of the same values in a context that has no cluster. */
static double expected(uint64_t seed, int64_t rows)
{
    ncg_error err;
    ncg_context *local = NULL;
    CHECK_OK(ncg_context_create(NULL, &local, &err));
    ncg_array *x = numbers_of(local, seed, rows);
    double value = mean_of(x);
    ncg_array_release(&x);
    ncg_context_destroy(&local);
    return value;
}

static void assert_same(double a, double b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

static void await_there(int64_t chunks)
{
    char word[64];
    snprintf(word, sizeof word, "\"chunks\": %lld, \"there\": %lld",
             (long long)chunks, (long long)chunks);
    processes_await(&cluster, word, 1);
}

static void await_nothing(void)
{
    processes_await(&cluster, "\"persisted\": []", 1);
    processes_await(&cluster, "\"chunks\": 0", 1);
}

static void publish(ncg_context *c, const char *name, ncg_array *x)
{
    ncg_error err;
    CHECK_OK(ncg_publish(c, name, &x, 1, (ncg_bytes){"note", 4}, false, &err));
}

/* ---- tests --------------------------------------------------------------- */

static void chunks_stay_on_workers(void **state)
{
    ncg_array *x = numbers_of(ctx, 1, ROWS), *kept = persisted(ctx, x);
    double want = expected(1, ROWS);
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_error err;
    (void)state;
    await_there(ROWS);
    ncg_context_stats(ctx, &stats);
    assert_int_equal(stats.memory_held, 0); /* nothing here */
    assert_same(mean_of(kept), want);
    assert_same(mean_of(x), want); /* found by what it is */
    double *all = malloc((size_t)ROWS * COLUMNS * sizeof *all);
    double *again = malloc((size_t)ROWS * COLUMNS * sizeof *all);
    assert_true(all && again);
    CHECK_OK(ncg_array_compute(kept, all, (size_t)ROWS * COLUMNS * 8, &err));
    ncg_array_release(&kept);
    await_nothing();
    CHECK_OK(ncg_array_compute(x, again, (size_t)ROWS * COLUMNS * 8, &err));
    assert_memory_equal(all, again, (size_t)ROWS * COLUMNS * 8);
    free(all);
    free(again);
    ncg_array_release(&x);
}

/* What boxes of its chunks hold: rows beside each other are on different
 * workers. */
static double mean_of_parts(ncg_array *x)
{
    ncg_error err;
    ncg_array *part[2] = {NULL}, *narrow = NULL, *product = NULL, *turned = NULL;
    const int64_t chunks[] = {ROWS / 2, COLUMNS / 64};
    CHECK_OK(ncg_array_slice(x, 0, 1, ROWS, 1, &part[0], &err));
    CHECK_OK(ncg_array_slice(x, 0, 0, ROWS - 1, 1, &part[1], &err));
    CHECK_OK(ncg_array_map("multiply", part, 2, &product, &err));
    CHECK_OK(ncg_array_slice(product, 1, 5, COLUMNS - 5, 3, &narrow, &err));
    CHECK_OK(ncg_array_rechunk(narrow, chunks, &turned, &err));
    double mean = mean_of(turned);
    ncg_array_release(&part[0]);
    ncg_array_release(&part[1]);
    ncg_array_release(&product);
    ncg_array_release(&narrow);
    ncg_array_release(&turned);
    return mean;
}

static void parts_of_chunks_are_read(void **state)
{
    ncg_error err;
    ncg_context *local = NULL;
    ncg_array *x = numbers_of(ctx, 9, ROWS), *kept = persisted(ctx, x);
    (void)state;
    CHECK_OK(ncg_context_create(NULL, &local, &err));
    ncg_array *same = numbers_of(local, 9, ROWS), *held = persisted(local, same);
    assert_same(mean_of_parts(kept), mean_of_parts(held));
    ncg_array_release(&x);
    ncg_array_release(&kept);
    ncg_array_release(&same);
    ncg_array_release(&held);
    ncg_context_destroy(&local);
    await_nothing();
}

static void several_arrays_are_held(void **state)
{
    enum { N = 3 };
    ncg_array *kept[N], *sum = NULL, *more = NULL;
    double want[N];
    ncg_error err;
    (void)state;
    for (int i = 0; i < N; i++) {
        ncg_array *x = numbers_of(ctx, (uint64_t)i + 10, ROWS);
        want[i] = mean_of(x);
        kept[i] = persisted(ctx, x);
        ncg_array_release(&x);
    }
    for (int i = 0; i < N; i++)
        assert_same(mean_of(kept[i]), want[i]);
    CHECK_OK(ncg_array_map("add", kept, 2, &sum, &err));
    more = persisted(ctx, sum); /* made of what is held */
    double both = mean_of(more);
    assert_true(fabs(both - want[0] - want[1]) < 1e-9 * both);
    for (int i = 0; i < N; i++)
        ncg_array_release(&kept[i]);
    assert_same(mean_of(more), both);
    ncg_array_release(&sum);
    ncg_array_release(&more);
    await_nothing();
}

static void published_data_outlive_their_client(void **state)
{
    ncg_error err;
    ncg_context *other = processes_connect(&cluster);
    ncg_array *x = numbers_of(other, 2, ROWS), *kept = persisted(other, x);
    ncg_published got = {0};
    char **names = NULL;
    size_t n = 0;
    (void)state;
    publish(other, "numbers", kept);
    publish(other, "lazy", x);
    CHECK_STATUS(NCG_EEXISTS, ncg_publish(other, "numbers", &kept, 1,
                                          (ncg_bytes){NULL, 0}, false, &err));
    ncg_array_release(&x);
    ncg_array_release(&kept);
    ncg_context_destroy(&other);
    CHECK_OK(ncg_published_names(ctx, &names, &n, &err));
    assert_int_equal(n, 2);
    ncg_published_names_free(names);
    CHECK_OK(ncg_published_get(ctx, "numbers", &got, &err));
    assert_int_equal(got.narrays, 1);
    assert_int_equal(got.note_size, 4);
    assert_memory_equal(got.note, "note", 4);
    CHECK_OK(ncg_unpublish(ctx, "numbers", &err));
    CHECK_OK(ncg_unpublish(ctx, "lazy", &err));
    CHECK_STATUS(NCG_ENOTFOUND, ncg_unpublish(ctx, "lazy", &err));
    CHECK_STATUS(NCG_ENOTFOUND, ncg_published_get(ctx, "lazy", &got, &err));
    await_there(ROWS); /* held by this client alone */
    assert_same(mean_of(got.arrays[0]), expected(2, ROWS));
    ncg_published_free(&got);
    await_nothing();
}

static void a_client_that_ends_holds_nothing(void **state)
{
    ncg_context *other = processes_connect(&cluster);
    ncg_array *x = numbers_of(other, 3, ROWS), *kept = persisted(other, x);
    (void)state;
    await_there(ROWS);
    ncg_context_destroy(&other);
    await_nothing();
    ncg_array_release(&x);
    ncg_array_release(&kept);
}

/* Two workers of 64 MiB hold 96 MiB, and compute with it. */
static void what_does_not_fit_goes_to_the_disk(void **state)
{
    enum { MANY = 384 };
    ncg_array *x = numbers_of(ctx, 4, MANY), *kept = persisted(ctx, x);
    (void)state;
    await_there(MANY);
    assert_same(mean_of(kept), expected(4, MANY));
    ncg_array_release(&x);
    ncg_array_release(&kept);
    await_nothing();
}

static void chunks_move_off_a_worker_that_leaves(void **state)
{
    ncg_error err;
    processes_worker(&cluster, "leaves");
    ncg_array *x = numbers_of(ctx, 5, ROWS), *kept = persisted(ctx, x);
    (void)state;
    CHECK_OK(ncg_cluster_retire(cluster.file, "leaves", &err));
    processes_await(&cluster, "\"name\": \"leaves\"", 0);
    await_there(ROWS);
    assert_same(mean_of(kept), expected(5, ROWS));
    ncg_array_release(&x);
    ncg_array_release(&kept);
    await_nothing();
}

static void what_is_lost_is_made_again(void **state)
{
    processes_worker(&cluster, "dies");
    pid_t nanny = cluster.pids[cluster.n - 1];
    ncg_array *x = numbers_of(ctx, 6, ROWS), *kept = persisted(ctx, x);
    (void)state;
    publish(ctx, "kept", kept);
    kill(processes_child(nanny), SIGKILL);
    assert_same(mean_of(kept), expected(6, ROWS));
    await_there(ROWS);
    ncg_array_release(&x);
    ncg_array_release(&kept);
    await_there(ROWS);
    ncg_error err;
    CHECK_OK(ncg_unpublish(ctx, "kept", &err));
    await_nothing();
}

static void schedule_again(void)
{
    processes_schedule_again(&cluster);
    processes_await(&cluster, "\"name\": \"a\"", 1);
    processes_await(&cluster, "\"name\": \"b\"", 1);
}

/* The workers find the new one by the file, and bring what is published. */
static void a_scheduler_is_started_again(void **state)
{
    ncg_error err;
    ncg_published got = {0};
    ncg_array *x = numbers_of(ctx, 7, ROWS), *kept = persisted(ctx, x);
    double value = 0, start;
    char **names = NULL;
    size_t n = 0;
    (void)state;
    publish(ctx, "lasting", kept);
    processes_lose_scheduler(&cluster);
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *mean = NULL;
    CHECK_OK(ncg_array_reduce(kept, NULL, 0, &o, &mean, &err));
    CHECK_STATUS(NCG_ENET,
                 ncg_array_compute(mean, &value, sizeof value, &err));
    ncg_array_release(&mean);
    ncg_array_release(&x);
    ncg_array_release(&kept);
    ncg_context_destroy(&ctx);
    start = processes_now();
    schedule_again();
    await_there(ROWS);
    ctx = processes_connect(&cluster);
    CHECK_OK(ncg_published_names(ctx, &names, &n, &err));
    assert_int_equal(n, 1);
    ncg_published_names_free(names);
    CHECK_OK(ncg_published_get(ctx, "lasting", &got, &err));
    assert_same(mean_of(got.arrays[0]), expected(7, ROWS));
    print_message("again after %.1f s\n", processes_now() - start);
    CHECK_OK(ncg_unpublish(ctx, "lasting", &err));
    ncg_published_free(&got);
    await_nothing();
}

/* So is what it was made of, though that has no name: a worker that dies then
 * loses nothing. */
static void what_is_lost_after_that_is_made_again(void **state)
{
    ncg_error err;
    ncg_published got = {0};
    ncg_array *x = numbers_of(ctx, 8, ROWS), *below = persisted(ctx, x), *y;
    (void)state;
    processes_worker(&cluster, "dies later");
    pid_t nanny = cluster.pids[cluster.n - 1];
    CHECK_OK(ncg_array_map("negative", &below, 1, &y, &err));
    ncg_array *kept = persisted(ctx, y);
    publish(ctx, "made of it", kept);
    ncg_array_release(&x);
    ncg_array_release(&below);
    ncg_array_release(&y);
    ncg_array_release(&kept);
    processes_lose_scheduler(&cluster);
    ncg_context_destroy(&ctx);
    schedule_again();
    processes_await(&cluster, "\"name\": \"dies later\"", 1);
    processes_await(&cluster, "\"chunks\": 48, \"there\": 48", 2);
    kill(processes_child(nanny), SIGKILL);
    processes_await(&cluster, "\"name\": \"dies later\"", 0);
    ctx = processes_connect(&cluster);
    CHECK_OK(ncg_published_get(ctx, "made of it", &got, &err));
    assert_same(-mean_of(got.arrays[0]), expected(8, ROWS));
    CHECK_OK(ncg_unpublish(ctx, "made of it", &err));
    ncg_published_free(&got);
    await_nothing();
}

static void bad_arguments(void **state)
{
    ncg_error err;
    ncg_context *local = NULL;
    ncg_published got = {0};
    char **names = NULL, big[200];
    size_t n = 0;
    ncg_bytes none = {NULL, 0};
    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    CHECK_STATUS(NCG_EINVAL, ncg_publish(ctx, "", NULL, 0, none, false, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_publish(ctx, big, NULL, 0, none, false, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_publish(ctx, "x", NULL, 1, none, false, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_published_get(ctx, NULL, &got, &err));
    CHECK_OK(ncg_publish(ctx, "x", NULL, 0, none, false, &err));
    CHECK_OK(ncg_publish(ctx, "x", NULL, 0, none, true, &err));
    CHECK_OK(ncg_unpublish(ctx, "x", &err));
    CHECK_OK(ncg_context_create(NULL, &local, &err));
    CHECK_STATUS(NCG_EUNSUPPORTED,
                 ncg_published_names(local, &names, &n, &err));
    ncg_context_destroy(&local);
}

static int begin(void **state)
{
    (void)state;
    processes_begin(&cluster);
    processes_worker(&cluster, "a");
    processes_worker(&cluster, "b");
    ctx = processes_connect(&cluster);
    return 0;
}

static int end(void **state)
{
    (void)state;
    ncg_context_destroy(&ctx);
    processes_stop(&cluster);
    return 0;
}

int main(int argc, char **argv)
{
    int code = 0;
    if (processes_serve(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        NCG_TEST(chunks_stay_on_workers),
        NCG_TEST(parts_of_chunks_are_read),
        NCG_TEST(several_arrays_are_held),
        NCG_TEST(published_data_outlive_their_client),
        NCG_TEST(a_client_that_ends_holds_nothing),
        NCG_TEST(what_does_not_fit_goes_to_the_disk),
        NCG_TEST(chunks_move_off_a_worker_that_leaves),
        NCG_TEST(what_is_lost_is_made_again),
        NCG_TEST(a_scheduler_is_started_again),
        NCG_TEST(what_is_lost_after_that_is_made_again),
        NCG_TEST(bad_arguments)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, begin, end);
}
