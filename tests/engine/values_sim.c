/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values that stay on workers, in a simulated cluster: the real machine, with
 * invented workers and messages that keep their order on a connection and no
 * other. Workers join, die, leave; the scheduler is started again; clients
 * call, keep, cancel and let go. Every value is a hash of its inputs, so that
 * a wrong one is seen. Some workers have resources, some calls need them; more
 * than there is must never be in use. Everything comes from the seed.
 */
#include "values_sim.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    MOST_WORKERS = 24,
    MOST_VALUES = 400,
    MOST_INPUTS = 3,
    LOADS = 64,
    KINDS = 2 /* of resources */
};

typedef struct message {
    nci_value_action order; /* to a worker */
    nci_value_event event;  /* from one */
    uint32_t from[MOST_INPUTS];
} message;

typedef struct channel {
    message items[4096];
    size_t head, count;
} channel;

typedef struct hand {
    bool is_alive, may_leave;
    uint32_t number;
    bool has[MOST_VALUES];
    uint64_t value[MOST_VALUES];
    channel in, out;
    message run[LOADS]; /* under way */
    size_t nrun;
    int most, has_of[KINDS];
} hand;

typedef struct call {
    bool is_known, is_held, is_kept, is_ready, has_erred;
    ncg_status status;
    int64_t inputs[MOST_INPUTS];
    size_t ninputs;
    int needs[KINDS];
    uint32_t where;
} call;

typedef struct values_sim {
    uint64_t seed;
    nci_values *values;
    nci_value_actions actions;
    hand hands[MOST_WORKERS];
    int nhands;
    uint32_t numbers;
    call calls[MOST_VALUES];
    int64_t ncalls;
    unsigned faults;
    char broken[640];
} world;

static uint64_t next_random(world *w)
{
    w->seed += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = w->seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static int64_t below(world *w, int64_t n)
{
    return (int64_t)(next_random(w) % (uint64_t)n);
}

static void is_broken(world *w, const char *what, int64_t id)
{
    if (!*w->broken)
        snprintf(w->broken, sizeof w->broken, "%.500s (value %lld)", what,
                 (long long)id);
}

static uint64_t truth(const world *w, int64_t id)
{
    uint64_t hash = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const call *c = &w->calls[id];
    for (size_t i = 0; i < c->ninputs; i++)
        hash = (hash ^ truth(w, c->inputs[i])) * UINT64_C(0x100000001B3);
    return hash;
}

static hand *hand_of(world *w, uint32_t number)
{
    for (int i = 0; i < w->nhands; i++)
        if (w->hands[i].is_alive && w->hands[i].number == number)
            return &w->hands[i];
    return NULL;
}

static void push(world *w, channel *c, const message *m)
{
    if (c->count == sizeof c->items / sizeof *c->items)
        is_broken(w, "a channel is full", -1);
    else
        c->items[(c->head + c->count++) % 4096] = *m;
}

/* ---- the scheduler's driver ---------------------------------------------- */

static void apply(world *w)
{
    for (size_t i = 0; i < w->actions.count; i++) {
        message m = {.order = w->actions.items[i]};
        const nci_value_action *a = &m.order;
        call *c = a->id >= 0 && a->id < w->ncalls ? &w->calls[a->id] : NULL;
        hand *h = hand_of(w, a->worker);
        int64_t bytes;
        switch (a->kind) {
        case NCI_VALUE_READY:
            c->is_ready = true;
            c->where = a->worker;
            break;
        case NCI_VALUE_ERRED:
            c->has_erred = true;
            c->status = a->status;
            break;
        case NCI_VALUE_LOST:
        case NCI_VALUE_FORGOTTEN:
            c->is_known = false;
            break;
        default:
            for (size_t k = 0; a->kind == NCI_VALUE_RUN && k < c->ninputs; k++)
                m.from[k] = nci_values_where(w->values, c->inputs[k], &bytes);
            if (!h)
                is_broken(w, "an order for a worker that is gone", a->id);
            else
                push(w, &h->in, &m);
        }
    }
    w->actions.count = 0;
}

static void tell(world *w, nci_value_event event)
{
    ncg_error err;
    if (nci_values_handle(w->values, &event, &w->actions, &err))
        is_broken(w, err.message, event.id);
    apply(w);
    if (!nci_values_check(w->values, &err))
        is_broken(w, err.message, event.id);
}

/* ---- resources ----------------------------------------------------------- */

static nci_resources resources_of(world *w, const int amounts[KINDS])
{
    ncg_error err;
    nci_resources made = {.count = 0};
    char text[64] = "";
    for (int k = 0; k < KINDS; k++)
        if (amounts[k])
            snprintf(text + strlen(text), sizeof text - strlen(text), " R%d=%d",
                     k, amounts[k]);
    if (nci_resources_read(text, &made, &err))
        is_broken(w, err.message, -1);
    return made;
}

static void check_use(world *w, const hand *h)
{
    int used[KINDS] = {0};
    for (size_t i = 0; i < h->nrun; i++)
        for (int k = 0; k < KINDS; k++)
            used[k] += w->calls[h->run[i].order.id].needs[k];
    for (int k = 0; k < KINDS; k++)
        if (used[k] > h->has_of[k])
            is_broken(w, "more in use than a worker has", -1);
}

/* ---- workers ------------------------------------------------------------- */

static void answer(world *w, hand *h, const message *m,
                   nci_value_event_kind kind)
{
    message out = {
        .event = {.kind = kind,
                  .worker = h->number,
                  .id = m->order.id,
                  .attempt = m->order.attempt,
                  .bytes = 1 + m->order.id % 7,
                  .status = kind == NCI_VALUE_FAILED ? NCG_EKERNEL : NCG_OK}};
    push(w, &h->out, &out);
}

static void end_call(world *w, hand *h, size_t at)
{
    message m = h->run[at];
    const call *c = &w->calls[m.order.id];
    uint64_t hash = (uint64_t)m.order.id * UINT64_C(0x9E3779B97F4A7C15) + 1;
    h->run[at] = h->run[--h->nrun];
    for (size_t k = 0; k < c->ninputs; k++) {
        hand *peer = hand_of(w, m.from[k]);
        if (!peer || !peer->has[c->inputs[k]]) {
            answer(w, h, &m, NCI_VALUE_MISSED);
            return;
        }
        hash = (hash ^ peer->value[c->inputs[k]]) * UINT64_C(0x100000001B3);
    }
    if (below(w, 50) == 0) {
        answer(w, h, &m, NCI_VALUE_FAILED);
        return;
    }
    h->has[m.order.id] = true;
    h->value[m.order.id] = hash;
    answer(w, h, &m, NCI_VALUE_DONE);
}

static void obey(world *w, hand *h)
{
    message m = h->in.items[h->in.head];
    h->in.head = (h->in.head + 1) % 4096;
    h->in.count--;
    hand *from = hand_of(w, m.order.from);
    switch (m.order.kind) {
    case NCI_VALUE_RUN:
        if (h->nrun == LOADS || (int)h->nrun >= h->most)
            is_broken(w, "more calls than threads", m.order.id);
        else
            h->run[h->nrun++] = m;
        check_use(w, h);
        break;
    case NCI_VALUE_TAKE:
        if (from && from->has[m.order.id]) {
            h->has[m.order.id] = true;
            h->value[m.order.id] = from->value[m.order.id];
            answer(w, h, &m, NCI_VALUE_TAKEN);
        } else {
            answer(w, h, &m, NCI_VALUE_NOT_TAKEN);
        }
        break;
    case NCI_VALUE_DROP:
        h->has[m.order.id] = false;
        break;
    case NCI_VALUE_CLEAR:
        h->may_leave = true;
        break;
    default:
        break;
    }
}

static void tell_joined(world *w, const hand *h)
{
    nci_resources has = resources_of(w, h->has_of);
    tell(w, (nci_value_event){.kind = NCI_VALUE_JOINED,
                              .worker = h->number,
                              .threads = h->most,
                              .resources = &has});
}

static void join(world *w, bool has_all)
{
    if (w->nhands == MOST_WORKERS)
        return;
    hand *h = &w->hands[w->nhands++];
    h->is_alive = true;
    h->number = w->numbers++;
    h->most = 1 + (int)below(w, 4);
    for (int k = 0; k < KINDS; k++)
        h->has_of[k] = has_all ? 2 : (int)below(w, 3);
    tell_joined(w, h);
}

static hand *any_hand(world *w)
{
    int n = 0;
    hand *found = NULL;
    for (int i = 0; i < w->nhands; i++)
        if (w->hands[i].is_alive && below(w, ++n) == 0)
            found = &w->hands[i];
    return found;
}

static void kill_hand(world *w, hand *h)
{
    if (!h)
        return;
    h->is_alive = false;
    tell(w, (nci_value_event){.kind = NCI_VALUE_LEFT, .worker = h->number});
}

/* One step of somebody. */
static void step(world *w)
{
    hand *h = any_hand(w);
    if (!h)
        return;
    switch (below(w, 3)) {
    case 0:
        if (h->in.count)
            obey(w, h);
        break;
    case 1:
        if (h->nrun)
            end_call(w, h, (size_t)below(w, (int64_t)h->nrun));
        break;
    default:
        if (h->out.count) {
            message m = h->out.items[h->out.head];
            h->out.head = (h->out.head + 1) % 4096;
            h->out.count--;
            tell(w, m.event);
        } else if (h->may_leave && !h->in.count && !h->nrun) {
            kill_hand(w, h);
        }
    }
}

/* ---- clients ------------------------------------------------------------- */

static void make_call(world *w)
{
    if (w->ncalls == MOST_VALUES)
        return;
    call *c = &w->calls[w->ncalls];
    for (int i = 0; i < MOST_INPUTS && w->ncalls; i++) {
        int64_t id = below(w, w->ncalls);
        if (w->calls[id].is_held && !w->calls[id].is_kept && below(w, 2))
            c->inputs[c->ninputs++] = id;
    }
    nci_value_event e = {.kind = NCI_VALUE_CALL,
                         .id = w->ncalls++,
                         .worker = NCI_NO_WORKER,
                         .inputs = c->inputs,
                         .ninputs = c->ninputs,
                         .retries = 20};
    const hand *h = any_hand(w);
    if (h && below(w, 8) == 0)
        e.worker = h->number;
    for (int k = 0; k < KINDS; k++)
        c->needs[k] = below(w, 4) ? 0 : 1 + (int)below(w, 2);
    nci_resources needs = resources_of(w, c->needs);
    e.resources = &needs;
    c->is_known = c->is_held = true;
    tell(w, e);
}

static void make_kept(world *w)
{
    hand *h = any_hand(w);
    if (w->ncalls == MOST_VALUES || !h || h->may_leave)
        return;
    int64_t id = w->ncalls++;
    call *c = &w->calls[id];
    c->is_known = c->is_held = c->is_kept = true;
    h->has[id] = true;
    h->value[id] = truth(w, id);
    tell(w, (nci_value_event){.kind = NCI_VALUE_KEPT,
                              .worker = h->number,
                              .id = id,
                              .bytes = 5});
}

static void let_go(world *w, int64_t id)
{
    if (!w->calls[id].is_held)
        return;
    w->calls[id].is_held = false;
    tell(w, (nci_value_event){.kind = NCI_VALUE_RELEASE, .id = id});
}

/* A new scheduler: workers join again, with what they keep; calls are gone. */
static void restart(world *w)
{
    nci_values_free(&w->values);
    ncg_error err;
    if (nci_values_create(&w->values, &err))
        is_broken(w, err.message, -1);
    nci_values_break(w->values, w->faults);
    for (int64_t id = 0; id < w->ncalls; id++)
        if (!w->calls[id].is_kept)
            w->calls[id].is_known = w->calls[id].is_held = false;
    for (int i = 0; i < w->nhands; i++) {
        hand *h = &w->hands[i];
        if (!h->is_alive)
            continue;
        h->number = w->numbers++;
        h->in.count = h->out.count = h->nrun = 0;
        h->may_leave = false;
        tell_joined(w, h);
        for (int64_t id = 0; id < w->ncalls; id++) {
            h->has[id] = h->has[id] && w->calls[id].is_held;
            if (h->has[id])
                tell(w, (nci_value_event){.kind = NCI_VALUE_KEPT,
                                          .worker = h->number,
                                          .id = id,
                                          .bytes = 5});
        }
    }
}

/* ---- what must be true --------------------------------------------------- */

static bool is_quiet(const world *w)
{
    for (int i = 0; i < w->nhands; i++) {
        const hand *h = &w->hands[i];
        if (h->is_alive && (h->in.count || h->out.count || h->nrun))
            return false;
    }
    return true;
}

static void settle(world *w)
{
    for (int64_t i = 0; i < 400000 && !*w->broken && !is_quiet(w); i++)
        step(w);
    if (!is_quiet(w))
        is_broken(w, "it never ends", -1);
}

/* All that is held is there, right and at the place that was told. */
static void check_held(world *w)
{
    for (int64_t id = 0; id < w->ncalls; id++) {
        const call *c = &w->calls[id];
        int64_t bytes;
        uint32_t where = nci_values_where(w->values, id, &bytes);
        const hand *h = where == NCI_NO_WORKER ? NULL : hand_of(w, where);
        if (!c->is_held || !c->is_known || c->has_erred)
            continue;
        if (!c->is_kept && !c->is_ready)
            is_broken(w, "a call never ended", id);
        else if (!h || !h->has[id])
            is_broken(w, "what is held is not there", id);
        else if (h->value[id] != truth(w, id))
            is_broken(w, "a wrong value", id);
        else if (!c->is_kept && c->where != where)
            is_broken(w, "nobody was told where it is", id);
    }
}

static void check_empty(world *w)
{
    nci_values_stats stats;
    nci_values_get_stats(w->values, &stats);
    if (stats.there || stats.kept || stats.failed || stats.running)
        is_broken(w, "records stay for ever", -1);
    for (int i = 0; i < w->nhands; i++)
        for (int64_t id = 0; w->hands[i].is_alive && id < w->ncalls; id++)
            if (w->hands[i].has[id])
                is_broken(w, "a value stays for ever", id);
}

static void disturb(world *w, bool restarts)
{
    hand *h = any_hand(w);
    int64_t id = w->ncalls ? below(w, w->ncalls) : 0;
    switch (below(w, 40)) {
    case 0:
        kill_hand(w, h);
        join(w, false);
        break;
    case 1:
        join(w, false);
        break;
    case 2:
        if (h)
            tell(w, (nci_value_event){.kind = NCI_VALUE_DRAIN,
                                      .worker = h->number});
        break;
    case 3:
        tell(w, (nci_value_event){.kind = NCI_VALUE_CANCEL, .id = id});
        break;
    case 4:
    case 5:
        let_go(w, id);
        break;
    case 6:
        make_kept(w);
        break;
    case 7:
        if (h)
            tell(w, (nci_value_event){.kind = below(w, 3) ? NCI_VALUE_BACK
                                                          : NCI_VALUE_SILENT,
                                      .worker = h->number});
        break;
    case 8:
        if (restarts && below(w, 10) == 0)
            restart(w);
        break;
    default:
        make_call(w);
    }
}

static void wake_all(world *w)
{
    for (int i = 0; i < w->nhands; i++)
        if (w->hands[i].is_alive)
            tell(w, (nci_value_event){.kind = NCI_VALUE_BACK,
                                      .worker = w->hands[i].number});
}

/* One who stays, and has what any call needs, so that everything can end. */
static void join_for_good(world *w)
{
    hand *last = &w->hands[MOST_WORKERS - 1];
    if (w->nhands == MOST_WORKERS) {
        if (last->is_alive)
            kill_hand(w, last);
        memset(last, 0, sizeof *last);
        w->nhands--;
    }
    join(w, true);
}

const char *values_sim_play(world *w, uint64_t seed, unsigned faults)
{
    ncg_error err;
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->faults = faults;
    if (nci_values_create(&w->values, &err))
        is_broken(w, err.message, -1);
    nci_values_break(w->values, faults);
    for (int64_t n = 1 + below(w, 4); n; n--)
        join(w, false);
    for (int i = 0; i < 1500 && !*w->broken; i++) {
        if (below(w, 5) == 0)
            disturb(w, seed % 3 == 0);
        else
            step(w);
    }
    join_for_good(w);
    wake_all(w);
    settle(w);
    if (!*w->broken)
        check_held(w);
    for (int64_t id = 0; id < w->ncalls && !*w->broken; id++)
        let_go(w, id);
    settle(w);
    if (!*w->broken)
        check_empty(w);
    nci_values_free(&w->values);
    nci_free(w->actions.items);
    w->actions = (nci_value_actions){0};
    return *w->broken ? w->broken : NULL;
}

values_sim *values_sim_create(void)
{
    return nci_alloc(sizeof(values_sim));
}
