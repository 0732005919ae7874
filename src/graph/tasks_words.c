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

static nci_task_slot slot_of(const char *text)
{
    return (nci_task_slot){0, (uint32_t)nci_token_of(text, strlen(text)).low};
}

/* The slot of a word, or the empty one where it belongs. Texts are compared
 * where hashes are equal: they lie far from each other. */
static size_t find_slot(const nci_tasks *tasks, const char *text, uint32_t hash)
{
    size_t i = hash & (tasks->nslots - 1);
    for (; tasks->slots[i].word; i = (i + 1) & (tasks->nslots - 1)) {
        const nci_task_slot *slot = &tasks->slots[i];
        if (slot->hash == hash &&
            !strcmp(tasks->text + tasks->words[slot->word - 1].text, text))
            break;
    }
    return i;
}

static bool widen_slots(nci_tasks *tasks)
{
    size_t n = tasks->nslots ? 2 * tasks->nslots : 64;
    nci_task_slot *slots = nci_calloc(n, sizeof *slots);
    if (!slots)
        return false;
    for (size_t k = 0; k < tasks->nslots; k++) {
        size_t i = tasks->slots[k].hash & (n - 1);
        if (!tasks->slots[k].word)
            continue;
        while (slots[i].word)
            i = (i + 1) & (n - 1);
        slots[i] = tasks->slots[k];
    }
    nci_free(tasks->slots);
    tasks->slots = slots;
    tasks->nslots = n;
    return true;
}

ncg_status nci_tasks_word(nci_tasks *tasks, const char *text, int32_t *out,
                          ncg_error *err)
{
    size_t length = strlen(text) + 1;
    if (4 * (tasks->nwords + 1) > 3 * tasks->nslots && !widen_slots(tasks))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_task_slot slot = slot_of(text);
    size_t at = find_slot(tasks, text, slot.hash);
    if (tasks->slots[at].word) {
        *out = (int32_t)tasks->slots[at].word - 1;
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
    slot.word = (uint32_t)tasks->nwords;
    tasks->slots[at] = slot;
    return NCG_OK;
}

int64_t nci_tasks_find(const nci_tasks *tasks, const char *name)
{
    if (!tasks->nslots)
        return -1;
    size_t at = find_slot(tasks, name, slot_of(name).hash);
    uint32_t word = tasks->slots[at].word;
    return word && tasks->words[word - 1].task >= 0
               ? tasks->words[word - 1].task
               : -1;
}
