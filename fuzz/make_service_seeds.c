/* SPDX-License-Identifier: BSD-3-Clause */
/* make_service_seeds FOLDER writes seeds of fuzz_service, fuzz_http and
 * fuzz_tls there, into folders of their names. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/cluster/service.h"

static const char *folder;

static void write_seed(const char *fuzzer, int number, const void *bytes,
                       size_t nbytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, fuzzer);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%d", folder, fuzzer, number);
    FILE *f = fopen(path, "wb");
    if (!f)
        return;
    fwrite(bytes, 1, nbytes, f);
    fclose(f);
}

static void write_services(void)
{
    static const nci_service_kind kinds[] = {
        NCI_SERVICE_CALL, NCI_SERVICE_RUN_ON, NCI_SERVICE_RUN,
        NCI_SERVICE_TAKE, NCI_SERVICE_DID,    NCI_SERVICE_READY,
        NCI_SERVICE_ERRED};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        nci_pack pack = {0};
        nci_service s = {.kind = kinds[i], .id = 7, .key = 3, .attempt = 1,
                         .bytes = 100, .name = "org.example.f/1",
                         .where = "10.0.0.1:1", .data = "argument", .ndata = 8,
                         .ninputs = i % 3};
        const nci_service_input input = {5, 40, "10.0.0.2:2"};
        s.error.status = i % 2 ? NCG_EIO : NCG_OK;
        snprintf(s.error.message, sizeof s.error.message, "words");
        nci_service_pack(&pack, &s);
        for (size_t k = 0; k < s.ninputs; k++)
            nci_service_pack_input(&pack, &input);
        write_seed("service", (int)i, pack.text.data, pack.text.length);
        nci_text_fini(&pack.text);
    }
}

int main(int argc, char **argv)
{
    static const char page[] =
        "GET\0/\0" "0123456789abcdef0123456789abcdef\0\0one\0host";
    static const char header[] =
        "HEAD\0/metrics\0\0Bearer 0123456789abcdef0123456789abcdef\0a\0b";
    static const char change[] = "\2\5\0\1\0\1\1";
    static const char hello[] = "\0\26\3\1\0\5\1\0\0\1\0";
    if (argc != 2) {
        fprintf(stderr, "usage: make_service_seeds FOLDER\n");
        return 2;
    }
    folder = argv[1];
    write_services();
    write_seed("http", 0, page, sizeof page);
    write_seed("http", 1, header, sizeof header);
    write_seed("tls", 0, change, sizeof change - 1);
    write_seed("tls", 1, hello, sizeof hello - 1);
    return 0;
}
