/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * make_graph_seeds FOLDER writes the seeds of three fuzzers: encoded
 * expressions to FOLDER/graph, what plans are made of to FOLDER/plan, spilled
 * chunks to FOLDER/spill.
 */
#include <sys/stat.h>

#include "api/ship.h"
#include "base/mem.h"
#include "graph/codec.h"
#include "graph/random_nodes.h"
#include "plan_seeds.h"

enum { SEEDS = 24, ARRAYS = 5 };

/* A source of no file, as the fuzzer's own hook reads it. */
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
    nci_pack_i64(pack, 1); /* of files */
    nci_pack_source(pack, &spec);
    return NCG_OK;
}

/* Frees the bytes. */
static bool write_bytes(const char *folder, const char *kind, int i,
                        char *bytes, size_t nbytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%d", folder, kind, i);
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(bytes, 1, nbytes, file) == nbytes;
    if (file && fclose(file))
        ok = false;
    nci_free(bytes);
    return ok;
}

static bool write_node(const char *folder, int i, nci_node *node,
                       const nci_codec_hooks *hooks)
{
    char *bytes = NULL;
    size_t nbytes = 0;
    return !nci_encode_nodes(&node, 1, hooks, &bytes, &nbytes, NULL) &&
           write_bytes(folder, "graph", i, bytes, nbytes);
}

static bool write_seed(const char *folder, int i, uint64_t *seed)
{
    const nci_codec_hooks hooks = {.encode = encode_source};
    nci_node *node = rnd_expression(seed);
    bool ok = write_node(folder, i, node, &hooks);
    nci_node_release(&node);
    return ok;
}

/* ---- values in memory and generators, as they are sent -------------------- */

static ncg_status make(ncg_context *ctx, int seed, ncg_array **out,
                       ncg_error *err)
{
    static const double values[12] = {3, 1, 4, 1, 5, 9, 2, 6};
    static const int64_t shape[] = {3, 4}, chunks[] = {2, 3};
    ncg_array *x = NULL, *r = NULL, *pair[2];
    ncg_status st = ncg_array_from_memory(ctx, NCG_DTYPE_F64, 2, shape, chunks,
                                          values, NULL, NULL, NULL, &x, err);
    if (!st)
        st = ncg_array_random(ctx, NCG_RANDOM_NORMAL, 1, NCG_DTYPE_F64, 2,
                              shape, chunks, &r, err);
    pair[0] = x;
    pair[1] = r;
    if (!st)
        st = seed == 0   ? ncg_array_map("add", pair, 2, out, err)
             : seed == 1 ? ncg_array_sort(x, 1, out, err)
             : seed == 2 ? ncg_array_reduce(r, NULL, 0, NULL, out, err)
             : seed == 3 ? ncg_array_concatenate(pair, 2, 0, out, err)
                         : ncg_array_slice(r, 1, 0, 4, 2, out, err);
    ncg_array_release(&x);
    ncg_array_release(&r);
    return st;
}

static bool write_array(const char *folder, int i, ncg_context *ctx)
{
    nci_ship ship = nci_ship_of(ctx);
    const nci_codec_hooks hooks = nci_ship_hooks(&ship);
    ncg_array *x = NULL;
    bool ok = !make(ctx, i, &x, NULL) &&
              write_node(folder, SEEDS + i, x->node, &hooks);
    ncg_array_release(&x);
    return ok;
}

/* ---- all of them --------------------------------------------------------- */

static int fail_seed(const char *folder, int i)
{
    fprintf(stderr, "%s: seed %d was not written\n", folder, i);
    return 1;
}

static void make_folders(const char *folder)
{
    static const char *const kinds[] = {"", "graph", "plan", "spill"};
    char path[4096];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, kinds[i]);
        mkdir(path, 0777);
    }
}

static bool write_plan(const char *folder, int i, ncg_context *ctx)
{
    char *bytes = NULL;
    size_t nbytes = 0;
    return !seed_plan(ctx, i, &bytes, &nbytes, NULL) &&
           write_bytes(folder, "plan", i, bytes, nbytes);
}

static bool write_spilled(const char *folder, int i)
{
    char *bytes = NULL;
    size_t nbytes = 0;
    bool ok = seed_spill(i, &bytes, &nbytes);
    return write_bytes(folder, "spill", i, bytes, nbytes) && ok;
}

int main(int argc, char **argv)
{
    uint64_t seed = 5;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    make_folders(argv[1]);
    for (int i = 0; i < SEEDS; i++)
        if (!write_seed(argv[1], i, &seed))
            return fail_seed(argv[1], i);
    for (int i = 0; i < SPILL_SEEDS; i++)
        if (!write_spilled(argv[1], i))
            return fail_seed(argv[1], i);
    ncg_context *ctx = NULL;
    bool ok = !ncg_context_create(NULL, &ctx, NULL);
    int i = 0;
    while (ok && i < ARRAYS && (ok = write_array(argv[1], i, ctx)))
        i++;
    for (int k = 0; ok && k < PLAN_SEEDS; k++)
        ok = write_plan(argv[1], k, ctx);
    ncg_context_destroy(&ctx);
    return ok ? 0 : fail_seed(argv[1], SEEDS + i);
}
