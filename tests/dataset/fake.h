/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_DATASET_FAKE_H
#define NCG_TESTS_DATASET_FAKE_H
/*
 * Files that exist in memory only, for tests of joining: a header with values
 * beside it, and the callbacks that nci_join needs. Sources are kept, so that
 * a lazy variable can be evaluated plainly, value by value.
 */
#include <math.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/source.h"
#include "base/text.h"
#include "dataset/model.h"
#include "test.h"

enum { FAKE_FILES = 1100, FAKE_VARS = 16, FAKE_SOURCES = 64 };

typedef struct fake_file {
    nci_header *header;
    void *data[FAKE_VARS];
} fake_file;

typedef struct fake_world {
    fake_file files[FAKE_FILES];
    size_t nfiles;
    const nci_header *headers[FAKE_FILES];
    nci_source_spec *specs[FAKE_SOURCES];
    uint32_t nspecs;
    char notes[4096];
    size_t nnotes;
    int64_t reads;
} fake_world;

static inline fake_file *fake_add_file(fake_world *world, const char *path)
{
    fake_file *file = &world->files[world->nfiles];
    file->header = nci_header_create(path);
    assert_non_null(file->header);
    world->headers[world->nfiles++] = file->header;
    return file;
}

static inline int fake_dim(fake_file *file, const char *name, int64_t size,
                           bool is_unlimited)
{
    nci_header_add_dim(file->header, name, size, is_unlimited);
    return (int)file->header->ndims - 1;
}

/* Adds a variable over named dimensions ("time lat"); values are doubles that
 * are put into the dtype, NULL: zeros. Returns its index. */
static inline int fake_var(fake_file *file, const char *name, ncg_dtype dtype,
                           const char *dims, const double *values)
{
    nci_strings words = {0};
    int at[NCG_MAX_RANK];
    int64_t n = 1;
    nci_strings_split(&words, dims, " ");
    for (size_t d = 0; d < words.count; d++) {
        at[d] = nci_header_find_dim(file->header, words.items[d]);
        assert_true(at[d] >= 0);
        n *= file->header->dims[at[d]].size;
    }
    nci_var *var =
        nci_header_add_var(file->header, name, dtype, (int)words.count, at);
    assert_non_null(var);
    int v = (int)file->header->nvars - 1;
    size_t size = ncg_dtype_size(dtype);
    char *data = nci_calloc((size_t)n + 1, size);
    for (int64_t i = 0; values && i < n; i++)
        nci_dtype_put(dtype, data + (size_t)i * size, values[i]);
    file->data[v] = data;
    nci_strings_fini(&words);
    return v;
}

static inline void fake_text(fake_file *file, int var, const char *name,
                             const char *text)
{
    nci_attrs_put_text(&file->header->vars[var].attrs, name, text);
}

static inline void fake_number(fake_file *file, int var, const char *name,
                               ncg_dtype dtype, double x)
{
    uint8_t value[8] = {0};
    nci_dtype_put(dtype, value, x);
    nci_attrs_put(&file->header->vars[var].attrs, name, dtype, 1, value);
}

static inline ncg_status fake_read(void *ctx, int file, int v,
                                   const nci_box *box, void *out,
                                   ncg_error *err)
{
    fake_world *world = ctx;
    const nci_var *var = &world->files[file].header->vars[v];
    (void)err;
    __atomic_fetch_add(&world->reads, 1, __ATOMIC_RELAXED);
    for (int d = 0; d < box->rank; d++) /* only whole variables are read */
        assert_int_equal(box->start[d], 0);
    memcpy(out, world->files[file].data[v],
           (size_t)nci_box_size(box) * ncg_dtype_size(var->dtype));
    return NCG_OK;
}

static inline ncg_status fake_parallel(void *ctx, size_t n,
                                       ncg_status (*body)(void *, size_t,
                                                          ncg_error *),
                                       void *arg, ncg_error *err)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        NCI_TRY(body(arg, i, err));
    return NCG_OK;
}

static inline ncg_status fake_source(void *ctx, nci_source_spec *spec,
                                     uint32_t *id, ncg_error *err)
{
    fake_world *world = ctx;
    if (world->nspecs == FAKE_SOURCES)
        return nci_fail(err, NCG_EBUG, "too many sources for a test");
    world->specs[world->nspecs] = spec;
    *id = world->nspecs++;
    return NCG_OK;
}

static inline void fake_note(const char *note, void *payload)
{
    fake_world *world = payload;
    size_t n = strlen(world->notes);
    snprintf(world->notes + n, sizeof world->notes - n, "%s\n", note);
    world->nnotes++;
}

static inline ncg_status fake_join(fake_world *world,
                                   const nci_join_options *options,
                                   nci_model **out, ncg_error *err)
{
    nci_join_options how = options ? *options : (nci_join_options){0};
    how.note = fake_note;
    how.note_payload = world;
    nci_join_input input = {world->headers, world->nfiles, world,
                            fake_read,      fake_parallel, fake_source};
    return nci_join(&input, &how, out, err);
}

/* The value at a position of a lazy variable, as a reader would find it. */
static inline double fake_value(const fake_world *world,
                                const nci_source_spec *spec, const int64_t *at)
{
    int axis = spec->join_axis;
    for (size_t s = 0; s < spec->nsegments; s++) {
        const nci_segment *seg = &spec->segments[s];
        if (axis >= 0 &&
            (at[axis] < seg->start || at[axis] >= seg->start + seg->count))
            continue;
        if (seg->var < 0)
            return NAN;
        const fake_file *file = &world->files[seg->file];
        const nci_var *var = &file->header->vars[seg->var];
        int64_t i = 0;
        for (int d = 0; d < spec->rank; d++) {
            int64_t place =
                d == axis ? at[d] - seg->start + seg->file_start : at[d];
            assert_true(place < file->header->dims[var->dims[d]].size);
            i = i * file->header->dims[var->dims[d]].size + place;
        }
        const char *data = file->data[seg->var];
        return nci_decode_value(&seg->decode,
                                data + (size_t)i * ncg_dtype_size(var->dtype));
    }
    fail_msg("no segment holds position %lld",
             axis >= 0 ? (long long)at[axis] : 0LL);
    return NAN;
}

static inline const nci_variable *fake_find(const nci_model *model,
                                            const char *name)
{
    int v = nci_model_find_var(model, name);
    if (v < 0)
        fail_msg("no variable %s", name);
    return &model->vars[v];
}

static inline const nci_source_spec *
fake_spec(const fake_world *world, const nci_model *model, const char *name)
{
    const nci_node *node = fake_find(model, name)->array;
    assert_int_equal(node->kind, NCI_NODE_SOURCE);
    return world->specs[node->source];
}

/* One value of a 1-D variable in memory. */
static inline double fake_coord(const nci_model *model, const char *name,
                                int64_t i)
{
    double *values = NULL;
    int64_t n;
    ncg_error err;
    CHECK_OK(nci_variable_values(fake_find(model, name), &values, &n, &err));
    assert_true(i < n);
    double x = values[i];
    nci_free(values);
    return x;
}

static inline void fake_fini(fake_world *world)
{
    for (size_t i = 0; i < world->nfiles; i++) {
        nci_header_free(&world->files[i].header);
        for (int v = 0; v < FAKE_VARS; v++)
            nci_free(world->files[i].data[v]);
    }
    for (uint32_t i = 0; i < world->nspecs; i++)
        nci_source_spec_free(&world->specs[i]);
    memset(world, 0, sizeof *world);
}

#endif
