"""What the catalogue says of a model: its params, sizes, rules, price and status, as plain values."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vidnb import shown
from vidnb.catalog.bounds import span
from vidnb.errors import ConfigError

DEFAULT_MODEL = "leonardo/motion_2.0"
"""What the verbs, the form and the command take where no model is named."""
KINDS = ("text", "integer", "number", "boolean", "choice", "choices", "elements", "image", "images", "videos", "audios")
MEDIA_KINDS = frozenset({"image", "images", "videos", "audios"})
SIZE_PARAMS = ("resolution", "aspect_ratio", "width_px", "height_px")
SHAPE_PARAMS = (*SIZE_PARAMS, "duration_s", "num_frames", "fps")
"""Params that make a clip larger or longer."""
PRICED_PARAMS = (
    *SHAPE_PARAMS, "quality", "variant", "steps", "audio", "audio_setting", "frame_interpolation", "omni_edit",
)  # fmt: skip
"""Params on which a price mostly depends; a prompt, a seed or a style costs nothing more."""
STATUSES = ("active", "retired", "unconfirmed")
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "5:4", "4:5", "21:9", "9:21", "2:1", "1:2")


@dataclass(frozen=True)
class Param:
    """One value that a model takes, under vidnb's own name."""

    name: str
    kind: str
    required: bool = False
    default: Any = None
    """What vidnb sends when nothing is given; it is then part of the recipe."""
    service_default: Any = None
    """What the service assumes when nothing is sent; vidnb leaves it to the service."""
    min: float | None = None
    max: float | None = None
    integer: bool = False
    """For kind `number` with whole values only."""
    step: int | None = None
    """Only `min` and every so many above it: frames of a model that takes 5, 9, 13 ... have `min = 5, step = 4`."""
    min_length: int | None = None
    max_length: int | None = None
    max_items: int | None = None
    choices: tuple[Any, ...] = ()
    names: str | None = None
    """The name table that gives the choices (`motion_control`, `styles`)."""
    wire: str | None = None
    """The provider's own spelling."""
    wire_values: tuple[Any, ...] = ()
    """The provider's spelling of each choice, in the same order."""
    modes: tuple[str, ...] = ()
    """The modes in which the model takes it; empty for all of them."""
    help: str = ""
    note: str = ""
    older: bool = False
    """The form of an older vendor page: accepted, not offered."""
    source: str = ""
    confidence: str = ""

    def to_wire(self, value: Any) -> Any:
        """The provider's spelling of a value."""
        if self.wire_values and value in self.choices:
            return self.wire_values[self.choices.index(value)]
        return value

    def from_wire(self, value: Any) -> Any:
        """vidnb's spelling of a provider's value."""
        if value in self.wire_values:
            return self.choices[self.wire_values.index(value)]
        return value

    def on_step(self, value: float) -> bool:
        """Return whether a number is one of those that the steps reach; true where there are none."""
        return self.step is None or (value - (self.min or 0)) % self.step == 0

    def nearest_step(self, value: float) -> int:
        """Return the number that the steps reach closest to a value, inside the bounds."""
        low, step = int(self.min or 0), self.step or 1
        high = value if self.max is None else self.max
        return low + round((min(max(value, low), high) - low) / step) * step

    @property
    def bounds(self) -> str:
        """What is allowed, in words: "1 to 10", "one of 5, 10", "at most 1000 characters"."""
        if self.choices:
            shown = ", ".join(str(choice) for choice in self.choices[:40])
            return f"one of {shown}" if self.kind != "choices" else f"any of {shown}"
        if self.kind == "text":
            return f"at most {self.max_length} characters" if self.max_length else "text"
        if self.kind in ("integer", "number") and (self.min is not None or self.max is not None):
            return span(self.min, self.max) + (f" in steps of {self.step}" if self.step else "")
        if self.kind in ("images", "videos", "audios", "elements") and self.max_items:
            return f"at most {self.max_items} {self.kind}"
        return {"boolean": "true or false", "integer": "a whole number", "number": "a number"}.get(self.kind, self.kind)


@dataclass(frozen=True)
class Size:
    """One legal pair of width and height."""

    width_px: int
    height_px: int
    resolution: str
    aspect_ratio: str


@dataclass(frozen=True)
class Rule:
    """A rule between params: under a condition, something is required, forbidden or narrowed.

    `when` maps a param (or `mode`) to the values for which the rule holds; `given` lists params that must be there.
    """

    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    require_any: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    param: str | None = None
    choices: tuple[Any, ...] = ()
    exclude: tuple[Any, ...] = ()
    min: float | None = None
    max: float | None = None
    max_items: int | None = None
    refuse: bool = False
    """The combination in `when` is itself not allowed."""
    why: str = ""
    """How the sentence "not allowed ..." or "allowed: 4, 6 ..." goes on: "with an end image". For `refuse`: what is
    allowed instead."""

    def holds(self, values: Mapping[str, Any], mode: str) -> bool:
        """True where the rule applies to these values."""
        everything = {**values, "mode": mode}
        matched = all(everything.get(name) in allowed for name, allowed in self.when.items())
        return matched and all(values.get(name) not in (None, [], ()) for name in self.given)


@dataclass(frozen=True)
class Model:
    """One video model of a provider: an entry of the catalogue."""

    id: str
    provider: str
    wire: str
    api: str
    title: str
    service: str = ""
    """What a person calls the provider."""
    tells_cost: bool = True
    """Whether the service says, at the submit or at the end, what a job cost."""
    status: str = "active"
    """`active`, `retired`, or `unconfirmed`: seen in a list only, its fields or its slug are a guess."""
    retired_on: str | None = None
    replacement: str | None = None
    modes: tuple[str, ...] = ("text",)
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Mode to path. For 1min: mode to feature type."""
    contract: str | None = None
    params: Mapping[str, Param] = field(default_factory=dict)
    other_fields: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Flat wire fields that no param stands for (deprecated ones, fixed ones), with the values they may have; an
    empty tuple is any value. The service takes them, vidnb does not send them."""
    rules: tuple[Rule, ...] = ()
    sizes: tuple[Size, ...] = ()
    size_default: tuple[int, int] | None = None
    """Sent when no size is given; without it the size is left to the service."""
    size_auto: bool = False
    """Width and height 0 mean: follow the input."""
    size_any: bool = False
    """Sizes outside the list are accepted too (the vendor lists none, or an older page allowed any)."""
    size_range: tuple[int, int] | None = None
    """Bounds of one side in pixels where sizes outside the list are accepted."""
    size_step: int | None = None
    """Both sides of such a size are multiples of it, and any such pair is known to be good; None where nobody knows."""
    size_note: str = ""
    fixed_duration_s: float | None = None
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    older_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    image_limits: Mapping[str, Any] = field(default_factory=dict)
    """Of an input image: `types`, `max_bytes`, `min_side_px`, `max_side_px`, `min_aspect`, `max_aspect`."""
    price: Mapping[str, Any] = field(default_factory=dict)
    """`amount`, `unit` (USD or CREDITS), `basis` and `confidence`, and `cases` for certain values: see `prices`; empty
    where none is published."""
    aliases: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    checked: str = ""
    confidence: str = ""

    @property
    def name(self) -> str:
        """The id without the provider."""
        return self.id.split("/", 1)[1]

    @property
    def is_retired(self) -> bool:
        """True once the vendor took the model out of service."""
        return self.status == "retired"

    @functools.cached_property
    def priced_params(self) -> tuple[str, ...]:
        """The params on which the price depends: the usual ones, and those that a case of this price names."""
        named = (name for case in self.price.get("cases", ()) for name in case["when"])
        return tuple(dict.fromkeys([*PRICED_PARAMS, *named]))

    def accepts(self, param: str, mode: str | None = None) -> bool:
        """True where the model has the param, in that mode if one is named."""
        found = self.params.get(param)
        return found is not None and (mode is None or not found.modes or mode in found.modes)

    def mode_of(self, values: Mapping[str, Any]) -> str:
        """The mode that these values ask for: `image` with a start image or where nothing else exists, else `text`."""
        wanted = "image" if values.get("start_image") is not None else "text"
        return wanted if wanted in self.modes else self.modes[0]

    def __repr__(self) -> str:
        return f"<Model {self.id}: {self.title}, {self.status}, {'/'.join(self.modes)}, {len(self.params)} params>"

    def _repr_html_(self) -> str:
        return shown.html(self)


class Catalogue(Mapping[str, Model]):
    """All models by id; the error for a wrong id names similar ones."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {model.id: model for model in models}
        self._aliases = {alias: model.id for model in self._models.values() for alias in model.aliases}

    def __getitem__(self, model_id: str) -> Model:
        return self._models[self._aliases.get(model_id, model_id)]

    def __iter__(self) -> Any:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def find(self, model_id: str) -> Model:
        """The model with this id, alias, or unique bare name.

        Raises:
            ConfigError: nothing has that id; the message names the closest ones.
        """
        if not isinstance(model_id, str):
            if isinstance(model_id, Model):
                raise ConfigError(f"model: an entry of the catalogue given; give its id, {model_id.id!r}")
            raise ConfigError(f"model={model_id!r:.80}: give the id of a model; vidnb.models() lists them all.")
        if model_id in self._models or model_id in self._aliases:
            return self[model_id]
        bare = [model for model in self._models.values() if model.name == model_id]
        if len(bare) == 1:
            return bare[0]
        if bare:
            raise ConfigError(f"model {model_id!r} exists at several providers: {', '.join(m.id for m in bare)}")
        folded = {key.casefold(): key for key in self._models}
        close = difflib.get_close_matches(model_id.casefold(), folded, n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(folded[key] for key in close)}?" if close else "vidnb.models() lists them all."
        raise ConfigError(f"there is no model {model_id!r}; {hint}")

    @functools.cached_property
    def titles(self) -> Mapping[str, str]:
        """The title of each model, by id; two of one title are told apart: "Motion 2.0 (API v1)"."""
        same: dict[str, list[Model]] = {}
        for model in self._models.values():
            same.setdefault(model.title, []).append(model)
        return {model.id: _told_apart(model, same[model.title]) for model in self._models.values()}

    def having(self, param: str, *, retired: bool = False) -> list[str]:
        """Ids of the models in service (or of the retired ones) that take the param."""
        found = (model for model in self._models.values() if param in model.params)
        return [model.id for model in found if model.is_retired is retired]


def _told_apart(model: Model, same: list[Model]) -> str:
    """Return a model's title, with service or API version where others have the same title."""
    marks = []
    if len({other.provider for other in same}) > 1:
        marks.append(model.service)
    twins = [other for other in same if other.provider == model.provider]
    if len(twins) > 1:
        marks.append(f"API {model.api}" if [twin.api for twin in twins].count(model.api) == 1 else model.name)
    return f"{model.title} ({', '.join(marks)})" if marks else model.title


@functools.lru_cache(maxsize=512)
def aspect_ratio(width_px: int, height_px: int) -> str:
    """The usual label that comes closest to a size: `16:9` for 832x480."""

    def distance(label: str) -> float:
        across, down = map(int, label.split(":"))
        return abs(math.log((width_px / height_px) / (across / down)))

    return min(RATIOS, key=distance)
