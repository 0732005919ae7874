# SPDX-License-Identifier: BSD-3-Clause
"""JupyterLab beside the scheduler, as on a computing centre's nodes."""
from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from typing import Any


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(port: int = 0, directory: Any = None) -> tuple[str, int, str]:
    """Start JupyterLab in this process's environment; host, port, token."""
    import importlib.util
    if importlib.util.find_spec("jupyterlab") is None:
        raise ModuleNotFoundError("jupyterlab is not installed where the "
                                  "scheduler runs", name="jupyterlab")
    port = port or _free_port()
    token = secrets.token_hex(24)
    # The token reaches it by the environment: arguments can be read by others.
    subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser",
         "--ip=127.0.0.1", f"--port={port}"],
        cwd=directory, env={**os.environ, "JUPYTER_TOKEN": token},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    return socket.gethostname(), port, token


def tunnel(host: str, port: int, token: str, http: str = ""
           ) -> tuple[str, str]:
    """The ``ssh`` line that forwards the ports, and the address to open.

    Parameters
    ----------
    http : str
        The scheduler's page, "http://127.0.0.1:8787/...", or "".
    """
    from urllib.parse import urlsplit
    ports = [f"-L {port}:localhost:{port}"]
    status = urlsplit(http).port if http else None
    if status:
        ports.append(f"-L {status}:localhost:{status}")
    user = os.environ.get("USER") or os.environ.get("LOGNAME")
    where = f"{user}@{host}" if user else host
    return (f"ssh -N {' '.join(ports)} {where}",
            f"http://localhost:{port}/lab?token={token}")
