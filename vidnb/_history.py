"""The jobs of a data folder as rows: a DataFrame, a list of clips, and a table with small posters.

What passes through: rows of the store in one query -> columns under the names that were typed -> pandas.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from vidnb._clip import Clip
from vidnb.display.clips import media_name
from vidnb.display.history import ROWS_SHOWN, history_html
from vidnb.files import Files, file_name
from vidnb.records import Job, State
from vidnb.store import Store
from vidnb.store.tables import job_in

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

LIMIT = 1000
"""So many of the newest jobs, unless another number is asked for."""

FIRST = {
    "job_id": "string",
    "created_at": "datetime64[us, UTC]",
    "provider": "string",
    "model": "string",
    "state": "string",
    "emulated": "boolean",
    "prompt": "string",
    "seed": "Int64",
    "motion_strength": "Float64",
    "resolution": "string",
    "width_px": "Int64",
    "height_px": "Int64",
    "duration_s": "Float64",
}
"""Columns that are always there, before those of the other params, with their types."""

LAST = {
    "take": "Int64",
    "rating": "Int64",
    "tags": "string",
    "note": "string",
    "cost": "Float64",
    "cost_unit": "string",
    "cost_usd": "Float64",
    "wait_s": "Float64",
    "download_s": "Float64",
    "total_s": "Float64",
    "actual_width_px": "Int64",
    "actual_height_px": "Int64",
    "actual_fps": "Float64",
    "actual_duration_s": "Float64",
    "frames": "Int64",
    "size_bytes": "Int64",
    "has_audio": "boolean",
    "codec": "string",
    "nsfw": "boolean",
    "error": "string",
    "charged": "boolean",
    "wire_status": "string",
    "remote_id": "string",
    "recipe_hash": "string",
    "clip_sha256": "string",
    "path": "string",
}
"""Columns that are always there, after those of the params."""

RENAMED = {"job_id": "id", "cost": "cost_amount", "frames": "actual_frames"}
PARAMS = ("prompt", "seed", "motion_strength", "resolution", "width_px", "height_px", "duration_s")
SPANS = {
    "wait_s": ("submitted_at", "finished_at"),
    "download_s": ("finished_at", "done_at"),
    "total_s": ("created_at", "done_at"),
}


class History(Sequence[Clip | Job]):
    """The jobs of a data folder, newest first: clips where they are done, else jobs.

    It holds what the database said when it was first looked at; ask again for newer jobs.

    Example:
        >>> history = vidnb.history(prompt="koala")
        >>> history.df.groupby("model").wait_s.median()
        >>> history[0].last_frame
    """

    def __init__(self, store: Store, files: Files, *, limit: int | None = LIMIT, **filters: Any) -> None:
        """Nothing is read yet.

        Args:
            store: the rows.
            files: the clips.
            limit: at most so many of the newest jobs; None for all.
            **filters: `state`, `model`, `provider`, `seed` and `tag` (one or several), `prompt` (a part of it),
                `words` (of prompt, note or tags), `since`, `emulated`, `rating` (that one or better).
        """
        self._store = store
        self._files = files
        self._limit = limit
        self._filters = filters

    @functools.cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return self._store.rows(limit=self._limit, **self._filters)

    @functools.cached_property
    def ids(self) -> list[str]:
        """The ids of the jobs, newest first, read without their rows: ten thousand take a few milliseconds."""
        return self._store.ids(limit=self._limit, **self._filters)

    @functools.cached_property
    def df(self) -> pd.DataFrame:
        """All jobs as a DataFrame, one row each, a column for every param that any of them has."""
        return frame(self._rows, self._files.folder)

    @overload
    def __getitem__(self, index: int) -> Clip | Job: ...
    @overload
    def __getitem__(self, index: slice) -> list[Clip | Job]: ...
    def __getitem__(self, index: int | slice) -> Clip | Job | list[Clip | Job]:
        if isinstance(index, slice):
            return [self._item(row) for row in self._rows[index]]
        return self._item(self._rows[index])

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Clip | Job]:
        return map(self._item, self._rows)

    def _item(self, row: Row) -> Clip | Job:
        job = job_in(row)
        return Clip(job, self._files) if job.state is State.DONE and job.clip is not None else job

    def __repr__(self) -> str:
        return f"<History: {len(self):,} job{'s' if len(self) != 1 else ''}, newest first; .df is a DataFrame>"

    def _repr_html_(self) -> str:
        html = history_html(self[:ROWS_SHOWN], len(self), more_exist=len(self) == self._limit)
        return str(html)  # marimo takes no subclass of str


def frame(rows: Sequence[Row], folder: Path) -> pd.DataFrame:
    """Rows of the store as a DataFrame.

    Args:
        rows: as `Store.rows` gives them.
        folder: where the clips lie on this machine.
    """
    import pandas as pd

    plain = {**_plain_columns(rows), **_span_columns(rows), **_told_columns(rows, folder)}
    typed = {name: _as(plain[name], dtype) for name, dtype in {**FIRST, **LAST}.items()}
    free = {name: _guessed(values) for name, values in _param_columns(rows).items()}
    return pd.DataFrame({name: typed[name] for name in FIRST} | free | {name: typed[name] for name in LAST})


def _plain_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Columns that are in the rows as they are, and the params that always have one."""
    computed = {*PARAMS, *SPANS, "tags", "cost_usd", "error", "charged", "path"}
    names = {name: RENAMED.get(name, name) for name in (*FIRST, *LAST) if name not in computed}
    columns = {name: list(map(itemgetter(stored), rows)) for name, stored in names.items()}
    return columns | {name: [row["params"].get(name) for row in rows] for name in PARAMS}


def _span_columns(rows: Sequence[Row]) -> dict[str, list[float | None]]:
    """Seconds between two times of a job."""
    second = timedelta(seconds=1)

    def spans(start: str, end: str) -> list[float | None]:
        times = ((row[start], row[end]) for row in rows)
        return [None if since is None or until is None else (until - since) / second for since, until in times]

    return {name: spans(*times) for name, times in SPANS.items()}


def _told_columns(rows: Sequence[Row], folder: Path) -> dict[str, list[Any]]:
    """Tags, cost in dollars, what went wrong, and where the clip lies."""
    errors = [row["error"] or {} for row in rows]
    here, base = Path.cwd(), folder.resolve()
    shown = (base.relative_to(here) if base.is_relative_to(here) else base).as_posix()
    shas = (row["clip_sha256"] for row in rows)
    return {
        "tags": [", ".join(row["tags"]) for row in rows],
        "cost_usd": [_paid_usd(row) for row in rows],
        "error": [error.get("message") for error in errors],
        "charged": [error.get("charged") for error in errors],
        "path": [None if sha256 is None else f"{shown}/{file_name(sha256, '.mp4')}" for sha256 in shas],
    }


def _param_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """A column for every other param and input that any job has, in alphabetical order."""
    names = {name for row in rows for name in row["params"]} - {*PARAMS}
    columns = {name: [row["params"].get(name) for row in rows] for name in names}
    for name in {name for row in rows for name in row["images"]}:
        columns[name] = [_inputs(row["images"].get(name)) for row in rows]
    # A catalogue of one's own may name a param like a column of ours.
    return {f"param_{name}" if name in FIRST | LAST else name: columns[name] for name in sorted(columns)}


def _inputs(items: Any) -> str | None:
    return ", ".join(map(media_name, items)) if items else None


def _as(values: list[Any], dtype: str) -> Any:
    """The values in a column of this type; where an odd one does not fit, in the type that they have."""
    import pandas as pd

    try:
        return pd.array(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        return _guessed(values)


def _guessed(values: list[Any]) -> Any:
    """The values in the nullable type that fits them all, as they are where there is none."""
    import pandas as pd

    try:
        return pd.array(values)
    except (TypeError, ValueError, OverflowError):
        return pd.Series(values, dtype=object).array


def _paid_usd(row: Row) -> float | None:
    """What was paid: nothing for an emulated job, whatever price its service named; credits have no known worth."""
    if row["emulated"]:
        return 0.0
    return row["cost_amount"] if row["cost_unit"] == "USD" else None
