# SPDX-License-Identifier: BSD-3-Clause
"""Hosts for tests: network namespaces of this machine, and a network between
them that is slow or cut where a test wants it.

Each host has a tun device; a thread of the test passes packets from one to the
other, later or never. Nothing of it outlives the test: a namespace ends with
the process that holds it.
"""
import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import threading
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
CLONE_NEWNET = 0x40000000
NET = "10.213.7.%d"


class NotPermitted(Exception):
    """Why there can be no such network here."""


def open_tun(pid, out):
    """Opens a device in the namespace of a process; in a thread of its own,
    which then belongs there."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        with open("/proc/%d/ns/net" % pid) as ns:
            if libc.setns(ns.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        out.append(fd)
        fcntl.ioctl(fd, TUNSETIFF,
                    struct.pack("16sH22x", b"ncg0", IFF_TUN | IFF_NO_PI))
    except OSError as e:
        out.append(e)


class Host:
    def __init__(self, number):
        self.address = NET % (number + 1)
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec sleep 3600"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        opened = []
        if not self.holder.stdout.readline():
            reason = self.holder.stderr.read().decode().strip()
            self.close()
            raise NotPermitted("no network namespaces: " + reason)
        t = threading.Thread(target=open_tun, args=(self.holder.pid, opened))
        t.start()
        t.join()
        self.fd = opened[0] if isinstance(opened[0], int) else -1
        if not isinstance(opened[-1], int):
            self.close()
            raise NotPermitted("no tun device: %s" % opened[-1])
        for words in (("link", "set", "lo", "up"),
                      ("addr", "add", self.address + "/24", "dev", "ncg0"),
                      ("link", "set", "ncg0", "mtu", "9000", "up")):
            subprocess.run([*self.inside(), "ip", *words], check=True)

    def inside(self):
        """Put before a command, it runs on this host, as the same process."""
        return ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid, "--"]

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()
        if getattr(self, "fd", -1) >= 0:
            os.close(self.fd)


class Network:
    """n hosts; `delay` and `jitter` in seconds each way."""

    def __init__(self, n, delay=0, jitter=0, seed=1):
        for program in ("unshare", "nsenter", "ip"):
            if not shutil.which(program):
                raise NotPermitted("there is no " + program)
        if os.geteuid() != 0:
            raise NotPermitted("network namespaces need root")
        self.delay, self.jitter = delay, jitter
        self.hosts = []
        self.cut = set()
        self.chance = random.Random(seed)
        self.wake, self.ring = os.pipe()
        self.thread = None
        try:
            for i in range(n):
                self.hosts.append(Host(i))
        except BaseException:
            self.close()
            raise
        self.thread = threading.Thread(target=self.forward, daemon=True)
        self.thread.start()

    def split(self, number):
        """Nothing comes from or to this host any more."""
        self.cut = self.cut | {self.hosts[number].address}

    def heal(self):
        self.cut = set()

    def close(self):
        os.write(self.ring, b"x")
        if self.thread:
            self.thread.join()
        for host in self.hosts:
            host.close()
        os.close(self.wake)
        os.close(self.ring)

    def take(self, fd, waiting, last):
        """Packets of a host, each with the time at which it arrives; none
        overtakes another between the same two."""
        for _ in range(64):
            try:
                packet = os.read(fd, 65536)
            except BlockingIOError:
                return
            if packet[0] >> 4 != 4:
                continue
            pair = packet[12:20]
            at = time.monotonic() + self.delay
            if self.jitter:
                at += self.chance.uniform(0, self.jitter)
            last[pair] = at = max(at, last.get(pair, 0))
            heapq.heappush(waiting, (at, self.serial, packet))
            self.serial += 1

    def deliver(self, packet, fds):
        source = socket.inet_ntoa(packet[12:16])
        target = socket.inet_ntoa(packet[16:20])
        if source in self.cut or target in self.cut or target not in fds:
            return
        try:
            os.write(fds[target], packet)
        except OSError:
            pass  # full or gone: packets may be lost

    def forward(self):
        fds = {h.address: h.fd for h in self.hosts}
        waiting, last = [], {}
        self.serial = 0
        poll = select.poll()
        for fd in [self.wake, *fds.values()]:
            poll.register(fd, select.POLLIN)
        while True:
            pause = None
            if waiting:
                pause = max(0, 1000 * (waiting[0][0] - time.monotonic()))
            for fd, _ in poll.poll(pause):
                if fd == self.wake:
                    return
                self.take(fd, waiting, last)
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                self.deliver(heapq.heappop(waiting)[2], fds)
