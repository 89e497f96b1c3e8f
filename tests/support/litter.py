"""Seeded runs of kills while clips come in: an hour later no part file is left, here or in the bucket."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

from counting import VALUES, CountingService
from fsspec.implementations.local import LocalFileSystem
from hardships import HANGS_AFTER_S, ended, no_rest, tried, within
from stranger import film

import vidnb
from vidnb.client.asynchronous import AsyncClient
from vidnb.records import State

PADDING = (4 * 2**20).to_bytes(4, "big") + b"free" + bytes(4 * 2**20 - 8)
"""Makes the download of a clip, and its way into a bucket, last a moment."""
HOUR_S = 3700.0


def kills(seed: int) -> Counter[str]:
    """B17: processes are killed at random moments, and the folder is used again an hour later."""
    dice, found, content = random.Random(seed), Counter[str](runs=1), film(40) + PADDING
    service = CountingService(content)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        home, bucket = Path(parent) / "data", Path(parent) / "bucket"
        # fsspec's own file system under another name: vidnb treats it as a service of files.
        files_url = f"local://{bucket}" if dice.random() < 0.5 else None
        variables = service.environment | {"VIDNB_HOME": str(home)}  # copies of a bucket's files lie there
        with mock.patch.dict(os.environ, variables), service.serving():
            for turn in range(dice.randint(2, 4)):
                child = _child(home, files_url, [f"{turn}.{n}" for n in range(dice.randint(1, 3))])
                _kill_in_the_middle(child, Path(parent), dice)
            _an_hour_later(Path(parent))
            asyncio.run(_count(home, files_url, service, content, found))
            found["part files"] += len(list(Path(parent).rglob("?*.part")))
    found["second payments"] += len(service.prompts) - len(set(service.prompts))
    return +found


def _kill_in_the_middle(child: int, parent: Path, dice: random.Random) -> None:
    """Kill the process at a random moment, or as soon as it writes to a part file."""
    end, watched = time.monotonic() + dice.uniform(0.0, 1.5), dice.choice(["data", "bucket", "nothing"])
    while time.monotonic() < end:
        if any(_is_young(path) for path in (parent / watched).rglob("?*.part")):
            break
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.003)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    ended(child)


def _is_young(path: Path) -> bool:
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_size > 0 and time.time() - found.st_mtime < 0.05
    return False


def _put_slowly(self: LocalFileSystem, source: str, target: str, **options: Any) -> None:
    """Copy a file as a bucket takes it: in pieces, with a moment between them."""
    content = Path(source).read_bytes()
    with Path(target).open("wb") as file:
        for at in range(0, len(content), 2**20):
            file.write(content[at : at + 2**20])
            file.flush()
            time.sleep(0.01)


def _an_hour_later(parent: Path) -> None:
    for path in parent.rglob("?*.part"):
        before = path.stat().st_mtime - HOUR_S
        os.utime(path, (before, before))


def _child(home: Path, files_url: str | None, prompts: list[str]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of each fork with threads
        pid = os.fork()
    if pid:
        return pid
    with suppress(BaseException):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        LocalFileSystem.put_file = _put_slowly
        with vidnb.Client(home, files_url=files_url, sleep=no_rest) as client:
            for prompt in prompts:
                client.submit(prompt, **VALUES)
            client.resume()
    os._exit(0)


async def _count(
    home: Path, files_url: str | None, service: CountingService, content: bytes, found: Counter[str]
) -> None:
    """Use the folder again, and look for every clip that was paid for."""
    async with AsyncClient(home, files_url=files_url, sleep=no_rest) as client, within(found):
        await tried(client.resume(timeout_s=HANGS_AFTER_S / 2))
        for number, prompt in enumerate(list(service.prompts), 1):
            for row in client.jobs(prompt=prompt, limit=None):
                if row.state is State.AMBIGUOUS:
                    await tried(client.settle(row, remote_id=f"gen-{number}"))
                clip = await tried(client.wait(row, HANGS_AFTER_S / 2, quiet=True))
                found["lost or wrong clips"] += int(clip is None or clip.path.read_bytes() != content)
        found["lost or wrong clips"] += len(set(service.prompts) - {row.prompt for row in client.jobs(limit=None)})
        await client.generate("an hour later", timeout_s=HANGS_AFTER_S / 2, **VALUES)


LITTERED = {"B17 litter of kills": kills}
