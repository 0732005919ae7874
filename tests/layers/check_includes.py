#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Hold the sources to the layers: who may include whom, and which library has
its home where. docs/architecture.md says why.

    check_includes.py ROOT        exit 1 and one line for each wrong arrow
    check_includes.py --catches   check that wrong arrows are found
"""
import os
import re
import sys
import tempfile

# folder -> folders whose headers it may include, besides its own
SEES = {
    "src/base": [],
    "src/graph": ["base"],
    "src/io": ["base"],
    "src/dataset": ["graph", "base"],
    "src/engine": ["graph", "io", "base"],
    "src/api": ["dataset", "engine", "graph", "io", "base"],
    "src/cli": [],
    "examples": [],
    "bench": [],
}
# Only these see the library as its users do.
OUTSIDE = ["src/cli", "examples", "bench"]
# header (pattern) -> paths that may include it
HOMES = [
    (r"netcdf.*\.h|hdf5.*\.h|H5.*\.h", ["src/io/", "bench/"]),
    (r"blosc\.h", ["src/io/", "src/engine/net/", "bench/"]),
    (r"libdeflate\.h|libaec\.h|szlib\.h|zstd\.h|lz4.*\.h",
     ["src/io/", "bench/"]),
    (r"udunits2\.h", ["src/dataset/"]),
    (r"xxhash\.h", ["src/base/hash.c"]),
    (r"omp\.h", ["src/engine/kernel/", "src/io/", "bench/"]),
    (r"jansson\.h", ["src/cli/value.c", "src/engine/launch/"]),
    (r"pmix.*\.h", ["src/engine/launch/module_pmix.c"]),
    (r"microhttpd\.h", ["src/engine/http/module_microhttpd.c"]),
    (r"hwloc\.h", ["src/engine/launch/module_pmix.c"]),
    (r"mpi\.h", ["src/engine/launch/module_mpi.c"]),
    (r"msgpack.*\.h", ["src/graph/pack.c"]),
    (r"uv\.h|openssl/.*\.h", ["src/engine/net/"]),
]
# Programs that measure one layer alone, and the layer they see for it.
MEASURES = {"bench/write_chunks.c": "io", "bench/exchange.c": "engine"}
OMP_HOMES = ["src/engine/kernel/", "src/io/", "bench/"]
# Folders that are pure: no threads, clocks, sockets or files.
PURE = {
    "src/graph/": r"pthread\.h|threads\.h|sys/.*\.h|fcntl\.h|unistd\.h"
                  r"|time\.h|omp\.h",
    "src/engine/sched/": r"pthread\.h|threads\.h|sys/.*\.h|fcntl\.h"
                         r"|unistd\.h|time\.h|omp\.h|base/clock\.h"
                         r"|base/thread\.h",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
PRAGMA_OMP = re.compile(r"^\s*#\s*pragma\s+omp\b|_Pragma\s*\(\s*\"omp\b")


def folder_of(path):
    """The entry of SEES that a file belongs to, or None."""
    for folder in SEES:
        if path.startswith(folder + "/"):
            return folder
    return None


def wrong_project_include(path, folder, name):
    if name == "ncgraph.h":
        return None
    own = folder.split("/")[-1]
    first = name.split("/")[0]
    if "/" not in name:
        if folder in ("examples", "bench"):
            return None                     # a file beside it
        return "includes \"%s\": write it from the layer root" % name
    if first in (own, MEASURES.get(path)) or first in SEES[folder]:
        return None
    if folder in OUTSIDE:
        return "includes \"%s\": sees only ncgraph.h" % name
    return "includes \"%s\": %s does not see %s" % (name, own, first)


def wrong_home(path, name):
    for pattern, homes in HOMES:
        if (re.fullmatch(pattern, os.path.basename(name)) or
                re.fullmatch(pattern, name)) and not any(
                path.startswith(h) for h in homes):
            return "includes <%s>, which belongs in %s" % (
                name, ", ".join(homes))
    for pure, pattern in PURE.items():
        if path.startswith(pure) and re.fullmatch(pattern, name):
            return "includes <%s>, but %s is pure" % (name, pure)
    return None


def check_line(path, folder, line):
    if PRAGMA_OMP.search(line) and not any(
            path.startswith(h) for h in OMP_HOMES):
        return "OpenMP belongs in " + ", ".join(OMP_HOMES)
    match = INCLUDE.match(line)
    if not match:
        return None
    quoted, name = match.group(1) == '"', match.group(2)
    wrong = wrong_home(path, name)
    if not wrong and quoted:
        wrong = wrong_project_include(path, folder, name)
    return wrong


def sources(root):
    for top in ("src", "examples", "bench"):
        for directory, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    full = os.path.join(directory, name)
                    yield full, os.path.relpath(full, root)


def check(root):
    found, files = [], 0
    for full, path in sources(root):
        folder = folder_of(path)
        if not folder:
            found.append("%s: in no layer" % path)
            continue
        files += 1
        with open(full, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                wrong = check_line(path, folder, line)
                if wrong:
                    found.append("%s:%d: %s" % (path, number, wrong))
    return found, files


WRONG = {
    "src/graph/a.c": '#include "io/io.h"\n',
    "src/io/a.c": '#include "graph/node.h"\n',
    "src/engine/a.c": '#include "dataset/model.h"\n',
    "src/base/a.c": '#include <xxhash.h>\n',
    "src/cli/a.c": '#include "base/mem.h"\n',
    "src/dataset/a.c": '#include <netcdf.h>\n',
    "src/api/a.c": '#pragma omp parallel\n',
    "src/engine/sched/a.c": '#include <pthread.h>\n',
    "src/engine/b.c": '#include <openssl/evp.h>\n',
    "src/graph/b.c": '#include <time.h>\n',
    "src/io/b.c": '#include "local.h"\n',
}
RIGHT = {
    "src/base/hash.c": '#include "base/hash.h"\n#include <xxhash.h>\n',
    "src/engine/kernel/a.c": '#include "graph/plan.h"\n#pragma omp simd\n',
    "src/api/b.c": '#include "dataset/model.h"\n#include "io/io.h"\n',
    "examples/a.c": '#include <ncgraph.h>\n',
}


def catches():
    """Each wrong file is found, and no right one."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**WRONG, **RIGHT}.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        found, _ = check(root)
    named = sorted(line.split(":")[0] for line in found)
    if named != sorted(WRONG):
        print("found %s\nnot   %s" % (named, sorted(WRONG)))
        return 1
    print("%d wrong arrows found, %d right files passed" %
          (len(WRONG), len(RIGHT)))
    return 0


def main():
    if sys.argv[1:] == ["--catches"]:
        return catches()
    found, files = check(sys.argv[1])
    for line in found:
        print(line)
    print("%d files, %d wrong" % (files, len(found)))
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
