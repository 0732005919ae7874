/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linear probing at a load of at most one half. Removal moves later entries of
 * the same run back, so lookups never meet dead slots and a map that breathes
 * keeps its speed.
 */
#include "engine/sched/task_map.h"

#include "base/mem.h"

static bool grow(nci_task_map *map)
{
    nci_task_map wider = {.capacity = map->capacity ? 2 * map->capacity : 64};
    wider.slots = nci_calloc(wider.capacity, sizeof *wider.slots);
    if (!wider.slots)
        return false;
    wider.shift = 64 - __builtin_ctzll(wider.capacity);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].value)
            nci_task_map_put(&wider, map->slots[i].task, map->slots[i].value);
    nci_free(map->slots);
    *map = wider;
    return true;
}

bool nci_task_map_reserve(nci_task_map *map)
{
    return 2 * (map->count + 1) <= map->capacity || grow(map);
}

void nci_task_map_put(nci_task_map *map, int64_t task, void *value)
{
    size_t i = nci_task_map_home(map, task);
    while (map->slots[i].value)
        i = (i + 1) & (map->capacity - 1);
    map->slots[i] = (nci_task_slot){task, value};
    map->count++;
}

void *nci_task_map_remove(nci_task_map *map, int64_t task)
{
    if (!map->count)
        return NULL;
    size_t mask = map->capacity - 1, hole = nci_task_map_home(map, task);
    while (map->slots[hole].value && map->slots[hole].task != task)
        hole = (hole + 1) & mask;
    void *value = map->slots[hole].value;
    if (!value)
        return NULL;
    for (size_t i = (hole + 1) & mask; map->slots[i].value;
         i = (i + 1) & mask) {
        /* An entry may fill the hole if its home is not behind the hole. */
        size_t home = nci_task_map_home(map, map->slots[i].task);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole].value = NULL;
    map->count--;
    return value;
}

void nci_task_map_fini(nci_task_map *map)
{
    nci_free(map->slots);
    *map = (nci_task_map){0};
}
