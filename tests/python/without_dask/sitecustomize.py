# SPDX-License-Identifier: BSD-3-Clause
"""With this folder on PYTHONPATH dask is not installed, as far as Python and
the processes that it starts can see."""
import sys
from importlib.machinery import PathFinder

HIDDEN = {"dask", "distributed", "flox"}


class Finder(PathFinder):
    """Finds what the usual finder finds, but not what is hidden."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.partition(".")[0] in HIDDEN:
            return None
        return PathFinder.find_spec(fullname, path, target)


sys.meta_path[:] = [Finder if finder is PathFinder else finder
                    for finder in sys.meta_path]
