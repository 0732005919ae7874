/* SPDX-License-Identifier: BSD-3-Clause */
/* Files inspected by workers: what they are called with, what they answer, and
 * what the client makes of it. */
#include "engine/cluster/inspect.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "engine/cluster/future.h"
#include "engine/cluster/header_pack.h"

enum { MOST_BATCHES = 256, LEAST_FILES = 4, MOST_FILES = 64 };

struct nci_inspection {
    nci_io *io;             /* borrowed, as is the list */
    const nci_strings *paths;
    size_t each, batches;   /* files of a batch */
    nci_future **futures;   /* of the batches */
    _Atomic bool is_lost;   /* an answer could not be fetched */
};

/* ---- what a worker does -------------------------------------------------- */

static void inspect_one(nci_io *io, const char *path, nci_pack *out)
{
    nci_pack one = {0};
    nci_file *file = NULL;
    if (!nci_file_open(io, path, &file, NULL))
        nci_header_pack(&one, nci_file_header(file));
    nci_file_release(&file);
    bool is_whole = !one.text.failed;
    nci_pack_bytes(out, one.text.data, is_whole ? one.text.length : 0);
    nci_text_fini(&one.text);
}

static ncg_status inspect_all(nci_io *io, const ncg_function_call *call,
                              nci_pack *out, ncg_error *err)
{
    nci_unpack in = {.data = call->argument.data, .size = call->argument.size};
    while (in.at < in.size && !ncg_function_canceled(call)) {
        size_t n = 0;
        const char *bytes = nci_unpack_bytes(&in, &n);
        char *path = bytes ? nci_strndup(bytes, n) : NULL;
        if (!path)
            return nci_fail(err, bytes ? NCG_ENOMEM : NCG_EINVAL,
                            "paths of files cannot be read");
        inspect_one(io, path, out);
        nci_free(path);
    }
    return NCG_OK;
}

ncg_status nci_inspect_call(const ncg_function_call *call, void *payload,
                            ncg_error *err)
{
    nci_io *io = NULL;
    nci_pack out = {0};
    (void)payload;
    NCI_TRY(nci_io_create(NULL, &io, err));
    ncg_status st = inspect_all(io, call, &out, err);
    if (!st && out.text.failed)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = ncg_function_give(call, out.text.data, out.text.length, err);
    nci_text_fini(&out.text);
    nci_io_destroy(&io);
    return st;
}

/* ---- what the client does ------------------------------------------------ */

void nci_inspect_ask(nci_pack *pack, char *const *paths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        nci_pack_string(pack, paths[i]);
}

static void take_one(nci_io *io, const void *bytes, size_t nbytes,
                     const char *path, nci_file **file)
{
    nci_unpack in = {.data = bytes, .size = nbytes};
    nci_header *header = NULL;
    if (nbytes && !nci_header_unpack(&in, path, &header, NULL))
        nci_file_adopt(io, header, file, NULL);
}

void nci_inspect_take(nci_io *io, const void *bytes, size_t nbytes,
                      char *const *paths, size_t n, nci_file **files)
{
    nci_unpack in = {.data = bytes, .size = nbytes};
    for (size_t i = 0; i < n && in.at < in.size && !in.failed; i++) {
        size_t size = 0;
        const void *one = nci_unpack_bytes(&in, &size);
        if (one)
            take_one(io, one, size, paths[i], &files[i]);
    }
}

static size_t files_of(const nci_inspection *x, size_t batch)
{
    size_t left = x->paths->count - batch * x->each;
    return left < x->each ? left : x->each;
}

/* The last batch is asked for first. */
static ncg_status ask(nci_inspection *x, nci_client *client,
                      nci_future_spec *specs, nci_pack *packs,
                      nci_future **made, ncg_error *err)
{
    for (size_t i = 0; i < x->batches; i++) {
        size_t batch = x->batches - 1 - i;
        nci_inspect_ask(&packs[i], x->paths->items + batch * x->each,
                        files_of(x, batch));
        if (packs[i].text.failed)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        specs[i] = (nci_future_spec){
            .function = NCI_FUNCTION_INSPECT,
            .argument = {packs[i].text.data, packs[i].text.length}};
    }
    ncg_status st = nci_future_submit(client, specs, x->batches, made, err);
    for (size_t i = 0; i < x->batches; i++)
        x->futures[x->batches - 1 - i] = made[i];
    return st;
}

static ncg_status ask_all(nci_inspection *x, nci_client *client, ncg_error *err)
{
    nci_future_spec *specs = nci_calloc(x->batches, sizeof *specs);
    nci_pack *packs = nci_calloc(x->batches, sizeof *packs);
    nci_future **made = nci_calloc(x->batches, sizeof *made);
    ncg_status st = NCG_OK;
    if (specs && packs && made)
        st = ask(x, client, specs, packs, made, err);
    else
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; packs && i < x->batches; i++)
        nci_text_fini(&packs[i].text);
    nci_free(specs);
    nci_free(packs);
    nci_free(made);
    return st;
}

ncg_status nci_inspection_begin(nci_client *client, nci_io *io,
                                const nci_strings *paths, nci_inspection **out,
                                ncg_error *err)
{
    nci_inspection *x = nci_calloc(1, sizeof *x);
    if (!x)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    size_t each = (paths->count + MOST_BATCHES - 1) / MOST_BATCHES;
    each = each < LEAST_FILES ? LEAST_FILES : each;
    each = each > MOST_FILES ? MOST_FILES : each;
    *x = (nci_inspection){.io = io,
                          .paths = paths,
                          .each = each,
                          .batches = (paths->count + each - 1) / each};
    x->futures = nci_calloc(x->batches, sizeof *x->futures);
    ncg_status st = x->futures ? ask_all(x, client, err)
                               : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (st)
        nci_inspection_end(&x);
    else
        *out = x;
    return st;
}

size_t nci_inspection_batches(const nci_inspection *x)
{
    return x->batches;
}

ncg_status nci_inspection_open(nci_inspection *x, size_t batch,
                               nci_file **files, ncg_error *err)
{
    size_t first = batch * x->each, n = files_of(x, batch);
    char *const *paths = x->paths->items + first;
    nci_future *future = x->futures[batch];
    nci_buf *value = NULL;
    if (atomic_load(&x->is_lost) || nci_future_state(future) != NCG_RUN_DONE)
        nci_future_cancel(future);
    else if (nci_future_take(future, &value, NULL))
        atomic_store(&x->is_lost, true); /* not each waits for that worker */
    else
        nci_inspect_take(x->io, nci_buf_data(value), nci_buf_size(value), paths,
                         n, files + first);
    nci_buf_release(&value);
    for (size_t i = 0; i < n; i++)
        if (!files[first + i])
            NCI_TRY(nci_file_open(x->io, paths[i], &files[first + i], err));
    return NCG_OK;
}

void nci_inspection_end(nci_inspection **slot)
{
    nci_inspection *x = *slot;
    *slot = NULL;
    for (size_t i = 0; x->futures && i < x->batches; i++)
        if (x->futures[i])
            nci_future_release(&x->futures[i]);
    nci_free(x->futures);
    nci_free(x);
}
