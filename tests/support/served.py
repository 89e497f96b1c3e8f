"""Servers on a port of this machine, for clients that need one: an ASGI app, or a command of vidnb."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address of the app, served from a thread until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        [port] = [socket.getsockname()[1] for one in server.servers for socket in one.sockets]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serving(
    home: Path, environment: Mapping[str, str], *command: str
) -> Iterator[tuple[subprocess.Popen[str], str, dict[str, str]]]:  # fmt: skip
    """The process of a command of vidnb that serves a data folder, its address, and the header with its token.

    What it says on stderr is added to the file `said` beside the folder.
    """
    given = os.environ | {"VIDNB_HOME": str(home), "VIDNB_EMULATOR_SPEED": "1000"} | environment
    with (
        (home.parent / "said").open("a") as said,
        subprocess.Popen(
            [sys.executable, "-m", "vidnb", *command, "--port", "0"],
            env=given, stdout=subprocess.PIPE, stderr=said, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        base = process.stdout.readline().strip()
        try:
            token = (home / ".serve-token").read_text().strip()
            yield process, base, {"Authorization": f"Bearer {token}"}
        finally:
            process.terminate()
            process.wait(timeout=60)
