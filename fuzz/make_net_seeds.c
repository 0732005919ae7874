/* SPDX-License-Identifier: BSD-3-Clause */
/* make_net_seeds FOLDER writes the seeds of fuzz_net there: one message of each
 * type as the peer of each kind of connection sends it. */
#include <stdio.h>
#include <string.h>

#include "engine/net/compress.h"
#include "engine/net/wire.h"

static int count;

static void write_seed(const char *folder, int kind, int type, int flags,
                       const void *head, size_t nhead, const void *payload,
                       size_t npayload)
{
    char path[4096];
    uint8_t record[9] = {(uint8_t)kind, 200, (uint8_t)type, (uint8_t)flags, 1};
    nci_put_u16(record + 5, (uint16_t)nhead);
    nci_put_u16(record + 7, (uint16_t)npayload);
    snprintf(path, sizeof path, "%s/net_%d", folder, count++);
    FILE *f = fopen(path, "wb");
    if (!f)
        return;
    fwrite(record, 1, sizeof record, f);
    fwrite(head, 1, nhead, f);
    fwrite(payload, 1, npayload, f);
    fclose(f);
}

static void handshake_seeds(const char *folder)
{
    uint8_t hello_head[NCI_HELLO_SIZE], challenge_head[NCI_CHALLENGE_SIZE];
    uint8_t error_head[NCI_ERROR_SIZE];
    nci_hello hello = {.low = 1, .high = 1, .role = 1, .purpose = 1};
    nci_challenge challenge = {.version = 1, .epoch = 1};
    ncg_error error = {.status = NCG_EAUTH};
    nci_hello_encode(&hello, hello_head);
    nci_challenge_encode(&challenge, challenge_head);
    nci_error_encode(&error, error_head);
    write_seed(folder, 0, NCI_WIRE_HELLO, 0, hello_head, sizeof hello_head, "",
               0);
    write_seed(folder, 1, NCI_WIRE_CHALLENGE, 0, challenge_head,
               sizeof challenge_head, "", 0);
    for (int kind = 0; kind < 5; kind++)
        write_seed(folder, kind, NCI_WIRE_ERROR, 0, error_head,
                   sizeof error_head, "refused", 7);
}

static void data_seeds(const char *folder)
{
    enum { CHUNK = 5000 };
    uint8_t head[NCI_FETCH_MAX_SIZE], bytes[CHUNK] = {0}, packed[CHUNK + 64];
    nci_fetch_request fetch = {.key = {{1, 2}, 3}};
    nci_piece whole = {CHUNK, 0, CHUNK}, half = {CHUNK, 0, CHUNK / 2};
    size_t n = nci_fetch_encode(&fetch, head);
    write_seed(folder, 3, NCI_WIRE_FETCH, 0, head, n, "", 0);
    fetch.part = (nci_part){
        .itemsize = 4, .box = {.rank = 2, .count = {2, 3}}, .shape = {4, 5}};
    n = nci_fetch_encode(&fetch, head);
    write_seed(folder, 3, NCI_WIRE_FETCH, 0, head, n, "", 0);
    write_seed(folder, 3, NCI_WIRE_DROP, 0, "", 0, "", 0);
    nci_piece_encode(&whole, head);
    write_seed(folder, 4, NCI_WIRE_CHUNK, 0, head, NCI_CHUNK_SIZE, bytes,
               CHUNK);
    n = nci_compress(NCG_WIRE_LZ4, 4, bytes, CHUNK, packed);
    write_seed(folder, 4, NCI_WIRE_CHUNK, 2, head, NCI_CHUNK_SIZE, packed, n);
    n = nci_compress(NCG_WIRE_ZSTD, 4, bytes, CHUNK, packed);
    write_seed(folder, 4, NCI_WIRE_CHUNK, 3, head, NCI_CHUNK_SIZE, packed, n);
    nci_piece_encode(&half, head);
    write_seed(folder, 4, NCI_WIRE_CHUNK, 1, head, NCI_CHUNK_SIZE, bytes,
               CHUNK / 2);
}

int main(int argc, char **argv)
{
    static const char text[] = "a payload of some kind, and a head";
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    handshake_seeds(argv[1]);
    data_seeds(argv[1]);
    for (int type = 0; type < 128; type++)
        if (nci_wire_type_name(type))
            write_seed(argv[1], 2, type, type % 2, text, 16, text, sizeof text);
    return 0;
}
