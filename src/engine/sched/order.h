/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_ORDER_H
#define NCI_ENGINE_SCHED_ORDER_H
/*
 * The static order of a plan's tasks: a depth-first walk that frees memory
 * early. Before each task come the tasks that it needs. There is more than one
 * way to walk; which one is best for a plan is found by replaying (choose.h).
 * The order depends on the plan alone. It is made lazily: a walk holds one bit
 * a task and a stack, never the list.
 */
#include "graph/plan.h"

/* A way to walk; all zero: outputs one after the other, chunks of an output in
 * row-major order, inputs ascending. */
typedef struct nci_order_way {
    bool is_woven;         /* outputs by turns, all at the same pace */
    const int64_t *weight; /* one a task: heavier inputs first; NULL: ascending */
    const int64_t *list;   /* the order itself, made beforehand; NULL */
    int64_t nlist;
} nci_order_way;

typedef struct nci_order {
    const nci_plan *plan;
    nci_order_way way;
    uint64_t *seen; /* one bit a task: already handed out */
    int64_t *chunk; /* of each output: the walk stands before this one */
    int64_t at;     /* in the list */
    int64_t *stack; /* task, or ~task once its inputs lie above it */
    size_t depth, capacity;
    bool failed; /* memory ran out while inputs were pushed */
} nci_order;

/* nci_order_init: way NULL is the plain one; its lists are borrowed. */
ncg_status nci_order_init(nci_order *order, const nci_plan *plan,
                          const nci_order_way *way, ncg_error *err);
void nci_order_fini(nci_order *order);
/* nci_order_next stores the next task, -1 at the end. Errors: ENOMEM. */
ncg_status nci_order_next(nci_order *order, int64_t *task, ncg_error *err);
/* nci_order_seen tells whether a task has been handed out. */
static inline bool nci_order_seen(const nci_order *order, int64_t task)
{
    return order->seen[task >> 6] >> (task & 63) & 1;
}

/* nci_order_needed: tasks that no output needs never run, so they do not keep
 * their inputs alive. *out is one bit a needed task, or NULL where all are
 * (told from the relations alone). The caller frees it by nci_free. */
ncg_status nci_order_needed(const nci_plan *plan, uint64_t **out,
                            ncg_error *err);

/* nci_needed_dependents counts the needed tasks that need `task`, once for
 * each of the inputs through which they do. */
int64_t nci_needed_dependents(const nci_plan *plan, const uint64_t *needed,
                              int64_t task);

#endif
