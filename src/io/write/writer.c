/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/write/writer.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "io/library.h"
#include "io/write/encode.h"
#include "io/write/store.h"
#include "io/write/target.h"

struct nci_writer {
    nci_target target;
    nci_write_store store; /* under the library's mutex */
    const nci_write_format *format;
    int deflate;
    nci_write_var *vars; /* constant but for next, group, id, dataset */
    size_t nvars;
    char **names; /* what vars[].name points to */
    atomic_llong nbytes;
};

/* ---- creation ---------------------------------------------------------- */

static void writer_free(nci_writer *writer)
{
    for (size_t i = 0; writer->names && i < writer->nvars; i++)
        nci_free(writer->names[i]);
    nci_free(writer->names);
    nci_free(writer->vars);
    nci_target_fini(&writer->target);
    nci_free(writer);
}

static ncg_status plan_vars(nci_writer *writer, const nci_header *header,
                            ncg_error *err)
{
    writer->vars = nci_calloc(header->nvars + 1, sizeof *writer->vars);
    writer->names = nci_calloc(header->nvars + 1, sizeof *writer->names);
    if (!writer->vars || !writer->names)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < header->nvars; i++) {
        writer->names[i] = nci_strdup(header->vars[i].name);
        writer->nvars = i + 1;
        if (!writer->names[i])
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        NCI_TRY(nci_write_var_init(header, (int)i, writer->format,
                                   writer->deflate, &writer->vars[i], err));
        writer->vars[i].name = writer->names[i];
    }
    return NCG_OK;
}

static int64_t attrs_bytes(const nci_attrs *attrs)
{
    int64_t nbytes = 0;
    for (size_t i = 0; i < attrs->count; i++)
        nbytes += 256 + attrs->items[i].count *
                            (int64_t)ncg_dtype_size(attrs->items[i].dtype);
    return nbytes;
}

/* Room that HDF5 may take for the definition. A full disk must show before it
 * begins: HDF5 cannot close a file whose definition it cannot write. */
static int64_t definition_bytes(const nci_header *header)
{
    int64_t nbytes = 32768 + attrs_bytes(&header->attrs) +
                     (int64_t)(header->ndims + header->nvars) * 4096;
    for (size_t i = 0; i < header->nvars; i++)
        nbytes += attrs_bytes(&header->vars[i].attrs);
    return nbytes;
}

/* Classic formats take their size from the definition. */
static int64_t classic_bytes(const nci_writer *writer, const nci_header *header)
{
    int64_t nbytes = definition_bytes(header);
    for (size_t i = 0; i < writer->nvars; i++) {
        const nci_write_var *var = &writer->vars[i];
        int64_t values = (int64_t)var->elem;
        for (int d = 0; d < var->rank; d++)
            if (!nci_mul_i64(values, var->shape[d], &values))
                return INT64_MAX;
        if (__builtin_add_overflow(nbytes, values, &nbytes))
            return INT64_MAX;
    }
    return nbytes;
}

static ncg_status check_room(const nci_writer *writer, const nci_header *header,
                             ncg_error *err)
{
    if (writer->format->is_hdf5)
        return nci_target_reserve(&writer->target, definition_bytes(header),
                                  err);
    return nci_target_check_limit(&writer->target,
                                  classic_bytes(writer, header), err);
}

static void init_store(nci_writer *writer)
{
    writer->store = (nci_write_store){.path = writer->target.path,
                                      .temp = writer->target.temp,
                                      .is_hdf5 = writer->format->is_hdf5,
                                      .ncid = -1,
                                      .file = -1,
                                      .vars = writer->vars,
                                      .nvars = writer->nvars};
}

ncg_status nci_writer_begin(const char *path, const nci_header *header,
                            const nci_write_options *options, nci_writer **out,
                            ncg_error *err)
{
    const nci_write_format *format;
    NCI_TRY(nci_write_format_find(options->format, &format, err));
    if (options->deflate < 0 || options->deflate > 9)
        return nci_fail(err, NCG_EINVAL,
                        "deflate level %d is not between 0 and 9",
                        options->deflate);
    NCI_TRY(nci_write_check(header, format, err));
    nci_writer *writer = nci_calloc(1, sizeof *writer);
    if (!writer)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    writer->format = format;
    writer->deflate = options->deflate;
    writer->store.ncid = -1;
    writer->store.file = -1;
    atomic_init(&writer->nbytes, 0);
    ncg_status st = plan_vars(writer, header, err);
    if (!st)
        st = nci_target_open(path, options->overwrite, &writer->target, err);
    if (!st)
        st = check_room(writer, header, err);
    if (st)
        nci_writer_abandon(&writer);
    else
        *out = writer;
    return st;
}

ncg_status nci_writer_define(nci_writer *writer, const nci_header *header,
                             ncg_error *err)
{
    NCI_TRY(nci_library_enter(err));
    init_store(writer);
    ncg_status st = nci_store_define(&writer->store, header, writer->format,
                                     writer->deflate, err);
    nci_library_unlock();
    return st;
}

ncg_status nci_writer_create(const char *path, const nci_header *header,
                             const nci_write_options *options, nci_writer **out,
                             ncg_error *err)
{
    nci_writer *writer = NULL;
    NCI_TRY(nci_writer_begin(path, header, options, &writer, err));
    ncg_status st = nci_writer_define(writer, header, err);
    if (st)
        nci_writer_abandon(&writer);
    *out = writer;
    return st;
}

/* ---- data -------------------------------------------------------------- */

static nci_write_var *find_var(const nci_writer *writer, int var,
                               ncg_error *err)
{
    if (var >= 0 && (size_t)var < writer->nvars)
        return &writer->vars[var];
    nci_fail(err, NCG_EBUG, "the output has no variable %d", var);
    return NULL;
}

static void count_bytes(nci_writer *writer, int64_t values, size_t elem)
{
    atomic_fetch_add(&writer->nbytes, (long long)values * (long long)elem);
}

ncg_status nci_writer_put_var(nci_writer *writer, int index, const void *data,
                              ncg_error *err)
{
    nci_write_var *var = find_var(writer, index, err);
    int64_t start[NCG_MAX_RANK] = {0}, values = 1;
    if (!var)
        return NCG_EBUG;
    if (var->next)
        return nci_fail(err, NCG_EBUG, "variable %s is written twice",
                        var->name);
    for (int d = 0; d < var->rank; d++)
        values *= var->shape[d];
    ncg_status st = NCG_OK;
    if (values) {
        nci_library_lock();
        st = nci_store_put_box(&writer->store, var, start, var->shape, data,
                               err);
        nci_library_unlock();
    }
    if (!st) {
        var->next = var->total;
        count_bytes(writer, values, var->elem);
    }
    return st;
}

bool nci_writer_is_chunked(const nci_writer *writer, int var)
{
    return var >= 0 && (size_t)var < writer->nvars &&
           writer->vars[var].is_chunked;
}

ncg_status nci_writer_encode(const nci_writer *writer, int index,
                             const int64_t *count, const void *data,
                             nci_buf **out, ncg_error *err)
{
    nci_write_var *var = find_var(writer, index, err);
    return var ? nci_encode_chunk(var, writer->deflate, count, data, out, err)
               : NCG_EBUG;
}

ncg_status nci_writer_encoding(const nci_writer *writer, int index,
                               nci_encoding *out, ncg_error *err)
{
    const nci_write_var *var = find_var(writer, index, err);
    if (!var)
        return NCG_EBUG;
    nci_library_lock(); /* the file may be under definition */
    *out = (nci_encoding){*var, writer->deflate};
    nci_library_unlock();
    return NCG_OK;
}

/* Chunks must come in row-major order, each once. */
static ncg_status check_order(const nci_write_var *var, const int64_t *index,
                              ncg_error *err)
{
    int64_t number = 0;
    for (int d = 0; d < var->rank; d++) {
        if (index[d] < 0 || index[d] >= var->nchunks[d])
            return nci_fail(err, NCG_EBUG,
                            "variable %s has no chunk %lld on axis %d",
                            var->name, (long long)index[d], d);
        number = number * var->nchunks[d] + index[d];
    }
    if (number != var->next || number >= var->total)
        return nci_fail(err, NCG_EBUG,
                        "variable %s: chunk %lld was put where chunk %lld "
                        "was due",
                        var->name, (long long)number, (long long)var->next);
    return NCG_OK;
}

static ncg_status check_size(const nci_write_var *var, const int64_t *count,
                             size_t nbytes, ncg_error *err)
{
    size_t expected = var->elem;
    for (int d = 0; d < var->rank; d++)
        expected *= (size_t)(var->is_chunked ? var->chunk[d] : count[d]);
    if (var->is_deflated || nbytes == expected)
        return NCG_OK;
    return nci_fail(err, NCG_EBUG, "variable %s: a chunk of %zu bytes, not %zu",
                    var->name, nbytes, expected);
}

ncg_status nci_writer_put(nci_writer *writer, int index, const int64_t *chunk,
                          const nci_buf *encoded, ncg_error *err)
{
    nci_write_var *var = find_var(writer, index, err);
    int64_t start[NCG_MAX_RANK], count[NCG_MAX_RANK];
    size_t nbytes = nci_buf_size(encoded);
    const void *data = nci_buf_data(encoded);
    if (!var)
        return NCG_EBUG;
    NCI_TRY(check_order(var, chunk, err));
    for (int d = 0; d < var->rank; d++) {
        start[d] = chunk[d] * var->chunk[d];
        count[d] = var->shape[d] - start[d];
        count[d] = count[d] > var->chunk[d] ? var->chunk[d] : count[d];
    }
    NCI_TRY(check_size(var, count, nbytes, err));
    nci_library_lock();
    ncg_status st =
        var->is_chunked
            ? nci_store_put_chunk(&writer->store, var, start, data, nbytes, err)
            : nci_store_put_box(&writer->store, var, start, count, data, err);
    nci_library_unlock();
    if (!st) {
        var->next++;
        count_bytes(writer, (int64_t)nbytes, 1);
    }
    return st;
}

/* ---- the end ----------------------------------------------------------- */

static ncg_status check_complete(const nci_writer *writer, ncg_error *err)
{
    for (size_t i = 0; i < writer->nvars; i++) {
        const nci_write_var *var = &writer->vars[i];
        if (var->next != var->total)
            return nci_fail(
                err, NCG_EBUG, "variable %s: %lld of %lld chunks were written",
                var->name, (long long)var->next, (long long)var->total);
    }
    return NCG_OK;
}

static ncg_status close_store(nci_writer *writer, ncg_error *err)
{
    nci_library_lock();
    ncg_status st = nci_store_close(&writer->store, err);
    nci_library_unlock();
    return st;
}

ncg_status nci_writer_finish(nci_writer **slot, ncg_error *err)
{
    nci_writer *writer = *slot;
    NCI_TRY(check_complete(writer, err));
    NCI_TRY(close_store(writer, err));
    NCI_TRY(nci_target_commit(&writer->target, err));
    writer_free(writer);
    *slot = NULL;
    return NCG_OK;
}

void nci_writer_abandon(nci_writer **slot)
{
    nci_writer *writer = *slot;
    *slot = NULL;
    if (!writer)
        return;
    /* Removed first: closing flushes, and needs room on a full disk. */
    nci_target_discard(&writer->target);
    (void)close_store(writer, NULL);
    writer_free(writer);
}

void nci_writer_remove_temporaries(void)
{
    nci_target_remove_all();
}

int64_t nci_writer_bytes(const nci_writer *writer)
{
    return atomic_load(&((nci_writer *)writer)->nbytes);
}
