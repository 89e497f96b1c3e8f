"""The form of one model: a field for each of its params, the basics first, the rest folded away."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import traitlets

from vidnb import catalog, params
from vidnb.catalog import DEFAULT_MODEL, Model, Param
from vidnb.errors import ParamsError, Problem
from vidnb.widgets import fields, lists
from vidnb.widgets.fields import Field, SizeField

BASICS = ("prompt", "start_image", "motion_strength", "seed", "resolution", "aspect_ratio", "duration_s")

FIELDS: dict[str, Callable[[Param], Field]] = {
    "text": fields.text_field,
    "integer": fields.number_field,
    "number": fields.number_field,
    "boolean": fields.boolean_field,
    "choice": fields.choice_field,
    "choices": lists.ChoicesField,
    "elements": lists.ElementsField,
    "image": lists.MediaField,
    "images": lists.MediaField,
    "videos": lists.MediaField,
    "audios": lists.MediaField,
}
"""Param kind to what makes its field; a program may put its own maker here."""


def style() -> widgets.HTML:
    """The style sheet of all of vidnb's widgets, as an invisible widget to put among the children."""
    css = Path(__file__).with_name("static").joinpath("vidnb.css").read_text(encoding="utf-8")
    return widgets.HTML(f"<style>{css}</style>", layout={"display": "none"})


class Form(widgets.VBox):
    """A form for one model's params, made from the catalogue.

    Args:
        model: id of a model, as in `leonardo/motion_2.0`, or the catalogue's entry.
        params: values to start with.

    Attributes:
        params: what is given, by vidnb's names; left out where nothing is. Assign a dict to fill the form.
        model: the catalogue's entry. Assign another one: values that it takes too stay, the others are kept for later.

    Example:
        >>> form = vidnb.Form("leonardo/motion_2.0", {"prompt": "a koala in a meadow"})
        >>> form.observe(lambda change: print(change["new"]), "params")
        >>> vidnb.generate(model=form.model.id, **form.params)
    """

    params = traitlets.Dict()
    model = traitlets.Any()

    def __init__(self, model: Model | str = DEFAULT_MODEL, params: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.RLock()
        self._gathering = False
        self._fields: dict[str, Field] = {}
        self._kept: dict[str, Any] = {}
        self._foreign: dict[str, Any] = {}
        self._problems = widgets.HTML(layout={"display": "none"})
        self._note = widgets.HTML(layout={"display": "none"})
        self._body, self._more = widgets.VBox(), widgets.Accordion(layout={"display": "none"})
        super().__init__([style(), self._note, self._body, self._more, self._problems])
        self.add_class("vidnb")
        self.add_class("vidnb-form")
        self.model = model
        if params:
            self.params = dict(params)

    def problems(self) -> list[Problem]:
        """What is wrong with the values as they are now; empty when nothing is."""
        try:
            params.validate(self.model, self.params)
        except ParamsError as error:
            return list(error.problems)
        return []

    def show_problems(self, problems: Iterable[Problem] | None = None) -> list[Problem]:
        """The problems, each now shown below its field (default: what `problems()` finds); none takes them away."""
        found = self.problems() if problems is None else list(problems)
        told: dict[int, list[str]] = {id(field): [] for field in self._fields.values()}
        general: list[str] = []
        for problem in found:
            field = self._field_of(problem)
            if field is None:
                general.append(str(problem))
            else:
                told[id(field)].append(_said(problem))
        for field in self._unique():
            field.tell(" ".join(told[id(field)]))
        fields.tell(self._problems, "\n".join(general))
        if any(told[id(field)] for field in self._folded()):
            self._more.selected_index = 0
        return found

    def field(self, name: str) -> Field:
        """The field that shows a param.

        Raises:
            KeyError: the model has no such param.
        """
        return self._fields[name]

    # -- traits ------------------------------------------------------------------------------------------------------

    @traitlets.validate("model")
    def _valid_model(self, proposal: Any) -> Model:
        model = proposal["value"]
        return model if isinstance(model, Model) else catalog.find(model)

    @traitlets.observe("model")
    def _model_changed(self, change: Any) -> None:
        with self._lock:
            old = dict(self.params)
            self._kept |= old | self._foreign
            self._build(change["new"])
            self._take_over({name: value for name, value in self._kept.items() if name in self.model.params})
            self._gather()

    @traitlets.validate("params")
    def _valid_params(self, proposal: Any) -> dict[str, Any]:
        """What the form makes of an assigned dict: with the defaults it shows, without None."""
        if self._gathering:
            return proposal["value"]
        with self._lock:
            given = {name: value for name, value in proposal["value"].items() if value is not None}
            self._foreign = {name: value for name, value in given.items() if name not in self._fields}
            self._fill(given)
            fields.tell(self._problems, "")
            fields.tell(self._note, "")
            return self._collected()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _build(self, model: Model) -> None:
        """Make the fields of a model; those of the one before are closed."""
        old = self._unique()
        self._fields = {}
        if model.sizes:
            size = SizeField(model)
            self._fields |= dict.fromkeys(size.params, size)
        for name, param in model.params.items():
            if name not in self._fields:
                self._fields[name] = FIELDS[param.kind](param)
        # The catalogue's order, but the basics as they are listed here.
        basics = [*BASICS, *(name for name, param in model.params.items() if param.required)]
        first = list(dict.fromkeys(self._fields[name] for name in basics if name in self._fields))
        rest = [field for field in self._unique() if field not in first]
        self._body.children = first
        self._more.children = [widgets.VBox(rest)] if rest else []
        self._more.set_trait("titles", ("More",) if rest else ())
        self._more.selected_index = None
        self._more.layout.display = None if rest else "none"
        for field in self._unique():
            field.observe(self._field_changed, "values")
        for field in old:
            fields.close_all(field)

    def _fill(self, values: Mapping[str, Any]) -> None:
        """Fill all fields at once: who observes `params` hears of the end only."""
        self._gathering = True
        try:
            for field in self._unique():
                field.touched = bool(values.keys() & field.params.keys())
                field.fill(values)
        finally:
            self._gathering = False

    def _take_over(self, values: Mapping[str, Any]) -> None:
        """Fill the new fields with another model's values; what it does not allow goes back to its default, visibly."""
        kept = {name: value for name, value in values.items() if _allowed(self.model.params[name], value)}
        self._fill(kept)
        changed = [fields.label(self.model.params[name]).rstrip(" *").lower() for name in values if name not in kept]
        text = f"Back to this model's default, as it does not take the value before: {', '.join(changed)}."
        fields.tell(self._note, text if changed else "", "hint")

    def _field_changed(self, _: Any) -> None:
        with self._lock:
            if not self._gathering:
                fields.tell(self._problems, "")
                self._gather()

    def _gather(self) -> None:
        self._gathering = True
        try:
            self.params = self._collected()
        finally:
            self._gathering = False

    def _collected(self) -> dict[str, Any]:
        """The values of all fields; a field that this mode has no use for is hidden and left out, if nobody set it."""
        everything = {name: value for field in self._unique() for name, value in field.values.items()}
        mode = self.model.mode_of(everything)
        for field in self._unique():
            useless = not any(self._useful(name, mode) for name in field.params) and not field.touched
            field.layout.display = "none" if useless else None
            if useless:
                everything = {name: value for name, value in everything.items() if name not in field.params}
        ordered = {name: everything[name] for name in self.model.params if name in everything}
        return {**ordered, **self._foreign}

    def _useful(self, name: str, mode: str) -> bool:
        return name == "start_image" or self.model.takes(name, mode)

    def _unique(self) -> list[Field]:
        return list(dict.fromkeys(self._fields.values()))

    def _folded(self) -> list[Field]:
        return [field for box in self._more.children for field in box.children]

    def _field_of(self, problem: Problem) -> Field | None:
        named = [name for name in re.findall(r"\w+", problem.field) if name in self._fields]
        return self._fields[named[0]] if named else None


def _said(problem: Problem) -> str:
    """The problem without the name of the field that it stands below."""
    text = str(problem).removeprefix(f"{problem.field}: ").removeprefix("None given; ")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _allowed(param: Param, value: Any) -> bool:
    """True where another model's value may stand; what only validation can tell is let through."""
    if param.choices and not isinstance(value, list | tuple):
        return value in param.choices
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = param.min, param.max
        return (low is None or low <= value) and (high is None or value <= high)
    return True
