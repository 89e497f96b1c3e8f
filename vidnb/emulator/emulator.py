"""The emulator as a whole: every service on one origin, as an ASGI app."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from vidnb.clock import Clock
from vidnb.emulator.app import build
from vidnb.emulator.core import Core
from vidnb.emulator.faults import Fault
from vidnb.emulator.services import services
from vidnb.emulator.transport import StreamingASGITransport


class Emulator(Core):
    """Every emulated service on one origin, as an ASGI app, with jobs in a folder that processes can share.

    Args:
        folder: where the state lies; None for a temporary one that goes away with the emulator.
        clock: by which jobs advance; a `VirtualClock` stands still until it is advanced.
        faults: `Fault`s or short texts such as `429:submit:2`.
        webhook_transport: httpx transport for webhooks, where the receiver is in this process.
        settings: see `Settings`, and the `Settings` of each service.

    Raises:
        TypeError: no service has such a setting.

    Example:
        >>> from vidnb.emulator import Emulator, VirtualClock
        >>> emulator = Emulator(clock=VirtualClock(), latency_s=5, faults=["lost_reply:1"])
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        clock: Clock | None = None,
        faults: Iterable[Fault | str] = (),
        webhook_transport: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__(folder, clock=clock, faults=faults, webhook_transport=webhook_transport, **settings)
        self.services = services(self)
        if self.other_settings:
            self.close()
            raise TypeError(f"no service has the setting {', '.join(map(repr, self.other_settings))}")

    @functools.cached_property
    def app(self) -> Starlette:
        """The ASGI app of all services, their upload targets and their CDNs."""
        return build(self, self.services)

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return the transport that reaches all services without a socket."""
        return StreamingASGITransport(self.app)

    async def aclose(self) -> None:
        """Close the database, after giving up the webhooks that are still to come."""
        for service in self.services:
            await service.aclose()
        self.close()
