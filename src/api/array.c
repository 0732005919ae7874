/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays: handles, operations, computing into memory. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "api/handles.h"
#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"

ncg_status nci_array_wrap(ncg_context *ctx, nci_node *node_take,
                          ncg_array **out, ncg_error *err)
{
    ncg_array *array = nci_alloc(sizeof *array);
    if (!array)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    atomic_init(&array->refs, 1);
    array->ctx = nci_context_retain(ctx);
    array->node = node_take;
    *out = array;
    return NCG_OK;
}

ncg_array *ncg_array_retain(ncg_array *array)
{
    if (array)
        atomic_fetch_add_explicit(&array->refs, 1, memory_order_relaxed);
    return array;
}

void ncg_array_release(ncg_array **slot)
{
    ncg_array *array = slot ? *slot : NULL;
    if (!array)
        return;
    *slot = NULL;
    if (atomic_fetch_sub_explicit(&array->refs, 1, memory_order_acq_rel) != 1)
        return;
    nci_node_release(&array->node);
    nci_context_release(&array->ctx);
    nci_free(array);
}

static ncg_status no_variable(const nci_model *model, const char *name,
                              ncg_error *err)
{
    const char **names = nci_alloc((model->nvars + 1) * sizeof *names);
    size_t n = 0;
    for (; names && n < model->nvars; n++)
        names[n] = model->vars[n].name;
    const char *near = names ? nci_suggest(name, names, n) : NULL;
    nci_free(names);
    return nci_fail(err, NCG_EINVAL, "no variable %s%s%s%s", name,
                    near ? "; did you mean " : "", near ? near : "",
                    near ? "?" : "");
}

ncg_status ncg_dataset_array(ncg_dataset *ds, const char *name, ncg_array **out,
                             ncg_error *err)
{
    if (!ds || !name || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    int v = nci_model_find_var(ds->model, name);
    if (v < 0)
        return no_variable(ds->model, name, err);
    nci_node *node = ds->model->vars[v].array;
    if (!node)
        return nci_fail(err, NCG_EUNSUPPORTED, "variable %s has no values",
                        name);
    ncg_status st = nci_array_wrap(ds->ctx, nci_node_retain(node), out, err);
    if (st)
        nci_node_release(&node);
    return st;
}

ncg_dtype ncg_array_dtype(const ncg_array *array)
{
    return array->node->dtype;
}

int ncg_array_rank(const ncg_array *array)
{
    return array->node->rank;
}

const int64_t *ncg_array_shape(const ncg_array *array)
{
    return array->node->shape;
}

int64_t ncg_array_size(const ncg_array *array)
{
    int64_t n = 1;
    for (int d = 0; d < array->node->rank; d++)
        n *= array->node->shape[d];
    return n;
}

bool ncg_array_missing(const ncg_array *array, void *value)
{
    const nci_node *node = array->node;
    if (nci_dtype_is_float(node->dtype)) {
        if (value)
            nci_dtype_put(node->dtype, value, NAN);
        return true;
    }
    if (node->has_missing && value)
        memcpy(value, node->missing, ncg_dtype_size(node->dtype));
    return node->has_missing;
}

/* ---- operations
 * --------------------------------------------------------------- */

static ncg_status wrap_or_drop(const ncg_array *array, ncg_status st,
                               nci_node *node, ncg_array **out, ncg_error *err)
{
    if (!st)
        st = nci_array_wrap(array->ctx, node, out, err);
    if (st)
        nci_node_release(&node);
    return st;
}

static ncg_status find_axis(const ncg_array *array, int axis, int *out,
                            ncg_error *err)
{
    int rank = array->node->rank, d = axis < 0 ? axis + rank : axis;
    if (d < 0 || d >= rank)
        return nci_fail(err, NCG_EINVAL, "axis %d of an array of rank %d", axis,
                        rank);
    *out = d;
    return NCG_OK;
}

ncg_status ncg_array_reduce(ncg_array *array, const int *axes, size_t naxes,
                            const ncg_reduce_options *options, ncg_array **out,
                            ncg_error *err)
{
    if (!array || !options || !out || (naxes && !axes))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (options->min_count < 0 || options->ddof < 0)
        return nci_fail(err, NCG_EINVAL, "negative min_count or ddof");
    nci_reduce reduce = {.op = options->op,
                         .label_axis = -1,
                         .skipna = options->skipna,
                         .min_count = options->min_count,
                         .ddof = options->ddof};
    for (size_t i = 0; i < naxes; i++) {
        int d = 0;
        NCI_TRY(find_axis(array, axes[i], &d, err));
        reduce.over[d] = true;
        reduce.keep[d] = options->keepdims;
    }
    nci_node *node = NULL;
    ncg_status st = nci_node_reduce(array->node, &reduce, NULL, &node, err);
    return wrap_or_drop(array, st, node, out, err);
}

/* Python's rules for start:stop:step. */
static int64_t clamp_index(int64_t i, int64_t n, int64_t step)
{
    if (i < 0)
        i += n;
    if (i < 0)
        return step > 0 ? 0 : -1;
    return i >= n ? (step > 0 ? n : n - 1) : i;
}

ncg_status ncg_array_slice(ncg_array *array, int axis, int64_t start,
                           int64_t stop, int64_t step, ncg_array **out,
                           ncg_error *err)
{
    int d = 0;
    if (!array || !out || step == 0)
        return nci_fail(err, NCG_EINVAL, "no array, no result or step 0");
    NCI_TRY(find_axis(array, axis, &d, err));
    nci_pick picks[NCG_MAX_RANK];
    for (int a = 0; a < array->node->rank; a++)
        picks[a] = (nci_pick){.count = array->node->shape[a], .step = 1};
    int64_t n = array->node->shape[d];
    int64_t from = clamp_index(start, n, step), to = clamp_index(stop, n, step);
    int64_t span = step > 0 ? to - from : from - to;
    int64_t stride = step > 0 ? step : -step;
    picks[d] = (nci_pick){.count = span > 0 ? (span + stride - 1) / stride : 0,
                          .start = from,
                          .step = step};
    nci_node *node = NULL;
    ncg_status st = nci_node_select(array->node, picks, &node, err);
    return wrap_or_drop(array, st, node, out, err);
}

/* NumPy's broadcasting: shapes aligned at the end, sizes equal or 1. */
static ncg_status broadcast(const nci_node *a, const nci_node *b,
                            nci_operand *operands, int64_t *shape, int *rank,
                            ncg_error *err)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int d = 0; d < *rank; d++) {
        int i = d - (*rank - a->rank), j = d - (*rank - b->rank);
        int64_t na = i < 0 ? 1 : a->shape[i], nb = j < 0 ? 1 : b->shape[j];
        if (na != nb && na != 1 && nb != 1)
            return nci_fail(err, NCG_EINVAL,
                            "shapes do not broadcast: axis %d has %lld and "
                            "%lld",
                            d, (long long)na, (long long)nb);
        shape[d] = na == 1 ? nb : na;
        operands[0].axis[d] = i;
        operands[1].axis[d] = j;
    }
    return NCG_OK;
}

/* Axes of size 1 that are broadcast are stretched by repeating position 0. */
static ncg_status stretch(nci_operand *operand, int rank, const int64_t *shape,
                          ncg_error *err)
{
    nci_pick picks[NCG_MAX_RANK];
    int64_t most = 1;
    for (int d = 0; d < rank; d++)
        most = shape[d] > most ? shape[d] : most;
    int64_t *zeros = nci_calloc((size_t)most, sizeof *zeros);
    if (!zeros)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int d = 0; d < rank; d++) {
        int a = operand->axis[d];
        if (a < 0)
            continue;
        bool same = operand->node->shape[a] == shape[d];
        picks[a] = (nci_pick){
            .count = shape[d], .step = 1, .index = same ? NULL : zeros};
    }
    nci_node *node = NULL;
    ncg_status st = nci_node_select(operand->node, picks, &node, err);
    nci_free(zeros);
    if (!st)
        operand->node = node;
    return st;
}

ncg_status ncg_array_binary(ncg_array *a, ncg_binary op, ncg_array *b,
                            ncg_array **out, ncg_error *err)
{
    static const nci_map_op ops[] = {NCI_MAP_ADD, NCI_MAP_SUB, NCI_MAP_MUL,
                                     NCI_MAP_DIV};
    if (!a || !b || !out || (unsigned)op > NCG_BINARY_DIV)
        return nci_fail(err, NCG_EINVAL, "array, operation or result missing");
    if (a->ctx != b->ctx)
        return nci_fail(err, NCG_EINVAL, "arrays of two contexts");
    nci_operand operands[2] = {{.node = a->node}, {.node = b->node}};
    int64_t shape[NCG_MAX_RANK];
    int rank;
    NCI_TRY(broadcast(a->node, b->node, operands, shape, &rank, err));
    nci_node *node = NULL;
    ncg_status st = stretch(&operands[0], rank, shape, err);
    if (st)
        return st;
    st = stretch(&operands[1], rank, shape, err);
    if (!st) {
        st = nci_node_map(ops[op], NCG_DTYPE_NONE, rank, shape, operands, 2,
                          &node, err);
        nci_node_release(&operands[1].node);
    }
    nci_node_release(&operands[0].node);
    return wrap_or_drop(a, st, node, out, err);
}

/* ---- computing into memory
 * ------------------------------------------------------ */

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

static ncg_status copy_chunk(void *ctx, int output, const int64_t *index,
                             const nci_buf *chunk, ncg_error *err)
{
    copy_sink *sink = ctx;
    (void)output, (void)err;
    int64_t row = sink->grid->rank ? sink->grid->axis[0].edge[index[0]] : 0;
    memcpy(sink->data + (size_t)row * sink->row_bytes, nci_buf_data(chunk),
           nci_buf_size(chunk));
    return NCG_OK;
}

enum { SLAB_BYTES = 4 << 20 };

ncg_status ncg_array_compute(ncg_array *array, void *data, size_t nbytes,
                             ncg_error *err)
{
    if (!array || !data)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    nci_node *node = array->node;
    size_t need = (size_t)ncg_array_size(array) * ncg_dtype_size(node->dtype);
    if (nbytes != need)
        return nci_fail(err, NCG_EINVAL, "%zu bytes given for %zu", nbytes,
                        need);
    if (node->kind == NCI_NODE_CONST) {
        memcpy(data, nci_buf_data(node->data), need);
        return NCG_OK;
    }
    if (need == 0)
        return NCG_OK;
    copy_sink copy = {.data = data};
    int64_t chunk[NCG_MAX_RANK];
    memcpy(chunk, node->shape, sizeof chunk);
    if (node->rank) {
        copy.row_bytes = need / (size_t)node->shape[0];
        int64_t rows = SLAB_BYTES / (int64_t)copy.row_bytes;
        chunk[0] = rows < 1 ? 1 : rows;
    }
    nci_grid grid;
    NCI_TRY(nci_grid_regular(node->rank, node->shape, chunk, &grid, err));
    copy.grid = &grid;
    nci_output output = {.node = node, .dtype = node->dtype, .grid = &grid};
    if (node->has_missing) {
        output.has_fill = true;
        memcpy(output.fill, node->missing, sizeof node->missing);
    }
    nci_sink sink = {&copy, keep_chunk, copy_chunk};
    ncg_status st = nci_context_run(array->ctx, &output, 1, &sink, err);
    nci_grid_fini(&grid);
    return st;
}
