/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_NODE_H
#define NCI_GRAPH_NODE_H
/*
 * Lazy arrays: immutable, counted, named by content. A node is one operation
 * on whole arrays; the passes (passes.h) rewrite nodes, lower.h turns them into
 * the layers of a plan.
 *
 * Missing values: floating-point arrays mark them by NaN, integer arrays by
 * the value `missing` when `has_missing`. Nothing here has files or threads;
 * retain and release are atomic, all else is read-only.
 */
#include "base/buf.h"
#include "base/grid.h"
#include "base/hash.h"
#include "base/source.h"
#include "graph/map_op.h"

typedef enum nci_node_kind {
    NCI_NODE_SOURCE, /* variable of files, by source id */
    NCI_NODE_CONST,  /* values in memory */
    NCI_NODE_SELECT, /* positions of each axis */
    NCI_NODE_MAP,    /* element-wise, inputs broadcast */
    NCI_NODE_REDUCE, /* reduction, optionally by groups and with weights */
    NCI_NODE_BLOCK   /* a named kernel makes each chunk from boxes of inputs */
} nci_node_kind;

/* Positions taken along one axis: start + i * step, or index[i]. */
typedef struct nci_pick {
    int64_t count;
    int64_t start, step;  /* step != 0; used when index is NULL */
    const int64_t *index; /* count positions, any order, repeats allowed */
} nci_pick;

typedef struct nci_node nci_node;

/* An input and how its axes lie in the operation's axes: axis[d] is the
 * input's axis for axis d, -1 where the input is broadcast along d. */
typedef struct nci_operand {
    nci_node *node;
    int axis[NCG_MAX_RANK];
} nci_operand;

/* What a reduction does. `labels` puts each position of `label_axis` into one
 * group 0..nlabels-1, or none (-1); other reduced axes collapse wholly. */
typedef struct nci_reduce {
    ncg_op op;
    bool over[NCG_MAX_RANK]; /* axis is reduced (the label axis too) */
    bool keep[NCG_MAX_RANK]; /* reduced axis stays, with size 1 */
    int label_axis;          /* -1: no groups */
    int32_t nlabels;
    const int32_t *labels; /* one a position of the label axis */
    bool pools; /* std, var: squared deviations from each group's own mean,
                   added over the groups; the label axis collapses too */
    bool skipna;
    int64_t min_count;
    int ddof;
} nci_reduce;

/* Which positions of an input's axis a chunk of ours needs: [low[i], high[i])
 * for chunk i of our axis `from`; the whole axis where from is -1. A chunk for
 * which one axis says low == high needs nothing of that input. */
typedef struct nci_reach {
    int from;
    int64_t *low, *high; /* one a chunk of our axis */
} nci_reach;

/* What a BLOCK node runs: a kernel by name and version, never by pointer, with
 * parameters as bytes. Its result has the chunks `node->grid`. */
typedef struct nci_block {
    const char *kernel; /* interned, "ncg.sort/1" */
    nci_buf *params;    /* NULL: none */
    nci_reach *reach;   /* [ninputs][NCG_MAX_RANK], by axis of the input */
} nci_block;

struct nci_node {
    _Atomic int32_t refs;
    nci_node_kind kind;
    nci_token token;
    ncg_dtype dtype;
    int rank;
    int64_t shape[NCG_MAX_RANK];
    bool has_missing;
    uint8_t missing[8]; /* integers only, of `dtype` */

    int ninputs; /* reduce: input, then weights if any */
    nci_operand *inputs;
    int depth; /* of the longest way down to a node without inputs */

    uint32_t source;   /* SOURCE: id the engine knows */
    int64_t stored;    /* SOURCE: bytes of a value where it is stored */
    nci_grid grid;     /* SOURCE: storage chunks; BLOCK: of the result */
    nci_buf *data;     /* CONST: row-major values. SOURCE: what keeps it, and
                          the values of a caller's array */
    nci_pick *picks;   /* SELECT: one an axis */
    nci_map_op map;    /* MAP */
    nci_reduce reduce; /* REDUCE */
    nci_block block;   /* BLOCK */
    const char *name;  /* interned; what people know it by, may be NULL */
};

/* nci_node_is_in_memory tells whether all values of a source lie in node->data:
 * a caller's array. */
static inline bool nci_node_is_in_memory(const nci_node *node)
{
    return node->kind == NCI_NODE_SOURCE && nci_buf_size(node->data) > 0;
}

/* nci_node_is_empty: some axis has no positions, so there are no values. */
bool nci_node_is_empty(const nci_node *node);

nci_node *nci_node_retain(nci_node *node);
void nci_node_release(nci_node **node);

/* nci_node_stored: bytes of one value in the files of a source, where they
 * differ the most of them. */
int64_t nci_node_stored(const nci_source_spec *spec);
/* nci_node_source makes the array of a source that the engine registered as
 * `id`; shape, dtype, grid, token and missing rule come from `spec`. */
ncg_status nci_node_source(uint32_t id, const nci_source_spec *spec,
                           nci_node **out, ncg_error *err);
/* nci_node_const makes an array of values in memory; retains `data`. `missing`
 * may be NULL. */
ncg_status nci_node_const(ncg_dtype dtype, int rank, const int64_t *shape,
                          nci_buf *data, const void *missing, nci_node **out,
                          ncg_error *err);
/* nci_node_select takes picks[rank]; index lists are copied. A selection of a
 * CONST of few values is made at once, and so is one of no positions: an array
 * without values. EINVAL: a position outside. */
ncg_status nci_node_select(nci_node *input, const nci_pick *picks,
                           nci_node **out, ncg_error *err);
/* nci_node_map combines operands over `shape`. The result's dtype follows
 * map_op.h; CAST: `dtype`. CAST and VIEW keep the missing values of integers,
 * other results mark them by NaN. */
ncg_status nci_node_map(nci_map_op op, ncg_dtype dtype, int rank,
                        const int64_t *shape, const nci_operand *operands,
                        int noperands, nci_node **out, ncg_error *err);
/* nci_node_reduce reduces `input`; `weights` (may be NULL) lies in the input's
 * axes. Labels are copied. Result shape: reduced axes dropped unless kept, the
 * label axis has nlabels positions. Result dtype: mean, std, var, range: F32
 * for F32 input, else F64; sum, prod: I64 or U64 for integers (F64 with
 * weights), F32 for F32; min, max, first, last: the input's, or where integers
 * without a missing value may get one, the next wider signed one; count, argmin,
 * argmax: I64; any, all: BOOL (I8 in files). EINVAL: weights with an operation other than
 * mean, sum, std, var. */
ncg_status nci_node_reduce(nci_node *input, const nci_reduce *reduce,
                           const nci_operand *weights, nci_node **out,
                           ncg_error *err);

/* What nci_node_block is made of; everything is copied. */
typedef struct nci_block_spec {
    const char *name; /* for people; NULL: the first input's */
    const char *kernel;
    const void *params;
    size_t nparams;
    ncg_dtype dtype;
    bool has_missing; /* integers */
    uint8_t missing[8];
    const nci_grid *grid; /* chunks, and so shape, of the result */
    int ninputs;
    nci_node *const *inputs;
    const nci_reach *reach; /* [ninputs][NCG_MAX_RANK] */
} nci_block_spec;

/* nci_node_block makes an array whose chunks a named kernel computes from
 * boxes of the inputs. EINVAL: a reach outside its input. */
ncg_status nci_node_block(const nci_block_spec *spec, nci_node **out,
                          ncg_error *err);

/* nci_reach_copy copies the reach of `nchunks` chunks; what it allocated up to
 * a failure stays in *out. */
ncg_status nci_reach_copy(const nci_reach *from, int64_t nchunks,
                          nci_reach *out, ncg_error *err);

/* nci_node_grid gives the chunks in which people see an array: those of the
 * files under selections and arithmetic, of BLOCK nodes their own, of results
 * of reductions what is left of the input's. The caller ends it. */
ncg_status nci_node_grid(const nci_node *node, nci_grid *out, ncg_error *err);

/* nci_reduce_axes maps output axes to input axes of a reduction;
 * returns the output's rank. */
int nci_reduce_axes(const nci_reduce *reduce, int rank, int *axis_of);
/* nci_op_takes_weights tells whether weights have a meaning for `op`. */
bool nci_op_takes_weights(ncg_op op);
/* nci_op_picks_a_value: results are among the input's values. */
bool nci_op_picks_a_value(ncg_op op);

#endif
