"""One field a param: its control, made from the catalogue's kind and bounds, and below it what is wrong with its value.

A field keeps whatever code gave it. A value that its control cannot show (a number beyond the slider, a name that is
not in the list) is written below it and stays until a person moves the control, so that validation can speak of it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
import traitlets

from vidnb.catalog import Model, Param

LABELS = {
    "duration_s": "Duration (s)",
    "fps": "Frames a second",
    "height_px": "Height (px)",
    "num_frames": "Frames",
    "width_px": "Width (px)",
}
LONGEST_SLIDER = 100
"""Whole numbers with more steps than this are typed, not slid."""
NOTHING = ""
"""The list entry that stands for "not given"; ipywidgets shows None as no entry at all."""


def label(param: Param) -> str:
    """The param's name as a person reads it, with a star where the model requires it."""
    text = LABELS.get(param.name) or param.name.replace("_", " ").capitalize()
    return f"{text} *" if param.required else text


def tooltip(param: Param) -> str:
    """What the catalogue says of the param: help, bounds, note and source."""
    allowed = f"Allowed: {param.bounds}." if param.bounds not in ("", "text", param.kind) else ""
    required = "Required." if param.required else ""
    source = f"Source: {param.source}." if param.source else ""
    return " ".join(filter(None, (param.help, allowed, required, param.note, source)))


def left_out(param: Param) -> str:
    """What happens where nothing is given, in a few words."""
    if param.required:
        return "required"
    default = param.service_default
    if default is None:
        return "random" if param.name == "seed" else "none" if param.names else "left to the service"
    said = {True: "on", False: "off"}[default] if isinstance(default, bool) else default
    return f"service default: {said}"


def text_line(text: str, kind: str, role: str = "") -> str:
    """A line of escaped text with its CSS class; "" for no text."""
    said = f' role="{role}"' if role else ""
    return f'<div class="vidnb-{kind}"{said}>{html.escape(text)}</div>' if text else ""


def tell(line: widgets.HTML, text: str, kind: str = "problem") -> None:
    """Show this text in a line that is hidden while it is empty; screen readers hear of a problem at once."""
    role = "alert" if kind == "problem" else "status"
    line.value = "".join(text_line(part, kind, role) for part in text.splitlines())
    line.layout.display = None if text else "none"


def close_all(widget: widgets.Widget) -> None:
    """Close a widget with its children, so that neither page nor kernel keeps them."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    widget.close()


class Field(widgets.VBox):
    """A control for one param or for several that belong together; `values` holds what is given, by param name."""

    values = traitlets.Dict()

    def __init__(self, params: Mapping[str, Param], children: list[widgets.Widget]) -> None:
        self.params = params
        self.touched = False
        self._filling = False
        self._message = widgets.HTML(layout={"display": "none"})
        super().__init__([*children, self._message])
        self.add_class("vidnb-field")
        self.add_class(f"vidnb-field-{next(iter(params))}")

    def fill(self, values: Mapping[str, Any]) -> None:
        """Show these values; what they do not name goes back to its default."""
        with self.filling():
            self.write(values)
            self.values = self.read()
        self.tell("")

    def tell(self, text: str, kind: str = "problem") -> None:
        """Show a line of text below the control; "" takes it away."""
        tell(self._message, text, kind)

    def read(self) -> dict[str, Any]:
        """What the controls show, by param name, without what is not given."""
        raise NotImplementedError

    def write(self, values: Mapping[str, Any]) -> None:
        """Put values into the controls."""
        raise NotImplementedError

    def changed(self, _: Any = None) -> None:
        """A person moved a control."""
        if not self._filling:
            self.touched = True
            self.tell("")
            self.values = self.read()

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Changes inside are code's, not a person's."""
        self._filling, before = True, self._filling
        try:
            yield
        finally:
            self._filling = before


class ControlField(Field):
    """One param with one ipywidgets control.

    Args:
        param: the catalogue's param.
        control: what a person moves.
        empty: the control's value that stands for "not given".
        parse: from the control's value to the param's.
        show: the other way.
    """

    def __init__(
        self, param: Param, control: widgets.Widget, *, empty: Any = None,
        parse: Callable[[Any], Any] = lambda value: value, show: Callable[[Any], Any] = lambda value: value,
    ) -> None:  # fmt: skip
        self.param, self.control = param, control
        self._empty, self._parse, self._show, self._start = empty, parse, show, control.value
        self._odd: Any = None
        control.tooltip = tooltip(param)
        control.observe(self._moved, "value")
        super().__init__({param.name: param}, [control])
        self.fill({})

    def read(self) -> dict[str, Any]:
        value = self._odd if self._odd is not None else self._shown()
        return {} if value is None else {self.param.name: value}

    def write(self, values: Mapping[str, Any]) -> None:
        value, self._odd = values.get(self.param.name, self.param.default), None
        try:
            self.control.value = self._start if value is None else self._show(value)
        except (traitlets.TraitError, TypeError, ValueError):
            self._odd = value
        if value is not None and self._shown() != value:
            self._odd = value

    def fill(self, values: Mapping[str, Any]) -> None:
        super().fill(values)
        if self._odd is not None:
            self.tell(f"Set by code: {self._odd!r}"[:120], "hint")

    def _shown(self) -> Any:
        return None if self.control.value == self._empty else self._parse(self.control.value)

    def _moved(self, _: Any) -> None:
        if not self._filling:
            self._odd = None
            self.changed()


class SizeField(Field):
    """Resolution and aspect ratio of a model that lists its legal sizes, with the pixels that they come to."""

    def __init__(self, model: Model) -> None:
        self.model = model
        params = {name: model.params[name] for name in ("resolution", "aspect_ratio", "width_px", "height_px")}
        self._resolution = self._dropdown(params["resolution"])
        self._aspect = self._dropdown(params["aspect_ratio"])
        self._pixels = widgets.HTML()
        self._pixels.add_class("vidnb-beside")
        self._odd: dict[str, Any] = {}
        super().__init__(params, [self._resolution, self._aspect, self._pixels])
        self._resolution.observe(self._picked, "value")
        self._aspect.observe(self._picked, "value")
        self.fill({})

    def _dropdown(self, param: Param) -> widgets.Dropdown:
        default = "model's default" if self.model.size_default else left_out(param)
        control = widgets.Dropdown(options=[(default, NOTHING), *((str(c), c) for c in param.choices)])
        control.description, control.tooltip = label(param), tooltip(param)
        return control

    def read(self) -> dict[str, Any]:
        both = {"resolution": self._resolution.value, "aspect_ratio": self._aspect.value}
        return self._odd or {name: value for name, value in both.items() if value != NOTHING}

    def write(self, values: Mapping[str, Any]) -> None:
        given = {name: values[name] for name in self.params if values.get(name) is not None}
        found = self._understood(given)
        self._odd = {} if found is not None else given
        if found is None:
            found = (NOTHING, NOTHING)
        self._resolution.value, self._aspect.value = found
        self._tell_pixels()

    def _understood(self, given: Mapping[str, Any]) -> tuple[Any, Any] | None:
        """Resolution and aspect ratio for these values, or None where the dropdowns cannot say them."""
        default = self.model.size_default
        if not given:
            given = {"width_px": default[0], "height_px": default[1]} if default else {}
        if given.get("aspect_ratio") == "auto" and given.get("width_px", 0) == given.get("height_px", 0) == 0:
            resolution = given.get("resolution", NOTHING)
            return (resolution, "auto") if resolution in (NOTHING, *self.model.params["resolution"].choices) else None
        fitting = [s for s in self.model.sizes if all(getattr(s, name) == value for name, value in given.items())]
        if not fitting or not given:
            return None if given else (NOTHING, NOTHING)
        if len(fitting) > 1 and default:
            ratio = next((s.aspect_ratio for s in self.model.sizes if (s.width_px, s.height_px) == default), None)
            fitting = [s for s in fitting if s.aspect_ratio == ratio] or fitting
        return fitting[0].resolution, fitting[0].aspect_ratio

    def _picked(self, change: Any) -> None:
        """A person picked one of the two: the other follows, so that both name a legal size."""
        if self._filling:
            return
        self._odd = {}
        with self.filling():
            if change["new"] == NOTHING:
                self._resolution.value = self._aspect.value = NOTHING
            elif change["owner"] is self._resolution and self._aspect.value != "auto":
                self._follow(self._aspect, "resolution", "aspect_ratio")
            elif change["owner"] is self._aspect and change["new"] != "auto":
                self._follow(self._resolution, "aspect_ratio", "resolution")
            elif self.model.params["resolution"].wire is None:
                self._resolution.value = NOTHING if self._aspect.value == "auto" else self._resolution.value
        self._tell_pixels()
        self.changed()

    def _follow(self, other: widgets.Dropdown, picked: str, following: str) -> None:
        chosen = self._resolution.value if picked == "resolution" else self._aspect.value
        legal = [getattr(size, following) for size in self.model.sizes if getattr(size, picked) == chosen]
        if legal and other.value not in legal:
            other.value = legal[0]

    def _tell_pixels(self) -> None:
        now = (self._resolution.value, self._aspect.value)
        sizes = [s for s in self.model.sizes if (s.resolution, s.aspect_ratio) == now]
        pixels = f"{sizes[0].width_px} × {sizes[0].height_px} pixels" if sizes else ""
        odd = f"Set by code: {', '.join(f'{name}={value!r}' for name, value in self._odd.items())}"[:120]
        text = odd if self._odd else "as the start image" if now[1] == "auto" else pixels
        self._pixels.value = text_line(text, "hint")
        self._pixels.layout.display = None if text else "none"


def text_field(param: Param) -> ControlField:
    """A field for text: several lines for prompts, one for the rest."""
    prompt = "prompt" in param.name
    control = widgets.Textarea(rows=3 if param.name == "prompt" else 2) if prompt else widgets.Text()
    control.description = label(param)
    control.placeholder = param.help if prompt else left_out(param)
    return ControlField(param, control, empty="", parse=str, show=_text)


def number_field(param: Param) -> ControlField:
    """A field for a number: a list, a slider where the bounds are near one another, else a line to type in."""
    if param.choices:
        return choice_field(param)
    low, high, whole = param.min, param.max, param.kind == "integer" or param.integer
    if low is None or high is None or high - low > LONGEST_SLIDER:
        text = widgets.Text(description=label(param), placeholder=f"{left_out(param)}, or {param.bounds}")
        return ControlField(param, text, empty="", parse=_typed, show=_text)
    if whole and not param.required and param.default is None:
        steps = [(left_out(param), NOTHING), *((str(n), n) for n in range(int(low), int(high) + 1))]
        return ControlField(param, widgets.SelectionSlider(options=steps, description=label(param)), empty=NOTHING)
    if not param.required and param.default is None:
        text = widgets.Text(description=label(param), placeholder=f"{left_out(param)}, or {param.bounds}")
        return ControlField(param, text, empty="", parse=_typed, show=_text)
    return _slider(param, low, high, whole)


def _slider(param: Param, low: float, high: float, whole: bool) -> ControlField:
    """A slider that always gives a value: the default, else what the service assumes, else the middle."""
    start = param.default if param.default is not None else param.service_default
    start = (low + high) / 2 if start is None else start
    if whole:
        control = widgets.IntSlider(int(start), int(low), int(high), description=label(param))
    else:
        step, shown = (0.1, ".1f") if high - low > 1 else (0.05, ".2f")
        control = widgets.FloatSlider(start, min=low, max=high, step=step, readout_format=shown)
        control.description = label(param)
    control.continuous_update = False
    return ControlField(param, control, parse=_tidy)


def boolean_field(param: Param) -> ControlField:
    """A field for yes or no; with a third answer, the service's own, where vidnb has no default."""
    if param.default is not None:
        return ControlField(param, widgets.Checkbox(description=label(param), indent=True))
    options = [(left_out(param), NOTHING), ("on", True), ("off", False)]
    return ControlField(param, widgets.Dropdown(options=options, description=label(param)), empty=NOTHING)


def choice_field(param: Param) -> ControlField:
    """A field for one of several values."""
    listed = [(str(choice), choice) for choice in param.choices]
    may_be_empty = param.default is None
    control = widgets.Dropdown(options=[(left_out(param), NOTHING), *listed] if may_be_empty else listed)
    control.description = label(param)
    return ControlField(param, control, empty=NOTHING)


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError("nothing that a line of text can show")
    return str(value)


def _typed(text: str) -> Any:
    """The number that was typed, or the text itself, which validation then refuses in its own words."""
    text = text.strip()
    for number in (int, float):
        try:
            return _tidy(number(text))
        except (ValueError, OverflowError):
            continue
    return text or None


def _tidy(number: float) -> float | int:
    number = round(number, 6) if isinstance(number, float) else number
    return int(number) if float(number).is_integer() else number
