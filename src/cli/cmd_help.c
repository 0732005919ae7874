/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `ncgraph help [VERB]`, `ncgraph verbs [VERB]`, --help anywhere.
 */
#include "cli/cmd.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(FILE *to)
{
    fputs("ncgraph - reduce NetCDF data larger than memory, many files at "
          "once\n\n"
          "Usage\n"
          "  ncgraph [OPTIONS] INPUT... [: VERB [DIM...] [KEY=VALUE...]]... "
          "-o OUT.nc\n"
          "  ncgraph info INPUT... [: VERB ...]   list a data set\n"
          "  ncgraph verbs                        list the verbs\n"
          "  ncgraph help VERB                    explain one\n"
          "  ncgraph cluster [status|stop]        a cluster that stands\n"
          "  ncgraph worker                       join one\n\n"
          "INPUT is a file, a quoted pattern ('tas_*.nc'), a list (@list.txt) "
          "or a\ndirectory; all inputs are one data set, sorted by time. Steps "
          "run from left\nto right, as one task graph that reads each byte "
          "once.\n\n"
          "Options (anywhere on the line)\n",
          to);
    nci_opt_list(to);
    fputs("\nExamples\n"
          "  ncgraph 'tas_*.nc' : mean time -o mean.nc\n"
          "  ncgraph 'tas_*.nc' : sel time=1981..2010 : mean time by=month -o "
          "clim.nc\n"
          "  ncgraph tas.nc : mean space weights=area -o - --json\n"
          "  ncgraph 'day_*.nc' : anom by=month : std time -j 8 --mem 4G -o "
          "std.nc\n\n"
          "Exit codes\n"
          "  0 done; 2 usage; 3 input missing, unreadable or damaged; "
          "4 unsupported;\n"
          "  5 inputs do not fit together; 6 output exists or cannot be "
          "written;\n"
          "  7 memory limit; 8 internal error; 130, 143 interrupted\n",
          to);
}

static void print_verbs(FILE *to)
{
    for (const nci_verb *v = nci_verbs; v->name; v++)
        fprintf(to, "  %-8s %s\n", v->name, v->summary);
    fputs("\nCDO's names that are understood\n", to);
    nci_alias_list(to);
    fputs("\n`ncgraph help VERB` explains one.\n", to);
}

static ncg_status print_alias(const char *name, bool *found, ncg_error *err)
{
    char *step = NULL;
    ncg_status st = nci_alias_expand(name, &step, err);
    *found = !st && step;
    if (*found) {
        printf("%s stands for: %s\n\n", name, step);
        step[strcspn(step, " ")] = '\0';
        nci_verb_help(nci_verb_find(step), stdout);
    }
    free(step);
    return st;
}

static ncg_status print_topic(const char *name, ncg_error *err)
{
    const nci_verb *verb = nci_verb_find(name);
    bool found = verb != NULL;
    if (found) {
        nci_verb_help(verb, stdout);
        return NCG_OK;
    }
    ncg_status st = print_alias(name, &found, err);
    if (st || found)
        return st;
    const char *near = nci_verb_suggest(name);
    if (near)
        return nci_usage(err, "no verb '%s'; did you mean '%s'?", name, near);
    return nci_usage(err, "no verb '%s'; `ncgraph verbs` lists them", name);
}

/* The verb that --help or `help` is about; NULL: the command itself. */
static const char *find_topic(const nci_command *cmd)
{
    const nci_words *w = cmd->words;
    for (size_t i = cmd->first; i + 1 < w->n; i++)
        if (!strcmp(w->items[i], ":"))
            return w->items[i + 1];
    if (cmd->first < w->n && strcmp(w->items[cmd->first], ":"))
        return w->items[cmd->first];
    return NULL;
}

static ncg_status check_written(ncg_error *err)
{
    if (fflush(stdout) || ferror(stdout))
        return nci_refuse(err, NCG_EOUTPUT, "cannot write to standard output");
    return NCG_OK;
}

ncg_status nci_cmd_help(const nci_command *cmd, ncg_error *err)
{
    const char *topic = find_topic(cmd);
    ncg_status st = NCG_OK;
    if (topic)
        st = print_topic(topic, err);
    else
        print_help(stdout);
    return st ? st : check_written(err);
}

ncg_status nci_cmd_verbs(const nci_command *cmd, ncg_error *err)
{
    if (find_topic(cmd))
        return nci_cmd_help(cmd, err);
    print_verbs(stdout);
    return check_written(err);
}
