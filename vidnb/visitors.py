"""Who may ask a server of vidnb's own: whoever has its token, and no page of another site.

A page that a person has open in a browser can send requests to this machine, too, and with a name of its own that
suddenly stands for 127.0.0.1 (DNS rebinding) it could even read the answers. So the Host must be an address, localhost
or a name that the owner gave, and an Origin, which browsers send, must be this server itself. An address cannot be made
to stand for another machine.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection, Mapping
from typing import Literal

Why = Literal["host", "origin", "token"]


class Visitors:
    """Tells who may ask.

    Args:
        token: that a request must carry as `Authorization: Bearer`.
        hosts: names, beside localhost and addresses, under which the server is reached.
    """

    def __init__(self, token: str, hosts: Collection[str] = ()) -> None:
        self._token = token.encode()
        self._hosts = {"localhost", *map(_name, hosts)}

    def refuses(self, headers: Mapping[str, str], *, is_open: bool = False) -> Why | None:
        """Return why a request is refused; None where it may ask.

        Args:
            headers: of the request, by lower-case name.
            is_open: it needs no token.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return "host"
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            return "origin"
        scheme, _, token = headers.get("authorization", "").partition(" ")
        has_token = scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token)
        return None if has_token or is_open else "token"

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _name(host: str) -> str:
    """Return the name or the address in a Host, without the port."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return name.strip("[]").rstrip(".").lower()
