#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""build_tree.py SOURCE BUILD: the package beside its extension, for the tests.

Links the modules to their sources and writes what an installed package says
about itself, so that xarray finds the entry points of pyproject.toml.
"""
import os
import pathlib
import sys
import tomllib


def main() -> None:
    source, build = map(pathlib.Path, sys.argv[1:])
    package = build / "ncgraph"
    package.mkdir(parents=True, exist_ok=True)
    for old in package.iterdir():
        if old.is_symlink():
            old.unlink()
    for module in sorted((source / "src" / "ncgraph").iterdir()):
        if module.suffix in (".py", ".typed"):
            os.symlink(module, package / module.name)
    with open(source / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    info = build / f"ncgraph-{project['version']}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: ncgraph\nVersion: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{k} = {v}" for k, v in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


main()
