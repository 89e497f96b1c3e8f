"""The values that pass from layer to layer: jobs and their states, what a provider asks for and what it answered.

Everything here is frozen and imports nothing else of vidnb, so that every layer can speak in these words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Literal


class State(StrEnum):
    """Where a job is, from the intent to the end."""

    INTENDED = "intended"
    """The row exists; nothing was sent."""
    SUBMITTING = "submitting"
    """The paid POST is on its way; a process that dies here leaves the job ambiguous."""
    QUEUED = "queued"
    """The service has the job and has not started it."""
    RUNNING = "running"
    """The service works on it, or does not say more than "pending"."""
    DOWNLOADING = "downloading"
    """The service finished; the clip is being fetched."""
    DONE = "done"
    """The clip lies in the data folder."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    AMBIGUOUS = "ambiguous"
    """The reply to the POST was lost: `reconcile` or a person decides, never a second POST."""


TERMINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})

TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.INTENDED: frozenset({State.SUBMITTING, State.FAILED, State.CANCELLED}),
        # Back to intended: the service cannot have received the POST, so it may be sent again later.
        State.SUBMITTING: frozenset(
            {State.INTENDED, State.QUEUED, State.RUNNING, State.DOWNLOADING, State.FAILED, State.AMBIGUOUS}
        ),
        State.QUEUED: frozenset({State.RUNNING, State.DOWNLOADING, State.FAILED, State.CANCELLED}),
        State.RUNNING: frozenset({State.QUEUED, State.DOWNLOADING, State.FAILED, State.CANCELLED}),
        State.DOWNLOADING: frozenset({State.DONE, State.FAILED, State.RUNNING}),
        # A person or the provider's list settles it: attached, given up, or sent again on the person's word.
        State.AMBIGUOUS: frozenset(
            {State.QUEUED, State.RUNNING, State.DOWNLOADING, State.FAILED, State.CANCELLED, State.INTENDED}
        ),
        State.DONE: frozenset(),
        State.FAILED: frozenset(),
        State.CANCELLED: frozenset(),
    }
)
"""The one table of legal moves; the store refuses any other."""


@dataclass(frozen=True)
class Cost:
    """A sum in a service's own unit: what a job was charged, or is expected to cost."""

    amount: float
    unit: str
    """`USD` or `CREDITS`."""

    @property
    def usd(self) -> float | None:
        """The amount in US dollars, or None where it is in credits of unknown worth."""
        return self.amount if self.unit == "USD" else None

    def __str__(self) -> str:
        if self.unit != "USD":
            return f"{self.amount:,.0f} credits"
        cents, _, finer = f"{self.amount:.4f}".partition(".")  # services charge parts of a cent
        return f"${cents}.{finer[:2]}{finer[2:].rstrip('0')}"


@dataclass(frozen=True)
class Quote:
    """What a job would cost, how sure that is, and where it is known from.

    Example:
        >>> quote = vidnb.quote("a koala in a meadow", model="leonardo/motion_2.0")
        >>> quote.cost, quote.certainty, quote.why
    """

    cost: Cost | None
    """None where nobody knows."""
    certainty: Literal["exact", "estimate", "unknown"]
    why: str
    """In a few words: "as charged on 2026-11-21", "made before"."""

    def __str__(self) -> str:
        return f"{self.cost or 'price unknown'} ({self.certainty}; {self.why})"


@dataclass(frozen=True)
class Expectation:
    """How long jobs like this one took from submit to done.

    Example:
        >>> expected = vidnb.expect(vidnb.submit("a koala in a meadow"))
    """

    median_s: float
    p90_s: float
    """Nine of ten took no longer."""
    count: int
    """How many there were; few say little."""

    def __str__(self) -> str:
        clips = "1 clip" if self.count == 1 else f"{self.count} clips"
        return f"usually {self.median_s:.1f} s, 9 of 10 within {self.p90_s:.1f} s ({clips})"


class Keep(Enum):
    """Stands for "leave it as it is" where None has a meaning of its own."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return self.name


KEEP = Keep.KEEP


@dataclass(frozen=True)
class Call:
    """One HTTP request as plain data; the transport builds and sends it.

    A `url` that starts with "/" is relative to the provider's base URL and is sent with the key.
    An absolute one (a presigned upload, a download) is sent without it.
    """

    method: str
    url: str
    json: Any = None
    form: Mapping[str, str] | None = None
    file: FilePart | None = None

    @property
    def authorized(self) -> bool:
        """True where the key goes along: only on the provider's own host."""
        return self.url.startswith("/")


@dataclass(frozen=True)
class FilePart:
    """The file part of a multipart form; it is sent after all fields."""

    part: str
    filename: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


@dataclass(frozen=True)
class Reply:
    """What the service answered: status, parsed JSON (None where the body is not JSON) and the start of the text."""

    status_code: int
    json: Any = None
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MediaFile:
    """One input file, identified by its content."""

    sha256: str
    extension: str
    """Without the dot: png, jpg, webp, mp4, mov, mp3, wav."""
    content_type: str
    content: bytes = field(repr=False)
    width_px: int | None = None
    height_px: int | None = None

    @property
    def filename(self) -> str:
        """A name made from the content only, so that a hostile file name never leaves the machine."""
        return f"{self.sha256[:16]}.{self.extension}"


@dataclass(frozen=True)
class RemoteMedia:
    """An input that the provider already has: an uploaded file or an earlier result.

    Example:
        >>> RemoteMedia("leonardo", "5f2d...", "GENERATED")      # a picture made in the web app
        RemoteMedia(provider='leonardo', id='5f2d...', kind='GENERATED')
    """

    provider: str
    id: str
    """Leonardo: the id of the image or clip. 1min: the storage path that the Asset API returned."""
    kind: str = "UPLOADED"
    """Leonardo: UPLOADED, GENERATED or VARIATION, as where the id came from."""


@dataclass(frozen=True)
class Status:
    """What the provider said of one job, in vidnb's words.

    `state` is None for a status word that vidnb does not know: keep polling, and keep the word.
    """

    remote_id: str
    state: State | None
    word: str = ""
    video_url: str | None = field(default=None, repr=False)
    asset_id: str | None = None
    cost: Cost | None = None
    error: str | None = None
    nsfw: bool | None = None


@dataclass(frozen=True)
class RemoteJob:
    """One entry of a provider's list of recent jobs: enough to recognise a lost submit, and how the job stands."""

    remote_id: str
    prompt: str
    created_at: datetime | None
    seed: int | None = None
    width_px: int | None = None
    height_px: int | None = None
    status: Status | None = None
    """What the list says of the job, as `polled` would; None where it says nothing of it."""


@dataclass(frozen=True)
class Rates:
    """A provider's published limits; the client stays below them."""

    requests_per_minute: int
    submits_per_minute: int
    in_flight: int
    """Jobs that the service works on at once; more would only wait there."""


@dataclass(frozen=True)
class ClipInfo:
    """What was measured of a clip's file, never what was asked for."""

    sha256: str
    size_bytes: int
    width_px: int
    height_px: int
    fps: float
    duration_s: float
    frames: int
    codec: str
    has_audio: bool


@dataclass(frozen=True, repr=False)
class Job:
    """One recipe on its way to a clip: the row as it was read; ask the client for a newer one.

    Times are UTC. `params` and `images` are the recipe; `error` is a dict with `kind`, `message`, `charged`
    (true, false or null) and `advice` once the job failed.
    """

    id: str
    provider: str
    model: str
    recipe_hash: str
    take: int
    state: State
    params: Mapping[str, Any]
    images: Mapping[str, Any]
    emulated: bool
    base_url: str
    created_at: datetime
    dropped: Mapping[str, Any] = field(default_factory=dict)
    account: str | None = None
    remote_id: str | None = None
    asset_id: str | None = None
    wire_status: str | None = None
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    """When the service was first seen to be finished."""
    done_at: datetime | None = None
    """When the clip was on disk, or the job failed or was cancelled."""
    polls: int = 0
    cost: Cost | None = None
    nsfw: bool | None = None
    error: Mapping[str, Any] | None = None
    clip: ClipInfo | None = None
    video_url: str | None = field(default=None, repr=False)
    rating: int | None = None
    """A person's, from 1 to 5."""
    tags: tuple[str, ...] = ()
    note: str = ""
    lease_owner: str | None = None
    lease_until: datetime | None = None

    @property
    def is_terminal(self) -> bool:
        """True once nothing more will happen to the job."""
        return self.state in TERMINAL

    @property
    def is_moving(self) -> bool:
        """True while the job goes on by itself: it is not at its end, and not ambiguous, which a person settles."""
        return self.state not in TERMINAL and self.state is not State.AMBIGUOUS

    @property
    def prompt(self) -> str:
        """The prompt, or "" for a model that takes none."""
        return str(self.params.get("prompt") or "")

    def __repr__(self) -> str:
        prompt = self.prompt if len(self.prompt) <= 40 else self.prompt[:39] + "…"
        mark = ", EMULATED" if self.emulated else ""
        return f"<Job {self.id[:8]} {self.state}: {self.model}, {prompt!r}{mark}>"

    def _repr_html_(self) -> str:
        from vidnb.display import job_html

        return str(job_html(self))  # marimo takes no subclass of str
