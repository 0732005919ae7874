# SPDX-License-Identifier: BSD-3-Clause
"""Counts of the peers' tests: which of them were about ncgraph, which passed."""
import collections
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import not_public  # noqa: E402
import shim  # noqa: E402

# Shares, in percent, that docs/compatibility.md states; fewer are a failure.
FLOORS = {"test_peer_xarray_parallelcompat": 100, "test_peer_xarray_dask": 95,
          "test_peer_dask_array_core": 81, "test_peer_dask_base": 95,
          "test_peer_dask_gufunc": 95, "test_peer_dask_reductions": 94,
          "test_peer_dask_slicing": 88, "test_peer_dask_ufunc": 92,
          "test_peer_dask_routines": 92}

# Passed, failed, not counted, passed and failed of those about dask's inside.
counts = collections.defaultdict(lambda: [0, 0, 0, 0, 0])
failed = []


@pytest.fixture
def xfail(request):
    """What dask's own tests call where a case is not for them."""
    return lambda reason: request.node.add_marker(
        pytest.mark.xfail(reason=reason, strict=False))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if call.when == "setup":
        item.made_before = shim.made
    if call.when == "setup" and report.failed:  # in a fixture of the module
        counts[item.fspath.purebasename][1] += 1
        failed.append((item.nodeid, str(call.excinfo.value)[:200]))
    if call.when != "call" or hasattr(report, "wasxfail"):
        return
    row = counts[item.fspath.purebasename]
    about_us = shim.made > item.made_before or getattr(
        item.module, "ALWAYS", False)
    if item.originalname in not_public.NAMES and not report.skipped and \
            about_us:
        row[3 if report.passed else 4] += 1
    elif report.skipped or (not about_us and report.passed):
        row[2] += 1
    elif report.passed:
        row[0] += 1
    elif not about_us and not getattr(item.module, "ALWAYS", False):
        row[2] += 1
    else:
        row[1] += 1
        failed.append((item.nodeid, str(call.excinfo.value)[:200]))


def shares(good, bad):
    """Say how many of all passed."""
    total = good + bad
    return f"{good} of {total} ({100 * good / max(total, 1):.1f} %)"


def pytest_terminal_summary(terminalreporter):
    write = terminalreporter.write_line
    write("peers: module, passed of those about ncgraph, share")
    for name, (good, bad, other, more, less) in sorted(counts.items()):
        write(f"{name}: {shares(good, bad)}, {other} not counted")
        if more + less:
            write(f"  with those about dask's inside: "
                  f"{shares(good + more, bad + less)}")
    path = os.environ.get("NCG_PEERS_FAILED")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            for name, why in failed:
                print(name, "|", why.replace("\n", " "), file=file)


def pytest_sessionfinish(session):
    """The session fails where a share is below what is stated."""
    if session.config.option.collectonly or not counts:
        return
    low = [name for name, (good, bad, *_) in counts.items()
           if 100 * good < FLOORS.get(name, 0) * (good + bad)]
    for name in low:
        print(f"\n{name}: below {FLOORS[name]} %")
    session.exitstatus = 1 if low else 0
