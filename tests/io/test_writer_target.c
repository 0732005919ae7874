/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer: what it refuses, and what becomes of the file that is there
 * already, of temporaries and of memory that runs out. */
#include <sys/stat.h>
#include <unistd.h>

#include "written.h"

static void refuse(const nci_header *h, const char *format, const char *part)
{
    nci_write_options options = {format, 1, true};
    nci_writer *writer = NULL;
    CHECK_STATUS(NCG_EUNSUPPORTED, nci_writer_create(in_folder("r.nc"), h,
                                                     &options, &writer, &err));
    CHECK_MESSAGE(part);
    assert_null(writer);
    assert_int_equal(count_in_folder(), 0);
}

static void refuses_what_a_format_lacks(void **state)
{
    (void)state;
    nci_header *h = nci_header_create("none");
    nci_header_add_dim(h, "t", 3, true);
    nci_header_add_var(h, "wide", NCG_DTYPE_I64, 1, (int[]){0});
    refuse(h, "nc3", "wide has dtype i8");
    refuse(h, "nc64", "use nc4 or nc5");
    h->vars[0].dtype = NCG_DTYPE_STRING;
    refuse(h, "nc5", "use nc4");
    h->vars[0].dtype = NCG_DTYPE_F32;
    nci_header_add_var(h, "/g/T", NCG_DTYPE_F32, 1, (int[]){0});
    refuse(h, "nc4c", "/g/T is in a group");
    h->vars[1].name[1] = h->vars[1].name[0] = h->vars[1].name[2] = 'g';
    nci_header_add_dim(h, "s", 2, true);
    refuse(h, "nc5", "t and s are both unlimited");
    h->dims[1].is_unlimited = false;
    nci_header_add_var(h, "late", NCG_DTYPE_F32, 2, (int[]){1, 0});
    refuse(h, "nc3", "must come first");
    nci_writer *writer = NULL;
    nci_write_options options = {"nc7", 1, true};
    CHECK_STATUS(NCG_EINVAL, nci_writer_create(in_folder("r.nc"), h, &options,
                                               &writer, &err));
    CHECK_MESSAGE("nc7");
    nci_header_free(&h);
}

static ncg_status create_at(const char *path, bool overwrite)
{
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, overwrite};
    nci_writer *writer = NULL;
    ncg_status st = nci_writer_create(path, h, &options, &writer, &err);
    nci_writer_abandon(&writer);
    nci_header_free(&h);
    return st;
}

static void refuses_bad_targets(void **state)
{
    (void)state;
    char name[400];
    CHECK_STATUS(NCG_EOUTPUT, create_at(folder, true));
    CHECK_MESSAGE("directory");
    CHECK_STATUS(NCG_EOUTPUT, create_at(in_folder("no/such.nc"), true));
    CHECK_MESSAGE("does not exist");
    CHECK_STATUS(NCG_EOUTPUT, create_at(in_folder("sub/"), true));
    CHECK_STATUS(NCG_EOUTPUT, create_at("", true));
    CHECK_STATUS(NCG_EOUTPUT, create_at("/dev/null", true));
    CHECK_MESSAGE("regular");
    CHECK_STATUS(NCG_EOUTPUT, create_at("/proc/x.nc", true));
    CHECK_MESSAGE("/proc/x.nc");
    snprintf(name, sizeof name, "%s/%0300d.nc", folder, 1);
    CHECK_STATUS(NCG_EOUTPUT, create_at(name, true));
    write_file(in_folder("e.nc"), "nc3", 0);
    CHECK_STATUS(NCG_EOUTPUT, create_at(in_folder("e.nc/x.nc"), true));
    CHECK_STATUS(NCG_EEXISTS, create_at(in_folder("e.nc"), false));
    CHECK_MESSAGE("e.nc exists");
    snprintf(name, sizeof name, "%s/%0250d", folder, 1);
    CHECK_OK(create_at(name, true));
    assert_int_equal(count_in_folder(), 1);
}

static void put_text_file(const char *path)
{
    FILE *file = fopen(path, "w");
    fputs("old", file);
    fclose(file);
}

static void expect_text_file(const char *path)
{
    char text[8] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "old");
}

static void an_old_file_stays_until_the_end(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, true};
    nci_writer *writer = NULL;
    put_text_file(in_folder("o.nc"));
    assert_int_equal(chmod(in_folder("o.nc"), 0640), 0);
    assert_int_equal(symlink("o.nc", in_folder("link.nc")), 0);
    CHECK_OK(
        nci_writer_create(in_folder("link.nc"), h, &options, &writer, &err));
    CHECK_OK(put_all(writer, h));
    expect_text_file(in_folder("o.nc"));
    nci_writer_abandon(&writer);
    expect_text_file(in_folder("o.nc"));
    CHECK_OK(
        nci_writer_create(in_folder("link.nc"), h, &options, &writer, &err));
    CHECK_OK(put_all(writer, h));
    CHECK_OK(nci_writer_finish(&writer, &err));
    check_file(in_folder("o.nc"), 1, true);
    struct stat info;
    assert_int_equal(stat(in_folder("o.nc"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    assert_int_equal(lstat(in_folder("link.nc"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(count_in_folder(), 2);
    nci_header_free(&h);
}

static void a_file_that_appears_is_kept(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, false};
    nci_writer *writer = NULL;
    CHECK_OK(nci_writer_create(in_folder("m.nc"), h, &options, &writer, &err));
    CHECK_OK(put_all(writer, h));
    put_text_file(in_folder("m.nc"));
    CHECK_STATUS(NCG_EEXISTS, nci_writer_finish(&writer, &err));
    CHECK_MESSAGE("m.nc");
    nci_writer_abandon(&writer);
    expect_text_file(in_folder("m.nc"));
    assert_int_equal(count_in_folder(), 1);
    nci_header_free(&h);
}

static void temporaries_go(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, false};
    nci_writer *writer[3] = {NULL};
    for (int i = 0; i < 3; i++)
        CHECK_OK(nci_writer_create(in_folder(i ? "t.nc" : "s.nc"), h, &options,
                                   &writer[i], &err));
    assert_int_equal(count_in_folder(), 3);
    nci_writer_remove_temporaries();
    assert_int_equal(count_in_folder(), 0);
    for (int i = 0; i < 3; i++)
        nci_writer_abandon(&writer[i]);
    nci_writer_abandon(&writer[0]);
    nci_header_free(&h);
}

static void order_is_checked(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, false};
    nci_writer *writer = NULL;
    nci_buf *buf = NULL;
    float *values = make_values(NCG_DTYPE_F32, 3 * 20 * NX);
    CHECK_OK(nci_writer_create(in_folder("b.nc"), h, &options, &writer, &err));
    CHECK_OK(nci_writer_encode(writer, 1, (int64_t[]){3, 20, NX}, values, &buf,
                               &err));
    CHECK_STATUS(NCG_EBUG,
                 nci_writer_put(writer, 1, (int64_t[]){0, 1, 0}, buf, &err));
    CHECK_OK(nci_writer_put(writer, 1, (int64_t[]){0, 0, 0}, buf, &err));
    CHECK_STATUS(NCG_EBUG,
                 nci_writer_put(writer, 1, (int64_t[]){0, 0, 0}, buf, &err));
    CHECK_STATUS(NCG_EBUG,
                 nci_writer_put(writer, 1, (int64_t[]){0, 9, 0}, buf, &err));
    CHECK_STATUS(NCG_EBUG, nci_writer_put_var(writer, 1, values, &err));
    nci_buf_release(&buf);
    CHECK_STATUS(NCG_EBUG, nci_writer_encode(writer, 1, (int64_t[]){4, 1, 1},
                                             values, &buf, &err));
    CHECK_STATUS(NCG_EBUG, nci_writer_finish(&writer, &err));
    nci_writer_abandon(&writer);
    free(values);
    nci_header_free(&h);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    nci_header *h = make_header(false);
    nci_write_options options = {"nc4", 1, true};
    bool is_done = false;
    for (int64_t n = 1; !is_done; n++) {
        nci_writer *writer = NULL;
        nci_mem_fail_at(n);
        ncg_status st =
            nci_writer_create(in_folder("n.nc"), h, &options, &writer, &err);
        nci_mem_fail_at(0);
        is_done = !st;
        if (st)
            assert_int_equal(st, NCG_ENOMEM);
        nci_writer_abandon(&writer);
        assert_int_equal(count_in_folder(), 0);
    }
    nci_header_free(&h);
}

NCG_TESTS(IN_FOLDER(refuses_what_a_format_lacks),
          IN_FOLDER(refuses_bad_targets),
          IN_FOLDER(an_old_file_stays_until_the_end),
          IN_FOLDER(a_file_that_appears_is_kept), IN_FOLDER(temporaries_go),
          IN_FOLDER(order_is_checked), IN_FOLDER(memory_may_run_out))
