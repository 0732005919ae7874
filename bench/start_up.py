# SPDX-License-Identifier: BSD-3-Clause
"""How long `mpirun -n 4` takes to start a cluster: a whole job of one small file, from mpirun's start to its end, over
what `mpirun -n 4 true` takes. The first task began earlier than that, so the difference is an upper bound of the time
to the first task. The same job in one process stands beside it."""
import argparse
import os
import subprocess
import sys
import tempfile

import common

CDL = """netcdf small {
dimensions: time = UNLIMITED ; x = 4 ;
variables: double time(time) ; time:units = "days since 2000-01-01" ; float v(time, x) ;
data: time = 0, 1, 2 ; v = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 ;
}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ncgraph", default=common.default_command("ncgraph"))
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    if common.missing_program(["mpirun"]):
        common.fail("there is no mpirun")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "small.cdl")
        small = os.path.join(folder, "small.nc")
        with open(source, "w") as f:
            f.write(CDL)
        subprocess.run(["ncgen", "-4", "-o", small, source], check=True)
        start = ["mpirun", "-n", str(args.ranks), "--oversubscribe"]
        steps = ["::", "mean", "time", "-q", "-O", "-o", os.path.join(folder, "out.nc")]
        rows = common.round_robin({"mpirun true": [*start, "true"],
                                   "mpirun ncgraph": [*start, args.ncgraph, small, *steps],
                                   "ncgraph": [args.ncgraph, small, *steps]}, args.rounds)
    for name, row in rows.items():
        if isinstance(row, str):
            sys.exit(f"{name}: {row}")
        row.pop("out")
        print(f"{name:16} {row['wall_s']:.3f} s, {row['cpu_s']:.3f} s of CPU")
    over = rows["mpirun ncgraph"]["wall_s"] - rows["mpirun true"]["wall_s"]
    print(f"{'over true':16} {over:.3f} s")
    common.write_json(args.json, {**rows, "over_true_s": over})


if __name__ == "__main__":
    main()
