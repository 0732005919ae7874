/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection under TLS. OpenSSL reads and writes through two buffers here,
 * so that a call of the system moves many records:
 *
 *     socket -> in -> SSL_read -> where the bytes stay
 *     pieces -> SSL_write -> out -> socket
 *
 * OpenSSL takes all of `in` before it wants more of it, so nothing is left
 * there when nci_secure_read has said EAGAIN.
 */
#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "engine/net/tls_internal.h"

enum { BUFFER = 128 << 10, RECORD = 17 << 10, FIRST = 4 };

struct nci_secure {
    SSL *ssl;
    int fd;
    bool accepts, broken, ended; /* by the socket */
    uint8_t first[FIRST]; /* bytes that ever came */
    int nfirst;
    uint8_t *in, *out; /* BUFFER bytes each */
    size_t in_at, in_end, out_at, out_end;
    ncg_error why; /* TLS failed */
};

/* ---- the buffers ----------------------------------------------------------- */

static int fill(nci_secure *s)
{
    ssize_t n;
    do
        n = recv(s->fd, s->in, BUFFER, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    s->in_at = 0;
    s->in_end = n > 0 ? (size_t)n : 0;
    s->ended = n == 0;
    for (size_t i = 0; i < s->in_end && s->nfirst < FIRST; i++)
        s->first[s->nfirst++] = s->in[i];
    return n > 0 ? 1 : (int)n;
}

static int bio_read(BIO *bio, char *out, int size)
{
    nci_secure *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    int got = s->in_at < s->in_end ? 1 : fill(s);
    if (got < 0 && errno == EAGAIN)
        BIO_set_retry_read(bio);
    if (got <= 0)
        return got;
    size_t left = s->in_end - s->in_at;
    size_t n = left < (size_t)size ? left : (size_t)size;
    memcpy(out, s->in + s->in_at, n);
    s->in_at += n;
    return (int)n;
}

bool nci_secure_flush(nci_secure *s)
{
    while (s->out_at < s->out_end && !s->broken) {
        ssize_t n = send(s->fd, s->out + s->out_at, s->out_end - s->out_at,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0)
            s->broken = true;
        else
            s->out_at += (size_t)n;
    }
    if (!s->broken)
        s->out_at = s->out_end = 0;
    return !s->broken;
}

bool nci_secure_unsent(const nci_secure *s)
{
    return s->out_at < s->out_end;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    nci_secure *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (BUFFER - s->out_end < RECORD && !nci_secure_flush(s))
        return -1;
    size_t room = BUFFER - s->out_end;
    size_t n = (size_t)size < room ? (size_t)size : room;
    if (!n) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(s->out + s->out_end, bytes, n);
    s->out_end += n;
    return (int)n;
}

static long bio_control(BIO *bio, int what, long number, void *pointer)
{
    const nci_secure *s = BIO_get_data(bio);
    (void)number, (void)pointer;
    if (what == BIO_CTRL_EOF)
        return s->ended;
    return what == BIO_CTRL_FLUSH; /* nothing waits for it */
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(),
                          "ncgraph socket");
    if (method) {
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_control);
    }
}

/* ---- life ------------------------------------------------------------------ */

static bool begin(nci_secure *s, const nci_tls *tls)
{
    static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
    if (!CRYPTO_THREAD_run_once(&once, make_method) || !method)
        return false;
    BIO *bio = BIO_new(method);
    s->ssl = bio ? SSL_new(tls->ctx) : NULL;
    if (!s->ssl) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    if (s->accepts)
        SSL_set_accept_state(s->ssl);
    else
        SSL_set_connect_state(s->ssl);
    return true;
}

ncg_status nci_secure_create(const nci_tls *tls, int fd, bool accepts,
                             nci_secure **out, ncg_error *err)
{
    nci_secure *s = nci_calloc(1, sizeof *s);
    if (s) {
        s->fd = fd;
        s->accepts = accepts;
        s->in = nci_alloc(BUFFER);
        s->out = nci_alloc(BUFFER);
    }
    if (!s || !s->in || !s->out || !begin(s, tls)) {
        nci_secure_free(&s);
        return nci_fail(err, NCG_ENOMEM, "no memory for a connection by TLS");
    }
    nci_error_clear(&s->why);
    *out = s;
    return NCG_OK;
}

void nci_secure_free(nci_secure **slot)
{
    nci_secure *s = *slot;
    *slot = NULL;
    if (!s)
        return;
    SSL_free(s->ssl);
    nci_free(s->in);
    nci_free(s->out);
    nci_free(s);
}

/* ---- failures -------------------------------------------------------------- */

/* Alerts of the peer about our certificate. */
static bool is_refused(unsigned long code)
{
    switch (ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

static void note_failure(nci_secure *s)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    long verdict = SSL_get_verify_result(s->ssl);
    if (s->why.status)
        return;
    if (verdict != X509_V_OK)
        nci_fail(&s->why, NCG_EAUTH,
                 "the other side's certificate is not believed (%s); both "
                 "sides need certificates of the same authority, or the "
                 "scheduler file of the same cluster",
                 X509_verify_cert_error_string(verdict));
    else if (is_refused(code))
        nci_fail(&s->why, NCG_EAUTH,
                 "the other side does not believe this one's certificate (%s); "
                 "both sides need certificates of the same authority, or the "
                 "scheduler file of the same cluster",
                 reason ? reason : "?");
    else
        nci_fail(&s->why, NCG_ENET, "TLS failed: %s",
                 reason ? reason : "no reason given");
    ERR_clear_error();
}

ncg_status nci_secure_why(const nci_secure *s, ncg_error *err)
{
    if (s->why.status)
        *err = s->why;
    return s->why.status;
}

/* Errno for what an SSL function said. */
static int outcome(nci_secure *s, int result)
{
    int sys = errno;
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return sys && sys != EAGAIN ? sys : ECONNRESET;
    default:
        note_failure(s);
        return EPROTO;
    }
}

/* ---- the handshake --------------------------------------------------------- */

static nci_secure_state fail_plain(const nci_secure *s, ncg_error *err)
{
    if (s->accepts)
        nci_fail(err, NCG_EAUTH,
                 "this cluster uses TLS, who connects does not: start it with "
                 "--tls, or with the same certificates");
    else
        nci_fail(err, NCG_EAUTH,
                 "this side uses TLS, the one that listens does not: start "
                 "both with --tls, or neither");
    return NCI_SECURE_PLAIN;
}

static nci_secure_state fail_step(nci_secure *s, int result, ncg_error *err)
{
    int sys = outcome(s, result);
    nci_secure_flush(s); /* an alert tells the peer why */
    if (s->nfirst == FIRST && !memcmp(s->first, "NCG1", FIRST))
        return fail_plain(s, err);
    if (sys == EAGAIN && !s->broken)
        return nci_secure_unsent(s) ? NCI_SECURE_WRITES : NCI_SECURE_READS;
    if (sys == EPROTO)
        *err = s->why;
    else if (sys == 0 || sys == ECONNRESET)
        nci_fail(err, NCG_ENET,
                 "the other side closed the connection in the handshake of "
                 "TLS%s",
                 s->accepts ? "" : "; does it use TLS?");
    else
        nci_fail_sys(err, NCG_ENET, sys, "the connection broke: %s",
                     strerror(sys));
    return NCI_SECURE_FAILED;
}

nci_secure_state nci_secure_step(nci_secure *s,
                                 uint8_t binding[NCI_BINDING_SIZE],
                                 ncg_error *err)
{
    static const char label[] = "EXPORTER-ncgraph-binding";
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(s->ssl);
    if (result != 1)
        return fail_step(s, result, err);
    if (!nci_secure_flush(s))
        return fail_step(s, -1, err);
    if (nci_secure_unsent(s))
        return NCI_SECURE_WRITES;
    if (SSL_export_keying_material(s->ssl, binding, NCI_BINDING_SIZE, label,
                                   sizeof label - 1, NULL, 0, 0) == 1)
        return NCI_SECURE_DONE;
    nci_fail(err, NCG_EBUG, "OpenSSL cannot bind a connection");
    return NCI_SECURE_FAILED;
}

/* ---- bytes ----------------------------------------------------------------- */

ssize_t nci_secure_read(nci_secure *s, const struct iovec *pieces, int n)
{
    ssize_t total = 0;
    ERR_clear_error();
    for (int i = 0; i < n; i++)
        for (size_t at = 0; at < pieces[i].iov_len;) {
            size_t got = 0;
            errno = 0;
            int result = SSL_read_ex(s->ssl, (char *)pieces[i].iov_base + at,
                                     pieces[i].iov_len - at, &got);
            at += got;
            total += (ssize_t)got;
            if (result == 1)
                continue;
            int sys = outcome(s, result);
            if (total || !sys)
                return total;
            errno = sys;
            return -1;
        }
    return total;
}

ssize_t nci_secure_write(nci_secure *s, const struct iovec *pieces, int n)
{
    ssize_t total = 0;
    int sys = 0;
    ERR_clear_error();
    for (int i = 0; i < n && !sys; i++)
        for (size_t at = 0; at < pieces[i].iov_len && !sys;) {
            size_t put = 0;
            errno = 0;
            int result =
                SSL_write_ex(s->ssl, (const char *)pieces[i].iov_base + at,
                             pieces[i].iov_len - at, &put);
            at += put;
            total += (ssize_t)put;
            if (result != 1) {
                sys = outcome(s, result);
                sys = sys ? sys : EPIPE;
            }
        }
    if (!nci_secure_flush(s))
        sys = EPIPE;
    if (total && (!sys || sys == EAGAIN))
        return total;
    errno = sys ? sys : EAGAIN;
    return -1;
}

bool nci_secure_has_more(const nci_secure *s)
{
    return SSL_pending(s->ssl) > 0 || s->in_at < s->in_end || s->why.status;
}
