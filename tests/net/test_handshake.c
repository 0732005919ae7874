/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys against values computed elsewhere; then two machines that shake hands,
 * and what goes wrong between them: secret, cluster, epoch, version, role, a
 * changed bit anywhere, frames out of turn. */
#include "engine/net/handshake.h"
#include "test.h"

static nci_keys keys_of(uint8_t secret0, uint8_t cluster0)
{
    uint8_t secret[NCI_SECRET_SIZE], cluster[NCI_CLUSTER_ID_SIZE];
    nci_keys keys;
    for (int i = 0; i < NCI_SECRET_SIZE; i++)
        secret[i] = (uint8_t)(secret0 + i);
    for (int i = 0; i < NCI_CLUSTER_ID_SIZE; i++)
        cluster[i] = (uint8_t)(cluster0 + i);
    assert_int_equal(nci_keys_derive(secret, cluster, &keys, NULL), NCG_OK);
    return keys;
}

static void check_hex(const uint8_t *bytes, size_t n, const char *expected)
{
    char text[65];
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, expected);
}

static void keys_are_those_of_hkdf(void **state)
{
    (void)state;
    nci_keys keys = keys_of(0, 100);
    uint8_t mac[NCI_MAC_SIZE];
    ncg_error err;
    check_hex(keys.role[0], 32,
              "8a493def2af9d8423a106f71f62aff5b3e581bf4ec210e2"
              "b4f1ab16d8feae158");
    check_hex(keys.role[1], 32,
              "84572a625b16a45bcfbeca35a9f557746e7b7d35f351c53"
              "7b5b36d6f48f46e96");
    check_hex(keys.role[2], 32,
              "e25f6340e13ff8770c40ea967fd284f80a93e2ebd567953"
              "b0326c46e69ce2c35");
    const nci_bytes pieces[] = {{"connects", 8}, {"hello", 5}};
    CHECK_OK(nci_mac(keys.role[0], pieces, 2, mac, &err));
    check_hex(mac, 32,
              "6e401c4132ed2d2a81f9bc1c02a2e00f2977fe393daeae57b4d11954"
              "62a2e705");
}

/* Two sides, and a bit to change on the way. */
typedef struct pair {
    nci_handshake connects, listens;
    nci_packet wire;
    ncg_error err; /* of the side that failed */
    bool refused;
    int flip;         /* bit of all heads on the way, -1: none */
    int bits;         /* that have passed */
    ncg_status wrong; /* of the side that failed */
    bool by_listener;
} pair;

static ncg_status step(pair *p, nci_handshake *to)
{
    nci_frame frame;
    nci_frame_limits limits = nci_handshake_limits();
    nci_packet in = p->wire;
    uint8_t *head = in.bytes + NCI_FRAME_SIZE;
    NCI_TRY(nci_frame_decode(in.bytes, &limits, &frame, &p->err));
    NCI_TRY(nci_frame_check(&frame, in.bytes, head, &p->err));
    int bit = p->flip - p->bits;
    if (p->flip >= 0 && bit >= 0 && bit < (int)frame.head * 8)
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
    p->bits += (int)frame.head * 8;
    return nci_handshake_step(to, &frame, head, head + frame.head, &p->wire,
                              &p->refused, &p->err);
}

static ncg_status shake(pair *p, const nci_keys *a, const nci_keys *b,
                        nci_peer_role role, int roles, uint64_t wanted,
                        uint64_t epoch)
{
    ncg_error err;
    p->bits = 0;
    p->by_listener = false;
    CHECK_OK(nci_handshake_listen(&p->listens, b, roles, epoch, &err));
    p->wrong = nci_handshake_connect(&p->connects, a, role, NCI_PURPOSE_CONTROL,
                                     wanted, "me", &p->wire, &p->err);
    for (int turn = 0; !p->wrong && p->wire.nbytes; turn++) {
        p->by_listener = turn % 2 == 0;
        p->wrong = step(p, p->by_listener ? &p->listens : &p->connects);
    }
    return p->wrong;
}

static void both_sides_are_ready(void **state)
{
    (void)state;
    nci_keys keys = keys_of(1, 2);
    ncg_error err;
    for (int role = 1; role <= NCI_NROLES; role++) {
        pair p = {.flip = -1};
        CHECK_OK(
            shake(&p, &keys, &keys, (nci_peer_role)role, NCI_MAY_ALL, 0, 77));
        assert_int_equal(p.connects.state, NCI_HANDSHAKE_READY);
        assert_int_equal(p.listens.state, NCI_HANDSHAKE_READY);
        assert_int_equal(p.connects.epoch, 77);
        assert_int_equal(p.listens.peer.role, role);
        assert_string_equal(p.listens.peer.name, "me");
    }
}

/* Proofs are worth something on the channel that both sides are on only. */
static void proofs_belong_to_one_channel(void **state)
{
    uint8_t one[NCI_BINDING_SIZE] = {1}, other[NCI_BINDING_SIZE] = {2};
    nci_keys keys = keys_of(1, 2);
    ncg_error err;
    (void)state;
    for (int changes = 0; changes < 3; changes++) {
        pair p = {.flip = -1};
        CHECK_OK(nci_handshake_listen(&p.listens, &keys, NCI_MAY_ALL, 1, &err));
        CHECK_OK(nci_handshake_connect(&p.connects, &keys, NCI_PEER_WORKER,
                                       NCI_PURPOSE_CONTROL, 0, "me", &p.wire,
                                       &err));
        nci_handshake_bind(&p.listens, one);
        if (changes < 2)
            nci_handshake_bind(&p.connects, changes ? other : one);
        for (int turn = 0; !p.wrong && p.wire.nbytes; turn++)
            p.wrong = step(&p, turn % 2 ? &p.connects : &p.listens);
        assert_int_equal(p.wrong, changes ? NCG_EAUTH : NCG_OK);
        assert_int_equal(p.listens.state == NCI_HANDSHAKE_READY, !changes);
    }
}

static void nonces_are_never_the_same(void **state)
{
    (void)state;
    nci_keys keys = keys_of(1, 2);
    pair a = {.flip = -1}, b = {.flip = -1};
    shake(&a, &keys, &keys, NCI_PEER_WORKER, NCI_MAY_ALL, 0, 1);
    shake(&b, &keys, &keys, NCI_PEER_WORKER, NCI_MAY_ALL, 0, 1);
    assert_memory_not_equal(a.connects.nonce, b.connects.nonce, 32);
    assert_memory_not_equal(a.listens.nonce, b.listens.nonce, 32);
    assert_memory_not_equal(a.connects.nonce, a.listens.nonce, 32);
}

static void wrong_secret_is_refused_by_who_connects(void **state)
{
    (void)state;
    nci_keys a = keys_of(1, 2), b = keys_of(3, 2);
    ncg_error err;
    pair p = {.flip = -1};
    CHECK_STATUS(NCG_EAUTH,
                 shake(&p, &a, &b, NCI_PEER_WORKER, NCI_MAY_ALL, 0, 1));
    assert_false(p.by_listener);
    err = p.err;
    CHECK_MESSAGE("different secrets");
}

/* One that skips the check of the other's proof gets no further. */
static void wrong_proof_is_refused_by_who_listens(void **state)
{
    (void)state;
    nci_keys a = keys_of(1, 2), b = keys_of(3, 2);
    ncg_error err;
    pair p = {.flip = -1};
    CHECK_OK(nci_handshake_listen(&p.listens, &b, NCI_MAY_ALL, 1, &err));
    CHECK_OK(nci_handshake_connect(&p.connects, &a, NCI_PEER_WORKER,
                                   NCI_PURPOSE_CONTROL, 0, "", &p.wire, &err));
    CHECK_OK(step(&p, &p.listens));
    nci_frame proof = {.type = NCI_WIRE_PROOF, .head = NCI_PROOF_SIZE};
    uint8_t guess[NCI_PROOF_SIZE] = {0};
    CHECK_STATUS(NCG_EAUTH, nci_handshake_step(&p.listens, &proof, guess, NULL,
                                               &p.wire, &p.refused, &err));
    assert_int_equal(p.listens.state, NCI_HANDSHAKE_FAILED);
}

static void wrong_cluster_epoch_and_role_are_named(void **state)
{
    (void)state;
    nci_keys a = keys_of(1, 2), b = keys_of(1, 9), only = {0};
    ncg_error err;
    pair p = {.flip = -1};
    CHECK_STATUS(NCG_EAUTH,
                 shake(&p, &a, &b, NCI_PEER_WORKER, NCI_MAY_ALL, 0, 1));
    err = p.err;
    CHECK_MESSAGE("another cluster (090a0b0c..., not 02030405...)");
    assert_true(p.by_listener);
    CHECK_STATUS(NCG_EAUTH,
                 shake(&p, &a, &a, NCI_PEER_WORKER, NCI_MAY_ALL, 4, 5));
    err = p.err;
    CHECK_MESSAGE("epoch 5, not 4");
    CHECK_STATUS(NCG_EAUTH,
                 shake(&p, &a, &a, NCI_PEER_CLIENT, NCI_MAY_WORKER, 0, 1));
    err = p.err;
    CHECK_MESSAGE("a client is not accepted here");
    nci_keys_of_role(a.role[2], NCI_PEER_DASHBOARD, a.cluster, &only);
    CHECK_OK(shake(&p, &only, &a, NCI_PEER_DASHBOARD, NCI_MAY_ALL, 0, 1));
    CHECK_STATUS(NCG_EAUTH,
                 shake(&p, &only, &a, NCI_PEER_WORKER, NCI_MAY_ALL, 0, 1));
    err = p.err;
    CHECK_MESSAGE("no key for the role of a worker");
}

static void versions_that_do_not_meet_are_named(void **state)
{
    (void)state;
    nci_keys keys = keys_of(1, 2);
    ncg_error err;
    pair p = {.flip = -1};
    CHECK_OK(nci_handshake_listen(&p.listens, &keys, NCI_MAY_ALL, 1, &err));
    CHECK_OK(nci_handshake_connect(&p.connects, &keys, NCI_PEER_WORKER,
                                   NCI_PURPOSE_CONTROL, 0, "late", &p.wire,
                                   &err));
    uint8_t *head = p.wire.bytes + NCI_FRAME_SIZE;
    nci_frame frame = {.type = NCI_WIRE_HELLO, .head = NCI_HELLO_SIZE};
    head[0] = 7;
    head[1] = 9;
    CHECK_STATUS(NCG_EUNSUPPORTED,
                 nci_handshake_step(&p.listens, &frame, head, NULL, &p.wire,
                                    &p.refused, &err));
    CHECK_MESSAGE("late speaks versions 7 to 9");
    /* A later release that also speaks ours. */
    CHECK_OK(nci_handshake_listen(&p.listens, &keys, NCI_MAY_ALL, 1, &err));
    head[0] = 1;
    CHECK_OK(nci_handshake_step(&p.listens, &frame, head, NULL, &p.wire,
                                &p.refused, &err));
    assert_int_equal(p.wire.bytes[NCI_FRAME_SIZE], NCI_WIRE_VERSION);
}

/* Everything that travels is covered by a proof: a changed bit ends it, unless
 * it lies in the last 8 bytes of CHALLENGE or in padding that is covered too.
 */
static void no_changed_bit_passes(void **state)
{
    (void)state;
    nci_keys keys = keys_of(1, 2);
    pair p = {.flip = -1};
    shake(&p, &keys, &keys, NCI_PEER_WORKER, NCI_MAY_ALL, 0, 1);
    int total = p.bits;
    assert_int_equal(
        total, 8 * (NCI_HELLO_SIZE + NCI_CHALLENGE_SIZE + NCI_PROOF_SIZE));
    for (p.flip = 0; p.flip < total; p.flip++) {
        int bit = p.flip;
        if (!shake(&p, &keys, &keys, NCI_PEER_WORKER, NCI_MAY_ALL, 0, 1))
            fail_msg("bit %d may change", bit);
    }
}

static void frames_out_of_turn_are_refused(void **state)
{
    (void)state;
    nci_keys keys = keys_of(1, 2);
    ncg_error err;
    static const uint8_t head[NCI_HELLO_SIZE];
    static const uint8_t types[] = {NCI_WIRE_PROOF, NCI_WIRE_READY,
                                    NCI_WIRE_CHALLENGE, NCI_WIRE_HEARTBEAT,
                                    NCI_WIRE_JOIN};
    for (size_t i = 0; i < sizeof types; i++) {
        pair p = {.flip = -1};
        nci_frame frame = {.type = types[i]};
        CHECK_OK(nci_handshake_listen(&p.listens, &keys, NCI_MAY_ALL, 1, &err));
        CHECK_STATUS(NCG_ENET,
                     nci_handshake_step(&p.listens, &frame, head, NULL, &p.wire,
                                        &p.refused, &err));
        CHECK_MESSAGE("out of turn");
        assert_false(p.refused);
    }
}

static void a_refusal_keeps_its_words(void **state)
{
    (void)state;
    nci_keys keys = keys_of(1, 2);
    ncg_error err, said = {.status = NCG_EAUTH, .message = "go away"};
    pair p = {.flip = -1};
    uint8_t head[NCI_ERROR_SIZE];
    nci_error_encode(&said, head);
    nci_frame frame = {
        .type = NCI_WIRE_ERROR, .head = NCI_ERROR_SIZE, .payload = 7};
    CHECK_OK(nci_handshake_connect(&p.connects, &keys, NCI_PEER_WORKER,
                                   NCI_PURPOSE_CONTROL, 0, "", &p.wire, &err));
    CHECK_STATUS(NCG_EAUTH,
                 nci_handshake_step(&p.connects, &frame, head, "go away",
                                    &p.wire, &p.refused, &err));
    assert_true(p.refused);
    CHECK_MESSAGE("refused: go away");
}

NCG_TESTS(NCG_TEST(keys_are_those_of_hkdf), NCG_TEST(both_sides_are_ready),
          NCG_TEST(proofs_belong_to_one_channel),
          NCG_TEST(nonces_are_never_the_same),
          NCG_TEST(wrong_secret_is_refused_by_who_connects),
          NCG_TEST(wrong_proof_is_refused_by_who_listens),
          NCG_TEST(wrong_cluster_epoch_and_role_are_named),
          NCG_TEST(versions_that_do_not_meet_are_named),
          NCG_TEST(no_changed_bit_passes),
          NCG_TEST(frames_out_of_turn_are_refused),
          NCG_TEST(a_refusal_keeps_its_words))
