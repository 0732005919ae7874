/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What explicit tasks cost: tasks that do nothing, independent, in a chain and
 * in a 4-ary tree whose root is asked for; and listing ten million of them. For
 * a layered graph of ten million tasks: how long it takes from the expression
 * to its first task, and how much memory.
 *
 *     tasks [TASKS [THREADS]]      default: 1000000 tasks on 1, 2 ... threads
 *
 * Prints microseconds a task a core: seconds x threads / tasks.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ncgraph.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static ncg_status nothing(const ncg_task_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

typedef enum shape { INDEPENDENT, CHAIN, TREE } shape;
static const char *const names[] = {"independent", "chain", "4-ary tree"};

/* Inputs of n tasks: `first` has n + 1 places, `deps` n. */
static void fill(shape s, int64_t n, int64_t *first, int64_t *deps)
{
    int64_t at = 0, child = 0;
    int64_t leaves = s == TREE ? (3 * n + 1) / 4 : s == CHAIN ? 1 : n;
    for (int64_t i = 0; i < n; i++) {
        first[i] = at;
        if (i < leaves)
            continue;
        for (int k = 0; k < (s == TREE ? 4 : 1) && child < i; k++)
            deps[at++] = child++;
    }
    first[n] = at;
}

typedef struct listed {
    ncg_tasks *tasks;
    ncg_graph *graph;
    ncg_keys *keys;
    double seconds;
} listed;

static listed make(shape s, int64_t n)
{
    int64_t *first = malloc((size_t)(n + 1) * sizeof *first);
    int64_t *deps = malloc((size_t)(n + 1) * sizeof *deps);
    listed l = {0};
    ncg_key last;
    ncg_error err;
    fill(s, n, first, deps);
    double start = now();
    must(ncg_tasks_create(&l.tasks, &err), &err);
    must(ncg_tasks_add_many(l.tasks, n, nothing, NULL,
                            s == INDEPENDENT ? NULL : first, deps, NULL, &err),
         &err);
    must(ncg_graph_of_tasks(l.tasks, NULL, &l.graph, &err), &err);
    l.seconds = now() - start;
    must(ncg_tasks_key(l.tasks, NULL, n - 1, &last, &err), &err);
    must(s == INDEPENDENT ? ncg_keys_tasks(l.tasks, &l.keys, &err)
                          : ncg_keys_list(&last, 1, &l.keys, &err),
         &err);
    free(first);
    free(deps);
    return l;
}

static void drop(listed *l)
{
    ncg_keys_release(&l->keys);
    ncg_graph_release(&l->graph);
    ncg_tasks_free(&l->tasks);
}

static void run(shape s, int64_t n, int threads)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_results *results = NULL;
    ncg_error err;
    options.threads = threads;
    must(ncg_context_create(&options, &ctx, &err), &err);
    listed l = make(s, n);
    ncg_stats stats = {.struct_size = sizeof stats};
    double start = now();
    must(ncg_get_threads(ctx, l.graph, l.keys, &results, &err), &err);
    double seconds = now() - start;
    ncg_results_release(&results);
    ncg_context_stats(ctx, &stats);
    double cores = s == CHAIN ? 1 : threads;
    printf("%-12s %9lld tasks %2d threads  %7.3f s  %6.3f us a task a core "
           "(running alone: %6.3f)\n",
           names[s], (long long)n, threads, seconds,
           1e6 * seconds * cores / (double)n,
           1e6 * stats.seconds * cores / (double)n);
    drop(&l);
    ncg_context_destroy(&ctx);
}

static long peak_kilobytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void list_many(void)
{
    const int64_t n = 10000000;
    for (shape s = INDEPENDENT; s <= TREE; s++) {
        listed l = make(s, n);
        printf("listing      %9lld tasks (%s)  %.3f s\n", (long long)n,
               names[s], l.seconds);
        drop(&l);
    }
    printf("peak of resident memory, with the arrays of this program: %ld "
           "bytes a task\n",
           peak_kilobytes() * 1024 / n);
}

/* ---- a layered graph ------------------------------------------- */

typedef struct first_call {
    ncg_context *ctx;
    double at;
    long kilobytes; /* of the heap, then */
    bool was;
} first_call;

/* What the graph takes, a bit a task, and the tables of the first task; chunks
 * are mapped. */
static long heap_kilobytes(void)
{
    struct mallinfo2 heap = mallinfo2();
    return (long)((heap.uordblks + heap.hblkhd) / 1024);
}

/* The first values that a task asks for end the run. */
static ncg_status tell_first(void *payload, const int64_t *start,
                             const int64_t *count, void *out, ncg_error *err)
{
    first_call *first = payload;
    (void)start, (void)err;
    memset(out, 0, (size_t)(count[0] * count[1]) * sizeof(double));
    if (!first->was) {
        first->was = true;
        first->at = now();
        first->kilobytes = heap_kilobytes();
    }
    ncg_context_cancel(first->ctx);
    return NCG_OK;
}

static ncg_status no_work(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

/* Small chunks, a kernel on each, twice, and their sum. */
static ncg_array *layered(first_call *first, int64_t side)
{
    const int64_t shape[2] = {8 * side, 8 * side}, chunk[2] = {8, 8};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *x, *y, *z, *sum;
    ncg_error err;
    how.op = NCG_OP_SUM;
    must(ncg_array_from_callback(first->ctx, NULL, NCG_DTYPE_F64, 2, shape,
                                 chunk, NULL, tell_first, NULL, first, &x,
                                 &err),
         &err);
    must(ncg_array_map_blocks("org.example.nothing/1", &x, 1, NULL, &y, &err),
         &err);
    must(ncg_array_map_blocks("org.example.nothing/1", &y, 1, NULL, &z, &err),
         &err);
    must(ncg_array_reduce(z, NULL, 0, &how, &sum, &err), &err);
    ncg_array_release(&x);
    ncg_array_release(&y);
    ncg_array_release(&z);
    return sum;
}

static void submit_layered(int64_t side)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    first_call first = {0};
    ncg_error err;
    double value;
    options.threads = 1;
    options.memory_limit = (int64_t)1 << 30;
    must(ncg_context_create(&options, &first.ctx, &err), &err);
    must(ncg_kernel_register(first.ctx, "org.example.nothing/1", no_work, NULL,
                             &err),
         &err);
    long before = heap_kilobytes();
    double start = now();
    ncg_array *sum = layered(&first, side);
    ncg_array_compute(sum, &value, sizeof value, &err);
    printf("layered      %9lld tasks a layer, 2 layers  %.3f s to the first "
           "task, %ld KiB of heap\n",
           (long long)(side * side), first.at - start,
           first.kilobytes - before);
    ncg_array_release(&sum);
    ncg_context_destroy(&first.ctx);
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : 1000000;
    int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    int low = argc > 2 ? atoi(argv[2]) : 1, high = argc > 2 ? low : cores;
    for (int threads = low; threads <= high; threads *= 2)
        for (shape s = INDEPENDENT; s <= TREE; s++)
            run(s, n, threads);
    if (argc < 2) {
        submit_layered(100); /* the library is all there */
        submit_layered(2237);
        list_many();
    }
    return 0;
}
