/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_FAKE_IO_H
#define NCG_TESTS_FAKE_IO_H
/*
 * Files in memory that stand in for io: tiles are cut from a row-major array,
 * with rubbish where an edge chunk reaches beyond the variable. A program that
 * includes this must not link io's own functions.
 */
#include "base/mem.h"
#include "engine/source.h"
#include "test.h"

struct nci_file {
    int refs;
    nci_header *header;
    int64_t shape[NCG_MAX_RANK];
    uint8_t *values; /* host order, row-major */
    bool is_shuffled, is_swapped;
    int64_t absent; /* every n-th chunk was never written; 0: none */
    int reads;
};

struct nci_scratch {
    uint8_t *data;
    size_t capacity;
    uint8_t *kept[NCI_SCRATCH_KEPT];
    size_t kept_capacity[NCI_SCRATCH_KEPT];
};

static inline void fake_scratch_fini(nci_scratch *scratch)
{
    free(scratch->data);
    for (int i = 0; i < NCI_SCRATCH_KEPT; i++)
        free(scratch->kept[i]);
}

bool nci_scratch_keep(nci_scratch *scratch, const nci_tile *tile, int slot)
{
    nci_scratch old = *scratch;
    if (tile->data != old.data)
        return false;
    scratch->data = old.kept[slot];
    scratch->capacity = old.kept_capacity[slot];
    scratch->kept[slot] = old.data;
    scratch->kept_capacity[slot] = old.capacity;
    return true;
}

nci_file *nci_file_retain(nci_file *file)
{
    file->refs++;
    return file;
}

void nci_file_release(nci_file **slot)
{
    nci_file *file = *slot;
    *slot = NULL;
    if (!file || --file->refs)
        return;
    nci_header_free(&file->header);
    free(file->values);
    free(file);
}

const nci_header *nci_file_header(const nci_file *file)
{
    return file->header;
}

int64_t nci_scratch_need(const nci_var *var)
{
    return var->storage.elem_size;
}

ncg_status nci_scratch_room(nci_scratch *scratch, size_t nbytes, uint8_t **out,
                            ncg_error *err)
{
    (void)err;
    if (scratch->capacity < nbytes) {
        scratch->data = realloc(scratch->data, nbytes);
        scratch->capacity = nbytes;
    }
    *out = scratch->data;
    return NCG_OK;
}

static inline nci_file *fake_file(const char *name, ncg_dtype dtype, int rank,
                                  const int64_t *shape, const int64_t *chunk)
{
    nci_file *file = calloc(1, sizeof *file);
    int dims[NCG_MAX_RANK];
    size_t n = 1;
    file->refs = 1;
    file->header = nci_header_create(name);
    for (int d = 0; d < rank; d++) {
        char dim[16];
        snprintf(dim, sizeof dim, "d%d", d);
        nci_header_add_dim(file->header, dim, shape[d], false);
        dims[d] = d;
        file->shape[d] = shape[d];
        n *= (size_t)shape[d];
    }
    nci_var *var = nci_header_add_var(file->header, "v", dtype, rank, dims);
    var->storage.elem_size = (uint32_t)ncg_dtype_size(dtype);
    var->storage.layout = NCI_LAYOUT_CHUNKED;
    for (int d = 0; d < rank; d++)
        var->storage.chunk[d] = chunk[d];
    file->values = calloc(n + 1, ncg_dtype_size(dtype));
    return file;
}

static inline void fake_element(const nci_file *file, const nci_tile *tile,
                                int64_t n, int64_t i, uint8_t *data)
{
    const nci_var *var = &file->header->vars[0];
    uint32_t size = var->storage.elem_size;
    int64_t offset = 0, stride = 1, rest = i;
    bool inside = true;
    uint8_t value[8];
    memset(value, 0x5a, sizeof value);
    for (int d = tile->box.rank - 1; d >= 0; d--) {
        int64_t p = tile->box.start[d] + rest % tile->box.count[d];
        rest /= tile->box.count[d];
        inside = inside && p < file->shape[d];
        offset += p * stride;
        stride *= file->shape[d];
    }
    if (inside)
        memcpy(value, file->values + offset * size, size);
    for (uint32_t b = 0; b < size; b++) {
        uint8_t byte = value[file->is_swapped ? size - 1 - b : b];
        data[file->is_shuffled ? (int64_t)b * n + i : i * size + b] = byte;
    }
}

bool nci_has_parts(const nci_var *var)
{
    return var->storage.layout == NCI_LAYOUT_CONTIGUOUS;
}

int64_t nci_tile_bytes(const nci_var *var)
{
    int64_t n = var->storage.elem_size;
    for (int d = 0; d < var->rank; d++)
        n *= var->storage.chunk[d];
    return n > NCI_PART_BYTES ? n : NCI_PART_BYTES;
}

static inline uint8_t *fake_room(nci_scratch *scratch, size_t nbytes)
{
    if (scratch->capacity < nbytes) {
        scratch->data = realloc(scratch->data, nbytes);
        scratch->capacity = nbytes;
    }
    return scratch->data;
}

ncg_status nci_file_read_part(nci_file *file, int var, const nci_box *box,
                              nci_scratch *scratch, nci_tile *out,
                              ncg_error *err)
{
    const nci_storage *storage = &file->header->vars[var].storage;
    (void)err;
    file->reads++;
    *out = (nci_tile){.box = *box,
                      .elem_size = storage->elem_size,
                      .is_swapped = file->is_swapped};
    int64_t n = nci_tile_size(out);
    assert_true(n * storage->elem_size <=
                nci_tile_bytes(&file->header->vars[var]));
    uint8_t *data = fake_room(scratch, (size_t)n * storage->elem_size);
    bool is_shuffled = file->is_shuffled;
    file->is_shuffled = false;
    for (int64_t i = 0; i < n; i++)
        fake_element(file, out, n, i, data);
    file->is_shuffled = is_shuffled;
    out->data = data;
    return NCG_OK;
}

ncg_status nci_file_read_tile(nci_file *file, int var, const int64_t *index,
                              nci_scratch *scratch, nci_tile *out,
                              ncg_error *err)
{
    const nci_storage *storage = &file->header->vars[var].storage;
    int64_t number = 0;
    (void)err;
    file->reads++;
    *out = (nci_tile){.elem_size = storage->elem_size,
                      .is_shuffled = file->is_shuffled,
                      .is_swapped = file->is_swapped};
    out->box.rank = file->header->vars[var].rank;
    for (int d = 0; d < out->box.rank; d++) {
        out->box.start[d] = index[d] * storage->chunk[d];
        out->box.count[d] = storage->chunk[d];
        number = number * 7 + index[d];
    }
    memcpy(out->fill, storage->fill, sizeof out->fill);
    if (file->absent && number % file->absent == 0)
        return NCG_OK;
    int64_t n = nci_tile_size(out);
    size_t nbytes = (size_t)n * storage->elem_size;
    fake_room(scratch, nbytes);
    for (int64_t i = 0; i < n; i++)
        fake_element(file, out, n, i, scratch->data);
    out->data = scratch->data;
    return NCG_OK;
}

#endif
