/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/cluster/functions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/inspect.h"

typedef struct function {
    char *name;
    ncg_function_fn fn;
    void *payload;
} function;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static function *functions; /* for as long as the process lasts */
static size_t nfunctions, capacity;

/* "org.example.wind/1": printable, a version behind the last slash. */
static bool is_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    size_t n = strlen(name);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c > '~')
            return false;
    return slash && slash > name && slash[1] && n < 100 &&
           strspn(slash + 1, "0123456789") == strlen(slash + 1);
}

static const function *find_locked(const char *name)
{
    for (size_t i = 0; i < nfunctions; i++)
        if (!strcmp(functions[i].name, name))
            return &functions[i];
    return NULL;
}

ncg_status nci_function_add(const char *name, ncg_function_fn fn,
                            void *payload, ncg_error *err)
{
    if (!is_name(name) || !strncmp(name, "ncg.", 4))
        return nci_fail(err, NCG_EINVAL,
                        "'%.60s' is no name of a function: write it like "
                        "org.example.count/1",
                        name);
    ncg_status st = NCG_OK;
    char *copy = nci_strdup(name);
    pthread_mutex_lock(&lock);
    const function *old = find_locked(name);
    bool is_same = old && old->fn == fn && old->payload == payload;
    if (old && !is_same)
        st = nci_fail(err, NCG_EEXISTS,
                      "the name %s has another function already", name);
    else if (!old && (!copy || !nci_grow(&functions, &capacity, nfunctions + 1,
                                         sizeof *functions)))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (!old)
        functions[nfunctions++] = (function){copy, fn, payload};
    pthread_mutex_unlock(&lock);
    if (st || old)
        nci_free(copy);
    return st;
}

static ncg_status give_argument(const ncg_function_call *call, void *payload,
                                ncg_error *err)
{
    (void)payload;
    return ncg_function_give(call, call->argument.data, call->argument.size,
                             err);
}

/* Those that every process has. */
static bool find_own(const char *name, function *out)
{
    if (!strcmp(name, NCI_FUNCTION_VALUE))
        out->fn = give_argument;
    else if (!strcmp(name, NCI_FUNCTION_INSPECT))
        out->fn = nci_inspect_call;
    return out->fn;
}

ncg_status nci_function_run(const char *name, nci_function_frame *frame,
                            nci_buf **out, ncg_error *err)
{
    function mine = {0};
    if (!find_own(name, &mine)) {
        pthread_mutex_lock(&lock);
        const function *found = find_locked(name);
        if (found)
            mine = *found;
        pthread_mutex_unlock(&lock);
        if (!found)
            return nci_fail(err, NCG_ENOTFOUND,
                            "%s has no function %.100s: register it before "
                            "the process serves",
                            frame->call.process, name);
    }
    nci_error_clear(err);
    ncg_status st = mine.fn(&frame->call, mine.payload, err);
    if (st) {
        nci_buf_release(&frame->value);
        if (!*err->message)
            nci_fail(err, st, "function %.100s failed", name);
        err->status = st;
    }
    *out = frame->value;
    frame->value = NULL;
    return st;
}

ncg_status ncg_function_give(const ncg_function_call *call, const void *data,
                             size_t size, ncg_error *err)
{
    /* The frame that the call is in is ours and not const. */
    nci_function_frame *frame = (nci_function_frame *)(uintptr_t)call;
    if (!call || (!data && size))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    nci_buf_release(&frame->value);
    NCI_TRY(nci_buf_create(size, &frame->value, err));
    if (size)
        memcpy(nci_buf_data(frame->value), data, size);
    return NCG_OK;
}

bool ncg_function_canceled(const ncg_function_call *call)
{
    const nci_function_frame *frame = (const nci_function_frame *)call;
    return frame && frame->is_canceled && atomic_load(frame->is_canceled);
}
