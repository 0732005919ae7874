/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler alone: a stencil of 3 layers of 1000 x 333 chunks, each of
 * which needs its neighbours (BLOCK nodes with a reach of one chunk either
 * way), replayed with events only. No task is run; a task ends as soon as it
 * has been assigned, the first assigned first.
 *
 *     sched_replay [ROWS COLUMNS [LAYERS [CORES]]]
 *
 * Prints completions a second, and the time that choosing the order took.
 */
#include "stencil.h"

/* What has been assigned, the oldest first; never more than there are cores. */
typedef struct queue {
    nci_event *items;
    int first, count, capacity;
} queue;

static bool collect(nci_actions *actions, queue *q)
{
    bool is_over = false;
    for (size_t i = 0; i < actions->count; i++) {
        const nci_action *a = &actions->items[i];
        is_over = is_over || a->kind == NCI_ACTION_DONE ||
                  a->kind == NCI_ACTION_FAILED;
        if (a->kind != NCI_ACTION_RUN && a->kind != NCI_ACTION_PUT)
            continue;
        q->items[(q->first + q->count++) % q->capacity] = (nci_event){
            .kind = a->kind == NCI_ACTION_RUN ? NCI_EVENT_TASK_DONE
                                              : NCI_EVENT_PUT_DONE,
            .task = a->task,
            .attempt = a->attempt};
    }
    actions->count = 0;
    return is_over;
}

static int64_t replay(nci_sched *sched, int64_t limit, int cores)
{
    nci_event event = {.kind = NCI_EVENT_WORKER_JOINED,
                       .threads = cores,
                       .limit = limit};
    nci_actions actions = {0};
    queue q = {.capacity = cores + 1};
    ncg_error err;
    nci_sched_stats stats;
    q.items = calloc((size_t)q.capacity, sizeof *q.items);
    must(nci_sched_handle(sched, &event, &actions, &err), &err);
    while (!collect(&actions, &q)) {
        event = q.items[q.first];
        q.first = (q.first + 1) % q.capacity;
        q.count--;
        must(nci_sched_handle(sched, &event, &actions, &err), &err);
    }
    free(q.items);
    nci_free(actions.items);
    nci_sched_get_stats(sched, &stats);
    return stats.finished;
}

int main(int argc, char **argv)
{
    int64_t rows = argc > 2 ? atoll(argv[1]) : 1000;
    int64_t columns = argc > 2 ? atoll(argv[2]) : 333;
    int layers = argc > 3 ? atoi(argv[3]) : 3;
    int cores = argc > 4 ? atoi(argv[4]) : 8;
    double start = now();
    nci_plan *plan = make_plan(rows, columns, layers);
    double lowered = now();
    nci_sched_costs costs = {NULL, no_scratch, one_thread};
    nci_sched_choice choice = {0};
    nci_sched *sched = NULL;
    ncg_error err;
    must(nci_sched_choose(plan, &costs, &choice, &err), &err);
    double chosen = now();
    must(nci_sched_create(plan, &costs, &choice, &sched, &err), &err);
    int64_t n = replay(sched, 2 * choice.peak, cores);
    double ended = now();
    printf("%lld tasks: lowering %.3f s, order and peak %.3f s, replay %.3f s "
           "= %.0f completions/s\n",
           (long long)n, lowered - start, chosen - lowered, ended - chosen,
           (double)n / (ended - chosen));
    nci_sched_free(&sched);
    nci_sched_choice_fini(&choice);
    nci_plan_free(&plan);
    return 0;
}
