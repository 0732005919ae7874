/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/net/keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <string.h>

/* What separates the keys of the roles; part of the protocol. */
static const char *const INFO[NCI_NROLES] = {
    "ncgraph 1 worker", "ncgraph 1 client", "ncgraph 1 dashboard"};

static const char TLS_INFO[] = "ncgraph 1 tls authority";

static char digest[] = "SHA256"; /* OpenSSL does not write to it */

static ncg_status fail_crypto(const char *what, ncg_error *err)
{
    return nci_fail(err, NCG_EBUG, "OpenSSL cannot compute %s", what);
}

ncg_status nci_random(void *out, size_t nbytes, ncg_error *err)
{
    if (nbytes > 4096 || RAND_bytes(out, (int)nbytes) != 1)
        return fail_crypto("random bytes", err);
    return NCG_OK;
}

static bool derive(EVP_KDF_CTX *ctx, const uint8_t *secret,
                   const uint8_t *cluster, const char *info, uint8_t *out)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret,
                                          NCI_SECRET_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)cluster,
                                          NCI_CLUSTER_ID_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info,
                                          strlen(info)),
        OSSL_PARAM_construct_end()};
    return EVP_KDF_derive(ctx, out, NCI_KEY_SIZE, params) == 1;
}

ncg_status nci_keys_derive(const uint8_t secret[NCI_SECRET_SIZE],
                           const uint8_t cluster[NCI_CLUSTER_ID_SIZE],
                           nci_keys *out, ncg_error *err)
{
    nci_keys keys = {0};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool good = ctx != NULL;
    for (int r = 0; good && r < NCI_NROLES; r++) {
        EVP_KDF_CTX_reset(ctx);
        keys.has[r] = good =
            derive(ctx, secret, cluster, INFO[r], keys.role[r]);
    }
    if (good) {
        EVP_KDF_CTX_reset(ctx);
        keys.has_tls = good =
            derive(ctx, secret, cluster, TLS_INFO, keys.tls);
    }
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    if (good) {
        memcpy(keys.cluster, cluster, NCI_CLUSTER_ID_SIZE);
        *out = keys;
    }
    OPENSSL_cleanse(&keys, sizeof keys);
    return good ? NCG_OK : fail_crypto("HKDF-SHA256", err);
}

void nci_keys_of_role(const uint8_t key[NCI_KEY_SIZE], nci_peer_role role,
                      const uint8_t cluster[NCI_CLUSTER_ID_SIZE], nci_keys *out)
{
    *out = (nci_keys){0};
    memcpy(out->cluster, cluster, NCI_CLUSTER_ID_SIZE);
    memcpy(out->role[role - 1], key, NCI_KEY_SIZE);
    out->has[role - 1] = true;
}

void nci_keys_wipe(nci_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof *keys);
}

static bool mac(EVP_MAC_CTX *ctx, const uint8_t *key, const nci_bytes *pieces,
                int npieces, uint8_t *out)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    size_t length = 0;
    if (EVP_MAC_init(ctx, key, NCI_KEY_SIZE, params) != 1)
        return false;
    for (int i = 0; i < npieces; i++)
        if (EVP_MAC_update(ctx, pieces[i].data, pieces[i].nbytes) != 1)
            return false;
    return EVP_MAC_final(ctx, out, &length, NCI_MAC_SIZE) == 1 &&
           length == NCI_MAC_SIZE;
}

ncg_status nci_mac(const uint8_t key[NCI_KEY_SIZE], const nci_bytes *pieces,
                   int npieces, uint8_t out[NCI_MAC_SIZE], ncg_error *err)
{
    EVP_MAC *kind = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = kind ? EVP_MAC_CTX_new(kind) : NULL;
    bool good = ctx && mac(ctx, key, pieces, npieces, out);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(kind);
    return good ? NCG_OK : fail_crypto("HMAC-SHA256", err);
}

bool nci_mac_equal(const uint8_t a[NCI_MAC_SIZE], const uint8_t b[NCI_MAC_SIZE])
{
    return CRYPTO_memcmp(a, b, NCI_MAC_SIZE) == 0;
}
