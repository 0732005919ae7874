/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/cluster/service.h"

#include <string.h>

void nci_service_pack(nci_pack *pack, const nci_service *s)
{
    nci_pack_i64(pack, s->kind);
    nci_pack_i64(pack, s->id);
    nci_pack_i64(pack, s->key);
    nci_pack_i64(pack, s->attempt);
    nci_pack_i64(pack, s->bytes);
    nci_pack_i64(pack, (int64_t)s->space.low);
    nci_pack_i64(pack, (int64_t)s->space.high);
    nci_pack_i64(pack, s->error.status);
    nci_pack_string(pack, s->error.status ? s->error.message : "");
    nci_pack_string(pack, s->name);
    nci_pack_string(pack, s->where);
    nci_pack_string(pack, s->needs);
    nci_pack_bytes(pack, s->data, s->ndata);
    nci_pack_i64(pack, (int64_t)s->ninputs);
}

void nci_service_pack_input(nci_pack *pack, const nci_service_input *input)
{
    nci_pack_i64(pack, input->id);
    nci_pack_i64(pack, input->bytes);
    nci_pack_string(pack, input->where);
}

static ncg_status status_of(const nci_unpack *in, ncg_error *err)
{
    return in->failed ? nci_fail(err, NCG_ENET, "a service is damaged")
                      : NCG_OK;
}

ncg_status nci_service_unpack(nci_unpack *in, nci_service *out, ncg_error *err)
{
    memset(out, 0, sizeof *out);
    out->kind = (nci_service_kind)nci_unpack_i64(in, NCI_SERVICE_CALL,
                                                 NCI_SERVICE_ANSWER);
    out->id = nci_unpack_i64(in, 0, INT64_MAX);
    out->key = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    out->attempt = (uint32_t)nci_unpack_i64(in, 0, UINT32_MAX);
    out->bytes = nci_unpack_i64(in, 0, INT64_MAX);
    out->space.low = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    out->space.high = (uint64_t)nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    nci_error_clear(&out->error);
    out->error.status = (ncg_status)nci_unpack_i64(in, NCG_OK, NCG_EBUG);
    nci_unpack_string(in, out->error.message, sizeof out->error.message);
    nci_unpack_string(in, out->name, sizeof out->name);
    nci_unpack_string(in, out->where, sizeof out->where);
    nci_unpack_string(in, out->needs, sizeof out->needs);
    out->data = nci_unpack_bytes(in, &out->ndata);
    out->ninputs = (size_t)nci_unpack_i64(in, 0, INT32_MAX);
    if (out->ninputs > in->size - in->at) /* each takes a byte at least */
        in->failed = true;
    return status_of(in, err);
}

ncg_status nci_service_unpack_input(nci_unpack *in, nci_service_input *out,
                                    ncg_error *err)
{
    out->id = nci_unpack_i64(in, 0, INT64_MAX);
    out->bytes = nci_unpack_i64(in, 0, INT64_MAX);
    nci_unpack_string(in, out->where, sizeof out->where);
    return status_of(in, err);
}

ncg_status nci_service_send(nci_net *net, nci_conn_id conn, nci_wire_type type,
                            const nci_service *service, ncg_error *err)
{
    nci_pack pack = {0};
    nci_service_pack(&pack, service);
    return nci_dialogue_send(net, conn, type, 0, &pack, err);
}

nci_token nci_value_space(void)
{
    nci_hash hash;
    nci_hash_init(&hash, "ncgraph.value/1");
    return nci_hash_done(&hash);
}
