"""The studio: pick a model, fill in its form, press Generate, and watch the clips come in below.

The widget is the live part. The clips stand in an output of their own below it, as plain HTML behind a display handle:
what a notebook saves and shows again without a kernel.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import ipywidgets as widgets
import traitlets

from vidnb import _bridge, catalog, providers
from vidnb.catalog import DEFAULT_MODEL, Model
from vidnb.display import clip_html
from vidnb.errors import ParamsError, VidnbError
from vidnb.records import Job, State
from vidnb.verbs import Client, default_client
from vidnb.widgets.fields import close_all, tell
from vidnb.widgets.form import Form, style
from vidnb.widgets.progress import Progress

CLIPS_SHOWN = 6
JOBS_SHOWN = 8
"""Lines of jobs; those that still run stay whatever their number."""
EMULATED = "Its clips cost nothing and say EMULATED."
NOTHING_YET = '<div style="font-size:13px;opacity:.72">Clips appear here.</div>'


class Studio(widgets.VBox):
    """A place to work: model, form, Generate, the jobs on their way, and the newest clips below.

    Args:
        model: id of the model to begin with.
        client: whose data folder and keys; default the one behind `vidnb.generate`.
        params: values to start with.

    Attributes:
        params: what the form holds; assign a dict to fill it.
        model: id of the chosen model; assign another to switch.
        clips: the clips of this studio, newest first.

    Example:
        >>> studio = vidnb.Studio("leonardo/motion_2.0")
        >>> studio.params = {"prompt": "a koala in a meadow", "seed": 7}
        >>> job = studio.generate()
    """

    model = traitlets.Unicode()
    params = traitlets.Dict()
    clips = traitlets.Tuple()

    def __init__(
        self, model: str = DEFAULT_MODEL, client: Client | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        self._client = client or default_client()
        self._lock = threading.RLock()
        self._lines: dict[str, Progress] = {}
        self._following = self._shown = False
        self._display_id = uuid.uuid4().hex
        entry = catalog.find(model)
        self.form = Form(entry, params)
        self._make_controls(entry)
        super().__init__(
            [style(), self._provider, self._model, self._about, self.form, self._actions, self._problem, self._jobs]
        )
        self.add_class("vidnb")
        self.add_class("vidnb-studio")
        self.model = entry.id
        self.form.observe(self._form_changed, "params")
        self._form_changed()

    def generate(self, *, fresh: bool = False) -> Job:
        """The job for what the form holds, on its way; its clip appears below.

        Args:
            fresh: make the next take, whatever exists.

        Raises:
            ParamsError: values that the model does not take; they are shown in the form too.
        """
        return _bridge.run_sync(self._submit(fresh))

    # -- the page ----------------------------------------------------------------------------------------------------

    def _make_controls(self, entry: Model) -> None:
        names = list(dict.fromkeys(model.provider for model in catalog.load().values()))
        titles = [(providers.get(name).title, name) for name in names]
        self._provider = widgets.Dropdown(options=titles, value=entry.provider, description="Provider")
        self._provider.tooltip = "Which service makes the clip."
        self._model = widgets.Dropdown(options=_models_of(entry), value=entry.id, description="Model")
        self._model.tooltip = "Models that the vendor took out of service stand last; the emulator still plays them."
        self._about = _line("vidnb-about")
        self._generate = widgets.Button(description="Generate", button_style="primary", tooltip="Make the clip")
        self._take = widgets.Button(description="New take", layout={"display": "none"})
        self._take.tooltip = "The same recipe once more: another job, paid for again"
        self._note = _line()
        self._problem = _line()
        self._actions = widgets.HBox([self._generate, self._take, self._note])
        self._actions.add_class("vidnb-actions")
        self._jobs = widgets.VBox()
        self._jobs.add_class("vidnb-jobs")
        self._provider.observe(self._provider_picked, "value")
        self._model.observe(lambda change: change["new"] and self.set_trait("model", change["new"]), "value")
        self._generate.on_click(lambda _: self._clicked(fresh=False))
        self._take.on_click(lambda _: self._clicked(fresh=True))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any] | None:
        bundle = super()._repr_mimebundle_(**options)
        return bundle and {**bundle, "text/plain": "vidnb.Studio(): run the cell again to use the form."}

    def _ipython_display_(self) -> None:
        """Show the widget and, below it, the output of its clips."""
        ipython: Any = import_module("IPython.display")  # carries no types
        ipython.display(self._repr_mimebundle_(), raw=True)
        ipython.display(ipython.HTML(self._clips_html()), display_id=self._display_id)
        self._shown = True

    def _clips_html(self) -> str:
        return "".join(clip_html(clip) for clip in self.clips[:CLIPS_SHOWN]) or NOTHING_YET

    def _show_clips(self) -> None:
        if self._shown:
            ipython: Any = import_module("IPython.display")
            ipython.update_display(ipython.HTML(self._clips_html()), display_id=self._display_id)

    # -- choosing ----------------------------------------------------------------------------------------------------

    def _provider_picked(self, change: Any) -> None:
        first = next(m for m in _sorted_models(change["new"]))
        if catalog.find(self.model).provider != change["new"]:
            self.model = first.id

    @traitlets.validate("model")
    def _valid_model(self, proposal: Any) -> str:
        return catalog.find(proposal["value"]).id

    @traitlets.validate("params")
    def _valid_params(self, proposal: Any) -> dict[str, Any]:
        if not self._following:
            self.form.params = proposal["value"]
        return self.form.params

    @traitlets.observe("model")
    def _model_changed(self, _: Any) -> None:
        entry = catalog.find(self.model)
        if self._model.value != entry.id:
            self._provider.value = entry.provider
            self._model.options = _models_of(entry)
            self._model.value = entry.id
        self.form.model = entry
        tell(self._about, self._about_model(entry), "hint")
        self._forget_notes()

    def _about_model(self, entry: Model) -> str:
        """What one should know before pressing Generate: emulated, no key, retired, not confirmed."""
        said = []
        try:
            where = self._client.asynchronous.target(entry.provider)
            if where.in_process:
                said.append(f"No {where.provider.key_env}: the built-in emulator answers. {EMULATED}")
            elif where.emulated:
                said.append(f"An emulator on this machine answers. {EMULATED}")
        except VidnbError as error:
            said.append(str(error))
        if entry.is_retired:
            instead = f", the vendor names {entry.replacement} instead" if entry.replacement else ""
            since = entry.retired_on or "some time"
            said.append(f"Out of service since {since}{instead}; only the emulator still plays it.")
        if entry.status == "unconfirmed":
            said.append("Seen in a list of the vendor only: its params are a guess.")
        return "\n".join(said)

    def _form_changed(self, _: Any = None) -> None:
        # Without the lock: who observes `params` may call generate(), which waits for the loop, which takes the lock.
        self._following = True
        try:
            self.params = self.form.params
        finally:
            self._following = False
        self._forget_notes()

    def _forget_notes(self) -> None:
        tell(self._note, "")
        tell(self._problem, "")
        self._take.layout.display = "none"

    # -- generating --------------------------------------------------------------------------------------------------

    def _clicked(self, fresh: bool) -> None:
        """Start a job and return at once; callbacks come on any thread, and none may wait."""
        _bridge.spawn(self._submit_clicked(fresh))

    async def _submit_clicked(self, fresh: bool) -> None:
        try:
            await self._submit(fresh)
        except ParamsError:
            pass  # the form shows them
        except Exception as error:  # noqa: BLE001  nobody awaits a click, so the page must say what happened
            tell(self._problem, f"{type(error).__name__}: {error}")

    async def _submit(self, fresh: bool) -> Job:
        self._forget_notes()
        values, begun = dict(self.form.params), datetime.now(UTC)
        try:
            job = await self._client.asynchronous.submit(model=self.model, fresh=fresh, **values)
        except ParamsError as error:
            self.form.show_problems(error.problems)
            named = ", ".join(dict.fromkeys(problem.field for problem in error.problems))
            tell(self._note, f"Nothing was sent, see above: {named}.")
            raise
        self.form.show_problems([])
        self._track(job, known=job.created_at < begun)
        return job

    def _track(self, job: Job, known: bool) -> None:
        """Show a job's line and, for a recipe that was made before, say so."""
        with self._lock:
            if known or job.id in self._lines:
                where = "its clip is shown first below" if job.state is State.DONE else "its job is in the list below"
                tell(self._note, f"This recipe was made before: {where}. New take makes another.", "note")
                self._take.layout.display = None
            if job.state is State.DONE:
                self._ended(job)
            elif job.id not in self._lines:
                self._lines[job.id] = Progress(job, self._client, on_end=self._ended)
            else:
                self._lines[job.id].follow()
            self._draw_jobs()

    def _ended(self, job: Job) -> None:
        """A job is at its end: its clip goes to the top, its line away if there is nothing more to say."""
        with self._lock:
            if job.state is State.DONE:
                clip = self._client.clip(job)
                self.clips = (clip, *(other for other in self.clips if other.job.id != job.id))
                ended = self._lines.pop(job.id, None)
                self._draw_jobs()
                self._show_clips()
                if ended is not None:
                    close_all(ended)

    def _draw_jobs(self) -> None:
        newest = list(reversed(self._lines.values()))
        oldest = [line for line in newest if line.job.is_terminal][JOBS_SHOWN:]
        self._jobs.children = [line for line in newest if line not in oldest]
        for line in oldest:
            del self._lines[line.job.id]
            close_all(line)


def _sorted_models(provider: str) -> list[Model]:
    """A provider's models: active ones first, those out of service last."""
    order = {"active": 0, "unconfirmed": 1, "retired": 2}
    return sorted((m for m in catalog.load().values() if m.provider == provider), key=lambda m: order[m.status])


def _models_of(entry: Model) -> list[tuple[str, str]]:
    mark = {"active": "", "unconfirmed": " (unconfirmed)", "retired": " (retired)"}
    return [(f"{model.title} · {model.name}{mark[model.status]}", model.id) for model in _sorted_models(entry.provider)]


def _line(name: str = "") -> widgets.HTML:
    line = widgets.HTML(layout={"display": "none"})
    if name:
        line.add_class(name)
    return line
