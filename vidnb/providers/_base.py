"""What a provider is: a translator between vidnb's values and one service's wire format, with no I/O.

A provider turns values into `Call`s and `Reply`s into values. It holds no client, never sleeps and touches no file, so
it can be tested with plain dicts, and everything that waits is written once, in `engine`. Exchanges of several requests
(an upload through a presigned form, a listing that needs the account's id first) are generators that yield a `Call`
and are sent its `Reply`, as httpx does for authentication.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from typing import Any, ClassVar

from vidnb.catalog import Model
from vidnb.errors import ProviderError
from vidnb.records import Call, MediaFile, Rates, RemoteJob, RemoteMedia, Reply, Status

Exchange = Generator[Call, Reply, Any]


class Provider(ABC):
    """One hosted service. Subclass it, name it in the entry-point group `vidnb.providers`, ship a catalogue file.

    Set the class attributes `name`, `title`, `base_url`, `base_url_env`, `key_env`, `rates`, and `catalogue`: the path
    of the TOML file with your models, which must be in your wheel too.

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
    key_env: ClassVar[str]
    """The environment variable that holds the key."""
    key_page: ClassVar[str] = ""
    """Where a person gets a key."""
    rates: ClassVar[Rates]
    catalogue: ClassVar[str | None] = None
    """Path of a TOML file with the models, for a plug-in; the built-in ones lie in `vidnb/catalog/`."""
    has_emulator: ClassVar[bool] = False
    """Whether the built-in emulator speaks this service's wire format; without one, a key is needed."""
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

    @abstractmethod
    def submitted(self, reply: Reply) -> Status:
        """What the service said to the POST: the remote id, the cost, and the end where it answered synchronously.

        Raises:
            ProviderError: the service refused, in whatever shape it does so.
            UnexpectedReplyError: no id can be found; the job may have been charged.
        """

    @abstractmethod
    def poll(self, remote_id: str) -> Call:
        """The request that asks for a job's status."""

    @abstractmethod
    def polled(self, reply: Reply, remote_id: str) -> Status:
        """What the service said of the job; `state=None` for a word that nobody documented.

        Raises:
            ProviderError: the answer is an error about the request, not about the job.
        """

    def recent(self, limit: int) -> Generator[Call, Reply, list[RemoteJob]] | None:
        """The exchange that lists the newest jobs, or None where the service has no such list.

        Where entries carry a `status`, one list answers for all jobs of an account that are on their way.
        """
        return None

    def cancel(self, remote_id: str) -> Call | None:
        """The request that cancels a job, or None where the service has none."""
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
        """The error behind a refusal, as the most exact class, its message in words for a person."""

    def webhook_id(self, body: Any) -> str | None:
        """The remote id in a callback's body, or None where the service calls nobody back."""
        return None
