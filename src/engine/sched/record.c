/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of tasks and the heap that hands out the lowest order number. */
#include "base/mem.h"
#include "engine/sched/sched_internal.h"

bool nci_heap_reserve(nci_heap *heap, size_t count)
{
    return nci_grow(&heap->items, &heap->capacity, count, sizeof *heap->items);
}

void nci_heap_push(nci_heap *heap, nci_record *record)
{
    nci_record **items = heap->items;
    size_t i = heap->count++;
    while (i > 0 && items[(i - 1) / 2]->order > record->order) {
        items[i] = items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    items[i] = record;
}

nci_record *nci_heap_pop(nci_heap *heap)
{
    nci_record **items = heap->items;
    nci_record *top = items[0], *last = items[--heap->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            items[child + 1]->order < items[child]->order)
            child++;
        if (items[child]->order > last->order)
            break;
        items[i] = items[child];
        i = child;
    }
    items[i] = last;
    return top;
}

bool nci_heap_remove(nci_heap *heap, const nci_record *record)
{
    size_t i = 0;
    while (i < heap->count && heap->items[i] != record)
        i++;
    if (i == heap->count)
        return false;
    /* What lay above it goes down over it, then out of the top. */
    nci_record **items = heap->items, *r = items[i];
    for (; i > 0; i = (i - 1) / 2)
        items[i] = items[(i - 1) / 2];
    items[0] = r;
    nci_heap_pop(heap);
    return true;
}

void nci_heap_fini(nci_heap *heap)
{
    nci_free(heap->items);
    *heap = (nci_heap){0};
}

static bool add_block(nci_records *records)
{
    nci_record_block *block = nci_alloc(sizeof *block);
    if (!block)
        return false;
    block->next = records->blocks;
    records->blocks = block;
    for (int i = 0; i < NCI_RECORD_BLOCK; i++) {
        block->records[i].next = records->free;
        records->free = &block->records[i];
    }
    return true;
}

nci_record *nci_records_add(nci_records *records, int64_t task)
{
    if (!nci_task_map_reserve(&records->map) ||
        (!records->free && !add_block(records)))
        return NULL;
    nci_record *record = records->free;
    records->free = record->next;
    *record = (nci_record){.task = task};
    nci_task_map_put(&records->map, task, record);
    return record;
}

void nci_records_remove(nci_records *records, nci_record *record)
{
    nci_task_map_remove(&records->map, record->task);
    record->next = records->free;
    records->free = record;
}

void nci_records_fini(nci_records *records)
{
    while (records->blocks) {
        nci_record_block *next = records->blocks->next;
        nci_free(records->blocks);
        records->blocks = next;
    }
    nci_task_map_fini(&records->map);
    records->free = NULL;
}
