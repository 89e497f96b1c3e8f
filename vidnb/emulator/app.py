"""The ASGI app: the routes of all services and what every request passes through.

    count it -> faults that come before -> rate limit -> key -> the service's own handler -> faults that come after

A `Service` gives its routes; a handler gets an `Ask` and returns a response.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from vidnb.clock import Clock
from vidnb.emulator.ask import Ask, Path, Service
from vidnb.emulator.core import Core
from vidnb.emulator.faults import STATUSES, Fault
from vidnb.emulator.replies import GATEWAY_TITLES, CutShort, Dropped, gateway_page, s3_error

log = logging.getLogger("vidnb.emulator")

FAULT_HEADER = "x-vidnb-fault"
NONCE, PROOF = "x-vidnb-nonce", "x-vidnb-proof"
"""Headers by which a client of vidnb's own asks for a proof that this is the emulator, and of the answer to it."""
DEFAULT_SLOW_S = 5.0


def build(core: Core, services: Sequence[Service]) -> Starlette:
    """Return the app of these services on one origin."""
    gate = _Gate(core)
    routes = [
        Route("/", _home(services)),
        Route("/_emulator/stats", _stats(core)),
        Route("/{below:path}_emulator/hello", hello),
    ]
    for service in services:
        routes += [Route(path.path, gate.endpoint(service, path), methods=[path.method]) for path in service.paths()]
    return Starlette(routes=routes, exception_handlers={HTTPException: _not_found(services)})


@dataclass
class _Gate:
    core: Core
    recent: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def endpoint(self, service: Service, path: Path) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self._count(service, path, request)
            header = request.headers.get(FAULT_HEADER)
            ask = Ask(self.core, request, self.core.faults.draw(service.name, path.operation, header))
            response = await self._before(service, path, ask)
            response = response or await _handled(service, path, ask)
            if nonce := request.headers.get(NONCE):
                response.headers[PROOF] = _proof(nonce)
            return _after(ask, response)

        return answer

    def _count(self, service: Service, path: Path, request: Request) -> None:
        state = self.core.state
        state.count(f"request {request.method} {path.path}", f"operation {service.name} {path.operation}")
        state.saw_headers(path.host, request.headers.keys())

    async def _before(self, service: Service, path: Path, ask: Ask) -> Response | None:
        """The answer of a request that does not reach its handler."""
        for fault in ask.faults:
            if fault.kind == "slow":
                await Clock().sleep(fault.seconds or DEFAULT_SLOW_S)
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
        limits = self.core.settings.requests_per_minute or {}
        if service.name not in limits:
            return None
        now, limit = self.core.now(), limits[service.name] * self.core.settings.speed
        times = self.recent[f"{service.name} {request.headers.get('authorization') or request.headers.get('api-key')}"]
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= limit:
            return service.refuse("429", max(times[0] + 60 - now, 1))
        times.append(now)
        return None


async def _handled(service: Service, path: Path, ask: Ask) -> Response:
    """Return the handler's answer; a fault in it is answered in the service's shape, and goes to the log."""
    try:
        return await path.handler(ask)
    except HTTPException as error:  # such as a form that is none
        if path.host == "api":
            return service.not_found(ask.request, error.status_code)
        return s3_error(error.status_code, "MalformedPOSTRequest", str(error.detail))
    except ClientDisconnect:  # whoever asked went away in the middle of the request: nothing was accepted
        return Dropped()
    except Exception:
        log.exception("the emulator's own fault at %s %s", ask.request.method, path.path)
        return service.refuse("500") if path.host == "api" else s3_error(500, "InternalError", "internal error")


def _refusal(service: Service, fault: Fault) -> Response:
    if fault.kind.isdecimal() and int(fault.kind) in GATEWAY_TITLES:
        return gateway_page(int(fault.kind), GATEWAY_TITLES[int(fault.kind)])
    return service.refuse(fault.kind, fault.seconds)


def _after(ask: Ask, response: Response) -> Response:
    if response.status_code >= 400:
        return response
    if ask.fault("502_after"):
        return gateway_page(502, GATEWAY_TITLES[502])
    if ask.fault("lost_reply"):
        return Dropped()
    if ask.fault("lost_reply_midway"):
        return CutShort(bytes(response.body), media_type=response.media_type or "application/json")
    return response


def _not_found(services: Sequence[Service]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler of unknown routes, which answers in the words of the service whose path it is."""
    by_prefix = sorted(services, key=lambda service: len(service.prefix), reverse=True)

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        for service in by_prefix:
            if request.url.path.startswith(service.prefix):
                return service.not_found(request, status)
        return JSONResponse({"message": f"Cannot {request.method} {request.url.path}"}, status_code=status)

    return not_found


def _home(services: Sequence[Service]) -> Callable[[Request], Awaitable[Response]]:
    async def home(request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        lines = "".join(
            f"{service.title:<14}{service.base_url_env.format(base=base):<54}key: {service.key_hint}\n"
            for service in services
        )
        return PlainTextResponse(
            "This is vidnb's emulator of hosted video services. Nothing is real, nothing costs anything.\n\n"
            f"{lines}\nWhat it has counted: {base}/_emulator/stats\n"
        )

    return home


async def hello(request: Request) -> Response:
    """Prove that this is the emulator: the hash that a client expects for its nonce, below any service's base URL."""
    return JSONResponse({"vidnb emulator": _proof(request.query_params.get("nonce", ""))})


def _proof(nonce: str) -> str:
    words = f"vidnb emulator, nothing here costs money: {nonce[:64]}"
    return hashlib.sha256(words.encode()).hexdigest()


def _stats(core: Core) -> Callable[[Request], Awaitable[Response]]:
    async def stats(request: Request) -> Response:
        return JSONResponse(core.stats())

    return stats
