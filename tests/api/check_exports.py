#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""check_exports.py NM LIBRARY HEADER

libncgraph.so shows exactly the functions that the header declares.
"""
import re
import subprocess
import sys

nm, library, header = sys.argv[1:]
with open(header, encoding="utf-8") as file:
    text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
declared = set(re.findall(r"^NCG_API[^;(]*?\b(\w+)\(", text, flags=re.M))
table = subprocess.run([nm, "-D", "--defined-only", library], check=True,
                       capture_output=True, text=True).stdout
shown = {line.split()[-1].split("@")[0] for line in table.splitlines()}
shown.discard("NCGRAPH_0")
# What sanitizers put into every library.
shown = {name for name in shown if not re.match(r"__(asan|odr_asan)", name)}
assert declared, "no functions found in the header"
for name in sorted(shown - declared):
    print(f"{library} shows {name}, which the header does not declare")
for name in sorted(declared - shown):
    print(f"{header} declares {name}, which {library} does not have")
print(f"{len(declared)} functions")
sys.exit(shown != declared)
