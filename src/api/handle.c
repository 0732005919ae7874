/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles that were released are found out, where assertions are on. */
#include "api/handle.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static uint32_t word_of(nci_handle_kind kind)
{
    return 0x4e434700u + (uint32_t)kind;
}

void nci_handle_init(nci_handle *handle, nci_handle_kind kind)
{
    handle->word = word_of(kind);
}

#ifdef NDEBUG

void nci_handle_free(nci_handle *handle)
{
    nci_free(handle);
}

ncg_status nci_handle_check(const nci_handle *handle, nci_handle_kind kind,
                            ncg_error *err)
{
    (void)handle, (void)kind, (void)err;
    return NCG_OK;
}

void nci_handle_assert(const nci_handle *handle, nci_handle_kind kind,
                       const char *function)
{
    (void)handle, (void)kind, (void)function;
}

#else

enum { KEPT = 64 };

static struct {
    pthread_mutex_t lock; /* guards the others */
    nci_handle *kept[KEPT];
    unsigned next;
} released = {.lock = PTHREAD_MUTEX_INITIALIZER};

void nci_handle_free(nci_handle *handle)
{
    handle->word = word_of(NCI_HANDLE_DEAD);
    pthread_mutex_lock(&released.lock);
    unsigned at = released.next++ % KEPT;
    nci_handle *old = released.kept[at];
    released.kept[at] = handle;
    pthread_mutex_unlock(&released.lock);
    nci_free(old);
}

static const char *name_of(nci_handle_kind kind)
{
    static const char *const names[] = {
        [NCI_HANDLE_DEAD] = "released handle",
        [NCI_HANDLE_CONTEXT] = "context",
        [NCI_HANDLE_DATASET] = "data set",
        [NCI_HANDLE_ARRAY] = "array",
        [NCI_HANDLE_GRAPH] = "graph",
        [NCI_HANDLE_KEYS] = "set of keys",
        [NCI_HANDLE_RESULTS] = "set of results",
        [NCI_HANDLE_TASKS] = "list of tasks",
        [NCI_HANDLE_RUN] = "run"};
    return names[kind];
}

ncg_status nci_handle_check(const nci_handle *handle, nci_handle_kind kind,
                            ncg_error *err)
{
    if (handle->word == word_of(kind))
        return NCG_OK;
    if (handle->word == word_of(NCI_HANDLE_DEAD))
        return nci_fail(err, NCG_EINVAL,
                        "the %s was released before this call: retain it as "
                        "long as it is used",
                        name_of(kind));
    return nci_fail(err, NCG_EINVAL, "what was given is not a handle of a %s",
                    name_of(kind));
}

void nci_handle_assert(const nci_handle *handle, nci_handle_kind kind,
                       const char *function)
{
    ncg_error err;
    if (!nci_handle_check(handle, kind, &err))
        return;
    fprintf(stderr, "ncgraph: %s: %s\n", function, err.message);
    abort();
}

#endif
