/* SPDX-License-Identifier: BSD-3-Clause */
/* Making lists of explicit tasks. Everything lies in a few long arrays. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "graph/tasks_internal.h"

/* ---- life ---------------------------------------------------------------- */

ncg_status nci_tasks_create(nci_tasks **out, ncg_error *err)
{
    static _Atomic int64_t made;
    nci_tasks *tasks = nci_calloc(1, sizeof *tasks);
    if (!tasks)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    atomic_init(&tasks->refs, 1);
    nci_hash hash;
    nci_hash_init(&hash, "ncgraph.tasks/1");
    nci_hash_i64(&hash, atomic_fetch_add(&made, 1));
    nci_hash_token(&hash, nci_token_random());
    tasks->token = nci_hash_done(&hash);
    *out = tasks;
    return NCG_OK;
}

nci_tasks *nci_tasks_retain(nci_tasks *tasks)
{
    if (tasks)
        atomic_fetch_add_explicit(&tasks->refs, 1, memory_order_relaxed);
    return tasks;
}

bool nci_tasks_retain_live(nci_tasks *tasks)
{
    int32_t refs = atomic_load_explicit(&tasks->refs, memory_order_relaxed);
    while (refs > 0 && !atomic_compare_exchange_weak(&tasks->refs, &refs,
                                                     refs + 1))
        ;
    return refs > 0;
}

static void lists_fini(nci_task_lists *lists)
{
    nci_free(lists->first);
    nci_free(lists->items);
}

void nci_tasks_release(nci_tasks **slot)
{
    nci_tasks *tasks = *slot;
    *slot = NULL;
    if (!tasks ||
        atomic_fetch_sub_explicit(&tasks->refs, 1, memory_order_acq_rel) != 1)
        return;
    nci_tasks_let_go(tasks);
    for (int i = 0; i < tasks->narrays; i++)
        nci_node_release(&tasks->arrays[i]);
    nci_free(tasks->arrays);
    lists_fini(&tasks->deps);
    lists_fini(&tasks->users);
    lists_fini(&tasks->foreign_users);
    nci_free(tasks->foreign);
    nci_free(tasks->kinds);
    nci_free(tasks->kind_of);
    nci_free(tasks->payloads);
    nci_free(tasks->word_of);
    nci_free(tasks->param_end);
    nci_free(tasks->params);
    nci_free(tasks->words);
    nci_free(tasks->text);
    nci_free(tasks->slots);
    nci_free(tasks);
}

/* ---- adding -------------------------------------------------------------- */

static ncg_status find_kind(nci_tasks *tasks, const nci_task_kind *kind,
                            uint32_t *out, ncg_error *err)
{
    for (size_t i = tasks->nkinds; i-- > 0;) {
        const nci_task_kind *k = &tasks->kinds[i];
        if (k->fn == kind->fn && k->nbytes == kind->nbytes &&
            k->name == kind->name) {
            *out = (uint32_t)i;
            return NCG_OK;
        }
    }
    if (!nci_grow(&tasks->kinds, &tasks->kinds_capacity, tasks->nkinds + 1,
                  sizeof *tasks->kinds))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    tasks->kinds[tasks->nkinds] = *kind;
    *out = (uint32_t)tasks->nkinds++;
    return NCG_OK;
}

static bool reserve_tasks(nci_tasks *tasks, size_t n)
{
    return nci_grow(&tasks->kind_of, &tasks->kind_capacity, n,
                    sizeof *tasks->kind_of) &&
           nci_grow(&tasks->deps.first, &tasks->first_capacity, n + 1,
                    sizeof *tasks->deps.first);
}

/* The first payload (name) of a list brings empty ones for all before it. */
static bool reserve_payloads(nci_tasks *tasks, size_t n)
{
    bool is_first = !tasks->payloads;
    if (!nci_grow(&tasks->payloads, &tasks->payload_capacity, n,
                  sizeof *tasks->payloads))
        return false;
    for (int64_t i = 0; is_first && i < tasks->ntasks; i++)
        tasks->payloads[i] = NULL;
    return true;
}

static bool reserve_words(nci_tasks *tasks, size_t n)
{
    bool is_first = !tasks->word_of;
    if (!nci_grow(&tasks->word_of, &tasks->word_capacity, n,
                  sizeof *tasks->word_of))
        return false;
    for (int64_t i = 0; is_first && i < tasks->ntasks; i++)
        tasks->word_of[i] = -1;
    return true;
}

static ncg_status reserve(nci_tasks *tasks, int64_t n, int64_t ndeps,
                          bool payloads, bool names, ncg_error *err)
{
    size_t need = (size_t)tasks->ntasks + (size_t)n;
    if (tasks->is_sealed || tasks->is_broken)
        return nci_fail(err, NCG_EINVAL,
                        "the tasks are a graph already: list more in a new "
                        "list");
    if (need > INT32_MAX - 1 || tasks->ndeps + (size_t)ndeps > UINT32_MAX - 1)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "a list holds 2^31 tasks and 2^32 inputs at most");
    if (!reserve_tasks(tasks, need) ||
        (payloads && !reserve_payloads(tasks, need)) ||
        (names && !reserve_words(tasks, need)) ||
        !nci_grow(&tasks->deps.items, &tasks->deps_capacity,
                  tasks->ndeps + (size_t)ndeps, sizeof *tasks->deps.items))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return NCG_OK;
}

ncg_status nci_tasks_mention(nci_tasks *tasks, const char *text, int32_t *out,
                             ncg_error *err)
{
    int32_t word = -1;
    NCI_TRY(nci_tasks_word(tasks, text, &word, err));
    *out = ~word;
    return NCG_OK;
}

static bool reserve_params(nci_tasks *tasks, size_t n, size_t nbytes)
{
    bool is_first = !tasks->param_end;
    if (!nci_grow(&tasks->param_end, &tasks->param_capacity, n,
                  sizeof *tasks->param_end) ||
        !nci_grow(&tasks->params, &tasks->params_capacity,
                  tasks->nparams + nbytes + 1, 1))
        return false;
    for (int64_t i = 0; is_first && i < tasks->ntasks; i++)
        tasks->param_end[i] = 0;
    return true;
}

/* Everything is reserved. */
static int64_t put_task(nci_tasks *tasks, const nci_task_spec *spec,
                        uint32_t kind, int32_t word)
{
    int64_t task = tasks->ntasks++;
    if (word >= 0)
        tasks->words[word].task = (int32_t)task;
    if (tasks->word_of)
        tasks->word_of[task] = word;
    if (tasks->payloads)
        tasks->payloads[task] = spec->payload;
    if (spec->nparams)
        memcpy(tasks->params + tasks->nparams, spec->params, spec->nparams);
    tasks->nparams += spec->nparams;
    if (tasks->param_end)
        tasks->param_end[task] = tasks->nparams;
    tasks->kind_of[task] = kind;
    tasks->deps.first[task] = (uint32_t)tasks->ndeps;
    if (spec->ndeps)
        memcpy(tasks->deps.items + tasks->ndeps, spec->deps,
               spec->ndeps * sizeof *spec->deps);
    tasks->ndeps += spec->ndeps;
    tasks->deps.first[task + 1] = (uint32_t)tasks->ndeps;
    return task;
}

ncg_status nci_tasks_add(nci_tasks *tasks, const nci_task_spec *spec,
                         int64_t *number, ncg_error *err)
{
    int32_t word = -1;
    uint32_t k = 0;
    NCI_TRY(reserve(tasks, 1, (int64_t)spec->ndeps,
                    spec->payload || tasks->payloads,
                    spec->name || tasks->word_of, err));
    if ((spec->nparams || tasks->param_end) &&
        !reserve_params(tasks, (size_t)tasks->ntasks + 1, spec->nparams))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    NCI_TRY(find_kind(tasks, &spec->kind, &k, err));
    if (spec->name)
        NCI_TRY(nci_tasks_word(tasks, spec->name, &word, err));
    if (word >= 0 && tasks->words[word].task >= 0)
        return nci_fail(err, NCG_EINVAL,
                        "two tasks are named \"%s\": give each its own key",
                        spec->name);
    int64_t task = put_task(tasks, spec, k, word);
    if (number)
        *number = task;
    return NCG_OK;
}

static ncg_status check_lists(int64_t n, const int64_t *first,
                              const int64_t *deps, ncg_error *err)
{
    bool bad = first && first[0] < 0;
    for (int64_t i = 0; first && i < n && !bad; i++)
        bad = first[i + 1] < first[i];
    if (bad)
        return nci_fail(err, NCG_EINVAL, "the lists of inputs do not rise");
    int64_t end = first ? first[n] : 0;
    for (int64_t i = first ? first[0] : 0; i < end; i++)
        if (deps[i] < 0 || deps[i] > INT32_MAX)
            return nci_fail(err, NCG_EINVAL, "input %lld is no task",
                            (long long)deps[i]);
    return NCG_OK;
}

ncg_status nci_tasks_add_many(nci_tasks *tasks, int64_t n,
                              const nci_task_kind *kind, void *const *payloads,
                              const int64_t *first, const int64_t *deps,
                              int64_t *number, ncg_error *err)
{
    uint32_t k = 0;
    int64_t ndeps = first ? first[n] - first[0] : 0;
    NCI_TRY(check_lists(n, first, deps, err));
    NCI_TRY(reserve(tasks, n, ndeps, payloads || tasks->payloads,
                    tasks->word_of != NULL, err));
    if (tasks->param_end &&
        !reserve_params(tasks, (size_t)(tasks->ntasks + n), 0))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    NCI_TRY(find_kind(tasks, kind, &k, err));
    int64_t base = tasks->ntasks;
    uint32_t at = (uint32_t)tasks->ndeps;
    for (int64_t i = 0; i < n; i++) {
        tasks->kind_of[base + i] = k;
        tasks->deps.first[base + i] =
            at + (uint32_t)(first ? first[i] - first[0] : 0);
    }
    for (int64_t i = 0; i < ndeps; i++)
        tasks->deps.items[at + i] = (int32_t)deps[first[0] + i];
    for (int64_t i = 0; tasks->payloads && i < n; i++)
        tasks->payloads[base + i] = payloads ? payloads[i] : NULL;
    for (int64_t i = 0; tasks->word_of && i < n; i++)
        tasks->word_of[base + i] = -1;
    for (int64_t i = 0; tasks->param_end && i < n; i++)
        tasks->param_end[base + i] = tasks->nparams;
    tasks->ntasks += n;
    tasks->ndeps += (size_t)ndeps;
    tasks->deps.first[tasks->ntasks] = (uint32_t)tasks->ndeps;
    if (number)
        *number = base;
    return NCG_OK;
}

/* ---- looking ------------------------------------------------------------- */

bool nci_tasks_is_sealed(const nci_tasks *tasks)
{
    return tasks->is_sealed;
}

int64_t nci_tasks_count(const nci_tasks *tasks)
{
    return tasks->ntasks;
}

const char *nci_tasks_name(const nci_tasks *tasks, int64_t task)
{
    int32_t word = tasks->word_of ? tasks->word_of[task] : -1;
    return word < 0 ? NULL : tasks->text + tasks->words[word].text;
}

const nci_task_kind *nci_tasks_kind(const nci_tasks *tasks, int64_t task)
{
    return &tasks->kinds[tasks->kind_of[task]];
}

void *nci_tasks_payload(const nci_tasks *tasks, int64_t task)
{
    return tasks->payloads ? tasks->payloads[task] : NULL;
}

const void *nci_tasks_params(const nci_tasks *tasks, int64_t task,
                             size_t *nparams)
{
    const size_t *end = tasks->param_end;
    size_t from = end && task ? end[task - 1] : 0;
    *nparams = end ? end[task] - from : 0;
    return *nparams ? tasks->params + from : NULL;
}

const char *nci_tasks_say(const nci_tasks *tasks, int64_t task, char out[64])
{
    const char *name = nci_tasks_name(tasks, task);
    if (name)
        snprintf(out, 64, "\"%.50s\"", name);
    else
        snprintf(out, 64, "task %lld", (long long)task);
    return out;
}

nci_token nci_tasks_token(const nci_tasks *tasks)
{
    return tasks->token;
}

static const int32_t *list_at(const nci_task_lists *lists, int64_t i,
                              int64_t *count)
{
    *count = lists->first[i + 1] - lists->first[i];
    return lists->items + lists->first[i];
}

const int32_t *nci_tasks_deps(const nci_tasks *tasks, int64_t task,
                              int64_t *count)
{
    return list_at(&tasks->deps, task, count);
}

const int32_t *nci_tasks_users(const nci_tasks *tasks, int64_t task,
                               int64_t *count)
{
    return list_at(&tasks->users, task, count);
}

const nci_foreign *nci_tasks_foreign(const nci_tasks *tasks, int64_t *count)
{
    *count = tasks->nforeign;
    return tasks->foreign;
}

const int32_t *nci_tasks_foreign_users(const nci_tasks *tasks, int64_t foreign,
                                       int64_t *count)
{
    return list_at(&tasks->foreign_users, foreign, count);
}

nci_node *const *nci_tasks_arrays(const nci_tasks *tasks, int *count)
{
    *count = tasks->narrays;
    return tasks->arrays;
}

int64_t nci_tasks_memory(const nci_tasks *tasks)
{
    size_t n = (size_t)tasks->ntasks;
    size_t bytes = sizeof *tasks + n * sizeof(uint32_t) +
                   2 * (n + 1) * sizeof(uint32_t) +
                   2 * tasks->ndeps * sizeof(int32_t);
    bytes += tasks->payloads ? n * sizeof(void *) : 0;
    bytes += tasks->word_of ? n * sizeof(int32_t) : 0;
    bytes += tasks->param_end ? n * sizeof(size_t) + tasks->nparams : 0;
    bytes += tasks->nwords * sizeof *tasks->words + tasks->text_length +
             tasks->nslots * sizeof *tasks->slots;
    return (int64_t)bytes;
}
