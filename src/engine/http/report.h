/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_HTTP_REPORT_H
#define NCI_ENGINE_HTTP_REPORT_H
/*
 * What a cluster looks like at one moment, and the three ways to write it down.
 * Names in it come from workers and may hold any bytes. Any thread.
 */
#include "base/text.h"
#include "engine/net/net.h"

enum { NCI_REPORT_HOST = 256 };

typedef struct nci_report_worker {
    char name[NCI_NAME_SIZE + 1], host[NCI_REPORT_HOST];
    char resources[NCI_REPORT_HOST]; /* "": none */
    int64_t pid;
    int threads;
    int64_t limit;
    int64_t memory;         /* booked by the computation under way */
    int64_t running, sent;  /* tasks there: with all inputs; with or without */
    int64_t queued;         /* tasks meant for it that the scheduler keeps */
    bool is_leaving, is_silent;
} nci_report_worker;

/* Sums; `running`, `waiting`, `held` and `memory` are of this moment. */
typedef struct nci_report_work {
    int64_t tasks;   /* of the plan; 0: not known yet */
    int64_t done;
    int64_t running;
    int64_t waiting; /* known to the scheduler, not done, not running */
    int64_t memory;
    int64_t fetched, moved, spilled; /* bytes */
    int64_t recomputed, stolen;      /* tasks */
    int64_t chunks_read, bytes_read, bytes_decoded;
} nci_report_work;

typedef struct nci_report_run {
    uint32_t number;
    const char *state;
    char waits_for[64]; /* "": nothing */
    nci_report_work work;
} nci_report_run;

/* Functions of programs (futures) and what stays on workers between runs. */
typedef struct nci_report_values {
    int64_t waiting, queued, running, failed;
    int64_t values, chunks, bytes; /* held */
} nci_report_values;

typedef struct nci_report {
    char cluster[33]; /* its id, in hex */
    uint64_t epoch;
    double uptime; /* s */
    nci_report_worker *workers;
    size_t nworkers, workers_capacity;
    nci_report_run *runs; /* the first is under way */
    size_t nruns, runs_capacity;
    int64_t finished, failed, canceled; /* computations */
    nci_report_work past;               /* of those */
    nci_report_values values;
    nci_net_stats net;
} nci_report;

void nci_report_fini(nci_report *report);
/* nci_report_total adds up what is over and what is under way. */
nci_report_work nci_report_total(const nci_report *report);

void nci_report_json(const nci_report *report, nci_text *text);
/* nci_report_metrics writes Prometheus' text format, version 0.0.4. */
void nci_report_metrics(const nci_report *report, nci_text *text);
/* nci_report_page writes one page of HTML, without scripts. */
void nci_report_page(const nci_report *report, nci_text *text);

#endif
