/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_OPS_OPS_H
#define NCI_GRAPH_OPS_OPS_H
/*
 * Operations on whole arrays that are made of nodes: views, BLOCK nodes and
 * their combinations. Names, defaults and results are NumPy's (xarray's for
 * windows and filling) unless a comment says otherwise. All checks of shapes,
 * axes and dtypes are here: EINVAL, with what was given. Axes count from 0
 * (negative ones are the caller's business). Inputs are borrowed, *out belongs
 * to the caller. Integer arrays with a missing value keep it where values are
 * only moved; where they are computed with, they count as NaN.
 */
#include "graph/node.h"

/* ---- view.c: only the axes differ ---------------------------------------- */

/* nci_ops_view gives an array of `shape`; axis d of it is the input's axis[d],
 * or, where axis[d] is -1, a repetition. Axes of the input that are not named
 * must have size 1. */
ncg_status nci_ops_view(nci_node *input, int rank, const int64_t *shape,
                        const int *axis, nci_node **out, ncg_error *err);
/* nci_ops_transpose: axis d of the result is axis order[d]. */
ncg_status nci_ops_transpose(nci_node *input, const int *order, nci_node **out,
                             ncg_error *err);
/* nci_ops_broadcast stretches to `shape` by NumPy's rule. */
ncg_status nci_ops_broadcast(nci_node *input, int rank, const int64_t *shape,
                             nci_node **out, ncg_error *err);
/* nci_ops_broadcast_shape gives the shape in which n arrays meet. */
ncg_status nci_ops_broadcast_shape(nci_node *const *inputs, int n, int *rank,
                                   int64_t *shape, ncg_error *err);
/* nci_ops_map broadcasts the inputs and combines them; CAST: to `dtype`. */
ncg_status nci_ops_map(nci_map_op op, ncg_dtype dtype, nci_node *const *inputs,
                       int n, nci_node **out, ncg_error *err);
/* nci_ops_roll shifts along an axis, what leaves at the end comes in at the
 * beginning. */
ncg_status nci_ops_roll(nci_node *input, int axis, int64_t shift,
                        nci_node **out, ncg_error *err);
ncg_status nci_ops_flip(nci_node *input, int axis, nci_node **out,
                        ncg_error *err);
/* nci_ops_diff: n-th difference along an axis. */
ncg_status nci_ops_diff(nci_node *input, int axis, int n, nci_node **out,
                        ncg_error *err);

typedef enum nci_pad_mode {
    NCI_PAD_CONSTANT,
    NCI_PAD_EDGE,
    NCI_PAD_REFLECT,
    NCI_PAD_SYMMETRIC,
    NCI_PAD_WRAP
} nci_pad_mode;
/* nci_ops_pad adds before[d] and after[d] positions; `value` is of the input's
 * dtype (CONSTANT). */
ncg_status nci_ops_pad(nci_node *input, const int64_t *before,
                       const int64_t *after, nci_pad_mode mode,
                       const void *value, nci_node **out, ncg_error *err);

/* ---- shape.c: values move between chunks ---------------------------------- */

/* nci_ops_concat joins along an axis; dtypes are promoted. */
ncg_status nci_ops_concat(nci_node *const *inputs, int n, int axis,
                          nci_node **out, ncg_error *err);
/* nci_ops_stack joins along a new axis. */
ncg_status nci_ops_stack(nci_node *const *inputs, int n, int axis,
                         nci_node **out, ncg_error *err);
/* nci_ops_rechunk gives the same values in other chunks. */
ncg_status nci_ops_rechunk(nci_node *input, const nci_grid *grid,
                           nci_node **out, ncg_error *err);
/* nci_ops_rechunk_within does so in stages that keep what lives at a time well
 * within `limit` bytes: inputs that can be read again are read slab by slab,
 * others are cut first. A pure function of the array, the chunks and the
 * limit; values never depend on it. */
ncg_status nci_ops_rechunk_within(nci_node *input, const nci_grid *grid,
                                  int64_t limit, nci_node **out,
                                  ncg_error *err);
/* nci_ops_reshape is NumPy's, row-major; the only -1 in `shape` is found.
 * EUNSUPPORTED: very many rows none of which fits into a chunk. */
ncg_status nci_ops_reshape(nci_node *input, int rank, const int64_t *shape,
                           nci_node **out, ncg_error *err);

/* ---- scan.c: along an axis, over chunks ------------------------------------ */

typedef enum nci_scan_op {
    NCI_SCAN_SUM,  /* integers: 64 bits, as NumPy */
    NCI_SCAN_PROD,
    NCI_SCAN_MIN,
    NCI_SCAN_MAX,
    NCI_SCAN_FFILL, /* missing becomes the last value before it */
    NCI_SCAN_BFILL
} nci_scan_op;
/* nci_ops_scan: cumulative operation. `skipna`: missing values count as 0 (1)
 * in sums (products), as nancumsum; else all after one are missing. `limit`:
 * FFILL, BFILL fill at most so many in a row; 0: any number. */
ncg_status nci_ops_scan(nci_node *input, nci_scan_op op, int axis, bool skipna,
                        int64_t limit, nci_node **out, ncg_error *err);

/* ---- sort.c: the whole axis in one chunk ------------------------------------ */

/* nci_ops_sort sorts ascending, NaN and missing last. */
ncg_status nci_ops_sort(nci_node *input, int axis, nci_node **out,
                        ncg_error *err);
/* nci_ops_sort_within rechunks within `limit` bytes first (0: no limit); values
 * never depend on it. */
ncg_status nci_ops_sort_within(nci_node *input, int axis, int64_t limit,
                               nci_node **out, ncg_error *err);

typedef enum nci_quantile_method { /* NumPy's names and formulas */
    NCI_QUANTILE_INVERTED_CDF,
    NCI_QUANTILE_AVERAGED_INVERTED_CDF,
    NCI_QUANTILE_CLOSEST_OBSERVATION,
    NCI_QUANTILE_INTERPOLATED_INVERTED_CDF,
    NCI_QUANTILE_HAZEN,
    NCI_QUANTILE_WEIBULL,
    NCI_QUANTILE_LINEAR,
    NCI_QUANTILE_MEDIAN_UNBIASED,
    NCI_QUANTILE_NORMAL_UNBIASED,
    NCI_QUANTILE_LOWER,
    NCI_QUANTILE_HIGHER,
    NCI_QUANTILE_MIDPOINT,
    NCI_QUANTILE_NEAREST
} nci_quantile_method;
/* nci_quantile_method_parse finds a method by NumPy's name; NULL: linear.
 * EINVAL lists them. */
ncg_status nci_quantile_method_parse(const char *name,
                                     nci_quantile_method *out, ncg_error *err);
/* nci_ops_quantile: exact quantiles q[nq] over all axes with over[d] together;
 * result dtype f4 for f4, else f8; the axis of quantiles comes first, none
 * where nq is 1 and `scalar`. keep[d]: a reduced axis stays with size 1.
 * skipna as nanquantile. */
ncg_status nci_ops_quantile(nci_node *input, const bool *over,
                            const bool *keep, const double *q, int nq,
                            bool scalar, nci_quantile_method method,
                            bool skipna, nci_node **out, ncg_error *err);
/* nci_ops_quantile_within reads the input several times where it does not fit
 * into `limit` bytes (0: no limit); values never depend on it. */
ncg_status nci_ops_quantile_within(nci_node *input, const bool *over,
                                   const bool *keep, const double *q, int nq,
                                   bool scalar, nci_quantile_method method,
                                   bool skipna, int64_t limit, nci_node **out,
                                   ncg_error *err);
/* nci_ops_quantile_by: the same along `axis` for each group of positions;
 * labels[i] in 0..nlabels-1 or -1; the axis then has nlabels positions. */
ncg_status nci_ops_quantile_by(nci_node *input, int axis,
                               const int32_t *labels, int32_t nlabels,
                               const double *q, int nq, bool scalar,
                               nci_quantile_method method, bool skipna,
                               nci_node **out, ncg_error *err);
/* nci_ops_quantile_groups is both: groups along `axis`, other axes with over[d]
 * wholly. */
ncg_status nci_ops_quantile_groups(nci_node *input, const bool *over,
                                   const bool *keep, int axis,
                                   const int32_t *labels, int32_t nlabels,
                                   const double *q, int nq, bool scalar,
                                   nci_quantile_method method, bool skipna,
                                   int64_t limit, nci_node **out,
                                   ncg_error *err);

/* ---- window.c ---------------------------------------------------------------- */

/* nci_ops_rolling reduces a window that ends at each position (or is centred
 * on it, as xarray: window / 2 positions before); positions beyond the ends
 * count as missing; fewer than min_count valid values give missing. op: mean,
 * sum, min, max, std, var, count, median is not one. */
ncg_status nci_ops_rolling(nci_node *input, ncg_op op, int axis,
                           int64_t window, int64_t min_count, bool center,
                           int ddof, nci_node **out, ncg_error *err);

typedef enum nci_boundary {
    NCI_BOUNDARY_EXACT, /* EINVAL where a factor does not divide the size */
    NCI_BOUNDARY_TRIM,
    NCI_BOUNDARY_PAD
} nci_boundary;
/* nci_ops_coarsen reduces blocks of factor[d] positions along every axis. */
ncg_status nci_ops_coarsen(nci_node *input, ncg_op op, const int64_t *factor,
                           nci_boundary boundary, bool skipna,
                           int64_t min_count, int ddof, nci_node **out,
                           ncg_error *err);

/* ---- contract.c ---------------------------------------------------------------- */

/* nci_ops_tensordot sums products over n pairs of axes. */
ncg_status nci_ops_tensordot(nci_node *a, nci_node *b, const int *axes_a,
                             const int *axes_b, int n, nci_node **out,
                             ncg_error *err);
/* nci_ops_matmul: NumPy's, with leading axes broadcast. */
ncg_status nci_ops_matmul(nci_node *a, nci_node *b, nci_node **out,
                          ncg_error *err);

/* ---- reach.c: what builders of BLOCK nodes share ----------------------------- */

/* nci_reach_follow: chunk i of our axis `from`, [edge[i], edge[i + 1]) of
 * `ours`, needs the positions [edge[i] * mul / div - before,
 * ceil(edge[i + 1] * mul / div) + after), clipped to 0..size. */
ncg_status nci_reach_follow(int from, const nci_axis *ours, int64_t mul,
                            int64_t div, int64_t before, int64_t after,
                            int64_t size, nci_reach *out, ncg_error *err);
/* nci_reach_fini releases the lists. */
void nci_reach_fini(nci_reach *reach);
/* nci_ops_uniform_grid chooses chunks of about `target` bytes whose axes with
 * whole[d] are one chunk; others follow `like` (may be NULL). */
ncg_status nci_ops_uniform_grid(int rank, const int64_t *shape, size_t item,
                                const bool *whole, const nci_grid *like,
                                int64_t target, nci_grid *out, ncg_error *err);

#endif
