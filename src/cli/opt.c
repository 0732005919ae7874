/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options: one table, which the parser and the help both read. Long options
 * take their value after "=" or as the next word, short ones attached or as
 * the next word; "--" ends the options.
 */
#include "cli/opt.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What a CHOICE is written to. */
_Static_assert(sizeof(ncg_overlap) == sizeof(int) &&
                   sizeof(ncg_join) == sizeof(int) &&
                   sizeof(nci_progress_mode) == sizeof(int) &&
                   sizeof(ncg_time_stamp) == sizeof(int) &&
                   sizeof(ncg_wire_compression) == sizeof(int) &&
                   sizeof(ncg_wire_checksum) == sizeof(int),
               "enums are as large as int");

typedef ncg_status setter(nci_options *, const char *name, const char *value,
                          ncg_error *);

/* One of `flag`, `text`, `choice`, `set` says where the value goes. */
typedef struct option_def {
    char letter;
    const char *name;
    const char *arg; /* NULL: the option takes no value */
    const char *help;
    size_t flag;   /* offset of a bool in nci_options, 0: none */
    size_t text;   /* offset of a const char * plus one, 0: none */
    size_t choice; /* offset of an enum plus one, 0: none; its values are those
                      of the places in `choices` */
    const char *choices; /* words that are taken, "a|b|c"; NULL: any */
    setter *set;
} option_def;

/* Finds `value` among words separated by '|'; -1 when it is none of them. */
static int find_choice(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (int i = 0;; i++) {
        size_t length = strcspn(choices, "|");
        if (length == n && !strncmp(choices, value, n))
            return i;
        if (!choices[length])
            return -1;
        choices += length + 1;
    }
}

static ncg_status parse_choice(const char *name, const char *choices,
                               const char *value, int *out, ncg_error *err)
{
    int which = find_choice(choices, value);
    if (which < 0)
        return nci_usage(err, "%s takes %s, not '%s'", name, choices, value);
    *out = which;
    return NCG_OK;
}

static ncg_status set_variables(nci_options *o, const char *name,
                                const char *value, ncg_error *err)
{
    if (!*value)
        return nci_usage(err, "%s takes names of variables, not ''", name);
    char *before = o->variables;
    o->variables =
        before ? nci_xformat("%s,%s", before, value) : nci_xstrdup(value);
    free(before);
    return NCG_OK;
}

static ncg_status set_deflate(nci_options *o, const char *name,
                              const char *value, ncg_error *err)
{
    int64_t level = 0;
    if (strcmp(value, "none") && !nci_parse_int64(value, 0, 9, &level))
        return nci_usage(err, "%s takes 0 to 9 or none, not '%s'", name, value);
    o->deflate = (int)level;
    return NCG_OK;
}

enum { THREADS_MAX = 65536 };

static ncg_status set_threads(nci_options *o, const char *name,
                              const char *value, ncg_error *err)
{
    int64_t n;
    if (!nci_parse_int64(value, 1, THREADS_MAX, &n))
        return nci_usage(err, "%s takes a number of threads, 1 to %d, not '%s'",
                         name, THREADS_MAX, value);
    o->threads = (int)n;
    return NCG_OK;
}

static ncg_status set_memory(nci_options *o, const char *name,
                             const char *value, ncg_error *err)
{
    if (!nci_parse_bytes(value, &o->memory))
        return nci_usage(err, "%s takes a size such as 512M or 4G, not '%s'",
                         name, value);
    return NCG_OK;
}

static ncg_status set_port(nci_options *o, const char *name, const char *value,
                           ncg_error *err)
{
    int64_t n;
    if (!nci_parse_int64(value, 0, 65535, &n))
        return nci_usage(err, "%s takes a number, 0 to 65535, not '%s'", name,
                         value);
    o->port = (int)n;
    return NCG_OK;
}

/* "90", "90s", "15min", "2h", "1d". */
static ncg_status parse_time(const char *name, const char *value, double *out,
                             ncg_error *err)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    char *end = NULL;
    double n = strtod(value, &end);
    for (size_t i = 0; end != value && i < sizeof units / sizeof *units; i++)
        if (!strcmp(end, units[i].unit) && n > 0 && n < 1e9) {
            *out = n * units[i].seconds;
            return NCG_OK;
        }
    return nci_usage(err, "%s takes a time such as 90s, 15min or 2h, not '%s'",
                     name, value);
}

static ncg_status set_lifetime(nci_options *o, const char *name,
                               const char *value, ncg_error *err)
{
    return parse_time(name, value, &o->lifetime, err);
}

static ncg_status set_death_timeout(nci_options *o, const char *name,
                                    const char *value, ncg_error *err)
{
    return parse_time(name, value, &o->death_timeout, err);
}

static ncg_status set_missing(nci_options *o, const char *name,
                              const char *value, ncg_error *err)
{
    int which = 0;
    ncg_status st = parse_choice(name, "error|fill", value, &which, err);
    o->missing_fill = which == 1;
    return st;
}

/* l: letter, n: name, a: argument, h: help */
#define FLAG(l, n, field, h)                                                   \
    {.letter = l, .name = n, .help = h, .flag = offsetof(nci_options, field)}
#define PUT(l, n, a, h, member, field)                                         \
    .letter = l, .name = n, .arg = a, .help = h,                               \
    .member = offsetof(nci_options, field) + 1
#define TEXT(l, n, a, field, h)                                                \
    {                                                                          \
        PUT(l, n, a, h, text, field)                                           \
    }
#define WORD(l, n, a, field, words, h)                                         \
    {                                                                          \
        PUT(l, n, a, h, text, field), .choices = words                         \
    }
#define CHOICE(l, n, a, field, words, h)                                       \
    {                                                                          \
        PUT(l, n, a, h, choice, field), .choices = words                       \
    }
#define CALL(l, n, a, function, h)                                             \
    {                                                                          \
        .letter = l, .name = n, .arg = a, .help = h, .set = function           \
    }

static const option_def defs[] = {
    TEXT('o', "output", "FILE", output,
         "write to FILE; - prints a small result"),
    FLAG('O', "overwrite", overwrite, "replace FILE when it exists"),
    CALL('V', "variables", "A,B", set_variables,
         "use these variables (default: every numeric one)"),
    WORD('f', "format", "FMT", format, "nc4|nc4c|nc3|nc64|nc5",
         "nc4 nc4c nc3 nc64 nc5 (default nc4)"),
    CALL('z', "deflate", "N", set_deflate,
         "compression 0 to 9 or none (default 1)"),
    WORD(0, "dtype", "TYPE", dtype, "f4|f8|in",
         "f4, f8, or in: the input's type"),
    FLAG(0, "keepdims", keepdims, "keep every reduced dimension with size 1"),
    CHOICE(0, "time-stamp", "WHERE", stamp, "mid|first|last",
           "time of a reduced period: mid first last"),
    FLAG(0, "no-history", no_history, "leave the history attribute as it is"),
    FLAG(0, "json", json, "with -o -: print JSON"),
    TEXT(0, "glob", "PATTERN", glob, "which files of a directory"),
    CHOICE(0, "overlap", "HOW", overlap, "error|first|last",
           "two files hold the same step: error first last"),
    CHOICE(0, "join", "HOW", join, "exact|inner",
           "coordinates that differ: exact inner"),
    CALL(0, "missing", "HOW", set_missing,
         "a variable that a file lacks: error fill"),
    FLAG(0, "no-default-fill", no_default_fill,
         "NetCDF's default fill values are data"),
    FLAG(0, "no-checksum", no_checksum, "do not verify checksums"),
    FLAG(0, "force-library", force_library,
         "read through NetCDF-C only (slow, for comparison)"),
    CALL('j', "threads", "N", set_threads, "cores to use (default: all)"),
    CALL(0, "mem", "SIZE", set_memory,
         "memory limit: 512M, 4G (default: 60 %)"),
    TEXT(0, "spill-dir", "DIR", spill_dir,
         "disk for chunks beyond --mem (default: $TMPDIR)"),
    TEXT(0, "scheduler-file", "FILE", scheduler_file,
         "compute on the cluster of FILE; from anywhere"),
    FLAG(0, "exclusive", exclusive, "under mpirun: rank 0 only schedules"),
    CHOICE(0, "wire-compression", "HOW", wire.compression, "none|lz4|zstd",
           "of chunks sent or spilled: none lz4 zstd"),
    CHOICE(0, "wire-checksum", "HOW", wire.checksum, "auto|on|off",
           "of chunks between processes: auto on off"),
    FLAG(0, "tls", wire.tls, "encrypt what passes between processes"),
    TEXT(0, "tls-ca-file", "FILE", wire.tls_ca_file,
         "TLS: certificate of the authority (PEM)"),
    TEXT(0, "tls-cert", "FILE", wire.tls_cert, "TLS: this side's certificate"),
    TEXT(0, "tls-key", "FILE", wire.tls_key, "TLS: its key"),
    FLAG(0, "explain", explain, "print the plan, do not run it"),
    TEXT(0, "graph", "FILE.svg", graph, "draw the task graph with Graphviz"),
    FLAG(0, "dry-run", dry_run, "check everything, run nothing"),
    CHOICE(0, "progress", "HOW", progress, "auto|bar|json|none",
           "auto bar json none"),
    TEXT(0, "stats", "FILE", stats, "write counters as JSON"),
    FLAG(0, "strict", strict, "notes are errors"),
    FLAG('q', "quiet", quiet, "errors only"),
    FLAG('v', "verbose", verbose, "say what is done"),
    TEXT(0, "interface", "HOST", interface,
         "cluster, worker: where to listen (default: all)"),
    CALL(0, "port", "N", set_port, "cluster: where to listen (default: any)"),
    TEXT(0, "http", "[HOST:]PORT", http,
         "cluster: where its state is seen (default: here)"),
    FLAG(0, "no-http", no_http, "cluster: nowhere"),
    TEXT(0, "name", "NAME", name, "worker: its name in messages"),
    TEXT(0, "checkpoint-dir", "DIR", checkpoint_dir,
         "worker: shared disk for chunks of those who leave"),
    TEXT(0, "resources", "LIST", resources,
         "worker: what calls may ask it for: GPU=2,TAPE=1"),
    CALL(0, "lifetime", "TIME", set_lifetime,
         "worker: leave before so long (90s 15min 2h)"),
    CALL(0, "death-timeout", "TIME", set_death_timeout,
         "wait so long for a scheduler (default: 60s)"),
    FLAG('h', "help", help, "this help; after a verb, the verb's"),
    FLAG(0, "version", version, "print the version"),
};
#define NDEFS (sizeof defs / sizeof *defs)

/* Names under which those who come from dask look for options. */
static const char *const others[][2] = {
    {"nthreads", "threads"}, {"local-directory", "spill-dir"}};

static bool is_word(const char *word, const char *name, size_t length)
{
    return strlen(word) == length && !strncmp(word, name, length);
}

static const option_def *find_long(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (is_word(others[i][0], name, length)) {
            name = others[i][1];
            length = strlen(name);
        }
    for (size_t i = 0; i < NDEFS; i++)
        if (is_word(defs[i].name, name, length))
            return &defs[i];
    return NULL;
}

static const option_def *find_short(char letter)
{
    for (size_t i = 0; i < NDEFS; i++)
        if (defs[i].letter == letter)
            return &defs[i];
    return NULL;
}

static ncg_status apply(const option_def *def, const char *name,
                        const char *value, nci_options *o, ncg_error *err)
{
    int which = 0;
    if (def->set)
        return def->set(o, name, value, err);
    ncg_status st = NCG_OK;
    if (def->choices)
        st = parse_choice(name, def->choices, value, &which, err);
    if (st)
        return st;
    if (def->text)
        *(const char **)((char *)o + def->text - 1) = value;
    else if (def->choice)
        memcpy((char *)o + def->choice - 1, &which, sizeof which);
    else
        *(bool *)((char *)o + def->flag) = true;
    return NCG_OK;
}

static ncg_status unknown_long(const char *name, size_t length, ncg_error *err)
{
    const char *names[NDEFS + 1];
    char word[64];
    for (size_t i = 0; i < NDEFS; i++)
        names[i] = defs[i].name;
    names[NDEFS] = NULL;
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *near = cli_suggest(word, names);
    if (near)
        return nci_usage(err, "unknown option --%s; did you mean --%s?", word,
                         near);
    return nci_usage(err, "unknown option --%s; ncgraph --help lists them",
                     word);
}

/* Takes argv[*i] ("--name" or "--name=value") and perhaps the next word. */
static ncg_status parse_long(int argc, char **argv, int *i, nci_options *o,
                             ncg_error *err)
{
    const char *name = argv[*i] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] ? name + length + 1 : NULL;
    const option_def *def = find_long(name, length);
    if (!def)
        return unknown_long(name, length, err);
    if (!def->arg && value)
        return nci_usage(err, "--%s takes no value", def->name);
    if (def->arg && !value) {
        if (*i + 1 >= argc)
            return nci_usage(err, "--%s needs a value: %s", def->name,
                             def->arg);
        value = argv[++*i];
    }
    char shown[64];
    snprintf(shown, sizeof shown, "--%s", def->name);
    return apply(def, shown, value, o, err);
}

/* Takes "-x", "-xyz" (flags) or "-xVALUE" and perhaps the next word. */
static ncg_status parse_short(int argc, char **argv, int *i, nci_options *o,
                              ncg_error *err)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        const option_def *def = find_short(*p);
        char shown[3] = {'-', *p, '\0'};
        if (!def)
            return nci_usage(err,
                             "unknown option %s in '%s'; ncgraph --help "
                             "lists them",
                             shown, argv[*i]);
        const char *value = NULL;
        if (def->arg && p[1])
            value = p + 1;
        else if (def->arg && *i + 1 < argc)
            value = argv[++*i];
        else if (def->arg)
            return nci_usage(err, "%s needs a value: %s", shown, def->arg);
        ncg_status st = apply(def, shown, value, o, err);
        if (st || value)
            return st;
    }
    return NCG_OK;
}

static ncg_status parse_environment(nci_options *o, ncg_error *err)
{
    const char *threads = getenv("NCGRAPH_THREADS");
    const char *memory = getenv("NCGRAPH_MEM");
    ncg_status st = NCG_OK;
    if (threads && *threads && !o->threads)
        st = set_threads(o, "NCGRAPH_THREADS", threads, err);
    if (!st && memory && *memory && !o->memory)
        st = set_memory(o, "NCGRAPH_MEM", memory, err);
    return st;
}

ncg_status nci_opt_parse(int argc, char **argv, nci_options *options,
                         nci_words *words, ncg_error *err)
{
    ncg_status st = NCG_OK;
    bool ended = false;
    memset(options, 0, sizeof *options);
    options->deflate = -1;
    options->wire = (ncg_wire_options)NCG_WIRE_OPTIONS_INIT;
    words->items = nci_xalloc((size_t)argc, sizeof *words->items);
    words->n = 0;
    for (int i = 1; !st && i < argc; i++) {
        const char *word = argv[i];
        if (ended || word[0] != '-' || !word[1])
            words->items[words->n++] = argv[i];
        else if (!strcmp(word, "--"))
            ended = true;
        else if (word[1] == '-')
            st = parse_long(argc, argv, &i, options, err);
        else
            st = parse_short(argc, argv, &i, options, err);
    }
    return st ? st : parse_environment(options, err);
}

void nci_opt_fini(nci_options *options, nci_words *words)
{
    free(options->variables);
    options->variables = NULL;
    free(words->items);
    words->items = NULL;
}

void nci_opt_list(FILE *to)
{
    for (size_t i = 0; i < NDEFS; i++) {
        char left[64], letter[5] = "    ";
        if (defs[i].letter)
            snprintf(letter, sizeof letter, "-%c, ", defs[i].letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, defs[i].name,
                 defs[i].arg ? " " : "", defs[i].arg ? defs[i].arg : "");
        fprintf(to, "  %-26s %s\n", left, defs[i].help);
    }
}
