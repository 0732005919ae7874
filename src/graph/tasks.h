/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_TASKS_H
#define NCI_GRAPH_TASKS_H
/*
 * Explicit tasks: a list of functions and, for each, the tasks and chunks it
 * needs. While it is made, inputs may be named before they are listed; once it
 * is sealed, dependencies lie in two compressed lists (needs, needed by) and
 * nothing changes any more, so that it can be shared by any number of plans.
 *
 *     first   0   0   2   3          task 1 needs items[0..2)
 *     items   .   0  ~0   1          0: task 0; ~0: foreign key 0
 *
 * Twenty bytes a task and eight a dependency; names cost what they are long and
 * 23 to 33 bytes more. Making is for one thread, a sealed list for any.
 */
#include "graph/node.h"

/* What tasks have in common: few kinds, many tasks. */
typedef struct nci_task_kind {
    const char *name; /* of a registered function, interned; NULL: by `fn` */
    ncg_task_fn fn;
    int64_t nbytes; /* of the value, at most; 0: not known */
} nci_task_kind;

/* A task to be listed. A dependency is a number below `ntasks`, or what
 * nci_tasks_mention gave. */
typedef struct nci_task_spec {
    const char *name; /* NULL: none */
    nci_task_kind kind;
    void *payload;      /* of a function that is known by its pointer */
    const void *params; /* of one that is known by its name; copied */
    size_t nparams;
    const int32_t *deps;
    size_t ndeps;
} nci_task_spec;

/* A chunk of an array among the inputs. */
typedef struct nci_foreign {
    int array;     /* index into `arrays`, once sealed */
    int64_t chunk; /* number in the chunks that people see */
} nci_foreign;

typedef struct nci_tasks nci_tasks;

ncg_status nci_tasks_create(nci_tasks **out, ncg_error *err);
nci_tasks *nci_tasks_retain(nci_tasks *tasks);
void nci_tasks_release(nci_tasks **tasks);

/* nci_tasks_add lists one task. EINVAL: the name is taken. */
ncg_status nci_tasks_add(nci_tasks *tasks, const nci_task_spec *spec,
                         int64_t *number, ncg_error *err);
/* nci_tasks_mention gives what stands for the input `text` among the deps of a
 * task: the text of a key of an array, or the name of a task, listed or not. */
ncg_status nci_tasks_mention(nci_tasks *tasks, const char *text, int32_t *out,
                             ncg_error *err);
/* nci_tasks_add_many: see ncg_tasks_add_many. */
ncg_status nci_tasks_add_many(nci_tasks *tasks, int64_t n,
                              const nci_task_kind *kind, void *const *payloads,
                              const int64_t *first, const int64_t *deps,
                              int64_t *number, ncg_error *err);
/* nci_tasks_seal completes the list; find(ctx, token) gives the array of a
 * foreign key, borrowed, or NULL. EINVAL: unknown inputs, a circle. */
ncg_status nci_tasks_seal(nci_tasks *tasks,
                          nci_node *(*find)(void *ctx, nci_token token),
                          void *ctx, ncg_error *err);
/* nci_tasks_hold makes a list that stands for a sealed one, under its token:
 * task list[i] gives values[i], which it retains, the others fail when they are
 * run. `keeper` (NULL: none) is retained as long as the list lives. */
ncg_status nci_tasks_hold(const nci_tasks *of, const int64_t *list,
                          nci_buf *const *values, int64_t n, nci_buf *keeper,
                          nci_tasks **out, ncg_error *err);
/* Where values of a held list go that leave memory, and come from. */
typedef struct nci_tasks_elsewhere {
    void *ctx; /* lives at least as long as the list's keeper */
    ncg_status (*write)(void *ctx, const nci_buf *value, void **place,
                        ncg_error *err);
    ncg_status (*read)(void *ctx, void *place, nci_buf **out, ncg_error *err);
    void (*drop)(void *ctx, void *place);
} nci_tasks_elsewhere;

/* nci_tasks_spill writes values of a held list, those whose tasks stated their
 * sizes or have functions with names, until `want` bytes are free or no more can
 * go; they are read when their tasks run. *freed is how many left memory, also
 * on failure. One thread at a time, the same `to` each time. */
ncg_status nci_tasks_spill(nci_tasks *tasks, const nci_tasks_elsewhere *to,
                           int64_t want, int64_t *freed, ncg_error *err);
/* nci_tasks_most_away: bytes of the largest value that was written, which a
 * task of the list may take in memory again. */
int64_t nci_tasks_most_away(const nci_tasks *tasks);
/* nci_tasks_retain_live is nci_tasks_retain for who knows of a list without
 * holding it; false: it is on its end. */
bool nci_tasks_retain_live(nci_tasks *tasks);
/* nci_tasks_held tells how many values a list holds, -1: it is an ordinary
 * one. */
int64_t nci_tasks_held(const nci_tasks *tasks);
bool nci_tasks_is_sealed(const nci_tasks *tasks);

int64_t nci_tasks_count(const nci_tasks *tasks);
/* nci_tasks_find returns the number of a name, or -1. */
int64_t nci_tasks_find(const nci_tasks *tasks, const char *name);
/* nci_tasks_name returns the name of a task, or NULL. */
const char *nci_tasks_name(const nci_tasks *tasks, int64_t task);
const nci_task_kind *nci_tasks_kind(const nci_tasks *tasks, int64_t task);
void *nci_tasks_payload(const nci_tasks *tasks, int64_t task);
/* nci_tasks_params returns the parameters of a task; NULL: none. */
const void *nci_tasks_params(const nci_tasks *tasks, int64_t task,
                             size_t *nparams);
/* nci_tasks_token names the list. Where every function is known by its name it
 * is a hash of what is computed, once the list is sealed; else no two lists
 * share it. */
nci_token nci_tasks_token(const nci_tasks *tasks);
/* nci_tasks_memory: bytes that the list takes. */
int64_t nci_tasks_memory(const nci_tasks *tasks);

/* Sealed only. A dependency d of a task: d >= 0 is a task of the list, else
 * foreign[~d]. Users are tasks of the list. */
const int32_t *nci_tasks_deps(const nci_tasks *tasks, int64_t task,
                              int64_t *count);
const int32_t *nci_tasks_users(const nci_tasks *tasks, int64_t task,
                               int64_t *count);
const nci_foreign *nci_tasks_foreign(const nci_tasks *tasks, int64_t *count);
/* nci_tasks_foreign_users: tasks that need a foreign key. */
const int32_t *nci_tasks_foreign_users(const nci_tasks *tasks, int64_t foreign,
                                       int64_t *count);
/* nci_tasks_arrays: the arrays of foreign keys, retained by the list. */
nci_node *const *nci_tasks_arrays(const nci_tasks *tasks, int *count);

/* The text of keys, "('<32 hex digits>', 0, 4)", and tokens as text. */
void nci_token_text(nci_token token, char out[33]);
bool nci_token_parse(const char *text, nci_token *out);
char *nci_key_text(const ncg_key *key, char *out, size_t size);
ncg_status nci_key_parse(const char *text, ncg_key *out, ncg_error *err);

#endif
