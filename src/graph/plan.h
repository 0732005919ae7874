/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_PLAN_H
#define NCI_GRAPH_PLAN_H
/*
 * What the engine runs: layers of tasks. A task is one chunk of a layer's
 * grid; tasks of all layers share one numbering, layer->base + chunk number.
 * Dependencies are computed from one relation for each axis, never stored task
 * by task: a plan of a million tasks takes kilobytes.
 *
 *     FUSED    reads a source (or chunks of other layers) tile by tile, runs
 *              the element-wise program over it, and either stores the result
 *              or folds it into a reduction state for a group of chunks
 *     COMBINE  merges states along one axis, a few at a time; the last level
 *              finishes: state -> values
 *     BLOCK    a named kernel makes a chunk from boxes of other layers' arrays
 *     STORE    gathers one chunk of an output, converted to its final dtype
 *     TASKS    functions of a program, with dependencies as they were listed
 *
 * Everything here is fixed by shapes, grids and operations: never by threads,
 * memory limit or timing. A finished plan is read-only.
 */
#include "graph/pass_replace.h"
#include "graph/state.h"
#include "graph/tasks.h"

/* Which chunks of an input's axis the chunks of an axis of ours need. */
typedef struct nci_relation {
    int64_t nout, nin;
    int64_t *first, *items;   /* ours -> input: items[first[i]..first[i+1]) */
    int64_t *rfirst, *ritems; /* input -> ours; both lists ascending */
} nci_relation;

typedef struct nci_layer_input {
    int layer;              /* index into the plan's layers */
    int from[NCG_MAX_RANK]; /* our axis that input axis a depends on; -1:
                               every chunk of that axis is needed */
    nci_relation relation[NCG_MAX_RANK]; /* one an input axis with from >= 0 */
    bool is_partial; /* some tasks of the input may have no user here */
} nci_layer_input;

typedef enum nci_layer_kind {
    NCI_LAYER_FUSED,
    NCI_LAYER_COMBINE,
    NCI_LAYER_BLOCK,
    NCI_LAYER_STORE,
    NCI_LAYER_TASKS
} nci_layer_kind;

/* ---- FUSED --------------------------------------------------------------- */

enum { NCI_MAX_OPERANDS = 8, NCI_MAX_STEPS = 32, NCI_MAX_PARTS = 8 };

/* What a register holds: doubles or floats with NaN for missing; 64-bit
 * integers, none of them missing. Truth values are 0 and 1 in I64. */
typedef enum nci_class {
    NCI_CLASS_F64,
    NCI_CLASS_F32,
    NCI_CLASS_I64,
    NCI_CLASS_U64,
    NCI_CLASS_COUNT
} nci_class;

typedef enum nci_operand_kind {
    NCI_OPERAND_SOURCE, /* tiles of a source; at most one, then operand 0 */
    NCI_OPERAND_LAYER,  /* chunks of another layer */
    NCI_OPERAND_CONST   /* values in memory, also a caller's array */
} nci_operand_kind;

/* Where the operand's value for a domain position lies: along operand axis a
 * the position is picks[a] applied to the domain position of domain axis
 * from[a]; from[a] == -1: position picks[a].start. */
typedef struct nci_access {
    nci_operand_kind kind;
    uint32_t source;
    int input; /* LAYER: which of the layer's inputs */
    nci_buf *data;
    ncg_dtype dtype;
    int64_t stored; /* SOURCE: bytes of a value where it is stored */
    int64_t narrowest; /* SOURCE: the shortest storage chunk of its last axis */
    nci_class load; /* as what it comes into its register, where there are
                       steps */
    bool has_missing;
    uint8_t missing[8];
    int rank;
    int64_t shape[NCG_MAX_RANK];
    int from[NCG_MAX_RANK];
    nci_pick picks[NCG_MAX_RANK]; /* index lists owned by the access */
} nci_access;

/* Registers 0..noperands-1 hold the operands, the next ones the steps'
 * results. A program without steps passes its operand on as doubles. A step
 * gets its inputs in one class (integers of either sign where the values are
 * the same; the condition of WHERE as truth values); CAST converts. */
typedef struct nci_step {
    nci_map_op op;
    nci_class on;    /* class of the inputs */
    int a, b, c;     /* registers, as many as the operation has inputs */
    ncg_dtype dtype; /* of the result: rounded or wrapped to it. CAST of doubles
                        to integers: rounded to nearest and clamped, NaN
                        stays */
} nci_step;

/* nci_class_of gives the class of a dtype's values, none of them missing. */
nci_class nci_class_of(ncg_dtype dtype);
/* nci_step_class gives the class of a step's result. */
nci_class nci_step_class(const nci_step *step);

/* Labels present in each chunk of the label axis: labels[first[i]..first[i+1])
 * ascending; one row of the state each. */
typedef struct nci_rows {
    int64_t nchunks;
    int64_t *first;
    int32_t *labels;
} nci_rows;

typedef struct nci_fused {
    int rank; /* of the domain: the positions the program runs over */
    int64_t shape[NCG_MAX_RANK];
    nci_access operands[NCI_MAX_OPERANDS];
    int noperands;
    nci_step steps[NCI_MAX_STEPS];
    int nsteps;
    int result; /* register */
    bool folds;
    /* stores: one value of `out` a position, missing by NaN or `missing` */
    ncg_dtype out;
    bool has_missing;
    uint8_t missing[8];
    /* folds: */
    nci_fold fold;
    int weight; /* register, -1 none */
    bool over[NCG_MAX_RANK];
    int label_axis;
    int32_t *labels; /* one a domain position of the label axis */
    nci_rows rows;   /* by chunk of the label axis; empty without labels */
    /* Further folds of the same tiles into the same cells: see
     * graph/pass_share.h. Each has a program of its own; operand 0 of each is
     * the source, whether it is read or not. A task leaves the states of all,
     * one after another, the own one first. */
    struct nci_fused *more;
    int nmore;
} nci_fused;

/* nci_fused_part gives fold `part` of a task, 0 being its own.
 * nci_fused_state gives the bytes of the states of the first n of them. */
static inline const nci_fused *nci_fused_part(const nci_fused *fused, int part)
{
    return part ? &fused->more[part - 1] : fused;
}
size_t nci_fused_state(const nci_fused *fused, int n, int64_t ncells);

/* ---- COMBINE --------------------------------------------------------------
 * Index space: the axes of the fused domain, collapsed axes having fewer
 * chunks level by level. `axis` is the one this level merges, -1 where the
 * only work is to finish. */
typedef struct nci_combine {
    nci_fold fold;
    int part; /* which state of a FUSED task below */
    int axis;
    int label_axis;
    nci_rows in_rows, out_rows; /* empty without labels */
    bool pools; /* label_axis < 0: states of different groups meet */
    bool is_final;
    int64_t *population; /* per label, where groups differ; NULL */
    int rank;
    bool over[NCG_MAX_RANK];
    bool keep[NCG_MAX_RANK];
} nci_combine;

/* ---- BLOCK ----------------------------------------------------------------
 */

/* An array that a BLOCK layer takes boxes of; input i of the layer. */
typedef struct nci_block_arg {
    ncg_dtype dtype;
    bool has_missing;
    uint8_t missing[8];
    int rank;
    int64_t shape[NCG_MAX_RANK];
    nci_reach reach[NCG_MAX_RANK]; /* owned */
} nci_block_arg;

typedef struct nci_block_work {
    const char *kernel; /* interned */
    nci_buf *params;    /* NULL: none */
    bool has_missing;   /* of the result */
    uint8_t missing[8];
    int nargs;
    nci_block_arg *args;
} nci_block_work;

/* nci_block_box gives the box of argument `arg` that chunk `index` of the
 * layer's grid needs; false where that is nothing. */
bool nci_block_box(const nci_block_arg *arg, const int64_t *index,
                   nci_box *out);

/* ---- TASKS ----------------------------------------------------------------
 * Task number = number in the list. Inputs of the layer: one for each array of
 * the list, whose layer has the chunks that people see; then the layer itself
 * where tasks need one another. Task by task, inputs are visited as listed. */

typedef struct nci_task_layer {
    nci_tasks *tasks; /* retained, sealed */
    int self;         /* which input the layer itself is, -1: none */
} nci_task_layer;

/* ---- STORE ----------------------------------------------------------------
 * Of a whole array; or of some of its chunks, or of explicit tasks, which then
 * are listed: a task of the layer stores a run of the list, its grid being
 * that of the places in it. */

enum { NCI_STORE_TASKS = 256 }; /* explicit tasks of a run of the list */

typedef struct nci_store_list {
    int64_t *items; /* chunks of `whole`, or tasks; ascending; NULL: no list */
    int64_t count;
    bool of_tasks; /* then what a task leaves is count nci_buf pointers */
    nci_grid whole;
} nci_store_list;

typedef struct nci_store {
    int output; /* which output of the plan */
    ncg_dtype from, to;
    bool has_missing;   /* integers of `from` */
    uint8_t missing[8]; /* of `from` */
    bool has_fill;
    uint8_t fill[16]; /* of `to`: what missing values become */
    nci_store_list list;
} nci_store;

typedef struct nci_layer {
    nci_layer_kind kind;
    const char *name; /* interned, for messages and drawings */
    nci_token token;
    int64_t base, ntasks; /* tasks base .. base + ntasks - 1 */
    nci_grid grid;  /* of tasks. FUSED: chunks of the domain. COMBINE: kept axes
                       as in the domain, the others counted in chunks; a final
                       one: still the domain's axes. STORE: the output. */
    nci_grid array; /* grid of the array this layer makes, where it makes one
                       (stored FUSED, final COMBINE, BLOCK); same task
                       numbers */
    ncg_dtype dtype; /* of that array */
    nci_layer_input *inputs;
    int ninputs;
    int *users; /* layers that have this one as an input, ascending */
    int nusers;
    nci_fused fused;
    nci_combine combine;
    nci_block_work block;
    nci_store store;
    nci_task_layer tasks;
} nci_layer;

typedef struct nci_plan {
    nci_layer *layers; /* inputs come before their users */
    int nlayers, capacity;
    int64_t ntasks;
    int64_t *bases; /* of the layers, side by side; NULL: look into them */
    int *outputs;   /* STORE layer of each output, in the caller's order */
    int noutputs;
} nci_plan;

/* An output: the array, its final dtype, what missing values become and the
 * chunks it is wanted in; or explicit tasks. */
typedef struct nci_output {
    nci_node *node;
    ncg_dtype dtype;
    bool has_fill;
    uint8_t fill[16];
    const nci_grid *grid;
    nci_tasks *tasks;    /* instead of a node */
    const int64_t *list; /* chunks of `grid` (tasks) wanted, ascending; NULL:
                            all chunks */
    int64_t nlist;
} nci_output;

/* nci_lower makes the plan of several outputs: common subexpressions once,
 * selections pushed to the sources, reads fused with arithmetic and folding.
 * Rank-0 arrays have a grid of one chunk. */
ncg_status nci_lower(const nci_output *outputs, int noutputs, nci_plan **out,
                     ncg_error *err);
/* nci_lower_with looks, for arrays among the inputs of explicit tasks, whether
 * `replace` has others of their values (graph/pass_replace.h). Arrays of
 * outputs are taken as they are. */
ncg_status nci_lower_with(const nci_output *outputs, int noutputs,
                          nci_replace_fn replace, void *ctx, nci_plan **out,
                          ncg_error *err);
void nci_plan_free(nci_plan **plan);

/* nci_plan_layer returns the layer of a task. */
static inline const nci_layer *nci_plan_layer(const nci_plan *plan,
                                              int64_t task)
{
    const int64_t *bases = plan->bases;
    int low = 0, high = plan->nlayers;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if ((bases ? bases[middle] : plan->layers[middle].base) <= task)
            low = middle;
        else
            high = middle;
    }
    return &plan->layers[low];
}

/* nci_plan_deps calls visit(ctx, input, task) for each task that `task` needs,
 * input by input, in ascending order; a task is visited once an input.
 * nci_plan_dependents visits each task that needs `task`, once for each of
 * the inputs through which it does. */
typedef void (*nci_dep_fn)(void *ctx, int input, int64_t task);
void nci_plan_deps(const nci_plan *plan, int64_t task, nci_dep_fn visit,
                   void *ctx);
void nci_plan_dependents(const nci_plan *plan, int64_t task, nci_dep_fn visit,
                         void *ctx);
int64_t nci_plan_ndeps(const nci_plan *plan, int64_t task);
int64_t nci_plan_ndependents(const nci_plan *plan, int64_t task);

/* nci_store_box gives the box of a STORE task of an array. */
nci_box nci_store_box(const nci_layer *layer, int64_t chunk);

/* nci_plan_cells: cells of a state chunk: rows x kept positions. */
int64_t nci_plan_cells(const nci_layer *layer, int64_t chunk);
/* nci_plan_bytes: bytes of what a task leaves (its chunk or state). */
int64_t nci_plan_bytes(const nci_plan *plan, int64_t task);
/* nci_plan_most_cells and _most_bytes bound them over all tasks of a layer,
 * from the largest size along each axis. */
int64_t nci_plan_most_cells(const nci_layer *layer);
int64_t nci_plan_most_bytes(const nci_plan *plan, const nci_layer *layer);

#endif
