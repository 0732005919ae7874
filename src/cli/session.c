/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From options and a pipeline to a lazy data set. Nothing but headers and
 * coordinates is read here.
 */
#include "cli/session.h"

#include "cli/console.h"
#include "cli/signals.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double nci_session_elapsed(const nci_session *s)
{
    return now() - s->started;
}

static void on_progress(const ncg_progress *progress, void *payload)
{
    nci_signals_repeat();
    nci_console_progress(progress, payload);
}

static ncg_status create_context(nci_session *s, ncg_error *err)
{
    ncg_context_options how = NCG_CONTEXT_OPTIONS_INIT;
    how.threads = s->options->threads;
    how.memory_limit = s->options->memory;
    how.spill_directory = s->options->spill_dir;
    how.progress = on_progress;
    how.note = nci_console_note;
    how.note_payload = &s->ctx;
    how.no_checksum = s->options->no_checksum;
    how.force_library = s->options->force_library;
    how.wire = &s->options->wire;
    if (s->options->scheduler_file)
        return ncg_context_connect(s->options->scheduler_file,
                                   s->options->death_timeout, &how, &s->ctx,
                                   err);
    ncg_launch_options launch = NCG_LAUNCH_OPTIONS_INIT;
    launch.context = &how;
    launch.exclusive = s->options->exclusive;
    return ncg_launch(&launch, &s->ctx, err);
}

ncg_status nci_session_start(nci_session *s, const nci_options *options,
                             ncg_error *err)
{
    memset(s, 0, sizeof *s);
    s->options = options;
    s->started = now();
    return create_context(s, err);
}

/* A verb among the inputs that is no file: the user left out the colon. */
static ncg_status check_inputs(const nci_pipeline *p, ncg_error *err)
{
    if (!p->ninputs)
        return nci_usage(err, "no input; ncgraph INPUT... : VERB ... -o OUT.nc"
                              " (ncgraph --help)");
    for (size_t i = 0; i < p->ninputs; i++) {
        const char *name = p->inputs[i];
        if (!strcmp(name, "-"))
            return nci_usage(err, "NetCDF files cannot be read from standard "
                                  "input");
        if (name[0] == ':' && name[1] && access(name, F_OK))
            return nci_usage(err,
                             "'%s': a ':' stands alone: put a blank "
                             "after it",
                             name);
        if (nci_verb_find(name) && access(name, F_OK)) {
            if (i == 0)
                return nci_usage(
                    err, "inputs come first: ncgraph INPUT... : %s ...", name);
            return nci_usage(err,
                             "'%s' is a verb and no file: put ':' before "
                             "it",
                             name);
        }
    }
    return NCG_OK;
}

/* The variables that steps take as weights, with commas between them. */
static char *weights_of(const nci_pipeline *p)
{
    char *list = nci_xstrdup("");
    for (size_t i = 0; i < p->nsteps; i++) {
        const char *weights = nci_step_weights(&p->steps[i]);
        if (!weights)
            continue;
        char *longer = nci_xformat("%s%s%s", list, *list ? "," : "", weights);
        free(list);
        list = longer;
    }
    return list;
}

/* -V and the weights; NULL without -V. */
static char *wanted_variables(const nci_options *o, const char *weights)
{
    if (!o->variables)
        return NULL;
    return nci_xformat("%s%s%s", o->variables, *weights ? "," : "", weights);
}

static bool is_weights(const nci_pipeline *p, const char *name, size_t length)
{
    for (size_t i = 0; i < p->nsteps; i++) {
        const char *weights = nci_step_weights(&p->steps[i]);
        if (weights && strlen(weights) == length &&
            !strncmp(weights, name, length))
            return true;
    }
    return false;
}

/* "var=" with what -V names, but for weights: the step that takes them leaves
 * them out. */
static char *word_of_rest(const nci_pipeline *p, const char *variables)
{
    char *word = nci_xstrdup("var=");
    size_t length;
    for (const char *at = variables; *at; at += length + (at[length] != '\0')) {
        length = strcspn(at, ", \t\n");
        if (!length || is_weights(p, at, length))
            continue;
        char *longer = nci_xformat("%s%s%.*s", word, word[4] ? "," : "",
                                   (int)length, at);
        free(word);
        word = longer;
    }
    return word;
}

/* Takes the weights away again that were read beside -V. */
static ncg_status drop_weights(nci_session *s, const nci_pipeline *p,
                               const char *wanted, ncg_error *err)
{
    const char *variables = s->options->variables;
    ncg_dataset *rest = NULL;
    if (!wanted || !strcmp(wanted, variables))
        return NCG_OK;
    char *word = word_of_rest(p, variables);
    const char *words[] = {word};
    ncg_status st = ncg_dataset_sel(s->result, words, word[4] != '\0', &rest,
                                    err);
    free(word);
    if (st)
        return st;
    ncg_dataset_release(&s->result);
    s->result = rest;
    return NCG_OK;
}

static ncg_status open_inputs(nci_session *s, const nci_pipeline *p,
                              const char *variables, const char *weights,
                              ncg_dataset **out, ncg_error *err)
{
    ncg_open_options how = NCG_OPEN_OPTIONS_INIT;
    how.variables = variables;
    how.weights = weights;
    how.glob = s->options->glob;
    how.overlap = s->options->overlap;
    how.join = s->options->join;
    how.missing_fill = s->options->missing_fill;
    how.no_default_fill = s->options->no_default_fill;
    return ncg_dataset_open(s->ctx, (const char *const *)p->inputs, p->ninputs,
                            &how, out, err);
}

ncg_status nci_session_open(nci_session *s, const nci_pipeline *p,
                            ncg_error *err)
{
    ncg_dataset *in = NULL;
    const nci_options *options = s->options;
    char *weights = weights_of(p);
    char *variables = wanted_variables(options, weights);
    ncg_status st = check_inputs(p, err);
    if (!st)
        st = open_inputs(s, p, variables, weights, &in, err);
    if (!st)
        nci_console_say("opened the inputs in %.2f s", nci_session_elapsed(s));
    if (!st)
        st = nci_pipeline_apply(p, options, in, &s->result, err);
    ncg_dataset_release(&in);
    if (!st)
        st = drop_weights(s, p, variables, err);
    free(variables);
    free(weights);
    return st ? st : nci_console_strict(err);
}

void nci_session_close(nci_session *s)
{
    nci_signals_guard(NULL);
    ncg_dataset_release(&s->result);
    ncg_context_destroy(&s->ctx);
}
