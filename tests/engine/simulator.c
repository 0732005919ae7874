/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtual time: running tasks wait in a list with the time at which they end;
 * the earliest ends next. What the simulator holds is counted on its own and
 * must agree with the scheduler.
 */
#include "simulator.h"

#include "base/mem.h"
#include "test.h"

typedef struct sim_job {
    nci_action action;
    double ends;
    int64_t need;
} sim_job;

typedef struct sim {
    const nci_plan *plan;
    const sim_options *options;
    sim_result *result;
    uint64_t random;
    nci_sched *sched;
    nci_actions actions;
    sim_job *jobs;
    int njobs, cores;
    double now;
    uint8_t *held;   /* 1: its output is in memory */
    uint8_t *disk;   /* 1: there is a copy of it on disk */
    int64_t on_disk; /* bytes */
    uint8_t *ran;
    nci_sched_choice choice;
    int64_t *puts; /* STORE tasks in the order of the tasks */
    int64_t next_put;
    nci_event old[16]; /* ended tasks, told again by stale_every */
    int64_t events, ended;
    bool stopped, over;
} sim;

static uint32_t sim_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * UINT64_C(0x9E3779B97F4A7C15);
    return x ^ (x >> 29);
}

static int most_cores(const sim_options *o)
{
    return o->threads * (o->is_short ? 1 + NCI_SCHED_AHEAD : 1);
}

/* More threads need more scratch, as tiles a thread do. */
int64_t sim_scratch(void *ctx, int64_t task, int threads)
{
    const uint64_t *seed = ctx;
    return (int64_t)(mix((uint64_t)task + *seed) % 5000) * threads;
}

int sim_threads(void *ctx, int64_t task, int available)
{
    const uint64_t *seed = ctx;
    return 1 + (int)(mix((uint64_t)task * 3 + *seed) % (uint64_t)available);
}

static void check_input(void *ctx, int input, int64_t task)
{
    sim *s = ctx;
    (void)input;
    if (!s->held[task])
        fail_msg("task %lld is needed and not in memory", (long long)task);
}

static void start_job(sim *s, const nci_action *action)
{
    const nci_layer *layer = nci_plan_layer(s->plan, action->task);
    assert_false(s->stopped);
    if (action->kind == NCI_ACTION_RUN) {
        assert_false(s->ran[action->task]);
        nci_plan_deps(s->plan, action->task, check_input, s);
    } else if (action->kind == NCI_ACTION_SPILL) {
        assert_true(s->held[action->task] && !s->disk[action->task]);
    } else if (action->kind == NCI_ACTION_LOAD) {
        assert_true(!s->held[action->task] && s->disk[action->task]);
    } else {
        assert_true(s->held[action->task]);
        assert_int_equal(layer->kind, NCI_LAYER_STORE);
        assert_int_equal(action->task, s->puts[s->next_put++]);
        for (int i = 0; i < s->njobs; i++)
            assert_int_not_equal(s->jobs[i].action.kind, NCI_ACTION_PUT);
    }
    s->cores += action->threads;
    assert_in_range(action->threads, 1, s->options->threads);
    assert_in_range(s->cores, 1, most_cores(s->options));
    if (s->cores > s->result->assigned)
        s->result->assigned = s->cores;
    double length = 0.5 + sim_random(&s->random) % 1000 / 100.0;
    if (sim_random(&s->random) % 50 == 0)
        length *= 40; /* stragglers */
    s->result->busy += length * action->threads;
    s->jobs[s->njobs++] = (sim_job){*action, s->now + length, 0};
}

static void apply(sim *s)
{
    for (size_t i = 0; i < s->actions.count; i++) {
        const nci_action *action = &s->actions.items[i];
        assert_false(s->over);
        switch (action->kind) {
        case NCI_ACTION_RUN:
        case NCI_ACTION_PUT:
        case NCI_ACTION_SPILL:
        case NCI_ACTION_LOAD:
            start_job(s, action);
            break;
        case NCI_ACTION_RELEASE:
            assert_true(s->held[action->task]);
            s->held[action->task] = 0;
            if (s->disk[action->task])
                s->on_disk -= nci_plan_bytes(s->plan, action->task);
            s->disk[action->task] = 0;
            break;
        case NCI_ACTION_FORGET:
            assert_true(s->held[action->task] && s->disk[action->task]);
            s->held[action->task] = 0;
            break;
        case NCI_ACTION_DONE:
        case NCI_ACTION_FAILED:
            assert_int_equal(s->njobs, 0);
            s->result->status = action->status;
            s->over = true;
            break;
        default: /* of a cluster */
            break;
        }
    }
    s->actions.count = 0;
}

static void tell(sim *s, const nci_event *event)
{
    ncg_error err;
    nci_sched_stats stats;
    CHECK_OK(nci_sched_handle(s->sched, event, &s->actions, &err));
    apply(s);
    if (s->options->is_checked && !nci_sched_check(s->sched, &err))
        fail_msg("seed %llu, event %lld: %s",
                 (unsigned long long)s->options->seed, (long long)s->events,
                 err.message);
    nci_sched_get_stats(s->sched, &stats);
    if (stats.managed > s->result->limit)
        fail_msg("managed bytes exceed the limit");
    assert_int_equal(stats.threads, s->cores);
    assert_int_equal(stats.running, s->njobs);
    s->result->managed_peak = stats.peak;
    s->result->spilled = stats.spilled;
    s->events++;
}

/* Takes the job that ends first off the list. */
static sim_job next_job(sim *s)
{
    int first = 0;
    for (int i = 1; i < s->njobs; i++)
        if (s->jobs[i].ends < s->jobs[first].ends)
            first = i;
    sim_job job = s->jobs[first];
    s->jobs[first] = s->jobs[--s->njobs];
    s->now = job.ends;
    s->cores -= job.action.threads;
    return job;
}

/* A write or a read of the disk ends; the disk may be full. */
static nci_event end_transfer(sim *s, const sim_job *job)
{
    int64_t task = job->action.task, bytes = nci_plan_bytes(s->plan, task);
    bool is_spill = job->action.kind == NCI_ACTION_SPILL;
    nci_event event = {.kind = is_spill ? NCI_EVENT_SPILLED : NCI_EVENT_LOADED,
                       .task = task,
                       .attempt = job->action.attempt};
    s->ended++;
    if (!is_spill) {
        s->held[task] = 1;
        s->result->loaded++;
    } else if (s->options->disk && s->on_disk + bytes > s->options->disk) {
        event.kind = NCI_EVENT_SPILL_FAILED;
        event.status = NCG_EOUTPUT;
        s->stopped = true;
    } else {
        s->disk[task] = 1;
        s->on_disk += bytes;
    }
    return event;
}

static nci_event end_job(sim *s, const sim_job *job)
{
    if (job->action.kind == NCI_ACTION_SPILL ||
        job->action.kind == NCI_ACTION_LOAD)
        return end_transfer(s, job);
    const nci_layer *layer = nci_plan_layer(s->plan, job->action.task);
    bool is_put = job->action.kind == NCI_ACTION_PUT;
    nci_event event = {.kind =
                           is_put ? NCI_EVENT_PUT_DONE : NCI_EVENT_TASK_DONE,
                       .task = job->action.task,
                       .attempt = job->action.attempt,
                       .spent = s->options->is_short ? 1000 : 0};
    if (++s->ended == s->options->fail_at) {
        event.kind = NCI_EVENT_TASK_FAILED;
        event.status = NCG_ECORRUPT;
        s->stopped = true;
        return event;
    }
    s->held[event.task] = !is_put;
    if (is_put) {
        s->result->put++;
    } else {
        s->ran[event.task] = 1;
        s->result->ran++;
        if (layer->kind == NCI_LAYER_STORE)
            event.bytes = 1 + nci_plan_bytes(s->plan, event.task) / 2;
    }
    return event;
}

static void step(sim *s)
{
    const nci_event cancel = {.kind = NCI_EVENT_CANCEL};
    const sim_options *o = s->options;
    if (o->cancel_at && s->events >= o->cancel_at && !s->stopped) {
        s->stopped = true;
        tell(s, &cancel);
        if (s->over)
            return;
    }
    if (!s->njobs)
        fail_msg("seed %llu: nothing runs and the run is not over",
                 (unsigned long long)o->seed);
    sim_job job = next_job(s);
    nci_event event = end_job(s, &job);
    tell(s, &event);
    s->old[s->ended % 16] = event;
    if (o->stale_every && s->ended % o->stale_every == 0 && !s->over)
        tell(s, &s->old[sim_random(&s->random) % 16]);
}

static void list_puts(sim *s)
{
    nci_order order;
    ncg_error err;
    int64_t task = 0, n = 0;
    CHECK_OK(nci_order_init(&order, s->plan, &s->choice.way, &err));
    for (;;) {
        CHECK_OK(nci_order_next(&order, &task, &err));
        if (task < 0)
            break;
        if (nci_plan_layer(s->plan, task)->kind == NCI_LAYER_STORE)
            s->puts[n++] = task;
    }
    nci_order_fini(&order);
}

static void start(sim *s)
{
    const sim_options *o = s->options;
    nci_sched_costs costs = {(void *)&o->seed, sim_scratch, sim_threads};
    nci_event joined = {.kind = NCI_EVENT_WORKER_JOINED, .threads = o->threads};
    ncg_error err;
    int64_t all = 0;
    CHECK_OK(nci_sched_choose(s->plan, &costs, &s->choice, &err));
    int64_t peak = s->choice.peak;
    list_puts(s);
    for (int64_t t = 0; t < s->plan->ntasks; t++)
        all += nci_plan_bytes(s->plan, t) + sim_scratch(costs.ctx, t, 1);
    CHECK_OK(nci_sched_create(s->plan, &costs, &s->choice, &s->sched, &err));
    s->result->peak = peak;
    s->result->limit = peak + (int64_t)(o->room * (double)all);
    if (o->spills) {
        int64_t floor = 0;
        CHECK_OK(nci_sched_floor(s->plan, &costs, &floor, &err));
        CHECK_OK(nci_sched_allow_spill(s->sched, floor, &err));
        s->result->floor = floor;
        s->result->limit = floor;
        if (peak > floor)
            s->result->limit += (int64_t)(o->room * (double)(peak - floor));
        peak = floor;
    }
    joined.limit = s->result->limit;
    if (peak > 1) {
        nci_event small = joined;
        small.limit = peak - 1;
        CHECK_STATUS(NCG_EBUDGET,
                     nci_sched_handle(s->sched, &small, &s->actions, &err));
    }
    tell(s, &joined);
}

void sim_run(const nci_plan *plan, const sim_options *options,
             sim_result *result)
{
    size_t ntasks = (size_t)plan->ntasks + 1;
    sim s = {.plan = plan,
             .options = options,
             .result = result,
             .random = options->seed};
    *result = (sim_result){0};
    for (int i = 0; i < 16; i++)
        s.old[i] = (nci_event){.kind = NCI_EVENT_TASK_DONE, .task = i};
    s.jobs = calloc((size_t)most_cores(options), sizeof *s.jobs);
    s.held = calloc(ntasks, 1);
    s.disk = calloc(ntasks, 1);
    s.ran = calloc(ntasks, 1);
    s.puts = calloc(ntasks, sizeof *s.puts);
    start(&s);
    while (!s.over)
        step(&s);
    result->time = s.now;
    if (!result->status) {
        for (int64_t t = 0; t < plan->ntasks; t++)
            assert_false(s.held[t] || s.disk[t]);
        int64_t nputs = 0;
        for (int i = 0; i < plan->noutputs; i++)
            nputs += plan->layers[plan->outputs[i]].ntasks;
        assert_int_equal(s.next_put, nputs);
    }
    nci_sched_free(&s.sched);
    nci_sched_choice_fini(&s.choice);
    nci_free(s.actions.items);
    free(s.jobs);
    free(s.held);
    free(s.disk);
    free(s.ran);
    free(s.puts);
}
