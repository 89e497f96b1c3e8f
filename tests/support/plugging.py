"""Seeded runs of plug-ins that do at import what no plug-in should, each in a process of its own.

The process asks a service that counts, asks the emulator, and lists what is broken; then it says so and ends by itself.
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import sys
import tempfile
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path

from counting import VALUES, CountingService
from fakes import ONEMIN
from hardships import HANGS_AFTER_S, ended
from stranger import film

import vidnb
from vidnb import catalog, plugins, providers
from vidnb.emulator import Emulator

IMPORT_S = 0.3
WORST = "class Worst(BaseException):\n    def __str__(self): raise ValueError('no words')\nraise Worst"
BROKEN = (
    "raise RuntimeError('no good')", "raise KeyboardInterrupt", "raise GeneratorExit", "raise SystemExit",
    "raise StopIteration(3)", "import asyncio\nraise asyncio.CancelledError", "raise MemoryError", WORST,
    "raise ExceptionGroup('many', [ValueError(1), TypeError(2)])", "import no_such_package", "def broken(:", "\0",
    "def deep(): return deep()\ndeep()", "1 / 0", "raise OSError(28, 'No space left on device')",
    "import sys\nsys.exit(3)", "import sys\nsys.exit('bye')", "quit()", "import os\nos._exit(3)",
    "import os\nos.abort()", "import time\ntime.sleep(600)", "import threading\nthreading.Event().wait()",
    "while True: pass", "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "import signal\nsignal.pause()", "", "Bad = None", "Bad = 3", "class Bad: pass",
    "def __getattr__(name): raise RuntimeError(name)",
)  # fmt: skip
"""Ends of a module that leave no plug-in behind."""
NOISE = (
    "", "print('hello')", "print('x' * 10**6)", "import sys\nsys.stdout.write('hello')",
    "import sys\nsys.stdout = None", "import sys\nsys.stdout.close()",
    "import os\nif os.fork() == 0: os._exit(0)", "import os\nos.fork()",
    "import os\nif os.fork() == 0: raise SystemExit", "import warnings\nwarnings.warn('old')",
    "import os\nos.chdir('/')", "import logging\nlogging.error('bad')",
    "import asyncio\nasyncio.run(asyncio.sleep(0))",
)  # fmt: skip
"""What else it does before."""


def plugs(seed: int) -> Counter[str]:
    """B14: a plug-in raises, exits, hangs, forks or prints while it is imported."""
    dice, found = random.Random(seed), Counter[str](runs=1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        site = Path(parent) / "site"
        (site / "bad-1.0.dist-info").mkdir(parents=True)
        (site / "bad_plugin.py").write_text("\n".join([dice.choice(NOISE), dice.choice(BROKEN)]), encoding="utf-8")
        groups = dice.choice([["vidnb.providers"], ["vidnb.emulated"], ["vidnb.providers", "vidnb.emulated"]])
        entries = "\n".join(f"[{group}]\nbad = bad_plugin:Bad\n" for group in groups)
        (site / "bad-1.0.dist-info/entry_points.txt").write_text(entries, encoding="utf-8")
        (site / "bad-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n", "utf-8")
        service, said = CountingService(film(40)), Path(parent) / "said"
        child = _child(service, site, Path(parent), said, renders=dice.random() < 0.2)
        with service.serving():
            found["hangs"] += int(not ended(child))
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what the plug-in forked
        told = said.read_text("utf-8", "replace") if said.exists() else ""
        found["second payments"] += len(service.prompts) - len(set(service.prompts))
        if told != "END\n":
            found["lost or wrong clips" if "WRONG" in told else "processes that ended" if "END" not in told
                  else "printed lines"] += 1  # fmt: skip
    return found


def _child(service: CountingService, site: Path, parent: Path, said: Path, *, renders: bool) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of each fork with threads
        pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    os.environ |= service.environment
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    for remembered in (plugins.points, plugins.load, providers.get, catalog.load):
        getattr(remembered, "cache_clear", lambda: None)()
    plugins.IMPORT_S = IMPORT_S
    try:
        _work(parent, renders)
        print("END", flush=True)
    except BaseException as error:  # noqa: BLE001  # the parent reads it
        print("WRONG", repr(error), flush=True)
    finally:
        os._exit(0)


def _work(parent: Path, renders: bool) -> None:
    """Do what has nothing to do with the plug-in."""
    with vidnb.Client(parent / "live") as client:
        clip = client.generate("a koala", timeout_s=HANGS_AFTER_S, **VALUES)
        assert clip.path.read_bytes() == film(40)
    emulator = Emulator(parent / "emulator", speed=1000.0)
    with vidnb.Client(parent / "emulated", live=False, emulator=emulator) as client:
        if renders:
            assert client.generate("a koala", timeout_s=HANGS_AFTER_S, **ONEMIN).path.exists()
        assert emulator.app is not None
        for verb in (client.resume, client.jobs, client.history, client.budget):
            verb()
    assert "leonardo/motion_2.0" in set(vidnb.models().id)
    for line in plugins.broken():
        assert "'bad'" in line


PLUGGED = {"B14 plug-ins": plugs}
