/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_NET_PLAIN_H
#define NCG_TESTS_NET_PLAIN_H
/* A socket that knows nothing of the protocol, connected to a net. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "net_pair.h"

static int plain_connect(const node *to)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)atoi(strchr(to->addresses, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

#endif
