/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Applying the rule of decode.h to small arrays (coordinates), finding the
 * value that marks what is missing, and saying the rule in words.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/decode.h"

ncg_dtype nci_decode_widen(ncg_dtype a, ncg_dtype b)
{
    if (a == b)
        return a;
    bool is_a = a == NCG_DTYPE_F32 ||
                (nci_dtype_is_integer(a) && ncg_dtype_size(a) <= 2);
    bool is_b = b == NCG_DTYPE_F32 ||
                (nci_dtype_is_integer(b) && ncg_dtype_size(b) <= 2);
    return is_a && is_b ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
}

bool nci_decode_is_missing(const nci_decode *decode, const void *raw)
{
    return isnan(nci_decode_value(decode, raw));
}

/* The smallest or largest value of an integer dtype. */
static void put_extreme(ncg_dtype dtype, bool is_low, void *out)
{
    memset(out, 0, 8);
    if (dtype == NCG_DTYPE_U64)
        nci_dtype_put(dtype, out, is_low ? 0 : INFINITY);
    else
        nci_dtype_put_i64(dtype, out, is_low ? INT64_MIN : INT64_MAX);
}

bool nci_decode_sentinel(const nci_decode *decode, void *value)
{
    memset(value, 0, 8);
    if (decode->nmissing) {
        bool is_wide = nci_dtype_is_wide(decode->raw);
        if (is_wide)
            memcpy(value, &decode->missing_i64[0], 8);
        else
            nci_dtype_put(decode->raw, value, decode->missing[0]);
        return true;
    }
    for (int i = 0; i < 2; i++) {
        put_extreme(decode->raw, i == 0, value);
        if (nci_decode_is_missing(decode, value))
            return true;
    }
    return false;
}

void nci_decode_array(const nci_decode *decode, const void *raw, int64_t n,
                      ncg_dtype to, const void *sentinel, void *out)
{
    size_t from_size = ncg_dtype_size(decode->raw);
    size_t to_size = ncg_dtype_size(to);
    const char *from = raw;
    char *at = out;
    bool is_float = nci_dtype_is_float(to);
    for (int64_t i = 0; i < n; i++, from += from_size, at += to_size) {
        double x = nci_decode_value(decode, from);
        if (is_float)
            nci_dtype_put(to, at, x);
        else if (isnan(x) && sentinel)
            memcpy(at, sentinel, to_size);
        else if (to == decode->raw)
            memcpy(at, from, to_size);
        else
            nci_dtype_put(to, at, x);
    }
}

static void add_number(nci_text *text, ncg_dtype raw, double x, int64_t i)
{
    if (raw == NCG_DTYPE_U64)
        nci_text_add(text, "%llu", (unsigned long long)i);
    else if (nci_dtype_is_wide(raw))
        nci_text_add(text, "%lld", (long long)i);
    else if (nci_dtype_is_integer(raw))
        nci_text_add(text, "%.0f", x);
    else
        nci_text_add(text, raw == NCG_DTYPE_F32 ? "%.7g" : "%.15g", x);
}

static void add_values(nci_text *text, const nci_decode *decode)
{
    for (int i = 0; i < decode->nmissing; i++) {
        nci_text_add(text, "%s", text->length ? ", " : "");
        add_number(text, decode->raw, decode->missing[i],
                   decode->missing_i64[i]);
        if (i == 0 && decode->has_default_fill)
            nci_text_add(text, " (NetCDF's default)");
    }
}

const char *nci_decode_describe(const nci_decode *decode)
{
    nci_text text = {0};
    add_values(&text, decode);
    if (nci_dtype_is_float(decode->raw))
        nci_text_add(&text, "%sNaN", text.length ? ", " : "");
    if (decode->has_min) {
        nci_text_add(&text, "%sbelow ", text.length ? ", " : "");
        add_number(&text, decode->raw, decode->min, decode->min_i64);
    }
    if (decode->has_max) {
        nci_text_add(&text, "%sabove ", text.length ? ", " : "");
        add_number(&text, decode->raw, decode->max, decode->max_i64);
    }
    char *line = nci_text_take(&text);
    const char *rule = line && *line ? nci_intern(line) : NULL;
    nci_free(line);
    return rule;
}
