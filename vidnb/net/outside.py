"""Addresses that no person typed, as an agent's: only what lies on the internet is asked, whatever a name stands for.

Whoever owns a name may let it stand for a public address while that is checked, and for one of this machine or its
private network a moment later (DNS rebinding). So the connection goes to the very address that was checked; the name
still goes along for the certificate and the `Host`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import httpx

from vidnb.net.sockets import Sockets
from vidnb.net.target import is_public

CONNECTIONS = 4
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""How a network of IPv6 alone writes addresses of IPv4 (RFC 6052)."""


class Outside(httpx.AsyncBaseTransport):
    """A transport that refuses this machine, private networks and what is not https; each redirect passes it, too.

    Behind a proxy a name may mean nothing on this machine, and what it stands for is the proxy's business.
    """

    def __init__(self) -> None:
        # A connection is used once: two names at one address must not share one, as only one was proved by it.
        self._sockets = Sockets(CONNECTIONS, kept=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer of the first address of the name that takes a connection.

        Raises:
            ValueError: the address is none that may be asked.
        """
        if request.url.scheme != "https" or not is_public(request.url.host):
            raise _refused()
        if self._sockets.proxy_of(request.url):
            return await self._sockets.handle_async_request(request)
        name = request.url.raw_host.decode("ascii")
        *others, last = await _resolved(name, request.url.port or 443)
        for address in others:
            try:
                return await self._sockets.handle_async_request(_pinned(request, name, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # as where a name has an IPv6 address and this machine has no such network
        return await self._sockets.handle_async_request(_pinned(request, name, last))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._sockets.aclose()


async def _resolved(name: str, port: int) -> list[str]:
    """Return what a name stands for now, in the order of the system.

    Raises:
        ValueError: it is not known, or any of it is not on the internet.
    """
    try:
        places = await asyncio.get_running_loop().getaddrinfo(name.strip("[]"), port, proto=socket.IPPROTO_TCP)
    except OSError as error:
        raise ValueError(f"{name} is not known here ({error.strerror or error})") from None
    found = list(dict.fromkeys(str(place[0]).partition("%")[0] for *_, place in places))
    if not found or not all(_is_global(ipaddress.ip_address(address)) for address in found):
        raise _refused()
    return found


def _is_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one machine's on the internet, also where it carries another one within it."""
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return _is_global(within)
    return address.is_global and not address.is_multicast


def _pinned(request: httpx.Request, name: str, address: str) -> httpx.Request:
    """Return the request for the name, sent to this address."""
    extensions = {**request.extensions, "sni_hostname": name}
    url = request.url.copy_with(host=address)
    return httpx.Request(
        request.method, url, headers=request.headers, stream=request.stream, extensions=extensions
    )  # fmt: skip


def _refused() -> ValueError:
    return ValueError("it leads to this machine, into a private network, or away from https")
