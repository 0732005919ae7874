/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The public header alone, as C99 and as C++ with every warning an error: what
 * users' compilers see. Compiled by the tests api.header_c99, api.header_cxx.
 */
#include <ncgraph.h>
#include <ncgraph.h>

int main(void)
{
    ncg_context_options context = NCG_CONTEXT_OPTIONS_INIT;
    ncg_open_options open = NCG_OPEN_OPTIONS_INIT;
    ncg_reduce_options reduce = NCG_REDUCE_OPTIONS_INIT;
    ncg_save_options save = NCG_SAVE_OPTIONS_INIT;
    return context.threads + (int)open.overlap + (int)reduce.op + save.deflate;
}
