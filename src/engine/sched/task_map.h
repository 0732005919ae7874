/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SCHED_TASK_MAP_H
#define NCI_ENGINE_SCHED_TASK_MAP_H
/*
 * A map from task numbers to pointers for the frontier of a run: open
 * addressing, linear probing, removal without tombstones. Holds what is alive,
 * never the whole plan. Zero-initialise. One owner at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nci_task_slot {
    int64_t task;
    void *value; /* NULL: the slot is empty */
} nci_task_slot;

typedef struct nci_task_map {
    nci_task_slot *slots;
    size_t capacity; /* power of two, or 0 */
    size_t count;
    int shift; /* 64 - log2(capacity) */
} nci_task_map;

/* nci_task_map_reserve makes room for one more entry; false when memory is
 * out. A put after it cannot fail. */
bool nci_task_map_reserve(nci_task_map *map);
/* nci_task_map_put stores a value (not NULL) under a task that has none. */
void nci_task_map_put(nci_task_map *map, int64_t task, void *value);
/* nci_task_map_remove returns the value taken out, NULL where there is none. */
void *nci_task_map_remove(nci_task_map *map, int64_t task);
void nci_task_map_fini(nci_task_map *map);

/* Neighbouring tasks go far apart: the multiplier is 2^64 / golden ratio. */
static inline size_t nci_task_map_home(const nci_task_map *map, int64_t task)
{
    return (size_t)(((uint64_t)task * UINT64_C(0x9E3779B97F4A7C15)) >>
                    map->shift);
}

/* nci_task_map_get returns NULL where the task is not there. */
static inline void *nci_task_map_get(const nci_task_map *map, int64_t task)
{
    if (!map->count)
        return NULL;
    size_t i = nci_task_map_home(map, task);
    while (map->slots[i].value && map->slots[i].task != task)
        i = (i + 1) & (map->capacity - 1);
    return map->slots[i].value;
}

#endif
