"""The callback that ends a wait early: an ASGI app for the address that a service is told to call.

It trusts nothing that it is sent. Only the job's id is taken from the body; the job is then polled with the key, as it
would have been a little later anyway. A job whose submit got no reply learns its id so: the address that is called has
our own id of it. The body is never logged or stored: Leonardo puts the API key itself into it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from vidnb import providers
from vidnb.errors import ConfigError, IllegalTransitionError
from vidnb.jobs.recorder import CALLED
from vidnb.providers import Provider
from vidnb.records import JOB_QUERY, Callback, State
from vidnb.store import Store

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MAX_BODY_BYTES = 1_000_000


def webhook_app(
    secret: str, *, provider: str = "leonardo", home: str | Path | None = None, store: Store | None = None
) -> Starlette:
    """A small ASGI app: POST to `/` wakes the job that the callback names, in whatever process waits for it.

    Serve it where the provider can reach it (`uvicorn`, behind https). Without it, or when a callback is lost, polling
    finds out all the same.

    Args:
        secret: what proves that a callback comes from the service. Leonardo sends it as `Authorization: Bearer`;
            Replicate (`whsec_...`, the reply to `GET /v1/webhooks/default/secret`) and OpenRouter (the workspace's
            signing secret) sign with it.
        provider: whose callbacks these are.
        home: the data folder; default as for the client.
        store: an open store, in place of the data folder's.

    Raises:
        ConfigError: the secret is empty, which would let anybody wake jobs.

    Example:
        >>> app = vidnb.webhook_app(secret=os.environ["WEBHOOK_SECRET"])      # then: uvicorn module:app
    """
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    if not secret:
        raise ConfigError("webhook_app needs the secret that was set when the key was made")
    rows = store or Store(Path(home) if home is not None else None)
    translator = providers.get(provider)

    async def called(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        callback = callback_of(request.headers, body, rows.clock.utc())
        job_id = request.query_params.get(JOB_QUERY, "")
        return Response(status_code=receive(callback, rows, translator, secret, job_id))

    return Starlette(routes=[Route("/", called, methods=["POST"])])


def receive(callback: Callback, rows: Store, translator: Provider, secret: str, job_id: str) -> HTTPStatus:
    """Wake the job that a callback names, and return what the sender is answered.

    Args:
        callback: what was sent.
        rows: the store.
        translator: the provider that it is said to come from.
        secret: what proves that it does.
        job_id: our own id of the job, from the address that was called.
    """
    if not translator.is_genuine(callback, secret):
        return HTTPStatus.UNAUTHORIZED
    remote_id = None if callback.json is None else translator.webhook_id(callback)
    if remote_id is None:
        return HTTPStatus.BAD_REQUEST
    _attach(rows, translator.name, job_id, remote_id)
    rows.wake(translator.name, remote_id)
    # The same for a job nobody knows: the sender learns nothing, and has no reason to try again.
    return HTTPStatus.NO_CONTENT


def callback_of(headers: Mapping[str, str], body: bytes, now: datetime) -> Callback:
    """Return what was sent, as providers read it."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    return Callback({name.lower(): text for name, text in headers.items()}, body, value, received_at=now)


def _attach(rows: Store, provider: str, job_id: str, remote_id: str) -> None:
    """Give a job whose submit got no reply the id that a genuine callback names for it.

    A callback may come before the reply, or after whoever waited for that was killed: then it is noted, and read where
    the job turns out to have got none. What the database cannot take goes up, so that the service sends it again.
    """
    job = rows.look_up(job_id)
    if job is None or job.provider != provider or job.remote_id is not None:
        return
    if job.state is State.SUBMITTING:
        rows.remark(job.id, CALLED + remote_id)
    elif job.state is State.AMBIGUOUS:
        with contextlib.suppress(IllegalTransitionError):  # it was settled meanwhile
            rows.attach(job.id, remote_id, "named by the service's own callback")


async def _body(request: Request) -> bytes | None:
    """Return what was sent; None where it is too large."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_BODY_BYTES:
            return None
    return bytes(received)
