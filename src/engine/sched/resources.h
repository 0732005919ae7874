/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_RESOURCES_H
#define NCI_ENGINE_SCHED_RESOURCES_H
/*
 * What a worker has some of beside threads and memory, and a call takes while
 * it runs: names and amounts ("GPU=2 TAPE=0.5") that mean nothing to the
 * cluster. Amounts are counted in millionths, so that what is given back is
 * what was taken.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    NCI_RESOURCES_MOST = 8,
    NCI_RESOURCE_NAME = 24,
    NCI_RESOURCES_TEXT = 256
};

typedef struct nci_resource {
    char name[NCI_RESOURCE_NAME];
    int64_t amount; /* millionths */
} nci_resource;

typedef struct nci_resources {
    nci_resource items[NCI_RESOURCES_MOST];
    int count;
} nci_resources;

/* nci_resources_read: words NAME=AMOUNT, parted by blanks or commas; NULL, "":
 * none. EINVAL: anything else, an amount that is not positive, a name twice. */
ncg_status nci_resources_read(const char *text, nci_resources *out,
                              ncg_error *err);
/* nci_resources_have tells whether there is as much as is needed. */
bool nci_resources_have(const nci_resources *has, const nci_resources *needs);
/* nci_resources_add: to += sign * more, of names that are in `to`. */
void nci_resources_add(nci_resources *to, const nci_resources *more, int sign);
bool nci_resources_equal(const nci_resources *a, const nci_resources *b);

#endif
