"""Imports many modules in less time than Python alone takes for them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lightly() -> Iterator[None]:
    """Import what the block imports in a third less time.

    The garbage collector would look again and again at the many new objects, which all stay. httpx would load its own
    command line, and with it click, pygments and rich; where that cannot be imported, httpx does without it.
    """
    was_on, unwanted = gc.isenabled(), "httpx._main"
    gc.disable()
    is_hidden = unwanted not in sys.modules
    if is_hidden:
        sys.modules[unwanted] = None  # type: ignore[assignment]  # Python's own way to say: it cannot be imported
    try:
        yield
    finally:
        if is_hidden:
            sys.modules.pop(unwanted, None)
        if was_on:
            gc.enable()
