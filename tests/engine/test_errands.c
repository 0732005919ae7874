/* SPDX-License-Identifier: BSD-3-Clause */
/* A thread that does one thing after the other, and its end. */
#include "engine/cluster/errands.h"

#include "test.h"

enum { MANY = 100 };

typedef struct list {
    int items[MANY];
    int n;
} list;

typedef struct item {
    list *to;
    int number;
} item;

static void append(void *ctx)
{
    const item *it = ctx;
    it->to->items[it->to->n++] = it->number;
}

static void all_are_done_in_order(void **state)
{
    nci_errands *e = NULL;
    list done = {.n = 0};
    item items[MANY];
    ncg_error err;
    (void)state;
    CHECK_OK(nci_errands_create(&e, &err));
    for (int i = 0; i < MANY; i++) {
        items[i] = (item){&done, i};
        CHECK_OK(nci_errands_add(e, append, &items[i], &err));
    }
    nci_errands_free(&e);
    assert_null(e);
    assert_int_equal(done.n, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(done.items[i], i);
}

/* Who brings work may not know yet that this has ended. */
static void nothing_is_taken_after_the_end(void **state)
{
    nci_errands *e = NULL;
    list done = {.n = 0};
    item one = {&done, 1};
    ncg_error err;
    (void)state;
    CHECK_OK(nci_errands_create(&e, &err));
    CHECK_OK(nci_errands_add(e, append, &one, &err));
    nci_errands_end(e);
    assert_int_equal(done.n, 1);
    assert_int_equal(nci_errands_add(e, append, &one, &err), NCG_ECANCELED);
    nci_errands_end(e);
    nci_errands_free(&e);
    assert_int_equal(done.n, 1);
    nci_errands_free(&e);
}

NCG_TESTS(NCG_TEST(all_are_done_in_order),
          NCG_TEST(nothing_is_taken_after_the_end))
