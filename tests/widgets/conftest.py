"""What the tests of the widgets share: a client of a folder of its own, and patience."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vidnb.client.verbs import Client
from vidnb.clock import Clock
from vidnb.emulator import Emulator


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """`make_client(**settings)`: a client of one folder, with an emulator that has these settings."""
    made: list[Client] = []

    def make(max_in_flight: int | None = None, client_clock: Clock | None = None, **settings: Any) -> Client:
        emulator = Emulator(tmp_path / "emulator", **{"latency_s": 0.05, **settings})
        made.append(Client(tmp_path / "data", emulator=emulator, max_in_flight=max_in_flight, clock=client_clock))
        return made[-1]

    yield make
    for client in made:
        client.close()
        client.asynchronous.emulator.close()
