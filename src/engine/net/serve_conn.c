/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that peers opened to fetch: questions for chunks become numbers
 * for the driver. On the sending thread. */
#include "base/mem.h"
#include "engine/net/serve_internal.h"

static ncg_status take_fetch(nci_conn *conn, ncg_error *err)
{
    const nci_in *in = &conn->in;
    nci_servings *all = conn->home->net->servings;
    nci_fetch_request what;
    NCI_TRY(nci_fetch_decode(nci_conn_head(conn), in->frame.head, &what, err));
    if (in->frame.payload)
        return nci_fail(err, NCG_ENET, "FETCH with a payload");
    if (!all->hooks.wanted)
        return nci_fail(err, NCG_ENOTFOUND, "no chunks are served here");
    nci_serving *s = nci_calloc(1, sizeof *s);
    if (!s)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    s->net = conn->home->net;
    s->conn = nci_conn_retain(conn);
    s->request = in->frame.request;
    s->what = what;
    uint64_t id = nci_serving_add(all, s);
    if (!id) {
        nci_serving_free(s);
        return nci_fail(err, NCG_ENET, "more than %d questions wait",
                        NCI_SERVE_WAITING);
    }
    all->hooks.wanted(all->hooks.ctx, id, &what.key);
    return NCG_OK;
}

static void take_drop(nci_conn *conn)
{
    ncg_error why;
    nci_servings *all = conn->home->net->servings;
    nci_serving *s = nci_serving_take_request(conn, conn->in.frame.request);
    if (!s)
        return; /* it is being sent */
    nci_fail(&why, NCG_ECANCELED, "not wanted any more");
    nci_conn_queue_error(conn, s->request, &why);
    if (all->hooks.gone)
        all->hooks.gone(all->hooks.ctx, s->id);
    nci_serving_free(s);
}

static void serve_ready(nci_conn *conn)
{
    ncg_error err;
    conn->owner = nci_calloc(1, sizeof(nci_serve_peer));
    if (!conn->owner) {
        nci_fail(&err, NCG_ENOMEM, "out of memory");
        nci_conn_fail(conn, &err, true);
    }
}

static bool serve_place(nci_conn *conn, ncg_status *st, ncg_error *err)
{
    *st = nci_fail(err, NCG_ENET, "%s with a payload on a data connection",
                   nci_wire_type_name(conn->in.frame.type));
    return true;
}

static ncg_status serve_frame(nci_conn *conn, ncg_error *err)
{
    int type = conn->in.frame.type;
    if (type == NCI_WIRE_FETCH)
        return take_fetch(conn, err);
    if (type != NCI_WIRE_DROP)
        return nci_fail(err, NCG_ENET, "%s on a data connection",
                        nci_wire_type_name(type));
    take_drop(conn);
    return NCG_OK;
}

static void serve_closed(nci_conn *conn, const ncg_error *why)
{
    nci_servings *all = conn->home->net->servings;
    nci_serve_peer *peer = conn->owner;
    (void)why; /* who fetches tells it */
    nci_serving *s;
    while (peer && (s = nci_serving_take_any(all, peer))) {
        if (all->hooks.gone)
            all->hooks.gone(all->hooks.ctx, s->id);
        nci_serving_free(s);
    }
    nci_free(peer);
    conn->owner = NULL;
}

const nci_conn_ops nci_serve_ops = {.ready = serve_ready,
                                    .place = serve_place,
                                    .frame = serve_frame,
                                    .closed = serve_closed};
