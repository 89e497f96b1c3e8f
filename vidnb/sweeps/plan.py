"""Which jobs a sweep is: every combination of its axes, validated, and those of one recipe put together.

Nothing is sent and nothing is looked up here; what of it is done and what the rest costs is in `outlook`.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import numbers
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from vidnb import catalog, params
from vidnb.catalog import Model, Param
from vidnb.errors import OlderFormWarning, Problem
from vidnb.jobs.intended import intended
from vidnb.net.target import Target
from vidnb.params import Request
from vidnb.records import Job, MediaFile, RemoteMedia
from vidnb.sweeps import axes as axes_
from vidnb.sweeps import templates
from vidnb.sweeps.axes import Axis, Labelled
from vidnb.sweeps.conditions import Values, kept
from vidnb.sweeps.seeds import PublishedSeed

Unsupported = Literal["error", "drop", "skip"]
Key = tuple[str, str, int]
"""Where it is sent, the recipe's hash, the take: what makes two jobs the same."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of the axes."""

    at: tuple[int, ...]
    """Its step on each axis."""
    values: tuple[Any, ...]
    """Its value for each name of the axes, as `Plan.names` lists them."""
    job: int | None
    """Its job's place in `Plan.jobs`; None where it was refused."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One job that a sweep is made of."""

    provider: str
    model: str
    base_url: str
    emulated: bool
    recipe_hash: str
    take: int
    params: Mapping[str, Any]
    images: Mapping[str, Any]
    dropped: Mapping[str, Any]

    @property
    def key(self) -> Key:
        """What makes two jobs the same."""
        return (self.base_url, self.recipe_hash, self.take)

    def row(self, purse: str | None, at: datetime) -> Job:
        """Return the job as a row that nobody wrote yet; a seed left open is drawn.

        Args:
            purse: from which it is paid.
            at: the time now.
        """
        request = Request(catalog.find(self.model), self.params, _media(self.images), self.dropped)
        return intended(request, self.take, base_url=self.base_url, emulated=self.emulated, at=at, purse=purse)


def _media(images: Mapping[str, Any]) -> dict[str, list[MediaFile | RemoteMedia]]:
    """Return the inputs of a recipe without their bytes, which lie in the data folder."""

    def one(item: Mapping[str, str]) -> MediaFile | RemoteMedia:
        if "id" in item:
            return RemoteMedia(item["provider"], item["id"], item["kind"])
        return MediaFile(item["sha256"], item["extension"], "", b"")

    return {name: [one(item) for item in items] for name, items in images.items()}


@dataclass
class Refusal:
    """Cells that cannot be sent, all for the same reason."""

    param: str
    why: str
    advice: str
    count: int = 0
    models: dict[str, None] = field(default_factory=dict)
    """The ids of the models, each once, in their order."""
    given: list[str] = field(default_factory=list)
    """Some of the values that were refused."""

    @property
    def where(self) -> str:
        """Which models those are: "1min/luma", "5 models (1min/luma, runway/gen4.5 and 3 more)"."""
        names = list(self.models)
        if len(names) == 1:
            return names[0]
        left = f" and {len(names) - _MODELS} more" if len(names) > _MODELS else ""
        return f"{len(names)} models ({', '.join(names[:_MODELS])}{left})"

    @property
    def cells(self) -> str:
        """How many cells of which models, and of which value: "2 cells of 1min/luma: seed (1, 2)"."""
        cells = "1 cell" if self.count == 1 else f"{self.count:,} cells"
        given = f" ({', '.join(self.given)}{' ...' if len(self.given) == _GIVEN else ''})" if self.given else ""
        return f"{cells} of {self.where}: {self.param}{given}"

    def __str__(self) -> str:
        return str(Problem(self.cells, None, self.why, self.advice))


_GIVEN, _MODELS = 4, 3


@dataclass(frozen=True)
class Plan:
    """All cells of a sweep and the jobs that they come to."""

    axes: tuple[Axis, ...]
    fixed: Mapping[str, Any]
    names: tuple[str, ...]
    """The names of the axes, as they come in `Cell.values`."""
    cells: tuple[Cell, ...]
    jobs: tuple[Planned, ...]
    refused: tuple[Refusal, ...]
    left_out: int
    """Combinations that `where` does not keep."""
    dropped: Mapping[str, tuple[str, ...]]
    """Model to the params that it lacks and that were dropped."""
    files: Mapping[str, MediaFile]
    """The input files, by their hash."""

    @property
    def shared(self) -> int:
        """How many cells share a job with an earlier cell."""
        return sum(cell.job is not None for cell in self.cells) - len(self.jobs)

    @functools.cached_property
    def first(self) -> Mapping[int, int]:
        """The first cell of each job, by the job's place in `jobs`; its other cells are the same clip."""
        return {cell.job: number for number, cell in reversed([*enumerate(self.cells)]) if cell.job is not None}

    @property
    def id(self) -> str:
        """What the sweep is called: made from its jobs, so that the same jobs are the same sweep in every kernel."""
        digest = hashlib.sha256()
        for base_url, recipe_hash, take in sorted(job.key for job in self.jobs):
            digest.update(f"{base_url} {recipe_hash} {take}\n".encode())
        return digest.hexdigest()[:12]


def make_plan(
    axes: Sequence[Axis],
    fixed: Mapping[str, Any],
    *,
    keeps: Callable[[Values], bool] | None,
    unsupported: Unsupported,
    target: Callable[[str], Target],
) -> Plan:
    """Return the plan of these axes.

    Args:
        axes: as `axes.read` gives them.
        fixed: what is the same in every cell.
        keeps: whether a cell is part of the sweep.
        unsupported: what becomes of a param that a model lacks.
        target: returns where a provider's jobs are sent.

    Raises:
        ConfigError: there is no such model, or no key where one is asked for.
    """
    return _Planning(axes, fixed, keeps, unsupported, target).plan()


class _Planning:
    def __init__(
        self,
        axes: Sequence[Axis],
        fixed: Mapping[str, Any],
        keeps: Callable[[Values], bool] | None,
        unsupported: Unsupported,
        target: Callable[[str], Target],
    ) -> None:
        self.axes = tuple(axes)
        self.fixed = dict(fixed)
        self.names = tuple(name for axis in axes for name in axis.names)
        self.variables = axes_.variables(axes, fixed)
        self._everywhere = {name: _label_value(value) for name, value in self.fixed.items()}
        self._keeps = keeps
        self._unsupported = unsupported
        self._target = target
        self._seeds = next((place for place, axis in enumerate(axes) if axis.names == ("seed",)), None)
        self._families: dict[tuple[int, ...], Family] = {}
        self._where: dict[str, tuple[Model, str, bool]] = {}
        self._jobs: list[Planned] = []
        self._places: dict[Key, int] = {}
        self._refused: dict[tuple[str, ...], Refusal] = {}
        self._dropped: dict[str, set[str]] = {}
        self._files: dict[str, MediaFile] = {}
        self._older: set[str] = set()

    def plan(self) -> Plan:
        steps = itertools.product(*(range(len(axis)) for axis in self.axes))
        combinations = zip(steps, axes_.product(self.axes), strict=True)
        cells = [cell for at, given in combinations if (cell := self._cell(at, given)) is not None]
        for message in sorted(self._older):
            warnings.warn_explicit(message, OlderFormWarning, "vidnb", 1)
        return Plan(
            self.axes, self._everywhere, self.names, tuple(cells), tuple(self._jobs), tuple(self._refused.values()),
            math.prod(map(len, self.axes)) - len(cells),
            {model: tuple(sorted(names)) for model, names in self._dropped.items()}, self._files,
        )  # fmt: skip

    def _cell(self, at: tuple[int, ...], given: tuple[Any, ...]) -> Cell | None:
        """Return one cell; None where the condition leaves it out."""
        values = self.fixed | dict(zip(self.names, given, strict=True))
        entry, base_url, emulated = self._sent_to(values["model"])
        if isinstance(seed := values.get("seed"), PublishedSeed):
            param = entry.params.get("seed")
            values["seed"] = seed.within(param) if param is not None else seed.index + 1
        own = tuple(_label_value(values[name]) for name in self.names)
        if self._keeps is not None:
            seen = self._everywhere | dict(zip(self.names, own, strict=True))
            if not kept(self._keeps, seen):
                return None
        take = values.pop("take", 0)
        others = at if self._seeds is None else (*at[: self._seeds], *at[self._seeds + 1 :])
        recipe = family.with_seed(values["seed"]) if (family := self._families.get(others)) is not None else None
        if recipe is None:
            request = self._request(entry, emulated, values)
            if request is None:
                return Cell(at, own, None)
            recipe = (request.recipe.recipe_hash, request.params, request.recipe.images, request.dropped)
            if self._seeds is not None and (family := Family.of(request)) is not None:
                self._families[others] = family
        recipe_hash, recipe_params, images, dropped = recipe
        key = (base_url, recipe_hash, take)
        if (place := self._places.get(key)) is None:
            place = self._places[key] = len(self._jobs)
            self._jobs.append(
                Planned(entry.provider, entry.id, base_url, emulated, recipe_hash, take, recipe_params, images, dropped)
            )
        return Cell(at, own, place)

    def _sent_to(self, model_id: Any) -> tuple[Model, str, bool]:
        if not isinstance(model_id, str) or model_id not in self._where:
            entry = catalog.find(model_id)
            where = self._target(entry.provider)
            self._where[model_id] = (entry, where.base_url, where.emulated)
        return self._where[model_id]

    def _request(self, entry: Model, emulated: bool, values: Mapping[str, Any]) -> Request | None:
        """Return the validated request of a cell; None where it is refused."""
        given = {name: value.file if isinstance(value, Labelled) else value for name, value in values.items()}
        del given["model"]
        parts = {name: axes_.written(given.pop(name)) for name in self.variables}
        for name in ("prompt", "negative_prompt"):
            if parts and isinstance(text := given.get(name), str):
                given[name] = templates.filled(text, parts)
        request, problems = params.draft(entry, given, unsupported="drop" if self._unsupported == "drop" else "error")
        if entry.is_retired and not emulated:
            problems = [
                Problem("model", entry.id, f"out of service since {entry.retired_on or 'some time'}"),
                *problems,
            ]
        if problems:
            self._refuse(entry, problems)
            return None
        self._older.update(request.older)
        if request.dropped:
            self._dropped.setdefault(entry.id, set()).update(request.dropped)
        for items in request.media.values():
            self._files.update({item.sha256: item for item in items if isinstance(item, MediaFile)})
        return request

    def _refuse(self, entry: Model, problems: Sequence[Problem]) -> None:
        """Count the cell with others of the same trouble; the first problem of a cell is the one that is told."""
        problem = problems[0]
        key = (problem.field, problem.allowed, problem.advice)
        if key not in self._refused:
            lacks = problem.field not in entry.params and bool(catalog.load().having(problem.field))
            advice = problem.advice
            if problem.field == "seed" and lacks:
                advice = "takes=8 in place of seeds=8 samples a model without a seed"
            self._refused[key] = Refusal(problem.field, problem.allowed, advice)
        refusal = self._refused[key]
        refusal.count += 1
        refusal.models[entry.id] = None
        shown = str(problem.given)[:40] or '""'
        if problem.given is not None and shown not in refusal.given and len(refusal.given) < _GIVEN:
            refusal.given.append(shown)


@dataclass(frozen=True)
class Family:
    """Recipes that differ in nothing but the seed: the first is validated, the others follow from it.

    A sweep of 100,000 recipes is planned three times as quickly so.
    """

    request: Request
    seed: Param
    parts: tuple[str, str]
    """The canonical recipe before and after its seed."""

    @classmethod
    def of(cls, request: Request) -> Family | None:
        """Return the family of a request; None where another seed may change more than the seed."""
        seed = request.model.params.get("seed")
        if seed is None or seed.kind != "integer" or seed.choices or "seed" not in request.params:
            return None
        if any("seed" in repr(rule) for rule in request.model.rules):
            return None
        recipe = params.Recipe(request.model.id, {**request.params, "seed": _MARK}, request.recipe.images)
        parts = recipe.canonical().split(f'"seed":{_MARK}')
        return cls(request, seed, (parts[0], parts[1])) if len(parts) == 2 else None

    def with_seed(self, seed: Any) -> tuple[str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]] | None:
        """Return hash, params, images and dropped params of the recipe with this seed; None for an odd seed."""
        if type(seed) is not int or not (self.seed.min or 0) <= seed <= (self.seed.max or 0):
            return None
        text = f'{self.parts[0]}"seed":{seed}{self.parts[1]}'
        recipe_hash = hashlib.sha256(text.encode()).hexdigest()
        return recipe_hash, {**self.request.params, "seed": seed}, self.request.recipe.images, self.request.dropped


_MARK = 987_654_321_987_654_321
"""Placeholder for the seed: the recipe's text is split where it stands."""


def _label_value(value: Any) -> Any:
    """Return a value as a condition and a label see it: a picture by its name, a clip by its job."""
    if isinstance(value, Labelled):
        return value.label
    if value is None or isinstance(value, str | numbers.Number | list | tuple | dict):
        return value
    return axes_.label(value)
