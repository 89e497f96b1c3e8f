"""Answers that a web framework does not offer: dropped connections, cut and slow bodies, S3's XML errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import anyio
import anyio.lowlevel
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from vidnb.emulator.transport import DROP

CHUNK = 16_384


class Dropped(Response):
    """No answer: the connection breaks."""

    def __init__(self, *, refused: bool = False) -> None:
        super().__init__(status_code=500)
        self.refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Break the connection if the server can; else the server handles the missing answer in its own way."""
        cut = scope.get("extensions", {}).get(DROP)
        if cut:
            cut(refused=self.refused)
            await anyio.lowlevel.checkpoint()


class CutShort(Response):
    """The first half of another answer's body, under its full length; then the connection breaks."""

    def __init__(self, body: bytes, *, media_type: str, status_code: int = 200) -> None:
        super().__init__(body, media_type=media_type, status_code=status_code)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half and break off."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await Dropped()(scope, receive, send)


def slow_file(path: Path, *, seconds: float, media_type: str) -> StreamingResponse:
    """The file in small pieces, with pauses that add up to `seconds`."""
    content = path.read_bytes()
    pieces = [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)] or [b""]

    async def trickle() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await anyio.sleep(seconds / len(pieces))

    return StreamingResponse(trickle(), media_type=media_type, headers={"content-length": str(len(content))})


def s3_error(status_code: int, code: str, message: str, **more: str) -> Response:
    """An error as S3 words it."""
    told = {"Code": code, "Message": message, **more}
    inner = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in told.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}<RequestId>EMULATED</RequestId></Error>'
    return Response(body, status_code=status_code, media_type="application/xml")


def gateway_page(status_code: int, title: str) -> Response:
    """The HTML that a gateway puts in front of a service that does not answer."""
    head = f"<head><title>{status_code}: {title}</title></head>"
    body = f"<!DOCTYPE html>\n<html>{head}<body><h1>Error {status_code}</h1></body></html>\n"
    return Response(body, status_code=status_code, media_type="text/html")


GATEWAY_TITLES: dict[int, str] = {
    502: "Bad gateway",
    503: "Service temporarily unavailable",
    504: "Gateway time-out",
    520: "Web server is returning an unknown error",
    522: "Connection timed out",
    524: "A timeout occurred",
}


def parsed_json(body: bytes) -> Any:
    """The parsed body; raises ValueError where it is no JSON, or holds half a character, which nothing can store."""
    import json

    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value
