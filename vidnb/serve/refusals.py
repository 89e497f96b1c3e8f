"""What a program is told when it is refused: an error as one shape of JSON, and the status that HTTP has for it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from vidnb.errors import (
    BudgetError,
    ConfigError,
    JobError,
    LockedError,
    MediaError,
    NoJobError,
    ParamsError,
    Problem,
    ProviderError,
    StoreError,
    TransportError,
    VidnbError,
)
from vidnb.history.filters import OTHER_WORDS
from vidnb.serve.desk import NoQuoteError, StaleQuoteError

SHOWN = 80
KINDS: tuple[tuple[type[VidnbError], str, HTTPStatus], ...] = (
    (ParamsError, "params", HTTPStatus.UNPROCESSABLE_ENTITY),
    (MediaError, "params", HTTPStatus.UNPROCESSABLE_ENTITY),
    (BudgetError, "budget", HTTPStatus.PAYMENT_REQUIRED),
    (NoQuoteError, "not_found", HTTPStatus.NOT_FOUND),
    (NoJobError, "not_found", HTTPStatus.NOT_FOUND),
    (StaleQuoteError, "conflict", HTTPStatus.CONFLICT),
    (JobError, "conflict", HTTPStatus.CONFLICT),
    (ProviderError, "service", HTTPStatus.BAD_GATEWAY),
    (TransportError, "network", HTTPStatus.BAD_GATEWAY),
    (LockedError, "busy", HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreError, "data_folder", HTTPStatus.SERVICE_UNAVAILABLE),
    (ConfigError, "settings", HTTPStatus.SERVICE_UNAVAILABLE),
)
"""What an error is called, the most exact class first."""


class Shape(BaseModel):
    """A value as programs see it; a string under a field is its description."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Fault(Shape):
    """One thing wrong with one value."""

    field: str
    given: str
    """What was given, shortened."""
    allowed: str
    """What is allowed, the nearest first."""
    advice: str
    """What to do; may be empty."""


class Refused(Shape):
    """What was refused and why."""

    kind: str
    """As params, budget, not_found, conflict, service, network."""
    message: str
    problems: list[Fault]


class Refusal(Shape):
    """The body of every answer that is no success."""

    error: Refused


class RefusedError(Exception):
    """Ends a request with a refusal.

    Args:
        status: of HTTP.
        kind: one word for programs.
        message: for people.
        problems: with which values.
        headers: to go with the answer.
    """

    def __init__(
        self, status: HTTPStatus, kind: str, message: str, *, problems: list[Fault] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body = Refusal(error=Refused(kind=kind, message=message, problems=problems or []))


def refused(error: VidnbError, worded: Callable[[str], str]) -> RefusedError:
    """Return the refusal for an error of vidnb.

    Args:
        error: what vidnb raised.
        worded: puts what it advises into words that whoever asked can follow, as those of `serve.advice`.
    """
    kind, status = next(
        ((kind, status) for class_, kind, status in KINDS if isinstance(error, class_)),
        ("error", HTTPStatus.SERVICE_UNAVAILABLE),
    )
    problems = [_fault(problem, worded) for problem in error.problems] if isinstance(error, ParamsError) else []
    return RefusedError(status, kind, worded(str(error)), problems=problems)


def malformed(error: ValidationError, model: type[BaseModel]) -> RefusedError:
    """Return the refusal for values that do not have the form of a model."""
    problems = [_malformed(told, model) for told in error.errors(include_url=False)]
    if any(told["type"] == "json_invalid" for told in error.errors(include_url=False)):
        return RefusedError(HTTPStatus.BAD_REQUEST, "params", "the body is no JSON", problems=problems)
    lines = [f"{one.field}: {_joined(one.advice, one.allowed)}" for one in problems[:5]]
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "params", "; ".join(lines), problems=problems)


def _joined(advice: str, allowed: str) -> str:
    """Return both as one sentence."""
    return f"{advice}{' ' if advice.endswith('?') else '; '}{allowed}" if advice else allowed


def _malformed(told: Any, model: type[BaseModel]) -> Fault:
    """One complaint of pydantic, in our words where it has none for people; what is allowed, the nearest first."""
    given, allowed, advice = told["input"], str(told["msg"]), ""
    field = ".".join(map(str, told["loc"])) or "(all of it)"
    if told["type"] == "extra_forbidden":
        name = str(told["loc"][-1])
        names = nearest(name, model.model_fields)
        allowed = f"allowed: {', '.join(names) or 'nothing'}"
        if difflib.get_close_matches(name[:60], names[:1]):
            advice = f"did you mean {names[0]!r}?"
        elif "params" in names:
            advice = "a setting of the model goes into params"
    elif told["type"] in ("enum", "literal_error"):
        options = [option.strip("'") for option in re.split(r", | or ", told["ctx"]["expected"])]
        meant = OTHER_WORDS.get(str(given).lower(), str(given))  # what services call a state
        allowed = f"allowed: {', '.join(nearest(meant, options))}"
    return Fault(field=field, given="" if told["type"] == "missing" else brief(given), allowed=allowed, advice=advice)


def nearest(given: str, options: Iterable[str]) -> list[str]:
    """Return the options, those first that are most like what was given."""
    return sorted(options, key=lambda option: -difflib.SequenceMatcher(None, given[:60].lower(), option).ratio())


def brief(value: object) -> str:
    """Return a value in a few characters, whatever it is."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # as of a whole number with more than 4,300 digits
        text = f"a value of the type {type(value).__name__}"
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _fault(problem: Problem, worded: Callable[[str], str]) -> Fault:
    given = "" if problem.given is None else brief(problem.given)
    return Fault(
        field=problem.field, given=given, allowed=worded(problem.allowed), advice=worded(problem.advice)
    )  # fmt: skip
