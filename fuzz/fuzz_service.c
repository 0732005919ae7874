/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients, workers and the scheduler say about calls and values: services
 * one after the other, each with its inputs, as all of them are read. */
#include <string.h>

#include "engine/cluster/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte that is handed over can be read. */
static size_t look_at(const nci_service *s)
{
    size_t sum = strnlen(s->name, sizeof s->name) +
                 strnlen(s->where, sizeof s->where) +
                 strnlen(s->error.message, sizeof s->error.message);
    const uint8_t *bytes = s->data;
    for (size_t i = 0; i < s->ndata; i++)
        sum += bytes[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nci_unpack in = {.data = (const char *)data, .size = size};
    volatile size_t sum = 0;
    ncg_error err;
    while (!nci_service_is_end(&in)) {
        nci_service service;
        nci_service_input input;
        if (nci_service_unpack(&in, &service, &err))
            return 0;
        sum += look_at(&service);
        for (size_t i = 0; i < service.ninputs; i++) {
            if (nci_service_unpack_input(&in, &input, &err))
                return 0;
            sum += strnlen(input.where, sizeof input.where);
        }
    }
    return 0;
}
