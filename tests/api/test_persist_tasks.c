/* SPDX-License-Identifier: BSD-3-Clause */
/* Explicit tasks that are persisted: their functions do not run again, their
 * values count against the memory limit and go with the collection. */
#include <stdatomic.h>

#include "api/files.h"

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

/* ---- a collection of some keys of a list ----------------------------------- */

typedef struct job {
    atomic_int refs;
    ncg_graph *graph;
    ncg_keys *keys;
} job;

static ncg_status job_graph(void *self, ncg_graph **out, ncg_error *err)
{
    (void)err;
    *out = ncg_graph_retain(((job *)self)->graph);
    return NCG_OK;
}

static ncg_status job_keys(void *self, ncg_keys **out, ncg_error *err)
{
    (void)err;
    *out = ncg_keys_retain(((job *)self)->keys);
    return NCG_OK;
}

static ncg_status job_done(void *self, const ncg_results *results, void **out,
                           ncg_error *err)
{
    (void)self, (void)err;
    *out = ncg_results_retain((ncg_results *)results);
    return NCG_OK;
}

static ncg_status job_token(void *self, char token[33], ncg_error *err)
{
    (void)err;
    ncg_token_of(NULL, 0, &self, sizeof self, token);
    return NCG_OK;
}

static void job_retain(void *self)
{
    atomic_fetch_add(&((job *)self)->refs, 1);
}

static void job_release(void *self)
{
    job *j = self;
    if (atomic_fetch_sub(&j->refs, 1) != 1)
        return;
    ncg_graph_release(&j->graph);
    ncg_keys_release(&j->keys);
    free(j);
}

static void drop_results(void *result)
{
    ncg_results *results = result;
    ncg_results_release(&results);
}

static ncg_collection job_make(ncg_graph *graph, ncg_keys *keys);

static ncg_status job_persisted(void *self, ncg_graph *persisted,
                                ncg_collection *out, ncg_error *err)
{
    (void)err;
    *out = job_make(persisted, ((job *)self)->keys);
    return NCG_OK;
}

static ncg_collection job_make(ncg_graph *graph, ncg_keys *keys)
{
    static const ncg_collection_type type = {
        .struct_size = sizeof type,
        .name = "job",
        .graph = job_graph,
        .keys = job_keys,
        .optimize = ncg_graph_optimize,
        .postcompute = job_done,
        .postpersist = job_persisted,
        .tokenize = job_token,
        .retain = job_retain,
        .release = job_release,
        .release_result = drop_results,
    };
    job *j = malloc(sizeof *j);
    atomic_init(&j->refs, 1);
    j->graph = ncg_graph_retain(graph);
    j->keys = ncg_keys_retain(keys);
    return (ncg_collection){&type, j};
}

/* ---- the bed: "a" -> "b" -> "c", and a chunk of an array into "b" ------------- */

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

/* ---- the tests ------------------------------------------------------------------ */

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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(values_stay), NCG_TEST(merged_lists_run_what_is_missing),
        NCG_TEST(other_values_are_refused),
        NCG_TEST(arrays_and_tasks_stay_together)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
