/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plan that came as a message becomes one of this process. That both sides
 * come to the same plan is checked, since tasks are named by number.
 */
#include "engine/cluster/dialogue.h"
#include "engine/cluster/host.h"
#include "graph/codec_output.h"

ncg_status nci_hosted_open(const nci_plan_host *host, nci_buf *body,
                           const char *who, nci_plan_message *message,
                           nci_hosted *out, ncg_error *err)
{
    nci_unpack in = {.data = nci_buf_data(body), .size = nci_buf_size(body)};
    NCI_TRY(nci_plan_message_unpack(&in, message, err));
    NCI_TRY(host->open(host->ctx, message->bytes, message->nbytes, out, err));
    if (!nci_token_equal(nci_plan_hash(out->plan), message->hash))
        return nci_fail(err, NCG_EMISMATCH,
                        "this %s comes to another plan than the client: are "
                        "both the same version of ncgraph?",
                        who);
    return NCG_OK;
}
