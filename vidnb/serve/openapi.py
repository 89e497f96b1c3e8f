"""The description of `vidnb serve` in OpenAPI 3.1, made from the models that check and form what passes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from vidnb import __version__
from vidnb.serve.refusals import Refusal

ABOUT = """Make AI video clips with hosted models, on this machine's vidnb.

1. `GET /models` and `GET /models/{model}`: what there is, and what a model takes. Free.
2. `POST /quotes`: checks the values, says the price, gives a token. Free; nothing is sent to the service.
3. `POST /jobs` with the token: orders the clips. **Costs money** unless the quote said emulated. To repeat the call,
   for whatever reason, use the same token: it gives the same jobs and never pays twice.
4. `GET /jobs/{job}?wait_s=25` until the state is done, then `GET /jobs/{job}/clip`.
5. Only where a state is ambiguous (the reply to the submit was lost): `POST /reconcile`. Free.

A clip of which nobody knows whether it was charged counts as charged. Caps are set by a person, never from here."""
REFS = "#/components/schemas/{model}"


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    Attributes:
        method: of HTTP.
        path: with names in braces.
        name: of the operation, and so of the function in a generated client.
        does: in one line.
        handler: that answers.
        answers: what comes back by status: a model, a media type for bytes, or None for no body.
        asks: the body's model.
        query: the model of what stands after the question mark.
        is_open: no token is needed.
    """

    method: str
    path: str
    name: str
    does: str
    handler: Callable[..., Awaitable[Any]]
    answers: Mapping[int, type[BaseModel] | str | None]
    asks: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    is_open: bool = False


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of these operations."""
    listed = list(operations)
    asked = {one.asks for one in listed if one.asks} | {one.query for one in listed if one.query}
    answered = {model for one in listed for model in one.answers.values() if isinstance(model, type)} | {Refusal}
    by_name = sorted(asked, key=lambda model: model.__name__), sorted(answered, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [*((model, "validation") for model in by_name[0]), *((model, "serialization") for model in by_name[1])],
        ref_template=REFS,
    )
    schemas = definitions["$defs"]
    queries = {one.query.__name__: schemas.pop(one.query.__name__) for one in listed if one.query}
    paths: dict[str, dict[str, Any]] = {}
    for one in listed:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, queries)
    return {
        "openapi": "3.1.0",
        "info": {"title": "vidnb", "version": __version__, "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The text of the token file."}
            },
        },
        "security": [{"token": []}],
    }


def _operation(one: Operation, queries: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.does,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                for name in re.findall(r"\{(\w+)\}", one.path)
            ),
            *(_parameters(queries[one.query.__name__]) if one.query else ()),
        ],
        "responses": {
            **{str(status): _answer(model) for status, model in one.answers.items()},
            "default": {
                "description": "What was refused: which field, what was given, what is allowed, what to do.",
                "content": {"application/json": {"schema": {"$ref": REFS.format(model=Refusal.__name__)}}},
            },
        },
    }
    if one.asks is not None:
        schema = {"$ref": REFS.format(model=one.asks.__name__)}
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if one.is_open:
        told["security"] = []
    return told


def _parameters(schema: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for name, one in schema["properties"].items():
        description = one.pop("description", "")
        yield {"name": name, "in": "query", "required": False, "description": description, "schema": one}


def _answer(model: type[BaseModel] | str | None) -> dict[str, Any]:
    if model is None:
        return {"description": "No more is said."}
    if model == "application/json":
        return {"description": "A document.", "content": {model: {"schema": {"type": "object"}}}}
    if isinstance(model, str):
        return {"description": "The file.", "content": {model: {"schema": {"type": "string", "format": "binary"}}}}
    return {
        "description": (model.__doc__ or "").strip().partition("\n")[0],
        "content": {"application/json": {"schema": {"$ref": REFS.format(model=model.__name__)}}},
    }
