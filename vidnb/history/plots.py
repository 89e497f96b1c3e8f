"""Plots of a history by matplotlib, which comes with `vidnb[plot]` and is imported at first use.

An object that can be plotted hands over its numbers and is not imported here. Every plot takes `axes` to draw on and
gives them back, so that titles and colours can be changed as with any other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from vidnb.errors import ConfigError
from vidnb.history.need import needed
from vidnb.history.statistics import columns, sentences

if TYPE_CHECKING:
    import pandas as pd

    from vidnb.history.statistics.tables import Names

BLUE, AMBER, GREY = "#2f73bf", "#a86400", "#8a8a8a"
MOST_LABELS = 40


class Plots:
    """The plots of a history: `h.plot.heatmap(...)`, `h.plot.pairs(...)`, `h.plot.over_time(...)`."""

    def __init__(self, history: Any) -> None:
        """Keep the history that each plot reads; nothing is drawn yet."""
        self._history = history

    def __repr__(self) -> str:
        return "<Plots: .heatmap(rows, cols, value), .pairs(knob, on), .over_time(measure)>"

    def heatmap(self, rows: Names, cols: Names, value: str, axes: Any = None) -> Any:
        """The grid of `pivot` in colours, each number in its cell.

        Args:
            rows: as for `pivot`.
            cols: as for `pivot`.
            value: a column of numbers.
            axes: to draw on; default new ones.

        Returns:
            matplotlib's axes.

        Example:
            >>> vidnb.history(prompt="lighthouse").plot.heatmap("seed", "motion_strength", "motion")
        """
        return heatmap(self._history.pivot(rows, cols, value), value, axes)

    def pairs(self, knob: str, on: str, axes: Any = None, **how: Any) -> Any:
        """The pairs behind `effect` as joined dots.

        Args:
            knob: as for `effect`.
            on: one measure.
            axes: to draw on; default new ones.
            **how: `base`, `to`, `ignore`, as for `effect`.

        Returns:
            matplotlib's axes.
        """
        effect: Any = self._history.effect(knob, on, **how)
        if not hasattr(effect, "differences"):
            raise ConfigError(f"{knob!r} has several levels: name two with base= and to=")
        return pairs(effect, axes)

    def over_time(self, measure: str, by: str = "model", axes: Any = None) -> Any:
        """A measure over the time at which the clips were asked for, in one colour for each value of `by`.

        Args:
            measure: a column of numbers.
            by: the column that gives the colours.
            axes: to draw on; default new ones.

        Returns:
            matplotlib's axes.
        """
        return over_time(self._history.df, measure, by, axes)


def pairs(effect: Any, axes: Any = None) -> Any:
    """Each pair as two dots joined by a line; without pairs the mean of each recipe; of a slope each line's rise."""
    axes = axes or _new_axes()
    table = effect.differences
    if effect.is_slope:
        _slopes(effect, axes)
    else:
        for before, after in table[["base", "level"]].itertuples(index=False, name=None):
            axes.plot([0, 1], [before, after], color=BLUE if after >= before else AMBER, alpha=0.5, marker="o")
        axes.plot([0, 1], [table["base"].mean(), table["level"].mean()], color="black", linewidth=3, marker="o")
        axes.set_xticks([0, 1], [columns.label(effect.base), columns.label(effect.level)])
        axes.set_xlim(-0.3, 1.3)
        axes.set_xlabel(sentences.name_of(effect.knob))
        axes.set_ylabel(_axis(effect.measure, effect.unit))
    axes.set_title(_wrapped(sentences.parts(effect)[0]), fontsize="medium", loc="left")
    return axes


def _slopes(effect: Any, axes: Any) -> None:
    values = np.sort(effect.differences["difference"].to_numpy(dtype=float))
    axes.axvline(0, color=GREY, linestyle="--")
    axes.plot(values, np.arange(len(values)), "o", color=BLUE)
    if math.isfinite(effect.low):
        axes.plot([effect.low, effect.high], [-1, -1], color=AMBER, linewidth=4)
    axes.plot([effect.mean], [-1], "o", color=AMBER)
    axes.set_yticks([])
    axes.set_xlabel(f"{_axis(effect.measure, effect.unit)} for each 1 more of {sentences.name_of(effect.knob)}")


def heatmap(grid: pd.DataFrame, value: str, axes: Any = None) -> Any:
    """A grid of numbers in colours, each number in its cell while there are at most 40 rows and columns."""
    axes = axes or _new_axes()
    try:
        cells = grid.astype("Float64").to_numpy(dtype=float, na_value=math.nan)
    except (TypeError, ValueError):
        raise ConfigError(f"{value!r} cannot be drawn in colours: its values are no numbers") from None
    image = axes.imshow(np.ma.masked_invalid(cells), aspect="auto", cmap="viridis")
    down, across = cells.shape
    if max(down, across) <= MOST_LABELS:
        axes.set_xticks(range(across), [_label(name) for name in grid.columns], rotation=30, ha="right")
        axes.set_yticks(range(down), [_label(name) for name in grid.index])
        _numbers(cells, axes)
    axes.set_xlabel(", ".join(sentences.name_of(name) for name in grid.columns.names))
    axes.set_ylabel(", ".join(sentences.name_of(name) for name in grid.index.names))
    axes.figure.colorbar(image, ax=axes, label=_axis(value, sentences.unit_of(value)))
    return axes


def _numbers(cells: Any, axes: Any) -> None:
    """Each number in its cell, dark on light colours and light on dark ones."""
    known = cells[np.isfinite(cells)]
    if not known.size:
        return
    middle = (known.min() + known.max()) / 2
    places = sentences.decimals(float(np.ptp(known)) or float(np.abs(known).max()))
    for row, column in zip(*np.nonzero(np.isfinite(cells)), strict=True):
        number = cells[row, column]
        colour = "black" if number > middle else "white"
        axes.text(column, row, f"{number:.{places}f}", ha="center", va="center", color=colour)


def over_time(frame: pd.DataFrame, measure: str, by: str, axes: Any = None) -> Any:
    """A measure over the time at which the clips were asked for; emulated clips as hollow dots."""
    axes = axes or _new_axes()
    columns.checked(frame, [measure, by, "created_at"])
    values = columns.numbers(frame, measure)
    rows = frame.assign(_value=values)[values.notna()]
    if rows.empty:
        raise ConfigError(f"no clip here has a value of {measure}; h.measure() measures them")
    for place, (name, part) in enumerate(rows.groupby(columns.comparable(rows[by]), observed=True, sort=True)):
        emulated = part["emulated"].fillna(False).astype(bool) if "emulated" in part else part["_value"].isna()
        colour = f"C{place % 10}"
        for some, face in ((part[~emulated], colour), (part[emulated], "none")):
            if len(some):
                kind = "emulated" if face == "none" else ""
                label = ", ".join(text for text in (columns.label(name), kind) if text)
                axes.scatter(some["created_at"], some["_value"], facecolors=face, edgecolors=colour, label=label)
    axes.set_ylabel(_axis(measure, sentences.unit_of(measure)))
    axes.set_xlabel("asked for (UTC)")
    axes.legend(title=sentences.name_of(by), fontsize="small")
    axes.figure.autofmt_xdate()
    return axes


def _new_axes() -> Any:
    pyplot = needed("matplotlib.pyplot", "Plots need matplotlib", "plot")
    return pyplot.subplots(layout="constrained")[1]


def _axis(measure: str, unit: str) -> str:
    return f"{sentences.name_of(measure)} ({unit})" if unit else sentences.name_of(measure)


def _label(name: Any) -> str:
    return ", ".join(map(columns.label, name)) if isinstance(name, tuple) else columns.label(name)


def _wrapped(text: str, width: int = 64) -> str:
    """The text in lines, its dollar signs as such: matplotlib would typeset what stands between two."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width)).replace("$", r"\$")
