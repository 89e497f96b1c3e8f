"""Clips side by side on the same frame: rows and columns by what tells them apart, judged by keys.

The kernel takes the files apart and sends where each picture lies; the page decodes and draws. What a person says of a
clip goes to the data folder at once: a rating is a rating, a winner is the tag `winner`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import traitlets

from vidnb.client.asynchronous import AsyncClient
from vidnb.client.several import listed
from vidnb.client.verbs import client_of
from vidnb.clip import Clip
from vidnb.display.grid import pictures
from vidnb.display.grid.pivot import Axis, Grid, Item, Labels, pivot
from vidnb.display.labels import WINNER, many
from vidnb.display.page import shortened
from vidnb.errors import ConfigError, VidnbError
from vidnb.media.samples import samples
from vidnb.records import Job
from vidnb.widgets import compare_cells as facts
from vidnb.widgets import compare_page
from vidnb.widgets.clients import AnyClient, core
from vidnb.widgets.live import Live, in_words
from vidnb.widgets.player import served
from vidnb.widgets.recent import poster_bytes

POSTERS_AT_ONCE = 12


class Compare(Live, part="compare", main="chosen"):
    """Clips in rows and columns that play on the same frame; made by `vidnb.compare`.

    Attributes:
        chosen: the clip on which the keys act.
        winner: the clip that was picked, or None.
        annotated: the clip that was rated or picked last, as it is now.
        grid: what stands where.
        debug: True to show how well the clips keep in step.
    """

    chosen = traitlets.Instance(Clip, allow_none=True)
    winner = traitlets.Instance(Clip, allow_none=True)
    annotated = traitlets.Instance(Clip, allow_none=True)
    debug = traitlets.Bool(False).tag(sync=True)
    _grid = traitlets.Dict().tag(sync=True)
    _standalone = traitlets.Bool(False).tag(sync=True)
    _closable = traitlets.Bool(False).tag(sync=True)

    def __init__(self, grid: Grid, client: AnyClient | None = None, *, debug: bool = False) -> None:
        self._client = core(client) if client is not None else None
        self._lock = threading.RLock()
        self._on_close: list[Callable[[], Any]] = []
        self.grid = grid
        self._plans: dict[int, facts.Plan] = {}
        self._measures = self._known_measures()
        super().__init__(debug=debug)
        self._draw()
        if self._client is not None and any(cell.clip is None for cell in grid.cells):
            self._spawn(self._quote_gaps())

    @property
    def clips(self) -> list[Clip]:
        """The clips, row by row."""
        return self.grid.clips

    def _in_a_line(self) -> str:
        grid = self.grid
        here, places = len(grid.clips), len(grid.cells)
        said = many(here, "clip") if here == places else f"{here} of {many(places, 'clip')}"
        if not grid.wrapped:
            said += f" in {many(len(grid.rows), 'row')} and {many(len(grid.columns), 'column')}"
        return f"{said}, {shortened(grid.prompt, 60)!r}" if grid.prompt else said

    def _asynchronous(self) -> AsyncClient:
        if self._client is None:
            raise ConfigError("the data folder of these clips is not open here; open it with vidnb.Client(folder)")
        return self._client

    def _known_measures(self) -> dict[str, Any]:
        """What was measured of the clips, by the hash of the file."""
        if self._client is None:
            return {}
        return dict(self._client.store.measures([clip.info.sha256 for clip in self.grid.clips]))

    # -- what the page is told ---------------------------------------------------------------------------------------

    def _draw(self) -> None:
        with self._lock:
            grid, plans = self.grid, self._plans
            cells = [facts.cell_facts(grid, at, plans, self._measures) for at in range(len(grid.cells))]
            self._grid = {**facts.head(grid), "cells": cells, "missing": facts.missing(plans)}

    async def _quote_gaps(self) -> None:
        """Say what each gap would take, once it is known."""
        client = self._asynchronous()
        gaps = [(at, cell) for at, cell in enumerate(self.grid.cells) if cell.clip is None]
        made = {at: await asyncio.to_thread(facts.plan, self.grid, cell, client) for at, cell in gaps}
        with self._lock:
            self._plans = made
        self._draw()

    def _clip_at(self, content: Mapping[str, Any]) -> tuple[int, Clip] | None:
        """The clip that the page means, if it still stands there."""
        at = content.get("at")
        cells = self.grid.cells
        clip = cells[at].clip if isinstance(at, int) and 0 <= at < len(cells) else None
        return (
            (at, clip)
            if isinstance(at, int) and clip is not None and content.get("id") in (None, clip.job.id)
            else None
        )

    def heard_want(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A view needs posters, tables of pictures, small frames or bytes of some cells."""
        found = [place for at in content.get("ats", []) if (place := self._clip_at({"at": at})) is not None]
        send = {
            "poster": self._send_posters,
            "film": self._send_films,
            "strip": self._send_strips,
            "bytes": self._send_bytes,
        }
        if found and content.get("what") in send:
            self._spawn(send[content["what"]](found))

    async def _send_posters(self, places: list[tuple[int, Clip]]) -> None:
        for start in range(0, len(places), POSTERS_AT_ONCE):
            some = places[start : start + POSTERS_AT_ONCE]
            made = [await asyncio.to_thread(poster_bytes, clip) for _, clip in some]
            self.say("posters", {"ats": [at for at, _ in some]}, [one or b"" for one in made])

    async def _send_films(self, places: list[tuple[int, Clip]]) -> None:
        for at, clip in places:
            told = {"at": at, "id": clip.job.id, "video": served(clip)}
            try:
                table = await asyncio.to_thread(samples, clip.path)
            except VidnbError:
                gone = not clip.has_file
                self.say("gone" if gone else "film", told if gone else {**told, "table": None})
                continue
            if table.packed is not None:
                told["video"] = None
            self.say("film", {**told, "table": table.as_json()})

    async def _send_strips(self, places: list[tuple[int, Clip]]) -> None:
        for at, clip in places:
            try:
                sheet = await asyncio.to_thread(getattr, clip, "sheet")
            except (VidnbError, OSError):
                continue
            if self.is_open:
                self.say("strip", {"at": at, **sheet.as_json()}, [sheet.picture])

    async def _send_bytes(self, places: list[tuple[int, Clip]]) -> None:
        for at, clip in places:
            told = {"at": at, "id": clip.job.id}
            try:
                table = await asyncio.to_thread(samples, clip.path)
                data = table.packed if table.packed is not None else await asyncio.to_thread(clip.read)
            except (VidnbError, OSError):
                self.say("gone", told)
                continue
            await self.say_in_pieces("video", told, data)

    # -- what a person says of it ------------------------------------------------------------------------------------

    def heard_rate(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A key or a star rated a clip."""
        if (place := self._clip_at(content)) is not None:
            self._spawn(self._rate(place[0], content.get("rating")))

    def heard_winner(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A clip won, or none does any more."""
        self._spawn(self._pick(content.get("at")))

    async def _rate(self, at: int, rating: Any) -> None:
        async with self._in_turn:
            await self._note(at, rating=rating)

    async def _note(self, at: int, **fields: Any) -> None:
        clip = self.grid.cells[at].clip
        if clip is None:
            return
        try:
            client = self._asynchronous()
            noted = client.clip(await client.annotate(clip.job.id, **fields))
            self._put(at, noted)
            self.annotated = noted
            await asyncio.to_thread(self.save_output)
        except Exception as error:  # noqa: BLE001  the page must say that it is not kept
            self._draw()
            self.say("noted", {"at": at, "problem": in_words(error)})
            self.problem = in_words(error)

    async def _pick(self, at: Any) -> None:
        """Give the tag to one clip of the grid and take it from the others."""
        client = self._asynchronous()
        async with self._in_turn:
            for index, cell in enumerate(self.grid.cells):
                if cell.clip is None:
                    continue
                row = await asyncio.to_thread(client.job, cell.clip.job.id)  # another tag may have come since
                tags = row.tags
                wins = index == at
                if wins != (WINNER in tags):
                    kept = tuple(tag for tag in tags if tag != WINNER)
                    await self._note(index, tags=(*kept, WINNER) if wins else kept)
            self.winner = self.grid.cells[at].clip if isinstance(at, int) else None

    def _put(self, at: int, item: Item) -> None:
        """Put a clip or a job at its place."""
        with self._lock:
            cells = list(self.grid.cells)
            cells[at] = replace(cells[at], item=item)
            self.grid = replace(self.grid, cells=tuple(cells))
        self._draw()

    def on_close(self, callback: Callable[[], Any]) -> None:
        """Call `callback()` when a person closes the view; without one there is no such button."""
        self._on_close.append(callback)
        self._closable = True

    def heard_close(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """The view was closed."""
        for callback in self._on_close:
            callback()

    # -- what is run -------------------------------------------------------------------------------------------------

    def heard_run(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """Gaps are to be filled: each is sent once, and paid once."""
        ats = [at for at in content.get("ats", []) if isinstance(at, int)]
        self._spawn(self._run(ats, bool(content.get("accepted"))))

    async def _run(self, ats: list[int], accepted: bool) -> None:
        client = self._asynchronous()
        for at in ats:
            with self._lock:
                made = self._plans.pop(at, None)  # whoever takes it sends it, so that no press sends it twice
            try:
                if made is not None and made.request:
                    job = await client.submit(**made.request, accept_unknown_price=accepted)
                    self._put(at, job)
                    self._spawn(self._follow(at, job))
            except VidnbError as error:
                with self._lock:
                    if made is not None:
                        self._plans[at] = made
                self.problem = in_words(error)
                break
            finally:
                self.say("ran", {"ats": ats})
        self._draw()

    async def _follow(self, at: int, job: Job) -> None:
        """Wait for a job, and put its clip, or why there is none, at its place."""
        client = self._asynchronous()
        row = job
        async for row in client.watch(job.id):  # noqa: B007  the last one counts
            pass
        self._put(at, client.clip(row) if row.clip is not None else row)
        if row.clip is None:
            plan = await asyncio.to_thread(facts.plan, self.grid, self.grid.cells[at], client)
            with self._lock:
                self._plans[at] = plan
            self._draw()
        await asyncio.to_thread(self.save_output)

    # -- what is given away ------------------------------------------------------------------------------------------

    def to_html(self, path: str | Path, *, posters_only: bool = False, overwrite: bool = False) -> Path:
        """The path of one HTML file with the same player and the clips inside; it plays from a disk, without a network.

        Its size is said before it is written.

        Args:
            path: of the file, ending in .html.
            posters_only: True for pictures instead of clips: small enough for a mail.
            overwrite: True to replace a file that is there.

        Raises:
            ConfigError: the path does not end in .html.
            FileExistsError: there is a file already.

        Example:
            >>> vidnb.history(prompt="lighthouse").compare().to_html("lighthouse.html")
        """
        return compare_page.write(self.grid, path, self._measures, posters_only=posters_only, overwrite=overwrite)

    def save(self, path: str | Path, *, at_s: float | None = None, overwrite: bool = False) -> Path:
        """The path of the grid as one film or one picture, by the end of its name; the labels are drawn into it.

        Args:
            path: ending in .mp4, .gif or .webp for a film, in .png or .jpg for a contact sheet.
            at_s: for a contact sheet the second that it shows; default the middle.
            overwrite: True to replace a file that is there.

        Raises:
            ConfigError: the name ends otherwise, or there is no clip.
            FileExistsError: there is a file already.
            StoreError: a clip's file is gone.

        Example:
            >>> comparison = vidnb.compare(vidnb.history(prompt="lighthouse"))
            >>> comparison.save("lighthouse.mp4")
        """
        return pictures.save(self.grid, path, at_s=at_s, overwrite=overwrite)

    # -- what is saved -----------------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """The grid as a saved notebook shows it: a table of posters."""
        from vidnb.display.grid.table import grid_html

        return grid_html(self.grid)


def compare(
    clips: Iterable[Item | str] | Item | str,
    rows: Axis = None,
    cols: Axis = None,
    *,
    client: AnyClient | None = None,
    labels: Labels | None = None,
    debug: bool = False,
) -> Compare:
    """Clips side by side on the same frame, in rows and columns by what tells them apart.

    Args:
        clips: a history, or clips, jobs and ids of jobs; also rows of `history.df`.
        rows: what stands down: `"seed"`, any param, `"model"` or `"take"`, several of them, or a dict of one with the
            values to show (`{"seed": [3, 7, 11]}`); None chooses by what differs.
        cols: the same for what stands across.
        client: in whose data folder ratings are kept and gaps are run; default the one that the clips come from.
        labels: more names for rows and columns, by id of the job: `{job.id: {"animal": "koala"}}`.
        debug: True to show how well the clips keep in step.

    Returns:
        A widget. What was not run, failed or was refused has its place and says so.

    Raises:
        ConfigError: nothing was given, or no clip has such a param.

    Example:
        >>> vidnb.compare(vidnb.history(prompt="lighthouse"), rows="seed", cols="model")
        >>> vidnb.compare([one, other])
    """
    known = client or client_of(clips)
    given = listed(clips)
    if known is None:
        known = next((own for one in given if (own := client_of(one)) is not None), None)
    items = [core(known).clip_or_job(one) for one in given]
    return Compare(pivot(items, rows, cols, labels), known or _default_for(items), debug=debug)


def _default_for(items: Iterable[Item]) -> AsyncClient | None:
    """The client behind `vidnb.generate`, if the clips are of its folder."""
    client = core(None)
    folders = {one._files.folder for one in items if isinstance(one, Clip)}
    return client if folders <= {client.files.folder} else None
