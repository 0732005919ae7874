/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a run begins: its plan is opened here and on every worker at the same
 * time. A run that reads a set of chunks of which some are lost ends, and
 * begins again when they have been made; what was put stays put.
 */
#include "base/mem.h"
#include "engine/cluster/scheduler_kept.h"
#include "engine/source_remote.h"

/* ---- beginning ----------------------------------------------------------- */

static ncg_status open_plan(nci_plan_run *r, ncg_error *err)
{
    NCI_TRY(nci_hosted_open(r->scheduler->host, r->body, "scheduler",
                            &r->message, &r->hosted, err));
    r->space = nci_run_space(r->message.hash, r->id);
    return NCG_OK;
}

static ncg_status make_machine(nci_plan_run *r, ncg_error *err)
{
    nci_sched_costs costs = {&r->costs, nci_costs_scratch, nci_costs_threads};
    nci_cluster_options how = NCI_CLUSTER_OPTIONS_INIT;
    r->costs = (nci_costs){r->hosted.plan, r->hosted.sources,
                           r->scheduler->host->kernels, r->message.nforms > 0,
                           r->message.retries};
    const nci_sched_limits limits = {.most_scratch = nci_costs_most_scratch,
                                     .enough = r->least / 8,
                                     .order_only = true};
    NCI_TRY(nci_sched_choose_within(r->hosted.plan, &costs, &limits, &r->choice,
                                    err));
    NCI_TRY(nci_sched_floor_within(r->hosted.plan, &costs, &limits, &how.floor,
                                   err));
    NCI_TRY(nci_sched_create(r->hosted.plan, &costs, &r->choice, &r->sched,
                             err));
    how.home = nci_kept_home;
    how.is_there = nci_kept_is_there;
    how.home_ctx = r;
    return nci_sched_open_cluster(r->sched, &how, err);
}

static void see(void *ctx, nci_token space)
{
    bool *found = ctx;
    (void)space;
    *found = true;
}

/* A run that reads chunks which may be lost remembers what it has put. */
static ncg_status remember_puts(nci_plan_run *r, ncg_error *err)
{
    bool reads = false;
    size_t n = (size_t)r->hosted.plan->ntasks / 64 + 1;
    nci_source_table_each_remote(r->hosted.sources, see, &reads);
    r->ntasks = r->hosted.plan->ntasks;
    if (!reads || r->put)
        return NCG_OK;
    r->put = nci_calloc(n, sizeof *r->put);
    return r->put ? NCG_OK
                  : nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
}

static void open_errand(void *ctx)
{
    nci_plan_run *r = ctx;
    nci_scheduler *s = r->scheduler;
    ncg_error err;
    nci_error_clear(&err);
    ncg_status st = open_plan(r, &err);
    if (!st)
        st = make_machine(r, &err);
    if (!st)
        st = remember_puts(r, &err);
    pthread_mutex_lock(&s->lock);
    if (!st)
        st = nci_kept_begin(r, &err);
    if (st) {
        err.status = st;
        nci_run_fail(r, &err);
    }
    r->state = NCI_RUN_RUNNING;
    if (!st && nci_kept_is_ahead(r))
        r->is_waiting = true; /* who makes it has begun again meanwhile */
    if (st || r->is_waiting || r->is_canceled || s->is_ending) {
        r->state = NCI_RUN_QUEUED;
        nci_run_end(r);
    } else {
        uint32_t id = r->id; /* it may end by what it hears */
        for (size_t i = 0; nci_scheduler_run(s, id) && i < s->nrolls; i++)
            nci_run_announce(r, &s->rolls[i]);
        if (nci_scheduler_run(s, id))
            nci_run_check(r);
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* ---- making again -------------------------------------------------------- */

typedef struct part {
    int64_t *list;
    int64_t n;
    nci_buf *body; /* the message of the whole */
    int output;
    nci_token space;
} part;

/* The message of a run that makes those chunks of that output. */
static ncg_status pack_part(const nci_plan_run *r, part *p, nci_buf **out,
                            ncg_error *err)
{
    const nci_plan_host *host = r->scheduler->host;
    nci_unpack in = {.data = nci_buf_data(p->body),
                     .size = nci_buf_size(p->body)};
    nci_plan_message whole = {0}, some = {.nkeeps = 1, .keeps = &p->space};
    nci_pack pack = {0};
    char *bytes = NULL;
    NCI_TRY(nci_plan_message_unpack(&in, &whole, err));
    ncg_status st =
        host->select(host->ctx, whole.bytes, whole.nbytes, p->output, p->list,
                     p->n, &bytes, &some.nbytes, &some.hash, err);
    if (!st) {
        some.bytes = bytes;
        some.retries = whole.retries;
        nci_plan_message_pack(&pack, &some);
        st = nci_dialogue_seal(&pack, out, err);
    }
    nci_plan_message_fini(&whole);
    nci_free(bytes);
    return st;
}

static void repair_errand(void *ctx)
{
    nci_plan_run *r = ctx;
    nci_scheduler *s = r->scheduler;
    part p = {0};
    nci_buf *body = NULL;
    ncg_error err;
    nci_error_clear(&err);
    pthread_mutex_lock(&s->lock);
    ncg_status st = nci_kept_missing(r, &p.list, &p.n, &p.body, &p.output,
                                     &p.space, &err);
    pthread_mutex_unlock(&s->lock);
    if (!st && p.n)
        st = pack_part(r, &p, &body, &err);
    nci_free(p.list);
    nci_buf_release(&p.body);
    pthread_mutex_lock(&s->lock);
    r->body = body;
    r->state = NCI_RUN_QUEUED;
    if (st) {
        err.status = st;
        nci_run_fail(r, &err);
    }
    if (st || !body)
        nci_run_end(r);
    else if (!s->is_ending)
        nci_run_begin(r);
    pthread_mutex_unlock(&s->lock);
}

static void begin_repair(nci_plan_run *r)
{
    ncg_error err;
    if (!nci_errands_add(r->scheduler->plans, repair_errand, r, &err))
        return;
    r->state = NCI_RUN_QUEUED;
    nci_run_fail(r, &err);
    nci_run_end(r);
}

/* ---- both ---------------------------------------------------------------- */

void nci_run_begin(nci_plan_run *r)
{
    nci_scheduler *s = r->scheduler;
    ncg_error err;
    r->state = NCI_RUN_OPENING;
    if (!r->body) {
        begin_repair(r);
        return;
    }
    r->least = s->nrolls ? INT64_MAX : 0;
    for (size_t i = 0; i < s->nrolls; i++) {
        if (s->rolls[i].who.limit < r->least)
            r->least = s->rolls[i].who.limit;
        nci_run_send_plan(r, &s->rolls[i]);
    }
    if (!nci_errands_add(s->plans, open_errand, r, &err))
        return;
    nci_run_fail(r, &err);
    nci_run_end(r);
}
