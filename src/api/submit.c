/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs that do not keep the caller waiting. One thread a context takes them
 * from a queue and computes each as ncg_compute does; what the run adds
 * (callbacks, cancelling, retries) reaches the schedulers as the thread's
 * nci_run_control.
 *
 * One lock, the queue's, guards the queue and the states of its runs. It is
 * never held while something is computed or a callback runs, so callbacks may
 * poll, cancel and submit.
 */
#include "api/submit.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "api/protocol.h"
#include "api/turn.h"
#include "base/mem.h"
#include "engine/executor_internal.h"
#include "engine/serial.h"

struct ncg_run {
    nci_handle handle; /* first */
    _Atomic int32_t refs;
    ncg_context *ctx;
    ncg_collection *collections; /* retained */
    size_t n;
    ncg_compute_options how;
    nci_run_control control;
    ncg_run *next; /* in the queue; guarded as the next ones by its lock */
    ncg_run_state state;
    bool is_taken; /* results have been handed out */
    void **results;
    ncg_error error;
    char *error_key, *error_path; /* set before the state says so */
};

struct nci_run_queue {
    pthread_mutex_t lock; /* guards what follows, and states of runs */
    pthread_cond_t changed;
    ncg_run *first, *last;
    ncg_run *current;
    bool stopping, has_thread;
    pthread_t thread;
};

/* ---- runs
 * ------------------------------------------------------------------------ */

ncg_run *ncg_run_retain(ncg_run *run)
{
    if (!run)
        return NULL;
    nci_handle_assert(&run->handle, NCI_HANDLE_RUN, __func__);
    atomic_fetch_add_explicit(&run->refs, 1, memory_order_relaxed);
    return run;
}

void ncg_run_release(ncg_run **slot)
{
    ncg_run *run = slot ? *slot : NULL;
    if (!run)
        return;
    nci_handle_assert(&run->handle, NCI_HANDLE_RUN, __func__);
    *slot = NULL;
    if (atomic_fetch_sub_explicit(&run->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (run->results)
        nci_collections_drop(run->collections, run->n, run->results);
    for (size_t i = 0; i < run->n; i++)
        run->collections[i].type->release(run->collections[i].self);
    nci_plan_free(&run->control.plan);
    nci_free(run->collections);
    nci_free(run->results);
    nci_free(run->error_key);
    nci_free(run->error_path);
    nci_context_release(&run->ctx);
    nci_handle_free(&run->handle);
}

static bool has_ended(const ncg_run *run)
{
    return run->state >= NCG_RUN_DONE;
}

static ncg_status create(ncg_context *ctx, const ncg_collection *collections,
                         size_t n, const ncg_submit_options *options,
                         ncg_run **out, ncg_error *err)
{
    ncg_run *run = nci_calloc(1, sizeof *run);
    ncg_collection *copy = nci_calloc(n + 1, sizeof *copy);
    void **results = nci_calloc(n + 1, sizeof *results);
    if (!run || !copy || !results) {
        nci_free(run);
        nci_free(copy);
        nci_free(results);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    nci_handle_init(&run->handle, NCI_HANDLE_RUN);
    atomic_init(&run->refs, 1);
    run->ctx = nci_context_retain(ctx);
    run->collections = copy;
    run->results = results;
    for (size_t i = 0; i < n; i++) {
        copy[i] = collections[i];
        copy[i].type->retain(copy[i].self);
    }
    run->n = n;
    run->how = (ncg_compute_options){sizeof run->how, options->scheduler,
                                     options->no_optimize};
    run->control.progress = options->progress;
    run->control.progress_payload = options->progress_payload;
    run->control.key_done = options->key_done;
    run->control.key_done_payload = options->key_done_payload;
    run->control.retries = options->retries;
    run->control.failed = -1;
    *out = run;
    return NCG_OK;
}

/* ---- what failed
 * -------------------------------------------------------------------- */

static void describe_failure(ncg_run *run)
{
    const nci_run_control *control = &run->control;
    if (!control->plan || control->failed < 0)
        return;
    char text[NCG_KEY_TEXT_SIZE];
    run->error_key =
        nci_strdup(nci_failed_key(control->plan, control->failed, text));
    run->error_path = nci_failed_path(control->plan, control->failed);
}

/* ---- the thread
 * ------------------------------------------------------------------------ */

static ncg_run *take_locked(nci_run_queue *q)
{
    while (!q->first && !q->stopping)
        pthread_cond_wait(&q->changed, &q->lock);
    ncg_run *run = q->first;
    if (!run || q->stopping)
        return NULL;
    q->first = run->next;
    q->last = q->first ? q->last : NULL;
    q->current = run;
    run->next = NULL;
    run->state = NCG_RUN_RUNNING;
    return run;
}

static void end_locked(nci_run_queue *q, ncg_run *run, ncg_status st)
{
    run->error.status = st;
    run->state = !st                   ? NCG_RUN_DONE
                 : st == NCG_ECANCELED ? NCG_RUN_CANCELED
                                       : NCG_RUN_FAILED;
    q->current = NULL;
    pthread_cond_broadcast(&q->changed);
}

static void *work(void *arg)
{
    nci_run_queue *q = arg;
    pthread_mutex_lock(&q->lock);
    for (ncg_run *run; (run = take_locked(q));) {
        pthread_mutex_unlock(&q->lock);
        nci_error_clear(&run->error);
        nci_control_set(&run->control);
        ncg_status st = ncg_compute(run->ctx, run->collections, run->n,
                                    &run->how, run->results, &run->error);
        nci_control_set(NULL);
        if (st)
            describe_failure(run);
        pthread_mutex_lock(&q->lock);
        end_locked(q, run, st);
        pthread_mutex_unlock(&q->lock);
        ncg_run_release(&run);
        pthread_mutex_lock(&q->lock);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* ---- the queue
 * ------------------------------------------------------------------------- */

static nci_run_queue *queue_create(void)
{
    nci_run_queue *q = nci_calloc(1, sizeof *q);
    pthread_condattr_t attr;
    if (!q)
        return NULL;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->changed, &attr);
    pthread_condattr_destroy(&attr);
    return q;
}

/* Signals belong to the program's own threads. */
static ncg_status start_thread(nci_run_queue *q, ncg_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&q->thread, NULL, work, q);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure)
        return nci_fail_sys(err, NCG_ENOMEM, failure,
                            "cannot start the thread of submitted runs");
    q->has_thread = true;
    return NCG_OK;
}

/* The context's queue with its thread, made with the first run. */
static ncg_status get_queue(ncg_context *ctx, nci_run_queue **out,
                            ncg_error *err)
{
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&ctx->lock);
    if (!ctx->queue)
        ctx->queue = queue_create();
    if (!ctx->queue)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (!ctx->queue->has_thread && !ctx->queue->stopping)
        st = start_thread(ctx->queue, err);
    *out = ctx->queue;
    pthread_mutex_unlock(&ctx->lock);
    return st;
}

static ncg_status enqueue(nci_run_queue *q, ncg_run *run, ncg_error *err)
{
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&q->lock);
    if (q->stopping) {
        st = nci_fail(err, NCG_EINVAL, "the context was destroyed");
    } else {
        if (q->last)
            q->last->next = run;
        else
            q->first = run;
        q->last = ncg_run_retain(run);
        pthread_cond_broadcast(&q->changed);
    }
    pthread_mutex_unlock(&q->lock);
    return st;
}

/* Takes a run that waits out of the queue. */
static void unlink_locked(nci_run_queue *q, ncg_run *run)
{
    ncg_run **slot = &q->first, *before = NULL;
    while (*slot && *slot != run) {
        before = *slot;
        slot = &before->next;
    }
    if (!*slot)
        return;
    *slot = run->next;
    if (q->last == run)
        q->last = before;
    run->next = NULL;
}

/* True when the caller has the queue's reference to release. */
static bool cancel_locked(nci_run_queue *q, ncg_run *run)
{
    atomic_store(&run->control.cancel, true);
    if (run->state != NCG_RUN_QUEUED)
        return false;
    unlink_locked(q, run);
    nci_fail(&run->error, NCG_ECANCELED, "canceled before it began");
    run->state = NCG_RUN_CANCELED;
    pthread_cond_broadcast(&q->changed);
    return true;
}

void nci_queue_stop(ncg_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    nci_run_queue *q = ctx->queue;
    pthread_mutex_unlock(&ctx->lock);
    /* After fork the thread is not there to be waited for. */
    if (!q || nci_executor_check(ctx->executor, NULL))
        return;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    while (q->first) {
        ncg_run *run = q->first;
        cancel_locked(q, run);
        pthread_mutex_unlock(&q->lock);
        ncg_run_release(&run);
        pthread_mutex_lock(&q->lock);
    }
    if (q->current)
        atomic_store(&q->current->control.cancel, true);
    bool has_thread = q->has_thread;
    q->has_thread = false;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    if (has_thread)
        pthread_join(q->thread, NULL);
}

void nci_queue_free(nci_run_queue **slot)
{
    nci_run_queue *q = *slot;
    *slot = NULL;
    if (!q)
        return;
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    nci_free(q);
}

/* ---- the public functions
 * ----------------------------------------------------------------- */

ncg_status ncg_submit(ncg_context *ctx, const ncg_collection *collections,
                      size_t n, const ncg_submit_options *options,
                      ncg_run **out, ncg_error *err)
{
    static const ncg_submit_options defaults = NCG_SUBMIT_OPTIONS_INIT;
    nci_run_queue *q = NULL;
    ncg_run *run = NULL;
    if (!ctx)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&ctx->handle, NCI_HANDLE_CONTEXT, err));
    NCI_TRY(nci_collections_check(collections, n, out, err));
    if (options && options->struct_size < sizeof *options)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    options = options ? options : &defaults;
    if (options->retries < 0)
        return nci_fail(err, NCG_EINVAL, "negative number of retries");
    if (!ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context was destroyed");
    NCI_TRY(nci_executor_check(ctx->executor, err));
    NCI_TRY(get_queue(ctx, &q, err));
    NCI_TRY(create(ctx, collections, n, options, &run, err));
    ncg_status st = enqueue(q, run, err);
    if (st)
        ncg_run_release(&run);
    else
        *out = run;
    return st;
}

static nci_run_queue *queue_of(const ncg_run *run, const char *function)
{
    nci_handle_assert(&run->handle, NCI_HANDLE_RUN, function);
    return run->ctx->queue;
}

ncg_run_state ncg_run_poll(const ncg_run *run)
{
    if (!run)
        return NCG_RUN_FAILED;
    nci_run_queue *q = queue_of(run, __func__);
    pthread_mutex_lock(&q->lock);
    ncg_run_state state = run->state;
    pthread_mutex_unlock(&q->lock);
    return state;
}

static struct timespec deadline_in(double seconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    seconds = seconds > 1e9 ? 1e9 : seconds;
    at.tv_sec += (time_t)seconds;
    at.tv_nsec += (long)(1e9 * (seconds - (double)(time_t)seconds));
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

ncg_run_state ncg_run_wait(ncg_run *run, double seconds)
{
    if (!run)
        return NCG_RUN_FAILED;
    nci_run_queue *q = queue_of(run, __func__);
    if (nci_turn_is_inside(run->ctx))
        return ncg_run_poll(run);
    struct timespec until = deadline_in(seconds < 0 ? 0 : seconds);
    int failure = 0;
    pthread_mutex_lock(&q->lock);
    while (!has_ended(run) && failure != ETIMEDOUT)
        failure = seconds < 0
                      ? pthread_cond_wait(&q->changed, &q->lock)
                      : pthread_cond_timedwait(&q->changed, &q->lock, &until);
    ncg_run_state state = run->state;
    pthread_mutex_unlock(&q->lock);
    return state;
}

void ncg_run_cancel(ncg_run *run)
{
    if (!run)
        return;
    nci_run_queue *q = queue_of(run, __func__);
    ncg_run *queued = run;
    pthread_mutex_lock(&q->lock);
    bool release = cancel_locked(q, run);
    pthread_mutex_unlock(&q->lock);
    if (release)
        ncg_run_release(&queued);
}

ncg_status ncg_run_results(ncg_run *run, void **results, ncg_error *err)
{
    if (!run || !results)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&run->handle, NCI_HANDLE_RUN, err));
    nci_run_queue *q = queue_of(run, __func__);
    pthread_mutex_lock(&q->lock);
    ncg_run_state state = run->state;
    bool is_taken = run->is_taken;
    run->is_taken = is_taken || state == NCG_RUN_DONE;
    pthread_mutex_unlock(&q->lock);
    if (state < NCG_RUN_DONE)
        return nci_fail(err, NCG_EINVAL, "the run has not ended: wait for it");
    if (state != NCG_RUN_DONE) {
        if (err)
            *err = run->error;
        return run->error.status;
    }
    if (is_taken)
        return nci_fail(err, NCG_EINVAL, "the results were taken before");
    memcpy(results, run->results, run->n * sizeof *results);
    memset(run->results, 0, run->n * sizeof *results);
    return NCG_OK;
}

const char *ncg_run_error_key(const ncg_run *run)
{
    return run && ncg_run_poll(run) >= NCG_RUN_DONE ? run->error_key : NULL;
}

const char *ncg_run_error_path(const ncg_run *run)
{
    return run && ncg_run_poll(run) >= NCG_RUN_DONE ? run->error_path : NULL;
}

ncg_status ncg_run_recompute_failed(ncg_run *run, ncg_error *err)
{
    if (!run)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&run->handle, NCI_HANDLE_RUN, err));
    if (ncg_run_poll(run) < NCG_RUN_DONE || !run->error_key)
        return nci_fail(err, NCG_EINVAL, "no task of the run has failed");
    ncg_context *ctx = run->ctx;
    nci_turn turn;
    NCI_TRY(nci_turn_begin(ctx, &turn, err));
    ncg_status st =
        ctx->executor ? nci_serial_task(ctx->executor, run->control.plan,
                                        ctx->sources, run->control.failed, err)
                      : nci_fail(err, NCG_EINVAL, "the context was destroyed");
    nci_turn_end(&turn);
    return st;
}
