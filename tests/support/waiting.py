"""Waiting for what happens on another thread: until it is there, and never by a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 60.0
"""Longer than the busiest machine takes."""


def until(condition: Callable[[], T]) -> T:
    """Return what the condition gives, once it is something; what it waits for happens on the background loop."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)
    return found
