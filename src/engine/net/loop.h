/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_LOOP_H
#define NCI_ENGINE_NET_LOOP_H
/*
 * A libuv loop in a thread of its own. Other threads reach it by posting jobs;
 * everything else of a loop belongs to its thread. Jobs run in the order in
 * which they were posted. The thread takes no signals.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/error.h"

typedef void (*nci_loop_fn)(void *ctx);

typedef struct nci_loop_job {
    struct nci_loop_job *next;
    nci_loop_fn fn;
    void *ctx;
    bool owned; /* by the loop, which frees it */
} nci_loop_job;

typedef struct nci_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_wait;
    pthread_t thread;
    bool started;
    nci_loop_fn flush; /* called before the loop waits */
    void *flush_ctx;
    pthread_mutex_t lock; /* guards what follows */
    nci_loop_job *first, **last;
    bool ending; /* no job is taken any more */
} nci_loop;

/* nci_loop_start begins the thread; `flush` (may be NULL) is called on it
 * each time before it waits. */
ncg_status nci_loop_start(nci_loop *loop, const char *name, nci_loop_fn flush,
                          void *flush_ctx, ncg_error *err);
/* nci_loop_end lets the jobs posted so far run, then joins the thread once the
 * loop's handles are closed: whoever has some closes them in a job before. */
void nci_loop_end(nci_loop *loop);
/* nci_loop_post: ENOMEM, or ECANCELED where the loop has ended. Any thread. */
ncg_status nci_loop_post(nci_loop *loop, nci_loop_fn fn, void *ctx,
                         ncg_error *err);
/* nci_loop_post_job is that with the caller's memory, not in use before fn
 * begins; false: the loop has ended. It cannot run out of memory. */
bool nci_loop_post_job(nci_loop *loop, nci_loop_job *job);
bool nci_loop_is_mine(const nci_loop *loop);

#endif
