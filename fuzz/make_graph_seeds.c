/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * make_graph_seeds FOLDER writes encoded expressions, the seeds of the graph
 * fuzzer, to FOLDER/graph.
 */
#include <sys/stat.h>

#include "base/mem.h"
#include "graph/codec.h"
#include "graph/random_nodes.h"

enum { SEEDS = 24 };

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
    nci_pack_source(pack, &spec);
    return NCG_OK;
}

static bool write_seed(const char *folder, int i, uint64_t *seed)
{
    const nci_codec_hooks hooks = {.encode = encode_source};
    char path[4096], *bytes = NULL;
    size_t nbytes = 0;
    nci_node *node = rnd_expression(seed);
    bool ok = !nci_encode_nodes(&node, 1, &hooks, &bytes, &nbytes, NULL);
    nci_node_release(&node);
    snprintf(path, sizeof path, "%s/graph/%d", folder, i);
    FILE *file = ok ? fopen(path, "wb") : NULL;
    ok = file && fwrite(bytes, 1, nbytes, file) == nbytes;
    if (file && fclose(file))
        ok = false;
    nci_free(bytes);
    return ok;
}

int main(int argc, char **argv)
{
    char path[4096];
    uint64_t seed = 5;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    mkdir(argv[1], 0777);
    snprintf(path, sizeof path, "%s/graph", argv[1]);
    mkdir(path, 0777);
    for (int i = 0; i < SEEDS; i++)
        if (!write_seed(argv[1], i, &seed)) {
            fprintf(stderr, "%s: seed %d was not written\n", argv[1], i);
            return 1;
        }
    return 0;
}
