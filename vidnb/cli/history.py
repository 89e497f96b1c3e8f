"""`vidnb history`: the jobs of the data folder as a table, or as rows for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidnb.cli import filters
from vidnb.cli.folder import is_unused, nothing_here
from vidnb.cli.terminal import console, say, shortened, table
from vidnb.errors import ConfigError, StoreError
from vidnb.records import Cost, State

if TYPE_CHECKING:
    import pandas as pd

HEAD = ("job", "state", "prompt", "model", "seed", "created", "size", "seconds", "cost", "waited")


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


def history(
    format_: Annotated[Format, typer.Option("--format", "-f", help="How to write the rows.")] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="Write to this file; it is replaced.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many of the newest; 0 for all.")] = 20,
    model: filters.Model = None,
    state: Annotated[State | None, typer.Option(help="Only jobs in this state.")] = None,
    prompt: filters.Prompt = None,
    since: filters.Since = None,
    seed: filters.Seed = None,
    rating: filters.Rating = None,
    tag: filters.Tag = None,
) -> None:
    """Show the newest jobs, or write them as CSV, JSON or Parquet with all columns.

    In CSV, text that begins with = + - or @ gets a leading apostrophe and control characters are left out: a
    spreadsheet would run such a prompt as a formula. JSON and Parquet hold the text as it is.
    """
    if format_ is Format.PARQUET and out is None:
        raise ConfigError("Parquet is not text: name a file with --out history.parquet")
    if format_ is Format.TABLE and out is not None:
        raise ConfigError("a table is for the terminal: choose --format csv, json or parquet for a file")
    wanted = {
        "model": model, "state": state, "prompt": prompt, "since": since, "seed": seed, "rating": rating,
        "tag": tag or None,
    }  # fmt: skip
    frame = _frame(limit or None, {name: value for name, value in wanted.items() if value is not None})
    if format_ is Format.TABLE:
        _show(frame, any(value is not None for value in wanted.values()))
    elif out is None:
        typer.echo(_text(frame, format_), nl=False)
    else:
        _write(frame, format_, out)
        say(f"Wrote {len(frame)} job{'s' if len(frame) != 1 else ''} to {out}.")


def _frame(limit: int | None, filters: dict[str, Any]) -> pd.DataFrame:
    from vidnb.client.verbs import Client
    from vidnb.history.frame import empty

    if is_unused():
        return empty()
    with Client() as client:
        return client.history(limit=limit, **filters).df


def _show(frame: pd.DataFrame, is_filtered: bool) -> None:
    if frame.empty:
        say("No job fits." if is_filtered and not is_unused() else nothing_here())
        return
    console().print(table(HEAD, map(_cells, frame.to_dict("records")), wraps=("prompt",)))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    """The key columns of one job, for people."""
    import pandas as pd

    told: dict[str, Any] = {
        name: None if pd.api.types.is_scalar(value) and pd.isna(value) else value for name, value in row.items()
    }
    measured = told.get("actual_width_px") is not None
    size = f"{told['actual_width_px']:.0f}x{told['actual_height_px']:.0f}" if measured else told.get("resolution") or ""
    seconds = told.get("actual_duration_s") or told.get("duration_s")
    cost = "" if told.get("cost") is None else str(Cost(told["cost"], told.get("cost_unit") or ""))
    return (
        str(told["job_id"])[:8],
        f"{told['state']}{' EMULATED' if told.get('emulated') else ''}",
        shortened(told.get("prompt") or "", 48),
        shortened(told["model"], 40),
        "" if told.get("seed") is None else f"{told['seed']:.0f}",
        told["created_at"].to_pydatetime().astimezone().strftime("%Y-%m-%d %H:%M"),
        str(size),
        "" if seconds is None else f"{float(seconds):g}",
        cost,
        "" if told.get("wait_s") is None else f"{told['wait_s']:.1f} s",
    )


def _text(frame: pd.DataFrame, format_: Format) -> str:
    from vidnb.history import export

    if format_ is Format.CSV:
        return str(export.to_csv(frame))
    # Everything beyond ASCII is escaped, so a prompt cannot reach a terminal's controls through it.
    return str(frame.to_json(orient="records", date_format="iso", date_unit="ms", indent=2, force_ascii=True)) + "\n"


def _write(frame: pd.DataFrame, format_: Format, out: Path) -> None:
    from vidnb.history import export

    try:
        if format_ is Format.PARQUET:
            export.plain(frame, str).to_parquet(out, index=False)
        else:
            out.write_text(_text(frame, format_), encoding="utf-8", newline="")
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow: pip install 'vidnb[parquet]'") from error
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror or error}") from error
