/* SPDX-License-Identifier: BSD-3-Clause */
/* Outside the tree: sees the installed header and library only. */
#include <ncgraph.h>
#include <stdio.h>
#include <string.h>

static ncg_status fill(const ncg_kernel_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

int main(void)
{
    ncg_context *ctx = NULL;
    ncg_error err;
    char version[40];
    snprintf(version, sizeof version, "%d.%d.%d", NCG_VERSION_MAJOR,
             NCG_VERSION_MINOR, NCG_VERSION_PATCH);
    if (strcmp(version, ncg_version()) != 0) {
        fprintf(stderr, "header %s, library %s\n", version, ncg_version());
        return 1;
    }
    if (ncg_context_create(NULL, &ctx, &err) ||
        ncg_kernel_register(ctx, "org.example.fill/1", fill, NULL, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    ncg_context_destroy(&ctx);
    puts(version);
    return 0;
}
