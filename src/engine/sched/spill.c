/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state machine where the limit lies below the peak of the plan: outputs
 * leave memory for the disk and come back.
 *
 * Why the limit is kept: a task gets all its room at once, for output, scratch
 * and the inputs that are on disk, and only where managed + that <= limit.
 * Nothing else adds to managed.
 *
 * Why nothing deadlocks when limit >= floor. Let L be the lowest unfinished
 * task. What has been admitted needs nothing more but a core: its loads and
 * itself end, so do writes and puts. So wait until nothing runs. Then nothing
 * is pinned, and no STORE task has run but those that were put: they run only
 * in their turn. L's inputs are finished, so L is on top of the heap; STORE or
 * not it is its turn. What is held are outputs in memory. Those that are no
 * inputs of L have their next use after L, so all of them may be spilled; then
 * L's inputs, output and scratch are all there is, at most the floor. So L is
 * admitted. A disk that is full ends the run with its error.
 */
#include "base/mem.h"
#include "engine/sched/sched_internal.h"

/* ---- the floor and the order ------------------------------------------------ */

typedef struct input_sum {
    const nci_plan *plan;
    int64_t bytes;
} input_sum;

static void add_input(void *ctx, int input, int64_t task)
{
    input_sum *sum = ctx;
    (void)input;
    sum->bytes += nci_plan_bytes(sum->plan, task);
}

ncg_status nci_sched_floor(const nci_plan *plan, const nci_sched_costs *costs,
                           int64_t *out, ncg_error *err)
{
    uint64_t *needed = NULL;
    int64_t most = 0;
    NCI_TRY(nci_order_needed(plan, &needed, err));
    for (int64_t task = 0; task < plan->ntasks; task++) {
        if (needed && !(needed[task >> 6] >> (task & 63) & 1))
            continue;
        input_sum sum = {plan, nci_plan_bytes(plan, task)};
        sum.bytes += costs->scratch(costs->ctx, task, 1);
        nci_plan_deps(plan, task, add_input, &sum);
        most = sum.bytes > most ? sum.bytes : most;
    }
    nci_free(needed);
    *out = most;
    return NCG_OK;
}

ncg_status nci_spill_rank(nci_sched *s, ncg_error *err)
{
    if (s->rank)
        return NCG_OK;
    nci_order order;
    int64_t n = s->plan->ntasks, task = 0;
    int64_t *rank = nci_alloc(((size_t)n + 1) * sizeof *rank);
    if (!rank)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++)
        rank[i] = -1;
    ncg_status st = nci_order_init(&order, s->plan, &s->order.way, err);
    for (int64_t i = 0; !st && task >= 0; i++) {
        st = nci_order_next(&order, &task, err);
        if (!st && task >= 0)
            rank[task] = i;
    }
    nci_order_fini(&order);
    if (st) {
        nci_free(rank);
        return st;
    }
    s->rank = rank;
    return NCG_OK;
}

ncg_status nci_sched_allow_spill(nci_sched *s, int64_t floor, ncg_error *err)
{
    NCI_TRY(nci_spill_rank(s, err));
    s->floor = floor;
    return NCG_OK;
}

/* ---- queues ------------------------------------------------------------------- */

static void push(nci_queue *queue, nci_record *r)
{
    r->queued = NULL;
    if (queue->last)
        queue->last->queued = r;
    else
        queue->first = r;
    queue->last = r;
}

static nci_record *pop(nci_queue *queue)
{
    nci_record *r = queue->first;
    queue->first = r->queued;
    if (!queue->first)
        queue->last = NULL;
    return r;
}

/* ---- transfers ---------------------------------------------------------------- */

static void start_transfer(nci_sched *s, nci_record *r, nci_action_kind kind,
                           nci_actions *actions)
{
    nci_action action = {.kind = kind,
                         .task = r->task,
                         .attempt = ++r->transfer,
                         .threads = 1};
    if (!nci_sched_emit(actions, action)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return;
    }
    r->threads = 1;
    s->idle--;
    s->running++;
}

/* Lets go of the memory of an output that is on disk. */
static void forget(nci_sched *s, nci_record *r, nci_actions *actions)
{
    nci_action action = {.kind = NCI_ACTION_FORGET, .task = r->task};
    if (!nci_sched_emit(actions, action)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return;
    }
    r->place = NCI_PLACE_DISK;
    nci_sched_set_held(s, r, 0);
}

static void evict(nci_sched *s, nci_record *r, nci_actions *actions)
{
    if (r->on_disk) {
        forget(s, r, actions);
        return;
    }
    r->place = NCI_PLACE_SPILLING;
    s->leaving += r->bytes;
    start_transfer(s, r, NCI_ACTION_SPILL, actions);
}

/* ---- whom to spill -------------------------------------------------------------- */

typedef struct use_search {
    const nci_sched *sched;
    int64_t first;
} use_search;

static void look_at_user(void *ctx, int input, int64_t task)
{
    use_search *u = ctx;
    const nci_sched *s = u->sched;
    int64_t rank = s->rank[task];
    (void)input;
    if (rank < 0 || rank >= u->first)
        return;
    const nci_record *r =
        rank < s->pulled ? nci_records_find(&s->records, task) : NULL;
    if (rank >= s->pulled || (r && r->state < NCI_TASK_MEMORY))
        u->first = rank;
}

int64_t nci_spill_next_use(const nci_sched *s, nci_record *r)
{
    if (r->next_use < 0) {
        use_search u = {s, INT64_MAX};
        nci_plan_dependents(s->plan, r->task, look_at_user, &u);
        r->next_use = u.first;
    }
    return r->next_use;
}

/* The output in memory that is used last, after task `r`; NULL: none. */
static nci_record *find_victim(const nci_sched *s, const nci_record *r)
{
    nci_record *best = NULL;
    int64_t farthest = r->order;
    for (size_t i = 0; i < s->records.map.capacity; i++) {
        nci_record *other = s->records.map.slots[i].value;
        if (!other || other->state != NCI_TASK_MEMORY ||
            other->place != NCI_PLACE_MEMORY || other->pins || !other->bytes)
            continue;
        if (nci_spill_next_use(s, other) > farthest) {
            farthest = other->next_use;
            best = other;
        }
    }
    return best;
}

/* ---- admission -------------------------------------------------------------------- */

typedef struct admission {
    nci_sched *sched;
    nci_record *record;
    int64_t bytes; /* of inputs on disk */
} admission;

static void add_if_on_disk(void *ctx, int input, int64_t task)
{
    admission *a = ctx;
    const nci_record *r = nci_records_find(&a->sched->records, task);
    (void)input;
    if (r->place == NCI_PLACE_DISK)
        a->bytes += r->bytes;
}

/* Keeps an input in memory, or asks for it. */
static void pin(void *ctx, int input, int64_t task)
{
    admission *a = ctx;
    nci_record *r = nci_records_find(&a->sched->records, task);
    (void)input;
    r->pins++;
    if (r->place == NCI_PLACE_DISK) {
        r->place = NCI_PLACE_LOADING;
        nci_sched_set_held(a->sched, r, r->bytes);
        push(&a->sched->to_load, r);
    }
    a->record->loads += r->place == NCI_PLACE_LOADING;
}

/* Makes room by spilling; true once there is enough. What is being written
 * counts as gone when it comes to choosing more. */
static bool make_room(nci_sched *s, const nci_record *r, int64_t need,
                      nci_actions *actions)
{
    while (!s->failure && s->idle > 0 &&
           s->managed - s->leaving + need > s->limit) {
        nci_record *victim = find_victim(s, r);
        if (!victim)
            break;
        evict(s, victim, actions);
    }
    return !s->failure && s->managed + need <= s->limit;
}

/* Admits the lowest ready task; false where it has to wait. */
static bool admit_next(nci_sched *s, nci_actions *actions)
{
    nci_record *r = s->ready.items[0];
    admission a = {s, r, r->need};
    if (r->output >= 0 && r != s->put_first)
        return false;
    nci_plan_deps(s->plan, r->task, add_if_on_disk, &a);
    if (!make_room(s, r, a.bytes, actions))
        return false;
    nci_heap_pop(&s->ready);
    r->state = NCI_TASK_ADMITTED;
    r->loads = 0;
    nci_sched_set_held(s, r, r->need);
    nci_plan_deps(s->plan, r->task, pin, &a);
    if (!r->loads)
        push(&s->to_run, r);
    return true;
}

static void run_admitted(nci_sched *s, nci_actions *actions)
{
    nci_record *r = pop(&s->to_run);
    nci_action run = {.kind = NCI_ACTION_RUN,
                      .task = r->task,
                      .attempt = ++r->attempt,
                      .threads = 1};
    if (!nci_sched_emit(actions, run)) {
        nci_sched_fail(s, NCG_ENOMEM);
        return;
    }
    r->state = NCI_TASK_RUNNING;
    r->threads = 1;
    s->idle--;
    s->running++;
}

void nci_spill_dispatch(nci_sched *s, nci_actions *actions)
{
    while (!s->failure && s->idle > 0) {
        if (nci_sched_may_put(s)) {
            nci_sched_start_put(s, actions);
            continue;
        }
        if (s->to_run.first) {
            run_admitted(s, actions);
            continue;
        }
        if (s->to_load.first) {
            start_transfer(s, pop(&s->to_load), NCI_ACTION_LOAD, actions);
            continue;
        }
        while (s->ready.count < (size_t)s->idle && nci_sched_pull(s))
            continue;
        if (s->failure || !s->ready.count || !admit_next(s, actions))
            break;
    }
}

/* ---- events ------------------------------------------------------------------------- */

void nci_spill_unpin(nci_record *r)
{
    r->pins--;
    r->next_use = -1;
}

bool nci_spill_drop(nci_record *r)
{
    r->is_dropped = r->place == NCI_PLACE_SPILLING;
    return !r->is_dropped;
}

static void drop(nci_sched *s, nci_record *r, nci_actions *actions)
{
    nci_action action = {.kind = NCI_ACTION_RELEASE, .task = r->task};
    if (!nci_sched_emit(actions, action))
        nci_sched_fail(s, NCG_ENOMEM);
    nci_sched_release(s, r);
}

static void end_spill(nci_sched *s, nci_record *r, nci_actions *actions)
{
    r->place = NCI_PLACE_MEMORY;
    r->on_disk = true;
    s->spilled += r->bytes;
    if (r->is_dropped)
        drop(s, r, actions);
    else if (!r->pins) /* else somebody wants it after all */
        forget(s, r, actions);
}

static void tell_user(void *ctx, int input, int64_t task)
{
    nci_sched *s = ctx;
    nci_record *r = nci_records_find(&s->records, task);
    (void)input;
    if (r && r->state == NCI_TASK_ADMITTED && r->loads > 0 && --r->loads == 0)
        push(&s->to_run, r);
}

void nci_spill_event(nci_sched *s, const nci_event *event, nci_actions *actions)
{
    nci_record *r = nci_records_find(&s->records, event->task);
    if (!r || r->state != NCI_TASK_MEMORY || !r->threads ||
        r->transfer != event->attempt)
        return;
    s->idle++;
    s->running--;
    r->threads = 0;
    if (r->place == NCI_PLACE_SPILLING)
        s->leaving -= r->bytes;
    if (event->kind == NCI_EVENT_SPILL_FAILED)
        nci_sched_fail(s, event->status ? event->status : NCG_EOUTPUT);
    if (s->failure)
        return;
    if (r->place == NCI_PLACE_SPILLING) {
        end_spill(s, r, actions);
        return;
    }
    r->place = NCI_PLACE_MEMORY;
    nci_plan_dependents(s->plan, r->task, tell_user, s);
}
