"""The emulator in a process of its own, for the benchmarks."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

WORKERS = multiprocessing.get_context("spawn")


def _serve(folder: str, settings: dict[str, Any], pipe: Connection) -> None:
    from vidnb.emulator import Emulator, running

    with running(Emulator(folder, **settings)) as base_url:
        pipe.send(base_url)
        signal.pause()


@contextmanager
def emulator(**settings: Any) -> Iterator[str]:
    """The base URL of an emulator with these settings, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        here, there = WORKERS.Pipe()
        process = WORKERS.Process(target=_serve, args=(str(Path(folder) / "service"), settings, there), daemon=True)
        process.start()
        try:
            yield here.recv()
        finally:
            process.kill()
            process.join()
