/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening: connections are accepted and shake hands on the control thread;
 * those for data then move to the sending thread. Nobody who does not finish
 * the handshake costs more than a descriptor for options.handshake_ms. Out of
 * descriptors, one that is kept for this is given up for a moment, so that the
 * peer is turned away instead of left waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/net/net_internal.h"

static void turn_away(nci_listener *listener)
{
    nci_address peer;
    char text[NCI_ADDRESS_TEXT] = "a peer";
    if (listener->spare >= 0)
        close(listener->spare);
    int fd = nci_sock_accept(listener->fd, &peer);
    if (fd >= 0) {
        nci_address_format(&peer, text);
        close(fd);
    }
    listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    nci_net_note(listener->net,
                 "%s was turned away: too many open files; raise the limit "
                 "(ulimit -n)",
                 text);
}

static void take_one(nci_listener *listener, int fd, const nci_address *peer)
{
    ncg_error err;
    nci_conn *conn = NULL;
    nci_net *net = listener->net;
    if (nci_conn_create(&net->control, &nci_accept_ops, NULL, &conn, &err)) {
        close(fd);
        nci_net_note(net, "a connection was turned away: %s", err.message);
        return;
    }
    nci_conn_accept(conn, fd, peer, listener->roles);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    nci_listener *listener = poll->data;
    nci_address peer;
    (void)status;
    (void)events;
    for (int i = 0; i < 64; i++) { /* then others have their turn */
        int fd = nci_sock_accept(listener->fd, &peer);
        if (fd >= 0)
            take_one(listener, fd, &peer);
        else if (errno == EMFILE || errno == ENFILE)
            turn_away(listener);
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

static void add(void *ctx)
{
    nci_listener *listener = ctx;
    nci_net *net = listener->net;
    int code =
        uv_poll_init(&net->control.loop.uv, &listener->poll, listener->fd);
    listener->poll.data = listener;
    if (!code)
        code = uv_poll_start(&listener->poll, UV_READABLE, on_connection);
    if (code)
        nci_net_note(net, "cannot accept connections: %s", uv_strerror(code));
    listener->next = net->listeners;
    net->listeners = listener;
}

ncg_status nci_listener_open(nci_net *net, const char *host, int port,
                             int roles, char *addresses, ncg_error *err)
{
    nci_address bound;
    nci_listener *listener = nci_calloc(1, sizeof *listener);
    if (!listener)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = nci_sock_listen(host, port, &listener->fd, &bound, err);
    if (st) {
        nci_free(listener);
        return st;
    }
    listener->net = net;
    listener->roles = roles;
    listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    st = nci_loop_post(&net->control.loop, add, listener, err);
    if (st) {
        close(listener->fd);
        close(listener->spare);
        nci_free(listener);
        return st;
    }
    nci_address_list(&bound, addresses, NCI_NET_ADDRESSES);
    return NCG_OK;
}

static void free_listener(uv_handle_t *handle)
{
    nci_free(handle->data);
}

void nci_listeners_close(nci_net *net)
{
    while (net->listeners) {
        nci_listener *listener = net->listeners;
        net->listeners = listener->next;
        uv_poll_stop(&listener->poll);
        close(listener->fd);
        if (listener->spare >= 0)
            close(listener->spare);
        uv_close((uv_handle_t *)&listener->poll, free_listener);
    }
}

/* ---- accepted, not yet sorted ---------------------------------------------
 */

static bool place_nothing(nci_conn *conn, ncg_status *st, ncg_error *err)
{
    *st = nci_fail(err, NCG_EBUG, "%s came before the connection was sorted",
                   nci_wire_type_name(conn->in.frame.type));
    return true;
}

static ncg_status frame_nothing(nci_conn *conn, ncg_error *err)
{
    ncg_status st;
    place_nothing(conn, &st, err);
    return st;
}

static void accepted_ready(nci_conn *conn)
{
    ncg_error err;
    nci_net *net = conn->home->net;
    if (conn->purpose == NCI_PURPOSE_DATA) {
        nci_conn_move(conn, &net->serve, &nci_serve_ops, NULL);
        return;
    }
    conn->ops = &nci_control_ops;
    if (nci_table_add(&net->table, conn, &err))
        nci_conn_fail(conn, &err, true);
    else
        conn->ops->ready(conn);
}

static void accepted_closed(nci_conn *conn, const ncg_error *why)
{
    nci_net *net = conn->home->net;
    char name[160];
    atomic_fetch_add(&net->counters.refused, 1);
    nci_conn_name(conn, name, sizeof name);
    nci_net_note(net, "a connection from %s ended in the handshake: %s", name,
                 why->message);
}

const nci_conn_ops nci_accept_ops = {.ready = accepted_ready,
                                     .place = place_nothing,
                                     .frame = frame_nothing,
                                     .closed = accepted_closed};
