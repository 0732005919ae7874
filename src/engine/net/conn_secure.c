/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a connection does before its first frame: where the net has TLS, its
 * handshake; whoever speaks without gets the reason in plain words. All on the
 * loop's thread; the connection's lock guards what OpenSSL keeps.
 */
#include "engine/net/net_internal.h"

void nci_conn_drop_secure(nci_conn *conn)
{
    pthread_mutex_lock(&conn->lock);
    nci_secure_free(&conn->secure);
    pthread_mutex_unlock(&conn->lock);
}

/* The socket carries frames from now on. */
static void greet(nci_conn *conn)
{
    conn->state = NCI_CONN_SHAKING;
    conn->in.limits = nci_handshake_limits();
    if (conn->dial)
        nci_dial_greet(conn);
    else
        nci_conn_watch(conn);
}

static void fail_securing(nci_conn *conn, nci_secure_state state,
                          const ncg_error *why)
{
    if (state == NCI_SECURE_PLAIN) {
        nci_conn_drop_secure(conn);
        conn->state = NCI_CONN_SHAKING; /* ERROR can be read there */
    }
    nci_conn_fail(conn, why, true);
}

void nci_conn_secure_step(nci_conn *conn)
{
    uint8_t binding[NCI_BINDING_SIZE];
    ncg_error why;
    pthread_mutex_lock(&conn->lock);
    nci_secure_state state = nci_secure_step(conn->secure, binding, &why);
    pthread_mutex_unlock(&conn->lock);
    conn->wants_write = state == NCI_SECURE_WRITES;
    if (state == NCI_SECURE_DONE) {
        nci_handshake_bind(&conn->shake, binding);
        greet(conn);
    } else if (state >= NCI_SECURE_PLAIN) {
        fail_securing(conn, state, &why);
    } else {
        nci_conn_watch(conn);
    }
}

void nci_conn_begin(nci_conn *conn)
{
    ncg_error err;
    const nci_net *net = conn->home->net;
    nci_secure *secure = NULL;
    if (!net->tls) {
        greet(conn);
        return;
    }
    conn->state = NCI_CONN_SECURING;
    if (nci_secure_create(net->tls, conn->fd, conn->accepted, &secure, &err)) {
        nci_conn_fail(conn, &err, false);
        return;
    }
    pthread_mutex_lock(&conn->lock);
    conn->secure = secure;
    pthread_mutex_unlock(&conn->lock);
    nci_conn_secure_step(conn);
}

/* ---- bytes that wait in OpenSSL ------------------------------------------- */

static void read_again(void *ctx)
{
    nci_conn *conn = ctx;
    conn->is_again = false;
    if (conn->state >= NCI_CONN_SHAKING && conn->state < NCI_CONN_CLOSING &&
        conn->poll && !conn->paused)
        nci_conn_read(conn);
    if (conn->state != NCI_CONN_CLOSED)
        nci_conn_watch(conn);
    nci_conn_release(&conn);
}

/* The socket does not say that there is something to read: it is here already.
 */
void nci_conn_look_again(nci_conn *conn)
{
    if (!conn->secure || conn->is_again || conn->paused ||
        conn->state < NCI_CONN_SHAKING || conn->state >= NCI_CONN_CLOSING)
        return;
    pthread_mutex_lock(&conn->lock);
    bool has_more = nci_secure_has_more(conn->secure);
    pthread_mutex_unlock(&conn->lock);
    if (!has_more)
        return;
    conn->is_again = true;
    conn->again = (nci_loop_job){.fn = read_again, .ctx = conn};
    nci_conn_retain(conn);
    if (!nci_loop_post_job(&conn->home->loop, &conn->again)) {
        nci_conn *held = conn;
        nci_conn_release(&held);
    }
}

ssize_t nci_conn_secure_read(nci_conn *conn, const struct iovec *pieces, int n)
{
    pthread_mutex_lock(&conn->lock);
    ssize_t got = nci_secure_read(conn->secure, pieces, n);
    pthread_mutex_unlock(&conn->lock);
    return got;
}
