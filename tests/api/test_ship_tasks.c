/* SPDX-License-Identifier: BSD-3-Clause */
/* Explicit tasks through bytes into another context: functions by name, with
 * parameters, names and chunks of arrays; values that are held; values as
 * bytes. */
#include "api/files.h"
#include "api/graph.h"
#include "api/ship.h"
#include "base/mem.h"
#include "engine/executor.h"
#include "engine/kernel/task.h"
#include "graph/codec_output.h"
#include "graph/codec_tasks.h"

#define FUNCTION "org.example.digits/1"

static void free_value(void *data, void *payload)
{
    (void)payload;
    free(data);
}

/* The parameter, then the first number of each input as further digits; as
 * many times as the parameter says. */
static ncg_status digits(const ncg_task_call *call, ncg_error *err)
{
    uint8_t first = call->nparams ? *(const uint8_t *)call->params : 1;
    double x = first, *out = malloc(first * sizeof *out);
    if (call->payload != (void *)0x5)
        return nci_fail(err, NCG_EKERNEL, "not as registered");
    for (size_t i = 0; i < call->ninputs; i++)
        x = 10 * x + (call->chunks && call->chunks[i]
                          ? *(const float *)call->inputs[i].data
                          : *(const double *)call->inputs[i].data);
    for (int i = 0; i < first; i++)
        out[i] = x;
    *call->output =
        (ncg_value){out, first * sizeof *out, free_value, NULL};
    return NCG_OK;
}

static ncg_context *context(void)
{
    ncg_context *ctx = new_context(2);
    ncg_error err;
    CHECK_OK(ncg_task_register(ctx, FUNCTION, digits, (void *)0x5, &err));
    return ctx;
}

/* ---- a list ----------------------------------------------------------------
 */

enum { TASKS = 4 };

typedef struct job {
    ncg_context *ctx;
    ncg_tasks *tasks;
    ncg_graph *graph;
    ncg_array *x;
} job;

static ncg_array *numbers(ncg_context *ctx)
{
    static float values[6] = {3, 1, 4, 1, 5, 9};
    ncg_array *x = NULL, *y = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_from_memory(ctx, NCG_DTYPE_F32, 1, (int64_t[]){6},
                                   (int64_t[]){2}, values, NULL, NULL, NULL,
                                   &x, &err));
    CHECK_OK(ncg_array_map("add", (ncg_array *[]){x, x}, 2, &y, &err));
    ncg_array_release(&x);
    return y;
}

/* "a" (params 2), "b" of chunk 2 and "a", one without a name, "c" of these. */
static void list_tasks(job *j, uint8_t first, const char *name)
{
    ncg_key key = {.rank = 1, .index = {2}};
    char chunk[NCG_KEY_TEXT_SIZE];
    ncg_error err;
    const uint8_t two = 2;
    ncg_array_token(j->x, key.layer);
    ncg_key_text(&key, chunk, sizeof chunk);
    CHECK_OK(ncg_tasks_create(&j->tasks, &err));
    CHECK_OK(ncg_tasks_add_named(j->tasks, "a", FUNCTION, &first, 1, NULL, 0,
                                 NULL, &err));
    ncg_tasks_sizes(j->tasks, 64);
    CHECK_OK(ncg_tasks_add_named(j->tasks, "b", FUNCTION, NULL, 0,
                                 (const char *[]){chunk, "a"}, 2, NULL, &err));
    CHECK_OK(ncg_tasks_add_named(j->tasks, NULL, FUNCTION, &two, 1, NULL, 0,
                                 NULL, &err));
    CHECK_OK(ncg_tasks_add_named(j->tasks, name, FUNCTION, NULL, 0,
                                 (const char *[]){"b", "a", chunk}, 3, NULL,
                                 &err));
}

static job make_job(uint8_t first, const char *name)
{
    job j = {.ctx = context()};
    ncg_graph *arrays = NULL;
    ncg_error err;
    j.x = numbers(j.ctx);
    list_tasks(&j, first, name);
    CHECK_OK(ncg_graph_of(&j.x, 1, &arrays, &err));
    CHECK_OK(ncg_graph_of_tasks(j.tasks, arrays, &j.graph, &err));
    ncg_graph_release(&arrays);
    return j;
}

static void end_job(job *j)
{
    ncg_graph_release(&j->graph);
    ncg_tasks_free(&j->tasks);
    ncg_array_release(&j->x);
    ncg_context_destroy(&j->ctx);
}

static ncg_results *run(ncg_context *ctx, ncg_graph *graph,
                        const ncg_tasks *tasks)
{
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_error err;
    CHECK_OK(ncg_keys_tasks(tasks, &keys, &err));
    CHECK_OK(ncg_get_threads(ctx, graph, keys, &results, &err));
    ncg_keys_release(&keys);
    return results;
}

static double value_of(const ncg_results *results, const ncg_tasks *tasks,
                       int64_t number)
{
    ncg_key key;
    ncg_value value;
    ncg_error err;
    CHECK_OK(ncg_tasks_key(tasks, NULL, number, &key, &err));
    CHECK_OK(ncg_results_value(results, &key, &value, &err));
    assert_int_equal(value.nbytes % sizeof(double), 0);
    return *(const double *)value.data;
}

static void functions_have_names(void **state)
{
    (void)state;
    job j = make_job(7, "c");
    ncg_results *results = run(j.ctx, j.graph, j.tasks);
    assert_true(value_of(results, j.tasks, 0) == 7);
    /* 1, chunk 2 begins with 10, then 7 */
    assert_true(value_of(results, j.tasks, 1) == 10 * (10 * 1 + 10) + 7);
    assert_true(value_of(results, j.tasks, 2) == 2);
    assert_true(value_of(results, j.tasks, 3) ==
                10 * (10 * (10 * 1 + 207) + 7) + 10);
    ncg_results_release(&results);
    end_job(&j);
}

static void tokens_say_what_is_computed(void **state)
{
    (void)state;
    job a = make_job(7, "c"), b = make_job(7, "c"), c = make_job(8, "c"),
        d = make_job(7, "d");
    nci_token token = nci_tasks_token(a.tasks->list);
    assert_true(nci_token_equal(token, nci_tasks_token(b.tasks->list)));
    assert_false(nci_token_equal(token, nci_tasks_token(c.tasks->list)));
    assert_false(nci_token_equal(token, nci_tasks_token(d.tasks->list)));
    end_job(&a);
    end_job(&b);
    end_job(&c);
    end_job(&d);
}

static void bad_registrations_are_told(void **state)
{
    (void)state;
    ncg_context *ctx = context();
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_results *results = NULL;
    ncg_error err;
    CHECK_STATUS(NCG_EINVAL,
                 ncg_task_register(ctx, "digits", digits, NULL, &err));
    CHECK_MESSAGE("no name for a function");
    CHECK_STATUS(NCG_EEXISTS,
                 ncg_task_register(ctx, FUNCTION, digits, NULL, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_task_register(ctx, NULL, digits, NULL, &err));
    CHECK_STATUS(NCG_EINVAL,
                 ncg_task_register(ctx, FUNCTION, NULL, NULL, &err));
    ncg_array *x = numbers(ctx), *y = NULL;
    CHECK_STATUS(NCG_ENOTFOUND,
                 ncg_array_map_blocks(FUNCTION, &x, 1, NULL, &y, &err));
    ncg_array_release(&x);
    CHECK_OK(ncg_tasks_create(&tasks, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_tasks_add_named(tasks, "a", NULL, NULL, 0,
                                                 NULL, 0, NULL, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_tasks_add_named(tasks, "a", FUNCTION, NULL, 3,
                                                 NULL, 0, NULL, &err));
    CHECK_OK(ncg_tasks_add_named(tasks, "a", "org.example.none/1", NULL, 0,
                                 NULL, 0, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(tasks, NULL, &graph, &err));
    CHECK_OK(ncg_keys_tasks(tasks, &keys, &err));
    CHECK_STATUS(NCG_ENOTFOUND,
                 ncg_get_serial(ctx, graph, keys, &results, &err));
    CHECK_MESSAGE("org.example.none/1");
    CHECK_MESSAGE("ncg_task_register");
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    ncg_context_destroy(&ctx);
}

/* ---- through bytes ---------------------------------------------------------
 */

static int64_t all[TASKS] = {0, 1, 2, 3};

static ncg_status encode(const job *j, nci_tasks *list, char **bytes,
                         size_t *nbytes, ncg_error *err)
{
    nci_ship ship = nci_ship_of(j->ctx);
    nci_codec_hooks hooks = nci_ship_hooks(&ship);
    nci_output outputs[] = {{.tasks = list, .list = all, .nlist = TASKS},
                            {.tasks = list, .list = all + 1, .nlist = 1}};
    return nci_encode_outputs(outputs, 2, NULL, NULL, &hooks, bytes, nbytes,
                              err);
}

static ncg_status decode(ncg_context *ctx, const char *bytes, size_t nbytes,
                         nci_plan **out, ncg_error *err)
{
    nci_ship ship = nci_ship_of(ctx);
    nci_codec_hooks hooks = nci_ship_hooks(&ship);
    return nci_decode_plan(bytes, nbytes, &hooks, out, err);
}

/* The first number of each value, output after output. */
static ncg_status take(void *ctx, int output, const int64_t *index,
                       const nci_buf *stored, ncg_error *err)
{
    nci_buf *const *values = nci_buf_data(stored);
    double *to = (double *)ctx + (output ? TASKS : 0);
    (void)err;
    assert_int_equal(index[0], 0);
    for (size_t i = 0; i < nci_buf_size(stored) / sizeof *values; i++)
        to[i] = *(const double *)nci_buf_data(values[i]);
    return NCG_OK;
}

static void check_plan(ncg_context *ctx, const nci_plan *plan,
                       const double *want)
{
    double got[TASKS + 1] = {0};
    nci_sink sink = {.ctx = got, .put = take, .is_plain = true};
    nci_run_stats stats;
    ncg_error err;
    CHECK_OK(nci_executor_run(ctx->executor, plan, ctx->sources, &sink, NULL,
                              NULL, NULL, &stats, &err));
    assert_memory_equal(got, want, TASKS * sizeof *got);
    assert_true(got[TASKS] == want[1]);
}

static const double expected[TASKS] = {7, 207, 2, 21780};

static void sent_lists_are_computed(void **state)
{
    (void)state;
    job j = make_job(7, "c");
    ncg_context *other = context();
    nci_plan *plan = NULL;
    char *bytes = NULL;
    size_t nbytes = 0;
    double want[TASKS];
    ncg_error err;
    ncg_results *results = run(j.ctx, j.graph, j.tasks);
    for (int i = 0; i < TASKS; i++)
        want[i] = value_of(results, j.tasks, i);
    ncg_results_release(&results);
    CHECK_OK(encode(&j, j.tasks->list, &bytes, &nbytes, &err));
    CHECK_OK(decode(other, bytes, nbytes, &plan, &err));
    nci_token token = nci_tasks_token(j.tasks->list);
    bool is_there = false;
    for (int l = 0; l < plan->nlayers; l++)
        is_there |= plan->layers[l].kind == NCI_LAYER_TASKS &&
                    nci_token_equal(
                        nci_tasks_token(plan->layers[l].tasks.tasks), token);
    assert_true(is_there);
    end_job(&j);
    check_plan(other, plan, want);
    nci_plan_free(&plan);
    nci_free(bytes);
    ncg_context_destroy(&other);
}

static void damaged_lists_are_told(void **state)
{
    (void)state;
    job j = make_job(7, "c");
    ncg_context *other = context();
    nci_plan *plan = NULL;
    char *bytes = NULL;
    size_t nbytes = 0;
    ncg_error err;
    CHECK_OK(encode(&j, j.tasks->list, &bytes, &nbytes, &err));
    for (size_t i = 0; i < nbytes; i++) {
        char was = bytes[i], *part = malloc(i + 1);
        memcpy(part, bytes, i);
        CHECK_STATUS(NCG_ECORRUPT, decode(other, part, i, &plan, &err));
        free(part);
        for (int k = 0; k < 256; k++) {
            bytes[i] = (char)k;
            if (!decode(other, bytes, nbytes, &plan, &err))
                nci_plan_free(&plan);
        }
        bytes[i] = was;
    }
    nci_free(bytes);
    end_job(&j);
    ncg_context_destroy(&other);
}

static ncg_status unnamed(const ncg_task_call *call, ncg_error *err)
{
    return digits(call, err);
}

static void pointers_stay_here(void **state)
{
    (void)state;
    job j = {.ctx = context()};
    char *bytes = NULL;
    size_t nbytes = 0;
    ncg_error err;
    CHECK_OK(ncg_tasks_create(&j.tasks, &err));
    CHECK_OK(ncg_tasks_add_named(j.tasks, "a", FUNCTION, NULL, 0, NULL, 0,
                                 NULL, &err));
    CHECK_OK(
        ncg_tasks_add(j.tasks, "mine", unnamed, NULL, NULL, 0, NULL, &err));
    CHECK_OK(ncg_graph_of_tasks(j.tasks, NULL, &j.graph, &err));
    CHECK_STATUS(NCG_EUNSUPPORTED,
                 encode(&j, j.tasks->list, &bytes, &nbytes, &err));
    CHECK_MESSAGE("\"mine\"");
    CHECK_MESSAGE("ncg_tasks_add_named");
    end_job(&j);
}

/* Values of another length each, one of nothing, one that is not held. */
static void held_values_go_along(void **state)
{
    (void)state;
    job j = make_job(7, "c");
    ncg_context *other = context();
    nci_tasks *held = NULL;
    nci_plan *plan = NULL;
    char *bytes = NULL;
    size_t nbytes = 0;
    nci_buf *values[TASKS] = {NULL};
    ncg_error err;
    for (int i = 0; i < TASKS; i++) {
        CHECK_OK(nci_buf_create(sizeof(double) * (size_t)(i + 1), &values[i],
                                &err));
        for (int k = 0; k <= i; k++)
            ((double *)nci_buf_data(values[i]))[k] = expected[i];
    }
    CHECK_OK(nci_tasks_hold(j.tasks->list, all, values, TASKS, NULL, &held,
                            &err));
    CHECK_OK(encode(&j, held, &bytes, &nbytes, &err));
    CHECK_OK(decode(other, bytes, nbytes, &plan, &err));
    check_plan(other, plan, expected);
    nci_plan_free(&plan);
    for (size_t i = 0; i < nbytes; i++) {
        CHECK_STATUS(NCG_ECORRUPT, decode(other, bytes, i, &plan, &err));
        bytes[i] = (char)(bytes[i] ^ 0x21);
        if (!decode(other, bytes, nbytes, &plan, &err))
            nci_plan_free(&plan);
        bytes[i] = (char)(bytes[i] ^ 0x21);
    }
    for (int i = 0; i < TASKS; i++)
        nci_buf_release(&values[i]);
    nci_tasks_release(&held);
    nci_free(bytes);
    end_job(&j);
    ncg_context_destroy(&other);
}

static void lack_of_memory_is_told(void **state)
{
    (void)state;
    job j = make_job(7, "c");
    ncg_context *other = context();
    nci_plan *plan = NULL;
    char *bytes = NULL;
    size_t nbytes = 0;
    ncg_error err;
    ncg_status st = NCG_ENOMEM;
    for (int64_t at = 1; st; at++) {
        nci_mem_fail_at(at);
        st = encode(&j, j.tasks->list, &bytes, &nbytes, &err);
        nci_mem_fail_at(0);
        if (st && st != NCG_ENOMEM)
            fail_msg("%s: %s", ncg_status_name(st), err.message);
    }
    st = NCG_ENOMEM;
    for (int64_t at = 1; st; at++) {
        nci_mem_fail_at(at);
        st = decode(other, bytes, nbytes, &plan, &err);
        nci_mem_fail_at(0);
        if (st && st != NCG_ENOMEM)
            fail_msg("%s: %s", ncg_status_name(st), err.message);
    }
    nci_plan_free(&plan);
    nci_free(bytes);
    end_job(&j);
    ncg_context_destroy(&other);
}

/* ---- values as bytes --------------------------------------------------------
 */

static void values_are_bytes(void **state)
{
    (void)state;
    nci_buf *values[5], *list = NULL, *packed = NULL, *back = NULL;
    nci_dep deps[5];
    ncg_error err;
    for (size_t i = 0; i < 5; i++) {
        CHECK_OK(nci_buf_create(7 * i, &values[i], &err));
        memset(nci_buf_data(values[i]), (int)i, 7 * i);
        deps[i] = (nci_dep){0, (int64_t)i, values[i]};
    }
    CHECK_OK(nci_run_store_values(deps, 5, &list, &err));
    CHECK_OK(nci_values_pack(list, &packed, &err));
    CHECK_STATUS(NCG_ENET, nci_values_unpack(packed, 4, &back, &err));
    CHECK_OK(nci_values_unpack(packed, 5, &back, &err));
    nci_buf *const *got = nci_buf_data(back);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(nci_buf_size(got[i]), 7 * i);
        assert_int_equal((uintptr_t)nci_buf_data(got[i]) % 16, 0);
        if (i)
            assert_memory_equal(nci_buf_data(got[i]), nci_buf_data(values[i]),
                                7 * i);
        nci_buf_release(&values[i]);
    }
    nci_buf_release(&back);
    uint8_t *bytes = nci_buf_data(packed);
    for (size_t bit = 0; bit < 8 * 48; bit++) {
        /* what is less than an alignment changes no place */
        bool must_fail = bit < 64 || bit % 64 >= 4 || bit >= 8 * 40;
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1 << bit % 8);
        ncg_status st = nci_values_unpack(packed, 5, &back, &err);
        assert_true(st == NCG_ENET || (!st && !must_fail));
        nci_buf_release(&back);
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    nci_buf_release(&packed);
    nci_buf_release(&list);
}

NCG_TESTS(NCG_TEST(functions_have_names), NCG_TEST(tokens_say_what_is_computed),
          NCG_TEST(bad_registrations_are_told),
          NCG_TEST(sent_lists_are_computed), NCG_TEST(damaged_lists_are_told),
          NCG_TEST(pointers_stay_here), NCG_TEST(held_values_go_along),
          NCG_TEST(lack_of_memory_is_told), NCG_TEST(values_are_bytes))
