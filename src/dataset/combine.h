/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_COMBINE_H
#define NCI_DATASET_COMBINE_H
/*
 * Operations on several data sets: dimensions meet by name, positions by the
 * values of the index, which is the coordinate variable that has the name of
 * its dimension (1-D, numbers or strings, in memory). Times are compared as
 * moments, so that data sets may count from different dates.
 */
#include "dataset/calendar.h"
#include "dataset/ops.h"

/* ---- index.c: labels of positions, and joining them ---------------------- */

/* The index along one dimension of one model. */
typedef struct nci_index {
    const char *name; /* of the dimension; NULL: the model has none */
    int dim, var;     /* var -1: no index, positions have no labels */
    int64_t count;
    nci_us *labels; /* ordered as the values are; interned text: pointers */
    double *values; /* numbers and times, in the variable's units */
    const char *unit_text;
    bool is_text, is_time;
    nci_time_units units;
} nci_index;

/* nci_index_read reads the index of dimension `name`, if there is one. */
ncg_status nci_index_read(const nci_model *model, const char *name,
                          nci_index *out, ncg_error *err);
void nci_index_fini(nci_index *index);
bool nci_index_equal(const nci_index *a, const nci_index *b);
/* nci_index_text writes the value at a position for people. */
enum { NCI_LABEL_TEXT = 80 };
char *nci_index_text(const nci_index *index, int64_t position,
                     char out[NCI_LABEL_TEXT]);
/* nci_index_value is the moment or number of `from` at a position, in the
 * units of `to`. */
double nci_index_value(const nci_index *from, int64_t position,
                       const nci_index *to);

/* What joining n indices gives: for each of them the positions to take, -1
 * where it has none. */
typedef struct nci_joined {
    bool is_same; /* all are equal already: nothing to take */
    int64_t count;
    int64_t **positions; /* [n]; NULL where is_same or there is no such dim */
    size_t n;
    int reference; /* whose order and units the result has; -1: no index */
} nci_joined;

/* nci_index_join: EMISMATCH names the dimension, what differs and what to do.
 */
ncg_status nci_index_join(const nci_index *indices, size_t n, ncg_join join,
                          nci_joined *out, ncg_error *err);
void nci_joined_fini(nci_joined *joined);

/* ---- align.c ------------------------------------------------------------- */

/* How data sets are combined, and what that needs from outside. */
typedef struct nci_combining {
    ncg_join join;
    ncg_compat compat;
    /* whether arrays that are not in memory hold equal values: computes */
    ncg_status (*equal)(void *ctx, nci_node *a, nci_node *b, bool *out,
                        ncg_error *err);
    void *ctx;
    nci_note_fn note; /* may be NULL */
    void *note_payload;
} nci_combining;

void nci_combining_note(const nci_combining *how, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* nci_models_align gives n models, out[n], that have one index a dimension.
 * `except` (may be NULL) names a dimension that is left as it is. */
ncg_status nci_models_align(const nci_model *const *models, size_t n,
                            const nci_combining *how, const char *except,
                            nci_model **out, ncg_error *err);
void nci_models_release(nci_model **models, size_t n);

/* ---- merge.c ------------------------------------------------------------- */

/* nci_models_merge puts the variables of n models into one. */
ncg_status nci_models_merge(const nci_model *const *models, size_t n,
                            const nci_combining *how, nci_model **out,
                            ncg_error *err);
/* nci_variables_equal compares dimensions, units and values. */
ncg_status nci_variables_equal(const nci_combining *how, const nci_model *a,
                               int va, const nci_model *b, int vb, bool *out,
                               ncg_error *err);
/* nci_model_take adds variable `var` of `from` to a model: dimensions are found
 * by name, or added. EMISMATCH: sizes differ. */
ncg_status nci_model_take(nci_model *into, const nci_model *from, int var,
                          ncg_error *err);
/* nci_model_take_dim finds or adds the dimension. */
ncg_status nci_model_take_dim(nci_model *into, const nci_model *from, int dim,
                              int *out, ncg_error *err);

/* ---- concat.c ------------------------------------------------------------ */

/* nci_models_concat joins n models along a dimension, which is new where no
 * variable has it. */
ncg_status nci_models_concat(const nci_model *const *models, size_t n,
                             const char *dim, const nci_combining *how,
                             nci_model **out, ncg_error *err);

/* ---- arith.c ------------------------------------------------------------- */

/* nci_model_binary combines the data variables of equal names. */
ncg_status nci_model_binary(const char *op, const nci_model *a,
                            const nci_model *b, const nci_combining *how,
                            nci_model **out, ncg_error *err);
/* nci_model_scalar combines every data variable with a number; `reversed`: the
 * number comes first. */
ncg_status nci_model_scalar(const char *op, const nci_model *model,
                            double number, bool reversed,
                            const nci_combining *how, nci_model **out,
                            ncg_error *err);
/* nci_model_map applies an operation of one input to every data variable. */
ncg_status nci_model_map(const char *op, const nci_model *model,
                         const nci_combining *how, nci_model **out,
                         ncg_error *err);

/* ---- edit.c, rename.c ---------------------------------------------------- */

/* nci_model_assign adds or replaces a variable; dims[array->rank]. */
ncg_status nci_model_assign(const nci_model *model, const char *name,
                            nci_node *array, const char *const *dims,
                            nci_model **out, ncg_error *err);
ncg_status nci_model_drop(const nci_model *model, const char *const *names,
                          size_t n, nci_model **out, ncg_error *err);
/* nci_model_rename renames variables and dimensions; those of one name both. */
ncg_status nci_model_rename(const nci_model *model, const char *const *from,
                            const char *const *to, size_t n, nci_model **out,
                            ncg_error *err);
/* nci_model_set_attr sets an attribute of a variable (NULL: of the data set);
 * values NULL: removes it. STRING: const char *. */
ncg_status nci_model_set_attr(const nci_model *model, const char *var,
                              const char *name, ncg_dtype dtype, int64_t count,
                              const void *values, nci_model **out,
                              ncg_error *err);
ncg_status nci_model_set_unlimited(const nci_model *model, const char *dim,
                                   bool is_unlimited, nci_model **out,
                                   ncg_error *err);
/* nci_name_check: a name that NetCDF takes. */
ncg_status nci_name_check(const char *what, const char *name, ncg_error *err);
/* nci_model_require finds a variable; EINVAL with a suggestion. */
ncg_status nci_model_require(const nci_model *model, const char *name, int *var,
                             ncg_error *err);
/* nci_model_find_kinds makes variables that others name as bounds, coordinates
 * and so on what they are named as. */
ncg_status nci_model_find_kinds(nci_model *model, ncg_error *err);
/* nci_variable_set_array puts an array, taking its chunks as those to write. */
ncg_status nci_variable_set_array(nci_variable *var, nci_node *array,
                                  ncg_error *err);

/* ---- select_number.c ----------------------------------------------------- */

/* nci_model_sel_values takes the positions of n values along a dimension,
 * which stays; `method`: exact, nearest, at or before, at or after.
 * `tolerance` below 0: any distance. */
ncg_status nci_model_sel_values(const nci_model *model, const char *dim,
                                const double *values, size_t n,
                                ncg_sel_method method, double tolerance,
                                nci_model **out, ncg_error *err);

#endif
