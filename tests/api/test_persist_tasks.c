/* SPDX-License-Identifier: BSD-3-Clause */
/* Explicit tasks that are persisted: their functions do not run again, their
 * values count against the memory limit and go with the collection. */
#include <stdatomic.h>

#include "api/files.h"
#include "api/job.h"

static atomic_int calls;

static void free_value(void *data, void *payload)
{
    (void)payload;
    free(data);
}

/* One more than the sum of the inputs; chunks count as their first value. */
static ncg_status count_up(const ncg_task_call *call, ncg_error *err)
{
    double *sum = malloc(sizeof *sum);
    (void)err;
    atomic_fetch_add(&calls, 1);
    *sum = 1;
    for (size_t i = 0; i < call->ninputs; i++)
        *sum += call->chunks && call->chunks[i]
                    ? *(const float *)call->inputs[i].data
                    : *(const double *)call->inputs[i].data;
    *call->output = (ncg_value){sum, sizeof *sum, free_value, NULL};
    return NCG_OK;
}

/* ---- the bed: "a" -> "b" -> "c", and a chunk of an array into "b"
 * ------------- */

typedef struct bed {
    ncg_context *ctx;
    ncg_array *x;
    ncg_tasks *tasks;
    ncg_graph *graph;
    ncg_key key[3];
} bed;

static ncg_array *highest(ncg_context *ctx)
{
    ncg_dataset *ds = open_all(ctx);
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *tas = NULL, *out = NULL;
    ncg_error err;
    how.op = NCG_OP_MAX;
    CHECK_OK(ncg_dataset_array(ds, "tas", &tas, &err));
    CHECK_OK(ncg_array_reduce(tas, NULL, 0, &how, &out, &err));
    ncg_array_release(&tas);
    ncg_dataset_release(&ds);
    return out;
}

static bed make_bed(void)
{
    static const char *const names[] = {"a", "b", "c"};
    bed b = {.ctx = new_context(2)};
    char text[NCG_KEY_TEXT_SIZE];
    ncg_graph *arrays = NULL;
    ncg_keys *chunks = NULL;
    ncg_key chunk;
    ncg_error err;
    b.x = highest(b.ctx);
    CHECK_OK(ncg_graph_of(&b.x, 1, &arrays, &err));
    CHECK_OK(ncg_keys_all(b.x, &chunks, &err));
    CHECK_OK(ncg_keys_at(chunks, 0, &chunk, &err));
    ncg_key_text(&chunk, text, sizeof text);
    const char *of_b[] = {"a", text}, *of_c[] = {"b", "a"};
    CHECK_OK(ncg_tasks_create(&b.tasks, &err));
    CHECK_OK(ncg_tasks_add(b.tasks, "a", count_up, NULL, NULL, 0, NULL, &err));
    CHECK_OK(ncg_tasks_add(b.tasks, "b", count_up, NULL, of_b, 2, NULL, &err));
    CHECK_OK(ncg_tasks_add(b.tasks, "c", count_up, NULL, of_c, 2, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(b.tasks, arrays, &b.graph, &err));
    for (int i = 0; i < 3; i++)
        CHECK_OK(ncg_tasks_key(b.tasks, names[i], 0, &b.key[i], &err));
    ncg_keys_release(&chunks);
    ncg_graph_release(&arrays);
    atomic_store(&calls, 0);
    return b;
}

static void end_bed(bed *b)
{
    ncg_graph_release(&b->graph);
    ncg_tasks_free(&b->tasks);
    ncg_array_release(&b->x);
    ncg_context_destroy(&b->ctx);
}

static ncg_keys *keys_of(const ncg_key *list, size_t n)
{
    ncg_keys *keys = NULL;
    ncg_error err;
    CHECK_OK(ncg_keys_list(list, n, &keys, &err));
    return keys;
}

static double value_of(ncg_context *ctx, ncg_collection c, const ncg_key *key)
{
    void *results = NULL;
    ncg_value value;
    ncg_error err;
    CHECK_OK(ncg_compute(ctx, &c, 1, NULL, &results, &err));
    CHECK_OK(ncg_results_value(results, key, &value, &err));
    double x = *(const double *)value.data;
    c.type->release_result(results);
    return x;
}

static ncg_stats stats_of(const ncg_context *ctx)
{
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_context_stats(ctx, &stats);
    return stats;
}

/* ---- the tests
 * ------------------------------------------------------------------ */

static void values_stay(void **state)
{
    (void)state;
    bed b = make_bed();
    ncg_keys *keys = keys_of((ncg_key[]){b.key[2], b.key[0]}, 2);
    ncg_collection c = job_make(b.graph, keys), kept;
    ncg_error err;
    double want = value_of(b.ctx, c, &b.key[2]);
    assert_int_equal(atomic_exchange(&calls, 0), 3);
    CHECK_OK(ncg_persist(b.ctx, &c, 1, &kept, &err));
    assert_int_equal(atomic_exchange(&calls, 0), 3);
    int64_t read = stats_of(b.ctx).chunks_direct;
    assert_true(want > 250);
    assert_true(value_of(b.ctx, kept, &b.key[2]) == want);
    assert_true(value_of(b.ctx, kept, &b.key[0]) == 1);
    assert_int_equal(atomic_load(&calls), 0);
    assert_int_equal(stats_of(b.ctx).chunks_direct, read);
    assert_int_equal(stats_of(b.ctx).memory_held, 2 * sizeof(double));
    ncg_collection_release(&kept);
    assert_int_equal(stats_of(b.ctx).memory_held, 0);
    ncg_collection_release(&c);
    ncg_keys_release(&keys);
    end_bed(&b);
}

/* The list and what holds all of its values in one call: nothing runs. */
static void merged_lists_run_what_is_missing(void **state)
{
    (void)state;
    bed b = make_bed();
    ncg_keys *one = keys_of(&b.key[2], 1), *all = keys_of(b.key, 3);
    ncg_collection some = job_make(b.graph, one), each = job_make(b.graph, all);
    ncg_collection some_kept, each_kept, both[2];
    void *results[2];
    ncg_error err;
    CHECK_OK(ncg_persist(b.ctx, &some, 1, &some_kept, &err));
    CHECK_OK(ncg_persist(b.ctx, &each, 1, &each_kept, &err));
    atomic_store(&calls, 0);
    both[0] = some_kept;
    both[1] = each;
    CHECK_OK(ncg_compute(b.ctx, both, 2, NULL, results, &err));
    assert_int_equal(atomic_exchange(&calls, 0), 3);
    drop_results(results[0]);
    drop_results(results[1]);
    both[1] = each_kept;
    CHECK_OK(ncg_compute(b.ctx, both, 2, NULL, results, &err));
    assert_int_equal(atomic_load(&calls), 0);
    drop_results(results[0]);
    drop_results(results[1]);
    ncg_collection_release(&some);
    ncg_collection_release(&each);
    ncg_collection_release(&some_kept);
    ncg_collection_release(&each_kept);
    ncg_keys_release(&one);
    ncg_keys_release(&all);
    end_bed(&b);
}

static void other_values_are_refused(void **state)
{
    (void)state;
    bed b = make_bed();
    ncg_keys *keys = keys_of(&b.key[2], 1), *other = keys_of(&b.key[1], 1);
    ncg_collection c = job_make(b.graph, keys), kept;
    ncg_graph *graph = NULL;
    ncg_results *results = NULL;
    ncg_error err;
    CHECK_OK(ncg_persist(b.ctx, &c, 1, &kept, &err));
    CHECK_OK(kept.type->graph(kept.self, &graph, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_get_threads(b.ctx, graph, other, &results, &err));
    CHECK_MESSAGE("task \"b\"");
    CHECK_MESSAGE("was not persisted");
    ncg_graph_release(&graph);
    ncg_collection_release(&kept);
    ncg_collection_release(&c);
    ncg_keys_release(&keys);
    ncg_keys_release(&other);
    end_bed(&b);
}

/* Arrays and tasks in one run; tasks then use the chunks that are held. */
static void arrays_and_tasks_stay_together(void **state)
{
    (void)state;
    bed b = make_bed();
    ncg_keys *keys = keys_of(&b.key[2], 1);
    ncg_collection c[] = {job_make(b.graph, keys), ncg_array_collection(b.x)};
    ncg_collection kept[2];
    ncg_error err;
    CHECK_OK(ncg_persist(b.ctx, c, 2, kept, &err));
    int64_t read = stats_of(b.ctx).chunks_direct;
    atomic_store(&calls, 0);
    assert_true(value_of(b.ctx, c[0], &b.key[2]) ==
                value_of(b.ctx, kept[0], &b.key[2]));
    assert_int_equal(atomic_load(&calls), 3); /* the list itself ran again */
    assert_int_equal(stats_of(b.ctx).chunks_direct, read);
    ncg_collection_release(&kept[0]);
    ncg_collection_release(&kept[1]);
    ncg_collection_release(&c[0]);
    ncg_keys_release(&keys);
    end_bed(&b);
}

/* ---- values that leave memory
 * ------------------------------------------------ */

enum { BIG = 1 << 20, NBIG = 6 };

/* A value of BIG bytes that tells which task made it. */
static ncg_status make_big(const ncg_task_call *call, ncg_error *err)
{
    double *value = malloc(BIG);
    (void)err;
    atomic_fetch_add(&calls, 1);
    for (size_t i = 0; i < BIG / sizeof *value; i++)
        value[i] = *(const double *)call->payload + (double)i;
    *call->output = (ncg_value){value, BIG, free_value, NULL};
    return NCG_OK;
}

/* Six values under a limit of 16 MiB, persisted. */
static ncg_collection persist_big(ncg_context *ctx, bool states_sizes,
                                  ncg_key keys[NBIG])
{
    static double seeds[NBIG];
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    ncg_collection kept;
    ncg_error err;
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    if (states_sizes)
        ncg_tasks_sizes(tasks, BIG);
    for (int i = 0; i < NBIG; i++) {
        int64_t number;
        seeds[i] = 1000 * i;
        CHECK_OK(ncg_tasks_add(tasks, NULL, make_big, &seeds[i], NULL, 0,
                               &number, &err));
    }
    CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    for (int i = 0; i < NBIG; i++)
        CHECK_OK(ncg_tasks_key(tasks, NULL, i, &keys[i], &err));
    ncg_keys *list = keys_of(keys, NBIG);
    ncg_collection c = job_make(graph, list);
    CHECK_OK(ncg_persist(ctx, &c, 1, &kept, &err));
    ncg_collection_release(&c);
    ncg_keys_release(&list);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    atomic_store(&calls, 0);
    return kept;
}

static ncg_context *small_context(const char *directory)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_error err;
    options.threads = 2;
    options.memory_limit = 16 << 20;
    options.spill_directory = directory;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    return ctx;
}

/* Sorts 5 MiB: the task alone takes more than ten. */
static ncg_status sort_much(ncg_context *ctx, ncg_error *out)
{
    ncg_error err;
    const int64_t shape[] = {640, 1024}, n = shape[0] * shape[1];
    double *values = malloc((size_t)n * sizeof *values);
    ncg_array *x = NULL, *sorted = NULL;
    CHECK_OK(ncg_array_random(ctx, NCG_RANDOM_UNIFORM, 1, NCG_DTYPE_F64, 2,
                              shape, shape, &x, &err));
    CHECK_OK(ncg_array_sort(x, 1, &sorted, &err));
    ncg_status st =
        ncg_array_compute(sorted, values, (size_t)n * sizeof *values, out);
    for (int64_t i = 1; !st && i < n; i++)
        assert_true(i % shape[1] == 0 || values[i - 1] <= values[i]);
    ncg_array_release(&sorted);
    ncg_array_release(&x);
    free(values);
    return st;
}

static void check_big(ncg_context *ctx, ncg_collection c, const ncg_key *keys)
{
    void *results = NULL;
    ncg_error err;
    CHECK_OK(ncg_compute(ctx, &c, 1, NULL, &results, &err));
    for (int k = 0; k < NBIG; k++) {
        ncg_value value;
        CHECK_OK(ncg_results_value(results, &keys[k], &value, &err));
        const double *x = value.data;
        assert_int_equal(value.nbytes, BIG);
        for (size_t i = 0; i < BIG / sizeof *x; i++)
            assert_true(x[i] == 1000 * k + (double)i);
    }
    c.type->release_result(results);
    assert_int_equal(atomic_load(&calls), 0);
}

static void values_go_to_the_disk(void **state)
{
    (void)state;
    ncg_context *ctx = small_context(NULL);
    ncg_key keys[NBIG];
    ncg_error err;
    ncg_collection kept = persist_big(ctx, true, keys);
    assert_int_equal(stats_of(ctx).memory_held, NBIG * BIG);
    assert_int_equal(stats_of(ctx).held_on_disk, 0);
    CHECK_OK(sort_much(ctx, &err));
    ncg_stats stats = stats_of(ctx);
    assert_true(stats.held_on_disk >= BIG);
    assert_int_equal(stats.memory_held + stats.held_on_disk, NBIG * BIG);
    assert_true(stats.peak_memory <= 16 << 20);
    check_big(ctx, kept, keys);
    stats = stats_of(ctx);
    assert_int_equal(stats.memory_held + stats.held_on_disk, NBIG * BIG);
    ncg_collection_release(&kept);
    assert_int_equal(stats_of(ctx).memory_held, 0);
    assert_int_equal(stats_of(ctx).held_on_disk, 0);
    ncg_context_destroy(&ctx);
}

/* Without a size a value may be more than its bytes: it stays. */
static void values_without_sizes_stay(void **state)
{
    (void)state;
    ncg_context *ctx = small_context(NULL);
    ncg_key keys[NBIG];
    ncg_error err;
    ncg_collection kept = persist_big(ctx, false, keys);
    CHECK_STATUS(NCG_EBUDGET, sort_much(ctx, &err));
    assert_int_equal(stats_of(ctx).memory_held, NBIG * BIG);
    check_big(ctx, kept, keys);
    ncg_collection_release(&kept);
    CHECK_OK(sort_much(ctx, &err));
    ncg_context_destroy(&ctx);
}

static void a_disk_that_is_full_is_told(void **state)
{
    (void)state;
    ncg_context *ctx = small_context("/dev/null/nowhere");
    ncg_key keys[NBIG];
    ncg_error err;
    ncg_collection kept = persist_big(ctx, true, keys);
    CHECK_STATUS(NCG_EOUTPUT, sort_much(ctx, &err));
    assert_int_equal(stats_of(ctx).memory_held, NBIG * BIG);
    check_big(ctx, kept, keys);
    ncg_collection_release(&kept);
    ncg_context_destroy(&ctx);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(values_stay),
        NCG_TEST(merged_lists_run_what_is_missing),
        NCG_TEST(other_values_are_refused),
        NCG_TEST(arrays_and_tasks_stay_together),
        NCG_TEST(values_go_to_the_disk),
        NCG_TEST(values_without_sizes_stay),
        NCG_TEST(a_disk_that_is_full_is_told)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
