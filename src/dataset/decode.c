/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the attributes of missing values and packing. An attribute that
 * cannot mean anything for the data's type (text, NaN for integers, a value out
 * of range) is ignored with a note; one that is merely of another type is cast
 * first, so that float -1.8 equals the double -1.8 of a bound.
 */
#include "dataset/decode.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/dtype.h"
#include "base/mem.h"

typedef struct reader {
    const nci_var *var;
    const char *path;
    nci_strings *notes;
    bool failed; /* memory is out */
    nci_decode *out;
} reader;

/* One value of an attribute after the cast to the raw dtype. */
typedef struct number {
    double x;
    int64_t i;
} number;

bool nci_decode_is_numeric(const nci_var *var)
{
    return (var->klass == NCI_VAR_PLAIN || var->klass == NCI_VAR_ENUM) &&
           nci_dtype_is_numeric(var->dtype);
}

static void note(reader *r, const char *attr, const char *why)
{
    nci_text text = {0};
    if (!r->notes)
        return;
    nci_text_add(&text, "%s: %s: %s %s", r->path, r->var->name, attr, why);
    char *line = nci_text_take(&text);
    if (!line || !nci_strings_add(r->notes, line))
        r->failed = true;
    nci_free(line);
}

static ncg_dtype signed_dtype(ncg_dtype dtype)
{
    switch (dtype) {
    case NCG_DTYPE_U8:
        return NCG_DTYPE_I8;
    case NCG_DTYPE_U16:
        return NCG_DTYPE_I16;
    case NCG_DTYPE_U32:
        return NCG_DTYPE_I32;
    case NCG_DTYPE_U64:
        return NCG_DTYPE_I64;
    default:
        return dtype;
    }
}

static ncg_dtype raw_dtype(const nci_var *var)
{
    const char *text = nci_attrs_text(&var->attrs, "_Unsigned");
    if (!text || !nci_dtype_is_integer(var->dtype) ||
        var->dtype == NCG_DTYPE_BOOL)
        return var->dtype;
    if (!strcasecmp(text, "true"))
        return nci_dtype_unsigned(var->dtype);
    return strcasecmp(text, "false") ? var->dtype : signed_dtype(var->dtype);
}

/* Finds an attribute of numbers; others are noted and not found. */
static const nci_attr *find_numbers(reader *r, const char *name)
{
    const nci_attr *attr = nci_attrs_find(&r->var->attrs, name);
    if (!attr || attr->count == 0)
        return NULL;
    if (attr->is_unsupported || !nci_dtype_is_numeric(attr->dtype)) {
        note(r, name, "is not a number; ignored");
        return NULL;
    }
    return attr;
}

/* The dtype in which an attribute's bits count: with _Unsigned, attributes
 * stored in the variable's type are reinterpreted as its values are. */
static ncg_dtype attr_dtype(const reader *r, const nci_attr *attr)
{
    return attr->dtype == r->var->dtype ? r->out->raw : attr->dtype;
}

/* Largest and smallest values of an integer dtype as doubles; the bounds of
 * 64-bit types are powers of two, one more than the largest value. */
static void integer_range(ncg_dtype dtype, double *low, double *high)
{
    int bits = (int)ncg_dtype_size(dtype) * 8;
    bool is_signed = nci_dtype_is_signed(dtype);
    *low = is_signed ? -ldexp(1, bits - 1) : 0;
    *high = ldexp(1, is_signed ? bits - 1 : bits) - (bits < 64);
}

/* Reads attr[i] exactly where it is an integer. False: NaN for an integer
 * dtype. Values outside the range are clamped: *is_inside tells. */
static bool read_number(const reader *r, const nci_attr *attr, int64_t i,
                        number *out, bool *is_inside)
{
    ncg_dtype from = attr_dtype(r, attr), raw = r->out->raw;
    const char *at =
        (const char *)attr->values + (size_t)i * ncg_dtype_size(attr->dtype);
    *is_inside = true;
    out->x = nci_dtype_get(from, at);
    out->i = 0;
    if (raw == NCG_DTYPE_F32)
        out->x = (float)out->x;
    if (nci_dtype_is_float(raw))
        return true;
    if (isnan(out->x))
        return false;
    double low, high;
    integer_range(raw, &low, &high);
    bool is_top = ncg_dtype_size(raw) == 8 && from != raw;
    *is_inside = out->x >= low && (is_top ? out->x < high : out->x <= high) &&
                 out->x == rint(out->x);
    if (nci_dtype_is_integer(from))
        out->i = nci_dtype_get_i64(from, at);
    else if (*is_inside)
        out->i =
            raw == NCG_DTYPE_U64 ? (int64_t)(uint64_t)out->x : (int64_t)out->x;
    return true;
}

static bool is_listed(const nci_decode *out, const number *n)
{
    bool is_wide = nci_dtype_is_wide(out->raw);
    for (int i = 0; i < out->nmissing; i++)
        if (is_wide ? out->missing_i64[i] == n->i : out->missing[i] == n->x)
            return true;
    return false;
}

static ncg_status add_missing(reader *r, const number *n, ncg_error *err)
{
    nci_decode *out = r->out;
    if (is_listed(out, n))
        return NCG_OK;
    if (out->nmissing == NCI_MAX_MISSING)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: %s: more than %d different missing values",
                        r->path, r->var->name, NCI_MAX_MISSING);
    out->missing[out->nmissing] = n->x;
    out->missing_i64[out->nmissing] = n->i;
    out->nmissing++;
    return NCG_OK;
}

static ncg_status read_missing(reader *r, const char *name, bool *found,
                               ncg_error *err)
{
    const nci_attr *attr = find_numbers(r, name);
    for (int64_t i = 0; attr && i < attr->count; i++) {
        number n;
        bool is_inside;
        if (!read_number(r, attr, i, &n, &is_inside)) {
            note(r, name, "is NaN, which no integer is; ignored");
            continue;
        }
        if (!is_inside) {
            note(r, name, "is no value of the data's type; ignored");
            continue;
        }
        *found = true;
        if (!isnan(n.x)) /* NaN is missing anyway */
            NCI_TRY(add_missing(r, &n, err));
    }
    return NCG_OK;
}

/* The attribute of an enum has the enum's type, which no attribute of ours
 * has; the storage knows the same value. */
static bool has_enum_fill(const nci_var *var)
{
    const nci_attr *attr = nci_attrs_find(&var->attrs, "_FillValue");
    return var->klass == NCI_VAR_ENUM && attr && attr->is_unsupported &&
           var->storage.has_fill;
}

static ncg_status read_enum_fill(reader *r, bool *found, ncg_error *err)
{
    const uint8_t *fill = r->var->storage.fill;
    number n = {nci_dtype_get(r->out->raw, fill), 0};
    if (nci_dtype_is_integer(r->out->raw))
        n.i = nci_dtype_get_i64(r->out->raw, fill);
    *found = true;
    return add_missing(r, &n, err);
}

static void add_default_fill(reader *r)
{
    nci_decode *out = r->out;
    ncg_dtype stored = r->var->dtype;
    if (ncg_dtype_size(stored) < 2)
        return;
    number n = {nci_dtype_default_fill(stored), 0};
    if (stored == NCG_DTYPE_I64) /* not representable as double */
        n.i = INT64_C(-9223372036854775806);
    else if (stored == NCG_DTYPE_U64)
        n.i = (int64_t)UINT64_C(18446744073709551614);
    else if (nci_dtype_is_integer(stored))
        n.i = (int64_t)n.x;
    if (out->raw != stored) { /* reinterpreted by _Unsigned */
        uint8_t value[8] = {0};
        memcpy(value, &n.i, sizeof n.i);
        if (!nci_dtype_is_wide(stored))
            nci_dtype_put_i64(stored, value, n.i);
        n.i = nci_dtype_get_i64(out->raw, value);
        n.x = nci_dtype_get(out->raw, value);
    }
    if (is_listed(out, &n)) /* stated, as what is missing otherwise */
        return;
    memmove(out->missing + 1, out->missing,
            (NCI_MAX_MISSING - 1) * sizeof out->missing[0]);
    memmove(out->missing_i64 + 1, out->missing_i64,
            (NCI_MAX_MISSING - 1) * sizeof out->missing_i64[0]);
    out->missing[0] = n.x;
    out->missing_i64[0] = n.i;
    out->nmissing++;
    out->has_default_fill = true;
}

/* One bound. Fractions are rounded inwards; a bound beyond the type's range
 * binds nothing. Doubles as large as 64-bit values are taken as they are. */
static void set_bound(reader *r, const nci_attr *attr, int64_t i, bool is_min)
{
    nci_decode *out = r->out;
    number n;
    bool is_inside;
    if (!read_number(r, attr, i, &n, &is_inside) || isnan(n.x)) {
        note(r, attr->name, "is NaN; ignored");
        return;
    }
    if (!nci_dtype_is_float(out->raw) && !is_inside) {
        double low, high;
        integer_range(out->raw, &low, &high);
        if (is_min ? n.x <= low : n.x >= high)
            return;
        n.x = is_min ? ceil(n.x) : floor(n.x);
        if (fabs(n.x) < 9.2e18)
            n.i = (int64_t)n.x;
        else if (out->raw == NCG_DTYPE_U64 && n.x > 0 && n.x < high)
            n.i = (int64_t)(uint64_t)n.x;
        else
            n.i = n.x < 0 ? INT64_MIN : INT64_MAX;
        if (out->raw == NCG_DTYPE_U64 && n.x < 0)
            n.i = 0;
    }
    if (is_min) {
        out->has_min = true;
        out->min = n.x;
        out->min_i64 = n.i;
    } else {
        out->has_max = true;
        out->max = n.x;
        out->max_i64 = n.i;
    }
}

static void note_unpacked_bound(reader *r, const nci_attr *attr)
{
    if (r->out->has_scale && nci_dtype_is_integer(r->var->dtype) &&
        nci_dtype_is_float(attr->dtype))
        note(r, attr->name,
             "is not of the packed type; compared with packed values");
}

static void read_range(reader *r)
{
    static const char *const names[] = {"valid_min", "valid_max"};
    const nci_attr *range = find_numbers(r, "valid_range");
    if (range && range->count == 2) {
        note_unpacked_bound(r, range);
        set_bound(r, range, 0, true);
        set_bound(r, range, 1, false);
        return;
    }
    if (range)
        note(r, "valid_range", "has not two values; ignored");
    for (int i = 0; i < 2; i++) {
        const nci_attr *attr = find_numbers(r, names[i]);
        if (!attr)
            continue;
        note_unpacked_bound(r, attr);
        set_bound(r, attr, 0, i == 0);
    }
}

static ncg_dtype read_factor(reader *r, const char *name, double *value)
{
    const nci_attr *attr = find_numbers(r, name);
    if (!attr)
        return NCG_DTYPE_NONE;
    double x = nci_dtype_get(attr->dtype, attr->values);
    if (!isfinite(x)) {
        note(r, name, "is not finite; ignored");
        return NCG_DTYPE_NONE;
    }
    *value = x;
    return attr->dtype == NCG_DTYPE_F32 ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
}

/* Whether rounding to float hides steps of the packed values. */
static bool is_float_too_coarse(const nci_decode *out)
{
    double low, high;
    if (nci_dtype_is_float(out->raw) || ncg_dtype_size(out->raw) > 2)
        return out->raw != NCG_DTYPE_F32;
    integer_range(out->raw, &low, &high);
    double most = fmax(fabs(low * out->scale + out->offset),
                       fabs(high * out->scale + out->offset));
    return most * 0x1p-24 > 0.5 * fabs(out->scale);
}

static void read_packing(reader *r)
{
    nci_decode *out = r->out;
    out->scale = 1;
    out->offset = 0;
    out->out = out->raw;
    ncg_dtype scale = read_factor(r, "scale_factor", &out->scale);
    ncg_dtype offset = read_factor(r, "add_offset", &out->offset);
    out->has_scale = out->scale != 1 || out->offset != 0;
    if (!out->has_scale)
        return;
    bool is_double = scale == NCG_DTYPE_F64 || offset == NCG_DTYPE_F64 ||
                     is_float_too_coarse(out);
    out->out = is_double ? NCG_DTYPE_F64 : NCG_DTYPE_F32;
}

ncg_status nci_decode_make(const nci_var *var, const char *path,
                           bool no_default_fill, nci_decode *out,
                           nci_strings *notes, ncg_error *err)
{
    nci_decode decode;
    memset(&decode, 0, sizeof decode);
    reader r = {var, path, notes, false, &decode};
    bool has_fill = false, has_missing = false;
    decode.raw = raw_dtype(var);
    read_packing(&r);
    if (has_enum_fill(var))
        NCI_TRY(read_enum_fill(&r, &has_fill, err));
    else
        NCI_TRY(read_missing(&r, "_FillValue", &has_fill, err));
    NCI_TRY(read_missing(&r, "missing_value", &has_missing, err));
    if (!has_fill && !no_default_fill && decode.nmissing < NCI_MAX_MISSING)
        add_default_fill(&r);
    read_range(&r);
    if (r.failed)
        return nci_fail(err, NCG_ENOMEM, "%s: %s: reading attributes", path,
                        var->name);
    *out = decode;
    return NCG_OK;
}

void nci_decode_strip(nci_attrs *attrs)
{
    static const char *const used[] = {
        "scale_factor", "add_offset", "_FillValue", "missing_value",
        "valid_range",  "valid_min",  "valid_max",  "_Unsigned"};
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
        nci_attrs_remove(attrs, used[i]);
}
