"""The emulator of the services: their wire formats, real clips, no key, no network, nothing to pay.

    Emulator                  settings, folder, clock; `.app` is the ASGI app, `.stats()` its own counts
    StreamingASGITransport    reaches the app in process, as over a network
    VirtualClock              time that a test moves
    Fault, parse_fault        what goes wrong, and when
    serve, running            the same on a port

It shares the catalogue's data with vidnb's providers and no code. What a prompt can ask for: `[blocked]` or
`forbidden-test-word` is refused by moderation; `[fail]` ends as failed; `[no-output]` ends without a clip; `[nsfw]` is
flagged and delivered.
"""

from __future__ import annotations

from vidnb.emulator.ask import Ask, Path, Service
from vidnb.emulator.clock import RealClock, VirtualClock
from vidnb.emulator.core import Settings
from vidnb.emulator.emulator import Emulator
from vidnb.emulator.faults import Fault
from vidnb.emulator.faults import parse as parse_fault
from vidnb.emulator.server import running, serve
from vidnb.emulator.state import EmulatedJob
from vidnb.emulator.transport import StreamingASGITransport

__all__ = [
    "Ask",
    "EmulatedJob",
    "Emulator",
    "Fault",
    "Path",
    "RealClock",
    "Service",
    "Settings",
    "StreamingASGITransport",
    "VirtualClock",
    "parse_fault",
    "running",
    "serve",
]
