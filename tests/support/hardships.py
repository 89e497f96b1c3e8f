"""Seeded runs of what a machine and its people do to vidnb: forks, moved folders, locked databases, containers.

Each function plays one seed against a service that counts for itself, and says what went wrong there: second payments,
lost or wrong clips, hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
from counting import VALUES, CountingService
from stranger import KEYS, LEONARDO, Stranger, film

import vidnb
from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import VidnbError
from vidnb.jobs.process import process_name

HANGS_AFTER_S = 60.0
RECIPES = ("a koala", "a cat", "a dog")


def forks(seed: int) -> Counter[str]:
    """A6: a process forks at random moments, and parent and children ask for the same recipes and for others."""
    dice, found, service = random.Random(seed), Counter[str](runs=1), CountingService(film(40))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, service.serving():
        service.before_reply = lambda prompt: time.sleep(dice.uniform(0.0, 0.05))
        asked: set[str] = set()
        with mock.patch.dict(os.environ, service.environment), vidnb.Client(home) as client:
            children = []
            for _ in range(dice.randint(1, 3)):
                for prompt in dice.choices(RECIPES, k=dice.randint(0, 2)):
                    asked.add(prompt)
                    client.submit(prompt, **VALUES)
                time.sleep(dice.uniform(0.0, 0.05))
                prompt, way = dice.choice(RECIPES), dice.choice(["generate", "submit and leave", "resume"])
                asked |= set() if way == "resume" else {prompt}
                children.append(_child(client, prompt, way))
            for prompt in sorted(asked):
                try:
                    clip = client.generate(prompt, timeout_s=HANGS_AFTER_S, **VALUES)
                    found["lost or wrong clips"] += int(clip.path.read_bytes() != film(40))
                except vidnb.JobTimeoutError:
                    found["hangs"] += 1
            for child in children:
                found["hangs"] += int(not ended(child))
            found["lost or wrong clips"] += sum(job.remote_id is None for job in client.jobs())
        found["second payments"] = len(service.prompts) - len(set(service.prompts))
    return found


def _child(client: vidnb.Client, prompt: str, way: str) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of each fork with threads
        pid = os.fork()
    if pid:
        return pid
    try:
        if way == "generate":
            client.generate(prompt, timeout_s=HANGS_AFTER_S, **VALUES)
        elif way == "resume":
            client.resume(timeout_s=HANGS_AFTER_S)
        else:
            client.submit(prompt, **VALUES)
            client.close()
    except BaseException:  # noqa: BLE001  # what a child could not do, the parent does
        os._exit(1)
    os._exit(0)


def ended(pid: int) -> bool:
    end = time.monotonic() + HANGS_AFTER_S
    while time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


# -- the data folder


def _away(path: Path) -> Callable[[], None]:
    """Take a file or folder away; return what puts it back, in place of what came there meanwhile."""
    aside = path.with_name(f"{path.name} aside")
    if not path.exists():
        return lambda: None
    path.rename(aside)

    def back() -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        aside.rename(path)

    return back


def _folder_away(home: Path, older: Path) -> list[Callable[[], None]]:
    return [_away(home)]


def _folder_of_before(home: Path, older: Path) -> list[Callable[[], None]]:
    back = _away(home)
    shutil.copytree(older, home)
    return [back]


def _database_away(home: Path, older: Path) -> list[Callable[[], None]]:
    return [_away(home / name) for name in ("vidnb.db", "vidnb.db-wal", "vidnb.db-shm")]


def _file_away(home: Path, older: Path) -> list[Callable[[], None]]:
    return [_away(home / "vidnb.db")]


def _log_away(home: Path, older: Path) -> list[Callable[[], None]]:
    return [_away(home / "vidnb.db-wal")]


def _database_of_before(home: Path, older: Path) -> list[Callable[[], None]]:
    back = _database_away(home, older)
    shutil.copy(older / "vidnb.db", home)
    return back


def _emptied(home: Path, older: Path) -> list[Callable[[], None]]:
    back = _database_away(home, older)
    (home / "vidnb.db").touch()
    return back


def _clips_away(home: Path, older: Path) -> list[Callable[[], None]]:
    return [_away(home / "files")]


def _directory_changed(home: Path, older: Path) -> list[Callable[[], None]]:
    here = Path.cwd()
    os.chdir(older)
    return [lambda: os.chdir(here)]


MOVES = (
    _folder_away, _folder_of_before, _database_away, _file_away, _log_away, _database_of_before, _emptied,
    _clips_away, _directory_changed,
)  # fmt: skip


def moves(seed: int) -> Counter[str]:
    """A7: the data folder is moved, emptied or replaced at a random moment, and is put back before a restart."""
    return asyncio.run(_moves(seed))


async def _moves(seed: int) -> Counter[str]:
    dice, found, service = random.Random(seed), Counter[str](runs=1), Stranger()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        home, older = Path(parent) / "data", Path(parent) / "older"
        async with client_on(home, service) as first:
            await first.generate("the first", **LEONARDO)
        shutil.copytree(home, older)
        moment, move = dice.choice(["before", "submit", "poll", "download", "after"]), dice.choice(MOVES)
        back: list[Callable[[], None]] = []

        def strike(now: str) -> None:
            if now == moment and not back:
                back.extend(move(home, older))

        _tell(service, strike)
        begun = len(service.paid)
        client = client_on(home, service)
        client.engine.leases.owner = _ended_process()  # as it will be, once it was restarted
        async with within(found):
            await tried(client.resume())  # the database is open before it is taken away
            strike("before")
            for _ in range(3):
                await tried(client.generate("a koala", timeout_s=60, **LEONARDO))
            strike("after")
            for _ in range(2):
                await tried(client.generate("a koala", timeout_s=60, **LEONARDO))
            await client.aclose()
        for put_back in back:
            put_back()
        _tell(service, lambda now: None)
        async with within(found), client_on(home, service) as client:
            await _all_clips(client, service, found, begun)
    return found


def _all_but_the_clips_of_before(home: Path, older: Path) -> list[Callable[[], None]]:
    back = [_away(path) for path in home.iterdir() if path.name != "files"]
    shutil.copytree(older, home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("files"))
    return back


def _copy_unpacked_over_the_folder(home: Path, older: Path) -> list[Callable[[], None]]:
    back = _database_away(home, older)
    shutil.copytree(older, home, dirs_exist_ok=True)
    return back


def _pages_of_before(home: Path, older: Path) -> list[Callable[[], None]]:
    newer, path = home.with_name("newer.db"), home / "vidnb.db"

    def copy(source: Path, target: Path) -> None:
        with contextlib.closing(sqlite3.connect(source)) as one, contextlib.closing(sqlite3.connect(target)) as other:
            one.backup(other)

    copy(path, newer)
    copy(older / "vidnb.db", path)
    return [lambda: copy(newer, path)]


RESTORED = (
    _database_of_before, _database_away, _emptied, _all_but_the_clips_of_before, _copy_unpacked_over_the_folder,
    _pages_of_before,
)  # fmt: skip


def restored(seed: int) -> Counter[str]:
    """A7: between two kernels an older copy takes the place of the history, and later the newer one comes back."""
    return asyncio.run(_restored(seed))


async def _restored(seed: int) -> Counter[str]:
    dice, found, service = random.Random(seed), Counter[str](runs=1), Stranger()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        home, older = Path(parent) / "data", Path(parent) / "older"
        async with client_on(home, service) as first:
            for n in range(dice.randint(1, 3)):
                await first.generate(f"of yesterday {n}", **LEONARDO)
        shutil.copytree(home, older)
        begun, moment = len(service.paid), dice.choice(["submit", "poll", "download", "end"])
        clients = [client_on(home, service) for _ in range(dice.randint(1, 3))]
        reached = asyncio.Event()
        _tell(service, lambda now: reached.set() if now == moment else None)
        working = asyncio.gather(*(tried(client.generate("a koala", timeout_s=60, **LEONARDO)) for client in clients))
        async with within(found):
            await asyncio.wait([working, asyncio.ensure_future(reached.wait())], return_when=asyncio.FIRST_COMPLETED)
            for client in clients:
                await client.aclose()
            await working
        _tell(service, lambda now: None)
        paid = len(service.paid)
        back = dice.choice(RESTORED)(home, older)
        for _ in range(dice.randint(1, 2)):
            async with within(found), client_on(home, service) as client:
                await tried(client.resume(timeout_s=60))
                for prompt in dice.choices(["a koala", "a cat"], k=2):
                    await tried(client.generate(prompt, timeout_s=60, **LEONARDO))
        found["second payments"] += len(service.paid) - paid
        for put_back in back:
            put_back()
        async with within(found), client_on(home, service) as client:
            await _all_clips(client, service, found, begun)
    return found


async def _all_clips(client: AsyncClient, service: Stranger, found: Counter[str], begun: int) -> None:
    """Do after a restart what a person would, then count what became of what was paid for."""
    await tried(client.resume(timeout_s=60))
    for job in client.jobs():
        if job.state == "ambiguous" and job.remote_id is None and len(service.paid) > begun:
            await tried(client.settle(job, remote_id=service.paid[-1].id))
    clip = await tried(client.generate("a koala", timeout_s=60, **LEONARDO))
    ours = service.paid[begun:]
    found["second payments"] += max(0, len(ours) - 1)
    content = clip.path.read_bytes() if clip is not None else b""
    found["lost or wrong clips"] += int(content not in [film(work.shade) for work in ours])


def _tell(service: Stranger, strike: Callable[[str], None]) -> None:
    """Call this at each kind of request, before it is answered."""
    service.on_submit = lambda request, work: strike("submit")  # type: ignore[func-returns-value]
    service.on_poll = lambda request, work: strike("poll")  # type: ignore[func-returns-value]
    service.on_download = lambda request, work: strike("download")  # type: ignore[func-returns-value]


def client_on(home: Path, service: httpx.AsyncBaseTransport, **settings: Any) -> AsyncClient:
    return AsyncClient(home, keys=KEYS, transport=service, sleep=no_rest, **settings)


async def no_rest(seconds: float) -> None:
    await asyncio.sleep(0)


async def tried(call: Awaitable[Any]) -> Any:
    """Return what comes back; None where vidnb says why nothing does."""
    try:
        return await call
    except VidnbError:
        return None


@contextlib.asynccontextmanager
async def within(found: Counter[str]) -> Any:
    """Count the block as a hang where it does not end."""
    try:
        async with asyncio.timeout(HANGS_AFTER_S):
            yield
    except TimeoutError:
        found["hangs"] += 1


# -- the database


def locks(seed: int) -> Counter[str]:
    """B12: other processes hold the database for a while at random moments, some for longer than anybody waits."""
    return asyncio.run(_locks(seed))


async def _locks(seed: int) -> Counter[str]:
    dice, found, service = random.Random(seed), Counter[str](runs=1), Stranger()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        home, left = Path(parent) / "data", dice.randint(1, 4)
        timers: list[threading.Timer] = []

        def strike(now: str) -> None:
            nonlocal left
            if left and dice.random() < 0.5:
                left -= 1
                timers.append(_hold(home / "vidnb.db", dice.uniform(0.01, 0.3)))

        _tell(service, strike)
        client = client_on(home, service)
        client.store.busy_s = 0.1
        async with within(found):
            for _ in range(3):
                await tried(client.generate("a koala", timeout_s=60, **LEONARDO))
        for timer in timers:
            timer.join()
        _tell(service, lambda now: None)
        async with within(found):
            await _all_clips(client, service, found, 0)
            await client.aclose()
    return found


def _hold(path: Path, seconds: float) -> threading.Timer:
    other = sqlite3.connect(path, check_same_thread=False, timeout=0.0)
    with contextlib.suppress(sqlite3.OperationalError):
        other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(seconds, other.close)
    timer.start()
    return timer


# -- several containers


class Slow(Stranger):
    """Keeps the reply to a submit back for a moment, in which others may think that nobody works on it."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.method == "POST":
            await asyncio.sleep(self.seconds)
        return response


def containers(seed: int) -> Counter[str]:
    """B13: two containers on one data folder, whose host names, process numbers or boot ids may be the same."""
    return asyncio.run(_containers(seed))


async def _containers(seed: int) -> Counter[str]:
    dice, found = random.Random(seed), Counter[str](runs=1)
    service = Slow(dice.uniform(0.0, 0.1))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        clients = [client_on(Path(home), service) for _ in range(dice.randint(2, 3))]
        for client in clients[1:]:
            client.engine.leases.owner = another_process(dice)
        dice.shuffle(clients)

        async def ask(client: AsyncClient) -> Any:
            await asyncio.sleep(dice.uniform(0.0, 0.1))
            return await client.generate("a koala", timeout_s=60, **LEONARDO)

        async with within(found):
            clips = await asyncio.gather(*map(ask, clients))
            right = [film(work.shade) for work in service.paid]
            found["lost or wrong clips"] += sum(clip.path.read_bytes() not in right for clip in clips)
        found["second payments"] += len(service.paid) - 1
        for client in clients:
            await client.aclose()
    return found


def _ended_process() -> str:
    """The name of a process of this machine that has ended."""
    return "/".join((*process_name().rsplit("/", 5)[:3], "999999999", "1", "abcdef12"))


def another_process(dice: random.Random) -> str:
    """The name of a process in another container, as far from this one as the dice say."""
    host, boot, _, pid, started, _ = process_name().rsplit("/", 5)
    return "/".join(
        [
            dice.choice([host, "a1b2c3"]), boot, f"40265{dice.randrange(10**5):05}",
            dice.choice([pid, "1", "999999999"]), dice.choice([started, "1"]), f"{dice.randrange(16**8):08x}",
        ]
    )  # fmt: skip


HARDSHIPS: dict[str, Callable[[int], Counter[str]]] = {
    "A6 forks": forks,
    "A7 a folder that moves": moves,
    "A7 an older copy between kernels": restored,
    "B12 a database that others hold": locks,
    "B13 several containers": containers,
}
