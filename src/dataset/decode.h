/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_DECODE_H
#define NCI_DATASET_DECODE_H
/*
 * From a variable's attributes to the rule that turns raw values into values
 * (CF 2.5.1 missing values, 8.1 packing; NUG default fill values).
 *
 *   missing   equal to _FillValue or to one of missing_value, NaN, outside
 *             valid_range / valid_min / valid_max; all on raw values, after
 *             the attribute was cast to the data's type
 *   default   without a usable _FillValue, NetCDF's own fill value is missing
 *             for types of two bytes and more
 *   value     raw * scale_factor + add_offset, as float where both attributes
 *             are float and float is fine enough, else as double
 */
#include "base/header.h"
#include "base/text.h"
#include "base/tile.h"

/* nci_decode_make reads the rule of `var`; sentences about attributes that
 * were ignored are appended to `notes` (may be NULL).
 * Errors: EUNSUPPORTED (more missing values than can be held), ENOMEM. */
ncg_status nci_decode_make(const nci_var *var, const char *path,
                           bool no_default_fill, nci_decode *out,
                           nci_strings *notes, ncg_error *err);
/* nci_decode_is_numeric tells whether a variable has a rule at all. */
bool nci_decode_is_numeric(const nci_var *var);
/* nci_decode_strip removes the attributes that decoding used up. */
void nci_decode_strip(nci_attrs *attrs);
/* nci_decode_widen makes the output dtype hold both: F64 for F32 with integers
 * above 16 bits. */
ncg_dtype nci_decode_widen(ncg_dtype a, ncg_dtype b);
/* nci_decode_sentinel finds a value of the integer dtype `decode->out` that
 * always means missing; false when nothing does. */
bool nci_decode_sentinel(const nci_decode *decode, void *value);
/* nci_decode_is_missing tells whether a raw value is missing. */
bool nci_decode_is_missing(const nci_decode *decode, const void *raw);
/* nci_decode_array decodes n raw values to `out` of dtype `to` (decode->out or
 * wider); integers get `sentinel` where missing. */
void nci_decode_array(const nci_decode *decode, const void *raw, int64_t n,
                      ncg_dtype to, const void *sentinel, void *out);
/* nci_decode_describe puts the rule into words, interned; NULL for none. */
const char *nci_decode_describe(const nci_decode *decode);

#endif
