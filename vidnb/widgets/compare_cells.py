"""What the page of the compare view is told of each cell: a clip and its words, or why there is none and what to do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidnb import catalog
from vidnb.client.asynchronous import AsyncClient
from vidnb.clip import Clip
from vidnb.display.cards import retry_is_sensible
from vidnb.display.clips import cost_words, recipe_code
from vidnb.display.differences import Values, measure_words, outcome
from vidnb.display.grid import Cell, Grid
from vidnb.display.grid.inputs import input_pictures
from vidnb.display.grid.pivot import Head, is_waiting
from vidnb.display.grid.words import label_of
from vidnb.display.labels import WINNER
from vidnb.display.page import shortened
from vidnb.errors import VidnbError
from vidnb.params import draft
from vidnb.records import Cost, Job, Quote, State
from vidnb.widgets.player import CODE_SHOWN, file_measures, sendable, served

ASK_ABOVE_USD = 1.0
ALIKE = 1.3
"""Shapes that differ by no more than this share one; else all stand in wide cells."""
MEASURES_FIRST = 4
"""So many measures stand before size, price and time in the list beside two clips, the others after them."""
WHY_SHOWN, PROMPT_SHOWN = 160, 300


@dataclass(frozen=True)
class Plan:
    """What a place without a clip would take: the arguments of a submit, and its price; or why it cannot be.

    Attributes:
        request: arguments of `submit`, `model` among them; {} where it cannot be run.
        quote: its price; None where it cannot be run.
        problem: why it cannot be run, in a sentence; "" where it can.
    """

    request: Mapping[str, Any]
    quote: Quote | None = None
    problem: str = ""


def plan(grid: Grid, cell: Cell, client: AsyncClient) -> Plan:
    """Return recipe and price for a place without a clip: a neighbour's recipe, changed as row and column say."""
    donor, other = _donors(grid, cell)
    if donor is None:
        return Plan({}, problem="Nothing in this row or column was run, so there is no recipe to go by.")
    try:
        if cell.job is None and any(
            name in grid.labels for name in (*grid.rows[cell.row].values, *grid.columns[cell.column].values)
        ):
            return Plan({}, problem="A part of a sweep's prompt stands here: s.run() makes what is missing.")
        values = _values(grid, cell, donor, other, client)
        model, take = values.pop("model"), values.pop("take", 0)
        entry = catalog.find(model)
        if lacking := [name for name in values if name not in entry.params]:
            words = " and ".join(label_of(name) or name.replace("_", " ") for name in lacking)
            return Plan({}, problem=f"{grid.titles.get(model, entry.title)} takes no {words}.")
        _, problems = draft(entry, values)
        if problems:
            return Plan({}, problem=str(problems[0]))
        request = {"model": model, **values, **({"take": take} if take else {})}
        return Plan(request, client.quote(**request))
    except VidnbError as error:
        return Plan({}, problem=str(error))


def _donors(grid: Grid, cell: Cell) -> tuple[Job | None, Job | None]:
    """The job whose recipe a place takes over (of its column, its row, or any), and one of its row."""
    jobs = [(other, other.job) for other in grid.cells if other.job is not None]
    column = next((job for other, job in jobs if other.column == cell.column), None)
    row = next((job for other, job in jobs if other.row == cell.row), None)
    return (cell.job or column or row or (jobs[0][1] if jobs else None)), row


def _values(grid: Grid, cell: Cell, donor: Job, other: Job | None, client: AsyncClient) -> dict[str, Any]:
    """The arguments of the submit: the donor's, with what the place's row and column say."""
    values: dict[str, Any] = {"model": donor.model, "take": donor.shown_take, **client.request(donor)}
    if cell.job is not None:
        return values
    wanted = {**grid.rows[cell.row].values, **grid.columns[cell.column].values}
    of_row = client.request(other) if other is not None else {}
    for name, value in wanted.items():
        if name == "size":
            values |= dict(zip(("width_px", "height_px"), value or (None, None), strict=True))
        elif name in of_row and name in grid.rows[cell.row].values:
            values[name] = of_row[name]  # inputs are files, which the words of a row only name
        else:
            values[name] = value
    return {name: value for name, value in values.items() if value is not None}


def cell_facts(grid: Grid, at: int, plans: Mapping[int, Plan], measures: Mapping[str, Values]) -> dict[str, Any]:
    """What the page is told of one place.

    Args:
        grid: what stands where.
        at: which of its cells.
        plans: what gaps would take, by cell.
        measures: what was measured, by the hash of the file.
    """
    cell = grid.cells[at]
    common = {"row": cell.row, "column": cell.column, "name": sendable(cell.name)}
    if cell.clip is not None and cell.clip.info.frames:
        return common | _clip(cell.clip, measures.get(cell.clip.info.sha256, {}))
    gap = _no_picture(cell.clip) if cell.clip is not None else _gap(cell, plans.get(at))
    return common | {name: sendable(value) if isinstance(value, str) else value for name, value in gap.items()}


def _no_picture(clip: Clip) -> dict[str, Any]:
    """The words for a clip of which nothing can be seen, as one that is sound only."""
    why = clip.info.note or "There is no video in it."
    word = "Sound only" if clip.info.has_audio else "No picture"
    return {"state": "no picture", "word": word, "why": shortened(why, WHY_SHOWN), "tone": "warn", "id": clip.job.id}


def _clip(clip: Clip, values: Values) -> dict[str, Any]:
    info, job = clip.info, clip.job
    code = recipe_code(clip)
    known, brief = measure_words(values), list(measure_words(values, brief=True).items())
    came = outcome(clip)
    return {
        "state": "clip",
        "id": job.id,
        "video": served(clip),
        "measures": file_measures(info),
        "has_audio": info.has_audio,
        "rating": job.rating,
        "winner": WINNER in job.tags,
        "code": sendable(code) if len(code) <= CODE_SHOWN else "",
        "facts": list(map(" ".join, list(known.items())[:3])) or list(came.values())[:3],
        "measured": [
            [name, value]
            for name, value in [*brief[:MEASURES_FIRST], *came.items(), *brief[MEASURES_FIRST:]]
            if value and name != "rating"
        ],
    }


def _gap(cell: Cell, made: Plan | None) -> dict[str, Any]:
    """The words of a place without a clip, and its button."""
    job = cell.job
    if job is None:
        if made is not None and made.problem:
            return {
                "state": "unsupported",
                "word": "Not possible",
                "why": shortened(made.problem, WHY_SHOWN),
                "tone": "",
            }
        return {"state": "not run", "word": "Not run", "why": "", "tone": "", **_button("Run", made)}
    if is_waiting(job.job if isinstance(job, Clip) else job):
        return {"state": "running", "word": "Running", "why": "", "tone": "", "id": job.id}
    if job.state is State.AMBIGUOUS:
        why = f"Not known whether it was charged; vidnb.settle({job.id[:8]!r}, ...) decides it."
        return {"state": "unclear", "word": "Unclear", "why": why, "tone": "warn", "id": job.id}
    if job.state is State.CANCELLED:
        return {"state": "cancelled", "word": "Cancelled", "why": "", "tone": "", "id": job.id, **_button("Run", made)}
    return {"id": job.id, **_failed(job, made)}


def _failed(job: Job, made: Plan | None) -> dict[str, Any]:
    error = job.error or {}
    charged = error.get("charged")
    paid = f"Charged {cost_words(job) or ''}".strip() + "." if charged else "Not charged." if charged is False else ""
    if job.emulated:
        paid = "Not charged."
    message = shortened(str(error.get("message") or "The service gave no reason"), WHY_SHOWN).rstrip(".")
    why = f"{message[:1].upper()}{message[1:]}. {paid}".strip()
    if not retry_is_sensible(job):
        return {
            "state": "refused",
            "word": "Refused",
            "why": why,
            "tone": "bad",
        }  # the same again would be refused again
    return {"state": "failed", "word": "Failed", "why": why, "tone": "bad", **_button("Try again", made)}


def _button(word: str, made: Plan | None) -> dict[str, Any]:
    if made is None or made.quote is None:
        return {}
    usd = made.quote.cost.usd if made.quote.cost is not None else None
    unknown = made.quote.cost is None
    return {
        "run": word,
        "price": made.quote.words,
        "unknown": unknown,
        "ask": unknown or (usd or 0) > ASK_ABOVE_USD,
    }


def missing(plans: Mapping[int, Plan]) -> dict[str, Any] | None:
    """What all the places that could be run cost together; None where there is none."""
    quotes = {at: made.quote for at, made in plans.items() if made.quote is not None}
    if not quotes:
        return None
    unknown = any(quote.cost is None for quote in quotes.values())
    costs = [quote.cost for quote in quotes.values() if quote.cost is not None and quote.cost.amount]
    units = {cost.unit for cost in costs}
    if unknown:
        price = "price unknown"
    elif not costs:
        price = "free"
    else:
        sums = [sum(cost.amount for cost in costs if cost.unit == unit) for unit in sorted(units)]
        sure = all(quote.certainty == "exact" for quote in quotes.values())
        price = ("" if sure else "about ") + " + ".join(
            Cost(amount, unit).as_sum for unit, amount in zip(sorted(units), sums, strict=True)
        )
    usd = math.fsum(cost.amount for cost in costs if cost.unit == "USD")
    return {
        "ats": list(quotes),
        "price": price,
        "unknown": unknown,
        "ask": unknown or usd > ASK_ABOVE_USD or units > {"USD"},
    }


def head(grid: Grid) -> dict[str, Any]:
    """What the page is told of the grid as a whole, without its cells."""
    clips = [clip for clip in grid.clips if clip.info.frames]
    sizes = {(clip.info.width_px, clip.info.height_px) for clip in clips}
    lengths = {(clip.info.duration_s, clip.info.fps, clip.info.frames) for clip in clips}
    pictures = input_pictures(clips)
    words = [f"same {one.label}" if one.value in pictures else str(one) for one in grid.common]
    if len(sizes) == 1:
        words.append("×".join(map(str, *sizes)))
    if len(lengths) == 1:
        duration_s, fps, _ = next(iter(lengths))
        words += [word for word in (f"{duration_s:g} s", f"{fps:g} fps") if word not in words]
    return {
        "prompt": sendable(shortened(grid.prompt, PROMPT_SHOWN)),
        "label": sendable(_label(grid)),
        "common": list(map(sendable, words)),
        "marks": list(grid.marks),
        "nsfw": any(clip.job.nsfw for clip in clips),
        "ratio": _ratio(clips),
        "uneven": len(lengths) > 1,
        "wrapped": grid.wrapped,
        "left_out": grid.left_out,
        "rows": [_head(one, pictures) for one in grid.rows],
        "columns": [_head(one, pictures) for one in grid.columns],
    }


def _ratio(clips: Sequence[Clip]) -> float:
    """Width to height of the cells: that of most clips, so that as few as possible have an empty edge."""
    shapes = Counter(round(clip.info.width_px / max(clip.info.height_px, 1), 3) for clip in clips)
    return shapes.most_common(1)[0][0] if shapes and max(shapes) / min(shapes) < ALIKE else 16 / 9


def _head(one: Head, pictures: Mapping[str, str]) -> dict[str, Any]:
    words = [{"label": sendable(part.label), "value": sendable(part.value)} for part in one.words]
    for told in words:
        if told["value"] in pictures:
            told["picture"] = pictures[told["value"]]
    return {
        "words": words,
        "more": [sendable(str(part)) for part in one.more],
    }


def _label(grid: Grid) -> str:
    """What stands down and across, as a screen reader says it: "seed down, model across"."""
    down, across = (_plural(heads) for heads in (grid.rows, grid.columns))
    return ", ".join(f"{names} {where}" for names, where in ((down, "down"), (across, "across")) if names) or "Clips"


def _plural(heads: Sequence[Any]) -> str:
    names = dict.fromkeys(name for one in heads for name in one.values)
    return " and ".join(f"{label_of(name) or name.removesuffix('_s').replace('_', ' ')}s" for name in names)
