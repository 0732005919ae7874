/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of explicit tasks whose values are there already: each task of the
 * list that it stands for keeps its number and name, and those that were
 * computed give the value that is held. Nothing is needed for that, so there
 * are no inputs. Values may leave memory for another place and are read from
 * there, then; they never come back to stay.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "graph/tasks_internal.h"

/* PINNED: held, too, but what it is made of is known to the program only. */
enum { HELD, PINNED, NOT_HELD, KINDS };

typedef struct nci_held_value {
    nci_tasks *tasks;
    nci_buf *value; /* NULL: elsewhere */
    void *place;
} nci_held_value;

static void let_go(void *data, void *payload)
{
    nci_buf *value = payload;
    (void)data;
    nci_buf_release(&value);
}

/* Between the two nobody else looks where a value is, or changes it. */
static void look(nci_tasks *tasks)
{
    while (atomic_flag_test_and_set_explicit(&tasks->where,
                                             memory_order_acquire))
        ;
}

static void looked(nci_tasks *tasks)
{
    atomic_flag_clear_explicit(&tasks->where, memory_order_release);
}

static ncg_status find_value(nci_held_value *held, nci_buf **out,
                             ncg_error *err)
{
    nci_tasks *tasks = held->tasks;
    look(tasks);
    nci_buf *value = held->value ? nci_buf_retain(held->value) : NULL;
    looked(tasks);
    if (!value) /* the place stays until the list ends */
        NCI_TRY(tasks->elsewhere.read(tasks->elsewhere.ctx, held->place,
                                      &value, err));
    *out = value;
    return NCG_OK;
}

static ncg_status give(const ncg_task_call *call, ncg_error *err)
{
    nci_buf *value = NULL;
    NCI_TRY(find_value(call->payload, &value, err));
    *call->output = (ncg_value){nci_buf_data(value), nci_buf_size(value),
                                let_go, value};
    return NCG_OK;
}

static ncg_status refuse(const ncg_task_call *call, ncg_error *err)
{
    (void)call;
    return nci_fail(err, NCG_EINVAL,
                    "its value was not persisted: compute it by the graph "
                    "that it comes from");
}

/* *out is a copy, NULL where there is nothing; false: memory is out. */
static bool copy(void *out, const void *from, size_t count, size_t size)
{
    void **slot = out;
    *slot = NULL;
    if (!from)
        return true;
    *slot = nci_alloc((count + 1) * size);
    if (*slot)
        memcpy(*slot, from, count * size);
    return *slot != NULL;
}

static bool copy_names(nci_tasks *held, const nci_tasks *of)
{
    held->nwords = of->nwords;
    held->text_length = of->text_length;
    held->nslots = of->nslots;
    return copy(&held->words, of->words, of->nwords, sizeof *of->words) &&
           copy(&held->text, of->text, of->text_length, 1) &&
           copy(&held->slots, of->slots, of->nslots, sizeof *of->slots) &&
           copy(&held->word_of, of->word_of, (size_t)of->ntasks,
                sizeof *of->word_of);
}

/* Lists of nothing for n tasks. */
static bool make_lists(nci_task_lists *lists, size_t n)
{
    lists->first = nci_calloc(n + 2, sizeof *lists->first);
    lists->items = nci_calloc(1, sizeof *lists->items);
    return lists->first && lists->items;
}

static ncg_status make(const nci_tasks *of, nci_tasks **out, ncg_error *err)
{
    size_t n = (size_t)of->ntasks;
    nci_tasks *held = NULL;
    NCI_TRY(nci_tasks_create(&held, err));
    held->token = of->token;
    held->is_held = true;
    held->is_sealed = true;
    held->ntasks = of->ntasks;
    held->nkinds = KINDS;
    held->kinds = nci_calloc(KINDS, sizeof *held->kinds);
    held->kind_of = nci_alloc((n + 1) * sizeof *held->kind_of);
    held->payloads = nci_calloc(n + 1, sizeof *held->payloads);
    held->values = nci_calloc(n + 1, sizeof *held->values);
    if (!held->kinds || !held->kind_of || !held->payloads || !held->values ||
        !copy_names(held, of) || !make_lists(&held->deps, n) ||
        !make_lists(&held->users, n) || !make_lists(&held->foreign_users, 0)) {
        nci_tasks_release(&held);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    held->kinds[HELD] = held->kinds[PINNED] = (nci_task_kind){.fn = give};
    held->kinds[NOT_HELD] = (nci_task_kind){.fn = refuse};
    for (size_t i = 0; i < n; i++)
        held->kind_of[i] = NOT_HELD;
    *out = held;
    return NCG_OK;
}

void nci_tasks_hold_value(nci_tasks *held, int64_t task, nci_buf *value_take)
{
    held->kind_of[task] = HELD;
    held->values[task] = (nci_held_value){held, value_take, NULL};
    held->payloads[task] = &held->values[task];
    held->nheld++;
}

/* Whether the value of a task is its bytes and no more. */
static bool is_plain(const nci_tasks *of, int64_t task)
{
    const nci_task_kind *kind = nci_tasks_kind(of, task);
    return of->is_held ? of->kind_of[task] == HELD : kind->nbytes || kind->name;
}

ncg_status nci_tasks_hold(const nci_tasks *of, const int64_t *list,
                          nci_buf *const *values, int64_t n, nci_buf *keeper,
                          nci_tasks **out, ncg_error *err)
{
    nci_tasks *held = NULL;
    NCI_TRY(make(of, &held, err));
    for (int64_t i = 0; i < n; i++) {
        nci_tasks_hold_value(held, list[i], nci_buf_retain(values[i]));
        if (!is_plain(of, list[i]))
            held->kind_of[list[i]] = PINNED;
    }
    held->keeper = nci_buf_retain(keeper);
    *out = held;
    return NCG_OK;
}

int64_t nci_tasks_held(const nci_tasks *tasks)
{
    return tasks->is_held ? tasks->nheld : -1;
}

ncg_status nci_tasks_value(const nci_tasks *held, int64_t task, nci_buf **out,
                           ncg_error *err)
{
    return find_value(&held->values[task], out, err);
}

/* ---- elsewhere ----------------------------------------------------------- */

/* Once it is written; nobody but the caller moves values. */
static void move(nci_tasks *tasks, nci_held_value *held, void *place)
{
    look(tasks);
    nci_buf *value = held->value;
    held->value = NULL;
    held->place = place;
    looked(tasks);
    int64_t nbytes = (int64_t)nci_buf_size(value);
    if (nbytes > atomic_load(&tasks->most_away))
        atomic_store(&tasks->most_away, nbytes);
    nci_buf_release(&value);
}

ncg_status nci_tasks_spill(nci_tasks *tasks, const nci_tasks_elsewhere *to,
                           int64_t want, int64_t *freed, ncg_error *err)
{
    *freed = 0;
    if (!tasks->elsewhere.write) /* later on others read it */
        tasks->elsewhere = *to;
    for (int64_t i = 0; i < tasks->ntasks && *freed < want; i++) {
        nci_held_value *held = &tasks->values[i];
        void *place = NULL;
        if (tasks->kind_of[i] != HELD || !held->value ||
            !nci_buf_size(held->value))
            continue;
        int64_t nbytes = (int64_t)nci_buf_size(held->value);
        NCI_TRY(to->write(to->ctx, held->value, &place, err));
        move(tasks, held, place);
        *freed += nbytes;
    }
    return NCG_OK;
}

int64_t nci_tasks_most_away(const nci_tasks *tasks)
{
    return atomic_load_explicit(&tasks->most_away, memory_order_relaxed);
}

void nci_tasks_let_go(nci_tasks *tasks)
{
    for (int64_t i = 0; tasks->values && i < tasks->ntasks; i++) {
        nci_held_value *held = &tasks->values[i];
        nci_buf_release(&held->value);
        if (held->place)
            tasks->elsewhere.drop(tasks->elsewhere.ctx, held->place);
    }
    nci_free(tasks->values);
    nci_buf_release(&tasks->keeper);
}
