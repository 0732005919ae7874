/* SPDX-License-Identifier: BSD-3-Clause */
/* From model to header: dtypes, fill values, chunks, global attributes. */
#include "ops_model.h"

typedef struct result {
    nci_header *header;
    nci_node **nodes;
    size_t n;
} result;

static result output(const nci_model *model, const char *dtype,
                     const char *history)
{
    result r = {.n = model->nvars};
    CHECK_OK(nci_model_output(model, "out.nc", dtype, history, &r.header,
                              &r.nodes, &err));
    for (size_t i = 0; i < r.n; i++) {
        assert_non_null(r.nodes[i]);
        assert_int_equal(r.nodes[i]->dtype, r.header->vars[i].dtype);
        assert_int_equal(r.nodes[i]->rank, r.header->vars[i].rank);
    }
    return r;
}

static void result_fini(result *r)
{
    for (size_t i = 0; i < r->n; i++)
        nci_node_release(&r->nodes[i]);
    nci_free(r->nodes);
    nci_header_free(&r->header);
}

static const nci_var *var_of(const result *r, const char *name)
{
    int at = nci_header_find_var(r->header, name);
    assert_true(at >= 0);
    return &r->header->vars[at];
}

static double fill_of(const result *r, const char *name)
{
    const nci_var *var = var_of(r, name);
    const nci_attr *attr = nci_attrs_find(&var->attrs, "_FillValue");
    if (!attr)
        return NAN;
    assert_int_equal(attr->dtype, var->dtype);
    assert_true(var->storage.has_fill);
    assert_memory_equal(attr->values, var->storage.fill,
                        ncg_dtype_size(var->dtype));
    return nci_dtype_get(attr->dtype, attr->values);
}

static nci_model *reduced(const nci_model *model, ncg_op op, const char *dims)
{
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    nci_model *out = NULL;
    o.op = op;
    o.dims = dims;
    CHECK_OK(nci_model_reduce(model, &o, NULL, NULL, &out, &err));
    return out;
}

static void fill_values(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    result r = output(model, NULL, NULL);
    CHECK_NEAR(fill_of(&r, "tas"), 9.96920996838687e36, 1e-7);
    assert_true(isnan(fill_of(&r, "lat")));
    assert_true(isnan(fill_of(&r, "time")));
    result_fini(&r);
    nci_variable *tas = find_var(model, "tas");
    tas->storage.has_fill = true;
    memcpy(tas->storage.fill, &(float){1e20f}, 4);
    r = output(model, NULL, NULL);
    CHECK_NEAR(fill_of(&r, "tas"), 1e20, 1e-7);
    result_fini(&r);
    /* NaN and values that results could take are not used. */
    memcpy(tas->storage.fill, &(float){NAN}, 4);
    r = output(model, NULL, NULL);
    CHECK_NEAR(fill_of(&r, "tas"), 9.96920996838687e36, 1e-7);
    result_fini(&r);
    memcpy(tas->storage.fill, &(float){0}, 4);
    r = output(model, NULL, NULL);
    CHECK_NEAR(fill_of(&r, "tas"), 9.96920996838687e36, 1e-7);
    result_fini(&r);
    nci_model_release(&model);
}

static void fill_values_of_coordinates_with_gaps(void **state)
{
    (void)state;
    const double x[4] = {1, NAN, 3, 4};
    nci_model *model = nci_model_create();
    add_dim(model, "cell", 4);
    add_values(model, "lat", NCI_KIND_COORD, "cell", NCG_DTYPE_F64, x);
    result r = output(model, NULL, NULL);
    assert_false(isnan(fill_of(&r, "lat")));
    result_fini(&r);
    nci_model_release(&model);
}

static void dtypes_of_files(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    nci_variable *mask = add_source(model, "mask", "time lat", NCG_DTYPE_I16);
    assert_non_null(mask);
    nci_model *any = reduced(model, NCG_OP_ANY, "time");
    result r = output(any, NULL, NULL);
    assert_int_equal(var_of(&r, "mask")->dtype, NCG_DTYPE_I8);
    assert_true(isnan(fill_of(&r, "mask"))); /* nothing can be missing */
    CHECK_NEAR(fill_of(&r, "tas"), -127.0, 0);
    result_fini(&r);
    nci_model_release(&any);
    nci_model *mean = reduced(model, NCG_OP_MEAN, "time");
    r = output(mean, NULL, NULL);
    assert_int_equal(var_of(&r, "mask")->dtype, NCG_DTYPE_F64);
    result_fini(&r);
    r = output(mean, "f4", NULL);
    assert_int_equal(var_of(&r, "mask")->dtype, NCG_DTYPE_F32);
    assert_int_equal(var_of(&r, "time")->dtype, NCG_DTYPE_F64);
    result_fini(&r);
    r = output(mean, "in", NULL);
    assert_int_equal(var_of(&r, "mask")->dtype, NCG_DTYPE_I16);
    assert_int_equal(var_of(&r, "tas")->dtype, NCG_DTYPE_F32);
    assert_false(isnan(fill_of(&r, "mask")));
    result_fini(&r);
    nci_header *header = NULL;
    nci_node **nodes = NULL;
    CHECK_STATUS(NCG_EINVAL, nci_model_output(mean, "o.nc", "f2", NULL, &header,
                                              &nodes, &err));
    nci_model_release(&mean);
    nci_model_release(&model);
}

static void only_used_dims_are_written(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    add_dim(model, "unused", 3);
    result r = output(model, NULL, NULL);
    assert_int_equal(r.header->ndims, 3);
    assert_true(r.header->dims[0].is_unlimited);
    result_fini(&r);
    nci_model_release(&model);
}

static double bytes(const nci_var *var)
{
    double n = (double)ncg_dtype_size(var->dtype);
    for (int d = 0; d < var->rank; d++)
        n *= (double)var->storage.chunk[d];
    return n;
}

static void check_chunks(int64_t nt, int64_t ny, int64_t nx, int64_t ct,
                         int64_t cy, int64_t cx)
{
    nci_model *model = nci_model_create();
    add_dim(model, "t", nt);
    add_dim(model, "y", ny);
    add_dim(model, "x", nx);
    nci_variable *v = add_source(model, "v", "t y x", NCG_DTYPE_F32);
    v->storage.chunk[0] = ct;
    v->storage.chunk[1] = cy;
    v->storage.chunk[2] = cx;
    result r = output(model, NULL, NULL);
    const nci_var *var = var_of(&r, "v");
    const int64_t *c = var->storage.chunk;
    assert_true(c[0] >= 1 && c[0] <= nt && c[1] >= 1 && c[1] <= ny);
    assert_true(c[2] >= 1 && c[2] <= nx);
    assert_true(bytes(var) <= 4 << 20);
    double total = 4.0 * (double)nt * (double)ny * (double)nx;
    double least = total <= 4 << 20 ? 128 << 10 : 1 << 20;
    assert_true(bytes(var) >= (total < least ? total : least));
    assert_true(c[0] > 1 || nt == 1);
    result_fini(&r);
    nci_model_release(&model);
}

static void chunks_are_balanced(void **state)
{
    (void)state;
    check_chunks(100000, 721, 1440, 1, 721, 1440);
    check_chunks(100000, 721, 1440, 100000, 1, 1);
    check_chunks(3650, 180, 360, 1, 180, 360);
    check_chunks(12, 10, 10, 1, 10, 10);
    check_chunks(1, 5000, 5000, 1, 1, 5000);
    check_chunks(1000000000, 1, 1, 1, 1, 1);
    check_chunks(31, 4000, 4000, 31, 500, 500);
}

static void check_shares(int64_t nt, int64_t ny, int64_t nx, int64_t ct,
                         int64_t cy)
{
    nci_model *model = nci_model_create();
    add_dim(model, "t", nt);
    add_dim(model, "y", ny);
    add_dim(model, "x", nx);
    add_source(model, "v", "t y x", NCG_DTYPE_F32);
    result r = output(model, NULL, NULL);
    const int64_t *c = var_of(&r, "v")->storage.chunk;
    assert_int_equal(c[0], ct);
    assert_int_equal(c[1], cy);
    assert_int_equal(c[2], nx);
    result_fini(&r);
    nci_model_release(&model);
}

/* About 256 KiB each, along the slowest axis that is longer than 1. */
static void small_outputs_are_shared_out(void **state)
{
    (void)state;
    check_shares(1, 361, 720, 1, 91);
    check_shares(3, 361, 720, 1, 361);
    check_shares(12, 100, 100, 6, 100);
    check_shares(12, 10, 10, 12, 10);
    check_shares(1, 2, 60000, 1, 1);
}

/* Chunks that grew leave little of their edge empty. */
static void check_edges(int64_t nt, int64_t ny, int64_t nx, int64_t ct,
                        int64_t cy, int64_t cx, double most)
{
    const int64_t shape[] = {nt, ny, nx}, natural[] = {ct, cy, cx};
    nci_model *model = nci_model_create();
    double stored = 1, values = 1;
    add_dim(model, "t", nt);
    add_dim(model, "y", ny);
    add_dim(model, "x", nx);
    nci_variable *v = add_source(model, "v", "t y x", NCG_DTYPE_F32);
    memcpy(v->storage.chunk, natural, sizeof natural);
    result r = output(model, NULL, NULL);
    const int64_t *c = var_of(&r, "v")->storage.chunk;
    for (int d = 0; d < 3; d++) {
        stored *= (double)((shape[d] + c[d] - 1) / c[d] * c[d]);
        values *= (double)shape[d];
    }
    assert_true(stored <= most * values);
    result_fini(&r);
    nci_model_release(&model);
}

static void edge_chunks_are_full(void **state)
{
    (void)state;
    check_edges(36, 361, 720, 1, 22, 720, 1.01);
    check_edges(36, 361, 720, 1, 361, 720, 1.01);
    check_edges(12, 361, 720, 1, 22, 720, 1.01);
    check_edges(100, 500, 500, 1, 250, 500, 1.04); /* 100 = 13 x 8 - 4 */
    check_edges(48, 400, 400, 48, 300, 300, 2.3);  /* as the values come */
}

static void globals_and_history(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    result r = output(model, NULL, "now: ncgraph");
    assert_string_equal(nci_attrs_text(&r.header->attrs, "Conventions"),
                        "CF-1.11");
    assert_string_equal(nci_attrs_text(&r.header->attrs, "history"),
                        "now: ncgraph");
    assert_string_equal(r.header->path, "out.nc");
    result_fini(&r);
    nci_attrs_put_text(&model->attrs, "Conventions", "CF-1.6");
    nci_attrs_put_text(&model->attrs, "history", "before");
    r = output(model, NULL, "now: ncgraph");
    assert_string_equal(nci_attrs_text(&r.header->attrs, "Conventions"),
                        "CF-1.6");
    assert_string_equal(nci_attrs_text(&r.header->attrs, "history"),
                        "now: ncgraph\nbefore");
    result_fini(&r);
    r = output(model, NULL, NULL);
    assert_string_equal(nci_attrs_text(&r.header->attrs, "history"), "before");
    result_fini(&r);
    nci_model_release(&model);
}

static void containers_get_a_value(void **state)
{
    (void)state;
    nci_model *model = make_grid(4, "noleap");
    add_var(model, "crs", NCI_KIND_OTHER, "")->stored = NCG_DTYPE_CHAR;
    add_var(model, "mesh", NCI_KIND_OTHER, "")->stored = NCG_DTYPE_STRING;
    result r = output(model, NULL, NULL);
    assert_int_equal(var_of(&r, "crs")->dtype, NCG_DTYPE_CHAR);
    assert_int_equal(var_of(&r, "crs")->rank, 0);
    result_fini(&r);
    nci_model_release(&model);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    nci_model *model = make_months(24);
    for (int64_t n = 1;; n++) {
        nci_header *header = NULL;
        nci_node **nodes = NULL;
        nci_mem_fail_at(n);
        ncg_status st =
            nci_model_output(model, "o.nc", "f8", "h", &header, &nodes, &err);
        nci_mem_fail_at(0);
        if (!st) {
            result r = {header, nodes, model->nvars};
            result_fini(&r);
            break;
        }
        assert_int_equal(st, NCG_ENOMEM);
    }
    nci_model_release(&model);
}

NCG_TESTS(NCG_TEST(fill_values), NCG_TEST(fill_values_of_coordinates_with_gaps),
          NCG_TEST(dtypes_of_files), NCG_TEST(only_used_dims_are_written),
          NCG_TEST(chunks_are_balanced), NCG_TEST(edge_chunks_are_full),
          NCG_TEST(small_outputs_are_shared_out), NCG_TEST(globals_and_history),
          NCG_TEST(containers_get_a_value), NCG_TEST(memory_may_run_out))
