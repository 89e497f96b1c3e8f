"""Puts clips into rows and columns by what tells them apart, so that each cell holds one of them or a gap.

What passes through: clips and jobs -> facts of their recipes -> two axes -> cells. No clip is hidden: where two would
share a cell, the rows are told apart by one more fact.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vidnb import arguments
from vidnb.clip import Clip
from vidnb.display.grid.words import Words, differing, facts, implied, key, titles_of, words
from vidnb.errors import ConfigError
from vidnb.records import Job, State, marks_of

MOST_CELLS = 64
WIDEST_ROW = 4
"""So many clips that differ in one thing stand in one row; more are wrapped."""

Item = Clip | Job
Axis = str | Sequence[str] | Mapping[str, Sequence[Any]] | None


@dataclass(frozen=True)
class Head:
    """A row or a column.

    Attributes:
        values: by name, the values that its clips have.
        words: the same in words.
        more: what its clips have in common besides, and others have not.
    """

    values: Mapping[str, Any]
    words: tuple[Words, ...]
    more: tuple[Words, ...] = ()

    def __str__(self) -> str:
        return " · ".join(map(str, self.words))


@dataclass(frozen=True)
class Cell:
    """A place in the grid, with the clip or job that belongs there; None where nothing was run."""

    row: int
    column: int
    item: Item | None
    name: str
    """What tells it apart from all others, as "seed 7 · Motion 2.0"."""

    @property
    def clip(self) -> Clip | None:
        """The clip, where there is one."""
        return self.item if isinstance(self.item, Clip) else None

    @property
    def job(self) -> Job | None:
        """The job, where there is one."""
        return self.item.job if isinstance(self.item, Clip) else self.item


@dataclass(frozen=True)
class Grid:
    """Clips in rows and columns.

    Attributes:
        rows: the rows from the top; a single one without words where the clips are wrapped.
        columns: the columns from the left; without words where the clips are wrapped.
        cells: row by row.
        common: what all clips share, in words; the prompt is not among them.
        prompt: the prompt that all share, or "".
        titles: what the models are called.
        left_out: how many places there would be more.
        wrapped: True where places mean nothing and each cell is told apart by its own name.
        labels: the names that are no params.
    """

    rows: tuple[Head, ...]
    columns: tuple[Head, ...]
    cells: tuple[Cell, ...]
    common: tuple[Words, ...]
    prompt: str
    titles: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    wrapped: bool = False
    labels: tuple[str, ...] = ()

    @property
    def clips(self) -> list[Clip]:
        """The clips, row by row."""
        return [cell.clip for cell in self.cells if cell.clip is not None]

    @property
    def marks(self) -> tuple[str, ...]:
        """What must be said of some of them: EMULATED, REPLAYED, IMPORTED."""
        return marks_of(cell.job for cell in self.cells if cell.job is not None)


Labels = Mapping[str, Mapping[str, Any]]
"""More that is known of jobs, by id and name, as the parts of a sweep's prompt; rows and columns may name it."""


def pivot(items: Iterable[Item], rows: Axis = None, cols: Axis = None, labels: Labels | None = None) -> Grid:
    """The items in rows and columns.

    Args:
        items: clips and jobs, newest first.
        rows: what tells rows apart: a param (`"seed"`), `"model"`, `"take"`, several of them, or a dict of one name
            with the values to show (`{"seed": [3, 7, 11]}`); None chooses by what differs.
        cols: the same for columns.
        labels: more that is known of the jobs.

    Raises:
        ConfigError: there is nothing to show, or no item has such a param.
    """
    found = _worth_showing(list(items))
    if not found:
        raise ConfigError("there is nothing to compare: no clip and no job was given")
    given = _labels(labels)
    told = {_id(item): {**facts(_job(item)), **given.get(_id(item), {})} for item in found}
    seeds = {} if rows is not None or cols is not None else _own_seeds(told)
    if seeds:
        told = _counted(found, told)
    all_facts = list(told.values())
    differs = differing(all_facts)
    if implied("prompt", {name for own in given.values() for name in own}, all_facts):
        differs = [name for name in differs if name != "prompt"]  # its parts tell it, and each of them alone is less
    row_names, row_values = _names(rows, "rows", all_facts)
    col_names, col_values = _names(cols, "cols", all_facts)
    if both := [name for name in row_names if name in col_names]:
        raise ConfigError(f"rows and cols both name {', '.join(both)}; give each name to one of them")
    if rows is None and cols is None:
        row_names, col_names = _chosen(differs, all_facts)
        wrapped = not row_names and len(found) > WIDEST_ROW
    else:
        rest = [name for name in differs if not implied(name, [*row_names, *col_names], all_facts)]
        if rest and rows is None:
            row_names = rest[:1]
        elif rest and cols is None:
            col_names = [_preferred(rest, ("model", *rest))]
        wrapped = False
    if wrapped:
        return _with_seeds(_wrapped(found, told, differs), seeds)
    row_names = _all_apart(row_names, col_names, differs, all_facts)
    grid = _with_seeds(_table(found, told, differs, (row_names, row_values), (col_names, col_values)), seeds)
    return replace(grid, labels=tuple(dict.fromkeys(name for own in given.values() for name in own)))


def _job(item: Item) -> Job:
    return item.job if isinstance(item, Clip) else item


def _id(item: Item) -> str:
    return _job(item).id


def _own_seeds(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the seeds of the items by id where each has one of its own and something else differs, too; else nothing.

    So it is with seeds that were left open. As rows or columns they would leave all places empty but a diagonal.
    """
    seeds = {item_id: one["seed"] for item_id, one in told.items() if one.get("seed") is not None}
    is_own = 1 < len(seeds) == len(set(map(key, seeds.values())))
    others = set(differing(list(told.values()))) - {"seed", "take"}
    return seeds if is_own and others else {}


def _counted(items: list[Item], told: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the facts without seeds: those that are the same but for these are takes, as they were made."""
    counted: dict[str, dict[str, Any]] = {}
    takes: Counter[str] = Counter()
    for item in sorted(items, key=lambda one: (_job(one).created_at, _job(one).take)):
        rest = {name: value for name, value in told[_id(item)].items() if name not in ("seed", "take")}
        counted[_id(item)] = {**rest, "take": takes[key(rest)]}
        takes[key(rest)] += 1
    return {item_id: counted[item_id] for item_id in told}


def _with_seeds(grid: Grid, seeds: Mapping[str, Any]) -> Grid:
    """Return the grid with the seed of each clip in its name."""
    return replace(
        grid,
        cells=tuple(
            replace(cell, name=_name(cell.name, words("seed", seeds[_id(cell.item)])))
            if cell.item is not None and _id(cell.item) in seeds
            else cell
            for cell in grid.cells
        ),
    )


def _worth_showing(items: list[Item]) -> list[Item]:
    """Each item once; a job that came to nothing is left out where the same recipe has a clip."""
    once = {_id(item): item for item in items}
    made = {_job(item).recipe_hash for item in once.values() if isinstance(item, Clip)}
    return [item for item in once.values() if isinstance(item, Clip) or item.recipe_hash not in made or item.is_moving]


def _names(axis: Axis, where: str, all_facts: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, list[Any]]]:
    """The names of an axis, and the values that were asked for by name."""
    if axis is None:
        return [], {}
    values = {name: _values(where, name, wanted) for name, wanted in axis.items()} if isinstance(axis, Mapping) else {}
    names = list(values) if values else arguments.names(where, axis, '"seed"')
    known = list(dict.fromkeys(name for one in all_facts for name in one))
    for name in names:
        if name not in known and name not in values:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(f"{where}={name!r}: none of these clips has that; {hint}They have {', '.join(known)}")
    return names, values


def _values(where: str, name: str, wanted: Any) -> list[Any]:
    """The values that an axis is to show."""
    if isinstance(wanted, str | bytes) or not isinstance(wanted, Iterable):
        raise ConfigError(f"{where}={{{name!r}: {arguments.in_short(wanted)}}}: give its values in a list")
    return list(wanted)


def _labels(given: Any) -> Labels:
    labels = arguments.mapping("labels", given, '{job.id: {"animal": "koala"}}')
    return {job: arguments.mapping(f"labels[{job!r}]", own, '{"animal": "koala"}') for job, own in labels.items()}


def _chosen(differs: list[str], all_facts: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Rows and columns by what differs: models across, seeds down; nothing for a wrapped list."""
    free = [name for name in differs if name == "model" or not implied(name, ["model"], all_facts)]
    if "model" not in differs:
        free = differs
    if len(free) < 2:
        return [], free[:1]
    column = _preferred(free, ("model", "motion_strength"))
    row = _preferred([name for name in free if name != column], ("seed", "prompt"))
    return [row], [column]


def _preferred(names: Sequence[str], order: Iterable[str]) -> str:
    return next((name for name in order if name in names), names[0])


def _all_apart(
    row_names: list[str], col_names: list[str], differs: list[str], all_facts: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The names of the rows, and as many more as it takes for no two clips to share a cell."""
    names = list(row_names)
    for name in differs:
        if implied(name, [*names, *col_names], all_facts) if names or col_names else len(all_facts) < 2:
            continue
        if name not in col_names and name not in names:
            names.append(name)
    return names


def _table(
    items: list[Item],
    told: Mapping[str, Mapping[str, Any]],
    differs: list[str],
    by_row: tuple[list[str], dict[str, list[Any]]],
    by_column: tuple[list[str], dict[str, list[Any]]],
) -> Grid:
    titles = titles_of(
        [one["model"] for one in told.values()] + [*by_row[1].get("model", []), *by_column[1].get("model", [])]
    )
    rows, columns = (_heads(items, told, *axis, titles) for axis in (by_row, by_column))
    places: dict[tuple[str, str], Item] = {}
    for item in items:  # newest first: of two that nothing tells apart the newer one stays
        places.setdefault((_place(told[_id(item)], by_row[0]), _place(told[_id(item)], by_column[0])), item)
    most = max(1, MOST_CELLS // len(columns)) if columns else MOST_CELLS
    shown_columns = columns[:MOST_CELLS]
    shown = rows[:most]
    fact_list = list(told.values())
    spare = [name for name in differs if name not in by_row[0] and name not in by_column[0]]
    columns = [_with_more(head, by_column[0], spare, fact_list, titles) for head in shown_columns]
    cells = tuple(
        Cell(r, c, places.get((_place(row.values, by_row[0]), _place(column.values, by_column[0]))), _name(row, column))
        for r, row in enumerate(shown)
        for c, column in enumerate(columns)
    )
    return Grid(
        tuple(shown), tuple(columns), cells, *_common(fact_list, titles), titles,
        left_out=len(rows) * len(columns) - len(cells),
    )  # fmt: skip


def _place(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return key([values.get(name) for name in names])


def _name(*parts: Head | Words | str) -> str:
    return " · ".join(part for part in map(str, parts) if part)


def _heads(
    items: Sequence[Item],
    told: Mapping[str, Mapping[str, Any]],
    names: list[str],
    wanted: Mapping[str, list[Any]],
    titles: Mapping[str, str],
) -> list[Head]:
    """The rows or columns, numbers in order, all else as it was first made."""
    seen: dict[str, Mapping[str, Any]] = {}
    for item in sorted(items, key=lambda one: _job(one).created_at):
        seen.setdefault(_place(told[_id(item)], names), told[_id(item)])
    found = [{name: one.get(name) for name in names} for one in seen.values()]
    for name, values in wanted.items():
        known = {key(one[name]) for one in found}
        others = found[:1] or [dict.fromkeys(names)]
        found = [one for one in found if key(one[name]) in {key(value) for value in values}]
        found += [{**others[0], name: value} for value in values if key(value) not in known]
    found.sort(key=_order(names, wanted))
    return [Head(one, tuple(words(name, one[name], titles) for name in names)) for one in found]


def _order(names: list[str], wanted: Mapping[str, list[Any]]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    def rank(name: str, value: Any) -> tuple[int, float]:
        if name in wanted:
            return (0, [key(one) for one in wanted[name]].index(key(value)))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (1, value) if math.isfinite(value) else (2, 0)
        return (0, 0) if value is None else (2, 0)  # stable: what has no order stays as it was made

    return lambda one: tuple(rank(name, one[name]) for name in names)


def _with_more(
    head: Head, names: list[str], spare: list[str], all_facts: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> Head:
    """The column with what all its clips have and others have not."""
    own = [one for one in all_facts if _place(one, names) == _place(head.values, names)]
    more = [
        words(name, own[0][name], titles)
        for name in spare
        if own and own[0].get(name) is not None and len({key(one.get(name)) for one in own}) == 1 and name != "prompt"
    ]
    return Head(head.values, head.words, tuple(more[:3]))


def _common(all_facts: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> tuple[tuple[Words, ...], str]:
    """What all share, in words, and their prompt."""
    first = all_facts[0]
    same = [name for name in first if all(key(one.get(name)) == key(first[name]) for one in all_facts)]
    quiet = {"prompt", "take", "public", "prompt_enhance"}
    prompt = str(first["prompt"]) if "prompt" in same else ""
    return tuple(words(name, first[name], titles) for name in same if name not in quiet), prompt


def _wrapped(items: list[Item], told: Mapping[str, Mapping[str, Any]], differs: list[str]) -> Grid:
    """The items one after the other in a square, each with its own name."""
    fact_list = list(told.values())
    titles = titles_of(one["model"] for one in fact_list)
    heads = _heads(items, told, differs, {}, titles)
    by_place: dict[str, list[Item]] = {}
    for item in items:
        by_place.setdefault(_place(told[_id(item)], differs), []).append(item)
    ordered = [(head, item) for head in heads for item in by_place[_place(head.values, differs)]]
    width = min(WIDEST_ROW, math.ceil(math.sqrt(min(len(ordered), MOST_CELLS))))
    shown = ordered[:MOST_CELLS]
    cells = tuple(Cell(at // width, at % width, item, str(head)) for at, (head, item) in enumerate(shown))
    empty = Head({}, ())
    rows = (empty,) * math.ceil(len(shown) / width)
    return Grid(
        rows, (empty,) * width, cells, *_common(fact_list, titles), titles,
        left_out=len(ordered) - len(shown), wrapped=True,
    )  # fmt: skip


def is_waiting(item: Item | None) -> bool:
    """Whether the job of a place is still on its way."""
    return isinstance(item, Job) and item.state is not State.AMBIGUOUS and not item.is_terminal
