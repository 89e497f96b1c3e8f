"""News of a data folder: clips that other studios, cells and kernels made, annotated or put into the trash."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

from vidnb.client import loop
from vidnb.client.asynchronous import AsyncClient
from vidnb.clip import Clip
from vidnb.errors import VidnbError
from vidnb.records import Job

LOOK_S = 2.0
NEWEST = 24
"""How many of the newest clips are checked for new ones and for changed ratings, tags and notes."""

Heard = Callable[[Clip], Any]
Moved = Callable[[frozenset[str]], Any]


class FolderNews:
    """Looks into the data folder again and again, as long as somebody listens.

    Args:
        client: whose folder.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = weakref.ref(client)
        self._listeners: list[weakref.WeakMethod[Heard]] = []
        self._trash_listeners: list[weakref.WeakMethod[Moved]] = []
        self._known: dict[str, tuple[Any, ...]] | None = None
        self._trash: frozenset[str] | None = None
        self._is_looking = False

    def listen(self, heard: Heard) -> None:
        """Call a method with each clip that is new or was annotated, for as long as the method's object exists."""
        self._listeners.append(weakref.WeakMethod(heard))
        if not self._is_looking:
            self._is_looking = True
            loop.spawn(self._look())

    def listen_to_trash(self, moved: Moved) -> None:
        """Call a method with the ids of all clips in the trash whenever one is put there or taken out.

        It is looked for only as long as somebody listens to clips.
        """
        self._trash_listeners.append(weakref.WeakMethod(moved))

    def leave(self, heard: Heard, moved: Moved) -> None:
        """Stop calling these methods."""
        self._listeners = [one for one in self._listeners if one() not in (None, heard)]
        self._trash_listeners = [one for one in self._trash_listeners if one() not in (None, moved)]

    async def _look(self) -> None:
        try:
            at_once = self._known is None
            while self._listeners:
                if not at_once and (client := self._client()) is not None:
                    clock = client.clock
                    del client  # it may go while nobody looks
                    await clock.wait(LOOK_S)
                at_once = False
                client = self._client()
                if client is None or client.is_closed:
                    return
                try:
                    jobs = await asyncio.to_thread(client.jobs, state="done", limit=NEWEST)
                    trash = await asyncio.to_thread(_trash_of, client)
                    await self._tell(client, jobs)
                    self._tell_of_trash(trash)
                except VidnbError:  # locked, or the folder is gone; whoever works with it says so
                    continue
                finally:
                    del client
                self._listeners = [one for one in self._listeners if one() is not None]
                self._trash_listeners = [one for one in self._trash_listeners if one() is not None]
        finally:
            self._is_looking = False

    async def _tell(self, client: AsyncClient, jobs: list[Job]) -> None:
        found = {job.id: (job.rating, tuple(job.tags), job.note) for job in jobs}
        known, self._known = self._known, {**(self._known or {}), **found}
        if known is None:
            return
        for job in reversed(jobs):
            if known.get(job.id) != found[job.id]:
                clip = await asyncio.to_thread(client.clip, job)
                for one in list(self._listeners):
                    heard = one()
                    if heard is not None:
                        heard(clip)

    def _tell_of_trash(self, trash: frozenset[str]) -> None:
        before, self._trash = self._trash, trash
        if before in (None, trash):
            return
        for one in list(self._trash_listeners):
            moved = one()
            if moved is not None:
                moved(trash)


def _trash_of(client: AsyncClient) -> frozenset[str]:
    return frozenset(client.history(trashed=True, state="done").ids)


_NEWS: weakref.WeakKeyDictionary[AsyncClient, FolderNews] = weakref.WeakKeyDictionary()


def news_of(client: AsyncClient) -> FolderNews:
    """Return the one that looks into the folder of a client."""
    if client not in _NEWS:
        _NEWS[client] = FolderNews(client)
    return _NEWS[client]
