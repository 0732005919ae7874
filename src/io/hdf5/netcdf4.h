/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_NETCDF4_H
#define NCI_IO_HDF5_NETCDF4_H
/*
 * NetCDF-4's conventions on top of HDF5. First the tree of groups is walked
 * and its data sets collected (tree.c), then variables are given their
 * dimensions and the dimensions their sizes (dims.c).
 */
#include "base/header.h"
#include "io/hdf5/attribute.h"

typedef struct nci_n4_group {
    int parent;       /* -1: this is the root */
    char *path;       /* "" for the root, "/a/b" */
    uint64_t address; /* of its object header */
} nci_n4_group;

typedef struct nci_n4_dim {
    int group;
    int64_t id;       /* as NetCDF-C counts */
    uint64_t address; /* of the scale; NCI_NO_ADDRESS: invented */
    char *name;       /* with the group's path */
    int64_t size;
    bool is_unlimited;
    int index; /* in the header, at the end */
} nci_n4_dim;

typedef enum nci_n4_source {
    NCI_N4_INVENT, /* no scale attached: dimensions by size */
    NCI_N4_OWN,    /* a coordinate variable: its own dimension */
    NCI_N4_IDS,    /* _Netcdf4Coordinates */
    NCI_N4_SCALES  /* DIMENSION_LIST */
} nci_n4_source;

typedef struct nci_n4_var {
    int group;
    nci_n4_source source;
    bool is_hidden;                /* NetCDF-C does not show it */
    int64_t ids[NCG_MAX_RANK];     /* IDS; OWN: ids[0] */
    uint64_t scales[NCG_MAX_RANK]; /* SCALES: addresses */
    bool unlimited[NCG_MAX_RANK];  /* in the data set itself */
    int dims[NCG_MAX_RANK];        /* into the tree's dims, -1: not yet */
} nci_n4_var;

typedef struct nci_n4_tree {
    nci_h5 *h5;
    nci_header *header; /* receives variables and attributes in passing */
    nci_n4_group *groups;
    size_t ngroups, groups_capacity;
    nci_n4_dim *dims;
    size_t ndims, dims_capacity;
    nci_n4_var *vars; /* beside header->vars */
    size_t nvars, vars_capacity;
    int64_t next_id;
} nci_n4_tree;

/* nci_n4_walk collects groups, dimensions of scales, variables with storage
 * and attributes. nci_n4_tree_fini releases what the tree owns. */
ncg_status nci_n4_walk(nci_n4_tree *tree, ncg_error *err);
void nci_n4_tree_fini(nci_n4_tree *tree);
/* nci_n4_add_dim appends a dimension; `name` is without the group. */
ncg_status nci_n4_add_dim(nci_n4_tree *tree, int group, const char *name,
                          int64_t id, uint64_t address, int64_t size,
                          bool is_unlimited, ncg_error *err);
/* nci_n4_read_scales reads DIMENSION_LIST: var->scales, and whether the first
 * axis has a scale at all. */
ncg_status nci_n4_read_scales(nci_h5 *h5, const nci_h5_attribute *list,
                              int rank, const char *name, nci_n4_var *var,
                              ncg_error *err);
/* nci_n4_resolve gives each variable its dimensions and fills the header's. */
ncg_status nci_n4_resolve(nci_n4_tree *tree, ncg_error *err);

#endif
