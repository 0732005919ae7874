/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How fast this machine can read, decode and add up one variable of many
 * files: the least work that any program does for a mean over the first axis.
 *
 *     limit [-l LIKE -o OUT] VARIABLE FILE...
 *                                   (threads: OMP_NUM_THREADS, else all cores)
 *
 * HDF5 tells where the stored pieces lie; for classic files the header is
 * walked here. Then each thread takes pieces: pread, inflate (libdeflate, zstd
 * or Blosc), put shuffled bytes together, swap them, add to its own array of
 * sums. Nothing of ncgraph is used, nothing is checked beyond what reading
 * needs: it is a yardstick for files that make_data.py wrote. With -l and -o it
 * then makes an output like that of an operation (limit_output.h). Prints one
 * line of JSON; prepare_s is what no program has to do.
 */
#include <blosc.h>
#include <fcntl.h>
#include <hdf5.h>
#include <libdeflate.h>
#include <omp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "limit_output.h"

enum { MAX_RANK = 8, RUN_BYTES = 4 << 20 };

/* One stored piece: a chunk, or a run of contiguous data. */
typedef struct piece {
    int file;
    uint64_t offset;
    size_t stored;
    uint32_t mask;
    int64_t start[MAX_RANK], size[MAX_RANK];
} piece;

/* How the variable is stored in one file. */
typedef struct source {
    int fd, rank, nfilters;
    unsigned filters[8];
    int64_t shape[MAX_RANK];
    char kind; /* f: float, d: double, s: 16 bits */
    bool is_big_endian;
    size_t elem_size;
} source;

static struct {
    source *sources;
    int nsources;
    piece *pieces;
    size_t npieces, capacity;
} plan;

static void die(const char *what, const char *which)
{
    fprintf(stderr, "limit: %s: %s\n", which, what);
    exit(3);
}

static piece *add_piece(int file, uint64_t offset, size_t stored)
{
    if (plan.npieces == plan.capacity) {
        plan.capacity = plan.capacity ? 2 * plan.capacity : 1024;
        plan.pieces = realloc(plan.pieces, plan.capacity * sizeof *plan.pieces);
        if (!plan.pieces)
            die("out of memory", "pieces");
    }
    piece *p = &plan.pieces[plan.npieces++];
    *p = (piece){.file = file, .offset = offset, .stored = stored};
    return p;
}

static int64_t row_size(const source *s)
{
    int64_t n = 1;
    for (int d = 1; d < s->rank; d++)
        n *= s->shape[d];
    return n;
}

/* Cuts rows that are `stride` bytes apart into pieces; neighbours that lie one
 * behind the other are read together. */
static void add_rows(int file, const source *s, uint64_t offset,
                     uint64_t stride)
{
    uint64_t row = (uint64_t)row_size(s) * s->elem_size;
    int64_t step =
        stride == row && row < RUN_BYTES ? (int64_t)(RUN_BYTES / row) : 1;
    for (int64_t r = 0; r < s->shape[0]; r += step) {
        int64_t n = s->shape[0] - r < step ? s->shape[0] - r : step;
        piece *p =
            add_piece(file, offset + (uint64_t)r * stride, (size_t)n * row);
        memcpy(p->size, s->shape, sizeof p->size);
        p->start[0] = r;
        p->size[0] = n;
    }
}

/* ---- HDF5 -------------------------------------------------------------- */

static void describe_type(hid_t type, source *s, const char *path)
{
    s->elem_size = H5Tget_size(type);
    s->is_big_endian = H5Tget_order(type) == H5T_ORDER_BE;
    bool is_float = H5Tget_class(type) == H5T_FLOAT;
    s->kind = is_float && s->elem_size == 4    ? 'f'
              : is_float && s->elem_size == 8  ? 'd'
              : !is_float && s->elem_size == 2 ? 's'
                                               : 0;
    if (!s->kind)
        die("only float, double and 16-bit integers", path);
}

static void add_chunks(int file, const source *s, hid_t set, hid_t space,
                       hid_t plist)
{
    hsize_t count, chunk[MAX_RANK], at[MAX_RANK], size;
    H5Pget_chunk(plist, MAX_RANK, chunk);
    H5Dget_num_chunks(set, space, &count);
    for (hsize_t i = 0; i < count; i++) {
        unsigned mask;
        haddr_t address;
        H5Dget_chunk_info(set, space, i, at, &mask, &address, &size);
        piece *p = add_piece(file, address, size);
        p->mask = mask;
        for (int d = 0; d < s->rank; d++) {
            p->start[d] = (int64_t)at[d];
            p->size[d] = (int64_t)chunk[d];
        }
    }
}

static void open_hdf5(int index, const char *path, const char *name, source *s)
{
    hsize_t shape[MAX_RANK];
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0)
        die("no such variable", name);
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    hid_t plist = H5Dget_create_plist(set);
    s->rank = H5Sget_simple_extent_ndims(space);
    H5Sget_simple_extent_dims(space, shape, NULL);
    for (int d = 0; d < s->rank; d++)
        s->shape[d] = (int64_t)shape[d];
    describe_type(type, s, path);
    s->nfilters = H5Pget_nfilters(plist);
    for (int i = 0; i < s->nfilters; i++) {
        size_t none = 0;
        unsigned flags, config;
        s->filters[i] = (unsigned)H5Pget_filter2(plist, (unsigned)i, &flags,
                                                 &none, NULL, 0, NULL, &config);
    }
    if (H5Pget_layout(plist) == H5D_CHUNKED)
        add_chunks(index, s, set, space, plist);
    else
        add_rows(index, s, H5Dget_offset(set),
                 (uint64_t)row_size(s) * s->elem_size);
    H5Pclose(plist);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
}

/* ---- classic ----------------------------------------------------------- */

typedef struct walker {
    const uint8_t *at;
    int version;
} walker;

static uint64_t number(walker *w, int nbytes)
{
    uint64_t x = 0;
    for (int i = 0; i < nbytes; i++)
        x = x << 8 | *w->at++;
    return x;
}

static uint64_t count_of(walker *w)
{
    return number(w, w->version == 5 ? 8 : 4);
}

static const char *name_of(walker *w)
{
    static char name[260];
    uint64_t n = count_of(w);
    snprintf(name, sizeof name, "%.*s", (int)n, (const char *)w->at);
    w->at += (n + 3) / 4 * 4;
    return name;
}

static size_t type_size(uint64_t type)
{
    static const size_t sizes[] = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
    return type < 12 ? sizes[type] : 0;
}

static void skip_attrs(walker *w)
{
    number(w, 4);
    for (uint64_t n = count_of(w); n > 0; n--) {
        name_of(w);
        size_t size = type_size(number(w, 4));
        w->at += (count_of(w) * size + 3) / 4 * 4;
    }
}

static void open_classic(int index, const uint8_t *head, const char *path,
                         const char *wanted, source *s)
{
    walker w = {head + 4, head[3]};
    uint64_t nrecords = count_of(&w), dims[256], begin = 0, record = 0;
    int nrecord_vars = 0;
    bool is_record = false;
    number(&w, 4);
    for (uint64_t i = 0, n = count_of(&w); i < n && i < 256; i++) {
        name_of(&w);
        dims[i] = count_of(&w);
    }
    skip_attrs(&w);
    number(&w, 4);
    for (uint64_t n = count_of(&w); n > 0; n--) {
        bool is_it = !strcmp(name_of(&w), wanted), has_record = false;
        uint64_t rank = count_of(&w), bytes = 1, shape[256];
        for (uint64_t d = 0; d < rank; d++) {
            shape[d] = dims[count_of(&w) & 255];
            has_record = has_record || shape[d] == 0;
            bytes *= shape[d] ? shape[d] : 1;
        }
        skip_attrs(&w);
        uint64_t type = number(&w, 4);
        count_of(&w); /* vsize */
        uint64_t offset = number(&w, w.version == 1 ? 4 : 8);
        bytes *= type_size(type);
        record += has_record ? (bytes + 3) / 4 * 4 : 0;
        nrecord_vars += has_record;
        if (!is_it)
            continue;
        begin = offset;
        is_record = has_record;
        s->rank = (int)rank;
        s->kind = type == 5 ? 'f' : type == 6 ? 'd' : type == 3 ? 's' : 0;
        s->elem_size = type_size(type);
        s->is_big_endian = true;
        for (uint64_t d = 0; d < rank && d < MAX_RANK; d++)
            s->shape[d] = (int64_t)(shape[d] ? shape[d] : nrecords);
    }
    if (!s->kind)
        die("no such variable of a type that is known", path);
    uint64_t row = (uint64_t)row_size(s) * s->elem_size;
    add_rows(index, s, begin, is_record && nrecord_vars > 1 ? record : row);
}

static void open_source(int index, const char *path, const char *name)
{
    static uint8_t head[1 << 20];
    source *s = &plan.sources[index];
    s->fd = open(path, O_RDONLY);
    if (s->fd < 0 || pread(s->fd, head, sizeof head, 0) < 8)
        die("cannot read", path);
    if (!memcmp(head, "CDF", 3))
        open_classic(index, head, path, name, s);
    else
        open_hdf5(index, path, name, s);
}

/* ---- decoding ---------------------------------------------------------- */

typedef struct team_member {
    struct libdeflate_decompressor *deflate;
    ZSTD_DCtx *zstd;
    uint8_t *raw, *out;
    size_t raw_room, room;
    double *sums;
} team_member;

static size_t piece_items(const piece *p, const source *s)
{
    size_t n = 1;
    for (int d = 0; d < s->rank; d++)
        n *= (size_t)p->size[d];
    return n;
}

static void reserve(uint8_t **buffer, size_t *room, size_t need)
{
    if (need <= *room)
        return;
    free(*buffer);
    if (posix_memalign((void **)buffer, 64, need + 64))
        die("out of memory", "chunk");
    *room = need;
}

/* Undoes all filters but the shuffle; tells whether that is left. */
static const uint8_t *decode(team_member *m, const piece *p, const source *s,
                             bool *is_shuffled)
{
    size_t nbytes = piece_items(p, s) * s->elem_size, stored = p->stored;
    const uint8_t *data = m->raw;
    bool ok = true;
    *is_shuffled = false;
    for (int i = s->nfilters - 1; i >= 0; i--) {
        if (p->mask >> i & 1)
            continue;
        if (s->filters[i] == H5Z_FILTER_SHUFFLE) {
            *is_shuffled = s->elem_size > 1;
            continue;
        }
        if (s->filters[i] == H5Z_FILTER_FLETCHER32) {
            stored -= 4;
            continue;
        }
        reserve(&m->out, &m->room, nbytes);
        if (s->filters[i] == H5Z_FILTER_DEFLATE)
            ok = !libdeflate_zlib_decompress(m->deflate, data, stored, m->out,
                                             nbytes, NULL);
        else if (s->filters[i] == 32015)
            ok = ZSTD_decompressDCtx(m->zstd, m->out, nbytes, data, stored) ==
                 nbytes;
        else if (s->filters[i] == 32001)
            ok = blosc_decompress_ctx(data, m->out, nbytes, 1) == (int)nbytes;
        else
            die("unknown filter", "chunk");
        data = m->out;
        stored = nbytes;
    }
    if (!ok)
        die("cannot be decoded", "chunk");
    return data;
}

/* ---- adding ------------------------------------------------------------ */

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static inline double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

static inline uint32_t load4(const uint8_t *at)
{
    uint32_t x;
    memcpy(&x, at, 4);
    return x;
}

static inline uint64_t load8(const uint8_t *at)
{
    uint64_t x;
    memcpy(&x, at, 8);
    return x;
}

static inline uint16_t load2(const uint8_t *at)
{
    uint16_t x;
    memcpy(&x, at, 2);
    return x;
}

/* Byte b of element j of a shuffled chunk of `all` elements. */
#define B(b) data[(b)*all + j]
#define ADD_ALL(expr)                                                          \
    for (size_t j = first; j < first + n; j++)                                 \
    sums[j - first] += (expr)

static void add_shuffled(const source *s, const uint8_t *restrict data,
                         size_t all, size_t first, size_t n,
                         double *restrict sums)
{
    if (s->kind == 'f' && !s->is_big_endian)
        ADD_ALL(float_of(B(0) | (uint32_t)B(1) << 8 | (uint32_t)B(2) << 16 |
                         (uint32_t)B(3) << 24));
    else if (s->kind == 's' && !s->is_big_endian)
        ADD_ALL((int16_t)(B(0) | B(1) << 8));
    else if (s->kind == 'd' && !s->is_big_endian)
        ADD_ALL(double_of(B(0) | (uint64_t)B(1) << 8 | (uint64_t)B(2) << 16 |
                          (uint64_t)B(3) << 24 | (uint64_t)B(4) << 32 |
                          (uint64_t)B(5) << 40 | (uint64_t)B(6) << 48 |
                          (uint64_t)B(7) << 56));
    else
        die("shuffled and big-endian", "chunk");
}

static void add_plain(const source *s, const uint8_t *restrict data,
                      size_t first, size_t n, double *restrict sums)
{
    if (s->kind == 'f' && s->is_big_endian)
        ADD_ALL(float_of(__builtin_bswap32(load4(data + 4 * j))));
    else if (s->kind == 'f')
        ADD_ALL(float_of(load4(data + 4 * j)));
    else if (s->kind == 'd' && s->is_big_endian)
        ADD_ALL(double_of(__builtin_bswap64(load8(data + 8 * j))));
    else if (s->kind == 'd')
        ADD_ALL(double_of(load8(data + 8 * j)));
    else if (s->is_big_endian)
        ADD_ALL((int16_t)__builtin_bswap16(load2(data + 2 * j)));
    else
        ADD_ALL((int16_t)load2(data + 2 * j));
}

/* Adds the rows of a piece that lie inside the variable. */
static void add_piece_rows(const piece *p, const source *s, const uint8_t *data,
                           bool is_shuffled, double *sums)
{
    int64_t at[MAX_RANK] = {0}, inside[MAX_RANK], run = 1;
    size_t all = piece_items(p, s);
    int inner = s->rank; /* axes from here on are whole: one run */
    for (int d = 0; d < s->rank; d++) {
        inside[d] = s->shape[d] - p->start[d];
        inside[d] = inside[d] < p->size[d] ? inside[d] : p->size[d];
    }
    while (inner > 1) {
        inner--;
        run *= inside[inner];
        if (inside[inner] != s->shape[inner] ||
            p->size[inner] != s->shape[inner])
            break;
    }
    for (bool more = true; more;) {
        int64_t from = 0, to = 0;
        for (int d = 0; d < s->rank; d++) {
            from = from * p->size[d] + at[d];
            to = d ? to * s->shape[d] + p->start[d] + at[d] : 0;
        }
        if (is_shuffled)
            add_shuffled(s, data, all, (size_t)from, (size_t)run, sums + to);
        else
            add_plain(s, data, (size_t)from, (size_t)run, sums + to);
        int d = inner - 1;
        while (d >= 0 && ++at[d] == inside[d])
            at[d--] = 0;
        more = d >= 0;
    }
}

static void run_piece(team_member *m, const piece *p)
{
    const source *s = &plan.sources[p->file];
    bool is_shuffled;
    reserve(&m->raw, &m->raw_room, p->stored);
    if (pread(s->fd, m->raw, p->stored, (off_t)p->offset) != (ssize_t)p->stored)
        die("cannot be read", "chunk");
    const uint8_t *data = decode(m, p, s, &is_shuffled);
    add_piece_rows(p, s, data, is_shuffled, m->sums);
}

static double run_all(size_t grid)
{
    double total = 0;
#pragma omp parallel reduction(+ : total)
    {
        team_member m = {.deflate = libdeflate_alloc_decompressor(),
                         .zstd = ZSTD_createDCtx(),
                         .sums = calloc(grid, sizeof(double))};
        if (!m.sums)
            die("out of memory", "sums");
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < plan.npieces; i++)
            run_piece(&m, &plan.pieces[i]);
        for (size_t j = 0; j < grid; j++)
            total += m.sums[j];
        libdeflate_free_decompressor(m.deflate);
        ZSTD_freeDCtx(m.zstd);
        free(m.raw);
        free(m.out);
        free(m.sums);
    }
    return total;
}

/* Returns the bytes of all values after decoding. */
static double open_all(const char *name, char **paths, double *values)
{
    double decoded = 0;
    plan.sources = calloc((size_t)plan.nsources, sizeof *plan.sources);
    if (!plan.sources)
        die("out of memory", "files");
    for (int f = 0; f < plan.nsources; f++)
        open_source(f, paths[f], name);
    for (int f = 0; f < plan.nsources; f++) {
        const source *s = &plan.sources[f];
        if (row_size(s) != row_size(&plan.sources[0]))
            die("another grid than the first file's", paths[f]);
        *values += (double)(s->shape[0] * row_size(s));
    }
    for (size_t i = 0; i < plan.npieces; i++) {
        const source *s = &plan.sources[plan.pieces[i].file];
        decoded += (double)(piece_items(&plan.pieces[i], s) * s->elem_size);
    }
    return decoded;
}

int main(int argc, char **argv)
{
    const char *like = NULL, *out = NULL;
    for (int c; (c = getopt(argc, argv, "+l:o:")) != -1;) {
        like = c == 'l' ? optarg : like;
        out = c == 'o' ? optarg : out;
    }
    if (argc - optind < 2 || !like != !out) {
        fprintf(stderr, "use: limit [-l LIKE -o OUT] VARIABLE FILE...\n");
        return 2;
    }
    const char *name = argv[optind];
    plan.nsources = argc - optind - 1;
    double values = 0, start = omp_get_wtime();
    if (like)
        output_prepare(like, name);
    double prepared = omp_get_wtime();
    double decoded = open_all(name, argv + optind + 1, &values);
    double indexed = omp_get_wtime();
    double total = run_all((size_t)row_size(&plan.sources[0]));
    double done = omp_get_wtime();
    size_t written = out ? output_write(out) : 0;
    double finished = omp_get_wtime();
    printf("{\"threads\": %d, \"files\": %d, \"chunks\": %zu, "
           "\"prepare_s\": %.4f, \"index_s\": %.4f, \"read_s\": %.4f, "
           "\"output_s\": %.4f, \"output_MB\": %.1f, \"decoded_GB\": %.3f, "
           "\"GB_per_s\": %.2f, \"mean\": %.6f}\n",
           omp_get_max_threads(), plan.nsources, plan.npieces, prepared - start,
           indexed - prepared, done - indexed, finished - done,
           (double)written / 1e6, decoded / 1e9,
           decoded / 1e9 / (done - indexed), total / values);
    for (int f = 0; f < plan.nsources; f++)
        close(plan.sources[f].fd);
    free(plan.sources);
    free(plan.pieces);
    return 0;
}
