"""The values that pass from layer to layer: jobs and their states, what a provider asks for and what it answered.

Everything here is frozen and imports nothing of vidnb but `shown`, so that every layer can speak in these words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Literal

from vidnb import shown


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
    """The reply to the POST was lost, or (with a `remote_id`) the service is finished and nobody can find the clip:
    `reconcile` or a person decides, never a second POST."""


TERMINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})
UNDER_WAY = (State.QUEUED, State.RUNNING, State.DOWNLOADING)
"""States in which the service has the job."""
CAME_TO_NOTHING = frozenset({State.FAILED, State.CANCELLED})
"""States that leave the take free: the same recipe and take may be sent anew."""

TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.INTENDED: frozenset({State.SUBMITTING, State.FAILED, State.CANCELLED}),
        # Back to intended: the service cannot have received the POST, so it may be sent again later.
        State.SUBMITTING: frozenset(
            {State.INTENDED, State.QUEUED, State.RUNNING, State.DOWNLOADING, State.FAILED, State.AMBIGUOUS}
        ),
        # To ambiguous: the service says things that nobody understands, or the list's entry was somebody else's.
        State.QUEUED: frozenset({State.RUNNING, State.DOWNLOADING, State.FAILED, State.CANCELLED, State.AMBIGUOUS}),
        State.RUNNING: frozenset({State.QUEUED, State.DOWNLOADING, State.FAILED, State.CANCELLED, State.AMBIGUOUS}),
        State.DOWNLOADING: frozenset({State.DONE, State.FAILED, State.RUNNING, State.CANCELLED, State.AMBIGUOUS}),
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


SMALLEST_USD = 0.001
"""Below it four decimals would round away what counts."""
SMALLEST_SUM_USD = 0.01
"""Below it a sum is told like a price."""
NO_USD = 1e-9
"""Sums of decimal fractions are a hair off: so little is nothing."""


@dataclass(frozen=True)
class Cost:
    """A sum in a service's own unit: what a job was charged, or is expected to cost."""

    amount: float
    unit: str
    """`USD` or `CREDITS`; in the books `CREDITS:<provider>` and `JOBS`, too."""

    @property
    def usd(self) -> float | None:
        """The amount in US dollars, or None where it is in credits of unknown worth."""
        return self.amount if self.unit == "USD" else None

    def __str__(self) -> str:
        if self.unit == JOBS_UNIT:
            return "1 job" if self.amount == 1 else f"{self.amount:,.0f} jobs"
        if self.unit != "USD":
            _, _, provider = self.unit.partition(":")
            return f"{self.amount:,.0f} credits" + (f" of {provider}" if provider else "")
        return dollars(self.amount)

    @property
    def as_sum(self) -> str:
        """The same in words, where it is a sum of many: dollars to the cent, though a single price has parts of one."""
        is_price = self.unit != "USD" or abs(self.amount) < SMALLEST_SUM_USD
        return str(self if is_price else replace(self, amount=round(self.amount, 2)))


def dollars(amount: float) -> str:
    """Return a sum in US dollars as everything here writes it: "$1,234.50", "$0.112", "-$0.05".

    Two decimals; below a dollar more where the price has parts of a cent, as services charge them.
    """
    size = abs(amount) if abs(amount) > NO_USD else 0.0
    sign = "-" if size and amount < 0 else ""
    if 0 < size < SMALLEST_USD:
        finer = f"{size:.{1 - math.floor(math.log10(size))}f}"  # two digits that count, however small
        return f"{sign}${finer.rstrip('0')}"
    whole, _, parts = f"{size:,.{4 if size < 1 else 2}f}".partition(".")
    return f"{sign}${whole}.{parts[:2]}{parts[2:].rstrip('0')}"


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

    @property
    def words(self) -> str:
        """The price in the few words that fit on a button: "free", "about $0.45", "price unknown"."""
        if self.cost is None:
            return "price unknown"
        if not self.cost.amount and self.certainty == "exact":
            return "free"
        return f"about {self.cost}" if self.certainty == "estimate" else str(self.cost)


JOBS_UNIT = "JOBS"
"""The unit of a cap on the number of jobs."""


class Booked(StrEnum):
    """In which sum of a purse a reservation counts."""

    RESERVED = "reserved"
    """The POST may still be sent, or the job is on its way and nothing was said of its cost."""
    SETTLED = "settled"
    """Charged."""
    UNCLEAR = "unclear"
    """Nobody can tell whether it was charged: counts until it is disproved."""
    RETURNED = "returned"
    """Certainly not charged: counts in no sum."""


@dataclass(frozen=True)
class Reservation:
    """What one POST may cost at most, and in which purses that is set aside.

    The default is a POST whose price nobody knows, in a folder whose purse alone counts it.
    """

    purses: tuple[str, ...] = ("",)
    """Names; "" is the purse of the whole folder."""
    book: Literal["real", "emulated"] = "real"
    unit: str = ""
    """`USD` or `CREDITS:<provider>`; "" where the price is unknown."""
    amount: float = 0.0
    """The highest that the POST can cost."""
    expected: float = 0.0
    """What it most likely costs: booked where the service never says."""
    accepted: bool = False
    """Whether a person accepted that a cap in money cannot be held against it."""
    known_from: tuple[str, ...] = ()
    """For an unknown price: the providers whose services say what a job cost, this job's among them; else empty."""


@dataclass(frozen=True)
class Purse:
    """The sums of one purse in one unit and one book."""

    name: str
    """"" is the purse of the whole folder."""
    book: str
    """`real`, or `emulated`: what emulated jobs would have cost at the catalogue's prices."""
    unit: str
    """`USD`, `CREDITS:<provider>` or `JOBS`."""
    cap: float | None
    settled: float
    reserved: float
    unclear: float
    forgiven: float = 0.0
    """What counted when the purse was last reset; it no longer counts against the cap."""

    @property
    def used(self) -> float:
        """What counts against the cap."""
        return self.settled + self.reserved + self.unclear - self.forgiven

    @property
    def left(self) -> float | None:
        """What the cap leaves; None without a cap."""
        return None if self.cap is None else max(self.cap - self.used, 0.0)


class Spent(Mapping[str, float]):
    """What jobs cost, by unit: a mapping of unit to the whole sum, with its three parts beside it.

    Example:
        >>> spent = vidnb.spent()
        >>> spent.get("USD", 0.0), spent.settled, spent.unclear
    """

    settled: Mapping[str, float]
    """Charged, as the service said, or as expected where it never says."""
    reserved: Mapping[str, float]
    """The most that jobs on their way may cost."""
    unclear: Mapping[str, float]
    """Failed and lost jobs that may have been charged: nobody knows."""

    def __init__(
        self, settled: Mapping[str, float], reserved: Mapping[str, float], unclear: Mapping[str, float]
    ) -> None:
        self.settled, self.reserved, self.unclear = (
            {unit: round(amount, 6) for unit, amount in part.items() if round(amount, 6)}
            for part in (settled, reserved, unclear)
        )
        units = sorted({*self.settled, *self.reserved, *self.unclear})
        parts = (self.settled, self.reserved, self.unclear)
        self._sums = {unit: round(sum(part.get(unit, 0.0) for part in parts), 6) for unit in units}

    def __getitem__(self, unit: str) -> float:
        return self._sums[unit]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sums)

    def __len__(self) -> int:
        return len(self._sums)

    def __repr__(self) -> str:
        parts = {"settled": self.settled, "reserved": self.reserved, "unclear": self.unclear}
        words = [f"{name} {money(part)}" for name, part in parts.items() if part]
        return f"<Spent: {', '.join(words) or 'nothing'}>"


def money(sums: Mapping[str, float]) -> str:
    """Return sums by unit in words: "$1.20 + 45 credits", "nothing"."""
    return " + ".join(Cost(amount, unit).as_sum for unit, amount in sums.items() if amount) or "nothing"


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
    """How many jobs these numbers come from; with few of them they are rough."""

    def __str__(self) -> str:
        clips = "1 clip" if self.count == 1 else f"{self.count} clips"
        return f"usually {self.median_s:.1f} s, 9 of 10 within {self.p90_s:.1f} s ({clips})"


class Keep(Enum):
    """Stands for "leave it as it is" where None has a meaning of its own."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return self.name


KEEP = Keep.KEEP


class Missing(Enum):
    """Stands for "not given" in a filter, where None means "any"."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return f"vidnb.{self.name}"


MISSING = Missing.MISSING
"""In a filter: only jobs to which this was not given, as in `vidnb.history(seed=vidnb.MISSING)`."""


_SIGNED = re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"')]+")


def redact(text: str) -> str:
    """Return the text without the query parts of its addresses, where signatures are."""
    return _SIGNED.sub(r"\1?...", text)


def storable(text: str) -> str:
    """The text with every character that no database takes replaced by a question mark."""
    return text.replace("\0", "?").encode(errors="replace").decode()


class Link:
    """An address that may be signed: it shows itself without its query, so that no traceback gives it away."""

    __slots__ = ("content", "ends_at", "more", "whole")

    def __init__(
        self, whole: str, more: Sequence[str] = (), *, ends_at: datetime | None = None, content: bytes | None = None
    ) -> None:
        self.whole = whole
        """The address as it came."""
        self.more = tuple(more)
        """Where the further clips of the same job lie, as they came."""
        self.ends_at = ends_at
        """When the address stops working, as the service says; None where it does not say."""
        self.content = content
        """The clip itself, where the service sent it instead of an address."""

    def __repr__(self) -> str:
        if self.content is not None:
            return f"<Link to the {len(self.content):,} bytes that came>"
        return f"<Link {'data:...' if self.is_data else redact(self.whole)}>"

    @property
    def is_data(self) -> bool:
        """Whether the address is itself the clip, as text."""
        return self.whole[:5].lower() == "data:"


@dataclass(frozen=True, repr=False)
class Call:
    """One HTTP request as plain data; the transport builds and sends it.

    A `url` that starts with "/" is a path on one of the provider's own hosts and is sent with the key.
    An absolute one (a presigned upload, a download) is sent without it.
    """

    method: str
    url: str
    json: Any = None
    form: Mapping[str, str] | None = None
    file: FilePart | None = None
    content: bytes | None = field(default=None, repr=False)
    """A raw body, for uploads that are no form."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What this call says beside the headers of every call; never the key."""
    host: str = ""
    """Which of the provider's hosts a path is on: a name in `Provider.other_hosts`, or "" for `base_url`."""

    def __repr__(self) -> str:
        return f"<Call {self.method} {redact(self.url)}>"  # forms and addresses may be signed

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


@dataclass(frozen=True, repr=False)
class Reply:
    """What the service answered: status, parsed JSON (None where the body is not JSON) and the start of the text."""

    status_code: int
    json: Any = None
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Reply {self.status_code}: {redact(repr(self.json) if self.json is not None else self.text)}>"


@dataclass(frozen=True)
class Callback:
    """What a service sent to the address that it was told to call once a job is over; anybody may have sent it."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    """As it came: signatures are over these bytes."""
    json: Any = field(default=None, repr=False)
    """The parsed body; None where it is no JSON."""
    received_at: datetime | None = None
    """When it came: a signature that is too old is no proof, as anybody who saw it may send it again."""


JOB_QUERY = "vidnb_job"
"""In the query of the address that a service calls back: the id of the job that the call is about."""


def with_job(url: str, job_id: str) -> str:
    """Return the address to call back with the job's id in it, so that a submit without a reply is found again."""
    return f"{url}{'&' if '?' in url else '?'}{JOB_QUERY}={job_id}"


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
    """Leonardo: UPLOADED, GENERATED or VARIATION, as where the id came from. INLINE: the id is the file itself, as text
    for the body of the submit; it is made anew for each job."""


def input_name(item: Any) -> str:
    """Return an input in a few letters: the start of its hash, or of its id at the provider."""
    if not isinstance(item, Mapping):
        return str(item)[:8]
    return (
        str(item["sha256"])[:8] if "sha256" in item else f"{item.get('kind', '').lower()} {str(item.get('id', ''))[:8]}"
    )


Why = Literal["", "moderation", "passing", "gone"]
"""Why a job failed, where the service says so."""


@dataclass(frozen=True)
class Status:
    """What the provider said of one job, in vidnb's words.

    `state` is None for a status word that vidnb does not know: keep polling, and keep the word.
    """

    remote_id: str
    state: State | None
    word: str = ""
    video_url: str | None = field(default=None, repr=False)
    """Where the clip lies: an address that is fetched without the key, or a path on the provider's own host, which
    is fetched with it (a redirect from there is followed without it). Or a `data:` address: the clip itself as text."""
    asset_id: str | None = None
    more_urls: tuple[str, ...] = field(default=(), repr=False)
    """Where further clips of the same job lie: vidnb asks for one, and keeps what came with it."""
    used_seed: int | None = None
    """The seed that the service says it used."""
    used_prompt: str | None = None
    """The prompt that the service says it used, where it rewrote the one that was sent."""
    cost: Cost | None = None
    """What the job was charged; 0 where the service says that it was not. An estimate is no cost: see `estimate`."""
    estimate: Cost | None = None
    """The most that the job will be charged, as the service says when it takes it; that much is then reserved."""
    error: str | None = None
    nsfw: bool | None = None
    ended: bool = False
    """With `state=None`: the service is finished with the job, and what became of it is not clear (no link yet, an end
    word that nobody documented). It is asked again for a while; then a person is."""
    why: Why = ""
    """With `State.FAILED`: refused for its content; a fault of the service that may pass; made and charged, and deleted
    since. "" for any other reason."""
    charged: bool | None = None
    """With `State.FAILED`: whether the service says that it charged the job; None where it does not say."""
    progress: float | None = None
    """How much of the work is done, from 0 to 1; None where the service does not tell."""
    ahead: int | None = None
    """How many jobs the service takes before this one; None where it does not tell."""
    content: bytes | None = field(default=None, repr=False)
    """The clip itself, where the service sends it in its answer; see `Provider.answers_hold_clips`."""
    link_ends_at: datetime | None = None
    """When `video_url` stops working, where the service says so: after that it is asked for another one."""

    @property
    def link(self) -> Link | None:
        """Where the clip is to be had; None where the service has said nothing of it yet."""
        if self.content is None and self.video_url is None:
            return None
        return Link(self.video_url or "", self.more_urls, ends_at=self.link_ends_at, content=self.content)

    @property
    def words(self) -> str:
        """The service's word, with how far it is where that is known: "processing (34%)", "IN_QUEUE (3 before it)"."""
        if self.progress is not None:
            return f"{self.word} ({self.progress:.0%})"
        return f"{self.word} ({self.ahead} before it)" if self.ahead else self.word


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
    is_video: bool | None = None
    """False for a picture or a sound; None where the list does not tell."""
    models: frozenset[str] | None = None
    """Ids of the models that may have made it; None where the list does not tell."""
    from_image: bool | None = None
    """Whether it began with a picture; None where the list does not tell."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """What else the list tells of it, under vidnb's names."""
    tag: str = ""
    """The id of the job of ours that it was sent with, where the service carries one; see `Provider.tagged`."""


@dataclass(frozen=True)
class Rates:
    """A provider's published limits; the client stays below them."""

    requests_per_minute: int
    submits_per_minute: int
    in_flight: int
    """Jobs that the service works on at once; more would only wait there."""
    poll_every_s: float = 2.0
    """Seconds between two questions about the same job, at least."""


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
    """As FFmpeg calls it: `h264`, `hevc`, `av1`; of a file without video that of its sound."""
    has_audio: bool
    note: str | None = None
    """What a person should know of the file, as that a browser may not play it; None where there is nothing."""


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
    outputs: tuple[ClipInfo, ...] = ()
    """Further clips that the service made for the same job; `Clip.outputs` plays them."""
    used_seed: int | None = None
    """The seed that the service says it used; None where it does not tell."""
    used_prompt: str | None = None
    """The prompt that the service says it used, where that is another one than was sent."""
    video_url: str | None = field(default=None, repr=False)
    rating: int | None = None
    """A person's, from 1 to 5."""
    tags: tuple[str, ...] = ()
    note: str = ""
    purse: str | None = None
    """Name of the purse that it is paid from, beside the folder's own."""
    seed_drawn: bool = False
    """True where the recipe leaves the seed open: vidnb drew the one in `params`, and it is no part of the recipe."""
    seeded_hash: str | None = None
    """Where the seed was drawn: the hash of the recipe with that seed, so that asking for that seed finds this job."""
    imported: bool = False
    """It came with a bundle: it was made elsewhere, and counts neither in the books nor as a take."""
    replays: bool = False
    """It came with a bundle that answers for its recipes."""
    trashed_at: datetime | None = None
    purged_at: datetime | None = None
    """When its files were deleted."""
    lease_owner: str | None = None
    lease_until: datetime | None = None

    @property
    def shown_take(self) -> int:
        """The take to show to a person: 0 where vidnb drew the seed, as the seed already tells such clips apart."""
        return 0 if self.seed_drawn else self.take

    @property
    def marks(self) -> tuple[str, ...]:
        """The labels of a clip that no real service made for this folder: EMULATED, REPLAYED, IMPORTED."""
        brought = "REPLAYED" if self.replays else "IMPORTED" if self.imported else ""
        return tuple(filter(None, ("EMULATED" if self.emulated else "", brought)))

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

    def __hash__(self) -> int:
        """By the id alone, as params are dicts: jobs can stand in sets; two readings of one may differ."""
        return hash(self.id)

    def __repr__(self) -> str:
        prompt = self.prompt if len(self.prompt) <= 40 else self.prompt[:39] + "…"
        return f"<Job {self.id[:8]} {self.state}: {', '.join((self.model, repr(prompt), *self.marks))}>"

    def _repr_html_(self) -> str:
        return shown.html(self)


def in_books(provider: str, cost: Cost) -> Cost:
    """Return the cost in a unit of the books: credits are worth something else at each provider."""
    return Cost(cost.amount, f"{cost.unit}:{provider}") if cost.unit == "CREDITS" else cost


def marks_of(jobs: Iterable[Job]) -> tuple[str, ...]:
    """The marks that any of these jobs has; see `Job.marks`."""
    return tuple(dict.fromkeys(mark for job in jobs for mark in job.marks))
