"""Shows an interrupt as one line: the frames of vidnb's two threads would tell the person nothing."""

from __future__ import annotations

import sys
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


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt) and hasattr(error, "_render_traceback_"):
        print(LINE, file=sys.stderr)
    else:
        _before(kind, error, trace)
