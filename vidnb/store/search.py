"""What a history asks for, as plain values, and the SQL that it becomes.

Nothing of a person's spelling is here: `history.filters` checks names and values and writes `Term`s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy import column as sql_column

from vidnb.records import storable
from vidnb.store import columns, queries
from vidnb.store.columns import Kind, ParamKey
from vidnb.store.tables import JOBS, MEASURES, TRASHED

ANNOTATIONS = frozenset({"rating", "tags", "note"})
"""Columns that a person writes."""
Test = Literal["any", "between", "part", "starts", "tag", "words"]


@dataclass(frozen=True)
class Field:
    """A column to search or sort by: one of the table, a param of the recipe, or a measure of the clip's file."""

    name: str
    of: Literal["job", "param", "measure"] = "job"


@dataclass(frozen=True)
class Term:
    """One condition: what `field` must be for a job to pass."""

    field: Field
    test: Test
    values: tuple[Any, ...] = ()
    """Of `any`, `part`, `starts` and `tag`: one of them must fit; of `between`: both ends, None for an open one."""
    or_missing: bool = False
    """Whether jobs without a value pass, too."""


@dataclass(frozen=True)
class Search:
    """Which jobs, in which order, and how many of them."""

    terms: tuple[Term, ...] = ()
    order: tuple[tuple[Field, bool], ...] = ()
    """Fields to sort by, each with whether the largest comes first; then, and without any, the newest."""
    limit: int | None = None
    until: datetime | None = None
    """Leave out jobs made later, so that a history keeps its rows once it was read."""

    trashed: bool = False
    """Whether those in the trash are meant, instead of all others."""

    def where(self, *terms: Term) -> Search:
        """Return the same with more conditions."""
        return replace(self, terms=(*self.terms, *terms))

    @property
    def is_by_annotation(self) -> bool:
        """Whether what a person writes of a job decides whether it is among these, or where."""
        fields = {term.field.name for term in self.terms} | {field.name for field, _ in self.order}
        return not ANNOTATIONS.isdisjoint(fields) or any(term.test in ("tag", "words") for term in self.terms)


SECONDS = {
    "wait_s": ("submitted_at", "finished_at"),
    "download_s": ("finished_at", "done_at"),
    "total_s": ("created_at", "done_at"),
}
"""Seconds between two times of a job."""
NUMBERS: tuple[Kind, ...] = ("int", "real")
NEAR = 2_000
"""Up to so many jobs are looked for among the newest first."""
LOOKED_AT = 4
"""So many jobs are looked at for each that is wanted."""
UNSAID = {"tags": "[]", "note": ""}
"""What stands in a column in which nobody wrote anything, where that is not NULL."""
SINGLY = 100
"""From this many values on, one list is used: SQLite refuses expressions of more than a thousand parts."""


class Sql:
    """The statements of a search on one database.

    Args:
        dialect: `sqlite` or `postgresql`.
        known: the columns of params that there are.
        by_index: False where another index is better; SQLite is then told not to use the indexes of params.
    """

    def __init__(self, dialect: str, known: Mapping[ParamKey, str], *, by_index: bool = True) -> None:
        self._dialect = dialect
        self._known = known
        self._params: dict[str, dict[Kind, ColumnElement[Any]]] = {}
        self._indexes: dict[tuple[str, Kind], ColumnElement[Any]] = {}
        for (name, kind), chosen in known.items():
            own: ColumnElement[Any] = sql_column(chosen, columns.TYPES[kind]())
            if dialect == "sqlite" and not by_index:
                own = literal_column(f"+{chosen}", columns.TYPES[kind]())
            self._params.setdefault(name, {})[kind] = own
            self._indexes[name, kind] = literal_column(columns.indexed(chosen, kind, dialect))

    def ids(self, wanted: Search, start: int = 0, count: int | None = None) -> Select[Any]:
        """Return the query for the ids, in order; `start` and `count` choose a part of what the limit leaves."""
        return self.rows(queries.ID, wanted, start, count)

    def rows(self, query: Select[Any], wanted: Search, start: int = 0, count: int | None = None) -> Select[Any]:
        """Return a query on jobs with the conditions, the order and the limit of a search."""
        left = None if wanted.limit is None else max(wanted.limit - start, 0)
        limits = [number for number in (left, count) if number is not None]
        chosen = query.where(*self.conditions(wanted)).order_by(*self._order(wanted))
        return chosen.limit(min(limits) if limits else None).offset(start or None)

    def near(self, wanted: Search, count: int) -> Select[Any] | None:
        """Return the query for the first ids in order that looks at the newest jobs only; None where it gains nothing.

        An index of a param serves a range, or several values, by value and not by time: all that pass would be sorted
        to find the newest few. What this query leaves unfound is for `ids` to find.
        """
        spread = [term for term in wanted.terms if term.field.of == "param" and _is_spread(term)]
        if self._dialect != "sqlite" or wanted.order or not spread or count > NEAR:
            return None
        made = JOBS.c.created_at
        oldest = select(made).order_by(made.desc()).limit(1).offset(LOOKED_AT * count).scalar_subquery()
        conditions = Sql(self._dialect, self._known, by_index=False).conditions(wanted)
        return queries.ID.where(*conditions, made >= oldest).order_by(*queries.NEWEST).limit(count)

    def wide(self, query: Select[Any], wanted: Search) -> Select[Any]:
        """Return the same as `rows` for a query of many columns.

        Where few of the rows that pass are wanted, their ids are found in an index alone, and only those rows are read.
        """
        if wanted.limit is None:
            return self.rows(query, wanted)
        return query.where(JOBS.c.id.in_(self.ids(wanted))).order_by(*self._order(wanted))

    def _order(self, wanted: Search) -> list[ColumnElement[Any]]:
        ordered = [one for field, largest_first in wanted.order for one in self._ordered(field, largest_first)]
        return [*ordered, *queries.NEWEST]

    def count(self, wanted: Search) -> Select[Any]:
        """Return the query for the number of jobs.

        It counts in an index alone where one holds all that the conditions ask for: so those in the trash are counted
        apart, and those without a value as what those with one leave.
        """
        if wanted.limit is not None:
            few = queries.ID.where(*self.conditions(wanted)).limit(wanted.limit)
            return select(func.count()).select_from(few.subquery())
        terms = [self._condition(term) for term in wanted.terms]
        if len(terms) == 1 and _is_missing(wanted.terms[0]):
            given = Term(wanted.terms[0].field, "between", (None, None))
            number = self._number(wanted, []) - self._number(wanted, [self._condition(given)])
        else:
            number = self._number(wanted, terms)
        return select(number)

    def _number(self, wanted: Search, terms: list[ColumnElement[bool]]) -> ColumnElement[Any]:
        until = [] if wanted.until is None else [JOBS.c.created_at <= wanted.until]
        every = select(func.count()).select_from(JOBS).where(*terms, *until)
        in_trash = every.where(JOBS.c.id.in_(select(JOBS.c.id).where(TRASHED))).scalar_subquery()
        return in_trash if wanted.trashed else every.scalar_subquery() - in_trash

    def terms(self, terms: Iterable[Term]) -> list[ColumnElement[bool]]:
        """Return the conditions of these terms."""
        return [self._condition(term) for term in terms]

    def conditions(self, wanted: Search) -> list[ColumnElement[bool]]:
        """Return the conditions of a search."""
        found = [self._condition(term) for term in wanted.terms]
        trash = select(JOBS.c.id).where(TRASHED)
        # By their ids, which are in every index: the rows themselves need not be read for it.
        found.append(JOBS.c.id.in_(trash) if wanted.trashed else JOBS.c.id.not_in(trash))
        return found if wanted.until is None else [*found, JOBS.c.created_at <= wanted.until]

    def column(self, name: str, kind: Kind) -> ColumnElement[Any]:
        """Return the column of a param's values of one kind."""
        return self._params[name][kind]

    def value(self, field: Field, only: Collection[Kind] = columns.KINDS) -> ColumnElement[Any] | None:
        """Return a field's value: of a param a number, or text where it has other kinds; None where no job has it.

        Args:
            field: the column.
            only: the kinds of a param that count.
        """
        if field.of == "param":
            kinds = {kind: one for kind, one in self._params.get(field.name, {}).items() if kind in only}
            if len(kinds) == 1:
                return next(iter(kinds.values()))
            numbers = [kinds[kind] for kind in NUMBERS[::-1] if kind in kinds]
            if len(numbers) == len(kinds):
                return (func.coalesce(*numbers) if len(numbers) > 1 else numbers[0]) if numbers else None
            return func.coalesce(*(_as_text(kinds[kind], kind) for kind in columns.KINDS if kind in kinds))
        if field.of == "measure":
            return (
                select(MEASURES.c.value)
                .where(MEASURES.c.sha256 == JOBS.c.clip_sha256, MEASURES.c.name == field.name)
                .order_by(MEASURES.c.measured_at.desc())
                .limit(1)
                .scalar_subquery()
            )
        if field.name in SECONDS:
            start, end = (JOBS.c[name] for name in SECONDS[field.name])
            return self._seconds(end) - self._seconds(start)
        if field.name == "cost_usd":
            return case((JOBS.c.emulated == true(), 0.0), (JOBS.c.cost_unit == "USD", JOBS.c.cost_amount))
        return JOBS.c[field.name]

    def _ordered(self, field: Field, largest_first: bool) -> list[ColumnElement[Any]]:
        value = self.value(field)
        return [] if value is None else [(value.desc() if largest_first else value.asc()).nulls_last()]

    def _condition(self, term: Term) -> ColumnElement[bool]:
        tests: list[ColumnElement[bool]] = [false()] if term.test == "any" and not term.values else [self._test(term)]
        if term.or_missing:
            tests.append(self._missing(term.field))
        return or_(*tests)

    def _missing(self, field: Field) -> ColumnElement[bool]:
        if field == Field("sweep"):
            return queries.in_no_sweep()
        if field.of == "job" and field.name in UNSAID:
            return type_coerce(JOBS.c[field.name], Text) == UNSAID[field.name]
        if field == Field("prompt"):
            field = Field("prompt", of="param")
        if field.of == "param":
            return and_(true(), *(one.is_(None) for one in self._params.get(field.name, {}).values()))
        value = self.value(field)
        return true() if value is None else value.is_(None)

    def _test(self, term: Term) -> ColumnElement[bool]:
        field, values = term.field, term.values
        if field == Field("sweep"):
            return or_(false(), *map(queries.of_sweep, values))
        if term.test == "words":
            return and_(*map(queries.worded, str(values[0]).split()))
        if term.test == "tag":
            return or_(false(), *map(queries.tagged, values))
        if term.test == "part":
            return or_(false(), *(self._has_part(field, part) for part in values))
        if term.test == "starts":
            starts = (JOBS.c[field.name].startswith(storable(start), autoescape=True) for start in values)
            return or_(false(), *starts)
        if term.test == "between":
            return self._between(field, *values)
        if field.of == "job" and len(values) > 1:
            column = self.value(field)
            return false() if column is None else column.in_([_bindable(value) for value in values])
        if len(values) > SINGLY and all(columns.kind_of(value) in NUMBERS for value in values):
            kinds = self._params.get(field.name, {})
            several = [_bindable(value) for value in values]
            return or_(false(), *(kinds[kind].in_(several) for kind in NUMBERS if kind in kinds))
        return or_(false(), *(self._equals(field, value) for value in values))

    def _between(self, field: Field, low: Any, high: Any) -> ColumnElement[bool]:
        if field.of == "param":
            kinds = self._params.get(field.name, {})
            if low is None and high is None:
                return or_(false(), *(one.is_not(None) for one in kinds.values()))
            return or_(false(), *(_within(kinds[kind], low, high) for kind in NUMBERS if kind in kinds))
        value = self.value(field)
        return false() if value is None else _within(value, low, high)

    def _has_part(self, field: Field, part: str) -> ColumnElement[bool]:
        if field.name == "prompt":
            return queries.in_prompt(part)
        text = type_coerce(JOBS.c[field.name], Text)
        return func.lower(text).contains(storable(part.lower()), autoescape=True)

    def _equals(self, field: Field, value: Any) -> ColumnElement[bool]:
        if field.of == "param":
            kinds = self._params.get(field.name, {})
            return or_(false(), *(self._is(field.name, kind, kinds[kind], value) for kind in kinds))
        column = self.value(field)
        return false() if column is None else column == _bindable(value)

    def _is(self, name: str, kind: Kind, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
        """Whether a column of this kind holds the value; never, where the value is of another kind."""
        own = columns.kind_of(value)
        if own in NUMBERS:
            return column == _bindable(value) if kind in NUMBERS else false()
        if own == "bool":
            return column == value if kind == "bool" else false()
        stored = storable(str(value))
        if kind == "text":
            if self._dialect == "sqlite":
                return column == stored
            start = self._indexes[name, kind] == stored[: columns.INDEXED]
            return start if len(stored) < columns.INDEXED else and_(start, column == stored)
        if kind == "json":
            whole = [column == stored, *(queries.has_text(column, start + queries.json_text(stored)) for start in "[,")]
            return or_(*whole)
        if kind == "input":
            short = stored[:8] if set(stored) <= set("0123456789abcdef") else stored
            return column.contains(short, autoescape=True)
        return false()

    def _seconds(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        text = type_coerce(time, Text)
        if self._dialect == "sqlite":
            # julianday() keeps a tenth of a millisecond only; whole seconds and the fraction apart keep all.
            return cast(func.strftime("%s", text), Integer) + cast(func.substr(text, 20, 7), Double)
        from sqlalchemy.dialects import postgresql  # takes longer to import than a history of SQLite to open

        return func.extract("epoch", cast(text, postgresql.TIMESTAMP(timezone=True)))


def _is_missing(term: Term) -> bool:
    return term.or_missing and term.test == "any" and not term.values and term.field.of == "param"


def _is_spread(term: Term) -> bool:
    return term.test == "between" or len(term.values) > 1


def _within(column: ColumnElement[Any], low: Any, high: Any) -> ColumnElement[bool]:
    ends = [column >= _bindable(low)] if low is not None else []
    ends += [column <= _bindable(high)] if high is not None else []
    return and_(*ends) if ends else column.is_not(None)


def _bindable(value: Any) -> Any:
    """The value as every database takes it: no text with NUL, no integer beyond 64 bits."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int) and not -columns.LONGEST_INT <= value < columns.LONGEST_INT:
        return float(value)
    return value


def _as_text(column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
    if kind == "bool":
        return case((column.is_(None), None), (column == true(), "true"), else_="false")
    return cast(column, Text)
