"""The form of one model: a field for each of its params, the basics first, the rest folded away.

The page draws and moves everything by itself, so that it works while the kernel is busy; here are the values. Both
sides hold them without overwriting one another: what code sets gets a higher number (`_given`: field -> [number, JSON,
edit]), and an edit of the page names the number that it started from, so that one which comes too late is void.
"""

from __future__ import annotations

import asyncio
import io
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import traitlets

from vidnb import catalog
from vidnb import params as _params
from vidnb.catalog import DEFAULT_MODEL, Model
from vidnb.client.addresses import is_address
from vidnb.clip import Clip, recipe_in
from vidnb.display.page import card, facts, shortened
from vidnb.errors import MediaError, ParamsError, Problem, VidnbError
from vidnb.records import RemoteMedia
from vidnb.widgets import inputs as form_inputs
from vidnb.widgets.field_values import FieldValues, Values
from vidnb.widgets.fields import label_of, lacks_of
from vidnb.widgets.live import Live
from vidnb.widgets.page_values import from_page, to_page
from vidnb.widgets.snap import held

CLIPS_OFFERED = 24
SAVE_AFTER_S = 1.0
LATE = "The form was changed from elsewhere while you edited it; look at it before you go on."
UNREAD = "A file has not arrived whole yet. Wait for it, or choose it again."
NOT_SENT = "Nothing was sent: the form was still changing. Look at it, then press again."
LONGEST_SAVED = 300


class _Collected(dict[str, Any]):
    """What the form itself gives to `params`; any other dict is assigned by a program."""


@dataclass(frozen=True)
class Filled:
    """What a form held at one moment; no later edit reaches it.

    Attributes:
        model: the catalogue's entry.
        params: as `Form.params`.
    """

    model: Model
    params: Values


class Form(Live, part="form", main="params"):
    """A form for one model's params, made from the catalogue.

    An empty seed is open: vidnb draws one for each clip and keeps it. The dice picks one and shows it. With the lock
    (`seed_locked`) it stays when the recipe of a clip is taken up.

    Args:
        model: id of a model, as in `leonardo/motion_2.0`, or the catalogue's entry.
        params: values to start with.

    Attributes:
        params: what is given, by vidnb's names, defaults included; left out where nothing is. Assign a dict to fill the
            form; a name that the model does not have stays too, so that `problems()` can speak of it.
        model: the catalogue's entry. Assign another entry or id: values that it takes stay, what must change goes to
            the nearest and says so, and all comes back with the model before.
        clips: clips whose frames and seeds the form offers.
        seed_locked: True to keep the seed in `take_up`.

    Example:
        >>> form = vidnb.Form("leonardo/motion_2.0", {"prompt": "a koala in a meadow"})
        >>> form.observe(lambda change: print(change["new"]), "params")
        >>> form.on_submit(lambda filled: vidnb.submit(model=filled.model.id, **filled.params))    # Ctrl-Enter
        >>> vidnb.generate(model=form.model.id, **form.params)
    """

    params = traitlets.Dict()
    model = traitlets.Any()
    clips = traitlets.Tuple()
    seed_locked = traitlets.Bool(False).tag(sync=True)
    _id = traitlets.Unicode().tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _given = traitlets.Dict().tag(sync=True)
    _marks = traitlets.Dict().tag(sync=True)
    """Field name to what stands below it: text, tone (`problem` or `change`) and a number that tells marks apart."""
    _general: traitlets.List[str] = traitlets.List().tag(sync=True)
    _clips: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)

    def __init__(self, model: Model | str = DEFAULT_MODEL, params: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.RLock()
        self._version = self._mark_number = 0
        self._numbers: dict[str, int] = {}
        self._values = FieldValues(catalog.find(DEFAULT_MODEL))
        self._inputs = form_inputs.Inputs(self._frame_of)
        self._held_back: list[Values] = []
        self._early: dict[str, tuple[str, list[Any]]] = {}
        self._on_submit: list[Callable[[Filled], object]] = []
        self._is_shown = self._saving = False
        super().__init__(_id=uuid.uuid4().hex)
        self.model = model
        if params:
            self.params = dict(params)

    def _in_a_line(self) -> str:
        return f"{self.model.id}, params {self.params!r}"

    def problems(self) -> list[Problem]:
        """What is wrong with the values as they are now; empty when nothing is."""
        try:
            _params.validate(self.model, self.params)
        except ParamsError as error:
            return list(error.problems)
        return []

    def show_problems(self, problems: Iterable[Problem] | None = None) -> list[Problem]:
        """The problems, each now shown below its field (default: what `problems()` finds); none takes them away."""
        found = self.problems() if problems is None else list(problems)
        with self._lock:
            told: dict[str, list[str]] = {}
            general = []
            for problem in found:
                field = self._field_of(problem)
                general += [str(problem)] if field is None else []
                if field is not None:
                    told.setdefault(field, []).append(_problem_text(problem))
            changes = {name: mark for name, mark in self._marks.items() if mark["tone"] != "problem"}
            with self.hold_sync():
                self._marks = changes | {name: self._mark(" ".join(texts), "problem") for name, texts in told.items()}
                self._general = general
        wrong = [name for name in self._values.specs if name in told]
        if wrong:
            self.say("focus", {"field": wrong[0]})
        return found

    def on_submit(self, callback: Callable[[Filled], object], *, remove: bool = False) -> None:
        """Call `callback(filled)` when a person presses Ctrl-Enter (Cmd-Enter) in the form.

        Args:
            callback: called with `model` and `params` as they were on the page, which may have moved on since, on
                whatever thread the kernel chose; what it raises is shown in the form.
            remove: True to have it called no more.
        """
        if remove:
            self._on_submit.remove(callback)
        else:
            self._on_submit.append(callback)

    def filled(self) -> Filled:
        """Model and params of one moment, whatever other threads do with the form meanwhile."""
        with self._lock:
            return Filled(self._values.model, dict(self._collected()))

    def take_up(self, recipe: Mapping[str, Any]) -> None:
        """Fill the form with a recipe, as in `clip.request`; a locked seed stays.

        Example:
            >>> form.take_up(clip.request)
        """
        locked = {"seed": self.params["seed"]} if self.seed_locked and "seed" in self.params else {}
        self.params = {**recipe, **locked}

    def name_input(self, thing: Any, name: str) -> None:
        """Give a picture, clip or sound the name that the page shows. Call this before the value is set in a param.

        Example:
            >>> form.name_input(image, "my cat")
            >>> form.params = {**form.params, "start_image": image}
        """
        self._inputs.describe(thing, name)

    def saved_html(self) -> str:
        """The model and the values, as plain HTML."""
        shown = [(name, shortened(_short(value), LONGEST_SAVED)) for name, value in self.params.items()]
        return card("#8a8a8a", facts([("model", self.model.id), *shown]))

    # -- traits ------------------------------------------------------------------------------------------------------

    @traitlets.validate("model")
    def _valid_model(self, proposal: Any) -> Model:
        model = proposal["value"]
        return model if isinstance(model, Model) else catalog.find(model)

    @traitlets.observe("model")
    def _model_changed(self, change: Any) -> None:
        with self._lock:
            self._switch(change["new"])
        self._publish()

    @traitlets.validate("params")
    def _valid_params(self, proposal: Any) -> Values:
        """What the form makes of an assigned dict: with the defaults it shows, without None."""
        value = proposal["value"]
        if isinstance(value, _Collected):
            return dict(value)
        with self._lock, self.hold_sync():
            self._fill({name: item for name, item in value.items() if item is not None})
            return self._collected()

    @traitlets.observe("clips")
    def _clips_changed(self, _: Any) -> None:
        self._clips = [
            {
                "id": clip.job.id,
                "seed": None if clip.seed is None else str(clip.seed),
                "text": shortened(clip.prompt, 80) or clip.model,
            }
            for clip in self.clips[:CLIPS_OFFERED]
        ]

    # -- values ------------------------------------------------------------------------------------------------------

    def _switch(self, model: Model) -> None:
        """Show another model's fields."""
        words, unchanged = self._values.switch(model)
        given = {
            field: self._given[field] if field in unchanged else self._new_entry(field) for field in self._values.specs
        }
        with self.hold_sync():  # one message: the page redraws once
            self._spec = {
                "model": model.id, "title": model.title, "modes": list(model.modes),
                "fields": [*self._values.specs.values()], "kept": self._values.kept_labels(), "lacks": lacks_of(model),
            }  # fmt: skip
            self._given, self._general = given, []
            self._marks = {field: self._mark(text, "change") for field, text in words.items()}
        self._version += 1

    def _new_entry(self, field: str) -> list[Any]:
        self._numbers[field] = self._numbers.get(field, 0) + 1
        values = self._values
        page_json = to_page(values.model, values.specs[field]["params"], values[field], self._inputs)
        return [self._numbers[field], page_json, ""]

    def _fill(self, given: Values) -> None:
        """Show these values; what they do not name goes back to its default."""
        changed = {field: self._new_entry(field) for field in self._values.fill(given)}
        self._given = {**self._given, **changed}
        self._marks, self._general = {}, []
        self._forget_inputs()
        self._version += 1

    def _collected(self) -> _Collected:
        return _Collected(self._values.collected())

    def _publish(self) -> None:
        """Bring `params` up to date; outside the lock, as an observer may wait for a thread that wants it."""
        while True:
            with self._lock:
                version, values = self._version, self._collected()
            self.params = values
            with self._lock:
                if version == self._version:
                    break
        if self._is_shown and not self._saving:
            self._saving = True
            self._spawn(self._save_soon())

    def _mark(self, text: str, tone: str) -> dict[str, Any]:
        self._mark_number += 1
        return {"text": text, "tone": tone, "number": self._mark_number}

    def _field_of(self, problem: Problem) -> str | None:
        named = re.findall(r"\w+", problem.field)
        return next(
            (field for name in named for field, spec in self._values.specs.items() if name in spec["params"]), None
        )

    # -- what the page says ------------------------------------------------------------------------------------------

    def heard_edit(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A person moved something."""
        self._take_over(content)

    def take_edits(self, content: Mapping[str, Any]) -> Filled | None:
        """Take over what the page showed at a click and return it; None where the page and the form did not agree.

        Args:
            content: what the page says with a click: the edits that it does not know to have arrived (`edits`, `edit`),
                the ids of the models that it shows (`models`), number and value that each field shows (`shown`), and
                whether a file could not be read (`unread`).
        """
        with self._lock:
            added, good = self._apply(content)
            if good and not self._is_seen(content):
                self._general = [UNREAD if content.get("unread") else LATE]
                good = False
            filled = self.filled() if good else None
        self._follow_up(added)
        return filled

    def _is_seen(self, content: Mapping[str, Any]) -> bool:
        """Whether the page showed this model and these values, each with its number; what it does not name counts."""
        here = {field: entry[:2] for field, entry in self._given.items()}
        models = {self._values.model.id, *content.get("models", ())}
        return len(models) == 1 and content.get("shown", here) == here and not content.get("unread")

    def _lacks_a_file(self, page_json: Any) -> bool:
        sent = [str(item.get("key")) for item in page_json or [] if not {"place", "frame"} & item.keys()]
        return any(self._inputs.get(key) is None for key in sent)

    def _is_media(self, field: str) -> bool:
        return field in self._values.specs and self._values.specs[field]["control"] == "media"

    def heard_submit(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """Ctrl-Enter, with the edits that may not have arrived; with one that cannot be taken, nothing goes out."""
        filled = self.take_edits(content)
        if filled is None:
            self.say("refused", {"text": NOT_SENT})
            return
        for callback in tuple(self._on_submit):
            callback(filled)

    def heard_file(self, content: Mapping[str, Any], buffers: list[bytes]) -> None:
        """One piece of a file; the edit that names its key follows, or waits for it."""
        self._inputs.receive(content["key"], content["name"], content["index"], content["count"], buffers[0])
        with self._lock:
            early, self._early = self._early, {}
        for field, (edit, entry) in early.items():
            self._take_over({"edits": {field: entry}, "edit": edit})

    def heard_recipe(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A clip was dropped for the recipe in it; its bytes came before."""
        self._spawn(self._take_recipe(str(content["key"])))

    def heard_look(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page wants to see an input that it has not seen itself."""
        self._spawn(self._send_look(content["field"], content["key"]))

    def heard_poster(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page wants to see a clip that it offers."""
        self._spawn(self._send_poster(content["clip"]))

    def _take_over(self, content: Mapping[str, Any]) -> None:
        """Make the page's edits values."""
        self._follow_up(self._apply(content)[0])

    def _follow_up(self, added: list[tuple[str, str, Values]]) -> None:
        """Let everybody know of the edits, and look at the inputs that they brought."""
        self._publish()
        for field, key, before in added:
            self._spawn(self._check(field, key, before))

    def _apply(self, content: Mapping[str, Any]) -> tuple[list[tuple[str, str, Values]], bool]:
        """The inputs that the edits brought, each with its field and the values before, and whether all went well."""
        added, general = [], []
        good = True
        with self._lock, self.hold_sync():
            given, marks = dict(self._given), dict(self._marks)
            for field, (number, page_json) in content.get("edits", {}).items():
                if field not in self._values.specs or number != given[field][0]:
                    good = False  # code was quicker: what it set stands, and is not what the person meant to send
                    general = [LATE]
                    continue
                if _is_older(content["edit"], given[field][2:]):
                    continue  # it came with a click already, and perhaps more was typed since
                if self._is_media(field) and self._lacks_a_file(page_json):
                    good = False  # it waits for the file: without, the recipe would be another one
                    general = [UNREAD]
                    self._early[field] = (content["edit"], [number, page_json])
                    continue
                self._early.pop(field, None)
                before = self._values[field]
                try:
                    self._values.put(
                        field,
                        from_page(self._values.model, self._values.specs[field]["params"], page_json, self._inputs),
                    )
                except (VidnbError, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
                    good = False
                    given[field], marks[field] = self._new_entry(field), self._mark(str(error), "problem")
                    continue
                given[field] = [number, page_json, content["edit"]]
                marks.pop(field, None)
                if self._is_media(field):
                    added += [(field, key, before) for key in self._inputs.take_new(page_json or [])]
            self._given, self._marks, self._general = given, marks, general
            self._held_back += [before for _, _, before in added]  # what is refused gives its place back
            self._forget_inputs()
            self._version += 1
        return added, good

    # -- inputs ------------------------------------------------------------------------------------------------------

    def _frame_of(self, clip_id: str, at: str) -> Any:
        clip = self._clip(clip_id)
        return clip.last_frame if at == "last" else clip.first_frame

    def _clip(self, clip_id: str) -> Clip:
        found: Clip | None = next((clip for clip in self.clips if clip.job.id == clip_id), None)
        if found is None:
            raise MediaError(f"the clip of job {clip_id[:8]!r} is not among form.clips any more")
        return found

    def _forget_inputs(self) -> None:
        self._inputs.keep_only(held([*self._values.all_set(), *self._held_back]))

    async def _check(self, field: str, key: str, before: Values) -> None:
        """Look at an input that a person added: one that the model does not take is not kept."""
        thing = self._inputs.get(key)
        problem = await asyncio.to_thread(self._refusal, field, thing)
        refused = bool(problem) and self._put_back(field, thing, before)
        with self._lock:
            if refused:
                text = f"{shortened(self._inputs.name(key), 60)} was not taken. {problem}"
                self._marks = {**self._marks, field: self._mark(text, "problem")}
            self._held_back = [one for one in self._held_back if one is not before]
            self._forget_inputs()
        if refused:
            self._publish()
        elif not problem:
            await self._send_look(field, key)

    def _refusal(self, field: str, thing: Any) -> str:
        if is_address(thing) or isinstance(thing, RemoteMedia | Clip) or field not in self._values.specs:
            return ""
        _, problems = _params.draft(self._values.model, {field: [thing]})
        own = [problem for problem in problems if problem.field == field and problem.given is not None]
        return " ".join(map(_problem_text, own))

    def _put_back(self, field: str, thing: Any, before: Values) -> bool:
        """True if the field held the thing; it holds what stood there before, or the others of its list."""
        with self._lock, self.hold_sync():
            value = self._values[field].get(field)
            items = value if isinstance(value, list | tuple) else [value]
            if not any(item is thing for item in items):
                return False
            others = [item for item in items if item is not thing]
            self._values.put(field, before if value is thing else {field: others} if others else {})
            self._given = {**self._given, field: self._new_entry(field)}
            self._version += 1
            return True

    async def _take_recipe(self, key: str) -> None:
        """Fill the form with the recipe that a dropped clip carries."""
        name, content = shortened(self._inputs.name(key), 60), self._inputs.get(key)
        try:
            text = await asyncio.to_thread(self._from_recipe, name, bytes(content or b""))
            self.say("told", {"text": text})
        except (VidnbError, OSError, TypeError, ValueError, AttributeError) as error:
            self.say("refused", {"text": f"{name} was not taken. {error}"})
        finally:
            self._inputs.take_new([{"key": key}])
            with self._lock:
                self._forget_inputs()

    def _from_recipe(self, name: str, content: bytes) -> str:
        """Fill the form, and return what the page says of it."""
        recipe, inputs = recipe_in(io.BytesIO(content), name)
        model = catalog.find(recipe.pop("model"))
        if problems := [one for one in _params.draft(model, recipe)[1] if one.given is not None]:
            raise ParamsError(model.id, problems)
        self.model = model
        self.take_up(recipe)
        labels = ", ".join(map(label_of, inputs))
        lacks = f" Its inputs are not in the file, choose them again: {labels}." if labels else ""
        return f"The form shows the recipe of {name}.{lacks}"

    async def _send_look(self, field: str, key: str) -> None:
        thing = self._inputs.get(key)
        if thing is None or field not in self._values.specs:
            return
        try:
            text, small = await asyncio.to_thread(form_inputs.look, thing, self._values.specs[field]["what"])
        except (VidnbError, OSError, ValueError, TypeError, AttributeError) as error:
            text, small = str(error), b""
        self.say("look", {"key": key, "text": text}, [small])

    async def _send_poster(self, clip_id: str) -> None:
        clip = self._clip(clip_id)
        self.say("poster", {"clip": clip_id}, [await asyncio.to_thread(lambda: clip.poster)])

    # -- what a notebook saves ---------------------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        self._is_shown = True
        super()._ipython_display_()

    async def _save_soon(self) -> None:
        await asyncio.sleep(SAVE_AFTER_S)
        self._saving = False
        self.save_output()


def _problem_text(problem: Problem) -> str:
    """The problem without the name of the field that it stands below."""
    text = str(problem).removeprefix(f"{problem.field}: ").removeprefix("None given; ")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _short(value: Any) -> str:
    """A value as text that may be saved."""
    if isinstance(value, str | int | float | bool):
        return str(value)
    items = value if isinstance(value, list | tuple) else [value]
    return ", ".join(str(item) if isinstance(item, str | Mapping) else form_inputs.name_of(item) for item in items)


def _is_older(edit: str, last: list[Any]) -> bool:
    """Whether an edit was made before the last one that was taken from the same page."""
    page, _, number = edit.partition(":")
    last_page, _, last_number = str(last[0] if last else "").partition(":")
    return page == last_page and int(number) < int(last_number)
