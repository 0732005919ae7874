/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arguments that cannot be right: each gives its status and a sentence that
 * names what is wrong, and leaves the output as it was.
 */
#include <sys/wait.h>

#include "test.h"

typedef struct bed {
    ncg_context *ctx, *other;
    ncg_array *x;    /* f8 [4, 6] in chunks of 2 x 3 */
    ncg_array *y;    /* i4 [3] */
    ncg_array *far;  /* f8 [4, 6] of the other context */
    ncg_array *out;  /* stays what it is: x */
} bed;

static ncg_array *memory(ncg_context *ctx, ncg_dtype dtype, int rank,
                         const int64_t *shape, const int64_t *chunks)
{
    static double zeros[24];
    ncg_array *array = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_from_memory(ctx, dtype, rank, shape, chunks, zeros, NULL,
                                   NULL, NULL, &array, &err));
    return array;
}

static ncg_status refuse(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_EKERNEL;
}

static int set_up(void **state)
{
    static bed b;
    ncg_error err;
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    options.threads = 2;
    CHECK_OK(ncg_context_create(&options, &b.ctx, &err));
    CHECK_OK(ncg_context_create(&options, &b.other, &err));
    CHECK_OK(ncg_kernel_register(b.ctx, "org.example.refuse/1", refuse, NULL,
                                 &err));
    b.x = memory(b.ctx, NCG_DTYPE_F64, 2, (int64_t[]){4, 6},
                 (int64_t[]){2, 3});
    b.y = memory(b.ctx, NCG_DTYPE_I32, 1, (int64_t[]){3}, NULL);
    b.far = memory(b.other, NCG_DTYPE_F64, 2, (int64_t[]){4, 6}, NULL);
    b.out = b.x;
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bed *b = *state;
    ncg_array_release(&b->x);
    ncg_array_release(&b->y);
    ncg_array_release(&b->far);
    ncg_context_destroy(&b->ctx);
    ncg_context_destroy(&b->other);
    return 0;
}

/* BAD: the status, a part of the message, and an output that is untouched. */
#define BAD(status, part, call)                                                \
    do {                                                                       \
        CHECK_STATUS(status, call);                                            \
        CHECK_MESSAGE(part);                                                   \
        assert_ptr_equal(b->out, b->x);                                        \
    } while (0)

static void bad_nulls(void **state)
{
    bed *b = *state;
    ncg_error err;
    ncg_array *none = NULL;
    int64_t sizes[] = {1, 1};
    BAD(NCG_EINVAL, "NULL", ncg_array_cast(NULL, NCG_DTYPE_F32, &b->out, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_cast(b->x, NCG_DTYPE_F32, NULL, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_map(NULL, &b->x, 1, &b->out, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_map("sqrt", &none, 1, &b->out, &err));
    BAD(NCG_EINVAL, "at least one",
        ncg_array_map("sqrt", NULL, 1, &b->out, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_index(b->x, NULL, 1, &b->out, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_reshape(b->x, 2, NULL, &b->out, &err));
    BAD(NCG_EINVAL, "NULL",
        ncg_array_broadcast_to(b->x, 2, NULL, &b->out, &err));
    BAD(NCG_EINVAL, "at least one",
        ncg_array_concatenate(NULL, 0, 0, &b->out, &err));
    BAD(NCG_EINVAL, "NULL",
        ncg_array_pad(b->x, NULL, sizes, "edge", NULL, &b->out, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_rechunk(b->x, NULL, &b->out, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_rechunk_to(b->x, NULL, &b->out, &err));
    BAD(NCG_EINVAL, "NULL",
        ncg_array_reduce(b->x, NULL, 1, NULL, &b->out, &err));
    BAD(NCG_EINVAL, "NULL",
        ncg_array_groupby(b->x, NULL, 0, NULL, 2, NULL, &b->out, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_compute(b->x, NULL, 192, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_each_chunk(b->x, NULL, NULL, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_map_blocks(NULL, &b->x, 1, NULL, &b->out,
                                                 &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_matmul(b->x, NULL, &b->out, &err));
    /* err may be NULL, and nothing is released or said of nothing. */
    assert_int_equal(ncg_array_cast(NULL, NCG_DTYPE_F32, &b->out, NULL),
                     NCG_EINVAL);
    ncg_array_release(NULL);
    ncg_array_release(&none);
    assert_null(ncg_array_retain(NULL));
    assert_null(ncg_array_shape(NULL));
    assert_int_equal(ncg_array_rank(NULL), -1);
}

/* What cannot fail has an answer for nothing, too. */
static void getters_of_nothing(void **state)
{
    ncg_stats stats = {.struct_size = sizeof stats, .tasks = 7};
    char token[33] = "x";
    size_t which = 0;
    (void)state;
    assert_int_equal(ncg_dataset_ndims(NULL), 0);
    assert_null(ncg_dataset_dim_name(NULL, 0));
    assert_int_equal(ncg_dataset_dim_size(NULL, 0), -1);
    assert_int_equal(ncg_dataset_nvars(NULL), 0);
    assert_null(ncg_dataset_var_name(NULL, 0));
    assert_false(ncg_dataset_var_is_data(NULL, 0));
    assert_int_equal(ncg_dataset_var_rank(NULL, 0), -1);
    assert_int_equal(ncg_dataset_var_dim(NULL, 0, 0), -1);
    assert_int_equal(ncg_dataset_find(NULL, "tas"), -1);
    assert_null(ncg_dataset_attr_text(NULL, -1, "title"));
    assert_int_equal(ncg_dtype_parse(NULL), NCG_DTYPE_NONE);
    ncg_array_token(NULL, token);
    assert_string_equal(token, "");
    ncg_context_stats(NULL, &stats);
    assert_int_equal(stats.tasks, 7);
    assert_int_equal(ncg_run_poll(NULL), NCG_RUN_FAILED);
    assert_int_equal(ncg_future_poll(NULL), NCG_RUN_FAILED);
    assert_int_equal(ncg_future_wait(NULL, -1), NCG_RUN_FAILED);
    assert_false(ncg_future_wait_any(NULL, 0, -1, &which));
    ncg_future_cancel(NULL);
}

static void bad_shapes(void **state)
{
    bed *b = *state;
    ncg_error err;
    ncg_array *pair[] = {b->x, b->y}, *far[] = {b->x, b->far};
    int64_t huge[] = {INT64_MAX / 2, INT64_MAX / 2, 4, 6}, minus[] = {-3, 6};
    BAD(NCG_EINVAL, "broadcast", ncg_array_map("add", pair, 2, &b->out, &err));
    BAD(NCG_EINVAL, "2 arrays", ncg_array_map("add", pair, 1, &b->out, &err));
    BAD(NCG_EINVAL, "two contexts",
        ncg_array_map("add", far, 2, &b->out, &err));
    BAD(NCG_EINVAL, "did you mean",
        ncg_array_map("substract", pair, 2, &b->out, &err));
    BAD(NCG_EINVAL, "too large",
        ncg_array_broadcast_to(b->x, 4, huge, &b->out, &err));
    BAD(NCG_EINVAL, "-3",
        ncg_array_broadcast_to(b->x, 2, minus, &b->out, &err));
    BAD(NCG_EINVAL, "17",
        ncg_array_broadcast_to(b->x, 17, huge, &b->out, &err));
    BAD(NCG_EINVAL, "too large", ncg_array_reshape(b->x, 2, huge, &b->out,
                                                   &err));
    BAD(NCG_EINVAL, "", ncg_array_reshape(b->x, 1, (int64_t[]){25}, &b->out,
                                          &err));
    BAD(NCG_EINVAL, "", ncg_array_concatenate(pair, 2, 0, &b->out, &err));
    BAD(NCG_EINVAL, "", ncg_array_stack(pair, 2, 0, &b->out, &err));
    BAD(NCG_EINVAL, "too large",
        ncg_array_pad(b->x, huge, huge, "edge", NULL, &b->out, &err));
    BAD(NCG_EINVAL, "not one of: constant",
        ncg_array_pad(b->x, huge + 2, huge + 2, "mirror", NULL, &b->out,
                      &err));
    BAD(NCG_EINVAL, "", ncg_array_matmul(b->x, b->y, &b->out, &err));
}

static void bad_axes(void **state)
{
    bed *b = *state;
    ncg_error err;
    int two = 2, twice[] = {1, -1};
    BAD(NCG_EINVAL, "from -2 to 1",
        ncg_array_reduce(b->x, &two, 1, NULL, &b->out, &err));
    BAD(NCG_EINVAL, "twice",
        ncg_array_reduce(b->x, twice, 2, NULL, &b->out, &err));
    BAD(NCG_EINVAL, "twice", ncg_array_transpose(b->x, twice, &b->out, &err));
    BAD(NCG_EINVAL, "out of range", ncg_array_flip(b->x, -3, &b->out, &err));
    BAD(NCG_EINVAL, "out of range", ncg_array_roll(b->x, 1, 2, &b->out, &err));
    BAD(NCG_EINVAL, "out of range", ncg_array_diff(b->x, 1, 2, &b->out, &err));
    BAD(NCG_EINVAL, "out of range",
        ncg_array_scan(b->x, NCG_SCAN_SUM, 5, true, 0, &b->out, &err));
    BAD(NCG_EINVAL, "out of range",
        ncg_array_stack(&b->x, 1, 4, &b->out, &err));
    BAD(NCG_EINVAL, "out of range",
        ncg_array_slice(b->x, 2, 0, 1, 1, &b->out, &err));
    BAD(NCG_EINVAL, "out of range",
        ncg_array_tensordot(b->x, b->y, &two, &two, 1, &b->out, &err));
}

static void bad_dtypes_and_options(void **state)
{
    bed *b = *state;
    ncg_error err;
    ncg_array *pair[] = {b->x, b->x};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    BAD(NCG_EINVAL, "dtype",
        ncg_array_cast(b->x, NCG_DTYPE_STRING, &b->out, &err));
    BAD(NCG_EINVAL, "dtype",
        ncg_array_cast(b->x, (ncg_dtype)99, &b->out, &err));
    BAD(NCG_EINVAL, "bitwise",
        ncg_array_map("bitwise_and", pair, 2, &b->out, &err));
    how.op = (ncg_op)77;
    BAD(NCG_EINVAL, "77", ncg_array_reduce(b->x, NULL, 0, &how, &b->out, &err));
    how.op = NCG_OP_MIN;
    BAD(NCG_EINVAL, "weights",
        ncg_array_weighted(b->x, b->x, NULL, 0, &how, &b->out, &err));
    how.min_count = -1;
    BAD(NCG_EINVAL, "negative",
        ncg_array_reduce(b->x, NULL, 0, &how, &b->out, &err));
    how.struct_size = 0;
    BAD(NCG_EINVAL, "NCG_REDUCE_OPTIONS_INIT",
        ncg_array_reduce(b->x, NULL, 0, &how, &b->out, &err));
    BAD(NCG_EINVAL, "", ncg_array_weighted(b->x, b->y, NULL, 0, NULL, &b->out,
                                           &err));
    BAD(NCG_EINVAL, "label 2",
        ncg_array_groupby(b->x, NULL, 0, (int32_t[]){0, 1, 2, 0}, 2, NULL,
                          &b->out, &err));
    BAD(NCG_EINVAL, "scan",
        ncg_array_scan(b->x, (ncg_scan)9, 0, true, 0, &b->out, &err));
    double data[24];
    BAD(NCG_EINVAL, "192", ncg_array_compute(b->x, data, 100, &err));
}

/* What walks expressions calls itself: more of them than its stack has room
 * for are refused, not met by a crash. */
static void bad_depth(void **state)
{
    enum { FINE = 1900, TOO_MANY = 2100 };
    bed *b = *state;
    ncg_error err;
    ncg_array *sum = ncg_array_retain(b->x);
    ncg_status st = NCG_OK;
    double data[24];
    for (int i = 0; !st && i < TOO_MANY; i++) {
        ncg_array *pair[] = {sum, b->x}, *next = NULL;
        st = ncg_array_map("add", pair, 2, &next, &err);
        if (st)
            break;
        ncg_array_release(&sum);
        sum = next;
        if (i == FINE)
            CHECK_OK(ncg_array_compute(sum, data, sizeof data, &err));
    }
    assert_int_equal(st, NCG_EUNSUPPORTED);
    CHECK_MESSAGE("one upon another: persist");
    ncg_array_release(&sum);
}

static void bad_chunks(void **state)
{
    bed *b = *state;
    ncg_error err;
    int64_t two[] = {2, 2}, three[] = {3, 3}, zero[] = {4, 0}, five[] = {5, -2};
    int64_t over[] = {INT64_MAX, 5};
    ncg_chunks wrong[] = {{2, two}, {1, three}}, none[] = {{2, zero}, {2, three}};
    ncg_chunks large[] = {{2, over}, {2, three}}, lost[] = {{2, NULL}, {2, two}};
    BAD(NCG_EINVAL, "add up to 3, not to its 6",
        ncg_array_rechunk_to(b->x, wrong, &b->out, &err));
    BAD(NCG_EINVAL, "chunk 1 of axis 0",
        ncg_array_rechunk_to(b->x, none, &b->out, &err));
    BAD(NCG_EINVAL, "larger",
        ncg_array_rechunk_to(b->x, large, &b->out, &err));
    BAD(NCG_EINVAL, "NULL", ncg_array_rechunk_to(b->x, lost, &b->out, &err));
    BAD(NCG_EINVAL, "-2", ncg_array_rechunk(b->x, five, &b->out, &err));
}

static void bad_kernels(void **state)
{
    bed *b = *state;
    ncg_error err;
    ncg_array *y = NULL;
    double data[24];
    int64_t two[] = {2, 2}, six[] = {6}, low[] = {0, 0}, high[] = {2, 9};
    ncg_chunks chunks[] = {{2, two}, {1, six}};
    ncg_reach far[2] = {{0, 0, 0, 0, 0, low, high}, {1, 0, 0, 0, 0, NULL, NULL}};
    ncg_reach axis[2] = {{7, 0, 0, 0, 0, NULL, NULL}, {0}};
    const ncg_reach *reach[] = {far}, *other[] = {axis};
    ncg_reduction_options how = NCG_REDUCTION_OPTIONS_INIT;
    const char *name = "org.example.refuse/1";
    BAD(NCG_ENOTFOUND, "ncg_kernel_register",
        ncg_array_map_blocks("org.example.other/1", &b->x, 1, NULL, &b->out,
                             &err));
    BAD(NCG_EINVAL, "positions",
        ncg_array_blockwise(name, 2, chunks, &b->x, reach, 1, NULL, &b->out,
                            &err));
    BAD(NCG_EINVAL, "axis 7",
        ncg_array_blockwise(name, 2, chunks, &b->x, other, 1, NULL, &b->out,
                            &err));
    BAD(NCG_EINVAL, "not one of: none",
        ncg_array_map_overlap(name, b->x, two, "around", NULL, &b->out, &err));
    BAD(NCG_EINVAL, "depth 9",
        ncg_array_map_overlap(name, b->x, (int64_t[]){9, 0}, NULL, NULL,
                              &b->out, &err));
    BAD(NCG_EINVAL, "combine",
        (how.chunk = name,
         ncg_array_reduction(b->x, NULL, 0, &how, &b->out, &err)));
    CHECK_OK(ncg_array_map_blocks(name, &b->x, 1, NULL, &y, &err));
    memset(data, 1, sizeof data);
    BAD(NCG_EKERNEL, "refuse", ncg_array_compute(y, data, sizeof data, &err));
    ncg_array_release(&y);
}

static ncg_status stop_at_two(const ncg_chunk *chunk, void *payload,
                              ncg_error *err)
{
    int *n = payload;
    (void)chunk, (void)err;
    return ++*n == 2 ? NCG_ECANCELED : NCG_OK;
}

static ncg_status torn(void *payload, const int64_t *start,
                       const int64_t *count, void *out, ncg_error *err)
{
    (void)payload, (void)start, (void)count, (void)out;
    snprintf(err->message, sizeof err->message, "the tape is torn");
    return NCG_EIO;
}

/* Who failed, what it says, its key, and the layers that led to it. */
static void failing_functions_are_named(void **state)
{
    bed *b = *state;
    ncg_error err;
    ncg_array *tape, *mean = NULL;
    const int64_t shape[] = {4, 6}, chunk[] = {2, 6};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    double value;
    CHECK_OK(ncg_array_from_callback(b->ctx, "tape", NCG_DTYPE_F64, 2, shape,
                                     chunk, NULL, torn, NULL, NULL, &tape,
                                     &err));
    CHECK_OK(ncg_array_reduce(tape, NULL, 0, &how, &mean, &err));
    CHECK_STATUS(NCG_EIO, ncg_array_compute(mean, &value, sizeof value, &err));
    CHECK_MESSAGE("tape: the function that fills chunk ");
    CHECK_MESSAGE(": the tape is torn; task ('");
    CHECK_MESSAGE(" <- ");
    ncg_array_release(&mean);
    ncg_array_release(&tape);
}

static void bad_callbacks(void **state)
{
    bed *b = *state;
    ncg_error err;
    int n = 0;
    BAD(NCG_ECANCELED, "callback",
        ncg_array_each_chunk(b->x, stop_at_two, &n, &err));
    assert_int_equal(n, 2);
}

/* Where assertions are on, a handle that was released is told as what it is. */
static void bad_released_handles(void **state)
{
#ifdef NDEBUG
    (void)state;
    print_message("skipped: assertions are off\n");
#else
    bed *b = *state;
    ncg_error err;
    ncg_array *gone = memory(b->ctx, NCG_DTYPE_F64, 0, NULL, NULL), *copy = gone;
    ncg_array_release(&copy);
    BAD(NCG_EINVAL, "released before",
        ncg_array_cast(gone, NCG_DTYPE_F32, &b->out, &err));
    BAD(NCG_EINVAL, "not a handle of a",
        ncg_array_cast((ncg_array *)(void *)b->ctx, NCG_DTYPE_F32, &b->out,
                       &err));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        ncg_array_rank(gone);
        _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
#endif
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(bad_nulls),
        NCG_TEST(getters_of_nothing),
        NCG_TEST(failing_functions_are_named),
        NCG_TEST(bad_shapes),
        NCG_TEST(bad_axes),
        NCG_TEST(bad_dtypes_and_options),
        NCG_TEST(bad_depth),
        NCG_TEST(bad_chunks),
        NCG_TEST(bad_kernels),
        NCG_TEST(bad_callbacks),
        NCG_TEST(bad_released_handles),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
