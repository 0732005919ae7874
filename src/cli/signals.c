/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals. While an output file is being written, the first one cancels the
 * computation and the library removes its temporary file; a second one, or any
 * at another time, removes it here and ends the process with 128 + the signal's
 * number.
 */
#include "cli/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static _Atomic(ncg_context *) guarded;
static atomic_int caught;

static void on_signal(int number)
{
    ncg_context *ctx = atomic_load(&guarded);
    int before = 0;
    if (!ctx || !atomic_compare_exchange_strong(&caught, &before, number)) {
        static const char line[] = "ncgraph: interrupted\n";
        ncg_remove_unfinished();
        ssize_t told = write(STDERR_FILENO, line, sizeof line - 1);
        (void)told; /* nobody may be listening */
        _exit(128 + number);
    }
    ncg_context_cancel(ctx);
}

void nci_signals_install(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action, before;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        sigemptyset(&action.sa_mask);
        /* nohup and background shells ignore some of them on purpose. */
        if (!sigaction(numbers[i], NULL, &before) &&
            before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

void nci_signals_guard(ncg_context *ctx)
{
    atomic_store(&guarded, ctx);
}

int nci_signals_caught(void)
{
    return atomic_load(&caught);
}

void nci_signals_repeat(void)
{
    ncg_context *ctx = atomic_load(&guarded);
    if (ctx && atomic_load(&caught))
        ncg_context_cancel(ctx);
}
