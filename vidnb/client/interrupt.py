"""Shows an interrupt as one line: the frames of vidnb's two threads would tell the person nothing."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import TracebackType

LINE = "KeyboardInterrupt: stopped waiting. What was sent goes on; vidnb.resume() takes it up again."
_before = sys.excepthook


def quieted(interrupt: KeyboardInterrupt) -> KeyboardInterrupt:
    """Return the interrupt, which shows as one line in a cell, and in a script that it ends."""
    global _before
    interrupt._render_traceback_ = lambda: [LINE]  # type: ignore[attr-defined]  # IPython asks each exception for it
    if sys.excepthook is not _show:
        _before, sys.excepthook = sys.excepthook, _show
    return interrupt.with_traceback(None)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Let no second interrupt come in while the first is told, which takes a moment: its frames would bury the line."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def let_the_next_end_all() -> None:
    """Let Ctrl-C end the process from now on, at once and without the frames of what it still does while it ends."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt) and hasattr(error, "_render_traceback_"):
        with unheard():
            print(*error._render_traceback_(), sep="\n", file=sys.stderr)
    else:
        _before(kind, error, trace)
