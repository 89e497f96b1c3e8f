"""The tables of the data folder's database, the same on SQLite and PostgreSQL; their indexes stand in `indexes`.

A row of `jobs` is a `records.Job` laid flat: `cost` and `clip` become columns, the recipe is JSON text. There is no
column for a key, or for a clip's address at the provider: that address is signed, and the next poll gives a new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    false,
    text,
    type_coerce,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from vidnb.records import CAME_TO_NOTHING, TERMINAL, ClipInfo, Cost, Job, State, storable


class UtcTime(TypeDecorator[datetime]):
    """A time as ISO-8601 text in UTC with a fixed width: sorts as text and reads the same in every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """The text to store."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """The time, aware and in UTC."""
        return None if value is None else datetime.fromisoformat(value)


EMPTY: Mapping[str | None, type[Any]] = {"{}": dict, "[]": list}


class JsonText(TypeDecorator[Any]):
    """A JSON value as ASCII text, so that no prompt can hold a character that a database refuses."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text to store."""
        return None if value is None else json.dumps(value, default=dict, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value as it was stored."""
        if value in EMPTY:  # as most are; to parse them took as long as to read all other columns of a job
            return EMPTY[value]()
        return None if value is None else json.loads(value)


class OutsideText(TypeDecorator[str]):
    """Text that a person or a service wrote: NUL and lone surrogates, which databases refuse, are replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text to store."""
        return None if value is None else storable(value)


METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("recipe_hash", Text, nullable=False),
    Column("take", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("params", JsonText, nullable=False),
    Column("images", JsonText, nullable=False),
    Column("dropped", JsonText, nullable=False),
    # For the search only: `params` has the words. SQLite folds the case of ASCII letters only, Python of all.
    Column("prompt_folded", OutsideText, nullable=False),
    Column("seed", BigInteger),
    Column("emulated", Boolean, nullable=False),
    Column("account", OutsideText),
    Column("remote_id", OutsideText),
    Column("asset_id", OutsideText),
    Column("wire_status", OutsideText),
    Column("created_at", UtcTime, nullable=False),
    Column("submitted_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("done_at", UtcTime),
    Column("polls", Integer, nullable=False),
    Column("cost_amount", Double),
    Column("cost_unit", Text),
    Column("nsfw", Boolean),
    Column("error", JsonText),
    Column("clip_sha256", Text),
    Column("size_bytes", BigInteger),
    Column("actual_width_px", Integer),
    Column("actual_height_px", Integer),
    Column("actual_fps", Double),
    Column("actual_duration_s", Double),
    Column("actual_frames", Integer),
    Column("codec", Text),
    Column("has_audio", Boolean),
    Column("clip_note", OutsideText),
    Column("lease_owner", Text),
    Column("lease_until", UtcTime),
    Column("woken_at", UtcTime),
    # What a person said of the clip; no part of the recipe.
    Column("rating", Integer),
    Column("tags", JsonText, nullable=False, server_default="[]"),
    Column("note", OutsideText, nullable=False, server_default=""),
    Column("purse", OutsideText),
    Column("seed_drawn", Boolean, nullable=False, server_default=false()),
    Column("seeded_hash", Text),
    # It came with a bundle: outside the ledger and the takes. If it replays, it answers for its recipe and take.
    Column("imported", Boolean, nullable=False, server_default=false()),
    Column("replays", Boolean, nullable=False, server_default=false()),
    Column("trashed_at", UtcTime),
    Column("purged_at", UtcTime),
    # Further clips of the same job, each what was measured of its file; nearly always none.
    Column("outputs", JsonText, nullable=False, server_default="[]"),
    Column("used_seed", BigInteger),
    Column("used_prompt", OutsideText),
)

# In this order: SQLite takes an index only for the very words that it was made with.
_GOES_ON = "state NOT IN ({})".format(", ".join(f"'{state}'" for state in sorted(CAME_TO_NOTHING, reverse=True)))
OWN = text("NOT imported AND purged_at IS NULL")
"""Rows of this folder's own jobs that still have their files."""
LIVE = text(f"{_GOES_ON} AND {OWN.text}")
"""Rows that stand for their take; a failed or cancelled one leaves it free. Literal, as partial indexes need it."""

UNFINISHED = text("state NOT IN ({})".format(", ".join(f"'{state}'" for state in sorted(TERMINAL))))

REPLAYS = text("replays")
REPLAYED_CLIPS = text("replays AND state || '' = 'done' AND trashed_at IS NULL AND purged_at IS NULL")
"""Jobs of a bundle that stand for their recipe and take, whatever address they were sent to.

The state is written so that SQLite does not begin with an index of states, where nearly every job is (see `sweeps`).
"""
TRASHED = text("trashed_at IS NOT NULL")
ANNOTATED = text("(tags <> '[]' OR note <> '')")
"""Jobs of which a person said something; few."""

CHARGED = text(f"cost_unit IS NOT NULL AND NOT emulated AND {_GOES_ON}")

EVENTS = Table(
    "events",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("note", OutsideText, nullable=False),
)

UPLOADS = Table(
    "uploads",
    METADATA,
    Column("provider", Text, primary_key=True),
    Column("account", OutsideText, primary_key=True),
    Column("base_url", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("remote_id", OutsideText, nullable=False),
    Column("kind", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

PURSES = Table(
    "purses",
    METADATA,
    Column("name", OutsideText, primary_key=True),
    Column("book", Text, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("cap", Double),
    Column("settled", Double, nullable=False),
    Column("reserved", Double, nullable=False),
    Column("unclear", Double, nullable=False),
    Column("forgiven", Double, nullable=False),
)

RESERVATIONS = Table(
    "reservations",
    METADATA,
    Column("job_id", Text, ForeignKey("jobs.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("book", Text, nullable=False),
    Column("unit", Text, nullable=False),
    # What counts now: the highest price while reserved, what was charged or is expected once settled.
    Column("amount", Double, nullable=False),
    Column("highest", Double, nullable=False),
    Column("expected", Double, nullable=False),
    Column("charged", Double),
    Column("purses", JsonText, nullable=False),
    Column("booked", Text, nullable=False),
)
UNPRICED = text("expected < 0")
"""Jobs from before there was a ledger, of which the service never said a cost; the ledger prices them once."""

MEASURES = Table(
    "measures",
    METADATA,
    # A measure is a property of a file: a clip that two jobs share is measured once.
    Column("sha256", Text, primary_key=True),
    Column("name", OutsideText, primary_key=True),
    Column("version", OutsideText, primary_key=True),
    # None: it was looked at, and the clip has no such value, as the loudness of one without sound.
    Column("value", Double),
    Column("measured_at", UtcTime, nullable=False),
)

QUOTES = Table(
    "quotes",
    METADATA,
    Column("token", Text, primary_key=True),
    Column("body", JsonText, nullable=False),
    Column("job_ids", JsonText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

PRICE_LISTS = Table(
    "price_lists",
    METADATA,
    Column("provider", Text, primary_key=True),
    Column("prices", JsonText, nullable=False),
    Column("read_at", UtcTime, nullable=False),
)

SWEEPS = Table(
    "sweeps",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("purse", OutsideText, nullable=False),
    Column("title", OutsideText, nullable=False),
    Column("control", Text, nullable=False),  # go, pause or stop: what a person wants, read by all who run it
    Column("created_at", UtcTime, nullable=False),
)

CELLS = Table(
    "cells",
    METADATA,
    Column("sweep_id", Text, ForeignKey("sweeps.id"), primary_key=True),
    Column("base_url", Text, primary_key=True),
    Column("recipe_hash", Text, primary_key=True),
    Column("take", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    # Whether it is still to become a job; whoever makes one takes the mark away in the same transaction.
    Column("waiting", Boolean, nullable=False),
    Column("recipe", JsonText, nullable=False),
    Column("parent_job", Text),
)

LIMITS = Table(
    "limits",
    METADATA,
    Column("account", OutsideText, primary_key=True),
    Column("kind", Text, primary_key=True),
    # When the next call is free, in seconds since 1970 (GCRA): whoever calls moves it on by one step.
    Column("next_at", Double, nullable=False),
    # How many times slower than allowed, after what the service refused.
    Column("slower", Double, nullable=False),
    Column("paused_until", Double, nullable=False),
    # All pauses so far: a place in the line that was given before one moves on by as much.
    Column("paused_s", Double, nullable=False),
    Column("refused", Integer, nullable=False),
    # The latest time at which anybody took a turn: a clock that shows much less was set back.
    Column("seen_at", Double),
)

SLOTS = Table(
    "slots",
    METADATA,
    Column("job_id", Text, ForeignKey("jobs.id"), primary_key=True),
    Column("account", OutsideText, nullable=False),
    Column("owner", Text),
)

VOTES = Table(
    "votes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("voter", OutsideText, nullable=False),
    Column("question", OutsideText, nullable=False),
    Column("first_id", Text, ForeignKey("jobs.id"), nullable=False),
    Column("second_id", Text, ForeignKey("jobs.id"), nullable=False),
    # 1 or 2 for the clip that was taken, 0 for no difference.
    Column("answer", Text, nullable=False),
)

CLIP_COLUMNS: Mapping[str, str] = {
    "clip_sha256": "sha256",
    "size_bytes": "size_bytes",
    "actual_width_px": "width_px",
    "actual_height_px": "height_px",
    "actual_fps": "fps",
    "actual_duration_s": "duration_s",
    "actual_frames": "frames",
    "codec": "codec",
    "has_audio": "has_audio",
    "clip_note": "note",
}
"""Column of `jobs` -> field of `ClipInfo`: what was measured, beside what was asked for."""

PLAIN = tuple(name for name in Job.__dataclass_fields__ if name in JOBS.c and name != "state")
"""Fields of a job that are columns as they are; the state is apart, as only `move` may set it."""

JOB_NAMES = (*PLAIN, "state", "cost_amount", "cost_unit", *CLIP_COLUMNS)
JOB_COLUMNS = tuple(JOBS.c[name] for name in JOB_NAMES)

ROW_NAMES = tuple(name for name in JOB_NAMES if not name.startswith("lease_"))
"""What the history shows of a job."""
ROW_COLUMNS = tuple(
    type_coerce(JOBS.c[name], Text) if isinstance(JOBS.c[name].type, TypeDecorator) else JOBS.c[name]
    for name in ROW_NAMES
)
"""The same as stored, for `rows_of`."""


def flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that hold these fields of a job.

    Raises:
        TypeError: for a name that is no field of a job, or one that is never stored.
    """
    columns: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "cost":
            columns["cost_amount"], columns["cost_unit"] = (value.amount, value.unit) if value else (None, None)
        elif name == "clip":
            columns |= {column: getattr(value, field, None) for column, field in CLIP_COLUMNS.items()}
        elif name == "outputs":
            columns[name] = [asdict(output) for output in value]
        elif name in PLAIN:
            columns[name] = value
        else:
            raise TypeError(f"{name!r} is no stored field of a job; known: {', '.join((*PLAIN, 'cost', 'clip'))}")
    return columns


def job_row(job: Job) -> dict[str, Any]:
    """The whole row of a new job, with the two columns that exist for searching."""
    fields = {name: getattr(job, name) for name in (*PLAIN, "cost", "clip")}
    seed = job.params.get("seed")
    return flat(fields) | {
        "state": job.state.value,
        "prompt_folded": job.prompt.casefold(),
        "seed": seed if type(seed) is int and abs(seed) < 2**63 else None,  # True is an int, too
    }


def job_of(row: Row[Any]) -> Job:
    """The job in a row of JOB_COLUMNS."""
    return job_in(dict(zip(JOB_NAMES, row, strict=True)))


def job_in(values: Mapping[str, Any]) -> Job:
    """The job in a dict of its columns; one of `rows_of` has no lease."""
    unit, sha256 = values["cost_unit"], values["clip_sha256"]
    return Job(
        **{name: values[name] for name in PLAIN if name in values}
        | {"tags": tuple(values["tags"]), "outputs": tuple(ClipInfo(**output) for output in values["outputs"])},
        state=State(values["state"]),
        cost=None if unit is None else Cost(values["cost_amount"], unit),
        clip=None if sha256 is None else ClipInfo(**{to: values[name] for name, to in CLIP_COLUMNS.items()}),
    )


def rows_of(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """The rows of ROW_COLUMNS as dicts, their values read a column at a time, which takes half as long."""
    columns = (
        [_values(name, column) for name, column in zip(ROW_NAMES, zip(*rows, strict=True), strict=True)] if rows else []
    )
    return [dict(zip(ROW_NAMES, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(name: str, stored: Sequence[Any]) -> Sequence[Any]:
    kind = JOBS.c[name].type
    if isinstance(kind, JsonText):
        return json.loads(f"[{','.join([text or 'null' for text in stored])}]")
    if isinstance(kind, UtcTime):
        return [text and datetime.fromisoformat(text) for text in stored]
    return stored
