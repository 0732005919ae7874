/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of values that persisted tasks left, as far as the memory limit is
 * concerned: how much they hold, and their way to the disk. The table knows
 * them without keeping them alive; a list is retained while its values are
 * written, since the last collection that has it may be let go at any time.
 */
#include "base/mem.h"
#include "engine/source_internal.h"

void nci_source_table_hold(nci_source_table *table, nci_held_tasks *list)
{
    pthread_mutex_lock(&table->lock);
    list->previous = NULL;
    list->next = table->tasks;
    list->turn = table->spills;
    if (list->next)
        list->next->previous = list;
    table->tasks = list;
    table->held += list->held;
    pthread_mutex_unlock(&table->lock);
}

void nci_source_table_let_go(nci_source_table *table, nci_held_tasks *list)
{
    pthread_mutex_lock(&table->lock);
    if (list->next)
        list->next->previous = list->previous;
    if (list->previous)
        list->previous->next = list->next;
    else
        table->tasks = list->next;
    table->held -= list->held;
    table->on_disk -= list->on_disk;
    pthread_mutex_unlock(&table->lock);
}

/* ---- the disk ------------------------------------------------------------ */

static ncg_status write_value(void *ctx, const nci_buf *value, void **place,
                              ncg_error *err)
{
    nci_extent *extent = NULL;
    NCI_TRY(nci_spill_file_write(ctx, value, &extent, err));
    *place = extent;
    return NCG_OK;
}

static ncg_status read_value(void *ctx, void *place, nci_buf **out,
                             ncg_error *err)
{
    return nci_spill_file_read(ctx, place, out, err);
}

static void drop_value(void *ctx, void *place)
{
    nci_extent *extent = place;
    nci_spill_file_drop(ctx, &extent);
}

/* ---- choosing ------------------------------------------------------------ */

/* A list that this spilling has not looked at, its tasks retained; NULL: there
 * is none. */
static nci_held_tasks *next_list(nci_source_table *table, nci_tasks **tasks)
{
    pthread_mutex_lock(&table->lock);
    nci_held_tasks *list = table->tasks;
    while (list && (list->turn == table->spills || !list->held ||
                    !nci_tasks_retain_live(list->tasks)))
        list = list->next;
    if (list) {
        list->turn = table->spills;
        *tasks = list->tasks;
    }
    pthread_mutex_unlock(&table->lock);
    return list;
}

static void count(nci_source_table *table, nci_held_tasks *list, int64_t nbytes)
{
    pthread_mutex_lock(&table->lock);
    list->held -= nbytes;
    list->on_disk += nbytes;
    table->held -= nbytes;
    table->on_disk += nbytes;
    pthread_mutex_unlock(&table->lock);
}

ncg_status nci_held_tasks_spill(nci_source_table *table, int64_t want,
                                const nci_spill_reader *reader, bool also_read,
                                int64_t *freed, ncg_error *err)
{
    const nci_tasks_elsewhere disk = {table->spill, write_value, read_value,
                                      drop_value};
    nci_held_tasks *list;
    nci_tasks *tasks = NULL;
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&table->lock);
    table->spills++;
    pthread_mutex_unlock(&table->lock);
    while (!st && *freed < want && (list = next_list(table, &tasks))) {
        int64_t nbytes = 0;
        if (also_read || !reader->reads_tasks(reader->ctx, tasks))
            st = nci_tasks_spill(tasks, &disk, want - *freed, &nbytes, err);
        count(table, list, nbytes);
        *freed += nbytes;
        nci_tasks_release(&tasks);
    }
    return st;
}
