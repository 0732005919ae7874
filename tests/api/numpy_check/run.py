#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""run.py NAME: runs check_NAME.py, or says why it cannot."""
import importlib.util
import runpy
import sys
from pathlib import Path

for module in ("numpy", "xarray"):
    if importlib.util.find_spec(module) is None:
        print(f"skipped: this Python has no {module}; "
              "scripts/install-deps --tests makes one that has")
        sys.exit(77)
here = Path(__file__).parent
sys.path.insert(0, str(here))
runpy.run_path(str(here / f"check_{sys.argv[1]}.py"), run_name="__main__")
