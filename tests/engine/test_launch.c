/* SPDX-License-Identifier: BSD-3-Clause */
/* What launchers say in the environment, scheduler.json and its bad forms,
 * limits of control groups. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "engine/launch/machine.h"
#include "engine/launch/ranks.h"
#include "engine/launch/scheduler_file.h"
#include "engine/launch/walltime.h"

/* ---- ranks --------------------------------------------------------------- */

static const char *const *setting; /* name, value, ..., NULL */

static char *look(const char *name)
{
    for (const char *const *at = setting; *at; at += 2)
        if (!strcmp(at[0], name))
            return (char *)(uintptr_t)at[1];
    return NULL;
}

static nci_ranks detect(const char *const *environment)
{
    nci_ranks ranks;
    setting = environment;
    nci_ranks_detect(look, &ranks);
    return ranks;
}

static void alone_without_launcher(void **state)
{
    static const char *const nothing[] = {NULL};
    static const char *const batch[] = {"SLURM_NTASKS", "8", "SLURM_PROCID",
                                        "0", NULL};
    static const char *const odd[] = {"PMI_SIZE", "many", NULL};
    (void)state;
    assert_int_equal(detect(nothing).size, 1);
    assert_int_equal(detect(batch).size, 1);
    assert_int_equal(detect(odd).size, 1);
}

static void ranks_of_launchers(void **state)
{
    static const char *const mpirun[] = {"PMIX_NAMESPACE", "job",
                                         "OMPI_COMM_WORLD_SIZE", "4",
                                         "OMPI_COMM_WORLD_RANK", "3",
                                         "OMPI_COMM_WORLD_LOCAL_SIZE", "2",
                                         "OMPI_COMM_WORLD_LOCAL_RANK", "1",
                                         /* mpirun's own srun: */
                                         "SLURM_STEP_NUM_TASKS", "2", NULL};
    static const char *const srun[] = {"SLURM_STEP_NUM_TASKS", "6",
                                       "SLURM_PROCID", "5", NULL};
    static const char *const hydra[] = {"PMI_SIZE", "3", "PMI_RANK", "2", NULL};
    (void)state;
    nci_ranks r = detect(mpirun);
    assert_true(r.has_pmix);
    assert_int_equal(r.size, 4);
    assert_int_equal(r.rank, 3);
    assert_int_equal(r.local_size, 2);
    assert_int_equal(r.local_rank, 1);
    r = detect(srun);
    assert_true(r.has_slurm && !r.has_pmix);
    assert_int_equal(r.size, 6);
    assert_int_equal(r.rank, 5);
    r = detect(hydra);
    assert_int_equal(r.size, 3);
    assert_int_equal(r.rank, 2);
}

static void lonely_tasks_learn_the_remedy(void **state)
{
    ncg_error err;
    nci_ranks srun = {.size = 2, .has_slurm = true}, other = {.size = 4};
    (void)state;
    CHECK_STATUS(NCG_EINVAL, nci_ranks_lonely(&srun, NULL, &err));
    CHECK_MESSAGE("2 tasks were started and cannot find each other");
    CHECK_MESSAGE("srun --mpi=pmix");
    CHECK_STATUS(NCG_EINVAL, nci_ranks_lonely(&other, "no module", &err));
    CHECK_MESSAGE("(no module)");
    CHECK_MESSAGE("mpirun");
}

/* ---- scheduler.json ------------------------------------------------------ */

static char folder[] = "/tmp/ncg_launch_XXXXXX";
static char path[64], key[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/s.json", folder);
    snprintf(key, sizeof key, "%s/s.json.key", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(key);
    return rmdir(folder);
}

static nci_scheduler_file sample(void)
{
    nci_scheduler_file f = {.epoch = 3, .pid = 77};
    memset(f.cluster, 0xab, sizeof f.cluster);
    memset(f.secret, 0x17, sizeof f.secret);
    strcpy(f.host, "node1");
    strcpy(f.addresses, "10.1.2.3:4711,127.0.0.1:4711");
    return f;
}

static void put_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static mode_t mode_of(const char *name)
{
    struct stat info;
    assert_int_equal(stat(name, &info), 0);
    return info.st_mode & 0777;
}

static void file_comes_back(void **state)
{
    ncg_error err;
    nci_scheduler_file a = sample(), b;
    (void)state;
    CHECK_OK(nci_scheduler_file_write(path, &a, &err));
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(mode_of(key), 0600);
    CHECK_OK(nci_scheduler_file_read(path, &b, &err));
    assert_memory_equal(a.cluster, b.cluster, sizeof a.cluster);
    assert_memory_equal(a.secret, b.secret, sizeof a.secret);
    assert_int_equal(b.epoch, 3);
    assert_int_equal(b.pid, 77);
    assert_string_equal(a.host, b.host);
    assert_string_equal(a.addresses, b.addresses);
    assert_string_equal(b.http, "");
    /* Another cluster's file stays. */
    a.epoch = 4;
    nci_scheduler_file_remove(path, &a);
    assert_int_equal(access(path, F_OK), 0);
    nci_scheduler_file_remove(path, &b);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(key, F_OK), 0);
}

static void others_may_not_read_the_secret(void **state)
{
    ncg_error err;
    nci_scheduler_file a = sample(), b;
    (void)state;
    CHECK_OK(nci_scheduler_file_write(path, &a, &err));
    assert_int_equal(chmod(key, 0640), 0);
    CHECK_STATUS(NCG_EAUTH, nci_scheduler_file_read(path, &b, &err));
    CHECK_MESSAGE("chmod 600");
}

static void bad_files_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "{", "[]", "{\"ncgraph\": 1}",
        "{\"ncgraph\": 9, \"cluster\": \"00\"}",
        "{\"ncgraph\":1,\"cluster\":\"zz\",\"epoch\":1,\"host\":\"a\","
        "\"pid\":1,\"addresses\":[\"a:1\"],\"secret_file\":\"/x\"}",
        "{\"ncgraph\":1,\"cluster\":\"00112233445566778899aabbccddeeff\","
        "\"epoch\":1,\"host\":\"a\",\"pid\":1,\"addresses\":[],"
        "\"secret_file\":\"/x\"}",
        "{\"ncgraph\":1,\"cluster\":\"00112233445566778899aabbccddeeff\","
        "\"epoch\":1,\"host\":\"a\",\"pid\":1,\"addresses\":[\"a:1,b:2\"],"
        "\"secret_file\":\"/x\"}"};
    ncg_error err;
    nci_scheduler_file b;
    (void)state;
    CHECK_STATUS(NCG_ENOTFOUND,
                 nci_scheduler_file_read("/nonexistent/s.json", &b, &err));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(path, bad[i]);
        CHECK_STATUS(NCG_ECORRUPT, nci_scheduler_file_read(path, &b, &err));
        CHECK_MESSAGE(path);
    }
    CHECK_STATUS(NCG_ECORRUPT, nci_scheduler_file_read(folder, &b, &err));
    CHECK_STATUS(NCG_ECORRUPT,
                 nci_scheduler_file_wait(path, 0.15, &b, &err));
    nci_scheduler_file a = sample();
    CHECK_STATUS(NCG_EOUTPUT,
                 nci_scheduler_file_write("/nonexistent/s.json", &a, &err));
}

/* ---- handing over -------------------------------------------------------- */

static void nobodys_child_is_alone(void **state)
{
    ncg_error err;
    nci_handover h, one, two;
    (void)state;
    setenv(NCI_HANDOVER_VARIABLE, "999", 1);
    CHECK_STATUS(NCG_EINVAL, nci_handover_take(&h, &err));
    CHECK_MESSAGE(NCI_HANDOVER_VARIABLE);
    CHECK_OK(nci_handover_take(&h, &err));
    assert_int_equal(h.role, NCI_CHILD_NONE);
    CHECK_OK(nci_handover_init(&one, &err));
    CHECK_OK(nci_handover_init(&two, &err));
    assert_memory_not_equal(one.secret, two.secret, sizeof one.secret);
    assert_memory_not_equal(one.cluster, two.cluster, sizeof one.cluster);
}

/* ---- machine ------------------------------------------------------------- */

static void limit(const char *place, const char *bytes)
{
    char name[256], command[300];
    snprintf(name, sizeof name, "%s/%s", folder, place);
    snprintf(command, sizeof command, "mkdir -p $(dirname %s)", name);
    assert_int_equal(system(command), 0);
    put_text(name, bytes);
}

static void group_limits_count_upwards(void **state)
{
    char command[64];
    (void)state;
    limit("a/b/memory.max", "max\n");
    limit("a/memory.max", "5000\n");
    limit("memory.max", "9000\n");
    assert_int_equal(nci_machine_cgroup_limit(folder, "0::/a/b\n"), 5000);
    assert_int_equal(nci_machine_cgroup_limit(folder, "0::/\n"), 9000);
    limit("memory/x/memory.limit_in_bytes", "700\n");
    assert_int_equal(
        nci_machine_cgroup_limit(folder, "3:cpu:/x\n2:memory:/x/y\n"), 700);
    assert_int_equal(nci_machine_cgroup_limit("/nonexistent", "junk\n:\n0:"),
                     0);
    snprintf(command, sizeof command, "rm -r %s/*", folder);
    assert_int_equal(system(command), 0);
    assert_true(nci_machine_memory() > 0);
    assert_true(nci_machine_threads() > 0);
}

/* ---- the end of a job ---------------------------------------------------- */

static void slurm_says_when(void **state)
{
    double left = -1;
    setenv("TZ", "UTC", 1);
    (void)state;
    assert_true(nci_walltime_slurm_left(
        "JobId=5 JobName=w Deadline=N/A\n   StartTime=2026-11-23T10:00:00 "
        "EndTime=2026-11-23T11:00:30 Deadline=N/A\n",
        1795431600 - 3600, &left));
    assert_int_equal((int)left, 3600 + 30);
    assert_true(nci_walltime_slurm_left("EndTime=2026-11-23T11:00:00",
                                        1795431600 + 5, &left));
    assert_int_equal((int)left, 0);
    assert_false(nci_walltime_slurm_left("EndTime=Unknown", 1, &left));
    assert_false(nci_walltime_slurm_left("SuspendEndTime=2026-11-23T11:00:00",
                                         1, &left));
    assert_false(nci_walltime_slurm_left("", 1, &left));
}

static void pbs_says_how_long(void **state)
{
    double left = -1;
    setenv("TZ", "UTC", 1);
    (void)state;
    assert_true(nci_walltime_pbs_left(
        "Job Id: 7.host\n    Resource_List.walltime = 01:30:00\n"
        "    stime = Mon Nov 23 11:00:00 2026\n",
        1795431600 + 60, &left));
    assert_int_equal((int)left, 5400 - 60);
    assert_true(nci_walltime_pbs_left(
        "\tstart_time = Mon Nov 23 11:00:00 2026\n"
        "\tResource_List.walltime = 1:00:00:00\n",
        1795431600, &left));
    assert_int_equal((int)left, 86400);
    assert_true(
        nci_walltime_pbs_left("Resource_List.walltime = 90", 1000, &left));
    assert_int_equal((int)left, 90);
    assert_false(nci_walltime_pbs_left("Resource_List.walltime = long", 1,
                                       &left));
    assert_false(nci_walltime_pbs_left("resources_used.walltime = 00:10:00",
                                       1, &left));
}

static void environments_say_when(void **state)
{
    char end[32];
    double left = -1;
    const char *const slurm[] = {"SLURM_JOB_ID", "7", "SLURM_JOB_END_TIME",
                                 end, NULL};
    static const char *const nothing[] = {NULL};
    (void)state;
    snprintf(end, sizeof end, "%lld", (long long)time(NULL) + 1000);
    setting = slurm;
    assert_true(nci_walltime_left(look, &left));
    assert_true(left > 900 && left <= 1000);
    setting = nothing;
    assert_false(nci_walltime_left(look, &left));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(alone_without_launcher),
        NCG_TEST(ranks_of_launchers),
        NCG_TEST(lonely_tasks_learn_the_remedy),
        NCG_TEST(file_comes_back),
        NCG_TEST(others_may_not_read_the_secret),
        NCG_TEST(bad_files_are_refused),
        NCG_TEST(nobodys_child_is_alone),
        NCG_TEST(group_limits_count_upwards),
        NCG_TEST(slurm_says_when),
        NCG_TEST(pbs_says_how_long),
        NCG_TEST(environments_say_when),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
