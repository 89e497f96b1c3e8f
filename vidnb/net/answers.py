"""How long a request may take and how much an answer may hold, so that no server can keep or fill this machine.

A silent server is noticed by the read time-out of httpx. One that drips never is: every byte begins it anew. So each
kind of request has a time for the whole of it, and each body a size.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx

from vidnb.errors import TransportError
from vidnb.records import Link

READ_S = 60.0
"""A poll, or any other question, with its repetitions."""
ONCE_S = 10.0
"""A question for whose answer others wait."""
SUBMIT_S = 320.0
"""A submit; a service may answer synchronously, when the clip exists (1min holds the connection for minutes)."""
UPLOAD_S = 900.0
OPEN_S = 120.0
"""Seconds from the request for a clip to its first byte, retries included."""
DOWNLOAD_S = 3600.0
SLOWEST_BYTES, SLOWEST_S = 64 * 2**10, 60.0
"""A download that brings less than this in such a time drips, and is given up."""
MAX_REPLY_BYTES = 3 * 2**19
"""Hundred entries of a list take a sixth of it; as JSON it may take 37 times its size in memory."""
MAX_HELD_BYTES = 192 * 2**20
"""An answer of a service that sends clips within them: 140 MB of clip as base64."""
MAX_CLIP_BYTES = 4 * 2**30
GZIP, PIECE_BYTES = b"\x1f\x8b", 2**20

QUESTION = httpx.Timeout(20.0, connect=10.0, pool=30.0)
TRANSFER = httpx.Timeout(60.0, connect=10.0, pool=30.0)
SUBMIT = httpx.Timeout(300.0, connect=10.0, pool=30.0)


class TooLargeError(ValueError):
    """An answer holds more than any answer should."""


async def content_of(response: httpx.Response, most: int = MAX_REPLY_BYTES) -> bytes:
    """Return the body, unpacked, as long as it is no larger than any answer should be.

    Raises:
        TooLargeError: it is larger, or unfolds into more.
        httpx.HTTPError: it broke off.
    """
    if response.is_stream_consumed:  # a transport of a test's own may have it at hand
        return response.content
    unpack = _unpacker(response.headers.get("content-encoding", ""))
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += unpack(chunk, most + 1 - len(content))
        if len(content) > most:
            raise TooLargeError(f"the answer holds more than {most / 2**20:.1f} MB")
    return bytes(content)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """Return what unpacks chunks to at most so many bytes; a small body may unfold into gigabytes."""
    plain = encoding.strip().lower()
    if plain in ("", "identity"):
        return lambda chunk, most: chunk
    if plain not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"the answer is packed in a way that was not asked for: {plain[:20]!r}")
    inflate = zlib.decompressobj(47 if plain != "deflate" else 15)

    def unpack(chunk: bytes, most: int) -> bytes:
        try:
            return inflate.decompress(inflate.unconsumed_tail + chunk, most)
        except zlib.error as error:
            raise ValueError(f"the answer is not packed as it says: {error}") from None

    return unpack


def _too_large() -> TransportError:
    return TransportError("the clip is larger than any clip should be (4 GiB); not stored", sent=True)


def parsed(content: bytes) -> Any:
    """Return the JSON of a body, or None where it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


class InlineBody:
    """A clip that came within an answer, as the chunks of a body.

    Args:
        link: it has the bytes, or is a `data:` address.

    Raises:
        TransportError: the address holds nothing that can be read.
    """

    def __init__(self, link: Link) -> None:
        self._content = _from_data(link.whole) if link.content is None else link.content
        self.announced: int | None = len(self._content)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks."""
        for start in range(0, len(self._content), PIECE_BYTES):
            yield self._content[start : start + PIECE_BYTES]


def _from_data(address: str) -> bytes:
    """Return what a `data:` address stands for (RFC 2397)."""
    head, _, data = address.partition(",")
    content = unquote_to_bytes(data)
    if not head.lower().endswith(";base64"):
        return content
    with suppress(binascii.Error):
        return binascii.a2b_base64(content + b"==")  # some leave the padding out, and more than enough does no harm
    raise TransportError("the clip came as text that is no base64", sent=True)


class Body:
    """The chunks of a clip's body: one that is shorter than announced, endless, or only drips, is an error.

    Attributes:
        announced: how many bytes the server says there are; None where it does not say.
    """

    def __init__(self, response: httpx.Response, end: Callable[[], None]) -> None:
        length = response.headers.get("content-length", "")
        self.announced = int(length) if length.isdecimal() else None
        if self.announced is not None and self.announced > MAX_CLIP_BYTES:
            raise TransportError(
                f"the clip's link announces {self.announced / 2**30:.1f} GB, more than any clip should have "
                f"({MAX_CLIP_BYTES // 2**30} GB); not fetched",
                sent=True,
            )
        self._response = response
        self._end = end
        self._unpack: Callable[[bytes, int], bytes] | None = None

    def _unpacked(self, chunk: bytes, is_first: bool) -> Iterator[bytes]:
        """Yield the chunk, in pieces where it is packed: some storages pack although nobody asked them to."""
        # The bytes decide: the header may have been left on a file that is plain.
        if is_first and "gzip" in self._response.headers.get("content-encoding", "") and chunk.startswith(GZIP):
            self._unpack = _unpacker("gzip")
        if self._unpack is None:
            yield chunk
            return
        try:
            piece = self._unpack(chunk, PIECE_BYTES)
            while piece:
                yield piece
                piece = self._unpack(b"", PIECE_BYTES)
        except ValueError as error:
            raise TransportError(f"the download broke off: {error}", sent=True) from None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks as they come."""
        if self._response.is_stream_consumed:  # as in `content_of`
            self._end()
            yield self._response.content
            return
        now = asyncio.get_running_loop().time
        received, unpacked, began = 0, 0, now()
        window_began, window_bytes = began, 0
        chunks = self._response.aiter_raw()
        while True:
            broke = ""
            try:
                chunk = await anext(chunks, None)
            except (httpx.HTTPError, ValueError, AssertionError) as error:
                chunk, broke = None, type(error).__name__
            if broke:  # raised out here: the library's error holds the request, its signed address included
                raise TransportError(f"the download broke off: {broke}", sent=True)
            if chunk is None:
                break
            received, window_bytes = received + len(chunk), window_bytes + len(chunk)
            if received > MAX_CLIP_BYTES:
                raise _too_large()
            if now() - window_began > SLOWEST_S:
                if window_bytes < SLOWEST_BYTES:
                    raise TransportError(f"the download only drips: {received:,} bytes so far; given up", sent=True)
                window_began, window_bytes = now(), 0
            if now() - began > DOWNLOAD_S:
                raise TransportError(f"the download took over {DOWNLOAD_S / 60:.0f} minutes; given up", sent=True)
            for piece in self._unpacked(chunk, received == len(chunk)):
                unpacked += len(piece)
                if unpacked > MAX_CLIP_BYTES:
                    raise _too_large()
                yield piece
        self._end()
        if self.announced is not None and received != self.announced:
            raise TransportError(f"the download broke off after {received:,} of {self.announced:,} bytes", sent=True)
