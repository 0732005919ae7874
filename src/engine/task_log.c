/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring of notes: `count` of them were written so far, note i lies at
 * i % room. Threads write one after the other, so notes are in the order in
 * which tasks ended. */
#include "engine/task_log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/mem.h"
#include "graph/dump.h"
#include "graph/tasks.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the ring */
static ncg_task_note *ring;
static size_t room, count;
static _Atomic bool is_on;

ncg_status nci_task_log_start(size_t most, ncg_error *err)
{
    ncg_task_note *made = NULL;
    if (most && !(made = nci_calloc(most, sizeof *made)))
        return nci_fail(err, NCG_ENOMEM, "out of memory (a log of tasks)");
    pthread_mutex_lock(&lock);
    ncg_task_note *old = ring;
    ring = made;
    room = most;
    count = 0;
    atomic_store(&is_on, most > 0);
    pthread_mutex_unlock(&lock);
    nci_free(old);
    return NCG_OK;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double nci_task_log_now(void)
{
    return atomic_load_explicit(&is_on, memory_order_relaxed) ? now() : 0;
}

void nci_task_log_note(const nci_plan *plan, int64_t task, double start,
                       size_t nbytes, ncg_status status)
{
    const nci_layer *layer = nci_plan_layer(plan, task);
    ncg_task_note note = {.name = layer->name,
                          .kind = nci_layer_kind_name(layer),
                          .kernel = nci_layer_kernel(layer),
                          .number = task - layer->base,
                          .start = start,
                          .thread = (uint64_t)pthread_self(),
                          .nbytes = nbytes,
                          .status = status};
    nci_token_text(layer->token, note.token);
    pthread_mutex_lock(&lock);
    note.stop = now();
    if (room)
        ring[count++ % room] = note;
    pthread_mutex_unlock(&lock);
}

size_t nci_task_log_since(double since, ncg_task_note *out, size_t most)
{
    size_t n = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = count > room ? count - room : 0; i < count; i++) {
        const ncg_task_note *note = &ring[i % room];
        if (note->stop < since)
            continue;
        if (n < most)
            out[n] = *note;
        n++;
    }
    pthread_mutex_unlock(&lock);
    return n;
}
