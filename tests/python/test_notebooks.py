# SPDX-License-Identifier: BSD-3-Clause
"""The notebooks of examples/ run from the first cell to the last."""
import pathlib
import shutil
import time

import pytest

from conftest import WAIT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("xarray")

HERE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "notebooks"


SLOW = """
import ncgraph as ncg, time

def slow(block):
    open("started", "w").close()
    time.sleep(0.2)
    return block

ncg.ones(3000, chunks=1).map_blocks(slow, dtype="f8").sum().compute()
"""


def answer_of(client, request):
    while True:
        message = client.get_shell_msg(timeout=WAIT)
        if message["parent_header"].get("msg_id") == request:
            return message["content"]


def test_an_interrupted_cell_leaves_the_session_usable(tmp_path):
    from jupyter_client.manager import KernelManager
    manager = KernelManager(kernel_name="python3", transport="ipc",
                            ip=str(tmp_path / "k"))
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=WAIT)
        # What comes next is not to be dropped with the cell that failed.
        slow = client.execute(SLOW, stop_on_error=False)
        end = time.monotonic() + WAIT
        while not (tmp_path / "started").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        manager.interrupt_kernel()
        assert answer_of(client, slow)["ename"] == "KeyboardInterrupt"
        total = answer_of(client, client.execute("", user_expressions={
            "total": "ncg.ones(10, chunks=3).sum().compute()"}))
        total = total["user_expressions"]["total"]
        assert "10.0" in total["data"]["text/plain"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("name", ["climatology", "cluster"])
def test_notebook(name, tmp_path):
    if name == "climatology" and not shutil.which("dot"):
        pytest.skip("Graphviz is not installed")
    from jupyter_client.manager import AsyncKernelManager
    notebook = nbformat.read(HERE / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    # Pipes with names: two kernels never want one port.
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc",
                                 ip=str(tmp_path / "k"))
    nbclient.NotebookClient(
        notebook, km=manager, timeout=240, startup_timeout=120,
        resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output["output_type"] != "error"
    shown = [o for c in notebook.cells for o in c.get("outputs", ())
             if "text/html" in o.get("data", {})]
    assert shown, "no HTML of an array, a data set or a client"
