/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler of a cluster alone: the stencil of sched_replay.c on many
 * workers, with events only. Workers answer in turn; what they are to fetch has
 * come as soon as it is asked for, and a task ends when its turn comes.
 *
 *     cluster_replay [WORKERS [THREADS [ROWS COLUMNS [LAYERS]]]]
 *
 * Prints how long the workers took to join, with the first tasks sent; then
 * completions a second; the worst and the mean time of an event; what was
 * fetched; and the resident memory that the scheduler took.
 */
#include <unistd.h>

#include "stencil.h"

/* Answers that are to come, the oldest first. */
typedef struct queue {
    nci_event *items;
    size_t first, count, capacity;
} queue;

static void push(queue *q, const nci_event *event)
{
    if (q->count == q->capacity) {
        size_t capacity = q->capacity ? 2 * q->capacity : 1024;
        nci_event *items = malloc(capacity * sizeof *items);
        for (size_t i = 0; i < q->count; i++)
            items[i] = q->items[(q->first + i) % q->capacity];
        free(q->items);
        *q = (queue){items, 0, q->count, capacity};
    }
    q->items[(q->first + q->count++) % q->capacity] = *event;
}

static bool collect(nci_actions *actions, queue *q)
{
    bool is_over = false;
    for (size_t i = 0; i < actions->count; i++) {
        const nci_action *a = &actions->items[i];
        nci_event e = {.worker = a->worker,
                       .task = a->task,
                       .attempt = a->attempt,
                       .spent = 10000000};
        is_over = is_over || a->kind == NCI_ACTION_DONE ||
                  a->kind == NCI_ACTION_FAILED;
        if (a->kind == NCI_ACTION_RUN)
            e.kind = NCI_EVENT_TASK_DONE;
        else if (a->kind == NCI_ACTION_PUT)
            e.kind = NCI_EVENT_PUT_DONE;
        else if (a->kind == NCI_ACTION_FETCH)
            e.kind = NCI_EVENT_FETCHED;
        else if (a->kind == NCI_ACTION_RECALL)
            continue; /* it came too late */
        else
            continue;
        push(q, &e);
    }
    actions->count = 0;
    return is_over;
}

static double resident(void)
{
    long pages = 0, all = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void join_all(nci_sched *sched, int workers, int threads,
                     nci_actions *actions, queue *q)
{
    ncg_error err;
    for (int i = 0; i < workers; i++) {
        nci_event joined = {.kind = NCI_EVENT_WORKER_JOINED,
                            .worker = (uint32_t)i,
                            .threads = threads,
                            .limit = INT64_C(1) << 40};
        must(nci_sched_handle(sched, &joined, actions, &err), &err);
        collect(actions, q);
    }
}

typedef struct times {
    int64_t events;
    double worst, all;
} times;

static times replay(nci_sched *sched, nci_actions *actions, queue *q)
{
    times t = {0};
    ncg_error err;
    double before = now(), start = before;
    bool is_over = false;
    while (!is_over && q->count) {
        nci_event event = q->items[q->first];
        q->first = (q->first + 1) % q->capacity;
        q->count--;
        must(nci_sched_handle(sched, &event, actions, &err), &err);
        is_over = collect(actions, q);
        double after = now();
        if (after - before > t.worst)
            t.worst = after - before;
        before = after;
        t.events++;
    }
    t.all = before - start;
    return t;
}

int main(int argc, char **argv)
{
    int workers = argc > 1 ? atoi(argv[1]) : 100;
    int threads = argc > 2 ? atoi(argv[2]) : 4;
    int64_t rows = argc > 4 ? atoll(argv[3]) : 1000;
    int64_t columns = argc > 4 ? atoll(argv[4]) : 333;
    int layers = argc > 5 ? atoi(argv[5]) : 3;
    nci_plan *plan = make_plan(rows, columns, layers);
    nci_sched_costs costs = {NULL, no_scratch, one_thread};
    nci_cluster_options options = NCI_CLUSTER_OPTIONS_INIT;
    nci_sched_choice choice = {0};
    nci_sched *sched = NULL;
    nci_actions actions = {0};
    nci_sched_stats stats;
    queue q = {0};
    ncg_error err;
    must(nci_sched_choose(plan, &costs, &choice, &err), &err);
    must(nci_sched_floor(plan, &costs, &options.floor, &err), &err);
    double memory = resident();
    must(nci_sched_create(plan, &costs, &choice, &sched, &err), &err);
    options.looks_ahead = false;
    options.put_depth = 64;
    must(nci_sched_open_cluster(sched, &options, &err), &err);
    double start = now();
    join_all(sched, workers, threads, &actions, &q);
    double joined = now();
    times t = replay(sched, &actions, &q);
    nci_sched_get_stats(sched, &stats);
    printf("%5d workers x %d: join %7.3f s; %lld tasks in %.3f s = %.0f "
           "completions/s; %.2f us a completion, %.2f us an event, worst %.1f "
           "ms; fetched %.1f%%, stolen %lld; %.0f MB\n",
           workers, threads, joined - start, (long long)stats.finished, t.all,
           (double)stats.finished / t.all,
           1e6 * t.all / (double)stats.finished,
           1e6 * t.all / (double)t.events, 1e3 * t.worst,
           100.0 * (double)stats.fetched /
               ((double)stats.finished * 8 * SIDE * SIDE),
           (long long)stats.stolen, resident() - memory);
    nci_sched_free(&sched);
    nci_sched_choice_fini(&choice);
    nci_plan_free(&plan);
    nci_free(actions.items);
    free(q.items);
    return 0;
}
