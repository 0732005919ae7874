/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of any dtype as text and JSON. Jansson is seen by this file only.
 */
#include "cli/value.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ncg_status nci_values_compute(ncg_array *array, nci_values *out, ncg_error *err)
{
    memset(out, 0, sizeof *out);
    out->dtype = ncg_array_dtype(array);
    out->rank = ncg_array_rank(array);
    for (int i = 0; i < out->rank; i++)
        out->shape[i] = ncg_array_shape(array)[i];
    out->size = ncg_array_size(array);
    out->has_missing = ncg_array_missing(array, out->missing);
    size_t each = ncg_dtype_size(out->dtype);
    out->data = nci_xalloc((size_t)out->size, each);
    return ncg_array_compute(array, out->data, (size_t)out->size * each, err);
}

void nci_values_fini(nci_values *values)
{
    free(values->data);
    values->data = NULL;
}

#define AT(type) (((const type *)v->data)[i])

bool nci_value_is_missing(const nci_values *v, int64_t i)
{
    if (v->dtype == NCG_DTYPE_F32)
        return isnan(AT(float));
    if (v->dtype == NCG_DTYPE_F64)
        return isnan(AT(double));
    if (v->dtype == NCG_DTYPE_STRING)
        return !AT(char *);
    size_t each = ncg_dtype_size(v->dtype);
    return v->has_missing &&
           !memcmp((const char *)v->data + (size_t)i * each, v->missing, each);
}

/* The fewest digits that read back as the same float or double. */
static char *shortest(double value, bool single)
{
    char text[40];
    int digits = single ? 6 : 15, most = single ? 9 : 17;
    for (; digits <= most; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value
                   : strtod(text, NULL) == value)
            break;
    }
    return nci_xstrdup(text);
}

char *nci_value_text(const nci_values *v, int64_t i)
{
    switch (v->dtype) {
    case NCG_DTYPE_I8:
        return nci_xformat("%d", AT(int8_t));
    case NCG_DTYPE_U8:
    case NCG_DTYPE_BOOL:
        return nci_xformat("%d", AT(uint8_t));
    case NCG_DTYPE_I16:
        return nci_xformat("%d", AT(int16_t));
    case NCG_DTYPE_U16:
        return nci_xformat("%d", AT(uint16_t));
    case NCG_DTYPE_I32:
        return nci_xformat("%d", AT(int32_t));
    case NCG_DTYPE_U32:
        return nci_xformat("%u", AT(uint32_t));
    case NCG_DTYPE_I64:
        return nci_xformat("%lld", (long long)AT(int64_t));
    case NCG_DTYPE_U64:
        return nci_xformat("%llu", (unsigned long long)AT(uint64_t));
    case NCG_DTYPE_F32:
        return shortest((double)AT(float), true);
    case NCG_DTYPE_F64:
        return shortest(AT(double), false);
    case NCG_DTYPE_CHAR:
        return nci_xformat("%c", AT(char) ? AT(char) : ' ');
    case NCG_DTYPE_STRING:
        return nci_xstrdup(AT(char *) ? AT(char *) : "");
    case NCG_DTYPE_NONE:
        break;
    }
    return nci_xstrdup("?");
}

void nci_json_text(const char *text, FILE *to)
{
    json_t *string = json_string(text);
    if (!string || json_dumpf(string, to, JSON_ENCODE_ANY))
        fputs("null", to);
    json_decref(string);
}

void nci_value_json(const nci_values *v, int64_t i, FILE *to)
{
    bool words = v->dtype == NCG_DTYPE_CHAR || v->dtype == NCG_DTYPE_STRING;
    bool endless = (v->dtype == NCG_DTYPE_F32 && isinf(AT(float))) ||
                   (v->dtype == NCG_DTYPE_F64 && isinf(AT(double)));
    if (nci_value_is_missing(v, i) || endless) {
        fputs("null", to);
        return;
    }
    char *text = nci_value_text(v, i);
    if (words)
        nci_json_text(text, to);
    else
        fputs(text, to);
    free(text);
}

static json_t *pack_stats(const ncg_stats *s, double elapsed)
{
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, "
        "s:I, "
        "s:I, s:I, s:I, s:I, s:I, s:I}",
        "version", ncg_version(), "files", (json_int_t)s->files,
        "headers_direct", (json_int_t)s->headers_direct, "headers_library",
        (json_int_t)s->headers_library, "chunks_direct",
        (json_int_t)s->chunks_direct, "chunks_library",
        (json_int_t)s->chunks_library, "bytes_disk", (json_int_t)s->bytes_disk,
        "bytes_decoded", (json_int_t)s->bytes_decoded, "bytes_written",
        (json_int_t)s->bytes_written, "tasks", (json_int_t)s->tasks,
        "peak_memory", (json_int_t)s->peak_memory, "seconds", s->seconds,
        "elapsed", elapsed, "bytes_kept", (json_int_t)s->bytes_kept,
        "bytes_spilled", (json_int_t)s->bytes_spilled, "bytes_fetched",
        (json_int_t)s->bytes_fetched, "bytes_moved", (json_int_t)s->bytes_moved,
        "tasks_recomputed", (json_int_t)s->tasks_recomputed,
        "headers_by_workers", (json_int_t)s->headers_by_workers,
        "default_fills", (json_int_t)s->default_fills);
}

ncg_status nci_json_stats(const char *path, const ncg_stats *stats,
                          double elapsed, ncg_error *err)
{
    bool print = !strcmp(path, "-");
    FILE *to = print ? stdout : fopen(path, "w");
    if (!to)
        return nci_refuse(err, NCG_EOUTPUT, "%s: cannot write counters: %s",
                          path, strerror(errno));
    json_t *object = pack_stats(stats, elapsed);
    int bad = !object ||
              json_dumpf(object, to, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ||
              fputc('\n', to) == EOF || fflush(to);
    int why = errno;
    struct stat info;
    bool is_file = !fstat(fileno(to), &info) && S_ISREG(info.st_mode);
    json_decref(object);
    if (!print && fclose(to) && !bad) {
        bad = 1;
        why = errno;
    }
    if (bad && is_file && !print)
        unlink(path); /* half of them say nothing */
    if (bad)
        return nci_refuse(err, NCG_EOUTPUT, "%s: cannot write counters: %s",
                          path, strerror(why));
    return NCG_OK;
}
