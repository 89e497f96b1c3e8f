"""The ASGI app: the routes of both services and what every request passes through.

    count it -> faults that come before -> rate limit -> key -> the service's own handler -> faults that come after

`leonardo`, `onemin` and `hosts` give the routes; a handler gets an `Ask` and returns a response.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from vidnb.emulator.clock import RealClock, sleep_until
from vidnb.emulator.faults import STATUSES, Fault
from vidnb.emulator.replies import GATEWAY_TITLES, CutShort, Dropped, gateway_page, parsed_json

if TYPE_CHECKING:
    from vidnb.emulator.core import Emulator

FAULT_HEADER = "x-vidnb-fault"
DEFAULT_SLOW_S = 5.0


@dataclass
class Ask:
    """One request on its way through the emulator."""

    emulator: Emulator
    request: Request
    faults: list[Fault]
    account: str = ""

    @property
    def base(self) -> str:
        """The origin under which this client knows the emulator, with a slash; links in answers start with it."""
        return str(self.request.base_url)

    def fault(self, *kinds: str) -> Fault | None:
        """The first of these faults that this request meets."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)

    async def json(self) -> Any:
        """The parsed body; raises ValueError where it is no JSON."""
        return parsed_json(await self.request.body())


Handler = Callable[[Ask], Awaitable[Response]]


@dataclass(frozen=True)
class Path:
    """One route of a service."""

    method: str
    path: str
    operation: str
    handler: Handler
    host: str = "api"
    """What it stands for: api, upload, cdn or storage. Only the API asks for a key."""
    open: bool = False
    """An API call without a key."""


class Service(Protocol):
    """One emulated service."""

    name: str

    def paths(self) -> Sequence[Path]:
        """Its routes."""

    def authorize(self, ask: Ask) -> Response | None:
        """The refusal for a bad key; None sets the account."""

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """The service's body for a fault: an HTTP status, bad_key, inactive_key."""


def build(emulator: Emulator) -> Starlette:
    """The app of one emulator."""
    from vidnb.emulator.hosts import Hosts
    from vidnb.emulator.leonardo import Leonardo
    from vidnb.emulator.onemin import OneMin
    from vidnb.emulator.webhooks import Caller

    caller = Caller(emulator)
    leonardo, onemin = Leonardo(emulator, caller), OneMin(emulator)
    services: list[Service] = [leonardo, onemin]
    gate = _Gate(emulator)
    routes = [Route("/", _home), Route("/_emulator/stats", _stats(emulator))]
    for service in services:
        paths = [*service.paths(), *Hosts(emulator, service.name).paths()]
        routes += [Route(path.path, gate.endpoint(service, path), methods=[path.method]) for path in paths]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_found})
    app.state.caller = caller
    return app


@dataclass
class _Gate:
    emulator: Emulator
    recent: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def endpoint(self, service: Service, path: Path) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self._count(service, path, request)
            header = request.headers.get(FAULT_HEADER)
            ask = Ask(self.emulator, request, self.emulator.faults.draw(service.name, path.operation, header))
            response = await self._before(service, path, ask)
            response = response or await path.handler(ask)
            return _after(ask, response)

        return answer

    def _count(self, service: Service, path: Path, request: Request) -> None:
        state = self.emulator.state
        state.count(f"request {request.method} {path.path}", f"operation {service.name} {path.operation}")
        state.saw_headers(path.host, request.headers.keys())

    async def _before(self, service: Service, path: Path, ask: Ask) -> Response | None:
        """The answer of a request that does not reach its handler."""
        for fault in ask.faults:
            if fault.kind == "slow":
                await sleep_until(RealClock(), RealClock().now() + (fault.seconds or DEFAULT_SLOW_S))
            elif fault.kind in ("reset", "connect_error"):
                return Dropped(refused=fault.kind == "connect_error")
            elif fault.kind in ("1010", "1015"):
                return PlainTextResponse(f"error code: {fault.kind}", status_code=403)
            elif fault.kind in (*STATUSES, "bad_key", "inactive_key"):
                return _refusal(service, fault)
        if path.host != "api":
            return None
        return self._limit(service, ask.request) or (None if path.open else service.authorize(ask))

    def _limit(self, service: Service, request: Request) -> Response | None:
        limits = self.emulator.settings.requests_per_minute or {}
        if service.name not in limits:
            return None
        now, limit = self.emulator.now(), limits[service.name] * self.emulator.settings.speed
        times = self.recent[f"{service.name} {request.headers.get('authorization') or request.headers.get('api-key')}"]
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= limit:
            return service.refuse("429", max(times[0] + 60 - now, 1))
        times.append(now)
        return None


def _refusal(service: Service, fault: Fault) -> Response:
    if fault.kind.isdecimal() and int(fault.kind) in GATEWAY_TITLES:
        return gateway_page(int(fault.kind), GATEWAY_TITLES[int(fault.kind)])
    return service.refuse(fault.kind, fault.seconds)


def _after(ask: Ask, response: Response) -> Response:
    if response.status_code >= 400:
        return response
    if ask.fault("lost_reply"):
        return Dropped()
    if ask.fault("lost_reply_midway"):
        return CutShort(bytes(response.body), media_type=response.media_type or "application/json")
    return response


async def _not_found(request: Request, error: Exception) -> Response:
    """Unknown routes, in the words of the service whose path it is."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    if request.url.path.startswith("/api/rest/"):
        return JSONResponse({"path": "$", "error": "Endpoint not found", "code": "not-found"}, status_code=status)
    message = f"Cannot {request.method} {request.url.path}"
    return JSONResponse({"errorCode": "HTTP_EXCEPTION", "message": message}, status_code=status)


async def _home(request: Request) -> Response:
    base = str(request.base_url).rstrip("/")
    return PlainTextResponse(
        "This is vidnb's emulator of two hosted video services. Nothing is real, nothing costs anything.\n\n"
        f"Leonardo.AI   LEONARDO_BASE_URL={base}/api/rest    key: any UUID\n"
        f"1min.ai       ONEMIN_BASE_URL={base}             key: any text\n\n"
        f"What it has counted: {base}/_emulator/stats\n"
    )


def _stats(emulator: Emulator) -> Callable[[Request], Awaitable[Response]]:
    async def stats(request: Request) -> Response:
        return JSONResponse(emulator.stats())

    return stats
