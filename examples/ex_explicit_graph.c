/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of one's own on the chunks of an array: the largest value of each
 * chunk, then the largest of all. Tasks name their inputs; the engine runs them
 * on all cores, next to its own work.
 *     ex_explicit_graph FILE VARIABLE
 */
#include <math.h>
#include <ncgraph.h>
#include <stdio.h>
#include <stdlib.h>

static void drop(void *data, void *payload)
{
    (void)payload;
    free(data);
}

/* The largest number among the inputs: chunks, or what this function left. */
static ncg_status largest(const ncg_task_call *call, ncg_error *err)
{
    float *result = malloc(sizeof *result);
    (void)err;
    if (!result)
        return NCG_ENOMEM;
    *result = -INFINITY;
    for (size_t i = 0; i < call->ninputs; i++) {
        const float *x = call->inputs[i].data;
        for (size_t k = 0; k < call->inputs[i].nbytes / sizeof *x; k++)
            if (x[k] > *result)
                *result = x[k];
    }
    *call->output = (ncg_value){result, sizeof *result, drop, NULL};
    return NCG_OK;
}

/* A task for each chunk, "part-0" and so on, and one that needs them all. */
static ncg_status list_tasks(ncg_tasks *tasks, const ncg_keys *chunks,
                             ncg_error *err)
{
    int64_t n = ncg_keys_count(chunks);
    char(*names)[32] = calloc((size_t)n, sizeof *names);
    const char **parts = calloc((size_t)n, sizeof *parts);
    ncg_status st = names && parts ? NCG_OK : NCG_ENOMEM;
    for (int64_t i = 0; !st && i < n; i++) {
        ncg_key key = {.rank = 0};
        char text[NCG_KEY_TEXT_SIZE];
        const char *input = text;
        parts[i] = names[i];
        snprintf(names[i], sizeof names[i], "part-%lld", (long long)i);
        st = ncg_keys_at(chunks, i, &key, err);
        ncg_key_text(&key, text, sizeof text);
        if (!st)
            st = ncg_tasks_add(tasks, names[i], largest, NULL, &input, 1, NULL,
                               err);
    }
    if (!st)
        st = ncg_tasks_add(tasks, "all", largest, NULL, parts, (size_t)n, NULL,
                           err);
    free(names);
    free(parts);
    return st;
}

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    ncg_dataset *ds = NULL;
    ncg_array *x = NULL;
    ncg_graph *arrays = NULL, *graph = NULL;
    ncg_keys *chunks = NULL, *wanted = NULL;
    ncg_tasks *tasks = NULL;
    ncg_results *results = NULL;
    ncg_key key;
    ncg_value value;
    ncg_error err = {0};
    ncg_status st;

    if (argc != 3) {
        fprintf(stderr, "usage: ex_explicit_graph FILE VARIABLE\n");
        return 2;
    }
    const char *inputs[] = {argv[1]};
    if ((st = ncg_context_create(NULL, &ctx, &err)) ||
        (st = ncg_dataset_open(ctx, inputs, 1, NULL, &ds, &err)) ||
        (st = ncg_dataset_array(ds, argv[2], &x, &err)) ||
        (st = ncg_graph_of(&x, 1, &arrays, &err)) ||
        (st = ncg_keys_all(x, &chunks, &err)) ||
        (st = ncg_tasks_create(&tasks, &err)) ||
        (st = list_tasks(tasks, chunks, &err)) ||
        (st = ncg_graph_of_tasks(tasks, arrays, &graph, &err)) ||
        (st = ncg_tasks_key(tasks, "all", 0, &key, &err)) ||
        (st = ncg_keys_list(&key, 1, &wanted, &err)) ||
        (st = ncg_get_threads(ctx, graph, wanted, &results, &err)) ||
        (st = ncg_results_value(results, &key, &value, &err)))
        fprintf(stderr, "ex_explicit_graph: %s\n", err.message);
    else
        printf("%.9g\n", *(float *)value.data);
    ncg_results_release(&results);
    ncg_keys_release(&wanted);
    ncg_keys_release(&chunks);
    ncg_graph_release(&graph);
    ncg_graph_release(&arrays);
    ncg_tasks_free(&tasks);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
