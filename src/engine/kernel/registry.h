/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_REGISTRY_H
#define NCI_ENGINE_KERNEL_REGISTRY_H
/*
 * Kernels, and functions of explicit tasks, by name. Layers know a kernel as "name/version"; here the name
 * becomes a function, the library's own from a fixed list, others as a program
 * registered them. The list of others only grows; finding needs no lock that a
 * kernel could wait for.
 */
#include "base/error.h"

typedef struct nci_kernel {
    const char *name;
    ncg_kernel_fn run;
    ncg_task_fn task; /* instead of `run`: a function of explicit tasks */
    /* bytes beside inputs and output; NULL: none. Data pointers are NULL. */
    int64_t (*scratch)(const ncg_kernel_call *call);
    void *payload;
    /* The library's own only. gathers: at most one input has a box that is not
     * empty, of as many values as the output; it is gathered right into the
     * output, where `run` finds it. threads: cores worth using, of
     * `available`; data pointers are NULL. NULL: one. passes: it gathers, and
     * that is all; a chunk that is the box is passed on as it is. is_even:
     * scratch follows from the counts of the chunks, not from where they are. */
    bool gathers, passes, is_even;
    int (*threads)(const ncg_kernel_call *call, int available);
} nci_kernel;

/* Lists of the library's own kernels, one a file, each ends with name NULL. */
extern const nci_kernel nci_kernels_shape[]; /* block_shape.c */
extern const nci_kernel nci_kernels_scan[];  /* block_scan.c */
extern const nci_kernel nci_kernels_contract[]; /* block_contract.c */
extern const nci_kernel nci_kernels_quantile[]; /* block_quantile.c */
extern const nci_kernel nci_kernels_quantile_long[];
extern const nci_kernel nci_kernels_sort[];   /* block_sort.c */
extern const nci_kernel nci_kernels_rolling[]; /* block_rolling.c */
extern const nci_kernel nci_kernels_coarsen[]; /* block_coarsen.c */

typedef struct nci_kernel_table nci_kernel_table;

ncg_status nci_kernel_table_create(nci_kernel_table **out, ncg_error *err);
void nci_kernel_table_free(nci_kernel_table **table);
/* nci_kernel_table_add copies the entry. EINVAL: a bad name; EEXISTS: the name
 * is taken by another function. */
ncg_status nci_kernel_table_add(nci_kernel_table *table,
                                const nci_kernel *kernel, ncg_error *err);
/* nci_kernel_find looks among the library's own, then in `table` (may be
 * NULL). NULL: not known here. What it returns lives as long as the table. */
const nci_kernel *nci_kernel_find(nci_kernel_table *table, const char *name);
/* nci_kernel_find_task looks for a function of explicit tasks. */
const nci_kernel *nci_kernel_find_task(nci_kernel_table *table,
                                       const char *name);

#endif
