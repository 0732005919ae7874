/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Certificates. The cluster's own authority is the same bytes wherever it is
 * made: its key is derived from the secret, Ed25519 signs without chance, its
 * dates are fixed, so that clocks that differ do no harm.
 */
#include "engine/net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/mem.h"
#include "engine/net/tls_internal.h"

static ncg_status fail_tls(const char *what, ncg_error *err)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    nci_fail(err, NCG_EBUG, "OpenSSL cannot %s: %s", what,
             why ? why : "no reason given");
    ERR_clear_error();
    return NCG_EBUG;
}

/* ---- the cluster's own certificates --------------------------------------- */

static bool add_extension(X509 *cert, int id, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, id, value);
    bool good = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return good;
}

static bool name_cert(X509 *cert, const char *subject, const char *issuer)
{
    X509_NAME *own = X509_get_subject_name(cert);
    X509_NAME *other = X509_get_issuer_name(cert);
    return X509_set_version(cert, 2) &&
           X509_NAME_add_entry_by_txt(own, "CN", MBSTRING_ASC,
                                      (const uint8_t *)subject, -1, -1, 0) &&
           X509_NAME_add_entry_by_txt(other, "CN", MBSTRING_ASC,
                                      (const uint8_t *)issuer, -1, -1, 0) &&
           ASN1_TIME_set_string(X509_getm_notBefore(cert), "20000101000000Z") &&
           ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z");
}

static X509 *make_authority(const char *name, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    bool good = cert && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
                name_cert(cert, name, name) && X509_set_pubkey(cert, key) &&
                add_extension(cert, NID_basic_constraints,
                              "critical,CA:TRUE,pathlen:0") &&
                add_extension(cert, NID_key_usage, "critical,keyCertSign") &&
                X509_sign(cert, key, NULL);
    if (good)
        return cert;
    X509_free(cert);
    return NULL;
}

/* Of this process, for a key that it made for itself. */
static X509 *make_own(const char *authority, EVP_PKEY *signer, EVP_PKEY *key)
{
    uint64_t serial = 0;
    X509 *cert = X509_new();
    bool good =
        cert && !nci_random(&serial, sizeof serial, NULL) &&
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert),
                                serial >> 1 | 1) &&
        name_cert(cert, "ncgraph process", authority) &&
        X509_set_pubkey(cert, key) &&
        add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
        add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
        X509_sign(cert, signer, NULL);
    if (good)
        return cert;
    X509_free(cert);
    return NULL;
}

static bool use_own(nci_tls *tls, const nci_keys *keys)
{
    char name[64] = "ncgraph cluster ";
    for (int i = 0; i < 8; i++)
        snprintf(name + 16 + 2 * i, 3, "%02x", keys->cluster[i]);
    EVP_PKEY *signer = EVP_PKEY_new_raw_private_key(
        EVP_PKEY_ED25519, NULL, keys->tls, sizeof keys->tls);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *authority = signer ? make_authority(name, signer) : NULL;
    X509 *own = authority && key ? make_own(name, signer, key) : NULL;
    bool good = own && SSL_CTX_use_certificate(tls->ctx, own) == 1 &&
                SSL_CTX_use_PrivateKey(tls->ctx, key) == 1 &&
                X509_STORE_add_cert(SSL_CTX_get_cert_store(tls->ctx),
                                    authority) == 1 &&
                nci_tls_take_print(tls, authority);
    X509_free(own);
    X509_free(authority);
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
    return good;
}

/* ---- those of files ------------------------------------------------------- */

static ncg_status fail_file(const char *what, const char *path, ncg_error *err)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    nci_fail(err, NCG_EAUTH, "%s %s cannot be used: %s", what, path,
             why ? why : "no reason given");
    ERR_clear_error();
    return NCG_EAUTH;
}

/* A key that is protected by a password would have it asked for. */
static int no_password(char *out, int size, int writes, void *ctx)
{
    (void)out, (void)size, (void)writes, (void)ctx;
    return -1;
}

static ncg_status use_authority(nci_tls *tls, const char *path, ncg_error *err)
{
    BIO *file = BIO_new_file(path, "r");
    X509 *first = file ? PEM_read_bio_X509(file, NULL, no_password, NULL)
                       : NULL;
    bool good = first && nci_tls_take_print(tls, first) &&
                SSL_CTX_load_verify_locations(tls->ctx, path, NULL) == 1;
    X509_free(first);
    BIO_free(file);
    return good ? NCG_OK : fail_file("the authority's certificate", path, err);
}

static ncg_status use_files(nci_tls *tls, const ncg_wire_options *wire,
                            ncg_error *err)
{
    if (!wire->tls_ca_file || !wire->tls_cert || !wire->tls_key)
        return nci_fail(err, NCG_EINVAL,
                        "TLS by files needs all three: the authority's "
                        "certificate (--tls-ca-file), this side's (--tls-cert) "
                        "and its key (--tls-key)");
    NCI_TRY(use_authority(tls, wire->tls_ca_file, err));
    if (SSL_CTX_use_certificate_chain_file(tls->ctx, wire->tls_cert) != 1)
        return fail_file("the certificate", wire->tls_cert, err);
    if (SSL_CTX_use_PrivateKey_file(tls->ctx, wire->tls_key,
                                    SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls->ctx) != 1)
        return fail_file("the key", wire->tls_key, err);
    return NCG_OK;
}

/* ---- both ------------------------------------------------------------------ */

bool nci_tls_take_print(nci_tls *tls, const X509 *authority)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (X509_digest(authority, EVP_sha256(), digest, &n) != 1 || n != 32)
        return false;
    for (unsigned i = 0; i < n; i++)
        snprintf(tls->print + 2 * i, 3, "%02x", digest[i]);
    return true;
}

static bool set_up(SSL_CTX *ctx)
{
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    /* GOODBYE says which end is one, as without TLS. */
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1;
}

ncg_status nci_tls_create(const ncg_wire_options *wire, const nci_keys *keys,
                          nci_tls **out, ncg_error *err)
{
    bool by_files = wire->tls_ca_file || wire->tls_cert || wire->tls_key;
    nci_tls *tls = nci_calloc(1, sizeof *tls);
    if (!tls)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = NCG_OK;
    ERR_clear_error();
    tls->ctx = SSL_CTX_new(TLS_method());
    if (!tls->ctx || !set_up(tls->ctx))
        st = fail_tls("set TLS 1.3 up", err);
    else if (by_files)
        st = use_files(tls, wire, err);
    else if (!keys->has_tls)
        st = nci_fail(err, NCG_EAUTH,
                      "the cluster's certificates are for those who have its "
                      "secret");
    else if (!use_own(tls, keys))
        st = fail_tls("make the cluster's certificates", err);
    if (st)
        nci_tls_free(&tls);
    else
        *out = tls;
    return st;
}

void nci_tls_free(nci_tls **slot)
{
    nci_tls *tls = *slot;
    *slot = NULL;
    if (!tls)
        return;
    SSL_CTX_free(tls->ctx);
    nci_free(tls);
}

const char *nci_tls_print(const nci_tls *tls)
{
    return tls->print;
}
