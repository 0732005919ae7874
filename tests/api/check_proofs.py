#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""check_proofs.py SOURCE_DIR

tests/README.md names property tests for each function of the header that makes
an array or a data set, or computes one; the tests are there, and draw from all
operations that the header lists. Every function that can fail is among those
that are tried with each allocation failing, but for those of clusters and the
log of tasks.
"""
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
header = (root / "include/ncgraph.h").read_text(encoding="utf-8")
page = (root / "tests/README.md").read_text(encoding="utf-8")
api = root / "tests/api"
wrong = []


def operations():
    """Functions of arrays and data sets that can fail, but for those that only
    tell something."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    found = set(re.findall(r"^NCG_API ncg_status\s+(ncg_(?:array|dataset)_\w+)\(",
                           text, flags=re.M))
    return found - {"ncg_array_chunks", "ncg_dataset_explain",
                    "ncg_dataset_describe"}


def rows():
    """Function and tests of each row of the table."""
    found = re.findall(r"^\| `(ncg_\w+)` \| (.*) \|$", page, flags=re.M)
    if len({name for name, _ in found}) != len(found):
        wrong.append("a function has two rows")
    return dict(found)


def has_test(name):
    file, test = name.split(":")
    if file == "cli":
        return (root / f"tests/cli/{test}.py").exists()
    folder = "xarray_check" if file in ("sets", "stats") else "numpy_check"
    path = api / folder / f"check_{file}.py"
    return path.exists() and re.search(
        rf"^@check\([^)]*\)\ndef {test}\(", path.read_text(encoding="utf-8"),
        flags=re.M)


def listed(pattern, path):
    """The quoted words of an assignment in a Python file."""
    text = (api / path).read_text(encoding="utf-8")
    found = re.search(pattern, text, flags=re.S | re.M)
    return re.findall(r'"(\w+)"', found[1]) if found else []


def same_words(what, header_words, test_words):
    if not header_words or list(header_words) != list(test_words):
        wrong.append(f"{what}: the header has {list(header_words)}, the tests "
                     f"draw from {list(test_words)}")


def tried_without_memory():
    """What the tests name that make allocations fail."""
    texts = [path.read_text(encoding="utf-8")
             for path in (root / "tests").glob("*/test_*.c")]
    return set(re.findall(r"ncg_\w+", " ".join(
        text for text in texts
        if "fail_each_allocation(" in text or "nci_mem_fail_at(n" in text)))


def can_fail():
    """All functions that return a status, but for these."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    found = re.findall(r"^NCG_API ncg_status\s+(ncg_\w+)\(", text, flags=re.M)
    return {name for name in found if not re.match(
        r"ncg_(cluster|worker|function|future|run_on|launch|context_connect)",
        name)}


for name in sorted(can_fail() - tried_without_memory()):
    wrong.append(f"{name} is in no test of allocations that fail")
table = rows()
for name in sorted(operations() - set(table)):
    wrong.append(f"{name} has no row in tests/README.md")
for name in sorted(set(table) - operations()):
    wrong.append(f"tests/README.md names {name}, which the header has not")
for name, tests in table.items():
    named = re.findall(r"`(\w+:\w+)`", tests)
    if not named and not tests.startswith("every test"):
        wrong.append(f"{name} names no test")
    wrong += [f"{name}: there is no test {t}" for t in named if not has_test(t)]

ops = re.findall(r'^    X\((\w+), \d+, "(\w+)", (?:"\w+"|NULL)\)', header,
                 flags=re.M)
same_words("operations", [verb for _, verb in ops],
           listed(r"^OPS = \[(.*?)\]", "numpy_check/ncg.py"))
scans = re.findall(r"NCG_SCAN_(\w+)[,\s]", header[header.index(
    "typedef enum ncg_scan"):header.index("} ncg_scan;")])
same_words("scans", [s.lower() for s in scans],
           listed(r"^SCANS = \[(.*?)\]", "numpy_check/ncg.py"))
drawn = listed(r"def reduce\(rng\):\n    op = str\(rng.choice\(\[(.*?)\]",
               "numpy_check/check_reduce.py")
same_words("reductions", sorted(verb for _, verb in ops), sorted(drawn))

for line in wrong:
    print(line)
print(f"{len(table)} operations, {len(wrong)} wrong")
sys.exit(bool(wrong))
