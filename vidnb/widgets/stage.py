"""The place of the studio in which one looks at things: the player, or a comparison of marked clips instead of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from vidnb.client.asynchronous import AsyncClient
from vidnb.clip import Clip
from vidnb.widgets.compare_view import Compare, compare
from vidnb.widgets.player import Player


class Stage:
    """Shows the player, or a comparison until it is closed.

    Args:
        box: what holds the player and the strip below it.
        player: the player.
        client: in whose data folder verdicts are kept.
        on_annotated: called with a change whose `new` is a clip that was rated or picked in a comparison.
    """

    def __init__(
        self, box: ipywidgets.Box, player: Player, client: AsyncClient, on_annotated: Callable[[Any], Any]
    ) -> None:
        self._box, self._player, self._client = box, player, client
        self._on_annotated = on_annotated
        self._lock = threading.Lock()
        self.comparison: Compare | None = None

    def compare(self, clips: Sequence[Clip]) -> None:
        """Show these clips side by side, in the player's place."""
        made = compare(clips, client=self._client)
        made.on_close(self.back)
        made.observe(self._on_annotated, "annotated")
        self._show(made)

    def back(self) -> None:
        """Show the player again."""
        self._show(None)

    def _show(self, comparison: Compare | None) -> None:
        with self._lock:
            before, self.comparison = self.comparison, comparison
            shown = comparison if comparison is not None else self._player
            places = (self._player, before)
            self._box.children = tuple(shown if part in places else part for part in self._box.children)
        if before is not None:
            before.close()

    def close(self) -> None:
        """Free what a comparison holds in the page."""
        if self.comparison is not None:
            self.comparison.close()
