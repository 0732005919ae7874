/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_GRAPH_H
#define NCI_API_GRAPH_H
/*
 * What graphs, keys and results are behind their handles. All three are
 * immutable once made, and counted.
 */
#include "api/handles.h"
#include "graph/plan.h"

/* An array of a graph. `token` is the layer under which it is known: the
 * node's own, or that of what the node stands for (persisted chunks). */
typedef struct nci_root {
    nci_token token;
    nci_node *node;
} nci_root;

typedef struct nci_view nci_view; /* walk.c */

struct ncg_graph {
    nci_handle handle; /* first */
    _Atomic int32_t refs;
    ncg_context *ctx; /* of the arrays; NULL: there are none */
    nci_root *roots;
    size_t nroots, roots_capacity;
    nci_tasks **tasks; /* sealed, each once */
    size_t ntasks, tasks_capacity;
    bool is_optimized;
    pthread_mutex_t lock; /* guards the view being made */
    nci_view *view;       /* NULL until somebody walks */
};

struct ncg_tasks {
    nci_handle handle; /* first */
    nci_tasks *list;
    int64_t nbytes; /* of the values of tasks to come */
    int32_t *deps;  /* of the task being added */
    size_t deps_capacity;
};

/* Keys of one layer: all of them, or a list of `count` indices. */
typedef struct nci_key_part {
    nci_token token;
    int rank;
    int64_t count;
    bool is_all;
    nci_grid grid;  /* all of an array */
    int64_t *index; /* a list: `rank` numbers each */
} nci_key_part;

struct ncg_keys {
    nci_handle handle; /* first */
    _Atomic int32_t refs;
    nci_key_part *parts;
    size_t nparts, capacity;
};

/* What was computed of one layer: a whole array in one piece, or a list of
 * chunks or of values of tasks. */
typedef struct nci_result {
    nci_token token;
    nci_node *node;   /* NULL: explicit tasks */
    nci_tasks *tasks;
    nci_grid grid;    /* chunks of the array */
    nci_buf *whole;   /* row-major; NULL: a list */
    int64_t *list;    /* chunk numbers or tasks, ascending */
    nci_buf **bufs;   /* one an item; a chunk of `whole` that somebody asked
                         for, where the chunks do not lie in one piece */
    int64_t count;
    nci_tasks *held; /* persisted: what stands for the tasks; NULL: not held */
} nci_result;

struct ncg_results {
    nci_handle handle; /* first */
    _Atomic int32_t refs;
    ncg_context *ctx;
    nci_result *items;
    size_t nitems;
    pthread_mutex_t lock; /* guards chunks of wholes being copied */
};

/* nci_graph_create makes an empty graph to be filled by nci_graph_add_*. */
ncg_status nci_graph_create(ncg_graph **out, ncg_error *err);
ncg_status nci_graph_add_root(ncg_graph *graph, ncg_context *ctx,
                              nci_token token, nci_node *node, ncg_error *err);
ncg_status nci_graph_add_tasks(ncg_graph *graph, nci_tasks *tasks,
                               ncg_error *err);
/* nci_graph_find gives the array of a token: one of the roots, or one that
 * they are made of; borrowed. NULL: none. */
ncg_status nci_graph_find(const ncg_graph *graph, nci_token token,
                          nci_node **out, ncg_error *err);
nci_tasks *nci_graph_find_tasks(const ncg_graph *graph, nci_token token);
/* nci_keys_has tells whether any key is of that layer. */
bool nci_keys_has(const ncg_keys *keys, nci_token token);
/* nci_keys_add_all adds every chunk of an array to keys being made. */
ncg_status nci_keys_add_all(ncg_keys *keys, const nci_node *node,
                            ncg_error *err);
ncg_keys *nci_keys_create(void); /* NULL: memory is out */

void nci_view_free(nci_view **view);

/* What a submitted run adds to a computation: found by the schedulers of this
 * library in the thread that runs it. */
typedef struct nci_run_control {
    _Atomic bool cancel;
    ncg_progress_fn progress; /* NULL: the context's */
    void *progress_payload;
    ncg_key_done_fn key_done;
    void *key_done_payload;
    int retries;
    /* left behind by a failure: */
    nci_plan *plan;
    int64_t failed; /* task, -1 */
} nci_run_control;

/* nci_control_set makes `control` that of the calling thread, NULL: none. */
void nci_control_set(nci_run_control *control);
nci_run_control *nci_control_get(void);

/* What is told of a task that failed (failure.c): its key as text, returned;
 * the layers that led to it (nci_free, NULL without memory); both at the end of
 * a message. */
char *nci_failed_key(const nci_plan *plan, int64_t task,
                     char text[NCG_KEY_TEXT_SIZE]);
char *nci_failed_path(const nci_plan *plan, int64_t task);
void nci_failed_tell(const nci_plan *plan, int64_t task, ncg_error *err);

/* nci_context_run_plan runs a plan; `control` may be NULL. Where the sink takes
 * values as they are, the message of a failure ends with key and layers. */
ncg_status nci_context_run_plan(ncg_context *ctx, const nci_plan *plan,
                                const nci_shipment *shipment,
                                const nci_sink *sink, nci_run_control *control,
                                bool is_serial, ncg_error *err);

#endif
