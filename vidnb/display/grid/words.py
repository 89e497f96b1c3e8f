"""What tells clips apart, in words for a person: the words of the form, never the names of the code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from vidnb import catalog
from vidnb.catalog.words import choice
from vidnb.display.page import shortened
from vidnb.errors import ConfigError
from vidnb.records import Job, input_name

LABELS = {
    "motion_strength": "strength",
    "duration_s": "",
    "aspect_ratio": "",
    "resolution": "",
    "size": "",
    "model": "",
    "provider": "",
    "prompt": "",
    "fps": "",
    "audio": "",
    "public": "",
    "prompt_enhance": "prompt enhance",
    "num_frames": "frames",
}
"""What stands before a value; "" where the value says by itself what it is."""
UNITS = {"duration_s": " s", "fps": " fps"}
SWITCHES = {"audio": ("silent", "with sound"), "public": ("private", "public")}
SIZE = ("width_px", "height_px")
VALUE_LETTERS = 60
FIRST = ("prompt", "model")


@dataclass(frozen=True)
class Words:
    """One value as it stands at a row, a column or a clip: "seed" and "7", or "" and "Motion 2.0"."""

    label: str
    value: str

    def __str__(self) -> str:
        return f"{self.label} {self.value}".strip()


def facts(job: Job) -> dict[str, Any]:
    """All that a recipe says, by name: `model`, the params, `size` for width and height, inputs by hash, `take`."""
    found = {name: value for name, value in job.params.items() if value is not None}
    if all(found.get(name) for name in SIZE):
        found["size"] = [found.pop(name) for name in SIZE]
    inputs = {name: [input_name(item) for item in items] for name, items in job.images.items()}
    return {"model": job.model, **found, **inputs, "take": job.shown_take}


def key(value: Any) -> str:
    """A text that is the same for the same value; 7 and 7.0 are the same value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=str)


def differing(all_facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names whose values differ, in reading order."""
    names = dict.fromkeys([*FIRST, *(name for one in all_facts for name in one if name != "take"), "take"])
    return [name for name in names if len({key(one.get(name)) for one in all_facts}) > 1]


def implied(name: str, by: Iterable[str], all_facts: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the other names already determine this one: for each of their values it has a single value."""
    others = list(by)
    seen: dict[str, str] = {}
    for one in all_facts:
        there = key([one.get(other) for other in others])
        if seen.setdefault(there, key(one.get(name))) != key(one.get(name)):
            return False
    return bool(others)


def label_of(name: str) -> str:
    """What stands before a value: "seed", "strength"; "" where the value says what it is."""
    return LABELS.get(name, name.replace("_", " "))


def words(name: str, value: Any, titles: Mapping[str, str] | None = None) -> Words:
    """A value in words.

    Args:
        name: of the param, or `model`, `size`, `take`.
        value: as in `facts`; None where it was left open.
        titles: what models are called, as from `titles_of`.
    """
    label = label_of(name)
    if value is None:
        return Words(label or name.replace("_", " ").removesuffix(" s"), "open" if name == "seed" else "not given")
    if name == "model":
        return Words("", (titles or {}).get(str(value)) or str(value))
    if name == "size" and isinstance(value, list):
        return Words("", "×".join(map(str, value)))
    if name in SWITCHES and isinstance(value, bool):
        return Words("", SWITCHES[name][value])
    return Words(label, _text(value) + UNITS.get(name, ""))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return shortened(" ".join(map(_text, value.values())), VALUE_LETTERS)
    if isinstance(value, list | tuple):
        return shortened(", ".join(map(_text, value)), VALUE_LETTERS)
    return shortened(f"{value:g}" if isinstance(value, float) else choice(value), VALUE_LETTERS)


def titles_of(models: Iterable[str]) -> dict[str, str]:
    """What a person calls each model; where two have one title, the service or its API tells them apart."""
    try:
        known = catalog.load()
    except ConfigError:  # a broken file in VIDNB_CATALOG must not hide the clips
        return {}
    entries = {model: known[model] for model in dict.fromkeys(models) if model in known}
    titles = {model: entry.title for model, entry in entries.items()}
    for told in map(attrgetter, ("service", "api", "name")):
        same = {title for title in titles.values() if list(titles.values()).count(title) > 1}
        alike = {title: [entries[model] for model in titles if titles[model] == title] for title in same}
        for model, title in list(titles.items()):
            if title in same and len({told(entry) for entry in alike[title]}) > 1:
                titles[model] = f"{title} · {told(entries[model])}"
    return titles
