/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_API_JOB_H
#define NCG_TESTS_API_JOB_H
/* A collection of some keys of a list of tasks; what computing it gives are the
 * results, what persisting it gives is one like it. */
#include <stdatomic.h>

#include "test.h"

typedef struct job {
    atomic_int refs;
    ncg_graph *graph;
    ncg_keys *keys;
} job;

static inline ncg_status job_graph(void *self, ncg_graph **out, ncg_error *err)
{
    (void)err;
    *out = ncg_graph_retain(((job *)self)->graph);
    return NCG_OK;
}

static inline ncg_status job_keys(void *self, ncg_keys **out, ncg_error *err)
{
    (void)err;
    *out = ncg_keys_retain(((job *)self)->keys);
    return NCG_OK;
}

static inline ncg_status job_done(void *self, const ncg_results *results,
                                  void **out, ncg_error *err)
{
    (void)self, (void)err;
    *out = ncg_results_retain((ncg_results *)results);
    return NCG_OK;
}

static inline ncg_status job_token(void *self, char token[33], ncg_error *err)
{
    (void)err;
    ncg_token_of(NULL, 0, &self, sizeof self, token);
    return NCG_OK;
}

static inline void job_retain(void *self)
{
    atomic_fetch_add(&((job *)self)->refs, 1);
}

static inline void job_release(void *self)
{
    job *j = self;
    if (atomic_fetch_sub(&j->refs, 1) != 1)
        return;
    ncg_graph_release(&j->graph);
    ncg_keys_release(&j->keys);
    free(j);
}

static inline void drop_results(void *result)
{
    ncg_results *results = result;
    ncg_results_release(&results);
}

static inline ncg_collection job_make(ncg_graph *graph, ncg_keys *keys);

static inline ncg_status job_persisted(void *self, ncg_graph *persisted,
                                       ncg_collection *out, ncg_error *err)
{
    (void)err;
    *out = job_make(persisted, ((job *)self)->keys);
    return NCG_OK;
}

static inline ncg_collection job_make(ncg_graph *graph, ncg_keys *keys)
{
    static const ncg_collection_type type = {
        .struct_size = sizeof type,
        .name = "job",
        .graph = job_graph,
        .keys = job_keys,
        .optimize = ncg_graph_optimize,
        .postcompute = job_done,
        .postpersist = job_persisted,
        .tokenize = job_token,
        .retain = job_retain,
        .release = job_release,
        .release_result = drop_results,
    };
    job *j = malloc(sizeof *j);
    atomic_init(&j->refs, 1);
    j->graph = ncg_graph_retain(graph);
    j->keys = ncg_keys_retain(keys);
    return (ncg_collection){&type, j};
}

#endif
