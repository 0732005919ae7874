/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process remembers of the tasks that it ran. */
#include <string.h>
#include <time.h>

#include "api/oom.h"
#include "ncgraph.h"
#include "test.h"

enum { N = 64, STEP = 16, ROOM = 32 };

static ncg_context *ctx;

static int set_up(void **state)
{
    ncg_error err;
    (void)state;
    return ncg_context_create(NULL, &ctx, &err);
}

static int tear_down(void **state)
{
    (void)state;
    ncg_context_destroy(&ctx);
    return 0;
}

/* The values in ascending order of an array in four chunks. */
static void sort_some(void)
{
    double values[N];
    ncg_array *x = NULL, *y = NULL;
    ncg_error err;
    CHECK_OK(ncg_array_arange(ctx, NCG_DTYPE_F64, N, 0, -1, STEP, &x, &err));
    CHECK_OK(ncg_array_sort(x, 0, &y, &err));
    CHECK_OK(ncg_array_compute(y, values, sizeof values, &err));
    CHECK_NEAR(values[0], 1, 0);
    ncg_array_release(&x);
    ncg_array_release(&y);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void nothing_is_noted_unless_asked_for(void **state)
{
    ncg_task_note notes[ROOM];
    (void)state;
    sort_some();
    assert_int_equal(ncg_task_log(0, notes, ROOM), 0);
}

static void tasks_are_noted_in_the_order_of_their_ends(void **state)
{
    ncg_task_note notes[ROOM];
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_task_log_start(ROOM, &err));
    double begin = now();
    sort_some();
    double end = now();
    size_t n = ncg_task_log(begin, notes, ROOM), sorts = 0;
    assert_in_range(n, 1, ROOM);
    for (size_t i = 0; i < n; i++) {
        assert_true(begin <= notes[i].start && notes[i].start <= notes[i].stop);
        assert_true(notes[i].stop <= end);
        assert_true(i == 0 || notes[i - 1].stop <= notes[i].stop);
        assert_int_equal(strlen(notes[i].token), 32);
        assert_int_equal(notes[i].status, NCG_OK);
        sorts += !strcmp(notes[i].kind, "block") &&
                 !strncmp(notes[i].kernel, "ncg.sort", 8);
    }
    assert_true(sorts > 0);
    assert_int_equal(ncg_task_log(end + 1, notes, ROOM), 0);
    assert_int_equal(ncg_task_log(begin, NULL, 0), n); /* how many there are */
    CHECK_OK(ncg_task_log_start(0, &err));
}

static void the_last_ones_are_kept(void **state)
{
    ncg_task_note notes[ROOM];
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_task_log_start(2, &err));
    sort_some();
    double between = now();
    sort_some();
    assert_int_equal(ncg_task_log(0, notes, ROOM), 2);
    assert_true(notes[0].stop >= between);
    assert_int_equal(ncg_task_log(0, notes, 1), 2);
    CHECK_OK(ncg_task_log_start(ROOM, &err));
    assert_int_equal(ncg_task_log(0, notes, ROOM), 0);
    CHECK_OK(ncg_task_log_start(0, &err));
    sort_some();
    assert_int_equal(ncg_task_log(0, notes, ROOM), 0);
}

static ncg_status step_start(void *arg, ncg_error *err)
{
    (void)arg;
    return ncg_task_log_start(2 * ROOM, err);
}

/* Without memory for another log the one that is there goes on. */
static void no_memory_leaves_the_log(void **state)
{
    ncg_task_note notes[ROOM];
    ncg_error err;
    (void)state;
    CHECK_OK(ncg_task_log_start(ROOM, &err));
    sort_some();
    size_t n = ncg_task_log(0, notes, ROOM);
    assert_true(n > 0);
    nci_mem_fail_at(1);
    assert_int_equal(step_start(NULL, &err), NCG_ENOMEM);
    nci_mem_fail_at(0);
    assert_int_equal(ncg_task_log(0, notes, ROOM), n);
    fail_each_allocation("task log", step_start, NULL);
    CHECK_OK(ncg_task_log_start(0, &err));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(nothing_is_noted_unless_asked_for),
        NCG_TEST(tasks_are_noted_in_the_order_of_their_ends),
        NCG_TEST(the_last_ones_are_kept), NCG_TEST(no_memory_leaves_the_log)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
