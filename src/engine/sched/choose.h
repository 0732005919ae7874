/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_CHOOSE_H
#define NCI_ENGINE_SCHED_CHOOSE_H
/*
 * Choosing the order of a plan: a few candidates are replayed on one thread,
 * the one with the least peak of managed bytes is kept (the first of equals).
 *
 *     plain     outputs one after the other, inputs ascending
 *     woven     outputs by turns: what they share is needed by all at once
 *     heavy     the input first whose making needs most beyond what it leaves
 *               (Sethi and Ullman, "The generation of optimal code for
 *               arithmetic expressions", 1970, on bytes instead of registers)
 *     closing   what is ready comes next where it leaves little
 *     greedy    next is what costs least memory among the users of what is
 *               alive
 *
 * All but plain and woven look at each task and are for plans up to some size only;
 * plans that need little memory are left in the plain order.
 * Of plans that have more tasks than can be replayed in a moment the peak is
 * bounded from their layers (nci_sched_bound), where the bound is good enough.
 * The order depends on plan and costs, never on threads or memory limit.
 */
#include "engine/sched/order.h"
#include "engine/sched/sched.h"

typedef struct nci_sched_choice {
    nci_order_way way;
    const char *name; /* of the candidate */
    int64_t peak;     /* bytes that the plan needs in this order, at most */
    bool is_bound;    /* of many tasks; the peak was not found by replaying */
    int64_t *memory;  /* owned; what `way` points to */
} nci_sched_choice;

/* What is known without looking at each task. */
typedef struct nci_sched_limits {
    /* The most scratch that any task of a layer takes on one thread; -1: not
     * known. Called with the costs' ctx. */
    int64_t (*most_scratch)(void *ctx, int layer);
    int64_t enough; /* a plan of many tasks that surely needs no more than that
                       is not replayed to learn how much it needs */
    bool order_only; /* the peak does not matter: nothing is replayed for it */
} nci_sched_limits;

/* nci_sched_choose_within is nci_sched_choose that bounds the peak where
 * `limits` (NULL: nothing is known) allow it. */
ncg_status nci_sched_choose_within(const nci_plan *plan,
                                   const nci_sched_costs *costs,
                                   const nci_sched_limits *limits,
                                   nci_sched_choice *out, ncg_error *err);
/* nci_sched_floor_within is nci_sched_floor that bounds what the largest task of
 * many takes where `limits` allow it. */
ncg_status nci_sched_floor_within(const nci_plan *plan,
                                  const nci_sched_costs *costs,
                                  const nci_sched_limits *limits, int64_t *out,
                                  ncg_error *err);
/* nci_sched_choose: the choice has to outlive the schedulers made with it. */
ncg_status nci_sched_choose(const nci_plan *plan, const nci_sched_costs *costs,
                            nci_sched_choice *out, ncg_error *err);
void nci_sched_choice_fini(nci_sched_choice *choice);

/* nci_sched_peak replays the plan in an order (NULL: plain) on one thread and
 * returns the bytes that needs. */
ncg_status nci_sched_peak(const nci_plan *plan, const nci_sched_costs *costs,
                          const nci_order_way *way, int64_t *out,
                          ncg_error *err);

/* nci_sched_bound bounds that peak for the plain order without looking at each
 * task (bound.c); -1 where most_scratch(ctx, layer) does not know. */
ncg_status nci_sched_bound(const nci_plan *plan,
                           int64_t (*most_scratch)(void *ctx, int layer),
                           void *ctx, int64_t *out, ncg_error *err);

/* nci_sched_floor_bound bounds nci_sched_floor in the same way. */
int64_t nci_sched_floor_bound(const nci_plan *plan,
                              int64_t (*most_scratch)(void *ctx, int layer),
                              void *ctx);

/* nci_order_weights fills weight[ntasks] for the heavy candidate. */
ncg_status nci_order_weights(const nci_plan *plan, const nci_sched_costs *costs,
                             int64_t *weight, ncg_error *err);
/* nci_order_closing makes the closing list, list[ntasks], of *n tasks. */
ncg_status nci_order_closing(const nci_plan *plan, int64_t *list, int64_t *n,
                             ncg_error *err);
/* nci_order_greedy makes the greedy list, list[ntasks], of *n tasks; *n is 0
 * where it gave up because the search took too long. */
ncg_status nci_order_greedy(const nci_plan *plan, const int64_t *weight,
                            int64_t *list, int64_t *n, ncg_error *err);

#endif
