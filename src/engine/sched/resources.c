/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/sched/resources.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " ,\t";

static ncg_status wrong(const char *word, size_t length, ncg_error *err)
{
    return nci_fail(err, NCG_EINVAL,
                    "'%.*s' is no resource: words like GPU=2, at most %d, each "
                    "name once",
                    (int)(length < 60 ? length : 60), word,
                    (int)NCI_RESOURCES_MOST);
}

static nci_resource *find(const nci_resources *r, const char *name)
{
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->items[i].name, name))
            return (nci_resource *)&r->items[i];
    return NULL;
}

static ncg_status read_word(const char *word, size_t length, nci_resources *out,
                            ncg_error *err)
{
    const double most = 1e9;
    const char *sign = memchr(word, '=', length);
    size_t nname = sign ? (size_t)(sign - word) : 0;
    nci_resource one = {.amount = 0};
    char *end = NULL;
    if (!nname || nname >= sizeof one.name || out->count == NCI_RESOURCES_MOST)
        return wrong(word, length, err);
    memcpy(one.name, word, nname);
    double amount = strtod(sign + 1, &end);
    if (end != word + length || !(amount >= 1e-6 && amount <= most) ||
        find(out, one.name))
        return wrong(word, length, err);
    one.amount = (int64_t)(amount * 1e6 + 0.5);
    out->items[out->count++] = one;
    return NCG_OK;
}

ncg_status nci_resources_read(const char *text, nci_resources *out,
                              ncg_error *err)
{
    *out = (nci_resources){.count = 0};
    if (!text)
        return NCG_OK;
    if (strlen(text) >= NCI_RESOURCES_TEXT)
        return nci_fail(err, NCG_EINVAL, "resources of more than %d bytes",
                        (int)NCI_RESOURCES_TEXT - 1);
    for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
        size_t length = strcspn(text, blanks);
        NCI_TRY(read_word(text, length, out, err));
        text += length;
    }
    return NCG_OK;
}

bool nci_resources_have(const nci_resources *has, const nci_resources *needs)
{
    for (int i = 0; i < needs->count; i++) {
        const nci_resource *mine = find(has, needs->items[i].name);
        if (!mine || mine->amount < needs->items[i].amount)
            return false;
    }
    return true;
}

void nci_resources_add(nci_resources *to, const nci_resources *more, int sign)
{
    for (int i = 0; i < more->count; i++) {
        nci_resource *mine = find(to, more->items[i].name);
        if (mine)
            mine->amount += sign * more->items[i].amount;
    }
}

bool nci_resources_equal(const nci_resources *a, const nci_resources *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++) {
        const nci_resource *other = find(b, a->items[i].name);
        same = other && other->amount == a->items[i].amount;
    }
    return same;
}
