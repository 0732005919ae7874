/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `ncgraph cluster [status|stop|retire WORKER]` and `ncgraph worker`: clusters that stand, and
 * workers that join them.
 */
#include "cli/cmd.h"
#include "cli/console.h"

#include <stdio.h>
#include <string.h>

static void tell(const char *note, void *payload)
{
    (void)payload;
    nci_console_say("%s", note);
}

static ncg_context_options context_of(const nci_options *o)
{
    ncg_context_options how = NCG_CONTEXT_OPTIONS_INIT;
    how.threads = o->threads;
    how.memory_limit = o->memory;
    how.spill_directory = o->spill_dir;
    how.no_checksum = o->no_checksum;
    how.force_library = o->force_library;
    how.wire = &o->wire;
    how.note = tell;
    return how;
}

static ncg_status need_file(const nci_options *o, const char *what,
                            ncg_error *err)
{
    if (o->scheduler_file)
        return NCG_OK;
    return nci_usage(err, "%s needs --scheduler-file FILE", what);
}

static ncg_status stand(const nci_options *o, ncg_error *err)
{
    ncg_context_options context = context_of(o);
    ncg_launch_options launch = NCG_LAUNCH_OPTIONS_INIT;
    ncg_cluster_options how = NCG_CLUSTER_OPTIONS_INIT;
    launch.context = &context;
    launch.exclusive = o->exclusive;
    how.scheduler_file = o->scheduler_file;
    how.interface = o->interface;
    how.port = o->port;
    how.http = o->http;
    how.no_http = o->no_http;
    how.launch = &launch;
    return ncg_cluster_serve(&how, err);
}

/* What comes back is printed; nothing but the status does. */
static ncg_status ask(const nci_options *o, const char *word,
                      const char *argument, ncg_error *err)
{
    char *text = NULL;
    ncg_context_options how = context_of(o);
    ncg_status st = ncg_cluster_ask(o->scheduler_file, &how, word, argument,
                                    &text, err);
    if (!st && text && (fputs(text, stdout) == EOF || fflush(stdout)))
        st = nci_refuse(err, NCG_EOUTPUT, "cannot write to standard output");
    ncg_free(text);
    return st;
}

ncg_status nci_cmd_cluster(const nci_command *cmd, ncg_error *err)
{
    const nci_words *w = cmd->words;
    const char *word = w->n > cmd->first ? w->items[cmd->first] : NULL;
    ncg_status st = need_file(cmd->options, "cluster", err);
    if (st)
        return st;
    if (!word)
        return stand(cmd->options, err);
    size_t nwords = w->n - cmd->first;
    if (!strcmp(word, "stop") && nwords == 1)
        return ask(cmd->options, word, "", err);
    if (!strcmp(word, "status") && nwords == 1)
        return ask(cmd->options, word, "", err);
    if (!strcmp(word, "retire") && nwords == 2)
        return ask(cmd->options, word, w->items[cmd->first + 1], err);
    return nci_usage(err, "cluster takes no word, or status, stop, retire "
                          "WORKER; not '%s'",
                     word);
}

ncg_status nci_cmd_worker(const nci_command *cmd, ncg_error *err)
{
    const nci_options *o = cmd->options;
    ncg_context_options context = context_of(o);
    ncg_worker_options how = NCG_WORKER_OPTIONS_INIT;
    if (cmd->words->n > cmd->first)
        return nci_usage(err, "worker takes options only, not '%s'",
                         cmd->words->items[cmd->first]);
    ncg_status st = need_file(o, "worker", err);
    if (st)
        return st;
    how.scheduler_file = o->scheduler_file;
    how.context = &context;
    how.name = o->name;
    how.interface = o->interface;
    how.checkpoint_directory = o->checkpoint_dir;
    how.resources = o->resources;
    how.lifetime = o->lifetime;
    how.death_timeout = o->death_timeout;
    return ncg_worker_serve(&how, err);
}
