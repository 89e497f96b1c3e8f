"""Which rows and columns of a DataFrame of jobs count in a comparison."""

from __future__ import annotations

import difflib
import math
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from vidnb.errors import ConfigError
from vidnb.media.measures import MEASURES, not_yet

if TYPE_CHECKING:
    import pandas as pd

SIZE = ("resolution", "aspect_ratio", "width_px", "height_px")
"""Params of which one follows from the others."""
OWN = ("prompt", "negative_prompt", "seed")
"""Params that say what is made: they never change just because the model does."""


def checked(frame: pd.DataFrame, names: Iterable[str]) -> None:
    """Check that all these columns exist.

    Raises:
        ConfigError: one does not; the message names those that come close, also among the measures that were not
            taken yet.
    """
    for name in names:
        if name in frame.columns:
            continue
        if name in MEASURES:
            raise ConfigError(not_yet(name))
        known = dict.fromkeys([*map(str, frame.columns), *MEASURES])
        close = difflib.get_close_matches(str(name), known, n=3)
        hint = f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(map(str, frame.columns))}"
        raise ConfigError(f"there is no column {name!r}; {hint}")


def numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """The column as floats, NaN where it is empty or infinite, as a ratio to 0 is.

    Raises:
        ConfigError: it holds something else than numbers or yes and no.
    """
    import pandas as pd

    checked(frame, [name])
    if isinstance(frame[name].dtype, pd.CategoricalDtype) or pd.api.types.is_datetime64_any_dtype(frame[name].dtype):
        raise ConfigError(f"{name!r} is no measure: its values are no numbers")
    try:
        values = frame[name].astype("Float64").astype("float64")
    except (TypeError, ValueError):
        raise ConfigError(f"{name!r} is no measure: its values are no numbers") from None
    return values.where(values.abs() != math.inf)


def measured(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The done rows in which at least one of these columns has a value, their measures as floats.

    Raises:
        ConfigError: there is no such column, none has a value, or the rows are emulated and real ones.
    """
    columns = {name: numbers(frame, name) for name in names}
    rows = frame.assign(**columns)
    if "state" in rows:
        rows = rows[(rows["state"] == "done").fillna(False)]
    rows = rows[rows[list(names)].notna().any(axis="columns")]
    if rows.empty:
        raise ConfigError(f"no clip here has a value of {' or '.join(names)}; h.measure() measures them")
    one_world(rows)
    return rows


def one_world(rows: pd.DataFrame) -> None:
    """Check that the rows are all emulated or all real.

    Raises:
        ConfigError: they are not: what the emulator draws says nothing of what a real model does.
    """
    if "emulated" not in rows:
        return
    emulated = int(rows["emulated"].fillna(False).astype(bool).sum())
    real = len(rows) - emulated
    if emulated and real:
        raise ConfigError(
            f"{emulated} of these clips are emulated and {real} are real; they are never counted together. "
            "Choose with h.where(emulated=False) or h.where(emulated=True)"
        )


def is_emulated(rows: pd.DataFrame) -> bool:
    """Whether rows that passed `one_world` are the emulator's."""
    return "emulated" in rows and bool(rows["emulated"].fillna(False).astype(bool).any())


def paired_columns(frame: pd.DataFrame, knob: str, recipe: Iterable[str], ignore: Iterable[str]) -> list[str]:
    """The columns in which two rows must be equal to be a pair, those that never vary left out.

    Where the knob is the size or the model, what follows from it may differ with it: 16:9 has another width than 9:16,
    and each model has lengths of its own.
    """
    left_out = {knob, *ignore}
    if knob in SIZE:
        left_out |= set(SIZE)
    wanted = [name for name in ("model", *recipe) if name in frame.columns and name not in left_out]
    varying = [name for name in dict.fromkeys(wanted) if count(frame[name]) > 1]
    if knob != "model":
        return varying
    return [name for name in varying if name in OWN or not _follows(frame, name, knob)]


def _follows(frame: pd.DataFrame, name: str, knob: str) -> bool:
    return all(count(frame[name].loc[place]) == 1 for place in frame.groupby(knob, observed=True).groups.values())


def count(values: pd.Series) -> int:
    """How many different values there are, an empty one among them."""
    return int(comparable(values).nunique(dropna=False))


def comparable(values: pd.Series) -> pd.Series:
    """The column with values that can be compared: a list becomes its text."""
    if values.dtype != object:
        return values
    return values.map(lambda value: value if value is None or isinstance(value, Hashable) else repr(value))


def label(value: Any) -> str:
    """A value in a few letters."""
    import numpy as np

    if isinstance(value, bool | np.bool_):
        return "on" if value else "off"
    if isinstance(value, float | np.floating):
        return f"{float(value):g}"
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"
