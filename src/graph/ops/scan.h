/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_OPS_SCAN_H
#define NCI_GRAPH_OPS_SCAN_H
/*
 * Parameters of the kernel "ncg.scan/1", as 64-bit integers in this order. Its
 * inputs: the array; where there is something before it (behind it, for a
 * reverse scan) the scanned total up to there, one position along the axis;
 * for fills with a limit also the position of the last value.
 */
typedef enum nci_scan_param {
    NCI_SCAN_PARAM_OP,
    NCI_SCAN_PARAM_AXIS,
    NCI_SCAN_PARAM_SKIPNA,
    NCI_SCAN_PARAM_MODE,
    NCI_SCAN_PARAM_LIMIT, /* 0: none */
    NCI_SCAN_NPARAMS
} nci_scan_param;

typedef enum nci_scan_mode {
    NCI_SCAN_APPLY, /* the scanned array */
    NCI_SCAN_TOTAL, /* what a scan ends with: one position along the axis */
    NCI_SCAN_WHERE  /* the position of the last value, -1: none */
} nci_scan_mode;

#endif
