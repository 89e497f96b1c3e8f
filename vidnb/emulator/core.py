"""The emulator itself: its settings, its folder, its clock, and what both services do with a job."""

from __future__ import annotations

import functools
import hashlib
import secrets
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidnb.catalog import Model
from vidnb.emulator.ahead import Ahead
from vidnb.emulator.clock import Clock, RealClock
from vidnb.emulator.faults import JOB_FAULTS, Fault, Injector
from vidnb.emulator.scenes import Footage, duration_of, size_of
from vidnb.emulator.state import EmulatedJob, State, digest

if TYPE_CHECKING:
    from starlette.applications import Starlette

LATENCY_S = {
    # 1min: onemin.md, section 9 (AnimateDiff was measured, the rest is chosen). Leonardo: chosen alike.
    "1min/leonardo-motion": 40, "1min/animate-diff": 75, "1min/luma": 60, "1min/pika": 60, "1min/skyreels": 90,
    "1min/hailuo": 120, "1min/kling": 120, "1min/veo": 120, "1min/sora": 150,
    "leonardo/motion_2.0-fast": 25, "leonardo/motion2fast": 25, "leonardo/motion": 45, "leonardo/svd": 40,
    "leonardo/grok": 45, "leonardo/ltx": 35, "leonardo/veo": 90, "leonardo/kling": 120, "leonardo/seedance": 90,
    "leonardo/hailuo": 100, "leonardo/sora": 150,
}  # fmt: skip
"""Seconds from start to end, by the beginning of the model's id in lower case."""
OTHER_LATENCY_S = 60.0
KLING_PRO_LATENCY_S = 240.0

MODERATED = ("[blocked]", "forbidden-test-word")
"""A prompt with one of these is refused by moderation."""
MAGIC_WORDS = {"[fail]": "failed", "[no-output]": "no_output", "[nsfw]": "nsfw"}
"""A prompt with one of these gives a job that fails, ends without a clip, or is flagged and delivered."""

WORTH_RENDERING_AHEAD_S = 0.5
LEONARDO_SLOTS = 10


@dataclass(kw_only=True, frozen=True)
class Settings:
    """How the emulator behaves where the services' own behaviour is unknown, configurable or too slow to wait for."""

    speed: float = 1.0
    """Latencies and the gateway's limit are divided by it."""
    latency_s: Mapping[str, float] | float | None = None
    """For all models, or by model id; else `LATENCY_S`."""
    slots: Mapping[str, int] | int | None = LEONARDO_SLOTS
    """Jobs at once for each account; a number is Leonardo's (1min's is unknown: no limit), a table is by provider."""
    seed: int = 0
    """Of the dice for faults."""
    id_version: int = 6
    """Of Leonardo's ids: 6 as the service really does, 4 as its specification says."""
    strict_records: bool = False
    """Leonardo: no null where the specification allows none (`scheduler` and others, which the real service leaves null
    for videos): the official TypeScript SDK refuses such a record."""
    strict_sizes: bool = False
    """Refuse sizes that only an older page allowed."""
    strict_fields: bool = False
    """1min: refuse unknown fields in place of echoing them."""
    older_contracts: bool = True
    """1min: accept what older pages documented (Luma's `length`, Veo's `fast_mode`)."""
    refuse_retired: bool = False
    """Answer a retired model as the service does today."""
    range_errors: str = "submit"
    """1min: a value out of range is refused at `submit`, or is a FAILURE at the `poll` (asynchronous calls)."""
    failure_body: str = "message"
    """1min: what a failed job's resultObject holds: `message`, `empty` or `object`."""
    failure_word: str = "FAILURE"
    missing_key_message: str = "API Key is required"
    """1min: the text for a call without a key; the real one is unknown."""
    gateway_limit_s: float = 100.0
    """1min: a synchronous call that takes longer is answered 524 while the job goes on."""
    credit_limit: int = 2_147_483_647
    """1min: of each team."""
    balance_usd: float | None = None
    """Leonardo: of each account; None for no end."""
    requests_per_minute: Mapping[str, int] | None = None
    """Rate limits by provider, multiplied by the speed; none by default. The services publish 2000 for `leonardo` and
    180 for `1min`."""
    render_ahead: bool = True
    """Render while a job runs, in a thread; by the real clock only, and not where a job is over at once."""
    upload_window_s: float = 120.0
    link_life_s: float = 604_800.0
    """1min: how long a download link is good."""
    webhook_url: str | None = None
    """Leonardo: where to call back when a job is over."""
    webhook_secret: str | None = None


class Emulator:
    """Both services on one origin, as an ASGI app, with jobs in a folder that processes can share.

    Args:
        folder: where the state lies; None for a temporary one that goes away with the emulator.
        clock: whatever has `now()`; a `VirtualClock` stands still until it is advanced.
        faults: `Fault`s or short texts such as `429:submit:2`.
        webhook_transport: httpx transport for webhooks, where the receiver is in this process.
        settings: see `Settings`.

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
        self.settings = Settings(**settings)
        self.clock: Clock = clock or RealClock()
        self.faults = Injector(faults, self.settings.seed)
        self.webhook_transport = webhook_transport
        temporary = tempfile.mkdtemp(prefix="vidnb-emulator-") if folder is None else None
        self.folder = Path(temporary or folder or "")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = State(self.folder / "emulator.db")
        self.footage = Footage(self.folder, self.state)
        self.ahead = Ahead(self.footage)
        if temporary:
            weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)

    def __repr__(self) -> str:
        return f"<Emulator in {str(self.folder)!r}>"

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @functools.cached_property
    def app(self) -> Starlette:
        """The ASGI app of both services, their upload targets and their CDN."""
        from vidnb.emulator.app import build

        return build(self)

    def close(self) -> None:
        """Close the database; a later call of the app fails."""
        self.ahead.close()
        self.state.close()

    async def aclose(self) -> None:
        """The same, after giving up the webhooks that are still to come."""
        await self.app.state.caller.aclose()
        self.close()

    @functools.cached_property
    def secret(self) -> bytes:
        """The key with which this folder's links are signed."""
        return self.state.secret()

    def now(self) -> float:
        """Seconds since 1970 on the emulator's clock."""
        return self.clock.now()

    def stats(self) -> dict[str, Any]:
        """The services' own counts, over all processes and the whole life of the folder.

        Keys: `requests` by method and route; `operations` by provider and operation; `jobs` in all and by provider,
        prompt and hash of the exact body; `downloads` asked for, posters too; `headers` seen by kind of host (api,
        upload, cdn, storage).
        """
        counts = self.state.counts()

        def under(prefix: str) -> dict[str, int]:
            return {name[len(prefix) :]: n for name, n in counts.items() if name.startswith(prefix)}

        by_provider = self.state.jobs_by("provider")
        return {
            "requests": under("request "),
            "operations": under("operation "),
            "jobs": sum(by_provider.values()),
            "jobs_by_provider": by_provider,
            "jobs_by_prompt": self.state.jobs_by("prompt"),
            "jobs_by_body": self.state.jobs_by("body_hash"),
            "downloads": sum(n for name, n in under("operation ").items() if name.endswith(" download")),
            "headers": self.state.headers(),
        }

    # What both services do with a job

    def new_id(self) -> str:
        """An id as Leonardo gives them: ordered by time, or version 4."""
        return str(uuid.uuid4()) if self.settings.id_version == 4 else uuid6(self.now())

    def create(self, job: EmulatedJob, model: Model, faults: Iterable[Fault] = ()) -> EmulatedJob:
        """The job, written, with its seed, its times, and the end that it will come to."""
        kinds = {fault.kind for fault in faults if fault.kind in JOB_FAULTS}
        kinds |= {outcome for word, outcome in MAGIC_WORDS.items() if word in job.prompt}
        ends = "failed" if "failed" in kinds else "no_output" if "no_output" in kinds else job.outcome
        job = replace(job, outcome=ends, nsfw=job.nsfw or "nsfw" in kinds)
        latency_s = float("inf") if "never_ending" in kinds else self.latency_of(model, job.params)
        job = self.state.add_job(job, latency_s=latency_s, slots=self.slots_of(job.provider))
        worth_it = job.outcome == "done" and WORTH_RENDERING_AHEAD_S <= latency_s < float("inf")
        if worth_it and self.settings.render_ahead and isinstance(self.clock, RealClock):
            self.ahead.expect(job)
        return job

    def latency_of(self, model: Model, params: Mapping[str, Any]) -> float:
        """Seconds that a job of this model runs."""
        return self._unscaled_latency(model, params) / self.settings.speed

    def _unscaled_latency(self, model: Model, params: Mapping[str, Any]) -> float:
        told = self.settings.latency_s
        if isinstance(told, (int, float)):
            return float(told)
        if told and model.id in told:
            return float(told[model.id])
        if model.id.startswith("1min/kling") and params.get("quality") == "pro":
            return KLING_PRO_LATENCY_S
        name = model.id.lower()
        return float(next((s for prefix, s in LATENCY_S.items() if name.startswith(prefix)), OTHER_LATENCY_S))

    def slots_of(self, provider: str) -> int | None:
        """Jobs that an account may have running at once; None for any number."""
        slots = self.settings.slots
        if isinstance(slots, Mapping):
            return slots.get(provider)
        return slots if provider == "leonardo" else None


def price_usd(model: Model, params: Mapping[str, Any]) -> float:
    """What a job costs in dollars: an INVENTED formula, as the vendor publishes no prices.

    0.01 + 0.02 a second and megapixel, a fifth more with sound. It grows with what should make it grow, no more.
    """
    width, height = size_of(model, params, None)
    base = 0.01 + 0.02 * duration_of(model, params) * width * height / 1e6
    return round(base * (1.2 if params.get("audio") else 1.0), 4)


def scene_key(model: Model, mode: str, params: Mapping[str, Any], media: Mapping[str, Any]) -> str:
    """The hash of what a clip depends on: ids of uploads are replaced by the hashes of their bytes."""
    return digest([model.id, mode, dict(params), dict(media)])


def is_moderated(prompt: str) -> str | None:
    """The word for which moderation refuses the prompt, if any."""
    return next((word for word in MODERATED if word in prompt.lower()), None)


def account_id(text: str) -> str:
    """The id of the account behind a key, a UUID of version 4 as far as anyone can see."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def uuid6(now_s: float) -> str:
    """A time-ordered UUID of version 6, such as 1f1a06db-37cd-6c60-9cac-182717e03f42."""
    ticks = int(now_s * 1e7) + 0x01B21DD213814000 + secrets.randbelow(10_000)
    value = (ticks >> 12 & 0xFFFFFFFFFFFF) << 80 | 0x6 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))
