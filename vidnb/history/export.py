"""Rows for spreadsheets, which would run a prompt that begins with = as a formula; prompts come from anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidnb.arguments import file_path, written
from vidnb.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, the wide forms of East Asian keyboards, too."""


def to_csv(frame: pd.DataFrame, path: str | Path | None = None, **options: Any) -> str | None:
    """Write rows as CSV that is safe to open in a spreadsheet; see `History.to_csv`."""
    target = None if path is None else file_path(path, "lighthouse.csv")
    text = str(plain(frame, tame).to_csv(**({"index": False} | options)))
    if target is None:
        return text
    with written(target) as part:
        part.write_text(text, encoding="utf-8", newline="")
    return None


def to_excel(frame: pd.DataFrame, path: str | Path, **options: Any) -> None:
    """Write rows as an Excel file without any formula; see `History.to_excel`."""
    import pandas as pd

    target = file_path(path, "lighthouse.xlsx")
    safe = plain(frame, tame)
    for name, values in safe.items():
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            safe[name] = values.dt.tz_convert("UTC").dt.tz_localize(None)  # Excel knows no zones
    try:
        with written(target) as part:
            safe.to_excel(str(part), **({"index": False} | options))
    except ImportError as error:
        raise ConfigError("Excel files need openpyxl: pip install 'vidnb[excel]'") from error
    except ValueError as error:
        if "engine" not in str(error):
            raise
        raise ConfigError(f"{str(path)!r}: give a name that ends in .xlsx") from error


def plain(frame: pd.DataFrame, text: Callable[[str], str]) -> pd.DataFrame:
    """Return the rows with each column of one type: lists and dicts as JSON, mixed columns as text.

    Args:
        frame: the rows.
        text: what becomes of every text.
    """
    import pandas as pd

    found = frame.copy()
    for name, values in frame.items():
        kinds = {type(value) for value in values.dropna().unique()} if _is_hashable(values) else {list}
        if not kinds or not (kinds & {str, list, dict, tuple} or len(kinds) > 1):
            continue
        whole = values.astype(object)
        found[name] = whole.map(lambda value: None if _is_missing(value) else text(_as_text(value)))
    return found.rename(columns=lambda name: text(str(name))) if len(frame.columns) else pd.DataFrame()


def tame(text: str) -> str:
    """Return the text as a spreadsheet may have it: never a formula, no control characters."""
    kept = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)
    return f"'{kept}" if kept.lstrip().startswith(FORMULA) else kept


def _is_hashable(values: pd.Series) -> bool:
    return values.dtype != object or not values.map(lambda value: isinstance(value, list | dict)).any()


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _as_text(value: Any) -> str:
    return json.dumps(value, default=str) if isinstance(value, list | dict | tuple) else str(value)
