"""The sweep as a value: its plan shows before anything is sent, `run` sends it, and running it again goes on."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vidnb import catalog, display, shown
from vidnb.client import addresses, loop, verbs
from vidnb.client.arguments import seconds
from vidnb.client.asynchronous import AsyncClient
from vidnb.client.budget import Budget, caps, checked_name
from vidnb.client.interrupt import unheard
from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.errors import ConfigError, ParamsError, Problem
from vidnb.history.history import History
from vidnb.media.measures import MEASURES
from vidnb.records import JOBS_UNIT, KEEP, Cost, Job, Keep, State
from vidnb.store.sweeps import GO, PAUSE, STOP, Standing, SweepRows
from vidnb.sweeps import axes as axes_
from vidnb.sweeps import outlook as outlook_
from vidnb.sweeps import plan as plan_
from vidnb.sweeps import promoting, reporting, searching, showing
from vidnb.sweeps.axes import Axis, Linked
from vidnb.sweeps.conditions import Condition, condition
from vidnb.sweeps.outlook import TO_SEND, Group, Outlook, group_of
from vidnb.sweeps.plan import Cell, Plan, Unsupported
from vidnb.sweeps.running import RUNS, OnChange, Run, RunProgress, recipe_of
from vidnb.sweeps.templates import spelt

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["seeds", "given", "random"]
DEFAULT_CAP = 100
"""The cap in jobs of a sweep that was given no cap."""
INTERRUPTED = "Interrupted: {moving}. s.run() goes on."


class Interrupted(KeyboardInterrupt):
    """The person interrupted the waiting for a sweep; a cell shows one line instead of the frames of two threads."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def sweep(
    prompt: Any = None,
    *linked: Linked,
    model: Any = None,
    seeds: int | Iterable[int] | None = None,
    takes: int | Iterable[int] | None = None,
    where: str | Condition | None = None,
    unsupported: Unsupported = "error",
    order: Order = "seeds",
    purse: str | None = None,
    budget_usd: float | None = None,
    budget_credits: Mapping[str, float | None] | None = None,
    budget_jobs: int | None = None,
    client: Client | AsyncClient | None = None,
    **values: Any,
) -> Sweep:
    """Plan many clips at once: every combination of the lists given, checked and priced; nothing is sent yet.

    Args:
        prompt: one, or a list. `{name}` in it stands for a list of that name; `{{` is a brace.
        *linked: names that change together, from `vidnb.zipped` or `vidnb.sampled`.
        model: id of a model, or a list of them; default Motion 2.0 of Leonardo, as in `generate`.
        seeds: how many seeds: the first of one published sequence, the same in every folder and sweep.
        takes: how many takes of each recipe, for models without a seed.
        where: which combinations to keep: a function of the cell (a dict of its values), or text such as
            `'motion_control_weight > 0.3 or model == "leonardo/motion_2.0"'`.
        unsupported: what becomes of combinations that a model does not take: `error` sends nothing until none is
            left, `skip` leaves them out, `drop` leaves out the params that a model lacks.
        order: `seeds` sends all recipes with the first seed before those with the second, so that an early look is
            fair; `given` sends them in the order of the lists; `random` shuffles them.
        purse: name of the purse that it is paid from; default one of its own.
        budget_usd: its cap in US dollars. Without any cap at most 100 jobs are sent.
        budget_credits: its caps in credits by provider, as in `{"1min": 500}`.
        budget_jobs: its cap in number of jobs.
        client: whose folder and keys; default those in force.
        **values: params under vidnb's names and parts of the prompt: a list, range, array or column is an axis, a
            folder of pictures too, anything else is the same for all.

    Returns:
        The sweep; as the last value of a cell it shows its plan. `.run()` sends it.

    Raises:
        ConfigError: a name means nothing, there is no such model, or an option is wrong.

    Example:
        >>> s = vidnb.sweep("a {animal} in the snow", animal=["koala", "heron"], seeds=4, budget_usd=5)
        >>> s.run()
        >>> s.df[["animal", "seed", "wait_s"]]
    """
    given = {
        "prompt": prompt, "linked": linked, "model": model, "seeds": seeds, "takes": takes, "where": where,
        "unsupported": unsupported, "order": order, "purse": purse, "budget_usd": budget_usd,
        "budget_credits": budget_credits, "budget_jobs": budget_jobs,
    }  # fmt: skip
    return Sweep(given, values, client)


@dataclass(frozen=True)
class Event:
    """What happened to one job of a sweep."""

    job_id: str
    state: State
    values: Mapping[str, Any]
    """Its values on the axes, by name."""


class Told(Protocol):
    """What is told how a run goes."""

    def update(self, progress: RunProgress, places: list[int]) -> None:
        """Take in how a run goes."""


class Sweep:
    """Many recipes as one value: shows its plan, runs under one budget, goes on where it was.

    Made by `vidnb.sweep`.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        values: Mapping[str, Any],
        client: Client | AsyncClient | None = None,
        *,
        promoted: Sequence[str] = (),
    ) -> None:
        self._promoted = tuple(promoted)
        self._given = given = _read_once(given)
        self._values = _read_once(values)
        if not isinstance(client, Client | AsyncClient | None):
            raise ConfigError(f"client={client!r}: give a vidnb.Client, or None for the one in force")
        self._client = client
        if given["unsupported"] not in ("error", "drop", "skip"):
            raise ConfigError(f"unsupported={given['unsupported']!r}: allowed are error, drop and skip")
        if given["order"] not in ("seeds", "given", "random"):
            raise ConfigError(f"order={given['order']!r}: allowed are seeds, given and random")
        for item in given["linked"]:
            if not isinstance(item, Linked):
                raise ConfigError(f"{item!r}: after the prompt come vidnb.zipped(...) and vidnb.sampled(...) only")
        self.unsupported: Unsupported = given["unsupported"]
        self.order: Order = given["order"]
        checked_name(given["purse"])
        self._caps = _given_caps(given)
        self._keeps = condition(given["where"])
        self._axes, self._fixed = axes_.read(
            given["prompt"], given["linked"], given["model"], given["seeds"], given["takes"], self._values
        )
        self._progress: RunProgress | None = None
        self.boards: weakref.WeakSet[Told] = weakref.WeakSet()
        """What shows it, and hears of every run of it here."""
        self._runs = 0
        """How many runs of it go on in this process."""
        self.accepts_unknown_price = False
        """Whether a person accepted, for a run of it, jobs whose price nobody knows."""

    # -- the plan ----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def plan(self) -> Plan:
        """All cells and the jobs that they come to; the same however often it is asked for."""
        axes, fixed = self._fetched()
        return plan_.make_plan(axes, fixed, keeps=self._keeps, unsupported=self.unsupported, target=self.client.target)

    @functools.cached_property
    def id(self) -> str:
        """What the sweep is called: made from its jobs, so that the same sweep has the same id in every kernel."""
        return self.plan.id

    @property
    def outlook(self) -> Outlook:
        """How it stands in this folder now, and what the rest costs; read anew each time."""
        return outlook_.outlook_of(self.plan, self.client.store, self._standings(), self.client.at_once)

    @property
    def purse(self) -> str:
        """Name of the purse that it is paid from."""
        return self._given["purse"] or f"sweep-{self.id}"

    @property
    def client(self) -> AsyncClient:
        """The client whose folder and keys it uses."""
        chosen = self._client if self._client is not None else verbs.default_client()
        return chosen if isinstance(chosen, AsyncClient) else chosen.asynchronous

    @property
    def rows(self) -> SweepRows:
        """Its rows in the database."""
        return SweepRows(self.client.store)

    def with_(self, **changes: Any) -> Sweep:
        """The sweep with some arguments changed, paid from the same purse; jobs that both have are shared.

        Args:
            **changes: arguments of `vidnb.sweep`. A list for a `{name}` that a new prompt no longer has is left out.

        Example:
            >>> s.with_(seeds=16).run()        # runs only what is new
        """
        changes = _read_once(changes)
        given = {name: changes.pop(name, value) for name, value in ({"purse": self.purse} | self._given).items()}
        if given["purse"] is None:
            given["purse"] = self.purse
        new = {name: given[name] for name in ("prompt",) if given[name] is not None}
        gone = self._without_use(new | changes)
        linked = (axes_.without(item, gone) for item in given["linked"])
        given["linked"] = tuple(item for item in linked if item is not None)
        values = {name: value for name, value in self._values.items() if name not in gone}
        return self._sharing(Sweep(given, values | changes, self._client))

    def _without_use(self, changes: Mapping[str, Any]) -> set[str]:
        """Return the parts of the prompts that are filled without them, once some values are changed."""
        parts, named = set(axes_.variables(self._axes, self._fixed)), axes_.named(self._prompts(changes))
        if not named <= {*parts, *changes}:  # one is misspelt: the refusal of the part that it was meant for says so
            return set()
        return parts - named - {*changes}

    def __len__(self) -> int:
        return len(self.plan.cells)

    def __repr__(self) -> str:
        return "\n".join(showing.lines(self))

    def _repr_html_(self) -> str:
        return shown.html(self)

    def _fetched(self) -> tuple[list[Axis], dict[str, Any]]:
        """Return axes and fixed values, pictures behind an address fetched once each."""

        def needs(value: Any) -> bool:
            return isinstance(value, Clip) or addresses.is_address(value)

        async def opened(name: str, value: Any) -> Any:
            entry = next((model for model in catalog.load().values() if name in model.params), None)
            if entry is None or entry.params[name].kind not in catalog.MEDIA_KINDS:
                return value
            try:
                return (await addresses.fetched(entry, {name: value}))[name]
            except ParamsError as error:  # of whichever model has such a param
                raise ParamsError("sweep", error.problems) from None

        def got(name: str, value: Any) -> Any:
            items = value if isinstance(value, list | tuple) else [value]
            return loop.run_sync(opened(name, value)) if any(map(needs, items)) else value

        rows = [
            type(axis)(axis.names, tuple(tuple(map(got, axis.names, row)) for row in axis.rows)) for axis in self._axes
        ]
        return rows, {name: got(name, value) for name, value in self._fixed.items()}

    def _standings(self) -> list[Standing | None]:
        return self.rows.standings([job.key for job in self.plan.jobs])

    # -- run ---------------------------------------------------------------------------------------------------------

    def run(self, *, wait: bool = True, accept_unknown_price: bool = False) -> None:
        """Send what is still to be sent and wait for all of it, with a board in the cell or a line on the terminal.

        An interrupt stops the waiting and the sending of more; what was sent is kept. Run again, it goes on: what is
        done costs nothing, what is on its way is taken up, what failed for a key, a balance or a pace is sent again.
        Run in two kernels at once, they share the work.

        Args:
            wait: False returns at once, and the kernel stays free: most kernels hear a click in the board only between
                two cells. The jobs are sent for as long as the kernel lives.
            accept_unknown_price: send jobs although no cap in money can be held against their price.

        Raises:
            ParamsError: some combinations are refused, and `unsupported` is `error` or `drop`; nothing was sent.
            ConfigError: there is nothing to run, or no key where `live` asks for one.
        """
        self.prepare()
        if not wait:
            showing.start(self, accept_unknown_price)
            return
        with showing.live(self) as update:
            try:
                loop.run_sync(self.run_async(accept_unknown_price=accept_unknown_price, on_change=update))
            except KeyboardInterrupt:
                with unheard():
                    raise Interrupted(INTERRUPTED.format(moving=self._moving_words())) from None
        self._say_end()

    async def run_async(
        self, *, accept_unknown_price: bool = False, on_change: OnChange = lambda progress, places: None
    ) -> RunProgress:
        """The same for async code with an `AsyncClient`, without a display; returns how it went.

        Args:
            accept_unknown_price: as for `run`.
            on_change: called with the progress and the places in `plan.jobs` of the jobs that changed.
        """
        self.prepare()
        self.accepts_unknown_price = accept_unknown_price

        def tell(progress: RunProgress, places: list[int]) -> None:
            if progress.word not in RUNS | {"done"} and progress is not self._progress:
                return  # it was begun again, and that run tells how it stands
            on_change(progress, places)
            for board in list(self.boards):
                if board.update != on_change:
                    board.update(progress, places)

        run = Run(
            self.client, self.id, self.purse, self.plan, accept_unknown_price=accept_unknown_price, on_change=tell
        )
        self._runs += 1
        self._progress = run.progress
        try:
            return await run.to_end()
        finally:
            self._runs -= 1

    def prepare(self) -> None:
        """Write the sweep, its cells, its caps and its input files into the folder; nothing is sent.

        Raises:
            ParamsError: some combinations are refused, and `unsupported` is not `skip`.
            ConfigError: no combination is left.
        """
        plan, client = self.plan, self.client
        if plan.refused and self.unsupported != "skip":
            raise _refusal(plan)
        self._make_ready()
        for file in plan.files.values():
            client.files.put(file.content, "." + file.extension)
        standings = self._standings()
        cells = (
            (job.key, position, group_of(standings[place]) in TO_SEND, recipe_of(job))
            for place, (job, position) in enumerate(zip(plan.jobs, self.positions, strict=True))
        )
        self.rows.register(self.id, self.purse, showing.title(plan), cells, self._parents())
        self._progress = None  # how the last run went is old news

    def queue(self) -> None:
        """Write the sweep for `vidnb work`, which sends it, here or on other machines; returns at once.

        Raises:
            ParamsError: some combinations are refused, and `unsupported` is not `skip`.
            ConfigError: no combination is left.
        """
        self.prepare()

    @functools.cached_property
    def positions(self) -> list[int]:
        """The place of each job in the order in which they are sent."""
        plan = self.plan
        repeats = [n for n, axis in enumerate(plan.axes) if axis.names in (("seed",), ("take",))]
        first: dict[int, tuple[Any, ...]] = {}
        for number, cell in enumerate(plan.cells):
            if cell.job is not None and cell.job not in first:
                early = tuple(cell.at[n] for n in reversed(repeats)) if self._given["order"] == "seeds" else ()
                first[cell.job] = (early, number)
        ranked = sorted(range(len(plan.jobs)), key=lambda place: first[place])
        if self._given["order"] == "random":
            random.Random(self.id).shuffle(ranked)
        positions = [0] * len(ranked)
        for rank, place in enumerate(ranked):
            positions[place] = rank
        return positions

    def _purse_caps(self) -> dict[str, float | None]:
        """Return the caps to write: those given, else the default where nothing else bounds the sweep."""
        if any(cap is not None for cap in self._caps.values()) or self._given["purse"] is not None:
            return self._caps
        mine = self.client.ledger.purse_caps(self.purse)
        default = {JOBS_UNIT: float(DEFAULT_CAP)} if not mine and not self.client.ledger.purse_caps("") else {}
        return default | self._caps

    @property
    def held_caps(self) -> dict[str, float]:
        """The caps of its purse by unit, those that the next run sets included."""
        held = {**self.client.ledger.purse_caps(self.purse), **self._purse_caps()}
        return {unit: cap for unit, cap in held.items() if cap is not None}

    @property
    def written_caps(self) -> dict[str, float | None]:
        """The caps by unit that its code gave it, which a run of the same code would set again."""
        return _given_caps(self._given)

    def set_caps(self, changed: dict[str, float | None]) -> None:
        """Give its purse these caps by unit, without a word about it; None takes one away."""
        self.client.ledger.cap(self.purse, changed, silent=True)
        self._caps = self._caps | changed

    @property
    def budget_words(self) -> str:
        """What it may cost, in words."""
        held = self.held_caps
        words = [str(Cost(cap, unit)) for unit, cap in held.items()]
        if not words:
            return "the folder's own caps" if self.client.ledger.purse_caps("") else "none"
        count = len(self.plan.jobs)
        default = JOBS_UNIT not in self._caps and held == {JOBS_UNIT: float(DEFAULT_CAP)}
        lift = " by default" if default else ""
        if default and count > DEFAULT_CAP:
            lift += f"; budget_jobs={count} or budget_usd=... lifts that"
        return f"at most {' and '.join(words)}{lift}"

    # -- wait, pause, stop, retry ------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Send no more until `go_on`; what was sent is seen to its end. Holds for every kernel that runs it."""
        self.rows.set_control(self.id, PAUSE)

    @property
    def is_paused(self) -> bool:
        """Whether somebody asked for a pause, and nobody to go on."""
        return self.rows.control(self.id) == PAUSE

    def go_on(self) -> None:
        """End a pause, in every kernel that runs it."""
        self.rows.set_control(self.id, GO)

    def stop(self) -> None:
        """End the run once what was sent is at its end; `run` goes on later. Holds for every kernel that runs it."""
        self.rows.set_control(self.id, STOP)

    def retry(self, cause: str | None = None) -> int:
        """Let the failed jobs of one cause be sent again with the next `run`, or at once where it is running.

        Args:
            cause: a name from the plan's table of causes, such as `service`; None for all that may succeed.

        Returns:
            How many jobs that are.

        Raises:
            ConfigError: there is no such cause.
        """
        found = self.outlook.causes
        chosen = [one for one in found if (one.can_retry if cause is None else one.name == cause)]
        if cause is not None and not chosen:
            names = ", ".join(one.name for one in found) or "none"
            raise ConfigError(f"there is no cause {cause!r} in this sweep; there is {names}")
        if any(one.group is Group.UNCLEAR for one in chosen):
            raise ConfigError(
                "nobody knows whether the service has these jobs, so they are not sent again by themselves: look at "
                'its page, then vidnb.settle(job, "send_again") or "give_up"'
            )
        keys = [self.plan.jobs[place].key for one in chosen for place in one.jobs]
        if not self.rows.is_registered(self.id):
            self.prepare()
        self.rows.requeue(self.id, keys)
        return len(keys)

    def budget(
        self,
        *,
        usd: float | Keep | None = KEEP,
        credits: Mapping[str, float | None] | Keep | None = KEEP,
        jobs: int | Keep | None = KEEP,
    ) -> Budget:
        """The purse with its sums, after these changes of its caps.

        Args:
            usd: the cap in US dollars; None lifts it.
            credits: caps in credits by provider.
            jobs: the cap in number of jobs; None lifts it.
        """
        changed = caps(usd, credits, jobs)
        if changed:
            self.client.ledger.cap(self.purse, changed)
            self._caps = self._caps | changed
        return self.money

    def wait(self, timeout_s: float | None = None) -> RunProgress:
        """Wait until nothing of it is on its way, whoever runs it, without sending anything; returns how it stands.

        Args:
            timeout_s: how long to wait; None waits for ever.

        Raises:
            ConfigError: `timeout_s` is no number of seconds.
        """
        timeout_s = seconds(timeout_s)

        async def last() -> None:
            async for _ in self.events():
                pass

        async def bounded() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(last(), timeout_s)

        loop.run_sync(bounded())
        progress = RunProgress(self._standings(), clock=self.client.clock)
        counts = progress.counts()
        if not counts[Group.UNFINISHED]:
            rest = "stopped" if any(counts[group] for group in TO_SEND) else "done"
            progress.word = "paused" if self.is_paused else rest
        return progress

    async def events(self, every_s: float = 0.25) -> AsyncIterator[Event]:
        """Yield what happens to its jobs, whoever runs it, until nothing of it is on its way.

        Any number may listen at once. Who is slow to take them finds some steps of a job put together, never its end.

        Args:
            every_s: how often to look.

        Example:
            >>> async for event in s.events():
            ...     print(event.state, event.values["animal"])
        """
        cells = {cell.job: cell for cell in reversed(self.plan.cells) if cell.job is not None}
        async for changes in self.follow(every_s):
            for place, standing in changes:
                values = dict(zip(self.plan.names, cells[place].values, strict=True))
                yield Event(standing.job_id, standing.state, values)

    async def follow(self, every_s: float) -> AsyncIterator[list[tuple[int, Standing]]]:
        """Yield at each look what changed of its jobs, by place in `plan.jobs`, until nothing of it is on its way.

        Args:
            every_s: how often to look.
        """
        places = {job.key: place for place, job in enumerate(self.plan.jobs)}
        aside, rows = self.client.store.aside, self.rows
        step = await aside(rows.newest_step)
        seen: dict[str, Standing] = {s.job_id: s for s in await aside(self._standings) if s is not None}
        while True:
            left = await aside(rows.left, self.id)
            step, steps = await aside(rows.steps, step)
            changes = []
            for key, standing in await aside(rows.jobs, list(dict.fromkeys(job_id for _, job_id in steps))):
                if key in places and seen.get(standing.job_id) != standing:
                    seen[standing.job_id] = standing
                    changes.append((places[key], standing))
            yield changes
            moving = any(group_of(standing) is Group.UNFINISHED for standing in seen.values())
            is_over = self._progress is not None and not self._runs  # by a budget, say, or an interrupt
            if not moving and (is_over or not left or await aside(rows.control, self.id) != GO):
                return
            await self.client.clock.wait(every_s)

    # -- what came of it ---------------------------------------------------------------------------------------------

    @property
    def money(self) -> Budget:
        """The sums of its purse: cap, spent, reserved, unclear, left."""
        books = {"emulated" if job.emulated else "real" for job in self.plan.jobs}
        return Budget([p for p in self.client.ledger.purses() if p.name == self.purse and p.book in books])

    @property
    def history(self) -> History:
        """Its jobs as rows, newest first, those of other sweeps with the same recipes included."""
        if not self.rows.is_registered(self.id):
            self._enter()
        return History(self.client.store, self.client.files, limit=None, sweep=self.id)

    @property
    def df(self) -> pd.DataFrame:
        """Its jobs as a DataFrame, with a column for each part of the prompt."""
        frame = self.history.df
        parts = self._parts(frame.columns)
        labels = self._labels(parts)
        keys = list(zip(frame["recipe_hash"], frame["take"], strict=True))
        for place, name in enumerate(parts):
            told = [labels.get(key, {}).get(name) for key in keys]
            frame.insert(list(frame.columns).index("prompt") + 1 + place, name, told)
        if parents := self.rows.parents(self.id):
            by_recipe = {(recipe_hash, take): job_id for (_, recipe_hash, take), job_id in parents.items()}
            frame["promoted_from"] = [
                by_recipe.get(key) for key in zip(frame["recipe_hash"], frame["take"], strict=True)
            ]
        return frame

    def _parts(self, known: Iterable[str]) -> list[str]:
        """The axes that are parts of the prompt: those that are no column of a history."""
        return [name for name in self.plan.names if name not in {*known, "model", "take"}]

    def _labels(self, parts: Iterable[str]) -> dict[tuple[str, int], dict[str, str]]:
        """What the parts of the prompt are in each recipe and take."""
        columns = {name: self.plan.names.index(name) for name in parts}
        return {
            (self.plan.jobs[cell.job].recipe_hash, self.plan.jobs[cell.job].take): {
                name: axes_.label(cell.values[column]) for name, column in columns.items()
            }
            for cell in reversed(self.plan.cells)
            if cell.job is not None
        }

    def compare(self, rows: Any = None, cols: Any = None, **options: Any) -> Any:
        """Its clips side by side on the same frame: `vidnb.compare` of its history.

        Args:
            rows: what stands down, as `"seed"` or a part of the prompt; None chooses by what differs.
            cols: what stands across, as `["animal", "motion_control_weight"]`.
            **options: as for `vidnb.compare`.
        """
        history = self.history
        return history.compare(rows, cols, labels=self.labels_of(history.jobs), **options)

    def labels_of(self, jobs: Iterable[Job]) -> dict[str, dict[str, str]]:
        """Return by the id of each job what the parts of its prompt are, as `{"animal": "koala"}`."""
        params = {name for model in catalog.load().values() for name in model.params}
        labels = self._labels(self._parts(params))
        return {job.id: labels.get((job.recipe_hash, job.take), {}) for job in jobs}

    def effect(self, knob: str, **options: Any) -> Any:
        """What a knob does to a measure, beyond seed noise: `History.effect` of its history.

        A measure of vidnb's is taken first of the clips that do not have it yet.

        Args:
            knob: name of a param, as `"motion_control_weight"`, or of a part of the prompt, as `"animal"`.
            **options: as for `History.effect`, as `on="motion"`.
        """
        on = options.get("on")
        self._measure([on] if isinstance(on, str) else on or ())
        return self.effect_of_measured(knob, **options)

    def effect_of_measured(self, knob: str, **options: Any) -> Any:
        """The same, from the clips that have the measure already."""
        history = self.history
        parts = self._parts(history.df.columns)
        if knob not in parts:
            return history.effect(knob, **options)
        # The whole prompt differs with its part: the two clips of a pair have the template and the other parts alike.
        frame, texts = self.df, ("prompt", "negative_prompt")
        keys = list(zip(frame["recipe_hash"], frame["take"], strict=True))
        templates = self._labels(name for name in texts if name in self.plan.names)
        frame = frame.assign(**{name: [templates.get(key, {}).get(name) for key in keys] for name in texts})
        return history.effect(knob, frame=frame, also=parts, **options)

    def _measure(self, names: Iterable[str]) -> None:
        """Measure the clips that are done where one of the names is a measure; what was measured before is kept."""
        if not MEASURES.keys().isdisjoint(names):
            self.history.where(state="done").measure()

    def _enter(self) -> None:
        """Write its cells, none of which is to be sent, so that its history can be read."""
        cells = ((job.key, n, False, recipe_of(job)) for job, n in zip(self.plan.jobs, self.positions, strict=True))
        self.rows.register(self.id, self.purse, showing.title(self.plan), cells, self._parents())

    # -- the best of it, again ---------------------------------------------------------------------------------------

    def promote(
        self,
        by: str | Callable[[Clip], float | None] = "rating",
        keep: float | int = 0.25,
        with_: Mapping[str, Any] | None = None,
    ) -> Sweep:
        """The best of its clips as a sweep of their own, with some values changed: drafts first, then the winners.

        It is paid from the same purse. Promote the outcome again, and each round is smaller: successive halving under
        one budget. `.df` of the new sweep says in `promoted_from` which job each came from when it was made.

        Args:
            by: what to rank by, the highest first: `rating`, a measure such as `motion`, which is then taken, any
                column of `.df` with numbers, or a function of the clip. Clips without a value do not take part.
            keep: a share of those that have a value, as 0.25, or how many, as 4; at least one.
            with_: values for the new sweep, as `{"resolution": "720p"}`; a list is an axis. `seeds` and `takes` as for
                `vidnb.sweep` make each winner several times.

        Raises:
            ConfigError: no clip has a value, or there is no such column.

        Example:
            >>> best = s.promote(by="rating", keep=0.25, with_={"resolution": "720p"})
            >>> best.run()
        """
        self._measure([by] if isinstance(by, str) else ())
        winners = promoting.best(self, by, keep)
        return self.of_cells([cell for cell, _ in winners], with_, [job_id for _, job_id in winners])

    def of_cells(
        self, cells: Sequence[Cell], with_: Mapping[str, Any] | None = None, promoted: Sequence[str] = ()
    ) -> Sweep:
        """Some of its cells as a sweep of their own, paid from the same purse.

        Args:
            cells: of its plan.
            with_: values that change.
            promoted: from which job each of the cells comes.
        """
        changed = dict(with_ or {})
        repeats = {name: changed.pop(name) for name in ("seeds", "takes") if name in changed}
        gone = {*changed, *(name.removesuffix("s") for name in repeats)}
        if {"prompt", "negative_prompt"} & gone:
            gone |= self._without_use(changed)
        axes = [axis for axis in self._axes if not set(axis.names) <= gone]
        places = {id(axis): n for n, axis in enumerate(self._axes)}
        chosen = [(axis, [n for n, name in enumerate(axis.names) if name not in gone]) for axis in axes]
        names = tuple(axis.names[n] for axis, kept in chosen for n in kept)
        rows = [
            tuple(axis.rows[cell.at[places[id(axis)]]][n] for axis, kept in chosen for n in kept) for cell in cells
        ]
        given = dict.fromkeys(("prompt", "seeds", "takes", "where")) | repeats | {
            "linked": (Linked(names, tuple(rows)),) if names else (), "model": None, "purse": self.purse,
            "unsupported": self.unsupported, "order": "given", "budget_usd": None, "budget_credits": None,
            "budget_jobs": None,
        }  # fmt: skip
        values = {name: value for name, value in self._fixed.items() if name not in gone} | changed
        for name in ("prompt", "model"):
            given[name] = values.pop(name, None)
        return self._sharing(Sweep(given, values, self._client, promoted=promoted))

    def _prompts(self, changed: Mapping[str, Any]) -> list[Any]:
        """Return the prompts of all cells, negative ones too, once some values are changed."""
        values = dict(self._fixed)
        for axis in self._axes:
            values |= {name: [row[place] for row in axis.rows] for place, name in enumerate(axis.names)}
        values |= changed
        return [values.get(name) for name in ("prompt", "negative_prompt")]

    def _sharing(self, other: Sweep) -> Sweep:
        """Return a sweep that is paid from the same purse, with the caps as a person changed them here since."""
        changed = {unit: cap for unit, cap in self._caps.items() if cap != self.written_caps.get(unit)}
        own = {unit: cap for unit, cap in other.written_caps.items() if cap != self.written_caps.get(unit)}
        other._caps = other._caps | changed | own
        return other

    def hold_caps(self) -> None:
        """Write its cells and its caps, so that sweeps of some of its cells keep to them; nothing is to be sent."""
        self._make_ready()
        self._enter()

    def _make_ready(self) -> None:
        """Look for what every run needs: jobs, keys for their services, and caps in the purse."""
        plan = self.plan
        if not plan.jobs:
            raise ConfigError(showing.no_cells(plan))
        for provider in {job.provider for job in plan.jobs}:
            self.client.prepare(provider)
        self.client.ledger.cap(self.purse, self._purse_caps())

    def search(
        self,
        study: Any = None,
        *,
        on: str | Callable[[Clip], float | None],
        rounds: int = 20,
        at_once: int = 4,
        accept_unknown_price: bool = False,
    ) -> Any:
        """Let Optuna choose which combinations to run next, instead of running all; returns the study.

        A trial is one combination of the axes; its value is the mean over its seeds or takes. The purse holds as in
        `run`. Called again, in another kernel too, it goes on: what the folder has is told to the study first, and
        nothing is paid twice. A combination that is refused is told as pruned, one whose jobs all failed as failed.

        Args:
            study: an Optuna study; None makes one that looks for the highest value, the same each time. Whether more is
                better is the study's `direction`. Its pruner is never asked: a clip has no intermediate values, as
                nobody can stop one half-way and get money back. What a pruner is for, cheap drafts first and more
                for the best of them only, is `halve`.
            on: what to tell: a measure such as `motion`, which is then taken, `rating` or any column of `.df` with
                numbers, or a function of the clip. By `rating` it ends with each round that is not rated yet.
            rounds: how many combinations in all, those of earlier calls included.
            at_once: how many of them are run before the next are chosen.
            accept_unknown_price: as for `run`.

        Raises:
            ConfigError: Optuna is missing (`vidnb[optuna]`), or the study has several directions.

        Example:
            >>> study = s.search(on="motion", rounds=20)
            >>> study.best_params
        """
        return searching.search(self, study, on, rounds, at_once, accept_unknown_price=accept_unknown_price)

    def halve(
        self,
        *rounds: Mapping[str, Any],
        by: str | Callable[[Clip], float | None],
        keep: float | int = 0.5,
        accept_unknown_price: bool = False,
    ) -> Sweep:
        """Successive halving under one budget: run, keep the best, run those with more, and so on to the last round.

        Each round is a sweep, run and promoted as by `run` and `promote`. A measure of vidnb's is taken after each
        round. Called again it goes on: what is done costs nothing.

        Args:
            *rounds: the values that change from one round to the next, as `{"resolution": "720p"}`; one at least.
            by: what to rank by, the highest first: a measure such as `motion`, any column of `.df` with numbers, or a
                function of the clip. By `rating` it stops where a round is not rated yet, and says so.
            keep: the share that goes on after each round, or how many.
            accept_unknown_price: as for `run`.

        Returns:
            The sweep of the last round that was begun; where the budget ended or a person stopped it, an earlier one.

        Raises:
            ConfigError: no round was given, no clip of a round has a value, or there is no such column.
            ParamsError: a combination is refused; nothing of that round was sent.

        Example:
            >>> best = s.halve({"resolution": "720p"}, {"duration_s": 10}, by="motion", keep=0.5)
            >>> best.compare()
        """
        if not rounds:
            raise ConfigError("halve() needs the values of at least one more round, as {'resolution': '720p'}")
        current = self
        for values in rounds:
            current.run(accept_unknown_price=accept_unknown_price)
            if current.is_cut_short:
                return current
            current = current.promote(by, keep, values)
        current.run(accept_unknown_price=accept_unknown_price)
        return current

    @property
    def is_cut_short(self) -> bool:
        """Whether the last run ended before everything was sent."""
        return self._progress is not None and self._progress.word != "done"

    def _parents(self) -> dict[plan_.Key, str]:
        """Return from which job each of its jobs was promoted."""
        if not self._promoted:
            return {}
        cells = (cell for cell in reversed(self.plan.cells) if cell.job is not None)
        by_winner = bool(self._given["linked"])  # else nothing of them is left in it, and the best stands for all
        return {self.plan.jobs[cell.job or 0].key: self._promoted[cell.at[0] if by_winner else 0] for cell in cells}

    def report(self, path: str | Path, *, clips: Literal["link", "embed", "posters"] = "link") -> Path:
        """The path of an HTML page that tells the whole sweep: question, plan, money, grid, effects, failures, recipes.

        Args:
            path: of the file to write; one that exists is replaced.
            clips: `link` plays the clips from the data folder beside the page, `embed` puts them into it, `posters`
                shows pictures only.
        """
        taken = self.client.store.measure_names()
        known = [name for name in MEASURES if name in taken]  # in the order of the table: motion first
        own = [name for name in taken if name not in MEASURES]
        return reporting.write(self, Path(path), clips, [*own, *known])

    def _moving_words(self) -> str:
        count = sum(group_of(standing) is Group.UNFINISHED for standing in self._standings())
        if count == 1:
            return "1 is on its way and is kept"
        return f"{count:,} are on their way and are kept" if count else "nothing is on its way"

    def _say_end(self) -> None:
        if self._progress is not None and self.is_cut_short:
            display.say(showing.progress_text(self._progress), warn=True)


def _given_caps(given: Mapping[str, Any]) -> dict[str, float | None]:
    names = [name for name in ("usd", "credits", "jobs") if given[f"budget_{name}"] is not None]
    return caps(**{name: given[f"budget_{name}"] for name in names})


def _read_once(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments, names as Python spells them, generators read into lists: `with_` needs their values again."""
    return {spelt(name): axes_.few(value) if isinstance(value, Iterator) else value for name, value in given.items()}


def _refusal(plan: Plan) -> ParamsError:
    problems = [Problem(refusal.cells, None, refusal.why, refusal.advice) for refusal in plan.refused]
    return ParamsError("sweep", problems)


showing.register(Sweep)
