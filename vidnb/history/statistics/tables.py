"""Rows of a history as a grid: one column down, one across, a measure in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vidnb import arguments
from vidnb.errors import ConfigError
from vidnb.history.statistics import columns

if TYPE_CHECKING:
    import pandas as pd

Names = str | Sequence[str]


def pivot(frame: pd.DataFrame, rows: Names, cols: Names, value: str) -> pd.DataFrame:
    """A grid of one column's values, seeds down and models across, say.

    Numbers are averaged where several clips fall into one cell, of anything else the newest is taken (the first row).
    A cell that no clip falls into is empty.

    Args:
        frame: one row a job, newest first.
        rows: the column, or columns, whose values go down.
        cols: the column, or columns, whose values go across.
        value: the column whose values stand in the cells: a measure, `rating`, `cost_usd`, `job_id` ...

    Raises:
        ConfigError: a name is wrong or stands twice, or emulated and real clips would fall into one cell.
    """
    import pandas as pd

    down, across = arguments.names("rows", rows, '"seed"'), arguments.names("cols", cols, '"model"')
    if not down or not across:
        raise ConfigError("a pivot needs a column for its rows and one for its columns, as pivot('seed', 'model', ...)")
    names = [*down, *across, arguments.one_name("value", value, '"motion"')]
    columns.checked(frame, names)
    if len(set(names)) < len(names):
        raise ConfigError(f"pivot({rows!r}, {cols!r}, {value!r}) names a column twice")
    there = frame[frame[value].notna()]
    keys = {name: columns.comparable(there[name]) for name in (*down, *across)}
    table = there[[value]].assign(**keys)
    if "emulated" in there and "emulated" not in names:
        grouped = there.assign(**keys).groupby([*down, *across], observed=True)["emulated"]
        if not table.empty and bool((grouped.nunique() > 1).any()):
            raise ConfigError(
                "emulated and real clips would be averaged in one cell; choose with h.where(emulated=False), "
                'or name "emulated" among the columns'
            )
    is_number = pd.api.types.is_numeric_dtype(table[value].dtype)
    how: Any = "mean" if is_number else "first"
    cells = table.groupby([*down, *across], observed=True, sort=True)[value].agg(how)
    return cells.unstack(across)
