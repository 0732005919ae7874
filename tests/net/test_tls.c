/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections under TLS: whom both sides believe, with the cluster's own
 * certificates and with those of files; what is said where one side has TLS
 * and the other not; strangers. The tests of exchange run under TLS as well. */
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "engine/net/tls.h"
#include "folder.h"
#include "net_pair.h"

/* ---- certificates in files ------------------------------------------------- */

static char *path_of(const char *name, const char *kind)
{
    char *path = malloc(128);
    snprintf(path, 128, "%s/%s.%s", folder, name, kind);
    return path;
}

static void write_cert(const char *name, X509 *cert, EVP_PKEY *key)
{
    char *path = path_of(name, "crt"), *keys = path_of(name, "key");
    FILE *f = fopen(path, "w"), *g = fopen(keys, "w");
    assert_true(f && g);
    assert_int_equal(PEM_write_X509(f, cert), 1);
    assert_int_equal(
        PEM_write_PrivateKey(g, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    fclose(g);
    free(path);
    free(keys);
}

/* A certificate for a new key; by itself, or by `issuer`. `days`: until it
 * ends, may be past. */
static X509 *make_cert(const char *name, X509 *issuer, EVP_PKEY *signer,
                       int days, EVP_PKEY **key)
{
    X509 *cert = X509_new();
    *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1 + rand());
    X509_gmtime_adj(X509_getm_notBefore(cert), -20 * 86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), days * 86400L);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer)
                                      : X509_get_subject_name(cert));
    X509_EXTENSION *ca =
        X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                            issuer ? "CA:FALSE" : "critical,CA:TRUE");
    X509_add_ext(cert, ca, -1);
    X509_EXTENSION_free(ca);
    X509_set_pubkey(cert, *key);
    assert_true(X509_sign(cert, signer ? signer : *key, EVP_sha256()));
    write_cert(name, cert, *key);
    return cert;
}

/* An authority `ca` and certificates by it: NAME.crt, NAME.key. */
static void make_site(const char *ca, const char *const *names, int n, int days)
{
    EVP_PKEY *root_key, *key;
    X509 *root = make_cert(ca, NULL, NULL, 100, &root_key);
    for (int i = 0; i < n; i++) {
        X509_free(make_cert(names[i], root, root_key, days, &key));
        EVP_PKEY_free(key);
    }
    X509_free(root);
    EVP_PKEY_free(root_key);
}

static ncg_wire_options by_files(const char *ca, const char *name)
{
    ncg_wire_options wire = NCG_WIRE_OPTIONS_INIT;
    wire.tls = true;
    wire.tls_ca_file = path_of(ca, "crt");
    wire.tls_cert = path_of(name, "crt");
    wire.tls_key = path_of(name, "key");
    return wire;
}

static void free_files(ncg_wire_options *wire)
{
    free((char *)wire->tls_ca_file);
    free((char *)wire->tls_cert);
    free((char *)wire->tls_key);
}

/* ---- two nets --------------------------------------------------------------- */

static const ncg_wire_options plain = NCG_WIRE_OPTIONS_INIT;
static ncg_wire_options own = NCG_WIRE_OPTIONS_INIT;

typedef struct two {
    node a, b; /* b connects to a */
    nci_conn_id id;
} two;

static void meet(two *t, const ncg_wire_options *a, const ncg_wire_options *b,
                 uint8_t secret)
{
    ncg_error err;
    own.tls = true;
    node_init(&t->a, 1, 2);
    node_init(&t->b, secret, 2);
    t->a.options.wire = *a;
    t->b.options.wire = *b;
    node_start(&t->a, true);
    node_start(&t->b, false);
    CHECK_OK(nci_net_connect(t->b.net, t->a.addresses, NCI_PEER_WORKER, 7,
                             &t->id, &err));
}

static void part(two *t)
{
    node_end(&t->b);
    node_end(&t->a);
}

/* They do not get together; what `b` and the one that listens are told. */
static void apart(const ncg_wire_options *a, const ncg_wire_options *b,
                  uint8_t secret, const char *says, const char *notes)
{
    two t;
    meet(&t, a, b, secret);
    node_wait(&t.b, &t.b.closed, 1);
    node_wait(&t.a, &t.a.notes, 1);
    if (t.b.why.status != NCG_EAUTH || !strstr(t.b.why.message, says))
        fail_msg("%s: %s", ncg_status_name(t.b.why.status), t.b.why.message);
    if (!strstr(t.a.note, notes))
        fail_msg("%s", t.a.note);
    assert_int_equal(t.a.ready + t.b.ready, 0);
    part(&t);
}

static void messages_pass(void **state)
{
    enum { N = 300 };
    two t;
    ncg_error err;
    nci_buf *body = NULL;
    size_t nbody = (5 << 20) + 3;
    (void)state;
    own.tls = true;
    meet(&t, &own, &own, 1);
    node_wait(&t.b, &t.b.ready, 1);
    node_wait(&t.a, &t.a.ready, 1);
    nci_conn_id to = t.a.conn; /* messages change it */
    assert_string_equal(nci_net_tls(t.a.net), nci_net_tls(t.b.net));
    assert_int_equal(strlen(nci_net_tls(t.a.net)), 64);
    CHECK_OK(nci_buf_create(nbody, &body, &err));
    for (size_t i = 0; i < nbody; i++)
        ((uint8_t *)nci_buf_data(body))[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int i = 0; i < N; i++) {
        nci_message m = {.type = NCI_WIRE_JOIN,
                         .request = (uint32_t)i,
                         .body = i % 100 ? NULL : body};
        CHECK_OK(nci_net_send(t.b.net, t.id, &m, &err));
        m.type = NCI_WIRE_ORDERS;
        CHECK_OK(nci_net_send(t.a.net, to, &m, &err));
    }
    nci_message last = {.type = NCI_WIRE_JOIN, .body = body};
    CHECK_OK(nci_net_send(t.b.net, t.id, &last, &err));
    node_wait(&t.a, &t.a.messages, N + 1);
    node_wait(&t.b, &t.b.messages, N);
    assert_int_equal(t.a.nbody, nbody);
    assert_memory_equal(t.a.body, nci_buf_data(body), nbody);
    nci_buf_release(&body);
    node_end(&t.b);
    node_wait(&t.a, &t.a.closed, 1);
    assert_int_equal(t.a.why.status, NCG_OK); /* GOODBYE */
    node_end(&t.a);
}

static void one_side_without_is_told(void **state)
{
    (void)state;
    own.tls = true;
    apart(&own, &plain, 1, "this cluster uses TLS", "this cluster uses TLS");
    apart(&plain, &own, 1, "the one that listens does not",
          "who connects uses TLS, this cluster does not");
}

static void another_secret_is_another_authority(void **state)
{
    (void)state;
    own.tls = true;
    apart(&own, &own, 9, "the scheduler file of the same cluster",
          "does not believe this one's certificate");
}

static void files_are_believed_by_their_authority(void **state)
{
    static const char *const site[] = {"alice", "bob"}, *const other[] = {"eve"},
                             *const old[] = {"carol"};
    two t;
    (void)state;
    make_site("site", site, 2, 50);
    make_site("elsewhere", other, 1, 50);
    make_site("past", old, 1, -1);
    ncg_wire_options alice = by_files("site", "alice"),
                     bob = by_files("site", "bob"),
                     eve = by_files("elsewhere", "eve"),
                     mixed = by_files("site", "eve"),
                     carol = by_files("past", "carol");
    meet(&t, &alice, &bob, 1);
    node_wait(&t.b, &t.b.ready, 1);
    assert_string_equal(nci_net_tls(t.a.net), nci_net_tls(t.b.net));
    part(&t);
    apart(&alice, &eve, 1, "not believed", "not believe");
    /* Believes whom it meets, but is not believed. */
    apart(&alice, &mixed, 1, "does not believe this one's", "not believed");
    apart(&carol, &carol, 1, "expired", "not believe");
    /* The right certificate without the secret joins nothing. */
    apart(&alice, &bob, 9, "different secrets", "different secrets");
    free_files(&alice);
    free_files(&bob);
    free_files(&eve);
    free_files(&mixed);
    free_files(&carol);
}

static void bad_files_are_named(void **state)
{
    static const char *const site[] = {"one", "two"};
    nci_keys keys = {.has_tls = false};
    nci_tls *tls = NULL;
    ncg_error err;
    (void)state;
    make_site("files", site, 2, 50);
    ncg_wire_options wire = by_files("files", "one");
    CHECK_OK(nci_tls_create(&wire, &keys, &tls, &err));
    nci_tls_free(&tls);
    char *other = path_of("two", "key"), *none = path_of("none", "crt");
    const char *key = wire.tls_key, *ca = wire.tls_ca_file;
    wire.tls_key = other;
    CHECK_STATUS(NCG_EAUTH, nci_tls_create(&wire, &keys, &tls, &err));
    CHECK_MESSAGE("two.key");
    wire.tls_key = NULL;
    CHECK_STATUS(NCG_EINVAL, nci_tls_create(&wire, &keys, &tls, &err));
    CHECK_MESSAGE("--tls-key");
    wire.tls_key = key;
    wire.tls_ca_file = none;
    CHECK_STATUS(NCG_EAUTH, nci_tls_create(&wire, &keys, &tls, &err));
    CHECK_MESSAGE("none.crt");
    wire.tls_ca_file = key; /* no certificate in it */
    CHECK_STATUS(NCG_EAUTH, nci_tls_create(&wire, &keys, &tls, &err));
    wire.tls_ca_file = ca;
    free_files(&wire);
    free(other);
    free(none);
    ncg_wire_options cluster = {.tls = true};
    CHECK_STATUS(NCG_EAUTH, nci_tls_create(&cluster, &keys, &tls, &err));
    assert_null(tls);
}

/* ---- strangers ----------------------------------------------------------------
 */

static int knock(const node *a)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)atoi(strrchr(a->addresses, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Reads until the other side closes; at most a minute. */
static void wait_closed(int fd)
{
    char bytes[4096];
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    ssize_t n = 1;
    while (n > 0) {
        assert_int_equal(poll(&poller, 1, 60000), 1);
        n = read(fd, bytes, sizeof bytes);
    }
    close(fd);
}

/* By OpenSSL alone: no certificate; or an old version. */
static void knock_by_tls(const node *a, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (version)
        SSL_CTX_set_max_proto_version(ctx, version);
    SSL *ssl = SSL_new(ctx);
    char byte;
    int fd = knock(a);
    SSL_set_fd(ssl, fd);
    bool shook = SSL_connect(ssl) == 1;
    assert_true(!version || !shook);
    if (shook)
        assert_true(SSL_read(ssl, &byte, 1) <= 0);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
}

static void strangers_are_turned_away(void **state)
{
    static const char noise[] = "GET / HTTP/1.1\r\nHost: somebody\r\n\r\n....";
    node a;
    int seen = 0;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    node_init(&a, 1, 2);
    a.options.wire.tls = true;
    a.options.handshake_ms = 1500;
    node_start(&a, true);
    knock_by_tls(&a, 0);
    node_wait(&a, &a.notes, ++seen);
    assert_non_null(strstr(a.note, "peer did not return a certificate"));
    knock_by_tls(&a, TLS1_2_VERSION);
    node_wait(&a, &a.notes, ++seen);
    int fd = knock(&a);
    assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
    wait_closed(fd);
    node_wait(&a, &a.notes, ++seen);
    fd = knock(&a); /* says nothing */
    wait_closed(fd);
    node_wait(&a, &a.notes, ++seen);
    assert_non_null(strstr(a.note, "did not end within"));
    close(knock(&a));
    node_wait(&a, &a.notes, ++seen);
    assert_int_equal(a.ready, 0);
    node_end(&a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(messages_pass),
        NCG_TEST(one_side_without_is_told),
        NCG_TEST(another_secret_is_another_authority),
        NCG_TEST(files_are_believed_by_their_authority),
        NCG_TEST(bad_files_are_named),
        NCG_TEST(strangers_are_turned_away)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_folder, clear_folder);
}
