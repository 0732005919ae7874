/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_TLS_H
#define NCI_ENGINE_NET_TLS_H
/*
 * TLS 1.3 under the protocol of wire.h: who this process is and whom it
 * believes. Both sides of a connection show a certificate of one authority:
 * that of files, or the cluster's own. The key of the latter is derived from
 * the cluster's secret, so whoever has the secret makes the same authority in
 * memory and a certificate for itself; nothing is handed around or written.
 */
#include <sys/types.h>

#include "engine/net/keys.h"

enum { NCI_TLS_PRINT_SIZE = 65, NCI_BINDING_SIZE = 32 };

typedef struct nci_tls nci_tls;

/* nci_tls_create: EINVAL or EAUTH name the file and what is wrong with it. Only
 * the tls fields of `wire` are looked at. Any thread. */
ncg_status nci_tls_create(const ncg_wire_options *wire, const nci_keys *keys,
                          nci_tls **out, ncg_error *err);
void nci_tls_free(nci_tls **tls);
/* nci_tls_print: SHA-256 of the authority's certificate, in hex; borrowed. */
const char *nci_tls_print(const nci_tls *tls);

/* One connection. Its functions are called by one thread at a time; none waits.
 */
typedef struct nci_secure nci_secure;
struct iovec;

typedef enum nci_secure_state {
    NCI_SECURE_READS,  /* goes on when the socket can be read */
    NCI_SECURE_WRITES, /* or written */
    NCI_SECURE_DONE,   /* the handshake is over, both are who they should be */
    NCI_SECURE_PLAIN,  /* the peer speaks without TLS */
    NCI_SECURE_FAILED
} nci_secure_state;

/* nci_secure_create begins on a connected socket, which stays the caller's. */
ncg_status nci_secure_create(const nci_tls *tls, int fd, bool accepts,
                             nci_secure **out, ncg_error *err);
void nci_secure_free(nci_secure **secure);
/* nci_secure_step goes on with the handshake. DONE: `binding` are bytes that
 * only the two ends of this connection know. FAILED, PLAIN: *err has why. */
nci_secure_state nci_secure_step(nci_secure *secure,
                                 uint8_t binding[NCI_BINDING_SIZE],
                                 ncg_error *err);
/* nci_secure_read and nci_secure_write are recvmsg and sendmsg: bytes, 0 at the
 * end (read), -1 and errno; EPROTO: nci_secure_why tells it in words. */
ssize_t nci_secure_read(nci_secure *secure, const struct iovec *pieces, int n);
ssize_t nci_secure_write(nci_secure *secure, const struct iovec *pieces, int n);
/* nci_secure_flush sends what was written and encrypted; false: the socket is
 * broken. nci_secure_unsent tells whether something is left. */
bool nci_secure_flush(nci_secure *secure);
bool nci_secure_unsent(const nci_secure *secure);
/* nci_secure_has_more: there is something to read although the socket may have
 * nothing. */
bool nci_secure_has_more(const nci_secure *secure);
/* nci_secure_why: OK where nothing failed. */
ncg_status nci_secure_why(const nci_secure *secure, ncg_error *err);

#endif
