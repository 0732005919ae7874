/* SPDX-License-Identifier: BSD-3-Clause */
/* The packed messages, each with its reader. */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "engine/cluster/dialogue.h"

/* ---- pieces -------------------------------------------------------------- */

static ncg_status ended(const nci_unpack *in, const char *what, ncg_error *err)
{
    if (in->starved)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (in->failed)
        return nci_fail(err, NCG_ENET, "%s is damaged", what);
    return NCG_OK;
}

static void pack_token(nci_pack *pack, nci_token token)
{
    nci_pack_i64(pack, (int64_t)token.low);
    nci_pack_i64(pack, (int64_t)token.high);
}

static nci_token unpack_token(nci_unpack *in)
{
    nci_token token;
    token.low = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    token.high = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    return token;
}

/* ---- joining ------------------------------------------------------------- */

void nci_joining_pack(nci_pack *pack, const nci_joining *j)
{
    nci_pack_string(pack, j->name);
    nci_pack_string(pack, j->addresses);
    nci_pack_string(pack, j->host);
    nci_pack_i64(pack, j->threads);
    nci_pack_i64(pack, j->limit);
    nci_pack_i64(pack, j->pid);
    nci_pack_i64(pack, j->left);
    nci_pack_i64(pack, j->bandwidth);
    nci_pack_string(pack, j->checkpoint);
    nci_pack_string(pack, j->resources);
}

ncg_status nci_joining_unpack(nci_unpack *in, nci_joining *out, ncg_error *err)
{
    nci_unpack_string(in, out->name, sizeof out->name);
    nci_unpack_string(in, out->addresses, sizeof out->addresses);
    nci_unpack_string(in, out->host, sizeof out->host);
    out->threads = (int)nci_unpack_i64(in, 1, 1 << 16);
    out->limit = nci_unpack_i64(in, 1, INT64_MAX);
    out->pid = nci_unpack_i64(in, 0, INT64_MAX);
    out->left = nci_unpack_i64(in, -1, INT64_MAX);
    out->bandwidth = nci_unpack_i64(in, 0, INT64_MAX);
    nci_unpack_string(in, out->checkpoint, sizeof out->checkpoint);
    nci_unpack_string(in, out->resources, sizeof out->resources);
    return ended(in, "a worker's greeting", err);
}

void nci_roster_pack(nci_pack *pack, const nci_roster *r)
{
    nci_pack_i64(pack, r->number);
    nci_pack_string(pack, r->checkpoint);
    nci_pack_i64(pack, (int64_t)r->count);
    for (size_t i = 0; i < r->count; i++) {
        nci_pack_i64(pack, r->entries[i].number);
        nci_pack_string(pack, r->entries[i].addresses);
    }
}

ncg_status nci_roster_unpack(nci_unpack *in, nci_roster *out, ncg_error *err)
{
    out->number = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
    nci_unpack_string(in, out->checkpoint, sizeof out->checkpoint);
    size_t n = (size_t)nci_unpack_i64(in, 0, INT32_MAX);
    if (in->failed || n > in->size - in->at)
        in->failed = true;
    else if (!nci_grow(&out->entries, &out->capacity, n + 1,
                       sizeof *out->entries))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    out->count = 0;
    for (size_t i = 0; i < n && !in->failed; i++) {
        nci_roster_entry *entry = &out->entries[i];
        entry->number = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
        nci_unpack_string(in, entry->addresses, sizeof entry->addresses);
        out->count += !in->failed;
    }
    return ended(in, "the list of workers", err);
}

/* ---- plans --------------------------------------------------------------- */

static void pack_form(nci_pack *pack, const nci_encoding *form)
{
    const nci_write_var *v = &form->var;
    nci_pack_i64(pack, form->level);
    nci_pack_i64(pack, v->dtype);
    nci_pack_i64(pack, v->rank);
    nci_pack_i64s(pack, v->chunk, v->rank);
    nci_pack_i64(pack,
                 v->is_chunked | v->is_deflated << 1 | v->is_shuffled << 2);
    nci_pack_bytes(pack, v->fill, sizeof v->fill);
}

/* The chunk's values must be countable, in bytes too. */
static void unpack_form(nci_unpack *in, nci_encoding *form)
{
    nci_write_var *v = &form->var;
    int64_t n = 0, values = 1, bytes = 0;
    form->level = (int)nci_unpack_i64(in, 0, 12);
    v->dtype = (ncg_dtype)nci_unpack_i64(in, NCG_DTYPE_I8, NCG_DTYPE_CHAR);
    v->elem = ncg_dtype_size(v->dtype);
    v->name = "output";
    v->rank = (int)nci_unpack_i64(in, 0, NCG_MAX_RANK);
    int64_t *chunk = nci_unpack_i64s(in, &n);
    if (!chunk || n != v->rank)
        in->failed = true;
    for (int d = 0; !in->failed && d < v->rank; d++) {
        v->chunk[d] = chunk[d];
        if (chunk[d] < 0 || !nci_mul_i64(values, chunk[d], &values))
            in->failed = true;
    }
    nci_free(chunk);
    int64_t flags = nci_unpack_i64(in, 0, 7);
    v->is_chunked = flags & 1;
    v->is_deflated = flags >> 1 & 1;
    v->is_shuffled = flags >> 2 & 1;
    v->chunk_values = values;
    if (!nci_mul_i64(values, (int64_t)v->elem, &bytes) || bytes > INT64_MAX / 4)
        in->failed = true;
    if (v->is_chunked && (!v->rank || !values))
        in->failed = true;
    nci_unpack_exactly(in, v->fill, sizeof v->fill);
}

void nci_plan_message_pack(nci_pack *pack, const nci_plan_message *p)
{
    pack_token(pack, p->hash);
    nci_pack_i64(pack, p->retries);
    nci_pack_i64(pack, p->nforms);
    for (int i = 0; i < p->nforms; i++)
        pack_form(pack, &p->forms[i]);
    nci_pack_i64(pack, p->nkeeps);
    for (int i = 0; i < p->nkeeps; i++)
        pack_token(pack, p->keeps[i]);
    nci_pack_i64(pack, p->nneeds);
    for (int i = 0; i < p->nneeds; i++)
        pack_token(pack, p->needs[i]);
    nci_pack_bytes(pack, p->bytes, p->nbytes);
}

void nci_plan_message_fini(nci_plan_message *p)
{
    nci_free(p->forms);
    nci_free(p->keeps);
    nci_free(p->needs);
    p->forms = NULL;
    p->keeps = p->needs = NULL;
    p->nforms = p->nkeeps = p->nneeds = 0;
}

bool nci_plan_keep(const nci_plan_message *p, int output, nci_token *out)
{
    if (output < 0 || output >= p->nkeeps)
        return false;
    *out = p->keeps[output];
    return out->low || out->high;
}

/* A list whose members take a byte at least, each. */
static int unpack_count(nci_unpack *in)
{
    int64_t n = nci_unpack_i64(in, 0, INT32_MAX);
    if ((size_t)n > in->size - in->at)
        in->failed = true;
    return in->failed ? 0 : (int)n;
}

static ncg_status unpack_sets(nci_unpack *in, nci_token **out, int *count,
                              ncg_error *err)
{
    int n = unpack_count(in);
    *out = nci_calloc((size_t)n + 1, sizeof **out);
    if (!*out)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *count = n;
    for (int i = 0; i < n; i++)
        (*out)[i] = unpack_token(in);
    return NCG_OK;
}

ncg_status nci_plan_message_unpack(nci_unpack *in, nci_plan_message *out,
                                   ncg_error *err)
{
    *out = (nci_plan_message){.hash = unpack_token(in)};
    out->retries = (int)nci_unpack_i64(in, 0, 1 << 16);
    int n = unpack_count(in);
    NCI_TRY(ended(in, "a plan", err));
    out->forms = nci_calloc((size_t)n + 1, sizeof *out->forms);
    if (!out->forms)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    out->nforms = n;
    for (int i = 0; i < out->nforms && !in->failed; i++)
        unpack_form(in, &out->forms[i]);
    ncg_status st = unpack_sets(in, &out->keeps, &out->nkeeps, err);
    if (!st)
        st = unpack_sets(in, &out->needs, &out->nneeds, err);
    out->bytes = nci_unpack_bytes(in, &out->nbytes);
    if (!st)
        st = ended(in, "a plan", err);
    if (st)
        nci_plan_message_fini(out);
    return st;
}

void nci_opened_pack(nci_pack *pack, nci_token hash, int64_t limit)
{
    pack_token(pack, hash);
    nci_pack_i64(pack, limit);
}

ncg_status nci_opened_unpack(nci_unpack *in, int64_t *limit, ncg_error *err)
{
    unpack_token(in);
    *limit = nci_unpack_i64(in, 1, INT64_MAX);
    return ended(in, "what a worker has opened", err);
}

/* ---- a run --------------------------------------------------------------- */

void nci_put_pack(nci_pack *pack, const nci_put_message *p)
{
    nci_pack_i64(pack, p->task);
    nci_pack_i64(pack, p->attempt);
    nci_pack_i64(pack, p->bytes);
    pack_token(pack, p->space);
    nci_pack_string(pack, p->addresses);
}

ncg_status nci_put_unpack(nci_unpack *in, nci_put_message *out, ncg_error *err)
{
    out->task = nci_unpack_i64(in, 0, INT64_MAX);
    out->attempt = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
    out->bytes = nci_unpack_i64(in, 0, INT64_MAX);
    out->space = unpack_token(in);
    nci_unpack_string(in, out->addresses, sizeof out->addresses);
    return ended(in, "a stored chunk", err);
}

void nci_reads_pack(nci_pack *pack, const nci_io_stats *r)
{
    nci_pack_i64(pack, r->chunks_direct);
    nci_pack_i64(pack, r->chunks_library);
    nci_pack_i64(pack, r->bytes_disk);
    nci_pack_i64(pack, r->bytes_decoded);
}

/* Bounded so that sums of what many workers say stay numbers. */
static void unpack_reads(nci_unpack *in, nci_io_stats *out)
{
    const int64_t most = INT64_C(1) << 56;
    *out = (nci_io_stats){.chunks_direct = nci_unpack_i64(in, 0, most)};
    out->chunks_library = nci_unpack_i64(in, 0, most);
    out->bytes_disk = nci_unpack_i64(in, 0, most);
    out->bytes_decoded = nci_unpack_i64(in, 0, most);
}

ncg_status nci_reads_unpack(nci_unpack *in, nci_io_stats *out, ncg_error *err)
{
    unpack_reads(in, out);
    return ended(in, "what was read", err);
}

static int64_t sum(int64_t a, int64_t b)
{
    const int64_t most = INT64_C(1) << 56;
    return a > most - b ? most : a + b;
}

void nci_reads_add(nci_io_stats *to, const nci_io_stats *more)
{
    to->chunks_direct = sum(to->chunks_direct, more->chunks_direct);
    to->chunks_library = sum(to->chunks_library, more->chunks_library);
    to->bytes_disk = sum(to->bytes_disk, more->bytes_disk);
    to->bytes_decoded = sum(to->bytes_decoded, more->bytes_decoded);
}

nci_io_stats nci_reads_since(const nci_io_stats *now,
                             const nci_io_stats *before)
{
    return (nci_io_stats){
        .chunks_direct = now->chunks_direct - before->chunks_direct,
        .chunks_library = now->chunks_library - before->chunks_library,
        .bytes_disk = now->bytes_disk - before->bytes_disk,
        .bytes_decoded = now->bytes_decoded - before->bytes_decoded};
}

void nci_progress_pack(nci_pack *pack, const nci_progress_message *p)
{
    nci_pack_i64(pack, p->done);
    nci_pack_i64(pack, p->managed);
    nci_pack_i64(pack, p->workers);
    nci_reads_pack(pack, &p->reads);
    nci_pack_string(pack, p->waits_for);
}

ncg_status nci_progress_unpack(nci_unpack *in, nci_progress_message *out,
                               ncg_error *err)
{
    out->done = nci_unpack_i64(in, 0, INT64_MAX);
    out->managed = nci_unpack_i64(in, 0, INT64_MAX);
    out->workers = nci_unpack_i64(in, 0, INT64_MAX);
    unpack_reads(in, &out->reads);
    nci_unpack_string(in, out->waits_for, sizeof out->waits_for);
    return ended(in, "news of a run", err);
}

static void pack_error(nci_pack *pack, const ncg_error *error)
{
    nci_pack_i64(pack, error->status);
    nci_pack_i64(pack, error->sys);
    nci_pack_i64(pack, error->rank);
    nci_pack_string(pack, error->status ? error->message : "");
}

static void unpack_error(nci_unpack *in, ncg_error *out)
{
    out->status = (ncg_status)nci_unpack_i64(in, NCG_OK, NCG_EBUG);
    out->sys = (int)nci_unpack_i64(in, INT32_MIN, INT32_MAX);
    out->rank = (int)nci_unpack_i64(in, -1, INT32_MAX);
    nci_unpack_string(in, out->message, sizeof out->message);
    for (char *c = out->message; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?'; /* it goes to a terminal */
}

void nci_finished_pack(nci_pack *pack, const nci_finished_message *f)
{
    pack_error(pack, &f->error);
    nci_pack_i64(pack, f->tasks);
    nci_pack_i64(pack, f->peak);
    nci_pack_i64(pack, f->spilled);
    nci_pack_i64(pack, f->failed);
    nci_pack_i64(pack, f->fetched);
    nci_pack_i64(pack, f->recomputed);
    nci_pack_i64(pack, f->moved);
    nci_reads_pack(pack, &f->reads);
    nci_pack_i64s(pack, f->fills, f->nfills);
}

ncg_status nci_finished_unpack(nci_unpack *in, nci_finished_message *out,
                               ncg_error *err)
{
    unpack_error(in, &out->error);
    out->tasks = nci_unpack_i64(in, 0, INT64_MAX);
    out->peak = nci_unpack_i64(in, 0, INT64_MAX);
    out->spilled = nci_unpack_i64(in, 0, INT64_MAX);
    out->failed = nci_unpack_i64(in, -1, INT64_MAX);
    out->fetched = nci_unpack_i64(in, 0, INT64_MAX);
    out->recomputed = nci_unpack_i64(in, 0, INT64_MAX);
    out->moved = nci_unpack_i64(in, 0, INT64_MAX);
    unpack_reads(in, &out->reads);
    out->fills = nci_unpack_i64s(in, &out->nfills);
    return ended(in, "the end of a run", err);
}

void nci_finished_message_fini(nci_finished_message *f)
{
    nci_free(f->fills);
    f->fills = NULL;
    f->nfills = 0;
}

void nci_failure_pack(nci_pack *pack, int64_t task, const ncg_error *error)
{
    nci_pack_i64(pack, task);
    pack_error(pack, error);
}

ncg_status nci_failure_unpack(nci_unpack *in, int64_t *task, ncg_error *out,
                              ncg_error *err)
{
    *task = nci_unpack_i64(in, -1, INT64_MAX);
    unpack_error(in, out);
    return ended(in, "an error", err);
}

/* ---- calls --------------------------------------------------------------- */

void nci_call_pack(nci_pack *pack, const char *word, const char *argument)
{
    nci_pack_string(pack, word);
    nci_pack_string(pack, argument);
}

ncg_status nci_call_unpack(nci_unpack *in, char word[NCI_WORD_SIZE],
                           char argument[NCI_WORD_SIZE], ncg_error *err)
{
    nci_unpack_string(in, word, NCI_WORD_SIZE);
    nci_unpack_string(in, argument, NCI_WORD_SIZE);
    return ended(in, "a call", err);
}

void nci_answer_pack(nci_pack *pack, const ncg_error *error, const char *text)
{
    pack_error(pack, error);
    nci_pack_string(pack, text);
}

ncg_status nci_answer_unpack(nci_unpack *in, ncg_error *out, char **text,
                             ncg_error *err)
{
    size_t n = 0;
    unpack_error(in, out);
    const char *bytes = nci_unpack_bytes(in, &n);
    NCI_TRY(ended(in, "an answer", err));
    nci_free(*text);
    *text = nci_strndup(n ? bytes : "", n);
    return *text ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}
