/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_ARRAYS_H
#define NCI_API_ARRAYS_H
/*
 * What the public functions of arrays share: checks of arguments that say what
 * is wrong and what is allowed, and the end of every operation.
 */
#include "api/handles.h"
#include "graph/ops/ops.h"

/* nci_array_check: the handle is there and was not released. */
ncg_status nci_array_check(const ncg_array *array, ncg_error *err);
/* nci_arrays_nodes stores the nodes of n arrays of one context; released by
 * nci_free. EINVAL: none, one is NULL, two contexts. */
ncg_status nci_arrays_nodes(ncg_array *const *arrays, size_t n, nci_node ***out,
                            ncg_error *err);
/* nci_arrays_together: two arrays, of one context. */
ncg_status nci_arrays_together(const ncg_array *a, const ncg_array *b,
                               ncg_error *err);
/* nci_array_axis counts a negative axis from the end. `naxes` is the rank that
 * axis lies in. */
ncg_status nci_array_axis(int naxes, int axis, int *out, ncg_error *err);
/* nci_array_axes marks axes in over[rank]; all of them where naxes is 0. */
ncg_status nci_array_axes(const ncg_array *array, const int *axes, size_t naxes,
                          bool *over, ncg_error *err);
/* nci_array_shape_check: a rank and sizes that an array can have. */
ncg_status nci_array_shape_check(int rank, const int64_t *shape, size_t item,
                                 ncg_error *err);
/* nci_array_done makes the result of an operation: takes the node. */
ncg_status nci_array_done(ncg_context *ctx, ncg_status st, nci_node *node_take,
                          ncg_array **out, ncg_error *err);
/* nci_array_null: what is said where `what` is NULL. */
ncg_status nci_array_null(const char *what, ncg_error *err);
/* nci_word_find returns the place of `word` among the n words, or -1 with a
 * message that lists them. */
int nci_word_find(const char *what, const char *word, const char *const *words,
                  size_t n, ncg_error *err);
/* nci_options_check: an options struct of `size` bytes was initialised. */
ncg_status nci_options_check(size_t struct_size, size_t size, const char *init,
                             ncg_error *err);

/* nci_labels_check: labels -1..ngroups-1, one a position of `axis`; *out is the
 * axis counted from 0. */
ncg_status nci_labels_check(const ncg_array *array, int axis,
                            const int32_t *labels, int32_t ngroups, int *out,
                            ncg_error *err);
/* nci_grid_of_chunks makes a grid of the sizes that a program gives. `shape`
 * (may be NULL) is what they must add up to. */
ncg_status nci_grid_of_chunks(int rank, const ncg_chunks *chunks,
                              const int64_t *shape, nci_grid *out,
                              ncg_error *err);

#endif
