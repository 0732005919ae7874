/* SPDX-License-Identifier: BSD-3-Clause */
/* From arrays to values: into the caller's memory, or chunk by chunk to a
 * callback. */
#include <string.h>

#include "api/arrays.h"
#include "base/mem.h"

/* ---- into memory ---------------------------------------------------------- */

/* The output is asked for in row-major slabs of the outermost axis, which are
 * contiguous in the caller's memory. */
typedef struct copy_sink {
    char *data;
    const nci_grid *grid;
    size_t row_bytes; /* of one position of axis 0 */
} copy_sink;

static ncg_status keep_chunk(void *ctx, int output, const int64_t *index,
                             const int64_t *count, nci_buf *chunk_take,
                             nci_buf **out, ncg_error *err)
{
    (void)ctx, (void)output, (void)index, (void)count, (void)err;
    *out = chunk_take;
    return NCG_OK;
}

/* By the thread that made the chunk: no two overlap. What is handed on is
 * empty. */
static ncg_status copy_chunk(void *ctx, int output, const int64_t *index,
                             const int64_t *count, nci_buf *chunk_take,
                             nci_buf **out, ncg_error *err)
{
    copy_sink *sink = ctx;
    nci_buf *empty = NULL;
    (void)output, (void)count;
    NCI_TRY(nci_buf_wrap(NULL, 0, NULL, NULL, &empty, err));
    int64_t row = sink->grid->rank ? sink->grid->axis[0].edge[index[0]] : 0;
    memcpy(sink->data + (size_t)row * sink->row_bytes, nci_buf_data(chunk_take),
           nci_buf_size(chunk_take));
    nci_buf_release(&chunk_take);
    *out = empty;
    return NCG_OK;
}

static ncg_status chunk_is_there(void *ctx, int output, const int64_t *index,
                                 const nci_buf *chunk, ncg_error *err)
{
    (void)ctx, (void)output, (void)index, (void)chunk, (void)err;
    return NCG_OK;
}

static nci_output output_of(nci_node *node, const nci_grid *grid)
{
    nci_output output = {.node = node, .dtype = node->dtype, .grid = grid};
    if (node->has_missing) {
        output.has_fill = true;
        memcpy(output.fill, node->missing, sizeof node->missing);
    }
    return output;
}

enum { SLAB_BYTES = 4 << 20 };

static ncg_status compute_slabs(ncg_array *array, char *data, size_t nbytes,
                                ncg_error *err)
{
    const nci_node *node = array->node;
    copy_sink copy = {.data = data};
    int64_t chunk[NCG_MAX_RANK];
    memcpy(chunk, node->shape, sizeof chunk);
    if (node->rank) {
        copy.row_bytes = nbytes / (size_t)node->shape[0];
        int64_t rows = SLAB_BYTES / (int64_t)copy.row_bytes;
        chunk[0] = rows < 1 ? 1 : rows;
    }
    nci_grid grid;
    NCI_TRY(nci_grid_regular(node->rank, node->shape, chunk, &grid, err));
    copy.grid = &grid;
    nci_output output = output_of(array->node, &grid);
    nci_sink sink = {.ctx = &copy,
                     .encode = copy_chunk,
                     .put = chunk_is_there,
                     .is_plain = true};
    ncg_status st = nci_context_run(array->ctx, &output, 1, &sink, err);
    nci_grid_fini(&grid);
    return st;
}

ncg_status ncg_array_compute(ncg_array *array, void *data, size_t nbytes,
                             ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    const nci_node *node = array->node;
    size_t need = (size_t)ncg_array_size(array) * ncg_dtype_size(node->dtype);
    if (!data && need)
        return nci_array_null("the memory for the values", err);
    if (nbytes != need)
        return nci_fail(err, NCG_EINVAL,
                        "%zu bytes given for values that take %zu", nbytes,
                        need);
    if (need == 0)
        return NCG_OK;
    if (node->kind == NCI_NODE_CONST) {
        memcpy(data, nci_buf_data(node->data), need);
        return NCG_OK;
    }
    return compute_slabs(array, data, nbytes, err);
}

/* ---- to a callback ---------------------------------------------------------- */

typedef struct call_sink {
    const nci_node *node;
    const nci_grid *grid;
    ncg_chunk_fn call;
    void *payload;
} call_sink;

static ncg_status call_chunk(void *ctx, int output, const int64_t *index,
                             const nci_buf *data, ncg_error *err)
{
    call_sink *sink = ctx;
    const nci_node *node = sink->node;
    (void)output;
    nci_box box = nci_grid_box(sink->grid, nci_grid_number(sink->grid, index));
    ncg_chunk chunk = {.dtype = node->dtype,
                       .rank = node->rank,
                       .data = nci_buf_data(data),
                       .has_missing = node->has_missing};
    memcpy(chunk.start, box.start, sizeof chunk.start);
    memcpy(chunk.count, box.count, sizeof chunk.count);
    memcpy(chunk.shape, node->shape, sizeof chunk.shape);
    memcpy(chunk.missing, node->missing, sizeof chunk.missing);
    ncg_error own;
    nci_error_clear(&own);
    ncg_status st = sink->call(&chunk, sink->payload, &own);
    if (st)
        return nci_fail(err, st, "the callback for chunks failed: %.400s",
                        own.message[0] ? own.message : ncg_status_text(st));
    return NCG_OK;
}

ncg_status ncg_array_each_chunk(ncg_array *array, ncg_chunk_fn chunk,
                                void *payload, ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!chunk)
        return nci_array_null("the callback", err);
    if (ncg_array_size(array) == 0)
        return NCG_OK;
    nci_grid grid = {0};
    NCI_TRY(nci_node_grid(array->node, &grid, err));
    call_sink call = {array->node, &grid, chunk, payload};
    nci_output output = output_of(array->node, &grid);
    nci_sink sink = {.ctx = &call, .encode = keep_chunk, .put = call_chunk};
    ncg_status st = nci_context_run(array->ctx, &output, 1, &sink, err);
    nci_grid_fini(&grid);
    return st;
}
