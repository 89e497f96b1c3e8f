"""What a process that was forked from this one must not share with it: connections, threads, loops and names.

A fork (`os.fork`, `multiprocessing` on Linux) copies all of them, while sockets and database files stay the parent's.
Each object that holds such things says here how to begin anew in the child. What it held is kept and not closed: to
close it would write into the parent's connections.

SQLite cannot be carried over at all: its memory of who holds which lock is copied, too. So a fork waits until nobody is
in the middle of a call, every SQLite connection is closed before it, and parent and child open their own after it.

It waits for imports, too: a module that another thread is importing stays locked in the child, where that thread does
not exist, and whoever imports it there waits for ever.
"""

from __future__ import annotations

import _imp
import functools
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

WAIT_S = 60.0
"""So long a fork waits for calls of a database that are under way."""
IMPORT_S = 15.0
"""And so long for imports of other threads."""
MAY_HANG = "vidnb plug-in"
"""Begins the names of threads whose imports nobody waits for."""

Method = weakref.WeakMethod[Callable[[], Any]]
_renewals: list[Method] = []
_closings: list[tuple[Method, Method]] = []
_of_the_parent: list[Any] = []


class Crossing:
    """Keeps a fork out of the middle of certain calls: it waits until they end, and new ones wait until it is over."""

    def __init__(self, *, is_cut: bool = False) -> None:
        self.is_cut = is_cut
        """Whether this process was forked in the middle of a call, so that it can use no SQLite database."""
        self._changed = threading.Condition()
        self._inside = 0
        self.is_closed = False
        self._own = threading.local()

    def inside(self) -> Self:
        """Count a `with` block as one call that no fork may interrupt; nested blocks belong to the same call."""
        return self

    def __enter__(self) -> None:
        depth = getattr(self._own, "depth", 0)
        if not depth:
            with self._changed:
                self._changed.wait_for(lambda: not self.is_closed)
                self._inside += 1
        self._own.depth = depth + 1

    def __exit__(self, *_: object) -> None:
        self._own.depth -= 1
        if not self._own.depth:
            with self._changed:
                self._inside -= 1
                if self.is_closed:  # only a fork waits for it
                    self._changed.notify_all()

    def close(self) -> bool:
        """Let no new call begin until `open`, and return whether those under way ended within `WAIT_S`."""
        with self._changed:
            self.is_closed = True
            self.is_cut = not self._changed.wait_for(lambda: not self._inside, WAIT_S)
            return not self.is_cut

    def open(self) -> None:
        """Let calls begin again."""
        with self._changed:
            self.is_closed = self.is_cut = False
            self._changed.notify_all()


crossing = Crossing()
"""Of all calls of SQLite in this process."""


def in_child(renew: Callable[[], Any]) -> None:
    """Call this method of an object in each process that is forked from this one, for as long as the object lives.

    It returns what the object held until then.
    """
    _renewals.append(weakref.WeakMethod(renew, _renewals.remove))


def around_fork(close: Callable[[], Any], reopen: Callable[[], Any]) -> None:
    """Call these methods of an object before each fork, and after it in parent and child."""
    _closings.append((weakref.WeakMethod(close), weakref.WeakMethod(reopen)))


def call_in_child(renew: Callable[[], Any]) -> None:
    """Call this function in each process that is forked from this one."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _of_the_parent.append(renew()))


def free_locks(kind: type) -> None:
    """Free the locks of a class's cached properties (Python 3.11 has one for each): their holder was left behind."""
    for value in vars(kind).values():
        if isinstance(value, functools.cached_property) and hasattr(value, "lock"):
            value.lock = threading.RLock()


def _hold_imports() -> bool:
    """Let no import begin until `_imp.release_lock`; return whether none is under way in another thread."""
    end = time.monotonic() + IMPORT_S
    while True:
        _imp.acquire_lock()  # Python's own, around the start of every import; os.fork takes it once more
        if not _is_importing():
            return True
        if time.monotonic() > end:
            return False
        _imp.release_lock()
        time.sleep(0.001)


def _is_importing() -> bool:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    mine = threading.get_ident()
    for ident, frame in sys._current_frames().items():
        if ident == mine or names.get(ident, "").startswith(MAY_HANG):
            continue
        step: FrameType | None = frame
        while step is not None:
            if step.f_code.co_name == "_find_and_load" and step.f_code.co_filename.endswith("importlib._bootstrap>"):
                return True
            step = step.f_back
    return False


def _before() -> None:
    crossing.close()
    if not _hold_imports():
        crossing.is_cut = True
    _closings[:] = [pair for pair in _closings if pair[0]() is not None]
    for close, _ in _closings:
        if (method := close()) is not None:
            method()


def _after_in_parent() -> None:
    _imp.release_lock()
    _reopen()
    crossing.open()


def _after_in_child() -> None:
    global crossing
    _imp.release_lock()
    _of_the_parent.append(crossing)
    crossing = Crossing(is_cut=crossing.is_cut)
    for reference in list(_renewals):
        renew = reference()
        if renew is not None:
            _of_the_parent.append(renew())
    _reopen()


def _reopen() -> None:
    for _, reopen in _closings:
        if (method := reopen()) is not None:
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
