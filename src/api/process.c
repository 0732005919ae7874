/* SPDX-License-Identifier: BSD-3-Clause */
/* What the processes of a cluster share: options, sentences for the user,
 * signals, the life of a nanny. */
#include "api/process.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RESTARTS = 10 };

const ncg_launch_options nci_launch_defaults = NCG_LAUNCH_OPTIONS_INIT;

ncg_status nci_process_check(const ncg_launch_options *o, ncg_error *err)
{
    if (o->struct_size < sizeof *o ||
        (o->context && o->context->struct_size < sizeof *o->context))
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    return NCG_OK;
}

int nci_process_restarts(int wanted)
{
    return wanted < 0 ? 0 : wanted ? wanted : RESTARTS;
}

void nci_process_note(void *ctx, const char *sentence)
{
    const ncg_context_options *o = ctx;
    if (o && o->note)
        o->note(sentence, o->note_payload);
}

volatile sig_atomic_t nci_process_leave;

static void on_leave(int number)
{
    nci_process_leave = number == SIGINT ? 2 : nci_process_leave + 1;
}

void nci_process_listen(void)
{
    static const int numbers[] = {SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGINT};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_leave;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    sigset_t waited; /* while the nanny had us start */
    nci_nanny_signals(&waited);
    pthread_sigmask(SIG_UNBLOCK, &waited, NULL);
}

/* A nanny's whole life; on rank 0 it is also that of the process. */
ncg_status nci_process_watch(const nci_ranks *ranks,
                             const ncg_launch_options *o, nci_child_kind first,
                             ncg_error *err)
{
    nci_start_options how = {.first = first,
                             .is_exclusive = o->exclusive,
                             .restarts = nci_process_restarts(o->restarts),
                             .note = nci_process_note,
                             .note_ctx = (void *)(uintptr_t)o->context};
    bool is_first = false;
    int code = 0;
    NCI_TRY(nci_start_rank(ranks, &how, &is_first, &code, err));
    if (is_first)
        exit(code);
    return nci_fail(err, NCG_WORKER_DONE, "%s",
                    ncg_status_text(NCG_WORKER_DONE));
}
