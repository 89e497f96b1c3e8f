"""`vidnb serve`: the desk over HTTP, for programs in any language.

`OPERATIONS` is the list of all that can be asked; the routes and the OpenAPI document are made from it. A handler is
given the desk and a request whose sender is known; it returns a model or a response, or raises what `refusals` puts
into words.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Route

from vidnb import providers
from vidnb.client.asynchronous import AsyncClient
from vidnb.clip import Clip
from vidnb.errors import ConfigError, StoreError, VidnbError
from vidnb.records import JOB_QUERY, State
from vidnb.serve import shapes
from vidnb.serve.advice import for_http
from vidnb.serve.desk import Desk, opened
from vidnb.serve.guard import Guard, body_of, refusal
from vidnb.serve.openapi import Operation, document
from vidnb.serve.refusals import RefusedError, malformed, refused
from vidnb.serve.webhook import callback_of, receive

log = logging.getLogger("vidnb.serve")

M = TypeVar("M", bound=BaseModel)
P = ParamSpec("P")
T = TypeVar("T")
WEBHOOK_SECRET = "VIDNB_WEBHOOK_SECRET_"
"""With the provider's name in capitals: what proves that a callback comes from it."""
AFTER_QUOTE = "Tell the person the price. POST /jobs with the quote_token orders the clips; repeating it costs no more."
AFTER_ORDER = "GET /jobs/{job}?wait_s=25 until the state is done, then GET /jobs/{job}/clip"
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


Handler = Callable[[Desk, Request], Awaitable[BaseModel | Response]]


# -- handlers --------------------------------------------------------------------------------------------------------


async def list_models(desk: Desk, request: Request) -> BaseModel:
    wanted = _query_values(shapes.ModelsWanted, request)
    found = await _understood(desk.models, wanted.query, wanted.provider, wanted.mode)
    return shapes.Models.model_validate({"models": found})


async def describe_model(desk: Desk, request: Request) -> BaseModel:
    try:
        return shapes.ModelInFull(**await _aside(desk.model, request.path_params["model"]))
    except ConfigError as error:
        raise RefusedError(HTTPStatus.NOT_FOUND, "not_found", for_http(str(error))) from None


async def create_quote(desk: Desk, request: Request) -> BaseModel:
    wanted = await _sent(shapes.QuoteWanted, request)
    told = await desk.quote(wanted.model, wanted.prompt, wanted.params, wanted.images, wanted.takes)
    return shapes.Quoted(**told | {"next": AFTER_QUOTE})


async def create_jobs(desk: Desk, request: Request) -> Response:
    order = await _sent(shapes.Order, request)
    told = shapes.Ordered(**await desk.submit(order.quote_token) | {"next": AFTER_ORDER})
    return _json(told, HTTPStatus.OK if told.repeated else HTTPStatus.CREATED)


async def list_jobs(desk: Desk, request: Request) -> BaseModel:
    wanted = _query_values(shapes.JobsWanted, request)
    given = wanted.model_dump(exclude={"limit"})
    filters = {name: value for name, value in given.items() if value}
    found = await _understood(desk.history, filters, wanted.limit)
    return shapes.Jobs(all=found["all"], jobs=[_job(told) for told in found["jobs"]])


async def get_job(desk: Desk, request: Request) -> BaseModel:
    wanted, job = _query_values(shapes.JobWanted, request), request.path_params["job"]
    if wanted.wait_s:
        waiting = asyncio.ensure_future(desk.wait(job, wanted.wait_s))
        stopping = asyncio.ensure_future(request.app.state.stopping.wait())
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if waiting.done():
            return _job(waiting.result())
        waiting.cancel()  # the job goes on
    [told] = await _aside(desk.status, [job])
    return _job(told)


async def cancel_job(desk: Desk, request: Request) -> BaseModel:
    return _job(await desk.cancel(request.path_params["job"]))


async def get_clip(desk: Desk, request: Request) -> Response:
    clip, output = await _done(desk, request), _query_values(shapes.ClipWanted, request).output
    if output > len(clip.outputs):
        count = 1 + len(clip.outputs)
        raise RefusedError(HTTPStatus.NOT_FOUND, "not_found", f"the job has {count} clips; output counts them from 0")
    clip = [clip, *clip.outputs][output]
    path = await _path(clip)
    headers = {"ETag": f'"{clip.info.sha256}"', "Cache-Control": "private, max-age=31536000, immutable"}
    if request.headers.get("if-none-match") in (headers["ETag"], "*"):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    _check_range(request, path.stat().st_size)
    return FileResponse(
        path, headers=headers, media_type="video/mp4", filename=f"{clip.job.id[:8]}.mp4",
        content_disposition_type="inline",
    )  # fmt: skip


async def get_poster(desk: Desk, request: Request) -> Response:
    clip = await _done(desk, request)
    await _path(clip)
    return Response(await _aside(lambda: clip.poster), media_type="image/webp")


async def get_budget(desk: Desk, request: Request) -> BaseModel:
    return shapes.Money(**await _aside(desk.budget))


async def reconcile(desk: Desk, request: Request) -> Response:
    told = await desk.reconcile()
    undecided = [shapes.Undecided.model_validate(one) for one in told["a_person_decides"]]
    found = shapes.Reconciled(found=[_job(one) for one in told["found"]], a_person_decides=undecided)
    return _json(found, HTTPStatus.OK)


async def call_back(desk: Desk, request: Request) -> Response:
    name = request.path_params["provider"]
    secret = os.environ.get(WEBHOOK_SECRET + re.sub(r"\W", "_", name).upper(), "").strip()
    if name not in providers.names() or not secret:
        raise RefusedError(
            HTTPStatus.NOT_FOUND, "not_found", f"no callbacks of {name[:100]!r} are taken here; the owner of this "
            f"server sets {WEBHOOK_SECRET}... for that",
        )  # fmt: skip
    callback = callback_of(request.headers, await body_of(request), desk.client.clock.utc())
    job_id = request.query_params.get(JOB_QUERY, "")
    status = await _aside(receive, callback, desk.client.store, providers.get(name), secret, job_id)
    if status is HTTPStatus.UNAUTHORIZED:
        raise RefusedError(status, "signature", f"this is not signed as {name} signs")
    if status is HTTPStatus.BAD_REQUEST:
        raise RefusedError(status, "params", "it names no job")
    return Response(status_code=status)


async def describe_all(desk: Desk, request: Request) -> Response:
    return Response(json.dumps(document(OPERATIONS)), media_type="application/json")


OPERATIONS = (
    Operation(
        "GET", "/models", "list_models", "List the models that can be asked for; free.", list_models,
        {200: shapes.Models}, query=shapes.ModelsWanted,
    ),
    Operation(
        "GET", "/models/{model}", "describe_model", "Tell what one model takes, and its price; free.", describe_model,
        {200: shapes.ModelInFull},
    ),
    Operation(
        "POST", "/quotes", "create_quote", "Check values, give the price and the token that orders; free.",
        create_quote, {201: shapes.Quoted}, asks=shapes.QuoteWanted,
    ),
    Operation(
        "POST", "/jobs", "create_jobs", "Order the clips of a quote; costs money unless it said emulated.",
        create_jobs, {201: shapes.Ordered, 200: shapes.Ordered}, asks=shapes.Order,
    ),
    Operation(
        "GET", "/jobs", "list_jobs", "List jobs, the newest first.", list_jobs, {200: shapes.Jobs},
        query=shapes.JobsWanted,
    ),
    Operation(
        "GET", "/jobs/{job}", "get_job", "Tell how a job stands, now or once it has ended.", get_job,
        {200: shapes.Job}, query=shapes.JobWanted,
    ),
    Operation(
        "DELETE", "/jobs/{job}", "cancel_job", "Cancel a job; where its service cannot, it is refused and goes on.",
        cancel_job, {200: shapes.Job},
    ),
    Operation(
        "GET", "/jobs/{job}/clip", "get_clip", "Send the MP4 of a done job, or a range of it.", get_clip,
        {200: "video/mp4", 206: "video/mp4", 304: None}, query=shapes.ClipWanted,
    ),
    Operation(
        "GET", "/jobs/{job}/poster", "get_poster", "Send a small picture of the clip's first frame.", get_poster,
        {200: "image/webp"},
    ),
    Operation("GET", "/budget", "get_budget", "Tell the caps and what was spent.", get_budget, {200: shapes.Money}),
    Operation(
        "POST", "/reconcile", "reconcile",
        "Look at the services for submits whose reply was lost; free, and it never orders anything.", reconcile,
        {200: shapes.Reconciled},
    ),
    Operation(
        "POST", "/webhooks/{provider}", "call_back", "Take the signed callback of a service.", call_back, {204: None},
        is_open=True,
    ),
    Operation(
        "GET", "/openapi.json", "describe_all", "This document.", describe_all, {200: "application/json"},
        is_open=True,
    ),
)  # fmt: skip
"""All that can be asked."""


# -- the app ---------------------------------------------------------------------------------------------------------


def rest_app(
    token: str, client: AsyncClient | None = None, *, purse: str = "programs", hosts: Collection[str] = ()
) -> Starlette:  # fmt: skip
    """Return an ASGI app that gives programs a data folder's models, quotes, jobs and clips.

    Args:
        token: that every request must carry as `Authorization: Bearer`, but callbacks and the OpenAPI document.
        client: of the data folder; default one of its own on the folder in force, which the app opens and closes.
        purse: from which everything that is ordered is paid; a person caps it with `vidnb budget`.
        hosts: names under which the app is reached, beside localhost and addresses.

    Raises:
        ConfigError: the token is empty, which would let anybody spend.
    """
    if not token:
        raise ConfigError("rest_app needs a token")
    desks = [Desk(client, purse, worded=for_http)] if client is not None else []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with opened(client, purse, for_http) as desk:
            desks.append(desk)
            yield

    def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                answered = await handler(desks[-1], request)
            except VidnbError as error:
                raise refused(error, for_http) from error
            if isinstance(answered, Response):
                return answered
            return _json(answered, HTTPStatus.CREATED if request.method == "POST" else HTTPStatus.OK)

        return answer

    open_paths = tuple(one.path.partition("{")[0] for one in OPERATIONS if one.is_open)
    app = Starlette(
        routes=[
            # Ids of models hold slashes, which a client may or may not write as %2F.
            Route(one.path.replace("{model}", "{model:path}"), endpoint(one.handler), methods=[one.method])
            for one in OPERATIONS
        ],
        middleware=[Middleware(Guard, token=token, open_paths=open_paths, hosts=hosts)],
        exception_handlers={RefusedError: _refuse, HTTPException: _refuse_http, Exception: _apologise},
        lifespan=lifespan,
    )
    app.state.stopping = asyncio.Event()  # set by who stops the server: whoever waits for a job is answered at once
    return app


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refusal(error)


async def _refuse_http(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: paths that do not exist, and methods that a path does not have."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names the methods of the first route with this path, and each operation is a route of its own.
        there = [one for one in request.app.routes if one.matches(request.scope)[0] is not Match.NONE]
        allowed = ", ".join(sorted({method for one in there for method in one.methods}))
        headers["Allow"] = allowed
        message = f"{request.method} is not possible here; allowed: {allowed}"
    else:
        message = f"there is nothing at {request.url.path[:200]!r}; GET /openapi.json lists what there is"
    kind = "not_found" if status is HTTPStatus.NOT_FOUND else "request"
    return refusal(RefusedError(status, kind, message, headers=headers))


async def _apologise(_: Request, error: Exception) -> Response:
    """A fault of vidnb's own; what it was stands in the server's log, as it may hold what is no caller's business."""
    message = "vidnb serve made a mistake; its log says more. Nothing is sent twice if you repeat the call"
    return refusal(RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", message))


# -- parts -----------------------------------------------------------------------------------------------------------


async def _aside(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call returns that reads the database or makes a picture; the others are answered meanwhile."""
    return await asyncio.to_thread(call, *args, **kwargs)


async def _understood(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call returns whose settings are all the caller's own.

    Raises:
        RefusedError: one of them is not understood.
    """
    try:
        return await _aside(call, *args, **kwargs)
    except ConfigError as error:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "params", for_http(str(error))) from None


def _json(model: BaseModel, status: HTTPStatus) -> Response:
    return Response(model.model_dump_json(), status, media_type="application/json")


async def _sent(model: type[M], request: Request) -> M:
    """Return the request's body.

    Raises:
        RefusedError: it is no JSON, or not of this form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "request", "send JSON with the header Content-Type: application/json"
        )
    body = await body_of(request)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise malformed(error, model) from None


def _query_values(model: type[M], request: Request) -> M:
    """Return what stands after the question mark.

    Raises:
        RefusedError: it is not of this form.
    """
    params = request.query_params
    given: dict[str, Any] = {}
    for name in params:
        values = params.getlist(name)
        field = model.model_fields.get(name)
        takes_several = field is not None and field.default_factory is list
        given[name] = values if takes_several or len(values) > 1 else values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise malformed(error, model) from None


def _job(told: dict[str, Any]) -> shapes.Job:
    below = f"/jobs/{told['job']}"
    links: dict[str, Any] = {}
    if told["state"] == State.DONE:
        more = [f"{below}/clip?output={number}" for number in range(1, told.get("clips", 1))]
        links = {"clip": f"{below}/clip", "poster": f"{below}/poster", "more": more}
    return shapes.Job.model_validate(told | links)


async def _path(clip: Clip) -> Path:
    """Return where a clip's file lies.

    Raises:
        RefusedError: somebody deleted it.
    """
    try:
        return await _aside(lambda: clip.path)
    except StoreError as error:
        raise RefusedError(HTTPStatus.GONE, "data_folder", for_http(str(error))) from None


async def _done(desk: Desk, request: Request) -> Clip:
    """Return the clip of a job.

    Raises:
        RefusedError: it has none.
    """
    row = await _aside(desk.client.job, request.path_params["job"])
    if row.state is not State.DONE or row.clip is None:
        advice = f"GET /jobs/{row.id}?wait_s=25 waits for it" if row.is_moving else "it will have none by itself"
        raise RefusedError(HTTPStatus.CONFLICT, "conflict", f"job {row.id[:8]} is {row.state}, with no clip: {advice}")
    return await _aside(desk.client.clip, row)


def _check_range(request: Request, size: int) -> None:
    """Leave out a Range that is none or asks for several parts, as HTTP allows: the whole file is the answer then.

    Raises:
        RefusedError: it begins behind the end of the file.
    """
    given = request.headers.get("range")
    if given is None:
        return
    match = RANGE.fullmatch(given.strip())
    start, end = match.groups() if match else ("", "")
    if not (start or end) or (start and end and int(end) < int(start)):
        request.scope["headers"] = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
    elif (start and int(start) >= size) or (not start and int(end) == 0):
        raise RefusedError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "range", f"the file has {size:,} bytes",
            headers={"Content-Range": f"bytes */{size}"},
        )  # fmt: skip
