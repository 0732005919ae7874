/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SOURCE_MAKE_H
#define NCI_ENGINE_SOURCE_MAKE_H
/*
 * Sources without files: a caller's memory, chunks that are held, values that
 * a function gives. Each function adds a source to the table and makes the
 * array of it, which keeps it there: with the last array (and plan) that reads
 * it a source is gone.
 */
#include "engine/generate.h"
#include "engine/source.h"
#include "graph/node.h"

/* What all of them are: the grid gives shape and chunks. */
typedef struct nci_source_form {
    const char *name; /* for messages; NULL: "array" */
    ncg_dtype dtype;
    const nci_grid *grid; /* copied */
    const void *missing;  /* integers: value that marks missing; NULL: none */
} nci_source_form;

/* nci_source_from_buffer: row-major values of `form`, read where they lie.
 * Retains `data`, which nobody may change. Equal values of up to 16 MiB make
 * equal arrays; larger ones are equal to themselves only. */
ncg_status nci_source_from_buffer(nci_source_table *table,
                                  const nci_source_form *form, nci_buf *data,
                                  nci_node **out, ncg_error *err);

/* nci_source_from_sent: values that came from another process, under the token
 * that they had there, by which the table finds them again; their bytes are
 * counted as held. */
ncg_status nci_source_from_sent(nci_source_table *table,
                                const nci_source_form *form, nci_token token,
                                nci_buf *data, nci_node **out, ncg_error *err);

/* nci_source_from_chunks: one buffer a chunk of the grid, row-major; retains
 * them. The array's token is `token`, under which the table finds it again;
 * their bytes are counted as held. */
ncg_status nci_source_from_chunks(nci_source_table *table,
                                  const nci_source_form *form, nci_token token,
                                  nci_buf *const *chunks, nci_node **out,
                                  ncg_error *err);

/* nci_source_table_find gives the array of the held chunks with this token;
 * NULL where there are none. */
ncg_status nci_source_table_find(nci_source_table *table, nci_token token,
                                 nci_node **out, ncg_error *err);

/* A function that fills a box (inside one chunk) with the values at its
 * positions, row-major. `name` says what they are ("org.example.field/1"):
 * arrays of one name, dtype and shape are taken for equal. NULL: equal to
 * itself only, or what `token` says (NULL: nothing). `scratch`: bytes that the
 * function may take itself. `release` runs once, also where making the array
 * fails. */
typedef struct nci_source_callback {
    const char *name;
    ncg_status (*fill)(void *payload, const int64_t *start,
                       const int64_t *count, void *out, ncg_error *err);
    void (*release)(void *payload);
    void *payload;
    const nci_token *token;
    int64_t scratch;
} nci_source_callback;
ncg_status nci_source_from_callback(nci_source_table *table,
                                    const nci_source_form *form,
                                    const nci_source_callback *callback,
                                    nci_node **out, ncg_error *err);

/* nci_source_reshaped makes the array of a function's source in another shape
 * of as many values, where axes are only split, and between chunks' rows. *out
 * stays NULL elsewhere. */
ncg_status nci_source_reshaped(nci_source_table *table, const nci_node *node,
                               int rank, const int64_t *shape, nci_node **out,
                               ncg_error *err);

/* nci_source_from_generator: see generate.h. */
ncg_status nci_source_from_generator(nci_source_table *table,
                                     const nci_source_form *form,
                                     const nci_generator *generator,
                                     nci_node **out, ncg_error *err);

#endif
