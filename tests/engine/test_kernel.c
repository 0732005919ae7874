/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels on plans made by hand or for one purpose: numerically hard data,
 * conversion on the way out, cancelling, running out of memory. */
#include "base/dtype.h"
#include "engine/kernel/fold.h"
#include "engine/kernel/kernel.h"
#include "fake_io.h"

/* ---- one float64 file, one reduction ----------------------------------------
 */

typedef struct fixture {
    nci_source_table *table;
    nci_node *node;
    nci_plan *plan;
    nci_scratch scratch;
    nci_task_env env;
} fixture;

static void fixture_init(fixture *f, int64_t nt, int64_t nx,
                         const double *values, ncg_op op, bool over_x)
{
    ncg_error err;
    int64_t shape[2] = {nt, nx}, chunk[2] = {1, nx};
    uint32_t id;
    *f = (fixture){0};
    nci_file *file = fake_file("fake.nc", NCG_DTYPE_F64, 2, shape, chunk);
    memcpy(file->values, values, (size_t)(nt * nx) * 8);
    nci_source_spec *spec = nci_calloc(1, sizeof *spec);
    spec->name = nci_strdup("tas");
    spec->rank = 2;
    memcpy(spec->shape, shape, sizeof shape);
    spec->join_axis = -1;
    spec->dtype = NCG_DTYPE_F64;
    spec->nsegments = 1;
    spec->segments = nci_calloc(1, sizeof *spec->segments);
    spec->segments[0].decode =
        (nci_decode){.raw = NCG_DTYPE_F64, .out = NCG_DTYPE_F64};
    CHECK_OK(nci_grid_regular(2, shape, chunk, &spec->grid, &err));
    CHECK_OK(nci_source_table_create(&f->table, &err));
    nci_source_spec *kept = spec;
    CHECK_OK(nci_source_table_add(f->table, spec, &file, &id, &err));
    nci_file_release(&file);
    nci_node *source;
    CHECK_OK(nci_node_source(id, kept, &source, &err));
    nci_reduce how = {.op = op,
                      .over = {true, over_x},
                      .label_axis = -1,
                      .skipna = true,
                      .min_count = 1};
    CHECK_OK(nci_node_reduce(source, &how, NULL, &f->node, &err));
    nci_node_release(&source);
    nci_grid grid;
    CHECK_OK(nci_grid_regular(f->node->rank, f->node->shape, f->node->shape,
                              &grid, &err));
    nci_output output = {
        .node = f->node, .dtype = NCG_DTYPE_F64, .grid = &grid};
    CHECK_OK(nci_lower(&output, 1, &f->plan, &err));
    nci_grid_fini(&grid);
    f->env = (nci_task_env){.plan = f->plan,
                            .sources = f->table,
                            .scratch = &f->scratch,
                            .threads = 1};
}

static void fixture_fini(fixture *f)
{
    nci_plan_free(&f->plan);
    nci_node_release(&f->node);
    nci_source_table_free(&f->table);
    fake_scratch_fini(&f->scratch);
}

typedef struct collected {
    nci_dep deps[256];
    int64_t count;
    nci_buf **bufs;
} collected;

static void collect(void *ctx, int input, int64_t task)
{
    collected *c = ctx;
    c->deps[c->count++] = (nci_dep){input, task, c->bufs[task]};
}

/* Runs all tasks; the last one's buffer, or the first failure. */
static ncg_status run(fixture *f, nci_buf **out, ncg_error *err)
{
    nci_buf *bufs[512] = {0};
    ncg_status st = NCG_OK;
    assert_true(f->plan->ntasks < 512);
    for (int64_t t = 0; !st && t < f->plan->ntasks; t++) {
        collected c = {.bufs = bufs};
        nci_plan_deps(f->plan, t, collect, &c);
        st = nci_kernel_run(&f->env, t, c.deps, c.count, &bufs[t], err);
    }
    if (!st)
        *out = nci_buf_retain(bufs[f->plan->ntasks - 1]);
    for (int64_t t = 0; t < f->plan->ntasks; t++)
        nci_buf_release(&bufs[t]);
    return st;
}

static double *hard_values(int64_t n)
{
    uint64_t seed = 5;
    double *x = malloc((size_t)n * 8);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x[i] = 1e8 + (double)(seed >> 40) / (1 << 24) * 1e-3;
    }
    return x;
}

static double plain_std(const double *x, int64_t n, int64_t step)
{
    long double mean = 0, m2 = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i * step];
    mean /= n;
    for (int64_t i = 0; i < n; i++)
        m2 += (x[i * step] - mean) * (x[i * step] - mean);
    return (double)sqrtl(m2 / n);
}

/* A spread 10^11 times smaller than the mean. */
static void deviations_survive_large_means(void **state)
{
    enum { NT = 200, NX = 37 };
    ncg_error err;
    fixture f;
    nci_buf *out;
    double *x = hard_values(NT * NX);
    (void)state;
    fixture_init(&f, NT, NX, x, NCG_OP_STD, false);
    CHECK_OK(run(&f, &out, &err));
    for (int64_t i = 0; i < NX; i++)
        CHECK_NEAR(((double *)nci_buf_data(out))[i], plain_std(x + i, NT, NX),
                   1e-11);
    nci_buf_release(&out);
    fixture_fini(&f);
    fixture_init(&f, NT, NX, x, NCG_OP_STD, true);
    CHECK_OK(run(&f, &out, &err));
    CHECK_NEAR(*(double *)nci_buf_data(out), plain_std(x, NT * NX, 1), 1e-11);
    nci_buf_release(&out);
    fixture_fini(&f);
    free(x);
}

static void cancelling_is_answered(void **state)
{
    ncg_error err;
    fixture f;
    nci_buf *out = NULL;
    _Atomic bool cancelled = true;
    double x[6] = {1, 2, 3, 4, 5, 6};
    (void)state;
    fixture_init(&f, 3, 2, x, NCG_OP_MEAN, false);
    f.env.cancelled = &cancelled;
    CHECK_STATUS(NCG_ECANCELED, run(&f, &out, &err));
    assert_null(out);
    fixture_fini(&f);
}

/* Each allocation of a run fails once: an error, nothing lost. */
static void memory_may_run_out(void **state)
{
    ncg_error err;
    fixture f;
    nci_buf *out = NULL;
    double x[6] = {1, 2, 3, 4, 5, 6};
    (void)state;
    fixture_init(&f, 3, 2, x, NCG_OP_STD, false);
    ncg_status st = NCG_ENOMEM;
    for (int64_t n = 1; st == NCG_ENOMEM; n++) {
        assert_true(n < 200);
        nci_mem_fail_at(n);
        st = run(&f, &out, &err);
        nci_mem_fail_at(0);
    }
    CHECK_OK(st);
    nci_buf_release(&out);
    fixture_fini(&f);
}

static void large_tiles_get_threads(void **state)
{
    enum { NX = 1 << 20 };
    fixture f;
    double *x = calloc(NX * 8, 8), y[6] = {0};
    (void)state;
    fixture_init(&f, 1, NX * 8, x, NCG_OP_MEAN, false);
    assert_int_equal(nci_kernel_threads(f.plan, f.table, 0, 4), 4);
    assert_int_equal(nci_kernel_threads(f.plan, f.table, 0, 1), 1);
    assert_true(nci_kernel_scratch(f.plan, f.table, NULL, 0, 4) >
                nci_kernel_scratch(f.plan, f.table, NULL, 0, 1));
    fixture_fini(&f);
    fixture_init(&f, 3, 2, y, NCG_OP_MEAN, false);
    assert_int_equal(nci_kernel_threads(f.plan, f.table, 0, 4), 1);
    fixture_fini(&f);
    free(x);
}

/* ---- storing
 * ------------------------------------------------------------------ */

/* Stores `n` values as one chunk through a plan of two layers. */
static void store_values(ncg_dtype from, const void *values,
                         const void *missing, ncg_dtype to, const void *fill,
                         int64_t n, void *out)
{
    ncg_error err;
    nci_layer layers[2] = {0};
    nci_plan plan = {.layers = layers, .nlayers = 2, .ntasks = 2};
    nci_layer_input input = {.layer = 0, .from = {0}};
    nci_buf *buf, *got;
    size_t size = ncg_dtype_size(from);
    CHECK_OK(nci_grid_regular(1, &n, &n, &layers[0].grid, &err));
    layers[0].array = layers[1].grid = layers[0].grid;
    layers[0].ntasks = layers[1].ntasks = layers[1].base = 1;
    layers[1].kind = NCI_LAYER_STORE;
    layers[1].name = "store";
    layers[1].inputs = &input;
    layers[1].ninputs = 1;
    nci_store *s = &layers[1].store;
    s->from = from;
    s->to = to;
    if ((s->has_missing = missing))
        memcpy(s->missing, missing, size);
    if ((s->has_fill = fill))
        memcpy(s->fill, fill, ncg_dtype_size(to));
    CHECK_OK(nci_buf_create((size_t)n * size, &buf, &err));
    memcpy(nci_buf_data(buf), values, (size_t)n * size);
    nci_task_env env = {.plan = &plan, .threads = 1};
    nci_dep dep = {0, 0, buf};
    CHECK_OK(nci_kernel_run(&env, 1, &dep, 1, &got, &err));
    memcpy(out, nci_buf_data(got), nci_buf_size(got));
    CHECK_STATUS(NCG_EBUG, nci_kernel_run(&env, 1, NULL, 0, &buf, &err));
    nci_buf_release(&buf);
    nci_buf_release(&got);
    nci_grid_fini(&layers[0].grid);
}

static void stores_convert_and_fill(void **state)
{
    (void)state;
    const double x[5] = {1.5, NAN, -3e9, 3e9, 2.4999};
    int32_t i32[5], none = -1;
    store_values(NCG_DTYPE_F64, x, NULL, NCG_DTYPE_I32, &none, 5, i32);
    assert_int_equal(i32[0], 2);
    assert_int_equal(i32[1], -1);
    assert_int_equal(i32[2], INT32_MIN);
    assert_int_equal(i32[3], INT32_MAX);
    assert_int_equal(i32[4], 2);
    float f32[5], fill = 9.96921e36f;
    store_values(NCG_DTYPE_F64, x, NULL, NCG_DTYPE_F32, &fill, 5, f32);
    assert_true(f32[1] == fill && f32[0] == 1.5f);
    store_values(NCG_DTYPE_F64, x, NULL, NCG_DTYPE_F32, NULL, 5, f32);
    assert_true(isnan(f32[1]));
    const int16_t packed[3] = {7, -32767, 9};
    int16_t same[3], other = -1;
    store_values(NCG_DTYPE_I16, packed, &packed[1], NCG_DTYPE_I16, &packed[1],
                 3, same);
    assert_memory_equal(packed, same, sizeof same);
    store_values(NCG_DTYPE_I16, packed, &packed[1], NCG_DTYPE_I16, &other, 3,
                 same);
    assert_int_equal(same[1], -1);
    assert_int_equal(same[2], 9);
    store_values(NCG_DTYPE_I16, packed, &packed[1], NCG_DTYPE_F32, NULL, 3,
                 f32);
    assert_true(isnan(f32[1]) && f32[0] == 7);
}

static void stores_keep_64_bits(void **state)
{
    (void)state;
    const int64_t x[4] = {INT64_MAX - 1, INT64_MIN + 1, -9, 5}, fill = 77;
    int64_t y[4];
    uint64_t u[4];
    store_values(NCG_DTYPE_I64, x, &x[2], NCG_DTYPE_I64, &fill, 4, y);
    assert_true(y[0] == x[0] && y[1] == x[1] && y[2] == 77 && y[3] == 5);
    store_values(NCG_DTYPE_I64, x, NULL, NCG_DTYPE_U64, NULL, 4, u);
    assert_true(u[0] == (uint64_t)x[0] && u[1] == 0 && u[2] == 0 && u[3] == 5);
}

/* ---- states
 * -------------------------------------------------------------------- */

static void merged_states_equal_one_pass(void **state)
{
    enum { N = 1000 };
    ncg_error err;
    nci_fold fold = {.op = NCG_OP_VAR,
                     .skipna = true,
                     .min_count = 1,
                     .population = N,
                     .out = NCG_DTYPE_F64};
    nci_state_layout layout = nci_state_layout_of(&fold, 1);
    double *x = hard_values(N), temp[2 * NCI_BLOCK], got;
    void *parts[3];
    int64_t cut[4] = {0, 1, 700, N};
    int64_t count[1], zero[1] = {0};
    const int64_t *table[1];
    int64_t zeros[N] = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        nci_acc acc;
        nci_walk walk;
        parts[i] = nci_alloc_aligned(layout.nbytes);
        CHECK_OK(nci_acc_init(&acc, &fold, NULL, 1, parts[i], &err));
        count[0] = cut[i + 1] - cut[i];
        table[0] = count[0] == 1 ? zero : zeros;
        nci_walk_init(&walk, 1, count, table);
        nci_fold_block block = {.n = count[0],
                                .x = x + cut[i],
                                .temp = temp,
                                .temp2 = temp + NCI_BLOCK,
                                .row = count[0]};
        nci_acc_block(&acc, &block, &walk, NULL);
        nci_acc_finish(&acc, count, 1);
        nci_acc_fini(&acc);
    }
    nci_state a = nci_state_of(&fold, 1, parts[0]);
    for (int i = 1; i < 3; i++) {
        nci_state b = nci_state_of(&fold, 1, parts[i]);
        nci_state_merge(&a, 0, &b, 0, 1);
    }
    assert_int_equal(nci_state_count(&a, 0), N);
    nci_state_finish(&a, nci_isa_best(), 0, 1, N, &got);
    /* A state's mean is a double: its last place is 1e-5 of this spread. */
    CHECK_NEAR(sqrt(got), plain_std(x, N, 1), 1e-7);
    for (int i = 0; i < 3; i++)
        nci_free(parts[i]);
    free(x);
}

NCG_TESTS(NCG_TEST(deviations_survive_large_means),
          NCG_TEST(cancelling_is_answered), NCG_TEST(memory_may_run_out),
          NCG_TEST(large_tiles_get_threads), NCG_TEST(stores_convert_and_fill),
          NCG_TEST(stores_keep_64_bits), NCG_TEST(merged_states_equal_one_pass))
