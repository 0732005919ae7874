/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_JOIN_INTERNAL_H
#define NCI_DATASET_JOIN_INTERNAL_H
/*
 * The stages of joining, in order; each has its file.
 *
 *   join.c        digests of headers, classes of equal layout, groups of files
 *                 that hold the same variables; runs the stages, adds the notes
 *   join_group.c  the table of variables of one group
 *   join_axis.c   the dimension to join along, and its keys
 *   join_scalar.c headers of one-step files, with a dimension for their time
 *   join_read.c   small variables of every file, read in parallel
 *   join_check.c  what must be equal, is
 *   join_order.c  sorting, overlaps, gaps: the list of segments
 *   join_build.c, join_source.c  the group's model
 *   join_inner.c  files of one group on different grids, cut to what they share
 *   join_merge.c  groups with different variables become one model
 *
 * Files of one class have the same variables and dimensions at the same
 * indices (sizes may differ), so names are looked up once a class.
 */
#include "base/header.h"
#include "base/text.h"
#include "dataset/calendar.h"
#include "dataset/decode.h"
#include "dataset/model.h"

typedef struct nci_join_file {
    const nci_header *header;
    int klass;
    nci_token layout;   /* of dimensions' names and variables */
    nci_token *attrs;   /* of the attributes, one a variable */
    nci_token identity; /* path, size, time of change */
} nci_join_file;

typedef struct nci_join_class {
    int file; /* the first one */
    nci_var_kind *kinds;
    bool *wanted; /* variables to keep */
    size_t ndata; /* data variables among them */
    int group;    /* union-find parent, then the group's number */
} nci_join_class;

typedef struct nci_join_work {
    const nci_join_input *input;
    const nci_join_options *options;
    nci_join_file *files;
    nci_join_class *classes;
    size_t nclasses;
    nci_strings names;   /* of options->variables */
    nci_strings notes;   /* already told */
    const char *scalar;  /* time of one-step files, found to differ; or NULL */
    bool is_lifted;      /* headers are seen with that dimension */
    nci_header **lifted; /* one a file; NULL: as it is */
} nci_join_work;

typedef enum nci_join_how {
    NCI_JOIN_LAZY,   /* stays in the files */
    NCI_JOIN_NUMBER, /* read and decoded now */
    NCI_JOIN_TEXT    /* char and string: read now */
} nci_join_how;

/* One variable of a group. Parts are raw values, one a member file. */
typedef struct nci_join_var {
    const char *name;
    nci_var_kind kind;
    nci_join_how how;
    int member;          /* the first that has it; it describes it */
    const nci_var *desc; /* there */
    int *var_of;         /* index in the headers of each class, -1: absent */
    int axis;            /* of the join dimension, -1 */
    int owner;           /* bounds: the variable that names it, -1 */
    bool is_dropped;     /* with a note: it does not fit */
    bool is_promoted;    /* a scalar that differs: lies along the join axis */
    bool has_time_units;
    bool is_noted; /* what all files share is told once */
    void **parts;
} nci_join_var;

typedef struct nci_join_group {
    nci_join_work *work;
    int *files; /* members: indices into the input, in the caller's order */
    size_t nfiles;
    nci_join_var *vars;
    size_t nvars, vars_capacity;

    const char *join_name; /* of the join dimension, NULL: none */
    int key;               /* variable that orders the files, -1: none */
    bool key_is_time;
    bool is_falling;          /* the coordinate falls: keys are negated */
    nci_time_units key_units; /* of the file that describes the key */
    nci_us **keys;  /* one list a member; order of keys is order of values */
    int64_t *sizes; /* of the join dimension, one a member */
    int *order;     /* members by rank: first key, then the caller's order */
    nci_segment *segments; /* file = member; var and decode unset */
    size_t nsegments, segments_capacity;
    int64_t total; /* size of the join dimension */
} nci_join_group;

static inline const nci_join_file *nci_join_member(const nci_join_group *group,
                                                   size_t member)
{
    return &group->work->files[group->files[member]];
}

static inline const char *nci_join_path(const nci_join_group *group,
                                        size_t member)
{
    return nci_join_member(group, member)->header->path;
}

/* nci_join_header_var returns the variable in a member's header, or NULL. */
static inline const nci_var *nci_join_header_var(const nci_join_group *group,
                                                 const nci_join_var *var,
                                                 size_t member)
{
    const nci_join_file *file = nci_join_member(group, member);
    int at = var->var_of[file->klass];
    return at < 0 ? NULL : &file->header->vars[at];
}

/* nci_join_note tells a sentence once. */
void nci_join_note(nci_join_work *work, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* join_group.c */
ncg_status nci_join_group_vars(nci_join_group *group, ncg_error *err);
void nci_join_group_fini(nci_join_group *group);
int nci_join_group_find(const nci_join_group *group, const char *name);
/* nci_join_same_attrs: the member's attributes of the variable are those of
 * the member that describes it. */
bool nci_join_same_attrs(const nci_join_group *group, const nci_join_var *var,
                         size_t member);
/* nci_join_time_units parses units and calendar of a variable in a member's
 * file (bounds: of their owner where they have none). */
ncg_status nci_join_time_units(const nci_join_group *group, int var,
                               size_t member, nci_time_units *out,
                               ncg_error *err);

/* nci_join_decode is the rule of a variable in a member's file. Of coordinates
 * and bounds no value is outside a valid range: CF wants them all there, and
 * real files state ranges that cut off the poles. `notes` may be NULL. */
ncg_status nci_join_decode(const nci_join_group *group, const nci_join_var *var,
                           size_t member, nci_decode *out, nci_strings *notes,
                           ncg_error *err);

/* join_axis.c: sets join_name, key, keys, sizes; reads parts. */
ncg_status nci_join_find_axis(nci_join_group *group, ncg_error *err);

/* join_scalar.c: nci_join_scalar_time names a scalar time coordinate that all
 * members have and that differs, or NULL; parts are read. nci_join_lift makes
 * a copy of a header with a dimension of that name; *out NULL: not needed. It
 * borrows from the header, whose variables keep their indices. */
const char *nci_join_scalar_time(const nci_join_group *group);
ncg_status nci_join_lift(const nci_header *from, const char *scalar,
                         nci_header **out, ncg_error *err);
void nci_join_lift_free(nci_header **header);
/* nci_join_unlist takes a name out of the attribute `coordinates`, as a
 * coordinate of a dimension is not listed; false: memory is out. */
bool nci_join_unlist(nci_attrs *attrs, const char *name);

/* join_read.c: reads the parts for the join dimension that is set, and what
 * differs between members. */
ncg_status nci_join_read(nci_join_group *group, ncg_error *err);
void nci_join_free_parts(nci_join_group *group);
/* nci_join_is_compared tells whether members' values are held against the first
 * one's: coordinates that are read, and small data without the join dimension,
 * which stay lazy. */
bool nci_join_is_compared(const nci_join_group *group, const nci_join_var *var);
/* nci_join_count is the number of values of a variable in a member's file. */
int64_t nci_join_count(const nci_join_group *group, const nci_join_var *var,
                       size_t member);
/* nci_join_values decodes a part to doubles in the member's own units; *out is
 * nci_free'd. */
ncg_status nci_join_values(const nci_join_group *group, const nci_join_var *var,
                           size_t member, double **out, int64_t *count,
                           ncg_error *err);

/* join_check.c: ranks, dimensions and dtypes of each class; then sizes, units
 * and values of each file. */
ncg_status nci_join_check_layout(nci_join_group *group, ncg_error *err);
ncg_status nci_join_check_shapes(nci_join_group *group, ncg_error *err);
ncg_status nci_join_check_values(nci_join_group *group, ncg_error *err);
ncg_status nci_join_check_units(nci_join_group *group, ncg_error *err);
/* nci_join_rebase turns times in a member's units into those of the member that
 * describes the variable; *is_needed where the units are not the same. */
ncg_status nci_join_rebase(const nci_join_group *group, int var, size_t member,
                           double *values, int64_t count, bool *is_needed,
                           ncg_error *err);
/* nci_join_compare tells whether n numbers are equal (0), equal within 1e-6 (1)
 * or different (2, *at is the first difference). */
int nci_join_compare(const double *a, const double *b, int64_t n, int64_t *at);

/* join_order.c */
ncg_status nci_join_order(nci_join_group *group, ncg_error *err);

/* join_build.c, join_source.c */
ncg_status nci_join_build(nci_join_group *group, nci_model **out,
                          ncg_error *err);
ncg_status nci_join_const(nci_join_group *group, int var, nci_variable *out,
                          ncg_error *err);
ncg_status nci_join_source(nci_join_group *group, int var, nci_variable *out,
                           ncg_error *err);
/* The pieces of one variable and what they decode to. */
typedef struct nci_join_pieces {
    nci_segment *segments; /* file = member until a source takes them */
    size_t count;
    int axis;         /* -1: one piece is everything */
    ncg_dtype dtype;  /* wide enough for all */
    bool has_missing; /* integers: `missing` means missing in every piece */
    uint8_t missing[8];
} nci_join_pieces;

/* nci_join_pieces_make lists the pieces: those of the join axis, or one of the
 * member that describes the variable; `segments` is freed with nci_free. */
ncg_status nci_join_pieces_make(nci_join_group *group, const nci_join_var *var,
                                nci_join_pieces *out, ncg_error *err);

/* join.c: the stages after the axis is known. */
ncg_status nci_join_finish(nci_join_group *group, nci_model **out,
                           ncg_error *err);

/* join_inner.c: makes the model of a group whose files lie on different grids,
 * where they do (*is_joined); the axis is known. */
ncg_status nci_join_inner(nci_join_group *group, nci_model **out,
                          bool *is_joined, ncg_error *err);

/* join_merge.c: takes the variables of `from` into *into. */
ncg_status nci_join_merge(nci_join_work *work, nci_model **into,
                          const nci_model *from, const char *into_path,
                          const char *from_path, ncg_error *err);

#endif
