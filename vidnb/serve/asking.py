"""One question to the desk as JSON, one answer as JSON: what the Agent Skill's script runs.

Each call is a process of its own. What it began goes on at the service when it ends; the next call takes it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field, JsonValue, ValidationError
from pydantic_core import from_json, to_json

from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import VidnbError
from vidnb.serve.advice import for_questions
from vidnb.serve.desk import LONGEST_WAIT_S, MOST_ROWS, Desk
from vidnb.serve.refusals import Fault, RefusedError, brief, malformed, nearest, refused
from vidnb.serve.shapes import Asked, ModelsWanted, Order, QuoteWanted, Text

PURSE = "programs"
LOOK_S = 3.0
"""How long a question after jobs on their way lets them go on: nobody else may ask the service after them."""
EXAMPLE = '{"do": "quote", "model": "leonardo/motion_2.0", "prompt": "a koala in a meadow"}'


class Nothing(Asked):
    pass


class ModelAsked(Asked):
    model: Text


class Several(Asked):
    jobs: list[Text] = Field(default_factory=list)


class One(Asked):
    job: Text


class Waited(One):
    max_s: Annotated[float, Field(ge=0, le=LONGEST_WAIT_S)] = LONGEST_WAIT_S


class Earlier(Asked):
    filters: dict[str, JsonValue] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 20


QUESTIONS: Mapping[str, type[BaseModel]] = {
    "models": ModelsWanted, "model": ModelAsked, "quote": QuoteWanted, "submit": Order, "status": Several,
    "wait": Waited, "clip": One, "cancel": One, "history": Earlier, "compare": Several, "budget": Nothing,
    "reconcile": Nothing,
}  # fmt: skip
"""What can be asked, and what goes with it."""


def main(arguments: Sequence[str]) -> int:
    """Answer one question, from the first argument or from stdin, on stdout; return the exit code."""
    if not arguments and sys.stdin.isatty():
        told: Any = RefusedError(HTTPStatus.BAD_REQUEST, "params", f"ask with one JSON object, as {EXAMPLE}")
    else:
        with contextlib.redirect_stdout(sys.stderr):  # nothing but the answer is on stdout
            told = asyncio.run(_answered(arguments[0] if arguments else sys.stdin.read()))
    if isinstance(told, RefusedError):
        print(told.body.model_dump_json())
        return 1
    print(json.dumps(told))
    return 0


async def _answered(text: str) -> Any:
    """The answer, or the refusal."""
    try:
        do, asked = question(text)
        async with AsyncClient() as client:
            try:
                return await _answer(Desk(client, PURSE, worded=for_questions), do, asked)
            finally:
                await client.leave()  # a submit that was begun has its reply
    except VidnbError as error:
        return refused(error, for_questions)
    except RefusedError as error:
        return error


def question(text: str) -> tuple[str, Any]:
    """Return what is asked, and what goes with it.

    Raises:
        RefusedError: it is no question.
    """
    try:
        given = from_json(text)
    except ValueError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "params", f"this is no JSON ({error}); ask as {EXAMPLE}") from None
    do = given.pop("do", None) if isinstance(given, dict) else None
    if not isinstance(do, str) or do not in QUESTIONS:
        allowed = f"allowed: {', '.join(nearest(str(do), QUESTIONS))}"
        fault = Fault(field="do", given=brief(do), allowed=allowed, advice="")
        raise RefusedError(HTTPStatus.BAD_REQUEST, "params", f"ask as {EXAMPLE}", problems=[fault])
    try:
        return do, QUESTIONS[do].model_validate_json(to_json(given))
    except ValidationError as error:
        raise malformed(error, QUESTIONS[do]) from None


async def _answer(desk: Desk, do: str, asked: Any) -> Any:
    match do:
        case "models":
            return {"models": desk.models(asked.query, asked.provider, asked.mode)}
        case "model":
            return desk.model(asked.model)
        case "quote":
            return await desk.quote(asked.model, asked.prompt, asked.params, asked.images, asked.takes)
        case "submit":
            return await desk.submit(asked.quote_token)
        case "status":
            await desk.client.resume(timeout_s=LOOK_S)
            return {"jobs": desk.status(asked.jobs)}
        case "wait":
            return await desk.wait(asked.job, asked.max_s)
        case "clip":
            return desk.clip(asked.job)
        case "cancel":
            return await desk.cancel(asked.job)
        case "history":
            return desk.history(asked.filters, asked.limit)
        case "compare":
            return desk.compare(asked.jobs)
        case "budget":
            return desk.budget()
        case _:
            return await desk.reconcile()
