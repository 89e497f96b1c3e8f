"""The job server, all of it together: folder, queue, renderer, HTTP, and room on the disk."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from vidnb.clock import Clock
from vidnb.errors import ConfigError
from vidnb.gpu import folder as places
from vidnb.gpu import weights
from vidnb.gpu.app import App
from vidnb.gpu.queue import Queue
from vidnb.gpu.weights import Weights
from vidnb.gpu.worker import Limits, Worker

DIFFUSERS = "vidnb.gpu.pipelines:Diffusers"
TIDY_EVERY_S = 60.0
INPUTS_KEPT_S = 24 * 3600.0


@dataclass(frozen=True)
class Settings:
    """How a server behaves."""

    models: Sequence[Path] = ()
    port: int = 8767
    """0 takes a free one."""
    keep_hours: float = 72.0
    keep_gb: float = 20.0
    longest_s: float = float("inf")
    memory_gb: float | None = None
    renderer: str = DIFFUSERS
    limits: Limits = field(default_factory=Limits)
    environment: Mapping[str, str] = field(default_factory=dict)
    """For the renderer's process."""


class Server:
    """One server over one folder, until the block ends.

    Args:
        folder: where it keeps everything.
        settings: how it behaves.
        clock: says how old things are.

    Raises:
        ConfigError: another server has the folder, or the port is taken.
    """

    def __init__(self, folder: Path, settings: Settings, clock: Clock | None = None) -> None:
        self.folder = folder
        self.settings = settings
        self.url = ""
        self.weights: Mapping[str, Weights] = weights.find(settings.models)
        self._clock = clock or Clock()
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Server:
        with contextlib.ExitStack() as stack:
            places.make(self.folder)
            stack.enter_context(places.held(self.folder))
            listener = stack.enter_context(_listening(self.settings.port))
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.token = places.token_of(self.folder)
            self.queue = Queue(self.folder / "queue.db", self._clock)
            stack.callback(self.queue.close)
            self.worker = Worker(
                self.queue, self.folder, self.weights, self.settings.renderer, limits=self.settings.limits,
                memory_gb=self.settings.memory_gb, environment=self.settings.environment, clock=self._clock,
            )  # fmt: skip
            app = App(
                self.queue, self.worker, self.folder, self.weights, self.token,
                longest_s=self.settings.longest_s,
            )  # fmt: skip
            self.worker.start()
            stack.callback(self.worker.stop)
            stack.enter_context(_served(app, listener))
            stack.enter_context(self._kept_tidy())
            places.announce(self.folder, self.url, self.token)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @contextlib.contextmanager
    def _kept_tidy(self) -> Iterator[None]:
        """Delete what is old, or more than there is room for, now and then."""
        stopping = threading.Event()

        def tidy() -> None:
            while True:
                self.tidy()
                if stopping.wait(TIDY_EVERY_S):
                    return

        thread = threading.Thread(target=tidy, name="vidnb tidy", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def tidy(self) -> None:
        """Delete clips that are too old or one too many, the oldest first, and pictures that nobody needs."""
        now, kept = self._clock.now(), self.queue.kept()
        total = sum(entry.bytes for entry in kept)
        for entry in kept:
            is_old = now - (entry.ended_at or now) > self.settings.keep_hours * 3600
            if is_old or total > self.settings.keep_gb * 1e9:
                total -= entry.bytes
                for path in (self.worker.clip(entry.id), self.worker.preview(entry.id)):
                    path.unlink(missing_ok=True)
                self.queue.unkept(entry.id)
        self.queue.forget_old()
        needed = self.queue.inputs()
        for path in (self.folder / "inputs").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.name not in needed and now - path.stat().st_mtime > INPUTS_KEPT_S:
                    path.unlink()


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(f"cannot listen on port {port}: {error.strerror or error}; try --port 0") from None
        listener.listen(128)
        yield listener


@contextlib.contextmanager
def _served(app: App, listener: socket.socket) -> Iterator[None]:
    """Answer requests in a thread until the block ends."""
    config = uvicorn.Config(
        app.starlette, log_level="warning", log_config=None, access_log=False, lifespan="off",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="vidnb gpu", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
