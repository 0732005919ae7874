/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_HANDLES_H
#define NCI_API_HANDLES_H
/*
 * What the public handles are. A context is counted: data sets and arrays hold
 * it, so that they can be released after ncg_context_destroy, which stops the
 * engine at once.
 */
#include <pthread.h>

#include "api/handle.h"
#include "base/text.h"
#include "dataset/model.h"
#include "engine/executor.h"
#include "engine/source.h"
#include "io/io.h"

struct ncg_context {
    nci_handle handle; /* first */
    _Atomic int32_t refs;
    ncg_context_options options;
    ncg_wire_options wire;
    nci_io *io;
    nci_source_table *sources;
    nci_executor *executor; /* NULL once destroyed */
    const struct nci_pool *crew; /* its threads; not looked into */
    _Atomic bool cancel;
    pthread_mutex_t run;  /* one computation at a time */
    pthread_mutex_t lock; /* guards: sources being added, stats, and: */
    const _Atomic bool *ends; /* what cancels the computation under way, beside
                                 `cancel`; NULL */
    ncg_stats stats;      /* what io does not count */
    struct nci_link *link; /* to a cluster; NULL: work is done here */
    struct nci_run_queue *queue; /* of submitted runs; NULL until the first */
};

struct ncg_dataset {
    nci_handle handle; /* first */
    _Atomic int32_t refs;
    ncg_context *ctx;
    nci_model *model;
    nci_strings notes; /* what the user was told on the way, for listings */
};

struct ncg_array {
    nci_handle handle; /* first */
    _Atomic int32_t refs;
    ncg_context *ctx;
    nci_node *node;
};

ncg_context *nci_context_retain(ncg_context *ctx);
void nci_context_release(ncg_context **ctx);
/* nci_context_common_kernels gives a new context the kernels of all. */
ncg_status nci_context_common_kernels(ncg_context *ctx, ncg_error *err);
/* nci_context_note tells the user one sentence, if somebody listens. */
void nci_context_note(void *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* nci_context_note_text is the same as a callback. */
void nci_context_note_text(const char *note, void *ctx);

/* A plan's outputs as bytes, for the cluster that is to run it. */
typedef struct nci_shipment {
    char *bytes; /* nci_free; NULL: it runs in this process */
    size_t nbytes;
    nci_token *needs; /* sets of chunks there that it reads; nci_free */
    size_t nneeds;
} nci_shipment;
void nci_shipment_fini(nci_shipment *shipment);

/* nci_context_lower makes a plan; what is persisted takes the place of what it
 * was computed from. In a context that is linked to a cluster *shipment (may be
 * NULL) gets the bytes, unless something exists in this process only. */
ncg_status nci_context_lower(ncg_context *ctx, const nci_output *outputs,
                             int noutputs, nci_plan **out,
                             nci_shipment *shipment, ncg_error *err);
/* nci_context_find_held gives what is persisted in the place of a node (a
 * nci_replace_fn; ctx: the context). */
ncg_status nci_context_find_held(void *ctx, const nci_node *node,
                                 nci_node **out, ncg_error *err);
/* nci_context_run lowers outputs and runs them into `sink`: the one way from
 * arrays to values. Serialised in a context; counts statistics; ECANCELED. */
ncg_status nci_context_run(ncg_context *ctx, const nci_output *outputs,
                           int noutputs, const nci_sink *sink, ncg_error *err);

/* Notes of an operation under way: told at once, and kept with the data set
 * that comes of it. */
typedef struct nci_noting {
    ncg_context *ctx;
    nci_strings notes;
    bool failed; /* memory ran out */
} nci_noting;

/* nci_noting_begin starts from the notes of `ds` (NULL: from none). */
nci_noting nci_noting_begin(ncg_context *ctx, const ncg_dataset *ds);
/* nci_noting_text is the callback; one thread at a time. */
void nci_noting_text(const char *note, void *noting);
/* nci_dataset_wrap makes a handle; takes the model on success and the notes
 * always. */
ncg_status nci_dataset_wrap(nci_noting *noting, nci_model *model_take,
                            ncg_dataset **out, ncg_error *err);
ncg_status nci_array_wrap(ncg_context *ctx, nci_node *node_take,
                          ncg_array **out, ncg_error *err);

/* nci_paths_expand turns files, patterns, @lists and directories into paths,
 * in the order given, each pattern's matches sorted. */
ncg_status nci_paths_expand(const char *const *paths, size_t npaths,
                            const char *pattern, nci_strings *out,
                            ncg_error *err);

/* nci_save_plan makes the plan that saving would run, without a file. */
ncg_status nci_save_plan(ncg_dataset *ds, const ncg_save_options *options,
                         nci_plan **out, int64_t *bytes_output, ncg_error *err);

/* nci_measure_reads does the first half only, without loading chunk tables:
 * bytes_disk is left alone. */
ncg_status nci_measure_reads(ncg_context *ctx, const nci_plan *plan,
                             ncg_plan_info *info, ncg_error *err);
/* nci_measure sums what a plan reads and predicts its memory. */
ncg_status nci_measure(ncg_context *ctx, const nci_plan *plan,
                       ncg_plan_info *info, ncg_error *err);

#endif
