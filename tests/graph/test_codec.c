/* SPDX-License-Identifier: BSD-3-Clause */
/* Expressions through bytes and back: equal tokens, equal plans; damaged bytes
 * are told, never believed. */
#include "base/mem.h"
#include "graph/codec.h"
#include "graph/ops/ops.h"
#include "random_nodes.h"

/* Sources of the tests: id, shape and chunks, without files. */
static ncg_status encode_source(void *ctx, const nci_node *node, nci_pack *pack,
                                ncg_error *err)
{
    (void)ctx, (void)err;
    nci_source_spec spec = {.name = (char *)"x",
                            .rank = node->rank,
                            .join_axis = -1,
                            .dtype = node->dtype,
                            .grid = node->grid,
                            .token = node->token};
    nci_pack_i64(pack, node->source);
    nci_pack_source(pack, &spec);
    return NCG_OK;
}

static ncg_status decode_source(void *ctx, nci_unpack *in, nci_node **out,
                                ncg_error *err)
{
    nci_source_spec *spec = NULL;
    (void)ctx;
    uint32_t id = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
    ncg_status st = nci_unpack_source(in, 1, &spec, err);
    if (!st)
        st = nci_node_source(id, spec, out, err);
    nci_source_spec_free(&spec);
    return st;
}

static const nci_codec_hooks hooks = {NULL, encode_source, decode_source};

static void check_equal(const nci_node *a, const nci_node *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->rank, b->rank);
    assert_memory_equal(a->shape, b->shape, sizeof a->shape);
    assert_true(nci_token_equal(a->token, b->token));
}

static void round_trip(nci_node *const *nodes, size_t n)
{
    char *bytes = NULL;
    size_t nbytes = 0, m = 0;
    nci_node **back = NULL;
    ncg_error err;
    CHECK_OK(nci_encode_nodes(nodes, n, &hooks, &bytes, &nbytes, &err));
    CHECK_OK(nci_decode_nodes(bytes, nbytes, &hooks, &back, &m, &err));
    assert_int_equal(n, m);
    for (size_t i = 0; i < m; i++) {
        check_equal(nodes[i], back[i]);
        nci_node_release(&back[i]);
    }
    nci_free(back);
    nci_free(bytes);
}

static void random_expressions_come_back(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 300; i++) {
        nci_node *nodes[3];
        for (int k = 0; k < 3; k++)
            nodes[k] = rnd_expression(&seed);
        round_trip(nodes, 3);
        for (int k = 0; k < 3; k++)
            nci_node_release(&nodes[k]);
    }
}

static nci_node *constant(ncg_dtype dtype, const void *data, int64_t n,
                          const void *missing)
{
    nci_buf *buf = NULL;
    nci_node *node = NULL;
    ncg_error err;
    size_t nbytes = (size_t)n * ncg_dtype_size(dtype);
    CHECK_OK(nci_buf_create(nbytes, &buf, &err));
    memcpy(nci_buf_data(buf), data, nbytes);
    CHECK_OK(nci_node_const(dtype, 1, &n, buf, missing, &node, &err));
    nci_buf_release(&buf);
    return node;
}

/* One node of each kind that random expressions do not have. */
static size_t every_kind(nci_node **out)
{
    static const int32_t ints[] = {3, -1, 7, 9};
    static const int32_t missing = 7;
    const char *texts[] = {nci_intern("a"), nci_intern(""), nci_intern("ccc"),
                           nci_intern("d\"")};
    uint64_t seed = 3;
    int64_t shape[] = {12, 9};
    ncg_error err;
    out[0] = constant(NCG_DTYPE_I32, ints, 4, &missing);
    out[1] = constant(NCG_DTYPE_STRING, texts, 4, NULL);
    out[2] = rnd_source(&seed, 5, 2, shape);
    nci_grid grid = {0};
    int64_t chunk[] = {5, 4};
    CHECK_OK(nci_grid_regular(2, shape, chunk, &grid, &err));
    CHECK_OK(nci_ops_rechunk(out[2], &grid, &out[3], &err));
    nci_grid_fini(&grid);
    CHECK_OK(
        nci_ops_concat((nci_node *[]){out[3], out[2]}, 2, 0, &out[4], &err));
    CHECK_OK(
        nci_ops_map(NCI_MAP_CAST, NCG_DTYPE_I16, &out[4], 1, &out[5], &err));
    CHECK_OK(
        nci_ops_broadcast(out[2], 3, (int64_t[]){2, 12, 9}, &out[6], &err));
    nci_reduce r = {.op = NCG_OP_MEAN,
                    .over = {true, true},
                    .label_axis = -1,
                    .skipna = true,
                    .min_count = 1};
    nci_operand weights = {out[2], {0, 1}};
    CHECK_OK(nci_node_reduce(out[2], &r, &weights, &out[7], &err));
    return 8;
}

static void every_kind_comes_back(void **state)
{
    (void)state;
    nci_node *nodes[8];
    size_t n = every_kind(nodes);
    round_trip(nodes, n);
    for (size_t i = 0; i < n; i++)
        nci_node_release(&nodes[i]);
}

static void try_bytes(const char *bytes, size_t nbytes)
{
    nci_node **back = NULL;
    size_t n = 0;
    ncg_error err;
    if (nci_decode_nodes(bytes, nbytes, &hooks, &back, &n, &err))
        return;
    for (size_t i = 0; i < n; i++)
        nci_node_release(&back[i]);
    nci_free(back);
}

static void damaged_bytes_are_safe(void **state)
{
    (void)state;
    nci_node *nodes[8], **back = NULL;
    size_t n = every_kind(nodes), nbytes = 0, m = 0;
    char *bytes = NULL;
    uint64_t seed = 5;
    ncg_error err;
    CHECK_OK(nci_encode_nodes(nodes, n, &hooks, &bytes, &nbytes, &err));
    for (size_t cut = 0; cut < nbytes; cut++) {
        char *part = malloc(cut + 1); /* so that sanitizers see the end */
        memcpy(part, bytes, cut);
        CHECK_STATUS(NCG_ECORRUPT,
                     nci_decode_nodes(part, cut, &hooks, &back, &m, &err));
        free(part);
    }
    for (int i = 0; i < 20000; i++) {
        char *other = malloc(nbytes);
        memcpy(other, bytes, nbytes);
        for (uint32_t k = rnd(&seed) % 4 + 1; k > 0; k--)
            other[rnd(&seed) % nbytes] = (char)rnd(&seed);
        try_bytes(other, nbytes);
        free(other);
    }
    CHECK_STATUS(NCG_ECORRUPT,
                 nci_decode_nodes("nonsense", 8, &hooks, &back, &m, &err));
    nci_free(bytes);
    for (size_t i = 0; i < n; i++)
        nci_node_release(&nodes[i]);
}

/* Every allocation may fail. */
static void lack_of_memory_is_told(void **state)
{
    (void)state;
    nci_node *nodes[8], **back = NULL;
    size_t n = every_kind(nodes), nbytes = 0, m = 0;
    char *bytes = NULL;
    ncg_error err;
    ncg_status st = NCG_ENOMEM;
    for (int64_t at = 1; st; at++) {
        nci_mem_fail_at(at);
        st = nci_encode_nodes(nodes, n, &hooks, &bytes, &nbytes, &err);
        nci_mem_fail_at(0);
        if (st && st != NCG_ENOMEM)
            fail_msg("%s: %s", ncg_status_name(st), err.message);
    }
    st = NCG_ENOMEM;
    for (int64_t at = 1; st; at++) {
        nci_mem_fail_at(at);
        st = nci_decode_nodes(bytes, nbytes, &hooks, &back, &m, &err);
        nci_mem_fail_at(0);
        if (st && st != NCG_ENOMEM)
            fail_msg("%s: %s", ncg_status_name(st), err.message);
    }
    for (size_t i = 0; i < m; i++)
        nci_node_release(&back[i]);
    nci_free(back);
    nci_free(bytes);
    for (size_t i = 0; i < n; i++)
        nci_node_release(&nodes[i]);
}

NCG_TESTS(NCG_TEST(random_expressions_come_back),
          NCG_TEST(every_kind_comes_back), NCG_TEST(damaged_bytes_are_safe),
          NCG_TEST(lack_of_memory_is_told))
