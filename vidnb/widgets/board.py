"""A sweep that runs, as a grid of cells: what is done, running, waiting and failed, what it costs, and when it ends.

The page gets the states of all cells as bytes when it asks, and those that change a few times a second; posters and
words come when a cell is looked at. No more than the plan and the sums are synced traits, so a notebook stays small.
"""

from __future__ import annotations

import asyncio
import re
import struct
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import ipywidgets
import traitlets

from vidnb.clip import Clip
from vidnb.display import cards
from vidnb.display.grid.pivot import MOST_CELLS
from vidnb.display.host import server_path
from vidnb.display.labels import many
from vidnb.display.page import (
    BLUE,
    GREEN,
    GREY,
    MUTED,
    PLAIN,
    RED,
    SMALL,
    Html,
    block,
    data_uri,
    dotted,
    join,
    seconds,
    shortened,
    tag,
)
from vidnb.errors import ConfigError, VidnbError
from vidnb.records import JOBS_UNIT, Cost, Job, State, money
from vidnb.sweeps import capping, outlook, showing
from vidnb.sweeps.grid import cell_words, laid_out
from vidnb.sweeps.outlook import Group, group_of
from vidnb.sweeps.running import RUNS, STANDING_BY, RunProgress
from vidnb.sweeps.sweep import Sweep
from vidnb.widgets.compare_view import Compare, compare
from vidnb.widgets.live import Live
from vidnb.widgets.recent import poster_bytes

TELL_S = 0.2
"""Shortest time, in seconds, between two messages about changed cells."""
SUM_S = 1.0
"""The same for the sums."""
WAITING, RUNNING, DONE, FAILED, UNCLEAR, NOT, REFUSED, SAME, NONE = 0, 1, 2, 3, 4, 5, 6, 7, 255
STATE_OF: Mapping[Group, int] = {
    Group.NEW: WAITING, Group.UNFINISHED: RUNNING, Group.DONE: DONE, Group.OURS: FAILED, Group.THEIRS: FAILED,
    Group.UNCLEAR: UNCLEAR, Group.CANCELLED: NOT,
}  # fmt: skip
FOLLOW_S = 1.0
"""How often, in seconds, the database is asked what other kernels and workers do to the sweep."""
LOOKED_AT = 3
"""Of so many jobs on their way it is looked up whether anybody works on them."""
POSTERS_AT_ONCE, PREVIEWS_AT_ONCE = 24, 4
SAVED_CELLS, SAVED_POSTERS, SAVED_BYTES = 600, 64, 200_000


class Board(Live, part="board"):
    """The live grid of a sweep; `s.run()` shows one in a notebook.

    Args:
        sweep: what to show.

    Example:
        >>> s = vidnb.sweep("a koala in the {place}", place=["snow", "city"], seeds=4)
        >>> vidnb.Board(s)                 # press Run in it, or call s.run()
    """

    _plan: Any = traitlets.Dict().tag(sync=True)
    _now: Any = traitlets.Dict().tag(sync=True)
    _comparison: Any = traitlets.Instance(Compare, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    """What stands in the place of the grid while clips are compared."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        plan = sweep.plan
        self._grid = laid_out(plan)
        self._first = plan.first
        self._number_of = {job.key: number for number, job in enumerate(plan.jobs)}
        self._cell_at = {place: number for number, place in self._grid.places.items()}
        self._lock, self._summing, self._looking = threading.RLock(), threading.RLock(), asyncio.Lock()
        self._shown: set[int] = set()
        """Cells whose posters a page has without asking: a question for one of them was asked before it came."""
        self._progress = RunProgress(sweep._standings(), word="plan", clock=sweep.client.clock)
        self._fresh: set[int] = set()
        self._told_at = self._summed_at = float("-inf")
        self._owes_sums = False
        self._later: Future[None] | None = None
        self._run: Future[None] | None = None
        self._is_over = False
        """Whether that run sends no more: it may be seeing off what it sent, and the next one begins meanwhile."""
        self._following: Future[None] | None = None
        self._progress.word = self._word()
        super().__init__(
            _plan={
                "id": sweep.id, "title": showing.title(plan), "size": showing.size_words(plan),
                "cells": len(plan.cells), "rows": [list(names) for names in self._grid.rows],
                "blocks": list(self._grid.blocks), "most": MOST_CELLS,
                "marks": ["EMULATED"] if plan.jobs and all(job.emulated for job in plan.jobs) else [],
                "grid": {
                    "rows": len(self._grid.rows), "cols": self._grid.cols, "block": self._grid.block,
                    "groups": self._grid.groups,
                },
            },
            _now={},
        )  # fmt: skip
        self._now = self._sums()
        sweep.boards.add(self)
        self._begin_to_follow()

    def _in_a_line(self) -> str:
        return " ".join(next(showing.lines(self._sweep)).split())

    # -- news of the run ---------------------------------------------------------------------------------------------

    def update(self, progress: RunProgress, places: list[int]) -> None:
        """Take in how the run goes; the page hears of it a moment later.

        Args:
            progress: of the run.
            places: jobs that changed, by their place in `sweep.plan.jobs`.
        """
        with self._lock:
            self._progress, self._is_over = progress, progress.word not in RUNS
            self._fresh.update(places)
            if self._later is None or self._later.done():
                self._later = self._spawn(self._tell())

    def _begin_to_follow(self) -> None:
        """Follow what others do to the sweep, unless that is done or a run of this process tells of it."""
        with self._lock:
            is_idle = self._following is None or self._following.done()
            if is_idle and self._progress.word not in RUNS:
                self._following = self._spawn(self._follow(self._progress))

    async def _follow(self, progress: RunProgress) -> None:
        """Take in what others do to the sweep for as long as any of it is on its way."""
        async for changes in self._sweep.follow(FOLLOW_S):
            if progress is not self._progress or not self.is_open:
                return  # a run of this process tells everything
            for place, standing in changes:
                progress.standings[place] = standing
                if standing.state is State.DONE:
                    progress.ended.append(progress.clock.monotonic())
            word = await asyncio.to_thread(self._word)
            if not (changes or word in RUNS or progress.word in RUNS):
                continue  # how a run of this process ended, for its budget say, is still true
            if (changes or word != progress.word) and progress is self._progress:
                progress.word = word
                self.update(progress, [place for place, _ in changes])

    def _word(self) -> str:
        """Return how the sweep stands where no run of this process says it, as the word of a run."""
        counts = self._progress.counts()
        moving = [one for one in self._progress.standings if one and group_of(one) is Group.UNFINISHED]
        if any(not self._is_left_alone(one.job_id) for one in moving[:LOOKED_AT]):
            return "pausing" if self._sweep.is_paused else "running"
        if counts[Group.NEW] == len(self._progress.standings):
            return "plan"
        return "stopped" if moving or any(counts[group] for group in outlook.TO_SEND) else "done"

    def _is_left_alone(self, job_id: str) -> bool:
        """Return whether no process works on an unfinished job."""
        client = self._sweep.client
        return client.is_left_alone(client.job(job_id))

    async def _tell(self) -> None:
        """Tell the page what changed, again and again until nothing is left to tell."""
        clock = self._sweep.client.clock
        while True:
            await clock.wait(max(0.0, self._told_at + TELL_S - clock.monotonic()))
            with self._lock:
                fresh, self._fresh = sorted(self._fresh), set()
                self._told_at = clock.monotonic()
            self._say_cells(fresh)
            await self._show_done(fresh)
            is_due = clock.monotonic() - self._summed_at > SUM_S or self._now.get("word") != self._progress.word
            self._owes_sums = not is_due and (self._owes_sums or bool(fresh))
            if is_due:
                self._summed_at = clock.monotonic()
                await asyncio.to_thread(self._sum_up)
            with self._lock:  # with the end, so that what comes now is told by the next one
                if not self._fresh and not self._owes_sums:
                    self._later = None
                    return

    def finish(self) -> None:
        """Bring the sums and the saved output up to date at the end of a run."""
        self._sum_up()
        self.save_output()

    def _sum_up(self) -> None:
        with self._summing:  # so that sums that were begun earlier are never shown over later ones
            self._now = self._sums()

    def _say_cells(self, jobs: list[int]) -> None:
        cells = [self._grid.places[self._first[job]] for job in jobs if job in self._first]
        if cells:
            pairs = bytes(part for job in jobs if job in self._first for part in self._pair(job))
            self.say("cells", {}, [struct.pack(f"<{len(cells)}I", *cells), pairs])

    async def _show_done(self, jobs: list[int]) -> None:
        """Send the posters of new clips unasked: while a notebook cell runs, the kernel hears no question of a page."""
        if len(self._sweep.plan.cells) > SAVED_CELLS:
            return  # those begin as pixels
        done = [job for job in jobs if job in self._first and self._pair(job)[0] == DONE]
        cells = [self._grid.places[self._first[job]] for job in done]
        for start in range(0, len(cells), POSTERS_AT_ONCE):
            some = cells[start : start + POSTERS_AT_ONCE]
            await self._say_posters(some)
            self._shown.update(some)

    def _pair(self, job: int) -> tuple[int, int]:
        """Return state and rating of a job's cell."""
        standing = self._progress.standings[job]
        return STATE_OF[group_of(standing)], (standing.rating or 0) if standing is not None else 0

    def _all(self) -> tuple[bytes, bytes]:
        """Return the states and ratings of the whole grid."""
        count = len(self._grid.rows) * self._grid.cols
        states, ratings = bytearray([NONE]) * count, bytearray(count)
        for number, cell in enumerate(self._sweep.plan.cells):
            place = self._grid.places[number]
            if cell.job is None:
                states[place] = REFUSED
            elif self._first[cell.job] != number:
                states[place] = SAME
            else:
                states[place], ratings[place] = self._pair(cell.job)
        return bytes(states), bytes(ratings)

    # -- what stands around the grid ---------------------------------------------------------------------------------

    def _sums(self) -> dict[str, Any]:
        progress, sweep = self._progress, self._sweep
        counts = progress.counts()
        found = outlook.outlook_of(sweep.plan, sweep.client.store, progress.standings, sweep.client.at_once)
        return {
            "word": progress.word, "heading": _HEADINGS.get(progress.word, progress.word), "why": progress.why,
            "sums": [
                ["Money", [*self._money(found)]], ["Time", [*self._time(found)]], ["Pace", [*self._pace(counts)]]
            ],
            "steps": [*self._steps(found)], "causes": [*self._causes(found)],
            "stop": f"Stop? {counts[Group.UNFINISHED]:,} are on their way and still come; "
                    f"{counts[Group.NEW]:,} are not sent.",
        }  # fmt: skip

    def _money(self, found: outlook.Outlook) -> Iterator[list[Any]]:
        purses = [purse for purse in self._sweep.money if purse.unit != JOBS_UNIT]
        for purse in purses:
            yield ["Spent", Cost(purse.settled - purse.forgiven, purse.unit).as_sum, False]
            if purse.reserved:
                yield ["Held for those running", Cost(purse.reserved, purse.unit).as_sum, False]
            if purse.unclear:
                yield ["Not clear", Cost(purse.unclear, purse.unit).as_sum, False]
        if found.to_send:
            yield [f"Still to run, {found.to_send:,}", " + ".join(_rest(found.money)), False]
        for purse in self._sweep.money:
            if purse.cap is not None and purse.left is not None:
                yield [f"Left of {Cost(purse.cap, purse.unit)} now", Cost(purse.left, purse.unit).as_sum, True]

    def _time(self, found: outlook.Outlook) -> Iterator[list[Any]]:
        progress = self._progress
        if progress.word == "done" and progress.ended:
            yield ["Took", seconds(progress.ended[-1] - progress.began), True]
        elif progress.word in RUNS or progress.ended:
            yield ["Running for", seconds(progress.elapsed_s), False]
        told = showing.pace(progress)
        if told is not None and progress.word == "running" and told[1] > 0:
            end = datetime.now() + timedelta(seconds=told[1])
            spread = told[1] / max(len(progress.ended), 4) ** 0.5
            low, high = end - timedelta(seconds=spread), end + timedelta(seconds=spread)
            yield ["Still to go", f"about {seconds(told[1])}", False]
            yield ["Done at about", f"{end:%H:%M}", True]
            yield ["Between", f"{low:%H:%M} and {high:%H:%M}", False]
        elif found.to_send:
            yield ["Takes", "unknown" if found.span is None else f"about {seconds(found.span.usual_s)}", True]

    def _pace(self, counts: Mapping[Group, int]) -> Iterator[list[Any]]:
        told = showing.pace(self._progress)
        yield ["Clips a minute", "–" if told is None else f"{told[0]:.1f}", False]
        yield ["On their way", f"{counts[Group.UNFINISHED]:,}", False]
        axes = {axis.names for axis in self._sweep.plan.axes if len(axis) > 1}
        repeat = next((name for name in ("seed", "take") if (name,) in axes), None)
        first = f"{repeat} by {repeat}" if repeat else "as given"
        order = {"seeds": first, "given": "as given", "random": "by chance"}
        yield ["Order", order[self._sweep.order], False]

    def _steps(self, found: outlook.Outlook) -> Iterator[dict[str, str]]:
        word, moving = self._progress.word, found.counts.get(Group.UNFINISHED, 0)
        if word in ("running", *STANDING_BY):
            yield {"kind": "pause", "text": "Pause"}
            yield {"kind": "ask_stop", "text": "Stop …"}
        elif word in ("pausing", "paused"):
            yield {"kind": "go_on", "text": "Go on"}
            yield {"kind": "ask_stop", "text": "Stop …"}
        elif (found.to_send or moving) and not (self._sweep.plan.refused and self._sweep.unsupported != "skip"):
            text = f"Run {found.to_send:,}" if found.to_send else "Go on"
            if word == "budget":
                yield {"kind": "caps", "text": "Change the budget"}
            yield {"kind": "run", "text": text, "price": _price(found.money)}

    def _causes(self, found: outlook.Outlook) -> Iterator[dict[str, Any]]:
        sweep = self._sweep
        for cause in found.causes[:8]:
            again = outlook.money_of(sweep.plan, sweep.client.store, cause.jobs)
            words = {cell_words(self._sweep.plan, self._first[job]) for job in cause.jobs[:40] if job in self._first}
            where = min(words) if len(words) == 1 else f"{len(cause.jobs):,} cells"
            charged = cause.charged[:1].upper() + cause.charged[1:]
            yield {
                "name": cause.name, "count": len(cause.jobs), "words": shortened(cause.words, 240),
                "where": f"{where}. {charged}.", "retry": cause.can_retry,
                "price": _price(again),
            }  # fmt: skip

    # -- what the page asks for --------------------------------------------------------------------------------------

    def heard_ready(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """A page shows the board: it needs all cells."""
        self._shown.clear()  # it has no posters either
        self._begin_to_follow()
        self.say("all", {}, self._all())

    def heard_facts(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page asks for the words of a cell."""
        self._spawn(self._say_facts(int(content["cell"])))

    def heard_posters(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page asks for the posters of some cells."""
        cells = [cell for cell in map(int, content["cells"]) if cell not in self._shown]
        self._spawn(self._say_posters(cells[:POSTERS_AT_ONCE]))

    def heard_previews(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page asks for preview pictures of some running cells."""
        self._spawn(self._say_previews([int(cell) for cell in content["cells"]][:PREVIEWS_AT_ONCE]))

    def heard_video(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A cell is pointed at: where its clip is served, and whether it flashes."""
        self._spawn(self._say_video(int(content["cell"])))

    def heard_rate(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A cell was rated; 0 takes the rating away."""
        self._spawn(self._rate(int(content["cell"]), int(content["rating"])))

    def heard_pause(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Pause was pressed; a busy kernel hears of it only when the run has ended, and then does nothing."""
        if self._progress.word in RUNS:
            self._sweep.pause()

    def heard_go_on(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Go on was pressed."""
        if self._progress.word in RUNS:
            self._sweep.go_on()

    def heard_stop(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Stop was pressed, and confirmed."""
        if self._progress.word in RUNS:
            self._sweep.stop()

    def heard_run(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Run was pressed."""
        self.start()

    def heard_retry(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The failed jobs of one cause are to be sent again."""
        self._sweep.retry(str(content["cause"]))
        self.start()

    # -- side by side ------------------------------------------------------------------------------------------------

    def heard_compare(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The clips of some cells are to be seen side by side; of all that are done, where no cell is named."""
        cells = [int(cell) for cell in content.get("cells", [])] or sorted(self._cell_at)
        clips: list[Clip] = []
        for clip in map(self._clip_of, cells):
            if clip is not None and len(clips) < MOST_CELLS:
                clips.append(clip)
        if len(clips) < 2:
            raise ConfigError("Two clips that are done are needed to compare.")
        labels = self._sweep.labels_of([clip.job for clip in clips])
        made = compare(clips, client=self._sweep.client, labels=labels)
        made.on_close(self.end_comparison)
        made.observe(self._take_verdict, "annotated")
        self._put_comparison(made)
        self.say("compared", {"code": f"vidnb.compare({[clip.job.id[:8] for clip in clips]})"})

    def heard_uncompare(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """The comparison was left."""
        self.end_comparison()

    def end_comparison(self) -> None:
        """Show the grid again."""
        self._put_comparison(None)

    def _put_comparison(self, made: Compare | None) -> None:
        with self._lock:
            before, self._comparison = self._comparison, made
        if before is not None:
            before.close()

    def _take_verdict(self, change: Any) -> None:
        """A clip was rated in the comparison: its cell shows the stars."""
        self._spawn(self._renew(change["new"].job.id))

    async def _renew(self, job_id: str) -> None:
        """Read anew how a job stands, its rating included, and tell the page."""
        for key, standing in await asyncio.to_thread(self._sweep.rows.jobs, [job_id]):
            if (job := self._number_of.get(key)) is not None:
                with self._lock:
                    self._progress.standings[job] = standing
                self._say_cells([job])

    def close(self) -> None:
        """Take the board off every page, and what is compared in it."""
        self.end_comparison()
        super().close()

    # -- the budget --------------------------------------------------------------------------------------------------

    def heard_caps(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """The caps are to be changed: what they are, and what is used of each."""
        caps = [
            {"unit": cap.unit, "name": cap.name, "text": cap.text, "used": Cost(cap.used, cap.unit).as_sum}
            for cap in capping.caps_of(self._sweep)
        ]
        self.say("caps", {"caps": caps})

    def heard_budget(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """New caps were written; a sweep that stood still for them goes on by itself."""
        try:
            words = capping.change(self._sweep, {str(unit): str(text) for unit, text in content["caps"].items()})
        except ConfigError as error:
            self.say("capped", {"words": str(error), "refused": True})
            return
        if self._progress.word == "budget":
            self.start(self._sweep.accepts_unknown_price)
            words += " It goes on."
        self.say("capped", {"words": words, "refused": False})
        self._spawn(asyncio.to_thread(self._sum_up))

    def start(self, accept_unknown_price: bool = False) -> None:
        """Run the sweep in the background, if this process does not run it yet; returns at once.

        Args:
            accept_unknown_price: send jobs although no cap in money can be held against their price.
        """
        if self._progress.word in RUNS:
            return
        with self._lock:
            if self._run is None or self._run.done() or self._is_over:
                self._is_over = False
                self._run = self._spawn(self._running(accept_unknown_price))

    async def _running(self, accept_unknown_price: bool) -> None:
        try:
            await self._sweep.run_async(accept_unknown_price=accept_unknown_price, on_change=self.update)
        finally:
            await asyncio.to_thread(self.finish)

    def _job_of(self, place: int) -> int | None:
        number = self._cell_at.get(place)
        return None if number is None else self._sweep.plan.cells[number].job

    def _clip_of(self, place: int) -> Any:
        job = self._job_of(place)
        standing = self._progress.standings[job] if job is not None else None
        if standing is None or standing.state is not State.DONE:
            return None
        try:
            return self._sweep.client.clip(standing.job_id)
        except VidnbError:
            return None

    async def _say_facts(self, place: int) -> None:
        number = self._cell_at.get(place)
        if number is None:
            return
        words, rating = await asyncio.to_thread(self._words, number)
        title = cell_words(self._sweep.plan, number)
        self.say("facts", {"cell": place, "title": title, "words": words, "rating": rating})

    def _words(self, number: int) -> tuple[str, int]:
        """Return what is said of a cell, and its rating."""
        job = self._sweep.plan.cells[number].job
        if job is None:
            return "Refused, not sent: the table of the plan says why.", 0
        if self._first[job] != number:
            return f"The same clip as {cell_words(self._sweep.plan, self._first[job])}.", 0
        standing = self._progress.standings[job]
        if standing is None:
            return "Waiting to be sent.", 0
        row = self._sweep.client.job(standing.job_id)
        if row.error:
            told = shortened(str(row.error.get("message", "")), 300)
            charged = {True: "Charged.", False: "Not charged."}.get(row.error.get("charged"), "")  # type: ignore[arg-type]
            return f"{row.state.capitalize()}: {told} {'' if row.emulated else charged}".strip(), 0
        took = ""
        if row.done_at and row.submitted_at:
            took = f" in {seconds((row.done_at - row.submitted_at).total_seconds())}"
        cost = f", {row.cost}{' (emulated)' if row.emulated else ''}" if row.cost is not None else ""
        word = f" ({told})" if row.is_moving and (told := cards.wire_word(row)) else ""
        return f"{row.state.capitalize()}{word}{took}{cost}. Job {row.id[:8]}.", row.rating or 0

    async def _say_posters(self, cells: list[int]) -> None:
        made: list[bytes] = []
        for place in cells:
            clip = await asyncio.to_thread(self._clip_of, place)
            poster = None if clip is None else await asyncio.to_thread(poster_bytes, clip)
            made.append(poster or b"")
        self.say("posters", {"cells": cells}, made)

    async def _say_previews(self, cells: list[int]) -> None:
        """Tell the page how far running cells are, or that their service gives no pictures of that."""
        async with self._looking:  # the page asks again whether or not a slow service has answered
            looks = await asyncio.gather(*map(self._look_at, cells))
        found = [look for look in looks if look is not None]
        told = [{"cell": place, "gives": gives, "words": words} for place, gives, words, _ in found]
        self.say("previews", {"cells": told}, [picture for *_, picture in found])

    async def _look_at(self, place: int) -> tuple[int, bool, str, bytes] | None:
        """Return a running cell, whether its service gives pictures, and how far it is in words and as a picture."""
        client, job = self._sweep.client, self._job_of(place)
        standing = self._progress.standings[job] if job is not None else None
        if standing is None:
            return None
        with suppress(VidnbError):  # the other cells are seen all the same, and the page asks for this one again
            row = await asyncio.to_thread(client.job, standing.job_id)
            if row.is_moving:
                gives = client.has_preview(row)
                picture = await client.preview(row) if gives else None
                return place, gives, _step(row), picture or b""
        return None

    async def _say_video(self, place: int) -> None:
        clip = await asyncio.to_thread(self._clip_of, place)
        served = clip.served_path if clip is not None else None
        if served is not None:
            flashes = await asyncio.to_thread(lambda: clip.flashes)
            self.say("video", {"cell": place, "path": server_path(served), "flashes": flashes})

    async def _rate(self, place: int, rating: int) -> None:
        job = self._job_of(place)
        standing = self._progress.standings[job] if job is not None else None
        if job is None or standing is None:
            return
        async with self._in_turn:
            row = await self._sweep.client.annotate(standing.job_id, rating=rating or None)
            await self._renew(row.id)
        await self._say_facts(place)

    # -- what a notebook saves ---------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """The grid as it stands, as a labelled table, in at most 200 kB."""
        counts = self._progress.counts()
        words = [f"{counts[group]:,} {showing.WORDS[group]}" for group in Group if counts[group]]
        head = tag("div", shortened(showing.title(self._sweep.plan), 160), style="font-weight:600", dir="auto")
        when = datetime.now().strftime("%Y-%m-%d %H:%M")
        done = f"{counts[Group.DONE]:,} of {len(self._sweep.plan.jobs):,} were done at {when}."
        again = f" Run this cell again: it goes on where it was, and nothing is paid twice. {done}"
        still = tag("div", tag("b", "This board stands still."), again, style=SMALL)
        grid = self._saved_grid() if len(self._sweep.plan.cells) <= SAVED_CELLS else None
        size = dotted(showing.size_words(self._sweep.plan))
        return str(block(head, size, dotted(*words), grid, still, style="margin:2px 0 10px"))

    def _saved_grid(self) -> Html:
        """The grid as a table: with posters where there are few cells, else with marks in colour."""
        left = SAVED_BYTES if len(self._sweep.plan.cells) <= SAVED_POSTERS else 0
        small = f"{SMALL};font-weight:400;text-align:left"
        rows: list[Html] = []
        for row, names in enumerate(self._grid.rows):
            cells = [tag("th", " · ".join(names), style=f"{small};padding:1px 10px 1px 0")]
            for col in range(self._grid.cols):
                cell, used = self._saved_cell(row * self._grid.cols + col, left)
                left -= used
                cells.append(tag("td", cell, style="padding:1px"))
            rows.append(tag("tr", *cells, style="background:transparent"))
        heads = [tag("th", text, colspan=self._grid.block, style=f"{small};{MUTED}") for text in self._grid.blocks]
        table = tag("table", tag("tr", tag("th"), *heads), join(rows), style="margin:6px 0;border-collapse:collapse")
        return tag("div", table, style="overflow-x:auto;max-width:100%")

    def _saved_cell(self, place: int, left: int) -> tuple[Html | None, int]:
        """Return one cell, and how many bytes of pictures it has."""
        number = self._cell_at.get(place)
        if number is None:
            return None, 0
        title, job = cell_words(self._sweep.plan, number), self._sweep.plan.cells[number].job
        is_same = job is not None and self._first[job] != number
        clip = self._clip_of(place) if left > 0 and not is_same else None
        if clip is not None and (poster := poster_bytes(clip)):
            look = "width:88px;height:auto;display:block;border-radius:2px;max-width:none"
            uri = data_uri(poster, "image/webp")
            return tag("img", src=uri, alt=title, title=title, style=look), len(uri)
        state = REFUSED if job is None else SAME if is_same else self._pair(job)[0]
        colour = {DONE: GREEN, RUNNING: BLUE, FAILED: RED, WAITING: GREY}.get(state, PLAIN)
        size = "width:88px;height:50px" if left > 0 else "width:14px;height:9px"
        look = f"{size};border-radius:2px;background:{colour}"
        return tag("div", style=look, title=title, role="img", **{"aria-label": f"{title}: {NAMES[state]}"}), 0


def _step(job: Job) -> str:
    """Return how far a running job is in the few words that fit into a cell: "12/30", "34%", or nothing."""
    told = job.wire_status or ""
    if step := re.search(r"\bstep (\d+) of (\d+)", told):
        return f"{step[1]}/{step[2]}"
    share = re.search(r"\((\d+%)\)", told)
    return share[1] if share else ""


def _price(sums: outlook.Money) -> str:
    """Return what sending jobs costs, as it stands on a button."""
    charged = f"{'≈ ' if sums.estimate else ''}{money(sums.charged)}" if any(sums.charged.values()) else ""
    if sums.unknown:
        return f"{charged} + {many(sums.unknown, 'job')} of unknown price" if charged else "price unknown"
    return charged or "free"


def _rest(sums: outlook.Money) -> Iterator[str]:
    """Yield what the rest costs, in as few words as a column has room for."""
    if sums.exact:
        yield money(sums.exact)
    if sums.estimate:
        yield f"≈ {money(sums.estimate)}"
    if sums.unknown:
        yield f"unknown for {many(sums.unknown, 'job')}"
    if sums.emulated or sums.emulated_unknown:
        yield "free, emulated"


NAMES = ("waiting", "running", "done", "failed", "not clear", "not sent", "refused", "the same clip as another")
_HEADINGS = {"plan": "Nothing sent yet", **showing.RUNNING}
