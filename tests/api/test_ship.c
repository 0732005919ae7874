/* SPDX-License-Identifier: BSD-3-Clause */
/* Lazy arrays through bytes into another context, computed there. */
#include "api/files.h"
#include "api/handles.h"
#include "api/ship.h"
#include "base/mem.h"
#include "graph/codec_output.h"

static ncg_array *expression(ncg_context *ctx)
{
    ncg_dataset *ds = open_all(ctx), *mean = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *out = NULL;
    ncg_error err;
    how.dims = "time";
    how.by = "month";
    CHECK_OK(ncg_dataset_reduce(ds, &how, &mean, &err));
    CHECK_OK(ncg_dataset_array(mean, "tas", &out, &err));
    ncg_dataset_release(&mean);
    ncg_dataset_release(&ds);
    return out;
}

static ncg_array *send(ncg_array *x, ncg_context *to)
{
    nci_ship a = nci_ship_of(x->ctx), b = nci_ship_of(to);
    nci_codec_hooks here = nci_ship_hooks(&a), there = nci_ship_hooks(&b);
    char *bytes = NULL;
    size_t nbytes = 0, n = 0;
    nci_node **nodes = NULL;
    ncg_array *out = NULL;
    ncg_error err;
    CHECK_OK(nci_encode_nodes(&x->node, 1, &here, &bytes, &nbytes, &err));
    CHECK_OK(nci_decode_nodes(bytes, nbytes, &there, &nodes, &n, &err));
    assert_int_equal(n, 1);
    assert_true(nci_token_equal(nodes[0]->token, x->node->token));
    CHECK_OK(nci_array_wrap(to, nodes[0], &out, &err));
    nci_free(nodes);
    nci_free(bytes);
    return out;
}

static void sent_arrays_are_computed(void **state)
{
    (void)state;
    ncg_context *a = new_context(2), *b = new_context(1);
    ncg_array *x = expression(a), *y = send(x, b);
    size_t nbytes = (size_t)ncg_array_size(x) * sizeof(float);
    void *p = malloc(nbytes), *q = malloc(nbytes);
    ncg_error err;
    CHECK_OK(ncg_array_compute(x, p, nbytes, &err));
    ncg_array_release(&x);
    ncg_context_destroy(&a);
    CHECK_OK(ncg_array_compute(y, q, nbytes, &err));
    assert_memory_equal(p, q, nbytes);
    free(p);
    free(q);
    ncg_array_release(&y);
    ncg_context_destroy(&b);
}

static void changed_files_are_told(void **state)
{
    (void)state;
    ncg_context *a = new_context(1), *b = new_context(1);
    ncg_array *x = expression(a);
    nci_ship from = nci_ship_of(a), to = nci_ship_of(b);
    nci_codec_hooks here = nci_ship_hooks(&from), there = nci_ship_hooks(&to);
    char *bytes = NULL;
    size_t nbytes = 0, n = 0;
    nci_node **nodes = NULL;
    ncg_error err;
    CHECK_OK(nci_encode_nodes(&x->node, 1, &here, &bytes, &nbytes, &err));
    /* Any byte may be wrong: never a crash. */
    for (size_t i = 0; i < nbytes; i += 3) {
        char was = bytes[i];
        bytes[i] = (char)(was + 1);
        if (!nci_decode_nodes(bytes, nbytes, &there, &nodes, &n, &err)) {
            for (size_t k = 0; k < n; k++)
                nci_node_release(&nodes[k]);
            nci_free(nodes);
        }
        bytes[i] = was;
    }
    write_file(0);
    CHECK_STATUS(NCG_EMISMATCH,
                 nci_decode_nodes(bytes, nbytes, &there, &nodes, &n, &err));
    CHECK_MESSAGE("is not the file it was");
    nci_free(bytes);
    ncg_array_release(&x);
    ncg_context_destroy(&b);
    ncg_context_destroy(&a);
}

/* The plan of two outputs, one of them some chunks of the array only. */
static void sent_plans_are_the_same(void **state)
{
    (void)state;
    ncg_context *a = new_context(2), *b = new_context(1);
    ncg_array *x = expression(a);
    nci_ship from = nci_ship_of(a), to = nci_ship_of(b);
    nci_codec_hooks here = nci_ship_hooks(&from), there = nci_ship_hooks(&to);
    const nci_node *node = x->node;
    int64_t chunk[NCG_MAX_RANK], some[] = {0, 1};
    nci_grid grid;
    char *bytes = NULL;
    size_t nbytes = 0;
    nci_plan *plan = NULL, *copy = NULL;
    ncg_error err;
    for (int d = 0; d < node->rank; d++)
        chunk[d] = d < node->rank - 1 ? node->shape[d] : 1;
    CHECK_OK(nci_grid_regular(node->rank, node->shape, chunk, &grid, &err));
    nci_output outputs[2] = {
        {.node = x->node, .dtype = NCG_DTYPE_F64, .grid = &grid},
        {.node = x->node, .dtype = node->dtype, .grid = &grid, .list = some,
         .nlist = 2}};
    CHECK_OK(nci_lower(outputs, 2, &plan, &err));
    CHECK_OK(nci_encode_outputs(outputs, 2, &here, &bytes, &nbytes, &err));
    CHECK_OK(nci_decode_plan(bytes, nbytes, &there, &copy, &err));
    assert_int_equal(plan->ntasks, copy->ntasks);
    assert_true(nci_token_equal(nci_plan_hash(plan), nci_plan_hash(copy)));
    nci_plan_free(&copy);
    for (size_t i = 0; i < nbytes; i++) {
        char was = bytes[i];
        bytes[i] = (char)(was ^ 0x41);
        if (!nci_decode_plan(bytes, nbytes, &there, &copy, &err))
            nci_plan_free(&copy);
        CHECK_STATUS(NCG_ECORRUPT,
                     nci_decode_plan(bytes, i, &there, &copy, &err));
        bytes[i] = was;
    }
    nci_free(bytes);
    nci_plan_free(&plan);
    nci_grid_fini(&grid);
    ncg_array_release(&x);
    ncg_context_destroy(&b);
    ncg_context_destroy(&a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {NCG_TEST(sent_arrays_are_computed),
                                       NCG_TEST(sent_plans_are_the_same),
                                       NCG_TEST(changed_files_are_told)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
