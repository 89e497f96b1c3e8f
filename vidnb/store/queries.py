"""The statements of the store, built once: building one costs more than running it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
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
    type_coerce,
    update,
)

from vidnb.records import TRANSITIONS, State
from vidnb.store.tables import EVENTS, JOB_COLUMNS, JOBS, LIVE, ROW_COLUMNS, UNFINISHED, UPLOADS, storable

TAKE = [JOBS.c.base_url, JOBS.c.recipe_hash, JOBS.c.take]
JOB = select(*JOB_COLUMNS)
ROW = select(*ROW_COLUMNS)
ID = select(JOBS.c.id)
NEWEST = (JOBS.c.created_at.desc(), JOBS.c.id.desc())
ASCII_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)

IS_JOB = JOBS.c.id == bindparam("job_id")
IS_REMOTE = and_(JOBS.c.provider == bindparam("provider_is"), JOBS.c.remote_id == bindparam("remote_id_is"))

GET = JOB.where(IS_JOB)
BY_REMOTE = JOB.where(IS_REMOTE).order_by(*NEWEST).limit(1)
STANDING = JOB.where(*(column == bindparam(column.name) for column in TAKE)).where(LIVE)
NEXT_TAKE = select(func.coalesce(func.max(JOBS.c.take), -1) + 1).where(
    JOBS.c.base_url == bindparam("base_url"), JOBS.c.recipe_hash == bindparam("recipe_hash")
)
NOTE = insert(EVENTS)
STEPS = (
    select(EVENTS.c.at, EVENTS.c.state, EVENTS.c.note)
    .where(EVENTS.c.job_id == bindparam("job_id"))
    .order_by(EVENTS.c.id)
)
TIMES = (
    select(JOBS.c.submitted_at, JOBS.c.finished_at)
    .where(JOBS.c.model == bindparam("model_is"), JOBS.c.emulated == bindparam("emulated_is"))
    .where(JOBS.c.state == State.DONE.value, JOBS.c.submitted_at.is_not(None), JOBS.c.finished_at.is_not(None))
    .order_by(*NEWEST)
    .limit(bindparam("limit"))
)
SPENT = (
    select(JOBS.c.cost_unit, func.sum(JOBS.c.cost_amount))
    .where(JOBS.c.cost_unit.is_not(None))
    .group_by(JOBS.c.cost_unit)
)

DONE_LIKE = (
    JOB.where(JOBS.c.model == bindparam("model_is"), JOBS.c.emulated == bindparam("emulated_is"))
    .where(JOBS.c.state == State.DONE.value, JOBS.c.submitted_at.is_not(None), JOBS.c.done_at.is_not(None))
    .order_by(*NEWEST)
)
CHARGED_LIKE = JOB.where(
    JOBS.c.model == bindparam("model_is"), JOBS.c.emulated.is_(False), JOBS.c.cost_unit.is_not(None), LIVE
).order_by(*NEWEST)
UNCHARGED = JOB.where(JOBS.c.emulated.is_(False), JOBS.c.cost_unit.is_(None), LIVE)

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

UPLOADED = select(UPLOADS.c.remote_id, UPLOADS.c.kind).where(
    *(UPLOADS.c[name] == bindparam(f"{name}_is") for name in ("provider", "account", "base_url", "sha256"))
)


@cache
def update_of(names: tuple[str, ...]) -> Update:
    """The statement that sets these columns of one job; kept, as building it costs more than running it."""
    return update(JOBS).where(IS_JOB).values({name: bindparam(f"new_{name}") for name in names})


@cache
def move_of(to: State, expect: State | None, names: tuple[str, ...]) -> Update:
    """The statement that moves one job from where it may be, if it is there."""
    sources = [state for state, targets in TRANSITIONS.items() if to in targets and expect in (None, state)]
    # Quicker than IN, whose list SQLAlchemy writes anew for each execution.
    guard = or_(false(), *(JOBS.c.state == state.value for state in sources))
    return update_of(names).where(guard).values(state=to.value).returning(*JOB_COLUMNS)


def listed(query: Select[Any], limit: int | None, newest_first: bool, filters: dict[str, Any]) -> Select[Any]:
    """The query with the filters of `matching`, in order."""
    order = NEWEST if newest_first else (JOBS.c.created_at, JOBS.c.id)
    return query.where(*matching(**filters)).order_by(*order).limit(limit)


def matching(
    *,
    state: State | str | Iterable[str] | None = None,
    model: str | Iterable[str] | None = None,
    provider: str | Iterable[str] | None = None,
    prompt: str | None = None,
    words: str | None = None,
    seed: int | Iterable[int] | None = None,
    since: datetime | None = None,
    emulated: bool | None = None,
    rating: int | None = None,
    tag: str | Iterable[str] | None = None,
) -> list[ColumnElement[bool]]:
    """The conditions for these filters; one that is None lets everything pass.

    Args:
        state: one or several.
        model: one id or several, as `leonardo/motion_2.0`.
        provider: one name or several.
        prompt: a part of the prompt; upper and lower case are the same.
        words: a part of the prompt or the note, or the beginning of a tag or of a word in it; case as above.
        seed: one or several.
        since: only jobs made then or later.
        emulated: only emulated jobs, or only real ones.
        rating: only jobs that were rated so, or better.
        tag: one or several; a job that has any of them passes.
    """
    several = {JOBS.c.state: state, JOBS.c.model: model, JOBS.c.provider: provider}
    found: list[ColumnElement[bool]] = [
        column.in_(_texts(given)) for column, given in several.items() if given is not None
    ]
    if seed is not None:
        found.append(JOBS.c.seed.in_([int(one) for one in (seed if isinstance(seed, Iterable) else [seed])]))
    if prompt is not None:
        found.append(JOBS.c.prompt_folded.contains(storable(prompt.casefold()), autoescape=True))
    if words is not None:
        found.append(_worded(words))
    if since is not None:
        found.append(JOBS.c.created_at >= since)
    if emulated is not None:
        found.append(JOBS.c.emulated == emulated)
    if rating is not None:
        found.append(JOBS.c.rating >= int(rating))
    if tag is not None:
        possible = [one for one in _texts(tag) if "," not in one]
        found.append(or_(false(), *(_has(start + _json(one)) for one in possible for start in "[,")))
    return found


def like(params: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Conditions that jobs with these params meet, and few others: quicker than to parse the params of every job."""
    text = type_coerce(JOBS.c.params, Text)
    plain = {name: value for name, value in params.items() if isinstance(value, str | int | float)}
    return [text.contains(f"{_json(name)}:{_json(value)}", autoescape=True) for name, value in plain.items()]


def sent_since(since: datetime) -> ColumnElement[bool]:
    """Whether a job was sent then or later, not made: one that lay unsent for long is paid when it is sent."""
    return func.coalesce(JOBS.c.submitted_at, JOBS.c.created_at) >= since


def _has(part: str) -> ColumnElement[bool]:
    """Whether this is a part of the tags' text; LIKE is not the same in every database where case matters.

    A tag holds no comma, so one with its bracket or comma before it is found as a whole or not at all.
    """
    text = type_coerce(JOBS.c.tags, Text)
    return func.replace(text, part, "") != text


def _worded(words: str) -> ColumnElement[bool]:
    """Whether the prompt or the note has these words, or a tag or a word of a tag begins with them."""
    note, tags = func.lower(JOBS.c.note), func.lower(func.rtrim(type_coerce(JOBS.c.tags, Text), "]"))
    # SQLite's lower() knows the letters of ASCII only: others are found in the ways in which words are mostly spelled.
    cases = (words, words.casefold(), words.upper(), words.capitalize())
    spelled = sorted({storable(one).translate(ASCII_LOWER) for one in cases})
    found = [JOBS.c.prompt_folded.contains(storable(words.casefold()), autoescape=True)]
    found += [note.contains(one, autoescape=True) for one in spelled]
    if "," not in words:  # no tag has one; in the tags' text it stands between two
        found += [tags.contains(start + _json(one)[1:-1], autoescape=True) for one in spelled for start in ('"', " ")]
    return or_(*found)


def _json(value: Any) -> str:
    """The value as `JsonText` stores it."""
    return json.dumps(value, separators=(",", ":"))


def _texts(given: str | Iterable[str]) -> list[str]:
    return [str(given)] if isinstance(given, str) else [str(one) for one in given]
