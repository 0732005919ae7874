/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of wire.h, byte for byte: what is encoded has the bytes written
 * here by hand, and what does not fit the tables is refused before any of its
 * lengths is used. */
#include "engine/net/crc32c.h"
#include "engine/net/wire.h"
#include "test.h"

static const nci_frame_limits LIMITS = {.head = 1 << 20, .payload = 1 << 30};

static void crc32c_has_the_known_values(void **state)
{
    (void)state;
    static uint8_t bytes[100000];
    for (int i = 0; i < 100000; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    assert_int_equal(nci_crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(nci_crc32c_portable(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(nci_crc32c(0, "", 0), 0);
    assert_int_equal(nci_crc32c(0, bytes, sizeof bytes), 0x6ad0516du);
    assert_int_equal(nci_crc32c_portable(0, bytes, sizeof bytes), 0x6ad0516du);
}

static void crc32c_continues_at_any_place(void **state)
{
    (void)state;
    static uint8_t bytes[20011];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i >> 3);
    uint32_t whole = nci_crc32c_portable(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut += 97) {
        uint32_t crc = nci_crc32c(0, bytes, cut);
        crc = nci_crc32c(crc, bytes + cut, sizeof bytes - cut);
        assert_int_equal(crc, whole);
    }
}

static nci_frame sample(void)
{
    return (nci_frame){.type = NCI_WIRE_DONE,
                       .flags = 1,
                       .head = 4,
                       .request = 0x01020304,
                       .payload = 1000000,
                       .attempt = 0x0a0b0c0d};
}

static void frame_has_the_bytes_of_the_table(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        'N',  'C',  'G',  '1',                          /* magic */
        1,    33,   1,    0,                            /* version type flags */
        4,    0,    0,    0,                            /* head */
        4,    3,    2,    1,                            /* request */
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* payload */
        0x0d, 0x0c, 0x0b, 0x0a,                         /* attempt */
        0x0d, 0xf0, 0x2a, 0xab};                        /* CRC32C */
    nci_frame frame = sample();
    uint8_t out[NCI_FRAME_SIZE];
    frame.payload = 0x1122334455667788;
    nci_frame_encode(&frame, "\1\2\3\4", out);
    assert_memory_equal(out, expected, sizeof expected);
}

static void frame_comes_back(void **state)
{
    (void)state;
    ncg_error err;
    nci_frame frame = sample(), got;
    uint8_t out[NCI_FRAME_SIZE];
    nci_frame_encode(&frame, "\1\2\3\4", out);
    CHECK_OK(nci_frame_decode(out, &LIMITS, &got, &err));
    assert_int_equal(got.type, frame.type);
    assert_int_equal(got.version, 1);
    assert_int_equal(got.flags, frame.flags);
    assert_int_equal(got.head, frame.head);
    assert_int_equal(got.request, frame.request);
    assert_int_equal(got.payload, frame.payload);
    assert_int_equal(got.attempt, frame.attempt);
    CHECK_OK(nci_frame_check(&got, out, "\1\2\3\4", &err));
    CHECK_STATUS(NCG_ENET, nci_frame_check(&got, out, "\1\2\3\5", &err));
    CHECK_MESSAGE("DONE arrived damaged");
}

static void any_damaged_byte_of_a_frame_is_found(void **state)
{
    (void)state;
    nci_frame frame = sample(), got;
    uint8_t out[NCI_FRAME_SIZE];
    nci_frame_encode(&frame, "\1\2\3\4", out);
    for (int i = 0; i < NCI_FRAME_SIZE * 8; i++) {
        out[i / 8] ^= (uint8_t)(1 << i % 8);
        bool fine = !nci_frame_decode(out, &LIMITS, &got, NULL);
        if (fine && got.head == 4)
            fine = !nci_frame_check(&got, out, "\1\2\3\4", NULL);
        else
            fine = false; /* another head will be read, and checked */
        assert_false(fine);
        out[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}

/* Encodes, then overwrites one byte and makes the rest fit. */
static ncg_status decode_with(int at, uint8_t value, ncg_error *err)
{
    nci_frame frame = sample(), got;
    uint8_t out[NCI_FRAME_SIZE];
    nci_frame_encode(&frame, "\1\2\3\4", out);
    out[at] = value;
    return nci_frame_decode(out, &LIMITS, &got, err);
}

static void frames_out_of_bounds_are_refused(void **state)
{
    (void)state;
    ncg_error err;
    CHECK_STATUS(NCG_ENET, decode_with(0, 'G', &err));
    CHECK_MESSAGE("does not speak ncgraph's protocol");
    CHECK_STATUS(NCG_ENET, decode_with(4, 2, &err));
    CHECK_MESSAGE("version 2");
    CHECK_STATUS(NCG_ENET, decode_with(5, 200, &err));
    CHECK_MESSAGE("unknown type 200");
    CHECK_STATUS(NCG_ENET, decode_with(6, 4, &err));
    CHECK_MESSAGE("unknown flags");
    CHECK_STATUS(NCG_ENET, decode_with(11, 1, &err));
    CHECK_MESSAGE("a head of 16777220 bytes");
    CHECK_STATUS(NCG_ENET, decode_with(23, 1, &err));
    CHECK_MESSAGE("a payload of");
    CHECK_STATUS(NCG_ENET, decode_with(5, NCI_WIRE_CHUNK, &err));
    CHECK_MESSAGE("CHUNK has a head of 4 bytes, not 24");
}

static void hello_has_the_bytes_of_the_table(void **state)
{
    (void)state;
    ncg_error err;
    nci_hello hello = {.low = 1,
                       .high = 3,
                       .role = NCI_PEER_CLIENT,
                       .purpose = NCI_PURPOSE_DATA,
                       .epoch = 0x0102,
                       .name = "node7"},
              got;
    memset(hello.cluster, 0xc1, sizeof hello.cluster);
    memset(hello.nonce, 0xe5, sizeof hello.nonce);
    uint8_t expected[NCI_HELLO_SIZE] = {1, 3, 2, 2}, out[NCI_HELLO_SIZE];
    memset(expected + 8, 0xc1, 16);
    memset(expected + 24, 0xe5, 32);
    expected[56] = 2;
    expected[57] = 1;
    memcpy(expected + 64, "node7", 5);
    nci_hello_encode(&hello, out);
    assert_memory_equal(out, expected, sizeof expected);
    CHECK_OK(nci_hello_decode(out, sizeof out, &got, &err));
    assert_int_equal(got.low, 1);
    assert_int_equal(got.high, 3);
    assert_int_equal(got.role, NCI_PEER_CLIENT);
    assert_int_equal(got.purpose, NCI_PURPOSE_DATA);
    assert_int_equal(got.epoch, 0x0102);
    assert_string_equal(got.name, "node7");
    memset(out + 64, 'x', 64); /* no end */
    out[64] = '\n';
    CHECK_OK(nci_hello_decode(out, sizeof out, &got, &err));
    assert_int_equal(strlen(got.name), 64);
    assert_int_equal(got.name[0], '?');
}

static void hello_with_wrong_fields_is_refused(void **state)
{
    (void)state;
    ncg_error err;
    nci_hello hello = {.low = 1, .high = 1, .role = 1, .purpose = 1}, got;
    uint8_t out[NCI_HELLO_SIZE];
    const struct {
        int at, value;
    } wrong[] = {{0, 2}, {2, 0}, {2, 4}, {3, 0}, {3, 3}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        nci_hello_encode(&hello, out);
        out[wrong[i].at] = (uint8_t)wrong[i].value;
        CHECK_STATUS(NCG_ENET, nci_hello_decode(out, sizeof out, &got, &err));
    }
    CHECK_STATUS(NCG_ENET, nci_hello_decode(out, 127, &got, &err));
}

static void challenge_has_the_bytes_of_the_table(void **state)
{
    (void)state;
    ncg_error err;
    nci_challenge challenge = {.version = 1, .epoch = 0x0a0b}, got;
    memset(challenge.cluster, 1, sizeof challenge.cluster);
    memset(challenge.nonce, 2, sizeof challenge.nonce);
    memset(challenge.proof, 3, sizeof challenge.proof);
    uint8_t expected[NCI_CHALLENGE_SIZE] = {1}, out[NCI_CHALLENGE_SIZE];
    memset(expected + 8, 1, 16);
    expected[24] = 0x0b;
    expected[25] = 0x0a;
    memset(expected + 32, 2, 32);
    memset(expected + 64, 3, 32);
    nci_challenge_encode(&challenge, out);
    assert_memory_equal(out, expected, sizeof expected);
    CHECK_OK(nci_challenge_decode(out, sizeof out, &got, &err));
    assert_int_equal(got.version, 1);
    assert_int_equal(got.epoch, 0x0a0b);
    assert_memory_equal(got.proof, challenge.proof, sizeof got.proof);
    CHECK_STATUS(NCG_ENET,
                 nci_challenge_decode(out, sizeof out - 1, &got, &err));
}

static void error_travels(void **state)
{
    (void)state;
    ncg_error err, got,
        sent = {.status = NCG_EKERNEL,
                .sys = -5,
                .rank = 3,
                .message = "kernel failed"};
    uint8_t out[NCI_ERROR_SIZE];
    static const uint8_t expected[] = {13,   0,    0, 0, 0xfb, 0xff,
                                       0xff, 0xff, 3, 0, 0,    0};
    nci_error_encode(&sent, out);
    assert_memory_equal(out, expected, sizeof expected);
    CHECK_OK(nci_error_decode(out, sizeof out, sent.message, 13, &got, &err));
    assert_int_equal(got.status, NCG_EKERNEL);
    assert_int_equal(got.sys, -5);
    assert_int_equal(got.rank, 3);
    assert_string_equal(got.message, "kernel failed");
    CHECK_OK(nci_error_decode(out, sizeof out, "a\nb\x1b[", 5, &got, &err));
    assert_string_equal(got.message, "a?b?[");
    CHECK_OK(nci_error_decode(out, sizeof out, NULL, 0, &got, &err));
    assert_string_equal(got.message, "");
    out[0] = 0; /* an error that is none */
    CHECK_STATUS(NCG_ENET,
                 nci_error_decode(out, sizeof out, "", 0, &got, &err));
    out[0] = 99;
    CHECK_STATUS(NCG_ENET,
                 nci_error_decode(out, sizeof out, "", 0, &got, &err));
}

static nci_fetch_request part_request(void)
{
    return (nci_fetch_request){
        .key = {{0x11, 0x22}, 7},
        .part = {.itemsize = 4,
                 .box = {.rank = 2, .start = {1, 2}, .count = {3, 4}},
                 .shape = {5, 6}}};
}

static void fetch_has_the_bytes_of_the_table(void **state)
{
    (void)state;
    ncg_error err;
    nci_fetch_request fetch = part_request(), got;
    uint8_t out[NCI_FETCH_MAX_SIZE], expected[80] = {0};
    expected[0] = 0x11;
    expected[8] = 0x22;
    expected[16] = 7;
    expected[24] = 2;
    expected[26] = 4;
    expected[32] = 5;
    expected[40] = 1;
    expected[48] = 3;
    expected[56] = 6;
    expected[64] = 2;
    expected[72] = 4;
    assert_int_equal(nci_fetch_encode(&fetch, out), 80);
    assert_memory_equal(out, expected, 80);
    CHECK_OK(nci_fetch_decode(out, 80, &got, &err));
    assert_int_equal(got.key.chunk, 7);
    assert_int_equal(got.part.itemsize, 4);
    assert_int_equal(nci_part_bytes(&got.part), 48);
    assert_int_equal(nci_part_chunk_bytes(&got.part), 120);
    fetch.part.itemsize = 0;
    assert_int_equal(nci_fetch_encode(&fetch, out), 32);
    assert_int_equal(nci_get_u16(out + 24), 0xffff);
    CHECK_OK(nci_fetch_decode(out, 32, &got, &err));
    assert_int_equal(got.part.itemsize, 0);
}

/* What is all of its chunk is asked for as a chunk. */
static void a_part_may_be_the_whole(void **state)
{
    nci_part part = part_request().part;
    (void)state;
    assert_int_equal(nci_part_of(&part).itemsize, part.itemsize);
    for (int a = 0; a < part.box.rank; a++) {
        part.box.start[a] = 0;
        part.box.count[a] = part.shape[a];
    }
    assert_int_equal(nci_part_of(&part).itemsize, 0);
    part = (nci_part){.itemsize = 8}; /* a single value */
    assert_int_equal(nci_part_of(&part).itemsize, 0);
}

static void parts_outside_their_chunk_are_refused(void **state)
{
    (void)state;
    ncg_error err;
    nci_fetch_request fetch, got;
    uint8_t out[NCI_FETCH_MAX_SIZE];
    const struct {
        int64_t shape, start, count;
    } wrong[] = {{5, 3, 3}, {5, -1, 2}, {5, 0, 0},         {5, 6, 1},
                 {0, 0, 1}, {-1, 0, 1}, {5, 1, INT64_MAX}, {INT64_MAX, 1, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fetch = part_request();
        fetch.part.shape[1] = wrong[i].shape;
        fetch.part.box.start[1] = wrong[i].start;
        fetch.part.box.count[1] = wrong[i].count;
        size_t n = nci_fetch_encode(&fetch, out);
        CHECK_STATUS(NCG_ENET, nci_fetch_decode(out, n, &got, &err));
    }
    fetch = part_request();
    size_t n = nci_fetch_encode(&fetch, out);
    CHECK_STATUS(NCG_ENET, nci_fetch_decode(out, n - 1, &got, &err));
    CHECK_STATUS(NCG_ENET, nci_fetch_decode(out, 31, &got, &err));
    nci_put_u16(out + 24, 17);
    CHECK_STATUS(NCG_ENET, nci_fetch_decode(out, n, &got, &err));
    nci_put_u16(out + 24, 0xffff);
    CHECK_STATUS(NCG_ENET, nci_fetch_decode(out, n, &got, &err));
}

static void piece_has_the_bytes_of_the_table(void **state)
{
    (void)state;
    ncg_error err;
    nci_piece piece = {100, 90, 10}, got;
    uint8_t out[NCI_CHUNK_SIZE], expected[NCI_CHUNK_SIZE] = {0};
    expected[0] = 100;
    expected[8] = 90;
    expected[16] = 10;
    nci_piece_encode(&piece, out);
    assert_memory_equal(out, expected, sizeof out);
    CHECK_OK(nci_piece_decode(out, sizeof out, &got, &err));
    assert_int_equal(got.offset, 90);
    CHECK_STATUS(NCG_ENET, nci_piece_decode(out, 23, &got, &err));
    out[16] = 11;
    CHECK_STATUS(NCG_ENET, nci_piece_decode(out, sizeof out, &got, &err));
    CHECK_MESSAGE("11 bytes at 90 of 100");
    out[8] = 101;
    CHECK_STATUS(NCG_ENET, nci_piece_decode(out, sizeof out, &got, &err));
}

static void only_the_right_side_may_send(void **state)
{
    (void)state;
    assert_true(nci_wire_may(NCI_WIRE_ORDERS, NCI_PEER_WORKER, true));
    assert_false(nci_wire_may(NCI_WIRE_ORDERS, NCI_PEER_WORKER, false));
    assert_true(nci_wire_may(NCI_WIRE_JOIN, NCI_PEER_WORKER, false));
    assert_false(nci_wire_may(NCI_WIRE_JOIN, NCI_PEER_CLIENT, false));
    assert_true(nci_wire_may(NCI_WIRE_PLAN, NCI_PEER_CLIENT, false));
    assert_true(nci_wire_may(NCI_WIRE_STATUS, NCI_PEER_DASHBOARD, false));
    for (int type = 0; type < 256; type++) {
        bool harmless = type == NCI_WIRE_STATUS || type < NCI_WIRE_FETCH;
        if (nci_wire_may(type, NCI_PEER_DASHBOARD, false))
            assert_true(harmless);
        if (!nci_wire_type_name(type))
            assert_false(nci_wire_may(type, NCI_PEER_WORKER, true));
    }
}

NCG_TESTS(NCG_TEST(crc32c_has_the_known_values),
          NCG_TEST(crc32c_continues_at_any_place),
          NCG_TEST(frame_has_the_bytes_of_the_table),
          NCG_TEST(frame_comes_back),
          NCG_TEST(any_damaged_byte_of_a_frame_is_found),
          NCG_TEST(frames_out_of_bounds_are_refused),
          NCG_TEST(hello_has_the_bytes_of_the_table),
          NCG_TEST(hello_with_wrong_fields_is_refused),
          NCG_TEST(challenge_has_the_bytes_of_the_table),
          NCG_TEST(error_travels), NCG_TEST(fetch_has_the_bytes_of_the_table),
          NCG_TEST(a_part_may_be_the_whole),
          NCG_TEST(parts_outside_their_chunk_are_refused),
          NCG_TEST(piece_has_the_bytes_of_the_table),
          NCG_TEST(only_the_right_side_may_send))
