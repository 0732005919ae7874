/* SPDX-License-Identifier: BSD-3-Clause */
/* What the processes of a cluster say: every message comes back as it was, and
 * no damaged byte does harm. */
#include "test.h"

#include "base/mem.h"
#include "engine/cluster/service.h"

static void records_come_back(void **state)
{
    ncg_error err;
    uint8_t bytes[NCI_RECORD_SIZE];
    nci_action a = {.kind = NCI_ACTION_FETCH, .task = INT64_C(1) << 40,
                    .attempt = 7, .threads = 3, .from = NCI_CHECKPOINT,
                    .bytes = INT64_C(5) << 33, .status = NCG_EIO}, b;
    nci_event e = {.kind = NCI_EVENT_TASK_DONE, .task = 12, .attempt = 9,
                   .bytes = 1 << 30, .spent = 77, .status = NCG_OK,
                   .fills = 5}, f;
    (void)state;
    nci_order_encode(&a, bytes);
    CHECK_OK(nci_order_decode(bytes, &b, &err));
    assert_int_equal(b.kind, a.kind);
    assert_true(b.task == a.task && b.bytes == a.bytes && b.from == a.from);
    assert_true(b.attempt == 7 && b.threads == 3 && b.status == NCG_EIO);
    nci_event_encode(&e, bytes);
    CHECK_OK(nci_event_decode(bytes, false, &f, &err));
    assert_true(f.kind == e.kind && f.task == 12 && f.attempt == 9);
    assert_true(f.bytes == e.bytes && f.spent == 77 && f.fills == 5);
    e.fills = INT64_C(1) << 40; /* a record has room for less */
    nci_event_encode(&e, bytes);
    CHECK_OK(nci_event_decode(bytes, false, &f, &err));
    assert_int_equal(f.fills, UINT32_MAX);
    /* Nobody says what is not his to say. */
    CHECK_STATUS(NCG_ENET, nci_event_decode(bytes, true, &f, &err));
    e.kind = NCI_EVENT_WORKER_JOINED;
    nci_event_encode(&e, bytes);
    CHECK_STATUS(NCG_ENET, nci_event_decode(bytes, false, &f, &err));
    a.kind = NCI_ACTION_PUT;
    nci_order_encode(&a, bytes);
    CHECK_STATUS(NCG_ENET, nci_order_decode(bytes, &b, &err));
}

static void record_layout(void **state)
{
    static const uint8_t want[NCI_RECORD_SIZE] = {
        NCI_EVENT_TASK_DONE, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
        4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0};
    uint8_t bytes[NCI_RECORD_SIZE];
    nci_event e = {.kind = NCI_EVENT_TASK_DONE, .attempt = 2, .task = 3,
                   .bytes = 4, .spent = 5, .status = NCG_EMISMATCH,
                   .fills = 7};
    (void)state;
    nci_event_encode(&e, bytes);
    assert_memory_equal(bytes, want, sizeof want);
}

static nci_encoding form(void)
{
    nci_encoding f = {.level = 4};
    f.var.dtype = NCG_DTYPE_F32;
    f.var.rank = 2;
    f.var.chunk[0] = 10;
    f.var.chunk[1] = 20;
    f.var.is_chunked = f.var.is_deflated = f.var.is_shuffled = true;
    return f;
}

/* How many services there are, with all their inputs. */
static int read_services(nci_unpack *in)
{
    ncg_error err;
    nci_service service;
    nci_service_input input;
    int n = 0;
    bool is_good = true;
    while (is_good && !nci_service_is_end(in)) {
        is_good = !nci_service_unpack(in, &service, &err);
        for (size_t i = 0; is_good && i < service.ninputs; i++)
            is_good = !nci_service_unpack_input(in, &input, &err);
        n += is_good;
    }
    return n;
}

/* Reads a payload as each kind of message. */
static int read_as_all(const char *bytes, size_t nbytes)
{
    nci_roster roster = {0};
    nci_joining joining;
    nci_plan_message plan;
    nci_put_message put;
    nci_progress_message progress;
    nci_finished_message finished;
    int64_t task, limit;
    ncg_error said, err;
    int good = 0;
    const nci_unpack start = {.data = bytes, .size = nbytes};
    nci_unpack in = start;
    good += !nci_joining_unpack(&in, &joining, &err);
    in = start;
    good += !nci_roster_unpack(&in, &roster, &err);
    nci_free(roster.entries);
    in = start;
    if (!nci_plan_message_unpack(&in, &plan, &err)) {
        nci_plan_message_fini(&plan);
        good++;
    }
    in = start;
    good += !nci_opened_unpack(&in, &limit, &err);
    in = start;
    good += read_services(&in);
    in = start;
    good += !nci_put_unpack(&in, &put, &err);
    in = start;
    good += !nci_progress_unpack(&in, &progress, &err);
    in = start;
    good += !nci_finished_unpack(&in, &finished, &err);
    nci_finished_message_fini(&finished);
    in = start;
    good += !nci_failure_unpack(&in, &task, &said, &err);
    return good;
}

static void torture(nci_pack *pack)
{
    char *bytes = pack->text.data;
    size_t n = pack->text.length;
    assert_false(pack->text.failed);
    assert_true(read_as_all(bytes, n) > 0);
    for (size_t i = 0; i < n; i++) {
        char was = bytes[i];
        read_as_all(bytes, i);
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (char)(was ^ 1 << bit);
            read_as_all(bytes, n);
        }
        bytes[i] = was;
    }
    nci_text_fini(&pack->text);
}

static void messages_come_back(void **state)
{
    ncg_error err;
    nci_pack pack = {0};
    nci_joining j = {.name = "w", .addresses = "a:1,b:2", .host = "h",
                     .threads = 3, .limit = 99, .pid = 4, .left = -1,
                     .checkpoint = "/shared"}, k;
    (void)state;
    nci_joining_pack(&pack, &j);
    nci_unpack in = {.data = pack.text.data, .size = pack.text.length};
    CHECK_OK(nci_joining_unpack(&in, &k, &err));
    assert_string_equal(k.addresses, "a:1,b:2");
    assert_string_equal(k.checkpoint, "/shared");
    assert_true(k.threads == 3 && k.limit == 99 && k.left == -1);
    torture(&pack);

    nci_encoding f = form();
    nci_token keeps[] = {{0, 0}, {3, 4}}, need = {5, 6}, space;
    nci_plan_message p = {.hash = {1, 2}, .retries = 2, .nforms = 1,
                          .forms = &f, .nkeeps = 2, .keeps = keeps,
                          .nneeds = 1, .needs = &need,
                          .bytes = "plan", .nbytes = 4}, q;
    nci_plan_message_pack(&pack, &p);
    in = (nci_unpack){.data = pack.text.data, .size = pack.text.length};
    CHECK_OK(nci_plan_message_unpack(&in, &q, &err));
    assert_true(q.nforms == 1 && q.retries == 2 && q.nbytes == 4);
    assert_memory_equal(q.bytes, "plan", 4);
    assert_true(q.forms[0].level == 4 && q.forms[0].var.chunk_values == 200);
    assert_false(nci_plan_keep(&q, 0, &space));
    assert_false(nci_plan_keep(&q, 2, &space));
    assert_true(nci_plan_keep(&q, 1, &space) && space.low + space.high == 7);
    assert_int_equal(q.nneeds, 1);
    assert_true(nci_token_equal(q.needs[0], need));
    nci_plan_message_fini(&q);
    torture(&pack);

    int64_t limit = 0;
    nci_opened_pack(&pack, keeps[1], 77);
    in = (nci_unpack){.data = pack.text.data, .size = pack.text.length};
    CHECK_OK(nci_opened_unpack(&in, &limit, &err));
    assert_int_equal(limit, 77);
    torture(&pack);
}

static void services_come_back(void **state)
{
    ncg_error err;
    nci_pack pack = {0};
    nci_service one = {.kind = NCI_SERVICE_RUN, .id = 5, .attempt = 2,
                       .name = "f", .data = "bytes", .ndata = 5, .ninputs = 1};
    nci_service two = {.kind = NCI_SERVICE_HAVE, .key = 9, .space = {1, 2},
                       .error = {.status = NCG_EIO, .message = "bad"}}, got;
    nci_service_input input = {.id = 3, .bytes = 8, .where = "a:1"}, back;
    (void)state;
    nci_service_pack(&pack, &one);
    nci_service_pack_input(&pack, &input);
    nci_service_pack(&pack, &two);
    nci_unpack in = {.data = pack.text.data, .size = pack.text.length};
    CHECK_OK(nci_service_unpack(&in, &got, &err));
    assert_true(got.kind == one.kind && got.id == 5 && got.ninputs == 1);
    assert_memory_equal(got.data, "bytes", 5);
    CHECK_OK(nci_service_unpack_input(&in, &back, &err));
    assert_string_equal(back.where, "a:1");
    CHECK_OK(nci_service_unpack(&in, &got, &err));
    assert_true(got.key == 9 && nci_token_equal(got.space, two.space));
    assert_true(got.error.status == NCG_EIO && nci_service_is_end(&in));
    torture(&pack);
}

static void ends_and_errors_come_back(void **state)
{
    ncg_error err, said;
    nci_pack pack = {0};
    nci_finished_message f = {.tasks = 5, .failed = -1, .moved = 8}, g;
    int64_t fills[] = {0, 4, INT64_C(1) << 40};
    f.reads = (nci_io_stats){.chunks_direct = 3, .bytes_disk = 9};
    f.fills = fills;
    f.nfills = 3;
    nci_roster_entry entries[] = {{0, "a:1"}, {7, "b:2"}};
    nci_roster r = {.number = 7, .entries = entries, .count = 2};
    int64_t task;
    (void)state;
    nci_fail(&f.error, NCG_EIO, "a\nb");
    nci_finished_pack(&pack, &f);
    nci_unpack in = {.data = pack.text.data, .size = pack.text.length};
    CHECK_OK(nci_finished_unpack(&in, &g, &err));
    assert_string_equal(g.error.message, "a?b"); /* it goes to a terminal */
    assert_true(g.tasks == 5 && g.moved == 8 && g.failed == -1);
    assert_true(g.reads.chunks_direct == 3 && g.reads.bytes_disk == 9);
    assert_int_equal(g.nfills, 3);
    assert_memory_equal(g.fills, fills, sizeof fills);
    nci_finished_message_fini(&g);
    torture(&pack);
    nci_failure_pack(&pack, 3, &f.error);
    in = (nci_unpack){.data = pack.text.data, .size = pack.text.length};
    CHECK_OK(nci_failure_unpack(&in, &task, &said, &err));
    assert_int_equal(task, 3);
    torture(&pack);
    nci_roster_pack(&pack, &r);
    torture(&pack);
    nci_put_message put = {.task = 1, .bytes = 2, .addresses = "a:1"};
    nci_put_pack(&pack, &put);
    torture(&pack);
    nci_progress_message news = {.done = 1, .waits_for = "workers"};
    nci_progress_pack(&pack, &news);
    torture(&pack);
    nci_reads_pack(&pack, &f.reads);
    torture(&pack);
}

NCG_TESTS(NCG_TEST(records_come_back), NCG_TEST(record_layout),
          NCG_TEST(messages_come_back), NCG_TEST(services_come_back),
          NCG_TEST(ends_and_errors_come_back))
