"""Keeps a process as it is while somebody else's code is imported in one of its threads.

What would end the process ends that import; the standard streams stay open and are where they were, and so does the
working directory, beside which the data folder lies.
"""

from __future__ import annotations

import _thread
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

STREAMS = ("stdin", "stderr", "__stdin__", "__stdout__", "__stderr__")
"""Those of `sys` beside `stdout`, which leads to the error output meanwhile: a program may read the standard output."""
OF_STREAMS = range(3)
"""The file numbers of the standard streams."""


@contextmanager
def against(thread: threading.Thread) -> Iterator[None]:
    """Guard the process against what this thread does while the block runs."""
    with ExitStack() as guards:
        for guard in (_streams_kept(), _calls_refused(thread), _staying_here(), _depth_kept()):
            guards.enter_context(guard)
        yield


class _Unclosed:
    """Stands for a stream and cannot be closed: others use it, too.

    No base class of `io`: those have an encoding, a `fileno` and more of their own, which would hide the stream's.

    Args:
        stream: where it writes; None where this process has no error output, so what is written is dropped.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = _nowhere() if stream is None else stream

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        # A text stream that is put around a buffer closes it when nobody needs that stream any more.
        return _Unclosed(found) if name in ("buffer", "raw") else found

    def close(self) -> None:
        """Leave the stream open: others write to it."""

    def detach(self) -> NoReturn:
        """Refuse to take the stream apart, which would end it for everybody else."""
        raise io.UnsupportedOperation("detach")


@cache
def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")  # stays open, as a plug-in may keep it


@contextmanager
def _streams_kept() -> Iterator[None]:
    """Give out the standard streams in a form that cannot be closed, and put them back."""
    before = {name: getattr(sys, name) for name in STREAMS}
    with redirect_stdout(cast(TextIO, _Unclosed(sys.stderr))):
        for name, stream in before.items():
            if stream is not None:
                setattr(sys, name, _Unclosed(stream))
        try:
            yield
        finally:
            for name, stream in before.items():
                setattr(sys, name, stream)


@contextmanager
def _calls_refused(thread: threading.Thread) -> Iterator[None]:
    """Let calls of the thread that would end the whole process end the import, and keep the streams' files open."""
    process, kept = os.getpid(), {fd for fd in OF_STREAMS if _is_open(fd)}

    def instead(call: Callable[..., Any], harmful: Callable[..., bool], answer: Callable[..., Any]) -> Any:
        def called(*given: Any, **more: Any) -> Any:
            is_it = threading.current_thread() is thread and os.getpid() == process
            return (answer if is_it and harmful(*given, **more) else call)(*given, **more)

        return called

    def ended(*code: Any, **more: Any) -> NoReturn:
        raise SystemExit(*code, *more.values())

    def killed(*given: Any) -> NoReturn:
        raise SystemExit("it kills its own process")

    def replaced(*given: Any) -> NoReturn:
        raise SystemExit("it puts another program in the place of this one")

    def interrupted(*given: Any, **more: Any) -> NoReturn:
        raise SystemExit("it interrupts the main thread")

    def always(*given: Any, **more: Any) -> bool:
        return True

    def left_open(fd: int) -> None:
        """Do nothing."""

    def others_closed(low: int, high: int) -> None:
        for fd in range(low, min(high, OF_STREAMS.stop)):
            if fd not in kept:
                with suppress(OSError):
                    before[os, "close"](fd)
        before[os, "closerange"](max(low, OF_STREAMS.stop), high)

    def not_put_there(fd: int, fd2: int, inheritable: bool = True) -> int:
        return fd2

    harms: dict[tuple[Any, str], tuple[Callable[..., bool], Callable[..., Any]]] = {
        (os, "_exit"): (always, ended),
        (os, "abort"): (always, ended),
        (os, "execv"): (always, replaced),
        (os, "execve"): (always, replaced),
        (os, "kill"): (lambda pid, number: pid == process and number, killed),
        (os, "close"): (lambda fd: fd in kept, left_open),
        (os, "closerange"): (lambda low, high: low < OF_STREAMS.stop, others_closed),
        (os, "dup2"): (lambda fd, fd2, inheritable=True: fd2 in kept, not_put_there),
        (signal, "raise_signal"): (always, killed),
        (_thread, "interrupt_main"): (always, interrupted),
    }
    before = {place: getattr(*place) for place in harms}
    for place, (harmful, answer) in harms.items():
        setattr(*place, instead(before[place], harmful, answer))
    try:
        yield
    finally:
        for place, call in before.items():
            setattr(*place, call)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@contextmanager
def _staying_here() -> Iterator[None]:
    """Go back to the working directory if it changes meanwhile: the data folder lies beside the notebook."""
    here = None
    with suppress(OSError):  # it may have been removed
        here = Path.cwd()
    try:
        yield
    finally:
        with suppress(OSError):
            if here is not None:
                os.chdir(here)


@contextmanager
def _depth_kept() -> Iterator[None]:
    """Set the deepest recursion back."""
    deepest = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(deepest)
