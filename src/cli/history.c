/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The history line: a command that can be pasted into a shell again.
 */
#include "cli/history.h"

#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static time_t stamp(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    int64_t seconds;
    if (epoch && nci_parse_int64(epoch, 0, 253402300799, &seconds))
        return (time_t)seconds;
    return time(NULL);
}

static bool is_plain(const char *word)
{
    if (!*word)
        return false;
    for (; *word; word++)
        if (!isalnum((unsigned char)*word) && !strchr("%+,-./:=@_", *word))
            return false;
    return true;
}

/* In single quotes; a single quote in the word becomes '\''. */
static void put_quoted(const char *word, FILE *to)
{
    if (is_plain(word)) {
        fputs(word, to);
        return;
    }
    fputc('\'', to);
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", to);
        else
            fputc(*word == '\n' ? ' ' : *word, to);
    }
    fputc('\'', to);
}

char *nci_history_line(int argc, char **argv)
{
    char when[32], *text = NULL;
    size_t length = 0;
    time_t seconds = stamp();
    struct tm utc;
    FILE *to = open_memstream(&text, &length);
    if (!to)
        return nci_xstrdup("ncgraph");
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    fprintf(to, "%s ncgraph %s: ncgraph", when, ncg_version());
    for (int i = 1; i < argc; i++) {
        fputc(' ', to);
        put_quoted(argv[i], to);
    }
    fclose(to);
    return text ? text : nci_xstrdup("ncgraph");
}
