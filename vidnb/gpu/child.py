"""The renderer's process: reads orders as lines of JSON, tells what becomes of them, and ends with its server.

`main` makes one `Renderer`, named as module:Class on the command line, and gives it one order after the other. Whatever
it raises is a failed job; if the process itself dies, the server sees that and starts another. What libraries print
goes to the error output, so that the lines on the standard output are ours alone.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

PREVIEW_PX = 320


class CancelledError(Exception):
    """Somebody wants the job to end."""


class FailedError(Exception):
    """The job cannot be rendered, with the kind of the cause: `memory`, `value`, `missing`, `picture`."""

    def __init__(self, message: str, kind: str = "value") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Work:
    """What a renderer is to make."""

    id: str
    model: str
    """Id in the catalogue."""
    weights: Path
    revision: str
    values: Mapping[str, Any]
    """Under vidnb's names, complete."""
    images: Mapping[str, Path]
    output: Path
    """Where the MP4 goes."""
    preview: Path
    way: str
    """How memory is shared between card and machine: see `recipes.WAYS`."""


class Report:
    """How a renderer tells where it is; each call ends with `CancelledError` once the job is to end.

    Args:
        channel: writes lines for the server.
        work: the job.
    """

    def __init__(self, channel: Channel, work: Work) -> None:
        self._channel = channel
        self._work = work

    def phase(self, name: str) -> None:
        """Say what is done now: loading, decoding, encoding."""
        self._tell(phase=name)

    def step(self, done: int, of: int) -> None:
        """Say how many steps are done."""
        self._tell(phase="denoising", step=done, steps=of)

    def preview(self, image: Image) -> None:
        """Show a picture of how far the clip is."""
        small = image.convert("RGB")
        small.thumbnail((PREVIEW_PX, PREVIEW_PX))
        part = self._work.preview.with_suffix(".part")
        small.save(part, "JPEG", quality=80)
        part.replace(self._work.preview)

    def _tell(self, **said: Any) -> None:
        self._channel.send({"id": self._work.id, **said})
        if self._work.id in self._channel.cancelled:
            raise CancelledError


class Renderer(Protocol):
    """What makes clips. Made once, in a process of its own."""

    def device(self) -> dict[str, Any]:
        """Return where it works: name, kind (cuda, mps, cpu), memory_bytes, versions."""

    def render(self, work: Work, report: Report) -> dict[str, Any]:
        """Write the clip, and return what a person should know of how it was made."""


class Channel:
    """The two pipes to the server. Its end is the end of this process: nobody would fetch what it makes."""

    def __init__(self, reading: IO[str], writing: IO[str]) -> None:
        self.cancelled: set[str] = set()
        self._reading = reading
        self._writing = writing
        self._lock = threading.Lock()
        self._works: SimpleQueue[Work] = SimpleQueue()
        threading.Thread(target=self._read, name="vidnb orders", daemon=True).start()

    def send(self, said: Mapping[str, Any]) -> None:
        """Tell the server something."""
        with self._lock:
            self._writing.write(json.dumps(said, default=str) + "\n")
            self._writing.flush()

    def works(self) -> Iterator[Work]:
        """Yield one order after the other."""
        while True:
            yield self._works.get()

    def _read(self) -> None:
        for line in self._reading:
            said = json.loads(line)
            if "cancel" in said:
                self.cancelled.add(said["cancel"])
            else:
                self._works.put(_work(said))
        os._exit(0)  # whatever the other threads are in the middle of


def _work(said: Mapping[str, Any]) -> Work:
    paths = {name: Path(said[name]) for name in ("weights", "output", "preview")}
    return Work(**{**said, **paths, "images": {name: Path(path) for name, path in said["images"].items()}})


def serve(renderer: Renderer, channel: Channel) -> None:
    """Render what comes, until the process ends."""
    for work in channel.works():
        channel.send({"id": work.id, **_outcome(renderer, work, Report(channel, work))})


def _outcome(renderer: Renderer, work: Work, report: Report) -> dict[str, Any]:
    """Return what became of an order; nothing that it raises ends the process."""
    try:
        return {"done": renderer.render(work, report)}
    except CancelledError:
        return {"cancelled": True}
    except FailedError as error:
        return {"failed": str(error), "kind": error.kind}
    except MemoryError:
        return {
            "failed": "this machine's memory is used up; fewer frames or a smaller size need less",
            "kind": "memory",
        }
    except Exception as error:  # noqa: BLE001  a library's error is the job's, and the next job may be rendered
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}", "kind": "renderer"}


def _die_first() -> None:
    """Ask Linux to end this process, and not the notebook, when the machine's memory is used up."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")


def main() -> None:
    """Run until the server ends."""
    writing = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _die_first()
    channel = Channel(sys.stdin, writing)
    module, _, name = sys.argv[1].partition(":")
    try:
        renderer = getattr(importlib.import_module(module), name)()
        channel.send({"ready": renderer.device()})
    except Exception as error:  # noqa: BLE001  the server says it, as nobody could ask this process
        traceback.print_exc()
        channel.send({"broken": f"{type(error).__name__}: {error}"})
        return
    serve(renderer, channel)
