"""Sweeps of the quickest clips there are, and what a service saw of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakes import QUICK, EmulatorBehind, Recorder


def quick(count: int, **options: Any) -> dict[str, Any]:
    """A sweep over the quickest clips there are."""
    return QUICK | {"prompt": [f"koala {n}" for n in range(count)], "budget_jobs": 1000} | options


def watched(folder: Path, **settings: Any) -> tuple[EmulatorBehind, list[Recorder]]:
    """An emulator, and the recorders of what clients send to it."""
    recorders: list[Recorder] = []

    def through(below: Any) -> Recorder:
        recorders.append(Recorder(below))
        return recorders[-1]

    return EmulatorBehind(folder / "emulator", through, speed=1000.0, **settings), recorders


def posts(recorders: list[Recorder]) -> int:
    return len({id(request) for recorder in recorders for request in recorder.sent("POST", "/generations")})
