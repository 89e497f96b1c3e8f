"""Media given as web addresses or as clips: a submit fetches them, a quote only counts them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from vidnb import catalog, params
from vidnb.clip import Clip
from vidnb.errors import ParamsError, Problem
from vidnb.media.given import is_page
from vidnb.net.outside import Outside
from vidnb.net.sockets import Sockets, notes
from vidnb.net.target import is_public
from vidnb.records import RemoteMedia, redact

LARGEST_BYTES = 50 * 2**20
LONGEST_S = 300.0
"""An address that drips would hold the call for ever: each byte begins the time-out of httpx anew."""


async def fetched(
    entry: catalog.Model, values: Mapping[str, Any], *, public_only: bool = False
) -> dict[str, Any]:  # fmt: skip
    """The values with every media URL replaced by its bytes, and every clip by its file.

    Args:
        entry: the model.
        values: what was given for it.
        public_only: fetch nothing from this machine or a private network, for addresses that no person typed.

    Raises:
        ParamsError: an address cannot be read; the message says which.
    """
    found = dict(values)
    for name in _media(entry) & set(values):
        value, problem = values[name], None
        try:
            if isinstance(value, list | tuple):
                found[name] = [await _input_of(item, public_only) for item in value]
            else:
                found[name] = await _input_of(value, public_only)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            allowed = f"the address cannot be read ({type(error).__name__})"
            said = str(error) or f"it took over {LONGEST_S:.0f} s"
            problem = Problem(name, redact(str(value))[:200], allowed, f"{redact(said)[:200]}{notes(error)}")
        if problem is not None:  # raised out here: the library's error holds the request, its signed address included
            raise ParamsError(entry.id, [problem])
    return found


def unfetched(entry: catalog.Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with every clip replaced by its file, and every media URL by something that stands for its bytes."""

    def one(item: Any) -> Any:
        if isinstance(item, Clip):
            return item.path
        return RemoteMedia(entry.provider, item) if is_address(item) else item

    found = dict(values)
    for name in _media(entry) & set(values):
        value = values[name]
        found[name] = [one(item) for item in value] if isinstance(value, list | tuple) else one(value)
    return found


def has_address(request: params.Request) -> bool:
    """Whether something in the request stands for bytes that were not fetched."""
    items = [item for items in request.media.values() for item in items]
    return any(isinstance(item, RemoteMedia) and is_address(item.id) for item in items)


def _media(entry: catalog.Model) -> set[str]:
    return {name for name, param in entry.params.items() if param.kind in catalog.MEDIA_KINDS}


def is_address(item: Any) -> bool:
    """Return whether a value is a web address."""
    return isinstance(item, str) and item.lower().startswith(("http://", "https://"))


async def _input_of(item: Any, public_only: bool) -> Any:
    if isinstance(item, Clip):
        return item.path
    return await _get(item, public_only) if is_address(item) else item


async def _get(url: str, public_only: bool) -> bytes:
    """The bytes behind a URL that the user gave as an input; at most 50 MB."""

    async def stay_outside(request: httpx.Request) -> None:
        if is_public(urlsplit(url).hostname or "") and not is_public(request.url.host):
            raise ValueError("it redirects into a private network")

    # Not compressed: a small answer could unfold into gigabytes.
    client = httpx.AsyncClient(
        follow_redirects=True, timeout=30.0, event_hooks={"request": [stay_outside]},
        headers={"Accept-Encoding": "identity"}, transport=Outside() if public_only else Sockets(4), trust_env=False,
    )  # fmt: skip
    async with asyncio.timeout(LONGEST_S), client, client.stream("GET", url) as response:
        response.raise_for_status()
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > LARGEST_BYTES:
                raise ValueError("the file is larger than 50 MB")
    if is_page(bytes(content[:512])):
        raise ValueError("it is the address of a web page; give the address of the picture, clip or sound itself")
    return bytes(content)
