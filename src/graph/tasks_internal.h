/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_TASKS_INTERNAL_H
#define NCI_GRAPH_TASKS_INTERNAL_H
/* The list of explicit tasks, as tasks.c makes and tasks_seal.c completes it. */
#include <stdatomic.h>

#include "base/buf.h"
#include "graph/tasks.h"

/* A word that was given or mentioned: the name of a task, or the text of a key
 * of an array. */
typedef struct nci_task_word {
    uint32_t text; /* offset into `text` */
    int32_t task;  /* -1: none of that name (yet); -2 - i: foreign key i */
} nci_task_word;

typedef struct nci_task_slot {
    uint32_t word; /* its number + 1, 0: empty */
    uint32_t hash; /* of its text */
} nci_task_slot;

typedef struct nci_task_lists {
    uint32_t *first; /* one more than there are lists */
    int32_t *items;
} nci_task_lists;

/* nci_tasks_word finds or adds a word (tasks_words.c). */
ncg_status nci_tasks_word(nci_tasks *tasks, const char *text, int32_t *out,
                          ncg_error *err);
/* nci_tasks_complete seals a list whose dependencies are numbers of tasks and
 * of foreign keys, which are sorted; `arrays` are there. */
ncg_status nci_tasks_complete(nci_tasks *tasks, ncg_error *err);
/* nci_tasks_say writes "task 7", or the name, for messages. */
const char *nci_tasks_say(const nci_tasks *tasks, int64_t task, char out[64]);
/* nci_tasks_hold_value takes the value of one more task that a list holds. */
void nci_tasks_hold_value(nci_tasks *held, int64_t task, nci_buf *value_take);
/* nci_tasks_value gives a value that the list holds, wherever it is; retained. */
ncg_status nci_tasks_value(const nci_tasks *held, int64_t task, nci_buf **out,
                           ncg_error *err);
/* nci_tasks_let_go releases the values of a list that holds them. */
void nci_tasks_let_go(nci_tasks *tasks);

struct nci_tasks {
    _Atomic int32_t refs;
    bool is_sealed;
    bool is_broken; /* sealing began and failed */
    bool is_held;   /* payloads are of `values`; see tasks_hold.c */
    int64_t nheld;
    struct nci_held_value *values;
    atomic_flag where; /* set for a few instructions: where a value is */
    nci_tasks_elsewhere elsewhere;
    _Atomic int64_t most_away;
    nci_buf *keeper;
    nci_token token;
    nci_task_kind *kinds;
    size_t nkinds, kinds_capacity;
    int64_t ntasks;
    uint32_t *kind_of; /* one a task, as the next three */
    void **payloads;   /* NULL: none has one */
    int32_t *word_of;  /* NULL: none has a name; -1: this one has none */
    size_t *param_end; /* NULL: none has parameters */
    char *params;      /* of all tasks, one after the other */
    size_t nparams, params_capacity, param_capacity;
    nci_task_lists deps;
    size_t kind_capacity, payload_capacity, word_capacity, first_capacity;
    size_t ndeps, deps_capacity; /* ~word in `deps.items` until sealed */

    nci_task_word *words;
    size_t nwords, words_capacity;
    char *text;
    size_t text_length, text_capacity;
    nci_task_slot *slots; /* by hash of the text */
    size_t nslots; /* power of two or 0 */

    /* sealed: */
    nci_task_lists users; /* of each task */
    nci_foreign *foreign; /* by array, then chunk */
    int64_t nforeign;
    nci_task_lists foreign_users;
    nci_node **arrays;
    int narrays;
};

#endif
