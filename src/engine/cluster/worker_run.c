/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run on a worker: the machine's actions, its tasks on the pool. Where there
 * are several runs their tasks take turns: who has ended one puts the next one
 * behind those that wait for a core.
 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/cluster/worker_internal.h"

enum { TOLD_TOGETHER = 64, TOLD_WITHIN_NS = 300000 };
/* Of tasks that take less, where so many more are here. */
enum { SHORT_NS = 100000, SUPPLY = 8 };

/* ---- life ---------------------------------------------------------------- */

static void run_free(nci_hand_run *r)
{
    for (size_t i = 0; i < r->store.capacity; i++) {
        nci_buf *chunk = r->store.slots[i].value;
        nci_buf_release(&chunk);
    }
    nci_task_map_fini(&r->store);
    for (size_t i = 0; i < r->disk.capacity; i++) {
        nci_extent *copy = r->disk.slots[i].value;
        nci_spill_file_drop(r->spill, &copy);
    }
    nci_task_map_fini(&r->disk);
    nci_spill_file_free(&r->spill);
    while (r->ntrash)
        nci_buf_release(&r->trash[--r->ntrash]);
    nci_free(r->trash);
    nci_free(r->questions);
    nci_free(r->actions.items);
    nci_batch_fini(&r->outbox);
    nci_worker_free(&r->machine);
    if (r->hosted.plan)
        r->hand->host->close(r->hand->host->ctx, &r->hosted);
    nci_plan_message_fini(&r->message);
    nci_buf_release(&r->body);
    nci_hand_give_back_locked(r);
    nci_free(r);
}

void nci_hand_run_release_locked(nci_hand_run **slot)
{
    nci_hand_run *r = *slot;
    *slot = NULL;
    if (r && --r->refs == 0)
        run_free(r);
}

nci_hand_run *nci_hand_find_locked(nci_hand *hand, uint32_t run)
{
    for (nci_hand_run *r = hand->runs; r; r = r->next)
        if (r->id == run)
            return r;
    return NULL;
}

void nci_hand_forget_locked(nci_hand *hand, nci_hand_run *run)
{
    nci_hand_run **at = &hand->runs;
    while (*at && *at != run)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = run->next;
    run->next = NULL; /* who goes through them and holds this one stops here */
    atomic_store(&run->stopping, true);
    for (size_t i = 0; i < run->nquestions; i++) {
        ncg_error over;
        nci_fail(&over, NCG_ENOTFOUND, "the computation is over");
        nci_serve_fail(hand->net, run->questions[i], &over);
    }
    run->nquestions = 0;
    nci_hand_run_release_locked(&run);
}

void nci_hand_failure(nci_hand *hand, uint32_t run, int64_t task,
                      const ncg_error *error)
{
    nci_pack pack = {0};
    nci_failure_pack(&pack, task, error);
    nci_dialogue_send(hand->net, hand->conn, NCI_WIRE_FAILED, run, &pack, NULL);
}

/* ---- chunks at hand ------------------------------------------------------ */

void nci_hand_trash_locked(nci_hand_run *r, nci_buf *chunk)
{
    if (!chunk)
        return;
    if (nci_grow(&r->trash, &r->trash_capacity, r->ntrash + 1,
                 sizeof *r->trash))
        r->trash[r->ntrash++] = chunk;
    else
        nci_buf_release(&chunk);
}

bool nci_hand_keep_locked(nci_hand_run *r, int64_t task, nci_buf **chunk)
{
    nci_hand_trash_locked(r, nci_task_map_remove(&r->store, task));
    if (!nci_task_map_reserve(&r->store))
        return false;
    nci_task_map_put(&r->store, task, *chunk);
    *chunk = NULL;
    return true;
}

/* ---- tasks --------------------------------------------------------------- */

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What a task left is kept, its end told; false: it could not be kept. */
static void report_locked(nci_hand_run *r, nci_worker_event *event,
                          nci_buf **out, ncg_error *err)
{
    event->bytes = (int64_t)nci_buf_size(*out);
    if (!event->status && !nci_hand_keep_locked(r, event->task, out))
        event->status = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (event->status && event->status != NCG_ECANCELED) {
        err->status = event->status;
        nci_hand_failure(r->hand, r->id, event->task, err);
    }
    nci_hand_event_locked(r, event);
}

static void do_task(nci_hand_run *r, nci_lane *lane,
                    const nci_worker_action *action)
{
    ncg_error err;
    nci_buf *out = NULL;
    nci_worker_event event = {.kind = NCI_WORKER_ENDED,
                              .task = action->task,
                              .attempt = action->attempt};
    pthread_mutex_lock(&r->hand->lock);
    nci_lane_gather(lane, r->hosted.plan, &r->store, action->task);
    pthread_mutex_unlock(&r->hand->lock);
    int64_t start = nanoseconds();
    nci_error_clear(&err);
    event.status = nci_lane_execute(&r->tasks, lane, action->task,
                                    action->threads, &out, &err);
    event.spent = nanoseconds() - start;
    event.fills = atomic_load(&lane->fills);
    if (event.status)
        nci_buf_release(&out);
    pthread_mutex_lock(&r->hand->lock);
    report_locked(r, &event, &out, &err);
    nci_hand_trash_locked(r, out);
    r->spent = event.spent;
}

static void submit_locked(nci_hand_run *r, const nci_worker_action *action);

/* Runs tasks as long as the end of one leads to the next and no other waits. */
static void run_job(const nci_job *job, int thread)
{
    nci_hand_run *r = job->ctx;
    nci_hand *hand = r->hand;
    nci_lane *lane = &hand->executor->lanes[thread];
    nci_worker_action action = {
        .task = job->task, .attempt = job->attempt, .threads = job->threads};
    bool go_on = true;
    pthread_mutex_lock(&hand->lock);
    hand->queued--;
    pthread_mutex_unlock(&hand->lock);
    while (go_on) {
        do_task(r, lane, &action);
        go_on = nci_hand_apply_locked(r, &action);
        if (go_on && hand->queued) {
            submit_locked(r, &action);
            go_on = false;
        }
        nci_hand_leave_soon(r, go_on);
    }
    pthread_mutex_lock(&hand->lock);
    r->active--;
    hand->active--;
    nci_hand_run_release_locked(&r);
    if (!hand->active && hand->is_ending)
        pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
}

static void submit_locked(nci_hand_run *r, const nci_worker_action *action)
{
    nci_job job = {.run = run_job,
                   .ctx = r,
                   .task = action->task,
                   .attempt = action->attempt,
                   .threads = action->threads};
    r->refs++;
    r->active++;
    r->hand->active++;
    r->hand->queued++;
    nci_pool_submit(r->hand->executor->pool, -1, &job);
}

/* ---- actions ------------------------------------------------------------- */

void nci_hand_event_locked(nci_hand_run *r, const nci_worker_event *event)
{
    if (!r->is_broken &&
        nci_worker_handle(r->machine, event, &r->actions, NULL))
        r->is_broken = true;
}

static void tell_locked(nci_hand_run *r, const nci_event *event)
{
    nci_batch_event(&r->outbox, event);
}

static void act_locked(nci_hand_run *r, const nci_worker_action *action)
{
    switch (action->kind) {
    case NCI_WORKER_START:
        submit_locked(r, action);
        break;
    case NCI_WORKER_FETCH:
        nci_hand_fetch_locked(r, action);
        break;
    case NCI_WORKER_SERVE:
    case NCI_WORKER_REFUSE:
        nci_hand_answer_locked(r, action);
        break;
    case NCI_WORKER_WRITE:
    case NCI_WORKER_READ_BACK:
    case NCI_WORKER_CHECKPOINT:
        nci_hand_disk_locked(r, action);
        break;
    case NCI_WORKER_DROP:
        nci_hand_trash_locked(r, nci_task_map_remove(&r->store, action->task));
        break;
    case NCI_WORKER_DROP_COPY:
        nci_hand_drop_copy_locked(r, action->task);
        break;
    case NCI_WORKER_TELL:
        tell_locked(r, &action->event);
        break;
    case NCI_WORKER_LEAVE:
        r->hand->is_leaving = true;
        pthread_cond_broadcast(&r->hand->changed);
        break;
    case NCI_WORKER_STOP:
        atomic_store(&r->stopping, true);
        break;
    case NCI_WORKER_ABORT:
        nci_hand_abort_locked(r, action);
        break;
    }
}

bool nci_hand_apply_locked(nci_hand_run *r, nci_worker_action *mine)
{
    bool has_mine = false;
    /* Carrying out may add to the list. */
    for (size_t i = 0; i < r->actions.count; i++) {
        nci_worker_action action = r->actions.items[i];
        bool starts = action.kind == NCI_WORKER_START;
        if (starts && r->hand->is_ending)
            continue;
        if (starts && mine && !has_mine) {
            *mine = action;
            has_mine = true;
        } else {
            act_locked(r, &action);
        }
    }
    r->actions.count = 0;
    return has_mine;
}

/* Before the tasks that read it count as done, so that at the end of a run all
 * is known. Where two runs read at once, one is told what both did. */
static void tell_reads_locked(nci_hand_run *r)
{
    nci_hand *hand = r->hand;
    nci_io_stats now;
    nci_pack pack = {0};
    hand->host->reads(hand->host->ctx, &now);
    nci_io_stats more = nci_reads_since(&now, &hand->reads);
    if (!more.chunks_direct && !more.chunks_library)
        return;
    hand->reads = now;
    nci_reads_pack(&pack, &more);
    nci_dialogue_send(hand->net, hand->conn, NCI_WIRE_READS, r->id, &pack,
                      NULL);
}

static void send_records_locked(nci_hand_run *r)
{
    nci_hand *hand = r->hand;
    ncg_error err;
    if (r->outbox.nbytes)
        tell_reads_locked(r);
    if (r->is_broken ||
        nci_batch_send(&r->outbox, hand->net, hand->conn, NCI_WIRE_DONE,
                       r->id, &err) == NCG_ENOMEM)
        nci_net_close(hand->net, hand->conn);
    r->outbox_since = 0;
}

/* While short tasks follow each other what happens is told together: a message
 * each would cost more than they do. There must be enough to do here until the
 * scheduler is heard again: a task that begins, or some that were sent ahead of
 * their inputs. Nothing waits long: for what is left when a long task begins
 * there is a clock. */
static bool may_wait_locked(nci_hand_run *r, bool has_next)
{
    nci_hand *hand = r->hand;
    nci_worker_stats here;
    nci_worker_get_stats(r->machine, &here);
    if (!has_next && here.tasks - here.running < SUPPLY)
        return false;
    if (hand->is_ending || r->is_broken || r->spent > SHORT_NS ||
        !r->outbox.nbytes ||
        r->outbox.nbytes >= (size_t)TOLD_TOGETHER * NCI_RECORD_SIZE)
        return false;
    int64_t now = nanoseconds();
    if (!r->outbox_since)
        r->outbox_since = now;
    if (now - r->outbox_since > TOLD_WITHIN_NS)
        return false;
    if (!hand->clock &&
        nci_net_timer_start(hand->net, 1, true, nci_hand_on_clock, hand,
                            &hand->clock, NULL))
        return false;
    return true;
}

void nci_hand_on_clock(void *ctx)
{
    nci_hand *hand = ctx;
    bool is_needed = false;
    pthread_mutex_lock(&hand->lock);
    for (nci_hand_run *r = hand->runs; r; r = r->next) {
        is_needed = is_needed || r->outbox_since;
        if (r->outbox_since && nanoseconds() - r->outbox_since > TOLD_WITHIN_NS)
            send_records_locked(r);
    }
    if (!is_needed && hand->clock)
        nci_net_timer_stop(&hand->clock);
    pthread_mutex_unlock(&hand->lock);
}

static void leave(nci_hand_run *r, bool waits)
{
    nci_hand *hand = r->hand;
    nci_buf **trash = r->trash;
    size_t n = r->ntrash;
    r->trash = NULL;
    r->ntrash = r->trash_capacity = 0;
    if (!waits)
        send_records_locked(r);
    pthread_mutex_unlock(&hand->lock);
    while (n)
        nci_buf_release(&trash[--n]);
    nci_free(trash);
}

void nci_hand_leave(nci_hand_run *r)
{
    leave(r, false);
}

void nci_hand_leave_soon(nci_hand_run *r, bool has_next)
{
    leave(r, may_wait_locked(r, has_next));
}

/* ---- orders -------------------------------------------------------------- */

static ncg_status obey_locked(nci_hand *hand, nci_hand_run *r,
                              const uint8_t *record, ncg_error *err)
{
    nci_action order;
    NCI_TRY(nci_order_decode(record, &order, err));
    if (!r) { /* not about a run */
        hand->is_leaving |= order.kind == NCI_ACTION_LEAVE;
        pthread_cond_broadcast(&hand->changed);
        return NCG_OK;
    }
    if (order.kind == NCI_ACTION_DROP_CHECKPOINT) {
        nci_checkpoint_drop_locked(r, order.task);
        return NCG_OK;
    }
    bool is_of_task = order.kind != NCI_ACTION_DONE &&
                      order.kind != NCI_ACTION_FAILED &&
                      order.kind != NCI_ACTION_LEAVE;
    if (is_of_task &&
        (order.task < 0 || order.task >= r->hosted.plan->ntasks))
        return nci_fail(err, NCG_ENET, "an order about task %lld",
                        (long long)order.task);
    order.worker = hand->roster.number;
    if (nci_worker_order(r->machine, &order, &r->actions, err))
        r->is_broken = true;
    return NCG_OK;
}

void nci_hand_orders(nci_hand *hand, const nci_message *message)
{
    ncg_error err;
    ncg_status st = NCG_OK;
    const uint8_t *records = message->head;
    pthread_mutex_lock(&hand->lock);
    nci_hand_run *r = nci_hand_find_locked(hand, message->request);
    if (message->request && !r) { /* over, as far as this process knows */
        pthread_mutex_unlock(&hand->lock);
        return;
    }
    if (r)
        r->refs++;
    for (size_t at = 0; !st && at + NCI_RECORD_SIZE <= message->nhead;
         at += NCI_RECORD_SIZE)
        st = obey_locked(hand, r, records + at, &err);
    if (st)
        nci_net_close(hand->net, hand->conn);
    if (!r) {
        pthread_mutex_unlock(&hand->lock);
        return;
    }
    nci_hand_apply_locked(r, NULL);
    nci_hand_leave(r);
    pthread_mutex_lock(&hand->lock);
    nci_hand_run_release_locked(&r);
    pthread_mutex_unlock(&hand->lock);
}
