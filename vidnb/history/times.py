"""Times as a person writes them: a date, a month, a year, a moment, or an age."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from numbers import Real
from typing import Any

from vidnb.clock import Clock
from vidnb.errors import ConfigError

FIRST_YEAR = 1970
"""No number below this is meant as a year: 26 is a day, or 2026."""
TICK = timedelta(microseconds=1)
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
EXAMPLES = "write it as 2026-11-21, 2026-11-21T09:30, 2026-11, 2026, or as an age: 90m, 2h, 7d, 3w"


def moment(given: Any, name: str = "since", *, end: bool = False, now: datetime | None = None) -> datetime | None:
    """Return a time in UTC; text without a zone is local time.

    Args:
        given: a datetime, a date, ISO text, a year as text or number, an age as text or timedelta; None stays None.
        name: of the argument, for the message.
        end: of a day, month or year the last moment instead of the first.
        now: from when an age counts back; default the machine's time.

    Raises:
        ConfigError: it is no time.
    """
    return None if given is None else span(name, given, now)[end]


def span(name: str, given: Any, now: datetime | None = None) -> tuple[datetime, datetime]:
    """Return the first and the last moment of the time that is meant: of a whole day for a date.

    Raises:
        ConfigError: it is no time.
    """
    try:
        start, end = _span(given, now or Clock().utc())
        return start.astimezone(UTC), (end or start).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{name}={given!r} is no time; {EXAMPLES}") from error


def _span(given: Any, now: datetime) -> tuple[datetime, datetime | None]:
    if type(given).__name__ in ("datetime64", "timedelta64"):  # NumPy's, in a unit that Python's can hold
        given = given.astype(f"{type(given).__name__}[us]").item()
    if isinstance(given, datetime):
        # One of pandas knows no local time: it becomes Python's own.
        return (given.to_pydatetime(warn=False) if hasattr(given, "to_pydatetime") else given), None
    if isinstance(given, date):
        return _from(given, given + timedelta(days=1))
    if isinstance(given, timedelta):
        return now - given, None
    if isinstance(given, Real) and not isinstance(given, bool) and given == given // 1 and float(given) >= FIRST_YEAR:
        given = f"{int(float(given)):04d}"  # a year, in a column of pandas maybe 2026.0
    if not isinstance(given, str):
        raise ValueError(given)
    text = given.strip()
    if age := re.fullmatch(r"(\d{1,4})([mhdw])", text):
        return now - timedelta(**{UNITS[age[2]]: int(age[1])}), None
    if re.fullmatch(r"\d{4}", text):
        return _from(date(int(text), 1, 1), date(int(text) + 1, 1, 1))
    if month := re.fullmatch(r"(\d{4})-(\d{1,2})", text):
        first = date(int(month[1]), int(month[2]), 1)
        return _from(first, (first + timedelta(days=31)).replace(day=1))
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        day = date.fromisoformat(text)
        return _from(day, day + timedelta(days=1))
    return datetime.fromisoformat(text), None


def _from(first: date, after: date) -> tuple[datetime, datetime]:
    """The first and the last moment between two local midnights."""
    start, end = (datetime.combine(day, time()).astimezone() for day in (first, after))
    return start, end - TICK
