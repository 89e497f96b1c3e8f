"""How a model is loaded and called, from `recipes.toml`, and whether a clip fits into this machine's memory."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidnb.catalog import Model

WAYS = ("full", "model", "sequential")
"""Ways to share the memory between card and machine, the quickest first."""
USED = 0.95
"""This part of a card's memory is counted on; the rest is the driver's and the desktop's."""
ACTIVATIONS = 0.5
"""This part of the memory grows with pixels and frames; the rest is weights. A guess, to be measured."""


@dataclass(frozen=True)
class Recipe:
    """How one model is loaded and called."""

    text: str = ""
    """The pipeline class that starts from words; "" for none."""
    image: str = ""
    """The one that starts from a picture."""
    dtype: str = "bfloat16"
    parts: Mapping[str, str] = field(default_factory=dict)
    """Parts that have another precision than the rest."""
    variant: str = ""
    """Which files of the repository, where it has several precisions."""
    scheduler: str = ""
    """A class that replaces the checkpoint's own scheduler."""
    flow_shift: Mapping[str, float] = field(default_factory=dict)
    """What the scheduler is told for small and for large pictures where the order says nothing."""
    shift: str = "flow_shift"
    """How the scheduler calls that."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """What every call gets."""
    fps: str = ""
    """Under which name the model is told the frame rate; "" where it does not ask."""
    tiling: bool = False
    """Decode in tiles: less memory, and faint seams."""
    sound: bool = False
    """Whether the clip has sound."""
    memory_gb: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Device:
    """Where a renderer works, as it told."""

    name: str
    kind: str
    """`cuda`, `mps` or `cpu`."""
    memory_bytes: int
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def memory_gb(self) -> float:
        """Return the memory in GB, as people count it."""
        return self.memory_bytes / 1e9


@functools.cache
def recipes() -> Mapping[str, Recipe]:
    """Return all recipes by the model's name in the catalogue."""
    told = tomllib.loads(Path(__file__).with_name("recipes.toml").read_text(encoding="utf-8"))
    found = {}
    for name, own in told["models"].items():
        values = {**told[own["family"]], **{key: value for key, value in own.items() if key != "family"}}
        found[name] = Recipe(**values)
    return found


def recipe_of(model: Model) -> Recipe:
    """Return how a model is loaded."""
    return recipes()[model.name]


def needed_gb(recipe: Recipe, model: Model, values: Mapping[str, Any], way: str) -> float | None:
    """Return about how much memory a clip needs in this way; None where nobody published a figure."""
    usual = recipe.memory_gb.get(way)
    if usual is None:
        return None
    larger = max(_voxels(model, values) / _voxels(model, {}), 1.0)
    return usual * (1 - ACTIVATIONS + ACTIVATIONS * larger)


def way_for(recipe: Recipe, model: Model, values: Mapping[str, Any], device: Device) -> str | None:
    """Return the quickest way in which a clip fits into the device's memory; None where it fits in none."""
    if device.kind != "cuda":
        ways: tuple[str, ...] = WAYS[:1]  # offloading goes from a card to the machine
    else:
        ways = WAYS
    for way in ways:
        needed = needed_gb(recipe, model, values, way)
        if needed is None or needed <= device.memory_gb * USED:
            return way
    return None


def refusal(recipe: Recipe, model: Model, values: Mapping[str, Any], device: Device) -> str:
    """Return why a clip is not begun on this device, in words; "" where it fits."""
    if way_for(recipe, model, values, device) is not None:
        return ""
    ways = WAYS if device.kind == "cuda" else WAYS[:1]
    needed = min(filter(None, (needed_gb(recipe, model, values, way) for way in ways)))
    usual = min(filter(None, (needed_gb(recipe, model, {}, way) for way in ways)))
    smaller = "; fewer frames or a smaller size need less" if usual <= device.memory_gb * USED else ""
    return (
        f"{model.title} needs about {needed:.0f} GB for this clip, and {device.name} has {device.memory_gb:.0f} GB"
        f"{smaller}. If you know better: vidnb gpu --memory-gb"
    )


def work_of(model: Model, values: Mapping[str, Any]) -> float:
    """Return a measure of how long a clip takes to render, beside other clips of the model: steps times voxels."""
    return float(values.get("steps") or 1) * _voxels(model, values)


def _voxels(model: Model, values: Mapping[str, Any]) -> float:
    """Return pixels times frames, with the usual ones where the values say nothing."""
    param = model.params["num_frames"]
    usual = param.service_default if param.default is None else param.default
    width, height = model.size_default or (832, 480)
    frames = values.get("num_frames") or usual
    return float((values.get("width_px") or width) * (values.get("height_px") or height) * frames)
