/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_CLI_H
#define NCI_CLI_CLI_H
/*
 * What the files of the command share: options, and the few helpers that each
 * of them needs. The command sees only include/ncgraph.h of the library.
 *
 * Every function that can fail returns ncg_status and describes the failure in
 * *err, as the library does; main prints it and maps it to the exit code.
 * Memory that cannot be had ends the command with exit code 7.
 */
#include "ncgraph.h"

typedef enum nci_progress_mode {
    NCI_PROGRESS_AUTO, /* a bar where standard error is a terminal */
    NCI_PROGRESS_BAR,
    NCI_PROGRESS_JSON,
    NCI_PROGRESS_NONE
} nci_progress_mode;

typedef struct nci_options {
    const char *output; /* "-": print; NULL: not given */
    char *variables;    /* -V, comma-separated; owned */
    const char *format; /* NULL: the library's default */
    const char *dtype;
    const char *graph;
    const char *stats;
    const char *glob;
    const char *spill_dir;
    const char *scheduler_file; /* the rest is of clusters */
    const char *interface;
    const char *http;
    const char *name;
    const char *checkpoint_dir;
    const char *resources;
    ncg_wire_options wire;
    double lifetime;      /* seconds; 0: open */
    double death_timeout; /* seconds; 0: the library's */
    int port;
    int deflate;
    int threads;
    int64_t memory;
    ncg_overlap overlap;
    ncg_join join;
    ncg_time_stamp stamp;
    nci_progress_mode progress;
    bool overwrite, explain, dry_run, quiet, verbose, no_history, strict;
    bool keepdims, json, missing_fill, no_default_fill, no_checksum;
    bool force_library, help, version, exclusive, no_http;
} nci_options;

/* nci_usage sets *err to a usage error (exit code 2) and returns NCG_EINVAL. */
ncg_status nci_usage(ncg_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* nci_refuse is nci_usage with another status. */
ncg_status nci_refuse(ncg_error *err, ncg_status status, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

/* nci_xalloc and nci_xstrdup never return NULL. nci_xformat prints into new
 * memory. */
void *nci_xalloc(size_t count, size_t size);
char *nci_xstrdup(const char *text);
char *nci_xformat(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* cli_suggest returns the name nearest to `word`, or NULL when none is near.
 * `names` ends with NULL. */
const char *cli_suggest(const char *word, const char *const *names);

/* nci_parse_int64 accepts a whole decimal number within [least, most]. */
bool nci_parse_int64(const char *text, int64_t least, int64_t most,
                     int64_t *out);
/* nci_parse_bytes accepts "4G", "1.5GiB", "256MB", "1000". K M G T and KiB to
 * TiB are powers of 1024, KB to TB powers of 1000. */
bool nci_parse_bytes(const char *text, int64_t *out);
/* cli_format_bytes writes "12.3 GB" (powers of 1000) into `text`. */
void cli_format_bytes(int64_t bytes, char text[32]);

#endif
