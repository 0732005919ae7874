/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The executor with made-up kernels on real plans: each task's output is a
 * hash of the task and of its inputs' hashes, so a wrong, missing or early
 * released input shows in what is put.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "base/mem.h"
#include "engine/executor_internal.h"
#include "graph/random_nodes.h"

/* ---- made-up work ---------------------------------------------------------
 */

typedef struct work_ctx {
    const nci_plan *plan;
    _Atomic int64_t ran;
    int64_t fail_task; /* -1: none */
    int sleep_us;
    int64_t scratch;              /* of each task, besides a little */
    _Atomic int cores, cores_max; /* in use */
    atomic_bool *cancel;          /* set by task cancel_task */
    int64_t cancel_task;
    int64_t wait_task, wait_for; /* it waits until so many have run; 0: none */
} work_ctx;

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 29);
}

static uint64_t value_of(const nci_buf *buf)
{
    uint64_t v;
    memcpy(&v, nci_buf_data(buf), sizeof v);
    return v;
}

static ncg_status work_run(void *ctx, const nci_task_env *env, int64_t task,
                           const nci_dep *deps, int64_t ndeps, nci_buf **out,
                           ncg_error *err)
{
    work_ctx *w = ctx;
    int cores = atomic_fetch_add(&w->cores, env->threads) + env->threads;
    int highest = atomic_load(&w->cores_max);
    while (cores > highest &&
           !atomic_compare_exchange_weak(&w->cores_max, &highest, cores))
        ;
    uint64_t h = (uint64_t)task;
    for (int64_t i = 0; i < ndeps; i++)
        h = mix(h, value_of(deps[i].buf) + (uint64_t)deps[i].input);
    if (w->sleep_us)
        usleep((useconds_t)w->sleep_us);
    for (int i = 0; w->wait_for && task == w->wait_task; i++) {
        if (atomic_load(&w->ran) >= w->wait_for)
            break;
        usleep(1000);
        assert_in_range(i, 0, 60000); /* nobody took the others: a minute */
    }
    if (w->cancel && task == w->cancel_task)
        atomic_store(w->cancel, true);
    ncg_status st = NCG_OK;
    if (task == w->fail_task)
        st = nci_fail(err, NCG_ECORRUPT, "f.nc: tas: chunk 7 is damaged");
    else if (atomic_load(env->cancelled))
        st = nci_fail(err, NCG_ECANCELED, "canceled");
    if (!st)
        st = nci_buf_create((size_t)nci_plan_bytes(env->plan, task) + 8, out,
                            err);
    if (!st)
        memcpy(nci_buf_data(*out), &h, sizeof h);
    atomic_fetch_sub(&w->cores, env->threads);
    atomic_fetch_add(&w->ran, 1);
    return st;
}

static int64_t work_scratch(void *ctx, int64_t task, int threads)
{
    const work_ctx *w = ctx;
    return w->scratch + 8 + task % 100 * threads;
}

static int work_threads(void *ctx, int64_t task, int available)
{
    (void)ctx;
    return task % 3 ? 1 : available;
}

/* ---- a sink that keeps hashes
 * ------------------------------------------------ */

typedef struct keep {
    const nci_plan *plan;
    int64_t next[4];
    uint64_t hash[4];
    int64_t fail_put; /* the n-th put fails; 0: none */
    int64_t puts;
    _Atomic int inside; /* puts under way: never two */
} keep;

static ncg_status keep_encode(void *ctx, int output, const int64_t *index,
                              const int64_t *count, nci_buf *chunk_take,
                              nci_buf **out, ncg_error *err)
{
    (void)ctx;
    (void)output;
    (void)index;
    assert_non_null(count);
    NCI_TRY(nci_buf_create(8, out, err));
    memcpy(nci_buf_data(*out), nci_buf_data(chunk_take), 8);
    nci_buf_release(&chunk_take);
    return NCG_OK;
}

static ncg_status keep_put(void *ctx, int output, const int64_t *index,
                           const nci_buf *encoded, ncg_error *err)
{
    keep *k = ctx;
    const nci_layer *layer = &k->plan->layers[k->plan->outputs[output]];
    assert_int_equal(atomic_fetch_add(&k->inside, 1), 0);
    assert_int_equal(nci_grid_number(&layer->grid, index), k->next[output]++);
    k->hash[output] = mix(k->hash[output], value_of(encoded));
    atomic_fetch_sub(&k->inside, 1);
    if (++k->puts == k->fail_put)
        return nci_fail(err, NCG_EOUTPUT, "out.nc: disk full");
    return NCG_OK;
}

static nci_executor *executor_of(int threads, int64_t limit)
{
    nci_executor_options options = {.threads = threads, .memory_limit = limit};
    nci_executor *x = NULL;
    ncg_error err;
    CHECK_OK(nci_executor_create(&options, &x, &err));
    return x;
}

typedef struct outcome {
    ncg_status status;
    uint64_t hash[4];
    int64_t puts, ran;
    int cores_max;
    nci_run_stats stats;
    ncg_error err;
} outcome;

typedef struct trial {
    int threads;
    int64_t limit;
    int64_t fail_task, fail_put;
    int64_t cancel_task;
    int sleep_us;
    int64_t scratch;
    int64_t wait_task, wait_for;
    bool without_encode;
} trial;

static outcome run_plan(nci_executor *x, const nci_plan *plan, const trial *t)
{
    outcome o = {0};
    atomic_bool cancel = false;
    keep k = {.plan = plan, .fail_put = t->fail_put};
    work_ctx w = {.plan = plan,
                  .fail_task = t->fail_task,
                  .sleep_us = t->sleep_us,
                  .scratch = t->scratch,
                  .wait_task = t->wait_task,
                  .wait_for = t->wait_for,
                  .cancel = t->cancel_task >= 0 ? &cancel : NULL,
                  .cancel_task = t->cancel_task};
    nci_sink sink = {.ctx = &k,
                     .encode = t->without_encode ? NULL : keep_encode,
                     .put = keep_put};
    nci_work work = {&w, work_run, work_scratch, work_threads, 0, NULL};
    o.status = nci_executor_run_work(x, plan, NULL, &work, &sink, &cancel, NULL,
                                     NULL, &o.stats, &o.err);
    memcpy(o.hash, k.hash, sizeof o.hash);
    o.puts = k.puts;
    o.ran = atomic_load(&w.ran);
    o.cores_max = atomic_load(&w.cores_max);
    return o;
}

static nci_plan *long_plan(int64_t nchunks, int64_t out_chunk)
{
    nci_source_spec spec = {.rank = 1, .dtype = NCG_DTYPE_F32};
    nci_node *x = NULL;
    nci_plan *plan = NULL;
    nci_grid grid;
    ncg_error err;
    spec.shape[0] = nchunks;
    spec.grid.rank = 1;
    CHECK_OK(nci_axis_regular(nchunks, 1, &spec.grid.axis[0], &err));
    CHECK_OK(nci_node_source(0, &spec, &x, &err));
    CHECK_OK(nci_grid_regular(1, &nchunks, &out_chunk, &grid, &err));
    nci_output output = {.node = x, .dtype = x->dtype, .grid = &grid};
    CHECK_OK(nci_lower(&output, 1, &plan, &err));
    nci_node_release(&x);
    nci_grid_fini(&spec.grid);
    nci_grid_fini(&grid);
    return plan;
}

static const trial plain = {.fail_task = -1, .cancel_task = -1};

static void executor_gives_the_same_for_any_threads(void **state)
{
    (void)state;
    nci_executor *x[3] = {executor_of(1, INT64_MAX / 4),
                          executor_of(2, INT64_MAX / 4),
                          executor_of(5, INT64_MAX / 4)};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 1 + (int)(seed % 4));
        outcome first = run_plan(x[0], plan, &plain);
        assert_int_equal(first.status, NCG_OK);
        for (int i = 1; i < 3; i++) {
            trial t = plain;
            t.without_encode = seed % 2;
            outcome other = run_plan(x[i], plan, &t);
            assert_int_equal(other.status, NCG_OK);
            assert_memory_equal(first.hash, other.hash, sizeof first.hash);
            assert_int_equal(other.puts, first.puts);
            assert_int_equal(other.ran, first.ran);
            assert_in_range(other.cores_max, 1, nci_executor_threads(x[i]));
        }
        nci_plan_free(&plan);
    }
    for (int i = 0; i < 3; i++)
        nci_executor_destroy(&x[i]);
}

/* The limit is kept; one byte less than the need is refused. */
/* Chunks go to disk and come back, or no task fits and nothing runs. */
static void check_below_the_peak(const nci_plan *plan, int64_t limit,
                                 const outcome *serial)
{
    nci_executor *small = executor_of(3, limit);
    outcome result = run_plan(small, plan, &plain);
    ncg_error err = result.err;
    if (result.status) {
        assert_int_equal(result.status, NCG_EBUDGET);
        assert_int_equal(result.ran, 0);
        CHECK_MESSAGE("--mem");
    } else {
        assert_memory_equal(serial->hash, result.hash, sizeof result.hash);
        assert_true(result.stats.peak <= limit);
    }
    nci_executor_destroy(&small);
}

static void executor_keeps_the_limit(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 2);
        nci_executor *one = executor_of(1, INT64_MAX / 4);
        outcome serial = run_plan(one, plan, &plain);
        int64_t need = serial.stats.peak;
        nci_executor *tight = executor_of(4, need);
        outcome same = run_plan(tight, plan, &plain);
        assert_int_equal(same.status, NCG_OK);
        assert_memory_equal(serial.hash, same.hash, sizeof same.hash);
        assert_true(same.stats.peak <= need);
        nci_executor_destroy(&one);
        nci_executor_destroy(&tight);
        for (int64_t less = 1; less < need; less *= 2)
            check_below_the_peak(plan, need - less, &serial);
        nci_plan_free(&plan);
    }
}

/* Threads do not sit on big buffers when memory is short. */
static void executor_drops_big_scratches(void **state)
{
    (void)state;
    nci_executor *x = executor_of(2, 300 << 20);
    nci_plan *plan = long_plan(50, 1);
    trial t = plain;
    t.scratch = 10 << 20;
    assert_int_equal(run_plan(x, plan, &t).status, NCG_OK);
    assert_true(x->lanes[0].scratch || x->lanes[1].scratch);
    t.scratch = 100 << 20;
    t.sleep_us = 100;
    assert_int_equal(run_plan(x, plan, &t).status, NCG_OK);
    assert_true(!x->lanes[0].scratch || !x->lanes[1].scratch);
    nci_plan_free(&plan);
    nci_executor_destroy(&x);
}

static void executor_reports_the_first_error(void **state)
{
    (void)state;
    nci_executor *x = executor_of(4, INT64_MAX / 4);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t s = seed;
        nci_plan *plan = rnd_plan(&s, 2);
        trial t = plain;
        if (seed % 2)
            t.fail_task = plan->layers[plan->outputs[0]].base;
        else
            t.fail_put = 1;
        outcome o = run_plan(x, plan, &t);
        ncg_error err = o.err;
        assert_int_equal(o.status, seed % 2 ? NCG_ECORRUPT : NCG_EOUTPUT);
        assert_int_equal(o.err.status, o.status);
        CHECK_MESSAGE(seed % 2 ? "chunk 7" : "disk full");
        /* The executor is as good as new. */
        o = run_plan(x, plan, &plain);
        assert_int_equal(o.status, NCG_OK);
        nci_plan_free(&plan);
    }
    nci_executor_destroy(&x);
}

static void executor_stops_when_cancelled(void **state)
{
    (void)state;
    nci_executor *x = executor_of(3, INT64_MAX / 4);
    nci_plan *plan = long_plan(4000, 1);
    trial t = plain;
    t.sleep_us = 1000;
    t.cancel_task = 5;
    outcome o = run_plan(x, plan, &t);
    assert_int_equal(o.status, NCG_ECANCELED);
    assert_true(o.ran < plan->ntasks);
    assert_true(o.stats.seconds < 5);
    nci_plan_free(&plan);
    nci_executor_destroy(&x);
}

typedef struct seen {
    int calls;
    int64_t done;
    pthread_t caller;
} seen;

/* A thread has taken several tasks, and the first of them takes long: the
 * others do not wait for it. It ends when all that do not need it have run. */
static void executor_shares_what_waits_behind_a_long_task(void **state)
{
    (void)state;
    nci_executor *x = executor_of(2, INT64_MAX / 4);
    nci_plan *plan = long_plan(4000, 1);
    outcome first = run_plan(x, plan, &plain);
    assert_int_equal(first.status, NCG_OK);
    /* Of these none takes more than one core (work_threads). */
    for (int64_t task = 301; task < 4000; task += 600) {
        trial t = plain;
        t.wait_task = task;
        t.wait_for = plan->ntasks - 2;
        outcome o = run_plan(x, plan, &t);
        assert_int_equal(o.status, NCG_OK);
        assert_memory_equal(first.hash, o.hash, sizeof o.hash);
        assert_int_equal(o.ran, plan->ntasks);
    }
    nci_plan_free(&plan);
    nci_executor_destroy(&x);
}

static void note_progress(void *ctx, int64_t done, int64_t managed)
{
    seen *p = ctx;
    assert_true(pthread_equal(p->caller, pthread_self()));
    assert_true(done >= p->done);
    assert_true(managed >= 0);
    p->done = done;
    p->calls++;
}

static void executor_reports_progress(void **state)
{
    (void)state;
    nci_executor *x = executor_of(2, INT64_MAX / 4);
    nci_plan *plan = long_plan(300, 1);
    keep k = {.plan = plan};
    work_ctx w = {.plan = plan, .fail_task = -1, .sleep_us = 2000};
    nci_sink sink = {.ctx = &k, .encode = keep_encode, .put = keep_put};
    nci_work work = {&w, work_run, work_scratch, work_threads, 0, NULL};
    seen p = {.caller = pthread_self()};
    nci_run_stats stats;
    ncg_error err;
    CHECK_OK(nci_executor_run_work(x, plan, NULL, &work, &sink, NULL,
                                   note_progress, &p, &stats, &err));
    assert_true(p.calls >= 2);
    assert_int_equal(stats.tasks, plan->ntasks);
    nci_plan_free(&plan);
    nci_executor_destroy(&x);
}

/* ---- loops, fork, memory
 * ------------------------------------------------------ */

typedef struct items {
    _Atomic int seen[1000];
    size_t fail_from;
} items;

static ncg_status visit_item(void *arg, size_t i, ncg_error *err)
{
    items *it = arg;
    atomic_fetch_add(&it->seen[i], 1);
    if (i >= it->fail_from)
        return nci_fail(err, NCG_ENOTFOUND, "item %zu", i);
    return NCG_OK;
}

static void parallel_visits_each_item_once(void **state)
{
    (void)state;
    nci_executor *x = executor_of(3, 1 << 20);
    static items it;
    ncg_error err;
    it.fail_from = 1000;
    CHECK_OK(nci_executor_parallel(x, 1000, visit_item, &it, &err));
    CHECK_OK(nci_executor_parallel(x, 0, visit_item, &it, &err));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(atomic_load(&it.seen[i]), 1);
    for (int round = 0; round < 50; round++) {
        it.fail_from = 300;
        CHECK_STATUS(NCG_ENOTFOUND,
                     nci_executor_parallel(x, 1000, visit_item, &it, &err));
        assert_string_equal(err.message, "item 300");
    }
    nci_executor_destroy(&x);
}

static void executor_refuses_after_fork(void **state)
{
    (void)state;
    nci_executor *x = executor_of(2, INT64_MAX / 4);
    nci_plan *plan = long_plan(10, 1);
    assert_int_equal(run_plan(x, plan, &plain).status, NCG_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        outcome o = run_plan(x, plan, &plain);
        bool refused = o.status == NCG_EINVAL && strstr(o.err.message, "fork");
        ncg_error err;
        items it = {.fail_from = 9};
        refused = refused && nci_executor_parallel(x, 3, visit_item, &it,
                                                   &err) == NCG_EINVAL;
        nci_executor_destroy(&x);
        _exit(refused && !x ? 0 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    assert_int_equal(run_plan(x, plan, &plain).status, NCG_OK);
    nci_plan_free(&plan);
    nci_executor_destroy(&x);
}

/* Each allocation fails once: an error, never a hang or a leak. */
static void executor_survives_lack_of_memory(void **state)
{
    (void)state;
    nci_plan *plan = long_plan(60, 7);
    bool was_ok = false;
    for (int64_t n = 1; !was_ok; n++) {
        nci_executor_options options = {.threads = 2,
                                        .memory_limit = INT64_MAX / 4};
        nci_executor *x = NULL;
        ncg_error err;
        nci_mem_fail_at(n);
        ncg_status st = nci_executor_create(&options, &x, &err);
        if (!st)
            st = run_plan(x, plan, &plain).status;
        was_ok = st == NCG_OK;
        if (!was_ok)
            assert_int_equal(st, NCG_ENOMEM);
        nci_mem_fail_at(0);
        nci_executor_destroy(&x);
    }
    nci_plan_free(&plan);
}

NCG_TESTS(NCG_TEST(executor_gives_the_same_for_any_threads),
          NCG_TEST(executor_keeps_the_limit),
          NCG_TEST(executor_drops_big_scratches),
          NCG_TEST(executor_reports_the_first_error),
          NCG_TEST(executor_stops_when_cancelled),
          NCG_TEST(executor_shares_what_waits_behind_a_long_task),
          NCG_TEST(executor_reports_progress),
          NCG_TEST(parallel_visits_each_item_once),
          NCG_TEST(executor_refuses_after_fork),
          NCG_TEST(executor_survives_lack_of_memory))
