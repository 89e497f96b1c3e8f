"""The filters of a history: what a person writes, understood or refused, as conditions for the store.

A name is a column of `.df`, a param, or one of the words `since`, `until`, `words`, `tag`. A value is one value,
several (list, set, range), a tuple of two for an inclusive range, None for any, or MISSING for "not given". What is
misspelt is an error with a suggestion: an empty answer without a word would be taken for the truth.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import islice
from numbers import Integral, Real
from typing import Any, Literal, Protocol

from vidnb import arguments, catalog, providers
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.errors import ConfigError
from vidnb.history.times import moment, span
from vidnb.media.measures import MEASURES, not_yet
from vidnb.records import MISSING, State
from vidnb.store.search import Field, Term

Kind = Literal["id", "choice", "part", "tag", "words", "text", "int", "real", "bool", "time", "rating"]

OTHER_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("finished", "complete", "completed", "success", "succeeded", "successful", "ready", "ok"), "done"),
    **dict.fromkeys(("error", "failure", "rejected", "refused"), "failed"),
    **dict.fromkeys(("processing", "in progress", "started", "pending", "in_progress"), "running"),
    **dict.fromkeys(("lost", "unknown", "unclear"), "ambiguous"),
    "aborted": "cancelled", "waiting": "queued",
}  # fmt: skip
"""What services and people call a state, and what it is called here; for a suggestion only."""

FIELDS: Mapping[str, tuple[str, Kind]] = {
    "id": ("id", "id"),
    "job_id": ("id", "id"),
    "state": ("state", "choice"),
    "provider": ("provider", "choice"),
    "model": ("model", "choice"),
    "prompt": ("prompt", "part"),
    "words": ("words", "words"),
    "tag": ("tags", "tag"),
    "tags": ("tags", "tag"),
    "note": ("note", "part"),
    "rating": ("rating", "rating"),
    "emulated": ("emulated", "bool"),
    "take": ("take", "int"),
    "created_at": ("created_at", "time"),
    "submitted_at": ("submitted_at", "time"),
    "finished_at": ("finished_at", "time"),
    "done_at": ("done_at", "time"),
    "cost": ("cost_amount", "real"),
    "cost_unit": ("cost_unit", "text"),
    "cost_usd": ("cost_usd", "real"),
    "wait_s": ("wait_s", "real"),
    "download_s": ("download_s", "real"),
    "total_s": ("total_s", "real"),
    "actual_width_px": ("actual_width_px", "int"),
    "actual_height_px": ("actual_height_px", "int"),
    "actual_fps": ("actual_fps", "real"),
    "actual_duration_s": ("actual_duration_s", "real"),
    "frames": ("actual_frames", "int"),
    "size_bytes": ("size_bytes", "int"),
    "has_audio": ("has_audio", "bool"),
    "codec": ("codec", "text"),
    "nsfw": ("nsfw", "bool"),
    "error": ("error", "part"),
    "wire_status": ("wire_status", "text"),
    "remote_id": ("remote_id", "id"),
    "recipe_hash": ("recipe_hash", "id"),
    "clip_sha256": ("clip_sha256", "id"),
    "purse": ("purse", "text"),
    "seed_drawn": ("seed_drawn", "bool"),
    "used_seed": ("used_seed", "int"),
    "used_prompt": ("used_prompt", "part"),
    "imported": ("imported", "bool"),
    "replayed": ("replays", "bool"),
    "sweep": ("sweep", "text"),
}
"""Name that a person writes -> column of the table, and how its values are read."""

TIMES = {"since": 0, "until": 1}
MOST_VALUES = 10_000
IDS_CHECKED = 20
"""So many ids of a long list are looked up before it is searched."""
VALUES_SAID = 5
"""So many values of a filter are said in a message."""


class Known(Protocol):
    """What a store knows of its own rows."""

    def utc(self) -> datetime:
        """The time now by which its rows are dated."""

    def known(self, column: str) -> list[str]:
        """The different values of a column."""

    def purse_names(self) -> list[str]:
        """The names of all purses that ever had a cap or a job."""

    def has_param(self, name: str, text: str) -> bool:
        """Whether any job has this text for a param."""

    def param_kinds(self) -> dict[str, set[str]]:
        """The kinds of value of each param."""

    def measure_names(self) -> list[str]:
        """The names of all measures that any clip has."""

    def tag_names(self) -> list[str]:
        """The tags that any job has."""

    def sweep_titles(self) -> dict[str, str]:
        """The titles of all sweeps by their ids, the newest first."""

    def has_id(self, start: str) -> bool:
        """Whether any job's id starts so, in the trash or not."""


def terms(store: Known, given: Mapping[str, Any]) -> tuple[Term, ...]:
    """Return the conditions for these filters; `params` in them holds filters by names of params only.

    Raises:
        ConfigError: a name or a value is not understood; the message says what there is.
    """
    named = {name: _readable_twice(value) for name, value in given.items()}
    params = arguments.mapping("params", named.pop("params", None), "{'state': 'Bavaria'}")
    params = {name: _readable_twice(value) for name, value in params.items()}
    kinds = _Kinds(store)
    if isinstance(words := named.get("words"), str) and not words.strip():
        del named["words"]
    found = [_term(store, kinds, name, value) for name, value in named.items() if value is not None]
    _check_bounds(named, found)
    return (*found, *(_param(store, kinds, name, value) for name, value in params.items() if value is not None))


def _check_bounds(named: Mapping[str, Any], found: list[Term]) -> None:
    """Refuse a span that ends before it starts, as `_checked_range` does: it would find nothing and say nothing."""
    bounds = [term.values for term in found if term.field == Field("created_at") and term.test == "between"]
    start = max((low for low, _ in bounds if low is not None), default=None)
    end = min((high for _, high in bounds if high is not None), default=None)
    if start is not None and end is not None and start > end and TIMES.keys() <= named.keys():
        raise ConfigError(f"since={named['since']!r}, until={named['until']!r}: that span ends before it starts")


def flag(name: str, value: Any) -> bool:
    """Return yes or no; None is no.

    Raises:
        ConfigError: it is neither.
    """
    return False if value is None else bool(_column_value(name, {"bool"}, value))


def field(store: Known, name: str) -> Field:
    """Return the column of this name, to sort by it.

    Raises:
        ConfigError: there is none, or it cannot be sorted by.
    """
    if name in FIELDS:
        column, kind = FIELDS[name]
        if kind in ("words", "tag") or name == "sweep":
            raise ConfigError(f"jobs cannot be sorted by {name}")
        return Field(column, of="param" if column == "prompt" else "job")
    return _field_and_kinds(_Kinds(store), name)[0]


class _Kinds:
    """The kinds of params: what the catalogue says, and what the rows have; these are read once, when needed."""

    def __init__(self, store: Known) -> None:
        self._store = store
        self._of_rows: dict[str, set[str]] | None = None

    def of(self, name: str) -> set[str] | None:
        """The kinds of value of a param; None where neither the rows nor the catalogue know it."""
        if self._of_rows is None:
            self._of_rows = self._store.param_kinds()
        published = _catalogue_kinds().get(name, set())
        return (self._of_rows.get(name, set()) | published) or None

    def names(self) -> list[str]:
        """All names of params and measures."""
        self.of("")
        return sorted({*(self._of_rows or {}), *_catalogue_kinds(), *self.measures(), *MEASURES})

    def of_rows(self) -> list[str]:
        """The names of the params and measures that the rows have."""
        self.of("")
        return sorted({*(self._of_rows or {}), *self.measures()})

    def measures(self) -> set[str]:
        """The names of what was measured here."""
        return set(self._store.measure_names())


def _check_choices(store: Known, name: str, value: Any) -> None:
    """Refuse a word that no model and no job has for this param: such a filter would find nothing and say nothing."""
    params = [model.params[name] for model in catalog.load().values() if name in model.params]
    if not params or any(param.kind != "choice" for param in params):
        return
    known = {str(choice).casefold(): str(choice) for param in params for choice in param.choices}
    several = _several(value)
    for one in [value] if several is None else several:
        if not isinstance(one, str) or one in known.values() or store.has_param(name, one):
            continue
        close = difflib.get_close_matches(one.strip().casefold(), known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(repr(known[word]) for word in close)}? " if close else ""
        raise ConfigError(f"{name}={one!r}: {hint}there are {', '.join(known.values())}")


def _check_purses(store: Known, value: Any) -> None:
    """Refuse the name of a purse that nobody ever had, as `_check_choices` does."""
    for one in _texts(value):
        if one not in (names := store.purse_names()):
            there = f"; there are {', '.join(names)}" if names else "; no job has one"
            raise ConfigError(f"there is no purse {one!r}{_nearest(one, names) or there}")


def _check_tags(store: Known, value: Any) -> None:
    """Refuse a tag that is most likely another one misspelt; one that nobody gave yet may be asked for."""
    names = store.tag_names()
    for one in _texts(value):
        if one not in names and (near := _nearest(one, names)):
            raise ConfigError(f"no job has the tag {one!r}{near}")


def _check_ids(store: Known, name: str, value: Any) -> None:
    """Refuse an id that no job has, as `vidnb.job` does."""
    for one in _texts(value)[:IDS_CHECKED]:
        if not store.has_id(one):
            raise ConfigError(f"{name}={one!r}: no job here has an id that starts so; vidnb.history() has all")


def _sweep(store: Known, value: Any) -> Any:
    """Return the id of a sweep that is given by it, its start, its purse or its title."""
    if not isinstance(value, str) or not value:
        return value
    titles = store.sweep_titles()
    wanted = value.removeprefix("sweep-")
    fitting = [one for one in titles if one == wanted] or [
        one for one, title in titles.items() if value == title or one.startswith(wanted)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(f"sweep={value!r} may be {' or '.join(map(repr, fitting[:4]))}; give one, or both in a list")
    there = f"; there are {', '.join(list(titles)[:4])}" if titles else "; none was run in this folder"
    near = _nearest(value, [*titles, *filter(None, titles.values())])
    raise ConfigError(f"there is no sweep {value!r}{near or there}")


def _id_of(value: Any) -> Any:
    """Return the id of a job, a clip or a sweep that is given itself."""
    found = getattr(getattr(value, "job", value), "id", None)
    return found if isinstance(found, str) else value


def _texts(value: Any) -> list[str]:
    several = _several(value)
    return [one for one in ([value] if several is None else several) if isinstance(one, str) and one]


def _nearest(word: str, names: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the name that is most like the word; "" where none is."""
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.strip().casefold(), folded, n=1)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def in_words(term: Term) -> str:
    """Return a condition as a person would say it: "seed=99", "rating from 4 to 5"."""
    name = next((name for name, (column, _) in FIELDS.items() if column == term.field.name), term.field.name)
    if term.test == "between":
        low, high = (f"{end:%Y-%m-%d %H:%M}" if isinstance(end, datetime) else end for end in term.values)
        ends = [f"from {low}" if low is not None else "", f"to {high}" if high is not None else ""]
        return " ".join([name, *filter(None, ends)])
    values = [repr(value) if isinstance(value, str) else str(value) for value in term.values[:VALUES_SAID]]
    values += ["..."] * (len(term.values) > VALUES_SAID) + ["MISSING"] * term.or_missing
    return f"{name}={' or '.join(values)}"


def _catalogue_kinds() -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for model in catalog.load().values():
        for name, param in model.params.items():
            kind = "input" if param.kind in MEDIA_KINDS else KIND_OF.get(param.kind, "text")
            kinds.setdefault(name, set()).add(kind)
    return kinds


KIND_OF = {"integer": "int", "number": "real", "boolean": "bool", "choices": "json", "elements": "json"}
"""Kind of a param in the catalogue -> kind of its column; all others are text."""


def _term(store: Known, kinds: _Kinds, name: str, value: Any) -> Term:
    if name in TIMES:
        return _bound(name, value, store.utc())
    if name not in FIELDS:
        field, found = _field_and_kinds(kinds, name)
        if field.of == "param":
            _check_choices(store, field.name, value)
        return _read(name, field, found, value)
    column, kind = FIELDS[name]
    if kind == "choice":
        value = _each(value, lambda one: _choice(store, column, one))
        kind = "text"
    if name in ("id", "job_id", "sweep"):
        value = _each(value, _id_of)
    if column == "purse":
        _check_purses(store, value)
    elif column == "tags":
        _check_tags(store, value)
    elif column == "sweep":
        value = _each(value, lambda one: _sweep(store, one))
    elif column == "id":
        _check_ids(store, name, value)
    field = Field(column, of="param" if column == "prompt" and value is MISSING else "job")
    return _read(name, field, {kind}, value)


def _param(store: Known, kinds: _Kinds, name: str, value: Any) -> Term:
    found = kinds.of(name)
    if found is None:
        raise _no_name(name, kinds)
    _check_choices(store, name, value)
    return _read(name, Field(name, of="param"), found, value)


def _field_and_kinds(kinds: _Kinds, name: str) -> tuple[Field, set[str]]:
    """The param or measure of this name, with the kinds of its values."""
    for plain in (name, name.removeprefix("param_")):
        if (found := kinds.of(plain)) is not None:
            return Field(plain, of="param"), found
    plain = name.removeprefix("measure_")
    if plain in kinds.measures():
        return Field(plain, of="measure"), {"real"}
    if plain in MEASURES:
        raise ConfigError(not_yet(plain))
    raise _no_name(name, kinds)


def _read(name: str, field: Field, kinds: set[str], value: Any) -> Term:
    """The condition that a value of any form makes of a column with values of these kinds."""
    if value is MISSING and "words" not in kinds:
        return Term(field, "any", or_missing=True)
    if "rating" in kinds and not isinstance(value, tuple) and _several(value) is None:
        return Term(field, "between", (_column_value(name, {"rating"}, value), None))
    if isinstance(value, tuple):
        return _range(name, field, kinds, value)
    if isinstance(value, range) and value.step == 1 and kinds <= {"int", "rating"} and len(value):
        return Term(field, "between", (value.start, value.stop - 1))
    several = _several(value)
    if several is None:
        return _all_of(name, field, kinds, [value])
    if len(several) > MOST_VALUES:
        raise ConfigError(f"{name}: over {MOST_VALUES:,} values are too many for a filter; give a range (low, high)")
    return _all_of(name, field, kinds, several)


def _all_of(name: str, field: Field, kinds: set[str], values: list[Any]) -> Term:
    if "time" in kinds:
        if len(values) != 1:
            raise ConfigError(f"{name}: give one time, or a range (from, to)")
        return Term(field, "between", span(name, values[0]))
    or_missing = any(value is MISSING or value is None for value in values)
    read = tuple(_column_value(name, kinds, value) for value in values if value is not MISSING and value is not None)
    tests = {"part": "part", "id": "starts", "tag": "tag", "words": "words"}
    (test,) = {tests.get(kind, "any") for kind in kinds} if len(kinds) == 1 else {"any"}
    if test == "words" and (or_missing or len(read) != 1):
        raise ConfigError("words: give one text; all of its words must be found")
    return Term(field, test, read, or_missing)  # type: ignore[arg-type]  # the names of the tests above


def _range(name: str, field: Field, kinds: set[str], value: tuple[Any, ...]) -> Term:
    if len(value) != 2:
        raise ConfigError(f"{name}={value!r}: a tuple of two is a range from - to; for several values give a list")
    low, high = value
    if "time" in kinds:
        start = None if low is None else span(name, low)[0]
        end = None if high is None else span(name, high)[1]
        return _checked_range(name, field, start, end, value)
    if not kinds & {"int", "real", "rating"}:
        raise ConfigError(
            f"{name}={value!r}: a tuple of two is a range of numbers or times, and {name} is neither; "
            f"for several values give a list: {name}={list(value)!r}"
        )
    low, high = (None if end is None else _number(name, end) for end in value)
    return _checked_range(name, field, low, high, value)


def _checked_range(name: str, field: Field, low: Any, high: Any, value: Any) -> Term:
    if low is not None and high is not None and low > high:
        raise ConfigError(f"{name}={value!r}: the range ends before it starts; give (low, high)")
    return Term(field, "between", (low, high))


def _column_value(name: str, kinds: set[str], value: Any) -> Any:
    """One value as the column has it."""
    value = _plain(value)
    if isinstance(value, bool):
        if "bool" in kinds:
            return value
        raise _not_this(name, kinds, value)
    if isinstance(value, Real) and kinds & {"int", "real", "rating"}:
        if "rating" in kinds and value not in range(1, 6):
            raise ConfigError(f"rating={value!r}: ratings are 1 to 5, or MISSING for no rating")
        return _number(name, value)
    if isinstance(value, str) and kinds & {"id", "part", "tag", "words", "text", "json", "input"}:
        return value
    raise _not_this(name, kinds, value)


def _plain(value: Any) -> Any:
    """A scalar of NumPy or pandas, an exact number or a member of an enum as the plain value that it stands for."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return math.nan
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    is_one = hasattr(value, "item") and not isinstance(value, type) and getattr(value, "size", 1) == 1
    return value.item() if is_one else value


def _number(name: str, value: Any) -> int | float:
    value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _not_this(name, {"real"}, value)
    if value != value:
        raise ConfigError(f"{name}={value!r}: NaN equals nothing; vidnb.MISSING finds jobs without a value")
    return int(value) if isinstance(value, Integral) else float(value)


WORDS_FOR_BOOL = (0, 1, "true", "false", "True", "False", "yes", "no")


def _not_this(name: str, kinds: set[str], value: Any) -> ConfigError:
    words = {"int": "a whole number", "real": "a number", "rating": "a number from 1 to 5", "bool": "True or False"}
    wanted = " or ".join(dict.fromkeys(words.get(kind, "text") for kind in sorted(kinds)))
    hint = ""
    if isinstance(value, str) and kinds & {"int", "real", "rating"}:
        number = value.strip()
        hint = f"; did you mean {name}={number}?" if number.lstrip("-").replace(".", "", 1).isdigit() else ""
    elif kinds == {"bool"} and isinstance(value, str | Real) and value in WORDS_FOR_BOOL:
        hint = f"; did you mean {name}={value in (1, 'true', 'True', 'yes')}?"
    elif "text" in kinds and isinstance(value, Real):
        hint = f"; did you mean {name}={str(value)!r}?"
    shown = repr(value) if isinstance(value, str | Real) else f"<{type(value).__name__}>"
    return ConfigError(f"{name}={shown}: {name} is {wanted}{hint}")


def _readable_twice(value: Any) -> Any:
    """The value, and the values of a generator as a list, as they are checked before they are used."""
    return _several(value) if isinstance(value, Iterator) else value


def _several(value: Any) -> list[Any] | None:
    """The values of a list, set, range, array or generator; None for a single one."""
    if isinstance(value, str | bytes | Mapping | Model) or not isinstance(value, Iterable):
        return None
    if getattr(value, "ndim", 1) != 1:  # an array of NumPy that holds one value, or a table
        return None
    return list(islice(value, MOST_VALUES + 1))  # one too many is refused; a range may hold more than memory does


def _each(value: Any, read: Callable[[Any], Any]) -> Any:
    several = _several(value)
    if isinstance(value, tuple) or several is None:
        return value if isinstance(value, tuple) or value is MISSING else read(value)
    return [one if one is MISSING or one is None else read(one) for one in several]


def _bound(name: str, value: Any, now: datetime) -> Term:
    time = moment(value, name, end=bool(TIMES[name]), now=now)
    return Term(Field("created_at"), "between", (time, None) if name == "since" else (None, time))


def _choice(store: Known, column: str, value: Any) -> Any:
    value = _plain(value)
    if column == "state":
        return _word(column, value, [state.value for state in State])
    if column == "provider":
        return _word(column, value, [*providers.names()], lambda: store.known("provider"))
    if isinstance(value, Model):
        return value.id
    return _model(store, value)


def _model(store: Known, value: Any) -> str:
    """The id of a model: as it stands in the catalogue or the rows, or the one that has this short name or title."""
    if not isinstance(value, str):
        raise _not_this("model", {"text"}, value)
    if value in catalog.load():
        return catalog.load()[value].id
    entries = {model.id: model.title for model in catalog.load().values()}
    folded = value.strip().casefold()
    short = [one for one in entries if folded in (one.casefold(), one.partition("/")[2].casefold())]
    ids = sorted(entries if short else {*entries, *store.known("model")})
    if value in ids:
        return value
    short = short or [one for one in ids if folded in (one.casefold(), one.partition("/")[2].casefold())]
    fitting = short or [one for one, title in entries.items() if title.casefold() == folded]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(f"model={value!r} may be {' or '.join(map(repr, fitting))}; give one, or both in a list")
    names = {name.casefold(): one for one in ids for name in (one, one.partition("/")[2], entries.get(one, one))}
    close = list(dict.fromkeys(names[name] for name in difflib.get_close_matches(folded, names, n=4, cutoff=0.5)))[:3]
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else "; vidnb.models() lists all"
    raise ConfigError(f"there is no model {value!r}{hint}")


def _word(name: str, value: Any, words: list[str], more: Callable[[], list[str]] = list) -> str:
    """One of these words, whatever its case."""
    if not isinstance(value, str):
        raise _not_this(name, {"text"}, value)
    known = {word.casefold(): word for word in words}
    folded = str(value).strip().casefold()
    if folded not in known:
        known |= {word.casefold(): word for word in more()}
    if folded in known:
        return known[folded]
    close = [OTHER_WORDS[folded]] if OTHER_WORDS.get(folded) in known else difflib.get_close_matches(folded, known, n=1)
    hint = f"did you mean {known[close[0]]!r}? " if close else ""
    raise ConfigError(f"{name}={str(value)!r}: {hint}there are {', '.join(known.values())}")


def _no_name(name: str, kinds: _Kinds) -> ConfigError:
    close = difflib.get_close_matches(name, {*FIELDS, *TIMES, *kinds.names()}, n=2, cutoff=0.6)
    there = dict.fromkeys([*FIELDS, *TIMES, *kinds.of_rows()])
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(there)}"
    return ConfigError(f"there is no filter {name!r}; {hint}")
