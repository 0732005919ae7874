/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/net/handshake.h"

#include <stdio.h>
#include <string.h>

static void pack(nci_packet *out, int type, const void *head, uint32_t nhead)
{
    nci_frame frame = {.type = (uint8_t)type, .head = nhead};
    nci_frame_encode(&frame, head, out->bytes);
    if (nhead)
        memcpy(out->bytes + NCI_FRAME_SIZE, head, nhead);
    out->nbytes = NCI_FRAME_SIZE + nhead;
}

static const char *role_name(int role)
{
    static const char *const names[] = {"worker", "client", "dashboard"};
    return names[role - 1];
}

nci_frame_limits nci_handshake_limits(void)
{
    return (nci_frame_limits){.head = NCI_HELLO_SIZE, .payload = 512};
}

ncg_status nci_handshake_connect(nci_handshake *h, const nci_keys *keys,
                                 nci_peer_role role, nci_purpose purpose,
                                 uint64_t epoch, const char *name,
                                 nci_packet *out, ncg_error *err)
{
    *h = (nci_handshake){.keys = keys, .epoch = epoch};
    if (!keys->has[role - 1])
        return nci_fail(err, NCG_EAUTH,
                        "this process has no key for the role of a %s",
                        role_name(role));
    NCI_TRY(nci_random(h->nonce, sizeof h->nonce, err));
    h->peer = (nci_hello){.low = NCI_WIRE_VERSION_LOW,
                          .high = NCI_WIRE_VERSION,
                          .role = (uint8_t)role,
                          .purpose = (uint8_t)purpose,
                          .epoch = epoch};
    memcpy(h->peer.cluster, keys->cluster, NCI_CLUSTER_ID_SIZE);
    memcpy(h->peer.nonce, h->nonce, NCI_NONCE_SIZE);
    snprintf(h->peer.name, sizeof h->peer.name, "%s", name ? name : "");
    nci_hello_encode(&h->peer, h->hello);
    pack(out, NCI_WIRE_HELLO, h->hello, NCI_HELLO_SIZE);
    h->state = NCI_HANDSHAKE_WAIT_CHALLENGE;
    return NCG_OK;
}

ncg_status nci_handshake_listen(nci_handshake *h, const nci_keys *keys,
                                int roles, uint64_t epoch, ncg_error *err)
{
    *h = (nci_handshake){.state = NCI_HANDSHAKE_WAIT_HELLO,
                         .keys = keys,
                         .roles = roles,
                         .epoch = epoch};
    return nci_random(h->nonce, sizeof h->nonce, err);
}

void nci_handshake_bind(nci_handshake *h,
                        const uint8_t binding[NCI_BINDING_SIZE])
{
    memcpy(h->binding, binding, NCI_BINDING_SIZE);
    h->is_bound = true;
}

/* The proof of either side. CHALLENGE's own proof is not part of what it
 * covers. */
static ncg_status prove(const nci_handshake *h, bool listens,
                        uint8_t out[NCI_MAC_SIZE], ncg_error *err)
{
    size_t nchallenge = listens ? 64 : NCI_CHALLENGE_SIZE;
    const nci_bytes pieces[] = {
        {listens ? "listens" : "connects", listens ? 7u : 8u},
        {h->hello, NCI_HELLO_SIZE},
        {h->challenge, nchallenge},
        {h->binding, NCI_BINDING_SIZE}};
    return nci_mac(h->keys->role[h->peer.role - 1], pieces,
                   h->is_bound ? 4 : 3, out, err);
}

static ncg_status check_cluster(const uint8_t *mine, const uint8_t *theirs,
                                ncg_error *err)
{
    if (!memcmp(mine, theirs, NCI_CLUSTER_ID_SIZE))
        return NCG_OK;
    return nci_fail(err, NCG_EAUTH,
                    "it belongs to another cluster (%02x%02x%02x%02x..., not "
                    "%02x%02x%02x%02x...); read the scheduler file again",
                    theirs[0], theirs[1], theirs[2], theirs[3], mine[0],
                    mine[1], mine[2], mine[3]);
}

static ncg_status fail_epoch(uint64_t expected, uint64_t found, ncg_error *err)
{
    return nci_fail(err, NCG_EAUTH,
                    "the scheduler was started anew (epoch %llu, not %llu); "
                    "read the scheduler file again",
                    (unsigned long long)found, (unsigned long long)expected);
}

/* Whether the one who listens takes the one who connects, before any proof. */
static ncg_status admit(const nci_handshake *h, ncg_error *err)
{
    const nci_hello *peer = &h->peer;
    if (peer->high < NCI_WIRE_VERSION_LOW || peer->low > NCI_WIRE_VERSION)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s speaks versions %d to %d of the protocol, this "
                        "side %d to %d; use the same release of ncgraph on "
                        "both sides",
                        peer->name[0] ? peer->name : "the peer", peer->low,
                        peer->high, NCI_WIRE_VERSION_LOW, NCI_WIRE_VERSION);
    NCI_TRY(check_cluster(peer->cluster, h->keys->cluster, err));
    if (peer->epoch && h->epoch && peer->epoch != h->epoch)
        return fail_epoch(peer->epoch, h->epoch, err);
    if (!(h->roles & 1 << peer->role) || !h->keys->has[peer->role - 1])
        return nci_fail(err, NCG_EAUTH, "a %s is not accepted here",
                        role_name(peer->role));
    return NCG_OK;
}

static ncg_status take_hello(nci_handshake *h, const nci_frame *frame,
                             const void *head, nci_packet *out, ncg_error *err)
{
    nci_challenge challenge = {.epoch = h->epoch};
    NCI_TRY(nci_hello_decode(head, frame->head, &h->peer, err));
    memcpy(h->hello, head, NCI_HELLO_SIZE);
    NCI_TRY(admit(h, err));
    h->version =
        h->peer.high < NCI_WIRE_VERSION ? h->peer.high : NCI_WIRE_VERSION;
    challenge.version = h->version;
    memcpy(challenge.cluster, h->keys->cluster, NCI_CLUSTER_ID_SIZE);
    memcpy(challenge.nonce, h->nonce, NCI_NONCE_SIZE);
    nci_challenge_encode(&challenge, h->challenge);
    NCI_TRY(prove(h, true, challenge.proof, err));
    nci_challenge_encode(&challenge, h->challenge);
    pack(out, NCI_WIRE_CHALLENGE, h->challenge, NCI_CHALLENGE_SIZE);
    h->state = NCI_HANDSHAKE_WAIT_PROOF;
    return NCG_OK;
}

static ncg_status take_challenge(nci_handshake *h, const nci_frame *frame,
                                 const void *head, nci_packet *out,
                                 ncg_error *err)
{
    nci_challenge challenge;
    uint8_t mine[NCI_MAC_SIZE];
    NCI_TRY(nci_challenge_decode(head, frame->head, &challenge, err));
    if (challenge.version < NCI_WIRE_VERSION_LOW ||
        challenge.version > NCI_WIRE_VERSION)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "it chose version %d of the protocol, which was not "
                        "offered",
                        challenge.version);
    NCI_TRY(check_cluster(h->keys->cluster, challenge.cluster, err));
    memcpy(h->challenge, head, NCI_CHALLENGE_SIZE);
    NCI_TRY(prove(h, true, mine, err));
    if (!nci_mac_equal(mine, challenge.proof))
        return nci_fail(err, NCG_EAUTH,
                        "the two sides have different secrets; both must use "
                        "the scheduler file of the same cluster");
    if (h->epoch && h->epoch != challenge.epoch)
        return fail_epoch(h->epoch, challenge.epoch, err);
    h->epoch = challenge.epoch;
    h->version = challenge.version;
    NCI_TRY(prove(h, false, mine, err));
    pack(out, NCI_WIRE_PROOF, mine, NCI_PROOF_SIZE);
    h->state = NCI_HANDSHAKE_WAIT_READY;
    return NCG_OK;
}

static ncg_status take_proof(nci_handshake *h, const void *head,
                             nci_packet *out, ncg_error *err)
{
    uint8_t mine[NCI_MAC_SIZE];
    NCI_TRY(prove(h, false, mine, err));
    if (!nci_mac_equal(mine, head))
        return nci_fail(err, NCG_EAUTH,
                        "the two sides have different secrets; both must use "
                        "the scheduler file of the same cluster");
    pack(out, NCI_WIRE_READY, NULL, 0);
    h->state = NCI_HANDSHAKE_READY;
    return NCG_OK;
}

static ncg_status take_error(const nci_frame *frame, const void *head,
                             const void *payload, ncg_error *err)
{
    ncg_error said, bad;
    ncg_status st = nci_error_decode(head, frame->head, payload,
                                     (size_t)frame->payload, &said, &bad);
    if (st)
        return nci_fail(err, st, "%s", bad.message);
    return nci_fail_sys(err, said.status, said.sys, "refused: %s",
                        said.message);
}

static ncg_status dispatch(nci_handshake *h, const nci_frame *frame,
                           const void *head, nci_packet *out, ncg_error *err)
{
    if (h->state == NCI_HANDSHAKE_WAIT_HELLO && frame->type == NCI_WIRE_HELLO)
        return take_hello(h, frame, head, out, err);
    if (h->state == NCI_HANDSHAKE_WAIT_CHALLENGE &&
        frame->type == NCI_WIRE_CHALLENGE)
        return take_challenge(h, frame, head, out, err);
    if (h->state == NCI_HANDSHAKE_WAIT_PROOF && frame->type == NCI_WIRE_PROOF)
        return take_proof(h, head, out, err);
    if (h->state == NCI_HANDSHAKE_WAIT_READY && frame->type == NCI_WIRE_READY) {
        h->state = NCI_HANDSHAKE_READY;
        return NCG_OK;
    }
    return nci_fail(err, NCG_ENET, "%s came out of turn in the handshake",
                    nci_wire_type_name(frame->type));
}

ncg_status nci_handshake_step(nci_handshake *h, const nci_frame *frame,
                              const void *head, const void *payload,
                              nci_packet *out, bool *refused, ncg_error *err)
{
    out->nbytes = 0;
    *refused = frame->type == NCI_WIRE_ERROR;
    ncg_status st = *refused ? take_error(frame, head, payload, err)
                             : dispatch(h, frame, head, out, err);
    if (st)
        h->state = NCI_HANDSHAKE_FAILED;
    return st;
}
