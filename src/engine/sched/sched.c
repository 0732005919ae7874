/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state machine. Each transition of a task is written in one function:
 * pull (-> WAITING or READY), assign (-> RUNNING), finish_task (-> MEMORY or
 * STORED), start_put (-> PUTTING), release (-> no record).
 *
 * Why `limit` is kept and nothing deadlocks when limit >= peak. Let L be the
 * lowest unfinished task. All tasks below L have finished, so their outputs
 * that are still held are needed by unfinished tasks, none of them below L: a
 * subset of what is alive before L in the replay on one thread. With L's need
 * on one thread that is <= peak. Everything else is `ahead`: what tasks above
 * L hold, and what L holds beyond its need on one thread. A task is admitted
 * with its part of `ahead` only while ahead <= limit - peak, and when L moves
 * up `ahead` only shrinks. So managed <= peak + ahead <= limit. L itself adds
 * nothing to `ahead` on one thread, its inputs are below it and finished, so
 * it runs as soon as a core is idle; running tasks end; L's turn to be put
 * comes when all below it have been put. So L always finishes.
 */
#include "base/mem.h"
#include "engine/sched/choose.h"
#include "engine/sched/cluster_internal.h"

/* Bounds on the frontier, far above what keeps cores busy: records of tasks
 * that wait, and tasks finished ahead of a slow one. */
enum { MAX_WAITING = 1024, MAX_WINDOW = 1 << 20 };

/* Tasks are assigned ahead of the cores where they take less than SHORT_NS, as
 * many as take AHEAD_NS. One that was interrupted says little: it counts as
 * LONG_NS at most. */
enum { SHORT_NS = 20000, AHEAD_NS = 100000, LONG_NS = 200000 };

/* ---- life ---------------------------------------------------------------- */

ncg_status nci_sched_create(const nci_plan *plan, const nci_sched_costs *costs,
                            const nci_sched_choice *choice, nci_sched **out,
                            ncg_error *err)
{
    nci_sched *s = nci_calloc(1, sizeof *s);
    if (!s)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    s->plan = plan;
    s->costs = *costs;
    s->peak = choice->peak;
    ncg_status st = nci_order_init(&s->order, plan, &choice->way, err);
    if (!st)
        st = nci_order_needed(plan, &s->needed, err);
    if (st)
        goto done;
    s->max_waiting = MAX_WAITING;
    s->window_capacity = 64;
    s->window = nci_calloc(s->window_capacity, sizeof *s->window);
    if (!s->window) {
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
        goto done;
    }
    *out = s;
    s = NULL;
done:
    nci_sched_free(&s);
    return st;
}

void nci_sched_free(nci_sched **slot)
{
    nci_sched *s = *slot;
    *slot = NULL;
    if (!s)
        return;
    nci_cluster_free(s);
    nci_order_fini(&s->order);
    nci_records_fini(&s->records);
    nci_heap_fini(&s->ready);
    nci_free(s->needed);
    nci_free(s->window);
    nci_free(s->rank);
    nci_free(s);
}

void nci_sched_get_stats(const nci_sched *s, nci_sched_stats *out)
{
    if (s->cluster) {
        nci_cluster_get_stats(s, out);
        return;
    }
    *out = (nci_sched_stats){
        .managed = s->managed,
        .peak = s->managed_peak,
        .records = (int64_t)s->records.map.count,
        .finished = s->finished,
        .running = s->running,
        .threads = s->threads - s->idle,
        .spilled = s->spilled,
        .pace = s->pace,
    };
}

/* ---- actions --------------------------------------------------------------
 */

/* Appends an action; all but the last one of a run leave one place free, so
 * that the last one never needs memory. False: there was none. */
bool nci_sched_emit(nci_actions *actions, nci_action action)
{
    bool is_last =
        action.kind == NCI_ACTION_DONE || action.kind == NCI_ACTION_FAILED;
    size_t need = actions->count + (is_last ? 1 : 2);
    if (need > actions->capacity &&
        !nci_grow(&actions->items, &actions->capacity, need,
                  sizeof *actions->items))
        return false;
    actions->items[actions->count++] = action;
    return true;
}

void nci_sched_fail(nci_sched *s, ncg_status status)
{
    if (!s->failure)
        s->failure = status;
}

/* ---- memory ---------------------------------------------------------------
 */

int64_t nci_sched_share_ahead(const nci_sched *s, const nci_record *r)
{
    if (r->order > s->low)
        return r->held;
    if (r->order == s->low && r->held > r->need)
        return r->held - r->need;
    return 0;
}

void nci_sched_set_held(nci_sched *s, nci_record *r, int64_t held)
{
    s->ahead -= nci_sched_share_ahead(s, r);
    s->managed += held - r->held;
    r->held = held;
    s->ahead += nci_sched_share_ahead(s, r);
    if (s->managed > s->managed_peak)
        s->managed_peak = s->managed;
}

/* Moves `low` over finished tasks. They hold no more than their need, so none
 * of it is ahead; what the next one holds within its need no longer is. */
void nci_sched_advance(nci_sched *s)
{
    while (s->low < s->pulled) {
        nci_record *r = *nci_sched_window(s, s->low);
        if (r && r->state != NCI_TASK_MEMORY)
            return;
        nci_record *next =
            s->low + 1 < s->pulled ? *nci_sched_window(s, s->low + 1) : NULL;
        int64_t before = next ? nci_sched_share_ahead(s, next) : 0;
        s->low++;
        s->ahead += (next ? nci_sched_share_ahead(s, next) : 0) - before;
    }
}

void nci_sched_release(nci_sched *s, nci_record *r)
{
    nci_sched_set_held(s, r, 0);
    if (r->order >= s->low && *nci_sched_window(s, r->order) == r)
        *nci_sched_window(s, r->order) = NULL;
    nci_records_remove(&s->records, r);
}

/* ---- pulling ---------------------------------------------------------------
 */

static bool widen_window(nci_sched *s)
{
    size_t capacity = 2 * s->window_capacity;
    nci_record **window = nci_calloc(capacity, sizeof *window);
    if (!window)
        return false;
    for (int64_t i = s->low; i < s->pulled; i++)
        window[(size_t)i & (capacity - 1)] = *nci_sched_window(s, i);
    nci_free(s->window);
    s->window = window;
    s->window_capacity = capacity;
    return true;
}

typedef struct count_ctx {
    const nci_sched *sched;
    int64_t waiting;
} count_ctx;

static void count_missing(void *ctx, int input, int64_t task)
{
    count_ctx *c = ctx;
    const nci_record *r = nci_records_find(&c->sched->records, task);
    (void)input;
    /* An input has been pulled before and is kept for us: it has a record. */
    c->waiting += r->state != NCI_TASK_MEMORY;
}

/* Chunks are put in the order of their tasks, so that files are equal however
 * tasks race. */
static void queue_put(nci_sched *s, nci_record *r)
{
    if (s->put_last)
        s->put_last->next = r;
    else
        s->put_first = r;
    s->put_last = r;
}

static nci_record *add_record(nci_sched *s, int64_t task)
{
    const nci_layer *layer = nci_plan_layer(s->plan, task);
    if (s->pulled - s->low == (int64_t)s->window_capacity && !widen_window(s))
        return NULL;
    if (!nci_heap_reserve(&s->ready, s->ready.count + (size_t)s->nwaiting + 1))
        return NULL;
    nci_record *r = nci_records_add(&s->records, task);
    if (!r)
        return NULL;
    r->layer = layer;
    r->order = s->pulled++;
    *nci_sched_window(s, r->order) = r;
    r->output = layer->kind == NCI_LAYER_STORE ? layer->store.output : -1;
    r->bytes = nci_plan_bytes(s->plan, task);
    if (r->output >= 0)
        queue_put(s, r);
    r->need = r->bytes + s->costs.scratch(s->costs.ctx, task, 1);
    r->left = nci_needed_dependents(s->plan, s->needed, task);
    r->next_use = -1;
    return r;
}

bool nci_sched_may_pull(const nci_sched *s)
{
    return !s->failure && !s->walked && s->nwaiting < s->max_waiting &&
           s->pulled - s->low < MAX_WINDOW;
}

/* False also without memory. */
bool nci_sched_pull(nci_sched *s)
{
    int64_t task = -1;
    if (!nci_sched_may_pull(s))
        return false;
    ncg_status st = nci_order_next(&s->order, &task, NULL);
    nci_record *r = NULL;
    if (!st && task < 0) {
        s->walked = true;
        return false;
    }
    if (!st)
        r = add_record(s, task);
    if (!r) {
        nci_sched_fail(s, NCG_ENOMEM);
        return false;
    }
    count_ctx c = {s, 0};
    if (r->layer->ninputs)
        nci_plan_deps(s->plan, task, count_missing, &c);
    r->waiting = c.waiting;
    if (s->cluster && nci_arrive_park(s, r))
        r->waiting++;
    if (r->waiting) {
        r->state = NCI_TASK_WAITING;
        s->nwaiting++;
    } else {
        r->state = NCI_TASK_READY;
        nci_heap_push(&s->ready, r);
    }
    return true;
}

/* ---- assigning --------------------------------------------------------------
 */

/* On how many cores the task on top of the heap should run: idle cores are
 * shared among the tasks that can start now, by readiness and by memory. */
static int choose_threads(nci_sched *s, const nci_record *r, int64_t room)
{
    int64_t starters = (int64_t)s->ready.count;
    int64_t fit = r->need > 0 ? 1 + room / r->need : starters;
    int share = s->idle;
    if (fit < starters)
        starters = fit;
    if (starters > 1)
        share = (int)(s->idle / starters);
    if (share <= 1)
        return 1;
    int k = s->costs.threads(s->costs.ctx, r->task, share);
    return k < 1 ? 1 : k > share ? share : k;
}

static bool admits(const nci_sched *s, const nci_record *r, int64_t need,
                   int64_t room)
{
    return r->order == s->low ? need <= r->need || need - r->need <= room
                              : need <= room;
}

static void assign(nci_sched *s, nci_record *r, int threads, int64_t need,
                   nci_actions *actions)
{
    nci_action run = {.kind = NCI_ACTION_RUN,
                      .task = r->task,
                      .attempt = r->attempt + 1,
                      .threads = threads};
    if (!nci_sched_emit(actions, run)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return;
    }
    nci_heap_pop(&s->ready);
    r->state = NCI_TASK_RUNNING;
    r->attempt++;
    r->threads = threads;
    nci_sched_set_held(s, r, need);
    s->idle -= threads;
    s->running++;
}

/* Starts the lowest ready task; false where memory forbids it. */
static bool start_next(nci_sched *s, nci_actions *actions)
{
    nci_record *r = s->ready.items[0];
    int64_t room = s->limit - s->peak - s->ahead;
    int threads = choose_threads(s, r, room);
    int64_t need = r->need;
    if (threads > 1)
        need = r->bytes + s->costs.scratch(s->costs.ctx, r->task, threads);
    if (threads > 1 && !admits(s, r, need, room)) {
        threads = 1;
        need = r->need;
    }
    if (!admits(s, r, need, room))
        return false;
    assign(s, r, threads, need, actions);
    return true;
}

bool nci_sched_may_put(const nci_sched *s)
{
    return s->put_first && !s->putting &&
           s->put_first->state == NCI_TASK_STORED;
}

void nci_sched_start_put(nci_sched *s, nci_actions *actions)
{
    nci_record *r = s->put_first;
    nci_action put = {.kind = NCI_ACTION_PUT,
                      .task = r->task,
                      .attempt = r->attempt,
                      .threads = 1};
    if (!nci_sched_emit(actions, put)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return;
    }
    r->state = NCI_TASK_PUTTING;
    r->threads = 1;
    s->putting = true;
    s->idle--;
    s->running++;
}

static void start_all(nci_sched *s, nci_actions *actions)
{
    while (!s->failure && s->idle + s->surplus > 0) {
        if (nci_sched_may_put(s)) {
            nci_sched_start_put(s, actions);
            continue;
        }
        while (s->ready.count < (size_t)(s->idle + s->surplus) &&
               nci_sched_pull(s))
            continue;
        if (s->failure || !s->ready.count || !start_next(s, actions))
            break;
    }
}

/* Gives idle cores work; says when the run is over. */
static void dispatch(nci_sched *s, nci_actions *actions)
{
    if (s->rank)
        nci_spill_dispatch(s, actions);
    else
        start_all(s, actions);
    if (s->over || s->running)
        return;
    nci_action last = {.kind = NCI_ACTION_FAILED, .status = s->failure};
    if (!s->failure) {
        if (!s->walked || s->low < s->pulled)
            return;
        last.kind = NCI_ACTION_DONE;
    }
    s->over = nci_sched_emit(actions, last);
}

/* ---- events ----------------------------------------------------------------
 */

typedef struct drop_ctx {
    nci_sched *sched;
    nci_actions *actions;
} drop_ctx;

static void drop_input(void *ctx, int input, int64_t task)
{
    drop_ctx *d = ctx;
    nci_record *r = nci_records_find(&d->sched->records, task);
    (void)input;
    if (d->sched->rank)
        nci_spill_unpin(r);
    if (--r->left > 0 || (d->sched->rank && !nci_spill_drop(r)))
        return;
    nci_action drop = {.kind = NCI_ACTION_RELEASE, .task = task};
    if (!nci_sched_emit(d->actions, drop))
        nci_sched_fail(d->sched, NCG_ENOMEM);
    nci_sched_release(d->sched, r);
}

static void wake_user(void *ctx, int input, int64_t task)
{
    nci_sched *s = ctx;
    nci_record *r = nci_records_find(&s->records, task);
    (void)input;
    if (!r || r->state != NCI_TASK_WAITING || --r->waiting > 0)
        return;
    r->state = NCI_TASK_READY;
    s->nwaiting--;
    nci_heap_push(&s->ready, r);
}

static void finish_task(nci_sched *s, nci_record *r, const nci_event *event,
                        nci_actions *actions)
{
    drop_ctx d = {s, actions};
    if (r->layer->ninputs)
        nci_plan_deps(s->plan, r->task, drop_input, &d);
    if (r->output >= 0) {
        r->state = NCI_TASK_STORED;
        nci_sched_set_held(s, r, event->bytes > 0 ? event->bytes : r->bytes);
        return;
    }
    r->state = NCI_TASK_MEMORY;
    nci_sched_set_held(s, r, r->bytes);
    s->finished++;
    if (s->nwaiting)
        nci_plan_dependents(s->plan, r->task, wake_user, s);
    nci_sched_advance(s);
}

static void finish_put(nci_sched *s, nci_record *r)
{
    s->put_first = r->next;
    if (!s->put_first)
        s->put_last = NULL;
    r->next = NULL;
    nci_sched_release(s, r);
    s->finished++;
    nci_sched_advance(s);
}

/* A task or put has ended in whatever way: its cores are idle again. */
static void end_running(nci_sched *s, nci_record *r)
{
    s->idle += r->threads;
    s->running--;
    if (r->state == NCI_TASK_PUTTING)
        s->putting = false;
    r->threads = 0;
}

static void learn_pace(nci_sched *s, int64_t spent)
{
    if (spent <= 0)
        return;
    if (spent > LONG_NS)
        spent = LONG_NS;
    s->pace = s->pace ? (7 * s->pace + spent) / 8 : spent;
    if (!s->pace)
        s->pace = 1;
    int64_t each = s->pace < SHORT_NS ? AHEAD_NS / s->pace : 0;
    s->surplus = s->threads * (int)(each < NCI_SCHED_AHEAD ? each
                                                           : NCI_SCHED_AHEAD);
}

static void handle_task(nci_sched *s, const nci_event *event,
                        nci_actions *actions)
{
    nci_record *r = nci_records_find(&s->records, event->task);
    bool is_put = event->kind == NCI_EVENT_PUT_DONE;
    bool is_failure = event->kind == NCI_EVENT_TASK_FAILED;
    if (!r || r->attempt != event->attempt)
        return;
    if (r->state != NCI_TASK_RUNNING && r->state != NCI_TASK_PUTTING)
        return;
    if (!is_failure && is_put != (r->state == NCI_TASK_PUTTING))
        return;
    end_running(s, r);
    if (is_failure)
        nci_sched_fail(s, event->status ? event->status : NCG_EBUG);
    if (s->failure) {
        /* What it held is dropped with everything else at the end. */
        r->state = r->output >= 0 ? NCI_TASK_STORED : NCI_TASK_WAITING;
        return;
    }
    if (is_put) {
        finish_put(s, r);
        return;
    }
    learn_pace(s, event->spent);
    finish_task(s, r, event, actions);
}

static ncg_status join(nci_sched *s, const nci_event *event,
                       nci_actions *actions, ncg_error *err)
{
    nci_action none = {0};
    if (s->has_worker || event->worker != 0)
        return nci_fail(err, NCG_EINVAL, "the run has its worker already");
    if (event->threads < 1)
        return nci_fail(err, NCG_EINVAL, "a worker needs at least one thread");
    int64_t least = s->rank ? s->floor : s->peak;
    if (event->limit < least)
        return nci_fail(err, NCG_EBUDGET,
                        "the plan needs %lld bytes, the limit is %lld",
                        (long long)least, (long long)event->limit);
    if (!nci_sched_emit(actions, none))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    actions->count--;
    s->has_worker = true;
    s->threads = s->idle = event->threads;
    s->limit = event->limit;
    return NCG_OK;
}

ncg_status nci_sched_handle(nci_sched *s, const nci_event *event,
                            nci_actions *actions, ncg_error *err)
{
    if (s->cluster)
        return nci_cluster_handle(s, event, actions, err);
    switch (event->kind) {
    case NCI_EVENT_WORKER_JOINED:
        NCI_TRY(join(s, event, actions, err));
        break;
    case NCI_EVENT_TASK_DONE:
    case NCI_EVENT_PUT_DONE:
    case NCI_EVENT_TASK_FAILED:
        handle_task(s, event, actions);
        break;
    case NCI_EVENT_SPILLED:
    case NCI_EVENT_LOADED:
    case NCI_EVENT_SPILL_FAILED:
        nci_spill_event(s, event, actions);
        break;
    case NCI_EVENT_CANCEL:
        nci_sched_fail(s, NCG_ECANCELED);
        break;
    default:
        return nci_fail(err, NCG_EINVAL, "an event of a cluster");
    }
    if (s->has_worker)
        dispatch(s, actions);
    return NCG_OK;
}
