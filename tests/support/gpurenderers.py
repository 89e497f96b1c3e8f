"""Renderers for tests of the job server: real processes that make a small clip, or die, hang, eat memory or fail."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from PIL import Image

from vidnb.gpu.child import FailedError, Report, Work
from vidnb.media.mosaic import write_mp4

STEP_S = 0.02
ODD = ("die", "hang", "eat", "fail", "raise", "nothing", "slow", "stubborn")
"""Words in a prompt that make the renderer do so."""


class Drawing:
    """Draws a coloured clip from the seed; does odd things where the prompt asks for them."""

    def device(self) -> dict[str, Any]:
        return {"name": "Test card", "kind": "cuda", "memory_bytes": 48 * 10**9, "versions": {"drawing": "1"}}

    def render(self, work: Work, report: Report) -> dict[str, Any]:
        words = str(work.values.get("prompt", "")).split()
        report.phase("loading")
        steps = int(work.values["steps"])
        for step in range(steps):
            self._step(words, step)
            if "stubborn" in words:
                report._channel.cancelled.clear()
            report.step(step + 1, steps)
        report.preview(Image.new("RGB", (640, 480), _colour(work, 0)))
        report.phase("encoding")
        if "nothing" not in words:
            size = (int(work.values["width_px"]), int(work.values["height_px"]))
            frames = (Image.new("RGB", size, _colour(work, n)) for n in range(int(work.values["num_frames"])))
            write_mp4(work.output, frames, float(work.values["fps"]), f"seed {work.values['seed']}")
        return {"way": work.way, "seed": work.values["seed"]}

    def _step(self, words: list[str], step: int) -> None:
        time.sleep(1.0 if {"slow", "stubborn"} & set(words) else STEP_S)
        if step != 1:
            return
        if "die" in words:
            os.kill(os.getpid(), signal.SIGKILL)
        if "exit" in words:
            print("the driver is gone", flush=True)
            os._exit(3)
        if "hang" in words:
            time.sleep(3600)
        if "eat" in words:
            _eat()
        if "fail" in words:
            raise FailedError("this picture cannot be used", "picture")
        if "raise" in words:
            raise RuntimeError("device-side assert triggered")


class Broken:
    """Cannot even be made, as where a library is missing."""

    def __init__(self) -> None:
        raise ImportError("libcudart.so.13: cannot open shared object file")


def _eat() -> None:
    """Ask for more memory than any process may have, so that it is refused for certain, and only this once.

    A limit on the whole process would hold for the next job too, and might refuse the few bytes of the error's words.
    """
    bytearray(2**60)


def _colour(work: Work, number: int) -> tuple[int, int, int]:
    seed = int(work.values["seed"])
    return (seed * 37 % 200 + 20, seed * 11 % 200 + number % 30, 90)
