"""Remembers which cell showed which studio, so that a cell that runs again closes the one it replaces."""

from __future__ import annotations

from typing import Protocol

from vidnb.display.host import running_cell


class Closable(Protocol):
    """What a cell shows."""

    def close(self) -> None:
        """Take it off the page."""


_SHOWN: dict[str, tuple[str, list[ShownCells]]] = {}
"""For each cell its last run that showed something, and what it showed."""


class ShownCells:
    """The cells in which one thing was made and shown.

    Args:
        thing: closed when the cell that made it, and that alone showed it, is run again.
    """

    def __init__(self, thing: Closable) -> None:
        self._thing = thing
        self._made_in = (running_cell() or [None])[0]
        self._shown_in: set[str | None] = set()

    def claim(self) -> None:
        """Close what an earlier run of this cell showed, unless another cell shows it too: its output is gone."""
        here = running_cell()
        self._shown_in.add(here and here[0])
        if here is None:
            return
        cell, run = here
        before, shown = _SHOWN.get(cell, (run, []))
        if before != run:
            for other in shown:
                if other is not self and other._is_only_in(cell):
                    other._thing.close()
            shown = []
        _SHOWN[cell] = (run, [*shown, self])

    def _is_only_in(self, cell: str) -> bool:
        return self._made_in == cell and self._shown_in == {cell}
