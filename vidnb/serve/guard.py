"""Who may ask over HTTP, by the rules of `visitors`, each refusal in words; and what a request may hold."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from http import HTTPStatus
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vidnb.errors import ConfigError
from vidnb.serve.refusals import RefusedError
from vidnb.visitors import Visitors

MAX_BODY_BYTES = 1_000_000
SHORTEST_TOKEN = 20
TOKEN_FILE = ".serve-token"
"""In the data folder; its dot keeps a Jupyter server from handing it out."""


class Guard:
    """An ASGI app that asks another one only for those who may.

    Args:
        app: the other one.
        token: that every request must carry.
        open_paths: beginnings of paths that need none.
        hosts: names, beside localhost and addresses, under which the server is reached.
    """

    def __init__(self, app: ASGIApp, *, token: str, open_paths: tuple[str, ...], hosts: Collection[str] = ()) -> None:
        self._app = app
        self._visitors = Visitors(token, hosts)
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(Headers(scope=scope), str(scope["path"]))
        except RefusedError as error:
            await refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, headers: Headers, path: str) -> None:
        why = self._visitors.refuses(headers, is_open=path.startswith(self._open))
        if why == "host":
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "host",
                f"the Host {headers.get('host', '')[:100]!r} is not known here; use 127.0.0.1 or localhost, or start "
                "vidnb serve with --allow-host NAME",
            )  # fmt: skip
        if why == "origin":
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "origin",
                f"pages of another site ({headers['origin'][:100]!r}) may not ask here; send no Origin from a program",
            )  # fmt: skip
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 12 or int(length) > MAX_BODY_BYTES:
            raise _too_large()
        if why == "token":
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED, "token",
                "send the header Authorization: Bearer TOKEN; the token is the text of the file that vidnb serve named "
                "when it was started",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip


def refusal(error: RefusedError) -> Response:
    """Return the answer that refuses a request."""
    content = error.body.model_dump_json().encode()
    return Response(content, error.status, headers=error.headers, media_type="application/json")


async def body_of(request: Request, within_s: float = 10.0) -> bytes:
    """Return a request's body.

    Raises:
        RefusedError: it is too large, or comes too slowly.
    """
    import anyio

    received = bytearray()
    try:
        with anyio.fail_after(within_s):
            async for chunk in request.stream():
                received += chunk
                if len(received) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, "size", f"the body did not come within {within_s:.0f} s",
            headers={"Connection": "close"},
        ) from None  # fmt: skip
    return bytes(received)


def _too_large() -> RefusedError:
    return RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "size", f"a body has at most {MAX_BODY_BYTES:,} bytes")


def token_of(path: Path) -> str:
    """Return the token in a file that only its owner can read; where there is none, it is made.

    Raises:
        ConfigError: others can read it, it is empty, or it cannot be made.
    """
    token = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(secrets.token_urlsafe(32) + "\n")
    except FileExistsError:
        pass
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"the token file {path} cannot be made: {why}; --token-file names another") from None
    try:
        others = os.name == "posix" and path.stat().st_mode & 0o077
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token file {path} cannot be read: {error}") from None
    if others:
        raise ConfigError(
            f"other people can read the token file {path}: run chmod 600 on it, or delete it for a new one"
        )
    if len(token) < SHORTEST_TOKEN or not token.isprintable():
        raise ConfigError(f"the token file {path} holds no {SHORTEST_TOKEN} characters; delete it for a new token")
    return token
