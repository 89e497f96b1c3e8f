"""Rows that differ in nothing but the knob, brought together.

A cell is one recipe at one level of the knob: its takes are averaged first. A pair is two cells of one recipe. A unit
is what chance drew once: the seed, as clips of one seed are no independent witnesses, whatever model made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vidnb.history.statistics import columns

if TYPE_CHECKING:
    import pandas as pd

FEWEST_SEEDS = 3
"""With fewer seeds than this the recipe is the unit, and what is found holds for these seeds only."""


def cells(rows: pd.DataFrame, knob: str, measure: str, others: Sequence[str]) -> pd.DataFrame:
    """One row a recipe and level of the knob, from rows in which neither the knob nor the measure is empty.

    Returns:
        Columns `recipe` (a number), `level`, `value` (mean of the takes), `takes`, `variance` (between takes, NaN for
        one) and `seed` (a number, -1 where the recipe has none).
    """
    keys = {f"key_{place}": columns.comparable(rows[name]) for place, name in enumerate(others)}
    table = rows[[measure]].assign(level=columns.comparable(rows[knob]), **keys)
    by = list(keys)
    table["recipe"] = table.groupby(by, dropna=False, observed=True, sort=False).ngroup() if by else 0
    seeds = rows["seed"] if "seed" in others else None
    table["seed"] = -1 if seeds is None else seeds.groupby(seeds, sort=False).ngroup()  # -1 for those without one
    grouped = table.groupby(["recipe", "level"], observed=True, sort=True)
    return grouped.agg(
        value=(measure, "mean"), takes=(measure, "size"), variance=(measure, "var"), seed=("seed", "first")
    ).reset_index()


def pairs(table: pd.DataFrame, base: Any, level: Any) -> pd.DataFrame:
    """The recipes that have a cell at both levels.

    Returns:
        One row a pair, with the columns `unit`, `base`, `level` and `difference`.
    """
    wide = table.pivot(index="recipe", columns="level", values="value")
    wide = wide.reindex(columns=[base, level]).set_axis(["base", "level"], axis="columns").dropna()
    return wide.assign(difference=wide["level"] - wide["base"], unit=_units(table, wide.index))


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """How much the measure rises for each 1 that the knob rises, a line through the levels of each recipe.

    Returns:
        One row a recipe with two levels or more: `unit`, `difference` (the slope) and `levels` (how many).
    """
    x, y = table["level"].astype(float), table["value"]
    recipes = table["recipe"]
    apart = x - x.groupby(recipes).transform("mean")
    rise = (apart * (y - y.groupby(recipes).transform("mean"))).groupby(recipes).sum()
    run = (apart**2).groupby(recipes).sum()
    there = run[run > 0].index
    slope = (rise[there] / run[there]).to_frame("difference")
    levels = table.groupby("recipe").size().reindex(there)
    return slope.assign(unit=_units(table, there), levels=levels)


def units(found: pd.DataFrame) -> np.ndarray[Any, Any]:
    """The mean difference of each unit (a seed or a recipe, see above); the interval is computed from these means."""
    return np.asarray(found.groupby("unit")["difference"].mean(), dtype=float)


def _units(table: pd.DataFrame, recipes: Any) -> Any:
    """The unit of each of these recipes: its seed, or the recipe itself where there are hardly any seeds."""
    seed = table.groupby("recipe")["seed"].first().reindex(recipes)
    if (seed >= 0).all() and seed.nunique() >= FEWEST_SEEDS:
        return seed
    return seed.index.to_series()


def noise(table: pd.DataFrame, others_but_seed: Any) -> float:
    """How much two clips differ on average that differ in their seed only; NaN where no two do.

    Args:
        table: the cells.
        others_but_seed: for each cell the number of its recipe without the seed.
    """
    distances, counts = 0.0, 0
    for _, values in table["value"].groupby([others_but_seed, table["level"]], observed=True):
        ordered = np.sort(np.asarray(values, dtype=float))
        size = len(ordered)
        if size > 1:  # the sum over all pairs, without all pairs
            distances += float(np.dot(2 * np.arange(size) - size + 1, ordered))
            counts += size * (size - 1) // 2
    return distances / counts if counts else float("nan")
