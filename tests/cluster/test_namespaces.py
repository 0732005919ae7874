# SPDX-License-Identifier: BSD-3-Clause
"""Clusters on several hosts, in network namespaces: a slow network, one that is
split and heals, hosts that cannot be reached. With numbers: rounds of chance
there, as `test_chaos.py ROUNDS SEED`; with `split`, the network that heals."""
import json
import os
import sys
import time

import clitest
import clustertest
import network
import test_chaos

STEPS = (":", "anom", "by=month")


class Hosts:
    """Commands run on the first host unless a test says where."""

    def make_hosts(self, n, **how):
        try:
            self.network = network.Network(n, **how)
        except network.NotPermitted as e:
            self.not_run(str(e))
        self.addCleanup(self.network.close)

    def on(self, number):
        return self.network.hosts[number].inside()

    def start(self, *words, env=None, inside=None):
        return super().start(*words, env=env, inside=inside or self.on(0))

    def ok(self, *words, **how):
        return super().ok(*self.on(0)[1:], clitest.NCGRAPH, *words,
                          program="nsenter", **how)

    def fails(self, code, *words, **how):
        return super().fails(code, *self.on(0)[1:], clitest.NCGRAPH, *words,
                             program="nsenter", **how)

    def ask(self, *words):
        return clitest.run(*self.on(0)[1:], clitest.NCGRAPH, *words,
                           program="nsenter", cwd=self.dir)


class Standing(Hosts, clustertest.TestCase):
    """A cluster of all hosts, and a client on the first."""

    def make_inputs(self):
        self.inputs(files=4, nt=60, nlat=90, nlon=180, chunks=(10, 90, 180))
        self.ok("in_*.nc", *STEPS, "-q", "-z", "7", "-o", "one.nc",
                "--no-history")

    def client(self):
        return self.start("in_*.nc", *STEPS, "-O", "-q", "-z", "7", "-o",
                          "many.nc", "--no-history", "--scheduler-file",
                          "s.json")

    def finish(self, client):
        self.assertEqual(client.wait(timeout=120), 0, self.log())
        self.same("one.nc", "many.nc")

    def end(self, cluster, workers):
        self.stop(cluster)
        for w in workers:
            self.wait_until(lambda: w.poll() is not None)
            self.assertEqual(w.returncode, 0, self.log())

    def heard(self):
        """The names of the workers that the scheduler hears."""
        status = json.loads(self.ok("cluster", "status", "--scheduler-file",
                                    "s.json").out)
        return {w["name"] for w in status["workers"] if not w["silent"]}


class Namespaces(Standing):
    def test_slow_network(self):
        self.make_hosts(3, delay=0.02, jitter=0.02)
        self.make_inputs()
        cluster = self.cluster("--exclusive")
        workers = [self.worker("w%d" % i, inside=self.on(i)) for i in (1, 2)]
        self.finish(self.client())
        self.end(cluster, workers)

    def test_no_route(self):
        """To the scheduler: told apart from one that does not answer."""
        self.make_hosts(2)
        self.make_inputs()
        cluster = self.cluster("--exclusive")
        with open(self.path("s.json")) as f:
            known = json.load(f)
        for name, address in (("away.json", "10.214.1.1:4000"),
                              ("silent.json", network.NET % 77 + ":4000")):
            with open(self.path(name), "w") as f:
                json.dump(dict(known, addresses=[address]), f)
            os.chmod(self.path(name), 0o600)
            begin = time.monotonic()
            for words in (("in_0.nc", *STEPS, "-o", "x.nc"), ("worker",)):
                self.fails(8, *words, "--scheduler-file", name,
                           "--death-timeout", "2s", says=address)
            self.assertLess(time.monotonic() - begin, 60)
        self.end(cluster, [])


class Split(Standing):
    def test_split_and_healed(self):
        """Both sides of the split are sound: who was cut off comes back as it
        was, with its chunks."""
        self.make_hosts(3, delay=0.001)
        self.make_inputs()
        cluster = self.cluster("--exclusive")
        workers = [self.worker("w%d" % i, inside=self.on(i)) for i in (1, 2)]
        before = clustertest.children(workers[0].pid)
        client = self.client()
        self.wait_until(lambda: any("many.nc" in n for n in self.listing()))
        self.network.split(1)
        time.sleep(7)  # longer than it takes to become a suspect
        self.network.heal()
        self.finish(client)
        self.wait_until(lambda: self.heard() == {"w1", "w2"})
        self.finish(self.client())
        self.assertEqual(clustertest.children(workers[0].pid), before,
                         self.log())
        self.end(cluster, workers)


class Rounds(Hosts, test_chaos.Chaos):
    """The rounds of test_chaos where packets take their time and hosts are cut
    off for a while."""

    def setUp(self):
        self.heals = 0
        self.make_hosts(4, delay=0.002, jitter=0.004)
        super().setUp()

    def join(self, chance):
        self.network.heal()  # else it could not
        super().join(chance, inside=self.on(1 + self.made % 3))

    def split(self, chance):
        self.network.split(chance.randint(1, 3))
        self.heals = time.monotonic() + chance.choice(test_chaos.PAUSES)

    def resume(self, all_of_them=False):
        super().resume(all_of_them)
        if all_of_them or time.monotonic() >= self.heals:
            self.network.heal()

    EVENTS = test_chaos.Chaos.EVENTS + ((split, 4),)


if __name__ == "__main__":
    if sys.argv[1:] == ["split"]:
        sys.argv[1:] = ["Split"]
    elif len(sys.argv) > 1:
        test_chaos.ROUNDS = int(sys.argv[1])
        if len(sys.argv) > 2:
            test_chaos.SEED = int(sys.argv[2])
        sys.argv[1:] = ["Rounds"]
    else:
        sys.argv[1:] = ["Namespaces", "Rounds"]
    clitest.main()
