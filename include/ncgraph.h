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
 *              one computation at a time runs in a context, others wait.
 *   Options    `struct_size` first, filled by the _INIT macro; NULL = defaults.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NCG_VERSION_MAJOR 0
#define NCG_VERSION_MINOR 1
#define NCG_VERSION_PATCH 0

#if defined(__GNUC__)
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
    X(EBUG, 15, 8, "internal error")

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

typedef struct ncg_context_options {
    size_t struct_size;
    int threads;          /* 0: the cores of the process's cpuset */
    int64_t memory_limit; /* bytes; 0: 60 % of what the machine or cgroup has */
    ncg_progress_fn progress;
    void *progress_payload;
    ncg_note_fn note;
    void *note_payload;
    bool no_checksum;     /* do not verify fletcher32 */
    bool force_library;   /* read everything through NetCDF-C (for tests) */
} ncg_context_options;
#define NCG_CONTEXT_OPTIONS_INIT                                               \
    {sizeof(ncg_context_options), 0, 0, NULL, NULL, NULL, NULL, false, false}

/* ncg_context_create starts an engine in this process.
 * Errors: EINVAL (threads or limit negative), ENOMEM. */
NCG_API ncg_status ncg_context_create(const ncg_context_options *options,
                                      ncg_context **out, ncg_error *err);
/* ncg_context_destroy waits for a running computation, stops the threads and
 * sets *ctx to NULL. Data sets and arrays of the context keep what they need
 * and may be released later, not computed. NULL is accepted. */
NCG_API void ncg_context_destroy(ncg_context **ctx);
/* ncg_context_cancel makes the running computation end with ECANCELED. Safe in
 * a signal handler. */
NCG_API void ncg_context_cancel(ncg_context *ctx);
/* ncg_remove_unfinished removes the temporary files of all saves under way in
 * this process, which fail after that: for a program that is about to exit at
 * once. Safe in a signal handler. */
NCG_API void ncg_remove_unfinished(void);

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
} ncg_stats;
/* ncg_context_stats copies the counters since the context was created. */
NCG_API void ncg_context_stats(const ncg_context *ctx, ncg_stats *out);

/* ---- data sets --------------------------------------------------------- */

typedef enum ncg_overlap {
    NCG_OVERLAP_ERROR, /* two files hold the same step: an error naming both */
    NCG_OVERLAP_FIRST, /* keep the step of the file that begins earlier */
    NCG_OVERLAP_LAST   /* keep the step of the file that begins later */
} ncg_overlap;

typedef enum ncg_join { NCG_JOIN_EXACT, NCG_JOIN_INNER } ncg_join;

typedef struct ncg_open_options {
    size_t struct_size;
    const char *variables; /* comma-separated; NULL: every numeric variable */
    const char *glob;      /* pattern for directories; NULL: "*.nc" and kin */
    ncg_overlap overlap;
    ncg_join join;
    bool missing_fill;     /* a variable absent in a file is missing there */
    bool no_default_fill;  /* NetCDF's default fill values are data */
} ncg_open_options;
#define NCG_OPEN_OPTIONS_INIT                                                  \
    {sizeof(ncg_open_options), NULL, NULL, NCG_OVERLAP_ERROR, NCG_JOIN_EXACT,  \
     false, false}

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
    X(ARGMAX, 13, "argmax", NULL)

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
} ncg_save_options;
#define NCG_SAVE_OPTIONS_INIT                                                  \
    {sizeof(ncg_save_options), false, NULL, -1, NULL, NULL}

/* ncg_dataset_save computes the data set and writes it to `path`, through a
 * temporary file that is synchronised and renamed; on any error no file is
 * left and an existing one is untouched.
 * Errors: EEXISTS, EOUTPUT; all errors of reading; EBUDGET when the plan
 * cannot run within the memory limit; ECANCELED. */
NCG_API ncg_status ncg_dataset_save(ncg_dataset *ds, const char *path,
                                    const ncg_save_options *options,
                                    ncg_error *err);

typedef struct ncg_plan_info {
    size_t struct_size;
    int64_t files, storage_chunks, tasks, layers;
    int64_t bytes_disk;    /* compressed bytes to read, all passes; -1 unknown */
    int64_t bytes_decoded; /* after decoding, all passes */
    int64_t bytes_output;
    int passes;            /* how often the most-read source is read */
    int64_t peak_memory;   /* predicted managed bytes with these threads */
    int64_t least_memory;  /* the lowest --mem under which the plan runs */
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

/* ncg_array_reduce reduces over `axes` (negative ones count from the end); of
 * the options it uses op, skipna, min_count, ddof and keepdims. */
NCG_API ncg_status ncg_array_reduce(ncg_array *array, const int *axes,
                                    size_t naxes,
                                    const ncg_reduce_options *options,
                                    ncg_array **out, ncg_error *err);
/* ncg_array_slice takes start:stop:step of one axis, as Python slices do. */
NCG_API ncg_status ncg_array_slice(ncg_array *array, int axis, int64_t start,
                                   int64_t stop, int64_t step, ncg_array **out,
                                   ncg_error *err);
typedef enum ncg_binary {
    NCG_BINARY_ADD,
    NCG_BINARY_SUB,
    NCG_BINARY_MUL,
    NCG_BINARY_DIV
} ncg_binary;
/* ncg_array_binary combines two arrays element by element; shapes broadcast as
 * in NumPy. The result is double, or float where both are at most float. */
NCG_API ncg_status ncg_array_binary(ncg_array *a, ncg_binary op, ncg_array *b,
                                    ncg_array **out, ncg_error *err);
/* ncg_array_compute runs the graph and copies the result, in row-major order,
 * to `data` of `nbytes` bytes. Errors: EINVAL when nbytes does not fit. */
NCG_API ncg_status ncg_array_compute(ncg_array *array, void *data,
                                     size_t nbytes, ncg_error *err);

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
 * Errors: EINVAL (bad name), EEXISTS (the name has another function). */
NCG_API ncg_status ncg_kernel_register(ncg_context *ctx, const char *name,
                                       ncg_kernel_fn fn,
                                       const ncg_kernel_options *options,
                                       ncg_error *err);

#ifdef __cplusplus
}
#endif
#endif
