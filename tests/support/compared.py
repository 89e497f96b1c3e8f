"""Clips to compare, of which every frame tells its number by its grey, and their kernel for a page under test."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from playwright.sync_api import Locator, expect
from waiting import until
from widgetpage import WidgetPage

from vidnb.clip import Clip
from vidnb.files import Files
from vidnb.media import video as videos
from vidnb.records import Job, State
from vidnb.widgets import Compare

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FPS, FRAMES = 24, 48
LEAST, STEP, OWN = 20, 4, 30
"""Frame n of clip k is LEAST + STEP * n bright everywhere, and its right half is tinted by OWN * k in blue."""


def numbered(
    clip: int = 0, *, frames: int = FRAMES, fps: int = FPS, size: tuple[int, int] = (320, 180), step: int = STEP,
    key_every: int = 24, sound: bool = False, offset: int = 0,
) -> bytes:  # fmt: skip
    """A video, with B-frames, in which every frame tells its number by its grey."""
    sink = io.BytesIO()
    width, height = size
    with av.open(sink, "w", format="mp4") as container:
        options = {"crf": "6", "preset": "veryfast", "g": str(key_every), "bf": "2"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, fps)
        heard = container.add_stream("aac", rate=48_000, layout="mono") if sound else None
        for number in range(frames):
            pixels = np.full((height, width, 3), min(255, LEAST + offset + step * number), np.uint8)
            pixels[:, width // 2 :, 2] = np.minimum(255, pixels[:, width // 2 :, 2].astype(int) + OWN * clip)
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
        if heard is not None:
            count = 48_000 * frames // fps // 1024
            tone = np.sin(np.arange(count * 1024) * 2 * np.pi * 440 / 48_000).astype(np.float32) * 0.1
            for at in range(count):
                part = av.AudioFrame.from_ndarray(tone[None, at * 1024 : (at + 1) * 1024], "fltp", "mono")
                part.sample_rate, part.pts, part.time_base = 48_000, at * 1024, Fraction(1, 48_000)
                container.mux(heard.encode(part))
            container.mux(heard.encode(None))
    return sink.getvalue()


def job(number: int, **changes: Any) -> Job:
    """A done job of a seed, unless something else is said."""
    given: dict[str, Any] = {
        "id": f"{number:032x}",
        "provider": "leonardo",
        "model": "leonardo/motion_2.0",
        "recipe_hash": f"{number:064x}",
        "take": 0,
        "state": State.DONE,
        "params": {"prompt": "a lighthouse in a storm", "seed": number, "public": False},
        "images": {},
        "emulated": True,
        "base_url": "http://emulator.vidnb.invalid/api/rest",
        "created_at": NOW + timedelta(minutes=number),
        "done_at": NOW + timedelta(minutes=number, seconds=41),
    }
    return Job(**given | changes)


def clip_of(files: Files, video: bytes, number: int, **changes: Any) -> Clip:
    """A clip of this video."""
    path = files.path(files.put(video, ".mp4"), ".mp4")
    assert path is not None
    return Clip(job(number, **{"clip": videos.probe(path), **changes}), files)


class ComparePage:
    """A compare view in a page, with its own Python side answering.

    Attributes:
        part: the page.
        compare: the widget.
    """

    def __init__(self, opened: Callable[..., WidgetPage], compare: Compare, **options: Any) -> None:
        self.compare = compare
        self._said: list[tuple[str, Mapping[str, Any], Sequence[bytes]]] = []
        self._heard = 0
        self.held: set[str] = set()
        """Kinds of messages that are kept from the page."""
        compare.say = lambda kind, content=None, buffers=(): self._said.append((kind, content or {}, buffers))  # type: ignore[method-assign]
        compare.observe(lambda change: self._said.append(("_set", {"_grid": change["new"]}, ())), "_grid")
        self.part = opened(compare, options.pop("state", None), **options)
        self.page = self.part.page
        self.root = self.part.root

    def pump(self) -> None:
        """Hand over what the page and the kernel have said to each other since."""
        sent = self.part.sent()
        for message in sent[self._heard :]:
            self.compare._received(self.compare, message, [])
        self._heard = len(sent)
        while self._said:
            kind, content, buffers = self._said.pop(0)
            if kind == "_set":
                self.part.set(**content)
            elif kind not in self.held:
                self.part.say(kind, content, buffers)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition holds, while the two talk."""

        def talk() -> None:
            self.pump()
            self.page.wait_for_timeout(20)

        found = until(condition, rest=talk)
        self.pump()
        return found

    def wait_for_films(self, count: int) -> None:
        """Wait until so many clips can be decoded, and what they show has come to rest."""
        self.until(lambda: int(self.root.get_attribute("data-films") or 0) >= count)

    def frames(self) -> list[int]:
        """The number of the frame that each cell shows, read from its pixels."""
        script = """root => [...root.querySelectorAll('.vidnb-cell canvas')].map((canvas) => {
            const { width, height } = canvas;
            return canvas.getContext('2d').getImageData(width >> 2, height >> 1, 1, 1).data[0];
        })"""
        return [round((grey - LEAST) / STEP) for grey in self.root.evaluate(script)]

    def cell(self, at: int) -> Any:
        """A cell."""
        return self.root.locator(f".vidnb-cell[data-at='{at}']")

    def key(self, *names: str) -> None:
        """Press keys, one after the other."""
        for name in names:
            self.page.keyboard.press(name)
        self.pump()


def grid_of(folder: Path, count: int = 4, **options: Any) -> list[Clip]:
    """Clips of seeds 1, 2 ... with a frame number each."""
    files = Files(folder)
    return [clip_of(files, numbered(number, **options), number + 1) for number in range(count)]


def played_in_step(root: Locator, samples: int = 40) -> dict[str, Any]:
    """What the view counted of itself while all clips kept step, and it plays on.

    A machine that is busy with other tests can hold a decoder up for so long that the view goes on without its clip.
    """
    for _ in range(6):
        root.get_by_role("button", name="Play all").click()
        expect(root).to_have_attribute("data-sums", re.compile(r"samples"), timeout=60_000)
        while (sums := json.loads(root.get_attribute("data-sums") or "{}"))["samples"] <= samples:
            root.page.wait_for_timeout(50)
        if sums["same"] == 100:
            break
        root.get_by_role("button", name="Pause", exact=True).click()
    return dict(sums)
