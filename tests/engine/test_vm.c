/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The element-wise program against a plain scalar evaluation written for this
 * test: every operation on every pair of dtypes, then random expressions with
 * broadcasting, missing values and reductions on top; the same bytes for every
 * number of threads and every instruction set.
 */
#include "base/dtype.h"
#include "base/mem.h"
#include "engine/kernel/task.h"
#include "engine/vm_referee.h"
#include "graph/random_nodes.h"


/* ---- running -------------------------------------------------------------- */

static nci_plan *plan_of(nci_node *node)
{
    nci_grid grid;
    nci_plan *plan;
    ncg_error err;
    CHECK_OK(
        nci_grid_regular(node->rank, node->shape, node->shape, &grid, &err));
    nci_output output = {.node = node, .dtype = node->dtype, .grid = &grid};
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    nci_grid_fini(&grid);
    return plan;
}

typedef struct collected {
    nci_dep deps[MOST_TASKS];
    int64_t count;
    nci_buf **bufs;
} collected;

static void collect(void *ctx, int input, int64_t task)
{
    collected *c = ctx;
    assert_true(c->count < MOST_TASKS);
    c->deps[c->count++] = (nci_dep){input, task, c->bufs[task]};
}

static nci_buf *run(const nci_plan *plan, int threads, const nci_isa *isa)
{
    static nci_buf *bufs[MOST_TASKS];
    static collected c;
    ncg_error err;
    nci_task_env env = {.plan = plan, .threads = threads};
    assert_true(plan->ntasks < MOST_TASKS);
    nci_isa_force(isa);
    for (int64_t t = 0; t < plan->ntasks; t++) {
        c.count = 0;
        c.bufs = bufs;
        nci_plan_deps(plan, t, collect, &c);
        CHECK_OK(nci_kernel_run(&env, t, c.deps, c.count, &bufs[t], &err));
    }
    nci_isa_force(NULL);
    nci_buf *out = nci_buf_retain(bufs[plan->ntasks - 1]);
    for (int64_t t = 0; t < plan->ntasks; t++)
        nci_buf_release(&bufs[t]);
    return out;
}

/* Equal bytes for all threads and sets, but for the sign of NaN. */
static nci_buf *run_alike(nci_node *node)
{
    nci_plan *plan = plan_of(node);
    nci_buf *first = run(plan, 1, NULL);
    size_t nbytes = nci_buf_size(first);
    for (int i = 0; i < 3; i++) {
        nci_buf *next = run(plan, 1 << i, i ? &nci_isa_base : NULL);
        assert_int_equal(nci_buf_size(next), nbytes);
        assert_memory_equal(nci_buf_data(next), nci_buf_data(first), nbytes);
        nci_buf_release(&next);
    }
    nci_plan_free(&plan);
    return first;
}

static bool same_value(ncg_dtype dtype, const uint8_t *a, const uint8_t *b)
{
    size_t size = ncg_dtype_size(dtype);
    if (!memcmp(a, b, size))
        return true;
    if (!is_float(dtype))
        return false;
    double x = nci_dtype_get(dtype, a), y = nci_dtype_get(dtype, b);
    /* pow(x, 2) is x * x here, which may differ in the last bit */
    double step = dtype == NCG_DTYPE_F32 ? 0x1p-22 : 0x1p-51;
    return (isnan(x) && isnan(y)) || x == y || fabs(x - y) <= fabs(y) * step;
}

static void check(nci_node *node)
{
    nci_buf *got = run_alike(node);
    size_t size = ncg_dtype_size(node->dtype);
    int64_t at[NCG_MAX_RANK] = {0}, n = 1;
    for (int d = 0; d < node->rank; d++)
        n *= node->shape[d];
    for (int64_t i = 0; i < n; i++) {
        uint8_t expected[16] = {0};
        const uint8_t *p = (uint8_t *)nci_buf_data(got) + (size_t)i * size;
        store_value(node, evaluate(node, at), expected);
        if (!same_value(node->dtype, p, expected))
            fail_msg("%s of %s and %s at %lld: %.17g, not %.17g",
                     nci_map_op_name(node->map),
                     ncg_dtype_name(node->inputs[0].node->dtype),
                     ncg_dtype_name(
                         node->inputs[node->ninputs - 1].node->dtype),
                     (long long)i, nci_dtype_get(node->dtype, p),
                     nci_dtype_get(node->dtype, expected));
        for (int d = node->rank - 1; d >= 0 && ++at[d] == node->shape[d]; d--)
            at[d] = 0;
    }
    nci_buf_release(&got);
}

/* ---- arrays --------------------------------------------------------------- */

static void put_random(uint64_t *seed, ncg_dtype dtype, uint8_t *out)
{
    static const double odd[] = {0, -0.0, NAN, INFINITY, -INFINITY, 1,
                                 -1, 2, 0.5, 1e30, 90, 255};
    uint64_t bits = (uint64_t)rnd(seed) << 33 ^ (uint64_t)rnd(seed) << 11 ^
                    rnd(seed);
    uint32_t kind = rnd(seed) % 4;
    if (is_float(dtype)) {
        double x = (double)rnd_range(seed, -4000, 4000) / 64;
        nci_dtype_put(dtype, out,
                      kind ? x : odd[rnd(seed) % (sizeof odd / sizeof *odd)]);
        return;
    }
    if (dtype == NCG_DTYPE_BOOL)
        bits &= 1;
    else if (kind == 1)
        bits = (uint64_t)rnd_range(seed, -3, 9);
    else if (kind == 2) /* the ends of the range */
        bits = (uint64_t)rnd_range(seed, -1, 0) ^
               (uint64_t)1 << (8 * ncg_dtype_size(dtype) - 1);
    memcpy(out, &bits, ncg_dtype_size(dtype));
}

static nci_node *random_const(uint64_t *seed, ncg_dtype dtype, int rank,
                              const int64_t *shape)
{
    ncg_error err;
    nci_buf *buf;
    nci_node *node;
    uint8_t missing[8] = {5};
    size_t size = ncg_dtype_size(dtype), n = 1;
    for (int d = 0; d < rank; d++)
        n *= (size_t)shape[d];
    CHECK_OK(nci_buf_create(n * size + 8, &buf, &err));
    for (size_t i = 0; i < n; i++)
        put_random(seed, dtype, (uint8_t *)nci_buf_data(buf) + i * size);
    bool misses = !is_float(dtype) && dtype != NCG_DTYPE_BOOL &&
                  rnd(seed) % 3 == 0;
    CHECK_OK(nci_node_const(dtype, rank, shape, buf, misses ? missing : NULL,
                            &node, &err));
    nci_buf_release(&buf);
    return node;
}

/* An array that broadcasts to `shape`; *operand says how. */
static nci_node *random_operand(uint64_t *seed, ncg_dtype dtype, int rank,
                                const int64_t *shape, nci_operand *operand)
{
    int64_t own[NCG_MAX_RANK];
    int n = 0;
    bool is_whole = rnd(seed) % 2;
    for (int d = 0; d < rank; d++) {
        bool has = is_whole || rnd(seed) % 2;
        operand->axis[d] = has ? n : -1;
        if (has)
            own[n++] = shape[d];
    }
    return operand->node = random_const(seed, dtype, n, own);
}

/* Bits are those of integers; truth values are not subtracted or negated. */
static bool is_refused(nci_map_op op, const nci_operand *in, int n)
{
    bool is_truth = op == NCI_MAP_SUB || op == NCI_MAP_NEG;
    for (int i = 0; i < n; i++)
        is_truth = is_truth && in[i].node->dtype == NCG_DTYPE_BOOL;
    return is_truth || nci_map_op_rule(op) == NCI_RULE_BITS;
}

static void every_operation_on_every_dtype(void **state)
{
    uint64_t seed = 7;
    ncg_error err;
    (void)state;
    for (int op = 0; op < NCI_MAP_OP_COUNT; op++)
        for (int pair = 0; pair < NDTYPES * NDTYPES; pair++) {
            int64_t shape[2] = {rnd_range(&seed, 1, 40),
                                rnd_range(&seed, 1, 60)};
            nci_operand in[NCI_MAP_INPUTS];
            nci_node *node = NULL;
            int n = nci_map_op_ninputs((nci_map_op)op);
            for (int i = 0; i < n; i++)
                random_operand(&seed, dtypes[(i ? pair / NDTYPES : pair) %
                                              NDTYPES],
                               2, shape, &in[i]);
            ncg_status st =
                nci_node_map((nci_map_op)op, dtypes[pair / NDTYPES], 2, shape,
                             in, n, &node, &err);
            if (!st && op != NCI_MAP_VIEW)
                check(node);
            else if (st)
                assert_true(is_refused((nci_map_op)op, in, n));
            nci_node_release(&node);
            for (int i = 0; i < n; i++)
                nci_node_release(&in[i].node);
        }
}

/* ---- expressions ---------------------------------------------------------- */

/* Functions whose results float and double bring apart are left out, so that
 * what is built on them can be compared. */
static bool is_exact(nci_map_op op)
{
    return op <= NCI_MAP_FMOD || (op >= NCI_MAP_MIN && op <= NCI_MAP_FMAX) ||
           (op >= NCI_MAP_COPYSIGN && op <= NCI_MAP_ISFINITE) ||
           op == NCI_MAP_SQRT;
}

static nci_node *random_tree(uint64_t *seed, int depth, const int64_t *shape)
{
    nci_operand in[NCI_MAP_INPUTS];
    nci_node *node = NULL;
    ncg_error err;
    while (!node) {
        nci_map_op op = (nci_map_op)(rnd(seed) % NCI_MAP_OP_COUNT);
        int n = nci_map_op_ninputs(op);
        if (!is_exact(op) || op == NCI_MAP_VIEW)
            continue;
        for (int i = 0; i < n; i++) {
            if (depth > 0 && rnd(seed) % 3) {
                in[i] = (nci_operand){.axis = {0, 1}};
                in[i].node = i && rnd(seed) % 3 == 0
                                 ? nci_node_retain(in[0].node)
                                 : random_tree(seed, depth - 1, shape);
                if (in[i].node == in[0].node)
                    in[i] = in[0];
            } else {
                random_operand(seed, dtypes[rnd(seed) % NDTYPES], 2, shape,
                               &in[i]);
            }
        }
        if (nci_node_map(op, dtypes[rnd(seed) % NDTYPES], 2, shape, in, n,
                         &node, &err))
            node = NULL;
        for (int i = 0; i < n; i++)
            nci_node_release(&(nci_node *){in[i].node});
    }
    return node;
}

static void check_sum(nci_node *node)
{
    nci_reduce how = {.op = NCG_OP_SUM,
                      .over = {true, true},
                      .label_axis = -1,
                      .skipna = true,
                      .min_count = 1};
    nci_node *sum;
    ncg_error err;
    int64_t at[2];
    __int128 exact = 0;
    CHECK_OK(nci_node_reduce(node, &how, NULL, &sum, &err));
    nci_plan *plan = plan_of(sum);
    nci_buf *got = run(plan, 1, NULL), *base = run(plan, 4, &nci_isa_base);
    assert_memory_equal(nci_buf_data(got), nci_buf_data(base),
                        nci_buf_size(got));
    for (at[0] = 0; at[0] < node->shape[0]; at[0]++)
        for (at[1] = 0; at[1] < node->shape[1]; at[1]++)
            exact += evaluate(node, at).i;
    if (!is_float(node->dtype) && !node->has_missing &&
        exact < ((__int128)1 << 62) && exact > -((__int128)1 << 62))
        assert_int_equal(*(int64_t *)nci_buf_data(got), (int64_t)exact);
    nci_buf_release(&got);
    nci_buf_release(&base);
    nci_plan_free(&plan);
    nci_node_release(&sum);
}

static bool sums_fit(const nci_node *node)
{
    return is_float(node->dtype) || ncg_dtype_size(node->dtype) < 8;
}

static void random_expressions(void **state)
{
    const char *rounds = getenv("NCG_TEST_ROUNDS");
    (void)state;
    for (int round = 0; round < (rounds ? atoi(rounds) : 300); round++) {
        uint64_t seed = (uint64_t)round * 977 + 5;
        int64_t shape[2] = {rnd_range(&seed, 1, 50), rnd_range(&seed, 1, 90)};
        nci_node *node = random_tree(&seed, 4, shape);
        check(node);
        if (sums_fit(node))
            check_sum(node);
        nci_node_release(&node);
    }
}

/* ---- shared work ---------------------------------------------------------- */

static nci_node *binary(nci_map_op op, nci_node *a, nci_node *b)
{
    nci_operand in[2] = {{a, {0, 1}}, {b, {0, 1}}};
    nci_node *node;
    ncg_error err;
    CHECK_OK(nci_node_map(op, NCG_DTYPE_NONE, 2, a->shape, in, 2, &node, &err));
    return node;
}

/* x doubled sixty times: every node once, in as many layers as it takes. */
static void what_is_used_twice_is_computed_once(void **state)
{
    uint64_t seed = 3;
    int64_t shape[2] = {3, 5};
    nci_node *x = random_const(&seed, NCG_DTYPE_F64, 2, shape);
    nci_node *node = nci_node_retain(x);
    (void)state;
    for (int i = 0; i < 60; i++) {
        nci_node *next = binary(NCI_MAP_ADD, node, node);
        nci_node_release(&node);
        node = next;
    }
    nci_grid grid;
    ncg_error err;
    CHECK_OK(nci_node_grid(node, &grid, &err));
    nci_grid_fini(&grid);
    nci_plan *plan = plan_of(node);
    assert_true(plan->nlayers < 6);
    nci_buf *got = run(plan, 1, NULL);
    const double *from = nci_buf_data(x->data), *to = nci_buf_data(got);
    for (int i = 0; i < 15; i++)
        assert_true(to[i] == from[i] * 0x1p60 || isnan(from[i]));
    nci_buf_release(&got);
    nci_plan_free(&plan);
    nci_node_release(&node);
    node = binary(NCI_MAP_MUL, x, x);
    nci_node *more = binary(NCI_MAP_ADD, node, x);
    plan = plan_of(more);
    assert_int_equal(plan->layers[0].fused.noperands, 1);
    assert_int_equal(plan->layers[0].fused.nsteps, 2);
    nci_plan_free(&plan);
    nci_node_release(&more);
    nci_node_release(&node);
    nci_node_release(&x);
}

NCG_TESTS(NCG_TEST(every_operation_on_every_dtype),
          NCG_TEST(random_expressions),
          NCG_TEST(what_is_used_twice_is_computed_once))
