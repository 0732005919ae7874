/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_OPS_H
#define NCI_DATASET_OPS_H
/*
 * What the operations on models share: roles, positions, groups, weights and
 * the CF metadata of a reduction. Private to the operations of dataset/.
 */
#include "base/text.h"
#include "dataset/calendar.h"
#include "dataset/model.h"

/* ---- roles.c ------------------------------------------------------------- */

/* nci_variable_role returns the role that attributes (and the name, where they
 * say nothing) give to a coordinate. */
nci_role nci_variable_role(const nci_variable *var);
/* nci_model_resolve_dim finds one dimension by name or role; *coord (may be
 * NULL) receives its coordinate variable or -1. */
ncg_status nci_model_resolve_dim(const nci_model *model, const char *word,
                                 int *dim, int *coord, ncg_error *err);
/* nci_model_is_data_dim tells whether a numeric data variable has `dim`. */
bool nci_model_is_data_dim(const nci_model *model, int dim);
/* nci_variable_axis returns the axis of `var` that lies along `dim`, or -1. */
int nci_variable_axis(const nci_variable *var, int dim);
bool nci_variable_is_numeric(const nci_variable *var);

/* ---- model_build.c ------------------------------------------------------- */

/* nci_array_f64 makes a constant array from doubles, stored as `dtype`. */
ncg_status nci_array_f64(ncg_dtype dtype, int rank, const int64_t *shape,
                         const double *values, nci_node **out, ncg_error *err);
/* nci_array_squeeze takes away the axes marked in `drop`, all of size 1. */
ncg_status nci_array_squeeze(nci_node *input, const bool *drop, nci_node **out,
                             ncg_error *err);
/* nci_model_begin makes a model of the same global attributes and files, with
 * every dimension of `model` (so that indices stay) and no variables. */
ncg_status nci_model_begin(const nci_model *model, nci_model **out,
                           ncg_error *err);
/* nci_model_add_like adds a variable with name, attributes and kind of `var`,
 * without dimensions and array; NULL and *err when memory is out. */
nci_variable *nci_model_add_like(nci_model *model, const nci_variable *var,
                                 ncg_error *err);
/* nci_variable_set_dims gives `to` those dimensions of `from` that are not in
 * `drop` (by axis; NULL: all) together with their storage chunks. */
void nci_variable_set_dims(nci_variable *to, const nci_variable *from,
                           const bool *drop);
/* nci_model_prune removes dimensions that no variable has. */
void nci_model_prune(nci_model *model);
/* nci_attrs_put_like sets a text in the type (char or string) that the
 * attribute has; false: memory is out. */
bool nci_attrs_put_like(nci_attrs *attrs, const char *name, const char *text);

/* ---- variable_time.c ----------------------------------------------------- */

/* nci_variable_time_units parses units and calendar of a time coordinate. */
ncg_status nci_variable_time_units(const nci_variable *coord,
                                   nci_time_units *out, ncg_error *err);
/* nci_variable_date_units: EUNSUPPORTED also where the calendar is "none", in
 * which time goes on and the date does not. */
ncg_status nci_variable_date_units(const nci_variable *coord,
                                   nci_time_units *out, ncg_error *err);
bool nci_variable_is_dates(const nci_variable *coord);
/* nci_model_date_units tells whether a variable holds dates, its own or as the
 * bounds of one that does, and how they are counted. */
ncg_status nci_model_date_units(const nci_model *model, int var, bool *is_date,
                                nci_time_units *out, ncg_error *err);

/* ---- bounds.c ------------------------------------------------------------ */

/* nci_bounds_find: the bounds of a coordinate if they are two values a position
 * in memory, or -1. */
int nci_bounds_find(const nci_model *model, int coord);
/* nci_bounds_values reads the bounds of a 1-D or scalar coordinate, two values
 * a position, in its units, longitudes around their points; *out is NULL where
 * there are none of that form. EMISMATCH: units that do not go together. */
ncg_status nci_bounds_values(const nci_model *model, int coord, double **out,
                             ncg_error *err);

/* ---- select_values.c, select_time.c -------------------------------------- */

/* A growing list of positions along one dimension. */
typedef struct nci_positions {
    int64_t *items;
    size_t count, capacity;
} nci_positions;

bool nci_positions_add(nci_positions *list, int64_t position);
void nci_positions_fini(nci_positions *list);

/* What `sel` was asked of one dimension. */
typedef struct nci_choice {
    const char *name;  /* as the user wrote it */
    const char *value; /* right of the = */
    bool is_nearest;
    nci_positions found;
    bool is_single;  /* one value was asked for, not a range or a list */
    double *shifted; /* longitudes as asked for, one a position; or NULL */
} nci_choice;

/* nci_choose_values finds the positions of numbers; nci_choose_times those of
 * dates. EINVAL names the coordinate and its range when nothing is found. */
ncg_status nci_choose_values(const nci_variable *coord, nci_role role,
                             nci_choice *choice, ncg_error *err);
ncg_status nci_choose_times(const nci_variable *coord, nci_choice *choice,
                            ncg_error *err);
/* nci_date_range parses a date of any precision ("1990", "1990-06",
 * "1990-06-15T12") to the absolute times where it begins and ends. */
ncg_status nci_date_range(nci_calendar calendar, const char *text,
                          nci_us *begin, nci_us *end, ncg_error *err);
/* nci_split_range cuts "a..b" at the dots; false when there are none. Pieces
 * may be empty. Both are owned by the caller; NULL when memory is out. */
bool nci_split_range(const char *text, char **low, char **high);

/* ---- groups.c ------------------------------------------------------------ */

typedef enum nci_by {
    NCI_BY_NONE,
    NCI_BY_MONTH,
    NCI_BY_SEASON,
    NCI_BY_YEAR,
    NCI_BY_YEARMONTH,
    NCI_BY_YEARSEASON,
    NCI_BY_DAYOFYEAR,
    NCI_BY_DATE,
    NCI_BY_HOUR,
    NCI_BY_FILE
} nci_by;

/* One label a position; groups are numbered by rising key (month 1..12, season
 * 0..3 from DJF, year, year * 12 + month - 1, year * 4 + season, day of the
 * year, day number, hour, files as they follow). */
typedef struct nci_groups {
    nci_by by;
    int64_t n;
    int32_t count;
    int32_t *labels;
    int64_t *keys; /* count */
} nci_groups;

ncg_status nci_by_parse(const char *text, nci_by *out, ncg_error *err);
/* nci_season_year is the year that the season of a date belongs to: December
 * counts to the next one. */
int64_t nci_season_year(const nci_date *date);
/* nci_by_is_climatology: groups that gather the same part of many years or
 * days. */
bool nci_by_is_climatology(nci_by by);
/* nci_groups_make groups the positions of `dim` by its time coordinate. */
ncg_status nci_groups_make(const nci_model *model, int dim, const char *by,
                           nci_groups *out, ncg_error *err);
void nci_groups_fini(nci_groups *groups);

/* ---- widen.c ------------------------------------------------------------- */

/* nci_widen makes the same array in double: what was computed from floats is
 * computed again without rounding to float. */
ncg_status nci_widen(nci_node *node, nci_node **out, ncg_error *err);
/* nci_narrow makes integers of floats; what `dtype` cannot hold is missing.
 * Integers of one byte become two: they have no value for what is missing. */
ncg_status nci_narrow(nci_node *node, ncg_dtype dtype, nci_node **out,
                      ncg_error *err);

/* ---- cells.c, step_days.c ------------------------------------------------ */

typedef enum nci_cell_kind {
    NCI_CELL_NONE,
    NCI_CELL_LAT,  /* sizes are differences of sin(lat) */
    NCI_CELL_LON,  /* radians */
    NCI_CELL_TIME, /* days */
} nci_cell_kind;

/* nci_cell_kind_of tells from attributes and name; latitudes and longitudes of
 * rotated grids count. */
nci_cell_kind nci_cell_kind_of(const nci_variable *coord);
/* nci_cell_scale makes radians of the values of a latitude or longitude. */
double nci_cell_scale(const nci_variable *coord);
/* nci_cell_sizes returns the size of each cell of a 1-D or scalar coordinate;
 * *out is NULL where one point without bounds does not tell it. */
ncg_status nci_cell_sizes(const nci_model *model, int coord, nci_cell_kind kind,
                          double **out, ncg_error *err);
/* nci_cell_sizes_before returns the sizes that must be handed on before
 * positions of a 1-D coordinate are taken away, or NULL. */
ncg_status nci_cell_sizes_before(const nci_model *model, int var,
                                 nci_node **out, ncg_error *err);
/* nci_variable_set_sizes hands sizes on, one a value of `coord`; none where
 * `sizes` is NULL or holds something that is not finite. */
void nci_variable_set_sizes(nci_variable *coord, const double *sizes);
/* nci_step_days returns the length in days of each step of a time coordinate:
 * from bounds, else months, years or the distance to the neighbours; *out is
 * NULL for one step without bounds. EINVAL: bounds that tell no length. */
ncg_status nci_step_days(const nci_model *model, int coord, double **out,
                         ncg_error *err);

/* ---- weights.c ----------------------------------------------------------- */

typedef struct nci_weights {
    nci_node *node;         /* owned */
    int dims[NCG_MAX_RANK]; /* of the model, one an axis of `node` */
    int var;                /* variable that they are, -1 */
    const char *method;     /* interned, for cell_methods: "area-weighted" */
    const char *units;      /* interned; "1" where they have none */
    bool is_area;
    const char *unsure; /* interned: coordinate whose cells are not known, so
                           that weights are right but for a factor; or NULL */
} nci_weights;

/* nci_weights_make makes the weights of one variable: `what` is area, coslat,
 * days or the name of a variable; `mask` are the reduced dimensions. */
ncg_status nci_weights_make(const nci_model *model, const char *what,
                            const bool *mask, int var, nci_weights *out,
                            ncg_error *err);
/* nci_weights_operand lays the weights in the axes of a variable. EINVAL names
 * a dimension that the variable does not have. */
ncg_status nci_weights_operand(const nci_model *model,
                               const nci_weights *weights, int var,
                               nci_operand *out, ncg_error *err);
void nci_weights_fini(nci_weights *weights);

/* ---- cf_*.c -------------------------------------------------------------- */

/* Instead of an operation: quantiles. */
typedef struct nci_quantile_spec {
    const double *q; /* NULL: the median */
    size_t nq;
    bool has_axis; /* else one quantile without a dimension for it */
    const char *method;
    int64_t limit; /* of memory; values do not depend on it */
    int dim;       /* of the result, -1 */
} nci_quantile_spec;

/* A reduction under way. `mask` and `keeps` have one flag a dimension. */
typedef struct nci_reducing {
    const nci_model *in;
    nci_model *out;
    const ncg_reduce_options *options;
    nci_quantile_spec *quantile; /* NULL: options->op */
    bool *mask, *keeps;
    int label_dim; /* dimension that is grouped, -1 */
    nci_groups groups;
    bool is_daily;                 /* time steps of one day */
    nci_text lost, textual, enums; /* names of variables that are left out */
    int nreduced;
    nci_note_fn note;
    void *note_payload;
} nci_reducing;

/* quantile.c: */
/* nci_quantile_method_name: "median" in cell_methods, NULL for others, which CF
 * has no word for. */
const char *nci_quantile_method_name(const nci_quantile_spec *spec);
/* nci_quantile_begin checks the quantiles and adds their coordinate. */
ncg_status nci_quantile_begin(nci_reducing *r, ncg_error *err);
/* nci_quantile_var makes the array of `to`, whose dimensions are those that
 * are left of `from`, and gives it the one of the quantiles. */
ncg_status nci_quantile_var(const nci_reducing *r,
                            const nci_variable *from, const nci_reduce *axes,
                            nci_variable *to, ncg_error *err);

void nci_reducing_note(const nci_reducing *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* nci_reducing_has tells whether `var` has one of the reduced dimensions. */
bool nci_reducing_has(const nci_reducing *r, const nci_variable *var);
/* nci_reducing_loses tells whether `dim` is gone from the result. */
bool nci_reducing_loses(const nci_reducing *r, int dim);

/* nci_cf_is_interval tells whether `var` is a coordinate along a reduced
 * dimension that can be made anew; nci_cf_interval adds it, with its bounds. */
bool nci_cf_is_interval(const nci_reducing *r, int var);
ncg_status nci_cf_interval(nci_reducing *r, int var, ncg_error *err);
/* nci_cf_windows fills low, high and stamp of each group of a climatology:
 * from the begin of the first month (season, day of the year, hour) that the
 * group has data of to the end of the last; stamps rise within one cycle.
 * `bounds` has two values a step, or is NULL. */
typedef struct nci_windows {
    const nci_time_units *units;
    const double *times, *bounds;
    ncg_time_stamp stamp;
    double *low, *high, *value; /* one a group */
} nci_windows;
ncg_status nci_cf_windows(const nci_groups *groups, const nci_windows *w,
                          ncg_error *err);
/* nci_model_vertex_dim returns a dimension of size 2 for bounds, adding one
 * where there is none; -1: memory is out. */
int nci_model_vertex_dim(nci_model *model);
/* nci_cf_attrs changes units, names and cell_methods of a reduced variable. */
ncg_status nci_cf_attrs(const nci_reducing *r, const nci_variable *from,
                        const nci_weights *weights, nci_variable *to,
                        ncg_error *err);
/* nci_cf_methods returns the cell_methods of a reduced variable, NULL when
 * memory is out. */
char *nci_cf_methods(const nci_reducing *r, const nci_variable *from,
                     const nci_weights *weights);
/* nci_cf_references takes names of variables that are no longer there, or no
 * longer fit, out of `coordinates`, `cell_measures` and so on; `before` is the
 * model they came from. Scalar coordinates of dims in `dropped` (one flag a
 * dimension of `before`; may be NULL) are added to `coordinates`. */
ncg_status nci_cf_references(const nci_model *before, const bool *dropped,
                             nci_model *model, ncg_error *err);
/* nci_cf_is_temperature: units that need units_metadata for differences. */
bool nci_cf_is_temperature(const char *units);

#endif
