/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of the writer are read by the programs that people use: ncdump, CDO,
 * NCO, and are no larger than nccopy makes them. */
#include "io/write/writer.h"

#include <sys/stat.h>

#include "base/grid.h"
#include "folder.h"

enum { NT = 24, NY = 90, NX = 180 };

static ncg_error err;

/* Runs a shell command in the directory; -1 where the program is missing. */
static int run(const char *program, const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "command -v %s > /dev/null", program);
    if (system(line)) {
        print_message("not run: %s is not installed\n", program);
        return -1;
    }
    snprintf(line, sizeof line, "cd %s && { %s; } > log 2>&1", folder, command);
    if (!system(line))
        return 0;
    snprintf(line, sizeof line, "cat %s/log", folder);
    return system(line) ? 2 : 1;
}

static void add_coordinate(nci_header *h, int dim, const char *units)
{
    nci_var *v = nci_header_add_var(h, h->dims[dim].name, NCG_DTYPE_F64, 1,
                                    (int[]){dim});
    v->storage.chunk[0] = h->dims[dim].size;
    nci_attrs_put_text(&v->attrs, "units", units);
}

static void put_coordinates(nci_writer *writer)
{
    double x[NX];
    int64_t sizes[] = {NT, NY, NX};
    for (int d = 0; d < 3; d++) {
        for (int64_t i = 0; i < sizes[d]; i++)
            x[i] = d == 1 ? -89. + 2. * (double)i : (double)(i * 2 / (d + 1));
        CHECK_OK(nci_writer_put_var(writer, d, x, &err));
    }
}

static void put_field(nci_writer *writer)
{
    float *field = malloc(sizeof(float) * 5 * NY * NX);
    for (int64_t c = 0; c < (NT + 4) / 5; c++) {
        int64_t nt = c < NT / 5 ? 5 : NT % 5;
        nci_buf *buf = NULL;
        for (int64_t i = 0; i < nt * NY * NX; i++)
            field[i] = (float)(280 + 10 * sin((double)(i % NX) / 20) +
                               0.01 * (double)((i * 7919 + c) % 97));
        CHECK_OK(nci_writer_encode(writer, 3, (int64_t[]){nt, NY, NX}, field,
                                   &buf, &err));
        CHECK_OK(nci_writer_put(writer, 3, (int64_t[]){c, 0, 0}, buf, &err));
        nci_buf_release(&buf);
    }
    free(field);
}

static void write_file(const char *name, const char *format, int deflate)
{
    char path[128];
    nci_header *h = nci_header_create("none");
    nci_header_add_dim(h, "time", NT, true);
    nci_header_add_dim(h, "lat", NY, false);
    nci_header_add_dim(h, "lon", NX, false);
    add_coordinate(h, 0, "days since 2000-01-01");
    add_coordinate(h, 1, "degrees_north");
    add_coordinate(h, 2, "degrees_east");
    nci_var *v = nci_header_add_var(h, "T", NCG_DTYPE_F32, 3, (int[]){0, 1, 2});
    memcpy(v->storage.chunk, (int64_t[]){5, NY, NX}, 3 * sizeof(int64_t));
    nci_attrs_put(&v->attrs, "_FillValue", NCG_DTYPE_F32, 1, &(float){-1});
    nci_attrs_put_text(&v->attrs, "units", "K");
    nci_write_options options = {format, deflate, true};
    nci_writer *writer = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_OK(nci_writer_create(path, h, &options, &writer, &err));
    put_coordinates(writer);
    put_field(writer);
    CHECK_OK(nci_writer_finish(&writer, &err));
    nci_header_free(&h);
}

static void others_read_it(void **state)
{
    static const char *const formats[] = {"nc4", "nc4c", "nc3", "nc64", "nc5"};
    (void)state;
    for (int i = 0; i < 5; i++) {
        write_file("a.nc", formats[i], 1);
        assert_true(run("ncdump", "ncdump -p 9,17 a.nc > a.cdl && grep -q "
                                  "'UNLIMITED ; // (24 currently)' a.cdl && "
                                  "ncgen -k nc4 -o b.nc a.cdl") <= 0);
        assert_true(run("cdo", "cdo -s -b F64 timmean a.nc c1.nc && "
                               "cdo -s -b F64 timmean b.nc c2.nc && "
                               "test -z \"$(cdo -s diffn c1.nc c2.nc)\"") <= 0);
        assert_true(run("ncra", "ncra -O a.nc d.nc && ncks -O -d "
                                "time,23 a.nc e.nc") <= 0);
    }
}

/* Appending by another program shows that the file is an ordinary one. */
static void others_append_to_it(void **state)
{
    (void)state;
    write_file("a.nc", "nc4", 4);
    assert_true(run("ncrcat",
                    "ncrcat -O a.nc a.nc f.nc && ncdump -h f.nc | grep -q "
                    "'(48 currently)' && ncatted -O -a more,T,c,c,yes a.nc "
                    "&& ncks -A -v T b.nc a.nc 2> x; ncdump -h a.nc | "
                    "grep -q more") <= 0);
}

static void it_is_as_small_as_nccopy(void **state)
{
    char path[128], command[256];
    (void)state;
    for (int level = 1; level <= 9; level += 4) {
        struct stat ours, theirs;
        write_file("a.nc", "nc4", level);
        snprintf(command, sizeof command,
                 "nccopy -d%d -s -c time/5,lat/%d,lon/%d a.nc n.nc", level, NY,
                 NX);
        if (run("nccopy", command) == -1)
            skip();
        snprintf(path, sizeof path, "%s/a.nc", folder);
        assert_int_equal(stat(path, &ours), 0);
        snprintf(path, sizeof path, "%s/n.nc", folder);
        assert_int_equal(stat(path, &theirs), 0);
        assert_true((double)ours.st_size <= 1.03 * (double)theirs.st_size);
    }
}

#define WITH_DIR(name)                                                         \
    cmocka_unit_test_setup_teardown(name, make_folder, clear_folder)

NCG_TESTS(WITH_DIR(others_read_it), WITH_DIR(others_append_to_it),
          WITH_DIR(it_is_as_small_as_nccopy))
