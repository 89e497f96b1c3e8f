"""The books of the ledger: what each purse has settled, reserved and left unclear, by unit, and each job's part in it.

What passes through: a `Reservation`, made with the row of a job, moves between three sums of each of its purses
(reserved -> settled, given back or unclear) in the same transaction in which the job itself moves. So the sums are
right after any crash. What a price means and how a refusal is worded is decided in `jobs.ledger`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, update

from vidnb.errors import CapReachedError
from vidnb.records import JOBS_UNIT, Booked, Cost, Purse, Reservation
from vidnb.store import prepared
from vidnb.store.database import insert_new
from vidnb.store.tables import JOBS, PURSES, RESERVATIONS, UNFINISHED

ROUNDING = 1e-9
"""Sums of decimal fractions are a hair off: this much over a cap is still within it."""

_KEY = (PURSES.c.name, PURSES.c.book, PURSES.c.unit)
_IS_PURSE = and_(*(column == bindparam(f"{column.name}_is") for column in _KEY))
_USED = PURSES.c.settled + PURSES.c.reserved + PURSES.c.unclear - PURSES.c.forgiven
_READ = select(PURSES).where(PURSES.c.book == bindparam("book_is"), PURSES.c.name == bindparam("name_is"))
_RESERVE = (
    update(PURSES)
    .where(_IS_PURSE, or_(PURSES.c.cap.is_(None), _USED + bindparam("more") <= PURSES.c.cap + ROUNDING))
    .values(reserved=PURSES.c.reserved + bindparam("more"))
)
_SHIFT = (
    update(PURSES)
    .where(_IS_PURSE)
    .values({name: PURSES.c[name] + bindparam(f"{name}_by") for name in ("settled", "reserved", "unclear")})
)
_ADD = insert(RESERVATIONS).values(
    attempt=select(func.coalesce(func.max(RESERVATIONS.c.attempt) + 1, 0))
    .where(RESERVATIONS.c.job_id == bindparam("job_is"))
    .scalar_subquery()
)
_LATEST = (
    select(RESERVATIONS)
    .where(RESERVATIONS.c.job_id == bindparam("job_is"))
    .order_by(RESERVATIONS.c.attempt.desc())
    .limit(1)
)
_REBOOK = (
    update(RESERVATIONS)
    .where(RESERVATIONS.c.job_id == bindparam("job_is"), RESERVATIONS.c.attempt == bindparam("attempt_is"))
    .values(
        booked=bindparam("new_booked"), unit=bindparam("new_unit"), amount=bindparam("new_amount"),
        charged=bindparam("new_charged"),
    )
)  # fmt: skip
_ALL_OF_JOB = RESERVATIONS.alias()
_HELD = (
    select(RESERVATIONS.c.job_id, RESERVATIONS.c.purses)
    .join_from(JOBS, RESERVATIONS, JOBS.c.id == RESERVATIONS.c.job_id)
    .where(
        UNFINISHED, RESERVATIONS.c.book == bindparam("book_is"), RESERVATIONS.c.booked == Booked.RESERVED.value
    )
)  # fmt: skip
_UNKNOWN = (
    select(RESERVATIONS.c.job_id, RESERVATIONS.c.purses, RESERVATIONS.c.booked)
    .join_from(JOBS, RESERVATIONS, JOBS.c.id == RESERVATIONS.c.job_id)
    .where(
        UNFINISHED, JOBS.c.provider.in_(bindparam("providers", expanding=True)),
        RESERVATIONS.c.book == bindparam("book_is"), RESERVATIONS.c.unit == "",
        RESERVATIONS.c.booked.in_([Booked.RESERVED.value, Booked.UNCLEAR.value]),
        RESERVATIONS.c.job_id != bindparam("job_is"),
        # A charge is booked with the last POST of a job; what an earlier one cost is never known.
        RESERVATIONS.c.attempt
        == select(func.max(_ALL_OF_JOB.c.attempt)).where(_ALL_OF_JOB.c.job_id == JOBS.c.id).scalar_subquery(),
    )
    .order_by(JOBS.c.created_at)
)  # fmt: skip
_COUNTED = (Booked.SETTLED, Booked.RESERVED, Booked.UNCLEAR)
# One sum for each part that counts: in the order of their index, where GROUP BY would first sort all that it finds.
SUMS_SINCE = select(
    PURSES.c.unit,
    *(
        select(func.sum(RESERVATIONS.c.amount))
        .where(RESERVATIONS.c.book == PURSES.c.book, RESERVATIONS.c.unit == PURSES.c.unit)
        .where(RESERVATIONS.c.booked == booked.value, RESERVATIONS.c.at >= bindparam("since"))
        .scalar_subquery()
        .label(booked.value)
        for booked in _COUNTED
    ),
).where(PURSES.c.name == "", PURSES.c.book == bindparam("book_is"), PURSES.c.unit != JOBS_UNIT)


def reserve(connection: Connection, job_id: str, reservation: Reservation, now: datetime) -> None:
    """Set the highest price of one POST aside in every purse of the job.

    Raises:
        CapReachedError: a purse has no room for it, or has a cap in money that the price cannot be held against, or
            one under which another job of unknown price is on its way; the transaction must be taken back.
    """
    values = {
        "job_id": job_id, "job_is": job_id, "at": now, "book": reservation.book, "unit": reservation.unit,
        "amount": reservation.amount, "highest": reservation.amount, "expected": reservation.expected,
        "purses": list(reservation.purses), "booked": Booked.RESERVED.value, "charged": None,
    }  # fmt: skip
    prepared.count(connection, _ADD, values)
    # Last, as from here to the end of the transaction all others with the same purse wait on PostgreSQL.
    known = _purses(connection, reservation.purses, reservation.book)
    for name in reservation.purses:
        _check_unit(name, [purse for purse in known.values() if purse.name == name], reservation)
    for name, unit, more in _parts(reservation):
        if (name, unit) not in known:
            _open(connection, name, reservation.book, unit)
        more_is = {"name_is": name, "book_is": reservation.book, "unit_is": unit, "more": more}
        if prepared.count(connection, _RESERVE, more_is) == 0:
            purse = _purses(connection, (name,), reservation.book)[name, unit]
            raise CapReachedError(purse, Cost(more, unit), None)
    if reservation.known_from:
        capped = [purse for purse in known.values() if _is_cap_in_money(purse)]
        _check_alone(connection, job_id, reservation.known_from, capped)


def is_reserved(connection: Connection, job_id: str) -> bool:
    """Return whether the job's next POST is reserved: its last reservation is neither settled nor given back."""
    last = prepared.first(connection, _LATEST, {"job_is": job_id})
    return last is not None and last.booked == Booked.RESERVED


def book(connection: Connection, job_id: str, to: Booked, charged: Cost | None = None) -> None:
    """Move the job's last reservation to another sum of its purses.

    Args:
        connection: in the transaction in which the job moves.
        job_id: of the job; one without a reservation has no part in the books.
        to: where it belongs now.
        charged: what the service said; it replaces what was reserved. None keeps what is known: an earlier word of the
            service, else the expected price once the job is settled, else the reserved one.
    """
    row = prepared.first(connection, _LATEST, {"job_is": job_id})
    if row is None:
        return
    if row.book == "emulated" and row.unit:
        charged = None  # the emulator's prices are invented; the second book is kept at the catalogue's
    unit, amount = row.unit, row.amount
    said = row.charged
    if charged is not None:
        unit, amount, said = charged.unit, charged.amount, charged.amount
    elif said is None and to is Booked.SETTLED:
        amount = row.expected
    _rebook(connection, row, to, unit, amount, said)


def estimate(connection: Connection, job_id: str, most: Cost) -> None:
    """Reserve for a job that is under way what the service itself says that it will charge at most.

    Args:
        connection: in the transaction in which the job moves.
        job_id: of the job.
        most: the service's word; it replaces what was expected. `highest` stays what was asked of the caps, so that a
            charge above that is said.
    """
    row = prepared.first(connection, _LATEST, {"job_is": job_id})
    if row is None or row.booked != Booked.RESERVED or row.charged is not None:
        return
    if row.book == "emulated" and row.unit:
        return  # the second book is kept at the catalogue's prices
    _rebook(connection, row, Booked.RESERVED, most.unit, most.amount, None)
    found = and_(RESERVATIONS.c.job_id == job_id, RESERVATIONS.c.attempt == row.attempt)
    connection.execute(update(RESERVATIONS).where(found).values(expected=most.amount))


def _rebook(connection: Connection, row: Row[Any], to: Booked, unit: str, amount: float, said: float | None) -> None:
    """Write a reservation anew, and carry the difference into the sums of its purses."""
    if (to.value, unit, amount) == (row.booked, row.unit, row.amount) and said == row.charged:
        return
    before, after = Booked(row.booked), to
    for name in sorted(row.purses):
        shifts: dict[str, dict[str, float]] = {}
        _shift(shifts, JOBS_UNIT, before, -1.0)
        _shift(shifts, JOBS_UNIT, after, 1.0)
        if row.unit:
            _shift(shifts, row.unit, before, -row.amount)
        if unit:
            _shift(shifts, unit, after, amount)
        for of, by in sorted(shifts.items()):
            _move(connection, name, row.book, of, by)
    prepared.count(
        connection,
        _REBOOK,
        {
            "job_is": row.job_id, "attempt_is": row.attempt, "new_booked": to.value, "new_unit": unit,
            "new_amount": amount, "new_charged": said,
        },
    )  # fmt: skip


def overrun(connection: Connection, job_id: str) -> float | None:
    """Return by how much a job was charged above what was reserved for it, or None where it was not."""
    row = prepared.first(connection, _LATEST, {"job_is": job_id})
    if row is None or row.charged is None or not row.highest or row.charged <= row.highest + ROUNDING:
        return None
    return float(row.charged - row.highest)


def held_by(connection: Connection, purse: Purse) -> set[str]:
    """Return the ids of the unfinished jobs for which a part of the purse is reserved."""
    rows = connection.execute(_HELD, {"book_is": purse.book})
    return {job_id for job_id, names in rows if purse.name in names}


def expect_cost(connection: Connection, job_id: str, cost: Cost | None) -> None:
    """Book the likely cost of a job from before the ledger; None for an unknown cost."""
    row = prepared.first(connection, _LATEST, {"job_is": job_id})
    if row is None or row.expected >= 0:
        return  # another process was quicker
    amount, unit = (cost.amount, cost.unit) if cost is not None else (0.0, "")
    connection.execute(
        update(RESERVATIONS).where(RESERVATIONS.c.job_id == job_id).values(
            expected=amount, highest=amount, amount=amount, unit=unit
        )
    )  # fmt: skip
    if unit and row.booked != Booked.RETURNED:
        _move(connection, "", row.book, unit, {row.booked: amount})


def purses(connection: Connection, names: Iterable[str] | None = None) -> list[Purse]:
    """Every purse with its sums, one row a unit and book; only these if names are given."""
    query = select(PURSES).order_by(*_KEY)
    if names is not None:
        query = query.where(PURSES.c.name.in_(list(names)))
    return [_purse(row) for row in connection.execute(query)]


def set_cap(connection: Connection, name: str, unit: str, cap: float | None) -> None:
    """Give a purse a cap in one unit, the same in both books, or take it away."""
    for side in ("emulated", "real"):
        _open(connection, name, side, unit)
        values = {"name_is": name, "book_is": side, "unit_is": unit}
        connection.execute(update(PURSES).where(_IS_PURSE).values(cap=cap), values)


def forgive(connection: Connection, name: str) -> None:
    """Let a purse begin anew: what was settled or left unclear so far no longer counts against its caps."""
    connection.execute(update(PURSES).where(PURSES.c.name == name).values(forgiven=PURSES.c.settled + PURSES.c.unclear))


def sums(connection: Connection, side: str, since: datetime | None = None) -> list[tuple[str, Booked, float]]:
    """Return what the folder's jobs come to, by unit and by how sure that is; with `since` only later ones."""
    rows: list[Any] = [
        purse for purse in purses(connection, [""]) if purse.book == side and purse.unit != JOBS_UNIT
    ]
    if since is not None:
        rows = prepared.rows(connection, SUMS_SINCE, {"book_is": side, "since": since})
    sums_ = ((row.unit, booked, getattr(row, booked.value)) for row in rows for booked in _COUNTED)
    return [(unit, booked, float(amount)) for unit, booked, amount in sums_ if amount is not None]


def _parts(reservation: Reservation) -> list[tuple[str, str, float]]:
    """Purse, unit and amount of each sum that a reservation adds to, in the one order in which all are locked."""
    amounts = {JOBS_UNIT: 1.0} | ({reservation.unit: reservation.amount} if reservation.unit else {})
    return sorted((name, unit, more) for name in reservation.purses for unit, more in amounts.items())


def _check_unit(name: str, known: list[Purse], reservation: Reservation) -> None:
    """Refuse a price that none of the purse's caps in money can be held against, unless a cap in jobs stands for it."""
    capped = {purse.unit: purse for purse in known if purse.cap is not None}
    in_money = [purse for purse in known if _is_cap_in_money(purse)]
    if not reservation.unit and (used_up := next((purse for purse in in_money if not purse.left), None)):
        raise CapReachedError(used_up, None, None)  # whoever accepted an unknown price accepted it below the cap
    if in_money and reservation.unit not in capped and JOBS_UNIT not in capped and not reservation.accepted:
        cost = Cost(reservation.expected, reservation.unit) if reservation.unit else None
        raise CapReachedError(in_money[0], None, cost)


def _check_alone(connection: Connection, job_id: str, known_from: Sequence[str], capped: list[Purse]) -> None:
    """Refuse a job of unknown price where another one is on its way under the same cap in money.

    So all such jobs together pass a cap by the price of one of them at most. Jobs of a service that never says what one
    cost do not count, as nothing would be known after they were waited for. Two processes cannot both find that their
    job is alone: each has locked the rows of its purses before it looks here.
    """
    if not capped:
        return
    values = {"book_is": capped[0].book, "job_is": job_id, "providers": known_from}
    for other_id, names, booked in connection.execute(_UNKNOWN, values):
        for purse in capped:
            if purse.name in names:
                raise CapReachedError(purse, None, None, other_id, is_unclear=booked == Booked.UNCLEAR)


def _is_cap_in_money(purse: Purse) -> bool:
    return purse.cap is not None and purse.unit != JOBS_UNIT


def _purses(connection: Connection, names: Iterable[str], side: str) -> dict[tuple[str, str], Purse]:
    rows = (prepared.rows(connection, _READ, {"book_is": side, "name_is": name}) for name in names)
    return {(row.name, row.unit): _purse(row) for row in itertools.chain.from_iterable(rows)}


def _purse(row: Any) -> Purse:
    return Purse(row.name, row.book, row.unit, row.cap, row.settled, row.reserved, row.unclear, row.forgiven)


def _open(connection: Connection, name: str, side: str, unit: str) -> None:
    empty = dict.fromkeys(("settled", "reserved", "unclear", "forgiven"), 0.0)
    connection.execute(insert_new(connection.dialect.name, PURSES), empty | {"name": name, "book": side, "unit": unit})


def _shift(shifts: dict[str, dict[str, float]], unit: str, booked: Booked, by: float) -> None:
    if booked is not Booked.RETURNED:
        sums = shifts.setdefault(unit, {})
        sums[booked.value] = sums.get(booked.value, 0.0) + by


def _move(connection: Connection, name: str, side: str, unit: str, by: Mapping[str, float]) -> None:
    values = {"name_is": name, "book_is": side, "unit_is": unit}
    values |= {f"{sum_}_by": by.get(sum_, 0.0) for sum_ in ("settled", "reserved", "unclear")}  # type: ignore[misc]
    if prepared.count(connection, _SHIFT, values) == 0:  # the service charged in another unit than was expected
        _open(connection, name, side, unit)
        prepared.count(connection, _SHIFT, values)
