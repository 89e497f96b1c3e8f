"""A sweep laid out as a grid: which axis stands down, which across, and where each cell lies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from vidnb import catalog
from vidnb.sweeps.axes import Axis, counted, label
from vidnb.sweeps.plan import Plan

REPEATS = (("seed",), ("take",))
MOST_ACROSS = 48
"""A second axis stands across, too, as long as no more columns than this come of it."""

MOST_NAMED = 12
"""Up to so many columns that are no seeds have their names above them."""


@dataclass(frozen=True)
class Grid:
    """Rows and columns for the cells of a plan."""

    rows: tuple[tuple[str, ...], ...]
    """The names of each row: a part for each axis that stands down."""
    cols: int
    blocks: tuple[str, ...]
    """The heads above the columns; each stands for `block` of them."""
    block: int
    groups: int
    """So many rows belong together: they share the first part of their name."""
    places: Mapping[int, int]
    """Number of a cell in the plan -> its place in the grid, row by row."""


def laid_out(plan: Plan) -> Grid:
    """Return the grid of a plan: repeats (seeds, takes) across, and one more axis where it fits; the others down."""
    axes = plan.axes
    across = [n for n, axis in enumerate(axes) if axis.names in REPEATS]
    others = [n for n in range(len(axes)) if n not in across]
    if not across and others:
        across = [max(others, key=lambda n: (len(axes[n]), n))]
        others.remove(across[0])
    inner = math.prod(len(axes[n]) for n in across)
    fitting = [n for n in others[1:] if len(axes[n]) > 1 and inner * len(axes[n]) <= MOST_ACROSS]
    second = next((n for n in reversed(fitting) if axes[n].names != ("model",)), None)
    down = [n for n in others if n != second]
    cols = inner * (len(axes[second]) if second is not None else 1)
    places: dict[int, int] = {}
    for number, cell in enumerate(plan.cells):
        row, col = 0, cell.at[second] if second is not None else 0
        for n in down:
            row = row * len(axes[n]) + cell.at[n]
        for n in across:
            col = col * len(axes[n]) + cell.at[n]
        places[number] = row * cols + col
    rows: list[tuple[str, ...]] = [()]
    for n in down:
        rows = [(*before, step) for before in rows for step in _steps(axes[n])]
    repeats = ", ".join(counted(axes[n]) for n in across)
    blocks = [repeats] if second is None else [f"{step}, {repeats}" for step in _steps(axes[second], named=True)]
    if second is None and inner <= MOST_NAMED and [axes[n].names for n in across if axes[n].names not in REPEATS]:
        blocks, inner = _steps(axes[across[0]], named=True), 1  # what differs is no seed, so each column has its name
    groups = math.prod(len(axes[n]) for n in down[1:])
    return Grid(tuple(rows), max(cols, 1), tuple(blocks), max(inner, 1), max(groups, 1), places)


def cell_words(plan: Plan, number: int) -> str:
    """Return what a person calls a cell: its values on the axes that vary."""
    parts = []
    for axis, step in zip(plan.axes, plan.cells[number].at, strict=True):
        if len(axis) == 1:
            continue
        if axis.names == ("seed",):
            parts.append(f"seed {plan.cells[number].values[plan.names.index('seed')]}")
        else:
            parts.append(_steps(axis, named=True)[step])
    return " · ".join(parts) or "the one cell"


def _steps(axis: Axis, *, named: bool = False) -> list[str]:
    """Return what a person calls each step of an axis."""
    return [", ".join(_value(name, value, named) for name, value in zip(axis.names, row, strict=True))
            for row in axis.rows]  # fmt: skip


def _value(name: str, value: object, named: bool) -> str:
    entry = catalog.load().get(value) if name == "model" and isinstance(value, str) else None
    if entry is not None:
        return entry.title
    words = label(value)
    is_number = isinstance(value, int | float)
    return f"{name.removeprefix('motion_control_').replace('_', ' ')} {words}" if named and is_number else words
