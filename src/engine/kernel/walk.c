/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/kernel/walk.h"

static bool is_affine(const int64_t *table, int64_t count)
{
    int64_t stride = table[1] - table[0];
    for (int64_t i = 2; i < count; i++)
        if (table[i] - table[i - 1] != stride)
            return false;
    return true;
}

static void add_axis(nci_walk *walk, nci_walk_axis axis)
{
    int64_t count = axis.count;
    nci_walk_axis *last = walk->rank ? &walk->axis[walk->rank - 1] : NULL;
    if (last && !last->table && !axis.table &&
        last->stride == axis.stride * count) {
        last->count *= count;
        last->stride = axis.stride;
        return;
    }
    walk->axis[walk->rank++] = axis;
}

static void add_table(nci_walk *walk, int64_t count, const int64_t *table,
                      bool is_even)
{
    nci_walk_axis axis = {.count = count, .table = table};
    if (is_even || is_affine(table, count)) {
        axis.table = NULL;
        axis.stride = table[1] - table[0];
        walk->base += table[0];
    }
    add_axis(walk, axis);
}

static int64_t axis_offset(const nci_walk_axis *axis, int64_t at)
{
    return axis->table ? axis->table[at] : at * axis->stride;
}

static void set_outer(nci_walk *walk)
{
    walk->outer = walk->base;
    for (int d = 0; d < walk->rank - 1; d++)
        walk->outer += axis_offset(&walk->axis[d], walk->at[d]);
}

void nci_walk_init(nci_walk *walk, int rank, const int64_t *count,
                   const int64_t *const *table)
{
    nci_walk_init_even(walk, rank, count, table, 0);
}

void nci_walk_init_even(nci_walk *walk, int rank, const int64_t *count,
                        const int64_t *const *table, uint32_t even)
{
    *walk = (nci_walk){0};
    for (int d = 0; d < rank; d++) {
        if (count[d] == 1)
            walk->base += table[d][0];
        else
            add_table(walk, count[d], table[d], even >> d & 1);
    }
    if (!walk->rank)
        walk->axis[walk->rank++] = (nci_walk_axis){.count = 1};
    set_outer(walk);
}

void nci_walk_init_strides(nci_walk *walk, int rank, const int64_t *count,
                           const int64_t *stride)
{
    *walk = (nci_walk){0};
    for (int d = 0; d < rank; d++)
        if (count[d] != 1)
            add_axis(walk, (nci_walk_axis){count[d], stride[d], NULL});
    if (!walk->rank)
        walk->axis[walk->rank++] = (nci_walk_axis){.count = 1};
    set_outer(walk);
}

static void carry(nci_walk *walk)
{
    int d = walk->rank - 1;
    walk->at[d] = 0;
    while (--d >= 0 && ++walk->at[d] == walk->axis[d].count)
        walk->at[d] = 0;
    set_outer(walk);
}

nci_run nci_walk_next(nci_walk *walk, int64_t max)
{
    int inner = walk->rank - 1;
    const nci_walk_axis *axis = &walk->axis[inner];
    int64_t at = walk->at[inner], left = axis->count - at;
    nci_run run = {.count = left < max ? left : max,
                   .offset = walk->outer,
                   .stride = axis->stride};
    if (axis->table)
        run.table = axis->table + at;
    else
        run.offset += at * axis->stride;
    walk->at[inner] += run.count;
    if (walk->at[inner] == axis->count)
        carry(walk);
    return run;
}
