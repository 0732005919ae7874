/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every storage form of HDF5: the values, no read through the library, and the
 * same bytes when the library is forced.
 */
#include "forms.h"

#include <blosc.h>
#include <libdeflate.h>
#include <lz4.h>
#include <zstd.h>

#include "base/dtype.h"
#include "io/io.h"

/* ---- filters ----------------------------------------------------------- */

static void deflate(hid_t dcpl)
{
    H5Pset_deflate(dcpl, 4);
}

static void shuffle(hid_t dcpl)
{
    H5Pset_shuffle(dcpl);
}

static void shuffle_deflate(hid_t dcpl)
{
    H5Pset_shuffle(dcpl);
    H5Pset_deflate(dcpl, 4);
}

static void deflate_shuffle(hid_t dcpl)
{
    H5Pset_deflate(dcpl, 4);
    H5Pset_shuffle(dcpl);
}

static void checksum(hid_t dcpl)
{
    H5Pset_fletcher32(dcpl);
}

static void checksum_first(hid_t dcpl)
{
    H5Pset_fletcher32(dcpl);
    H5Pset_shuffle(dcpl);
    H5Pset_deflate(dcpl, 1);
}

static void all_three(hid_t dcpl)
{
    shuffle_deflate(dcpl);
    H5Pset_fletcher32(dcpl);
}

static void szip_nn(hid_t dcpl)
{
    H5Pset_szip(dcpl, H5_SZIP_NN_OPTION_MASK, 8);
}

static void szip_ec(hid_t dcpl)
{
    H5Pset_shuffle(dcpl);
    H5Pset_szip(dcpl, H5_SZIP_EC_OPTION_MASK, 16);
}

static void fill_of_42(hid_t dcpl)
{
    const float fill = 42;
    H5Pset_fill_value(dcpl, H5T_NATIVE_FLOAT, &fill);
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_INCR);
}

static void fill_and_deflate(hid_t dcpl)
{
    fill_of_42(dcpl);
    deflate(dcpl);
}

static void early(hid_t dcpl)
{
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
}

static void whole_edges(hid_t dcpl)
{
    deflate(dcpl);
    H5Pset_chunk_opts(dcpl, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
}

static void compact(hid_t dcpl)
{
    H5Pset_layout(dcpl, H5D_COMPACT);
}

static void plugin_filter(hid_t dcpl, unsigned id, unsigned nparams)
{
    static const unsigned params[8] = {0};
    H5Pset_filter(dcpl, (int)id, H5Z_FLAG_OPTIONAL, nparams, params);
}

static void zstd_filter(hid_t dcpl)
{
    H5Pset_shuffle(dcpl);
    plugin_filter(dcpl, 32015, 1);
}

static void lz4_filter(hid_t dcpl)
{
    plugin_filter(dcpl, 32004, 1);
}

static void blosc_filter(hid_t dcpl)
{
    plugin_filter(dcpl, 32001, 4);
}

/* ---- chunks made here -------------------------------------------------- */

static void shuffle_bytes(const char *in, size_t nbytes, size_t size, char *out)
{
    for (size_t i = 0; i < nbytes; i++)
        out[i % size * (nbytes / size) + i / size] = in[i];
}

static size_t zstd_chunk(int number, const void *chunk, size_t nbytes,
                         size_t size, void *out, uint32_t *mask)
{
    char *shuffled = malloc(nbytes);
    (void)mask;
    shuffle_bytes(chunk, nbytes, size, shuffled);
    size_t n =
        ZSTD_compress(out, nbytes + 4096, shuffled, nbytes, 1 + number % 5);
    free(shuffled);
    return n;
}

static void store_be32(char *out, size_t n)
{
    for (int b = 0; b < 4; b++)
        out[b] = (char)(n >> (24 - 8 * b));
}

static size_t lz4_chunk(int number, const void *chunk, size_t nbytes,
                        size_t size, void *out, uint32_t *mask)
{
    char *at = out;
    size_t block = 100 + (size_t)number;
    (void)mask;
    (void)size;
    store_be32(at, 0);
    store_be32(at + 4, nbytes);
    store_be32(at + 8, block);
    at += 12;
    for (size_t done = 0; done < nbytes; done += block) {
        size_t n = nbytes - done < block ? nbytes - done : block;
        const char *from = (const char *)chunk + done;
        int made = LZ4_compress_default(from, at + 4, (int)n, (int)n + 256);
        if (made <= 0 || (size_t)made >= n) {
            memcpy(at + 4, from, n);
            made = (int)n;
        }
        store_be32(at, (size_t)made);
        at += 4 + made;
    }
    return (size_t)(at - (char *)out);
}

static size_t blosc_chunk(int number, const void *chunk, size_t nbytes,
                          size_t size, void *out, uint32_t *mask)
{
    static const char *const codecs[] = {"blosclz", "lz4", "zlib", "zstd"};
    (void)mask;
    int n = blosc_compress_ctx(5, number % 3, size, nbytes, chunk, out,
                               nbytes + BLOSC_MAX_OVERHEAD, codecs[number % 4],
                               0, 1);
    assert_true(n > 0);
    return (size_t)n;
}

/* Each chunk skips other filters of shuffle and deflate. */
static size_t masked_chunk(int number, const void *chunk, size_t nbytes,
                           size_t size, void *out, uint32_t *mask)
{
    char *plain = malloc(nbytes);
    *mask = (uint32_t)number % 4;
    memcpy(plain, chunk, nbytes);
    if (!(*mask & 1))
        shuffle_bytes(chunk, nbytes, size, plain);
    size_t n = nbytes;
    if (*mask & 2) {
        memcpy(out, plain, nbytes);
    } else {
        struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
        n = libdeflate_zlib_compress(c, plain, nbytes, out, nbytes + 4096);
        libdeflate_free_compressor(c);
    }
    free(plain);
    return n;
}

/* ---- checks ------------------------------------------------------------ */

static const char *now; /* the form in hand */

static void *read_whole(const char *path, bool force, nci_io_stats *stats,
                        const nci_io_options *more, ncg_dtype *dtype)
{
    ncg_error err;
    nci_io *io = NULL;
    nci_file *file = NULL;
    nci_io_options options = more ? *more : (nci_io_options){0};
    options.force_library = force;
    CHECK_OK(nci_io_create(&options, &io, &err));
    ncg_status st = nci_file_open(io, path, &file, &err);
    if (st)
        fail_msg("%s: %s", now, err.message);
    const nci_header *header = nci_file_header(file);
    int v = nci_header_find_var(header, "v");
    assert_true(v >= 0);
    const nci_var *var = &header->vars[v];
    int64_t shape[NCG_MAX_RANK];
    nci_var_shape(header, var, shape);
    nci_box box = nci_box_whole(var->rank, shape);
    void *out =
        calloc((size_t)nci_box_size(&box) + 1, ncg_dtype_size(var->dtype));
    st = nci_file_read_box(file, v, &box, out, &err);
    if (st)
        fail_msg("%s: %s", now, err.message);
    *dtype = var->dtype;
    nci_file_release(&file);
    nci_io_get_stats(io, stats);
    nci_io_destroy(&io);
    return out;
}

static double expected(const form *f, int64_t i)
{
    int64_t row = (int64_t)(form_size(f) / f->shape[0]);
    if (f->half_written && i >= row)
        return f->setup == fill_of_42 || f->setup == fill_and_deflate ? 42 : 0;
    return form_value(i);
}

static bool library_can(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, "v", H5P_DEFAULT);
    hid_t dcpl = H5Dget_create_plist(set);
    bool can = true;
    for (int i = 0; i < H5Pget_nfilters(dcpl); i++) {
        unsigned flags, config;
        size_t nparams = 0;
        int id = H5Pget_filter2(dcpl, (unsigned)i, &flags, &nparams, NULL, 0,
                                NULL, &config);
        can = can && H5Zfilter_avail(id) > 0;
    }
    H5Pclose(dcpl);
    H5Dclose(set);
    H5Fclose(file);
    return can;
}

static void check_form(const form *f)
{
    const char *path = form_path("form.h5");
    nci_io_stats stats;
    ncg_dtype dtype;
    now = f->name;
    form_make(f, path);
    int64_t n = (int64_t)form_size(f);
    char *ours = read_whole(path, false, &stats, NULL, &dtype);
    size_t size = ncg_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++) {
        double x = nci_dtype_get(dtype, ours + (size_t)i * size);
        if (x != expected(f, i))
            fail_msg("%s: element %lld is %g, not %g", f->name, (long long)i, x,
                     expected(f, i));
    }
    if (stats.chunks_library || stats.headers_library || !stats.chunks_direct)
        fail_msg("%s: %lld headers and %lld chunks through the library",
                 f->name, (long long)stats.headers_library,
                 (long long)stats.chunks_library);
    if (library_can(path)) {
        char *theirs = read_whole(path, true, &stats, NULL, &dtype);
        if (memcmp(ours, theirs, (size_t)n * size))
            fail_msg("%s: the library reads other values", f->name);
        assert_true(stats.chunks_library > 0);
        assert_true(stats.headers_library > 0);
        assert_int_equal(stats.chunks_direct + stats.headers_direct, 0);
        free(theirs);
    } else {
        print_message("%s: the library has no such filter\n", f->name);
    }
    free(ours);
    unlink(path);
}

#define CHECK_FORM(...) check_form(&(form){__VA_ARGS__})
#define CUBE .rank = 3, .shape = {7, 10, 13}, .chunk = {3, 4, 5}
#define UNLIMITED H5S_UNLIMITED

static void filters_are_undone(void **state)
{
    (void)state;
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE,
                           H5T_IEEE_F64BE, H5T_STD_I16LE,  H5T_STD_I16BE,
                           H5T_STD_U8LE,   H5T_STD_I64BE,  H5T_STD_U32LE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        hid_t type = types[i];
        CHECK_FORM("plain chunks", CUBE, .type = type);
        CHECK_FORM("deflate", CUBE, .type = type, .setup = deflate);
        CHECK_FORM("shuffle", CUBE, .type = type, .setup = shuffle);
        CHECK_FORM("shuffle, deflate", CUBE, .type = type,
                   .setup = shuffle_deflate);
        CHECK_FORM("deflate, shuffle", CUBE, .type = type,
                   .setup = deflate_shuffle);
        CHECK_FORM("fletcher32", CUBE, .type = type, .setup = checksum);
        CHECK_FORM("fletcher32 first", CUBE, .type = type,
                   .setup = checksum_first);
        CHECK_FORM("all three", CUBE, .type = type, .setup = all_three);
    }
}

static void szip_is_undone(void **state)
{
    (void)state;
    unsigned config = 0;
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_I16LE,
                           H5T_STD_I16BE,  H5T_STD_U8LE,   H5T_IEEE_F32BE};
    H5Zget_filter_info(H5Z_FILTER_SZIP, &config);
    if (!(config & H5Z_FILTER_CONFIG_ENCODE_ENABLED)) {
        print_message("this HDF5 cannot write szip\n");
        skip();
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        CHECK_FORM("szip nn", CUBE, .type = types[i], .setup = szip_nn);
        CHECK_FORM("szip ec", CUBE, .type = types[i], .setup = szip_ec);
        CHECK_FORM("szip long rows", .rank = 2, .shape = {9, 700},
                   .chunk = {4, 331}, .type = types[i], .setup = szip_nn);
    }
}

static void plugin_filters_are_undone(void **state)
{
    (void)state;
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_I16LE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        CHECK_FORM("zstd", CUBE, .type = types[i], .setup = zstd_filter,
                   .encode = zstd_chunk);
        CHECK_FORM("lz4", CUBE, .type = types[i], .setup = lz4_filter,
                   .encode = lz4_chunk);
        CHECK_FORM("blosc", CUBE, .type = types[i], .setup = blosc_filter,
                   .encode = blosc_chunk);
        CHECK_FORM("masks", CUBE, .type = types[i], .setup = shuffle_deflate,
                   .encode = masked_chunk);
    }
}

static void unfiltered_layouts_are_read(void **state)
{
    (void)state;
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_STD_I32BE, H5T_IEEE_F64LE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        hid_t type = types[i];
        CHECK_FORM("contiguous", .rank = 3, .shape = {7, 10, 13}, .type = type);
        CHECK_FORM("contiguous, many tiles", .rank = 3, .shape = {5, 700, 1000},
                   .type = type);
        CHECK_FORM("contiguous, long rows", .rank = 2, .shape = {2, 1500000},
                   .type = type);
        CHECK_FORM("compact", .rank = 2, .shape = {20, 30}, .type = type,
                   .setup = compact);
        CHECK_FORM("scalar", .rank = 0, .shape = {1}, .type = type);
        CHECK_FORM("user block", CUBE, .type = type, .user_block = 1024,
                   .setup = shuffle_deflate);
        CHECK_FORM("user block, contiguous", .rank = 1, .shape = {50},
                   .type = type, .user_block = 512);
    }
}

static void indexes_are_walked(void **state)
{
    (void)state;
    void (*const setups[])(hid_t) = {NULL, shuffle_deflate, all_three};
    for (size_t i = 0; i < 3; i++) {
        const hid_t type = H5T_IEEE_F32LE;
        void (*setup)(hid_t) = setups[i];
        CHECK_FORM("fixed array", CUBE, .type = type, .setup = setup,
                   .is_latest = true);
        CHECK_FORM("extensible array", CUBE, .max = {UNLIMITED, 10, 13},
                   .type = type, .setup = setup, .is_latest = true);
        CHECK_FORM("version 2 tree", CUBE, .max = {UNLIMITED, UNLIMITED, 13},
                   .type = type, .setup = setup, .is_latest = true);
        CHECK_FORM("single chunk", .rank = 2, .shape = {8, 9}, .chunk = {8, 9},
                   .type = type, .setup = setup, .is_latest = true);
        CHECK_FORM("many chunks, tree", .rank = 2, .shape = {300, 40},
                   .chunk = {1, 11}, .type = type, .setup = setup);
        CHECK_FORM("many chunks, fixed array", .rank = 2, .shape = {300, 60},
                   .chunk = {1, 11}, .type = type, .setup = setup,
                   .is_latest = true);
        CHECK_FORM("many chunks, extensible array", .rank = 2,
                   .shape = {900, 40}, .max = {UNLIMITED, 40}, .chunk = {1, 11},
                   .type = type, .setup = setup, .is_latest = true);
        CHECK_FORM("many chunks, version 2 tree", .rank = 2, .shape = {300, 60},
                   .max = {UNLIMITED, UNLIMITED}, .chunk = {1, 11},
                   .type = type, .setup = setup, .is_latest = true);
    }
    CHECK_FORM("implicit", CUBE, .type = H5T_IEEE_F32LE, .setup = early,
               .is_latest = true);
    CHECK_FORM("edge chunks without filters", CUBE, .type = H5T_IEEE_F32LE,
               .setup = whole_edges, .is_latest = true);
}

static void missing_chunks_are_fill(void **state)
{
    (void)state;
    for (int latest = 0; latest < 2; latest++) {
        CHECK_FORM("fill value", CUBE, .type = H5T_IEEE_F32LE,
                   .setup = fill_of_42, .half_written = true,
                   .is_latest = latest);
        CHECK_FORM("fill value, big-endian", CUBE, .type = H5T_IEEE_F32BE,
                   .setup = fill_and_deflate, .half_written = true,
                   .is_latest = latest);
        CHECK_FORM("no fill value", CUBE, .type = H5T_STD_I16LE,
                   .setup = deflate, .half_written = true, .is_latest = latest);
    }
}

NCG_TESTS(NCG_TEST(filters_are_undone), NCG_TEST(szip_is_undone),
          NCG_TEST(plugin_filters_are_undone),
          NCG_TEST(unfiltered_layouts_are_read), NCG_TEST(indexes_are_walked),
          NCG_TEST(missing_chunks_are_fill))
