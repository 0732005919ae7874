/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_HANDSHAKE_H
#define NCI_ENGINE_NET_HANDSHAKE_H
/*
 * Mutual authentication as a pure machine: frames in, frames out, no sockets.
 *
 *     connects                              listens
 *     HELLO(versions, role, nonce)    ->
 *                                     <-    CHALLENGE(version, nonce, proof)
 *     PROOF                           ->
 *                                     <-    READY
 *
 * Each side's proof covers both nonces and all fields sent so far, and begins
 * with a word that tells the sides apart, so no proof can be used again, turned
 * around or moved to another role or version; under TLS nor to another
 * connection. Whoever listens proves first:
 * nothing is learnt from it without guessing a key of 256 random bits.
 */
#include "engine/net/tls.h"

typedef enum nci_handshake_state {
    NCI_HANDSHAKE_WAIT_HELLO,     /* listens: nothing came yet */
    NCI_HANDSHAKE_WAIT_CHALLENGE, /* connects: HELLO was sent */
    NCI_HANDSHAKE_WAIT_PROOF,     /* listens: CHALLENGE was sent */
    NCI_HANDSHAKE_WAIT_READY,     /* connects: PROOF was sent */
    NCI_HANDSHAKE_READY,          /* both are who they say */
    NCI_HANDSHAKE_FAILED
} nci_handshake_state;

typedef struct nci_handshake {
    nci_handshake_state state;
    const nci_keys *keys; /* borrowed */
    int roles;            /* listens: those accepted */
    uint64_t epoch;       /* connects: expected, 0 any; then the peer's */
    uint8_t version;      /* chosen */
    uint8_t nonce[NCI_NONCE_SIZE];
    nci_hello peer; /* of who connected; both sides have it */
    uint8_t hello[NCI_HELLO_SIZE], challenge[NCI_CHALLENGE_SIZE];
    uint8_t binding[NCI_BINDING_SIZE]; /* to what carries the frames */
    bool is_bound;
} nci_handshake;

/* One frame to send. */
typedef struct nci_packet {
    size_t nbytes;
    uint8_t bytes[NCI_FRAME_SIZE + NCI_HELLO_SIZE];
} nci_packet;

/* nci_handshake_connect begins; *out is HELLO. EAUTH where there is no key for
 * the role. */
ncg_status nci_handshake_connect(nci_handshake *h, const nci_keys *keys,
                                 nci_peer_role role, nci_purpose purpose,
                                 uint64_t epoch, const char *name,
                                 nci_packet *out, ncg_error *err);
/* nci_handshake_listen waits for HELLO; `roles` are NCI_MAY_ bits. */
ncg_status nci_handshake_listen(nci_handshake *h, const nci_keys *keys,
                                int roles, uint64_t epoch, ncg_error *err);
/* nci_handshake_bind makes the proofs those of one channel: 32 bytes that only
 * its two ends have. After connect or listen, before the first step. */
void nci_handshake_bind(nci_handshake *h,
                        const uint8_t binding[NCI_BINDING_SIZE]);
/* nci_handshake_step takes a checked frame; *out (nbytes 0: nothing) is to be
 * sent. On failure the peer is told by ERROR, unless *refused: it was the peer
 * that said so. */
ncg_status nci_handshake_step(nci_handshake *h, const nci_frame *frame,
                              const void *head, const void *payload,
                              nci_packet *out, bool *refused, ncg_error *err);
/* nci_handshake_limits: what is accepted of a peer that proved nothing yet. */
nci_frame_limits nci_handshake_limits(void);

#endif
