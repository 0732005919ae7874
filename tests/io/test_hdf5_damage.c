/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged HDF5 files: cut anywhere, with bytes changed, with too little
 * memory. Each must end in a clear error or, where the damage does not matter,
 * in an answer; never in a crash, and a wrong checksum never in an answer.
 */
#include "../../fuzz/hdf5_seeds.h"
#include "base/mem.h"
#include "io/hdf5/reader.h"
#include "test.h"

static ncg_error err;

typedef struct image {
    uint8_t *data;
    size_t size;
} image;

static image seeds[HDF5_SEEDS];

static image read_image(const char *path)
{
    image out = {0};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    out.size = (size_t)ftell(file);
    rewind(file);
    out.data = malloc(out.size);
    assert_int_equal(fread(out.data, 1, out.size, file), out.size);
    fclose(file);
    return out;
}

static int make_seeds(void **state)
{
    char path[] = "/tmp/ncg_seed_XXXXXX";
    (void)state;
    close(mkstemp(path));
    for (int i = 0; i < HDF5_SEEDS; i++) {
        seed_write(i, path);
        seeds[i] = read_image(path);
    }
    unlink(path);
    return 0;
}

static int drop_seeds(void **state)
{
    (void)state;
    for (int i = 0; i < HDF5_SEEDS; i++)
        free(seeds[i].data);
    return 0;
}

/* Header and all chunk tables; the first status that is not OK. */
static ncg_status read_everything(const uint8_t *data, size_t size)
{
    nci_bytes *bytes = NULL;
    nci_header *header = nci_header_create("damaged");
    if (!header)
        return NCG_ENOMEM;
    ncg_status st = nci_bytes_from_memory(data, size, &bytes, &err);
    if (!st)
        st = nci_hdf5_inspect(bytes, header, &err);
    for (size_t i = 0; i < header->nvars && !st; i++) {
        nci_chunk_table table;
        int64_t values = 1;
        for (int d = 0; d < header->vars[i].rank; d++)
            nci_mul_i64(values, header->vars[i].storage.file_shape[d], &values);
        if (header->vars[i].storage.layout != NCI_LAYOUT_CHUNKED ||
            values > 1000000)
            continue;
        st = nci_hdf5_chunk_table(bytes, &header->vars[i], &table, &err);
        if (!st)
            nci_chunk_table_fini(&table);
    }
    if (bytes)
        nci_bytes_close(&bytes);
    nci_header_free(&header);
    return st;
}

static void sound_seeds_are_read(void **state)
{
    (void)state;
    for (int i = 0; i < HDF5_SEEDS; i++)
        CHECK_OK(read_everything(seeds[i].data, seeds[i].size));
}

static void cut_files_are_errors(void **state)
{
    (void)state;
    for (int i = 0; i < HDF5_SEEDS; i++)
        for (size_t size = 0; size < seeds[i].size; size += 1 + size / 97) {
            /* Exactly so long, for the address sanitizer's sake. */
            uint8_t *part = malloc(size ? size : 1);
            memcpy(part, seeds[i].data, size);
            ncg_status st = read_everything(part, size);
            if (st != (size < 8 ? NCG_EUNSUPPORTED : NCG_ECORRUPT))
                fail_msg("seed %d cut at %zu: %s: %s", i, size,
                         ncg_status_name(st), err.message);
            free(part);
        }
    CHECK_MESSAGE("truncated");
}

/* Every byte in turn; whatever comes out must be a status of reading. */
static void change_bytes(uint8_t mask)
{
    for (int i = 0; i < HDF5_SEEDS; i++) {
        uint8_t *copy = malloc(seeds[i].size);
        memcpy(copy, seeds[i].data, seeds[i].size);
        for (size_t at = 0; at < seeds[i].size; at++) {
            if (!copy[at] && at % 16) /* long runs of nothing */
                continue;
            copy[at] ^= mask;
            ncg_status st = read_everything(copy, seeds[i].size);
            if (st != NCG_OK && st != NCG_ECORRUPT && st != NCG_EUNSUPPORTED)
                fail_msg("seed %d, byte %zu: %s: %s", i, at,
                         ncg_status_name(st), err.message);
            copy[at] ^= mask;
        }
        free(copy);
    }
}

static void changed_bytes_do_no_harm(void **state)
{
    (void)state;
    change_bytes(0x01);
    change_bytes(0x80);
    change_bytes(0xff);
}

static void changed_bytes_behind_checksums_do_no_harm(void **state)
{
    (void)state;
    nci_h5_ignore_sums(true);
    change_bytes(0x01);
    change_bytes(0x80);
    change_bytes(0xff);
    nci_h5_ignore_sums(false);
}

/* A byte of a structure with a checksum. */
static void check_sum_of(int seed, const char *signature, size_t offset)
{
    uint8_t *at = NULL;
    for (size_t i = 0; !at && i + 4 < seeds[seed].size; i++)
        if (!memcmp(seeds[seed].data + i, signature, 4))
            at = seeds[seed].data + i;
    assert_non_null(at);
    at[offset] ^= 0x10;
    ncg_status st = read_everything(seeds[seed].data, seeds[seed].size);
    at[offset] ^= 0x10;
    if (st != NCG_ECORRUPT)
        fail_msg("%s: %s", signature, ncg_status_name(st));
    CHECK_MESSAGE("checksum");
    CHECK_MESSAGE("offset");
}

static void wrong_checksums_are_errors(void **state)
{
    (void)state;
    check_sum_of(1, "OHDR", 12);
    check_sum_of(1, "FAHD", 20);
    check_sum_of(1, "FADB", 15);
    check_sum_of(1, "EAHD", 20);
    check_sum_of(1, "EAIB", 15);
    check_sum_of(1, "EADB", 24);
    check_sum_of(2, "BTHD", 10);
    check_sum_of(2, "BTLF", 20);
    check_sum_of(2, "BTIN", 20);
    check_sum_of(3, "FRHP", 30);
    check_sum_of(3, "FHDB", 60);
    check_sum_of(4, "FHIB", 30);
}

static uint8_t *find(image *seed, const char *what, size_t size)
{
    for (size_t i = 0; i + size < seed->size; i++)
        if (!memcmp(seed->data + i, what, size))
            return seed->data + i;
    fail_msg("%s is not in the seed", what);
    return NULL;
}

/* Old trees have no checksums: what they say is held against the file. */
static void wrong_chunk_trees_are_errors(void **state)
{
    (void)state;
    image *seed = &seeds[0];
    uint8_t *node = find(seed, "TREE\1\0", 6), keep[128];
    memcpy(keep, node, sizeof keep);
    node[24 + 8] = 1; /* the first chunk begins between two chunks */
    CHECK_STATUS(NCG_ECORRUPT, read_everything(seed->data, seed->size));
    CHECK_MESSAGE("between chunks");
    CHECK_MESSAGE("chunked");
    memcpy(node, keep, sizeof keep);
    node[24 + 8] = 60; /* beyond the last row */
    CHECK_STATUS(NCG_ECORRUPT, read_everything(seed->data, seed->size));
    CHECK_MESSAGE("outside the variable");
    memcpy(node, keep, sizeof keep);
    memset(node + 24 + 32, 0x7f, 4); /* its address */
    CHECK_STATUS(NCG_ECORRUPT, read_everything(seed->data, seed->size));
    CHECK_MESSAGE("beyond the end");
    memcpy(node, keep, sizeof keep);
    memcpy(node + 24 + 40, node + 24, 40); /* the first one once more */
    CHECK_STATUS(NCG_ECORRUPT, read_everything(seed->data, seed->size));
    CHECK_MESSAGE("second one");
    memcpy(node, keep, sizeof keep);
    node[5] = 1; /* an inner node, whose children are no nodes */
    CHECK_STATUS(NCG_ECORRUPT, read_everything(seed->data, seed->size));
    memcpy(node, keep, sizeof keep);
    memcpy(node, "EERT", 4);
    CHECK_STATUS(NCG_ECORRUPT, read_everything(seed->data, seed->size));
    CHECK_MESSAGE("no node of its chunk index");
    memcpy(node, keep, sizeof keep);
    CHECK_OK(read_everything(seed->data, seed->size));
}

static void other_files_are_not_ours(void **state)
{
    (void)state;
    static const uint8_t classic[64] = "CDF\1";
    CHECK_STATUS(NCG_EUNSUPPORTED, read_everything(classic, sizeof classic));
    CHECK_STATUS(NCG_EUNSUPPORTED, read_everything(classic, 0));
}

static void too_little_memory_is_an_error(void **state)
{
    (void)state;
    for (int i = 0; i < HDF5_SEEDS; i++) {
        ncg_status st = NCG_ENOMEM;
        int64_t n = 1;
        for (; st == NCG_ENOMEM; n++) {
            nci_mem_fail_at(n);
            st = read_everything(seeds[i].data, seeds[i].size);
        }
        nci_mem_fail_at(0);
        assert_int_equal(st, NCG_OK);
        assert_true(n > 10);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(sound_seeds_are_read),
        NCG_TEST(cut_files_are_errors),
        NCG_TEST(changed_bytes_do_no_harm),
        NCG_TEST(changed_bytes_behind_checksums_do_no_harm),
        NCG_TEST(wrong_checksums_are_errors),
        NCG_TEST(wrong_chunk_trees_are_errors),
        NCG_TEST(other_files_are_not_ours),
        NCG_TEST(too_little_memory_is_an_error)};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_seeds, drop_seeds);
}
