/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

static bool reserve(nci_text *text, size_t more)
{
    if (!text->failed &&
        !nci_grow(&text->data, &text->capacity, text->length + more + 1, 1))
        text->failed = true;
    return !text->failed;
}

void nci_text_add_bytes(nci_text *text, const char *bytes, size_t nbytes)
{
    if (!reserve(text, nbytes))
        return;
    memcpy(text->data + text->length, bytes, nbytes);
    text->length += nbytes;
    text->data[text->length] = '\0';
}

void nci_text_add(nci_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(text, (size_t)n))
        return;
    va_start(args, format);
    vsnprintf(text->data + text->length, (size_t)n + 1, format, args);
    va_end(args);
    text->length += (size_t)n;
}

void nci_text_add_json(nci_text *text, const char *string)
{
    nci_text_add_bytes(text, "\"", 1);
    for (const char *c = string; *c; c++) {
        if (*c == '"' || *c == '\\')
            nci_text_add_bytes(text, "\\", 1);
        nci_text_add_bytes(text, *c < ' ' || *c > '~' ? "?" : c, 1);
    }
    nci_text_add_bytes(text, "\"", 1);
}

char *nci_text_take(nci_text *text)
{
    nci_text_add_bytes(text, "", 0);
    char *data = text->failed ? NULL : text->data;
    if (data)
        text->data = NULL;
    nci_text_fini(text);
    return data;
}

void nci_text_fini(nci_text *text)
{
    nci_free(text->data);
    *text = (nci_text){0};
}

bool nci_strings_add(nci_strings *list, const char *text)
{
    if (!nci_grow(&list->items, &list->capacity, list->count + 1,
                  sizeof *list->items))
        return false;
    char *copy = nci_strdup(text);
    if (!copy)
        return false;
    list->items[list->count++] = copy;
    return true;
}

bool nci_strings_has(const nci_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], text))
            return true;
    return false;
}

bool nci_strings_split(nci_strings *list, const char *text,
                       const char *separators)
{
    while (*(text += strspn(text, separators))) {
        size_t n = strcspn(text, separators);
        char *piece = nci_strndup(text, n);
        bool ok = piece && nci_strings_add(list, piece);
        nci_free(piece);
        if (!ok)
            return false;
        text += n;
    }
    return true;
}

void nci_strings_fini(nci_strings *list)
{
    for (size_t i = 0; i < list->count; i++)
        nci_free(list->items[i]);
    nci_free(list->items);
    *list = (nci_strings){0};
}

enum { SUGGEST_MAX = 64 };

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edit distance where swapping neighbours counts as one edit (optimal string
 * alignment), with three rows; long words count as far. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > SUGGEST_MAX || m > SUGGEST_MAX)
        return SUGGEST_MAX;
    size_t rows[3][SUGGEST_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *up = rows[(i + 2) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least_of(up[j - 1] + (a[i - 1] != b[j - 1]), up[j] + 1,
                              row[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && rows[(i + 1) % 3][j - 2] + 1 < row[j])
                row[j] = rows[(i + 1) % 3][j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

const char *nci_suggest(const char *wrong, const char *const *words,
                        size_t count)
{
    const char *best = NULL;
    size_t least = strlen(wrong) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(wrong, words[i]);
        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

/* Open addressing, doubled at half load; never shrinks, never freed. */
static struct {
    pthread_mutex_t lock; /* guards the rest */
    char **slots;
    size_t count, capacity;
} pool = {PTHREAD_MUTEX_INITIALIZER, NULL, 0, 0};

static size_t find_slot(char **slots, size_t capacity, const char *text)
{
    size_t i = nci_token_of(text, strlen(text)).low & (capacity - 1);
    while (slots[i] && strcmp(slots[i], text))
        i = (i + 1) & (capacity - 1);
    return i;
}

static bool pool_grow_locked(void)
{
    size_t capacity = pool.capacity ? 2 * pool.capacity : 256;
    char **slots = nci_calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < pool.capacity; i++)
        if (pool.slots[i])
            slots[find_slot(slots, capacity, pool.slots[i])] = pool.slots[i];
    nci_free(pool.slots);
    pool.slots = slots;
    pool.capacity = capacity;
    return true;
}

static const char *intern_locked(const char *text)
{
    if (2 * (pool.count + 1) > pool.capacity && !pool_grow_locked())
        return NULL;
    size_t i = find_slot(pool.slots, pool.capacity, text);
    if (!pool.slots[i]) {
        pool.slots[i] = nci_strdup(text);
        pool.count += pool.slots[i] != NULL;
    }
    return pool.slots[i];
}

const char *nci_intern(const char *text)
{
    pthread_mutex_lock(&pool.lock);
    const char *found = intern_locked(text);
    pthread_mutex_unlock(&pool.lock);
    return found;
}

char *nci_format_bytes(double bytes, char out[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t u = 0;
    while (bytes >= 999.95 && u + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000;
        u++;
    }
    snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return out;
}
