/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said of a task that failed: its key, and the layers that led to it,
 * from the one that somebody asked for to its own. Messages get it without
 * asking for memory, which may be what the run failed for.
 */
#include <stdio.h>
#include <string.h>

#include "api/graph.h"
#include "base/text.h"

enum { MOST_LAYERS = 64, LEAST_ROOM = 96 /* bytes for it in a message */ };

char *nci_failed_key(const nci_plan *plan, int64_t task,
                     char text[NCG_KEY_TEXT_SIZE])
{
    const nci_layer *layer = nci_plan_layer(plan, task);
    ncg_key key = {.rank = layer->grid.rank};
    nci_token_text(layer->token, key.layer);
    if (layer->kind == NCI_LAYER_TASKS) {
        nci_token_text(nci_tasks_token(layer->tasks.tasks), key.layer);
        key.rank = 1;
        key.index[0] = task - layer->base;
    } else {
        nci_grid_index(&layer->grid, task - layer->base, key.index);
    }
    return nci_key_text(&key, text, NCG_KEY_TEXT_SIZE);
}

/* The first layer, other than itself, that uses this one; -1: it is one that
 * somebody asked for. */
static int user_of(const nci_plan *plan, int number)
{
    const nci_layer *layer = &plan->layers[number];
    for (int i = 0; i < layer->nusers; i++)
        if (layer->users[i] != number)
            return layer->users[i];
    return -1;
}

/* Layers from that of the task on, at most MOST_LAYERS of them. */
static int find_path(const nci_plan *plan, int64_t task, int *path)
{
    int number = (int)(nci_plan_layer(plan, task) - plan->layers), depth = 0;
    for (; number >= 0 && depth < MOST_LAYERS; number = user_of(plan, number))
        path[depth++] = number; /* users come later: no circle */
    return depth;
}

char *nci_failed_path(const nci_plan *plan, int64_t task)
{
    int path[MOST_LAYERS], depth = find_path(plan, task, path);
    nci_text text = {0};
    while (depth-- > 0)
        nci_text_add(&text, "%s%s", plan->layers[path[depth]].name,
                     depth ? " <- " : "");
    return nci_text_take(&text);
}

void nci_failed_tell(const nci_plan *plan, int64_t task, ncg_error *err)
{
    int path[MOST_LAYERS], depth = find_path(plan, task, path);
    char key[NCG_KEY_TEXT_SIZE];
    size_t size = sizeof err->message, used = err ? strlen(err->message) : 0;
    if (!err || size - used < LEAST_ROOM)
        return;
    used += (size_t)snprintf(err->message + used, size - used, "; task %s: ",
                             nci_failed_key(plan, task, key));
    while (depth-- > 0 && used < size)
        used += (size_t)snprintf(err->message + used, size - used, "%s%s",
                                 plan->layers[path[depth]].name,
                                 depth ? " <- " : "");
}
