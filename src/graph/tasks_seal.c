/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completing a list of explicit tasks: words become tasks or chunks of arrays,
 * circles are found, the lists of users are made. All of it in a few passes
 * over long arrays, so that ten million tasks take a fraction of a second.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "graph/tasks_internal.h"

typedef nci_node *(*find_fn)(void *ctx, nci_token token);

/* ---- chunks of arrays -----------------------------------------------------
 */

static int find_array(const nci_tasks *tasks, nci_token token)
{
    for (int i = 0; i < tasks->narrays; i++)
        if (nci_token_equal(tasks->arrays[i]->token, token))
            return i;
    return -1;
}

static ncg_status take_array(nci_tasks *tasks, nci_node *node, int *out,
                             ncg_error *err)
{
    nci_node **arrays = nci_realloc(
        tasks->arrays, ((size_t)tasks->narrays + 1) * sizeof *arrays);
    if (!arrays)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    tasks->arrays = arrays;
    arrays[tasks->narrays] = nci_node_retain(node);
    *out = tasks->narrays++;
    return NCG_OK;
}

static ncg_status chunk_number(const nci_node *node, const ncg_key *key,
                               int64_t *out, ncg_error *err)
{
    nci_grid grid = {0};
    NCI_TRY(nci_node_grid(node, &grid, err));
    bool fits = key->rank == grid.rank;
    for (int d = 0; fits && d < grid.rank; d++)
        fits = key->index[d] >= 0 && key->index[d] < grid.axis[d].nchunks;
    if (fits)
        *out = nci_grid_number(&grid, key->index);
    nci_grid_fini(&grid);
    if (fits)
        return NCG_OK;
    char text[NCG_KEY_TEXT_SIZE];
    return nci_fail(err, NCG_EINVAL, "the array has no chunk %s",
                    nci_key_text(key, text, sizeof text));
}

/* A word that names no task must be the key of a chunk. */
static ncg_status resolve_word(nci_tasks *tasks, int32_t word, int64_t user,
                               find_fn find, void *ctx, ncg_error *err)
{
    const char *text = tasks->text + tasks->words[word].text;
    ncg_key key;
    nci_token token;
    nci_node *node = NULL;
    char name[64];
    nci_foreign foreign = {-1, -1};
    if (!nci_key_parse(text, &key, NULL) && nci_token_parse(key.layer, &token))
        node = find ? find(ctx, token) : NULL;
    if (!node)
        return nci_fail(err, NCG_EINVAL,
                        "%s needs \"%s\", which is no task of the list and no "
                        "key of its arrays",
                        nci_tasks_say(tasks, user, name), text);
    NCI_TRY(chunk_number(node, &key, &foreign.chunk, err));
    foreign.array = find_array(tasks, token);
    if (foreign.array < 0)
        NCI_TRY(take_array(tasks, node, &foreign.array, err));
    nci_foreign *list = nci_realloc(
        tasks->foreign, ((size_t)tasks->nforeign + 1) * sizeof *list);
    if (!list)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    tasks->foreign = list;
    list[tasks->nforeign] = foreign;
    tasks->words[word].task = (int32_t)(-2 - tasks->nforeign++);
    return NCG_OK;
}

static ncg_status resolve(nci_tasks *tasks, find_fn find, void *ctx,
                          ncg_error *err)
{
    char name[64];
    for (int64_t t = 0; t < tasks->ntasks; t++)
        for (uint32_t i = tasks->deps.first[t]; i < tasks->deps.first[t + 1];
             i++) {
            int32_t d = tasks->deps.items[i];
            if (d >= 0 && d < tasks->ntasks)
                continue;
            if (d >= 0)
                return nci_fail(
                    err, NCG_EINVAL, "%s needs task %d; there are %lld",
                    nci_tasks_say(tasks, t, name), d, (long long)tasks->ntasks);
            if (tasks->words[~d].task == -1)
                NCI_TRY(resolve_word(tasks, ~d, t, find, ctx, err));
        }
    return NCG_OK;
}

/* What a dependency stands for: a task, or ~i for foreign key i. */
static int32_t target_of(const nci_tasks *tasks, int32_t d)
{
    int32_t task = d >= 0 ? d : tasks->words[~d].task;
    return task >= 0 ? task : ~(-2 - task);
}

typedef struct numbered {
    nci_foreign key;
    int64_t number;
} numbered;

static int by_place(const void *a, const void *b)
{
    const numbered *x = a, *y = b;
    if (x->key.array != y->key.array)
        return x->key.array < y->key.array ? -1 : 1;
    return x->key.chunk < y->key.chunk ? -1 : x->key.chunk > y->key.chunk;
}

/* Sorts the foreign keys; place[i] is where number i has gone. */
static ncg_status sort_foreign(nci_tasks *tasks, int32_t **place,
                               ncg_error *err)
{
    size_t n = (size_t)tasks->nforeign;
    numbered *sorted = nci_alloc((n + 1) * sizeof *sorted);
    *place = nci_alloc((n + 1) * sizeof **place);
    if (!sorted || !*place) {
        nci_free(sorted);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = (numbered){tasks->foreign[i], (int64_t)i};
    qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 0; i < n; i++) {
        tasks->foreign[i] = sorted[i].key;
        (*place)[sorted[i].number] = (int32_t)i;
    }
    nci_free(sorted);
    return NCG_OK;
}

/* ---- lists of users -------------------------------------------------------
 */

static ncg_status lists_alloc(nci_task_lists *lists, int64_t n, ncg_error *err)
{
    lists->first = nci_calloc((size_t)n + 2, sizeof *lists->first);
    return lists->first ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

/* Counts lie one place too far, so that filling moves them home. */
static ncg_status lists_open(nci_task_lists *lists, int64_t n, ncg_error *err)
{
    for (int64_t i = 0; i < n; i++)
        lists->first[i + 1] += lists->first[i];
    lists->items =
        nci_alloc(((size_t)lists->first[n] + 1) * sizeof *lists->items);
    return lists->items ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

static ncg_status invert(nci_tasks *tasks, ncg_error *err)
{
    int64_t n = tasks->ntasks, m = tasks->nforeign;
    NCI_TRY(lists_alloc(&tasks->users, n, err));
    NCI_TRY(lists_alloc(&tasks->foreign_users, m, err));
    /* first[d + 1] counts the users of d; shifted to first[d] by filling. */
    uint32_t *count = tasks->users.first, *fcount = tasks->foreign_users.first;
    for (size_t i = 0; i < tasks->ndeps; i++) {
        int32_t d = tasks->deps.items[i];
        if (d >= 0)
            count[d + 1]++;
        else
            fcount[~d + 1]++;
    }
    NCI_TRY(lists_open(&tasks->users, n, err));
    NCI_TRY(lists_open(&tasks->foreign_users, m, err));
    for (int64_t t = n - 1; t >= 0; t--)
        for (uint32_t i = tasks->deps.first[t + 1];
             i-- > tasks->deps.first[t];) {
            int32_t d = tasks->deps.items[i];
            if (d >= 0)
                tasks->users.items[--count[d + 1]] = (int32_t)t;
            else
                tasks->foreign_users.items[--fcount[~d + 1]] = (int32_t)t;
        }
    /* Each first[d + 1] now is where list d begins. */
    memmove(count, count + 1, (size_t)n * sizeof *count);
    memmove(fcount, fcount + 1, (size_t)m * sizeof *fcount);
    uint32_t total = 0;
    for (size_t i = 0; i < tasks->ndeps; i++)
        total += tasks->deps.items[i] >= 0;
    count[n] = total;
    fcount[m] = (uint32_t)tasks->ndeps - total;
    return NCG_OK;
}

/* ---- circles ---------------------------------------------------------------
 */

static bool is_ascending(const nci_tasks *tasks)
{
    for (int64_t t = 0; t < tasks->ntasks; t++)
        for (uint32_t i = tasks->deps.first[t]; i < tasks->deps.first[t + 1];
             i++)
            if (tasks->deps.items[i] >= t)
                return false;
    return true;
}

/* Takes away tasks that wait for nothing until none is left; returns how many
 * that were. left[t] is how many inputs of t remain. */
static int64_t peel(const nci_tasks *tasks, int32_t *left, int32_t *queue)
{
    int64_t begin = 0, end = 0;
    for (int64_t t = 0; t < tasks->ntasks; t++) {
        left[t] = 0;
        for (uint32_t i = tasks->deps.first[t]; i < tasks->deps.first[t + 1];
             i++)
            left[t] += tasks->deps.items[i] >= 0;
        if (!left[t])
            queue[end++] = (int32_t)t;
    }
    while (begin < end) {
        int64_t count = 0;
        const int32_t *users = nci_tasks_users(tasks, queue[begin++], &count);
        for (int64_t i = 0; i < count; i++)
            if (--left[users[i]] == 0)
                queue[end++] = users[i];
    }
    return end;
}

/* An input of `task` that is left as well: following these comes to a circle
 * and stays in it. */
static int64_t follow(const nci_tasks *tasks, const int32_t *left, int64_t task)
{
    int64_t count = 0;
    const int32_t *deps = nci_tasks_deps(tasks, task, &count);
    for (int64_t i = 0; i < count; i++)
        if (deps[i] >= 0 && left[deps[i]] > 0)
            return deps[i];
    return task;
}

static ncg_status describe_circle(const nci_tasks *tasks, const int32_t *left,
                                  ncg_error *err)
{
    int64_t task = 0;
    char name[64];
    nci_text text = {0};
    while (!left[task])
        task++;
    for (int64_t i = 0; i < tasks->ntasks; i++)
        task = follow(tasks, left, task);
    int64_t first = task;
    int shown = 0;
    do {
        nci_text_add(&text, "%s needs ", nci_tasks_say(tasks, task, name));
        task = follow(tasks, left, task);
    } while (task != first && ++shown < 5);
    nci_text_add(&text, "%s%s", nci_tasks_say(tasks, task, name),
                 task == first ? "" : " and so on");
    ncg_status st =
        nci_fail(err, NCG_EINVAL, "tasks wait for one another in a circle: %s",
                 text.data ? text.data : "");
    nci_text_fini(&text);
    return st;
}

static ncg_status check_circles(const nci_tasks *tasks, ncg_error *err)
{
    if (is_ascending(tasks))
        return NCG_OK;
    size_t n = (size_t)tasks->ntasks + 1;
    int32_t *left = nci_alloc(n * sizeof *left);
    int32_t *queue = nci_alloc(n * sizeof *queue);
    ncg_status st = NCG_OK;
    if (!left || !queue)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (peel(tasks, left, queue) < tasks->ntasks)
        st = describe_circle(tasks, left, err);
    nci_free(left);
    nci_free(queue);
    return st;
}

/* ---- sealing ---------------------------------------------------------------
 */

/* Growing has left up to half of each array empty. */
static void shrink(void *items, size_t count, size_t size)
{
    void **slot = items;
    void *smaller = *slot ? nci_realloc(*slot, (count ? count : 1) * size) : 0;
    if (smaller)
        *slot = smaller;
}

static void shrink_all(nci_tasks *tasks)
{
    size_t n = (size_t)tasks->ntasks;
    shrink(&tasks->kind_of, n, sizeof *tasks->kind_of);
    shrink(&tasks->payloads, n, sizeof *tasks->payloads);
    shrink(&tasks->word_of, n, sizeof *tasks->word_of);
    shrink(&tasks->deps.first, n + 1, sizeof *tasks->deps.first);
    shrink(&tasks->deps.items, tasks->ndeps, sizeof *tasks->deps.items);
    shrink(&tasks->words, tasks->nwords, sizeof *tasks->words);
    shrink(&tasks->text, tasks->text_length, 1);
    shrink(&tasks->param_end, n, sizeof *tasks->param_end);
    shrink(&tasks->params, tasks->nparams, 1);
}

static bool is_named(const nci_tasks *tasks)
{
    for (size_t i = 0; i < tasks->nkinds; i++)
        if (!tasks->kinds[i].name)
            return false;
    return true;
}

static uint64_t function_of(const nci_task_kind *kind)
{
    nci_hash hash;
    nci_hash_init(&hash, kind->name);
    nci_hash_i64(&hash, kind->nbytes);
    return nci_hash_done(&hash).low;
}

/* What each task calls, many at a time. Numbers of kinds may differ from one
 * process to another. */
static void hash_functions(const nci_tasks *tasks, nci_hash *hash)
{
    uint64_t some[256], function = 0;
    size_t n = 0;
    const nci_task_kind *last = NULL;
    for (int64_t t = 0; t < tasks->ntasks; t++) {
        const nci_task_kind *kind = nci_tasks_kind(tasks, t);
        if (kind != last)
            function = function_of(kind);
        last = kind;
        some[n++] = function;
        if (n == 256 || t == tasks->ntasks - 1) {
            nci_hash_bytes(hash, some, n * sizeof *some);
            n = 0;
        }
    }
}

static void hash_names(const nci_tasks *tasks, nci_hash *hash)
{
    for (int64_t t = 0; tasks->word_of && t < tasks->ntasks; t++) {
        const char *name = nci_tasks_name(tasks, t);
        nci_hash_text(hash, name ? name : "");
    }
}

/* What named functions compute follows from these. */
static nci_token token_of(const nci_tasks *tasks)
{
    size_t n = (size_t)tasks->ntasks;
    nci_hash hash;
    nci_hash_init(&hash, "ncgraph.tasks.named/2");
    hash_functions(tasks, &hash);
    nci_hash_bytes(&hash, tasks->deps.first,
                   (n + 1) * sizeof *tasks->deps.first);
    nci_hash_bytes(&hash, tasks->deps.items,
                   tasks->ndeps * sizeof *tasks->deps.items);
    if (tasks->nparams) {
        nci_hash_bytes(&hash, tasks->param_end, n * sizeof *tasks->param_end);
        nci_hash_bytes(&hash, tasks->params, tasks->nparams);
    }
    hash_names(tasks, &hash);
    for (int64_t i = 0; i < tasks->nforeign; i++) {
        nci_hash_token(&hash, tasks->arrays[tasks->foreign[i].array]->token);
        nci_hash_i64(&hash, tasks->foreign[i].chunk);
    }
    return nci_hash_done(&hash);
}

ncg_status nci_tasks_complete(nci_tasks *tasks, ncg_error *err)
{
    NCI_TRY(invert(tasks, err));
    NCI_TRY(check_circles(tasks, err));
    shrink_all(tasks);
    if (is_named(tasks))
        tasks->token = token_of(tasks);
    tasks->is_broken = false;
    tasks->is_sealed = true;
    return NCG_OK;
}

ncg_status nci_tasks_seal(nci_tasks *tasks, find_fn find, void *ctx,
                          ncg_error *err)
{
    int32_t *place = NULL;
    if (tasks->is_sealed)
        return NCG_OK;
    if (!tasks->ntasks || tasks->is_broken)
        return nci_fail(err, NCG_EINVAL,
                        tasks->ntasks ? "the list of tasks is not complete"
                                      : "the list holds no task");
    tasks->is_broken = true; /* while it is half changed */
    NCI_TRY(resolve(tasks, find, ctx, err));
    ncg_status st = sort_foreign(tasks, &place, err);
    for (size_t i = 0; !st && i < tasks->ndeps; i++) {
        int32_t d = target_of(tasks, tasks->deps.items[i]);
        tasks->deps.items[i] = d >= 0 ? d : ~place[~d];
    }
    nci_free(place);
    return st ? st : nci_tasks_complete(tasks, err);
}
