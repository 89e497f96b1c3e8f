"""What the emulated services share: settings, folder, clock, and what becomes of a job."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import anyio

from vidnb.catalog import Model
from vidnb.clock import Clock
from vidnb.emulator.ahead import Ahead
from vidnb.emulator.clock import VirtualClock
from vidnb.emulator.faults import JOB_FAULTS, Fault, Injector
from vidnb.emulator.scenes import Footage
from vidnb.emulator.state import EmulatedJob, State, digest
from vidnb.forking import in_child

MODERATED = ("[blocked]", "forbidden-test-word")
"""A prompt with one of these is refused by moderation."""
MAGIC_WORDS = {"[fail]": "failed", "[no-output]": "no_output", "[nsfw]": "nsfw"}
"""A prompt with one of these gives a job that fails, ends without a clip, or is flagged and delivered."""

WORTH_RENDERING_AHEAD_S = 0.5
LONGEST_ANSWER_S = 4.0
"""A plain client waits 5 s for an answer, so a clip that takes longer to render is not announced before it exists."""
PUBLISHED = "published"
"""Stands for as many jobs at once as the service itself says."""
OTHER_LATENCY_S = 60.0


@dataclass(kw_only=True, frozen=True)
class Settings:
    """How every emulated service behaves; what only one of them has stands in that service's own settings."""

    speed: float = 1.0
    """Latencies and the gateway's limit are divided by it."""
    latency_s: Mapping[str, float] | float | None = None
    """For all models, or by model id; else what the service says of each model."""
    slots: Mapping[str, int] | int | str | None = PUBLISHED
    """Jobs at once for each account: a number for the services that limit them, a table by provider, None for any."""
    seed: int = 0
    """Of the dice for faults."""
    refuse_retired: bool = False
    """Answer a retired model as the service does today."""
    requests_per_minute: Mapping[str, int] | None = None
    """Rate limits by provider, multiplied by the speed; none by default. The services publish 2000 for `leonardo` and
    180 for `1min`."""
    render_ahead: bool = True
    """Render while a job runs, in a thread; by the real clock only, and not where a job is over at once."""


class Pace(Protocol):
    """What the core must know of a service to run its jobs."""

    slots: ClassVar[int | None]

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float: ...


class Core:
    """What all emulated services stand on: settings, folder, clock, faults, state and footage.

    Args:
        folder: where the state lies; None for a temporary one that goes away with the emulator.
        clock: by which jobs advance; default the machine's own.
        faults: what goes wrong, and when.
        webhook_transport: httpx transport for webhooks, where the receiver is in this process.
        settings: see `Settings`; those that it does not know are for a service to take.
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
        known = {name: settings.pop(name) for name in list(settings) if name in Settings.__dataclass_fields__}
        self.settings = Settings(**known)
        self.other_settings = settings
        self.paces: dict[str, Pace] = {}
        self.clock = clock or Clock()
        self.faults = Injector(faults, self.settings.seed)
        self.webhook_transport = webhook_transport
        temporary = tempfile.mkdtemp(prefix="vidnb-emulator-") if folder is None else None
        self.folder = Path(temporary or folder or "")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = State(self.folder / "emulator.db")
        self.footage = Footage(self.folder, self.state)
        self.ahead = Ahead(self.footage)
        self._rendered: set[str] = set()
        if temporary:
            self._removal = weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
            in_child(self._leave_folder)

    def __repr__(self) -> str:
        return f"<Emulator in {str(self.folder)!r}>"

    def _leave_folder(self) -> None:
        """Leave the temporary folder to the parent in a forked child."""
        self._removal.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; a later call of the app fails."""
        self.ahead.close()
        self.state.close()

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

    # What every service does with a job

    def create(self, job: EmulatedJob, model: Model, faults: Iterable[Fault] = ()) -> EmulatedJob:
        """The job, written, with its seed, its times, and the end that it will come to."""
        kinds = {fault.kind for fault in faults if fault.kind in JOB_FAULTS}
        kinds |= {outcome for word, outcome in MAGIC_WORDS.items() if word in job.prompt}
        ends = "failed" if "failed" in kinds else "no_output" if "no_output" in kinds else job.outcome
        job = replace(job, outcome=ends, nsfw=job.nsfw or "nsfw" in kinds)
        latency_s = float("inf") if "never_ending" in kinds else self.latency_of(model, job.params)
        job = self.state.add_job(job, latency_s=latency_s, slots=self.slots_of(job.provider))
        worth_it = job.outcome == "done" and WORTH_RENDERING_AHEAD_S <= latency_s < float("inf")
        if worth_it and self.settings.render_ahead and not isinstance(self.clock, VirtualClock):
            self.ahead.expect(job)
        return job

    async def as_told(self, job: EmulatedJob) -> EmulatedJob:
        """Return the job as a poll may show it: still running for as long as its clip is being rendered."""
        is_due = job.outcome == "done" and job.is_over(self.now()) and not isinstance(self.clock, VirtualClock)
        if not is_due or job.id in self._rendered:
            return job
        with anyio.move_on_after(LONGEST_ANSWER_S):
            # Who downloads a clip that cannot be rendered gets the error.
            with suppress(OSError, ValueError, RuntimeError):
                await asyncio.to_thread(self.footage.clip, job)
            self._rendered.add(job.id)
            return job
        return replace(job, done_at=self.now() + 1)

    def latency_of(self, model: Model, params: Mapping[str, Any]) -> float:
        """Seconds that a job of this model runs."""
        return self._unscaled_latency(model, params) / self.settings.speed

    def _unscaled_latency(self, model: Model, params: Mapping[str, Any]) -> float:
        told = self.settings.latency_s
        if isinstance(told, (int, float)):
            return float(told)
        if told and model.id in told:
            return float(told[model.id])
        pace = self.paces.get(model.provider)
        return OTHER_LATENCY_S if pace is None else pace.latency_s(model, params)

    def slots_of(self, provider: str) -> int | None:
        """Jobs that an account may have running at once; None for any number."""
        slots, pace = self.settings.slots, self.paces.get(provider)
        if isinstance(slots, Mapping):
            return slots.get(provider)
        limited = pace.slots if pace is not None else None
        return None if limited is None or slots is None else limited if isinstance(slots, str) else slots


def scene_key(model: Model, mode: str, params: Mapping[str, Any], media: Mapping[str, Any]) -> str:
    """The hash of what a clip depends on: ids of uploads are replaced by the hashes of their bytes."""
    return digest([model.id, mode, dict(params), dict(media)])


def look_key(model: Model, prompt: str, media: Mapping[str, Any]) -> str:
    """The hash of what the hidden seed of a request without one depends on.

    It leaves every knob out: another motion strength, length or size moves, lasts or measures differently, and shows
    the same scene, so that two clips tell what the knob does.
    """
    return digest([model.id, prompt, dict(media)])


def is_moderated(prompt: str) -> str | None:
    """The word for which moderation refuses the prompt, if any."""
    return next((word for word in MODERATED if word in prompt.lower()), None)


def account_id(text: str) -> str:
    """The id of the account behind a key, a UUID of version 4 as far as anyone can see."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
