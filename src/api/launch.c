/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs under mpirun. A process that was started by a nanny plays the part
 * that it was started for; else it becomes a nanny itself, or goes on alone.
 */
#include <stdlib.h>

#include "api/link.h"
#include "api/process.h"

/* Where everything begins and ends with one command: */
static const double mpi_death_timeout = 3;

/* The process that goes on with the program: its scheduler is in it. */
static ncg_status found(const ncg_launch_options *o, const nci_handover *who,
                        ncg_context **out, ncg_error *err)
{
    ncg_context *ctx = NULL;
    NCI_TRY(ncg_context_create(o->context, &ctx, err));
    ncg_status st =
        nci_link_found(ctx, who, who->is_local ? "127.0.0.1" : NULL, err);
    if (!st)
        st = nci_handover_answer(nci_scheduler_addresses(ctx->link->scheduler),
                                 err);
    if (st)
        ncg_context_destroy(&ctx);
    else
        *out = ctx;
    return st;
}

ncg_status ncg_launch(const ncg_launch_options *options, ncg_context **out,
                      ncg_error *err)
{
    nci_handover who;
    nci_ranks ranks;
    const ncg_launch_options *o = options ? options : &nci_launch_defaults;
    if (!out)
        return nci_fail(err, NCG_EINVAL, "no place for the context");
    NCI_TRY(nci_process_check(o, err));
    NCI_TRY(nci_handover_take(&who, err));
    if (who.role == NCI_CHILD_WORKER) {
        nci_work_options how = {.death_timeout = mpi_death_timeout,
                                .is_bound = true,
                                .interface = who.is_local ? "127.0.0.1" : NULL};
        NCI_TRY(nci_process_work(&who, o->context, &how, err));
        return nci_fail(err, NCG_WORKER_DONE, "%s",
                        ncg_status_text(NCG_WORKER_DONE));
    }
    if (who.role == NCI_CHILD_CLIENT)
        return found(o, &who, out, err);
    nci_ranks_detect(getenv, &ranks);
    if (ranks.size == 1)
        return ncg_context_create(o->context, out, err);
    return nci_process_watch(&ranks, o, NCI_CHILD_CLIENT, err);
}
