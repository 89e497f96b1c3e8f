"""What programs ask and are answered, as models: they check what comes in, form what goes out, and describe both.

The description is the OpenAPI document of `vidnb serve`, so that none of the three can differ from the others.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue

from vidnb.records import State
from vidnb.serve.desk import LONGEST_WAIT_S, MOST_ROWS, MOST_TAKES
from vidnb.serve.refusals import Shape

Text = Annotated[str, Field(max_length=500)]
Whole = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Asked(Shape):
    """What a program sends: no other names, no values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class InAddress(Shape):
    """What stands after the question mark of an address, where everything is text."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


# -- asked -----------------------------------------------------------------------------------------------------------


class ModelsWanted(InAddress):
    """Which models are wanted."""

    query: Text = ""
    """Words of the id or title, or names of params that the model must take: "luma", "motion_strength"."""
    provider: Text = ""
    """Only models of this service, as leonardo."""
    mode: Literal["any", "text", "image"] = "any"
    """What a model starts from."""


class JobsWanted(InAddress):
    """Which jobs are wanted; filters narrow each other down, and a name that is given twice means either value."""

    state: list[State] = Field(default_factory=list)
    model: list[Text] = Field(default_factory=list)
    """Ids, as leonardo/motion_2.0."""
    prompt: Text = ""
    """A part of the prompt."""
    words: Text = ""
    """Words that are all in the prompt, the note or the tags."""
    seed: list[Whole] = Field(default_factory=list)
    tag: list[Text] = Field(default_factory=list)
    rating: Annotated[int, Field(ge=0, le=5)] = 0
    """So many stars, or more; 0 for any."""
    since: Text = ""
    """A date, a time, or an age: 2026-11-21, 90m, 2h, 7d."""
    until: Text = ""
    """The same."""
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 20


class JobWanted(InAddress):
    """How long to wait for the end of a job."""

    wait_s: Annotated[float, Field(ge=0, le=LONGEST_WAIT_S)] = 0
    """Answer when the job is at its end, or after so many seconds, whichever is first."""


class ClipWanted(InAddress):
    """Which clip of a job is wanted."""

    output: Annotated[int, Field(ge=0, le=1000)] = 0
    """0 is the one that was asked for; others are those that the service made beside it."""


class QuoteWanted(Asked):
    """What is to be made; nothing is sent to the service yet."""

    model: Text
    """Id of a model, from /models."""
    prompt: Annotated[str, Field(max_length=20_000)] = ""
    """What to show; leave it out for a model that takes none."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    """Other settings by name, as {"seed": 7, "resolution": "480p"}; /models/{model} lists them."""
    images: dict[str, str | list[str]] = Field(default_factory=dict)
    """Inputs by name, each an https address or a path in a folder that the server allows."""
    takes: Annotated[int, Field(ge=1, le=MOST_TAKES)] = 1
    """How many clips of it."""


class Order(Asked):
    """Which quote is to be made true."""

    quote_token: Annotated[str, Field(min_length=1, max_length=100)]
    """From /quotes. Repeat a call with the same token: it gives the same jobs and never pays twice."""


# -- answered --------------------------------------------------------------------------------------------------------


class ModelInShort(Shape):
    """A model in one line."""

    id: str
    title: str
    modes: list[str]
    takes: list[str]
    """Names of the params that it takes."""
    emulated: bool
    """True where there is no key: clips cost nothing and say EMULATED."""


class Models(Shape):
    """Models that can be asked for."""

    models: list[ModelInShort]


class ModelParam(Shape):
    """One setting of a model."""

    kind: str
    allowed: str
    required: bool
    default: JsonValue
    help: str


class ModelInFull(Shape):
    """What one model takes."""

    id: str
    title: str
    modes: list[str]
    params: dict[str, ModelParam]
    sizes: list[str]
    price: dict[str, JsonValue]
    notes: list[str]


class Quoted(Shape):
    """What clips would cost, and the token that orders them."""

    quote_token: str
    model: str
    params: dict[str, JsonValue]
    """As they will be sent."""
    clips: int
    price_each: str
    """In words: "free", "about $0.25", "price unknown"."""
    price_certainty: Literal["exact", "estimate", "unknown"]
    price_from: str
    """Where the price is known from."""
    price_sum: float | None
    """Of all clips, in `price_unit`; null where nobody knows."""
    price_unit: str | None
    emulated: bool
    """True: nothing is charged."""
    holds_until: str
    """Until then clips can be ordered with the token."""
    next: str


class Ordered(Shape):
    """The jobs of a quote."""

    jobs: list[str]
    repeated: bool
    """True where they had been ordered before; nothing was sent and nothing more is charged."""
    next: str


class JobError(Shape):
    """Why a job has no clip."""

    message: str | None
    charged: bool | None
    """Null where nobody knows."""
    advice: str | None


class Job(Shape):
    """How a job stands."""

    job: str
    state: State
    """done, failed and cancelled are ends; ambiguous waits for a person: the reply to the submit was lost."""
    model: str
    prompt: str
    seed: int | None
    take: int
    emulated: bool
    rating: int | None
    cost: str | None
    """What it was charged, as far as the service said."""
    created_at: str
    waited_s: float | None = None
    expected_s: float | None = None
    """The usual time from submit to clip."""
    next_poll_s: int | None = None
    """Ask again after so many seconds; null once it is at its end."""
    error: JobError | None = None
    clip: str | None = None
    """Where the MP4 is, below the address of this server; null while there is none."""
    poster: str | None = None
    """Where a small WebP of the first frame is."""
    clips: int = 0
    """How many there are: one is asked for, and a service may give more."""
    more: list[str] = Field(default_factory=list)
    """Where those are that the service made beside it."""


class Jobs(Shape):
    """The newest jobs that the filters leave."""

    all: int
    """How many there are, however many are shown."""
    jobs: list[Job]


class Undecided(Job):
    """A job of which nobody but a person can say what became of it."""

    how: str
    """The command with which a person on the machine of this server settles it."""


class Reconciled(Shape):
    """What became of submits whose reply was lost."""

    found: list[Job]
    """Known now, by the service's own list: they go on, or have ended. Nothing was paid twice."""
    a_person_decides: list[Undecided]
    """Still ambiguous: each counts as charged until a person settles it."""


class Purse(Shape):
    """One cap and what counts against it, in words."""

    purse: str
    book: str
    cap: str
    spent: str
    reserved: str
    """The most that jobs on their way may cost."""
    unclear: str
    """What nobody can tell whether it was charged."""
    left: str


class Money(Shape):
    """The caps, which only a person can change, and what was spent."""

    purse: str
    """The one that pays for what is ordered here."""
    purses: list[Purse]
    to_change: str
