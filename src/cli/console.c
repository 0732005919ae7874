/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Standard error of the command. `lock` guards the state below: notes and
 * progress come from engine threads, messages from the main thread. While the
 * bar is on the screen, every other line first removes it.
 */
#include "cli/console.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    bool terminal, colour, quiet, verbose, strict, bar_shown;
    nci_progress_mode mode; /* never AUTO */
    char *first_note;       /* the first one, kept under --strict */
} console = {.lock = PTHREAD_MUTEX_INITIALIZER};

void nci_console_init(const nci_options *options)
{
    const char *no_color = getenv("NO_COLOR");
    console.terminal = isatty(STDERR_FILENO) == 1;
    console.colour = console.terminal && !(no_color && *no_color);
    console.quiet = options->quiet;
    console.verbose = options->verbose;
    console.strict = options->strict;
    console.mode = options->progress;
    if (console.mode == NCI_PROGRESS_AUTO)
        console.mode = console.terminal && !options->quiet ? NCI_PROGRESS_BAR
                                                           : NCI_PROGRESS_NONE;
}

static void clear_bar_locked(void)
{
    if (console.bar_shown)
        fputs("\r\033[K", stderr);
    console.bar_shown = false;
}

/* Names come from files that anybody may have written: what could move the
 * cursor or begin a line is shown as a question mark. */
static void print_line_locked(const char *before, const char *text)
{
    clear_bar_locked();
    fputs(before, stderr);
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text,
              stderr);
    fputc('\n', stderr);
}

void nci_console_error(const char *message)
{
    pthread_mutex_lock(&console.lock);
    print_line_locked("ncgraph: ", message);
    pthread_mutex_unlock(&console.lock);
}

void nci_console_say(const char *format, ...)
{
    if (!console.verbose)
        return;
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&console.lock);
    clear_bar_locked();
    fputs("ncgraph: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    pthread_mutex_unlock(&console.lock);
    va_end(args);
}

static void print_note_locked(const char *note)
{
    if (console.quiet)
        return;
    print_line_locked("ncgraph: note: ", note);
}

void nci_console_warn(const char *note)
{
    pthread_mutex_lock(&console.lock);
    print_note_locked(note);
    pthread_mutex_unlock(&console.lock);
}

void nci_console_note(const char *note, void *payload)
{
    ncg_context *const *ctx = payload;
    pthread_mutex_lock(&console.lock);
    if (console.strict) {
        if (!console.first_note)
            console.first_note = nci_xstrdup(note);
        if (*ctx)
            ncg_context_cancel(*ctx);
    } else {
        print_note_locked(note);
    }
    pthread_mutex_unlock(&console.lock);
}

ncg_status nci_console_strict(ncg_error *err)
{
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&console.lock);
    if (console.first_note)
        st =
            nci_refuse(err, NCG_EMISMATCH, "%s (--strict)", console.first_note);
    pthread_mutex_unlock(&console.lock);
    return st;
}

/* "ETA 1:05:09", "ETA 0:12" */
static void format_eta(double seconds, char text[32])
{
    long s = (long)(seconds + 0.5);
    if (seconds < 0 || seconds > 999 * 3600.)
        snprintf(text, 32, "ETA -");
    else if (s >= 3600)
        snprintf(text, 32, "ETA %ld:%02ld:%02ld", s / 3600, s / 60 % 60,
                 s % 60);
    else
        snprintf(text, 32, "ETA %ld:%02ld", s / 60, s % 60);
}

/* How far it is, by bytes where they are known, else by tasks. */
static double fraction(const ncg_progress *p)
{
    int64_t done = p->bytes_total > 0 ? p->bytes_done : p->tasks_done;
    int64_t total = p->bytes_total > 0 ? p->bytes_total : p->tasks_total;
    double f = total > 0 ? (double)done / (double)total : 0;
    return f < 0 ? 0 : f > 1 ? 1 : f;
}

#define BAR_WIDTH 30

static void draw_bar_locked(const ncg_progress *p)
{
    char bar[BAR_WIDTH + 1], eta[32], rate[32];
    double f = fraction(p);
    int full = (int)(f * BAR_WIDTH);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', (size_t)full);
    bar[BAR_WIDTH] = '\0';
    double speed = p->seconds > 0 ? (double)p->bytes_done / p->seconds : 0;
    cli_format_bytes((int64_t)speed, rate);
    format_eta(f > 0 ? p->seconds * (1 - f) / f : -1, eta);
    fprintf(stderr, "\r[%s%s%s] %3.0f %%  %s/s  %s\033[K",
            console.colour ? "\033[32m" : "", bar,
            console.colour ? "\033[0m" : "", 100 * f, rate, eta);
    fflush(stderr);
    console.bar_shown = true;
}

static void print_json_locked(const ncg_progress *p)
{
    fprintf(stderr,
            "{\"tasks_done\": %lld, \"tasks_total\": %lld, "
            "\"bytes_done\": %lld, \"bytes_total\": %lld, "
            "\"seconds\": %.3f, \"memory\": %lld}\n",
            (long long)p->tasks_done, (long long)p->tasks_total,
            (long long)p->bytes_done, (long long)p->bytes_total, p->seconds,
            (long long)p->memory);
}

void nci_console_progress(const ncg_progress *progress, void *payload)
{
    (void)payload;
    pthread_mutex_lock(&console.lock);
    if (console.mode == NCI_PROGRESS_BAR)
        draw_bar_locked(progress);
    else if (console.mode == NCI_PROGRESS_JSON)
        print_json_locked(progress);
    pthread_mutex_unlock(&console.lock);
}

void nci_console_finish(void)
{
    pthread_mutex_lock(&console.lock);
    clear_bar_locked();
    pthread_mutex_unlock(&console.lock);
}

void nci_console_summary(const ncg_stats *stats, double seconds)
{
    char decoded[32], disk[32], peak[32];
    if (!console.verbose && (console.quiet || !console.terminal))
        return;
    cli_format_bytes(stats->bytes_decoded, decoded);
    cli_format_bytes(stats->bytes_disk, disk);
    cli_format_bytes(stats->peak_memory, peak);
    pthread_mutex_lock(&console.lock);
    clear_bar_locked();
    fprintf(stderr,
            "ncgraph: read %s (%s on disk) from %lld file%s in %.1f s, "
            "peak %s\n",
            decoded, disk, (long long)stats->files,
            stats->files == 1 ? "" : "s", seconds, peak);
    pthread_mutex_unlock(&console.lock);
}
