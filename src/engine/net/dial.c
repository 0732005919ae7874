/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connecting: the addresses of a peer one after the other, until one of them
 * answers and proves what it should. Names are looked up without waiting. What
 * is reported in the end is the reason that tells most: a refusal rather than
 * silence.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/net/net_internal.h"

typedef struct nci_dial {
    uv_getaddrinfo_t lookup;
    nci_conn *conn; /* NULL: let go of while a name is looked up */
    char *addresses;
    const char *at;         /* next address in the list */
    struct addrinfo *found; /* of the last name */
    const struct addrinfo *next;
    bool looking;
    nci_peer_role role;
    nci_purpose purpose;
    uint64_t epoch;
    bool failed;
    ncg_error best; /* reason so far */
} nci_dial;

static void free_dial(nci_dial *dial)
{
    if (dial->found)
        uv_freeaddrinfo(dial->found);
    nci_free(dial->addresses);
    nci_free(dial);
}

void nci_dial_free(nci_conn *conn)
{
    nci_dial *dial = conn->dial;
    conn->dial = NULL;
    if (!dial)
        return;
    dial->conn = NULL;
    if (dial->looking)
        uv_cancel((uv_req_t *)&dial->lookup); /* on_found frees it */
    else
        free_dial(dial);
}

static void keep_reason(nci_dial *dial, const ncg_error *why)
{
    bool tells_more = why->status != NCG_ENET || !dial->failed;
    if (tells_more)
        dial->best = *why;
    dial->failed = true;
}

/* No address is left. */
static void give_up(nci_conn *conn)
{
    ncg_error why = conn->dial->best;
    nci_dial_free(conn);
    nci_conn_fail(conn, &why, false);
}

/* The socket is connected, or connecting ended otherwise. */
void nci_dial_connected(nci_conn *conn)
{
    ncg_error err;
    nci_address own;
    int sys = nci_sock_error(conn->fd);
    if (sys) {
        nci_fail_sys(&err, NCG_ENET, sys, "%s%s", strerror(sys),
                     nci_sock_hint(sys));
        nci_conn_fail(conn, &err, false);
        return;
    }
    nci_sock_name(conn->fd, &own);
    conn->peer.same_host = nci_address_same_host(&own, &conn->address);
    if (conn->peer.same_host)
        nci_sock_unpaced(conn->fd);
    nci_conn_begin(conn);
}

void nci_dial_greet(nci_conn *conn)
{
    ncg_error err;
    nci_packet packet;
    uint8_t binding[NCI_BINDING_SIZE];
    const nci_dial *dial = conn->dial;
    const nci_net *net = conn->home->net;
    bool is_bound = conn->shake.is_bound;
    memcpy(binding, conn->shake.binding, sizeof binding);
    ncg_status st = nci_handshake_connect(
        &conn->shake, &net->options.keys, dial->role, dial->purpose,
        dial->epoch, net->name, &packet, &err);
    if (!st && is_bound)
        nci_handshake_bind(&conn->shake, binding);
    if (!st &&
        !nci_conn_queue_frame(conn, NCI_WIRE_HELLO, 0,
                              packet.bytes + NCI_FRAME_SIZE, NCI_HELLO_SIZE))
        st = nci_fail(&err, NCG_ENOMEM, "out of memory");
    if (st)
        nci_conn_fail(conn, &err, false);
    else
        nci_conn_watch(conn);
}

/* Begins to connect to one address; false: it could not even begin. */
static bool begin(nci_conn *conn, const struct addrinfo *to)
{
    ncg_error err;
    nci_dial *dial = conn->dial;
    if (to->ai_addrlen > sizeof conn->address.as)
        return false;
    conn->address.length = to->ai_addrlen;
    memcpy(&conn->address.as, to->ai_addr, to->ai_addrlen);
    nci_address_format(&conn->address, conn->peer.address);
    int fd = nci_sock_connect(&conn->address);
    int sys = errno;
    if (fd < 0) {
        nci_fail_sys(&err, NCG_ENET, sys, "cannot connect to %s: %s%s",
                     conn->peer.address, strerror(sys), nci_sock_hint(sys));
        keep_reason(dial, &err);
        return false;
    }
    if (nci_conn_attach(conn, fd, &err)) {
        close(fd);
        keep_reason(dial, &err);
        return false;
    }
    conn->state = NCI_CONN_CONNECTING;
    conn->shake.is_bound = false;
    conn->age = 0;
    conn->in.base = conn->in.at = conn->in.end = 0;
    conn->in.phase = NCI_IN_FRAME;
    nci_buf_release(&conn->in.body);
    nci_conn_watch(conn);
    return true;
}

static void on_found(uv_getaddrinfo_t *lookup, int code,
                     struct addrinfo *found);

/* Looks the next name of the list up; false: there is none. */
static bool look_up(nci_conn *conn)
{
    ncg_error err;
    nci_dial *dial = conn->dial;
    while (*dial->at) {
        char host[NCI_HOST_TEXT], port[8];
        size_t length = strcspn(dial->at, ",");
        const char *text = dial->at;
        dial->at += length + (dial->at[length] != '\0');
        if (nci_address_split(text, length, host, port, &err)) {
            keep_reason(dial, &err);
            continue;
        }
        snprintf(conn->peer.address, sizeof conn->peer.address, "%.*s",
                 (int)length, text);
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                       .ai_flags = AI_NUMERICSERV};
        int code = uv_getaddrinfo(&conn->home->loop.uv, &dial->lookup, on_found,
                                  host, port, &hints);
        if (!code) {
            conn->state = NCI_CONN_RESOLVING;
            conn->age = 0;
            dial->looking = true;
            return true;
        }
        nci_fail(&err, NCG_ENET, "cannot look %s up: %s", host,
                 uv_strerror(code));
        keep_reason(dial, &err);
    }
    return false;
}

/* Numbers need no looking up: tried at once, so that a fetch does not wait for
 * a thread. */
static bool take_number(nci_dial *dial)
{
    char host[NCI_HOST_TEXT], port[8];
    size_t length = strcspn(dial->at, ",");
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    if (!length || nci_address_split(dial->at, length, host, port, NULL) ||
        getaddrinfo(host, port, &hints, &dial->found))
        return false;
    dial->next = dial->found;
    dial->at += length + (dial->at[length] != '\0');
    return true;
}

/* The next address that lets itself be tried. */
static bool try_next(nci_conn *conn)
{
    nci_dial *dial = conn->dial;
    for (;;) {
        while (dial->next) {
            const struct addrinfo *to = dial->next;
            dial->next = to->ai_next;
            if (begin(conn, to))
                return true;
        }
        if (dial->found)
            uv_freeaddrinfo(dial->found);
        dial->found = NULL;
        if (!take_number(dial))
            return look_up(conn);
    }
}

static void on_found(uv_getaddrinfo_t *lookup, int code, struct addrinfo *found)
{
    ncg_error err;
    nci_dial *dial = (nci_dial *)lookup;
    nci_conn *conn = dial->conn;
    dial->looking = false;
    dial->found = found;
    dial->next = found;
    if (!conn) {
        free_dial(dial);
        return;
    }
    if (code) {
        nci_fail(&err, NCG_ENET, "cannot find %s: %s", conn->peer.address,
                 uv_strerror(code));
        nci_conn_fail(conn, &err, false);
        return;
    }
    if (!try_next(conn))
        give_up(conn);
}

bool nci_dial_next(nci_conn *conn, const ncg_error *why)
{
    ncg_error said = *why;
    nci_dial *dial = conn->dial;
    if (dial->looking)
        return false; /* it took too long; the lookup still uses this */
    nci_error_wrap(&said, "%s", conn->peer.address);
    keep_reason(dial, &said);
    if (try_next(conn))
        return true;
    conn->why = dial->best;
    return false;
}

static void start(void *ctx)
{
    nci_conn *conn = ctx;
    if (conn->state != NCI_CONN_CLOSED) {
        if (!conn->home->ended)
            nci_conns_link(conn->home, conn);
        if (conn->home->ended || !try_next(conn))
            give_up(conn);
    }
    nci_conn_release(&conn);
}

ncg_status nci_conn_dial(nci_conn *conn, const char *addresses,
                         nci_peer_role role, nci_purpose purpose,
                         uint64_t epoch, ncg_error *err)
{
    nci_dial *dial = nci_calloc(1, sizeof *dial);
    if (dial)
        dial->addresses = nci_strdup(addresses);
    if (!dial || !dial->addresses) {
        nci_free(dial);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    dial->at = dial->addresses;
    dial->conn = conn;
    dial->role = role;
    dial->purpose = purpose;
    dial->epoch = epoch;
    nci_fail(&dial->best, NCG_EINVAL, "'%.200s' has no address HOST:PORT",
             addresses);
    conn->dial = dial;
    conn->purpose = purpose;
    conn->peer.listens = true;
    conn->peer.role = role;
    nci_conn_retain(conn);
    if (!nci_loop_post(&conn->home->loop, start, conn, err))
        return NCG_OK;
    conn->dial = NULL;
    free_dial(dial);
    nci_conn_release(&conn);
    return err ? err->status : NCG_ECANCELED;
}
