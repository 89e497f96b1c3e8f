"""What differs between two clips, in words: their recipes, where they come from, and what was measured of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from vidnb.clip import Clip
from vidnb.display.grid.words import differing, facts, titles_of, words
from vidnb.display.page import MUTED, block, digits, join, line, seconds, shortened, tag
from vidnb.errors import VidnbError
from vidnb.media.measures import MEASURES
from vidnb.media.pictures import image_file
from vidnb.records import Job

PROMPT_SHOWN = 80
ALIKE = 0.01
"""Measures that are closer than this share of the larger one are the same."""

Values = Mapping[str, float | None]
"""Measures by name; None where a clip has no such value."""


@dataclass(frozen=True)
class Difference:
    """What differs between two clips, in sentences; `str()` is all of them.

    Attributes:
        recipe: what was asked for.
        lineage: where the clips come from, and whether they are the same file.
        measured: what came of it: size, length, price, time and measures; first of one, then of the other.
    """

    recipe: tuple[str, ...]
    lineage: tuple[str, ...]
    measured: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*self.recipe, *self.lineage, *self.measured])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        parts = (("Recipe", self.recipe), ("Lineage", self.lineage), ("Measured", self.measured))
        shown = (
            join([line(title, style=f"{MUTED};margin:6px 0 0"), *(tag("div", one, dir="auto") for one in sentences)])
            for title, sentences in parts
            if sentences
        )
        return str(block(*shown, style="margin:2px 0 10px"))


def difference(one: Clip | Job, other: Clip | Job, measures: tuple[Values, Values] = ({}, {})) -> Difference:
    """What differs between two clips or jobs.

    Args:
        one: the first.
        other: the second.
        measures: what was measured of both, by name.
    """
    jobs = (_job(one), _job(other))
    measured = (*_outcomes(one, other), *_measures(*measures))
    return Difference(tuple(_recipe(*jobs)), tuple(_lineage(one, other)), measured)


def _job(item: Clip | Job) -> Job:
    return item.job if isinstance(item, Clip) else item


def _recipe(one: Job, other: Job) -> Iterator[str]:
    both = (facts(one), facts(other))
    names = differing(both)
    if not names:
        yield "The recipes are the same."
        return
    if names == ["take"]:
        yield f"The recipes are the same; these are take {one.take} and take {other.take} of it."
        return
    titles = titles_of([one.model, other.model])
    if "prompt" in names:
        yield prompt_change(one.prompt, other.prompt)
    changed = [
        f"{words(name, both[0].get(name), titles)} → {_after(name, both[1].get(name), titles)}"
        for name in names
        if name != "prompt"
    ]
    if changed:
        yield f"{'Also' if 'prompt' in names else 'What'} differs: {'; '.join(changed)}."
    same = [name for name in both[0] if name not in names and name not in ("take", "public")]
    if "prompt" in same:
        yield "The prompts are the same."


def _after(name: str, value: Any, titles: Mapping[str, str]) -> str:
    """The second value, without repeating the name that stands before the first."""
    return words(name, value, titles).value


def prompt_change(one: str, other: str) -> str:
    """What one prompt says and the other does not."""
    before, after = one.split(), other.split()
    gone, come = [], []
    for tag_, first, last, start, end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag_ != "equal":
            gone.append(" ".join(before[first:last]))
            come.append(" ".join(after[start:end]))
    old, new = (shortened(" … ".join(filter(None, part)), PROMPT_SHOWN) for part in (gone, come))
    if not old:
        return f"The second prompt says “{new}” besides."
    if not new:
        return f"The second prompt leaves out “{old}”."
    return f"The second prompt says “{new}” instead of “{old}”."


def _lineage(one: Clip | Job, other: Clip | Job) -> Iterator[str]:
    first, second = _job(one), _job(other)
    if isinstance(one, Clip) and isinstance(other, Clip):
        if one.job.id == other.job.id:
            yield "They are the same clip."
        elif one.info.sha256 == other.info.sha256:
            yield "Their files are the same, byte for byte."
        elif first.recipe_hash == second.recipe_hash and first.params.get("seed") is not None:
            yield "Same recipe and seed, other pictures: the service does not keep to the seed, or has changed."
        for clip, job, which in ((one, second, ("second", "first")), (other, first, ("first", "second"))):
            for name, place in _from(clip, job):
                yield f"The {which[0]} has the {place} frame of the {which[1]} as its {name.replace('_', ' ')}."
    if first.emulated != second.emulated:
        made, real = ("first", "second") if first.emulated else ("second", "first")
        yield f"The {made} was made by the emulator, the {real} by a real service: compare neither price nor looks."
    after = (second.created_at - first.created_at).total_seconds()
    if after and first.id != second.id:
        yield f"The second was made {seconds(abs(after))} {'after' if after > 0 else 'before'} the first."


def _from(clip: Clip, job: Job) -> Iterator[tuple[str, str]]:
    """The inputs of a job that are the first or last frame of a clip."""
    inputs = {item["sha256"]: name for name, items in job.images.items() for item in items if "sha256" in item}
    if not inputs:
        return
    for place in ("first", "last"):
        with suppress(VidnbError, OSError):
            sha256 = image_file(clip.frame("last" if place == "last" else "first")).sha256
            if sha256 in inputs:
                yield inputs[sha256], place


def outcome(clip: Clip) -> dict[str, str]:
    """What came of a job, in words by name: size, length, frame rate, sound, price, how long it took, rating."""
    info, job = clip.info, clip.job
    charged = "free" if job.emulated else str(job.cost) if job.cost is not None else ""
    return {
        "size": f"{info.width_px}×{info.height_px}" if info.frames else "no picture",
        "length": f"{info.duration_s:g} s",
        "frame rate": f"{info.fps:g} fps" if info.frames else "",
        "sound": "yes" if info.has_audio else "no",
        "price": charged,
        "took": seconds((job.done_at - job.created_at).total_seconds()) if job.done_at else "",
        "rating": f"{job.rating} of 5" if job.rating else "none",
    }


def measure_words(values: Values, *, brief: bool = False) -> dict[str, str]:
    """Measures in words by name, as "23 % of height a second"; what is asked for most often comes first.

    Args:
        values: what was measured, by name.
        brief: True for short units, as "23 %/s".
    """
    known = [name for name in (*MEASURES, *sorted(set(values) - set(MEASURES))) if values.get(name) is not None]
    return {_name(name): _value(name, values[name] or 0.0, brief=brief) for name in known}


def _name(measure: str) -> str:
    return MEASURES[measure].words if measure in MEASURES else measure.replace("_", " ")


def _value(measure: str, value: float, *, brief: bool = False) -> str:
    about = MEASURES.get(measure)
    unit = "" if about is None else about.short_unit if brief or about.unit == "1/s" else about.unit
    return f"{digits(value)} {unit}".strip()


def _outcomes(one: Clip | Job, other: Clip | Job) -> Iterator[str]:
    """What came of both, where it differs; how it ended, where there is no clip."""
    if isinstance(one, Clip) and isinstance(other, Clip):
        after = outcome(other)
        for name, before in outcome(one).items():
            if before != after[name] and before and after[name]:
                yield f"{name}: {before} → {after[name]}"
    elif _job(one).state != _job(other).state:
        yield f"The first is {_job(one).state}, the second is {_job(other).state}."


def _measures(one: Values, other: Values) -> Iterator[str]:
    for name in [*(name for name in MEASURES if name in one), *sorted(set(one) - set(MEASURES))]:
        before, after = one.get(name), other.get(name)
        if before is None or after is None or math.isclose(before, after, rel_tol=ALIKE, abs_tol=1e-9):
            continue
        measure = MEASURES.get(name)
        gap = "" if not before else f" ({(after - before) / abs(before):+.0%})"
        verdict = ""
        if measure is not None and measure.better != "neither":
            verdict = ", better" if (after > before) == (measure.better == "higher") else ", worse"
        yield f"{_name(name)}: {digits(before)} → {_value(name, after)}{gap}{verdict}"
