"""Decides when the player shows a new clip: never while a person is busy with the one that is there."""

from __future__ import annotations

import threading
from typing import Any

from vidnb.clip import Clip
from vidnb.widgets.generate import GenerateBar
from vidnb.widgets.player import Player

WAITING = "A new clip is first among the recent ones; the player shows it when you are done with this one."


class Showing:
    """Shows new clips in the player, as soon as nobody is busy with the one that is there.

    Args:
        player: where clips are shown.
        bar: where it is said that a clip waits.
    """

    def __init__(self, player: Player, bar: GenerateBar) -> None:
        self._player = player
        self._bar = bar
        self._lock = threading.Lock()
        self._is_picked = False
        self._waiting: Clip | None = None
        player.observe(self._let_go, "engaged")

    def expect(self) -> None:
        """Let the next clip come in, whatever was picked before: a person asked for it."""
        self._is_picked = False

    def arrived(self, clip: Clip) -> None:
        """Show a clip that has just been made, now or when nobody is busy any more; never over one that was picked."""
        with self._lock:  # with the check, as `_let_go` may be on its way
            waits = self._player.engaged and not self._is_picked
            self._waiting = clip if waits else None
            if waits:
                self._bar.note = WAITING
        if not waits and not self._is_picked:
            self._play(clip)

    def picked(self, clip: Clip) -> None:
        """Show a clip that a person chose; it stays until they ask for another."""
        self._is_picked, self._waiting = True, None
        self._clear_note()
        self._player.autoplay = False
        self._player.clip = clip

    def _let_go(self, change: Any) -> None:
        """Nobody is busy with the clip in the player any more: the one that came meanwhile may follow."""
        if change["new"]:
            return
        with self._lock:
            clip, self._waiting = self._waiting, None
        if clip is not None:
            self._clear_note()
            self._play(clip)

    def _play(self, clip: Clip) -> None:
        self._player.autoplay = True
        self._player.clip = clip

    def _clear_note(self) -> None:
        if self._bar.note == WAITING:
            self._bar.note = ""
