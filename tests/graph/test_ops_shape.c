/* SPDX-License-Identifier: BSD-3-Clause */
/* Views, padding, joining, rechunk and reshape against plain loops, in random
 * chunks, dtypes and shapes. */
#include "ops_check.h"

#include "engine/sched/choose.h"

enum { ROUNDS = 60 };

/* The tensor whose value at `index` is `from`'s at map(index). */
typedef void (*index_fn)(const int64_t *to, int64_t *from, const void *arg);

static tensor moved(const tensor *from, int rank, const int64_t *shape,
                    index_fn map, const void *arg)
{
    tensor t = t_make(from->dtype, rank, shape);
    size_t size = ncg_dtype_size(t.dtype);
    t.has_missing = from->has_missing;
    memcpy(t.missing, from->missing, 8);
    for (int64_t i = 0; i < t.n; i++) {
        int64_t to[NCG_MAX_RANK], at[NCG_MAX_RANK];
        t_index(&t, i, to);
        map(to, at, arg);
        memcpy(t_at(&t, i), t_at(from, t_number(from, at)), size);
    }
    return t;
}

typedef struct plan_of {
    const tensor *from;
    int axis, rank;
    int64_t shift, *list;
    int order[NCG_MAX_RANK];
    int64_t before[NCG_MAX_RANK];
    nci_pad_mode mode;
} plan_of;

/* ---- views
 * ------------------------------------------------------------------- */

static void by_order(const int64_t *to, int64_t *from, const void *arg)
{
    const plan_of *p = arg;
    for (int d = 0; d < p->from->rank; d++)
        from[p->order[d]] = to[d];
}

static void transpose_moves_axes(void **state)
{
    (void)state;
    ncg_error err;
    for (int r = 0; r < ROUNDS; r++) {
        tensor t = t_any(1, 4, 9);
        plan_of p = {.from = &t};
        int64_t shape[NCG_MAX_RANK];
        for (int d = 0; d < t.rank; d++)
            p.order[d] = d;
        for (int d = t.rank - 1; d > 0; d--) {
            int e = (int)below(d + 1), keep = p.order[d];
            p.order[d] = p.order[e];
            p.order[e] = keep;
        }
        for (int d = 0; d < t.rank; d++)
            shape[d] = t.shape[p.order[d]];
        nci_node *node = t_node(&t), *out = NULL;
        CHECK_OK(nci_ops_transpose(node, p.order, &out, &err));
        tensor wanted = moved(&t, t.rank, shape, by_order, &p);
        t_check(out, &wanted);
        nci_node_release(&node);
        t_free(&t);
    }
}

static void by_broadcast(const int64_t *to, int64_t *from, const void *arg)
{
    const plan_of *p = arg;
    for (int a = 0; a < p->from->rank; a++)
        from[a] = p->from->shape[a] == 1 ? 0 : to[a + p->rank - p->from->rank];
}

static void broadcast_repeats(void **state)
{
    (void)state;
    ncg_error err;
    for (int r = 0; r < ROUNDS; r++) {
        tensor t = t_any(0, 3, 4);
        plan_of p = {.from = &t, .rank = t.rank + (int)below(2)};
        int64_t shape[NCG_MAX_RANK];
        for (int d = 0; d < p.rank; d++) {
            int a = d - (p.rank - t.rank);
            shape[d] = a < 0 || t.shape[a] == 1 ? 1 + below(6) : t.shape[a];
        }
        nci_node *node = t_node(&t), *out = NULL;
        CHECK_OK(nci_ops_broadcast(node, p.rank, shape, &out, &err));
        tensor wanted = moved(&t, p.rank, shape, by_broadcast, &p);
        t_check(out, &wanted);
        nci_node_release(&node);
        t_free(&t);
    }
}

static void by_roll(const int64_t *to, int64_t *from, const void *arg)
{
    const plan_of *p = arg;
    int64_t n = p->from->shape[p->axis];
    memcpy(from, to, (size_t)p->from->rank * sizeof *to);
    from[p->axis] = ((to[p->axis] - p->shift) % n + n) % n;
}

static void by_flip(const int64_t *to, int64_t *from, const void *arg)
{
    const plan_of *p = arg;
    memcpy(from, to, (size_t)p->from->rank * sizeof *to);
    from[p->axis] = p->from->shape[p->axis] - 1 - to[p->axis];
}

static void roll_and_flip_turn(void **state)
{
    (void)state;
    ncg_error err;
    for (int r = 0; r < ROUNDS; r++) {
        tensor t = t_any(1, 3, 12);
        plan_of p = {.from = &t, .axis = (int)below(t.rank)};
        p.shift = below(60) - 30;
        nci_node *node = t_node(&t), *rolled = NULL, *flipped = NULL;
        CHECK_OK(nci_ops_roll(node, p.axis, p.shift, &rolled, &err));
        CHECK_OK(nci_ops_flip(node, p.axis, &flipped, &err));
        tensor a = moved(&t, t.rank, t.shape, by_roll, &p);
        tensor b = moved(&t, t.rank, t.shape, by_flip, &p);
        t_check(rolled, &a);
        t_check(flipped, &b);
        nci_node_release(&node);
        t_free(&t);
    }
}

static void diff_subtracts_neighbours(void **state)
{
    (void)state;
    ncg_error err;
    double values[] = {3, 7, 4, 4, 11};
    tensor t = t_make(NCG_DTYPE_F64, 1, (int64_t[]){5});
    memcpy(t.data, values, sizeof values);
    nci_node *node = t_node(&t), *out = NULL;
    CHECK_OK(nci_ops_diff(node, 0, 2, &out, &err));
    tensor wanted = t_make(NCG_DTYPE_F64, 1, (int64_t[]){3});
    memcpy(wanted.data, (double[]){-7, 3, 7}, 3 * sizeof(double));
    t_check(out, &wanted);
    CHECK_STATUS(NCG_EINVAL, nci_ops_diff(node, 0, -1, &out, &err));
    CHECK_STATUS(NCG_EINVAL, nci_ops_diff(node, 1, 1, &out, &err));
    nci_node_release(&node);
    t_free(&t);
}

/* ---- padding
 * ------------------------------------------------------------------- */

static int64_t mirror(int64_t i, int64_t n, bool twice)
{
    while (n > 1 && (i < 0 || i >= n)) {
        if (i < 0)
            i = twice ? -1 - i : -i;
        if (i >= n)
            i = twice ? 2 * n - 1 - i : 2 * n - 2 - i;
    }
    return n == 1 ? 0 : i;
}

static void by_pad(const int64_t *to, int64_t *from, const void *arg)
{
    const plan_of *p = arg;
    for (int d = 0; d < p->from->rank; d++) {
        int64_t n = p->from->shape[d], i = to[d] - p->before[d];
        from[d] = p->mode == NCI_PAD_EDGE ? (i < 0    ? 0
                                             : i >= n ? n - 1
                                                      : i)
                  : p->mode == NCI_PAD_WRAP
                      ? (i % n + n) % n
                      : mirror(i, n, p->mode == NCI_PAD_SYMMETRIC);
    }
}

static tensor padded(const tensor *t, const plan_of *p, const int64_t *shape,
                     const uint8_t *value)
{
    tensor out = t_make(t->dtype, t->rank, shape);
    size_t size = ncg_dtype_size(t->dtype);
    out.has_missing = t->has_missing;
    memcpy(out.missing, t->missing, 8);
    for (int64_t i = 0; i < out.n; i++) {
        int64_t at[NCG_MAX_RANK];
        bool inside = true;
        t_index(&out, i, at);
        for (int d = 0; d < t->rank; d++) {
            at[d] -= p->before[d];
            inside = inside && at[d] >= 0 && at[d] < t->shape[d];
        }
        memcpy(t_at(&out, i), inside ? t_at(t, t_number(t, at)) : value, size);
    }
    return out;
}

static void pad_adds_positions(void **state)
{
    (void)state;
    ncg_error err;
    for (int r = 0; r < 3 * ROUNDS; r++) {
        tensor t = t_any(1, 3, 8);
        plan_of p = {.from = &t, .mode = (nci_pad_mode)below(5)};
        int64_t after[NCG_MAX_RANK], shape[NCG_MAX_RANK];
        uint8_t value[8];
        nci_dtype_put(t.dtype, value, 1);
        for (int d = 0; d < t.rank; d++) {
            p.before[d] = below(3) ? below(12) : 0;
            after[d] = below(3) ? below(12) : 0;
            shape[d] = t.shape[d] + p.before[d] + after[d];
        }
        nci_node *node = t_node(&t), *out = NULL;
        CHECK_OK(nci_ops_pad(node, p.before, after, p.mode, value, &out, &err));
        tensor wanted = p.mode == NCI_PAD_CONSTANT
                            ? padded(&t, &p, shape, value)
                            : moved(&t, t.rank, shape, by_pad, &p);
        t_check(out, &wanted);
        nci_node_release(&node);
        t_free(&t);
    }
}

/* ---- joining
 * ------------------------------------------------------------------- */

static void check_concat(int n, bool stacks)
{
    ncg_error err;
    tensor first = t_any(stacks ? 0 : 1, 3, 5);
    int axis = (int)below(first.rank + stacks);
    tensor parts[200];
    nci_node *nodes[200], *out = NULL;
    int64_t total = 0, shape[NCG_MAX_RANK];
    for (int i = 0; i < n; i++) {
        memcpy(shape, first.shape, sizeof shape);
        if (!stacks)
            shape[axis] = below(5) + (i == 0);
        parts[i] = t_random(first.dtype, first.rank, shape);
        parts[i].has_missing = first.has_missing;
        total += stacks ? 1 : shape[axis];
        nodes[i] = t_node(&parts[i]);
    }
    for (int d = 0; d < first.rank + stacks; d++)
        shape[d] =
            d == axis ? total : first.shape[stacks && d > axis ? d - 1 : d];
    tensor wanted = t_make(first.dtype, first.rank + stacks, shape);
    wanted.has_missing = first.has_missing;
    memcpy(wanted.missing, parts[0].missing, 8);
    int64_t start = 0;
    for (int i = 0; i < n; i++) {
        for (int64_t k = 0; k < parts[i].n; k++) {
            int64_t at[NCG_MAX_RANK], to[NCG_MAX_RANK];
            t_index(&parts[i], k, at);
            for (int d = 0; d < wanted.rank; d++)
                to[d] = stacks ? (d < axis    ? at[d]
                                  : d == axis ? i
                                              : at[d - 1])
                               : at[d] + (d == axis ? start : 0);
            memcpy(t_at(&wanted, t_number(&wanted, to)), t_at(&parts[i], k),
                   ncg_dtype_size(first.dtype));
        }
        start += stacks ? 0 : parts[i].shape[axis];
    }
    if (stacks)
        CHECK_OK(nci_ops_stack(nodes, n, axis, &out, &err));
    else
        CHECK_OK(nci_ops_concat(nodes, n, axis, &out, &err));
    t_check(out, &wanted);
    for (int i = 0; i < n; i++) {
        nci_node_release(&nodes[i]);
        t_free(&parts[i]);
    }
    t_free(&first);
}

static void concat_joins(void **state)
{
    (void)state;
    for (int r = 0; r < ROUNDS; r++)
        check_concat(1 + (int)below(5), below(2));
    check_concat(150, false); /* more than one node takes */
}

static nci_node *shorts(const int16_t *values, int64_t n, int missing)
{
    tensor t = t_make(NCG_DTYPE_I16, 1, &n);
    memcpy(t.data, values, (size_t)n * 2);
    t.has_missing = missing != 0;
    nci_dtype_put(NCG_DTYPE_I16, t.missing, missing);
    nci_node *node = t_const(&t);
    t_free(&t);
    return node;
}

static void concat_gives_one_marker(void **state)
{
    (void)state;
    ncg_error err;
    nci_node *out = NULL;
    nci_node *pair[] = {shorts((int16_t[]){1, -9, 3}, 3, -9),
                        shorts((int16_t[]){4, -7}, 2, -7)};
    CHECK_OK(nci_ops_concat(pair, 2, 0, &out, &err));
    tensor wanted = t_make(NCG_DTYPE_I16, 1, (int64_t[]){5});
    memcpy(wanted.data, (int16_t[]){1, -9, 3, 4, -9}, 10);
    wanted.has_missing = true;
    nci_dtype_put(NCG_DTYPE_I16, wanted.missing, -9);
    t_check(out, &wanted);
    nci_node_release(&pair[1]);
    pair[1] = shorts((int16_t[]){4, -9}, 2, 0); /* -9 is a value here */
    CHECK_OK(nci_ops_concat(pair, 2, 0, &out, &err));
    tensor got;
    CHECK_STATUS(NCG_EMISMATCH, t_run(out, 1, &got, &err));
    CHECK_MESSAGE("marks missing");
    t_free(&got);
    nci_node_release(&out);
    nci_node_release(&pair[0]);
    nci_node_release(&pair[1]);
}

static void concat_promotes(void **state)
{
    (void)state;
    ncg_error err;
    nci_node *out = NULL;
    tensor f = t_make(NCG_DTYPE_F32, 1, (int64_t[]){1});
    memcpy(f.data, (float[]){0.5f}, 4);
    nci_node *pair[] = {shorts((int16_t[]){1, -9}, 2, -9), t_const(&f)};
    CHECK_OK(nci_ops_concat(pair, 2, 0, &out, &err));
    tensor wanted = t_make(NCG_DTYPE_F32, 1, (int64_t[]){3});
    memcpy(wanted.data, (float[]){1, NAN, 0.5f}, 12);
    t_check(out, &wanted);
    nci_node_release(&pair[0]);
    nci_node_release(&pair[1]);
    t_free(&f);
}

/* ---- rechunk
 * -------------------------------------------------------------------- */

static void rechunk_keeps_values(void **state)
{
    (void)state;
    ncg_error err;
    for (int r = 0; r < ROUNDS; r++) {
        tensor t = t_any(1, 4, 12);
        nci_node *node = t_node(&t), *out = NULL;
        nci_grid grid;
        random_grid(t.rank, t.shape, &grid);
        /* limits so small that there are slabs */
        int64_t limit = below(2) ? 64 + below(4000) : OPS_LIMIT;
        CHECK_OK(nci_ops_rechunk_within(node, &grid, limit, &out, &err));
        tensor wanted = t_make(t.dtype, t.rank, t.shape);
        memcpy(wanted.data, t.data, (size_t)t.n * ncg_dtype_size(t.dtype));
        wanted.has_missing = t.has_missing;
        memcpy(wanted.missing, t.missing, 8);
        t_check(out, &wanted);
        nci_grid_fini(&grid);
        nci_node_release(&node);
        t_free(&t);
    }
}

static int64_t no_scratch(void *ctx, int64_t task, int threads)
{
    (void)ctx;
    (void)task;
    (void)threads;
    return 0;
}

static int one_thread(void *ctx, int64_t task, int available)
{
    (void)ctx;
    (void)task;
    (void)available;
    return 1;
}

static int64_t peak_of(nci_node *node, const nci_grid *grid)
{
    ncg_error err;
    nci_plan *plan = NULL;
    int64_t peak = 0;
    nci_output output = {.node = node, .dtype = node->dtype, .grid = grid};
    nci_sched_costs costs = {NULL, no_scratch, one_thread};
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    CHECK_OK(nci_sched_peak(plan, &costs, NULL, &peak, &err));
    nci_plan_free(&plan);
    return peak;
}

/* 8 GB of time slices become columns under 1 GB; only plans, no values. */
static void rechunk_stays_within(void **state)
{
    (void)state;
    ncg_error err;
    enum { STEPS = 1024, SIDE = 1024 };
    const int64_t limit = (int64_t)1 << 30;
    const int64_t shape[] = {STEPS, SIDE, SIDE}, slice[] = {1, SIDE, SIDE};
    const int64_t column[] = {STEPS, 64, 64};
    nci_source_spec spec = {.rank = 3, .dtype = NCG_DTYPE_F64, .token = {5, 6}};
    memcpy(spec.shape, shape, sizeof shape);
    CHECK_OK(nci_grid_regular(3, shape, slice, &spec.grid, &err));
    nci_grid grid;
    CHECK_OK(nci_grid_regular(3, shape, column, &grid, &err));
    nci_node *source = NULL, *plain = NULL, *within = NULL, *same = NULL;
    CHECK_OK(nci_node_source(0, &spec, &source, &err));
    CHECK_OK(nci_ops_rechunk(source, &grid, &plain, &err));
    CHECK_OK(nci_ops_rechunk_within(source, &grid, limit, &within, &err));
    assert_true(peak_of(plain, &grid) > limit);
    assert_true(peak_of(within, &grid) < limit);
    CHECK_OK(nci_ops_rechunk_within(source, &grid, limit * 64, &same, &err));
    assert_true(nci_token_equal(same->token, plain->token));
    nci_node_release(&source);
    nci_node_release(&plain);
    nci_node_release(&within);
    nci_node_release(&same);
    nci_grid_fini(&grid);
    nci_grid_fini(&spec.grid);
}

static void rechunk_checks_chunks(void **state)
{
    (void)state;
    ncg_error err;
    tensor t = t_random(NCG_DTYPE_F32, 1, (int64_t[]){10});
    nci_node *node = t_const(&t), *out = NULL;
    nci_grid grid;
    CHECK_OK(nci_grid_regular(1, (int64_t[]){9}, (int64_t[]){3}, &grid, &err));
    CHECK_STATUS(NCG_EINVAL, nci_ops_rechunk(node, &grid, &out, &err));
    CHECK_MESSAGE("add up to 9");
    assert_null(out);
    nci_grid_fini(&grid);
    nci_node_release(&node);
    t_free(&t);
}

/* ---- reshape
 * -------------------------------------------------------------------- */

/* A random shape of n positions, made of its prime factors. */
static int random_shape(int64_t n, int64_t *shape)
{
    int rank = 1 + (int)below(4);
    for (int d = 0; d < rank; d++)
        shape[d] = 1;
    for (int64_t p = 2; n > 1; p++)
        for (; n % p == 0; n /= p)
            shape[below(rank)] *= p;
    return rank;
}

static void reshape_keeps_order(void **state)
{
    (void)state;
    ncg_error err;
    for (int r = 0; r < 4 * ROUNDS; r++) {
        tensor t = t_any(0, 4, 9);
        int64_t shape[NCG_MAX_RANK], asked[NCG_MAX_RANK];
        int rank = random_shape(t.n, shape);
        memcpy(asked, shape, sizeof asked);
        if (below(2))
            asked[below(rank)] = -1;
        nci_node *node = t_node(&t), *out = NULL;
        CHECK_OK(nci_ops_reshape(node, rank, asked, &out, &err));
        tensor wanted = t_make(t.dtype, rank, shape);
        memcpy(wanted.data, t.data, (size_t)t.n * ncg_dtype_size(t.dtype));
        wanted.has_missing = t.has_missing;
        memcpy(wanted.missing, t.missing, 8);
        t_check(out, &wanted);
        nci_node_release(&node);
        t_free(&t);
    }
}

/* Arrays of terabytes: every chunk must stay small. */
static void reshape_makes_small_chunks(void **state)
{
    (void)state;
    ncg_error err;
    const int64_t from[][3] = {{40, 100000, 30000}, {1000000, 3000, 40}};
    const int64_t to[][3] = {{40, -1, 1}, {-1, 1, 1}};
    const int64_t back[][3] = {{50, 80, 30000000}, {120, 1000, 1000000}};
    for (int i = 0; i < 2; i++) {
        nci_source_spec spec = {.rank = 3, .dtype = NCG_DTYPE_F64};
        nci_node *source = NULL, *flat = NULL, *out = NULL;
        nci_grid grid;
        memcpy(spec.shape, from[i], sizeof from[i]);
        CHECK_OK(nci_grid_regular(3, from[i], (int64_t[]){1, 1000, 1000},
                                  &spec.grid, &err));
        CHECK_OK(nci_node_source(0, &spec, &source, &err));
        CHECK_OK(nci_ops_reshape(source, 3, to[i], &flat, &err));
        CHECK_OK(nci_ops_reshape(flat, 3, back[i], &out, &err));
        CHECK_OK(nci_node_grid(out, &grid, &err));
        for (int64_t c = 0; c < nci_grid_nchunks(&grid); c += 997) {
            nci_box box = nci_grid_box(&grid, c);
            assert_true(nci_box_size(&box) * 8 <= 512 << 20);
        }
        nci_grid_fini(&grid);
        nci_grid_fini(&spec.grid);
        nci_node_release(&source);
        nci_node_release(&flat);
        nci_node_release(&out);
    }
}

static void bad_shapes_are_refused(void **state)
{
    (void)state;
    ncg_error err;
    int64_t six[] = {2, 3};
    tensor t = t_random(NCG_DTYPE_F32, 2, six);
    nci_node *node = t_const(&t), *out = NULL;
    const int64_t bad[][2] = {{4, 2}, {-1, 4}, {-1, -1}, {0, -1}, {-2, -3}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STATUS(NCG_EINVAL, nci_ops_reshape(node, 2, bad[i], &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 nci_ops_broadcast(node, 2, (int64_t[]){3, 3}, &out, &err));
    CHECK_MESSAGE("(2, 3)");
    CHECK_STATUS(NCG_EINVAL,
                 nci_ops_transpose(node, (int[]){0, 0}, &out, &err));
    CHECK_STATUS(NCG_EINVAL,
                 nci_ops_transpose(node, (int[]){0, 2}, &out, &err));
    CHECK_STATUS(NCG_EINVAL, nci_ops_concat(&node, 1, 2, &out, &err));
    CHECK_STATUS(NCG_EINVAL, nci_ops_concat(&node, 0, 0, &out, &err));
    CHECK_STATUS(NCG_EINVAL, nci_ops_roll(node, -1, 1, &out, &err));
    assert_null(out);
    nci_node_release(&node);
    t_free(&t);
}

/* ---- memory
 * ----------------------------------------------------------------------- */

static void failed_allocations_leave_nothing(void **state)
{
    (void)state;
    ncg_error err;
    tensor t = t_random(NCG_DTYPE_I16, 3, (int64_t[]){4, 6, 10});
    nci_grid grid;
    nci_node *plain = t_const(&t), *node = NULL, *out = NULL;
    random_grid(3, t.shape, &grid);
    CHECK_OK(nci_ops_rechunk(plain, &grid, &node, &err));
    nci_node *pair[] = {node, plain};
    int64_t one[] = {1, 0, 2};
    uint8_t value[8] = {0};
    CHECK_ALLOCATIONS(out,
                      nci_ops_transpose(node, (int[]){2, 0, 1}, &out, &err));
    CHECK_ALLOCATIONS(out, nci_ops_roll(node, 1, 2, &out, &err));
    CHECK_ALLOCATIONS(out, nci_ops_diff(node, 1, 2, &out, &err));
    for (int m = NCI_PAD_CONSTANT; m <= NCI_PAD_WRAP; m++)
        CHECK_ALLOCATIONS(out, nci_ops_pad(node, one, one, (nci_pad_mode)m,
                                           value, &out, &err));
    CHECK_ALLOCATIONS(out, nci_ops_concat(pair, 2, 1, &out, &err));
    CHECK_ALLOCATIONS(out, nci_ops_stack(pair, 2, 1, &out, &err));
    CHECK_ALLOCATIONS(out,
                      nci_ops_reshape(node, 2, (int64_t[]){8, 30}, &out, &err));
    nci_grid_fini(&grid);
    random_grid(3, t.shape, &grid);
    for (int i = 0; i < 2; i++)
        CHECK_ALLOCATIONS(
            out, nci_ops_rechunk_within(pair[i], &grid, 100, &out, &err));
    nci_grid_fini(&grid);
    nci_node_release(&node);
    nci_node_release(&plain);
    t_free(&t);
}

NCG_TESTS(NCG_TEST(transpose_moves_axes), NCG_TEST(broadcast_repeats),
          NCG_TEST(roll_and_flip_turn), NCG_TEST(diff_subtracts_neighbours),
          NCG_TEST(pad_adds_positions), NCG_TEST(concat_joins),
          NCG_TEST(concat_gives_one_marker), NCG_TEST(concat_promotes),
          NCG_TEST(rechunk_keeps_values), NCG_TEST(rechunk_stays_within),
          NCG_TEST(rechunk_checks_chunks), NCG_TEST(reshape_keeps_order),
          NCG_TEST(reshape_makes_small_chunks),
          NCG_TEST(bad_shapes_are_refused),
          NCG_TEST(failed_allocations_leave_nothing))
