/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The workers of a scheduler: they join, open plans, fall silent, leave or are
 * lost, and every run under way learns of it.
 */
#include "engine/cluster/scheduler_kept.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"

nci_roll *nci_roll_of(nci_scheduler *s, nci_conn_id conn)
{
    for (size_t i = 0; i < s->nrolls; i++)
        if (s->rolls[i].conn == conn)
            return &s->rolls[i];
    return NULL;
}

/* ---- coming -------------------------------------------------------------- */

/* Everybody learns whom there is to fetch from. */
static void send_roster(nci_scheduler *s)
{
    nci_roster roster = {0};
    if (!nci_grow(&roster.entries, &roster.capacity, s->nrolls + 1,
                  sizeof *roster.entries))
        return; /* fetches fail and are planned anew */
    for (size_t i = 0; i < s->nrolls; i++) {
        nci_roster_entry *entry = &roster.entries[roster.count++];
        entry->number = s->rolls[i].number;
        memcpy(entry->addresses, s->rolls[i].who.addresses, sizeof entry->addresses);
    }
    memcpy(roster.checkpoint, s->checkpoint, sizeof roster.checkpoint);
    for (size_t i = 0; i < s->nrolls; i++) {
        nci_pack pack = {0};
        roster.number = s->rolls[i].number;
        nci_roster_pack(&pack, &roster);
        nci_dialogue_send(s->net, s->rolls[i].conn, NCI_WIRE_WELCOME, 0, &pack,
                          NULL);
    }
    nci_free(roster.entries);
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Plans are opened everywhere in the order in which they began: what reads a
 * set of chunks comes behind what makes it. */
static void send_plans(nci_scheduler *s, const nci_roll *roll)
{
    for (nci_plan_run *r = s->runs; r; r = r->next)
        if (r->state != NCI_RUN_QUEUED && r->body)
            nci_run_send_plan(r, roll);
}

ncg_status nci_roll_enrol(nci_scheduler *s, nci_conn_id conn, nci_unpack *in,
                          ncg_error *err)
{
    nci_roll roll = {.conn = conn};
    NCI_TRY(nci_joining_unpack(in, &roll.who, err));
    NCI_TRY(nci_resources_read(roll.who.resources, &roll.resources, err));
    if (nci_roll_of(s, conn))
        return nci_fail(err, NCG_ENET, "a worker joins twice");
    if (!nci_grow(&s->rolls, &s->rolls_capacity, s->nrolls + 1,
                  sizeof *s->rolls))
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    if (!*s->checkpoint)
        memcpy(s->checkpoint, roll.who.checkpoint, sizeof s->checkpoint);
    roll.number = s->workers++;
    roll.end = roll.who.left < 0 ? 0 : nanoseconds() + roll.who.left;
    s->rolls[s->nrolls++] = roll;
    nci_scheduler_value_of(s, NCI_VALUE_JOINED, &roll);
    nci_scheduler_note(s, "worker %s joined", roll.who.name);
    send_roster(s);
    nci_names_teach(s, &s->rolls[s->nrolls - 1]);
    send_plans(s, &s->rolls[s->nrolls - 1]);
    return NCG_OK;
}

ncg_status nci_roll_open(nci_scheduler *s, nci_conn_id conn, uint32_t run,
                         nci_unpack *in, ncg_error *err)
{
    nci_roll *roll = nci_roll_of(s, conn);
    nci_plan_run *r = nci_scheduler_run(s, run);
    int64_t limit = 0;
    NCI_TRY(nci_opened_unpack(in, &limit, err));
    if (!roll || !r)
        return NCG_OK; /* it is over */
    nci_share *share = nci_run_add_share(r, roll->number);
    if (!share)
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    share->is_open = true;
    share->limit = limit < roll->who.limit ? limit : roll->who.limit;
    nci_run_announce(r, roll);
    return NCG_OK;
}

/* ---- going --------------------------------------------------------------- */

void nci_roll_strike(nci_scheduler *s, nci_roll *roll)
{
    nci_scheduler_note(s, "worker %s left", roll->who.name);
    nci_roll gone = *roll;
    *roll = s->rolls[--s->nrolls];
    nci_doings_left(s, &gone);
    nci_scheduler_value_of(s, NCI_VALUE_LEFT, &gone);
    for (nci_plan_run *r = nci_scheduler_run_after(s, 0); r;) {
        nci_event left = {.kind = NCI_EVENT_WORKER_LEFT, .worker = gone.number};
        uint32_t id = r->id;
        bool has_joined = nci_run_has(r, gone.number);
        nci_run_drop_share(r, gone.number);
        if (has_joined)
            nci_run_event(r, &left);
        if (nci_scheduler_run(s, id))
            nci_kept_worker_left(r, gone.number);
        if (nci_scheduler_run(s, id))
            nci_run_check(r);
        r = nci_scheduler_run_after(s, id);
    }
    send_roster(s);
}

void nci_scheduler_try_leave(nci_scheduler *s, nci_roll *roll)
{
    const nci_action leave = {.kind = NCI_ACTION_LEAVE};
    nci_batch order = {0};
    if (!roll->is_leaving || !roll->has_no_values || roll->may_leave)
        return;
    for (const nci_plan_run *r = s->runs; r; r = r->next) {
        const nci_share *share = nci_run_share(r, roll->number);
        if (share && share->has_joined && !share->has_no_tasks)
            return;
    }
    roll->may_leave = true;
    nci_batch_order(&order, &leave);
    nci_batch_send(&order, s->net, roll->conn, NCI_WIRE_ORDERS, 0, NULL);
    nci_batch_fini(&order);
}

void nci_roll_let_go(nci_scheduler *s, nci_roll *roll)
{
    uint32_t number = roll->number;
    roll->is_leaving = true;
    nci_scheduler_value_of(s, NCI_VALUE_DRAIN, roll);
    for (nci_plan_run *r = nci_scheduler_run_after(s, 0); r;) {
        nci_event drain = {.kind = NCI_EVENT_WORKER_DRAIN, .worker = number};
        uint32_t id = r->id;
        if (nci_run_has(r, number))
            nci_run_event(r, &drain);
        r = nci_scheduler_run_after(s, id);
    }
    roll = nci_scheduler_roll(s, number);
    if (roll)
        nci_scheduler_try_leave(s, roll);
}

static const char *word_of(nci_silence state)
{
    return state == NCI_SILENCE_OVER      ? "heard again"
           : state == NCI_SILENCE_SUSPECT ? "silent"
                                          : "taken for dead";
}

void nci_roll_silence(nci_scheduler *s, nci_roll *roll, nci_silence state)
{
    bool is_over = state == NCI_SILENCE_OVER;
    uint32_t number = roll->number;
    roll->is_silent = !is_over;
    nci_scheduler_note(s, "worker %s is %s", roll->who.name, word_of(state));
    if (state == NCI_SILENCE_DEAD)
        return;
    nci_scheduler_value_of(s, is_over ? NCI_VALUE_BACK : NCI_VALUE_SILENT,
                           roll);
    for (nci_plan_run *r = nci_scheduler_run_after(s, 0); r;) {
        nci_event event = {.kind = is_over ? NCI_EVENT_WORKER_BACK
                                           : NCI_EVENT_WORKER_SUSPECT,
                           .worker = number};
        uint32_t id = r->id;
        if (nci_run_has(r, number))
            nci_run_event(r, &event);
        r = nci_scheduler_run_after(s, id);
    }
}
