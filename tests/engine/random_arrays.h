/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_RANDOM_ARRAYS_H
#define NCG_TESTS_ENGINE_RANDOM_ARRAYS_H
/*
 * A random array in random files, as a node and as plain values, and selections
 * and arithmetic that are done to both.
 */
#include "base/dtype.h"
#include "fake_io.h"

enum { MAX_SIDE = 12, MAX_POSITIONS = 20000 };

static uint64_t seed = 1;

static inline int64_t below(int64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((seed >> 33) % (uint64_t)n);
}

static inline double noise(void)
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

static inline void make_value(ncg_dtype dtype, uint8_t *out)
{
    if (nci_dtype_is_float(dtype))
        nci_dtype_put(dtype, out, 280 + 10 * noise());
    else if (nci_dtype_is_wide(dtype)) /* more than a double holds, and sums
                                          that still fit */
        nci_dtype_put_i64(dtype, out, ((int64_t)1 << 53) + below(1000));
    else
        nci_dtype_put(dtype, out, (double)below(100));
}

static inline void make_decode(array *a)
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
static inline void fill_file(array *a, nci_file *file, int axis, int64_t start)
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

static inline void array_init(array *a, int64_t max_side)
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

static inline void array_fini(array *a)
{
    nci_node_release(&a->node);
    nci_source_table_free(&a->table);
    free(a->values);
    free(a->wide);
}

/* ---- operations on array and values alike ----------------------------------
 */

static inline void take_node(array *a, nci_node *node)
{
    nci_node_release(&a->node);
    a->node = node;
}

static inline void select_some(array *a)
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
static inline nci_operand make_const(const array *a, int axis, double *values)
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

static inline int64_t along(const array *a, int64_t position, int axis)
{
    for (int d = a->rank - 1; d > axis; d--)
        position /= a->shape[d];
    return position % a->shape[axis];
}

static inline void map_some(array *a)
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

#endif
