/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_NCID_CACHE_H
#define NCI_IO_NCID_CACHE_H
/*
 * Files that are open in NetCDF-C, a few at a time, the least recently used
 * closed first. Every function wants the library's mutex held.
 */
#include "io/file.h"

ncg_status nci_ncid_cache_create(nci_ncid_cache **out, ncg_error *err);
/* nci_ncid_cache_free closes what is open. */
void nci_ncid_cache_free(nci_ncid_cache **cache);
/* nci_ncid_get returns the id of an open file, opening it if needed. The id
 * holds until the mutex is given up. */
ncg_status nci_ncid_get(nci_ncid_cache *cache, const char *path, int *ncid,
                        ncg_error *err);
/* nci_ncid_drop closes a file if it is open. */
void nci_ncid_drop(nci_ncid_cache *cache, const char *path);

#endif
