/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays that come from nowhere: memory, numbers, functions. */
#include <math.h>
#include <string.h>

#include "api/handles.h"
#include "base/dtype.h"
#include "base/mem.h"
#include "engine/source_make.h"
#include "graph/ops/ops.h"

/* Chunks where the caller names none; below SMALL an array has only one and
 * goes with the graph. */
enum { CHUNK_BYTES = 4 << 20, SMALL_BYTES = 64 << 10 };

/* ---- shape and chunks ---------------------------------------------------- */

static ncg_status check_shape(const ncg_context *ctx, ncg_dtype dtype, int rank,
                              const int64_t *shape, int64_t *nbytes,
                              ncg_error *err)
{
    bool is_empty = false;
    if (!ctx || (rank > 0 && !shape))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (rank < 0 || rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "rank %d: 0 to %d are possible", rank,
                        NCG_MAX_RANK);
    if (!nci_dtype_is_numeric(dtype))
        return nci_fail(err, NCG_EINVAL, "dtype %s has no numbers",
                        ncg_dtype_name(dtype));
    *nbytes = (int64_t)ncg_dtype_size(dtype);
    for (int d = 0; d < rank; d++) {
        if (shape[d] < 0)
            return nci_fail(err, NCG_EINVAL, "axis %d has size %lld", d,
                            (long long)shape[d]);
        is_empty = is_empty || !shape[d];
    }
    for (int d = 0; !is_empty && d < rank; d++)
        if (!nci_mul_i64(*nbytes, shape[d], nbytes))
            return nci_fail(err, NCG_EINVAL,
                            "array too large: its bytes do not fit into 64 "
                            "bits");
    if (is_empty)
        *nbytes = 0;
    return NCG_OK;
}

static ncg_status make_grid(ncg_dtype dtype, int rank, const int64_t *shape,
                            const int64_t *chunks, nci_grid *out,
                            ncg_error *err)
{
    static const bool nothing[NCG_MAX_RANK];
    if (!chunks)
        return nci_ops_uniform_grid(rank, shape, ncg_dtype_size(dtype), nothing,
                                    NULL, CHUNK_BYTES, out, err);
    for (int d = 0; d < rank; d++)
        if (chunks[d] < 1)
            return nci_fail(err, NCG_EINVAL, "chunks of %lld along axis %d",
                            (long long)chunks[d], d);
    return nci_grid_regular(rank, shape, chunks, out, err);
}

static ncg_status wrap(ncg_context *ctx, ncg_status st, nci_node *node,
                       ncg_array **out, ncg_error *err)
{
    if (!st)
        st = nci_array_wrap(ctx, node, out, err);
    if (st)
        nci_node_release(&node);
    return st;
}

/* ---- memory -------------------------------------------------------------- */

/* The caller's memory as a buffer, or a copy; `release` has run on failure. */
static ncg_status take_memory(const void *data, size_t nbytes,
                              void (*release)(void *data, void *payload),
                              void *payload, nci_buf **out, ncg_error *err)
{
    ncg_status st;
    if (release) {
        st = nci_buf_wrap((void *)data, nbytes, release, payload, out, err);
        if (st)
            release((void *)data, payload);
        return st;
    }
    st = nci_buf_create(nbytes, out, err);
    if (!st && nbytes)
        memcpy(nci_buf_data(*out), data, nbytes);
    return st;
}

static ncg_status node_of_memory(ncg_context *ctx, const nci_source_form *form,
                                 const int64_t *shape, bool is_small,
                                 nci_buf *data, nci_node **out, ncg_error *err)
{
    if (form->missing && !nci_dtype_is_integer(form->dtype))
        return nci_fail(err, NCG_EINVAL,
                        "a missing value for dtype %s, which uses NaN",
                        ncg_dtype_name(form->dtype));
    if (is_small)
        return nci_node_const(form->dtype, form->grid->rank, shape, data,
                              form->missing, out, err);
    return nci_source_from_buffer(ctx->sources, form, data, out, err);
}

ncg_status ncg_array_from_memory(ncg_context *ctx, ncg_dtype dtype, int rank,
                                 const int64_t *shape, const int64_t *chunks,
                                 const void *data, const void *missing,
                                 void (*release)(void *data, void *payload),
                                 void *payload, ncg_array **out, ncg_error *err)
{
    nci_grid grid = {0};
    nci_buf *memory = NULL;
    nci_node *node = NULL;
    int64_t nbytes = 0;
    ncg_status st = out ? check_shape(ctx, dtype, rank, shape, &nbytes, err)
                        : nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (!st && nbytes && !data)
        st = nci_fail(err, NCG_EINVAL, "no data");
    if (st && release)
        release((void *)data, payload);
    if (st)
        return st;
    st = take_memory(data, (size_t)nbytes, release, payload, &memory, err);
    if (!st)
        st = make_grid(dtype, rank, shape, chunks, &grid, err);
    nci_source_form form = {NULL, dtype, &grid, missing};
    bool is_small = !nbytes || (nbytes < SMALL_BYTES && !chunks);
    if (!st)
        st = node_of_memory(ctx, &form, shape, is_small, memory, &node, err);
    nci_buf_release(&memory);
    nci_grid_fini(&grid);
    return wrap(ctx, st, node, out, err);
}

/* ---- numbers --------------------------------------------------------------- */

/* Small arrays have their numbers with them at once. */
static ncg_status small_node(ncg_dtype dtype, int rank, const int64_t *shape,
                             int64_t nbytes, const nci_generator *how,
                             nci_node **out, ncg_error *err)
{
    nci_buf *data = NULL;
    NCI_TRY(nci_buf_create((size_t)nbytes, &data, err));
    int64_t n = nbytes / (int64_t)ncg_dtype_size(dtype);
    nci_generator own = *how;
    own.size = n;
    nci_generate(&own, dtype, 0, n, nci_buf_data(data));
    ncg_status st = nci_node_const(dtype, rank, shape, data, NULL, out, err);
    nci_buf_release(&data);
    return st;
}

static ncg_status generated(ncg_context *ctx, ncg_dtype dtype, int rank,
                            const int64_t *shape, const int64_t *chunks,
                            const nci_generator *how, ncg_array **out,
                            ncg_error *err)
{
    nci_grid grid = {0};
    nci_node *node = NULL;
    int64_t nbytes;
    if (!out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(check_shape(ctx, dtype, rank, shape, &nbytes, err));
    ncg_status st = make_grid(dtype, rank, shape, chunks, &grid, err);
    nci_source_form form = {NULL, dtype, &grid, NULL};
    if (!st && (!nbytes || (nbytes < SMALL_BYTES && !chunks)))
        st = small_node(dtype, rank, shape, nbytes, how, &node, err);
    else if (!st)
        st = nci_source_from_generator(ctx->sources, &form, how, &node, err);
    nci_grid_fini(&grid);
    return wrap(ctx, st, node, out, err);
}

ncg_status ncg_array_full(ncg_context *ctx, ncg_dtype dtype, int rank,
                          const int64_t *shape, const int64_t *chunks,
                          const void *value, ncg_array **out, ncg_error *err)
{
    nci_generator how = {.kind = NCI_GENERATE_FULL};
    if (!value)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    memcpy(how.value, value, ncg_dtype_size(dtype));
    return generated(ctx, dtype, rank, shape, chunks, &how, out, err);
}

/* Integers go through double, which holds them up to 2^53. */
static ncg_status check_whole(ncg_dtype dtype, double x, ncg_error *err)
{
    if (nci_dtype_is_float(dtype) || (x == floor(x) && fabs(x) <= 0x1p53))
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL, "%g is not an integer of up to 2^53", x);
}

ncg_status ncg_array_arange(ncg_context *ctx, ncg_dtype dtype, double start,
                            double stop, double step, int64_t chunk,
                            ncg_array **out, ncg_error *err)
{
    nci_generator how = {.kind = NCI_GENERATE_RANGE};
    double count = ceil((stop - start) / step);
    if (!isfinite(count) || count >= 0x1p62)
        return nci_fail(err, NCG_EINVAL, "arange from %g to %g by %g", start,
                        stop, step);
    NCI_TRY(check_whole(dtype, start, err));
    NCI_TRY(check_whole(dtype, step, err));
    int64_t n = count > 0 ? (int64_t)count : 0;
    how.start = start;
    how.last = start + step;
    how.delta = (start + step) - start; /* as NumPy does it */
    if (dtype == NCG_DTYPE_F32)
        how.delta = (double)((float)(start + step) - (float)start);
    if (!nci_dtype_is_float(dtype)) {
        how.low = (int64_t)start;
        how.step = (int64_t)step;
    }
    return generated(ctx, dtype, 1, &n, chunk > 0 ? &chunk : NULL, &how, out,
                     err);
}

ncg_status ncg_array_linspace(ncg_context *ctx, ncg_dtype dtype, double start,
                              double stop, int64_t count, bool endpoint,
                              int64_t chunk, ncg_array **out, ncg_error *err)
{
    nci_generator how = {.kind = NCI_GENERATE_LINSPACE, .start = start};
    int64_t parts = endpoint ? count - 1 : count;
    if (count < 0 || !isfinite(start) || !isfinite(stop))
        return nci_fail(err, NCG_EINVAL, "linspace from %g to %g, %lld values",
                        start, stop, (long long)count);
    how.delta = parts > 0 ? (stop - start) / (double)parts : 0;
    how.last = stop;
    if (!endpoint || count < 2)
        how.last = (double)(count - 1) * how.delta + start;
    return generated(ctx, dtype, 1, &count, chunk > 0 ? &chunk : NULL, &how,
                     out, err);
}

ncg_status ncg_array_random(ncg_context *ctx, ncg_random kind, uint64_t seed,
                            ncg_dtype dtype, int rank, const int64_t *shape,
                            const int64_t *chunks, ncg_array **out,
                            ncg_error *err)
{
    nci_generator how = {.seed = seed};
    if ((unsigned)kind > NCG_RANDOM_NORMAL)
        return nci_fail(err, NCG_EINVAL, "random numbers of kind %d",
                        (int)kind);
    if (!nci_dtype_is_float(dtype))
        return nci_fail(err, NCG_EINVAL,
                        "random numbers of dtype %s: f4 or f8, or "
                        "ncg_array_random_integers",
                        ncg_dtype_name(dtype));
    how.kind = kind == NCG_RANDOM_NORMAL ? NCI_GENERATE_NORMAL
                                         : NCI_GENERATE_UNIFORM;
    return generated(ctx, dtype, rank, shape, chunks, &how, out, err);
}

ncg_status ncg_array_random_integers(ncg_context *ctx, int64_t low,
                                     int64_t high, uint64_t seed,
                                     ncg_dtype dtype, int rank,
                                     const int64_t *shape,
                                     const int64_t *chunks, ncg_array **out,
                                     ncg_error *err)
{
    nci_generator how = {
        .kind = NCI_GENERATE_INTEGERS, .low = low, .seed = seed};
    if (low >= high)
        return nci_fail(err, NCG_EINVAL, "integers from %lld up to below %lld",
                        (long long)low, (long long)high);
    how.span = (uint64_t)high - (uint64_t)low;
    return generated(ctx, dtype, rank, shape, chunks, &how, out, err);
}

/* ---- functions --------------------------------------------------------------- */

ncg_status ncg_array_from_callback(ncg_context *ctx, const char *name,
                                   ncg_dtype dtype, int rank,
                                   const int64_t *shape, const int64_t *chunks,
                                   const void *missing, ncg_fill_fn fill,
                                   void (*release)(void *payload),
                                   void *payload, ncg_array **out,
                                   ncg_error *err)
{
    nci_source_callback callback = {.name = name,
                                    .fill = fill,
                                    .release = release,
                                    .payload = payload};
    nci_grid grid = {0};
    nci_node *node = NULL;
    int64_t nbytes;
    ncg_status st = out && fill
                        ? check_shape(ctx, dtype, rank, shape, &nbytes, err)
                        : nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (!st)
        st = make_grid(dtype, rank, shape, chunks, &grid, err);
    if (st && release)
        release(payload);
    if (st)
        return st;
    nci_source_form form = {name, dtype, &grid, missing};
    st = nci_source_from_callback(ctx->sources, &form, &callback, &node, err);
    nci_grid_fini(&grid);
    return wrap(ctx, st, node, out, err);
}
