# SPDX-License-Identifier: BSD-3-Clause
"""The state of a standing cluster over HTTP."""
import http.client
import json
import re
import socket
import urllib.parse

import clitest
import clustertest

LINE = re.compile(r'[a-z_]+(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="([^"\\]|\\.)*")*'
                  r'\})? -?[0-9]+$')


class Http(clustertest.TestCase):
    def known(self):
        with open(self.path("s.json")) as f:
            return json.load(f)

    def ask(self, path, method="GET", token=True, headers={}, body=None):
        url = urllib.parse.urlsplit(self.known()["http"])
        c = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        c.request(method, path + ("?" + url.query if token else ""),
                  body=body, headers=headers)
        answer = c.getresponse()
        text = answer.read().decode()
        c.close()
        return answer.status, text

    def get(self, path):
        status, text = self.ask(path)
        self.assertEqual(status, 200, text)
        return text

    def state(self):
        return json.loads(self.get("/status.json"))

    def metrics(self):
        values = {}
        for line in self.get("/metrics").splitlines():
            if not line.startswith("#"):
                self.assertRegex(line, LINE)
                name, value = line.rsplit(" ", 1)
                self.assertNotIn(name, values)
                values[name] = int(value)
        return values

    def test_the_three_views(self):
        self.inputs(files=2)
        cluster = self.cluster("--exclusive")
        known = self.known()
        self.assertRegex(known["http"], "^http://127.0.0.1:[0-9]+/"
                         r"\?token=[0-9a-f]{32}$")
        self.assertIn("waits for the first", self.get("/"))
        # A name may be anything; the worker is told by its own.
        self.worker("<b>one")
        self.assertIn("&#60;b&#62;one", self.get("/"))
        self.assertEqual([w["name"] for w in self.state()["workers"]],
                         ["<b>one"])
        self.ok("in_*.nc", ":", "mean", "time", "-o", "out.nc", "-q",
                "--scheduler-file", "s.json")
        # The client is told first, then the run is counted.
        self.wait_until(
            lambda: self.state()["computations_over"]["finished"] == 1)
        state = self.state()
        self.assertEqual(state["computations"], [])
        self.assertGreater(state["total"]["bytes_read"], 0)
        self.assertGreater(state["total"]["done"], 0)
        m = self.metrics()
        self.assertEqual(m['ncgraph_workers{state="active"}'], 1)
        self.assertEqual(m['ncgraph_computations_total{outcome="finished"}'],
                         1)
        self.assertEqual(m["ncgraph_tasks_done_total"], state["total"]["done"])
        self.assertNotIn(known["http"].split("=")[1], self.log())
        self.assertIn(known["http"].split("?")[0], self.log())
        self.stop(cluster)

    def test_who_may_ask(self):
        cluster = self.cluster("--exclusive")
        url = urllib.parse.urlsplit(self.known()["http"])
        token = url.query.split("=")[1]
        self.assertEqual(self.ask("/", token=False)[0], 401)
        self.assertEqual(self.ask("/?token=" + token[:-1] + "g",
                                  token=False)[0], 401)
        self.assertEqual(self.ask("/", token=False, headers={
            "Authorization": "Bearer " + token})[0], 200)
        self.assertEqual(self.ask("/", "HEAD"), (200, ""))
        self.assertEqual(self.ask("/nothing")[0], 404)
        self.assertEqual(self.ask("/", "POST", body="x" * 100000)[0], 405)
        self.assertEqual(self.ask("/", headers={"X": "y" * 60000})[0], 431)
        # Garbage, and many who say nothing.
        silent = [socket.create_connection((url.hostname, url.port))
                  for _ in range(20)]
        silent[0].sendall(b"\0\xff garbage\r\n\r\n")
        self.get("/")
        for s in silent:
            s.close()
        self.get("/metrics")
        self.stop(cluster)

    def test_where(self):
        cluster = self.cluster("--exclusive", "--no-http")
        self.assertNotIn("http", self.known())
        self.stop(cluster)
        for code, where, says in ((2, "x", "PORT or HOST:PORT"),
                                  (2, "127.0.0.1:99999", "HOST:PORT"),
                                  (8, "203.0.113.77:0", "203.0.113.77")):
            self.fails(code, "cluster", "--scheduler-file", "s.json",
                       "--exclusive", "--http", where, says=says)
        taken = socket.create_server(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        self.fails(8, "cluster", "--scheduler-file", "s.json", "--exclusive",
                   "--http", port, says=str(port))
        taken.close()
        cluster = self.cluster("--exclusive", "--http", "localhost:0")
        self.get("/")
        self.stop(cluster)


if __name__ == "__main__":
    clitest.main()
