"""A sweep as one HTML page that reads like a lab report: question, plan, money, grid, effects, failures, recipes."""

from __future__ import annotations

import itertools
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vidnb.client.budget import Budget
from vidnb.clip import Clip
from vidnb.display.clips import clips_left_behind, poster_of
from vidnb.display.host import relative_url
from vidnb.display.labels import WINNER, many
from vidnb.display.page import Content, Html, data_uri, escape, join, mono, script_of, shortened, table, tag
from vidnb.errors import StoreError, VidnbError
from vidnb.history.history import History
from vidnb.history.statistics.cells import effects_html
from vidnb.history.statistics.effect import Effect
from vidnb.history.statistics.sentences import name_of
from vidnb.records import Job, State
from vidnb.sweeps import showing
from vidnb.sweeps.grid import cell_words, laid_out
from vidnb.sweeps.outlook import Group
from vidnb.sweeps.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

Clips = Literal["link", "embed", "posters"]
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 32px auto; padding: 0 20px; color: #1c1c1c; background: #fff; overflow-wrap: break-word; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 6px; border-bottom: 1px solid #ccc; }
.quiet { color: #595959; } table { border-collapse: collapse; } th { text-align: left; font-weight: 600; }
.grid { overflow-x: auto; } .grid td { padding: 2px; vertical-align: top; } .grid th { font-weight: 400; padding: 2px 12px 2px 0; min-width: 64px; max-width: 240px; overflow-wrap: anywhere; } .grid th:first-child { min-width: clamp(64px, 15vw, 150px); }
.grid :is(img, video) { width: var(--cell); height: auto; display: block; border-radius: 3px; background: #eee; }
bdi { unicode-bidi: isolate; } .gap { width: var(--cell); min-height: 56px; box-sizing: border-box; border: 1px dashed #999; border-radius: 3px; padding: 6px; font-size: 12px; color: #595959; }
figure { margin: 0; break-inside: avoid; } figcaption { font-size: 12px; color: #595959; max-width: var(--cell); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
@page { margin: 14mm 12mm; }
@media print { body { margin: 0; padding: 0; max-width: none; } .grid table { width: 100%; table-layout: fixed; } .grid tr:first-child th:first-child { width: 20%; } .grid :is(img, video), .gap, figcaption { width: 100%; max-width: var(--cell); } h2 { break-after: avoid; } tr, figure { break-inside: avoid; } .grid { overflow: visible; } summary { list-style: none; } details::details-content { content-visibility: visible; block-size: auto; } details td:last-child { overflow-wrap: anywhere; } }
"""  # noqa: E501  a style sheet
# Controls would hide a small picture: it plays under the pointer, and on click or Enter. Without scripts they stay.
SCRIPT = """
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
for (const video of document.querySelectorAll(".grid video")) {
  const toggle = () => video.paused ? video.play() : video.pause();
  video.removeAttribute("controls");
  video.tabIndex = 0;
  video.addEventListener("click", toggle);
  video.addEventListener("keydown", (event) => event.key === "Enter" && toggle());
  if (still || "flashes" in video.dataset) continue;
  video.addEventListener("pointerenter", () => video.play());
  video.addEventListener("pointerleave", () => video.pause());
}
"""
MOST_EFFECTS = 12
ROOM, WIDEST_CELL, NARROWEST_CELL = 880, 150, 72
"""Pixels: what the clips of a row share, and the bounds of one."""
MOST_RECIPES = 500


class Reported(showing.Sweep, Protocol):
    """What is told of a sweep: what is shown of it, what it cost and its jobs."""

    @property
    def money(self) -> Budget:
        """What it cost."""

    @property
    def history(self) -> History:
        """Its jobs."""

    @property
    def df(self) -> pd.DataFrame:
        """Its jobs as rows, with a column for each part of the prompt."""

    def effect_of_measured(self, knob: str, **options: Any) -> Any:
        """What a knob does to what was measured."""


def write(sweep: Reported, path: Path, clips: Clips, measures: Sequence[str] = ()) -> Path:
    """Return the path of the page that was written.

    Args:
        sweep: to tell of.
        path: of the file to write.
        clips: `link`, `embed` or `posters`.
        measures: names of what was measured in this folder.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # first: the page looks from there for the files of the clips
        page = _page(sweep, path, clips, measures)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".html", delete=False, encoding="utf-8") as file:
            file.write(page)
        Path(file.name).replace(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
    return path


def _page(sweep: Reported, path: Path, clips: Clips, measures: Sequence[str]) -> str:
    """Return the whole page."""
    title = shortened(showing.title(sweep.plan), 160)
    body = join([_head(sweep, title), *_sections(sweep, path, clips, measures)])
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    scripts = script_of("left_behind") + SCRIPT
    return f"{head}<style>{STYLE}</style></head><body>{body}<script>{scripts}</script></body></html>"


def _head(sweep: Reported, title: str) -> Html:
    emulated = bool(sweep.plan.jobs) and all(job.emulated for job in sweep.plan.jobs)
    counts = sweep.outlook.counts
    said = ", ".join(f"{counts[group]:,} {showing.WORDS[group]}" for group in Group if counts.get(group))
    mark = "EMULATED: no real service made these clips. " if emulated else ""
    return join([
        tag("h1", title, dir="auto"),
        tag("p", f"{mark}{said}.", **{"class": "quiet"}),
    ])  # fmt: skip


def _sections(sweep: Reported, path: Path, clips: Clips, measures: Sequence[str]) -> Iterator[Html]:
    yield _section("Question", _question(sweep.plan))
    yield _section("Plan", _plan(sweep))
    yield _section("Money", _money(sweep))
    yield _section("Clips", _grid(sweep, path, clips))
    if effects := list(_effects(sweep, measures)):
        yield _section("What the knobs do", join(effects))
    if sweep.outlook.causes or sweep.plan.refused:
        yield _section("Not done, by cause", _failures(sweep))
    yield _section("Recipes", _recipes(sweep))
    versions = f"vidnb {version('vidnb')}, Python {platform.python_version()}, {platform.system()}; sweep {sweep.id}"
    yield _section("Made with", tag("p", versions, **{"class": "quiet"}))


def _section(title: str, content: Content) -> Html:
    return tag("section", tag("h2", title), content)


def _question(plan: Plan) -> Html:
    varied = [
        f"{' and '.join(name.replace('_', ' ') for name in axis.names)}: {', '.join(words)}"
        for axis in plan.axes
        if len(axis) > 1
        for words in [[shortened(str(one), 60) for one in _first(axis.rows)]]
    ]
    fixed = [tag("bdi", f"{name} = {shortened(str(value), 200)}") for name, value in plan.fixed.items()]
    notes = [tag("li", words, dir="auto") for words in varied]
    same = tag("p", "The same in all: ", mono(join(fixed, "; "))) if fixed else None
    return join([tag("p", "What changes with:"), tag("ul", *notes), same])


def _plan(sweep: Reported) -> Html:
    """Which jobs it came to, and what must not be overlooked in a comparison."""
    size = f"{showing.size_words(sweep.plan)}, {many(len(sweep.plan.jobs), 'job')}. Budget: {sweep.budget_words}."
    notes = [words for words in showing.notes(sweep) if not words.startswith("EMULATED")]  # which the head says
    return join([tag("p", size), *(tag("p", words, **{"class": "quiet"}) for words in notes)])


def _first(rows: tuple[tuple[object, ...], ...]) -> list[str]:
    words = [", ".join(str(value) for value in row) for row in rows[:12]]
    return [*words, "…"] if len(rows) > 12 else words


def _money(sweep: Reported) -> Html:
    head = ("purse", "book", "cap", "spent", "reserved", "unclear", "left")
    rows = sweep.money.rows()
    cost = [
        f"still to run: {words if name == showing.COST else f'{name} {words}'}"
        for name, words in showing.cost_words(sweep.outlook.money, sweep.outlook.to_send)
    ]
    return join([table(head, rows) if rows else tag("p", "Nothing was spent."),
                 tag("p", "; ".join(cost), **{"class": "quiet"}) if sweep.outlook.to_send else None])  # fmt: skip


def _grid(sweep: Reported, path: Path, clips: Clips) -> Html:
    plan = sweep.plan
    grid = laid_out(plan)
    numbers = {place: number for number, place in grid.places.items()}
    items = list(sweep.history)
    by_recipe: dict[tuple[str, int], Clip | Job] = {}
    for item in reversed(items):
        job = item.job if isinstance(item, Clip) else item
        for recipe_hash in (job.recipe_hash, job.seeded_hash):
            if recipe_hash and not isinstance(by_recipe.get((recipe_hash, job.take)), Clip):
                by_recipe[recipe_hash, job.take] = item
    gone = clips_left_behind(path.parent, (_way(item, path, clips) for item in items if isinstance(item, Clip)))
    rows = []
    for row, names in enumerate(grid.rows):
        cells = [tag("th", shortened(" · ".join(names), 120), dir="auto")]
        for col in range(grid.cols):
            number = numbers.get(row * grid.cols + col)
            cells.append(tag("td", None if number is None else _cell(plan, number, by_recipe, path, clips)))
        rows.append(tag("tr", *cells))
    heads = [tag("th", text, colspan=grid.block) for text in grid.blocks]
    look = f"--cell: {min(WIDEST_CELL, max(NARROWEST_CELL, ROOM // max(grid.cols, 1)))}px"
    whole = tag("div", tag("table", tag("tr", tag("th"), *heads), *rows), style=look, **{"class": "grid"})
    return join([gone, whole])


def _cell(plan: Plan, number: int, by_recipe: Mapping[tuple[str, int], Clip | Job], path: Path, clips: Clips) -> Html:
    words, place = cell_words(plan, number), plan.cells[number].job
    if place is None:
        return tag("div", "refused", title=words, **{"class": "gap"})
    if plan.first[place] != number:
        return tag("div", f"the same clip as {cell_words(plan, plan.first[place])}", title=words, **{"class": "gap"})
    job = plan.jobs[place]
    item = by_recipe.get((job.recipe_hash, job.take))
    if not isinstance(item, Clip):
        state = getattr(item, "state", None)
        said = "not sent" if state is None else str(state)
        told = (getattr(item, "error", None) or {}).get("message", "") if state is State.FAILED else ""
        return tag("div", said, tag("br"), shortened(str(told), 90), title=words, **{"class": "gap"})
    poster = poster_of(item)
    picture = data_uri(poster, "image/webp") if poster else None
    verdict = ["★" * (item.rating or 0), "Winner" if WINNER in item.tags else ""]
    caption = tag("figcaption", " ".join(filter(None, [*verdict, f"job {item.job.id[:8]}"])))
    source = _source(item, path, clips)
    if source is None:
        return tag("figure", tag("img", src=picture, alt=words, title=words), caption)
    warned = {"data-flashes": ""} if item.flashes else {}
    video = tag(
        "video", src=source, poster=picture, title=words, controls=True, loop=True, muted=True, preload="none", **warned
    )
    return tag("figure", video, caption, tag("figcaption", "flashes: click plays it") if warned else None)


def _source(clip: Clip, path: Path, clips: Clips) -> str | None:
    """Return where the page finds the clip; None for a picture only."""
    try:
        if clips == "embed":
            return data_uri(clip.read(), "video/mp4")
    except VidnbError:  # gone
        return None
    way = _way(clip, path, clips)
    return None if way is None else relative_url(way)


def _way(clip: Clip, path: Path, clips: Clips) -> Path | None:
    """Return the way from the page to the clip's file; None where the page does not link to it."""
    try:
        if clips != "link" or (served := clip.served_path) is None:
            return None
        return Path(os.path.relpath(served.resolve(), path.parent.resolve()))
    except (VidnbError, ValueError):  # gone, or on another drive
        return None


def _effects(sweep: Reported, measures: Sequence[str]) -> Iterator[Html]:
    """Yield what each knob does to each measure that was taken: a sentence, and the pairs as a picture."""
    frame = sweep.df
    taken = [name for name in ("rating", *measures) if name in frame and frame[name].notna().sum() > 1]
    knobs = [name for axis in sweep.plan.axes if len(axis) > 1 for name in axis.names if name in frame.columns]
    knobs = [knob for knob in knobs if knob not in ("seed", "take", "prompt")]
    found, same = list[Effect](), list[str]()
    for measure, knob in itertools.product(taken, knobs):  # so that each knob has its share of the room
        if len(found) >= MOST_EFFECTS:
            break
        try:
            asked = sweep.effect_of_measured(knob, on=measure)
        except VidnbError:
            continue  # nothing to compare: too few pairs, or a column of text
        for effect in [asked] if isinstance(asked, Effect) else asked:
            if effect.low == effect.high == effect.mean == 0:
                same.append(f"{name_of(measure)} ({name_of(knob)})")
            else:
                found.append(effect)
    if found:
        yield Html(effects_html(sorted(found, key=lambda effect: knobs.index(effect.knob))))
    if same:
        yield tag("p", f"No difference at all: {', '.join(dict.fromkeys(same))}.", **{"class": "quiet"})


def _failures(sweep: Reported) -> Html:
    rows = [(f"{len(one.jobs):,}", one.words, one.charged) for one in sweep.outlook.causes]
    rows += [(f"{one.count:,}", str(one), "not sent") for one in sweep.plan.refused]
    return table(
        ("jobs", "what happened", "cost"), [(count, shortened(words, 300), cost) for count, words, cost in rows]
    )


def _recipes(sweep: Reported) -> Html:
    jobs = sweep.plan.jobs[:MOST_RECIPES]
    rows = [
        (mono(job.recipe_hash[:10]), mono(job.model), job.take, mono(shortened(repr(dict(job.params)), 400)))
        for job in jobs
    ]
    more = len(sweep.plan.jobs) - len(jobs)
    left = tag("p", f"and {more:,} more; s.df has all", **{"class": "quiet"}) if more > 0 else None
    return tag("details", tag("summary", f"{len(sweep.plan.jobs):,} recipes"),
                 table(("recipe", "model", "take", "params"), rows), left)  # fmt: skip
