/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_FUZZ_PLAN_SEEDS_H
#define NCI_FUZZ_PLAN_SEEDS_H
/* Seeds of fuzz_plan.c and fuzz_spill.c, in memory: for the program that writes
 * them to files and for the test that changes them. */
#include <sys/mman.h>
#include <unistd.h>

#include "api/graph.h"
#include "api/ship.h"
#include "base/mem.h"
#include "engine/spill_pack.h"
#include "graph/codec_output.h"

enum { PLAN_SEEDS = 6, SPILL_SEEDS = 9 };

/* ---- what a plan is made of ----------------------------------------------- */

static ncg_status seed_task(const ncg_task_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

static ncg_status seed_tasks(ncg_context *ctx, ncg_array *x, ncg_tasks **tasks,
                             ncg_graph **graph, ncg_error *err)
{
    ncg_key key = {.rank = 1, .index = {1}};
    char chunk[NCG_KEY_TEXT_SIZE];
    ncg_graph *arrays = NULL;
    const uint8_t two = 2;
    ncg_array_token(x, key.layer);
    ncg_key_text(&key, chunk, sizeof chunk);
    ncg_status st = ncg_task_register(ctx, "org.example.seed/1", seed_task, NULL,
                                      err);
    if (!st)
        st = ncg_tasks_create(tasks, err);
    if (!st)
        st = ncg_tasks_add_named(*tasks, "a", "org.example.seed/1", &two, 1,
                                 NULL, 0, NULL, err);
    if (!st)
        st = ncg_tasks_add_named(*tasks, "b", "org.example.seed/1", NULL, 0,
                                 (const char *[]){chunk, "a"}, 2, NULL, err);
    if (!st)
        st = ncg_graph_of(&x, 1, &arrays, err);
    if (!st)
        st = ncg_graph_of_tasks(*tasks, arrays, graph, err);
    ncg_graph_release(&arrays);
    return st;
}

static ncg_status seed_array(ncg_context *ctx, int number, ncg_array **out,
                             ncg_error *err)
{
    static const float values[6] = {3, 1, 4, 1, 5, 9};
    static const int64_t shape[] = {6}, chunks[] = {2}, whole[] = {6};
    ncg_array *x = NULL, *pair[2];
    int axis = 0;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    how.op = NCG_OP_STD;
    ncg_status st = ncg_array_from_memory(ctx, NCG_DTYPE_F32, 1, shape, chunks,
                                          values, NULL, NULL, NULL, &x, err);
    pair[0] = pair[1] = x;
    if (!st)
        st = number == 0   ? ncg_array_map("add", pair, 2, out, err)
             : number == 1 ? ncg_array_reduce(x, &axis, 1, &how, out, err)
             : number == 2 ? ncg_array_rechunk(x, whole, out, err)
             : number == 3 ? ncg_array_concatenate(pair, 2, 0, out, err)
             : number == 4 ? ncg_array_sort(x, 0, out, err)
                           : ncg_array_map("multiply", pair, 2, out, err);
    ncg_array_release(&x);
    return st;
}

/* *bytes: nci_free. The last seed has explicit tasks. */
static ncg_status seed_plan(ncg_context *ctx, int number, char **bytes,
                            size_t *nbytes, ncg_error *err)
{
    nci_ship ship = nci_ship_of(ctx);
    nci_codec_hooks hooks = nci_ship_hooks(&ship);
    static const int64_t list[] = {1};
    ncg_array *x = NULL;
    ncg_tasks *tasks = NULL;
    ncg_graph *graph = NULL;
    nci_output outputs[2] = {{0}};
    nci_grid grid = {0};
    int n = 1;
    ncg_status st = seed_array(ctx, number, &x, err);
    if (!st)
        st = nci_node_grid(x->node, &grid, err);
    if (!st)
        outputs[0] = (nci_output){
            .node = x->node, .dtype = x->node->dtype, .grid = &grid};
    if (!st && number == PLAN_SEEDS - 1) {
        st = seed_tasks(ctx, x, &tasks, &graph, err);
        if (!st)
            outputs[n++] = (nci_output){.tasks = tasks->list, .list = list,
                                        .nlist = 1};
    }
    if (!st)
        st = nci_encode_outputs(outputs, n, NULL, NULL, &hooks, bytes, nbytes,
                                err);
    nci_grid_fini(&grid);
    ncg_graph_release(&graph);
    ncg_tasks_free(&tasks);
    ncg_array_release(&x);
    return st;
}

/* ---- spilled chunks -------------------------------------------------------- */

/* A chunk of one, two or no piece, each way of compressing; *bytes: nci_free. */
static bool seed_spill(int number, char **bytes, size_t *nbytes)
{
    static const int64_t sizes[] = {5000, NCI_SPILL_PIECE + 3000, 1};
    int64_t n = sizes[number / 3], at = 0;
    ncg_wire_compression how = (ncg_wire_compression)(number % 3);
    int fd = memfd_create("seed", MFD_CLOEXEC);
    char *data = nci_alloc((size_t)n);
    for (int64_t i = 0; data && i < n; i++)
        data[i] = (char)(i % 100 < 50 ? i / 7 : i * i);
    bool ok = fd >= 0 && data && !nci_spill_put(fd, how, data, n, 0);
    int64_t length = ok ? lseek(fd, 0, SEEK_END) : 0;
    *bytes = nci_alloc((size_t)length + 4);
    ok = ok && *bytes;
    for (; ok && at < length; at++)
        ok = pread(fd, *bytes + 4 + at, 1, at) == 1;
    for (int i = 0; ok && i < 4; i++)
        (*bytes)[i] = (char)(i ? n >> (8 * (i - 1)) : number % 3);
    *nbytes = (size_t)length + 4;
    nci_free(data);
    if (fd >= 0)
        close(fd);
    return ok;
}

#endif
