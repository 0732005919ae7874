/* SPDX-License-Identifier: BSD-3-Clause */
/* Lazy arrays through bytes into another context, computed there. */
#include "api/files.h"
#include "api/handles.h"
#include "api/ship.h"
#include "base/mem.h"

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
    nci_codec_hooks here = nci_ship_hooks(x->ctx), there = nci_ship_hooks(to);
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
    nci_codec_hooks here = nci_ship_hooks(a), there = nci_ship_hooks(b);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {NCG_TEST(sent_arrays_are_computed),
                                       NCG_TEST(changed_files_are_told)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
