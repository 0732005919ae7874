# SPDX-License-Identifier: BSD-3-Clause
"""The notebooks of examples/ run from the first cell to the last."""
import pathlib
import shutil

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("xarray")

HERE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "notebooks"


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
