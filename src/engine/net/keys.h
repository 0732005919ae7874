/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_KEYS_H
#define NCI_ENGINE_NET_KEYS_H
/*
 * The cluster's secret and what is derived from it. A process that has the
 * secret can prove every role; one that was given a role's key only that role.
 * Keys are never printed, logged or sent. Any thread.
 */
#include "engine/net/wire.h"

enum { NCI_SECRET_SIZE = 32, NCI_KEY_SIZE = 32, NCI_NROLES = 3 };

typedef struct nci_keys {
    uint8_t cluster[NCI_CLUSTER_ID_SIZE];
    uint8_t role[NCI_NROLES][NCI_KEY_SIZE]; /* [role - 1] */
    bool has[NCI_NROLES];
    uint8_t tls[NCI_KEY_SIZE]; /* of the cluster's authority; tls.h */
    bool has_tls;
} nci_keys;

/* nci_random fills with bytes that nobody can guess. */
ncg_status nci_random(void *out, size_t nbytes, ncg_error *err);
/* nci_keys_derive makes the keys of all roles by HKDF-SHA256 with the cluster
 * id as salt. */
ncg_status nci_keys_derive(const uint8_t secret[NCI_SECRET_SIZE],
                           const uint8_t cluster[NCI_CLUSTER_ID_SIZE],
                           nci_keys *out, ncg_error *err);
/* nci_keys_of_role makes keys that prove one role alone, from its key. */
void nci_keys_of_role(const uint8_t key[NCI_KEY_SIZE], nci_peer_role role,
                      const uint8_t cluster[NCI_CLUSTER_ID_SIZE],
                      nci_keys *out);
/* nci_keys_wipe overwrites them. */
void nci_keys_wipe(nci_keys *keys);

typedef struct nci_bytes {
    const void *data;
    size_t nbytes;
} nci_bytes;

/* nci_mac computes HMAC-SHA256 over the pieces. */
ncg_status nci_mac(const uint8_t key[NCI_KEY_SIZE], const nci_bytes *pieces,
                   int npieces, uint8_t out[NCI_MAC_SIZE], ncg_error *err);
/* nci_mac_equal compares in constant time. */
bool nci_mac_equal(const uint8_t a[NCI_MAC_SIZE],
                   const uint8_t b[NCI_MAC_SIZE]);

#endif
