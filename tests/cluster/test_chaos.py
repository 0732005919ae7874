# SPDX-License-Identifier: BSD-3-Clause
"""Rounds of chance: while a client computes, workers are killed, stopped for a
while, leave and join, clients are interrupted, the scheduler dies and another
takes its place. Each round must end with the bytes that one process makes (or,
where the scheduler died, be told so), and leave nothing behind.

test_chaos.py [ROUNDS [SEED]]; the seed of a round is SEED + its number, so that
one that failed runs alone as `test_chaos.py 1 ITS_SEED`.
"""
import json
import os
import random
import signal
import sys
import time

import clitest
import clustertest

ROUNDS, SEED = 6, 1
CASES = [
    (":", "anom", "by=month"),
    (":", "anom", "by=month", ":", "std", "time"),
    (":", "quantile", "time", "q=0.9"),
    (":", "mean", "time", "by=month"),
]
MEMORY = ((), (), ("--mem", "64M"), ("--mem", "24M"))
PAUSES = (0.05, 0.3, 1, 6)  # the last one makes a worker a suspect
ANSWER = 120  # s after which a round counts as one that hangs


def kill_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it has died by itself, or of another signal


class Worker:
    def __init__(self, process, is_small):
        self.process = process
        self.is_small = is_small
        self.is_leaving = False
        self.was_killed = False

    def children(self):
        return clustertest.children(self.process.pid)

    def send(self, number):
        """To the process that works, not to its nanny."""
        kill_all(self.children(), number)


class Chaos(clustertest.TestCase):
    def setUp(self):
        super().setUp()
        self.inputs(files=4, nt=60, nlat=90, nlon=180, chunks=(10, 90, 180))
        for i, steps in enumerate(CASES):
            self.ok("in_*.nc", *steps, "-q", "-z", "7", "-o", "one%d.nc" % i,
                    "--no-history")
        self.workers = {}
        self.made = 0
        self.resumes = []  # (time, worker): who is stopped, until when

    # ---- what may happen ---------------------------------------------------

    def join(self, chance, **how):
        self.made += 1
        name = "w%d" % self.made
        memory = chance.choice(MEMORY)
        p = self.worker(name, "-j", chance.choice((1, 2)), *memory, **how)
        self.workers[name] = Worker(p, bool(memory))

    def staying(self):
        return [w for w in self.workers.values() if not w.is_leaving]

    def pick(self, chance):
        return chance.choice(self.staying())

    def kill(self, chance):
        w = self.pick(chance)
        w.was_killed = True
        w.send(signal.SIGKILL)

    def kill_for_good(self, chance):
        name, w = chance.choice(sorted(self.workers.items()))
        children = w.children()
        w.process.kill()
        w.process.wait()
        kill_all(children, signal.SIGKILL)
        del self.workers[name]

    def stop_for_a_while(self, chance):
        w = self.pick(chance)
        w.send(signal.SIGSTOP)
        self.resumes.append((time.monotonic() + chance.choice(PAUSES), w))

    def leave(self, chance):
        w = self.pick(chance)
        # Some of the others stays, with room for what this one has.
        if not any(other is not w and not other.is_leaving and
                   not other.is_small for other in self.workers.values()):
            self.join(chance)
        w.is_leaving = True
        w.process.send_signal(chance.choice((signal.SIGTERM, signal.SIGUSR1)))

    def interrupt(self, chance):
        self.client.send_signal(chance.choice((signal.SIGINT,
                                               signal.SIGKILL)))

    def restart_scheduler(self, chance):
        """The process that schedules dies, its nanny ends with it; another is
        started at once with the same file. One that was started a moment ago
        may have no such process yet."""
        self.wait_until(lambda: clustertest.children(self.scheduler.pid))
        kill_all(clustertest.children(self.scheduler.pid), signal.SIGKILL)
        self.scheduler.wait()
        self.scheduler = self.start("cluster", "--scheduler-file", "s.json",
                                    "-v", "-j", 1, "--exclusive")

    EVENTS = ((kill, 4), (kill_for_good, 2), (stop_for_a_while, 3),
              (leave, 3), (join, 3), (interrupt, 1), (restart_scheduler, 2))

    def plan(self, chance):
        """What happens when, after the client began."""
        kinds, weights = zip(*self.EVENTS)
        names = chance.choices(kinds, weights, k=chance.randint(1, 4))
        # A task on which three workers died fails, as it should.
        deaths = (Chaos.kill, Chaos.kill_for_good)
        while sum(kind in deaths for kind in names) > 2:
            names.remove(next(k for k in names if k in deaths))
        return sorted(((chance.uniform(0, 0.9), kind) for kind in names),
                      key=lambda event: event[0])

    # ---- a round -----------------------------------------------------------

    def resume(self, all_of_them=False):
        now = time.monotonic()
        for item in list(self.resumes):
            if all_of_them or item[0] <= now:
                item[1].send(signal.SIGCONT)
                self.resumes.remove(item)

    def collect(self):
        """Who was asked to leave has left, well; a nanny that is asked in the
        moment in which its worker dies starts no other."""
        for name, w in list(self.workers.items()):
            if w.is_leaving:
                code = w.process.wait(timeout=ANSWER)
                if code != 128 + signal.SIGKILL or not w.was_killed:
                    self.assertEqual(code, 0, self.log())
                del self.workers[name]

    def follow(self, events, chance):
        """The client's exit code."""
        begin = time.monotonic()
        while self.client.poll() is None:
            now = time.monotonic() - begin
            self.assertLess(now, ANSWER, "a round hangs\n" + self.log())
            self.resume()
            while events and events[0][0] <= now:
                events.pop(0)[1](self, chance)
                if not self.staying():  # else the client waits for one
                    self.join(chance)
            time.sleep(0.01)
        self.resume(all_of_them=True)
        return self.client.wait()

    def ask(self, *words):
        return clitest.run(*words, cwd=self.dir)

    def settled(self):
        """Nothing is computed, and who was killed has come again."""
        r = self.ask("cluster", "status", "--scheduler-file", "s.json")
        if r.code:
            return False  # a scheduler that begins
        status = json.loads(r.out)
        here = {w["name"] for w in status["workers"]}
        return not status["computations"] and here >= set(self.workers)

    def run_round(self, seed):
        chance = random.Random(seed)
        case = chance.randrange(len(CASES))
        while len(self.workers) < 2:
            self.join(chance)
        events = self.plan(chance)
        kinds = [kind for _, kind in events]
        told = "round %d: case %d, %s" % (
            seed, case, ", ".join("%s at %.2f" % (kind.__name__, at)
                                  for at, kind in events))
        print(told, flush=True)
        self.client = self.start("in_*.nc", *CASES[case], "-O", "-q", "-z", 7,
                                 "-o", "many.nc", "--no-history", "--stats",
                                 "stats", "--scheduler-file", "s.json")
        code = self.follow(events, chance)
        if Chaos.restart_scheduler in kinds and code == 8:
            pass  # it was told so
        elif Chaos.interrupt not in kinds:
            self.assertEqual(code, 0, told + "\n" + self.log())
        if code == 0:
            self.same("one%d.nc" % case, "many.nc")
            self.check_stats(kinds, told)
        self.collect()
        self.wait_until(self.settled, ANSWER)
        self.check_files(code)

    def check_stats(self, kinds, told):
        """Who left as asked cost nothing."""
        gentle = (Chaos.join, Chaos.leave)
        with open(self.path("stats")) as f:
            stats = json.load(f)
        if all(kind in gentle for kind in kinds):
            self.assertEqual(stats["tasks_recomputed"], 0, told)

    def check_files(self, code):
        """Only a client that was killed leaves its unfinished file."""
        known = {"log", "s.json", "s.json.key", "stats", "many.nc"}
        for name in self.listing():
            if name in known or name.startswith(("in_", "one")):
                continue
            self.assertEqual(code, -signal.SIGKILL, name)
            self.assertIn("many.nc", name)
            os.unlink(self.path(name))

    def descriptors(self, cluster):
        scheduler = clustertest.children(cluster.pid)[0]
        return len(os.listdir("/proc/%d/fd" % scheduler))

    def check_descriptors(self, cluster, before):
        """A connection of each worker, and one of who asks."""
        self.wait_until(lambda: self.descriptors(cluster) <=
                        before + len(self.workers), ANSWER)

    def test_rounds(self):
        self.scheduler = self.cluster("--exclusive")
        before = self.descriptors(self.scheduler)
        for i in range(ROUNDS):
            self.run_round(SEED + i)
        self.check_descriptors(self.scheduler, before)
        self.stop(self.scheduler)
        for name, w in self.workers.items():
            self.assertEqual(w.process.wait(timeout=ANSWER), 0,
                             name + "\n" + self.log())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ROUNDS = int(sys.argv[1])
    if len(sys.argv) > 2:
        SEED = int(sys.argv[2])
    del sys.argv[1:]
    clitest.main()
