/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_MODEL_H
#define NCI_DATASET_MODEL_H
/*
 * What scientists mean by a data set: named arrays with dimensions,
 * coordinates and CF attributes. A model is immutable once made and counted;
 * every operation makes a new one that shares nodes and values.
 *
 * Coordinates that operations look into (1-D coordinate variables, their
 * bounds, auxiliary time) have their values in memory: their array is a CONST
 * node, decoded (unpacked) values, times as numbers in the variable's units.
 */
#include "base/header.h"
#include "graph/node.h"

typedef enum nci_role { /* of a dimension, found from its coordinate */
    NCI_ROLE_NONE,
    NCI_ROLE_TIME,
    NCI_ROLE_LAT,
    NCI_ROLE_LON,
    NCI_ROLE_LEV,
    NCI_ROLE_X,
    NCI_ROLE_Y
} nci_role;

typedef enum nci_var_kind {
    NCI_KIND_DATA,
    NCI_KIND_COORD, /* coordinate variable or auxiliary coordinate */
    NCI_KIND_BOUNDS,
    NCI_KIND_OTHER /* grid mapping, cell measure, mesh, text, ... */
} nci_var_kind;

typedef struct nci_dimension {
    char *name;
    int64_t size;
    bool is_unlimited;
    nci_role role;
} nci_dimension;

typedef struct nci_variable {
    char *name;
    nci_var_kind kind;
    nci_attrs attrs; /* as in the file, minus what decoding used up
                        (scale_factor, add_offset, _FillValue, missing_value,
                        valid_*, _Unsigned) */
    int rank;
    int dims[NCG_MAX_RANK];
    nci_node *array; /* NULL only for a container without data */
    /* Of a 1-D or scalar coordinate, sizes of its cells where the points no
       longer tell them (cells.c); of the shape of `array`, else stale. NULL:
       to be found from bounds or points. */
    nci_node *sizes;
    /* As stored in the first file, for listings and for copies: */
    nci_storage storage;
    ncg_dtype stored;
    bool is_enum;  /* values are names, not amounts: never in arithmetic */
    bool is_asked; /* named by the user: not left out in silence */
    bool is_weights; /* for an operation to come: selected from, not reduced */
    const char *note; /* interned: why it was skipped or what was assumed */
    const char *missing_rule; /* interned, in words, for listings; or NULL */
} nci_variable;

typedef struct nci_model {
    _Atomic int32_t refs;
    nci_dimension *dims;
    size_t ndims, dims_capacity;
    nci_variable *vars;
    size_t nvars, vars_capacity;
    nci_attrs attrs;
    /* Which file each position of the join dimension came from (by=file);
     * NULL where there is one file. */
    int join_dim; /* index into dims, -1 */
    int32_t *file_of;
    char **file_names; /* nfiles base names */
    size_t nfiles;
} nci_model;

nci_model *nci_model_create(void); /* NULL: memory is out */
nci_model *nci_model_retain(nci_model *model);
void nci_model_release(nci_model **model);
/* nci_model_copy makes a private copy to change: attributes copied, nodes
 * shared. */
ncg_status nci_model_copy(const nci_model *model, nci_model **out,
                          ncg_error *err);
nci_dimension *nci_model_add_dim(nci_model *model, const char *name,
                                 int64_t size, bool is_unlimited);
nci_variable *nci_model_add_var(nci_model *model, const char *name);
void nci_model_remove_var(nci_model *model, size_t var);
int nci_model_find_dim(const nci_model *model, const char *name);
int nci_model_find_var(const nci_model *model, const char *name);
/* nci_model_mark_weights marks the variables in a comma-separated list (NULL:
 * none) as weights; names that are not there are passed over. */
ncg_status nci_model_mark_weights(nci_model *model, const char *names,
                                  ncg_error *err);
/* nci_model_coord returns the coordinate variable of a dimension: 1-D of the
 * same name; else, or where that has no units, an auxiliary one that holds
 * times; else the only auxiliary one; or -1. */
int nci_model_coord(const nci_model *model, int dim);
/* nci_model_bounds returns the bounds (or climatology) variable that `var`
 * names, or -1. */
int nci_model_bounds(const nci_model *model, int var);
/* nci_variable_values returns the values of a variable that is in memory as
 * doubles (caller frees with nci_free), *count of them. */
ncg_status nci_variable_values(const nci_variable *var, double **out,
                               int64_t *count, ncg_error *err);

/* ---- roles.c: dimensions by name or role ------------------------------- */

/* nci_model_find_roles sets the role of every dimension from its coordinate's
 * axis, standard_name, units, positive, name. */
void nci_model_find_roles(nci_model *model);
/* nci_model_parse_dims turns "time lat", "space", "all", "lev" into a mask
 * over dims. EINVAL with a suggestion. Never sets dims of bounds' vertices. */
ncg_status nci_model_parse_dims(const nci_model *model, const char *text,
                                bool *mask, ncg_error *err);

/* ---- join.c: many files as one ----------------------------------------- */

typedef struct nci_join_options {
    const char *variables; /* comma-separated or NULL */
    ncg_overlap overlap;
    ncg_join join;
    bool missing_fill, no_default_fill;
    void (*note)(const char *note, void *payload);
    void *note_payload;
} nci_join_options;

/* What joining needs from outside; all callbacks may be used in parallel. */
typedef struct nci_join_input {
    const nci_header *const *headers;
    size_t nfiles;
    void *ctx;
    /* read raw values of a box of a variable, host order (io does it) */
    ncg_status (*read)(void *ctx, int file, int var, const nci_box *box,
                       void *out, ncg_error *err);
    /* run body(arg, i) for i in 0..n-1 on several threads; first error wins */
    ncg_status (*parallel)(void *ctx, size_t n,
                           ncg_status (*body)(void *arg, size_t i,
                                              ncg_error *err),
                           void *arg, ncg_error *err);
    /* register a source; takes the spec on success; gives its id */
    ncg_status (*source)(void *ctx, nci_source_spec *spec_take, uint32_t *id,
                         ncg_error *err);
} nci_join_input;

/* nci_join makes one model of all files by the rules of docs (grouped by
 * header, joined along the dimension that differs, sorted by decoded time).
 * EMISMATCH names both files; EINVAL an unknown variable, with a suggestion. */
ncg_status nci_join(const nci_join_input *input,
                    const nci_join_options *options, nci_model **out,
                    ncg_error *err);

/* ---- select.c ---------------------------------------------------------- */

ncg_status nci_model_isel(const nci_model *model, const char *const *what,
                          size_t nwhat, nci_model **out, ncg_error *err);
ncg_status nci_model_sel(const nci_model *model, const char *const *what,
                         size_t nwhat, nci_model **out, ncg_error *err);
/* nci_model_pick applies picks to dimensions (NULL: whole) of all variables;
 * drop[d] removes a dimension that has one position, leaving its coordinate
 * as a scalar coordinate. */
ncg_status nci_model_pick(const nci_model *model, const nci_pick *const *picks,
                          const bool *drop, nci_model **out, ncg_error *err);

/* ---- reduce.c, groups.c, weights.c, cf_*.c ------------------------------ */

typedef void (*nci_note_fn)(const char *note, void *payload);

ncg_status nci_model_reduce(const nci_model *model,
                            const ncg_reduce_options *options,
                            nci_note_fn note, void *note_payload,
                            nci_model **out, ncg_error *err);

/* Quantiles q[nq], of which one is a scalar coordinate of the result and
 * several are a dimension; q NULL: the median. */
typedef struct nci_quantile_request {
    const double *q;
    size_t nq;
    const char *method; /* NumPy's name; NULL: "linear" */
    int64_t limit;      /* of memory; the result does not depend on it */
} nci_quantile_request;

/* nci_model_quantile uses dims, by, skipna, keepdims and stamp of `options`.
 * EINVAL: weights, ddof, min_count, a quantile outside 0..1. */
ncg_status nci_model_quantile(const nci_model *model,
                              const nci_quantile_request *request,
                              const ncg_reduce_options *options,
                              nci_note_fn note, void *note_payload,
                              nci_model **out, ncg_error *err);
ncg_status nci_model_anomaly(const nci_model *model, const char *by,
                             nci_note_fn note, void *note_payload,
                             nci_model **out, ncg_error *err);

/* ---- output.c: from model to the header of a file ------------------------ */

/* nci_model_output makes the header of the file to write; header variable i
 * holds the values of (*nodes)[i] (retained), cast to the header's dtype,
 * missing values as its fill value. Adds fill attributes, history (if not
 * NULL), Conventions; chooses chunk shapes (1 to 4 MiB, following the
 * variable's grid); converts BOOL to I8; `dtype` f4, f8 or NULL for data
 * variables. */
ncg_status nci_model_output(const nci_model *model, const char *path,
                            const char *dtype, const char *history,
                            nci_header **header, nci_node ***nodes,
                            ncg_error *err);

/* ---- describe.c ----------------------------------------------------------- */

ncg_status nci_model_describe(const nci_model *model, char **text,
                              ncg_error *err);

#endif
