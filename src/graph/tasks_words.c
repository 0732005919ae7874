/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words of a list of explicit tasks: names of tasks, and keys of arrays
 * among their inputs. They lie in one text and are found by open addressing
 * over it.
 */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "graph/tasks_internal.h"

static size_t home_of(const nci_tasks *tasks, const char *text, size_t length)
{
    return (size_t)nci_token_of(text, length).low & (tasks->nslots - 1);
}

/* The slot of a word, or the empty one where it belongs. */
static size_t find_slot(const nci_tasks *tasks, const char *text)
{
    size_t i = home_of(tasks, text, strlen(text));
    while (tasks->slots[i] &&
           strcmp(tasks->text + tasks->words[tasks->slots[i] - 1].text, text))
        i = (i + 1) & (tasks->nslots - 1);
    return i;
}

static bool widen_slots(nci_tasks *tasks)
{
    size_t n = tasks->nslots ? 2 * tasks->nslots : 64;
    uint32_t *slots = nci_calloc(n, sizeof *slots);
    if (!slots)
        return false;
    nci_free(tasks->slots);
    tasks->slots = slots;
    tasks->nslots = n;
    for (size_t w = 0; w < tasks->nwords; w++) {
        const char *text = tasks->text + tasks->words[w].text;
        size_t i = home_of(tasks, text, strlen(text));
        while (slots[i])
            i = (i + 1) & (n - 1);
        slots[i] = (uint32_t)w + 1;
    }
    return true;
}

ncg_status nci_tasks_word(nci_tasks *tasks, const char *text, int32_t *out,
                          ncg_error *err)
{
    size_t length = strlen(text) + 1;
    if (4 * (tasks->nwords + 1) > 3 * tasks->nslots && !widen_slots(tasks))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    size_t slot = find_slot(tasks, text);
    if (tasks->slots[slot]) {
        *out = (int32_t)tasks->slots[slot] - 1;
        return NCG_OK;
    }
    if (tasks->text_length + length > UINT32_MAX ||
        tasks->nwords >= INT32_MAX - 1)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "too many names of tasks: leave them out where "
                        "numbers do");
    if (!nci_grow(&tasks->text, &tasks->text_capacity,
                  tasks->text_length + length, 1) ||
        !nci_grow(&tasks->words, &tasks->words_capacity, tasks->nwords + 1,
                  sizeof *tasks->words))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memcpy(tasks->text + tasks->text_length, text, length);
    tasks->words[tasks->nwords] =
        (nci_task_word){(uint32_t)tasks->text_length, -1};
    tasks->text_length += length;
    *out = (int32_t)tasks->nwords++;
    tasks->slots[slot] = (uint32_t)tasks->nwords;
    return NCG_OK;
}

int64_t nci_tasks_find(const nci_tasks *tasks, const char *name)
{
    uint32_t slot = tasks->nslots ? tasks->slots[find_slot(tasks, name)] : 0;
    return slot && tasks->words[slot - 1].task >= 0
               ? tasks->words[slot - 1].task
               : -1;
}
