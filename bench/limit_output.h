/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LIMIT_OUTPUT_H
#define LIMIT_OUTPUT_H
/*
 * The least work of writing an operation's result, for limit.c. An output that
 * a program has written gives shape, chunks, filters, level and values:
 *
 *     output_prepare   reads the values; tries which byte planes of each chunk
 *                      deflate can shorten at all (not timed)
 *     output_write     cuts chunks, shuffles, deflates those planes and copies
 *                      the others, takes the checksum, writes, synchronises,
 *                      renames (timed)
 *
 * What it writes holds these bytes one behind the other and is no NetCDF file.
 */
#include <stddef.h>

/* output_prepare loads variable `name` of the HDF5 file `like`; ends the
 * program where it cannot. */
void output_prepare(const char *like, const char *name);
/* output_write returns the bytes written. */
size_t output_write(const char *path);

#endif
