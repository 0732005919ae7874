/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_SOCK_H
#define NCI_ENGINE_NET_SOCK_H
/*
 * TCP sockets, without waiting: addresses as text, listening, accepting,
 * connecting. All descriptors are non-blocking and closed on exec. Any thread.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"

enum { NCI_ADDRESS_TEXT = 64, NCI_HOST_TEXT = 256 };

typedef struct nci_address {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } as;
} nci_address;

/* nci_address_split takes "host:port" or "[v6]:port" apart. EINVAL. */
ncg_status nci_address_split(const char *text, size_t length,
                             char host[NCI_HOST_TEXT], char port[8],
                             ncg_error *err);
/* nci_address_format writes "10.0.0.1:80" or "[::1]:80". */
void nci_address_format(const nci_address *address, char out[NCI_ADDRESS_TEXT]);
int nci_address_port(const nci_address *address);
/* nci_address_same_host compares without ports. */
bool nci_address_same_host(const nci_address *a, const nci_address *b);
/* nci_address_lists writes "host:port,..." of where `bound` is reached: itself,
 * or every interface's where it is the wildcard; loopback only if it is alone.
 */
void nci_address_list(const nci_address *bound, char *out, size_t room);

/* nci_sock_listen: ENET names address, reason and remedy. */
ncg_status nci_sock_listen(const char *host, int port, int *out,
                           nci_address *bound, ncg_error *err);
/* nci_sock_accept returns a descriptor, or -1 and errno. */
int nci_sock_accept(int fd, nci_address *peer);
/* nci_sock_connect begins; the socket becomes writable when it has ended:
 * nci_sock_error. Returns a descriptor, or -1 and errno. */
int nci_sock_connect(const nci_address *peer);
/* nci_sock_error takes the pending error of a socket, 0: none. */
int nci_sock_error(int fd);
/* nci_sock_unacked: the peer's host has not received all that was sent. */
bool nci_sock_unacked(int fd);
/* nci_sock_unpaced: both ends are on this host, where there is no congestion;
 * control that paces what leaves (BBR) takes a peer that has no core for a
 * slow link. */
void nci_sock_unpaced(int fd);
void nci_sock_name(int fd, nci_address *own);
/* nci_sock_hint says what to do about an error of connecting, or "". */
const char *nci_sock_hint(int sys);

#endif
