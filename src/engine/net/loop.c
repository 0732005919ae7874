/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/net/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Everything that is posted now; the loop's thread. */
static void run_jobs(nci_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    nci_loop_job *job = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->lock);
    while (job) {
        nci_loop_job *next = job->next; /* fn may free an unowned job */
        nci_loop_fn fn = job->fn;
        void *ctx = job->ctx;
        if (job->owned)
            nci_free(job);
        fn(ctx);
        job = next;
    }
}

static void on_wake(uv_async_t *wake)
{
    run_jobs(wake->data);
}

static void on_before_wait(uv_prepare_t *prepare)
{
    nci_loop *loop = prepare->data;
    loop->flush(loop->flush_ctx);
}

static void *loop_main(void *ctx)
{
    nci_loop *loop = ctx;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

static ncg_status fail_uv(const char *what, int code, ncg_error *err)
{
    return nci_fail_sys(
        err, NCG_ENET, -code, "cannot %s: %s%s", what, uv_strerror(code),
        code == UV_EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_uv(nci_loop *loop)
{
    uv_walk(&loop->uv, close_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
}

/* The new thread inherits a mask that lets no signal through: they are the
 * program's. */
static int start_thread(nci_loop *loop, const char *name)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = pthread_create(&loop->thread, NULL, loop_main, loop);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!code)
        pthread_setname_np(loop->thread, name);
    return code;
}

ncg_status nci_loop_start(nci_loop *loop, const char *name, nci_loop_fn flush,
                          void *flush_ctx, ncg_error *err)
{
    *loop = (nci_loop){.flush = flush, .flush_ctx = flush_ctx};
    loop->last = &loop->first;
    int code = uv_loop_init(&loop->uv);
    if (code)
        return fail_uv("make an event loop", code, err);
    code = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (code) {
        close_uv(loop);
        return fail_uv("make an event loop", code, err);
    }
    loop->wake.data = loop;
    uv_prepare_init(&loop->uv, &loop->before_wait);
    loop->before_wait.data = loop;
    if (flush)
        uv_prepare_start(&loop->before_wait, on_before_wait);
    pthread_mutex_init(&loop->lock, NULL);
    code = start_thread(loop, name);
    if (code) {
        close_uv(loop);
        pthread_mutex_destroy(&loop->lock);
        return nci_fail_sys(err, NCG_ENOMEM, code, "cannot start a thread: %s",
                            strerror(code));
    }
    loop->started = true;
    return NCG_OK;
}

static void end_loop(void *ctx)
{
    nci_loop *loop = ctx;
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->before_wait, NULL);
}

void nci_loop_end(nci_loop *loop)
{
    nci_loop_job last = {.fn = end_loop, .ctx = loop};
    if (!loop->started)
        return;
    nci_loop_post_job(loop, &last);
    pthread_join(loop->thread, NULL);
    close_uv(loop);
    pthread_mutex_destroy(&loop->lock);
    loop->started = false;
}

bool nci_loop_post_job(nci_loop *loop, nci_loop_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&loop->lock);
    bool taken = !loop->ending;
    if (taken) {
        *loop->last = job;
        loop->last = &job->next;
        loop->ending = job->fn == end_loop;
        uv_async_send(&loop->wake);
    }
    pthread_mutex_unlock(&loop->lock);
    return taken;
}

ncg_status nci_loop_post(nci_loop *loop, nci_loop_fn fn, void *ctx,
                         ncg_error *err)
{
    nci_loop_job *job = nci_alloc(sizeof *job);
    if (!job)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *job = (nci_loop_job){.fn = fn, .ctx = ctx, .owned = true};
    if (nci_loop_post_job(loop, job))
        return NCG_OK;
    nci_free(job);
    return nci_fail(err, NCG_ECANCELED, "the connections are being closed");
}

bool nci_loop_is_mine(const nci_loop *loop)
{
    return loop->started && pthread_equal(pthread_self(), loop->thread);
}
