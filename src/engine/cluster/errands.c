/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/cluster/errands.h"

#include <pthread.h>
#include <signal.h>

#include "base/mem.h"

typedef struct errand {
    void (*fn)(void *ctx);
    void *ctx;
    struct errand *next;
} errand;

struct nci_errands {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    errand *first, *last;
    bool stopping, has_ended;
};

static errand *take(nci_errands *e)
{
    pthread_mutex_lock(&e->lock);
    while (!e->first && !e->stopping)
        pthread_cond_wait(&e->wake, &e->lock);
    errand *mine = e->first;
    if (mine)
        e->first = mine->next;
    pthread_mutex_unlock(&e->lock);
    return mine;
}

static void *thread_main(void *arg)
{
    nci_errands *e = arg;
    for (errand *mine = take(e); mine; mine = take(e)) {
        mine->fn(mine->ctx);
        nci_free(mine);
    }
    return NULL;
}

ncg_status nci_errands_create(nci_errands **out, ncg_error *err)
{
    sigset_t all, before;
    nci_errands *e = nci_calloc(1, sizeof *e);
    if (!e)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->wake, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int bad = pthread_create(&e->thread, NULL, thread_main, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!bad) {
        *out = e;
        return NCG_OK;
    }
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    nci_free(e);
    return nci_fail_sys(err, NCG_ENOMEM, bad, "cannot start a thread");
}

ncg_status nci_errands_add(nci_errands *e, void (*fn)(void *ctx), void *ctx,
                           ncg_error *err)
{
    errand *mine = nci_alloc(sizeof *mine);
    if (!mine)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *mine = (errand){fn, ctx, NULL};
    pthread_mutex_lock(&e->lock);
    if (e->stopping) {
        pthread_mutex_unlock(&e->lock);
        nci_free(mine);
        return nci_fail(err, NCG_ECANCELED, "this process is about to end");
    }
    if (e->first)
        e->last->next = mine;
    else
        e->first = mine;
    e->last = mine;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    return NCG_OK;
}

void nci_errands_end(nci_errands *e)
{
    if (!e || e->has_ended)
        return;
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    e->has_ended = true;
}

void nci_errands_free(nci_errands **slot)
{
    nci_errands *e = *slot;
    *slot = NULL;
    if (!e)
        return;
    nci_errands_end(e);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    nci_free(e);
}
