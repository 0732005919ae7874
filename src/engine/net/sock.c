/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

ncg_status nci_address_split(const char *text, size_t length,
                             char host[NCI_HOST_TEXT], char port[8],
                             ncg_error *err)
{
    const char *colon = memrchr(text, ':', length);
    size_t nhost = colon ? (size_t)(colon - text) : 0;
    size_t nport = colon ? length - nhost - 1 : 0;
    if (nhost > 1 && text[0] == '[' && text[nhost - 1] == ']') {
        text++;
        nhost -= 2;
    }
    if (!nhost || nhost >= NCI_HOST_TEXT || !nport || nport > 5 ||
        strspn(colon + 1, "0123456789") < nport || atoi(colon + 1) > 65535)
        return nci_fail(err, NCG_EINVAL, "'%.*s' is no address HOST:PORT",
                        (int)(length < 200 ? length : 200), text);
    memcpy(host, text, nhost);
    host[nhost] = '\0';
    memcpy(port, colon + 1, nport);
    port[nport] = '\0';
    return NCG_OK;
}

int nci_address_port(const nci_address *address)
{
    bool v6 = address->as.any.sa_family == AF_INET6;
    return ntohs(v6 ? address->as.v6.sin6_port : address->as.v4.sin_port);
}

void nci_address_format(const nci_address *address, char out[NCI_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->as.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->as.v6.sin6_addr, host, sizeof host);
        snprintf(out, NCI_ADDRESS_TEXT, "[%s]:%d", host,
                 nci_address_port(address));
    } else {
        inet_ntop(AF_INET, &address->as.v4.sin_addr, host, sizeof host);
        snprintf(out, NCI_ADDRESS_TEXT, "%s:%d", host,
                 nci_address_port(address));
    }
}

bool nci_address_same_host(const nci_address *a, const nci_address *b)
{
    if (a->as.any.sa_family != b->as.any.sa_family)
        return false;
    if (a->as.any.sa_family == AF_INET6)
        return !memcmp(&a->as.v6.sin6_addr, &b->as.v6.sin6_addr,
                       sizeof a->as.v6.sin6_addr);
    return a->as.v4.sin_addr.s_addr == b->as.v4.sin_addr.s_addr;
}

static bool is_wildcard(const nci_address *address)
{
    if (address->as.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&address->as.v6.sin6_addr);
    return address->as.v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

static void append(char *out, size_t room, const nci_address *address)
{
    char text[NCI_ADDRESS_TEXT];
    size_t used = strlen(out);
    nci_address_format(address, text);
    if (used + strlen(text) + 2 <= room)
        snprintf(out + used, room - used, "%s%s", used ? "," : "", text);
}

/* Link-local addresses need a scope that others do not know. */
static bool may_list(const struct ifaddrs *i, bool loopback, nci_address *out)
{
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) ||
        loopback != !!(i->ifa_flags & IFF_LOOPBACK))
        return false;
    if (i->ifa_addr->sa_family == AF_INET) {
        memcpy(&out->as.v4, i->ifa_addr, sizeof out->as.v4);
        return true;
    }
    if (i->ifa_addr->sa_family != AF_INET6)
        return false;
    memcpy(&out->as.v6, i->ifa_addr, sizeof out->as.v6);
    return !IN6_IS_ADDR_LINKLOCAL(&out->as.v6.sin6_addr);
}

static void list_interfaces(const struct ifaddrs *all, bool loopback,
                            const nci_address *bound, char *out, size_t room)
{
    bool only_v4 = bound->as.any.sa_family == AF_INET;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        nci_address address = {0};
        if (!may_list(i, loopback, &address))
            continue;
        if (address.as.any.sa_family == AF_INET6 && only_v4)
            continue;
        if (address.as.any.sa_family == AF_INET6)
            address.as.v6.sin6_port = bound->as.v6.sin6_port;
        else
            address.as.v4.sin_port = htons((uint16_t)nci_address_port(bound));
        append(out, room, &address);
    }
}

void nci_address_list(const nci_address *bound, char *out, size_t room)
{
    struct ifaddrs *all = NULL;
    out[0] = '\0';
    if (is_wildcard(bound) && !getifaddrs(&all)) {
        list_interfaces(all, false, bound, out, room);
        if (!out[0])
            list_interfaces(all, true, bound, out, room);
        freeifaddrs(all);
    }
    if (!out[0])
        append(out, room, bound);
}

static ncg_status fail_listen(const char *host, int port, int sys,
                              ncg_error *err)
{
    const char *remedy = "";
    if (sys == EADDRINUSE)
        remedy = "; another process has this port: choose another one, or 0 "
                 "for any";
    else if (sys == EADDRNOTAVAIL)
        remedy = "; this host has no such address";
    else if (sys == EACCES)
        remedy = "; choose a port above 1023";
    return nci_fail_sys(err, NCG_ENET, sys, "cannot listen on %s port %d: %s%s",
                        host ? host : "any address", port, strerror(sys),
                        remedy);
}

static int try_listen(const struct addrinfo *at)
{
    int one = 1;
    int fd =
        socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, BACKLOG)) {
        int sys = errno;
        close(fd);
        errno = sys;
        return -1;
    }
    return fd;
}

ncg_status nci_sock_listen(const char *host, int port, int *out,
                           nci_address *bound, ncg_error *err)
{
    char text[16];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = host ? AF_UNSPEC : AF_INET,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (port < 0 || port > 65535)
        return nci_fail(err, NCG_EINVAL, "%d is no port", port);
    snprintf(text, sizeof text, "%d", port);
    int code = getaddrinfo(host, text, &hints, &found);
    if (code)
        return nci_fail(err, NCG_ENET, "cannot listen on %s: %s", host,
                        gai_strerror(code));
    int fd = -1;
    for (const struct addrinfo *at = found; fd < 0 && at; at = at->ai_next)
        fd = try_listen(at);
    int sys = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return fail_listen(host, port, sys, err);
    nci_sock_name(fd, bound);
    *out = fd;
    return NCG_OK;
}

/* Small messages leave at once; a dead host is noticed by the kernel too. */
static void set_options(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
}

int nci_sock_accept(int fd, nci_address *peer)
{
    peer->length = sizeof peer->as;
    int got =
        accept4(fd, &peer->as.any, &peer->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (got >= 0)
        set_options(got);
    return got;
}

int nci_sock_connect(const nci_address *peer)
{
    int fd = socket(peer->as.any.sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_options(fd);
    if (connect(fd, &peer->as.any, peer->length) && errno != EINPROGRESS) {
        int sys = errno;
        close(fd);
        errno = sys;
        return -1;
    }
    return fd;
}

/* The side that listens has begun with the system's default, which may count
 * time between packets; with this one there is next to none. */
void nci_sock_unpaced(int fd)
{
    static const char reno[] = "reno"; /* every kernel has it */
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof reno - 1);
}

int nci_sock_error(int fd)
{
    int sys = 0;
    socklen_t length = sizeof sys;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &length))
        return errno;
    return sys;
}

bool nci_sock_unacked(int fd)
{
    int bytes = 0;
    return fd >= 0 && !ioctl(fd, SIOCOUTQ, &bytes) && bytes > 0;
}

void nci_sock_name(int fd, nci_address *own)
{
    own->length = sizeof own->as;
    if (getsockname(fd, &own->as.any, &own->length))
        memset(own, 0, sizeof *own);
}

const char *nci_sock_hint(int sys)
{
    switch (sys) {
    case ECONNREFUSED:
        return "; nothing listens there: is the scheduler file a stale one?";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "; there is no route: choose the network that both hosts share "
               "(--interface)";
    case ETIMEDOUT:
        return "; is there a firewall between the hosts?";
    case EMFILE:
    case ENFILE:
        return "; raise the limit of open files (ulimit -n)";
    default:
        return "";
    }
}
