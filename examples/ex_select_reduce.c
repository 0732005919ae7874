/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps chain into one graph: select a region, take the maximum of each year,
 * look at the plan, save.
 *     ex_select_reduce INPUT OUTPUT
 */
#include <ncgraph.h>
#include <stdio.h>

static void on_note(const char *note, void *payload)
{
    (void)payload;
    fprintf(stderr, "note: %s\n", note);
}

/* Prints what saving `ds` would take, before anything is read. */
static ncg_status print_plan(ncg_dataset *ds, ncg_error *err)
{
    ncg_plan_info info = {.struct_size = sizeof info};
    ncg_status st = ncg_dataset_explain(ds, NULL, &info, NULL, NULL, err);
    if (!st)
        printf("%lld tasks read %lld bytes in %d pass\n", (long long)info.tasks,
               (long long)info.bytes_decoded, info.passes);
    return st;
}

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    ncg_dataset *in = NULL, *part = NULL, *highest = NULL;
    ncg_error err;
    ncg_status st;
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_save_options save = NCG_SAVE_OPTIONS_INIT;
    const char *region[] = {"lat=0..90", "lon=0..180"};

    if (argc != 3) {
        fprintf(stderr, "usage: ex_select_reduce INPUT OUTPUT\n");
        return 2;
    }
    const char *inputs[] = {argv[1]};
    options.threads = 2;
    options.note = on_note;
    how.op = NCG_OP_MAX;
    how.dims = "time";
    how.by = "year";
    save.overwrite = true;
    save.deflate = 4;
    if ((st = ncg_context_create(&options, &ctx, &err)) ||
        (st = ncg_dataset_open(ctx, inputs, 1, NULL, &in, &err)) ||
        (st = ncg_dataset_sel(in, region, 2, &part, &err)) ||
        (st = ncg_dataset_reduce(part, &how, &highest, &err)) ||
        (st = print_plan(highest, &err)) ||
        (st = ncg_dataset_save(highest, argv[2], &save, &err)))
        fprintf(stderr, "ex_select_reduce: %s\n", err.message);
    ncg_dataset_release(&highest);
    ncg_dataset_release(&part);
    ncg_dataset_release(&in);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
