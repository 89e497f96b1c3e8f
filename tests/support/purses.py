"""Seeded runs of caps: several processes at once, some killed, some with a clock that was set back, against a service
that loses replies, fails jobs and counts what it charges.

The service knows nothing of caps; what it charged in all is held against the cap once all processes have ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import tempfile
import threading
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hardships import ended, no_rest
from stranger import film

import vidnb
from vidnb.clock import Clock
from vidnb.errors import JobAmbiguousError, JobError, VidnbError

MODEL, PRICE = "1min/pika", 600_000
"""What this service charges for a clip of the model, whatever became of the clip."""
DAY_S = 86_400.0


class Till:
    """1min.ai as far as jobs need it; `charged` is what it took."""

    def __init__(self, seed: int, bad: float) -> None:
        self.charged = 0
        self.works: list[str] = []
        dice, lock, till = random.Random(seed), threading.Lock(), self
        fates: dict[str, str] = {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                work = self.path.rsplit("/", 1)[1].partition(".")[0]
                if self.path.startswith("/files/"):
                    return self.answer(200, film(40), "video/mp4")
                if fates.get(work) == "failed":
                    return self.answer(200, {"aiRecord": {"uuid": work, "status": "FAILED"}})
                link = f"{till.url}/files/{work}.mp4"
                detail = {"resultObject": [f"videos/{work}.mp4"]}
                record = {"uuid": work, "status": "SUCCESS", "temporaryUrl": link, "aiRecordDetail": detail}
                return self.answer(200, {"aiRecord": record if work in fates else None})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                with lock:
                    fate = dice.choice(["lost", "gateway", "failed", "refused"]) if dice.random() < bad else "done"
                    if fate != "refused":
                        work = str(uuid.UUID(int=dice.getrandbits(128), version=4))
                        fates[work] = fate
                        till.works.append(work)
                        till.charged += PRICE
                if fate == "refused":
                    return self.answer(400, {"message": "the prompt is not allowed"})
                if fate == "gateway":
                    return self.answer(502, b"<html>bad gateway</html>", "text/html")
                if fate == "lost":
                    self.close_connection = True
                    with suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)
                    return None
                return self.answer(200, {"aiRecord": {"uuid": work, "status": "PROCESSING"}})

            def answer(self, status: int, body: Any, kind: str = "application/json") -> None:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                with suppress(OSError):
                    self.send_response(status)
                    self.send_header("content-type", kind)
                    self.send_header("content-length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer while the block runs; what was asked before waits at the port."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()

    def close(self) -> None:
        """Give the port back."""
        self._server.server_close()


class SetBack(Clock):
    """A machine's clock that somebody sets back, or forth, while it is used."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(no_rest)
        self._dice, self._off_s = dice, dice.choice([0.0, -DAY_S, -40 * DAY_S, DAY_S])

    def now(self) -> float:
        """Return the time as that clock has it."""
        if self._dice.random() < 0.02:
            self._off_s = self._dice.choice([0.0, -DAY_S, -400 * DAY_S])
        return time.time() + self._off_s


def caps(seed: int) -> Counter[str]:
    """A3: the cap of a purse, a folder, a Studio or in jobs, with all that can go wrong, from several processes."""
    dice, found = random.Random(seed), Counter[str](runs=1)
    kind, clips = dice.choice(["purse", "folder", "studio", "jobs", "client"]), dice.randint(2, 6)
    till = Till(seed, dice.choice([0.2, 0.5, 0.8]))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        for turn in range(dice.randint(1, 2)):  # then new kernels on the same folder
            # A cap of one client's own holds for that client only, so only one of them lives then.
            count = 1 if kind == "client" else dice.randint(2, 3)
            charged = till.charged
            children = [_child(Path(home), till.url, kind, clips, seed * 100 + turn * 10 + n) for n in range(count)]
            with till.serving():
                if dice.random() < 0.4:
                    time.sleep(dice.uniform(0.05, 0.6))
                    with suppress(ProcessLookupError):
                        os.kill(children[0], signal.SIGKILL)
                found["hangs"] += sum(not ended(child) for child in children)
            # The cap is in credits, or in jobs of which each costs as much.
            spent = till.charged - charged if kind == "client" else till.charged
            found["caps passed"] += int(spent > _room(kind, clips))
        found["caps passed"] += int(_counted(Path(home)) < len(till.works))
        found["raw errors"] += len(list(Path(home).glob("raw-*")))
    till.close()
    return found


def _room(kind: str, clips: int) -> float:
    return clips * PRICE if kind == "jobs" else clips * PRICE * 1.5


def _counted(home: Path) -> float:
    """How many POSTs the folder's own book has, read without vidnb."""
    if not (home / "vidnb.db").exists():
        return 0
    sums = "SELECT settled + reserved + unclear FROM purses WHERE name = '' AND book = 'real' AND unit = 'JOBS'"
    with closing(sqlite3.connect(home / "vidnb.db")) as database:
        has_books = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'purses'").fetchone()
        row = database.execute(sums).fetchone() if has_books else None  # it may be killed before it made the tables
    return float(row[0]) if row else 0


def _child(home: Path, url: str, kind: str, clips: int, seed: int) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of each fork with threads
        pid = os.fork()
    if pid:
        return pid
    try:
        os.environ |= {"ONEMIN_BASE_URL": url, "ONEMIN_API_KEY": "a-key"}
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        _spend(home, kind, clips, random.Random(seed))
    except VidnbError:
        pass
    except BaseException as error:  # noqa: BLE001  # the parent counts it
        (home / f"raw-{seed}").write_text(repr(error))
    finally:
        os._exit(0)


def _spend(home: Path, kind: str, clips: int, dice: random.Random) -> None:
    """Ask for more clips than there is money for, and decide about those that went wrong."""
    cap = {"1min": clips * PRICE * 1.5}
    options: dict[str, Any] = {"clock": SetBack(dice)} if dice.random() < 0.5 else {"sleep": no_rest}
    if kind == "purse":
        options |= {"purse": "lesson", "budget_credits": cap}
    if kind == "client":
        options |= {"budget_credits": cap}
    with vidnb.Client(home, **options) as client:
        if kind == "folder":
            client.budget(credits=cap)
        if kind == "jobs":
            client.budget(jobs=clips)
        ask = _studio(client, cap["1min"], dice) if kind == "studio" else _asked(client, dice)
        for _ in range(clips + 3):
            try:
                job = ask()
                if dice.random() < 0.8:
                    client.wait(job, 60, quiet=True)
            except JobAmbiguousError as error:
                with suppress(VidnbError):
                    _decide(client, error.job, dice)
            except (VidnbError, JobError):
                if dice.random() < 0.2:
                    client.resume(timeout_s=30)


def _asked(client: vidnb.Client, dice: random.Random) -> Callable[[], Any]:
    prompts = ["a koala", "a cat", "a dog", "a bird"]
    return lambda: client.submit(dice.choice(prompts), model=MODEL, fresh=dice.random() < 0.6)


def _studio(client: vidnb.Client, cap: float, dice: random.Random) -> Callable[[], Any]:
    studio = vidnb.Studio(MODEL, client, budget_credits=cap)

    def ask() -> Any:
        studio.params = {"prompt": dice.choice(["a koala", "a cat"])}
        return studio.generate(fresh=dice.random() < 0.8)

    return ask


def _decide(client: vidnb.Client, job: vidnb.Job, dice: random.Random) -> None:
    how = dice.choice(["send_again", "send_again", "give_up", "cancel", "nothing"])
    if how == "cancel":
        client.cancel(job)
    elif how != "nothing":
        client.settle(job, how)  # type: ignore[arg-type]  # one of its two words
        if how == "send_again":
            client.wait(job, 60, quiet=True)


CAPPED = {"A3 caps": caps}
