/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_DTYPE_H
#define NCI_BASE_DTYPE_H
/* What the engine knows about dtypes. */
#include "ncgraph.h"

bool nci_dtype_is_float(ncg_dtype dtype);
/* nci_dtype_is_integer is true for I8..U64 and BOOL. */
bool nci_dtype_is_integer(ncg_dtype dtype);
bool nci_dtype_is_signed(ncg_dtype dtype);
/* nci_dtype_is_numeric is true for what can be reduced: floats and integers. */
bool nci_dtype_is_numeric(ncg_dtype dtype);
/* nci_dtype_is_wide is true for I64 and U64, which double cannot hold. */
bool nci_dtype_is_wide(ncg_dtype dtype);
/* nci_dtype_unsigned returns the unsigned dtype of the same size. */
ncg_dtype nci_dtype_unsigned(ncg_dtype dtype);
/* nci_dtype_default_fill returns NetCDF's default fill value as double. */
double nci_dtype_default_fill(ncg_dtype dtype);
/* nci_dtype_get reads one value of `dtype` (host order) as double. */
double nci_dtype_get(ncg_dtype dtype, const void *value);
/* nci_dtype_get_i64 reads an integer value; U64 is wrapped to int64. */
int64_t nci_dtype_get_i64(ncg_dtype dtype, const void *value);
/* nci_dtype_put stores a double as `dtype`: rounded to nearest, integers
 * clamped to their range, NaN becomes 0. */
void nci_dtype_put(ncg_dtype dtype, void *value, double x);
/* nci_dtype_put_i64 stores an integer as `dtype`, clamped. */
void nci_dtype_put_i64(ncg_dtype dtype, void *value, int64_t x);

#endif
