/* SPDX-License-Identifier: BSD-3-Clause */
/* Target R8: the writer against libdeflate alone, on all cores.
 *     write_chunks OUT.nc [LEVEL [THREADS]]
 * Fields look like those of make_data.py. Prints as JSON the seconds that
 * shuffle and libdeflate take on all chunks, those of the writer from its
 * creation to the synchronised file, and the sizes; compare the size with
 * nccopy -s -dLEVEL of the file. */
#include <libdeflate.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/write/encode.h"
#include "io/write/writer.h"

enum { NT = 360, NY = 361, NX = 720, CT = 4, NCHUNKS = NT / CT };
#define CHUNK_VALUES ((size_t)CT * NY * NX)

typedef struct job {
    float *field;
    int level;
    nci_writer *writer; /* NULL: libdeflate alone */
    atomic_int next;
    atomic_bool has_failed;
    pthread_mutex_t lock; /* guards what follows and the writer's file */
    int due;
    nci_buf *waiting[NCHUNKS];
} job;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *make_field(void)
{
    float *field = malloc((size_t)NT * NY * NX * sizeof *field);
    uint32_t seed = 1;
    for (int t = 0; field && t < NT; t++)
        for (int y = 0; y < NY; y++)
            for (int x = 0; x < NX; x++) {
                seed = seed * 1664525u + 1013904223u;
                double noise = (double)(seed >> 8) / 16777216.0 - 0.5;
                field[((size_t)t * NY + (size_t)y) * NX + (size_t)x] =
                    (float)(288 - 40 * fabs(sin((y - 180) * 0.0087)) +
                            3 * sin(x * 0.03 + t * 0.2) * cos(y * 0.05) +
                            0.17 * noise);
            }
    return field;
}

static void compress_alone(const job *work, int chunk, uint8_t *room)
{
    size_t nbytes = CHUNK_VALUES * sizeof(float);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(work->level);
    nci_shuffle((const uint8_t *)(work->field + (size_t)chunk * CHUNK_VALUES),
                CHUNK_VALUES, sizeof(float), room);
    libdeflate_zlib_compress(c, room, nbytes, room + nbytes, nbytes);
    libdeflate_free_compressor(c);
}

/* Keeps an encoded chunk until its turn; puts all whose turn it is. */
static ncg_status write_chunk(job *work, int chunk, ncg_error *err)
{
    nci_buf *buf = NULL;
    ncg_status st = nci_writer_encode(
        work->writer, 0, (int64_t[]){CT, NY, NX},
        work->field + (size_t)chunk * CHUNK_VALUES, &buf, err);
    if (st)
        return st;
    pthread_mutex_lock(&work->lock);
    work->waiting[chunk] = buf;
    for (; !st && work->due < NCHUNKS && work->waiting[work->due];
         work->due++) {
        st = nci_writer_put(work->writer, 0, (int64_t[]){work->due, 0, 0},
                            work->waiting[work->due], err);
        nci_buf_release(&work->waiting[work->due]);
    }
    pthread_mutex_unlock(&work->lock);
    return st;
}

static void *run(void *payload)
{
    job *work = payload;
    ncg_error err;
    uint8_t *room = malloc(2 * CHUNK_VALUES * sizeof(float));
    for (int i; (i = atomic_fetch_add(&work->next, 1)) < NCHUNKS;) {
        if (!work->writer) {
            compress_alone(work, i, room);
        } else if (write_chunk(work, i, &err)) {
            fprintf(stderr, "write_chunks: %s\n", err.message);
            atomic_store(&work->has_failed, true);
        }
    }
    free(room);
    return NULL;
}

static void run_threads(job *work, int nthreads)
{
    pthread_t threads[256];
    atomic_store(&work->next, 0);
    work->due = 0;
    for (int i = 0; i < nthreads; i++)
        if (pthread_create(&threads[i], NULL, run, work))
            abort();
    for (int i = 0; i < nthreads; i++)
        pthread_join(threads[i], NULL);
}

static nci_writer *create(const char *path, int level)
{
    ncg_error err;
    nci_writer *writer = NULL;
    nci_write_options options = {"nc4", level, true};
    nci_header *h = nci_header_create(path);
    nci_header_add_dim(h, "time", NT, true);
    nci_header_add_dim(h, "lat", NY, false);
    nci_header_add_dim(h, "lon", NX, false);
    nci_var *v =
        nci_header_add_var(h, "t2m", NCG_DTYPE_F32, 3, (int[]){0, 1, 2});
    memcpy(v->storage.chunk, (int64_t[]){CT, NY, NX}, 3 * sizeof(int64_t));
    if (nci_writer_create(path, h, &options, &writer, &err))
        fprintf(stderr, "write_chunks: %s\n", err.message);
    nci_header_free(&h);
    return writer;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "use: write_chunks OUT.nc [LEVEL [THREADS]]\n");
        return 2;
    }
    int level = argc > 2 ? atoi(argv[2]) : 1;
    int nthreads =
        argc > 3 ? atoi(argv[3]) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    nthreads = nthreads < 1 ? 1 : nthreads > 256 ? 256 : nthreads;
    job work = {.field = make_field(), .level = level};
    ncg_error err;
    struct stat info;
    pthread_mutex_init(&work.lock, NULL);
    if (!work.field)
        return 7;
    double start = now();
    run_threads(&work, nthreads);
    double alone = now() - start;
    start = now();
    work.writer = create(argv[1], level);
    if (!work.writer)
        return 6;
    run_threads(&work, nthreads);
    double written = now() - start;
    if (atomic_load(&work.has_failed) ||
        nci_writer_finish(&work.writer, &err) || stat(argv[1], &info)) {
        nci_writer_abandon(&work.writer);
        return 6;
    }
    double finished = now() - start;
    printf("{\"level\": %d, \"threads\": %d, \"megabytes\": %.1f, "
           "\"libdeflate_s\": %.3f, \"writer_s\": %.3f, "
           "\"writer_synced_s\": %.3f, \"file_megabytes\": %.1f}\n",
           level, nthreads, NT * (double)NY * NX * 4e-6, alone, written,
           finished, (double)info.st_size * 1e-6);
    free(work.field);
    return 0;
}
