"""Waiting for what happens on another thread: until it is there, and never by a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 60.0
"""Longer than the busiest machine takes."""


def until(condition: Callable[[], T], rest: Callable[[], object] = lambda: time.sleep(0.01)) -> T:
    """Return what the condition gives, once it is something.

    Args:
        condition: looked at again and again.
        rest: what to do between two looks: let the background loop go on, or hand messages to a page.
    """
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "it never came to that"
        rest()
    return found
