/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCGRAPH_H
#define NCGRAPH_H
/*
 * ncgraph: lazy, chunked computing on NetCDF data sets larger than memory.
 *
 * A program creates a context (threads, memory limit), opens any number of
 * files as one data set, derives data sets from it (select, reduce, anomaly),
 * and saves the result. Nothing is read beyond headers and coordinates before
 * ncg_dataset_save or ncg_array_compute; then all steps run as one task graph.
 *
 *     ncg_context *ctx = NULL;
 *     ncg_dataset *in = NULL, *mean = NULL;
 *     ncg_error err;
 *     const char *paths[] = {"tas_*.nc"};
 *     ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
 *     how.op = NCG_OP_MEAN;
 *     how.dims = "time";
 *     if (ncg_context_create(NULL, &ctx, &err) ||
 *         ncg_dataset_open(ctx, paths, 1, NULL, &in, &err) ||
 *         ncg_dataset_reduce(in, &how, &mean, &err) ||
 *         ncg_dataset_save(mean, "mean.nc", NULL, &err))
 *         fprintf(stderr, "%s\n", err.message);
 *     ncg_dataset_release(&mean);
 *     ncg_dataset_release(&in);
 *     ncg_context_destroy(&ctx);
 *
 * Conventions, where a function does not say otherwise:
 *   Errors     Functions that can fail return ncg_status, NCG_OK (0) on success;
 *              the last parameter takes the description and may be NULL. Outputs
 *              are untouched on failure.
 *   Ownership  What comes through `T **out` belongs to the caller. Pointers that
 *              a getter returns are borrowed from its argument.
 *   Threads    A context and what came from it may be used from any thread;
 *              one computation at a time runs in a context, others wait. A
 *              function that a computation calls cannot compute in the same
 *              context (EINVAL).
 *   Options    `struct_size` first, filled by the _INIT macro; NULL = defaults.
 */
#ifndef NCG_CDEF /* bindings read this header preprocessed, without these */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define NCG_VERSION_MAJOR 0
#define NCG_VERSION_MINOR 1
#define NCG_VERSION_PATCH 0

#if defined(__GNUC__) && !defined(NCG_CDEF)
#define NCG_API __attribute__((visibility("default")))
#else
#define NCG_API
#endif

/* ncg_version returns "MAJOR.MINOR.PATCH" of the library that runs. */
NCG_API const char *ncg_version(void);

/* ---- status and errors ------------------------------------------------- */

/* name, value, exit code of the ncgraph command, text. Values never change. */
#define NCG_STATUS_MAP(X)                                                      \
    X(OK, 0, 0, "success")                                                     \
    X(EINVAL, 1, 2, "invalid argument")                                        \
    X(ENOTFOUND, 2, 3, "not found")                                            \
    X(EIO, 3, 3, "i/o error")                                                  \
    X(ECORRUPT, 4, 3, "damaged file")                                          \
    X(EUNSUPPORTED, 5, 4, "unsupported")                                       \
    X(EMISMATCH, 6, 5, "inputs do not fit together")                           \
    X(EEXISTS, 7, 6, "exists")                                                 \
    X(EOUTPUT, 8, 6, "cannot write")                                           \
    X(ENOMEM, 9, 7, "out of memory")                                           \
    X(EBUDGET, 10, 7, "memory limit")                                          \
    X(ENET, 11, 8, "peer lost")                                                \
    X(EAUTH, 12, 8, "refused")                                                 \
    X(EKERNEL, 13, 8, "kernel failed")                                         \
    X(ECANCELED, 14, 130, "canceled")                                          \
    X(EBUG, 15, 8, "internal error")                                           \
    X(WORKER_DONE, 16, 0, "this process was a worker and is done")

typedef enum ncg_status {
#define NCG_STATUS_ENUM(name, value, code, text) NCG_##name = value,
    NCG_STATUS_MAP(NCG_STATUS_ENUM)
#undef NCG_STATUS_ENUM
} ncg_status;

typedef struct ncg_error {
    ncg_status status;
    int sys;           /* errno, netCDF or HDF5 code behind it, 0 if none */
    int rank;          /* rank where it happened, -1 for the local process */
    char message[500]; /* always terminated; what, which object, which chunk */
} ncg_error;

/* ncg_status_name returns "EINVAL" and so on; never NULL. */
NCG_API const char *ncg_status_name(ncg_status status);
/* ncg_status_text returns the status in words; never NULL. */
NCG_API const char *ncg_status_text(ncg_status status);
/* ncg_status_exit_code returns the exit code that the command uses for it. */
NCG_API int ncg_status_exit_code(ncg_status status);

/* ---- dtypes ------------------------------------------------------------ */

/* name, value, bytes, short name */
#define NCG_DTYPE_MAP(X)                                                       \
    X(NONE, 0, 0, "none")                                                      \
    X(I8, 1, 1, "i1")                                                          \
    X(U8, 2, 1, "u1")                                                          \
    X(I16, 3, 2, "i2")                                                         \
    X(U16, 4, 2, "u2")                                                         \
    X(I32, 5, 4, "i4")                                                         \
    X(U32, 6, 4, "u4")                                                         \
    X(I64, 7, 8, "i8")                                                         \
    X(U64, 8, 8, "u8")                                                         \
    X(F32, 9, 4, "f4")                                                         \
    X(F64, 10, 8, "f8")                                                        \
    X(BOOL, 11, 1, "bool")                                                     \
    X(CHAR, 12, 1, "char")                                                     \
    X(STRING, 13, 8, "string") /* in memory: const char *, never released */

typedef enum ncg_dtype {
#define NCG_DTYPE_ENUM(name, value, bytes, text) NCG_DTYPE_##name = value,
    NCG_DTYPE_MAP(NCG_DTYPE_ENUM)
#undef NCG_DTYPE_ENUM
} ncg_dtype;

/* ncg_dtype_size returns the bytes of one value in memory. */
NCG_API size_t ncg_dtype_size(ncg_dtype dtype);
/* ncg_dtype_name returns "f4" and so on; never NULL. */
NCG_API const char *ncg_dtype_name(ncg_dtype dtype);
/* ncg_dtype_parse finds the dtype of a short name, NCG_DTYPE_NONE if none. */
NCG_API ncg_dtype ncg_dtype_parse(const char *name);

#define NCG_MAX_RANK 16

/* ---- context ----------------------------------------------------------- */

typedef struct ncg_context ncg_context; /* threads, open files, memory limit */
typedef struct ncg_dataset ncg_dataset; /* lazy, immutable, counted handle */
typedef struct ncg_array ncg_array;     /* lazy, immutable, counted handle */

typedef struct ncg_progress {
    int64_t tasks_done, tasks_total;
    int64_t bytes_done, bytes_total; /* decoded bytes of input */
    double seconds;                  /* since the computation began */
    int64_t memory;                  /* managed bytes now */
} ncg_progress;

/* ncg_progress_fn is called about ten times a second from an engine thread. */
typedef void (*ncg_progress_fn)(const ncg_progress *progress, void *payload);
/* ncg_note_fn receives one sentence that the user should know; no newline. */
typedef void (*ncg_note_fn)(const char *note, void *payload);

/* How bytes travel between the processes of a cluster. Results do not depend on
 * it. Each process has its own options; what is sent tells how it was made, so
 * only the encryption must be the same everywhere. */
typedef enum ncg_wire_compression {
    NCG_WIRE_PLAIN, /* chunks as they are: best where the network is fast */
    NCG_WIRE_LZ4,
    NCG_WIRE_ZSTD
} ncg_wire_compression;
typedef enum ncg_wire_checksum {
    NCG_CHECKSUM_AUTO, /* of chunks between hosts; messages always have one */
    NCG_CHECKSUM_ON,
    NCG_CHECKSUM_OFF
} ncg_wire_checksum;
typedef struct ncg_wire_options {
    size_t struct_size;
    ncg_wire_compression compression; /* also of chunks that are spilled */
    ncg_wire_checksum checksum;
    bool tls; /* TLS 1.3, with certificates that follow from the secret; clients
                 and workers that join find this in the scheduler file */
    /* PEM files, all three, instead of those: the authority that both sides
     * must belong to, this process's certificate, its key */
    const char *tls_ca_file, *tls_cert, *tls_key;
} ncg_wire_options;
#define NCG_WIRE_OPTIONS_INIT                                                  \
    {sizeof(ncg_wire_options), NCG_WIRE_PLAIN, NCG_CHECKSUM_AUTO, false, NULL, \
     NULL, NULL}

typedef struct ncg_context_options {
    size_t struct_size;
    int threads;          /* 0: the cores of the process's cpuset */
    int64_t memory_limit; /* bytes; 0: 60 % of what the machine or cgroup has.
                             From 64 MiB on of the whole process, as it is when
                             the context is made (up to a quarter of it) */
    ncg_progress_fn progress;
    void *progress_payload;
    ncg_note_fn note;
    void *note_payload;
    bool no_checksum;     /* do not verify fletcher32 */
    bool force_library;   /* read everything through NetCDF-C (for tests) */
    const char *spill_directory; /* a local disk, for chunks of computations
                             that need more than memory_limit; copied.
                             NULL: $TMPDIR or /tmp */
    const ncg_wire_options *wire; /* copied; NULL: defaults */
    bool persist_early; /* linked to a cluster: ncg_persist does not wait until
                           the chunks are there. What is computed of them begins
                           with those that are; why some cannot be made is told
                           there. Neither progress nor ncg_stats have such a
                           run, and ncg_context_cancel does not reach it */
} ncg_context_options;
#define NCG_CONTEXT_OPTIONS_INIT                                               \
    {sizeof(ncg_context_options), 0, 0, NULL, NULL, NULL, NULL, false, false,  \
     NULL, NULL, false}

/* ncg_context_create starts an engine in this process.
 * Errors: EINVAL (threads or limit negative), ENOMEM. */
NCG_API ncg_status ncg_context_create(const ncg_context_options *options,
                                      ncg_context **out, ncg_error *err);
/* ncg_context_destroy waits for a running computation, stops the threads and
 * sets *ctx to NULL; not from a function that a computation calls. Data sets and
 * arrays of the context keep what they need and may be released later, not
 * computed. NULL is accepted. */
NCG_API void ncg_context_destroy(ncg_context **ctx);
/* ncg_context_cancel makes the running computation end with ECANCELED, where
 * none runs the next one. Safe in a signal handler. */
NCG_API void ncg_context_cancel(ncg_context *ctx);
/* ncg_remove_unfinished removes the temporary files of all saves under way in
 * this process, which fail after that: for a program that is about to exit at
 * once. Safe in a signal handler. */
NCG_API void ncg_remove_unfinished(void);

/* ---- clusters ----------------------------------------------------------
 *
 * A cluster is a scheduler, any number of workers, and clients. A context that
 * is linked to one works as any other: what it computes is run by the workers,
 * results are the same bit for bit. docs/cluster.md tells how to start one.
 */

typedef struct ncg_launch_options {
    size_t struct_size;
    const ncg_context_options *context; /* of each process; NULL: defaults.
                             threads 0: the cores of the rank */
    bool exclusive; /* no worker on rank 0 beside scheduler and client */
    int restarts;   /* of a worker that crashes; -1: never */
} ncg_launch_options;
#define NCG_LAUNCH_OPTIONS_INIT                                                \
    {sizeof(ncg_launch_options), NULL, false, 0}

/* ncg_launch begins a program that runs under mpirun or srun; call it first of
 * all, before threads are started. Rank 0 gets a context that is linked to a
 * cluster of all ranks. On the others the call serves until that context is
 * destroyed and returns WORKER_DONE: end the program then. A program that was
 * started alone gets a context of its own process. Each rank starts the
 * program's own file again and watches it, so that a worker that dies does not
 * end the job; rank 0's first process waits and ends with the exit code of the
 * second.
 * Errors: WORKER_DONE; EINVAL (several tasks that cannot find each other; the
 * message has the remedy), those of ncg_context_create. */
NCG_API ncg_status ncg_launch(const ncg_launch_options *options,
                              ncg_context **out, ncg_error *err);

/* ncg_context_connect links a new context to the standing cluster of a
 * scheduler file; waits at most `timeout` seconds for it.
 * Errors: ENOTFOUND, ECORRUPT (the file), EAUTH (refused; the file is readable
 * by others), ENET (no answer), those of ncg_context_create. */
NCG_API ncg_status ncg_context_connect(const char *scheduler_file,
                                       double timeout,
                                       const ncg_context_options *options,
                                       ncg_context **out, ncg_error *err);

typedef struct ncg_cluster_options {
    size_t struct_size;
    const char *scheduler_file; /* written; readable by its owner only */
    const char *interface; /* host or number to listen on; NULL: all */
    int port;              /* 0: any */
    const ncg_launch_options *launch; /* NULL: defaults */
    const char *http; /* where the state of the cluster is to be seen: "PORT" or
                         "HOST:PORT". NULL: any port, of `interface`, and only
                         of this machine without one. The scheduler file tells
                         the address, with a token that is asked for */
    bool no_http;
} ncg_cluster_options;
#define NCG_CLUSTER_OPTIONS_INIT                                               \
    {sizeof(ncg_cluster_options), NULL, NULL, 0, NULL, NULL, false}

/* ncg_cluster_serve stands as a cluster until somebody stops it: scheduler and
 * a worker, and a worker on each further rank that a launcher started. Returns
 * when all has ended; call it first of all, as ncg_launch.
 * Errors: EOUTPUT (the scheduler file), those of ncg_launch. */
NCG_API ncg_status ncg_cluster_serve(const ncg_cluster_options *options,
                                     ncg_error *err);
/* ncg_cluster_stop ends the cluster of a scheduler file. Errors: those of
 * ncg_context_connect. */
NCG_API ncg_status ncg_cluster_stop(const char *scheduler_file,
                                    ncg_error *err);
/* ncg_cluster_status tells workers and computations as JSON; ncg_free.
 * ncg_cluster_retire asks the worker of a name to leave, as SIGTERM does.
 * Errors: ENOTFOUND (no such worker), those of ncg_context_connect. */
NCG_API ncg_status ncg_cluster_status(const char *scheduler_file, char **text,
                                      ncg_error *err);
NCG_API ncg_status ncg_cluster_retire(const char *scheduler_file,
                                      const char *worker, ncg_error *err);
/* ncg_cluster_ask does the same with options for the connection, such as the
 * files of certificates: `word` is "stop", "status" or "retire", `argument` the
 * name of the worker or "". *text: the status, else empty; ncg_free. */
NCG_API ncg_status ncg_cluster_ask(const char *scheduler_file,
                                   const ncg_context_options *options,
                                   const char *word, const char *argument,
                                   char **text, ncg_error *err);

typedef struct ncg_worker_options {
    size_t struct_size;
    const char *scheduler_file;
    const ncg_context_options *context; /* NULL: defaults */
    const char *name;      /* NULL: host and process number */
    const char *interface; /* host or number to listen on; NULL: all */
    const char *checkpoint_directory; /* that all workers can read, for chunks
                             that find no other place when this one leaves */
    double lifetime;      /* seconds until the worker must have left; 0: open */
    double death_timeout; /* seconds without a scheduler; 0: 60 */
    int restarts;         /* when it crashes; -1: never */
    const char *resources; /* what it has for calls that ask for it, such as
                              "GPU=2 TAPE=1": any names, and how much there is;
                              NULL: nothing */
} ncg_worker_options;
#define NCG_WORKER_OPTIONS_INIT                                                \
    {sizeof(ncg_worker_options), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL}

/* ncg_worker_serve joins the cluster of a scheduler file and serves until that
 * ends, or SIGTERM or SIGUSR1 say that it is time to leave: then what it holds
 * goes to others first. Call it first of all, as ncg_launch.
 * Errors: those of ncg_context_connect. */
NCG_API ncg_status ncg_worker_serve(const ncg_worker_options *options,
                                    ncg_error *err);

typedef struct ncg_stats {
    size_t struct_size;
    int64_t headers_direct, headers_library; /* files inspected */
    int64_t chunks_direct, chunks_library;   /* storage chunks read */
    int64_t bytes_disk, bytes_decoded;       /* read; after decoding */
    int64_t files;                           /* distinct files read from */
    int64_t tasks;                           /* tasks run */
    int64_t peak_memory;                     /* managed bytes, highest */
    int64_t bytes_written;
    double seconds;                          /* in computations */
    int64_t bytes_kept; /* decoded chunks that later passes read from memory */
    int64_t memory_managed; /* managed bytes now, persisted arrays included */
    int64_t memory_held;    /* of persisted arrays, now */
    int64_t bytes_spilled;  /* written to the spill directory */
    int64_t held_on_disk;   /* of persisted arrays, in the spill directory now */
    int64_t bytes_fetched;  /* by workers of a cluster from each other */
    int64_t bytes_moved;    /* of them, from workers that left */
    int64_t tasks_recomputed; /* because a worker was lost */
    int64_t headers_by_workers; /* of the files inspected, by workers */
    int64_t default_fills; /* values read that were missing as NetCDF's default
                              fill, which nothing in the file says; where a
                              computation reads a variable several times, or
                              parts of it apart, the most of these counts.
                              Workers of a cluster count, too, but for what is
                              persisted without waiting */
} ncg_stats;
/* ncg_context_stats copies the counters since the context was created. */
NCG_API void ncg_context_stats(const ncg_context *ctx, ncg_stats *out);

/* ---- data sets --------------------------------------------------------- */

typedef enum ncg_overlap {
    NCG_OVERLAP_ERROR, /* two files hold the same step: an error naming both */
    NCG_OVERLAP_FIRST, /* keep the step of the file that begins earlier */
    NCG_OVERLAP_LAST   /* keep the step of the file that begins later */
} ncg_overlap;

/* How positions of several data sets meet along a dimension. */
typedef enum ncg_join {
    NCG_JOIN_EXACT,   /* they must be equal: an error names what differs */
    NCG_JOIN_INNER,   /* what all have */
    NCG_JOIN_OUTER,   /* what any has, sorted; the rest is missing */
    NCG_JOIN_LEFT,    /* those of the first */
    NCG_JOIN_RIGHT,   /* those of the last */
    NCG_JOIN_OVERRIDE /* those of the first, whatever the others' values are */
} ncg_join;

typedef struct ncg_open_options {
    size_t struct_size;
    const char *variables; /* comma-separated; NULL: every numeric variable */
    const char *glob;      /* pattern for directories; NULL: "*.nc" and kin */
    ncg_overlap overlap;
    ncg_join join;         /* exact or inner */
    bool missing_fill;     /* a variable absent in a file is missing there */
    bool no_default_fill;  /* NetCDF's default fill values are data */
    const char *weights;   /* comma-separated names or NULL: variables that
                              operations to come take as weights; they are
                              selected from as others are, and no anomaly or
                              reduction is made of them */
} ncg_open_options;
#define NCG_OPEN_OPTIONS_INIT                                                  \
    {sizeof(ncg_open_options), NULL, NULL, NCG_OVERLAP_ERROR, NCG_JOIN_EXACT,  \
     false, false, NULL}

/* ncg_dataset_open opens files as one data set: inspects them in parallel,
 * joins them along the dimension that differs, sorted by decoded time.
 * Each path is a file, a glob pattern, "@list.txt" (one path a line) or a
 * directory.
 * Errors: ENOTFOUND, EIO, ECORRUPT, EUNSUPPORTED name the file; EMISMATCH
 * names both files that do not fit; EINVAL for a variable that is not there. */
NCG_API ncg_status ncg_dataset_open(ncg_context *ctx, const char *const *paths,
                                    size_t npaths,
                                    const ncg_open_options *options,
                                    ncg_dataset **out, ncg_error *err);
NCG_API ncg_dataset *ncg_dataset_retain(ncg_dataset *ds);
NCG_API void ncg_dataset_release(ncg_dataset **ds);

/* ncg_dataset_isel selects by position. `what` is "time=0:12", "time=::3",
 * "time=-1", "lev=0,2,5"; several dimensions are separate strings.
 * Errors: EINVAL: unknown dimension (with a suggestion), bad syntax, empty. */
NCG_API ncg_status ncg_dataset_isel(ncg_dataset *ds, const char *const *what,
                                    size_t nwhat, ncg_dataset **out,
                                    ncg_error *err);
/* ncg_dataset_sel selects by coordinate value: "lat=30..50" (inclusive),
 * "lev=85000,50000", "time=1990..2009", "time=1990-06..1990-08",
 * "var=tas,pr"; the word "nearest" among them picks the nearest points. */
NCG_API ncg_status ncg_dataset_sel(ncg_dataset *ds, const char *const *what,
                                   size_t nwhat, ncg_dataset **out,
                                   ncg_error *err);

/* value, name of the verb, text of CF's cell method */
#define NCG_OP_MAP(X)                                                          \
    X(MEAN, 0, "mean", "mean")                                                 \
    X(SUM, 1, "sum", "sum")                                                    \
    X(MIN, 2, "min", "minimum")                                                \
    X(MAX, 3, "max", "maximum")                                                \
    X(RANGE, 4, "range", "range")                                              \
    X(STD, 5, "std", "standard_deviation")                                     \
    X(VAR, 6, "var", "variance")                                               \
    X(COUNT, 7, "count", NULL)                                                 \
    X(ANY, 8, "any", NULL)                                                     \
    X(ALL, 9, "all", NULL)                                                     \
    X(FIRST, 10, "first", "point")                                             \
    X(LAST, 11, "last", "point")                                               \
    X(ARGMIN, 12, "argmin", NULL)                                              \
    X(ARGMAX, 13, "argmax", NULL)                                              \
    X(PROD, 14, "prod", NULL)

typedef enum ncg_op {
#define NCG_OP_ENUM(name, value, verb, method) NCG_OP_##name = value,
    NCG_OP_MAP(NCG_OP_ENUM)
#undef NCG_OP_ENUM
    NCG_OP_COUNT_ /* how many there are */
} ncg_op;

typedef enum ncg_time_stamp {
    NCG_STAMP_MID,
    NCG_STAMP_FIRST,
    NCG_STAMP_LAST
} ncg_time_stamp;

typedef struct ncg_reduce_options {
    size_t struct_size;
    ncg_op op;
    const char *dims;    /* names or roles, separated by blanks or commas;
                            "all" for every dimension, "space" for horizontal */
    const char *by;      /* month season year yearmonth yearseason dayofyear
                            date hour file; NULL: no groups. Needs the time
                            dimension. yearseason: DJF MAM JJA SON of each
                            year, December counting to the next one */
    const char *weights; /* area coslat days or a variable's name; NULL */
    bool skipna;         /* missing values are left out (default true) */
    int64_t min_count;   /* fewer valid values give missing (default 1) */
    int ddof;            /* std, var: divisor is N - ddof (default 0) */
    bool keepdims;       /* keep every reduced dimension with size 1 */
    ncg_time_stamp stamp;
} ncg_reduce_options;
#define NCG_REDUCE_OPTIONS_INIT                                                \
    {sizeof(ncg_reduce_options), NCG_OP_MEAN, NULL, NULL, NULL, true, 1, 0,    \
     false, NCG_STAMP_MID}

/* ncg_dataset_reduce reduces every numeric variable that has one of the
 * dimensions; coordinates, bounds and cell_methods follow CF.
 * Sums run in double or exact 64-bit integers; the result has the same bits
 * for any number of threads and any memory limit.
 * Errors: EINVAL: dimension, group or weight unknown; ddof or min_count
 * negative; weights with an operation that has no weights. */
NCG_API ncg_status ncg_dataset_reduce(ncg_dataset *ds,
                                      const ncg_reduce_options *options,
                                      ncg_dataset **out, ncg_error *err);
/* ncg_dataset_quantile gives exact quantiles q[nq] (each 0..1; NULL: the
 * median), by one of NumPy's methods (NULL: "linear"). One quantile is a scalar
 * coordinate of the result, several are a leading dimension `quantile`. Of the
 * options it uses dims, by, skipna, keepdims and stamp. Data that do not fit
 * into the context's memory limit are read several times.
 * Errors: EINVAL: as ncg_dataset_reduce; a quantile outside 0..1, an unknown
 * method. */
NCG_API ncg_status ncg_dataset_quantile(ncg_dataset *ds, const double *q,
                                        size_t nq, const char *method,
                                        const ncg_reduce_options *options,
                                        ncg_dataset **out, ncg_error *err);
/* ncg_dataset_anomaly subtracts the time mean (of each group of `by`). */
NCG_API ncg_status ncg_dataset_anomaly(ncg_dataset *ds, const char *by,
                                       ncg_dataset **out, ncg_error *err);

typedef struct ncg_save_options {
    size_t struct_size;
    bool overwrite;       /* replace an existing file */
    const char *format;   /* nc4 nc4c nc3 nc64 nc5; NULL: nc4 */
    int deflate;          /* -1: default (1); 0: none; 1..9 */
    const char *dtype;    /* f4 f8 in; NULL: the result's own */
    const char *history;  /* line to prepend to `history`; NULL: none */
    /* Writing into a file that is there: */
    const char *append;        /* an unlimited dimension of the file: put the
                                  data behind what it holds; NULL: none */
    const char *const *region; /* "time=12": positions from there on; dimensions
                                  that are not named are written whole */
    size_t nregion;
    bool in_place; /* change the file itself instead of a copy */
} ncg_save_options;
#define NCG_SAVE_OPTIONS_INIT                                                  \
    {sizeof(ncg_save_options), false, NULL, -1, NULL, NULL, NULL, NULL, 0,     \
     false}

/* ncg_dataset_save computes the data set and writes it to `path`, through a
 * temporary file that is synchronised and renamed; on any error no file is
 * left and an existing one is untouched.
 * With `append` or `region` the variables are written into a file that has
 * them, whoever wrote it, packed as it packs them; format, deflate, dtype and
 * overwrite have no meaning then. What does not lie along the dimensions that
 * are extended must agree with the file; times are counted as the file counts
 * them; appended positions continue its coordinate, and those of a region are
 * the file's. A copy of the file is extended and renamed, so that a failure
 * leaves it as it was. in_place saves the copy; a failure may then leave part
 * of the new values in the file, and the data set must not read from it.
 * Errors: EEXISTS, EOUTPUT; all errors of reading; EBUDGET when the plan
 * cannot run within the memory limit; ECANCELED; ENOTFOUND, EMISMATCH: no file
 * to extend, or one that does not fit, with the variable and the values. */
NCG_API ncg_status ncg_dataset_save(ncg_dataset *ds, const char *path,
                                    const ncg_save_options *options,
                                    ncg_error *err);

typedef struct ncg_plan_info {
    size_t struct_size;
    /* a variable that a file stores without chunks counts as one chunk */
    int64_t files, storage_chunks, tasks, layers;
    int64_t bytes_disk;    /* compressed bytes to read, all passes; -1 unknown */
    int64_t bytes_decoded; /* after decoding, all passes */
    int64_t bytes_output;
    int passes;            /* how often the most-read source is read */
    int64_t peak_memory;   /* predicted managed bytes with these threads */
    int64_t least_memory;  /* the lowest --mem under which the plan runs, be it
                              by writing chunks to the spill directory */
    int64_t kept_memory;   /* part of peak_memory: decoded chunks that later
                              passes read from memory, as many as the memory
                              limit allows */
} ncg_plan_info;

/* ncg_dataset_explain plans without running. `text`, when not NULL, receives
 * a description for people that the caller frees with ncg_free. `dot`, when
 * not NULL, receives the graph in Graphviz's language, likewise. */
NCG_API ncg_status ncg_dataset_explain(ncg_dataset *ds,
                                       const ncg_save_options *options,
                                       ncg_plan_info *info, char **text,
                                       char **dot, ncg_error *err);
/* ncg_free releases text that a function of this library returned. */
NCG_API void ncg_free(void *text);

/* Inspection: cannot fail; an index out of range gives NULL, 0 or -1. */
NCG_API size_t ncg_dataset_ndims(const ncg_dataset *ds);
NCG_API const char *ncg_dataset_dim_name(const ncg_dataset *ds, size_t dim);
NCG_API int64_t ncg_dataset_dim_size(const ncg_dataset *ds, size_t dim);
NCG_API size_t ncg_dataset_nvars(const ncg_dataset *ds);
NCG_API const char *ncg_dataset_var_name(const ncg_dataset *ds, size_t var);
/* ncg_dataset_var_is_data tells a data variable from coordinates, bounds, grid
 * mappings and other variables that describe. */
NCG_API bool ncg_dataset_var_is_data(const ncg_dataset *ds, size_t var);
/* ncg_dataset_var_rank and ncg_dataset_var_dim tell a variable's dimensions:
 * how many, and the index in the data set of each. */
NCG_API int ncg_dataset_var_rank(const ncg_dataset *ds, size_t var);
NCG_API int ncg_dataset_var_dim(const ncg_dataset *ds, size_t var, int axis);
/* ncg_dataset_find returns the index of a variable, or -1. */
NCG_API int ncg_dataset_find(const ncg_dataset *ds, const char *name);
/* ncg_dataset_attr_text returns a text attribute of a variable (of the data
 * set where var is -1), or NULL; numbers are written as text. */
NCG_API const char *ncg_dataset_attr_text(const ncg_dataset *ds, int var,
                                          const char *name);
/* ncg_dataset_describe writes a listing of the data set for people: variables,
 * dimensions, storage chunks, filters, time span and gaps. The caller frees
 * *text with ncg_free. */
NCG_API ncg_status ncg_dataset_describe(ncg_dataset *ds, char **text,
                                        ncg_error *err);

/* ---- data sets: making and changing -------------------------------------- */

/* Data sets are immutable: each function gives a new one, which shares what did
 * not change. Variables are known by name; a name that is not there is EINVAL,
 * with a suggestion. */

/* ncg_dataset_create gives a data set without variables. */
NCG_API ncg_status ncg_dataset_create(ncg_context *ctx, ncg_dataset **out,
                                      ncg_error *err);
/* ncg_dataset_assign adds a variable, or replaces the one of that name, whose
 * attributes go. `dims` names the dimension of each axis; new ones are added. A
 * variable with the name of its only dimension is its coordinate, and what an
 * attribute names as bounds or coordinates becomes that; coordinates and bounds
 * are computed now, everything else stays lazy.
 * Errors: EINVAL: bad name, a dimension named twice; EMISMATCH: a dimension has
 * another size in the data set. */
NCG_API ncg_status ncg_dataset_assign(ncg_dataset *ds, const char *name,
                                      ncg_array *array,
                                      const char *const *dims,
                                      ncg_dataset **out, ncg_error *err);
/* ncg_dataset_drop takes variables out; attributes that name them follow. */
NCG_API ncg_status ncg_dataset_drop(ncg_dataset *ds, const char *const *names,
                                    size_t nnames, ncg_dataset **out,
                                    ncg_error *err);
/* ncg_dataset_rename gives variables and dimensions other names, all at once:
 * from[i] becomes to[i]; a variable and a dimension of one name both do.
 * Attributes that name them (coordinates, bounds, cell_methods, grid_mapping
 * and so on) follow. Errors: EINVAL: unknown, taken or no name. */
NCG_API ncg_status ncg_dataset_rename(ncg_dataset *ds, const char *const *from,
                                      const char *const *to, size_t n,
                                      ncg_dataset **out, ncg_error *err);
/* ncg_dataset_set_attr sets an attribute of a variable (NULL: of the data set).
 * dtype CHAR: a text of `count` bytes; STRING: const char * each; else numbers.
 * Errors: EINVAL: bad name, and _FillValue, missing_value, scale_factor,
 * add_offset, _Unsigned, which saving decides. */
NCG_API ncg_status ncg_dataset_set_attr(ncg_dataset *ds, const char *var,
                                        const char *name, ncg_dtype dtype,
                                        size_t count, const void *values,
                                        ncg_dataset **out, ncg_error *err);
/* ncg_dataset_set_text sets a text attribute. */
NCG_API ncg_status ncg_dataset_set_text(ncg_dataset *ds, const char *var,
                                        const char *name, const char *text,
                                        ncg_dataset **out, ncg_error *err);
/* ncg_dataset_remove_attr takes an attribute away, if it is there. */
NCG_API ncg_status ncg_dataset_remove_attr(ncg_dataset *ds, const char *var,
                                           const char *name, ncg_dataset **out,
                                           ncg_error *err);
/* ncg_dataset_set_unlimited says whether files can grow along a dimension. */
NCG_API ncg_status ncg_dataset_set_unlimited(ncg_dataset *ds, const char *dim,
                                             bool unlimited, ncg_dataset **out,
                                             ncg_error *err);

/* ncg_dataset_nattrs and ncg_dataset_attr_name list the attributes of a
 * variable (-1: of the data set). ncg_dataset_attr returns the values of one,
 * borrowed, with dtype and count (each may be NULL); NULL: there is none. */
NCG_API size_t ncg_dataset_nattrs(const ncg_dataset *ds, int var);
NCG_API const char *ncg_dataset_attr_name(const ncg_dataset *ds, int var,
                                          size_t attr);
NCG_API const void *ncg_dataset_attr(const ncg_dataset *ds, int var,
                                     const char *name, ncg_dtype *dtype,
                                     size_t *count);
/* ncg_dataset_values gives the values of a variable of numbers as doubles, NaN
 * where missing: of a coordinate at once, others are computed. The caller frees
 * *values with ncg_free. */
NCG_API ncg_status ncg_dataset_values(ncg_dataset *ds, const char *name,
                                      double **values, size_t *count,
                                      ncg_error *err);

typedef enum ncg_sel_method {
    NCG_SEL_EXACT,   /* up to the rounding of the coordinate's dtype */
    NCG_SEL_NEAREST,
    NCG_SEL_PAD,     /* the last one that is not above */
    NCG_SEL_BACKFILL /* the first one that is not below */
} ncg_sel_method;
/* ncg_dataset_sel_values takes the positions of n values of a coordinate along
 * its dimension, which stays, with n positions. Times are numbers in the units
 * of the coordinate. `tolerance` is how far off a value may be, negative: any
 * distance; exact selection has its own.
 * Errors: EINVAL names the nearest value that is there. */
NCG_API ncg_status ncg_dataset_sel_values(ncg_dataset *ds, const char *dim,
                                          const double *values, size_t nvalues,
                                          ncg_sel_method method,
                                          double tolerance, ncg_dataset **out,
                                          ncg_error *err);

/* ---- data sets: combining ------------------------------------------------ */

/* What is asked of variables of one name that are not combined. */
typedef enum ncg_compat {
    NCG_COMPAT_EQUAL,        /* equal values, or an error */
    NCG_COMPAT_NO_CONFLICTS, /* each may lack what the other has */
    NCG_COMPAT_OVERRIDE      /* the first is taken */
} ncg_compat;

/* Dimensions meet by name. Positions meet by the values of the index: the
 * coordinate variable of that name, numbers or strings; times as moments,
 * whatever date they count from. A dimension without an index must have one
 * size. Comparing values that are not in memory computes them. */
typedef struct ncg_combine_options {
    size_t struct_size;
    ncg_join join;
    ncg_compat compat;
} ncg_combine_options;
#define NCG_COMBINE_OPTIONS_INIT                                               \
    {sizeof(ncg_combine_options), NCG_JOIN_EXACT, NCG_COMPAT_EQUAL}

/* ncg_dataset_align gives n data sets, out[n], with one index a dimension: that
 * of the first, counted in its units. Integers with positions that are missing
 * become f4 (8 and 16 bits) or f8.
 * Errors: EMISMATCH names the dimension, the values and a remedy. */
NCG_API ncg_status ncg_dataset_align(ncg_dataset *const *datasets, size_t n,
                                     const ncg_combine_options *options,
                                     ncg_dataset **out, ncg_error *err);
/* ncg_dataset_merge puts the variables of n data sets into one, aligned; those
 * of one name must agree as options->compat says. Attributes are those of the
 * first that has them. Errors: EMISMATCH names what does not agree. */
NCG_API ncg_status ncg_dataset_merge(ncg_dataset *const *datasets, size_t n,
                                     const ncg_combine_options *options,
                                     ncg_dataset **out, ncg_error *err);
/* ncg_dataset_concat joins n data sets along a dimension, in the order given.
 * Variables that have it are joined, all others must agree; a dimension that
 * no variable has is new: data variables are stacked along it, and scalar
 * coordinates that differ. The other dimensions are aligned.
 * Errors: EMISMATCH names the variable and the data sets. */
NCG_API ncg_status ncg_dataset_concat(ncg_dataset *const *datasets, size_t n,
                                      const char *dim,
                                      const ncg_combine_options *options,
                                      ncg_dataset **out, ncg_error *err);
/* ncg_dataset_binary combines the data variables of equal names by an operation
 * of two inputs of ncg_array_map. Dimensions are matched by name and broadcast:
 * those of the first, then what only the second has. A dimension of one
 * position whose bounds hold all positions of the other, as a mean over time
 * leaves it, is broadcast, too. Data variables that only one has are left out,
 * coordinates are kept unless they disagree, those of the second where the
 * result has their dimensions.
 * Attributes that say where values lie stay; what both say of equal units stays
 * under add, subtract, minimum and the like; all others go, for the result is
 * another quantity.
 * Errors: EINVAL: unknown operation, nothing in common; those of aligning. */
NCG_API ncg_status ncg_dataset_binary(const char *op, ncg_dataset *a,
                                      ncg_dataset *b,
                                      const ncg_combine_options *options,
                                      ncg_dataset **out, ncg_error *err);
/* ncg_dataset_binary_scalar combines every data variable with a number, which
 * comes first where `reversed`. The dtype follows that of the variable, as with
 * numbers in NumPy 2. */
NCG_API ncg_status ncg_dataset_binary_scalar(const char *op, ncg_dataset *ds,
                                             double number, bool reversed,
                                             ncg_dataset **out,
                                             ncg_error *err);
/* ncg_dataset_map applies an operation of one input to every data variable. */
NCG_API ncg_status ncg_dataset_map(const char *op, ncg_dataset *ds,
                                   ncg_dataset **out, ncg_error *err);

/* ---- arrays ------------------------------------------------------------ */

/* ncg_dataset_array returns the array of a variable.
 * Errors: EINVAL: no such variable (with a suggestion). */
NCG_API ncg_status ncg_dataset_array(ncg_dataset *ds, const char *name,
                                     ncg_array **out, ncg_error *err);
NCG_API ncg_array *ncg_array_retain(ncg_array *array);
NCG_API void ncg_array_release(ncg_array **array);
NCG_API ncg_dtype ncg_array_dtype(const ncg_array *array);
NCG_API int ncg_array_rank(const ncg_array *array);
NCG_API const int64_t *ncg_array_shape(const ncg_array *array);
NCG_API int64_t ncg_array_size(const ncg_array *array);
/* ncg_array_missing tells whether the array marks missing values, and copies
 * the value (of the array's dtype, ncg_dtype_size bytes) to `value` unless it
 * is NULL. Floating-point arrays use NaN. */
NCG_API bool ncg_array_missing(const ncg_array *array, void *value);

/* ncg_array_chunks gives the chunks in which the array is worked on: the sizes
 * of those along `axis`, which the caller frees with ncg_free. */
NCG_API ncg_status ncg_array_chunks(const ncg_array *array, int axis,
                                    int64_t **sizes, size_t *nsizes,
                                    ncg_error *err);

/* ---- sources ------------------------------------------------------------ */

/* What the functions of this section share:
 *   dtype    numbers: i1 ... u8, f4, f8, bool; others are EINVAL
 *   shape    `rank` sizes, each 0 or more; rank 0 is one value
 *   chunks   NULL, or one number an axis: sizes of the chunks in which the
 *            array is worked on. NULL: chunks of about 4 MiB. Values do not
 *            depend on them
 * Errors: EINVAL for these, and for an array whose bytes 64 bits do not hold.
 */

/* ncg_array_from_memory makes an array of values in row-major order, in host
 * byte order. They are read where they lie: the caller leaves them unchanged
 * until `release(data, payload)` is called, once, on whatever thread lets the
 * last array go that reads them; when this function fails it has been called,
 * too. release == NULL: the values are copied now. `missing` (NULL: none)
 * points to the value of `dtype` that marks missing values of integers;
 * floating-point arrays use NaN.
 * Arrays of equal values, of up to 16 MiB, are found to be equal work. */
NCG_API ncg_status ncg_array_from_memory(
    ncg_context *ctx, ncg_dtype dtype, int rank, const int64_t *shape,
    const int64_t *chunks, const void *data, const void *missing,
    void (*release)(void *data, void *payload), void *payload, ncg_array **out,
    ncg_error *err);

/* ncg_array_full makes an array of one value; `value` points to it, of
 * `dtype`. */
NCG_API ncg_status ncg_array_full(ncg_context *ctx, ncg_dtype dtype, int rank,
                                  const int64_t *shape, const int64_t *chunks,
                                  const void *value, ncg_array **out,
                                  ncg_error *err);

/* ncg_array_arange gives start, start + step, ... as long as they lie before
 * stop, rounded as numpy.arange does. chunk 0: chosen. Integer dtypes:
 * EINVAL for a start or step that is no integer of up to 2^53. */
NCG_API ncg_status ncg_array_arange(ncg_context *ctx, ncg_dtype dtype,
                                    double start, double stop, double step,
                                    int64_t chunk, ncg_array **out,
                                    ncg_error *err);
/* ncg_array_linspace gives `count` values from start to stop, which is the last
 * one only with `endpoint`; computed in double and rounded as numpy.linspace does
 * it, integers down. */
NCG_API ncg_status ncg_array_linspace(ncg_context *ctx, ncg_dtype dtype,
                                      double start, double stop, int64_t count,
                                      bool endpoint, int64_t chunk,
                                      ncg_array **out, ncg_error *err);

typedef enum ncg_random {
    NCG_RANDOM_UNIFORM, /* from 0 up to below 1: 53 random bits, f4: 24 */
    NCG_RANDOM_NORMAL   /* mean 0, standard deviation 1 */
} ncg_random;
/* ncg_array_random gives random numbers of dtype f4 or f8. The value at a
 * position depends on the seed and the position (in row-major order) only,
 * never on chunks, threads or the order of computing. The generator is
 * Philox4x32-10 with the seed as its key: two arrays of one seed are equal. */
NCG_API ncg_status ncg_array_random(ncg_context *ctx, ncg_random kind,
                                    uint64_t seed, ncg_dtype dtype, int rank,
                                    const int64_t *shape,
                                    const int64_t *chunks, ncg_array **out,
                                    ncg_error *err);
/* ncg_array_random_integers gives integers from low up to below high; those
 * that `dtype` does not hold become its nearest. */
NCG_API ncg_status ncg_array_random_integers(
    ncg_context *ctx, int64_t low, int64_t high, uint64_t seed, ncg_dtype dtype,
    int rank, const int64_t *shape, const int64_t *chunks, ncg_array **out,
    ncg_error *err);

/* ncg_fill_fn fills `out` with the values at the positions start[d] ...
 * start[d] + count[d] - 1 of each axis, in row-major order. It is called on the
 * engine's threads, several at a time, for boxes inside one chunk, and again
 * for the same box where values are needed again; the same position must get
 * the same value each time. It may describe a failure in *err. */
typedef ncg_status (*ncg_fill_fn)(void *payload, const int64_t *start,
                                  const int64_t *count, void *out,
                                  ncg_error *err);
/* ncg_array_from_callback makes an array whose values a function gives. `name`,
 * like "org.example.field/1", says which values they are: arrays of one name,
 * dtype, shape and chunks are taken for equal. NULL: equal to itself only.
 * `release(payload)` (may be NULL) is called once, when the last array that
 * reads it is let go, or when this function fails. */
NCG_API ncg_status ncg_array_from_callback(
    ncg_context *ctx, const char *name, ncg_dtype dtype, int rank,
    const int64_t *shape, const int64_t *chunks, const void *missing,
    ncg_fill_fn fill, void (*release)(void *payload), void *payload,
    ncg_array **out, ncg_error *err);

/* ---- arrays: computing --------------------------------------------------- */

/* ncg_array_compute runs the graph and copies the result, in row-major order,
 * to `data` of `nbytes` bytes. Errors: EINVAL when nbytes does not fit. */
NCG_API ncg_status ncg_array_compute(ncg_array *array, void *data,
                                     size_t nbytes, ncg_error *err);

/* ---- arrays: element by element ------------------------------------------ */

/* ncg_array_map combines arrays element by element by the operation of NumPy's
 * name: add subtract multiply divide power minimum arctan2 equal less
 * logical_and where negative absolute sqrt exp sin isnan and so on
 * (ncg_map_op_name lists them). Shapes broadcast and dtypes are promoted as in
 * NumPy 2, except that there is no 16-bit float: f4 takes its place; that rint
 * keeps integers, square and sign keep truth values, and reciprocal does not
 * keep integers. Integers with a missing value take part as floating-point
 * numbers, missing as NaN.
 * Errors: EINVAL: unknown operation (with a suggestion), wrong number of
 * inputs, shapes that do not broadcast, inputs of two contexts. */
NCG_API ncg_status ncg_array_map(const char *op, ncg_array *const *inputs,
                                 size_t ninputs, ncg_array **out,
                                 ncg_error *err);
/* ncg_map_op_count and ncg_map_op_name list what ncg_array_map knows,
 * ncg_map_op_inputs tells how many arrays an operation takes; past the end
 * NULL and 0. */
NCG_API size_t ncg_map_op_count(void);
NCG_API const char *ncg_map_op_name(size_t op);
NCG_API int ncg_map_op_inputs(size_t op);
/* ncg_array_cast converts to a dtype as NumPy's astype does: floating-point
 * numbers are cut to integers, towards zero; those out of range go to its ends.
 * NaN becomes the missing value of the integers. Integers with a missing value
 * take part as floating-point numbers here, too. */
NCG_API ncg_status ncg_array_cast(ncg_array *array, ncg_dtype dtype,
                                  ncg_array **out, ncg_error *err);
/* ncg_array_clip limits to low..high; either may be NULL. */
NCG_API ncg_status ncg_array_clip(ncg_array *array, ncg_array *low,
                                  ncg_array *high, ncg_array **out,
                                  ncg_error *err);

/* ---- arrays: selecting ---------------------------------------------------- */

#define NCG_OMIT INT64_MIN /* what Python writes as an empty place: [:3] */

/* ncg_array_slice takes start:stop:step of one axis, as Python slices do: of
 * nothing where there is nothing between. Errors: EINVAL: step 0, axis out of
 * range. */
NCG_API ncg_status ncg_array_slice(ncg_array *array, int axis, int64_t start,
                                   int64_t stop, int64_t step, ncg_array **out,
                                   ncg_error *err);

typedef enum ncg_index_kind {
    NCG_INDEX_SLICE,  /* start:stop:step; each may be NCG_OMIT */
    NCG_INDEX_AT,     /* position `start`; the axis is dropped */
    NCG_INDEX_LIST,   /* list[count], in any order, repeats allowed */
    NCG_INDEX_MASK,   /* where mask[count]; count is the axis's size */
    NCG_INDEX_NEWAXIS /* a new axis of size 1 */
} ncg_index_kind;
/* What is taken along one axis. Negative positions count from the end. */
typedef struct ncg_index {
    ncg_index_kind kind;
    int64_t start, stop, step;
    const int64_t *list;
    const bool *mask;
    size_t count;
} ncg_index;
/* ncg_array_index selects along several axes, from the first one on; axes
 * without an index are whole. Lists and masks of several axes are independent
 * of each other (numpy.ix_, xarray's isel).
 * Selecting nothing gives an array without values.
 * Errors: EINVAL: a position outside, a mask of another length, more indices
 * than axes. */
NCG_API ncg_status ncg_array_index(ncg_array *array, const ncg_index *index,
                                   size_t nindex, ncg_array **out,
                                   ncg_error *err);

/* ---- arrays: shape --------------------------------------------------------- */

/* ncg_array_transpose: axis d of the result is axis order[d]; where order is
 * NULL the axes are reversed. */
NCG_API ncg_status ncg_array_transpose(ncg_array *array, const int *order,
                                       ncg_array **out, ncg_error *err);
/* ncg_array_reshape merges and splits axes in row-major order; one size may be
 * -1. Errors: EINVAL: another number of values; EUNSUPPORTED: a shape that is
 * not reached by merging and splitting neighbours. */
NCG_API ncg_status ncg_array_reshape(ncg_array *array, int rank,
                                     const int64_t *shape, ncg_array **out,
                                     ncg_error *err);
/* ncg_array_broadcast_to stretches to a shape by NumPy's rule. */
NCG_API ncg_status ncg_array_broadcast_to(ncg_array *array, int rank,
                                          const int64_t *shape,
                                          ncg_array **out, ncg_error *err);
/* ncg_array_concatenate joins along an axis, ncg_array_stack along a new one;
 * dtypes are promoted. */
NCG_API ncg_status ncg_array_concatenate(ncg_array *const *arrays, size_t n,
                                         int axis, ncg_array **out,
                                         ncg_error *err);
NCG_API ncg_status ncg_array_stack(ncg_array *const *arrays, size_t n, int axis,
                                   ncg_array **out, ncg_error *err);
/* ncg_array_pad adds before[d] and after[d] positions to axis d. mode:
 * "constant" (`value` is of the array's dtype; NULL: 0), "edge", "reflect",
 * "symmetric", "wrap". */
NCG_API ncg_status ncg_array_pad(ncg_array *array, const int64_t *before,
                                 const int64_t *after, const char *mode,
                                 const void *value, ncg_array **out,
                                 ncg_error *err);
/* ncg_array_roll shifts along an axis; what leaves at one end comes in at the
 * other. */
NCG_API ncg_status ncg_array_roll(ncg_array *array, int64_t shift, int axis,
                                  ncg_array **out, ncg_error *err);
/* ncg_array_flip reverses an axis. */
NCG_API ncg_status ncg_array_flip(ncg_array *array, int axis, ncg_array **out,
                                  ncg_error *err);
/* ncg_array_diff gives the n-th difference along an axis: of no positions where
 * it has n or fewer. */
NCG_API ncg_status ncg_array_diff(ncg_array *array, int n, int axis,
                                  ncg_array **out, ncg_error *err);

/* The chunks of one axis: sizes that add up to it. */
typedef struct ncg_chunks {
    size_t count;
    const int64_t *sizes;
} ncg_chunks;

/* ncg_array_rechunk gives the same values in other chunks: of chunk[d]
 * positions along axis d (the last one may be smaller); -1: the whole axis; 0:
 * as it is. */
NCG_API ncg_status ncg_array_rechunk(ncg_array *array, const int64_t *chunk,
                                     ncg_array **out, ncg_error *err);
/* ncg_array_rechunk_to is the same with every size named, for each axis.
 * Errors: EINVAL: sizes that do not add up to the axis. */
NCG_API ncg_status ncg_array_rechunk_to(ncg_array *array,
                                        const ncg_chunks *chunks,
                                        ncg_array **out, ncg_error *err);

/* ---- arrays: reducing ------------------------------------------------------ */

/* ncg_array_reduce reduces over `axes` (negative ones count from the end; all
 * of them where naxes is 0); of the options it uses op, skipna, min_count, ddof
 * and keepdims. With skipna, the default, missing values and NaN are left out,
 * as NumPy's nan* functions do; without, a result with one of them is missing.
 * argmin and argmax over several axes give the position in row-major order.
 * min, max, first and last keep the dtype; only where integers of at most four
 * bytes have no missing value and a result may be missing (too few values for
 * min_count, a group without positions) they become the next wider signed one:
 * none of the values is then taken for what is missing. Of no positions at all
 * sum and count are 0, prod 1, any false, all true, mean, std and var NaN,
 * whatever min_count is up to 1; EINVAL: min, max, range, first, last, argmin or
 * argmax of no positions. */
NCG_API ncg_status ncg_array_reduce(ncg_array *array, const int *axes,
                                    size_t naxes,
                                    const ncg_reduce_options *options,
                                    ncg_array **out, ncg_error *err);
/* ncg_array_weighted is a weighted mean, sum, std or var; the weights broadcast
 * to the array. */
NCG_API ncg_status ncg_array_weighted(ncg_array *array, ncg_array *weights,
                                      const int *axes, size_t naxes,
                                      const ncg_reduce_options *options,
                                      ncg_array **out, ncg_error *err);
/* ncg_array_groupby reduces each group of positions of an axis: labels[i] is
 * the group of position i, 0..ngroups-1, or -1 for none; the axis then has
 * ngroups positions. `weights` may be NULL. A group without positions is
 * missing where min_count is not 0 (its count is 0), also where the axis has
 * none at all; with 0 sum is 0, prod 1. The dtype as of ncg_array_reduce.
 * Errors: EINVAL: a label out of range. */
NCG_API ncg_status ncg_array_groupby(ncg_array *array, ncg_array *weights,
                                     int axis, const int32_t *labels,
                                     int32_t ngroups,
                                     const ncg_reduce_options *options,
                                     ncg_array **out, ncg_error *err);

typedef struct ncg_quantile_options {
    size_t struct_size;
    const char *method; /* NumPy's name; NULL: "linear" */
    bool skipna;        /* missing values are left out (default true) */
    bool keepdims;      /* keep every reduced dimension with size 1 */
} ncg_quantile_options;
#define NCG_QUANTILE_OPTIONS_INIT                                              \
    {sizeof(ncg_quantile_options), NULL, true, false}
/* ncg_array_quantile gives exact quantiles q[nq], each 0..1, over axes (all
 * where naxes is 0): a new first axis of nq positions. The result is f4 for f4,
 * else f8. */
NCG_API ncg_status ncg_array_quantile(ncg_array *array, const double *q,
                                      size_t nq, const int *axes, size_t naxes,
                                      const ncg_quantile_options *options,
                                      ncg_array **out, ncg_error *err);
/* ncg_array_median is the quantile 0.5, without an axis for it. */
NCG_API ncg_status ncg_array_median(ncg_array *array, const int *axes,
                                    size_t naxes,
                                    const ncg_quantile_options *options,
                                    ncg_array **out, ncg_error *err);
/* ncg_array_quantile_by gives quantiles of each group of positions of an axis;
 * labels as in ncg_array_groupby. */
NCG_API ncg_status ncg_array_quantile_by(ncg_array *array, int axis,
                                         const int32_t *labels,
                                         int32_t ngroups, const double *q,
                                         size_t nq,
                                         const ncg_quantile_options *options,
                                         ncg_array **out, ncg_error *err);

/* ---- arrays: along an axis -------------------------------------------------- */

typedef enum ncg_scan {
    NCG_SCAN_SUM,  /* integers: 64 bits, as in NumPy */
    NCG_SCAN_PROD,
    NCG_SCAN_MIN,
    NCG_SCAN_MAX,
    NCG_SCAN_FFILL, /* what is missing becomes the last value before it */
    NCG_SCAN_BFILL  /* ... the first one after it */
} ncg_scan;
/* ncg_array_scan accumulates along an axis. With skipna missing values count as
 * nothing (nancumsum), else all from one on are missing. `limit`: FFILL and
 * BFILL fill at most so many in a row; 0: any number. */
NCG_API ncg_status ncg_array_scan(ncg_array *array, ncg_scan scan, int axis,
                                  bool skipna, int64_t limit, ncg_array **out,
                                  ncg_error *err);
/* ncg_array_sort sorts ascending, NaN and missing last. */
NCG_API ncg_status ncg_array_sort(ncg_array *array, int axis, ncg_array **out,
                                  ncg_error *err);

typedef struct ncg_window_options {
    size_t struct_size;
    ncg_op op;           /* mean sum min max std var count */
    int64_t min_count;   /* fewer valid values give missing; 0: rolling the
                            window's length, coarsen 1 */
    int ddof;            /* std, var: divisor is N - ddof */
    bool center;         /* rolling: windows lie around their position */
    bool skipna;         /* coarsen: missing values are left out */
    const char *boundary; /* coarsen: "exact" (NULL), "trim", "pad": the last
                             blocks have fewer positions */
} ncg_window_options;
#define NCG_WINDOW_OPTIONS_INIT                                                \
    {sizeof(ncg_window_options), NCG_OP_MEAN, 0, 0, false, true, NULL}
/* ncg_array_rolling reduces the window of positions that ends at each one, as
 * xarray's rolling does: what lies beyond the ends is missing. */
NCG_API ncg_status ncg_array_rolling(ncg_array *array, int axis, int64_t window,
                                     const ncg_window_options *options,
                                     ncg_array **out, ncg_error *err);
/* ncg_array_coarsen reduces blocks of factor[d] positions along every axis, as
 * xarray's coarsen does.
 * Errors: EINVAL where a factor does not divide the size (boundary exact). */
NCG_API ncg_status ncg_array_coarsen(ncg_array *array, const int64_t *factor,
                                     const ncg_window_options *options,
                                     ncg_array **out, ncg_error *err);

/* ---- arrays: products --------------------------------------------------------- */

/* ncg_array_matmul is NumPy's matmul; leading axes broadcast. */
NCG_API ncg_status ncg_array_matmul(ncg_array *a, ncg_array *b,
                                    ncg_array **out, ncg_error *err);
/* ncg_array_tensordot sums products over n pairs of axes. */
NCG_API ncg_status ncg_array_tensordot(ncg_array *a, ncg_array *b,
                                       const int *axes_a, const int *axes_b,
                                       size_t n, ncg_array **out,
                                       ncg_error *err);

/* ---- kernels ------------------------------------------------------------ */

/* A box of an array in memory: `count[d]` positions from `start[d]` on of an
 * array of `shape`; values in row-major order, in host byte order. */
typedef struct ncg_chunk {
    ncg_dtype dtype;
    int rank;
    int64_t start[NCG_MAX_RANK];
    int64_t count[NCG_MAX_RANK];
    int64_t shape[NCG_MAX_RANK];
    void *data;          /* NULL where the box is empty; inputs: read only */
    bool has_missing;    /* integers: the value `missing` marks missing ones; */
    uint8_t missing[8];  /* floating-point numbers use NaN */
} ncg_chunk;

/* What a kernel is called with: it fills `output` from `inputs`. */
typedef struct ncg_kernel_call {
    size_t struct_size;
    const ncg_chunk *inputs;
    size_t ninputs;
    ncg_chunk *output;
    const void *params; /* as given when the array was made; NULL: none */
    size_t nparams;
    const int64_t *index; /* of the output chunk, one number an axis */
    int threads;          /* cores it may use */
    void *payload;        /* as registered */
} ncg_kernel_call;

/* A kernel makes one chunk. It must give the same values for the same inputs
 * whatever the number of threads, may run on several threads at once, keeps no
 * pointer, and returns a status; on failure it may describe it in *err. */
typedef ncg_status (*ncg_kernel_fn)(const ncg_kernel_call *call,
                                    ncg_error *err);

typedef struct ncg_kernel_options {
    size_t struct_size;
    /* Bytes of its own that a call needs beside inputs and output; `data` is
     * NULL in all chunks of this call. NULL: none. */
    int64_t (*scratch)(const ncg_kernel_call *call);
    void *payload;
} ncg_kernel_options;
#define NCG_KERNEL_OPTIONS_INIT {sizeof(ncg_kernel_options), NULL, NULL}

/* ncg_kernel_register makes `fn` known as `name`, which is written like
 * "org.example.wind/1": a domain that is yours, a name, a version. Arrays hold
 * the name, never the pointer; change the version when results change. Names
 * that begin with "ncg." are the library's.
 * ctx NULL: in every context that this process creates from then on; for
 * programs that call ncg_launch, whose workers are this program as well.
 * Errors: EINVAL (bad name), EEXISTS (the name has another function). */
NCG_API ncg_status ncg_kernel_register(ncg_context *ctx, const char *name,
                                       ncg_kernel_fn fn,
                                       const ncg_kernel_options *options,
                                       ncg_error *err);

/* ---- arrays that kernels make ---------------------------------------------- */

typedef struct ncg_block_options {
    size_t struct_size;
    const void *params; /* bytes for every call, copied; NULL: none */
    size_t nparams;
    ncg_dtype dtype;     /* of the result; NONE: the first input's */
    const void *missing; /* marks missing integers of the result; NULL: none */
    const char *name;    /* for people; NULL: the first input's */
} ncg_block_options;
#define NCG_BLOCK_OPTIONS_INIT                                                 \
    {sizeof(ncg_block_options), NULL, 0, NCG_DTYPE_NONE, NULL, NULL}

/* ncg_array_map_blocks applies a kernel to each chunk; the inputs broadcast,
 * and each call gets of all of them what lies at the positions of its chunk.
 * The chunks are those of the input that has most.
 * Errors: ENOTFOUND: no such kernel (with a suggestion of what to do); EINVAL:
 * shapes that do not broadcast. */
NCG_API ncg_status ncg_array_map_blocks(const char *kernel,
                                        ncg_array *const *inputs,
                                        size_t ninputs,
                                        const ncg_block_options *options,
                                        ncg_array **out, ncg_error *err);
/* ncg_array_map_overlap gives each call depth[d] positions more on both sides
 * of its chunk. boundary: "none" (less at the array's ends), "reflect" (the
 * end repeated, dask's), "periodic", "nearest". Except for "none", the input's
 * box has depth[d] positions before the output's everywhere, and `start` and
 * `shape` of the input are those of the padded array. */
NCG_API ncg_status ncg_array_map_overlap(const char *kernel, ncg_array *array,
                                         const int64_t *depth,
                                         const char *boundary,
                                         const ncg_block_options *options,
                                         ncg_array **out, ncg_error *err);

/* Which positions of an axis of an input a chunk of the result needs that has
 * positions a to b - 1 along the result's axis `axis`: those from a * mul / div
 * - before to b * mul / div + after - 1 (rounded outwards, cut at the ends).
 * axis -1: all positions. Where `low` and `high` are given they are instead the
 * first position, and the one behind the last, for each chunk along `axis`. */
typedef struct ncg_reach {
    int axis;
    int64_t mul, div; /* 0: 1 */
    int64_t before, after;
    const int64_t *low, *high;
} ncg_reach;
/* ncg_array_blockwise makes an array of `rank` axes in the chunks given, each
 * by one call of the kernel with boxes of the inputs. reach[i] has one entry
 * for each axis of input i; where it is NULL the input's axes lie at the end of
 * the result's, as in broadcasting.
 * Errors: as ncg_array_map_blocks; EINVAL: a reach outside its input, chunks of
 * no or negative size. */
NCG_API ncg_status ncg_array_blockwise(const char *kernel, int rank,
                                       const ncg_chunks *chunks,
                                       ncg_array *const *inputs,
                                       const ncg_reach *const *reach,
                                       size_t ninputs,
                                       const ncg_block_options *options,
                                       ncg_array **out, ncg_error *err);

typedef struct ncg_reduction_options {
    size_t struct_size;
    const char *chunk;   /* kernel: a chunk's values -> its state */
    const char *combine; /* kernel: the states of neighbours -> one state */
    const char *finish;  /* kernel: a state -> the result; NULL: the state, of
                            length 1, is it */
    ncg_dtype state;     /* of each number of a state */
    int64_t length;      /* numbers in a state */
    ncg_dtype dtype;     /* of the result; NONE: that of the state */
    const void *params;  /* bytes for every call, copied; NULL: none */
    size_t nparams;
    bool keepdims;
} ncg_reduction_options;
#define NCG_REDUCTION_OPTIONS_INIT                                             \
    {sizeof(ncg_reduction_options), NULL, NULL, NULL, NCG_DTYPE_F64, 1,        \
     NCG_DTYPE_NONE, NULL, 0, false}
/* ncg_array_reduction reduces over axes (all where naxes is 0) with kernels of
 * the program, as a tree. States have the input's axes and a last one of
 * `length` numbers; a reduced axis has one position in what `chunk` and
 * `combine` make, several in what `combine` gets. */
NCG_API ncg_status ncg_array_reduction(ncg_array *array, const int *axes,
                                       size_t naxes,
                                       const ncg_reduction_options *options,
                                       ncg_array **out, ncg_error *err);

/* ncg_chunk_fn receives one chunk of an array, valid during the call; from an
 * engine thread, one call at a time, in no particular order. */
typedef ncg_status (*ncg_chunk_fn)(const ncg_chunk *chunk, void *payload,
                                   ncg_error *err);
/* ncg_array_each_chunk computes an array chunk by chunk (ncg_array_chunks);
 * never more than a few of them are in memory. A status from the callback ends
 * it and is returned. */
NCG_API ncg_status ncg_array_each_chunk(ncg_array *array, ncg_chunk_fn chunk,
                                        void *payload, ncg_error *err);

/* ---- graphs and keys ---------------------------------------------------- */

/*
 * What a lazy computation is made of, for those who look into it, run it by a
 * scheduler of their own, or make collections of their own.
 *
 * A graph holds layers: arrays, each made of chunks, and sets of explicit
 * tasks. A layer is named by its token, 32 hexadecimal digits that are a hash
 * of what it computes, so equal work has equal names and is done once. A key
 * names one chunk (of arrays: by its index in the chunks of the layer) or one
 * explicit task (by its number).
 */
typedef struct ncg_graph ncg_graph;     /* immutable, counted handle */
typedef struct ncg_keys ncg_keys;       /* immutable, counted handle */
typedef struct ncg_results ncg_results; /* immutable, counted handle */
typedef struct ncg_tasks ncg_tasks;     /* explicit tasks being listed */

typedef struct ncg_key {
    char layer[33]; /* token of the layer */
    int rank;
    int64_t index[NCG_MAX_RANK];
} ncg_key;

#define NCG_KEY_TEXT_SIZE 400 /* enough for the text of any key */
/* ncg_key_text writes the key as dask prints it, "('3f...', 0, 4)", to `out`
 * of `size` bytes, and returns `out`. */
NCG_API char *ncg_key_text(const ncg_key *key, char *out, size_t size);
/* ncg_key_parse reads that form. Errors: EINVAL. */
NCG_API ncg_status ncg_key_parse(const char *text, ncg_key *out,
                                 ncg_error *err);

/* ncg_keys_all names every chunk of an array: O(1), whatever their number. */
NCG_API ncg_status ncg_keys_all(ncg_array *array, ncg_keys **out,
                                ncg_error *err);
/* ncg_keys_list names single chunks or tasks. */
NCG_API ncg_status ncg_keys_list(const ncg_key *keys, size_t n, ncg_keys **out,
                                 ncg_error *err);
/* ncg_keys_tasks names every task of a list: O(1). After
 * ncg_graph_of_tasks where all functions have names. */
NCG_API ncg_status ncg_keys_tasks(const ncg_tasks *tasks, ncg_keys **out,
                                  ncg_error *err);
/* ncg_keys_join names what any of several names. */
NCG_API ncg_status ncg_keys_join(ncg_keys *const *keys, size_t n,
                                 ncg_keys **out, ncg_error *err);
NCG_API int64_t ncg_keys_count(const ncg_keys *keys);
/* ncg_keys_at stores key `i`. Errors: EINVAL: there is none. */
NCG_API ncg_status ncg_keys_at(const ncg_keys *keys, int64_t i, ncg_key *out,
                               ncg_error *err);
NCG_API ncg_keys *ncg_keys_retain(ncg_keys *keys);
NCG_API void ncg_keys_release(ncg_keys **keys);

/* ncg_graph_of makes the graph of arrays. */
NCG_API ncg_status ncg_graph_of(ncg_array *const *arrays, size_t n,
                                ncg_graph **out, ncg_error *err);
/* ncg_graph_merge makes the graph that holds all of several; layers of equal
 * token become one. n may be 0. */
NCG_API ncg_status ncg_graph_merge(ncg_graph *const *graphs, size_t n,
                                   ncg_graph **out, ncg_error *err);
/* ncg_graph_optimize keeps what `keys` need (NULL: everything), pushes
 * selections to the sources and fuses reads, arithmetic and partial reductions
 * into one task. The keys stay what they are; walking shows what will run.
 * The default `optimize` member of arrays and data sets. */
NCG_API ncg_status ncg_graph_optimize(ncg_graph *graph, const ncg_keys *keys,
                                      ncg_graph **out, ncg_error *err);
NCG_API ncg_graph *ncg_graph_retain(ncg_graph *graph);
NCG_API void ncg_graph_release(ncg_graph **graph);

/* One layer, for looking at; pointers are the graph's. */
typedef struct ncg_layer_info {
    size_t struct_size;
    const char *name;   /* for people */
    const char *kind;   /* source const select map reduce block tasks; of an
                           optimised graph: fused combine block tasks store */
    const char *kernel; /* what one task does: an operation or a kernel */
    char token[33];
    ncg_dtype dtype; /* NCG_DTYPE_NONE: explicit tasks, partial results */
    int rank;        /* of the chunks' index, and so of the keys */
    int64_t shape[NCG_MAX_RANK];
    int64_t nchunks[NCG_MAX_RANK];
    const int64_t *edges[NCG_MAX_RANK]; /* chunk i is edges[i]..edges[i+1] */
    int64_t ntasks;
    size_t ninputs;
    const size_t *inputs; /* layers of the graph, by number */
} ncg_layer_info;
#define NCG_LAYER_INFO_INIT                                                    \
    {sizeof(ncg_layer_info), NULL, NULL, NULL, {0}, NCG_DTYPE_NONE, 0, {0},    \
     {0}, {NULL}, 0, 0, NULL}

/* ncg_graph_nlayers counts the layers; inputs come before their users. */
NCG_API ncg_status ncg_graph_nlayers(ncg_graph *graph, size_t *out,
                                     ncg_error *err);
NCG_API ncg_status ncg_graph_layer(ncg_graph *graph, size_t layer,
                                   ncg_layer_info *out, ncg_error *err);
/* ncg_graph_key stores key `i` of a layer, 0 <= i < ntasks. */
NCG_API ncg_status ncg_graph_key(ncg_graph *graph, size_t layer, int64_t i,
                                 ncg_key *out, ncg_error *err);
/* ncg_graph_deps calls visit(key, payload) for each key that `key` needs. A
 * visit that does not return NCG_OK ends the walk with its status.
 * Errors: EINVAL: no such key. */
typedef ncg_status (*ncg_key_fn)(const ncg_key *key, void *payload);
NCG_API ncg_status ncg_graph_deps(ncg_graph *graph, const ncg_key *key,
                                  ncg_key_fn visit, void *payload,
                                  ncg_error *err);
/* ncg_graph_json writes the layers as JSON; with `tasks` also every key with
 * the keys that it needs. The caller frees *text with ncg_free. */
NCG_API ncg_status ncg_graph_json(ncg_graph *graph, bool tasks, char **text,
                                  ncg_error *err);
/* ncg_graph_dot writes the layers in Graphviz's language, likewise. */
NCG_API ncg_status ncg_graph_dot(ncg_graph *graph, char **text,
                                 ncg_error *err);
/* ncg_dot_write writes such a text to a file by the ending of its name: .dot
 * or .gv as it is, .svg, .png or .pdf drawn by Graphviz.
 * Errors: EINVAL (ending), EOUTPUT, ENOTFOUND: Graphviz is not installed. */
NCG_API ncg_status ncg_dot_write(const char *dot, const char *path,
                                 ncg_error *err);
/* ncg_graph_draw writes a file by the ending of its name: .json, .dot or .gv
 * as text; .svg, .png or .pdf through Graphviz.
 * Errors: EINVAL (ending), EOUTPUT, ENOTFOUND: Graphviz is not installed. */
NCG_API ncg_status ncg_graph_draw(ncg_graph *graph, const char *path,
                                  ncg_error *err);

/* ---- explicit tasks ------------------------------------------------------ */

/* What an explicit task leaves: memory that release(data, payload) frees, once
 * nobody needs it; release may be NULL. */
typedef struct ncg_value {
    void *data;
    size_t nbytes;
    void (*release)(void *data, void *payload);
    void *payload;
} ncg_value;

/* What a task's function is called with. */
typedef struct ncg_task_call {
    size_t struct_size;
    const ncg_value *inputs; /* in the order in which they were named */
    size_t ninputs;
    const ncg_chunk *const *chunks; /* of inputs that are chunks of arrays;
                                       NULL for the others */
    void *payload;      /* as given with the task; as registered with a
                           function that has a name */
    ncg_value *output;  /* to be filled; zero before */
    const void *params; /* as given with the task; NULL: none */
    size_t nparams;
} ncg_task_call;

/* A task's function may run on several threads at once, for other tasks. It
 * does not change or keep its inputs. On failure it may describe it in *err. */
typedef ncg_status (*ncg_task_fn)(const ncg_task_call *call, ncg_error *err);

NCG_API ncg_status ncg_tasks_create(ncg_tasks **out, ncg_error *err);
NCG_API void ncg_tasks_free(ncg_tasks **tasks);
/* ncg_tasks_add lists a task: `key` is its name, NULL: none, it is known by
 * its number, which *number receives (may be NULL). `deps` name its inputs:
 * names of tasks listed here, before or after, or texts of keys of arrays.
 * Nothing is copied but names; payloads stay the caller's.
 * Errors: EINVAL: a task of that name is there already. */
NCG_API ncg_status ncg_tasks_add(ncg_tasks *tasks, const char *key,
                                 ncg_task_fn fn, void *payload,
                                 const char *const *deps, size_t ndeps,
                                 int64_t *number, ncg_error *err);
/* ncg_tasks_add_many lists n tasks without names at once, numbered from
 * *number on. payloads[i] (NULL: none) is that of task i; its inputs are the
 * numbers deps[first[i]] to deps[first[i + 1] - 1] (first NULL: no inputs). */
NCG_API ncg_status ncg_tasks_add_many(ncg_tasks *tasks, int64_t n,
                                      ncg_task_fn fn, void *const *payloads,
                                      const int64_t *first,
                                      const int64_t *deps, int64_t *number,
                                      ncg_error *err);
/* ncg_task_register makes `fn` known as `name`, which is written as those of
 * kernels are; ctx NULL: in every context to come, as with kernels.
 * Errors: EINVAL (bad name), EEXISTS (the name has another function). */
NCG_API ncg_status ncg_task_register(ncg_context *ctx, const char *name,
                                     ncg_task_fn fn, void *payload,
                                     ncg_error *err);
/* ncg_tasks_add_named is ncg_tasks_add with a function by its name and bytes
 * for it, copied. Lists of which every task has such a function are computed by
 * the workers of a cluster, where each of these has registered it; their values
 * come back as bytes. Lists of equal functions, parameters, names and inputs
 * are taken for equal work.
 * Errors: those of ncg_tasks_add; a name that is registered nowhere fails when
 * the task runs (ENOTFOUND). */
NCG_API ncg_status ncg_tasks_add_named(ncg_tasks *tasks, const char *key,
                                       const char *function,
                                       const void *params, size_t nparams,
                                       const char *const *deps, size_t ndeps,
                                       int64_t *number, ncg_error *err);
/* ncg_tasks_sizes states how many bytes the value of each task listed from now
 * on takes at most, for the memory limit; 0, as at the beginning: not known,
 * not counted. A value that is larger is an error of its task. Values of stated
 * sizes are their bytes and no more: they may go to the disk and come back, also
 * those that are persisted. */
NCG_API void ncg_tasks_sizes(ncg_tasks *tasks, int64_t nbytes);
/* ncg_graph_of_tasks makes the graph of the tasks, which are then complete.
 * Keys of arrays among the inputs are looked up in `arrays` (may be NULL),
 * whose layers the new graph holds as well.
 * Errors: EINVAL: an input that is not known, tasks that wait for one another
 * in a circle; both name the tasks. */
NCG_API ncg_status ncg_graph_of_tasks(ncg_tasks *tasks, ncg_graph *arrays,
                                      ncg_graph **out, ncg_error *err);
/* ncg_tasks_key stores the key of a task by its name or, where that is NULL,
 * its number; after ncg_graph_of_tasks. */
NCG_API ncg_status ncg_tasks_key(const ncg_tasks *tasks, const char *name,
                                 int64_t number, ncg_key *out, ncg_error *err);

/* ---- results ------------------------------------------------------------- */

/* ncg_results_chunk stores the chunk of a key of an array; `data` is borrowed
 * from the results. Errors: EINVAL: not among them. */
NCG_API ncg_status ncg_results_chunk(const ncg_results *results,
                                     const ncg_key *key, ncg_chunk *out,
                                     ncg_error *err);
/* ncg_results_value stores the value of a key of any kind, borrowed: its
 * `release` is NULL. */
NCG_API ncg_status ncg_results_value(const ncg_results *results,
                                     const ncg_key *key, ncg_value *out,
                                     ncg_error *err);
/* ncg_results_array gives an array in memory of a layer of which every chunk
 * is among the results. Nothing is copied. */
NCG_API ncg_status ncg_results_array(const ncg_results *results,
                                     const char *layer, ncg_array **out,
                                     ncg_error *err);
NCG_API ncg_results *ncg_results_retain(ncg_results *results);
NCG_API void ncg_results_release(ncg_results **results);

/* ncg_array_data returns the values of an array that is in memory, row-major,
 * borrowed; NULL: it is lazy. */
NCG_API const void *ncg_array_data(const ncg_array *array);
/* ncg_array_token returns the token of the array: the layer of its keys. */
NCG_API void ncg_array_token(const ncg_array *array, char out[33]);

/* ---- the collection protocol --------------------------------------------- */

/*
 * A collection is anything that can tell its graph and what to do with the
 * results: the protocol of dask (__dask_graph__ and so on) in C. Arrays and
 * data sets are collections; a program's own types become ones by a table of
 * functions. The functions below reach a collection through its table only.
 */

/* A scheduler is a function that computes keys of a graph. */
typedef ncg_status (*ncg_get_fn)(ncg_context *ctx, ncg_graph *graph,
                                 const ncg_keys *keys, ncg_results **out,
                                 ncg_error *err);
/* ncg_get_threads runs on the context's threads within its memory limit. */
NCG_API ncg_status ncg_get_threads(ncg_context *ctx, ncg_graph *graph,
                                   const ncg_keys *keys, ncg_results **out,
                                   ncg_error *err);
/* ncg_get_serial runs task after task in the calling thread, in the same order
 * each time: for debugging. Results have the same bits. */
NCG_API ncg_status ncg_get_serial(ncg_context *ctx, ncg_graph *graph,
                                  const ncg_keys *keys, ncg_results **out,
                                  ncg_error *err);

typedef struct ncg_collection_type ncg_collection_type;
typedef struct ncg_collection {
    const ncg_collection_type *type;
    void *self;
} ncg_collection;

typedef ncg_status (*ncg_optimize_fn)(ncg_graph *graph, const ncg_keys *keys,
                                      ncg_graph **out, ncg_error *err);

struct ncg_collection_type {
    size_t struct_size;
    const char *name; /* of the type, for messages */
    /* The seven members of the protocol. What comes through `out` is the
     * caller's. */
    ncg_status (*graph)(void *self, ncg_graph **out, ncg_error *err);
    ncg_status (*keys)(void *self, ncg_keys **out, ncg_error *err);
    ncg_optimize_fn optimize; /* NULL: graphs run as they are. Collections of
                                 one function are optimised together */
    ncg_get_fn scheduler;     /* NULL: ncg_get_threads */
    /* The computed object, of whatever type; release_result ends it. */
    ncg_status (*postcompute)(void *self, const ncg_results *results,
                              void **out, ncg_error *err);
    /* The same collection on persisted layers: `persisted` holds, under the
     * token of each of our layers, an array whose chunks are kept
     * (ncg_graph_array). NULL: it cannot be persisted. */
    ncg_status (*postpersist)(void *self, ncg_graph *persisted,
                              ncg_collection *out, ncg_error *err);
    /* A token that is equal for equal collections. */
    ncg_status (*tokenize)(void *self, char token[33], ncg_error *err);
    /* Lifetime: retain counts one more user; release ends one use. */
    void (*retain)(void *self);
    void (*release)(void *self);
    void (*release_result)(void *result);
};

/* ncg_array_collection and ncg_dataset_collection: computing one gives an
 * ncg_array (ncg_dataset) in memory. The handle is borrowed; it is `self` of
 * the collection, also of one that ncg_persist gave. */
NCG_API ncg_collection ncg_array_collection(ncg_array *array);
NCG_API ncg_collection ncg_dataset_collection(ncg_dataset *ds);
/* ncg_collection_release releases what postpersist gave. */
NCG_API void ncg_collection_release(ncg_collection *collection);
/* ncg_graph_array gives the array that a graph holds under a token. */
NCG_API ncg_status ncg_graph_array(ncg_graph *graph, const char *layer,
                                   ncg_array **out, ncg_error *err);
/* ncg_token_of hashes n tokens (of inner collections) and bytes to one. */
NCG_API void ncg_token_of(const char *const *tokens, size_t n,
                          const void *bytes, size_t nbytes, char out[33]);

typedef struct ncg_compute_options {
    size_t struct_size;
    ncg_get_fn scheduler; /* for all; NULL: each collection's own */
    bool no_optimize;
} ncg_compute_options;
#define NCG_COMPUTE_OPTIONS_INIT {sizeof(ncg_compute_options), NULL, false}

/* ncg_compute computes several collections in one run: their graphs are
 * merged, common work is done once. results[i] belongs to the caller, is what
 * postcompute of collection i made, and ends by its release_result.
 * Errors: those of building and running; no result is left then. The message of
 * a task that failed ends with its key and the layers that led to it. */
NCG_API ncg_status ncg_compute(ncg_context *ctx,
                               const ncg_collection *collections, size_t n,
                               const ncg_compute_options *options,
                               void **results, ncg_error *err);
/* ncg_persist computes several collections in one run, keeps their chunks in
 * the engine and gives the collections on them; ncg_collection_release.
 * Values of explicit tasks stay as well: `persisted`, as postpersist gets it,
 * has the tasks under the token that they had, and gives the values of those
 * that the collection's keys name without running anything.
 * Errors: EUNSUPPORTED: a collection without postpersist. */
NCG_API ncg_status ncg_persist(ncg_context *ctx,
                               const ncg_collection *collections, size_t n,
                               ncg_collection *out, ncg_error *err);
/* ncg_optimize gives the merged, optimised graph: what ncg_compute runs. */
NCG_API ncg_status ncg_optimize(const ncg_collection *collections, size_t n,
                                ncg_graph **out, ncg_error *err);
/* ncg_visualize draws the merged graph, optimised or as it was built. */
NCG_API ncg_status ncg_visualize(const ncg_collection *collections, size_t n,
                                 const char *path, bool optimized,
                                 ncg_error *err);
/* ncg_tokenize gives one token for several collections. */
NCG_API ncg_status ncg_tokenize(const ncg_collection *collections, size_t n,
                                char token[33], ncg_error *err);

/* ---- asynchronous runs ---------------------------------------------------- */

typedef struct ncg_run ncg_run; /* counted handle of a submitted run */

typedef enum ncg_run_state {
    NCG_RUN_QUEUED,
    NCG_RUN_RUNNING,
    NCG_RUN_DONE,    /* results can be taken */
    NCG_RUN_FAILED,
    NCG_RUN_CANCELED
} ncg_run_state;

/* ncg_key_done_fn is called once for each key of the results as soon as it is
 * there, from an engine thread, one at a time. */
typedef void (*ncg_key_done_fn)(const ncg_key *key, void *payload);

typedef struct ncg_submit_options {
    size_t struct_size;
    ncg_get_fn scheduler; /* as ncg_compute_options */
    bool no_optimize;
    ncg_progress_fn progress; /* NULL: the context's */
    void *progress_payload;
    ncg_key_done_fn key_done;
    void *key_done_payload;
    int retries; /* a task that fails runs so many times more */
} ncg_submit_options;
#define NCG_SUBMIT_OPTIONS_INIT                                                \
    {sizeof(ncg_submit_options), NULL, false, NULL, NULL, NULL, NULL, 0}

/* ncg_submit is ncg_compute that does not wait: it checks its arguments, puts
 * the run into the context's queue and returns. Runs of a context run one at a
 * time, in the order in which they were submitted; so do computations of the
 * program's own threads in between. Collections are retained until the run is
 * released. ncg_context_destroy cancels what has not ended. */
NCG_API ncg_status ncg_submit(ncg_context *ctx,
                              const ncg_collection *collections, size_t n,
                              const ncg_submit_options *options, ncg_run **out,
                              ncg_error *err);
/* ncg_run_poll tells how far the run is; never waits. */
NCG_API ncg_run_state ncg_run_poll(const ncg_run *run);
/* ncg_run_wait waits until the run has ended, at most so many seconds
 * (negative: as long as it takes), and tells how far it is. A function that a
 * computation of the context calls is told at once. */
NCG_API ncg_run_state ncg_run_wait(ncg_run *run, double seconds);
/* ncg_run_cancel ends the run: a queued one at once, a running one when its
 * tasks under way have looked; never waits. */
NCG_API void ncg_run_cancel(ncg_run *run);
/* ncg_run_results moves the results of a run that has ended well to `results`,
 * as ncg_compute does; once.
 * Errors: that of the run; EINVAL: not ended, or taken before. */
NCG_API ncg_status ncg_run_results(ncg_run *run, void **results,
                                   ncg_error *err);
/* ncg_run_error_key and _path describe the failed task of a run: its key, and
 * the layers that led to it, from the one asked for to the failed one, joined
 * by " <- ". NULL: no task failed. Borrowed from the run. */
NCG_API const char *ncg_run_error_key(const ncg_run *run);
NCG_API const char *ncg_run_error_path(const ncg_run *run);
/* ncg_run_recompute_failed runs the failed task again, alone with the tasks
 * that it needs, in the calling thread: set a breakpoint and call it. Returns
 * what the task returns this time.
 * Errors: EINVAL: no task failed. */
NCG_API ncg_status ncg_run_recompute_failed(ncg_run *run, ncg_error *err);
NCG_API ncg_run *ncg_run_retain(ncg_run *run);
/* ncg_run_release releases the handle; the run goes on unless canceled. */
NCG_API void ncg_run_release(ncg_run **run);

/* ---- what ran ------------------------------------------------------------ */

/* One task that a thread of this process ran. Texts live as long as it. */
typedef struct ncg_task_note {
    char token[33];     /* of its layer */
    const char *name;   /* of its layer, for people */
    const char *kind, *kernel; /* as ncg_layer_info has them */
    int64_t number;     /* of the task in its layer */
    double start, stop; /* seconds since 1970 */
    uint64_t thread;
    size_t nbytes; /* of what it left */
    ncg_status status;
} ncg_task_note;

/* ncg_task_log_start makes the process remember the last `most` tasks that it
 * runs from now on, in whichever context, as a worker of a cluster, too, and
 * forget those before; 0: none, as at the start. */
NCG_API ncg_status ncg_task_log_start(size_t most, ncg_error *err);
/* ncg_task_log stores up to `room` of the tasks that ended at `since` or
 * later, in the order in which they ended, and returns how many there are. */
NCG_API size_t ncg_task_log(double since, ncg_task_note *out, size_t room);

/* ---- calls on a cluster -----------------------------------------------------
 *
 * A program may have functions called by the workers of a cluster: bytes in,
 * bytes out. A call is submitted at once and gives a future; its value stays on
 * the worker that made it, and calls that need it go there. Values go when
 * nobody holds or needs them; those that a worker takes with it when it dies
 * are made again. The context must be linked to a cluster (EUNSUPPORTED).
 */

typedef struct ncg_bytes {
    const void *data;
    size_t size;
} ncg_bytes;

/* What a function is called with; valid until it returns. */
typedef struct ncg_function_call {
    ncg_bytes argument;
    const ncg_bytes *inputs; /* values of the futures that it was given */
    size_t ninputs;
    const char *process; /* name of the worker; "scheduler" */
    const char *status;  /* on the scheduler: ncg_cluster_status as it was when
                            the call came; NULL on workers */
} ncg_function_call;

/* A function that processes of a cluster call by name, from threads of the
 * library, several at a time. It gives its value by ncg_function_give. A status
 * that is not OK is the error of the call, err->message its text. */
typedef ncg_status (*ncg_function_fn)(const ncg_function_call *call,
                                      void *payload, ncg_error *err);

/* ncg_function_register makes `fn` known in this process as `name`, written as
 * those of kernels; before ncg_launch, ncg_cluster_serve or ncg_worker_serve in
 * the programs that are to call it.
 * Errors: EINVAL (bad name), EEXISTS (the name has another function). */
NCG_API ncg_status ncg_function_register(const char *name, ncg_function_fn fn,
                                         void *payload, ncg_error *err);
/* ncg_function_give sets the value of a call (copied); without it the value is
 * empty. ncg_function_canceled tells whether nobody waits for it any more. */
NCG_API ncg_status ncg_function_give(const ncg_function_call *call,
                                     const void *data, size_t size,
                                     ncg_error *err);
NCG_API bool ncg_function_canceled(const ncg_function_call *call);

typedef struct ncg_future ncg_future; /* counted handle of a call */

typedef struct ncg_future_options {
    size_t struct_size;
    const char *worker; /* name of the only one that may do it; NULL: any */
    int retries;        /* a call that fails is tried so many times more */
    const char *resources; /* what each call takes of its worker's resources
                              while it runs, such as "GPU=1"; it waits for a
                              worker that has as much. NULL: nothing */
} ncg_future_options;
#define NCG_FUTURE_OPTIONS_INIT {sizeof(ncg_future_options), NULL, 0, NULL}

/* ncg_future_submit asks for one call; the values of `inputs` (of the same
 * context) are there when it begins. Never waits. A process that has no such
 * function makes the future fail with ENOTFOUND.
 * Errors: EUNSUPPORTED (no cluster), ENET (it is gone). */
NCG_API ncg_status ncg_future_submit(ncg_context *ctx, const char *function,
                                     ncg_bytes argument,
                                     ncg_future *const *inputs, size_t ninputs,
                                     const ncg_future_options *options,
                                     ncg_future **out, ncg_error *err);
/* ncg_future_map asks for n calls without inputs, one an argument, in one
 * message. `out` has room for n. */
NCG_API ncg_status ncg_future_map(ncg_context *ctx, const char *function,
                                  const ncg_bytes *arguments, size_t n,
                                  const ncg_future_options *options,
                                  ncg_future **out, ncg_error *err);
/* ncg_future_scatter puts a value onto a worker, for calls to use. */
NCG_API ncg_status ncg_future_scatter(ncg_context *ctx, ncg_bytes value,
                                      ncg_future **out, ncg_error *err);
/* ncg_future_poll tells how far the call is; never waits. */
NCG_API ncg_run_state ncg_future_poll(const ncg_future *future);
/* ncg_future_wait waits until the call has ended, at most so many seconds
 * (negative: as long as it takes), and tells how far it is. */
NCG_API ncg_run_state ncg_future_wait(ncg_future *future, double seconds);
/* ncg_future_wait_any waits until one of n futures, all of one context, has
 * ended and tells which; false: none within that time. */
NCG_API bool ncg_future_wait_any(ncg_future *const *futures, size_t n,
                                 double seconds, size_t *which);
/* ncg_future_result waits for the value and brings it here: *data (ncg_free).
 * Errors: that of the call, with its text; ECANCELED; ENET (the cluster is
 * gone). */
NCG_API ncg_status ncg_future_result(ncg_future *future, void **data,
                                     size_t *size, ncg_error *err);
/* ncg_future_cancel ends the call, and those that wait for its value. */
NCG_API void ncg_future_cancel(ncg_future *future);
NCG_API ncg_future *ncg_future_retain(ncg_future *future);
/* ncg_future_release lets go; with the last handle of a future that no call
 * needs its value goes, and a call that has not ended is canceled. */
NCG_API void ncg_future_release(ncg_future **future);

/* ncg_run_on_scheduler calls a function in the scheduler's process, on a side
 * thread, and waits: *data (ncg_free).
 * Errors: EUNSUPPORTED, ENOTFOUND, ENET, that of the function. */
NCG_API ncg_status ncg_run_on_scheduler(ncg_context *ctx, const char *function,
                                        ncg_bytes argument, void **data,
                                        size_t *size, ncg_error *err);

typedef struct ncg_worker_answer {
    char *worker; /* its name */
    ncg_status status;
    char *message; /* NULL: none */
    void *data;
    size_t size;
} ncg_worker_answer;

/* ncg_run_on_workers calls a function at once on each of the named workers
 * (nworkers 0: on all), whatever else they do, and waits for all answers. A
 * worker that leaves meanwhile answers ENET.
 * Errors: EUNSUPPORTED, ENOTFOUND (a worker), ENET. */
NCG_API ncg_status ncg_run_on_workers(ncg_context *ctx, const char *function,
                                      ncg_bytes argument,
                                      const char *const *workers,
                                      size_t nworkers, ncg_worker_answer **out,
                                      size_t *n, ncg_error *err);
NCG_API void ncg_worker_answers_free(ncg_worker_answer **answers, size_t n);

/* ---- data that stays on a cluster -------------------------------------------
 *
 * In a context that is linked to a cluster ncg_persist leaves the chunks on the
 * workers that made them; what is computed from the arrays runs there, and any
 * client may publish them. Chunks go with the last handle of the last client
 * that reads them, unless they are published. What is lost with a worker is made
 * again from the files.
 */

/* ncg_publish puts arrays under a name, with a note of the program's own, and
 * keeps them there when this client has ended. Arrays that are not persisted are
 * published as expressions. `replace`: in the place of what has that name.
 * Errors: EUNSUPPORTED (no cluster; what exists in this process only), EEXISTS,
 * EINVAL (a name has 1 to 127 bytes), ENET. */
NCG_API ncg_status ncg_publish(ncg_context *ctx, const char *name,
                               ncg_array *const *arrays, size_t n,
                               ncg_bytes note, bool replace, ncg_error *err);

typedef struct ncg_published {
    ncg_array **arrays;
    size_t narrays;
    void *note;
    size_t note_size;
} ncg_published;

/* ncg_published_get gives what was published; ncg_published_free. It is there
 * as long as the handles are, also when it is unpublished.
 * Errors: EUNSUPPORTED, ENOTFOUND, ENET; those of opening files. */
NCG_API ncg_status ncg_published_get(ncg_context *ctx, const char *name,
                                     ncg_published *out, ncg_error *err);
NCG_API void ncg_published_free(ncg_published *published);
/* ncg_unpublish takes a name away. Errors: EUNSUPPORTED, ENOTFOUND, ENET. */
NCG_API ncg_status ncg_unpublish(ncg_context *ctx, const char *name,
                                 ncg_error *err);
/* ncg_published_names gives all names; ncg_published_names_free. */
NCG_API ncg_status ncg_published_names(ncg_context *ctx, char ***names,
                                       size_t *n, ncg_error *err);
NCG_API void ncg_published_names_free(char **names);

#ifdef __cplusplus
}
#endif
#endif
