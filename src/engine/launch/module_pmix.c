/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ncgraph_launch.so: the peers by PMIx, without MPI_Init (which takes four
 * times as long), and the cores of the machine by hwloc.
 */
#include "engine/launch/module.h"

#include <hwloc.h>
#include <pmix.h>
#include <stdio.h>
#include <string.h>

static const char key[] = "ncgraph.launch";
static pmix_proc_t me;
static nci_peers peers;

static int failed(const char *what, pmix_status_t rc, char *why, size_t nwhy)
{
    snprintf(why, nwhy, "%s: %s", what, PMIx_Error_string(rc));
    return 1;
}

/* A number that the launcher knows about the job or this process. */
static int known(uint32_t rank, const char *name, int otherwise)
{
    pmix_proc_t proc;
    pmix_value_t *value = NULL;
    int n = otherwise;
    PMIX_LOAD_PROCID(&proc, me.nspace, rank);
    if (PMIx_Get(&proc, name, NULL, 0, &value) != PMIX_SUCCESS || !value)
        return otherwise;
    if (value->type == PMIX_UINT32)
        n = (int)value->data.uint32;
    else if (value->type == PMIX_UINT16)
        n = value->data.uint16;
    PMIX_VALUE_RELEASE(value);
    return n;
}

static int start(nci_peers *out, char *why, size_t nwhy)
{
    pmix_status_t rc = PMIx_Init(&me, NULL, 0);
    if (rc != PMIX_SUCCESS)
        return failed("PMIx_Init", rc, why, nwhy);
    peers.rank = (int)me.rank;
    peers.size = known(PMIX_RANK_WILDCARD, PMIX_JOB_SIZE, 1);
    peers.local_size = known(PMIX_RANK_WILDCARD, PMIX_LOCAL_SIZE, 1);
    peers.local_rank = known(me.rank, PMIX_LOCAL_RANK, 0);
    *out = peers;
    return 0;
}

static pmix_status_t publish(const void *bytes, size_t nbytes)
{
    pmix_value_t value;
    PMIX_VALUE_CONSTRUCT(&value);
    value.type = PMIX_BYTE_OBJECT;
    value.data.bo.bytes = (char *)bytes;
    value.data.bo.size = nbytes;
    pmix_status_t rc = PMIx_Put(PMIX_GLOBAL, key, &value);
    return rc == PMIX_SUCCESS ? PMIx_Commit() : rc;
}

static int receive(void *bytes, size_t nbytes, char *why, size_t nwhy)
{
    pmix_proc_t first;
    pmix_value_t *value = NULL;
    PMIX_LOAD_PROCID(&first, me.nspace, 0);
    pmix_status_t rc = PMIx_Get(&first, key, NULL, 0, &value);
    if (rc != PMIX_SUCCESS || !value)
        return failed("PMIx_Get", rc, why, nwhy);
    int is_good = value->type == PMIX_BYTE_OBJECT &&
                  value->data.bo.size == nbytes;
    if (is_good)
        memcpy(bytes, value->data.bo.bytes, nbytes);
    else
        snprintf(why, nwhy, "rank 0 is another version of ncgraph");
    PMIX_VALUE_RELEASE(value);
    return !is_good;
}

/* The fence brings what was put to every machine. */
static int share(void *bytes, size_t nbytes, char *why, size_t nwhy)
{
    pmix_info_t info;
    bool collect = true;
    pmix_status_t rc = PMIX_SUCCESS;
    if (peers.rank == 0)
        rc = publish(bytes, nbytes);
    if (rc != PMIX_SUCCESS)
        return failed("PMIx_Put", rc, why, nwhy);
    PMIX_INFO_CONSTRUCT(&info);
    PMIX_INFO_LOAD(&info, PMIX_COLLECT_DATA, &collect, PMIX_BOOL);
    rc = PMIx_Fence(NULL, 0, &info, 1);
    PMIX_INFO_DESTRUCT(&info);
    if (rc != PMIX_SUCCESS)
        return failed("PMIx_Fence", rc, why, nwhy);
    return peers.rank == 0 ? 0 : receive(bytes, nbytes, why, nwhy);
}

static void finish(void)
{
    PMIx_Finalize(NULL, 0);
}

static void cores(int *mine, int *machine)
{
    hwloc_topology_t topology;
    *mine = *machine = 0;
    if (hwloc_topology_init(&topology))
        return;
    hwloc_cpuset_t set = hwloc_bitmap_alloc();
    if (set && !hwloc_topology_load(topology)) {
        *machine = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
        if (!hwloc_get_cpubind(topology, set, HWLOC_CPUBIND_PROCESS))
            for (int i = 0; i < *machine; i++) {
                hwloc_obj_t core =
                    hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE,
                                          (unsigned)i);
                *mine += hwloc_bitmap_intersects(core->cpuset, set);
            }
    }
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(topology);
}

extern const nci_launch_module ncg_launch_module;
__attribute__((visibility("default")))
const nci_launch_module ncg_launch_module = {
    NCI_LAUNCH_MODULE_VERSION, start, share, finish, cores};
