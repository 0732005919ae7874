/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_TLS_INTERNAL_H
#define NCI_ENGINE_NET_TLS_INTERNAL_H
/* tls.c: certificates. secure.c: connections. */
#include <openssl/ssl.h>

#include "engine/net/tls.h"

struct nci_tls {
    SSL_CTX *ctx;
    char print[NCI_TLS_PRINT_SIZE];
};

bool nci_tls_take_print(nci_tls *tls, const X509 *authority);

#endif
