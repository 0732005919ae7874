#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every .c file is named in a list of its folder or of one above it.

    check_filelist.py ROOT

A file that no list names is not compiled, not tested and not checked. Unit
tests are named by ncg_add_test(LAYER UNIT) instead.
"""
import os
import re
import sys

TOPS = ("src", "tests", "examples", "bench", "fuzz")


def lists_of(directory, root):
    """Texts of CMake lists from `directory` up to the top folder."""
    texts = []
    while os.path.realpath(directory) != os.path.realpath(root):
        for name in sorted(os.listdir(directory)):
            if name == "CMakeLists.txt" or name.endswith(".cmake"):
                with open(os.path.join(directory, name),
                          encoding="utf-8") as f:
                    texts.append((directory, f.read()))
        directory = os.path.dirname(directory)
    return texts


def words(text):
    text = re.sub(r"#.*", "", text)
    text = re.sub(r"\$\{CMAKE_CURRENT_(SOURCE|LIST)_DIR\}/", "", text)
    return set(re.split(r"[\s()\"]+", text))


def unit_is_listed(name, text):
    match = re.fullmatch(r"test_(\w+)\.c", name)
    return match and re.search(
        r"ncg_add_test\(\s*\w+\s+%s\b" % re.escape(match.group(1)), text)


def loop_is_listed(name, text):
    """foreach(unit a b) with ${unit}.c, test_${unit}.c and so on."""
    for variable, items in re.findall(r"foreach\((\w+)\s+([^)]*)\)", text):
        for before, after in re.findall(
                r"([\w/]*)\$\{%s\}(\w*)(?=\.c)" % variable, text):
            if any(before + item + after + ".c" == name
                   for item in items.split()):
                return True
        for item in items.split():
            if "ncg_add_test" in text and name == "test_%s.c" % item:
                return True
    return False


def is_listed(full, root):
    """A list names a file from its own folder or, where another list
    includes it, from one above."""
    directory, name = os.path.split(full)
    above, folder = [], directory
    while os.path.realpath(folder) != os.path.realpath(root):
        above.append(os.path.relpath(full, folder))
        folder = os.path.dirname(folder)
    for _, text in lists_of(directory, root):
        if words(text).intersection(above):
            return True
        if unit_is_listed(name, text) or loop_is_listed(name, text):
            return True
    return False


def main():
    root = sys.argv[1]
    missing, files = [], 0
    for top in TOPS:
        for directory, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if not name.endswith(".c"):
                    continue
                files += 1
                full = os.path.join(directory, name)
                if not is_listed(full, root):
                    missing.append(os.path.relpath(full, root))
    for path in missing:
        print("%s: in no CMake list" % path)
    print("%d files, %d unlisted" % (files, len(missing)))
    return 1 if missing or not files else 0


if __name__ == "__main__":
    sys.exit(main())
