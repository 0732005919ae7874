/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls on a cluster of real processes: values, errors, retries, workers that
 * die or leave, functions called at once. */
#include "processes.h"

static processes cluster;
static ncg_context *ctx;

/* ---- functions, known in every process ----------------------------------- */

static int64_t number_of(ncg_bytes bytes)
{
    int64_t value = 0;
    if (bytes.size == sizeof value)
        memcpy(&value, bytes.data, sizeof value);
    return value;
}

static ncg_status add(const ncg_function_call *call, void *payload,
                      ncg_error *err)
{
    int64_t sum = number_of(call->argument);
    (void)payload;
    for (size_t i = 0; i < call->ninputs; i++)
        sum += number_of(call->inputs[i]);
    return ncg_function_give(call, &sum, sizeof sum, err);
}

static ncg_status name(const ncg_function_call *call, void *payload,
                       ncg_error *err)
{
    (void)payload;
    return ncg_function_give(call, call->process, strlen(call->process), err);
}

static ncg_status status(const ncg_function_call *call, void *payload,
                         ncg_error *err)
{
    const char *text = call->status ? call->status : "";
    (void)payload;
    return ncg_function_give(call, text, strlen(text), err);
}

static ncg_status refuse(const ncg_function_call *call, void *payload,
                         ncg_error *err)
{
    (void)call;
    (void)payload;
    snprintf(err->message, sizeof err->message, "this one is \"refused\"");
    return NCG_EKERNEL;
}

static void path_of(const ncg_function_call *call, char path[300])
{
    snprintf(path, 300, "%.*s", (int)call->argument.size,
             (const char *)call->argument.data);
}

/* Fails until its file is there, which it makes. */
static ncg_status second_time(const ncg_function_call *call, void *payload,
                              ncg_error *err)
{
    char path[300];
    path_of(call, path);
    int fd = open(path, O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return NCG_OK;
    close(fd);
    return payload ? (ncg_status)raise(SIGKILL)
                   : refuse(call, payload, err);
}

/* Until its file is there, or nobody waits any more: then makes the file with
 * ".ended". */
static ncg_status wait_for_file(const ncg_function_call *call, void *payload,
                                ncg_error *err)
{
    char path[300], ended[320];
    (void)payload;
    path_of(call, path);
    snprintf(ended, sizeof ended, "%s.ended", path);
    while (access(path, F_OK) && !ncg_function_canceled(call))
        processes_pause();
    if (ncg_function_canceled(call))
        close(open(ended, O_CREAT, 0600));
    return ncg_function_give(call, call->process, strlen(call->process), err);
}

static void register_all(void)
{
    ncg_error err;
    ncg_status st = ncg_function_register("test.add/1", add, NULL, &err);
    st = st ? st : ncg_function_register("test.name/1", name, NULL, &err);
    st = st ? st : ncg_function_register("test.status/1", status, NULL, &err);
    st = st ? st : ncg_function_register("test.refuse/1", refuse, NULL, &err);
    st = st ? st
            : ncg_function_register("test.second/1", second_time, NULL, &err);
    st = st ? st
            : ncg_function_register("test.die/1", second_time, &cluster, &err);
    st = st ? st
            : ncg_function_register("test.wait/1", wait_for_file, NULL, &err);
    if (st) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
}

/* ---- helpers ------------------------------------------------------------- */

static ncg_bytes text(const char *t)
{
    return (ncg_bytes){t, strlen(t)};
}

static void path(char out[300], const char *file)
{
    snprintf(out, 300, "%s/%s", cluster.dir, file);
}

static ncg_future *submit(const char *function, ncg_bytes argument,
                          ncg_future *const *inputs, size_t n,
                          const ncg_future_options *options)
{
    ncg_error err;
    ncg_future *f = NULL;
    CHECK_OK(ncg_future_submit(ctx, function, argument, inputs, n, options, &f,
                               &err));
    return f;
}

static int64_t integer(ncg_future *f)
{
    ncg_error err;
    void *data = NULL;
    size_t size = 0;
    CHECK_OK(ncg_future_result(f, &data, &size, &err));
    int64_t value = number_of((ncg_bytes){data, size});
    ncg_free(data);
    return value;
}

static void await_file(const char *file)
{
    double end = processes_now() + 60;
    while (access(file, F_OK)) {
        if (processes_now() > end)
            fail_msg("%s never comes", file);
        processes_pause();
    }
}

/* ---- tests --------------------------------------------------------------- */

static void values_feed_calls(void **state)
{
    enum { N = 200 };
    ncg_error err;
    ncg_future *f[N] = {NULL}, *sum = NULL, *more = NULL;
    int64_t numbers[N];
    ncg_bytes arguments[N];
    (void)state;
    for (int i = 0; i < N; i++) {
        numbers[i] = i;
        arguments[i] = (ncg_bytes){&numbers[i], sizeof numbers[i]};
    }
    CHECK_OK(ncg_future_map(ctx, "test.add/1", arguments, N, NULL, f, &err));
    sum = submit("test.add/1", arguments[1], f, N, NULL);
    more = submit("test.add/1", arguments[2], &sum, 1, NULL);
    for (int i = 0; i < N; i++)
        ncg_future_release(&f[i]); /* the sum still needs them */
    assert_int_equal(integer(more), N * (N - 1) / 2 + 3);
    assert_int_equal(integer(sum), N * (N - 1) / 2 + 1);
    ncg_future_release(&sum);
    ncg_future_release(&more);
    processes_await(&cluster, "\"values\": 0", 1);
}

static void scattered_values(void **state)
{
    ncg_error err;
    ncg_future *big = NULL, *empty = NULL, *sum = NULL;
    size_t n = 9 << 20, size = 0;
    char *bytes = malloc(n);
    void *back = NULL;
    int64_t seven = 7;
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 >> 3);
    CHECK_OK(ncg_future_scatter(ctx, (ncg_bytes){bytes, n}, &big, &err));
    CHECK_OK(ncg_future_scatter(ctx, (ncg_bytes){NULL, 0}, &empty, &err));
    CHECK_OK(ncg_future_result(big, &back, &size, &err));
    assert_int_equal(size, n);
    assert_memory_equal(back, bytes, n);
    ncg_free(back);
    CHECK_OK(ncg_future_result(empty, &back, &size, &err));
    assert_int_equal(size, 0);
    ncg_free(back);
    ncg_future *both[] = {big, empty};
    sum = submit("test.add/1", (ncg_bytes){&seven, sizeof seven}, both, 2,
                 NULL);
    assert_int_equal(integer(sum), 7);
    ncg_future_release(&sum);
    ncg_future_release(&big);
    ncg_future_release(&empty);
    free(bytes);
}

static void errors_come_back(void **state)
{
    ncg_error err;
    void *data = NULL;
    size_t size = 0;
    ncg_future *f = submit("test.refuse/1", text(""), NULL, 0, NULL);
    ncg_future *user = submit("test.add/1", text(""), &f, 1, NULL);
    ncg_future *unknown = submit("test.unknown/1", text(""), NULL, 0, NULL);
    (void)state;
    CHECK_STATUS(NCG_EKERNEL, ncg_future_result(f, &data, &size, &err));
    CHECK_MESSAGE("this one is \"refused\"");
    CHECK_STATUS(NCG_EKERNEL, ncg_future_result(user, &data, &size, &err));
    CHECK_MESSAGE("this one is \"refused\"");
    assert_int_equal(ncg_future_wait(unknown, -1), NCG_RUN_FAILED);
    CHECK_STATUS(NCG_ENOTFOUND, ncg_future_result(unknown, &data, &size, &err));
    CHECK_MESSAGE("test.unknown/1");
    ncg_future_release(&f);
    ncg_future_release(&user);
    ncg_future_release(&unknown);
}

static void retries(void **state)
{
    char file[300];
    ncg_error err;
    void *data = NULL;
    size_t size = 0;
    ncg_future_options o = NCG_FUTURE_OPTIONS_INIT;
    (void)state;
    path(file, "second");
    o.retries = 1;
    ncg_future *f = submit("test.second/1", text(file), NULL, 0, &o);
    CHECK_OK(ncg_future_result(f, &data, &size, &err));
    ncg_free(data);
    ncg_future_release(&f);
}

static void bound_to_a_worker(void **state)
{
    ncg_error err;
    void *data = NULL;
    size_t size = 0;
    ncg_future_options o = NCG_FUTURE_OPTIONS_INIT;
    (void)state;
    for (int i = 0; i < 6; i++) {
        o.worker = i % 2 ? "a" : "b";
        ncg_future *f = submit("test.name/1", text(""), NULL, 0, &o);
        CHECK_OK(ncg_future_result(f, &data, &size, &err));
        assert_int_equal(size, 1);
        assert_memory_equal(data, o.worker, 1);
        ncg_free(data);
        ncg_future_release(&f);
    }
    o.worker = "nobody";
    ncg_future *f = submit("test.name/1", text(""), NULL, 0, &o);
    CHECK_STATUS(NCG_ENOTFOUND, ncg_future_result(f, &data, &size, &err));
    ncg_future_release(&f);
}

/* Two workers have none, the third one two: at most two calls at a time, there. */
static void calls_that_take_resources(void **state)
{
    ncg_error err;
    void *data = NULL;
    size_t size = 0;
    ncg_future_options o = NCG_FUTURE_OPTIONS_INIT;
    ncg_future *all[4];
    (void)state;
    o.resources = "LENS=1";
    for (int i = 0; i < 4; i++)
        all[i] = submit("test.name/1", text(""), NULL, 0, &o);
    assert_int_equal(ncg_future_wait(all[0], 0.3), NCG_RUN_RUNNING);
    processes_worker_with(&cluster, "lens", "LENS=2");
    for (int i = 0; i < 4; i++) {
        CHECK_OK(ncg_future_result(all[i], &data, &size, &err));
        assert_int_equal(size, 4);
        assert_memory_equal(data, "lens", 4);
        ncg_free(data);
        ncg_future_release(&all[i]);
    }
    o.worker = "a";
    all[0] = submit("test.name/1", text(""), NULL, 0, &o);
    CHECK_STATUS(NCG_ENOTFOUND,
                 ncg_future_result(all[0], &data, &size, &err));
    ncg_future_release(&all[0]);
    o.resources = "LENS";
    CHECK_STATUS(NCG_EINVAL,
                 ncg_future_submit(ctx, "test.name/1", text(""), NULL, 0, &o,
                                   &all[0], &err));
    CHECK_OK(ncg_cluster_retire(cluster.file, "lens", &err));
    processes_await(&cluster, "\"name\": \"lens\"", 0);
}

static void as_completed_and_cancel(void **state)
{
    char slow[300], ended[320];
    ncg_error err;
    void *data = NULL;
    size_t size = 0, which = 9;
    int64_t five = 5;
    (void)state;
    path(slow, "slow");
    snprintf(ended, sizeof ended, "%s.ended", slow);
    ncg_future *f[2] = {submit("test.wait/1", text(slow), NULL, 0, NULL),
                        submit("test.add/1", (ncg_bytes){&five, sizeof five},
                               NULL, 0, NULL)};
    assert_true(ncg_future_wait_any(f, 2, -1, &which));
    assert_int_equal(which, 1);
    assert_false(ncg_future_wait_any(f, 1, 0.01, &which));
    assert_int_equal(ncg_future_poll(f[0]), NCG_RUN_RUNNING);
    ncg_future_cancel(f[0]);
    assert_int_equal(ncg_future_poll(f[0]), NCG_RUN_CANCELED);
    CHECK_STATUS(NCG_ECANCELED, ncg_future_result(f[0], &data, &size, &err));
    await_file(ended); /* the function was told */
    ncg_future_release(&f[0]);
    ncg_future_release(&f[1]);
}

static void functions_at_once(void **state)
{
    ncg_error err;
    void *data = NULL;
    size_t size = 0, n = 0;
    ncg_worker_answer *answers = NULL;
    static const char *const only[] = {"b"};
    static const char *const nobody[] = {"nobody"};
    (void)state;
    CHECK_OK(ncg_run_on_scheduler(ctx, "test.name/1", text(""), &data, &size,
                                  &err));
    assert_int_equal(size, strlen("scheduler"));
    assert_memory_equal(data, "scheduler", size);
    ncg_free(data);
    CHECK_OK(ncg_run_on_scheduler(ctx, "test.status/1", text(""), &data, &size,
                                  &err));
    assert_true(size > 20 && *(const char *)data == '{');
    ncg_free(data);
    CHECK_STATUS(NCG_EKERNEL, ncg_run_on_scheduler(ctx, "test.refuse/1",
                                                   text(""), &data, &size,
                                                   &err));
    CHECK_MESSAGE("refused");
    CHECK_OK(ncg_run_on_workers(ctx, "test.name/1", text(""), NULL, 0, &answers,
                                &n, &err));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(answers[i].status, NCG_OK);
        assert_memory_equal(answers[i].data, answers[i].worker, 1);
    }
    ncg_worker_answers_free(&answers, n);
    CHECK_OK(ncg_run_on_workers(ctx, "test.refuse/1", text(""), only, 1,
                                &answers, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(answers[0].status, NCG_EKERNEL);
    assert_non_null(strstr(answers[0].message, "refused"));
    ncg_worker_answers_free(&answers, n);
    CHECK_STATUS(NCG_ENOTFOUND,
                 ncg_run_on_workers(ctx, "test.name/1", text(""), nobody, 1,
                                    &answers, &n, &err));
}

/* What a client leaves is let go of when it is gone. */
static void clients_come_and_go(void **state)
{
    ncg_context *mine = ctx;
    int64_t one = 1;
    (void)state;
    ctx = processes_connect(&cluster);
    ncg_future *f = submit("test.add/1", (ncg_bytes){&one, sizeof one}, NULL, 0,
                           NULL);
    assert_int_equal(integer(f), 1);
    processes_await(&cluster, "\"values\": 1", 1);
    ncg_context_destroy(&ctx);
    ctx = mine;
    processes_await(&cluster, "\"values\": 0", 1);
    ncg_error err;
    void *data = NULL;
    size_t size = 0;
    CHECK_STATUS(NCG_ENET, ncg_future_result(f, &data, &size, &err));
    ncg_future_release(&f);
}

/* A worker that leaves hands values over; one that dies has its values made
 * again, and its calls. */
static void workers_leave_and_die(void **state)
{
    enum { N = 8 };
    char file[300];
    ncg_error err;
    ncg_future *f[N], *sum;
    int64_t ten = 10;
    ncg_future_options o = NCG_FUTURE_OPTIONS_INIT;
    (void)state;
    processes_worker(&cluster, "c");
    pid_t c = cluster.pids[cluster.n - 1];
    o.worker = "c";
    for (int i = 0; i < N; i++)
        f[i] = submit("test.add/1", (ncg_bytes){&ten, sizeof ten}, NULL, 0,
                      i ? NULL : &o);
    for (int i = 0; i < N; i++)
        assert_int_equal(integer(f[i]), 10);
    CHECK_OK(ncg_cluster_retire(cluster.file, "c", &err));
    assert_int_equal(waitpid(c, NULL, 0), c);
    cluster.n--;
    processes_await(&cluster, "\"name\": \"c\"", 0);
    assert_int_equal(integer(f[0]), 10); /* only c might make it */
    ncg_future_release(&f[0]);           /* and whoever has it may die now */
    sum = submit("test.add/1", (ncg_bytes){&ten, sizeof ten}, f + 1, N - 1,
                 NULL);
    assert_int_equal(integer(sum), 80);
    path(file, "die");
    ncg_future *again = submit("test.die/1", text(file), &sum, 1, NULL);
    size_t size = 0;
    void *data = NULL;
    CHECK_OK(ncg_future_result(again, &data, &size, &err));
    ncg_free(data);
    assert_int_equal(integer(sum), 80);
    for (int i = 1; i < N; i++) {
        assert_int_equal(integer(f[i]), 10);
        ncg_future_release(&f[i]);
    }
    ncg_future_release(&sum);
    ncg_future_release(&again);
}

static void bad_arguments(void **state)
{
    ncg_error err;
    ncg_future *f = NULL;
    ncg_context *local = NULL;
    (void)state;
    CHECK_STATUS(NCG_EINVAL,
                 ncg_function_register("bad name", add, NULL, &err));
    CHECK_STATUS(NCG_EINVAL, ncg_function_register("ncg.x/1", add, NULL, &err));
    CHECK_STATUS(NCG_EEXISTS,
                 ncg_function_register("test.add/1", name, NULL, &err));
    CHECK_OK(ncg_function_register("test.add/1", add, NULL, &err));
    CHECK_OK(ncg_context_create(NULL, &local, &err));
    CHECK_STATUS(NCG_EUNSUPPORTED, ncg_future_scatter(local, text("x"), &f,
                                                      &err));
    CHECK_MESSAGE("ncg_context_connect");
    CHECK_STATUS(NCG_EINVAL, ncg_future_submit(ctx, NULL, text(""), NULL, 0,
                                               NULL, &f, &err));
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
    register_all();
    if (processes_serve(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        NCG_TEST(values_feed_calls),       NCG_TEST(scattered_values),
        NCG_TEST(errors_come_back),        NCG_TEST(retries),
        NCG_TEST(bound_to_a_worker),
        NCG_TEST(calls_that_take_resources),       NCG_TEST(as_completed_and_cancel),
        NCG_TEST(functions_at_once),       NCG_TEST(clients_come_and_go),
        NCG_TEST(bad_arguments),           NCG_TEST(workers_leave_and_die)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, begin, end);
}
