/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_CLI_PIPELINE_H
#define NCI_CLI_PIPELINE_H
/*
 * The pipeline that the user wrote: INPUT... [ : VERB word... ]...
 * It is checked as far as possible before any file is opened.
 */
#include "cli/opt.h"
#include "cli/verbs.h"

typedef struct nci_step {
    const nci_verb *verb;
    const char *written; /* the CDO name where one was used, else NULL */
    char **words;        /* after the verb; each owned */
    size_t nwords;
    ncg_reduce_options reduce; /* NCI_VERB_REDUCE, _QUANTILE, _ANOM (by) */
    double *q; /* NCI_VERB_QUANTILE: nq of them; NULL: the median */
    size_t nq;
    const char *method; /* NULL: linear */
    char *dims;                /* what reduce.dims points to */
} nci_step;

typedef struct nci_pipeline {
    char **inputs; /* borrowed from the words */
    size_t ninputs;
    nci_step *steps;
    size_t nsteps;
} nci_pipeline;

/* nci_pipeline_parse reads words [first, words->n). nci_pipeline_fini releases
 * what it set, also after a failure.
 * Errors: EINVAL: unknown verb or key (with a suggestion), bad value. */
ncg_status nci_pipeline_parse(const nci_words *words, size_t first,
                              nci_pipeline *out, ncg_error *err);
void nci_pipeline_fini(nci_pipeline *p);
/* nci_pipeline_text returns the steps with aliases expanded, ": mean time :
 * ..."; the caller frees it. */
char *nci_pipeline_text(const nci_pipeline *p);
/* nci_step_weights returns the variable that a step takes as weights; NULL
 * where it takes none, or a rule such as "area". */
const char *nci_step_weights(const nci_step *step);
/* nci_pipeline_apply derives *out from `in`, which it does not release.
 * `options` gives keepdims and the time stamp. */
ncg_status nci_pipeline_apply(const nci_pipeline *p, const nci_options *options,
                              ncg_dataset *in, ncg_dataset **out,
                              ncg_error *err);

#endif
