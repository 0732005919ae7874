/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_MODULE_OPEN_H
#define NCI_ENGINE_LAUNCH_MODULE_OPEN_H
/* Parts that are loaded only where they are needed. */

/* nci_module_open loads the module of a file name; NULL: it is not there or
 * does not load. It lies beside the library (or the command), or in the folder
 * ncgraph of the library's folder; NCGRAPH_MODULE_DIR names another folder. Any
 * thread. */
void *nci_module_open(const char *name);

#endif
