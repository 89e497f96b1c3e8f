"""A progress bar that counts finished things, in the cell or in the last line of the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from vidnb.display.live import TICK_S, Sink, open_sink
from vidnb.display.page import MUTED, ROW, SMALL, block, seconds, tag


class Counting:
    """Shows a bar while the block runs, and takes it away at its end.

    Args:
        what: the sentence to show: "Measured {done} of {total} clips".
        total: of the things.
        clock: counts seconds; tests pass their own.
        open: opens the line; tests pass their own.

    Example:
        >>> with Counting("Measured {done} of {total} clips", 36) as bar:
        ...     bar.step()
    """

    def __init__(
        self,
        what: str,
        total: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        open: Callable[[str, str], Sink | None] = open_sink,
    ) -> None:
        self._what = what
        self._total = total
        self._clock = clock
        self._open = open
        self._done = 0
        self._started = self._drawn = clock()
        self._sink: Sink | None = None

    def __enter__(self) -> Self:
        self._sink = self._open(*self._line())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sink is not None:
            self._sink.close("")

    def step(self) -> None:
        """Count one more; the line is drawn again where some time has passed."""
        self._done += 1
        now = self._clock()
        if self._sink is not None and (now - self._drawn >= TICK_S or self._done == self._total):
            self._drawn = now
            self._sink.update(*self._line())

    def _line(self) -> tuple[str, str]:
        words = self._what.format(done=f"{self._done:,}", total=f"{self._total:,}")
        left = f"about {seconds(left_s)} left" if (left_s := self._left_s()) is not None else ""
        bar = tag("progress", value=self._done, max=self._total, style="width:160px;max-width:100%")
        row = tag("div", bar, words, tag("span", left, style=MUTED), style=f"{ROW};gap:4px 10px;{SMALL}")
        return block(row, style="margin:2px 0 6px"), f"{words}  {left}".rstrip()

    def _left_s(self) -> float | None:
        """Seconds that the rest will take; None before the first is done."""
        if not 0 < self._done < self._total:
            return None
        return (self._clock() - self._started) / self._done * (self._total - self._done)
