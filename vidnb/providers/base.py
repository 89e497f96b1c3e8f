"""What a provider is: a translator between vidnb's values and one service's wire format, with no I/O.

A provider turns values into `Call`s and `Reply`s into values. It holds no client, never sleeps and touches no file, so
it can be tested with plain dicts, and everything that waits is written once, in `jobs`. Exchanges of several requests
(an upload through a presigned form, a listing that needs the account's id first) are generators that yield a `Call`
and are sent its `Reply`, as httpx does for authentication.
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from vidnb.catalog import Model
from vidnb.errors import ProviderError
from vidnb.records import Call, Callback, Job, MediaFile, Rates, RemoteJob, RemoteMedia, Reply, Status

Exchange = Generator[Call, Reply, Any]

SERVER_FILE = "server.json"
"""Where a server on the user's own machine leaves its `url` and its `token`: see `Provider.server_file`."""


class Provider(ABC):
    """One hosted service. Subclass it, name it in the entry-point group `vidnb.providers`, ship a catalogue file.

    Set the class attributes `name`, `title`, `base_url`, `base_url_env`, `key_env` and `rates`. The entry-point group
    `vidnb.catalogues` names the TOML file with your models: `package:file.toml`.

    Run `vidnb.providers.conformance.ProviderConformance` over it: the suite that the built-in providers pass.
    """

    name: ClassVar[str]
    """Registry key, first part of every model id, column value."""
    title: ClassVar[str]
    """What a person calls the service."""
    base_url: ClassVar[str]
    """Where the live service answers, without a trailing slash."""
    base_url_env: ClassVar[str]
    """The environment variable that points the client elsewhere."""
    other_hosts: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Further hosts of the service that take the key, by the name that a `Call` gives in `host`. Where the client is
    pointed elsewhere, they are expected there under their name: `{base_url}/{name}`."""
    key_env: ClassVar[str]
    """The environment variable that holds the key."""
    key_pair_env: ClassVar[tuple[str, str] | None] = None
    """Two environment variables whose values, joined by a colon, are the key where `key_env` is not set."""
    key_page: ClassVar[str] = ""
    """Where a person gets a key."""
    server_file: ClassVar[tuple[str, str] | None] = None
    """For a server that runs on the user's own machine: the environment variable that names its folder, and the folder
    below the user's home where that is not set. The server leaves a file `server.json` there that only the user may
    read, with `url` and `token`; they are taken where the environment has no address and no key."""
    start: ClassVar[str] = ""
    """How such a server is started: a command line."""
    rates: ClassVar[Rates]
    """The published limits; guess low where none are published."""
    uploads_live_s: ClassVar[float | None] = None
    """How long the service keeps an upload; None for as long as the account. An older one is uploaded anew."""
    results_live_s: ClassVar[float | None] = None
    """How long the service keeps the clip of a finished job; None for at least a day. Said to a person who asks."""
    answers_hold_clips: ClassVar[bool] = False
    """Whether the service sends clips within its answers (`Status.content`, a `data:` address): these may then be as
    large as a clip. Elsewhere no answer is read beyond 1.5 MB."""
    webhook_url_env: ClassVar[str] = ""
    """The environment variable with the address that is called back; "" where the service takes none with a job."""
    cancel_note: ClassVar[str] = "the service has no way to cancel a job"
    """What to tell a person who wants to cancel and cannot."""

    @abstractmethod
    def headers(self, key: str) -> dict[str, str]:
        """The headers that carry the key; they are sent to the provider's own host only."""

    @abstractmethod
    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """The exchange that uploads one input; it returns the provider's handle for it."""

    @abstractmethod
    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """The paid POST for validated params; `media` holds the uploaded inputs by param name."""

    def tagged(self, call: Call, job: Job) -> Call:
        """Return the paid POST with the job's id in it, where the service carries such a tag into its list.

        `RemoteJob.tag` gives it back, and a lost reply is then found with certainty.
        """
        return call

    def called_back(self, call: Call, url: str) -> Call:
        """Return the paid POST with the address in it that the service is to call once the job is over."""
        return call

    @abstractmethod
    def submitted(self, reply: Reply) -> Status:
        """What the service said to the POST: the remote id, the cost, and the end where it answered synchronously.

        Raises:
            ProviderError: the service refused, in whatever shape it does so.
            UnexpectedReplyError: no id can be found; the job may have been charged.
        """

    @abstractmethod
    def poll(self, job: Job) -> Call:
        """Return the request that asks for a job's status; `job.remote_id` is the id that `submitted` returned."""

    @abstractmethod
    def polled(self, reply: Reply, job: Job) -> Status:
        """Return what the service said of the job; `state=None` for a word that nobody documented.

        Raises:
            ProviderError: the answer is an error about the request, not about the job.
        """

    def result(self, job: Job) -> Call | None:
        """Return the request that fetches what a finished job made, or None where `polled` tells the clip's link.

        It is sent when `polled` says `State.DOWNLOADING` without a link, and `resulted` reads its reply.
        """
        return None

    def resulted(self, reply: Reply, job: Job) -> Status:
        """Return what the reply to `result` says: the clip's link, or that the job failed after all.

        Raises:
            ProviderError: the answer is an error about the request, not about the job.
        """
        return self.polled(reply, job)

    def preview(self, job: Job) -> str | None:
        """Return where a small picture of how far a running job is lies; None where the service gives none.

        As in `Status.video_url`: a path on the provider's own host, or an address that needs no key.
        """
        return None

    def recent(self, limit: int, jobs: Sequence[Job]) -> Generator[Call, Reply, list[RemoteJob]] | None:
        """Return the exchange that lists the account's newest jobs, or None where the service has no such list.

        Where entries carry a `status`, one list answers for all jobs of an account that are on their way.

        Args:
            limit: how many entries are wanted at most.
            jobs: those that are looked for: a service with a list for each model, or from a time on, can ask for less.
                Of one whose remote id is known, only how it stands is wanted; the rest may be left out. Where the ids
                of all are known, the entries of other jobs may be left out, too.
        """
        return None

    def described(self, reply: Reply, job: Job) -> RemoteJob | None:
        """Return what the reply to `poll` tells of the job besides its status, as an entry of a list would.

        With it a job that was found in a list is checked once more. None where the reply tells nothing.
        """
        return None

    def cancel(self, job: Job) -> Generator[Call, Reply, Status] | None:
        """Return the exchange that cancels a job, or None where the service has no such thing.

        It returns what became of the job: `State.CANCELLED` ends it, with `cost` where the service says what it
        charged. Any other state leaves it on its way: the service took note of the request and may still finish the
        clip, or the request came too late.

        Raises:
            ProviderError: the service refused.
        """
        return None

    def listed_prices(self, models: Sequence[Model]) -> Generator[Call, Reply, dict[str, dict[str, Any]]] | None:
        """Return the exchange that reads what the service itself lists as its prices, or None where it has no list.

        It returns them by id of our models, each in the form of `Model.price`. A model that the list does not have is
        left out. Where its price is written in a way that the code does not understand, the dict holds only
        `unknown`, with that text. An empty dict says that the list counts in other units than the catalogue; the
        catalogue's price then holds.

        Args:
            models: of the catalogue, whose prices are wanted.

        Raises:
            ProviderError: it is no such list.
        """
        return None

    @abstractmethod
    def check(self) -> Call:
        """A request that costs nothing and tells whether the key is good."""

    @abstractmethod
    def checked(self, reply: Reply) -> str:
        """What is known of the account (balance, slots), in one line.

        Raises:
            AuthError: the key is refused.
        """

    @abstractmethod
    def explain(self, reply: Reply) -> ProviderError:
        """Return the error that a refusal means: the most specific class, with a message that a person understands."""

    def is_genuine(self, callback: Callback, secret: str) -> bool:
        """Return whether a callback comes from the service; here, whether it carries `Authorization: Bearer <secret>`.

        A service that signs what it sends says so here: `callback` has all headers and the bytes as they came. Without
        a secret nothing is genuine.
        """
        told = callback.headers.get("authorization", "").encode()
        return bool(secret) and hmac.compare_digest(told, f"Bearer {secret}".encode())

    def webhook_id(self, callback: Callback) -> str | None:
        """Return the remote id that a callback names, or None where it names none."""
        return None
