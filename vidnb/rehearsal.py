"""Imports a plug-in in a process of its own first: one that ends the process, or stops all of Python, ends that one.

A loop in C that never lets another thread run cannot be left from within the process, and a crash ends it. This file is
both sides: what asks, and what the other process runs.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

START_S = 30.0
"""A Python that has not begun by then tells nothing."""
GRACE_S = 1.0
"""So long after the time was up a process whose threads cannot run ends itself."""
IS_ONE = "VIDNB_REHEARSAL"
"""Set in such a process: a plug-in that asks for another one starts no further process."""
WARM = ("vidnb.emulator", "vidnb.providers.base")
"""What plug-ins build on."""
BEGUN, OVER, HANGS, STUCK = b"begun\n", b"over\n", b"hangs\n", b"Timeout"
"""What the other process writes; the last is the beginning of what `faulthandler` writes."""


def unfit(module: str, within_s: float) -> str:
    """Return why this process must not import a module, in words; "" where it may, if only to see what that raises.

    Args:
        module: its name.
        within_s: how long the import may take.
    """
    if not sys.executable or getattr(sys, "frozen", False) or IS_ONE in os.environ:
        return ""
    command = [sys.executable, "-P", __file__, module, json.dumps(sys.path), str(within_s)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | {IS_ONE: "1"}, timeout=START_S + within_s + GRACE_S, check=False,
            start_new_session=True,  # a Ctrl-C is not meant for it, and would look as if the plug-in ended it
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError, subprocess.SubprocessError):  # no process can be started, or it is slow
        return ""
    if HANGS in done.stdout or STUCK in done.stdout:
        return f"did not end within {within_s:g} s"
    if BEGUN in done.stdout and OVER not in done.stdout and done.returncode < 0:
        with suppress(ValueError):
            return f"ended the process ({signal.Signals(-done.returncode).name})"
    return ""


def _rehearse(module: str, path: list[str], within_s: float) -> None:
    """Import the module as `plugins` does, in a thread; tell how far that came."""
    told, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.path[:] = path
    for name in WARM:  # is there in the process that asks, too, and not to be counted
        importlib.import_module(name)
    thread = threading.Thread(target=importlib.import_module, args=(module,), daemon=True)
    # Its clock runs in C and needs no turn of Python's.
    faulthandler.dump_traceback_later(within_s + GRACE_S, exit=True, file=told)
    os.write(told, BEGUN)
    thread.start()
    thread.join(within_s)
    os.write(told, HANGS if thread.is_alive() else OVER)
    os._exit(0)


if __name__ == "__main__":
    _rehearse(sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3]))
