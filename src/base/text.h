/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_TEXT_H
#define NCI_BASE_TEXT_H
/* Text under construction, lists of words, suggestions, interned strings. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A growing text. `failed` remembers that memory ran out; check it once at the
 * end. Zero-initialise. */
typedef struct nci_text {
    char *data; /* terminated when not NULL */
    size_t length, capacity;
    bool failed;
} nci_text;

void nci_text_add(nci_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void nci_text_add_bytes(nci_text *text, const char *bytes, size_t nbytes);
/* nci_text_add_json adds a string in quotes, as JSON has it. What is no
 * printable ASCII becomes question marks: names need not be UTF-8. */
void nci_text_add_json(nci_text *text, const char *string);
/* nci_text_take returns the text (never NULL unless memory ran out), which the
 * caller frees with nci_free; *text is empty after. */
char *nci_text_take(nci_text *text);
void nci_text_fini(nci_text *text);

/* A growing list of owned strings. Zero-initialise. */
typedef struct nci_strings {
    char **items;
    size_t count, capacity;
} nci_strings;

/* nci_strings_add appends a copy; false when memory is out. */
bool nci_strings_add(nci_strings *list, const char *text);
bool nci_strings_has(const nci_strings *list, const char *text);
/* nci_strings_split appends the non-empty pieces between any of `separators`.
 */
bool nci_strings_split(nci_strings *list, const char *text,
                       const char *separators);
void nci_strings_fini(nci_strings *list);

/* nci_suggest returns the word of the list nearest to `wrong`, or NULL when
 * none is near (edit distance above a third of the length plus one). */
const char *nci_suggest(const char *wrong, const char *const *words,
                        size_t count);

/* nci_intern returns a string of equal content that lives as long as the
 * process; NULL when memory is out. Any thread. Values of dtype STRING are
 * interned, so arrays of them can be copied as plain pointers. */
const char *nci_intern(const char *text);

/* nci_format_bytes writes "12.3 GB" to `out` of 32 bytes and returns it. */
char *nci_format_bytes(double bytes, char out[32]);

#endif
