"""Sends one job after the other to the renderer's process, and watches it: whatever it does, the job comes to an end.

The process is started at once, so that the server knows the card; it is started anew after it died, hung or did not
heed a cancel. A thread of its own reads what it says; one more takes the jobs. Nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from vidnb import catalog
from vidnb.clock import Clock
from vidnb.errors import MediaError
from vidnb.gpu import queue as states
from vidnb.gpu import recipes
from vidnb.gpu.queue import Entry, Queue
from vidnb.gpu.recipes import Device
from vidnb.gpu.weights import Weights
from vidnb.media import video

log = logging.getLogger("vidnb")

START = "from vidnb.gpu.child import main; main()"
LOOK_S = 0.1
"""So often a waiting worker looks whether somebody wants something else."""
AGAIN_S = 5.0
MOST_AHEAD = 8
"""So many jobs of the loaded model may go before an older one of another model."""
LOG_BYTES = 5 * 2**20
TAIL_BYTES = 4000


@dataclass(frozen=True)
class Limits:
    """How long the worker waits for its renderer, in seconds."""

    silent_s: float = 1800.0
    """Without a word: loading a large model from a slow disk takes minutes, a step on a small card too."""
    cancel_s: float = 30.0
    """For a cancel to be heeded; then the process is ended."""
    start_s: float = 300.0
    """For the process to say that it is there: torch is imported."""


@dataclass(frozen=True)
class Progress:
    """Where the running job is."""

    phase: str = "loading"
    step: int = 0
    steps: int = 0
    steps_began: float = 0.0
    """On the monotonic clock."""


class Process:
    """One renderer's process, and what it says.

    Args:
        renderer: `module:Class`.
        log: file for what it prints.
        environment: what it gets beside ours.
    """

    def __init__(self, renderer: str, log: Path, environment: Mapping[str, str]) -> None:
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))
        self._log = log
        with log.open("ab") as errors:
            self._from = errors.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-c", START, renderer],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **environment},
            )  # fmt: skip
        self.said: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        """What it says, and None at its end."""
        self.loaded = ""
        """Id of the model that it holds."""
        self._listening = threading.Thread(target=self._listen, name="vidnb renderer", daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        with self._process:  # at the end: closes the pipes, and waits
            assert self._process.stdout is not None  # it is a pipe
            for line in self._process.stdout:
                with contextlib.suppress(ValueError):
                    self.said.put(json.loads(line))
        self.said.put(None)

    def tell(self, said: Mapping[str, Any]) -> None:
        """Give it a line; a process that is gone is noticed by its end."""
        assert self._process.stdin is not None  # it is a pipe
        with contextlib.suppress(OSError, ValueError):  # closed
            self._process.stdin.write(json.dumps(said).encode() + b"\n")
            self._process.stdin.flush()

    def end(self) -> None:
        """End it now: whatever it is in the middle of, nobody waits for it."""
        self._process.kill()
        self._listening.join()

    @property
    def pid(self) -> int:
        """Return its id, for a person who looks for it."""
        return self._process.pid

    def why_ended(self) -> str:
        """Return how it ended, in words, with the last line that it printed."""
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return (
                "the renderer was killed (signal 9): most often because the machine's memory was used up. Fewer frames "
                "or a smaller size need less"
            )
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        last = self._last_line()
        return f"the renderer {how}{f'; its last words: {last}' if last else ''}"

    def _last_line(self) -> str:
        with contextlib.suppress(OSError), self._log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._from, size - TAIL_BYTES))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
            return lines[-1][:300] if lines else ""
        return ""


class Worker:
    """Renders the jobs of a queue.

    Args:
        queue: the jobs.
        folder: of the server.
        weights: the models that are here.
        renderer: `module:Class` of what renders.
        limits: how long it waits.
        memory_gb: count with so much memory, in place of what the card says.
        environment: what the renderer's process gets beside ours.
        clock: measures time.
    """

    def __init__(
        self,
        queue: Queue,
        folder: Path,
        weights: Mapping[str, Weights],
        renderer: str,
        *,
        limits: Limits | None = None,
        memory_gb: float | None = None,
        environment: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.device: Device | None = None
        """The card, once the renderer has told it."""
        self.broken = ""
        """Why no renderer could be started."""
        self.progress = Progress()
        self.running = ""
        """Id of the job that is rendered; "" for none."""
        self._queue, self._folder, self._weights = queue, folder, weights
        self._renderer, self._environment = renderer, dict(environment or {})
        self._limits, self._clock = limits or Limits(), clock or Clock()
        self._memory_gb = memory_gb
        self._process: Process | None = None
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vidnb worker", daemon=True)

    def start(self) -> None:
        """Begin; what an earlier server was rendering is begun anew."""
        self._queue.recover()
        self._thread.start()

    def stop(self) -> None:
        """End the renderer; the job that it is in the middle of waits for the next server."""
        self._stopping.set()
        self._news.set()
        self._thread.join()

    def wake(self) -> None:
        """Say that there is a job, or a wish to cancel one."""
        self._news.set()

    @property
    def renderer_pid(self) -> int | None:
        """Return the id of the renderer's process; None where there is none."""
        process = self._process
        return None if process is None else process.pid

    def spent_s(self) -> float:
        """Return the seconds since the first step of the running job was done."""
        return self._clock.monotonic() - self.progress.steps_began

    def preview(self, job_id: str) -> Path:
        """Return where a job's preview is, if it has one."""
        return self._folder / "results" / f"{job_id}.jpg"

    def clip(self, job_id: str) -> Path:
        """Return where a job's clip is, if it has one."""
        return self._folder / "results" / f"{job_id}.mp4"

    # -- the thread

    def _run(self) -> None:
        try:
            self._ready()
            while not self._stopping.is_set():
                try:
                    self._next()
                except (OSError, sqlite3.Error) as error:  # a full disk, mostly: what waits is tried again
                    log.warning("the job server cannot go on with its queue: %s; it tries again", error)
                    self._stopping.wait(AGAIN_S)
        finally:
            if self._process is not None:
                self._process.end()

    def _next(self) -> None:
        """Render the next job, or wait until there is one."""
        entry = self._queue.claim(self._process.loaded if self._process else "", MOST_AHEAD)
        if entry is None:
            self._news.wait()
            self._news.clear()
        else:
            self._render(entry)

    def _ready(self) -> Process | None:
        """Return the renderer's process, started if there is none; None where it cannot be had, which `broken` says."""
        if self._process is not None:
            return self._process
        process = Process(self._renderer, self._folder / "renderer.log", self._environment)
        said = self._word_of(process, self._limits.start_s)
        if isinstance(said, dict) and "ready" in said:
            self.device, self.broken = self._counted(Device(**said["ready"])), ""
            log.info("the renderer is ready: %s, %.0f GB", self.device.name, self.device.memory_gb)
            self._process = process
            return process
        process.end()
        if not self._stopping.is_set():
            told = said.get("broken") if isinstance(said, dict) else process.why_ended()
            self.broken = f"the renderer cannot be started: {told}"
            log.warning("%s", self.broken)
        return None

    def _counted(self, device: Device) -> Device:
        return device if self._memory_gb is None else replace(device, memory_bytes=int(self._memory_gb * 1e9))

    def _word_of(self, process: Process, at_most_s: float) -> dict[str, Any] | str | None:
        """Return what it says next, None at its end, or "" where it said nothing in time or we are to stop."""
        began = self._clock.monotonic()
        while not self._stopping.is_set() and self._clock.monotonic() - began < at_most_s:
            with contextlib.suppress(Empty):
                return process.said.get(timeout=LOOK_S)
        return ""

    def _render(self, entry: Entry) -> None:
        """Have one job rendered, to whatever end."""
        self.progress, self.running = Progress(), entry.id
        try:
            process = self._ready()
            if self._stopping.is_set():
                self._queue.put_back(entry.id)
            elif process is None:
                self._queue.end(entry.id, states.FAILED, "missing", self.broken)
            elif why := self._refused(entry):
                self._queue.end(entry.id, states.FAILED, "memory", why)
            else:
                self._follow(entry, process)
        finally:
            self.running = ""
            self._part(entry).unlink(missing_ok=True)
        ended = self._queue.need(entry.id)
        took = f" in {ended.took_s:.0f} s" if ended.took_s else ""
        why = f": {ended.error}" if ended.error else ""
        log.info("%s %s: %s%s%s", entry.model, entry.id[:8], ended.state, took, why)

    def _refused(self, entry: Entry) -> str:
        model = catalog.load().get(entry.model)
        if model is None or entry.model not in self._weights:
            return f"the weights of {entry.wire} are not in the folders of this server (any more)"
        assert self.device is not None  # told by the process, which is ready
        return recipes.refusal(recipes.recipe_of(model), model, entry.values, self.device)

    def _part(self, entry: Entry) -> Path:
        return self.clip(entry.id).with_suffix(".part.mp4")

    def _follow(self, entry: Entry, process: Process) -> None:
        """Send the job and listen until it is over."""
        began = self._clock.monotonic()
        process.tell(self._order(entry))
        heard = began
        told_at: float | None = None
        while True:
            now = self._clock.monotonic()
            if self._stopping.is_set():
                return self._give_up(process, lambda: self._queue.put_back(entry.id))
            if told_at is None and self._queue.need(entry.id).cancelled:
                process.tell({"cancel": entry.id})
                self.progress, told_at = replace(self.progress, phase="cancelling"), now
            if told_at is not None and now - told_at > self._limits.cancel_s:
                return self._give_up(process, lambda: self._queue.end(entry.id, states.CANCELLED))
            if now - heard > self._limits.silent_s:
                return self._give_up(
                    process, lambda: self._queue.end(entry.id, states.FAILED, "silent", self._silence())
                )
            try:
                said = process.said.get(timeout=LOOK_S)
            except Empty:
                continue
            heard = self._clock.monotonic()
            if said is None:
                return self._crashed(entry, process)
            if said.get("id") == entry.id and self._is_over(entry, process, said, began):
                return None

    def _silence(self) -> str:
        minutes = self._limits.silent_s / 60
        return f"the renderer said nothing for {minutes:.3g} minutes while it was {self.progress.phase}; it was ended"

    def _order(self, entry: Entry) -> dict[str, Any]:
        model, weights, device = catalog.load()[entry.model], self._weights[entry.model], self.device
        assert device is not None  # told by the process, which is ready
        inputs = self._folder / "inputs"
        return {
            "id": entry.id, "model": entry.model, "weights": str(weights.folder), "revision": weights.revision,
            "values": dict(entry.values), "images": {name: str(inputs / file) for name, file in entry.images.items()},
            "output": str(self._part(entry)), "preview": str(self.preview(entry.id)),
            "way": recipes.way_for(recipes.recipe_of(model), model, entry.values, device),
        }  # fmt: skip

    def _give_up(self, process: Process, note: Callable[[], None]) -> None:
        """End a process that does not come to an end itself."""
        process.end()
        self._process = None
        note()

    def _crashed(self, entry: Entry, process: Process) -> None:
        self._process = None
        if self._queue.need(entry.id).cancelled:
            self._queue.end(entry.id, states.CANCELLED)
        else:
            self._queue.end(entry.id, states.FAILED, "crashed", process.why_ended())

    def _is_over(self, entry: Entry, process: Process, said: Mapping[str, Any], began: float) -> bool:
        """Take down what the renderer says of the job; true once it is over."""
        if "phase" in said:
            self._note(process, entry, said)
            return False
        if "done" in said:
            self._keep(entry, said["done"], self._clock.monotonic() - began)
        elif "cancelled" in said:
            self._queue.end(entry.id, states.CANCELLED)
        else:
            self._queue.end(entry.id, states.FAILED, str(said.get("kind", "")), str(said.get("failed", "")))
        return True

    def _note(self, process: Process, entry: Entry, said: Mapping[str, Any]) -> None:
        now, before = self._clock.monotonic(), self.progress
        if before.phase == "cancelling":
            return
        phase = str(said["phase"])
        if phase == "denoising":
            process.loaded = entry.model
            began = now if before.phase != "denoising" else before.steps_began
            self.progress = Progress(phase, int(said["step"]), int(said["steps"]), began)
        else:
            self.progress = replace(before, phase=phase)

    def _keep(self, entry: Entry, facts: Mapping[str, Any], took_s: float) -> None:
        """Keep a clip that can be played; anything else that was written is a failure."""
        part, clip = self._part(entry), self.clip(entry.id)
        try:
            info = video.verify_video(part)
        except (MediaError, OSError) as error:
            self._queue.end(entry.id, states.FAILED, "renderer", f"what the renderer wrote is no clip: {error}")
            return
        part.replace(clip)
        told = {**facts, "frames": info.frames, "fps": info.fps}
        self._queue.finish(entry.id, facts=told, took_s=took_s, size=clip.stat().st_size)
