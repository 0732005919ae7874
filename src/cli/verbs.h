/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_VERBS_H
#define NCI_CLI_VERBS_H
/*
 * The table of verbs: names, keys and help. One entry is all that a new verb
 * needs here; steps.c carries it out.
 */
#include <stdio.h>

#include "cli/cli.h"

typedef enum nci_verb_kind {
    NCI_VERB_SEL,
    NCI_VERB_ISEL,
    NCI_VERB_REDUCE, /* `op` tells which */
    NCI_VERB_QUANTILE, /* quantile and median */
    NCI_VERB_ANOM
} nci_verb_kind;

/* Keys that a verb takes, as bits. */
enum {
    NCI_KEY_BY = 1,
    NCI_KEY_WEIGHTS = 2,
    NCI_KEY_SKIPNA = 4,
    NCI_KEY_MIN_COUNT = 8,
    NCI_KEY_DDOF = 16,
    NCI_KEY_Q = 32,
    NCI_KEY_METHOD = 64
};

typedef struct nci_key {
    unsigned bit;
    const char *name;   /* "by" */
    const char *values; /* "month|season|..." */
    const char *text;   /* one line of help */
} nci_key;

typedef struct nci_verb {
    const char *name;
    nci_verb_kind kind;
    ncg_op op;
    unsigned keys;
    const char *usage;
    const char *summary;
    const char *details;
    const char *examples;
} nci_verb;

/* The tables end with an entry whose name is NULL. */
extern const nci_verb nci_verbs[];
extern const nci_key nci_keys[];

/* nci_verb_find returns NULL for a name that is no verb. */
const nci_verb *nci_verb_find(const char *name);
/* nci_verb_suggest returns a verb or alias near to `name`, or NULL. */
const char *nci_verb_suggest(const char *name);
/* nci_verb_help prints the help of one verb. */
void nci_verb_help(const nci_verb *verb, FILE *to);

/* nci_alias_expand translates a CDO operator ("timmean", "selname,tas,pr") to
 * a step in ncgraph's words. *out is NULL when `word` is no alias; it belongs
 * to the caller. Errors: EINVAL (parameters), EUNSUPPORTED (a CDO operator
 * that means something else than the verb it looks like). */
ncg_status nci_alias_expand(const char *word, char **out, ncg_error *err);
/* nci_alias_list prints the aliases and what they stand for. */
void nci_alias_list(FILE *to);
/* nci_alias_names returns the names for suggestions; ends with NULL. */
const char *const *nci_alias_names(void);

#endif
