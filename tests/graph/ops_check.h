/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_GRAPH_OPS_CHECK_H
#define NCG_TESTS_GRAPH_OPS_CHECK_H
/*
 * Arrays in memory on both sides of a plan: random values become a node in
 * random chunks, a node is run by the executor with 1, 2 and 4 threads, and
 * what comes out is compared with what a plain loop says.
 */
#include "base/dtype.h"
#include "base/mem.h"
#include "engine/executor.h"
#include "engine/kernel/view.h"
#include "graph/ops/ops.h"
#include "test.h"

enum { OPS_LIMIT = 256 << 20 };

static uint64_t ops_seed = 1;

static inline int64_t below(int64_t n)
{
    ops_seed = ops_seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((ops_seed >> 33) % (uint64_t)n);
}

/* ---- tensors ---------------------------------------------------------------
 */

typedef struct tensor {
    ncg_dtype dtype;
    int rank;
    int64_t shape[NCG_MAX_RANK];
    bool has_missing;
    uint8_t missing[8];
    int64_t n;
    uint8_t *data;
} tensor;

static inline tensor t_make(ncg_dtype dtype, int rank, const int64_t *shape)
{
    tensor t = {.dtype = dtype, .rank = rank, .n = 1};
    for (int d = 0; d < rank; d++)
        t.n *= t.shape[d] = shape[d];
    t.data = calloc((size_t)t.n + 1, ncg_dtype_size(dtype));
    return t;
}

static inline void *t_at(const tensor *t, int64_t i)
{
    return t->data + (size_t)i * ncg_dtype_size(t->dtype);
}

static inline double t_get(const tensor *t, int64_t i)
{
    return nci_dtype_get(t->dtype, t_at(t, i));
}

static inline bool t_is_missing(const tensor *t, int64_t i)
{
    if (nci_dtype_is_float(t->dtype))
        return isnan(t_get(t, i));
    return t->has_missing &&
           !memcmp(t_at(t, i), t->missing, ncg_dtype_size(t->dtype));
}

/* The row-major number of a position. */
static inline int64_t t_number(const tensor *t, const int64_t *index)
{
    int64_t number = 0;
    for (int d = 0; d < t->rank; d++)
        number = number * t->shape[d] + index[d];
    return number;
}

static inline void t_index(const tensor *t, int64_t number, int64_t *index)
{
    for (int d = t->rank - 1; d >= 0; d--) {
        index[d] = number % t->shape[d];
        number /= t->shape[d];
    }
}

/* Small integers in any dtype, some missing where the dtype can say so. */
static inline tensor t_random(ncg_dtype dtype, int rank, const int64_t *shape)
{
    tensor t = t_make(dtype, rank, shape);
    bool is_float = nci_dtype_is_float(dtype);
    t.has_missing = !is_float && dtype != NCG_DTYPE_BOOL && below(2);
    nci_dtype_put(dtype, t.missing, 101);
    bool holes = below(2);
    for (int64_t i = 0; i < t.n; i++) {
        double x = dtype == NCG_DTYPE_BOOL ? (double)below(2)
                   : is_float              ? (double)below(1 << 20) / 1000 - 300
                                           : (double)below(100);
        if (holes && is_float && below(5) == 0)
            x = NAN;
        if (holes && t.has_missing && below(5) == 0)
            x = 101;
        nci_dtype_put(dtype, t_at(&t, i), x);
    }
    return t;
}

static inline tensor t_any(int low, int high, int64_t most)
{
    static const ncg_dtype dtypes[] = {
        NCG_DTYPE_F32, NCG_DTYPE_F64, NCG_DTYPE_I8,  NCG_DTYPE_U8,
        NCG_DTYPE_I16, NCG_DTYPE_U16, NCG_DTYPE_I32, NCG_DTYPE_U32,
        NCG_DTYPE_I64, NCG_DTYPE_U64, NCG_DTYPE_BOOL};
    int64_t shape[NCG_MAX_RANK];
    int rank = low + (int)below(high - low + 1);
    for (int d = 0; d < rank; d++)
        shape[d] = 1 + below(most);
    return t_random(dtypes[below(sizeof dtypes / sizeof *dtypes)], rank, shape);
}

static inline void t_free(tensor *t)
{
    free(t->data);
    t->data = NULL;
}

/* ---- into a node ------------------------------------------------------------
 */

static inline void random_grid(int rank, const int64_t *shape, nci_grid *out)
{
    ncg_error err;
    *out = (nci_grid){.rank = rank};
    for (int d = 0; d < rank; d++) {
        int64_t edge[4096], n = 0,
                            most = 1 + shape[d] / 3 + below(shape[d] + 1);
        for (int64_t at = 0; at < shape[d] && n < 4000; at += 1 + below(most))
            edge[n++] = at;
        edge[n] = shape[d];
        CHECK_OK(nci_axis_from_edges(edge, n, &out->axis[d], &err));
    }
}

static inline nci_node *t_const(const tensor *t)
{
    ncg_error err;
    nci_buf *buf = NULL;
    nci_node *node = NULL;
    size_t nbytes = (size_t)t->n * ncg_dtype_size(t->dtype);
    CHECK_OK(nci_buf_create(nbytes, &buf, &err));
    memcpy(nci_buf_data(buf), t->data, nbytes);
    CHECK_OK(nci_node_const(t->dtype, t->rank, t->shape, buf,
                            t->has_missing ? t->missing : NULL, &node, &err));
    nci_buf_release(&buf);
    return node;
}

/* In random chunks, mostly. */
static inline nci_node *t_node(const tensor *t)
{
    ncg_error err;
    nci_node *plain = t_const(t), *node = NULL;
    nci_grid grid;
    if (below(4) == 0)
        return plain;
    random_grid(t->rank, t->shape, &grid);
    CHECK_OK(nci_ops_rechunk(plain, &grid, &node, &err));
    nci_grid_fini(&grid);
    nci_node_release(&plain);
    return node;
}

/* ---- out of a node
 * ------------------------------------------------------------ */

typedef struct ops_sink {
    tensor *to;
    const nci_grid *grid;
} ops_sink;

static inline ncg_status ops_encode(void *ctx, int output, const int64_t *index,
                                    const int64_t *count, nci_buf *chunk_take,
                                    nci_buf **out, ncg_error *err)
{
    (void)ctx;
    (void)output;
    (void)index;
    (void)count;
    (void)err;
    *out = chunk_take;
    return NCG_OK;
}

static inline ncg_status ops_put(void *ctx, int output, const int64_t *index,
                                 const nci_buf *encoded, ncg_error *err)
{
    ops_sink *sink = ctx;
    nci_box whole = nci_box_whole(sink->to->rank, sink->to->shape);
    nci_box box = nci_grid_box(sink->grid, nci_grid_number(sink->grid, index));
    (void)output;
    (void)err;
    nci_copy_box(sink->to->data, &whole, nci_buf_data(encoded), &box,
                 ncg_dtype_size(sink->to->dtype));
    return NCG_OK;
}

static inline ncg_status t_run(nci_node *node, int threads, tensor *out,
                               ncg_error *err)
{
    nci_executor_options options = {.threads = threads,
                                    .memory_limit = OPS_LIMIT};
    nci_executor *executor = NULL;
    nci_source_table *table = NULL;
    nci_plan *plan = NULL;
    nci_grid grid;
    *out = t_make(node->dtype, node->rank, node->shape);
    out->has_missing = node->has_missing;
    memcpy(out->missing, node->missing, sizeof out->missing);
    random_grid(node->rank, node->shape, &grid);
    nci_output output = {.node = node, .dtype = node->dtype, .grid = &grid};
    ops_sink to = {out, &grid};
    nci_sink sink = {.ctx = &to, .encode = ops_encode, .put = ops_put};
    nci_run_stats stats;
    ncg_status st = nci_lower(&output, 1, &plan, err);
    if (!st)
        st = nci_executor_create(&options, &executor, err);
    if (!st)
        st = nci_source_table_create(&table, err);
    if (!st)
        st = nci_executor_run(executor, plan, table, &sink, NULL, NULL, NULL,
                              &stats, err);
    nci_executor_destroy(&executor);
    nci_source_table_free(&table);
    nci_plan_free(&plan);
    nci_grid_fini(&grid);
    return st;
}

/* ---- comparing
 * ------------------------------------------------------------------ */

/* How far apart two values may be, relative; 0: the same bits, any NaN. */
static inline void t_same(const tensor *got, const tensor *wanted,
                          double relative)
{
    assert_int_equal(got->dtype, wanted->dtype);
    assert_int_equal(got->rank, wanted->rank);
    for (int d = 0; d < got->rank; d++)
        assert_int_equal(got->shape[d], wanted->shape[d]);
    for (int64_t i = 0; i < got->n; i++) {
        bool missing = t_is_missing(wanted, i);
        if (t_is_missing(got, i) != missing)
            fail_msg("value %lld of %lld is %g, not %g (%s)", (long long)i,
                     (long long)got->n, t_get(got, i), t_get(wanted, i),
                     ncg_dtype_name(got->dtype));
        if (missing)
            continue;
        if (relative > 0 && !isinf(t_get(wanted, i)))
            CHECK_NEAR(t_get(got, i), t_get(wanted, i), relative);
        else if (memcmp(t_at(got, i), t_at(wanted, i),
                        ncg_dtype_size(got->dtype)))
            fail_msg("value %lld of %lld is %.17g, not %.17g (%s)",
                     (long long)i, (long long)got->n, t_get(got, i),
                     t_get(wanted, i), ncg_dtype_name(got->dtype));
    }
}

/* Runs with 1, 2, 4 threads: equal bytes, and what is wanted. Takes all. */
static inline void t_check_near(nci_node *node, tensor *wanted, double relative)
{
    tensor first = {0};
    ncg_error err;
    for (int threads = 1; threads <= 4; threads *= 2) {
        tensor got;
        CHECK_OK(t_run(node, threads, &got, &err));
        if (threads == 1) {
            first = got;
            continue;
        }
        assert_memory_equal(first.data, got.data,
                            (size_t)got.n * ncg_dtype_size(got.dtype));
        t_free(&got);
    }
    t_same(&first, wanted, relative);
    t_free(&first);
    t_free(wanted);
    nci_node_release(&node);
}

static inline void t_check(nci_node *node, tensor *wanted)
{
    t_check_near(node, wanted, 0);
}

/* Makes the n-th allocation of `build` fail, n = 1, 2, ...: ENOMEM each time
 * until it succeeds. */
#define CHECK_ALLOCATIONS(node, build)                                         \
    do {                                                                       \
        for (int64_t nth_ = 1;; nth_++) {                                      \
            nci_mem_fail_at(nth_);                                             \
            ncg_status fail_st_ = (build);                                     \
            nci_mem_fail_at(0);                                                \
            if (!fail_st_)                                                     \
                break;                                                         \
            if (fail_st_ != NCG_ENOMEM)                                        \
                fail_msg("allocation %lld: %s: %s", (long long)nth_,           \
                         ncg_status_name(fail_st_), err.message);              \
        }                                                                      \
        nci_node_release(&(node));                                             \
    } while (0)

#endif
