/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Helpers of the command: errors, memory, numbers with units, and the nearest
 * name to a misspelt one.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ncg_status set_error(ncg_error *err, ncg_status status,
                            const char *format, va_list args)
{
    err->status = status;
    err->sys = 0;
    err->rank = -1;
    vsnprintf(err->message, sizeof err->message, format, args);
    return status;
}

ncg_status nci_usage(ncg_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_error(err, NCG_EINVAL, format, args);
    va_end(args);
    return NCG_EINVAL;
}

ncg_status nci_refuse(ncg_error *err, ncg_status status, const char *format,
                      ...)
{
    va_list args;
    va_start(args, format);
    set_error(err, status, format, args);
    va_end(args);
    return status;
}

static void out_of_memory(void)
{
    fputs("ncgraph: out of memory\n", stderr);
    exit(ncg_status_exit_code(NCG_ENOMEM));
}

void *nci_xalloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        out_of_memory();
    return memory;
}

char *nci_xstrdup(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        out_of_memory();
    return copy;
}

char *nci_xformat(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        out_of_memory();
    va_end(args);
    return text;
}

/* Words that are compared have at most this many bytes; longer ones are not
 * misspelt names. */
#define NAME_MAX_COMPARED 31

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Edit distance in which a swap of neighbours costs as much as one letter. */
static int distance(const char *a, const char *b)
{
    int d[NAME_MAX_COMPARED + 1][NAME_MAX_COMPARED + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > NAME_MAX_COMPARED || m > NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= m; j++) {
            int cost = a[i - 1] != b[j - 1];
            d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
                            d[i - 1][j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

const char *cli_suggest(const char *word, const char *const *names)
{
    const char *best = NULL;
    int length = (int)strlen(word);
    int limit = length <= 2 ? 1 : length <= 6 ? 2 : 3;
    for (; *names; names++) {
        int far = distance(word, *names);
        if (far <= limit && far < length) {
            best = *names;
            limit = far - 1;
        }
    }
    return best;
}

bool nci_parse_int64(const char *text, int64_t lowest, int64_t most,
                     int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || isspace((unsigned char)*text) ||
        value < lowest || value > most)
        return false;
    *out = value;
    return true;
}

bool nci_parse_bytes(const char *text, int64_t *out)
{
    static const char letters[] = "KMGT";
    char *end;
    if (!isdigit((unsigned char)*text) && *text != '.')
        return false;
    double value = strtod(text, &end);
    const char *letter =
        *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;
    if (letter) {
        end++;
        bool decimal = !strcasecmp(end, "B");
        if (*end && !decimal && strcasecmp(end, "iB"))
            return false;
        for (const char *p = letters; p <= letter; p++)
            value *= decimal ? 1e3 : 1024.;
    } else if (*end && strcasecmp(end, "B")) {
        return false;
    }
    if (!(value >= 1) || value > 9e18)
        return false;
    *out = (int64_t)value;
    return true;
}

void cli_format_bytes(int64_t bytes, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    int digits = unit == 0 || value >= 99.95 ? 0 : 1;
    snprintf(text, 32, "%.*f %s", digits, value, units[unit]);
}
