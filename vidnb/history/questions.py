"""What a history is asked: does a knob matter, where do differences come from, what stands in which cell of a grid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from vidnb import catalog
from vidnb.errors import ConfigError
from vidnb.history.frame import column_of

if TYPE_CHECKING:
    import pandas as pd

    from vidnb.history.plots import Plots
    from vidnb.history.statistics import Effect, Effects, Spread
    from vidnb.history.statistics.tables import Names


class Questions:
    """The questions to the rows in `df`; `History` answers them."""

    if TYPE_CHECKING:

        @property
        def df(self) -> pd.DataFrame:
            """The rows."""

        @property
        def param_names(self) -> list[str]:
            """The names of all params and inputs that any job has."""

    @property
    def plot(self) -> Plots:
        """The plots: `h.plot.heatmap(...)`, `h.plot.pairs(...)`, `h.plot.over_time(...)` (`vidnb[plot]`)."""
        from vidnb.history.plots import Plots

        return Plots(self)

    def pivot(self, rows: Names, cols: Names, value: str) -> pd.DataFrame:
        """A grid of one column's values as a DataFrame: seeds down and models across, say.

        Numbers are averaged where several clips fall into one cell, of anything else the newest is taken.

        Args:
            rows: the column, or columns, whose values go down.
            cols: the column, or columns, whose values go across.
            value: what stands in the cells: a measure, `rating`, `cost_usd`, `job_id` ...

        Raises:
            ConfigError: a name is wrong or stands twice, or emulated and real clips would fall into one cell.

        Example:
            >>> vidnb.history(prompt="lighthouse").pivot("seed", "model", "motion")
        """
        from vidnb.history import statistics

        return statistics.pivot(self.df, rows, cols, value)

    def effect(
        self,
        knob: str,
        on: Names,
        *,
        base: Any = None,
        to: Any = None,
        equal: float | None = None,
        ignore: Iterable[str] = (),
        frame: pd.DataFrame | None = None,
        also: Iterable[str] = (),
    ) -> Effect | Effects:
        """Return what a knob does to a measure, beyond what seeds do; `str()` of it is a sentence.

        Clips are paired that differ in the knob only; where the model takes no seed, takes are compared instead. Under
        6 pairs it gives no verdict.

        Args:
            knob: the column that was turned: a param, or "model".
            on: a measure, or several; any column of numbers: "motion", "rating", "wait_s" ...
            base: the level to compare with; default the lowest.
            to: the only other level to look at; default all: of a number then the slope.
            equal: differences up to this, in the unit of the measure, are called equal.
            ignore: columns in which the two clips of a pair may differ, too.
            frame: `.df` with columns of your own; default as it is.
            also: those of your columns that are knobs, too: the two clips of a pair have the same there.

        Raises:
            ConfigError: a name is wrong, there is nothing to compare, emulated and real clips are mixed, or SciPy is
                missing (`vidnb[stats]`).

        Example:
            >>> vidnb.history(prompt="lighthouse").effect("motion_strength", on="motion", base=5, to=7)
        """
        from vidnb.history import statistics

        frame = self.df if frame is None else frame
        return statistics.effect(
            frame,
            knob,
            on=on,
            base=base,
            to=to,
            equal=equal,
            ignore=ignore,
            recipe=[*recipe_columns(frame, self.param_names), *also],
        )

    def spread(self, measure: str, *, ignore: Iterable[str] = ()) -> Spread:
        """Return where the differences of a measure come from: shares of seed, model, each knob, and noise.

        Args:
            measure: any column of numbers.
            ignore: columns that are not to be a source of their own.

        Raises:
            ConfigError: a name is wrong, there are fewer than 6 clips, emulated and real ones are mixed, or SciPy is
                missing (`vidnb[stats]`).

        Example:
            >>> vidnb.history(prompt="lighthouse").spread("motion")
        """
        from vidnb.history import statistics

        return statistics.spread(self.df, measure, ignore=ignore, recipe=recipe_columns(self.df, self.param_names))


def recipe_columns(frame: pd.DataFrame, known: Iterable[str] = ()) -> list[str]:
    """The columns that are params or inputs of any model, or among the known ones, as of a plug-in that is gone."""
    try:
        entries = list(catalog.load().values())
    except ConfigError:  # a broken file in VIDNB_CATALOG must not hide the history
        entries = []
    params = {column_of(name) for name in {name for entry in entries for name in entry.params} | set(known)}
    return [name for name in frame.columns if name in params or str(name).startswith("param_")]
