"""The statements of the store, built once: building one costs more than running it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    TableClause,
    Text,
    Update,
    and_,
    bindparam,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    true,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from vidnb.records import TERMINAL, TRANSITIONS, State, storable
from vidnb.store.database import insert_of
from vidnb.store.tables import (
    ANNOTATED,
    CELLS,
    CHARGED,
    EVENTS,
    JOB_COLUMNS,
    JOBS,
    LIVE,
    REPLAYED_CLIPS,
    RESERVATIONS,
    ROW_COLUMNS,
    UNFINISHED,
    UNPRICED,
    UPLOADS,
)

TAKE = [JOBS.c.base_url, JOBS.c.recipe_hash, JOBS.c.take]
JOB = select(*JOB_COLUMNS)
ID = select(JOBS.c.id)
NEWEST = (JOBS.c.created_at.desc(), JOBS.c.id.desc())
ASCII_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)

IS_JOB = JOBS.c.id == bindparam("job_id")
IS_REMOTE = and_(JOBS.c.provider == bindparam("provider_is"), JOBS.c.remote_id == bindparam("remote_id_is"))

GET = JOB.where(IS_JOB)
BY_REMOTE = JOB.where(IS_REMOTE).order_by(*NEWEST).limit(1)
STANDING = JOB.where(*(column == bindparam(column.name) for column in TAKE)).where(LIVE)
ROWS_BY_ID = select(*ROW_COLUMNS).where(JOBS.c.id.in_(bindparam("job_ids", expanding=True)))
NEWEST_AT = select(JOBS.c.created_at).order_by(JOBS.c.created_at.desc()).limit(1)
IS_FIRST_OR_OWN = or_(bindparam("take") == 0, JOBS.c.take == bindparam("take"))
"""A job whose seed was drawn is the first take of the recipe that names this seed, and that of its own number, too:
whoever asks for a job again with its seed and its take means that job."""
REPLAYED = (
    JOB.where(REPLAYED_CLIPS)
    .where(
        or_(
            and_(JOBS.c.recipe_hash == bindparam("recipe_hash"), JOBS.c.take == bindparam("take")),
            and_(JOBS.c.seeded_hash == bindparam("recipe_hash"), IS_FIRST_OR_OWN),
        )
    )
    .order_by(*NEWEST)
    .limit(1)
)
# The address is written so that SQLite does not begin with the index of takes, in which nearly every job has this one.
SEEDED = (
    JOB.where(JOBS.c.base_url.concat("") == bindparam("base_url"), JOBS.c.seeded_hash == bindparam("recipe_hash"))
    .where(IS_FIRST_OR_OWN)
    .where(LIVE)
    .order_by(*NEWEST)
    .limit(1)
)
NEXT_TAKE = select(func.coalesce(func.max(JOBS.c.take), -1) + 1).where(
    or_(and_(JOBS.c.base_url == bindparam("base_url"), ~JOBS.c.imported), JOBS.c.replays),
    or_(JOBS.c.recipe_hash == bindparam("recipe_hash"), JOBS.c.seeded_hash == bindparam("recipe_hash")),
)
NOTE = insert(EVENTS).returning(EVENTS.c.id)
STEP = select(EVENTS.c.job_id, EVENTS.c.state).where(EVENTS.c.id == bindparam("event_id"))
ANY_JOB = select(JOBS.c.id).limit(1)
STATES = select(JOBS.c.state, func.count()).group_by(JOBS.c.state)
STEPS = (
    select(EVENTS.c.at, EVENTS.c.state, EVENTS.c.note)
    .where(EVENTS.c.job_id == bindparam("job_id"))
    .order_by(EVENTS.c.id)
)
TIMES = (
    select(JOBS.c.submitted_at, JOBS.c.finished_at)
    .where(~JOBS.c.imported, JOBS.c.model == bindparam("model_is"), JOBS.c.emulated == bindparam("emulated_is"))
    .where(JOBS.c.state == State.DONE.value, JOBS.c.submitted_at.is_not(None), JOBS.c.finished_at.is_not(None))
    .order_by(*NEWEST)
    .limit(bindparam("limit"))
)
DONE_LIKE = (
    JOB.where(~JOBS.c.imported, JOBS.c.model == bindparam("model_is"), JOBS.c.emulated == bindparam("emulated_is"))
    .where(JOBS.c.state == State.DONE.value, JOBS.c.submitted_at.is_not(None), JOBS.c.done_at.is_not(None))
    .order_by(*NEWEST)
)
TOOK = (
    select(JOBS.c.submitted_at, JOBS.c.done_at)
    .where(JOBS.c.model == bindparam("model_is"), JOBS.c.emulated == bindparam("emulated_is"), ~JOBS.c.imported)
    .where(JOBS.c.state == State.DONE.value, JOBS.c.submitted_at.is_not(None), JOBS.c.done_at.is_not(None))
    .where(JOBS.c.id != bindparam("but"))
    .order_by(*NEWEST)
    .limit(bindparam("limit"))
)
CHARGED_LIKE = (
    select(*(JOBS.c[name] for name in ("id", "created_at", "params", "images", "cost_amount", "cost_unit")))
    .where(~JOBS.c.imported, JOBS.c.model == bindparam("model_is"), CHARGED)
    .order_by(*NEWEST)
)
UNPRICED_JOBS = JOB.join_from(JOBS, RESERVATIONS, JOBS.c.id == RESERVATIONS.c.job_id).where(UNPRICED)

IS_FREE = or_(
    JOBS.c.lease_owner.is_(None), JOBS.c.lease_owner == bindparam("owner"), JOBS.c.lease_until < bindparam("now")
)
LEASE = update(JOBS).where(IS_JOB, IS_FREE).values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
RENEW = (
    update(JOBS)
    .where(JOBS.c.id.in_(bindparam("job_ids", expanding=True)), JOBS.c.lease_owner == bindparam("owner"))
    .values(lease_until=bindparam("until"))
    .returning(JOBS.c.id)
)
RELEASE = (
    update(JOBS).where(IS_JOB, JOBS.c.lease_owner == bindparam("owner")).values(lease_owner=None, lease_until=None)
)
WAKE = update(JOBS).where(IS_REMOTE, UNFINISHED).values(woken_at=bindparam("now"))
STATE = select(JOBS.c.state).where(IS_JOB)
HOLDER = select(JOBS.c.state, JOBS.c.lease_owner, JOBS.c.submitted_at).where(IS_JOB)
ALL_WOKEN = select(JOBS.c.id).where(UNFINISHED, JOBS.c.woken_at.is_not(None))
IS_WOKEN = select(JOBS.c.woken_at).where(IS_JOB)
CLEAR_WOKEN = update(JOBS).where(IS_JOB, JOBS.c.woken_at.is_not(None)).values(woken_at=None)

FORGET = delete(UPLOADS).where(
    UPLOADS.c.provider == bindparam("provider_is"), UPLOADS.c.remote_id == bindparam("remote_id_is")
)
MADE = (
    select(JOBS.c.asset_id)
    .where(*(JOBS.c[name] == bindparam(f"{name}_is") for name in ("provider", "account", "base_url")))
    .where(JOBS.c.clip_sha256 == bindparam("sha256_is"), JOBS.c.asset_id.is_not(None))
    .limit(1)
)

UPLOADED = select(UPLOADS.c.remote_id, UPLOADS.c.kind, UPLOADS.c.created_at).where(
    *(UPLOADS.c[name] == bindparam(f"{name}_is") for name in ("provider", "account", "base_url", "sha256"))
)


SET_REPLAYS = update(JOBS).where(IS_JOB, JOBS.c.imported).values(replays=true())
_THESE = JOBS.c.id.in_(bindparam("job_ids", expanding=True))
TRASH = update(JOBS).where(_THESE, JOBS.c.trashed_at.is_(None)).values(trashed_at=bindparam("now"))
RESTORE = update(JOBS).where(_THESE, JOBS.c.trashed_at.is_not(None), JOBS.c.purged_at.is_(None)).values(trashed_at=None)
ENDED = tuple(state.value for state in TERMINAL)
PURGE = (
    update(JOBS)
    .where(_THESE, JOBS.c.trashed_at.is_not(None), JOBS.c.purged_at.is_(None), JOBS.c.state.in_(ENDED))
    .values(purged_at=bindparam("now"))
    .returning(JOBS.c.clip_sha256, JOBS.c.outputs, JOBS.c.images)
)
FILES_IN_USE = select(JOBS.c.clip_sha256, JOBS.c.outputs, JOBS.c.images).where(
    JOBS.c.purged_at.is_(None), or_(JOBS.c.clip_sha256.is_not(None), type_coerce(JOBS.c.images, Text) != "{}")
)


class TextPosition(GenericFunction[int]):
    """Where a text first stands in another one, from 1 on; 0 where it does not."""

    type = Integer()
    package = "vidnb"  # `func.instr` of others stays theirs
    name = "instr"
    inherit_cache = True


@compiles(TextPosition, "postgresql")
def _position_in_postgres(position: TextPosition, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos{compiler.function_argspec(position, **options)}"


def files_of(clips: Iterable[str | None], images: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The files of a job, each by hash and suffix; `clips` are the hashes of its clips."""
    found = {(sha256, ".mp4") for sha256 in clips if sha256 is not None}
    items = (item for several in images.values() for item in several if isinstance(item, Mapping))
    return found | {(item["sha256"], f".{item['extension']}") for item in items if {"sha256", "extension"} <= {*item}}


@cache
def intend_of(dialect: str, target: TableClause) -> Any:
    """The statement that writes a job, with these columns of params, if its take is free; kept as `update_of` is."""
    free = insert_of(dialect)(target).on_conflict_do_nothing(index_elements=TAKE, index_where=LIVE)
    return free.returning(JOBS.c.id)


@cache
def update_of(names: tuple[str, ...]) -> Update:
    """The statement that sets these columns of one job; kept, as building it costs more than running it."""
    return update(JOBS).where(IS_JOB).values({name: bindparam(f"new_{name}") for name in names})


@cache
def move_of(to: State, expect: State | None, names: tuple[str, ...], conditions: tuple[str, ...] = ()) -> Update:
    """The statement that moves one job from where it may be, if it is there and these columns are as expected."""
    sources = [state for state, targets in TRANSITIONS.items() if to in targets and expect in (None, state)]
    # Quicker than IN, whose list SQLAlchemy writes anew for each execution.
    guard = or_(false(), *(JOBS.c.state == state.value for state in sources))
    moved = update_of(names).where(guard).values(state=to.value).returning(*JOB_COLUMNS)
    return moved.where(*(JOBS.c[name] == bindparam(f"{name}_is") for name in conditions))


def of_sweep(sweep_id: str) -> ColumnElement[bool]:
    """Whether a job belongs to a sweep; it starts from the sweep's cells, and not from every job there is."""
    return JOBS.c.id.in_(_of_cells(CELLS.c.sweep_id == sweep_id))


def _of_cells(which: ColumnElement[bool]) -> CompoundSelect[Any]:
    """The ids of the jobs that stand in these cells of sweeps."""
    own = JOBS.alias("of_sweep")
    keys = [own.c[column.name] == CELLS.c[column.name] for column in TAKE]
    recipe = (own.c.base_url == CELLS.c.base_url, own.c.seeded_hash == CELLS.c.recipe_hash)
    drawn = (*recipe, CELLS.c.take.in_((0, own.c.take)))
    cells = select(own.c.id).where(which)
    return union_all(cells.where(*keys), cells.where(*drawn))


def in_no_sweep() -> ColumnElement[bool]:
    """Whether a job belongs to no sweep."""
    return JOBS.c.id.not_in(_of_cells(true()))


def like(params: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Conditions that jobs with these params meet, and few others: quicker than to parse the params of every job."""
    text = type_coerce(JOBS.c.params, Text)
    plain = {name: value for name, value in params.items() if isinstance(value, str | int | float)}
    return [text.contains(f"{json_text(name)}:{json_text(value)}", autoescape=True) for name, value in plain.items()]


def tagged(tag: str) -> ColumnElement[bool]:
    """Whether the job has this tag."""
    return and_(
        ANNOTATED, or_(false(), *(has_text(JOBS.c.tags, start + json_text(tag)) for start in "[," if "," not in tag))
    )


def in_prompt(part: str) -> ColumnElement[bool]:
    """Whether this is a part of the prompt, in any case."""
    folded = storable(part.casefold())
    return has_text(JOBS.c.prompt_folded, folded) if folded else true()


def has_text(column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Whether this is a part of a column's text; LIKE is not the same in every database where case matters.

    In a JSON list an item with its bracket or comma before it is found as a whole or not at all: within a text its
    quotation mark would have a backslash before it.
    """
    return TextPosition(type_coerce(column, Text), part) > 0


def worded(words: str) -> ColumnElement[bool]:
    """Whether the prompt or the note has these words, or a tag or a word of a tag begins with them."""
    note, tags = func.lower(JOBS.c.note), func.lower(func.rtrim(type_coerce(JOBS.c.tags, Text), "]"))
    # SQLite's lower() knows the letters of ASCII only: others are found in the ways in which words are mostly spelled.
    cases = (words, words.casefold(), words.upper(), words.capitalize())
    spelled = sorted({storable(one).translate(ASCII_LOWER) for one in cases})
    found = [note.contains(one, autoescape=True) for one in spelled]
    if "," not in words:  # no tag has one; in the tags' text it stands between two
        starts = [start + json_text(one)[1:-1] for one in spelled for start in ('"', " ")]
        found += [tags.contains(start, autoescape=True) for start in starts]
    # Few jobs have tags or notes: they are found by an index of their own, and all others need no look at their row.
    return or_(in_prompt(words), JOBS.c.id.in_(select(JOBS.c.id).where(ANNOTATED, or_(*found))))


def json_text(value: Any) -> str:
    """The value as `JsonText` stores it."""
    return json.dumps(value, separators=(",", ":"))
