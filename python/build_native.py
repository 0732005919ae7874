#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""build_native.py CC HEADER NATIVE_H OUT: the C source of ncgraph._native.

The declarations are the public header itself after the preprocessor, and those
of native.h behind it: nothing is typed twice.
"""
import re
import subprocess
import sys

import cffi

CALLBACKS = """
extern "Python" {
    ncg_status ncgpy_kernel(const ncg_kernel_call *call, ncg_error *err);
    int64_t ncgpy_kernel_scratch(const ncg_kernel_call *call);
    ncg_status ncgpy_fill(void *payload, const int64_t *start,
                          const int64_t *count, void *out, ncg_error *err);
    ncg_status ncgpy_function(const ncg_function_call *call, void *payload,
                              ncg_error *err);
    ncg_status ncgpy_call(const ncg_task_call *call, ncg_error *err);
    ncg_status ncgpy_task(const ncg_task_call *call, ncg_error *err);
    void ncgpy_release(void *payload);
    void ncgpy_release_data(void *data, void *payload);
    ncg_status ncgpy_chunk(const ncg_chunk *chunk, void *payload,
                           ncg_error *err);
    ncg_status ncgpy_key(const ncg_key *key, void *payload);
    void ncgpy_progress(const ncg_progress *progress, void *payload);
    void ncgpy_note(const char *note, void *payload);
}
"""


def declarations(compiler: str, header: str) -> str:
    """Return what the compiler's preprocessor leaves of a header."""
    done = subprocess.run([compiler, "-E", "-P", "-DNCG_CDEF", header],
                          check=True, capture_output=True, text=True)
    return done.stdout


def inline_declarations(path: str) -> str:
    """Return the heads of the static functions of native.h."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    heads = re.findall(r"^static (.*?)\n\{", text, flags=re.M | re.S)
    return "\n".join(f"{head};" for head in heads)


def main() -> None:
    compiler, header, native, out = sys.argv[1:]
    builder = cffi.FFI()
    builder.cdef(declarations(compiler, header))
    builder.cdef(inline_declarations(native))
    builder.cdef(CALLBACKS)
    builder.set_source("ncgraph._native",
                       '#include "ncgraph.h"\n#include "native.h"\n')
    builder.emit_c_code(out)


main()
