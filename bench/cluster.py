# SPDX-License-Identifier: BSD-3-Clause
"""Several processes on this machine: cluster.py mpi|leave|death|restart
[options].

mpi: a mean over at least 12 GB by `mpirun -n 4` beside the same in one process,
on the same cores. The files of DIR are repeated under later dates in --work.

leave: a worker that holds many values is asked to leave; the time until its
process has ended, beside that of the same bytes over one plain socket. None may
be lost.

death: how long until the scheduler knows that a worker was killed, and that one
says nothing any more (it is stopped). The figures are of the scheduler's log.

restart: the scheduler is killed and another one started with the same file; how
long until a client has added up what was published before, from the workers'
memory.
"""
import argparse
import glob
import json
import mmap
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import common


# ---- mpi -------------------------------------------------------------------

def repeat(folder, work, copies):
    """The files of a folder, and copies of them with later dates."""
    import netCDF4
    paths = sorted(glob.glob(os.path.join(folder, "*.nc")))
    with netCDF4.Dataset(paths[0]) as d:
        first = d["time_bnds"][0, 0]
    with netCDF4.Dataset(paths[-1]) as d:
        length = d["time_bnds"][-1, 1] - first
    os.makedirs(work, exist_ok=True)
    out = []
    for copy in range(copies):
        for path in paths:
            name = "%02d_%s" % (copy, os.path.basename(path))
            target = os.path.join(work, name)
            out.append(target)
            if os.path.exists(target):
                continue
            shutil.copyfile(path, target + ".part")
            with netCDF4.Dataset(target + ".part", "r+") as d:
                for axis in ("time", "time_bnds"):
                    d[axis][:] += copy * length
            os.rename(target + ".part", target)
    return out


def raw_bytes(paths):
    import netCDF4
    total = 0
    for path in paths:
        with netCDF4.Dataset(path) as d:
            total += sum(v.size * v.dtype.itemsize for v in d.variables.values()
                         if v.ndim > 2)
    return total


def mpi(args):
    paths = repeat(args.data, args.work, args.copies)
    raw = raw_bytes(paths)
    for path in paths:  # into the system's cache
        with open(path, "rb") as f:
            while f.read(1 << 24):
                pass
    inputs = os.path.join(args.work, "*.nc")
    where = tempfile.mkdtemp(dir=args.work)
    files = [os.path.join(where, n) for n in ("one.nc", "many.nc")]
    steps = lambda out: ["::", "mean", "time", "-q", "-O", "--no-history",
                         "-o", out]
    start = ["mpirun", "-n", str(args.ranks), "--oversubscribe"]
    rows = common.round_robin({
        "one process": [args.ncgraph, inputs, *steps(files[0])],
        "mpirun -n %d" % args.ranks:
            [*start, args.ncgraph, inputs, *steps(files[1])],
        "mpirun true": [*start, "true"]}, args.rounds)
    with open(files[0], "rb") as f, open(files[1], "rb") as g:
        same = f.read() == g.read()
    shutil.rmtree(where)
    for name, row in rows.items():
        if isinstance(row, str):
            common.fail("%s: %s" % (name, row))
        row.pop("out")
        print("%-14s %7.3f s, CPU %7.3f s, peak %6.0f MB" % (
            name, row["wall_s"], row["cpu_s"], row["peak_MB"]))
    one, many, true = (row["wall_s"] for row in rows.values())
    print("%.1f GB raw; files are %s" % (raw / 1e9,
                                         "equal" if same else "DIFFERENT"))
    print("%.3f x one process; without the start of mpirun %.3f x" % (
        many / one, (many - true) / one))
    return {"raw_bytes": raw, "equal": same, **rows}


# ---- clusters ---------------------------------------------------------------

class Cluster:
    """A scheduler without a worker of its own, in a folder."""

    def __init__(self, ncgraph, folder):
        self.ncgraph, self.folder = ncgraph, folder
        self.processes = []
        self.log = os.path.join(folder, "log")
        self.start("cluster", "--exclusive", "-v")
        self.wait(lambda: os.path.exists(os.path.join(folder, "s.json")))

    def start(self, *words):
        with open(self.log, "ab") as log:
            p = subprocess.Popen([self.ncgraph, *words, "--scheduler-file",
                                  "s.json"], cwd=self.folder, stderr=log)
        self.processes.append(p)
        return p

    def worker(self, name, *words):
        p = self.start("worker", "--name", name, *words)
        self.wait_for("worker %s joined" % name)
        return p

    def wait(self, what, seconds=60):
        begin = time.perf_counter()
        while not what():
            if time.perf_counter() - begin > seconds:
                with open(self.log) as f:
                    common.fail("nothing happens\n" + f.read())
            time.sleep(0.001)
        return time.perf_counter() - begin

    def count(self, line):
        with open(self.log) as f:
            return f.read().count(line)

    def wait_for(self, line, times=1):
        return self.wait(lambda: self.count(line) >= times)

    def status(self):
        out = subprocess.run([self.ncgraph, "cluster", "status",
                              "--scheduler-file", "s.json"], cwd=self.folder,
                             stdout=subprocess.PIPE, check=True).stdout
        return json.loads(out)

    def close(self):
        subprocess.run([self.ncgraph, "cluster", "stop", "--scheduler-file",
                        "s.json"], cwd=self.folder)
        for p in self.processes:
            p.wait(timeout=60)


def child_of(process):
    path = "/proc/%d/task/%d/children" % (process.pid, process.pid)
    with open(path) as f:
        return int(f.read().split()[0])


def plain_socket(nbytes):
    """Seconds for so many bytes over one connection of this machine, kept in
    fresh memory as the one who takes them over has to."""
    server = socket.create_server(("127.0.0.1", 0))
    block = bytes(1 << 22)

    def send():
        with socket.create_connection(server.getsockname()) as s:
            for at in range(0, nbytes, len(block)):
                s.sendall(block[:min(len(block), nbytes - at)])

    thread = threading.Thread(target=send)
    thread.start()
    peer, _ = server.accept()
    room = mmap.mmap(-1, nbytes)
    begin, at = time.perf_counter(), 0
    with memoryview(room) as view:
        while at < nbytes:
            at += peer.recv_into(view[at:at + len(block)])
    seconds = time.perf_counter() - begin
    thread.join()
    room.close()
    peer.close()
    server.close()
    return seconds


def leave_once(args, folder):
    """All values are on one worker; then another one joins and it leaves."""
    cluster = Cluster(args.ncgraph, folder)
    leaving = cluster.worker("leaving", "-j", "1", "--mem", "4G")
    client = subprocess.Popen(
        [args.held, os.path.join(folder, "s.json"), str(args.values),
         str(args.mib)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if client.stdout.readline() != b"ready\n":
        common.fail("no values on the worker")
    cluster.worker("staying", "-j", "1", "--mem", "4G")
    # Memory of a virtual machine that nobody has used yet comes from its host,
    # which takes longer than the bytes: both find memory that was used.
    plain_socket(args.values * args.mib << 20)
    begin = time.perf_counter()
    leaving.send_signal(signal.SIGTERM)
    leaving.wait()
    seconds = time.perf_counter() - begin
    plain = plain_socket(args.values * args.mib << 20)
    out, _ = client.communicate(b"\n")
    if leaving.returncode or out != b"equal\n":
        common.fail("a process failed; see " + cluster.log)
    cluster.close()
    return seconds, plain


def leave(args):
    rows = []
    nbytes = args.values * args.mib << 20
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory(dir=args.work) as folder:
            seconds, plain = leave_once(args, folder)
        bound = 1.2 * plain + 0.2
        print("left in %.3f s with %d values of %d MiB, none lost; one plain "
              "socket %.3f s, bound %.3f s" % (seconds, args.values, args.mib,
                                               plain, bound))
        rows.append({"seconds": seconds, "bytes": nbytes, "plain_s": plain,
                     "bound_s": bound})
    return rows


def death(args):
    rows = {"killed": [], "silent": []}
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        cluster = Cluster(args.ncgraph, folder)
        worker = cluster.worker("w", "-j", "1")
        for i in range(args.rounds):
            os.kill(child_of(worker), signal.SIGKILL)
            rows["killed"].append(cluster.wait_for("worker w left", i + 1))
            cluster.wait_for("worker w joined", i + 2)
        for i in range(min(args.rounds, 3)):
            os.kill(child_of(worker), signal.SIGSTOP)
            rows["silent"].append(cluster.wait_for("worker w is silent", i + 1))
            os.kill(child_of(worker), signal.SIGCONT)
            cluster.wait_for("worker w is heard again", i + 1)
        cluster.close()
    for name, values in rows.items():
        print("%s: noticed in %.3f s (median), %.3f s at most" % (
            name, statistics.median(values), max(values)))
    return rows


def restart_once(args, folder):
    cluster = Cluster(args.ncgraph, folder)
    for name in ("a", "b"):
        cluster.worker(name, "-j", "1", "--mem", "4G")
    client = subprocess.Popen(
        [args.persisted, os.path.join(folder, "s.json"),
         str(args.values * args.mib)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    if client.stdout.readline() != b"ready\n":
        common.fail("nothing was published")
    scheduler = cluster.processes.pop(0)
    begin = time.perf_counter()
    os.kill(child_of(scheduler), signal.SIGKILL)
    scheduler.wait()
    cluster.start("cluster", "--exclusive", "-v")
    cluster.processes.insert(0, cluster.processes.pop())
    client.stdin.write(b"\n")
    client.stdin.flush()
    said = client.stdout.readline()
    seconds = time.perf_counter() - begin
    client.communicate()
    if said != b"usable\n" or client.returncode:
        common.fail("what was published is lost; see " + cluster.log)
    cluster.close()
    return seconds


def restart(args):
    seconds = []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory(dir=args.work) as folder:
            seconds.append(restart_once(args, folder))
    print("%d MiB usable %.3f s (median), %.3f s at most after the scheduler was "
          "killed" % (args.values * args.mib, statistics.median(seconds),
                      max(seconds)))
    return {"bytes": args.values * args.mib << 20, "seconds": seconds}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("mpi", "leave", "death", "restart"))
    parser.add_argument("--ncgraph", default=common.default_command("ncgraph"))
    parser.add_argument("--data", help="mpi: a folder of make_data.py")
    parser.add_argument("--work", default=tempfile.gettempdir(),
                        help="mpi keeps the repeated files here")
    parser.add_argument("--copies", type=int, default=6)
    parser.add_argument("--held", default=common.default_command("held"))
    parser.add_argument("--persisted",
                        default=common.default_command("persisted"))
    parser.add_argument("--values", type=int, default=64)
    parser.add_argument("--mib", type=int, default=16)
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    if args.what == "mpi" and not args.data:
        parser.error("--data is missing")
    args.ncgraph = os.path.abspath(args.ncgraph)
    result = {"mpi": mpi, "leave": leave, "death": death,
              "restart": restart}[args.what](args)
    common.write_json(args.json, result)


if __name__ == "__main__":
    main()
