/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/launch/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAGIC = 0x4847434e }; /* "NCGH" */

static nci_handover taken; /* by this process, before it has threads */
static bool is_taken;
static int parent = -1;

static bool read_all(int fd, void *to, size_t nbytes)
{
    char *at = to;
    while (nbytes) {
        ssize_t n = read(fd, at, nbytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        nbytes -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const void *from, size_t nbytes)
{
    const char *at = from;
    while (nbytes) {
        ssize_t n = send(fd, at, nbytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        nbytes -= (size_t)n;
    }
    return true;
}

ncg_status nci_handover_init(nci_handover *out, ncg_error *err)
{
    *out = (nci_handover){.magic = MAGIC,
                          .nbytes = sizeof *out,
                          .ranks = 1,
                          .shares = 1,
                          .epoch = 1};
    if (getrandom(out->secret, sizeof out->secret, 0) !=
            (ssize_t)sizeof out->secret ||
        getrandom(out->cluster, sizeof out->cluster, 0) !=
            (ssize_t)sizeof out->cluster)
        return nci_fail_sys(err, NCG_EIO, errno, "no random numbers: %s",
                            strerror(errno));
    return NCG_OK;
}

static bool is_sound(const nci_handover *h)
{
    return h->magic == MAGIC && h->nbytes == sizeof *h &&
           h->role > NCI_CHILD_NONE && h->role <= NCI_CHILD_WORKER &&
           h->ranks > 0 && h->shares > 0 &&
           memchr(h->addresses, '\0', sizeof h->addresses) != NULL;
}

/* The descriptor comes with the environment, which anyone may have set. */
static int told_descriptor(void)
{
    const char *text = getenv(NCI_HANDOVER_VARIABLE);
    char *end = NULL;
    long fd = text ? strtol(text, &end, 10) : -1;
    if (!text || end == text || *end || fd < 3 || fd > 1 << 20)
        return -1;
    return (int)fd;
}

/* A child outlives its nanny by no more than it takes to clean up. */
static void follow_parent(void)
{
    pid_t before = getppid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != before)
        raise(SIGTERM);
}

ncg_status nci_handover_take(nci_handover *out, ncg_error *err)
{
    int fd = told_descriptor();
    if (is_taken || fd < 0) {
        *out = taken;
        is_taken = true;
        return NCG_OK;
    }
    unsetenv(NCI_HANDOVER_VARIABLE);
    if (!read_all(fd, &taken, sizeof taken) || !is_sound(&taken)) {
        memset(&taken, 0, sizeof taken);
        return nci_fail(err, NCG_EINVAL,
                        "the environment has " NCI_HANDOVER_VARIABLE
                        ", but nobody started this process as a part of a "
                        "cluster: unset it");
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    follow_parent();
    parent = fd;
    is_taken = true;
    *out = taken;
    return NCG_OK;
}

ncg_status nci_handover_answer(const char *addresses, ncg_error *err)
{
    char line[NCI_ADDRESSES_BYTES] = "";
    if (parent < 0)
        return NCG_OK;
    if (strlen(addresses) >= sizeof line)
        return nci_fail(err, NCG_EBUG, "too many addresses: %s", addresses);
    memcpy(line, addresses, strlen(addresses));
    if (!write_all(parent, line, sizeof line))
        return nci_fail_sys(err, NCG_ENET, errno, "the nanny is gone");
    return NCG_OK;
}

ncg_status nci_handover_send(int fd, const nci_handover *what, ncg_error *err)
{
    if (!write_all(fd, what, sizeof *what))
        return nci_fail_sys(err, NCG_ENET, errno,
                            "a process ended before it had begun");
    return NCG_OK;
}

bool nci_handover_wait(int fd, char addresses[NCI_ADDRESSES_BYTES])
{
    return read_all(fd, addresses, NCI_ADDRESSES_BYTES) &&
           memchr(addresses, '\0', NCI_ADDRESSES_BYTES) != NULL;
}
