"""What passes through the emulator: one request on its way, a route, and what a service is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vidnb.catalog import Model
from vidnb.emulator.core import OTHER_LATENCY_S, Core
from vidnb.emulator.faults import Fault
from vidnb.emulator.replies import parsed_json


@dataclass
class Ask:
    """One request on its way through the emulator."""

    core: Core
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


def by_beginning(latencies_s: Mapping[str, float], name: str) -> float:
    """Return the latency whose key the model's name begins with, in lower case."""
    folded = name.lower()
    return float(next((s for start, s in latencies_s.items() if folded.startswith(start)), OTHER_LATENCY_S))


class NoSettings:
    """The settings of a service that has none of its own."""


class Service(ABC):
    """One emulated service: its routes, hosts, slots, latencies, prices and callbacks.

    A plug-in brings one for its provider: name the class in the entry-point group `vidnb.emulated`, under the
    provider's name. `core` has what all services share: a job is made with `core.create(EmulatedJob(...), model,
    ask.faults)`, and its clip is rendered by `core.footage`.
    """

    name: ClassVar[str]
    """The provider's name."""
    title: ClassVar[str] = ""
    """What a person calls the service."""
    slots: ClassVar[int | None] = None
    """Jobs that an account may have running at once; None for any number."""
    prefix: ClassVar[str] = "/"
    """How the paths of its API begin: an unknown one below it is answered in the service's words."""
    base_url_env: ClassVar[str] = ""
    """The environment variable that points a client here, and below which path: `ACME_BASE_URL={base}/v1`."""
    key_hint: ClassVar[str] = "any text"
    """What it takes for a key."""
    Settings: ClassVar[type[Any]] = NoSettings
    """A dataclass of the settings that only this service has; `Emulator(**settings)` takes them."""

    def __init__(self, core: Core) -> None:
        self.core = core
        own = getattr(self.Settings, "__dataclass_fields__", {})
        self.settings = self.Settings(**{k: core.other_settings.pop(k) for k in list(core.other_settings) if k in own})

    @abstractmethod
    def paths(self) -> Sequence[Path]:
        """Return its routes, those of its other hosts (uploads, downloads) among them."""

    @abstractmethod
    def authorize(self, ask: Ask) -> Response | None:
        """Return the refusal for a bad key; None sets `ask.account`."""

    @abstractmethod
    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """Return the service's body for a fault: an HTTP status, bad_key, inactive_key."""

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a job takes at the real service."""
        return OTHER_LATENCY_S

    def not_found(self, request: Request, status: int) -> Response:
        """Return the answer to a path below `prefix` that the service does not have."""
        return JSONResponse({"error": f"Cannot {request.method} {request.url.path}"}, status_code=status)

    async def aclose(self) -> None:  # noqa: B027  # most services have nothing to give up
        """Give up what is still to come, such as callbacks."""
