# SPDX-License-Identifier: BSD-3-Clause
"""Clusters that strangers, full disks and odd machines meet: a clear message on
the side that can act, and the cluster goes on. What the protocol itself refuses
is in net.net, net.handshake and net.tls."""
import json
import os
import resource
import shutil
import socket
import subprocess

import clitest
import clustertest

STEPS = (":", "anom", "by=month")
HOW = ("--scheduler-file", "s.json", "-O", "-q", "--no-history")


class BadInput(clustertest.TestCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("data"))
        for i in range(2):
            clitest.write_grid(self.path("data/in_%d.nc" % i), nt=24, nlat=48,
                               nlon=96, start=24 * i, step=1,
                               chunks=(6, 48, 96))
        self.ok("data/in_*.nc", *STEPS, "-q", "-o", "one.nc", "--no-history")

    def address(self):
        with open(self.path("s.json")) as f:
            host, _, port = json.load(f)["addresses"][0].rpartition(":")
        return host.strip("[]"), int(port)

    def goes_on(self):
        self.ok("data/in_*.nc", *STEPS, "-o", "many.nc", *HOW)
        self.same("one.nc", "many.nc")

    def end(self, cluster, *workers):
        self.stop(cluster)
        for w in workers:
            self.assertEqual(w.wait(timeout=60), 0, self.log())

    def test_port_in_use(self):
        with socket.create_server(("0.0.0.0", 0)) as s:
            port = s.getsockname()[1]
            self.fails(8, "cluster", "--scheduler-file", "s.json", "--port",
                       port, says=(str(port), "in use"))
        self.assertFalse(os.path.exists(self.path("s.json")))

    def test_garbage_and_silence(self):
        """At the scheduler's port, while it works."""
        cluster = self.cluster()
        with socket.create_connection(self.address()) as mute, \
                socket.create_connection(self.address()) as loud, \
                socket.create_connection(self.address()) as web:
            loud.sendall(os.urandom(4096))
            web.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.goes_on()
            for s in loud, web:
                s.settimeout(60)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
            mute.sendall(b"x")
        self.goes_on()
        self.end(cluster)

    def test_a_thousand_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 4096:
            self.not_run("no 4096 open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE,
                        (soft, hard))
        cluster = self.cluster()
        strangers = []
        try:
            for _ in range(1000):
                strangers.append(socket.create_connection(self.address()))
            self.goes_on()
        finally:
            for s in strangers:
                s.close()
        self.goes_on()
        self.end(cluster)

    def hidden(self):
        """Put before a command, it does not see the files."""
        inside = ["unshare", "--mount", "sh", "-c",
                  'mount -t tmpfs -o size=64k none "$0" && exec "$@"',
                  self.path("data")]
        p = None
        if shutil.which("unshare"):
            p = subprocess.run([*inside, "true"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
        if not p or p.returncode:
            self.not_run("mount namespaces are not permitted")
        return inside

    def test_worker_without_the_files(self):
        hidden = self.hidden()
        cluster = self.cluster("--exclusive")
        blind = self.worker("blind", inside=hidden)
        self.fails(3, "data/in_*.nc", *STEPS, "-o", "x.nc", *HOW,
                   says="data/in_")
        self.assertIn("worker blind", self.log())
        seeing = self.worker("seeing")
        self.goes_on()
        self.end(cluster, blind, seeing)

    def test_worker_without_memory(self):
        """For the largest task; others do what it cannot."""
        cluster = self.cluster("--exclusive")
        small = self.worker("small", "--mem", "64K")
        self.fails(7, "data/in_*.nc", *STEPS, "-o", "x.nc", *HOW, says="--mem")
        large = self.worker("large")
        self.goes_on()
        self.end(cluster, small, large)


if __name__ == "__main__":
    clitest.main()
