/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `ncgraph INPUT... : VERB ... -o OUT`: check everything that can be checked,
 * open, apply the steps, then explain, draw, print or save.
 */
#include "cli/cmd.h"
#include "cli/console.h"
#include "cli/graph.h"
#include "cli/history.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "cli/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool prints(const nci_options *o)
{
    return o->output && !strcmp(o->output, "-");
}

/* The directory must be there and writable before hours are spent. */
static ncg_status check_directory(const char *path, ncg_error *err)
{
    const char *slash = strrchr(path, '/');
    char *directory = !slash ? nci_xstrdup(".")
                      : slash == path
                          ? nci_xstrdup("/")
                          : nci_xformat("%.*s", (int)(slash - path), path);
    ncg_status st = NCG_OK;
    if (access(directory, W_OK | X_OK))
        st = nci_refuse(err, NCG_EOUTPUT,
                        "%s: cannot write to directory %s: "
                        "%s",
                        path, directory, strerror(errno));
    free(directory);
    return st;
}

/* What is written beside the output. */
static ncg_status check_beside(const nci_options *o, ncg_error *err)
{
    if (o->json && !prints(o))
        return nci_usage(err, "--json goes with -o -");
    if (o->graph && nci_graph_check(o->graph, err))
        return err->status;
    return o->stats && strcmp(o->stats, "-") ? check_directory(o->stats, err)
                                             : NCG_OK;
}

static ncg_status check_output(const nci_options *o, const nci_pipeline *p,
                               ncg_error *err)
{
    ncg_status st = check_beside(o, err);
    if (st)
        return st;
    if (!p->ninputs)
        return NCG_OK; /* said when the inputs are opened */
    if (!o->output) {
        if (o->explain || o->dry_run || o->graph)
            return NCG_OK;
        if (p->nsteps)
            return nci_usage(err, "no output: add -o FILE.nc (or -o - to print "
                                  "a small result)");
        return nci_usage(err, "nothing to do: add a step (: mean time) and "
                              "-o FILE.nc, or look with `ncgraph info`");
    }
    if (!*o->output)
        return nci_usage(err, "-o takes the name of a file");
    if (prints(o))
        return NCG_OK;
    struct stat there;
    bool is_file = !stat(o->output, &there) && S_ISREG(there.st_mode);
    if (is_file && !o->overwrite) /* of what is no file the library tells */
        return nci_refuse(err, NCG_EEXISTS, "%s exists; -O replaces it",
                          o->output);
    return check_directory(o->output, err);
}

static void say_pipeline(const nci_pipeline *p)
{
    char *steps = nci_pipeline_text(p);
    if (p->nsteps)
        nci_console_say("steps %s", steps);
    free(steps);
}

/* What the steps are in ncgraph's words, where CDO's were used. */
static void print_aliases(const nci_pipeline *p, FILE *to)
{
    for (size_t i = 0; i < p->nsteps; i++) {
        const nci_step *step = &p->steps[i];
        if (!step->written)
            continue;
        fprintf(to, "%s stands for: %s", step->written, step->verb->name);
        for (size_t j = 0; j < step->nwords; j++)
            fprintf(to, " %s", step->words[j]);
        fputc('\n', to);
    }
}

static void print_plan_line(const ncg_plan_info *info, FILE *to)
{
    char decoded[32], disk[32], peak[32], lowest[32];
    cli_format_bytes(info->bytes_decoded, decoded);
    cli_format_bytes(info->bytes_disk, disk);
    cli_format_bytes(info->peak_memory, peak);
    cli_format_bytes(info->least_memory, lowest);
    fprintf(to,
            "would read %s (%s on disk) in %lld chunks of %lld files, "
            "%d pass%s, %lld tasks; peak %s, least --mem %s\n",
            decoded, info->bytes_disk < 0 ? "unknown" : disk,
            (long long)info->storage_chunks, (long long)info->files,
            info->passes, info->passes == 1 ? "" : "es", (long long)info->tasks,
            peak, lowest);
}

static ncg_save_options save_options(const nci_options *o)
{
    ncg_save_options how = NCG_SAVE_OPTIONS_INIT;
    how.overwrite = o->overwrite;
    how.format = o->format;
    how.deflate = o->deflate;
    how.dtype = o->dtype;
    return how;
}

static ncg_status check_budget(const nci_options *o, const ncg_plan_info *info,
                               ncg_error *err)
{
    char given[32], lowest[32];
    if (!o->memory || info->least_memory <= o->memory)
        return NCG_OK;
    cli_format_bytes(o->memory, given);
    cli_format_bytes(info->least_memory, lowest);
    return nci_refuse(err, NCG_EBUDGET,
                      "the plan needs %s, more than --mem %s allows", lowest,
                      given);
}

/* --explain, --dry-run and --graph: what would be done. */
static ncg_status explain(const nci_session *s, const nci_pipeline *p,
                          ncg_error *err)
{
    const nci_options *o = s->options;
    ncg_save_options how = save_options(o);
    ncg_plan_info info = {.struct_size = sizeof info};
    char *text = NULL, *dot = NULL;
    ncg_status st =
        ncg_dataset_explain(s->result, &how, &info, o->explain ? &text : NULL,
                            o->graph ? &dot : NULL, err);
    if (!st)
        st = nci_console_strict(err);
    if (!st && o->graph)
        st = nci_graph_write(o->graph, dot, err);
    if (!st && o->explain) {
        print_aliases(p, stdout);
        fputs(text, stdout);
    } else if (!st && o->dry_run) {
        print_plan_line(&info, stdout);
        st = check_budget(o, &info, err);
    }
    if (!st && fflush(stdout))
        st = nci_refuse(err, NCG_EOUTPUT, "cannot write to standard output");
    ncg_free(text);
    ncg_free(dot);
    return st;
}

static ncg_status save(const nci_session *s, const nci_command *cmd,
                       ncg_error *err)
{
    const nci_options *o = s->options;
    ncg_save_options how = save_options(o);
    char *history =
        o->no_history ? NULL : nci_history_line(cmd->argc, cmd->argv);
    how.history = history;
    nci_signals_guard(s->ctx);
    ncg_status st = ncg_dataset_save(s->result, o->output, &how, err);
    nci_signals_guard(NULL);
    free(history);
    if (!st && !nci_console_strict(err))
        nci_console_say("wrote %s", o->output);
    return st;
}

/* Counters are written after a failure too; the first failure is reported. */
static ncg_status finish(const nci_session *s, ncg_status st, ncg_error *err)
{
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_error other;
    nci_console_finish();
    if (!s->ctx)
        return st;
    ncg_context_stats(s->ctx, &stats);
    if (s->options->stats) {
        ncg_status bad = nci_json_stats(s->options->stats, &stats,
                                        nci_session_elapsed(s), &other);
        if (bad && !st) {
            *err = other;
            st = bad;
        }
    }
    if (!st && s->options->output && !s->options->explain &&
        !s->options->dry_run)
        nci_console_summary(&stats, nci_session_elapsed(s));
    return st;
}

static ncg_status run_result(const nci_session *s, const nci_pipeline *p,
                             const nci_command *cmd, ncg_error *err)
{
    const nci_options *o = s->options;
    ncg_status st = NCG_OK;
    if (o->explain || o->dry_run || o->graph)
        st = explain(s, p, err);
    if (st || o->explain || o->dry_run || !o->output)
        return st;
    st = prints(o) ? nci_show(s->result, o->json, err) : save(s, cmd, err);
    /* A note under --strict cancels; the note is the reason to name. */
    ncg_error note;
    if (nci_console_strict(&note)) {
        *err = note;
        st = note.status;
    }
    return st;
}

ncg_status nci_cmd_run(const nci_command *cmd, ncg_error *err)
{
    nci_pipeline p = {0};
    nci_session s;
    ncg_status st = nci_session_start(&s, cmd->options, err);
    if (!st)
        st = nci_pipeline_parse(cmd->words, cmd->first, &p, err);
    if (!st)
        st = check_output(cmd->options, &p, err);
    if (!st) {
        say_pipeline(&p);
        st = nci_session_open(&s, &p, err);
        if (!st)
            st = run_result(&s, &p, cmd, err);
        st = finish(&s, st, err);
    }
    nci_session_close(&s);
    nci_pipeline_fini(&p);
    return st;
}
