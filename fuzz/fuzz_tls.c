/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes from a peer where TLS is expected. The first byte of the input says
 * which: raw bytes to either side, or a handshake between two sides of which
 * bytes are changed on the way: after it records of three bytes, where (low,
 * high) and what is added.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/net/keys.h"
#include "engine/net/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 12, BUFFER = 1 << 16 };

static nci_tls *tls;

static bool prepare(void)
{
    static const uint8_t secret[NCI_SECRET_SIZE], id[NCI_CLUSTER_ID_SIZE];
    const ncg_wire_options wire = {.struct_size = sizeof wire, .tls = true};
    nci_keys keys;
    return tls || (!nci_keys_derive(secret, id, &keys, NULL) &&
                   !nci_tls_create(&wire, &keys, &tls, NULL));
}

/* One end: what it says goes to `fd`. */
typedef struct end {
    int own, fd;
    nci_secure *secure;
    bool over;
} end;

static bool open_end(end *e, bool accepts)
{
    int pair[2];
    *e = (end){-1, -1, NULL, false};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
        return false;
    e->own = pair[0];
    e->fd = pair[1];
    return !nci_secure_create(tls, e->own, accepts, &e->secure, NULL);
}

static void close_end(end *e)
{
    nci_secure_free(&e->secure);
    close(e->own);
    close(e->fd);
}

static void step(end *e)
{
    uint8_t binding[NCI_BINDING_SIZE], bytes[4096];
    struct iovec piece = {bytes, sizeof bytes};
    ncg_error err;
    if (!e->over) {
        nci_secure_state state = nci_secure_step(e->secure, binding, &err);
        e->over = state > NCI_SECURE_WRITES;
        if (state == NCI_SECURE_DONE)
            nci_secure_write(e->secure, &piece, 1);
    } else {
        nci_secure_read(e->secure, &piece, 1);
        nci_secure_why(e->secure, &err);
    }
    nci_secure_flush(e->secure);
}

static void feed(const uint8_t *data, size_t size, bool accepts)
{
    end e;
    if (open_end(&e, accepts)) {
        step(&e);
        if (size && write(e.fd, data, size) < 0)
            size = 0;
        for (int i = 0; i < 4; i++)
            step(&e);
    }
    close_end(&e);
}

/* Carries what `from` said to `to`; *at counts bytes, changed where told. */
static void carry(end *from, end *to, size_t *at, const uint8_t *changes,
                  size_t nchanges)
{
    static uint8_t bytes[BUFFER];
    ssize_t n = read(from->fd, bytes, sizeof bytes);
    for (size_t c = 0; n > 0 && c + 3 <= nchanges; c += 3) {
        size_t where = changes[c] | (size_t)changes[c + 1] << 8;
        if (where >= *at && where - *at < (size_t)n)
            bytes[where - *at] = (uint8_t)(bytes[where - *at] + changes[c + 2]);
    }
    if (n > 0 && write(to->fd, bytes, (size_t)n) > 0)
        *at += (size_t)n;
}

static void relay(const uint8_t *changes, size_t nchanges)
{
    end a, b;
    size_t at = 0;
    bool good = open_end(&a, false);
    good = open_end(&b, true) && good;
    for (int i = 0; good && i < TURNS; i++) {
        step(&a);
        carry(&a, &b, &at, changes, nchanges);
        step(&b);
        carry(&b, &a, &at, changes, nchanges);
    }
    close_end(&a);
    close_end(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 14 || !prepare())
        return 0;
    if (data[0] % 3 == 2)
        relay(data + 1, size - 1);
    else
        feed(data + 1, size - 1, data[0] % 3 == 0);
    return 0;
}
