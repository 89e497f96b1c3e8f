"""The studio: pick a model, fill in its form, press Generate, and go on from the clips that come in.

The widgets are the live part. Behind them stands an output of plain HTML with the newest clips, hidden while the studio
is alive: what a notebook saves and shows again without a kernel.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets
import traitlets

from vidnb import catalog
from vidnb.catalog import DEFAULT_MODEL, words
from vidnb.client import loop
from vidnb.clip import Clip
from vidnb.display import clip_html
from vidnb.display.host import shortcomings
from vidnb.display.labels import many
from vidnb.errors import BudgetError, ParamsError, UnknownPriceError
from vidnb.records import TERMINAL, Job, State
from vidnb.widgets import about
from vidnb.widgets.cells import ShownCells
from vidnb.widgets.clients import AnyClient, core
from vidnb.widgets.form import Filled, Form
from vidnb.widgets.generate import GenerateBar, valid_cap
from vidnb.widgets.lines import JobLines
from vidnb.widgets.live import SavedOutput, in_words, kept_equal, show
from vidnb.widgets.news import news_of
from vidnb.widgets.picker import ModelPicker
from vidnb.widgets.player import Player, Pressed
from vidnb.widgets.prices import Prices
from vidnb.widgets.purse import PurseCaps
from vidnb.widgets.recent import Recent
from vidnb.widgets.showing import Showing
from vidnb.widgets.stage import Stage
from vidnb.widgets.wanted import Wanted, once_more, varied

CLIPS_SAVED = 6
FRAME_PARAMS = {"start_frame": "start_image", "end_frame": "end_image"}
UNFINISHED = [state for state in State if state not in TERMINAL]


class _Followed(dict[str, Any]):
    """What the form gives to `Studio.params`; any other dict is assigned by a program."""


class Studio(widgets.VBox):
    """A place to work: model, form, Generate with its price, the jobs on their way, a player and the recent clips.

    Args:
        model: id of the model to begin with.
        client: whose data folder and keys; default the one behind `vidnb.generate`.
        params: values to start with.
        budget_usd: the most that may be spent from the purse, in US dollars; Generate refuses to pass it.
        budget_credits: the same in credits, for each service that charges them.
        purse: name of the purse that the studio pays from. Its cap and what was spent stand in the data folder, so that
            they hold in every kernel; `vidnb.budget()` shows them.

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
        client: AnyClient | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        budget_usd: float | None = None,
        budget_credits: float | None = None,
        purse: str = "studio",
    ) -> None:
        self.purse = purse
        self._client = core(client)
        self._lock = threading.RLock()
        self._older: tuple[Clip, ...] = ()
        self._asked: Callable[[], Coroutine[Any, Any, Any]] | None = None
        self._asked_of_form = True
        self._cells = ShownCells(self)
        entry = catalog.find(model)
        self.picker = ModelPicker(entry.id)
        self._saved = SavedOutput(self.picker)
        self.form = Form(entry, params)
        self.bar = GenerateBar(self._clicked, self.form)
        self.picker._form = self.form._id
        self.jobs = JobLines(self._client, self._ended, self._send_pressed, self._retry_pressed)
        self.player = Player(client=self._client)
        self.recent = Recent(client=self._client)
        self._showing = Showing(self.player, self.bar)
        self._prices = Prices(self._client, self._next, self.bar, self.player, self._spawn)
        going = widgets.VBox([self.bar, self.jobs])  # what stays in view while one scrolls in the form
        left, right = (
            widgets.VBox([self.picker, self.form, going]),  # above the player the jobs would push it about
            widgets.VBox([self.player, self.recent]),
        )
        self._stage = Stage(right, self.player, self._client, self._annotated)
        super().__init__([left, right])
        self._caps = PurseCaps(self._client, purse, self)
        for box, name in ((self, "studio"), (left, "desk"), (right, "results"), (going, "going"), (self.jobs, "jobs")):
            box.add_class("vidnb")
            box.add_class(f"vidnb-{name}")
        self.model = entry.id
        self._connect()
        self.budget_usd, self.budget_credits = budget_usd, budget_credits
        self._form_changed()
        news_of(self._client).listen(self._heard)
        news_of(self._client).listen_to_trash(self._trash_changed)
        self._spawn(self._begin())

    def __repr__(self) -> str:
        return f"<Studio: {self.model}, {many(len(self.clips), 'clip')}; .clip is the shown one>"

    def _connect(self) -> None:
        """Let the parts hear of one another."""
        kept_equal(self, self.picker, "model")
        kept_equal(self, self.player, "clip")
        kept_equal(self, self.bar, "budget_usd")
        kept_equal(self, self.bar, "budget_credits")
        self.form.observe(self._form_changed, "params")
        self.bar.observe(self._count_changed, "count")
        self.form.observe(lambda change: setattr(self, "model", change["new"].id), "model")
        self.form.on_submit(lambda filled: self._clicked(False, False, filled))
        self.player.on_action(self._acted)
        self.player.observe(self._annotated, "annotated")
        self.form.observe(self._offer_frames, "model")
        self._offer_frames()
        self.recent.observe(self._picked_recent, "clip")
        self.recent.on_compare(self._stage.compare)

    async def _begin(self) -> None:
        """Show what the data folder has: jobs that an earlier kernel left running, the newest clips, what was spent."""
        for job in reversed(await asyncio.to_thread(self._client.jobs, state=UNFINISHED, limit=None)):
            self._track(job)
        await self._read_older()
        if self.clip is None and self._older and not len(self.jobs):
            self.clip = self._older[0]
        await asyncio.to_thread(self._caps.bring_up_to_date)
        await self._prices.sum_up()

    async def _read_older(self) -> None:
        """Offer the newest clips of the folder, whoever made them."""
        done = await asyncio.to_thread(self._client.jobs, state="done", limit=CLIPS_SAVED)
        self._older = tuple(self._client.clip(job) for job in done)
        self._remember_clips()

    def _ipython_display_(self) -> None:
        self._cells.claim()
        show(self, "vidnb.Studio(): run the cell again to use the form.")
        self._saved.show(self.saved_html())

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
        if self.comm is None:
            return
        self._stage.close()
        news_of(self._client).leave(self._heard, self._trash_changed)
        boxes = (self.jobs, self.children[0].children[-1], *self.children)
        super().close()
        for part in (*boxes, self.picker, self.form, self.bar, self.player, self.recent):
            part.close()
        for box in (*boxes, self):
            box.layout.close()  # a widget of its own, which ipywidgets leaves behind

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
        self._prices.look_up_clip(clip)
        self.recent.point_at(clip)

    @traitlets.observe("model")
    def _model_changed(self, _: Any) -> None:
        entry = catalog.find(self.model)
        self.form.model = entry
        self.bar.quote = None
        self._prices.look_up()
        self._say_about()
        self._forget_notes()

    def _say_about(self) -> None:
        """Say what one should know before pressing Generate: emulated, no key, retired, not confirmed."""
        entry = catalog.find(self.model)
        service = about.service_line(self._client, entry)
        if service is None or service[1] == "note":
            self._prices.tell(entry.provider, service is not None)
        lines = [*([service] if service else []), *about.model_lines(entry)]
        lines += [(text, "note") for text in shortcomings()]
        self.picker.about = [{"text": text, "tone": tone} for text, tone in lines]

    def _form_changed(self, _: Any = None) -> None:
        # Without the lock: who observes `params` may call generate(), which waits for the loop, which takes the lock.
        self.params = _Followed(self.form.params)
        self.bar.makes = self._pressed().makes(self.bar.count)
        self._forget_notes()
        self._prices.look_up()

    def _count_changed(self, _: Any) -> None:
        self.bar.quote = None  # it was that of another number
        self._form_changed()

    def _forget_notes(self) -> None:
        self.bar.note = self.bar.ask = self.bar.problem = ""

    # -- what it costs -----------------------------------------------------------------------------------------------

    @traitlets.observe("budget_usd", "budget_credits")
    def _cap_changed(self, _: Any) -> None:
        if self._caps.is_read:  # before, `_begin` writes them
            self._spawn(asyncio.to_thread(self._caps.bring_up_to_date))

    def _check_emulated(self, model: str) -> None:
        """Raise where the page still says "emulated, free" and a key was set since, so that the clip would be paid."""
        if self._prices.would_pay_unawares(model):
            self._prices.tell(catalog.find(model).provider, False)
            self._model_changed(None)
            self._form_changed()
            raise BudgetError("Nothing was sent: there is a key now, so clips cost money. See the price, then go on.")

    def _pressed(self) -> Wanted:
        """Return what a press on Generate would ask for now."""
        return Wanted.pressed(self.form.filled())

    def _next(self) -> list[Wanted]:
        """Return all that a press on Generate would send now."""
        return self._pressed().several(self.bar.count)

    # -- generating --------------------------------------------------------------------------------------------------

    def generate(self, *, fresh: bool = False) -> Job:
        """The job for the form's values, on its way; its clip comes by itself.

        As everywhere in code, the same recipe is the same job, at no cost: a cell that is run again pays nothing. A
        press on Generate with an open seed makes a new clip each time.

        Args:
            fresh: make the next take, whatever exists.

        Raises:
            ParamsError: values that the model does not take; the form shows them, nothing was sent.
            BudgetError: the cap would be passed, or a key was set since the studio said "free"; nothing was sent.

        Example:
            >>> studio.params = {"prompt": "a koala in a meadow"}
            >>> job = studio.generate()
        """
        return loop.run_sync(self._submit(replace(self._pressed(), fresh=fresh)))

    def remix(self, clip: Clip) -> None:
        """Take a clip's recipe up in the form; a locked seed stays.

        Example:
            >>> studio.remix(vidnb.clip("3f2a91c0"))
        """
        self.model = clip.model
        self.form.take_up(clip.request)

    def vary(self, clip: Clip) -> Job:
        """The job for a clip's recipe with another seed, or for its next take where the model has no seed."""
        return loop.run_sync(self._again(varied(clip)))

    def next_take(self, clip: Clip) -> Job:
        """The job for a clip's recipe once more."""
        return loop.run_sync(self._again(once_more(clip)))

    async def _again(self, wanted: Wanted) -> Job:
        """The job for these values, which the form shows from now on, whatever somebody types into it meanwhile."""
        self._check_emulated(wanted.model)  # before the switch, which takes back what the page said

        def show() -> None:
            self.model = wanted.model
            self.form.take_up(wanted.values)  # a locked seed stays in the form, not in the job

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
            wanted = Wanted.pressed(filled)
            self._spawn(self._submit(*(replace(wanted, fresh=True) if fresh else wanted).several(self.bar.count)))

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

        loop.spawn(shown())

    async def _submit(self, *wanted: Wanted, anyway: bool = False) -> Job:
        """Send these one after the other, and return the last one's job; what is refused stops those after it."""
        self._forget_notes()
        self._showing.expect()
        for at, one in enumerate(wanted):
            begun = self._client.store.utc()
            try:
                one.check()
                self._check_emulated(one.model)
                await asyncio.to_thread(self._caps.bring_up_to_date)
                job = await self._client.submit(
                    model=one.model, fresh=one.fresh, take=one.take, purse=self.purse,
                    accept_unknown_price=anyway, **one.values,
                )  # fmt: skip
            except UnknownPriceError:
                left = wanted[at:]
                self._ask_about(partial(self._submit, *left, anyway=True), of_form=True)
                raise
            except BudgetError as error:
                if at:
                    raise BudgetError(f"{at} of {len(wanted)} clips were sent, and no more. {error}") from error
                raise
            except ParamsError as error:
                self.form.show_problems(error.problems)
                named = ", ".join(dict.fromkeys(words.param(problem.field) for problem in error.problems))
                self.bar.note = f"Nothing was sent, see the form: {named}."
                raise
            self._track(job, job.created_at < begun)
        self.form.show_problems([])
        self._spawn(self._prices.sum_up())
        return job

    def _ask_about(self, go_on: Callable[[], Coroutine[Any, Any, Any]], *, of_form: bool) -> None:
        """Remember what "Generate anyway" is to do, and whether it sends what the form shows."""
        self._asked, self._asked_of_form = go_on, of_form

    def _track(self, job: Job, known: bool = False) -> None:
        """Show a job's line and, for a recipe that was made before, say so.

        Args:
            job: to follow.
            known: whether it was there before it was asked for.
        """
        if self.comm is None:  # closed meanwhile: the job goes on without a line
            return
        if known:
            where = "its clip is in the player" if job.state is State.DONE else "its job is in the list"
            self.bar.note = f"This recipe was made before: {where}. Next take makes another."
        if job.state is State.DONE:
            self._ended(job)
        else:
            self.jobs.track(job)

    def _ended(self, job: Job) -> None:
        """A job is at its end: its clip goes into the player, its line away if there is nothing more to say."""
        if job.state is State.DONE:
            clip = self._client.clip(job)
            with self._lock:
                self.clips = (clip, *(other for other in self.clips if other.job.id != job.id))
            self.jobs.forget(job)
            self._remember_clips()  # first, so that whoever sees the clip and saves has it in the notebook
            self.recent.add(clip)
            self._showing.arrived(clip)
        self._spawn(self._prices.sum_up())
        self._prices.look_up()

    def _send_pressed(self, job: Job) -> None:
        self._spawn(self._for_line(job, self._send_unsent(job)))

    def _retry_pressed(self, job: Job) -> None:
        self._spawn(self._for_line(job, self._make_anew(job)))

    async def _for_line(self, job: Job, work: Coroutine[Any, Any, Any]) -> None:
        """Do what was asked for on a job's line, and say there why it was not done."""
        try:
            await work
        except Exception as error:
            line = self.jobs.get(job)
            if line is not None:
                line.problem = in_words(error)
            if isinstance(error, UnknownPriceError):  # the bar asks
                raise UnknownPriceError(f"Job {job.id[:8]}: {error}") from error
            if line is None:
                raise

    async def _make_anew(self, job: Job, anyway: bool = False) -> None:
        """Send a failed job's recipe again; a failed job leaves its take free."""
        self._prices.check_still_emulated(job)
        values = await asyncio.to_thread(self._client.request, job)
        try:
            await self._submit(Wanted(job.model, values, take=job.take), anyway=anyway)
        except UnknownPriceError:
            self._ask_about(lambda: self._for_line(job, self._make_anew(job, anyway=True)), of_form=False)
            raise
        self.jobs.forget(job)

    async def _send_unsent(self, job: Job, anyway: bool = False) -> None:
        """Send a job that was written down and never sent, by an earlier kernel most likely."""
        self._forget_notes()
        try:
            await asyncio.to_thread(self._client.ledger.ensure, job, accepted=anyway)
            self.jobs.track(job)
        except UnknownPriceError:
            self._ask_about(lambda: self._for_line(job, self._send_unsent(job, anyway=True)), of_form=False)
            raise

    # -- going on from a clip ----------------------------------------------------------------------------------------

    def _picked_recent(self, change: Any) -> None:
        if change["new"] is not None:
            self._stage.back()
            self._showing.picked(change["new"])

    def _annotated(self, change: Any) -> None:
        """What was said of a clip goes wherever the clip is shown."""
        new: Clip = change["new"]
        with self._lock:
            self.clips = tuple(new if one.job.id == new.job.id else one for one in self.clips)
            self._older = tuple(new if one.job.id == new.job.id else one for one in self._older)
        self._remember_clips()
        self.recent.add(new)

    def _heard(self, clip: Clip) -> None:
        """Another studio, cell or kernel made a clip, or said something of one: offer it, too."""
        with self._lock:
            known = {one.job.id: one.job for one in (*self.clips, *self._older)}
            if (job := known.get(clip.job.id)) is not None and _said_of(job) == _said_of(clip.job):
                return  # it was made here
            self.clips = tuple(clip if one.job.id == clip.job.id else one for one in self.clips)
            older = tuple(clip if one.job.id == clip.job.id else one for one in self._older)
            self._older = older if clip.job.id in known else (clip, *older)
        if self.clip is None and not len(self.jobs):
            self.clip = clip  # as at the beginning: an empty player shows the newest clip of the folder
        elif self.clip is not None and self.clip.job.id == clip.job.id:
            self.clip = clip
        self._remember_clips()

    def _trash_changed(self, trash: frozenset[str]) -> None:
        """Clips were put into the trash or taken out of it: those in it are offered no more, nor shown."""
        with self._lock:
            self.clips = tuple(clip for clip in self.clips if clip.job.id not in trash)
        self._spawn(self._leave_trash(trash))

    async def _leave_trash(self, trash: frozenset[str]) -> None:
        await self._read_older()
        if self.clip is not None and self.clip.job.id in trash and not self.player.engaged:
            self.clip = next(iter((*self.clips, *self._older)), None)

    def _offer_frames(self, _: Any = None) -> None:
        """Let the player offer its frames only as what the form's model takes."""
        found = {name: words.lacking(catalog.load(), self.form.model, param) for name, param in FRAME_PARAMS.items()}
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
        why = words.lacking(catalog.load(), self.form.model, param)  # the model may have changed on the way here
        if why:
            self.bar.note = why
            return
        frame = await asyncio.to_thread(lambda: pressed.frame)
        self.form.name_input(frame, f"frame at {pressed.time_s:.2f} s of job {pressed.clip.job.id[:8]}")
        self.params = {**self.params, param: frame}
        self.bar.note = f"The frame is the {words.param(param)} now."


def _said_of(job: Job) -> tuple[int | None, tuple[str, ...], str]:
    """What a person said of a clip: all of a finished job that can still change."""
    return job.rating, tuple(job.tags), job.note
