/* SPDX-License-Identifier: BSD-3-Clause */
/* make_dialogue_seeds FOLDER writes the seeds of fuzz_dialogue there: one
 * message of each kind. */
#include <stdio.h>
#include <string.h>

#include "engine/cluster/header_pack.h"
#include "engine/cluster/service.h"

static const char *folder;

static void write_seed(int kind, const void *bytes, size_t nbytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/dialogue_%d", folder, kind);
    FILE *f = fopen(path, "wb");
    if (!f)
        return;
    fputc(kind, f);
    fwrite(bytes, 1, nbytes, f);
    fclose(f);
}

static void write_pack(int kind, nci_pack *pack)
{
    write_seed(kind, pack->text.data, pack->text.length);
    nci_text_fini(&pack->text);
}

static void write_setup(void)
{
    nci_pack pack = {0};
    nci_joining joining = {.name = "w", .addresses = "a:1,b:2", .host = "h",
                           .threads = 2, .limit = 100, .left = -1};
    nci_roster_entry entries[] = {{0, "a:1"}, {3, "b:2"}};
    nci_roster roster = {.number = 3, .entries = entries, .count = 2};
    nci_encoding form = {.level = 1};
    form.var.dtype = NCG_DTYPE_F32;
    form.var.rank = 1;
    form.var.chunk[0] = 10;
    form.var.is_chunked = true;
    nci_token keep = {1, 2}, need = {3, 4};
    nci_plan_message plan = {.nforms = 1, .forms = &form, .nkeeps = 1,
                             .keeps = &keep, .nneeds = 1, .needs = &need,
                             .bytes = "plan", .nbytes = 4};
    nci_joining_pack(&pack, &joining);
    write_pack(1, &pack);
    nci_roster_pack(&pack, &roster);
    write_pack(2, &pack);
    nci_plan_message_pack(&pack, &plan);
    write_pack(3, &pack);
}

static void write_run(void)
{
    nci_pack pack = {0};
    ncg_error error = {.status = NCG_EIO, .rank = -1, .message = "broken"};
    nci_put_message put = {.task = 1, .bytes = 2, .addresses = "a:1"};
    nci_progress_message progress = {.done = 1, .waits_for = "workers"};
    int64_t fills[] = {0, 7};
    nci_finished_message finished = {
        .error = error, .failed = -1, .fills = fills, .nfills = 2};
    nci_put_pack(&pack, &put);
    write_pack(4, &pack);
    nci_progress_pack(&pack, &progress);
    write_pack(5, &pack);
    nci_finished_pack(&pack, &finished);
    write_pack(6, &pack);
    nci_failure_pack(&pack, 3, &error);
    write_pack(7, &pack);
    nci_call_pack(&pack, "retire", "w");
    write_pack(8, &pack);
    nci_answer_pack(&pack, &error, "text");
    write_pack(9, &pack);
}

static void write_service(void)
{
    nci_pack pack = {0};
    nci_token token = {1, 2};
    nci_service run = {.kind = NCI_SERVICE_RUN, .name = "f", .data = "argument",
                       .ndata = 8, .ninputs = 1};
    nci_service have = {.kind = NCI_SERVICE_HAVE, .key = 1, .space = token};
    nci_service_input input = {.id = 1, .bytes = 2, .where = "a:1"};
    nci_opened_pack(&pack, token, 1000);
    write_pack(10, &pack);
    nci_service_pack(&pack, &run);
    nci_service_pack_input(&pack, &input);
    nci_service_pack(&pack, &have);
    write_pack(11, &pack);
}

static void write_header(void)
{
    const int dims[] = {0, 1};
    nci_pack pack = {0};
    nci_header *header = nci_header_create("x.nc");
    if (header && nci_header_add_dim(header, "time", 3, true) &&
        nci_header_add_dim(header, "lat", 2, false)) {
        nci_var *v = nci_header_add_var(header, "v", NCG_DTYPE_F32, 2, dims);
        if (v) {
            v->storage.layout = NCI_LAYOUT_CHUNKED;
            v->storage.chunk[0] = v->storage.chunk[1] = 1;
            v->storage.nfilters = 1;
            v->storage.filters[0].id = NCI_FILTER_DEFLATE;
            nci_attrs_put(&v->attrs, "units", NCG_DTYPE_CHAR, 1, "K");
        }
        nci_header_pack(&pack, header);
        write_pack(12, &pack);
    }
    nci_header_free(&header);
}

int main(int argc, char **argv)
{
    uint8_t records[2 * NCI_RECORD_SIZE];
    const nci_action order = {.kind = NCI_ACTION_RUN, .threads = 1};
    const nci_event event = {.kind = NCI_EVENT_TASK_DONE, .bytes = 8};
    if (argc != 2) {
        fprintf(stderr, "usage: make_dialogue_seeds FOLDER\n");
        return 2;
    }
    folder = argv[1];
    nci_order_encode(&order, records);
    nci_event_encode(&event, records + NCI_RECORD_SIZE);
    write_seed(0, records, sizeof records);
    write_setup();
    write_run();
    write_service();
    write_header();
    return 0;
}
