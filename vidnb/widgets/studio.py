"""The studio: pick a model, fill in its form, press Generate, and go on from the clips that come in.

The widgets are the live part. Behind them stands an output of plain HTML with the newest clips, hidden while the studio
is alive: what a notebook saves and shows again without a kernel.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ipywidgets as widgets
import traitlets

from vidnb import _bridge, catalog
from vidnb._clip import Clip
from vidnb.catalog import DEFAULT_MODEL, Model
from vidnb.display import clip_html
from vidnb.display.host import limits, running_cell
from vidnb.errors import BudgetError, ParamsError, Problem, UnknownPriceError, VidnbError
from vidnb.records import TERMINAL, Cost, Job, Quote, State
from vidnb.verbs import Client, default_client
from vidnb.widgets._live import SavedOutput, in_words, show
from vidnb.widgets.form import Filled, Form
from vidnb.widgets.generate import GenerateBar, price_words, valid_cap
from vidnb.widgets.picker import ModelPicker
from vidnb.widgets.player import Player, Pressed
from vidnb.widgets.progress import Progress
from vidnb.widgets.recent import Recent

CLIPS_SAVED = 6
JOBS_SHOWN = 8
"""Lines of ended jobs; those that still run stay whatever their number."""
LOOK_S = 0.2
SETTLE_S = 0.2
"""How long the form must be quiet before the price is looked up."""
EMULATED = "Its clips cost nothing and say EMULATED."
WAYS = {
    "model": "assign it to studio.model",
    "take": "Next take makes another one of the same recipe",
    "fresh": "Next take makes another one of the same recipe",
    "unsupported": "the form shows what the model takes",
}
"""Arguments of `submit` that are no params, and what does the same in a studio."""
WAITING = "A new clip is first among the recent ones; the player shows it when you are done with this one."
FRAME_PARAMS = {"start_frame": "start_image", "end_frame": "end_image"}
MODELS_NAMED = 3
UNFINISHED = [state for state in State if state not in TERMINAL]


_SHOWN: dict[str, tuple[str, list[Studio]]] = {}
"""By cell the run that showed studios last, and those."""


@dataclass(frozen=True)
class _Wanted:
    """What somebody wants to have made, as `submit` takes it."""

    model: str
    values: Mapping[str, Any]
    fresh: bool = False
    take: int | None = None


class _Followed(dict[str, Any]):
    """What the form gives to `Studio.params`; any other dict is assigned by a program."""


class Studio(widgets.VBox):
    """A place to work: model, form, Generate with its price, the jobs on their way, a player and the recent clips.

    Args:
        model: id of the model to begin with.
        client: whose data folder and keys; default the one behind `vidnb.generate`.
        params: values to start with.
        budget_usd: the most that may be spent from now on, in US dollars; Generate refuses to pass it.
        budget_credits: the same for services that charge credits.

    Attributes:
        params: what the form holds; assign a dict to fill it.
        model: id of the chosen model; assign another to switch.
        clips: the clips made in this studio, newest first.
        clip: the clip in the player.
        picker, form, bar, jobs, player, recent: its parts, each a widget that can be laid out by hand.

    Example:
        >>> studio = vidnb.Studio("leonardo/motion_2.0", budget_usd=5)
        >>> studio.params = {"prompt": "a koala in a meadow", "seed": 7}
        >>> job = studio.generate()
    """

    model = traitlets.Unicode()
    params = traitlets.Dict()
    clips = traitlets.Tuple()
    clip = traitlets.Instance(Clip, allow_none=True)
    budget_usd = traitlets.Float(None, allow_none=True)
    budget_credits = traitlets.Float(None, allow_none=True)

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        client: Client | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        budget_usd: float | None = None,
        budget_credits: float | None = None,
    ) -> None:
        self._client = client or default_client()
        self._lock = threading.RLock()
        self._lines: dict[str, Progress] = {}
        self._idle: list[Progress] = []
        self._made_in = (running_cell() or [None])[0]
        self._shown_in: set[str | None] = set()
        self._reserved: dict[object, Cost] = {}
        self._said_emulated: set[str] = set()
        self._older: tuple[Clip, ...] = ()
        self._waiting: Clip | None = None
        self._asked: Callable[[], Coroutine[Any, Any, Any]] | None = None
        self._asked_of_form = True
        self._picked = False
        self._edits = 0
        self._since = datetime.now(UTC)
        entry = catalog.find(model)
        self.picker = ModelPicker(entry.id)
        self._saved = SavedOutput(self.picker)
        self.form = Form(entry, params)
        self.bar = GenerateBar(self._clicked, self.form)
        self.picker._form = self.form._id
        self.jobs = widgets.VBox()
        self.player = Player(client=self._client)
        self.recent = Recent(client=self._client)
        left, right = (
            widgets.VBox([self.picker, self.form, self.bar, self.jobs]),  # above the player they would push it about
            widgets.VBox([self.player, self.recent]),
        )
        super().__init__([left, right])
        for box, name in ((self, "studio"), (left, "desk"), (right, "results"), (self.jobs, "jobs")):
            box.add_class("vidnb")
            box.add_class(f"vidnb-{name}")
        self.model = entry.id
        self._connect()
        self.budget_usd, self.budget_credits = budget_usd, budget_credits
        self._form_changed()
        self._spawn(self._begin())

    def _connect(self) -> None:
        """Let the parts hear of one another."""
        traitlets.link((self, "model"), (self.picker, "model"))
        traitlets.link((self, "clip"), (self.player, "clip"))
        traitlets.link((self, "budget_usd"), (self.bar, "budget_usd"))
        traitlets.link((self, "budget_credits"), (self.bar, "budget_credits"))
        self.form.observe(self._form_changed, "params")
        self.form.observe(lambda change: setattr(self, "model", change["new"].id), "model")
        self.form.on_submit(lambda filled: self._clicked(False, False, filled))
        self.player.on_action(self._acted)
        self.player.observe(self._let_go, "engaged")
        self.player.observe(self._annotated, "annotated")
        self.form.observe(self._offer_frames, "model")
        self._offer_frames()
        self.recent.observe(self._picked_recent, "clip")

    async def _begin(self) -> None:
        """Show what the data folder has: jobs that an earlier kernel left running, the newest clips, what was spent."""
        for job in reversed(await asyncio.to_thread(self._client.jobs, state=UNFINISHED, limit=None)):
            self._track(job)
        done = await asyncio.to_thread(self._client.jobs, state="done", limit=CLIPS_SAVED)
        self._older = tuple(self._client.clip(job) for job in done)
        self._remember_clips()
        if self.clip is None and self._older and not self._lines:
            self.clip = self._older[0]
        await self._sum_up()

    def _ipython_display_(self) -> None:
        self._take_place()
        show(self, "vidnb.Studio(): run the cell again to use the form.")
        self._saved.show(self.saved_html())

    def _take_place(self) -> None:
        """Close the studios that an earlier run of this cell made and showed, and no other cell: nobody sees them."""
        here = running_cell()
        self._shown_in.add(here and here[0])
        if here is not None:
            cell, run = here
            before, shown = _SHOWN.get(cell, (run, []))
            if before != run:
                for other in shown:
                    if other is not self and other._made_in == cell and other._shown_in == {cell}:
                        other.close()
                shown = []
            _SHOWN[cell] = (run, [*shown, self])

    def saved_html(self) -> str:
        """The newest clips as plain HTML: what a saved notebook shows without a kernel."""
        shown = list({clip.job.id: clip for clip in (*self.clips, *self._older)}.values())[:CLIPS_SAVED]
        html = "".join(clip_html(clip, preload="none") for clip in shown)
        return html or "<div>The clips of this studio will stand here.</div>"

    def close(self) -> None:
        """Take the studio and all its parts off the page; jobs that run go on, and the next studio shows them.

        Example:
            >>> studio.close()
        """
        with self._lock:
            if self.comm is None:
                return
            boxes = (self.jobs, *self.children)
            super().close()
            lines = (*self._lines.values(), *self._idle)
            for part in (*lines, self.picker, self.form, self.bar, self.player, self.recent, *boxes):
                part.close()
            for box in (*boxes, self):
                box.layout.close()  # a widget of its own, which ipywidgets leaves behind
            self._lines.clear()
            self._idle.clear()

    def _remember_clips(self) -> None:
        """Bring everything that offers the newest clips up to date."""
        self._saved.update(self.saved_html())
        self.form.clips = tuple({clip.job.id: clip for clip in (*self.clips, *self._older)}.values())

    # -- choosing ----------------------------------------------------------------------------------------------------

    @traitlets.validate("model")
    def _valid_model(self, proposal: Any) -> str:
        return catalog.find(proposal["value"]).id

    @traitlets.validate("budget_usd", "budget_credits")
    def _valid_budget(self, proposal: Any) -> float | None:
        return valid_cap(proposal)  # before the bar is told: a wrong cap must not take the place of a good one here

    @traitlets.validate("params")
    def _valid_params(self, proposal: Any) -> dict[str, Any]:
        if not isinstance(proposal["value"], _Followed):
            self.form.params = proposal["value"]
        return self.form.params

    @traitlets.observe("clip")
    def _clip_changed(self, change: Any) -> None:
        before, clip = change["old"], change["new"]
        if isinstance(before, Clip) and clip is not None and clip.job.id == before.job.id:  # it was rated, say
            return
        self._show_price()
        self.recent.point_at(clip)

    def _show_price(self) -> None:
        """Say on the player's buttons what one more clip of its recipe costs, once that was looked up."""
        self.player.price = ""
        if self.clip is not None:
            self._spawn(self._price_clip(self.clip))

    @traitlets.observe("model")
    def _model_changed(self, _: Any) -> None:
        entry = catalog.find(self.model)
        self.form.model = entry
        self.bar.quote = None
        self._price_anew()
        self.picker.about = [*self._about(entry), *({"text": text, "tone": "note"} for text in limits())]
        self._forget_notes()

    def _about(self, entry: Model) -> list[dict[str, str]]:
        """What one should know before pressing Generate: emulated, no key, retired, not confirmed."""
        said = []
        try:
            where = self._client.asynchronous.target(entry.provider)
            self._now_emulated(entry.provider, where.emulated)
            if where.in_process:
                said.append((f"No {where.provider.key_env}: the built-in emulator answers. {EMULATED}", "note"))
            elif where.emulated:
                said.append((f"An emulator on this machine answers. {EMULATED}", "note"))
        except VidnbError as error:
            said.append((str(error), "warn"))
        if entry.is_retired:
            instead = f", the vendor names {entry.replacement} instead" if entry.replacement else ""
            since = entry.retired_on or "some time"
            said.append((f"Out of service since {since}{instead}; only the emulator still plays it.", "warn"))
        if entry.status == "unconfirmed":
            said.append(("Seen in a list of the vendor only: its params are a guess.", "warn"))
        return [{"text": text, "tone": tone} for text, tone in said]

    def _now_emulated(self, provider: str, emulated: bool) -> None:
        """Remember what the page says of a provider; where there is a key now, take "free" off the player's buttons."""
        if emulated:
            self._said_emulated.add(provider)
        elif provider in self._said_emulated:
            self._said_emulated.discard(provider)
            self._show_price()

    def _form_changed(self, _: Any = None) -> None:
        # Without the lock: who observes `params` may call generate(), which waits for the loop, which takes the lock.
        self.params = _Followed(self.form.params)
        self._forget_notes()
        self._price_anew()

    def _forget_notes(self) -> None:
        self.bar.note = self.bar.ask = self.bar.problem = ""

    # -- what it costs -----------------------------------------------------------------------------------------------

    def _price_anew(self) -> None:
        """Look up what the form's values cost, once it is quiet; what an earlier look-up finds is void."""
        self._edits += 1
        self._spawn(self._look_up_price(self._edits))

    async def _look_up_price(self, edit: int) -> None:
        await asyncio.sleep(SETTLE_S)
        if edit == self._edits:
            filled = self.form.filled()
            quote = await asyncio.to_thread(self._quote, _Wanted(filled.model.id, filled.params))
            if edit == self._edits:
                self.bar.quote = quote

    def _quote(self, wanted: _Wanted) -> Quote:
        try:
            return self._client.quote(model=wanted.model, fresh=wanted.fresh, take=wanted.take, **wanted.values)
        except (VidnbError, TypeError) as error:
            return Quote(None, "unknown", str(error))

    async def _price_clip(self, clip: Clip) -> None:
        def look_up() -> Quote:
            try:
                return self._quote(once_more(clip))
            except VidnbError as error:  # an input's file is gone
                return Quote(None, "unknown", str(error))

        quote = await asyncio.to_thread(look_up)
        if self.clip is not None and self.clip.job.id == clip.job.id:
            self.player.price = price_words(quote)
            provider = catalog.find(clip.model).provider
            with suppress(VidnbError):  # only what draws the bar anew may take back what the bar says
                if self._client.asynchronous.target(provider).emulated:
                    self._said_emulated.add(provider)

    async def _sum_up(self) -> None:
        session = await asyncio.to_thread(self._client.spent, self._since)
        folder = await asyncio.to_thread(self._client.spent)
        self.bar.session, self.bar.folder = dict(session), dict(folder)

    def _check_budget(self, quote: Quote, anyway: bool) -> None:
        """Raise where the clip could take what is spent past the cap."""
        caps = {"USD": self.budget_usd, "CREDITS": self.budget_credits}
        if quote.cost is None:
            if not anyway:
                raise UnknownPriceError(
                    "Nobody knows the price of this clip before it is sent, so the cap cannot be promised to hold."
                )
            return
        cap = caps.get(quote.cost.unit)
        if cap is None and quote.cost.amount and not anyway:
            raise UnknownPriceError(f"This clip costs {quote.cost}, and the cap is in another unit: it does not hold.")
        spent = self._client.spent(self._since).get(quote.cost.unit, 0.0)
        spent += sum(cost.amount for cost in self._reserved.values() if cost.unit == quote.cost.unit)
        if cap is not None and quote.cost.amount and spent + quote.cost.amount > cap:
            raise BudgetError(
                f"Nothing was sent: {quote.cost} more would pass the cap of {Cost(cap, quote.cost.unit)}, "
                f"of which {Cost(spent, quote.cost.unit)} are spent or on their way. Raise the cap to go on."
            )

    def _check_emulated(self, model: str) -> None:
        """Raise where the page still says "emulated, free" and a key was set since, so that the clip would be paid."""
        provider = catalog.find(model).provider
        if provider in self._said_emulated and not self._client.asynchronous.target(provider).emulated:
            self._now_emulated(provider, False)
            self._model_changed(None)
            self._form_changed()
            raise BudgetError("Nothing was sent: there is a key now, so clips cost money. See the price, then go on.")

    @asynccontextmanager
    async def _within_budget(self, wanted: _Wanted, anyway: bool) -> AsyncIterator[list[Job]]:
        """A list for the job that is made in the block; its cost is set aside until its row counts.

        Raises:
            BudgetError: the cap would be passed.
            UnknownPriceError: nobody can tell, and `anyway` is not given.
        """
        token, made = object(), list[Job]()
        if self.budget_usd is not None or self.budget_credits is not None:
            quote = await asyncio.to_thread(self._quote, wanted)
            self._check_budget(quote, anyway)
            if quote.cost is not None:
                self._reserved[token] = quote.cost  # no await since the check: two clicks cannot both pass it
        try:
            yield made
        finally:
            if made and not self._counts(made[0]):
                self._spawn(self._release_when_sent(token, made[0]))
            else:
                self._reserved.pop(token, None)

    def _counts(self, job: Job) -> bool:
        """Whether the job is among what was spent here: one of an earlier kernel is only once it is sent."""
        return (job.submitted_at or job.created_at) >= self._since

    async def _release_when_sent(self, token: object, job: Job) -> None:
        client = self._client.asynchronous
        try:
            while client.drives(job) and client.job(job).state is State.INTENDED:  # noqa: ASYNC110  # the rows tell
                await asyncio.sleep(LOOK_S)
        finally:
            self._reserved.pop(token, None)

    # -- generating --------------------------------------------------------------------------------------------------

    def generate(self, *, fresh: bool = False) -> Job:
        """The job for the form's values, on its way; its clip comes by itself.

        Args:
            fresh: make the next take, whatever exists.

        Raises:
            ParamsError: values that the model does not take; the form shows them, nothing was sent.
            BudgetError: the cap would be passed, or a key was set since the studio said "free"; nothing was sent.

        Example:
            >>> studio.params = {"prompt": "a koala in a meadow"}
            >>> job = studio.generate()
        """
        filled = self.form.filled()
        return _bridge.run_sync(self._submit(_Wanted(filled.model.id, filled.params, fresh)))

    def remix(self, clip: Clip) -> None:
        """Take a clip's recipe up in the form; a locked seed stays.

        Example:
            >>> studio.remix(vidnb.clip("3f2a91c0"))
        """
        self.model = clip.model
        self.form.take_up(clip.request)

    def vary(self, clip: Clip) -> Job:
        """The job for a clip's recipe with another seed, or for its next take where the model has no seed."""
        return _bridge.run_sync(self._again(varied(clip)))

    def next_take(self, clip: Clip) -> Job:
        """The job for a clip's recipe once more."""
        return _bridge.run_sync(self._again(once_more(clip)))

    async def _again(self, wanted: _Wanted) -> Job:
        """The job for these values, which the form shows from now on, whatever somebody types into it meanwhile."""
        self._check_emulated(wanted.model)  # before the switch, which takes back what the page said

        def show() -> None:
            self.model = wanted.model
            self.params = dict(wanted.values)

        await asyncio.to_thread(show)  # who observes may call a verb, which waits for the loop that this runs on
        return await self._submit(wanted)

    def _clicked(self, fresh: bool, anyway: bool, filled: Filled) -> None:
        """Start a job and return at once; callbacks come on any thread, and none may wait."""
        asked, self._asked = self._asked, None
        if anyway and asked is not None and self.bar.ask:  # a value that came with the click takes the question back
            self._spawn(asked())
        elif anyway and not self._asked_of_form:
            self.bar.note = "Nothing was sent: that question was not about what the form shows."
        else:
            self._spawn(self._submit(_Wanted(filled.model.id, filled.params, fresh)))

    def _spawn(self, work: Any) -> None:
        """Run a coroutine that nobody awaits; what goes wrong is shown on the bar, and wrong values in the form."""

        async def shown() -> None:
            try:
                await work
            except ParamsError:
                pass  # the form shows them
            except UnknownPriceError as error:
                self.bar.ask = str(error)
            except BudgetError as error:
                self.bar.problem = str(error)
            except Exception as error:  # noqa: BLE001  nobody reads the kernel's log
                self.bar.problem = f"{type(error).__name__}: {error}"

        _bridge.spawn(shown())

    async def _submit(self, wanted: _Wanted, anyway: bool = False) -> Job:
        self._forget_notes()
        self._picked = False  # a new wish: its clip may come into the player
        begun = datetime.now(UTC)
        try:
            self._check_names(wanted)
            self._check_emulated(wanted.model)
            async with self._within_budget(wanted, anyway) as made:
                job = await self._client.asynchronous.submit(
                    model=wanted.model, fresh=wanted.fresh, take=wanted.take, **wanted.values
                )
                made.append(job)
        except UnknownPriceError:
            self._ask_about(lambda: self._submit(wanted, anyway=True), of_form=True)
            raise
        except ParamsError as error:
            self.form.show_problems(error.problems)
            named = ", ".join(dict.fromkeys(problem.field for problem in error.problems))
            self.bar.note = f"Nothing was sent, see the form: {named}."
            raise
        self.form.show_problems([])
        self._spawn(self._sum_up())
        self._track(job, job.created_at < begun)
        return job

    def _ask_about(self, go_on: Callable[[], Coroutine[Any, Any, Any]], *, of_form: bool) -> None:
        """Remember what "Generate anyway" is to do, and whether it sends what the form shows."""
        self._asked, self._asked_of_form = go_on, of_form

    def _check_names(self, wanted: _Wanted) -> None:
        """Raise where the form was given an argument of `submit` that is no param."""
        if clash := WAYS.keys() & wanted.values:
            problems = [Problem(name, wanted.values[name], "it is no param", WAYS[name]) for name in sorted(clash)]
            raise ParamsError(wanted.model, problems)

    def _track(self, job: Job, known: bool = False) -> None:
        """Show a job's line and, for a recipe that was made before, say so.

        Args:
            job: to follow.
            known: whether it was there before it was asked for.
        """
        with self._lock:
            if self.comm is None:  # closed meanwhile: the job goes on without a line
                return
            if known:
                where = "its clip is in the player" if job.state is State.DONE else "its job is in the list"
                self.bar.note = f"This recipe was made before: {where}. Next take makes another."
            if job.state is State.DONE:
                self._ended(job)
            elif job.id not in self._lines:
                line = self._lines[job.id] = self._line(job)
                if line.job.is_terminal and not line.waiting:  # it ended a moment before its line began
                    self._ended(line.job)
            else:
                self._lines[job.id].follow()
            self._draw_jobs()

    def _line(self, job: Job) -> Progress:
        """A line for a job; one that is no longer needed is used again, as a page never frees the code of a widget."""
        # What an earlier kernel never sent is sent on a person's word only: it costs money, and no cap knew it.
        follow = job.state is not State.INTENDED or self._client.asynchronous.drives(job)
        if self._idle and follow:
            line = self._idle.pop()
            line.job = job
            return line
        line = Progress(job, self._client, on_end=self._ended, follow=follow)
        line.on_send(lambda job: self._spawn(self._for_line(job, self._send_unsent(job))))
        line.on_retry(lambda job: self._spawn(self._for_line(job, self._send_again(job))))
        line.on_dismiss(self._forget)
        return line

    def _ended(self, job: Job) -> None:
        """A job is at its end: its clip goes into the player, its line away if there is nothing more to say."""
        if job.state is State.DONE:
            clip = self._client.clip(job)
            with self._lock:
                self.clips = (clip, *(other for other in self.clips if other.job.id != job.id))
            self._forget(job)
            self._remember_clips()  # first, so that whoever sees the clip and saves has it in the notebook
            self.recent.add(clip)
            with self._lock:  # with the check, as `_let_go` may be on its way
                waits = self.player.engaged and not self._picked
                self._waiting = clip if waits else None
                if waits:
                    self.bar.note = WAITING
            if not waits and not self._picked:
                self._play(clip)
        self._spawn(self._sum_up())
        self._price_anew()

    def _play(self, clip: Clip) -> None:
        """Show a clip that has just come."""
        self.player.autoplay = True
        self.clip = clip

    def _let_go(self, change: Any) -> None:
        """Nobody is busy with the clip in the player any more: the one that came meanwhile may follow."""
        if change["new"]:
            return
        with self._lock:
            clip, self._waiting = self._waiting, None
        if clip is not None:
            self.bar.note = "" if self.bar.note == WAITING else self.bar.note
            self._play(clip)

    async def _for_line(self, job: Job, work: Coroutine[Any, Any, Any]) -> None:
        """Do what was asked for on a job's line, and say there why it was not done."""
        try:
            await work
        except Exception as error:
            line = self._lines.get(job.id)
            if line is not None:
                line.problem = in_words(error)
            if isinstance(error, UnknownPriceError):  # the bar asks
                raise UnknownPriceError(f"Job {job.id[:8]}: {error}") from error
            if line is None:
                raise

    async def _send_again(self, job: Job, anyway: bool = False) -> None:
        """Send a failed job's recipe again; a failed job leaves its take free."""
        self._check_still_emulated(job)
        values = await asyncio.to_thread(self._client.request, job)
        try:
            await self._submit(_Wanted(job.model, values, take=job.take), anyway)
        except UnknownPriceError:
            self._ask_about(lambda: self._for_line(job, self._send_again(job, anyway=True)), of_form=False)
            raise
        self._forget(job)

    async def _send_unsent(self, job: Job, anyway: bool = False) -> None:
        """Send a job that was written down and never sent, by an earlier kernel most likely."""
        self._forget_notes()
        line = self._lines[job.id]
        if job.emulated or self._counts(job):  # it costs nothing, or counts as spent since it was made
            line.follow()
            return
        values = await asyncio.to_thread(self._client.request, job)
        try:
            async with self._within_budget(_Wanted(job.model, values, take=job.take), anyway) as made:
                line.follow()
                made.append(job)
        except UnknownPriceError:
            self._ask_about(lambda: self._for_line(job, self._send_unsent(job, anyway=True)), of_form=False)
            raise

    def _check_still_emulated(self, job: Job) -> None:
        """Raise where a job was emulated, and would be paid for now."""
        if job.emulated and not self._client.asynchronous.target(job.provider).emulated:
            raise BudgetError(
                "Nothing was sent: that job was emulated, and there is a key now, so it would cost money."
            )

    def _forget(self, job: Job) -> None:
        """Take a job's line away."""
        with self._lock:
            if job.id in self._lines:
                self._idle.append(self._lines.pop(job.id))
            self._draw_jobs()

    def _draw_jobs(self) -> None:
        newest = list(reversed(self._lines.values()))
        oldest = [line for line in newest if line.job.is_terminal][JOBS_SHOWN:]
        self.jobs.children = [line for line in newest if line not in oldest]
        for line in oldest:
            self._idle.append(self._lines.pop(line.job.id))

    # -- going on from a clip ----------------------------------------------------------------------------------------

    def _picked_recent(self, change: Any) -> None:
        if change["new"] is not None:
            self._picked, self._waiting = True, None
            self.bar.note = "" if self.bar.note == WAITING else self.bar.note
            self.player.autoplay = False
            self.clip = change["new"]

    def _annotated(self, change: Any) -> None:
        """What was said of a clip goes wherever the clip is shown."""
        new: Clip = change["new"]
        with self._lock:
            self.clips = tuple(new if one.job.id == new.job.id else one for one in self.clips)
            self._older = tuple(new if one.job.id == new.job.id else one for one in self._older)
        self._remember_clips()
        self.recent.add(new)

    def _offer_frames(self, _: Any = None) -> None:
        """Let the player offer its frames only as what the form's model takes."""
        found = {name: lacking(self.form.model, param) for name, param in FRAME_PARAMS.items()}
        self.player.unavailable = {name: why for name, why in found.items() if why}

    def _acted(self, pressed: Pressed) -> None:
        """A button of the player was pressed."""
        self._spawn(self._act(pressed))

    async def _act(self, pressed: Pressed) -> None:
        if pressed.name in FRAME_PARAMS:
            await self._take_frame(pressed, FRAME_PARAMS[pressed.name])
        elif pressed.name == "remix":
            await asyncio.to_thread(self.remix, pressed.clip)
            self.bar.note = "The recipe of the clip is in the form now."
        elif pressed.name == "vary":
            await self._again(varied(pressed.clip))
        else:
            await self._again(once_more(pressed.clip))

    async def _take_frame(self, pressed: Pressed, param: str) -> None:
        why = lacking(self.form.model, param)  # the model may have changed on the way here
        if why:
            self.bar.note = why
            return
        frame = await asyncio.to_thread(lambda: pressed.frame)
        self.form.name_input(frame, f"frame at {pressed.time_s:.2f} s of job {pressed.clip.job.id[:8]}")
        self.params = {**self.params, param: frame}
        self.bar.note = f"The frame is the {param.replace('_', ' ')} now."


def once_more(clip: Clip) -> _Wanted:
    """The next take of a clip's recipe."""
    return _Wanted(clip.model, clip.request, fresh=True)


def varied(clip: Clip) -> _Wanted:
    """A clip's recipe with another seed, or its next take where the model has no seed."""
    seed = catalog.find(clip.model).params.get("seed")
    if seed is None:
        return once_more(clip)
    low, high = int(seed.min or 0), int(seed.max if seed.max is not None else 2**31 - 1)
    return _Wanted(clip.model, {**clip.request, "seed": random.randint(max(low, 0), high)})


def lacking(model: Model, param: str) -> str:
    """Why a model has no use for an input, and which models do; "" where it has."""
    if param in model.params:
        return ""
    known = catalog.load()
    titles = list(dict.fromkeys(known[model_id].title for model_id in known.having(param)))
    more = f" and {len(titles) - MODELS_NAMED} more" if len(titles) > MODELS_NAMED else ""
    named = f" These do: {', '.join(titles[:MODELS_NAMED])}{more}." if titles else ""
    return f"{model.title} takes no {param.replace('_', ' ')}.{named}"
