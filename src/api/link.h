/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_LINK_H
#define NCI_API_LINK_H
/* A context's link to a cluster: what it computes is run there. */
#include "api/handles.h"
#include "engine/cluster/client.h"
#include "engine/cluster/host.h"
#include "engine/cluster/scheduler.h"

typedef void (*nci_report_fn)(void *ctx, int64_t tasks_done, int64_t managed);

typedef struct nci_link {
    nci_plan_host host; /* for a scheduler in this process */
    nci_scheduler *scheduler; /* NULL: it is another process */
    nci_client *client;
} nci_link;

/* Where a scheduler that does not answer may be now (client.h). */
typedef struct nci_look {
    void (*look)(void *ctx, char addresses[NCI_NET_ADDRESSES]);
    void *ctx;
} nci_look;

/* nci_link_host says how plans are opened in this context's process. */
nci_plan_host nci_link_host(ncg_context *ctx);
/* nci_link_join links a context to the scheduler at these addresses, or those
 * that `look` (may be NULL) gives while it does not answer; nci_link_found starts a scheduler in this process first, at `interface`. */
ncg_status nci_link_join(ncg_context *ctx, const char *addresses,
                         const uint8_t *secret, const uint8_t *cluster,
                         double timeout, const nci_look *look, ncg_error *err);
ncg_status nci_link_found(ncg_context *ctx, const nci_handover *who,
                          const char *interface, ncg_error *err);
/* nci_link_follow_tls: what the scheduler file says of TLS: the cluster has it
 * or not, and whose certificates they are. EAUTH: that is not so here. */
ncg_status nci_link_follow_tls(ncg_context *ctx, const char *print,
                               const uint8_t *secret, const uint8_t *cluster,
                               ncg_error *err);
/* nci_link_client: EUNSUPPORTED: the context is not linked; EINVAL. */
ncg_status nci_link_client(ncg_context *ctx, nci_client **out, ncg_error *err);
/* nci_link_drop ends the link, and the cluster where it began here. */
void nci_link_drop(ncg_context *ctx);

/* nci_link_pack makes the bytes of outputs; none where something exists in
 * this process only: then the user is told that the work is done here.
 * replace(ctx, ...): as nci_lower_with; may be NULL. */
ncg_status nci_link_pack(ncg_context *ctx, const nci_output *outputs,
                         int noutputs, nci_replace_fn replace,
                         nci_shipment *out, ncg_error *err);
/* nci_link_run is nci_executor_run on the cluster. */
ncg_status nci_link_run(ncg_context *ctx, const nci_plan *plan,
                        const nci_shipment *shipment, const nci_sink *sink,
                        const _Atomic bool *cancel, nci_report_fn report,
                        void *report_ctx, nci_run_stats *stats, ncg_error *err);

#endif
