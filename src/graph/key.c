/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys and tokens as text. The form of a key is that of a tuple in Python:
 * ('<token>', 0, 4). Input is not trusted. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/tasks.h"

void nci_token_text(nci_token token, char out[33])
{
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)token.high,
             (unsigned long long)token.low);
}

bool nci_token_parse(const char *text, nci_token *out)
{
    uint64_t words[2] = {0};
    for (int i = 0; i < 32; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = text[i] ? strchr(digits, text[i]) : NULL;
        if (!at)
            return false;
        words[i / 16] = words[i / 16] << 4 | (uint64_t)(at - digits);
    }
    if (text[32])
        return false;
    *out = (nci_token){.low = words[1], .high = words[0]};
    return true;
}

char *nci_key_text(const ncg_key *key, char *out, size_t size)
{
    size_t at = 0;
    if (!size)
        return out;
    int n = snprintf(out, size, "('%.32s'", key->layer);
    for (int d = 0; n > 0 && d < key->rank && d < NCG_MAX_RANK; d++) {
        at = at + (size_t)n < size ? at + (size_t)n : size - 1;
        n = snprintf(out + at, size - at, ", %lld", (long long)key->index[d]);
    }
    at = at + (size_t)n < size ? at + (size_t)n : size - 1;
    snprintf(out + at, size - at, key->rank ? ")" : ",)");
    return out;
}

static const char *skip(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

static bool parse_index(const char **at, ncg_key *key)
{
    char *end = NULL;
    if (key->rank == NCG_MAX_RANK)
        return false;
    errno = 0;
    long long value = strtoll(*at, &end, 10);
    if (end == *at || errno || value < 0)
        return false;
    key->index[key->rank++] = value;
    *at = skip(end);
    return true;
}

static bool parse(const char *at, ncg_key *key)
{
    at = skip(at);
    if (*at++ != '(')
        return false;
    at = skip(at);
    char quote = *at;
    size_t n = quote == '\'' || quote == '"' ? strcspn(at + 1, "'\"") : 0;
    if (n != 32 || at[33] != quote)
        return false;
    memcpy(key->layer, at + 1, 32);
    key->layer[32] = '\0';
    nci_token token;
    if (!nci_token_parse(key->layer, &token))
        return false;
    at = skip(at + 34);
    while (*at == ',') {
        at = skip(at + 1);
        if (*at == ')')
            break;
        if (!parse_index(&at, key))
            return false;
    }
    return *at == ')' && !*skip(at + 1);
}

ncg_status nci_key_parse(const char *text, ncg_key *out, ncg_error *err)
{
    ncg_key key = {.rank = 0};
    if (!parse(text, &key))
        return nci_fail(err, NCG_EINVAL,
                        "\"%.100s\" is no key: keys are written like "
                        "('<32 hexadecimal digits>', 0, 4)",
                        text);
    *out = key;
    return NCG_OK;
}
