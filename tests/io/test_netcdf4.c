/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NetCDF-4 files as NetCDF-C writes them: what a dimension has beyond a
 * variable, default fill values, groups, text, types that are refused; the
 * answers of our reader and of the library side by side.
 */
#include "files.h"

#include "base/dtype.h"
#include "io/io.h"

static const char *file_path(void)
{
    static char path[512];
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/ncg-nc4-%ld.nc", dir ? dir : "/tmp",
             (long)getpid());
    return path;
}

/* A file opened both ways. */
typedef struct pair {
    nci_io *io[2];
    nci_file *file[2];
} pair;

static void open_pair(pair *p)
{
    ncg_error err;
    for (int k = 0; k < 2; k++) {
        const nci_io_options options = {.force_library = k == 1};
        p->file[k] = NULL;
        CHECK_OK(nci_io_create(&options, &p->io[k], &err));
        CHECK_OK(nci_file_open(p->io[k], file_path(), &p->file[k], &err));
    }
    assert_false(nci_file_header(p->file[0])->by_library);
    assert_true(nci_file_header(p->file[1])->by_library);
}

static void close_pair(pair *p)
{
    for (int k = 0; k < 2; k++) {
        nci_file_release(&p->file[k]);
        nci_io_destroy(&p->io[k]);
    }
    unlink(file_path());
}

/* Reads a whole variable both ways, checks that they agree, returns ours. */
static void *read_both(pair *p, const char *name, int64_t *n)
{
    ncg_error err;
    char *values[2];
    size_t nbytes = 0;
    for (int k = 0; k < 2; k++) {
        const nci_header *header = nci_file_header(p->file[k]);
        int v = nci_header_find_var(header, name);
        if (v < 0)
            fail_msg("%s not found", name);
        int64_t shape[NCG_MAX_RANK];
        nci_var_shape(header, &header->vars[v], shape);
        nci_box box = nci_box_whole(header->vars[v].rank, shape);
        *n = nci_box_size(&box);
        nbytes = (size_t)*n * ncg_dtype_size(header->vars[v].dtype);
        values[k] = calloc(nbytes + 1, 1);
        CHECK_OK(nci_file_read_box(p->file[k], v, &box, values[k], &err));
    }
    if (memcmp(values[0], values[1], nbytes))
        fail_msg("%s: the library reads other values", name);
    free(values[1]);
    return values[0];
}

static void short_variable(void **state)
{
    (void)state;
    int ncid, dims[2], id[6];
    const float fill = -5;
    nc_type types[] = {NC_FLOAT, NC_SHORT, NC_DOUBLE,
                       NC_FLOAT, NC_INT,   NC_INT64};
    NC(nc_create(file_path(), NC_CLOBBER | NC_NETCDF4, &ncid));
    NC(nc_def_dim(ncid, "t", NC_UNLIMITED, &dims[0]));
    NC(nc_def_dim(ncid, "x", 7, &dims[1]));
    for (int v = 0; v < 6; v++) {
        const size_t chunk[] = {4, 5};
        char name[32];
        snprintf(name, sizeof name, "v%d", v);
        NC(nc_def_var(ncid, name, types[v], 2, dims, &id[v]));
        NC(nc_def_var_chunking(ncid, id[v], NC_CHUNKED, chunk));
        if (v % 2)
            NC(nc_def_var_deflate(ncid, id[v], 1, 1, 1));
        if (v == 3)
            NC(nc_def_var_fill(ncid, id[v], NC_FILL, &fill));
        if (v == 4)
            NC(nc_def_var_fill(ncid, id[v], NC_NOFILL, NULL));
        if (v == 2 || v == 5)
            NC(nc_def_var_endian(ncid, id[v], NC_ENDIAN_BIG));
    }
    for (int v = 0; v < 6; v++) {
        /* v0 is the longest; the others end inside one of its chunks. */
        const size_t start[] = {0, 0}, count[] = {v ? 5 : 14, 7};
        double values[98];
        for (int i = 0; i < 98; i++)
            values[i] = i;
        NC(nc_put_vara_double(ncid, id[v], start, count, values));
    }
    NC(nc_close(ncid));
    pair p;
    open_pair(&p);
    for (int v = 0; v < 6; v++) {
        char name[32];
        int64_t n;
        snprintf(name, sizeof name, "v%d", v);
        char *values = read_both(&p, name, &n);
        const nci_header *header = nci_file_header(p.file[0]);
        ncg_dtype dtype = header->vars[nci_header_find_var(header, name)].dtype;
        assert_int_equal(n, 98);
        assert_true(nci_dtype_get(dtype, values + 34 * ncg_dtype_size(dtype)) ==
                    34);
        if (v == 3)
            assert_true(((const float *)(const void *)values)[97] == fill);
        free(values);
    }
    close_pair(&p);
}

static void nothing_written(void **state)
{
    (void)state;
    int ncid, dims[2], id, v = 0;
    NC(nc_create(file_path(), NC_CLOBBER | NC_NETCDF4, &ncid));
    NC(nc_def_dim(ncid, "y", 6, &dims[0]));
    NC(nc_def_dim(ncid, "x", 7, &dims[1]));
    for (nc_type type = NC_BYTE; type <= NC_UINT64; type++)
        for (int chunked = 0; chunked < 2; chunked++, v++) {
            char name[32];
            const size_t chunk[] = {4, 5};
            snprintf(name, sizeof name, "v%d", v);
            NC(nc_def_var(ncid, name, type, 2, dims, &id));
            NC(nc_def_var_chunking(
                ncid, id, chunked ? NC_CHUNKED : NC_CONTIGUOUS, chunk));
        }
    NC(nc_close(ncid));
    pair p;
    open_pair(&p);
    for (int i = 0; i < v; i++) {
        char name[32];
        int64_t n;
        snprintf(name, sizeof name, "v%d", i);
        free(read_both(&p, name, &n));
    }
    close_pair(&p);
}

static void text_and_groups(void **state)
{
    (void)state;
    int ncid, grp, sub, dims[2], id;
    const char *words[] = {"alpha", "", "gamma"};
    const double numbers[] = {1, 2, 3};
    nci_io_stats stats;
    NC(nc_create(file_path(), NC_CLOBBER | NC_NETCDF4, &ncid));
    NC(nc_def_dim(ncid, "n", 3, &dims[0]));
    NC(nc_def_dim(ncid, "len", 4, &dims[1]));
    NC(nc_def_var(ncid, "words", NC_STRING, 1, dims, &id));
    NC(nc_put_var_string(ncid, id, words));
    NC(nc_def_var(ncid, "letters", NC_CHAR, 2, dims, &id));
    NC(nc_put_var_text(ncid, id, "abcdefghijkl"));
    NC(nc_def_grp(ncid, "model", &grp));
    NC(nc_def_grp(grp, "ocean", &sub));
    NC(nc_def_var(sub, "salt", NC_DOUBLE, 1, dims, &id));
    NC(nc_put_var_double(sub, id, numbers));
    NC(nc_close(ncid));
    pair p;
    int64_t n;
    open_pair(&p);
    char *letters = read_both(&p, "letters", &n);
    assert_memory_equal(letters, "abcdefghijkl", 12);
    free(letters);
    double *salt = read_both(&p, "/model/ocean/salt", &n);
    assert_true(salt[2] == 3);
    free(salt);
    nci_io_get_stats(p.io[0], &stats);
    assert_int_equal(stats.chunks_library, 0);
    const char **read = read_both(&p, "words", &n);
    for (int i = 0; i < 3; i++)
        assert_string_equal(read[i], words[i]);
    free(read);
    close_pair(&p);
}

static void other_types_are_refused(void **state)
{
    (void)state;
    typedef struct point {
        int x, y;
    } point;
    int ncid, dim, id, stored = 0;
    nc_type type;
    ncg_error err;
    nci_scratch *scratch = NULL;
    const int64_t index[] = {0};
    nci_tile tile;
    NC(nc_create(file_path(), NC_CLOBBER | NC_NETCDF4, &ncid));
    NC(nc_def_dim(ncid, "n", 2, &dim));
    NC(nc_def_compound(ncid, sizeof(point), "point", &type));
    NC(nc_insert_compound(ncid, type, "x", 0, NC_INT));
    NC(nc_insert_compound(ncid, type, "y", 4, NC_INT));
    NC(nc_def_var(ncid, "points", type, 1, &dim, &id));
    NC(nc_def_var(ncid, "words", NC_STRING, 1, &dim, &id));
    NC(nc_def_enum(ncid, NC_UBYTE, "colour", &type));
    NC(nc_insert_enum(ncid, type, "red", &stored));
    NC(nc_def_var(ncid, "colours", type, 1, &dim, &id));
    NC(nc_close(ncid));
    pair p;
    open_pair(&p);
    CHECK_OK(nci_scratch_create(&scratch, &err));
    for (int k = 0; k < 2; k++) {
        const nci_header *header = nci_file_header(p.file[k]);
        int v = nci_header_find_var(header, "points");
        assert_int_equal(header->vars[v].klass, NCI_VAR_COMPOUND);
        CHECK_STATUS(
            NCG_EUNSUPPORTED,
            nci_file_read_tile(p.file[k], v, index, scratch, &tile, &err));
        CHECK_MESSAGE("points: chunk (0): values of a compound type");
        v = nci_header_find_var(header, "words");
        CHECK_STATUS(
            NCG_EUNSUPPORTED,
            nci_file_read_tile(p.file[k], v, index, scratch, &tile, &err));
        v = nci_header_find_var(header, "colours");
        assert_int_equal(header->vars[v].klass, NCI_VAR_ENUM);
        assert_int_equal(header->vars[v].dtype, NCG_DTYPE_U8);
        CHECK_OK(nci_file_read_tile(p.file[k], v, index, scratch, &tile, &err));
    }
    nci_scratch_destroy(&scratch);
    close_pair(&p);
}

static void stored_bytes_are_summed(void **state)
{
    (void)state;
    int ncid, dims[2], id;
    ncg_error err;
    int64_t all, part, none;
    const size_t chunk[] = {5, 10}, start[] = {0, 0}, count[] = {10, 20};
    double *values = calloc(200, sizeof *values);
    NC(nc_create(file_path(), NC_CLOBBER | NC_NETCDF4, &ncid));
    NC(nc_def_dim(ncid, "y", 20, &dims[0]));
    NC(nc_def_dim(ncid, "x", 20, &dims[1]));
    NC(nc_def_var(ncid, "v", NC_FLOAT, 2, dims, &id));
    NC(nc_def_var_chunking(ncid, id, NC_CHUNKED, chunk));
    NC(nc_def_var_fill(ncid, id, NC_NOFILL, NULL));
    NC(nc_put_vara_double(ncid, id, start, count, values));
    NC(nc_close(ncid));
    free(values);
    pair p;
    open_pair(&p);
    nci_box box = {.rank = 2, .start = {0, 0}, .count = {20, 20}};
    CHECK_OK(nci_file_stored_bytes(p.file[0], id, &box, &all, &err));
    assert_true(all == 800 || all == 1600); /* early or late allocation */
    box.start[0] = 3;
    box.count[0] = 3;
    box.count[1] = 4;
    CHECK_OK(nci_file_stored_bytes(p.file[0], id, &box, &part, &err));
    assert_int_equal(part, 2 * 5 * 10 * 4);
    box.count[0] = 0;
    CHECK_OK(nci_file_stored_bytes(p.file[0], id, &box, &none, &err));
    assert_int_equal(none, 0);
    box.count[0] = 1;
    CHECK_OK(nci_file_stored_bytes(p.file[1], id, &box, &none, &err));
    assert_int_equal(none, -1);
    box.count[0] = 18;
    CHECK_STATUS(NCG_EBUG, nci_file_read_box(p.file[0], id, &box, NULL, &err));
    close_pair(&p);
}

NCG_TESTS(NCG_TEST(short_variable), NCG_TEST(nothing_written),
          NCG_TEST(text_and_groups), NCG_TEST(other_types_are_refused),
          NCG_TEST(stored_bytes_are_summed))
