# SPDX-License-Identifier: BSD-3-Clause
"""Clusters that stand: scheduler file, workers that join, clients, the end."""
import json
import os
import stat
import threading
import time

import clitest
import clustertest

STEPS = (":", "anom", "by=month", ":", "std", "time")
HOW = ("--scheduler-file", "s.json", "-O", "-q", "--no-history")


class Standing(clustertest.TestCase):
    def test_clients_one_after_the_other(self):
        self.inputs()
        self.ok("in_*.nc", *STEPS, "-q", "-o", "one.nc", "--no-history")
        cluster = self.cluster()
        for name in ("s.json", "s.json.key"):
            mode = stat.S_IMODE(os.stat(self.path(name)).st_mode)
            self.assertEqual(mode, 0o600)
        with open(self.path("s.json.key")) as f:
            secret = f.read().strip()
        for process in clustertest.children(cluster.pid) + [cluster.pid]:
            for what in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (process, what), "rb") as f:
                    self.assertNotIn(secret.encode(), f.read())
        for _ in range(3):
            self.ok("in_*.nc", *STEPS, "-o", "many.nc", *HOW)
            self.same("one.nc", "many.nc")
        self.stop(cluster)
        self.assertFalse({"s.json", "s.json.key"} & set(self.listing()))
        self.assertNotIn(secret, self.log())

    def test_tls_is_followed(self):
        """Said to the cluster only: others see it in the scheduler file."""
        self.inputs(files=2)
        self.ok("in_*.nc", *STEPS, "-q", "-o", "one.nc", "--no-history")
        cluster = self.cluster("--exclusive", "--tls")
        self.worker("one")
        self.worker("two", "--tls")
        self.ok("in_*.nc", *STEPS, "-o", "many.nc", *HOW)
        self.same("one.nc", "many.nc")
        with open(self.path("s.json")) as f:
            known = json.load(f)
        self.assertRegex(known["tls"], "^[0-9a-f]{64}$")
        other = dict(known, tls="00" * 32)
        without = {k: v for k, v in known.items() if k != "tls"}
        for name, what, options, says in (
                ("other.json", other, (), "another authority"),
                ("without.json", without, (), "this cluster uses TLS"),
                ("without.json", without, ("--tls",), "does not use TLS")):
            with open(self.path(name), "w") as f:
                json.dump(what, f)
            self.fails(8, "in_0.nc", *STEPS, "-o", "x.nc", "--scheduler-file",
                       name, *options, says=says)
        self.stop(cluster)

    def test_status_and_retire(self):
        cluster = self.cluster("--exclusive")
        workers = [self.worker(name, "--nthreads", threads,
                               "--local-directory=.", "--resources", "GPU=2")
                   for name, threads in (("one", 3), ("two", 2))]
        status = lambda: json.loads(self.ok(
            "cluster", "status", "--scheduler-file", "s.json").out)
        self.assertEqual(sorted((w["name"], w["threads"], w["resources"])
                                for w in status()["workers"]),
                         [("one", 3, "GPU=2"), ("two", 2, "GPU=2")])
        self.assertEqual(status()["computations"], [])
        self.fails(3, "cluster", "retire", "nobody", "--scheduler-file",
                   "s.json", says="'nobody'")
        self.ok("cluster", "retire", "one", "--scheduler-file", "s.json")
        self.assertEqual(workers[0].wait(timeout=30), 0, self.log())
        self.wait_until(lambda: len(status()["workers"]) == 1)
        self.stop(cluster)

    def test_counters(self):
        """What workers read counts with the client's."""
        self.inputs()
        words = ("in_*.nc", ":", "mean", "time", "-q", "--stats")
        self.ok(*words, "one.json", "-o", "one.nc", "--no-history")
        cluster = self.cluster()
        self.worker("two")
        self.ok(*words, "many.json", "-o", "many.nc", *HOW)
        self.same("one.nc", "many.nc")
        with open(self.path("one.json")) as f, \
                open(self.path("many.json")) as g:
            one, many = json.load(f), json.load(g)
        self.assertGreater(one["chunks_direct"], 10)
        for name in ("chunks_direct", "chunks_library", "bytes_decoded",
                     "tasks_recomputed"):
            self.assertEqual(one[name], many[name], name)
        # Workers look for the chunks in the files by themselves.
        self.assertGreaterEqual(many["bytes_disk"], one["bytes_disk"])
        self.stop(cluster)

    def test_files_are_inspected_by_workers_too(self):
        """Whoever is faster; the result is the same."""
        self.inputs(files=64, nt=2, nlat=4, nlon=8, chunks=(1, 4, 8))
        words = ("in_*.nc", ":", "mean", "time", "-q", "--stats")
        self.ok(*words, "one.json", "-o", "one.nc", "--no-history")
        cluster = self.cluster()
        self.worker("two")

        def has_helped():
            self.ok(*words, "many.json", "-o", "many.nc", "-j", 1, *HOW)
            self.same("one.nc", "many.nc")
            with open(self.path("many.json")) as f:
                many = json.load(f)
            self.assertEqual(many["headers_direct"], 64)
            return many["headers_by_workers"] > 0
        self.wait_until(has_helped)
        self.stop(cluster)

    def test_two_clients_at_once(self):
        self.inputs()
        self.ok("in_*.nc", *STEPS, "-q", "-o", "one.nc", "--no-history")
        cluster = self.cluster()
        codes = []

        def client(i):
            codes.append(clitest.run("in_*.nc", *STEPS, "-o", "many%d.nc" % i,
                                     *HOW, cwd=self.dir).code)
        threads = [threading.Thread(target=client, args=(i,))
                   for i in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(codes, [0, 0])
        self.same("one.nc", "many0.nc")
        self.same("one.nc", "many1.nc")
        self.stop(cluster)

    def test_work_waits_for_the_first_worker(self):
        self.inputs(files=2)
        self.ok("in_*.nc", *STEPS, "-q", "-o", "one.nc", "--no-history")
        cluster = self.cluster("--exclusive")
        client = self.start("in_*.nc", *STEPS, "-o", "many.nc", *HOW[:-2],
                            "--no-history")
        self.wait_until(lambda: "waits for workers" in self.log())
        self.worker("late")
        self.assertEqual(client.wait(timeout=60), 0, self.log())
        self.same("one.nc", "many.nc")
        self.stop(cluster)

    def test_files_that_are_stale_or_wrong(self):
        self.inputs(files=1)
        words = ("in_0.nc", ":", "mean", "time", "-o", "x.nc",
                 "--scheduler-file", "s.json", "--death-timeout", "1s")
        self.fails(3, *words, says="s.json")
        cluster = self.cluster()
        for name in ("s.json", "s.json.key"):
            with open(self.path(name)) as f:
                text = f.read()
            with open(self.path("old." + name), "w") as f:
                f.write(text.replace("s.json.key", "old.s.json.key"))
            os.chmod(self.path("old." + name), 0o600)
        self.stop(cluster)
        old = [w.replace("s.json", "old.s.json") for w in words]
        self.fails(8, *old, says="old.s.json")
        start = time.monotonic()
        self.fails(8, "worker", "--scheduler-file", "old.s.json",
                   "--death-timeout", "1s")
        self.assertLess(time.monotonic() - start, 30)
        # Another secret: refused at once, on both sides.
        cluster = self.cluster()
        with open(self.path("s.json.key"), "w") as f:
            f.write("ab" * 32 + "\n")
        self.fails(8, *words, says="secret")
        cluster.terminate()
        self.assertEqual(cluster.wait(timeout=30), 0, self.log())

    def test_usage(self):
        self.fails(2, "worker", "--scheduler-file", "s.json", "--resources",
                   "GPU", says=("'GPU'", "GPU=2"))
        self.fails(2, "cluster", says="--scheduler-file")
        self.fails(2, "worker", says="--scheduler-file")
        self.fails(2, "cluster", "dance", "--scheduler-file", "x", says="dance")
        self.fails(2, "worker", "x", "--scheduler-file", "x", says="'x'")
        self.fails(2, "worker", "--lifetime", "soon", says="--lifetime")
        self.fails(6, "cluster", "--scheduler-file", "none/s.json",
                   says="none/s.json")


if __name__ == "__main__":
    clitest.main()
