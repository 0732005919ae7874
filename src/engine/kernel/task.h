/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_TASK_H
#define NCI_ENGINE_KERNEL_TASK_H
/*
 * One FUSED task while it runs. Its box of domain positions is worked off in
 * pieces, each a product of one list of positions an axis: what one tile of
 * the source covers, or everything at once. Streams are what a position is
 * mapped to: an element of each operand, a cell of the state (or an element of
 * the output), a position along the reduced axes. Where nothing but memory is
 * read, in even steps, strides stand for the tables.
 */
#include "engine/kernel/fold.h"
#include "engine/kernel/kernel.h"
#include "engine/kernel/strips.h"
#include "engine/kernel/view.h"

enum {
    NCI_STREAM_OUT = NCI_MAX_OPERANDS, /* state cell, output element */
    NCI_STREAM_PLACE,                  /* position along reduced axes */
    NCI_NSTREAMS
};

typedef struct nci_piece {
    int64_t count[NCG_MAX_RANK];
    const int64_t *table[NCI_NSTREAMS][NCG_MAX_RANK];
    const int64_t (*stride)[NCG_MAX_RANK]; /* instead of tables; or NULL */
    uint32_t even[NCI_NSTREAMS]; /* bit d: table d is known to be even */
    int64_t base[NCI_NSTREAMS];
    int64_t row; /* positions along trailing axes that share a cell */
} nci_piece;

/* Offsets along an axis of a source, as they were made for a tile. */
typedef struct nci_drawn {
    int64_t first, n; /* positions of the box; n == 0: none yet */
    int64_t start, stride;
} nci_drawn;

/* Memory of one thread: registers, raw values, temporaries. */
typedef struct nci_lane {
    double *registers;
    uint8_t *raw;
    double *temp, *temp2;
    double *doubles; /* results of other classes */
    uint8_t *strips; /* NCI_STRIPS_BYTES, of folds */
} nci_lane;

typedef struct nci_task {
    const nci_task_env *env;
    const nci_layer *layer;
    const nci_fused *fused;
    const nci_isa *isa;
    int rank;
    nci_box box;
    int64_t chunk;

    /* Over the whole box: stream offsets; for a source operand positions in
     * the source, turned into offsets tile by tile. */
    int64_t *table[NCI_NSTREAMS][NCG_MAX_RANK];
    bool is_even; /* no tables: strides */
    int64_t stride[NCI_NSTREAMS][NCG_MAX_RANK];
    int64_t base[NCI_NSTREAMS]; /* of axes that are fixed to one position */
    bool is_used[NCI_NSTREAMS];
    int64_t *memory; /* behind `table` */
    int64_t *piece_memory, *lists;
    bool is_run[NCG_MAX_RANK]; /* positions follow each other in the source */
    nci_drawn drawn[NCG_MAX_RANK];
    int64_t width; /* sum of the box's counts */
    nci_view views[NCI_MAX_OPERANDS];
    uint8_t *gathered[NCI_MAX_OPERANDS]; /* owned; NULL: not needed */
    const uint8_t *is_left_out; /* positions of the label axis, may be NULL */
    uint8_t *left_out;          /* owned */

    int threads;
    nci_lane *lanes; /* one a thread */
    uint8_t *lane_memory;

    nci_buf *out;
    uint8_t *data;
    int64_t ncells, nrows;
    int64_t *seen; /* positions that fall into the cells of each row */
    bool is_packed; /* values are folded as they are stored */
    nci_packing packing;
    nci_acc acc;
    nci_strips strips;      /* that wait to be folded into `acc` */
    nci_state total;        /* where slabs are merged; data NULL: none so far */
    int64_t done, expected; /* positions */
    _Atomic int64_t fills;  /* values that were NetCDF's default fill */
} nci_task;

/* nci_task_open sets everything up but the output, for fold `part` of the
 * layer (0 where there is one); nci_task_close releases all but the output. */
ncg_status nci_task_open(nci_task *task, const nci_task_env *env,
                         const nci_layer *layer, int part, int64_t chunk,
                         const nci_dep *deps, int64_t ndeps, ncg_error *err);
void nci_task_close(nci_task *task);
/* nci_task_packing: of the integers that a task folds as they are stored; NULL:
 * values are unpacked one by one. */
static inline const nci_packing *nci_task_packing(const nci_task *task)
{
    return task->is_packed ? &task->packing : NULL;
}
/* nci_task_lane_bytes: memory of one thread. */
int64_t nci_task_lane_bytes(const nci_fused *fused);
/* nci_task_is_even tells whether a task has strides instead of tables. */
bool nci_task_is_even(const nci_fused *fused);
/* nci_task_fill_operand fills the tables of operand k: positions of a source
 * (box NULL), else offsets into an array over `box`. */
void nci_task_fill_operand(nci_task *task, int k, const nci_box *box);
/* nci_task_source_box: the positions of its source that a task needs, and
 * those between them. */
nci_box nci_task_source_box(const nci_task *task);
/* nci_task_open_layer finds operand k in the chunks of another layer, or
 * gathers it from them. */
ncg_status nci_task_open_layer(nci_task *task, int k, const nci_dep *deps,
                               int64_t ndeps, ncg_error *err);
/* nci_task_operand_bytes bounds what gathering operand chunks takes, without
 * the list of their positions. */
int64_t nci_task_most_operand_bytes(const nci_plan *plan,
                                    const nci_layer *layer);
int64_t nci_task_operand_bytes(const nci_plan *plan, const nci_layer *layer,
                               const nci_box *box);

/* nci_piece_of fills the piece of the positions that lie in the wanted part of
 * a tile (both NULL: the whole box); false where there are none. */
bool nci_piece_of(nci_task *task, const nci_box *tile, const nci_box *wanted,
                  nci_piece *out);
/* nci_piece_walk starts a walk over `count` positions of a stream, from the
 * piece's first; nci_piece_offset tells how far position i of axis d lies
 * behind the first one. */
void nci_piece_walk(const nci_task *task, const nci_piece *piece, int stream,
                    const int64_t *count, nci_walk *walk);
static inline int64_t nci_piece_offset(const nci_piece *piece, int stream,
                                       int d, int64_t i)
{
    const int64_t *table = piece->table[stream][d];
    return piece->stride ? i * piece->stride[stream][d] : table[i] - table[0];
}
int64_t nci_piece_size(const nci_task *task, const nci_piece *piece);
/* nci_piece_covers tells whether there would be any. */
bool nci_piece_covers(const nci_task *task, const nci_box *wanted);

/* Tasks that only move values to other places, whatever they are (moved.c).
 * nci_find_chunk finds the chunk that the task is to make where it lies in
 * memory already, or has the source fill it; *out stays NULL where neither can
 * be. nci_moves_whole copies the box from memory, nci_moves_piece a piece of a
 * tile; false: the values need more than that. */
ncg_status nci_find_chunk(nci_task *task, nci_buf **out, ncg_error *err);
bool nci_moves_whole(nci_task *task);
bool nci_moves_piece(nci_task *task, const nci_piece *piece);

/* When a piece is divided, in positions; constants but for tests, which make
 * them small. They decide bits of results, so nothing may tune them. */
typedef struct nci_piece_limits {
    int64_t large;     /* smaller pieces run on one thread */
    int64_t slab;      /* of a slab, at least */
    int64_t long_axis; /* of a kept axis that threads can share */
    int64_t strip;     /* cells of a strip, at least; decides no bits */
} nci_piece_limits;
extern nci_piece_limits nci_piece_rules;

/* nci_run_piece computes a piece on the task's threads. */
ncg_status nci_run_piece(nci_task *task, const nci_piece *piece,
                         ncg_error *err);
/* nci_run_part computes (part of) a piece into `acc`, or stores it; one
 * thread. */
void nci_run_part(const nci_task *task, const nci_piece *piece, nci_acc *acc,
                  const nci_lane *lane);

/* nci_run_in_order does so, walking over the operands as they lie.
 * nci_run_turned does so panel by panel, with copies of those that lie
 * transposed; false: there are none, or it would not pay. nci_turn_bytes bounds
 * what the copies of one thread take. */
void nci_run_in_order(const nci_task *task, const nci_piece *piece,
                      nci_acc *acc, const nci_lane *lane);
bool nci_run_turned(const nci_task *task, const nci_piece *piece, nci_acc *acc,
                    const nci_lane *lane);
int64_t nci_turn_bytes(const nci_fused *fused, const nci_box *box);
int64_t nci_turn_most_bytes(const nci_fused *fused, const nci_grid *grid);

/* Rows of raw values that are summed as they are. nci_row_sums_open tells
 * whether a task is of that kind, nci_row_sums_add takes the next block of n
 * values and moves the walks on; false: some are missing, or lie apart, and
 * none was taken. */
typedef struct nci_row_sums {
    const nci_view *view, *weights; /* weights NULL: none */
    nci_walk *cells, *operands;
    nci_strips_in in;
    bool (*row_sum)(const nci_strips_in *in, int64_t n, double *sum);
} nci_row_sums;
bool nci_row_sums_open(nci_row_sums *rows, const nci_task *task,
                       nci_walk *cells, nci_walk *operands);
bool nci_row_sums_add(nci_row_sums *rows, nci_acc *acc, const nci_lane *lane,
                      int64_t n);

/* nci_take_strips takes a piece that is steps of the same cells, and folds it
 * some time until nci_flush_strips; false where it is something else. */
bool nci_take_strips(nci_task *task, const nci_piece *piece);
void nci_flush_strips(nci_task *task);

/* nci_slab_bytes bounds what slabs take; 0 where there are none. */
int64_t nci_slab_bytes(const nci_fold *fold, int64_t ncells);

ncg_status nci_run_fused(const nci_task_env *env, const nci_layer *layer,
                         int64_t chunk, const nci_dep *deps, int64_t ndeps,
                         nci_buf **out, ncg_error *err);
ncg_status nci_run_combine(const nci_task_env *env, const nci_layer *layer,
                           int64_t chunk, const nci_dep *deps, int64_t ndeps,
                           nci_buf **out, ncg_error *err);
ncg_status nci_run_block(const nci_task_env *env, const nci_layer *layer,
                         int64_t chunk, const nci_dep *deps, int64_t ndeps,
                         nci_buf **out, ncg_error *err);
/* nci_block_scratch: gathered boxes and what the kernel asks for. The _most
 * forms, here and above, bound a whole layer (nci_kernel_most_scratch). */
int64_t nci_block_most_scratch(const nci_plan *plan, nci_kernel_table *kernels,
                               const nci_layer *layer);
int64_t nci_block_scratch(const nci_plan *plan, nci_kernel_table *kernels,
                          const nci_layer *layer, int64_t chunk, int threads);
ncg_status nci_run_store(const nci_task_env *env, const nci_layer *layer,
                         int64_t chunk, const nci_dep *deps, int64_t ndeps,
                         nci_buf **out, ncg_error *err);
/* nci_run_explicit runs a task of a TASKS layer; nci_run_store_values collects
 * references to the values of such tasks (values.c). */
ncg_status nci_run_explicit(const nci_task_env *env, const nci_layer *layer,
                            int64_t task, const nci_dep *deps, int64_t ndeps,
                            nci_buf **out, ncg_error *err);
ncg_status nci_run_store_values(const nci_dep *deps, int64_t ndeps,
                                nci_buf **out, ncg_error *err);

#endif
