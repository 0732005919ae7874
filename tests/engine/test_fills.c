/* SPDX-License-Identifier: BSD-3-Clause */
/* Default fills that other processes met: each task counts once, whatever is
 * told. */
#include "test.h"

#include "engine/fills.h"

enum { OF_FIRST = 100, OF_SECOND = 30 };

static nci_layer layers[] = {
    {.kind = NCI_LAYER_FUSED, .base = 0, .ntasks = OF_FIRST},
    {.kind = NCI_LAYER_FUSED, .base = OF_FIRST, .ntasks = OF_SECOND}};
static const nci_plan plan = {
    .layers = layers, .nlayers = 2, .ntasks = OF_FIRST + OF_SECOND};

static void each_task_counts_once(void **state)
{
    nci_fills_told told = {0};
    (void)state;
    assert_int_equal(told.nlayers, 0); /* nothing is sent where none was met */
    for (int round = 0; round < 3; round++)
        for (int64_t task = 0; task < plan.ntasks; task++)
            nci_fills_tell(&told, &plan, task, task + 1);
    assert_int_equal(told.nlayers, 2);
    assert_int_equal(told.of_layer[0], OF_FIRST * (OF_FIRST + 1) / 2);
    assert_int_equal(told.of_layer[1],
                     OF_SECOND * OF_FIRST + OF_SECOND * (OF_SECOND + 1) / 2);
    nci_fills_told_fini(&told);
    assert_null(told.of_layer);
}

static void sums_stay_numbers(void **state)
{
    nci_fills_told told = {0};
    (void)state;
    nci_fills_tell(&told, &plan, 3, INT64_MAX - 1);
    nci_fills_tell(&told, &plan, 4, 2);
    nci_fills_tell(&told, &plan, 5, 1);
    assert_true(told.of_layer[0] == INT64_MAX);
    nci_fills_told_fini(&told);
}

/* What a scheduler sends may be anything; these layers read no files. */
static void any_counts_are_safe(void **state)
{
    ncg_error err;
    nci_source_table *sources = NULL;
    const int64_t counts[] = {-5, INT64_MAX, 7, 1};
    (void)state;
    CHECK_OK(nci_source_table_create(&sources, &err));
    for (int64_t n = 0; n <= 4; n++)
        assert_int_equal(nci_fills_given(&plan, sources, counts, n), 0);
    assert_int_equal(nci_fills_given(&plan, NULL, counts, 2), 0);
    nci_source_table_free(&sources);
}

NCG_TESTS(NCG_TEST(each_task_counts_once), NCG_TEST(sums_stay_numbers),
          NCG_TEST(any_counts_are_safe))
