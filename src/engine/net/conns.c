/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a loop does for all of its connections a few times a second: heartbeats,
 * silence, handshakes that take too long, peers that read nothing. Times are
 * counted in ticks that really came: a process that was stopped, or a clock
 * that jumped, makes nobody look silent.
 */
#include <string.h>

#include "engine/net/net_internal.h"

enum { LINGER_MS = 1000 };

void nci_conns_link(nci_conns *conns, nci_conn *conn)
{
    conn->prev = NULL;
    conn->next = conns->first;
    if (conn->next)
        conn->next->prev = conn;
    conns->first = conn;
    conn->linked = true;
    atomic_fetch_add(&conns->net->counters.connections, 1);
}

void nci_conns_unlink(nci_conn *conn)
{
    nci_conns *conns = conn->home;
    if (!conn->linked)
        return; /* it closes before its first turn */
    conn->linked = false;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        conns->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    if (conns->cursor == conn)
        conns->cursor = conn->next;
    conn->next = conn->prev = NULL;
    atomic_fetch_sub(&conns->net->counters.connections, 1);
}

static void end_slow_handshake(nci_conn *conn)
{
    ncg_error why;
    const nci_net_options *options = &conn->home->net->options;
    nci_fail(&why, NCG_ENET,
             conn->accepted ? "the handshake did not end within %d ms"
                            : "no answer within %d ms; is there a firewall "
                              "between the hosts, or is the process there "
                              "stopped?",
             options->handshake_ms);
    nci_conn_fail(conn, &why, conn->accepted);
}

static void say(nci_conn *conn, nci_silence state)
{
    const nci_net_hooks *hooks = &conn->home->net->options.hooks;
    conn->silence = state;
    if (conn->id && hooks->silence)
        hooks->silence(hooks->ctx, conn->id, state);
}

/* A data connection has nobody who decides. */
static void end_silent(nci_conn *conn)
{
    ncg_error why;
    nci_fail(&why, NCG_ENET, "nothing was heard for %d ms",
             conn->home->net->options.dead_ms);
    nci_conn_fail(conn, &why, false);
}

static void check_silence(nci_conn *conn)
{
    const nci_net *net = conn->home->net;
    if (conn->paused)
        return;
    int ticks = conn->silent++;
    /* One less: by the time that the last tick ends, it has been so long. */
    if (ticks == 0 && conn->silence != NCI_SILENCE_OVER)
        say(conn, NCI_SILENCE_OVER);
    else if (ticks == nci_net_ticks(net, net->options.suspect_ms) - 1)
        say(conn, NCI_SILENCE_SUSPECT);
    else if (ticks == nci_net_ticks(net, net->options.dead_ms)) {
        say(conn, NCI_SILENCE_DEAD);
        if (!conn->id)
            end_silent(conn);
    }
}

/* Memory that a peer does not let go of. */
static void check_stuck(nci_conn *conn, bool moved, int64_t queued)
{
    ncg_error why;
    const nci_net *net = conn->home->net;
    conn->stuck = moved || !queued ? 0 : conn->stuck + 1;
    if (queued <= net->options.max_unsent ||
        conn->stuck < nci_net_ticks(net, net->options.suspect_ms))
        return;
    nci_fail(&why, NCG_ENET,
             "the other side reads nothing for %d ms while %lld bytes wait "
             "for it",
             net->options.suspect_ms, (long long)queued);
    nci_conn_fail(conn, &why, false);
}

static void tick_ready(nci_conn *conn)
{
    const nci_net *net = conn->home->net;
    pthread_mutex_lock(&conn->lock);
    bool moved = conn->moved, sent = conn->sent_any;
    int64_t queued = conn->queued;
    conn->moved = conn->sent_any = false;
    pthread_mutex_unlock(&conn->lock);
    conn->quiet = sent ? 0 : conn->quiet + 1;
    if (conn->quiet >= nci_net_ticks(net, net->options.heartbeat_ms) &&
        !queued) {
        nci_conn_queue_frame(conn, NCI_WIRE_HEARTBEAT, 0, NULL, 0);
        conn->quiet = 0;
    }
    if (conn->purpose == NCI_PURPOSE_CONTROL)
        check_stuck(conn, moved, queued);
    if (conn->state == NCI_CONN_READY)
        check_silence(conn);
}

/* GOODBYE has left, but a network that was broken a moment ago delivers it
 * late. A socket that is closed before would lose it: the peer's next message
 * is answered by a reset, and the peer looks for a process that has ended. */
static bool is_on_its_way(nci_conn *conn)
{
    return conn->state == NCI_CONN_CLOSING && nci_conn_is_drained(conn) &&
           conn->silent < nci_net_ticks(conn->home->net,
                                        conn->home->net->options.suspect_ms) &&
           nci_sock_unacked(conn->fd);
}

bool nci_conns_deliver(const nci_conns *conns)
{
    for (nci_conn *conn = conns->first; conn; conn = conn->next)
        if (is_on_its_way(conn))
            return true;
    return false;
}

/* What leaves before the end has as long as it moves. */
static void tick_closing(nci_conn *conn)
{
    conn->silent++;
    pthread_mutex_lock(&conn->lock);
    bool moved = conn->moved;
    conn->moved = false;
    pthread_mutex_unlock(&conn->lock);
    if (moved || is_on_its_way(conn))
        conn->age = 0;
    if (conn->age > nci_net_ticks(conn->home->net, LINGER_MS))
        nci_conn_fail(conn, &conn->why, false);
}

static void tick(nci_conn *conn)
{
    const nci_net *net = conn->home->net;
    conn->age++;
    if (conn->state < NCI_CONN_READY &&
        conn->age > nci_net_ticks(net, net->options.handshake_ms))
        end_slow_handshake(conn);
    else if (conn->state == NCI_CONN_CLOSING)
        tick_closing(conn);
    else if (conn->state == NCI_CONN_READY)
        tick_ready(conn);
}

/* A hook may close any connection: nci_conns_unlink moves the cursor on. */
static void on_tick(uv_timer_t *timer)
{
    nci_conns *conns = timer->data;
    conns->cursor = conns->first;
    while (conns->cursor) {
        nci_conn *conn = nci_conn_retain(conns->cursor);
        conns->cursor = conn->next;
        tick(conn);
        nci_conn_release(&conn);
    }
}

static void start_ticker(void *ctx)
{
    nci_conns *conns = ctx;
    uint64_t ms = (uint64_t)conns->net->tick_ms;
    uv_timer_init(&conns->loop.uv, &conns->ticker);
    conns->ticker.data = conns;
    uv_timer_start(&conns->ticker, on_tick, ms, ms);
}

ncg_status nci_conns_start(nci_conns *conns, nci_net *net, const char *name,
                           ncg_error *err)
{
    conns->net = net;
    NCI_TRY(nci_loop_start(&conns->loop, name, nci_conns_flush, conns, err));
    conns->begin = (nci_loop_job){.fn = start_ticker, .ctx = conns};
    nci_loop_post_job(&conns->loop, &conns->begin);
    return NCG_OK;
}
