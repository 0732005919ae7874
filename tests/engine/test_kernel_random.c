/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random arrays in random files, random selections, arithmetic and reductions,
 * lowered and run task by task, against a plain loop over all positions; the
 * bits must be the same for any number of threads and both tables of loops.
 */
#include "base/dtype.h"
#include "engine/kernel/isa.h"
#include "engine/kernel/task.h"
#include "fake_io.h"

enum { MAX_SIDE = 12, MAX_POSITIONS = 20000 };

static uint64_t seed = 1;

static int64_t below(int64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((seed >> 33) % (uint64_t)n);
}

static double noise(void)
{
    return (double)below(1 << 20) / (1 << 20);
}

/* ---- the array ------------------------------------------------------------
 */

typedef struct array {
    int rank;
    int64_t shape[NCG_MAX_RANK];
    ncg_dtype raw;
    nci_decode decode;
    nci_source_table *table;
    nci_node *node;
    double *values; /* NaN where missing */
    int64_t *wide;  /* of 64-bit integers */
    int64_t size;
} array;

static const ncg_dtype dtypes[] = {NCG_DTYPE_F32, NCG_DTYPE_F32, NCG_DTYPE_F64,
                                   NCG_DTYPE_I16, NCG_DTYPE_I8,  NCG_DTYPE_U8,
                                   NCG_DTYPE_U16, NCG_DTYPE_I32, NCG_DTYPE_U32,
                                   NCG_DTYPE_I64, NCG_DTYPE_U64};

static void make_value(ncg_dtype dtype, uint8_t *out)
{
    if (nci_dtype_is_float(dtype))
        nci_dtype_put(dtype, out, 280 + 10 * noise());
    else if (nci_dtype_is_wide(dtype)) /* more than a double holds, and sums
                                          that still fit */
        nci_dtype_put_i64(dtype, out, ((int64_t)1 << 53) + below(1000));
    else
        nci_dtype_put(dtype, out, (double)below(100));
}

static void make_decode(array *a)
{
    nci_decode *d = &a->decode;
    *d = (nci_decode){.raw = a->raw, .out = a->raw, .scale = 1};
    d->nmissing = (int)below(4);
    for (int i = 0; i < d->nmissing; i++) {
        uint8_t value[8];
        make_value(a->raw, value);
        d->missing[i] = nci_dtype_get(a->raw, value);
        d->missing_i64[i] = nci_dtype_get_i64(a->raw, value);
    }
    if (!nci_dtype_is_wide(a->raw) && below(4) == 0) {
        bool is_float = nci_dtype_is_float(a->raw);
        d->has_min = below(2);
        d->has_max = below(2);
        d->min = is_float ? 281.5 : 10.5;
        d->max = is_float ? 288 : 90;
    }
    if (!nci_dtype_is_float(a->raw) && !nci_dtype_is_wide(a->raw) && below(2)) {
        d->has_scale = true;
        d->scale = 0.01;
        d->offset = 250;
        d->out = NCG_DTYPE_F32;
    }
}

/* Values of one file go where its segment lies in the array. */
static void fill_file(array *a, nci_file *file, int axis, int64_t start)
{
    size_t size = ncg_dtype_size(a->raw);
    int64_t n = 1;
    for (int d = 0; d < a->rank; d++)
        n *= file->shape[d];
    for (int64_t i = 0; i < n; i++) {
        uint8_t *raw = file->values + (size_t)i * size;
        int64_t rest = i, offset = 0, stride = 1, number = 0;
        int64_t chunk[NCG_MAX_RANK];
        make_value(a->raw, raw);
        if (a->decode.nmissing && below(3) == 0 && below(2)) {
            if (nci_dtype_is_wide(a->raw))
                memcpy(raw, &a->decode.missing_i64[0], 8);
            else
                nci_dtype_put(a->raw, raw, a->decode.missing[0]);
        }
        for (int d = a->rank - 1; d >= 0; d--) {
            int64_t p = rest % file->shape[d];
            rest /= file->shape[d];
            chunk[d] = p / file->header->vars[0].storage.chunk[d];
            offset += (d == axis ? p + start : p) * stride;
            stride *= a->shape[d];
        }
        for (int d = 0; d < a->rank; d++)
            number = number * 7 + chunk[d];
        if (file->absent && number % file->absent == 0)
            memcpy(raw, file->header->vars[0].storage.fill, size);
        a->values[offset] = nci_decode_value(&a->decode, raw);
        a->wide[offset] = nci_dtype_get_i64(a->raw, raw);
    }
}

static void array_init(array *a, int64_t max_side)
{
    ncg_error err;
    *a = (array){.rank = 1 + (int)below(4), .size = 1};
    a->raw = dtypes[below(sizeof dtypes / sizeof *dtypes)];
    for (int d = 0; d < a->rank; d++)
        a->size *= a->shape[d] = 1 + below(max_side);
    a->values = malloc((size_t)a->size * 8);
    a->wide = malloc((size_t)a->size * 8);
    make_decode(a);
    nci_source_spec *spec = nci_calloc(1, sizeof *spec);
    spec->name = nci_strdup("v");
    spec->rank = a->rank;
    memcpy(spec->shape, a->shape, sizeof a->shape);
    spec->join_axis = below(3) ? (int)below(a->rank) : -1;
    spec->dtype = a->decode.out;
    spec->has_missing = !nci_dtype_is_float(spec->dtype);
    if (nci_dtype_is_wide(spec->dtype))
        memcpy(spec->missing, &(int64_t){99}, 8);
    else if (spec->has_missing)
        nci_dtype_put(spec->dtype, spec->missing, 101);
    int axis = spec->join_axis;
    int64_t nseg = axis < 0 ? 1 : 1 + below(3), at = 0, chunk[NCG_MAX_RANK];
    nseg = axis >= 0 && nseg > a->shape[axis] ? a->shape[axis] : nseg;
    spec->segments = nci_calloc((size_t)nseg, sizeof *spec->segments);
    spec->nsegments = (size_t)nseg;
    nci_file *files[3];
    for (int d = 0; d < a->rank; d++)
        chunk[d] = 1 + below(a->shape[d] + 1);
    for (int64_t s = 0; s < nseg; s++) {
        int64_t shape[NCG_MAX_RANK], lead = 0;
        memcpy(shape, a->shape, sizeof shape);
        if (axis >= 0) {
            int64_t end =
                s == nseg - 1
                    ? a->shape[axis]
                    : at + 1 + below(a->shape[axis] - at - (nseg - s - 1));
            shape[axis] = end - at;
        }
        files[s] = fake_file("fake.nc", a->raw, a->rank, shape, chunk);
        nci_storage *storage = &files[s]->header->vars[0].storage;
        make_value(a->raw, storage->fill);
        files[s]->is_shuffled = below(2);
        files[s]->is_swapped = below(2);
        files[s]->absent = below(4) ? 0 : 1 + below(3);
        if (!files[s]->absent && below(2)) /* runs of bytes, no chunks */
            files[s]->header->vars[0].storage.layout = NCI_LAYOUT_CONTIGUOUS;
        fill_file(a, files[s], axis, at);
        spec->segments[s] = (nci_segment){.file = (int)s,
                                          .start = axis < 0 ? 0 : at,
                                          .count = axis < 0 ? 0 : shape[axis],
                                          .file_start = lead,
                                          .decode = a->decode};
        at += axis < 0 ? 0 : shape[axis];
    }
    CHECK_OK(nci_grid_regular(a->rank, a->shape, chunk, &spec->grid, &err));
    spec->token = nci_token_of(&seed, sizeof seed);
    nci_source_spec *kept = spec;
    uint32_t id;
    CHECK_OK(nci_source_table_create(&a->table, &err));
    CHECK_OK(nci_source_table_add(a->table, spec, files, &id, &err));
    CHECK_OK(nci_node_source(id, kept, &a->node, &err));
    for (int64_t s = 0; s < nseg; s++)
        nci_file_release(&files[s]);
}

static void array_fini(array *a)
{
    nci_node_release(&a->node);
    nci_source_table_free(&a->table);
    free(a->values);
    free(a->wide);
}

/* ---- operations on array and values alike ----------------------------------
 */

static void take_node(array *a, nci_node *node)
{
    nci_node_release(&a->node);
    a->node = node;
}

static void select_some(array *a)
{
    ncg_error err;
    nci_pick picks[NCG_MAX_RANK] = {0};
    int64_t index[NCG_MAX_RANK][MAX_SIDE * 8], size = 1;
    for (int d = 0; d < a->rank; d++) {
        int64_t n = a->shape[d], kind = below(4);
        picks[d] = (nci_pick){.count = n, .step = 1};
        if (kind == 1) {
            picks[d] = (nci_pick){.step = 1 + below(3), .start = below(n)};
            picks[d].count = (n - 1 - picks[d].start) / picks[d].step + 1;
        } else if (kind == 2) {
            picks[d] = (nci_pick){.step = -1 - below(2), .start = below(n)};
            picks[d].count = picks[d].start / -picks[d].step + 1;
        } else if (kind == 3) {
            picks[d].count = 1 + below(n < MAX_SIDE * 4 ? n : MAX_SIDE * 4);
            for (int64_t i = 0; i < picks[d].count; i++)
                index[d][i] = below(n);
            picks[d].index = index[d];
        }
        size *= picks[d].count;
    }
    nci_node *node;
    CHECK_OK(nci_node_select(a->node, picks, &node, &err));
    double *values = malloc((size_t)size * 8);
    int64_t *wide = malloc((size_t)size * 8);
    for (int64_t i = 0; i < size; i++) {
        int64_t rest = i, offset = 0, stride = 1;
        for (int d = a->rank - 1; d >= 0; d--) {
            int64_t at = rest % picks[d].count;
            rest /= picks[d].count;
            offset += (picks[d].index ? picks[d].index[at]
                                      : picks[d].start + at * picks[d].step) *
                      stride;
            stride *= a->shape[d];
        }
        values[i] = a->values[offset];
        wide[i] = a->wide[offset];
    }
    for (int d = 0; d < a->rank; d++)
        a->shape[d] = picks[d].count;
    free(a->values);
    free(a->wide);
    a->values = values;
    a->wide = wide;
    a->size = size;
    take_node(a, node);
}

/* A constant along one axis, broadcast over the others. */
static nci_operand make_const(const array *a, int axis, double *values)
{
    ncg_error err;
    nci_buf *buf;
    nci_operand operand;
    int64_t n = a->shape[axis];
    CHECK_OK(nci_buf_create((size_t)n * 8, &buf, &err));
    for (int64_t i = 0; i < n; i++)
        values[i] = below(8) ? 0.25 + noise() : below(2) ? 0 : NAN;
    memcpy(nci_buf_data(buf), values, (size_t)n * 8);
    CHECK_OK(
        nci_node_const(NCG_DTYPE_F64, 1, &n, buf, NULL, &operand.node, &err));
    nci_buf_release(&buf);
    for (int d = 0; d < a->rank; d++)
        operand.axis[d] = d == axis ? 0 : -1;
    return operand;
}

static int64_t along(const array *a, int64_t position, int axis)
{
    for (int d = a->rank - 1; d > axis; d--)
        position /= a->shape[d];
    return position % a->shape[axis];
}

static void map_some(array *a)
{
    ncg_error err;
    double *values = malloc((size_t)a->size * 8);
    int axis = (int)below(a->rank);
    nci_map_op op = (nci_map_op)(NCI_MAP_ADD + below(3));
    nci_operand operands[2] = {{.node = a->node}};
    for (int d = 0; d < a->rank; d++)
        operands[0].axis[d] = d;
    operands[1] = make_const(a, axis, values);
    nci_node *node;
    CHECK_OK(nci_node_map(op, NCG_DTYPE_NONE, a->rank, a->shape, operands, 2,
                          &node, &err));
    for (int64_t i = 0; i < a->size; i++) {
        double c = values[along(a, i, axis)], *x = &a->values[i];
        *x = op == NCI_MAP_ADD ? *x + c : op == NCI_MAP_SUB ? *x - c : *x * c;
        a->wide[i] = 0;
    }
    free(values);
    nci_node_release(&operands[1].node);
    take_node(a, node);
}

/* ---- the referee ------------------------------------------------------------
 */

typedef struct cell {
    int64_t population, count, index;
    double sum, weight, low, high, first, last, any, all, size;
    int64_t first_i, last_i, low_i, high_i, low_at, high_at;
    uint64_t total, product_i;
    double product;
    double mean, m2;
} cell;

typedef struct reduction {
    nci_reduce how;
    int32_t *labels;
    double *weights; /* one a position of weight_axis */
    int weight_axis;
    nci_operand operand;
} reduction;

static bool less_wide(const array *a, int64_t x, int64_t y)
{
    return a->raw == NCG_DTYPE_U64 ? (uint64_t)x < (uint64_t)y : x < y;
}

static void add_to_cell(const array *a, cell *c, int64_t i, int64_t place,
                        double w, int pass)
{
    double x = a->values[i];
    if (pass == 0)
        c->population++;
    if (isnan(x) || isnan(w))
        return;
    if (pass == 1) {
        c->m2 += w * (x - c->mean) * (x - c->mean);
        return;
    }
    int64_t v = a->wide[i];
    bool wide = nci_dtype_is_wide(a->decode.out);
    bool first = !c->count++;
    bool low = first || (wide ? less_wide(a, v, c->low_i) : x < c->low);
    bool high = first || (wide ? less_wide(a, c->high_i, v) : x > c->high);
    c->sum += w * x;
    c->size += fabs(w * x);
    c->weight += w;
    c->total += (uint64_t)v;
    int64_t whole = wide ? v : fabs(x) < 1e18 ? (int64_t)x : 0;
    c->product = (first ? 1 : c->product) * x;
    c->product_i = (first ? 1 : c->product_i) * (uint64_t)whole;
    c->any = c->any || x != 0;
    c->all = first ? x != 0 : c->all && x != 0;
    if (first) {
        c->first = x;
        c->first_i = v;
    }
    c->last = x;
    c->last_i = v;
    if (low) {
        c->low = x;
        c->low_i = v;
        c->low_at = place;
    }
    if (high) {
        c->high = x;
        c->high_i = v;
        c->high_at = place;
    }
}

static int64_t cell_of(const array *a, const reduction *r, int64_t i,
                       int64_t *place)
{
    int64_t out = 0;
    *place = 0;
    for (int d = 0; d < a->rank; d++) {
        int64_t p = along(a, i, d);
        if (r->how.over[d])
            *place = *place * a->shape[d] + p;
        if (d == r->how.label_axis) {
            if (r->labels[p] < 0)
                return -1;
            out = out * r->how.nlabels + r->labels[p];
        } else if (!r->how.over[d]) {
            out = out * a->shape[d] + p;
        }
    }
    return out;
}

static void reduce_plainly(const array *a, const reduction *r, cell *cells,
                           int64_t ncells)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < a->size; i++) {
            int64_t place, c = cell_of(a, r, i, &place);
            double w = r->weights ? r->weights[along(a, i, r->weight_axis)] : 1;
            if (c >= 0)
                add_to_cell(a, &cells[c], i, place, w, pass);
        }
        for (int64_t c = 0; pass == 0 && c < ncells; c++)
            cells[c].mean = cells[c].sum / cells[c].weight;
    }
}

static void check_cell(const array *a, const reduction *r, const cell *c,
                       ncg_dtype dtype, const uint8_t *missing,
                       const uint8_t *got)
{
    ncg_op op = r->how.op;
    bool wide = nci_dtype_is_wide(dtype);
    bool from_wide = nci_dtype_is_wide(a->decode.out);
    bool is_missing = nci_dtype_is_float(dtype)
                          ? isnan(nci_dtype_get(dtype, got))
                          : (op != NCG_OP_COUNT || r->how.min_count > 1) &&
                                !memcmp(got, missing, ncg_dtype_size(dtype));
    bool expect_missing =
        op == NCG_OP_COUNT ? r->how.min_count > 1 && c->count < r->how.min_count
                           : (c->count < r->how.min_count ||
                              (!r->how.skipna && c->count < c->population) ||
                              ((op == NCG_OP_STD || op == NCG_OP_VAR) &&
                               c->count - r->how.ddof <= 0));
    if (op == NCG_OP_MEAN || op == NCG_OP_STD || op == NCG_OP_VAR)
        expect_missing = expect_missing || c->weight == 0;
    else if (op != NCG_OP_SUM && op != NCG_OP_PROD && op != NCG_OP_ANY && op != NCG_OP_ALL &&
             op != NCG_OP_COUNT)
        expect_missing = expect_missing || c->count == 0;
    if (is_missing != expect_missing)
        fail_msg("op %d: missing %d, not %d (count %lld of %lld)", op,
                 is_missing, expect_missing, (long long)c->count,
                 (long long)c->population);
    if (is_missing)
        return;
    double x = nci_dtype_get(dtype, got), want = 0, scale = c->size;
    double eps = dtype == NCG_DTYPE_F32 ? 1e-6 : 1e-12;
    int64_t v = nci_dtype_get_i64(dtype, got), want_i = 0;
    double free = (double)(c->count - r->how.ddof);
    double var = c->m2 / c->weight * (double)c->count / free;
    bool exact = false;
    switch (op) {
    case NCG_OP_MEAN:
        want = c->mean;
        scale = c->size / fabs(c->weight);
        break;
    case NCG_OP_SUM:
        want = c->sum;
        want_i = from_wide ? (int64_t)c->total : (int64_t)c->sum;
        exact = wide && !r->weights;
        eps = wide ? 1 : eps;
        break;
    case NCG_OP_PROD:
        want = c->count ? c->product : 1;
        want_i = c->count ? (int64_t)c->product_i : 1;
        exact = wide;
        scale = 0;
        if (!exact && !(fabs(want) < 1e30 && fabs(want) > 1e-30))
            return; /* what a float, or a double, no longer holds */
        eps *= 100;
        break;
    case NCG_OP_MIN:
        want = c->low;
        want_i = c->low_i;
        exact = wide;
        break;
    case NCG_OP_MAX:
        want = c->high;
        want_i = c->high_i;
        exact = wide;
        break;
    case NCG_OP_RANGE:
        want = c->high - c->low;
        break;
    case NCG_OP_STD:
        want = sqrt(var);
        scale = want + 1e-3 * fabs(c->mean);
        break;
    case NCG_OP_VAR:
        want = var;
        scale = want + 1e-3 * fabs(c->mean) * (sqrt(want) + 1e-12);
        break;
    case NCG_OP_ANY:
        want = c->any;
        break;
    case NCG_OP_ALL:
        want = c->count ? c->all : 1;
        break;
    case NCG_OP_FIRST:
        want = c->first;
        want_i = c->first_i;
        exact = wide;
        break;
    case NCG_OP_LAST:
        want = c->last;
        want_i = c->last_i;
        exact = wide;
        break;
    case NCG_OP_COUNT:
        want_i = c->count;
        exact = true;
        break;
    case NCG_OP_ARGMIN:
        want_i = c->low_at;
        exact = true;
        break;
    default:
        want_i = c->high_at;
        exact = true;
    }
    if ((op == NCG_OP_STD || op == NCG_OP_VAR) && fabs(c->mean) > 1e15)
        return; /* the referee's mean is too coarse */
    if (exact ? v != want_i
              : fabs(x - want) > eps * (scale + fabs(want)) + 1e-300)
        fail_msg("op %d: %.17g (%lld), not %.17g (%lld)", op, x, (long long)v,
                 want, (long long)want_i);
}

/* ---- running
 * ----------------------------------------------------------------- */

typedef struct dep_list {
    nci_dep *items;
    int64_t count;
    nci_buf **bufs;
} dep_list;

static void add_dep(void *ctx, int input, int64_t task)
{
    dep_list *list = ctx;
    list->items[list->count++] = (nci_dep){input, task, list->bufs[task]};
}

/* Runs the whole plan; returns the output as one row-major array. */
static nci_buf *run_plan(const array *a, const nci_plan *plan, int threads,
                         const nci_isa *isa)
{
    ncg_error err;
    nci_scratch scratch = {0};
    nci_task_env env = {.plan = plan,
                        .sources = a->table,
                        .scratch = &scratch,
                        .threads = threads};
    nci_buf **bufs = calloc((size_t)plan->ntasks, sizeof *bufs);
    nci_isa_force(isa);
    for (int64_t task = 0; task < plan->ntasks; task++) {
        dep_list deps = {.bufs = bufs};
        deps.items =
            calloc((size_t)nci_plan_ndeps(plan, task) + 1, sizeof *deps.items);
        nci_plan_deps(plan, task, add_dep, &deps);
        CHECK_OK(nci_kernel_run(&env, task, deps.items, deps.count, &bufs[task],
                                &err));
        assert_true((int64_t)nci_buf_size(bufs[task]) ==
                    nci_plan_bytes(plan, task));
        assert_true(nci_kernel_scratch(plan, a->table, NULL, task, threads) >=
                    0);
        free(deps.items);
    }
    const nci_layer *store = &plan->layers[plan->outputs[0]];
    nci_buf *out = nci_buf_retain(bufs[store->base]);
    assert_int_equal(store->ntasks, 1);
    for (int64_t task = 0; task < plan->ntasks; task++)
        nci_buf_release(&bufs[task]);
    free(bufs);
    fake_scratch_fini(&scratch);
    nci_isa_force(NULL);
    return out;
}

static nci_plan *make_plan(nci_node *node)
{
    ncg_error err;
    nci_grid grid;
    nci_plan *plan;
    nci_output output = {.node = node, .dtype = node->dtype, .grid = &grid};
    CHECK_OK(
        nci_grid_regular(node->rank, node->shape, node->shape, &grid, &err));
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    nci_grid_fini(&grid);
    return plan;
}

static nci_buf *run_alike(const array *a, nci_node *node)
{
    nci_plan *plan = make_plan(node);
    nci_buf *out = run_plan(a, plan, 1, &nci_isa_base);
    for (int threads = 1; threads <= 4; threads *= 2) {
        nci_buf *other = run_plan(a, plan, threads, NULL);
        assert_int_equal(nci_buf_size(out), nci_buf_size(other));
        assert_memory_equal(nci_buf_data(out), nci_buf_data(other),
                            nci_buf_size(out));
        nci_buf_release(&other);
    }
    int64_t strip = nci_piece_rules.strip;
    nci_piece_rules.strip = strip == 1 ? INT64_MAX : 1;
    nci_buf *other = run_plan(a, plan, 1 + (int)below(2), NULL);
    nci_piece_rules.strip = strip;
    assert_memory_equal(nci_buf_data(out), nci_buf_data(other),
                        nci_buf_size(out));
    nci_buf_release(&other);
    nci_plan_free(&plan);
    return out;
}

/* ---- tests
 * -------------------------------------------------------------------- */

static void make_reduction(const array *a, reduction *r)
{
    *r = (reduction){0};
    int reduced = 0;
    r->how.op = (ncg_op)below(NCG_OP_COUNT_);
    int only = (int)below(a->rank);
    for (int d = 0; d < a->rank; d++)
        reduced += r->how.over[d] = below(2);
    if (!reduced)
        r->how.over[only] = true;
    r->how.label_axis = -1;
    r->how.skipna = below(3);
    r->how.min_count = below(3);
    r->how.ddof = (int)below(2);
    int axis = (int)below(a->rank);
    if (r->how.over[axis] && below(2)) {
        int64_t n = a->shape[axis];
        r->how.label_axis = axis;
        r->how.nlabels = 1 + (int32_t)below(5);
        r->labels = malloc((size_t)n * sizeof *r->labels);
        for (int64_t i = 0; i < n; i++)
            r->labels[i] = (int32_t)below(r->how.nlabels + 1) - 1;
        r->how.labels = r->labels;
    }
    if (nci_op_takes_weights(r->how.op) && below(2)) {
        r->weight_axis = (int)below(a->rank);
        r->weights = malloc((size_t)a->shape[r->weight_axis] * 8);
        r->operand = make_const(a, r->weight_axis, r->weights);
    }
}

static void check_reduction(const array *a)
{
    ncg_error err;
    reduction r;
    nci_node *node;
    make_reduction(a, &r);
    CHECK_OK(nci_node_reduce(a->node, &r.how, r.weights ? &r.operand : NULL,
                             &node, &err));
    int64_t ncells = 1;
    for (int d = 0; d < node->rank; d++)
        ncells *= node->shape[d];
    cell *cells = calloc((size_t)ncells, sizeof *cells);
    reduce_plainly(a, &r, cells, ncells);
    nci_buf *out = run_alike(a, node);
    size_t size = ncg_dtype_size(node->dtype);
    for (int64_t c = 0; c < ncells; c++)
        check_cell(a, &r, &cells[c], node->dtype, node->missing,
                   (uint8_t *)nci_buf_data(out) + (size_t)c * size);
    nci_buf_release(&out);
    free(cells);
    free(r.labels);
    free(r.weights);
    if (r.weights)
        nci_node_release(&r.operand.node);
    nci_node_release(&node);
}

/* The values less the mean of those with the same label, which another layer
 * makes, one chunk a label. Labels come in runs, in any order, or as a calendar
 * gives them. */
static void subtract_group_means(array *a)
{
    ncg_error err;
    nci_node *means, *picked, *node;
    nci_pick picks[NCG_MAX_RANK];
    nci_operand operands[2] = {{.node = a->node}};
    int axis = (int)below(a->rank), kind = (int)below(3);
    int64_t n = a->shape[axis], label = 0;
    nci_reduce how = {.op = NCG_OP_MEAN, .label_axis = axis, .skipna = true};
    int32_t *labels = malloc((size_t)n * sizeof *labels);
    int64_t *index = malloc((size_t)n * sizeof *index);
    how.nlabels = 1 + (int32_t)below(n + 3);
    label = below(how.nlabels);
    for (int64_t i = 0; i < n; i++) {
        if (kind == 0 || below(2))
            label = kind == 0 ? below(how.nlabels) : (label + 1) % how.nlabels;
        index[i] = labels[i] = (int32_t)label;
    }
    how.over[axis] = true;
    how.labels = labels;
    CHECK_OK(nci_node_reduce(a->node, &how, NULL, &means, &err));
    for (int d = 0; d < a->rank; d++) {
        operands[0].axis[d] = operands[1].axis[d] = d;
        picks[d] = (nci_pick){.count = a->shape[d], .step = 1};
    }
    picks[axis].index = index;
    CHECK_OK(nci_node_select(means, picks, &picked, &err));
    operands[1].node = picked;
    CHECK_OK(nci_node_map(NCI_MAP_SUB, NCG_DTYPE_NONE, a->rank, a->shape,
                          operands, 2, &node, &err));
    int64_t inner = 1, rows = a->size / n;
    for (int d = axis + 1; d < a->rank; d++)
        inner *= a->shape[d];
    for (int64_t row = 0; row < rows; row++) {
        double *x = a->values + row / inner * n * inner + row % inner;
        double *sum = calloc((size_t)how.nlabels * 2, sizeof *sum);
        double *count = sum + how.nlabels;
        for (int64_t i = 0; i < n; i++)
            if (!isnan(x[i * inner])) {
                sum[labels[i]] += x[i * inner];
                count[labels[i]]++;
            }
        for (int64_t i = 0; i < n; i++) {
            double mean = sum[labels[i]] / count[labels[i]];
            x[i * inner] -= means->dtype == NCG_DTYPE_F32 ? (float)mean : mean;
        }
        free(sum);
    }
    nci_node_release(&means);
    nci_node_release(&picked);
    take_node(a, node);
    a->decode.out = node->dtype;
    free(labels);
    free(index);
}

static void check_values(const array *a)
{
    nci_buf *out = run_alike(a, a->node);
    ncg_dtype dtype = a->node->dtype;
    size_t size = ncg_dtype_size(dtype);
    for (int64_t i = 0; i < a->size; i++) {
        const uint8_t *got = (uint8_t *)nci_buf_data(out) + (size_t)i * size;
        if (isnan(a->values[i]) && nci_dtype_is_float(dtype))
            assert_true(isnan(nci_dtype_get(dtype, got)));
        else if (isnan(a->values[i]))
            assert_memory_equal(got, a->node->missing, size);
        else if (nci_dtype_is_wide(dtype))
            assert_memory_equal(got, &a->wide[i], size);
        else
            CHECK_NEAR(nci_dtype_get(dtype, got), a->values[i], 1e-6);
    }
    nci_buf_release(&out);
}

/* Differences of nearly equal numbers: as near as float gives the means. */
static void check_anomalies(const array *a)
{
    nci_buf *out = run_alike(a, a->node);
    ncg_dtype dtype = a->node->dtype;
    size_t size = ncg_dtype_size(dtype);
    double near = nci_dtype_is_wide(a->raw) ? 1e4 : 1e-4;
    for (int64_t i = 0; i < a->size; i++) {
        const uint8_t *at = (uint8_t *)nci_buf_data(out) + (size_t)i * size;
        double got = nci_dtype_get(dtype, at), want = a->values[i];
        assert_int_equal(isnan(got), isnan(want));
        if (!isnan(got) && fabs(got - want) > near + 1e-6 * fabs(want))
            fail_msg("%.17g, not %.17g", got, want);
    }
    nci_buf_release(&out);
}

static void run_round(uint64_t round, int64_t max_side, bool reduces)
{
    array a;
    seed = round * 7919 + 17;
    for (int i = 0; i < 4; i++)
        below(2);
    array_init(&a, max_side);
    if (below(2))
        select_some(&a);
    bool maps = below(3) == 0;
    if (maps)
        map_some(&a);
    if (maps) /* results of arithmetic are floats */
        a.decode.out = a.node->dtype;
    if (reduces)
        check_reduction(&a);
    else
        check_values(&a);
    array_fini(&a);
}

static void reductions_match_plain_loops(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 1500; round++)
        run_round(round, MAX_SIDE, true);
}

static void values_match_plain_loops(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 300; round++)
        run_round(round + 100000, MAX_SIDE, false);
}

static void differences_from_group_means_match(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 400; round++) {
        array a;
        seed = round * 7919 + 400017;
        array_init(&a, MAX_SIDE);
        subtract_group_means(&a);
        if (below(2))
            select_some(&a);
        check_anomalies(&a);
        array_fini(&a);
    }
}

/* The same with pieces divided among threads, by rows and by slabs. */
static void divided_pieces_match(void **state)
{
    nci_piece_limits kept = nci_piece_rules;
    (void)state;
    nci_piece_rules =
        (nci_piece_limits){.large = 64, .slab = 16, .long_axis = 5, .strip = 1};
    for (uint64_t round = 0; round < 1000; round++)
        run_round(round + 200000, MAX_SIDE, true);
    nci_piece_rules = kept;
}

/* Runs longer than a block. */
static void long_rows_match(void **state)
{
    nci_piece_limits kept = nci_piece_rules;
    (void)state;
    for (uint64_t round = 0; round < 60; round++) {
        nci_piece_rules.large = round % 2 ? 2000 : kept.large;
        nci_piece_rules.slab = 1500;
        run_round(round + 300000, 40, true);
    }
    nci_piece_rules = kept;
}

NCG_TESTS(NCG_TEST(reductions_match_plain_loops),
          NCG_TEST(values_match_plain_loops),
          NCG_TEST(differences_from_group_means_match),
          NCG_TEST(divided_pieces_match), NCG_TEST(long_rows_match))
