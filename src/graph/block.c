/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/block.h"

#include "base/mem.h"
#include "graph/fuse.h"

enum {
    FOLD_TARGET = 16 << 20, /* bytes decoded by one folding task */
    LARGE_STATE = 1 << 20,  /* states beyond this make groups twice as large */
    FEW_GROUPS = 24,        /* unless that left fewer groups than this */
    STORE_TARGET = 4 << 20, /* bytes made by one storing task */
    STATE_LIMIT = 8 << 20,  /* kept axes are not merged beyond this state */
    CUT_STATE = 16 << 10, /* groups of such states hold one label if they can */
    MOST_GROUPS = 256,    /* more groups than this make larger ones; */
    MOST_CHUNKS = 1 << 14, /* the same where they are of chunks in memory */
    STATE_SHARE = 8,       /* of a group's bytes: what its state may be, */
    LEAST_GROUPS = 8       /* unless that left fewer groups than this */
};
static const int64_t FOLD_MOST = (int64_t)256 << 20;

void nci_plain_pieces(int rank, const int64_t *shape, int64_t item,
                      int64_t *length)
{
    int64_t room = STORE_TARGET / (item < 1 ? 1 : item);
    for (int d = rank - 1; d >= 0; d--) {
        length[d] = shape[d] < room ? shape[d] : room;
        length[d] = length[d] < 1 ? 1 : length[d];
        room = room / length[d] < 1 ? 1 : room / length[d];
    }
}

ncg_status nci_block_axis(const nci_pick *pick, const nci_axis *input,
                          nci_axis *out, ncg_error *err)
{
    size_t capacity = 0;
    int64_t n = 0, *edge = NULL, current = -1;
    ncg_status st = NCG_OK;
    for (int64_t i = 0; i < pick->count;) {
        int64_t position = nci_pick_at(pick, i);
        int64_t chunk = nci_axis_find(input, position);
        if (chunk != current) {
            if (!nci_grow(&edge, &capacity, (size_t)n + 2, sizeof *edge)) {
                st = nci_fail(err, NCG_ENOMEM, "out of memory");
                goto done;
            }
            edge[n++] = i;
            current = chunk;
        }
        bool is_run = !pick->index && pick->step == 1;
        i += is_run ? input->edge[chunk + 1] - position : 1;
    }
    if (n == 0) {
        st = nci_axis_regular(0, 1, out, err);
        goto done;
    }
    edge[n] = pick->count;
    st = nci_axis_from_edges(edge, n, out, err);
done:
    nci_free(edge);
    return st;
}

/* The mean length of an axis's chunks, at least 1. */
static int64_t chunk_length(const nci_axis *axis)
{
    int64_t n = axis->nchunks ? axis->nchunks : 1;
    int64_t length = (nci_axis_size(axis) + n - 1) / n;
    return length > 0 ? length : 1;
}

typedef struct blocker {
    const nci_grid *fine;
    int64_t every[NCG_MAX_RANK]; /* chunks merged along each axis */
    int64_t bytes;               /* of a block so far */
    int64_t cells_bytes;         /* of its state so far */
} blocker;

static void merge_axis(blocker *b, int d, int64_t target, bool is_kept)
{
    int64_t n = b->fine->axis[d].nchunks;
    int64_t every = b->bytes > 0 ? target / b->bytes : 1;
    if (is_kept && b->cells_bytes > 0 && every > STATE_LIMIT / b->cells_bytes)
        every = STATE_LIMIT / b->cells_bytes;
    every = every > n ? n : every;
    every = every < 1 ? 1 : every;
    b->every[d] = every;
    b->bytes *= every;
    if (is_kept)
        b->cells_bytes *= every;
}

/* Groups are larger where there would be so many that their tree were deep, and
 * where merging their states took a good part of the work. */
static int64_t fold_target(const nci_grid *fine, const bool *over,
                           bool is_chunks, int64_t block_bytes,
                           int64_t state_bytes)
{
    int64_t target = is_chunks ? STORE_TARGET : FOLD_TARGET, chunks = 1;
    int64_t most = is_chunks ? MOST_CHUNKS : MOST_GROUPS;
    for (int d = 0; d < fine->rank; d++)
        if (over[d])
            chunks *= fine->axis[d].nchunks;
    double all = (double)block_bytes * (double)nci_grid_nchunks(fine);
    if (state_bytes > LARGE_STATE && block_bytes > 0 &&
        block_bytes <= FOLD_TARGET &&
        chunks / (2 * FOLD_TARGET / block_bytes) >= FEW_GROUPS)
        target *= 2;
    while (target < FOLD_MOST && target < STATE_SHARE * state_bytes &&
           all / (2 * (double)target) >= LEAST_GROUPS)
        target *= 2;
    while (target < FOLD_MOST &&
           chunks / (target / (block_bytes < 1 ? 1 : block_bytes) + 1) > most)
        target *= 2;
    return target;
}

/* Runs of at most `every` chunks that end wherever the label changes between
 * two chunks. A group that holds one label is wanted by one result only: its
 * state does not have to wait for the other labels' results. */
static ncg_status cut_by_labels(const nci_axis *fine, const int32_t *labels,
                                int64_t every, nci_axis *out, ncg_error *err)
{
    int64_t n = 0, length = 0;
    int64_t *edge = nci_alloc(((size_t)fine->nchunks + 1) * sizeof *edge);
    if (!edge)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t c = 0; c < fine->nchunks; c++, length++) {
        int64_t at = fine->edge[c];
        if (c == 0 || length == every || labels[at - 1] != labels[at]) {
            edge[n++] = at;
            length = 0;
        }
    }
    edge[n] = nci_axis_size(fine);
    ncg_status st = nci_axis_from_edges(edge, n, out, err);
    nci_free(edge);
    return st;
}

/* Twice as long along the shortest axis, as long as that fits. */
static void merge_alike(blocker *b, const bool *over, int64_t target)
{
    const nci_grid *fine = b->fine;
    while (2 * b->bytes <= target) {
        int least = -1;
        for (int d = fine->rank - 1; d >= 0; d--)
            if (b->every[d] < fine->axis[d].nchunks &&
                (least < 0 || b->every[d] < b->every[least]))
                least = d;
        bool is_kept = least >= 0 && over && !over[least];
        if (least < 0 || (is_kept && b->cells_bytes > STATE_LIMIT / 2))
            return;
        b->every[least] *= 2;
        b->bytes *= 2;
        b->cells_bytes *= is_kept ? 2 : 1;
    }
}

static void size_blocks(blocker *b, const nci_fold_axes *fold,
                        const nci_block_hints *hints)
{
    const nci_grid *fine = b->fine;
    const bool *over = fold ? fold->over : NULL;
    for (int d = 0; d < fine->rank; d++) {
        b->every[d] = 1;
        b->bytes *= chunk_length(&fine->axis[d]);
        if (over && !over[d])
            b->cells_bytes *= chunk_length(&fine->axis[d]);
    }
    int64_t target = over ? fold_target(fine, over, hints && hints->is_chunks,
                                        b->bytes, b->cells_bytes)
                          : STORE_TARGET;
    if (hints && hints->is_turned && fine->rank > 1) {
        merge_alike(b, over, target);
        return;
    }
    for (int d = fine->rank - 1; over && d >= 0; d--)
        if (over[d])
            merge_axis(b, d, target, false);
    for (int d = fine->rank - 1; d >= 0; d--)
        if (!over || !over[d])
            merge_axis(b, d, target, over != NULL);
}

/* Groups that a chunk holds, at most: each label that is above the one before
 * it may be a new one, of as many as there are between the least and the most.
 */
static int64_t labels_in(const nci_axis *axis, int64_t chunk,
                         const int32_t *labels)
{
    int64_t first = axis->edge[chunk], n = 1;
    int32_t least = labels[first], most = least;
    for (int64_t i = first + 1; i < axis->edge[chunk + 1]; i++) {
        n += labels[i] > labels[i - 1];
        least = labels[i] < least ? labels[i] : least;
        most = labels[i] > most ? labels[i] : most;
    }
    return n < most - least + 1 ? n : most - least + 1;
}

/* Even the chunk with the fewest groups has a state of each. */
static int64_t fewest_labels(const nci_grid *fine, const nci_fold_axes *fold)
{
    int64_t fewest = INT64_MAX;
    const nci_axis *axis = fold->labels ? &fine->axis[fold->label_axis] : NULL;
    for (int64_t c = 0; axis && c < axis->nchunks; c++) {
        bool is_empty = axis->edge[c] == axis->edge[c + 1];
        int64_t n = is_empty ? 1 : labels_in(axis, c, fold->labels);
        fewest = n < fewest ? n : fewest;
    }
    return fewest < INT64_MAX ? fewest : 1;
}

ncg_status nci_block_grid(const nci_grid *fine, int64_t item,
                          const nci_fold_axes *fold,
                          const nci_block_hints *hints, nci_grid *out,
                          ncg_error *err)
{
    blocker b = {.fine = fine,
                 .bytes = item,
                 .cells_bytes = fold ? fold->cell_bytes : 0};
    if (fold)
        b.cells_bytes *= fewest_labels(fine, fold);
    size_blocks(&b, fold, hints);
    nci_grid grid = {.rank = fine->rank};
    for (int d = 0; d < fine->rank; d++) {
        bool is_cut = fold && fold->labels && d == fold->label_axis &&
                      b.cells_bytes >= CUT_STATE;
        ncg_status st = is_cut ? cut_by_labels(&fine->axis[d], fold->labels,
                                               b.every[d], &grid.axis[d], err)
                               : nci_axis_merge(&fine->axis[d], b.every[d],
                                                &grid.axis[d], err);
        if (st) {
            nci_grid_fini(&grid);
            return st;
        }
    }
    *out = grid;
    return NCG_OK;
}
