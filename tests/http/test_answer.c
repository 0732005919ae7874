/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests and answers: who may ask, what there is, and names of workers that
 * try to be more than names. */
#include "base/mem.h"
#include "engine/http/http.h"
#include "test.h"

static const char token[NCI_HTTP_TOKEN] = "0123456789abcdef0123456789abcdef";
static bool is_out_of_memory;
static const char *worker_name = "one";

static bool fill(void *ctx, nci_report *out)
{
    (void)ctx;
    if (is_out_of_memory)
        return false;
    *out = (nci_report){.cluster = "ab", .epoch = 7, .finished = 3};
    if (!nci_grow(&out->workers, &out->workers_capacity, 2,
                  sizeof *out->workers) ||
        !nci_grow(&out->runs, &out->runs_capacity, 1, sizeof *out->runs)) {
        nci_report_fini(out);
        return false;
    }
    out->nworkers = 2;
    for (int i = 0; i < 2; i++) {
        out->workers[i] = (nci_report_worker){
            .pid = 10 + i, .threads = 4, .limit = 1000, .is_leaving = i == 1};
        snprintf(out->workers[i].name, sizeof out->workers[i].name, "%s",
                 worker_name);
        snprintf(out->workers[i].host, sizeof out->workers[i].host, "h");
    }
    out->nruns = 1;
    out->runs[0] = (nci_report_run){.number = 5, .state = "running"};
    out->runs[0].work = (nci_report_work){.tasks = 9, .done = 4, .running = 2};
    out->past = (nci_report_work){.tasks = 100, .done = 100, .fetched = 77};
    return true;
}

static const nci_http_source source = {NULL, fill};

/* The body is the caller's; NULL where there is none. */
static char *ask(const char *method, const char *path, const char *said,
                 const char *authorization, int *status)
{
    const nci_http_request request = {method, path, said, authorization};
    nci_http_reply reply = {0};
    nci_http_give(&source, token, &request, &reply);
    *status = reply.status;
    if (reply.body)
        assert_int_equal(strlen(reply.body), reply.nbytes);
    else
        assert_int_equal(reply.nbytes, 0);
    assert_non_null(reply.type);
    return reply.body;
}

static int status_of(const char *method, const char *path, const char *said,
                     const char *authorization)
{
    int status = 0;
    nci_free(ask(method, path, said, authorization, &status));
    return status;
}

static void only_the_token_opens(void **state)
{
    (void)state;
    char wrong[NCI_HTTP_TOKEN + 1] = "";
    assert_int_equal(status_of("GET", "/", token, NULL), 200);
    assert_int_equal(status_of("HEAD", "/", token, NULL), 200);
    assert_int_equal(
        status_of("GET", "/", NULL,
                  "Bearer 0123456789abcdef0123456789abcdef"),
        200);
    assert_int_equal(status_of("GET", "/", NULL, NULL), 401);
    assert_int_equal(status_of("GET", "/", "", NULL), 401);
    assert_int_equal(status_of("GET", "/", NULL, "Bearer "), 401);
    assert_int_equal(status_of("GET", "/", NULL, "Basic abc"), 401);
    /* A header that is wrong is not made good by the address. */
    assert_int_equal(status_of("GET", "/", token, "Bearer x"), 401);
    for (int i = 0; i < NCI_HTTP_TOKEN - 1; i++) {
        memcpy(wrong, token, NCI_HTTP_TOKEN);
        wrong[i] ^= 1;
        assert_int_equal(status_of("GET", "/", wrong, NULL), 401);
        memcpy(wrong, token, NCI_HTTP_TOKEN);
        wrong[i] = '\0';
        assert_int_equal(status_of("GET", "/", wrong, NULL), 401);
    }
    memcpy(wrong, token, NCI_HTTP_TOKEN);
    strcat(wrong, "0");
    assert_int_equal(status_of("GET", "/", wrong, NULL), 401);
}

static void nothing_can_be_changed(void **state)
{
    (void)state;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS",
                                          "get", ""};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        assert_int_equal(status_of(methods[i], "/", token, NULL), 405);
    assert_int_equal(status_of(NULL, "/", token, NULL), 405);
}

static void other_paths_are_not_there(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "/x", "//", "/status.json/",
                                        "/../metrics", "/STATUS.JSON"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(status_of("GET", paths[i], token, NULL), 404);
        assert_int_equal(status_of("GET", paths[i], NULL, NULL), 401);
    }
    assert_int_equal(status_of("GET", NULL, token, NULL), 404);
}

static void expect(const char *path, const char *part)
{
    int status = 0;
    char *body = ask("GET", path, token, NULL, &status);
    assert_int_equal(status, 200);
    if (!strstr(body, part))
        fail_msg("%s lacks %s:\n%s", path, part, body);
    nci_free(body);
}

static void it_tells_what_there_is(void **state)
{
    (void)state;
    expect("/status.json", "\"name\": \"one\", \"host\": \"h\", \"pid\": 10");
    expect("/status.json", "\"tasks\": 9, \"done\": 4, \"running\": 2");
    expect("/status.json", "\"finished\": 3");
    expect("/metrics", "\nncgraph_tasks_done_total 104\n");
    expect("/metrics", "\nncgraph_fetched_bytes_total 77\n");
    expect("/metrics", "\nncgraph_workers{state=\"leaving\"} 1\n");
    expect("/metrics",
           "\nncgraph_worker_threads{worker=\"one\",host=\"h\",pid=\"11\"} 4\n");
    expect("/", "<td>one</td>");
}

static void names_stay_names(void **state)
{
    (void)state;
    worker_name = "</td>\"\\\n&'\xff";
    expect("/", "<td>&#60;/td&#62;&#34;\\?&#38;&#39;?</td>");
    expect("/status.json", "\"</td>\\\"\\\\?&'?\"");
    expect("/metrics", "{worker=\"</td>\\\"\\\\?&'?\",host");
    worker_name = "one";
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/status.json", "/metrics"};
    is_out_of_memory = true;
    assert_int_equal(status_of("GET", "/", token, NULL), 503);
    is_out_of_memory = false;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int status = 503;
        for (int n = 1; status != 200; n++) {
            nci_mem_fail_at(n);
            status = status_of("GET", paths[i], token, NULL);
            nci_mem_fail_at(0);
            assert_true(status == 503 || status == 200);
            assert_true(n < 100);
        }
    }
}

/* Of the secret, and of nothing that a dashboard's key does not give. */
static void the_token_follows_from_the_secret(void **state)
{
    (void)state;
    ncg_error err;
    uint8_t secret[NCI_SECRET_SIZE] = {1}, cluster[NCI_CLUSTER_ID_SIZE] = {2};
    nci_keys all, one;
    char a[NCI_HTTP_TOKEN], b[NCI_HTTP_TOKEN];
    CHECK_OK(nci_keys_derive(secret, cluster, &all, &err));
    CHECK_OK(nci_http_token(&all, a, &err));
    assert_int_equal(strspn(a, "0123456789abcdef"), NCI_HTTP_TOKEN - 1);
    nci_keys_of_role(all.role[NCI_PEER_DASHBOARD - 1], NCI_PEER_DASHBOARD,
                     cluster, &one);
    CHECK_OK(nci_http_token(&one, b, &err));
    assert_string_equal(a, b);
    secret[0] = 3;
    CHECK_OK(nci_keys_derive(secret, cluster, &all, &err));
    CHECK_OK(nci_http_token(&all, b, &err));
    assert_string_not_equal(a, b);
}

NCG_TESTS(NCG_TEST(only_the_token_opens), NCG_TEST(nothing_can_be_changed),
          NCG_TEST(other_paths_are_not_there),
          NCG_TEST(it_tells_what_there_is), NCG_TEST(names_stay_names),
          NCG_TEST(without_memory_it_says_so),
          NCG_TEST(the_token_follows_from_the_secret))
