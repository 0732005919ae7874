/* SPDX-License-Identifier: BSD-3-Clause */
/* The collection protocol: arrays, data sets and a type of the test's own. */
#include <stdatomic.h>

#include "api/files.h"

enum { STEPS = NT * NFILES };

static ncg_array *tas(ncg_context *ctx)
{
    ncg_dataset *ds = open_all(ctx);
    ncg_array *array = NULL;
    ncg_error err;
    CHECK_OK(ncg_dataset_array(ds, "tas", &array, &err));
    ncg_dataset_release(&ds);
    return array;
}

static ncg_array *reduced(ncg_array *x, ncg_op op)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *out = NULL;
    int axis = 0;
    ncg_error err;
    how.op = op;
    CHECK_OK(ncg_array_reduce(x, &axis, 1, &how, &out, &err));
    return out;
}

static int64_t chunks_read(ncg_context *ctx)
{
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_context_stats(ctx, &stats);
    return stats.chunks_direct + stats.chunks_library;
}

/* ---- a collection of the user's: two arrays and a number -------------------
 */

typedef struct pair {
    atomic_int refs;
    ncg_array *a, *b;
    double scale;
} pair;

typedef struct pair_result { /* what computing one gives */
    double sum_a, sum_b;     /* of the values that are there, scaled */
} pair_result;

static ncg_status pair_graph(void *self, ncg_graph **out, ncg_error *err)
{
    pair *p = self;
    ncg_array *arrays[] = {p->a, p->b};
    return ncg_graph_of(arrays, 2, out, err);
}

static ncg_status pair_keys(void *self, ncg_keys **out, ncg_error *err)
{
    pair *p = self;
    ncg_keys *keys[2] = {NULL, NULL};
    ncg_status st = ncg_keys_all(p->a, &keys[0], err);
    if (!st)
        st = ncg_keys_all(p->b, &keys[1], err);
    if (!st)
        st = ncg_keys_join(keys, 2, out, err);
    ncg_keys_release(&keys[0]);
    ncg_keys_release(&keys[1]);
    return st;
}

static double sum_of(const ncg_array *array)
{
    const float *data = ncg_array_data(array);
    double sum = 0;
    for (int64_t i = 0; i < ncg_array_size(array); i++)
        sum += isnan(data[i]) ? 0 : data[i];
    return sum;
}

static ncg_status pair_postcompute(void *self, const ncg_results *results,
                                   void **out, ncg_error *err)
{
    pair *p = self;
    ncg_collection inner[] = {ncg_array_collection(p->a),
                              ncg_array_collection(p->b)};
    void *made[2] = {NULL, NULL};
    ncg_status st = NCG_OK;
    for (int i = 0; !st && i < 2; i++)
        st = inner[i].type->postcompute(inner[i].self, results, &made[i], err);
    if (!st) {
        pair_result *r = malloc(sizeof *r);
        *r = (pair_result){p->scale * sum_of(made[0]),
                           p->scale * sum_of(made[1])};
        *out = r;
    }
    for (int i = 0; i < 2; i++)
        if (made[i])
            inner[i].type->release_result(made[i]);
    return st;
}

static pair *pair_create(ncg_array *a, ncg_array *b, double scale)
{
    pair *p = malloc(sizeof *p);
    atomic_init(&p->refs, 1);
    p->a = ncg_array_retain(a);
    p->b = ncg_array_retain(b);
    p->scale = scale;
    return p;
}

static ncg_collection pair_collection(pair *p);

static ncg_status pair_postpersist(void *self, ncg_graph *persisted,
                                   ncg_collection *out, ncg_error *err)
{
    pair *p = self;
    char token[33];
    ncg_array *a = NULL, *b = NULL;
    ncg_array_token(p->a, token);
    ncg_status st = ncg_graph_array(persisted, token, &a, err);
    ncg_array_token(p->b, token);
    if (!st)
        st = ncg_graph_array(persisted, token, &b, err);
    if (!st)
        *out = pair_collection(pair_create(a, b, p->scale));
    ncg_array_release(&a);
    ncg_array_release(&b);
    return st;
}

static ncg_status pair_tokenize(void *self, char token[33], ncg_error *err)
{
    pair *p = self;
    char a[33], b[33];
    const char *tokens[] = {a, b};
    (void)err;
    ncg_array_token(p->a, a);
    ncg_array_token(p->b, b);
    ncg_token_of(tokens, 2, &p->scale, sizeof p->scale, token);
    return NCG_OK;
}

static void pair_retain(void *self)
{
    atomic_fetch_add(&((pair *)self)->refs, 1);
}

static void pair_release(void *self)
{
    pair *p = self;
    if (atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    ncg_array_release(&p->a);
    ncg_array_release(&p->b);
    free(p);
}

static const ncg_collection_type pair_type = {
    .struct_size = sizeof(ncg_collection_type),
    .name = "pair",
    .graph = pair_graph,
    .keys = pair_keys,
    .optimize = ncg_graph_optimize,
    .postcompute = pair_postcompute,
    .postpersist = pair_postpersist,
    .tokenize = pair_tokenize,
    .retain = pair_retain,
    .release = pair_release,
    .release_result = free,
};

static ncg_collection pair_collection(pair *p)
{
    return (ncg_collection){&pair_type, p};
}

/* ---- computing
 * ----------------------------------------------------------------- */

static void array_computes_to_memory(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_array *x = tas(ctx);
    ncg_collection c = ncg_array_collection(x);
    void *result = NULL;
    ncg_error err;
    assert_null(ncg_array_data(x));
    CHECK_OK(ncg_compute(ctx, &c, 1, NULL, &result, &err));
    ncg_array *got = result;
    const float *data = ncg_array_data(got);
    assert_non_null(data);
    assert_int_equal(ncg_array_size(got), ncg_array_size(x));
    for (int t = 0, i = 0; t < STEPS; t++)
        for (int y = 0; y < NY; y++)
            for (int k = 0; k < NX; k++, i++) {
                float want = field(t, y, k);
                assert_true(want == FILL ? isnan(data[i]) : data[i] == want);
            }
    c.type->release_result(result);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* The test that the protocol is for: a type that the library does not know
 * shares work with a plain array. */
static void user_collection_shares_work(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_array *x = tas(ctx), *mean = reduced(x, NCG_OP_MEAN);
    ncg_array *high = reduced(x, NCG_OP_MAX);
    pair *p = pair_create(x, mean, 2);
    ncg_collection alone = ncg_array_collection(x);
    ncg_collection both[] = {pair_collection(p), ncg_array_collection(x)};
    void *results[2] = {NULL, NULL}, *first = NULL;
    ncg_error err;
    int64_t before = chunks_read(ctx);
    CHECK_OK(ncg_compute(ctx, &alone, 1, NULL, &first, &err));
    int64_t once = chunks_read(ctx) - before;
    assert_true(once > 0);
    before = chunks_read(ctx);
    CHECK_OK(ncg_compute(ctx, &both[0], 1, NULL, &results[0], &err));
    int64_t of_pair = chunks_read(ctx) - before;
    pair_result r = *(pair_result *)results[0];
    both[0].type->release_result(results[0]);
    before = chunks_read(ctx);
    CHECK_OK(ncg_compute(ctx, both, 2, NULL, results, &err));
    assert_int_equal(chunks_read(ctx) - before, of_pair);
    pair_result *again = results[0];
    assert_true(again->sum_a == r.sum_a && again->sum_b == r.sum_b);
    assert_true(r.sum_a == 2 * sum_of(first));
    assert_memory_equal(ncg_array_data(results[1]), ncg_array_data(first),
                        (size_t)ncg_array_size(x) * sizeof(float));
    for (int i = 0; i < 2; i++)
        both[i].type->release_result(results[i]);
    alone.type->release_result(first);
    pair_release(p);
    ncg_array_release(&high);
    ncg_array_release(&mean);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* Several collections in one call read no more than the widest of them. */
static void common_work_is_done_once(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_array *x = tas(ctx), *mean = reduced(x, NCG_OP_MEAN), *same = NULL;
    same = reduced(x, NCG_OP_MEAN); /* another handle of equal work */
    ncg_collection c[] = {ncg_array_collection(mean),
                          ncg_array_collection(same)};
    void *one = NULL, *two[2] = {NULL, NULL};
    ncg_error err;
    int64_t before = chunks_read(ctx);
    CHECK_OK(ncg_compute(ctx, c, 1, NULL, &one, &err));
    int64_t once = chunks_read(ctx) - before;
    before = chunks_read(ctx);
    CHECK_OK(ncg_compute(ctx, c, 2, NULL, two, &err));
    assert_int_equal(chunks_read(ctx) - before, once);
    assert_memory_equal(ncg_array_data(two[0]), ncg_array_data(one),
                        (size_t)ncg_array_size(mean) * sizeof(float));
    c[0].type->release_result(one);
    c[0].type->release_result(two[0]);
    c[1].type->release_result(two[1]);
    ncg_array_release(&same);
    ncg_array_release(&mean);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static int calls;

static ncg_status counting_get(ncg_context *ctx, ncg_graph *graph,
                               const ncg_keys *keys, ncg_results **out,
                               ncg_error *err)
{
    calls++;
    return ncg_get_serial(ctx, graph, keys, out, err);
}

static void schedulers_are_interchangeable(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_array *x = tas(ctx), *std = reduced(x, NCG_OP_STD);
    ncg_collection c[] = {ncg_array_collection(x), ncg_array_collection(std)};
    ncg_compute_options options = NCG_COMPUTE_OPTIONS_INIT;
    void *threads[2] = {NULL, NULL}, *serial[2] = {NULL, NULL};
    ncg_error err;
    CHECK_OK(ncg_compute(ctx, c, 2, NULL, threads, &err));
    options.scheduler = counting_get;
    calls = 0;
    CHECK_OK(ncg_compute(ctx, c, 2, &options, serial, &err));
    assert_int_equal(calls, 1); /* one run for both */
    for (int i = 0; i < 2; i++) {
        ncg_array *a = threads[i], *b = serial[i];
        assert_memory_equal(ncg_array_data(a), ncg_array_data(b),
                            (size_t)ncg_array_size(a) * sizeof(float));
        c[i].type->release_result(a);
        c[i].type->release_result(b);
    }
    ncg_array_release(&std);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static void dataset_computes_to_memory(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_dataset *ds = open_all(ctx);
    ncg_array *x = NULL, *got = NULL;
    ncg_collection c = ncg_dataset_collection(ds);
    void *result = NULL;
    ncg_error err;
    CHECK_OK(ncg_compute(ctx, &c, 1, NULL, &result, &err));
    assert_int_equal(ncg_dataset_nvars(result), ncg_dataset_nvars(ds));
    assert_string_equal(
        ncg_dataset_attr_text(result, ncg_dataset_find(result, "tas"), "units"),
        "K");
    CHECK_OK(ncg_dataset_array(result, "tas", &got, &err));
    CHECK_OK(ncg_dataset_array(ds, "tas", &x, &err));
    const float *data = ncg_array_data(got);
    assert_non_null(data);
    assert_true(data[1] == field(0, 0, 1) || isnan(data[1]));
    ncg_array_release(&got);
    ncg_array_release(&x);
    c.type->release_result(result);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

static void single_keys_are_computed(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_array *x = tas(ctx);
    ncg_graph *graph = NULL;
    ncg_keys *all = NULL, *some = NULL;
    ncg_results *whole = NULL, *part = NULL;
    ncg_key picked[3];
    ncg_error err;
    CHECK_OK(ncg_graph_of(&x, 1, &graph, &err));
    CHECK_OK(ncg_keys_all(x, &all, &err));
    int64_t n = ncg_keys_count(all);
    assert_true(n > 2);
    CHECK_OK(ncg_keys_at(all, n - 1, &picked[0], &err));
    CHECK_OK(ncg_keys_at(all, 1, &picked[1], &err));
    picked[2] = picked[0];
    CHECK_OK(ncg_keys_list(picked, 3, &some, &err));
    int64_t before = chunks_read(ctx);
    CHECK_OK(ncg_get_threads(ctx, graph, all, &whole, &err));
    int64_t every = chunks_read(ctx) - before;
    before = chunks_read(ctx);
    CHECK_OK(ncg_get_threads(ctx, graph, some, &part, &err));
    assert_true(chunks_read(ctx) - before <= every);
    for (int i = 0; i < 2; i++) {
        ncg_chunk a, b;
        CHECK_OK(ncg_results_chunk(whole, &picked[i], &a, &err));
        CHECK_OK(ncg_results_chunk(part, &picked[i], &b, &err));
        size_t size = sizeof(float);
        for (int d = 0; d < a.rank; d++) {
            assert_int_equal(a.start[d], b.start[d]);
            assert_int_equal(a.count[d], b.count[d]);
            size *= (size_t)a.count[d];
        }
        assert_memory_equal(a.data, b.data, size);
    }
    ncg_chunk none;
    CHECK_OK(ncg_keys_at(all, 0, &picked[0], &err));
    CHECK_STATUS(NCG_EINVAL, ncg_results_chunk(part, &picked[0], &none, &err));
    CHECK_MESSAGE("not among the results");
    picked[0].index[0] = 1000;
    ncg_keys_release(&some);
    CHECK_OK(ncg_keys_list(picked, 1, &some, &err));
    ncg_results_release(&part);
    CHECK_STATUS(NCG_EINVAL, ncg_get_threads(ctx, graph, some, &part, &err));
    CHECK_MESSAGE("1000");
    ncg_results_release(&whole);
    ncg_keys_release(&some);
    ncg_keys_release(&all);
    ncg_graph_release(&graph);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

/* What is persisted is not read again, by whatever it is asked for. */
static void collections_are_persisted(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(2);
    ncg_dataset *ds = open_all(ctx);
    ncg_array *x = tas(ctx), *mean = reduced(x, NCG_OP_MEAN);
    pair *p = pair_create(x, mean, 2);
    ncg_collection c[] = {pair_collection(p), ncg_array_collection(mean),
                          ncg_dataset_collection(ds)};
    ncg_collection kept[3] = {{NULL, NULL}};
    void *before[3], *after[3];
    ncg_error err;
    CHECK_OK(ncg_compute(ctx, c, 3, NULL, before, &err));
    CHECK_OK(ncg_persist(ctx, c, 3, kept, &err));
    int64_t read = chunks_read(ctx);
    CHECK_OK(ncg_compute(ctx, kept, 3, NULL, after, &err));
    assert_int_equal(chunks_read(ctx), read);
    pair_result *a = before[0], *b = after[0];
    assert_true(a->sum_a == b->sum_a && a->sum_b == b->sum_b);
    assert_memory_equal(ncg_array_data(before[1]), ncg_array_data(after[1]),
                        (size_t)ncg_array_size(mean) * sizeof(float));
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(kept[i].type, c[i].type);
        c[i].type->release_result(before[i]);
        c[i].type->release_result(after[i]);
        ncg_collection_release(&kept[i]);
        ncg_collection_release(&kept[i]); /* does nothing more */
    }
    ncg_collection_type plain = pair_type;
    plain.postpersist = NULL;
    ncg_collection cannot = {&plain, p};
    CHECK_STATUS(NCG_EUNSUPPORTED, ncg_persist(ctx, &cannot, 1, kept, &err));
    CHECK_MESSAGE("pair");
    pair_release(p);
    ncg_array_release(&mean);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
}

/* ---- looking
 * ---------------------------------------------------------------------- */

static void tokens_follow_content(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = tas(ctx), *y = tas(ctx), *m = reduced(x, NCG_OP_MEAN);
    pair *p = pair_create(x, m, 2), *q = pair_create(y, m, 2);
    pair *other = pair_create(x, m, 3);
    ncg_collection a[] = {ncg_array_collection(x), pair_collection(p)};
    ncg_collection b[] = {ncg_array_collection(y), pair_collection(q)};
    ncg_collection c[] = {ncg_array_collection(y), pair_collection(other)};
    char ta[33], tb[33], tc[33];
    ncg_error err;
    CHECK_OK(ncg_tokenize(a, 2, ta, &err));
    CHECK_OK(ncg_tokenize(b, 2, tb, &err));
    CHECK_OK(ncg_tokenize(c, 2, tc, &err));
    assert_string_equal(ta, tb);
    assert_string_not_equal(ta, tc);
    assert_int_equal(strlen(ta), 32);
    pair_release(p);
    pair_release(q);
    pair_release(other);
    ncg_array_release(&m);
    ncg_array_release(&y);
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

static void incomplete_types_are_refused(void **state)
{
    (void)state;
    ncg_context *ctx = new_context(1);
    ncg_array *x = tas(ctx);
    ncg_collection_type type = pair_type;
    ncg_collection c = {&type, x};
    void *result = NULL;
    ncg_error err;
    type.postcompute = NULL;
    CHECK_STATUS(NCG_EINVAL, ncg_compute(ctx, &c, 1, NULL, &result, &err));
    CHECK_MESSAGE("lacks a member");
    type = pair_type;
    type.struct_size = 8;
    CHECK_STATUS(NCG_EINVAL, ncg_compute(ctx, &c, 1, NULL, &result, &err));
    CHECK_MESSAGE("struct_size");
    CHECK_STATUS(NCG_EINVAL, ncg_compute(ctx, NULL, 1, NULL, &result, &err));
    c.self = NULL;
    CHECK_STATUS(NCG_EINVAL, ncg_compute(ctx, &c, 1, NULL, &result, &err));
    CHECK_OK(ncg_compute(ctx, NULL, 0, NULL, &result, &err));
    ncg_array_release(&x);
    ncg_context_destroy(&ctx);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {NCG_TEST(array_computes_to_memory),
                                       NCG_TEST(user_collection_shares_work),
                                       NCG_TEST(common_work_is_done_once),
                                       NCG_TEST(schedulers_are_interchangeable),
                                       NCG_TEST(dataset_computes_to_memory),
                                       NCG_TEST(single_keys_are_computed),
                                       NCG_TEST(collections_are_persisted),
                                       NCG_TEST(tokens_follow_content),
                                       NCG_TEST(incomplete_types_are_refused)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
