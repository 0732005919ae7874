/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_REFS_H
#define NCI_DATASET_REFS_H
/*
 * Which variables of a file describe which others: CF's attributes that name
 * variables (bounds, coordinates, grid_mapping, ...; UGRID's mesh). A word in
 * a variable of a group is looked for in that group, then in its parents.
 */
#include "base/header.h"
#include "dataset/model.h"

/* nci_refs_kinds fills kinds[header->nvars]. */
ncg_status nci_refs_kinds(const nci_header *header, nci_var_kind *kinds,
                          ncg_error *err);
/* nci_refs_close sets wanted[] for everything that the wanted variables refer
 * to, directly or through others: coordinates of their dimensions, bounds,
 * grid mappings, ... */
ncg_status nci_refs_close(const nci_header *header, bool *wanted,
                          ncg_error *err);
/* nci_refs_find looks up `word` as the variable named `from` would: `find`
 * answers for one full name with an index, or -1. */
int nci_refs_find(const char *from, const char *word,
                  int (*find)(const void *where, const char *name),
                  const void *where);

/* nci_refs_rewrite puts other names into the attributes that name variables:
 * `map` gives the new one of a word, NULL: it stays. False: memory is out. */
bool nci_refs_rewrite(nci_attrs *attrs,
                      const char *(*map)(void *payload, const char *word),
                      void *payload);
/* nci_refs_rewrite_one does so in one attribute, which is a list of words. */
bool nci_refs_rewrite_one(nci_attrs *attrs, const char *name,
                          const char *(*map)(void *payload, const char *word),
                          void *payload);

#endif
