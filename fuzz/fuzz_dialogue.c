/* SPDX-License-Identifier: BSD-3-Clause */
/* What peers say to scheduler, worker and client: the first byte chooses the
 * message as which the others are read. */
#include "base/mem.h"
#include "engine/cluster/header_pack.h"
#include "engine/cluster/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_records(const uint8_t *data, size_t size)
{
    nci_action order;
    nci_event event;
    ncg_error err;
    for (size_t at = 0; at + NCI_RECORD_SIZE <= size; at += NCI_RECORD_SIZE) {
        nci_order_decode(data + at, &order, &err);
        nci_event_decode(data + at, size & 1, &event, &err);
    }
}

static void read_setup(int kind, nci_unpack *in, ncg_error *err)
{
    nci_joining joining;
    nci_roster roster = {0};
    nci_plan_message plan = {.nforms = 0};
    if (kind == 1)
        nci_joining_unpack(in, &joining, err);
    if (kind == 2)
        nci_roster_unpack(in, &roster, err);
    if (kind == 3 && !nci_plan_message_unpack(in, &plan, err))
        nci_plan_message_fini(&plan);
    nci_free(roster.entries);
}

static void read_run(int kind, nci_unpack *in, ncg_error *err)
{
    nci_put_message put;
    nci_progress_message progress;
    nci_finished_message finished = {0};
    char word[NCI_WORD_SIZE], argument[NCI_WORD_SIZE], *text = NULL;
    int64_t task;
    ncg_error said;
    if (kind == 4)
        nci_put_unpack(in, &put, err);
    if (kind == 5)
        nci_progress_unpack(in, &progress, err);
    if (kind == 6)
        nci_finished_unpack(in, &finished, err);
    nci_finished_message_fini(&finished);
    if (kind == 7)
        nci_failure_unpack(in, &task, &said, err);
    if (kind == 8)
        nci_call_unpack(in, word, argument, err);
    if (kind == 9)
        nci_answer_unpack(in, &said, &text, err);
    nci_free(text);
}

static void read_services(nci_unpack *in, ncg_error *err)
{
    nci_service service;
    nci_service_input input;
    bool is_good = true;
    while (is_good && !nci_service_is_end(in)) {
        is_good = !nci_service_unpack(in, &service, err);
        for (size_t i = 0; is_good && i < service.ninputs; i++)
            is_good = !nci_service_unpack_input(in, &input, err);
    }
}

static void read_service(int kind, nci_unpack *in, ncg_error *err)
{
    int64_t limit;
    nci_header *header = NULL;
    if (kind == 12 && !nci_header_unpack(in, "x.nc", &header, err))
        nci_header_free(&header);
    if (kind == 10)
        nci_opened_unpack(in, &limit, err);
    if (kind == 11)
        read_services(in, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ncg_error err;
    if (!size)
        return 0;
    nci_unpack in = {.data = (const char *)data + 1, .size = size - 1};
    if (data[0] == 0)
        read_records(data + 1, size - 1);
    else if (data[0] < 4)
        read_setup(data[0], &in, &err);
    else if (data[0] > 9)
        read_service(data[0], &in, &err);
    else
        read_run(data[0], &in, &err);
    return 0;
}
