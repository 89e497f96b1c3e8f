"""Opt-in: let pasted scripts that call `asyncio.run(...)` work inside a cell.

vidnb's own verbs never need this. A notebook's loop is always running, so `asyncio.run` refuses; nest-asyncio patches
the loop to allow it. On ipykernel 7 with Python 3.11 or newer, nest_asyncio 1.6.0 loses every cell and click that is
queued while a nested run lasts: there each shell message is a step in one shared context, which the running cell has
entered already, and entering it again raises. nest-asyncio2 does not have the fault and is used where it is installed;
else the faulty steps are put off until the nested run returns.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from importlib import import_module
from typing import Any


def allow_nested_loops(loop: asyncio.AbstractEventLoop | None = None) -> str:
    """Let `asyncio.run(...)` and `run_until_complete` work in a cell; return the name of the patch that does it.

    Args:
        loop: the loop to patch; default the running one.

    Raises:
        ValueError: the loop is not one that can be patched (uvloop, for instance).

    Example:
        >>> vidnb.allow_nested_loops()
        'nest_asyncio2'
        >>> asyncio.run(main())          # in a cell
    """
    loop = loop or _current_loop()
    if not hasattr(asyncio, "_nest_patched"):
        try:
            second = import_module("nest_asyncio2")
        except ImportError:
            pass
        else:
            second.apply(loop)
            return "nest_asyncio2"
    if hasattr(type(loop), "_nest_asyncio2") or hasattr(asyncio, "_nest_asyncio2"):
        return "nest_asyncio2"
    import_module("nest_asyncio").apply(loop)
    _defer_entered(type(loop))
    return "nest_asyncio"


def _current_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        return loop


def _entered(context: contextvars.Context) -> bool:
    """True where the context is already active further up the stack, so that running in it would raise."""
    try:
        context.run(int)
    except RuntimeError:
        return True
    return False


def _defer_entered(cls: Any) -> None:
    """Make nest_asyncio's nested runs put off the handles that they cannot run, instead of losing them."""
    if getattr(cls, "_vidnb_defers", False):
        return
    run_once, run_until_complete = cls._run_once, cls.run_until_complete

    def patched_run_once(self: Any) -> None:
        deferred = getattr(self, "_vidnb_deferred", None)
        if deferred is None:  # the outermost run: nothing is entered further up
            run_once(self)
            return
        _collect_ready(self)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            blocked = not handle._cancelled and _entered(handle._context)
            (deferred if blocked else self._ready).append(handle)
        if self._ready:
            run_once(self)

    def patched_run_until_complete(self: Any, future: Any) -> Any:
        if not self.is_running():
            return run_until_complete(self, future)
        outer, self._vidnb_deferred = getattr(self, "_vidnb_deferred", None), []
        try:
            return run_until_complete(self, future)
        finally:
            self._ready.extendleft(reversed(self._vidnb_deferred))
            self._vidnb_deferred = outer

    cls._run_once, cls.run_until_complete, cls._vidnb_defers = patched_run_once, patched_run_until_complete, True


def _collect_ready(loop: Any) -> None:
    """What nest_asyncio's own step does before it runs handles, so that the filter sees all of them."""
    timeout: float | None = 0
    if not loop._ready and not loop._stopping:
        timeout = min(max(loop._scheduled[0]._when - loop.time(), 0), 86400) if loop._scheduled else None
    loop._process_events(loop._selector.select(timeout))
    end = loop.time() + loop._clock_resolution
    while loop._scheduled and loop._scheduled[0]._when < end:
        loop._ready.append(heapq.heappop(loop._scheduled))
