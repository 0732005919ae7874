/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Explicit tasks on the workers of a cluster: the values that come back are
 * those of the same tasks run one after the other in this process, and other
 * processes have made them. Run under mpirun; prints how many values agree.
 */
#include <ncgraph.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP "org.example.step/1"
#define WHERE "org.example.where/1"

enum { ROWS = 12, COLUMNS = 9, TASKS = ROWS * COLUMNS + 1 };

static void drop(void *data, void *payload)
{
    (void)payload;
    free(data);
}

/* Some thousand numbers, more or fewer as the parameter says, that hold the
 * sums of the inputs' first and last ones. */
static ncg_status step(const ncg_task_call *call, ncg_error *err)
{
    int32_t length;
    (void)err;
    memcpy(&length, call->params, sizeof length);
    double sum = length, *out = malloc((size_t)length * sizeof *out);
    if (!out)
        return NCG_ENOMEM;
    for (size_t i = 0; i < call->ninputs; i++) {
        const double *in = call->inputs[i].data;
        sum += in[0] + in[call->inputs[i].nbytes / sizeof *in - 1];
    }
    for (int32_t i = 0; i < length; i++)
        out[i] = sum + i;
    *call->output =
        (ncg_value){out, (size_t)length * sizeof *out, drop, NULL};
    return NCG_OK;
}

static ncg_status where(const ncg_task_call *call, ncg_error *err)
{
    int64_t *pid = malloc(sizeof *pid);
    (void)err;
    if (!pid)
        return NCG_ENOMEM;
    *pid = getpid();
    *call->output = (ncg_value){pid, sizeof *pid, drop, NULL};
    return NCG_OK;
}

/* A grid of tasks: each needs two of the row above, the first row chunks of
 * an array. */
static ncg_status list(ncg_tasks *tasks, ncg_array *x, ncg_error *err)
{
    ncg_key key = {.rank = 1};
    char names[3][64], chunk[NCG_KEY_TEXT_SIZE];
    ncg_array_token(x, key.layer);
    ncg_status st = ncg_tasks_add_named(tasks, "where", WHERE, NULL, 0, NULL,
                                        0, NULL, err);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; !st && c < COLUMNS; c++) {
            const char *deps[2] = {names[1], names[2]};
            int32_t length = 1 + (r * 977 + c * 3571) % 20000;
            key.index[0] = c;
            snprintf(names[0], sizeof *names, "%d-%d", r, c);
            snprintf(names[1], sizeof *names, "%d-%d", r - 1, c);
            snprintf(names[2], sizeof *names, "%d-%d", r - 1,
                     (c + 1) % COLUMNS);
            if (!r)
                deps[0] = ncg_key_text(&key, chunk, sizeof chunk);
            st = ncg_tasks_add_named(tasks, names[0], STEP, &length,
                                     sizeof length, deps, r ? 2 : 1, NULL,
                                     err);
        }
    return st;
}

static int64_t count_equal(ncg_results *a, ncg_results *b,
                           const ncg_tasks *tasks)
{
    int64_t equal = 0;
    for (int64_t t = 1; t < TASKS; t++) {
        ncg_key key;
        ncg_value x, y;
        if (!ncg_tasks_key(tasks, NULL, t, &key, NULL) &&
            !ncg_results_value(a, &key, &x, NULL) &&
            !ncg_results_value(b, &key, &y, NULL))
            equal += x.nbytes == y.nbytes && !memcmp(x.data, y.data, x.nbytes);
    }
    return equal;
}

static int64_t pid_of(ncg_results *results, const ncg_tasks *tasks)
{
    ncg_key key;
    ncg_value value = {NULL, 0, NULL, NULL};
    if (ncg_tasks_key(tasks, "where", 0, &key, NULL) ||
        ncg_results_value(results, &key, &value, NULL))
        return 0;
    return *(const int64_t *)value.data;
}

static ncg_status compute(ncg_context *ctx, ncg_error *err)
{
    ncg_array *x = NULL;
    ncg_graph *arrays = NULL, *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_tasks *tasks = NULL;
    ncg_results *here = NULL, *there = NULL;
    ncg_status st;
    if ((st = ncg_array_arange(ctx, NCG_DTYPE_F64, 0, 10 * COLUMNS, 1, 10, &x,
                               err)) ||
        (st = ncg_graph_of(&x, 1, &arrays, err)) ||
        (st = ncg_tasks_create(&tasks, err)) || (st = list(tasks, x, err)) ||
        (st = ncg_graph_of_tasks(tasks, arrays, &graph, err)) ||
        (st = ncg_keys_tasks(tasks, &keys, err)) ||
        (st = ncg_get_serial(ctx, graph, keys, &here, err)) ||
        (st = ncg_get_threads(ctx, graph, keys, &there, err)))
        goto done;
    printf("%lld of %d equal, %s\n",
           (long long)count_equal(here, there, tasks), TASKS - 1,
           pid_of(here, tasks) == getpid() && pid_of(there, tasks) != getpid()
               ? "made elsewhere"
               : "made here");
done:
    ncg_results_release(&here);
    ncg_results_release(&there);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    ncg_graph_release(&arrays);
    ncg_tasks_free(&tasks);
    ncg_array_release(&x);
    return st;
}

int main(void)
{
    ncg_context *ctx = NULL;
    ncg_launch_options how = NCG_LAUNCH_OPTIONS_INIT;
    ncg_error err;
    ncg_status st;
    how.exclusive = true;
    if (!(st = ncg_task_register(NULL, STEP, step, NULL, &err)) &&
        !(st = ncg_task_register(NULL, WHERE, where, NULL, &err)))
        st = ncg_launch(&how, &ctx, &err);
    if (st == NCG_WORKER_DONE)
        return 0;
    if (!st)
        st = compute(ctx, &err);
    if (st)
        fprintf(stderr, "named_tasks: %s\n", err.message);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
